//! A small blocking RESP client for the CLI, the tools and the tests.
//!
//! One connection, TCP or Unix. `command` sends one request and waits for its reply; `send` and
//! `receive` pipeline; `write_raw` puts any bytes on the wire, for tests of malformed input. Both
//! protocol versions are understood; switching (`HELLO 3`) is an ordinary command.
//!
//! Push messages (`>`) are not replies: `command` sets them aside for `take_pushes`, `receive`
//! hands everything over in the order of arrival. An error reply is a `Value`, not a
//! `ClientError`; `command_ok` turns it into one for callers that only want success.
//!
//! After an error other than `Timeout` on receiving, the connection is of no more use. A timeout
//! bounds each wait for the socket, not a whole reply.
//!
//! It knows no command, does not reconnect and follows no redirection. Tests: `tests.rs`.
#![forbid(unsafe_code)]

mod connection;
mod error;
#[cfg(test)]
mod tests;

use connection::Connection;
pub use error::{ClientError, Operation};
use resp::{Decoder, DecoderLimits, Value, write_u64};
use std::collections::VecDeque;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::time::Duration;

/// How long to wait; `None` waits forever. A zero duration counts as one millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Option<Duration>,
    pub read: Option<Duration>,
    pub write: Option<Duration>,
}

impl Timeouts {
    /// The same limit for connecting and each read and write.
    pub fn all(limit: Duration) -> Self {
        Self {
            connect: Some(limit),
            read: Some(limit),
            write: Some(limit),
        }
    }
}

const READ_CHUNK_BYTES: usize = 64 * 1024;

pub struct Client {
    connection: Connection,
    decoder: Decoder,
    /// The request being encoded; kept to reuse its memory.
    request: Vec<u8>,
    chunk: Box<[u8]>,
    pushes: VecDeque<Value>,
}

impl Client {
    /// Connects to the first address that answers; the connect timeout holds for each.
    pub fn connect_tcp(addr: impl ToSocketAddrs, timeouts: Timeouts) -> Result<Self, ClientError> {
        Connection::tcp(addr, timeouts).map(Self::over)
    }

    /// Connects to a Unix socket. Waits without limit.
    pub fn connect_unix(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        Connection::unix(path.as_ref()).map(Self::over)
    }

    fn over(connection: Connection) -> Self {
        Self {
            connection,
            decoder: Decoder::new(),
            request: Vec::new(),
            chunk: vec![0; READ_CHUNK_BYTES].into_boxed_slice(),
            pushes: VecDeque::new(),
        }
    }

    /// Bounds what a reply may take. To be called before the first reply is read.
    pub fn set_limits(&mut self, limits: DecoderLimits) {
        self.decoder = Decoder::with_limits(limits);
    }

    /// Bounds each further wait for reading and writing.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) -> Result<(), ClientError> {
        self.connection.set_timeouts(timeout, timeout)
    }

    /// Sends one command and waits for its reply. Pushes that come before it are kept for
    /// `take_pushes`. Replies to earlier `send`s must have been received.
    pub fn command<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Value, ClientError> {
        self.send(args)?;
        self.receive_reply()
    }

    /// As `command`, with an error reply as `ClientError::Reply`.
    pub fn command_ok<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Value, ClientError> {
        match self.command(args)?.without_attributes() {
            Value::Error(text) => Err(ClientError::Reply(text)),
            value => Ok(value),
        }
    }

    /// Sends several commands in one write and waits for as many replies.
    ///
    /// All is written before anything is read: with more than the sockets' buffers hold, a server
    /// that stops reading until its replies are taken stops both. Split such batches.
    pub fn pipeline<A: AsRef<[u8]>>(
        &mut self,
        commands: &[Vec<A>],
    ) -> Result<Vec<Value>, ClientError> {
        let mut request = std::mem::take(&mut self.request);
        request.clear();
        commands
            .iter()
            .for_each(|args| encode_command(&mut request, args));
        let sent = self.connection.write_all(&request);
        self.request = request;
        sent?;
        commands.iter().map(|_| self.receive_reply()).collect()
    }

    /// Sends one command without waiting.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<(), ClientError> {
        self.request.clear();
        encode_command(&mut self.request, args);
        self.connection.write_all(&self.request)
    }

    /// Writes bytes as they are.
    pub fn write_raw(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.connection.write_all(bytes)
    }

    /// Ends the sending direction; replies can still be received.
    pub fn close_write(&mut self) -> Result<(), ClientError> {
        self.connection.close_write()
    }

    /// The next value of any kind, pushes included, those set aside first. After `Timeout` it may
    /// be called again: nothing that arrived is lost.
    pub fn receive(&mut self) -> Result<Value, ClientError> {
        match self.pushes.pop_front() {
            Some(push) => Ok(push),
            None => self.receive_next(),
        }
    }

    /// The next value that is not a push; pushes before it are set aside.
    pub fn receive_reply(&mut self) -> Result<Value, ClientError> {
        loop {
            match self.receive_next()? {
                push @ Value::Push(_) => self.pushes.push_back(push),
                reply => return Ok(reply),
            }
        }
    }

    /// The pushes set aside so far, in order of arrival.
    pub fn take_pushes(&mut self) -> Vec<Value> {
        self.pushes.drain(..).collect()
    }

    /// Reads whatever comes next without decoding it: first what was received but not decoded,
    /// then from the socket. Empty when the server has closed the connection. Only between
    /// replies.
    pub fn read_raw(&mut self) -> Result<Vec<u8>, ClientError> {
        let rest = self.decoder.take_rest();
        if !rest.is_empty() {
            return Ok(rest);
        }
        let count = self.connection.read(&mut self.chunk)?;
        Ok(self.chunk[..count].to_vec())
    }

    fn receive_next(&mut self) -> Result<Value, ClientError> {
        loop {
            if let Some(value) = self.decoder.decode().map_err(ClientError::Decode)? {
                return Ok(value);
            }
            let count = self.connection.read(&mut self.chunk)?;
            if count == 0 {
                return Err(ClientError::Closed {
                    is_mid_reply: self.decoder.is_mid_reply(),
                });
            }
            self.decoder.feed(&self.chunk[..count]);
        }
    }
}

/// Appends `args` as an array of bulk strings, the form every server takes.
pub fn encode_command<A: AsRef<[u8]>>(out: &mut Vec<u8>, args: &[A]) {
    out.push(b'*');
    write_u64(out, args.len() as u64);
    out.extend_from_slice(b"\r\n");
    for arg in args {
        let arg = arg.as_ref();
        out.push(b'$');
        write_u64(out, arg.len() as u64);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}
