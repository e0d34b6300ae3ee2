//! What the machine says, done.
//!
//! Tests: `tests/replication.rs`.

use super::outgoing::{Outgoing, RDB_VERSION_MAX};
use super::upstream::drop_incoming;
use super::{Links, Want, mono_ms};
use crate::outside::{DiskJob, Outside};
use crate::persistence::SyncSnapshot;
use crate::{NodeHost, Parts};
use config::{PrimaryAddress, Text};
use engine::host::LogLevel;
use engine::{EffectsReader, Engine, PausePurpose, Role};
use keyspace::Keyspace;
use replication::{
    Action, Filter, Level, LinkId, ReplOffset, Role as MachineRole, SnapshotId, SnapshotKind,
};

/// Carries out everything the machine wants done.
pub fn act(engine: &mut Engine, host: &mut dyn NodeHost) {
    loop {
        let Parts { links, outside, .. } = host.node();
        let Some(action) = links.machine.poll_action() else {
            return;
        };
        match action {
            Action::Log { level, text } => outside.log(log_level(level), &text),
            Action::Connect {
                attempt,
                host,
                port,
            } => links.wants.push_back(Want::Connect {
                attempt,
                host,
                port,
            }),
            Action::SendToPrimary { attempt, bytes } => {
                links.wants.push_back(Want::Send { attempt, bytes });
            }
            Action::CloseAttempt { attempt } => {
                links.upstream.forget(attempt);
                links.upstream.end_session(engine);
                links.wants.push_back(Want::Close { attempt });
            }
            Action::DropUnapplied => links.upstream.end_session(engine),
            Action::AbortLoad => drop_incoming(engine, host),
            Action::CloseLink { link, is_flushed } => close_link(links, engine, link, is_flushed),
            Action::StartSnapshot { id, kind, filter } => {
                start_snapshot(engine, host, id, kind, filter);
            }
            Action::AbortSnapshot { id } => {
                if let Some(outgoing) = links.outgoing.take_if(|one| one.id == id) {
                    outgoing.end(engine, outside);
                }
            }
            Action::RoleChanged(role) => role_changed(engine, host, role),
            Action::ForceSelect => engine.effects.force_select(),
            Action::RecordEffects(on) => engine.record_effects(EffectsReader::Replicas, on),
            Action::PauseWrites => engine.pause_writes(PausePurpose::Failover, None),
            Action::ResumeWrites => engine.end_pause(PausePurpose::Failover),
            Action::KeepTail { from, to } => keep_tail(links, engine, outside, from, to),
        }
    }
}

fn log_level(level: Level) -> LogLevel {
    match level {
        Level::Verbose => LogLevel::Verbose,
        Level::Notice => LogLevel::Notice,
        Level::Warning => LogLevel::Warning,
    }
}

fn close_link(links: &mut Links, engine: &mut Engine, link: LinkId, is_flushed: bool) {
    if is_flushed && !links.machine.output(link).is_empty() {
        links.closing.insert(link);
    } else if let Some(id) = links.sessions.get(&link) {
        engine.close_session(*id);
    }
}

/// The configuration says whom we follow: CONFIG REWRITE writes it down.
pub fn note_primary(engine: &mut Engine, host: &mut dyn NodeHost) {
    let primary = host.node().links.machine.primary_address();
    engine.config.replicaof = primary.map(|(host, port)| address(host, port));
}

pub fn address(host: &str, port: u16) -> PrimaryAddress {
    let host = Text::from(host.as_bytes().to_vec());
    PrimaryAddress { host, port }
}

fn role_changed(engine: &mut Engine, host: &mut dyn NodeHost, role: MachineRole) {
    note_primary(engine, host);
    let links = host.node().links;
    let role = Role {
        is_replica: role == MachineRole::Replica,
        is_link_up: links.machine.is_link_up(),
        ..*engine.role()
    };
    engine.set_role(role, host);
}

fn start_snapshot(
    engine: &mut Engine,
    host: &mut dyn NodeHost,
    id: SnapshotId,
    kind: SnapshotKind,
    filter: Filter,
) {
    // The stream behind the snapshot begins with SELECT, so the database it names does not matter.
    engine.effects.force_select();
    let Parts {
        persistence,
        links,
        outside,
    } = host.node();
    let position = links.position(engine, persistence);
    let snapshot = SyncSnapshot {
        version_max: RDB_VERSION_MAX,
        position,
    };
    let (made, scratch) = persistence.sync_snapshot(&snapshot, engine, outside);
    let outgoing = Outgoing::begin(
        (id, kind, filter.without_data),
        made,
        scratch,
        engine,
        outside,
    );
    links.outgoing = Some(outgoing);
    links.machine.snapshot_started(mono_ms(outside), id);
}

