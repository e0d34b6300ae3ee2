//! Whether keys are there, of which type, and taking them away: DEL, UNLINK, EXISTS, TOUCH, TYPE.
//!
//! DEL and UNLINK do the same: small values are dropped at once, big ones go to the keyspace's
//! garbage, which the host drops where it delays nobody.

use crate::ctx::{Args, Ctx};
use crate::error::Outcome;
use keyspace::journal::NotifyClass;

pub fn del(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let db = ctx.db();
    let mut deleted = 0;
    for key in &args[1..] {
        if ctx.keys().delete(db, key) {
            ctx.modified(key);
            ctx.notify(NotifyClass::GENERIC, "del", key);
            deleted += 1;
        }
    }
    ctx.out.integer(deleted);
    Ok(())
}

pub fn unlink(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    del(ctx, args)
}

pub fn exists(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let db = ctx.db();
    let there = args[1..]
        .iter()
        .filter(|key| ctx.keys().look(db, key).is_some())
        .count();
    ctx.out.integer(there as i64);
    Ok(())
}

/// Notes an access of each key, also for a client under CLIENT NO-TOUCH.
pub fn touch(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let db = ctx.db();
    let touched_before = std::mem::replace(&mut ctx.keys().touch, true);
    let there = args[1..]
        .iter()
        .filter(|key| ctx.keys().read(db, key).is_some())
        .count();
    ctx.keys().touch = touched_before;
    ctx.out.integer(there as i64);
    Ok(())
}

pub fn type_(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let kind = ctx
        .engine
        .keyspace
        .look(ctx.session.db, args[1])
        .map(|entry| entry.kind());
    ctx.out.simple(kind.map_or("none", |k| k.name()));
    Ok(())
}
