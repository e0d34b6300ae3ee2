//! One key with its value in one allocation: the cell of every [`crate::table::Table`].
//!
//! ```text
//!   0      1     2..5   5      6..8    8
//!   flags  tag   aux    klen   vlen    [expiry i64] [long key length u64] [int i64 | payload V] key bytes, value bytes
//! ```
//! `flags` says which of the optional parts exist and what kind of value follows: inline bytes,
//! an integer, or a payload `V` (an owner of heap memory). `tag` and `aux` belong to the user
//! (the keyspace keeps type and encoding in the one, LRU/LFU data in the other).
//!
//! Invariants: the allocation's size is a pure function of the header (`Shape`), so that it can be
//! freed and grown without storing it; pointers fit 48 bits, because the table keeps a hash tag in
//! the upper 16. The same cell serves the keyspace, hashes (field, value), sets (member) and sorted
//! sets (member, score bits as integer).
//!
//! Knows nothing of hashing or time. Tests: `table.rs` and `tests/table_model.rs`.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::{align_of, size_of};
use std::ptr::{self, NonNull};

const HAS_EXPIRY: u8 = 1;
const LONG_KEY: u8 = 2;
const KIND_SHIFT: u8 = 2;
const KIND_BYTES: u8 = 0;
const KIND_INT: u8 = 1;
const KIND_PAYLOAD: u8 = 2;

/// Values longer than this do not go inline; the caller keeps them in a payload.
pub const INLINE_MAX: usize = 1024;

/// The fixed first eight bytes of a cell.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    flags: u8,
    tag: u8,
    aux: [u8; 3],
    key_len: u8,
    value_len: u16,
}
const _: () = assert!(size_of::<Header>() == 8);

