//! Fuzzer of the command layer that runs on the stable toolchain.
//!
//! `cargo run --release -p engine --example fuzz_commands -- --seconds 600 --seed 1`; what it checks
//! is in `tests/fuzz/`. A failure prints its case: `--case N` runs that one alone, and
//! `FUZZ_TRACE=1` shows its requests. `--step 4` runs only the cases with the model, with `--first 1`
//! only those of effects, with `--first 2` only chaos.
#![allow(
    clippy::disallowed_methods,
    reason = "a fuzzer runs for a real span of time; its inputs depend on the seed alone"
)]

#[path = "../tests/fuzz/mod.rs"]
mod fuzz;
#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

static CASE: AtomicU64 = AtomicU64::new(0);

fn main() {
    let (mut seconds, mut seed, mut case, mut step, mut first) = (10, 1, None, 1, 0);
    let mut args = std::env::args().skip(1);
    while let Some(option) = args.next() {
        let value: u64 = args
            .next()
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("{option} needs a number"));
        match option.as_str() {
            "--seconds" => seconds = value,
            "--seed" => seed = value,
            "--step" => step = value,
            "--first" => first = value,
            "--case" => case = Some(value),
            _ => panic!("unknown option {option}"),
        }
    }
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        eprintln!("failed in --case {}", CASE.load(Ordering::Relaxed));
        report(info);
    }));
    if let Some(case) = case {
        CASE.store(case, Ordering::Relaxed);
        println!("{} requests", fuzz::run_case(case));
        return;
    }
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let (mut cases, mut requests) = (0, 0);
    while Instant::now() < deadline {
        let case = (seed << 32) + first + cases * step;
        CASE.store(case, Ordering::Relaxed);
        requests += fuzz::run_case(case);
        cases += 1;
    }
    println!("{cases} cases, {requests} requests without a failure, seed {seed}");
}
