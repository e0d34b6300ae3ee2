//! What the encoder and the packer write, the decoder reads: all types and encodings, whole and in
//! pieces of input of any size.

mod common;

use common::{Found, Shown, decode, decode_in_pieces, keyspace_with, model_value, shown};
use keyspace::Keyspace;
use keyspace::snapshot::{BigHeader, BigShape, Piece};
use keyspace::value::Value;
use proptest::prelude::*;
use rdb::{AccessInfo, ChecksumFound, EncodeOptions, Encoder, Event, LoadLimits, Packer};

fn options(version: u16, compress: bool, checksum: bool) -> EncodeOptions {
    EncodeOptions {
        version,
        compress,
        checksum,
    }
}

/// The whole keyspace as a file, taken from the encoder every `segment_bytes`.
fn file_of(keyspace: &Keyspace, options: &EncodeOptions, segment_bytes: usize) -> Vec<u8> {
    let (mut encoder, mut packer) = (Encoder::new(options), Packer::new(options));
    let mut out = Vec::new();
    encoder.header(&[(b"redis-ver", b"7.2.4"), (b"redis-bits", b"64")]);
    for db in 0..keyspace.db_count() as u32 {
        if keyspace.db(db).is_empty() {
            continue;
        }
        encoder.resize_db(db, keyspace.db(db).len() as u64, 0);
        for entry in keyspace.iter(db) {
            let access = match entry.key().len() % 3 {
                0 => AccessInfo::None,
                1 => AccessInfo::IdleSeconds(entry.key().len() as u64 * 100),
                _ => AccessInfo::Frequency(entry.key().len() as u8),
            };
            encoder.entry(db, entry, access);
            if encoder.pending_bytes() >= segment_bytes {
                packer.pack(encoder.take(), &mut out);
            }
        }
    }
    encoder.footer();
    packer.pack(encoder.take(), &mut out);
    out
}

fn expected(keyspace: &Keyspace) -> Vec<Found> {
    let mut all = Vec::new();
    for db in 0..keyspace.db_count() as u32 {
        for entry in keyspace.iter(db) {
            let key = entry.key();
            all.push(Found {
                db,
                key: key.to_vec(),
                value: common::shown_entry(entry),
                expiry_ms: entry.expiry_ms(),
                access: match key.len() % 3 {
                    0 => AccessInfo::None,
                    1 => AccessInfo::IdleSeconds(key.len() as u64 * 100),
                    _ => AccessInfo::Frequency(key.len() as u8),
                },
            });
        }
    }
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn everything_comes_back(
        entries in prop::collection::vec(common::any_entry(), 0..12),
        version in 10u16..12,
        compress: bool,
        checksum: bool,
        segment_bytes in 1usize..2000,
        cuts in prop::collection::vec(1usize..300, 1..6),
    ) {
        let keyspace = keyspace_with(&entries);
        let options = options(version, compress, checksum);
        let file = file_of(&keyspace, &options, segment_bytes);
        let limits = LoadLimits { deep: true, ..LoadLimits::defaults(7) };
        let (mut found, end) = decode(&file, &limits).unwrap();
        found.sort();
        prop_assert_eq!(&found, &expected(&keyspace));
        prop_assert_eq!(end, if checksum { ChecksumFound::Right } else { ChecksumFound::Disabled });
        let (mut in_pieces, _) = decode_in_pieces(&file, &limits, &cuts).unwrap();
        in_pieces.sort();
        prop_assert_eq!(found, in_pieces);
    }

    #[test]
    fn big_values_come_back_from_their_pieces(
        value in common::any_model(),
        compress: bool,
        segment_bytes in 1usize..200,
    ) {
        let value = model_value(&value);
        let options = options(11, compress, true);
        let (mut encoder, mut packer) = (Encoder::new(&options), Packer::new(&options));
        let mut out = Vec::new();
        encoder.header(&[]);
        let header = BigHeader {
            key: b"big",
            expiry_ms: Some(123_456_789_012),
            access: 0,
            shape: shape_of(&value),
        };
        encoder.big_begin(3, &header, AccessInfo::Frequency(9));
        for_pieces(&value, |piece| {
            encoder.big_piece(piece);
            if encoder.pending_bytes() >= segment_bytes {
                packer.pack(encoder.take(), &mut out);
            }
        });
        encoder.big_end();
        encoder.footer();
        packer.pack(encoder.take(), &mut out);
        let (found, end) = decode(&out, &LoadLimits::defaults(7)).unwrap();
        prop_assert_eq!(end, ChecksumFound::Right);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!((found[0].db, found[0].expiry_ms), (3, header.expiry_ms));
        prop_assert_eq!(&found[0].value, &shown(&value));
    }
}

