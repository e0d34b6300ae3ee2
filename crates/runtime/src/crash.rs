//! The report that a crash leaves in the log, in the form that Redis users know.
//!
//! A panic is reported by the hook, with a full backtrace, and then aborts the process: a server
//! whose state is in doubt must not go on. A crash signal is reported by a handler that allocates
//! nothing, takes none of our locks and formats on the stack only; its stack trace has addresses
//! that `addr2line` can read. One thread reports, others that crash meanwhile wait; a crash inside
//! the report ends it. Then the signal's default action follows (core dump, exit status).
//!
//! The server's own state comes as text that its owner publishes now and then
//! ([`publish_info`]): a callback from a handler could see that state half-changed.
//!
//! Tests are in `tests/process_modes.rs`, because crashing needs a process.

use std::backtrace::Backtrace;
use std::ffi::c_void;
use std::fmt::Write as _;
use std::io;
use std::panic::{self, PanicHookInfo};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use libc::{c_int, siginfo_t};

use crate::log::{self, StackText};

const SIGNALS: [c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
];
/// Enough for the report; the default for a handler's stack is near its needs.
const STACK_BYTES: usize = 64 * 1024;
/// A report that hangs is cut off after this.
const REPORT_TIMEOUT_S: u32 = 10;
#[cfg(target_env = "gnu")]
const MAX_FRAMES: usize = 64;

/// Program and version, for the report.
static VERSION: OnceLock<String> = OnceLock::new();
/// The published text; owned by whoever swaps it out.
static INFO: AtomicPtr<String> = AtomicPtr::new(ptr::null_mut());
/// The thread that reports; 0 while all is well.
static REPORTER: AtomicI32 = AtomicI32::new(0);

/// Sets the panic hook and the signal handlers. `version` is as in `Redan 1.2.3`. To be called once,
/// by the main thread, after daemonizing and after the global logger was set.
pub fn install(version: &str) -> io::Result<()> {
    let _ = VERSION.set(version.to_owned());
    panic::set_hook(Box::new(report_panic));
    set_signal_stack()?;
    load_unwinder();
    SIGNALS.iter().try_for_each(|&signal| set_handler(signal))
}

/// Sets the handlers again after [`uninstall_signal_handlers`].
pub fn reinstall_signal_handlers() -> io::Result<()> {
    SIGNALS.iter().try_for_each(|&signal| set_handler(signal))
}

/// Takes the handlers away again (`crash-log-enabled no`). The panic hook stays.
pub fn uninstall_signal_handlers() {
    SIGNALS.iter().for_each(|&signal| reset_handler(signal));
}

/// Replaces the text that a report ends with.
pub fn publish_info(text: String) {
    let new = Box::into_raw(Box::new(text));
    let old = INFO.swap(new, Ordering::AcqRel);
    if !old.is_null() {
        // SAFETY: it came from `Box::into_raw` here, and the swap made this call its only owner.
        drop(unsafe { Box::from_raw(old) });
    }
}

fn report_panic(info: &PanicHookInfo<'_>) {
    let backtrace = Backtrace::force_capture();
    start_report();
    let thread = std::thread::current();
    line(format_args!(
        "=== PANIC in thread '{}' ===",
        thread.name().unwrap_or("unnamed")
    ));
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let message = match info.payload().downcast_ref::<&str>() {
        Some(message) => message,
        None => info
            .payload()
            .downcast_ref::<String>()
            .map_or("no message", String::as_str),
    };
    log::write_from_handler(format!("==> {place} {message}").as_bytes());
    log::write_raw_from_handler(format!("\n------ STACK TRACE ------\n{backtrace}").as_bytes());
    end_report();
    reset_handler(libc::SIGABRT);
    std::process::abort();
}

extern "C" fn report_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    start_report();
    // SAFETY: the kernel gives a handler set with SA_SIGINFO a valid description that lives as long
    // as the handler runs; which fields hold what depends on signal and code, as checked here.
    unsafe {
        let version = VERSION.get().map_or("", String::as_str);
        let code = (*info).si_code;
        line(format_args!(
            "{version} crashed by signal: {signal}, si_code: {code}"
        ));
        if signal == libc::SIGSEGV || signal == libc::SIGBUS {
            line(format_args!("Accessing address: {:p}", (*info).si_addr()));
        }
        if code == libc::SI_USER {
            line(format_args!(
                "Killed by PID: {}, UID: {}",
                (*info).si_pid(),
                (*info).si_uid()
            ));
        }
    }
    if let Some(address) = instruction_address(context) {
        line(format_args!(
            "Crashed running the instruction at: {address:#x}"
        ));
    }
    write_stack_trace();
    end_report();
    reset_handler(signal);
    // SAFETY: `raise` may be called from a signal handler. The default action ends the process; the
    // exit is for a signal that somebody else has blocked.
    unsafe {
        libc::raise(signal);
        libc::_exit(128 + signal);
    }
}

