//! SET in all its forms, GETSET, GETEX and GETDEL.
//!
//! A plain SET is one arity test away from the keyspace. Whatever sets an expiry propagates with the
//! absolute time. A value whose time has already passed is not stored at all: the key goes, as it
//! would at the next look-up.
//!
//! Tests: `tests/strings.rs`.

use super::reply_string;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::journal::NotifyClass;
use keyspace::{ExpiredKeys, Expiry, IntText};

pub fn set(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 3 {
        store(ctx, args[1], args[2], Expiry::Clear);
        ctx.out.ok();
        return Ok(());
    }
    let options = SetOptions::parse(&args[3..])?;
    let expiry = match options.ttl {
        None => Expiry::Clear,
        Some(Ttl::Keep) => Expiry::Keep,
        // The parser took it for GETEX alone.
        Some(Ttl::Persist) => return Err(texts::SYNTAX),
        Some(Ttl::Time(time)) => Expiry::At(time.at_ms(ctx)?),
    };
    set_with(ctx, args, &options, expiry)
}

pub fn setex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let time = Time {
        text: args[2],
        unit: Unit::Seconds,
        relative: true,
    };
    set_until(ctx, args, time)
}

pub fn psetex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let time = Time {
        text: args[2],
        unit: Unit::Milliseconds,
        relative: true,
    };
    set_until(ctx, args, time)
}

pub fn setnx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let db = ctx.db();
    let absent = !ctx.keys().exists(db, args[1]);
    if absent {
        store(ctx, args[1], args[2], Expiry::Clear);
    }
    ctx.out.integer(i64::from(absent));
    Ok(())
}

pub fn getset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply_string(ctx, args[1])?;
    store(ctx, args[1], args[2], Expiry::Clear);
    ctx.propagate_as(&[b"SET", args[1], args[2]]);
    Ok(())
}

pub fn getdel(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let db = ctx.db();
    reply_string(ctx, args[1])?;
    if ctx.keys().delete(db, args[1]) {
        ctx.modified(args[1]);
        ctx.notify(NotifyClass::GENERIC, "del", args[1]);
        ctx.propagate_as(&[b"DEL", args[1]]);
    }
    Ok(())
}

pub fn getex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = SetOptions::parse_getex(&args[2..])?;
    let (db, key) = (ctx.db(), args[1]);
    if !reply_string(ctx, key)? {
        return Ok(());
    }
    match options.ttl {
        Some(Ttl::Time(time)) => {
            let at_ms = time.at_ms(ctx)?;
            if !time.relative && has_passed(ctx, at_ms) {
                delete_passed(ctx, key);
                return Ok(());
            }
            ctx.keys().set_expiry(db, key, Some(at_ms));
            ctx.modified(key);
            ctx.notify(NotifyClass::GENERIC, "expire", key);
            ctx.propagate_as(&[b"PEXPIREAT", key, IntText::new().format(at_ms)]);
        }
        Some(Ttl::Persist) => {
            if ctx
                .keys()
                .peek(db, key)
                .is_some_and(|e| e.expiry_ms().is_some())
            {
                ctx.keys().set_expiry(db, key, None);
                ctx.modified(key);
                ctx.notify(NotifyClass::GENERIC, "persist", key);
                ctx.propagate_as(&[b"PERSIST", key]);
            }
        }
        Some(Ttl::Keep) | None => {}
    }
    Ok(())
}

fn set_until(ctx: &mut Ctx<'_>, args: Args<'_>, time: Time<'_>) -> Outcome {
    let at_ms = time.at_ms(ctx)?;
    let (key, value) = (args[1], args[3]);
    if has_passed(ctx, at_ms) {
        delete_passed(ctx, key);
    } else {
        store_until(ctx, key, value, at_ms);
    }
    ctx.out.ok();
    Ok(())
}

fn set_with(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    options: &SetOptions<'_>,
    expiry: Expiry,
) -> Outcome {
    let (db, key, value) = (ctx.db(), args[1], args[2]);
    if options.get {
        reply_string(ctx, key)?;
    }
    let wanted = match options.condition {
        Condition::Always => true,
        Condition::Absent => !ctx.keys().exists(db, key),
        Condition::Present => ctx.keys().exists(db, key),
    };
    if !wanted {
        if !options.get {
            ctx.out.null();
        }
        return Ok(());
    }
    match expiry {
        Expiry::At(at_ms) if has_passed(ctx, at_ms) => delete_passed(ctx, key),
        Expiry::At(at_ms) => store_until(ctx, key, value, at_ms),
        Expiry::Clear | Expiry::Keep => {
            store(ctx, key, value, expiry);
            if options.get && ctx.engine.effects.enabled {
                // Replicas need no reply.
                let rest = args[3..].iter().filter(|a| !a.eq_ignore_ascii_case(b"GET"));
                let effect: Vec<&[u8]> = args[..3].iter().chain(rest).copied().collect();
                ctx.propagate_as(&effect);
            }
        }
    }
    if !options.get {
        ctx.out.ok();
    }
    Ok(())
}

