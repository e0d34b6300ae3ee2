//! Values while they are read: element by element into their final form.
//!
//! [`advance`] goes on with a value for as long as there is input and commits after every element,
//! so a value of any size needs no more than its largest element of input at a time. Tables are
//! reserved for the announced count, but never for more than the bytes at hand can hold.
//! Tests: `tests/`.

use keyspace::hash::Hash;
use keyspace::set::Set;
use keyspace::sorted_set::SortedSet;
use keyspace::value::Value;
use structures::bytes::ThinBytes;
use structures::decimal::{I64_TEXT_MAX_BYTES, parse_i64};
use structures::entry::INLINE_MAX;
use structures::list::{List, OwnedNode};
use structures::listpack::Listpack;
use structures::sorted_set::{self, Scores};
use structures::table::Table;

use super::cursor::{Cursor, Head, Read, Scratch, Stop, Text};
use super::packed;
use super::skip::Skip;
use crate::error::{Collection, Reason};
use crate::format::{container, kind, score_text};
use crate::limits::LoadLimits;
use crate::lzf;

/// From this length on a string is taken over as it arrives.
const GRADUAL_BYTES: u64 = 64 << 10;
/// The least that an element takes: the head of its string and one byte.
const ELEMENT_MIN_BYTES: usize = 2;
/// The least that a member and its score take, the score as text.
const SCORED_MIN_BYTES: usize = 4;

/// A value under way.
pub(super) enum Filling {
    /// Nothing but the type is known.
    Start,
    Bytes {
        buffer: ThinBytes,
        left: u64,
    },
    List {
        list: List,
        left: u64,
    },
    Nodes {
        nodes: Vec<OwnedNode>,
        left: u64,
    },
    Set {
        set: Set,
        left: u64,
    },
    Hash {
        hash: Hash,
        left: u64,
    },
    /// A sorted set that may be packed in the end.
    Scores {
        scores: Scores,
        left: u64,
    },
    SortedSet {
        set: Box<sorted_set::SortedSet>,
        left: u64,
    },
    /// Of a type that is only stepped over.
    Foreign(Skip),
}

/// A value that is complete.
pub(super) enum Built<'i> {
    Int(i64),
    /// A short string that lies in the input.
    Input(&'i [u8]),
    /// A short string in [`Rooms::value`].
    Room,
    Value(Value),
    /// A collection without elements.
    Empty,
    Foreign,
}

/// Room for strings that are not in the input as they are.
#[derive(Default)]
pub(super) struct Rooms {
    first: Scratch,
    second: Scratch,
    pub value: Vec<u8>,
}

/// What stays the same while a value is read.
pub(super) struct Plan<'l> {
    pub code: u8,
    pub limits: &'l LoadLimits,
    /// Whether types that are not served are stepped over instead of refused.
    pub skips_foreign: bool,
    pub is_valkey: bool,
}

pub(super) fn advance<'i>(
    plan: &Plan<'_>,
    filling: &mut Filling,
    cursor: &mut Cursor<'i>,
    rooms: &mut Rooms,
) -> Read<Built<'i>> {
    if matches!(filling, Filling::Start) {
        if let Some(built) = start(plan, filling, cursor, rooms)? {
            return Ok(built);
        }
        cursor.commit();
    }
    match filling {
        Filling::Start => unreachable!("started above"),
        Filling::Bytes { buffer, left } => fill_bytes(buffer, left, cursor)?,
        Filling::List { list, left } => {
            while *left > 0 {
                let element = cursor.text()?.resolve(&mut rooms.first)?;
                list.push_back(element, &plan.limits.list);
                *left -= 1;
                cursor.commit();
            }
        }
        Filling::Nodes { nodes, left } => fill_nodes(plan.code, nodes, left, cursor, rooms)?,
        Filling::Set { set, left } => {
            while *left > 0 {
                let member = cursor.text()?.resolve(&mut rooms.first)?;
                if !set.add(member, &plan.limits.set) {
                    return Err(Reason::Duplicate(Collection::Set).into());
                }
                *left -= 1;
                cursor.commit();
            }
        }
        Filling::Hash { hash, left } => fill_hash(hash, left, plan, cursor, rooms)?,
        Filling::Scores { .. } | Filling::SortedSet { .. } => {
            fill_sorted_set(filling, plan.code, cursor, rooms)?;
        }
        Filling::Foreign(skip) => {
            skip.run(cursor)?;
            return Ok(Built::Foreign);
        }
    }
    Ok(finish(
        std::mem::replace(filling, Filling::Start),
        plan.limits,
    ))
}

