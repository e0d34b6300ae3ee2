//! ZUNION, ZINTER, ZDIFF, their STORE forms, and ZINTERCARD. Plain sets take part with a score of 1.
//!
//! Inputs are looked up first (which removes expired keys, counts and checks types, before the
//! options are read, as Redis does) and then held side by side through `Keyspace::view`.

use super::{limits, store, write_entries};
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::Keyspace;
use keyspace::set::Set;
use keyspace::sorted_set::SortedSet;
use smallvec::SmallVec;
use structures::listpack::{IntBuf, Item};
use structures::sorted_set::Scores;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

pub fn zunion(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Operation::Union)
}

pub fn zinter(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Operation::Inter)
}

pub fn zdiff(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply(ctx, args, Operation::Diff)
}

pub fn zunionstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    combine_and_store(ctx, args, Operation::Union, "zunionstore")
}

pub fn zinterstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    combine_and_store(ctx, args, Operation::Inter, "zinterstore")
}

pub fn zdiffstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    combine_and_store(ctx, args, Operation::Diff, "zdiffstore")
}

fn reply(ctx: &mut Ctx<'_>, args: Args<'_>, operation: Operation) -> Outcome {
    let keys = input_keys(ctx, &args[1..])?;
    let form = match operation {
        Operation::Diff => Form::Plain { scores: true },
        _ => Form::Weighted { scores: true },
    };
    let options = Options::parse(&args[2 + keys.len()..], keys.len(), form)?;
    let result = combine(ctx, keys, operation, &options).into_sorted();
    let entries = result
        .iter_from(0)
        .map(|(member, score)| (Item::Str(member), score));
    write_entries(ctx.out, entries, result.len(), options.with_scores);
    Ok(())
}

fn combine_and_store(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    operation: Operation,
    event: &'static str,
) -> Outcome {
    let keys = input_keys(ctx, &args[2..])?;
    let form = match operation {
        Operation::Diff => Form::Plain { scores: false },
        _ => Form::Weighted { scores: false },
    };
    let options = Options::parse(&args[3 + keys.len()..], keys.len(), form)?;
    let result = combine(ctx, keys, operation, &options);
    let result = SortedSet::from_scores(result, &limits(ctx.engine));
    store(ctx, args[1], result, event);
    Ok(())
}

pub fn zintercard(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let keys = input_keys(ctx, &args[1..])?;
    let options = Options::parse(&args[2 + keys.len()..], keys.len(), Form::Limited)?;
    let mut inputs = Input::all(&ctx.engine.keyspace, ctx.session.db, keys, &options.weights);
    inputs.sort_by_key(|input| input.source.len());
    let mut count = 0;
    let (smallest, others) = inputs.split_first().expect("one key at least");
    smallest.source.for_each_while(|member, _| {
        count += usize::from(
            others
                .iter()
                .all(|other| other.source.score(member).is_some()),
        );
        count < options.limit
    });
    ctx.out.integer(count as i64);
    Ok(())
}

/// Reads `numkeys key [key …]` and looks the keys up.
fn input_keys<'a>(ctx: &mut Ctx<'_>, args: Args<'a>) -> Result<Args<'a>, ReplyError> {
    let numkeys = resp::parse_i64(args[0]).ok_or(texts::NOT_AN_INTEGER)?;
    if numkeys < 1 {
        let name = ctx.command.full_name();
        return Err(format!("ERR at least 1 input key is needed for '{name}' command").into());
    }
    let numkeys = usize::try_from(numkeys).unwrap_or(usize::MAX);
    let keys = args[1..].get(..numkeys).ok_or(texts::SYNTAX)?;
    for key in keys {
        if let Some(entry) = ctx.engine.keyspace.read(ctx.session.db, key)
            && entry.get::<SortedSet>().is_none()
            && entry.get::<Set>().is_none()
        {
            return Err(texts::WRONG_TYPE);
        }
    }
    Ok(keys)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    /// Opposite infinities add up to 0; a NaN never replaces a score.
    fn apply(self, old: f64, new: f64) -> f64 {
        match self {
            Aggregate::Sum => {
                let sum = old + new;
                if sum.is_nan() { 0.0 } else { sum }
            }
            Aggregate::Min if new < old => new,
            Aggregate::Max if new > old => new,
            Aggregate::Min | Aggregate::Max => old,
        }
    }
}

/// Which options a command takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Weighted { scores: bool },
    Plain { scores: bool },
    Limited,
}

struct Options {
    /// One per key, all 1 unless given.
    weights: SmallVec<[f64; 8]>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: usize,
}

impl Options {
    fn parse(args: Args<'_>, numkeys: usize, form: Form) -> Result<Options, ReplyError> {
        let mut options = Options {
            weights: smallvec::smallvec![1.0; numkeys],
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: usize::MAX,
        };
        let weighted = matches!(form, Form::Weighted { .. });
        let scores = matches!(
            form,
            Form::Weighted { scores: true } | Form::Plain { scores: true }
        );
        let mut rest = args.iter();
        while let Some(option) = rest.next() {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if weighted && rest.len() >= numkeys && is(b"weights") {
                for (weight, text) in options.weights.iter_mut().zip(rest.by_ref()) {
                    const BAD: ReplyError = ReplyError::new("ERR weight value is not a float");
                    *weight = resp::parse_double(text).ok_or(BAD)?;
                }
            } else if weighted && rest.len() >= 1 && is(b"aggregate") {
                let name = rest.next().copied().unwrap_or_default();
                options.aggregate = match name.to_ascii_lowercase().as_slice() {
                    b"sum" => Aggregate::Sum,
                    b"min" => Aggregate::Min,
                    b"max" => Aggregate::Max,
                    _ => return Err(texts::SYNTAX),
                };
            } else if scores && is(b"withscores") {
                options.with_scores = true;
            } else if form == Form::Limited && rest.len() >= 1 && is(b"limit") {
                let limit = rest.next().and_then(|text| resp::parse_i64(text));
                let limit = limit.and_then(|limit| usize::try_from(limit).ok());
                options.limit = match limit.ok_or(ReplyError::new("ERR LIMIT can't be negative"))? {
                    0 => usize::MAX,
                    limit => limit,
                };
            } else {
                return Err(texts::SYNTAX);
            }
        }
        Ok(options)
    }
}

