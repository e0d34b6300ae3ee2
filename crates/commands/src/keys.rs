//! Finding the keys among a command's arguments.
//!
//! The key specs find them for almost every command. Where a spec says that its flags vary or that
//! keys are unknown (SET, BITFIELD, SORT, SORT_RO), a function of its own looks at the arguments;
//! and a count that is not a plain number gets a second, lenient reading as Redis does
//! (`LMPOP 2x a b LEFT` names the keys `a` and `b`, without flags).
//!
//! Arguments are hostile: counts are checked against the number of arguments before anything is
//! visited, and nothing is allocated but [`keys_of`]'s result. Positions count from the command's
//! name, which is 0.
//!
//! Not known here: slots, ACL rules, what is done with the keys.
//!
//! To add a command whose specs do not suffice: a line in [`by_code`].
//! Tests: at the bottom; expected positions and flags as observed from Redis 7.0.15's
//! COMMAND GETKEYSANDFLAGS.

use std::fmt;

use crate::id::CommandId;
use crate::key_spec::{BeginSearch, FindKeys, KeyFlags, KeySpec};
use crate::spec::Flags;

/// One key among the arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyRef {
    pub index: usize,
    pub flags: KeyFlags,
}

/// What counts as a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyScope {
    /// Names of keys.
    Keys,
    /// Also what is routed to a slot like a key: shard channels.
    Routed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeysError {
    /// This command never has keys.
    NoKeys,
    /// The number of arguments does not fit the command.
    WrongArity,
    /// The arguments do not say where the keys are.
    Invalid,
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeysError::NoKeys => "The command has no key arguments",
            KeysError::WrongArity => "Invalid number of arguments specified for command",
            KeysError::Invalid => "Invalid arguments specified for command",
        })
    }
}

impl std::error::Error for KeysError {}

/// All keys of a command line, as COMMAND GETKEYS and GETKEYSANDFLAGS report them.
pub fn keys_of(id: CommandId, args: &[&[u8]]) -> Result<Vec<KeyRef>, KeysError> {
    if !has_keys(id, KeyScope::Keys) {
        return Err(KeysError::NoKeys);
    }
    if !id.accepts_count(args.len()) {
        return Err(KeysError::WrongArity);
    }
    let mut keys = Vec::new();
    match visit_keys(id, args, KeyScope::Keys, |key| keys.push(key)) {
        Ok(()) if !keys.is_empty() => Ok(keys),
        _ if id.flags().contains(Flags::NO_MANDATORY_KEYS) => Ok(Vec::new()),
        _ => Err(KeysError::Invalid),
    }
}

/// Whether the command can have keys at all.
pub fn has_keys(id: CommandId, scope: KeyScope) -> bool {
    id.spec().key_specs.iter().any(|spec| in_scope(spec, scope))
}

/// Calls `visit` with every key. Does not allocate and does not check the arity. On an error no
/// key has been visited.
pub fn visit_keys(
    id: CommandId,
    args: &[&[u8]],
    scope: KeyScope,
    mut visit: impl FnMut(KeyRef),
) -> Result<(), KeysError> {
    if let Some(keys) = by_code(id, args) {
        keys.into_iter().flatten().for_each(visit);
        return Ok(());
    }
    let specs = || id.spec().key_specs.iter().filter(|s| in_scope(s, scope));
    let strict = |spec: &KeySpec| find(spec, args, strict_count);
    if specs().all(|spec| strict(spec).is_ok()) {
        for spec in specs() {
            if let Ok(Some(run)) = strict(spec) {
                run.visit(args.len(), spec.flags, &mut visit);
            }
        }
        return Ok(());
    }
    visit_leniently(id, args, visit)
}

/// The position of the first key: where to prefetch and which slot to route to. Looks at no more
/// than the command's first spec and does not allocate.
pub fn first_key(id: CommandId, args: &[&[u8]]) -> Option<usize> {
    let range = id.legacy_range();
    if range.first > 0 {
        let first = range.first as usize;
        return (first < args.len()).then_some(first);
    }
    let spec = id.spec().key_specs.first()?;
    let run = find(spec, args, strict_count).ok().flatten()?;
    Some(run.first)
}

