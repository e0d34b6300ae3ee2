//! Replication as a pure machine: both ends of PSYNC, the backlog, roles, FAILOVER, the guards.
//!
//! [`Replication`] is all of it. Call order of a turn, in the driver (`node`):
//! 1. inputs: `replconf`, `sync`, `heard`, `link_closed`; `connected`, `connection_lost`, `read`
//!    (each `Stream` runs in the primary's session, then `applied` with the whole units' bytes);
//! 2. `append` the turn's effects, whole units only; then REPLICAOF if one came (`replicate`);
//! 3. `end_of_turn`, `handle_timeout` if due, then `poll_action` until it yields none;
//! 4. `links_with_output`: write `output`, report `written`.
//!
//! Actions may be drained more often; `sync` and `promote` from inside a command must be followed by
//! that at once, so that effects are recorded from the right byte on. Offsets of clients that WAIT:
//! `offset` plus the effects not appended yet. `StartSnapshot` is answered by `snapshot_started`,
//! then for as long as `snapshot_room` allows `snapshot_data`, then `snapshot_finished`. Snapshots and
//! data files carry the database selected at their end of the stream (`repl-stream-db`): a primary's
//! is that of its effects, a replica's that of the session which runs its primary's stream.
//!
//! Knows no engine, socket, file or clock. Times are milliseconds of a clock that never goes back.
//! Tests: in each file, `tests/`, `examples/fuzz_replication.rs`, and the simulator in crate `sim`.
#![forbid(unsafe_code)]

mod action;
mod backlog;
mod chain;
mod config;
mod core;
mod decide;
mod failover;
mod guard;
mod handshake;
mod history;
mod id;
mod info;
mod line;
mod misbehaved;
mod offset;
mod peer;
mod primary;
mod random;
mod replconf;
mod role;
mod snapshot;
mod transfer;
mod upstream;

pub use action::{Action, Filter, Level, Role, SnapshotKind};
pub use backlog::{Backlog, Needs};
pub use chain::{BLOCK_BYTES, Chain, Cursor};
pub use config::{Config, OutputLimit};
pub use core::Stats;
pub use decide::{Decision, Reason, Request, State, decide};
pub use failover::{FailoverCommand, Target, parse as parse_failover};
pub use guard::{Facts, LoadFailure, Verdict, judge};
pub use history::{History, SecondId};
pub use id::{Attempt, LinkId, ReplicationId, SnapshotId};
pub use info::RoleReply;
pub use misbehaved::Misbehaved;
pub use offset::ReplOffset;
pub use primary::Throttle;
pub use random::Random;
pub use role::{ReplconfReply, Replication};
pub use upstream::{Cause, Received};
