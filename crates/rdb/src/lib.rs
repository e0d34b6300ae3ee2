//! The RDB format: files, full syncs and DUMP payloads, both ways.
//!
//! Writing is in two halves. [`Encoder`] runs where the data lives and only copies; [`Packer`] runs
//! where the file is written, compresses and sums. Reading is [`Decoder`], fed with bytes as they
//! arrive. [`dump`] and [`restore`] do the same for one value.
//!
//! Everything that Redis 3.2 to 7.4 and Valkey 8 and 9 write is read, but for types that this
//! release does not serve: those are refused by name, never left out.
//!
//! Knows no files, sockets, clocks or keyspaces. Tests: at the bottom of files, `tests/`; fuzzer:
//! `examples/fuzz_rdb.rs`; speed: `examples/bench_rdb.rs`.
#![forbid(unsafe_code)]

mod access;
pub mod check;
mod checksum;
mod decode;
mod dump;
mod encode;
mod error;
mod event;
pub mod format;
mod limits;
pub mod lzf;
mod pack;
mod ziplist;

pub use access::AccessInfo;
pub use decode::Decoder;
pub use dump::{dump, restore, restore_unsummed};
pub use encode::{EncodeOptions, Encoder, Segment};
pub use error::{Collection, Doing, LoadError, ModuleName, Reason, RestoreError};
pub use event::{ChecksumFound, Event, Loaded};
pub use limits::LoadLimits;
pub use pack::Packer;
