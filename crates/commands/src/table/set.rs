//! Commands on sets.
//!
//! One literal per command, sorted by name. The fields are explained in `spec.rs`. Facts follow
//! Redis 7.4; arity, flags, categories, tips and key specs were compared with what Redis 7.0.15
//! answers to COMMAND.
//!
//! Tests: `hygiene.rs`.

use super::vocabulary::{
    AclCategories, Arg, CommandId, CommandSpec, Flags, Group, KeyFlags, KeySpec, ReplyShape, acl,
    flags, key_flags,
};

const DEFAULTS: CommandSpec = CommandSpec {
    group: Group::Set,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Sadd,
        name: "sadd",
        arity: -3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | SET | FAST),
        since: "1.0.0",
        complexity: "O(1) per member added, O(N) for N members",
        history: &[("2.4.0", "Takes several members.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | INSERT))],
        args: &[Arg::key("key", 0), Arg::string("member").multiple()],
        summary: "Adds members to a set, creating it if need be.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Scard,
        name: "scard",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | SET | FAST),
        since: "1.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO))],
        args: &[Arg::key("key", 0)],
        summary: "Counts the members of a set.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sdiff,
        name: "sdiff",
        arity: -2,
        flags: flags!(READONLY),
        acl: acl!(READ | SET | SLOW),
        since: "1.0.0",
        complexity: "O(N), N: members of all given sets together",
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0).multiple()],
        tips: &["nondeterministic_output_order"],
        summary: "Lists the members of the first set that no other given set has.",
        reply: ReplyShape::BULK_SET,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sdiffstore,
        name: "sdiffstore",
        arity: -3,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | SET | SLOW),
        since: "1.0.0",
        complexity: "O(N), N: members of all given sets together",
        key_specs: &[
            KeySpec::at(1, key_flags!(OW | UPDATE)),
            KeySpec::range(2, -1, 1, key_flags!(RO | ACCESS)),
        ],
        args: &[Arg::key("destination", 0), Arg::key("key", 1).multiple()],
        summary: "Stores the members of the first set that no other given set has.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sinter,
        name: "sinter",
        arity: -2,
        flags: flags!(READONLY),
        acl: acl!(READ | SET | SLOW),
        since: "1.0.0",
        complexity: "O(N*M) at worst, N: members of the smallest set, M: number of sets",
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0).multiple()],
        tips: &["nondeterministic_output_order"],
        summary: "Lists the members that all given sets have.",
        reply: ReplyShape::BULK_SET,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sintercard,
        name: "sintercard",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | SET | SLOW),
        since: "7.0.0",
        complexity: "O(N*M) at worst, N: members of the smallest set, M: number of sets",
        key_specs: &[KeySpec::counted(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key", 0).multiple(),
            Arg::integer("limit").token("LIMIT").optional(),
        ],
        summary: "Counts the members that all given sets have, up to a limit.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sinterstore,
        name: "sinterstore",
        arity: -3,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | SET | SLOW),
        since: "1.0.0",
        complexity: "O(N*M) at worst, N: members of the smallest set, M: number of sets",
        key_specs: &[
            KeySpec::at(1, key_flags!(OW | UPDATE)),
            KeySpec::range(2, -1, 1, key_flags!(RO | ACCESS)),
        ],
        args: &[Arg::key("destination", 0), Arg::key("key", 1).multiple()],
        summary: "Stores the members that all given sets have.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sismember,
        name: "sismember",
        arity: 3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | SET | FAST),
        since: "1.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO))],
        args: &[Arg::key("key", 0), Arg::string("member")],
        summary: "Tells whether a set has a member.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Smembers,
        name: "smembers",
        arity: 2,
        flags: flags!(READONLY),
        acl: acl!(READ | SET | SLOW),
        since: "1.0.0",
        complexity: "O(N), N: members of the set",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output_order"],
        summary: "Lists the members of a set.",
        reply: ReplyShape::BULK_SET,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Smismember,
        name: "smismember",
        arity: -3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | SET | FAST),
        since: "6.2.0",
        complexity: "O(N), N: members asked for",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0), Arg::string("member").multiple()],
        summary: "Tells of several members whether a set has them.",
        reply: ReplyShape::Array(&ReplyShape::ZERO_OR_ONE),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Smove,
        name: "smove",
        arity: 4,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | SET | FAST),
        since: "1.0.0",
        key_specs: &[
            KeySpec::at(1, key_flags!(RW | ACCESS | DELETE)),
            KeySpec::at(2, key_flags!(RW | INSERT)),
        ],
        args: &[
            Arg::key("source", 0),
            Arg::key("destination", 1),
            Arg::string("member"),
        ],
        summary: "Moves a member from one set to another.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Spop,
        name: "spop",
        arity: -2,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | SET | FAST),
        since: "1.0.0",
        complexity: "O(1) without a count, else O(N), N: the count",
        history: &[("3.2.0", "Takes a count.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | DELETE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("count").since("3.2.0").optional(),
        ],
        tips: &["nondeterministic_output"],
        summary: "Takes random members out of a set.",
        reply: ReplyShape::OneOf(&[ReplyShape::Bulk, ReplyShape::Null, ReplyShape::BULK_SET]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Srandmember,
        name: "srandmember",
        arity: -2,
        flags: flags!(READONLY),
        acl: acl!(READ | SET | SLOW),
        since: "1.0.0",
        complexity: "O(1) without a count, else O(N), N: absolute value of the count",
        history: &[("2.6.0", "Takes a count.")],
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("count").since("2.6.0").optional(),
        ],
        tips: &["nondeterministic_output"],
        summary: "Picks random members of a set.",
        reply: ReplyShape::OneOf(&[ReplyShape::Bulk, ReplyShape::Null, ReplyShape::BULKS]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Srem,
        name: "srem",
        arity: -3,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | SET | FAST),
        since: "1.0.0",
        complexity: "O(N), N: members to remove",
        history: &[("2.4.0", "Takes several members.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | DELETE))],
        args: &[Arg::key("key", 0), Arg::string("member").multiple()],
        summary: "Removes members from a set.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sscan,
        name: "sscan",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | SET | SLOW),
        since: "2.8.0",
        complexity: "O(1) per call; O(N) for a full iteration, N: elements of the collection.",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("cursor"),
            Arg::pattern("pattern").token("MATCH").optional(),
            Arg::integer("count").token("COUNT").optional(),
        ],
        tips: &["nondeterministic_output"],
        summary: "Walks through the members of a set in steps.",
        reply: ReplyShape::SCAN,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sunion,
        name: "sunion",
        arity: -2,
        flags: flags!(READONLY),
        acl: acl!(READ | SET | SLOW),
        since: "1.0.0",
        complexity: "O(N), N: members of all given sets together",
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0).multiple()],
        tips: &["nondeterministic_output_order"],
        summary: "Lists the members that any given set has.",
        reply: ReplyShape::BULK_SET,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sunionstore,
        name: "sunionstore",
        arity: -3,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | SET | SLOW),
        since: "1.0.0",
        complexity: "O(N), N: members of all given sets together",
        key_specs: &[
            KeySpec::at(1, key_flags!(OW | UPDATE)),
            KeySpec::range(2, -1, 1, key_flags!(RO | ACCESS)),
        ],
        args: &[Arg::key("destination", 0), Arg::key("key", 1).multiple()],
        summary: "Stores the members that any given set has.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
];
