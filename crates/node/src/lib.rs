//! One server as a machine: the engine, and what keeps its data.
//!
//! [`turn`] has the order at the end of a turn; [`persistence`] decides what goes to which file;
//! [`replication`] spreads what commands did and follows a primary; [`outside`] says what the machine needs done. Whoever drives a node implements [`NodeHost`]: the
//! engine's door ([`engine::Host`]) and the executor of disk jobs in one.
//!
//! Knows no sockets, files, threads or clocks. The cluster will join here.
//! Tests: bottom of the files, `tests/`; the process tests of `server`.
#![forbid(unsafe_code)]

pub mod outside;
pub mod persistence;
pub mod replication;
pub mod turn;

pub use outside::Outside;
pub use persistence::Persistence;
pub use replication::Links;

/// Who drives a node.
pub trait NodeHost: engine::Host {
    /// Both at once, because the one asks the other.
    fn parts(&mut self) -> (&mut Persistence, &mut dyn Outside);
    fn node(&mut self) -> Parts<'_>;
}

/// All parts of a node but the engine, which is passed beside its host.
pub struct Parts<'a> {
    pub persistence: &'a mut Persistence,
    pub links: &'a mut Links,
    pub outside: &'a mut dyn Outside,
}
