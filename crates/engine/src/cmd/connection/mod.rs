//! The connection commands: who a client is and how it talks. What clients are told about each
//! other, and do to each other, is in `client`, `list`, `kill` and `pause`.
//!
//! There is one user, `default`; its password is `requirepass`.
//!
//! Tests: `crates/engine/tests/sessions.rs`.

mod client;
mod kill;
mod line;
mod list;
mod pause;

pub use client::{
    client_getname, client_help, client_id, client_no_evict, client_no_touch, client_reply,
    client_setinfo, client_setname, client_unblock,
};
pub use kill::client_kill;
pub use line::ClientKind;
pub use list::{client_info, client_list};
pub use pause::{client_pause, client_unpause};

use crate::cmd::db_index::parse_db;
use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError, texts};
use crate::session::{Session, SessionFlags};
use resp::{Version, parse_i64};

/// The only user until there are access control lists.
pub(crate) const DEFAULT_USER: &[u8] = b"default";

const WRONG_PASS: ReplyError =
    ReplyError::new("WRONGPASS invalid username-password pair or user is disabled.");

pub fn auth(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (user, password) = match args {
        [_, password] if !ctx.settings().requires_password => {
            let _ = password;
            return Err(ReplyError::new(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            ));
        }
        [_, password] => (DEFAULT_USER, *password),
        [_, user, password] => (*user, *password),
        _ => return Err(texts::SYNTAX),
    };
    authenticate(ctx, user, password)?;
    ctx.out.ok();
    Ok(())
}

fn authenticate(ctx: &mut Ctx<'_>, user: &[u8], password: &[u8]) -> Outcome {
    let wanted = ctx.engine.config.requirepass.as_bytes();
    let known = user == DEFAULT_USER;
    // The passwords are compared in any case, so that time does not tell which part was wrong.
    let matches = same_secret(wanted, password) | !ctx.engine.settings.requires_password;
    if known & matches {
        ctx.session.authenticated = true;
        return Ok(());
    }
    ctx.engine.stats.auth_failures += 1;
    Err(WRONG_PASS)
}

/// Equality in a time that depends on `given` only.
fn same_secret(wanted: &[u8], given: &[u8]) -> bool {
    let mut difference = wanted.len() ^ given.len();
    for (i, byte) in given.iter().enumerate() {
        let other = if wanted.is_empty() {
            0
        } else {
            wanted[i % wanted.len()]
        };
        difference |= usize::from(byte ^ other);
    }
    std::hint::black_box(difference) == 0
}

/// HELLO's options.
struct HelloArgs<'a> {
    version: Option<Version>,
    auth: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> HelloArgs<'a> {
    fn parse(args: Args<'a>) -> Result<Self, ReplyError> {
        let mut parsed = HelloArgs {
            version: None,
            auth: None,
            name: None,
        };
        let Some(version) = args.get(1) else {
            return Ok(parsed);
        };
        let version = parse_i64(version).ok_or(ReplyError::new(
            "ERR Protocol version is not an integer or out of range",
        ))?;
        parsed.version = match version {
            2 => Some(Version::V2),
            3 => Some(Version::V3),
            _ => return Err(ReplyError::new("NOPROTO unsupported protocol version")),
        };
        let mut rest = &args[2..];
        while let Some(option) = rest.first() {
            if option.eq_ignore_ascii_case(b"auth") && rest.len() >= 3 {
                parsed.auth = Some((rest[1], rest[2]));
                rest = &rest[3..];
            } else if option.eq_ignore_ascii_case(b"setname") && rest.len() >= 2 {
                client::check_name(rest[1])?;
                parsed.name = Some(rest[1]);
                rest = &rest[2..];
            } else {
                let text = [b"ERR Syntax error in HELLO option '", *option, b"'"].concat();
                return Err(ReplyError::bytes(text));
            }
        }
        Ok(parsed)
    }
}

pub fn hello(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let parsed = HelloArgs::parse(args)?;
    if let Some((user, password)) = parsed.auth {
        authenticate(ctx, user, password)?;
    }
    if !ctx.engine.is_authenticated(ctx.session) {
        return Err(ReplyError::new(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = parsed.name {
        ctx.session.name = name.to_vec();
    }
    if let Some(version) = parsed.version {
        ctx.session.version = version;
        ctx.out.set_version(version);
    }
    let proto = if ctx.session.version == Version::V3 {
        3
    } else {
        2
    };
    let role: &[u8] = match ctx.engine.role().is_replica {
        true => b"replica",
        false => b"master",
    };
    let out = &mut *ctx.out;
    out.map(7);
    for (field, value) in [
        (&b"server"[..], &b"redis"[..]),
        (b"version", config::REDIS_VERSION.as_bytes()),
    ] {
        out.bulk(field);
        out.bulk(value);
    }
    out.bulk(b"proto");
    out.integer(proto);
    out.bulk(b"id");
    out.integer(ctx.session.id as i64);
    for (field, value) in [(&b"mode"[..], &b"standalone"[..]), (b"role", role)] {
        out.bulk(field);
        out.bulk(value);
    }
    out.bulk(b"modules");
    out.empty_array();
    Ok(())
}

pub fn select(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    ctx.session.db = parse_db(ctx, args[1])?;
    ctx.out.ok();
    Ok(())
}

pub fn echo(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    ctx.out.bulk(args[1]);
    Ok(())
}

pub fn ping(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 2 {
        return Err(ReplyError::wrong_arity("ping"));
    }
    if ctx.session.version == Version::V2 && ctx.session.in_pubsub_mode() {
        ctx.out.array(2);
        ctx.out.bulk(b"pong");
        ctx.out.bulk(args.get(1).unwrap_or(&&b""[..]));
    } else if let Some(text) = args.get(1) {
        ctx.out.bulk(text);
    } else {
        ctx.out.simple("PONG");
    }
    Ok(())
}

pub fn quit(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.out.ok();
    ctx.session.flags.set(SessionFlags::CLOSE_AFTER_REPLY, true);
    Ok(())
}

pub fn reset(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    if ctx.session.is_mute() {
        return Err(ReplyError::new("ERR can only reset normal connections"));
    }
    ctx.engine.reset_session(ctx.session);
    ctx.out.set_version(Version::V2);
    ctx.out.simple("RESET");
    Ok(())
}

impl Engine {
    /// Whether the session may use commands other than those that authenticate.
    #[inline]
    pub(crate) fn is_authenticated(&self, session: &Session) -> bool {
        session.authenticated || !self.settings.requires_password
    }

    /// Brings a session back to the state of a new one. The library's name and version stay: they
    /// describe the program behind the connection.
    fn reset_session(&mut self, session: &mut Session) {
        self.monitors.remove(&session.slot);
        session.db = 0;
        session.version = Version::V2;
        session.authenticated = !self.settings.requires_password;
        self.discard_transaction(session);
        self.unsubscribe_everything(session);
        session.name = Vec::new();
        for flag in [
            SessionFlags::MONITOR,
            SessionFlags::REPLY_OFF,
            SessionFlags::REPLY_SKIP_NEXT,
            SessionFlags::NO_TOUCH,
            SessionFlags::NO_EVICT,
        ] {
            session.flags.set(flag, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::same_secret;

    #[test]
    fn a_password_matches_only_itself() {
        assert!(same_secret(b"secret", b"secret"));
        for given in [
            &b""[..],
            b"s",
            b"secre",
            b"secretsecret",
            b"secres",
            b"Secret",
        ] {
            assert!(!same_secret(b"secret", given));
        }
        assert!(!same_secret(b"", b"\0"));
    }
}
