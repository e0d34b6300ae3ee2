//! How fast servers load: a gigabyte of mixed types, as a dump and as an AOF of commands.
//!
//! Each server is filled alike and writes its own files; ours also loads theirs, so that what is
//! compared is reading and not only the format. The time is from the start of the process to the
//! first answer that is no LOADING, less what an empty server takes. Files come from the page
//! cache, for both.

use super::Options;
use super::directory::{DataDirectory, key_count, switch_aof_on, total_bytes};
use crate::compare::send_once;
use crate::parts::{Findings, Judgement, megabytes, seconds};
use crate::servers::{Program, Server};
use crate::table::{self, median};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;

const SPEED_AT_LEAST: f64 = 1.5;
const LIMIT: Duration = Duration::from_secs(600);
/// What one command of the mix adds to a dump, on the average.
const DUMP_BYTES_PER_COMMAND: u64 = 131;

/// Numbers of twenty digits hardly compress, so a dump is as large as its data.
const MIX: &[&str] = &[
    "SET key:{seq:12} {rand:0-9999999999999999999:20}{rand:0-9999999999999999999:20}",
    "SET key:{seq:12} {rand:0-9999999999999999999:20}{rand:0-9999999999999999999:20}",
    "SET key:{seq:12} {rand:0-9999999999999999999:20}{rand:0-9999999999999999999:20} EX 360000",
    "HSET hash:{seq:12} f0 {rand:0-9999999999999999999:20} f1 {rand:0-9999999999999999999:20} \
     f2 {rand:0-9999999999999999999:20} f3 {rand:0-9999999999999999999:20} \
     f4 {rand:0-9999999999999999999:20} f5 {rand:0-9999999999999999999:20} \
     f6 {rand:0-9999999999999999999:20} f7 {rand:0-9999999999999999999:20}",
    "SADD set:{seq:12} m{rand:0-9999999999999999999:20} m{rand:0-9999999999999999999:20} \
     m{rand:0-9999999999999999999:20} m{rand:0-9999999999999999999:20} \
     m{rand:0-9999999999999999999:20} m{rand:0-9999999999999999999:20}",
    "SADD ints:{seq:12} {rand:1-99999} {rand:1-99999} {rand:1-99999} {rand:1-99999} \
     {rand:1-99999} {rand:1-99999} {rand:1-99999} {rand:1-99999}",
    "ZADD zset:{seq:12} {rand:1-99999} m{rand:0-9999999999999999999:20} \
     {rand:1-99999} m{rand:0-9999999999999999999:20} {rand:1-99999} m{rand:0-9999999999999999999:20} \
     {rand:1-99999} m{rand:0-9999999999999999999:20} {rand:1-99999} m{rand:0-9999999999999999999:20}",
    "RPUSH list:{seq:12} {rand:0-9999999999999999999:20} {rand:0-9999999999999999999:20} \
     {rand:0-9999999999999999999:20} {rand:0-9999999999999999999:20} \
     {rand:0-9999999999999999999:20} {rand:0-9999999999999999999:20}",
    "HSET big:hash:{rand:0-9} field:{seq:12} {rand:0-9999999999999999999:20}",
    "ZADD big:zset:{rand:0-9} {rand:1-99999} member:{seq:12}",
];

/// A server's files and what is in them.
struct Files {
    written_by: &'static str,
    dump: DataDirectory,
    dump_bytes: u64,
    aof: DataDirectory,
    aof_bytes: u64,
    keys: i64,
}

/// The times of one server on one kind of files.
struct Measured {
    server: &'static str,
    kind: &'static str,
    written_by: &'static str,
    bytes: u64,
    times: Vec<Duration>,
    empty: Duration,
}

impl Measured {
    fn seconds(&self) -> f64 {
        median(
            self.times
                .iter()
                .map(|time| seconds(time.saturating_sub(self.empty))),
        )
    }
}

pub fn run(options: &Options) -> Result<Findings> {
    let [ours, theirs] = options.pair.programs();
    let our_files = prepare(options, ours)?;
    let their_files = prepare(options, theirs)?;
    let empty = [empty_start(options, ours)?, empty_start(options, theirs)?];
    let mut measured = Vec::new();
    for kind in ["RDB", "AOF"] {
        for (program, files, empty) in [
            (ours, &our_files, empty[0]),
            (ours, &their_files, empty[0]),
            (theirs, &their_files, empty[1]),
        ] {
            measured.push(Measured {
                server: program.label,
                kind,
                written_by: files.written_by,
                bytes: if kind == "RDB" {
                    files.dump_bytes
                } else {
                    files.aof_bytes
                },
                times: Vec::new(),
                empty,
            });
        }
    }
    for _ in 0..options.rounds {
        for row in &mut measured {
            let program = if row.server == ours.label {
                ours
            } else {
                theirs
            };
            let files = if row.written_by == ours.label {
                &our_files
            } else {
                &their_files
            };
            let time = load(program, row.kind, files).with_context(|| {
                format!(
                    "{} loads the {} of {}",
                    row.server, row.kind, row.written_by
                )
            })?;
            eprintln!(
                "{}: {} of {} in {:.2} s",
                row.server,
                row.kind,
                row.written_by,
                seconds(time)
            );
            row.times.push(time);
        }
    }
    Ok(Findings {
        text: format!(
            "Loading {} keys of mixed types.\n\n{}",
            our_files.keys,
            render(&measured)
        ),
        judgements: judge(&measured),
        json: measured.iter().map(report).collect(),
    })
}

