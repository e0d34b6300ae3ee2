//! The pub/sub commands. Who listens to what, and delivery, are in `crate::pubsub`.
//!
//! Messages to the calling session itself go behind the reply of the command that caused them.
//!
//! Tests: `crates/engine/tests/sessions.rs`.

use crate::cmd::help;
use crate::ctx::{Args, Ctx};
use crate::effects::EffectsReader;
use crate::error::{Outcome, ReplyError};
use crate::pubsub::Scope;
use resp::Writer;

/// What subscribers are told, by scope.
const fn words(scope: Scope) -> (&'static [u8], &'static [u8]) {
    match scope {
        Scope::Channel => (b"subscribe", b"unsubscribe"),
        Scope::Pattern => (b"psubscribe", b"punsubscribe"),
        Scope::Shard => (b"ssubscribe", b"sunsubscribe"),
    }
}

fn confirm(out: &mut Writer, word: &[u8], name: Option<&[u8]>, count: usize) {
    out.push(3);
    out.bulk(word);
    match name {
        Some(name) => out.bulk(name),
        None => out.null(),
    }
    out.integer(count as i64);
}

fn subscribe_to(ctx: &mut Ctx<'_>, scope: Scope, names: Args<'_>) -> Outcome {
    for name in names {
        ctx.engine.subscribe(ctx.session, scope, name);
        let count = ctx.session.subscription_count(scope);
        confirm(ctx.out, words(scope).0, Some(name), count);
    }
    Ok(())
}

/// Without names it ends all subscriptions of the scope, and says so even if there are none.
fn unsubscribe_from(ctx: &mut Ctx<'_>, scope: Scope, names: Args<'_>) -> Outcome {
    let word = words(scope).1;
    for name in names {
        ctx.engine.unsubscribe(ctx.session, scope, name);
        confirm(
            ctx.out,
            word,
            Some(name),
            ctx.session.subscription_count(scope),
        );
    }
    if !names.is_empty() {
        return Ok(());
    }
    let all = ctx.session.subscription_names(scope);
    if all.is_empty() {
        confirm(ctx.out, word, None, ctx.session.subscription_count(scope));
    }
    for name in all {
        ctx.engine.unsubscribe(ctx.session, scope, &name);
        confirm(
            ctx.out,
            word,
            Some(&name),
            ctx.session.subscription_count(scope),
        );
    }
    Ok(())
}

pub fn subscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    subscribe_to(ctx, Scope::Channel, &args[1..])
}

pub fn psubscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    subscribe_to(ctx, Scope::Pattern, &args[1..])
}

pub fn ssubscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    subscribe_to(ctx, Scope::Shard, &args[1..])
}

pub fn unsubscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    unsubscribe_from(ctx, Scope::Channel, &args[1..])
}

pub fn punsubscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    unsubscribe_from(ctx, Scope::Pattern, &args[1..])
}

pub fn sunsubscribe(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    unsubscribe_from(ctx, Scope::Shard, &args[1..])
}

pub fn publish(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    send(ctx, args, Scope::Channel)
}

pub fn spublish(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    send(ctx, args, Scope::Shard)
}

fn send(ctx: &mut Ctx<'_>, args: Args<'_>, scope: Scope) -> Outcome {
    let receivers = match scope {
        Scope::Shard => ctx.engine.publish_shard(args[1], args[2]),
        Scope::Channel | Scope::Pattern => ctx.engine.publish(args[1], args[2]),
    };
    ctx.out.integer(receivers as i64);
    ctx.engine.stats.pubsub_messages += 1;
    // Our replicas have listeners of their own; a file has none.
    if ctx.engine.effects.is_read_by(EffectsReader::Replicas) {
        ctx.engine.effects.push_for_replicas(args);
    }
    Ok(())
}

pub fn pubsub_channels(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    list_channels(ctx, Scope::Channel, args)
}

pub fn pubsub_shardchannels(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    list_channels(ctx, Scope::Shard, args)
}

fn list_channels(ctx: &mut Ctx<'_>, scope: Scope, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        let text = b"ERR unknown subcommand or wrong number of arguments for '";
        return Err(ReplyError::bytes(
            [text, args[1], b"'. Try PUBSUB HELP."].concat(),
        ));
    }
    let pattern = args.get(2);
    let list = ctx.out.defer();
    let mut count = 0;
    for name in ctx.engine.pubsub.of(scope).keys() {
        if pattern.is_none_or(|pattern| structures::glob::matches(pattern, name)) {
            ctx.out.bulk(name);
            count += 1;
        }
    }
    ctx.out.fill_array(list, count);
    Ok(())
}

pub fn pubsub_numsub(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    count_listeners(ctx, Scope::Channel, &args[2..])
}

pub fn pubsub_shardnumsub(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    count_listeners(ctx, Scope::Shard, &args[2..])
}

fn count_listeners(ctx: &mut Ctx<'_>, scope: Scope, names: Args<'_>) -> Outcome {
    ctx.out.array(names.len() * 2);
    for name in names {
        ctx.out.bulk(name);
        ctx.out
            .integer(ctx.engine.pubsub.of(scope).get(*name).map_or(0, Vec::len) as i64);
    }
    Ok(())
}

pub fn pubsub_numpat(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.out.integer(ctx.engine.pubsub.patterns.len() as i64);
    Ok(())
}

pub fn pubsub_help(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    help(
        ctx,
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    Channels somebody listens to, all or those matching <pattern>.",
            "NUMPAT",
            "    Number of patterns somebody listens to.",
            "NUMSUB [<channel> ...]",
            "    Number of listeners of each channel, patterns not counted.",
            "SHARDCHANNELS [<pattern>]",
            "    Shard channels somebody listens to, all or those matching <pattern>.",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Number of listeners of each shard channel.",
        ],
    )
}
