//! `List`: the Redis list value, a listpack while it is small, then a sequence of listpacks.
//!
//! ```text
//! List ─┬─► Listpack                                  "listpack"
//!       └─► Quicklist { nodes: deque of Node, len }   "quicklist"
//!             Node = Packed(Listpack) with its count, or Plain: one element too large to be packed
//! ```
//! The handle is one pointer; its lowest bit, always free in aligned blocks, says which. When a list
//! changes its form follows Redis 7.2 (facts from Valkey 8.0.1, which kept its rules, and from
//! redis.conf on `list-max-listpack-size`): it becomes a quicklist before an addition that would pass the limit of
//! one node, and a listpack again when removals leave one packed node below half of that limit.
//! Limits are configuration and may change at any time, so every changing call takes them.
//!
//! A list may be empty in here; that no key holds an empty one is the keyspace's business.
//! `list/quicklist.rs` has the nodes, `list/iter.rs` the walks. Tests: `list/tests.rs`.

mod iter;
mod limits;
mod quicklist;
mod reader;
#[cfg(test)]
mod tests;

use std::fmt;
use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};

use crate::bytes::ThinBytes;
use crate::listpack::{Item, Listpack, Needle};
use crate::table_reader::ReaderId;
use quicklist::Quicklist;

pub use iter::{Iter, IterRev, Nodes};
pub use limits::ListLimits;
pub use reader::ListRemains;

/// See the file header.
#[repr(transparent)]
pub struct List {
    /// Invariant: either a `Listpack`'s own pointer (even), or a `Box<Quicklist>`'s with the lowest
    /// bit set; owned.
    tagged: NonNull<u8>,
}

const _: () = assert!(size_of::<Option<List>>() == 8);
const _: () = assert!(align_of::<Quicklist>() >= 2);

// SAFETY: a List owns its listpack or its boxed quicklist, and both are Send.
unsafe impl Send for List {}
// SAFETY: through `&List` only `&Listpack` and `&Quicklist` can be had, and both are Sync.
unsafe impl Sync for List {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Listpack>();
    send_and_sync::<Quicklist>();
};

const QUICK_BIT: usize = 1;

