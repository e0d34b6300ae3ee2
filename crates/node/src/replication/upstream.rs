//! The connection to our primary, seen from the engine: the session that runs its stream, and how
//! much of that has become history.
//!
//! The stream is cut into reads anywhere, history only between units (a command, or a transaction as
//! a whole). So what was given to the session and is not known to have run is kept here, and goes to
//! the machine when its unit is over.
//!
//! Tests: `tests/replication.rs`, process tests of `server`.

use super::actions::{act, discard};
use super::incoming::Incoming;
use super::mono_ms;
use crate::{NodeHost, Parts};
use engine::host::LogLevel;
use engine::{ConnInfo, Engine, SessionId};
use replication::{Attempt, LoadFailure, Received, ReplOffset, Verdict};
use std::collections::VecDeque;

#[derive(Default)]
pub struct Upstream {
    attempt: Option<Attempt>,
    info: ConnInfo,
    session: Option<SessionId>,
    /// The database that the stream has selected, while there is no session.
    db: u32,
    /// Bytes of this session's stream that are history.
    applied: u64,
    /// Given to the session, not history yet.
    unapplied: Vec<u8>,
    /// Where effects end and what the history's offset was there, for those not durable yet.
    written: VecDeque<(u64, ReplOffset)>,
    durable: ReplOffset,
}

impl Upstream {
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    pub fn attempt(&self) -> Option<Attempt> {
        self.attempt
    }

    pub fn stream_db(&self, engine: &Engine) -> u32 {
        self.session.map_or(self.db, |id| engine.stream_db(id))
    }

    pub fn set_stream_db(&mut self, db: u32) {
        self.db = db;
    }

    /// How much of the history is on our disk, given how far the effects are; none without an AOF.
    pub fn fsynced(&mut self, effects: Option<u64>) -> Option<ReplOffset> {
        let Some(effects) = effects else {
            self.written.clear();
            return None;
        };
        while let Some(&(end, offset)) = self.written.front()
            && end <= effects
        {
            self.durable = offset;
            self.written.pop_front();
        }
        Some(self.durable)
    }

    fn session_or_new(&mut self, engine: &mut Engine) -> SessionId {
        let info = &self.info;
        let db = self.db;
        *self
            .session
            .get_or_insert_with(|| engine.connect_primary(info.clone(), db))
    }

    /// The session ends; what it has not run is void.
    pub(super) fn end_session(&mut self, engine: &mut Engine) {
        if let Some(id) = self.session.take() {
            self.db = engine.stream_db(id);
            engine.disconnect(id);
        }
        self.unapplied.clear();
        self.applied = 0;
    }

    pub(super) fn forget(&mut self, attempt: Attempt) {
        self.attempt.take_if(|current| *current == attempt);
    }
}

/// The connection of that attempt is there.
pub fn connected(engine: &mut Engine, host: &mut dyn NodeHost, attempt: Attempt, info: ConnInfo) {
    let Parts { links, outside, .. } = host.node();
    links.upstream.attempt = Some(attempt);
    links.upstream.info = info;
    links.machine.connected(mono_ms(outside), attempt);
    act(engine, host);
}

/// The connection of that attempt could not be made, or is gone.
pub fn connection_lost(
    engine: &mut Engine,
    host: &mut dyn NodeHost,
    attempt: Attempt,
    reason: &str,
) {
    let Parts { links, outside, .. } = host.node();
    links.upstream.forget(attempt);
    links
        .machine
        .connection_lost(mono_ms(outside), attempt, reason);
    act(engine, host);
}

/// Takes from the front of `input` what can be taken of what our primary sent. The rest is to be
/// given again, with more behind it.
pub fn read(engine: &mut Engine, host: &mut dyn NodeHost, attempt: Attempt, input: &mut Vec<u8>) {
    let mut rest = &input[..];
    loop {
        let Parts { links, outside, .. } = host.node();
        let received = links.machine.read(mono_ms(outside), attempt, &mut rest);
        act(engine, host);
        match received {
            None => break,
            Some(Received::SnapshotBegin { .. }) => begin(engine, host),
            Some(Received::Snapshot(bytes)) => load(engine, host, bytes),
            Some(Received::SnapshotEnd) => finish(engine, host),
            Some(Received::Stream(bytes)) => apply(engine, host, &bytes),
        }
    }
    let used = input.len() - rest.len();
    input.drain(..used);
    let links = host.node().links;
    if links.machine.is_link_up() && links.upstream.attempt == Some(attempt) {
        // Also before anything has come: CLIENT LIST shows it, CLIENT KILL finds it.
        links.upstream.session_or_new(engine);
    }
}

