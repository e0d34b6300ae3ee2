//! Decides what the append only file's directory holds, as a machine without files or clocks.
//!
//! ```text
//!          start                      turn_off               bytes durable, file closed
//!   Off ──────────▶ Starting ──▶ On ───────────▶ Closing ────────────────────────────▶ Off
//!    │                           ▲ │ fsync failed, torn append
//!    │ turn_on                   │ ▼
//!    └─────────────────────────▶ Waiting   (repair when it comes from On)
//!                   a rewrite's base and the increment beside it are listed: ▶ On
//! ```
//!
//! *Waiting* is Redis's AOF_WAIT_REWRITE: what is appended before a rewrite begins is in its base,
//! what follows goes to a temporary increment, and both become real in one manifest.
//!
//! **A failed fsync** leaves it unknown which pages reached the disk, and a later one that succeeds
//! says nothing of them. Redis exits under `always`. Here nothing more goes into that file, nothing
//! is claimed, held replies stay held and writes are refused, while a rewrite into new files is
//! tried (at once, then with growing delays). A failed *append* was taken back, so it is repeated
//! every second into the same file.
//!
//! **Replies** wait for [`Aof::release_offset`]: what is durable under `always`; while
//! `no-appendfsync-on-rewrite` suspends syncing, what is written; else everything.
//!
//! Tests: at the bottom, and `tests/simulation.rs`.

mod action;
mod config;
mod control;
mod info;
mod lane;
mod rewrite;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::manifest::Manifest;
use crate::names::Names;

pub use action::{
    Action, Done, Event, Failure, FileId, Level, Now, Op, RewriteReason, RewriteRefusal,
    RewriteStart, Token,
};
pub use config::{
    APPEND_MAX_BYTES, BATCH_BYTES, BATCH_DELAY_US, Config, Fsync, REPAIR_DELAY_MAX_US, RETRY_US,
    SLOW_SYNC_US, SYNC_INTERVAL_US,
};
pub use info::Info;

use config::ERROR_LOG_INTERVAL_US;
use control::Script;
use lane::{Landing, Lane, LaneError};
use rewrite::{Limiter, Rewrite};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Off,
    /// The files are being opened at the server's start.
    Starting,
    On,
    /// Nothing on the disk can be continued; a rewrite will make something that can.
    Waiting,
    /// Turned off; what was appended before is made durable.
    Closing,
}

/// What the files hold when a server starts or loads them again.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadedSizes {
    /// Base and increments together.
    pub total_bytes: u64,
    pub base_bytes: u64,
}

/// Why only a rewrite can help, and when it is tried next.
struct Repair {
    next_us: u64,
    delay_us: u64,
}

pub struct Aof {
    config: Config,
    names: Names,
    state: State,
    wanted: bool,
    /// To be turned on again once it is off: see `start_over`.
    starts_over: bool,
    /// As it is on the disk.
    manifest: Manifest,
    lane: Lane,
    script: Option<Script>,
    rewrite: Option<Rewrite>,
    scheduled: bool,
    limiter: Limiter,
    repair: Option<Repair>,
    /// History files could not be removed; not tried again before something changes.
    collect_failed: bool,
    appended: u64,
    /// See `fsynced_offset`: in the states in which the lane does not say it.
    durable: u64,
    released: u64,
    /// Why bytes cannot be kept at the moment.
    fault: Option<String>,
    retry_at_us: Option<u64>,
    opened_bytes: u64,
    error_logged_us: Option<u64>,
    flushing: bool,
    saving: bool,
    slow: bool,
    select_wanted: bool,
    last_timestamp_s: i64,
    next_token: u64,
    next_file: u32,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    current_size_bytes: u64,
    base_size_bytes: u64,
    last_rewrite_time_s: i64,
    last_rewrite_ok: bool,
    rewrites: u64,
    failures: u32,
    delayed_fsync: u64,
}

impl Aof {
    /// Off. `manifest` is what the directory's manifest says, or the default if there is none.
    pub fn new(config: Config, names: Names, manifest: Manifest) -> Aof {
        Aof {
            config,
            names,
            state: State::Off,
            wanted: false,
            starts_over: false,
            manifest,
            lane: Lane::default(),
            script: None,
            rewrite: None,
            scheduled: false,
            limiter: Limiter::default(),
            repair: None,
            collect_failed: false,
            appended: 0,
            durable: 0,
            released: 0,
            fault: None,
            retry_at_us: None,
            opened_bytes: 0,
            error_logged_us: None,
            flushing: false,
            saving: false,
            slow: false,
            select_wanted: false,
            last_timestamp_s: i64::MIN,
            next_token: 0,
            next_file: 0,
            actions: VecDeque::new(),
            events: VecDeque::new(),
            current_size_bytes: 0,
            base_size_bytes: 0,
            last_rewrite_time_s: -1,
            last_rewrite_ok: true,
            rewrites: 0,
            failures: 0,
            delayed_fsync: 0,
        }
    }