/// Writes of ours that the new primary does not have are about to be lost: they go to a file.
fn keep_tail<O: Outside + ?Sized>(
    links: &mut Links,
    engine: &Engine,
    outside: &mut O,
    from: ReplOffset,
    to: ReplOffset,
) {
    let id = links.machine.id();
    let Some(writes) = part(links, from, to) else {
        return outside.log(
            LogLevel::Warning,
            &format!("The writes from offset {from} to {to} that the new master does not have are not in the backlog any more and cannot be kept"),
        );
    };
    let length_bytes = writes.len();
    let mut commands = 0;
    each_command(&writes, |args| {
        let name = args.first().map(|name| name.to_ascii_lowercase());
        commands += u64::from(!matches!(
            name.as_deref(),
            None | Some(b"select" | b"multi" | b"exec" | b"ping" | b"replconf")
        ));
    });
    let mut bytes = format!(
        "# redan: writes that a failover discarded; replayable as an append only file\r\n# replication-id {id}\r\n# offsets {from} to {to}\r\n# commands {commands}\r\n"
    )
    .into_bytes();
    match selected_at(links, from) {
        Some(db) => {
            let db = db.to_string();
            let select = format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{db}\r\n", db.len());
            bytes.extend_from_slice(select.as_bytes());
        }
        None => bytes.extend_from_slice(
            b"# the database that the first of them are for is not known any more\r\n",
        ),
    }
    bytes.extend_from_slice(&writes);
    let name = format!("discarded-{id}-{from}-{to}.aof");
    let path = [engine.config.dir.as_bytes(), b"/", name.as_bytes()].concat();
    outside.log(
        LogLevel::Warning,
        &format!(
            "{commands} commands ({length_bytes} bytes, offsets {from} to {to} of {id}) that the new master does not have are discarded; keeping them in {name}"
        ),
    );
    outside.submit(DiskJob::Keep { path, bytes });
}

/// A part of the history, if it is still there.
fn part(links: &Links, from: ReplOffset, to: ReplOffset) -> Option<Vec<u8>> {
    let length_bytes = to.bytes_since(from) as usize;
    let mut bytes = Vec::with_capacity(length_bytes);
    for chunk in links.machine.history(from)? {
        bytes.extend_from_slice(&chunk[..chunk.len().min(length_bytes - bytes.len())]);
    }
    Some(bytes)
}

/// The database that the history has selected at a boundary between commands.
fn selected_at(links: &Links, offset: ReplOffset) -> Option<u32> {
    let (from, mut db) = links.selected.before(offset)?;
    each_command(&part(links, from, offset)?, |args| {
        if let [name, number] = args
            && name.eq_ignore_ascii_case(b"select")
            && let Some(number) = resp::parse_i64(number)
        {
            db = u32::try_from(number).unwrap_or(db);
        }
    });
    Some(db)
}

/// Says how keeping the discarded writes ended.
pub fn report_kept<O: Outside + ?Sized>(path: &[u8], error: Option<&str>, outside: &mut O) {
    let path = String::from_utf8_lossy(path);
    match error {
        None => outside.log(
            LogLevel::Notice,
            &format!("The discarded writes are in {path}"),
        ),
        Some(error) => outside.log(
            LogLevel::Warning,
            &format!("The discarded writes could not be kept in {path}: {error}"),
        ),
    }
}

/// Whole commands in a part of a stream.
fn each_command(stream: &[u8], mut see: impl FnMut(&[&[u8]])) {
    let mut parser = resp::RequestParser::new();
    let mut spans = Vec::new();
    let limits = resp::Limits {
        bulk_max: i64::MAX,
        ..resp::Limits::default()
    };
    loop {
        spans.clear();
        match parser.parse(stream, &mut spans, &limits) {
            Ok(resp::Progress::Request) => {
                let args: Vec<&[u8]> = spans.iter().map(|span| span.of(stream)).collect();
                see(&args);
            }
            Ok(resp::Progress::Inline(_)) => {}
            Ok(resp::Progress::Incomplete { .. }) | Err(_) => return,
        }
    }
}

/// Drops a data set where that delays nobody.
pub fn discard(keyspace: Keyspace, engine: &mut Engine, host: &mut dyn NodeHost) {
    engine.keyspace.discard(keyspace);
    engine.settle_load(host);
}
