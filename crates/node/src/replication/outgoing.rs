//! A snapshot for our replicas: one pass over the keyspace, packed by a thread, handed to the
//! replication machine, which sends it to all who wait for it.
//!
//! ```text
//!   streamed:  Walking ──► Packing the rest ──► done          pieces go out as they are packed
//!   whole:     Walking ──► Packing ──► Reading ──► done       into a nameless file, then from it
//! ```
//! The pass waits while the slowest replica has more than the machine's room to read, and while the
//! thread has more than [`IN_FLIGHT_MAX_BYTES`] to pack; what writes push into the sink meanwhile is
//! bounded by what clients write.
//!
//! The format is never newer than version 10: that is what Redis 7.0 reads, and a replica does not
//! say what it can read. Tests: `tests/replication.rs`, process tests of `server`.

use crate::outside::{Chunk, Disk, DiskJob, Outside, StreamId};
use crate::persistence::sink::{Output, output_of};
use crate::persistence::snapshot::Pace;
use engine::Engine;
use keyspace::snapshot::{PassId, Sink};
use replication::{Replication, SnapshotId, SnapshotKind};

const IN_FLIGHT_MAX_BYTES: usize = 4 << 20;
/// Read at once from the file of a whole snapshot.
const READ_BYTES: usize = 256 << 10;
pub const RDB_VERSION_MAX: u16 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Walking(PassId),
    /// Everything was handed to the thread.
    Packing,
    /// A whole one is in its file; so many bytes of it have not been asked for.
    Reading {
        left_bytes: u64,
    },
}

pub struct Outgoing {
    pub id: SnapshotId,
    stream: StreamId,
    kind: SnapshotKind,
    stage: Stage,
    /// Handed to the thread, or asked of it, and not come back yet.
    in_flight_bytes: usize,
    pace: Pace,
    keys: u64,
}

impl Outgoing {
    /// `scratch` is where a whole snapshot's file is made. With `is_empty` no data goes into it.
    pub fn begin<O: Outside + ?Sized>(
        (id, kind, is_empty): (SnapshotId, SnapshotKind, bool),
        (sink, packing): (Box<dyn Sink>, rdb::EncodeOptions),
        scratch: Vec<u8>,
        engine: &mut Engine,
        outside: &mut O,
    ) -> Outgoing {
        let stream = StreamId(id.0);
        outside.submit(DiskJob::StreamOpen {
            id: stream,
            packing,
            scratch: (kind == SnapshotKind::Whole).then_some(scratch),
        });
        let mut outgoing = Outgoing {
            id,
            stream,
            kind,
            stage: Stage::Packing,
            in_flight_bytes: 0,
            pace: Pace::new(outside.unix_ms(), engine.config.rdb_key_save_delay.into()),
            keys: 0,
        };
        if is_empty {
            let mut sink = sink;
            outgoing.submit_all(output_of(&mut *sink), outside);
        } else {
            outgoing.stage = Stage::Walking(engine.keyspace.begin_pass(sink));
        }
        outgoing
    }

    pub fn is_of(&self, stream: StreamId) -> bool {
        self.stream == stream
    }

    /// Bytes that the machine and the thread would take now.
    fn room(&self, machine: &Replication) -> usize {
        let free = IN_FLIGHT_MAX_BYTES.saturating_sub(self.in_flight_bytes);
        match self.kind {
            SnapshotKind::Streamed => {
                let wanted = machine.snapshot_room(self.id);
                free.min(usize::try_from(wanted).unwrap_or(usize::MAX))
            }
            SnapshotKind::Whole => free,
        }
    }

    /// Whether [`Outgoing::step`] has something to do now.
    pub fn wants_step(&self, machine: &Replication, now_ms: i64) -> bool {
        match self.stage {
            Stage::Walking(_) => self.room(machine) > 0 && self.pace.allows(self.keys, now_ms),
            Stage::Packing => false,
            Stage::Reading { left_bytes } => {
                left_bytes > 0 && self.in_flight_bytes == 0 && machine.snapshot_room(self.id) > 0
            }
        }
    }

