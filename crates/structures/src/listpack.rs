//! `Listpack`: a sequence of small strings and integers in one block, byte-compatible with Redis.
//!
//! ```text
//! Listpack ──► ┌────────────┬────────────┬─────────┬─────────┬─────┬──────┐
//!              │ total: u32 │ count: u16 │ entry 0 │ entry 1 │ ... │ 0xff │   (integers little-endian)
//!              └────────────┴────────────┴─────────┴─────────┴─────┴──────┘
//! ```
//! The block is the blob that RDB and DUMP store, so it is written and loaded as it is. A count of
//! 65535 means "not known, walk". Entries are described in `encoding`. A text that is the canonical
//! form of an `i64` is stored as the integer.
//!
//! Invariant: the block is always a blob that [`Listpack::from_blob`] would accept: own writes keep
//! it so, foreign bytes are checked in full on entry. Safe code reads it with bounds checks all the
//! same, so a wrong [`Pos`] panics or returns nonsense but never leaves the block.
//! The allocation is the size class of `total` (see `block`), so the handle is one pointer.
//!
//! Knows nothing of hashes, sets or lists. Tests: `tests.rs`; `examples/fuzz_listpack.rs`.

mod encoding;
mod item;
mod iter;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::ptr;
use std::slice;

use crate::block::{Block, class_bytes};
use encoding::{END, Encoded};

pub use crate::decimal::IntBuf;
pub use item::{Item, Needle};
pub use iter::{Iter, IterRev, Pairs};

const HEADER_BYTES: usize = 6;
const EMPTY_BYTES: usize = HEADER_BYTES + 1;
/// The header's count when there are too many elements for it.
const COUNT_UNKNOWN: u16 = u16::MAX;
/// Redis lets no listpack grow beyond this, far from the limits of the format.
const SAFE_BYTES: usize = 1 << 30;

/// See the file header.
#[repr(transparent)]
pub struct Listpack {
    /// Invariant: of the class of the total in its first 4 bytes, that many bytes initialised.
    block: Block,
}

const _: () = assert!(size_of::<Option<Listpack>>() == 8);

/// Where an element starts. Valid until the listpack is next changed, except as a method says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos(usize);

/// Why bytes from outside are not a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptListpack {
    pub offset_bytes: usize,
    pub reason: &'static str,
}

impl fmt::Display for CorruptListpack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "corrupt listpack at byte {}: {}",
            self.offset_bytes, self.reason
        )
    }
}

impl std::error::Error for CorruptListpack {}

/// Building, loading, measuring.
impl Listpack {
    pub fn new() -> Listpack {
        Listpack::from_trusted(&[EMPTY_BYTES as u8, 0, 0, 0, 0, 0, END])
    }

    /// Copies a blob from outside after checking every byte that decides where something ends.
    pub fn from_blob(blob: &[u8]) -> Result<Listpack, CorruptListpack> {
        check(blob)?;
        Ok(Listpack::from_trusted(blob))
    }

    /// `blob` must be a valid listpack, its total equal to its length.
    fn from_trusted(blob: &[u8]) -> Listpack {
        assert!(blob.len() >= EMPTY_BYTES);
        assert_eq!(read_total(blob), blob.len());
        let block = Block::new(blob.len());
        // SAFETY: the new block holds at least `blob.len()` bytes and overlaps nothing.
        unsafe { ptr::copy_nonoverlapping(blob.as_ptr(), block.as_ptr(), blob.len()) };
        Listpack { block }
    }

    /// The bytes as RDB stores them.
    #[inline]
    pub fn as_blob(&self) -> &[u8] {
        // SAFETY: by the invariant `byte_len` bytes are allocated and initialised.
        unsafe { slice::from_raw_parts(self.block.as_ptr(), self.byte_len()) }
    }

    /// The size of the blob.
    #[inline]
    pub fn byte_len(&self) -> usize {
        // SAFETY: by the invariant the first 4 bytes are initialised; `[u8; 4]` needs no alignment.
        let total = unsafe { self.block.as_ptr().cast::<[u8; 4]>().read() };
        u32::from_le_bytes(total) as usize
    }

