//! The server program: reads its configuration, becomes the process it was asked to be, listens,
//! and drives a node from real sockets, files, clocks and signals.
//!
//! [`load`] reads the configuration, [`start`] is everything else before the first turn, [`turn`]
//! the loop, [`host`] the engine's door to the process, [`outside`] the
//! node's to files and threads, [`listen`] sockets and admission, [`banner`]
//! what the log says first. Knows no command. Tests: `tests/`, with real processes.
#![forbid(unsafe_code)]

mod banner;
mod ending;
mod host;
mod links;
mod listen;
mod load;
mod locks;
mod outside;
mod primary;
mod snapshot_file;
mod start;
mod sync_stream;
mod turn;

pub use start::{main, version_line};

/// This program's own version.
pub const REDAN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// An error of the system in the C library's words, as Redis's texts have it.
fn error_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_string(),
        None => text,
    }
}
