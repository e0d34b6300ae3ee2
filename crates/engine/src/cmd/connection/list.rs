//! CLIENT LIST and CLIENT INFO.

use super::line::{ClientKind, Running};
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use crate::session::Session;
use resp::parse_i64;

/// Which clients to list.
enum Selection {
    All,
    Kind(ClientKind),
    Ids(Vec<i64>),
}

impl Selection {
    fn parse(args: Args<'_>) -> Result<Selection, ReplyError> {
        match args {
            [_, _] => Ok(Selection::All),
            [_, _, word, name] if word.eq_ignore_ascii_case(b"type") => {
                parse_kind(name).map(Selection::Kind)
            }
            [_, _, word, ids @ ..] if word.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
                let ids = ids
                    .iter()
                    .map(|id| parse_i64(id))
                    .collect::<Option<Vec<i64>>>();
                ids.map(Selection::Ids)
                    .ok_or(ReplyError::new("ERR Invalid client ID"))
            }
            _ => Err(texts::SYNTAX),
        }
    }
}

pub(super) fn parse_kind(name: &[u8]) -> Result<ClientKind, ReplyError> {
    ClientKind::parse(name)
        .ok_or_else(|| ReplyError::bytes([b"ERR Unknown client type '", name, b"'"].concat()))
}

pub fn client_list(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let selection = Selection::parse(args)?;
    let mut all: Vec<&Session> = ctx.engine.sessions.iter().collect();
    all.push(ctx.session);
    all.sort_unstable_by_key(|s| s.id);
    let chosen: Vec<&Session> = match selection {
        Selection::All => all,
        Selection::Kind(kind) => all.into_iter().filter(|s| s.kind() == kind).collect(),
        Selection::Ids(ids) => ids
            .iter()
            .filter_map(|&id| {
                all.binary_search_by_key(&id, |s| s.id as i64)
                    .ok()
                    .map(|at| all[at])
            })
            .collect(),
    };
    let mut text = String::new();
    for session in chosen {
        text.push_str(
            &ctx.engine
                .client_line(session, running(ctx, session, args), false),
        );
        text.push('\n');
    }
    ctx.out.verbatim(&text, "txt");
    Ok(())
}

pub fn client_info(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut text = ctx
        .engine
        .client_line(ctx.session, running(ctx, ctx.session, args), false);
    text.push('\n');
    ctx.out.verbatim(&text, "txt");
    Ok(())
}

/// The request and reply of the session that is running this very command.
fn running(ctx: &Ctx<'_>, session: &Session, args: Args<'_>) -> Option<Running> {
    (session.slot == ctx.session.slot).then(|| Running {
        arg_bytes: args.iter().map(|a| a.len()).sum(),
        reply_bytes: ctx.out.len(),
    })
}
