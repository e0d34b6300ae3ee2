//! Tests of the listpack: bytes as Redis writes them, a `Vec` as the model, hostile blobs.

use proptest::prelude::*;

use super::*;

/// Observed: the payload of `DUMP h` from redis-server 7.0.15 (`rdbcompression no`), without type
/// byte (16), length and footer, after `HSET h f1 <element> f2 <element> ...` with the elements of
/// [`HASH_ELEMENTS`].
const HASH_FROM_REDIS: &[u8] = b"\xd3\0\0\0\x28\0\
    \x82f1\x03\x00\x01\x82f2\x03\x7f\x01\x82f3\x03\xc0\x80\x02\x82f4\x03\xdf\xff\x02\
    \x82f5\x03\xcf\xff\x02\x82f6\x03\xd0\x00\x02\x82f7\x03\xf1\x00\x10\x03\x82f8\x03\xf1\x00\x80\x03\
    \x82f9\x03\xf2\x00\x80\x00\x04\x83f10\x04\xf2\xff\xff\x7f\x04\x83f11\x04\xf3\xff\xff\x7f\xff\x05\
    \x83f12\x04\xf4\x00\x00\x00\x80\x00\x00\x00\x00\x09\x83f13\x04\xf4\x00\x00\x00\x00\x00\x00\x00\x80\x09\
    \x83f14\x04\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09\x83f15\x04\x85hello\x06\x83f16\x04\x83007\x04\
    \x83f17\x04\x82+5\x03\x83f18\x04\x82-0\x03\x83f19\x04\x80\x01\x83f20\x04\x939223372036854775808\x14\xff";

const HASH_ELEMENTS: [&str; 20] = [
    "0",
    "127",
    "128",
    "-1",
    "4095",
    "-4096",
    "4096",
    "-32768",
    "32768",
    "8388607",
    "-8388609",
    "2147483648",
    "-9223372036854775808",
    "9223372036854775807",
    "hello",
    "007",
    "+5",
    "-0",
    "",
    "9223372036854775808",
];

/// Observed likewise: `ZADD z 1 a 2.5 b -3 c 1e20 d` (type byte 17).
const ZSET_FROM_REDIS: &[u8] =
    b"\x24\0\0\0\x08\0\x81c\x02\xdf\xfd\x02\x81a\x02\x01\x01\x81b\x02\x832.5\x04\x81d\x02\x851e+20\x06\xff";

fn pack_of<T: AsRef<[u8]>>(elements: &[T]) -> Listpack {
    let mut pack = Listpack::new();
    for element in elements {
        pack.push_back(element.as_ref());
    }
    pack
}

fn elements_of(pack: &Listpack) -> Vec<Vec<u8>> {
    pack.iter().map(|item| item.to_vec()).collect()
}

/// Everything that must hold after any change.
fn assert_is(pack: &Listpack, model: &[Vec<u8>]) {
    assert_eq!(elements_of(pack), model);
    assert_eq!(pack.len(), model.len());
    assert_eq!(pack.is_empty(), model.is_empty());
    let backward: Vec<_> = pack.iter_rev().map(|item| item.to_vec()).collect();
    assert!(backward.iter().rev().eq(model.iter()));
    check(pack.as_blob()).expect("own writes are valid");
    assert!(pack.heap_bytes() >= pack.byte_len());
}

#[test]
fn a_hash_is_written_as_redis_writes_it() {
    let mut pack = Listpack::new();
    for (index, element) in HASH_ELEMENTS.iter().enumerate() {
        pack.push_pair_back(format!("f{}", index + 1).as_bytes(), element.as_bytes());
    }
    assert_eq!(
        pack.as_blob().escape_ascii().to_string(),
        HASH_FROM_REDIS.escape_ascii().to_string()
    );
    let loaded = Listpack::from_blob(HASH_FROM_REDIS).unwrap();
    let values: Vec<_> = loaded.pairs().map(|(_, value)| value.to_vec()).collect();
    assert!(
        values
            .iter()
            .eq(HASH_ELEMENTS.iter().map(|element| element.as_bytes()))
    );
}

#[test]
fn a_sorted_set_is_written_as_redis_writes_it() {
    let pack = pack_of(&["c", "-3", "a", "1", "b", "2.5", "d", "1e+20"]);
    assert_eq!(pack.as_blob(), ZSET_FROM_REDIS);
    let scores: Vec<_> = pack.pairs().map(|(_, score)| score.to_f64()).collect();
    assert_eq!(scores, [Some(-3.0), Some(1.0), Some(2.5), Some(1e20)]);
}

