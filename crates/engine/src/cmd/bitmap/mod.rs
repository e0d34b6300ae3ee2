//! The bitmap commands. A bitmap is a string; bit 0 is the highest bit of its first byte.
//!
//! Tests: in each file.

mod bits;
mod field;
mod op;
mod range;

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError};
pub use field::{bitfield, bitfield_ro};
use keyspace::IntText;
use keyspace::journal::NotifyClass;
pub use op::bitop;
pub use range::{bitcount, bitpos};
use std::slice::from_ref;

pub fn getbit(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let offset = parse_offset(ctx, args[2])?;
    let mut text = IntText::new();
    let string = ctx.engine.keyspace.string(ctx.session.db, args[1])?;
    let bytes = string.as_ref().map_or(&b""[..], |s| s.as_bytes(&mut text));
    let byte = bytes.get((offset >> 3) as usize).copied().unwrap_or(0);
    ctx.out.integer(i64::from(byte & mask_of(offset) != 0));
    Ok(())
}

pub fn setbit(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let offset = parse_offset(ctx, args[2])?;
    let on = match resp::parse_i64(args[3]) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(ReplyError::new("ERR bit is not an integer or out of range")),
    };
    let (db, key) = (ctx.db(), args[1]);
    let index = (offset >> 3) as usize;
    let change = index..index + 1;
    let buffer = ctx.keys().string_buffer(db, key, from_ref(&change))?;
    let grows = index >= buffer.len();
    if grows {
        buffer.resize(index + 1);
    }
    let byte = &mut buffer[index];
    let mask = mask_of(offset);
    let was = *byte & mask != 0;
    if on {
        *byte |= mask;
    } else {
        *byte &= !mask;
    }
    if grows || was != on {
        ctx.modified(key);
        ctx.notify(NotifyClass::STRING, "setbit", key);
    }
    ctx.out.integer(i64::from(was));
    Ok(())
}

fn mask_of(offset: u64) -> u8 {
    0x80 >> (offset & 7)
}

const BAD_OFFSET: ReplyError = ReplyError::new("ERR bit offset is not an integer or out of range");

fn parse_offset(ctx: &Ctx<'_>, text: &[u8]) -> Result<u64, ReplyError> {
    let offset = resp::parse_i64(text).ok_or(BAD_OFFSET)?;
    check_offset(ctx, offset)
}

/// A bit must lie within the largest string a client may make.
fn check_offset(ctx: &Ctx<'_>, offset: i64) -> Result<u64, ReplyError> {
    if offset >> 3 >= ctx.settings().proto_max_bulk_len {
        return Err(BAD_OFFSET);
    }
    u64::try_from(offset).map_err(|_| BAD_OFFSET)
}
