//! What expires when: an ordered tree of `(time, slot, key hash)`.
//!
//! Invariant: for every entry with an expiry there is an item of its hash at that time **or
//! earlier**. So an expiry that moves later, which is what refreshing a session or a cache entry
//! does all day, changes nothing here; when the early item comes due, the entry is filed again at
//! its true time. An item holds a hash, not a pointer: cells move without the index knowing.
//!
//! An item whose entry has gone, or has another item as well, is stale. One is left behind only when
//! an entry whose expiry had been moved later is deleted; it costs its place until its time comes,
//! and once a third of the items is stale, each new one pays for a look at a few.
//!
//! Tests: bottom of `expire.rs`, `tests/expiry_model.rs`.

use crate::slot::SLOT_COUNT;
use crate::value::Value;
use structures::entry::EntryRef;
use structures::rank_tree::RankTree;
use structures::table::Table;

const SLOT_BITS: u32 = 14;
/// Times beyond 2^49 ms (some 17,000 years) share the last place.
const LATEST_MS: u64 = (1 << 49) - 1;
/// Stale items below this number are not worth looking for.
const STALE_ALLOWED: usize = 64;
const SWEEP_PER_INSERT: usize = 4;

/// `(time_ms << 14 | slot, hash)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item(u64, u64);

impl Item {
    fn new(at_ms: i64, slot: usize, hash: u64) -> Item {
        Item(clamp(at_ms) << SLOT_BITS | slot as u64, hash)
    }

    pub fn at_ms(self) -> i64 {
        (self.0 >> SLOT_BITS) as i64
    }

    pub fn slot(self) -> usize {
        (self.0 & (SLOT_COUNT as u64 - 1)) as usize
    }

    pub fn hash(self) -> u64 {
        self.1
    }

    /// Whether it is in the place that all far times share.
    pub fn is_latest(self) -> bool {
        self.0 >> SLOT_BITS == LATEST_MS
    }

    /// Whether an entry of this item's hash is one that the item stands for.
    pub fn covers(self, entry: &EntryRef<'_, Value>) -> bool {
        entry
            .expiry()
            .is_some_and(|at| clamp(at) >= self.0 >> SLOT_BITS)
    }
}

fn clamp(at_ms: i64) -> u64 {
    (at_ms.max(0) as u64).min(LATEST_MS)
}

pub(crate) struct ExpiryIndex {
    tree: RankTree<Item>,
    /// Entries that have an expiry.
    volatile: usize,
    /// The rank at which the search for stale items goes on.
    sweep_at: usize,
}

impl ExpiryIndex {
    pub fn new() -> ExpiryIndex {
        ExpiryIndex {
            tree: RankTree::new(),
            volatile: 0,
            sweep_at: 0,
        }
    }

    /// Entries that have an expiry.
    pub fn volatile(&self) -> usize {
        self.volatile
    }

    /// Items, stale ones included: what [`ExpiryIndex::get`] takes ranks of.
    pub fn item_count(&self) -> usize {
        self.tree.len()
    }

    pub fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes()
    }

    /// Items that are due at `now_ms`: at least as many as entries that have expired.
    pub fn due(&self, now_ms: i64) -> usize {
        let now = clamp(now_ms);
        self.tree.lower_bound_rank(|item| item.0 >> SLOT_BITS <= now)
    }

    pub fn first(&self) -> Option<Item> {
        self.tree.first()
    }

    pub fn get(&self, rank: usize) -> Option<Item> {
        self.tree.get(rank)
    }

    /// An entry appeared with an expiry, or got its first one.
    pub fn added(&mut self, tables: &[Table<Value>], slot: usize, hash: u64, at_ms: i64) {
        self.volatile += 1;
        self.tree.insert(Item::new(at_ms, slot, hash));
        if self.tree.len() > self.volatile + self.volatile / 2 + STALE_ALLOWED {
            self.sweep(tables);
        }
    }

    /// An entry with an expiry went, or lost it.
    #[inline]
    pub fn removed(&mut self, slot: usize, hash: u64, at_ms: i64) {
        self.volatile -= 1;
        self.tree.remove(&Item::new(at_ms, slot, hash));
    }

    /// An entry's expiry changed from one time to another.
    #[inline]
    pub fn moved(&mut self, slot: usize, hash: u64, from_ms: i64, to_ms: i64) {
        if to_ms < from_ms {
            self.tree.remove(&Item::new(from_ms, slot, hash));
            self.tree.insert(Item::new(to_ms, slot, hash));
        }
    }

    /// Takes an item out because its time has come; what it stood for is filed again with
    /// [`ExpiryIndex::refile`] or removed by the caller, who then calls [`ExpiryIndex::gone`].
    pub fn pop(&mut self, item: Item) {
        self.tree.remove(&item);
    }

    /// An entry whose item was popped has been removed.
    pub fn gone(&mut self) {
        self.volatile -= 1;
    }

    /// Looks at a few items and moves each to its entry's true time, where an item may be already;
    /// those that stand for nothing go.
    #[cold]
    fn sweep(&mut self, tables: &[Table<Value>]) {
        for _ in 0..SWEEP_PER_INSERT {
            let Some(item) = self.tree.get(self.sweep_at) else {
                self.sweep_at = 0;
                return;
            };
            self.tree.remove(&item);
            self.refile(tables, item);
            if self.tree.contains(&item) {
                self.sweep_at += 1;
            }
        }
    }

    /// Files entries of a popped item's hash at their true times: nothing if it was stale, and
    /// nothing new if the entry has an item at its time already.
    pub fn refile(&mut self, tables: &[Table<Value>], item: Item) {
        let table = &tables[item.slot()];
        table.visit_hash(item.hash(), |e| {
            if let Some(at) = e.expiry().filter(|_| table.hash(e.key()) == item.hash()) {
                self.tree.insert(Item::new(at, item.slot(), item.hash()));
            }
        });
    }
}