enum View<'a> {
    Packed(&'a Listpack),
    Quick(&'a Quicklist),
}

enum ViewMut<'a> {
    Packed(&'a mut Listpack),
    Quick(&'a mut Quicklist),
}

/// One stored node, as RDB writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeRef<'a> {
    /// The blob of a listpack.
    Packed(&'a [u8]),
    /// A single element as it is.
    Plain(&'a [u8]),
}

/// One node to build a list from.
#[derive(Clone, Debug)]
pub enum OwnedNode {
    Packed(Listpack),
    Plain(ThinBytes),
}

/// Which end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Front,
    Back,
}

/// Which side of a pivot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// Building and measuring.
impl List {
    pub fn new() -> List {
        List::from_packed(Listpack::new())
    }

    /// A loaded list: empty nodes are dropped and the form chosen afresh.
    pub fn from_nodes(nodes: impl IntoIterator<Item = OwnedNode>, limits: &ListLimits) -> List {
        let mut quick = Quicklist::new();
        for node in nodes {
            quick.append_node(node);
        }
        let mut list = List::from_quick(Box::new(quick));
        list.choose_form(limits);
        list
    }

    /// Chooses the form of a list that was just built: a single packed node within the full limit
    /// becomes a listpack, a listpack beyond it a quicklist.
    pub fn choose_form(&mut self, limits: &ListLimits) {
        if self.is_quicklist() {
            self.pack_if_within(limits.size_limit(), limits.count_limit());
        } else {
            self.prepare_growth(0, 0, limits);
        }
    }

    #[inline]
    pub fn len(&self) -> usize {
        match self.view() {
            View::Packed(packed) => packed.len(),
            View::Quick(quick) => quick.len(),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        match self.view() {
            View::Packed(packed) => packed.is_empty(),
            View::Quick(quick) => quick.len() == 0,
        }
    }

    /// Whether the encoding is "quicklist" rather than "listpack".
    #[inline]
    pub fn is_quicklist(&self) -> bool {
        self.tagged.addr().get() & QUICK_BIT != 0
    }

    pub fn node_count(&self) -> usize {
        match self.view() {
            View::Packed(_) => 1,
            View::Quick(quick) => quick.nodes().len(),
        }
    }

    /// The stored nodes from front to back; a listpack is one packed node.
    pub fn nodes(&self) -> Nodes<'_> {
        match self.view() {
            View::Packed(packed) => Nodes::packed(packed),
            View::Quick(quick) => Nodes::quick(quick),
        }
    }

    /// What the list occupies on the heap. Counts node by node.
    pub fn heap_bytes(&self) -> usize {
        match self.view() {
            View::Packed(packed) => packed.heap_bytes(),
            View::Quick(quick) => size_of::<Quicklist>() + quick.heap_bytes(),
        }
    }
}

/// Reading.
impl List {
    /// The element at `index`, counted from the back when negative (-1 is the last).
    pub fn get(&self, index: i64) -> Option<Item<'_>> {
        match self.view() {
            View::Packed(packed) => packed.seek(index).map(|pos| packed.get(pos)),
            View::Quick(quick) => quick.get(resolve_index(index, quick.len())?),
        }
    }

    /// Up to `count` elements forward from index `start`.
    #[inline]
    pub fn range(&self, start: usize, count: usize) -> Iter<'_> {
        match self.view() {
            View::Packed(packed) => Iter::packed(packed, start, count),
            View::Quick(quick) => Iter::quick(quick, start, count),
        }
    }

    /// Up to `count` elements backward, the first of which is `skip` elements before the last.
    #[inline]
    pub fn range_rev(&self, skip: usize, count: usize) -> IterRev<'_> {
        match self.view() {
            View::Packed(packed) => IterRev::packed(packed, skip, count),
            View::Quick(quick) => IterRev::quick(quick, skip, count),
        }
    }

    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        self.range(0, usize::MAX)
    }

    #[inline]
    pub fn iter_rev(&self) -> IterRev<'_> {
        self.range_rev(0, usize::MAX)
    }

    /// The index of the first element equal to `needle`.
    pub fn find(&self, needle: &[u8]) -> Option<usize> {
        let needle = Needle::new(needle);
        self.iter().position(|item| needle.matches(item))
    }

    /// The indexes of elements equal to `needle`, as LPOS counts them: begin with match number
    /// `rank` (1 is the first; negative ranks search backward from the last), report up to `count`
    /// of them (0: all), and compare no more than `compare_max` elements (0: all).
    ///
    /// A `rank` of 0 finds nothing; LPOS refuses it beforehand.
    pub fn positions(
        &self,
        needle: &[u8],
        rank: i64,
        count: usize,
        compare_max: usize,
    ) -> Vec<usize> {
        let needle = Needle::new(needle);
        let all_if_zero = |number: usize| if number == 0 { usize::MAX } else { number };
        let Some(skip) = rank.unsigned_abs().checked_sub(1) else {
            return Vec::new();
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let (count, compare_max) = (all_if_zero(count), all_if_zero(compare_max));
        if rank > 0 {
            let hits = self
                .range(0, compare_max)
                .enumerate()
                .filter(|(_, item)| needle.matches(*item));
            hits.skip(skip)
                .take(count)
                .map(|(index, _)| index)
                .collect()
        } else {
            let last = self.len().wrapping_sub(1);
            let hits = self
                .range_rev(0, compare_max)
                .enumerate()
                .filter(|(_, item)| needle.matches(*item));
            hits.skip(skip)
                .take(count)
                .map(|(index, _)| last - index)
                .collect()
        }
    }
}

/// Reading in slices, see `list/reader.rs`.
impl List {
    pub fn has_readers(&self) -> bool {
        match self.view() {
            View::Packed(_) => false,
            View::Quick(quick) => quick.has_readers(),
        }
    }

