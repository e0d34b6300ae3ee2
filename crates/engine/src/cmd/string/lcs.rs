//! LCS: the longest common subsequence of two strings, by the usual table of lengths of prefixes.
//!
//! The way back through the table decides which of several longest subsequences is told, and is part
//! of the reply: on a tie the second string loses a byte. Only LEN does without the table and keeps
//! one row of it.
//!
//! Tests: at the bottom, against an independent search.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use resp::Writer;
use std::ops::Range;

#[derive(Default)]
struct LcsOptions {
    len: bool,
    idx: bool,
    match_len_min: usize,
    with_match_len: bool,
}

impl LcsOptions {
    fn parse(args: Args<'_>) -> Result<Self, ReplyError> {
        let mut options = LcsOptions::default();
        let mut rest = args.iter().copied();
        while let Some(word) = rest.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("IDX") {
                options.idx = true;
            } else if is("LEN") {
                options.len = true;
            } else if is("WITHMATCHLEN") {
                options.with_match_len = true;
            } else if is("MINMATCHLEN") {
                let text = rest.next().ok_or(texts::SYNTAX)?;
                let number = resp::parse_i64(text).ok_or(texts::NOT_AN_INTEGER)?;
                options.match_len_min = usize::try_from(number).unwrap_or(0);
            } else {
                return Err(texts::SYNTAX);
            }
        }
        if options.len && options.idx {
            return Err(ReplyError::new(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

pub fn lcs(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    // Redis looks at both keys before it complains of either, or of the options.
    let (a, b) = (operand(ctx, args[1]), operand(ctx, args[2]));
    let (a, b) = (a?, b?);
    let options = LcsOptions::parse(&args[3..])?;
    check_size(ctx, &a, &b)?;
    if options.len {
        ctx.out.integer(i64::from(common_length(&a, &b)));
        return Ok(());
    }
    let table = Table::fill(&a, &b)?;
    if options.idx {
        let matches = table.matches(&a, &b);
        let told: Vec<_> = matches
            .into_iter()
            .filter(|m| m.a.len() >= options.match_len_min)
            .collect();
        write_matches(ctx.out, &told, options.with_match_len, table.length());
    } else {
        ctx.out.bulk(&table.subsequence(&a, &b));
    }
    Ok(())
}

fn operand(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<Vec<u8>, ReplyError> {
    let db = ctx.db();
    match ctx.keys().string(db, key) {
        Ok(string) => Ok(string.map_or_else(Vec::new, |s| s.to_vec())),
        Err(_) => Err(ReplyError::new(
            "ERR The specified keys must contain string values",
        )),
    }
}

/// The table of 32 bit lengths must fit what a client may allocate by one value.
fn check_size(ctx: &Ctx<'_>, a: &[u8], b: &[u8]) -> Outcome {
    let too_long = |bytes: &[u8]| bytes.len() >= u32::MAX as usize - 1;
    if too_long(a) || too_long(b) {
        return Err(ReplyError::new("ERR String too long for LCS"));
    }
    let cells = (a.len() as u128 + 1) * (b.len() as u128 + 1);
    if cells * size_of::<u32>() as u128 > ctx.settings().proto_max_bulk_len as u128 {
        return Err(ReplyError::new(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    Ok(())
}

/// The length alone, in one row.
fn common_length(a: &[u8], b: &[u8]) -> u32 {
    let mut row = vec![0u32; b.len() + 1];
    for &byte in a {
        let mut diagonal = 0;
        for (j, &other) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if byte == other {
                diagonal + 1
            } else {
                above.max(row[j])
            };
            diagonal = above;
        }
    }
    row[b.len()]
}

/// Lengths of the longest common subsequence of every pair of prefixes.
struct Table {
    lengths: Vec<u32>,
    width: usize,
}

/// A run of equal bytes.
#[derive(Debug, PartialEq, Eq)]
struct Match {
    a: Range<usize>,
    b: Range<usize>,
}

impl Table {
    fn fill(a: &[u8], b: &[u8]) -> Result<Table, ReplyError> {
        let width = b.len() + 1;
        let count = width * (a.len() + 1);
        let mut lengths: Vec<u32> = Vec::new();
        lengths.try_reserve_exact(count).map_err(|_| {
            ReplyError::new("ERR Insufficient memory, failed allocating transient memory for LCS")
        })?;
        lengths.resize(count, 0);
        for (i, &byte) in a.iter().enumerate() {
            let (above, row) = lengths[i * width..].split_at_mut(width);
            for (j, &other) in b.iter().enumerate() {
                row[j + 1] = if byte == other {
                    above[j] + 1
                } else {
                    above[j + 1].max(row[j])
                };
            }
        }
        Ok(Table { lengths, width })
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.lengths[i * self.width + j]
    }

    fn length(&self) -> u32 {
        self.lengths.last().copied().unwrap_or(0)
    }

    /// Visits the positions of the subsequence's bytes, last first.
    fn walk_back(&self, a: &[u8], b: &[u8], mut visit: impl FnMut(usize, usize)) {
        let (mut i, mut j) = (a.len(), b.len());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                i -= 1;
                j -= 1;
                visit(i, j);
            } else if self.at(i - 1, j) > self.at(i, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
    }

    fn subsequence(&self, a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length() as usize);
        self.walk_back(a, b, |i, _| bytes.push(a[i]));
        bytes.reverse();
        bytes
    }

    /// The subsequence as runs, last first.
    fn matches(&self, a: &[u8], b: &[u8]) -> Vec<Match> {
        let mut matches: Vec<Match> = Vec::new();
        self.walk_back(a, b, |i, j| match matches.last_mut() {
            Some(last) if last.a.start == i + 1 && last.b.start == j + 1 => {
                last.a.start = i;
                last.b.start = j;
            }
            _ => matches.push(Match {
                a: i..i + 1,
                b: j..j + 1,
            }),
        });
        matches
    }
}

fn write_matches(out: &mut Writer, matches: &[Match], with_match_len: bool, length: u32) {
    out.map(2);
    out.bulk(b"matches");
    out.array(matches.len());
    for found in matches {
        out.array(2 + usize::from(with_match_len));
        for range in [&found.a, &found.b] {
            out.array(2);
            out.integer(range.start as i64);
            out.integer(range.end as i64 - 1);
        }
        if with_match_len {
            out.integer(found.a.len() as i64);
        }
    }
    out.bulk(b"len");
    out.integer(i64::from(length));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_are_told_from_the_end() {
        let (a, b) = (b"ohmytext", b"mynewtext");
        let table = Table::fill(a, b).unwrap();
        assert_eq!(table.subsequence(a, b), b"mytext");
        assert_eq!(
            table.matches(a, b),
            [Match { a: 4..8, b: 5..9 }, Match { a: 2..4, b: 0..2 }]
        );
    }

    fn is_subsequence(part: &[u8], whole: &[u8]) -> bool {
        let mut rest = whole.iter();
        part.iter().all(|byte| rest.any(|other| other == byte))
    }

    proptest! {
        #[test]
        fn finds_the_longest(a in prop::collection::vec(0u8..3, 0..9), b in prop::collection::vec(0u8..3, 0..9)) {
            let longest = (0..1u32 << a.len())
                .map(|mask| (0..a.len()).filter(|i| mask >> i & 1 == 1).map(|i| a[i]).collect::<Vec<u8>>())
                .filter(|part| is_subsequence(part, &b))
                .map(|part| part.len())
                .max()
                .unwrap_or(0);
            let table = Table::fill(&a, &b).unwrap();
            let found = table.subsequence(&a, &b);
            prop_assert_eq!(found.len(), longest);
            prop_assert_eq!(table.length() as usize, longest);
            prop_assert_eq!(common_length(&a, &b) as usize, longest);
            prop_assert!(is_subsequence(&found, &a) && is_subsequence(&found, &b));
            let runs: Vec<u8> = table.matches(&a, &b).iter().rev().flat_map(|m| a[m.a.clone()].to_vec()).collect();
            prop_assert_eq!(runs, found);
        }
    }
}