    /// The number of elements. Constant time up to 65534 of them, a walk beyond.
    #[inline]
    pub fn len(&self) -> usize {
        match self.header_count() {
            COUNT_UNKNOWN => self.walk_count(),
            count => count as usize,
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.byte_len() == EMPTY_BYTES
    }

    /// Starts loading the first bytes, for a search that follows soon.
    #[inline]
    pub fn prefetch(&self) {
        crate::table::prefetch(self.block.as_ptr());
    }

    /// What the listpack occupies on the heap.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        class_bytes(self.byte_len())
    }

    /// Whether `added` bytes of text may be added without passing Redis's limit of 1 GB.
    #[inline]
    pub fn fits(&self, added: usize) -> bool {
        self.byte_len().saturating_add(added) <= SAFE_BYTES
    }

    #[cold]
    fn walk_count(&self) -> usize {
        let blob = self.as_blob();
        let (mut at, mut count) = (HEADER_BYTES, 0);
        while blob[at] != END {
            at += encoding::entry_bytes(blob, at);
            count += 1;
        }
        count
    }
}

/// Finding and reading elements.
impl Listpack {
    #[inline]
    pub fn first(&self) -> Option<Pos> {
        self.pos_unless_end(HEADER_BYTES)
    }

    #[inline]
    pub fn last(&self) -> Option<Pos> {
        self.prev(Pos(self.end()))
    }

    #[inline]
    pub fn next(&self, pos: Pos) -> Option<Pos> {
        self.pos_unless_end(pos.0 + encoding::entry_bytes(self.as_blob(), pos.0))
    }

    #[inline]
    pub fn prev(&self, pos: Pos) -> Option<Pos> {
        if pos.0 <= HEADER_BYTES {
            return None;
        }
        Some(Pos(encoding::start_of_entry_before(self.as_blob(), pos.0)))
    }

    /// The element at `index`, counted from the tail when negative (-1 is the last).
    pub fn seek(&self, index: i64) -> Option<Pos> {
        let len = self.len();
        let index = if index < 0 {
            len.checked_sub(index.unsigned_abs() as usize)?
        } else {
            index as usize
        };
        if index >= len {
            return None;
        }
        Some(Pos(self.offset_of(index, len)))
    }

    /// The byte offset of element `index` of `len`; that of the end marker when they are equal.
    fn offset_of(&self, index: usize, len: usize) -> usize {
        let blob = self.as_blob();
        if index <= len / 2 {
            let mut at = HEADER_BYTES;
            for _ in 0..index {
                at += encoding::entry_bytes(blob, at);
            }
            at
        } else {
            let mut at = self.end();
            for _ in index..len {
                at = encoding::start_of_entry_before(blob, at);
            }
            at
        }
    }

    #[inline]
    pub fn get(&self, pos: Pos) -> Item<'_> {
        let (item, _) = encoding::decode(self.as_blob(), pos.0).expect("a position of an element");
        item
    }

    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self.as_blob(), HEADER_BYTES)
    }

    /// Forward from `pos`, its own element first.
    #[inline]
    pub fn iter_from(&self, pos: Pos) -> Iter<'_> {
        Iter::new(self.as_blob(), pos.0)
    }

    #[inline]
    pub fn iter_rev(&self) -> IterRev<'_> {
        IterRev::new(self.as_blob(), self.end())
    }

    /// Backward from `pos`, its own element first.
    #[inline]
    pub fn iter_rev_from(&self, pos: Pos) -> IterRev<'_> {
        IterRev::new(
            self.as_blob(),
            pos.0 + encoding::entry_bytes(self.as_blob(), pos.0),
        )
    }

    /// Elements two by two, as hashes and sorted sets keep them. A last odd one is left out.
    #[inline]
    pub fn pairs(&self) -> Pairs<'_> {
        Pairs::new(self.iter())
    }

    /// The first element from `start` on that equals `needle`, leaving `skip` elements uncompared
    /// between one comparison and the next (1 looks at the fields of a hash only).
    pub fn find(&self, needle: &[u8], skip: usize, start: Pos) -> Option<Pos> {
        let blob = self.as_blob();
        let needle = Needle::new(needle);
        let mut at = start.0;
        loop {
            let (item, size) = encoding::decode(blob, at)?;
            if needle.matches(item) {
                return Some(Pos(at));
            }
            at += size;
            for _ in 0..skip {
                if blob[at] == END {
                    return None;
                }
                at += encoding::entry_bytes(blob, at);
            }
        }
    }

    /// Offset of the end marker.
    #[inline]
    fn end(&self) -> usize {
        self.byte_len() - 1
    }

    #[inline]
    fn pos_unless_end(&self, at: usize) -> Option<Pos> {
        (self.as_blob()[at] != END).then_some(Pos(at))
    }
}

