//! Every encoding that releases since 2.x have written and we no longer write: converted to what we
//! keep, with what is wrong in them refused. The bytes are put together by hand from the published
//! descriptions of the formats.

mod common;

use common::{Found, Shown, decode, decode_in_pieces};
use rdb::{AccessInfo, ChecksumFound, LoadLimits, Reason};

/// A file of one key `k` without a checksum.
fn file_of(kind: u8, value: &[u8]) -> Vec<u8> {
    file_with(b"REDIS0009", &[&[kind, 1, b'k'], value].concat())
}

fn file_with(magic: &[u8], body: &[u8]) -> Vec<u8> {
    [magic, body, &[0xff], &[0; 8]].concat()
}

/// As a string of a file.
fn string(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0x80], len.as_slice(), bytes].concat()
}

/// A ziplist of short texts.
fn ziplist(texts: &[&str]) -> Vec<u8> {
    let mut blob = vec![0; 10];
    let (mut previous, mut tail) = (0, 10);
    for text in texts {
        tail = blob.len();
        blob.extend_from_slice(&[previous, text.len() as u8]);
        blob.extend_from_slice(text.as_bytes());
        previous = text.len() as u8 + 2;
    }
    blob.push(0xff);
    let total = blob.len() as u32;
    blob[0..4].copy_from_slice(&total.to_le_bytes());
    blob[4..8].copy_from_slice(&(tail as u32).to_le_bytes());
    blob[8..10].copy_from_slice(&(texts.len() as u16).to_le_bytes());
    blob
}

/// A listpack of short texts.
fn listpack(texts: &[&str]) -> Vec<u8> {
    let mut pack = structures::listpack::Listpack::new();
    texts
        .iter()
        .for_each(|text| pack.push_back(text.as_bytes()));
    pack.as_blob().to_vec()
}

fn load(file: &[u8]) -> Shown {
    let limits = LoadLimits::defaults(1);
    let (mut found, end) = decode(file, &limits).unwrap();
    assert_eq!(end, ChecksumFound::Disabled);
    assert_eq!(found.len(), 1);
    for size in [1, 2, 7, 64] {
        assert_eq!(decode_in_pieces(file, &limits, &[size]).unwrap().0, found);
    }
    found.remove(0).value
}

fn refuse(file: &[u8]) -> Reason {
    let limits = LoadLimits::defaults(1);
    let error = decode(file, &limits).unwrap_err();
    assert_eq!(error.key.as_deref(), Some(b"k".as_slice()));
    assert_eq!(decode_in_pieces(file, &limits, &[3]).unwrap_err(), error);
    error.reason
}

