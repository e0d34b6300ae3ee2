//! Listening sockets and the accept loop.
//!
//! A listener raises an edge when connections wait, and is then accepted from in batches, turn by
//! turn, until the kernel says there are no more. When descriptors or memory run out it stalls: the
//! connections stay in the kernel's queue, and the next try comes when one is closed or after
//! [`RETRY`], so that the loop does not spin on an error it cannot change.
//!
//! Tests are in `tests.rs`.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Token};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::slab::{Conn, ON_DEMAND};
use super::{Event, FIRST_RESERVED, ListenerId, Reactor};
use crate::address::Address;

/// How long a stalled listener waits for things to get better by themselves.
const RETRY: Duration = Duration::from_millis(100);
const MAX_LISTENERS: usize = 256;

pub(super) struct Listener {
    socket: OwnedFd,
    /// For Unix sockets, where it is bound.
    path: Option<Arc<str>>,
    /// An edge came, and the kernel has not said since that nobody waits.
    ready: bool,
}

#[derive(Default)]
pub(super) struct Listeners {
    slots: Vec<Option<Listener>>,
    /// Set while stalled: when to try again.
    retry_at: Option<Instant>,
    /// The stall was reported, and nothing was accepted since.
    reported: bool,
}

impl Listeners {
    pub fn mark_ready(&mut self, index: u32) {
        if let Some(Some(listener)) = self.slots.get_mut(index as usize) {
            listener.ready = true;
        }
    }

    pub fn any_ready(&self) -> bool {
        self.slots.iter().flatten().any(|listener| listener.ready)
    }

    /// Whether connections are known to wait that could be accepted at once.
    pub fn has_backlog(&self) -> bool {
        self.retry_at.is_none() && self.any_ready()
    }

    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    pub fn retry_now(&mut self) {
        self.retry_at = None;
    }
}

impl Reactor {
    /// Listens on a TCP address; port 0 lets the kernel choose. An IPv6 address takes IPv6 only.
    pub fn listen_tcp(&mut self, address: SocketAddr, backlog: i32) -> io::Result<ListenerId> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        self.start_listening(socket, backlog, None)
    }

    /// Listens on a Unix socket, replacing what is at `path`. A mode of 0 leaves it to the umask.
    pub fn listen_unix(&mut self, path: &Path, mode: u32, backlog: i32) -> io::Result<ListenerId> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let address = SockAddr::unix(path)?;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => socket.bind(&address)?,
        }
        if mode != 0 {
            std::fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        self.start_listening(socket, backlog, Some(path.to_string_lossy().into()))
    }

    fn start_listening(
        &mut self,
        socket: Socket,
        backlog: i32,
        path: Option<Arc<str>>,
    ) -> io::Result<ListenerId> {
        let slots = &mut self.listeners.slots;
        let index = slots
            .iter()
            .position(Option::is_none)
            .unwrap_or(slots.len());
        if index >= MAX_LISTENERS {
            return Err(io::Error::other("too many listening sockets"));
        }
        socket.set_nonblocking(true)?;
        socket.listen(backlog)?;
        let token = Token((FIRST_RESERVED + index as u32) as usize);
        let fd = socket.as_raw_fd();
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        let listener = Listener {
            socket: socket.into(),
            path,
            ready: false,
        };
        match slots.get_mut(index) {
            Some(slot) => *slot = Some(listener),
            None => slots.push(Some(listener)),
        }
        Ok(ListenerId(index as u32))
    }

    /// Stops listening. The file of a Unix socket is removed.
    pub fn close_listener(&mut self, id: ListenerId) {
        let Some(listener) = self
            .listeners
            .slots
            .get_mut(id.0 as usize)
            .and_then(Option::take)
        else {
            return;
        };
        if let Some(path) = listener.path {
            // Best effort: somebody else may have removed or replaced it.
            let _ = std::fs::remove_file(&*path);
        }
    }

    /// Where a listener is bound, with the port that was chosen.
    pub fn listener_address(&self, id: ListenerId) -> io::Result<Address> {
        let slot = self
            .listeners
            .slots
            .get(id.0 as usize)
            .and_then(Option::as_ref);
        let listener = slot.ok_or(io::ErrorKind::NotConnected)?;
        if let Some(path) = &listener.path {
            return Ok(Address::Unix(Arc::clone(path)));
        }
        let address = SockRef::from(&listener.socket).local_addr()?;
        Address::from_socket(&address).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// Accepts a batch from every listener that has connections waiting.
    pub(super) fn accept(&mut self, events: &mut Vec<Event>) {
        if self
            .listeners
            .retry_at
            .is_some_and(|at| Instant::now() < at)
        {
            return;
        }
        self.listeners.retry_at = None;
        for index in 0..self.listeners.slots.len() {
            if let Err(error) = self.accept_batch(index, events) {
                self.listeners.retry_at = Some(Instant::now() + RETRY);
                if !std::mem::replace(&mut self.listeners.reported, true) {
                    let listener = ListenerId(index as u32);
                    events.push(Event::AcceptFailed {
                        listener,
                        error: error.into(),
                    });
                }
                return;
            }
        }
    }

    /// Fails when the process, not the connection, is what is wrong.
    fn accept_batch(&mut self, index: usize, events: &mut Vec<Event>) -> Result<(), Errno> {
        const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);
        for _ in 0..self.config.accepts_per_turn {
            let Some(Some(listener)) = self.listeners.slots.get_mut(index) else {
                return Ok(());
            };
            if !listener.ready {
                return Ok(());
            }
            match rustix::net::acceptfrom_with(&listener.socket, FLAGS) {
                Ok((socket, peer)) => {
                    self.listeners.reported = false;
                    let peer = match &listener.path {
                        Some(path) => Some(Address::Unix(Arc::clone(path))),
                        None => peer.and_then(|peer| peer.try_into().ok()).map(Address::Tcp),
                    };
                    if let Some(peer) = peer {
                        self.adopt(ListenerId(index as u32), socket, peer, events);
                    }
                }
                Err(Errno::AGAIN) => listener.ready = false,
                // The kernel looks for a descriptor before it looks for a connection, so this is
                // also what it says when nobody waits.
                Err(Errno::MFILE | Errno::NFILE) if !somebody_waits(&listener.socket) => {
                    listener.ready = false;
                }
                Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                    return Err(error);
                }
                // That connection was gone before it was accepted; the next may be well.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Registers an accepted socket; drops it, which closes it, when that is not possible.
    fn adopt(&mut self, on: ListenerId, socket: OwnedFd, peer: Address, events: &mut Vec<Event>) {
        if self.conns.slab.count() >= self.config.max_connections {
            return;
        }
        let id = self.conns.slab.next_id();
        // A Unix socket raises a write edge whenever its peer reads, which would cost a turn per
        // reply; a TCP socket only after it was full.
        let (interest, flags) = match peer {
            Address::Unix(_) => (Interest::READABLE, ON_DEMAND),
            Address::Tcp(_) => (Interest::READABLE | Interest::WRITABLE, 0),
        };
        let fd = socket.as_raw_fd();
        let token = Token(id.as_u64() as usize);
        if self
            .poll
            .registry()
            .register(&mut SourceFd(&fd), token, interest)
            .is_ok()
        {
            let id = self.conns.slab.insert(Conn { fd: socket, flags });
            events.push(Event::Accepted {
                listener: on,
                conn: id,
                peer,
            });
        }
    }
}

fn somebody_waits(socket: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    !matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(0))
}
