//! The sorted set commands, by family: `add` (ZADD, ZINCRBY), `read` (single members, counts),
//! `range` (ZRANGE and its older forms, ZRANGESTORE), `remove`, `pop` (with the blocking forms),
//! `combine` (ZUNION, ZINTER, ZDIFF), `random`, `scan`; `bounds` reads range arguments.
//!
//! The value is [`keyspace::sorted_set::SortedSet`]. Semantics, texts and order of complaints as
//! Redis 7.4. Tests: in the files, and the reference suite's `unit/type/zset`.

mod add;
mod bounds;
mod combine;
mod pop;
mod random;
mod range;
mod read;
mod remove;
mod scan;

pub use add::{zadd, zincrby};
pub use combine::{zdiff, zdiffstore, zinter, zintercard, zinterstore, zunion, zunionstore};
pub use pop::{bzmpop, bzpopmax, bzpopmin, zmpop, zpopmax, zpopmin};
pub use random::zrandmember;
pub use range::{
    zrange, zrangebylex, zrangebyscore, zrangestore, zrevrange, zrevrangebylex, zrevrangebyscore,
};
pub use read::{zcard, zcount, zlexcount, zmscore, zrank, zrevrank, zscore};
pub use remove::{zrem, zremrangebylex, zremrangebyrank, zremrangebyscore};
pub use scan::zscan;

use crate::ctx::Ctx;
use crate::engine::Engine;
use keyspace::Value;
use keyspace::journal::NotifyClass;
use keyspace::sorted_set::{SortedSet, SortedSetLimits};
use resp::{Version, Writer};
use structures::listpack::Item;

/// What decides encodings now.
fn limits(engine: &Engine) -> SortedSetLimits {
    engine.settings.sorted_set_limits(&engine.keyspace)
}

fn write_member(out: &mut Writer, member: Item<'_>) {
    match member {
        Item::Int(value) => out.bulk_int(value),
        Item::Str(text) => out.bulk(text),
    }
}

/// Members, or members with scores: flat in RESP2, in pairs in RESP3. `entries` yields `count`.
fn write_entries<'a>(
    out: &mut Writer,
    entries: impl Iterator<Item = (Item<'a>, f64)>,
    count: usize,
    with_scores: bool,
) {
    if !with_scores {
        out.array(count);
        return entries.for_each(|(member, _)| write_member(out, member));
    }
    let nested = out.version() == Version::V3;
    out.array(if nested { count } else { count * 2 });
    for (member, score) in entries {
        if nested {
            out.array(2);
        }
        write_member(out, member);
        out.double(score);
    }
}

/// What the STORE commands do with their result: it replaces whatever is at `key`, or, being
/// empty, removes it. Replies with its size.
fn store(ctx: &mut Ctx<'_>, key: &[u8], result: SortedSet, event: &'static str) {
    let db = ctx.db();
    let len = result.len();
    if len > 0 {
        ctx.keys().put(db, key, Value::SortedSet(result), None);
        ctx.modified(key);
        ctx.notify(NotifyClass::ZSET, event, key);
    } else if ctx.keys().delete(db, key) {
        ctx.modified(key);
        ctx.notify(NotifyClass::GENERIC, "del", key);
    }
    ctx.out.integer(len as i64);
}

/// A command took `removed` members out of the set at `key`, and left it `emptied` or not.
fn members_removed(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    removed: usize,
    emptied: bool,
    event: &'static str,
) {
    if removed == 0 {
        return;
    }
    let db = ctx.db();
    ctx.modified(key);
    ctx.keys().journal.dirty += removed as u64 - 1;
    ctx.notify(NotifyClass::ZSET, event, key);
    if emptied {
        ctx.keys().delete(db, key);
        ctx.notify(NotifyClass::GENERIC, "del", key);
    }
}
