//! One database: its tables (one, or one per cluster slot) and the index of what expires when.

use crate::expiry_index::ExpiryIndex;
use crate::hash::Hash;
use crate::keys::{ExpiredKeys, fate};
use crate::rng::Rng;
use crate::set::Set;
use crate::slot::{SLOT_COUNT, slot_of};
use crate::sorted_set::SortedSet;
use crate::value::Value;
use structures::entry::{EntryMut, EntryRef, NewValue, OwnedEntry};
use structures::table::{Found, Inserted, Table, hash_of};

/// A SCAN cursor over many tables keeps the slot in its low bits.
const SLOT_BITS: u32 = 14;

pub struct Db {
    pub(crate) tables: Vec<Table<Value>>,
    pub(crate) expires: ExpiryIndex,
    len: usize,
    seed: u64,
}

impl Db {
    pub(crate) fn new(seed: u64, per_slot: bool) -> Db {
        let count = if per_slot { SLOT_COUNT } else { 1 };
        let tables = (0..count).map(|_| Table::new(seed)).collect();
        Db {
            tables,
            expires: ExpiryIndex::new(),
            len: 0,
            seed,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keys that have an expiry.
    pub fn volatile_len(&self) -> usize {
        self.expires.volatile()
    }

    #[inline]
    pub(crate) fn table_index(&self, key: &[u8]) -> usize {
        if self.tables.len() == 1 {
            0
        } else {
            usize::from(slot_of(key).0)
        }
    }

    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        hash_of(self.seed, key)
    }

    #[inline]
    pub(crate) fn hash_seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn len_removed(&mut self) {
        self.len -= 1;
    }

    pub(crate) fn added(&mut self) {
        self.len += 1;
    }

    /// Looks a key up whatever its expiry says.
    pub(crate) fn find(&self, key: &[u8]) -> Option<EntryRef<'_, Value>> {
        self.tables[self.table_index(key)].find(self.hash(key), key)
    }

    /// Looks a key up, unlinking it if it has expired and may be deleted.
    #[inline]
    pub(crate) fn find_live(
        &mut self,
        key: &[u8],
        mode: ExpiredKeys,
        now_ms: i64,
    ) -> Found<'_, Value> {
        let (hash, index) = (self.hash(key), self.table_index(key));
        let Db {
            tables,
            expires,
            len,
            ..
        } = self;
        let found = tables[index].find_live(hash, key, |e| fate(mode, now_ms, e));
        if let Found::Removed(dead) = &found {
            *len -= 1;
            if let Some(at) = dead.get().expiry() {
                expires.removed(index, hash, at);
            }
        }
        found
    }

    /// Finds the key or adds what `make` returns; see [`Db::find_live`].
    #[inline]
    pub(crate) fn find_or_insert<'v>(
        &mut self,
        key: &[u8],
        mode: ExpiredKeys,
        now_ms: i64,
        make: impl FnOnce() -> (NewValue<'v, Value>, u8, u32),
    ) -> (EntryMut<'_, Value>, Inserted<Value>) {
        let (hash, index) = (self.hash(key), self.table_index(key));
        let Db {
            tables,
            expires,
            len,
            ..
        } = self;
        let (entry, inserted) =
            tables[index].find_or_insert(hash, key, |e| fate(mode, now_ms, e), make);
        match &inserted {
            Inserted::No => {}
            Inserted::Yes => *len += 1,
            Inserted::Replacing(dead) => {
                if let Some(at) = dead.get().expiry() {
                    expires.removed(index, hash, at);
                }
            }
        }
        (entry, inserted)
    }

    /// Takes a key out whatever its expiry says.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<OwnedEntry<Value>> {
        let (hash, index) = (self.hash(key), self.table_index(key));
        let entry = self.tables[index].remove(hash, key)?;
        self.len -= 1;
        if let Some(at) = entry.get().expiry() {
            self.expires.removed(index, hash, at);
        }
        Some(entry)
    }

    /// The container or long string at `key`, whatever its expiry says.
    pub(crate) fn payload_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        let (hash, index) = (self.hash(key), self.table_index(key));
        self.tables[index].find_mut(hash, key)?.into_payload()
    }

    /// A table that is not empty, picked at random with the share of its keys.
    pub(crate) fn random_table(&self, rng: &mut Rng) -> Option<usize> {
        if self.tables.len() == 1 {
            return (!self.is_empty()).then_some(0);
        }
        let mut at = rng.below(self.len.max(1) as u64) as usize;
        self.tables.iter().position(|t| {
            let here = at < t.len();
            at = at.wrapping_sub(t.len() * usize::from(!here));
            here
        })
    }

    /// Keeps the index in step with one key's change of expiry.
    #[inline]
    pub(crate) fn reindex(&mut self, table: usize, hash: u64, old: Option<i64>, new: Option<i64>) {
        match (old, new) {
            (None, None) => {}
            (None, Some(at)) => {
                self.expires.added(&self.tables, table, hash, at);
            }
            (Some(at), None) => {
                self.expires.removed(table, hash, at);
            }
            (Some(was), Some(at)) => self.expires.moved(table, hash, was, at),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = EntryRef<'_, Value>> {
        self.tables.iter().flat_map(|t| t.iter())
    }

    /// One SCAN step: visits the entries at the cursor, returns the next one (0 at the end).
    pub(crate) fn scan<'a>(
        &'a self,
        cursor: u64,
        visit: &mut dyn FnMut(EntryRef<'a, Value>),
    ) -> u64 {
        if self.tables.len() == 1 {
            return self.tables[0].scan(cursor, visit);
        }
        let mut slot = (cursor & (SLOT_COUNT as u64 - 1)) as usize;
        let next = self.tables[slot].scan(cursor >> SLOT_BITS, visit);
        if next != 0 {
            return next << SLOT_BITS | slot as u64;
        }
        slot += 1;
        while slot < SLOT_COUNT && self.tables[slot].is_empty() {
            slot += 1;
        }
        if slot == SLOT_COUNT { 0 } else { slot as u64 }
    }

    pub(crate) fn check_invariants(&self) {
        self.tables.iter().for_each(Table::check_invariants);
        let len = self.tables.iter().map(Table::len).sum::<usize>();
        assert_eq!(len, self.len, "as many keys as counted");
        let volatile = self.iter().filter(|e| e.expiry().is_some()).count();
        assert_eq!(volatile, self.volatile_len(), "as many expiries as counted");
        for value in self.iter().filter_map(|e| e.payload()) {
            match value {
                Value::Set(Set::Table(table)) => table.check_invariants(),
                Value::Hash(Hash::Table(table)) => table.check_invariants(),
                Value::SortedSet(SortedSet::Table(set)) => set.check_invariants(),
                _ => {}
            }
        }
    }

    /// Bytes of buckets, cells and the expiry index, for MEMORY STATS.
    pub fn overhead_bytes(&self) -> usize {
        self.tables.iter().map(Table::bucket_bytes).sum::<usize>() + self.expires.heap_bytes()
    }

    /// Bytes of buckets and cells.
    pub fn table_bytes(&self) -> usize {
        self.tables.iter().map(Table::bucket_bytes).sum()
    }

    /// Bytes of the expiry index.
    pub fn expiry_index_bytes(&self) -> usize {
        self.expires.heap_bytes()
    }

    /// Buckets of all tables, for DEBUG HTSTATS.
    pub fn bucket_counts(&self) -> (usize, usize) {
        self.tables.iter().fold((0, 0), |(b, o), t| {
            (b + t.bucket_count(), o + t.overflow_count())
        })
    }
}
