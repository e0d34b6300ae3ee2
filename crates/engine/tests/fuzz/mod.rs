//! A fuzzer of the command layer: a real engine, many sessions, random requests.
//!
//! Three kinds of cases, each decided by its seed alone. [`chaos`]: every command of the table, valid
//! and malformed, on several sessions at once; no panic, every reply decodes, one reply per request,
//! the engine's books balance. [`model`]: a subset on one session, each reply compared with a plain
//! model's. [`effects`]: what commands say they did, replayed, gives the same data. A failure names
//! its case; `--case` of `examples/fuzz_commands.rs` runs it alone.
//!
//! Used by `tests/fuzzed_commands.rs` (a few cases) and the example (for as long as asked).
#![allow(dead_code, reason = "the test and the example use their own parts")]

pub mod chaos;
pub mod effects;
pub mod model;
mod payloads;
pub mod requests;

/// splitmix64: small, and the same everywhere.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// Runs one case; returns how many requests it was.
pub fn run_case(seed: u64) -> u64 {
    match seed % 4 {
        0 => model::run(seed),
        1 => effects::run(seed),
        _ => chaos::run(seed),
    }
}

pub fn wire(request: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for arg in request {
        bytes.extend(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend(arg);
        bytes.extend(b"\r\n");
    }
    bytes
}

pub fn words(text: &str) -> Vec<Vec<u8>> {
    text.split_whitespace()
        .map(|word| word.as_bytes().to_vec())
        .collect()
}