/// One input key's value.
#[derive(Clone, Copy)]
enum Source<'a> {
    Missing,
    Sorted(&'a SortedSet),
    Plain(&'a Set),
}

impl Source<'_> {
    fn len(&self) -> usize {
        match self {
            Source::Missing => 0,
            Source::Sorted(set) => set.len(),
            Source::Plain(set) => set.len(),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Missing => None,
            Source::Sorted(set) => set.score(member),
            Source::Plain(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Visits members until `visit` says false.
    fn for_each_while(&self, mut visit: impl FnMut(&[u8], f64) -> bool) {
        let mut text = IntBuf::new();
        match self {
            Source::Missing => {}
            Source::Sorted(set) => {
                set.iter()
                    .all(|(member, score)| visit(member.as_bytes(&mut text), score));
            }
            Source::Plain(set) => {
                set.iter()
                    .all(|member| visit(member.as_bytes(&mut text), 1.0));
            }
        }
    }

    fn for_each(&self, mut visit: impl FnMut(&[u8], f64)) {
        self.for_each_while(|member, score| {
            visit(member, score);
            true
        });
    }
}

struct Input<'a> {
    key: &'a [u8],
    source: Source<'a>,
    weight: f64,
}

impl<'a> Input<'a> {
    fn all(
        keyspace: &'a Keyspace,
        db: u32,
        keys: Args<'a>,
        weights: &[f64],
    ) -> SmallVec<[Input<'a>; 8]> {
        let source = |key: &[u8]| {
            let entry = keyspace.view(db, key)?;
            let sorted = entry.get::<SortedSet>().map(Source::Sorted);
            sorted.or_else(|| entry.get::<Set>().map(Source::Plain))
        };
        let input = |(key, weight): (&&'a [u8], &f64)| Input {
            key,
            source: source(key).unwrap_or(Source::Missing),
            weight: *weight,
        };
        keys.iter().zip(weights).map(input).collect()
    }

    /// A member's score here as it counts.
    fn weighted(&self, score: f64) -> f64 {
        let weighted = self.weight * score;
        if weighted.is_nan() { 0.0 } else { weighted }
    }
}

fn combine(ctx: &Ctx<'_>, keys: Args<'_>, operation: Operation, options: &Options) -> Scores {
    let keyspace = &ctx.engine.keyspace;
    let mut inputs = Input::all(keyspace, ctx.session.db, keys, &options.weights);
    let result = Scores::new(keyspace.hash_seed());
    if operation == Operation::Diff {
        return diff(&mut inputs, result);
    }
    inputs.sort_by_key(|input| input.source.len());
    match operation {
        Operation::Union => union(&inputs, options.aggregate, result),
        _ => inter(&inputs, options.aggregate, result),
    }
}

fn union(inputs: &[Input<'_>], aggregate: Aggregate, mut result: Scores) -> Scores {
    result.reserve(inputs.last().map_or(0, |largest| largest.source.len()));
    for input in inputs {
        input.source.for_each(|member, score| {
            result.merge(member, input.weighted(score), |old, new| {
                aggregate.apply(old, new)
            });
        });
    }
    result
}

fn inter(inputs: &[Input<'_>], aggregate: Aggregate, mut result: Scores) -> Scores {
    let (smallest, others) = inputs.split_first().expect("one key at least");
    smallest.source.for_each(|member, score| {
        let first = Some(smallest.weighted(score));
        let score = others.iter().try_fold(first, |score, other| {
            let theirs = other.source.score(member)? * other.weight;
            Some(score.map(|score| aggregate.apply(score, theirs)))
        });
        if let Some(score) = score.flatten() {
            result.merge(member, score, |_, new| new);
        }
    });
    result
}

/// Takes the members of all others out of the first: by looking each of its members up in them, or
/// by walking them, whichever promises less work.
fn diff(inputs: &mut [Input<'_>], mut result: Scores) -> Scores {
    let (first, others) = inputs.split_first_mut().expect("one key at least");
    if first.source.len() == 0 || others.iter().any(|other| other.key == first.key) {
        return result;
    }
    let all: usize =
        others.iter().map(|other| other.source.len()).sum::<usize>() + first.source.len();
    if first.source.len() * (others.len() + 1) / 2 <= all {
        // The largest first: it is the likeliest to have a member.
        others.sort_by_key(|other| std::cmp::Reverse(other.source.len()));
        first.source.for_each(|member, score| {
            if others
                .iter()
                .all(|other| other.source.score(member).is_none())
            {
                result.merge(member, score, |_, new| new);
            }
        });
        return result;
    }
    first
        .source
        .for_each(|member, score| result.merge(member, score, |_, new| new));
    for other in others {
        other.source.for_each_while(|member, _| {
            result.remove(member);
            !result.is_empty()
        });
    }
    result
}
