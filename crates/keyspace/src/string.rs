//! Strings: stored as an integer, inline beside the key, or (long, or grown in place) as a buffer
//! of their own.

use crate::keys::Keyspace;
use crate::notes::notes;
use crate::value::{Str, Type, Value, WrongType, str_of};
use std::ops::Range;
use structures::bytes::ThinBytes;
use structures::decimal::parse_i64;
use structures::entry::{EntryMut, INLINE_MAX, NewValue};
use structures::table::Inserted;

/// What a write does to a key's expiry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    Clear,
    Keep,
    /// Unix milliseconds.
    At(i64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StringError {
    WrongType,
    NotAnInteger,
    Overflow,
}

impl From<WrongType> for StringError {
    fn from(_: WrongType) -> Self {
        StringError::WrongType
    }
}

/// The cheapest form of a string: integer if it is one's canonical text, inline if short.
#[inline]
pub(crate) fn encode(bytes: &[u8]) -> NewValue<'_, Value> {
    if bytes.len() <= 20
        && let Some(n) = parse_i64(bytes)
    {
        return NewValue::Int(n);
    }
    if bytes.len() <= INLINE_MAX {
        NewValue::Bytes(bytes)
    } else {
        NewValue::Payload(Value::Bytes(ThinBytes::from_slice(bytes)))
    }
}

const TAG: u8 = Type::String as u8;

impl Keyspace {
    /// The string at `key`, for reading.
    #[inline]
    pub fn string(&mut self, db: u32, key: &[u8]) -> Result<Option<Str<'_>>, WrongType> {
        match self.read(db, key) {
            None => Ok(None),
            Some(entry) => entry.string().map(Some).ok_or(WrongType),
        }
    }

    /// The string at `key`, for a command that is going to change it: counts no hit or miss.
    #[inline]
    pub fn string_to_change(&mut self, db: u32, key: &[u8]) -> Result<Option<Str<'_>>, WrongType> {
        match self.find_mut(db, key) {
            None => Ok(None),
            Some(entry) => str_of(entry.into_ref()).map(Some).ok_or(WrongType),
        }
    }

    /// Stores a string, replacing a value of whatever type.
    #[inline]
    pub fn set_string(&mut self, db: u32, key: &[u8], bytes: &[u8], expiry: Expiry) {
        self.set_encoded(db, key, encode(bytes), expiry);
    }

    /// As [`Keyspace::set_string`], taking over a long string that was made for it.
    pub fn set_buffer(&mut self, db: u32, key: &[u8], bytes: ThinBytes, expiry: Expiry) {
        if bytes.len() <= INLINE_MAX {
            self.set_string(db, key, &bytes, expiry);
        } else {
            self.set_encoded(db, key, NewValue::Payload(Value::Bytes(bytes)), expiry);
        }
    }

    /// As [`Keyspace::set_string`], for an integer.
    pub fn set_int(&mut self, db: u32, key: &[u8], n: i64, expiry: Expiry) {
        self.set_encoded(db, key, NewValue::Int(n), expiry);
    }

    #[inline]
    fn set_encoded(&mut self, db: u32, key: &[u8], value: NewValue<'_, Value>, expiry: Expiry) {
        self.before_write(db, key);
        let (dbs, access) = (&mut self.dbs, &mut self.access);
        let d = &mut dbs[db as usize];
        let mut value = Some(value);
        let (mut entry, inserted) = d.find_or_insert(key, self.expired_keys, self.now_ms, || {
            (value.take().expect("made once"), TAG, access.fresh())
        });
        let (mut old, mut new) = (None, None);
        if let Some(value) = value {
            old = entry.get().expiry();
            new = match expiry {
                Expiry::Clear => None,
                Expiry::Keep => old,
                Expiry::At(at) => Some(at),
            };
            let bits = access.touch(entry.get().aux());
            entry.set_aux(bits);
            if let Some(replaced) = entry.replace(value, TAG, new) {
                notes!(self).discard_value(db, key, replaced);
            }
        } else {
            if let Expiry::At(at) = expiry {
                new = Some(at);
                entry.set_expiry(new);
            }
            notes!(self).inserted(db, key, inserted);
        }
        if old != new {
            let d = &mut dbs[db as usize];
            let (hash, index) = (d.hash(key), d.table_index(key));
            d.reindex(index, hash, old, new);
        }
    }

    /// Adds `delta` to the integer at `key` (0 if absent), keeping the expiry.
    pub fn add_int(&mut self, db: u32, key: &[u8], delta: i64) -> Result<i64, StringError> {
        let Some(mut entry) = self.find_mut(db, key) else {
            self.insert_new(db, key, NewValue::Int(delta), TAG, None);
            return Ok(delta);
        };
        let old = match str_of(entry.get()).ok_or(StringError::WrongType)? {
            Str::Int(n) => n,
            Str::Bytes(b) => parse_i64(b).ok_or(StringError::NotAnInteger)?,
        };
        let new = old.checked_add(delta).ok_or(StringError::Overflow)?;
        if !entry.set_int(new) {
            let expiry = entry.get().expiry();
            if let Some(replaced) = entry.replace(NewValue::Int(new), TAG, expiry) {
                notes!(self).discard_value(db, key, replaced);
            }
        }
        Ok(new)
    }

    /// The string at `key` as a growable buffer, made empty if there is none. For APPEND, SETRANGE,
    /// SETBIT, BITFIELD. Must not be left empty for a key that did not exist.
    ///
    /// `changes` are all the bytes of the present content that the caller may change; it may also
    /// append, but not make the string shorter. Ranges may reach beyond the end.
    pub fn string_buffer(
        &mut self,
        db: u32,
        key: &[u8],
        changes: &[Range<usize>],
    ) -> Result<&mut ThinBytes, WrongType> {
        self.before_write(db, key);
        let (dbs, access) = (&mut self.dbs, &mut self.access);
        let (mut entry, inserted) =
            dbs[db as usize].find_or_insert(key, self.expired_keys, self.now_ms, || {
                (
                    NewValue::Payload(Value::Bytes(ThinBytes::new())),
                    TAG,
                    access.fresh(),
                )
            });
        if !matches!(inserted, Inserted::No) {
            notes!(self).inserted(db, key, inserted);
        }
        make_buffer(&mut entry)?;
        let bits = access.touch(entry.get().aux());
        entry.set_aux(bits);
        match entry.into_payload() {
            Some(Value::Bytes(bytes)) => {
                if self.passes.has_bigs() {
                    self.passes.before_text_change(db, key, bytes, changes);
                }
                Ok(bytes)
            }
            _ => Err(WrongType),
        }
    }
}

/// Turns an integer or inline string into a buffer of its own.
fn make_buffer(entry: &mut EntryMut<'_, Value>) -> Result<(), WrongType> {
    let buffer = match str_of(entry.get()).ok_or(WrongType)? {
        Str::Bytes(_) if entry.get().payload().is_some() => return Ok(()),
        s => ThinBytes::from_slice(s.as_bytes(&mut crate::value::IntText::new())),
    };
    let expiry = entry.get().expiry();
    entry.replace(NewValue::Payload(Value::Bytes(buffer)), TAG, expiry);
    Ok(())
}
