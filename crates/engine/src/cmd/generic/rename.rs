//! A key under another name, in another database, or twice: RENAME, RENAMENX, MOVE, COPY.
//!
//! Value, expiry and (except for COPY) access data go along.

use crate::cmd::db_index::parse_db;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::journal::NotifyClass;

const SAME_OBJECT: ReplyError = ReplyError::new("ERR source and destination objects are the same");

/// Renames if the destination is free or may be replaced; false if it is taken.
fn rename_key(ctx: &mut Ctx<'_>, args: Args<'_>, may_replace: bool) -> Result<bool, ReplyError> {
    let (db, from, to) = (ctx.db(), args[1], args[2]);
    if !ctx.keys().exists(db, from) {
        return Err(texts::NO_SUCH_KEY);
    }
    if from == to {
        return Ok(false);
    }
    if !may_replace && ctx.keys().exists(db, to) {
        return Ok(false);
    }
    ctx.keys().rename(db, from, db, to);
    ctx.modified(from);
    ctx.engine.keyspace.journal.touched(db, to);
    ctx.notify(NotifyClass::GENERIC, "rename_from", from);
    ctx.notify(NotifyClass::GENERIC, "rename_to", to);
    Ok(true)
}

pub fn rename(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    rename_key(ctx, args, true)?;
    ctx.out.ok();
    Ok(())
}

pub fn renamenx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let renamed = rename_key(ctx, args, false)?;
    ctx.out.integer(i64::from(renamed));
    Ok(())
}

pub fn move_(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (from_db, key) = (ctx.db(), args[1]);
    let to_db = parse_db(ctx, args[2])?;
    if from_db == to_db {
        return Err(SAME_OBJECT);
    }
    let can_move = ctx.keys().exists(from_db, key) && !ctx.keys().exists(to_db, key);
    if can_move {
        ctx.keys().rename(from_db, key, to_db, key);
        ctx.modified_in(from_db, key);
        ctx.engine.keyspace.journal.touched(to_db, key);
        ctx.notify_in(from_db, NotifyClass::GENERIC, "move_from", key);
        ctx.notify_in(to_db, NotifyClass::GENERIC, "move_to", key);
    }
    ctx.out.integer(i64::from(can_move));
    Ok(())
}

/// Where COPY copies to, and whether it may replace what is there.
struct CopyArgs {
    to_db: u32,
    may_replace: bool,
}

impl CopyArgs {
    fn parse(ctx: &Ctx<'_>, args: Args<'_>) -> Result<CopyArgs, ReplyError> {
        let mut parsed = CopyArgs {
            to_db: ctx.db(),
            may_replace: false,
        };
        let mut options = args[3..].iter();
        while let Some(option) = options.next() {
            if option.eq_ignore_ascii_case(b"replace") {
                parsed.may_replace = true;
            } else if option.eq_ignore_ascii_case(b"db") {
                parsed.to_db = parse_db(ctx, options.next().ok_or(texts::SYNTAX)?)?;
            } else {
                return Err(texts::SYNTAX);
            }
        }
        Ok(parsed)
    }
}

pub fn copy(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (from_db, from, to) = (ctx.db(), args[1], args[2]);
    let CopyArgs { to_db, may_replace } = CopyArgs::parse(ctx, args)?;
    if from_db == to_db && from == to {
        return Err(SAME_OBJECT);
    }
    let can_copy =
        ctx.keys().read(from_db, from).is_some() && (may_replace || !ctx.keys().exists(to_db, to));
    if can_copy {
        ctx.keys().copy(from_db, from, to_db, to);
        ctx.modified_in(to_db, to);
        ctx.notify_in(to_db, NotifyClass::GENERIC, "copy_to", to);
    }
    ctx.out.integer(i64::from(can_copy));
    Ok(())
}
