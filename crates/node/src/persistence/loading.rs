//! Reading the data back, at the start and for DEBUG RELOAD: in slices, so that clients hear
//! `LOADING` and not silence.
//!
//! A [`Loader`] goes through its parts (an RDB file, or the AOF's base and increments) in the order
//! they were written. Each is read in pieces; its first bytes say whether it begins as RDB, and in an
//! AOF commands may follow that. Whatever is wrong ends the load with the file, the offset and the
//! reason; only the tail of the last AOF part may be cut off, if the configuration says so.
//!
//! Which parts there are is decided in `finding.rs`. Tests: `tests/loading.rs`, process tests.

use super::append::shown;
use super::finding::{Part, PartKind};
use super::load_batch::LoadBatch;
use crate::NodeHost;
use crate::outside::{Outside, ReadFile};
use aof::machine::LoadedSizes;
use engine::host::LogLevel;
use engine::{Engine, LoadEntry, LoadOutcome, LoadPolicy, LoadingInfo, Replay};
use rdb::{ChecksumFound, Decoder, Event};
use replication::{ReplOffset, ReplicationId};

/// How long a load goes on between two looks at the clients.
const SLICE_NS: u64 = 2_000_000;
/// Read from a file at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Events between two looks at the clock.
const EVENTS_PER_LOOK: usize = 64;
const PROGRESS_INTERVAL_MS: i64 = 5_000;
/// Empty keys of a damaged file that are named; the others are only counted.
const EMPTY_KEYS_NAMED: u64 = 10;

/// More deletions than this make a full resynchronization the better deal for a replica.
const EXPIRED_KEYS_MAX_BYTES: usize = 1 << 20;
/// What a deletion costs beside its key.
const EXPIRED_KEY_BYTES: usize = 32;

/// How the last load went, for INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    pub keys: u64,
    pub expired: u64,
}

/// What a file says of its place in the history of replication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileHistory {
    id: Option<ReplicationId>,
    offset: Option<ReplOffset>,
    pub stream_db: u32,
}

impl FileHistory {
    /// Both halves of it, if it has both.
    pub fn point(&self) -> Option<(ReplicationId, ReplOffset)> {
        Some((self.id?, self.offset?))
    }
}

/// What a load does with what is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// A key that is there already is replaced instead of being an error.
    pub merge: bool,
    /// Keys that have expired are loaded from RDB files too: a primary will say when they go.
    pub keep_expired: bool,
}

pub enum Step {
    More,
    /// `key-load-delay` asks for a pause.
    Wait,
    Done,
}

/// Why a load ended. The log has been told the details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadFailed {
    pub text: String,
    /// An RDB file is damaged or cut off, as opposed to unreadable or not for this release.
    pub is_damaged_rdb: bool,
}

enum Format {
    /// Too little was read to tell.
    Unknown,
    Rdb(Box<Decoder>),
    Commands(Box<Replay>),
}

struct Open {
    file: Box<dyn ReadFile>,
    format: Format,
    /// Read but not yet consumed, from `at` on.
    buffer: Vec<u8>,
    at: usize,
    /// Where the commands begin in the file.
    commands_at: u64,
    consumed: u64,
    is_at_end: bool,
    started_ms: i64,
}

pub struct Loader {
    parts: Vec<Part>,
    next: usize,
    open: Option<Open>,
    options: LoadOptions,
    sizes: LoadedSizes,
    total_bytes: u64,
    done_bytes: u64,
    started_ms: i64,
    progress_ms: i64,
    rdb_used_mem: u64,
    loaded: Loaded,
    history: FileHistory,
    /// Left out because their time had passed, as far as it is worth to remember them.
    expired_keys: ExpiredKeys,
    empty: u64,
    batch: LoadBatch,
}

