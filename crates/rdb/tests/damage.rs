//! Damaged and hostile files: each error says where, why and at which key, and nothing that is only
//! claimed costs memory.

mod common;

use common::{decode, decode_in_pieces};
use rdb::{Decoder, Doing, LoadError, LoadLimits, Reason};

fn error_of(file: &[u8]) -> LoadError {
    let limits = LoadLimits::defaults(1);
    let error = decode(file, &limits).unwrap_err();
    for size in [1, 5] {
        assert_eq!(decode_in_pieces(file, &limits, &[size]).unwrap_err(), error);
    }
    error
}

fn text_of(body: &[u8]) -> String {
    error_of(&[b"REDIS0009".as_slice(), body].concat()).to_string()
}

#[test]
fn a_file_that_ends_early_is_an_error_wherever_it_ends() {
    let file = [
        b"REDIS0009\xfa\x01a\x01b\xfe\x00\xfb\x03\x01".as_slice(),
        b"\xfc\x00\x10\x00\x00\x00\x00\x00\x00\x00\x03one\x05value\xf8\x05",
        b"\x04\x03two\x02\x01f\x01v\x01g\x40\x40",
        &[b'w'; 64],
        b"\x05\x05three\x01\x01m\x00\x00\x00\x00\x00\x00\xf0\x3f\xff\0\0\0\0\0\0\0\0",
    ]
    .concat();
    assert!(decode(&file, &LoadLimits::defaults(1)).is_ok());
    for len in 0..file.len() {
        let error = error_of(&file[..len]);
        assert_eq!(error.reason, Reason::UnexpectedEnd, "cut at {len}");
        assert!(error.offset <= len as u64);
    }
    let error = error_of(&file[..60]);
    assert_eq!(
        (error.doing, error.key.as_deref()),
        (Doing::ReadObjectValue, Some(b"two".as_slice()))
    );
}

#[test]
fn errors_name_place_reason_key_and_type() {
    let texts: [(&[u8], &str); 9] = [
        (
            b"\x00\x01k\xc4",
            "Unknown RDB string encoding type 0xc4 at offset 13, key 'k', type 0 (string)",
        ),
        (
            b"\x04\x01k\x82",
            "unknown length encoding 0x82 at offset 13, key 'k', type 4 (hash-hashtable)",
        ),
        (
            b"\x00\x01k\xc3\x02\x05\x00a",
            "Invalid LZF compressed string: compressed data yields less than it claims at offset 17, key 'k', type 0 (string)",
        ),
        (
            b"\x00\x01k\xc3\x03\x05\x20\x00\x00",
            "Invalid LZF compressed string: compressed data refers to before its start at offset 18, key 'k', type 0 (string)",
        ),
        (
            b"\x12\x01k\x01\x03\x01a",
            "Quicklist integrity check failed: unknown container 3 at offset 14, key 'k', type 18 (quicklist-v2)",
        ),
        (
            b"\x12\x01k\x01\x02\x00",
            "Quicklist integrity check failed: empty node at offset 15, key 'k', type 18 (quicklist-v2)",
        ),
        (
            b"\x12\x01k\x01\x02\x07\x08\0\0\0\0\0\xff",
            "Listpack integrity check failed: total differs from the size of the blob (byte 0) at offset 22, key 'k', type 18 (quicklist-v2)",
        ),
        (b"\x08\x01k\x00", "Invalid object type: 8 at offset 10"),
        (
            b"\xfe\x81\x00\x00\x00\x01\x00\x00\x00\x00",
            "database number 4294967296 is out of range at offset 19",
        ),
    ];
    for (body, text) in texts {
        assert_eq!(text_of(body), text);
    }
    let long_key = [b"\x04\x42\x00".as_slice(), &[b'\n'; 512], b"\x82"].concat();
    let text = text_of(&long_key);
    assert!(
        text.ends_with("\\n... (512 bytes)', type 4 (hash-hashtable)"),
        "{text}"
    );
}

#[test]
fn a_wrong_checksum_is_an_error_unless_nobody_asks() {
    let file = b"REDIS0009\x00\x01k\x01v\xff\x01\x02\x03\x04\x05\x06\x07\x08";
    let error = error_of(file);
    assert_eq!(error.doing, Doing::CheckSum);
    assert!(
        error
            .to_string()
            .starts_with("Wrong RDB checksum expected: ("),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains(") but got (807060504030201) at offset 23"),
        "{error}"
    );
    let mut decoder = Decoder::new(LoadLimits::defaults(1), false);
    let mut input = file.as_slice();
    while decoder.next(&mut input).unwrap().is_some() {}
    assert!(decoder.is_done());
}

#[test]
fn what_follows_the_end_is_not_consumed() {
    let file = b"REDIS0009\xff\0\0\0\0\0\0\0\0*1\r\n$4\r\nPING\r\n";
    let mut decoder = Decoder::new(LoadLimits::defaults(1), true);
    let mut input = file.as_slice();
    assert!(decoder.next(&mut input).unwrap().is_some());
    assert!(decoder.next(&mut input).unwrap().is_none());
    assert_eq!(input, b"*1\r\n$4\r\nPING\r\n");
    assert_eq!((decoder.offset(), decoder.wanted()), (18, 0));
    assert!(decoder.at_end().is_ok());
}

/// Only what has arrived is kept, and only a little more is asked for.
#[test]
fn claimed_lengths_cost_nothing() {
    const HUGE: &[u8] = b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff";
    for kind in [0u8, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 16, 17, 18, 20] {
        let file = [
            b"REDIS0009".as_slice(),
            &[kind, 1, b'k'],
            HUGE,
            b"\x01a\x01b",
        ]
        .concat();
        let mut decoder = Decoder::new(LoadLimits::defaults(1), true);
        let mut input = file.as_slice();
        // Small values may be complete or wrong already; none may be set aside for.
        match decoder.next(&mut input) {
            Ok(None) => assert!((1..=1 << 20).contains(&decoder.wanted())),
            Ok(Some(_)) => panic!("type {kind} is not complete"),
            Err(error) => assert_eq!(error.key.as_deref(), Some(b"k".as_slice())),
        }
    }
    // A compressed string cannot yield more than 88 times its size.
    let packed = [b"\x00\x01k\xc3\x04".as_slice(), HUGE, b"\x00a\xe0\x00"].concat();
    let text = text_of(&packed);
    assert!(
        text.starts_with("Invalid LZF compressed string: claims more than it can yield"),
        "{text}"
    );
    let key = [b"\x00".as_slice(), HUGE, b"k"].concat();
    assert!(text_of(&key).starts_with("Unexpected EOF reading RDB file"));
}

#[test]
fn a_long_string_is_taken_over_as_it_arrives() {
    let len: u32 = 3 << 20;
    let mut decoder = Decoder::new(LoadLimits::defaults(1), true);
    let head = [b"REDIS0009\x00\x01k\x80".as_slice(), &len.to_be_bytes()].concat();
    let mut input = head.as_slice();
    assert!(decoder.next(&mut input).unwrap().is_none());
    assert!(input.is_empty());
    let piece = vec![b'p'; 1 << 20];
    for _ in 0..2 {
        let mut input = piece.as_slice();
        assert!(decoder.next(&mut input).unwrap().is_none());
        assert!(input.is_empty(), "nothing is left with the caller");
    }
    let mut input = piece.as_slice();
    match decoder.next(&mut input).unwrap() {
        Some(rdb::Event::Entry { value, .. }) => {
            assert_eq!(
                common::shown_loaded(&value),
                common::Shown::String(vec![b'p'; len as usize])
            );
        }
        _ => panic!("the value is complete"),
    }
}
