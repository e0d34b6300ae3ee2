//! ZREM and the ZREMRANGEBY commands.

use super::bounds::{RankArgs, lex_range, score_range};
use super::members_removed;
use crate::ctx::{Args, Ctx};
use crate::error::Outcome;
use keyspace::sorted_set::SortedSet;
use std::ops::Range;

pub fn zrem(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (mut removed, mut emptied) = (0, false);
    if let Some(set) = ctx
        .engine
        .keyspace
        .get_mut::<SortedSet>(ctx.session.db, args[1])?
    {
        for member in &args[2..] {
            removed += usize::from(set.remove(member).is_some());
            if set.is_empty() {
                emptied = true;
                break;
            }
        }
    }
    members_removed(ctx, args[1], removed, emptied, "zrem");
    ctx.out.integer(removed as i64);
    Ok(())
}

pub fn zremrangebyrank(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let range = RankArgs::parse(args[2], args[3])?;
    remove_range(ctx, args, "zremrangebyrank", |set| range.within(set.len()))
}

pub fn zremrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let range = score_range(args[2], args[3])?;
    remove_range(ctx, args, "zremrangebyscore", |set| {
        set.ranks_by_score(&range)
    })
}

pub fn zremrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let range = lex_range(args[2], args[3])?;
    remove_range(ctx, args, "zremrangebylex", |set| set.ranks_by_lex(&range))
}

fn remove_range(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    event: &'static str,
    ranks_in: impl FnOnce(&SortedSet) -> Range<usize>,
) -> Outcome {
    let (mut removed, mut emptied) = (0, false);
    if let Some(set) = ctx
        .engine
        .keyspace
        .get_mut::<SortedSet>(ctx.session.db, args[1])?
    {
        let ranks = ranks_in(set);
        removed = ranks.len();
        emptied = removed == set.len();
        // A set that goes as a whole is deleted below, wherever that hurts least.
        if !emptied {
            set.remove_range(ranks);
        }
    }
    members_removed(ctx, args[1], removed, emptied, event);
    ctx.out.integer(removed as i64);
    Ok(())
}
