//! Intersection, union and difference of sets, replied or stored.
//!
//! The sources are looked up one by one first (which expires, counts and checks types) and then
//! held side by side. A stored result gets the encoding that Redis gives it.
//! Tests: the reference suite's `unit/type/set`.

use super::{limits, reply_members};
use crate::cmd::items::reply_item;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::journal::NotifyClass;
use keyspace::set::{Set, SetLimits};
use keyspace::{Keyspace, Kind};
use smallvec::SmallVec;
use std::cmp::Reverse;
use structures::intset::Intset;
use structures::listpack::{Item, Listpack};

const NUMKEYS: ReplyError = ReplyError::new("ERR numkeys should be greater than 0");
const TOO_MANY_KEYS: ReplyError =
    ReplyError::new("ERR Number of keys can't be greater than number of args");
const NEGATIVE_LIMIT: ReplyError = ReplyError::new("ERR LIMIT can't be negative");

type Sources<'a> = SmallVec<[Option<&'a Set>; 8]>;

/// The sets at `keys`; `None` for one that does not exist.
fn sources<'a>(
    keyspace: &'a mut Keyspace,
    db: u32,
    keys: &[&[u8]],
) -> Result<Sources<'a>, ReplyError> {
    for key in keys {
        keyspace.get::<Set>(db, key)?;
    }
    let keyspace = &*keyspace;
    Ok(keys
        .iter()
        .map(|key| keyspace.view(db, key).and_then(|entry| entry.get()))
        .collect())
}

/// All sets, the smallest first; `None` if one is missing, as the intersection is empty then.
fn smallest_first<'a>(sources: &Sources<'a>) -> Option<SmallVec<[&'a Set; 8]>> {
    let mut sets: SmallVec<[&Set; 8]> = sources.iter().copied().collect::<Option<_>>()?;
    sets.sort_by_key(|set| set.len());
    Some(sets)
}

/// Shows `visit` what is in all sets until it returns false.
fn intersect<'a>(sets: &[&'a Set], mut visit: impl FnMut(Item<'a>) -> bool) {
    let Some((first, others)) = sets.split_first() else {
        return;
    };
    for member in first.iter() {
        let is_common = |set: &&Set| std::ptr::eq(*set, *first) || set.contains_item(member);
        if others.iter().all(is_common) && !visit(member) {
            return;
        }
    }
}

pub fn sinter(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let sources = sources(&mut ctx.engine.keyspace, ctx.session.db, &args[1..])?;
    let Some(sets) = smallest_first(&sources) else {
        ctx.out.set(0);
        return Ok(());
    };
    let out = &mut *ctx.out;
    let (header, mut count) = (out.defer(), 0);
    intersect(&sets, |member| {
        reply_item(out, member);
        count += 1;
        true
    });
    out.fill_set(header, count);
    Ok(())
}

pub fn sintercard(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (keys, limit) = parse_sintercard(args)?;
    let sources = sources(&mut ctx.engine.keyspace, ctx.session.db, keys)?;
    let mut count = 0;
    if let Some(sets) = smallest_first(&sources) {
        intersect(&sets, |_| {
            count += 1;
            count != limit
        });
    }
    ctx.out.integer(count as i64);
    Ok(())
}

/// The keys, and after how many common members to stop (0 for never).
fn parse_sintercard<'a>(args: Args<'a>) -> Result<(&'a [&'a [u8]], usize), ReplyError> {
    let numkeys = resp::parse_i64(args[1])
        .filter(|count| *count > 0)
        .ok_or(NUMKEYS)?;
    let rest = &args[2..];
    let numkeys = usize::try_from(numkeys)
        .ok()
        .filter(|count| *count <= rest.len());
    let (keys, mut options) = rest.split_at(numkeys.ok_or(TOO_MANY_KEYS)?);
    let mut limit = 0;
    while let [option, tail @ ..] = options {
        let (true, [value, tail @ ..]) = (option.eq_ignore_ascii_case(b"limit"), tail) else {
            return Err(texts::SYNTAX);
        };
        let value = resp::parse_i64(value).and_then(|value| usize::try_from(value).ok());
        limit = value.ok_or(NEGATIVE_LIMIT)?;
        options = tail;
    }
    Ok((keys, limit))
}

pub fn sinterstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let limits = limits(ctx);
    let sources = sources(&mut ctx.engine.keyspace, ctx.session.db, &args[2..])?;
    let result = smallest_first(&sources).map(|sets| intersection(&sets, &limits));
    drop(sources);
    store(ctx, args[1], result, "sinterstore");
    Ok(())
}

fn intersection(sets: &[&Set], limits: &SetLimits) -> Set {
    let mut result = match sets[0] {
        Set::Ints(_) => Set::Ints(Intset::new()),
        _ => Set::Packed(Listpack::new()),
    };
    intersect(sets, |member| {
        result.add_new_item(member, limits);
        true
    });
    result.prefer_ints(limits);
    result
}

