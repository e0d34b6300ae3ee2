//! What goes into the machine and comes out of it, as plain data.
//!
//! Every [`Action`] is executed in the order given and answered by one [`Done`]. Paths are bytes,
//! relative to the server's working directory.

use std::sync::Arc;

/// Both clocks of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Never jumps; only differences count.
    pub mono_us: u64,
    /// For annotations.
    pub unix_s: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// An open file, named by the machine. Numbers are not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub token: Token,
    pub op: Op,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// It may be there already.
    MakeDir {
        path: Vec<u8>,
    },
    /// Opens for appending; an existing file is emptied if `truncate`. Gives its length.
    Open {
        file: FileId,
        path: Vec<u8>,
        truncate: bool,
    },
    /// All or nothing: a short write is taken back.
    Append {
        file: FileId,
        chunks: Arc<Vec<Vec<u8>>>,
    },
    /// What was appended before becomes durable.
    Sync {
        file: FileId,
    },
    Close {
        file: FileId,
    },
    Rename {
        from: Vec<u8>,
        to: Vec<u8>,
    },
    /// It may be gone already.
    Remove {
        path: Vec<u8>,
    },
    /// Names made, changed or removed in a directory become durable.
    SyncDir {
        path: Vec<u8>,
    },
    /// Writes `temp`, syncs it, renames it to `path`, syncs the directory.
    Replace {
        temp: Vec<u8>,
        path: Vec<u8>,
        bytes: Vec<u8>,
    },
}

/// An action came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub token: Token,
    /// For [`Op::Open`] the length of the file, else 0.
    pub result: Result<u64, Failure>,
}

/// An action failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The system's text for the error, such as `No space left on device`.
    pub text: String,
    /// Something was left behind all the same: a part of an append that could not be taken back,
    /// or a replacement whose rename was done and only its durability is in doubt.
    pub changed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Verbose,
    Notice,
    Warning,
}

/// What the caller must hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Log(Level, String),
    /// The rewrite under way is over without success: end its pass and remove its temporary file.
    /// Not sent when the caller itself reported the failure.
    AbortRewrite,
    /// The file could not be opened at the start; Redis exits. The reason was logged.
    StartFailed,
}

/// What a rewrite needs to know when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewriteStart {
    /// Where to write the new base. The caller owns it until it reports the base done.
    pub temp_path: Vec<u8>,
    /// An RDB file, or else a file of commands.
    pub rdb_preamble: bool,
    /// A file of commands begins with this annotation.
    pub timestamp_s: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteRefusal {
    AlreadyInProgress,
    /// The file is being opened or closed at this moment; schedule it.
    NotNow,
}

/// Why a rewrite should begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteReason {
    Scheduled,
    /// The file grew by so many percent since the last rewrite.
    Growth(u64),
    /// What is on the disk cannot be continued; only a new base can.
    Repair,
}
