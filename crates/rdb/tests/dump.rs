//! DUMP payloads: those that redis-server makes are read and made alike, all others are refused.

mod common;

use common::{Model, Shown, keyspace_with, shown_loaded};
use keyspace::Keyspace;
use keyspace::value::Value;
use proptest::prelude::*;
use rdb::{EncodeOptions, LoadLimits, Reason, RestoreError, dump, restore};

/// Observed: DUMP on redis-server 7.0.15 (Debian), after
///
/// ```text
/// SET i8 -5; SET i16 300; SET i32 70000; SET i64 12345678901; SET short hello;
/// SET long <100 times a>; SET foobar <6 times foobar>;
/// RPUSH l a b 3; SADD ints 1 2 300; SADD st a b; HSET h f v n 5; ZADD z 1 a 2.5 b inf c;
/// CONFIG SET hash-max-listpack-entries 1 zset-max-listpack-entries 1;
/// HSET ht f v n 5; ZADD zt 1 a 2.5 b -inf c
/// ```
const FROM_REDIS_7_0: [(&str, &[u8]); 14] = [
    ("i8", b"\x00\xc0\xfb\x0a\x00I\xc4\xc6\xf4\xd7&?h"),
    ("i16", b"\x00\xc1,\x01\x0a\x00\x95Ba\xf2e\x82\x5c\x10"),
    ("i32", b"\x00\xc2p\x11\x01\x00\x0a\x00\x01\xa4\x08\xfe\x950\x95\xa5"),
    ("i64", b"\x00\x0b12345678901\x0a\x000NR\xd7'\x17e\x10"),
    ("short", b"\x00\x05hello\x0a\x00cr\xdfve4 \x0a"),
    ("long", b"\x00\xc3\x09@d\x01aa\xe0W\x00\x01aa\x0a\x00\xe8\xa3\xb5\x07\xb0m\xf2q"),
    ("foobar", b"\x00\xc3\x0e$\x06foobarf\xe0\x12\x05\x01ar\x0a\x00\x18\xd0\xc1\x04k\xf9\xfa\x8f"),
    ("l", b"\x12\x01\x02\x0f\x0f\x00\x00\x00\x03\x00\x81a\x02\x81b\x02\x03\x01\xff\x0a\x00\xdc\xa1\xe6}P\x05PH"),
    ("ints", b"\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00,\x01\x0a\x00\xe5\x10\xb2\x8e{\x95)\xaa"),
    ("st", b"\x02\x02\x01a\x01b\x0a\x00\xfed!%\xeb\x03=\x0d"),
    ("h", b"\x10\x12\x12\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81n\x02\x05\x01\xff\x0a\x00\x84\x90\x93\x9fW\xb4\xf3\xc2"),
    ("z", b"\x11\x1c\x1c\x00\x00\x00\x06\x00\x81a\x02\x01\x01\x81b\x02\x832.5\x04\x81c\x02\x83inf\x04\xff\x0a\x00k\x1d\xde\xdc\xe8\xe2\xc3\x99"),
    ("ht", b"\x04\x02\x01f\x01v\x01n\xc0\x05\x0a\x00u\xcf\x10$\xb3\x8f\xa8/"),
    ("zt", b"\x05\x03\x01b\x00\x00\x00\x00\x00\x00\x04@\x01a\x00\x00\x00\x00\x00\x00\xf0?\x01c\x00\x00\x00\x00\x00\x00\xf0\xff\x0a\x00\x9a$\xca\x8f\xdc\xb1\xd0\x8c"),
];

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn string(text: &str) -> Model {
    Model::String(text.as_bytes().to_vec())
}

/// What was dumped under each key.
fn model_of(key: &str) -> Model {
    let scored = |last: (&str, f64)| {
        let members = [("a", 1.0), ("b", 2.5), last];
        Model::SortedSet(
            members
                .map(|(member, score)| (member.as_bytes().to_vec(), score))
                .into(),
        )
    };
    match key {
        "i8" => string("-5"),
        "i16" => string("300"),
        "i32" => string("70000"),
        "i64" => string("12345678901"),
        "short" => string("hello"),
        "long" => string(&"a".repeat(100)),
        "foobar" => string(&"foobar".repeat(6)),
        "l" => Model::List(texts(&["a", "b", "3"])),
        "ints" => Model::Set(texts(&["1", "2", "300"]).into_iter().collect()),
        "st" => Model::Set(texts(&["a", "b"]).into_iter().collect()),
        "h" | "ht" => Model::Hash(
            [("f", "v"), ("n", "5")]
                .map(|(f, v)| (f.as_bytes().to_vec(), v.as_bytes().to_vec()))
                .into(),
        ),
        "z" => scored(("c", f64::INFINITY)),
        _ => scored(("c", f64::NEG_INFINITY)),
    }
}

