//! The event loop. A turn: wait, read every ready socket and execute what came, end the node's turn,
//! write replies, close what is to be closed, then a slice of a snapshot that is under way. Nothing
//! in it waits for a disk.

use crate::error_text;
use crate::host::ServerHost;
use crate::listen;
use ::replication::LinkId;
use engine::host::LogLevel;
use engine::{Engine, Host, SessionId};
use node::NodeHost;
use node::persistence::{Origin, Step};
use node::replication::{self, LoadedFile};
use runtime::address::Address;
use runtime::reactor::{ConnId, Event, ReadOutcome, WriteOutcome};
use std::time::{Duration, Instant};

/// The buffer all sessions without pending input are read into, one after the other.
const READ_BYTES: usize = 64 * 1024;
/// How long `key-load-delay` makes a load wait at once.
const LOAD_PAUSE: Duration = Duration::from_millis(1);

/// The loop, with what it keeps between turns.
pub struct Turns {
    events: Vec<Event>,
    /// By connection index.
    sessions: Vec<Option<(ConnId, SessionId)>>,
    shared: Vec<u8>,
    dirty: Vec<SessionId>,
    closing: Vec<SessionId>,
    pub(crate) ready_links: Vec<(LinkId, SessionId)>,
}

impl Turns {
    pub fn new() -> Turns {
        Turns {
            events: Vec::with_capacity(1024),
            sessions: Vec::new(),
            shared: Vec::with_capacity(READ_BYTES),
            dirty: Vec::new(),
            closing: Vec::new(),
            ready_links: Vec::new(),
        }
    }

    /// Loads the data set, with turns between its slices, so that clients hear that it is loading.
    /// False if the process is to end before all is loaded.
    pub fn load(&mut self, engine: &mut Engine, host: &mut ServerHost) -> Result<bool, String> {
        const FAILED: &str = "Fatal error loading the DB, check server logs. Exiting.";
        const DAMAGED: &str = "Terminating server after rdb file reading failure.";
        engine.refresh_time(host);
        let (persistence, outside) = host.parts();
        let (origin, mut loader) = persistence
            .begin_loading(engine, outside)
            .map_err(|_| FAILED)?;
        loop {
            let step = loader.step(engine, host).map_err(|failed| {
                if failed.is_damaged_rdb {
                    DAMAGED
                } else {
                    FAILED
                }
            })?;
            engine.settle_load(host);
            let (persistence, outside) = host.parts();
            persistence.loading_goes_on(&loader, outside);
            let wait = match step {
                Step::Done => break,
                Step::More => Duration::ZERO,
                Step::Wait => LOAD_PAUSE,
            };
            self.turn(engine, host, Instant::now() + wait)?;
            if host.ending {
                return Ok(false);
            }
        }
        let (persistence, outside) = host.parts();
        let is_rdb = matches!(origin, Origin::Rdb);
        persistence.finish_loading(origin, &loader, engine, outside);
        let loaded = is_rdb.then(|| LoadedFile {
            history: loader.history(),
            expired_keys: loader.take_expired_keys(),
        });
        replication::start(engine, host, loaded);
        self.carry_out_wants(engine, host);
        Ok(true)
    }

    /// Runs until shutdown.
    pub fn serve(&mut self, engine: &mut Engine, host: &mut ServerHost) -> Result<(), String> {
        while !host.ending {
            let wait_ms = host.next_timeout_ms(engine);
            let deadline = Instant::now() + Duration::from_millis(wait_ms);
            self.turn(engine, host, deadline)?;
            if host.append_failed() {
                return Err("Can't open the append-only file, exiting.".into());
            }
        }
        Ok(())
    }

    fn turn(
        &mut self,
        engine: &mut Engine,
        host: &mut ServerHost,
        deadline: Instant,
    ) -> Result<(), String> {
        let mut events = std::mem::take(&mut self.events);
        host.reactor
            .wait(Some(deadline), &mut events)
            .map_err(|e| format!("the event loop failed: {e}"))?;
        host.begin_turn(&engine.config);
        engine.begin_turn(host);
        let began_ns = host.ticks_ns();
        let was_idle = events.is_empty();
        for event in events.drain(..) {
            self.handle(engine, host, event);
        }
        self.events = events;
        node::turn::end_of_turn(engine, host);
        host.outside.set_replica(engine.role().is_replica);
        self.carry_out_wants(engine, host);
        self.write_links(engine, host);
        self.write_replies(engine, host);
        self.close_sessions(engine, host);
        engine.turn_done(host);
        let busy_ns = host.ticks_ns() - began_ns;
        node::turn::after_replies(engine, host, busy_ns, was_idle);
        host.renew(engine);
        host.end_if_asked(engine);
        Ok(())
    }

    fn handle(&mut self, engine: &mut Engine, host: &mut ServerHost, event: Event) {
        match event {
            Event::Readable(conn) if host.primary.attempt_of(conn).is_some() => {
                self.read_primary(engine, host, conn);
            }
            Event::Readable(conn) => self.read(engine, host, conn),
            Event::Writable(conn) if host.primary.attempt_of(conn).is_some() => {
                self.flush_primary(engine, host);
            }
            Event::Writable(conn) => {
                if let Some(id) = self.session(conn) {
                    match replica_link(engine, id) {
                        Some(link) => self.link_has_room(engine, host, link, id),
                        None => self.write(engine, host, id),
                    }
                }
            }
            Event::Connected(conn) => self.primary_connected(engine, host, conn),
            Event::ConnectFailed { conn, error } => {
                self.primary_failed(engine, host, conn, &error);
            }
            Event::Accepted { conn, peer, .. } => self.accept(engine, host, conn, &peer),
            Event::AcceptFailed { error, .. } => {
                let text = format!(
                    "Accepting client connection: accept: {}",
                    error_text(&error)
                );
                host.log(LogLevel::Warning, &text);
            }
            Event::Signal(signal) => host.on_signal(signal, &engine.config),
            Event::Wake => self.take_resolved(engine, host),
        }
    }

