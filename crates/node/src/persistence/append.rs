//! The append-only file: takes the engine's effects to the machine of crate `aof`, its actions to the
//! disk, and what comes of them back to the engine, whose replies may wait for it.
//!
//! Offsets are the engine's: every byte that the engine ever recorded is given to the machine, which
//! counts along even while the file is off.

use super::finding::{read_manifest, refuse_parts_without_manifest};
use super::sink::PlainSink;
use super::snapshot::{Begin, Purpose, Snapshot};
use super::{encode_options, rdb_encoder, rdb_sink};
use crate::outside::{Disk, DiskJob, Outside, SnapshotId};
use aof::CommandSink;
use aof::machine::{Aof, Done, Event, Fsync, Info, Level, LoadedSizes, Now, State};
use aof::manifest::Manifest;
use aof::names::Names;
use config::{AppendFsync, Config};
use engine::host::LogLevel;
use engine::{EffectsReader, Engine, GateMode, ReplyError};
use keyspace::snapshot::Sink;
use std::borrow::Cow;
use std::ops::Range;

pub struct Append {
    aof: Aof,
    names: Names,
    /// A used buffer for the engine to fill next.
    spare: Vec<u8>,
    /// What replicas are to get of the effects taken so far.
    for_replicas: Vec<u8>,
    /// Bytes of the stream behind the last one that the file gets.
    passed_by: u64,
    /// The machine gave up the rewrite under way: its snapshot is to be aborted.
    abort_rewrite: bool,
    /// The files could not be opened at the start.
    start_failed: bool,
}

impl Append {
    pub fn new(config: &Config, process_id: u32) -> Append {
        let names = names_of(config, process_id);
        Append {
            aof: Aof::new(machine_config(config), names.clone(), Manifest::default()),
            names,
            spare: Vec::new(),
            for_replicas: Vec::new(),
            passed_by: 0,
            abort_rewrite: false,
            start_failed: false,
        }
    }

    pub fn names(&self) -> &Names {
        &self.names
    }

    pub fn is_on(&self) -> bool {
        self.aof.is_enabled()
    }

    /// Also while the file is off already but not closed yet, because something else is being done
    /// to its directory: turned on again meanwhile, it goes on, and must not have a gap.
    fn wants_effects(&self) -> bool {
        self.is_on() || !matches!(self.aof.state(), State::Off | State::Closing)
    }

    pub fn info<O: Outside + ?Sized>(&self, outside: &mut O) -> Info {
        self.aof.info(now(outside))
    }

    /// Whether the file was turned off and is still being made durable.
    pub fn is_closing(&self) -> bool {
        self.aof.state() == State::Closing
    }

    /// Whether the first file since AOF was turned on is still being made.
    pub fn is_waiting_for_first_base(&self) -> bool {
        // Still off: an earlier rewrite moves its files, and the one that counts waits for it.
        self.is_on()
            && (self.aof.is_starting_over()
                || matches!(self.aof.state(), State::Waiting | State::Off))
    }

    /// Goes on with the files that a server has loaded at its start; without any, with new ones.
    pub fn start<O: Outside + ?Sized>(
        &mut self,
        manifest: Manifest,
        sizes: LoadedSizes,
        engine: &mut Engine,
        outside: &mut O,
    ) {
        let config = machine_config(&engine.config);
        let empty_base = if config.use_rdb_preamble {
            empty_rdb(engine, outside)
        } else {
            Vec::new()
        };
        let mut aof = Aof::new(config, self.names.clone(), manifest);
        aof.start(sizes, empty_base, now(outside));
        self.aof = aof;
        self.drive(engine, outside);
    }

    /// Before files are written that this process has not loaded: takes note of what is in their
    /// directory, so that none of it is overwritten before the new ones are whole. Refused if that
    /// cannot be understood.
    pub fn meet_files<O: Outside + ?Sized>(&mut self, outside: &mut O) -> Result<(), String> {
        if self.aof.state() != State::Off || !self.aof.manifest().is_empty() {
            return Ok(());
        }
        let manifest = read_manifest(&self.names, outside).map_err(|failed| failed.text)?;
        if manifest.is_empty() {
            refuse_parts_without_manifest(&self.names, outside).map_err(|failed| failed.text)?;
        }
        self.aof.reloaded(manifest, LoadedSizes::default());
        Ok(())
    }

    /// The directory is another one from now on.
    pub fn forget_files(&mut self) {
        self.aof
            .reloaded(Manifest::default(), LoadedSizes::default());
    }

    pub fn switch<O: Outside + ?Sized>(&mut self, on: bool, outside: &mut O) {
        match on {
            true => self.aof.turn_on(now(outside)),
            false => self.aof.turn_off(now(outside)),
        }
    }

    /// All data is another now: what the files hold is past.
    pub fn start_over<O: Outside + ?Sized>(&mut self, outside: &mut O) {
        self.aof.start_over(now(outside));
    }

