//! What check-rdb says, line by line, as redis-check-rdb 7.0.15 was seen to say it; and files with
//! what this release does not serve.

use rdb::check::{Checker, Report};
use rdb::{ChecksumFound, Decoder, Event, LoadLimits, Reason};

fn check(file: &[u8]) -> (Vec<String>, Report) {
    let mut lines = Vec::new();
    let mut show = |line: &str| lines.push(line.to_string());
    let mut checker = Checker::new("f.rdb", 1_000_000, &mut show);
    let mut input = file;
    checker.feed(&mut input, &mut show);
    let report = checker.finish(&mut show);
    // Byte by byte says the same.
    let mut again = Vec::new();
    let mut show = |line: &str| again.push(line.to_string());
    let mut checker = Checker::new("f.rdb", 1_000_000, &mut show);
    let mut buffer = Vec::new();
    for byte in file {
        buffer.push(*byte);
        let mut input = buffer.as_slice();
        if !checker.feed(&mut input, &mut show) {
            break;
        }
        let left = input.len();
        buffer.drain(..buffer.len() - left);
    }
    assert_eq!(checker.finish(&mut show), report);
    assert_eq!(lines, again);
    (lines, report)
}

/// A file of version 9 without a checksum.
fn file_of(body: &[u8]) -> Vec<u8> {
    let mut file = b"REDIS0009".to_vec();
    file.extend_from_slice(body);
    file.push(0xff);
    file.extend_from_slice(&[0; 8]);
    file
}

#[test]
fn a_sound_file_is_described() {
    let body = b"\xfa\x09redis-ver\x067.0.15\xfa\x0aredis-bits\xc0\x40\xfe\x00\xfb\x03\x01\
        \x00\x01k\x01v\xfc\x01\0\0\0\0\0\0\0\x00\x01e\xc0\x07\xfe\x03\xfd\xff\xff\xff\x7f\x04\x01h\x01\x01f\x01v";
    let (lines, report) = check(&file_of(body));
    assert_eq!(
        lines,
        [
            "[offset 0] Checking RDB file f.rdb",
            "[offset 27] AUX FIELD redis-ver = '7.0.15'",
            "[offset 41] AUX FIELD redis-bits = '64'",
            "[offset 43] Selecting DB ID 0",
            "[offset 67] Selecting DB ID 3",
            "[offset 89] RDB file was saved with checksum disabled: no check performed.",
            "[offset 89] \\o/ RDB looks OK! \\o/",
            "[info] 3 keys read",
            "[info] 2 expires",
            "[info] 1 already expired",
        ]
    );
    assert_eq!(report.version, 9);
    assert_eq!(report.keys_by_db, [(0, 2), (3, 1)].into());
    assert_eq!(report.checksum, Some(ChecksumFound::Disabled));
}

/// Observed on redis-check-rdb 7.0.15 for files cut in the middle, with wrong beginnings and with a
/// wrong sum.
#[test]
fn errors_are_described() {
    let after_first = |file: &[u8]| check(file).0.split_off(1);
    let ending = |keys: u32| {
        [
            format!("[info] {keys} keys read"),
            "[info] 0 expires".to_string(),
            "[info] 0 already expired".to_string(),
        ]
    };
    let error = |lines: &[&str], keys| {
        let mut all = vec!["--- RDB ERROR DETECTED ---".to_string()];
        all.extend(lines.iter().map(|line| line.to_string()));
        all.extend(ending(keys));
        all
    };
    assert_eq!(
        after_first(b"REDIS"),
        error(
            &[
                "[offset 0] Unexpected EOF reading RDB file",
                "[additional info] While doing: start",
                "[additional info] Reading type 0 (string)",
            ],
            0
        )
    );
    assert_eq!(
        after_first(b"REDIS0099"),
        error(
            &[
                "[offset 9] Can't handle RDB format version 99",
                "[additional info] While doing: start",
                "[additional info] Reading type 0 (string)",
            ],
            0
        )
    );
    assert_eq!(
        after_first(b"REDAS0009xxxx"),
        error(
            &[
                "[offset 9] Wrong signature trying to load DB from file",
                "[additional info] While doing: start",
                "[additional info] Reading type 0 (string)",
            ],
            0
        )
    );
    assert_eq!(
        after_first(b"REDIS0009\x63\x01a"),
        error(
            &[
                "[offset 10] Invalid object type: 99",
                "[additional info] While doing: read-type",
                "[additional info] Reading type 0 (string)",
            ],
            0
        )
    );
    assert_eq!(
        after_first(b"REDIS0009\x00\x01k\x01v\x00\x05ab"),
        error(
            &[
                "[offset 16] Unexpected EOF reading RDB file",
                "[additional info] While doing: read-key",
                "[additional info] Reading type 0 (string)",
            ],
            1
        )
    );
    assert_eq!(
        after_first(b"REDIS0009\x00\x01k\x01v\x04\x04hash\x02\x01f"),
        error(
            &[
                "[offset 23] Unexpected EOF reading RDB file",
                "[additional info] While doing: read-object-value",
                "[additional info] Reading key 'hash'",
                "[additional info] Reading type 4 (hash-hashtable)",
            ],
            2
        )
    );
    let mut wrong_sum = file_of(b"\x00\x01k\x01v");
    *wrong_sum.last_mut().unwrap() = 1;
    assert_eq!(
        after_first(&wrong_sum),
        error(
            &[
                "[offset 23] RDB CRC error",
                "[additional info] While doing: check-sum",
            ],
            1
        )
    );
}

