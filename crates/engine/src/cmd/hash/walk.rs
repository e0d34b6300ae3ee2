//! HRANDFIELD and HSCAN.
//!
//! Tests: the reference suite's `unit/type/hash` and `unit/scan`.

use crate::cmd::items::{RandomCount, reply_item, scan_rounds};
use crate::cmd::scan_args::{ScanArgs, parse_cursor};
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::hash::{Hash, Pair};
use resp::{Version, Writer};
use structures::listpack::IntBuf;

const OUT_OF_RANGE: ReplyError = ReplyError::new("ERR value is out of range");

struct RandomArgs {
    wanted: RandomCount,
    with_values: bool,
}

impl RandomArgs {
    fn parse(args: Args<'_>) -> Result<RandomArgs, ReplyError> {
        let wanted = RandomCount::parse(args[2])?;
        let with_values = match args.len() {
            3 => false,
            4 if args[3].eq_ignore_ascii_case(b"withvalues") => true,
            _ => return Err(texts::SYNTAX),
        };
        if with_values && wanted.count > i64::MAX as usize / 2 {
            return Err(OUT_OF_RANGE);
        }
        Ok(RandomArgs {
            wanted,
            with_values,
        })
    }

    /// The header of a reply of `count` fields. RESP3 nests each field with its value.
    fn reply_header(&self, out: &mut Writer, count: usize) {
        let flat = self.with_values && out.version() == Version::V2;
        out.array(if flat { count * 2 } else { count });
    }

    fn reply_pair(&self, out: &mut Writer, (field, value): Pair<'_>) {
        if self.with_values && out.version() == Version::V3 {
            out.array(2);
        }
        reply_item(out, field);
        if self.with_values {
            reply_item(out, value);
        }
    }
}

pub fn hrandfield(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 2 {
        let hash = ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])?;
        match hash.and_then(|hash| hash.random(&mut ctx.engine.rng)) {
            Some((field, _)) => reply_item(ctx.out, field),
            None => ctx.out.null(),
        }
        return Ok(());
    }
    let random = RandomArgs::parse(args)?;
    let RandomCount { count, .. } = random.wanted;
    let max_bytes = ctx.reply_max_bytes();
    let (out, rng) = (&mut *ctx.out, &mut ctx.engine.rng);
    let hash = match ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])? {
        Some(hash) if count > 0 => hash,
        _ => {
            out.empty_array();
            return Ok(());
        }
    };
    if random.wanted.is_drawn() {
        random.reply_header(out, count);
        let mut left = count;
        hash.draw(rng, |pair| {
            random.reply_pair(out, pair);
            left -= 1;
            left > 0 && out.len() <= max_bytes
        });
    } else {
        random.reply_header(out, count.min(hash.len()));
        hash.sample(count, rng, |pair| random.reply_pair(out, pair));
    }
    Ok(())
}

pub fn hscan(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let cursor = parse_cursor(args[2])?;
    let hash = ctx.engine.keyspace.get::<Hash>(ctx.session.db, args[1])?;
    let Some(hash) = hash else {
        ctx.out.array(2);
        ctx.out.bulk(b"0");
        ctx.out.empty_array();
        return Ok(());
    };
    let scan = ScanArgs::parse(args, 3, false)?;
    let mut found: Vec<Pair<'_>> = Vec::new();
    let mut text = IntBuf::new();
    let next = scan_rounds(cursor, scan.count, |at| {
        let mut met = 0;
        let next = hash.scan(at, |pair| {
            met += 1;
            if scan.matches(pair.0.as_bytes(&mut text)) {
                found.push(pair);
            }
        });
        (next, met)
    });
    ctx.out.array(2);
    ctx.out.bulk(next.to_string().as_bytes());
    ctx.out.array(if scan.novalues {
        found.len()
    } else {
        found.len() * 2
    });
    for (field, value) in found {
        reply_item(ctx.out, field);
        if !scan.novalues {
            reply_item(ctx.out, value);
        }
    }
    Ok(())
}
