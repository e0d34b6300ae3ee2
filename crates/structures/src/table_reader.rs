//! Reading a [`Table`] in slices as it was at one moment, while it goes on changing.
//!
//! A reader has a version, one more than the reader before it. A bucket whose stamp is below a
//! reader's version still owes that reader its content. Before such a bucket changes, its entries are
//! copied for every reader it owes, and the bucket is stamped with the latest version; the reader's
//! own walk does the same for the rest, bucket by bucket, without copying for itself. So every entry
//! is shown exactly once, in no order. Growth is harmless, because the halves of a split bucket have
//! its stamp; shrinking waits for buckets of one stamp ([`Table::shrink_some`]).
//!
//! Versions do not wrap: when they run out, stamps and versions are numbered afresh, in one walk
//! over the buckets every 65,535 readers.
//!
//! The databases' tables have no readers of their own; `keyspace` stamps their buckets by the same
//! rule. Tests: `tests/readers.rs`.

use crate::entry::{Cell, EntryRef, NewValue, OwnedEntry, ValueRef};
use crate::table::Table;

/// Copied entries are kept in blocks of so many.
const BLOCK: usize = 512;

/// Names one reader of one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderId(pub(crate) u32);

pub(crate) struct Readers<V> {
    /// In the order in which they began, hence of their versions.
    list: Vec<Reader<V>>,
    next_id: u32,
    clone: fn(&V) -> V,
}

struct Reader<V> {
    id: ReaderId,
    version: u16,
    next_bucket: usize,
    /// Entries of buckets that changed before the walk reached them.
    saved: TableRemains<V>,
}

/// Entries that were copied for a reader and not shown yet, in blocks: one long vector would move
/// megabytes each time it grows.
pub struct TableRemains<V>(Vec<Vec<OwnedEntry<V>>>);

impl<V> TableRemains<V> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn push(&mut self, entry: OwnedEntry<V>) {
        match self.0.last_mut().filter(|block| block.len() < BLOCK) {
            Some(block) => block.push(entry),
            None => self.0.push(vec![entry]),
        }
    }

    fn pop(&mut self) -> Option<OwnedEntry<V>> {
        let block = self.0.last_mut()?;
        let entry = block.pop();
        if block.is_empty() {
            self.0.pop();
        }
        entry
    }
}

impl<V: Clone> Table<V> {
    /// From now on, [`Table::read_some`] shows the table as it is at this moment. End it with
    /// [`Table::end_reader`].
    pub fn begin_reader(&mut self) -> ReaderId {
        if self.version == u16::MAX {
            self.renumber_readers();
        }
        self.version += 1;
        let readers = self.readers.get_or_insert_with(|| {
            Box::new(Readers {
                list: Vec::new(),
                next_id: 0,
                clone: V::clone,
            })
        });
        let id = ReaderId(readers.next_id);
        readers.next_id = readers.next_id.wrapping_add(1);
        readers.list.push(Reader {
            id,
            version: self.version,
            next_bucket: 0,
            saved: TableRemains(Vec::new()),
        });
        id
    }
}

impl<V> Table<V> {
    pub fn has_readers(&self) -> bool {
        self.readers.is_some()
    }

    /// Shows the reader about `max` more entries, each once; true when it has seen all of them.
    pub fn read_some(
        &mut self,
        id: ReaderId,
        max: usize,
        visit: &mut dyn FnMut(EntryRef<'_, V>),
    ) -> bool {
        let Some(mut readers) = self.readers.take() else {
            return true;
        };
        let done = match readers.list.iter().position(|reader| reader.id == id) {
            Some(at) => self.advance(&mut readers, at, max, visit),
            None => true,
        };
        self.readers = Some(readers);
        done
    }

    fn advance(
        &mut self,
        readers: &mut Readers<V>,
        at: usize,
        max: usize,
        visit: &mut dyn FnMut(EntryRef<'_, V>),
    ) -> bool {
        let mut shown = 0;
        // A bucket without anything to show is work, too.
        let mut buckets_left = max.max(1);
        while shown < max {
            if let Some(entry) = readers.list[at].saved.pop() {
                visit(entry.get());
                shown += 1;
                continue;
            }
            let bucket = readers.list[at].next_bucket;
            if bucket >= self.bucket_count() {
                return true;
            }
            if buckets_left == 0 {
                break;
            }
            buckets_left -= 1;
            readers.list[at].next_bucket += 1;
            let (stamp, version) = (self.bucket_stamp(bucket), readers.list[at].version);
            if stamp >= version {
                continue;
            }
            self.visit_bucket(bucket, |entry| {
                visit(entry);
                shown += 1;
            });
            // Readers that began earlier may not have come here yet.
            self.save_bucket(bucket, &mut readers.list[..at], readers.clone);
            self.stamp_bucket(bucket, version);
        }
        false
    }

    /// The reader goes. What was copied for it and not shown is returned, to be dropped where that
    /// does not hurt.
    pub fn end_reader(&mut self, id: ReaderId) -> TableRemains<V> {
        let Some(readers) = &mut self.readers else {
            return TableRemains(Vec::new());
        };
        let saved = match readers.list.iter().position(|reader| reader.id == id) {
            Some(at) => readers.list.remove(at).saved,
            None => TableRemains(Vec::new()),
        };
        if readers.list.is_empty() {
            self.readers = None;
        }
        saved
    }

    /// To be called before anything changes in the bucket that `hash` belongs to.
    #[inline]
    pub(crate) fn before_change(&mut self, hash: u64) {
        if self.readers.is_some() {
            self.save_bucket_of(hash);
        }
    }

    #[cold]
    fn save_bucket_of(&mut self, hash: u64) {
        if self.bucket_count() == 0 {
            return;
        }
        let bucket = self.bucket_index(hash);
        if self.bucket_stamp(bucket) < self.version
            && let Some(mut readers) = self.readers.take()
        {
            let clone = readers.clone;
            self.save_bucket(bucket, &mut readers.list, clone);
            self.readers = Some(readers);
            self.stamp_bucket(bucket, self.version);
        }
    }

    /// Copies the bucket's entries for those of the readers that it owes.
    fn save_bucket(&self, bucket: usize, readers: &mut [Reader<V>], clone: fn(&V) -> V) {
        let stamp = self.bucket_stamp(bucket);
        for reader in readers.iter_mut().filter(|reader| stamp < reader.version) {
            let saved = &mut reader.saved;
            self.visit_bucket(bucket, |entry| saved.push(copy_of(entry, clone)));
        }
    }

    /// Versions become 1, 2, .. in the readers' order; a stamp becomes the number of readers that it
    /// owes nothing.
    #[cold]
    fn renumber_readers(&mut self) {
        let mut readers = self.readers.take();
        let list = readers.as_mut().map_or(&mut [][..], |r| &mut r.list[..]);
        self.renumber_stamps(|stamp| list.iter().filter(|r| r.version <= stamp).count() as u16);
        for (version, reader) in (1..).zip(list.iter_mut()) {
            reader.version = version;
        }
        self.version = list.len() as u16;
        self.readers = readers;
    }
}

fn copy_of<V>(entry: EntryRef<'_, V>, clone: fn(&V) -> V) -> OwnedEntry<V> {
    let value = match entry.value() {
        ValueRef::Int(n) => NewValue::Int(n),
        ValueRef::Bytes(bytes) => NewValue::Bytes(bytes),
        ValueRef::Payload(value) => NewValue::Payload(clone(value)),
    };
    let (key, tag, aux) = (entry.key(), entry.tag(), entry.aux());
    OwnedEntry::new(Cell::allocate(key, value, tag, aux, entry.expiry()))
}
