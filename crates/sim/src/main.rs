//! `cargo run -p sim -- --seeds N [--start S] [--replay SEED]`: the simulator from the command line.
//!
//! Seeds that fail are printed with the last lines of their trace; the exit code is 1 if any did.
//! `--replay` prints the whole trace of one seed, whether it fails or not.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use sim::{Report, run_seed};

fn main() -> ExitCode {
    let (mut seeds, mut start, mut replay) = (1000, 0, None);
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let number = args.next().and_then(|text| text.parse().ok());
        match (name.as_str(), number) {
            ("--seeds", Some(number)) => seeds = number,
            ("--start", Some(number)) => start = number,
            ("--replay", Some(number)) => replay = Some(number),
            _ => {
                eprintln!("usage: sim [--seeds N] [--start S] [--replay SEED]");
                return ExitCode::from(2);
            }
        }
    }
    match replay {
        Some(seed) => replay_one(seed),
        None => run_many(start, seeds),
    }
}

fn replay_one(seed: u64) -> ExitCode {
    let mut world = sim::World::new(seed, true);
    let result = world.run();
    for line in world.trace() {
        println!("{line}");
    }
    match result {
        Ok(()) => {
            println!("seed {seed}: {:?}", world.report());
            ExitCode::SUCCESS
        }
        Err(text) => {
            println!("seed {seed} at {} ms: {text}", world.now_ms());
            ExitCode::FAILURE
        }
    }
}

fn run_many(start: u64, seeds: u64) -> ExitCode {
    // A panic is a finding like any other and is printed with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let mut total = Report::default();
    let mut failures = 0;
    for seed in start..start + seeds {
        match run_seed(seed, false) {
            Ok(report) => total.add(&report),
            Err(violation) => {
                failures += 1;
                println!("{violation}\n");
            }
        }
    }
    println!("{seeds} seeds from {start}: {failures} failed; {total:?}");
    if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
