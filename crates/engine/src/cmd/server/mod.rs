//! The server commands: one file per family, reached as `cmd::server::<name>`.

mod command;
mod config;
mod databases;
mod debug;
mod info;
mod lolwut;
mod memory;
mod monitor;
mod node;
mod persistence;
mod redact;
mod slowlog;

pub use command::{
    command, command_count, command_docs, command_getkeys, command_getkeysandflags, command_help,
    command_info, command_list,
};
pub use config::{config_get, config_help, config_resetstat, config_rewrite, config_set};
pub use databases::{dbsize, flushall, flushdb, swapdb};
pub(crate) use debug::check_protected;
pub use debug::{DebugState, debug};
pub use info::info;
pub use lolwut::lolwut;
pub use memory::{
    memory_doctor, memory_help, memory_malloc_stats, memory_purge, memory_stats, memory_usage,
};
pub use monitor::monitor;
pub use node::{shutdown, time};
pub use persistence::{bgrewriteaof, bgsave, lastsave, save};
pub use slowlog::{SlowLog, slowlog_get, slowlog_help, slowlog_len, slowlog_reset};
