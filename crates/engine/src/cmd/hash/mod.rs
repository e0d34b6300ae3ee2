//! The hash commands on single fields and on all of them. Random fields and HSCAN are in `walk`.
//!
//! Tests: at the bottom, and the reference suite's `unit/type/hash`.

mod walk;

pub use walk::{hrandfield, hscan};

use crate::cmd::items::reply_item;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::hash::{Hash, HashLimits, IncrError};
use keyspace::journal::NotifyClass;
use resp::LongDouble;
use structures::listpack::Item;

const NOT_A_HASH_INTEGER: ReplyError = ReplyError::new("ERR hash value is not an integer");
const NOT_A_HASH_FLOAT: ReplyError = ReplyError::new("ERR hash value is not a float");
const NAN_OR_INFINITY: ReplyError = ReplyError::new("ERR value is NaN or Infinity");
const FLOAT_OVERFLOW: ReplyError = ReplyError::new("ERR increment would produce NaN or Infinity");

fn limits(ctx: &Ctx<'_>) -> HashLimits {
    ctx.engine.settings.hash_limits(&ctx.engine.keyspace)
}

/// Notes that a command changed `count` fields of the hash at `key`.
fn changed(ctx: &mut Ctx<'_>, key: &[u8], event: &'static str, count: usize) {
    ctx.modified(key);
    ctx.keys().journal.dirty += count as u64 - 1;
    ctx.notify(NotifyClass::HASH, event, key);
}

/// Sets all pairs; returns how many fields are new.
fn set_pairs(ctx: &mut Ctx<'_>, args: Args<'_>) -> Result<usize, ReplyError> {
    if args.len() % 2 == 1 {
        return Err(ReplyError::wrong_arity(ctx.command.full_name()));
    }
    let limits = limits(ctx);
    let (db, key, pairs) = (ctx.db(), args[1], &args[2..]);
    let (field, value) = (pairs[0], pairs[1]);
    let keyspace = &mut ctx.engine.keyspace;
    let created = if pairs.len() == 2 {
        let mut key_is_new = false;
        let hash = keyspace.get_or_create(db, key, || {
            key_is_new = true;
            Hash::of_pair(field, value, &limits)
        })?;
        usize::from(key_is_new || hash.set(field, value, &limits))
    } else {
        let hash = keyspace.get_or_create(db, key, Hash::new)?;
        hash.expect(pairs, &limits);
        pairs
            .chunks_exact(2)
            .filter(|pair| hash.set(pair[0], pair[1], &limits))
            .count()
    };
    changed(ctx, key, "hset", pairs.len() / 2);
    Ok(created)
}

pub fn hset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let created = set_pairs(ctx, args)?;
    ctx.out.integer(created as i64);
    Ok(())
}

pub fn hmset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_pairs(ctx, args)?;
    ctx.out.ok();
    Ok(())
}

pub fn hsetnx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let limits = limits(ctx);
    let (db, key) = (ctx.db(), args[1]);
    let hash = ctx.engine.keyspace.get_or_create(db, key, Hash::new)?;
    let is_new = hash.set_new(args[2], args[3], &limits);
    if is_new {
        changed(ctx, key, "hset", 1);
    }
    ctx.out.integer(is_new.into());
    Ok(())
}

pub fn hincrby(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let delta = resp::parse_i64(args[3]).ok_or(texts::NOT_AN_INTEGER)?;
    let limits = limits(ctx);
    let (db, key) = (ctx.db(), args[1]);
    // A field that is not there cannot fail to be incremented, so no hash is left empty.
    let hash = ctx.engine.keyspace.get_or_create(db, key, Hash::new)?;
    let sum = hash
        .incr(args[2], delta, &limits)
        .map_err(|error| match error {
            IncrError::NotAnInteger => NOT_A_HASH_INTEGER,
            IncrError::Overflow => texts::INCR_OVERFLOW,
        })?;
    changed(ctx, key, "hincrby", 1);
    ctx.out.integer(sum);
    Ok(())
}

pub fn hincrbyfloat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let delta = LongDouble::parse(args[3]).ok_or(texts::NOT_A_FLOAT)?;
    if delta.is_infinite() {
        return Err(NAN_OR_INFINITY);
    }
    let limits = limits(ctx);
    let (db, key, field) = (ctx.db(), args[1], args[2]);
    let hash = ctx.engine.keyspace.get_or_create(db, key, Hash::new)?;
    let old = match hash.get(field) {
        None => LongDouble::from_i64(0),
        Some(Item::Int(value)) => LongDouble::from_i64(value),
        Some(Item::Str(text)) => LongDouble::parse(text).ok_or(NOT_A_HASH_FLOAT)?,
    };
    let sum = old.checked_add(delta).ok_or(FLOAT_OVERFLOW)?;
    let mut text = Vec::new();
    sum.write_human(&mut text);
    hash.set(field, &text, &limits);
    changed(ctx, key, "hincrbyfloat", 1);
    ctx.out.bulk(&text);
    // The sum, so that replicas need not agree on the arithmetic.
    ctx.propagate_as(&[b"HSET", key, field, &text]);
    Ok(())
}

pub fn hdel(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (db, key) = (ctx.db(), args[1]);
    let Some(hash) = ctx.engine.keyspace.get_mut::<Hash>(db, key)? else {
        ctx.out.integer(0);
        return Ok(());
    };
    let mut deleted = 0;
    for field in &args[2..] {
        deleted += usize::from(hash.remove(field));
        if hash.is_empty() {
            break;
        }
    }
    let emptied = hash.is_empty();
    if deleted > 0 {
        changed(ctx, key, "hdel", deleted);
    }
    if emptied {
        ctx.keys().delete(db, key);
        ctx.notify(NotifyClass::GENERIC, "del", key);
    }
    ctx.out.integer(deleted as i64);
    Ok(())
}

pub fn hget(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let hash = ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])?;
    match hash.and_then(|hash| hash.get(args[2])) {
        Some(value) => reply_item(ctx.out, value),
        None => ctx.out.null(),
    }
    Ok(())
}

pub fn hmget(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let hash = ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])?;
    ctx.out.array(args.len() - 2);
    for field in &args[2..] {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => reply_item(ctx.out, value),
            None => ctx.out.null(),
        }
    }
    Ok(())
}

pub fn hexists(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let hash = ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])?;
    ctx.out
        .integer(hash.is_some_and(|hash| hash.contains(args[2])).into());
    Ok(())
}

pub fn hlen(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let hash = ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])?;
    ctx.out.integer(hash.map_or(0, Hash::len) as i64);
    Ok(())
}

pub fn hstrlen(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let hash = ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])?;
    let value = hash.and_then(|hash| hash.get(args[2]));
    ctx.out
        .integer(value.map_or(0, |value| value.text_len()) as i64);
    Ok(())
}

pub fn hgetall(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let hash = ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])?;
    ctx.out.map(hash.map_or(0, Hash::len));
    for (field, value) in hash.into_iter().flat_map(Hash::iter) {
        reply_item(ctx.out, field);
        reply_item(ctx.out, value);
    }
    Ok(())
}

pub fn hkeys(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let hash = ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])?;
    ctx.out.array(hash.map_or(0, Hash::len));
    for (field, _) in hash.into_iter().flat_map(Hash::iter) {
        reply_item(ctx.out, field);
    }
    Ok(())
}

pub fn hvals(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let hash = ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])?;
    ctx.out.array(hash.map_or(0, Hash::len));
    for (_, value) in hash.into_iter().flat_map(Hash::iter) {
        reply_item(ctx.out, value);
    }
    Ok(())
}
