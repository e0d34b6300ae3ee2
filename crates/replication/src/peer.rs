//! One replica of ours, as the primary sees it: what it told us, what it is being sent.
//!
//! ```text
//!  Handshake -> WaitSnapshot -> Receiving -> AwaitAck -> Online     streamed, ended by a mark
//!                                        `-------------> Online     length-prefixed
//!  Handshake ------------------------------------------> Online     partial resynchronization
//! ```
//!
//! What is to be sent lies in three places: `control` (replies, framing, newlines) goes first, then
//! the snapshot's chain, then the backlog. The last two are read in place.
//! In `AwaitAck` the stream is held back: Redis finds the mark at the very end of what it received,
//! so nothing may follow until it has spoken.
//!
//! Does not know when to change state; `primary.rs` and `snapshot.rs` do.
//! Tests: through the machine.

use crate::action::Filter;
use crate::chain::Cursor;
use crate::config::OutputLimit;
use crate::core::Core;
use crate::id::SnapshotId;
use crate::offset::ReplOffset;
use crate::replconf::{Setting, printable};
use crate::snapshot::Snapshot;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// An ordinary client that sent REPLCONF.
    Handshake,
    /// Asked for everything. `joined`: it was promised this snapshot, which is being made.
    WaitSnapshot {
        joined: Option<SnapshotId>,
    },
    /// Is sent a snapshot, and then the stream from where that was taken.
    Receiving {
        at: Cursor,
        stream: Cursor,
    },
    AwaitAck {
        stream: Cursor,
    },
    Online {
        stream: Cursor,
    },
    /// Gets the rest of `control`, and is closed.
    Closing,
}

#[derive(Debug)]
pub(crate) struct Peer {
    pub ip: String,
    pub listening_port: i64,
    pub announced_ip: Option<String>,
    pub has_eof: bool,
    pub has_psync2: bool,
    pub wants_only_rdb: bool,
    pub filter: Filter,
    pub run_id: Vec<u8>,
    /// Came with SYNC: acknowledges nothing, ever.
    pub is_old: bool,
    pub state: State,
    pub waiting_since_ms: u64,
    pub acked: Option<ReplOffset>,
    /// Where its stream began: what it will ask for at least, if it never acknowledges.
    pub began_at: Option<ReplOffset>,
    /// What was there before it came back does not count against its limits: the backlog has it
    /// anyway, and cutting the replica off for it would never end.
    pub counted_from: ReplOffset,
    pub fsynced: Option<ReplOffset>,
    pub heard_ms: u64,
    /// When something was last written to it, or there was nothing to write.
    pub progress_ms: u64,
    pub over_soft_since_ms: Option<u64>,
    control: Vec<u8>,
    control_sent: usize,
}

impl Peer {
    pub fn new(ip: &str, now_ms: u64) -> Peer {
        Peer {
            ip: ip.to_owned(),
            listening_port: 0,
            announced_ip: None,
            has_eof: false,
            has_psync2: false,
            wants_only_rdb: false,
            filter: Filter::default(),
            run_id: Vec::new(),
            is_old: false,
            state: State::Handshake,
            waiting_since_ms: now_ms,
            acked: None,
            began_at: None,
            counted_from: ReplOffset::ZERO,
            fsynced: None,
            heard_ms: now_ms,
            progress_ms: now_ms,
            over_soft_since_ms: None,
            control: Vec::new(),
            control_sent: 0,
        }
    }

    pub fn set(&mut self, setting: Setting) {
        match setting {
            Setting::ListeningPort(port) => self.listening_port = port,
            Setting::IpAddress(ip) => self.announced_ip = (!ip.is_empty()).then_some(ip),
            Setting::CapabilityEof => self.has_eof = true,
            Setting::CapabilityPsync2 => self.has_psync2 = true,
            Setting::RunId(run_id) => self.run_id = run_id,
            Setting::RdbOnly(only) => self.wants_only_rdb = only,
            Setting::RdbFilter(filter) => self.filter = filter,
            Setting::Version(_) => {}
        }
    }

    pub fn address(&self) -> &str {
        self.announced_ip.as_deref().unwrap_or(&self.ip)
    }

