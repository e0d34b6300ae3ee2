//! The hash table under everything: databases, and big hashes, sets and sorted sets.
//!
//! Linear hashing over cache-line buckets. A bucket is eight words: seven slots, each a pointer to a
//! cell ([`crate::entry`]) with 16 bits of its hash above it, and a link word (overflow bucket, and
//! the stamp: for whom the bucket was last saved). The table grows and shrinks by ONE bucket at
//! a time, so no operation ever pays for more than a handful of cells at any size, memory follows
//! the number of keys closely, and there is no second table to look into.
//!
//! With `count = 2^level + split` buckets, those below `split` have been split in this round: a hash
//! goes to its low `level + 1` bits if that bucket exists, else to its low `level` bits.
//! Buckets live in segments (`dir`), so growth never copies more than the first, small segment.
//!
//! Rejected: two tables with incremental rehash (double memory while growing, two look-ups), and
//! extendible hashing (whole segments split at once: bigger pauses).
//!
//! The caller hashes (`hash_of`) and passes the hash in, so a batch can hash once, prefetch, then look
//! up. Iteration and SCAN are in `table_scan.rs`, reading a table as it was in `table_reader.rs`.
//! Knows nothing of time or commands. Tests: `tests/table_model.rs`, `tests/readers.rs`.

use crate::entry::{Cell, EntryMut, EntryRef, NewValue, OwnedEntry, ValueRef};
use foldhash::quality::FixedState;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::hash::{BuildHasher, Hasher};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use crate::table_reader::Readers;
pub use crate::table_scan::Iter;

pub(crate) const SLOTS: usize = 7;
const LINK: usize = 7;
pub(crate) const POINTER: u64 = (1 << 48) - 1;
const SEGMENT_BITS: u32 = 10;
const SEGMENT: usize = 1 << SEGMENT_BITS;
/// Grow when there are more than 11/2 cells per bucket, shrink under 3/2.
const GROW_NUMERATOR: usize = 11;
const SHRINK_NUMERATOR: usize = 3;
const SHRINKS_PER_REMOVAL: usize = 3;

#[repr(C, align(64))]
pub(crate) struct Bucket {
    words: [u64; 8],
}
const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    pub(crate) fn slot(&self, i: usize) -> u64 {
        self.words[i]
    }

    pub(crate) fn next(&self) -> Option<NonNull<Bucket>> {
        let bits = self.words[LINK] & POINTER;
        NonNull::new(ptr::with_exposed_provenance_mut::<Bucket>(bits as usize))
    }

    fn set_next(&mut self, next: Option<NonNull<Bucket>>) {
        let bits = next.map_or(0, |p| p.as_ptr().expose_provenance() as u64);
        assert!(bits & !POINTER == 0, "pointers fit 48 bits");
        self.words[LINK] = (self.words[LINK] & !POINTER) | bits;
    }

    fn stamp(&self) -> u16 {
        (self.words[LINK] >> 48) as u16
    }

    fn set_stamp(&mut self, stamp: u16) {
        self.words[LINK] = (self.words[LINK] & POINTER) | (u64::from(stamp) << 48);
    }
}

/// Keyed hash of a key. The seed is secret per process, so that collisions cannot be prepared.
#[inline]
pub fn hash_of(seed: u64, key: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(seed).build_hasher();
    hasher.write(key);
    hasher.finish()
}

#[inline]
fn tag_of(hash: u64) -> u64 {
    hash >> 48
}

/// What becomes of an entry that a look-up found.
pub enum Fate {
    Keep,
    /// Treated as absent, but left where it is.
    Hide,
    /// Taken out of the table.
    Remove,
}

pub enum Found<'a, V> {
    Absent,
    Removed(OwnedEntry<V>),
    Live(EntryMut<'a, V>),
}

pub enum Inserted<V> {
    /// The entry was there.
    No,
    Yes,
    /// A new entry in the place of a dead one.
    Replacing(OwnedEntry<V>),
}

