//! The append only file: which files exist, what is appended where, and how they are read back.
//!
//! - [`manifest`], [`names`]: Redis 7's multi-part directory, its texts and its file names
//! - [`machine`]: decides every file operation; the caller executes them in order and reports
//! - [`replay`]: walks the commands of a file, with exact places for what is cut or broken
//! - [`CommandSink`]: writes a snapshot as a base file of commands
//!
//! Knows no clock, file or thread. `now` comes in as an argument, operations go out as values.
//! Tests: in each file; `tests/simulation.rs` crashes the machine at random points on a model disk;
//! `examples/fuzz_aof.rs` is a mutation fuzzer for the stable toolchain.
#![forbid(unsafe_code)]

pub mod machine;
pub mod manifest;
pub mod names;
pub mod replay;
mod rewrite;

pub use rewrite::CommandSink;