/// Reads what comes before the elements; small values are complete with that.
fn start<'i>(
    plan: &Plan<'_>,
    filling: &mut Filling,
    cursor: &mut Cursor<'i>,
    rooms: &mut Rooms,
) -> Read<Option<Built<'i>>> {
    let (code, limits) = (plan.code, plan.limits);
    if code == kind::STRING {
        return start_string(filling, cursor, rooms);
    }
    if packed::is_packed(code) {
        let blob = cursor.text()?.resolve(&mut rooms.first)?;
        let value = packed::value(code, blob, limits)?;
        return Ok(Some(value.map_or(Built::Empty, Built::Value)));
    }
    let is_collection = matches!(
        code,
        kind::LIST..=kind::ZSET_2 | kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2
    );
    if !is_collection {
        *filling = Filling::Foreign(foreign(plan, cursor)?);
        return Ok(None);
    }
    let count = cursor.length()?;
    if count == 0 {
        return Ok(Some(Built::Empty));
    }
    let reserved = |least_bytes: usize| {
        let most = cursor.remaining() / least_bytes;
        usize::try_from(count).unwrap_or(usize::MAX).min(most)
    };
    *filling = match code {
        kind::LIST => Filling::List {
            list: List::new(),
            left: count,
        },
        kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => Filling::Nodes {
            nodes: Vec::new(),
            left: count,
        },
        kind::SET => {
            let reserved = reserved(ELEMENT_MIN_BYTES);
            let before = cursor.at();
            let first = cursor.text()?.resolve(&mut rooms.first)?;
            let set = empty_set(first, count, reserved, limits);
            cursor.go_back(before);
            Filling::Set { set, left: count }
        }
        kind::HASH if count > limits.hash.packed_entries_max as u64 => Filling::Hash {
            hash: empty_hash_table(reserved(2 * ELEMENT_MIN_BYTES), limits),
            left: count,
        },
        kind::HASH => Filling::Hash {
            hash: Hash::new(),
            left: count,
        },
        _ if count > limits.sorted_set.packed_entries_max as u64 => {
            let mut set = sorted_set::SortedSet::new(limits.sorted_set.seed);
            set.reserve(reserved(SCORED_MIN_BYTES));
            Filling::SortedSet {
                set: Box::new(set),
                left: count,
            }
        }
        _ => Filling::Scores {
            scores: Scores::new(limits.sorted_set.seed),
            left: count,
        },
    };
    Ok(None)
}

fn start_string<'i>(
    filling: &mut Filling,
    cursor: &mut Cursor<'i>,
    rooms: &mut Rooms,
) -> Read<Option<Built<'i>>> {
    let before = cursor.at();
    if let Head::Plain(len) = cursor.head()?
        && len >= GRADUAL_BYTES
        && len > cursor.remaining() as u64
    {
        *filling = Filling::Bytes {
            buffer: ThinBytes::new(),
            left: len,
        };
        return Ok(None);
    }
    cursor.go_back(before);
    Ok(Some(match cursor.text()? {
        Text::Int(value) => Built::Int(value),
        Text::Plain(bytes) => match int_of(bytes) {
            Some(value) => Built::Int(value),
            None if bytes.len() <= INLINE_MAX => Built::Input(bytes),
            None => Built::Value(Value::Bytes(ThinBytes::from_slice(bytes))),
        },
        Text::Packed { packed, len } if len > INLINE_MAX => {
            let mut bytes = ThinBytes::zeroed(len);
            lzf::decompress(packed, &mut bytes)?;
            Built::Value(Value::Bytes(bytes))
        }
        text => {
            text.copy_to(&mut rooms.value)?;
            int_of(&rooms.value).map_or(Built::Room, Built::Int)
        }
    }))
}

#[inline]
fn int_of(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > I64_TEXT_MAX_BYTES {
        return None;
    }
    parse_i64(bytes)
}

fn empty_set(first: &[u8], count: u64, reserved: usize, limits: &LoadLimits) -> Set {
    let limits = &limits.set;
    if count <= limits.ints_max as u64 && parse_i64(first).is_some() {
        Set::for_members(first, count as usize, limits)
    } else if count <= limits.packed_entries_max as u64 {
        Set::Packed(Listpack::new())
    } else {
        Set::with_capacity(reserved, limits)
    }
}

pub(super) fn empty_hash_table(reserved: usize, limits: &LoadLimits) -> Hash {
    let mut table = Table::new(limits.hash.seed);
    table.reserve(reserved);
    Hash::Table(Box::new(table))
}

/// Refuses a type that is not served, or begins to step over it.
fn foreign(plan: &Plan<'_>, cursor: &mut Cursor<'_>) -> Read<Skip> {
    let code = plan.code;
    if kind::name(code).is_none_or(str::is_empty) {
        return Err(Reason::UnknownType(code).into());
    }
    match code {
        kind::MODULE_PRE_GA => Err(Reason::RefusedModule(None).into()),
        kind::MODULE_2 => {
            let id = cursor.length()?;
            if plan.skips_foreign {
                return Ok(Skip::module());
            }
            Err(Reason::RefusedModule(Some(crate::error::ModuleName(id))).into())
        }
        _ if plan.skips_foreign => Ok(Skip::of_kind(code, plan.is_valkey)),
        _ => Err(Reason::RefusedType(code).into()),
    }
}

