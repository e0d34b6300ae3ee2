//! Mutation fuzzing of listpacks and intsets on stable Rust: bytes from outside are refused or work.
//!
//! `cargo run --release -p structures --example fuzz_listpack -- --seconds 60 --seed 1`
//!
//! Each round builds a valid listpack (or intset) from random elements, damages its blob (bytes set,
//! flipped, cut out, doubled; half of the time with the header mended, so that the damage reaches the
//! inner checks), and offers it to `from_blob`. What is accepted must behave like the `Vec` of the
//! elements it claims to hold through random operations, and must validate again afterwards. A
//! failure panics with the seed of its round; `--seed <that> --rounds 1` replays it.

#![allow(clippy::disallowed_methods, reason = "a fuzzer runs against the clock")]

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use structures::intset::Intset;
use structures::listpack::Listpack;

/// The seed of the present round, for the panic hook (release builds abort, so nothing unwinds).
static SEED: AtomicU64 = AtomicU64::new(0);

/// SplitMix64: small, and any seed is good.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn int(&mut self) -> i64 {
        let shift = self.below(64);
        self.next() as i64 >> shift
    }

    fn element(&mut self) -> Vec<u8> {
        match self.below(8) {
            0..3 => self.int().to_string().into_bytes(),
            3..6 => (0..self.below(12)).map(|_| self.next() as u8).collect(),
            6 => vec![self.next() as u8; self.below(200)],
            _ => vec![b'x'; [62, 63, 64, 126, 127, 4093, 4096, 16376, 16380][self.below(9)]],
        }
    }

    fn elements(&mut self, most: usize) -> Vec<Vec<u8>> {
        (0..self.below(most + 1)).map(|_| self.element()).collect()
    }
}

struct Args {
    seconds: u64,
    rounds: u64,
    seed: u64,
}

fn parse_args(args: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut parsed = Args {
        seconds: 10,
        rounds: u64::MAX,
        seed: 1,
    };
    let mut args = args;
    while let Some(name) = args.next() {
        let value = args.next().ok_or(format!("{name} needs a value"))?;
        let number = value
            .parse()
            .map_err(|_| format!("{name}: {value:?} is not a number"))?;
        match name.as_str() {
            "--seconds" => parsed.seconds = number,
            "--rounds" => parsed.rounds = number,
            "--seed" => parsed.seed = number,
            _ => {
                return Err(format!(
                    "unknown option {name}; use --seconds, --rounds, --seed"
                ));
            }
        }
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    let args = match parse_args(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            eprintln!("fuzz_listpack: {message}");
            return ExitCode::FAILURE;
        }
    };
    let report_panic = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report_panic(info);
        let seed = SEED.load(Ordering::Relaxed);
        eprintln!("fuzz_listpack: failed; replay with --seed {seed} --rounds 1");
    }));
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let (mut rounds, mut accepted) = (0u64, 0u64);
    while rounds < args.rounds && Instant::now() < end {
        let seed = args.seed.wrapping_add(rounds);
        SEED.store(seed, Ordering::Relaxed);
        accepted += u64::from(round(&mut Random(seed)));
        rounds += 1;
    }
    println!(
        "{rounds} blobs, {accepted} accepted, no failure (seed {})",
        args.seed
    );
    ExitCode::SUCCESS
}

/// One blob; whether it was accepted.
fn round(random: &mut Random) -> bool {
    if random.below(8) == 0 {
        return intset_round(random);
    }
    let mut pack = Listpack::new();
    for element in random.elements(16) {
        pack.push_back(&element);
    }
    let mut blob = pack.as_blob().to_vec();
    damage(random, &mut blob);
    if random.below(2) == 0 {
        mend_listpack(random, &mut blob);
    }
    let Ok(mut pack) = Listpack::from_blob(&blob) else {
        return false;
    };
    assert_eq!(pack.as_blob(), blob);
    let mut model: Vec<Vec<u8>> = pack.iter().map(|item| item.to_vec()).collect();
    assert_same(&pack, &model);
    for _ in 0..random.below(12) {
        operate(random, &mut pack, &mut model);
        assert_same(&pack, &model);
    }
    true
}

