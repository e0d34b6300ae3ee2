//! jemalloc, and what it can say about memory.
//!
//! [`used_bytes`] must be cheap enough to be asked before every write command. jemalloc keeps, per
//! thread, how many bytes were ever allocated and deallocated there, in size classes; the
//! difference over all threads is what is in use. A thread sees its own counters exactly, in two
//! loads. What other threads have done is in [`OTHERS`]: a thread that works for others adds its
//! balance with [`publish_thread_balance`] (the background queue does so after each job), and
//! [`calibrate`], called from time to time, replaces what is left unknown by jemalloc's own sum.
//! Rejected: an allocator that counts (an atomic per allocation), and refreshing the statistics
//! (microseconds).
//!
//! The program makes [`Jemalloc`] its global allocator; where none does, as in other crates' tests,
//! all numbers are those of an idle jemalloc. Settings that must be known before `main` are in
//! [`MALLOC_CONF`]. Tests are at the bottom; the cost is measured by `examples/used_bytes.rs`.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tikv_jemalloc_ctl::thread::ThreadLocal;
use tikv_jemalloc_ctl::{Error, epoch, stats, stats_print, thread};
use tikv_jemalloc_sys as jemalloc;

/// The allocator.
///
/// Our own binding rather than `tikv-jemallocator`'s, because that one relies on 16-byte alignment
/// of every allocation, which a build of jemalloc with a quantum of 8 bytes
/// (`JEMALLOC_SYS_WITH_LG_QUANTUM=3`, as Redis builds it: classes of 24, 40 and 56 bytes) does not
/// give. Here anything above 8 is asked for, which is right for both builds.
#[derive(Copy, Clone, Debug)]
pub struct Jemalloc;

/// The flags for an alignment: none up to 8, which every size class has (a class is a multiple of
/// 8, and smaller requests are rounded up to it).
#[inline]
fn flags(layout: Layout) -> libc::c_int {
    if layout.align() <= 8 {
        0
    } else {
        jemalloc::MALLOCX_ALIGN(layout.align())
    }
}

// SAFETY: jemalloc returns null or a block of at least the size, of the alignment that `flags` asks
// for, that nobody else has; the functions neither unwind nor touch the Rust heap otherwise. What
// `GlobalAlloc`'s callers promise (sizes above 0, blocks from here with their own layout) is what
// jemalloc's functions require.
unsafe impl GlobalAlloc for Jemalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = match flags(layout) {
            // SAFETY: any size is allowed.
            0 => unsafe { jemalloc::malloc(layout.size()) },
            // SAFETY: the size is above 0, as the caller promises.
            flags => unsafe { jemalloc::mallocx(layout.size(), flags) },
        };
        block.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = match flags(layout) {
            // SAFETY: any size is allowed.
            0 => unsafe { jemalloc::calloc(1, layout.size()) },
            // SAFETY: the size is above 0, as the caller promises.
            flags => unsafe { jemalloc::mallocx(layout.size(), flags | jemalloc::MALLOCX_ZERO) },
        };
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is from here with this layout, so size and flags are those it was
        // asked for with.
        unsafe { jemalloc::sdallocx(block.cast(), layout.size(), flags(layout)) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let block = match flags(layout) {
            // SAFETY: the block is from here, and the new size is above 0.
            0 => unsafe { jemalloc::realloc(block.cast(), new_size) },
            // SAFETY: as above.
            flags => unsafe { jemalloc::rallocx(block.cast(), new_size, flags) },
        };
        block.cast()
    }
}

/// Bytes that an allocation of `size` really takes: its size class. 0 takes nothing.
#[inline]
pub fn good_size(size: usize) -> usize {
    if size == 0 {
        return 0;
    }
    // SAFETY: `nallocx` only computes, and the size is above 0, as it requires.
    unsafe { jemalloc::nallocx(size, 0) }
}

/// Read by jemalloc when it starts.
///
/// Without `cache_oblivious`, a large allocation does not cost a page of padding. The purging
/// thread is not started here, because threads do not survive the fork of daemonizing.
#[repr(transparent)]
pub struct MallocConf(*const libc::c_char);

// SAFETY: the pointer is to an immutable static string and is never written.
unsafe impl Sync for MallocConf {}

