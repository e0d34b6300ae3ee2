//! `LoadBatch`: entries of a file on their way into the keyspace, a few at a time.
//!
//! Putting a small key into a large table is mostly waiting for the memory of one bucket. So keys are
//! kept back for a moment, each with its bucket already asked for, and put in place together; the
//! waits overlap. What lies in the file's buffer is copied, payloads move. Order is kept, so a
//! duplicate is found at the same key as without. Tests: with the loader.

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