    /// From now on, [`List::read_some`] shows the list as it is at this moment, node by node. Only
    /// for a quicklist; it stays one until [`List::end_reader`].
    pub fn begin_reader(&mut self) -> Option<ReaderId> {
        match self.view_mut() {
            ViewMut::Packed(_) => None,
            ViewMut::Quick(quick) => Some(quick.begin_reader()),
        }
    }

    /// Shows the reader the next nodes until they come to `max_bytes`; true when it has seen all.
    pub fn read_some(
        &mut self,
        id: ReaderId,
        max_bytes: usize,
        visit: &mut dyn FnMut(NodeRef<'_>),
    ) -> bool {
        match self.view_mut() {
            ViewMut::Packed(_) => true,
            ViewMut::Quick(quick) => quick.read_some(id, max_bytes, visit),
        }
    }

    /// The reader goes. What was kept for it and not shown is returned, to be dropped where that
    /// does not hurt.
    pub fn end_reader(&mut self, id: ReaderId) -> Option<ListRemains> {
        match self.view_mut() {
            ViewMut::Packed(_) => None,
            ViewMut::Quick(quick) => quick.end_reader(id),
        }
    }
}

/// Adding.
impl List {
    #[inline]
    pub fn push_front(&mut self, element: &[u8], limits: &ListLimits) {
        self.push(End::Front, element, limits);
    }

    #[inline]
    pub fn push_back(&mut self, element: &[u8], limits: &ListLimits) {
        self.push(End::Back, element, limits);
    }

    #[inline]
    pub fn push(&mut self, end: End, element: &[u8], limits: &ListLimits) {
        self.prepare_growth(element.len(), 1, limits);
        self.push_prepared(end, element, limits);
    }

    /// Pushes one after the other, deciding about the form once for all of them, as one command with
    /// several elements does. Pushed to the front they end up in reverse order.
    pub fn push_all<'a, I>(&mut self, end: End, elements: I, limits: &ListLimits)
    where
        I: Iterator<Item = &'a [u8]> + Clone,
    {
        let (added_bytes, added_count) = elements
            .clone()
            .fold((0usize, 0), |(bytes, count), element| {
                (bytes.saturating_add(element.len()), count + 1)
            });
        self.prepare_growth(added_bytes, added_count, limits);
        for element in elements {
            self.push_prepared(end, element, limits);
        }
    }

    /// Becomes a quicklist if the addition of `added_count` elements of together `added_bytes` would
    /// pass the limit of one node. Called by every method that adds.
    #[inline]
    pub fn prepare_growth(&mut self, added_bytes: usize, added_count: usize, limits: &ListLimits) {
        if let View::Packed(packed) = self.view() {
            let size = packed.byte_len().saturating_add(added_bytes);
            if limits.exceeded_by(size, packed.len() + added_count) {
                self.become_quicklist();
            }
        }
    }

    #[inline]
    fn push_prepared(&mut self, end: End, element: &[u8], limits: &ListLimits) {
        match (self.view_mut(), end) {
            (ViewMut::Packed(packed), End::Front) => packed.push_front(element),
            (ViewMut::Packed(packed), End::Back) => packed.push_back(element),
            (ViewMut::Quick(quick), _) => quick.push(end, element, limits),
        }
    }

    /// Inserts next to the element at `pivot_index`; `false` if there is none.
    pub fn insert(
        &mut self,
        pivot_index: usize,
        side: Side,
        element: &[u8],
        limits: &ListLimits,
    ) -> bool {
        if pivot_index >= self.len() {
            return false;
        }
        self.prepare_growth(element.len(), 1, limits);
        match self.view_mut() {
            ViewMut::Packed(packed) => {
                let pos = packed
                    .seek(pivot_index as i64)
                    .expect("an index below the length");
                match side {
                    Side::Before => packed.insert_before(pos, element),
                    Side::After => packed.insert_after(pos, element),
                };
            }
            ViewMut::Quick(quick) => quick.insert(pivot_index, side, element, limits),
        }
        true
    }

