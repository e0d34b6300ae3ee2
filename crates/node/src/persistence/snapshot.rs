//! One snapshot on its way to a file: the pass over the keyspace, the chunks that are being written,
//! and what it is for.
//!
//! ```text
//!   Walking ──pass finished──► Finishing ──file durable──► (done)
//!      └──────────── a write failed ─────────────────────► (failed)
//! ```
//! The pass goes on in slices after a turn's replies are out. It waits while the disk has more than
//! `IN_FLIGHT_MAX_BYTES` to write, so memory stays flat however slow the disk is; what writing
//! commands push into the sink meanwhile is bounded by what clients write.
//!
//! Knows neither save points nor the AOF's manifest. Tests: `tests/` of this crate.

use crate::outside::{Disk, DiskJob, Outside, SnapshotId};
use crate::persistence::sink::output_of;
use engine::Engine;
use keyspace::snapshot::{PassId, PassProgress, Sink};

/// How much of a snapshot may be on its way to the disk.
const IN_FLIGHT_MAX_BYTES: usize = 8 << 20;

/// What a snapshot becomes when it is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The RDB file of that name.
    Rdb { file: Vec<u8> },
    /// The AOF's next base; the AOF machine renames it.
    AofBase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Walking(PassId),
    Finishing,
}

/// `rdb-key-save-delay`: a pass may show one key in so many microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    started_ms: i64,
    pub delay_us: i64,
}

impl Pace {
    pub fn new(started_ms: i64, delay_us: i64) -> Pace {
        Pace {
            started_ms,
            delay_us,
        }
    }

    /// Keys that may have been shown by now.
    pub fn keys_allowed(&self, now_ms: i64) -> u64 {
        match u64::try_from(self.delay_us) {
            Ok(delay_us) if delay_us > 0 => {
                (now_ms - self.started_ms).max(0) as u64 * 1000 / delay_us + 1
            }
            _ => u64::MAX,
        }
    }

    /// Whether one more than `done` may be shown.
    pub fn allows(&self, done: u64, now_ms: i64) -> bool {
        self.keys_allowed(now_ms) > done
    }

    /// How long to wait before asking again.
    pub fn step_ms(&self) -> i64 {
        (self.delay_us / 1000).clamp(1, 100)
    }
}

pub struct Snapshot {
    pub id: SnapshotId,
    pub purpose: Purpose,
    pub started_ms: i64,
    /// Changes since the last save when the pass began: what this save will have saved.
    pub dirty_before: u64,
    pub pace: Pace,
    stage: Stage,
    in_flight_bytes: usize,
    progress: PassProgress,
}

/// How a snapshot is begun.
pub struct Begin {
    pub id: SnapshotId,
    pub purpose: Purpose,
    pub temp_path: Vec<u8>,
    pub packing: Option<rdb::EncodeOptions>,
    pub incremental_fsync: bool,
    pub key_delay_us: i64,
}

impl Snapshot {
    pub fn begin<O: Outside + ?Sized>(
        begin: Begin,
        sink: Box<dyn Sink>,
        engine: &mut Engine,
        outside: &mut O,
    ) -> Snapshot {
        outside.submit(DiskJob::SnapshotOpen {
            id: begin.id,
            path: begin.temp_path,
            packing: begin.packing,
            incremental_fsync: begin.incremental_fsync,
        });
        let dirty_before = engine.keyspace.journal.dirty;
        let pass = engine.keyspace.begin_pass(sink);
        Snapshot {
            id: begin.id,
            purpose: begin.purpose,
            started_ms: outside.unix_ms(),
            dirty_before,
            pace: Pace::new(outside.unix_ms(), begin.key_delay_us),
            stage: Stage::Walking(pass),
            in_flight_bytes: 0,
            progress: engine.keyspace.pass_progress(pass),
        }
    }

    pub fn progress(&self) -> PassProgress {
        self.progress
    }

    pub fn elapsed_s(&self, now_ms: i64) -> i64 {
        (now_ms - self.started_ms).max(0) / 1000
    }

    /// When `rdb-key-save-delay` allows the next key, if that is what it waits for.
    pub fn next_key_in_ms(&self, now_ms: i64) -> Option<i64> {
        let waits = matches!(self.stage, Stage::Walking(_))
            && !self.pace.allows(self.progress.done_keys, now_ms);
        waits.then(|| self.pace.step_ms())
    }

    /// Whether [`Snapshot::step`] has something to do now.
    pub fn wants_step(&self, now_ms: i64) -> bool {
        matches!(self.stage, Stage::Walking(_))
            && self.in_flight_bytes < IN_FLIGHT_MAX_BYTES
            && self.pace.allows(self.progress.done_keys, now_ms)
    }

    /// One slice of at most `budget_ns`, and whatever the sink has collected goes to the disk.
    pub fn step<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
        budget_ns: u64,
    ) {
        let Stage::Walking(pass) = self.stage else {
            return;
        };
        let mut finished = false;
        let now_ms = outside.unix_ms();
        if self.wants_step(now_ms) {
            let allowed = self.pace.keys_allowed(now_ms);
            let until_ns = outside.ticks_ns() + budget_ns;
            let room = IN_FLIGHT_MAX_BYTES - self.in_flight_bytes;
            finished = engine.keyspace.step_pass(pass, &mut |sink| {
                let output = output_of(sink);
                output.keys() < allowed
                    && output.ready_bytes() < room
                    && outside.ticks_ns() < until_ns
            });
            self.progress = engine.keyspace.pass_progress(pass);
        }
        self.collect(engine, outside, finished);
    }

    /// Hands what writes and slices put into the sink to the disk.
    fn collect<O: Disk + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O, finished: bool) {
        let Stage::Walking(pass) = self.stage else {
            return;
        };
        let output = output_of(engine.keyspace.pass_sink(pass));
        if finished {
            output.finish();
        }
        for chunk in output.take(finished) {
            self.in_flight_bytes += chunk.len();
            outside.submit(DiskJob::SnapshotWrite { id: self.id, chunk });
        }
        if finished {
            drop(engine.keyspace.end_pass(pass));
            self.stage = Stage::Finishing;
            let rename_to = match &self.purpose {
                Purpose::Rdb { file } => Some(file.clone()),
                Purpose::AofBase => None,
            };
            outside.submit(DiskJob::SnapshotFinish {
                id: self.id,
                rename_to,
            });
        }
    }

    /// So many bytes have reached the file.
    pub fn written(&mut self, bytes: usize) {
        assert!(bytes <= self.in_flight_bytes, "written more than was sent");
        self.in_flight_bytes -= bytes;
    }

    /// Ends the pass. The file is removed by `SnapshotAbort`, or by the disk itself after a failure.
    pub fn give_up(self, engine: &mut Engine) {
        if let Stage::Walking(pass) = self.stage {
            drop(engine.keyspace.end_pass(pass));
        }
    }
}
