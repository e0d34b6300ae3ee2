//! What a node needs from the outside: clocks, the log, and somebody who does what it says with
//! files.
//!
//! A [`Disk`] takes jobs and reports each when it is done. Jobs of one kind (snapshot, AOF) are done
//! in the order they were given; the two kinds do not wait for each other. Nothing here blocks but
//! [`Disk::wait_done`], which only SAVE, SHUTDOWN and starting use. [`Files`] is for reading at the
//! start, before anybody is served.
//!
//! The server does this with threads and real files, tests and the simulator with values.

use engine::host::LogLevel;

/// One snapshot being written; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId(pub u64);

/// One snapshot being packed for replicas; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(pub u64);

/// Bytes of a snapshot file.
pub enum Chunk {
    /// RDB: still to be compressed and summed up by the writing thread.
    Rdb(rdb::Segment),
    /// As they are: an AOF base made of commands.
    Plain(Vec<u8>),
}

impl Chunk {
    pub fn len(&self) -> usize {
        match self {
            Chunk::Rdb(segment) => segment.len(),
            Chunk::Plain(bytes) => bytes.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

pub enum DiskJob {
    /// Creates the temporary file of a snapshot. `packing` for RDB.
    SnapshotOpen {
        id: SnapshotId,
        path: Vec<u8>,
        packing: Option<rdb::EncodeOptions>,
        /// fsync as the file grows, so that the last one is short.
        incremental_fsync: bool,
    },
    SnapshotWrite {
        id: SnapshotId,
        chunk: Chunk,
    },
    /// Makes the file durable and, with `rename_to`, puts it in the place of the old one.
    SnapshotFinish {
        id: SnapshotId,
        rename_to: Option<Vec<u8>>,
    },
    /// Removes the temporary file.
    SnapshotAbort {
        id: SnapshotId,
    },
    /// Begins packing a snapshot for replicas. Packed bytes come back, unless `scratch` names a file
    /// for them, which is to be nameless once it is open.
    StreamOpen {
        id: StreamId,
        packing: rdb::EncodeOptions,
        scratch: Option<Vec<u8>>,
    },
    StreamWrite {
        id: StreamId,
        chunk: Chunk,
    },
    StreamFinish {
        id: StreamId,
    },
    /// The next bytes of the scratch file, after `StreamFinished`: exactly so many.
    StreamRead {
        id: StreamId,
        bytes: usize,
    },
    StreamClose {
        id: StreamId,
    },
    /// Writes a file of its own, durably.
    Keep {
        path: Vec<u8>,
        bytes: Vec<u8>,
    },
    Aof(aof::machine::Action),
}

pub enum DiskDone {
    /// So many bytes that were handed over have been dealt with.
    SnapshotWritten {
        id: SnapshotId,
        bytes: usize,
    },
    SnapshotFinished {
        id: SnapshotId,
        file_bytes: u64,
    },
    /// No further job of this snapshot is reported. `action` says what failed ("open", "write", …).
    SnapshotFailed {
        id: SnapshotId,
        action: &'static str,
        error: String,
    },
    /// So many bytes that were handed over (or asked for) have been dealt with, and this is what
    /// came of them.
    StreamPacked {
        id: StreamId,
        taken_bytes: usize,
        bytes: Vec<u8>,
    },
    StreamFinished {
        id: StreamId,
        total_bytes: u64,
    },
    /// No further job of it is reported.
    StreamFailed {
        id: StreamId,
        error: String,
    },
    Kept {
        path: Vec<u8>,
        error: Option<String>,
    },
    Aof(aof::machine::Done),
}

pub trait Disk {
    fn submit(&mut self, job: DiskJob);
    fn take_done(&mut self, into: &mut Vec<DiskDone>);
    /// As [`Disk::take_done`], waiting for at least one, but only a little while: whoever waits may
    /// have timers of its own.
    fn wait_done(&mut self, into: &mut Vec<DiskDone>);
}

/// Files at the start, before anybody is served: every call is done when it returns. Paths are
/// relative to the working directory. Errors are the system's texts.
pub trait Files {
    fn kind(&mut self, path: &[u8]) -> PathKind;
    fn open(&mut self, path: &[u8]) -> Result<Box<dyn ReadFile>, String>;
    /// The names in a directory, in no order.
    fn list(&mut self, path: &[u8]) -> Result<Vec<Vec<u8>>, String>;
    fn truncate(&mut self, path: &[u8], length_bytes: u64) -> Result<(), String>;
    fn make_dir(&mut self, path: &[u8]) -> Result<(), String>;
    /// Atomically: the old content or the new, whatever happens.
    fn replace(&mut self, temp: &[u8], path: &[u8], bytes: &[u8]) -> Result<(), String>;
    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), String>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    Absent,
    File,
    Directory,
}

pub trait ReadFile {
    fn size_bytes(&self) -> u64;
    /// Appends up to `max` bytes; 0 at the end.
    fn read(&mut self, into: &mut Vec<u8>, max: usize) -> Result<usize, String>;
}

pub trait Outside: Disk + Files {
    fn unix_ms(&mut self) -> i64;
    /// Monotonic, nanoseconds.
    fn ticks_ns(&mut self) -> u64;
    fn process_id(&self) -> u32;
    fn used_memory(&mut self) -> u64;
    fn log(&mut self, level: LogLevel, text: &str);
}
