//! Putting a data set in place of another: what whoever loads a snapshot calls.

use crate::engine::Engine;
use crate::host::Host;

impl Engine {
    /// Empties all databases, to be loaded anew. Watched keys that were there count as touched;
    /// nothing is recorded as an effect. Sessions keep their databases' numbers. Returns how many keys
    /// went.
    pub fn empty_data_set(&mut self, host: &mut dyn Host) -> usize {
        let count = self.keyspace.db_count() as u32;
        for db in 0..count {
            self.touch_all_watched(None, db, None);
        }
        let keys = (0..count).map(|db| self.keyspace.flush(db)).sum();
        self.drop_garbage(host);
        keys
    }
}
