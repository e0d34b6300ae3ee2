//! Executing what an append-only file says.
//!
//! A file's commands run like a client's, without being one: no session is counted or listed, no
//! reply is kept, no gate is asked, nothing is recorded as an effect, nobody is told. Commands are
//! parsed and prefetched in batches as in `input`, which is what makes loading fast. A transaction
//! runs when its EXEC is there, so that a file that ends within one can be cut before its MULTI.
//! Expired keys stay until the file has been read: later commands may refer to them.
//!
//! Only what can change data runs: commands that cannot (no file has them) are passed over, so that
//! a file cannot stop the server or change its configuration. Lines that begin with `#` are
//! annotations, to be skipped.
//!
//! Tests: `tests/replay.rs`.

use crate::ctx::{Args, Ctx};
use crate::engine::{ConnInfo, Engine, SessionId};
use crate::host::{Host, LogLevel};
use crate::input::{BATCH, Request, Scratch};
use crate::session::{Queued, Session, SessionFlags};
use commands::{CommandId, Flags};
use keyspace::{ExpiredKeys, KeyspaceStats};
use resp::{Limits, Progress, Writer};
use smallvec::SmallVec;

/// The state between calls: what a connection would have.
pub struct Replay {
    session: Session,
    out: Writer,
    consumed: u64,
    /// Where the transaction that is open began.
    multi_at: Option<u64>,
    commands: u64,
}

/// What one call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Bytes of commands that are done (or queued); the caller drops them.
    pub consumed: usize,
    /// So many bytes at least are missing from the command behind them; 0 when unknown.
    pub need: usize,
}

/// Why a file cannot be executed any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    UnknownCommand(Vec<u8>),
    /// Known, but never called like this.
    WrongArity(&'static str),
    /// Not a command at all.
    Format,
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReplayError::UnknownCommand(name) => write!(
                f,
                "Unknown command '{}' reading the append only file",
                String::from_utf8_lossy(name)
            ),
            ReplayError::WrongArity(name) => write!(
                f,
                "Wrong number of arguments for '{name}' reading the append only file"
            ),
            ReplayError::Format => f.write_str("Bad file format reading the append only file"),
        }
    }
}

impl std::error::Error for ReplayError {}

/// An error and where the command that caused it begins, in bytes since the replay began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayFailure {
    pub offset: u64,
    pub error: ReplayError,
}

impl Replay {
    /// Bytes of commands that were executed or queued.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Where what was executed ends: before the MULTI of a transaction that is still open.
    pub fn valid_up_to(&self) -> u64 {
        self.multi_at.unwrap_or(self.consumed)
    }

    /// Whether a transaction waits for its EXEC.
    pub fn in_transaction(&self) -> bool {
        self.multi_at.is_some()
    }

    /// Whether the bytes given last ended within a command.
    pub fn is_mid_command(&self) -> bool {
        self.session.parser.is_mid_request()
    }

    /// Commands executed.
    pub fn commands(&self) -> u64 {
        self.commands
    }
}

/// What of the engine a replay must leave as it was.
struct Saved {
    recording: bool,
    removals: bool,
    expired_keys: ExpiredKeys,
    dirty: u64,
    stats: KeyspaceStats,
    touch: bool,
}

enum Stop {
    Full,
    NeedsMore(usize),
    Broken,
}

impl Engine {
    pub fn begin_replay(&self) -> Replay {
        let nowhere = SessionId {
            index: u32::MAX,
            generation: 0,
        };
        let mut session = self.session_of(nowhere, 0, ConnInfo::default());
        session.authenticated = true;
        // Nothing waits, and nothing replies as if it were alone.
        session.flags.set(SessionFlags::IN_EXEC, true);
        session.flags.set(SessionFlags::TRUSTED, true);
        Replay {
            out: Writer::new(session.version),
            session,
            consumed: 0,
            multi_at: None,
            commands: 0,
        }
    }

