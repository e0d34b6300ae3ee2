//! What a primary may do that ends the link to it: it lies, or speaks something else.
//!
//! Texts that operators know are Redis's. Tests: where each is found.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misbehaved {
    LongLine,
    /// PING was answered by an error that is not about a password.
    Ping(String),
    Auth(String),
    /// A +FULLRESYNC that does not say where it stands.
    FullResyncSyntax(String),
    /// A +CONTINUE that cannot be: not asked for, or naming no id.
    Continue(String),
    /// Neither yes nor no.
    Psync(String),
    /// The snapshot will not come.
    Aborted(String),
    BadLength(String),
    NoBulk(String),
}

impl fmt::Display for Misbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misbehaved::LongLine => f.write_str("MASTER sent a line without an end"),
            Misbehaved::Ping(reply) => write!(f, "Error reply to PING from master: '{reply}'"),
            Misbehaved::Auth(reply) => write!(f, "Unable to AUTH to MASTER: {reply}"),
            Misbehaved::FullResyncSyntax(reply) => {
                write!(
                    f,
                    "Master replied with wrong +FULLRESYNC syntax. (reply: {reply})"
                )
            }
            Misbehaved::Continue(reply) => {
                write!(
                    f,
                    "Master continued what was not asked for (reply: {reply})"
                )
            }
            Misbehaved::Psync(reply) => {
                write!(f, "Unexpected reply to PSYNC from master: {reply}")
            }
            Misbehaved::Aborted(text) => {
                write!(f, "MASTER aborted replication with an error: {text}")
            }
            Misbehaved::BadLength(line) => {
                write!(
                    f,
                    "MASTER announced a snapshot of impossible length: '{line}'"
                )
            }
            Misbehaved::NoBulk(line) => write!(
                f,
                "Bad protocol from MASTER, the first byte is not '$' (we received '{line}'), \
                 are you sure the host and port are right?"
            ),
        }
    }
}

impl std::error::Error for Misbehaved {}