    fn session(&self, conn: ConnId) -> Option<SessionId> {
        self.sessions
            .get(conn.index())?
            .filter(|(c, _)| *c == conn)
            .map(|(_, id)| id)
    }

    fn accept(&mut self, engine: &mut Engine, host: &mut ServerHost, conn: ConnId, peer: &Address) {
        if host.is_verbose() {
            log_accepted(host, peer);
        }
        if let Some(text) = listen::refusal(engine, peer) {
            engine.stats.connections_rejected += 1;
            host.reactor.write(conn, text.as_bytes());
            host.reactor.close(conn);
            return;
        }
        let _ = host.reactor.set_nodelay(conn, true);
        if engine.config.tcp_keepalive > 0 {
            let _ = host
                .reactor
                .set_keepalive(conn, engine.config.tcp_keepalive);
        }
        let id = engine.connect(listen::describe(&host.reactor, conn, peer));
        if self.sessions.len() <= conn.index() {
            self.sessions.resize(conn.index() + 1, None);
        }
        self.sessions[conn.index()] = Some((conn, id));
    }

    fn read(&mut self, engine: &mut Engine, host: &mut ServerHost, conn: ConnId) {
        let Some(id) = self.session(conn) else { return };
        let outcome = if let Some(buf) = engine.direct_input(id) {
            let outcome = host.reactor.read(conn, buf);
            if let ReadOutcome::Data(count) = outcome {
                engine.fed_directly(id, count, host);
            }
            outcome
        } else {
            self.shared.clear();
            let outcome = host.reactor.read(conn, &mut self.shared);
            if let ReadOutcome::Data(_) = outcome {
                engine.feed(id, &self.shared, host);
            }
            outcome
        };
        match outcome {
            ReadOutcome::Data(_) | ReadOutcome::WouldBlock => {}
            ReadOutcome::Eof => {
                if host.is_verbose() {
                    log_closed(engine, host, id);
                }
                self.close(engine, host, id);
            }
            ReadOutcome::Error(error) => {
                host.log(
                    LogLevel::Verbose,
                    &format!("Reading from client: {}", error_text(&error)),
                );
                self.close(engine, host, id);
            }
        }
    }

    fn write_replies(&mut self, engine: &mut Engine, host: &mut ServerHost) {
        let mut dirty = std::mem::take(&mut self.dirty);
        engine.take_dirty(&mut dirty);
        for id in dirty.drain(..) {
            self.write(engine, host, id);
        }
        self.dirty = dirty;
    }

    fn write(&mut self, engine: &mut Engine, host: &mut ServerHost, id: SessionId) {
        let Some(conn) = host.conn(engine, id) else {
            return;
        };
        loop {
            let bytes = engine.output(id);
            if bytes.is_empty() {
                if engine.sent(id, 0) {
                    self.close(engine, host, id);
                }
                return;
            }
            match host.reactor.write(conn, bytes) {
                WriteOutcome::Written(count) => {
                    if engine.sent(id, count) {
                        return self.close(engine, host, id);
                    }
                }
                WriteOutcome::Blocked { written } => {
                    engine.sent(id, written);
                    return;
                }
                WriteOutcome::Error(error) => {
                    host.log(
                        LogLevel::Verbose,
                        &format!("Error writing to client: {}", error_text(&error)),
                    );
                    return self.close(engine, host, id);
                }
            }
        }
    }

    fn close_sessions(&mut self, engine: &mut Engine, host: &mut ServerHost) {
        let mut closing = std::mem::take(&mut self.closing);
        engine.take_closing(&mut closing);
        for id in closing.drain(..) {
            self.close(engine, host, id);
        }
        self.closing = closing;
    }

    pub(crate) fn close(&mut self, engine: &mut Engine, host: &mut ServerHost, id: SessionId) {
        let Some(conn) = host.conn(engine, id) else {
            return;
        };
        if let Some(attempt) = host.primary.attempt_of(conn) {
            host.primary.close_attempt(&mut host.reactor, attempt);
            replication::connection_lost(engine, host, attempt, "Connection closed by us");
            return engine.disconnect(id);
        }
        if let Some(session) = engine.sessions.get(id) {
            host.links.session_closed(session.id, &mut host.outside);
        }
        engine.disconnect(id);
        host.reactor.close(conn);
        if let Some(place) = self.sessions.get_mut(conn.index()) {
            *place = None;
        }
    }
}

/// The machine's name for a session that is a replica's link.
fn replica_link(engine: &Engine, id: SessionId) -> Option<LinkId> {
    let session = engine.sessions.get(id)?;
    session.is_replica_link().then_some(LinkId(session.id))
}

fn log_accepted(host: &mut ServerHost, peer: &Address) {
    let text = match peer {
        Address::Tcp(address) => format!("Accepted {}:{}", address.ip(), address.port()),
        Address::Unix(path) => format!("Accepted connection to {path}"),
    };
    host.log(LogLevel::Verbose, &text);
}

fn log_closed(engine: &Engine, host: &mut ServerHost, id: SessionId) {
    if let Some(session) = engine.sessions.get(id) {
        let text = format!(
            "Client closed connection {}",
            engine.client_log_line(session)
        );
        host.log(LogLevel::Verbose, &text);
    }
}
