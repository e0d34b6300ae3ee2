//! `LoadBatch`: entries of a file on their way into the keyspace, a few at a time.
//!
//! Putting a small key into a large table is mostly waiting for the memory of one bucket. So keys are
//! kept back for a moment, each with its bucket already asked for, and put in place together; the
//! waits overlap. What lies in the file's buffer is copied, payloads move. Order is kept, so a
//! duplicate is found at the same key as without. Tests: at the bottom, and with the loader.

use std::ops::Range;

use engine::LoadEntry;
use keyspace::Keyspace;
use keyspace::value::Value;
use rdb::{AccessInfo, Loaded};

/// As many as a core can have under way, and some to spare.
const ENTRIES_MAX: usize = 32;
/// Longer texts than these are rare, and copying them costs more than it saves.
const TEXTS_MAX_BYTES: usize = 32 << 10;

enum Held {
    Int(i64),
    /// In [`LoadBatch::texts`].
    Short(Range<usize>),
    Payload(Value),
}

struct Item {
    db: u32,
    key: Range<usize>,
    value: Held,
    expiry_ms: Option<i64>,
    access: AccessInfo,
}

/// See the file header.
#[derive(Default)]
pub(crate) struct LoadBatch {
    texts: Vec<u8>,
    items: Vec<Item>,
}

impl LoadBatch {
    /// Takes an entry in. True if the batch is full now.
    pub fn push(&mut self, entry: LoadEntry<'_>, keyspace: &Keyspace) -> bool {
        if (entry.db as usize) < keyspace.db_count() {
            keyspace.prefetch_bucket(entry.db, entry.key);
        }
        let key = self.keep(entry.key);
        let value = match entry.value {
            Loaded::Int(value) => Held::Int(value),
            Loaded::Bytes(bytes) => Held::Short(self.keep(bytes)),
            Loaded::Payload(value) => Held::Payload(value),
        };
        self.items.push(Item {
            db: entry.db,
            key,
            value,
            expiry_ms: entry.expiry_ms,
            access: entry.access,
        });
        self.items.len() >= ENTRIES_MAX || self.texts.len() >= TEXTS_MAX_BYTES
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.texts.len();
        self.texts.extend_from_slice(bytes);
        start..self.texts.len()
    }

    /// Gives out all entries in order; those behind an error are dropped.
    pub fn drain<E>(
        &mut self,
        mut put: impl FnMut(LoadEntry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let texts = &self.texts;
        let result = self.items.drain(..).try_for_each(|item| {
            put(LoadEntry {
                db: item.db,
                key: &texts[item.key],
                value: match item.value {
                    Held::Int(value) => Loaded::Int(value),
                    Held::Short(range) => Loaded::Bytes(&texts[range]),
                    Held::Payload(value) => Loaded::Payload(value),
                },
                expiry_ms: item.expiry_ms,
                access: item.access,
            })
        });
        self.texts.clear();
        // One giant key does not keep its room.
        self.texts.shrink_to(2 * TEXTS_MAX_BYTES);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Engine;

    fn engine() -> Engine {
        Engine::new(config::Config::default(), 1, 1_700_000_000_000_000)
    }

    fn entry<'a>(db: u32, key: &'a [u8], value: Loaded<'a>) -> LoadEntry<'a> {
        LoadEntry {
            db,
            key,
            value,
            expiry_ms: Some(i64::from(db)),
            access: AccessInfo::IdleSeconds(7),
        }
    }

    type Shown = (u32, Vec<u8>, String, Option<i64>, AccessInfo);

    fn shown(entry: LoadEntry<'_>) -> Shown {
        let value = match entry.value {
            Loaded::Int(number) => number.to_string(),
            Loaded::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Loaded::Payload(_) => "payload".into(),
        };
        let LoadEntry {
            db,
            expiry_ms,
            access,
            ..
        } = entry;
        (db, entry.key.to_vec(), value, expiry_ms, access)
    }

    fn drained(batch: &mut LoadBatch) -> Vec<Shown> {
        let mut all = Vec::new();
        let result: Result<(), ()> = batch.drain(|entry| {
            all.push(shown(entry));
            Ok(())
        });
        assert_eq!(result, Ok(()));
        all
    }

    #[test]
    fn entries_come_out_as_they_went_in_and_in_order() {
        let (engine, mut batch) = (engine(), LoadBatch::default());
        let access = AccessInfo::IdleSeconds(7);
        for round in 0..3 {
            let list = Value::List(Default::default());
            for (db, key, value) in [
                (0, &b"number"[..], Loaded::Int(-5)),
                (1, b"text", Loaded::Bytes(b"abc")),
                (1, b"", Loaded::Bytes(b"")),
                (2, b"list", Loaded::Payload(list)),
                // No such database: found out by who puts it in place.
                (u32::MAX, b"text", Loaded::Bytes(b"again")),
            ] {
                assert!(
                    !batch.push(entry(db, key, value), &engine.keyspace),
                    "round {round}"
                );
            }
            let expected = [
                (0, &b"number"[..], "-5"),
                (1, b"text", "abc"),
                (1, b"", ""),
                (2, b"list", "payload"),
                (u32::MAX, b"text", "again"),
            ]
            .map(|(db, key, value)| {
                (
                    db,
                    key.to_vec(),
                    value.to_owned(),
                    Some(i64::from(db)),
                    access,
                )
            });
            assert_eq!(drained(&mut batch), expected);
            assert_eq!(drained(&mut batch), []);
        }
    }

    #[test]
    fn it_is_full_after_so_many_entries_or_so_much_text() {
        let (engine, mut batch) = (engine(), LoadBatch::default());
        for number in 1..=ENTRIES_MAX {
            let is_full = batch.push(entry(0, b"key", Loaded::Int(1)), &engine.keyspace);
            assert_eq!(is_full, number == ENTRIES_MAX);
        }
        drained(&mut batch);
        let half = vec![b'x'; TEXTS_MAX_BYTES / 2];
        assert!(!batch.push(entry(0, b"", Loaded::Bytes(&half)), &engine.keyspace));
        assert!(batch.push(entry(0, &half, Loaded::Int(1)), &engine.keyspace));
    }

    #[test]
    fn what_follows_an_error_is_dropped() {
        let (engine, mut batch) = (engine(), LoadBatch::default());
        for key in [&b"a"[..], b"b", b"c"] {
            batch.push(entry(0, key, Loaded::Int(1)), &engine.keyspace);
        }
        let mut put = Vec::new();
        let result = batch.drain(|entry| {
            put.push(entry.key.to_vec());
            if entry.key == b"b" {
                Err("twice")
            } else {
                Ok(())
            }
        });
        assert_eq!(
            (result, put),
            (Err("twice"), vec![b"a".to_vec(), b"b".to_vec()])
        );
        assert_eq!(drained(&mut batch), []);
    }

    #[test]
    fn one_giant_key_does_not_keep_its_room() {
        let (engine, mut batch) = (engine(), LoadBatch::default());
        let giant = vec![b'x'; 10 << 20];
        assert!(batch.push(entry(0, &giant, Loaded::Bytes(&giant)), &engine.keyspace));
        assert_eq!(drained(&mut batch).len(), 1);
        assert!(batch.texts.capacity() <= 4 * TEXTS_MAX_BYTES);
    }
}