/// What a cell holds, borrowed.
pub enum ValueRef<'a, V> {
    Int(i64),
    Bytes(&'a [u8]),
    Payload(&'a V),
}

/// What goes into a cell. `Bytes` must not be longer than [`INLINE_MAX`].
pub enum NewValue<'a, V> {
    Int(i64),
    Bytes(&'a [u8]),
    Payload(V),
}

impl<V> NewValue<'_, V> {
    fn kind(&self) -> u8 {
        match self {
            NewValue::Int(_) => KIND_INT,
            NewValue::Bytes(_) => KIND_BYTES,
            NewValue::Payload(_) => KIND_PAYLOAD,
        }
    }

    fn inline_len(&self) -> usize {
        match self {
            NewValue::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// Allocation sizes come in the steps that size-class allocators use anyway: multiples of 8 up to 64,
/// then four steps per doubling. Rounding here lets an overwrite of similar size stay in place.
/// (jemalloc has the odd multiples of 8 because the workspace builds it with a quantum of 8.)
fn size_class(size: usize) -> usize {
    if size <= 64 {
        return size.next_multiple_of(8);
    }
    size.next_multiple_of(size.next_power_of_two() / 8)
}

/// Where the parts of a cell lie; a pure function of the header and the long key length.
#[derive(Clone, Copy)]
struct Shape {
    value_at: usize,
    key_at: usize,
    key_len: usize,
    total: usize,
}

impl Shape {
    fn new<V>(kind: u8, has_expiry: bool, key_len: usize, inline_len: usize) -> Shape {
        let long = key_len > u8::MAX as usize;
        let value_at = 8 + 8 * usize::from(has_expiry) + 8 * usize::from(long);
        let fixed = match kind {
            KIND_BYTES => 0,
            KIND_INT => 8,
            _ => size_of::<V>(),
        };
        let key_at = value_at + fixed;
        let total = size_class(key_at + key_len + inline_len);
        Shape {
            value_at,
            key_at,
            key_len,
            total,
        }
    }

    fn layout(&self) -> Layout {
        // The size is at least 16 and far below isize::MAX: keys are bounded by the protocol.
        Layout::from_size_align(self.total, 8).expect("cell size is bounded")
    }
}

/// A raw cell pointer. Copyable and unchecked; only the table and the handles below use it.
pub(crate) struct Cell<V> {
    ptr: NonNull<u8>,
    _owns: PhantomData<V>,
}

impl<V> Clone for Cell<V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<V> Copy for Cell<V> {}

impl<V> Cell<V> {
    const ALIGNED: () = assert!(
        align_of::<V>() <= 8,
        "payloads are stored at 8-byte offsets"
    );

    pub(crate) fn allocate(
        key: &[u8],
        value: NewValue<'_, V>,
        tag: u8,
        aux: u32,
        expiry: Option<i64>,
    ) -> Cell<V> {
        let () = Self::ALIGNED;
        let shape = Shape::new::<V>(
            value.kind(),
            expiry.is_some(),
            key.len(),
            value.inline_len(),
        );
        let layout = shape.layout();
        // SAFETY: the layout has a non-zero size (at least the header).
        let raw = unsafe { alloc(layout) };
        let Some(ptr) = NonNull::new(raw) else {
            handle_alloc_error(layout)
        };
        assert!(
            (ptr.as_ptr().addr() as u64) >> 48 == 0,
            "pointers fit 48 bits"
        );
        let cell = Cell {
            ptr,
            _owns: PhantomData,
        };
        cell.fill(shape, key, value, tag, aux, expiry);
        cell
    }

    /// Writes every part; `self` must be an allocation of `shape`'s size.
    fn fill(
        self,
        shape: Shape,
        key: &[u8],
        value: NewValue<'_, V>,
        tag: u8,
        aux: u32,
        expiry: Option<i64>,
    ) {
        let long = key.len() > u8::MAX as usize;
        let inline_len = value.inline_len();
        assert!(inline_len <= INLINE_MAX);
        let mut flags = value.kind() << KIND_SHIFT;
        if expiry.is_some() {
            flags |= HAS_EXPIRY;
        }
        if long {
            flags |= LONG_KEY;
        }
        let aux = aux.to_le_bytes();
        let header = Header {
            flags,
            tag,
            aux: [aux[0], aux[1], aux[2]],
            key_len: if long { 0 } else { key.len() as u8 },
            value_len: inline_len as u16,
        };
        let base = self.ptr.as_ptr();
        // SAFETY: every offset comes from `shape`, whose total is the allocation's size; the parts
        // do not overlap; `base` is 8-aligned and so are the offsets of header, expiry, key length
        // and value; the sources cannot alias the fresh or exclusively owned allocation.
        unsafe {
            base.cast::<Header>().write(header);
            if let Some(at) = expiry {
                base.add(8).cast::<i64>().write(at);
            }
            if long {
                base.add(shape.value_at - 8)
                    .cast::<u64>()
                    .write(key.len() as u64);
            }
            ptr::copy_nonoverlapping(key.as_ptr(), base.add(shape.key_at), key.len());
            match value {
                NewValue::Int(n) => base.add(shape.value_at).cast::<i64>().write(n),
                NewValue::Payload(v) => base.add(shape.value_at).cast::<V>().write(v),
                NewValue::Bytes(b) => ptr::copy_nonoverlapping(
                    b.as_ptr(),
                    base.add(shape.key_at + shape.key_len),
                    b.len(),
                ),
            }
        }
    }

    /// Whether both are the same cell.
    #[inline]
    pub(crate) fn is(self, other: Cell<V>) -> bool {
        self.ptr == other.ptr
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.ptr.as_ptr().expose_provenance() as u64
    }

    /// # Safety
    /// `bits` came from `to_bits` of a cell of the same `V` that was not freed since.
    #[inline]
    pub(crate) unsafe fn from_bits(bits: u64) -> Cell<V> {
        let raw = ptr::with_exposed_provenance_mut::<u8>(bits as usize);
        Cell {
            // SAFETY: the caller's promise: a live allocation, so not null.
            ptr: unsafe { NonNull::new_unchecked(raw) },
            _owns: PhantomData,
        }
    }

    #[inline]
    fn header(self) -> Header {
        // SAFETY: a live cell begins with an initialised header.
        unsafe { self.ptr.cast::<Header>().read() }
    }

    #[inline]
    fn header_mut<'a>(self) -> &'a mut Header {
        // SAFETY: as above; callers hold the cell exclusively and drop the reference at once.
        unsafe { self.ptr.cast::<Header>().as_mut() }
    }

    #[inline]
    fn kind(self) -> u8 {
        self.header().flags >> KIND_SHIFT
    }

    #[inline]
    fn value_at(self, flags: u8) -> usize {
        8 + 8 * usize::from(flags & HAS_EXPIRY != 0) + 8 * usize::from(flags & LONG_KEY != 0)
    }

    #[inline]
    fn key_len(self, header: Header) -> usize {
        if header.flags & LONG_KEY == 0 {
            return usize::from(header.key_len);
        }
        // SAFETY: the flag says that the length was written just before the value.
        unsafe {
            self.ptr
                .add(self.value_at(header.flags) - 8)
                .cast::<u64>()
                .read() as usize
        }
    }

    #[inline]
    fn key_at(self, flags: u8) -> usize {
        self.value_at(flags)
            + match flags >> KIND_SHIFT {
                KIND_BYTES => 0,
                KIND_INT => 8,
                _ => size_of::<V>(),
            }
    }

    /// The key's bytes, for as long as the caller keeps the cell alive and unchanged.
    #[inline]
    pub(crate) fn key<'a>(self) -> &'a [u8] {
        let header = self.header();
        let len = self.key_len(header);
        // SAFETY: `fill` wrote `len` bytes there.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr().add(self.key_at(header.flags)), len) }
    }

    #[inline]
    fn inline_value<'a>(self) -> &'a [u8] {
        let header = self.header();
        let at = self.key_at(header.flags) + self.key_len(header);
        // SAFETY: `fill` wrote `value_len` bytes right behind the key.
        unsafe {
            std::slice::from_raw_parts(self.ptr.as_ptr().add(at), usize::from(header.value_len))
        }
    }

    #[inline]
    fn value<'a>(self) -> ValueRef<'a, V> {
        let header = self.header();
        // SAFETY: the kind says which part was written at `value_at`.
        unsafe {
            let at = self.ptr.add(self.value_at(header.flags));
            match header.flags >> KIND_SHIFT {
                KIND_BYTES => ValueRef::Bytes(self.inline_value()),
                KIND_INT => ValueRef::Int(at.cast::<i64>().read()),
                _ => ValueRef::Payload(at.cast::<V>().as_ref()),
            }
        }
    }

    #[inline]
    fn expiry(self) -> Option<i64> {
        if self.header().flags & HAS_EXPIRY == 0 {
            return None;
        }
        // SAFETY: the flag says that it was written.
        Some(unsafe { self.ptr.add(8).cast::<i64>().read() })
    }

    fn aux(self) -> u32 {
        let aux = self.header().aux;
        u32::from_le_bytes([aux[0], aux[1], aux[2], 0])
    }

    fn shape(self) -> Shape {
        let header = self.header();
        Shape::new::<V>(
            header.flags >> KIND_SHIFT,
            header.flags & HAS_EXPIRY != 0,
            self.key_len(header),
            usize::from(header.value_len),
        )
    }

    /// Moves the payload out; the caller must not let the old value be dropped again.
    unsafe fn take_value(self) -> OwnedValue<V> {
        match self.value() {
            ValueRef::Int(n) => OwnedValue::Int(n),
            ValueRef::Bytes(b) => OwnedValue::Bytes(b.into()),
            // SAFETY: reading the payload out of its place; the caller forgets the place.
            ValueRef::Payload(v) => OwnedValue::Payload(unsafe { ptr::read(v) }),
        }
    }

    /// # Safety
    /// The cell is live, owned by the caller, and not used again; its payload was moved out or is
    /// not one.
    unsafe fn free_shell(self) {
        // SAFETY: the layout is recomputed from the header it was allocated by.
        unsafe { dealloc(self.ptr.as_ptr(), self.shape().layout()) }
    }

    /// # Safety
    /// The cell is live, owned by the caller, and not used again.
    pub(crate) unsafe fn free(self) {
        // SAFETY: the caller owns the cell; the payload is dropped once, then the shell freed.
        unsafe {
            if self.kind() == KIND_PAYLOAD {
                let at = self.ptr.add(self.value_at(self.header().flags));
                ptr::drop_in_place(at.cast::<V>().as_ptr());
            }
            self.free_shell();
        }
    }
}

/// A shared look at a cell.
pub struct EntryRef<'a, V> {
    cell: Cell<V>,
    _borrow: PhantomData<&'a V>,
}

impl<V> Clone for EntryRef<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<V> Copy for EntryRef<'_, V> {}

impl<'a, V> EntryRef<'a, V> {
    #[inline]
    pub(crate) fn new(cell: Cell<V>) -> Self {
        EntryRef {
            cell,
            _borrow: PhantomData,
        }
    }

    #[inline]
    pub fn key(&self) -> &'a [u8] {
        self.cell.key()
    }

    #[inline]
    pub fn value(&self) -> ValueRef<'a, V> {
        self.cell.value()
    }

    /// The integer of a cell that is known to hold one (a sorted set's score bits).
    #[inline]
    pub fn int(&self) -> i64 {
        match self.value() {
            ValueRef::Int(n) => n,
            _ => panic!("cell holds no integer"),
        }
    }

    /// The inline bytes, or an empty slice if the value is of another kind.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        match self.value() {
            ValueRef::Bytes(b) => b,
            _ => &[],
        }
    }

    #[inline]
    pub fn payload(&self) -> Option<&'a V> {
        match self.value() {
            ValueRef::Payload(v) => Some(v),
            _ => None,
        }
    }

    /// Expiry as the user's absolute time, if any.
    #[inline]
    pub fn expiry(&self) -> Option<i64> {
        self.cell.expiry()
    }

    #[inline]
    pub fn tag(&self) -> u8 {
        self.cell.header().tag
    }

    /// The user's 24 bits.
    #[inline]
    pub fn aux(&self) -> u32 {
        self.cell.aux()
    }

    /// Bytes of this cell's own allocation; what a payload owns is not included.
    pub fn heap_bytes(&self) -> usize {
        self.cell.shape().total
    }

    /// A pointer that stays valid while the cell is neither removed nor given another size.
    #[inline]
    pub(crate) fn cell(&self) -> Cell<V> {
        self.cell
    }
}

