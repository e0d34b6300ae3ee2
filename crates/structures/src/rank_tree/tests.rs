//! The rank tree against a `BTreeSet` and plain vectors: all operations, ranks and ranges, the
//! invariants after each, no copy of a removed item left behind, bytes per item.

use super::RankTree;
use proptest::collection::vec;
use proptest::prelude::*;
use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;

type Item = (u64, u64);

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Ascending(u64, usize),
    Descending(u64, usize),
    Remove(usize),
    RemoveAbsent(u64),
    Replace(usize, u64),
    Nudge(usize, u64),
    PopFirst(usize),
    PopLast(usize),
    RemoveRange(usize, usize),
    Drain(usize),
    Look(usize, u64, usize),
}

/// Big runs make trees of several levels, big removals make them merge again.
fn steps(values: Range<u64>, run: usize) -> impl Strategy<Value = Vec<Step>> {
    let any_index = any::<usize>();
    let step = prop_oneof![
        6 => values.clone().prop_map(Step::Insert),
        2 => (values.clone(), 0..run).prop_map(|(from, count)| Step::Ascending(from, count)),
        2 => (values.clone(), 0..run).prop_map(|(from, count)| Step::Descending(from, count)),
        5 => any_index.prop_map(Step::Remove),
        1 => values.clone().prop_map(Step::RemoveAbsent),
        3 => (any_index, values.clone()).prop_map(|(at, value)| Step::Replace(at, value)),
        3 => (any_index, 0..200u64).prop_map(|(at, by)| Step::Nudge(at, by)),
        1 => (0..run).prop_map(Step::PopFirst),
        1 => (0..run).prop_map(Step::PopLast),
        2 => (any_index, 0..run).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        1 => (0..run).prop_map(Step::Drain),
        4 => (any_index, values, 0..run).prop_map(|(at, value, count)| Step::Look(at, value, count)),
    ];
    vec(step, 1..if cfg!(miri) { 12 } else { 60 })
}

#[derive(Default)]
struct Pair {
    tree: RankTree<Item>,
    model: BTreeSet<Item>,
}

impl Pair {
    fn insert(&mut self, value: u64) {
        let item = (value, value % 3);
        assert_eq!(self.tree.insert(item), self.model.insert(item));
    }

    fn pick(&self, at: usize) -> Option<Item> {
        let index = at.checked_rem(self.model.len())?;
        self.model.iter().nth(index).copied()
    }

    fn replace(&mut self, old: Item, new: Item) {
        assert!(self.tree.replace(&old, new));
        self.model.remove(&old);
        self.model.insert(new);
        assert!(self.tree.contains(&new));
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Insert(value) => self.insert(value),
            Step::Ascending(from, count) => {
                (from..from + count as u64).for_each(|value| self.insert(value));
            }
            Step::Descending(from, count) => {
                let low = from.saturating_sub(count as u64);
                (low..from).rev().for_each(|value| self.insert(value));
            }
            Step::Remove(at) => {
                if let Some(item) = self.pick(at) {
                    assert!(self.tree.remove(&item));
                    assert!(self.model.remove(&item));
                    assert!(!self.tree.contains(&item));
                }
            }
            Step::RemoveAbsent(value) => {
                let item = (value, 9);
                assert!(!self.tree.remove(&item));
                assert!(!self.tree.replace(&item, (value, 1)));
            }
            Step::Replace(at, value) => {
                if let Some(old) = self.pick(at) {
                    self.replace(old, (value, value % 3));
                }
            }
            Step::Nudge(at, by) => {
                if let Some(old) = self.pick(at) {
                    self.replace(old, ((old.0 + by).saturating_sub(100), old.1));
                }
            }
            Step::PopFirst(count) => {
                for _ in 0..count {
                    assert_eq!(self.tree.pop_first(), self.model.pop_first());
                }
            }
            Step::PopLast(count) => {
                for _ in 0..count {
                    assert_eq!(self.tree.pop_last(), self.model.pop_last());
                }
            }
            Step::RemoveRange(at, count) => self.remove_range(at, count),
            Step::Drain(count) => {
                let before = self.tree.len();
                let done = self.tree.drain_some(count);
                assert_eq!(done, self.tree.is_empty());
                assert!(done || before - self.tree.len() >= count);
                while self.model.len() > self.tree.len() {
                    self.model.pop_last();
                }
            }
            Step::Look(at, value, count) => self.look(at, value, count),
        }
        assert_eq!(self.tree.len(), self.model.len());
        assert_eq!(self.tree.is_empty(), self.model.is_empty());
        assert_eq!(self.tree.first(), self.model.first().copied());
        assert_eq!(self.tree.last(), self.model.last().copied());
        self.tree.check_invariants();
    }

    fn remove_range(&mut self, at: usize, count: usize) {
        // One past the end is a legal start that removes nothing.
        let start = at % (self.model.len() + 1);
        let expected: Vec<_> = self.model.iter().skip(start).take(count).copied().collect();
        let mut removed = Vec::new();
        let number = self
            .tree
            .remove_range(start, count, |item| removed.push(item));
        assert_eq!(number, removed.len());
        assert_eq!(removed, expected);
        expected.iter().for_each(|item| {
            self.model.remove(item);
        });
    }

    fn look(&self, at: usize, value: u64, count: usize) {
        let items: Vec<Item> = self.model.iter().copied().collect();
        let rank = at % (items.len() + 1);
        assert_eq!(self.tree.get(rank), items.get(rank).copied());
        if let Some(item) = items.get(rank) {
            assert_eq!(self.tree.rank_of(item), Some(rank));
            let down: Vec<_> = self.tree.iter_rev_from(rank).take(count).collect();
            let expected: Vec<_> = items[..=rank].iter().rev().take(count).copied().collect();
            assert_eq!(down, expected);
            assert_eq!(self.tree.iter_rev_from(rank).len(), rank + 1);
        } else {
            assert_eq!(self.tree.iter_rev_from(rank).next(), None);
        }
        let up: Vec<_> = self.tree.iter_from(rank).take(count).collect();
        assert_eq!(up, items[rank..items.len().min(rank + count)]);
        assert_eq!(self.tree.iter_from(rank).len(), items.len() - rank);
        assert_eq!(self.tree.rank_of(&(value, 9)), None);
        let below = items.partition_point(|item| item.0 < value);
        assert_eq!(self.tree.lower_bound_rank(|item| item.0 < value), below);
    }

    fn finish(&self) {
        assert!(self.tree.iter().eq(self.model.iter().copied()));
        let last = self.model.len().wrapping_sub(1);
        let down = self.tree.iter_rev_from(last);
        assert!(down.eq(self.model.iter().rev().copied()));
        for (rank, item) in self.model.iter().enumerate() {
            assert_eq!(self.tree.rank_of(item), Some(rank));
            assert_eq!(self.tree.get(rank), Some(*item));
        }
    }
}

