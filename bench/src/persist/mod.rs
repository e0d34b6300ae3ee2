//! `bench persist`: what saving, loading and the AOF cost, both servers in one run, against the
//! project's targets.
//!
//! Four parts, each with its figures and its judgements: `save` (a background save under a paced
//! write load), `load` (dumps and AOFs of a gigabyte), `everysec` (throughput with and without
//! AOF), `always` (writers that wait for the disk, and readers beside them). Both servers' data
//! directories lie on the same file system, in directories that disappear with the run.

mod directory;
mod loading;
mod policies;
mod saving;

use crate::arguments::{self, Arguments};
use crate::compare::Pair;
use crate::load_command::ensure_positive;
use crate::servers::Server;
use crate::{pinning, process, table};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

type Part = fn(&Options) -> Result<Findings>;

const PARTS: &[(&str, Part)] = &[
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

/// What one part found.
struct Findings {
    /// Markdown: a heading line and tables.
    text: String,
    judgements: Vec<Judgement>,
    json: Value,
}

/// A target and what was measured.
struct Judgement {
    what: String,
    measured: f64,
    at_least: bool,
    target: f64,
}

impl Judgement {
    fn at_least(what: impl Into<String>, measured: f64, target: f64) -> Judgement {
        Judgement {
            what: what.into(),
            measured,
            at_least: true,
            target,
        }
    }

    fn at_most(what: impl Into<String>, measured: f64, target: f64) -> Judgement {
        Judgement {
            at_least: false,
            ..Judgement::at_least(what, measured, target)
        }
    }

    fn passes(&self) -> bool {
        match self.at_least {
            true => self.measured >= self.target,
            false => self.measured <= self.target,
        }
    }

    fn cells(&self) -> Vec<String> {
        let sign = if self.at_least { ">=" } else { "<=" };
        vec![
            self.what.clone(),
            format!("{:.3}", self.measured),
            format!("{sign} {}", self.target),
            if self.passes() { "PASS" } else { "FAIL" }.to_owned(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "target": self.what, "measured": self.measured, "at_least": self.at_least,
            "limit": self.target, "passes": self.passes(),
        })
    }
}

/// Runs the chosen parts; true if every target was met.
pub fn run(mut arguments: Arguments) -> Result<bool> {
    let only = arguments.text("--only")?.map(|text| arguments::list(&text));
    let json_path = arguments.text("--json")?;
    let options = Options::take(arguments)?;
    let chosen = chosen_parts(only.as_deref())?;
    pinning::pin_to(options.pair.load_cpu)?;
    let mut judgements = Vec::new();
    let mut json_parts = Vec::new();
    println!("{}", heading(&options)?);
    for (name, part) in chosen {
        let findings = part(&options).with_context(|| format!("part {name}"))?;
        println!("{}", findings.text);
        json_parts.push(json!({ "part": name, "found": findings.json }));
        judgements.extend(findings.judgements);
    }
    let rows: Vec<Vec<String>> = judgements.iter().map(Judgement::cells).collect();
    println!(
        "{}",
        table::render(&["target", "measured", "limit", "result"], &rows)
    );
    let missed = judgements
        .iter()
        .filter(|judgement| !judgement.passes())
        .count();
    println!(
        "{} of {} targets are met.",
        judgements.len() - missed,
        judgements.len()
    );
    if let Some(path) = json_path {
        let all: Vec<Value> = judgements.iter().map(Judgement::json).collect();
        let report = json!({ "parts": json_parts, "targets": all });
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&path, text + "\n").with_context(|| format!("write {path}"))?;
    }
    Ok(missed == 0)
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

fn chosen_parts(only: Option<&[String]>) -> Result<Vec<(&'static str, Part)>> {
    for name in only.unwrap_or_default() {
        if !PARTS.iter().any(|(known, _)| known == name) {
            let known: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
            bail!("no part {name:?}; there are {}", known.join(", "));
        }
    }
    let chosen = |name: &str| only.is_none_or(|names| names.iter().any(|chosen| chosen == name));
    Ok(PARTS
        .iter()
        .copied()
        .filter(|(name, _)| chosen(name))
        .collect())
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

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judgements_compare_in_their_direction() {
        assert!(Judgement::at_least("speed", 1.5, 1.5).passes());
        assert!(!Judgement::at_least("speed", 1.4, 1.5).passes());
        assert!(Judgement::at_most("memory", 1.0, 1.1).passes());
        assert!(!Judgement::at_most("memory", f64::NAN, 1.1).passes());
        assert_eq!(
            Judgement::at_most("memory", 1.8, 1.1).cells(),
            ["memory", "1.800", "<= 1.1", "FAIL"]
        );
    }

    #[test]
    fn parts_are_chosen_by_name() {
        assert_eq!(chosen_parts(None).unwrap().len(), PARTS.len());
        let chosen = chosen_parts(Some(&["load".to_owned()])).unwrap();
        assert_eq!(chosen[0].0, "load");
        assert!(chosen_parts(Some(&["what".to_owned()])).is_err());
    }
}
