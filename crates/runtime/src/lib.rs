//! What the operating system gives a server: bytes, descriptors, instants, memory.
//!
//! Everything here is blind to what the bytes mean: the layers above parse and answer, this one
//! reads, writes, waits, logs, and reports how the process is doing. It is one of the two crates
//! that may hold `unsafe`; each block carries its argument, and every public function is safe.
//!
//! - [`reactor`]: one thread's sockets, readiness in, bytes in and out; [`address`]: who is there
//! - [`signals`]: process signals as reactor events; [`clock`]: the time of a turn
//! - [`background`]: a queue for work that must not hold up a turn
//! - [`disk`]: file operations in order on a thread of their own; atomic replacement, locks
//! - [`log`], [`crash`], [`process`]: log lines, crash reports, daemonizing, supervisors, limits
//! - [`watchdog`]: what the main thread does, on SIGALRM
//! - [`alloc`]: jemalloc and its statistics
//!
//! Tests are beside the code; what needs a process of its own (daemonizing, crashing, being
//! interrupted) is in `tests/process_modes.rs`. `examples/echo.rs` measures the reactor.

pub mod address;
pub mod alloc;
pub mod background;
pub mod clock;
pub mod crash;
pub mod disk;
pub mod log;
pub mod process;
pub mod reactor;
pub mod signals;
pub mod watchdog;

// The tests of `alloc` look at real numbers, so the crate's own test binary runs on jemalloc too.
#[cfg(test)]
#[global_allocator]
static TEST_ALLOCATOR: alloc::Jemalloc = alloc::Jemalloc;