    /// Executes one command.
    pub fn replay(
        &mut self,
        replay: &mut Replay,
        args: Args<'_>,
        host: &mut dyn Host,
    ) -> Result<(), ReplayError> {
        let Some(name) = args.first() else {
            return Ok(());
        };
        let saved = self.begin_replaying();
        let command = self.lookup(name);
        let outcome = self.replay_one(replay, command, args, host);
        self.end_replaying(saved, host);
        outcome
    }

    /// Executes the whole commands at the front of `bytes`. Call again with what was not consumed and
    /// more behind it. On a failure everything before the command in question is done.
    pub fn replay_bytes(
        &mut self,
        replay: &mut Replay,
        bytes: &[u8],
        host: &mut dyn Host,
    ) -> Result<Replayed, ReplayFailure> {
        let saved = self.begin_replaying();
        let mut scratch = std::mem::take(&mut self.scratch);
        let outcome = self.replay_batches(replay, bytes, &mut scratch, host);
        scratch.trim();
        self.scratch = scratch;
        self.end_replaying(saved, host);
        outcome
    }

    fn replay_batches(
        &mut self,
        replay: &mut Replay,
        bytes: &[u8],
        scratch: &mut Scratch,
        host: &mut dyn Host,
    ) -> Result<Replayed, ReplayFailure> {
        let base = replay.consumed;
        loop {
            let stop = parse_batch(replay, bytes, scratch);
            self.prefetch(replay.session.db, bytes, scratch);
            let mut args: SmallVec<[&[u8]; 24]> = SmallVec::new();
            for request in scratch.requests.iter().filter(|r| r.span_count > 0) {
                args.clear();
                let spans =
                    &scratch.spans[request.first_span as usize..][..request.span_count as usize];
                args.extend(spans.iter().map(|s| s.of(bytes)));
                replay.consumed = base + request.start as u64;
                self.replay_one(replay, request.command, &args, host)
                    .map_err(|error| ReplayFailure {
                        offset: base + request.start as u64,
                        error,
                    })?;
            }
            let consumed = replay.session.parser.consumed();
            replay.consumed = base + consumed as u64;
            self.settle_load(host);
            match stop {
                Stop::Full => {}
                Stop::NeedsMore(need) => {
                    replay.session.parser.rebase(consumed);
                    return Ok(Replayed { consumed, need });
                }
                Stop::Broken => {
                    return Err(ReplayFailure {
                        offset: replay.consumed,
                        error: ReplayError::Format,
                    });
                }
            }
        }
    }

    fn replay_one(
        &mut self,
        replay: &mut Replay,
        command: Option<CommandId>,
        args: Args<'_>,
        host: &mut dyn Host,
    ) -> Result<(), ReplayError> {
        // A file may be older than the configuration that renamed a command.
        let command = command.or_else(|| commands::lookup(args[0]));
        let Ok(id) = self.resolve(command, args) else {
            return Err(refusal(command, args));
        };
        match id {
            CommandId::Multi => {
                replay.multi_at.get_or_insert(replay.consumed);
                return Ok(());
            }
            CommandId::Exec => {
                replay.multi_at = None;
                for queued in std::mem::take(&mut replay.session.queued) {
                    let args: SmallVec<[&[u8]; 24]> =
                        queued.args.iter().map(Vec::as_slice).collect();
                    self.execute_replayed(replay, queued.command, &args, host);
                }
                return Ok(());
            }
            CommandId::Discard => {
                replay.multi_at = None;
                replay.session.queued.clear();
                return Ok(());
            }
            _ if id != CommandId::Select && !id.flags().contains(Flags::WRITE) => return Ok(()),
            _ => {}
        }
        if replay.multi_at.is_some() {
            replay.session.queued.push(Queued {
                command: id,
                args: args.iter().map(|arg| arg.to_vec()).collect(),
            });
        } else {
            self.execute_replayed(replay, id, args, host);
        }
        Ok(())
    }

