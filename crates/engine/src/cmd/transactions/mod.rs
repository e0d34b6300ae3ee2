//! The transactions commands.

use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError};
use crate::session::{Session, SessionFlags};

fn later() -> Outcome {
    Err(ReplyError::new("ERR being written"))
}

pub fn discard(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn exec(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn multi(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn unwatch(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn watch(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

impl Engine {
    /// Forgets the queued commands and the watched keys.
    pub(crate) fn discard_transaction(&mut self, session: &mut Session) {
        session.queued = Vec::new();
        session.queued_bytes = 0;
        for flag in [SessionFlags::MULTI, SessionFlags::DIRTY_EXEC, SessionFlags::DIRTY_CAS] {
            session.flags.set(flag, false);
        }
        self.unwatch_all(session);
    }
}
