//! Several sessions at once, every command, bytes in random pieces, time that jumps.
//!
//! Strict sessions send nothing that pushes and are held to one reply per request; free ones also
//! subscribe, monitor and turn replies off; hostile ones send damaged requests. All output of all of
//! them must decode. After each turn the engine's books must balance. In every other case replies to
//! writes wait for a disk that is sometimes late.

use super::requests::{self, Manner, Requests};
use super::{Random, wire, words};
use crate::support::{Client, World};
use config::{ProtectedAction, SanitizeDumpPayload};
use engine::{Engine, GateMode, SessionFlags};
use keyspace::Value as Stored;
use keyspace::set::Set;
use keyspace::sorted_set::SortedSet;
use resp::{Decoder, Value};
use std::collections::BTreeSet;

const SESSIONS: usize = 8;
const TURNS: usize = 250;
/// More memory than this in one database, and it is emptied.
const KEYS_MAX: usize = 400;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Strict,
    Free,
    Hostile,
}

struct Peer {
    client: Client,
    kind: Kind,
    decoder: Decoder,
    /// Requests sent and not yet answered (of a strict session).
    waiting: usize,
}

struct Chaos {
    world: World,
    random: Random,
    requests: Requests,
    peers: Vec<Peer>,
    sent: u64,
    trace: bool,
}

pub fn run(seed: u64) -> u64 {
    let mut random = Random(seed);
    // Without it RESTORE takes a packed value's order and its members being different on trust.
    let sanitizes = random.one_in(2);
    let mut chaos = Chaos {
        world: World::with(|config| {
            config.sanitize_dump_payload = match sanitizes {
                true => SanitizeDumpPayload::Clients,
                false => SanitizeDumpPayload::No,
            };
            config.enable_debug_command = ProtectedAction::Yes;
            config.proto_max_bulk_len = 1 << 20;
        }),
        requests: Requests::new(),
        peers: Vec::new(),
        sent: 0,
        trace: std::env::var_os("FUZZ_TRACE").is_some(),
        random: Random(random.next()),
    };
    if chaos.random.one_in(2) {
        chaos.world.record();
        chaos.world.engine.gating = GateMode::Fsync;
    }
    for index in 0..SESSIONS {
        chaos.join(index);
    }
    for turn in 0..TURNS {
        chaos.turn();
        if turn % 16 == 0 {
            check_keyspace(&chaos.world.engine);
        }
        if turn % 64 == 63 {
            chaos.relieve();
        }
    }
    chaos.part();
    chaos.sent
}

impl Chaos {
    fn join(&mut self, index: usize) {
        let kind = match index {
            0..4 => Kind::Strict,
            4..7 => Kind::Free,
            _ => Kind::Hostile,
        };
        let peer = Peer {
            client: self.world.client(),
            kind,
            decoder: Decoder::new(),
            waiting: 0,
        };
        if index < self.peers.len() {
            self.peers[index] = peer;
        } else {
            self.peers.push(peer);
        }
    }

    fn turn(&mut self) {
        if self.random.one_in(3) {
            let step_ms = *self.random.pick(&[0, 1, 5, 20, 100, 1000, 7000]);
            self.world.host.now_us += step_ms * 1000 + self.random.below(1000) as i64;
        }
        if self.random.one_in(50) {
            self.world.host.used_memory = self.random.next() % 4_000_000;
        }
        self.world.engine.begin_turn(&mut self.world.host);
        for _ in 0..1 + self.random.below(4) {
            let index = self.random.below(self.peers.len());
            self.send(index);
        }
        self.world.engine.end_of_turn(&mut self.world.host);
        self.world.engine.turn_done(&mut self.world.host);
        self.fsync();
        self.collect();
        self.check_sessions();
    }

    /// The disk gets on, or not yet, or somewhere between.
    fn fsync(&mut self) {
        let engine = &mut self.world.engine;
        if self.random.one_in(2) {
            engine.effects.take(Vec::new());
        }
        let (done, taken) = (engine.fsynced(), engine.effects.taken());
        let offset = match self.random.below(3) {
            0 => done,
            1 => done + (taken - done) / 2,
            _ => taken,
        };
        engine.set_fsynced(offset);
    }

    /// One to five requests of one session, in random pieces.
    fn send(&mut self, index: usize) {
        let kind = self.peers[index].kind;
        let manner = match kind {
            Kind::Free => Manner::Free,
            _ => Manner::Strict,
        };
        let count = 1 + self.random.below(5);
        let mut bytes = Vec::new();
        for _ in 0..count {
            let now_ms = self.world.host.now_us / 1000;
            let mut request = self.requests.any(&mut self.random, manner, now_ms);
            if is_client_reply(&request.args) && (count > 1 || !self.is_at_rest(index)) {
                request.args = words("PING");
            }
            if self.trace {
                let text = request.args.join(&b' ');
                let shown = &text[..text.len().min(300)];
                eprintln!("{index} {kind:?} {}", shown.escape_ascii());
            }
            if self.random.one_in(10) && fits_inline(&request.args) {
                bytes.extend(request.args.join(&b' '));
                bytes.extend(b"\r\n");
            } else {
                bytes.extend(wire(&request.args));
            }
            self.sent += 1;
        }
        match kind {
            Kind::Strict => self.peers[index].waiting += count,
            Kind::Free => {}
            Kind::Hostile => damage(&mut self.random, &mut bytes),
        }
        self.feed(index, &bytes);
    }

