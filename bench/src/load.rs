//! The load generator: one thread, one epoll, many connections, a fixed depth on each.
//!
//! A connection sends one batch of P prepared requests and, when all P replies are there, the
//! next. In the loop there is one read and one write per batch and nothing else: no rendering, no
//! parsing beyond counting, no clock (except one reading per wake-up, or two per batch when
//! latencies are asked for).
//!
//! Polling is edge-triggered. A read that fills less than the buffer has emptied the socket, so
//! no second read is needed to learn that; only a peer that closed is read to the end.
//!
//! Rejected: a request-by-request sliding window. It keeps the depth more even but makes both
//! sides pay a system call for few bytes, and redis-benchmark too works by batches.
//!
//! Tests: `tests/load.rs`, against the bare responder.

use crate::interrupt;
use crate::reply::{Counts, ReplySkipper};
use crate::stock::{Stock, Supply};
use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    Elapsed(Duration),
    /// At least this many replies since the start of the run.
    Replies(u64),
    /// Every connection has used up its supply and has all its replies.
    Exhausted,
}

/// What one run saw.
#[derive(Debug, Clone)]
pub struct Tally {
    pub counts: Counts,
    pub elapsed: Duration,
}

impl Tally {
    pub fn replies_per_second(&self) -> f64 {
        self.counts.replies as f64 / self.elapsed.as_secs_f64()
    }

    /// Fails if a reply was an error: a number measured on errors means nothing.
    pub fn ensure_no_errors(&self) -> Result<()> {
        ensure!(
            self.counts.errors == 0,
            "{} of {} replies were errors, the first: {}",
            self.counts.errors,
            self.counts.replies,
            self.counts.first_error.as_deref().unwrap_or("(not kept)")
        );
        Ok(())
    }
}

/// How long the server may stay silent while replies are due.
const SILENCE_LIMIT: Duration = Duration::from_secs(20);
const POLL_LIMIT: Duration = Duration::from_millis(100);
const SCRATCH_BYTES: usize = 64 * 1024;

/// A set of connections with requests in flight. It keeps its state between runs, so a warm-up
/// and a measured window are two runs of the same load.
pub struct Load {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    scratch: Vec<u8>,
    shared: Shared,
    started: bool,
}

/// What the connections add to.
struct Shared {
    counts: Counts,
    /// Connections that will not send again.
    idle_count: usize,
    /// No new batches: the run is being drained.
    draining: bool,
    /// Time from sending a batch to its last reply, in nanoseconds.
    latency: Option<Histogram<u64>>,
}

impl Load {
    /// Connects once per supply.
    pub fn connect(address: SocketAddr, supplies: Vec<Supply>) -> Result<Load> {
        ensure!(!supplies.is_empty(), "no connections asked for");
        let poll = Poll::new().context("create epoll")?;
        let mut connections = Vec::with_capacity(supplies.len());
        for (index, supply) in supplies.into_iter().enumerate() {
            let stream = std::net::TcpStream::connect(address)
                .with_context(|| format!("connect to {address}"))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(index), Interest::READABLE)?;
            connections.push(Connection::new(stream, supply));
        }
        Ok(Load {
            poll,
            events: Events::with_capacity(1024),
            connections,
            scratch: vec![0; SCRATCH_BYTES],
            shared: Shared {
                counts: Counts::default(),
                idle_count: 0,
                draining: false,
                latency: None,
            },
            started: false,
        })
    }

    /// Connects with prepared requests, one stock per connection.
    pub fn connect_cycling(address: SocketAddr, stocks: &[Arc<Stock>]) -> Result<Load> {
        let supplies = stocks
            .iter()
            .map(|stock| Supply::Cycle(Arc::clone(stock)))
            .collect();
        Load::connect(address, supplies)
    }

    /// Starts recording the latency of batches anew, from the next batch on.
    pub fn record_latency(&mut self) -> Result<()> {
        self.shared.latency = Some(Histogram::new_with_bounds(1, 600_000_000_000, 3)?);
        Ok(())
    }

    /// Nanoseconds from sending a batch to its last reply, if they were asked for.
    pub fn latency(&self) -> Option<&Histogram<u64>> {
        self.shared.latency.as_ref()
    }

    /// Runs until the given end and returns what came back in that time.
    pub fn run(&mut self, until: Until) -> Result<Tally> {
        self.shared.counts = Counts::default();
        let begin = Instant::now();
        self.start()?;
        let mut progress = (0, begin);
        let now = loop {
            let now = Instant::now();
            if self.is_over(until, now - begin) {
                break now;
            }
            self.turn(POLL_LIMIT)?;
            if self.shared.counts.replies != progress.0 {
                progress = (self.shared.counts.replies, now);
            } else if now - progress.1 > SILENCE_LIMIT {
                bail!("no reply for {} s", SILENCE_LIMIT.as_secs());
            }
        };
        Ok(Tally {
            counts: self.shared.counts.clone(),
            elapsed: now - begin,
        })
    }

    /// Sends and receives what can be without waiting, for loads that run beside another in one
    /// thread. Nobody watches for a silent server here.
    pub fn serve(&mut self) -> Result<()> {
        self.start()?;
        self.turn(Duration::ZERO)
    }

    /// What came back since the last call or run.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.shared.counts)
    }

    /// Waits for the replies in flight without sending more; the load cannot run again.
    pub fn drain(mut self) -> Result<()> {
        self.shared.draining = true;
        self.started = true;
        for connection in &mut self.connections {
            connection.idle_if_complete(&mut self.shared);
        }
        self.run(Until::Exhausted)?;
        Ok(())
    }

    fn is_over(&self, until: Until, elapsed: Duration) -> bool {
        match until {
            Until::Elapsed(limit) => elapsed >= limit || self.is_exhausted(),
            Until::Replies(limit) => self.shared.counts.replies >= limit || self.is_exhausted(),
            Until::Exhausted => self.is_exhausted(),
        }
    }

    fn is_exhausted(&self) -> bool {
        self.shared.idle_count == self.connections.len()
    }

    /// The first batch of each connection.
    fn start(&mut self) -> Result<()> {
        if !self.started {
            self.started = true;
            for (index, connection) in self.connections.iter_mut().enumerate() {
                connection.send_next_batch(Token(index), self.poll.registry(), &mut self.shared)?;
            }
        }
        Ok(())
    }

    /// Waits for ready sockets once and serves them.
    fn turn(&mut self, wait: Duration) -> Result<()> {
        interrupt::check()?;
        if let Err(error) = self.poll.poll(&mut self.events, Some(wait)) {
            ensure!(
                error.kind() == ErrorKind::Interrupted,
                "epoll failed: {error}"
            );
            return Ok(());
        }
        for event in &self.events {
            let token = event.token();
            let connection = &mut self.connections[token.0];
            if event.is_writable() {
                connection.flush(token, self.poll.registry())?;
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                let to_the_end = event.is_read_closed() || event.is_error();
                connection.receive(&mut self.scratch, to_the_end, &mut self.shared)?;
                if connection.outstanding == 0 && !connection.is_idle {
                    connection.send_next_batch(token, self.poll.registry(), &mut self.shared)?;
                }
            }
        }
        Ok(())
    }
}

