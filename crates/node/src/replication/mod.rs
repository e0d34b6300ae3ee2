//! Replication, driven: the pure machine of crate `replication` between the engine, whose effects it
//! spreads, and the sockets, which somebody outside has.
//!
//! ```text
//!   clients ─► engine ─effects─► machine ─output─► replicas      (`Links::output`, `written`)
//!   primary ─► machine ─stream─► engine ─► machine (as applied)  (`upstream.rs`)
//!   primary ─► machine ─snapshot─► `incoming.rs` ─► engine       (in place when it is whole)
//!   engine ─► `outgoing.rs` ─snapshot─► machine ─► replicas
//! ```
//! [`command`] is the engine's door: REPLICAOF and the like. [`end_of_turn`] and [`after_replies`]
//! belong to the turn (`crate::turn`). What must happen to sockets is left in [`Links::poll_want`].
//! `actions.rs` carries out what the machine says.
//!
//! Knows no sockets, files or clocks. Tests: `tests/replication.rs`, process tests of `server`.

mod actions;
mod command;
mod incoming;
mod outgoing;
mod selected;
mod settings;
mod upstream;

use crate::outside::{DiskDone, Outside};
use crate::persistence::{FileHistory, Persistence};
use crate::{NodeHost, Parts};
use config::{Config, PrimaryAddress};
use engine::host::{LogLevel, ReplicasAt, ReplicationInfo};
use engine::{Engine, PausePurpose, Role, SessionId};
use incoming::Incoming;
use outgoing::Outgoing;
use replication::{
    Attempt, Cause, LinkId, ReplOffset, Replication, ReplicationId, RoleReply, Throttle,
};
use selected::Selected;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use upstream::Upstream;

pub use command::command;
pub use settings::concerns;
pub use upstream::{connected, connection_lost, read};

/// While writers are slowed down they may write in a part of each such span.
const THROTTLE_SPAN_MS: u64 = 20;

/// What is to be done with sockets, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Want {
    /// Answered by [`connected`] or [`connection_lost`].
    Connect {
        attempt: Attempt,
        host: String,
        port: u16,
    },
    Send {
        attempt: Attempt,
        bytes: Vec<u8>,
    },
    /// Needs no answer.
    Close {
        attempt: Attempt,
    },
}

/// REPLICAOF that came in the middle of a transaction: it waits for the end of the turn.
enum Postponed {
    Promote { client: String },
    Follow(Follow),
}

struct Follow {
    host: String,
    port: u16,
    cause: Cause,
    client: String,
}

/// A point in the history that a data file may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub id: ReplicationId,
    pub offset: ReplOffset,
    /// The database that the stream has selected there.
    pub stream_db: u32,
}

pub struct Links {
    machine: Replication,
    /// Sessions that sent REPLCONF or PSYNC.
    sessions: BTreeMap<LinkId, SessionId>,
    /// Links whose socket takes no more at present.
    full: BTreeSet<LinkId>,
    /// Links to be closed when everything was written.
    closing: BTreeSet<LinkId>,
    upstream: Upstream,
    incoming: Option<Incoming>,
    outgoing: Option<Outgoing>,
    postponed: Option<Postponed>,
    wants: VecDeque<Want>,
    /// Which database the history has selected where.
    selected: Selected,
    /// A used buffer.
    spare: Vec<u8>,
    port: u16,
    run_id: String,
}

impl Links {
    pub fn new(config: &Config, run_id: &str, seed: u64) -> Links {
        let settings = settings::settings(config, config.port, run_id);
        Links {
            machine: Replication::new(settings, seed),
            sessions: BTreeMap::new(),
            full: BTreeSet::new(),
            closing: BTreeSet::new(),
            upstream: Upstream::default(),
            incoming: None,
            outgoing: None,
            postponed: None,
            wants: VecDeque::new(),
            selected: Selected::default(),
            spare: Vec::new(),
            port: config.port,
            run_id: run_id.to_owned(),
        }
    }

    /// Options changed.
    pub fn configure<O: Outside + ?Sized>(&mut self, config: &Config, outside: &mut O) {
        self.port = config.port;
        let settings = settings::settings(config, self.port, &self.run_id);
        self.machine.set_config(mono_ms(outside), settings);
    }

    // --- sockets ---

    pub fn poll_want(&mut self) -> Option<Want> {
        self.wants.pop_front()
    }

    /// Replicas that something can be written for now.
    pub fn ready_links(&self, into: &mut Vec<(LinkId, SessionId)>) {
        into.clear();
        if self.sessions.is_empty() {
            return;
        }
        let ready = self.machine.links_with_output();
        into.extend(
            ready
                .filter(|link| !self.full.contains(link))
                .filter_map(|link| Some((link, *self.sessions.get(&link)?))),
        );
    }

    pub fn output(&self, link: LinkId) -> &[u8] {
        self.machine.output(link)
    }