pub struct Table<V> {
    /// Segments of `SEGMENT` buckets; the first one holds `first_capacity` while it is alone.
    dir: Vec<NonNull<Bucket>>,
    /// Buckets in use: `2^level + split`; 0 until the first insertion.
    count: usize,
    level: u32,
    first_capacity: u16,
    /// Of the reader that began last (`table_reader.rs`), and the stamp of buckets saved for it. Stays
    /// 0 in a table that has no readers of its own.
    pub(crate) version: u16,
    len: usize,
    overflow_count: usize,
    /// Heap bytes of all cells themselves (not of what payloads own).
    cell_bytes: usize,
    seed: u64,
    /// Who reads the table as it was, if anybody does.
    pub(crate) readers: Option<Box<Readers<V>>>,
    _owns: PhantomData<V>,
}
const _: () = assert!(size_of::<Table<()>>() <= 80, "there are many empty tables");

// SAFETY: the table owns its buckets and cells exclusively; nothing is shared or thread-bound but `V`.
unsafe impl<V: Send> Send for Table<V> {}

impl<V> Table<V> {
    pub fn new(seed: u64) -> Self {
        Table {
            dir: Vec::new(),
            count: 0,
            level: 0,
            first_capacity: 0,
            version: 0,
            len: 0,
            overflow_count: 0,
            cell_bytes: 0,
            seed,
            readers: None,
            _owns: PhantomData,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        hash_of(self.seed, key)
    }

    /// Bytes of buckets and directory, overflow included.
    pub fn bucket_bytes(&self) -> usize {
        let main = if self.dir.len() <= 1 {
            usize::from(self.first_capacity)
        } else {
            self.dir.len() * SEGMENT
        };
        (main + self.overflow_count) * size_of::<Bucket>() + self.dir.capacity() * 8
    }

    /// Bytes of all cells (keys, inline values, headers), without what payloads own elsewhere.
    pub fn cell_bytes(&self) -> usize {
        self.cell_bytes
    }

    pub fn bucket_count(&self) -> usize {
        self.count
    }

    pub fn overflow_count(&self) -> usize {
        self.overflow_count
    }

    pub(crate) fn level(&self) -> u32 {
        self.level
    }

    #[inline]
    fn index_of(&self, hash: u64) -> usize {
        let wide = (hash as usize) & ((2 << self.level) - 1);
        if wide < self.count {
            wide
        } else {
            wide & ((1 << self.level) - 1)
        }
    }

    #[inline]
    pub(crate) fn bucket(&self, index: usize) -> NonNull<Bucket> {
        debug_assert!(index < self.count);
        let segment = self.dir[index >> SEGMENT_BITS];
        // SAFETY: `index < count`, and every segment but a lone first one has SEGMENT buckets; the
        // lone first has `first_capacity >= count`.
        unsafe { segment.add(index & (SEGMENT - 1)) }
    }

    /// The bucket that `hash` belongs to now.
    pub fn bucket_index(&self, hash: u64) -> usize {
        self.index_of(hash)
    }

    /// Starts loading the bucket's cache line for a look-up that follows soon.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        if self.count != 0 {
            prefetch(self.bucket(self.index_of(hash)).as_ptr().cast());
        }
    }

    /// Starts loading the cells whose tag matches; the bucket should have been prefetched before.
    #[inline]
    pub fn prefetch_cell(&self, hash: u64) {
        if self.count == 0 {
            return;
        }
        let tag = tag_of(hash);
        // SAFETY: buckets of a table are live and only changed through `&mut self`.
        let bucket = unsafe { self.bucket(self.index_of(hash)).as_ref() };
        for &word in &bucket.words[..SLOTS] {
            if word >> 48 == tag && word & POINTER != 0 {
                prefetch(ptr::with_exposed_provenance::<u8>(
                    (word & POINTER) as usize,
                ));
            }
        }
        if let Some(next) = bucket.next() {
            prefetch(next.as_ptr().cast());
        }
    }

    /// Starts loading every cell in the first bucket of chain `index`, for a walk that will come by.
    #[inline]
    pub fn prefetch_chain(&self, index: usize) {
        if index < self.count {
            // SAFETY: buckets of a table are live and only changed through `&mut self`.
            let bucket = unsafe { self.bucket(index).as_ref() };
            for &word in bucket.words[..SLOTS].iter().filter(|w| **w & POINTER != 0) {
                prefetch(ptr::with_exposed_provenance::<u8>(
                    (word & POINTER) as usize,
                ));
            }
        }
    }

    #[inline]
    fn find_word(&self, hash: u64, key: &[u8]) -> Option<NonNull<u64>> {
        if self.count == 0 {
            return None;
        }
        let tag = tag_of(hash);
        let mut bucket = self.bucket(self.index_of(hash));
        loop {
            // SAFETY: buckets of a table are live; only raw reads happen here.
            let words = unsafe { &(*bucket.as_ptr()).words };
            for (i, &word) in words[..SLOTS].iter().enumerate() {
                if word >> 48 == tag && word & POINTER != 0 {
                    // SAFETY: a non-empty slot holds the bits of a live cell.
                    let cell = unsafe { Cell::<V>::from_bits(word & POINTER) };
                    if cell.key() == key {
                        // SAFETY: slot `i` lies inside of the bucket.
                        return Some(unsafe { bucket.cast::<u64>().add(i) });
                    }
                }
            }
            // SAFETY: as above.
            bucket = unsafe { bucket.as_ref() }.next()?;
        }
    }

    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<EntryRef<'_, V>> {
        let word = self.find_word(hash, key)?;
        // SAFETY: `find_word` returns a slot that holds a live cell.
        Some(EntryRef::new(unsafe {
            Cell::from_bits(*word.as_ref() & POINTER)
        }))
    }

    /// Exclusive access to one entry.
    #[inline]
    pub fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<EntryMut<'_, V>> {
        self.before_change(hash);
        let mut word = self.find_word(hash, key)?;
        // SAFETY: a live slot, outside of `self`'s own fields; `&mut self` makes it exclusive for
        // the handle's lifetime.
        unsafe {
            let cell = Cell::from_bits(*word.as_ref() & POINTER);
            Some(EntryMut::new(cell, word.as_mut(), &mut self.cell_bytes))
        }
    }

    /// Looks a key up and lets `fate` decide whether the entry found may be seen: the one place where
    /// an expired entry is recognised, in the same look-up that needs it. Not for a table that has
    /// readers: most look-ups are by those who only read, and must not pay for a copy.
    #[inline]
    pub fn find_live(
        &mut self,
        hash: u64,
        key: &[u8],
        fate: impl FnOnce(EntryRef<'_, V>) -> Fate,
    ) -> Found<'_, V> {
        debug_assert!(self.readers.is_none(), "a change would escape them");
        let Some(mut word) = self.find_word(hash, key) else {
            return Found::Absent;
        };
        // SAFETY: as in `find_mut`.
        let cell = unsafe { Cell::from_bits(*word.as_ref() & POINTER) };
        match fate(EntryRef::new(cell)) {
            Fate::Keep => {
                // SAFETY: as in `find_mut`.
                Found::Live(unsafe { EntryMut::new(cell, word.as_mut(), &mut self.cell_bytes) })
            }
            Fate::Hide => Found::Absent,
            // SAFETY: `word` is the live slot found above.
            Fate::Remove => Found::Removed(unsafe { self.unlink(word) }),
        }
    }

    /// As [`Table::find_live`], adding what `make` returns when there is nothing to be seen.
    /// An entry that `fate` removes is returned beside the new one.
    #[inline]
    pub fn find_or_insert<'v>(
        &mut self,
        hash: u64,
        key: &[u8],
        fate: impl FnOnce(EntryRef<'_, V>) -> Fate,
        make: impl FnOnce() -> (NewValue<'v, V>, u8, u32),
    ) -> (EntryMut<'_, V>, Inserted<V>)
    where
        V: 'v,
    {
        self.before_change(hash);
        let mut removed = None;
        if let Some(mut word) = self.find_word(hash, key) {
            // SAFETY: as in `find_mut`.
            let cell = unsafe { Cell::from_bits(*word.as_ref() & POINTER) };
            if matches!(fate(EntryRef::new(cell)), Fate::Keep) {
                // SAFETY: as in `find_mut`.
                let entry = unsafe { EntryMut::new(cell, word.as_mut(), &mut self.cell_bytes) };
                return (entry, Inserted::No);
            }
            // SAFETY: `word` is the live slot found above.
            removed = Some(unsafe { self.unlink(word) });
        }
        let (value, tag, aux) = make();
        let entry = self.add(hash, key, value, tag, aux, None);
        (entry, removed.map_or(Inserted::Yes, Inserted::Replacing))
    }

    /// Adds an entry for a key that is NOT in the table (the caller looked).
    pub fn insert_new(
        &mut self,
        hash: u64,
        key: &[u8],
        value: NewValue<'_, V>,
        tag: u8,
        aux: u32,
        expiry: Option<i64>,
    ) -> EntryMut<'_, V> {
        debug_assert!(self.find_word(hash, key).is_none());
        self.before_change(hash);
        self.add(hash, key, value, tag, aux, expiry)
    }

    /// As [`Table::insert_new`], for the time after [`Table::before_change`].
    fn add(
        &mut self,
        hash: u64,
        key: &[u8],
        value: NewValue<'_, V>,
        tag: u8,
        aux: u32,
        expiry: Option<i64>,
    ) -> EntryMut<'_, V> {
        let cell = Cell::allocate(key, value, tag, aux, expiry);
        self.cell_bytes += EntryRef::new(cell).heap_bytes();
        let mut word = self.place(hash, cell);
        // SAFETY: `place` returns the slot that holds the cell.
        EntryMut::new(cell, unsafe { word.as_mut() }, &mut self.cell_bytes)
    }

    /// Puts an entry taken from another table (or this one) back; its key must not be present.
    pub fn insert_entry(&mut self, entry: OwnedEntry<V>) {
        let cell = entry.get().cell();
        std::mem::forget(entry);
        let hash = self.hash(cell.key());
        debug_assert!(self.find_word(hash, cell.key()).is_none());
        self.before_change(hash);
        self.cell_bytes += EntryRef::new(cell).heap_bytes();
        self.place(hash, cell);
    }

    /// Grows if due, then links the cell and returns its slot.
    fn place(&mut self, hash: u64, cell: Cell<V>) -> NonNull<u64> {
        if self.count == 0 {
            self.add_first_bucket();
        }
        self.len += 1;
        if self.len * 2 > self.count * GROW_NUMERATOR {
            self.grow_one();
        }
        self.link(self.bucket(self.index_of(hash)), hash, cell)
    }

    /// Writes the cell into the first free slot of the chain, which grows if there is none.
    fn link(&mut self, mut bucket: NonNull<Bucket>, hash: u64, cell: Cell<V>) -> NonNull<u64> {
        let word = (tag_of(hash) << 48) | cell.to_bits();
        loop {
            // SAFETY: the bucket is live; `&mut self` makes this the only access.
            let b = unsafe { bucket.as_mut() };
            if let Some(slot) = b.words[..SLOTS].iter_mut().find(|w| **w & POINTER == 0) {
                *slot = word;
                return NonNull::from(slot);
            }
            bucket = match b.next() {
                Some(next) => next,
                None => {
                    let next = allocate_buckets(1);
                    b.set_next(Some(next));
                    self.overflow_count += 1;
                    next
                }
            };
        }
    }

    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<OwnedEntry<V>> {
        self.before_change(hash);
        let word = self.find_word(hash, key)?;
        // SAFETY: a live slot of this table.
        Some(unsafe { self.unlink(word) })
    }

    /// Removes the first entry with this hash that `wanted` accepts.
    pub fn remove_where(
        &mut self,
        hash: u64,
        wanted: impl Fn(EntryRef<'_, V>) -> bool,
    ) -> Option<OwnedEntry<V>> {
        self.before_change(hash);
        let mut key = None;
        self.visit_hash(hash, |entry| {
            if key.is_none() && wanted(entry) && self.hash(entry.key()) == hash {
                key = Some(entry.key());
            }
        });
        let word = self.find_word(hash, key?)?;
        // SAFETY: a live slot of this table.
        Some(unsafe { self.unlink(word) })
    }

    /// # Safety
    /// `word` is a slot of this table that holds a live cell.
    unsafe fn unlink(&mut self, mut word: NonNull<u64>) -> OwnedEntry<V> {
        // SAFETY: the caller's promise; clearing the slot hands the cell over.
        let cell = unsafe {
            let cell = Cell::from_bits(*word.as_ref() & POINTER);
            *word.as_mut() = 0;
            cell
        };
        self.cell_bytes -= EntryRef::<V>::new(cell).heap_bytes();
        self.len -= 1;
        if self.is_sparse() {
            self.shrink_after_removal();
        }
        OwnedEntry::new(cell)
    }

    /// A removal makes two thirds of a bucket superfluous; more than one is taken back where
    /// shrinking was held up before.
    #[cold]
    fn shrink_after_removal(&mut self) {
        for _ in 0..SHRINKS_PER_REMOVAL {
            if !self.is_sparse() || !self.may_shrink() {
                break;
            }
            self.shrink_one();
        }
    }

    /// Whether there are more buckets than the entries should have.
    #[inline]
    pub fn is_sparse(&self) -> bool {
        self.count > 1 && self.len * 2 < self.count * SHRINK_NUMERATOR
    }

    /// The last bucket may join the one it was split from only if both were saved for the same
    /// readers; one stamp can say no more. Without a reader, the stamps of the table's own readers
    /// mean nothing any more. (Stamps set by a user of the table may: see [`Table::shrink_some`].)
    #[inline]
    fn may_shrink(&self) -> bool {
        let last = self.count - 1;
        let target = last - self.shrunk_level_size();
        self.bucket_stamp(last) == self.bucket_stamp(target)
            || (self.version != 0 && self.readers.is_none())
    }

    /// `2^level` as it will be once the last bucket has gone.
    #[inline]
    fn shrunk_level_size(&self) -> usize {
        let size = 1 << self.level;
        if self.count == size { size / 2 } else { size }
    }

    /// Takes back up to `max` superfluous buckets of a table whose stamps mean nothing at present;
    /// false once there are none. For a table that was not allowed to shrink before.
    pub fn shrink_some(&mut self, max: usize) -> bool {
        for _ in 0..max {
            if !self.is_sparse() || self.readers.is_some() {
                return false;
            }
            self.shrink_one();
        }
        self.is_sparse()
    }

    /// Makes room for about `additional` more entries ahead of a bulk load into an empty table.
    /// A table that holds entries already grows as it goes.
    pub fn reserve(&mut self, additional: usize) {
        if self.len != 0 {
            return;
        }
        let wanted = additional * 2 / GROW_NUMERATOR;
        while self.count < wanted {
            if self.count == 0 {
                self.add_first_bucket();
            } else {
                self.grow_one();
            }
        }
    }

    /// Whom bucket `index` was last saved for: the larger, the later they began. A bucket that grows
    /// out of another has its stamp; the first one has 0 unless it was made by
    /// [`Table::ensure_bucket`].
    #[inline]
    pub fn bucket_stamp(&self, index: usize) -> u16 {
        // SAFETY: `bucket` checks the index; buckets are live.
        unsafe { self.bucket(index).as_ref() }.stamp()
    }

    pub fn stamp_bucket(&mut self, index: usize, stamp: u16) {
        // SAFETY: as above, exclusive through `&mut self`.
        unsafe { self.bucket(index).as_mut() }.set_stamp(stamp);
    }

    /// Gives a table that has no bucket yet its first one.
    pub fn ensure_bucket(&mut self, stamp: u16) {
        if self.count == 0 {
            self.add_first_bucket();
            self.stamp_bucket(0, stamp);
        }
    }

    /// Gives every bucket the stamp that `renumber` makes of its old one.
    pub fn renumber_stamps(&mut self, renumber: impl Fn(u16) -> u16) {
        for index in 0..self.count {
            self.stamp_bucket(index, renumber(self.bucket_stamp(index)));
        }
    }

    fn add_first_bucket(&mut self) {
        self.dir.push(allocate_buckets(1));
        self.first_capacity = 1;
        self.count = 1;
        self.level = 0;
        self.stamp_bucket(0, self.version);
    }

    /// Gives the table bucket number `count`, uninitialised but zeroed.
    fn add_bucket(&mut self) {
        let index = self.count;
        let first = usize::from(self.first_capacity);
        if self.dir.len() == 1 && index == first && first < SEGMENT {
            let capacity = (first * 2).min(SEGMENT);
            let grown = allocate_buckets(capacity);
            // SAFETY: both arrays are live, hold at least `first` buckets and differ; the
            // old one is freed with the layout it was allocated with.
            unsafe {
                ptr::copy_nonoverlapping(self.dir[0].as_ptr(), grown.as_ptr(), first);
                free_buckets(self.dir[0], first);
            }
            self.dir[0] = grown;
            self.first_capacity = capacity as u16;
        } else if index >> SEGMENT_BITS == self.dir.len() {
            self.dir.push(allocate_buckets(SEGMENT));
        }
        self.count += 1;
    }

    /// Splits the next bucket of this round into itself and a new last one.
    fn grow_one(&mut self) {
        let split = self.count - (1 << self.level);
        self.add_bucket();
        let fresh = self.count - 1;
        debug_assert_eq!(fresh, split + (1 << self.level));
        // SAFETY: both buckets are live; only this function touches them now.
        let stamp = unsafe { self.bucket(split).as_ref() }.stamp();
        // SAFETY: as above.
        unsafe { self.bucket(fresh).as_mut() }.set_stamp(stamp);
        let moved_bit = 1u64 << self.level;
        if self.count == 2 << self.level {
            self.level += 1;
        }
        self.redistribute(
            split,
            |hash| if hash & moved_bit != 0 { fresh } else { split },
        );
    }

    /// Folds the last bucket back into the one it was split from. See [`Table::may_shrink`].
    fn shrink_one(&mut self) {
        if self.count == 1 << self.level {
            self.level -= 1;
        }
        let last = self.count - 1;
        let target = last - (1 << self.level);
        self.redistribute(last, |_| target);
        self.count -= 1;
        if self.dir.len() > 1
            && self.count <= (self.dir.len() - 1) << SEGMENT_BITS
            && let Some(segment) = self.dir.pop()
        {
            // SAFETY: no bucket of this segment is in use any more (`count` is below it).
            unsafe { free_buckets(segment, SEGMENT) };
        }
    }

    /// Empties the chain of bucket `from` and places every cell where `target` says.
    fn redistribute(&mut self, from: usize, target: impl Fn(u64) -> usize) {
        let mut cells = [0u64; SLOTS];
        let mut head = self.bucket(from);
        // SAFETY: the chain's buckets are live and exclusive through `&mut self`; each overflow
        // bucket is unlinked before it is freed, and its words are copied out before that.
        let mut overflow = unsafe {
            let b = head.as_mut();
            cells.copy_from_slice(&b.words[..SLOTS]);
            b.words[..SLOTS].fill(0);
            let next = b.next();
            b.set_next(None);
            next
        };
        loop {
            for word in cells {
                prefetch(ptr::with_exposed_provenance::<u8>(
                    (word & POINTER) as usize,
                ));
            }
            for word in cells.into_iter().filter(|w| w & POINTER != 0) {
                // SAFETY: a non-empty slot holds the bits of a live cell.
                let cell = unsafe { Cell::<V>::from_bits(word & POINTER) };
                let hash = self.hash(cell.key());
                self.link(self.bucket(target(hash)), hash, cell);
            }
            let Some(bucket) = overflow else { return };
            // SAFETY: see above.
            unsafe {
                cells.copy_from_slice(&bucket.as_ref().words[..SLOTS]);
                overflow = bucket.as_ref().next();
                free_buckets(bucket, 1);
            }
            self.overflow_count -= 1;
        }
    }

    /// Frees up to `max` entries from the end of the table; true once it is empty. For freeing huge
    /// tables in slices; nobody who reads the table as it was gets anything more.
    pub fn drain_some(&mut self, max: usize) -> bool {
        self.readers = None;
        let mut freed = 0;
        while self.count > 0 && freed < max {
            let last = self.count - 1;
            freed += self.free_chain(last);
            self.count -= 1;
            if self.count < 1 << self.level {
                self.level = self.level.saturating_sub(1);
            }
            if self.count <= (self.dir.len() - 1) << SEGMENT_BITS {
                self.free_last_segment();
            }
        }
        self.count == 0
    }

    fn free_last_segment(&mut self) {
        let capacity = if self.dir.len() == 1 {
            usize::from(self.first_capacity)
        } else {
            SEGMENT
        };
        if let Some(segment) = self.dir.pop() {
            // SAFETY: the segment's buckets were emptied and are below no `count` any more.
            unsafe { free_buckets(segment, capacity) };
        }
        if self.dir.is_empty() {
            self.first_capacity = 0;
        }
    }

    /// Frees all cells of one chain and its overflow buckets; returns the number of cells.
    fn free_chain(&mut self, index: usize) -> usize {
        let mut freed = 0;
        let mut bucket = self.bucket(index);
        let mut is_head = true;
        loop {
            // SAFETY: live and exclusive; every cell is freed once because its slot is cleared or
            // its bucket freed right after.
            unsafe {
                let b = bucket.as_mut();
                for word in &mut b.words[..SLOTS] {
                    if *word & POINTER != 0 {
                        let cell = Cell::<V>::from_bits(*word & POINTER);
                        self.cell_bytes -= EntryRef::new(cell).heap_bytes();
                        cell.free();
                        *word = 0;
                        freed += 1;
                    }
                }
                let next = b.next();
                b.set_next(None);
                if !is_head {
                    free_buckets(bucket, 1);
                    self.overflow_count -= 1;
                }
                match next {
                    Some(n) => bucket = n,
                    None => break,
                }
            }
            is_head = false;
        }
        self.len -= freed;
        freed
    }

    pub fn clear(&mut self) {
        while !self.drain_some(usize::MAX) {}
    }

    /// Checks every structural invariant; for tests and the simulator.
    pub fn check_invariants(&self) {
        let mut seen = 0;
        let mut bytes = 0;
        let mut overflow = 0;
        for index in 0..self.count {
            let mut at = Some(self.bucket(index));
            let mut head = true;
            while let Some(b) = at {
                overflow += usize::from(!head);
                head = false;
                // SAFETY: live buckets, shared borrow.
                let b = unsafe { b.as_ref() };
                for &word in &b.words[..SLOTS] {
                    if word & POINTER != 0 {
                        // SAFETY: a non-empty slot holds a live cell.
                        let cell = unsafe { Cell::<V>::from_bits(word & POINTER) };
                        let hash = self.hash(cell.key());
                        assert_eq!(self.index_of(hash), index);
                        assert_eq!(tag_of(hash), word >> 48);
                        seen += 1;
                        bytes += EntryRef::new(cell).heap_bytes();
                    }
                }
                at = b.next();
            }
        }
        assert_eq!(seen, self.len);
        assert_eq!(bytes, self.cell_bytes);
        assert_eq!(overflow, self.overflow_count);
    }
}

