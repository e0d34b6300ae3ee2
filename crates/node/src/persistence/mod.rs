//! Keeping the data: snapshots, the append-only file, and what operators ask of them.
//!
//! At most one snapshot is under way, for an RDB file or for the AOF's next base, as users of Redis
//! expect of its one child. Everything that begins one begins it at the end of a turn, when the
//! effects so far have been handed to the AOF: so the boundary between two AOF files is the
//! snapshot's moment exactly, also when BGREWRITEAOF stood in the middle of a transaction.
//!
//! ```text
//!   BGSAVE, save points, FLUSHALL ──► requested ──end of turn──► snapshot ──► done
//!   BGREWRITEAOF, growth, appendonly yes ─┘                         │
//!                         one is under way: scheduled ◄─────────────┘ next
//! ```
//! `saving.rs` says when to save, `snapshot.rs` is one snapshot on its way, `append.rs` the AOF,
//! `loading.rs` the way back. Knows no file and no clock ([`Outside`]). Tests: `tests/`.

mod append;
mod finding;
mod info;
mod leaving;
pub(crate) mod load_batch;
mod loading;
mod reloading;
mod saving;
pub(crate) mod sink;
pub(crate) mod snapshot;

use crate::outside::{DiskDone, DiskJob, Outside, SnapshotId};
use crate::replication::Position;
use append::Append;
use config::Config;
use engine::host::LogLevel;
use engine::{Engine, LoadingInfo, ReplyError};
use keyspace::snapshot::Sink;
use loading::LoadOptions;
use rdb::{EncodeOptions, Encoder};
use saving::Saving;
use sink::{Access, RdbSink};
use snapshot::{Begin, Purpose, Snapshot};

pub use finding::Origin;
pub use leaving::SHUTDOWN_FAILED;
pub use loading::{FileHistory, LoadFailed, Loaded, Loader, Step};
pub use reloading::reload;

const MISCONF_RDB: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";

const CRON_PERIOD_MS: i64 = 100;
/// SAVE looks at the disk this often.
const SAVE_SLICE_NS: u64 = 10_000_000;

/// What begins at the end of this turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Request {
    Save,
    Rewrite,
}

pub struct Persistence {
    saving: Saving,
    append: Append,
    snapshot: Option<Snapshot>,
    requested: Option<Request>,
    save_scheduled: bool,
    next_id: u64,
    last_cron_ms: i64,
    loading: Option<LoadingInfo>,
    loaded: Loaded,
    done: Vec<DiskDone>,
    /// Of replication's own jobs.
    done_for_links: Vec<DiskDone>,
    /// Where in the history a file that is begun now stands.
    position: Option<Position>,
}

/// What replication needs of the files' side, and gives to it.
impl Persistence {
    /// Takes what commands did so far: the AOF's part goes there, the replicas' waits for
    /// [`Persistence::take_for_replicas`].
    pub fn take_effects<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        self.append.take_effects(engine, outside);
    }

    /// Bytes that replicas are to get; `spare` is emptied and takes their place.
    pub fn take_for_replicas(&mut self, spare: Vec<u8>) -> Vec<u8> {
        self.append.take_for_replicas(spare)
    }

    pub fn for_replicas_bytes(&self) -> usize {
        self.append.for_replicas_bytes()
    }

    /// Tells where in the history a file stands that is begun before the next call.
    pub fn set_position(&mut self, position: Option<Position>) {
        self.position = position;
    }

    /// How far the effects are on the disk; none without an AOF.
    pub fn fsynced_offset(&self) -> Option<u64> {
        self.append.is_on().then(|| self.append.fsynced_offset())
    }

    pub fn take_done_for_links(&mut self) -> Vec<DiskDone> {
        std::mem::take(&mut self.done_for_links)
    }

    /// A snapshot of the primary has taken the place of all data: what the AOF says is past.
    pub fn data_set_replaced<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        if !self.append.is_on() {
            return;
        }
        self.append.start_over(outside);
        // The rewrite that this ends must be gone before the next one begins.
        self.append.hear(outside);
        self.abort_rewrite_if_asked(engine, outside);
        if self.snapshot.is_none() {
            self.save_scheduled |= self.requested == Some(Request::Save);
            self.requested = Some(Request::Rewrite);
        }
    }

    /// An encoder for a snapshot that goes to replicas, how it is to be packed, and where a file
    /// may be made for it.
    pub fn sync_snapshot<O: Outside + ?Sized>(
        &mut self,
        snapshot: &SyncSnapshot,
        engine: &Engine,
        outside: &mut O,
    ) -> ((Box<dyn Sink>, EncodeOptions), Vec<u8>) {
        let config = &engine.config;
        let mut packing = encode_options(config);
        packing.version = packing.version.min(snapshot.version_max);
        let sink = rdb_sink(engine, outside, &packing, false, snapshot.position);
        let name = format!("temp-sync-{}.rdb", outside.process_id());
        ((sink, packing), path_in_dir(config, name.as_bytes()))
    }
}

