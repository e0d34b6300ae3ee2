//! Point-in-time passes against deep copies: whatever commands do meanwhile, each pass shows exactly
//! what was there when it began, and leaves nothing behind.
//!
//! Every change is also made to a second keyspace without passes, which must come to the same.
//! `SNAPSHOT_CASES` raises the number of cases for a long run.

mod content;
mod ops;

use content::{Collector, Contents, copy_of};
use keyspace::rng::Rng;
use keyspace::snapshot::{BigLimits, PassId};
use keyspace::{ExpiredKeys, Expiry, Keyspace};
use ops::{DBS, Op, START_MS, apply};
use proptest::prelude::*;

/// A pass under way and what it must come to.
struct Running {
    id: PassId,
    expected: Contents,
}

struct Run {
    keyspace: Keyspace,
    twin: Keyspace,
    passes: Vec<Running>,
    completed: usize,
}

impl Run {
    fn new(seed: u64, per_slot: bool, limits: BigLimits) -> Run {
        let make = || {
            let mut keyspace = Keyspace::new(DBS as usize, seed, per_slot);
            keyspace.set_now(START_MS);
            keyspace
        };
        let (mut keyspace, twin) = (make(), make());
        keyspace.set_big_limits(limits);
        Run {
            keyspace,
            twin,
            passes: Vec::new(),
            completed: 0,
        }
    }

    fn change(&mut self, op: Op) {
        let done = apply(&mut self.keyspace, op);
        apply(&mut self.twin, done);
    }

    fn begin(&mut self) {
        let expected = copy_of(&self.keyspace);
        let id = self.keyspace.begin_pass(Box::new(Collector::default()));
        assert_eq!(
            self.keyspace.pass_progress(id).total_keys,
            expected.len() as u64
        );
        self.passes.push(Running { id, expected });
    }

    /// Goes on with a pass for some slices, and ends it if it is complete.
    fn step(&mut self, which: usize, slices: u64) {
        let Some(pass) = self.passes.get(which) else {
            return;
        };
        let mut left = slices;
        let done = self.keyspace.step_pass(pass.id, &mut |_| {
            left = left.saturating_sub(1);
            left > 0
        });
        if done {
            let pass = self.passes.remove(which);
            let progress = self.keyspace.pass_progress(pass.id);
            let seen = self.end(pass.id);
            assert_eq!(progress.done_keys, seen.len() as u64);
            self.check(&seen, &pass.expected);
            self.completed += 1;
        }
    }

    fn end(&mut self, id: PassId) -> Contents {
        let sink: Box<dyn std::any::Any> = self.keyspace.end_pass(id);
        sink.downcast::<Collector>().unwrap().into_contents()
    }

    /// Only keys that expired meanwhile may be missing.
    fn check(&self, seen: &Contents, expected: &Contents) {
        for (key, content) in seen {
            assert_eq!(Some(content), expected.get(key), "{key:?}");
        }
        for (key, (expiry_ms, _)) in expected {
            let expired = expiry_ms.is_some_and(|at| at <= self.keyspace.now_ms());
            assert!(expired || seen.contains_key(key), "{key:?} is missing");
        }
    }

    fn finish(mut self) -> usize {
        while !self.passes.is_empty() {
            self.step(self.passes.len() - 1, 3);
        }
        assert!(!self.keyspace.has_pass());
        self.keyspace.check_invariants();
        assert_eq!(copy_of(&self.keyspace), copy_of(&self.twin));
        self.keyspace.garbage.clear();
        while self.keyspace.shrink_tables(8) {}
        self.keyspace.check_invariants();
        assert_eq!(copy_of(&self.keyspace), copy_of(&self.twin));
        self.completed
    }
}

fn random_run(seed: u64, steps: u32, big: u8, per_slot: bool) {
    let limits = match big {
        0 => BigLimits::default(),
        1 => BigLimits {
            elements_max: 12,
            bytes_max: 600,
            chunk_bytes: 16,
        },
        _ => BigLimits {
            elements_max: 0,
            bytes_max: 5,
            chunk_bytes: 3,
        },
    };
    let mut rng = Rng::new(seed);
    let mut run = Run::new(seed, per_slot, limits);
    if rng.below(3) == 0 {
        run.keyspace.exhaust_pass_versions(rng.below(5) as u16);
    }
    for _ in 0..steps {
        match rng.below(40) {
            0 | 1 if run.passes.len() < 3 => run.begin(),
            2..=7 => run.step(rng.below(3) as usize, 1 + rng.below(4)),
            8 if rng.below(6) == 0 && !run.passes.is_empty() => {
                let which = rng.below(run.passes.len() as u64) as usize;
                let aborted = run.passes.remove(which);
                run.end(aborted.id);
            }
            9 => {
                run.keyspace.shrink_tables(1 + rng.below(4) as usize);
            }
            _ => run.change(Op::random(&mut rng)),
        }
    }
    run.finish();
}

