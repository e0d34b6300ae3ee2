//! CLIENT PAUSE and UNPAUSE.

use crate::ctx::{Args, Ctx};
use crate::engine::PauseMode;
use crate::error::{Outcome, ReplyError, texts};
use resp::parse_i64;

pub fn client_pause(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mode = match args {
        [_, _, _] => PauseMode::All,
        [_, _, _, word] if word.eq_ignore_ascii_case(b"all") => PauseMode::All,
        [_, _, _, word] if word.eq_ignore_ascii_case(b"write") => PauseMode::Writes,
        [_, _, _, _] => {
            return Err(ReplyError::new(
                "ERR CLIENT PAUSE mode must be WRITE or ALL",
            ));
        }
        _ => return Err(ReplyError::wrong_arity("client|pause")),
    };
    let timeout_ms = parse_i64(args[2]).ok_or(ReplyError::new(
        "ERR timeout is not an integer or out of range",
    ))?;
    if timeout_ms < 0 {
        return Err(texts::TIMEOUT_NEGATIVE);
    }
    let now_ms = ctx.now_ms();
    let until_ms = now_ms
        .checked_add(timeout_ms)
        .ok_or(ReplyError::new("ERR timeout is out of range"))?;
    ctx.engine.pause_clients(until_ms, mode);
    ctx.out.ok();
    Ok(())
}

pub fn client_unpause(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.engine.unpause();
    ctx.out.ok();
    Ok(())
}
