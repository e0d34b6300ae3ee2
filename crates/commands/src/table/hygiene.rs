//! The rules that every declaration obeys, whatever its group.
//!
//! Exceptions are listed beside the rule they break, and a test fails when an exception is no
//! longer needed.

use std::collections::BTreeSet;

use super::{GROUPS, commands};
use crate::arg::{Arg, ArgFlags, ArgType};
use crate::id::CommandId;
use crate::key_spec::{BeginSearch, FindKeys, KeyFlags};
use crate::spec::{AclCategories, CommandSpec, Flags, Group};

fn all() -> impl Iterator<Item = &'static CommandSpec> {
    CommandId::ALL.into_iter().map(CommandId::spec)
}

/// Checks a rule on every command and lists all that break it.
#[track_caller]
fn check(rule: impl Fn(&CommandSpec) -> bool) {
    let broken: Vec<_> = all()
        .filter(|spec| !rule(spec))
        .map(|s| s.full_name())
        .collect();
    assert_eq!(broken, [""; 0]);
}

fn declared(spec: &CommandSpec, flags: Flags) -> bool {
    spec.flags.contains(flags)
}

fn is_sorted_strictly(specs: &[CommandSpec]) -> bool {
    specs.windows(2).all(|pair| pair[0].name < pair[1].name)
}

#[test]
fn ids_specs_and_full_names_agree() {
    for (number, id) in CommandId::ALL.into_iter().enumerate() {
        let spec = id.spec();
        assert_eq!(id as usize, number);
        assert_eq!(spec.id, id);
        let full_name = match spec.parent {
            None => spec.name.to_owned(),
            Some(parent) => format!("{}|{}", parent.spec().name, spec.name),
        };
        assert_eq!(id.full_name(), full_name);
        let variant: String = full_name
            .split(['|', '-', '_'])
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect();
        assert_eq!(format!("{id:?}"), variant);
    }
}

#[test]
fn names_are_lower_case_words() {
    check(|spec| {
        !spec.name.is_empty()
            && spec
                .name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-')
    });
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<_> = all().map(CommandSpec::full_name).collect();
    assert_eq!(names.len(), CommandId::COUNT);
}

#[test]
fn tables_are_sorted_by_name_and_hold_one_group() {
    let mut seen: Vec<Group> = Vec::new();
    for group in GROUPS {
        assert!(is_sorted_strictly(group), "{:?}", group[0].group);
        assert!(group.iter().all(|spec| spec.group == group[0].group));
        assert!(!seen.contains(&group[0].group));
        seen.push(group[0].group);
    }
    check(|spec| is_sorted_strictly(spec.declared_subcommands));
    check(|spec| {
        spec.parent
            .is_none_or(|parent| parent.spec().group == spec.group)
    });
}

#[test]
fn commands_and_subcommands_are_all_ids_once() {
    let mut listed = Vec::new();
    for command in commands() {
        listed.push(command.id);
        listed.extend(command.subcommands().map(|sub| sub.id));
    }
    listed.sort();
    assert_eq!(listed, CommandId::ALL);
}

#[test]
fn containers_are_one_level_deep_and_can_help() {
    check(|spec| spec.parent.is_none() || !spec.is_container());
    check(|spec| !spec.is_container() || spec.subcommands().any(|sub| sub.name == "help"));
    // COMMAND alone answers without a subcommand.
    check(|spec| !spec.is_container() || spec.arity == -2 || spec.id == CommandId::Command);
}

#[test]
fn arities_count_the_names() {
    check(|spec| {
        let names = if spec.parent.is_some() { 2 } else { 1 };
        spec.arity.abs() >= names
    });
}

/// Least and greatest number of words that match an argument.
fn word_count(arg: &Arg) -> (i32, Option<i32>) {
    let children = || arg.children.iter().map(word_count);
    let sum = |counts: &mut dyn Iterator<Item = (i32, Option<i32>)>| {
        counts.fold((0, Some(0)), |(least, most), (l, m)| {
            (least + l, most.zip(m).map(|(a, b)| a + b))
        })
    };
    let (mut least, mut most) = match arg.arg_type {
        ArgType::PureToken => (0, Some(0)),
        ArgType::Block => sum(&mut children()),
        ArgType::OneOf => (
            children().map(|(least, _)| least).min().unwrap(),
            children()
                .map(|(_, most)| most)
                .max_by_key(|m| m.unwrap_or(i32::MAX))
                .unwrap(),
        ),
        _ => (1, Some(1)),
    };
    if arg.token.is_some() {
        least += 1;
        most = most.map(|most| most + 1);
    }
    if arg.flags.contains(ArgFlags::OPTIONAL) {
        least = 0;
    }
    if arg.flags.contains(ArgFlags::MULTIPLE) {
        most = None;
    }
    (least, most)
}

