//! Values that are stored as one blob: intsets, listpacks, ziplists, zipmaps.
//!
//! The structure of a blob is always checked in full: own code reads it later without doubts. A
//! blob with more elements than the limits allow becomes a table, as does Redis, and there a
//! duplicate shows itself. What else is wrong with the content is searched for only if
//! [`LoadLimits::deep`] says so. Tests: `tests/`.

use keyspace::hash::Hash;
use keyspace::set::Set;
use keyspace::sorted_set::SortedSet;
use keyspace::value::Value;
use structures::intset::{CorruptIntset, Intset};
use structures::list::List;
use structures::listpack::{CorruptListpack, IntBuf, Item, Listpack};
use structures::sorted_set;

use super::cursor::{Read, Stop};
use crate::error::Reason;
use crate::format::kind;
use crate::limits::LoadLimits;
use crate::ziplist::{self, walk_ziplist, walk_zipmap};

impl From<ziplist::Corrupt> for Stop {
    fn from(corrupt: ziplist::Corrupt) -> Stop {
        // The caller says what it was reading, see `named`.
        Reason::Corrupt {
            what: "",
            at_byte: corrupt.at_byte,
            why: corrupt.why,
        }
        .into()
    }
}

impl From<CorruptListpack> for Stop {
    fn from(corrupt: CorruptListpack) -> Stop {
        Reason::Corrupt {
            what: "",
            at_byte: corrupt.offset_bytes,
            why: corrupt.reason,
        }
        .into()
    }
}

impl From<CorruptIntset> for Stop {
    fn from(corrupt: CorruptIntset) -> Stop {
        Reason::Corrupt {
            what: "",
            at_byte: corrupt.offset_bytes,
            why: corrupt.reason,
        }
        .into()
    }
}

/// Tells a corrupt blob what it should have been.
pub(super) fn named<T>(name: &'static str, read: Read<T>) -> Read<T> {
    read.map_err(|mut stop| {
        if let Stop::Bad(reason) = &mut stop
            && let Reason::Corrupt { what, .. } | Reason::RepeatedInPack { what } = &mut **reason
        {
            *what = name;
        }
        stop
    })
}

/// Whether values of this type are one blob.
pub(super) fn is_packed(code: u8) -> bool {
    matches!(
        code,
        kind::HASH_ZIPMAP
            | kind::LIST_ZIPLIST
            | kind::SET_INTSET
            | kind::ZSET_ZIPLIST
            | kind::HASH_ZIPLIST
            | kind::HASH_LISTPACK
            | kind::ZSET_LISTPACK
            | kind::SET_LISTPACK
    )
}

/// The value in a blob; `None` if it has no elements.
pub(super) fn value(code: u8, blob: &[u8], limits: &LoadLimits) -> Read<Option<Value>> {
    match code {
        kind::SET_INTSET => named("Intset", intset(blob, limits)),
        kind::SET_LISTPACK => named("Set listpack", set(blob, limits)),
        kind::HASH_LISTPACK => named("Hash listpack", listpack(blob, limits, hash)),
        kind::HASH_ZIPLIST => named("Hash ziplist", ziplist(blob, limits, hash)),
        kind::HASH_ZIPMAP => named("Zipmap", zipmap(blob, limits)),
        kind::ZSET_LISTPACK => named("Zset listpack", listpack(blob, limits, zset)),
        kind::ZSET_ZIPLIST => named("Zset ziplist", ziplist(blob, limits, zset)),
        _ => named("List ziplist", list_of_ziplist(blob, limits)),
    }
}

/// Makes a value of checked pairs; the last argument says whether to check them deeply.
type OfPairs = fn(Listpack, &LoadLimits, bool) -> Read<Value>;

fn listpack(blob: &[u8], limits: &LoadLimits, make: OfPairs) -> Read<Option<Value>> {
    of_pairs(Listpack::from_blob(blob)?, limits, make, limits.deep)
}

/// What had to be converted was never checked by anybody else, so it is checked deeply.
fn ziplist(blob: &[u8], limits: &LoadLimits, make: OfPairs) -> Read<Option<Value>> {
    of_pairs(listpack_of_ziplist(blob)?, limits, make, true)
}

fn of_pairs(pack: Listpack, limits: &LoadLimits, make: OfPairs, deep: bool) -> Read<Option<Value>> {
    if pack.is_empty() {
        return Ok(None);
    }
    if !pack.len().is_multiple_of(2) {
        return Err(corrupt("a last element without its pair"));
    }
    make(pack, limits, deep).map(Some)
}

#[cold]
fn corrupt(why: &'static str) -> Stop {
    Reason::Corrupt {
        what: "",
        at_byte: 0,
        why,
    }
    .into()
}

/// An element that is there twice, found by the deep check or in a table.
#[cold]
fn repeated(deep: bool) -> Stop {
    if deep {
        return corrupt("an element is there twice");
    }
    Reason::RepeatedInPack { what: "" }.into()
}

pub(super) fn listpack_of_ziplist(blob: &[u8]) -> Read<Listpack> {
    let mut pack = Listpack::new();
    walk_ziplist(blob, |item| {
        if !pack.fits(item.text_len()) {
            return Err(corrupt("too large to be kept"));
        }
        match item {
            Item::Int(value) => pack.push_int_back(value),
            Item::Str(text) => pack.push_back(text),
        }
        Ok::<(), Stop>(())
    })?;
    Ok(pack)
}

