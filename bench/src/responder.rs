//! The yardstick: a server that counts requests and answers +OK to each, and does nothing else.
//!
//! It finds requests by their `*` byte, so it is right only for requests whose words contain
//! none, as those of this crate. What the load generator reaches against it is the generator's
//! own limit, and the latencies measured against it are the machine's own noise.
//!
//! Tests: `tests/load.rs`.

use crate::{interrupt, pinning};
use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const OK: &[u8] = b"+OK\r\n";
/// Replies written at once.
const OK_COUNT: usize = 4096;
const LISTENER: Token = Token(usize::MAX);

/// A responder on a thread of its own; ends when dropped.
pub struct Responder {
    address: SocketAddr,
    thread_id: u32,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Responder {
    /// Listens on the loopback; port 0 picks a free one. `cpu` pins the thread to a core.
    pub fn start(port: u16, cpu: Option<usize>) -> Result<Responder> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let listener =
            TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen_by_thread = Arc::clone(&stop);
        let (id_sender, id_receiver) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("responder".into())
            .spawn(move || {
                let thread_id = rustix::thread::gettid().as_raw_nonzero().get();
                id_sender
                    .send(thread_id.unsigned_abs())
                    .context("report the thread's id")?;
                if let Some(cpu) = cpu {
                    pinning::pin_to(cpu)?;
                }
                serve(listener, &seen_by_thread)
            })?;
        let thread_id = id_receiver
            .recv()
            .context("the responder's thread failed")?;
        Ok(Responder {
            address,
            thread_id,
            stop,
            thread: Some(thread),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The kernel's id of the serving thread.
    pub fn thread_id(&self) -> u32 {
        self.thread_id
    }

    /// Serves until the program is interrupted.
    pub fn wait(mut self) -> Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => anyhow::bail!("the responder's thread failed"),
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Nothing is left to do about a failure here; the load has seen it as a closed socket.
            let _ = thread.join();
        }
    }
}

struct Peer {
    stream: TcpStream,
    /// Bytes of replies not yet taken by the kernel.
    unsent_bytes: usize,
    waits_for_room: bool,
}

fn serve(mut listener: TcpListener, stop: &AtomicBool) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut peers: HashMap<Token, Peer> = HashMap::new();
    let mut next_token = 0;
    let mut scratch = vec![0; 64 * 1024];
    let replies = OK.repeat(OK_COUNT);
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    while !stop.load(Ordering::Relaxed) && interrupt::check().is_ok() {
        if let Err(error) = poll.poll(&mut events, Some(Duration::from_millis(50))) {
            anyhow::ensure!(
                error.kind() == ErrorKind::Interrupted,
                "epoll failed: {error}"
            );
            continue;
        }
        for event in &events {
            let token = event.token();
            if token == LISTENER {
                accept_all(&listener, poll.registry(), &mut peers, &mut next_token)?;
            } else if let Some(peer) = peers.get_mut(&token)
                && peer
                    .serve(token, poll.registry(), &mut scratch, &replies)
                    .is_err()
            {
                peers.remove(&token);
            }
        }
    }
    Ok(())
}

fn accept_all(
    listener: &TcpListener,
    registry: &Registry,
    peers: &mut HashMap<Token, Peer>,
    next_token: &mut usize,
) -> Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("accept"),
        };
        stream.set_nodelay(true)?;
        let token = Token(*next_token);
        *next_token += 1;
        registry.register(&mut stream, token, Interest::READABLE)?;
        peers.insert(
            token,
            Peer {
                stream,
                unsent_bytes: 0,
                waits_for_room: false,
            },
        );
    }
}

impl Peer {
    /// Answers what has arrived; an error means that the peer is gone.
    fn serve(
        &mut self,
        token: Token,
        registry: &Registry,
        scratch: &mut [u8],
        replies: &[u8],
    ) -> std::io::Result<()> {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    let bytes = &scratch[..length];
                    let requests = bytes.iter().filter(|&&byte| byte == b'*').count();
                    self.unsent_bytes += requests * OK.len();
                    if length < scratch.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        while self.unsent_bytes > 0 {
            // The rest may begin within a reply; its end is where whole replies end too.
            let length = match self.unsent_bytes % replies.len() {
                0 => replies.len(),
                length => length,
            };
            match self.stream.write(&replies[replies.len() - length..]) {
                Ok(written) => self.unsent_bytes -= written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let waits_for_room = self.unsent_bytes > 0;
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
}
