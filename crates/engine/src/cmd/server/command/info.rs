//! One command as COMMAND and COMMAND INFO describe it: ten elements.

use super::{write_key_flags, write_names};
use commands::{BeginSearch, CommandSpec, FindKeys, KeySpec};
use resp::Writer;

pub(super) fn write(out: &mut Writer, spec: &CommandSpec) {
    let range = spec.legacy_range();
    out.array(10);
    out.bulk(spec.full_name().as_bytes());
    out.integer(spec.arity.into());
    write_names(out, spec.flags.names());
    out.integer(range.first.into());
    out.integer(range.last.into());
    out.integer(range.step.into());
    write_categories(out, spec);
    out.set(spec.tips.len());
    for tip in spec.tips {
        out.bulk(tip.as_bytes());
    }
    out.set(spec.key_specs.len());
    for key_spec in spec.key_specs {
        write_key_spec(out, key_spec);
    }
    match spec.subcommands() {
        subcommands if subcommands.len() == 0 => out.set(0),
        subcommands => {
            out.array(subcommands.len());
            subcommands.for_each(|subcommand| write(out, subcommand));
        }
    }
}

fn write_categories(out: &mut Writer, spec: &CommandSpec) {
    out.set(spec.acl.names().count());
    for name in spec.acl.names() {
        out.simple(&format!("@{name}"));
    }
}

fn write_key_spec(out: &mut Writer, spec: &KeySpec) {
    out.map(3 + usize::from(spec.notes.is_some()));
    if let Some(notes) = spec.notes {
        out.bulk(b"notes");
        out.bulk(notes.as_bytes());
    }
    out.bulk(b"flags");
    write_key_flags(out, spec.flags);
    out.bulk(b"begin_search");
    match spec.begin {
        BeginSearch::Unknown => write_typed(out, "unknown", &[]),
        BeginSearch::Index(index) => write_typed(out, "index", &[("index", index)]),
        BeginSearch::Keyword {
            keyword,
            start_from,
        } => {
            write_type(out, "keyword", 2);
            out.bulk(b"keyword");
            out.bulk(keyword.as_bytes());
            out.bulk(b"startfrom");
            out.integer(start_from.into());
        }
    }
    out.bulk(b"find_keys");
    match spec.find {
        FindKeys::Unknown => write_typed(out, "unknown", &[]),
        FindKeys::Range { last, step, limit } => {
            write_typed(
                out,
                "range",
                &[("lastkey", last), ("keystep", step), ("limit", limit)],
            );
        }
        FindKeys::KeyNum {
            count_index,
            first,
            step,
        } => {
            write_typed(
                out,
                "keynum",
                &[
                    ("keynumidx", count_index),
                    ("firstkey", first),
                    ("keystep", step),
                ],
            );
        }
    }
}

/// A map of a type's name and its numbers.
fn write_typed(out: &mut Writer, name: &str, numbers: &[(&str, i32)]) {
    write_type(out, name, numbers.len());
    for (name, number) in numbers {
        out.bulk(name.as_bytes());
        out.integer((*number).into());
    }
}

/// The beginning of such a map: as many entries of the inner one follow.
fn write_type(out: &mut Writer, name: &str, entries: usize) {
    out.map(2);
    out.bulk(b"type");
    out.bulk(name.as_bytes());
    out.bulk(b"spec");
    out.map(entries);
}