    /// Runs what it is sent at once, and outside of a transaction. CLIENT REPLY within one makes
    /// EXEC's array shorter than announced, in Redis too.
    fn is_at_rest(&self, index: usize) -> bool {
        let session = self.world.engine.sessions.get(self.peers[index].client.0);
        session.is_some_and(|session| {
            !session.in_multi() && session.blocked.is_none() && session.input_len() == 0
        })
    }

    fn feed(&mut self, index: usize, bytes: &[u8]) {
        let id = self.peers[index].client.0;
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = if self.random.one_in(3) { 8 } else { rest.len() };
            let most = if rest.len() > 4096 { rest.len() } else { most };
            let len = 1 + self.random.below(most.min(rest.len()));
            let (piece, after) = rest.split_at(len);
            rest = after;
            let World { engine, host, .. } = &mut self.world;
            let is_direct = self.random.one_in(2)
                && engine
                    .direct_input(id)
                    .map(|input| input.extend_from_slice(piece))
                    .is_some();
            if is_direct {
                engine.fed_directly(id, len, host);
            } else {
                engine.feed(id, piece, host);
            }
        }
    }

    /// Takes everybody's output, replaces who was closed.
    fn collect(&mut self) {
        for index in 0..self.peers.len() {
            // A client that is slow to read.
            if self.peers[index].kind == Kind::Free && self.random.one_in(6) {
                continue;
            }
            if self.drain(index) {
                self.world.engine.disconnect(self.peers[index].client.0);
                self.join(index);
            }
        }
        let mut closing = Vec::new();
        self.world.engine.take_closing(&mut closing);
        for id in closing {
            self.world.engine.disconnect(id);
            if let Some(index) = self.peers.iter().position(|peer| peer.client.0 == id) {
                self.join(index);
            }
        }
        self.world.engine.take_dirty(&mut Vec::new());
        if self.random.one_in(60) {
            let index = self.random.below(self.peers.len());
            self.world.engine.disconnect(self.peers[index].client.0);
            self.join(index);
        }
    }

    /// True if the session is over.
    fn drain(&mut self, index: usize) -> bool {
        let Chaos {
            world,
            peers,
            random,
            ..
        } = self;
        let peer = &mut peers[index];
        let id = peer.client.0;
        let flags = world.engine.sessions.get(id).map(|session| session.flags);
        let mut is_over = flags.is_some_and(|flags| {
            flags.has(SessionFlags::CLOSE_AFTER_REPLY) && world.engine.sent(id, 0)
        });
        let mut received = Vec::new();
        while !world.engine.output(id).is_empty() {
            let part = world.engine.output(id);
            let part = part[..1 + random.below(part.len())].to_vec();
            peer.decoder.feed(&part);
            if self.trace {
                received.extend(&part);
            }
            is_over |= world.engine.sent(id, part.len());
        }
        if self.trace && !received.is_empty() {
            eprintln!("  {index} < {}", received.escape_ascii());
        }
        let mut replies = 0;
        while let Some(value) = peer.decoder.decode().expect("a reply that decodes") {
            if peer.kind == Kind::Strict {
                assert!(!matches!(value, Value::Push(_)), "pushed without reason");
            }
            replies += 1;
        }
        assert!(!peer.decoder.is_mid_reply(), "half a reply");
        if peer.kind == Kind::Strict {
            assert!(replies <= peer.waiting, "more replies than requests");
            peer.waiting -= replies;
            let session = world.engine.sessions.get(id).expect("a session");
            let may_wait = session.blocked.is_some()
                || !session.output.is_empty()
                || session.flags.has(SessionFlags::PAUSED)
                || session.flags.has(SessionFlags::CLOSE_AFTER_REPLY)
                || session.flags.has(SessionFlags::CLOSE_ASAP);
            if !may_wait {
                assert_eq!(peer.waiting, 0, "fewer replies than requests");
                assert_eq!(session.input_len(), 0, "requests left unread");
            }
        }
        is_over
    }

    fn check_sessions(&self) {
        let engine = &self.world.engine;
        assert_eq!(engine.sessions.len(), self.peers.len());
        let blocked = engine.sessions.iter().filter(|s| s.blocked.is_some());
        assert_eq!(engine.blocking.count(), blocked.count());
        let watching = engine.sessions.iter().any(|s| !s.watched.is_empty());
        assert_eq!(!engine.watches.is_empty(), watching);
        for id in &engine.monitors {
            assert!(
                engine
                    .sessions
                    .get(*id)
                    .is_some_and(|s| s.flags.has(SessionFlags::MONITOR))
            );
        }
    }

    /// Undoes the settings under which nothing would happen any more.
    fn relieve(&mut self) {
        self.world.host.used_memory = 0;
        self.world.host.now_us += 1_000_000;
        self.world.engine.begin_turn(&mut self.world.host);
        let admin = self.world.client();
        for request in [
            "AUTH pw",
            "CONFIG SET maxmemory 0 requirepass  maxmemory-clients 0",
            "DEBUG SET-ACTIVE-EXPIRE 1",
            "REPLICAOF NO ONE",
        ] {
            let args: Vec<Vec<u8>> = request
                .split(' ')
                .map(|word| word.as_bytes().to_vec())
                .collect();
            self.world
                .engine
                .feed(admin.0, &wire(&args), &mut self.world.host);
        }
        if self.world.engine.keyspace.db(0).len() > KEYS_MAX || self.random.one_in(8) {
            let flush = wire(&words("FLUSHALL"));
            self.world
                .engine
                .feed(admin.0, &flush, &mut self.world.host);
        }
        self.world.engine.end_of_turn(&mut self.world.host);
        self.world.engine.disconnect(admin.0);
        self.collect();
    }

    /// Everybody leaves: nothing of them may remain.
    fn part(&mut self) {
        self.world.engine.gating = GateMode::Off;
        self.world.engine.open_gates();
        for index in 0..self.peers.len() {
            self.drain(index);
        }
        check_keyspace(&self.world.engine);
        for peer in &self.peers {
            self.world.engine.disconnect(peer.client.0);
        }
        let engine = &self.world.engine;
        assert!(engine.sessions.is_empty());
        assert_eq!(
            (engine.blocking.count(), engine.blocking.key_count()),
            (0, 0)
        );
        assert_eq!(engine.blocking.deadline_count(), 0);
        assert!(engine.watches.is_empty() && engine.monitors.is_empty());
        assert!(engine.pubsub.channels.is_empty() && engine.pubsub.patterns.is_empty());
        assert!(engine.pubsub.shard_channels.is_empty());
    }
}

