//! The bytes on their way into the current file: one append, one sync under way at most.
//!
//! One at a time because a later append must not reach the file when an earlier one failed. What
//! arrives meanwhile collects and goes out together: this is the group commit of `always`. Each
//! byte has an offset in the stream of everything ever appended; annotations in the file have none.
//!
//! A cut divides the stream for a rewrite: bytes before it belong to the current file, those after
//! it are held back until the next file is ready, or until it is clear that there will be none.
//!
//! Knows nothing of names, manifests and policies: the machine says what is urgent. Tests: at the
//! bottom of `machine/mod.rs`, and `tests/simulation.rs`.

use std::collections::VecDeque;
use std::sync::Arc;

use super::action::{FileId, Token};
use super::config::{APPEND_MAX_BYTES, BATCH_BYTES};

#[derive(Default)]
pub(super) struct Lane {
    file: Option<FileId>,
    /// What the current file holds, annotations included.
    file_bytes: u64,
    pending: Queue,
    held: Queue,
    has_cut: bool,
    flight: Option<Flight>,
    /// Offsets: in the file; and durable there.
    written: u64,
    synced: u64,
    /// When the oldest byte arrived that no sync, done or under way, covers.
    uncovered_since_us: Option<u64>,
    last_sync_us: u64,
}

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Chunk>,
    bytes: usize,
}

/// Whole commands.
struct Chunk {
    bytes: Vec<u8>,
    end_offset: u64,
    since_us: u64,
}

struct Flight {
    append: Option<Append>,
    sync: Option<Sync>,
    error: Option<LaneError>,
}

struct Append {
    token: Token,
    chunks: Arc<Vec<Vec<u8>>>,
    /// The end offset and time of arrival of each chunk, to put them back.
    marks: Vec<(u64, u64)>,
    bytes: usize,
}

struct Sync {
    token: Token,
    covers_offset: u64,
    since_us: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LaneError {
    /// The append was taken back and may be tried again.
    Again(String),
    /// What the file holds beyond the synced offset can no longer be known.
    Broken(String),
}

/// What came of a flight.
pub(super) struct Landing {
    pub appended_bytes: u64,
    pub synced: bool,
    pub error: Option<LaneError>,
}

impl Lane {
    /// Continues with `file`, which already holds `file_bytes`, at the offset where the lane is.
    pub fn open(&mut self, file: FileId, file_bytes: u64, now_us: u64) {
        assert!(self.flight.is_none());
        self.file = Some(file);
        self.file_bytes = file_bytes;
        self.last_sync_us = now_us;
    }

    /// Forgets what is queued and goes on at `offset`, without a file.
    pub fn reset(&mut self, offset: u64) -> Option<FileId> {
        let file = self.file.take();
        let synced = self.synced;
        *self = Lane {
            written: offset,
            synced: offset,
            last_sync_us: self.last_sync_us,
            ..Lane::default()
        };
        assert!(synced <= offset);
        file
    }

    /// Gives up the file; offsets stay what they are, so that one can still ask for them.
    pub fn drop_file(&mut self) -> Option<FileId> {
        self.pending = Queue::default();
        self.held = Queue::default();
        self.has_cut = false;
        self.flight = None;
        self.uncovered_since_us = None;
        self.file.take()
    }

    /// Queues whole commands that end at `end_offset`. Returns a buffer to use again.
    pub fn push(&mut self, bytes: Vec<u8>, end_offset: u64, now_us: u64) -> Vec<u8> {
        self.uncovered_since_us.get_or_insert(now_us);
        let queue = match self.has_cut {
            true => &mut self.held,
            false => &mut self.pending,
        };
        queue.push(bytes, end_offset, now_us)
    }

    pub fn cut(&mut self) {
        assert!(!self.has_cut);
        self.has_cut = true;
    }

    /// The cut is reached and `file` takes what was held. Returns the file of before.
    pub fn switch(&mut self, file: FileId, now_us: u64) -> Option<FileId> {
        assert!(self.is_durable());
        self.end_cut();
        let old = self.file.take();
        self.open(file, 0, now_us);
        old
    }

    /// What was held goes where the rest goes.
    pub fn end_cut(&mut self) {
        self.has_cut = false;
        let mut held = std::mem::take(&mut self.held);
        self.pending.bytes += held.bytes;
        self.pending.chunks.append(&mut held.chunks);
    }

    pub fn has_cut(&self) -> bool {
        self.has_cut
    }

    pub fn file(&self) -> Option<FileId> {
        self.file
    }

    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    pub fn is_flying(&self) -> bool {
        self.flight.is_some()
    }

    /// Whether all that the current file should hold is durable in it.
    pub fn is_durable(&self) -> bool {
        self.pending.bytes == 0 && self.flight.is_none() && self.written == self.synced
    }

    pub fn written(&self) -> u64 {
        self.written
    }

    pub fn synced(&self) -> u64 {
        self.synced
    }

    pub fn last_sync_us(&self) -> u64 {
        self.last_sync_us
    }

    /// When the first byte that waits to be handed over arrived.
    pub fn pending_since_us(&self) -> Option<u64> {
        self.pending.chunks.front().map(|chunk| chunk.since_us)
    }

    pub fn has_full_batch(&self) -> bool {
        self.pending.bytes >= BATCH_BYTES
    }

