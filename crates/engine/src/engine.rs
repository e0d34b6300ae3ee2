//! The engine: all state behind the commands, and the sessions.
//!
//! A session is taken out of its slot while its requests run, so that a handler can hold it and the
//! engine at once; pub/sub and blocking code must therefore expect the current session to be absent
//! (it is passed along where that matters).

use crate::blocking::Blocking;
use crate::clients::{ClientMemory, REPLY_BUFFER_MAX_BYTES};
use crate::cmd::server::SlowLog;
use crate::effects::{Effects, EffectsReader};
use crate::error::ReplyError;
use crate::host::{Host, LogLevel};
use crate::news::Stray;
use crate::output::{BufferPool, Output};
use crate::own_keys::OwnKeys;
use crate::pause::Pauses;
use crate::pubsub::PubSub;
use crate::release::{GateMode, Waiting};
use crate::role::Role;
use crate::session::{Session, SessionFlags};
use crate::settings::Settings;
use crate::stats::Stats;
use crate::stream::StreamPosition;
use crate::watch::Watches;
use commands::CommandId;
use config::Config;
use keyspace::{Keyspace, rng::Rng};
use resp::{RequestParser, Version, Writer};
use std::collections::{BTreeMap, BTreeSet};

/// A session's place, never reused with the same generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    pub index: u32,
    pub generation: u32,
}

#[derive(Default)]
struct Place {
    generation: u32,
    session: Option<Box<Session>>,
}

/// All sessions, by place.
#[derive(Default)]
pub struct Sessions {
    places: Vec<Place>,
    free: Vec<u32>,
    count: usize,
}

impl Sessions {
    /// Connected clients, the running one included.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn reserve(&mut self) -> SessionId {
        self.count += 1;
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        SessionId {
            index,
            generation: self.places[index as usize].generation,
        }
    }

    pub fn get(&self, id: SessionId) -> Option<&Session> {
        let place = self.places.get(id.index as usize)?;
        if place.generation == id.generation {
            place.session.as_deref()
        } else {
            None
        }
    }

    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        let place = self.places.get_mut(id.index as usize)?;
        if place.generation == id.generation {
            place.session.as_deref_mut()
        } else {
            None
        }
    }

    pub(crate) fn take(&mut self, id: SessionId) -> Option<Box<Session>> {
        let place = self.places.get_mut(id.index as usize)?;
        if place.generation == id.generation {
            place.session.take()
        } else {
            None
        }
    }

    pub(crate) fn put(&mut self, session: Box<Session>) {
        let place = &mut self.places[session.slot.index as usize];
        debug_assert!(place.session.is_none() && place.generation == session.slot.generation);
        place.session = Some(session);
    }

    /// Places, occupied or not.
    pub(crate) fn place_count(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn take_at(&mut self, place: usize) -> Option<Box<Session>> {
        self.places.get_mut(place)?.session.take()
    }

    fn release(&mut self, id: SessionId) {
        let place = &mut self.places[id.index as usize];
        place.generation += 1;
        place.session = None;
        self.free.push(id.index);
        self.count -= 1;
    }

    /// All sessions but the running one.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.places.iter().filter_map(|p| p.session.as_deref())
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.places
            .iter_mut()
            .filter_map(|p| p.session.as_deref_mut())
    }
}

/// What the server knows of a new connection.
#[derive(Clone, Debug, Default)]
pub struct ConnInfo {
    pub conn: u64,
    pub fd: i32,
    pub addr: String,
    pub laddr: String,
    pub is_unix: bool,
    /// From this machine: loopback or unix socket.
    pub is_local: bool,
}

