//! Taking from the ends: LPOP, RPOP with and without a count, and LMPOP, which takes from the first
//! of several lists that has anything.

use super::{after_removal, parse_count, parse_end, pop_event, write_item};
use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError, texts};
use resp::Writer;
use structures::list::{End, List, ListLimits};

pub fn lpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, End::Front)
}

pub fn rpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, End::Back)
}

fn pop(ctx: &mut Ctx<'_>, args: Args<'_>, end: End) -> Outcome {
    match args {
        [_, key] => pop_one(ctx, key, end),
        [_, key, count] => {
            let count = parse_count(count, 0, texts::MUST_BE_POSITIVE)?;
            pop_several(ctx, key, end, count)
        }
        _ => Err(ReplyError::wrong_arity(ctx.command.full_name())),
    }
}

fn pop_one(ctx: &mut Ctx<'_>, key: &[u8], end: End) -> Outcome {
    let Engine {
        keyspace, settings, ..
    } = &mut *ctx.engine;
    let Some(list) = keyspace.get_mut::<List>(ctx.session.db, key)? else {
        ctx.out.null();
        return Ok(());
    };
    list.pop_with(end, &settings.list, |item| write_item(ctx.out, item));
    let is_empty = list.is_empty();
    after_removal(ctx, key, pop_event(end), 1, is_empty);
    Ok(())
}

fn pop_several(ctx: &mut Ctx<'_>, key: &[u8], end: End, count: usize) -> Outcome {
    let Engine {
        keyspace, settings, ..
    } = &mut *ctx.engine;
    let Some(list) = keyspace.get_mut::<List>(ctx.session.db, key)? else {
        ctx.out.null_array();
        return Ok(());
    };
    if count == 0 {
        ctx.out.empty_array();
        return Ok(());
    }
    let taken = take_elements(ctx.out, list, end, count, &settings.list);
    let is_empty = list.is_empty();
    after_removal(ctx, key, pop_event(end), taken, is_empty);
    Ok(())
}

/// Writes up to `count` elements from `end` on as an array and removes them. Returns how many.
fn take_elements(
    out: &mut Writer,
    list: &mut List,
    end: End,
    count: usize,
    limits: &ListLimits,
) -> usize {
    let len = list.len();
    let taken = count.min(len);
    out.array(taken);
    match end {
        End::Front => {
            list.range(0, taken).for_each(|item| write_item(out, item));
            list.trim(taken, len - taken, limits);
        }
        End::Back => {
            list.range_rev(0, taken)
                .for_each(|item| write_item(out, item));
            list.trim(0, len - taken, limits);
        }
    }
    taken
}

/// From which of several lists to take how many elements.
pub(super) struct MultiPop<'a> {
    pub keys: &'a [&'a [u8]],
    pub end: End,
    pub count: usize,
}

impl<'a> MultiPop<'a> {
    /// Reads `numkeys key [key …] LEFT|RIGHT [COUNT count]`.
    pub fn parse(args: Args<'a>) -> Result<MultiPop<'a>, ReplyError> {
        const NUMKEYS: ReplyError = ReplyError::new("ERR numkeys should be greater than 0");
        const COUNT: ReplyError = ReplyError::new("ERR count should be greater than 0");
        let key_count = parse_count(args[0], 1, NUMKEYS)?;
        if key_count >= args.len() - 1 {
            return Err(texts::SYNTAX);
        }
        let (keys, rest) = args[1..].split_at(key_count);
        let end = parse_end(rest[0])?;
        let count = match &rest[1..] {
            [] => 1,
            [option, count, more @ ..] if option.eq_ignore_ascii_case(b"count") => {
                let count = parse_count(count, 1, COUNT)?;
                if !more.is_empty() {
                    return Err(texts::SYNTAX);
                }
                count
            }
            _ => return Err(texts::SYNTAX),
        };
        Ok(MultiPop { keys, end, count })
    }

    /// Takes from the first list that is there and replies with its name and the elements. False,
    /// and no reply, if there is none.
    pub fn apply(&self, ctx: &mut Ctx<'_>) -> Result<bool, ReplyError> {
        for key in self.keys {
            let Engine {
                keyspace, settings, ..
            } = &mut *ctx.engine;
            let Some(list) = keyspace.get_mut::<List>(ctx.session.db, key)? else {
                continue;
            };
            ctx.out.array(2);
            ctx.out.bulk(key);
            let taken = take_elements(ctx.out, list, self.end, self.count, &settings.list);
            let is_empty = list.is_empty();
            after_removal(ctx, key, pop_event(self.end), taken, is_empty);
            ctx.propagate_as(&[pop_name(self.end), key, taken.to_string().as_bytes()]);
            return Ok(true);
        }
        Ok(false)
    }
}

pub(super) fn pop_name(end: End) -> &'static [u8] {
    match end {
        End::Front => b"LPOP",
        End::Back => b"RPOP",
    }
}

pub fn lmpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let pop = MultiPop::parse(&args[1..])?;
    if !pop.apply(ctx)? {
        ctx.out.null_array();
    }
    Ok(())
}