    /// When `rdb-key-save-delay` allows the next key, if that is what it waits for.
    pub fn next_key_in_ms(&self, now_ms: i64) -> Option<i64> {
        let waits = matches!(self.stage, Stage::Walking(_)) && !self.pace.allows(self.keys, now_ms);
        waits.then(|| self.pace.step_ms())
    }

    /// One slice of at most `budget_ns`.
    pub fn step<O: Outside + ?Sized>(
        &mut self,
        machine: &Replication,
        engine: &mut Engine,
        outside: &mut O,
        budget_ns: u64,
    ) {
        match self.stage {
            Stage::Walking(pass) => {
                self.pace.delay_us = engine.config.rdb_key_save_delay.into();
                let (room, now_ms) = (self.room(machine), outside.unix_ms());
                let mut is_over = false;
                if self.wants_step(machine, now_ms) {
                    let until_ns = outside.ticks_ns() + budget_ns;
                    let allowed = self.pace.keys_allowed(now_ms);
                    is_over = engine.keyspace.step_pass(pass, &mut |sink| {
                        let output = output_of(sink);
                        output.keys() < allowed
                            && output.ready_bytes() < room
                            && outside.ticks_ns() < until_ns
                    });
                    self.keys = output_of(engine.keyspace.pass_sink(pass)).keys();
                }
                self.collect(pass, engine, outside, is_over);
            }
            Stage::Packing => {}
            Stage::Reading { left_bytes } => {
                if self.wants_step(machine, outside.unix_ms()) {
                    let room = machine.snapshot_room(self.id).min(left_bytes);
                    let bytes = READ_BYTES.min(room as usize);
                    self.in_flight_bytes = bytes;
                    self.stage = Stage::Reading {
                        left_bytes: left_bytes - bytes as u64,
                    };
                    outside.submit(DiskJob::StreamRead {
                        id: self.stream,
                        bytes,
                    });
                }
            }
        }
    }

    fn collect<O: Disk + ?Sized>(
        &mut self,
        pass: PassId,
        engine: &mut Engine,
        outside: &mut O,
        is_over: bool,
    ) {
        let output = output_of(engine.keyspace.pass_sink(pass));
        if is_over {
            self.submit_all(output, outside);
            drop(engine.keyspace.end_pass(pass));
        } else {
            self.submit(output.take(false), outside);
        }
    }

    fn submit<O: Disk + ?Sized>(&mut self, chunks: Vec<Chunk>, outside: &mut O) {
        for chunk in chunks {
            self.in_flight_bytes += chunk.len();
            outside.submit(DiskJob::StreamWrite {
                id: self.stream,
                chunk,
            });
        }
    }

    /// The sink has seen everything.
    fn submit_all<O: Disk + ?Sized>(&mut self, output: &mut dyn Output, outside: &mut O) {
        output.finish();
        self.submit(output.take(true), outside);
        self.stage = Stage::Packing;
        outside.submit(DiskJob::StreamFinish { id: self.stream });
    }

    /// The thread has packed (or read) something. True if that was the last of the snapshot.
    pub fn packed(
        &mut self,
        machine: &mut Replication,
        taken_bytes: usize,
        bytes: Vec<u8>,
    ) -> bool {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(taken_bytes);
        machine.snapshot_data(self.id, bytes);
        matches!(self.stage, Stage::Reading { left_bytes: 0 }) && self.in_flight_bytes == 0
    }

    /// The thread has packed all of it. True if that was the last of the snapshot.
    pub fn packed_all(&mut self, machine: &mut Replication, now_ms: u64, total_bytes: u64) -> bool {
        match self.kind {
            SnapshotKind::Streamed => true,
            SnapshotKind::Whole => {
                self.stage = Stage::Reading {
                    left_bytes: total_bytes,
                };
                machine.snapshot_ready(now_ms, self.id, total_bytes);
                false
            }
        }
    }

    /// It is over, one way or another.
    pub fn end<O: Disk + ?Sized>(self, engine: &mut Engine, outside: &mut O) {
        if let Stage::Walking(pass) = self.stage {
            drop(engine.keyspace.end_pass(pass));
        }
        outside.submit(DiskJob::StreamClose { id: self.stream });
    }
}
