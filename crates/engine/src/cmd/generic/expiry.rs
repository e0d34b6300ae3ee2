//! Expiry of keys: EXPIRE and its kin, PERSIST, TTL, EXPIRETIME and their millisecond forms.
//!
//! Everything is turned into Unix milliseconds once, when arguments are parsed. A time that is
//! already past deletes the key instead. Propagates as the absolute form.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::ExpiredKeys;
use keyspace::journal::NotifyClass;

/// What a command's number means.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Scale {
    in_seconds: bool,
    is_relative: bool,
}

/// On which condition EXPIRE acts.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
struct Conditions {
    no_expiry: bool,
    has_expiry: bool,
    later: bool,
    earlier: bool,
}

impl Conditions {
    fn parse(options: &[&[u8]]) -> Result<Conditions, ReplyError> {
        let mut parsed = Conditions::default();
        for option in options {
            let flag = match option.to_ascii_lowercase().as_slice() {
                b"nx" => &mut parsed.no_expiry,
                b"xx" => &mut parsed.has_expiry,
                b"gt" => &mut parsed.later,
                b"lt" => &mut parsed.earlier,
                _ => {
                    let shown = option.split(|&b| b == 0).next().unwrap_or_default();
                    return Err(ReplyError::bytes(
                        [b"ERR Unsupported option ", shown].concat(),
                    ));
                }
            };
            *flag = true;
        }
        if parsed.no_expiry && (parsed.has_expiry || parsed.later || parsed.earlier) {
            return Err(ReplyError::new(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if parsed.later && parsed.earlier {
            return Err(ReplyError::new(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(parsed)
    }

    /// Whether an expiry may be replaced; no expiry counts as the latest of all.
    fn allow(self, current_ms: Option<i64>, new_ms: i64) -> bool {
        match current_ms {
            Some(now) => {
                !(self.no_expiry || self.later && new_ms <= now || self.earlier && new_ms >= now)
            }
            None => !self.has_expiry && !self.later,
        }
    }
}

/// The moment a command's number stands for, Unix milliseconds.
fn parse_moment(ctx: &Ctx<'_>, text: &[u8], scale: Scale) -> Result<i64, ReplyError> {
    let number = resp::parse_i64(text).ok_or(texts::NOT_AN_INTEGER)?;
    let ms = if scale.in_seconds {
        number.checked_mul(1000)
    } else {
        Some(number)
    };
    let base_ms = if scale.is_relative { ctx.now_ms() } else { 0 };
    ms.and_then(|ms| ms.checked_add(base_ms)).ok_or_else(|| {
        format!(
            "ERR invalid expire time in '{}' command",
            ctx.command.full_name()
        )
        .into()
    })
}

fn set_expiry(ctx: &mut Ctx<'_>, args: Args<'_>, scale: Scale) -> Outcome {
    let (db, key) = (ctx.db(), args[1]);
    let conditions = Conditions::parse(&args[3..])?;
    let at_ms = parse_moment(ctx, args[2], scale)?;

    let current = ctx.keys().peek(db, key).map(|entry| entry.expiry_ms());
    if !current.is_some_and(|current_ms| conditions.allow(current_ms, at_ms)) {
        ctx.out.integer(0);
        return Ok(());
    }
    // Where expired keys may not be deleted (loading, a replica), the time is kept as it is.
    if at_ms <= ctx.now_ms() && ctx.keys().expired_keys == ExpiredKeys::Delete {
        ctx.keys().delete(db, key);
        let deletion: &[u8] = if ctx.settings().lazyfree_expire {
            b"UNLINK"
        } else {
            b"DEL"
        };
        ctx.propagate_as(&[deletion, key]);
        ctx.modified(key);
        ctx.notify(NotifyClass::GENERIC, "del", key);
    } else {
        ctx.keys().set_expiry(db, key, Some(at_ms));
        if scale.in_seconds || scale.is_relative {
            let at = at_ms.to_string();
            let mut effect: Vec<&[u8]> = vec![b"PEXPIREAT", key, at.as_bytes()];
            effect.extend(&args[3..]);
            ctx.propagate_as(&effect);
        }
        ctx.modified(key);
        ctx.notify(NotifyClass::GENERIC, "expire", key);
    }
    ctx.out.integer(1);
    Ok(())
}

pub fn expire(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_expiry(
        ctx,
        args,
        Scale {
            in_seconds: true,
            is_relative: true,
        },
    )
}

pub fn expireat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_expiry(
        ctx,
        args,
        Scale {
            in_seconds: true,
            is_relative: false,
        },
    )
}

pub fn pexpire(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_expiry(
        ctx,
        args,
        Scale {
            in_seconds: false,
            is_relative: true,
        },
    )
}

pub fn pexpireat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_expiry(
        ctx,
        args,
        Scale {
            in_seconds: false,
            is_relative: false,
        },
    )
}

pub fn persist(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (db, key) = (ctx.db(), args[1]);
    let is_volatile = ctx
        .keys()
        .peek(db, key)
        .is_some_and(|entry| entry.expiry_ms().is_some());
    if is_volatile {
        ctx.keys().set_expiry(db, key, None);
        ctx.modified(key);
        ctx.notify(NotifyClass::GENERIC, "persist", key);
    }
    ctx.out.integer(i64::from(is_volatile));
    Ok(())
}

/// Replies -2 for no key, -1 for no expiry, else what `show` makes of the expiry.
fn reply_expiry(ctx: &mut Ctx<'_>, key: &[u8], show: impl FnOnce(i64, i64) -> i64) -> Outcome {
    let now_ms = ctx.now_ms();
    let reply = match ctx
        .engine
        .keyspace
        .look(ctx.session.db, key)
        .map(|entry| entry.expiry_ms())
    {
        None => -2,
        Some(None) => -1,
        Some(Some(at_ms)) => show(at_ms, now_ms),
    };
    ctx.out.integer(reply);
    Ok(())
}

/// Half seconds round up.
fn to_seconds(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}

/// A key that has expired but is still shown has nothing left.
fn left_ms(at_ms: i64, now_ms: i64) -> i64 {
    at_ms.saturating_sub(now_ms).max(0)
}

pub fn ttl(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply_expiry(ctx, args[1], |at_ms, now_ms| {
        to_seconds(left_ms(at_ms, now_ms))
    })
}

pub fn pttl(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply_expiry(ctx, args[1], left_ms)
}

pub fn expiretime(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply_expiry(ctx, args[1], |at_ms, _| to_seconds(at_ms))
}

pub fn pexpiretime(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply_expiry(ctx, args[1], |at_ms, _| at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_expiry_counts_as_the_latest() {
        let gt = Conditions {
            later: true,
            ..Conditions::default()
        };
        let lt = Conditions {
            earlier: true,
            ..Conditions::default()
        };
        assert!(!gt.allow(None, i64::MAX) && lt.allow(None, i64::MAX));
        assert!(gt.allow(Some(5), 6) && !gt.allow(Some(5), 5));
        assert!(lt.allow(Some(5), 4) && !lt.allow(Some(5), 5));
    }

    #[test]
    fn conditions_that_contradict_each_other_are_refused() {
        assert!(Conditions::parse(&[b"XX", b"gt"]).is_ok());
        assert!(Conditions::parse(&[b"nx", b"xx"]).is_err());
        assert!(Conditions::parse(&[b"gt", b"lt"]).is_err());
        let error = Conditions::parse(&[b"AB"]).expect_err("unknown");
        assert_eq!(error.text(), b"ERR Unsupported option AB");
    }
}