// SAFETY: the symbol is the one that jemalloc defines weakly for this purpose, under the prefix
// its crate builds it with, and the type is what it expects: a pointer to a C string or null.
#[unsafe(export_name = "_rjem_malloc_conf")]
#[used]
pub static MALLOC_CONF: MallocConf =
    MallocConf(c"cache_oblivious:false,background_thread:false".as_ptr());

/// What the whole process has, in bytes.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct AllocStats {
    /// Handed out to the program.
    pub allocated: usize,
    /// In pages that hold something handed out; a multiple of the page size.
    pub active: usize,
    /// In memory because of the allocator.
    pub resident: usize,
    /// In address ranges kept for later, without memory.
    pub retained: usize,
    /// In address ranges in use.
    pub mapped: usize,
    /// The allocator's own.
    pub metadata: usize,
}

/// Bytes that threads other than the asking one are known to hold (they may be negative: a thread
/// that frees what others allocated), plus the correction of the last calibration.
static OTHERS: AtomicI64 = AtomicI64::new(0);

/// How often was calibrated; held while somebody calibrates or publishes.
static CALIBRATIONS: Mutex<u64> = Mutex::new(0);

/// A thread was at work while another calibrated: how much of its balance `OTHERS` already has,
/// nobody knows, so the next one to ask calibrates again.
static OUTDATED: AtomicBool = AtomicBool::new(false);

/// The count is right between any two statements, so poisoning means nothing here.
fn calibrations() -> MutexGuard<'static, u64> {
    CALIBRATIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread's counters, and what of them is in `OTHERS` already.
struct Balance {
    allocated: Option<ThreadLocal<u64>>,
    deallocated: Option<ThreadLocal<u64>>,
    published: Cell<i64>,
    /// [`CALIBRATIONS`] when `published` was last brought up to date.
    calibrations: Cell<u64>,
}

impl Balance {
    fn new() -> Balance {
        let (allocated, deallocated) = (thread::allocatedp::read(), thread::deallocatedp::read());
        Balance {
            allocated: allocated.ok(),
            deallocated: deallocated.ok(),
            published: Cell::new(0),
            calibrations: Cell::new(0),
        }
    }

    /// Takes all so far as published, and returns what was not.
    fn settle(&self) -> i64 {
        let delta = self.unpublished();
        self.published.set(self.published.get() + delta);
        delta
    }

    /// What this thread holds that `OTHERS` does not say.
    #[inline]
    fn unpublished(&self) -> i64 {
        let (Some(allocated), Some(deallocated)) = (self.allocated, self.deallocated) else {
            return 0;
        };
        allocated.get().wrapping_sub(deallocated.get()) as i64 - self.published.get()
    }
}

thread_local! {
    static BALANCE: Balance = Balance::new();
}

/// Bytes in use by the process, as the calling thread can know it without asking around.
#[inline]
pub fn used_bytes() -> usize {
    if OUTDATED.load(Ordering::Relaxed) {
        calibrate();
    }
    // A thread that is being torn down has no balance of its own any more.
    let own = BALANCE.try_with(Balance::unpublished).unwrap_or(0);
    usize::try_from(OTHERS.load(Ordering::Relaxed) + own).unwrap_or(0)
}

/// To be called by a thread that works for others before each job: what it did between jobs is
/// little, and calibrating has seen it.
pub fn start_thread_balance() {
    let calibrations = calibrations();
    let _ = BALANCE.try_with(|balance| {
        balance.settle();
        balance.calibrations.set(*calibrations);
    });
}

/// Lets other threads see what this one has allocated and freed so far.
pub fn publish_thread_balance() {
    // As in `calibrate`: a cache full of what a job freed would count as used from the next
    // calibration on.
    let _ = control::<()>(c"thread.tcache.flush", None);
    let calibrations = calibrations();
    // While a thread is torn down there is nothing to publish with; calibrating will tell.
    let _ = BALANCE.try_with(|balance| {
        let delta = balance.settle();
        if balance.calibrations.replace(*calibrations) == *calibrations {
            OTHERS.fetch_add(delta, Ordering::Relaxed);
        } else {
            OUTDATED.store(true, Ordering::Relaxed);
        }
    });
}

