//! What the machine tells about itself, for INFO and for who decides on it.

use super::config::SLOW_SYNC_US;
use super::{Aof, Fsync, Manifest, Now, State};

/// The `aof_*` fields of INFO persistence, those of Redis 7.4. The last six are shown only while
/// `enabled`; `aof_last_cow_size` and `aof_pending_rewrite` follow from others (0, `rewrite_scheduled`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    pub enabled: bool,
    pub rewrite_in_progress: bool,
    pub rewrite_scheduled: bool,
    /// -1 before the first.
    pub last_rewrite_time_s: i64,
    /// -1 when there is none.
    pub current_rewrite_time_s: i64,
    pub last_rewrite_ok: bool,
    pub rewrites: u64,
    pub rewrites_consecutive_failures: u32,
    pub last_write_ok: bool,
    pub current_size_bytes: u64,
    pub base_size_bytes: u64,
    pub buffer_length_bytes: u64,
    pub pending_fsyncs: u64,
    pub delayed_fsync: u64,
}

impl Aof {
    pub fn info(&self, now: Now) -> Info {
        let seconds_since =
            |start_us: u64| (now.mono_us.saturating_sub(start_us) / 1_000_000) as i64;
        let running = self.rewrite.as_ref().filter(|r| !r.is_in_force);
        Info {
            enabled: self.is_enabled(),
            rewrite_in_progress: self.rewrite_in_progress(),
            rewrite_scheduled: self.scheduled,
            last_rewrite_time_s: self.last_rewrite_time_s,
            current_rewrite_time_s: running.map_or(-1, |r| seconds_since(r.started_us)),
            last_rewrite_ok: self.last_rewrite_ok,
            rewrites: self.rewrites,
            rewrites_consecutive_failures: self.failures,
            last_write_ok: self.fault.is_none(),
            current_size_bytes: self.current_size_bytes,
            base_size_bytes: self.base_size_bytes,
            buffer_length_bytes: self.pending_bytes() as u64,
            pending_fsyncs: u64::from(self.lane.is_syncing()),
            delayed_fsync: self.delayed_fsync,
        }
    }

    /// `appendonly` as it was last set, whatever the files are doing about it.
    pub fn is_enabled(&self) -> bool {
        self.wanted || self.starts_over
    }

    /// Whether the files are given up, and nothing is appended, until new ones can be begun.
    pub fn is_starting_over(&self) -> bool {
        self.starts_over
    }

    /// What is on the disk, as far as this machine knows.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// The end of everything ever appended.
    pub fn appended_offset(&self) -> u64 {
        self.appended
    }

    /// How far the stream is in the current file, durable or not.
    pub fn written_offset(&self) -> u64 {
        match self.state {
            State::On | State::Closing => self.lane.written(),
            _ => self.durable,
        }
    }

    /// How much of the stream a restart after a crash would bring back at least. Stands still while
    /// a new base is needed first.
    pub fn fsynced_offset(&self) -> u64 {
        match self.state {
            State::On | State::Closing => self.lane.synced(),
            _ => self.durable,
        }
    }

    /// Replies to what lies before this offset need not be held back; see the head of the module.
    pub fn release_offset(&self) -> u64 {
        self.released
    }

    /// Whether replies to writes are to be held back at all until [`Aof::release_offset`] has come.
    pub fn gates_replies(&self) -> bool {
        let is_source_of_truth = matches!(self.state, State::Starting | State::On | State::Closing)
            || (self.state == State::Waiting && self.repair.is_some());
        is_source_of_truth && self.config.fsync == Fsync::Always
    }

    /// `everysec`, and bytes wait for more than two seconds to become durable: further writers must
    /// wait, or more than that could be lost.
    pub fn is_slow(&self, now: Now) -> bool {
        let waits = self.lane.unsynced_since_us();
        self.state == State::On
            && self.config.fsync == Fsync::EverySecond
            && !self.sync_suspended()
            && waits.is_some_and(|since_us| now.mono_us.saturating_sub(since_us) > SLOW_SYNC_US)
    }

    /// The text with which writes are refused while they cannot be kept.
    pub fn refusal(&self) -> Option<String> {
        let fault = self.fault.as_ref()?;
        (self.state != State::Off)
            .then(|| format!("MISCONF Errors writing to the AOF file: {fault}"))
    }

    /// Not in the file yet.
    pub fn pending_bytes(&self) -> usize {
        self.lane.buffered_bytes()
    }

    pub fn current_size_bytes(&self) -> u64 {
        self.current_size_bytes
    }

    pub fn base_size_bytes(&self) -> u64 {
        self.base_size_bytes
    }

    /// True until the new base is in force. Obsolete files may still be there after that.
    pub fn rewrite_in_progress(&self) -> bool {
        self.rewrite.as_ref().is_some_and(|r| !r.is_in_force)
    }

    pub fn rewrite_scheduled(&self) -> bool {
        self.scheduled
    }

    pub fn last_rewrite_ok(&self) -> bool {
        self.last_rewrite_ok
    }

    pub fn last_write_ok(&self) -> bool {
        self.fault.is_none()
    }

    pub fn delayed_fsync(&self) -> u64 {
        self.delayed_fsync
    }
}