fn keyspace_of(key: &str, model: Model) -> Keyspace {
    keyspace_with(&[(0, key.as_bytes().to_vec(), model, None)])
}

fn of_version(version: u16) -> EncodeOptions {
    EncodeOptions {
        version,
        ..EncodeOptions::default()
    }
}

/// What a payload holds.
fn restored(payload: &[u8], deep: bool) -> Result<Shown, RestoreError> {
    let mut room = Vec::new();
    restore(payload, &LoadLimits::defaults(1), deep, &mut room).map(|value| shown_loaded(&value))
}

#[test]
fn payloads_of_redis_are_restored() {
    for (key, payload) in FROM_REDIS_7_0 {
        let keyspace = keyspace_of(key, model_of(key));
        let entry = keyspace.inspect(0, key.as_bytes()).unwrap();
        assert_eq!(
            restored(payload, true).unwrap(),
            common::shown_entry(entry),
            "{key}"
        );
    }
}

#[test]
fn payloads_equal_those_of_redis() {
    for (key, payload) in FROM_REDIS_7_0 {
        // The two last were tables there; and compressed forms need not be the same.
        if matches!(key, "ht" | "zt" | "foobar" | "long") {
            continue;
        }
        let keyspace = keyspace_of(key, model_of(key));
        let entry = keyspace.inspect(0, key.as_bytes()).unwrap();
        assert_eq!(dump(entry, &of_version(10)), payload, "{key}");
    }
}

#[test]
fn restored_values_dump_to_what_they_came_from() {
    let mut limits = LoadLimits::defaults(1);
    for (key, payload) in FROM_REDIS_7_0 {
        if matches!(key, "foobar" | "long") {
            continue;
        }
        if matches!(key, "ht" | "zt") {
            limits.hash.packed_entries_max = 1;
            limits.sorted_set.packed_entries_max = 1;
        }
        let mut room = Vec::new();
        let mut keyspace = Keyspace::new(1, 1, false);
        match restore(payload, &limits, true, &mut room).unwrap() {
            structures::entry::NewValue::Payload(value) => keyspace.put(0, b"k", value, None),
            value => {
                let Shown::String(text) = shown_loaded(&value) else {
                    panic!("a string")
                };
                keyspace.set_string(0, b"k", &text, keyspace::Expiry::Clear);
            }
        }
        let entry = keyspace.inspect(0, b"k").unwrap();
        let again = dump(entry, &of_version(10));
        if key == "ht" {
            // A table has no order.
            assert_eq!(again.len(), payload.len());
        } else {
            assert_eq!(again, payload, "{key}");
        }
    }
}

#[test]
fn a_set_in_a_listpack_needs_version_11() {
    let keyspace = keyspace_of("s", Model::Set(texts(&["x", "yy"]).into_iter().collect()));
    let entry = keyspace.inspect(0, b"s").unwrap();
    let payload = |version| dump(entry, &of_version(version));
    assert_eq!((payload(11)[0], payload(10)[0]), (20, 2));
    for version in [10, 11, 9, 80] {
        let footer = payload(version).len() - 10;
        assert_eq!(payload(version)[footer], version.clamp(10, 11) as u8);
        let set = texts(&["x", "yy"]).into_iter().collect();
        assert_eq!(restored(&payload(version), true), Ok(Shown::Set(set)));
    }
}

/// A payload of this body with a right footer.
fn payload_of(body: &[u8], version: u16) -> Vec<u8> {
    let mut payload = body.to_vec();
    payload.extend_from_slice(&version.to_le_bytes());
    let sum = crc_of(&payload);
    payload.extend_from_slice(&sum.to_le_bytes());
    payload
}

/// The checksum, bit by bit from its definition.
fn crc_of(bytes: &[u8]) -> u64 {
    const REFLECTED_POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u64::from(*byte), |sum, _| {
            let shifted = sum >> 1;
            if sum & 1 == 1 {
                shifted ^ REFLECTED_POLYNOMIAL
            } else {
                shifted
            }
        })
    })
}

