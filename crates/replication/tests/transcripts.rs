//! The machine from outside, as transcripts: `testdata/transcripts/*.txt`.
//!
//! A line that begins with a word is an input; the lines below it, indented, are everything that
//! came of it: `>` sent to the primary, `=` received, `!` logged, `#` any other action. Ids and marks
//! are random; they are named A, B, … in the order they appear. To write a transcript, put down its
//! inputs and run the test: it prints what is missing.
//!
//! Inputs: `config`, `replicaof`, `connected`, `lost`, `<` (bytes from the primary), `long` (so many), `applied`,
//! `loaded`, `unloadable`, `judge`, `from LINK` (a command), `append`, `out LINK`, `closed`, `snapshot
//! …`, `at MS` (time passes), `turn`, `promote`, `failover`, `restore`, `info`, `role`, `acked`, `acks`,
//! `throttle`, `good`.

use std::collections::BTreeMap;
use std::fmt::Write;

use replication::{
    Action, Attempt, Cause, Config, LinkId, LoadFailure, Received, ReplOffset, ReplconfReply,
    Replication, ReplicationId, SnapshotId, parse_failover,
};

struct Player {
    machine: Replication,
    now_ms: u64,
    attempt: Attempt,
    unread: Vec<u8>,
    unapplied: Vec<u8>,
    names: BTreeMap<String, String>,
    out: String,
}

#[test]
fn handshake() {
    check(include_str!("../testdata/transcripts/handshake.txt"));
}

#[test]
fn misbehaviour() {
    check(include_str!("../testdata/transcripts/misbehaviour.txt"));
}

#[test]
fn primary() {
    check(include_str!("../testdata/transcripts/primary.txt"));
}

#[test]
fn roles() {
    check(include_str!("../testdata/transcripts/roles.txt"));
}

fn check(text: &str) {
    let mut player = Player::new();
    for line in text.lines() {
        if line.starts_with("    ") {
            continue;
        }
        writeln!(player.out, "{line}").expect("memory");
        if line.starts_with("==") {
            let out = std::mem::take(&mut player.out);
            player = Player::new();
            player.out = out;
        } else if !line.starts_with('#') && !line.is_empty() {
            player.input(line);
        }
    }
    assert!(player.out == text, "the transcript is:\n{}", player.out);
}

impl Player {
    fn new() -> Player {
        Player {
            machine: Replication::new(config(""), 1),
            now_ms: 10_000,
            attempt: Attempt(0),
            unread: Vec::new(),
            unapplied: Vec::new(),
            names: BTreeMap::new(),
            out: String::new(),
        }
    }

    fn input(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = self.with_ids(rest);
        let now_ms = self.now_ms;
        match word {
            "replicaof" => {
                let cause = match rest.as_str() {
                    "command" => Cause::Command,
                    "automatic" => Cause::Automatic,
                    _ => Cause::Config,
                };
                self.machine.replicate(now_ms, "10.0.0.9", 6379, cause);
            }
            "connected" => self.machine.connected(now_ms, self.attempt),
            "lost" => self
                .machine
                .connection_lost(now_ms, self.attempt, "Connection reset"),
            "<" => {
                self.unread.extend(unescape(&rest));
                self.read();
            }
            "long" => {
                self.unread.extend(vec![b'x'; number(&rest)]);
                self.read();
            }
            "applied" => {
                let bytes = std::mem::take(&mut self.unapplied);
                self.machine.applied(now_ms, &bytes);
            }
            "loaded" => {
                self.machine.load_done(now_ms);
                self.actions();
                self.read();
            }
            "unloadable" => {
                let failure = match rest.as_str() {
                    "empty" => LoadFailure::RefusedEmpty,
                    _ => LoadFailure::Corrupt(rest),
                };
                self.machine.load_failed(now_ms, &failure);
            }
            "judge" => {
                let counts: Vec<u64> = rest.split(' ').map(number).collect();
                let verdict = self.machine.judge_snapshot(counts[0], counts[1]);
                self.say(&format!("{verdict:?}"));
            }
            "at" => {
                self.now_ms = 10_000 + number::<u64>(&rest);
                while self
                    .machine
                    .poll_timeout()
                    .is_some_and(|at_ms| at_ms <= self.now_ms)
                {
                    self.machine.handle_timeout(self.now_ms);
                }
            }
            "restore" => {
                let (id, offset) = rest.split_once(' ').expect("id offset");
                let id = ReplicationId::parse(id.as_bytes()).expect("an id");
                let offset = ReplOffset::new(number(offset));
                self.machine.restore_as_primary(now_ms, id, offset);
            }
            "info" => {
                let info = self.machine.info(now_ms);
                info.lines().for_each(|line| self.say(line));
            }
            _ => self.serving_input(word, &rest),
        }
        self.actions();
    }

