//! The connection to our primary: looking its name up, connecting, what is unread, what is unsent.
//!
//! Names are looked up on a thread of their own, because that may take long; an address is tried after
//! the other. What arrives is kept until the node takes it, and no more is read while it does not.
//!
//! Knows nothing of what the bytes mean. Tests: `tests/replication_*.rs`.

use crate::error_text;
use replication::Attempt;
use runtime::reactor::{ConnId, Reactor, ReadOutcome, Waker, WriteOutcome, resolve};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{self, Receiver, Sender};

/// Read at once.
const READ_BYTES: usize = 128 * 1024;
/// No more is read while so much was not taken.
const UNREAD_MAX_BYTES: usize = 1024 * 1024;

type Resolved = (Attempt, io::Result<Vec<SocketAddr>>);

pub struct PrimaryConn {
    current: Option<Current>,
    waker: Waker,
    resolved: Receiver<Resolved>,
    resolver: Sender<Resolved>,
}

struct Current {
    attempt: Attempt,
    conn: Option<ConnId>,
    is_connected: bool,
    /// Still to be tried.
    addresses: VecDeque<SocketAddr>,
    from: Option<IpAddr>,
    input: Vec<u8>,
    output: Vec<u8>,
    is_paused: bool,
}

/// How a step ended that may end the attempt.
pub enum Step {
    Goes,
    Lost { attempt: Attempt, reason: String },
}

impl PrimaryConn {
    pub fn new(waker: Waker) -> PrimaryConn {
        let (resolver, resolved) = mpsc::channel();
        PrimaryConn {
            current: None,
            waker,
            resolved,
            resolver,
        }
    }

    /// Whether that connection is ours; then its attempt.
    #[inline]
    pub fn attempt_of(&self, conn: ConnId) -> Option<Attempt> {
        let current = self.current.as_ref()?;
        (current.conn == Some(conn)).then_some(current.attempt)
    }

    /// Begins to connect, from the local address `from` if it is one.
    pub fn begin(
        &mut self,
        reactor: &mut Reactor,
        attempt: Attempt,
        (host, port): (&str, u16),
        from: Option<IpAddr>,
    ) -> Step {
        self.close(reactor);
        self.current = Some(Current {
            attempt,
            conn: None,
            is_connected: false,
            addresses: VecDeque::new(),
            from,
            input: Vec::new(),
            output: Vec::new(),
            is_paused: false,
        });
        if let Ok(ip) = host.parse::<IpAddr>() {
            return self.try_found(reactor, Ok(vec![SocketAddr::new(ip, port)]));
        }
        let (host, resolver, waker) = (host.to_owned(), self.resolver.clone(), self.waker.clone());
        let spawned = std::thread::Builder::new()
            .name("redan-resolve".into())
            .spawn(move || {
                // Nobody waits for it any more if the server is on its way out.
                let _ = resolver.send((attempt, resolve(&host, port)));
                waker.wake();
            });
        match spawned {
            Ok(_) => Step::Goes,
            Err(error) => self.lose(reactor, &error),
        }
    }

    /// Names that were looked up meanwhile.
    pub fn take_resolved(&mut self, reactor: &mut Reactor) -> Step {
        while let Ok((attempt, found)) = self.resolved.try_recv() {
            let is_current = |current: &Current| current.attempt == attempt;
            if self.current.as_ref().is_some_and(is_current) {
                return self.try_found(reactor, found);
            }
        }
        Step::Goes
    }

    fn try_found(&mut self, reactor: &mut Reactor, found: io::Result<Vec<SocketAddr>>) -> Step {
        match found {
            Ok(found) => {
                if let Some(current) = &mut self.current {
                    current.addresses = found.into();
                }
                self.try_next(reactor, &io::ErrorKind::AddrNotAvailable.into())
            }
            Err(error) => self.lose(reactor, &error),
        }
    }

