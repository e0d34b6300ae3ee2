//! The server commands.

use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError};
use crate::session::Session;
use commands::CommandId;

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

pub fn config_get(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn config_help(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn config_resetstat(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn config_rewrite(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn config_set(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn dbsize(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.out.integer(ctx.engine.keyspace.db(ctx.session.db).len() as i64);
    Ok(())
}

pub fn debug(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn flushall(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn flushdb(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn info(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn lolwut(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn memory_doctor(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn memory_help(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn memory_malloc_stats(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn memory_purge(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn memory_stats(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn memory_usage(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn monitor(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn role(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn shutdown(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn slowlog_get(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn slowlog_help(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn slowlog_len(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn slowlog_reset(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn swapdb(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

pub fn time(_ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    later()
}

/// The slow log.
#[derive(Default)]
pub struct SlowLog {}

/// What DEBUG subcommands changed.
#[derive(Default)]
pub struct DebugState {}

pub(crate) fn check_protected(_engine: &Engine, _session: &Session, _id: CommandId) -> Outcome {
    Ok(())
}

impl Engine {
    /// Shows a command to every monitor, before it runs.
    pub(crate) fn feed_monitors(&mut self, _session: &mut Session, _id: CommandId, _args: Args<'_>) {}

    /// Adds a command to the slow log.
    pub(crate) fn record_slow(&mut self, _session: &Session, _id: CommandId, _args: Args<'_>, _duration_us: u64) {}
}
