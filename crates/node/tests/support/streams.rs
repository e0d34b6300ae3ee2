//! Snapshots for replicas, packed at once; and files that replication wants kept.

use std::collections::BTreeMap;

use node::outside::{Chunk, DiskDone, DiskJob, StreamId};
use rdb::Packer;

#[derive(Default)]
pub struct ModelStreams(BTreeMap<StreamId, Stream>);

struct Stream {
    packer: Packer,
    /// A whole one's file, and how much of it was read back.
    scratch: Option<(Vec<u8>, usize)>,
    total_bytes: u64,
}

impl ModelStreams {
    /// Does a job of replication's; what cannot be its is given back.
    pub fn run(&mut self, job: DiskJob) -> Result<Option<DiskDone>, DiskJob> {
        Ok(match job {
            DiskJob::StreamOpen {
                id,
                packing,
                scratch,
            } => {
                let stream = Stream {
                    packer: Packer::new(&packing),
                    scratch: scratch.map(|_| (Vec::new(), 0)),
                    total_bytes: 0,
                };
                self.0.insert(id, stream);
                None
            }
            DiskJob::StreamWrite { id, chunk } => self.0.get_mut(&id).map(|stream| {
                let taken_bytes = chunk.len();
                let bytes = stream.pack(chunk);
                DiskDone::StreamPacked {
                    id,
                    taken_bytes,
                    bytes,
                }
            }),
            DiskJob::StreamFinish { id } => {
                self.0.get(&id).map(|stream| DiskDone::StreamFinished {
                    id,
                    total_bytes: stream.total_bytes,
                })
            }
            DiskJob::StreamRead { id, bytes: count } => self.0.get_mut(&id).map(|stream| {
                let (file, at) = stream.scratch.as_mut().expect("made for reading back");
                let bytes = file[*at..*at + count].to_vec();
                *at += count;
                DiskDone::StreamPacked {
                    id,
                    taken_bytes: count,
                    bytes,
                }
            }),
            DiskJob::StreamClose { id } => {
                self.0.remove(&id);
                None
            }
            job => return Err(job),
        })
    }
}

impl Stream {
    fn pack(&mut self, chunk: Chunk) -> Vec<u8> {
        let bytes = match chunk {
            Chunk::Plain(bytes) => bytes,
            Chunk::Rdb(segment) => {
                let mut packed = Vec::new();
                self.packer.pack(segment, &mut packed);
                packed
            }
        };
        self.total_bytes += bytes.len() as u64;
        match &mut self.scratch {
            None => bytes,
            Some((file, _)) => {
                file.extend(bytes);
                Vec::new()
            }
        }
    }
}
