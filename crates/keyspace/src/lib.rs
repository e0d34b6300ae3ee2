//! Databases, values and their encodings, expiry, eviction, slots and what happened to keys.
//!
//! [`Keyspace`] owns all data. Commands reach it through typed access (`get::<Hash>`, `string`,
//! `set_string`, …); every look-up recognises an expired entry on the way. What a command did is
//! noted in the [`journal::Journal`], which the engine drains when the command is done.
//!
//! Knows no protocol, no clients and no clock: the engine sets `now_ms` before commands run, and
//! random numbers come from a seed. Tests: bottom of each file, `tests/`.
#![forbid(unsafe_code)]

mod access;
mod db;
mod evict;
mod expire;
mod expiry_index;
pub mod hash;
pub mod journal;
mod keys;
mod load;
mod notes;
pub mod rng;
mod sample;
pub mod set;
mod shared;
pub mod slot;
pub mod snapshot;
pub mod sorted_set;
mod string;
pub mod value;

pub use access::AccessMeter;
pub use db::Db;
pub use evict::{EvictionPolicy, Victim};
pub use keys::{ExpiredKeys, Garbage, Keyspace, KeyspaceStats, PREFETCH_MAX};
pub use string::{Expiry, StringError};
pub use structures::entry::NewValue;
pub use value::{Entry, IntText, Kind, Str, Type, Value, WrongType};
