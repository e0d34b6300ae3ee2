//! Replies as raw bytes, cut from a connection one by one, and as trees for comparing out of order.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A pipeline is answered in milliseconds; a command that waits for something is a mistake.
const REPLY_TIME_MAX: Duration = Duration::from_secs(5);

pub struct Frames {
    socket: TcpStream,
    received: Vec<u8>,
    at: usize,
}

impl Frames {
    pub fn open(socket: TcpStream) -> Frames {
        socket
            .set_read_timeout(Some(REPLY_TIME_MAX))
            .expect("the time is not zero");
        Frames {
            socket,
            received: Vec::new(),
            at: 0,
        }
    }

    /// A server that is gone is noticed by the missing reply.
    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).ok();
    }

    /// The bytes of the next reply, or why there is none.
    pub fn receive(&mut self) -> Result<Vec<u8>, &'static str> {
        loop {
            if let Some(end) = end_of(&self.received, self.at) {
                let reply = self.received[self.at..end].to_vec();
                self.at = end;
                return Ok(reply);
            }
            self.received.drain(..self.at);
            self.at = 0;
            let mut chunk = [0; 64 * 1024];
            match self.socket.read(&mut chunk) {
                Ok(0) => return Err("connection closed"),
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err("no reply in time");
                }
                Err(_) => return Err("connection closed"),
            }
        }
    }
}

/// Where the line that begins at `at` ends, its line break included.
fn line_end(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..)?.windows(2).position(|w| w == b"\r\n")?;
    Some(at + found + 2)
}

fn count_in(line: &[u8]) -> i64 {
    std::str::from_utf8(&line[1..line.len() - 2])
        .ok()
        .and_then(|t| t.parse().ok())
        .expect("a count in a header")
}

/// Where the reply that begins at `at` ends, if it is complete.
fn end_of(bytes: &[u8], at: usize) -> Option<usize> {
    let body = line_end(bytes, at)?;
    match bytes[at] {
        b'$' | b'=' | b'!' => {
            let len = count_in(&bytes[at..body]);
            let end = if len < 0 {
                body
            } else {
                body + len as usize + 2
            };
            (end <= bytes.len()).then_some(end)
        }
        kind @ (b'*' | b'~' | b'>' | b'%') => {
            let count = count_in(&bytes[at..body]).max(0) * if kind == b'%' { 2 } else { 1 };
            (0..count).try_fold(body, |at, _| end_of(bytes, at))
        }
        _ => Some(body),
    }
}

/// A reply as a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// With its header, as received.
    Leaf(Vec<u8>),
    /// The kind, and what it holds (of a map, keys and values in turn).
    Aggregate(u8, Vec<Node>),
}

impl Node {
    pub fn of(reply: &[u8]) -> Node {
        let body = line_end(reply, 0).expect("a whole reply");
        let kind = reply[0];
        if !matches!(kind, b'*' | b'~' | b'>' | b'%') || count_in(&reply[..body]) < 0 {
            return Node::Leaf(reply.to_vec());
        }
        let mut children = Vec::new();
        let mut at = body;
        while at < reply.len() {
            let end = end_of(reply, at).expect("a whole reply");
            children.push(Node::of(&reply[at..end]));
            at = end;
        }
        Node::Aggregate(kind, children)
    }

    pub fn integer(&self) -> Option<i64> {
        match self {
            Node::Leaf(text) if text[0] == b':' => std::str::from_utf8(&text[1..text.len() - 2])
                .ok()?
                .parse()
                .ok(),
            _ => None,
        }
    }

    /// The number that a bulk string or a double stands for.
    pub fn number(&self) -> Option<f64> {
        let Node::Leaf(text) = self else { return None };
        let text = std::str::from_utf8(text).ok()?.trim_end_matches("\r\n");
        text.rsplit("\r\n")
            .next()?
            .trim_start_matches(',')
            .parse()
            .ok()
    }

    /// The same reply with elements in an order of their own, `group` at a time.
    pub fn sorted(&self, group: usize) -> Node {
        match self {
            Node::Aggregate(kind, children) if children.len() % group == 0 => {
                let mut groups: Vec<&[Node]> = children.chunks(group).collect();
                groups.sort();
                Node::Aggregate(*kind, groups.concat())
            }
            other => other.clone(),
        }
    }
}
