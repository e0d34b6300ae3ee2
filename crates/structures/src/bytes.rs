//! `ThinBytes`: an owned, growable byte string that is one pointer wide.
//!
//! ```text
//! ThinBytes ──► ┌────────────────────────────┬───────────────┬───────────────┐
//!               │ u64: len << 8 | class      │ len bytes     │ spare         │
//!               └────────────────────────────┴───────────────┴───────────────┘
//! ```
//! The allocation is always a size class (see `block`), so its size is kept as the class's number in
//! one byte beside the length: an 8-byte header for strings of any length. Growing by `push_slice`
//! reserves as Redis's strings do, because clients that APPEND expect that cost: double the length up
//! to 1 MB, then 1 MB more. `Option<ThinBytes>` is 8 bytes as well.
//!
//! Knows nothing of what the bytes mean. Tests: below, against `Vec<u8>`.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::slice;

use crate::block::{Block, class_bytes};

const HEADER_BYTES: usize = size_of::<u64>();
/// Up to this length a growing string doubles; beyond it, it gains this much.
const GROWTH_STEP_BYTES: usize = 1 << 20;
const LEN_MAX: usize = (1 << 56) - 1;

/// See the file header.
#[repr(transparent)]
pub struct ThinBytes {
    /// Invariant: the block holds `class_of_number(header & 0xff)` bytes, of which the first
    /// `HEADER_BYTES + (header >> 8)` are initialised.
    block: Block,
}

const _: () = assert!(size_of::<Option<ThinBytes>>() == 8);

impl ThinBytes {
    pub fn new() -> ThinBytes {
        ThinBytes::with_capacity(0)
    }

