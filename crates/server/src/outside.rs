//! What the node needs done outside of it: the log, the clocks, and its files.
//!
//! Three threads work for it: one appends to the AOF and makes it durable (`runtime::disk`), one packs
//! and writes snapshots (`snapshot_file.rs`), one packs those for replicas (`sync_stream.rs`); so a snapshot never stands in an fsync's way within
//! the process. Jobs and their ends are translated here and nowhere else.
//!
//! Tests: `tests/persistence_*.rs`.

use crate::error_text;
use crate::load::path_of;
use crate::snapshot_file::SnapshotWriter;
use crate::sync_stream::StreamPacker;
use aof::machine::{Action, Done, Failure, Op};
use engine::host::LogLevel;
use node::outside::{Disk, DiskDone, DiskJob, Files, Outside, PathKind, ReadFile};
use runtime::clock::Clock;
use runtime::disk::{self, DiskOp, FileKey};
use runtime::log::{Level, Logger};
use runtime::reactor::Waker;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A wait for the disk is over after this long even if nothing is done: whoever waits may have a
/// timer of its own.
const WAIT: Duration = Duration::from_millis(10);

pub struct ServerOutside {
    logger: &'static Logger,
    pub clock: Clock,
    epoch: Instant,
    snapshots: SnapshotWriter,
    streams: StreamPacker,
    append: disk::Disk,
    /// Who we are, for the log: `M` or `S`.
    role: char,
}

impl ServerOutside {
    pub fn spawn(logger: &'static Logger, waker: &Waker) -> io::Result<ServerOutside> {
        Ok(ServerOutside {
            logger,
            clock: Clock::new(),
            epoch: Instant::now(),
            snapshots: SnapshotWriter::spawn(waker.clone())?,
            streams: StreamPacker::spawn(waker.clone())?,
            append: disk::Disk::spawn("redan-aof", Some(waker.clone()))?,
            role: 'M',
        })
    }

    pub fn say(&self, level: Level, text: &str) {
        self.logger.log(level, self.role, format_args!("{text}"));
    }

    /// What log lines say we are from now on.
    pub fn set_replica(&mut self, is_replica: bool) {
        self.role = if is_replica { 'S' } else { 'M' };
    }

    pub fn logger(&self) -> &'static Logger {
        self.logger
    }

    fn report_append(into: &mut Vec<DiskDone>, done: Vec<disk::DiskDone>) {
        into.extend(done.into_iter().map(|done| {
            DiskDone::Aof(Done {
                token: aof::machine::Token(done.token),
                result: done.result.map_err(|error| Failure {
                    text: error.text(),
                    changed: error.changed,
                }),
            })
        }));
    }
}

pub fn level_of(level: LogLevel) -> Level {
    match level {
        LogLevel::Debug => Level::Debug,
        LogLevel::Verbose => Level::Verbose,
        LogLevel::Notice => Level::Notice,
        LogLevel::Warning => Level::Warning,
    }
}

impl Outside for ServerOutside {
    fn unix_ms(&mut self) -> i64 {
        self.clock.now().unix_ms()
    }

    #[inline]
    fn ticks_ns(&mut self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    fn process_id(&self) -> u32 {
        std::process::id()
    }

    #[inline]
    fn used_memory(&mut self) -> u64 {
        runtime::alloc::used_bytes() as u64
    }

    fn log(&mut self, level: LogLevel, text: &str) {
        self.say(level_of(level), text);
    }
}

impl Disk for ServerOutside {
    fn submit(&mut self, job: DiskJob) {
        match job {
            DiskJob::SnapshotOpen {
                id,
                path,
                packing,
                incremental_fsync,
            } => {
                let path = path_of(&path);
                self.snapshots.open(id, path, packing, incremental_fsync);
            }
            DiskJob::SnapshotWrite { id, chunk } => self.snapshots.write(id, chunk),
            DiskJob::SnapshotFinish { id, rename_to } => self
                .snapshots
                .finish(id, rename_to.map(|path| path_of(&path))),
            DiskJob::SnapshotAbort { id } => self.snapshots.abort(id),
            DiskJob::StreamOpen {
                id,
                packing,
                scratch,
            } => self
                .streams
                .open(id, packing, scratch.map(|path| path_of(&path))),
            DiskJob::StreamWrite { id, chunk } => self.streams.write(id, chunk),
            DiskJob::StreamFinish { id } => self.streams.finish(id),
            DiskJob::StreamRead { id, bytes } => self.streams.read(id, bytes),
            DiskJob::StreamClose { id } => self.streams.close(id),
            DiskJob::Keep { path, bytes } => self.streams.keep(path_of(&path), path, bytes),
            DiskJob::Aof(Action { token, op }) => self.append.submit(token.0, disk_op(op)),
        }
    }

