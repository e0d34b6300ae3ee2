//! An open-loop load: so many requests per second, whatever the server does about it.
//!
//! Request n is due at n intervals after the start and goes to a connection that waits for
//! nothing (one request at a time on each). If none is free, it waits, and its latency counts from
//! the moment it was due: a server that stops for 50 ms owes all that should have been sent in
//! that time. A closed loop would have sent one batch and called it one slow request.
//!
//! One thread that spins: it has a core, and a timer would be later than the requests it times.
//! Tests: at the bottom, against the bare responder.

use crate::interrupt;
use crate::reply::{Counts, ReplySkipper};
use crate::stock::Stock;
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What came back in one window.
#[derive(Debug, Clone)]
pub struct Window {
    /// Nanoseconds from the moment a request was due to its reply.
    pub latency: Histogram<u64>,
    pub replies: u64,
    pub elapsed: Duration,
}

impl Window {
    pub fn per_second(&self) -> f64 {
        self.replies as f64 / self.elapsed.as_secs_f64()
    }

    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e6
    }

    pub fn worst_ms(&self) -> f64 {
        self.latency.max() as f64 / 1e6
    }
}

/// Requests in flight keep their due moments between windows; the schedule begins anew with each.
pub struct Paced {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    /// Connections that wait for nothing.
    free: Vec<usize>,
    stock: Stock,
    next_request: usize,
    per_second: u64,
    counts: Counts,
    /// How long a turn may wait for replies.
    rest: Duration,
}

struct Connection {
    stream: TcpStream,
    skipper: ReplySkipper,
    due: Option<Instant>,
}

const LONGEST_NS: u64 = 600_000_000_000;
/// Turns of the loop between two looks at the signal flag.
const TURNS_PER_CHECK: u32 = 1024;

