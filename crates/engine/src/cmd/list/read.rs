//! Reading: LLEN, LRANGE, LINDEX, LPOS.

use super::{parse_count, parse_int, parse_signed_count, resolve_range, write_item};
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use structures::list::List;

pub fn llen(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let list = ctx.engine.keyspace.get::<List>(ctx.session.db, args[1])?;
    ctx.out.integer(list.map_or(0, List::len) as i64);
    Ok(())
}

pub fn lrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (start, stop) = (parse_int(args[2])?, parse_int(args[3])?);
    let Some(list) = ctx.engine.keyspace.get::<List>(ctx.session.db, args[1])? else {
        ctx.out.empty_array();
        return Ok(());
    };
    let (start, count) = resolve_range(start, stop, list.len());
    ctx.out.array(count);
    list.range(start, count)
        .for_each(|item| write_item(ctx.out, item));
    Ok(())
}

/// A missing key answers before the index is judged, as in Redis.
pub fn lindex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Some(list) = ctx.engine.keyspace.get::<List>(ctx.session.db, args[1])? else {
        ctx.out.null();
        return Ok(());
    };
    match list.get(parse_int(args[2])?) {
        Some(item) => write_item(ctx.out, item),
        None => ctx.out.null(),
    }
    Ok(())
}

struct PosArgs {
    rank: i64,
    /// `None` asks for one position, not for an array of them; 0 for all.
    count: Option<usize>,
    /// 0 for no limit.
    compare_max: usize,
}

impl PosArgs {
    fn parse(options: Args<'_>) -> Result<PosArgs, ReplyError> {
        let mut parsed = PosArgs {
            rank: 1,
            count: None,
            compare_max: 0,
        };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            let value = options.next().ok_or(texts::SYNTAX)?;
            if option.eq_ignore_ascii_case(b"rank") {
                parsed.rank = parse_signed_count(value)?;
                if parsed.rank == 0 {
                    return Err(ReplyError::new(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
                    ));
                }
            } else if option.eq_ignore_ascii_case(b"count") {
                let error = ReplyError::new("ERR COUNT can't be negative");
                parsed.count = Some(parse_count(value, 0, error)?);
            } else if option.eq_ignore_ascii_case(b"maxlen") {
                let error = ReplyError::new("ERR MAXLEN can't be negative");
                parsed.compare_max = parse_count(value, 0, error)?;
            } else {
                return Err(texts::SYNTAX);
            }
        }
        Ok(parsed)
    }
}

pub fn lpos(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let PosArgs {
        rank,
        count,
        compare_max,
    } = PosArgs::parse(&args[3..])?;
    let list = ctx.engine.keyspace.get::<List>(ctx.session.db, args[1])?;
    let found = list.map_or_else(Vec::new, |list| {
        list.positions(args[2], rank, count.unwrap_or(1), compare_max)
    });
    match (count, found.first()) {
        (Some(_), _) => {
            ctx.out.array(found.len());
            found
                .iter()
                .for_each(|&index| ctx.out.integer(index as i64));
        }
        (None, Some(&index)) => ctx.out.integer(index as i64),
        (None, None) => ctx.out.null(),
    }
    Ok(())
}
