//! A failover by real Sentinels, runbook R3 from end to end: three of Debian's redis-sentinel watch
//! our primary and its two replicas while redis-py's Sentinel client writes. The primary is killed
//! with -9; a replica is promoted, writes go on, and the old primary comes back as a replica.

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use support::replication::{Node, PASSWORD, Who, wait_until_equal};
use support::sentinels::{self, Sentinel};
use testkit::{peer, poll_until};

const NAME: &str = "passport-master";
/// Sentinels look ten seconds at an old primary before they turn it into a replica.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn sentinels_promote_a_replica_and_bring_the_old_primary_back() {
    let Some(mut nodes) = start_nodes() else {
        return;
    };
    let primary_port = nodes[0].port();
    let Some(sentinels) = sentinels::start(3, NAME, primary_port, 2, PASSWORD) else {
        return;
    };
    let expected = format!(
        "master0:name={NAME},status=ok,address=127.0.0.1:{primary_port},slaves=2,sentinels=3"
    );
    for sentinel in &sentinels {
        poll_until(PATIENCE, &expected, || sentinel.master_line() == expected);
    }
    let Some(mut writer) = Writer::start(&sentinels) else {
        return;
    };
    writer.wait_for_writes(200);
    nodes[0].server.kill();
    let killed_at = Instant::now();
    let written = writer.last_ok;
    writer.wait_for_writes(written + 200);
    eprintln!("writes go on after {:?}", killed_at.elapsed());
    let new_primary = check_promotion(&sentinels, &mut nodes);

    nodes[0].server.restart();
    nodes[0].reconnect();
    nodes[0].wait_for_info("role", "slave");
    for index in (0..3).filter(|index| *index != new_primary) {
        nodes[index].wait_for_link();
        let port = nodes[new_primary].port().to_string();
        nodes[index].wait_for_info("master_port", &port);
    }
    let written = writer.last_ok;
    writer.wait_for_writes(written + 50);
    let (safe, count) = writer.end();
    wait_until_equal(&mut nodes.iter_mut().collect::<Vec<&mut Node>>());
    check_writes(&mut nodes[new_primary], &safe, count);
}

/// A primary and two replicas. The primary's address is all that Sentinels are told.
fn start_nodes() -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(Who::Ours, &[])?);
    }
    let command = format!("REPLICAOF 127.0.0.1 {}", nodes[0].port());
    for node in &mut nodes[1..] {
        assert_eq!(node.line(&command), "OK");
        node.wait_for_link();
    }
    Some(nodes)
}

/// All sentinels agree on one of the replicas, and it is the primary. Which one.
fn check_promotion(sentinels: &[Sentinel], nodes: &mut [Node]) -> usize {
    let ask = ["SENTINEL", "get-master-addr-by-name", NAME];
    let address = |port: u16| format!("[\"127.0.0.1\", \"{port}\"]");
    let candidates = [1, 2].map(|index| address(nodes[index].port()));
    poll_until(PATIENCE, "all sentinels name the same replica", || {
        let named = sentinels.iter().map(|sentinel| sentinel.say(&ask));
        let named: Vec<String> = named.collect();
        candidates.contains(&named[0]) && named.iter().all(|name| *name == named[0])
    });
    let named = sentinels[0].say(&ask);
    let new_primary = 1 + usize::from(named == candidates[1]);
    nodes[new_primary].wait_for_info("role", "master");
    let logs: Vec<String> = sentinels.iter().map(Sentinel::log).collect();
    for event in [
        "+sdown master",
        "+odown master",
        "+promoted-slave",
        "+switch-master",
    ] {
        let seen = logs.iter().any(|log| log.contains(event));
        assert!(seen, "{event} in one of {logs:?}");
    }
    new_primary
}

/// What both replicas had acknowledged is there, and everything that was written later.
fn check_writes(primary: &mut Node, safe: &[u64], count: u64) {
    assert!(!safe.is_empty());
    for number in safe {
        let value = primary.line(&format!("GET key:{number}"));
        assert_eq!(value, format!("\"{number}\""));
    }
    let last = count - 1;
    assert_eq!(
        primary.line(&format!("GET key:{last}")),
        format!("\"{last}\"")
    );
    let keys: u64 = primary.line("DBSIZE").parse().expect("a number");
    eprintln!("{count} writes, {} safe ones, {keys} keys", safe.len());
}

/// The Python client, whose lines a thread collects.
struct Writer {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    last_ok: u64,
    safe: Vec<u64>,
    errors: Vec<String>,
}

impl Writer {
    fn start(sentinels: &[Sentinel]) -> Option<Writer> {
        let python = peer::python_with_redis()?;
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/sentinel_writer.py");
        let ports = sentinels.iter().map(|sentinel| sentinel.port().to_string());
        let mut child = Command::new(python)
            .arg(script)
            .args([NAME, PASSWORD])
            .args(ports)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Some(Writer {
            stdin: child.stdin.take(),
            child,
            lines,
            last_ok: 0,
            safe: Vec::new(),
            errors: Vec::new(),
        })
    }

    fn wait_for_writes(&mut self, number: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.last_ok < number {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.take(&line),
                Err(e) => panic!("no write {number} ({e}); errors: {:?}", self.errors),
            }
        }
    }

    fn take(&mut self, line: &str) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = || rest.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        match kind {
            "ok" => self.last_ok = number(),
            "safe" => self.safe.push(number()),
            "error" => self.errors.push(rest.to_string()),
            _ => {}
        }
    }

    /// Which writes all replicas had, and how many there were.
    fn end(mut self) -> (Vec<u64>, u64) {
        drop(self.stdin.take());
        let mut count = 0;
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.take(&line);
            if let Some(number) = line.strip_prefix("end ") {
                count = number.parse().expect("a number");
            }
        }
        (std::mem::take(&mut self.safe), count)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
