//! Packs snapshots for replicas on a thread of their own, and keeps files that replication wants
//! kept.
//!
//! A streamed snapshot's bytes come back as they are packed. A whole one goes into a file first, which
//! loses its name as soon as it is open, so that nothing is left of it whatever happens, and is read
//! back piece by piece when its length is known.
//!
//! Knows what a `DiskJob` says and nothing of why. Tests: `tests/replication_*.rs`.

use crate::error_text;
use node::outside::{Chunk, DiskDone, StreamId};
use rdb::{EncodeOptions, Packer};
use runtime::background::Background;
use runtime::disk;
use runtime::reactor::Waker;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

/// A replica waits for this, so it may take more of a processor than a save; the event loop still
/// goes first.
const NICE: i32 = 10;

/// The side of the event loop.
pub struct StreamPacker {
    background: Background,
    shared: Arc<Shared>,
    done: Receiver<DiskDone>,
}

struct Shared {
    streams: Mutex<BTreeMap<StreamId, Stream>>,
    done: Sender<DiskDone>,
}

struct Stream {
    packer: Packer,
    scratch: Option<File>,
    total_bytes: u64,
}

impl StreamPacker {
    pub fn spawn(waker: Waker) -> io::Result<StreamPacker> {
        let (sender, done) = mpsc::channel();
        Ok(StreamPacker {
            background: Background::spawn_nice("redan-sync", Some(waker), NICE)?,
            shared: Arc::new(Shared {
                streams: Mutex::default(),
                done: sender,
            }),
            done,
        })
    }

    pub fn open(&self, id: StreamId, packing: EncodeOptions, scratch: Option<PathBuf>) {
        self.run(move |shared| match scratch.map(nameless).transpose() {
            Ok(scratch) => {
                let stream = Stream {
                    packer: Packer::new(&packing),
                    scratch,
                    total_bytes: 0,
                };
                shared.with(|streams| streams.insert(id, stream));
            }
            Err(error) => shared.fail(id, &error),
        });
    }

    pub fn write(&self, id: StreamId, chunk: Chunk) {
        self.on_stream(id, move |stream| {
            let taken_bytes = chunk.len();
            let bytes = stream.pack(chunk)?;
            Ok(DiskDone::StreamPacked {
                id,
                taken_bytes,
                bytes,
            })
        });
    }

    pub fn finish(&self, id: StreamId) {
        self.on_stream(id, move |stream| {
            if let Some(file) = &mut stream.scratch {
                file.rewind()?;
            }
            Ok(DiskDone::StreamFinished {
                id,
                total_bytes: stream.total_bytes,
            })
        });
    }

    pub fn read(&self, id: StreamId, count: usize) {
        self.on_stream(id, move |stream| {
            let mut bytes = vec![0; count];
            match &mut stream.scratch {
                Some(file) => file.read_exact(&mut bytes)?,
                None => bytes.clear(),
            }
            Ok(DiskDone::StreamPacked {
                id,
                taken_bytes: count,
                bytes,
            })
        });
    }

    pub fn close(&self, id: StreamId) {
        self.run(move |shared| drop(shared.with(|streams| streams.remove(&id))));
    }

    /// Writes a file, durably.
    pub fn keep(&self, path: PathBuf, name: Vec<u8>, bytes: Vec<u8>) {
        self.run(move |shared| {
            let mut temp = path.clone().into_os_string();
            temp.push(".temp");
            let error = disk::replace(&PathBuf::from(temp), &path, &bytes).err();
            shared.report(DiskDone::Kept {
                path: name,
                error: error.map(|error| error.text()),
            });
        });
    }

    pub fn take_done(&self, into: &mut Vec<DiskDone>) {
        into.extend(self.done.try_iter());
    }

    /// Does something with a stream that has neither failed nor been closed.
    fn on_stream(
        &self,
        id: StreamId,
        act: impl FnOnce(&mut Stream) -> io::Result<DiskDone> + Send + 'static,
    ) {
        self.run(move |shared| {
            let Some(mut stream) = shared.with(|streams| streams.remove(&id)) else {
                return;
            };
            match act(&mut stream) {
                Ok(done) => {
                    shared.with(|streams| streams.insert(id, stream));
                    shared.report(done);
                }
                Err(error) => shared.fail(id, &error),
            }
        });
    }

    fn run(&self, job: impl FnOnce(&Shared) + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        self.background.submit(Box::new(move || job(&shared)));
    }
}

impl Shared {
    fn with<R>(&self, act: impl FnOnce(&mut BTreeMap<StreamId, Stream>) -> R) -> R {
        act(&mut self.streams.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn report(&self, done: DiskDone) {
        // Nobody listens any more when the server is on its way out.
        let _ = self.done.send(done);
    }

    fn fail(&self, id: StreamId, error: &io::Error) {
        let error = error_text(error);
        self.report(DiskDone::StreamFailed { id, error });
    }
}

impl Stream {
    /// What comes back: nothing if there is a file to take it.
    fn pack(&mut self, chunk: Chunk) -> io::Result<Vec<u8>> {
        let bytes = match chunk {
            Chunk::Plain(bytes) => bytes,
            Chunk::Rdb(segment) => {
                let mut packed = Vec::with_capacity(segment.len());
                self.packer.pack(segment, &mut packed);
                packed
            }
        };
        self.total_bytes += bytes.len() as u64;
        match &mut self.scratch {
            None => Ok(bytes),
            Some(file) => {
                file.write_all(&bytes)?;
                Ok(Vec::new())
            }
        }
    }
}

/// A new file for writing and reading that is gone when it is closed.
fn nameless(path: PathBuf) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
