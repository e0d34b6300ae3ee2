//! COMMAND: what commands there are, derived from the tables of the crate `commands`.
//!
//! `docs` and `info` write one command each; here is which commands are meant. Commands that the
//! configuration disabled are not there; renamed ones keep their own names in replies.
//! Tests: the reference suite's `unit/introspection-2`.

mod docs;
mod info;

use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError, texts};
use commands::{AclCategories, CommandId, CommandSpec, KeyFlags};

/// The commands that clients can use under some name.
fn reachable(engine: &Engine) -> impl Iterator<Item = &'static CommandSpec> + Clone + '_ {
    let is_reachable =
        |id: CommandId| !engine.hidden.contains(&id) || engine.renamed.values().any(|to| *to == id);
    CommandId::ALL
        .into_iter()
        .map(CommandId::spec)
        .filter(move |spec| spec.parent.is_none() && is_reachable(spec.id))
}

/// A command or subcommand by the name a client would use: `get`, `client|list`.
fn find(engine: &Engine, name: &[u8]) -> Option<CommandId> {
    match name.iter().position(|byte| *byte == b'|') {
        None => engine.lookup(name),
        Some(bar) => commands::lookup_sub(engine.lookup(&name[..bar])?, &name[bar + 1..]),
    }
}

pub fn command(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    let all = reachable(ctx.engine);
    ctx.out.array(all.clone().count());
    for spec in all {
        info::write(ctx.out, spec);
    }
    Ok(())
}

pub fn command_count(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.out.integer(reachable(ctx.engine).count() as i64);
    Ok(())
}

pub fn command_info(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 2 {
        return command(ctx, args);
    }
    ctx.out.array(args.len() - 2);
    for name in &args[2..] {
        match find(ctx.engine, name) {
            Some(id) => info::write(ctx.out, id.spec()),
            None => ctx.out.null(),
        }
    }
    Ok(())
}

pub fn command_docs(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let engine = &*ctx.engine;
    let specs: Vec<&CommandSpec> = match args.len() {
        2 => reachable(engine).collect(),
        _ => args[2..]
            .iter()
            .filter_map(|name| find(engine, name))
            .map(CommandId::spec)
            .collect(),
    };
    ctx.out.map(specs.len());
    for spec in specs {
        ctx.out.bulk(spec.full_name().as_bytes());
        docs::write(ctx.out, spec);
    }
    Ok(())
}

/// COMMAND LIST's FILTERBY.
#[derive(Clone, Copy)]
enum Filter<'a> {
    All,
    /// Commands of a module: there are no modules.
    Module,
    /// `None` for a category that nobody knows, which no command is in.
    Category(Option<AclCategories>),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(args: &[&'a [u8]]) -> Result<Filter<'a>, ReplyError> {
        let [by, kind, value] = args else {
            return if args.is_empty() {
                Ok(Filter::All)
            } else {
                Err(texts::SYNTAX)
            };
        };
        if !by.eq_ignore_ascii_case(b"filterby") {
            return Err(texts::SYNTAX);
        }
        match kind.to_ascii_lowercase().as_slice() {
            b"module" => Ok(Filter::Module),
            b"aclcat" => Ok(Filter::Category(AclCategories::from_name(value))),
            b"pattern" => Ok(Filter::Pattern(value)),
            _ => Err(texts::SYNTAX),
        }
    }

    fn matches(self, spec: &CommandSpec) -> bool {
        match self {
            Filter::All => true,
            Filter::Module => false,
            Filter::Category(category) => {
                category.is_some_and(|category| spec.acl.contains(category))
            }
            // Names are lower case; the pattern may not be.
            Filter::Pattern(pattern) => structures::glob::matches(
                &pattern.to_ascii_lowercase(),
                spec.full_name().as_bytes(),
            ),
        }
    }
}

pub fn command_list(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let filter = Filter::parse(&args[2..])?;
    let reply = ctx.out.defer();
    let mut count = 0;
    for spec in
        reachable(ctx.engine).flat_map(|spec| std::iter::once(spec).chain(spec.subcommands()))
    {
        if filter.matches(spec) {
            ctx.out.bulk(spec.full_name().as_bytes());
            count += 1;
        }
    }
    ctx.out.fill_array(reply, count);
    Ok(())
}

pub fn command_getkeys(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    get_keys(ctx, args, false)
}

pub fn command_getkeysandflags(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    get_keys(ctx, args, true)
}

fn get_keys(ctx: &mut Ctx<'_>, args: Args<'_>, with_flags: bool) -> Outcome {
    let line = &args[2..];
    let id = ctx.engine.lookup(line[0]).and_then(|id| match line.get(1) {
        Some(sub) if id.spec().is_container() => commands::lookup_sub(id, sub),
        _ => Some(id),
    });
    let id = id.ok_or(ReplyError::new("ERR Invalid command specified"))?;
    let keys =
        commands::keys_of(id, line).map_err(|error| ReplyError::from(format!("ERR {error}")))?;
    ctx.out.array(keys.len());
    for key in keys {
        if with_flags {
            ctx.out.array(2);
        }
        ctx.out.bulk(line[key.index]);
        if with_flags {
            write_key_flags(ctx.out, key.flags);
        }
    }
    Ok(())
}

fn write_key_flags(out: &mut resp::Writer, flags: KeyFlags) {
    write_names(out, flags.names());
}

/// A set of words, as status replies.
fn write_names(out: &mut resp::Writer, names: impl Iterator<Item = &'static str>) {
    let reply = out.defer();
    let mut count = 0;
    for name in names {
        out.simple(name);
        count += 1;
    }
    out.fill_set(reply, count);
}

pub fn command_help(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    crate::cmd::help(
        ctx,
        "COMMAND",
        &[
            "(no subcommand)",
            "    Describe all commands.",
            "COUNT",
            "    Show how many commands there are.",
            "DOCS [<command-name> ...]",
            "    Document these commands, or all.",
            "GETKEYS <full-command>",
            "    Show which arguments of a command line are keys.",
            "GETKEYSANDFLAGS <full-command>",
            "    The same, with what is done to each key.",
            "INFO [<command-name> ...]",
            "    Describe these commands, or all.",
            "LIST [FILTERBY MODULE <name> | ACLCAT <category> | PATTERN <pattern>]",
            "    Show the names of commands.",
        ],
    )
}
