//! What the machine wants done. Drained with [`crate::Replication::poll_action`], in order, after
//! every call that takes `now`.
//!
//! Bulk bytes are not here: what replicas are to be sent is read in place
//! ([`crate::Replication::output`]), and what the primary sent is handed through in place
//! ([`crate::Replication::read`]).

use crate::id::{Attempt, LinkId, SnapshotId};
use crate::offset::ReplOffset;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Verbose,
    Notice,
    Warning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Primary,
    Replica,
}

/// How a snapshot reaches the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotKind {
    /// As it is made, its length unknown, ended by a mark.
    Streamed,
    /// Made as a whole first; its length goes before it.
    Whole,
}

/// What `REPLCONF rdb-filter-only` left of the data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub without_data: bool,
    pub without_functions: bool,
}

impl Filter {
    pub fn is_any(&self) -> bool {
        self.without_data || self.without_functions
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect to our primary; answer with `connected` or `connection_lost`.
    Connect {
        attempt: Attempt,
        host: String,
        port: u16,
    },
    /// Write to our primary.
    SendToPrimary {
        attempt: Attempt,
        bytes: Vec<u8>,
    },
    /// Close the connection to our primary. It needs no answer.
    CloseAttempt {
        attempt: Attempt,
    },
    /// Whatever was read from the primary beyond the last whole unit is void: empty the session's
    /// buffer, forget its MULTI, keep its database.
    DropUnapplied,
    /// The snapshot being loaded will never be whole: drop it, keep the old data.
    AbortLoad,
    /// Close a replica's link, after `output` was written if `is_flushed`.
    CloseLink {
        link: LinkId,
        is_flushed: bool,
    },
    /// Begin a snapshot of the data as it is now. Make effects begin with SELECT, then call
    /// `snapshot_started`, with no write in between; or `snapshot_failed`.
    StartSnapshot {
        id: SnapshotId,
        kind: SnapshotKind,
        filter: Filter,
    },
    /// Nobody waits for this snapshot any more.
    AbortSnapshot {
        id: SnapshotId,
    },
    /// We are now this. Read-only gates, blocked clients and eviction go by it.
    RoleChanged(Role),
    /// The stream of effects must begin with SELECT from here on.
    ForceSelect,
    /// Whether effects are wanted: from now on every one of them must be appended, or none will be.
    RecordEffects(bool),
    /// Clients may not write until `ResumeWrites`: a handover is under way.
    PauseWrites,
    ResumeWrites,
    /// We were a primary, and the new one takes us back to an earlier point: these bytes of our
    /// history, up to our offset, are about to be discarded. Read them with `history` before
    /// doing anything else, and keep them.
    KeepTail {
        from: ReplOffset,
        to: ReplOffset,
    },
    Log {
        level: Level,
        text: String,
    },
}
