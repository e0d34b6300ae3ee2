//! What a key holds: the types, their encodings' names, and typed access to an entry.
//!
//! Strings live in the entry itself (integer or inline bytes) unless they are long or were grown by
//! APPEND, SETRANGE and the like; those and all containers are payloads. The entry's tag byte holds
//! the [`Type`], so TYPE, SCAN TYPE and type checks do not touch the payload.

use crate::hash::Hash;
use crate::set::Set;
use crate::sorted_set::SortedSet;
use structures::bytes::ThinBytes;
use structures::entry::{EntryRef, ValueRef};
use structures::list::List;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    String = 0,
    List = 1,
    Set = 2,
    SortedSet = 3,
    Hash = 4,
}

impl Type {
    pub const ALL: [Type; 5] = [
        Type::String,
        Type::List,
        Type::Set,
        Type::SortedSet,
        Type::Hash,
    ];

    /// The name that TYPE replies and SCAN's TYPE option takes.
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::SortedSet => "zset",
            Type::Hash => "hash",
        }
    }

    pub(crate) fn from_tag(tag: u8) -> Type {
        Type::ALL[usize::from(tag)]
    }
}

/// The payload of an entry. Strings that fit stay out of here.
#[derive(Clone)]
pub enum Value {
    Bytes(ThinBytes),
    List(List),
    Set(Set),
    SortedSet(SortedSet),
    Hash(Hash),
}
const _: () = assert!(size_of::<Value>() <= 24);

impl Value {
    pub fn kind(&self) -> Type {
        match self {
            Value::Bytes(_) => Type::String,
            Value::List(_) => Type::List,
            Value::Set(_) => Type::Set,
            Value::SortedSet(_) => Type::SortedSet,
            Value::Hash(_) => Type::Hash,
        }
    }

    /// Heap bytes the payload owns.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Value::Bytes(b) => b.heap_bytes(),
            Value::List(l) => l.heap_bytes(),
            Value::Set(s) => s.heap_bytes(),
            Value::SortedSet(z) => z.heap_bytes(),
            Value::Hash(h) => h.heap_bytes(),
        }
    }

    /// Starts loading what a look-up of `member` will need. A big container's bucket comes first:
    /// the member's hash is returned for [`Value::prefetch_member`].
    #[inline]
    pub fn prefetch(&self, member: &[u8]) -> Option<u64> {
        match self {
            Value::Hash(Hash::Packed(pack))
            | Value::Set(Set::Packed(pack))
            | Value::SortedSet(SortedSet::Packed(pack)) => {
                pack.prefetch();
                None
            }
            Value::Hash(Hash::Table(table)) => {
                let hash = table.hash(member);
                table.prefetch_bucket(hash);
                Some(hash)
            }
            Value::Set(Set::Table(table)) => {
                let hash = table.hash(member);
                table.prefetch_bucket(hash);
                Some(hash)
            }
            Value::SortedSet(SortedSet::Table(set)) => Some(set.prefetch_bucket(member)),
            Value::Bytes(_) | Value::List(_) | Value::Set(Set::Ints(_)) => None,
        }
    }

    /// Starts loading the member's cell once its bucket was prefetched.
    #[inline]
    pub fn prefetch_member(&self, hash: u64) {
        match self {
            Value::Hash(Hash::Table(table)) => table.prefetch_cell(hash),
            Value::Set(Set::Table(table)) => table.prefetch_cell(hash),
            Value::SortedSet(SortedSet::Table(set)) => set.prefetch_cell(hash),
            _ => {}
        }
    }

    /// How many separate allocations freeing it takes, roughly: decides whether that is worth a
    /// background thread.
    pub fn free_effort(&self) -> usize {
        match self {
            Value::Bytes(_) => 1,
            Value::List(l) => l.node_count(),
            Value::Set(s) => s.free_effort(),
            Value::SortedSet(z) => z.free_effort(),
            Value::Hash(h) => h.free_effort(),
        }
    }
}

