//! Commands on lists.
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
    group: Group::List,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Blmove,
        name: "blmove",
        arity: 6,
        flags: flags!(WRITE | DENYOOM | BLOCKING),
        acl: acl!(WRITE | LIST | SLOW | BLOCKING),
        since: "6.2.0",
        key_specs: &[
            KeySpec::at(1, key_flags!(RW | ACCESS | DELETE)),
            KeySpec::at(2, key_flags!(RW | INSERT)),
        ],
        args: &[
            Arg::key("source", 0),
            Arg::key("destination", 1),
            Arg::one_of(
                "wherefrom",
                &[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")],
            ),
            Arg::one_of(
                "whereto",
                &[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")],
            ),
            Arg::double("timeout"),
        ],
        summary: "Moves an end element of one list to an end of another, waiting for one if need be.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Blmpop,
        name: "blmpop",
        arity: -5,
        flags: flags!(WRITE | BLOCKING),
        acl: acl!(WRITE | LIST | SLOW | BLOCKING),
        since: "7.0.0",
        complexity: "O(N+M), N: keys, M: elements returned",
        key_specs: &[KeySpec::counted(2, key_flags!(RW | ACCESS | DELETE))],
        args: &[
            Arg::double("timeout"),
            Arg::integer("numkeys"),
            Arg::key("key", 0).multiple(),
            Arg::one_of(
                "where",
                &[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")],
            ),
            Arg::integer("count").token("COUNT").optional(),
        ],
        summary: "Takes elements from the first non-empty list among several, waiting for one if need be.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::BULKS]),
            ReplyShape::Null,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Blpop,
        name: "blpop",
        arity: -3,
        flags: flags!(WRITE | BLOCKING),
        acl: acl!(WRITE | LIST | SLOW | BLOCKING),
        since: "2.0.0",
        complexity: "O(N), N: keys",
        history: &[("6.0.0", "The timeout may have a fraction.")],
        key_specs: &[KeySpec::range(1, -2, 1, key_flags!(RW | ACCESS | DELETE))],
        args: &[Arg::key("key", 0).multiple(), Arg::double("timeout")],
        summary: "Takes the first element of the first non-empty list among several, waiting for one if need be.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::Bulk]),
            ReplyShape::Null,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Brpop,
        name: "brpop",
        arity: -3,
        flags: flags!(WRITE | BLOCKING),
        acl: acl!(WRITE | LIST | SLOW | BLOCKING),
        since: "2.0.0",
        complexity: "O(N), N: keys",
        history: &[("6.0.0", "The timeout may have a fraction.")],
        key_specs: &[KeySpec::range(1, -2, 1, key_flags!(RW | ACCESS | DELETE))],
        args: &[Arg::key("key", 0).multiple(), Arg::double("timeout")],
        summary: "Takes the last element of the first non-empty list among several, waiting for one if need be.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::Bulk]),
            ReplyShape::Null,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Brpoplpush,
        name: "brpoplpush",
        arity: 4,
        flags: flags!(WRITE | DENYOOM | BLOCKING),
        acl: acl!(WRITE | LIST | SLOW | BLOCKING),
        since: "2.2.0",
        history: &[("6.0.0", "The timeout may have a fraction.")],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`BLMOVE` with `RIGHT` and `LEFT`",
        }),
        key_specs: &[
            KeySpec::at(1, key_flags!(RW | ACCESS | DELETE)),
            KeySpec::at(2, key_flags!(RW | INSERT)),
        ],
        args: &[
            Arg::key("source", 0),
            Arg::key("destination", 1),
            Arg::double("timeout"),
        ],
        summary: "Moves the last element of one list to the front of another, waiting for one if need be.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lindex,
        name: "lindex",
        arity: 3,
        flags: flags!(READONLY),
        acl: acl!(READ | LIST | SLOW),
        since: "1.0.0",
        complexity: "O(N), N: elements between the index and the nearest end",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0), Arg::integer("index")],
        summary: "Reads the element at a position of a list.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Linsert,
        name: "linsert",
        arity: 5,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | LIST | SLOW),
        since: "2.2.0",
        complexity: "O(N), N: elements before the pivot, so cheap near the front",
        key_specs: &[KeySpec::at(1, key_flags!(RW | INSERT))],
        args: &[
            Arg::key("key", 0),
            Arg::one_of(
                "where",
                &[Arg::word("before", "BEFORE"), Arg::word("after", "AFTER")],
            ),
            Arg::string("pivot"),
            Arg::string("element"),
        ],
        summary: "Inserts an element before or after a given one.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Llen,
        name: "llen",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | LIST | FAST),
        since: "1.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO))],
        args: &[Arg::key("key", 0)],
        summary: "Counts the elements of a list.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lmove,
        name: "lmove",
        arity: 5,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | LIST | SLOW),
        since: "6.2.0",
        key_specs: &[
            KeySpec::at(1, key_flags!(RW | ACCESS | DELETE)),
            KeySpec::at(2, key_flags!(RW | INSERT)),
        ],
        args: &[
            Arg::key("source", 0),
            Arg::key("destination", 1),
            Arg::one_of(
                "wherefrom",
                &[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")],
            ),
            Arg::one_of(
                "whereto",
                &[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")],
            ),
        ],
        summary: "Moves an end element of one list to an end of another.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lmpop,
        name: "lmpop",
        arity: -4,
        flags: flags!(WRITE),
        acl: acl!(WRITE | LIST | SLOW),
        since: "7.0.0",
        complexity: "O(N+M), N: keys, M: elements returned",
        key_specs: &[KeySpec::counted(1, key_flags!(RW | ACCESS | DELETE))],
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key", 0).multiple(),
            Arg::one_of(
                "where",
                &[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")],
            ),
            Arg::integer("count").token("COUNT").optional(),
        ],
        summary: "Takes elements from the first non-empty list among several.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::BULKS]),
            ReplyShape::Null,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lpop,
        name: "lpop",
        arity: -2,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | LIST | FAST),
        since: "1.0.0",
        complexity: "O(N), N: elements returned",
        history: &[("6.2.0", "Takes a count.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | DELETE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("count").since("6.2.0").optional(),
        ],
        summary: "Takes elements from the front of a list.",
        reply: ReplyShape::OneOf(&[ReplyShape::Bulk, ReplyShape::BULKS, ReplyShape::Null]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lpos,
        name: "lpos",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | LIST | SLOW),
        since: "6.0.6",
        complexity: "O(N) on average, N: elements of the list; less near the searched end or with MAXLEN",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::string("element"),
            Arg::integer("rank").token("RANK").optional(),
            Arg::integer("num-matches").token("COUNT").optional(),
            Arg::integer("len").token("MAXLEN").optional(),
        ],
        summary: "Finds where an element stands in a list.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Integer,
            ReplyShape::Null,
            ReplyShape::Array(&ReplyShape::Integer),
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lpush,
        name: "lpush",
        arity: -3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | LIST | FAST),
        since: "1.0.0",
        complexity: "O(1) per element added, O(N) for N elements",
        history: &[("2.4.0", "Takes several elements.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | INSERT))],
        args: &[Arg::key("key", 0), Arg::string("element").multiple()],
        summary: "Adds elements to the front of a list, creating it if need be.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lpushx,
        name: "lpushx",
        arity: -3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | LIST | FAST),
        since: "2.2.0",
        complexity: "O(1) per element added, O(N) for N elements",
        history: &[("4.0.0", "Takes several elements.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | INSERT))],
        args: &[Arg::key("key", 0), Arg::string("element").multiple()],
        summary: "Adds elements to the front of a list that exists.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lrange,
        name: "lrange",
        arity: 4,
        flags: flags!(READONLY),
        acl: acl!(READ | LIST | SLOW),
        since: "1.0.0",
        complexity: "O(S+N), S: distance of the range from the nearest end (from the front in small lists), N: elements in the range",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("start"),
            Arg::integer("stop"),
        ],
        summary: "Reads a range of a list.",
        reply: ReplyShape::BULKS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lrem,
        name: "lrem",
        arity: 4,
        flags: flags!(WRITE),
        acl: acl!(WRITE | LIST | SLOW),
        since: "1.0.0",
        complexity: "O(N+M), N: elements of the list, M: elements removed",
        key_specs: &[KeySpec::at(1, key_flags!(RW | DELETE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("count"),
            Arg::string("element"),
        ],
        summary: "Removes elements equal to a given one.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lset,
        name: "lset",
        arity: 4,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | LIST | SLOW),
        since: "1.0.0",
        complexity: "O(N), N: elements of the list; O(1) at both ends",
        key_specs: &[KeySpec::at(1, key_flags!(RW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("index"),
            Arg::string("element"),
        ],
        summary: "Replaces the element at a position of a list.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Ltrim,
        name: "ltrim",
        arity: 4,
        flags: flags!(WRITE),
        acl: acl!(WRITE | LIST | SLOW),
        since: "1.0.0",
        complexity: "O(N), N: elements removed",
        key_specs: &[KeySpec::at(1, key_flags!(RW | DELETE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("start"),
            Arg::integer("stop"),
        ],
        summary: "Keeps only a range of a list.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Rpop,
        name: "rpop",
        arity: -2,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | LIST | FAST),
        since: "1.0.0",
        complexity: "O(N), N: elements returned",
        history: &[("6.2.0", "Takes a count.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | DELETE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("count").since("6.2.0").optional(),
        ],
        summary: "Takes elements from the end of a list.",
        reply: ReplyShape::OneOf(&[ReplyShape::Bulk, ReplyShape::BULKS, ReplyShape::Null]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Rpoplpush,
        name: "rpoplpush",
        arity: 3,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | LIST | SLOW),
        since: "1.2.0",
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`LMOVE` with `RIGHT` and `LEFT`",
        }),
        key_specs: &[
            KeySpec::at(1, key_flags!(RW | ACCESS | DELETE)),
            KeySpec::at(2, key_flags!(RW | INSERT)),
        ],
        args: &[Arg::key("source", 0), Arg::key("destination", 1)],
        summary: "Moves the last element of one list to the front of another.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Rpush,
        name: "rpush",
        arity: -3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | LIST | FAST),
        since: "1.0.0",
        complexity: "O(1) per element added, O(N) for N elements",
        history: &[("2.4.0", "Takes several elements.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | INSERT))],
        args: &[Arg::key("key", 0), Arg::string("element").multiple()],
        summary: "Adds elements to the end of a list, creating it if need be.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Rpushx,
        name: "rpushx",
        arity: -3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | LIST | FAST),
        since: "2.2.0",
        complexity: "O(1) per element added, O(N) for N elements",
        history: &[("4.0.0", "Takes several elements.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | INSERT))],
        args: &[Arg::key("key", 0), Arg::string("element").multiple()],
        summary: "Adds elements to the end of a list that exists.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
];