/// Runs a part of the stream.
fn apply(engine: &mut Engine, host: &mut dyn NodeHost, bytes: &[u8]) {
    let id = host.node().links.upstream.session_or_new(engine);
    let Some(applied) = engine.feed_primary(id, bytes, host) else {
        // It was closed by somebody; the connection follows.
        return;
    };
    let Parts { links, outside, .. } = host.node();
    let now_ms = mono_ms(outside);
    let upstream = &mut links.upstream;
    if upstream.session != Some(id) {
        // One of the commands has ended it all.
        return;
    }
    let new = (applied - upstream.applied) as usize;
    upstream.applied = applied;
    if new == 0 {
        upstream.unapplied.extend_from_slice(bytes);
        return;
    }
    if upstream.unapplied.is_empty() {
        links.machine.applied(now_ms, &bytes[..new]);
        upstream.unapplied.extend_from_slice(&bytes[new..]);
    } else {
        let from_bytes = new - upstream.unapplied.len();
        upstream.unapplied.extend_from_slice(&bytes[..from_bytes]);
        links.machine.applied(now_ms, &upstream.unapplied);
        upstream.unapplied.clear();
        upstream.unapplied.extend_from_slice(&bytes[from_bytes..]);
    }
    links
        .selected
        .note(links.machine.offset(), engine.stream_db(id));
    if engine.effects.is_enabled() {
        let point = (engine.effects.offset(), links.machine.offset());
        upstream.written.push_back(point);
    }
    act(engine, host);
}

/// A snapshot begins.
fn begin(engine: &mut Engine, host: &mut dyn NodeHost) {
    let Parts { links, outside, .. } = host.node();
    let now_ms = outside.unix_ms();
    links.incoming = Some(Incoming::new(engine, now_ms));
    engine.async_loading = true;
    outside.log(
        LogLevel::Notice,
        "MASTER <-> REPLICA sync: Loading DB in memory, beside the data that is served",
    );
}

fn load(engine: &mut Engine, host: &mut dyn NodeHost, bytes: &[u8]) {
    let links = host.node().links;
    if let Some(incoming) = &mut links.incoming
        && let Err(failure) = incoming.take(bytes)
    {
        refuse(engine, host, &failure);
    }
}

/// The snapshot has wholly arrived.
fn finish(engine: &mut Engine, host: &mut dyn NodeHost) {
    let Some(incoming) = host.node().links.incoming.take() else {
        return;
    };
    engine.async_loading = false;
    let started_ms = incoming.started_ms();
    let bytes = incoming.read_bytes();
    let complete = match incoming.complete() {
        Ok(complete) => complete,
        Err(failure) => return refuse(engine, host, &failure),
    };
    let links = host.node().links;
    let verdict = links
        .machine
        .judge_snapshot(engine.keyspace.live_count(), complete.keys);
    if verdict == Verdict::RefuseEmpty {
        discard(complete.keyspace, engine, host);
        return refuse(engine, host, &LoadFailure::RefusedEmpty);
    }
    let dropped = engine.replace_data_set(complete.keyspace, host);
    // A save point sees that everything has changed.
    engine.keyspace.journal.dirty += complete.keys.max(dropped as u64);
    let Parts {
        persistence,
        links,
        outside,
    } = host.node();
    let seconds = (outside.unix_ms() - started_ms).max(0) as f64 / 1000.0;
    let text = format!(
        "MASTER <-> REPLICA sync: {} keys ({bytes} bytes) loaded in {seconds:.3} seconds, {dropped} old keys dropped",
        complete.keys
    );
    outside.log(LogLevel::Notice, &text);
    links.upstream.end_session(engine);
    links.upstream.db = complete.stream_db;
    links.selected.forget();
    links.machine.load_done(mono_ms(outside));
    persistence.data_set_replaced(engine, outside);
    act(engine, host);
}

fn refuse(engine: &mut Engine, host: &mut dyn NodeHost, failure: &LoadFailure) {
    drop_incoming(engine, host);
    let Parts { links, outside, .. } = host.node();
    links.machine.load_failed(mono_ms(outside), failure);
    act(engine, host);
}

/// The snapshot that was being loaded will never be whole.
pub(super) fn drop_incoming(engine: &mut Engine, host: &mut dyn NodeHost) {
    engine.async_loading = false;
    if let Some(incoming) = host.node().links.incoming.take() {
        discard(incoming.into_keyspace(), engine, host);
    }
}