    /// Replaces the element at `index` (from the back when negative); `false` if there is none.
    pub fn set(&mut self, index: i64, element: &[u8], limits: &ListLimits) -> bool {
        let Some(index) = resolve_index(index, self.len()) else {
            return false;
        };
        self.prepare_growth(element.len(), 1, limits);
        match self.view_mut() {
            ViewMut::Packed(packed) => {
                let pos = packed
                    .seek(index as i64)
                    .expect("an index below the length");
                packed.replace(pos, element);
            }
            ViewMut::Quick(quick) => {
                quick.set(index, element, limits);
                self.shrink_form(limits);
            }
        }
        true
    }
}

/// Removing.
impl List {
    pub fn pop_front(&mut self, limits: &ListLimits) -> Option<Vec<u8>> {
        self.pop_with(End::Front, limits, |item| item.to_vec())
    }

    pub fn pop_back(&mut self, limits: &ListLimits) -> Option<Vec<u8>> {
        self.pop_with(End::Back, limits, |item| item.to_vec())
    }

    /// Shows the first element to `visit` and removes it.
    #[inline]
    pub fn pop_front_with<R>(
        &mut self,
        limits: &ListLimits,
        visit: impl FnOnce(Item<'_>) -> R,
    ) -> Option<R> {
        self.pop_with(End::Front, limits, visit)
    }

    /// Shows the last element to `visit` and removes it.
    #[inline]
    pub fn pop_back_with<R>(
        &mut self,
        limits: &ListLimits,
        visit: impl FnOnce(Item<'_>) -> R,
    ) -> Option<R> {
        self.pop_with(End::Back, limits, visit)
    }

    #[inline]
    pub fn pop_with<R>(
        &mut self,
        end: End,
        limits: &ListLimits,
        visit: impl FnOnce(Item<'_>) -> R,
    ) -> Option<R> {
        match self.view_mut() {
            ViewMut::Packed(packed) => {
                let pos = match end {
                    End::Front => packed.first()?,
                    End::Back => packed.last()?,
                };
                let result = visit(packed.get(pos));
                packed.remove(pos);
                Some(result)
            }
            ViewMut::Quick(quick) => {
                let result = quick.pop_with(end, visit)?;
                self.shrink_form(limits);
                Some(result)
            }
        }
    }

    /// Removes elements equal to `needle`, as LREM counts them: the first `count`, the last `-count`
    /// when negative, all when 0. Returns how many those were.
    pub fn remove_matching(&mut self, count: i64, needle: &[u8], limits: &ListLimits) -> usize {
        let needle = Needle::new(needle);
        let end = if count < 0 { End::Back } else { End::Front };
        let most = if count == 0 {
            usize::MAX
        } else {
            usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX)
        };
        let removed = match self.view_mut() {
            ViewMut::Packed(packed) => quicklist::remove_matching(packed, end, most, &needle),
            ViewMut::Quick(quick) => quick.remove_matching(end, most, &needle),
        };
        if removed > 0 {
            self.shrink_form(limits);
        }
        removed
    }

    /// Keeps `count` elements from index `start` on and removes the others, returning how many
    /// those were.
    pub fn trim(&mut self, start: usize, count: usize, limits: &ListLimits) -> usize {
        let len = self.len();
        let start = start.min(len);
        let end = start.saturating_add(count).min(len);
        match self.view_mut() {
            ViewMut::Packed(packed) => {
                packed.remove_range(end as i64, len - end);
                packed.remove_range(0, start);
            }
            ViewMut::Quick(quick) => {
                quick.remove_back(len - end);
                quick.remove_front(start);
            }
        }
        self.shrink_form(limits);
        len - (end - start)
    }

    /// After a removal: back to a listpack at half the limit, so that a list around the limit does
    /// not change its form all the time.
    #[inline]
    fn shrink_form(&mut self, limits: &ListLimits) {
        if self.is_quicklist() {
            self.pack_if_within(limits.size_limit() / 2, limits.count_limit() / 2);
        }
    }

    fn pack_if_within(&mut self, size_limit: usize, count_limit: usize) {
        let ViewMut::Quick(quick) = self.view_mut() else {
            return;
        };
        if let Some(packed) = quick.take_single_packed(size_limit, count_limit) {
            *self = List::from_packed(packed);
        }
    }

    #[cold]
    fn become_quicklist(&mut self) {
        let packed = mem::replace(self, List::from_quick(Box::new(Quicklist::new())));
        let (Owned::Packed(packed), ViewMut::Quick(quick)) = (packed.into_owned(), self.view_mut())
        else {
            unreachable!("called on a listpack, and replaced by a quicklist")
        };
        quick.append_node(OwnedNode::Packed(packed));
    }
}

enum Owned {
    Packed(Listpack),
    Quick(Box<Quicklist>),
}

/// The tagged pointer: all of this file's unsafe code.
impl List {
    #[inline]
    fn from_packed(packed: Listpack) -> List {
        let packed = ManuallyDrop::new(packed);
        // SAFETY: Listpack is `repr(transparent)` down to one NonNull<u8>; ManuallyDrop makes the
        // copy the only owner. Blocks are aligned to 8, so the lowest bit is clear.
        let tagged = unsafe { ptr::from_ref(&*packed).cast::<NonNull<u8>>().read() };
        List { tagged }
    }

    fn from_quick(quick: Box<Quicklist>) -> List {
        let pointer = Box::into_raw(quick)
            .cast::<u8>()
            .map_addr(|address| address | QUICK_BIT);
        List {
            tagged: NonNull::new(pointer).expect("a box is not null"),
        }
    }

    #[inline]
    fn quick_pointer(&self) -> *mut Quicklist {
        self.tagged
            .as_ptr()
            .map_addr(|address| address & !QUICK_BIT)
            .cast()
    }

    #[inline]
    fn view(&self) -> View<'_> {
        if self.is_quicklist() {
            // SAFETY: with the bit set this is our box's pointer; the borrow lasts as long as self's.
            View::Quick(unsafe { &*self.quick_pointer() })
        } else {
            // SAFETY: with the bit clear the field is bitwise a Listpack, which is
            // `repr(transparent)` over the same type; the borrow lasts as long as self's.
            View::Packed(unsafe { &*ptr::from_ref(&self.tagged).cast::<Listpack>() })
        }
    }

    #[inline]
    fn view_mut(&mut self) -> ViewMut<'_> {
        if self.is_quicklist() {
            // SAFETY: as in `view`, and `&mut self` makes the borrow exclusive.
            ViewMut::Quick(unsafe { &mut *self.quick_pointer() })
        } else {
            // SAFETY: as in `view`, and `&mut self` makes the borrow exclusive. Whatever the
            // listpack writes to its pointer is again a block's, so the bit stays clear.
            ViewMut::Packed(unsafe { &mut *ptr::from_mut(&mut self.tagged).cast::<Listpack>() })
        }
    }