impl Loader {
    pub fn new<O: Outside + ?Sized>(
        parts: Vec<Part>,
        options: LoadOptions,
        outside: &mut O,
    ) -> Loader {
        let started_ms = outside.unix_ms();
        Loader {
            total_bytes: parts.iter().map(|part| part.size_bytes).sum(),
            parts,
            next: 0,
            open: None,
            options,
            sizes: LoadedSizes::default(),
            done_bytes: 0,
            started_ms,
            progress_ms: started_ms,
            rdb_used_mem: 0,
            loaded: Loaded::default(),
            history: FileHistory::default(),
            expired_keys: ExpiredKeys::default(),
            empty: 0,
            batch: LoadBatch::default(),
        }
    }

    pub fn loaded(&self) -> Loaded {
        self.loaded
    }

    pub fn history(&self) -> FileHistory {
        self.history
    }

    /// Keys of an RDB file that were left out because their time had passed, with their databases;
    /// none if they were too many to be remembered.
    pub fn take_expired_keys(&mut self) -> Option<Vec<(u32, Box<[u8]>)>> {
        let expired = std::mem::take(&mut self.expired_keys);
        (!expired.is_incomplete).then_some(expired.keys)
    }

    /// What the AOF's files hold, once all are loaded.
    pub fn sizes(&self) -> LoadedSizes {
        self.sizes
    }

    pub fn info(&self, now_ms: i64) -> LoadingInfo {
        let loaded_bytes = self.done_bytes + self.open.as_ref().map_or(0, |open| open.consumed);
        let fraction = loaded_bytes as f64 / self.total_bytes.max(1) as f64;
        let elapsed_s = (now_ms - self.started_ms).max(0) as f64 / 1000.0;
        let eta_s = if loaded_bytes == 0 {
            1.0
        } else {
            elapsed_s * (1.0 - fraction).max(0.0) / fraction
        };
        LoadingInfo {
            start_time: self.started_ms / 1000,
            total_bytes: self.total_bytes,
            rdb_used_mem: self.rdb_used_mem,
            loaded_bytes,
            loaded_perc: fraction * 100.0,
            eta_seconds: eta_s as i64,
        }
    }

    /// Loads for a while.
    pub fn step(
        &mut self,
        engine: &mut Engine,
        host: &mut dyn NodeHost,
    ) -> Result<Step, LoadFailed> {
        let until_ns = host.ticks_ns() + SLICE_NS;
        let max_bytes = engine.config.loading_process_events_interval_bytes;
        let begin = self.done_bytes + self.open.as_ref().map_or(0, |open| open.consumed);
        loop {
            if self.open.is_none() && !self.open_next(host)? {
                return Ok(Step::Done);
            }
            if self.must_wait(engine, host) {
                return Ok(Step::Wait);
            }
            self.advance(engine, host)?;
            self.report_progress(host);
            let now = self.done_bytes + self.open.as_ref().map_or(0, |open| open.consumed);
            if host.ticks_ns() >= until_ns || now - begin >= max_bytes {
                return Ok(Step::More);
            }
        }
    }

    /// Whether `key-load-delay` (microseconds a key) allows no further key yet.
    fn must_wait(&self, engine: &Engine, host: &mut dyn NodeHost) -> bool {
        let Ok(delay_us) = u64::try_from(engine.config.key_load_delay) else {
            return false;
        };
        let (_, outside) = host.parts();
        let elapsed_us = (outside.unix_ms() - self.started_ms).max(0) as u64 * 1000;
        delay_us > 0 && self.loaded.keys * delay_us > elapsed_us
    }

    /// Opens the next part; false if there is none.
    fn open_next(&mut self, host: &mut dyn NodeHost) -> Result<bool, LoadFailed> {
        let (_, outside) = host.parts();
        let Some(part) = self.parts.get(self.next) else {
            return Ok(false);
        };
        let file = outside.open(&part.path).map_err(|error| {
            let name = shown(&part.name);
            let text = match part.kind {
                PartKind::Rdb => {
                    format!("Fatal error: can't open the RDB file {name} for reading: {error}")
                }
                _ => format!(
                    "Fatal error: can't open the append log file {name} for reading: {error}"
                ),
            };
            fail(outside, &text)
        })?;
        self.open = Some(Open {
            file,
            format: Format::Unknown,
            buffer: Vec::new(),
            at: 0,
            commands_at: 0,
            consumed: 0,
            is_at_end: false,
            started_ms: outside.unix_ms(),
        });
        Ok(true)
    }

