//! The bitmap commands.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};

fn later() -> Outcome {
    Err(ReplyError::new("ERR being written"))
}

pub fn bitcount(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn bitfield(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn bitfield_ro(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn bitop(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn bitpos(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn getbit(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn setbit(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