/// Makes [`used_bytes`] of the calling thread agree with jemalloc's sum over all threads. Costs
/// some microseconds: something for a timer, and for the start. It is for the one thread that
/// decides by `used_bytes`: elsewhere, what a thread has not published would count twice.
pub fn calibrate() {
    // jemalloc counts what a thread keeps in its cache as allocated; ours would come and go with the
    // cache, by more than small limits on memory allow. An error leaves it counted.
    let _ = control::<()>(c"thread.tcache.flush", None);
    let mut calibrations = calibrations();
    OUTDATED.store(false, Ordering::Relaxed);
    if epoch::advance().is_err() {
        return;
    }
    let Ok(allocated) = stats::allocated::read() else {
        return;
    };
    let own = BALANCE.try_with(Balance::unpublished).unwrap_or(0);
    OTHERS.store(allocated as i64 - own, Ordering::Relaxed);
    *calibrations += 1;
}

/// Everything, refreshed: some microseconds.
pub fn stats() -> AllocStats {
    let read = || -> Result<AllocStats, Error> {
        epoch::advance()?;
        Ok(AllocStats {
            allocated: stats::allocated::read()?,
            active: stats::active::read()?,
            resident: stats::resident::read()?,
            retained: stats::retained::read()?,
            mapped: stats::mapped::read()?,
            metadata: stats::metadata::read()?,
        })
    };
    read().unwrap_or_default()
}

/// Which allocator, as in `jemalloc-5.3.1`.
pub fn name() -> String {
    let version = tikv_jemalloc_ctl::version::read().unwrap_or("unknown");
    format!("jemalloc-{}", version.split('-').next().unwrap_or(version))
}

/// Gives all unused memory back to the system.
pub fn purge() -> io::Result<()> {
    // What the thread keeps for itself first, or it would stay.
    control::<()>(c"thread.tcache.flush", None)?;
    // 4096 stands for all arenas.
    control::<()>(c"arena.4096.purge", None)
}

/// Starts or stops jemalloc's own thread that gives back unused memory as it ages. Only after
/// daemonizing: threads do not survive a fork.
pub fn set_background_thread(on: bool) -> io::Result<()> {
    control(c"background_thread", Some(on))
}

/// How long unused pages are kept before they are given back: 0 at once, -1 for ever.
pub fn set_decay(dirty_ms: isize) -> io::Result<()> {
    control(c"arenas.dirty_decay_ms", Some(dirty_ms))?;
    let arenas = tikv_jemalloc_ctl::arenas::narenas::read().map_err(io::Error::other)?;
    for arena in 0..arenas {
        let name = CString::new(format!("arena.{arena}.dirty_decay_ms"))?;
        // An arena that was never used has nothing to set, and takes the default set above.
        match control(&name, Some(dirty_ms)) {
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => {}
            result => result?,
        }
    }
    Ok(())
}

/// jemalloc's own report, as text.
pub fn malloc_stats_text() -> String {
    let mut text = Vec::new();
    match stats_print::stats_print(&mut text, stats_print::Options::default()) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => format!("malloc statistics are not available: {error}\n"),
    }
}

