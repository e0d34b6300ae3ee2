//! Looking at several keys at once, through a shared borrow.
//!
//! A command that works on many containers together (SINTER, ZUNION, …) first calls
//! [`Keyspace::read`] for each key, which removes expired ones and counts, and then holds the
//! values side by side through [`Keyspace::view`].

use crate::keys::{Keyspace, fate};
use crate::value::Entry;
use structures::table::Fate;

impl Keyspace {
    /// The entry at `key`; an expired one is hidden as everywhere, but stays where it is. Notes
    /// and counts nothing.
    pub fn view(&self, db: u32, key: &[u8]) -> Option<Entry<'_>> {
        let d = &self.dbs[db as usize];
        let entry = d.tables[d.table_index(key)].find(d.hash(key), key)?;
        match fate(self.expired_keys, self.now_ms, entry) {
            Fate::Keep => Some(Entry(entry)),
            Fate::Hide | Fate::Remove => None,
        }
    }

    /// Keys the hash tables inside of values, as it does those of the databases.
    #[inline]
    pub fn hash_seed(&self) -> u64 {
        self.dbs.first().map_or(0, |d| d.hash_seed())
    }
}
