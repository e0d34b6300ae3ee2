//! One client connection as the engine sees it.

use crate::blocking::Blocked;
use crate::engine::SessionId;
use crate::output::Output;
use crate::pubsub::{Scope, Subscriptions};
use crate::stream::StreamPosition;
use crate::watch::Watched;
use resp::{RequestParser, Version};

/// Yes-or-no facts about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SessionFlags(u32);

impl SessionFlags {
    pub const MULTI: SessionFlags = SessionFlags(1);
    /// A queued command was refused: EXEC must fail.
    pub const DIRTY_EXEC: SessionFlags = SessionFlags(1 << 1);
    /// A watched key changed: EXEC must do nothing.
    pub const DIRTY_CAS: SessionFlags = SessionFlags(1 << 2);
    pub const MONITOR: SessionFlags = SessionFlags(1 << 3);
    /// Close once the pending output is sent.
    pub const CLOSE_AFTER_REPLY: SessionFlags = SessionFlags(1 << 4);
    /// Close at the end of the turn.
    pub const CLOSE_ASAP: SessionFlags = SessionFlags(1 << 5);
    pub const REPLY_OFF: SessionFlags = SessionFlags(1 << 6);
    pub const REPLY_SKIP_NEXT: SessionFlags = SessionFlags(1 << 7);
    pub const REPLY_SKIP: SessionFlags = SessionFlags(1 << 8);
    pub const NO_EVICT: SessionFlags = SessionFlags(1 << 9);
    pub const NO_TOUCH: SessionFlags = SessionFlags(1 << 10);
    pub const UNIX_SOCKET: SessionFlags = SessionFlags(1 << 11);
    /// Its next request waits for CLIENT UNPAUSE.
    pub const PAUSED: SessionFlags = SessionFlags(1 << 12);
    /// Among the sessions with output to be written.
    pub(crate) const DIRTY: SessionFlags = SessionFlags(1 << 13);
    /// Running a transaction's queued commands.
    pub const IN_EXEC: SessionFlags = SessionFlags(1 << 14);
    /// Re-running a command that was blocked.
    pub const UNBLOCKED: SessionFlags = SessionFlags(1 << 15);
    /// No client: exempt from pauses, client eviction and idle time-outs.
    pub const TRUSTED: SessionFlags = SessionFlags(1 << 16);
    /// Runs what our primary sends.
    pub(crate) const PRIMARY_LINK: SessionFlags = SessionFlags(1 << 17);
    /// Became the link of a replica of ours.
    pub(crate) const REPLICA_LINK: SessionFlags = SessionFlags(1 << 18);

    pub fn has(self, flag: SessionFlags) -> bool {
        self.0 & flag.0 != 0
    }

    pub fn set(&mut self, flag: SessionFlags, on: bool) {
        if on {
            self.0 |= flag.0;
        } else {
            self.0 &= !flag.0;
        }
    }
}

/// A command waiting for EXEC.
pub struct Queued {
    pub command: commands::CommandId,
    pub args: Vec<Vec<u8>>,
}

pub struct Session {
    pub slot: SessionId,
    /// CLIENT ID.
    pub id: u64,
    /// The server's own name for the connection.
    pub conn: u64,
    pub fd: i32,
    pub addr: String,
    pub laddr: String,
    /// Connected from this machine.
    pub is_local: bool,
    pub name: Vec<u8>,
    pub lib_name: Vec<u8>,
    pub lib_ver: Vec<u8>,
    pub db: u32,
    pub version: Version,
    pub authenticated: bool,
    pub flags: SessionFlags,
    pub queued: Vec<Queued>,
    pub queued_bytes: usize,
    pub watched: Vec<Watched>,
    pub subscriptions: Option<Box<Subscriptions>>,
    pub blocked: Option<Box<Blocked>>,
    pub(crate) parser: RequestParser,
    /// Bytes received but not yet executed: a partial request, or requests behind a blocking one.
    pub(crate) input: Vec<u8>,
    pub output: Output,
    /// The end of the effects of what this session did last: what WAIT waits for.
    pub last_effects_offset: u64,
    /// How far a primary's stream has run.
    pub(crate) stream: StreamPosition,
    pub created_ms: i64,
    pub last_used_ms: i64,
    pub last_command: Option<commands::CommandId>,
    pub net_in_bytes: u64,
    pub net_out_bytes: u64,
    pub commands_count: u64,
    /// Since when the output is beyond its soft limit.
    pub soft_limit_since_ms: Option<i64>,
    /// The size of reply buffer this session takes; follows the size of its replies.
    pub reply_buffer_bytes: usize,
    /// Most bytes in the reply buffer since `reply_peak_since_ms`.
    pub reply_peak_bytes: usize,
    pub(crate) reply_peak_since_ms: i64,
    /// Most bytes in `input` since it was last resized.
    pub(crate) input_peak_bytes: usize,
    /// What the session adds to [`crate::Engine::client_memory_bytes`].
    pub(crate) counted_bytes: usize,
}

impl Session {
    /// SYNC or PSYNC turned this session into a replica's link: nothing is written to its output any
    /// more, what it sends is served as before.
    pub fn become_replica_link(&mut self) {
        self.flags.set(SessionFlags::REPLICA_LINK, true);
        self.flags.set(SessionFlags::TRUSTED, true);
    }

    /// Whether replies wait to be sent.
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    #[inline]
    pub fn is_replica_link(&self) -> bool {
        self.flags.has(SessionFlags::REPLICA_LINK)
    }

    #[inline]
    pub fn is_primary_link(&self) -> bool {
        self.flags.has(SessionFlags::PRIMARY_LINK)
    }

    /// Whether nothing is ever written to it.
    #[inline]
    pub(crate) fn is_mute(&self) -> bool {
        self.is_replica_link() || self.is_primary_link()
    }

    pub fn in_multi(&self) -> bool {
        self.flags.has(SessionFlags::MULTI)
    }

    /// Bytes received and not yet understood: arguments that are there count in
    /// [`Session::args_pending`].
    pub fn input_len(&self) -> usize {
        self.input.len().saturating_sub(self.parser.position())
    }

    /// Bytes that fit into the input buffer without its growing.
    pub fn input_room(&self) -> usize {
        self.input.capacity() - self.input.len()
    }

    pub fn input_capacity(&self) -> usize {
        self.input.capacity()
    }

    pub fn args_pending(&self) -> (usize, usize) {
        self.parser.args_pending()
    }

    /// Whether requests may run now.
    pub(crate) fn is_stopped(&self) -> bool {
        self.blocked.is_some()
            || self.flags.has(SessionFlags::PAUSED)
            || self.flags.has(SessionFlags::CLOSE_AFTER_REPLY)
            || self.flags.has(SessionFlags::CLOSE_ASAP)
    }

    /// What confirmations of the scope's commands count: channels and patterns together, shard
    /// channels apart.
    pub fn subscription_count(&self, scope: Scope) -> usize {
        self.subscriptions.as_ref().map_or(0, |s| match scope {
            Scope::Shard => s.shard_channels.len(),
            Scope::Channel | Scope::Pattern => s.channels.len() + s.patterns.len(),
        })
    }

    pub fn subscription_names(&self, scope: Scope) -> Vec<Box<[u8]>> {
        self.subscriptions
            .as_ref()
            .map(|s| s.of(scope).iter().cloned().collect())
            .unwrap_or_default()
    }

    /// In RESP2, a subscriber may only use the pub/sub commands.
    pub fn in_pubsub_mode(&self) -> bool {
        self.subscriptions.as_ref().is_some_and(|s| !s.is_empty())
    }
}
