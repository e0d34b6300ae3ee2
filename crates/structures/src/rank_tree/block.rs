//! `Block<E>`: the storage of one tree node, a vector behind one thin pointer; and `Node<T>`,
//! the owner of a block that is either a leaf (of items) or an inner node (of entries).
//!
//! ```text
//!   head ─► ┌────────────────────────────┬────┬────┬─────┬────┬───────┐
//!           │ len, capacity, class, kind │ E0 │ E1 │ ... │ En │ spare │   CLASS_BYTES[class] bytes
//!           └────────────────────────────┴────┴────┴─────┴────┴───────┘
//! ```
//!
//! A block's size is always one of `CLASS_BYTES`, which are size classes of jemalloc, so a
//! half-full node costs half a node and a small tree is a small allocation. Growing takes the
//! next class; shrinking waits until two classes are spare, so that a size on the border of two
//! classes does not reallocate back and forth.
//!
//! Invariants, kept by this file alone: `len <= capacity <= (bytes - 8) / size_of::<E>()`, the
//! first `len` elements are initialised, and `kind` names the element type of the allocation.
//! All `unsafe` of the rank tree is here. A `Meter` counts the bytes; whoever drops a block
//! outside `clear` tells it by `discard`.
//!
//! It does not know order, counts or balance. Tests: `rank_tree/tests.rs` (sized
//! down for Miri; run under the address sanitizer so far).

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, align_of, size_of};
use std::ptr::{self, NonNull};

const CLASS_BYTES: [usize; 13] = [
    64, 128, 256, 384, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048,
];

/// The largest allocation of a leaf and of an inner node.
pub(super) const LEAF_BYTES: usize = 1024;
pub(super) const INNER_BYTES: usize = CLASS_BYTES[CLASS_BYTES.len() - 1];

/// How many elements of type `E` a block of `bytes` bytes holds.
pub(super) const fn capacity_in<E>(bytes: usize) -> usize {
    (bytes - size_of::<Header>()) / size_of::<E>()
}

/// Bytes held by the blocks of one tree.
#[derive(Default)]
pub(super) struct Meter {
    pub(super) bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Leaf,
    Inner,
}

#[repr(C, align(8))]
struct Header {
    len: u16,
    capacity: u16,
    class: u8,
    kind: Kind,
}

#[repr(transparent)]
pub(super) struct Block<E> {
    head: NonNull<Header>,
    owns: PhantomData<E>,
}

impl<E> Block<E> {
    /// Elements must fit the smallest class, and lie aligned right after the header.
    const LAYOUT_FITS: () = {
        assert!(size_of::<Header>() == 8);
        assert!(align_of::<E>() <= 8);
        assert!(size_of::<E>() >= 1);
        assert!(capacity_in::<E>(CLASS_BYTES[0]) >= 1);
        assert!(capacity_in::<E>(INNER_BYTES) <= u16::MAX as usize);
    };

    /// Only `Node` calls this, with the kind that belongs to `E`.
    fn new(kind: Kind, capacity: usize, meter: &mut Meter) -> Self {
        let () = Self::LAYOUT_FITS;
        let class = class_for::<E>(capacity);
        let layout = class_layout(class);
        // SAFETY: the layout's size is a CLASS_BYTES value, never zero.
        let raw = unsafe { alloc(layout) };
        let Some(head) = NonNull::new(raw.cast::<Header>()) else {
            handle_alloc_error(layout)
        };
        let header = Header {
            len: 0,
            capacity: capacity_in::<E>(CLASS_BYTES[class]) as u16,
            class: class as u8,
            kind,
        };
        // SAFETY: `head` is a fresh allocation of at least 64 bytes, aligned to 8.
        unsafe { head.write(header) };
        meter.bytes += CLASS_BYTES[class];
        Self {
            head,
            owns: PhantomData,
        }
    }