fn in_scope(spec: &KeySpec, scope: KeyScope) -> bool {
    scope == KeyScope::Routed || !spec.flags.contains(KeyFlags::NOT_KEY)
}

/// A run of keys whose bounds are known to lie among the arguments.
struct Run {
    first: usize,
    last: usize,
    step: usize,
}

impl Run {
    fn visit(&self, count: usize, flags: KeyFlags, visit: &mut impl FnMut(KeyRef)) {
        debug_assert!(self.first <= self.last && self.last < count);
        (self.first..=self.last)
            .step_by(self.step)
            .for_each(|index| visit(KeyRef { index, flags }));
    }
}

/// Applies one spec. `Ok(None)`: a keyword that introduces keys is not there.
fn find(
    spec: &KeySpec,
    args: &[&[u8]],
    parse_count: fn(&[u8]) -> Option<i64>,
) -> Result<Option<Run>, KeysError> {
    let argc = args.len() as i64;
    let begin = match spec.begin {
        BeginSearch::Index(index) => i64::from(index),
        BeginSearch::Keyword {
            keyword,
            start_from,
        } => match find_keyword(keyword, start_from, args) {
            Some(position) => position as i64 + 1,
            None => return Ok(None),
        },
        BeginSearch::Unknown => return Err(KeysError::Invalid),
    };
    let (first, last, step) = match spec.find {
        FindKeys::Range { last, step, limit } => {
            let last = i64::from(last);
            let last = match (last, limit) {
                (0.., _) => begin + last,
                (_, 0) => argc + last,
                (_, limit) => begin + (argc - begin) / i64::from(limit) + last,
            };
            (begin, last, step)
        }
        FindKeys::KeyNum {
            count_index,
            first,
            step,
        } => {
            let count = usize::try_from(begin + i64::from(count_index))
                .ok()
                .and_then(|index| args.get(index))
                .and_then(|text| parse_count(text))
                .filter(|count| (1..=argc).contains(count))
                .ok_or(KeysError::Invalid)?;
            let first = begin + i64::from(first);
            (first, first + (count - 1) * i64::from(step), step)
        }
        FindKeys::Unknown => return Err(KeysError::Invalid),
    };
    if first < 1 || last < first || last >= argc || step < 1 {
        return Err(KeysError::Invalid);
    }
    Ok(Some(Run {
        first: first as usize,
        last: last as usize,
        step: step as usize,
    }))
}

/// Position of `keyword`, searched forwards from `start_from`, or backwards if that is negative
/// (counted from the end). The name and the word right after it are never looked at backwards.
fn find_keyword(keyword: &str, start_from: i32, args: &[&[u8]]) -> Option<usize> {
    let is_keyword = |&index: &usize| args[index].eq_ignore_ascii_case(keyword.as_bytes());
    if start_from > 0 {
        (start_from as usize..args.len().saturating_sub(1)).find(is_keyword)
    } else {
        let start = args.len().checked_sub(start_from.unsigned_abs() as usize)?;
        (2..=start.min(args.len().checked_sub(1)?))
            .rev()
            .find(is_keyword)
    }
}

/// A decimal number as Redis writes it itself: no sign but a minus, no leading zero, no space.
fn strict_count(text: &[u8]) -> Option<i64> {
    match text {
        b"0" => Some(0),
        [b'1'..=b'9', rest @ ..] if rest.len() < 18 && rest.iter().all(u8::is_ascii_digit) => Some(
            text.iter()
                .fold(0, |n, digit| n * 10 + i64::from(digit - b'0')),
        ),
        _ => None,
    }
}

/// The leading number in `text`, after white space and a plus sign; whatever follows is ignored.
fn lenient_count(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.take(18).copied().fold(None, |n, digit| {
        Some(n.unwrap_or(0) * 10 + i64::from(digit - b'0'))
    })
}

