//! Prints nanoseconds per operation and bytes per item of `RankTree<(u64, u64)>`.
//!
//! Keys come from a fixed xorshift sequence, so runs compare. Each figure is the best of five
//! rounds (the machine may be shared). Usage: `cargo run --release -p structures --example
//! bench_rank_tree`.

#![allow(
    clippy::disallowed_methods,
    reason = "a program that measures reads the clock"
)]

use std::hint::black_box;
use std::time::Instant;
use structures::rank_tree::RankTree;

const ROUNDS: usize = 5;
const SIZE: u64 = 100_000;

struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

type Tree = RankTree<(u64, u64)>;

fn main() {
    filling();
    changing();
    let (tree, items, random) = random_tree();
    reading(&tree, &items, random);
    longest_steps();
}

fn filling() {
    let mut tree = Tree::new();
    report("ascending insert 1M", 1_000_000, || {
        tree = Tree::new();
        for score in 0..1_000_000 {
            tree.insert((score, score));
        }
    });
    report_bytes(&tree);
    report("pop_first, 200k a round from 1M", 200_000, || {
        for _ in 0..200_000 {
            black_box(tree.pop_first());
        }
    });
    report("random insert 100k", SIZE, || {
        tree = random_tree().0;
    });
    report_bytes(&tree);
}

fn changing() {
    let (mut tree, mut items, mut random) = random_tree();
    report("random remove + insert in 100k", SIZE, || {
        for _ in 0..SIZE {
            let index = (random.next() % SIZE) as usize;
            let new = (random.next(), items[index].1);
            tree.remove(&items[index]);
            tree.insert(new);
            items[index] = new;
        }
    });
    report("random replace in 100k", SIZE, || {
        for _ in 0..SIZE {
            let index = (random.next() % SIZE) as usize;
            let new = (random.next(), items[index].1);
            tree.replace(&items[index], new);
            items[index] = new;
        }
    });
    report_bytes(&tree);
    report("nearby replace in 100k", SIZE, || {
        for _ in 0..SIZE {
            let index = (random.next() % SIZE) as usize;
            let new = (items[index].0.wrapping_add(1 << 48), items[index].1);
            tree.replace(&items[index], new);
            items[index] = new;
        }
    });
}

fn reading(tree: &Tree, items: &[(u64, u64)], mut random: Xorshift) {
    report("rank_of", SIZE, || {
        for _ in 0..SIZE {
            let index = (random.next() % SIZE) as usize;
            black_box(tree.rank_of(&items[index]));
        }
    });
    report("get", SIZE, || {
        for _ in 0..SIZE {
            black_box(tree.get((random.next() % SIZE) as usize));
        }
    });
    report("lower_bound_rank + iterate 10", SIZE, || {
        for _ in 0..SIZE {
            let score = random.next();
            let rank = tree.lower_bound_rank(|item| item.0 < score);
            black_box(tree.iter_from(rank).take(10).fold(0, |a, b| a ^ b.0));
        }
    });
    report("iterate 10 from random rank", SIZE, || {
        for _ in 0..SIZE {
            let rank = (random.next() % SIZE) as usize;
            black_box(tree.iter_from(rank).take(10).fold(0, |a, b| a ^ b.0));
        }
    });
}

fn random_tree() -> (Tree, Vec<(u64, u64)>, Xorshift) {
    let mut random = Xorshift(0x9E37_79B9_7F4A_7C15);
    let mut tree = Tree::new();
    let items: Vec<_> = (0..SIZE).map(|id| (random.next(), id)).collect();
    for item in &items {
        tree.insert(*item);
    }
    (tree, items, random)
}

/// Times every single insert up to 10 M items. The few worst are the machine's noise.
fn longest_steps() {
    let mut random = Xorshift(0x2545_F491_4F6C_DD1D);
    let mut tree = Tree::new();
    let mut nanos: Vec<u64> = Vec::with_capacity(10_000_000);
    for id in 0..10_000_000 {
        let item = (random.next(), id);
        let start = Instant::now();
        tree.insert(item);
        nanos.push(start.elapsed().as_nanos() as u64);
    }
    nanos.sort_unstable();
    let at = |share: f64| nanos[(nanos.len() as f64 * share) as usize];
    println!(
        "random insert to 10 M: median {} ns, 99.9 % {} ns, 99.999 % {} ns",
        at(0.5),
        at(0.999),
        at(0.99999)
    );
    report_bytes(&tree);
    let start = Instant::now();
    let mut slices = 0;
    while !tree.drain_some(1000) {
        slices += 1;
    }
    let micros = start.elapsed().as_micros() as f64;
    println!(
        "drain_some(1000): {:.1} us a slice",
        micros / f64::from(slices)
    );
}

fn report(name: &str, operations: u64, mut round: impl FnMut()) {
    let mut best_nanos = u128::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round();
        best_nanos = best_nanos.min(start.elapsed().as_nanos());
    }
    println!("{name}: {:.1} ns/op", best_nanos as f64 / operations as f64);
}

fn report_bytes(tree: &Tree) {
    if tree.is_empty() {
        return;
    }
    let per_item = tree.heap_bytes() as f64 / tree.len() as f64;
    println!(
        "  {} items: {per_item:.2} bytes per item, {:.3} of the items' own",
        tree.len(),
        per_item / 16.0
    );
}