    /// As logs call it.
    pub fn name(&self) -> String {
        let ip = printable(self.address().as_bytes());
        match self.listening_port {
            0 => format!("{ip}:<unknown-replica-port>"),
            port => format!("{ip}:{port}"),
        }
    }

    /// Counts as one of `connected_slaves`.
    pub fn is_replica(&self) -> bool {
        !matches!(self.state, State::Handshake | State::Closing)
    }

    /// Has all of the snapshot there is; what it acknowledges counts.
    pub fn is_online(&self) -> bool {
        matches!(self.state, State::AwaitAck { .. } | State::Online { .. })
    }

    /// INFO's word for it.
    pub fn state_name(&self) -> Option<&'static str> {
        match self.state {
            State::Handshake | State::Closing => None,
            State::WaitSnapshot { .. } => Some("wait_bgsave"),
            State::Receiving { .. } if self.has_eof => Some("wait_bgsave"),
            State::Receiving { .. } => Some("send_bulk"),
            State::AwaitAck { .. } | State::Online { .. } => Some("online"),
        }
    }

    /// From where on the stream is still to be sent to it.
    pub fn stream_from(&self) -> Option<ReplOffset> {
        match self.state {
            State::Receiving { stream, .. }
            | State::AwaitAck { stream }
            | State::Online { stream } => Some(ReplOffset::new(stream.offset())),
            State::Handshake | State::WaitSnapshot { .. } | State::Closing => None,
        }
    }

    /// From where on it would ask if it were cut off now.
    pub fn would_want(&self) -> Option<ReplOffset> {
        self.acked.or(self.began_at).filter(|_| self.is_online())
    }

    pub fn say(&mut self, bytes: &[u8]) {
        self.control.extend_from_slice(bytes);
    }

    pub fn has_control(&self) -> bool {
        self.control_sent < self.control.len()
    }

    /// A sign of life, unless others are still on their way.
    pub fn say_newline(&mut self) {
        if !self.has_control() {
            self.say(b"\n");
        }
    }

    pub fn output<'a>(&'a self, core: &'a Core, snapshot: Option<&'a Snapshot>) -> &'a [u8] {
        if self.has_control() {
            return &self.control[self.control_sent..];
        }
        match (&self.state, snapshot, &core.backlog) {
            (State::Receiving { at, .. }, Some(snapshot), _) => snapshot.chain().slice(at),
            (State::Online { stream }, _, Some(backlog)) => backlog.chain().slice(stream),
            _ => &[],
        }
    }

    pub fn control_written(&mut self, bytes: usize) {
        self.control_sent += bytes;
        assert!(
            self.control_sent <= self.control.len(),
            "wrote what was not there"
        );
        if self.control_sent == self.control.len() {
            self.control.clear();
            self.control_sent = 0;
        }
    }

    /// Whether too much waits for it. No limit is lower than what the backlog keeps anyway.
    /// The soft limit is about slowness; a replica that is still loading is not slow.
    pub fn is_over_limit(&mut self, core: &Core, lag_bytes: u64, now_ms: u64) -> bool {
        let limit = effective_limit(core);
        let is_soft = self.is_online() && limit.soft_bytes > 0 && lag_bytes > limit.soft_bytes;
        self.over_soft_since_ms = is_soft.then(|| self.over_soft_since_ms.unwrap_or(now_ms));
        let is_too_long = self
            .over_soft_since_ms
            .is_some_and(|since_ms| now_ms.saturating_sub(since_ms) > limit.soft_ms);
        is_too_long || (limit.hard_bytes > 0 && lag_bytes > limit.hard_bytes)
    }
}

/// The limits with the backlog's size as their floor.
pub(crate) fn effective_limit(core: &Core) -> OutputLimit {
    let floor = core.config.backlog_size_bytes;
    let limit = core.config.output_limit;
    let raised = |bytes: u64| if bytes == 0 { 0 } else { bytes.max(floor) };
    OutputLimit {
        hard_bytes: raised(limit.hard_bytes),
        soft_bytes: raised(limit.soft_bytes),
        ..limit
    }
}