    /// So many bytes of [`Links::output`] were written; with `is_full` the socket takes no more
    /// until [`Links::has_room`].
    pub fn written<O: Outside + ?Sized>(
        &mut self,
        link: LinkId,
        bytes: usize,
        is_full: bool,
        outside: &mut O,
    ) {
        if is_full {
            self.full.insert(link);
        }
        self.machine.written(mono_ms(outside), link, bytes);
    }

    pub fn has_room(&mut self, link: LinkId) {
        self.full.remove(&link);
    }

    /// A session is gone. Harmless for those that are no replicas.
    pub fn session_closed<O: Outside + ?Sized>(&mut self, client_id: u64, outside: &mut O) {
        let link = LinkId(client_id);
        if self.sessions.remove(&link).is_some() {
            self.full.remove(&link);
            self.closing.remove(&link);
            self.machine.link_closed(mono_ms(outside), link);
        }
    }

    /// Whether that session stands for our primary.
    pub fn is_primary_session(&self, id: SessionId) -> bool {
        self.upstream.session() == Some(id)
    }

    pub fn attempt(&self) -> Option<Attempt> {
        self.upstream.attempt()
    }

    // --- what others ask ---

    /// Whether a snapshot for replicas is being made, which INFO calls a background save.
    pub fn is_saving(&self) -> bool {
        self.outgoing.is_some()
    }

    pub fn is_primary(&self) -> bool {
        self.machine.is_primary()
    }

    pub fn id(&self) -> ReplicationId {
        self.machine.id()
    }

    /// The primary that the configuration names, while the data set is still being loaded: the
    /// machine follows it only afterwards, but we are a replica already.
    fn awaited_primary<'c>(&self, engine: &'c Engine) -> Option<&'c PrimaryAddress> {
        let primary = engine.config.replicaof.as_ref();
        primary.filter(|_| engine.loading && self.machine.is_primary())
    }

    fn role(&self, engine: &Engine) -> RoleReply {
        match self.awaited_primary(engine) {
            None => self.machine.role(),
            Some(primary) => RoleReply::Replica {
                host: primary.host.to_str_lossy().into_owned(),
                port: primary.port,
                state: "connect",
                offset: -1,
            },
        }
    }

    fn section<O: Outside + ?Sized>(&self, engine: &Engine, outside: &mut O) -> String {
        let section = self.machine.info(mono_ms(outside));
        match self.awaited_primary(engine) {
            None => section,
            Some(primary) => {
                let role = format!(
                    "role:slave\r\nmaster_host:{}\r\nmaster_port:{}\r\nmaster_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\nmaster_sync_in_progress:0\r\n",
                    primary.host.to_str_lossy(),
                    primary.port
                );
                section.replacen("role:master\r\n", &role, 1)
            }
        }
    }

    pub fn info<O: Outside + ?Sized>(&self, engine: &Engine, outside: &mut O) -> ReplicationInfo {
        let stats = self.machine.stats();
        let backlog_bytes = self.machine.backlog_memory_bytes() as u64;
        ReplicationInfo {
            section: self.section(engine, outside),
            sync_full: stats.sync_full,
            sync_partial_ok: stats.sync_partial_ok,
            sync_partial_err: stats.sync_partial_err,
            backlog_bytes,
            replica_links_bytes: 0,
            total_buffers_bytes: backlog_bytes,
            id: self.machine.id().to_string(),
        }
    }

    /// WAIT and WAITAOF, for an offset of the effects' stream.
    pub fn replicas_at(
        &self,
        engine: &Engine,
        persistence: &Persistence,
        offset: u64,
    ) -> ReplicasAt {
        // What is not in the machine's history yet comes to lie behind it. What the machine itself
        // adds (pings) lies between, so an old offset is taken for a little more than it was.
        let end = engine.effects.offset();
        let known = self.machine.offset().get();
        let ahead = (end - engine.effects.taken()) + persistence.for_replicas_bytes() as u64;
        let behind = end.saturating_sub(offset);
        let offset = ReplOffset::new((known + ahead).saturating_sub(behind));
        ReplicasAt {
            acked: self.machine.count_acked(offset),
            fsynced: self.machine.count_fsynced(offset),
        }
    }

    pub fn request_acks(&mut self) {
        self.machine.request_acks();
    }

    pub fn reset_stats(&mut self) {
        self.machine.reset_stats();
    }

    pub fn change_id(&mut self) {
        self.machine.change_id();
    }

    /// What a data file that is begun now may say of its place in the history.
    pub fn position(&self, engine: &Engine, persistence: &Persistence) -> Option<Position> {
        if engine.effects.is_unit_open() {
            return None;
        }
        let (id, offset) = self.machine.persistent()?;
        let (ahead, stream_db) = if self.machine.is_recording() {
            let untaken = (engine.effects.offset() - engine.effects.taken()) as usize;
            let ahead = untaken + persistence.for_replicas_bytes();
            (ahead, engine.effects.selected_db().unwrap_or(0))
        } else {
            (0, self.upstream.stream_db(engine))
        };
        Some(Position {
            id,
            offset: offset.plus(ahead),
            stream_db,
        })
    }

    pub fn replica_count(&self) -> usize {
        self.machine.connected_replicas()
    }

    /// Replicas that have not confirmed everything yet: a shutdown waits for them.
    pub fn lagging_replicas(&self) -> usize {
        let confirmed = self.machine.count_acked(self.machine.offset());
        self.replica_count().saturating_sub(confirmed)
    }

    /// A log line for each of them.
    pub fn describe_lagging<O: Outside + ?Sized>(&self, outside: &mut O) -> Vec<String> {
        self.machine.lagging(mono_ms(outside))
    }

    /// When the next turn is due, in milliseconds from now.
    pub fn next_timeout_ms<O: Outside + ?Sized>(&self, outside: &mut O) -> Option<i64> {
        let now_ms = mono_ms(outside);
        let machine = self.machine.poll_timeout();
        let machine = machine.map(|at_ms| at_ms.saturating_sub(now_ms) as i64);
        let unix_ms = outside.unix_ms();
        let snapshot = self.outgoing.as_ref().and_then(|outgoing| {
            match outgoing.wants_step(&self.machine, unix_ms) {
                true => Some(0),
                false => outgoing.next_key_in_ms(unix_ms),
            }
        });
        let postponed = self.postponed.as_ref().map(|_| 0);
        let throttle = (self.machine.throttle() != Throttle::Free)
            .then(|| (THROTTLE_SPAN_MS - now_ms % THROTTLE_SPAN_MS) as i64);
        [machine, snapshot, postponed, throttle]
            .into_iter()
            .flatten()
            .min()
    }

    fn append(&mut self, engine: &Engine, persistence: &mut Persistence) {
        let spare = std::mem::take(&mut self.spare);
        let bytes = persistence.take_for_replicas(spare);
        self.spare = match bytes.is_empty() {
            true => bytes,
            false => self.machine.append_vec(bytes),
        };
        if self.machine.is_recording()
            && let Some(db) = engine.effects.selected_db()
            && !engine.effects.is_unit_open()
        {
            self.selected.note(self.machine.offset(), db);
        }
    }
}

