//! Values too big to be shown in their bucket's turn.
//!
//! When the bucket of such a value is settled, every pass it owes gets a reader of its own in the
//! value's container (`structures::table_reader`, `structures::list`), which from then on sees the
//! value as it is at that moment, whatever commands do to it. Where the value lives is kept here:
//! found by database and key, moved by RENAME, and owned here once the key is deleted or overwritten.
//!
//! A string has no reader inside; its chunks are copied here before a command changes them
//! ([`BigValues::before_text_change`]). Knows no buckets. Tests: `tests/snapshot.rs`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::homes::{DbId, Homes};
use super::{BigShape, PassId, Piece};
use crate::db::Db;
use crate::hash::Hash;
use crate::keys::Garbage;
use crate::set::Set;
use crate::sorted_set::SortedSet;
use crate::value::Value;
use structures::entry::{OwnedEntry, ValueRef};
use structures::table_reader::{ReaderId, TableRemains};

/// Elements shown, and bytes of list nodes, between two looks at the time.
const SLICE_ELEMENTS: usize = 64;
const SLICE_BYTES: usize = 16 * 1024;
/// Nodes of a list count as so many elements.
const NODE_ELEMENTS: usize = 64;

/// A value with more elements or bytes is shown in pieces.
#[derive(Clone, Copy, Debug)]
pub struct BigLimits {
    pub elements_max: usize,
    pub bytes_max: usize,
    /// A string is copied and shown by pieces of this size.
    pub chunk_bytes: usize,
}

impl Default for BigLimits {
    fn default() -> BigLimits {
        BigLimits {
            elements_max: 1024,
            bytes_max: 128 * 1024,
            chunk_bytes: 64 * 1024,
        }
    }
}

impl BigLimits {
    /// About how many bytes showing the value takes; nothing if it is big. Compact encodings are
    /// one block each, and small by the configuration that allows them.
    pub(super) fn weigh(&self, value: &Value) -> Option<usize> {
        let elements = match value {
            Value::Bytes(bytes) => return Some(bytes.len()).filter(|len| *len <= self.bytes_max),
            Value::List(list) if list.is_quicklist() => list.node_count() * NODE_ELEMENTS,
            Value::Set(Set::Table(table)) => table.len(),
            Value::Hash(Hash::Table(table)) => table.len(),
            Value::SortedSet(SortedSet::Table(set)) => set.len(),
            _ => return Some(value.heap_bytes()),
        };
        if elements > self.elements_max {
            return None;
        }
        Some(value.heap_bytes()).filter(|bytes| *bytes <= self.bytes_max)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ValueId(u64);

/// A pass's hold on a big value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reader {
    /// In the container.
    Inside(ReaderId),
    /// In [`BigValue::texts`].
    Text,
}

#[derive(Default)]
pub(super) struct BigValues {
    values: BTreeMap<ValueId, BigValue>,
    /// Values that are still in a database.
    located: BTreeMap<DbId, BTreeMap<Box<[u8]>, ValueId>>,
    next: u64,
    chunk_bytes: usize,
}

struct BigValue {
    place: Place,
    readers: usize,
    texts: Vec<Text>,
}

enum Place {
    At(DbId, Box<[u8]>),
    /// The key was deleted or got another value.
    Kept(Value),
}

/// What one pass still has to see of a string.
struct Text {
    pass: PassId,
    len_bytes: usize,
    next_chunk: usize,
    /// As they were, by number: chunks that changed before they were shown.
    chunks: BTreeMap<usize, Box<[u8]>>,
}

impl BigValues {
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether a value of this database is wanted.
    pub fn any_in(&self, db: DbId) -> bool {
        self.located.contains_key(&db)
    }

    /// The value at this place, which may be known already from another pass.
    pub fn register(&mut self, db: DbId, key: &[u8]) -> ValueId {
        let here = self.located.entry(db).or_default();
        if let Some(id) = here.get(key) {
            return *id;
        }
        let id = ValueId(self.next);
        self.next += 1;
        here.insert(key.into(), id);
        let value = BigValue {
            place: Place::At(db, key.into()),
            readers: 0,
            texts: Vec::new(),
        };
        self.values.insert(id, value);
        id
    }