    fn header(&self) -> &Header {
        // SAFETY: `head` points to the live allocation this block owns, whose header `new` wrote.
        unsafe { self.head.as_ref() }
    }

    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as in `header`; `&mut self` makes the access unique.
        unsafe { self.head.as_mut() }
    }

    fn elements(&self) -> *mut E {
        // SAFETY: the allocation goes on behind the header (LAYOUT_FITS, at least 64 bytes).
        unsafe { self.head.add(1).as_ptr().cast::<E>() }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.header().len)
    }

    pub(super) fn bytes(&self) -> usize {
        CLASS_BYTES[usize::from(self.header().class)]
    }

    pub(super) fn as_slice(&self) -> &[E] {
        // SAFETY: the first `len` elements are initialised, aligned (LAYOUT_FITS) and owned.
        unsafe { std::slice::from_raw_parts(self.elements(), self.len()) }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [E] {
        // SAFETY: as in `as_slice`; `&mut self` makes the access unique.
        unsafe { std::slice::from_raw_parts_mut(self.elements(), self.len()) }
    }

    /// Puts `element` at `index`, moving the later ones up. Grows the allocation when full.
    pub(super) fn insert(&mut self, index: usize, element: E, meter: &mut Meter) {
        let len = self.len();
        assert!(index <= len);
        if len == usize::from(self.header().capacity) {
            // An append is likely followed by more of them: skip a class.
            let spare = if index == len { len / 2 + 1 } else { 1 };
            let most = capacity_in::<E>(match self.header().kind {
                Kind::Leaf => LEAF_BYTES,
                Kind::Inner => INNER_BYTES,
            });
            self.resize((len + spare).min(most.max(len + 1)), meter);
        }
        // SAFETY: index <= len < capacity, so both the moved range and the slot lie inside the
        // allocation; the slot's old content was moved away or is spare.
        unsafe {
            let slot = self.elements().add(index);
            ptr::copy(slot, slot.add(1), len - index);
            slot.write(element);
        }
        self.header_mut().len = (len + 1) as u16;
    }

    /// Takes the element at `index` out, moving the later ones down.
    pub(super) fn remove(&mut self, index: usize, meter: &mut Meter) -> E {
        let len = self.len();
        assert!(index < len);
        // SAFETY: index < len, so the slot is initialised; after the read it counts as moved
        // out, and the shorter length covers only the elements moved over it.
        let element = unsafe {
            let slot = self.elements().add(index);
            let element = slot.read();
            ptr::copy(slot.add(1), slot, len - index - 1);
            element
        };
        self.header_mut().len = (len - 1) as u16;
        self.shrink(meter);
        element
    }

    /// Drops `count` elements from `index` on.
    pub(super) fn remove_run(&mut self, index: usize, count: usize, meter: &mut Meter)
    where
        E: Copy,
    {
        let len = self.len();
        assert!(index <= len);
        assert!(count <= len - index);
        self.as_mut_slice().copy_within(index + count.., index);
        // E is Copy: the tail beyond the new length needs no drop.
        self.header_mut().len = (len - count) as u16;
        self.shrink(meter);
    }

    /// Moves the elements from `at` on into a new block.
    pub(super) fn split_off(&mut self, at: usize, meter: &mut Meter) -> Self {
        let len = self.len();
        assert!(at <= len);
        let mut right = Self::new(self.header().kind, len - at + 1, meter);
        // SAFETY: [at, len) is initialised here and `right` has room for it; the lengths set
        // below hand the ownership over.
        unsafe {
            ptr::copy_nonoverlapping(self.elements().add(at), right.elements(), len - at);
        }
        self.header_mut().len = at as u16;
        right.header_mut().len = (len - at) as u16;
        self.resize(at + 1, meter);
        right
    }

    /// Moves all elements of `other` behind those of this block.
    pub(super) fn append(&mut self, mut other: Self, meter: &mut Meter) {
        let len = self.len();
        let more = other.len();
        if len + more > usize::from(self.header().capacity) {
            self.resize(len + more, meter);
        }
        // SAFETY: `other`'s elements are initialised and this block has room for them; zeroing
        // the length of `other` hands the ownership over.
        unsafe {
            ptr::copy_nonoverlapping(other.elements(), self.elements().add(len), more);
        }
        other.header_mut().len = 0;
        self.header_mut().len = (len + more) as u16;
        other.discard(meter);
    }

    /// Frees the block, and tells the meter. Elements still in it are dropped unmetered.
    pub(super) fn discard(self, meter: &mut Meter) {
        meter.bytes -= self.bytes();
    }

    fn shrink(&mut self, meter: &mut Meter) {
        let class = usize::from(self.header().class);
        if class >= 2 && self.len() <= capacity_in::<E>(CLASS_BYTES[class - 2]) {
            self.resize(capacity_in::<E>(CLASS_BYTES[class - 1]), meter);
        }
    }

    /// Reallocates to the smallest class that holds `capacity` elements.
    fn resize(&mut self, capacity: usize, meter: &mut Meter) {
        assert!(capacity >= self.len());
        let old = usize::from(self.header().class);
        let new = class_for::<E>(capacity);
        if old == new {
            return;
        }
        // SAFETY: `head` came from the global allocator with the layout of its class; the new
        // size is not zero. Elements are moved bytewise, which is a Rust move. The old pointer
        // is not used again.
        let raw = unsafe {
            realloc(
                self.head.as_ptr().cast::<u8>(),
                class_layout(old),
                CLASS_BYTES[new],
            )
        };
        let Some(head) = NonNull::new(raw.cast::<Header>()) else {
            handle_alloc_error(class_layout(new))
        };
        self.head = head;
        let header = self.header_mut();
        header.class = new as u8;
        header.capacity = capacity_in::<E>(CLASS_BYTES[new]) as u16;
        meter.bytes = meter.bytes + CLASS_BYTES[new] - CLASS_BYTES[old];
    }
}

