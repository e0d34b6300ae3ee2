//! The hash commands.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};

fn later() -> Outcome {
    Err(ReplyError::new("ERR being written"))
}

pub fn hdel(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hexists(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hget(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hgetall(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hincrby(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hincrbyfloat(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hkeys(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hlen(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hmget(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hmset(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hrandfield(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hscan(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hset(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hsetnx(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hstrlen(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn hvals(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
