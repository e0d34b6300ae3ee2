//! The Redis serialization protocol, versions 2 and 3, as pure functions over bytes.
//!
//! Server side: [`RequestParser`] turns a read buffer into argument [`Span`]s without copying,
//! [`Writer`] encodes replies. Client side: [`Decoder`] turns reply bytes into [`Value`]s. Beside
//! them the number texts that the protocol and the commands share: [`int`], [`double`],
//! [`long_double`].
//!
//! Everything that arrives is hostile: no input panics, and memory grows only with bytes received.
//! Knows no sockets, no commands and no clock.
//!
//! Tests: in each file, `tests/properties.rs`, and `examples/fuzz_resp.rs`, a mutation fuzzer for
//! the stable toolchain.
#![forbid(unsafe_code)]

mod bignum;
pub mod decoder;
pub mod double;
pub mod int;
mod literal;
pub mod long_double;
pub mod request;
pub mod split;
pub mod value;
pub mod writer;

pub use decoder::{DecodeError, Decoder, DecoderLimits};
pub use double::{parse_double, write_double};
pub use int::{parse_i64, parse_u64, write_i64, write_u64};
pub use long_double::{FloatError, LongDouble, incr_by_float};
pub use request::{Limits, Progress, ProtocolError, RequestParser, Span};
pub use split::split_args;
pub use value::Value;
pub use writer::{Deferred, Version, Writer};