/// Observed: `RPUSH l a b 100 <64 x> <130 y>` and, for 4096 bytes, `RPUSH lbig <4096 z> tail`; the
/// heads and backlens stand at these places in their DUMP payloads.
#[test]
fn longer_strings_are_written_as_redis_writes_them() {
    let pack = pack_of(&[
        "a".into(),
        "b".into(),
        "100".into(),
        "x".repeat(64),
        "y".repeat(130),
    ]);
    let mut expected = b"\xd8\0\0\0\x05\0\x81a\x02\x81b\x02\x64\x01\xe0\x40".to_vec();
    expected.extend([b'x'; 64]);
    expected.extend(b"\x42\xe0\x82");
    expected.extend([b'y'; 130]);
    expected.extend(b"\x01\x84\xff");
    assert_eq!(pack.as_blob(), expected);

    let pack = pack_of(&["z".repeat(4096), "tail".into()]);
    assert!(
        pack.as_blob()
            .starts_with(b"\x14\x10\0\0\x02\0\xf0\x00\x10\0\0zzz")
    );
    assert!(pack.as_blob().ends_with(b"zzz\x20\x85\x84tail\x05\xff"));
}

/// Observed: the last bytes of `DUMP hb` from redis-server 7.0.15 after `HSET hb f <size v>` with
/// `hash-max-listpack-value` raised.
#[test]
fn backlens_widen_where_those_of_redis_do() {
    let observed: [(usize, &[u8]); 8] = [
        (122, b"\x7c\xff"),
        (125, b"\x7f\xff"),
        (126, b"\x01\x80\xff"),
        (16376, b"\x7f\xfd\xff"),
        (16377, b"\x7f\xfe\xff"),
        (16378, b"\x00\xff\xff\xff"),
        (2_097_145, b"\x7f\xff\xfe\xff"),
        (2_097_146, b"\x00\xff\xff\xff\xff"),
    ];
    for (size, ending) in observed {
        let pack = pack_of(&[vec![b'v'; size]]);
        let text_end = pack.as_blob().len() - ending.len();
        assert_eq!(pack.as_blob()[text_end..], *ending, "{size}");
        assert_eq!(pack.as_blob()[text_end - 1], b'v', "{size}");
    }
}

#[test]
fn every_size_of_head_and_backlen_walks_both_ways() {
    let mut sizes = Vec::new();
    for edge in [64, 128, 4096, 16383, 2_097_151] {
        sizes.extend(edge - 8..edge + 3);
    }
    for size in sizes {
        let model = [vec![b'a'], vec![b's'; size], vec![b'b']];
        assert_is(&pack_of(&model), &model);
    }
}

#[test]
fn integers_at_the_edges_of_their_encodings_read_back() {
    let mut model = Vec::new();
    for bits in [0, 7, 12, 15, 23, 31, 63] {
        let edge = 1i128 << bits;
        for value in [edge - 1, edge, edge + 1, -edge - 1, -edge, -edge + 1] {
            model.push(value.to_string().into_bytes());
        }
    }
    let pack = pack_of(&model);
    assert_is(&pack, &model);
    let mut by_value = Listpack::new();
    for text in &model {
        match crate::decimal::parse_i64(text) {
            Some(value) => by_value.push_int_back(value),
            None => by_value.push_back(text),
        }
    }
    assert_eq!(by_value.as_blob(), pack.as_blob());
}

#[test]
fn the_count_is_unknown_from_65535_on_and_known_again_below() {
    let mut pack = Listpack::new();
    for _ in 0..65534 {
        pack.push_int_back(7);
    }
    assert_eq!(pack.as_blob()[4..6], [0xfe, 0xff]);
    for expected in [65535, 65536] {
        pack.push_int_back(8);
        assert_eq!(pack.as_blob()[4..6], [0xff, 0xff]);
        assert_eq!(pack.len(), expected);
    }
    check(pack.as_blob()).unwrap();
    assert_eq!(pack.seek(-1).map(|pos| pack.get(pos)), Some(Item::Int(8)));
    assert_eq!(pack.remove_range(-5, 100), 5);
    assert_eq!(pack.as_blob()[4..6], 65531u16.to_le_bytes());
    assert_eq!(pack.len(), 65531);
}

