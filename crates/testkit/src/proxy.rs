//! A TCP proxy whose links a test can cut, hold up and slow down.
//!
//! What connects to `port` is joined to `127.0.0.1:target` by two threads, one for each way. Faults
//! are counted in bytes rather than in time where that matters (`cut_after`): the place of such a
//! cut depends on nothing but the number, however the bytes arrive. "Down" is from the target to
//! who connected, which is where a replica's snapshot and stream come from.
//! Tests: `tests/proxy.rs`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::port::free_port;

/// A link through which everything passes until a test says otherwise. Ends with its drop.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    target: u16,
    /// Nothing passes, and nothing is closed.
    is_stalled: bool,
    /// New connections are closed at once.
    is_refusing: bool,
    is_over: bool,
    delay: Duration,
    /// So many bytes may still go down before everything is cut.
    cut_after_bytes: Option<u64>,
    accepted_at: Vec<Instant>,
    down_bytes: u64,
    /// Both ends of what is joined now.
    open: Vec<(TcpStream, TcpStream)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

struct Passage {
    bytes: usize,
    /// Everything is cut behind them.
    is_last: bool,
}

const CHUNK_BYTES: usize = 16 * 1024;

impl Proxy {
    pub fn start(target: u16) -> Proxy {
        let (port, listener) = listen();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                target,
                is_stalled: false,
                is_refusing: false,
                is_over: false,
                delay: Duration::ZERO,
                cut_after_bytes: None,
                accepted_at: Vec::new(),
                down_bytes: 0,
                open: Vec::new(),
            }),
            changed: Condvar::new(),
        });
        let acceptor = Arc::clone(&shared);
        std::thread::spawn(move || acceptor.accept(&listener));
        Proxy { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where new connections lead. Those there are stay.
    pub fn set_target(&self, target: u16) {
        self.shared.lock().target = target;
    }

    /// Closes every connection; new ones are welcome.
    pub fn cut(&self) {
        self.shared.lock().cut();
    }

    /// Closes every connection once so many more bytes have gone down; if fewer are left of what
    /// was read together, the rest of it never arrives.
    pub fn cut_after(&self, bytes: u64) {
        self.shared.lock().cut_after_bytes = Some(bytes);
    }

    /// Closes every connection, and new ones as soon as they come.
    pub fn refuse(&self) {
        let mut state = self.shared.lock();
        state.is_refusing = true;
        state.cut();
    }

    /// Holds everything back, in both directions, without closing anything.
    pub fn stall(&self) {
        self.shared.lock().is_stalled = true;
    }

    /// Every piece of up to 16 kB waits so long: a slow and thin link.
    pub fn delay(&self, delay: Duration) {
        self.shared.lock().delay = delay;
        self.shared.changed.notify_all();
    }

    /// No fault any more.
    pub fn open(&self) {
        let mut state = self.shared.lock();
        state.is_stalled = false;
        state.is_refusing = false;
        state.delay = Duration::ZERO;
        state.cut_after_bytes = None;
        self.shared.changed.notify_all();
    }

    /// When connections came in, from the first on, refused ones included.
    pub fn accepted_at(&self) -> Vec<Instant> {
        self.shared.lock().accepted_at.clone()
    }

    /// How many bytes have gone down, over all connections.
    pub fn down_bytes(&self) -> u64 {
        self.shared.lock().down_bytes
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_over = true;
        state.cut();
        self.shared.changed.notify_all();
        drop(state);
        // Wakes the acceptor, which then sees that it is over.
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

fn listen() -> (u16, TcpListener) {
    for _ in 0..5 {
        let port = free_port();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return (port, listener);
        }
    }
    panic!("found five ports in a row taken");
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    fn accept(self: &Arc<Shared>, listener: &TcpListener) {
        for client in listener.incoming() {
            let mut state = self.lock();
            if state.is_over {
                return;
            }
            state.accepted_at.push(Instant::now());
            let Some(client) = client.ok().filter(|_| !state.is_refusing) else {
                continue;
            };
            let Ok(target) = TcpStream::connect(("127.0.0.1", state.target)) else {
                continue;
            };
            client.set_nodelay(true).ok();
            target.set_nodelay(true).ok();
            for (from, to, way) in [(&client, &target, Way::Up), (&target, &client, Way::Down)] {
                let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
                    return;
                };
                let shared = Arc::clone(self);
                std::thread::spawn(move || shared.pump(from, to, way));
            }
            state.open.push((client, target));
        }
    }

    /// Carries bytes one way until an end is closed, from within or without.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream, way: Way) {
        let mut chunk = [0; CHUNK_BYTES];
        loop {
            let length = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => length,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let Some(passage) = self.wait_for_passage(length, way) else {
                break;
            };
            let written = to.write_all(&chunk[..passage.bytes]);
            if passage.is_last {
                self.lock().cut();
            }
            if written.is_err() || passage.is_last {
                break;
            }
        }
        if self.lock().is_over {
            return;
        }
        // The other end may still have something to say, as with any half-closed connection, but no
        // peer of ours speaks to one that has hung up.
        from.shutdown(Shutdown::Both).ok();
        to.shutdown(Shutdown::Both).ok();
    }

    /// How many of the bytes may pass, once they may.
    fn wait_for_passage(&self, length: usize, way: Way) -> Option<Passage> {
        let read_at = Instant::now();
        let mut state = self.lock();
        loop {
            if state.is_over {
                return None;
            }
            let left = state.delay.saturating_sub(read_at.elapsed());
            state = match (state.is_stalled, left) {
                (true, _) => self.changed.wait(state).ok()?,
                (false, Duration::ZERO) => break,
                (false, left) => self.changed.wait_timeout(state, left).ok()?.0,
            };
        }
        let mut passage = Passage {
            bytes: length,
            is_last: false,
        };
        if way == Way::Down {
            if let Some(left) = state.cut_after_bytes {
                passage.bytes = length.min(usize::try_from(left).unwrap_or(usize::MAX));
                passage.is_last = length as u64 >= left;
                state.cut_after_bytes = Some(left - passage.bytes as u64);
            }
            state.down_bytes += passage.bytes as u64;
        }
        Some(passage)
    }
}

impl State {
    fn cut(&mut self) {
        for (client, target) in self.open.drain(..) {
            client.shutdown(Shutdown::Both).ok();
            target.shutdown(Shutdown::Both).ok();
        }
        self.cut_after_bytes = None;
    }
}
