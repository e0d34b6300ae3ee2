//! What the tests share: values as plain models, building and showing them, running a decoder.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::{BTreeMap, BTreeSet};

use keyspace::Keyspace;
use keyspace::hash::Hash;
use keyspace::set::Set;
use keyspace::sorted_set::SortedSet;
use keyspace::value::{Entry, Value};
use proptest::prelude::*;
use rdb::{AccessInfo, ChecksumFound, Decoder, Event, LoadError, LoadLimits, Loaded};
use structures::bytes::ThinBytes;
use structures::entry::NewValue;
use structures::list::List;

/// What a value is to be.
#[derive(Clone, Debug)]
pub enum Model {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    SortedSet(BTreeMap<Vec<u8>, f64>),
}

/// What a value is, comparable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    /// In order; scores as their bits, both zeros as one.
    SortedSet(Vec<(Vec<u8>, u64)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub db: u32,
    pub key: Vec<u8>,
    pub value: Shown,
    pub expiry_ms: Option<i64>,
    pub access: AccessInfo,
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Found) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Found) -> std::cmp::Ordering {
        (self.db, &self.key).cmp(&(other.db, &other.key))
    }
}

pub type Described = (u32, Vec<u8>, Model, Option<i64>);

pub fn any_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..12),
        3 => any::<i64>().prop_flat_map(|n| (0u32..64).prop_map(move |s| (n >> s).to_string().into_bytes())),
        2 => "[a-c]{0,60}".prop_map(String::into_bytes),
        1 => (any::<u8>(), 0usize..3000).prop_map(|(byte, len)| vec![byte; len]),
        1 => prop::collection::vec(0u8..3, 1000..1100),
    ]
}

pub fn any_model() -> impl Strategy<Value = Model> {
    let score = prop_oneof![
        any::<i32>().prop_map(f64::from),
        any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.0),
    ];
    // Few values are large enough for tables.
    let len = || prop_oneof![4 => 1usize..20, 1 => 120usize..200];
    prop_oneof![
        any_text().prop_map(Model::String),
        len()
            .prop_flat_map(|len| prop::collection::vec(any_text(), len))
            .prop_map(Model::List),
        len()
            .prop_flat_map(|len| prop::collection::btree_set(any_text(), len))
            .prop_map(Model::Set),
        (1usize..800, any::<i32>()).prop_map(|(len, base)| Model::Set(
            (0..len as i64)
                .map(|n| (n * i64::from(base)).to_string().into_bytes())
                .collect()
        )),
        len()
            .prop_flat_map(|len| prop::collection::btree_map(any_text(), any_text(), len))
            .prop_map(Model::Hash),
        len()
            .prop_flat_map(move |len| prop::collection::btree_map(any_text(), score.clone(), len))
            .prop_map(Model::SortedSet),
    ]
}

pub fn any_entry() -> impl Strategy<Value = Described> {
    (
        0u32..3,
        any_text(),
        any_model(),
        prop::option::of(0i64..4_000_000_000_000),
    )
}

pub fn model_value(model: &Model) -> Value {
    let limits = LoadLimits::defaults(3);
    match model {
        Model::String(bytes) => Value::Bytes(ThinBytes::from_slice(bytes)),
        Model::List(elements) => {
            let mut list = List::new();
            for element in elements {
                list.push_back(element, &limits.list);
            }
            Value::List(list)
        }
        Model::Set(members) => {
            let first = members.first().expect("not empty");
            let mut set = Set::for_members(first, members.len(), &limits.set);
            for member in members {
                set.add(member, &limits.set);
            }
            Value::Set(set)
        }
        Model::Hash(pairs) => {
            let mut hash = Hash::new();
            for (field, value) in pairs {
                hash.set(field, value, &limits.hash);
            }
            Value::Hash(hash)
        }
        Model::SortedSet(members) => {
            let mut set = SortedSet::new(&limits.sorted_set, 0, 0);
            for (member, score) in members {
                set.insert(&limits.sorted_set, member, *score);
            }
            Value::SortedSet(set)
        }
    }
}

