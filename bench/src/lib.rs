//! Measuring tools: a load generator that costs little, and the comparisons built on it.
//!
//! Reading order: `template` (what a request looks like), `stock` (requests rendered before the
//! clock starts), `reply` (counting replies), `load` (the epoll loop that joins them). On top of
//! those, `compare`, `memory`, `fill`, `persist` and `replication` start servers through `servers`, read what they cost
//! through `process`, and print tables. `responder` is the yardstick: a server that does nothing.
//!
//! Stands alone: knows no other crate of the workspace, so that a mistake there cannot hide here.
//! Tests: at the bottom of each file; `bench calibrate` checks the generator's own speed.

#![forbid(unsafe_code)]

pub mod arguments;
pub mod compare;
pub mod control;
pub mod fill;
pub mod footprint;
pub mod interrupt;
pub mod load;
pub mod load_command;
pub mod memory;
pub mod paced;
pub mod parts;
pub mod persist;
pub mod pinning;
pub mod probe;
pub mod process;
pub mod replication;
pub mod reply;
pub mod responder;
pub mod rows;
pub mod servers;
pub mod stock;
pub mod table;
pub mod template;