    pub fn configure<O: Outside + ?Sized>(&mut self, config: &Config, outside: &mut O) {
        self.aof.set_config(machine_config(config), now(outside));
    }

    pub fn set_saving<O: Outside + ?Sized>(&mut self, saving: bool, outside: &mut O) {
        self.aof.set_saving(saving, now(outside));
    }

    pub fn schedule_rewrite(&mut self) {
        self.aof.schedule_rewrite();
    }

    pub fn rewrite_due<O: Outside + ?Sized>(&mut self, outside: &mut O) -> bool {
        self.aof.rewrite_due(now(outside)).is_some()
    }

    /// Takes what commands did: everything is for replicas, if there may be any, and nearly
    /// everything for the file.
    pub fn take_effects<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        if engine.effects.is_empty() {
            return;
        }
        let mut bytes = engine.effects.take(std::mem::take(&mut self.spare));
        let stream_bytes = bytes.len() as u64;
        if engine.effects.is_read_by(EffectsReader::Replicas) {
            if self.wants_effects() {
                self.for_replicas.extend_from_slice(&bytes);
            } else {
                // The usual case without a file: nothing is copied.
                self.spare = give(&mut self.for_replicas, bytes);
                bytes = Vec::new();
            }
        }
        cut(&mut bytes, engine.effects.for_replicas_only());
        self.passed_by += stream_bytes;
        if !bytes.is_empty() || !self.wants_effects() {
            let stream_bytes = std::mem::take(&mut self.passed_by);
            let spare = self.aof.append_of(bytes, stream_bytes, now(outside));
            if spare.capacity() > self.spare.capacity() {
                self.spare = spare;
            }
        }
    }

    /// What replicas are to get; `spare` is emptied and takes its place.
    pub fn take_for_replicas(&mut self, mut spare: Vec<u8>) -> Vec<u8> {
        spare.clear();
        std::mem::replace(&mut self.for_replicas, spare)
    }

    pub fn for_replicas_bytes(&self) -> usize {
        self.for_replicas.len()
    }

    /// How far the effects are on the disk.
    pub fn fsynced_offset(&self) -> u64 {
        let fsynced = self.aof.fsynced_offset();
        // What the file does not get is as safe as what lies before it.
        match fsynced == self.aof.appended_offset() {
            true => fsynced + self.passed_by,
            false => fsynced,
        }
    }

    /// Begins the snapshot that becomes the next base. `None`: not at this moment, or not at all; then
    /// the log says why.
    pub fn begin_rewrite<O: Outside + ?Sized>(
        &mut self,
        id: SnapshotId,
        engine: &mut Engine,
        outside: &mut O,
    ) -> Option<Snapshot> {
        if let Err(text) = self.meet_files(outside) {
            let text = format!("Can't rewrite append only file in background: {text}");
            outside.log(LogLevel::Warning, &text);
            self.aof.unschedule_rewrite();
            return None;
        }
        let Ok(start) = self.aof.rewrite_begin(now(outside)) else {
            self.aof.schedule_rewrite();
            return None;
        };
        let packing = start.rdb_preamble.then(|| encode_options(&engine.config));
        let sink: Box<dyn Sink> = match &packing {
            Some(options) => rdb_sink(engine, outside, options, true, None),
            None => Box::new(PlainSink::new(CommandSink::new(start.timestamp_s))),
        };
        let begin = Begin {
            id,
            purpose: Purpose::AofBase,
            temp_path: start.temp_path,
            packing,
            incremental_fsync: engine.config.aof_rewrite_incremental_fsync,
            key_delay_us: engine.config.rdb_key_save_delay.into(),
        };
        Some(Snapshot::begin(begin, sink, engine, outside))
    }

    pub fn base_done<O: Outside + ?Sized>(&mut self, file_bytes: u64, outside: &mut O) {
        self.aof.rewrite_base_done(file_bytes, now(outside));
    }

    pub fn base_failed<O: Outside + ?Sized>(&mut self, outside: &mut O) {
        self.aof.rewrite_failed(now(outside));
    }

    pub fn on_done<O: Outside + ?Sized>(&mut self, done: Done, outside: &mut O) {
        self.aof.handle(done, now(outside));
    }

    /// Lets the machine go on: actions to the disk, events to the log, releases to the engine.
    pub fn drive<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        self.aof.tick(now(outside));
        if engine.effects.is_read_by(EffectsReader::AppendOnly) != self.wants_effects() {
            engine.record_effects(EffectsReader::AppendOnly, self.wants_effects());
        }
        if self.aof.take_select_wanted() {
            engine.effects.force_select();
        }
        self.send_actions(outside);
        self.hear(outside);
        self.release_replies(engine, outside);
    }

    /// Takes note of what the machine says.
    pub fn hear<O: Outside + ?Sized>(&mut self, outside: &mut O) {
        while let Some(event) = self.aof.poll_event() {
            match event {
                Event::Log(level, text) => outside.log(log_level(level), &text),
                Event::AbortRewrite => self.abort_rewrite = true,
                Event::StartFailed => self.start_failed = true,
            }
        }
    }

    fn send_actions<O: Disk + ?Sized>(&mut self, outside: &mut O) {
        while let Some(action) = self.aof.poll_action() {
            outside.submit(DiskJob::Aof(action));
        }
    }

    fn release_replies<O: Outside + ?Sized>(&mut self, engine: &mut Engine, outside: &mut O) {
        if self.aof.gates_replies() {
            engine.gating = GateMode::Fsync;
            let released = self.aof.release_offset();
            let is_all = released == self.aof.appended_offset();
            engine.set_fsynced(released + if is_all { self.passed_by } else { 0 });
        } else if self.aof.is_slow(now(outside)) {
            // More would be at risk than `everysec` promises: who writes now waits for the disk.
            engine.gating = GateMode::Fsync;
            engine.set_fsynced(self.fsynced_offset());
        } else {
            engine.gating = GateMode::Off;
            engine.open_gates();
        }
    }

    /// True once after the machine gave up a rewrite.
    pub fn take_abort_rewrite(&mut self) -> bool {
        std::mem::take(&mut self.abort_rewrite)
    }

    pub fn start_failed(&self) -> bool {
        self.start_failed
    }

    /// Everything so far goes to the disk, whatever the policy.
    pub fn flush<O: Outside + ?Sized>(&mut self, outside: &mut O) {
        self.aof.flush_all(now(outside));
        self.send_actions(outside);
    }

    pub fn is_flushed(&self) -> bool {
        self.aof.is_flushed()
    }

    pub fn is_settled(&self) -> bool {
        self.aof.is_settled()
    }

    pub fn last_write_ok(&self) -> bool {
        self.aof.last_write_ok()
    }

    /// The data set was replaced by what the files hold.
    pub fn reloaded(&mut self, manifest: Manifest, sizes: LoadedSizes) {
        self.aof.reloaded(manifest, sizes);
    }

    /// Why writes are refused, if they are.
    pub fn refusal(&self) -> Option<ReplyError> {
        self.aof.refusal().map(ReplyError::from)
    }

    /// When [`Append::drive`] is due, on the outside's monotonic clock.
    pub fn due_ns(&self) -> Option<u64> {
        self.aof.poll_timeout_us().map(|due_us| due_us * 1000)
    }
}