impl<E> Drop for Block<E> {
    fn drop(&mut self) {
        let layout = class_layout(usize::from(self.header().class));
        // SAFETY: the elements of the slice are initialised and owned; nothing uses them or the
        // allocation, made with this layout, after this.
        unsafe {
            ptr::drop_in_place(self.as_mut_slice());
            dealloc(self.head.as_ptr().cast::<u8>(), layout);
        }
    }
}

fn class_for<E>(capacity: usize) -> usize {
    let fits = CLASS_BYTES
        .iter()
        .position(|&bytes| capacity_in::<E>(bytes) >= capacity);
    fits.expect("a node never holds more than its largest class")
}

fn class_layout(class: usize) -> Layout {
    const ALIGN: usize = align_of::<Header>();
    // SAFETY: ALIGN is a power of two and the sizes are multiples of it, far below isize::MAX.
    unsafe { Layout::from_size_align_unchecked(CLASS_BYTES[class], ALIGN) }
}

/// A child of an inner node: its smallest item, how many items it holds, the node itself.
pub(super) struct Entry<T> {
    pub(super) key: T,
    pub(super) count: usize,
    pub(super) child: Node<T>,
}

/// Owner of a leaf or an inner node; which one, the block's header says.
#[repr(transparent)]
pub(super) struct Node<T> {
    head: NonNull<Header>,
    owns: PhantomData<T>,
}