pub fn keyspace_with(entries: &[Described]) -> Keyspace {
    let mut keyspace = Keyspace::new(4, 5, false);
    for (db, key, model, expiry_ms) in entries {
        let expiry = expiry_ms.map_or(keyspace::Expiry::Clear, keyspace::Expiry::At);
        match model {
            Model::String(bytes) => keyspace.set_string(*db, key, bytes, expiry),
            model => keyspace.put(*db, key, model_value(model), *expiry_ms),
        }
    }
    keyspace
}

pub fn shown(value: &Value) -> Shown {
    match value {
        Value::Bytes(bytes) => Shown::String(bytes.to_vec()),
        Value::List(list) => Shown::List(list.iter().map(|item| item.to_vec()).collect()),
        Value::Set(set) => Shown::Set(set.iter().map(|member| member.to_vec()).collect()),
        Value::Hash(hash) => Shown::Hash(
            hash.iter()
                .map(|(field, value)| (field.to_vec(), value.to_vec()))
                .collect(),
        ),
        Value::SortedSet(set) => Shown::SortedSet(
            set.iter()
                .map(|(member, score)| {
                    let score = if score == 0.0 { 0.0 } else { score };
                    (member.to_vec(), score.to_bits())
                })
                .collect(),
        ),
    }
}

pub fn shown_entry(entry: Entry<'_>) -> Shown {
    match entry.string() {
        Some(text) => Shown::String(text.to_vec()),
        None => shown(entry.payload().expect("a container")),
    }
}

pub fn shown_loaded(value: &Loaded<'_>) -> Shown {
    match value {
        NewValue::Int(value) => Shown::String(value.to_string().into_bytes()),
        NewValue::Bytes(bytes) => Shown::String(bytes.to_vec()),
        NewValue::Payload(value) => shown(value),
    }
}

/// Runs a decoder over a whole file.
pub fn visit(
    file: &[u8],
    limits: &LoadLimits,
    mut see: impl FnMut(Event<'_>),
) -> Result<(), LoadError> {
    let mut decoder = Decoder::new(*limits, true);
    let mut input = file;
    while let Some(event) = decoder.next(&mut input)? {
        see(event);
    }
    decoder.at_end()?;
    assert!(input.is_empty(), "all is consumed");
    assert_eq!(decoder.offset(), file.len() as u64);
    Ok(())
}

fn keep(event: Event<'_>, found: &mut Vec<Found>, end: &mut Option<ChecksumFound>) {
    match event {
        Event::Entry {
            db,
            key,
            value,
            expiry_ms,
            access,
        } => found.push(Found {
            db,
            key: key.to_vec(),
            value: shown_loaded(&value),
            expiry_ms,
            access,
        }),
        Event::End { checksum } => *end = Some(checksum),
        _ => {}
    }
}

pub fn decode(file: &[u8], limits: &LoadLimits) -> Result<(Vec<Found>, ChecksumFound), LoadError> {
    let (mut found, mut end) = (Vec::new(), None);
    visit(file, limits, |event| keep(event, &mut found, &mut end))?;
    Ok((found, end.expect("an end")))
}

/// As [`decode`], with the file arriving in pieces of these sizes, over and over.
pub fn decode_in_pieces(
    file: &[u8],
    limits: &LoadLimits,
    sizes: &[usize],
) -> Result<(Vec<Found>, ChecksumFound), LoadError> {
    let (mut found, mut end) = (Vec::new(), None);
    let mut decoder = Decoder::new(*limits, true);
    let (mut buffer, mut rest) = (Vec::new(), file);
    for size in sizes.iter().cycle() {
        let (piece, later) = rest.split_at((*size).min(rest.len()));
        if piece.is_empty() {
            break;
        }
        buffer.extend_from_slice(piece);
        rest = later;
        let mut input = buffer.as_slice();
        // Stops now and then, to go on in the same input.
        while decoder.run(&mut input, &mut |event| {
            keep(event, &mut found, &mut end);
            found.len() % 3 > 0
        })? {}
        assert!(decoder.is_done() || decoder.wanted() > 0);
        let left = input.len();
        buffer.drain(..buffer.len() - left);
    }
    decoder.at_end()?;
    Ok((found, end.expect("an end")))
}
