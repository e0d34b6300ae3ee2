//! The forms that wait for an element: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH.
//!
//! Each is its non-blocking counterpart that waits where that would find nothing, and propagates as
//! that counterpart. Inside EXEC they do not wait: the reply is then that of a missing list, which
//! for BLMOVE is not the one of a wait that timed out.

use super::pop::{MultiPop, pop_name};
use super::transfer::Transfer;
use super::{after_removal, pop_event, write_item};
use crate::blocking::TimeoutReply;
use crate::cmd::timeout::parse_timeout_ms;
use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError};
use keyspace::Type;
use structures::list::{End, List};

pub fn blpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop_or_wait(ctx, args, End::Front)
}

pub fn brpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop_or_wait(ctx, args, End::Back)
}

fn pop_or_wait(ctx: &mut Ctx<'_>, args: Args<'_>, end: End) -> Outcome {
    let (keys, timeout) = (&args[1..args.len() - 1], args[args.len() - 1]);
    let timeout_ms = parse_timeout_ms(timeout, ctx.now_ms())?;
    if !pop_first(ctx, keys, end)? {
        ctx.block(args, keys, Type::List, timeout_ms, TimeoutReply::NullArray);
    }
    Ok(())
}

/// Takes one element from the first list that is there and replies with its name and the element.
/// False, and no reply, if there is none.
fn pop_first(ctx: &mut Ctx<'_>, keys: Args<'_>, end: End) -> Result<bool, ReplyError> {
    for key in keys {
        let Engine {
            keyspace, settings, ..
        } = &mut *ctx.engine;
        let Some(list) = keyspace.get_mut::<List>(ctx.session.db, key)? else {
            continue;
        };
        ctx.out.array(2);
        ctx.out.bulk(key);
        list.pop_with(end, &settings.list, |item| write_item(ctx.out, item));
        let is_empty = list.is_empty();
        after_removal(ctx, key, pop_event(end), 1, is_empty);
        ctx.propagate_as(&[pop_name(end), key]);
        return Ok(true);
    }
    Ok(false)
}

pub fn blmpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let pop = MultiPop::parse(&args[2..])?;
    let timeout_ms = parse_timeout_ms(args[1], ctx.now_ms())?;
    if !pop.apply(ctx)? {
        ctx.block(
            args,
            pop.keys,
            Type::List,
            timeout_ms,
            TimeoutReply::NullArray,
        );
    }
    Ok(())
}

pub fn blmove(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let transfer = Transfer::parse(&args[1..5])?;
    let timeout_ms = parse_timeout_ms(args[5], ctx.now_ms())?;
    if transfer.apply(ctx)? {
        ctx.propagate_as(&[b"LMOVE", args[1], args[2], args[3], args[4]]);
    } else {
        wait_for_source(ctx, args, timeout_ms);
    }
    Ok(())
}

pub fn brpoplpush(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let timeout_ms = parse_timeout_ms(args[3], ctx.now_ms())?;
    if Transfer::right_to_left(&args[1..3]).apply(ctx)? {
        ctx.propagate_as(&[b"RPOPLPUSH", args[1], args[2]]);
    } else {
        wait_for_source(ctx, args, timeout_ms);
    }
    Ok(())
}

fn wait_for_source(ctx: &mut Ctx<'_>, args: Args<'_>, timeout_ms: i64) {
    if ctx.may_block() {
        ctx.block(
            args,
            &args[1..2],
            Type::List,
            timeout_ms,
            TimeoutReply::NullArray,
        );
    } else {
        ctx.out.null();
    }
}
