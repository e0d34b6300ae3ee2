//! Why a file or payload was not loaded: where, what, and at which key.
//!
//! Reasons that Redis has words for begin with those. Tests: with the decoder.

use std::fmt;

use crate::format::kind;

/// What was being read, in the words of check-rdb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Doing {
    #[default]
    Start,
    ReadType,
    ReadExpire,
    ReadKey,
    ReadObjectValue,
    CheckSum,
    ReadLen,
    ReadAux,
    ReadModuleAux,
    ReadFunctions,
}

impl Doing {
    pub fn name(self) -> &'static str {
        match self {
            Doing::Start => "start",
            Doing::ReadType => "read-type",
            Doing::ReadExpire => "read-expire",
            Doing::ReadKey => "read-key",
            Doing::ReadObjectValue => "read-object-value",
            Doing::CheckSum => "check-sum",
            Doing::ReadLen => "read-len",
            Doing::ReadAux => "read-aux",
            Doing::ReadModuleAux => "read-module-aux",
            Doing::ReadFunctions => "read-functions",
        }
    }
}

/// A collection, as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collection {
    Set,
    Hash,
    SortedSet,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    WrongSignature,
    UnsupportedVersion(u32),
    /// Neither a type nor an opcode that any release has written.
    UnknownType(u8),
    /// A value of a type that this release does not serve.
    RefusedType(u8),
    /// A value of a module, with the module's name if it says so.
    RefusedModule(Option<ModuleName>),
    RefusedModuleAux(ModuleName),
    RefusedFunctions,
    PreReleaseFunctions,
    RefusedSlotImport,
    /// The first byte of what should be a length.
    BadLength(u8),
    BadWhenOpcode(u64),
    BadModuleOpcode(u64),
    /// The first byte of what should be a string.
    BadStringEncoding(u8),
    BadCompression(&'static str),
    /// A packed value is not what its type says.
    Corrupt {
        what: &'static str,
        at_byte: usize,
        why: &'static str,
    },
    /// A packed value that is too large to stay packed holds an element twice.
    RepeatedInPack {
        what: &'static str,
    },
    UnknownContainer(u64),
    EmptyNode,
    Duplicate(Collection),
    NanScore,
    BadScore,
    UnorderedScores,
    /// A collection without elements, where that is an error.
    Empty,
    DbOutOfRange(u64),
    TrailingBytes,
    WrongChecksum {
        expected: u64,
        found: u64,
    },
    UnexpectedEnd,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::WrongSignature => f.write_str("Wrong signature trying to load DB from file"),
            Reason::UnsupportedVersion(version) => {
                write!(f, "Can't handle RDB format version {version}")
            }
            Reason::UnknownType(code) => write!(f, "Invalid object type: {code}"),
            Reason::RefusedType(code) => {
                let name = kind::name(*code).unwrap_or("unknown");
                write!(
                    f,
                    "values of type {code} ({name}) are not served by this release"
                )
            }
            Reason::RefusedModule(Some(module)) => {
                write!(
                    f,
                    "The RDB file contains module data I can't load: no matching module type '{module}'"
                )
            }
            Reason::RefusedModule(None) => {
                f.write_str("values of pre-release modules are not served by this release")
            }
            Reason::RefusedModuleAux(module) => write!(
                f,
                "The RDB file contains AUX module data I can't load: no matching module '{module}'"
            ),
            Reason::RefusedFunctions => f.write_str("functions are not built in this release"),
            Reason::PreReleaseFunctions => {
                f.write_str("Pre-release function format not supported.")
            }
            Reason::RefusedSlotImport => {
                f.write_str("slot imports under way are not served by this release")
            }
            Reason::BadLength(byte) => write!(f, "unknown length encoding 0x{byte:02x}"),
            Reason::BadWhenOpcode(code) => write!(f, "bad when_opcode {code}"),
            Reason::BadModuleOpcode(code) => write!(f, "unknown opcode {code} in a module's value"),
            Reason::BadStringEncoding(byte) => {
                write!(f, "Unknown RDB string encoding type 0x{byte:02x}")
            }
            Reason::BadCompression(why) => write!(f, "Invalid LZF compressed string: {why}"),
            Reason::Corrupt { what, at_byte, why } => {
                write!(f, "{what} integrity check failed: {why} (byte {at_byte})")
            }
            Reason::RepeatedInPack { what } => write!(f, "{what} with dup elements"),
            Reason::UnknownContainer(code) => {
                write!(
                    f,
                    "Quicklist integrity check failed: unknown container {code}"
                )
            }
            Reason::EmptyNode => f.write_str("Quicklist integrity check failed: empty node"),
            Reason::Duplicate(Collection::Set) => f.write_str("Duplicate set members detected"),
            Reason::Duplicate(Collection::Hash) => f.write_str("Duplicate hash fields detected"),
            Reason::Duplicate(Collection::SortedSet) => {
                f.write_str("Duplicate zset fields detected")
            }
            Reason::NanScore => f.write_str("Zset with NAN score detected"),
            Reason::BadScore => f.write_str("Zset with a score that is no number"),
            Reason::UnorderedScores => {
                f.write_str("Zset listpack integrity check failed: not in order")
            }
            Reason::Empty => f.write_str("empty collection"),
            Reason::DbOutOfRange(db) => write!(f, "database number {db} is out of range"),
            Reason::TrailingBytes => f.write_str("bytes left over behind the value"),
            Reason::WrongChecksum { expected, found } => write!(
                f,
                "Wrong RDB checksum expected: ({expected:x}) but got ({found:x})"
            ),
            Reason::UnexpectedEnd => f.write_str("Unexpected EOF reading RDB file"),
        }
    }
}

/// A module type's name: nine characters of six bits in the upper bits of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleName(pub u64);

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHARACTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        const VERSION_BITS: u32 = 10;
        for place in (0..9).rev() {
            let index = self.0 >> (VERSION_BITS + 6 * place) & 0x3f;
            write!(f, "{}", char::from(CHARACTERS[index as usize]))?;
        }
        Ok(())
    }
}

/// Shows as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Bytes before the place in question.
    pub offset: u64,
    pub reason: Reason,
    pub key: Option<Vec<u8>>,
    /// The type of the value at hand.
    pub kind: Option<u8>,
    pub doing: Doing,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.reason, self.offset)?;
        if let Some(key) = &self.key {
            write!(f, ", key '{}'", Shown(key))?;
        }
        match self.kind {
            Some(code) if !matches!(self.reason, Reason::UnknownType(_)) => {
                let name = kind::name(code).unwrap_or("unknown");
                write!(f, ", type {code} ({name})")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for LoadError {}

/// Bytes as a message shows them: escaped, and not endless.
pub(crate) struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX_BYTES: usize = 128;
        let shown = self.0.len().min(SHOWN_MAX_BYTES);
        write!(f, "{}", self.0[..shown].escape_ascii())?;
        if shown < self.0.len() {
            write!(f, "... ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

/// Why RESTORE refuses a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// Too short, from a release newer than this one, or damaged on the way.
    VersionOrChecksum,
    BadData(LoadError),
}

impl RestoreError {
    /// The error reply, without the dash.
    pub fn reply(&self) -> &'static str {
        match self {
            RestoreError::VersionOrChecksum => "ERR DUMP payload version or checksum are wrong",
            RestoreError::BadData(_) => "ERR Bad data format",
        }
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::VersionOrChecksum => f.write_str("payload version or checksum are wrong"),
            RestoreError::BadData(error) => write!(f, "bad payload: {error}"),
        }
    }
}

impl std::error::Error for RestoreError {}