pub fn sunion(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let limits = limits(ctx);
    let sources = sources(&mut ctx.engine.keyspace, ctx.session.db, &args[1..])?;
    let out = &mut *ctx.out;
    let sets: SmallVec<[&Set; 8]> = sources.iter().copied().flatten().collect();
    match sets[..] {
        [] => out.set(0),
        [only] => reply_members(out, only),
        _ => {
            let largest = sets.iter().map(|set| set.len()).max().unwrap_or(0);
            let mut met = Set::with_capacity(largest, &limits);
            let header = out.defer();
            for set in sets {
                set.for_each(|member| {
                    if met.add_item(member, &limits) {
                        reply_item(out, member);
                    }
                });
            }
            out.fill_set(header, met.len());
        }
    }
    Ok(())
}

pub fn sunionstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let limits = limits(ctx);
    let sources = sources(&mut ctx.engine.keyspace, ctx.session.db, &args[2..])?;
    let mut result = Set::Ints(Intset::new());
    for set in sources.into_iter().flatten() {
        set.for_each(|member| {
            result.add_item(member, &limits);
        });
    }
    store(ctx, args[1], Some(result), "sunionstore");
    Ok(())
}

/// How a difference is found.
enum DiffPlan<'a> {
    Empty,
    /// Ask all other sets, the biggest first, for each member of the first one.
    Ask(&'a Set, SmallVec<[&'a Set; 8]>),
    /// Copy the first set and take the members of the others out.
    TakeOut(&'a Set, SmallVec<[&'a Set; 8]>),
}

impl<'a> DiffPlan<'a> {
    fn new(sources: &Sources<'a>) -> DiffPlan<'a> {
        let Some(first) = sources.first().copied().flatten() else {
            return DiffPlan::Empty;
        };
        let mut others: SmallVec<[&Set; 8]> = sources[1..].iter().copied().flatten().collect();
        if others.iter().any(|set| std::ptr::eq(*set, first)) {
            return DiffPlan::Empty;
        }
        // Asking stops at the first set that has the member, hence the half.
        let asking = first.len() * (others.len() + 1) / 2;
        let taking_out = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
        if asking <= taking_out {
            others.sort_by_key(|set| Reverse(set.len()));
            DiffPlan::Ask(first, others)
        } else {
            DiffPlan::TakeOut(first, others)
        }
    }

    /// Shows `visit` the members of the difference; not for `TakeOut`.
    fn ask(first: &'a Set, others: &[&Set], mut visit: impl FnMut(Item<'a>)) {
        first.for_each(|member| {
            if !others.iter().any(|set| set.contains_item(member)) {
                visit(member);
            }
        });
    }

    fn take_out(mut result: Set, first: &Set, others: &[&Set], limits: &SetLimits) -> Set {
        first.for_each(|member| result.add_new_item(member, limits));
        for set in others {
            set.for_each(|member| {
                result.remove_item(member);
            });
            if result.is_empty() {
                break;
            }
        }
        result
    }
}

pub fn sdiff(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let limits = limits(ctx);
    let sources = sources(&mut ctx.engine.keyspace, ctx.session.db, &args[1..])?;
    let out = &mut *ctx.out;
    match DiffPlan::new(&sources) {
        DiffPlan::Empty => out.set(0),
        DiffPlan::Ask(first, others) => {
            let (header, mut count) = (out.defer(), 0);
            DiffPlan::ask(first, &others, |member| {
                reply_item(out, member);
                count += 1;
            });
            out.fill_set(header, count);
        }
        DiffPlan::TakeOut(first, others) => {
            let empty = Set::with_capacity(first.len(), &limits);
            reply_members(out, &DiffPlan::take_out(empty, first, &others, &limits));
        }
    }
    Ok(())
}

pub fn sdiffstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let limits = limits(ctx);
    let sources = sources(&mut ctx.engine.keyspace, ctx.session.db, &args[2..])?;
    let mut result = Set::Ints(Intset::new());
    match DiffPlan::new(&sources) {
        DiffPlan::Empty => {}
        DiffPlan::Ask(first, others) => {
            DiffPlan::ask(first, &others, |member| {
                result.add_new_item(member, &limits)
            });
        }
        DiffPlan::TakeOut(first, others) => {
            result = DiffPlan::take_out(result, first, &others, &limits);
        }
    }
    drop(sources);
    store(ctx, args[1], Some(result), "sdiffstore");
    Ok(())
}

/// Stores a result, or deletes the key if there is nothing in it, and replies with its size.
fn store(ctx: &mut Ctx<'_>, key: &[u8], result: Option<Set>, event: &'static str) {
    let db = ctx.db();
    match result.filter(|set| !set.is_empty()) {
        Some(set) => {
            ctx.out.integer(set.len() as i64);
            ctx.keys().put(db, key, set.wrap(), None);
            ctx.modified(key);
            ctx.notify(NotifyClass::SET, event, key);
        }
        None => {
            ctx.out.integer(0);
            if ctx.keys().delete(db, key) {
                ctx.modified(key);
                ctx.notify(NotifyClass::GENERIC, "del", key);
            }
        }
    }
}
