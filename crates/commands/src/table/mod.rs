//! The tables, and the constants derived from them when the crate is compiled.
//!
//! Each group of the manual has its file. What is built here: [`SPECS`], every declaration at its
//! id's place, with the derived flags added, and [`GATES`], the few numbers that each command of
//! each client needs, packed so that four commands share a cache line. An id that is not declared,
//! or declared twice, stops the compiler.
//!
//! To add a group: a file, a line in [`GROUPS`].
//! Tests: `hygiene.rs`.

mod bitmap;
mod connection;
mod generic;
mod hash;
#[cfg(test)]
mod hygiene;
mod list;
mod pubsub;
mod server;
mod set;
mod sorted_set;
mod string;
mod transactions;

use crate::id::CommandId;
use crate::key_spec::{self, LegacyRange};
use crate::spec::{CommandSpec, Flags};

/// What a table needs to declare its commands: the types, and macros that make sets of bits read
/// like `flags!(WRITE | FAST)`.
mod vocabulary {
    pub(super) use crate::arg::Arg;
    pub(super) use crate::id::CommandId;
    pub(super) use crate::key_spec::{KeyFlags, KeySpec};
    pub(super) use crate::reply::ReplyShape;
    pub(super) use crate::spec::{AclCategories, CommandSpec, Deprecation, Flags, Group};

    macro_rules! flags {
        ($($flag:ident)|*) => { Flags::empty()$(.or(Flags::$flag))* };
    }
    macro_rules! acl {
        ($($category:ident)|*) => { AclCategories::empty()$(.or(AclCategories::$category))* };
    }
    macro_rules! key_flags {
        ($($flag:ident)|*) => { KeyFlags::empty()$(.or(KeyFlags::$flag))* };
    }
    pub(super) use {acl, flags, key_flags};
}

/// The tables, each sorted by name.
const GROUPS: &[&[CommandSpec]] = &[
    connection::COMMANDS,
    generic::COMMANDS,
    string::COMMANDS,
    bitmap::COMMANDS,
    list::COMMANDS,
    hash::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    transactions::COMMANDS,
    pubsub::COMMANDS,
    server::COMMANDS,
];

/// All top-level commands, group by group, each group sorted by name.
pub fn commands() -> impl Iterator<Item = &'static CommandSpec> {
    GROUPS
        .iter()
        .flat_map(|group| group.iter())
        .map(|declared| declared.id.spec())
}

/// Every declaration with its flags complete, by id.
pub(crate) static SPECS: [CommandSpec; CommandId::COUNT] = {
    let mut specs = [CommandSpec::DEFAULTS; CommandId::COUNT];
    let mut group = 0;
    while group < GROUPS.len() {
        place_all(&mut specs, GROUPS[group], None);
        group += 1;
    }
    let mut number = 0;
    while number < CommandId::COUNT {
        assert!(specs[number].arity != 0, "an id without a declaration");
        number += 1;
    }
    specs
};

const fn place_all(
    specs: &mut [CommandSpec; CommandId::COUNT],
    declared: &'static [CommandSpec],
    parent: Option<CommandId>,
) {
    let mut i = 0;
    while i < declared.len() {
        let spec = declared[i];
        let place = &mut specs[spec.id as usize];
        assert!(place.arity == 0, "two declarations for one id");
        assert!(spec.arity != 0, "an arity of 0");
        match (spec.parent, parent) {
            (None, None) => {}
            (Some(said), Some(is)) => assert!(said as u16 == is as u16, "not its container"),
            _ => panic!("a subcommand outside its container, or a command inside one"),
        }
        *place = spec;
        if key_spec::legacy_range(spec.key_specs).1 {
            place.flags = spec.flags.or(Flags::MOVABLEKEYS);
        }
        if !spec.declared_subcommands.is_empty() {
            place_all(specs, spec.declared_subcommands, Some(spec.id));
        }
        i += 1;
    }
}

/// What the gates before a command read, for every command that arrives.
#[derive(Clone, Copy)]
pub(crate) struct Gate {
    pub(crate) flags: Flags,
    pub(crate) arity: i16,
    pub(crate) range: LegacyRange,
}

const _: () = assert!(size_of::<Gate>() == 16);

pub(crate) static GATES: [Gate; CommandId::COUNT] = {
    let mut gates = [Gate {
        flags: Flags::empty(),
        arity: 0,
        range: LegacyRange {
            first: 0,
            last: 0,
            step: 0,
        },
    }; CommandId::COUNT];
    let mut number = 0;
    while number < CommandId::COUNT {
        let spec = &SPECS[number];
        assert!(spec.arity as i16 as i32 == spec.arity);
        gates[number] = Gate {
            flags: spec.flags,
            arity: spec.arity as i16,
            range: key_spec::legacy_range(spec.key_specs).0,
        };
        number += 1;
    }
    gates
};
