//! The big sorted set: members found by name through a hash table, and by rank, score or order
//! through a tree, sharing one cell per member.
//!
//! ```text
//!   Table: hash ──► cell [ score bits | member ] ◄── (score order, pointer) :RankTree
//! ```
//! A cell is a table entry with the score's bits as its integer. The tree's items are 16 bytes: the
//! score as an integer that sorts like it, and a thin pointer to the cell, whose member bytes are
//! looked at only among equal scores. So ranges by score touch no cell until they are read out.
//!
//! Invariant (P), on which the pointers' soundness rests: **every pointer in the tree is to a live
//! cell of this set's own table.** Kept so: a cell is allocated by `Table::insert_new` and its
//! address changes only in `EntryMut::replace` and `set_expiry`, which nobody calls here (a score
//! changes in place through `set_int`; growth and shrinking of the table move pointers to cells,
//! never cells). A cell is freed only after its tree item is gone: removals take the item out of
//! the tree while the cell is still owned by the `OwnedEntry`; `drain_some` empties the tree before
//! the table; both fields die together in `drop`, and neither drop follows pointers of the tree.
//! The tree's own promise (`rank_tree.rs`) is that no copy of an item outlives its removal.
//!
//! Scores are never NaN; 0 and -0 are the same place in the order, and a cell keeps the sign.
//! Knows nothing of Redis commands or ranges. Tests: `tests/sorted_set_model.rs`; speed:
//! `cargo run --release -p structures --example bench_sorted_set`.

use std::cmp::Ordering;

use crate::entry::{Cell, EntryRef, NewValue, OwnedEntry};
use crate::rank_tree::{RankTree, Walk};
use crate::table::Table;
use crate::table_reader::{ReaderId, TableRemains};

/// One member's place in the order. Exists only inside of a tree, or on the stack of a method that
/// holds the set borrowed; by (P) its cell is live all that time.
#[derive(Clone, Copy)]
struct Place {
    /// [`order_of`] the score.
    order: u64,
    cell: Cell<()>,
}

const _: () = assert!(size_of::<Place>() == 16);

impl Place {
    fn new(score: f64, cell: Cell<()>) -> Place {
        Place {
            order: order_of(score),
            cell,
        }
    }

    #[inline]
    fn member<'a>(self) -> &'a [u8] {
        self.cell.key()
    }

    #[inline(never)]
    fn compare_equal_scores(self, other: Place) -> Ordering {
        match self.cell.is(other.cell) {
            true => Ordering::Equal,
            false => self.member().cmp(other.member()),
        }
    }
}

impl PartialEq for Place {
    /// Members are unique, so two cells with one order are two places.
    #[inline]
    fn eq(&self, other: &Place) -> bool {
        self.cell.is(other.cell) && self.order == other.order
    }
}

impl Eq for Place {}

/// The tree searches with `<` and `<=`. Spelled out, they are one comparison of integers that a
/// search turns into a conditional move; equal scores leave the way.
impl PartialOrd for Place {
    #[inline]
    fn partial_cmp(&self, other: &Place) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    #[inline]
    fn lt(&self, other: &Place) -> bool {
        if self.order == other.order {
            return self.compare_equal_scores(*other) == Ordering::Less;
        }
        self.order < other.order
    }

    #[inline]
    fn le(&self, other: &Place) -> bool {
        if self.order == other.order {
            return self.compare_equal_scores(*other) != Ordering::Greater;
        }
        self.order < other.order
    }
}

impl Ord for Place {
    #[inline]
    fn cmp(&self, other: &Place) -> Ordering {
        self.order
            .cmp(&other.order)
            .then_with(|| self.compare_equal_scores(*other))
    }
}

/// An integer that sorts as the score does: sign bit flipped for positive scores, all bits for
/// negative ones; both zeros alike.
#[inline]
fn order_of(score: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    let bits = if score == 0.0 { 0 } else { score.to_bits() };
    bits ^ (((bits as i64) >> 63) as u64 | SIGN)
}

#[inline]
fn score_of(entry: EntryRef<'_, ()>) -> f64 {
    f64::from_bits(entry.int() as u64)
}

fn new_value(score: f64) -> NewValue<'static, ()> {
    assert!(!score.is_nan(), "a score is a number");
    NewValue::Int(score.to_bits() as i64)
}

/// See the file header.
pub struct SortedSet {
    // The tree comes first: what points is dropped before what is pointed to.
    tree: RankTree<Place>,
    table: Table<()>,
}

// SAFETY: the set owns its cells exclusively, as the table does; the tree's pointers are to those
// cells only (P) and move with them. Nothing in either is tied to a thread.
unsafe impl Send for SortedSet {}

/// A member that left the set, with its score.
pub struct Removed(OwnedEntry<()>);

impl Removed {
    pub fn member(&self) -> &[u8] {
        self.0.get().key()
    }