fn is_client_reply(args: &[Vec<u8>]) -> bool {
    args.len() > 1
        && args[0].eq_ignore_ascii_case(b"client")
        && args[1].eq_ignore_ascii_case(b"reply")
}

fn fits_inline(args: &[Vec<u8>]) -> bool {
    let is_plain = |b: &u8| b.is_ascii_graphic() && !b"\"'\\".contains(b);
    let is_word = |arg: &Vec<u8>| !arg.is_empty() && arg.iter().all(is_plain);
    // The first byte of a request says how it is framed.
    args.iter().all(is_word) && args[0][0].is_ascii_alphabetic()
}

fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] = random.next() as u8,
            1 => bytes.insert(at, random.next() as u8),
            2 => {
                let end = (at + 1 + random.below(6)).min(bytes.len() - 1);
                bytes.drain(at.min(end)..end);
            }
            _ => {
                let noise = requests::bytes(random);
                bytes.splice(at..at, noise);
            }
        }
    }
}

/// Counts, expiry and values of each database agree with what is in it.
fn check_keyspace(engine: &Engine) {
    let is_trusting = engine.config.sanitize_dump_payload == SanitizeDumpPayload::No;
    for db in 0..engine.keyspace.db_count() as u32 {
        let keyspace = &engine.keyspace;
        let (mut keys, mut volatile) = (BTreeSet::new(), 0);
        for entry in keyspace.iter(db) {
            assert!(keys.insert(entry.key().to_vec()), "a key twice");
            volatile += usize::from(entry.expiry_ms().is_some());
            assert!(keyspace.inspect(db, entry.key()).is_some());
            match entry.payload() {
                Some(Stored::List(list)) => assert!(!list.is_empty()),
                Some(Stored::Set(_) | Stored::SortedSet(_) | Stored::Hash(_)) if is_trusting => {}
                Some(Stored::Set(set)) => check_set(set),
                Some(Stored::SortedSet(set)) => check_sorted_set(set),
                Some(Stored::Hash(hash)) => {
                    assert!(!hash.is_empty());
                    assert_eq!(hash.iter().count(), hash.len());
                }
                Some(Stored::Bytes(_)) | None => {}
            }
        }
        assert_eq!(keyspace.db(db).len(), keys.len());
        assert_eq!(keyspace.db(db).volatile_len(), volatile);
        let (mut cursor, mut scanned) = (0, BTreeSet::new());
        loop {
            cursor = keyspace.scan(db, cursor, |entry| {
                scanned.insert(entry.key().to_vec());
            });
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(scanned, keys);
    }
}

fn check_set(set: &Set) {
    assert!(!set.is_empty());
    let members: BTreeSet<Vec<u8>> = set.iter().map(|member| member.to_vec()).collect();
    assert_eq!(members.len(), set.len());
    assert!(members.iter().all(|member| set.contains(member)));
}

fn check_sorted_set(set: &SortedSet) {
    assert!(!set.is_empty());
    let mut last = None;
    let mut count = 0;
    for (rank, (member, score)) in set.iter().enumerate() {
        let member = member.to_vec();
        assert!(!score.is_nan());
        assert_eq!(set.rank(&member), Some((rank, score)));
        let this = (score, member);
        assert!(last.is_none_or(|last| last < this), "out of order");
        last = Some(this);
        count += 1;
    }
    assert_eq!(count, set.len());
}