/// An exclusive handle on a cell in its table slot.
pub struct EntryMut<'a, V> {
    cell: Cell<V>,
    /// The table's slot word, rewritten when the cell moves.
    word: &'a mut u64,
    /// The table's count of cell bytes.
    bytes: &'a mut usize,
}

impl<'a, V> EntryMut<'a, V> {
    #[inline]
    pub(crate) fn new(cell: Cell<V>, word: &'a mut u64, bytes: &'a mut usize) -> Self {
        EntryMut { cell, word, bytes }
    }

    #[inline]
    pub fn get(&self) -> EntryRef<'_, V> {
        EntryRef::new(self.cell)
    }

    /// Ends the exclusive use, keeping the shared look for the table's whole borrow.
    #[inline]
    pub fn into_ref(self) -> EntryRef<'a, V> {
        EntryRef::new(self.cell)
    }

    #[inline]
    pub fn payload_mut(&mut self) -> Option<&mut V> {
        let flags = self.cell.header().flags;
        if flags >> KIND_SHIFT != KIND_PAYLOAD {
            return None;
        }
        // SAFETY: the kind says a `V` lives there; `&mut self` makes the access exclusive.
        Some(unsafe {
            self.cell
                .ptr
                .add(self.cell.value_at(flags))
                .cast::<V>()
                .as_mut()
        })
    }

    /// As [`EntryMut::payload_mut`], for the table's whole borrow.
    #[inline]
    pub fn into_payload(self) -> Option<&'a mut V> {
        let flags = self.cell.header().flags;
        if flags >> KIND_SHIFT != KIND_PAYLOAD {
            return None;
        }
        // SAFETY: as above; `self` carried the exclusive borrow for 'a.
        Some(unsafe {
            self.cell
                .ptr
                .add(self.cell.value_at(flags))
                .cast::<V>()
                .as_mut()
        })
    }

    /// The inline bytes for a change in place that keeps their length.
    pub fn inline_bytes_mut(&mut self) -> Option<&mut [u8]> {
        let header = self.cell.header();
        if header.flags >> KIND_SHIFT != KIND_BYTES {
            return None;
        }
        let at = self.cell.key_at(header.flags) + self.cell.key_len(header);
        // SAFETY: `value_len` bytes live there; `&mut self` makes the access exclusive.
        Some(unsafe {
            std::slice::from_raw_parts_mut(
                self.cell.ptr.as_ptr().add(at),
                usize::from(header.value_len),
            )
        })
    }

    #[inline]
    pub fn set_aux(&mut self, aux: u32) {
        let aux = aux.to_le_bytes();
        self.cell.header_mut().aux = [aux[0], aux[1], aux[2]];
    }

    #[inline]
    pub fn set_tag(&mut self, tag: u8) {
        self.cell.header_mut().tag = tag;
    }

    /// Replaces an integer by another in place. Returns false if the value is of another kind.
    #[inline]
    pub fn set_int(&mut self, n: i64) -> bool {
        let flags = self.cell.header().flags;
        if flags >> KIND_SHIFT != KIND_INT {
            return false;
        }
        // SAFETY: the kind says an i64 lives there; exclusive by `&mut self`.
        unsafe {
            self.cell
                .ptr
                .add(self.cell.value_at(flags))
                .cast::<i64>()
                .write(n)
        };
        true
    }

    /// Sets or removes the expiry. The cell may move.
    pub fn set_expiry(&mut self, expiry: Option<i64>) {
        match (self.cell.expiry(), expiry) {
            (None, None) => {}
            (Some(_), Some(at)) => {
                // SAFETY: the slot for the expiry exists; exclusive by `&mut self`.
                unsafe { self.cell.ptr.add(8).cast::<i64>().write(at) }
            }
            _ => self.reshape(expiry),
        }
    }

    /// Replaces the value, keeping key and `aux`; the old value is returned only if it was a payload
    /// (whose freeing may be worth deferring). In place where the size allows.
    #[inline]
    pub fn replace(&mut self, value: NewValue<'_, V>, tag: u8, expiry: Option<i64>) -> Option<V> {
        let header = self.cell.header();
        let same_parts = (header.flags & HAS_EXPIRY != 0) == expiry.is_some();
        if let NewValue::Int(n) = &value
            && same_parts
            && self.set_int(*n)
        {
            self.set_expiry(expiry);
            self.set_tag(tag);
            return None;
        }
        if header.flags >> KIND_SHIFT == KIND_BYTES
            && same_parts
            && let NewValue::Bytes(bytes) = &value
        {
            let key_len = self.cell.key_len(header);
            let at = self.cell.key_at(header.flags) + key_len;
            if size_class(at + bytes.len()) == size_class(at + usize::from(header.value_len)) {
                assert!(bytes.len() <= INLINE_MAX);
                // SAFETY: the allocation is of the class of both lengths; the source is outside
                // of the table, which `&mut self` borrows exclusively.
                unsafe {
                    ptr::copy_nonoverlapping(
                        bytes.as_ptr(),
                        self.cell.ptr.as_ptr().add(at),
                        bytes.len(),
                    );
                    if let Some(when) = expiry {
                        self.cell.ptr.add(8).cast::<i64>().write(when);
                    }
                }
                let header = self.cell.header_mut();
                header.value_len = bytes.len() as u16;
                header.tag = tag;
                return None;
            }
        }
        self.replace_moving(value, tag, expiry)
    }

    #[cold]
    fn replace_moving(
        &mut self,
        value: NewValue<'_, V>,
        tag: u8,
        expiry: Option<i64>,
    ) -> Option<V> {
        let old = self.cell;
        self.install(Cell::allocate(old.key(), value, tag, old.aux(), expiry));
        // SAFETY: `old` left the table above; its payload is moved out exactly once.
        unsafe {
            let value = old.take_value();
            old.free_shell();
            match value {
                OwnedValue::Payload(v) => Some(v),
                _ => None,
            }
        }
    }

    /// Moves the value into a new cell with or without room for an expiry.
    fn reshape(&mut self, expiry: Option<i64>) {
        let old = self.cell;
        let tag = old.header().tag;
        let key = old.key();
        let new = match old.value() {
            ValueRef::Int(n) => Cell::allocate(key, NewValue::Int(n), tag, old.aux(), expiry),
            ValueRef::Bytes(b) => Cell::allocate(key, NewValue::Bytes(b), tag, old.aux(), expiry),
            ValueRef::Payload(v) => {
                // SAFETY: the payload moves to the new cell; the old shell is freed without dropping it.
                let v = unsafe { ptr::read(v) };
                Cell::allocate(key, NewValue::Payload(v), tag, old.aux(), expiry)
            }
        };
        self.install(new);
        // SAFETY: the old cell left the table and its payload was moved out.
        unsafe { old.free_shell() }
    }

    fn install(&mut self, new: Cell<V>) {
        const TAG_BITS: u64 = 0xffff << 48;
        *self.word = (*self.word & TAG_BITS) | new.to_bits();
        *self.bytes = *self.bytes - self.cell.shape().total + new.shape().total;
        self.cell = new;
    }
}

/// A value moved out of its cell.
pub enum OwnedValue<V> {
    Int(i64),
    Bytes(Box<[u8]>),
    Payload(V),
}

/// A cell that left its table: still readable, freed on drop.
pub struct OwnedEntry<V> {
    cell: Cell<V>,
}

// SAFETY: an owned entry is the only handle on its allocation, which holds plain bytes and a `V`.
unsafe impl<V: Send> Send for OwnedEntry<V> {}

impl<V> OwnedEntry<V> {
    pub(crate) fn new(cell: Cell<V>) -> Self {
        OwnedEntry { cell }
    }

    pub fn get(&self) -> EntryRef<'_, V> {
        EntryRef::new(self.cell)
    }

    pub fn into_value(self) -> OwnedValue<V> {
        let cell = self.cell;
        std::mem::forget(self);
        // SAFETY: `self` owned the cell and is forgotten; the payload is moved out once.
        unsafe {
            let value = cell.take_value();
            cell.free_shell();
            value
        }
    }
}

impl<V> Drop for OwnedEntry<V> {
    fn drop(&mut self) {
        // SAFETY: the owner is going away, so nobody else refers to the cell.
        unsafe { self.cell.free() }
    }
}
