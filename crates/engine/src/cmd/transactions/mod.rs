//! MULTI, EXEC, DISCARD, WATCH, UNWATCH. Queueing itself is in `gate`, watching in `watch`.
//!
//! A transaction's commands run one after the other like any others; what they did goes out as one
//! unit, between MULTI and EXEC.
//!
//! Tests: `crates/engine/tests/sessions.rs`.

use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError};
use crate::session::{Session, SessionFlags};

pub fn multi(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    if ctx.session.in_multi() {
        return Err(ReplyError::new("ERR MULTI calls can not be nested"));
    }
    ctx.session.flags.set(SessionFlags::MULTI, true);
    ctx.out.ok();
    Ok(())
}

pub fn discard(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    if !ctx.session.in_multi() {
        return Err(ReplyError::new("ERR DISCARD without MULTI"));
    }
    ctx.engine.discard_transaction(ctx.session);
    ctx.out.ok();
    Ok(())
}

pub fn watch(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if ctx.session.in_multi() {
        return Err(ReplyError::new("ERR WATCH inside MULTI is not allowed"));
    }
    // A transaction that is spoilt already gains nothing from more watched keys.
    if !ctx.session.flags.has(SessionFlags::DIRTY_CAS) {
        let db = ctx.session.db;
        for key in &args[1..] {
            ctx.engine.watch(ctx.session, db, key);
        }
    }
    ctx.out.ok();
    Ok(())
}

pub fn unwatch(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.engine.unwatch_all(ctx.session);
    ctx.session.flags.set(SessionFlags::DIRTY_CAS, false);
    ctx.out.ok();
    Ok(())
}

pub fn exec(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    if !ctx.session.in_multi() {
        return Err(ReplyError::new("ERR EXEC without MULTI"));
    }
    let flags = ctx.session.flags;
    if flags.has(SessionFlags::DIRTY_EXEC) {
        ctx.engine.discard_transaction(ctx.session);
        return Err(ReplyError::new(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    if flags.has(SessionFlags::DIRTY_CAS) || ctx.engine.a_watched_key_expired(ctx.session) {
        ctx.engine.discard_transaction(ctx.session);
        ctx.out.null_array();
        return Ok(());
    }
    ctx.engine.unwatch_all(ctx.session);
    run_queued(ctx);
    ctx.engine.discard_transaction(ctx.session);
    Ok(())
}

fn run_queued(ctx: &mut Ctx<'_>) {
    let queued = std::mem::take(&mut ctx.session.queued);
    ctx.session.flags.set(SessionFlags::IN_EXEC, true);
    ctx.engine.in_transaction = true;
    ctx.out.array(queued.len());
    let mut args = smallvec::SmallVec::<[&[u8]; 24]>::new();
    for item in &queued {
        args.clear();
        args.extend(item.args.iter().map(Vec::as_slice));
        ctx.engine
            .call(ctx.session, ctx.out, ctx.host, item.command, &args, &[]);
    }
    ctx.session.flags.set(SessionFlags::IN_EXEC, false);
    ctx.engine.in_transaction = false;
    // What the commands did is noted; EXEC itself is not to be replayed.
    ctx.propagate_nothing();
}

impl Engine {
    /// Forgets the queued commands and the watched keys.
    pub(crate) fn discard_transaction(&mut self, session: &mut Session) {
        session.queued = Vec::new();
        session.queued_bytes = 0;
        for flag in [
            SessionFlags::MULTI,
            SessionFlags::DIRTY_EXEC,
            SessionFlags::DIRTY_CAS,
        ] {
            session.flags.set(flag, false);
        }
        self.unwatch_all(session);
    }
}