    /// From now on, the pass reads the value as it is.
    pub fn begin_reader(
        &mut self,
        id: ValueId,
        pass: PassId,
        value: &mut Value,
        limits: &BigLimits,
    ) -> Option<(Reader, BigShape)> {
        let big = self.values.get_mut(&id)?;
        let (reader, shape) = match value {
            Value::Bytes(bytes) => {
                // One size for all strings under way, whatever the limits become meanwhile.
                if self.chunk_bytes == 0 {
                    self.chunk_bytes = limits.chunk_bytes.max(1);
                }
                let len_bytes = bytes.len();
                big.texts.push(Text {
                    pass,
                    len_bytes,
                    next_chunk: 0,
                    chunks: BTreeMap::new(),
                });
                (Reader::Text, BigShape::String { len_bytes })
            }
            Value::List(list) => {
                let (nodes, len) = (list.node_count(), list.len());
                let reader = list.begin_reader()?;
                (Reader::Inside(reader), BigShape::List { nodes, len })
            }
            Value::Set(Set::Table(table)) => {
                let len = table.len();
                (Reader::Inside(table.begin_reader()), BigShape::Set { len })
            }
            Value::Hash(Hash::Table(table)) => {
                let len = table.len();
                (Reader::Inside(table.begin_reader()), BigShape::Hash { len })
            }
            Value::SortedSet(SortedSet::Table(set)) => {
                let len = set.len();
                let reader = Reader::Inside(set.begin_reader());
                (reader, BigShape::SortedSet { len })
            }
            _ => return None,
        };
        big.readers += 1;
        Some((reader, shape))
    }

    /// Shows the pass a slice of the value; true when it has seen all of it.
    pub fn read_some(
        &mut self,
        dbs: &mut [Db],
        homes: &mut Homes,
        id: ValueId,
        pass: PassId,
        reader: Reader,
        show: &mut dyn FnMut(Piece<'_>),
    ) -> bool {
        let chunk_bytes = self.chunk_bytes;
        let Some(BigValue { place, texts, .. }) = self.values.get_mut(&id) else {
            return true;
        };
        let Some(value) = value_at(place, dbs, homes) else {
            debug_assert!(false, "a wanted value is where it is said to be");
            return true;
        };
        match reader {
            Reader::Inside(reader) => read_inside(value, reader, show),
            Reader::Text => match (value, texts.iter_mut().find(|text| text.pass == pass)) {
                (Value::Bytes(bytes), Some(text)) => text.read_some(bytes, chunk_bytes, show),
                _ => true,
            },
        }
    }

    /// The pass has no more use for the value. What was kept for it goes to `garbage`.
    pub fn end_reader(
        &mut self,
        dbs: &mut [Db],
        homes: &mut Homes,
        garbage: &mut Vec<Garbage>,
        (id, pass, reader): (ValueId, PassId, Reader),
    ) {
        let Some(big) = self.values.get_mut(&id) else {
            return;
        };
        match reader {
            Reader::Inside(reader) => {
                if let Some(value) = value_at(&mut big.place, dbs, homes) {
                    end_inside(value, reader, garbage);
                }
            }
            Reader::Text => {
                for text in big.texts.extract_if(.., |text| text.pass == pass) {
                    if !text.chunks.is_empty() {
                        garbage.push(Garbage::Remains(Box::new(text.chunks)));
                    }
                }
            }
        }
        big.readers -= 1;
        if big.readers == 0 {
            self.forget(id, garbage);
        }
    }

    fn forget(&mut self, id: ValueId, garbage: &mut Vec<Garbage>) {
        match self.values.remove(&id).map(|big| big.place) {
            Some(Place::At(db, key)) => {
                self.unlocate(db, &key);
            }
            Some(Place::Kept(value)) => garbage.push(Garbage::Value(value)),
            None => {}
        }
        if self.values.is_empty() {
            self.chunk_bytes = 0;
        }
    }

    fn unlocate(&mut self, db: DbId, key: &[u8]) -> Option<ValueId> {
        let here = self.located.get_mut(&db)?;
        let id = here.remove(key);
        if here.is_empty() {
            self.located.remove(&db);
        }
        id
    }

    /// An entry has left its database. Keeps its value if a pass wants it; else returns the entry.
    pub fn removed(&mut self, db: DbId, entry: OwnedEntry<Value>) -> Option<OwnedEntry<Value>> {
        if entry.get().payload().is_none() {
            return Some(entry);
        }
        let Some(id) = self.unlocate(db, entry.get().key()) else {
            return Some(entry);
        };
        if let structures::entry::OwnedValue::Payload(value) = entry.into_value() {
            self.keep(id, value);
        }
        None
    }

    /// A key's value was replaced in place by another; as [`BigValues::removed`].
    pub fn replaced(&mut self, db: DbId, key: &[u8], old: Value) -> Option<Value> {
        match self.unlocate(db, key) {
            Some(id) => {
                self.keep(id, old);
                None
            }
            None => Some(old),
        }
    }

    fn keep(&mut self, id: ValueId, value: Value) {
        if let Some(big) = self.values.get_mut(&id) {
            big.place = Place::Kept(value);
        }
    }

    /// The value at this place is on its way to another one, see [`BigValues::moved_to`].
    pub fn moved_from(&mut self, db: DbId, key: &[u8]) -> Option<ValueId> {
        self.unlocate(db, key)
    }

    pub fn moved_to(&mut self, id: ValueId, db: DbId, key: &[u8]) {
        self.located.entry(db).or_default().insert(key.into(), id);
        if let Some(big) = self.values.get_mut(&id) {
            big.place = Place::At(db, key.into());
        }
    }

    /// A command is going to change these ranges of the string at `key`, or append to it.
    pub fn before_text_change(
        &mut self,
        db: DbId,
        key: &[u8],
        bytes: &[u8],
        changes: &[Range<usize>],
    ) {
        let id = self.located.get(&db).and_then(|here| here.get(key));
        let Some(big) = id.and_then(|id| self.values.get_mut(id)) else {
            return;
        };
        for text in &mut big.texts {
            for range in changes {
                text.save(bytes, range, self.chunk_bytes);
            }
        }
    }
}

impl Text {
    /// Copies the chunks that `range` touches, unless they were copied or shown before.
    fn save(&mut self, bytes: &[u8], range: &Range<usize>, chunk_bytes: usize) {
        let end = range.end.min(self.len_bytes);
        if range.start >= end {
            return;
        }
        let first = (range.start / chunk_bytes).max(self.next_chunk);
        for number in first..end.div_ceil(chunk_bytes) {
            self.chunks.entry(number).or_insert_with(|| {
                let start = number * chunk_bytes;
                let end = (start + chunk_bytes).min(self.len_bytes);
                bytes[start..end].into()
            });
        }
    }