pub struct Engine {
    pub keyspace: Keyspace,
    pub sessions: Sessions,
    pub config: Config,
    pub settings: Settings,
    pub stats: Stats,
    pub effects: Effects,
    pub(crate) role: Role,
    pub(crate) own_keys: OwnKeys,
    /// When it was last logged that a replica cannot write to its disk.
    pub(crate) disk_warned_ms: i64,
    /// A data set is being loaded: most commands are refused.
    pub loading: bool,
    /// A snapshot of the primary is being loaded beside the data that is served.
    pub async_loading: bool,
    /// How far the effects are in the append-only file on the disk; none while there is no such file.
    /// WAITAOF goes by it.
    pub durable: Option<u64>,
    /// Memory that does not count against `maxmemory`, because evicting keys would only add to it: what
    /// is kept for replicas beyond `repl-backlog-size`, what waits for the append-only file.
    pub uncounted_memory: u64,
    /// Why writes are refused at present (the disk), if they are.
    pub write_refusal: Option<ReplyError>,
    /// EXEC is running queued commands.
    pub in_transaction: bool,
    /// Whether replies to writes wait for the disk.
    pub gating: GateMode,
    pub pubsub: PubSub,
    pub blocking: Blocking,
    pub watches: Watches,
    pub slowlog: SlowLog,
    pub monitors: BTreeSet<SessionId>,
    pub(crate) pauses: Pauses,
    pub rng: Rng,
    /// Commands renamed in the configuration: new name to command; empty names are disabled.
    pub renamed: BTreeMap<Vec<u8>, CommandId>,
    pub hidden: BTreeSet<CommandId>,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub active_expire: bool,
    /// DEBUG REPLYBUFFER settings and the like.
    pub debug: crate::cmd::server::DebugState,
    pub started_ms: i64,
    /// Memory in use before the first request, for INFO.
    pub startup_memory: u64,
    pub(crate) pool: BufferPool,
    /// News for sessions that are running and therefore not in their place.
    pub(crate) strays: Vec<Stray>,
    /// Log lines of code that cannot reach the host; written at the end of the turn.
    pub(crate) log_later: Vec<(LogLevel, String)>,
    pub(crate) client_memory: ClientMemory,
    pub(crate) waiting: Waiting,
    /// Sessions with output to be written.
    pub(crate) dirty: Vec<SessionId>,
    /// Sessions to be closed by the server.
    pub(crate) closing: Vec<SessionId>,
    /// Sessions that may go on with requests already received.
    pub(crate) resume: Vec<SessionId>,
    pub(crate) now_us: i64,
    pub(crate) last_cron_ms: i64,
    /// Commands processed when expiry last ran.
    pub(crate) expire_seen_commands: u64,
    pub(crate) scratch: crate::input::Scratch,
    /// The ticks at which the last command ended; the next one starts there.
    pub(crate) ticks_ns: u64,
    /// When this turn began, and how many commands there had been before it.
    pub(crate) turn_began: (u64, u64),
    next_client_id: u64,
}

impl Engine {
    /// `seed` decides hashing and every random choice.
    pub fn new(config: Config, seed: u64, now_us: i64) -> Engine {
        let settings = Settings::from_config(&config);
        let mut rng = Rng::new(seed);
        let mut engine = Engine {
            keyspace: Keyspace::new(config.databases, rng.next_u64(), false),
            sessions: Sessions::default(),
            settings,
            config,
            stats: Stats::new(),
            effects: Effects::default(),
            role: Role::default(),
            own_keys: OwnKeys::default(),
            disk_warned_ms: i64::MIN,
            loading: false,
            async_loading: false,
            durable: None,
            uncounted_memory: 0,
            write_refusal: None,
            in_transaction: false,
            gating: GateMode::Off,
            pubsub: PubSub::new(rng.next_u64()),
            blocking: Blocking::default(),
            watches: Watches::new(rng.next_u64()),
            slowlog: SlowLog::default(),
            monitors: BTreeSet::new(),
            pauses: Pauses::default(),
            rng,
            renamed: BTreeMap::new(),
            hidden: BTreeSet::new(),
            active_expire: true,
            debug: Default::default(),
            started_ms: now_us / 1000,
            startup_memory: 0,
            pool: BufferPool::default(),
            strays: Vec::new(),
            log_later: Vec::new(),
            client_memory: ClientMemory::default(),
            waiting: Waiting::default(),
            dirty: Vec::new(),
            closing: Vec::new(),
            resume: Vec::new(),
            now_us,
            last_cron_ms: 0,
            expire_seen_commands: 0,
            scratch: Default::default(),
            ticks_ns: 0,
            turn_began: (0, 0),
            next_client_id: 1,
        };
        engine.keyspace.set_now(now_us / 1000);
        engine.apply_settings();
        engine
    }

