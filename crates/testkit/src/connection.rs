//! A connection for tests: blocking, strict, panicking with what went wrong.
//!
//! Kept apart from the product's own client on purpose: a test should not depend on what it tests
//! more than it must. Every read has a deadline, so a missing reply fails instead of hanging.
//! Tests: through `tests/`.

use std::io::{Read, Write};
use std::net::TcpStream;

use resp::{Decoder, Value};

use crate::poll::DEADLINE;

pub struct Connection {
    socket: TcpStream,
    decoder: Decoder,
}

impl Connection {
    pub fn open(port: u16) -> Connection {
        let socket = TcpStream::connect(("127.0.0.1", port))
            .unwrap_or_else(|e| panic!("connect to port {port}: {e}"));
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("the deadline is not zero");
        socket
            .set_nodelay(true)
            .expect("a TCP socket can be told not to delay");
        Connection {
            socket,
            decoder: Decoder::new(),
        }
    }

    /// Sends a command and returns its reply.
    pub fn command<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Value {
        self.send(args);
        self.receive()
    }

    /// The same, or nothing if the server closes the connection or has closed it before.
    pub fn try_command<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Option<Value> {
        let mut request = Vec::new();
        encode(&mut request, args);
        self.socket.write_all(&request).ok()?;
        self.try_receive()
    }

    /// Sends several commands in one write and returns their replies. Everything is written before
    /// anything is read, so a batch has to fit the sockets' buffers.
    pub fn pipeline<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> Vec<Value> {
        let mut request = Vec::new();
        for args in commands {
            encode(&mut request, args);
        }
        self.send_raw(&request);
        commands.iter().map(|_| self.receive()).collect()
    }

    /// Sends a command; its reply is left to `receive`, so commands can be pipelined.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        let mut request = Vec::new();
        encode(&mut request, args);
        self.send_raw(&request);
    }

    /// Sends bytes that need not be a command.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.socket
            .write_all(bytes)
            .unwrap_or_else(|e| panic!("send to server: {e}"));
    }

    /// The next reply or push.
    pub fn receive(&mut self) -> Value {
        self.try_receive()
            .unwrap_or_else(|| panic!("the server closed the connection"))
    }

    /// The next reply or push, if one is there or comes within some milliseconds.
    pub fn poll_receive(&mut self) -> Option<Value> {
        let mut chunk = [0; 16 * 1024];
        let patience = Some(std::time::Duration::from_millis(5));
        self.socket
            .set_read_timeout(patience)
            .unwrap_or_else(|e| panic!("set the patience: {e}"));
        if let Ok(count) = self.socket.read(&mut chunk) {
            self.decoder.feed(&chunk[..count]);
        }
        self.socket
            .set_read_timeout(Some(DEADLINE))
            .unwrap_or_else(|e| panic!("set the patience: {e}"));
        self.decoder
            .decode()
            .unwrap_or_else(|e| panic!("read reply: {e}"))
    }

    /// The next reply or push, or nothing if the server closed the connection.
    pub fn try_receive(&mut self) -> Option<Value> {
        let mut chunk = [0; 16 * 1024];
        loop {
            let decoded = self.decoder.decode();
            if let Some(value) = decoded.unwrap_or_else(|e| panic!("read reply: {e}")) {
                return Some(value);
            }
            match self.socket.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => self.decoder.feed(&chunk[..count]),
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => panic!("no reply within {DEADLINE:?}: {e}"),
            }
        }
    }
}

fn encode<A: AsRef<[u8]>>(request: &mut Vec<u8>, args: &[A]) {
    request.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        let arg = arg.as_ref();
        request.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        request.extend_from_slice(arg);
        request.extend_from_slice(b"\r\n");
    }
}