#[test]
fn arity_is_what_the_arguments_need() {
    // A container's arguments are its subcommands' and DEBUG's are not described. Old servers
    // ignored what followed QUIT. CLIENT KILL's filters are all optional, but one must be there. What
    // servers send each other grows with every release.
    let exempt = |spec: &CommandSpec| {
        spec.is_container()
            || matches!(
                spec.id,
                CommandId::Debug
                    | CommandId::Quit
                    | CommandId::ClientKill
                    | CommandId::Psync
                    | CommandId::Replconf
            )
    };
    check(|spec| {
        let names = if spec.parent.is_some() { 2 } else { 1 };
        let (least, most) = spec
            .args
            .iter()
            .map(word_count)
            .fold((names, Some(names)), |(least, most), (l, m)| {
                (least + l, most.zip(m).map(|(a, b)| a + b))
            });
        exempt(spec)
            || if spec.arity > 0 {
                least == spec.arity && most == Some(least)
            } else {
                least == -spec.arity && most != Some(least)
            }
    });
}

fn visit_args(args: &'static [Arg], visit: &mut dyn FnMut(&Arg)) {
    for arg in args {
        visit(arg);
        visit_args(arg.children, visit);
    }
}

#[test]
fn arguments_are_well_formed() {
    for spec in all() {
        visit_args(spec.args, &mut |arg| {
            let where_ = (spec.full_name(), arg.name);
            assert_eq!(
                arg.arg_type.has_children(),
                !arg.children.is_empty(),
                "{where_:?}"
            );
            assert!(
                arg.arg_type != ArgType::PureToken || arg.token.is_some(),
                "{where_:?}"
            );
            assert!(
                arg.arg_type != ArgType::Key || arg.key_spec_index.is_some(),
                "{where_:?}"
            );
            assert!(
                arg.arg_type != ArgType::OneOf || arg.children.len() > 1,
                "{where_:?}"
            );
            assert!(
                !arg.flags.contains(ArgFlags::MULTIPLE_TOKEN)
                    || arg.flags.contains(ArgFlags::MULTIPLE) && arg.token.is_some(),
                "{where_:?}"
            );
            assert_eq!(arg.display_text().is_none(), arg.arg_type.has_children());
        });
        let names: BTreeSet<_> = spec.args.iter().map(|arg| arg.name).collect();
        assert_eq!(names.len(), spec.args.len(), "{}", spec.full_name());
    }
}

#[test]
fn every_key_spec_has_its_argument_and_the_other_way_round() {
    check(|spec| {
        let mut used = BTreeSet::new();
        visit_args(spec.args, &mut |arg| {
            used.extend(arg.key_spec_index.map(usize::from))
        });
        // A channel is routed like a key but described as a string.
        let keys = spec.key_specs.iter().enumerate();
        let expected: BTreeSet<_> = keys
            .filter(|(_, key)| !key.flags.contains(KeyFlags::NOT_KEY))
            .map(|(index, _)| index)
            .collect();
        used == expected
    });
}

#[test]
fn key_specs_stay_within_what_the_arity_grants() {
    // SUNSUBSCRIBE may come without channels: then it has none.
    check(|spec| {
        spec.id == CommandId::Sunsubscribe || {
            let names = if spec.parent.is_some() { 2 } else { 1 };
            spec.key_specs.iter().all(|key| {
                let BeginSearch::Index(first) = key.begin else {
                    return matches!(key.begin, BeginSearch::Unknown)
                        && key.find == FindKeys::Unknown;
                };
                let last = match key.find {
                    FindKeys::Range { last, step, limit } => {
                        assert!(step > 0 && limit >= 0);
                        // With the least arguments, a range that counts from the end is not empty.
                        if last < 0 {
                            spec.arity.abs() + last
                        } else {
                            first + last
                        }
                    }
                    FindKeys::KeyNum {
                        count_index,
                        first: relative,
                        step,
                    } => {
                        assert!(step > 0 && count_index >= 0 && relative > count_index);
                        first + relative
                    }
                    FindKeys::Unknown => return false,
                };
                first >= names && last >= first && last < spec.arity.abs()
            })
        }
    });
}

#[test]
fn key_flags_say_one_way_of_access() {
    let ways = [KeyFlags::RO, KeyFlags::RW, KeyFlags::OW, KeyFlags::RM];
    check(|spec| {
        spec.key_specs.iter().all(|key| {
            let count = ways.iter().filter(|&&way| key.flags.contains(way)).count();
            count == usize::from(!key.flags.contains(KeyFlags::NOT_KEY))
        })
    });
    check(|spec| {
        let reads_only = |key: &crate::KeySpec| {
            key.flags.contains(KeyFlags::RO) || key.flags.contains(KeyFlags::NOT_KEY)
        };
        let changing = KeyFlags::UPDATE | KeyFlags::INSERT | KeyFlags::DELETE;
        spec.key_specs
            .iter()
            .all(|key| !(reads_only(key) && key.flags.intersects(changing)))
            && (!declared(spec, Flags::READONLY) || spec.key_specs.iter().all(reads_only))
            && (!declared(spec, Flags::WRITE)
                || spec.key_specs.is_empty()
                || !spec.key_specs.iter().all(reads_only))
    });
}

