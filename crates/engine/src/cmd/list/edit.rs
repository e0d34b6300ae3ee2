//! Changing the inside: LSET, LINSERT, LREM, LTRIM.

use super::{after_removal, changed, parse_int, parse_signed_count, resolve_range};
use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, texts};
use keyspace::journal::NotifyClass;
use structures::list::{List, Side};

/// A missing key answers before the index is judged, as in Redis.
pub fn lset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Engine {
        keyspace, settings, ..
    } = &mut *ctx.engine;
    let list = keyspace
        .get_mut::<List>(ctx.session.db, args[1])?
        .ok_or(texts::NO_SUCH_KEY)?;
    if !list.set(parse_int(args[2])?, args[3], &settings.list) {
        return Err(texts::INDEX_OUT_OF_RANGE);
    }
    ctx.out.ok();
    changed(ctx, args[1], 1);
    ctx.notify(NotifyClass::LIST, "lset", args[1]);
    Ok(())
}

pub fn linsert(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let side = if args[2].eq_ignore_ascii_case(b"after") {
        Side::After
    } else if args[2].eq_ignore_ascii_case(b"before") {
        Side::Before
    } else {
        return Err(texts::SYNTAX);
    };
    let (key, pivot, element) = (args[1], args[3], args[4]);
    let Engine {
        keyspace, settings, ..
    } = &mut *ctx.engine;
    let Some(list) = keyspace.get_mut::<List>(ctx.session.db, key)? else {
        ctx.out.integer(0);
        return Ok(());
    };
    let Some(index) = list.find(pivot) else {
        ctx.out.integer(-1);
        return Ok(());
    };
    list.insert(index, side, element, &settings.list);
    ctx.out.integer(list.len() as i64);
    changed(ctx, key, 1);
    ctx.notify(NotifyClass::LIST, "linsert", key);
    Ok(())
}

pub fn lrem(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (key, element) = (args[1], args[3]);
    let count = parse_signed_count(args[2])?;
    let Engine {
        keyspace, settings, ..
    } = &mut *ctx.engine;
    let Some(list) = keyspace.get_mut::<List>(ctx.session.db, key)? else {
        ctx.out.integer(0);
        return Ok(());
    };
    let removed = list.remove_matching(count, element, &settings.list);
    let is_empty = list.is_empty();
    if removed > 0 {
        after_removal(ctx, key, "lrem", removed, is_empty);
    }
    ctx.out.integer(removed as i64);
    Ok(())
}

/// Counts as a write even if nothing had to go, as in Redis.
pub fn ltrim(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (start, stop) = (parse_int(args[2])?, parse_int(args[3])?);
    let Engine {
        keyspace, settings, ..
    } = &mut *ctx.engine;
    if let Some(list) = keyspace.get_mut::<List>(ctx.session.db, args[1])? {
        let (start, count) = resolve_range(start, stop, list.len());
        let removed = list.trim(start, count, &settings.list);
        let is_empty = list.is_empty();
        after_removal(ctx, args[1], "ltrim", removed, is_empty);
    }
    ctx.out.ok();
    Ok(())
}
