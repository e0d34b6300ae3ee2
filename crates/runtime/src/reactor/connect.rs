//! Connections that go out.
//!
//! A connection has its id from the moment it is begun, and is silent until the kernel has decided:
//! then [`Event::Connected`] or [`Event::ConnectFailed`] comes once, the latter after the id has
//! ceased to mean anything. Names are not resolved here, because that may wait ([`resolve`] is for
//! a background thread).
//!
//! Tests are in `tests.rs`.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Token};
use rustix::io::Errno;
use socket2::{Domain, SockRef, Socket, Type};

use super::slab::{CONNECTING, Conn, Slab};
use super::{ConnId, Event, Reactor};

/// Looks a name up, waiting as long as that takes.
pub fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((host, port).to_socket_addrs()?.collect())
}

impl Reactor {
    /// Begins a TCP connection, from the local address `from` if one is given.
    pub fn connect_tcp(&mut self, to: SocketAddr, from: Option<IpAddr>) -> io::Result<ConnId> {
        if self.conns.slab.count() >= self.config.max_connections {
            return Err(io::Error::other("too many connections"));
        }
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if let Some(from) = from {
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => {
                return Err(error);
            }
            _ => {}
        }
        let id = self.conns.slab.next_id();
        let fd = socket.as_raw_fd();
        self.poll.registry().register(
            &mut SourceFd(&fd),
            Token(id.as_u64() as usize),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        Ok(self.conns.slab.insert(Conn {
            fd: OwnedFd::from(socket),
            flags: CONNECTING,
        }))
    }
}

/// What an event says about a connection that is being made. False if it is not made yet, or never
/// will be.
pub(super) fn settle(
    slab: &mut Slab,
    id: ConnId,
    event: &mio::event::Event,
    events: &mut Vec<Event>,
) -> bool {
    let Some(conn) = slab.get_mut(id) else {
        return false;
    };
    let error = match SockRef::from(&conn.fd).take_error() {
        Ok(None) if event.is_writable() && !event.is_error() => {
            conn.flags &= !CONNECTING;
            events.push(Event::Connected(id));
            return true;
        }
        Ok(None) if !event.is_error() => return false,
        Ok(None) => io::ErrorKind::ConnectionAborted.into(),
        Ok(Some(error)) | Err(error) => error,
    };
    slab.remove(id);
    events.push(Event::ConnectFailed { conn: id, error });
    false
}