/// Changing. All of them assert that the result stays below 4 GiB; callers keep far from it with
/// [`Listpack::fits`].
impl Listpack {
    #[inline]
    pub fn push_back(&mut self, element: &[u8]) {
        self.put(self.end(), 0, &Encoded::new(element));
        self.change_count(0, 1);
    }

    #[inline]
    pub fn push_front(&mut self, element: &[u8]) {
        self.put(HEADER_BYTES, 0, &Encoded::new(element));
        self.change_count(0, 1);
    }

    /// As `push_back` of the integer's text.
    #[inline]
    pub fn push_int_back(&mut self, value: i64) {
        self.put(self.end(), 0, &Encoded::int(value));
        self.change_count(0, 1);
    }

    /// Appends two elements in one step, a field and its value.
    #[inline]
    pub fn push_pair_back(&mut self, first: &[u8], second: &[u8]) {
        self.put_pair(self.end(), &Encoded::new(first), &Encoded::new(second));
    }

    /// Inserts two elements, a member and its score, before `pos`, or at the end for `None`.
    #[inline]
    pub fn insert_pair_before(&mut self, pos: Option<Pos>, first: &[u8], second: &[u8]) {
        let at = pos.map_or(self.end(), |pos| pos.0);
        self.put_pair(at, &Encoded::new(first), &Encoded::new(second));
    }

    /// Returns the position of the new element.
    #[inline]
    pub fn insert_before(&mut self, pos: Pos, element: &[u8]) -> Pos {
        self.put(pos.0, 0, &Encoded::new(element));
        self.change_count(0, 1);
        pos
    }

    /// Returns the position of the new element.
    #[inline]
    pub fn insert_after(&mut self, pos: Pos, element: &[u8]) -> Pos {
        let after = Pos(pos.0 + encoding::entry_bytes(self.as_blob(), pos.0));
        self.insert_before(after, element)
    }

    /// Puts `element` in the place of the one at `pos`, which stays its position.
    #[inline]
    pub fn replace(&mut self, pos: Pos, element: &[u8]) -> Pos {
        let old = encoding::entry_bytes(self.as_blob(), pos.0);
        self.put(pos.0, old, &Encoded::new(element));
        pos
    }

    /// As `replace` by the integer's text.
    #[inline]
    pub fn replace_int(&mut self, pos: Pos, value: i64) -> Pos {
        let old = encoding::entry_bytes(self.as_blob(), pos.0);
        self.put(pos.0, old, &Encoded::int(value));
        pos
    }

    /// Returns where the following element now is.
    #[inline]
    pub fn remove(&mut self, pos: Pos) -> Option<Pos> {
        let size = encoding::entry_bytes(self.as_blob(), pos.0);
        self.open_gap(pos.0, size, 0);
        self.change_count(1, 0);
        self.pos_unless_end(pos.0)
    }

    /// Removes `pos` and the element behind it, a field and its value. Returns where the one after
    /// them now is.
    pub fn remove_pair(&mut self, pos: Pos) -> Option<Pos> {
        let blob = self.as_blob();
        let first = encoding::entry_bytes(blob, pos.0);
        let second = encoding::entry_bytes(blob, pos.0 + first);
        self.open_gap(pos.0, first + second, 0);
        self.change_count(2, 0);
        self.pos_unless_end(pos.0)
    }