pub(super) enum NodeRef<'a, T> {
    Leaf(&'a Block<T>),
    Inner(&'a Block<Entry<T>>),
}

pub(super) enum NodeMut<'a, T> {
    Leaf(&'a mut Block<T>),
    Inner(&'a mut Block<Entry<T>>),
}

pub(super) enum NodeBlock<T> {
    Leaf(Block<T>),
    Inner(Block<Entry<T>>),
}

pub(super) fn new_leaf<T: Copy>(capacity: usize, meter: &mut Meter) -> Block<T> {
    Block::new(Kind::Leaf, capacity, meter)
}

pub(super) fn new_inner<T: Copy>(capacity: usize, meter: &mut Meter) -> Block<Entry<T>> {
    Block::new(Kind::Inner, capacity, meter)
}

impl<T> Node<T> {
    pub(super) fn leaf(block: Block<T>) -> Self {
        debug_assert!(block.header().kind == Kind::Leaf);
        let block = ManuallyDrop::new(block);
        Self {
            head: block.head,
            owns: PhantomData,
        }
    }

    pub(super) fn inner(block: Block<Entry<T>>) -> Self {
        debug_assert!(block.header().kind == Kind::Inner);
        let block = ManuallyDrop::new(block);
        Self {
            head: block.head,
            owns: PhantomData,
        }
    }

    /// Takes the node apart into the block it owns.
    pub(super) fn into_block(self) -> NodeBlock<T> {
        let kind = self.header().kind;
        let head = ManuallyDrop::new(self).head;
        match kind {
            Kind::Leaf => NodeBlock::Leaf(Block {
                head,
                owns: PhantomData,
            }),
            Kind::Inner => NodeBlock::Inner(Block {
                head,
                owns: PhantomData,
            }),
        }
    }

    fn header(&self) -> &Header {
        // SAFETY: `head` was taken over from a live block, which this node now owns.
        unsafe { self.head.as_ref() }
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.header().kind == Kind::Leaf
    }

    /// Items of a leaf, children of an inner node.
    pub(super) fn len(&self) -> usize {
        usize::from(self.header().len)
    }

    pub(super) fn bytes(&self) -> usize {
        CLASS_BYTES[usize::from(self.header().class)]
    }

    pub(super) fn as_ref(&self) -> NodeRef<'_, T> {
        let node: *const Self = self;
        // SAFETY: `Node` and `Block` are both transparent over the same `NonNull<Header>`, and
        // the kind says which element type the block was made with.
        unsafe {
            match self.header().kind {
                Kind::Leaf => NodeRef::Leaf(&*node.cast()),
                Kind::Inner => NodeRef::Inner(&*node.cast()),
            }
        }
    }

    pub(super) fn as_mut(&mut self) -> NodeMut<'_, T> {
        let kind = self.header().kind;
        let node: *mut Self = self;
        // SAFETY: as in `as_ref`, and `&mut self` makes the access unique. A block put in its
        // place through the reference has the same element type, hence the same kind.
        unsafe {
            match kind {
                Kind::Leaf => NodeMut::Leaf(&mut *node.cast()),
                Kind::Inner => NodeMut::Inner(&mut *node.cast()),
            }
        }
    }
}

impl<T> Entry<T> {
    /// Asks for the child's memory when it is a leaf, all at once: the search in it would
    /// otherwise wait for one cache miss after the other (at 10 M items a third of an insert).
    pub(super) fn prefetch_leaf(&self) {
        if self.count <= capacity_in::<T>(LEAF_BYTES) {
            prefetch(self.child.head.as_ptr().cast::<u8>());
        }
    }
}

/// Prefetches what an average leaf takes. A fixed number of lines, because a loop as long as the
/// leaf is a branch that is predicted wrong.
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn prefetch(start: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    const LINE_BYTES: usize = 64;
    const LINES: usize = 12;
    for line in 0..LINES {
        let address = start.wrapping_add(line * LINE_BYTES);
        // SAFETY: a prefetch is a hint: it does not fault and does not read in the sense of the
        // language, and `wrapping_add` does not claim that the address is in bounds.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn prefetch(_start: *const u8) {}

impl<T> Drop for Node<T> {
    fn drop(&mut self) {
        match self.as_mut() {
            // SAFETY: the node owns the block and is not used after its own drop.
            NodeMut::Leaf(block) => unsafe { ptr::drop_in_place(block) },
            // SAFETY: as above. The recursion is as deep as the tree is high.
            NodeMut::Inner(block) => unsafe { ptr::drop_in_place(block) },
        }
    }
}

// SAFETY: a node owns its blocks and the items in them exclusively, like a `Vec<T>`.
unsafe impl<T: Send> Send for Node<T> {}
// SAFETY: a shared node gives out nothing but `&T`s and copies.
unsafe impl<T: Sync> Sync for Node<T> {}
