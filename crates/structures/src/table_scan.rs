//! Walks over a [`Table`]: full iteration, SCAN cursors that survive growth and shrinking, and
//! uniform random picks.
//!
//! SCAN counts its cursor up from the high bit down (reversed binary), over the buckets of the
//! smaller size `2^level`, and visits with each such bucket the one split from it. A bucket of a
//! smaller table is exactly the union of its descendants in a bigger one, so an element present for
//! the whole scan is met at least once however the table is resized in between.
//! Tests: bottom of this file, `tests/table_model.rs`.

use crate::entry::{Cell, EntryRef};
use crate::table::{POINTER, SLOTS, Table};

/// Random picks treat a bucket as having this many places; the rare longer chains get a little less
/// than their share for the places beyond.
const PLACES: u64 = 2 * SLOTS as u64;

impl<V> Table<V> {
    fn visit_chain<'a>(&'a self, index: usize, visit: &mut dyn FnMut(EntryRef<'a, V>)) {
        let mut at = Some(self.bucket(index));
        while let Some(bucket) = at {
            // SAFETY: buckets are live while `self` is borrowed.
            let bucket = unsafe { bucket.as_ref() };
            for i in 0..SLOTS {
                let word = bucket.slot(i);
                if word & POINTER != 0 {
                    // SAFETY: a non-empty slot holds a live cell.
                    visit(EntryRef::new(unsafe { Cell::from_bits(word & POINTER) }));
                }
            }
            at = bucket.next();
        }
    }

    /// Visits the entries at `cursor` (0 to begin) and returns the next cursor, 0 at the end.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(EntryRef<'a, V>)) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let level = self.level();
        let small_mask = (1u64 << level) - 1;
        let small = (cursor & small_mask) as usize;
        self.visit_chain(small, &mut visit);
        let twin = small + (1 << level);
        if twin < self.bucket_count() {
            self.visit_chain(twin, &mut visit);
        }
        let next = (cursor | !small_mask).reverse_bits().wrapping_add(1);
        next.reverse_bits()
    }

    /// Visits the entries of bucket `index` (with overflow): expiry, eviction sampling, snapshots.
    pub fn visit_bucket<'a>(&'a self, index: usize, mut visit: impl FnMut(EntryRef<'a, V>)) {
        if index < self.bucket_count() {
            self.visit_chain(index, &mut visit);
        }
    }

    /// Visits the entries of the bucket that `hash` belongs to.
    pub fn visit_hash<'a>(&'a self, hash: u64, visit: impl FnMut(EntryRef<'a, V>)) {
        if self.bucket_count() > 0 {
            self.visit_bucket(self.bucket_index(hash), visit);
        }
    }

    pub fn iter(&self) -> Iter<'_, V> {
        Iter {
            table: self,
            next_bucket: 0,
            chain: Vec::new(),
            left: self.len(),
        }
    }

    /// A uniformly random entry; `random` yields fresh random numbers.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<EntryRef<'_, V>> {
        if self.is_empty() {
            return None;
        }
        loop {
            let index = ((u128::from(random()) * self.bucket_count() as u128) >> 64) as usize;
            let mut count = 0u64;
            self.visit_chain(index, &mut |_| count += 1);
            if count == 0 {
                continue;
            }
            let place = ((u128::from(random()) * u128::from(PLACES.max(count))) >> 64) as u64;
            if place >= count {
                continue;
            }
            let mut found = None;
            let mut at = 0;
            self.visit_chain(index, &mut |entry| {
                if at == place {
                    found = Some(entry);
                }
                at += 1;
            });
            return found;
        }
    }
}

/// Full iteration in bucket order.
pub struct Iter<'a, V> {
    table: &'a Table<V>,
    next_bucket: usize,
    chain: Vec<EntryRef<'a, V>>,
    left: usize,
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = EntryRef<'a, V>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.chain.pop() {
                self.left -= 1;
                return Some(entry);
            }
            if self.next_bucket >= self.table.bucket_count() {
                return None;
            }
            let chain = &mut self.chain;
            self.table
                .visit_bucket(self.next_bucket, |entry| chain.push(entry));
            self.next_bucket += 1;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<V> ExactSizeIterator for Iter<'_, V> {}
