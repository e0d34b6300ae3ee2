//! HELP subcommands: one line for the container, one or more per subcommand, and HELP itself, as
//! clients expect them (an array of status replies).

use crate::ctx::Ctx;

/// Answers `<container> HELP`. `lines` alternate between a subcommand with its arguments and indented
/// explanations, as they are to be shown.
pub(crate) fn reply(ctx: &mut Ctx<'_>, container: &str, lines: &[&str]) {
    ctx.out.array(lines.len() + 3);
    ctx.out.simple(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for line in lines {
        ctx.out.simple(line);
    }
    ctx.out.simple("HELP");
    ctx.out.simple("    Print this help.");
}
