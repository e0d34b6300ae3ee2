//! The set commands.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};

fn later() -> Outcome {
    Err(ReplyError::new("ERR being written"))
}

pub fn sadd(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn scard(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn sdiff(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn sdiffstore(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn sinter(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn sintercard(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn sinterstore(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn sismember(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn smembers(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn smismember(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn smove(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn spop(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn srandmember(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn srem(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn sscan(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn sunion(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn sunionstore(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
