//! What a decoder finds, borrowed from the input or from the decoder itself.

use keyspace::value::Value;
use structures::entry::NewValue;

use crate::AccessInfo;
use crate::error::ModuleName;

/// A loaded value in the form in which a table takes it: an integer, a string short enough to lie
/// beside its key, or a payload.
pub type Loaded<'a> = NewValue<'a, Value>;

pub enum Event<'a> {
    /// A field that describes the file.
    Aux { key: &'a [u8], value: &'a [u8] },
    /// What follows belongs to this database.
    SelectDb { db: u32 },
    /// A hint of how much will come.
    ResizeDb { db: u32, keys: u64, volatile: u64 },
    Entry {
        db: u32,
        key: &'a [u8],
        value: Loaded<'a>,
        expiry_ms: Option<i64>,
        access: AccessInfo,
    },
    /// A key whose collection has no elements; to be left out, with a note.
    Empty { db: u32, key: &'a [u8] },
    /// A value that was stepped over; see [`crate::Decoder::skip_foreign`].
    Foreign {
        db: u32,
        key: &'a [u8],
        kind: u8,
        expiry_ms: Option<i64>,
    },
    /// Data of a module that is no key follows, and will be stepped over.
    ModuleAux { module: ModuleName },
    /// A library of functions that was stepped over.
    Functions,
    /// The end. `checksum` says whether the file had one to compare.
    End { checksum: ChecksumFound },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumFound {
    /// It was there and right.
    Right,
    /// The file was written without.
    Disabled,
    /// The version has none, or nobody asked.
    NotChecked,
}
