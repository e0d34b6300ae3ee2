//! Errors to a client, and the texts that several commands share. Byte-exact with Redis 7.4: clients
//! match on them. A text carries its own code (`ERR`, `WRONGTYPE`, …) and no leading dash.

use keyspace::{StringError, WrongType};
use std::borrow::Cow;

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyError(Cow<'static, [u8]>);

/// What a command handler returns; on success it has written its reply.
pub type Outcome = Result<(), ReplyError>;

impl ReplyError {
    pub const fn new(text: &'static str) -> Self {
        ReplyError(Cow::Borrowed(text.as_bytes()))
    }

    /// A text made of outside bytes; the writer neutralises line breaks.
    pub fn bytes(text: Vec<u8>) -> Self {
        ReplyError(Cow::Owned(text))
    }

    pub fn text(&self) -> &[u8] {
        &self.0
    }

    /// The first word, under which INFO errorstats counts it.
    pub fn code(&self) -> &[u8] {
        self.0.split(|&b| b == b' ').next().unwrap_or(b"ERR")
    }

    /// An error of the host's, which comes without its code; an empty one is the bare code.
    pub fn from_host(text: String) -> Self {
        match text.as_str() {
            "" => ReplyError::new("ERR"),
            _ => format!("ERR {text}").into(),
        }
    }

    pub fn wrong_arity(full_name: &str) -> Self {
        format!("ERR wrong number of arguments for '{full_name}' command").into()
    }
}

impl From<String> for ReplyError {
    fn from(text: String) -> Self {
        ReplyError(Cow::Owned(text.into_bytes()))
    }
}

impl From<WrongType> for ReplyError {
    fn from(_: WrongType) -> Self {
        texts::WRONG_TYPE
    }
}

impl From<StringError> for ReplyError {
    fn from(error: StringError) -> Self {
        match error {
            StringError::WrongType => texts::WRONG_TYPE,
            StringError::NotAnInteger => texts::NOT_AN_INTEGER,
            StringError::Overflow => texts::INCR_OVERFLOW,
        }
    }
}

/// Texts used by more than one command.
pub mod texts {
    use super::ReplyError;

    pub const WRONG_TYPE: ReplyError =
        ReplyError::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const SYNTAX: ReplyError = ReplyError::new("ERR syntax error");
    pub const NO_SUCH_KEY: ReplyError = ReplyError::new("ERR no such key");
    pub const NOT_AN_INTEGER: ReplyError =
        ReplyError::new("ERR value is not an integer or out of range");
    pub const NOT_A_FLOAT: ReplyError = ReplyError::new("ERR value is not a valid float");
    pub const MUST_BE_POSITIVE: ReplyError =
        ReplyError::new("ERR value is out of range, must be positive");
    pub const INCR_OVERFLOW: ReplyError =
        ReplyError::new("ERR increment or decrement would overflow");
    pub const INDEX_OUT_OF_RANGE: ReplyError = ReplyError::new("ERR index out of range");
    pub const STRING_TOO_LONG: ReplyError =
        ReplyError::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub const DB_INDEX: ReplyError = ReplyError::new("ERR DB index is out of range");
    pub const INVALID_DB_INDEX: ReplyError = ReplyError::new("ERR invalid DB index");
    pub const INVALID_CURSOR: ReplyError = ReplyError::new("ERR invalid cursor");
    pub const OUT_OF_MEMORY: ReplyError =
        ReplyError::new("OOM command not allowed when used memory > 'maxmemory'.");
    pub const LOADING: ReplyError =
        ReplyError::new("LOADING Redis is loading the dataset in memory");
    pub const PRIMARY_DOWN: ReplyError = ReplyError::new(
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    );
    pub const READ_ONLY: ReplyError =
        ReplyError::new("READONLY You can't write against a read only replica.");
    pub const NO_REPLICAS: ReplyError =
        ReplyError::new("NOREPLICAS Not enough good replicas to write.");
    pub const NO_AUTH: ReplyError = ReplyError::new("NOAUTH Authentication required.");
    pub const TIMEOUT_NOT_FLOAT: ReplyError =
        ReplyError::new("ERR timeout is not a float or out of range");
    pub const TIMEOUT_NEGATIVE: ReplyError = ReplyError::new("ERR timeout is negative");
}
