//! Where a command's keys are, and what the command does to each.
//!
//! A [`KeySpec`] says how to find the first key ([`BeginSearch`]) and from there the others
//! ([`FindKeys`]). From a command's specs derives the older triple "first, last, step"
//! ([`LegacyRange`]) that COMMAND INFO still prints, and whether that triple tells all
//! (if not, the keys are called movable).
//!
//! Applying a spec to arguments is `keys.rs`.
//!
//! Tests: at the bottom; against every table in `table/hygiene.rs`.

use crate::bits::bitset;

bitset! {
    /// What happens to a key, and how far its spec can be trusted.
    ///
    /// Exactly one of RO, RW, OW, RM says what is done to the key as a whole; ACCESS, UPDATE,
    /// INSERT and DELETE say what is done to the user's data in it.
    pub struct KeyFlags: u16 {
        /// Read only; nothing about the key changes.
        RO = 0 => "RO",
        /// Read and changed in place.
        RW = 1 => "RW",
        /// Overwritten, whatever was there.
        OW = 2 => "OW",
        /// Removed, whatever was there.
        RM = 3 => "RM",
        /// Data in the key reaches the reply or another key.
        ACCESS = 4 => "access",
        /// Data in the key is changed, depending on what was there.
        UPDATE = 5 => "update",
        /// Data is added, existing data stays.
        INSERT = 6 => "insert",
        /// Data is removed on purpose.
        DELETE = 7 => "delete",
        /// Not a key, but routed like one (a shard channel).
        NOT_KEY = 8 => "not_key",
        /// The spec may miss some keys.
        INCOMPLETE = 9 => "incomplete",
        /// Which flags hold depends on the other arguments.
        VARIABLE_FLAGS = 10 => "variable_flags",
    }
}

/// Where the first key of a spec is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BeginSearch {
    /// At this position; the command's name is position 0.
    Index(i32),
    /// After the first occurrence of a word, looked for from `start_from` (negative: from the end,
    /// backwards).
    Keyword {
        keyword: &'static str,
        start_from: i32,
    },
    Unknown,
}

/// Where the other keys are, counted from the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FindKeys {
    /// Up to `last` (relative to the first key; negative: from the end of the arguments), every
    /// `step`. With `last` -1, a `limit` of n > 1 stops after 1/n of the remaining arguments.
    Range {
        last: i32,
        step: i32,
        limit: i32,
    },
    /// The argument at `count_index` holds the number of keys; they start at `first`. Both are
    /// relative to the position that the search found.
    KeyNum {
        count_index: i32,
        first: i32,
        step: i32,
    },
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeySpec {
    pub notes: Option<&'static str>,
    pub flags: KeyFlags,
    pub begin: BeginSearch,
    pub find: FindKeys,
}

impl KeySpec {
    /// One key at a fixed position.
    pub(crate) const fn at(index: i32, flags: KeyFlags) -> KeySpec {
        KeySpec::range(index, 0, 1, flags)
    }

    /// Keys from `index` to `last`, every `step`.
    pub(crate) const fn range(index: i32, last: i32, step: i32, flags: KeyFlags) -> KeySpec {
        KeySpec {
            notes: None,
            flags,
            begin: BeginSearch::Index(index),
            find: FindKeys::Range {
                last,
                step,
                limit: 0,
            },
        }
    }

    /// The number of keys is at `index`, the keys follow it.
    pub(crate) const fn counted(index: i32, flags: KeyFlags) -> KeySpec {
        KeySpec {
            notes: None,
            flags,
            begin: BeginSearch::Index(index),
            find: FindKeys::KeyNum {
                count_index: 0,
                first: 1,
                step: 1,
            },
        }
    }

    /// Keys that no spec can describe.
    pub(crate) const fn unknown(flags: KeyFlags) -> KeySpec {
        KeySpec {
            notes: None,
            flags,
            begin: BeginSearch::Unknown,
            find: FindKeys::Unknown,
        }
    }

