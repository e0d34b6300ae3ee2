//! A replica whose link is taken away under a paced write load, at default settings: whether it
//! goes on where it was, or has to copy everything again.

use super::Options;
use super::link::Link;
use super::pair::{catch_up, follow, number, start_primary, start_replica, syncs, wait_until};
use crate::compare::send_once;
use crate::paced::Paced;
use crate::parts::{Findings, Judgement, megabytes, seconds};
use crate::servers::Program;
use crate::stock::Stock;
use crate::table;
use crate::template::{Mix, Random};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;

const KEYS: u64 = 1_000_000;
const WRITE: &str = "SET key:{rand:0-999999:12} {fill:32}";
const PREPARED: u64 = 500_000;
const WARM_UP: Duration = Duration::from_secs(1);

struct Measured {
    label: &'static str,
    away_bytes: u64,
    full: u64,
    partial: u64,
    caught_up_after: Duration,
}

pub fn run(options: &Options) -> Result<Findings> {
    let mut measured = Vec::new();
    for program in options.pair.programs() {
        let result = measure(options, program)
            .with_context(|| format!("a cut link of {}", program.label))?;
        eprintln!(
            "{}: {} full and {} partial resynchronizations",
            result.label, result.full, result.partial
        );
        measured.push(result);
    }
    let text = format!(
        "A replica cut off for {:.0} s under {} writes/s ({} connections), default settings, {KEYS} keys.\n\n{}",
        seconds(options.away),
        options.rate,
        options.connections,
        render(&measured)
    );
    let full = measured[0].full as f64;
    Ok(Findings {
        text,
        judgements: vec![Judgement::at_most(
            "cut off: full resynchronizations of ours",
            full,
            0.0,
        )],
        json: measured.iter().map(report).collect(),
    })
}

fn measure(options: &Options, program: &Program) -> Result<Measured> {
    let primary = start_primary(options, program)?;
    let replica = start_replica(options, program)?;
    send_once(
        &primary.server,
        &["SET key:{seq:12} {fill:32}"],
        KEYS,
        10,
        64,
    )?;
    let link = Link::to(primary.server.address())?;
    follow(&replica, link.port())?;
    let mut control = primary.server.control()?;
    let mut of_replica = replica.server.control()?;
    let stock = Stock::prepare(&Mix::parse(&[WRITE])?, PREPARED, 1, &mut Random::new(1));
    let address = primary.server.address();
    let mut paced = Paced::connect(address, options.connections, stock, options.rate)?;
    paced.rest_between_requests();
    paced.run_for(WARM_UP)?;
    let (full, partial) = syncs(&mut control)?;
    let offset = number(&mut control, "master_repl_offset")?;
    link.cut();
    paced.run_for(options.away)?;
    let away_bytes = number(&mut control, "master_repl_offset")? - offset;
    link.restore();
    paced.run_for(WARM_UP)?;
    wait_until("the replica is back", || {
        Ok(syncs(&mut control)? != (full, partial))
    })?;
    let caught_up_after = catch_up(&mut control, &mut of_replica)?;
    let after = syncs(&mut control)?;
    Ok(Measured {
        label: program.label,
        away_bytes,
        full: after.0 - full,
        partial: after.1 - partial,
        caught_up_after,
    })
}

fn render(measured: &[Measured]) -> String {
    let header = [
        "servers",
        "MB missed",
        "full",
        "partial",
        "caught up after s",
    ];
    let rows: Vec<Vec<String>> = measured
        .iter()
        .map(|row| {
            vec![
                row.label.to_owned(),
                format!("{:.1}", megabytes(row.away_bytes)),
                row.full.to_string(),
                row.partial.to_string(),
                format!("{:.2}", seconds(row.caught_up_after)),
            ]
        })
        .collect();
    table::render(&header, &rows)
}

fn report(row: &Measured) -> Value {
    json!({
        "servers": row.label, "missed_bytes": row.away_bytes, "full": row.full,
        "partial": row.partial, "caught_up_after_seconds": seconds(row.caught_up_after),
    })
}
