//! `bench`: picks the measuring program. What each does is in its module; README.md shows how to
//! run them.
//!
//! Exit status: 0 all targets met, 1 a target missed, 2 the run failed.

#![forbid(unsafe_code)]

use anyhow::{Result, bail};
use bench::arguments::Arguments;
use bench::{compare, fill, interrupt, load_command, memory, persist, pinning, replication, rows};
use std::process::ExitCode;

const USAGE: &str = "\
usage: bench COMMAND [options]

  compare     both servers on every row of the table of targets
              [--only ROW,...] [--seconds 2] [--rounds 3] [--connections 50] [--prepared 1000000]
              [--seed 1] [--json FILE]
  memory      resident bytes per key, per small collection, and of idle clients
              [--only ROW,...] [--keys 1000000] [--clients 10000] [--json FILE]
  fill        how long an external client waits while a server grows to many keys
              [--keys 10000000] [--pipeline 16] [--connections 50] [--quiet-seconds 10]
              [--json FILE]
  persist     saving under load, loading, the cost of the AOF: against the table of targets
              [--only save,load,everysec,always] [--keys 5000000,...] [--rate 50000]
              [--megabytes 1000] [--rounds 3] [--seconds 5] [--connections 50]
              [--data-dir /tmp] [--json FILE]
  replication a full copy, the cost of the stream, a cut link: against the table of targets
              [--only sync,stream,cutoff] [--keys 5000000] [--rate 20000] [--rounds 3]
              [--seconds 5] [--away-seconds 10] [--connections 50] [--data-dir /tmp] [--json FILE]
              PORT+2 and PORT+3 are used as well
  those five also take
              [--ours 'PROGRAM ARGS'] [--theirs redis-server] [--port 17130] [--server-cpu 0]
              [--load-cpu 1] [--nice N, for both sides; below 0 needs privileges]; PORT and
              PORT+1 are used
  load        drive a running server: --row NAME, or -- COMMAND WORDS
              [--host 127.0.0.1] [--port 6379] [--connections 50] [--pipeline 1] [--seconds 5]
              [--requests N] [--once] [--latency] [--allow-errors] [--prepared 1000000]
              [--seed 1] [--cpu N] [--pid SERVER]
              words may contain {rand:LOW-HIGH:WIDTH}, {seq:WIDTH}, {fill:BYTES}
  responder   a server that only answers +OK [--port 17139] [--cpu N]
  calibrate   the load generator against that responder
              [--seconds 2] [--port 17139] [--server-cpu 0] [--load-cpu 1]
  rows        list the rows of compare
";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool> {
    interrupt::install()?;
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_else(|| "help".into());
    let mut arguments = Arguments::new(words.collect());
    // Held until the end: dropping it gives the session its own priority back.
    let _priority = arguments
        .optional("--nice")?
        .map(pinning::set_nice)
        .transpose()?;
    match command.as_str() {
        "compare" => return compare::run(arguments),
        "memory" => return memory::run(arguments),
        "fill" => return fill::run(arguments),
        "persist" => return persist::run(arguments),
        "replication" => return replication::run(arguments),
        "load" => load_command::load(arguments)?,
        "responder" => load_command::responder(arguments)?,
        "calibrate" => load_command::calibrate(arguments)?,
        "rows" => list_rows(),
        "help" | "--help" | "-h" => print!("{USAGE}"),
        other => bail!("unknown command {other:?}\n{USAGE}"),
    }
    Ok(true)
}

fn list_rows() {
    for row in rows::ROWS {
        println!(
            "{:<15} P={:<3} {} ({})",
            row.name, row.pipeline, row.command, row.dataset.name
        );
    }
}
