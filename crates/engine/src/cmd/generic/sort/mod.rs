//! SORT and SORT_RO: elements of a list, set or sorted set in an order of their own.
//!
//! The elements are copied into one buffer first, because BY and GET look up other keys, and a
//! look-up may remove what has expired. Then: weigh (numbers, or texts with ALPHA), order, cut by
//! LIMIT, and reply or store. Texts are ordered by their bytes.

mod args;
mod pattern;

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use args::SortArgs;
use keyspace::journal::NotifyClass;
use keyspace::{Entry, Keyspace, Type, Value};
use pattern::Pattern;
use std::cmp::Ordering;
use std::ops::Range;
use structures::list::List;
use structures::listpack::Item;

const NOT_NUMBERS: ReplyError =
    ReplyError::new("ERR One or more scores can't be converted into double");

pub fn sort(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let sort = SortArgs::parse(args, true)?;
    run(ctx, args[1], sort)
}

pub fn sort_ro(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let sort = SortArgs::parse(args, false)?;
    run(ctx, args[1], sort)
}

fn run(ctx: &mut Ctx<'_>, key: &[u8], mut sort: SortArgs<'_>) -> Outcome {
    let db = ctx.db();
    let keyspace = &mut ctx.engine.keyspace;
    let mut elements = Elements::default();
    if let Some(entry) = keyspace.read(db, key) {
        if entry.kind() == Type::Set && sort.store.is_some() && !sort.orders {
            // What is stored must not depend on the order that a set happens to have.
            sort = SortArgs {
                orders: true,
                alpha: true,
                by: None,
                ..sort
            };
        }
        elements.load(&entry, !sort.orders && sort.descending)?;
        // Equal weights keep the order they had, so that must not be the set's own either.
        if entry.kind() == Type::Set && sort.store.is_some() {
            elements.order_by_text();
        }
    }
    if sort.orders {
        order(&mut elements, keyspace, db, &sort)?;
    }
    let shown = limit(elements.rows.len(), sort.limit);
    match sort.store {
        Some(destination) => store(ctx, destination, &elements, shown, &sort.get),
        None => reply(ctx, &elements, shown, &sort.get),
    }
    Ok(())
}

/// One element: its place in the buffer, and what it is ordered by.
struct Row {
    start: usize,
    end: usize,
    weight: Weight,
}

enum Weight {
    Number(f64),
    /// With ALPHA and BY; nothing where the pattern leads nowhere.
    Text(Option<Box<[u8]>>),
    /// With ALPHA alone the element is its own weight.
    Itself,
}

#[derive(Default)]
struct Elements {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

impl Elements {
    fn text(&self, row: &Row) -> &[u8] {
        &self.bytes[row.start..row.end]
    }

    fn add(&mut self, item: Item<'_>) {
        let start = self.bytes.len();
        self.bytes
            .extend_from_slice(item.as_bytes(&mut keyspace::IntText::new()));
        self.rows.push(Row {
            start,
            end: self.bytes.len(),
            weight: Weight::Itself,
        });
    }

    fn order_by_text(&mut self) {
        let Elements { bytes, rows } = self;
        let text = |row: &Row| &bytes[row.start..row.end];
        rows.sort_by(|a, b| text(a).cmp(text(b)));
    }