    fn read_some(
        &mut self,
        bytes: &[u8],
        chunk_bytes: usize,
        show: &mut dyn FnMut(Piece<'_>),
    ) -> bool {
        let start = self.next_chunk * chunk_bytes;
        if start < self.len_bytes {
            let end = (start + chunk_bytes).min(self.len_bytes);
            match self.chunks.remove(&self.next_chunk) {
                Some(chunk) => show(Piece::Bytes(&chunk)),
                None => show(Piece::Bytes(&bytes[start..end])),
            }
            self.next_chunk += 1;
        }
        self.next_chunk * chunk_bytes >= self.len_bytes
    }
}

fn value_at<'a>(
    place: &'a mut Place,
    dbs: &'a mut [Db],
    homes: &'a mut Homes,
) -> Option<&'a mut Value> {
    match place {
        Place::Kept(value) => Some(value),
        Place::At(db, key) => homes.find(dbs, *db)?.payload_mut(key),
    }
}

fn read_inside(value: &mut Value, id: ReaderId, show: &mut dyn FnMut(Piece<'_>)) -> bool {
    match value {
        Value::List(list) => list.read_some(id, SLICE_BYTES, &mut |node| show(Piece::Node(node))),
        Value::Set(Set::Table(table)) => {
            table.read_some(id, SLICE_ELEMENTS, &mut |e| show(Piece::Member(e.key())))
        }
        Value::Hash(Hash::Table(table)) => {
            table.read_some(id, SLICE_ELEMENTS, &mut |e| match e.value() {
                ValueRef::Bytes(bytes) => show(Piece::Pair(e.key(), bytes)),
                ValueRef::Payload(long) => show(Piece::Pair(e.key(), long)),
                ValueRef::Int(_) => unreachable!("a hash's table holds texts only"),
            })
        }
        Value::SortedSet(SortedSet::Table(set)) => {
            set.read_some(id, SLICE_ELEMENTS, &mut |member, score| {
                show(Piece::Scored(member, score));
            })
        }
        _ => true,
    }
}

/// Whether somebody reads the value as it was.
pub(super) fn has_readers(value: &Value) -> bool {
    match value {
        Value::List(list) => list.has_readers(),
        Value::Set(Set::Table(table)) => table.has_readers(),
        Value::Hash(Hash::Table(table)) => table.has_readers(),
        Value::SortedSet(SortedSet::Table(set)) => set.has_readers(),
        _ => false,
    }
}

fn end_inside(value: &mut Value, id: ReaderId, garbage: &mut Vec<Garbage>) {
    match value {
        Value::List(list) => {
            if let Some(remains) = list.end_reader(id).filter(|r| !r.is_empty()) {
                garbage.push(Garbage::Remains(Box::new(remains)));
            }
        }
        Value::Set(Set::Table(table)) => leave(table.end_reader(id), garbage),
        Value::Hash(Hash::Table(table)) => leave(table.end_reader(id), garbage),
        Value::SortedSet(SortedSet::Table(set)) => leave(set.end_reader(id), garbage),
        _ => {}
    }
}

fn leave<V: Send + 'static>(saved: TableRemains<V>, garbage: &mut Vec<Garbage>) {
    if !saved.is_empty() {
        garbage.push(Garbage::Remains(Box::new(saved)));
    }
}
