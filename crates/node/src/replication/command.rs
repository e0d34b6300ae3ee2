//! The engine's door: REPLICAOF, ROLE, REPLCONF, PSYNC, SYNC and FAILOVER.
//!
//! Reply and log texts are Redis's, as observed on 7.0. Tests: process tests of `server`.

use super::actions::act;
use super::{Follow, Postponed, flush_effects, mono_ms};
use crate::{NodeHost, Parts};
use commands::CommandId;
use engine::host::LogLevel;
use engine::{Args, Engine, Outcome, ReplyError, Session};
use replication::{Cause, LinkId, ReplconfReply, RoleReply, parse_failover};
use resp::Writer;

/// Sentinels call their connections so.
const SENTINEL_NAME: &[u8] = b"sentinel-";

pub fn command(
    engine: &mut Engine,
    host: &mut dyn NodeHost,
    session: &mut Session,
    out: &mut Writer,
    id: CommandId,
    args: Args<'_>,
) -> Outcome {
    if session.is_primary_link() && id != CommandId::Replconf {
        // Else a hostile one could point us anywhere, or make a replica's link of the session it owns.
        return Err(ReplyError::new("ERR not for a master to say"));
    }
    match id {
        CommandId::Role => {
            write_role(&host.node().links.role(engine), out);
            Ok(())
        }
        CommandId::Replconf => replconf(engine, host, session, out, args),
        CommandId::Psync | CommandId::Sync => sync(engine, host, session, out, args),
        CommandId::Failover => {
            let command = parse_failover(&args[1..])?;
            flush_effects(engine, host);
            let Parts { links, outside, .. } = host.node();
            if matches!(links.postponed, Some(Postponed::Follow(_))) {
                return Err(ReplyError::new(
                    "ERR FAILOVER is not valid when server is a replica.",
                ));
            }
            links.machine.failover(mono_ms(outside), command)?;
            // Replicas say how far they are once a second; a handover need not wait for that.
            links.machine.request_acks();
            act(engine, host);
            out.ok();
            Ok(())
        }
        _ => replicaof(engine, host, session, out, args),
    }
}

fn replicaof(
    engine: &mut Engine,
    host: &mut dyn NodeHost,
    session: &mut Session,
    out: &mut Writer,
    args: Args<'_>,
) -> Outcome {
    let [_, name, port] = args else {
        return Err(ReplyError::new("ERR syntax error"));
    };
    let Parts { links, outside, .. } = host.node();
    if links.machine.is_failing_over() {
        return Err(ReplyError::new(
            "ERR REPLICAOF not allowed while failing over.",
        ));
    }
    let client = engine.client_log_line(session);
    if name.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        if !links.machine.is_primary() {
            request(engine, host, Postponed::Promote { client });
        } else if links.postponed.take().is_some() {
            super::actions::note_primary(engine, host);
        }
        out.ok();
        return Ok(());
    }
    if session.is_replica_link() {
        return Err(ReplyError::new(
            "ERR Command is not valid when client is a replica.",
        ));
    }
    let port = resp::parse_i64(port).and_then(|port| u16::try_from(port).ok());
    let Some(port) = port else {
        return Err(ReplyError::new("ERR Invalid master port"));
    };
    let name = String::from_utf8_lossy(name).into_owned();
    if links
        .machine
        .primary_address()
        .is_some_and(|(host, at)| host.eq_ignore_ascii_case(&name) && at == port)
        && links.postponed.is_none()
    {
        outside.log(
            LogLevel::Notice,
            "REPLICAOF would result into synchronization with the master we are already connected with. No operation performed.",
        );
        out.simple("OK Already connected to specified master");
        return Ok(());
    }
    let is_automatic = engine.in_transaction || session.name.starts_with(SENTINEL_NAME);
    let follow = Follow {
        host: name,
        port,
        cause: if is_automatic {
            Cause::Automatic
        } else {
            Cause::Command
        },
        client,
    };
    request(engine, host, Postponed::Follow(follow));
    out.ok();
    Ok(())
}