/// A container type that commands ask for by name: `keyspace.get::<Hash>(db, key)`.
pub trait Kind: Sized {
    const TYPE: Type;
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    fn wrap(self) -> Value;
}

macro_rules! kind {
    ($($name:ident)*) => {$(
        impl Kind for $name {
            const TYPE: Type = Type::$name;
            fn of(value: &Value) -> Option<&Self> {
                match value { Value::$name(v) => Some(v), _ => None }
            }
            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                match value { Value::$name(v) => Some(v), _ => None }
            }
            fn wrap(self) -> Value { Value::$name(self) }
        }
    )*};
}
kind!(List Set SortedSet Hash);

/// The key holds another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A string value as stored.
#[derive(Clone, Copy, Debug)]
pub enum Str<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

/// Room for the text of an integer.
pub type IntText = structures::decimal::IntBuf;

impl<'a> Str<'a> {
    pub fn len(&self) -> usize {
        match self {
            Str::Int(n) => IntText::new().format(*n).len(),
            Str::Bytes(b) => b.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Str::Bytes([]))
    }

    pub fn as_bytes<'s>(&self, text: &'s mut IntText) -> &'s [u8]
    where
        'a: 's,
    {
        match *self {
            Str::Int(n) => text.format(n),
            Str::Bytes(b) => b,
        }
    }

    pub fn to_vec(&self) -> Vec<u8> {
        self.as_bytes(&mut IntText::new()).to_vec()
    }
}

/// The string in an entry, if it holds one.
#[inline]
pub fn str_of<'a>(entry: EntryRef<'a, Value>) -> Option<Str<'a>> {
    match entry.value() {
        ValueRef::Int(n) => Some(Str::Int(n)),
        ValueRef::Bytes(b) => Some(Str::Bytes(b)),
        ValueRef::Payload(Value::Bytes(b)) => Some(Str::Bytes(b.as_slice())),
        ValueRef::Payload(_) => None,
    }
}

/// An entry as commands that work on any type see it.
#[derive(Clone, Copy)]
pub struct Entry<'a>(pub(crate) EntryRef<'a, Value>);

impl<'a> Entry<'a> {
    pub fn key(&self) -> &'a [u8] {
        self.0.key()
    }

    pub fn kind(&self) -> Type {
        Type::from_tag(self.0.tag())
    }

    /// Absolute expiry, Unix milliseconds.
    pub fn expiry_ms(&self) -> Option<i64> {
        self.0.expiry()
    }

    pub fn string(&self) -> Option<Str<'a>> {
        str_of(self.0)
    }

    pub fn payload(&self) -> Option<&'a Value> {
        self.0.payload()
    }

    pub fn get<K: Kind>(&self) -> Option<&'a K> {
        K::of(self.0.payload()?)
    }

    /// LRU clock or LFU data as last written.
    pub fn access(&self) -> u32 {
        self.0.aux()
    }

    /// What OBJECT ENCODING says.
    pub fn encoding(&self) -> &'static str {
        match self.0.value() {
            ValueRef::Int(_) => "int",
            // Redis embeds strings of up to 44 bytes; clients and tests know the names.
            ValueRef::Bytes(b) if b.len() <= 44 => "embstr",
            ValueRef::Bytes(_) => "raw",
            ValueRef::Payload(Value::Bytes(_)) => "raw",
            ValueRef::Payload(Value::List(l)) => {
                if l.is_quicklist() {
                    "quicklist"
                } else {
                    "listpack"
                }
            }
            ValueRef::Payload(Value::Set(s)) => s.encoding(),
            ValueRef::Payload(Value::SortedSet(z)) => z.encoding(),
            ValueRef::Payload(Value::Hash(h)) => h.encoding(),
        }
    }

    /// Heap bytes of key and value, without the table's share.
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes() + self.0.payload().map_or(0, Value::heap_bytes)
    }
}
