//! Mutation fuzzer for both ends of replication, on the stable toolchain.
//!
//! `cargo run --release -p replication --example fuzz_replication -- --seconds 600 --seed 1`. A
//! machine is given bytes that a primary might send, mutated, in pieces of any size; commands that
//! replicas might send, mutated; snapshots, loads, roles and time in any order a driver may choose.
//! Nothing may panic, what is kept in memory stays bounded, offsets never go backwards without a
//! snapshot, and bytes of a stream come through exactly as they were given. A failure prints the
//! seed of its round; one seed always gives the same inputs.

#![allow(
    clippy::disallowed_methods,
    reason = "a fuzzer runs for a real span of time; its inputs depend on the seed alone"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use replication::{
    Action, Attempt, Cause, Config, LinkId, LoadFailure, OutputLimit, Random, Received, ReplOffset,
    Replication, SnapshotId, SnapshotKind, parse_failover,
};

const FROM_PRIMARY: &[&[u8]] = &[
    b"+PONG\r\n",
    b"-NOAUTH Authentication required.\r\n",
    b"+OK\r\n",
    b"-ERR unknown\r\n",
    b"\n",
    b"+FULLRESYNC aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 100\r\n",
    b"+FULLRESYNC aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -1\r\n",
    b"+FULLRESYNC aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 4611686018427387904\r\n",
    b"+CONTINUE\r\n",
    b"+CONTINUE bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n",
    b"-NOMASTERLINK later\r\n",
    b"-LOADING later\r\n",
    b"$EOF:cccccccccccccccccccccccccccccccccccccccc\r\n",
    b"cccccccccccccccccccccccccccccccccccccccc",
    b"ccccccccccccccccccccc",
    b"$10\r\n",
    b"$0\r\n",
    b"$-1\r\n",
    b"$9223372036854775807\r\n",
    b"0123456789",
    b"*1\r\n$4\r\nPING\r\n",
];

/// What gets a machine online, so that not every round dies in the handshake.
const GREETING: &[&[u8]] = &[
    b"+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 100\r\n",
    b"+PONG\r\n+OK\r\n+OK\r\n+CONTINUE bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n",
    b"$EOF:cccccccccccccccccccccccccccccccccccccccc\r\nabccccccccccccccccccccccccccccccccccccccccc",
];

const COMMANDS: &[&str] = &[
    "REPLCONF listening-port 7001 capa eof capa psync2",
    "REPLCONF listening-port -99999999999",
    "REPLCONF ip-address 1.2.3.4",
    "REPLCONF capa redan-run-id=me",
    "REPLCONF rdb-only 1",
    "REPLCONF rdb-filter-only functions",
    "REPLCONF ack 0",
    "REPLCONF ack 9223372036854775807",
    "REPLCONF ack 120 fack 110",
    "REPLCONF ack -1",
    "REPLCONF getack *",
    "SYNC",
    "PSYNC ? -1",
    "PSYNC aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 101",
    "PSYNC aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 9223372036854775807",
    "PSYNC bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb 101 FAILOVER",
    "PSYNC bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb -9223372036854775808",
];

/// The round that runs, for the message of a failure: release builds abort before anything is dropped.
static ROUND: AtomicU64 = AtomicU64::new(0);

fn main() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        eprintln!("failed: --seed {}", ROUND.load(Ordering::Relaxed));
        hook(panic);
    }));
    let (mut seconds, mut seed) = (10, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse().ok());
        match (name.as_str(), number) {
            ("--seconds", Some(number)) => seconds = number,
            ("--seed", Some(number)) => seed = number,
            _ => {
                eprintln!("usage: fuzz_replication [--seconds N] [--seed N]");
                std::process::exit(2);
            }
        }
    }
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let (mut rounds, mut online) = (0u64, 0u64);
    while Instant::now() < deadline {
        for _ in 0..100 {
            let round = seed.wrapping_add(rounds);
            ROUND.store(round, Ordering::Relaxed);
            online += u64::from(Round::new(round).run());
            rounds += 1;
        }
    }
    println!("{rounds} rounds from seed {seed}, {online} of them came online: no failure");
}

struct Round {
    random: Random,
    machine: Replication,
    now_ms: u64,
    attempt: Attempt,
    unread: Vec<u8>,
    /// What the session of the primary was given and has not run.
    unapplied: Vec<u8>,
    snapshot: Option<(SnapshotId, SnapshotKind, usize)>,
    is_loaded: bool,
    came_online: bool,
}