/// The second reading of a counted key list: sources first, then the destination, no flags.
fn visit_leniently(
    id: CommandId,
    args: &[&[u8]],
    mut visit: impl FnMut(KeyRef),
) -> Result<(), KeysError> {
    let specs = id.spec().key_specs;
    let counted = specs
        .iter()
        .find(|spec| matches!(spec.find, FindKeys::KeyNum { .. }))
        .ok_or(KeysError::Invalid)?;
    let run = find(counted, args, lenient_count)?.ok_or(KeysError::Invalid)?;
    run.visit(args.len(), KeyFlags::empty(), &mut visit);
    for spec in specs {
        if let (BeginSearch::Index(index), FindKeys::Range { .. }) = (spec.begin, spec.find) {
            visit(KeyRef {
                index: index as usize,
                flags: KeyFlags::empty(),
            });
        }
    }
    Ok(())
}

const READ: KeyFlags = KeyFlags::RO.or(KeyFlags::ACCESS);
const OVERWRITE: KeyFlags = KeyFlags::OW.or(KeyFlags::UPDATE);
const READ_AND_WRITE: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE);

/// The commands whose specs cannot tell: at most two keys each.
fn by_code(id: CommandId, args: &[&[u8]]) -> Option<[Option<KeyRef>; 2]> {
    let first = |flags| (args.len() > 1).then_some(KeyRef { index: 1, flags });
    match id {
        CommandId::Set => Some([first(set_flags(args)), None]),
        CommandId::Bitfield => Some([first(bitfield_flags(args)), None]),
        CommandId::SortRo => Some([first(READ), None]),
        CommandId::Sort => Some([first(READ), sort_destination(args)]),
        _ => None,
    }
}

/// SET only reads the old value when GET is among its options.
fn set_flags(args: &[&[u8]]) -> KeyFlags {
    let reads = args
        .iter()
        .skip(3)
        .any(|arg| arg.eq_ignore_ascii_case(b"get"));
    if reads { READ_AND_WRITE } else { OVERWRITE }
}

/// BITFIELD only reads when all its operations are GETs. What cannot be understood counts as a
/// write, the safer side.
fn bitfield_flags(args: &[&[u8]]) -> KeyFlags {
    let mut rest = args.get(2..).unwrap_or_default();
    loop {
        let skip = match rest {
            [] => return READ,
            [word, _, _, ..] if word.eq_ignore_ascii_case(b"get") => 3,
            [word, _, ..] if word.eq_ignore_ascii_case(b"overflow") => 2,
            _ => return READ_AND_WRITE,
        };
        rest = &rest[skip..];
    }
}

