//! SPOP, SRANDMEMBER and SSCAN.
//!
//! SPOP goes out as the SREM (or DEL) of what it happened to take.
//! Tests: the reference suite's `unit/type/set` and `unit/scan`.

use super::{changed, delete_emptied, limits, reply_members};
use crate::cmd::items::{RandomCount, reply_item, scan_rounds};
use crate::cmd::scan_args::{ScanArgs, parse_cursor};
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, texts};
use keyspace::set::Set;
use keyspace::{Garbage, Kind};
use structures::listpack::{IntBuf, Item};

/// Members in one SREM that stands for a part of a SPOP.
const EFFECT_BATCH: usize = 1024;

pub fn spop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 => pop_one(ctx, args[1]),
        3 => {
            let count = resp::parse_i64(args[2]).and_then(|count| usize::try_from(count).ok());
            pop_many(ctx, args[1], count.ok_or(texts::MUST_BE_POSITIVE)?)
        }
        _ => Err(texts::SYNTAX),
    }
}

fn pop_one(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let db = ctx.db();
    let set = ctx.engine.keyspace.get_mut::<Set>(db, key)?;
    let (popped, emptied) = match set {
        Some(set) => (set.pop(&mut ctx.engine.rng), set.is_empty()),
        None => (None, false),
    };
    let Some(popped) = popped else {
        ctx.out.null();
        return Ok(());
    };
    changed(ctx, key, "spop", 1);
    reply_item(ctx.out, popped.item());
    ctx.propagate_as(&[b"SREM", key, popped.item().as_bytes(&mut IntBuf::new())]);
    if emptied {
        delete_emptied(ctx, key);
    }
    Ok(())
}

fn pop_many(ctx: &mut Ctx<'_>, key: &[u8], count: usize) -> Outcome {
    let limits = limits(ctx);
    let db = ctx.db();
    let set = match ctx.engine.keyspace.get_mut::<Set>(db, key)? {
        Some(set) if count > 0 => set,
        _ => {
            ctx.out.set(0);
            return Ok(());
        }
    };
    let len = set.len();
    if count >= len {
        reply_members(ctx.out, set);
        changed(ctx, key, "spop", len);
        delete_emptied(ctx, key);
        let verb: &[u8] = if ctx.settings().lazyfree_server_del {
            b"UNLINK"
        } else {
            b"DEL"
        };
        ctx.propagate_as(&[verb, key]);
        return Ok(());
    }
    ctx.out.set(count);
    let (out, propagates) = (&mut *ctx.out, ctx.engine.effects.enabled);
    let mut taken: Vec<Vec<u8>> = Vec::new();
    let rest = set.pop_many(count, &mut ctx.engine.rng, &limits, |member| {
        reply_item(out, member);
        if propagates {
            taken.push(member.to_vec());
        }
    });
    let rest = rest.map(|rest| Garbage::Value(rest.wrap()));
    ctx.keys().garbage.extend(rest);
    changed(ctx, key, "spop", count);
    for batch in taken.chunks(EFFECT_BATCH) {
        let mut effect: Vec<&[u8]> = vec![b"SREM", key];
        effect.extend(batch.iter().map(Vec::as_slice));
        ctx.propagate_as(&effect);
    }
    Ok(())
}

pub fn srandmember(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let wanted = match args.len() {
        2 => None,
        3 => Some(RandomCount::parse(args[2])?),
        _ => return Err(texts::SYNTAX),
    };
    let max_bytes = ctx.reply_max_bytes();
    let (out, rng) = (&mut *ctx.out, &mut ctx.engine.rng);
    let set = ctx.engine.keyspace.get::<Set>(ctx.session.db, args[1])?;
    let Some(wanted) = wanted else {
        match set.and_then(|set| set.random(rng)) {
            Some(member) => reply_item(out, member),
            None => out.null(),
        }
        return Ok(());
    };
    let count = wanted.count;
    let set = match set {
        Some(set) if count > 0 => set,
        _ => {
            out.empty_array();
            return Ok(());
        }
    };
    if wanted.is_drawn() {
        out.array(count);
        let mut left = count;
        set.draw(rng, |member| {
            reply_item(out, member);
            left -= 1;
            left > 0 && out.len() <= max_bytes
        });
    } else {
        out.array(count.min(set.len()));
        set.sample(count, rng, |member| reply_item(out, member));
    }
    Ok(())
}

pub fn sscan(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let cursor = parse_cursor(args[2])?;
    let Some(set) = ctx.engine.keyspace.get::<Set>(ctx.session.db, args[1])? else {
        ctx.out.array(2);
        ctx.out.bulk(b"0");
        ctx.out.empty_array();
        return Ok(());
    };
    let scan = ScanArgs::parse(args, 3, false)?.refuse_novalues()?;
    let mut found: Vec<Item<'_>> = Vec::new();
    let mut text = IntBuf::new();
    let next = scan_rounds(cursor, scan.count, |at| {
        let mut met = 0;
        let next = set.scan(at, |member| {
            met += 1;
            if scan.matches(member.as_bytes(&mut text)) {
                found.push(member);
            }
        });
        (next, met)
    });
    ctx.out.array(2);
    ctx.out.bulk(next.to_string().as_bytes());
    ctx.out.array(found.len());
    found
        .into_iter()
        .for_each(|member| reply_item(ctx.out, member));
    Ok(())
}
