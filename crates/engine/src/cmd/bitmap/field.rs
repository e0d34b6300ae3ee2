//! BITFIELD and BITFIELD_RO: integers of 1 to 64 bits anywhere in a string.
//!
//! Arithmetic is done in 128 bits, where nothing overflows; whether the result fits the field is
//! then a comparison.
//!
//! Tests: at the bottom.

use super::{BAD_OFFSET, bits, check_offset};
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::IntText;
use keyspace::journal::NotifyClass;
use smallvec::SmallVec;
use std::ops::Range;

pub fn bitfield(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let steps = parse(ctx, &args[2..])?;
    if steps.iter().any(Step::writes) {
        write(ctx, args[1], &steps)
    } else {
        read(ctx, args[1], &steps)
    }
}

pub fn bitfield_ro(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let steps = parse(ctx, &args[2..])?;
    if steps.iter().any(Step::writes) {
        return Err(ReplyError::new(
            "ERR BITFIELD_RO only supports the GET subcommand",
        ));
    }
    read(ctx, args[1], &steps)
}

fn read(ctx: &mut Ctx<'_>, key: &[u8], steps: &[Step]) -> Outcome {
    let mut text = IntText::new();
    let string = ctx.engine.keyspace.string(ctx.session.db, key)?;
    let bytes = string.as_ref().map_or(&b""[..], |s| s.as_bytes(&mut text));
    ctx.out.array(steps.len());
    for step in steps {
        ctx.out.integer(step.field.load(bytes));
    }
    Ok(())
}

