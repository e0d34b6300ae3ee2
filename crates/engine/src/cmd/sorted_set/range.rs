//! ZRANGE, ZRANGESTORE and the older commands for one kind and direction of range each.
//!
//! Whatever the kind, the range becomes a range of ranks before anything is written, so the reply
//! begins with its size.

use super::bounds::{RankArgs, lex_range, score_range};
use super::{limits, store, write_entries};
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::sorted_set::{LexRange, ScoreRange, SortedSet};
use std::ops::Range;
use structures::listpack::IntBuf;

pub fn zrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Form::default())
}

pub fn zrevrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Form::fixed(Kind::Rank, true))
}

pub fn zrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Form::fixed(Kind::Score, false))
}

pub fn zrevrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Form::fixed(Kind::Score, true))
}

pub fn zrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Form::fixed(Kind::Lex, false))
}

pub fn zrevrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Form::fixed(Kind::Lex, true))
}

fn reply(ctx: &mut Ctx<'_>, args: Args<'_>, form: Form) -> Outcome {
    let range = RangeArgs::parse(&args[1..], form)?;
    match ctx
        .engine
        .keyspace
        .get::<SortedSet>(ctx.session.db, args[1])?
    {
        None => ctx.out.empty_array(),
        Some(set) => {
            let ranks = range.ranks_in(set);
            let count = ranks.len();
            let entries = set.range(ranks, range.reverse);
            write_entries(ctx.out, entries, count, range.with_scores);
        }
    }
    Ok(())
}

pub fn zrangestore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let range = RangeArgs::parse(
        &args[2..],
        Form {
            store: true,
            ..Form::default()
        },
    )?;
    let limits = limits(ctx.engine);
    let source = ctx
        .engine
        .keyspace
        .get::<SortedSet>(ctx.session.db, args[2])?;
    let mut result = SortedSet::new(&limits, 0, 0);
    if let Some(source) = source {
        let ranks = range.ranks_in(source);
        result.expect(&limits, ranks.len(), 0);
        for (member, score) in source.range(ranks, false) {
            result.insert(&limits, member.as_bytes(&mut IntBuf::new()), score);
        }
    }
    store(ctx, args[1], result, "zrangestore");
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Rank,
    Score,
    Lex,
}

/// What a command's name already says.
#[derive(Clone, Copy, Default)]
struct Form {
    store: bool,
    kind: Option<Kind>,
    reverse: Option<bool>,
}

impl Form {
    fn fixed(kind: Kind, reverse: bool) -> Form {
        Form {
            store: false,
            kind: Some(kind),
            reverse: Some(reverse),
        }
    }
}

enum Bounds<'a> {
    Rank(RankArgs),
    Score(ScoreRange),
    Lex(LexRange<'a>),
}

struct RangeArgs<'a> {
    bounds: Bounds<'a>,
    reverse: bool,
    with_scores: bool,
    offset: i64,
    /// Negative for no limit.
    limit: i64,
}

impl<'a> RangeArgs<'a> {
    /// Reads `source min max [options]`.
    fn parse(args: Args<'a>, form: Form) -> Result<RangeArgs<'a>, ReplyError> {
        let (mut kind, mut reverse) = (form.kind, form.reverse);
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        let mut options = args[3..].iter();
        while let Some(option) = options.next() {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if !form.store && is(b"withscores") {
                with_scores = true;
            } else if is(b"limit") && options.len() >= 2 {
                let mut number = || options.next().and_then(|text| resp::parse_i64(text));
                offset = number().ok_or(texts::NOT_AN_INTEGER)?;
                limit = number().ok_or(texts::NOT_AN_INTEGER)?;
            } else if reverse.is_none() && is(b"rev") {
                reverse = Some(true);
            } else if kind.is_none() && is(b"bylex") {
                kind = Some(Kind::Lex);
            } else if kind.is_none() && is(b"byscore") {
                kind = Some(Kind::Score);
            } else {
                return Err(texts::SYNTAX);
            }
        }
        let (kind, reverse) = (kind.unwrap_or(Kind::Rank), reverse.unwrap_or(false));
        if limit != -1 && kind == Kind::Rank {
            return Err(ReplyError::new(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && kind == Kind::Lex {
            return Err(ReplyError::new(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        // By score or name, a reversed range is given from its upper end.
        let (min, max) = match reverse && kind != Kind::Rank {
            true => (args[2], args[1]),
            false => (args[1], args[2]),
        };
        let bounds = match kind {
            Kind::Rank => Bounds::Rank(RankArgs::parse(min, max)?),
            Kind::Score => Bounds::Score(score_range(min, max)?),
            Kind::Lex => Bounds::Lex(lex_range(min, max)?),
        };
        Ok(RangeArgs {
            bounds,
            reverse,
            with_scores,
            offset,
            limit,
        })
    }

    /// The ranks of the members to show, lowest first.
    fn ranks_in(&self, set: &SortedSet) -> Range<usize> {
        match &self.bounds {
            Bounds::Rank(ranks) => {
                let (len, ranks) = (set.len(), ranks.within(set.len()));
                if self.reverse && !ranks.is_empty() {
                    return len - ranks.end..len - ranks.start;
                }
                ranks
            }
            Bounds::Score(range) => self.limited(set.ranks_by_score(range)),
            Bounds::Lex(range) => self.limited(set.ranks_by_lex(range)),
        }
    }

    /// Applies LIMIT. A negative offset shows nothing.
    fn limited(&self, ranks: Range<usize>) -> Range<usize> {
        let len = ranks.len();
        let skipped = usize::try_from(self.offset).map_or(len, |offset| offset.min(len));
        let count = usize::try_from(self.limit)
            .unwrap_or(usize::MAX)
            .min(len - skipped);
        match self.reverse {
            true => ranks.end - skipped - count..ranks.end - skipped,
            false => ranks.start + skipped..ranks.start + skipped + count,
        }
    }
}