/// Makes this thread the reporter. Does not return in any other thread that crashes, nor when the
/// report itself does.
fn start_report() {
    // SAFETY: asks for a number; may be called from a signal handler.
    let this = unsafe { libc::gettid() };
    match REPORTER.compare_exchange(0, this, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {}
        Err(reporter) if reporter == this => {
            log::write_from_handler(b"Crashed while reporting a crash.");
            // SAFETY: may be called from a signal handler; runs nothing of ours.
            unsafe { libc::_exit(128 + libc::SIGABRT) };
        }
        // The reporter ends the process.
        Err(_) => loop {
            // SAFETY: sleeps until a signal; may be called from a signal handler.
            unsafe { libc::pause() };
        },
    }
    reset_handler(libc::SIGALRM);
    // SAFETY: sets a timer; may be called from a signal handler.
    unsafe { libc::alarm(REPORT_TIMEOUT_S) };
    log::write_raw_from_handler(
        b"\n\n=== REDAN BUG REPORT START: Cut & paste starting from here ===\n",
    );
}

fn end_report() {
    let info = INFO.swap(ptr::null_mut(), Ordering::AcqRel);
    if !info.is_null() {
        log::write_raw_from_handler(b"\n------ INFO OUTPUT ------\n");
        // SAFETY: it came from `Box::into_raw`, and the swap made this thread its only owner. It is
        // not freed: the heap may be what is broken.
        log::write_raw_from_handler(unsafe { (*info).as_bytes() });
    }
    log::write_raw_from_handler(
        b"\n=== REDAN BUG REPORT END. Make sure to include from START to END. ===\n\n",
    );
}

fn line(text: std::fmt::Arguments<'_>) {
    let mut buffer = StackText::<256>::new();
    let _ = buffer.write_fmt(text);
    log::write_from_handler(buffer.as_bytes());
}

/// The unwinder is a library that is loaded, and allocates, when it is first used.
pub(crate) fn load_unwinder() {
    #[cfg(target_env = "gnu")]
    {
        let mut frame = [ptr::null_mut(); 1];
        // SAFETY: there is room for one address.
        unsafe { libc::backtrace(frame.as_mut_ptr(), 1) };
    }
}

pub(crate) fn write_stack_trace() {
    #[cfg(target_env = "gnu")]
    {
        use std::os::fd::AsRawFd;
        log::write_raw_from_handler(b"\n------ STACK TRACE ------\n");
        let mut frames = [ptr::null_mut(); MAX_FRAMES];
        // SAFETY: there is room for `MAX_FRAMES` addresses, of which `count` are then written out.
        // Once loaded, the unwinder does not allocate, and this function writes straight to the
        // descriptor. It may still fail on a broken stack: that is a crash inside the report.
        log::with_fd_from_handler(|fd| unsafe {
            let count = libc::backtrace(frames.as_mut_ptr(), MAX_FRAMES as c_int);
            libc::backtrace_symbols_fd(frames.as_ptr(), count, fd.as_raw_fd());
        });
    }
    #[cfg(not(target_env = "gnu"))]
    log::write_from_handler(b"Sorry: no support for backtrace().");
}

#[allow(
    unused_variables,
    reason = "the context is read on known machines only"
)]
pub(crate) fn instruction_address(context: *mut c_void) -> Option<u64> {
    let context = context.cast::<libc::ucontext_t>();
    #[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
    // SAFETY: the kernel passes the interrupted thread's context, valid while the handler runs.
    return Some(unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] as u64 });
    #[cfg(all(target_os = "linux", target_arch = "aarch64", target_env = "gnu"))]
    // SAFETY: as above.
    return Some(unsafe { (*context).uc_mcontext.pc });
    #[allow(unreachable_code, reason = "not on known machines")]
    None
}

/// Gives the calling thread a stack for handlers, so that a stack overflow can be reported.
fn set_signal_stack() -> io::Result<()> {
    let memory = Box::leak(vec![0u8; STACK_BYTES].into_boxed_slice());
    let stack = libc::stack_t {
        ss_sp: memory.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: memory.len(),
    };
    // SAFETY: the memory is never freed and used for nothing else.
    let result = unsafe { libc::sigaltstack(&stack, ptr::null_mut()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set_handler(signal: c_int) -> io::Result<()> {
    // SAFETY: zeroes are a valid `sigaction` (empty mask). The handler has the signature that
    // SA_SIGINFO asks for. SA_NODEFER lets a crash inside the report be seen as such.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = report_signal as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        libc::sigaction(signal, &action, ptr::null_mut())
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Restores the default action. May be called from a signal handler.
fn reset_handler(signal: c_int) {
    // SAFETY: zeroes are a valid `sigaction`: the default action, no flags, empty mask.
    unsafe {
        let action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, &action, ptr::null_mut());
    }
}
