//! One blocking stream socket, TCP or Unix, whose errors name the peer and the step.
//!
//! It does not know RESP. Tests: `tests.rs`.

use crate::Timeouts;
use crate::error::{ClientError, Operation};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

pub(crate) struct Connection {
    stream: Stream,
    peer: String,
}

impl Connection {
    pub(crate) fn tcp(addr: impl ToSocketAddrs, timeouts: Timeouts) -> Result<Self, ClientError> {
        let resolved = addr
            .to_socket_addrs()
            .map_err(|error| ClientError::from_io(Operation::Resolve, "address", error))?;
        let mut failure = None;
        for addr in resolved {
            match connect_one(addr, timeouts.connect) {
                Ok(stream) => {
                    let connection = Self {
                        stream: Stream::Tcp(stream),
                        peer: addr.to_string(),
                    };
                    connection.set_timeouts(timeouts.read, timeouts.write)?;
                    return Ok(connection);
                }
                Err(error) => {
                    let peer = addr.to_string();
                    failure = Some(ClientError::from_io(Operation::Connect, &peer, error));
                }
            }
        }
        Err(failure.unwrap_or_else(|| {
            let error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            ClientError::from_io(Operation::Resolve, "address", error)
        }))
    }

    pub(crate) fn unix(path: &Path) -> Result<Self, ClientError> {
        let peer = path.display().to_string();
        match UnixStream::connect(path) {
            Ok(stream) => Ok(Self {
                stream: Stream::Unix(stream),
                peer,
            }),
            Err(error) => Err(ClientError::from_io(Operation::Connect, &peer, error)),
        }
    }

    pub(crate) fn set_timeouts(
        &self,
        read: Option<Duration>,
        write: Option<Duration>,
    ) -> Result<(), ClientError> {
        let (read, write) = (read.map(not_zero), write.map(not_zero));
        let outcome = match &self.stream {
            Stream::Tcp(stream) => stream
                .set_read_timeout(read)
                .and_then(|()| stream.set_write_timeout(write)),
            Stream::Unix(stream) => stream
                .set_read_timeout(read)
                .and_then(|()| stream.set_write_timeout(write)),
        };
        outcome.map_err(|error| self.error(Operation::Configure, error))
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let outcome = match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        };
        outcome.map_err(|error| self.error(Operation::Write, error))
    }

    /// Waits for bytes; zero at the end of the stream.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize, ClientError> {
        loop {
            let outcome = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(into),
                Stream::Unix(stream) => stream.read(into),
            };
            match outcome {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(Operation::Read, error)),
            }
        }
    }

    pub(crate) fn close_write(&self) -> Result<(), ClientError> {
        let outcome = match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        outcome.map_err(|error| self.error(Operation::Write, error))
    }

    fn error(&self, operation: Operation, source: io::Error) -> ClientError {
        ClientError::from_io(operation, &self.peer, source)
    }
}

fn connect_one(addr: SocketAddr, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let stream = match timeout {
        Some(timeout) => TcpStream::connect_timeout(&addr, not_zero(timeout))?,
        None => TcpStream::connect(addr)?,
    };
    // A request goes out in one write; waiting for more would only delay it.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The operating system takes zero for "forever" or refuses it.
fn not_zero(timeout: Duration) -> Duration {
    timeout.max(Duration::from_millis(1))
}