/// What a snapshot for replicas is to be like.
pub struct SyncSnapshot {
    pub version_max: u16,
    pub position: Option<Position>,
}

/// Loading the data set.
impl Persistence {
    /// Finds what to load at the start. The caller steps the loader to its end, with
    /// [`Persistence::loading_goes_on`] after each step, then calls [`Persistence::loaded`].
    pub fn begin_loading<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
    ) -> Result<(Origin, Loader), LoadFailed> {
        let (origin, parts) = finding::find(&engine.config, self.append.names(), outside)?;
        let options = LoadOptions {
            keep_expired: engine.config.replicaof.is_some(),
            ..LoadOptions::default()
        };
        let loader = Loader::new(parts, options, outside);
        engine.loading = true;
        self.loading_goes_on(&loader, outside);
        Ok((origin, loader))
    }

    /// For INFO.
    pub fn loading_goes_on<O: Outside + ?Sized>(&mut self, loader: &Loader, outside: &mut O) {
        self.loading = Some(loader.info(outside.unix_ms()));
    }

    /// Everything is loaded: the AOF goes on from there.
    pub fn finish_loading<O: Outside + ?Sized>(
        &mut self,
        origin: Origin,
        loader: &Loader,
        engine: &mut Engine,
        outside: &mut O,
    ) {
        self.note_loaded(loader, engine);
        match origin {
            Origin::Rdb => {}
            Origin::Aof(manifest) => {
                self.append.start(manifest, loader.sizes(), engine, outside);
                // Nobody is served before the files are there to write to.
                while !self.append.is_settled() && !self.append.start_failed() {
                    self.wait_for_disk(engine, outside);
                    self.append.drive(engine, outside);
                }
            }
            Origin::RdbIntoAof => {
                self.append.switch(true, outside);
                self.requested = Some(Request::Rewrite);
            }
        }
        self.append.drive(engine, outside);
    }

    fn note_loaded(&mut self, loader: &Loader, engine: &mut Engine) {
        engine.loading = false;
        self.loading = None;
        self.loaded = loader.loaded();
    }

    /// Whether the AOF's files could not be opened after loading: the server must not go on.
    pub fn start_failed(&self) -> bool {
        self.append.start_failed()
    }
}

impl Persistence {
    pub fn new(config: &Config, process_id: u32, now_ms: i64) -> Persistence {
        Persistence {
            saving: Saving::new(now_ms),
            append: Append::new(config, process_id),
            snapshot: None,
            requested: None,
            save_scheduled: false,
            next_id: 1,
            last_cron_ms: 0,
            loading: None,
            loaded: Loaded::default(),
            done: Vec::new(),
            done_for_links: Vec::new(),
            position: None,
        }
    }