    fn take_done(&mut self, into: &mut Vec<DiskDone>) {
        self.snapshots.take_done(into);
        self.streams.take_done(into);
        Self::report_append(into, self.append.take_done());
    }

    fn wait_done(&mut self, into: &mut Vec<DiskDone>) {
        self.take_done(into);
        if !into.is_empty() {
            return;
        }
        if self.append.pending_ops() > 0 {
            Self::report_append(into, self.append.wait_done(WAIT));
        } else {
            self.snapshots.wait_done(into, WAIT);
        }
        self.clock.refresh();
    }
}

fn disk_op(op: Op) -> DiskOp {
    let key = |file: aof::machine::FileId| FileKey(file.0.into());
    let path = |bytes: Vec<u8>| -> PathBuf { path_of(&bytes) };
    match op {
        Op::MakeDir { path: at } => DiskOp::MakeDir { path: path(at) },
        Op::Open {
            file,
            path: at,
            truncate,
        } => DiskOp::Open {
            file: key(file),
            path: path(at),
            truncate,
        },
        Op::Append { file, chunks } => DiskOp::Append {
            file: key(file),
            chunks,
        },
        Op::Sync { file } => DiskOp::Sync { file: key(file) },
        Op::Close { file } => DiskOp::Close { file: key(file) },
        Op::Rename { from, to } => DiskOp::Rename {
            from: path(from),
            to: path(to),
        },
        Op::Remove { path: at } => DiskOp::Remove { path: path(at) },
        Op::SyncDir { path: at } => DiskOp::SyncDir { path: path(at) },
        Op::Replace {
            temp,
            path: at,
            bytes,
        } => DiskOp::Replace {
            temp: path(temp),
            path: path(at),
            bytes,
        },
    }
}

impl Files for ServerOutside {
    fn kind(&mut self, path: &[u8]) -> PathKind {
        match std::fs::metadata(path_of(path)) {
            Ok(found) if found.is_dir() => PathKind::Directory,
            Ok(_) => PathKind::File,
            Err(error) if error.kind() == io::ErrorKind::NotFound => PathKind::Absent,
            // It is there, and opening it will say what is wrong with it.
            Err(_) => PathKind::File,
        }
    }

    fn open(&mut self, path: &[u8]) -> Result<Box<dyn ReadFile>, String> {
        let opened = File::open(path_of(path)).and_then(|file| {
            let size_bytes = file.metadata()?.len();
            Ok(Reading { file, size_bytes })
        });
        match opened {
            Ok(reading) => Ok(Box::new(reading)),
            Err(error) => Err(error_text(&error)),
        }
    }

    fn list(&mut self, path: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let names = std::fs::read_dir(path_of(path)).and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.file_name().into_vec()))
                .collect::<io::Result<Vec<_>>>()
        });
        names.map_err(|e| error_text(&e))
    }

    fn truncate(&mut self, path: &[u8], length_bytes: u64) -> Result<(), String> {
        let options = File::options().write(true).open(path_of(path));
        options
            .and_then(|file| {
                file.set_len(length_bytes)?;
                file.sync_all()
            })
            .map_err(|e| error_text(&e))
    }

    fn make_dir(&mut self, path: &[u8]) -> Result<(), String> {
        match std::fs::create_dir(path_of(path)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error_text(&error)),
            _ => Ok(()),
        }
    }

    fn replace(&mut self, temp: &[u8], path: &[u8], bytes: &[u8]) -> Result<(), String> {
        disk::replace(&path_of(temp), &path_of(path), bytes).map_err(|e| e.text())
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), String> {
        std::fs::rename(path_of(from), path_of(to)).map_err(|e| error_text(&e))
    }
}

struct Reading {
    file: File,
    size_bytes: u64,
}

impl ReadFile for Reading {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read(&mut self, into: &mut Vec<u8>, max: usize) -> Result<usize, String> {
        let mut limited = (&self.file).take(max as u64);
        limited.read_to_end(into).map_err(|e| error_text(&e))
    }
}
