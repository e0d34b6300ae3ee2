//! Reading single members, and counting.

use super::bounds::{lex_range, score_range};
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::sorted_set::SortedSet;

pub fn zcard(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let set = ctx
        .engine
        .keyspace
        .get::<SortedSet>(ctx.session.db, args[1])?;
    ctx.out.integer(set.map_or(0, SortedSet::len) as i64);
    Ok(())
}

pub fn zscore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let set = ctx
        .engine
        .keyspace
        .get::<SortedSet>(ctx.session.db, args[1])?;
    match set.and_then(|set| set.score(args[2])) {
        Some(score) => ctx.out.double(score),
        None => ctx.out.null(),
    }
    Ok(())
}

pub fn zmscore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let set = ctx
        .engine
        .keyspace
        .get::<SortedSet>(ctx.session.db, args[1])?;
    ctx.out.array(args.len() - 2);
    for member in &args[2..] {
        match set.and_then(|set| set.score(member)) {
            Some(score) => ctx.out.double(score),
            None => ctx.out.null(),
        }
    }
    Ok(())
}

pub fn zrank(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    rank(ctx, args, false)
}

pub fn zrevrank(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    rank(ctx, args, true)
}

fn rank(ctx: &mut Ctx<'_>, args: Args<'_>, reverse: bool) -> Outcome {
    let with_score = match args.len() {
        3 => false,
        4 if args[3].eq_ignore_ascii_case(b"withscore") => true,
        4 => return Err(texts::SYNTAX),
        _ => return Err(ReplyError::wrong_arity(ctx.command.full_name())),
    };
    let set = ctx
        .engine
        .keyspace
        .get::<SortedSet>(ctx.session.db, args[1])?;
    let found = set.and_then(|set| {
        let (rank, score) = set.rank(args[2])?;
        Some((if reverse { set.len() - 1 - rank } else { rank }, score))
    });
    match found {
        None if with_score => ctx.out.null_array(),
        None => ctx.out.null(),
        Some((rank, score)) => {
            if with_score {
                ctx.out.array(2);
            }
            ctx.out.integer(rank as i64);
            if with_score {
                ctx.out.double(score);
            }
        }
    }
    Ok(())
}

pub fn zcount(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let range = score_range(args[2], args[3])?;
    let set = ctx
        .engine
        .keyspace
        .get::<SortedSet>(ctx.session.db, args[1])?;
    ctx.out
        .integer(set.map_or(0, |set| set.ranks_by_score(&range).len()) as i64);
    Ok(())
}

pub fn zlexcount(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let range = lex_range(args[2], args[3])?;
    let set = ctx
        .engine
        .keyspace
        .get::<SortedSet>(ctx.session.db, args[1])?;
    ctx.out
        .integer(set.map_or(0, |set| set.ranks_by_lex(&range).len()) as i64);
    Ok(())
}