/// Adds `bytes` to `to`, without a copy if there is nothing yet. Returns a buffer to use again.
fn give(to: &mut Vec<u8>, bytes: Vec<u8>) -> Vec<u8> {
    if to.is_empty() {
        return std::mem::replace(to, bytes);
    }
    to.extend_from_slice(&bytes);
    bytes
}

/// Takes the ranges out of `bytes`.
fn cut(bytes: &mut Vec<u8>, ranges: &[Range<usize>]) {
    if ranges.is_empty() || bytes.is_empty() {
        return;
    }
    let mut kept = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for range in ranges {
        kept.extend_from_slice(&bytes[from..range.start]);
        from = range.end;
    }
    kept.extend_from_slice(&bytes[from..]);
    *bytes = kept;
}

pub fn now<O: Outside + ?Sized>(outside: &mut O) -> Now {
    Now {
        mono_us: outside.ticks_ns() / 1000,
        unix_s: outside.unix_ms() / 1000,
    }
}

pub fn names_of(config: &Config, process_id: u32) -> Names {
    Names::new(
        config.appenddirname.as_bytes(),
        config.appendfilename.as_bytes(),
        process_id,
    )
}

fn machine_config(config: &Config) -> aof::machine::Config {
    aof::machine::Config {
        fsync: match config.appendfsync {
            AppendFsync::Always => Fsync::Always,
            AppendFsync::EverySec => Fsync::EverySecond,
            AppendFsync::No => Fsync::No,
        },
        no_fsync_on_rewrite: config.no_appendfsync_on_rewrite,
        auto_rewrite_percentage: config.auto_aof_rewrite_percentage.into(),
        auto_rewrite_min_size_bytes: config.auto_aof_rewrite_min_size,
        use_rdb_preamble: config.aof_use_rdb_preamble,
        timestamp_enabled: config.aof_timestamp_enabled,
        disable_auto_gc: config.aof_disable_auto_gc,
    }
}

fn log_level(level: Level) -> LogLevel {
    match level {
        Level::Verbose => LogLevel::Verbose,
        Level::Notice => LogLevel::Notice,
        Level::Warning => LogLevel::Warning,
    }
}

/// A base file without keys.
fn empty_rdb<O: Outside + ?Sized>(engine: &Engine, outside: &mut O) -> Vec<u8> {
    let options = encode_options(&engine.config);
    let mut encoder = rdb_encoder(engine, outside, &options, true, None);
    encoder.footer();
    let mut bytes = Vec::new();
    rdb::Packer::new(&options).pack(encoder.take(), &mut bytes);
    bytes
}

/// Bytes for a log line.
pub fn shown(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
