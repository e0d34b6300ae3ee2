//! Prints what a snapshot pass costs: nanoseconds per key of the walk, and what a write pays while the
//! pass is under way, the longest one included. Also writes to big values that a pass has yet to read.
//!
//! Usage: `cargo run --release -p keyspace --example bench_snapshot [keys]` (1,000,000 by default).
//! Longest times include whatever else the machine does; compare them with those without a pass.

#![allow(
    clippy::disallowed_methods,
    reason = "a program that measures reads the clock"
)]

use keyspace::hash::{Hash, HashLimits};
use keyspace::rng::Rng;
use keyspace::snapshot::{BigHeader, Piece, Sink};
use keyspace::{Entry, Expiry, Keyspace, Kind, Value};
use std::slice::from_ref;
use std::time::Instant;
use structures::bytes::ThinBytes;
use structures::list::{List, ListLimits, NodeRef};

const WRITES: usize = 1_000_000;
const LIMITS: HashLimits = HashLimits {
    packed_entries_max: 128,
    packed_value_max_bytes: 64,
    seed: 3,
};

/// Copies everything into one buffer that is reused, as an encoder would.
#[derive(Default)]
struct Copier {
    buffer: Vec<u8>,
    keys: u64,
}

impl Copier {
    fn copy(&mut self, bytes: &[u8]) {
        if self.buffer.len() > 1 << 20 {
            self.buffer.clear();
        }
        self.buffer.extend_from_slice(bytes);
    }
}

impl Sink for Copier {
    fn entry(&mut self, _: u32, entry: Entry<'_>) {
        self.keys += 1;
        self.copy(entry.key());
        match entry.string() {
            Some(text) => self.copy(text.as_bytes(&mut keyspace::IntText::new())),
            None => self.copy(b"other"),
        }
    }

    fn big_begin(&mut self, _: u32, header: BigHeader<'_>) {
        self.copy(header.key);
    }

    fn big_piece(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Bytes(a) | Piece::Member(a) | Piece::Scored(a, _) => self.copy(a),
            Piece::Node(NodeRef::Packed(a) | NodeRef::Plain(a)) => self.copy(a),
            Piece::Pair(a, b) => {
                self.copy(a);
                self.copy(b);
            }
        }
    }

    fn big_end(&mut self) {
        self.keys += 1;
    }
}

fn key(n: u64) -> Vec<u8> {
    format!("key:{n:012}").into_bytes()
}

fn filled(keys: u64) -> Keyspace {
    let mut keyspace = Keyspace::new(1, 42, false);
    for n in 0..keys {
        keyspace.set_string(0, &key(n), &[b'v'; 32], Expiry::Clear);
    }
    keyspace
}

/// Runs `write` many times and prints mean, high percentiles and the longest.
fn measure(name: &str, count: usize, mut write: impl FnMut(usize)) {
    let mut times_ns = Vec::with_capacity(count);
    for n in 0..count {
        let start = Instant::now();
        write(n);
        times_ns.push(start.elapsed().as_nanos() as u64);
    }
    times_ns.sort_unstable();
    let at = |share: f64| times_ns[((count - 1) as f64 * share) as usize];
    println!(
        "{name:44} mean {:5} ns  p99.9 {:6} ns  p99.99 {:7} ns  longest {:8} ns",
        times_ns.iter().sum::<u64>() / count as u64,
        at(0.999),
        at(0.9999),
        at(1.0)
    );
}

fn random_writes(name: &str, keyspace: &mut Keyspace, keys: u64) {
    let mut rng = Rng::new(7);
    let names: Vec<Vec<u8>> = (0..WRITES).map(|_| key(rng.below(keys))).collect();
    measure(name, WRITES, |n| {
        keyspace.set_string(0, &names[n], &[b'w'; 32], Expiry::Clear);
    });
}

fn main() {
    let keys = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let keys: u64 = keys.unwrap_or(1_000_000);
    let mut keyspace = filled(keys);
    for round in 0..3 {
        let start = Instant::now();
        let pass = keyspace.begin_pass(Box::new(Copier::default()));
        let begun = start.elapsed();
        while !keyspace.step_pass(pass, &mut |_| true) {}
        let whole = start.elapsed();
        keyspace.end_pass(pass);
        println!(
            "pass {round}: {:.1} ns a key; begin_pass {} ns",
            whole.as_nanos() as f64 / keys as f64,
            begun.as_nanos()
        );
    }
    random_writes("SET, no pass", &mut keyspace, keys);
    let pass = keyspace.begin_pass(Box::new(Copier::default()));
    random_writes(
        "SET, pass under way, nothing walked yet",
        &mut keyspace,
        keys,
    );
    random_writes("SET, most of it shown", &mut keyspace, keys);
    measure("slices of one step of the walk", 20_000, |_| {
        keyspace.step_pass(pass, &mut |_| false);
    });
    while !keyspace.step_pass(pass, &mut |_| true) {}
    keyspace.end_pass(pass);
    big_values();
}

fn big_values() {
    let mut keyspace = Keyspace::new(1, 42, false);
    let mut hash = Hash::new();
    let mut list = List::new();
    for n in 0..1_000_000 {
        hash.set(&key(n), &[b'v'; 32], &LIMITS);
        list.push_back(&key(n), &ListLimits::default());
    }
    let text = ThinBytes::from_slice(&vec![b'x'; 100_000_000]);
    keyspace.put(0, b"hash", hash.wrap(), None);
    keyspace.put(0, b"list", list.wrap(), None);
    keyspace.put(0, b"text", Value::Bytes(text), None);
    for (name, in_pass) in [("no pass", false), ("pass", true)] {
        let pass = in_pass.then(|| keyspace.begin_pass(Box::new(Copier::default())));
        let mut rng = Rng::new(9);
        measure(&format!("HSET, 1M fields, {name}"), 500_000, |_| {
            let field = key(rng.below(1_000_000));
            let hash = keyspace.get_mut::<Hash>(0, b"hash").unwrap().unwrap();
            hash.set(&field, &[b'w'; 32], &LIMITS);
        });
        measure(&format!("LSET, 1M elements, {name}"), 20_000, |_| {
            let list = keyspace.get_mut::<List>(0, b"list").unwrap().unwrap();
            let at = rng.below(1_000_000) as i64;
            list.set(at, b"key:000000000000", &ListLimits::default());
        });
        measure(&format!("SETRANGE, 100 MB, {name}"), 20_000, |_| {
            let at = rng.below(99_999_000) as usize;
            let change = at..at + 10;
            let text = keyspace
                .string_buffer(0, b"text", from_ref(&change))
                .unwrap();
            text[change].fill(b'y');
        });
        if let Some(pass) = pass {
            let start = Instant::now();
            measure("slices of the rest", 30_000, |_| {
                keyspace.step_pass(pass, &mut |_| false);
            });
            while !keyspace.step_pass(pass, &mut |_| true) {}
            println!("reading them: {} ms", start.elapsed().as_millis());
            let start = Instant::now();
            keyspace.end_pass(pass);
            println!("ending: {} us", start.elapsed().as_micros());
        }
    }
}