/// Milliseconds of a clock that never goes back.
pub fn mono_ms<O: Outside + ?Sized>(outside: &mut O) -> u64 {
    outside.ticks_ns() / 1_000_000
}

/// Everything was loaded: goes on from where the file was in the history, if it says so, and
/// follows the primary that the configuration names.
pub fn start(engine: &mut Engine, host: &mut dyn NodeHost, loaded: Option<LoadedFile>) {
    let Parts { links, outside, .. } = host.node();
    let now_ms = mono_ms(outside);
    let primary = engine.config.replicaof.clone();
    let mut deleted = Vec::new();
    if let Some(LoadedFile {
        history,
        expired_keys,
    }) = loaded
        && let Some((id, offset)) = history.point()
    {
        match (&primary, expired_keys) {
            (None, Some(keys)) => {
                outside.log(
                    LogLevel::Notice,
                    &format!("Going on from offset {offset} of history {id}, as the RDB file says: replicas that have no more may continue"),
                );
                links.machine.restore_as_primary(now_ms, id, offset);
                deleted = keys;
            }
            (None, None) => outside.log(
                LogLevel::Notice,
                "Too many keys had expired in the RDB file: replicas will need a full resynchronization",
            ),
            (Some(_), _) => {
                links.machine.restore_as_replica(id, offset);
                links.upstream.set_stream_db(history.stream_db);
            }
        }
    }
    if let Some(primary) = primary {
        let name = primary.host.to_str_lossy().into_owned();
        links
            .machine
            .replicate(now_ms, &name, primary.port, Cause::Config);
    }
    actions::act(engine, host);
    // The replicas still have what this load has left out.
    for (db, key) in deleted {
        engine.record_deletion(db, &key);
    }
    flush_effects(engine, host);
}

/// What an RDB file that was loaded at the start says.
pub struct LoadedFile {
    pub history: FileHistory,
    /// Keys that were left out because their time had passed; none if too many.
    pub expired_keys: Option<Vec<(u32, Box<[u8]>)>>,
}

/// The effects so far become history. Effects of a request that still runs stay behind.
pub(crate) fn flush_effects(engine: &mut Engine, host: &mut dyn NodeHost) {
    let Parts {
        persistence,
        links,
        outside,
    } = host.node();
    persistence.take_effects(engine, outside);
    links.append(engine, persistence);
}

