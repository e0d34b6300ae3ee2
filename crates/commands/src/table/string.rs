//! Commands on strings.
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
    group: Group::String,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Append,
        name: "append",
        arity: 3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | STRING | FAST),
        since: "2.0.0",
        complexity: "O(1) amortized for short appended values, because the buffer grows ahead of need.",
        key_specs: &[KeySpec::at(1, key_flags!(RW | INSERT))],
        args: &[Arg::key("key", 0), Arg::string("value")],
        summary: "Adds bytes to the end of a string, creating it if need be.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Decr,
        name: "decr",
        arity: 2,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | STRING | FAST),
        since: "1.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[Arg::key("key", 0)],
        summary: "Subtracts one from the integer at a key.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Decrby,
        name: "decrby",
        arity: 3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | STRING | FAST),
        since: "1.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[Arg::key("key", 0), Arg::integer("decrement")],
        summary: "Subtracts a number from the integer at a key.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Get,
        name: "get",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | STRING | FAST),
        since: "1.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0)],
        summary: "Reads the string at a key.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Getdel,
        name: "getdel",
        arity: 2,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | STRING | FAST),
        since: "6.2.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | DELETE))],
        args: &[Arg::key("key", 0)],
        summary: "Reads the string at a key and removes the key.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Getex,
        name: "getex",
        arity: -2,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | STRING | FAST),
        since: "6.2.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))
            .notes("RW and UPDATE: the expiry changes")],
        args: &[
            Arg::key("key", 0),
            Arg::one_of(
                "expiration",
                &[
                    Arg::integer("seconds").token("EX"),
                    Arg::integer("milliseconds").token("PX"),
                    Arg::unix_time("unix-time-seconds").token("EXAT"),
                    Arg::unix_time("unix-time-milliseconds").token("PXAT"),
                    Arg::word("persist", "PERSIST"),
                ],
            )
            .optional(),
        ],
        summary: "Reads the string at a key and changes when it expires.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Getrange,
        name: "getrange",
        arity: 4,
        flags: flags!(READONLY),
        acl: acl!(READ | STRING | SLOW),
        since: "2.4.0",
        complexity: "O(N), N: length of the reply; close to O(1) for short ones.",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("start"),
            Arg::integer("end"),
        ],
        summary: "Reads part of a string.",
        reply: ReplyShape::Bulk,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Getset,
        name: "getset",
        arity: 3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | STRING | FAST),
        since: "1.0.0",
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`SET` with `GET`",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[Arg::key("key", 0), Arg::string("value")],
        summary: "Replaces the string at a key and returns what was there.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Incr,
        name: "incr",
        arity: 2,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | STRING | FAST),
        since: "1.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[Arg::key("key", 0)],
        summary: "Adds one to the integer at a key.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Incrby,
        name: "incrby",
        arity: 3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | STRING | FAST),
        since: "1.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[Arg::key("key", 0), Arg::integer("increment")],
        summary: "Adds a number to the integer at a key.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Incrbyfloat,
        name: "incrbyfloat",
        arity: 3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | STRING | FAST),
        since: "2.6.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[Arg::key("key", 0), Arg::double("increment")],
        summary: "Adds a floating-point number to the number at a key.",
        reply: ReplyShape::Bulk,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lcs,
        name: "lcs",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | STRING | SLOW),
        since: "7.0.0",
        complexity: "O(N*M), N, M: lengths of the strings",
        key_specs: &[KeySpec::range(1, 1, 1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key1", 0),
            Arg::key("key2", 0),
            Arg::word("len", "LEN").optional(),
            Arg::word("idx", "IDX").optional(),
            Arg::integer("min-match-len")
                .token("MINMATCHLEN")
                .optional(),
            Arg::word("withmatchlen", "WITHMATCHLEN").optional(),
        ],
        summary: "Finds the longest common subsequence of two strings.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Bulk,
            ReplyShape::Integer,
            ReplyShape::Record(&[
                (
                    "matches",
                    ReplyShape::Array(&ReplyShape::Array(&ReplyShape::OneOf(&[
                        ReplyShape::Tuple(&[ReplyShape::Integer, ReplyShape::Integer]),
                        ReplyShape::Integer,
                    ]))),
                ),
                ("len", ReplyShape::Integer),
            ]),
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Mget,
        name: "mget",
        arity: -2,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | STRING | FAST),
        since: "1.0.0",
        complexity: "O(N), N: keys",
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0).multiple()],
        tips: &["request_policy:multi_shard"],
        summary: "Reads the strings at several keys at once.",
        reply: ReplyShape::OPTIONAL_BULKS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Mset,
        name: "mset",
        arity: -3,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | STRING | SLOW),
        since: "1.0.1",
        complexity: "O(N), N: keys",
        key_specs: &[KeySpec::range(1, -1, 2, key_flags!(OW | UPDATE))],
        args: &[Arg::block("data", &[Arg::key("key", 0), Arg::string("value")]).multiple()],
        tips: &[
            "request_policy:multi_shard",
            "response_policy:all_succeeded",
        ],
        summary: "Sets the strings at several keys at once.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Msetnx,
        name: "msetnx",
        arity: -3,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | STRING | SLOW),
        since: "1.0.1",
        complexity: "O(N), N: keys",
        key_specs: &[KeySpec::range(1, -1, 2, key_flags!(OW | INSERT))],
        args: &[Arg::block("data", &[Arg::key("key", 0), Arg::string("value")]).multiple()],
        summary: "Sets the strings at several keys at once, if none of the keys exists.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Psetex,
        name: "psetex",
        arity: 4,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | STRING | SLOW),
        since: "2.6.0",
        deprecated: Some(Deprecation {
            since: "2.6.12",
            replaced_by: "`SET` with `PX`",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(OW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("milliseconds"),
            Arg::string("value"),
        ],
        summary: "Sets a string that lives for a number of milliseconds.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Set,
        name: "set",
        arity: -3,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | STRING | SLOW),
        since: "1.0.0",
        history: &[
            ("2.6.12", "New options `EX`, `PX`, `NX`, `XX`."),
            ("6.0.0", "New option `KEEPTTL`."),
            ("6.2.0", "New options `GET`, `EXAT`, `PXAT`."),
            ("7.0.0", "`NX` and `GET` may be combined."),
        ],
        key_specs: &[
            KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE | VARIABLE_FLAGS))
                .notes("RW and ACCESS only with `GET`"),
        ],
        args: &[
            Arg::key("key", 0),
            Arg::string("value"),
            Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")])
                .since("2.6.12")
                .optional(),
            Arg::word("get", "GET").since("6.2.0").optional(),
            Arg::one_of(
                "expiration",
                &[
                    Arg::integer("seconds").token("EX").since("2.6.12"),
                    Arg::integer("milliseconds").token("PX").since("2.6.12"),
                    Arg::unix_time("unix-time-seconds")
                        .token("EXAT")
                        .since("6.2.0"),
                    Arg::unix_time("unix-time-milliseconds")
                        .token("PXAT")
                        .since("6.2.0"),
                    Arg::word("keepttl", "KEEPTTL").since("6.0.0"),
                ],
            )
            .optional(),
        ],
        summary: "Sets the string at a key, whatever was there, under optional conditions and with an optional expiry.",
        reply: ReplyShape::OneOf(&[ReplyShape::OK, ReplyShape::Null, ReplyShape::Bulk]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Setex,
        name: "setex",
        arity: 4,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | STRING | SLOW),
        since: "2.0.0",
        deprecated: Some(Deprecation {
            since: "2.6.12",
            replaced_by: "`SET` with `EX`",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(OW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("seconds"),
            Arg::string("value"),
        ],
        summary: "Sets a string that lives for a number of seconds.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Setnx,
        name: "setnx",
        arity: 3,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | STRING | FAST),
        since: "1.0.0",
        deprecated: Some(Deprecation {
            since: "2.6.12",
            replaced_by: "`SET` with `NX`",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(OW | INSERT))],
        args: &[Arg::key("key", 0), Arg::string("value")],
        summary: "Sets a string unless the key exists.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Setrange,
        name: "setrange",
        arity: 4,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | STRING | SLOW),
        since: "2.2.0",
        complexity: "O(1) for short values that fit; otherwise O(M), M: length of the value.",
        key_specs: &[KeySpec::at(1, key_flags!(RW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("offset"),
            Arg::string("value"),
        ],
        summary: "Overwrites part of a string, filling up with zero bytes up to the offset.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Strlen,
        name: "strlen",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | STRING | FAST),
        since: "2.2.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO))],
        args: &[Arg::key("key", 0)],
        summary: "Tells the length of a string.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Substr,
        name: "substr",
        arity: 4,
        flags: flags!(READONLY),
        acl: acl!(READ | STRING | SLOW),
        since: "1.0.0",
        complexity: "O(N), N: length of the reply; close to O(1) for short ones.",
        deprecated: Some(Deprecation {
            since: "2.0.0",
            replaced_by: "`GETRANGE`",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("start"),
            Arg::integer("end"),
        ],
        summary: "Reads part of a string (the old name of GETRANGE).",
        reply: ReplyShape::Bulk,
        ..DEFAULTS
    },
];
