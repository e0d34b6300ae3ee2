//! The string commands.

mod set;

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};
use keyspace::Str;
use keyspace::journal::NotifyClass;
pub use set::{getdel, getex, getset, psetex, set, setex, setnx};

fn later() -> Outcome {
    Err(ReplyError::new("ERR being written"))
}

pub fn append(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn decr(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn decrby(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn get(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply_string(ctx, args[1])?;
    Ok(())
}

/// Replies with the string at `key`, or null; true if there is one.
#[inline]
fn reply_string(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<bool, ReplyError> {
    match ctx.engine.keyspace.string(ctx.session.db, key)? {
        None => {
            ctx.out.null();
            return Ok(false);
        }
        Some(Str::Int(n)) => ctx.out.bulk_int(n),
        Some(Str::Bytes(bytes)) => ctx.out.bulk(bytes),
    }
    Ok(true)
}

pub fn getrange(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn incr(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let db = ctx.db();
    let n = ctx.keys().add_int(db, args[1], 1)?;
    ctx.modified(args[1]);
    ctx.notify(NotifyClass::STRING, "incrby", args[1]);
    ctx.out.integer(n);
    Ok(())
}

pub fn incrby(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn incrbyfloat(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn lcs(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn mget(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn mset(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn msetnx(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn setrange(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn strlen(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn substr(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