fn damage(random: &mut Random, blob: &mut Vec<u8>) {
    for _ in 0..random.below(5) {
        let (at, len) = (random.below(blob.len()), 1 + random.below(6));
        let end = (at + len).min(blob.len());
        match random.below(5) {
            0 => blob[at] = random.next() as u8,
            1 => blob[at] ^= 1 << random.below(8),
            2 => blob[at] = [0x7f, 0x80, 0xbf, 0xc0, 0xe0, 0xf0, 0xf4, 0xf5, 0xff][random.below(9)],
            3 if end - at < blob.len() => drop(blob.drain(at..end)),
            _ => {
                let doubled = blob[at..end].to_vec();
                blob.splice(at..at, doubled);
            }
        }
    }
}

/// Makes total and end right again, and the count unknown.
fn mend_listpack(random: &mut Random, blob: &mut Vec<u8>) {
    while blob.len() < 7 {
        blob.push(random.next() as u8);
    }
    let total = blob.len() as u32;
    blob[..4].copy_from_slice(&total.to_le_bytes());
    blob[4..6].copy_from_slice(&[0xff, 0xff]);
    blob[total as usize - 1] = 0xff;
}

fn operate(random: &mut Random, pack: &mut Listpack, model: &mut Vec<Vec<u8>>) {
    let element = random.element();
    if model.is_empty() {
        pack.push_front(&element);
        model.push(element);
        return;
    }
    let at = random.below(model.len());
    let pos = pack.seek(at as i64).expect("an index below the length");
    match random.below(8) {
        0 => {
            pack.push_back(&element);
            model.push(element);
        }
        1 => {
            pack.insert_before(pos, &element);
            model.insert(at, element);
        }
        2 => {
            pack.insert_after(pos, &element);
            model.insert(at + 1, element);
        }
        3 => {
            pack.replace(pos, &element);
            model[at] = element;
        }
        4 => {
            assert_eq!(pack.remove(pos), pack.seek(at as i64));
            model.remove(at);
        }
        5 => {
            let count = random.below(4).min(model.len() - at);
            assert_eq!(pack.remove_range(at as i64, count), count);
            model.drain(at..at + count);
        }
        6 => {
            let tail = pack.split_off(at);
            let first_half = std::mem::take(pack);
            *pack = tail.merge(&first_half);
            model.rotate_left(at);
        }
        _ => {
            let needle = model[random.below(model.len())].clone();
            let skip = random.below(3);
            let expected = (at..model.len())
                .step_by(skip + 1)
                .find(|index| model[*index] == needle);
            let expected = expected.and_then(|index| pack.seek(index as i64));
            assert_eq!(pack.find(&needle, skip, pos), expected);
        }
    }
}

fn assert_same(pack: &Listpack, model: &[Vec<u8>]) {
    assert_eq!(pack.len(), model.len());
    assert!(
        pack.iter()
            .map(|item| item.to_vec())
            .eq(model.iter().cloned())
    );
    assert!(
        pack.iter_rev()
            .map(|item| item.to_vec())
            .eq(model.iter().rev().cloned())
    );
    let again = Listpack::from_blob(pack.as_blob()).expect("own writes are valid");
    assert_eq!(again.as_blob(), pack.as_blob());
}

fn intset_round(random: &mut Random) -> bool {
    let mut set = Intset::new();
    for _ in 0..random.below(20) {
        let value = random.int();
        set.insert(value);
    }
    let mut blob = set.as_blob().to_vec();
    damage(random, &mut blob);
    let Ok(mut set) = Intset::from_blob(&blob) else {
        return false;
    };
    let mut model: BTreeSet<i64> = set.iter().collect();
    for _ in 0..random.below(20) {
        let value = if random.below(2) == 0 {
            random.int()
        } else {
            *model.first().unwrap_or(&0)
        };
        if random.below(2) == 0 {
            assert_eq!(set.insert(value), model.insert(value));
        } else {
            assert_eq!(set.remove(value), model.remove(&value));
        }
        assert!(set.iter().eq(model.iter().copied()));
        assert_eq!(set.contains(value), model.contains(&value));
    }
    true
}