#[test]
fn versions_and_checksums_are_checked_first() {
    let good = payload_of(b"\0\x01x", 10);
    assert_eq!(restored(&good, false), Ok(Shown::String(b"x".to_vec())));
    for version in [1, 12, 80] {
        assert!(restored(&payload_of(b"\0\x01x", version), false).is_ok());
    }
    for version in [13, 79, 81, 0xffff] {
        let error = restored(&payload_of(b"\0\x01x", version), false).unwrap_err();
        assert_eq!(
            error.reply(),
            "ERR DUMP payload version or checksum are wrong"
        );
    }
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        assert_eq!(
            restored(&damaged, false),
            Err(RestoreError::VersionOrChecksum)
        );
    }
    for len in 0..10 {
        assert_eq!(
            restored(&good[..len], false),
            Err(RestoreError::VersionOrChecksum)
        );
    }
}

#[test]
fn bad_values_are_bad_data_with_place_and_reason() {
    let reason = |body: &[u8], deep| match restored(&payload_of(body, 10), deep) {
        Err(RestoreError::BadData(error)) => {
            assert_eq!(
                RestoreError::BadData(error.clone()).reply(),
                "ERR Bad data format"
            );
            (error.offset, error.reason)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(b"", false), (0, Reason::UnexpectedEnd));
    assert_eq!(reason(b"\0\x05abc", false), (2, Reason::UnexpectedEnd));
    assert_eq!(reason(b"\0\x01xy", false), (3, Reason::TrailingBytes));
    assert_eq!(reason(b"\x02\0", false), (2, Reason::Empty));
    assert_eq!(reason(b"\x63\0", false).1, Reason::UnknownType(0x63));
    assert_eq!(reason(b"\x0f\0", false).1, Reason::RefusedType(15));
    assert_eq!(reason(b"\x06\0", false).1, Reason::RefusedModule(None));
    assert_eq!(
        reason(b"\x0d\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff", false).1,
        Reason::Empty,
        "a ziplist without entries"
    );
}

#[test]
fn duplicates_in_packs_are_found_by_the_deep_check() {
    let hash = b"\x10\x13\x13\0\0\0\x04\0\x81f\x02\x81v\x02\x81f\x02\x81w\x02\xff";
    assert!(restored(&payload_of(hash, 10), false).is_ok());
    let error = restored(&payload_of(hash, 10), true).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Hash listpack integrity check failed: an element is there twice"),
        "{error}"
    );
    // In a table it shows itself.
    let mut limits = LoadLimits::defaults(1);
    limits.hash.packed_entries_max = 1;
    let payload = payload_of(hash, 10);
    let mut room = Vec::new();
    match restore(&payload, &limits, false, &mut room) {
        Err(error) => assert!(
            error
                .to_string()
                .contains("Hash listpack with dup elements"),
            "{error}"
        ),
        Ok(_) => panic!("a field is there twice"),
    }
    let set = b"\x14\x0d\x0d\0\0\0\x02\0\x81f\x02\x81f\x02\xff";
    assert!(restored(&payload_of(set, 11), false).is_ok());
    let error = restored(&payload_of(set, 11), true).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Set listpack integrity check failed: an element is there twice"),
        "{error}"
    );
    let zset = b"\x11\x13\x13\0\0\0\x04\0\x81f\x02\x81n\x02\x81g\x02\x81w\x02\xff";
    let error = restored(&payload_of(zset, 11), true).unwrap_err();
    assert!(error.to_string().contains("no number"), "{error}");
}

proptest! {
    #[test]
    fn every_value_survives_dump_and_restore(model in common::any_model(), version in 10u16..12, compress: bool) {
        let keyspace = keyspace_of("k", model);
        let entry = keyspace.inspect(0, b"k").unwrap();
        let options = EncodeOptions { version, compress, checksum: false };
        let payload = dump(entry, &options);
        prop_assert_eq!(restored(&payload, true).unwrap(), common::shown_entry(entry));
    }
}

#[test]
fn strings_keep_their_cheapest_form() {
    let kept = |body: &[u8]| {
        let payload = payload_of(body, 11);
        let mut room = Vec::new();

        match restore(&payload, &LoadLimits::defaults(1), false, &mut room).unwrap() {
            structures::entry::NewValue::Int(_) => "int",
            structures::entry::NewValue::Bytes(_) => "inline",
            structures::entry::NewValue::Payload(Value::Bytes(_)) => "buffer",
            structures::entry::NewValue::Payload(_) => "container",
        }
    };
    assert_eq!(kept(b"\0\x0b12345678901"), "int");
    assert_eq!(kept(b"\0\xc0\x05"), "int");
    assert_eq!(kept(b"\0\x0212345678901"[..4].as_ref()), "int");
    assert_eq!(kept(b"\0\xc3\x09@d\x01aa\xe0W\x00\x01aa"), "inline");
    let mut long = vec![0, 0x48, 0];
    long.extend_from_slice(&[b'x'; 2048]);
    assert_eq!(kept(&long), "buffer");
}
