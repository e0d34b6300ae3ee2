//! One command as COMMAND DOCS documents it: a map, nested for arguments and subcommands.

use super::write_names;
use commands::{Arg, CommandSpec};
use resp::Writer;

/// A map whose entries are counted as they are written.
struct Map {
    header: resp::Deferred,
    count: usize,
}

impl Map {
    fn new(out: &mut Writer) -> Map {
        Map {
            header: out.defer(),
            count: 0,
        }
    }

    /// A key; its value must follow.
    fn key(&mut self, out: &mut Writer, key: &str) {
        out.bulk(key.as_bytes());
        self.count += 1;
    }

    fn text(&mut self, out: &mut Writer, key: &str, value: &str) {
        self.key(out, key);
        out.bulk(value.as_bytes());
    }

    fn optional(&mut self, out: &mut Writer, key: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.text(out, key, value);
        }
    }

    fn end(self, out: &mut Writer) {
        out.fill_map(self.header, self.count);
    }
}

pub(super) fn write(out: &mut Writer, spec: &CommandSpec) {
    let mut map = Map::new(out);
    map.optional(out, "summary", Some(spec.summary));
    map.optional(out, "since", Some(spec.since));
    map.text(out, "group", spec.group.name());
    map.optional(out, "complexity", Some(spec.complexity));
    if !spec.doc_flags().is_empty() {
        map.key(out, "doc_flags");
        write_names(out, spec.doc_flags().names());
    }
    map.optional(
        out,
        "deprecated_since",
        spec.deprecated.map(|deprecation| deprecation.since),
    );
    map.optional(
        out,
        "replaced_by",
        spec.deprecated.map(|deprecation| deprecation.replaced_by),
    );
    if !spec.history.is_empty() {
        map.key(out, "history");
        out.set(spec.history.len());
        for (since, change) in spec.history {
            out.array(2);
            out.bulk(since.as_bytes());
            out.bulk(change.as_bytes());
        }
    }
    if !spec.args.is_empty() {
        map.key(out, "arguments");
        write_args(out, spec.args);
    }
    if spec.is_container() {
        map.key(out, "subcommands");
        out.map(spec.subcommands().len());
        for subcommand in spec.subcommands() {
            out.bulk(subcommand.full_name().as_bytes());
            write(out, subcommand);
        }
    }
    map.end(out);
}

fn write_args(out: &mut Writer, args: &[Arg]) {
    out.array(args.len());
    for arg in args {
        write_arg(out, arg);
    }
}

fn write_arg(out: &mut Writer, arg: &Arg) {
    let mut map = Map::new(out);
    map.text(out, "name", arg.name);
    map.text(out, "type", arg.arg_type.name());
    map.optional(out, "display_text", arg.display_text());
    if let Some(index) = arg.key_spec_index {
        map.key(out, "key_spec_index");
        out.integer(index.into());
    }
    // A token may be an empty word.
    if let Some(token) = arg.token {
        map.text(out, "token", token);
    }
    map.optional(out, "since", arg.since);
    map.optional(out, "deprecated_since", arg.deprecated_since);
    if !arg.flags.is_empty() {
        map.key(out, "flags");
        write_names(out, arg.flags.names());
    }
    if arg.arg_type.has_children() {
        map.key(out, "arguments");
        write_args(out, arg.children);
    }
    map.end(out);
}
