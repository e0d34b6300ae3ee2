//! Commands on keys of any type.
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
    group: Group::Generic,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Copy,
        name: "copy",
        arity: -3,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(KEYSPACE | WRITE | SLOW),
        since: "6.2.0",
        complexity: "O(N) for collections, N: nested elements; O(1) for strings.",
        key_specs: &[
            KeySpec::at(1, key_flags!(RO | ACCESS)),
            KeySpec::at(2, key_flags!(OW | UPDATE)),
        ],
        args: &[
            Arg::key("source", 0),
            Arg::key("destination", 1),
            Arg::integer("destination-db").token("DB").optional(),
            Arg::word("replace", "REPLACE").optional(),
        ],
        summary: "Copies a value to another key, also into another database.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Del,
        name: "del",
        arity: -2,
        flags: flags!(WRITE),
        acl: acl!(KEYSPACE | WRITE | SLOW),
        since: "1.0.0",
        complexity: "O(N), N: keys. A key that holds a collection takes O(M), M: its elements.",
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(RM | DELETE))],
        args: &[Arg::key("key", 0).multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        summary: "Removes keys with their values.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Dump,
        name: "dump",
        arity: 2,
        flags: flags!(READONLY),
        acl: acl!(KEYSPACE | READ | SLOW),
        since: "2.6.0",
        complexity: "O(N*M), N: elements of the value, M: their average size.",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output"],
        summary: "Writes a value as bytes that RESTORE takes.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Exists,
        name: "exists",
        arity: -2,
        flags: flags!(READONLY | FAST),
        acl: acl!(KEYSPACE | READ | FAST),
        since: "1.0.0",
        complexity: "O(N), N: keys",
        history: &[("3.0.3", "Takes several keys.")],
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(RO))],
        args: &[Arg::key("key", 0).multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        summary: "Counts how many of the given keys exist.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Expire,
        name: "expire",
        arity: -3,
        flags: flags!(WRITE | FAST),
        acl: acl!(KEYSPACE | WRITE | FAST),
        since: "1.0.0",
        history: &[("7.0.0", "New options `NX`, `XX`, `GT`, `LT`.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("seconds"),
            Arg::one_of(
                "condition",
                &[
                    Arg::word("nx", "NX"),
                    Arg::word("xx", "XX"),
                    Arg::word("gt", "GT"),
                    Arg::word("lt", "LT"),
                ],
            )
            .since("7.0.0")
            .optional(),
        ],
        summary: "Limits the life of a key to a number of seconds.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Expireat,
        name: "expireat",
        arity: -3,
        flags: flags!(WRITE | FAST),
        acl: acl!(KEYSPACE | WRITE | FAST),
        since: "1.2.0",
        history: &[("7.0.0", "New options `NX`, `XX`, `GT`, `LT`.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::unix_time("unix-time-seconds"),
            Arg::one_of(
                "condition",
                &[
                    Arg::word("nx", "NX"),
                    Arg::word("xx", "XX"),
                    Arg::word("gt", "GT"),
                    Arg::word("lt", "LT"),
                ],
            )
            .since("7.0.0")
            .optional(),
        ],
        summary: "Ends the life of a key at a Unix time in seconds.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Expiretime,
        name: "expiretime",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(KEYSPACE | READ | FAST),
        since: "7.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0)],
        summary: "Tells the Unix time in seconds at which a key expires.",
        reply: ReplyShape::EXPIRY,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Keys,
        name: "keys",
        arity: 2,
        flags: flags!(READONLY),
        acl: acl!(KEYSPACE | READ | SLOW | DANGEROUS),
        since: "1.0.0",
        complexity: "O(N), N: keys in the database, given short names and a short pattern.",
        args: &[Arg::pattern("pattern")],
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        summary: "Lists the keys whose names match a glob.",
        reply: ReplyShape::BULKS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Move,
        name: "move",
        arity: 3,
        flags: flags!(WRITE | FAST),
        acl: acl!(KEYSPACE | WRITE | FAST),
        since: "1.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[Arg::key("key", 0), Arg::integer("db")],
        summary: "Moves a key from the current database to another.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Object,
        name: "object",
        arity: -2,
        acl: acl!(SLOW),
        since: "2.2.3",
        complexity: "Depends on the subcommand.",
        summary: "Groups the commands that look inside stored values.",
        reply: ReplyShape::OfSubcommand,
        declared_subcommands: OBJECT,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Persist,
        name: "persist",
        arity: 2,
        flags: flags!(WRITE | FAST),
        acl: acl!(KEYSPACE | WRITE | FAST),
        since: "2.2.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | UPDATE))],
        args: &[Arg::key("key", 0)],
        summary: "Lets a key live on without expiry.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Pexpire,
        name: "pexpire",
        arity: -3,
        flags: flags!(WRITE | FAST),
        acl: acl!(KEYSPACE | WRITE | FAST),
        since: "2.6.0",
        history: &[("7.0.0", "New options `NX`, `XX`, `GT`, `LT`.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("milliseconds"),
            Arg::one_of(
                "condition",
                &[
                    Arg::word("nx", "NX"),
                    Arg::word("xx", "XX"),
                    Arg::word("gt", "GT"),
                    Arg::word("lt", "LT"),
                ],
            )
            .since("7.0.0")
            .optional(),
        ],
        summary: "Limits the life of a key to a number of milliseconds.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Pexpireat,
        name: "pexpireat",
        arity: -3,
        flags: flags!(WRITE | FAST),
        acl: acl!(KEYSPACE | WRITE | FAST),
        since: "2.6.0",
        history: &[("7.0.0", "New options `NX`, `XX`, `GT`, `LT`.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::unix_time("unix-time-milliseconds"),
            Arg::one_of(
                "condition",
                &[
                    Arg::word("nx", "NX"),
                    Arg::word("xx", "XX"),
                    Arg::word("gt", "GT"),
                    Arg::word("lt", "LT"),
                ],
            )
            .since("7.0.0")
            .optional(),
        ],
        summary: "Ends the life of a key at a Unix time in milliseconds.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Pexpiretime,
        name: "pexpiretime",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(KEYSPACE | READ | FAST),
        since: "7.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0)],
        summary: "Tells the Unix time in milliseconds at which a key expires.",
        reply: ReplyShape::EXPIRY,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Pttl,
        name: "pttl",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(KEYSPACE | READ | FAST),
        since: "2.6.0",
        history: &[("2.8.0", "Answers -2 for a missing key.")],
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output"],
        summary: "Tells how many milliseconds a key still has to live.",
        reply: ReplyShape::EXPIRY,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Randomkey,
        name: "randomkey",
        arity: 1,
        flags: flags!(READONLY | TOUCHES_ARBITRARY_KEYS),
        acl: acl!(KEYSPACE | READ | SLOW),
        since: "1.0.0",
        tips: &[
            "request_policy:all_shards",
            "response_policy:special",
            "nondeterministic_output",
        ],
        summary: "Picks any key of the current database.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Rename,
        name: "rename",
        arity: 3,
        flags: flags!(WRITE),
        acl: acl!(KEYSPACE | WRITE | SLOW),
        since: "1.0.0",
        key_specs: &[
            KeySpec::at(1, key_flags!(RW | ACCESS | DELETE)),
            KeySpec::at(2, key_flags!(OW | UPDATE)),
        ],
        args: &[Arg::key("key", 0), Arg::key("newkey", 1)],
        summary: "Gives a key another name, replacing what had that name.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Renamenx,
        name: "renamenx",
        arity: 3,
        flags: flags!(WRITE | FAST),
        acl: acl!(KEYSPACE | WRITE | FAST),
        since: "1.0.0",
        history: &[("3.2.0", "Both names may be the same.")],
        key_specs: &[
            KeySpec::at(1, key_flags!(RW | ACCESS | DELETE)),
            KeySpec::at(2, key_flags!(OW | INSERT)),
        ],
        args: &[Arg::key("key", 0), Arg::key("newkey", 1)],
        summary: "Gives a key another name unless that name is taken.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Restore,
        name: "restore",
        arity: -4,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(KEYSPACE | WRITE | SLOW | DANGEROUS),
        since: "2.6.0",
        complexity: "O(N*M), N: elements of the value, M: their average size; O(N*M*log(N)) for sorted sets.",
        history: &[
            ("3.0.0", "New option `REPLACE`."),
            ("5.0.0", "New option `ABSTTL`."),
            ("5.0.0", "New options `IDLETIME` and `FREQ`."),
        ],
        key_specs: &[KeySpec::at(1, key_flags!(OW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("ttl"),
            Arg::string("serialized-value"),
            Arg::word("replace", "REPLACE").since("3.0.0").optional(),
            Arg::word("absttl", "ABSTTL").since("5.0.0").optional(),
            Arg::integer("seconds")
                .token("IDLETIME")
                .since("5.0.0")
                .optional(),
            Arg::integer("frequency")
                .token("FREQ")
                .since("5.0.0")
                .optional(),
        ],
        summary: "Creates a key from what DUMP wrote.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Scan,
        name: "scan",
        arity: -2,
        flags: flags!(READONLY | TOUCHES_ARBITRARY_KEYS),
        acl: acl!(KEYSPACE | READ | SLOW),
        since: "2.8.0",
        complexity: "O(1) per call; O(N) for a full iteration, N: elements of the collection.",
        history: &[("6.0.0", "New option `TYPE`.")],
        args: &[
            Arg::integer("cursor"),
            Arg::pattern("pattern").token("MATCH").optional(),
            Arg::integer("count").token("COUNT").optional(),
            Arg::string("type").token("TYPE").since("6.0.0").optional(),
        ],
        tips: &[
            "nondeterministic_output",
            "request_policy:special",
            "response_policy:special",
        ],
        summary: "Walks through the keys of the current database in steps.",
        reply: ReplyShape::SCAN,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sort,
        name: "sort",
        arity: -2,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | SET | SORTEDSET | LIST | SLOW | DANGEROUS),
        since: "1.0.0",
        complexity: "O(N+M*log(M)), N: elements to sort, M: elements returned; O(N) without sorting.",
        key_specs: &[
            KeySpec::at(1, key_flags!(RO | ACCESS)),
            KeySpec::unknown(key_flags!(RO | ACCESS))
                .notes("BY and GET read keys whose names come from the sorted elements"),
            KeySpec::unknown(key_flags!(OW | UPDATE))
                .notes("The key after STORE, which may stand anywhere among the options"),
        ],
        args: &[
            Arg::key("key", 0),
            Arg::pattern("by-pattern")
                .token("BY")
                .key_spec(1)
                .display("pattern")
                .optional(),
            Arg::block("limit", &[Arg::integer("offset"), Arg::integer("count")])
                .token("LIMIT")
                .optional(),
            Arg::pattern("get-pattern")
                .token("GET")
                .key_spec(1)
                .display("pattern")
                .optional()
                .multiple_token(),
            Arg::one_of(
                "order",
                &[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")],
            )
            .optional(),
            Arg::word("sorting", "ALPHA").optional(),
            Arg::key("destination", 2).token("STORE").optional(),
        ],
        summary: "Sorts a list, set or sorted set, and may store the result.",
        reply: ReplyShape::OneOf(&[ReplyShape::OPTIONAL_BULKS, ReplyShape::Integer]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::SortRo,
        name: "sort_ro",
        arity: -2,
        flags: flags!(READONLY),
        acl: acl!(READ | SET | SORTEDSET | LIST | SLOW | DANGEROUS),
        since: "7.0.0",
        complexity: "O(N+M*log(M)), N: elements to sort, M: elements returned; O(N) without sorting.",
        key_specs: &[
            KeySpec::at(1, key_flags!(RO | ACCESS)),
            KeySpec::unknown(key_flags!(RO | ACCESS))
                .notes("BY and GET read keys whose names come from the sorted elements"),
        ],
        args: &[
            Arg::key("key", 0),
            Arg::pattern("by-pattern")
                .token("BY")
                .key_spec(1)
                .display("pattern")
                .optional(),
            Arg::block("limit", &[Arg::integer("offset"), Arg::integer("count")])
                .token("LIMIT")
                .optional(),
            Arg::pattern("get-pattern")
                .token("GET")
                .key_spec(1)
                .display("pattern")
                .optional()
                .multiple_token(),
            Arg::one_of(
                "order",
                &[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")],
            )
            .optional(),
            Arg::word("sorting", "ALPHA").optional(),
        ],
        summary: "Sorts a list, set or sorted set without being able to store.",
        reply: ReplyShape::OPTIONAL_BULKS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Touch,
        name: "touch",
        arity: -2,
        flags: flags!(READONLY | FAST),
        acl: acl!(KEYSPACE | READ | FAST),
        since: "3.2.1",
        complexity: "O(N), N: keys",
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(RO))],
        args: &[Arg::key("key", 0).multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        summary: "Marks keys as just used and counts those that exist.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Ttl,
        name: "ttl",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(KEYSPACE | READ | FAST),
        since: "1.0.0",
        history: &[("2.8.0", "Answers -2 for a missing key.")],
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output"],
        summary: "Tells how many seconds a key still has to live.",
        reply: ReplyShape::EXPIRY,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Type,
        name: "type",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(KEYSPACE | READ | FAST),
        since: "1.0.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO))],
        args: &[Arg::key("key", 0)],
        summary: "Tells the type of the value at a key.",
        reply: ReplyShape::Simple,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Unlink,
        name: "unlink",
        arity: -2,
        flags: flags!(WRITE | FAST),
        acl: acl!(KEYSPACE | WRITE | FAST),
        since: "4.0.0",
        complexity: "O(1) per key; the background work is O(N), N: allocations of the removed values.",
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(RM | DELETE))],
        args: &[Arg::key("key", 0).multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        summary: "Removes keys at once and frees their memory in the background.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Wait,
        name: "wait",
        arity: 3,
        flags: flags!(BLOCKING),
        acl: acl!(SLOW | BLOCKING | CONNECTION),
        since: "3.0.0",
        args: &[Arg::integer("numreplicas"), Arg::integer("timeout")],
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        summary: "Waits until so many replicas have what this connection wrote.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Waitaof,
        name: "waitaof",
        arity: 4,
        flags: flags!(BLOCKING),
        acl: acl!(SLOW | BLOCKING | CONNECTION),
        since: "7.2.0",
        args: &[
            Arg::integer("numlocal"),
            Arg::integer("numreplicas"),
            Arg::integer("timeout"),
        ],
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        summary: "Waits until what this connection wrote is on the disk here and of so many replicas.",
        reply: ReplyShape::Tuple(&[ReplyShape::ZERO_OR_ONE, ReplyShape::Integer]),
        ..DEFAULTS
    },
];

const OBJECT_SUBCOMMAND: CommandSpec = CommandSpec {
    parent: Some(CommandId::Object),
    ..DEFAULTS
};

const OBJECT: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::ObjectEncoding,
        name: "encoding",
        arity: 3,
        flags: flags!(READONLY),
        acl: acl!(KEYSPACE | READ | SLOW),
        since: "2.2.3",
        key_specs: &[KeySpec::at(2, key_flags!(RO))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output"],
        summary: "Tells how a value is represented in memory.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..OBJECT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ObjectFreq,
        name: "freq",
        arity: 3,
        flags: flags!(READONLY),
        acl: acl!(KEYSPACE | READ | SLOW),
        since: "4.0.0",
        key_specs: &[KeySpec::at(2, key_flags!(RO))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output"],
        summary: "Tells the logarithmic counter of how often a key is used (LFU policies only).",
        reply: ReplyShape::OPTIONAL_INTEGER,
        ..OBJECT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ObjectHelp,
        name: "help",
        arity: 2,
        flags: flags!(LOADING | STALE),
        acl: acl!(KEYSPACE | SLOW),
        since: "6.2.0",
        summary: "Lists the subcommands of OBJECT.",
        reply: ReplyShape::HELP,
        ..OBJECT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ObjectIdletime,
        name: "idletime",
        arity: 3,
        flags: flags!(READONLY),
        acl: acl!(KEYSPACE | READ | SLOW),
        since: "2.2.3",
        key_specs: &[KeySpec::at(2, key_flags!(RO))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output"],
        summary: "Tells how many seconds ago a key was last used.",
        reply: ReplyShape::OPTIONAL_INTEGER,
        ..OBJECT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ObjectRefcount,
        name: "refcount",
        arity: 3,
        flags: flags!(READONLY),
        acl: acl!(KEYSPACE | READ | SLOW),
        since: "2.2.3",
        key_specs: &[KeySpec::at(2, key_flags!(RO))],
        args: &[Arg::key("key", 0)],
        tips: &["nondeterministic_output"],
        summary: "Tells how many references the value of a key has.",
        reply: ReplyShape::OPTIONAL_INTEGER,
        ..OBJECT_SUBCOMMAND
    },
];