    /// Whether a snapshot is under way or about to begin.
    fn is_busy_with(&self, request: Request) -> bool {
        self.requested == Some(request)
            || self.snapshot.as_ref().is_some_and(|snapshot| {
                (snapshot.purpose == Purpose::AofBase) == (request == Request::Rewrite)
            })
    }

    fn is_saving(&self) -> bool {
        self.is_busy_with(Request::Save)
    }

    fn is_rewriting(&self) -> bool {
        self.is_busy_with(Request::Rewrite)
    }

    /// BGSAVE.
    pub fn bgsave(&mut self, in_transaction: bool, schedule: bool) -> Result<&'static str, String> {
        if self.is_saving() {
            return Err("Background save already in progress".into());
        }
        if self.is_rewriting() || in_transaction {
            if !schedule && !in_transaction {
                return Err("Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.".into());
            }
            self.save_scheduled = true;
            return Ok("Background saving scheduled");
        }
        self.requested = Some(Request::Save);
        Ok("Background saving started")
    }

    /// BGREWRITEAOF.
    pub fn rewrite_aof(&mut self, in_transaction: bool) -> Result<&'static str, String> {
        if self.is_rewriting() {
            return Err("Background append only file rewriting already in progress".into());
        }
        self.append.schedule_rewrite();
        if self.is_saving() || in_transaction {
            return Ok("Background append only file rewriting scheduled");
        }
        self.requested = Some(Request::Rewrite);
        Ok("Background append only file rewriting started")
    }

    /// SAVE: when this returns, the file is on the disk.
    pub fn save<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
    ) -> Result<(), String> {
        if self.is_saving() {
            return Err("Background save already in progress".into());
        }
        self.save_now(engine, outside)
    }

    fn save_now<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
    ) -> Result<(), String> {
        let mut snapshot = self.begin_rdb(engine, outside);
        let id = snapshot.id;
        loop {
            snapshot.step(engine, outside, SAVE_SLICE_NS);
            let mut done = Vec::new();
            if snapshot.wants_step(outside.unix_ms()) {
                outside.take_done(&mut done);
            } else {
                outside.wait_done(&mut done);
            }
            for done in done {
                match done {
                    DiskDone::SnapshotWritten { id: of, bytes } if of == id => {
                        snapshot.written(bytes)
                    }
                    DiskDone::SnapshotFinished { id: of, .. } if of == id => {
                        self.saved(engine, outside, 0);
                        return Ok(());
                    }
                    DiskDone::SnapshotFailed {
                        id: of,
                        action,
                        error,
                    } if of == id => {
                        log_failure(outside, action, &error);
                        snapshot.give_up(engine);
                        return Err(String::new());
                    }
                    other => self.on_done(engine, outside, other),
                }
            }
        }
    }

    /// FLUSHALL has emptied everything: what is being saved is gone, and the file is to say so.
    pub fn flushed_all<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        self.abort_save(engine, outside);
        if engine.config.save.is_empty() {
            return;
        }
        if self.is_rewriting() {
            self.save_scheduled = true;
        } else {
            self.requested = Some(Request::Save);
        }
        // The save that follows covers all of this; should it fail, its failure says so.
        engine.keyspace.journal.dirty = 0;
    }

    /// The turn's effects go to the AOF; what was asked for begins. To be called once a turn, after
    /// the engine's own end of it and before replies are written.
    pub fn end_of_turn<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        // Effects first: a snapshot that begins below must not contain what the old file lacks.
        self.append.take_effects(engine, outside);
        // What the disk has done meanwhile may release this turn's replies.
        self.collect_done(engine, outside);
        let now_ms = outside.unix_ms();
        if now_ms - self.last_cron_ms >= CRON_PERIOD_MS && !engine.debug.cron_paused {
            self.last_cron_ms = now_ms;
            self.cron(engine, outside);
        }
        self.start_requested(engine, outside);
        self.append.set_saving(self.is_saving(), outside);
        // All of the above may have given the machine something to do.
        self.append.drive(engine, outside);
        self.finish_closing(engine, outside);
        self.abort_rewrite_if_asked(engine, outside);
        self.refuse_writes_if_needed(engine);
    }

    /// Ends the snapshot that was to be the AOF's next base, if the machine has no use for it.
    fn abort_rewrite_if_asked<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
    ) {
        if self.append.take_abort_rewrite()
            && self
                .snapshot
                .as_ref()
                .is_some_and(|s| s.purpose == Purpose::AofBase)
        {
            outside.log(
                LogLevel::Notice,
                &format!(
                    "Killing running AOF rewrite child: {}",
                    outside.process_id()
                ),
            );
            self.abort_snapshot(engine, outside);
        }
    }

    /// A slice of the snapshot. To be called after a turn's replies are out.
    pub fn after_replies<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
        budget_ns: u64,
    ) {
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.pace.delay_us = engine.config.rdb_key_save_delay.into();
            snapshot.step(engine, outside, budget_ns);
        }
    }

    /// Whether the next turn should come at once, and otherwise when at the latest.
    pub fn next_timeout_ms(&self, now_ms: i64, now_ns: u64) -> Option<i64> {
        let snapshot = self.snapshot.as_ref().and_then(|snapshot| {
            if snapshot.wants_step(now_ms) {
                Some(0)
            } else {
                snapshot.next_key_in_ms(now_ms)
            }
        });
        let requested = self.requested.map(|_| 0);
        let append = self
            .append
            .due_ns()
            .map(|due_ns| due_ns.saturating_sub(now_ns).div_ceil(1_000_000) as i64);
        [snapshot, requested, append].into_iter().flatten().min()
    }

    /// Ten times a second: save points, growth of the AOF, what was scheduled.
    fn cron<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        let now_ms = outside.unix_ms();
        if self.snapshot.is_some() || self.requested.is_some() || engine.loading {
            return;
        }
        if self.append.rewrite_due(outside) {
            self.requested = Some(Request::Rewrite);
            return;
        }
        let dirty = engine.keyspace.journal.dirty;
        if let Some(point) = self.saving.due(&engine.config.save, dirty, now_ms) {
            outside.log(
                LogLevel::Notice,
                &format!(
                    "{} changes in {} seconds. Saving...",
                    point.changes, point.seconds
                ),
            );
            self.requested = Some(Request::Save);
        } else if self.save_scheduled && self.saving.may_start_scheduled(now_ms) {
            self.requested = Some(Request::Save);
        }
    }

    fn start_requested<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        match self.requested.take() {
            None => {}
            Some(Request::Save) => {
                self.save_scheduled = false;
                self.saving.tried(outside.unix_ms());
                let text = format!("Background saving started by pid {}", outside.process_id());
                let snapshot = self.begin_rdb(engine, outside);
                self.snapshot = Some(snapshot);
                outside.log(LogLevel::Notice, &text);
            }
            Some(Request::Rewrite) => {
                let id = self.new_id();
                // None: the file is being opened or closed at this moment; it stays scheduled.
                self.snapshot = self.append.begin_rewrite(id, engine, outside);
            }
        }
    }

    fn new_id(&mut self) -> SnapshotId {
        let id = SnapshotId(self.next_id);
        self.next_id += 1;
        id
    }

    fn begin_rdb<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) -> Snapshot {
        let config = &engine.config;
        let packing = encode_options(config);
        let begin = Begin {
            id: self.new_id(),
            purpose: Purpose::Rdb {
                file: rdb_path(config),
            },
            temp_path: path_in_dir(config, &temp_rdb_name(outside.process_id())),
            incremental_fsync: config.rdb_save_incremental_fsync,
            key_delay_us: config.rdb_key_save_delay.into(),
            packing: Some(packing.clone()),
        };
        let sink = rdb_sink(engine, outside, &packing, false, self.position);
        Snapshot::begin(begin, sink, engine, outside)
    }

    fn collect_done<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        let mut done = std::mem::take(&mut self.done);
        outside.take_done(&mut done);
        for done in done.drain(..) {
            self.on_done(engine, outside, done);
        }
        self.done = done;
    }

    fn on_done<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
        done: DiskDone,
    ) {
        match done {
            DiskDone::Aof(done) => self.append.on_done(done, outside),
            done @ (DiskDone::StreamPacked { .. }
            | DiskDone::StreamFinished { .. }
            | DiskDone::StreamFailed { .. }
            | DiskDone::Kept { .. }) => self.done_for_links.push(done),
            DiskDone::SnapshotWritten { id, bytes } => {
                if let Some(snapshot) = self.snapshot.as_mut().filter(|s| s.id == id) {
                    snapshot.written(bytes);
                }
            }
            DiskDone::SnapshotFinished { id, file_bytes } => {
                if let Some(snapshot) = self.snapshot.take_if(|s| s.id == id) {
                    self.snapshot_done(engine, outside, snapshot, file_bytes);
                }
            }
            DiskDone::SnapshotFailed { id, action, error } => {
                if let Some(snapshot) = self.snapshot.take_if(|s| s.id == id) {
                    self.snapshot_failed(engine, outside, snapshot, action, &error);
                }
            }
        }
    }

    fn snapshot_done<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
        snapshot: Snapshot,
        file_bytes: u64,
    ) {
        let seconds = snapshot.elapsed_s(outside.unix_ms());
        match &snapshot.purpose {
            Purpose::Rdb { .. } => {
                let left = engine
                    .keyspace
                    .journal
                    .dirty
                    .saturating_sub(snapshot.dirty_before);
                self.saved(engine, outside, left);
                self.saving.last_duration_s = seconds;
                outside.log(
                    LogLevel::Notice,
                    "Background saving terminated with success",
                );
            }
            Purpose::AofBase => self.append.base_done(file_bytes, outside),
        }
    }

    /// An RDB file is complete; so many changes came after it.
    fn saved<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O, left: u64) {
        outside.log(LogLevel::Notice, "DB saved on disk");
        engine.keyspace.journal.dirty = left;
        self.saving.succeeded(outside.unix_ms());
    }

    fn snapshot_failed<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
        snapshot: Snapshot,
        action: &str,
        error: &str,
    ) {
        log_failure(outside, action, error);
        let seconds = snapshot.elapsed_s(outside.unix_ms());
        let is_base = snapshot.purpose == Purpose::AofBase;
        snapshot.give_up(engine);
        if is_base {
            self.append.base_failed(outside);
        } else {
            outside.log(LogLevel::Warning, "Background saving error");
            self.saving.failed();
            self.saving.last_duration_s = seconds;
        }
    }

    /// Gives up the save of an RDB file that is under way.
    fn abort_save<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        if self
            .snapshot
            .as_ref()
            .is_some_and(|s| s.purpose != Purpose::AofBase)
        {
            self.abort_snapshot(engine, outside);
        }
        self.requested.take_if(|request| *request == Request::Save);
    }

    /// Gives up the snapshot under way, if there is one, and removes its file.
    fn abort_snapshot<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        if let Some(snapshot) = self.snapshot.take() {
            outside.submit(DiskJob::SnapshotAbort { id: snapshot.id });
            snapshot.give_up(engine);
        }
    }

    /// Says to the engine whether writes are to be refused, and why.
    fn refuse_writes_if_needed(&self, engine: &mut Engine) {
        let config = &engine.config;
        let rdb_failed =
            config.stop_writes_on_bgsave_error && !config.save.is_empty() && !self.saving.last_ok;
        engine.write_refusal = if rdb_failed {
            Some(ReplyError::new(MISCONF_RDB))
        } else {
            self.append.refusal()
        };
    }

    /// Options that changed. An error refuses the change.
    pub fn apply_config<O: Outside + ?Sized>(
        &mut self,
        name: &str,
        config: &Config,
        outside: &mut O,
    ) -> Result<(), String> {
        match name {
            "appendonly" => {
                if config.appendonly {
                    self.append.meet_files(outside)?;
                }
                self.append.switch(config.appendonly, outside);
                if config.appendonly && self.snapshot.is_none() && self.requested.is_none() {
                    self.requested = Some(Request::Rewrite);
                }
                Ok(())
            }
            "dir" if self.append.is_on() || self.append.is_closing() => Err(
                "the append only file is on: turn it off before moving to another directory".into(),
            ),
            "dir" => {
                self.append.forget_files();
                Ok(())
            }
            _ => {
                self.append.configure(config, outside);
                Ok(())
            }
        }
    }
}