fn cases() -> u32 {
    let asked = std::env::var("SNAPSHOT_CASES").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn passes_show_what_was_there_when_they_began(
        seed: u64, steps in 1u32..1500, big in 0u8..3
    ) {
        random_run(seed, steps, big, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases() / 10))]
    #[test]
    fn passes_work_with_a_table_per_slot(seed: u64, steps in 1u32..600, big in 0u8..3) {
        random_run(seed, steps, big, true);
    }
}

fn filled(count: u32) -> Run {
    let mut run = Run::new(5, false, BigLimits::default());
    for n in 0..count {
        let key = format!("key:{n}").into_bytes();
        run.change(Op::SetString(0, key, b"value".to_vec(), Expiry::Clear));
    }
    run
}

#[test]
fn a_pass_over_nothing_is_done_at_once() {
    let mut run = filled(0);
    run.begin();
    run.step(0, 1);
    assert!(run.passes.is_empty());
    assert_eq!(run.finish(), 1);
}

#[test]
fn a_slice_is_short() {
    let mut run = filled(10_000);
    run.begin();
    let id = run.passes[0].id;
    let mut slices = 0;
    let done = run.keyspace.step_pass(id, &mut |_| {
        slices += 1;
        slices < 5
    });
    assert!(!done);
    let progress = run.keyspace.pass_progress(id);
    assert!(progress.done_keys > 0 && progress.done_keys < 5 * 16 * 14);
    assert_eq!(progress.total_keys, 10_000);
}

#[test]
fn a_flushed_database_is_shown_and_then_let_go() {
    let mut run = filled(1000);
    run.begin();
    run.step(0, 3);
    run.change(Op::Flush(0));
    assert!(run.keyspace.garbage.is_empty(), "the pass needs it");
    run.change(Op::SetString(
        0,
        b"new".to_vec(),
        b"x".to_vec(),
        Expiry::Clear,
    ));
    run.step(0, u64::MAX);
    assert_eq!(run.keyspace.garbage.len(), 1);
    assert_eq!(run.finish(), 1);
}

#[test]
fn a_replaced_data_set_is_shown_and_the_new_one_is_not() {
    let mut run = filled(1000);
    run.begin();
    run.step(0, 3);
    run.change(Op::Replace(0, 300));
    assert_eq!(run.keyspace.db(0).len() + run.keyspace.db(1).len(), 300);
    run.begin();
    run.change(Op::DeleteMany(0, 0, 100));
    run.change(Op::Many(1, 100, 150));
    run.step(0, u64::MAX);
    run.step(1, u64::MAX);
    assert_eq!(run.finish(), 2);
}

#[test]
fn aborting_a_pass_lets_a_flushed_database_go() {
    let mut run = filled(1000);
    run.begin();
    run.change(Op::Flush(0));
    let id = run.passes.pop().unwrap().id;
    run.end(id);
    assert_eq!(run.keyspace.garbage.len(), 1);
    run.finish();
}

#[test]
fn tables_shrink_again_after_a_pass() {
    let mut run = filled(20_000);
    let full = run.keyspace.db(0).bucket_counts().0;
    run.begin();
    run.step(0, 40);
    for n in 0..19_990 {
        run.change(Op::Delete(0, format!("key:{n}").into_bytes()));
    }
    run.step(0, u64::MAX);
    while run.keyspace.shrink_tables(100) {}
    assert!(run.keyspace.db(0).bucket_counts().0 < full / 100);
    assert_eq!(run.finish(), 1);
}

#[test]
fn a_hidden_expired_key_is_shown_and_may_be_displaced() {
    let mut run = filled(0);
    let soon = Expiry::At(START_MS + 10);
    run.change(Op::SetString(0, b"k".to_vec(), b"old".to_vec(), soon));
    run.change(Op::Expired(ExpiredKeys::Hide));
    run.change(Op::Wait(20));
    run.begin();
    run.change(Op::SetString(
        0,
        b"k".to_vec(),
        b"new".to_vec(),
        Expiry::Clear,
    ));
    let expected = run.passes[0].expected.clone();
    run.keyspace.step_pass(run.passes[0].id, &mut |_| true);
    let seen = run.end(run.passes[0].id);
    assert_eq!(seen, expected, "it was there, and nobody deleted it");
}
