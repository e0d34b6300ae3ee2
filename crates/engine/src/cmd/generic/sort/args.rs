//! The options of SORT.

use super::pattern::Pattern;
use crate::ctx::Args;
use crate::error::{ReplyError, texts};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct SortArgs<'a> {
    pub descending: bool,
    pub alpha: bool,
    /// Offset and count; a negative count means all.
    pub limit: Option<(i64, i64)>,
    /// False if BY names no pattern: the elements keep the order they have.
    pub orders: bool,
    pub by: Option<Pattern<'a>>,
    pub get: Vec<Pattern<'a>>,
    pub store: Option<&'a [u8]>,
}

impl<'a> SortArgs<'a> {
    pub(super) fn parse(args: Args<'a>, may_store: bool) -> Result<SortArgs<'a>, ReplyError> {
        let mut parsed = SortArgs {
            descending: false,
            alpha: false,
            limit: None,
            orders: true,
            by: None,
            get: Vec::new(),
            store: None,
        };
        let mut options = args[2..].iter();
        while let Some(option) = options.next() {
            match (option.to_ascii_lowercase().as_slice(), options.as_slice()) {
                (b"asc", _) => parsed.descending = false,
                (b"desc", _) => parsed.descending = true,
                (b"alpha", _) => parsed.alpha = true,
                (b"limit", [offset, count, rest @ ..]) => {
                    let offset = resp::parse_i64(offset).ok_or(texts::NOT_AN_INTEGER)?;
                    let count = resp::parse_i64(count).ok_or(texts::NOT_AN_INTEGER)?;
                    parsed.limit = Some((offset, count));
                    options = rest.iter();
                }
                (b"store", [destination, rest @ ..]) if may_store => {
                    parsed.store = Some(destination);
                    options = rest.iter();
                }
                (b"by", [pattern, rest @ ..]) => {
                    let pattern = Pattern::parse(pattern);
                    // Once one BY said so, nothing is ordered, whatever follows.
                    parsed.orders &= pattern.names_keys();
                    parsed.by = Some(pattern);
                    options = rest.iter();
                }
                (b"get", [pattern, rest @ ..]) => {
                    parsed.get.push(Pattern::parse(pattern));
                    options = rest.iter();
                }
                _ => return Err(texts::SYNTAX),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(args: &'a [&'a [u8]]) -> Result<SortArgs<'a>, ReplyError> {
        SortArgs::parse(args, false)
    }

    #[test]
    fn the_last_word_wins_except_for_a_by_without_pattern() {
        let parsed = parse(&[
            b"sort", b"k", b"DESC", b"asc", b"by", b"nosort", b"by", b"w_*",
        ])
        .expect("valid");
        assert!(!parsed.descending && !parsed.orders);
    }

    #[test]
    fn incomplete_and_unknown_options_are_syntax_errors() {
        for args in [
            &[&b"sort"[..], b"k", b"limit", b"1"][..],
            &[b"sort", b"k", b"get"],
            &[b"sort", b"k", b"x"],
        ] {
            assert_eq!(parse(args), Err(texts::SYNTAX));
        }
        assert_eq!(
            parse(&[b"sort_ro", b"k", b"store", b"d"]),
            Err(texts::SYNTAX)
        );
        assert_eq!(
            parse(&[b"sort", b"k", b"limit", b"x", b"1"]),
            Err(texts::NOT_AN_INTEGER)
        );
    }
}