struct Connection {
    stream: TcpStream,
    supply: Supply,
    next_batch: usize,
    /// Bytes of the current batch not yet taken by the kernel.
    unsent: Range<usize>,
    /// Replies of the current batch still to come.
    outstanding: u64,
    skipper: ReplySkipper,
    sent_at: Option<Instant>,
    waits_for_room: bool,
    is_idle: bool,
}

impl Connection {
    fn new(stream: TcpStream, supply: Supply) -> Connection {
        Connection {
            stream,
            supply,
            // Past the end, so that the first batch asks for a renewal like every later round.
            next_batch: usize::MAX,
            unsent: 0..0,
            outstanding: 0,
            skipper: ReplySkipper::default(),
            sent_at: None,
            waits_for_room: false,
            is_idle: false,
        }
    }

    fn send_next_batch(
        &mut self,
        token: Token,
        registry: &Registry,
        shared: &mut Shared,
    ) -> Result<()> {
        if self.next_batch >= self.supply.stock().batches().len() {
            self.next_batch = 0;
            if shared.draining || !self.supply.renew() {
                self.become_idle(shared);
                return Ok(());
            }
        }
        if shared.draining {
            self.become_idle(shared);
            return Ok(());
        }
        let batch = &self.supply.stock().batches()[self.next_batch];
        self.next_batch += 1;
        self.unsent = batch.bytes.clone();
        self.outstanding = batch.replies;
        if shared.latency.is_some() {
            self.sent_at = Some(Instant::now());
        }
        self.flush(token, registry)
    }

    fn flush(&mut self, token: Token, registry: &Registry) -> Result<()> {
        while !self.unsent.is_empty() {
            match self
                .stream
                .write(&self.supply.stock().bytes()[self.unsent.clone()])
            {
                Ok(written) => self.unsent.start += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("write to the server"),
            }
        }
        let waits_for_room = !self.unsent.is_empty();
        if waits_for_room != self.waits_for_room {
            self.waits_for_room = waits_for_room;
            let interest = if waits_for_room {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            registry.reregister(&mut self.stream, token, interest)?;
        }
        Ok(())
    }

    fn receive(&mut self, scratch: &mut [u8], to_the_end: bool, shared: &mut Shared) -> Result<()> {
        loop {
            let length = match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("read from the server"),
            };
            self.count(&scratch[..length], shared)?;
            if length < scratch.len() && !to_the_end {
                return Ok(());
            }
        }
    }

    fn count(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<()> {
        let before = shared.counts.replies;
        self.skipper.feed(bytes, &mut shared.counts)?;
        let arrived = shared.counts.replies - before;
        ensure!(
            arrived <= self.outstanding,
            "the server sent more replies than it was asked for"
        );
        self.outstanding -= arrived;
        if self.outstanding == 0
            && let (Some(sent_at), Some(latency)) = (self.sent_at.take(), &mut shared.latency)
        {
            latency.saturating_record(sent_at.elapsed().as_nanos() as u64);
        }
        Ok(())
    }

    fn idle_if_complete(&mut self, shared: &mut Shared) {
        if self.outstanding == 0 && !self.is_idle {
            self.become_idle(shared);
        }
    }

    fn become_idle(&mut self, shared: &mut Shared) {
        self.is_idle = true;
        shared.idle_count += 1;
    }
}
