//! The containers: hash table, listpack, intset, list of listpacks, ordered tree with ranks.
//!
//! They know nothing of Redis commands, of time or of each other's users. Random numbers and hash
//! seeds are arguments. This crate and `runtime` are the only ones that may use `unsafe`; each block
//! carries its argument, each structure a model-based property test.

mod block;
pub mod bytes;
pub mod decimal;
pub mod entry;
pub mod glob;
pub mod intset;
pub mod list;
pub mod listpack;
pub mod rank_tree;
pub mod sorted_set;
pub mod table;
pub mod table_reader;
mod table_scan;