    pub fn score(&self) -> f64 {
        score_of(self.0.get())
    }
}

/// Single members.
impl SortedSet {
    /// `seed` keys the hashes.
    pub fn new(seed: u64) -> SortedSet {
        SortedSet {
            tree: RankTree::new(),
            table: Table::new(seed),
        }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Heap bytes of everything, the cells included.
    pub fn heap_bytes(&self) -> usize {
        self.table.bucket_bytes() + self.table.cell_bytes() + self.tree.heap_bytes()
    }

    /// Starts loading a member's bucket; [`SortedSet::prefetch_cell`] goes on with the result.
    #[inline]
    pub fn prefetch_bucket(&self, member: &[u8]) -> u64 {
        let hash = self.table.hash(member);
        self.table.prefetch_bucket(hash);
        hash
    }

    #[inline]
    pub fn prefetch_cell(&self, hash: u64) {
        self.table.prefetch_cell(hash);
    }

    /// Buckets of the table and those beyond them, for DEBUG HTSTATS-KEY.
    pub fn bucket_counts(&self) -> (usize, usize) {
        (self.table.bucket_count(), self.table.overflow_count())
    }

    /// Makes room ahead of a bulk load into an empty set.
    pub fn reserve(&mut self, additional: usize) {
        self.table.reserve(additional);
    }

    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.table
            .find(self.table.hash(member), member)
            .map(score_of)
    }

    /// Shows `decide` the member's score, if it is there, and adds or moves the member as the
    /// answer says; `None` leaves everything as it is. One look-up whatever happens.
    #[inline]
    pub fn change(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) {
        let hash = self.table.hash(member);
        let Some(mut entry) = self.table.find_mut(hash, member) else {
            if let Some(score) = decide(None) {
                let entry = self
                    .table
                    .insert_new(hash, member, new_value(score), 0, 0, None);
                let added = self.tree.insert(Place::new(score, entry.get().cell()));
                debug_assert!(added);
            }
            return;
        };
        let (old, cell) = (score_of(entry.get()), entry.get().cell());
        let Some(new) = decide(Some(old)) else { return };
        assert!(!new.is_nan(), "a score is a number");
        if new == old {
            return;
        }
        entry.set_int(new.to_bits() as i64);
        let moved = self
            .tree
            .replace(&Place::new(old, cell), Place::new(new, cell));
        debug_assert!(moved);
    }

    /// Adds the member or moves it to `score`; returns its score before.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let mut before = None;
        self.change(member, |old| {
            before = old;
            Some(score)
        });
        before
    }

    /// Returns the score of the member removed.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let removed = Removed(self.table.remove(self.table.hash(member), member)?);
        let score = removed.score();
        // The cell lives in `removed` until the tree has forgotten it.
        let forgotten = self.tree.remove(&Place::new(score, removed.0.get().cell()));
        debug_assert!(forgotten);
        Some(score)
    }

    pub fn pop_first(&mut self) -> Option<Removed> {
        let place = self.tree.pop_first()?;
        self.take_out(place)
    }

    pub fn pop_last(&mut self) -> Option<Removed> {
        let place = self.tree.pop_last()?;
        self.take_out(place)
    }

    /// Takes the cell of a place that just left the tree out of the table.
    fn take_out(&mut self, place: Place) -> Option<Removed> {
        remove_from(&mut self.table, place)
    }
}

/// The member's bytes are the cell's own; `Table::remove` frees nothing, so they outlive the call.
fn remove_from(table: &mut Table<()>, place: Place) -> Option<Removed> {
    let member = place.member();
    table.remove(table.hash(member), member).map(Removed)
}

