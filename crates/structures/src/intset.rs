//! `Intset`: a sorted array of distinct integers in one block, byte-compatible with Redis.
//!
//! ```text
//! Intset ──► ┌───────────────────┬────────────┬──────────────────────────────┐
//!            │ width: u32 2|4|8  │ count: u32 │ count values of width bytes  │   (all little-endian)
//!            └───────────────────┴────────────┴──────────────────────────────┘
//! ```
//! The width is that of the widest value ever added; it never goes back, as in Redis. The block is
//! the blob that RDB and DUMP store. Its allocation is the size class of its length (see `block`),
//! so the handle is one pointer.
//!
//! Invariant: the header describes the block, the values ascend strictly. Foreign bytes are checked
//! in full. Knows nothing of sets. Tests: below, against `BTreeSet`.

use std::cmp::Ordering;
use std::fmt;
use std::ptr;
use std::slice;

use crate::block::{Block, class_bytes};

const HEADER_BYTES: usize = 8;

/// See the file header.
#[repr(transparent)]
pub struct Intset {
    /// Invariant: of the class of `byte_len()` bytes, that many initialised.
    block: Block,
}

const _: () = assert!(size_of::<Option<Intset>>() == 8);

/// Why bytes from outside are not an intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptIntset {
    pub offset_bytes: usize,
    pub reason: &'static str,
}

impl fmt::Display for CorruptIntset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "corrupt intset at byte {}: {}",
            self.offset_bytes, self.reason
        )
    }
}

impl std::error::Error for CorruptIntset {}

/// Bytes per value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Width {
    #[inline]
    fn of(value: i64) -> Width {
        if i16::try_from(value).is_ok() {
            Width::Two
        } else if i32::try_from(value).is_ok() {
            Width::Four
        } else {
            Width::Eight
        }
    }

    #[inline]
    fn from_code(code: u32) -> Option<Width> {
        match code {
            2 => Some(Width::Two),
            4 => Some(Width::Four),
            8 => Some(Width::Eight),
            _ => None,
        }
    }

    #[inline]
    fn read(self, values: &[u8], index: usize) -> i64 {
        let at = index * self as usize;
        match self {
            Width::Two => i16::from_le_bytes(array_at(values, at)).into(),
            Width::Four => i32::from_le_bytes(array_at(values, at)).into(),
            Width::Eight => i64::from_le_bytes(array_at(values, at)),
        }
    }

    #[inline]
    fn write(self, values: &mut [u8], index: usize, value: i64) {
        let width = self as usize;
        values[index * width..][..width].copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

#[inline]
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes")
}

impl Intset {
    pub fn new() -> Intset {
        Intset::from_trusted(&[2, 0, 0, 0, 0, 0, 0, 0])
    }

    /// Copies a blob from outside after checking it. An empty set is refused, as Redis does: no key
    /// holds one.
    pub fn from_blob(blob: &[u8]) -> Result<Intset, CorruptIntset> {
        let corrupt = |offset_bytes, reason| {
            Err(CorruptIntset {
                offset_bytes,
                reason,
            })
        };
        if blob.len() < HEADER_BYTES {
            return corrupt(0, "shorter than its header");
        }
        let Some(width) = Width::from_code(u32::from_le_bytes(array_at(blob, 0))) else {
            return corrupt(0, "unknown width of values");
        };
        let count = u32::from_le_bytes(array_at(blob, 4)) as usize;
        if count == 0 {
            return corrupt(4, "no values");
        }
        let values = &blob[HEADER_BYTES..];
        if count.checked_mul(width as usize) != Some(values.len()) {
            return corrupt(4, "count differs from the size of the blob");
        }
        for index in 1..count {
            if width.read(values, index - 1) >= width.read(values, index) {
                return corrupt(
                    HEADER_BYTES + index * width as usize,
                    "values do not ascend",
                );
            }
        }
        Ok(Intset::from_trusted(blob))
    }

    /// `blob` must be consistent with its header.
    fn from_trusted(blob: &[u8]) -> Intset {
        assert!(blob.len() >= HEADER_BYTES);
        let block = Block::new(blob.len());
        // SAFETY: the new block holds at least `blob.len()` bytes and overlaps nothing.
        unsafe { ptr::copy_nonoverlapping(blob.as_ptr(), block.as_ptr(), blob.len()) };
        let set = Intset { block };
        assert_eq!(set.byte_len(), blob.len());
        set
    }

    /// The bytes as RDB stores them.
    #[inline]
    pub fn as_blob(&self) -> &[u8] {
        // SAFETY: by the invariant `byte_len()` bytes are allocated and initialised.
        unsafe { slice::from_raw_parts(self.block.as_ptr(), self.byte_len()) }
    }

    /// The size of the blob.
    #[inline]
    pub fn byte_len(&self) -> usize {
        HEADER_BYTES + self.len() * self.width() as usize
    }