/// Stores a string, whatever was there.
#[inline]
pub(super) fn store(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], expiry: Expiry) {
    let db = ctx.db();
    ctx.keys().set_string(db, key, value, expiry);
    ctx.modified(key);
    ctx.notify(NotifyClass::STRING, "set", key);
}

fn store_until(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], at_ms: i64) {
    store(ctx, key, value, Expiry::At(at_ms));
    ctx.notify(NotifyClass::GENERIC, "expire", key);
    if ctx.engine.effects.enabled {
        ctx.propagate_as(&[b"SET", key, value, b"PXAT", IntText::new().format(at_ms)]);
    }
}

/// Whether a key with that expiry would be deleted on sight. Never on a replica.
fn has_passed(ctx: &Ctx<'_>, at_ms: i64) -> bool {
    at_ms <= ctx.now_ms() && ctx.engine.keyspace.expired_keys == ExpiredKeys::Delete
}

/// What is left to do for a key whose new expiry has passed.
fn delete_passed(ctx: &mut Ctx<'_>, key: &[u8]) {
    let db = ctx.db();
    if ctx.keys().delete(db, key) {
        ctx.modified(key);
        ctx.notify(NotifyClass::GENERIC, "del", key);
        let name: &[u8] = if ctx.settings().lazyfree_expire {
            b"UNLINK"
        } else {
            b"DEL"
        };
        ctx.propagate_as(&[name, key]);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Condition {
    Always,
    Absent,
    Present,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unit {
    Seconds,
    Milliseconds,
}

/// A point in time as a client gives it.
#[derive(Clone, Copy, Debug)]
struct Time<'a> {
    text: &'a [u8],
    unit: Unit,
    relative: bool,
}

impl Time<'_> {
    /// Unix milliseconds, always positive.
    fn at_ms(&self, ctx: &Ctx<'_>) -> Result<i64, ReplyError> {
        let number = resp::parse_i64(self.text).ok_or(texts::NOT_AN_INTEGER)?;
        let base_ms = if self.relative { ctx.now_ms() } else { 0 };
        let scale = if self.unit == Unit::Seconds { 1000 } else { 1 };
        (number > 0)
            .then(|| number.checked_mul(scale)?.checked_add(base_ms))
            .flatten()
            .ok_or_else(|| {
                format!(
                    "ERR invalid expire time in '{}' command",
                    ctx.command.full_name()
                )
                .into()
            })
    }
}

#[derive(Clone, Copy, Debug)]
enum Ttl<'a> {
    Keep,
    Persist,
    Time(Time<'a>),
}

impl Ttl<'_> {
    /// Two options may only meet if they are the same one; the last counts.
    fn same_option(&self, other: &Ttl<'_>) -> bool {
        match (self, other) {
            (Ttl::Time(a), Ttl::Time(b)) => a.unit == b.unit && a.relative == b.relative,
            (Ttl::Keep, Ttl::Keep) | (Ttl::Persist, Ttl::Persist) => true,
            _ => false,
        }
    }
}

struct SetOptions<'a> {
    condition: Condition,
    get: bool,
    ttl: Option<Ttl<'a>>,
}

impl<'a> SetOptions<'a> {
    fn parse(args: Args<'a>) -> Result<Self, ReplyError> {
        Self::parse_for(args, false)
    }

    /// GETEX takes PERSIST and the times, nothing else.
    fn parse_getex(args: Args<'a>) -> Result<Self, ReplyError> {
        Self::parse_for(args, true)
    }

    fn parse_for(args: Args<'a>, getex: bool) -> Result<Self, ReplyError> {
        let mut options = SetOptions {
            condition: Condition::Always,
            get: false,
            ttl: None,
        };
        let mut rest = args.iter().copied();
        while let Some(word) = rest.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let mut time = |unit, relative| {
                Some(Ttl::Time(Time {
                    text: rest.next()?,
                    unit,
                    relative,
                }))
            };
            let ttl = if is("EX") {
                time(Unit::Seconds, true)
            } else if is("PX") {
                time(Unit::Milliseconds, true)
            } else if is("EXAT") {
                time(Unit::Seconds, false)
            } else if is("PXAT") {
                time(Unit::Milliseconds, false)
            } else if getex {
                is("PERSIST").then_some(Ttl::Persist)
            } else if is("NX") && options.condition != Condition::Present {
                options.condition = Condition::Absent;
                continue;
            } else if is("XX") && options.condition != Condition::Absent {
                options.condition = Condition::Present;
                continue;
            } else if is("GET") {
                options.get = true;
                continue;
            } else {
                is("KEEPTTL").then_some(Ttl::Keep)
            };
            let ttl = ttl.ok_or(texts::SYNTAX)?;
            if options
                .ttl
                .is_some_and(|earlier| !earlier.same_option(&ttl))
            {
                return Err(texts::SYNTAX);
            }
            options.ttl = Some(ttl);
        }
        Ok(options)
    }
}
