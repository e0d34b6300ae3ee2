//! Point-in-time passes over everything, without fork: a pass shows its [`Sink`] every key exactly as
//! it was when the pass began, while commands go on changing data.
//!
//! A pass has a version, one more than the pass before it. A bucket of a database whose stamp is below
//! a pass's version still owes that pass its entries. Before a write to such a bucket
//! ([`Keyspace::before_write`], one test while there is no pass), the bucket is shown to every pass it
//! owes and stamped; the pass's own walk does the same for the rest, a slice at a time. So each entry
//! is shown exactly once, reads pay nothing, and a write pays for one bucket once per pass.
//! A dead key that is removed is owed to nobody. Versions do not wrap: when they run out, stamps are
//! numbered afresh.
//!
//! Databases have an identity that SWAPDB moves along (`Homes`); one that is flushed while a pass
//! needs it is parked. Values too big to be shown in a bucket's turn are in `big.rs`: they are
//! registered then, and read in slices after all buckets, each by a reader of its own.
//!
//! Tests: `tests/snapshot.rs`; speed: `examples/bench_snapshot.rs`.

mod big;
mod homes;
mod pass;

use std::any::Any;

use crate::db::Db;
use crate::keys::{Garbage, Keyspace};
use crate::value::Entry;
use structures::list::NodeRef;

pub use big::BigLimits;
pub(crate) use pass::Passes;

/// Who takes what a pass shows.
pub trait Sink: Any + Send {
    /// One whole entry. `db` is the number the database had when the pass began.
    fn entry(&mut self, db: u32, entry: Entry<'_>);
    /// A value too big for one slice arrives in pieces; nothing else comes between begin and end.
    fn big_begin(&mut self, db: u32, header: BigHeader<'_>);
    fn big_piece(&mut self, piece: Piece<'_>);
    fn big_end(&mut self);
}

/// What is known of a big value before its pieces.
#[derive(Clone, Copy, Debug)]
pub struct BigHeader<'a> {
    pub key: &'a [u8],
    /// Unix milliseconds.
    pub expiry_ms: Option<i64>,
    /// LRU clock or LFU data, see [`crate::AccessMeter`].
    pub access: u32,
    pub shape: BigShape,
}

/// A big value's type and size; exactly so much will follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BigShape {
    String { len_bytes: usize },
    List { nodes: usize, len: usize },
    Set { len: usize },
    Hash { len: usize },
    SortedSet { len: usize },
}

/// A part of a big value: of a string and a list in order, of the others in none.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// The next bytes of a string.
    Bytes(&'a [u8]),
    /// The next node of a list.
    Node(NodeRef<'a>),
    /// A member of a set.
    Member(&'a [u8]),
    /// A field of a hash and its value.
    Pair(&'a [u8], &'a [u8]),
    /// A member of a sorted set and its score.
    Scored(&'a [u8], f64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PassId(pub(crate) u64);

/// How far a pass is. Keys that expired before they were shown are never done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassProgress {
    pub done_keys: u64,
    pub total_keys: u64,
}

impl Keyspace {
    /// Begins a pass that will show `sink` every database as it is now.
    pub fn begin_pass(&mut self, sink: Box<dyn Sink>) -> PassId {
        self.passes.begin(&mut self.dbs, sink)
    }

    /// One slice; asks `keep_going` every 16 or so buckets / 16 KB. True once the sink has seen
    /// everything; it then waits for [`Keyspace::end_pass`].
    pub fn step_pass(
        &mut self,
        id: PassId,
        keep_going: &mut dyn FnMut(&mut dyn Sink) -> bool,
    ) -> bool {
        self.passes
            .step(&mut self.dbs, &mut self.garbage, id, keep_going)
    }

    /// The sink of a pass that has not ended.
    pub fn pass_sink(&mut self, id: PassId) -> &mut dyn Sink {
        self.passes.sink(id)
    }

    pub fn pass_progress(&self, id: PassId) -> PassProgress {
        self.passes.progress(id)
    }

    /// Ends a finished pass, or aborts one; what it kept alive goes to `garbage`.
    pub fn end_pass(&mut self, id: PassId) -> Box<dyn Sink> {
        self.passes.end(&mut self.dbs, &mut self.garbage, id)
    }

    pub fn has_pass(&self) -> bool {
        self.passes.is_active()
    }

    /// Which values are big enough to be shown in pieces. For tests, which want them small; holds
    /// for what is met from now on.
    pub fn set_big_limits(&mut self, limits: BigLimits) {
        self.passes.set_big_limits(limits);
    }

    /// Makes the next pass meet the end of the version numbers soon. For tests.
    #[doc(hidden)]
    pub fn exhaust_pass_versions(&mut self, left: u16) {
        self.passes.exhaust_versions(left);
    }

    /// Tables do not shrink freely while a pass is under way. Takes back up to `max` buckets that
    /// are too many since; true if there may be more. For the housekeeping.
    pub fn shrink_tables(&mut self, max: usize) -> bool {
        self.passes.shrink_tables(&mut self.dbs, max)
    }

    /// Panics with a reason unless tables, counts and what passes left behind are in order. Walks
    /// everything; for tests and the simulator.
    pub fn check_invariants(&self) {
        for db in &self.dbs {
            db.check_invariants();
        }
        if !self.has_pass() {
            let read = |entry: Entry<'_>| entry.payload().is_some_and(big::has_readers);
            let left = (0..self.db_count() as u32).flat_map(|db| self.iter(db).map(read));
            assert_eq!(
                left.filter(|read| *read).count(),
                0,
                "readers without a pass"
            );
            self.passes.check_idle();
        }
    }

    /// To be called before anything changes at `key`, be it there or not.
    #[inline]
    pub(crate) fn before_write(&mut self, db: u32, key: &[u8]) {
        if self.passes.is_active() {
            self.settle(db, key);
        }
    }

    #[cold]
    #[inline(never)]
    fn settle(&mut self, db: u32, key: &[u8]) {
        let d = &mut self.dbs[db as usize];
        let (hash, index) = (d.hash(key), d.table_index(key));
        self.passes.settle_key(db, &mut d.tables[index], hash);
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, a: u32, b: u32) {
        self.dbs.swap(a as usize, b as usize);
        self.passes.swapped(a, b);
    }

    /// Empties a database; its content goes to `garbage`, at once or when no pass needs it any more.
    /// Returns the number of keys.
    pub fn flush(&mut self, db: u32) -> usize {
        let fresh = self.empty_db();
        self.replace_db(db, fresh)
    }

    /// As [`Keyspace::flush`], with something else instead of nothing.
    pub(crate) fn replace_db(&mut self, db: u32, new: Db) -> usize {
        let old = std::mem::replace(&mut self.dbs[db as usize], new);
        let keys = old.len();
        let unneeded = self.passes.flushed(db, old);
        if keys > 0
            && let Some(old) = unneeded
        {
            self.garbage.push(Garbage::Db(old));
        }
        keys
    }
}
