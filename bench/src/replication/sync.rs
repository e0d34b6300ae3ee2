//! A full copy to one replica over loopback: from REPLICAOF to the moment at which the replica has
//! everything and its link is up, with nothing else going on; and, in a round of its own because
//! watching is felt, the primary's memory while it serves a copy under a paced write load.

use super::Options;
use super::pair::{Node, follow, start_primary, start_replica};
use crate::compare::send_once;
use crate::footprint::{Watch, tree_bytes};
use crate::paced::Paced;
use crate::parts::{Findings, Judgement, megabytes, seconds};
use crate::persist::directory::key_count;
use crate::servers::Program;
use crate::stock::Stock;
use crate::table::{self, median};
use crate::template::{Mix, Random};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const TIME_RATIO_AT_MOST: f64 = 0.7;
const MEMORY_AT_MOST: f64 = 1.15;
/// The load before the copy begins.
const WARM_UP: Duration = Duration::from_secs(2);
/// Requests rendered before the clock starts.
const PREPARED: u64 = 500_000;

/// Sixteen bytes of key and 180 of value. Digits hardly compress, so the copy is as large as the data.
const FILL: &str = "SET key:{seq:12} {rand:0-9999999999999999999:20}{rand:0-9999999999999999999:20}\
     {rand:0-9999999999999999999:20}{rand:0-9999999999999999999:20}{rand:0-9999999999999999999:20}\
     {rand:0-9999999999999999999:20}{rand:0-9999999999999999999:20}{rand:0-9999999999999999999:20}\
     {rand:0-9999999999999999999:20}";

struct Measured {
    label: &'static str,
    keys: u64,
    times: Vec<Duration>,
    before_bytes: u64,
    peak_bytes: u64,
    time_under_load: Duration,
    writes_per_second: f64,
}

impl Measured {
    fn seconds(&self) -> f64 {
        median(self.times.iter().copied().map(seconds))
    }

    fn memory_ratio(&self) -> f64 {
        self.peak_bytes as f64 / self.before_bytes as f64
    }
}

pub fn run(options: &Options) -> Result<Findings> {
    let mut measured = Vec::new();
    for program in options.pair.programs() {
        let result = measure(options, program)
            .with_context(|| format!("a full copy from {}", program.label))?;
        eprintln!(
            "{}: {} keys copied in {:.2} s, memory x{:.2} under load",
            result.label,
            result.keys,
            result.seconds(),
            result.memory_ratio()
        );
        measured.push(result);
    }
    let text = format!(
        "Full copy of {} keys of 196 bytes to one replica; memory of all the primary's processes \
         under {} writes/s, {} connections.\n\n{}",
        options.keys,
        options.rate,
        options.connections,
        render(&measured)
    );
    Ok(Findings {
        text,
        judgements: judge(&measured[0], &measured[1]),
        json: measured.iter().map(report).collect(),
    })
}

fn measure(options: &Options, program: &Program) -> Result<Measured> {
    eprintln!("{}: filling {} keys", program.label, options.keys);
    let primary = start_primary(options, program)?;
    send_once(&primary.server, &[FILL], options.keys, 10, 64)?;
    let mut times = Vec::new();
    for _ in 0..options.rounds {
        let replica = start_replica(options, program)?;
        times.push(follow(&replica, program.port)?);
        let keys = key_count(&mut replica.server.control()?)?;
        ensure!(keys as u64 == options.keys, "the replica has {keys} keys");
    }
    let replica = start_replica(options, program)?;
    let mix = format!("SET key:{{rand:0-{}:12}} {{fill:180}}", options.keys - 1);
    let stock = Stock::prepare(&Mix::parse(&[mix])?, PREPARED, 1, &mut Random::new(1));
    let address = primary.server.address();
    let mut paced = Paced::connect(address, options.connections, stock, options.rate)?;
    // The replica has its share of this core only if the load leaves it some.
    paced.rest_between_requests();
    paced.run_for(WARM_UP)?;
    let before_bytes = tree_bytes(primary.server.pid())?;
    let watch = Watch::start(primary.server.pid())?;
    let (time_under_load, writes_per_second) = under_copy(&mut paced, replica, program.port)?;
    Ok(Measured {
        label: program.label,
        keys: options.keys,
        times,
        before_bytes,
        peak_bytes: watch.finish()?,
        time_under_load,
        writes_per_second,
    })
}

/// The load from the beginning of a copy to its end.
fn under_copy(paced: &mut Paced, replica: Node, port: u16) -> Result<(Duration, f64)> {
    let is_done = Arc::new(AtomicBool::new(false));
    let seen_by_thread = Arc::clone(&is_done);
    let follower: JoinHandle<Result<Duration>> = std::thread::Builder::new()
        .name("follower".into())
        .spawn(move || {
            let followed = follow(&replica, port);
            // Also on an error, or the load would go on for ever.
            seen_by_thread.store(true, Ordering::Relaxed);
            followed
        })?;
    let window = paced.run(&mut |_| is_done.load(Ordering::Relaxed), &mut || Ok(()));
    match follower.join() {
        Ok(followed) => Ok((followed?, window?.per_second())),
        Err(_) => bail!("the thread that follows failed"),
    }
}

fn judge(ours: &Measured, theirs: &Measured) -> Vec<Judgement> {
    vec![
        Judgement::at_most(
            "full copy: time, ours ÷ theirs",
            ours.seconds() / theirs.seconds(),
            TIME_RATIO_AT_MOST,
        ),
        Judgement::at_most(
            "full copy under load: primary's peak memory, ours ÷ before",
            ours.memory_ratio(),
            MEMORY_AT_MOST,
        ),
    ]
}

fn render(measured: &[Measured]) -> String {
    let header = [
        "servers",
        "copy s",
        "before MB",
        "peak MB",
        "ratio",
        "under load s",
        "writes/s",
    ];
    let rows: Vec<Vec<String>> = measured
        .iter()
        .map(|row| {
            vec![
                row.label.to_owned(),
                format!("{:.2}", row.seconds()),
                format!("{:.0}", megabytes(row.before_bytes)),
                format!("{:.0}", megabytes(row.peak_bytes)),
                format!("{:.2}", row.memory_ratio()),
                format!("{:.2}", seconds(row.time_under_load)),
                format!("{:.0}", row.writes_per_second),
            ]
        })
        .collect();
    table::render(&header, &rows)
}

fn report(row: &Measured) -> Value {
    let times: Vec<f64> = row.times.iter().copied().map(seconds).collect();
    json!({
        "servers": row.label, "keys": row.keys, "seconds": times, "before_bytes": row.before_bytes,
        "peak_bytes": row.peak_bytes, "seconds_under_load": seconds(row.time_under_load),
        "writes_per_second": row.writes_per_second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fill_can_be_rendered_and_is_as_long_as_promised() {
        let mut out = Vec::new();
        Mix::parse(&[FILL])
            .unwrap()
            .render(&mut out, 7, &mut Random::new(1));
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("$16\r\nkey:000000000007\r\n$180\r\n"),
            "{text}"
        );
    }
}
