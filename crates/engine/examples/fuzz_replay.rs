//! Mutation fuzzing of what an append-only file makes an engine do.
//!
//! `cargo run --release -p engine --example fuzz_replay -- --seconds 600 --seed 1`. Each round writes
//! a file of random commands of the whole table, valid and malformed, with transactions and
//! annotations, damages it, and executes it in two engines: whole, and in pieces of random sizes. Both
//! must come to the same data, the same end and the same error at the same place; what is said to be
//! valid must give the same data when the file is cut there; nothing may show outside, and no session
//! may be left. A failure prints its round: `--round N` runs that one alone.
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

use engine::ReplayFailure;
use fuzz::requests::{Manner, Requests};
use fuzz::{Random, wire};
use support::{World, contents};

const NOW_MS: i64 = 1_700_000_000_000;

static ROUND: AtomicU64 = AtomicU64::new(0);

fn main() {
    let (mut seconds, mut seed, mut only) = (10, 1, None);
    let mut args = std::env::args().skip(1);
    while let Some(option) = args.next() {
        let value: u64 = args
            .next()
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("{option} needs a number"));
        match option.as_str() {
            "--seconds" => seconds = value,
            "--seed" => seed = value,
            "--round" => only = Some(value),
            _ => panic!("unknown option {option}"),
        }
    }
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        eprintln!("failed in --round {}", ROUND.load(Ordering::Relaxed));
        report(info);
    }));
    let requests = Requests::new();
    let mut totals = Totals::default();
    if let Some(round) = only {
        ROUND.store(round, Ordering::Relaxed);
        run(round, &requests, &mut totals);
        println!("{totals:?}");
        return;
    }
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < deadline {
        let round = (seed << 32) + totals.rounds;
        ROUND.store(round, Ordering::Relaxed);
        run(round, &requests, &mut totals);
    }
    println!("no failure, seed {seed}: {totals:?}");
}

#[derive(Debug, Default)]
struct Totals {
    rounds: u64,
    commands: u64,
    bytes: u64,
    refused: u64,
    torn: u64,
}

/// What became of a file.
#[derive(Debug, PartialEq)]
struct Outcome {
    failure: Option<ReplayFailure>,
    consumed: u64,
    valid_up_to: u64,
    commands: u64,
    is_torn: bool,
    contents: Vec<(u32, Vec<u8>, Option<i64>, String)>,
}

fn run(round: u64, requests: &Requests, totals: &mut Totals) {
    let mut random = Random(round);
    let bytes = file(&mut random, requests);
    let whole = play(&bytes, &[bytes.len()]);
    let mut pieces = Vec::new();
    let mut left = bytes.len();
    while left > 0 {
        let piece = 1 + random.below(left.min(4000));
        pieces.push(piece);
        left -= piece;
    }
    let in_pieces = play(&bytes, &pieces);
    assert_eq!(whole, in_pieces);
    assert!(whole.valid_up_to <= whole.consumed && whole.consumed <= bytes.len() as u64);

    // What a node does with a file that ends too early.
    let kept = &bytes[..whole.valid_up_to as usize];
    let cut = play(kept, &[kept.len()]);
    assert_eq!(cut.failure, None);
    assert!(!cut.is_torn, "what is valid is whole");
    assert_eq!(cut.contents, whole.contents);

    totals.rounds += 1;
    totals.commands += whole.commands;
    totals.bytes += bytes.len() as u64;
    totals.refused += u64::from(whole.failure.is_some());
    totals.torn += u64::from(whole.is_torn);
}

fn play(bytes: &[u8], pieces: &[usize]) -> Outcome {
    let mut world = World::with(|config| {
        config.enable_debug_command = config::ProtectedAction::Yes;
        config.proto_max_bulk_len = 1 << 20;
    });
    let mut replay = world.engine.begin_replay();
    let (mut held, mut at, mut failure) = (Vec::new(), 0, None);
    for piece in pieces {
        held.extend_from_slice(&bytes[at..at + piece]);
        at += piece;
        let World { engine, host, .. } = &mut world;
        match engine.replay_bytes(&mut replay, &held, host) {
            Ok(replayed) => drop(held.drain(..replayed.consumed)),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    assert_eq!(world.engine.sessions.len(), 0, "no session is left");
    assert_eq!(world.engine.keyspace.journal.dirty, 0);
    assert_eq!(
        world.host.asked,
        Vec::<String>::new(),
        "nothing shows outside"
    );
    Outcome {
        is_torn: failure.is_none() && (!held.is_empty() || replay.in_transaction()),
        failure,
        consumed: replay.consumed(),
        valid_up_to: replay.valid_up_to(),
        commands: replay.commands(),
        contents: contents(&mut world),
    }
}

fn file(random: &mut Random, requests: &Requests) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(60) {
        match random.below(30) {
            0 => bytes.extend(b"#TS:1700000000\r\n"),
            1 => bytes.extend(wire(&fuzz::words("SELECT 3"))),
            _ => {
                let args = requests.any(random, Manner::Free, NOW_MS).args;
                // What no file has ends the load; so it is rare.
                if is_whole(&args) || random.one_in(60) {
                    bytes.extend(wire(&args));
                }
            }
        }
    }
    for _ in 0..random.below(4).saturating_sub(1) {
        damage(&mut bytes, random);
    }
    bytes
}

/// Whether it is a known command with a fitting number of arguments.
fn is_whole(args: &[Vec<u8>]) -> bool {
    let Some(id) = args.first().and_then(|name| commands::lookup(name)) else {
        return false;
    };
    let id = match args.get(1) {
        Some(name) if id.spec().is_container() => commands::lookup_sub(id, name),
        _ => Some(id),
    };
    id.is_some_and(|id| id.accepts_count(args.len()))
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len().max(1));
    match random.below(5) {
        _ if bytes.is_empty() => {}
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes.truncate(at),
        2 => bytes.insert(at, *random.pick(b"*$#:\r\n-0129 MEX\0\xff")),
        3 => drop(bytes.drain(at..(at + random.below(20)).min(bytes.len()))),
        _ => {
            let copy = bytes[at..(at + random.below(40)).min(bytes.len())].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, copy);
        }
    }
}