    fn into_owned(self) -> Owned {
        let list = ManuallyDrop::new(self);
        if list.is_quicklist() {
            // SAFETY: the pointer came from Box::into_raw, and ManuallyDrop hands its ownership over.
            Owned::Quick(unsafe { Box::from_raw(list.quick_pointer()) })
        } else {
            // SAFETY: as in `view`, and ManuallyDrop makes the copy the only owner.
            Owned::Packed(unsafe { ptr::from_ref(&list.tagged).cast::<Listpack>().read() })
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: `drop` runs once and nothing uses self afterwards, so the bitwise copy owns the
        // content; its own destructor does not run, because `into_owned` consumes it.
        let list = unsafe { ptr::from_ref(self).read() };
        match list.into_owned() {
            Owned::Packed(packed) => drop(packed),
            Owned::Quick(quick) => drop(quick),
        }
    }
}

impl Clone for List {
    fn clone(&self) -> List {
        match self.view() {
            View::Packed(packed) => List::from_packed(packed.clone()),
            View::Quick(quick) => List::from_quick(Box::new(quick.clone())),
        }
    }
}

impl Default for List {
    fn default() -> List {
        List::new()
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[inline]
fn resolve_index(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 {
        len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(index).ok()?
    };
    (index < len).then_some(index)
}
