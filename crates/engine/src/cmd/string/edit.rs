//! Parts of a string: GETRANGE, SUBSTR, STRLEN, APPEND, SETRANGE.
//!
//! Tests: `tests/strings.rs`.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::journal::NotifyClass;
use keyspace::{Expiry, IntText};
use std::slice::from_ref;

pub fn strlen(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let len = ctx
        .engine
        .keyspace
        .string(ctx.session.db, args[1])?
        .map_or(0, |s| s.len());
    ctx.out.integer(len as i64);
    Ok(())
}

pub fn getrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let start = resp::parse_i64(args[2]).ok_or(texts::NOT_AN_INTEGER)?;
    let end = resp::parse_i64(args[3]).ok_or(texts::NOT_AN_INTEGER)?;
    let mut text = IntText::new();
    let string = ctx.engine.keyspace.string(ctx.session.db, args[1])?;
    let bytes = string.as_ref().map_or(&b""[..], |s| s.as_bytes(&mut text));
    ctx.out.bulk(slice(bytes, start, end));
    Ok(())
}

/// The old name of GETRANGE.
pub fn substr(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    getrange(ctx, args)
}

/// Bytes `start` to `end`, both included; negative ones count from the end.
fn slice(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let len = bytes.len() as i64;
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let from_front = |at: i64| {
        if at < 0 {
            at.saturating_add(len).max(0)
        } else {
            at
        }
    };
    let (start, end) = (from_front(start), from_front(end).min(len - 1));
    if start > end {
        b""
    } else {
        &bytes[start as usize..=end as usize]
    }
}

pub fn append(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (db, key, tail) = (ctx.db(), args[1], args[2]);
    let len = match ctx.keys().string_to_change(db, key)?.map(|s| s.len()) {
        None => {
            ctx.keys().set_string(db, key, tail, Expiry::Clear);
            tail.len()
        }
        Some(len) => {
            check_len(ctx, len as i64, tail)?;
            let buffer = ctx.keys().string_buffer(db, key, &[])?;
            buffer.push_slice(tail);
            buffer.len()
        }
    };
    ctx.modified(key);
    ctx.notify(NotifyClass::STRING, "append", key);
    ctx.out.integer(len as i64);
    Ok(())
}

pub fn setrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (db, key, value) = (ctx.db(), args[1], args[3]);
    let offset = resp::parse_i64(args[2]).ok_or(texts::NOT_AN_INTEGER)?;
    if offset < 0 {
        return Err(ReplyError::new("ERR offset is out of range"));
    }
    if value.is_empty() {
        let len = ctx.keys().string_to_change(db, key)?.map_or(0, |s| s.len());
        ctx.out.integer(len as i64);
        return Ok(());
    }
    // A wrong type is told before a wrong length.
    ctx.keys().string_to_change(db, key)?;
    check_len(ctx, offset, value)?;
    let start = offset as usize;
    let end = start + value.len();
    let change = start..end;
    let buffer = ctx.keys().string_buffer(db, key, from_ref(&change))?;
    if buffer.len() < end {
        buffer.resize(end);
    }
    buffer[start..end].copy_from_slice(value);
    let len = buffer.len();
    ctx.modified(key);
    ctx.notify(NotifyClass::STRING, "setrange", key);
    ctx.out.integer(len as i64);
    Ok(())
}

/// Refuses a string that would exceed the largest value a client may send.
fn check_len(ctx: &Ctx<'_>, len: i64, more: &[u8]) -> Outcome {
    match len.checked_add(more.len() as i64) {
        Some(total) if total <= ctx.settings().proto_max_bulk_len => Ok(()),
        _ => Err(texts::STRING_TOO_LONG),
    }
}
