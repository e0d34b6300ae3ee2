//! The project's own tasks: `cargo xtask tidy | ci | install`.
//!
//! Everything a contributor or a CI machine runs is here, in Rust, so that there are no scripts to
//! keep portable. No dependencies, so that it builds in a moment on a fresh machine.
//! It knows the layout of the repository and nothing about Redis.
//! Tests are beside each task; `tidy::tests` also runs the checks on this very tree.
#![forbid(unsafe_code)]

mod ci;
mod install;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <task>
  ci                       formatting, lints, release build, all tests; stops at the first failure
  tidy [--bless]           the project's own rules; --bless lowers the long-function ratchet
  install --dir DIR [--profile NAME]
                           build redan and lay links under the names it answers to";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["ci"] => ci::run(&root()),
        ["tidy"] => tidy::run(&root(), false),
        ["tidy", "--bless"] => tidy::run(&root(), true),
        ["install", rest @ ..] => {
            install::Args::parse(rest).and_then(|args| install::run(&root(), &args))
        }
        _ => Err(USAGE.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace, wherever cargo was called from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace root")
        .to_path_buf()
}

/// Where cargo puts the `redan` program of a profile.
///
/// Taken from our own place (`<target>/<profile>/xtask`), which is right for every way of setting
/// the target directory.
fn redan_program(profile: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|e| format!("find own program: {e}"))?;
    let target = own
        .parent()
        .and_then(Path::parent)
        .ok_or_else(|| format!("{}: not in a target directory", own.display()))?;
    let directory = if profile == "dev" { "debug" } else { profile };
    Ok(target.join(directory).join("redan"))
}