    /// Copies the elements in their own order; for a list and a sorted set also the other way round.
    fn load(&mut self, entry: &Entry<'_>, reverse: bool) -> Outcome {
        match entry.payload() {
            Some(Value::List(list)) if reverse => list.iter_rev().for_each(|item| self.add(item)),
            Some(Value::List(list)) => list.iter().for_each(|item| self.add(item)),
            Some(Value::Set(set)) => set.for_each(|item| self.add(item)),
            Some(Value::SortedSet(zset)) => {
                zset.range(0..zset.len(), reverse)
                    .for_each(|(item, _)| self.add(item));
            }
            _ => return Err(texts::WRONG_TYPE),
        }
        Ok(())
    }
}

/// Weighs the rows and puts them in order.
fn order(
    elements: &mut Elements,
    keyspace: &mut Keyspace,
    db: u32,
    sort: &SortArgs<'_>,
) -> Outcome {
    let Elements { bytes, rows } = elements;
    let mut all_numbers = true;
    for row in rows.iter_mut() {
        let element = &bytes[row.start..row.end];
        let mut weigh = |text: Option<&[u8]>| match (text, sort.alpha) {
            (text, true) => Weight::Text(text.map(Into::into)),
            (None, false) => Weight::Number(0.0),
            (Some(text), false) => {
                let number = parse_score(text);
                all_numbers &= number.is_some();
                Weight::Number(number.unwrap_or(0.0))
            }
        };
        row.weight = match &sort.by {
            Some(by) => by.look_up(keyspace, db, element, weigh),
            None if sort.alpha => Weight::Itself,
            None => weigh(Some(element)),
        };
    }
    if !all_numbers {
        return Err(NOT_NUMBERS);
    }
    rows.sort_by(|a, b| {
        let ascending = compare(a, b, bytes);
        if sort.descending {
            ascending.reverse()
        } else {
            ascending
        }
    });
    Ok(())
}

fn compare(a: &Row, b: &Row, bytes: &[u8]) -> Ordering {
    let text = |row: &Row| &bytes[row.start..row.end];
    match (&a.weight, &b.weight) {
        // Equal numbers fall back to the elements; equal texts of BY keep the order they had.
        (Weight::Number(x), Weight::Number(y)) => x
            .partial_cmp(y)
            .unwrap_or(Ordering::Equal)
            .then_with(|| text(a).cmp(text(b))),
        (Weight::Text(x), Weight::Text(y)) => x.cmp(y),
        _ => text(a).cmp(text(b)),
    }
}

/// A number as C's `strtod` takes it: leading blanks are skipped, a zero byte ends the text, and
/// the empty text counts as 0. Source: observed from Redis 7.0.
fn parse_score(text: &[u8]) -> Option<f64> {
    let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
    let text = &text[..end];
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text
        .iter()
        .take_while(|b| b.is_ascii_whitespace() || **b == 0x0b)
        .count();
    resp::parse_double(&text[blanks..])
}

/// The rows that LIMIT leaves of `len`.
fn limit(len: usize, limit: Option<(i64, i64)>) -> Range<usize> {
    let Some((offset, count)) = limit else {
        return 0..len;
    };
    let start = usize::try_from(offset.max(0)).unwrap_or(len).min(len);
    // A negative count means all the rest.
    let count = usize::try_from(count).unwrap_or(len).min(len - start);
    start..start + count
}

/// Calls `visit` with every value of the result: the elements, or what the GET patterns lead to.
fn visit_result(
    keyspace: &mut Keyspace,
    db: u32,
    elements: &Elements,
    shown: Range<usize>,
    get: &[Pattern<'_>],
    mut visit: impl FnMut(Option<&[u8]>),
) {
    for row in &elements.rows[shown] {
        let element = elements.text(row);
        if get.is_empty() {
            visit(Some(element));
        }
        for pattern in get {
            pattern.look_up(keyspace, db, element, &mut visit);
        }
    }
}

fn reply(ctx: &mut Ctx<'_>, elements: &Elements, shown: Range<usize>, get: &[Pattern<'_>]) {
    let Ctx {
        engine,
        session,
        out,
        ..
    } = ctx;
    out.array(shown.len() * get.len().max(1));
    visit_result(
        &mut engine.keyspace,
        session.db,
        elements,
        shown,
        get,
        |value| match value {
            Some(value) => out.bulk(value),
            None => out.null(),
        },
    );
}

/// Stores the result as a list; an empty one deletes the destination. What GET does not find
/// becomes an empty text.
fn store(
    ctx: &mut Ctx<'_>,
    destination: &[u8],
    elements: &Elements,
    shown: Range<usize>,
    get: &[Pattern<'_>],
) {
    let db = ctx.db();
    let limits = ctx.engine.settings.list;
    let mut list = List::new();
    visit_result(
        &mut ctx.engine.keyspace,
        db,
        elements,
        shown,
        get,
        |value| {
            list.push_back(value.unwrap_or_default(), &limits);
        },
    );
    let stored = list.len();
    if stored > 0 {
        list.choose_form(&limits);
        ctx.keys().put(db, destination, Value::List(list), None);
        ctx.modified(destination);
        ctx.keys().journal.dirty += stored as u64 - 1;
        ctx.notify(NotifyClass::LIST, "sortstore", destination);
    } else if ctx.keys().delete(db, destination) {
        ctx.modified(destination);
        ctx.notify(NotifyClass::GENERIC, "del", destination);
    }
    ctx.out.integer(stored as i64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_stays_within_the_elements() {
        assert_eq!(limit(5, None), 0..5);
        assert_eq!(limit(5, Some((1, 2))), 1..3);
        assert_eq!(limit(5, Some((-3, 2))), 0..2);
        assert_eq!(limit(5, Some((3, -1))), 3..5);
        assert_eq!(limit(5, Some((9, 9))), 5..5);
        assert_eq!(limit(5, Some((i64::MIN, i64::MAX))), 0..5);
        assert_eq!(limit(0, Some((i64::MAX, i64::MIN))), 0..0);
    }

    #[test]
    fn scores_are_read_as_strtod_reads_them() {
        assert_eq!(parse_score(b""), Some(0.0));
        assert_eq!(parse_score(b" \t\n1.5"), Some(1.5));
        assert_eq!(parse_score(b"1\0x"), Some(1.0));
        assert_eq!(parse_score(b"0x10"), Some(16.0));
        assert_eq!(parse_score(b"-inf"), Some(f64::NEG_INFINITY));
        for text in [&b" "[..], b"1 ", b"nan", b"1e999", b"foo"] {
            assert_eq!(parse_score(text), None);
        }
    }
}
