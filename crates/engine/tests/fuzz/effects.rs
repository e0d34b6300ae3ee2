//! An engine and a copy that is fed with its effects alone: after random requests on several
//! sessions both hold the same data. The copy has other seeds, so whatever depends on chance or on
//! the order of a table shows.

use super::requests::{Manner, Requests};
use super::{Random, wire};
use crate::support::{Client, TestHost, World, contents};
use config::{Config, ProtectedAction};
use engine::{Engine, Replay};

/// An engine and one that hears of it only by its effects.
pub struct Pair {
    pub original: World,
    copy: World,
    replay: Replay,
    rest: Vec<u8>,
    pub client: Client,
}

impl Pair {
    pub fn with(configure: fn(&mut Config)) -> Pair {
        let configure = |config: &mut Config| {
            config.enable_debug_command = ProtectedAction::Yes;
            configure(config);
        };
        let (mut original, copy) = (World::with(configure), World::seeded(99, configure));
        original.record();
        let client = original.client();
        Pair {
            replay: copy.engine.begin_replay(),
            original,
            copy,
            rest: Vec::new(),
            client,
        }
    }

    /// Replays what happened since the last time.
    pub fn catch_up(&mut self) {
        let World { engine, host, .. } = &mut self.copy;
        self.rest
            .extend(self.original.engine.effects.take(Vec::new()));
        let done = engine.replay_bytes(&mut self.replay, &self.rest, host);
        self.rest
            .drain(..done.expect("effects that replay").consumed);
        assert!(self.rest.is_empty(), "half an effect");
        assert!(!self.replay.in_transaction(), "an open transaction");
    }

    #[track_caller]
    pub fn check(&mut self, what: &str) {
        self.catch_up();
        let (original, copy) = (contents(&mut self.original), contents(&mut self.copy));
        assert_eq!(original, copy, "after {what}");
        let errors: Vec<_> = self
            .copy
            .host
            .log
            .iter()
            .filter(|line| line.contains("CRITICAL"))
            .collect();
        assert!(errors.is_empty(), "after {what}: {errors:?}");
    }
}

/// Requests that change what a replay cannot know of.
fn is_fit(args: &[Vec<u8>]) -> bool {
    let name = args[0].to_ascii_lowercase();
    !matches!(
        name.as_slice(),
        b"debug" | b"config" | b"client" | b"auth" | b"quit" | b"reset" | b"replicaof" | b"slaveof"
    )
}

pub fn run(seed: u64) -> u64 {
    let mut pair = Pair::with(|config| {
        config.proto_max_bulk_len = 1 << 20;
        config.lazyfree_lazy_expire = true;
        config.maxmemory_policy = config::MaxmemoryPolicy::AllkeysRandom;
    });
    let mut random = Random(seed);
    let requests = Requests::new();
    let mut clients: Vec<Client> = (0..4).map(|_| pair.original.client()).collect();
    let mut sent = 0;
    for turn in 0..200 {
        if random.one_in(3) {
            pair.original.host.now_us += *random.pick(&[0, 1, 20, 1000, 7000]) * 1000;
        }
        if random.one_in(20) {
            pair.original.engine.settings.maxmemory = random.next() % 2;
            pair.original.host.used_memory = random.next() % 64;
        }
        let World { engine, host, .. } = &mut pair.original;
        engine.begin_turn(host);
        for _ in 0..1 + random.below(6) {
            let client = *random.pick(&clients);
            let request = requests.any(&mut random, Manner::Strict, host.now_us / 1000);
            if is_fit(&request.args) {
                sent += 1;
                engine.feed(client.0, &wire(&request.args), host);
            }
        }
        pair.original.end_turn();
        for client in &mut clients {
            pair.original.received(*client);
            if pair.original.engine.sessions.get(client.0).is_none() {
                *client = pair.original.client();
            }
        }
        if random.one_in(16) {
            pair.original.engine.effects.force_select();
        }
        pair.catch_up();
        if turn % 25 == 24 {
            settle_expiry(&mut pair.original.engine, &mut pair.original.host);
            pair.check(&format!("turn {turn} of case {seed}"));
        }
    }
    sent
}

/// Lets everything that has expired go, so that the copy hears of it.
fn settle_expiry(engine: &mut Engine, host: &mut TestHost) {
    loop {
        engine.refresh_time(host);
        engine.end_of_turn(host);
        let keyspace = &engine.keyspace;
        let is_left = (0..keyspace.db_count() as u32)
            .any(|db| keyspace.iter(db).any(|entry| keyspace.is_expired(&entry)));
        if !is_left {
            return;
        }
    }
}
