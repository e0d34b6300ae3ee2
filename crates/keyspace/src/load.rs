//! Putting keys in place as they were saved: from a file, a full synchronisation, a DUMP.
//!
//! Nothing is announced and no statistics are kept; who loads decides beforehand whether an expired
//! key is worth loading. Tests: below.

use crate::keys::{Garbage, Keyspace};
use crate::string::encode;
use crate::value::{Type, Value};
use structures::entry::{INLINE_MAX, NewValue};

impl Keyspace {
    /// Adds a key with its access bits ([`Keyspace::access_bits_for_idle`],
    /// [`Keyspace::access_bits_for_frequency`]), or as just used. A string may come in any form and of
    /// any length. False, and nothing changed, if the key is there already, expired or not.
    pub fn load(
        &mut self,
        db: u32,
        key: &[u8],
        value: NewValue<'_, Value>,
        expiry_ms: Option<i64>,
        access: Option<u32>,
    ) -> bool {
        let d = &self.dbs[db as usize];
        let (hash, index) = (d.hash(key), d.table_index(key));
        if d.tables[index].find(hash, key).is_some() {
            return false;
        }
        let (value, tag) = match &value {
            NewValue::Int(_) => (value, Type::String),
            NewValue::Bytes(bytes) => (encode(bytes), Type::String),
            NewValue::Payload(Value::Bytes(bytes)) if bytes.len() <= INLINE_MAX => {
                (encode(bytes), Type::String)
            }
            NewValue::Payload(payload) => {
                let kind = payload.kind();
                (value, kind)
            }
        };
        let bits = access.unwrap_or_else(|| self.access.fresh());
        self.before_write(db, key);
        let d = &mut self.dbs[db as usize];
        d.tables[index].insert_new(hash, key, value, tag as u8, bits, expiry_ms);
        d.added();
        d.reindex(index, hash, None, expiry_ms);
        true
    }

    /// An empty data set with this one's hashing and access bits, to be loaded on the side and then
    /// given to [`Keyspace::replace_data`].
    pub fn incoming(&self) -> Keyspace {
        let mut incoming = Keyspace::new(self.db_count(), 0, false);
        for db in 0..self.db_count() {
            incoming.dbs[db] = self.empty_db();
        }
        incoming.access.tracking = self.access.tracking;
        incoming.set_now(self.now_ms);
        incoming
    }

    /// Puts what [`Keyspace::incoming`] was filled with in the place of all databases. Passes under
    /// way go on seeing the old content, which is garbage afterwards. Returns how many keys it had.
    pub fn replace_data(&mut self, mut incoming: Keyspace) -> usize {
        let mut keys = 0;
        for (db, new) in (0..).zip(std::mem::take(&mut incoming.dbs)) {
            keys += self.replace_db(db, new);
        }
        self.garbage.append(&mut incoming.garbage);
        keys
    }

    /// Makes a data set garbage that was loaded on the side and is not wanted.
    pub fn discard(&mut self, incoming: Keyspace) {
        let filled = incoming.dbs.into_iter().filter(|db| !db.is_empty());
        self.garbage.extend(filled.map(Garbage::Db));
    }

    /// Makes room for about so many keys in an empty database, so that loading them does not grow it
    /// step by step. Takes some 12 bytes a key at once: bound a number that a file claims. With a table
    /// per slot nothing is done; those are small.
    pub fn reserve(&mut self, db: u32, keys: usize) {
        if let [table] = &mut self.dbs[db as usize].tables[..] {
            table.reserve(keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expiry, Str};
    use structures::bytes::ThinBytes;
    use structures::list::{List, ListLimits};

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(2, 7, false);
        keyspace.set_now(1_000_000_000);
        keyspace
    }

    #[test]
    fn a_loaded_string_has_its_cheapest_form() {
        let mut keyspace = keyspace();
        let long = vec![b'x'; 5000];
        let loaded = [
            (&b"int"[..], NewValue::Bytes(b"12"), "int", &b"12"[..]),
            (b"long", NewValue::Bytes(&long), "raw", &long),
            (b"real int", NewValue::Int(-3), "int", b"-3"),
            (
                b"short",
                NewValue::Payload(Value::Bytes(ThinBytes::from_slice(b"abc"))),
                "embstr",
                b"abc",
            ),
        ];
        for (key, value, encoding, content) in loaded {
            assert!(keyspace.load(0, key, value, None, None));
            let entry = keyspace.peek(0, key).unwrap();
            assert_eq!(entry.encoding(), encoding);
            assert_eq!(entry.string().as_ref().map(Str::to_vec).unwrap(), content);
        }
    }

    #[test]
    fn a_key_that_is_there_stays_as_it_is() {
        let mut keyspace = keyspace();
        keyspace.set_string(0, b"k", b"old", Expiry::Clear);
        assert!(!keyspace.load(0, b"k", NewValue::Bytes(b"new"), None, None));
        assert!(keyspace.load(1, b"k", NewValue::Bytes(b"new"), None, None));
        assert_eq!(keyspace.string(0, b"k").unwrap().unwrap().to_vec(), b"old");
    }

    #[test]
    fn expiry_type_and_access_are_taken_over() {
        let mut keyspace = keyspace();
        keyspace.reserve(0, 1000);
        let mut list = List::new();
        list.push_back(b"a", &ListLimits::default());
        let bits = keyspace.access_bits_for_idle(77);
        let value = NewValue::Payload(Value::List(list));
        assert!(keyspace.load(0, b"l", value, Some(1_000_000_500), Some(bits)));
        let entry = keyspace.peek(0, b"l").unwrap();
        assert_eq!(entry.kind(), Type::List);
        assert_eq!(entry.expiry_ms(), Some(1_000_000_500));
        assert_eq!(keyspace.access_meter().idle_seconds(bits), 77);
        assert_eq!(keyspace.db(0).volatile_len(), 1);
        keyspace.set_now(1_000_000_600);
        assert_eq!(keyspace.expire_due(0, 10), 1);
        keyspace.track_lfu(10, 1);
        let bits = keyspace.access_bits_for_frequency(9);
        assert_eq!(keyspace.access_meter().frequency(bits), 9);
    }
}
