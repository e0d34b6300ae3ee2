//! Commands on strings as arrays of bits.
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
    group: Group::Bitmap,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Bitcount,
        name: "bitcount",
        arity: -2,
        flags: flags!(READONLY),
        acl: acl!(READ | BITMAP | SLOW),
        since: "2.6.0",
        complexity: "O(N)",
        history: &[
            ("7.0.0", "The range may count bits: `BYTE` or `BIT`."),
            (
                "8.0.0",
                "The end may be left out: up to the last byte (from Valkey).",
            ),
        ],
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::block(
                "range",
                &[
                    Arg::integer("start"),
                    Arg::block(
                        "end-unit-block",
                        &[
                            Arg::integer("end"),
                            Arg::one_of(
                                "unit",
                                &[Arg::word("byte", "BYTE"), Arg::word("bit", "BIT")],
                            )
                            .since("7.0.0")
                            .optional(),
                        ],
                    )
                    .optional(),
                ],
            )
            .optional(),
        ],
        summary: "Counts the one bits in a string or part of it.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Bitfield,
        name: "bitfield",
        arity: -2,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | BITMAP | SLOW),
        since: "3.2.0",
        complexity: "O(1) per operation",
        key_specs: &[
            KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE | VARIABLE_FLAGS))
                .notes("Depends on the operations: they may read or write"),
        ],
        args: &[
            Arg::key("key", 0),
            Arg::one_of(
                "operation",
                &[
                    Arg::block(
                        "get-block",
                        &[Arg::string("encoding"), Arg::integer("offset")],
                    )
                    .token("GET"),
                    Arg::block(
                        "write",
                        &[
                            Arg::one_of(
                                "overflow-block",
                                &[
                                    Arg::word("wrap", "WRAP"),
                                    Arg::word("sat", "SAT"),
                                    Arg::word("fail", "FAIL"),
                                ],
                            )
                            .token("OVERFLOW")
                            .optional(),
                            Arg::one_of(
                                "write-operation",
                                &[
                                    Arg::block(
                                        "set-block",
                                        &[
                                            Arg::string("encoding"),
                                            Arg::integer("offset"),
                                            Arg::integer("value"),
                                        ],
                                    )
                                    .token("SET"),
                                    Arg::block(
                                        "incrby-block",
                                        &[
                                            Arg::string("encoding"),
                                            Arg::integer("offset"),
                                            Arg::integer("increment"),
                                        ],
                                    )
                                    .token("INCRBY"),
                                ],
                            ),
                        ],
                    ),
                ],
            )
            .optional()
            .multiple(),
        ],
        summary: "Reads, sets and increments integers of any width inside a string.",
        reply: ReplyShape::Array(&ReplyShape::OPTIONAL_INTEGER),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::BitfieldRo,
        name: "bitfield_ro",
        arity: -2,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | BITMAP | FAST),
        since: "6.0.0",
        complexity: "O(1) per operation",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::block(
                "get-block",
                &[Arg::string("encoding"), Arg::integer("offset")],
            )
            .token("GET")
            .optional()
            .multiple_token(),
        ],
        summary: "Reads integers of any width inside a string.",
        reply: ReplyShape::Array(&ReplyShape::Integer),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Bitop,
        name: "bitop",
        arity: -4,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | BITMAP | SLOW),
        since: "2.6.0",
        complexity: "O(N)",
        key_specs: &[
            KeySpec::at(2, key_flags!(OW | UPDATE)),
            KeySpec::range(3, -1, 1, key_flags!(RO | ACCESS)),
        ],
        args: &[
            Arg::one_of(
                "operation",
                &[
                    Arg::word("and", "AND"),
                    Arg::word("or", "OR"),
                    Arg::word("xor", "XOR"),
                    Arg::word("not", "NOT"),
                ],
            ),
            Arg::key("destkey", 0),
            Arg::key("key", 1).multiple(),
        ],
        summary: "Combines strings bit by bit and stores the result.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Bitpos,
        name: "bitpos",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | BITMAP | SLOW),
        since: "2.8.7",
        complexity: "O(N)",
        history: &[("7.0.0", "The range may count bits: `BYTE` or `BIT`.")],
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("bit"),
            Arg::block(
                "range",
                &[
                    Arg::integer("start"),
                    Arg::block(
                        "end-unit-block",
                        &[
                            Arg::integer("end"),
                            Arg::one_of(
                                "unit",
                                &[Arg::word("byte", "BYTE"), Arg::word("bit", "BIT")],
                            )
                            .since("7.0.0")
                            .optional(),
                        ],
                    )
                    .optional(),
                ],
            )
            .optional(),
        ],
        summary: "Finds the first bit of a string that is one, or zero.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Getbit,
        name: "getbit",
        arity: 3,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | BITMAP | FAST),
        since: "2.2.0",
        key_specs: &[KeySpec::at(1, key_flags!(RO | ACCESS))],
        args: &[Arg::key("key", 0), Arg::integer("offset")],
        summary: "Reads one bit of a string.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Setbit,
        name: "setbit",
        arity: 4,
        flags: flags!(WRITE | DENYOOM),
        acl: acl!(WRITE | BITMAP | SLOW),
        since: "2.2.0",
        key_specs: &[KeySpec::at(1, key_flags!(RW | ACCESS | UPDATE))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("offset"),
            Arg::integer("value"),
        ],
        summary: "Changes one bit of a string and returns what it was.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..DEFAULTS
    },
];
