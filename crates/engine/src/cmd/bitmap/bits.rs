//! Counting, finding and combining bits, a word or more at a time.
//!
//! Bit 0 is the highest bit of byte 0. Plain loops over words that the compiler turns into vector
//! instructions; the edges are done byte by byte.
//!
//! Tests: at the bottom, against bit by bit models.

use std::ops::RangeInclusive;

const WORD: usize = size_of::<u64>();
/// Bytes looked at together when skipping what is not searched for.
const STRIDE: usize = 4 * WORD;

fn word(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes.try_into().expect("a word's bytes"))
}

/// Set bits of whole bytes.
pub(super) fn count_bytes(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(WORD);
    let rest: u64 = words
        .remainder()
        .iter()
        .map(|b| u64::from(b.count_ones()))
        .sum();
    words.map(|w| u64::from(word(w).count_ones())).sum::<u64>() + rest
}

/// Set bits among those numbered `range`, which must lie within `bytes`.
pub(super) fn count(bytes: &[u8], range: RangeInclusive<u64>) -> u64 {
    let edges = Edges::of(&range);
    let Edges { first, last, .. } = edges;
    let outside = (bytes[first] & !edges.first_mask).count_ones()
        + (bytes[last] & !edges.last_mask).count_ones();
    count_bytes(&bytes[first..=last]) - u64::from(outside)
}

/// The first bit equal to `wanted` among those numbered `range`, which must lie within `bytes`.
pub(super) fn find(bytes: &[u8], range: RangeInclusive<u64>, wanted: bool) -> Option<u64> {
    let Edges {
        first,
        last,
        first_mask,
        last_mask,
    } = Edges::of(&range);
    // Looking for clear bits is looking for set ones in the complement.
    let flip = if wanted { 0 } else { 0xff };
    let in_byte = |index: usize, mask: u8| {
        let byte = (bytes[index] ^ flip) & mask;
        (byte != 0).then(|| index as u64 * 8 + u64::from(byte.leading_zeros()))
    };
    if first == last {
        return in_byte(first, first_mask & last_mask);
    }
    in_byte(first, first_mask)
        .or_else(|| {
            let index = first + 1 + position_of_other(&bytes[first + 1..last], flip)?;
            in_byte(index, 0xff)
        })
        .or_else(|| in_byte(last, last_mask))
}

/// The first byte that is not `skipped`.
fn position_of_other(bytes: &[u8], skipped: u8) -> Option<usize> {
    let skipped_word = u64::from_ne_bytes([skipped; WORD]);
    let strides = bytes.chunks_exact(STRIDE).take_while(|stride| {
        stride
            .chunks_exact(WORD)
            .fold(0, |other, w| other | (word(w) ^ skipped_word))
            == 0
    });
    let start = strides.count() * STRIDE;
    bytes[start..]
        .iter()
        .position(|&b| b != skipped)
        .map(|at| start + at)
}

/// Where a range of bits begins and ends in bytes, and which bits of those bytes are in it.
struct Edges {
    first: usize,
    last: usize,
    first_mask: u8,
    last_mask: u8,
}

impl Edges {
    fn of(range: &RangeInclusive<u64>) -> Edges {
        let (start, end) = (*range.start(), *range.end());
        Edges {
            first: (start >> 3) as usize,
            last: (end >> 3) as usize,
            first_mask: 0xff >> (start & 7),
            last_mask: 0xff << (7 - (end & 7)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BitOp {
    And,
    Or,
    Xor,
    Not,
}

/// Combines `target` with `source`, which counts as followed by zeros up to the same length.
pub(super) fn combine(op: BitOp, target: &mut [u8], source: &[u8]) {
    let (common, rest) = target.split_at_mut(source.len());
    let pairs = common.iter_mut().zip(source);
    match op {
        BitOp::And => {
            pairs.for_each(|(t, s)| *t &= s);
            rest.fill(0);
        }
        BitOp::Or => pairs.for_each(|(t, s)| *t |= s),
        BitOp::Xor => pairs.for_each(|(t, s)| *t ^= s),
        BitOp::Not => {
            pairs.for_each(|(t, s)| *t = !s);
            rest.fill(0xff);
        }
    }
}

/// Bytes that a field of up to 64 bits can touch.
const FIELD_BYTES: u64 = 9;

/// The `width` bits from `offset` on; what lies behind the end is zero.
pub(super) fn get_field(bytes: &[u8], offset: u64, width: u32) -> u64 {
    let window = field_window(bytes, offset);
    let shift = FIELD_BYTES as u32 * 8 - (offset & 7) as u32 - width;
    (window >> shift) as u64 & (u64::MAX >> (64 - width))
}

/// Overwrites the `width` bits from `offset` on, which must lie within `bytes`.
pub(super) fn set_field(bytes: &mut [u8], offset: u64, width: u32, value: u64) {
    let shift = FIELD_BYTES as u32 * 8 - (offset & 7) as u32 - width;
    let mask = u128::from(u64::MAX >> (64 - width)) << shift;
    let window = field_window(bytes, offset) & !mask | u128::from(value) << shift & mask;
    let last = (offset + u64::from(width) - 1) >> 3;
    for index in offset >> 3..=last {
        let place = FIELD_BYTES - 1 - (index - (offset >> 3));
        bytes[index as usize] = (window >> (place * 8)) as u8;
    }
}

fn field_window(bytes: &[u8], offset: u64) -> u128 {
    let first = offset >> 3;
    (first..first + FIELD_BYTES).fold(0, |window, index| {
        window << 8 | u128::from(bytes.get(index as usize).copied().unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bit(bytes: &[u8], at: u64) -> bool {
        bytes[(at / 8) as usize] >> (7 - at % 8) & 1 == 1
    }

    /// Long runs of equal bytes, so that skipping is exercised.
    fn runs() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(
            (prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 1usize..80),
            1..5,
        )
        .prop_map(|runs| {
            runs.into_iter()
                .flat_map(|(byte, count)| vec![byte; count])
                .collect()
        })
    }

    proptest! {
        #[test]
        fn counts_and_finds_like_a_loop_over_bits(bytes in runs(), a: u64, b: u64, wanted: bool) {
            let len = bytes.len() as u64 * 8;
            let (a, b) = (a % len, b % len);
            let range = a.min(b)..=a.max(b);
            let set = range.clone().filter(|&at| bit(&bytes, at)).count() as u64;
            prop_assert_eq!(count(&bytes, range.clone()), set);
            let first = range.clone().find(|&at| bit(&bytes, at) == wanted);
            prop_assert_eq!(find(&bytes, range, wanted), first);
        }

        #[test]
        fn a_field_is_its_bits(mut bytes in prop::collection::vec(any::<u8>(), 1..30), offset: u64, width in 1u32..=64, value: u64) {
            let len = bytes.len() as u64 * 8;
            let offset = offset % len;
            let expected = (offset..offset + u64::from(width)).fold(0, |field, at| field << 1 | u64::from(at < len && bit(&bytes, at)));
            prop_assert_eq!(get_field(&bytes, offset, width), expected);
            if offset + u64::from(width) <= len {
                let before = bytes.clone();
                let value = value & (u64::MAX >> (64 - width));
                set_field(&mut bytes, offset, width, value);
                prop_assert_eq!(get_field(&bytes, offset, width), value);
                let field = offset..offset + u64::from(width);
                prop_assert!((0..len).filter(|at| !field.contains(at)).all(|at| bit(&bytes, at) == bit(&before, at)));
            }
        }
    }
}
