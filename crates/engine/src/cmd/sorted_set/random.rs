//! ZRANDMEMBER. Ranks are drawn, so every member has exactly the same chance.

use super::{write_entries, write_member};
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::rng::Rng;
use keyspace::sorted_set::SortedSet;
use resp::{Version, Writer};
use std::collections::BTreeSet;

pub fn zrandmember(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let sample = match args.get(2) {
        None => None,
        Some(count) => Some(Sample::parse(count, &args[3..])?),
    };
    let set = ctx
        .engine
        .keyspace
        .get::<SortedSet>(ctx.session.db, args[1])?;
    let rng = &mut ctx.engine.rng;
    match (set, sample) {
        (None, None) => ctx.out.null(),
        (None, Some(_)) => ctx.out.empty_array(),
        (Some(set), None) => {
            if let Some((member, _)) = set.at(rng.below(set.len() as u64) as usize) {
                write_member(ctx.out, member);
            }
        }
        (Some(set), Some(sample)) => sample.reply(ctx.out, set, rng),
    }
    Ok(())
}

struct Sample {
    count: usize,
    /// The same member may come several times.
    repeating: bool,
    with_scores: bool,
}

impl Sample {
    fn parse(count: &[u8], options: Args<'_>) -> Result<Sample, ReplyError> {
        const OUT_OF_RANGE: ReplyError = ReplyError::new(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        );
        let count = resp::parse_i64(count).ok_or(texts::NOT_AN_INTEGER)?;
        if count == i64::MIN {
            return Err(OUT_OF_RANGE);
        }
        let with_scores = match options {
            [] => false,
            [option] if option.eq_ignore_ascii_case(b"withscores") => true,
            _ => return Err(texts::SYNTAX),
        };
        let magnitude = count.unsigned_abs();
        if with_scores && magnitude > i64::MAX as u64 / 2 {
            return Err(ReplyError::new("ERR value is out of range"));
        }
        Ok(Sample {
            count: magnitude as usize,
            repeating: count < 0,
            with_scores,
        })
    }

    fn reply(&self, out: &mut Writer, set: &SortedSet, rng: &mut Rng) {
        let len = set.len();
        if self.repeating {
            return self.reply_repeating(out, set, rng);
        }
        let count = self.count.min(len);
        if count == len {
            return write_entries(out, set.iter(), count, self.with_scores);
        }
        if set.is_packed() || count > len / 3 {
            // One walk: each member is taken with the chance that the number still wanted has
            // among those still to come.
            let (mut wanted, mut left) = (count as u64, len as u64);
            let chosen = set.iter().filter(|_| {
                let take = rng.below(left) < wanted;
                left = (left - 1).max(1);
                wanted -= u64::from(take);
                take
            });
            return write_entries(out, chosen, count, self.with_scores);
        }
        let mut ranks = BTreeSet::new();
        while ranks.len() < count {
            ranks.insert(rng.below(len as u64) as usize);
        }
        let chosen = ranks.into_iter().filter_map(|rank| set.at(rank));
        write_entries(out, chosen, count, self.with_scores);
    }

    fn reply_repeating(&self, out: &mut Writer, set: &SortedSet, rng: &mut Rng) {
        let nested = self.with_scores && out.version() == Version::V3;
        let doubled = self.with_scores && !nested;
        out.array(if doubled { self.count * 2 } else { self.count });
        for _ in 0..self.count {
            let Some((member, score)) = set.at(rng.below(set.len() as u64) as usize) else {
                return;
            };
            if nested {
                out.array(2);
            }
            write_member(out, member);
            if self.with_scores {
                out.double(score);
            }
        }
    }
}