    /// Inputs that concern our replicas, and what we are asked about them.
    fn serving_input(&mut self, word: &str, rest: &str) {
        let now_ms = self.now_ms;
        match word {
            "config" => self.machine.set_config(now_ms, config(rest)),
            "from" => {
                let (link, command) = rest.split_once(' ').expect("link command");
                let link = LinkId(number(link));
                self.command(link, command);
            }
            "append" => self.machine.append(&vec![b'x'; number(rest)]),
            "turn" => self.machine.end_of_turn(now_ms),
            "out" => self.output(LinkId(number(rest))),
            "closed" => self.machine.link_closed(now_ms, LinkId(number(rest))),
            "role" => self.say(&format!("{:?}", self.machine.role())),
            "promote" => self.machine.promote(now_ms),
            "throttle" => self.say(&format!("{:?}", self.machine.throttle())),
            "good" => {
                let (machine, now_ms) = (&self.machine, self.now_ms);
                let count = machine.good_replicas(now_ms);
                let may_write = machine.has_enough_replicas(now_ms);
                self.say(&format!(
                    "{count} good replicas, writes allowed: {may_write}"
                ));
            }
            "acks" => self.machine.request_acks(),
            "acked" => {
                let count = self.machine.count_acked(ReplOffset::new(number(rest)));
                self.say(&format!("{count} replicas"));
            }
            "failover" => {
                let args: Vec<&[u8]> = rest.split_whitespace().map(str::as_bytes).collect();
                let result = parse_failover(&args)
                    .and_then(|command| self.machine.failover(now_ms, command));
                if let Err(text) = result {
                    self.say(&format!("-{text}"));
                }
            }
            "snapshot" => self.snapshot(rest),
            other => panic!("no such input: {other}"),
        }
    }

    fn snapshot(&mut self, what: &str) {
        let id = SnapshotId(1);
        let (word, rest) = what.split_once(' ').unwrap_or((what, ""));
        match word {
            "started" => self.machine.snapshot_started(self.now_ms, id),
            "ready" => self.machine.snapshot_ready(self.now_ms, id, number(rest)),
            "data" => self.machine.snapshot_data(id, unescape(rest)),
            "finished" => self.machine.snapshot_finished(self.now_ms, id),
            "failed" => self.machine.snapshot_failed(id, rest),
            "room" => self.say(&self.machine.snapshot_room(id).to_string()),
            other => panic!("{other}"),
        }
    }

    fn command(&mut self, link: LinkId, command: &str) {
        let args: Vec<&[u8]> = command.split_whitespace().map(str::as_bytes).collect();
        let ip = format!("10.0.0.{}", link.0);
        let reply = if args[0] == b"REPLCONF" {
            match self.machine.replconf(self.now_ms, link, &ip, &args[1..]) {
                Ok(ReplconfReply::Ok) => "+OK".to_owned(),
                Ok(ReplconfReply::Silence) => return,
                Err(text) => format!("-{text}"),
            }
        } else {
            let result = self
                .machine
                .sync(self.now_ms, link, &ip, "client", &args, false);
            match result {
                Ok(()) => return,
                Err(text) => format!("-{text}"),
            }
        };
        self.say(&reply);
    }

