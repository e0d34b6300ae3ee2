//! Every option of the server once, and the formats around it: the configuration file, the
//! command line, CONFIG GET, SET and REWRITE.
//!
//! `table` declares the options (name, aliases, kind, default, access, built or not) and yields
//! the typed `Config`. `kind` (with `parse` and `show`) reads and writes a kind of option; `load` reads a start
//! sequence; `set` answers CONFIG GET and SET; `rewrite` edits the old file.
//! Pure: file contents come in as bytes, `include` through a callback; nothing here knows what an
//! option does. `Changed` tells the owner what to apply; when an effect fails, the owner puts the
//! old `Config` back with `revert`.
//! Tests beside the code and in tests/; `examples/fuzz_config.rs` mutates files and requests.

#![forbid(unsafe_code)]

mod check;
mod field;
mod kind;
mod line;
mod load;
mod parse;
mod rewrite;
mod set;
mod show;
mod table;
mod text;
mod types;

pub use field::Field;
pub use kind::{Kind, Value};
pub use line::{quote, split_args};
pub use load::{
    CommandLine, Directive, Enter, FileText, Include, LoadError, Origin, Place, Source, Warning,
};
pub use parse::parse_memory;
pub use set::{Changed, SetContext, SetError, is_sensitive};
pub use table::{Access, Config, OPTIONS, OptionId, OptionSpec, lookup};
pub use text::Text;
pub use types::*;

/// The Redis release whose options and texts this crate follows.
pub const REDIS_VERSION: &str = "7.4.0";
