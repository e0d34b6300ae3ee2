//! COMMAND: what commands there are, derived from the tables of the crate `commands`.
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};
fn later() -> Outcome {
    Err(ReplyError::new("ERR being written"))
}

pub fn command(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn command_count(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn command_docs(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn command_getkeys(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn command_getkeysandflags(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn command_help(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn command_info(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn command_list(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
