//! The pubsub commands.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};

fn later() -> Outcome {
    Err(ReplyError::new("ERR being written"))
}

pub fn psubscribe(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn publish(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn pubsub_channels(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn pubsub_help(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn pubsub_numpat(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn pubsub_numsub(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn pubsub_shardchannels(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn pubsub_shardnumsub(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn punsubscribe(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn spublish(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn ssubscribe(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn subscribe(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn sunsubscribe(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn unsubscribe(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
