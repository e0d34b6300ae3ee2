//! INFO: which sections are asked for, and in which order they come.
//!
//! Each family of sections has its file. The reply is text for people and programs alike: a section
//! begins with `# Name`, every line ends in CR LF, sections are parted by an empty line; names and
//! formats are those of Redis 7.4, `redan_version` is the one field added. Fields about things that this release does
//! not have (scripting, the cluster) are there with the values that are true of them.
//!
//! To add a section: a line in [`SECTIONS`], a function in its family's file.
//! Tests: the reference suite's `unit/info` and `unit/info-command`.

mod activity;
mod commands;
mod data;
mod memory;
mod node;

use crate::ctx::{Args, Ctx};
use crate::engine::{ConnInfo, Engine, SessionId};
use crate::error::Outcome;
use crate::host::Host;
use ::commands::CommandId;
use resp::Writer;
use std::fmt::{Display, Write};

pub(crate) use memory::human;

/// A section: the name it is asked by, the sets it belongs to, and who writes it.
struct Section {
    name: &'static str,
    in_default: bool,
    in_all: bool,
    write: fn(&mut Ctx<'_>, &mut Text),
}

const fn section(name: &'static str, write: fn(&mut Ctx<'_>, &mut Text)) -> Section {
    Section {
        name,
        in_default: true,
        in_all: true,
        write,
    }
}

const fn not_by_default(name: &'static str, write: fn(&mut Ctx<'_>, &mut Text)) -> Section {
    Section {
        in_default: false,
        ..section(name, write)
    }
}

const SECTIONS: &[Section] = &[
    section("server", node::server),
    section("clients", activity::clients),
    section("memory", memory::memory),
    section("persistence", data::persistence),
    section("stats", activity::stats),
    section("replication", node::replication),
    section("cpu", node::cpu),
    // Its lines are not part of "all", but its heading is part of the default.
    Section {
        in_all: false,
        ..section("modules", node::modules)
    },
    not_by_default("commandstats", commands::command_stats),
    section("errorstats", commands::error_stats),
    not_by_default("latencystats", commands::latency_stats),
    section("cluster", node::cluster),
    section("keyspace", data::keyspace),
    Section {
        in_all: false,
        ..not_by_default("debug", activity::debug)
    },
];

/// The reply being written.
#[derive(Default)]
pub(crate) struct Text(String);

impl Text {
    fn heading(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        self.0.push_str("# ");
        self.0.push_str(name);
        self.0.push_str("\r\n");
    }

    /// Fields that somebody else has written, line ends included.
    fn lines(&mut self, lines: &str) {
        self.0.push_str(lines);
    }

    fn field(&mut self, name: &str, value: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// Several whole numbers, in order.
    fn numbers(&mut self, fields: &[(&str, i128)]) {
        for (name, value) in fields {
            self.field(name, value);
        }
    }

    fn words(&mut self, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            self.field(name, value);
        }
    }
}

pub fn info(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let wanted = parse(&args[1..]);
    let mut text = Text::default();
    for section in SECTIONS.iter().filter(|section| wanted(section)) {
        (section.write)(ctx, &mut text);
    }
    ctx.out.verbatim(&text.0, "txt");
    Ok(())
}

impl Engine {
    /// INFO without a client that asks, for crash reports.
    pub fn report(&mut self, host: &mut dyn Host) -> String {
        let nowhere = SessionId {
            index: u32::MAX,
            generation: 0,
        };
        let mut session = self.session_of(nowhere, 0, ConnInfo::default());
        let mut out = Writer::new(session.version);
        let command = CommandId::Info;
        let mut ctx = Ctx {
            engine: self,
            session: &mut session,
            out: &mut out,
            host,
            command,
        };
        let mut text = Text::default();
        for section in SECTIONS.iter().filter(|section| section.in_default) {
            (section.write)(&mut ctx, &mut text);
        }
        text.0
    }
}

/// Which sections the arguments ask for. Names that nobody knows are nobody's error.
fn parse<'a>(names: &'a [&'a [u8]]) -> impl Fn(&Section) -> bool + 'a {
    let asked = |word: &str| {
        names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(word.as_bytes()))
    };
    let everything = asked("everything");
    let all = everything || asked("all");
    let default = names.is_empty() || asked("default");
    move |section| {
        default && section.in_default
            || all && section.in_all
            || everything && section.name == "modules"
            || asked(section.name)
            || section.name == "modules" && asked("module_list")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(names: &[&[u8]]) -> Vec<&'static str> {
        let wanted = parse(names);
        SECTIONS
            .iter()
            .filter(|s| wanted(s))
            .map(|s| s.name)
            .collect()
    }

    #[test]
    fn sections_are_chosen_by_name_and_by_set_and_come_once() {
        let default = sections(&[]);
        assert!(
            default.contains(&"modules")
                && default.contains(&"errorstats")
                && !default.contains(&"commandstats")
        );
        assert_eq!(sections(&[b"DEFAULT", b"cpu"]), default);
        let all = sections(&[b"all"]);
        assert!(
            !all.contains(&"modules") && all.contains(&"latencystats") && !all.contains(&"debug")
        );
        assert_eq!(sections(&[b"everything"]).len(), all.len() + 1);
        assert_eq!(
            sections(&[b"keyspace", b"Server", b"sentinel"]),
            ["server", "keyspace"]
        );
        assert_eq!(sections(&[b"nothing"]), [""; 0]);
    }
}
