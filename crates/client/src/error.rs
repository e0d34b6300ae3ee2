//! What can go wrong with a client connection, with the step it happened in.
//!
//! Texts are lower case and chain by colons, so that a caller can put its own context in front.
//! Tests: `tests.rs`.

use resp::DecodeError;
use std::fmt;
use std::io;

/// What the client was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Resolve,
    Connect,
    Configure,
    Read,
    Write,
}

#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The operating system refused. `peer` is the address as far as it is known.
    Io {
        operation: Operation,
        peer: String,
        source: io::Error,
    },
    /// Nothing happened within the timeout.
    Timeout { operation: Operation, peer: String },
    /// The server closed the connection where a reply was expected.
    Closed { is_mid_reply: bool },
    /// What the server sent is not RESP or exceeds the limits.
    Decode(DecodeError),
    /// The server answered with this error (`command_ok` only).
    Reply(Vec<u8>),
}

impl ClientError {
    /// Sorts an error of the operating system: a socket's timeout shows up under two kinds.
    pub(crate) fn from_io(operation: Operation, peer: &str, source: io::Error) -> Self {
        let peer = peer.to_owned();
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Self::Timeout { operation, peer }
            }
            _ => Self::Io {
                operation,
                peer,
                source,
            },
        }
    }

    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// The server is gone: it closed, reset or refused the connection.
    pub fn is_disconnected(&self) -> bool {
        match self {
            Self::Closed { .. } => true,
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::NotConnected
                    | io::ErrorKind::UnexpectedEof
            ),
            _ => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect to",
            Self::Configure => "configure socket to",
            Self::Read => "read from",
            Self::Write => "write to",
        })
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io {
                operation,
                peer,
                source,
            } => write!(f, "{operation} {peer}: {source}"),
            Self::Timeout { operation, peer } => write!(f, "{operation} {peer}: timed out"),
            Self::Closed { is_mid_reply: true } => {
                f.write_str("server closed the connection in the middle of a reply")
            }
            Self::Closed {
                is_mid_reply: false,
            } => f.write_str("server closed the connection"),
            Self::Decode(source) => write!(f, "decode reply: {source}"),
            Self::Reply(text) => write!(f, "server replied: {}", text.escape_ascii()),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Decode(source) => Some(source),
            Self::Timeout { .. } | Self::Closed { .. } | Self::Reply(_) => None,
        }
    }
}
