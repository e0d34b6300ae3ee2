//! Commands that make other commands one transaction.
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
    group: Group::Transactions,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Discard,
        name: "discard",
        arity: 1,
        flags: flags!(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY),
        acl: acl!(FAST | TRANSACTION),
        since: "2.0.0",
        complexity: "O(N), N: queued commands",
        summary: "Throws away the queued commands and ends the transaction.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Exec,
        name: "exec",
        arity: 1,
        flags: flags!(NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG),
        acl: acl!(SLOW | TRANSACTION),
        since: "1.2.0",
        complexity: "Depends on the queued commands.",
        summary: "Runs the queued commands as one, unless a watched key has changed.",
        reply: ReplyShape::OneOf(&[ReplyShape::Array(&ReplyShape::Any), ReplyShape::Null]),
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Multi,
        name: "multi",
        arity: 1,
        flags: flags!(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY),
        acl: acl!(FAST | TRANSACTION),
        since: "1.2.0",
        summary: "Starts queueing commands for a transaction.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Unwatch,
        name: "unwatch",
        arity: 1,
        flags: flags!(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY),
        acl: acl!(FAST | TRANSACTION),
        since: "2.2.0",
        summary: "Stops watching all keys.",
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Watch,
        name: "watch",
        arity: -2,
        flags: flags!(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY),
        acl: acl!(FAST | TRANSACTION),
        since: "2.2.0",
        complexity: "O(1) per key",
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(RO))],
        args: &[Arg::key("key", 0).multiple()],
        summary: "Watches keys: if one changes, the next EXEC does nothing.",
        ..DEFAULTS
    },
];
