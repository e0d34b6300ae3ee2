//! Commands on hashes.
//!
//! One literal per command, sorted by name. The fields are explained in `spec.rs`. Facts follow
//! Redis 7.4; arity, flags, categories, tips and key specs were compared with what Redis 7.0.15
//! answers to COMMAND.
//!
//! Tests: `hygiene.rs`.

use super::vocabulary::{
    AclCategories, Arg, CommandId, CommandSpec, Deprecation, Flags, Group, KeyFlags, KeySpec,
    ReplyShape, acl, flags, key_flags,
};

const DEFAULTS: CommandSpec = CommandSpec {
    group: Group::Hash,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Hdel,
        name: "hdel",
        arity: -3,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | HASH | FAST),
        since: "2.0.0",
        complexity: "O(N), N: fields to remove",
        history: &[("2.4.0", "Takes several fields.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | DELETE))],
        args: &[Arg::key("key", 0), Arg::string("field").multiple()],
        summary: "Removes fields from a hash.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hexists,
        name: "hexists",
        arity: 3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | HASH | FAST),
        since: "2.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO))],
        args: &[Arg::key("key", 0), Arg::string("field")],
        summary: "Tells whether a hash has a field.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hget,
        name: "hget",
        arity: 3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | HASH | FAST),
        since: "2.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0), Arg::string("field")],
        summary: "Reads one field of a hash.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hgetall,
        name: "hgetall",
        arity: 2,
        flags: flags!(READONLY),
        acl: acl!(READ | HASH | SLOW),
        since: "2.0.0",
        complexity: "O(N), N: fields of the hash",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output_order"],
        summary: "Reads all fields of a hash with their values.",
        reply: ReplyShape::Map(&ReplyShape::Bulk),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hincrby,
        name: "hincrby",
        arity: 4,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | HASH | FAST),
        since: "2.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::string("field"),
            Arg::integer("increment"),
        ],
        summary: "Adds a number to the integer in a field.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hincrbyfloat,
        name: "hincrbyfloat",
        arity: 4,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | HASH | FAST),
        since: "2.6.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::string("field"),
            Arg::double("increment"),
        ],
        summary: "Adds a floating-point number to the number in a field.",
        reply: ReplyShape::Bulk,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hkeys,
        name: "hkeys",
        arity: 2,
        flags: flags!(READONLY),
        acl: acl!(READ | HASH | SLOW),
        since: "2.0.0",
        complexity: "O(N), N: fields of the hash",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output_order"],
        summary: "Lists the fields of a hash.",
        reply: ReplyShape::BULKS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hlen,
        name: "hlen",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | HASH | FAST),
        since: "2.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO))],
        args: &[Arg::key("key", 0)],
        summary: "Counts the fields of a hash.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hmget,
        name: "hmget",
        arity: -3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | HASH | FAST),
        since: "2.0.0",
        complexity: "O(N), N: fields asked for",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0), Arg::string("field").multiple()],
        summary: "Reads several fields of a hash.",
        reply: ReplyShape::OPTIONAL_BULKS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hmset,
        name: "hmset",
        arity: -4,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | HASH | FAST),
        since: "2.0.0",
        complexity: "O(N), N: fields to set",
        deprecated: Some(Deprecation {
            since: "4.0.0",
            replaced_by: "`HSET` with several fields",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(RW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::block("data", &[Arg::string("field"), Arg::string("value")]).multiple(),
        ],
        summary: "Sets several fields of a hash.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hrandfield,
        name: "hrandfield",
        arity: -2,
        flags: flags!(READONLY),
        acl: acl!(READ | HASH | SLOW),
        since: "6.2.0",
        complexity: "O(N), N: fields returned",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::block(
                "options",
                &[
                    Arg::integer("count"),
                    Arg::word("withvalues", "WITHVALUES").optional(),
                ],
            )
            .optional(),
        ],
        tips: &["nondeterministic_output"],
        summary: "Picks random fields of a hash.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Bulk,
            ReplyShape::Null,
            ReplyShape::BULKS,
            ReplyShape::BULK_PAIRS,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hscan,
        name: "hscan",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | HASH | SLOW),
        since: "2.8.0",
        complexity: "O(1) per call; O(N) for a full iteration, N: elements of the collection.",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("cursor"),
            Arg::pattern("pattern").token("MATCH").optional(),
            Arg::integer("count").token("COUNT").optional(),
            Arg::word("novalues", "NOVALUES").optional(),
        ],
        tips: &["nondeterministic_output"],
        summary: "Walks through the fields of a hash in steps.",
        reply: ReplyShape::SCAN,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hset,
        name: "hset",
        arity: -4,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | HASH | FAST),
        since: "2.0.0",
        complexity: "O(1) per field, O(N) for N fields",
        history: &[("4.0.0", "Takes several fields with values.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::block("data", &[Arg::string("field"), Arg::string("value")]).multiple(),
        ],
        summary: "Sets fields of a hash, creating it if need be.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hsetnx,
        name: "hsetnx",
        arity: 4,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | HASH | FAST),
        since: "2.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | INSERT))],
        args: &[
            Arg::key("key", 0),
            Arg::string("field"),
            Arg::string("value"),
        ],
        summary: "Sets a field of a hash unless the field exists.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hstrlen,
        name: "hstrlen",
        arity: 3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | HASH | FAST),
        since: "3.2.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO))],
        args: &[Arg::key("key", 0), Arg::string("field")],
        summary: "Tells the length of the value in a field.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hvals,
        name: "hvals",
        arity: 2,
        flags: flags!(READONLY),
        acl: acl!(READ | HASH | SLOW),
        since: "2.0.0",
        complexity: "O(N), N: fields of the hash",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output_order"],
        summary: "Lists the values of a hash.",
        reply: ReplyShape::BULKS,
        ..DEFAULTS
    },
];
