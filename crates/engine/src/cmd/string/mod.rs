//! The string commands.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::journal::NotifyClass;
use keyspace::{Expiry, Str};

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
    match ctx.engine.keyspace.string(ctx.session.db, args[1])? {
        None => ctx.out.null(),
        Some(Str::Int(n)) => ctx.out.bulk_int(n),
        Some(Str::Bytes(bytes)) => ctx.out.bulk(bytes),
    }
    Ok(())
}

pub fn getdel(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn getex(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn getrange(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn getset(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
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

pub fn psetex(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn set(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut expiry = Expiry::Clear;
    if args.len() == 5 && args[3].eq_ignore_ascii_case(b"EX") {
        let seconds = resp::parse_i64(args[4]).ok_or(texts::NOT_AN_INTEGER)?;
        expiry = Expiry::At(ctx.now_ms() + seconds * 1000);
    }
    let db = ctx.db();
    ctx.keys().set_string(db, args[1], args[2], expiry);
    ctx.modified(args[1]);
    ctx.notify(NotifyClass::STRING, "set", args[1]);
    ctx.out.ok();
    Ok(())
}

pub fn setex(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn setnx(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
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