#[test]
fn keys_without_elements_are_noted() {
    let (lines, report) = check(&file_of(b"\x02\x03set\0\x00\x01k\x01v"));
    assert_eq!(lines[1], "[offset 15] Skipping empty key 'set'");
    assert_eq!((report.keys, report.empty_keys, report.error), (1, 1, None));
}

/// Bodies by the type they begin with; each is followed by a string, to show where it ends.
fn foreign_values() -> Vec<(u8, Vec<u8>)> {
    // One node, length and last id (and what version 2 added), one group with one pending entry and
    // one consumer who owns it.
    let node: &[u8] = b"\x01\x10aaaaaaaaaaaaaaaa\x03lpx";
    let stream = |extra: &[u8], group_extra: &[u8], consumer_extra: &[u8]| {
        let mut body = node.to_vec();
        body.extend_from_slice(b"\x01\x05\x00");
        body.extend_from_slice(extra);
        body.extend_from_slice(b"\x01\x05group\x05\x00");
        body.extend_from_slice(group_extra);
        body.extend_from_slice(b"\x01bbbbbbbbbbbbbbbbtttttttt\x01\x01\x05alicessssssss");
        body.extend_from_slice(consumer_extra);
        body.extend_from_slice(b"\x01bbbbbbbbbbbbbbbb");
        body
    };
    let more: &[u8] = b"\x05\x00\x00\x00\x01";
    vec![
        (15, stream(b"", b"", b"")),
        (19, stream(more, b"\x01", b"")),
        (21, stream(more, b"\x01", b"aaaaaaaa")),
        (22, b"\x02\x00\x01f\x01v\x05\x01g\x01w".to_vec()),
        (23, b"\x05abcde".to_vec()),
        (24, b"mmmmmmmm\x02\x00\x01f\x01v\x05\x01g\x01w".to_vec()),
        (25, b"mmmmmmmm\x05abcde".to_vec()),
        (7, b"\x81\x01\x02\x03\x04\x05\x06\x07\x08\x02\x05\x01\x07\x05\x03abc\x03ffff\x04dddddddd\x00".to_vec()),
    ]
}

#[test]
fn values_of_other_releases_are_stepped_over() {
    for (code, body) in foreign_values() {
        let mut all = vec![code, 3, b'k', b'e', b'y'];
        all.extend_from_slice(&body);
        all.extend_from_slice(b"\x00\x01k\x01v");
        let (lines, report) = check(&file_of(&all));
        assert_eq!(report.error, None, "type {code}: {lines:?}");
        assert_eq!(report.keys, 2);
    }
    let valkey = b"VALKEY080\x16\x01h\x02\x01f\x01veeeeeeee\x01g\x01weeeeeeee\xff\0\0\0\0\0\0\0\0";
    assert_eq!(check(valkey).1.error, None);
    let functions_and_modules =
        b"\xf5\x05#!lua\xf7\x81\x70\x35\x81\x5b\xd8\x9a\x44\x01\x02\x01\x05\x03abc\x00";
    let (lines, report) = check(&file_of(functions_and_modules));
    assert_eq!(report.error, None);
    assert!(
        lines[1].starts_with("[offset 28] MODULE AUX for: "),
        "{lines:?}"
    );
    assert_eq!(lines[1].len(), "[offset 28] MODULE AUX for: ".len() + 9);
}

#[test]
fn values_of_other_releases_are_refused_by_name_when_loading() {
    let refuse = |file: &[u8]| {
        let mut decoder = Decoder::new(LoadLimits::defaults(1), true);
        let mut input = file;
        loop {
            match decoder.next(&mut input) {
                Ok(Some(Event::Aux { .. } | Event::SelectDb { .. })) => {}
                Ok(_) => panic!("refused"),
                Err(error) => return error,
            }
        }
    };
    for (code, body) in foreign_values() {
        let mut all = vec![code, 3, b'k', b'e', b'y'];
        all.extend_from_slice(&body);
        let error = refuse(&file_of(&all));
        assert_eq!(error.key.as_deref(), Some(b"key".as_slice()));
        assert_eq!(error.kind, Some(code));
        match error.reason {
            Reason::RefusedType(refused) => assert_eq!(refused, code),
            Reason::RefusedModule(Some(_)) => assert_eq!(code, 7),
            other => panic!("{other:?}"),
        }
    }
    let text = refuse(&file_of(b"\x15\x03log\x01")).to_string();
    assert_eq!(
        text,
        "values of type 21 (stream-v3) are not served by this release at offset 14, key 'log', type 21 (stream-v3)"
    );
    let text = refuse(&file_of(b"\xf5\x05#!lua")).to_string();
    assert_eq!(text, "functions are not built in this release at offset 10");
    let text = refuse(&file_of(
        b"\xf7\x81\x00\x00\x00\x00\x00\x00\x00\x00\x02\x01\x00",
    ))
    .to_string();
    assert!(text.starts_with(
        "The RDB file contains AUX module data I can't load: no matching module 'AAAAAAAAA'"
    ));
    let text = refuse(&file_of(b"\xf6")).to_string();
    assert!(text.starts_with("Pre-release function format not supported."));
}