    /// Removes up to `count` elements from `index` on (from the tail when negative) and returns how
    /// many those were. An index beyond either end removes nothing.
    pub fn remove_range(&mut self, index: i64, count: usize) -> usize {
        let Some(Pos(start)) = self.seek(index) else {
            return 0;
        };
        let len = self.len();
        let index = if index < 0 {
            len - index.unsigned_abs() as usize
        } else {
            index as usize
        };
        let count = count.min(len - index);
        let end = if index + count == len {
            self.end()
        } else {
            let blob = self.as_blob();
            (0..count).fold(start, |at, _| at + encoding::entry_bytes(blob, at))
        };
        self.open_gap(start, end - start, 0);
        self.change_count(count, 0);
        count
    }

    /// Removes the elements at `positions`, which ascend, moving every kept byte once.
    pub fn remove_all(&mut self, positions: &[Pos]) {
        let Some(first) = positions.first() else {
            return;
        };
        let end = self.byte_len();
        let mut write = first.0;
        for (index, pos) in positions.iter().enumerate() {
            let blob = self.as_blob();
            let kept_start = pos.0 + encoding::entry_bytes(blob, pos.0);
            let kept_end = positions.get(index + 1).map_or(end, |next| next.0);
            assert!(write <= pos.0 && kept_start <= kept_end, "positions ascend");
            self.as_mut_blob().copy_within(kept_start..kept_end, write);
            write += kept_end - kept_start;
        }
        self.set_total(end, write);
        self.change_count(positions.len(), 0);
    }

    /// Appends the elements of `other`.
    pub fn append_all(&mut self, other: &Listpack) {
        let body = &other.as_blob()[HEADER_BYTES..other.end()];
        let count = other.len();
        let gap = self.open_gap(self.end(), 0, body.len());
        // SAFETY: `open_gap` made `body.len()` bytes at `gap` ours, in a block other than `other`'s.
        unsafe { ptr::copy_nonoverlapping(body.as_ptr(), gap, body.len()) };
        self.change_count(0, count);
    }

    /// The elements of `self` followed by those of `other`.
    pub fn merge(mut self, other: &Listpack) -> Listpack {
        self.append_all(other);
        self
    }

    /// Cuts the listpack before element `index`, which with all after it moves to the returned one.
    /// An index beyond the end cuts nothing off.
    pub fn split_off(&mut self, index: usize) -> Listpack {
        let len = self.len();
        let index = index.min(len);
        let (at, end) = (self.offset_of(index, len), self.end());
        let mut tail = Listpack::new();
        let gap = tail.open_gap(HEADER_BYTES, 0, end - at);
        // SAFETY: `open_gap` made `end - at` bytes at `gap` ours, in a block other than `self`'s.
        unsafe { ptr::copy_nonoverlapping(self.as_blob()[at..end].as_ptr(), gap, end - at) };
        tail.change_count(0, len - index);
        self.open_gap(at, end - at, 0);
        self.change_count(len - index, 0);
        tail
    }

    fn put_pair(&mut self, at: usize, first: &Encoded<'_>, second: &Encoded<'_>) {
        let gap = self.open_gap(at, 0, first.total_bytes() + second.total_bytes());
        // SAFETY: the gap is as long as both entries, and nothing borrows it.
        unsafe { second.write(first.write(gap)) };
        self.change_count(0, 2);
    }

    /// Replaces `removed` bytes at `at` by the entry.
    #[inline]
    fn put(&mut self, at: usize, removed: usize, entry: &Encoded<'_>) {
        let gap = self.open_gap(at, removed, entry.total_bytes());
        // SAFETY: the gap has the entry's size, and nothing borrows it.
        unsafe { entry.write(gap) };
    }

    /// Replaces `removed` bytes at `at` by `added` bytes of whatever is there, which the caller
    /// writes next through the returned pointer. Sets the total, not the count.
    #[inline]
    fn open_gap(&mut self, at: usize, removed: usize, added: usize) -> *mut u8 {
        let old_total = self.byte_len();
        assert!(at >= HEADER_BYTES && at < old_total && removed < old_total - at);
        let new_total = old_total - removed + added;
        assert!(new_total <= u32::MAX as usize, "listpack beyond 4 GiB");
        if added > removed {
            // SAFETY: by the invariant the block is of the class of `old_total`.
            unsafe { self.block.resize(old_total, new_total) };
        }
        let block = self.block.as_ptr();
        if added != removed {
            let tail_len = old_total - at - removed;
            // SAFETY: the tail ends at `old_total` and lands so that it ends at `new_total`; the
            // block holds the larger of the two: grown above, or not yet shrunk.
            unsafe { ptr::copy(block.add(at + removed), block.add(at + added), tail_len) };
            self.set_total(old_total.max(new_total), new_total);
        }
        // SAFETY: `at + added` is below `new_total`, inside the block.
        unsafe { self.block.as_ptr().add(at) }
    }

