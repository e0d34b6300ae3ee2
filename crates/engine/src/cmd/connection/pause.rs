//! CLIENT PAUSE and UNPAUSE.

use crate::cmd::timeout::parse_whole_ms;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};
use crate::pause::{PauseMode, PausePurpose};

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
    let now_ms = ctx.now_ms();
    let timeout_ms = parse_whole_ms(args[2], now_ms)?;
    let until_ms = now_ms + timeout_ms;
    ctx.engine.pause(PausePurpose::Client, Some(until_ms), mode);
    ctx.out.ok();
    Ok(())
}

pub fn client_unpause(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.engine.end_pause(PausePurpose::Client);
    ctx.out.ok();
    Ok(())
}
