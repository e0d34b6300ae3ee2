//! Several keys at once: MGET, MSET, MSETNX. The keys' memory is loaded a group ahead.
//!
//! Tests: `tests/strings.rs`.

use super::set::store;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};
use keyspace::{Expiry, PREFETCH_MAX};

pub fn mget(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let db = ctx.db();
    ctx.out.array(args.len() - 1);
    for group in args[1..].chunks(PREFETCH_MAX) {
        ctx.keys().prefetch(db, group.iter().copied());
        for key in group {
            match ctx
                .engine
                .keyspace
                .read(db, key)
                .and_then(|entry| entry.string())
            {
                Some(string) => super::write_string(ctx.out, string),
                None => ctx.out.null(),
            }
        }
    }
    Ok(())
}

pub fn mset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let pairs = pairs_of(ctx, args)?;
    set_all(ctx, pairs);
    ctx.out.ok();
    Ok(())
}

pub fn msetnx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let db = ctx.db();
    let pairs = pairs_of(ctx, args)?;
    let none = !pairs.chunks(2).any(|pair| ctx.keys().exists(db, pair[0]));
    if none {
        set_all(ctx, pairs);
    }
    ctx.out.integer(i64::from(none));
    Ok(())
}

fn pairs_of<'a>(ctx: &Ctx<'_>, args: Args<'a>) -> Result<Args<'a>, ReplyError> {
    if args.len().is_multiple_of(2) {
        return Err(ReplyError::wrong_arity(ctx.command.full_name()));
    }
    Ok(&args[1..])
}

fn set_all(ctx: &mut Ctx<'_>, pairs: Args<'_>) {
    let db = ctx.db();
    for group in pairs.chunks(2 * PREFETCH_MAX) {
        ctx.keys().prefetch(db, group.iter().step_by(2).copied());
        for pair in group.chunks_exact(2) {
            store(ctx, pair[0], pair[1], Expiry::Clear);
        }
    }
}