/// Fills a server and has it write a dump and an AOF of commands, each into its own directory.
fn prepare(options: &Options, program: &Program) -> Result<Files> {
    eprintln!(
        "{}: filling {} MB of mixed types",
        program.label, options.megabytes
    );
    let create =
        |kind: &str| DataDirectory::create(&options.data_dir, &format!("{}-{kind}", program.label));
    let (dump, aof) = (create("dump")?, create("aof")?);
    let arguments = ["--dir", &dump.text(), "--aof-use-rdb-preamble", "no"];
    let server = Server::start(program, &arguments)?;
    let commands = options.megabytes * 1_000_000 / DUMP_BYTES_PER_COMMAND;
    send_once(&server, MIX, commands, 10, 64)?;
    let mut control = server.control()?;
    super::directory::background_save(&mut control)?;
    switch_aof_on(&mut control)?;
    let keys = key_count(&mut control)?;
    drop(server);
    let name = "appendonlydir";
    std::fs::rename(dump.path().join(name), aof.path().join(name)).context("move the AOF")?;
    Ok(Files {
        written_by: program.label,
        dump_bytes: std::fs::metadata(dump.path().join("dump.rdb"))?.len(),
        aof_bytes: total_bytes(aof.path())?,
        dump,
        aof,
        keys,
    })
}

fn load(program: &Program, kind: &str, files: &Files) -> Result<Duration> {
    let (directory, appendonly) = match kind {
        "RDB" => (&files.dump, "no"),
        _ => (&files.aof, "yes"),
    };
    let arguments = ["--dir", &directory.text(), "--appendonly", appendonly];
    let server = Server::start_within(program, &arguments, LIMIT)?;
    let keys = key_count(&mut server.control()?)?;
    ensure!(
        keys == files.keys,
        "{keys} of {} keys are there",
        files.keys
    );
    Ok(server.start_time())
}

/// The quickest of a few starts without data.
fn empty_start(options: &Options, program: &Program) -> Result<Duration> {
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let directory = DataDirectory::create(&options.data_dir, "empty")?;
        let server = Server::start(program, &["--dir", &directory.text()])?;
        quickest = quickest.min(server.start_time());
    }
    Ok(quickest)
}

/// For each kind: everybody on their own files, and both on theirs.
fn judge(measured: &[Measured]) -> Vec<Judgement> {
    let rows = measured.chunks_exact(3);
    let pairs = rows.flat_map(|rows| {
        let [own, same, theirs] = rows else {
            return Vec::new();
        };
        let speed = |row: &Measured| theirs.seconds() / row.seconds();
        vec![
            Judgement::at_least(
                format!("load {}: speed, ours ÷ theirs, each its own file", own.kind),
                speed(own),
                SPEED_AT_LEAST,
            ),
            Judgement::at_least(
                format!(
                    "load {}: speed, ours ÷ theirs, both the same file",
                    own.kind
                ),
                speed(same),
                SPEED_AT_LEAST,
            ),
        ]
    });
    pairs.collect()
}

fn render(measured: &[Measured]) -> String {
    let rows: Vec<Vec<String>> = measured
        .iter()
        .map(|row| {
            vec![
                format!("{} of {}", row.kind, row.written_by),
                row.server.to_owned(),
                format!("{:.0}", megabytes(row.bytes)),
                format!("{:.2}", row.seconds()),
                format!("{:.0}", megabytes(row.bytes) / row.seconds()),
                format!("{:.0}", 1e3 * seconds(row.empty)),
            ]
        })
        .collect();
    let header = ["file", "loaded by", "MB", "s", "MB/s", "empty start ms"];
    table::render(&header, &rows)
}

fn report(row: &Measured) -> Value {
    let times: Vec<f64> = row.times.iter().copied().map(seconds).collect();
    json!({
        "server": row.server, "kind": row.kind, "written_by": row.written_by, "bytes": row.bytes,
        "seconds_with_start": times, "empty_start_seconds": seconds(row.empty),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Mix;

    #[test]
    fn the_mix_can_be_rendered() {
        assert!(Mix::parse(MIX).is_ok());
    }

    #[test]
    fn speeds_are_compared_without_the_empty_start() {
        let row = |server, written_by, time_ms| Measured {
            server,
            kind: "RDB",
            written_by,
            bytes: 1_000_000,
            times: vec![Duration::from_millis(time_ms)],
            empty: Duration::from_millis(10),
        };
        let judged = judge(&[
            row("ours", "ours", 110),
            row("ours", "theirs", 210),
            row("theirs", "theirs", 210),
        ]);
        assert_eq!(judged.len(), 2);
        assert!(judged[0].passes() && (judged[0].measured - 2.0).abs() < 1e-9);
        assert!(!judged[1].passes());
    }
}
