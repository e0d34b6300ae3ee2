//! The LZF format, both ways: literal runs and references up to 8 KB back.
//!
//! ```text
//! 000nnnnn  n+1 literal bytes follow (1 to 32)
//! lllooooo oooooooo             copy l+2 bytes (3 to 8) from o+1 bytes back
//! 111ooooo nnnnnnnn oooooooo    copy n+9 bytes (9 to 264) from o+1 bytes back
//! ```
//! Source: the published description of the format. The compressor looks three bytes up in one
//! table of last positions and takes the first match it finds; positions carry a growing base, so
//! that the table need not be cleared between strings. The decompressor checks every read and every
//! reference and knows from the lengths alone what cannot be true.
//!
//! Knows nothing of strings or files. Tests: below; `examples/fuzz_rdb.rs`.

const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 264;
/// Matches from this length on need the byte for the rest of the length.
const MATCH_LONG: usize = 9;
const TABLE_BITS: u32 = 13;
/// What the shortest code for the longest match makes of one input byte.
const EXPANSION_MAX: usize = MATCH_MAX / MATCH_MIN;
/// Positions stay below this; the table is cleared when they would pass it.
const POSITION_MAX: usize = u32::MAX as usize;

/// See the file header.
pub struct Compressor {
    /// The last position, plus base, of each hash of three bytes. Below the base: nothing.
    table: Box<[u32; 1 << TABLE_BITS]>,
    base: usize,
}

impl Default for Compressor {
    fn default() -> Compressor {
        Compressor::new()
    }
}

impl Compressor {
    pub fn new() -> Compressor {
        Compressor {
            table: Box::new([0; 1 << TABLE_BITS]),
            base: 1,
        }
    }

    /// Appends the compressed form of `input` to `out` if that takes at most `limit` bytes, and
    /// says so. Otherwise `out` ends up as it was.
    pub fn compress(&mut self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
        if input.len() > POSITION_MAX - self.base {
            if input.len() >= POSITION_MAX {
                return false;
            }
            self.table.fill(0);
            self.base = 1;
        }
        let start = out.len();
        let fits = self.write(input, start + limit, out);
        self.base += input.len();
        if !fits {
            out.truncate(start);
        }
        fits
    }

    fn write(&mut self, input: &[u8], end_max: usize, out: &mut Vec<u8>) -> bool {
        let (mut at, mut literals_from) = (0, 0);
        // A missed look-up makes the next step longer, so that noise costs little.
        let mut misses = 0usize;
        while at + MATCH_MIN <= input.len() {
            let here = [input[at], input[at + 1], input[at + 2]];
            let slot = &mut self.table[hash_of(here)];
            let found = (*slot as usize).wrapping_sub(self.base);
            *slot = (self.base + at) as u32;
            // Positions below the base wrap to numbers far beyond `at`.
            let is_match =
                found < at && at - found <= DISTANCE_MAX && input[found..found + MATCH_MIN] == here;
            if !is_match {
                at += 1 + (misses >> 6);
                misses += 1;
                continue;
            }
            misses = 0;
            put_literals(&input[literals_from..at], out);
            let longest = (input.len() - at).min(MATCH_MAX);
            let len = common_len(&input[found..], &input[at..at + longest]);
            put_match(at - found, len, out);
            if out.len() > end_max {
                return false;
            }
            self.note(input, at + 1, at + len);
            at += len;
            literals_from = at;
        }
        let rest = &input[literals_from..];
        if out.len() + rest.len() + rest.len().div_ceil(LITERALS_MAX) > end_max {
            return false;
        }
        put_literals(rest, out);
        true
    }

    /// Enters a few positions inside of a match, so that what follows can refer to them.
    fn note(&mut self, input: &[u8], from: usize, to: usize) {
        let last = input.len().saturating_sub(MATCH_MIN - 1);
        for at in [from, to.saturating_sub(2), to.saturating_sub(1)] {
            if at >= from && at < last {
                self.table[hash_of([input[at], input[at + 1], input[at + 2]])] =
                    (self.base + at) as u32;
            }
        }
    }
}

#[inline]
fn hash_of(bytes: [u8; MATCH_MIN]) -> usize {
    let key = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
    (key.wrapping_mul(0x9e37_79b1) >> (u32::BITS - TABLE_BITS)) as usize
}

/// How many bytes at the start are the same in both.
#[inline]
fn common_len(left: &[u8], right: &[u8]) -> usize {
    let mut len = 0;
    for (l, r) in left.chunks_exact(8).zip(right.chunks_exact(8)) {
        let differing = u64::from_le_bytes(l.try_into().expect("a chunk of 8"))
            ^ u64::from_le_bytes(r.try_into().expect("a chunk of 8"));
        if differing != 0 {
            return len + (differing.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    let rest = left[len..].iter().zip(&right[len..]);
    len + rest.take_while(|(l, r)| l == r).count()
}

#[inline]
fn put_literals(literals: &[u8], out: &mut Vec<u8>) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

#[inline]
fn put_match(distance: usize, len: usize, out: &mut Vec<u8>) {
    let back = distance - 1;
    let high = (back >> 8) as u8;
    if len < MATCH_LONG {
        out.extend_from_slice(&[((len - 2) as u8) << 5 | high, back as u8]);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - MATCH_LONG) as u8, back as u8]);
    }
}

/// Why a compressed string is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt(pub &'static str);

/// Whether `packed` bytes can stand for `len` bytes at all. To be asked before memory is set aside.
pub fn is_possible(packed: usize, len: usize) -> bool {
    len.div_ceil(EXPANSION_MAX) <= packed
}

