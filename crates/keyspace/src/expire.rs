//! Expiry: setting it, and removing what is due without waiting to be asked.
//!
//! The index says exactly what is due next, so the active cycle only ever touches keys that have
//! expired: no sampling, and a budget per call keeps each slice short.

use crate::db::Db;
use crate::keys::{ExpiredKeys, Keyspace, note_expired};

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

    /// Removes up to `budget` expired keys of database `db`. Returns how many went; fewer than the
    /// budget means that nothing more is due.
    pub fn expire_due(&mut self, db: u32, budget: usize) -> usize {
        if self.expired_keys != ExpiredKeys::Delete {
            return 0;
        }
        let mut removed = 0;
        while removed < budget {
            let d = &mut self.dbs[db as usize];
            let Some(item) = d.expires.first() else { break };
            let (at_ms, index, hash) = Db::item_parts(item);
            if at_ms > self.now_ms {
                break;
            }
            d.expires.pop_first();
            let entry = d.tables[index].remove_where(hash, |e| Db::item_matches(item, &e));
            let entry = entry.expect("the expiry index names an entry of the table");
            d.len_removed();
            note_expired(
                &mut self.stats,
                &mut self.journal,
                &mut self.garbage,
                db,
                entry,
            );
            removed += 1;
        }
        removed
    }

    /// When the next key of any database expires, Unix milliseconds.
    pub fn next_expiry_ms(&self) -> Option<i64> {
        self.dbs
            .iter()
            .filter_map(|d| d.expires.first())
            .map(|item| Db::item_parts(item).0)
            .min()
    }

    /// Mean remaining life of volatile keys in a database, from a few evenly spread ones.
    pub fn average_ttl_ms(&self, db: u32) -> i64 {
        const SAMPLES: usize = 16;
        let expires = &self.dbs[db as usize].expires;
        let count = expires.len().min(SAMPLES);
        if count == 0 {
            return 0;
        }
        let total: i128 = (0..count)
            .filter_map(|i| expires.get(i * expires.len() / count))
            .map(|item| i128::from((Db::item_parts(item).0 - self.now_ms).max(0)))
            .sum();
        (total / count as i128) as i64
    }
}
