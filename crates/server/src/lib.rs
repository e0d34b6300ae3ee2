//! The server program: reads its configuration, becomes the process it was asked to be, listens,
//! and drives the engine from real sockets, clocks and signals.
//!
//! [`start`] is everything before the first turn, [`turn`] the loop, [`host`] the engine's door to
//! the process, [`listen`] sockets and admission. Knows no command.
#![forbid(unsafe_code)]

mod banner;
mod host;
mod listen;
mod start;
mod turn;

pub use start::{main, version_line};

/// This program's own version.
pub const REDAN_VERSION: &str = env!("CARGO_PKG_VERSION");