    /// What the set occupies on the heap.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        class_bytes(self.byte_len())
    }

    #[inline]
    pub fn len(&self) -> usize {
        u32::from_le_bytes(array_at(self.header(), 4)) as usize
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        self.search(value).is_ok()
    }

    /// The value at `index` in ascending order.
    #[inline]
    pub fn get(&self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.width().read(self.values(), index))
    }

    pub fn min(&self) -> Option<i64> {
        self.get(0)
    }

    pub fn max(&self) -> Option<i64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + '_ {
        let (width, values) = (self.width(), self.values());
        (0..self.len()).map(move |index| width.read(values, index))
    }

    /// Whether the value was new.
    pub fn insert(&mut self, value: i64) -> bool {
        if Width::of(value) > self.width() {
            self.widen_and_insert(value);
            return true;
        }
        let Err(index) = self.search(value) else {
            return false;
        };
        let (width, len) = (self.width(), self.len());
        self.set_shape(width, len + 1);
        let (at, end) = (index * width as usize, len * width as usize);
        let values = self.values_mut();
        values.copy_within(at..end, at + width as usize);
        width.write(values, index, value);
        true
    }

    /// Whether the value was there.
    pub fn remove(&mut self, value: i64) -> bool {
        let Ok(index) = self.search(value) else {
            return false;
        };
        let (width, len) = (self.width(), self.len());
        let at = index * width as usize;
        self.values_mut().copy_within(at + width as usize.., at);
        self.set_shape(width, len - 1);
        true
    }

    /// A value too wide for the present width lies outside all values, on the side of its sign.
    #[cold]
    fn widen_and_insert(&mut self, value: i64) {
        let (old_width, new_width, len) = (self.width(), Width::of(value), self.len());
        self.set_shape(new_width, len + 1);
        let shift = usize::from(value < 0);
        let values = self.values_mut();
        // From the back, because a value's new place is never before its old one.
        for index in (0..len).rev() {
            let moved = old_width.read(values, index);
            new_width.write(values, index + shift, moved);
        }
        new_width.write(values, if value < 0 { 0 } else { len }, value);
    }

    /// The index of `value`, or where it belongs.
    #[inline]
    fn search(&self, value: i64) -> Result<usize, usize> {
        let (width, values, len) = (self.width(), self.values(), self.len());
        if len == 0 || Width::of(value) > width {
            return Err(if value < 0 { 0 } else { len });
        }
        // Growing sequences are common: look at the end before searching.
        if value > width.read(values, len - 1) {
            return Err(len);
        }
        match width {
            Width::Two => binary_search(len, value, |index| Width::Two.read(values, index)),
            Width::Four => binary_search(len, value, |index| Width::Four.read(values, index)),
            Width::Eight => binary_search(len, value, |index| Width::Eight.read(values, index)),
        }
    }

    /// Reallocates for `len` values of `width` and writes the header. New bytes are zero.
    fn set_shape(&mut self, width: Width, len: usize) {
        let old_bytes = self.byte_len();
        let new_bytes = HEADER_BYTES + len * width as usize;
        let count = u32::try_from(len).expect("an intset below 4 G values");
        // SAFETY: by the invariant the block is of the class of `old_bytes`.
        unsafe { self.block.resize(old_bytes, new_bytes) };
        if new_bytes > old_bytes {
            // SAFETY: the block now holds `new_bytes`; this initialises those that are new.
            unsafe {
                ptr::write_bytes(self.block.as_ptr().add(old_bytes), 0, new_bytes - old_bytes)
            };
        }
        // SAFETY: the block holds at least the header, and `[u8; 4]` needs no alignment.
        unsafe {
            let header = self.block.as_ptr().cast::<[u8; 4]>();
            header.write((width as u32).to_le_bytes());
            header.add(1).write(count.to_le_bytes());
        }
    }

    #[inline]
    fn header(&self) -> &[u8; HEADER_BYTES] {
        // SAFETY: by the invariant the header is initialised; the array needs no alignment.
        unsafe { &*self.block.as_ptr().cast::<[u8; HEADER_BYTES]>() }
    }

    #[inline]
    fn width(&self) -> Width {
        Width::from_code(u32::from_le_bytes(array_at(self.header(), 0))).expect("a checked intset")
    }

    #[inline]
    fn values(&self) -> &[u8] {
        &self.as_blob()[HEADER_BYTES..]
    }

    #[inline]
    fn values_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_blob`, and `&mut self` makes the borrow exclusive.
        let blob = unsafe { slice::from_raw_parts_mut(self.block.as_ptr(), self.byte_len()) };
        &mut blob[HEADER_BYTES..]
    }
}

/// `len` is not 0. The halving loop has no branch on a value, which the processor could only guess.
#[inline]
fn binary_search(len: usize, value: i64, read: impl Fn(usize) -> i64) -> Result<usize, usize> {
    let (mut base, mut size) = (0, len);
    while size > 1 {
        let half = size / 2;
        base = if read(base + half) <= value {
            base + half
        } else {
            base
        };
        size -= half;
    }
    match read(base).cmp(&value) {
        Ordering::Less => Err(base + 1),
        Ordering::Equal => Ok(base),
        Ordering::Greater => Err(base),
    }
}

impl Drop for Intset {
    #[inline]
    fn drop(&mut self) {
        let len = self.byte_len();
        // SAFETY: by the invariant the block is of the class of `len`; it is not used after this.
        unsafe { self.block.free(len) }
    }
}

impl Clone for Intset {
    fn clone(&self) -> Intset {
        Intset::from_trusted(self.as_blob())
    }
}

impl Default for Intset {
    fn default() -> Intset {
        Intset::new()
    }
}

impl fmt::Debug for Intset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Observed: payloads of `DUMP` from redis-server 7.0.15 (`rdbcompression no`) after
    /// `SADD s16 1 2 3 -5 300`, `SADD s32 1 70000 -70000` and
    /// `SADD s64 5 -9223372036854775808 9223372036854775807 0`, without type byte, length and footer.
    const FROM_REDIS: [(&[i64], &[u8]); 3] = [
        (&[1, 2, 3, -5, 300], b"\x02\0\0\0\x05\0\0\0\xfb\xff\x01\0\x02\0\x03\0\x2c\x01"),
        (
            &[1, 70000, -70000],
            b"\x04\0\0\0\x03\0\0\0\x90\xee\xfe\xff\x01\0\0\0\x70\x11\x01\0",
        ),
        (
            &[5, i64::MIN, i64::MAX, 0],
            b"\x08\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f",
        ),
    ];

    #[test]
    fn blobs_equal_those_of_redis() {
        for (values, blob) in FROM_REDIS {
            let mut set = Intset::new();
            for value in values {
                assert!(set.insert(*value));
            }
            assert_eq!(set.as_blob(), blob);
            assert_eq!(Intset::from_blob(blob).unwrap().as_blob(), blob);
        }
    }

    #[test]
    fn corrupt_blobs_are_refused_with_place_and_reason() {
        let check = |blob: &[u8], offset_bytes, reason| {
            assert_eq!(
                Intset::from_blob(blob).unwrap_err(),
                CorruptIntset {
                    offset_bytes,
                    reason
                }
            );
        };
        check(b"\x02\0\0\0\x01\0\0", 0, "shorter than its header");
        check(b"\x03\0\0\0\x01\0\0\0aaa", 0, "unknown width of values");
        check(b"\x02\0\0\0\0\0\0\0", 4, "no values");
        check(
            b"\x02\0\0\0\x02\0\0\0\x01\0",
            4,
            "count differs from the size of the blob",
        );
        check(
            b"\x08\0\0\0\xff\xff\xff\xff\x01\0",
            4,
            "count differs from the size of the blob",
        );
        check(
            b"\x02\0\0\0\x02\0\0\0\x01\0\x01\0",
            10,
            "values do not ascend",
        );
    }

    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![
            8 => -20i64..20,
            3 => -40_000i64..40_000,
            1 => (any::<i64>(), 0u32..64).prop_map(|(value, shift)| value >> shift),
            1 => prop::sample::select(vec![
                i64::MIN, i64::MAX, i16::MIN as i64, i16::MAX as i64, i16::MIN as i64 - 1,
                i16::MAX as i64 + 1, i32::MIN as i64, i32::MAX as i64, i32::MIN as i64 - 1,
                i32::MAX as i64 + 1,
            ]),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_sorted_set(ops in prop::collection::vec((any::<bool>(), value()), 0..200)) {
            let mut set = Intset::new();
            let mut model = BTreeSet::new();
            for (add, value) in ops {
                if add {
                    prop_assert_eq!(set.insert(value), model.insert(value));
                } else {
                    prop_assert_eq!(set.remove(value), model.remove(&value));
                }
                prop_assert_eq!(set.contains(value), model.contains(&value));
                prop_assert_eq!(set.len(), model.len());
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            prop_assert_eq!(set.min(), model.first().copied());
            prop_assert_eq!(set.max(), model.last().copied());
            prop_assert_eq!(set.get(set.len()), None);
            let copy = set.clone();
            prop_assert_eq!(copy.as_blob(), set.as_blob());
            if !set.is_empty() {
                let loaded = Intset::from_blob(set.as_blob()).unwrap();
                prop_assert_eq!(loaded.as_blob(), set.as_blob());
            }
        }

        #[test]
        fn a_mutated_blob_is_refused_or_a_working_set(
            values in prop::collection::vec(value(), 1..20),
            mutations in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
            probe in value(),
        ) {
            let mut set = Intset::new();
            for value in values {
                set.insert(value);
            }
            let mut blob = set.as_blob().to_vec();
            for (at, byte) in mutations {
                let at = at % blob.len();
                blob[at] = byte;
            }
            if let Ok(mut set) = Intset::from_blob(&blob) {
                let mut model: BTreeSet<i64> = set.iter().collect();
                prop_assert_eq!(model.len(), set.len());
                prop_assert_eq!(set.insert(probe), model.insert(probe));
                prop_assert!(set.iter().eq(model.iter().copied()));
            }
        }
    }
}