/// Ranks and ranges.
impl SortedSet {
    /// How many members come before this one, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let entry = self.table.find(self.table.hash(member), member)?;
        let score = score_of(entry);
        let rank = self.tree.rank_of(&Place::new(score, entry.cell()))?;
        Some((rank, score))
    }

    /// The member with `rank` members before it.
    pub fn at(&self, rank: usize) -> Option<(&[u8], f64)> {
        self.tree.get(rank).map(read)
    }

    /// How many members have a score below `score`, or not above it if `or_equal`.
    #[inline]
    pub fn count_below(&self, score: f64, or_equal: bool) -> usize {
        let bound = order_of(score);
        match or_equal {
            true => self.tree.lower_bound_rank(|place| place.order <= bound),
            false => self.tree.lower_bound_rank(|place| place.order < bound),
        }
    }

    /// How many members come before the point up to which `is_below` holds, in a set whose scores
    /// are all equal; any number up to `len` in others.
    pub fn count_members_below(&self, is_below: impl Fn(&[u8]) -> bool) -> usize {
        self.tree.lower_bound_rank(|place| is_below(place.member()))
    }

    /// Members and scores from `rank` on, ascending.
    pub fn iter_from(&self, rank: usize) -> Iter<'_, false> {
        Iter(self.tree.iter_from(rank))
    }

    /// Members and scores from `rank` down, descending.
    pub fn iter_rev_from(&self, rank: usize) -> Iter<'_, true> {
        Iter(self.tree.iter_rev_from(rank))
    }

    /// Removes up to `count` members from `rank` on and shows each to `on_removed`, ascending;
    /// returns how many.
    pub fn remove_range(
        &mut self,
        rank: usize,
        count: usize,
        mut on_removed: impl FnMut(&[u8], f64),
    ) -> usize {
        let SortedSet { tree, table } = self;
        tree.remove_range(rank, count, |place| {
            if let Some(removed) = remove_from(table, place) {
                on_removed(removed.member(), removed.score());
            }
        })
    }

    /// Visits some members in no order, from `cursor` (0 to begin), and returns the next cursor, 0
    /// at the end; the guarantees are those of SCAN, see `table_scan.rs`.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(&'a [u8], f64)) -> u64 {
        self.table
            .scan(cursor, |entry| visit(entry.key(), score_of(entry)))
    }

    /// Frees about `max` members' share; true once all is freed. In between, the set must only be
    /// drained on or dropped. Nobody who reads the set as it was gets anything more.
    pub fn drain_some(&mut self, max: usize) -> bool {
        self.tree.drain_some(max) && self.table.drain_some(max)
    }

    /// Panics with a reason unless table and tree agree and are in order themselves. For tests.
    pub fn check_invariants(&self) {
        self.table.check_invariants();
        self.tree.check_invariants();
        assert_eq!(self.table.len(), self.tree.len(), "as many cells as places");
        for entry in self.table.iter() {
            let place = Place::new(score_of(entry), entry.cell());
            assert!(self.tree.contains(&place), "every cell has its place");
        }
    }
}

/// Reading the set in slices as it was at one moment; see `table_reader.rs`. Copies of cells that are
/// kept for a reader are cells of nobody's tree, so (P) does not concern them.
impl SortedSet {
    pub fn has_readers(&self) -> bool {
        self.table.has_readers()
    }

    pub fn begin_reader(&mut self) -> ReaderId {
        self.table.begin_reader()
    }

    /// Shows about `max` more members with their scores, in no order; true when all were shown.
    pub fn read_some(
        &mut self,
        id: ReaderId,
        max: usize,
        visit: &mut dyn FnMut(&[u8], f64),
    ) -> bool {
        self.table
            .read_some(id, max, &mut |entry| visit(entry.key(), score_of(entry)))
    }

    pub fn end_reader(&mut self, id: ReaderId) -> TableRemains<()> {
        self.table.end_reader(id)
    }
}

impl Clone for SortedSet {
    fn clone(&self) -> SortedSet {
        let mut copy = SortedSet::new(self.table.seed());
        copy.reserve(self.len());
        for (member, score) in self.iter_from(0) {
            copy.insert(member, score);
        }
        copy
    }
}

/// A place's member and score, for as long as the set is borrowed.
#[inline]
fn read<'a>(place: Place) -> (&'a [u8], f64) {
    let entry = EntryRef::new(place.cell);
    (entry.key(), score_of(entry))
}

/// Members with their scores, by rank.
pub struct Iter<'a, const REVERSE: bool>(Walk<'a, Place, REVERSE>);

impl<'a, const REVERSE: bool> Iterator for Iter<'a, REVERSE> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(read)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<const REVERSE: bool> ExactSizeIterator for Iter<'_, REVERSE> {}

/// Members with scores, not in order yet: what unions and intersections collect into.
pub struct Scores {
    table: Table<()>,
}

impl Scores {
    pub fn new(seed: u64) -> Scores {
        Scores {
            table: Table::new(seed),
        }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub fn reserve(&mut self, additional: usize) {
        self.table.reserve(additional);
    }

    /// Adds the member, or gives it the score that `combine` makes of its old and the new one.
    pub fn merge(&mut self, member: &[u8], score: f64, combine: impl FnOnce(f64, f64) -> f64) {
        let hash = self.table.hash(member);
        match self.table.find_mut(hash, member) {
            Some(mut entry) => {
                let combined = combine(score_of(entry.get()), score);
                assert!(!combined.is_nan(), "a score is a number");
                entry.set_int(combined.to_bits() as i64);
            }
            None => {
                self.table
                    .insert_new(hash, member, new_value(score), 0, 0, None);
            }
        }
    }

    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.table.remove(self.table.hash(member), member).is_some()
    }

    /// Brings everything in order.
    pub fn into_sorted(self) -> SortedSet {
        let Scores { table } = self;
        let mut places: Vec<Place> = table
            .iter()
            .map(|entry| Place::new(score_of(entry), entry.cell()))
            .collect();
        places.sort_unstable();
        let mut tree = RankTree::new();
        for place in places {
            tree.insert(place);
        }
        SortedSet { tree, table }
    }
}