impl Paced {
    /// The stock's batches have to be single requests with small replies.
    pub fn connect(
        address: SocketAddr,
        connections: usize,
        stock: Stock,
        per_second: u64,
    ) -> Result<Paced> {
        ensure!(connections > 0 && per_second > 0, "no load asked for");
        ensure!(!stock.batches().is_empty(), "no requests to send");
        let poll = Poll::new().context("create epoll")?;
        let mut all = Vec::with_capacity(connections);
        for index in 0..connections {
            let stream = std::net::TcpStream::connect(address)
                .with_context(|| format!("connect to {address}"))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(index), Interest::READABLE)?;
            all.push(Connection {
                stream,
                skipper: ReplySkipper::default(),
                due: None,
            });
        }
        Ok(Paced {
            poll,
            events: Events::with_capacity(1024),
            connections: all,
            free: (0..connections).collect(),
            stock,
            next_request: 0,
            per_second,
            counts: Counts::default(),
            rest: Duration::ZERO,
        })
    }

    /// Leaves the core to others between requests, which are then up to a millisecond late: for loads
    /// whose latencies nobody reads.
    pub fn rest_between_requests(&mut self) {
        self.rest = Duration::from_millis(1);
    }

    /// Sends at the pace until `is_over` says so, then waits for what is in flight; `beside` is
    /// called in every turn of the loop.
    pub fn run(
        &mut self,
        is_over: &mut dyn FnMut(Duration) -> bool,
        beside: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Window> {
        let mut latency = Histogram::new_with_bounds(1, LONGEST_NS, 3)?;
        self.counts = Counts::default();
        let begin = Instant::now();
        let interval_ns = 1e9 / self.per_second as f64;
        let (mut sent, mut turns) = (0_u64, 0_u32);
        loop {
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(TURNS_PER_CHECK) {
                interrupt::check()?;
            }
            let elapsed = begin.elapsed();
            if is_over(elapsed) {
                break;
            }
            let due_count = (elapsed.as_nanos() as f64 / interval_ns) as u64;
            while sent < due_count
                && let Some(index) = self.free.pop()
            {
                let due = begin + Duration::from_nanos((sent as f64 * interval_ns) as u64);
                self.send(index, due)?;
                sent += 1;
            }
            self.receive(&mut latency)?;
            beside()?;
        }
        let elapsed = begin.elapsed();
        let replies = self.counts.replies;
        while self.free.len() < self.connections.len() {
            interrupt::check()?;
            self.receive(&mut latency)?;
            ensure!(
                begin.elapsed() - elapsed < Duration::from_secs(60),
                "no reply for 60 s"
            );
        }
        ensure!(
            self.counts.errors == 0,
            "an error reply: {}",
            self.counts.first_error.as_deref().unwrap_or("(not kept)")
        );
        Ok(Window {
            latency,
            replies,
            elapsed,
        })
    }

    /// As `run`, for a given time and with nothing beside.
    pub fn run_for(&mut self, time: Duration) -> Result<Window> {
        self.run(&mut |elapsed| elapsed >= time, &mut || Ok(()))
    }

    fn send(&mut self, index: usize, due: Instant) -> Result<()> {
        let batch = &self.stock.batches()[self.next_request];
        self.next_request = (self.next_request + 1) % self.stock.batches().len();
        let bytes = &self.stock.bytes()[batch.bytes.clone()];
        let connection = &mut self.connections[index];
        connection.due = Some(due);
        // Nothing else is in flight on it, so the kernel has room.
        let written = connection
            .stream
            .write(bytes)
            .context("write to the server")?;
        ensure!(written == bytes.len(), "the socket took half a request");
        Ok(())
    }

    fn receive(&mut self, latency: &mut Histogram<u64>) -> Result<()> {
        if let Err(error) = self.poll.poll(&mut self.events, Some(self.rest)) {
            ensure!(
                error.kind() == ErrorKind::Interrupted,
                "epoll failed: {error}"
            );
            return Ok(());
        }
        let mut scratch = [0; 16 * 1024];
        for event in &self.events {
            let index = event.token().0;
            let connection = &mut self.connections[index];
            let length = match connection.stream.read(&mut scratch) {
                Ok(0) => anyhow::bail!("the server closed a connection"),
                Ok(length) => length,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
                {
                    continue;
                }
                Err(error) => return Err(error).context("read from the server"),
            };
            ensure!(
                length < scratch.len(),
                "a reply is too long for a paced load"
            );
            let before = self.counts.replies;
            connection
                .skipper
                .feed(&scratch[..length], &mut self.counts)?;
            if self.counts.replies > before {
                let due = connection.due.take().context("a reply nobody asked for")?;
                latency.saturating_record(due.elapsed().as_nanos() as u64);
                self.free.push(index);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responder::Responder;
    use crate::template::{Mix, Random};

    fn stock() -> Stock {
        let mix = Mix::parse(&["SET key:{rand:0-999:12} {fill:32}"]).unwrap();
        Stock::prepare(&mix, 100, 1, &mut Random::new(1))
    }

    #[test]
    fn the_pace_is_kept_and_every_request_is_timed() {
        let responder = Responder::start(0, None).unwrap();
        let mut paced = Paced::connect(responder.address(), 10, stock(), 5_000).unwrap();
        for _ in 0..2 {
            let window = paced.run_for(Duration::from_millis(200)).unwrap();
            // The machine may be busy, so only the upper side is exact.
            assert!(window.replies <= 1001, "{}", window.replies);
            assert!(window.replies > 100, "{}", window.replies);
            assert!(window.latency.len() >= window.replies);
        }
    }

    #[test]
    fn a_server_that_does_not_answer_owes_everything_that_was_due_meanwhile() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut paced = Paced::connect(address, 1, stock(), 1_000).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            // The first request waits for 100 ms, as if the server had stopped.
            let length = stream.read(&mut request).unwrap();
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(100) {
                std::thread::yield_now();
            }
            let mut count = usize::from(length > 0);
            while count > 0 {
                stream.write_all(b"+OK\r\n").unwrap();
                count = stream.read(&mut request).unwrap();
            }
        });
        let window = paced.run_for(Duration::from_millis(300)).unwrap();
        drop(paced);
        server.join().unwrap();
        // About a hundred requests were late, not one.
        let late = window.latency.count_between(10_000_000, LONGEST_NS);
        assert!(late > 50, "{late}");
        assert!(window.worst_ms() >= 100.0);
    }
}
