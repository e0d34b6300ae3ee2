//! Deterministic simulation: the machines that run in production, in a world made from one seed.
//!
//! [`World`] holds nodes (each a [`replication::Replication`] with a toy data set behind it), a
//! virtual clock, connections that delay, stall, break and go deaf in one direction, clients that
//! write and WAIT, and an operator who crashes, freezes, restarts and repoints nodes. A run has two
//! phases: *safety*, in which anything may happen, and *liveness*, in which everything is healed and
//! must come to agree. [`Ledger`] knows the truth about every history and checks, after every
//! step of every node:
//! - a replica's data is its primary's at the very offset it claims, for the id it claims;
//! - offsets never go backwards within an id;
//! - WAIT's answer was true; no replica is wiped by an empty primary that lost its history.
//!
//! `cargo run -p sim -- --seeds 1000`; a failing seed prints itself and its last steps, and
//! `--replay SEED` runs it again with all of them. `tests/seeds.rs` runs a thousand in CI.
#![forbid(unsafe_code)]

mod ledger;
mod model;
mod network;
mod node;
mod options;
mod world;

pub use ledger::Ledger;
pub use options::Options;
pub use world::{Outcome, Report, Violation, World, run_seed};