/// Fills `out` exactly with what `input` stands for.
pub fn decompress(input: &[u8], out: &mut [u8]) -> Result<(), Corrupt> {
    const CUT: Corrupt = Corrupt("compressed data ends too early");
    const LONG: Corrupt = Corrupt("compressed data yields more than it claims");
    let (mut from, mut to) = (0, 0);
    while from < input.len() {
        let control = usize::from(input[from]);
        from += 1;
        if control < LITERALS_MAX {
            let len = control + 1;
            let source = input.get(from..from + len).ok_or(CUT)?;
            let target = out.get_mut(to..to + len).ok_or(LONG)?;
            target.copy_from_slice(source);
            from += len;
            to += len;
            continue;
        }
        let mut len = (control >> 5) + 2;
        if len == MATCH_LONG {
            len += usize::from(*input.get(from).ok_or(CUT)?);
            from += 1;
        }
        let low = usize::from(*input.get(from).ok_or(CUT)?);
        from += 1;
        let distance = ((control & 0x1f) << 8 | low) + 1;
        if distance > to {
            return Err(Corrupt("compressed data refers to before its start"));
        }
        if len > out.len() - to {
            return Err(LONG);
        }
        copy_back(out, to, distance, len);
        to += len;
    }
    if to != out.len() {
        return Err(Corrupt("compressed data yields less than it claims"));
    }
    Ok(())
}

/// Copies `len` bytes to `to` from `distance` before it; the two may overlap, and then repeat.
#[inline]
fn copy_back(out: &mut [u8], to: usize, distance: usize, len: usize) {
    if distance >= len {
        out.copy_within(to - distance..to - distance + len, to);
        return;
    }
    // What is there doubles with each round.
    let (start, mut done) = (to - distance, 0);
    while done < len {
        let step = (distance + done).min(len - done);
        out.copy_within(start..start + step, to + done);
        done += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(compressor: &mut Compressor, input: &[u8]) -> Option<usize> {
        let mut packed = b"before".to_vec();
        if !compressor.compress(input, input.len() + input.len() / 32 + 1, &mut packed) {
            assert_eq!(packed, b"before");
            return None;
        }
        let packed = &packed[6..];
        assert!(is_possible(packed.len(), input.len()));
        let mut out = vec![0xaa; input.len()];
        assert_eq!(decompress(packed, &mut out), Ok(()));
        assert_eq!(out, input);
        Some(packed.len())
    }

    #[test]
    fn repetition_shrinks_to_the_formats_best() {
        let mut compressor = Compressor::new();
        let len = round_trip(&mut compressor, &[b'a'; 2650]).unwrap();
        assert!(len <= 2 + 11 * 3, "{len}");
        let text = b"the quick brown fox jumps over the lazy dog; the quick brown cat sleeps";
        assert!(round_trip(&mut compressor, text).unwrap() < text.len() - 10);
        for short in 0..5 {
            assert!(round_trip(&mut compressor, &[b'x'; 5][..short]).is_some());
        }
    }

    #[test]
    fn what_does_not_pay_leaves_nothing_behind() {
        let noise: Vec<u8> = (0u32..200)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let mut out = vec![1, 2, 3];
        assert!(!Compressor::new().compress(&noise, noise.len() - 4, &mut out));
        assert_eq!(out, [1, 2, 3]);
    }

    #[test]
    fn positions_start_afresh_before_they_overflow() {
        let mut compressor = Compressor::new();
        compressor.base = POSITION_MAX - 1000;
        for _ in 0..4 {
            assert!(round_trip(&mut compressor, &[b'z'; 400]).unwrap() < 20);
        }
        assert!(compressor.base < 2000);
    }

    /// Observed: `SET k` of 100 times `a` and of "foobar" 10 times, DUMP on redis-server 7.0.15; without
    /// the lengths and the footer.
    #[test]
    fn texts_compressed_by_redis_are_read() {
        let mut out = [0; 100];
        let packed = [0x01, 0x61, 0x61, 0xe0, 0x57, 0x00, 0x01, 0x61, 0x61];
        assert_eq!(decompress(&packed, &mut out), Ok(()));
        assert_eq!(out, [b'a'; 100]);
    }

    #[test]
    fn damage_is_named() {
        let check = |packed: &[u8], len: usize, reason: &str| {
            let found = decompress(packed, &mut vec![0; len]).unwrap_err();
            assert_eq!(found.0, reason);
        };
        check(&[3, 1], 4, "compressed data ends too early");
        check(&[0, 1, 0x20], 4, "compressed data ends too early");
        check(&[0, 1, 0xe0], 40, "compressed data ends too early");
        check(
            &[0, 1, 0x20, 1],
            4,
            "compressed data refers to before its start",
        );
        check(
            &[0, 1, 0x20, 0],
            3,
            "compressed data yields more than it claims",
        );
        check(&[1, 1, 1], 1, "compressed data yields more than it claims");
        check(
            &[0, 1, 0x20, 0],
            5,
            "compressed data yields less than it claims",
        );
        assert!(!is_possible(10, 1000));
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(
            parts in prop::collection::vec((prop::collection::vec(0u8..4, 0..40), 0usize..600), 0..12),
            noise in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut input = noise;
            for (part, back) in parts {
                let from = input.len().saturating_sub(back);
                let again = input[from..].to_vec();
                input.extend_from_slice(&part);
                input.extend_from_slice(&again);
            }
            let mut compressor = Compressor::new();
            round_trip(&mut compressor, &input);
            round_trip(&mut compressor, &input);
        }

        #[test]
        fn any_bytes_are_survived(packed in prop::collection::vec(any::<u8>(), 0..60), len in 0usize..400) {
            let _ = decompress(&packed, &mut vec![0; len]);
        }
    }
}
