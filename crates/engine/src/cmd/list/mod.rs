//! The list commands.
//!
//! `push` and `pop` work on the ends, `read` only reads, `edit` changes the inside, `transfer` moves
//! elements between lists, `blocking` has the forms that wait. An element's way is always one copy:
//! from the request into the list, from the list into the reply.
//!
//! Knows the order in which Redis notifies and what it counts as changes; does not know how a list
//! is stored (`structures::list`). To add a command: a function here, its arm in `dispatch`.
//! Tests: `tests/lists.rs`.

mod blocking;
mod edit;
mod pop;
mod push;
mod read;
mod transfer;

pub use blocking::{blmove, blmpop, blpop, brpop, brpoplpush};
pub use edit::{linsert, lrem, lset, ltrim};
pub use pop::{lmpop, lpop, rpop};
pub use push::{lpush, lpushx, rpush, rpushx};
pub use read::{lindex, llen, lpos, lrange};
pub use transfer::{lmove, rpoplpush};

use crate::ctx::Ctx;
use crate::error::{ReplyError, texts};
use keyspace::journal::NotifyClass;
use resp::Writer;
use structures::list::End;
use structures::listpack::Item;

/// LEFT or RIGHT.
fn parse_end(text: &[u8]) -> Result<End, ReplyError> {
    if text.eq_ignore_ascii_case(b"left") {
        Ok(End::Front)
    } else if text.eq_ignore_ascii_case(b"right") {
        Ok(End::Back)
    } else {
        Err(texts::SYNTAX)
    }
}

fn parse_int(text: &[u8]) -> Result<i64, ReplyError> {
    resp::parse_i64(text).ok_or(texts::NOT_AN_INTEGER)
}

/// A number that must have a negation (ranks, counts with a direction).
fn parse_signed_count(text: &[u8]) -> Result<i64, ReplyError> {
    match parse_int(text)? {
        i64::MIN => Err(ReplyError::new(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        )),
        number => Ok(number),
    }
}

/// A number of at least `least`; whatever else it is, the complaint is `error`.
fn parse_count(text: &[u8], least: i64, error: ReplyError) -> Result<usize, ReplyError> {
    match resp::parse_i64(text) {
        Some(count) if count >= least => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => Err(error),
    }
}

/// `start` and `stop` as LRANGE and LTRIM take them, for a list of `len` elements: the first index
/// and the number of elements, which is 0 for a range that is empty.
fn resolve_range(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let len = len as i64;
    let from_front = |index: i64| if index < 0 { index + len } else { index };
    let start = from_front(start).max(0);
    let stop = from_front(stop).min(len - 1);
    if start > stop {
        (0, 0)
    } else {
        (start as usize, (stop - start + 1) as usize)
    }
}

#[inline]
fn write_item(out: &mut Writer, item: Item<'_>) {
    match item {
        Item::Int(number) => out.bulk_int(number),
        Item::Str(text) => out.bulk(text),
    }
}

/// A list changed in `changes` ways, as Redis counts them.
#[inline]
fn changed(ctx: &mut Ctx<'_>, key: &[u8], changes: usize) {
    let db = ctx.session.db;
    let journal = &mut ctx.engine.keyspace.journal;
    journal.dirty += changes as u64;
    journal.touched(db, key);
}

/// `count` elements left the list at `key`: tells, and takes an empty list away.
fn after_removal(ctx: &mut Ctx<'_>, key: &[u8], event: &'static str, count: usize, is_empty: bool) {
    ctx.notify(NotifyClass::LIST, event, key);
    if is_empty {
        let db = ctx.db();
        ctx.keys().delete(db, key);
        ctx.notify(NotifyClass::GENERIC, "del", key);
    }
    changed(ctx, key, count);
}

fn pop_event(end: End) -> &'static str {
    match end {
        End::Front => "lpop",
        End::Back => "rpop",
    }
}

fn push_event(end: End) -> &'static str {
    match end {
        End::Front => "lpush",
        End::Back => "rpush",
    }
}
