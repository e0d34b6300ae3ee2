//! Writes snapshot files on a thread of their own: packs, writes, makes durable, renames.
//!
//! A snapshot is written under a temporary name. Only when every byte is on the disk does it take the
//! place of the old file (fsync, rename, fsync of the directory), so there is always one whole file.
//! A failure removes the temporary one, reports once, and the snapshot's later jobs are ignored. So
//! does a second SIGINT, which ends the process where it stands ([`Unfinished`]).
//!
//! Knows what a [`DiskJob`] says and nothing of why. Tests: `tests/persistence_*.rs`.

use crate::error_text;
use node::outside::{Chunk, DiskDone, SnapshotId};
use rdb::{EncodeOptions, Packer};
use runtime::background::Background;
use runtime::reactor::Waker;
use runtime::signals::Unfinished;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Packing and writing a snapshot is long work: on a machine with few cores the event loop goes
/// first (measured on one core under 50,000 writes/s: without it a save adds 70 ms to the slowest
/// write).
const NICE: i32 = 19;
/// With incremental fsync, at most this much is left for the last one.
const SYNC_EVERY_BYTES: u64 = 4 << 20;

/// The side of the event loop.
pub struct SnapshotWriter {
    background: Background,
    shared: Arc<Shared>,
    done: Receiver<DiskDone>,
}

struct Shared {
    files: Mutex<BTreeMap<SnapshotId, SnapshotFile>>,
    done: Sender<DiskDone>,
}

struct SnapshotFile {
    path: PathBuf,
    file: File,
    packer: Option<Packer>,
    packed: Vec<u8>,
    incremental_fsync: bool,
    written_bytes: u64,
    synced_bytes: u64,
    /// Dropped with the rest, when the file has its real name or is gone.
    _unfinished: Unfinished,
}

type Failure = (&'static str, io::Error);

impl SnapshotWriter {
    pub fn spawn(waker: Waker) -> io::Result<SnapshotWriter> {
        let (sender, done) = mpsc::channel();
        Ok(SnapshotWriter {
            background: Background::spawn_nice("redan-snapshot", Some(waker), NICE)?,
            shared: Arc::new(Shared {
                files: Mutex::default(),
                done: sender,
            }),
            done,
        })
    }

    pub fn open(
        &self,
        id: SnapshotId,
        path: PathBuf,
        packing: Option<EncodeOptions>,
        incremental_fsync: bool,
    ) {
        self.run(move |shared| {
            let unfinished = Unfinished::new(&path);
            match File::create(&path) {
                Ok(file) => {
                    let opened = SnapshotFile {
                        path,
                        file,
                        packer: packing.as_ref().map(Packer::new),
                        packed: Vec::new(),
                        incremental_fsync,
                        written_bytes: 0,
                        synced_bytes: 0,
                        _unfinished: unfinished,
                    };
                    shared.with_files(|files| files.insert(id, opened));
                }
                Err(error) => shared.report_failure(id, ("open", error)),
            }
        });
    }

    pub fn write(&self, id: SnapshotId, chunk: Chunk) {
        let bytes = chunk.len();
        self.run(move |shared| {
            let Some(mut file) = shared.with_files(|files| files.remove(&id)) else {
                return;
            };
            match file.append(chunk) {
                Ok(()) => {
                    shared.with_files(|files| files.insert(id, file));
                    shared.report(DiskDone::SnapshotWritten { id, bytes });
                }
                Err(failure) => {
                    file.discard();
                    shared.report_failure(id, failure);
                }
            }
        });
    }

    pub fn finish(&self, id: SnapshotId, rename_to: Option<PathBuf>) {
        self.run(move |shared| {
            let Some(mut file) = shared.with_files(|files| files.remove(&id)) else {
                return;
            };
            match file.complete(rename_to.as_deref()) {
                Ok(()) => shared.report(DiskDone::SnapshotFinished {
                    id,
                    file_bytes: file.written_bytes,
                }),
                Err(failure) => {
                    file.discard();
                    shared.report_failure(id, failure);
                }
            }
        });
    }

    pub fn abort(&self, id: SnapshotId) {
        self.run(move |shared| {
            if let Some(file) = shared.with_files(|files| files.remove(&id)) {
                file.discard();
            }
        });
    }

    fn run(&self, job: impl FnOnce(&Shared) + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        self.background.submit(Box::new(move || job(&shared)));
    }

    pub fn take_done(&self, into: &mut Vec<DiskDone>) {
        into.extend(self.done.try_iter());
    }

    /// Waits for something to be done, but no longer than `timeout`.
    pub fn wait_done(&self, into: &mut Vec<DiskDone>, timeout: Duration) {
        if let Ok(done) = self.done.recv_timeout(timeout) {
            into.push(done);
            self.take_done(into);
        }
    }
}

impl Shared {
    fn with_files<R>(&self, act: impl FnOnce(&mut BTreeMap<SnapshotId, SnapshotFile>) -> R) -> R {
        act(&mut self.files.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn report(&self, done: DiskDone) {
        // Nobody listens any more when the server is on its way out.
        let _ = self.done.send(done);
    }

    fn report_failure(&self, id: SnapshotId, (action, error): Failure) {
        self.report(DiskDone::SnapshotFailed {
            id,
            action,
            error: error_text(&error),
        });
    }
}

impl SnapshotFile {
    fn append(&mut self, chunk: Chunk) -> Result<(), Failure> {
        let bytes = match chunk {
            Chunk::Plain(bytes) => bytes,
            Chunk::Rdb(segment) => {
                self.packed.clear();
                match &mut self.packer {
                    Some(packer) => packer.pack(segment, &mut self.packed),
                    None => unreachable!("RDB goes to files that were opened for it"),
                }
                std::mem::take(&mut self.packed)
            }
        };
        self.file.write_all(&bytes).map_err(|e| ("write", e))?;
        self.written_bytes += bytes.len() as u64;
        self.packed = bytes;
        if self.incremental_fsync && self.written_bytes - self.synced_bytes >= SYNC_EVERY_BYTES {
            self.file.sync_data().map_err(|e| ("fsync", e))?;
            self.synced_bytes = self.written_bytes;
        }
        Ok(())
    }

    fn complete(&mut self, rename_to: Option<&Path>) -> Result<(), Failure> {
        self.file.sync_all().map_err(|e| ("fsync", e))?;
        if let Some(target) = rename_to {
            std::fs::rename(&self.path, target).map_err(|e| ("rename", e))?;
            sync_directory_of(target).map_err(|e| ("fsync of the directory", e))?;
        }
        Ok(())
    }

    fn discard(&self) {
        // Already gone, or not ours to remove any more: the next one overwrites it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Makes a rename durable.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    File::open(dir)?.sync_all()
}
