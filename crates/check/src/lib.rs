//! The tools that look at files without a server.
#![forbid(unsafe_code)]

mod aof_file;
mod aof_report;
mod rdb_file;

pub use aof_file::check_aof;
pub use rdb_file::check_rdb;