fn check(steps: Vec<Step>) {
    let mut pair = Pair::default();
    steps.into_iter().for_each(|step| pair.apply(step));
    pair.finish();
    pair.tree.clear();
    assert_eq!(pair.tree.heap_bytes(), 0);
    assert!(pair.tree.drain_some(1));
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 128 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn small_trees_behave_like_a_sorted_set(steps in steps(0..200, 40)) {
        check(steps);
    }

    #[test]
    fn trees_of_many_levels_behave_like_a_sorted_set(steps in steps(0..1_000_000, if cfg!(miri) { 200 } else { 12_000 })) {
        check(steps);
    }

    #[test]
    fn random_order_of_inserts_and_removes_keeps_the_invariants(
        values in vec(any::<u64>(), 0..if cfg!(miri) { 200 } else { 6000 }),
        removals in vec(any::<usize>(), 0..if cfg!(miri) { 200 } else { 6000 }),
    ) {
        let mut pair = Pair::default();
        values.iter().for_each(|value| pair.insert(*value));
        pair.tree.check_invariants();
        let mut left: Vec<Item> = pair.model.iter().copied().collect();
        for at in removals {
            if left.is_empty() {
                break;
            }
            let item = left.swap_remove(at % left.len());
            prop_assert!(pair.tree.remove(&item));
            pair.model.remove(&item);
        }
        pair.tree.check_invariants();
        pair.finish();
    }
}

fn ascending(count: u64) -> RankTree<Item> {
    let mut tree = RankTree::new();
    (0..count).for_each(|value| assert!(tree.insert((value, value))));
    tree
}

/// A fixed permutation of 0..2^16: odd multiplier.
fn scattered(index: u64) -> u64 {
    index.wrapping_mul(40503) % (1 << 16)
}

fn bytes_ratio(tree: &RankTree<Item>) -> f64 {
    tree.heap_bytes() as f64 / (tree.len() * size_of::<Item>()) as f64
}

#[test]
fn sorted_input_fills_leaves_in_both_directions() {
    let up = ascending(100_000);
    up.check_invariants();
    assert!(bytes_ratio(&up) < 1.06, "{}", bytes_ratio(&up));
    let mut down = RankTree::new();
    (0..100_000u64).rev().for_each(|value| {
        down.insert((value, value));
    });
    down.check_invariants();
    assert!(bytes_ratio(&down) < 1.10, "{}", bytes_ratio(&down));
}

#[test]
fn random_fill_and_churn_waste_little_memory() {
    let mut state = 1u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state ^ (state >> 29)
    };
    let mut tree = RankTree::new();
    let mut items: Vec<Item> = (0..50_000).map(|id| (random(), id)).collect();
    items.iter().for_each(|item| {
        tree.insert(*item);
    });
    assert!(bytes_ratio(&tree) < 1.3, "{}", bytes_ratio(&tree));
    for _ in 0..200_000 {
        let index = (random() % 50_000) as usize;
        let new = (random(), items[index].1);
        assert!(tree.replace(&items[index], new));
        items[index] = new;
    }
    tree.check_invariants();
    assert!(bytes_ratio(&tree) < 1.35, "{}", bytes_ratio(&tree));
}