/// At once, or at the end of the turn if a transaction runs: what it writes, before and after, is
/// history of ours. CONFIG REWRITE may follow in the transaction (Sentinel's has it) and is to know.
/// The last one counts.
fn request(engine: &mut Engine, host: &mut dyn NodeHost, request: Postponed) {
    let links = host.node().links;
    links.postponed = None;
    if !engine.in_transaction && !engine.effects.is_unit_open() {
        return carry_out(engine, host, request);
    }
    engine.config.replicaof = match &request {
        Postponed::Promote { .. } => None,
        Postponed::Follow(Follow { host, port, .. }) => Some(super::actions::address(host, *port)),
    };
    links.postponed = Some(request);
}

pub(super) fn carry_out(engine: &mut Engine, host: &mut dyn NodeHost, request: Postponed) {
    flush_effects(engine, host);
    let Parts { links, outside, .. } = host.node();
    let now_ms = mono_ms(outside);
    let text = match request {
        Postponed::Promote { client } => {
            links.machine.promote(now_ms);
            format!("MASTER MODE enabled (user request from '{client}')")
        }
        Postponed::Follow(Follow {
            host,
            port,
            cause,
            client,
        }) => {
            links.machine.replicate(now_ms, &host, port, cause);
            format!("REPLICAOF {host}:{port} enabled (user request from '{client}')")
        }
    };
    act(engine, host);
    host.log(LogLevel::Notice, &text);
    // A replica that is pointed elsewhere has not changed its role.
    super::actions::note_primary(engine, host);
}

fn replconf(
    _engine: &mut Engine,
    host: &mut dyn NodeHost,
    session: &mut Session,
    out: &mut Writer,
    args: Args<'_>,
) -> Outcome {
    let Parts { links, outside, .. } = host.node();
    if session.is_primary_link() {
        if args
            .get(1)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"getack"))
        {
            links.machine.ack_requested();
        }
        return Ok(());
    }
    let link = LinkId(session.id);
    let now_ms = mono_ms(outside);
    links.machine.heard(now_ms, link);
    let reply = links
        .machine
        .replconf(now_ms, link, ip_of(&session.addr), &args[1..])?;
    if reply == ReplconfReply::Ok {
        links.sessions.insert(link, session.slot);
        out.ok();
    }
    Ok(())
}

fn sync(
    engine: &mut Engine,
    host: &mut dyn NodeHost,
    session: &mut Session,
    out: &mut Writer,
    args: Args<'_>,
) -> Outcome {
    flush_effects(engine, host);
    let client = engine.client_log_line(session);
    let has_pending_output = !out.is_empty() || session.has_output();
    let Parts { links, outside, .. } = host.node();
    let link = LinkId(session.id);
    links.sessions.insert(link, session.slot);
    links.machine.sync(
        mono_ms(outside),
        link,
        ip_of(&session.addr),
        &client,
        args,
        has_pending_output,
    )?;
    session.become_replica_link();
    act(engine, host);
    super::refresh_role(engine, host);
    super::actions::note_primary(engine, host);
    Ok(())
}

/// The address without its port.
fn ip_of(address: &str) -> &str {
    let ip = address.rsplit_once(':').map_or(address, |(ip, _)| ip);
    ip.trim_start_matches('[').trim_end_matches(']')
}

fn write_role(role: &RoleReply, out: &mut Writer) {
    match role {
        RoleReply::Primary { offset, replicas } => {
            out.array(3);
            out.bulk(b"master");
            out.integer(*offset as i64);
            out.array(replicas.len());
            for (address, port, acked) in replicas {
                out.array(3);
                out.bulk(address.as_bytes());
                out.bulk(port.to_string().as_bytes());
                out.bulk(acked.to_string().as_bytes());
            }
        }
        RoleReply::Replica {
            host,
            port,
            state,
            offset,
        } => {
            out.array(5);
            out.bulk(b"slave");
            out.bulk(host.as_bytes());
            out.integer(i64::from(*port));
            out.bulk(state.as_bytes());
            out.integer(*offset);
        }
    }
}