fn log_failure<O: Outside + ?Sized>(outside: &mut O, action: &str, error: &str) {
    outside.log(
        LogLevel::Warning,
        &format!("Write error while saving DB to the disk({action}): {error}"),
    );
}

/// Where the RDB file is. `dir` is absolute once the configuration was loaded.
fn rdb_path(config: &Config) -> Vec<u8> {
    path_in_dir(config, config.dbfilename.as_bytes())
}

/// The name an RDB file has until it is whole.
fn temp_rdb_name(process_id: u32) -> Vec<u8> {
    format!("temp-{process_id}.rdb").into_bytes()
}

/// Absolute, so that a change of `dir` does not part a snapshot from its temporary file.
fn path_in_dir(config: &Config, name: &[u8]) -> Vec<u8> {
    [config.dir.as_bytes(), b"/", name].concat()
}

fn encode_options(config: &Config) -> EncodeOptions {
    EncodeOptions {
        version: config.rdb_version,
        compress: config.rdbcompression,
        checksum: config.rdbchecksum,
    }
}

/// An encoder that has written what the file is, and how many keys each database has.
fn rdb_encoder<O: Outside + ?Sized>(
    engine: &Engine,
    outside: &mut O,
    options: &EncodeOptions,
    is_aof_base: bool,
    position: Option<Position>,
) -> Encoder {
    let mut encoder = Encoder::new(options);
    let created = (outside.unix_ms() / 1000).to_string();
    let memory = outside.used_memory().to_string();
    let mut fields: Vec<(&[u8], &[u8])> = vec![
        (b"redis-ver", config::REDIS_VERSION.as_bytes()),
        (b"redis-bits", b"64"),
        (b"ctime", created.as_bytes()),
        (b"used-mem", memory.as_bytes()),
    ];
    let (offset, db) = position.map_or_else(Default::default, |position| {
        (position.offset.to_string(), position.stream_db.to_string())
    });
    if let Some(position) = &position {
        fields.push((b"repl-stream-db", db.as_bytes()));
        fields.push((b"repl-id", position.id.as_str().as_bytes()));
        fields.push((b"repl-offset", offset.as_bytes()));
    }
    fields.push((b"aof-base", if is_aof_base { b"1" } else { b"0" }));
    encoder.header(&fields);
    for db in 0..engine.keyspace.db_count() as u32 {
        let keys = engine.keyspace.db(db);
        if !keys.is_empty() {
            encoder.resize_db(db, keys.len() as u64, keys.volatile_len() as u64);
        }
    }
    encoder
}

fn rdb_sink<O: Outside + ?Sized>(
    engine: &Engine,
    outside: &mut O,
    options: &EncodeOptions,
    is_aof_base: bool,
    position: Option<Position>,
) -> Box<dyn Sink> {
    let encoder = rdb_encoder(engine, outside, options, is_aof_base, position);
    let policy = engine.config.maxmemory_policy.as_str();
    let access = match policy {
        "allkeys-lfu" | "volatile-lfu" => Access::Frequency,
        "allkeys-lru" | "volatile-lru" => Access::IdleSeconds,
        _ => Access::None,
    };
    Box::new(RdbSink::new(
        encoder,
        engine.keyspace.access_meter(),
        access,
    ))
}
