//! Measurements in several parts, each with its figures and its judgements: choosing them, running
//! them, and the table of targets at the end.

use crate::arguments::{self, Arguments};
use crate::table;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::time::Duration;

/// A part is given what was asked for on the command line.
pub type Part<Options> = fn(&Options) -> Result<Findings>;

/// What one part found.
pub struct Findings {
    /// Markdown: a heading line and tables.
    pub text: String,
    pub judgements: Vec<Judgement>,
    pub json: Value,
}

/// A target and what was measured.
pub struct Judgement {
    what: String,
    pub measured: f64,
    at_least: bool,
    target: f64,
}

impl Judgement {
    pub fn at_least(what: impl Into<String>, measured: f64, target: f64) -> Judgement {
        Judgement {
            what: what.into(),
            measured,
            at_least: true,
            target,
        }
    }

    pub fn at_most(what: impl Into<String>, measured: f64, target: f64) -> Judgement {
        Judgement {
            at_least: false,
            ..Judgement::at_least(what, measured, target)
        }
    }

    pub fn passes(&self) -> bool {
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

/// What `--only` and `--json` say.
pub struct Chosen {
    only: Option<Vec<String>>,
    json_path: Option<String>,
}

impl Chosen {
    pub fn take(arguments: &mut Arguments) -> Result<Chosen> {
        Ok(Chosen {
            only: arguments.text("--only")?.map(|text| arguments::list(&text)),
            json_path: arguments.text("--json")?,
        })
    }

    /// Runs the chosen ones of the parts; true if every target was met.
    pub fn run<Options>(
        self,
        parts: &[(&'static str, Part<Options>)],
        options: &Options,
    ) -> Result<bool> {
        let mut judgements = Vec::new();
        let mut json_parts = Vec::new();
        for (name, part) in self.choose(parts)? {
            let findings = part(options).with_context(|| format!("part {name}"))?;
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
        if let Some(path) = self.json_path {
            let all: Vec<Value> = judgements.iter().map(Judgement::json).collect();
            let report = json!({ "parts": json_parts, "targets": all });
            let text = serde_json::to_string_pretty(&report)?;
            std::fs::write(&path, text + "\n").with_context(|| format!("write {path}"))?;
        }
        Ok(missed == 0)
    }

    fn choose<Options>(
        &self,
        parts: &[(&'static str, Part<Options>)],
    ) -> Result<Vec<(&'static str, Part<Options>)>> {
        let only = self.only.as_deref();
        for name in only.unwrap_or_default() {
            if !parts.iter().any(|(known, _)| known == name) {
                let known: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
                bail!("no part {name:?}; there are {}", known.join(", "));
            }
        }
        let is_chosen =
            |name: &str| only.is_none_or(|names| names.iter().any(|chosen| chosen == name));
        Ok(parts
            .iter()
            .copied()
            .filter(|(name, _)| is_chosen(name))
            .collect())
    }
}

pub fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

pub fn megabytes(bytes: u64) -> f64 {
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
        let nothing: Part<()> = |()| bail!("not to be run");
        let parts = [("save", nothing), ("load", nothing)];
        let choose = |only: Option<&[&str]>| {
            let chosen = Chosen {
                only: only.map(|names| names.iter().map(|name| name.to_string()).collect()),
                json_path: None,
            };
            let chosen = chosen.choose(&parts)?;
            Ok::<_, anyhow::Error>(chosen.iter().map(|(name, _)| *name).collect::<Vec<_>>())
        };
        assert_eq!(choose(None).unwrap(), ["save", "load"]);
        assert_eq!(choose(Some(&["load"])).unwrap(), ["load"]);
        assert!(choose(Some(&["what"])).is_err());
    }
}