impl<V: Clone> Clone for Table<V> {
    /// A table of its own with the same seed, filled entry by entry.
    fn clone(&self) -> Self {
        let mut copy = Table::new(self.seed);
        copy.reserve(self.len());
        for entry in self.iter() {
            let value = match entry.value() {
                ValueRef::Int(n) => NewValue::Int(n),
                ValueRef::Bytes(bytes) => NewValue::Bytes(bytes),
                ValueRef::Payload(value) => NewValue::Payload(value.clone()),
            };
            let hash = self.hash(entry.key());
            copy.insert_new(
                hash,
                entry.key(),
                value,
                entry.tag(),
                entry.aux(),
                entry.expiry(),
            );
        }
        copy
    }
}

impl<V> Drop for Table<V> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Starts loading the cache line at `at`.
#[inline]
pub(crate) fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching has no effect on memory and may be given any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

fn buckets_layout(count: usize) -> Layout {
    Layout::array::<Bucket>(count).expect("segment size is bounded")
}

fn allocate_buckets(count: usize) -> NonNull<Bucket> {
    let layout = buckets_layout(count);
    // SAFETY: the layout is not empty; all-zero words are empty slots.
    let raw = unsafe { alloc_zeroed(layout) };
    NonNull::new(raw.cast::<Bucket>()).unwrap_or_else(|| handle_alloc_error(layout))
}

/// # Safety
/// `buckets` came from `allocate_buckets(count)` and is not used again.
unsafe fn free_buckets(buckets: NonNull<Bucket>, count: usize) {
    // SAFETY: the caller's promise.
    unsafe { dealloc(buckets.as_ptr().cast(), buckets_layout(count)) }
}