    /// Bytes that are not in the file yet.
    pub fn buffered_bytes(&self) -> usize {
        let append = self.flight.as_ref().and_then(|f| f.append.as_ref());
        self.pending.bytes + self.held.bytes + append.map_or(0, |append| append.bytes)
    }

    pub fn is_syncing(&self) -> bool {
        self.flight.as_ref().is_some_and(|f| f.sync.is_some())
    }

    /// When the oldest byte that is not known to be durable arrived.
    pub fn unsynced_since_us(&self) -> Option<u64> {
        let flying = self.flight.as_ref().and_then(|f| f.sync.as_ref());
        flying
            .and_then(|sync| sync.since_us)
            .or(self.uncovered_since_us)
    }

    /// Takes off with up to [`APPEND_MAX_BYTES`] of what is pending. The bytes are shared: they
    /// come back into the queue should the append fail.
    pub fn begin_append(&mut self, token: Token) -> Arc<Vec<Vec<u8>>> {
        assert!(self.flight.is_none() && self.file.is_some());
        let (chunks, marks, bytes) = self.pending.take(APPEND_MAX_BYTES);
        assert!(bytes > 0);
        let chunks = Arc::new(chunks);
        self.flight = Some(Flight {
            append: Some(Append {
                token,
                chunks: Arc::clone(&chunks),
                marks,
                bytes,
            }),
            sync: None,
            error: None,
        });
        chunks
    }

    /// A sync of all that is written or about to be.
    pub fn begin_sync(&mut self, token: Token, now_us: u64) {
        let next_since_us = self.pending_since_us();
        let since_us = std::mem::replace(&mut self.uncovered_since_us, next_since_us);
        let flight = self.flight.get_or_insert(Flight {
            append: None,
            sync: None,
            error: None,
        });
        let last_mark = flight.append.as_ref().and_then(|a| a.marks.last());
        assert!(flight.sync.is_none());
        flight.sync = Some(Sync {
            token,
            covers_offset: last_mark.map_or(self.written, |&(end_offset, _)| end_offset),
            since_us,
        });
        self.last_sync_us = now_us;
    }

    /// Whether anything would be made durable by a sync after an append of what is pending.
    pub fn has_unsynced(&self) -> bool {
        self.written > self.synced || self.pending.bytes > 0
    }

    /// Takes in an answer; `None` if it is not for this lane, or the flight is not over yet.
    pub fn land(&mut self, token: Token, result: &Result<u64, LaneError>) -> Option<Landing> {
        let flight = self.flight.as_mut()?;
        let mut landing = Landing {
            appended_bytes: 0,
            synced: false,
            error: None,
        };
        if flight.append.as_ref().is_some_and(|a| a.token == token) {
            let append = flight.append.take()?;
            match result {
                Ok(_) => {
                    self.written = append.marks.last().map_or(self.written, |mark| mark.0);
                    self.file_bytes += append.bytes as u64;
                    landing.appended_bytes = append.bytes as u64;
                }
                Err(error) => {
                    flight.error = Some(error.clone());
                    self.pending.put_back(append);
                }
            }
        } else if flight.sync.as_ref().is_some_and(|s| s.token == token) {
            let sync = flight.sync.take()?;
            match result {
                // A sync says nothing of an append before it that failed.
                Ok(_) if flight.error.is_none() => {
                    self.synced = sync.covers_offset;
                    landing.synced = true;
                }
                Ok(_) => self.uncovered_since_us = sync.since_us,
                Err(LaneError::Again(text) | LaneError::Broken(text)) => {
                    flight.error = Some(LaneError::Broken(text.clone()));
                }
            }
        } else {
            return None;
        }
        if flight.append.is_none() && flight.sync.is_none() {
            landing.error = flight.error.take();
            self.flight = None;
        }
        Some(landing)
    }
}

impl Queue {
    fn push(&mut self, mut bytes: Vec<u8>, end_offset: u64, now_us: u64) -> Vec<u8> {
        self.bytes += bytes.len();
        if let Some(last) = self.chunks.back_mut()
            && last.bytes.len() + bytes.len() <= BATCH_BYTES
        {
            last.bytes.extend_from_slice(&bytes);
            last.end_offset = end_offset;
            bytes.clear();
            return bytes;
        }
        self.chunks.push_back(Chunk {
            bytes,
            end_offset,
            since_us: now_us,
        });
        Vec::new()
    }

    fn take(&mut self, max_bytes: usize) -> (Vec<Vec<u8>>, Vec<(u64, u64)>, usize) {
        let (mut chunks, mut marks, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(chunk) = self.chunks.front()
            && (chunks.is_empty() || bytes + chunk.bytes.len() <= max_bytes)
            && let Some(chunk) = self.chunks.pop_front()
        {
            bytes += chunk.bytes.len();
            marks.push((chunk.end_offset, chunk.since_us));
            chunks.push(chunk.bytes);
        }
        self.bytes -= bytes;
        (chunks, marks, bytes)
    }

    fn put_back(&mut self, append: Append) {
        self.bytes += append.bytes;
        let chunks = Arc::try_unwrap(append.chunks).unwrap_or_else(|shared| (*shared).clone());
        for (bytes, (end_offset, since_us)) in chunks.into_iter().zip(append.marks).rev() {
            self.chunks.push_front(Chunk {
                bytes,
                end_offset,
                since_us,
            });
        }
    }
}
