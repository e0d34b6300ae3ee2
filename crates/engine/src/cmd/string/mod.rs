//! The string commands. Tests: `tests/strings.rs`, and in each file.

mod edit;
mod lcs;
mod many;
mod number;
mod set;

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};
pub use edit::{append, getrange, setrange, strlen, substr};
use keyspace::Str;
pub use lcs::lcs;
pub use many::{mget, mset, msetnx};
pub use number::{decr, decrby, incr, incrby, incrbyfloat};
use resp::Writer;
pub use set::{getdel, getex, getset, psetex, set, setex, setnx};

pub fn get(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    reply_string(ctx, args[1])?;
    Ok(())
}

/// Replies with the string at `key`, or null; true if there is one.
#[inline]
fn reply_string(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<bool, ReplyError> {
    match ctx.engine.keyspace.string(ctx.session.db, key)? {
        None => {
            ctx.out.null();
            Ok(false)
        }
        Some(string) => {
            write_string(ctx.out, string);
            Ok(true)
        }
    }
}

#[inline]
fn write_string(out: &mut Writer, string: Str<'_>) {
    match string {
        Str::Int(n) => out.bulk_int(n),
        Str::Bytes(bytes) => out.bulk(bytes),
    }
}
