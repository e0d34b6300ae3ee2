//! The heap block under every thin container: an 8-byte owning pointer whose size is not stored.
//!
//! A container that keeps its own byte length in its header needs no second word for the size of
//! its allocation, as long as that size is a function of the length. Here it is
//! [`class_bytes`]: the length rounded up to the allocator's size class (jemalloc's ladder: multiples
//! of 16 to 128, then four steps per doubling). The rounding costs nothing, because the allocator
//! would round up as well, and it lets a container grow inside its class without calling it at all.
//!
//! Knows nothing of what the bytes mean. Every method that trusts the caller's length is `unsafe`.
//! Tests: below, and through the model tests of `bytes`, `listpack`, `intset` and `list`.

use std::alloc::{self, Layout};
use std::ptr::NonNull;

/// Wide enough for the `u64` header of `ThinBytes`; jemalloc aligns everything to it anyway.
const ALIGN: usize = 8;

/// The allocated size for `len` bytes: the smallest size class that holds them. Idempotent.
#[inline]
pub(crate) const fn class_bytes(len: usize) -> usize {
    let spacing = if len <= 128 {
        16
    } else {
        // Four classes per doubling: (128, 256] in steps of 32, (256, 512] in steps of 64, ...
        1 << ((len - 1).ilog2() - 2)
    };
    let rounded = (len + (spacing - 1)) & !(spacing - 1);
    if rounded == 0 { 16 } else { rounded }
}

/// An owned allocation of `class_bytes(len)` bytes for a `len` that only its container knows.
///
/// It does not free itself: the container's `Drop` calls [`Block::free`] with the length.
#[repr(transparent)]
pub(crate) struct Block(NonNull<u8>);

// SAFETY: a Block is the only owner of plain bytes; nothing in it is tied to a thread.
unsafe impl Send for Block {}
// SAFETY: through `&Block` only the pointer value can be read.
unsafe impl Sync for Block {}

impl Block {
    /// Allocates for `len` bytes; the content is uninitialised.
    pub(crate) fn new(len: usize) -> Block {
        let layout = layout_for(len);
        // SAFETY: the layout's size is a size class, hence at least 16.
        let pointer = unsafe { alloc::alloc(layout) };
        Block(NonNull::new(pointer).unwrap_or_else(|| alloc::handle_alloc_error(layout)))
    }

    /// Allocates for `len` bytes, all zero. Large blocks come from fresh pages untouched.
    pub(crate) fn zeroed(len: usize) -> Block {
        let layout = layout_for(len);
        // SAFETY: as in `new`.
        let pointer = unsafe { alloc::alloc_zeroed(layout) };
        Block(NonNull::new(pointer).unwrap_or_else(|| alloc::handle_alloc_error(layout)))
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.0.as_ptr()
    }

    /// Moves the block from the class of `old_len` to that of `new_len`, keeping the common prefix.
    ///
    /// # Safety
    /// The block was allocated for a length of the same class as `old_len`.
    #[inline]
    pub(crate) unsafe fn resize(&mut self, old_len: usize, new_len: usize) {
        if class_bytes(old_len) != class_bytes(new_len) {
            // SAFETY: forwarded to the caller.
            unsafe { self.reallocate(old_len, new_len) }
        }
    }

    /// # Safety
    /// As for [`Block::resize`].
    #[cold]
    unsafe fn reallocate(&mut self, old_len: usize, new_len: usize) {
        let new_layout = layout_for(new_len);
        // SAFETY: the pointer came from this allocator with `layout_for(old_len)` (caller), and the
        // new size is a non-zero multiple of 16 that `layout_for` found valid for this alignment.
        let pointer =
            unsafe { alloc::realloc(self.0.as_ptr(), layout_for(old_len), new_layout.size()) };
        self.0 = NonNull::new(pointer).unwrap_or_else(|| alloc::handle_alloc_error(new_layout));
    }

    /// Gives the memory back. The block must not be used again.
    ///
    /// # Safety
    /// The block was allocated for a length of the same class as `len`, and is freed once.
    #[inline]
    pub(crate) unsafe fn free(&mut self, len: usize) {
        // SAFETY: forwarded to the caller.
        unsafe { alloc::dealloc(self.0.as_ptr(), layout_for(len)) }
    }
}

#[inline]
fn layout_for(len: usize) -> Layout {
    Layout::from_size_align(class_bytes(len), ALIGN).expect("a length below isize::MAX")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_the_allocators_ladder() {
        let ladder = [
            16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768,
            896, 1024, 1280,
        ];
        for pair in ladder.windows(2) {
            assert_eq!(class_bytes(pair[0]), pair[0]);
            assert_eq!(class_bytes(pair[0] + 1), pair[1]);
            assert_eq!(class_bytes(pair[1] - 1), pair[1]);
        }
        assert_eq!(class_bytes(0), 16);
        assert_eq!(class_bytes(8193), 10240);
        assert_eq!(class_bytes(1 << 30), 1 << 30);
    }
}