    /// Writes the total, after shrinking the block from the class of `allocated` where that differs.
    #[inline]
    fn set_total(&mut self, allocated: usize, total: usize) {
        // SAFETY: the callers pass the length whose class the block now has, not below `total`.
        unsafe { self.block.resize(allocated, total) };
        let bytes = (total as u32).to_le_bytes();
        // SAFETY: the block holds at least 16 bytes, and `[u8; 4]` needs no alignment.
        unsafe { self.block.as_ptr().cast::<[u8; 4]>().write(bytes) };
    }

    #[inline]
    fn as_mut_blob(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_blob`, and `&mut self` makes the borrow exclusive.
        unsafe { slice::from_raw_parts_mut(self.block.as_ptr(), self.byte_len()) }
    }

    #[inline]
    fn header_count(&self) -> u16 {
        let blob = self.as_blob();
        u16::from_le_bytes([blob[4], blob[5]])
    }

    #[inline]
    fn set_header_count(&mut self, count: u16) {
        self.as_mut_blob()[4..6].copy_from_slice(&count.to_le_bytes());
    }

    #[inline]
    fn change_count(&mut self, removed: usize, added: usize) {
        match self.header_count() {
            COUNT_UNKNOWN => self.recount_if_small(),
            count => {
                let count = count as usize - removed + added;
                self.set_header_count(u16::try_from(count).unwrap_or(COUNT_UNKNOWN));
            }
        }
    }

    /// Once an entry's least size says that the count fits again, it is found out for good.
    #[cold]
    fn recount_if_small(&mut self) {
        const ENTRY_MIN_BYTES: usize = 2;
        if (self.byte_len() - EMPTY_BYTES) / ENTRY_MIN_BYTES < COUNT_UNKNOWN as usize {
            let count = self.walk_count();
            self.set_header_count(count as u16);
        }
    }
}

fn read_total(blob: &[u8]) -> usize {
    u32::from_le_bytes([blob[0], blob[1], blob[2], blob[3]]) as usize
}

/// Whether every element can be walked in both directions and the header tells the truth.
fn check(blob: &[u8]) -> Result<(), CorruptListpack> {
    let corrupt = |offset_bytes, reason| {
        Err(CorruptListpack {
            offset_bytes,
            reason,
        })
    };
    if blob.len() < EMPTY_BYTES {
        return corrupt(0, "shorter than an empty listpack");
    }
    if read_total(blob) != blob.len() {
        return corrupt(0, "total differs from the size of the blob");
    }
    let end = blob.len() - 1;
    if blob[end] != END {
        return corrupt(end, "end marker missing");
    }
    let (mut at, mut count) = (HEADER_BYTES, 0usize);
    while at != end {
        match encoding::check_entry(blob, at) {
            Ok(size) => at += size,
            Err(reason) => return corrupt(at, reason),
        }
        count += 1;
    }
    let header_count = u16::from_le_bytes([blob[4], blob[5]]);
    if header_count != COUNT_UNKNOWN && header_count as usize != count {
        return corrupt(4, "count differs from the number of elements");
    }
    Ok(())
}

impl Drop for Listpack {
    #[inline]
    fn drop(&mut self) {
        let total = self.byte_len();
        // SAFETY: by the invariant the block is of the class of `total`; it is not used after this.
        unsafe { self.block.free(total) }
    }
}

impl Clone for Listpack {
    fn clone(&self) -> Listpack {
        Listpack::from_trusted(self.as_blob())
    }
}

impl Default for Listpack {
    fn default() -> Listpack {
        Listpack::new()
    }
}

impl fmt::Debug for Listpack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
