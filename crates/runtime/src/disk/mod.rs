//! A thread that executes file operations in the order given and reports how each ended.
//!
//! ```text
//! submit(token, op) ──▶ queue ──▶ thread: executes, one after another ──▶ done ──▶ take_done()
//!                                                                          └─▶ waker
//! ```
//!
//! Files are known by numbers that the submitting side chooses. An append is whole or not at all: a
//! short one is taken back by truncating, and only if that fails too the failure says that something
//! was left. A replacement writes a temporary file, syncs it, renames it and syncs the directory, so
//! that a reader, or a start after a crash, finds the old content or the new. `EINTR` is retried.
//!
//! An operation that follows a failed one is executed all the same: whoever submits several at once
//! must be able to live with that. Dropping the disk executes what is queued and joins the thread.
//!
//! Knows nothing of what the bytes mean. [`lock`] keeps two processes out of one directory.
//! Tests: `disk/tests.rs`; full file systems are played by `RLIMIT_FSIZE` in
//! `tests/process_modes.rs`.

mod execute;
pub mod lock;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::alloc;
use crate::reactor::Waker;
use execute::Files;

pub use execute::{error_text, replace, sync_dir};

/// An open file, as the submitting side calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileKey(pub u64);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskOp {
    /// Made with the usual mode; it may be there already.
    MakeDir {
        path: PathBuf,
    },
    /// Opens for appending, making the file if need be. The answer's value is its length.
    Open {
        file: FileKey,
        path: PathBuf,
        truncate: bool,
    },
    /// All chunks or nothing.
    Append {
        file: FileKey,
        chunks: Arc<Vec<Vec<u8>>>,
    },
    /// The file's data becomes durable (`fdatasync`).
    Sync {
        file: FileKey,
    },
    Truncate {
        file: FileKey,
        length_bytes: u64,
    },
    Close {
        file: FileKey,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// It may be gone already.
    Remove {
        path: PathBuf,
    },
    SyncDir {
        path: PathBuf,
    },
    Replace {
        temp: PathBuf,
        path: PathBuf,
        bytes: Vec<u8>,
    },
}

/// How an operation ended.
#[derive(Debug)]
pub struct DiskDone {
    pub token: u64,
    /// For [`DiskOp::Open`] the length in bytes, else 0.
    pub result: Result<u64, DiskError>,
    /// From its start, not from its submission.
    pub duration: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    pub errno: i32,
    /// Which call of the operation failed, such as `write` or `fsync`.
    pub call: &'static str,
    /// A part of an append is left in the file, or a replacement is visible and only its
    /// durability is in doubt.
    pub changed: bool,
}

impl DiskError {
    /// The system's text for the error, without decoration.
    pub fn text(&self) -> String {
        error_text(self.errno)
    }
}

impl Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.text())
    }
}

impl std::error::Error for DiskError {}

/// The submitting side. One owner.
pub struct Disk {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// Signalled for the thread: an operation came, or the end.
    work: Condvar,
    /// Signalled by the thread: an operation is done.
    progress: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(u64, DiskOp)>,
    done: Vec<DiskDone>,
    /// Operations that are queued or being executed.
    pending_ops: usize,
    /// What these carry to be written.
    pending_bytes: usize,
    closing: bool,
}

impl Disk {
    /// Starts the thread. `waker`, if any, is woken after each operation.
    pub fn spawn(name: &str, waker: Option<Waker>) -> io::Result<Disk> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            work: Condvar::new(),
            progress: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || worker.run(waker.as_ref()))?;
        Ok(Disk {
            shared,
            thread: Some(thread),
        })
    }

    /// Queues an operation. Its end is reported with `token`.
    pub fn submit(&self, token: u64, op: DiskOp) {
        let mut state = self.shared.lock();
        state.pending_ops += 1;
        state.pending_bytes += op.bytes();
        state.queue.push_back((token, op));
        drop(state);
        self.shared.work.notify_one();
    }

    /// What has ended since the last call, in order.
    pub fn take_done(&self) -> Vec<DiskDone> {
        std::mem::take(&mut self.shared.lock().done)
    }

    /// Waits until something has ended that was not taken yet, or nothing is pending, or the time
    /// is up; then as [`Disk::take_done`].
    pub fn wait_done(&self, timeout: Duration) -> Vec<DiskDone> {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        while state.done.is_empty() && state.pending_ops > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.progress.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut state.done)
    }

    /// Operations that have not ended.
    pub fn pending_ops(&self) -> usize {
        self.shared.lock().pending_ops
    }

    /// Bytes that these carry to be written.
    pub fn pending_bytes(&self) -> usize {
        self.shared.lock().pending_bytes
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to say; a panic in it was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The state is consistent between any two statements, so poisoning means nothing here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, waker: Option<&Waker>) {
        let mut files = Files::default();
        while let Some((token, op)) = self.next() {
            alloc::start_thread_balance();
            let bytes = op.bytes();
            let start = Instant::now();
            let result = files.execute(op);
            alloc::publish_thread_balance();
            let mut state = self.lock();
            state.pending_ops -= 1;
            state.pending_bytes -= bytes;
            state.done.push(DiskDone {
                token,
                result,
                duration: start.elapsed(),
            });
            drop(state);
            self.progress.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// The next operation, or none when the owner has gone and all are done.
    fn next(&self) -> Option<(u64, DiskOp)> {
        let mut state = self.lock();
        loop {
            if let Some(next) = state.queue.pop_front() {
                return Some(next);
            }
            if state.closing {
                return None;
            }
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl DiskOp {
    fn bytes(&self) -> usize {
        match self {
            DiskOp::Append { chunks, .. } => chunks.iter().map(Vec::len).sum(),
            DiskOp::Replace { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}