    /// Reads a piece if one is needed and consumes what can be consumed.
    fn advance(&mut self, engine: &mut Engine, host: &mut dyn NodeHost) -> Result<(), LoadFailed> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let part = self.parts[self.next].clone();
        let is_over = match open.format {
            Format::Unknown => {
                open.fill(PIECE_BYTES)
                    .map_err(|error| read_failed(host, &part, &error))?;
                self.recognise(&mut open, &part, engine, host);
                false
            }
            Format::Rdb(_) => self.advance_rdb(&mut open, &part, engine, host)?,
            Format::Commands(_) => self.advance_commands(&mut open, &part, engine, host)?,
        };
        if is_over {
            self.part_done(open, &part, host);
        } else {
            self.open = Some(open);
        }
        Ok(())
    }

    fn recognise(&self, open: &mut Open, part: &Part, engine: &Engine, host: &mut dyn NodeHost) {
        let (_, outside) = host.parts();
        let begin = open.rest();
        if part.kind != PartKind::Rdb
            && !(begin.starts_with(b"REDIS") || begin.starts_with(b"VALKEY"))
        {
            open.format = Format::Commands(Box::new(engine.begin_replay()));
            return;
        }
        match part.kind {
            PartKind::Rdb => {}
            PartKind::AofBase if part.name.ends_with(b".rdb") => {
                outside.log(LogLevel::Notice, "Reading RDB base file on AOF loading...")
            }
            _ => outside.log(LogLevel::Notice, "Reading RDB preamble from AOF file..."),
        }
        let limits = engine.load_limits();
        open.format = Format::Rdb(Box::new(Decoder::new(limits, engine.config.rdbchecksum)));
    }

    /// True when the part is over.
    fn advance_rdb(
        &mut self,
        open: &mut Open,
        part: &Part,
        engine: &mut Engine,
        host: &mut dyn NodeHost,
    ) -> Result<bool, LoadFailed> {
        let Format::Rdb(decoder) = &mut open.format else {
            return Ok(false);
        };
        let mut input = &open.buffer[open.at..];
        let (mut events, mut outcome) = (0, Ok(()));
        let has_input = decoder.run(&mut input, &mut |event| {
            events += 1;
            outcome = self.take_event(event, part, engine, host);
            outcome.is_ok() && events < EVENTS_PER_LOOK
        });
        // What came before an error is put in place first: a duplicate among it is the first error.
        self.put_batch(engine, host)?;
        outcome?;
        let needs_more = !has_input.map_err(|error| rdb_failed(host, part, &error))?;
        let is_done = decoder.is_done();
        let wanted = decoder.wanted();
        open.consumed = decoder.offset();
        open.at = open.buffer.len() - input.len();
        if is_done {
            return Ok(self.end_of_rdb(open, part, engine, host));
        }
        if needs_more {
            if open.is_at_end {
                return match decoder.at_end() {
                    Ok(()) => Ok(true),
                    Err(error) => Err(rdb_failed(host, part, &error)),
                };
            }
            open.fill(PIECE_BYTES.max(wanted))
                .map_err(|error| read_failed(host, part, &error))?;
        }
        Ok(false)
    }

    /// In an AOF, commands may follow. True when nothing can.
    fn end_of_rdb(
        &mut self,
        open: &mut Open,
        part: &Part,
        engine: &Engine,
        host: &mut dyn NodeHost,
    ) -> bool {
        let mut text = format!(
            "Done loading RDB, keys loaded: {}, keys expired: {}",
            self.loaded.keys, self.loaded.expired
        );
        if self.empty > 0 {
            text.push_str(&format!(", empty keys skipped: {}", self.empty));
        }
        text.push('.');
        host.log(LogLevel::Notice, &text);
        if part.kind == PartKind::Rdb {
            return true;
        }
        open.commands_at = open.consumed;
        open.format = Format::Commands(Box::new(engine.begin_replay()));
        false
    }

    /// True when the part is over.
    fn advance_commands(
        &mut self,
        open: &mut Open,
        part: &Part,
        engine: &mut Engine,
        host: &mut dyn NodeHost,
    ) -> Result<bool, LoadFailed> {
        let Format::Commands(replay) = &mut open.format else {
            return Ok(false);
        };
        let replayed = engine
            .replay_bytes(replay, &open.buffer[open.at..], host)
            .map_err(|failure| {
                let at = open.commands_at + failure.offset;
                let name = shown(&part.name);
                let (_, outside) = host.parts();
                match failure.error {
                    engine::ReplayError::Format => {
                        let text = format!("What is at offset {at} of {name} is not a command.");
                        outside.log(LogLevel::Warning, &text);
                        let text = format!(
                            "Bad file format reading the append only file {name}: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>"
                        );
                        fail(outside, &text)
                    }
                    error => fail(outside, &format!("{error} {name} at offset {at}")),
                }
            })?;
        open.at += replayed.consumed;
        open.consumed = open.commands_at + replay.consumed();
        if !open.is_at_end {
            open.fill(PIECE_BYTES.max(replayed.need))
                .map_err(|error| read_failed(host, part, &error))?;
            return Ok(false);
        }
        let is_whole = open.at == open.buffer.len() && !replay.in_transaction();
        let valid_up_to = open.commands_at + replay.valid_up_to();
        if replay.in_transaction() {
            let name = shown(&part.name);
            host.log(
                LogLevel::Warning,
                &format!("Revert incomplete MULTI/EXEC transaction in AOF file {name}"),
            );
        }
        if !is_whole {
            self.cut_tail(part, valid_up_to, engine, host)?;
            open.consumed = valid_up_to;
        }
        Ok(true)
    }

    /// The file ends within a command or transaction: what a crash leaves.
    fn cut_tail(
        &mut self,
        part: &Part,
        valid_up_to: u64,
        engine: &Engine,
        host: &mut dyn NodeHost,
    ) -> Result<(), LoadFailed> {
        let is_last = self.next + 1 == self.parts.len();
        let name = shown(&part.name);
        let (_, outside) = host.parts();
        if !engine.config.aof_load_truncated {
            let text = format!(
                "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server."
            );
            return Err(fail(outside, &text));
        }
        if !is_last {
            let text = "Fatal error: the truncated file is not the last file";
            return Err(fail(outside, text));
        }
        for text in [
            format!("!!! Warning: short read while loading the AOF file {name}!!!"),
            format!("!!! Truncating the AOF {name} at offset {valid_up_to} !!!"),
        ] {
            outside.log(LogLevel::Warning, &text);
        }
        if let Err(error) = outside.truncate(&part.path, valid_up_to) {
            let text = format!("Error truncating the AOF file {name}: {error}");
            return Err(fail(outside, &text));
        }
        let text = format!("AOF {name} loaded anyway because aof-load-truncated is enabled");
        outside.log(LogLevel::Warning, &text);
        Ok(())
    }

    fn part_done(&mut self, open: Open, part: &Part, host: &mut dyn NodeHost) {
        let (_, outside) = host.parts();
        let seconds = (outside.unix_ms() - open.started_ms).max(0) as f64 / 1000.0;
        let name = shown(&part.name);
        let text = match part.kind {
            PartKind::Rdb => format!("DB loaded from disk: {seconds:.3} seconds"),
            PartKind::AofBase => {
                self.sizes.base_bytes += open.consumed;
                format!("DB loaded from base file {name}: {seconds:.3} seconds")
            }
            PartKind::AofIncr => format!("DB loaded from incr file {name}: {seconds:.3} seconds"),
        };
        if part.kind != PartKind::Rdb {
            self.sizes.total_bytes += open.consumed;
        }
        outside.log(LogLevel::Notice, &text);
        self.done_bytes += open.consumed;
        self.next += 1;
    }

    fn take_event(
        &mut self,
        event: Event<'_>,
        part: &Part,
        engine: &mut Engine,
        host: &mut dyn NodeHost,
    ) -> Result<(), LoadFailed> {
        match event {
            Event::Aux { key, value } => self.take_aux(key, value, host),
            Event::SelectDb { db } => check_db(db, engine, host)?,
            Event::ResizeDb { db, keys, .. } => {
                // The file's claim counts as far as the file could hold so many keys.
                let most = usize::try_from(keys.min(part.size_bytes)).unwrap_or(usize::MAX);
                engine.keyspace.reserve(db, most);
            }
            Event::Entry {
                db,
                key,
                value,
                expiry_ms,
                access,
            } => {
                let entry = LoadEntry {
                    db,
                    key,
                    value,
                    expiry_ms,
                    access,
                };
                if self.batch.push(entry, &engine.keyspace) {
                    self.put_batch(engine, host)?;
                }
            }
            Event::Empty { key, .. } => {
                self.empty += 1;
                if self.empty <= EMPTY_KEYS_NAMED {
                    let text = format!("rdbLoadObject skipping empty key: {}", shown(key));
                    host.log(LogLevel::Notice, &text);
                }
            }
            Event::ModuleAux { .. } | Event::Foreign { .. } | Event::Functions => {}
            Event::End { checksum } => {
                if checksum == ChecksumFound::Disabled {
                    let text = "RDB file was saved with checksum disabled: no check performed.";
                    host.log(LogLevel::Notice, text);
                }
            }
        }
        Ok(())
    }

    /// Puts the entries that were kept back into their databases.
    fn put_batch(
        &mut self,
        engine: &mut Engine,
        host: &mut dyn NodeHost,
    ) -> Result<(), LoadFailed> {
        let policy = LoadPolicy {
            // In an AOF, a command behind may still refer to the key.
            keep_expired: self.options.keep_expired || self.parts[self.next].kind != PartKind::Rdb,
            replace: self.options.merge,
        };
        let (loaded, expired_keys) = (&mut self.loaded, &mut self.expired_keys);
        self.batch.drain(|entry| {
            let (db, key) = (entry.db, entry.key);
            match engine.load_entry(entry, policy) {
                LoadOutcome::Added => loaded.keys += 1,
                LoadOutcome::Expired => {
                    loaded.expired += 1;
                    expired_keys.push(db, key);
                }
                LoadOutcome::Duplicate => {
                    let (_, outside) = host.parts();
                    let text = format!("RDB has duplicated key '{}' in DB {db}", shown(key));
                    return Err(fail(outside, &text));
                }
                LoadOutcome::NoSuchDb => check_db(db, engine, host)?,
            }
            Ok(())
        })
    }

    fn take_aux(&mut self, key: &[u8], value: &[u8], host: &mut dyn NodeHost) {
        let (_, outside) = host.parts();
        let number = || std::str::from_utf8(value).ok()?.parse::<i64>().ok();
        let text = match key {
            b"redis-ver" => format!("Loading RDB produced by Redis version {}", shown(value)),
            b"valkey-ver" => format!("Loading RDB produced by Valkey version {}", shown(value)),
            b"ctime" => match number() {
                Some(created_s) => {
                    let age_s = (outside.unix_ms() / 1000 - created_s).max(0);
                    format!("RDB age {age_s} seconds")
                }
                None => return,
            },
            b"used-mem" => match number().and_then(|n| u64::try_from(n).ok()) {
                Some(bytes) => {
                    self.rdb_used_mem = bytes;
                    let megabytes = bytes as f64 / (1024.0 * 1024.0);
                    format!("RDB memory usage when created {megabytes:.2} Mb")
                }
                None => return,
            },
            b"aof-base" if value == b"1" => "RDB is base AOF".into(),
            b"repl-id" => {
                self.history.id = ReplicationId::parse(value);
                return;
            }
            b"repl-offset" => {
                self.history.offset = number().and_then(ReplOffset::claimed);
                return;
            }
            b"repl-stream-db" => {
                // Redis has written -1 where it meant none.
                let db = number().and_then(|db| u32::try_from(db).ok());
                self.history.stream_db = db.unwrap_or(0);
                return;
            }
            _ => return,
        };
        outside.log(LogLevel::Notice, &text);
    }

    fn report_progress(&mut self, host: &mut dyn NodeHost) {
        let (_, outside) = host.parts();
        let now_ms = outside.unix_ms();
        if now_ms - self.progress_ms < PROGRESS_INTERVAL_MS {
            return;
        }
        self.progress_ms = now_ms;
        let info = self.info(now_ms);
        let text = format!(
            "Loading: {:.1}% of {:.1} MB, {} keys, about {} seconds left",
            info.loaded_perc,
            info.total_bytes as f64 / (1024.0 * 1024.0),
            self.loaded.keys,
            info.eta_seconds
        );
        outside.log(LogLevel::Notice, &text);
    }
}