    /// An empty string with room for at least `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> ThinBytes {
        let size = class_bytes(HEADER_BYTES + check_len(capacity));
        let mut bytes = ThinBytes {
            block: Block::new(size),
        };
        bytes.set_header(0, size);
        bytes
    }

    pub fn from_slice(content: &[u8]) -> ThinBytes {
        let mut bytes = ThinBytes::with_capacity(content.len());
        bytes.append_within_capacity(content);
        bytes
    }

    /// A string of `len` zero bytes; large ones are fresh pages and cost no memory traffic.
    pub fn zeroed(len: usize) -> ThinBytes {
        let size = class_bytes(HEADER_BYTES + check_len(len));
        let mut bytes = ThinBytes {
            block: Block::zeroed(size),
        };
        bytes.set_header(len, size);
        bytes
    }

    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: by the invariant `len` bytes behind the header are allocated and initialised.
        unsafe { slice::from_raw_parts(self.block.as_ptr().add(HEADER_BYTES), self.len()) }
    }

    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`, and `&mut self` makes the borrow exclusive.
        unsafe { slice::from_raw_parts_mut(self.block.as_ptr().add(HEADER_BYTES), self.len()) }
    }

    #[inline]
    pub fn len(&self) -> usize {
        (self.header() >> 8) as usize
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How long the string can get before it must be reallocated.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.heap_bytes() - HEADER_BYTES
    }

    /// What the string occupies on the heap, header and spare room included.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        class_of_number((self.header() & 0xff) as u32)
    }

    /// Appends, reserving room for as much again (at most 1 MB more) when it must reallocate.
    pub fn push_slice(&mut self, content: &[u8]) {
        let new_len = self.len().saturating_add(content.len());
        self.grow_for(new_len);
        self.append_within_capacity(content);
    }

    /// Sets the length, filling with zeros or cutting off. Reserves like `push_slice`.
    pub fn resize(&mut self, new_len: usize) {
        let len = self.len();
        if new_len <= len {
            self.set_header(new_len, self.heap_bytes());
            return;
        }
        if len == 0 && new_len > self.capacity() {
            *self = ThinBytes::zeroed(new_len);
            return;
        }
        self.grow_for(new_len);
        // SAFETY: `grow_for` made the capacity at least `new_len`, so the bytes from `len` to
        // `new_len` lie inside the block.
        unsafe {
            let end = self.block.as_ptr().add(HEADER_BYTES + len);
            ptr::write_bytes(end, 0, new_len - len);
        }
        self.set_header(new_len, self.heap_bytes());
    }

    /// Gives the spare room back.
    pub fn shrink(&mut self) {
        self.set_size(HEADER_BYTES + self.len());
    }

    fn grow_for(&mut self, new_len: usize) {
        if new_len <= self.capacity() {
            return;
        }
        check_len(new_len);
        let spare = new_len.min(GROWTH_STEP_BYTES);
        self.set_size(HEADER_BYTES + new_len + spare);
    }

    /// Moves to an allocation of the class of `size`, which must hold the content.
    fn set_size(&mut self, size: usize) {
        let (old_size, new_size) = (self.heap_bytes(), class_bytes(size));
        let len = self.len();
        assert!(HEADER_BYTES + len <= new_size);
        // SAFETY: by the invariant the block is of the class `old_size`.
        unsafe { self.block.resize(old_size, new_size) };
        self.set_header(len, new_size);
    }

    fn append_within_capacity(&mut self, content: &[u8]) {
        let len = self.len();
        assert!(content.len() <= self.capacity() - len);
        // SAFETY: the assertion keeps the write inside the block, and `content` cannot overlap a
        // block that `&mut self` borrows exclusively.
        unsafe {
            let end = self.block.as_ptr().add(HEADER_BYTES + len);
            ptr::copy_nonoverlapping(content.as_ptr(), end, content.len());
        }
        self.set_header(len + content.len(), self.heap_bytes());
    }

    #[inline]
    fn header(&self) -> u64 {
        // SAFETY: every constructor writes the header before it returns, and the block is aligned
        // to 8 and at least 16 bytes long.
        unsafe { self.block.as_ptr().cast::<u64>().read() }
    }

    #[inline]
    fn set_header(&mut self, len: usize, size: usize) {
        let header = (len as u64) << 8 | u64::from(number_of_class(size));
        // SAFETY: as in `header`.
        unsafe { self.block.as_ptr().cast::<u64>().write(header) }
    }
}

/// A length that the header can hold; more than 64 PiB cannot be allocated anyway.
fn check_len(len: usize) -> usize {
    assert!(len <= LEN_MAX, "capacity overflow");
    len
}

/// The place of a size class in the ladder 16, 32, .. 128, 160, 192, 224, 256, 320 ..
#[inline]
const fn number_of_class(size: usize) -> u32 {
    if size <= 128 {
        (size / 16) as u32 - 1
    } else {
        let doubling = (size - 1).ilog2() - 7;
        let step = ((size - (128 << doubling)) >> (5 + doubling)) as u32;
        7 + doubling * 4 + step
    }
}

#[inline]
const fn class_of_number(number: u32) -> usize {
    if number < 8 {
        (number as usize + 1) * 16
    } else {
        let (doubling, step) = ((number - 8) / 4, (number - 8) % 4);
        (128 << doubling) + ((step as usize + 1) << (5 + doubling))
    }
}

impl Drop for ThinBytes {
    #[inline]
    fn drop(&mut self) {
        let size = self.heap_bytes();
        // SAFETY: by the invariant the block is of the class `size`; it is not used after this.
        unsafe { self.block.free(size) }
    }
}

impl Clone for ThinBytes {
    /// The copy has no spare room.
    fn clone(&self) -> ThinBytes {
        ThinBytes::from_slice(self.as_slice())
    }
}

impl Default for ThinBytes {
    fn default() -> ThinBytes {
        ThinBytes::new()
    }
}

impl Deref for ThinBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl DerefMut for ThinBytes {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl PartialEq for ThinBytes {
    fn eq(&self, other: &ThinBytes) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for ThinBytes {}

impl fmt::Debug for ThinBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.as_slice().escape_ascii())
    }
}

impl From<&[u8]> for ThinBytes {
    fn from(content: &[u8]) -> ThinBytes {
        ThinBytes::from_slice(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn class_numbers_and_sizes_are_inverse() {
        for number in 0..200 {
            let size = class_of_number(number);
            assert_eq!(class_bytes(size), size);
            assert_eq!(number_of_class(size), number);
        }
        assert_eq!(class_of_number(8), 160);
        assert!(class_of_number(204) > LEN_MAX);
    }

    #[test]
    fn appending_doubles_up_to_one_megabyte_then_adds_one() {
        let mut bytes = ThinBytes::from_slice(&[1; 100]);
        bytes.push_slice(&[2; 100]);
        assert!(bytes.capacity() >= 400 && bytes.capacity() < 512);
        let mut large = ThinBytes::from_slice(&vec![1; 4 << 20]);
        large.push_slice(&vec![2; large.capacity() - large.len() + 1]);
        assert!(large.capacity() >= large.len() + (1 << 20));
        assert!(large.capacity() < large.len() + (1 << 20) + large.len() / 4);
        large.shrink();
        assert!(large.capacity() < large.len() + large.len() / 4);
    }

    #[test]
    fn resizing_an_empty_string_zero_fills() {
        let mut bytes = ThinBytes::new();
        bytes.resize(100_000);
        assert_eq!(bytes.as_slice(), vec![0; 100_000]);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Push(Vec<u8>),
        Resize(usize),
        Shrink,
        Clone,
        Write(usize, u8),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Op::Push),
            2 => (0usize..2000).prop_map(Op::Resize),
            1 => Just(Op::Shrink),
            1 => Just(Op::Clone),
            2 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Op::Write(at, byte)),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_vec(start in prop::collection::vec(any::<u8>(), 0..100),
                              ops in prop::collection::vec(op(), 0..60)) {
            let mut bytes = ThinBytes::from_slice(&start);
            let mut model = start;
            for op in ops {
                match op {
                    Op::Push(content) => { bytes.push_slice(&content); model.extend(content); }
                    Op::Resize(len) => { bytes.resize(len); model.resize(len, 0); }
                    Op::Shrink => bytes.shrink(),
                    Op::Clone => bytes = bytes.clone(),
                    Op::Write(at, byte) => if !model.is_empty() {
                        let at = at % model.len();
                        bytes.as_mut_slice()[at] = byte;
                        model[at] = byte;
                    },
                }
                prop_assert_eq!(bytes.as_slice(), &model[..]);
                prop_assert!(bytes.capacity() >= bytes.len());
            }
        }
    }
}