#[test]
fn a_small_tree_is_one_small_allocation() {
    assert_eq!(RankTree::<Item>::new().heap_bytes(), 0);
    assert_eq!(ascending(3).heap_bytes(), 64);
    assert!(ascending(20).heap_bytes() <= 512);
    assert!(bytes_ratio(&ascending(130)) < 1.5);
}

#[test]
fn a_tree_freed_in_slices_stays_valid_between_them() {
    let mut tree = ascending(20_000);
    let mut slices = 0;
    while !tree.drain_some(100) {
        tree.check_invariants();
        assert_eq!(tree.get(0), Some((0, 0)));
        slices += 1;
    }
    assert!(slices > 100);
    assert_eq!(tree.heap_bytes(), 0);
}

#[test]
fn replace_takes_the_place_of_an_equal_item() {
    #[derive(Clone, Copy, Debug)]
    struct Tagged(u64, &'static str);
    impl PartialEq for Tagged {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Tagged {}
    impl PartialOrd for Tagged {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Tagged {
        fn cmp(&self, other: &Self) -> Ordering {
            self.0.cmp(&other.0)
        }
    }
    let mut tree = RankTree::new();
    (0..1000).for_each(|value| {
        tree.insert(Tagged(value, "old"));
    });
    (0..1000).for_each(|value| {
        assert!(tree.replace(&Tagged(value, ""), Tagged(value, "new")));
    });
    tree.check_invariants();
    assert!(tree.iter().all(|item| item.1 == "new"));
    assert_eq!(tree.len(), 1000);
}

#[test]
fn replace_by_an_item_that_is_there_leaves_one() {
    let mut tree = ascending(10);
    assert!(tree.replace(&(3, 3), (7, 7)));
    assert_eq!(tree.len(), 9);
    assert!(!tree.contains(&(3, 3)));
    assert!(!tree.replace(&(3, 3), (100, 100)));
    assert_eq!(tree.len(), 9);
}

/// A key whose comparison follows a reference and fails when the target is dead, as the sorted
/// set's keys do.
#[derive(Clone, Copy)]
struct Follows<'a>(&'a Cell<Option<u64>>);

impl Follows<'_> {
    fn target(&self) -> u64 {
        self.0.get().expect("compared with a removed item")
    }
}

impl PartialEq for Follows<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.target() == other.target()
    }
}
impl Eq for Follows<'_> {}
impl PartialOrd for Follows<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Follows<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.target().cmp(&other.target())
    }
}

#[test]
fn a_removed_item_is_never_compared_again() {
    let size = if cfg!(miri) { 300 } else { 6000u64 };
    let cells: Vec<Cell<Option<u64>>> = (0..size)
        .map(|index| Cell::new(Some(scattered(index))))
        .collect();
    let spare: Vec<Cell<Option<u64>>> = (0..size)
        .map(|index| Cell::new(Some(scattered(index) + (1 << 15))))
        .collect();
    let mut tree = RankTree::new();
    cells.iter().for_each(|cell| {
        tree.insert(Follows(cell));
    });
    for (index, cell) in cells.iter().enumerate() {
        if cell.get().is_none() {
            continue;
        }
        match index % 4 {
            0 => {
                assert!(tree.remove(&Follows(cell)));
                cell.set(None);
            }
            1 => {
                assert!(tree.replace(&Follows(cell), Follows(&spare[index])));
                cell.set(None);
            }
            2 => {
                let rank = index % tree.len();
                tree.remove_range(rank, 2, |item| item.0.set(None));
            }
            _ => {
                for popped in [tree.pop_first(), tree.pop_last()].into_iter().flatten() {
                    popped.0.set(None);
                }
            }
        }
        if cells[index].get().is_some() {
            assert!(tree.contains(&Follows(cell)));
        }
        if index % 97 == 0 {
            tree.check_invariants();
        }
        if tree.len() < 8 {
            break;
        }
    }
}

#[test]
fn a_panicking_comparison_leaves_a_consistent_tree() {
    let cells: Vec<Cell<Option<u64>>> = (0..2000).map(|value| Cell::new(Some(value))).collect();
    let dead = Cell::new(None);
    let mut tree = RankTree::new();
    cells.iter().for_each(|cell| {
        tree.insert(Follows(cell));
    });
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tree.remove(&Follows(&dead));
    }));
    assert!(outcome.is_err());
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tree.insert(Follows(&dead));
    }));
    assert!(outcome.is_err());
    tree.check_invariants();
    assert_eq!(tree.len(), 2000);
}
