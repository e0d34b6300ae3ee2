//! OBJECT: what is known about the value behind a key.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};
use keyspace::Entry;

const HELP: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    How the value is kept in memory.",
    "FREQ <key>",
    "    Logarithmic counter of recent accesses; needs an LFU maxmemory-policy.",
    "IDLETIME <key>",
    "    Seconds since the last access; not with an LFU maxmemory-policy.",
    "REFCOUNT <key>",
    "    How many share the value.",
    "HELP",
    "    This text.",
];

/// What OBJECT REFCOUNT says of the integers below this, which Redis keeps as shared objects.
const SHARED_INTEGERS: i64 = 10_000;
const SHARED_REFCOUNT: i64 = i32::MAX as i64;

/// Replies null for a missing key, else what `show` writes.
fn with_entry(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    show: impl FnOnce(&mut resp::Writer, &Entry<'_>),
) -> Outcome {
    match ctx.engine.keyspace.look_quietly(ctx.session.db, key) {
        Some(entry) => show(ctx.out, &entry),
        None => ctx.out.null(),
    }
    Ok(())
}

pub fn object_encoding(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    with_entry(ctx, args[2], |out, entry| {
        out.bulk(entry.encoding().as_bytes())
    })
}

/// Values are never shared here; the number for small integers is kept for those who look at it.
pub fn object_refcount(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let policy = ctx.settings().maxmemory_policy;
    let may_share = ctx.settings().maxmemory == 0 || !(policy.is_lru() || policy.is_lfu());
    with_entry(ctx, args[2], |out, entry| {
        let is_shared = match entry.string() {
            Some(keyspace::Str::Int(n)) => may_share && (0..SHARED_INTEGERS).contains(&n),
            _ => false,
        };
        out.integer(if is_shared { SHARED_REFCOUNT } else { 1 });
    })
}

/// The LRU or LFU data behind `key`.
fn access_bits(ctx: &mut Ctx<'_>, key: &[u8]) -> Option<u32> {
    ctx.engine
        .keyspace
        .look_quietly(ctx.session.db, key)
        .map(|entry| entry.access())
}

pub fn object_freq(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Some(bits) = access_bits(ctx, args[2]) else {
        ctx.out.null();
        return Ok(());
    };
    if !ctx.settings().maxmemory_policy.is_lfu() {
        return Err(ReplyError::new(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    let frequency = ctx.keys().frequency_of(bits);
    ctx.out.integer(i64::from(frequency));
    Ok(())
}

pub fn object_idletime(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Some(bits) = access_bits(ctx, args[2]) else {
        ctx.out.null();
        return Ok(());
    };
    if ctx.settings().maxmemory_policy.is_lfu() {
        return Err(ReplyError::new(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
             between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    let idle_seconds = ctx.keys().idle_seconds_of(bits);
    ctx.out.integer(i64::from(idle_seconds));
    Ok(())
}

pub fn object_help(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.out.array(HELP.len());
    for line in HELP {
        ctx.out.simple(line);
    }
    Ok(())
}