    /// Copies what the configuration says into the places that act on it.
    pub fn apply_settings(&mut self) {
        self.settings = Settings::from_config(&self.config);
        self.settings.list.plain_threshold_bytes = self.debug.list_packed_threshold_bytes;
        self.settings.apply_to(&self.config, &mut self.keyspace);
        self.recount_client_memory();
    }

    /// Begins or ends recording what commands do for one reader. Whoever reads the effects has to be
    /// told from which offset on they continue what it has.
    pub fn record_effects(&mut self, reader: EffectsReader, on: bool) {
        self.effects.set_reader(reader, on);
        self.keyspace.journal.track_removals = self.effects.enabled;
    }

    /// Applies one `rename-command`: an empty new name takes the command away.
    pub fn rename_command(&mut self, old: &[u8], new: &[u8]) -> Result<(), &'static str> {
        let id = self
            .lookup(old)
            .ok_or("No such command in rename-command")?;
        if !new.is_empty() && self.lookup(new).is_some_and(|other| other != id) {
            return Err("Target command name already exists");
        }
        self.renamed.retain(|_, command| *command != id);
        self.hidden.insert(id);
        if !new.is_empty() {
            self.renamed.insert(new.to_ascii_lowercase(), id);
        }
        Ok(())
    }

    /// Reads the clocks: when a turn begins, and after a stall.
    pub fn refresh_time(&mut self, host: &mut dyn Host) {
        self.now_us = host.unix_us();
        self.ticks_ns = host.ticks_ns();
        self.keyspace.set_now(self.now_us / 1000);
        if self.startup_memory == 0 {
            self.startup_memory = host.used_memory();
        }
    }

    /// To be called when a turn begins, before its input.
    pub fn begin_turn(&mut self, host: &mut dyn Host) {
        self.refresh_time(host);
        self.turn_began = (self.ticks_ns, self.stats.commands_processed);
    }

    pub fn now_us(&self) -> i64 {
        self.now_us
    }

    /// Admits a connection. Limits and protected mode are the caller's to check first.
    pub fn connect(&mut self, info: ConnInfo) -> SessionId {
        self.stats.connections_received += 1;
        self.admit(info)
    }

    /// Makes a session, whoever wants it.
    pub(crate) fn admit(&mut self, info: ConnInfo) -> SessionId {
        let slot = self.sessions.reserve();
        let id = self.next_client_id;
        self.next_client_id += 1;
        let session = self.session_of(slot, id, info);
        self.sessions.put(Box::new(session));
        slot
    }

    /// A session as it is before its first request; not among the sessions yet.
    pub(crate) fn session_of(&self, slot: SessionId, id: u64, info: ConnInfo) -> Session {
        let mut flags = SessionFlags::default();
        flags.set(SessionFlags::UNIX_SOCKET, info.is_unix);
        let now_ms = self.now_us / 1000;
        Session {
            slot,
            id,
            conn: info.conn,
            fd: info.fd,
            addr: info.addr,
            laddr: info.laddr,
            is_local: info.is_local,
            name: Vec::new(),
            lib_name: Vec::new(),
            lib_ver: Vec::new(),
            db: 0,
            version: Version::V2,
            authenticated: !self.settings.requires_password,
            flags,
            queued: Vec::new(),
            queued_bytes: 0,
            watched: Vec::new(),
            subscriptions: None,
            blocked: None,
            parser: RequestParser::new(),
            input: Vec::new(),
            output: Output::default(),
            last_effects_offset: 0,
            stream: StreamPosition::default(),
            created_ms: now_ms,
            last_used_ms: now_ms,
            last_command: None,
            net_in_bytes: 0,
            net_out_bytes: 0,
            commands_count: 0,
            soft_limit_since_ms: None,
            reply_buffer_bytes: REPLY_BUFFER_MAX_BYTES,
            reply_peak_bytes: 0,
            reply_peak_since_ms: now_ms,
            input_peak_bytes: 0,
            counted_bytes: 0,
        }
    }

    /// The connection is gone: forget everything about it.
    pub fn disconnect(&mut self, id: SessionId) {
        let Some(mut session) = self.sessions.take(id) else {
            return;
        };
        self.detach(&mut session);
        self.client_memory.forget(&mut session);
        self.sessions.release(id);
    }

    /// A writer that appends to the session's output. Give it back with [`Engine::store_writer`].
    pub(crate) fn writer_for(&mut self, session: &mut Session) -> Writer {
        Writer::from_vec(
            session
                .output
                .take_tail(&mut self.pool, session.reply_buffer_bytes),
            session.version,
        )
    }

    pub(crate) fn store_writer(&mut self, session: &mut Session, out: Writer) {
        session.output.put_tail(out.into_vec(), &mut self.pool);
    }

    /// Writes something unasked (a message, a monitor line) to a session that is not running. For
    /// messages that may also go to a running one see [`Engine::publish`].
    pub(crate) fn push_to(&mut self, id: SessionId, write: impl FnOnce(&mut Writer)) {
        let Some(mut session) = self.sessions.take(id) else {
            return;
        };
        if !session.flags.has(SessionFlags::CLOSE_ASAP)
            && !session.flags.has(SessionFlags::CLOSE_AFTER_REPLY)
            && !session.is_mute()
        {
            let mut out = self.writer_for(&mut session);
            write(&mut out);
            self.store_writer(&mut session, out);
        }
        self.finish(session);
    }

    /// Puts a session back after it ran, and notes what the server has to do for it.
    pub(crate) fn finish(&mut self, mut session: Box<Session>) {
        self.check_output_limit(&mut session);
        if self.client_memory.is_limited() {
            self.client_memory.count(&mut session);
        }
        let id = session.slot;
        if session.flags.has(SessionFlags::CLOSE_ASAP) {
            self.closing.push(id);
        } else if !session.flags.has(SessionFlags::DIRTY)
            && (!session.output.is_empty() || session.flags.has(SessionFlags::CLOSE_AFTER_REPLY))
        {
            session.flags.set(SessionFlags::DIRTY, true);
            self.dirty.push(id);
        }
        self.sessions.put(session);
    }

    /// Closes a session that is not running: nothing reaches it any more, the server closes the
    /// connection at the end of the turn. False if there is no such session.
    pub fn close_session(&mut self, id: SessionId) -> bool {
        let Some(mut session) = self.sessions.take(id) else {
            return false;
        };
        let is_news = !session.flags.has(SessionFlags::CLOSE_ASAP);
        if is_news {
            session.flags.set(SessionFlags::CLOSE_ASAP, true);
            self.detach(&mut session);
            self.closing.push(id);
        }
        self.sessions.put(session);
        is_news
    }

    /// Takes the session out of everything that would serve it.
    fn detach(&mut self, session: &mut Session) {
        self.unregister_blocked(session);
        self.unwatch_all(session);
        self.unsubscribe_everything(session);
        self.monitors.remove(&session.slot);
    }

    /// Moves the list of sessions with output into `into`; the server writes them.
    pub fn take_dirty(&mut self, into: &mut Vec<SessionId>) {
        into.append(&mut self.dirty);
        for id in into.iter() {
            if let Some(session) = self.sessions.get_mut(*id) {
                session.flags.set(SessionFlags::DIRTY, false);
            }
        }
    }

    /// Sessions to close; the server closes the connection and calls [`Engine::disconnect`].
    pub fn take_closing(&mut self, into: &mut Vec<SessionId>) {
        into.append(&mut self.closing);
    }

    /// The session's next bytes to send; empty when there are none that may go yet.
    pub fn output(&self, id: SessionId) -> &[u8] {
        self.sessions.get(id).map_or(&[], |s| s.output.front())
    }

    /// `count` bytes were sent. True if the session is now to be closed.
    pub fn sent(&mut self, id: SessionId, count: usize) -> bool {
        let Engine {
            sessions,
            pool,
            stats,
            ..
        } = self;
        let Some(session) = sessions.get_mut(id) else {
            return false;
        };
        stats.net_out_bytes += count as u64;
        stats.writes_processed += 1;
        session.net_out_bytes += count as u64;
        if count > 0 {
            session.output.advance(count, pool);
        }
        session.output.is_empty() && session.flags.has(SessionFlags::CLOSE_AFTER_REPLY)
    }

    /// The server's name for a session's connection.
    pub fn conn_of(&self, id: SessionId) -> Option<u64> {
        self.sessions.get(id).map(|s| s.conn)
    }
}
