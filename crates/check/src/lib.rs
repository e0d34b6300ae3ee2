//! The tools that look at files without a server.
#![forbid(unsafe_code)]

mod rdb_file;

pub use rdb_file::check_rdb;
