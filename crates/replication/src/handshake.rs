//! The handshake with our primary, reply by reply. Nothing here waits.
//!
//! ```text
//!   PING -> [AUTH] REPLCONF listening-port, [ip-address], capa, [version] -> PSYNC
//!        `-- pong   `-- sent at once, answered in this order                  `-- one line
//! ```
//!
//! Which replies are due is noted when the requests are sent, so a configuration that changes in
//! between does not confuse the order.
//!
//! Tests: `tests/replica.rs`.

use std::collections::VecDeque;

use crate::config::Config;
use crate::id::ReplicationId;
use crate::misbehaved::Misbehaved;
use crate::offset::ReplOffset;
use crate::replconf::{RUN_ID_CAPABILITY, printable};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Pong,
    Auth,
    Port,
    Ip,
    Capa,
    Version,
    Psync,
}

impl Step {
    /// What a primary that does not know it is said not to understand.
    fn option(self) -> &'static str {
        match self {
            Step::Port => "REPLCONF listening-port",
            Step::Ip => "REPLCONF ip-address",
            Step::Capa => "REPLCONF capa",
            Step::Version => "REPLCONF version",
            Step::Pong | Step::Auth | Step::Psync => "the handshake",
        }
    }
}

/// What the answer to PSYNC means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PsyncReply {
    /// Nothing yet; the primary is alive.
    Wait,
    Full {
        id: ReplicationId,
        offset: ReplOffset,
    },
    Continue {
        id: Option<ReplicationId>,
    },
    /// It cannot now, but will.
    Later(String),
    /// It does not know PSYNC, or says so.
    Unsupported(String),
}

/// The requests after the pong, and which replies they will get.
pub(crate) fn introduction(config: &Config) -> (Vec<u8>, VecDeque<Step>) {
    let mut bytes = Vec::new();
    let mut steps = VecDeque::new();
    if let Some(password) = &config.primary_auth {
        match &config.primary_user {
            Some(user) => command(&mut bytes, &[b"AUTH", user, password]),
            None => command(&mut bytes, &[b"AUTH", password]),
        }
        steps.push_back(Step::Auth);
    }
    let port = config.announced_port.to_string();
    command(
        &mut bytes,
        &[b"REPLCONF", b"listening-port", port.as_bytes()],
    );
    steps.push_back(Step::Port);
    if let Some(ip) = &config.announced_ip {
        command(&mut bytes, &[b"REPLCONF", b"ip-address", ip.as_bytes()]);
        steps.push_back(Step::Ip);
    }
    let run_id = [RUN_ID_CAPABILITY, config.run_id.as_bytes()].concat();
    let known: [&[u8]; 5] = [b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"];
    let own: [&[u8]; 2] = [b"capa", &run_id];
    command(&mut bytes, &[&known[..], &own].concat());
    steps.push_back(Step::Capa);
    if let Some(version) = &config.announced_version {
        command(&mut bytes, &[b"REPLCONF", b"version", version.as_bytes()]);
        steps.push_back(Step::Version);
    }
    (bytes, steps)
}

pub(crate) fn psync(asked: Option<(ReplicationId, ReplOffset)>, is_failover: bool) -> Vec<u8> {
    let (id, wanted) = match asked {
        Some((id, offset)) => (id.to_string(), offset.wanted().to_string()),
        None => ("?".to_owned(), "-1".to_owned()),
    };
    let mut args: Vec<&[u8]> = vec![b"PSYNC", id.as_bytes(), wanted.as_bytes()];
    if is_failover {
        args.push(b"FAILOVER");
    }
    let mut bytes = Vec::new();
    command(&mut bytes, &args);
    bytes
}

pub(crate) fn command(out: &mut Vec<u8>, args: &[&[u8]]) {
    out.push(b'*');
    resp::write_u64(out, args.len() as u64);
    out.extend_from_slice(b"\r\n");
    for arg in args {
        out.push(b'$');
        resp::write_u64(out, arg.len() as u64);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// Whether a reply lets us go on; a text to note if it does, but not quite.
pub(crate) fn check_reply(step: Step, line: &[u8]) -> Result<Option<String>, Misbehaved> {
    let is_error = line.first() == Some(&b'-');
    let begins = |prefix: &[u8]| line.starts_with(prefix);
    match step {
        Step::Pong => {
            // A password is wanted, or rights: it comes next.
            let is_locked =
                begins(b"-NOAUTH") || begins(b"-NOPERM") || begins(b"-ERR operation not permitted");
            if begins(b"+") || is_locked {
                Ok(Some(
                    "Master replied to PING, replication can continue...".to_owned(),
                ))
            } else {
                Err(Misbehaved::Ping(printable(line)))
            }
        }
        Step::Auth if is_error => Err(Misbehaved::Auth(printable(line))),
        _ if is_error => Ok(Some(format!(
            "(Non critical) Master does not understand {}: {}",
            step.option(),
            printable(line)
        ))),
        _ => Ok(None),
    }
}

pub(crate) fn parse_psync_reply(line: &[u8]) -> Result<PsyncReply, Misbehaved> {
    let is = |prefix: &[u8]| line.starts_with(prefix);
    if line.is_empty() {
        return Ok(PsyncReply::Wait);
    }
    if let Some(rest) = line.strip_prefix(b"+FULLRESYNC") {
        return parse_full(rest).ok_or_else(|| Misbehaved::FullResyncSyntax(printable(line)));
    }
    if let Some(rest) = line.strip_prefix(b"+CONTINUE") {
        let id = rest.trim_ascii();
        let parsed = ReplicationId::parse(id);
        if parsed.is_none() && !id.is_empty() {
            return Err(Misbehaved::Continue(printable(line)));
        }
        return Ok(PsyncReply::Continue { id: parsed });
    }
    if is(b"-NOMASTERLINK") || is(b"-LOADING") {
        return Ok(PsyncReply::Later(printable(line)));
    }
    if is(b"-ERR") {
        return Ok(PsyncReply::Unsupported(printable(line)));
    }
    Err(Misbehaved::Psync(printable(line)))
}

fn parse_full(rest: &[u8]) -> Option<PsyncReply> {
    let mut words = rest.strip_prefix(b" ")?.split(|&byte| byte == b' ');
    let id = ReplicationId::parse(words.next()?)?;
    let offset = ReplOffset::claimed(resp::parse_i64(words.next()?)?)?;
    words
        .next()
        .is_none()
        .then_some(PsyncReply::Full { id, offset })
}
