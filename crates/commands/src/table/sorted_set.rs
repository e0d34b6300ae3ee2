//! Commands on sorted sets.
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
    group: Group::SortedSet,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Bzmpop,
        name: "bzmpop",
        arity: -5,
        flags: flags!(WRITE | BLOCKING),
        acl: acl!(WRITE | SORTEDSET | SLOW | BLOCKING),
        since: "7.0.0",
        complexity: "O(K) + O(M*log(N)), K: keys, N: members of the sorted set, M: members taken",
        key_specs: &[KeySpec::counted(2, key_flags!(RW | ACCESS | DELETE))],
        args: &[
            Arg::double("timeout"),
            Arg::integer("numkeys"),
            Arg::key("key", 0).multiple(),
            Arg::one_of("where", &[Arg::word("min", "MIN"), Arg::word("max", "MAX")]),
            Arg::integer("count").token("COUNT").optional(),
        ],
        summary: "Takes the lowest or highest members of the first non-empty sorted set among several, waiting for one if need be.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::SCORED_MEMBERS]),
            ReplyShape::Null,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Bzpopmax,
        name: "bzpopmax",
        arity: -3,
        flags: flags!(WRITE | BLOCKING | FAST),
        acl: acl!(WRITE | SORTEDSET | FAST | BLOCKING),
        since: "5.0.0",
        complexity: "O(log(N)), N: members of the sorted set",
        history: &[("6.0.0", "The timeout may have a fraction.")],
        key_specs: &[KeySpec::range(1, -2, 1, key_flags!(RW | ACCESS | DELETE))],
        args: &[Arg::key("key", 0).multiple(), Arg::double("timeout")],
        summary: "Takes the highest member of the first non-empty sorted set among several, waiting for one if need be.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::Bulk, ReplyShape::Double]),
            ReplyShape::Null,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Bzpopmin,
        name: "bzpopmin",
        arity: -3,
        flags: flags!(WRITE | BLOCKING | FAST),
        acl: acl!(WRITE | SORTEDSET | FAST | BLOCKING),
        since: "5.0.0",
        complexity: "O(log(N)), N: members of the sorted set",
        history: &[("6.0.0", "The timeout may have a fraction.")],
        key_specs: &[KeySpec::range(1, -2, 1, key_flags!(RW | ACCESS | DELETE))],
        args: &[Arg::key("key", 0).multiple(), Arg::double("timeout")],
        summary: "Takes the lowest member of the first non-empty sorted set among several, waiting for one if need be.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::Bulk, ReplyShape::Double]),
            ReplyShape::Null,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zadd,
        name: "zadd",
        arity: -4,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | SORTEDSET | FAST),
        since: "1.2.0",
        complexity: "O(log(N)) per member, N: members of the sorted set",
        history: &[
            ("2.4.0", "Takes several members."),
            ("3.0.2", "New options `XX`, `NX`, `CH`, `INCR`."),
            ("6.2.0", "New options `GT`, `LT`."),
        ],
        key_specs: &[KeySpec::at(1, key_flags!(RW | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")])
                .since("3.0.2")
                .optional(),
            Arg::one_of(
                "comparison",
                &[Arg::word("gt", "GT"), Arg::word("lt", "LT")],
            )
            .since("6.2.0")
            .optional(),
            Arg::word("change", "CH").since("3.0.2").optional(),
            Arg::word("increment", "INCR").since("3.0.2").optional(),
            Arg::block("data", &[Arg::double("score"), Arg::string("member")]).multiple(),
        ],
        summary: "Adds members with scores to a sorted set, or changes their scores.",
        reply: ReplyShape::OneOf(&[ReplyShape::Integer, ReplyShape::Double, ReplyShape::Null]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zcard,
        name: "zcard",
        arity: 2,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | SORTEDSET | FAST),
        since: "1.2.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO))],
        args: &[Arg::key("key", 0)],
        summary: "Counts the members of a sorted set.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zcount,
        name: "zcount",
        arity: 4,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | SORTEDSET | FAST),
        since: "2.0.0",
        complexity: "O(log(N)), N: members of the sorted set",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0), Arg::double("min"), Arg::double("max")],
        summary: "Counts the members whose scores lie in a range.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zdiff,
        name: "zdiff",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "6.2.0",
        complexity: "O(L + (N-K)log(N)) at worst, L: members of all sets together, N: members of the first, K: members of the result",
        key_specs: &[KeySpec::counted(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key", 0).multiple(),
            Arg::word("withscores", "WITHSCORES").optional(),
        ],
        summary: "Lists the members of the first sorted set that no other given one has.",
        reply: ReplyShape::MEMBERS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zdiffstore,
        name: "zdiffstore",
        arity: -4,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | SORTEDSET | SLOW),
        since: "6.2.0",
        complexity: "O(L + (N-K)log(N)) at worst, L: members of all sets together, N: members of the first, K: members of the result",
        key_specs: &[
            KeySpec::at(1, key_flags!(OW | UPDATE)),
            KeySpec::counted(2, key_flags!(RO | ACCESS)),
        ],
        args: &[
            Arg::key("destination", 0),
            Arg::integer("numkeys"),
            Arg::key("key", 1).multiple(),
        ],
        summary: "Stores the members of the first sorted set that no other given one has.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zincrby,
        name: "zincrby",
        arity: 4,
        flags: flags!(WRITE | DENYOOM | FAST),
        acl: acl!(WRITE | SORTEDSET | FAST),
        since: "1.2.0",
        complexity: "O(log(N)), N: members of the sorted set",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("increment"),
            Arg::string("member"),
        ],
        summary: "Adds to the score of a member, adding the member if need be.",
        reply: ReplyShape::Double,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zinter,
        name: "zinter",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "6.2.0",
        complexity: "O(N*K)+O(M*log(M)) at worst, N: members of the smallest set, K: number of sets, M: members of the result",
        key_specs: &[KeySpec::counted(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key", 0).multiple(),
            Arg::integer("weight")
                .token("WEIGHTS")
                .optional()
                .multiple(),
            Arg::one_of(
                "aggregate",
                &[
                    Arg::word("sum", "SUM"),
                    Arg::word("min", "MIN"),
                    Arg::word("max", "MAX"),
                ],
            )
            .token("AGGREGATE")
            .optional(),
            Arg::word("withscores", "WITHSCORES").optional(),
        ],
        summary: "Lists the members that all given sorted sets have, with combined scores.",
        reply: ReplyShape::MEMBERS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zintercard,
        name: "zintercard",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "7.0.0",
        complexity: "O(N*K) at worst, N: members of the smallest set, K: number of sets",
        key_specs: &[KeySpec::counted(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key", 0).multiple(),
            Arg::integer("limit").token("LIMIT").optional(),
        ],
        summary: "Counts the members that all given sorted sets have, up to a limit.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zinterstore,
        name: "zinterstore",
        arity: -4,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | SORTEDSET | SLOW),
        since: "2.0.0",
        complexity: "O(N*K)+O(M*log(M)) at worst, N: members of the smallest set, K: number of sets, M: members of the result",
        key_specs: &[
            KeySpec::at(1, key_flags!(OW | UPDATE)),
            KeySpec::counted(2, key_flags!(RO | ACCESS)),
        ],
        args: &[
            Arg::key("destination", 0),
            Arg::integer("numkeys"),
            Arg::key("key", 1).multiple(),
            Arg::integer("weight")
                .token("WEIGHTS")
                .optional()
                .multiple(),
            Arg::one_of(
                "aggregate",
                &[
                    Arg::word("sum", "SUM"),
                    Arg::word("min", "MIN"),
                    Arg::word("max", "MAX"),
                ],
            )
            .token("AGGREGATE")
            .optional(),
        ],
        summary: "Stores the members that all given sorted sets have, with combined scores.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zlexcount,
        name: "zlexcount",
        arity: 4,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | SORTEDSET | FAST),
        since: "2.8.9",
        complexity: "O(log(N)), N: members of the sorted set",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0), Arg::string("min"), Arg::string("max")],
        summary: "Counts the members that lie in a lexicographical range.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zmpop,
        name: "zmpop",
        arity: -4,
        flags: flags!(WRITE),
        acl: acl!(WRITE | SORTEDSET | SLOW),
        since: "7.0.0",
        complexity: "O(K) + O(M*log(N)), K: keys, N: members of the sorted set, M: members taken",
        key_specs: &[KeySpec::counted(1, key_flags!(RW | ACCESS | DELETE))],
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key", 0).multiple(),
            Arg::one_of("where", &[Arg::word("min", "MIN"), Arg::word("max", "MAX")]),
            Arg::integer("count").token("COUNT").optional(),
        ],
        summary: "Takes the lowest or highest members of the first non-empty sorted set among several.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::SCORED_MEMBERS]),
            ReplyShape::Null,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zmscore,
        name: "zmscore",
        arity: -3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | SORTEDSET | FAST),
        since: "6.2.0",
        complexity: "O(N), N: members asked for",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0), Arg::string("member").multiple()],
        summary: "Reads the scores of several members.",
        reply: ReplyShape::Array(&ReplyShape::OPTIONAL_DOUBLE),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zpopmax,
        name: "zpopmax",
        arity: -2,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | SORTEDSET | FAST),
        since: "5.0.0",
        complexity: "O(log(N)*M), N: members of the sorted set, M: members taken",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | DELETE))],
        args: &[Arg::key("key", 0), Arg::integer("count").optional()],
        summary: "Takes the members with the highest scores.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[]),
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::Double]),
            ReplyShape::SCORED_MEMBERS,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zpopmin,
        name: "zpopmin",
        arity: -2,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | SORTEDSET | FAST),
        since: "5.0.0",
        complexity: "O(log(N)*M), N: members of the sorted set, M: members taken",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | DELETE))],
        args: &[Arg::key("key", 0), Arg::integer("count").optional()],
        summary: "Takes the members with the lowest scores.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[]),
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::Double]),
            ReplyShape::SCORED_MEMBERS,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrandmember,
        name: "zrandmember",
        arity: -2,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "6.2.0",
        complexity: "O(N), N: members returned",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::block(
                "options",
                &[
                    Arg::integer("count"),
                    Arg::word("withscores", "WITHSCORES").optional(),
                ],
            )
            .optional(),
        ],
        tips: &["nondeterministic_output"],
        summary: "Picks random members of a sorted set.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Bulk,
            ReplyShape::Null,
            ReplyShape::BULKS,
            ReplyShape::SCORED_MEMBERS,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrange,
        name: "zrange",
        arity: -4,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "1.2.0",
        complexity: "O(log(N)+M), N: members of the sorted set, M: members returned",
        history: &[("6.2.0", "New options `REV`, `BYSCORE`, `BYLEX`, `LIMIT`.")],
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::string("start"),
            Arg::string("stop"),
            Arg::one_of(
                "sortby",
                &[Arg::word("byscore", "BYSCORE"), Arg::word("bylex", "BYLEX")],
            )
            .since("6.2.0")
            .optional(),
            Arg::word("rev", "REV").since("6.2.0").optional(),
            Arg::block("limit", &[Arg::integer("offset"), Arg::integer("count")])
                .token("LIMIT")
                .since("6.2.0")
                .optional(),
            Arg::word("withscores", "WITHSCORES").optional(),
        ],
        summary: "Reads a range of a sorted set, by rank, score or name, in either direction.",
        reply: ReplyShape::MEMBERS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrangebylex,
        name: "zrangebylex",
        arity: -4,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "2.8.9",
        complexity: "O(log(N)+M), N: members of the sorted set, M: members returned; O(log(N)) with a constant LIMIT",
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`ZRANGE` with `BYLEX`",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::string("min"),
            Arg::string("max"),
            Arg::block("limit", &[Arg::integer("offset"), Arg::integer("count")])
                .token("LIMIT")
                .optional(),
        ],
        summary: "Reads a range of a sorted set by name.",
        reply: ReplyShape::BULKS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrangebyscore,
        name: "zrangebyscore",
        arity: -4,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "1.0.5",
        complexity: "O(log(N)+M), N: members of the sorted set, M: members returned; O(log(N)) with a constant LIMIT",
        history: &[("2.0.0", "New option `WITHSCORES`.")],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`ZRANGE` with `BYSCORE`",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::double("min"),
            Arg::double("max"),
            Arg::word("withscores", "WITHSCORES")
                .since("2.0.0")
                .optional(),
            Arg::block("limit", &[Arg::integer("offset"), Arg::integer("count")])
                .token("LIMIT")
                .optional(),
        ],
        summary: "Reads a range of a sorted set by score.",
        reply: ReplyShape::MEMBERS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrangestore,
        name: "zrangestore",
        arity: -5,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | SORTEDSET | SLOW),
        since: "6.2.0",
        complexity: "O(log(N)+M), N: members of the sorted set, M: members stored",
        key_specs: &[
            KeySpec::at(1, key_flags!(OW | UPDATE)),
            KeySpec::at(2, key_flags!(RO | ACCESS)),
        ],
        args: &[
            Arg::key("dst", 0),
            Arg::key("src", 1),
            Arg::string("min"),
            Arg::string("max"),
            Arg::one_of(
                "sortby",
                &[Arg::word("byscore", "BYSCORE"), Arg::word("bylex", "BYLEX")],
            )
            .optional(),
            Arg::word("rev", "REV").optional(),
            Arg::block("limit", &[Arg::integer("offset"), Arg::integer("count")])
                .token("LIMIT")
                .optional(),
        ],
        summary: "Stores a range of a sorted set at another key.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrank,
        name: "zrank",
        arity: -3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | SORTEDSET | FAST),
        since: "2.0.0",
        complexity: "O(log(N))",
        history: &[("7.2.0", "New option `WITHSCORE`.")],
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::string("member"),
            Arg::word("withscore", "WITHSCORE").optional(),
        ],
        summary: "Tells the position of a member, counted from the lowest score.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Integer,
            ReplyShape::Tuple(&[ReplyShape::Integer, ReplyShape::Double]),
            ReplyShape::Null,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrem,
        name: "zrem",
        arity: -3,
        flags: flags!(WRITE | FAST),
        acl: acl!(WRITE | SORTEDSET | FAST),
        since: "1.2.0",
        complexity: "O(M*log(N)), N: members of the sorted set, M: members to remove",
        history: &[("2.4.0", "Takes several members.")],
        key_specs: &[KeySpec::at(1, key_flags!(RW | DELETE))],
        args: &[Arg::key("key", 0), Arg::string("member").multiple()],
        summary: "Removes members from a sorted set.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zremrangebylex,
        name: "zremrangebylex",
        arity: 4,
        flags: flags!(WRITE),
        acl: acl!(WRITE | SORTEDSET | SLOW),
        since: "2.8.9",
        complexity: "O(log(N)+M), N: members of the sorted set, M: members removed",
        key_specs: &[KeySpec::at(1, key_flags!(RW | DELETE))],
        args: &[Arg::key("key", 0), Arg::string("min"), Arg::string("max")],
        summary: "Removes the members in a lexicographical range.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zremrangebyrank,
        name: "zremrangebyrank",
        arity: 4,
        flags: flags!(WRITE),
        acl: acl!(WRITE | SORTEDSET | SLOW),
        since: "2.0.0",
        complexity: "O(log(N)+M), N: members of the sorted set, M: members removed",
        key_specs: &[KeySpec::at(1, key_flags!(RW | DELETE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("start"),
            Arg::integer("stop"),
        ],
        summary: "Removes the members in a range of positions.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zremrangebyscore,
        name: "zremrangebyscore",
        arity: 4,
        flags: flags!(WRITE),
        acl: acl!(WRITE | SORTEDSET | SLOW),
        since: "1.2.0",
        complexity: "O(log(N)+M), N: members of the sorted set, M: members removed",
        key_specs: &[KeySpec::at(1, key_flags!(RW | DELETE))],
        args: &[Arg::key("key", 0), Arg::double("min"), Arg::double("max")],
        summary: "Removes the members in a range of scores.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrevrange,
        name: "zrevrange",
        arity: -4,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "1.2.0",
        complexity: "O(log(N)+M), N: members of the sorted set, M: members returned",
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`ZRANGE` with `REV`",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("start"),
            Arg::integer("stop"),
            Arg::word("withscores", "WITHSCORES").optional(),
        ],
        summary: "Reads a range of a sorted set by rank, from the highest score down.",
        reply: ReplyShape::MEMBERS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrevrangebylex,
        name: "zrevrangebylex",
        arity: -4,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "2.8.9",
        complexity: "O(log(N)+M), N: members of the sorted set, M: members returned; O(log(N)) with a constant LIMIT",
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`ZRANGE` with `REV` and `BYLEX`",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::string("max"),
            Arg::string("min"),
            Arg::block("limit", &[Arg::integer("offset"), Arg::integer("count")])
                .token("LIMIT")
                .optional(),
        ],
        summary: "Reads a range of a sorted set by name, from the end.",
        reply: ReplyShape::BULKS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrevrangebyscore,
        name: "zrevrangebyscore",
        arity: -4,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "2.2.0",
        complexity: "O(log(N)+M), N: members of the sorted set, M: members returned; O(log(N)) with a constant LIMIT",
        history: &[("2.1.6", "Bounds may be exclusive.")],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`ZRANGE` with `REV` and `BYSCORE`",
        }),
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::double("max"),
            Arg::double("min"),
            Arg::word("withscores", "WITHSCORES").optional(),
            Arg::block("limit", &[Arg::integer("offset"), Arg::integer("count")])
                .token("LIMIT")
                .optional(),
        ],
        summary: "Reads a range of a sorted set by score, from the highest down.",
        reply: ReplyShape::MEMBERS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zrevrank,
        name: "zrevrank",
        arity: -3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | SORTEDSET | FAST),
        since: "2.0.0",
        complexity: "O(log(N))",
        history: &[("7.2.0", "New option `WITHSCORE`.")],
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::string("member"),
            Arg::word("withscore", "WITHSCORE").optional(),
        ],
        summary: "Tells the position of a member, counted from the highest score.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Integer,
            ReplyShape::Tuple(&[ReplyShape::Integer, ReplyShape::Double]),
            ReplyShape::Null,
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zscan,
        name: "zscan",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "2.8.0",
        complexity: "O(1) per call; O(N) for a full iteration, N: elements of the collection.",
        history: &[("8.0.0", "New option `NOSCORES` (from Valkey).")],
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("cursor"),
            Arg::pattern("pattern").token("MATCH").optional(),
            Arg::integer("count").token("COUNT").optional(),
            Arg::word("noscores", "NOSCORES").optional(),
        ],
        tips: &["nondeterministic_output"],
        summary: "Walks through the members of a sorted set in steps.",
        reply: ReplyShape::SCAN,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zscore,
        name: "zscore",
        arity: 3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | SORTEDSET | FAST),
        since: "1.2.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0), Arg::string("member")],
        summary: "Reads the score of a member.",
        reply: ReplyShape::OPTIONAL_DOUBLE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zunion,
        name: "zunion",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | SORTEDSET | SLOW),
        since: "6.2.0",
        complexity: "O(N)+O(M*log(M)), N: members of all sets together, M: members of the result",
        key_specs: &[KeySpec::counted(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key", 0).multiple(),
            Arg::integer("weight")
                .token("WEIGHTS")
                .optional()
                .multiple(),
            Arg::one_of(
                "aggregate",
                &[
                    Arg::word("sum", "SUM"),
                    Arg::word("min", "MIN"),
                    Arg::word("max", "MAX"),
                ],
            )
            .token("AGGREGATE")
            .optional(),
            Arg::word("withscores", "WITHSCORES").optional(),
        ],
        summary: "Lists the members that any given sorted set has, with combined scores.",
        reply: ReplyShape::MEMBERS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Zunionstore,
        name: "zunionstore",
        arity: -4,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | SORTEDSET | SLOW),
        since: "2.0.0",
        complexity: "O(N)+O(M*log(M)), N: members of all sets together, M: members of the result",
        key_specs: &[
            KeySpec::at(1, key_flags!(OW | UPDATE)),
            KeySpec::counted(2, key_flags!(RO | ACCESS)),
        ],
        args: &[
            Arg::key("destination", 0),
            Arg::integer("numkeys"),
            Arg::key("key", 1).multiple(),
            Arg::integer("weight")
                .token("WEIGHTS")
                .optional()
                .multiple(),
            Arg::one_of(
                "aggregate",
                &[
                    Arg::word("sum", "SUM"),
                    Arg::word("min", "MIN"),
                    Arg::word("max", "MAX"),
                ],
            )
            .token("AGGREGATE")
            .optional(),
        ],
        summary: "Stores the members that any given sorted set has, with combined scores.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
];
