//! Writing values: the spellings of CONFIG GET and of CONFIG REWRITE.
//!
//! What is rewritten must load to the same value, so lists quote their words where the loader
//! would split them. Tests: tests/rewrite.rs.

use crate::kind::{DEFAULT_OUTPUT_BUFFER_LIMITS, Rewrite, RewriteLine};
use crate::line::{is_plain_word, quote};
use crate::types::*;

pub(crate) fn yes_no(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

pub(crate) fn name_of(names: Names, value: u32) -> &'static str {
    let found = names.iter().find(|&&(_, candidate)| candidate == value);
    found.map_or("unknown", |&(name, _)| name)
}

pub(crate) fn show_shutdown(flags: u32) -> String {
    let words = ShutdownFlags::NAMES
        .iter()
        .filter(|&&(_, bit)| bit != 0 && flags & bit == bit);
    let words: Vec<&str> = words.map(|&(name, _)| name).collect();
    if words.is_empty() {
        "default".into()
    } else {
        words.join(" ")
    }
}

pub(crate) fn show_save(points: &[SavePoint]) -> String {
    let points: Vec<String> = points
        .iter()
        .map(|point| format!("{} {}", point.seconds, point.changes))
        .collect();
    points.join(" ")
}

/// CONFIG GET still calls the second class by its old name.
pub(crate) fn show_limits(limits: &OutputBufferLimits) -> String {
    let class = |(name, limit): (&str, &OutputBufferLimit)| {
        format!(
            "{name} {} {} {}",
            limit.hard_bytes, limit.soft_bytes, limit.soft_seconds
        )
    };
    let classes: Vec<String> = ["normal", "slave", "pubsub"]
        .into_iter()
        .zip(limits)
        .map(class)
        .collect();
    classes.join(" ")
}

pub(crate) fn rewrite_limits(name: &str, limits: &OutputBufferLimits) -> Rewrite {
    let classes = ["normal", "replica", "pubsub"].into_iter().zip(limits);
    let lines = classes
        .zip(&DEFAULT_OUTPUT_BUFFER_LIMITS)
        .map(|((class, limit), default)| {
            let (hard, soft) = (
                show_memory(limit.hard_bytes.into()),
                show_memory(limit.soft_bytes.into()),
            );
            let text = format!("{name} {class} {hard} {soft} {}", limit.soft_seconds).into_bytes();
            RewriteLine {
                text,
                forced: limit != default,
            }
        });
    Rewrite::Lines(lines.collect())
}

/// The largest unit that divides the number of bytes.
pub(crate) fn show_memory(bytes: i128) -> String {
    for (unit, shift) in [("gb", 30), ("mb", 20), ("kb", 10)] {
        if bytes != 0 && bytes % (1 << shift) == 0 {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Six places at most, without trailing zeros.
pub(crate) fn show_percentiles(percentiles: &[f64]) -> String {
    let show = |number: &f64| {
        let text = format!("{number:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    };
    let shown: Vec<String> = percentiles.iter().map(show).collect();
    shown.join(" ")
}

/// The words such that the loader reads them back: it splits a lone word once more.
pub(crate) fn quote_words(words: &[String]) -> Vec<u8> {
    let one = |word: &String| match is_plain_word(word.as_bytes()) {
        true => word.clone().into_bytes(),
        false => quote(word.as_bytes()),
    };
    match words {
        [] => b"\"\"".to_vec(),
        [only] if !is_plain_word(only.as_bytes()) => quote(&quote(only.as_bytes())),
        words => words.iter().map(one).collect::<Vec<_>>().join(&b' '),
    }
}

pub(crate) fn join<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}