fn fill_bytes(buffer: &mut ThinBytes, left: &mut u64, cursor: &mut Cursor<'_>) -> Read<()> {
    let arrived = cursor.take_up_to(*left);
    let (have, need) = (buffer.len(), buffer.len() + arrived.len());
    if buffer.capacity() < need {
        // Twice what is there, but no more than was announced.
        let whole = (have as u64).saturating_add(*left);
        let capacity = whole.min(2 * need as u64) as usize;
        let mut larger = ThinBytes::with_capacity(capacity);
        larger.push_slice(buffer);
        *buffer = larger;
    }
    buffer.push_slice(arrived);
    *left -= arrived.len() as u64;
    cursor.commit();
    if *left > 0 {
        return Err(Stop::More(*left));
    }
    Ok(())
}

fn fill_nodes(
    code: u8,
    nodes: &mut Vec<OwnedNode>,
    left: &mut u64,
    cursor: &mut Cursor<'_>,
    rooms: &mut Rooms,
) -> Read<()> {
    while *left > 0 {
        let container = match code {
            kind::LIST_QUICKLIST_2 => cursor.length()?,
            _ => container::PACKED,
        };
        if !matches!(container, container::PLAIN | container::PACKED) {
            return Err(Reason::UnknownContainer(container).into());
        }
        let bytes = cursor.text()?.resolve(&mut rooms.first)?;
        if bytes.is_empty() {
            return Err(Reason::EmptyNode.into());
        }
        let node = if container == container::PLAIN {
            Some(OwnedNode::Plain(ThinBytes::from_slice(bytes)))
        } else {
            let pack = match code {
                kind::LIST_QUICKLIST_2 => {
                    packed::named("Listpack", Listpack::from_blob(bytes).map_err(Stop::from))?
                }
                _ => packed::named("Ziplist", packed::listpack_of_ziplist(bytes))?,
            };
            (!pack.is_empty()).then_some(OwnedNode::Packed(pack))
        };
        nodes.extend(node);
        *left -= 1;
        cursor.commit();
    }
    Ok(())
}

fn fill_hash(
    hash: &mut Hash,
    left: &mut u64,
    plan: &Plan<'_>,
    cursor: &mut Cursor<'_>,
    rooms: &mut Rooms,
) -> Read<()> {
    while *left > 0 {
        // Both must be there before either is unpacked.
        let (field, value) = (cursor.text()?, cursor.text()?);
        let field = field.resolve(&mut rooms.first)?;
        let value = value.resolve(&mut rooms.second)?;
        if !hash.set(field, value, &plan.limits.hash) {
            return Err(Reason::Duplicate(Collection::Hash).into());
        }
        *left -= 1;
        cursor.commit();
    }
    Ok(())
}

fn fill_sorted_set(
    filling: &mut Filling,
    code: u8,
    cursor: &mut Cursor<'_>,
    rooms: &mut Rooms,
) -> Read<()> {
    loop {
        let (Filling::Scores { left, .. } | Filling::SortedSet { left, .. }) = filling else {
            unreachable!("called for sorted sets");
        };
        if *left == 0 {
            return Ok(());
        }
        let member = cursor.text()?;
        let score = match code {
            kind::ZSET_2 => f64::from_le_bytes(cursor.array()?),
            _ => score_of_text(cursor)?,
        };
        if score.is_nan() {
            return Err(Reason::NanScore.into());
        }
        let member = member.resolve(&mut rooms.first)?;
        *left -= 1;
        let is_new = match filling {
            Filling::Scores { scores, .. } => {
                let before = scores.len();
                scores.merge(member, score, |old, _| old);
                scores.len() > before
            }
            Filling::SortedSet { set, .. } => set.insert(member, score).is_none(),
            _ => unreachable!("matched above"),
        };
        if !is_new {
            return Err(Reason::Duplicate(Collection::SortedSet).into());
        }
        cursor.commit();
    }
}

fn score_of_text(cursor: &mut Cursor<'_>) -> Read<f64> {
    match cursor.byte()? {
        score_text::NAN => Ok(f64::NAN),
        score_text::INFINITY => Ok(f64::INFINITY),
        score_text::NEG_INFINITY => Ok(f64::NEG_INFINITY),
        len => {
            let text = cursor.take(u64::from(len))?;
            let score = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            score.ok_or_else(|| Reason::BadScore.into())
        }
    }
}

fn finish<'i>(filling: Filling, limits: &LoadLimits) -> Built<'i> {
    Built::Value(match filling {
        Filling::Bytes { buffer, .. } => Value::Bytes(buffer),
        Filling::List { mut list, .. } => {
            list.choose_form(&limits.list);
            Value::List(list)
        }
        Filling::Nodes { nodes, .. } if nodes.is_empty() => return Built::Empty,
        Filling::Nodes { nodes, .. } => Value::List(List::from_nodes(nodes, &limits.list)),
        Filling::Set { set, .. } => Value::Set(set),
        Filling::Hash { hash, .. } => Value::Hash(hash),
        Filling::Scores { scores, .. } => {
            Value::SortedSet(SortedSet::from_scores(scores, &limits.sorted_set))
        }
        Filling::SortedSet { set, .. } => Value::SortedSet(SortedSet::Table(set)),
        Filling::Start | Filling::Foreign(_) => unreachable!("nothing to finish"),
    })
}
