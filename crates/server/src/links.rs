//! The event loop's part in replication: what the node wants done with sockets, bytes from our
//! primary, bytes for our replicas.
//!
//! Tests: `tests/replication_*.rs`.

use crate::host::ServerHost;
use crate::listen;
use crate::primary::Step;
use crate::turn::Turns;
use ::replication::LinkId;
use engine::{Engine, SessionId};
use node::replication::{self, Want};
use runtime::address::Address;
use runtime::reactor::{ConnId, WriteOutcome};
use std::net::IpAddr;

/// What one replica is written in one turn at most, so that the others get theirs.
const WRITE_MAX_BYTES: usize = 1024 * 1024;

impl Turns {
    /// What the node wants done with sockets. One thing may lead to another.
    pub(crate) fn carry_out_wants(&mut self, engine: &mut Engine, host: &mut ServerHost) {
        while let Some(want) = host.links.poll_want() {
            let step = match want {
                Want::Connect {
                    attempt,
                    host: name,
                    port,
                } => {
                    let from = source_address(engine);
                    let ServerHost {
                        primary, reactor, ..
                    } = host;
                    primary.begin(reactor, attempt, (&name, port), from)
                }
                Want::Send { attempt, bytes } => {
                    host.primary.send(&mut host.reactor, attempt, &bytes)
                }
                Want::Close { attempt } => {
                    host.primary.close_attempt(&mut host.reactor, attempt);
                    Step::Goes
                }
            };
            self.after_step(engine, host, step);
        }
    }

    pub(crate) fn after_step(&mut self, engine: &mut Engine, host: &mut ServerHost, step: Step) {
        if let Step::Lost { attempt, reason } = step {
            replication::connection_lost(engine, host, attempt, &reason);
        }
    }

    /// Names that were looked up in the background.
    pub(crate) fn take_resolved(&mut self, engine: &mut Engine, host: &mut ServerHost) {
        let step = host.primary.take_resolved(&mut host.reactor);
        self.after_step(engine, host, step);
    }

    pub(crate) fn primary_connected(
        &mut self,
        engine: &mut Engine,
        host: &mut ServerHost,
        conn: ConnId,
    ) {
        let Some(attempt) = host.primary.attempt_of(conn) else {
            return host.reactor.close(conn);
        };
        host.primary.connected();
        // Both save time only: a connection without them works.
        let _ = host.reactor.set_nodelay(conn, true);
        let _ = host.reactor.set_keepalive(conn, engine.config.repl_timeout);
        let peer = host.reactor.peer_address(conn);
        let peer = peer.unwrap_or_else(|_| Address::Unix("".into()));
        let info = listen::describe(&host.reactor, conn, &peer);
        replication::connected(engine, host, attempt, info);
    }

    pub(crate) fn primary_failed(
        &mut self,
        engine: &mut Engine,
        host: &mut ServerHost,
        conn: ConnId,
        error: &std::io::Error,
    ) {
        if host.primary.attempt_of(conn).is_some() {
            let step = host.primary.failed(&mut host.reactor, error);
            self.after_step(engine, host, step);
        }
    }

    /// Reads from our primary, and lets the node take what it can.
    pub(crate) fn read_primary(
        &mut self,
        engine: &mut Engine,
        host: &mut ServerHost,
        conn: ConnId,
    ) {
        let Some(attempt) = host.primary.attempt_of(conn) else {
            return;
        };
        let step = host.primary.read(&mut host.reactor);
        let mut input = host.primary.take_input();
        if !input.is_empty() {
            replication::read(engine, host, attempt, &mut input);
            host.primary.keep_input(&mut host.reactor, attempt, input);
        }
        self.after_step(engine, host, step);
    }

    pub(crate) fn flush_primary(&mut self, engine: &mut Engine, host: &mut ServerHost) {
        let step = host.primary.flush(&mut host.reactor);
        self.after_step(engine, host, step);
    }

    /// Writes to every replica that there is something for.
    pub(crate) fn write_links(&mut self, engine: &mut Engine, host: &mut ServerHost) {
        let mut ready = std::mem::take(&mut self.ready_links);
        host.links.ready_links(&mut ready);
        let any = !ready.is_empty();
        for (link, id) in ready.drain(..) {
            self.write_link(engine, host, link, id);
        }
        self.ready_links = ready;
        if any {
            replication::close_flushed(engine, host);
        }
    }

    pub(crate) fn write_link(
        &mut self,
        engine: &mut Engine,
        host: &mut ServerHost,
        link: LinkId,
        id: SessionId,
    ) {
        let Some(conn) = host.conn(engine, id) else {
            return;
        };
        let mut total = 0;
        while total < WRITE_MAX_BYTES {
            let bytes = host.links.output(link);
            if bytes.is_empty() {
                return;
            }
            match host.reactor.write(conn, bytes) {
                WriteOutcome::Written(count) => {
                    total += count;
                    engine.count_sent_to_replica(id, count);
                    host.link_written(link, count, false);
                }
                WriteOutcome::Blocked { written } => {
                    engine.count_sent_to_replica(id, written);
                    return host.link_written(link, written, true);
                }
                WriteOutcome::Error(_) => return self.close(engine, host, id),
            }
        }
    }

    /// A replica's socket takes bytes again.
    pub(crate) fn link_has_room(
        &mut self,
        engine: &mut Engine,
        host: &mut ServerHost,
        link: LinkId,
        id: SessionId,
    ) {
        host.links.has_room(link);
        self.write_link(engine, host, link, id);
    }
}

/// Where connections to a primary come from.
fn source_address(engine: &Engine) -> Option<IpAddr> {
    let address = engine.config.bind_source_addr.to_str_lossy();
    address.parse().ok()
}
