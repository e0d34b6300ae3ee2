//! What process-level tests are made of: servers, connections, transcripts, waiting.
//!
//! `Server` starts our program or a real redis-server and ends it with the test; `Connection`
//! talks to it; `transcript` plays text files against it; `poll_until` waits without sleeping;
//! `Proxy` is a link that can break; `peer` finds other people's programs. Everything panics with
//! a reason when it fails, because that is what a test wants. No product crate may depend on this
//! one outside its tests.
#![forbid(unsafe_code)]

mod connection;
pub mod peer;
mod poll;
mod port;
mod proxy;
mod server;
pub mod transcript;

pub use connection::Connection;
pub use poll::{DEADLINE, poll_for, poll_until};
pub use port::free_port;
pub use proxy::Proxy;
pub use server::{Options, Server};
pub use transcript::render;