    pub(crate) const fn notes(self, notes: &'static str) -> KeySpec {
        KeySpec {
            notes: Some(notes),
            ..self
        }
    }
}

/// First key, last key (negative: from the end) and step, as COMMAND INFO prints them; all zero
/// when no plain range describes the keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LegacyRange {
    pub first: i16,
    pub last: i16,
    pub step: i16,
}

/// Derives the legacy range, and whether the keys are movable: some key lies outside the range or
/// is only found by looking at the arguments.
///
/// Several plain ranges are joined while each starts where the one before ended; anything else is
/// left out of the range and makes the keys movable.
pub(crate) const fn legacy_range(specs: &[KeySpec]) -> (LegacyRange, bool) {
    if specs.len() == 1
        && let BeginSearch::Index(first) = specs[0].begin
        && let FindKeys::Range { last, step, .. } = specs[0].find
    {
        let movable = specs[0].flags.contains(KeyFlags::INCOMPLETE);
        return (triple(first, absolute(first, last), step), movable);
    }
    let mut joined: Option<(i32, i32)> = None;
    let mut movable = false;
    let mut i = 0;
    while i < specs.len() {
        let spec = specs[i];
        i += 1;
        if spec.flags.contains(KeyFlags::INCOMPLETE) {
            movable = true;
        }
        let (BeginSearch::Index(first), FindKeys::Range { last, step: 1, .. }) =
            (spec.begin, spec.find)
        else {
            movable = true;
            continue;
        };
        joined = match joined {
            None => Some((first, absolute(first, last))),
            Some((start, end)) if end == first - 1 => Some((start, absolute(first, last))),
            Some(_) => {
                movable = true;
                joined
            }
        };
    }
    match joined {
        Some((first, last)) => (triple(first, last, 1), movable),
        None => (triple(0, 0, 0), movable),
    }
}

const fn absolute(first: i32, last: i32) -> i32 {
    if last >= 0 { first + last } else { last }
}

const fn triple(first: i32, last: i32, step: i32) -> LegacyRange {
    assert!(first >= 0 && first < 128 && last > -128 && last < 128 && step >= 0 && step < 128);
    LegacyRange {
        first: first as i16,
        last: last as i16,
        step: step as i16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RO: KeyFlags = KeyFlags::RO;

    fn check(specs: &[KeySpec], first: i16, last: i16, step: i16, movable: bool) {
        let range = LegacyRange { first, last, step };
        assert_eq!(legacy_range(specs), (range, movable));
    }

    #[test]
    fn no_spec_means_no_range() {
        check(&[], 0, 0, 0, false);
    }

    #[test]
    fn one_range_is_taken_as_it_is() {
        check(&[KeySpec::at(1, RO)], 1, 1, 1, false);
        check(&[KeySpec::range(1, -1, 2, RO)], 1, -1, 2, false);
        check(&[KeySpec::range(1, -2, 1, RO)], 1, -2, 1, false);
    }

    #[test]
    fn adjacent_ranges_join() {
        check(&[KeySpec::at(1, RO), KeySpec::at(2, RO)], 1, 2, 1, false);
        check(
            &[KeySpec::at(1, RO), KeySpec::range(2, -1, 1, RO)],
            1,
            -1,
            1,
            false,
        );
    }

    #[test]
    fn distant_ranges_do_not_join_and_are_movable() {
        check(&[KeySpec::at(1, RO), KeySpec::at(3, RO)], 1, 1, 1, true);
    }

    #[test]
    fn counted_and_unknown_specs_are_movable() {
        check(&[KeySpec::counted(1, RO)], 0, 0, 0, true);
        check(
            &[KeySpec::at(1, RO), KeySpec::counted(2, RO)],
            1,
            1,
            1,
            true,
        );
        check(&[KeySpec::at(1, RO), KeySpec::unknown(RO)], 1, 1, 1, true);
    }

    #[test]
    fn an_incomplete_range_is_movable() {
        check(
            &[KeySpec::at(3, RO.or(KeyFlags::INCOMPLETE))],
            3,
            3,
            1,
            true,
        );
    }
}