/// Writes one of jemalloc's controls, or runs one that takes nothing.
///
/// The type must be the one that jemalloc documents; it checks the size and refuses others. It is
/// only read for the call, so any value of that size is sound for `bool` and integers.
fn control<T: Copy>(name: &CStr, value: Option<T>) -> io::Result<()> {
    let mut value = value;
    let (new, size) = match &mut value {
        Some(value) => (ptr::from_mut(value).cast(), size_of::<T>()),
        None => (ptr::null_mut(), 0),
    };
    // SAFETY: the name is a C string; the old value is not wanted, which two null pointers say; the
    // new one is absent, or points to `size` bytes that live until the end of this function.
    let code = unsafe {
        let name = name.as_ptr();
        jemalloc::mallctl(name, ptr::null_mut(), ptr::null_mut(), new, size)
    };
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, PoisonError};

    const MB: usize = 1024 * 1024;

    /// Held by tests that calibrate or publish, because these are for one thread at a time.
    static ALONE: Mutex<()> = Mutex::new(());

    fn alone() -> impl Drop {
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other tests allocate meanwhile, in threads whose balance nobody knows; far less than this.
    fn close(a: usize, b: usize) -> bool {
        a.abs_diff(b) < 4 * MB
    }

    #[test]
    fn used_bytes_follows_what_this_thread_allocates_and_frees_exactly() {
        let _alone = alone();
        let measure = || BALANCE.with(Balance::unpublished);
        let before = measure();
        let block = vec![1u8; 64 * MB];
        assert_eq!(measure() - before, 64 * MB as i64);
        publish_thread_balance();
        assert_eq!(measure(), 0);
        drop(block);
        assert_eq!(measure(), -(64 * MB as i64));
    }

    #[test]
    fn memory_freed_by_another_thread_is_counted_once_it_publishes() {
        let _alone = alone();
        calibrate();
        let before = used_bytes();
        let block = vec![1u8; 256 * MB];
        assert!(used_bytes() >= before + 200 * MB);
        let free = move || {
            drop(block);
            publish_thread_balance();
        };
        std::thread::spawn(free).join().expect("no panic");
        assert!(used_bytes() < before + 50 * MB, "{} {before}", used_bytes());
    }

    #[test]
    fn memory_freed_while_somebody_calibrates_is_not_counted_twice() {
        let _alone = alone();
        calibrate();
        let before = used_bytes();
        let (first, second) = (vec![1u8; 128 * MB], vec![1u8; 128 * MB]);
        let (halfway, calibrated) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start_thread_balance();
                drop(first);
                halfway.wait();
                calibrated.wait();
                drop(second);
                publish_thread_balance();
            });
            halfway.wait();
            calibrate();
            calibrated.wait();
        });
        let after = used_bytes();
        assert!(after.abs_diff(before) < 50 * MB, "{before} {after}");
    }

    #[test]
    fn calibrating_agrees_with_the_statistics() {
        let _alone = alone();
        calibrate();
        let (used, stats) = (used_bytes(), stats());
        assert!(
            close(used, stats.allocated) || stats.allocated > 100 * MB,
            "{used} {stats:?}"
        );
        assert!(stats.allocated > 0);
        assert!(stats.active >= stats.allocated);
        assert!(stats.resident >= stats.active);
        assert!(stats.metadata > 0 && stats.mapped > 0);
    }

    #[test]
    fn the_settings_before_main_are_in_force() {
        // SAFETY: the option is a C `bool`, of which Rust's has size, alignment and values.
        let oblivious: bool =
            unsafe { tikv_jemalloc_ctl::raw::read(b"opt.cache_oblivious\0") }.expect("known");
        assert!(!oblivious);
        assert!(name().starts_with("jemalloc-5."), "{}", name());
    }

    #[test]
    fn blocks_are_aligned_as_asked_and_keep_their_content_when_they_move() {
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            for size in [1, 3, 8, 17, 24, 40, 56, 100, 5000, 20_000] {
                let layout = Layout::from_size_align(size, align).expect("a layout");
                let bigger = Layout::from_size_align(size * 3, align).expect("a layout");
                // SAFETY: sizes are above 0, each block is used within its size and freed once
                // with the layout it has.
                unsafe {
                    let block = Jemalloc.alloc_zeroed(layout);
                    assert!(!block.is_null() && block.addr().is_multiple_of(align));
                    assert!((0..size).all(|i| *block.add(i) == 0));
                    block.write_bytes(7, size);
                    let block = Jemalloc.realloc(block, layout, bigger.size());
                    assert!(!block.is_null() && block.addr().is_multiple_of(align));
                    assert!((0..size).all(|i| *block.add(i) == 7));
                    Jemalloc.dealloc(block, bigger);
                    let block = Jemalloc.alloc(layout);
                    assert!(!block.is_null() && block.addr().is_multiple_of(align));
                    Jemalloc.dealloc(block, layout);
                }
            }
        }
    }

    #[test]
    fn a_size_class_holds_its_size() {
        assert_eq!(good_size(0), 0);
        for size in 1..10_000 {
            let class = good_size(size);
            assert!(
                class >= size && class <= size + size / 4 + 16,
                "{size} {class}"
            );
        }
    }

    #[test]
    fn controls_can_be_set() {
        purge().expect("purges");
        set_decay(5000).expect("sets the decay");
        assert!(set_decay(-2).is_err());
        set_background_thread(true).expect("starts");
        set_background_thread(false).expect("stops");
        assert!(malloc_stats_text().contains("jemalloc statistics"));
    }
}