fn shape_of(value: &Value) -> BigShape {
    match value {
        Value::Bytes(bytes) => BigShape::String {
            len_bytes: bytes.len(),
        },
        Value::List(list) => BigShape::List {
            nodes: list.node_count(),
            len: list.len(),
        },
        Value::Set(set) => BigShape::Set { len: set.len() },
        Value::Hash(hash) => BigShape::Hash { len: hash.len() },
        Value::SortedSet(set) => BigShape::SortedSet { len: set.len() },
    }
}

fn for_pieces(value: &Value, mut show: impl FnMut(Piece<'_>)) {
    match value {
        Value::Bytes(bytes) => bytes.chunks(37).for_each(|part| show(Piece::Bytes(part))),
        Value::List(list) => list.nodes().for_each(|node| show(Piece::Node(node))),
        Value::Set(set) => set.for_each(|member| show(Piece::Member(&member.to_vec()))),
        Value::Hash(hash) => hash
            .iter()
            .for_each(|(field, value)| show(Piece::Pair(&field.to_vec(), &value.to_vec()))),
        Value::SortedSet(set) => set
            .iter()
            .for_each(|(member, score)| show(Piece::Scored(&member.to_vec(), score))),
    }
}

#[test]
fn limits_decide_how_values_are_kept() {
    let entries = [
        (
            0,
            "ints",
            common::Model::Set((0..40).map(|n| n.to_string().into_bytes()).collect()),
        ),
        (
            0,
            "texts",
            common::Model::Set((0..40).map(|n| format!("m{n}").into_bytes()).collect()),
        ),
        (
            0,
            "hash",
            common::Model::Hash((0..40).map(|n| (vec![b'f', n], vec![n])).collect()),
        ),
        (
            0,
            "zset",
            common::Model::SortedSet((0..40).map(|n| (vec![b'm', n], f64::from(n))).collect()),
        ),
        (
            0,
            "list",
            common::Model::List((0..40).map(|n| vec![b'e', n]).collect()),
        ),
    ];
    let entries: Vec<_> = entries
        .into_iter()
        .map(|(db, key, model)| (db, key.as_bytes().to_vec(), model, None))
        .collect();
    let file = file_of(&keyspace_with(&entries), &EncodeOptions::default(), 1 << 20);
    let encodings = |limits: &LoadLimits| {
        let mut encodings = Vec::new();
        common::visit(&file, limits, |event| {
            if let Event::Entry {
                key,
                value: structures::entry::NewValue::Payload(value),
                ..
            } = event
            {
                let encoding = match value {
                    Value::List(list) if list.is_quicklist() => "quicklist",
                    Value::List(_) => "listpack",
                    Value::Set(set) => set.encoding(),
                    Value::Hash(hash) => hash.encoding(),
                    Value::SortedSet(set) => set.encoding(),
                    Value::Bytes(_) => "raw",
                };
                encodings.push((String::from_utf8(key.to_vec()).unwrap(), encoding));
            }
        })
        .unwrap();
        encodings.sort();
        encodings
    };
    let mut limits = LoadLimits::defaults(1);
    let of = |names: [&'static str; 5]| {
        let keys = ["hash", "ints", "list", "texts", "zset"];
        keys.into_iter()
            .map(str::to_string)
            .zip(names)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        encodings(&limits),
        of(["listpack", "intset", "listpack", "listpack", "listpack"])
    );
    limits.hash.packed_entries_max = 39;
    limits.set.ints_max = 39;
    limits.set.packed_entries_max = 39;
    limits.sorted_set.packed_entries_max = 39;
    limits.list.fill = 8;
    assert_eq!(
        encodings(&limits),
        of([
            "hashtable",
            "hashtable",
            "quicklist",
            "hashtable",
            "skiplist"
        ])
    );
}

#[test]
fn a_string_of_several_segments_is_compressed_whole() {
    let options = options(11, true, true);
    let (mut encoder, mut packer) = (Encoder::new(&options), Packer::new(&options));
    let mut out = Vec::new();
    encoder.header(&[]);
    let header = BigHeader {
        key: b"k",
        expiry_ms: None,
        access: 0,
        shape: BigShape::String { len_bytes: 1 << 20 },
    };
    encoder.big_begin(0, &header, AccessInfo::None);
    for _ in 0..16 {
        packer.pack(encoder.take(), &mut out);
        encoder.big_piece(Piece::Bytes(&[b'x'; 1 << 16]));
    }
    encoder.big_end();
    encoder.footer();
    packer.pack(encoder.take(), &mut out);
    assert!(out.len() < 20_000, "{} bytes", out.len());
    let (found, _) = decode(&out, &LoadLimits::defaults(1)).unwrap();
    assert_eq!(found[0].value, Shown::String(vec![b'x'; 1 << 20]));
}
