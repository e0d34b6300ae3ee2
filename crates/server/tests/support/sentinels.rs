//! Debian's redis-sentinel processes that watch one primary, as runbook R3 sets them up.

use super::{Directory, Process};
use std::process::{Command, Stdio};
use testkit::{Connection, DEADLINE, free_port, peer, poll_until, render};

pub struct Sentinel {
    port: u16,
    directory: Directory,
    _process: Process,
}

/// Starts so many, and waits until they know each other. None if there is no redis-sentinel.
pub fn start(
    count: usize,
    name: &str,
    primary: u16,
    quorum: usize,
    password: &str,
) -> Option<Vec<Sentinel>> {
    let program = peer::program("redis-sentinel")?;
    let sentinels: Vec<Sentinel> = (0..count)
        .map(|_| {
            let port = free_port();
            let directory = Directory::new();
            let config = format!(
                "port {port}\nbind 127.0.0.1\nprotected-mode no\ndir {}\n\
                 sentinel monitor {name} 127.0.0.1 {primary} {quorum}\n\
                 sentinel down-after-milliseconds {name} 2000\n\
                 sentinel failover-timeout {name} 15000\n\
                 sentinel parallel-syncs {name} 1\n\
                 sentinel auth-pass {name} {password}\n",
                directory.path().display()
            );
            let path = directory.write("sentinel.conf", &config);
            let mut command = Command::new(&program);
            command.arg(path).stdin(Stdio::null());
            let process = directory.start(&mut command);
            Sentinel {
                port,
                directory,
                _process: process,
            }
        })
        .collect();
    for sentinel in &sentinels {
        let others = format!("sentinels={count}");
        poll_until(DEADLINE, "the sentinels have met", || {
            sentinel.is_listening() && sentinel.master_line().ends_with(&others)
        });
    }
    Some(sentinels)
}

impl Sentinel {
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn say(&self, command: &[&str]) -> String {
        render(&Connection::open(self.port).command(command))
    }

    /// The last line of INFO sentinel: `master0:name=…,status=ok,address=…,slaves=2,sentinels=3`.
    pub fn master_line(&self) -> String {
        let text = self.say(&["INFO", "sentinel"]);
        let lines = text.trim_matches('"').split("\\r\\n");
        let line = lines.filter(|line| line.starts_with("master0:")).last();
        line.unwrap_or_default().to_string()
    }

    pub fn log(&self) -> String {
        self.directory.read("output.log")
    }

    fn is_listening(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }
}