    /// A server with `appendonly yes` has loaded what the manifest names and goes on with it. If
    /// it names nothing, the first base is made of `empty_base`, a base file without keys.
    pub fn start(&mut self, sizes: LoadedSizes, empty_base: Vec<u8>, now: Now) {
        assert_eq!(self.state, State::Off);
        self.wanted = true;
        self.state = State::Starting;
        self.select_wanted = true;
        self.current_size_bytes = sizes.total_bytes;
        self.base_size_bytes = sizes.base_bytes;
        self.lane.reset(self.appended);
        self.durable = self.appended;
        self.begin_start(empty_base);
        self.advance(now);
    }

    /// `appendonly yes` on a running server. A rewrite is scheduled; see [`Aof::rewrite_due`].
    pub fn turn_on(&mut self, now: Now) {
        if self.is_enabled() {
            return;
        }
        self.wanted = true;
        if self.rewrite.as_ref().is_some_and(Rewrite::is_abortable) {
            self.notice(
                "AOF was enabled but there is already an AOF rewriting in background. Stopping \
                 background AOF and starting a rewrite now.",
            );
            self.abort_rewrite(true, now);
        }
        if self.fault.take().is_some() {
            self.warn("AOF reopen, just ignore the last error.".to_owned());
        }
        self.advance(now);
    }

    /// `appendonly no`. What was appended becomes durable if it can; a rewrite under way ends.
    pub fn turn_off(&mut self, now: Now) {
        if !self.is_enabled() {
            return;
        }
        self.wanted = false;
        self.starts_over = false;
        if std::mem::take(&mut self.scheduled) {
            self.notice("AOF was disabled but there is a scheduled AOF background, cancel it.");
        }
        if self.rewrite.as_ref().is_some_and(Rewrite::is_abortable) {
            self.abort_rewrite(true, now);
        }
        self.advance(now);
    }

    /// Something that was never appended has taken the place of the whole data set. What the files
    /// hold is a past that nothing may be added to; they stay until a rewrite, which is scheduled,
    /// has made new ones.
    pub fn start_over(&mut self, now: Now) {
        if !self.is_enabled() {
            return;
        }
        self.wanted = false;
        self.starts_over = true;
        self.scheduled = false;
        if self.rewrite.as_ref().is_some_and(Rewrite::is_abortable) {
            self.abort_rewrite(true, now);
        }
        self.advance(now);
    }

    pub fn set_config(&mut self, config: Config, now: Now) {
        self.config = config;
        self.collect_failed = false;
        self.advance(now);
    }

    /// Another snapshot is being written; counts for `no-appendfsync-on-rewrite`.
    pub fn set_saving(&mut self, saving: bool, now: Now) {
        self.saving = saving;
        self.advance(now);
    }

    /// Whole commands for the stream. Returns a buffer to fill next.
    pub fn append(&mut self, bytes: Vec<u8>, now: Now) -> Vec<u8> {
        let stream_bytes = bytes.len() as u64;
        self.append_of(bytes, stream_bytes, now)
    }

    /// As [`Aof::append`], where the stream has other bytes that are not for the file: offsets move
    /// on by `stream_bytes`. `bytes` may be empty only while nothing is collected.
    pub fn append_of(&mut self, bytes: Vec<u8>, stream_bytes: u64, now: Now) -> Vec<u8> {
        if stream_bytes == 0 {
            return bytes;
        }
        self.appended += stream_bytes;
        let mut spare = Vec::new();
        if self.collects() {
            if self.config.timestamp_enabled && now.unix_s > self.last_timestamp_s {
                self.last_timestamp_s = now.unix_s;
                // It goes with the command behind it: the offset up to here is reached already.
                let annotation = format!("#TS:{}\r\n", now.unix_s).into_bytes();
                let before = self.appended - stream_bytes;
                self.lane.push(annotation, before, now.mono_us);
            }
            spare = self.lane.push(bytes, self.appended, now.mono_us);
        }
        self.advance(now);
        spare
    }

    /// Everything appended so far is to become durable without delay, whatever the policy. Over
    /// when [`Aof::is_flushed`]; it may never be if [`Aof::last_write_ok`] turns false.
    pub fn flush_all(&mut self, now: Now) {
        self.flushing = true;
        self.advance(now);
    }

