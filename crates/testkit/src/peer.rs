//! Other people's programs that tests compare us with or talk to: redis-server, redis-cli, python.
//!
//! On a developer's machine a missing peer skips the test with a note. Where
//! `REDAN_REQUIRE_PEERS` is set (CI does) it fails the test instead, so nothing is skipped
//! unseen. The redan program itself is always required.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A peer from `PATH`, if it is there and is not a link to ourselves.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file() && !is_redan(candidate));
    found.or_else(|| missing(name))
}

/// A Python that can import redis-py: `REDAN_PYTHON`, else `python3`.
pub fn python_with_redis() -> Option<PathBuf> {
    let python = std::env::var_os("REDAN_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let imported = Command::new(&python)
        .args(["-c", "import redis"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match imported {
        Ok(status) if status.success() => Some(python),
        _ => missing("python3 with the redis package"),
    }
}

/// The program under test: `REDAN_BIN`, else the most recently built one in our target directory.
pub fn redan() -> PathBuf {
    if let Some(named) = std::env::var_os("REDAN_BIN") {
        let path = PathBuf::from(named);
        assert!(path.is_file(), "REDAN_BIN={} is no program", path.display());
        return path;
    }
    let own = std::env::current_exe().expect("a test program knows its own path");
    // <target>/<profile>/deps/<test>
    let target = own
        .ancestors()
        .nth(3)
        .expect("test programs lie in a target directory");
    let built = ["debug", "quick", "release"].map(|profile| target.join(profile).join("redan"));
    let newest = built
        .iter()
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .max_by_key(|(modified, _)| *modified);
    match newest {
        Some((_, path)) => path.clone(),
        None => panic!(
            "there is no redan program in {}: build it (cargo build --release -p redan) or set REDAN_BIN",
            target.display()
        ),
    }
}

fn is_redan(program: &Path) -> bool {
    program
        .canonicalize()
        .is_ok_and(|real| real.file_name().is_some_and(|name| name == "redan"))
}

fn missing(what: &str) -> Option<PathBuf> {
    let required = std::env::var_os("REDAN_REQUIRE_PEERS").is_some();
    assert!(
        !required,
        "{what} is missing and REDAN_REQUIRE_PEERS is set"
    );
    eprintln!("skipped: {what} is missing");
    None
}
