//! The generic commands: those that work on keys of any type.
//!
//! By family: `presence` (is it there, take it away), `expiry`, `walk` (KEYS, SCAN, RANDOMKEY),
//! `object`, `rename` (another name, another database, a copy), `sort`.

mod dump;
mod expiry;
mod object;
mod presence;
mod rename;
mod sort;
mod walk;

pub use dump::{dump, restore};
pub use expiry::{
    expire, expireat, expiretime, persist, pexpire, pexpireat, pexpiretime, pttl, ttl,
};
pub use object::{object_encoding, object_freq, object_help, object_idletime, object_refcount};
pub use presence::{del, exists, touch, type_, unlink};
pub use rename::{copy, move_, rename, renamenx};
pub use sort::{sort, sort_ro};
pub use walk::{keys, randomkey, scan};