impl Round {
    fn new(seed: u64) -> Round {
        let mut random = Random::new(seed);
        let config = Config {
            backlog_size_bytes: 1 + random.below(500),
            backlog_budget_bytes: random.below(2000),
            backlog_ttl_ms: random.below(3000),
            timeout_ms: 1000,
            ping_period_ms: 100,
            is_diskless: random.below(2) == 0,
            diskless_delay_ms: random.below(1000),
            output_limit: OutputLimit {
                hard_bytes: random.below(2) * 2000,
                soft_bytes: random.below(2) * 100,
                soft_ms: 100,
            },
            held_stream_max_bytes: 64,
            snapshot_ahead_max_bytes: 50,
            run_id: "me".to_owned(),
            ..Config::default()
        };
        Round {
            machine: Replication::new(config, random.draw()),
            random,
            now_ms: 1,
            attempt: Attempt(0),
            unread: Vec::new(),
            unapplied: Vec::new(),
            snapshot: None,
            is_loaded: false,
            came_online: false,
        }
    }

    /// Whether a stream flowed.
    fn run(&mut self) -> bool {
        for _ in 0..150 {
            let before = (self.machine.id(), self.machine.offset());
            self.is_loaded = false;
            self.step();
            self.actions();
            let after = (self.machine.id(), self.machine.offset());
            let went_back = before.0 == after.0 && after.1 < before.1;
            assert!(!went_back || self.is_loaded, "{before:?} {after:?}");
            assert!(self.machine.info(self.now_ms).ends_with("\r\n"));
        }
        self.came_online
    }

    fn step(&mut self) {
        let link = LinkId(self.random.below(4));
        let now_ms = self.now_ms;
        match self.random.below(22) {
            0..=4 => self.feed(),
            5..=8 => self.command(link),
            9 => self.machine.connected(now_ms, self.attempt),
            10 if self.random.below(3) == 0 => {
                self.machine.connection_lost(now_ms, self.attempt, "gone");
            }
            11 => {
                let causes = [Cause::Command, Cause::Config, Cause::Automatic];
                let cause = causes[self.random.below(3) as usize];
                if !self.machine.is_failing_over() {
                    self.machine.replicate(now_ms, "h", 1, cause);
                }
            }
            12 if self.random.below(3) == 0 => self.machine.promote(now_ms),
            13 => {
                let bytes = vec![b'x'; self.random.below(700) as usize];
                self.machine.append(&bytes);
                self.machine.end_of_turn(now_ms);
            }
            14 => self.step_snapshot(),
            15 => self.load(),
            16 => {
                let max = self.random.below(300) as usize;
                let len = self.machine.output(link).len().min(max);
                self.machine.written(now_ms, link, len);
            }
            17 if self.random.below(4) == 0 => self.machine.link_closed(now_ms, link),
            18 => {
                let commands = [
                    "",
                    "abort",
                    "timeout 300",
                    "to 10.0.0.1 7001 timeout 9 force",
                ];
                let text = commands[self.random.below(4) as usize];
                let args: Vec<&[u8]> = text.split_whitespace().map(str::as_bytes).collect();
                let command = parse_failover(&args).expect("well-formed");
                let _ = self.machine.failover(now_ms, command);
            }
            19 => {
                self.machine.request_acks();
                self.machine.ack_requested();
                self.machine.end_of_turn(now_ms);
            }
            20 => {
                let _ = self
                    .machine
                    .count_acked(ReplOffset::new(self.random.below(200)));
                let _ = self.machine.throttle();
                let _ = self.machine.has_enough_replicas(now_ms);
                let _ = self.machine.role();
                let _ = self.machine.persistent();
            }
            _ => {
                self.now_ms += self.random.below(700);
                self.machine.handle_timeout(self.now_ms);
                self.machine.end_of_turn(self.now_ms);
            }
        }
    }

