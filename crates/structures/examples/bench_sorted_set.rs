//! Prints nanoseconds per operation and bytes per member of the big sorted set.
//!
//! Members are `member:<n>` texts, scores come from a fixed xorshift sequence. Each figure is the
//! median of 500 short batches (the machine may be shared). Usage: `cargo run --release -p structures
//! --example bench_sorted_set`.

#![allow(
    clippy::disallowed_methods,
    reason = "a program that measures reads the clock"
)]

use std::hint::black_box;
use std::time::Instant;
use structures::sorted_set::SortedSet;

const BATCH: usize = 200;
const SIZE: usize = 100_000;

struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn score(&mut self) -> f64 {
        (self.next() % 1_000_000) as f64
    }
}

fn main() {
    let members: Vec<Vec<u8>> = (0..SIZE)
        .map(|n| format!("member:{n:012}").into_bytes())
        .collect();
    let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
    let mut picks = Xorshift(0xdead_beef_cafe_f00d);
    let mut pick = || members[picks.next() as usize % SIZE].as_slice();
    let mut set = SortedSet::new(1);
    let mut fresh = members.iter();
    report("insert into 0 to 100k, random scores", || {
        if let Some(member) = fresh.next() {
            set.insert(member, random.score());
        }
    });
    println!(
        "{:>40} {:8.1} bytes",
        "memory per member",
        set.heap_bytes() as f64 / SIZE as f64
    );
    report("move a random member to a random score", || {
        set.insert(pick(), random.score());
    });
    report("move a random member by 1", || {
        set.change(pick(), |old| old.map(|score| score + 1.0));
    });
    report("score of a random member", || {
        black_box(set.score(pick()));
    });
    report("rank of a random member", || {
        black_box(set.rank(pick()));
    });
    report("10 members from a random score", || {
        let (min, max) = (random.score(), random.score());
        let rank = set.count_below(min, false);
        let count = set.count_below(max, true).saturating_sub(rank);
        for entry in set.iter_from(rank).take(count.min(10)) {
            black_box(entry);
        }
    });
    report("remove and add again", || {
        let member = pick();
        set.remove(member);
        set.insert(member, random.score());
    });
    set.check_invariants();
}

/// The median of many short batches: what a time slice lost to others disturbs does not count.
fn report(name: &str, mut operation: impl FnMut()) {
    let mut batches: Vec<f64> = (0..SIZE / BATCH)
        .map(|_| {
            let start = Instant::now();
            (0..BATCH).for_each(|_| operation());
            start.elapsed().as_nanos() as f64 / BATCH as f64
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    println!("{name:>40} {:8.1} ns", batches[batches.len() / 2]);
}
