//! CLIENT KILL, in its old form (an address) and its new one (filters that must all match).

use super::DEFAULT_USER;
use super::line::ClientKind;
use super::list::parse_kind;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use crate::session::{Session, SessionFlags};
use resp::parse_i64;

#[derive(Default)]
struct Filter<'a> {
    id: Option<u64>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    kind: Option<ClientKind>,
    max_age_seconds: Option<i64>,
    spare_me: bool,
}

impl<'a> Filter<'a> {
    fn parse(args: &[&'a [u8]]) -> Result<Filter<'a>, ReplyError> {
        let mut filter = Filter {
            spare_me: true,
            ..Filter::default()
        };
        for pair in args.chunks(2) {
            let [option, value] = *pair else {
                return Err(texts::SYNTAX);
            };
            let option = option.to_ascii_lowercase();
            match option.as_slice() {
                b"id" => filter.id = Some(parse_id(value)?),
                b"maxage" => filter.max_age_seconds = Some(parse_age(value)?),
                b"type" => filter.kind = Some(parse_kind(value)?),
                b"addr" => filter.addr = Some(value),
                b"laddr" => filter.laddr = Some(value),
                b"user" if value == DEFAULT_USER => {}
                b"user" => {
                    return Err(ReplyError::bytes(
                        [b"ERR No such user '", value, b"'"].concat(),
                    ));
                }
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.spare_me = true,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.spare_me = false,
                _ => return Err(texts::SYNTAX),
            }
        }
        Ok(filter)
    }

    fn matches(&self, session: &Session, now_ms: i64) -> bool {
        self.id.is_none_or(|id| session.id == id)
            && self.addr.is_none_or(|addr| session.addr.as_bytes() == addr)
            && self
                .laddr
                .is_none_or(|laddr| session.laddr.as_bytes() == laddr)
            && self.kind.is_none_or(|kind| session.kind() == kind)
            && self
                .max_age_seconds
                .is_none_or(|age| (now_ms - session.created_ms) / 1000 >= age)
    }
}

fn parse_id(text: &[u8]) -> Result<u64, ReplyError> {
    let id = parse_i64(text).filter(|&id| id >= 1);
    id.map(|id| id as u64)
        .ok_or(ReplyError::new("ERR client-id should be greater than 0"))
}

fn parse_age(text: &[u8]) -> Result<i64, ReplyError> {
    match parse_i64(text) {
        None => Err(ReplyError::new(
            "ERR maxage is not an integer or out of range",
        )),
        Some(age) if age <= 0 => Err(ReplyError::new("ERR maxage should be greater than 0")),
        Some(age) => Ok(age),
    }
}

pub fn client_kill(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let old_form = args.len() == 3;
    let filter = if old_form {
        Filter {
            addr: Some(args[2]),
            ..Filter::default()
        }
    } else {
        Filter::parse(&args[2..])?
    };
    let now_ms = ctx.now_ms();
    let targets: Vec<_> = ctx
        .engine
        .sessions
        .iter()
        .filter(|s| filter.matches(s, now_ms))
        .map(|s| s.slot)
        .collect();
    let mut killed = 0;
    for target in targets {
        killed += i64::from(ctx.engine.close_session(target));
    }
    if !filter.spare_me && filter.matches(ctx.session, now_ms) {
        // Its own reply is still sent.
        ctx.session.flags.set(SessionFlags::CLOSE_AFTER_REPLY, true);
        killed += 1;
    }
    match (old_form, killed) {
        (true, 0) => return Err(ReplyError::new("ERR No such client")),
        (true, _) => ctx.out.ok(),
        (false, count) => ctx.out.integer(count),
    }
    Ok(())
}
