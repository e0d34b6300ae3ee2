//! MONITOR: every command that runs, as a line to those who watch.
//!
//! A line is `<seconds>.<microseconds> [<db> <client>] "command" "argument" …`. Administrative
//! commands and those that carry passwords are not shown.

use super::redact;
use crate::ctx::{Args, Ctx};
use crate::engine::{Engine, SessionId};
use crate::error::{Outcome, ReplyError};
use crate::session::{Session, SessionFlags};
use commands::{CommandId, Flags};

pub fn monitor(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    if ctx.session.flags.has(SessionFlags::IN_EXEC) {
        return Err(ReplyError::new(
            "ERR MONITOR isn't allowed for DENY BLOCKING client",
        ));
    }
    if ctx.session.flags.has(SessionFlags::MONITOR) {
        // As in Redis: who watches already gets no second reply among the lines.
        return Ok(());
    }
    ctx.session.flags.set(SessionFlags::MONITOR, true);
    ctx.engine.monitors.insert(ctx.session.slot);
    ctx.out.ok();
    Ok(())
}

impl Engine {
    /// Shows a command to every monitor. `session` runs it, and may itself be one of them: its own
    /// line must come before the command's reply, so it is handed to `out`.
    #[cold]
    pub(crate) fn feed_monitors(
        &mut self,
        session: &Session,
        out: &mut resp::Writer,
        id: CommandId,
        args: Args<'_>,
    ) {
        if id.flags().intersects(Flags::SKIP_MONITOR | Flags::ADMIN) {
            return;
        }
        let line = line(session, self.now_us, id, args);
        let monitors: Vec<SessionId> = self.monitors.iter().copied().collect();
        for monitor in monitors {
            if monitor == session.slot {
                out.raw(&line);
            } else {
                self.push_to(monitor, |out| out.raw(&line));
            }
        }
    }
}

fn line(session: &Session, now_us: i64, id: CommandId, args: Args<'_>) -> Vec<u8> {
    let client = if session.flags.has(SessionFlags::UNIX_SOCKET) {
        format!(
            "unix:{}",
            session.addr.strip_suffix(":0").unwrap_or(&session.addr)
        )
    } else {
        session.addr.clone()
    };
    let mut line = format!(
        "+{}.{:06} [{} {client}]",
        now_us / 1_000_000,
        now_us % 1_000_000,
        session.db
    )
    .into_bytes();
    for (index, arg) in args.iter().enumerate() {
        let shown = if redact::is_secret(id, args, index) {
            redact::REDACTED
        } else {
            arg
        };
        line.push(b' ');
        line.extend(config::quote(shown));
    }
    line.extend_from_slice(b"\r\n");
    line
}
