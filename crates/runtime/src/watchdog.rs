//! The software watchdog: a SIGALRM writes where the engine's thread is into the log, and the process
//! goes on.
//!
//! The signal comes from a person, or from a timer that the event loop winds again in every turn
//! ([`wind`]): it runs out when a turn takes longer than the period. Whichever thread the kernel
//! picks, the one that called [`install`] is the one that reports: others pass the signal on to it.
//!
//! The handler formats on the stack and makes system calls only. The unwinder was loaded before and
//! does not allocate then; what it locks, if anything, its own thread may lock twice. So nothing that
//! the signal interrupted can be in its way. A crash report (`crash.rs`) takes SIGALRM for itself.
//!
//! Tests are in `tests/process_modes.rs`.

use std::ffi::c_void;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use libc::{c_int, siginfo_t};

use crate::crash::{instruction_address, load_unwinder, write_stack_trace};
use crate::log::{self, StackText};

/// The thread whose stack is of interest; 0 before [`install`].
static WATCHED: AtomicI32 = AtomicI32::new(0);
/// The timer ran out, as opposed to a signal that somebody sent.
static EXPIRED: AtomicBool = AtomicBool::new(false);

/// Sets the handler; the calling thread is the one that is watched. To be called after daemonizing.
pub fn install() -> io::Result<()> {
    load_unwinder();
    // SAFETY: asks for a number. For the handler: zeroes are a valid `sigaction` (empty mask), and
    // `report` has the signature that SA_SIGINFO asks for. System calls go on afterwards.
    let result = unsafe {
        WATCHED.store(libc::gettid(), Ordering::Release);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = report as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut())
    };
    as_result(result)
}

/// Winds the timer: unless this is called again within the period, the watchdog reports, once. Zero
/// stops it.
pub fn wind(period: Duration) -> io::Result<()> {
    let timer = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: libc::timeval {
            tv_sec: period.as_secs() as libc::time_t,
            tv_usec: libc::suseconds_t::from(period.subsec_micros()),
        },
    };
    // SAFETY: the new value is valid, and nobody asks for the old one.
    as_result(unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) })
}

fn as_result(result: c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

extern "C" fn report(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: these calls may be made from a handler. `errno` is this thread's own, and is kept for
    // the code that was interrupted. The kernel gives a handler set with SA_SIGINFO a valid
    // description that lives as long as the handler runs.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        if (*info).si_code == libc::SI_KERNEL {
            EXPIRED.store(true, Ordering::Release);
        }
        let watched = WATCHED.load(Ordering::Acquire);
        if libc::gettid() == watched {
            write_report(context);
        } else {
            libc::syscall(libc::SYS_tgkill, libc::getpid(), watched, libc::SIGALRM);
        }
        *errno = saved;
    }
}

fn write_report(context: *mut c_void) {
    let headline: &[u8] = if EXPIRED.swap(false, Ordering::AcqRel) {
        b"\n--- WATCHDOG TIMER EXPIRED ---"
    } else {
        b"\nReceived SIGALRM"
    };
    log::write_from_handler(headline);
    if let Some(address) = instruction_address(context) {
        let mut line = StackText::<64>::new();
        let _ = write!(line, "Running the instruction at: {address:#x}");
        log::write_from_handler(line.as_bytes());
    }
    write_stack_trace();
    log::write_from_handler(b"--------\n");
}
