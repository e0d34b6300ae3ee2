//! Commands on whole databases: DBSIZE, FLUSHDB, FLUSHALL, SWAPDB.
//!
//! A flush takes the tables out in one step. SYNC drops them before the reply, so that the memory is
//! free when the client hears of it; ASYNC hands them to the host.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::Keyspace;

pub fn dbsize(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.out
        .integer(ctx.engine.keyspace.db(ctx.session.db).len() as i64);
    Ok(())
}

/// Whether the flush is to be asynchronous.
fn parse_flush_mode(ctx: &Ctx<'_>, args: Args<'_>) -> Result<bool, ReplyError> {
    match args {
        [_] => Ok(ctx.engine.settings.lazyfree_user_flush),
        [_, mode] if mode.eq_ignore_ascii_case(b"sync") => Ok(false),
        [_, mode] if mode.eq_ignore_ascii_case(b"async") => Ok(true),
        _ => Err(texts::SYNTAX),
    }
}

pub fn flushdb(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let is_async = parse_flush_mode(ctx, args)?;
    let db = ctx.session.db;
    flush(ctx, args, db..db + 1, is_async);
    ctx.out.ok();
    Ok(())
}

pub fn flushall(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let is_async = parse_flush_mode(ctx, args)?;
    let count = ctx.engine.keyspace.db_count() as u32;
    flush(ctx, args, 0..count, is_async);
    ctx.host.flushed_all(ctx.engine);
    ctx.out.ok();
    Ok(())
}

fn flush(ctx: &mut Ctx<'_>, args: Args<'_>, dbs: std::ops::Range<u32>, is_async: bool) {
    for db in dbs.clone() {
        ctx.engine.touch_all_watched(Some(ctx.session), db, None);
    }
    // What earlier commands left behind is the host's, not part of this flush.
    ctx.engine.drop_garbage(ctx.host);
    let keys: usize = dbs.map(|db| ctx.engine.keyspace.flush(db)).sum();
    ctx.engine.keyspace.journal.dirty += keys as u64;
    if is_async {
        ctx.engine.drop_garbage(ctx.host);
    } else {
        ctx.engine.keyspace.garbage.clear();
        ctx.host.purge_allocator();
    }
    // Replayed even if there was nothing: whoever listens may have keys that we do not.
    ctx.propagate_as(args);
}

pub fn swapdb(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let parse = |text: &[u8], error: &'static str| {
        resp::parse_i64(text)
            .filter(|n| i32::try_from(*n).is_ok())
            .ok_or(ReplyError::new(error))
    };
    let first = parse(args[1], "ERR invalid first DB index")?;
    let second = parse(args[2], "ERR invalid second DB index")?;
    let count = ctx.engine.keyspace.db_count() as i64;
    if !(0..count).contains(&first) || !(0..count).contains(&second) {
        return Err(texts::DB_INDEX);
    }
    let (first, second) = (first as u32, second as u32);
    if first != second {
        ctx.engine
            .touch_all_watched(Some(ctx.session), first, Some(second));
        ctx.engine
            .touch_all_watched(Some(ctx.session), second, Some(first));
        ctx.engine.keyspace.swap(first, second);
        signal_blocked(ctx, first);
        signal_blocked(ctx, second);
    }
    ctx.engine.keyspace.journal.dirty += 1;
    ctx.out.ok();
    Ok(())
}

/// Clients stay in their database when its content changes, so what they wait for may be there now.
fn signal_blocked(ctx: &mut Ctx<'_>, db: u32) {
    let keys = ctx.engine.blocking.keys_of_db(db);
    let keyspace: &mut Keyspace = &mut ctx.engine.keyspace;
    for key in keys {
        if keyspace.type_of(db, &key).is_some() {
            keyspace.journal.ready(db, &key);
        }
    }
}