/// The key after SORT's last STORE. A word that is the value of another option does not count.
fn sort_destination(args: &[&[u8]]) -> Option<KeyRef> {
    let mut destination = None;
    let mut index = 2;
    while index < args.len() {
        let word = args[index];
        if word.eq_ignore_ascii_case(b"limit") {
            index += 2;
        } else if word.eq_ignore_ascii_case(b"get") || word.eq_ignore_ascii_case(b"by") {
            index += 1;
        } else if word.eq_ignore_ascii_case(b"store") && index + 1 < args.len() {
            destination = Some(KeyRef {
                index: index + 1,
                flags: OVERWRITE,
            });
        }
        index += 1;
    }
    destination
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::{lookup, lookup_sub};
    use proptest::prelude::*;

    fn resolve(args: &[&[u8]]) -> CommandId {
        let id = lookup(args[0]).unwrap();
        match args.get(1).and_then(|name| lookup_sub(id, name)) {
            Some(sub) => sub,
            None => id,
        }
    }

    /// One line per key: its argument and its flags; or the error.
    fn check(line: &str, expected: &str) {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let actual = match keys_of(resolve(&args), &args) {
            Ok(keys) => keys
                .iter()
                .map(|key| {
                    let name = std::str::from_utf8(args[key.index]).unwrap();
                    let flags: Vec<_> = key.flags.names().collect();
                    format!("{name}:{}", flags.join(","))
                })
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(actual, expected, "{line}");
    }

    #[test]
    fn fixed_positions() {
        check("GET k", "k:RO,access");
        check("rename a b", "a:RW,access,delete b:OW,update");
        check("LMOVE a b LEFT LEFT", "a:RW,access,delete b:RW,insert");
        check("object encoding k", "k:RO");
        check("MEMORY USAGE k", "k:RO");
    }

    #[test]
    fn ranges_to_the_end_and_with_steps() {
        check("DEL a b c", "a:RM,delete b:RM,delete c:RM,delete");
        check("MSET a 1 b 2", "a:OW,update b:OW,update");
        check("MSET a 1 b", "a:OW,update b:OW,update");
        check("BLPOP a b 0", "a:RW,access,delete b:RW,access,delete");
        check("BITOP AND d a b", "d:OW,update a:RO,access b:RO,access");
        check("SDIFFSTORE d a b", "d:OW,update a:RO,access b:RO,access");
    }

    #[test]
    fn counted_keys() {
        check("ZUNION 2 a b", "a:RO,access b:RO,access");
        check("ZUNION 2 a b WITHSCORES", "a:RO,access b:RO,access");
        check("ZUNIONSTORE d 2 a b", "d:OW,update a:RO,access b:RO,access");
        check("BLMPOP 0 1 a LEFT", "a:RW,access,delete");
        check("SINTERCARD 2 a b LIMIT 1", "a:RO,access b:RO,access");
    }

    #[test]
    fn counts_that_do_not_fit_are_invalid() {
        for count in [
            "0",
            "3",
            "-1",
            "x",
            "",
            "99999999999999999999",
            "9223372036854775807",
        ] {
            check(&format!("ZUNION {count} a b"), "Invalid");
            check(&format!("ZUNIONSTORE d {count} a b"), "Invalid");
        }
    }

    #[test]
    fn counts_that_only_begin_like_numbers_give_keys_without_flags() {
        check("LMPOP 2x a b LEFT", "a: b:");
        check("ZUNION 01 a", "a:");
        check("ZUNION +1 a", "a:");
        check("ZUNIONSTORE d 1x a", "a: d:");
    }

    #[test]
    fn set_reads_only_with_get() {
        check("SET k v", "k:OW,update");
        check("SET k get", "k:OW,update");
        check("SET k v EX 1 gEt", "k:RW,access,update");
    }

    #[test]
    fn bitfield_is_read_only_with_gets_alone() {
        check("BITFIELD k", "k:RO,access");
        check("BITFIELD k GET u8 0 get u4 1", "k:RO,access");
        check("BITFIELD k OVERFLOW SAT GET u8 0", "k:RO,access");
        check("BITFIELD k GET u8 0 SET u8 0 1", "k:RW,access,update");
        check("BITFIELD k INCRBY u8 0 1", "k:RW,access,update");
        check("BITFIELD k GET u8", "k:RW,access,update");
        check("BITFIELD k OVERFLOW", "k:RW,access,update");
        check("BITFIELD_RO k GET u8 0", "k:RO,access");
    }

    #[test]
    fn sort_stores_at_its_last_store() {
        check("SORT k", "k:RO,access");
        check("SORT k STORE d", "k:RO,access d:OW,update");
        check("SORT k store d1 STORE d2", "k:RO,access d2:OW,update");
        check("SORT k BY STORE STORE d", "k:RO,access d:OW,update");
        check("SORT k GET STORE", "k:RO,access");
        check("SORT k LIMIT 0 STORE ALPHA", "k:RO,access");
        check("SORT k STORE", "k:RO,access");
        check("SORT_RO k BY x GET y", "k:RO,access");
    }

    #[test]
    fn commands_without_keys_say_so() {
        check("PING", "NoKeys");
        check("SPUBLISH c m", "NoKeys");
        check("CONFIG", "NoKeys");
        check("OBJECT HELP", "NoKeys");
    }

    #[test]
    fn a_wrong_number_of_arguments_is_told() {
        check("GET", "WrongArity");
        check("GET a b", "WrongArity");
        check("MSET a", "WrongArity");
    }

    #[test]
    fn shard_channels_are_routed_but_are_no_keys() {
        let args: [&[u8]; 3] = [b"ssubscribe", b"a", b"b"];
        let collect = |scope| {
            let mut indexes = Vec::new();
            visit_keys(CommandId::Ssubscribe, &args, scope, |key| {
                indexes.push(key.index)
            })
            .unwrap();
            indexes
        };
        assert_eq!(collect(KeyScope::Keys), [0; 0]);
        assert_eq!(collect(KeyScope::Routed), [1, 2]);
        assert_eq!(first_key(CommandId::Ssubscribe, &args), Some(1));
        assert!(!has_keys(CommandId::Subscribe, KeyScope::Routed));
    }

    #[test]
    fn the_first_key_needs_enough_arguments() {
        assert_eq!(first_key(CommandId::Get, &[b"get"]), None);
        assert_eq!(first_key(CommandId::Get, &[b"get", b"k"]), Some(1));
        assert_eq!(first_key(CommandId::Ping, &[b"ping", b"k"]), None);
        assert_eq!(
            first_key(CommandId::Zunion, &[b"zunion", b"1", b"a"]),
            Some(2)
        );
        assert_eq!(first_key(CommandId::Zunion, &[b"zunion", b"2", b"a"]), None);
    }

    #[test]
    fn keywords_are_found_from_either_end() {
        let args: Vec<&[u8]> = vec![b"c", b"x", b"KEYS", b"a", b"keys", b"b"];
        assert_eq!(find_keyword("keys", 1, &args), Some(2));
        assert_eq!(find_keyword("keys", 3, &args), Some(4));
        assert_eq!(find_keyword("keys", -1, &args), Some(4));
        assert_eq!(find_keyword("keys", -3, &args), Some(2));
        assert_eq!(find_keyword("keys", -9, &args), None);
        assert_eq!(find_keyword("b", 1, &args), None);
        assert_eq!(find_keyword("keys", 1, &[]), None);
        assert_eq!(find_keyword("keys", -1, &[]), None);
    }

    fn any_args() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let word = prop_oneof![
            prop::sample::select(vec![
                &b"get"[..],
                b"set",
                b"store",
                b"by",
                b"limit",
                b"overflow",
                b"incrby",
                b"0",
                b"1",
                b"2",
                b"3",
                b"-1",
                b"+2",
                b" 1",
                b"1x",
                b"9223372036854775807",
                b"-9223372036854775808",
            ])
            .prop_map(<[u8]>::to_vec),
            prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(word, 0..9)
    }

    proptest! {
        #[test]
        fn any_arguments_give_positions_among_them(
            number in 0..CommandId::COUNT,
            args in any_args(),
        ) {
            let id = CommandId::ALL[number];
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            for scope in [KeyScope::Keys, KeyScope::Routed] {
                let mut seen = Vec::new();
                let result = visit_keys(id, &args, scope, |key| seen.push(key.index));
                prop_assert!(seen.iter().all(|index| (1..args.len()).contains(index)));
                prop_assert!(result.is_ok() || seen.is_empty());
                let first = first_key(id, &args);
                prop_assert!(first.is_none_or(|index| (1..args.len()).contains(&index)));
                if let (Some(first), Ok(()), KeyScope::Routed) = (first, result, scope) {
                    prop_assert!(seen.contains(&first));
                }
            }
            if let Ok(keys) = keys_of(id, &args) {
                prop_assert!(!keys.is_empty() || id.flags().contains(Flags::NO_MANDATORY_KEYS));
            }
        }
    }
}
