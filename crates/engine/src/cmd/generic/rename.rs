use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};
fn later() -> Outcome {
    Err(ReplyError::new("ERR being written"))
}
pub fn copy(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
pub fn move_(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
pub fn rename(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
pub fn renamenx(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}