    pub fn is_flushed(&self) -> bool {
        // After a failed sync nothing collects and nothing is kept: that is not the same as done.
        let is_over = self.lane.file().is_none() && !self.collects()
            || self.lane.is_durable() && self.lane.buffered_bytes() == 0;
        is_over && self.fault.is_none()
    }

    /// Nothing is under way but a rewrite's base, which is the caller's business: the directory is
    /// what the machine wants it to be.
    pub fn is_settled(&self) -> bool {
        let rewriting = self.rewrite.as_ref().is_some_and(Rewrite::is_moving_files);
        self.script.is_none() && self.actions.is_empty() && !rewriting && self.is_steady()
    }

    /// The data set was replaced by what the files hold (DEBUG LOADAOF), after a flush.
    pub fn reloaded(&mut self, manifest: Manifest, sizes: LoadedSizes) {
        self.current_size_bytes = sizes.total_bytes;
        self.base_size_bytes = sizes.base_bytes;
        if matches!(self.state, State::Off | State::Waiting) && self.rewrite.is_none() {
            self.manifest = manifest;
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: Now) {
        self.advance(now);
    }

    /// An action came to its end.
    pub fn handle(&mut self, done: Done, now: Now) {
        let taken = self.script_done(&done, now);
        if !taken {
            let result = done.result.map_err(|failure| match failure.changed {
                true => LaneError::Broken(failure.text),
                false => LaneError::Again(failure.text),
            });
            if let Some(landing) = self.lane.land(done.token, &result) {
                self.landed(landing, now);
            }
        }
        self.advance(now);
    }

    /// What to execute next, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Aof::tick`] is due, on the monotonic clock, unless something else comes first.
    pub fn poll_timeout_us(&self) -> Option<u64> {
        let script = self.script.as_ref().and_then(|script| script.retry_at_us);
        let lane = (self.lane.file().is_some() && !self.lane.is_flying())
            .then(|| self.lane_due_us())
            .flatten();
        [script, lane].into_iter().flatten().min()
    }

    /// True once after a new file began: the next effects must begin with a SELECT. Ask after each
    /// call of `start` and `rewrite_begin`, before anything more is appended.
    pub fn take_select_wanted(&mut self) -> bool {
        std::mem::take(&mut self.select_wanted)
    }

    /// Whether what is appended now will be in a file of its own, not only in the next base.
    fn collects(&self) -> bool {
        match self.state {
            _ if self.starts_over => false,
            State::Starting | State::On => true,
            State::Waiting => self.rewrite.as_ref().is_some_and(Rewrite::collects),
            State::Off | State::Closing => false,
        }
    }

    fn is_steady(&self) -> bool {
        let wants_repair = self.wanted && self.state == State::Waiting;
        matches!(
            (self.wanted, self.state),
            (true, State::On) | (false, State::Off)
        ) || wants_repair
    }

    fn sync_suspended(&self) -> bool {
        self.config.no_fsync_on_rewrite && (self.saving || self.rewrite.is_some())
    }

    /// Everything that follows from what has changed.
    fn advance(&mut self, now: Now) {
        while self.advance_script(now) {}
        self.advance_lane(now);
        if self.flushing && self.is_flushed() {
            self.flushing = false;
        }
        self.note_slowness(now);
        let release = match (self.state, self.config.fsync) {
            (State::Starting, Fsync::Always) => self.durable,
            (State::Waiting, Fsync::Always) if self.repair.is_some() => self.durable,
            (State::Closing, Fsync::Always) => self.lane.synced(),
            (State::On, Fsync::Always) if self.sync_suspended() => self.lane.written(),
            (State::On, Fsync::Always) => self.lane.synced(),
            _ => self.appended,
        };
        self.released = self.released.max(release);
    }

    /// No delay is allowed: somebody waits for the file to be whole.
    fn is_urgent(&self) -> bool {
        self.flushing || self.lane.has_cut() || self.state == State::Closing
    }

    /// When the lane has something to do next.
    fn lane_due_us(&self) -> Option<u64> {
        if let Some(retry_at_us) = self.retry_at_us {
            return Some(retry_at_us);
        }
        let pending_since_us = self.lane.pending_since_us();
        let at_once = self.is_urgent() || self.config.fsync == Fsync::Always;
        let write = match pending_since_us {
            Some(since_us) if at_once || self.lane.has_full_batch() => Some(since_us),
            Some(since_us) => Some(since_us + BATCH_DELAY_US),
            None => None,
        };
        [write, self.sync_due_us()].into_iter().flatten().min()
    }

    fn sync_due_us(&self) -> Option<u64> {
        if !self.lane.has_unsynced() {
            return None;
        }
        let last_us = self.lane.last_sync_us();
        match self.config.fsync {
            _ if self.is_urgent() => Some(last_us),
            _ if self.sync_suspended() => None,
            Fsync::Always => Some(last_us),
            Fsync::EverySecond => Some(last_us + SYNC_INTERVAL_US),
            Fsync::No => None,
        }
    }

    fn advance_lane(&mut self, now: Now) {
        let Some(file) = self.lane.file() else { return };
        let is_due = self.lane_due_us().is_some_and(|due| due <= now.mono_us);
        if self.lane.is_flying() || !is_due {
            return;
        }
        self.retry_at_us = None;
        let syncs = self.sync_due_us().is_some_and(|due| due <= now.mono_us);
        if self.lane.pending_since_us().is_some() {
            let token = self.token();
            let chunks = self.lane.begin_append(token);
            self.push_action(token, Op::Append { file, chunks });
        }
        if syncs {
            let token = self.token();
            self.lane.begin_sync(token, now.mono_us);
            self.push_action(token, Op::Sync { file });
        }
    }

    fn landed(&mut self, landing: Landing, now: Now) {
        self.current_size_bytes += landing.appended_bytes;
        match landing.error {
            None if landing.appended_bytes > 0
                && self.repair.is_none()
                && self.fault.take().is_some() =>
            {
                self.notice("AOF write error looks solved. The server can write again.");
            }
            None => {}
            Some(LaneError::Again(text)) => self.append_failed(text, now),
            Some(LaneError::Broken(text)) => self.file_broke(text, now),
        }
    }

    fn append_failed(&mut self, text: String, now: Now) {
        let logged_us = self.error_logged_us;
        if logged_us.is_none_or(|at| now.mono_us.saturating_sub(at) > ERROR_LOG_INTERVAL_US) {
            self.error_logged_us = Some(now.mono_us);
            self.warn(format!("Error writing to the AOF file: {text}"));
        }
        self.fault = Some(text);
        self.retry_at_us = Some(now.mono_us + RETRY_US);
        if self.lane.has_cut() {
            // The increment before the cut cannot be finished, so there is nothing to build on.
            self.abort_rewrite(false, now);
        }
        if self.state == State::Closing {
            self.give_up_closing();
        }
    }

    fn file_broke(&mut self, text: String, now: Now) {
        if self.state == State::Closing {
            self.warn(format!("Fail to fsync the AOF file: {text}"));
            return self.give_up_closing();
        }
        self.warn(format!(
            "Can't persist AOF for fsync error: {text}. Writes are refused until a rewrite into new \
             files has succeeded."
        ));
        self.fault = Some(text);
        if self.state == State::On {
            self.durable = self.lane.synced();
            self.begin_repair(now);
        }
        self.rewrite_lost_its_file(now);
        self.close_file();
    }

    /// Nothing that is on the disk will be continued.
    fn begin_repair(&mut self, now: Now) {
        self.state = State::Waiting;
        self.repair = Some(Repair {
            next_us: now.mono_us,
            delay_us: RETRY_US,
        });
    }

    fn give_up_closing(&mut self) {
        self.durable = self.lane.synced();
        self.close_file();
    }

    fn close_file(&mut self) {
        self.retry_at_us = None;
        if let Some(file) = self.lane.drop_file() {
            self.push(Op::Close { file });
        }
    }

    fn note_slowness(&mut self, now: Now) {
        let slow = self.is_slow(now);
        if slow && !self.slow {
            self.delayed_fsync += 1;
            self.notice(
                "Asynchronous AOF fsync is taking too long (disk is busy?). Writers wait until it \
                 is complete.",
            );
        }
        self.slow = slow;
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    fn file_id(&mut self) -> FileId {
        self.next_file += 1;
        FileId(self.next_file)
    }

    fn push_action(&mut self, token: Token, op: Op) {
        self.actions.push_back(Action { token, op });
    }

    /// An action whose end nobody waits for.
    fn push(&mut self, op: Op) {
        let token = self.token();
        self.push_action(token, op);
    }

    fn notice(&mut self, text: impl Into<String>) {
        self.events
            .push_back(Event::Log(Level::Notice, text.into()));
    }

    fn warn(&mut self, text: String) {
        self.events.push_back(Event::Log(Level::Warning, text));
    }
}
