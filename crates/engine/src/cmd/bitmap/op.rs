//! BITOP.
//!
//! The result is built tile by tile: all sources of a tile are combined while it is in the cache,
//! each source being looked up again per tile, because the keyspace lends one value at a time.
//!
//! Tests: `bits.rs` for the combining, the reference suite for the command.

use super::bits::{BitOp, combine};
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::journal::NotifyClass;
use keyspace::{Expiry, IntText};
use structures::bytes::ThinBytes;

/// Half of a usual first-level cache, so that the sources fit beside it.
const TILE_BYTES: usize = 16 * 1024;

pub fn bitop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let op = parse_op(args[1])?;
    let (target, sources) = (args[2], &args[3..]);
    if op == BitOp::Not && sources.len() != 1 {
        return Err(ReplyError::new(
            "ERR BITOP NOT must be called with a single source key.",
        ));
    }
    let db = ctx.db();
    let mut len = 0;
    for key in sources {
        len = len.max(ctx.keys().string(db, key)?.map_or(0, |s| s.len()));
    }
    if len > 0 {
        let result = combined(ctx, op, sources, len);
        ctx.keys().set_buffer(db, target, result, Expiry::Clear);
        ctx.modified(target);
        ctx.notify(NotifyClass::STRING, "set", target);
    } else if ctx.keys().delete(db, target) {
        ctx.modified(target);
        ctx.notify(NotifyClass::GENERIC, "del", target);
    }
    ctx.out.integer(len as i64);
    Ok(())
}

fn parse_op(name: &[u8]) -> Result<BitOp, ReplyError> {
    let ops: [(&[u8], BitOp); 4] = [
        (b"AND", BitOp::And),
        (b"OR", BitOp::Or),
        (b"XOR", BitOp::Xor),
        (b"NOT", BitOp::Not),
    ];
    let found = ops.iter().find(|(text, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, op)| *op).ok_or(texts::SYNTAX)
}

/// The sources, known to be strings of up to `len` bytes, combined.
fn combined(ctx: &mut Ctx<'_>, op: BitOp, sources: Args<'_>, len: usize) -> ThinBytes {
    let db = ctx.db();
    let mut result = ThinBytes::zeroed(len);
    for (tile, target) in result.chunks_mut(TILE_BYTES).enumerate() {
        let start = tile * TILE_BYTES;
        for (index, key) in sources.iter().enumerate() {
            let mut text = IntText::new();
            let string = ctx.keys().peek(db, key).and_then(|entry| entry.string());
            let bytes = string.as_ref().map_or(&b""[..], |s| s.as_bytes(&mut text));
            let part = bytes.get(start..).unwrap_or_default();
            let part = &part[..part.len().min(target.len())];
            // The tile starts as zeros, to which the first source is added.
            let op = if index == 0 && op != BitOp::Not {
                BitOp::Or
            } else {
                op
            };
            combine(op, target, part);
        }
    }
    result
}