/// See [`Loader::take_expired_keys`].
#[derive(Default)]
struct ExpiredKeys {
    keys: Vec<(u32, Box<[u8]>)>,
    bytes: usize,
    is_incomplete: bool,
}

impl ExpiredKeys {
    fn push(&mut self, db: u32, key: &[u8]) {
        self.bytes += key.len() + EXPIRED_KEY_BYTES;
        if self.bytes > EXPIRED_KEYS_MAX_BYTES {
            self.is_incomplete = true;
            self.keys = Vec::new();
        } else if !self.is_incomplete {
            self.keys.push((db, key.into()));
        }
    }
}

impl Open {
    fn rest(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Reads up to `max` bytes behind the rest.
    fn fill(&mut self, max: usize) -> Result<(), String> {
        self.buffer.drain(..self.at);
        self.at = 0;
        if self.file.read(&mut self.buffer, max)? == 0 {
            self.is_at_end = true;
        }
        Ok(())
    }
}

fn check_db(db: u32, engine: &Engine, host: &mut dyn NodeHost) -> Result<(), LoadFailed> {
    let count = engine.keyspace.db_count();
    if (db as usize) < count {
        return Ok(());
    }
    let (_, outside) = host.parts();
    let text = format!(
        "FATAL: Data file was created with a server configured to handle more than {count} databases. Exiting"
    );
    Err(fail(outside, &text))
}

fn fail<O: Outside + ?Sized>(outside: &mut O, text: &str) -> LoadFailed {
    outside.log(LogLevel::Warning, text);
    LoadFailed {
        text: text.into(),
        is_damaged_rdb: false,
    }
}

fn read_failed(host: &mut dyn NodeHost, part: &Part, error: &str) -> LoadFailed {
    let (_, outside) = host.parts();
    let text = format!("Unrecoverable error reading {}: {error}", shown(&part.name));
    fail(outside, &text)
}

fn rdb_failed(host: &mut dyn NodeHost, part: &Part, error: &rdb::LoadError) -> LoadFailed {
    use rdb::Reason;
    let (_, outside) = host.parts();
    let name = shown(&part.name);
    let text = match &error.reason {
        Reason::WrongChecksum { .. } => {
            format!("{error}. Aborting now. (RDB CRC error in {name})")
        }
        Reason::UnexpectedEnd => format!(
            "Short read or OOM loading DB. Unrecoverable error, aborting now. ({name}: {error})"
        ),
        _ => format!("{name}: {error}"),
    };
    if matches!(error.reason, Reason::Corrupt { .. }) {
        // What Redis's own line begins and ends with, for those who search logs for it.
        let (offset, reason) = (error.offset, &error.reason);
        let text = format!("Internal error in RDB reading offset {offset} -> {reason}.");
        outside.log(LogLevel::Warning, &text);
    }
    let is_for_others = matches!(
        error.reason,
        Reason::WrongSignature
            | Reason::UnsupportedVersion(_)
            | Reason::RefusedType(_)
            | Reason::RefusedModule(_)
            | Reason::RefusedModuleAux(_)
            | Reason::RefusedFunctions
            | Reason::RefusedSlotImport
    );
    LoadFailed {
        is_damaged_rdb: !is_for_others,
        ..fail(outside, &text)
    }
}
