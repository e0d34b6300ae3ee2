//! `bench persist`: what saving, loading and the AOF cost, both servers in one run, against the
//! project's targets.
//!
//! Four parts, each with its figures and its judgements: `save` (a background save under a paced
//! write load), `load` (dumps and AOFs of a gigabyte), `everysec` (throughput with and without
//! AOF), `always` (writers that wait for the disk, and readers beside them). Both servers' data
//! directories lie on the same file system, in directories that disappear with the run.

pub(crate) mod directory;
mod loading;
mod policies;
mod saving;

use crate::arguments::{self, Arguments};
use crate::compare::Pair;
use crate::load_command::ensure_positive;
use crate::parts::{Chosen, Part};
use crate::servers::Server;
use crate::{pinning, process};
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::time::Duration;

const PARTS: &[(&str, Part<Options>)] = &[
    ("save", saving::run),
    ("load", loading::run),
    ("everysec", policies::everysec),
    ("always", policies::always),
];

struct Options {
    pair: Pair,
    key_counts: Vec<u64>,
    /// Writes per second during a save.
    rate: u64,
    /// The size of the data set that is loaded, as a dump.
    megabytes: u64,
    rounds: usize,
    window: Duration,
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
        let keys = arguments
            .text("--keys")?
            .unwrap_or_else(|| "5000000".into());
        let key_counts = arguments::list(&keys).into_iter().map(|text| {
            let count = text.parse().with_context(|| format!("--keys {text}"))?;
            ensure_positive("--keys", count)
        });
        let default_dir = std::env::temp_dir().display().to_string();
        let options = Options {
            pair: Pair::take(&mut arguments)?,
            key_counts: key_counts.collect::<Result<_>>()?,
            rate: ensure_positive("--rate", arguments.value("--rate", 50_000)?)?,
            megabytes: ensure_positive("--megabytes", arguments.value("--megabytes", 1000)?)?,
            rounds: arguments.value("--rounds", 3)?,
            window: arguments::seconds(arguments.value("--seconds", 5.0)?)?,
            connections: arguments.value("--connections", 50)?,
            data_dir: arguments.value("--data-dir", default_dir)?.into(),
        };
        arguments.finish()?;
        ensure!(
            options.rounds > 0 && options.connections > 0,
            "nothing to measure"
        );
        ensure!(
            options.window >= Duration::from_millis(200),
            "a window is too short"
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
        "{} against {}; {}; data in {}; server on core {}, load on core {}; {} rounds. \
         Figures are medians over the rounds.\n",
        versions[0],
        versions[1],
        process::cpu_model(),
        options.data_dir.display(),
        options.pair.ours.cpu,
        options.pair.load_cpu,
        options.rounds
    ))
}