#[test]
fn nothing_both_writes_and_is_read_only() {
    check(|spec| !declared(spec, Flags::WRITE | Flags::READONLY));
    check(|spec| !declared(spec, Flags::DENYOOM) || declared(spec, Flags::WRITE));
    check(|spec| {
        !(declared(spec, Flags::BLOCKING) && declared(spec, Flags::FAST))
            || spec.name.starts_with("bz")
    });
}

#[test]
fn commands_with_keys_read_or_write() {
    // SPUBLISH and its like have channels; WATCH does not touch its keys, MEMORY USAGE reads one.
    check(|spec| {
        let has_keys = spec
            .key_specs
            .iter()
            .any(|key| !key.flags.contains(KeyFlags::NOT_KEY));
        !has_keys
            || spec.flags.intersects(Flags::WRITE | Flags::READONLY)
            || spec.id == CommandId::Watch
    });
}

#[test]
fn acl_categories_follow_the_flags() {
    let follows = [
        (Flags::WRITE, AclCategories::WRITE),
        (Flags::READONLY, AclCategories::READ),
        (Flags::ADMIN, AclCategories::ADMIN),
        (Flags::FAST, AclCategories::FAST),
        (Flags::BLOCKING, AclCategories::BLOCKING),
        (Flags::PUBSUB, AclCategories::PUBSUB),
    ];
    for (flag, category) in follows {
        check(|spec| {
            // ROLE and LASTSAVE are for administrators by category alone.
            let by_category = [CommandId::Role, CommandId::Lastsave].contains(&spec.id);
            let excused = category == AclCategories::ADMIN && by_category;
            declared(spec, flag) == spec.acl.contains(category) || excused
        });
    }
    check(|spec| {
        !spec.acl.contains(AclCategories::ADMIN) || spec.acl.contains(AclCategories::DANGEROUS)
    });
    check(|spec| spec.acl.contains(AclCategories::FAST) != spec.acl.contains(AclCategories::SLOW));
}

#[test]
fn acl_categories_follow_the_group() {
    let follows = [
        (Group::String, AclCategories::STRING),
        (Group::Bitmap, AclCategories::BITMAP),
        (Group::List, AclCategories::LIST),
        (Group::Hash, AclCategories::HASH),
        (Group::Set, AclCategories::SET),
        (Group::SortedSet, AclCategories::SORTEDSET),
        (Group::Transactions, AclCategories::TRANSACTION),
    ];
    // SORT works on three types.
    let sorts = |spec: &CommandSpec| matches!(spec.id, CommandId::Sort | CommandId::SortRo);
    for (group, category) in follows {
        check(|spec| (spec.group == group) == spec.acl.contains(category) || sorts(spec));
    }
}

#[test]
fn documentation_is_complete() {
    check(|spec| {
        spec.summary.starts_with(|c: char| c.is_ascii_uppercase()) && spec.summary.ends_with('.')
    });
    // MONITOR and LOLWUT have none.
    let without = [CommandId::Monitor, CommandId::Lolwut];
    check(|spec| spec.complexity.is_empty() == without.contains(&spec.id));
    check(|spec| is_version(spec.since));
    check(|spec| {
        spec.deprecated
            .is_none_or(|deprecation| is_version(deprecation.since))
    });
    check(|spec| {
        spec.history
            .iter()
            .all(|(version, what)| is_version(version) && what.ends_with('.'))
    });
    check(|spec| {
        spec.history
            .is_sorted_by_key(|(version, _)| numbers(version))
    });
    check(|spec| spec.tips.iter().all(|tip| *tip == tip.to_lowercase()));
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .filter_map(|number| number.parse().ok())
        .collect()
}

fn is_version(version: &str) -> bool {
    version.split('.').count() == 3 && numbers(version).len() == 3
}

#[test]
fn derived_flags_are_not_declared() {
    let declared = GROUPS.iter().copied().flatten();
    let nested = declared.clone().flat_map(|spec| spec.declared_subcommands);
    for spec in declared.chain(nested) {
        assert!(!spec.flags.contains(Flags::MOVABLEKEYS), "{}", spec.name);
    }
    assert!(
        CommandId::Zunionstore
            .spec()
            .flags
            .contains(Flags::MOVABLEKEYS)
    );
    assert!(CommandId::Zunionstore.flags().contains(Flags::MOVABLEKEYS));
    assert!(!CommandId::Mset.flags().contains(Flags::MOVABLEKEYS));
}

#[test]
fn the_gates_repeat_the_specs() {
    check(|spec| {
        let gate = super::GATES[spec.id as usize];
        gate.flags == spec.flags
            && i32::from(gate.arity) == spec.arity
            && gate.range == spec.legacy_range()
    });
}

#[test]
fn acl_categories_have_their_places_in_the_list() {
    for (place, (bit, name)) in AclCategories::NAMES.iter().enumerate() {
        assert_eq!(bit.bits(), 1 << place, "{name}");
    }
}