#[test]
fn corrupt_blobs_are_refused_with_place_and_reason() {
    let check = |blob: &[u8], offset_bytes, reason| {
        assert_eq!(
            Listpack::from_blob(blob).unwrap_err(),
            CorruptListpack {
                offset_bytes,
                reason
            }
        );
    };
    check(b"", 0, "shorter than an empty listpack");
    check(
        b"\x08\0\0\0\0\0\xff",
        0,
        "total differs from the size of the blob",
    );
    check(b"\x07\0\0\0\0\0\xfe", 6, "end marker missing");
    check(
        b"\x07\0\0\0\x01\0\xff",
        4,
        "count differs from the number of elements",
    );
    check(
        b"\x09\0\0\0\x01\0\xff\x01\xff",
        6,
        "unknown or truncated element encoding",
    );
    check(
        b"\x09\0\0\0\x01\0\xf5\x01\xff",
        6,
        "unknown or truncated element encoding",
    );
    check(
        b"\x08\0\0\0\x01\0\xf0\xff",
        6,
        "unknown or truncated element encoding",
    );
    check(
        b"\x08\0\0\0\x01\0\x00\xff",
        6,
        "element reaches beyond the end",
    );
    check(
        b"\x0b\0\0\0\x01\0\xf0\xff\xff\xff\xff",
        6,
        "element reaches beyond the end",
    );
    check(
        b"\x09\0\0\0\x01\0\x01\x02\xff",
        6,
        "backward length differs from the element's length",
    );
    check(
        b"\x09\0\0\0\x01\0\x01\x81\xff",
        6,
        "backward length differs from the element's length",
    );
    let error = Listpack::from_blob(b"\x07\0\0\0\0\0\xfe").unwrap_err();
    assert_eq!(
        error.to_string(),
        "corrupt listpack at byte 6: end marker missing"
    );
}

/// Found by fuzzing. Redis decodes the second backlen, 0x82, together with the byte before it, which
/// is the text's only byte, 0x00 by luck, and accepts; no writer produces it.
#[test]
fn a_backlen_that_continues_into_the_text_is_refused() {
    let blob = b"\x0b\0\0\0\x02\0\x05\x01\x81\0\x82\xff";
    let mut blob = blob.to_vec();
    blob[0] = blob.len() as u8;
    let error = Listpack::from_blob(&blob).unwrap_err();
    assert_eq!(
        (error.offset_bytes, error.reason),
        (8, "backward length differs from the element's length")
    );
}

/// Redis accepts elements in a wider encoding than necessary, so we do.
#[test]
fn wider_encodings_than_necessary_are_the_same_elements() {
    let blob = b"\x16\0\0\0\x03\0\xf1\x05\0\x03\xe0\x01a\x03\xf0\x02\0\0\x0012\x07\xff";
    let mut blob = blob.to_vec();
    blob[0] = blob.len() as u8;
    let pack = Listpack::from_blob(&blob).unwrap();
    let first = pack.first().unwrap();
    for (index, text) in ["5", "a", "12"].iter().enumerate() {
        assert_eq!(
            pack.find(text.as_bytes(), 0, first),
            pack.seek(index as i64),
            "{text}"
        );
    }
    assert_eq!(
        pack.seek(2).map(|pos| pack.get(pos).to_i64()),
        Some(Some(12))
    );
}

#[test]
fn finding_with_a_stride_looks_at_fields_only() {
    let pack = pack_of(&["name", "x", "x", "name", "12", "x", "13", "12"]);
    let find = |needle: &str, skip| {
        let pos = pack.find(needle.as_bytes(), skip, pack.first().unwrap())?;
        (0..8).find(|index| pack.seek(*index) == Some(pos))
    };
    assert_eq!(find("x", 0), Some(1));
    assert_eq!(find("x", 1), Some(2));
    assert_eq!(find("12", 1), Some(4));
    assert_eq!(find("13", 0), Some(6));
    assert_eq!(find("012", 0), None);
    assert_eq!(find("x", 3), None);
    assert_eq!(find("absent", 1), None);
}

#[test]
fn scores_are_numbers_but_not_nan() {
    let score = |text: &str| Item::Str(text.as_bytes()).to_f64();
    assert_eq!(score("inf"), Some(f64::INFINITY));
    assert_eq!(score("-inf"), Some(f64::NEG_INFINITY));
    assert_eq!(score("-2.5e-3"), Some(-0.0025));
    for text in ["nan", "", "1x", "\u{fffd}"] {
        assert_eq!(score(text), None, "{text:?}");
    }
    assert_eq!(Item::Str(b"\xff").to_f64(), None);
}