    fn mutated(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if !bytes.is_empty() && self.random.below(6) == 0 {
            let at = self.random.below(bytes.len() as u64) as usize;
            match self.random.below(3) {
                0 => bytes[at] = self.random.draw() as u8,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, self.random.draw() as u8),
            }
        }
        bytes
    }

    fn feed(&mut self) {
        let count = 1 + self.random.below(4);
        for _ in 0..count {
            let corpus = [FROM_PRIMARY, GREETING][self.random.below(2) as usize];
            let piece = corpus[self.random.below(corpus.len() as u64) as usize].to_vec();
            let piece = self.mutated(piece);
            self.unread.extend(piece);
        }
        let mut fed = 0;
        while fed < self.unread.len() {
            fed = (fed + 1 + self.random.below(40) as usize).min(self.unread.len());
            let taken = self.read(fed);
            fed -= taken;
        }
        assert!(self.unread.len() < 4096 + 1024, "unread bytes pile up");
        self.unread.truncate(2048);
    }

    /// Offers the first `len` unread bytes; says how many were taken.
    fn read(&mut self, len: usize) -> usize {
        let offered = self.unread[..len].to_vec();
        let mut input = &offered[..];
        while let Some(received) = self.machine.read(self.now_ms, self.attempt, &mut input) {
            match received {
                Received::Stream(bytes) => {
                    self.came_online = true;
                    self.unapplied.extend_from_slice(&bytes);
                }
                Received::Snapshot(bytes) => assert!(!bytes.is_empty()),
                Received::SnapshotBegin { .. } | Received::SnapshotEnd => {}
            }
            self.actions();
            let run = self.random.below(self.unapplied.len() as u64 + 1) as usize;
            let rest = self.unapplied.split_off(run);
            self.machine.applied(self.now_ms, &self.unapplied);
            self.unapplied = rest;
        }
        let taken = offered.len() - input.len();
        self.unread.drain(..taken);
        self.actions();
        taken
    }

    fn command(&mut self, link: LinkId) {
        let text = COMMANDS[self.random.below(COMMANDS.len() as u64) as usize];
        let own = self.machine.id().to_string();
        let text = match self.random.below(3) {
            0 => text.replace(&"a".repeat(40), &own),
            1 => text.replace("101", &self.machine.offset().wanted().to_string()),
            _ => text.replace("120", &self.machine.offset().to_string()),
        };
        let bytes = self.mutated(text.into_bytes());
        let args: Vec<&[u8]> = bytes.split(|&byte| byte == b' ').collect();
        let ip = "10.0.0.1";
        if args[0] == b"REPLCONF" {
            let _ = self.machine.replconf(self.now_ms, link, ip, &args[1..]);
        } else {
            let _ = self.machine.sync(self.now_ms, link, ip, "c", &args, false);
        }
        self.machine.heard(self.now_ms, link);
    }

    fn step_snapshot(&mut self) {
        let Some((id, kind, step)) = self.snapshot else {
            return;
        };
        self.snapshot = Some((id, kind, step + 1));
        match (step, kind) {
            (0, SnapshotKind::Whole) => self.machine.snapshot_ready(self.now_ms, id, 20),
            (0..5, _) => {
                let room = self.machine.snapshot_room(id).min(10) as usize;
                self.machine.snapshot_data(id, vec![b's'; room]);
            }
            (5, _) if self.random.below(4) == 0 => self.machine.snapshot_failed(id, "no"),
            _ => {
                self.snapshot = None;
                self.machine.snapshot_finished(self.now_ms, id);
            }
        }
    }

    fn load(&mut self) {
        self.is_loaded = true;
        let _ = self
            .machine
            .judge_snapshot(self.random.below(2), self.random.below(2));
        match self.random.below(4) {
            0 => self
                .machine
                .load_failed(self.now_ms, &LoadFailure::RefusedEmpty),
            _ => self.machine.load_done(self.now_ms),
        }
        self.actions();
        self.read(0);
    }

    fn actions(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Connect { attempt, .. } => {
                    self.attempt = attempt;
                    self.unread.clear();
                    if self.random.below(4) > 0 {
                        self.machine.connected(self.now_ms, attempt);
                    }
                }
                Action::DropUnapplied => self.unapplied.clear(),
                Action::StartSnapshot { id, kind, .. } => {
                    self.machine.snapshot_started(self.now_ms, id);
                    self.snapshot = Some((id, kind, 0));
                }
                Action::AbortSnapshot { .. } => self.snapshot = None,
                Action::KeepTail { from, to } => {
                    let pieces = self.machine.history(from).expect("still here");
                    let bytes: usize = pieces.map(<[u8]>::len).sum();
                    assert_eq!(bytes as u64, to.bytes_since(from));
                }
                Action::Log { text, .. } => assert!(!text.contains('\n'), "{text:?}"),
                _ => {}
            }
        }
    }
}