/// To be called when a turn's input was executed.
pub fn end_of_turn(engine: &mut Engine, host: &mut dyn NodeHost) {
    flush_effects(engine, host);
    if let Some(request) = host.node().links.postponed.take() {
        command::carry_out(engine, host, request);
    }
    let Parts {
        persistence,
        links,
        outside,
    } = host.node();
    let now_ms = mono_ms(outside);
    if !links.machine.is_primary() {
        let fsynced = links.upstream.fsynced(persistence.fsynced_offset());
        links.machine.set_fsynced(fsynced);
    }
    links.machine.end_of_turn(now_ms);
    if links
        .machine
        .poll_timeout()
        .is_some_and(|at_ms| at_ms <= now_ms)
    {
        links.machine.handle_timeout(now_ms);
    }
    actions::act(engine, host);
    refresh_role(engine, host);
    throttle(engine, host);
    let links = &host.node().links;
    // Redis counts what is kept for replicas beyond the backlog's size neither: it must not cost keys.
    let kept_bytes = links.machine.backlog_memory_bytes() as u64;
    engine.uncounted_memory = kept_bytes.saturating_sub(engine.config.repl_backlog_size);
}

/// Answers clients whose writes are where they wanted them. To be called when the disk was asked.
pub fn serve_waits(engine: &mut Engine, host: &mut dyn NodeHost) {
    engine.durable = host.node().persistence.fsynced_offset();
    engine.serve_waits(host);
}

/// A slice of the snapshot for replicas. To be called when a turn's replies are out.
pub fn after_replies(engine: &mut Engine, host: &mut dyn NodeHost, budget_ns: u64) {
    let Parts { links, outside, .. } = host.node();
    if let Some(outgoing) = &mut links.outgoing {
        outgoing.step(&links.machine, engine, outside, budget_ns);
    }
}

/// Something was done for the snapshot that goes to replicas.
pub(crate) fn on_disk_done(engine: &mut Engine, host: &mut dyn NodeHost, done: DiskDone) {
    let Parts { links, outside, .. } = host.node();
    let now_ms = mono_ms(outside);
    let Links {
        machine, outgoing, ..
    } = &mut *links;
    let is_over = match done {
        DiskDone::StreamPacked {
            id,
            taken_bytes,
            bytes,
        } => outgoing
            .as_mut()
            .filter(|one| one.is_of(id))
            .is_some_and(|one| one.packed(machine, taken_bytes, bytes)),
        DiskDone::StreamFinished { id, total_bytes } => outgoing
            .as_mut()
            .filter(|one| one.is_of(id))
            .is_some_and(|one| one.packed_all(machine, now_ms, total_bytes)),
        DiskDone::StreamFailed { id, error } => {
            if let Some(one) = outgoing.take_if(|one| one.is_of(id)) {
                machine.snapshot_failed(one.id, &error);
                one.end(engine, outside);
            }
            false
        }
        DiskDone::Kept { path, error } => {
            actions::report_kept(&path, error.as_deref(), outside);
            false
        }
        _ => false,
    };
    if is_over && let Some(one) = outgoing.take() {
        machine.snapshot_finished(now_ms, one.id);
        one.end(engine, outside);
    }
    actions::act(engine, host);
}

/// Closes links whose last bytes are out. To be called when replicas were written to.
pub fn close_flushed(engine: &mut Engine, host: &mut dyn NodeHost) {
    let links = host.node().links;
    if links.closing.is_empty() {
        return;
    }
    let (machine, sessions) = (&links.machine, &links.sessions);
    links.closing.retain(|link| {
        if !machine.output(*link).is_empty() {
            return true;
        }
        if let Some(id) = sessions.get(link) {
            engine.close_session(*id);
        }
        false
    });
    // The machine may have said so while it was written to.
    actions::act(engine, host);
}

fn refresh_role(engine: &mut Engine, host: &mut dyn NodeHost) {
    let Parts { links, outside, .. } = host.node();
    let role = Role {
        is_replica: !links.machine.is_primary(),
        is_link_up: links.machine.is_link_up(),
        has_enough_replicas: links.machine.has_enough_replicas(mono_ms(outside)),
    };
    if role != *engine.role() {
        engine.set_role(role, host);
    }
}

/// Writers are slowed down by being held up in a part of each span of time.
fn throttle(engine: &mut Engine, host: &mut dyn NodeHost) {
    let Parts { links, outside, .. } = host.node();
    let Throttle::Slow { permille } = links.machine.throttle() else {
        return engine.end_pause(PausePurpose::Throttle);
    };
    let allowed_ms = (THROTTLE_SPAN_MS * u64::from(permille) / 1000).max(1);
    if mono_ms(outside) % THROTTLE_SPAN_MS < allowed_ms {
        engine.end_pause(PausePurpose::Throttle);
    } else {
        engine.pause_writes(PausePurpose::Throttle, None);
    }
}
