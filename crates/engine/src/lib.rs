//! Sessions, the gate, dispatch, one file per command family, MULTI, blocking, pub/sub, INFO.
//!
//! A pure machine: bytes go in per session ([`Engine::feed`]), reply bytes come out
//! ([`Engine::output`]), time and everything else about the process come through [`Host`]. The
//! engine owns the data and all that touches it; nothing is global, nothing is locked, a command
//! runs to completion.
//!
//! A request's way: `input` (parse a batch, prefetch) → `gate` (one ordered list of reasons to
//! refuse) → `dispatch` (exhaustive match) → `cmd/…` (parse, act, reply) → `news` (watchers, blocked
//! clients, notifications) → the session's `output`.
//!
//! Knows no sockets, files, replication or AOF: what the node's role means comes in as a value
//! (`role`), a primary's stream as bytes (`stream`). To add a command: its spec in `commands`, an arm in
//! `dispatch`, a function in `cmd/…`. Tests: bottom of the files, `tests/`, and the process tests.
#![forbid(unsafe_code)]

pub mod blocking;
mod clients;
pub mod cmd;
mod ctx;
mod dispatch;
mod effects;
mod engine;
mod error;
mod gate;
mod histogram;
pub mod host;
mod input;
mod load;
mod memory;
mod news;
mod output;
mod own_keys;
mod pause;
pub mod persistence;
pub mod pubsub;
mod release;
mod replay;
mod role;
mod session;
pub mod settings;
mod stats;
mod stream;
mod timer;
mod waits;
mod watch;

pub use clients::ReplyBufferTuning;
pub use ctx::{Args, Ctx};
pub use effects::{Effects, EffectsReader};
pub use engine::{ConnInfo, Engine, SessionId};
pub use error::{Outcome, ReplyError, texts};
pub use host::Host;
pub use load::{LoadEntry, LoadOutcome, LoadPolicy, load_into};
pub use pause::{PauseMode, PausePurpose};
pub use persistence::{AofInfo, LoadingInfo, PersistenceInfo, Reload};
pub use release::{Gate, GateMode};
pub use replay::{Replay, ReplayError, ReplayFailure, Replayed};
pub use role::Role;
pub use session::{Session, SessionFlags};
pub use stats::{CommandStats, Stats};
