//! One module per command group, one function per command: parse, act, reply.

pub mod bitmap;
pub mod connection;
pub mod db_index;
pub mod generic;
pub mod hash;
mod items;
pub mod list;
pub mod pubsub;
pub mod scan_args;
pub mod server;
pub mod set;
pub mod sorted_set;
pub mod string;
pub mod timeout;
pub mod transactions;

use crate::ctx::Ctx;
use crate::error::Outcome;

/// The reply of a container's HELP: a heading, what `lines` say, and HELP itself.
pub(crate) fn help(ctx: &mut Ctx<'_>, command: &str, lines: &[&str]) -> Outcome {
    ctx.out.array(lines.len() + 3);
    ctx.out.simple(&format!(
        "{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    ));
    for line in lines {
        ctx.out.simple(line);
    }
    ctx.out.simple("HELP");
    ctx.out.simple("    Print this help.");
    Ok(())
}
