//! The set commands on single members. Random members and SSCAN are in `walk`, operations on several
//! sets in `algebra`.
//!
//! Tests: the reference suite's `unit/type/set`.

mod algebra;
mod walk;

pub use algebra::{sdiff, sdiffstore, sinter, sintercard, sinterstore, sunion, sunionstore};
pub use walk::{spop, srandmember, sscan};

use crate::cmd::items::reply_item;
use crate::ctx::{Args, Ctx};
use crate::error::Outcome;
use keyspace::journal::NotifyClass;
use keyspace::set::{Set, SetLimits};
use resp::Writer;

fn limits(ctx: &Ctx<'_>) -> SetLimits {
    ctx.engine.settings.set_limits(&ctx.engine.keyspace)
}

fn reply_members(out: &mut Writer, set: &Set) {
    out.set(set.len());
    set.for_each(|member| reply_item(out, member));
}

/// Notes that a command added or removed `count` members of the set at `key`.
fn changed(ctx: &mut Ctx<'_>, key: &[u8], event: &'static str, count: usize) {
    ctx.modified(key);
    ctx.keys().journal.dirty += count as u64 - 1;
    ctx.notify(NotifyClass::SET, event, key);
}

/// Deletes a set that a command has emptied.
fn delete_emptied(ctx: &mut Ctx<'_>, key: &[u8]) {
    let db = ctx.db();
    ctx.keys().delete(db, key);
    ctx.notify(NotifyClass::GENERIC, "del", key);
}

pub fn sadd(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let limits = limits(ctx);
    let (db, key, members) = (ctx.db(), args[1], &args[2..]);
    let set = ctx.engine.keyspace.get_or_create(db, key, || {
        Set::for_members(members[0], members.len(), &limits)
    })?;
    set.expect(members.len(), &limits);
    let added = members
        .iter()
        .filter(|member| set.add(member, &limits))
        .count();
    if added > 0 {
        changed(ctx, key, "sadd", added);
    }
    ctx.out.integer(added as i64);
    Ok(())
}

pub fn srem(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (db, key) = (ctx.db(), args[1]);
    let Some(set) = ctx.engine.keyspace.get_mut::<Set>(db, key)? else {
        ctx.out.integer(0);
        return Ok(());
    };
    let mut removed = 0;
    for member in &args[2..] {
        removed += usize::from(set.remove(member));
        if set.is_empty() {
            break;
        }
    }
    let emptied = set.is_empty();
    if removed > 0 {
        changed(ctx, key, "srem", removed);
    }
    if emptied {
        delete_emptied(ctx, key);
    }
    ctx.out.integer(removed as i64);
    Ok(())
}

pub fn smove(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let limits = limits(ctx);
    let (db, from, to, member) = (ctx.db(), args[1], args[2], args[3]);
    let keyspace = &mut ctx.engine.keyspace;
    if keyspace.peek(db, from).is_none() {
        ctx.out.integer(0);
        return Ok(());
    }
    keyspace.get_mut::<Set>(db, from)?;
    keyspace.get_mut::<Set>(db, to)?;
    let Some(source) = keyspace.get_mut::<Set>(db, from)? else {
        ctx.out.integer(0);
        return Ok(());
    };
    if from == to {
        ctx.out.integer(source.contains(member).into());
        return Ok(());
    }
    if !source.remove(member) {
        ctx.out.integer(0);
        return Ok(());
    }
    let emptied = source.is_empty();
    changed(ctx, from, "srem", 1);
    if emptied {
        delete_emptied(ctx, from);
    }
    let target = ctx
        .engine
        .keyspace
        .get_or_create(db, to, || Set::for_members(member, 1, &limits))?;
    if target.add(member, &limits) {
        changed(ctx, to, "sadd", 1);
    }
    ctx.out.integer(1);
    Ok(())
}

pub fn sismember(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let set = ctx.engine.keyspace.get::<Set>(ctx.session.db, args[1])?;
    ctx.out
        .integer(set.is_some_and(|set| set.contains(args[2])).into());
    Ok(())
}

pub fn smismember(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let set = ctx.engine.keyspace.get::<Set>(ctx.session.db, args[1])?;
    ctx.out.array(args.len() - 2);
    for member in &args[2..] {
        ctx.out
            .integer(set.is_some_and(|set| set.contains(member)).into());
    }
    Ok(())
}

pub fn scard(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let set = ctx.engine.keyspace.get::<Set>(ctx.session.db, args[1])?;
    ctx.out.integer(set.map_or(0, Set::len) as i64);
    Ok(())
}

pub fn smembers(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    match ctx.engine.keyspace.get::<Set>(ctx.session.db, args[1])? {
        Some(set) => reply_members(ctx.out, set),
        None => ctx.out.set(0),
    }
    Ok(())
}
