//! Commands about the server: configuration, inspection, databases as a whole.
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
    group: Group::Server,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Bgrewriteaof,
        name: "bgrewriteaof",
        arity: 1,
        flags: flags!(ADMIN | NOSCRIPT | NO_ASYNC_LOADING),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "1.0.0",
        summary: "Writes the append-only file anew in the background.",
        reply: ReplyShape::Simple,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Bgsave,
        name: "bgsave",
        arity: -1,
        flags: flags!(ADMIN | NOSCRIPT | NO_ASYNC_LOADING),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "1.0.0",
        history: &[("3.2.2", "New option `SCHEDULE`.")],
        args: &[Arg::word("schedule", "SCHEDULE").since("3.2.2").optional()],
        summary: "Saves all databases to the snapshot file in the background.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Status("Background saving started"),
            ReplyShape::Status("Background saving scheduled"),
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Command,
        name: "command",
        arity: -1,
        flags: flags!(LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "2.8.13",
        complexity: "O(N), N: commands",
        tips: &["nondeterministic_output_order"],
        summary: "Describes all commands.",
        reply: ReplyShape::Array(&ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[
                ReplyShape::Bulk,
                ReplyShape::Integer,
                ReplyShape::Set(&ReplyShape::Simple),
                ReplyShape::Integer,
                ReplyShape::Integer,
                ReplyShape::Integer,
                ReplyShape::Set(&ReplyShape::Simple),
                ReplyShape::Array(&ReplyShape::Bulk),
                ReplyShape::Array(&ReplyShape::Any),
                ReplyShape::Array(&ReplyShape::Any),
            ]),
            ReplyShape::Null,
        ])),
        declared_subcommands: COMMAND,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Config,
        name: "config",
        arity: -2,
        acl: acl!(SLOW),
        since: "2.0.0",
        complexity: "Depends on the subcommand.",
        summary: "Groups the commands about the configuration.",
        reply: ReplyShape::OfSubcommand,
        declared_subcommands: CONFIG,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Dbsize,
        name: "dbsize",
        arity: 1,
        flags: flags!(READONLY | FAST),
        acl: acl!(KEYSPACE | READ | FAST),
        since: "1.0.0",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        summary: "Counts the keys of the current database.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Debug,
        name: "debug",
        arity: -2,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "1.0.0",
        complexity: "Depends on the subcommand.",
        system: true,
        summary: "Offers tools for testing the server itself.",
        reply: ReplyShape::Any,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Failover,
        name: "failover",
        arity: -1,
        flags: flags!(ADMIN | NOSCRIPT | STALE),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "6.2.0",
        args: &[
            Arg::block(
                "target",
                &[
                    Arg::string("host"),
                    Arg::integer("port"),
                    Arg::word("force", "FORCE").optional(),
                ],
            )
            .token("TO")
            .optional(),
            Arg::word("abort", "ABORT").optional(),
            Arg::integer("milliseconds").token("TIMEOUT").optional(),
        ],
        summary: "Hands the role of primary over to a replica, without losing a write.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Flushall,
        name: "flushall",
        arity: -1,
        flags: flags!(WRITE),
        acl: acl!(KEYSPACE | WRITE | SLOW | DANGEROUS),
        since: "1.0.0",
        complexity: "O(N), N: keys in all databases",
        history: &[
            ("4.0.0", "New option `ASYNC`."),
            ("6.2.0", "New option `SYNC`."),
        ],
        args: &[Arg::one_of(
            "flush-type",
            &[
                Arg::word("async", "ASYNC").since("4.0.0"),
                Arg::word("sync", "SYNC").since("6.2.0"),
            ],
        )
        .optional()],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        summary: "Empties all databases.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Flushdb,
        name: "flushdb",
        arity: -1,
        flags: flags!(WRITE),
        acl: acl!(KEYSPACE | WRITE | SLOW | DANGEROUS),
        since: "1.0.0",
        complexity: "O(N), N: keys in the database",
        history: &[
            ("4.0.0", "New option `ASYNC`."),
            ("6.2.0", "New option `SYNC`."),
        ],
        args: &[Arg::one_of(
            "flush-type",
            &[
                Arg::word("async", "ASYNC").since("4.0.0"),
                Arg::word("sync", "SYNC").since("6.2.0"),
            ],
        )
        .optional()],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        summary: "Empties the current database.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Info,
        name: "info",
        arity: -1,
        flags: flags!(LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | DANGEROUS),
        since: "1.0.0",
        history: &[("7.0.0", "Takes several sections.")],
        args: &[Arg::string("section").optional().multiple()],
        tips: &[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ],
        summary: "Reports facts and statistics about the server.",
        reply: ReplyShape::Verbatim,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lastsave,
        name: "lastsave",
        arity: 1,
        flags: flags!(LOADING | STALE | FAST),
        acl: acl!(ADMIN | FAST | DANGEROUS),
        since: "1.0.0",
        tips: &["nondeterministic_output"],
        summary: "Tells when the data was last saved with success.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Lolwut,
        name: "lolwut",
        arity: -1,
        flags: flags!(READONLY | FAST),
        acl: acl!(READ | FAST),
        since: "5.0.0",
        complexity: "",
        args: &[Arg::integer("version").token("VERSION").optional()],
        summary: "Draws a picture and tells the version.",
        reply: ReplyShape::Verbatim,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Memory,
        name: "memory",
        arity: -2,
        acl: acl!(SLOW),
        since: "4.0.0",
        complexity: "Depends on the subcommand.",
        summary: "Groups the commands about memory use.",
        reply: ReplyShape::OfSubcommand,
        declared_subcommands: MEMORY,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Monitor,
        name: "monitor",
        arity: 1,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "1.0.0",
        complexity: "",
        summary: "Streams every command that the server runs.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Psync,
        name: "psync",
        arity: -3,
        flags: flags!(ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "2.8.0",
        complexity: "O(N) for all data, N: keys; O(1) for a part of the stream",
        args: &[Arg::string("replicationid"), Arg::integer("offset")],
        summary: "Asks for the stream of changes from a point on. Sent by replicas.",
        reply: ReplyShape::Nothing,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Replconf,
        name: "replconf",
        arity: -1,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "3.0.0",
        system: true,
        summary: "Tells the other end of a replication link something. Sent by servers.",
        reply: ReplyShape::OneOf(&[ReplyShape::OK, ReplyShape::Nothing]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Replicaof,
        name: "replicaof",
        arity: 3,
        flags: flags!(ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "5.0.0",
        args: &[Arg::one_of(
            "args",
            &[
                Arg::block("host-port", &[Arg::string("host"), Arg::integer("port")]),
                Arg::block("no-one", &[Arg::word("no", "NO"), Arg::word("one", "ONE")]),
            ],
        )],
        summary: "Makes the server a replica of another, or a primary again.",
        reply: ReplyShape::Simple,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Role,
        name: "role",
        arity: 1,
        flags: flags!(NOSCRIPT | LOADING | STALE | FAST | SENTINEL),
        acl: acl!(ADMIN | FAST | DANGEROUS),
        since: "2.8.12",
        summary: "Tells the role in replication and its details.",
        reply: ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[
                ReplyShape::Bulk,
                ReplyShape::Integer,
                ReplyShape::Array(&ReplyShape::Tuple(&[
                    ReplyShape::Bulk,
                    ReplyShape::Bulk,
                    ReplyShape::Bulk,
                ])),
            ]),
            ReplyShape::Tuple(&[
                ReplyShape::Bulk,
                ReplyShape::Bulk,
                ReplyShape::Integer,
                ReplyShape::Bulk,
                ReplyShape::Integer,
            ]),
            ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::BULKS]),
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Save,
        name: "save",
        arity: 1,
        flags: flags!(ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "1.0.0",
        complexity: "O(N), N: keys in all databases",
        summary: "Saves all databases to the snapshot file before anything else is done.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Shutdown,
        name: "shutdown",
        arity: -1,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY | SENTINEL),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "1.0.0",
        complexity: "O(N) when saving, N: keys in all databases; otherwise O(1)",
        history: &[("7.0.0", "New options `NOW`, `FORCE`, `ABORT`.")],
        args: &[Arg::one_of(
            "abort-selector",
            &[
                Arg::block(
                    "save-selector-block",
                    &[
                        Arg::one_of(
                            "save-selector",
                            &[Arg::word("nosave", "NOSAVE"), Arg::word("save", "SAVE")],
                        )
                        .optional(),
                        Arg::word("now", "NOW").since("7.0.0").optional(),
                        Arg::word("force", "FORCE").since("7.0.0").optional(),
                    ],
                ),
                Arg::word("abort", "ABORT").since("7.0.0"),
            ],
        )
        .optional()],
        summary: "Stops the server, saving the data first if configured or asked to.",
        reply: ReplyShape::OneOf(&[ReplyShape::Nothing, ReplyShape::OK]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Slaveof,
        name: "slaveof",
        arity: 3,
        flags: flags!(ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "1.0.0",
        deprecated: Some(Deprecation {
            since: "5.0.0",
            replaced_by: "`REPLICAOF`",
        }),
        args: &[Arg::one_of(
            "args",
            &[
                Arg::block("host-port", &[Arg::string("host"), Arg::integer("port")]),
                Arg::block("no-one", &[Arg::word("no", "NO"), Arg::word("one", "ONE")]),
            ],
        )],
        summary: "Makes the server a replica of another, or a primary again.",
        reply: ReplyShape::Simple,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Slowlog,
        name: "slowlog",
        arity: -2,
        acl: acl!(SLOW),
        since: "2.2.12",
        complexity: "Depends on the subcommand.",
        summary: "Groups the commands about the log of slow commands.",
        reply: ReplyShape::OfSubcommand,
        declared_subcommands: SLOWLOG,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Swapdb,
        name: "swapdb",
        arity: 3,
        flags: flags!(WRITE | FAST),
        acl: acl!(KEYSPACE | WRITE | FAST | DANGEROUS),
        since: "4.0.0",
        complexity: "O(N), N: clients that watch or wait for keys of either database",
        args: &[Arg::integer("index1"), Arg::integer("index2")],
        summary: "Exchanges the contents of two databases.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sync,
        name: "sync",
        arity: 1,
        flags: flags!(ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "1.0.0",
        complexity: "O(N), N: keys in all databases",
        summary: "Asks for all data and the stream of changes to it. Sent by old replicas.",
        reply: ReplyShape::Nothing,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Time,
        name: "time",
        arity: 1,
        flags: flags!(LOADING | STALE | FAST),
        acl: acl!(FAST),
        since: "2.6.0",
        tips: &["nondeterministic_output"],
        summary: "Tells the time of the server.",
        reply: ReplyShape::Tuple(&[ReplyShape::Bulk, ReplyShape::Bulk]),
        ..DEFAULTS
    },
];

const COMMAND_SUBCOMMAND: CommandSpec = CommandSpec {
    parent: Some(CommandId::Command),
    ..DEFAULTS
};

const COMMAND: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::CommandCount,
        name: "count",
        arity: 2,
        flags: flags!(LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "2.8.13",
        summary: "Counts the commands.",
        reply: ReplyShape::Integer,
        ..COMMAND_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::CommandDocs,
        name: "docs",
        arity: -2,
        flags: flags!(LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "7.0.0",
        complexity: "O(N), N: commands asked for",
        args: &[Arg::string("command-name").optional().multiple()],
        tips: &["nondeterministic_output_order"],
        summary: "Documents commands.",
        reply: ReplyShape::Map(&ReplyShape::Map(&ReplyShape::Any)),
        ..COMMAND_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::CommandGetkeys,
        name: "getkeys",
        arity: -3,
        flags: flags!(LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "2.8.13",
        complexity: "O(N), N: arguments of the command line",
        args: &[
            Arg::string("command"),
            Arg::string("arg").optional().multiple(),
        ],
        summary: "Tells which arguments of a command line are keys.",
        reply: ReplyShape::BULKS,
        ..COMMAND_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::CommandGetkeysandflags,
        name: "getkeysandflags",
        arity: -3,
        flags: flags!(LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "7.0.0",
        complexity: "O(N), N: arguments of the command line",
        args: &[
            Arg::string("command"),
            Arg::string("arg").optional().multiple(),
        ],
        summary: "Tells which arguments of a command line are keys, and what is done to them.",
        reply: ReplyShape::Array(&ReplyShape::Tuple(&[
            ReplyShape::Bulk,
            ReplyShape::Set(&ReplyShape::Simple),
        ])),
        ..COMMAND_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::CommandHelp,
        name: "help",
        arity: 2,
        flags: flags!(LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "5.0.0",
        summary: "Lists the subcommands of COMMAND.",
        reply: ReplyShape::HELP,
        ..COMMAND_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::CommandInfo,
        name: "info",
        arity: -2,
        flags: flags!(LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "2.8.13",
        complexity: "O(N), N: commands asked for",
        history: &[("7.0.0", "Without names, describes all commands.")],
        args: &[Arg::string("command-name").optional().multiple()],
        tips: &["nondeterministic_output_order"],
        summary: "Describes the given commands.",
        reply: ReplyShape::Array(&ReplyShape::OneOf(&[
            ReplyShape::Tuple(&[
                ReplyShape::Bulk,
                ReplyShape::Integer,
                ReplyShape::Set(&ReplyShape::Simple),
                ReplyShape::Integer,
                ReplyShape::Integer,
                ReplyShape::Integer,
                ReplyShape::Set(&ReplyShape::Simple),
                ReplyShape::Array(&ReplyShape::Bulk),
                ReplyShape::Array(&ReplyShape::Any),
                ReplyShape::Array(&ReplyShape::Any),
            ]),
            ReplyShape::Null,
        ])),
        ..COMMAND_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::CommandList,
        name: "list",
        arity: -2,
        flags: flags!(LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "7.0.0",
        complexity: "O(N), N: commands",
        args: &[Arg::one_of(
            "filterby",
            &[
                Arg::string("module-name").token("MODULE"),
                Arg::string("category").token("ACLCAT"),
                Arg::pattern("pattern").token("PATTERN"),
            ],
        )
        .token("FILTERBY")
        .optional()],
        tips: &["nondeterministic_output_order"],
        summary: "Lists the names of the commands.",
        reply: ReplyShape::BULKS,
        ..COMMAND_SUBCOMMAND
    },
];

const CONFIG_SUBCOMMAND: CommandSpec = CommandSpec {
    parent: Some(CommandId::Config),
    ..DEFAULTS
};

const CONFIG: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::ConfigGet,
        name: "get",
        arity: -3,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "2.0.0",
        complexity: "O(N), N: patterns",
        history: &[("7.0.0", "Takes several patterns.")],
        args: &[Arg::string("parameter").multiple()],
        summary: "Reads the options whose names match.",
        reply: ReplyShape::Map(&ReplyShape::Bulk),
        ..CONFIG_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ConfigHelp,
        name: "help",
        arity: 2,
        flags: flags!(LOADING | STALE),
        acl: acl!(SLOW),
        since: "5.0.0",
        summary: "Lists the subcommands of CONFIG.",
        reply: ReplyShape::HELP,
        ..CONFIG_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ConfigResetstat,
        name: "resetstat",
        arity: 2,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "2.0.0",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Sets the statistics of INFO back to zero.",
        ..CONFIG_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ConfigRewrite,
        name: "rewrite",
        arity: 2,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "2.8.0",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Writes the options in effect back to the configuration file.",
        ..CONFIG_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ConfigSet,
        name: "set",
        arity: -4,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "2.0.0",
        complexity: "O(N), N: options",
        history: &[("7.0.0", "Takes several options.")],
        args: &[Arg::block("data", &[Arg::string("parameter"), Arg::string("value")]).multiple()],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Changes options while the server runs: all of them or none.",
        ..CONFIG_SUBCOMMAND
    },
];

const MEMORY_SUBCOMMAND: CommandSpec = CommandSpec {
    parent: Some(CommandId::Memory),
    ..DEFAULTS
};

const MEMORY: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::MemoryDoctor,
        name: "doctor",
        arity: 2,
        acl: acl!(SLOW),
        since: "4.0.0",
        tips: &[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ],
        summary: "Judges the memory use and gives advice.",
        reply: ReplyShape::Verbatim,
        ..MEMORY_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::MemoryHelp,
        name: "help",
        arity: 2,
        flags: flags!(LOADING | STALE),
        acl: acl!(SLOW),
        since: "4.0.0",
        summary: "Lists the subcommands of MEMORY.",
        reply: ReplyShape::HELP,
        ..MEMORY_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::MemoryMallocStats,
        name: "malloc-stats",
        arity: 2,
        acl: acl!(SLOW),
        since: "4.0.0",
        complexity: "Depends on the allocated memory; may be slow.",
        tips: &[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ],
        summary: "Reports the statistics of the memory allocator.",
        reply: ReplyShape::Verbatim,
        ..MEMORY_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::MemoryPurge,
        name: "purge",
        arity: 2,
        acl: acl!(SLOW),
        since: "4.0.0",
        complexity: "Depends on the allocated memory; may be slow.",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        summary: "Asks the memory allocator to give unused pages back.",
        ..MEMORY_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::MemoryStats,
        name: "stats",
        arity: 2,
        acl: acl!(SLOW),
        since: "4.0.0",
        tips: &[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ],
        summary: "Reports what the memory is used for.",
        reply: ReplyShape::Map(&ReplyShape::Any),
        ..MEMORY_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::MemoryUsage,
        name: "usage",
        arity: -3,
        flags: flags!(READONLY),
        acl: acl!(READ | SLOW),
        since: "4.0.0",
        complexity: "O(N), N: samples",
        key_specs: &[KeySpec::at(2, key_flags!(RO))],
        args: &[
            Arg::key("key", 0),
            Arg::integer("count").token("SAMPLES").optional(),
        ],
        summary: "Estimates how many bytes a key and its value take.",
        reply: ReplyShape::OPTIONAL_INTEGER,
        ..MEMORY_SUBCOMMAND
    },
];

const SLOWLOG_SUBCOMMAND: CommandSpec = CommandSpec {
    parent: Some(CommandId::Slowlog),
    ..DEFAULTS
};

const SLOWLOG: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::SlowlogGet,
        name: "get",
        arity: -2,
        flags: flags!(ADMIN | LOADING | STALE),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "2.2.12",
        complexity: "O(N), N: entries returned",
        history: &[("4.0.0", "Entries tell the address and name of the client.")],
        args: &[Arg::integer("count").optional()],
        tips: &["request_policy:all_nodes", "nondeterministic_output"],
        summary: "Reads entries of the slow log, the newest first.",
        reply: ReplyShape::Array(&ReplyShape::Tuple(&[
            ReplyShape::Integer,
            ReplyShape::Integer,
            ReplyShape::Integer,
            ReplyShape::BULKS,
            ReplyShape::Bulk,
            ReplyShape::Bulk,
        ])),
        ..SLOWLOG_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::SlowlogHelp,
        name: "help",
        arity: 2,
        flags: flags!(LOADING | STALE),
        acl: acl!(SLOW),
        since: "6.2.0",
        summary: "Lists the subcommands of SLOWLOG.",
        reply: ReplyShape::HELP,
        ..SLOWLOG_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::SlowlogLen,
        name: "len",
        arity: 2,
        flags: flags!(ADMIN | LOADING | STALE),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "2.2.12",
        tips: &[
            "request_policy:all_nodes",
            "response_policy:agg_sum",
            "nondeterministic_output",
        ],
        summary: "Counts the entries of the slow log.",
        reply: ReplyShape::Integer,
        ..SLOWLOG_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::SlowlogReset,
        name: "reset",
        arity: 2,
        flags: flags!(ADMIN | LOADING | STALE),
        acl: acl!(ADMIN | SLOW | DANGEROUS),
        since: "2.2.12",
        complexity: "O(N), N: entries of the slow log",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Empties the slow log.",
        ..SLOWLOG_SUBCOMMAND
    },
];
