//! A small blocking client for the few commands around a measurement: PING, DEL, INFO.
//!
//! Not fast and not meant to be. An error reply is an error here, since every command sent this
//! way has to work for the measurement to mean anything.

use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A reply; strings of all kinds are one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Null,
    Integer(i64),
    Text(String),
    Array(Vec<Reply>),
}

pub struct Control {
    stream: BufReader<TcpStream>,
}

impl Control {
    pub fn connect(address: SocketAddr) -> Result<Control> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        // Deleting a list of millions takes a server its time; hanging for ever is a failure.
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Control {
            stream: BufReader::new(stream),
        })
    }

    /// Sends one command, given as words, and waits for its reply.
    pub fn command(&mut self, words: &[&str]) -> Result<Reply> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .context("write a command")?;
        self.read_reply(0)
            .with_context(|| format!("command {words:?}"))
    }

    /// The next thing that the server says unasked, for subscribers.
    pub fn receive(&mut self) -> Result<Reply> {
        self.read_reply(0)
    }

    /// One field of INFO, if the server reports it.
    pub fn info(&mut self, section: &str, field: &str) -> Result<Option<String>> {
        let Reply::Text(text) = self.command(&["INFO", section])? else {
            bail!("INFO is not a string");
        };
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(value.map(|value| value.trim().to_owned()))
    }

    fn read_reply(&mut self, depth: usize) -> Result<Reply> {
        ensure!(depth < 32, "reply nested too deep");
        let mut line = String::new();
        self.stream.read_line(&mut line).context("read a reply")?;
        ensure!(line.ends_with("\r\n"), "the server closed the connection");
        let (kind, text) = line.trim_end().split_at_checked(1).context("empty reply")?;
        match kind {
            "+" => Ok(Reply::Text(text.to_owned())),
            "-" => bail!("error reply: {text}"),
            ":" => Ok(Reply::Integer(text.parse().context("bad integer reply")?)),
            "$" => self.read_bulk(text.parse().context("bad bulk length")?),
            "*" => {
                let count: i64 = text.parse().context("bad array length")?;
                if count < 0 {
                    return Ok(Reply::Null);
                }
                let replies = (0..count).map(|_| self.read_reply(depth + 1));
                Ok(Reply::Array(replies.collect::<Result<_>>()?))
            }
            other => bail!("unknown reply type {other:?}"),
        }
    }

    fn read_bulk(&mut self, length: i64) -> Result<Reply> {
        if length < 0 {
            return Ok(Reply::Null);
        }
        ensure!(length <= 512 << 20, "bulk of {length} bytes");
        let mut bytes = vec![0; length as usize + 2];
        self.stream
            .read_exact(&mut bytes)
            .context("read a bulk reply")?;
        bytes.truncate(length as usize);
        Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
    }
}
