//! The one executable. `redan server …` picks the program; so does the name it is called by:
//! `redan-server`, `redis-server`, `valkey-server`. The other programs go by such names as well.
//!
//! Programs that later issues bring (cli, sentinel, benchmark, …) are absent, not stubbed: asking
//! for one is a clear error.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: runtime::alloc::Jemalloc = runtime::alloc::Jemalloc;

const USAGE: &str = "usage: redan server [/path/to/redis.conf | -] [--option value ...]\n\
                     \x20      redan check-rdb [--json] FILE\n\
                     \x20      redan check-aof [--json] [--fix | --truncate-to-timestamp SECONDS] FILE|MANIFEST\n\
                     also called as redan-server, redis-server or valkey-server; others alike\n";

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let called_as = args.next().unwrap_or_default();
    let rest: Vec<OsString> = args.collect();
    if let Some(program) = program_by_name(&called_as) {
        return run(program, &rest);
    }
    match rest.first().and_then(|a| a.to_str()) {
        Some("-h" | "--help") => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Some("-v" | "--version") => {
            println!("{}", server::version_line());
            ExitCode::SUCCESS
        }
        Some(program) => run(program, &rest[1..]),
        None => {
            eprint!("{USAGE}");
            ExitCode::FAILURE
        }
    }
}

/// The program a file name stands for: what follows the family's name.
fn program_by_name(called_as: &OsString) -> Option<&'static str> {
    let name = Path::new(called_as).file_name()?.to_str()?;
    let program = ["redan-", "redis-", "valkey-"]
        .iter()
        .find_map(|family| name.strip_prefix(family))?;
    match program {
        "server" => Some("server"),
        "sentinel" => Some("sentinel"),
        "check-rdb" => Some("check-rdb"),
        "check-aof" => Some("check-aof"),
        _ => None,
    }
}

fn run(program: &str, args: &[OsString]) -> ExitCode {
    match program {
        "server" => server::main(args),
        "check-rdb" => check::check_rdb(args),
        "check-aof" => check::check_aof(args),
        other => {
            eprintln!("redan: there is no program '{other}' in this release\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}