    fn execute_replayed(
        &mut self,
        replay: &mut Replay,
        id: CommandId,
        args: Args<'_>,
        host: &mut dyn Host,
    ) {
        replay.commands += 1;
        let mut ctx = Ctx {
            engine: self,
            session: &mut replay.session,
            out: &mut replay.out,
            host,
            command: id,
        };
        let outcome = crate::dispatch::run(&mut ctx, id, args);
        replay.out.truncate(0);
        if let Err(error) = outcome {
            let text = String::from_utf8_lossy(error.text()).into_owned();
            host.log(
                LogLevel::Warning,
                &format!(
                    "== CRITICAL == This server is sending an error to its AOF-loading-client: '{text}' after \
                     processing the command '{}'",
                    id.full_name()
                ),
            );
        }
    }

    fn begin_replaying(&mut self) -> Saved {
        let keyspace = &mut self.keyspace;
        let saved = Saved {
            recording: self.effects.enabled,
            removals: keyspace.journal.track_removals,
            expired_keys: keyspace.expired_keys,
            dirty: keyspace.journal.dirty,
            stats: keyspace.stats,
            touch: keyspace.touch,
        };
        self.effects.enabled = false;
        keyspace.journal.track_removals = false;
        keyspace.expired_keys = ExpiredKeys::Keep;
        keyspace.touch = false;
        saved
    }

    fn end_replaying(&mut self, saved: Saved, host: &mut dyn Host) {
        self.settle_load(host);
        self.effects.enabled = saved.recording;
        let keyspace = &mut self.keyspace;
        keyspace.journal.track_removals = saved.removals;
        keyspace.journal.dirty = saved.dirty;
        keyspace.expired_keys = saved.expired_keys;
        keyspace.stats = saved.stats;
        keyspace.touch = saved.touch;
    }

    /// Data that came from a file is no news to anybody but those who watch keys.
    #[cold]
    pub(crate) fn forget_news(&mut self) {
        let journal = &mut self.keyspace.journal;
        journal.events.clear();
        journal.ready.clear();
        journal.removals.clear();
        for (db, key) in std::mem::take(&mut journal.touched) {
            self.touch_watchers(None, db, &key);
        }
    }
}

fn parse_batch(replay: &mut Replay, bytes: &[u8], scratch: &mut Scratch) -> Stop {
    scratch.spans.clear();
    scratch.requests.clear();
    let limits = Limits {
        bulk_max: i64::MAX,
        ..Limits::default()
    };
    let parser = &mut replay.session.parser;
    while scratch.requests.len() < BATCH {
        let start = parser.consumed();
        if !parser.is_mid_request() && bytes.get(start) == Some(&b'#') {
            match line_len(&bytes[start..]) {
                Some(len) => parser.skip(len + 1),
                None => return Stop::NeedsMore(0),
            }
            continue;
        }
        if !parser.is_mid_request() && bytes.get(start).is_some_and(|&b| b != b'*') {
            return Stop::Broken;
        }
        let first_span = scratch.spans.len() as u32;
        match parser.parse(bytes, &mut scratch.spans, &limits) {
            Ok(Progress::Request) => scratch.requests.push(Request {
                start,
                end: parser.consumed(),
                first_span,
                span_count: scratch.spans.len() as u32 - first_span,
                command: None,
                key: None,
            }),
            Ok(Progress::Incomplete { need }) => return Stop::NeedsMore(need),
            Ok(Progress::Inline(_)) | Err(_) => return Stop::Broken,
        }
    }
    Stop::Full
}

/// Length of the line at the front of `bytes`, its end not counted.
fn line_len(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&b| b == b'\n')
}

fn refusal(command: Option<CommandId>, args: Args<'_>) -> ReplayError {
    match command {
        Some(id) if !id.spec().is_container() => ReplayError::WrongArity(id.full_name()),
        _ => ReplayError::UnknownCommand(args[0].to_vec()),
    }
}