fn list(texts: &[&str]) -> Shown {
    Shown::List(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
}

fn set(texts: &[&str]) -> Shown {
    Shown::Set(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
}

fn hash(pairs: &[(&str, &str)]) -> Shown {
    let bytes = |text: &str| text.as_bytes().to_vec();
    Shown::Hash(pairs.iter().map(|(f, v)| (bytes(f), bytes(v))).collect())
}

fn sorted_set(members: &[(&str, f64)]) -> Shown {
    let bits = |score: f64| score.to_bits();
    let members = members.iter();
    Shown::SortedSet(
        members
            .map(|(m, s)| (m.as_bytes().to_vec(), bits(*s)))
            .collect(),
    )
}

#[test]
fn linked_lists_and_lists_of_ziplists() {
    let elements = ["a", "bb", "12", ""];
    let linked = [
        vec![4],
        string(b"a"),
        string(b"bb"),
        vec![0xc0, 12],
        string(b""),
    ]
    .concat();
    assert_eq!(load(&file_of(1, &linked)), list(&elements));
    assert_eq!(
        load(&file_of(10, &string(&ziplist(&elements)))),
        list(&elements)
    );
    // Empty nodes are left out.
    let nodes = [
        vec![3],
        string(&ziplist(&elements[..2])),
        string(&ziplist(&[])),
        string(&ziplist(&elements[2..])),
    ];
    assert_eq!(load(&file_of(14, &nodes.concat())), list(&elements));
    let nodes = [
        vec![2, 1],
        string(b"plain"),
        vec![2],
        string(&listpack(&elements)),
    ];
    let expected = ["plain", "a", "bb", "12", ""];
    assert_eq!(load(&file_of(18, &nodes.concat())), list(&expected));
}

#[test]
fn a_long_ziplist_becomes_a_list_of_nodes() {
    let texts: Vec<String> = (0..2000).map(|n| format!("element {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(load(&file_of(10, &string(&ziplist(&texts)))), list(&texts));
}

#[test]
fn sets() {
    let plain = [vec![3], string(b"x"), vec![0xc1, 0x2c, 0x01], string(b"y")].concat();
    assert_eq!(load(&file_of(2, &plain)), set(&["300", "x", "y"]));
    let ints = b"\x02\0\0\0\x02\0\0\0\xfb\xff\x01\0";
    assert_eq!(load(&file_of(11, &string(ints))), set(&["-5", "1"]));
    let pack = listpack(&["x", "7", "y"]);
    assert_eq!(load(&file_of(20, &string(&pack))), set(&["7", "x", "y"]));
    let twice = [vec![2], string(b"x"), string(b"x")].concat();
    let reason = refuse(&file_of(2, &twice));
    assert_eq!(reason.to_string(), "Duplicate set members detected");
    let unordered = b"\x02\0\0\0\x02\0\0\0\x01\0\xfb\xff";
    let reason = refuse(&file_of(11, &string(unordered)));
    assert_eq!(
        reason.to_string(),
        "Intset integrity check failed: values do not ascend (byte 10)"
    );
}

#[test]
fn hashes() {
    let expected = hash(&[("f", "v"), ("n", "5")]);
    let plain = [
        vec![2],
        string(b"f"),
        string(b"v"),
        string(b"n"),
        vec![0xc0, 5],
    ]
    .concat();
    assert_eq!(load(&file_of(4, &plain)), expected);
    let texts = ["f", "v", "n", "5"];
    assert_eq!(load(&file_of(13, &string(&ziplist(&texts)))), expected);
    assert_eq!(load(&file_of(16, &string(&listpack(&texts)))), expected);
    let zipmap = b"\x02\x01f\x01\0v\x01n\x01\x035---\xff";
    assert_eq!(load(&file_of(9, &string(zipmap))), expected);
    let twice = refuse(&file_of(13, &string(&ziplist(&["f", "1", "f", "2"]))));
    assert_eq!(
        twice.to_string(),
        "Hash ziplist integrity check failed: an element is there twice (byte 0)"
    );
    let twice = refuse(&file_of(9, &string(b"\x02\x01f\x01\0v\x01f\x01\0w\xff")));
    assert_eq!(twice.to_string(), "Zipmap with dup elements");
    let twice = [
        vec![2],
        string(b"f"),
        string(b"v"),
        string(b"f"),
        string(b"w"),
    ];
    let reason = refuse(&file_of(4, &twice.concat()));
    assert_eq!(reason.to_string(), "Duplicate hash fields detected");
    let reason = refuse(&file_of(13, &string(&ziplist(&["f", "1", "g"]))));
    assert_eq!(
        reason.to_string(),
        "Hash ziplist integrity check failed: a last element without its pair (byte 0)"
    );
}

#[test]
fn sorted_sets() {
    let expected = sorted_set(&[
        ("low", f64::NEG_INFINITY),
        ("a", 1.5),
        ("b", 2.0),
        ("top", f64::INFINITY),
    ]);
    let first = [
        vec![4],
        [string(b"b"), b"\x012".to_vec()].concat(),
        [string(b"a"), b"\x031.5".to_vec()].concat(),
        [string(b"low"), vec![255]].concat(),
        [string(b"top"), vec![254]].concat(),
    ];
    assert_eq!(load(&file_of(3, &first.concat())), expected);
    let scored = |name: &[u8], score: f64| [string(name), score.to_le_bytes().to_vec()].concat();
    let second = [
        vec![4],
        scored(b"top", f64::INFINITY),
        scored(b"b", 2.0),
        scored(b"a", 1.5),
        scored(b"low", f64::NEG_INFINITY),
    ];
    assert_eq!(load(&file_of(5, &second.concat())), expected);
    let texts = ["low", "-inf", "a", "1.5", "b", "2", "top", "inf"];
    assert_eq!(load(&file_of(12, &string(&ziplist(&texts)))), expected);
    assert_eq!(load(&file_of(17, &string(&listpack(&texts)))), expected);
    let bad = |kind, value: Vec<u8>| refuse(&file_of(kind, &value)).to_string();
    let nan = "Zset with NAN score detected";
    assert_eq!(bad(5, [vec![1], scored(b"m", f64::NAN)].concat()), nan);
    assert_eq!(bad(3, [vec![1], string(b"m"), vec![253]].concat()), nan);
    let twice = [vec![2], scored(b"m", 1.0), scored(b"m", 2.0)].concat();
    assert_eq!(bad(5, twice), "Duplicate zset fields detected");
    let text = [vec![1], string(b"m"), b"\x03abc".to_vec()].concat();
    assert_eq!(bad(3, text), "Zset with a score that is no number");
    let unordered = string(&ziplist(&["a", "2", "b", "1"]));
    assert_eq!(
        bad(12, unordered),
        "Zset listpack integrity check failed: not in order"
    );
}

#[test]
fn collections_without_elements_are_left_out_of_files() {
    let ziplist = string(&ziplist(&[]));
    let pack = string(&listpack(&[]));
    let nodes = [vec![1], ziplist.clone()].concat();
    let empty: [(u8, &[u8]); 12] = [
        (1, b"\0"),
        (2, b"\0"),
        (3, b"\0"),
        (4, b"\0"),
        (5, b"\0"),
        (10, &ziplist),
        (12, &ziplist),
        (13, &ziplist),
        (14, &nodes),
        (16, &pack),
        (17, &pack),
        (20, &pack),
    ];
    for (kind, value) in empty {
        let body = [&[kind, 1, b'k'], value, b"\x00\x01s\x01v"].concat();
        let file = file_with(b"REDIS0009", &body);
        let mut left_out = Vec::new();
        common::visit(&file, &LoadLimits::defaults(1), |event| {
            if let rdb::Event::Empty { db: 0, key } = event {
                left_out.push(key.to_vec());
            }
        })
        .unwrap();
        assert_eq!(left_out, [b"k"], "type {kind}");
        assert_eq!(load(&file), Shown::String(b"v".to_vec()));
    }
}

#[test]
fn lengths_of_every_form_and_attributes_of_every_kind() {
    let body = [
        b"\xfe\x02\xfb\x01\x01\xf4\x05\x40\x50\x00".as_slice(),
        b"\xfc\x00\x10\x00\x00\x00\x00\x00\x00\xf8\x81\0\0\0\0\0\0\x01\x00",
        b"\x00\x81\0\0\0\0\0\0\0\x01a\x40\x01v",
        b"\xfd\x02\x00\x00\x00\xf9\x07\x00\x80\0\0\0\x01b\xc2\x70\x11\x01\x00",
        b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x00\x01c\xc3\x05\x08\x01xy\x80\x01",
    ]
    .concat();
    let text = |text: &str| Shown::String(text.as_bytes().to_vec());
    let entry = |key: &str, value, expiry_ms, access| Found {
        db: 2,
        key: key.as_bytes().to_vec(),
        value: text(value),
        expiry_ms,
        access,
    };
    let file = file_with(b"REDIS0012", &body);
    let (found, _) = decode(&file, &LoadLimits::defaults(1)).unwrap();
    assert_eq!(
        found,
        [
            entry("a", "v", Some(4096), AccessInfo::IdleSeconds(256)),
            entry("b", "70000", Some(2000), AccessInfo::Frequency(7)),
            // Redis means "none" by an expiry of -1.
            entry("c", "xyxyxyxy", None, AccessInfo::None),
        ]
    );
}

#[test]
fn versions_decide_what_is_read() {
    let limits = LoadLimits::defaults(1);
    let body = b"\x00\x01k\x01v";
    for magic in [b"REDIS0005", b"REDIS0012", b"VALKEY080"] {
        assert!(decode(&file_with(magic, body), &limits).is_ok());
    }
    // Before version 5 no checksum follows.
    for magic in [b"REDIS0001", b"REDIS0004"] {
        let file = [magic.as_slice(), body, &[0xff]].concat();
        assert_eq!(decode(&file, &limits).unwrap().1, ChecksumFound::NotChecked);
    }
    for (magic, version) in [
        (b"REDIS0000", 0),
        (b"REDIS0013", 13),
        (b"REDIS9999", 9999),
        (b"VALKEY011", 11),
        (b"VALKEY081", 81),
    ] {
        let error = decode(&file_with(magic, body), &limits).unwrap_err();
        assert_eq!(error.reason, Reason::UnsupportedVersion(version));
    }
    let older = LoadLimits {
        max_version: 11,
        ..limits
    };
    let error = decode(&file_with(b"REDIS0012", body), &older).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Can't handle RDB format version 12 at offset 9"
    );
}
