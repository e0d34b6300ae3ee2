//! Commands that publish messages and subscribe to channels.
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
    group: Group::Pubsub,
    ..CommandSpec::DEFAULTS
};

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Psubscribe,
        name: "psubscribe",
        arity: -2,
        flags: flags!(PUBSUB | NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(PUBSUB | SLOW),
        since: "2.0.0",
        complexity: "O(N), N: patterns",
        args: &[Arg::pattern("pattern").multiple()],
        summary: "Subscribes to the channels that match patterns.",
        reply: ReplyShape::SUBSCRIPTIONS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Publish,
        name: "publish",
        arity: 3,
        flags: flags!(PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE | SENTINEL),
        acl: acl!(PUBSUB | FAST),
        since: "2.0.0",
        complexity: "O(N+M), N: subscribers of the channel, M: pattern subscriptions of all clients",
        args: &[Arg::string("channel"), Arg::string("message")],
        summary: "Sends a message to the subscribers of a channel.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Pubsub,
        name: "pubsub",
        arity: -2,
        acl: acl!(SLOW),
        since: "2.8.0",
        complexity: "Depends on the subcommand.",
        summary: "Groups the commands that report on channels.",
        reply: ReplyShape::OfSubcommand,
        declared_subcommands: PUBSUB,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Punsubscribe,
        name: "punsubscribe",
        arity: -1,
        flags: flags!(PUBSUB | NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(PUBSUB | SLOW),
        since: "2.0.0",
        complexity: "O(N), N: patterns",
        args: &[Arg::pattern("pattern").optional().multiple()],
        summary: "Ends subscriptions to patterns.",
        reply: ReplyShape::SUBSCRIPTIONS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Spublish,
        name: "spublish",
        arity: 3,
        flags: flags!(PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE),
        acl: acl!(PUBSUB | FAST),
        since: "7.0.0",
        complexity: "O(N), N: subscribers of the shard channel",
        key_specs: &[KeySpec::at(1, key_flags!(NOT_KEY))],
        args: &[Arg::string("shardchannel"), Arg::string("message")],
        summary: "Sends a message to the subscribers of a shard channel.",
        reply: ReplyShape::Integer,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Ssubscribe,
        name: "ssubscribe",
        arity: -2,
        flags: flags!(PUBSUB | NOSCRIPT | LOADING | STALE),
        acl: acl!(PUBSUB | SLOW),
        since: "7.0.0",
        complexity: "O(N), N: shard channels",
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(NOT_KEY))],
        args: &[Arg::string("shardchannel").multiple()],
        summary: "Subscribes to shard channels.",
        reply: ReplyShape::SUBSCRIPTIONS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Subscribe,
        name: "subscribe",
        arity: -2,
        flags: flags!(PUBSUB | NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(PUBSUB | SLOW),
        since: "2.0.0",
        complexity: "O(N), N: channels",
        args: &[Arg::string("channel").multiple()],
        summary: "Subscribes to channels.",
        reply: ReplyShape::SUBSCRIPTIONS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Sunsubscribe,
        name: "sunsubscribe",
        arity: -1,
        flags: flags!(PUBSUB | NOSCRIPT | LOADING | STALE),
        acl: acl!(PUBSUB | SLOW),
        since: "7.0.0",
        complexity: "O(N), N: shard channels",
        key_specs: &[KeySpec::range(1, -1, 1, key_flags!(NOT_KEY))],
        args: &[Arg::string("shardchannel").optional().multiple()],
        summary: "Ends subscriptions to shard channels.",
        reply: ReplyShape::SUBSCRIPTIONS,
        ..DEFAULTS
    },
    CommandSpec {
        id: CommandId::Unsubscribe,
        name: "unsubscribe",
        arity: -1,
        flags: flags!(PUBSUB | NOSCRIPT | LOADING | STALE | SENTINEL),
        acl: acl!(PUBSUB | SLOW),
        since: "2.0.0",
        complexity: "O(N), N: channels",
        args: &[Arg::string("channel").optional().multiple()],
        summary: "Ends subscriptions to channels.",
        reply: ReplyShape::SUBSCRIPTIONS,
        ..DEFAULTS
    },
];

const PUBSUB_SUBCOMMAND: CommandSpec = CommandSpec {
    parent: Some(CommandId::Pubsub),
    ..DEFAULTS
};

const PUBSUB: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::PubsubChannels,
        name: "channels",
        arity: -2,
        flags: flags!(PUBSUB | LOADING | STALE),
        acl: acl!(PUBSUB | SLOW),
        since: "2.8.0",
        complexity: "O(N), N: channels with subscribers, given short names and patterns",
        args: &[Arg::pattern("pattern").optional()],
        summary: "Lists the channels that have subscribers.",
        reply: ReplyShape::BULKS,
        ..PUBSUB_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::PubsubHelp,
        name: "help",
        arity: 2,
        flags: flags!(LOADING | STALE),
        acl: acl!(SLOW),
        since: "6.2.0",
        summary: "Lists the subcommands of PUBSUB.",
        reply: ReplyShape::HELP,
        ..PUBSUB_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::PubsubNumpat,
        name: "numpat",
        arity: 2,
        flags: flags!(PUBSUB | LOADING | STALE),
        acl: acl!(PUBSUB | SLOW),
        since: "2.8.0",
        summary: "Counts the distinct patterns that clients are subscribed to.",
        reply: ReplyShape::Integer,
        ..PUBSUB_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::PubsubNumsub,
        name: "numsub",
        arity: -2,
        flags: flags!(PUBSUB | LOADING | STALE),
        acl: acl!(PUBSUB | SLOW),
        since: "2.8.0",
        complexity: "O(N), N: channels asked for",
        args: &[Arg::string("channel").optional().multiple()],
        summary: "Counts the subscribers of channels.",
        reply: ReplyShape::CHANNEL_COUNTS,
        ..PUBSUB_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::PubsubShardchannels,
        name: "shardchannels",
        arity: -2,
        flags: flags!(PUBSUB | LOADING | STALE),
        acl: acl!(PUBSUB | SLOW),
        since: "7.0.0",
        complexity: "O(N), N: shard channels with subscribers, given short names and patterns",
        args: &[Arg::pattern("pattern").optional()],
        summary: "Lists the shard channels that have subscribers.",
        reply: ReplyShape::BULKS,
        ..PUBSUB_SUBCOMMAND
    },
    CommandSpec {
        id: CommandId::PubsubShardnumsub,
        name: "shardnumsub",
        arity: -2,
        flags: flags!(PUBSUB | LOADING | STALE),
        acl: acl!(PUBSUB | SLOW),
        since: "7.0.0",
        complexity: "O(N), N: shard channels asked for",
        args: &[Arg::string("shardchannel").optional().multiple()],
        summary: "Counts the subscribers of shard channels.",
        reply: ReplyShape::CHANNEL_COUNTS,
        ..PUBSUB_SUBCOMMAND
    },
];