fn write(ctx: &mut Ctx<'_>, key: &[u8], steps: &[Step]) -> Outcome {
    let changes: SmallVec<[Range<usize>; 4]> = steps
        .iter()
        .filter(|s| s.writes())
        .map(|s| s.field.byte_range())
        .collect();
    let keyspace = &mut ctx.engine.keyspace;
    let buffer = keyspace.string_buffer(ctx.session.db, key, &changes)?;
    let len = changes.iter().map(|range| range.end).max().unwrap_or(0);
    let grows = len > buffer.len();
    if grows {
        buffer.resize(len);
    }
    let mut changes = 0;
    ctx.out.array(steps.len());
    for step in steps {
        let old = step.field.load(buffer);
        let Some((new, reply)) = step.apply(old) else {
            ctx.out.null();
            continue;
        };
        ctx.out.integer(reply);
        if step.writes() {
            step.field.save(buffer, new);
            changes += u64::from(grows || old != new);
        }
    }
    if changes > 0 {
        ctx.modified(key);
        ctx.keys().journal.dirty += changes - 1;
        ctx.notify(NotifyClass::STRING, "setbit", key);
    } else if grows {
        // Every step overflowed, but the string is longer now. Redis forgets to propagate that.
        ctx.modified(key);
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    offset: u64,
    width: u32,
    signed: bool,
}

impl Field {
    fn byte_range(&self) -> Range<usize> {
        let end = self.offset + u64::from(self.width);
        (self.offset / 8) as usize..end.div_ceil(8) as usize
    }

    fn load(&self, bytes: &[u8]) -> i64 {
        self.wrap(i128::from(bits::get_field(bytes, self.offset, self.width)))
    }

    fn save(&self, bytes: &mut [u8], value: i64) {
        bits::set_field(bytes, self.offset, self.width, value as u64);
    }

    fn limits(&self) -> (i128, i128) {
        if self.signed {
            let half = 1i128 << (self.width - 1);
            (-half, half - 1)
        } else {
            (0, (1i128 << self.width) - 1)
        }
    }

    /// The value that the low bits of `value` mean here. Unsigned fields are below 64 bits.
    fn wrap(&self, value: i128) -> i64 {
        let spare = 64 - self.width;
        let shifted = (value as u64) << spare;
        if self.signed {
            shifted as i64 >> spare
        } else {
            (shifted >> spare) as i64
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64, Overflow),
    IncrBy(i64, Overflow),
}

#[derive(Clone, Copy, Debug)]
struct Step {
    field: Field,
    action: Action,
}

impl Step {
    fn writes(&self) -> bool {
        self.action != Action::Get
    }

    /// What to store and what to reply; nothing if it overflows and must not.
    fn apply(&self, old: i64) -> Option<(i64, i64)> {
        let (target, overflow) = match self.action {
            Action::Get => return Some((old, old)),
            Action::Set(value, overflow) if self.field.signed => (i128::from(value), overflow),
            // A negative number is a huge one here, so that saturating gives the maximum.
            Action::Set(value, overflow) => (i128::from(value as u64), overflow),
            Action::IncrBy(delta, overflow) => (i128::from(old) + i128::from(delta), overflow),
        };
        let (min, max) = self.field.limits();
        let fits = (min..=max).contains(&target);
        let new = match overflow {
            Overflow::Fail if !fits => return None,
            Overflow::Saturate => target.clamp(min, max) as i64,
            Overflow::Wrap | Overflow::Fail => self.field.wrap(target),
        };
        Some((
            new,
            if matches!(self.action, Action::Set(..)) {
                old
            } else {
                new
            },
        ))
    }
}

fn parse(ctx: &Ctx<'_>, args: Args<'_>) -> Result<SmallVec<[Step; 4]>, ReplyError> {
    let mut steps = SmallVec::new();
    let mut overflow = Overflow::Wrap;
    let mut rest = args;
    while let Some((name, more)) = rest.split_first() {
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        let (used, set) = match more.len() {
            2.. if is("GET") => (2, false),
            3.. if is("SET") => (3, true),
            3.. if is("INCRBY") => (3, false),
            1.. if is("OVERFLOW") => {
                overflow = parse_overflow(more[0])?;
                rest = &more[1..];
                continue;
            }
            _ => return Err(texts::SYNTAX),
        };
        let field = parse_field(ctx, more[0], more[1])?;
        let mut action = Action::Get;
        if used == 3 {
            let number = resp::parse_i64(more[2]).ok_or(texts::NOT_AN_INTEGER)?;
            action = if set {
                Action::Set(number, overflow)
            } else {
                Action::IncrBy(number, overflow)
            };
        }
        steps.push(Step { field, action });
        rest = &more[used..];
    }
    Ok(steps)
}

fn parse_overflow(name: &[u8]) -> Result<Overflow, ReplyError> {
    let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
    if is("WRAP") {
        Ok(Overflow::Wrap)
    } else if is("SAT") {
        Ok(Overflow::Saturate)
    } else if is("FAIL") {
        Ok(Overflow::Fail)
    } else {
        Err(ReplyError::new("ERR Invalid OVERFLOW type specified"))
    }
}

/// A type such as `i16` or `u8`, and an offset: of a bit, or `#n` for the n-th such integer.
fn parse_field(ctx: &Ctx<'_>, kind: &[u8], offset: &[u8]) -> Result<Field, ReplyError> {
    let (signed, width) = parse_type(kind).ok_or(ReplyError::new(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    ))?;
    let (digits, scale) = match offset {
        [b'#', digits @ ..] => (digits, i64::from(width)),
        digits => (digits, 1),
    };
    let offset = resp::parse_i64(digits)
        .and_then(|n| n.checked_mul(scale))
        .ok_or(BAD_OFFSET)?;
    Ok(Field {
        offset: check_offset(ctx, offset)?,
        width,
        signed,
    })
}

fn parse_type(text: &[u8]) -> Option<(bool, u32)> {
    let (signed, digits, width_max) = match text {
        [b'i', digits @ ..] => (true, digits, 64),
        [b'u', digits @ ..] => (false, digits, 63),
        _ => return None,
    };
    let width = resp::parse_i64(digits).filter(|width| (1..=width_max).contains(width))?;
    Some((signed, width as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: &[u8], action: Action) -> Step {
        let (signed, width) = parse_type(kind).unwrap();
        Step {
            field: Field {
                offset: 0,
                width,
                signed,
            },
            action,
        }
    }

    #[test]
    fn types_are_checked() {
        assert_eq!(parse_type(b"i64"), Some((true, 64)));
        assert_eq!(parse_type(b"u63"), Some((false, 63)));
        for text in [
            &b"u64"[..],
            b"i65",
            b"i0",
            b"u-1",
            b"u+1",
            b"8",
            b"",
            b"I8",
            b"u8\0",
        ] {
            assert_eq!(parse_type(text), None, "{text:?}");
        }
    }

    #[test]
    fn overflow_wraps_saturates_or_fails() {
        let incr = |kind, old, delta, overflow| {
            step(kind, Action::IncrBy(delta, overflow))
                .apply(old)
                .map(|(new, _)| new)
        };
        assert_eq!(incr(b"u8", 250, 10, Overflow::Wrap), Some(4));
        assert_eq!(incr(b"u8", 250, 10, Overflow::Saturate), Some(255));
        assert_eq!(incr(b"u8", 250, 10, Overflow::Fail), None);
        assert_eq!(incr(b"u8", 5, -10, Overflow::Saturate), Some(0));
        assert_eq!(incr(b"i8", 120, 10, Overflow::Wrap), Some(-126));
        assert_eq!(incr(b"i8", -120, -10, Overflow::Saturate), Some(-128));
        assert_eq!(incr(b"i64", i64::MAX, 1, Overflow::Wrap), Some(i64::MIN));
        assert_eq!(
            incr(b"i64", i64::MIN, -1, Overflow::Saturate),
            Some(i64::MIN)
        );
        assert_eq!(incr(b"u63", i64::MAX, 1, Overflow::Wrap), Some(0));
    }

    /// Observed: storing a negative number in an unsigned field saturates at the top.
    #[test]
    fn setting_replies_with_the_old_value() {
        assert_eq!(
            step(b"u8", Action::Set(-1, Overflow::Saturate)).apply(7),
            Some((255, 7))
        );
        assert_eq!(
            step(b"u8", Action::Set(257, Overflow::Wrap)).apply(7),
            Some((1, 7))
        );
        assert_eq!(
            step(b"i8", Action::Set(-129, Overflow::Fail)).apply(7),
            None
        );
    }
}
