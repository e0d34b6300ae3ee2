//! INCR and its relatives.
//!
//! Tests: `tests/strings.rs`.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::journal::NotifyClass;
use keyspace::{Expiry, IntText};

pub fn incr(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args[1], 1)
}

pub fn decr(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args[1], -1)
}

pub fn incrby(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let delta = resp::parse_i64(args[2]).ok_or(texts::NOT_AN_INTEGER)?;
    add(ctx, args[1], delta)
}

pub fn decrby(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let delta = resp::parse_i64(args[2]).ok_or(texts::NOT_AN_INTEGER)?;
    let delta = delta
        .checked_neg()
        .ok_or(ReplyError::new("ERR decrement would overflow"))?;
    add(ctx, args[1], delta)
}

#[inline]
fn add(ctx: &mut Ctx<'_>, key: &[u8], delta: i64) -> Outcome {
    let db = ctx.db();
    let sum = ctx.keys().add_int(db, key, delta)?;
    ctx.modified(key);
    ctx.notify(NotifyClass::STRING, "incrby", key);
    ctx.out.integer(sum);
    Ok(())
}

pub fn incrbyfloat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (db, key) = (ctx.db(), args[1]);
    let mut text = IntText::new();
    let sum = {
        let current = ctx.keys().string_to_change(db, key)?;
        let current = current
            .as_ref()
            .map_or(&b"0"[..], |s| s.as_bytes(&mut text));
        resp::incr_by_float(current, args[2])
            .map_err(|error| ReplyError::from(format!("ERR {error}")))?
    };
    ctx.keys().set_string(db, key, &sum, Expiry::Keep);
    ctx.modified(key);
    ctx.notify(NotifyClass::STRING, "incrbyfloat", key);
    ctx.out.bulk(&sum);
    // The sum, so that rounding cannot differ elsewhere.
    ctx.propagate_as(&[b"SET", key, &sum, b"KEEPTTL"]);
    Ok(())
}