    fn output(&mut self, link: LinkId) {
        let mut written = Vec::new();
        while !self.machine.output(link).is_empty() {
            let output = self.machine.output(link).to_vec();
            self.machine.written(self.now_ms, link, output.len());
            written.extend(output);
        }
        let shown = if written.len() > 400 {
            &[]
        } else {
            &written[..]
        };
        let text = shown.escape_ascii().to_string();
        self.say(&format!("{} bytes {text}", written.len()));
    }

    fn read(&mut self) {
        loop {
            let unread = std::mem::take(&mut self.unread);
            let mut input = &unread[..];
            let received = self.machine.read(self.now_ms, self.attempt, &mut input);
            self.unread = input.to_vec();
            let text = match &received {
                None => String::new(),
                Some(Received::Snapshot(bytes)) => format!("Snapshot {}", bytes.escape_ascii()),
                Some(Received::Stream(bytes)) => {
                    self.unapplied.extend_from_slice(bytes);
                    format!("Stream {}", bytes.escape_ascii())
                }
                Some(other) => format!("{other:?}"),
            };
            let is_over = received.is_none();
            self.actions();
            if is_over {
                break;
            }
            self.say(&format!("= {text}"));
        }
    }

    fn actions(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Log { text, .. } => self.say(&format!("! {text}")),
                Action::SendToPrimary { bytes, .. } => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let text = text.trim_end_matches("\r\n");
                    let commands = text.replace("\r\n*", " / *").replace("\r\n", " ");
                    self.say(&format!("> {}", commands.escape_default()));
                }
                Action::Connect {
                    attempt,
                    host,
                    port,
                } => {
                    self.attempt = attempt;
                    self.unread.clear();
                    self.say(&format!("# Connect {} {host}:{port}", attempt.0));
                }
                Action::DropUnapplied => {
                    self.unapplied.clear();
                    self.say("# DropUnapplied");
                }
                other => self.say(&format!("# {other:?}")),
            }
        }
    }

    /// An outcome, with ids by their names.
    fn say(&mut self, text: &str) {
        let mut named = String::new();
        let mut digits = String::new();
        for c in text.chars().chain(['\n']) {
            if c.is_ascii_hexdigit() && !c.is_ascii_uppercase() {
                digits.push(c);
                continue;
            }
            let word = std::mem::take(&mut digits);
            if word.len() >= 40 && word != ReplicationId::NONE.as_str() {
                let (before, id) = word.split_at(word.len() - 40);
                let next = char::from(b'A' + self.names.len() as u8).to_string();
                let name = self.names.entry(id.to_owned()).or_insert(next);
                write!(named, "{before}<{name}>").expect("memory");
            } else {
                named.push_str(&word);
            }
            if c != '\n' {
                named.push(c);
            }
        }
        writeln!(self.out, "    {named}").expect("memory");
    }

    /// An input, with names replaced by their ids.
    fn with_ids(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (id, name) in &self.names {
            text = text.replace(&format!("<{name}>"), id);
        }
        for letter in ["a", "b"] {
            text = text.replace(&format!("<{letter}>"), &letter.repeat(40));
        }
        text
    }
}

fn config(words: &str) -> Config {
    let mut config = Config {
        announced_port: 6380,
        run_id: "me".to_owned(),
        diskless_delay_ms: 0,
        timeout_ms: 5_000,
        backlog_size_bytes: 2_000,
        backlog_budget_bytes: 4_000,
        backlog_ttl_ms: 20_000,
        ..Config::default()
    };
    for word in words.split_whitespace() {
        let (name, value) = word.split_once('=').expect("name=value");
        match name {
            "auth" => config.primary_auth = Some(value.into()),
            "user" => config.primary_user = Some(value.into()),
            "ip" => config.announced_ip = Some(value.into()),
            "version" => config.announced_version = Some(value.into()),
            "delay" => config.diskless_delay_ms = number(value),
            "diskless" => config.is_diskless = value == "yes",
            "hard" => config.output_limit.hard_bytes = number(value),
            "held" => config.held_stream_max_bytes = number(value),
            "good" => {
                config.good_replicas_min = number(value);
                config.good_lag_max_ms = 2_000;
            }
            other => panic!("{other}"),
        }
    }
    config
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().unwrap_or_else(|| panic!("{text}"))
}

fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").into_bytes()
}
