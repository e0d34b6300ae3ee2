//! One module per command group, one function per command: parse, act, reply.

pub mod bitmap;
pub mod connection;
pub mod generic;
pub mod hash;
pub mod list;
pub mod pubsub;
pub mod scan_args;
pub mod server;
pub mod set;
pub mod sorted_set;
pub mod string;
pub mod timeout;
pub mod transactions;
