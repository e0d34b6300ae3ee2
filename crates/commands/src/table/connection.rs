//! Commands about the connection itself and about the clients of the server.
//!
//! One literal per command, sorted by name. The fields are explained in `spec.rs`. Facts follow
//! Redis 7.4; arity, flags, categories, tips and key specs were compared with what Redis 7.0.15
//! answers to COMMAND.
//!
//! Tests: `hygiene.rs`.

use super::vocabulary::{
    AclCategories, Arg, CommandId, CommandSpec, Deprecation, Flags, Group, ReplyShape, acl, flags,
};

const DEFAULTS: CommandSpec = CommandSpec {
    group: Group::Connection,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Auth,
        name: "auth",
        arity: -2,
        flags: flags!(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | SENTINEL),
        acl: acl!(FAST | CONNECTION),
        since: "1.0.0",
        complexity: "O(N), N: passwords of the user",
        history: &[("6.0.0", "Takes a user name before the password.")],
        args: &[
            Arg::string("username").since("6.0.0").optional(),
            Arg::string("password"),
        ],
        summary: "Proves to the server who the client is.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Client,
        name: "client",
        arity: -2,
        flags: flags!(SENTINEL),
        acl: acl!(SLOW),
        since: "2.4.0",
        complexity: "Depends on the subcommand.",
        summary: "Groups the commands about client connections.",
        reply: ReplyShape::OfSubcommand,
        declared_subcommands: CLIENT,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Echo,
        name: "echo",
        arity: 2,
        flags: flags!(LOADING | STALE | FAST),
        acl: acl!(FAST | CONNECTION),
        since: "1.0.0",
        args: &[Arg::string("message")],
        summary: "Sends the message back.",
        reply: ReplyShape::Bulk,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Hello,
        name: "hello",
        arity: -1,
        flags: flags!(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | SENTINEL),
        acl: acl!(FAST | CONNECTION),
        since: "6.0.0",
        history: &[(
            "6.2.0",
            "The protocol version may be left out: the command then only reports.",
        )],
        args: &[Arg::block(
            "arguments",
            &[
                Arg::integer("protover"),
                Arg::block("auth", &[Arg::string("username"), Arg::string("password")])
                    .token("AUTH")
                    .optional(),
                Arg::string("clientname").token("SETNAME").optional(),
            ],
        )
        .optional()],
        summary: "Chooses the protocol version and reports facts about the server and the connection.",
        reply: ReplyShape::Record(&[
            ("server", ReplyShape::Bulk),
            ("version", ReplyShape::Bulk),
            ("proto", ReplyShape::Integer),
            ("id", ReplyShape::Integer),
            ("mode", ReplyShape::Bulk),
            ("role", ReplyShape::Bulk),
            ("modules", ReplyShape::Array(&ReplyShape::Any)),
        ]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Ping,
        name: "ping",
        arity: -1,
        flags: flags!(FAST | SENTINEL),
        acl: acl!(FAST | CONNECTION),
        since: "1.0.0",
        args: &[Arg::string("message").optional()],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        summary: "Answers PONG, or the given message.",
        reply: ReplyShape::OneOf(&[ReplyShape::Status("PONG"), ReplyShape::Bulk]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Quit,
        name: "quit",
        arity: -1,
        flags: flags!(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY),
        acl: acl!(FAST | CONNECTION),
        since: "1.0.0",
        deprecated: Some(Deprecation {
            since: "7.2.0",
            replaced_by: "closing the connection",
        }),
        summary: "Asks the server to close the connection.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Reset,
        name: "reset",
        arity: 1,
        flags: flags!(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY),
        acl: acl!(FAST | CONNECTION),
        since: "6.2.0",
        summary: "Brings the connection back to the state of a new one.",
        reply: ReplyShape::Status("RESET"),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Select,
        name: "select",
        arity: 2,
        flags: flags!(LOADING | STALE | FAST),
        acl: acl!(FAST | CONNECTION),
        since: "1.0.0",
        args: &[Arg::integer("index")],
        summary: "Makes another database the current one of this connection.",
        ..DEFAULTS
    },
];

const CLIENT_SUBCOMMAND: CommandSpec = CommandSpec {
    parent: Some(CommandId::Client),
    ..DEFAULTS
};

const CLIENT: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::ClientGetname,
        name: "getname",
        arity: 2,
        flags: flags!(NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "2.6.9",
        summary: "Tells the name of the calling connection.",
        reply: ReplyShape::OPTIONAL_BULK,
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientHelp,
        name: "help",
        arity: 2,
        flags: flags!(LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "5.0.0",
        summary: "Lists the subcommands of CLIENT.",
        reply: ReplyShape::HELP,
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientId,
        name: "id",
        arity: 2,
        flags: flags!(NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "5.0.0",
        summary: "Tells the number of the calling connection.",
        reply: ReplyShape::Integer,
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientInfo,
        name: "info",
        arity: 2,
        flags: flags!(NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "6.2.0",
        tips: &["nondeterministic_output"],
        summary: "Describes the calling connection in one line.",
        reply: ReplyShape::Verbatim,
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientKill,
        name: "kill",
        arity: -3,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(ADMIN | SLOW | DANGEROUS | CONNECTION),
        since: "2.4.0",
        complexity: "O(N), N: connected clients",
        history: &[
            ("2.8.12", "Takes filters."),
            ("2.8.12", "New filter `ID`."),
            ("3.2.0", "`TYPE` takes `master`."),
            ("5.0.0", "`TYPE` takes `replica`, a synonym of `slave`."),
            ("6.2.0", "New filter `LADDR`."),
            ("7.4.0", "New filter `MAXAGE`."),
            (
                "8.0.0",
                "`TYPE` takes `primary`, a synonym of `master` (from Valkey).",
            ),
        ],
        args: &[Arg::one_of(
            "filter",
            &[
                Arg::string("old-format")
                    .display("ip:port")
                    .deprecated_since("2.8.12"),
                Arg::one_of(
                    "new-format",
                    &[
                        Arg::integer("client-id")
                            .token("ID")
                            .since("2.8.12")
                            .optional(),
                        Arg::one_of(
                            "client-type",
                            &[
                                Arg::word("normal", "normal"),
                                Arg::word("master", "master").since("3.2.0"),
                                Arg::word("primary", "primary").since("8.0.0"),
                                Arg::word("slave", "slave"),
                                Arg::word("replica", "replica").since("5.0.0"),
                                Arg::word("pubsub", "pubsub"),
                            ],
                        )
                        .token("TYPE")
                        .since("2.8.12")
                        .optional(),
                        Arg::string("username").token("USER").optional(),
                        Arg::string("addr")
                            .token("ADDR")
                            .display("ip:port")
                            .optional(),
                        Arg::string("laddr")
                            .token("LADDR")
                            .display("ip:port")
                            .since("6.2.0")
                            .optional(),
                        Arg::one_of("skipme", &[Arg::word("yes", "YES"), Arg::word("no", "NO")])
                            .token("SKIPME")
                            .optional(),
                        Arg::integer("maxage")
                            .token("MAXAGE")
                            .since("7.4.0")
                            .optional(),
                    ],
                )
                .multiple(),
            ],
        )],
        summary: "Closes the connections that match.",
        reply: ReplyShape::OneOf(&[ReplyShape::OK, ReplyShape::Integer]),
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientList,
        name: "list",
        arity: -2,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(ADMIN | SLOW | DANGEROUS | CONNECTION),
        since: "2.4.0",
        complexity: "O(N), N: connected clients",
        history: &[
            ("2.8.12", "New field `id`."),
            ("5.0.0", "New filter `TYPE`."),
            ("6.0.0", "New field `user`."),
            (
                "6.2.0",
                "New fields `argv-mem`, `tot-mem`, `laddr`, `redir`; new filter `ID`.",
            ),
            ("7.0.0", "New fields `resp`, `multi-mem`, `rbs`, `rbp`."),
            ("7.0.3", "New field `ssub`."),
            (
                "8.0.0",
                "`TYPE` takes `primary`, a synonym of `master` (from Valkey).",
            ),
        ],
        args: &[
            Arg::one_of(
                "client-type",
                &[
                    Arg::word("normal", "normal"),
                    Arg::word("master", "master"),
                    Arg::word("primary", "primary").since("8.0.0"),
                    Arg::word("replica", "replica"),
                    Arg::word("pubsub", "pubsub"),
                ],
            )
            .token("TYPE")
            .since("5.0.0")
            .optional(),
            Arg::integer("client-id")
                .token("ID")
                .since("6.2.0")
                .optional()
                .multiple(),
        ],
        tips: &["nondeterministic_output"],
        summary: "Describes the connected clients, one line each.",
        reply: ReplyShape::Verbatim,
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientNoEvict,
        name: "no-evict",
        arity: 3,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(ADMIN | SLOW | DANGEROUS | CONNECTION),
        since: "7.0.0",
        args: &[Arg::one_of(
            "enabled",
            &[Arg::word("on", "ON"), Arg::word("off", "OFF")],
        )],
        summary: "Exempts the calling connection from client eviction, or no longer.",
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientNoTouch,
        name: "no-touch",
        arity: 3,
        flags: flags!(NOSCRIPT | LOADING | STALE),
        acl: acl!(SLOW | CONNECTION),
        since: "7.2.0",
        args: &[Arg::one_of(
            "enabled",
            &[Arg::word("on", "ON"), Arg::word("off", "OFF")],
        )],
        summary: "Stops the commands of this connection from renewing the age of the keys they use, or no longer.",
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientPause,
        name: "pause",
        arity: -3,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(ADMIN | SLOW | DANGEROUS | CONNECTION),
        since: "3.0.0",
        history: &[("6.2.0", "The mode may be given: `WRITE` or `ALL`.")],
        args: &[
            Arg::integer("timeout"),
            Arg::one_of(
                "mode",
                &[Arg::word("write", "WRITE"), Arg::word("all", "ALL")],
            )
            .since("6.2.0")
            .optional(),
        ],
        summary: "Holds back the commands of all clients, or only their writes, for a time.",
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientReply,
        name: "reply",
        arity: 3,
        flags: flags!(NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "3.2.0",
        args: &[Arg::one_of(
            "action",
            &[
                Arg::word("on", "ON"),
                Arg::word("off", "OFF"),
                Arg::word("skip", "SKIP"),
            ],
        )],
        summary: "Turns the replies to this connection on or off, or skips the next one.",
        reply: ReplyShape::OneOf(&[ReplyShape::OK, ReplyShape::Nothing]),
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientSetinfo,
        name: "setinfo",
        arity: 4,
        flags: flags!(NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "7.2.0",
        args: &[Arg::one_of(
            "attr",
            &[
                Arg::string("libname").token("lib-name"),
                Arg::string("libver").token("lib-ver"),
            ],
        )],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Records the name or version of the client library in use.",
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientSetname,
        name: "setname",
        arity: 3,
        flags: flags!(NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(SLOW | CONNECTION),
        since: "2.6.9",
        args: &[Arg::string("connection-name")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Gives the calling connection a name.",
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientUnblock,
        name: "unblock",
        arity: -3,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(ADMIN | SLOW | DANGEROUS | CONNECTION),
        since: "5.0.0",
        complexity: "O(log N), N: connected clients",
        args: &[
            Arg::integer("client-id"),
            Arg::one_of(
                "unblock-type",
                &[Arg::word("timeout", "TIMEOUT"), Arg::word("error", "ERROR")],
            )
            .optional(),
        ],
        summary: "Wakes a client that a blocking command holds, as if by timeout or with an error.",
        reply: ReplyShape::ZERO_OR_ONE,
        ..CLIENT_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::ClientUnpause,
        name: "unpause",
        arity: 2,
        flags: flags!(ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(ADMIN | SLOW | DANGEROUS | CONNECTION),
        since: "6.2.0",
        complexity: "O(N), N: paused clients",
        summary: "Ends a pause of the clients before its time.",
        ..CLIENT_SUBCOMMAND
    },
];