fn list_of_ziplist(blob: &[u8], limits: &LoadLimits) -> Read<Option<Value>> {
    let pack = listpack_of_ziplist(blob)?;
    if pack.is_empty() {
        return Ok(None);
    }
    // One by one, because the pack may be far larger than the nodes of a list are now.
    let mut list = List::new();
    for item in pack.iter() {
        list.push_back(item.as_bytes(&mut IntBuf::new()), &limits.list);
    }
    list.choose_form(&limits.list);
    Ok(Some(Value::List(list)))
}

fn intset(blob: &[u8], limits: &LoadLimits) -> Read<Option<Value>> {
    let ints = Intset::from_blob(blob)?;
    if ints.len() <= limits.set.ints_max {
        return Ok(Some(Value::Set(Set::Ints(ints))));
    }
    let mut table = Set::with_capacity(ints.len(), &limits.set);
    for value in ints.iter() {
        table.add_new(IntBuf::new().format(value), &limits.set);
    }
    Ok(Some(Value::Set(table)))
}

fn set(blob: &[u8], limits: &LoadLimits) -> Read<Option<Value>> {
    let pack = Listpack::from_blob(blob)?;
    let len = pack.len();
    if len == 0 {
        return Ok(None);
    }
    let is_too_big = len > limits.set.packed_entries_max;
    if is_too_big || limits.deep {
        let mut table = Set::with_capacity(len, &limits.set);
        for item in pack.iter() {
            if !table.add(item.as_bytes(&mut IntBuf::new()), &limits.set) {
                return Err(repeated(limits.deep));
            }
        }
        if is_too_big {
            return Ok(Some(Value::Set(table)));
        }
    }
    Ok(Some(Value::Set(Set::Packed(pack))))
}

fn hash(pack: Listpack, limits: &LoadLimits, deep: bool) -> Read<Value> {
    let len = pack.len() / 2;
    if len > limits.hash.packed_entries_max {
        return hash_table(&pack, limits, deep);
    }
    if deep {
        check_members(&pack, limits)?;
    }
    Ok(Value::Hash(Hash::Packed(pack)))
}

fn hash_table(pack: &Listpack, limits: &LoadLimits, deep: bool) -> Read<Value> {
    let mut hash = super::build::empty_hash_table(pack.len() / 2, limits);
    for (field, value) in pack.pairs() {
        let (mut field_text, mut value_text) = (IntBuf::new(), IntBuf::new());
        let field = field.as_bytes(&mut field_text);
        if !hash.set(field, value.as_bytes(&mut value_text), &limits.hash) {
            return Err(repeated(deep));
        }
    }
    Ok(Value::Hash(hash))
}

/// Whether the first elements of all pairs differ.
fn check_members(pack: &Listpack, limits: &LoadLimits) -> Read<()> {
    let mut met = Set::with_capacity(pack.len() / 2, &limits.set);
    for (member, _) in pack.pairs() {
        if !met.add(member.as_bytes(&mut IntBuf::new()), &limits.set) {
            return Err(repeated(true));
        }
    }
    Ok(())
}

fn zipmap(blob: &[u8], limits: &LoadLimits) -> Read<Option<Value>> {
    let mut hash = Hash::new();
    walk_zipmap(blob, |field, value| {
        if hash.set(field, value, &limits.hash) {
            Ok::<(), Stop>(())
        } else {
            Err(repeated(false))
        }
    })?;
    Ok(Some(Value::Hash(hash)))
}

fn zset(pack: Listpack, limits: &LoadLimits, deep: bool) -> Read<Value> {
    let len = pack.len() / 2;
    if len > limits.sorted_set.packed_entries_max {
        let mut table = sorted_set::SortedSet::new(limits.sorted_set.seed);
        table.reserve(len);
        for (member, score) in pack.pairs() {
            let score = score.to_f64().ok_or(Reason::BadScore)?;
            if table
                .insert(member.as_bytes(&mut IntBuf::new()), score)
                .is_some()
            {
                return Err(repeated(deep));
            }
        }
        return Ok(Value::SortedSet(SortedSet::Table(Box::new(table))));
    }
    if deep {
        check_members(&pack, limits)?;
        check_order(&pack)?;
    }
    Ok(Value::SortedSet(SortedSet::Packed(pack)))
}

fn check_order(pack: &Listpack) -> Read<()> {
    let mut before: Option<(Item<'_>, f64)> = None;
    for (member, score) in pack.pairs() {
        let score = score.to_f64().ok_or(Reason::BadScore)?;
        if let Some((last, last_score)) = before {
            let is_above = match last_score.partial_cmp(&score) {
                Some(std::cmp::Ordering::Equal) => {
                    last.as_bytes(&mut IntBuf::new()) < member.as_bytes(&mut IntBuf::new())
                }
                order => order == Some(std::cmp::Ordering::Less),
            };
            if !is_above {
                return Err(Reason::UnorderedScores.into());
            }
        }
        before = Some((member, score));
    }
    Ok(())
}
