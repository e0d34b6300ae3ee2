//! `bench replication`: what a copy costs, both pairs of servers in one run, against the project's
//! targets.
//!
//! Three parts: `sync` (a full copy of a gigabyte: its time, and the primary's memory under a paced
//! load), `stream` (processor time of primary and replica together per SET, and how far the replica
//! lags), `cutoff` (a replica whose link is away for ten seconds under load).
//!
//! A primary has the server's core for itself; its replica and the load share the other. So does
//! the other pair, at another time. Everything runs at its defaults, but for
//! `repl-diskless-sync-delay 0`, which otherwise would be five seconds of waiting on both sides.

mod cutoff;
mod link;
mod pair;
mod stream;
mod sync;

use crate::arguments::{self, Arguments};
use crate::compare::Pair;
use crate::load_command::ensure_positive;
use crate::parts::{Chosen, Part};
use crate::servers::Server;
use crate::{pinning, process};
use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::time::Duration;

const PARTS: &[(&str, Part<Options>)] = &[
    ("sync", sync::run),
    ("stream", stream::run),
    ("cutoff", cutoff::run),
];

struct Options {
    pair: Pair,
    /// Of 200 bytes each, in a full copy.
    keys: u64,
    /// Writes per second of a paced load.
    rate: u64,
    rounds: usize,
    window: Duration,
    /// How long a replica is cut off.
    away: Duration,
    connections: usize,
    data_dir: PathBuf,
}

/// Runs the chosen parts; true if every target was met.
pub fn run(mut arguments: Arguments) -> Result<bool> {
    let chosen = Chosen::take(&mut arguments)?;
    let options = Options::take(arguments)?;
    pinning::pin_to(options.pair.load_cpu)?;
    println!("{}", heading(&options)?);
    chosen.run(PARTS, &options)
}

impl Options {
    fn take(mut arguments: Arguments) -> Result<Options> {
        let default_dir = std::env::temp_dir().display().to_string();
        let options = Options {
            pair: Pair::take(&mut arguments)?,
            keys: ensure_positive("--keys", arguments.value("--keys", 5_000_000)?)?,
            rate: ensure_positive("--rate", arguments.value("--rate", 20_000)?)?,
            rounds: arguments.value("--rounds", 3)?,
            window: arguments::seconds(arguments.value("--seconds", 5.0)?)?,
            away: arguments::seconds(arguments.value("--away-seconds", 10.0)?)?,
            connections: arguments.value("--connections", 50)?,
            data_dir: arguments.value("--data-dir", default_dir)?.into(),
        };
        arguments.finish()?;
        ensure!(
            options.rounds > 0 && options.connections > 0,
            "nothing to measure"
        );
        ensure!(
            options.window >= Duration::from_secs(1),
            "a window of less than a second says nothing about processor time"
        );
        Ok(options)
    }
}

fn heading(options: &Options) -> Result<String> {
    let mut versions = Vec::new();
    for program in options.pair.programs() {
        versions.push(Server::start(program, &[])?.version()?);
    }
    Ok(format!(
        "{} against {}; {}; primary on core {}, replica and load on core {}; {} rounds. Figures are \
         medians over the rounds.\n",
        versions[0],
        versions[1],
        process::cpu_model(),
        options.pair.ours.cpu,
        options.pair.load_cpu,
        options.rounds
    ))
}
