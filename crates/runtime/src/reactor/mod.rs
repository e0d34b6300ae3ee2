//! One thread's sockets: waits for readiness, accepts, reads, writes, closes.
//!
//! Sockets are registered once with edge-triggered readiness, and a request costs one read and one
//! write: a read that leaves room in its buffer has emptied the socket, so the next byte will raise
//! a new edge, and no second read has to prove it. What an edge left behind (a read that filled its
//! buffer, an event its owner did not act on, a peer that closed behind its last bytes) is reported
//! again by the next [`Reactor::wait`] without sleeping, so to the owner readiness looks
//! level-triggered. [`Reactor::set_reading`] silences a connection without a system call.
//!
//! Bytes move by `recv` and `send`, which cost 8 % less than `read` and `write` on a socket
//! (measured: 5.0 against 5.5 us for a 7-byte exchange over loopback).
//!
//! Rejected: level-triggered polling (write interest would have to be changed around every reply
//! that does not fit), and reading until `WouldBlock` (twice the system calls of a small request).
//!
//! It does not know what the bytes mean, keeps no buffers, and makes no promise on time beyond the
//! deadline it is given. Per connection it keeps 12 bytes ([`slab`]); listening sockets are in
//! [`listen`], outgoing connections begin in [`connect`]. Tests are in `tests.rs`.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::{SockRef, TcpKeepalive};

use crate::address::Address;
use crate::signals::Signals;
use listen::Listeners;
use slab::{BLOCKED, CONNECTING, Conn, HANGUP, LISTED, ON_DEMAND, PAUSED, READABLE, Slab};

mod connect;
mod listen;
mod slab;
#[cfg(test)]
mod tests;

pub use connect::resolve;

/// A connection's name for as long as it lives. No other connection ever has the same one.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct ConnId(u64);

impl ConnId {
    pub(crate) fn new(index: u32, generation: u32) -> ConnId {
        ConnId(u64::from(generation) << 32 | u64::from(index))
    }

    /// Its slot: small, dense, and reused once the connection is closed.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as u32 as usize
    }

    #[inline]
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The id that `as_u64` gave. Any other number names no open connection.
    #[inline]
    pub fn from_u64(bits: u64) -> ConnId {
        ConnId(bits)
    }

    #[inline]
    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub struct ListenerId(u32);

#[derive(Debug)]
pub enum Event {
    Accepted {
        listener: ListenerId,
        conn: ConnId,
        peer: Address,
    },
    /// Descriptors or memory ran out. Accepting goes on when a connection is closed, or a little
    /// later; this is not said again before one has been accepted.
    AcceptFailed {
        listener: ListenerId,
        error: io::Error,
    },
    /// A connection begun by [`Reactor::connect_tcp`] is there.
    Connected(ConnId),
    /// It could not be made; the id means nothing any more.
    ConnectFailed { conn: ConnId, error: io::Error },
    /// There are bytes, or the end, or an error to read.
    Readable(ConnId),
    /// A write that was [`WriteOutcome::Blocked`] can go on.
    Writable(ConnId),
    /// A signal, by number.
    Signal(i32),
    /// A [`Waker`] was used, once or often.
    Wake,
}

#[derive(Debug)]
pub enum ReadOutcome {
    /// This many bytes were appended; never 0.
    Data(usize),
    /// Nothing there; `Readable` will say when.
    WouldBlock,
    /// The peer has closed its side.
    Eof,
    Error(io::Error),
}

#[derive(Debug)]
pub enum WriteOutcome {
    /// Everything that was offered went out: this many bytes.
    Written(usize),
    /// The socket is full after this many bytes, possibly 0; `Writable` will say when it has room.
    Blocked {
        written: usize,
    },
    Error(io::Error),
}

#[derive(Copy, Clone, Debug)]
pub struct ReactorConfig {
    /// Connections beyond are closed as soon as they are accepted.
    pub max_connections: usize,
    /// How many connections one turn accepts from one listener.
    pub accepts_per_turn: usize,
    /// How many of the kernel's events one turn takes.
    pub events_per_turn: usize,
}

impl Default for ReactorConfig {
    fn default() -> ReactorConfig {
        ReactorConfig {
            max_connections: 100_000,
            accepts_per_turn: 1000,
            events_per_turn: 1024,
        }
    }
}