    /// Tries the next address; without one it is `error` that ended it all.
    fn try_next(&mut self, reactor: &mut Reactor, error: &io::Error) -> Step {
        let Some(current) = &mut self.current else {
            return Step::Goes;
        };
        current.conn = None;
        let Some(address) = current.addresses.pop_front() else {
            return self.lose(reactor, error);
        };
        match reactor.connect_tcp(address, current.from) {
            Ok(conn) => {
                current.conn = Some(conn);
                Step::Goes
            }
            Err(error) => self.try_next(reactor, &error),
        }
    }

    /// The connection is there.
    pub fn connected(&mut self) {
        if let Some(current) = &mut self.current {
            current.is_connected = true;
        }
    }

    pub fn failed(&mut self, reactor: &mut Reactor, error: &io::Error) -> Step {
        self.try_next(reactor, error)
    }

    /// Reads once. The bytes are to be taken out of [`PrimaryConn::take_input`].
    pub fn read(&mut self, reactor: &mut Reactor) -> Step {
        let Some(current) = &mut self.current else {
            return Step::Goes;
        };
        let Some(conn) = current.conn else {
            return Step::Goes;
        };
        if current.input.len() >= UNREAD_MAX_BYTES {
            current.is_paused = true;
            reactor.set_reading(conn, false);
            return Step::Goes;
        }
        current.input.reserve(READ_BYTES);
        match reactor.read_up_to(conn, &mut current.input, READ_BYTES) {
            ReadOutcome::Data(_) | ReadOutcome::WouldBlock => Step::Goes,
            ReadOutcome::Eof => {
                let error = io::Error::other("Connection lost");
                self.lose(reactor, &error)
            }
            ReadOutcome::Error(error) => self.lose(reactor, &error),
        }
    }

    /// What was read and not taken yet, to be put back with [`PrimaryConn::keep_input`].
    pub fn take_input(&mut self) -> Vec<u8> {
        let current = self.current.as_mut();
        current.map_or_else(Vec::new, |current| std::mem::take(&mut current.input))
    }

    /// Keeps what `attempt` left over, if it is still the one.
    pub fn keep_input(&mut self, reactor: &mut Reactor, attempt: Attempt, input: Vec<u8>) {
        let Some(current) = self
            .current
            .as_mut()
            .filter(|current| current.attempt == attempt)
        else {
            return;
        };
        current.input = input;
        if current.is_paused
            && current.input.len() < UNREAD_MAX_BYTES
            && let Some(conn) = current.conn
        {
            current.is_paused = false;
            reactor.set_reading(conn, true);
        }
    }

    /// Sends as much as the socket takes, and keeps the rest.
    pub fn send(&mut self, reactor: &mut Reactor, attempt: Attempt, bytes: &[u8]) -> Step {
        match &mut self.current {
            Some(current) if current.attempt == attempt => {
                current.output.extend_from_slice(bytes);
                self.flush(reactor)
            }
            _ => Step::Goes,
        }
    }

    pub fn flush(&mut self, reactor: &mut Reactor) -> Step {
        let Some(current) = &mut self.current else {
            return Step::Goes;
        };
        let Some(conn) = current.conn.filter(|_| current.is_connected) else {
            return Step::Goes;
        };
        match reactor.write(conn, &current.output) {
            WriteOutcome::Written(count) | WriteOutcome::Blocked { written: count } => {
                current.output.drain(..count);
                Step::Goes
            }
            WriteOutcome::Error(error) => self.lose(reactor, &error),
        }
    }

    /// Closes the connection of that attempt, if it is still the one.
    pub fn close_attempt(&mut self, reactor: &mut Reactor, attempt: Attempt) {
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.attempt == attempt)
        {
            self.close(reactor);
        }
    }

    fn close(&mut self, reactor: &mut Reactor) {
        if let Some(conn) = self.current.take().and_then(|current| current.conn) {
            reactor.close(conn);
        }
    }

    fn lose(&mut self, reactor: &mut Reactor, error: &io::Error) -> Step {
        let Some(attempt) = self.current.as_ref().map(|current| current.attempt) else {
            return Step::Goes;
        };
        self.close(reactor);
        Step::Lost {
            attempt,
            reason: error_text(error),
        }
    }
}
