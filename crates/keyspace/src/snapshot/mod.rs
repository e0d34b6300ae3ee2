//! What a point-in-time pass over the data shows: whole entries, and big values in pieces.
//!
//! A value too big for one slice of work arrives between `big_begin` and `big_end`, and nothing
//! else in between. Knows nothing of files or formats. Tests: with those who implement [`Sink`].

use crate::value::Entry;
use structures::list::NodeRef;

/// Takes what a pass shows.
pub trait Sink: std::any::Any + Send {
    /// One whole entry. `db` is the number the database had when the pass began.
    fn entry(&mut self, db: u32, entry: Entry<'_>);
    /// A value too big for one slice arrives in pieces; nothing else comes between begin and end.
    fn big_begin(&mut self, db: u32, header: BigHeader<'_>);
    fn big_piece(&mut self, piece: Piece<'_>);
    fn big_end(&mut self);
}

/// What is known of a big value before its first piece.
#[derive(Clone, Copy, Debug)]
pub struct BigHeader<'a> {
    pub key: &'a [u8],
    pub expiry_ms: Option<i64>,
    pub access: u32,
    pub shape: BigShape,
}

/// The type of a big value and how much of it will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BigShape {
    String { len_bytes: usize },
    List { nodes: usize, len: usize },
    Set { len: usize },
    Hash { len: usize },
    SortedSet { len: usize },
}

/// One part of a big value.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    Bytes(&'a [u8]),
    Node(NodeRef<'a>),
    Member(&'a [u8]),
    Pair(&'a [u8], &'a [u8]),
    Scored(&'a [u8], f64),
}