pub struct Reactor {
    poll: Poll,
    kernel_events: Events,
    config: ReactorConfig,
    conns: Connections,
    listeners: Listeners,
    signals: Option<Signals>,
    waker: Waker,
}

/// Makes the reactor turn from any thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<WakerState>);

#[derive(Debug)]
struct WakerState {
    waker: mio::Waker,
    /// Set from the first wake until the reactor reports it, so that a burst costs one write.
    pending: AtomicBool,
}

impl Waker {
    pub fn wake(&self) {
        if !self.0.pending.swap(true, Ordering::AcqRel) {
            // The only failure left after mio's own handling is a closed poll: nobody to wake.
            let _ = self.0.waker.wake();
        }
    }
}

// Slots with these indices are not connections.
const FIRST_RESERVED: u32 = 0xFFFF_0000;
const SIGNALS: Token = Token(u32::MAX as usize - 1);
const WAKER: Token = Token(u32::MAX as usize);

/// A read into a full vector makes this much room first.
const MIN_READ_BYTES: usize = 16 * 1024;
/// The kernel takes no more slices than this at once.
const MAX_SLICES: usize = 1024;

impl Reactor {
    pub fn new(config: ReactorConfig) -> io::Result<Reactor> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKER)?;
        Ok(Reactor {
            kernel_events: Events::with_capacity(config.events_per_turn.max(1)),
            conns: Connections {
                slab: Slab::new(),
                unread: Vec::new(),
            },
            listeners: Listeners::default(),
            signals: None,
            waker: Waker(Arc::new(WakerState {
                waker,
                pending: AtomicBool::new(false),
            })),
            config,
            poll,
        })
    }

    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Delivers these signals as [`Event::Signal`] from now on.
    pub fn attach_signals(&mut self, signals: Signals) -> io::Result<()> {
        let fd = signals.wake_fd();
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), SIGNALS, Interest::READABLE)?;
        self.signals = Some(signals);
        Ok(())
    }

    /// Fills `events` with what has happened, sleeping until something does or `deadline` comes
    /// (never, if none). May return with nothing.
    pub fn wait(&mut self, deadline: Option<Instant>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        self.conns.report_unread(events);
        let timeout = if events.is_empty() && !self.listeners.has_backlog() {
            self.time_until(deadline)
        } else {
            Some(Duration::ZERO)
        };
        match self.poll.poll(&mut self.kernel_events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in self.kernel_events.iter() {
            match event.token() {
                WAKER => {
                    // Cleared before the owner looks for work, so that what comes later wakes again.
                    self.waker.0.pending.store(false, Ordering::Release);
                    events.push(Event::Wake);
                }
                SIGNALS => {
                    if let Some(signals) = &self.signals {
                        events.extend(signals.take().map(Event::Signal));
                    }
                }
                Token(token) if token as u32 >= FIRST_RESERVED => {
                    self.listeners.mark_ready(token as u32 - FIRST_RESERVED);
                }
                Token(token) => {
                    let id = ConnId(token as u64);
                    self.conns.on_event(id, event, self.poll.registry(), events);
                }
            }
        }
        if self.listeners.any_ready() {
            self.accept(events);
        }
        Ok(())
    }

    fn time_until(&self, deadline: Option<Instant>) -> Option<Duration> {
        let earliest = match (deadline, self.listeners.retry_at()) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        Some(earliest.saturating_duration_since(Instant::now()))
    }

    /// Appends what the socket holds to `buf`, as far as its spare capacity goes (it is grown when
    /// there is none). One read, and the spare capacity is not cleared first.
    #[inline]
    pub fn read(&mut self, id: ConnId, buf: &mut Vec<u8>) -> ReadOutcome {
        self.read_up_to(id, buf, usize::MAX)
    }

    /// As [`Reactor::read`], but at most `limit_bytes`, which must not be 0.
    pub fn read_up_to(&mut self, id: ConnId, buf: &mut Vec<u8>, limit_bytes: usize) -> ReadOutcome {
        assert!(
            limit_bytes > 0,
            "a read of nothing cannot be told from the end"
        );
        let Some(conn) = self.conns.slab.get_mut(id) else {
            return ReadOutcome::Error(io::ErrorKind::NotConnected.into());
        };
        let old_len = buf.len();
        if buf.capacity() == old_len {
            buf.reserve(MIN_READ_BYTES.min(limit_bytes));
        }
        let spare = buf.spare_capacity_mut();
        let room = spare.len().min(limit_bytes);
        let read = loop {
            match rustix::net::recv(&conn.fd, &mut spare[..room], RecvFlags::empty()) {
                Ok(((filled, _), _)) => break Ok(filled.len()),
                Err(Errno::INTR) => {}
                Err(error) => break Err(error),
            }
        };
        match read {
            Ok(0) => {
                conn.flags &= !READABLE;
                ReadOutcome::Eof
            }
            Ok(n) => {
                // SAFETY: the read initialised the first `n <= room` bytes of the spare capacity,
                // which starts at `old_len`, so `old_len + n` bytes are initialised and within it.
                unsafe { buf.set_len(old_len + n) };
                if n < room && !conn.has(HANGUP) {
                    conn.flags &= !READABLE;
                } else {
                    conn.flags |= READABLE;
                    self.conns.list(id);
                }
                ReadOutcome::Data(n)
            }
            Err(error) => {
                conn.flags &= !READABLE;
                match error {
                    Errno::AGAIN => ReadOutcome::WouldBlock,
                    error => ReadOutcome::Error(error.into()),
                }
            }
        }
    }

    /// Writes what the socket takes, with one write.
    pub fn write(&mut self, id: ConnId, bytes: &[u8]) -> WriteOutcome {
        self.write_with(id, bytes.len(), |conn| {
            rustix::net::send(&conn.fd, bytes, SendFlags::NOSIGNAL)
        })
    }

    /// Writes what the socket takes, with one write, of the first 1024 slices.
    pub fn write_vectored(&mut self, id: ConnId, slices: &[IoSlice<'_>]) -> WriteOutcome {
        let slices = &slices[..slices.len().min(MAX_SLICES)];
        let offered = slices.iter().map(|slice| slice.len()).sum();
        self.write_with(id, offered, |conn| rustix::io::writev(&conn.fd, slices))
    }

    #[inline]
    fn write_with(
        &mut self,
        id: ConnId,
        offered: usize,
        write: impl Fn(&Conn) -> rustix::io::Result<usize>,
    ) -> WriteOutcome {
        let Some(conn) = self.conns.slab.get_mut(id) else {
            return WriteOutcome::Error(io::ErrorKind::NotConnected.into());
        };
        if offered == 0 {
            return WriteOutcome::Written(0);
        }
        let written = loop {
            match write(conn) {
                Ok(n) if n == offered => return WriteOutcome::Written(n),
                Ok(n) => break n,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break 0,
                Err(error) => return WriteOutcome::Error(error.into()),
            }
        };
        match conn.block(id, self.poll.registry()) {
            Ok(()) => WriteOutcome::Blocked { written },
            Err(error) => WriteOutcome::Error(error),
        }
    }

    /// Silences a connection, or lets it speak again: what came meanwhile is reported at the next
    /// turn. While silenced, not even the peer's going away is reported.
    pub fn set_reading(&mut self, id: ConnId, reading: bool) {
        let Some(conn) = self.conns.slab.get_mut(id) else {
            return;
        };
        if !reading {
            conn.flags |= PAUSED;
            return;
        }
        conn.flags &= !PAUSED;
        if conn.has(READABLE) {
            self.conns.list(id);
        }
    }

    /// The other end of the connection.
    pub fn peer_address(&self, id: ConnId) -> io::Result<Address> {
        let address = self.socket(id)?.peer_addr()?;
        Address::from_socket(&address).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// Closes the socket. Its id means nothing from now on; events of this turn that still name it
    /// lead to `NotConnected`.
    pub fn close(&mut self, id: ConnId) {
        if self.conns.slab.remove(id).is_some() {
            // A descriptor is free again.
            self.listeners.retry_now();
        }
    }

    pub fn is_open(&self, id: ConnId) -> bool {
        self.conns.slab.get(id).is_some()
    }

    /// Changes [`ReactorConfig::max_connections`]; open connections stay.
    pub fn set_max_connections(&mut self, max_connections: usize) {
        self.config.max_connections = max_connections;
    }

    pub fn connection_count(&self) -> usize {
        self.conns.slab.count()
    }

    /// The descriptor, for display only.
    pub fn fd(&self, id: ConnId) -> Option<RawFd> {
        Some(self.conns.slab.get(id)?.fd.as_raw_fd())
    }

    pub fn set_nodelay(&self, id: ConnId, on: bool) -> io::Result<()> {
        self.socket(id)?.set_tcp_nodelay(on)
    }

    /// Finds dead peers in about twice `interval_s` of silence: the first probe after it, then three
    /// within about the same time. 0 turns it off.
    pub fn set_keepalive(&self, id: ConnId, interval_s: u32) -> io::Result<()> {
        let socket = self.socket(id)?;
        if interval_s == 0 {
            return socket.set_keepalive(false);
        }
        let probes = TcpKeepalive::new()
            .with_time(Duration::from_secs(u64::from(interval_s)))
            .with_interval(Duration::from_secs(u64::from((interval_s / 3).max(1))))
            .with_retries(3);
        socket.set_tcp_keepalive(&probes)
    }

    /// This end of the connection.
    pub fn local_address(&self, id: ConnId) -> io::Result<Address> {
        let address = self.socket(id)?.local_addr()?;
        Address::from_socket(&address).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    fn socket(&self, id: ConnId) -> io::Result<SockRef<'_>> {
        let conn = self.conns.slab.get(id).ok_or(io::ErrorKind::NotConnected)?;
        Ok(SockRef::from(&conn.fd))
    }
}

impl Conn {
    /// Notes that the socket is full, so that its next write edge is reported.
    fn block(&mut self, id: ConnId, registry: &Registry) -> io::Result<()> {
        if self.has(ON_DEMAND) && !self.has(BLOCKED) {
            self.change_interest(id, registry, Interest::READABLE | Interest::WRITABLE)?;
        }
        self.flags |= BLOCKED;
        Ok(())
    }

    fn unblock(&mut self, id: ConnId, registry: &Registry) {
        self.flags &= !BLOCKED;
        if self.has(ON_DEMAND) {
            // Failing leaves some edges that nobody asked for, which are harmless.
            let _ = self.change_interest(id, registry, Interest::READABLE);
        }
    }

    fn change_interest(&self, id: ConnId, to: &Registry, interest: Interest) -> io::Result<()> {
        let fd = self.fd.as_raw_fd();
        to.reregister(&mut SourceFd(&fd), Token(id.0 as usize), interest)
    }
}

/// The connections, and which of them to report without being asked by the kernel.
///
/// Between turns, `unread` holds each LISTED connection once, and every connection that is
/// READABLE and not PAUSED is LISTED.
struct Connections {
    slab: Slab,
    unread: Vec<ConnId>,
}

impl Connections {
    /// Starts a turn: reports again what was left unread, forgets the rest.
    fn report_unread(&mut self, events: &mut Vec<Event>) {
        let slab = &mut self.slab;
        self.unread.retain(|&id| {
            let Some(conn) = slab.get_mut(id) else {
                return false;
            };
            let report = conn.flags & (READABLE | PAUSED) == READABLE;
            if report {
                events.push(Event::Readable(id));
            } else {
                conn.flags &= !LISTED;
            }
            report
        });
    }

    fn list(&mut self, id: ConnId) {
        if let Some(conn) = self.slab.get_mut(id)
            && conn.flags & (LISTED | PAUSED) == 0
        {
            conn.flags |= LISTED;
            self.unread.push(id);
        }
    }

    fn on_event(
        &mut self,
        id: ConnId,
        event: &mio::event::Event,
        registry: &Registry,
        events: &mut Vec<Event>,
    ) {
        if self.slab.get(id).is_some_and(|conn| conn.has(CONNECTING))
            && !connect::settle(&mut self.slab, id, event, events)
        {
            return;
        }
        let Some(conn) = self.slab.get_mut(id) else {
            return;
        };
        let broken = event.is_error() || event.is_read_closed();
        if broken {
            conn.flags |= HANGUP;
        }
        if broken || event.is_readable() {
            conn.flags |= READABLE;
            if conn.flags & (LISTED | PAUSED) == 0 {
                conn.flags |= LISTED;
                self.unread.push(id);
                events.push(Event::Readable(id));
            }
        }
        if conn.has(BLOCKED) && (event.is_writable() || event.is_error()) {
            conn.unblock(id, registry);
            events.push(Event::Writable(id));
        }
    }
}
