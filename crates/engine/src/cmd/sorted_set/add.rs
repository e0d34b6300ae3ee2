//! ZADD and ZINCRBY.

use super::limits;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::journal::NotifyClass;
use keyspace::sorted_set::SortedSet;
use smallvec::SmallVec;

#[derive(Clone, Copy, Default)]
struct Options {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
    ch: bool,
    incr: bool,
}

impl Options {
    /// Reads options from `args[2]` on; returns the index of the first score.
    #[inline]
    fn parse(&mut self, args: Args<'_>) -> usize {
        let mut at = 2;
        while at < args.len() {
            // A score begins with a digit or a sign far more often than with a letter.
            if !args[at].first().is_some_and(u8::is_ascii_alphabetic) {
                break;
            }
            let is = |name: &[u8]| args[at].eq_ignore_ascii_case(name);
            if is(b"nx") {
                self.nx = true;
            } else if is(b"xx") {
                self.xx = true;
            } else if is(b"ch") {
                self.ch = true;
            } else if is(b"incr") {
                self.incr = true;
            } else if is(b"gt") {
                self.gt = true;
            } else if is(b"lt") {
                self.lt = true;
            } else {
                break;
            }
            at += 1;
        }
        at
    }

    fn check(&self, pairs: usize) -> Outcome {
        if self.nx && self.xx {
            return Err(ReplyError::new(
                "ERR XX and NX options at the same time are not compatible",
            ));
        }
        if (self.gt && (self.nx || self.lt)) || (self.lt && self.nx) {
            return Err(ReplyError::new(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.incr && pairs > 1 {
            return Err(ReplyError::new(
                "ERR INCR option supports a single increment-element pair",
            ));
        }
        Ok(())
    }

    /// What becomes of one member: its new score, or why it stays as it is.
    #[inline]
    fn decide(&self, old: Option<f64>, given: f64) -> Decision {
        let Some(old) = old else {
            return if self.xx {
                Decision::Skip
            } else {
                Decision::Set(given)
            };
        };
        if self.nx {
            return Decision::Skip;
        }
        let new = if self.incr { old + given } else { given };
        if new.is_nan() {
            Decision::NotANumber
        } else if (self.lt && new >= old) || (self.gt && new <= old) {
            Decision::Skip
        } else {
            Decision::Set(new)
        }
    }
}

enum Decision {
    Set(f64),
    Skip,
    NotANumber,
}

pub fn zadd(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args, Options::default())
}

pub fn zincrby(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    add(
        ctx,
        args,
        Options {
            incr: true,
            ..Options::default()
        },
    )
}

/// What happened to the members so far.
#[derive(Default)]
struct Tally {
    added: usize,
    updated: usize,
    /// The last member's score, unless it was skipped.
    score: Option<f64>,
    not_a_number: bool,
}

fn add(ctx: &mut Ctx<'_>, args: Args<'_>, mut options: Options) -> Outcome {
    let first = options.parse(args);
    let pairs = &args[first..];
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(texts::SYNTAX);
    }
    options.check(pairs.len() / 2)?;
    let mut scores: SmallVec<[f64; 8]> = SmallVec::new();
    let mut longest_bytes = 0;
    for pair in pairs.chunks_exact(2) {
        scores.push(resp::parse_double(pair[0]).ok_or(texts::NOT_A_FLOAT)?);
        longest_bytes = longest_bytes.max(pair[1].len());
    }

    let (db, key, limits) = (ctx.db(), args[1], limits(ctx.engine));
    let keyspace = &mut ctx.engine.keyspace;
    let found = if options.xx {
        keyspace.get_mut::<SortedSet>(db, key)?
    } else {
        Some(keyspace.get_or_create(db, key, || SortedSet::new(&limits, 0, 0))?)
    };
    let mut tally = Tally::default();
    if let Some(set) = found {
        set.expect(&limits, scores.len(), longest_bytes);
        for (score, pair) in scores.iter().zip(pairs.chunks_exact(2)) {
            set.change(&limits, pair[1], |old| tally.count(&options, old, *score));
        }
    }
    if tally.not_a_number {
        return Err(ReplyError::new("ERR resulting score is not a number (NaN)"));
    }
    match (options.incr, tally.score) {
        (true, Some(score)) => ctx.out.double(score),
        (true, None) => ctx.out.null(),
        (false, _) if options.ch => ctx.out.integer((tally.added + tally.updated) as i64),
        (false, _) => ctx.out.integer(tally.added as i64),
    }
    let changes = tally.added + tally.updated;
    if changes > 0 {
        ctx.modified(key);
        ctx.engine.keyspace.journal.dirty += changes as u64 - 1;
        let event = if options.incr { "zincr" } else { "zadd" };
        ctx.notify(NotifyClass::ZSET, event, key);
    }
    Ok(())
}

impl Tally {
    #[inline]
    fn count(&mut self, options: &Options, old: Option<f64>, given: f64) -> Option<f64> {
        self.score = None;
        match options.decide(old, given) {
            Decision::Skip => None,
            Decision::NotANumber => {
                self.not_a_number = true;
                None
            }
            Decision::Set(new) => {
                self.score = Some(new);
                match old {
                    None => self.added += 1,
                    Some(old) => self.updated += usize::from(old != new),
                }
                Some(new)
            }
        }
    }
}
