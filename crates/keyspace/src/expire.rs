//! Expiry: setting it, and removing what is due without waiting to be asked.
//!
//! The index says exactly what is due next, so the active cycle only ever touches keys that have
//! expired: no sampling, and a budget per call keeps each slice short.

use crate::db::Db;
use crate::expiry_index::Item;
use crate::keys::{ExpiredKeys, Keyspace};
use crate::notes::notes;
use crate::value::Value;
use structures::entry::{EntryRef, OwnedEntry};

impl Keyspace {
    /// Sets or clears the expiry of an existing key; false if there is none.
    pub fn set_expiry(&mut self, db: u32, key: &[u8], expiry_ms: Option<i64>) -> bool {
        let Some(mut entry) = self.find_mut(db, key) else {
            return false;
        };
        let old = entry.get().expiry();
        entry.set_expiry(expiry_ms);
        let d = &mut self.dbs[db as usize];
        let (hash, index) = (d.hash(key), d.table_index(key));
        d.reindex(index, hash, old, expiry_ms);
        true
    }

    /// Removes expired keys of database `db`, looking at no more than `budget` items of the index.
    /// Returns how many keys went.
    pub fn expire_due(&mut self, db: u32, budget: usize) -> usize {
        if self.expired_keys != ExpiredKeys::Delete {
            return 0;
        }
        let mut removed = 0;
        for _ in 0..budget {
            let d = &mut self.dbs[db as usize];
            let Some(item) = d.expires.first().filter(|item| item.at_ms() <= self.now_ms) else {
                break;
            };
            d.expires.pop(item);
            while let Some(entry) = d.take_due(item, self.now_ms) {
                d.expires.gone();
                notes!(self).expired(db, entry);
                removed += 1;
            }
            d.refile(item);
        }
        removed
    }

    /// When there is next something to do about expiry, Unix milliseconds; no later than the first
    /// key of any database expires.
    pub fn next_expiry_ms(&self) -> Option<i64> {
        self.dbs
            .iter()
            .filter_map(|d| d.expires.first())
            .map(|item| item.at_ms())
            .min()
    }

    /// Keys of all databases that have not expired; those whose expiry was moved later may count as
    /// if it had not.
    pub fn live_count(&self) -> u64 {
        let live = |d: &Db| {
            let due = d.expires.due(self.now_ms).min(d.volatile_len());
            (d.len() - due) as u64
        };
        self.dbs.iter().map(live).sum()
    }

    /// Mean remaining life of volatile keys in a database, from a few evenly spread ones.
    pub fn average_ttl_ms(&self, db: u32) -> i64 {
        const SAMPLES: usize = 16;
        let d = &self.dbs[db as usize];
        let items = d.expires.item_count();
        let picks =
            (0..items.min(SAMPLES)).filter_map(|i| d.expires.get(i * items / SAMPLES.min(items)));
        let (mut count, mut total) = (0i128, 0i128);
        for item in picks {
            if let Some(at) = d.covered(item).and_then(|e| e.expiry()) {
                count += 1;
                total += i128::from((at - self.now_ms).max(0));
            }
        }
        if count == 0 {
            0
        } else {
            (total / count) as i64
        }
    }
}

impl Db {
    /// Takes out one entry of a due item's hash that has itself expired.
    fn take_due(&mut self, item: Item, now_ms: i64) -> Option<OwnedEntry<Value>> {
        let due = |e: EntryRef<'_, Value>| e.expiry().is_some_and(|at| at <= now_ms);
        let entry = self.tables[item.slot()].remove_where(item.hash(), due)?;
        self.len_removed();
        Some(entry)
    }

    /// Files what a popped item still stands for at its true time.
    pub(crate) fn refile(&mut self, item: Item) {
        self.expires.refile(&self.tables, item);
    }

    /// The entry an item stands for, unless it is stale.
    pub(crate) fn covered(&self, item: Item) -> Option<EntryRef<'_, Value>> {
        let table = &self.tables[item.slot()];
        let mut found = None;
        table.visit_hash(item.hash(), |e| {
            if item.covers(&e) && table.hash(e.key()) == item.hash() {
                found = Some(e);
            }
        });
        found
    }
}
