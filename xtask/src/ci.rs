//! `cargo xtask ci`: everything that must hold before a change goes in, in one command.
//!
//! Steps run in order, cheapest first, and the first failure ends the run. Two profiles are built
//! and no more, so that a cold run fits a small machine: `dev` for lints and tests, `release` for
//! the one program that process tests start (they find it through `REDAN_BIN`).
//! The tidy rules are not a step: they are one of the workspace's tests.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

const STEPS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ],
    &["build", "--release", "-p", "redan"],
    &["test", "--workspace"],
];

pub fn run(root: &Path) -> Result<(), String> {
    let redan = crate::redan_program("release")?;
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    for step in STEPS {
        let name = format!("cargo {}", step.join(" "));
        eprintln!("ci: {name}");
        let start = Instant::now();
        let status = Command::new(&cargo)
            .args(*step)
            .current_dir(root)
            .env("REDAN_BIN", &redan)
            .status()
            .map_err(|e| format!("ci: start `{name}`: {e}"))?;
        if !status.success() {
            return Err(format!("ci: FAILED at `{name}` ({status})"));
        }
        eprintln!("ci: passed in {} s", start.elapsed().as_secs());
    }
    eprintln!("ci: all {} steps passed", STEPS.len());
    Ok(())
}
