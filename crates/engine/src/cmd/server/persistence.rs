//! SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF: what they ask the host for.
//!
//! Tests: `tests/persistence.rs`, the reference suite.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};

pub fn save(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.host.save(ctx.engine).map_err(ReplyError::from_host)?;
    ctx.out.ok();
    Ok(())
}

pub fn bgsave(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let schedule = match args {
        [_] => false,
        [_, option] if option.eq_ignore_ascii_case(b"schedule") => true,
        _ => return Err(texts::SYNTAX),
    };
    let status = ctx
        .host
        .bgsave(ctx.engine, schedule)
        .map_err(ReplyError::from_host)?;
    ctx.out.simple(status);
    Ok(())
}

pub fn bgrewriteaof(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    let status = ctx
        .host
        .rewrite_aof(ctx.engine)
        .map_err(ReplyError::from_host)?;
    ctx.out.simple(status);
    Ok(())
}

pub fn lastsave(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    let at_s = ctx.host.persistence(ctx.engine).rdb_last_save_time;
    ctx.out.integer(at_s);
    Ok(())
}
