//! Adding at the ends: LPUSH, RPUSH, and LPUSHX, RPUSHX for lists that are there already.

use super::{changed, push_event};
use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::Outcome;
use keyspace::journal::NotifyClass;
use structures::list::{End, List, ListLimits};

pub fn lpush(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    push_or_create(ctx, args, End::Front)
}

pub fn rpush(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    push_or_create(ctx, args, End::Back)
}

pub fn lpushx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    push_if_there(ctx, args, End::Front)
}

pub fn rpushx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    push_if_there(ctx, args, End::Back)
}

#[inline]
fn push_or_create(ctx: &mut Ctx<'_>, args: Args<'_>, end: End) -> Outcome {
    let Engine {
        keyspace, settings, ..
    } = &mut *ctx.engine;
    let list = keyspace.get_or_create(ctx.session.db, args[1], List::new)?;
    let len = push_elements(list, end, &args[2..], &settings.list);
    after_push(ctx, args, end, len);
    Ok(())
}

fn push_if_there(ctx: &mut Ctx<'_>, args: Args<'_>, end: End) -> Outcome {
    let Engine {
        keyspace, settings, ..
    } = &mut *ctx.engine;
    match keyspace.get_mut::<List>(ctx.session.db, args[1])? {
        Some(list) => {
            let len = push_elements(list, end, &args[2..], &settings.list);
            after_push(ctx, args, end, len);
        }
        None => ctx.out.integer(0),
    }
    Ok(())
}

/// Returns the list's new length.
#[inline]
fn push_elements(list: &mut List, end: End, elements: Args<'_>, limits: &ListLimits) -> usize {
    match elements {
        [element] => list.push(end, element, limits),
        _ => list.push_all(end, elements.iter().copied(), limits),
    }
    list.len()
}

#[inline]
fn after_push(ctx: &mut Ctx<'_>, args: Args<'_>, end: End, len: usize) {
    ctx.out.integer(len as i64);
    changed(ctx, args[1], args.len() - 2);
    ctx.notify(NotifyClass::LIST, push_event(end), args[1]);
}
