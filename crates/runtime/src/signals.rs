//! Process signals, turned into events of the reactor.
//!
//! SIGINT and SIGTERM are noted in an atomic by a handler that then writes one byte to a socket
//! which the reactor polls: that is all that may be done in a handler. SIGHUP and SIGPIPE are
//! ignored. Once one of the two has asked for a shutdown (and [`cancel_shutdown`] was not called
//! since), a SIGINT ends the process at once with status 1: the user insists. Files that are half
//! written then ([`Unfinished`]) are removed. SIGUSR1 and SIGUSR2 are left alone.
//!
//! Handlers are process-wide, so there is one [`Signals`]. The crash signals are in `crash.rs`.
//! Tests are in `tests/process_modes.rs`, because they need a process.

use std::ffi::CString;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};

use libc::{c_char, c_int};

use crate::log;

pub use libc::{SIGINT, SIGTERM};

/// Bit `n` is set when signal `n` came and was not taken yet.
static PENDING: AtomicU64 = AtomicU64::new(0);
/// Where the handler writes; -1 before there is one.
static WAKE_FD: AtomicI32 = AtomicI32::new(-1);
static INSTALLED: AtomicBool = AtomicBool::new(false);
static SHUTTING_DOWN: AtomicBool = AtomicBool::new(false);
/// Paths of [`Unfinished`] files, from `CString::into_raw`. Whoever swaps one out owns it.
static UNFINISHED: [AtomicPtr<c_char>; UNFINISHED_MAX] =
    [const { AtomicPtr::new(ptr::null_mut()) }; UNFINISHED_MAX];
/// More than a server writes at the same time.
const UNFINISHED_MAX: usize = 4;

/// A file that is worth nothing before it is whole: removed when the user insists on the process's
/// end, as long as this lives. To be made before the file.
#[derive(Debug)]
pub struct Unfinished {
    /// Whose place in the list; `None` if all were taken, and the file would stay.
    place: Option<&'static AtomicPtr<c_char>>,
}

impl Unfinished {
    pub fn new(path: &Path) -> Unfinished {
        // A path with a zero byte in it cannot be that of a file.
        let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
            return Unfinished { place: None };
        };
        let raw = path.into_raw();
        let place = UNFINISHED.iter().find(|place| {
            let free = ptr::null_mut();
            place
                .compare_exchange(free, raw, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        });
        if place.is_none() {
            free_path(raw);
        }
        Unfinished { place }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            free_path(place.swap(ptr::null_mut(), Ordering::AcqRel));
        }
    }
}

fn free_path(raw: *mut c_char) {
    if !raw.is_null() {
        // SAFETY: it came from `CString::into_raw` and was in no list, or a swap took it out of the
        // list: this call is its only owner.
        drop(unsafe { CString::from_raw(raw) });
    }
}

/// Runs in the handler: system calls only, and nothing is freed.
fn remove_unfinished() {
    for place in &UNFINISHED {
        let path = place.swap(ptr::null_mut(), Ordering::AcqRel);
        if !path.is_null() {
            // SAFETY: the swap made this call the only owner of a path that ends with a zero byte.
            // `unlink` may be called from a signal handler.
            unsafe { libc::unlink(path) };
        }
    }
}

/// The receiving end. Given to `Reactor::attach_signals`.
#[derive(Debug)]
pub struct Signals {
    receiver: UnixStream,
}

impl Signals {
    /// Sets the handlers. Fails when that has been done before.
    pub fn install() -> io::Result<Signals> {
        if INSTALLED.swap(true, Ordering::AcqRel) {
            return Err(io::Error::other("signal handlers are installed already"));
        }
        let (receiver, sender) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        WAKE_FD.store(sender.as_raw_fd(), Ordering::Release);
        // The handlers stay for the life of the process, and so must what they write to.
        std::mem::forget(sender);
        for signal in [libc::SIGHUP, libc::SIGPIPE] {
            set_handler(signal, libc::SIG_IGN)?;
        }
        for signal in [SIGINT, SIGTERM] {
            set_handler(signal, on_signal as *const () as libc::sighandler_t)?;
        }
        Ok(Signals { receiver })
    }

    pub(crate) fn wake_fd(&self) -> RawFd {
        self.receiver.as_raw_fd()
    }

    /// The signals that came since the last call.
    pub(crate) fn take(&self) -> impl Iterator<Item = i32> + use<> {
        let mut bytes = [0; 64];
        // Emptied before the atomic is read, so that a signal in between raises a new edge.
        while matches!((&self.receiver).read(&mut bytes), Ok(n) if n > 0) {}
        let pending = PENDING.swap(0, Ordering::AcqRel);
        (0..64).filter(move |signal| pending & (1 << signal) != 0)
    }
}

/// The shutdown that a signal asked for will not happen: the next SIGINT asks again.
pub fn cancel_shutdown() {
    SHUTTING_DOWN.store(false, Ordering::Release);
}

fn set_handler(signal: c_int, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: `sigaction` is a plain C struct for which zeroes are a valid value (no flags, empty
    // mask). The handler is SIG_IGN or `on_signal`, which only does what a handler may. System
    // calls that the signal interrupts are restarted, except the waiting of the reactor.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(signal, &action, std::ptr::null_mut())
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Runs between any two instructions: atomics and async-signal-safe calls only.
extern "C" fn on_signal(signal: c_int) {
    if SHUTTING_DOWN.swap(true, Ordering::AcqRel) && signal == SIGINT {
        log::write_from_handler(b"You insist... exiting now.");
        remove_unfinished();
        // SAFETY: `_exit` may be called from a signal handler; it runs no destructors.
        unsafe { libc::_exit(1) };
    }
    PENDING.fetch_or(1 << signal, Ordering::AcqRel);
    // SAFETY: `write` and `__errno_location` may be called from a signal handler; the byte lives
    // on the stack, and the descriptor is open for the life of the process. A full socket means
    // that the reactor will wake anyway. `errno` is kept for the code that was interrupted.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        libc::write(WAKE_FD.load(Ordering::Acquire), b"!".as_ptr().cast(), 1);
        *errno = saved;
    }
}
