//! SLOWLOG: the last commands that took longer than `slowlog-log-slower-than`.
//!
//! An entry keeps at most 32 arguments of at most 128 bytes each, so the log's size is bounded by
//! `slowlog-max-len` alone. Secrets are kept out when the entry is made.

use super::redact;
use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError};
use crate::session::Session;
use commands::{CommandId, Flags};
use std::collections::VecDeque;

const ARGS_MAX: usize = 32;
const ARG_BYTES_MAX: usize = 128;
/// How many entries SLOWLOG GET shows unless told.
const GET_DEFAULT: usize = 10;

struct Entry {
    id: u64,
    unix_s: i64,
    duration_us: u64,
    args: Vec<Box<[u8]>>,
    addr: String,
    name: Vec<u8>,
}

/// The slow log, newest first.
#[derive(Default)]
pub struct SlowLog {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl Engine {
    /// Adds a command to the slow log.
    #[cold]
    pub(crate) fn record_slow(
        &mut self,
        session: &Session,
        id: CommandId,
        args: Args<'_>,
        duration_us: u64,
    ) {
        if id.flags().contains(Flags::SKIP_SLOWLOG) || self.config.slowlog_max_len == 0 {
            return;
        }
        let entry = Entry {
            id: self.slowlog.next_id,
            unix_s: self.now_us / 1_000_000,
            duration_us,
            args: shorten(id, args),
            addr: session.addr.clone(),
            name: session.name.clone(),
        };
        self.slowlog.next_id += 1;
        self.slowlog.entries.push_front(entry);
        self.slowlog.entries.truncate(self.config.slowlog_max_len);
    }
}

fn shorten(id: CommandId, args: Args<'_>) -> Vec<Box<[u8]>> {
    let kept = if args.len() > ARGS_MAX {
        ARGS_MAX - 1
    } else {
        args.len()
    };
    let mut short: Vec<Box<[u8]>> = Vec::with_capacity(kept + 1);
    for (index, arg) in args[..kept].iter().enumerate() {
        if redact::is_secret(id, args, index) {
            short.push(redact::REDACTED.into());
        } else if arg.len() > ARG_BYTES_MAX {
            let rest = format!("... ({} more bytes)", arg.len() - ARG_BYTES_MAX);
            short.push([&arg[..ARG_BYTES_MAX], rest.as_bytes()].concat().into());
        } else {
            short.push((*arg).into());
        }
    }
    if kept < args.len() {
        short.push(
            format!("... ({} more arguments)", args.len() - kept)
                .into_bytes()
                .into(),
        );
    }
    short
}

pub fn slowlog_get(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let count = match args.get(2) {
        None => GET_DEFAULT,
        Some(text) => {
            let count = resp::parse_i64(text).filter(|count| *count >= -1);
            let count = count.ok_or(ReplyError::new(
                "ERR count should be greater than or equal to -1",
            ))?;
            usize::try_from(count).unwrap_or(usize::MAX)
        }
    };
    let entries = &ctx.engine.slowlog.entries;
    ctx.out.array(count.min(entries.len()));
    for entry in entries.iter().take(count) {
        ctx.out.array(6);
        ctx.out.integer(entry.id as i64);
        ctx.out.integer(entry.unix_s);
        ctx.out.integer(entry.duration_us as i64);
        ctx.out.array(entry.args.len());
        for arg in &entry.args {
            ctx.out.bulk(arg);
        }
        ctx.out.bulk(entry.addr.as_bytes());
        ctx.out.bulk(&entry.name);
    }
    Ok(())
}

pub fn slowlog_len(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.out.integer(ctx.engine.slowlog.entries.len() as i64);
    Ok(())
}

pub fn slowlog_reset(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.engine.slowlog.entries.clear();
    ctx.out.ok();
    Ok(())
}

pub fn slowlog_help(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    crate::cmd::help(
        ctx,
        "SLOWLOG",
        &[
            "GET [<count>]",
            "    Show the newest <count> entries (10 by default, -1 for all): id, Unix time, microseconds, arguments,",
            "    client address, client name.",
            "LEN",
            "    Show how many entries there are.",
            "RESET",
            "    Drop all entries.",
        ],
    )
}
