//! ZPOPMIN, ZPOPMAX, ZMPOP and their blocking forms.
//!
//! Blocking and ZMPOP propagate as the ZPOPMIN or ZPOPMAX that they amount to.

use super::{members_removed, write_member};
use crate::blocking::TimeoutReply;
use crate::cmd::timeout::parse_timeout_ms;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use crate::session::SessionFlags;
use keyspace::sorted_set::SortedSet;
use keyspace::{Type, WrongType};
use resp::{Version, Writer};
use structures::listpack::IntBuf;

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

impl End {
    fn event(self) -> &'static str {
        match self {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        }
    }

    fn command(self) -> &'static [u8] {
        match self {
            End::Min => b"ZPOPMIN",
            End::Max => b"ZPOPMAX",
        }
    }
}

/// How a reply with popped members is built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `member score member score`
    Flat,
    /// `[member score] [member score]`
    Pairs,
    /// `key member score`
    KeyFlat,
    /// `key [[member score] [member score]]`
    KeyPairs,
}

pub fn zpopmin(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop_simple(ctx, args, End::Min)
}

pub fn zpopmax(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop_simple(ctx, args, End::Max)
}

fn pop_simple(ctx: &mut Ctx<'_>, args: Args<'_>, end: End) -> Outcome {
    let count = match args.len() {
        2 => None,
        3 => Some(
            resp::parse_i64(args[2])
                .and_then(|n| usize::try_from(n).ok())
                .ok_or(texts::MUST_BE_POSITIVE)?,
        ),
        _ => return Err(texts::SYNTAX),
    };
    // Without a count RESP3 stays flat as well.
    let shape = match count {
        Some(_) if ctx.out.version() == Version::V3 => Shape::Pairs,
        _ => Shape::Flat,
    };
    let mut popped = Popped::default();
    match ctx
        .engine
        .keyspace
        .get_mut::<SortedSet>(ctx.session.db, args[1])?
    {
        Some(set) if count != Some(0) => {
            popped = pop(ctx.out, args[1], set, end, count.unwrap_or(1), shape);
        }
        _ => ctx.out.empty_array(),
    }
    members_removed(ctx, args[1], popped.count, popped.emptied, end.event());
    Ok(())
}

#[derive(Default)]
struct Popped {
    count: usize,
    emptied: bool,
}

/// Pops up to `count` members and replies with them.
fn pop(
    out: &mut Writer,
    key: &[u8],
    set: &mut SortedSet,
    end: End,
    count: usize,
    shape: Shape,
) -> Popped {
    let len = set.len();
    let count = count.min(len);
    match shape {
        Shape::Flat => out.array(count * 2),
        Shape::Pairs => out.array(count),
        Shape::KeyFlat => {
            out.array(count * 2 + 1);
            out.bulk(key);
        }
        Shape::KeyPairs => {
            out.array(2);
            out.bulk(key);
            out.array(count);
        }
    }
    let nested = matches!(shape, Shape::Pairs | Shape::KeyPairs);
    set.pop(end == End::Max, count, |member, score| {
        if nested {
            out.array(2);
        }
        write_member(out, member);
        out.double(score);
    });
    Popped {
        count,
        emptied: count == len,
    }
}

/// `[numkeys] key [key …] MIN|MAX [COUNT count]`
struct MultiArgs<'a> {
    keys: Args<'a>,
    end: End,
    count: usize,
}

impl<'a> MultiArgs<'a> {
    fn parse(args: Args<'a>) -> Result<MultiArgs<'a>, ReplyError> {
        let numkeys = positive(args[0], "ERR numkeys should be greater than 0")?;
        let rest = args[1..].get(numkeys..).unwrap_or_default();
        let [end, options @ ..] = rest else {
            return Err(texts::SYNTAX);
        };
        let end = if end.eq_ignore_ascii_case(b"min") {
            End::Min
        } else if end.eq_ignore_ascii_case(b"max") {
            End::Max
        } else {
            return Err(texts::SYNTAX);
        };
        let count = match options {
            [] => 1,
            [option, count, more @ ..] if option.eq_ignore_ascii_case(b"count") => {
                let count = positive(count, "ERR count should be greater than 0")?;
                if !more.is_empty() {
                    return Err(texts::SYNTAX);
                }
                count
            }
            _ => return Err(texts::SYNTAX),
        };
        Ok(MultiArgs {
            keys: &args[1..=numkeys],
            end,
            count,
        })
    }
}

fn positive(text: &[u8], complaint: &'static str) -> Result<usize, ReplyError> {
    let number = resp::parse_i64(text).and_then(|n| usize::try_from(n).ok());
    number.filter(|n| *n > 0).ok_or(ReplyError::new(complaint))
}

pub fn zmpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let parsed = MultiArgs::parse(&args[1..])?;
    if !pop_first_found(ctx, parsed.keys, parsed.end, Some(parsed.count))? {
        ctx.out.null_array();
    }
    Ok(())
}

pub fn bzmpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let parsed = MultiArgs::parse(&args[2..])?;
    pop_or_block(
        ctx,
        args,
        args[1],
        parsed.keys,
        parsed.end,
        Some(parsed.count),
    )
}

pub fn bzpopmin(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let last = args.len() - 1;
    pop_or_block(ctx, args, args[last], &args[1..last], End::Min, None)
}

pub fn bzpopmax(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let last = args.len() - 1;
    pop_or_block(ctx, args, args[last], &args[1..last], End::Max, None)
}

fn pop_or_block(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    timeout: &[u8],
    keys: Args<'_>,
    end: End,
    count: Option<usize>,
) -> Outcome {
    let timeout_ms = parse_timeout_ms(timeout, ctx.now_ms())?;
    if !pop_first_found(ctx, keys, end, count)? {
        ctx.block(
            args,
            keys,
            Type::SortedSet,
            timeout_ms,
            TimeoutReply::NullArray,
        );
    }
    Ok(())
}

/// Pops from the first of `keys` that exists, replies, and says how that propagates. Without a
/// count it is one member in the flat shape of BZPOPMIN.
fn pop_first_found(
    ctx: &mut Ctx<'_>,
    keys: Args<'_>,
    end: End,
    count: Option<usize>,
) -> Result<bool, ReplyError> {
    let shape = if count.is_some() {
        Shape::KeyPairs
    } else {
        Shape::KeyFlat
    };
    for key in keys {
        let set = match ctx
            .engine
            .keyspace
            .get_mut::<SortedSet>(ctx.session.db, key)
        {
            Ok(Some(set)) => set,
            Ok(None) => continue,
            // A client that waits goes on waiting when a key turns out to be of another type.
            Err(WrongType) if ctx.session.flags.has(SessionFlags::UNBLOCKED) => continue,
            Err(wrong) => return Err(wrong.into()),
        };
        let popped = pop(ctx.out, key, set, end, count.unwrap_or(1), shape);
        members_removed(ctx, key, popped.count, popped.emptied, end.event());
        match count {
            None => ctx.propagate_as(&[end.command(), key]),
            Some(_) => {
                let mut text = IntBuf::new();
                let count = text.format(popped.count as i64);
                ctx.propagate_as(&[end.command(), key, count]);
            }
        }
        return Ok(true);
    }
    Ok(false)
}
