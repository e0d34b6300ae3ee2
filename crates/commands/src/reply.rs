//! What a command's successful reply looks like.
//!
//! Shapes are given as RESP3 sees them. A RESP2 client gets a double as a bulk string, a map as a
//! flat array, a set as an array, a verbatim string as a bulk string, a boolean as 0 or 1, a null
//! as a null bulk string or null array, and pairs of member and score (or field and value)
//! flattened into the array around them.
//!
//! Errors are not part of a shape. Uses: documentation and reply checks in tests.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyShape {
    /// Anything, because the reply depends on something outside this table.
    Any,
    /// No reply is sent.
    Nothing,
    /// The reply to a container is that of its subcommand.
    OfSubcommand,
    Null,
    /// Exactly this simple string.
    Status(&'static str),
    /// Some simple string.
    Simple,
    Bulk,
    /// Text for people, as a verbatim string.
    Verbatim,
    Integer,
    /// One of these integers.
    IntegerIn(&'static [i64]),
    Double,
    /// Any number of elements of one shape.
    Array(&'static ReplyShape),
    /// An array of exactly these elements.
    Tuple(&'static [ReplyShape]),
    Set(&'static ReplyShape),
    /// Bulk string keys, all values of one shape.
    Map(&'static ReplyShape),
    /// A map with exactly these keys.
    Record(&'static [(&'static str, ReplyShape)]),
    OneOf(&'static [ReplyShape]),
    /// One out-of-band message for each argument (for each subscription if there is none), in the
    /// given order of elements.
    Pushes(&'static [ReplyShape]),
}

impl ReplyShape {
    pub const OK: ReplyShape = ReplyShape::Status("OK");
    /// Whether something was done.
    pub const ZERO_OR_ONE: ReplyShape = ReplyShape::IntegerIn(&[0, 1]);
    pub const OPTIONAL_BULK: ReplyShape = ReplyShape::OneOf(&[ReplyShape::Bulk, ReplyShape::Null]);
    pub const OPTIONAL_DOUBLE: ReplyShape =
        ReplyShape::OneOf(&[ReplyShape::Double, ReplyShape::Null]);
    pub const OPTIONAL_INTEGER: ReplyShape =
        ReplyShape::OneOf(&[ReplyShape::Integer, ReplyShape::Null]);
    pub const BULKS: ReplyShape = ReplyShape::Array(&ReplyShape::Bulk);
    pub const BULK_SET: ReplyShape = ReplyShape::Set(&ReplyShape::Bulk);
    pub const OPTIONAL_BULKS: ReplyShape = ReplyShape::Array(&ReplyShape::OPTIONAL_BULK);
    /// The lines of a HELP subcommand.
    pub const HELP: ReplyShape = ReplyShape::Array(&ReplyShape::Simple);
    pub const BULK_PAIRS: ReplyShape =
        ReplyShape::Array(&ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::Bulk]));
    pub const SCORED_MEMBERS: ReplyShape =
        ReplyShape::Array(&ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::Double]));
    /// Members alone, or with their scores when WITHSCORES asks for them.
    pub const MEMBERS: ReplyShape =
        ReplyShape::OneOf(&[ReplyShape::BULKS, ReplyShape::SCORED_MEMBERS]);
    /// Next cursor and the elements of this step.
    pub const SCAN: ReplyShape = ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::BULKS]);
    /// Seconds or milliseconds left or absolute; -1 without expiry, -2 without key.
    pub const EXPIRY: ReplyShape = ReplyShape::Integer;
    /// Alternating channel names and subscriber counts.
    pub const CHANNEL_COUNTS: ReplyShape =
        ReplyShape::Array(&ReplyShape::OneOf(&[ReplyShape::Bulk, ReplyShape::Integer]));
    /// Kind of message, channel or pattern (null when there was none), remaining subscriptions.
    pub const SUBSCRIPTIONS: ReplyShape = ReplyShape::Pushes(&[
        ReplyShape::Bulk,
        ReplyShape::OPTIONAL_BULK,
        ReplyShape::Integer,
    ]);
}