#[test]
fn the_size_guard_is_one_gigabyte() {
    let pack = Listpack::new();
    assert!(pack.fits((1 << 30) - 7));
    assert!(!pack.fits((1 << 30) - 6));
    assert!(!pack.fits(usize::MAX));
}

#[derive(Clone, Debug)]
enum Op {
    PushBack(Vec<u8>),
    PushFront(Vec<u8>),
    PushPair(Vec<u8>, Vec<u8>),
    InsertPair(usize, Vec<u8>, Vec<u8>),
    InsertBefore(usize, Vec<u8>),
    InsertAfter(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    ReplaceInt(usize, i64),
    Remove(usize),
    RemovePair(usize),
    RemoveRange(i64, usize),
    RemoveAll(Vec<bool>),
    AppendAll(Vec<Vec<u8>>),
    SplitOff(usize, bool),
    Find(usize, usize),
    Reload,
}

pub(crate) fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..10),
        2 => (any::<i64>(), 0u32..64).prop_map(|(value, shift)| (value >> shift).to_string().into_bytes()),
        1 => (-5i64..5).prop_map(|value| value.to_string().into_bytes()),
        1 => (0usize..300, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        1 => prop::sample::select(vec![4093usize, 4095, 4096, 5000, 16375, 16380, 16383])
            .prop_map(|len| vec![b'L'; len]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let at = any::<usize>;
    prop_oneof![
        4 => element().prop_map(Op::PushBack),
        2 => element().prop_map(Op::PushFront),
        2 => (element(), element()).prop_map(|(first, second)| Op::PushPair(first, second)),
        1 => (at(), element(), element()).prop_map(|(at, first, second)| Op::InsertPair(at, first, second)),
        2 => (at(), element()).prop_map(|(at, element)| Op::InsertBefore(at, element)),
        2 => (at(), element()).prop_map(|(at, element)| Op::InsertAfter(at, element)),
        2 => (at(), element()).prop_map(|(at, element)| Op::Replace(at, element)),
        1 => (at(), any::<i64>()).prop_map(|(at, value)| Op::ReplaceInt(at, value)),
        2 => at().prop_map(Op::Remove),
        1 => at().prop_map(Op::RemovePair),
        1 => (-30i64..30, 0usize..10).prop_map(|(index, count)| Op::RemoveRange(index, count)),
        1 => prop::collection::vec(any::<bool>(), 0..30).prop_map(Op::RemoveAll),
        1 => prop::collection::vec(element(), 0..5).prop_map(Op::AppendAll),
        1 => (at(), any::<bool>()).prop_map(|(at, keep_tail)| Op::SplitOff(at, keep_tail)),
        2 => (at(), 0usize..3).prop_map(|(at, skip)| Op::Find(at, skip)),
        1 => Just(Op::Reload),
    ]
}

fn seek(pack: &Listpack, index: usize) -> Pos {
    let pos = pack.seek(index as i64).unwrap();
    assert_eq!(pack.seek(index as i64 - pack.len() as i64), Some(pos));
    pos
}

fn apply(pack: &mut Listpack, model: &mut Vec<Vec<u8>>, op: Op) {
    match op {
        Op::PushBack(element) => {
            pack.push_back(&element);
            model.push(element);
        }
        Op::PushFront(element) => {
            pack.push_front(&element);
            model.insert(0, element);
        }
        Op::PushPair(first, second) => {
            pack.push_pair_back(&first, &second);
            model.extend([first, second]);
        }
        Op::AppendAll(elements) => {
            let other = pack_of(&elements);
            if elements.len() % 2 == 0 {
                pack.append_all(&other);
            } else {
                *pack = std::mem::take(pack).merge(&other);
            }
            model.extend(elements);
        }
        Op::RemoveRange(index, count) => {
            let start = if index < 0 {
                model.len() as i64 + index
            } else {
                index
            };
            let start = usize::try_from(start)
                .unwrap_or(model.len())
                .min(model.len());
            let end = (start + count).min(model.len());
            assert_eq!(pack.remove_range(index, count), end - start);
            model.drain(start..end);
        }
        Op::RemoveAll(flags) => {
            let flag = |index: usize| flags.get(index).copied().unwrap_or(false);
            let hits: Vec<Pos> = (0..model.len())
                .filter(|index| flag(*index))
                .map(|index| seek(pack, index))
                .collect();
            pack.remove_all(&hits);
            let mut index = 0;
            model.retain(|_| {
                index += 1;
                !flag(index - 1)
            });
        }
        Op::Reload => *pack = Listpack::from_blob(pack.clone().as_blob()).unwrap(),
        other if !model.is_empty() => apply_at(pack, model, other),
        _ => {}
    }
}

fn apply_at(pack: &mut Listpack, model: &mut Vec<Vec<u8>>, op: Op) {
    let len = model.len();
    match op {
        Op::InsertPair(at, first, second) => {
            let at = at % (len + 1);
            let pos = (at < len).then(|| seek(pack, at));
            pack.insert_pair_before(pos, &first, &second);
            model.splice(at..at, [first, second]);
        }
        Op::InsertBefore(at, element) => {
            let pos = pack.insert_before(seek(pack, at % len), &element);
            assert!(pack.get(pos).eq_bytes(&element));
            model.insert(at % len, element);
        }
        Op::InsertAfter(at, element) => {
            let pos = pack.insert_after(seek(pack, at % len), &element);
            assert!(pack.get(pos).eq_bytes(&element));
            model.insert(at % len + 1, element);
        }
        Op::Replace(at, element) => {
            let pos = pack.replace(seek(pack, at % len), &element);
            assert!(pack.get(pos).eq_bytes(&element));
            model[at % len] = element;
        }
        Op::ReplaceInt(at, value) => {
            let pos = pack.replace_int(seek(pack, at % len), value);
            assert_eq!(pack.get(pos), Item::Int(value));
            model[at % len] = value.to_string().into_bytes();
        }
        Op::Remove(at) => {
            let following = pack.remove(seek(pack, at % len));
            model.remove(at % len);
            assert_eq!(following, pack.seek((at % len) as i64));
        }
        Op::RemovePair(at) if len >= 2 => {
            let at = at % (len - 1);
            let following = pack.remove_pair(seek(pack, at));
            model.drain(at..at + 2);
            assert_eq!(following, pack.seek(at as i64));
        }
        Op::SplitOff(at, keep_tail) => {
            let at = at % (len + 1);
            let tail = pack.split_off(at);
            let model_tail = model.split_off(at);
            assert_is(&tail, &model_tail);
            if keep_tail {
                (*pack, *model) = (tail, model_tail);
            }
        }
        Op::Find(at, skip) => {
            let (start, needle) = (at % len, model[at / 7 % len].clone());
            let expected = (start..len)
                .step_by(skip + 1)
                .find(|index| model[*index] == needle);
            let found = pack.find(&needle, skip, seek(pack, start));
            assert_eq!(found, expected.map(|index| seek(pack, index)));
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn behaves_like_a_vec_of_texts(ops in prop::collection::vec(op(), 0..60)) {
        let mut pack = Listpack::new();
        let mut model = Vec::new();
        for op in ops {
            apply(&mut pack, &mut model, op);
            assert_is(&pack, &model);
        }
        for index in [model.len() as i64, -(model.len() as i64) - 1, i64::MAX, i64::MIN] {
            prop_assert_eq!(pack.seek(index), None);
        }
        let mut pos = pack.first();
        let mut walked = 0;
        while let Some(at) = pos {
            prop_assert_eq!(pack.next(at).and_then(|next| pack.prev(next)), pack.next(at).map(|_| at));
            walked += 1;
            pos = pack.next(at);
        }
        prop_assert_eq!(walked, model.len());
        prop_assert_eq!(pack.last(), pack.seek(-1));
    }

    #[test]
    fn a_mutated_blob_is_refused_or_a_working_listpack(
        elements in prop::collection::vec(element(), 0..12),
        mutations in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<usize>()),
        ops in prop::collection::vec(op(), 0..8),
    ) {
        let mut blob = pack_of(&elements).as_blob().to_vec();
        for (at, byte) in mutations {
            let at = at % blob.len();
            blob[at] = byte;
        }
        if let Some(cut) = cut {
            blob.truncate(cut % (blob.len() + 1));
            // Give the shortened blob a chance to pass the outer checks.
            if let Some(total) = blob.get(..4).map(|_| blob.len() as u32) {
                blob[..4].copy_from_slice(&total.to_le_bytes());
                *blob.last_mut().unwrap() = END;
            }
        }
        if let Ok(mut pack) = Listpack::from_blob(&blob) {
            let mut model = elements_of(&pack);
            for op in ops {
                apply(&mut pack, &mut model, op);
                assert_is(&pack, &model);
            }
        }
    }
}
