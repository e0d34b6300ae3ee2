use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};
fn later() -> Outcome {
    Err(ReplyError::new("ERR being written"))
}
pub fn sort(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
pub fn sort_ro(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
