//! Random lives of some nodes that replicate, each from one seed: REPLICAOF in all directions,
//! promotions, handovers, cascades; connections that stall and break; kills, and restarts from
//! whatever the disk has; writes of every kind, saves and rewrites meanwhile.
//!
//! At all times whoever is at a point of a history has the data that whoever was there first had. In
//! the end, when all is well again, all have what the primary has, and so have their files.
//!
//! `REPLICATION_LIVES_SEEDS=100000 cargo test -p node --test replication_lives` runs more;
//! `REPLICATION_LIVES_SEED=n` one.

mod support;

use std::collections::BTreeMap;

use config::{AppendFsync, Config};
use support::Client;
use support::contents::Contents;
use support::disk::Random;
use support::network::{Network, Weather, ip_of, port_of};

const STEPS: u64 = 250;

#[test]
fn whoever_is_at_a_point_of_a_history_has_the_data_of_that_point() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let mut totals = Totals::default();
    if let Some(seed) = number("REPLICATION_LIVES_SEED") {
        let mut world = World::new(seed);
        world.is_traced = true;
        world.run(&mut totals);
        return println!("{totals:?}");
    }
    let first = number("REPLICATION_LIVES_FROM").unwrap_or(0);
    for seed in first..first + number("REPLICATION_LIVES_SEEDS").unwrap_or(200) {
        let mut of_this = Totals::default();
        let run = std::panic::AssertUnwindSafe(|| World::new(seed).run(&mut of_this));
        if std::panic::catch_unwind(run).is_err() {
            panic!("failed with REPLICATION_LIVES_SEED={seed}");
        }
        totals.add(&of_this);
    }
    println!("{totals:?}");
    // The simulation is worth something only if it gets everywhere.
    let reached = totals.counts();
    assert!(reached.iter().all(|&count| count > 20), "{totals:?}");
}

#[derive(Default, Debug)]
struct Totals {
    writes: u64,
    compared: u64,
    full_syncs: u64,
    partial_syncs: u64,
    promotions: u64,
    handovers: u64,
    kills: u64,
    waits: u64,
    confirmed_waits: u64,
    files_compared: u64,
}

impl Totals {
    fn counts(&self) -> [u64; 10] {
        [
            self.writes,
            self.compared,
            self.full_syncs,
            self.partial_syncs,
            self.promotions,
            self.handovers,
            self.kills,
            self.waits,
            self.confirmed_waits,
            self.files_compared,
        ]
    }

    fn add(&mut self, other: &Totals) {
        self.writes += other.writes;
        self.compared += other.compared;
        self.full_syncs += other.full_syncs;
        self.partial_syncs += other.partial_syncs;
        self.promotions += other.promotions;
        self.handovers += other.handovers;
        self.kills += other.kills;
        self.waits += other.waits;
        self.confirmed_waits += other.confirmed_waits;
        self.files_compared += other.files_compared;
    }
}

/// A point of a history.
type Point = (String, u64);

/// A client that has sent WAIT.
struct Waiter {
    node: usize,
    life: u64,
    client: Client,
    wrote: Point,
}

struct World {
    net: Network,
    random: Random,
    /// What the data of a point is, and who said so.
    known: BTreeMap<Point, (Contents, String)>,
    /// How far each node has been in each history.
    reached: BTreeMap<(usize, String), u64>,
    /// Where each node was when it was last looked at.
    last: Vec<Option<Point>>,
    waiters: Vec<Waiter>,
    /// Clients of each node that block, with the life they belong to.
    blocked: Vec<(usize, u64, Client)>,
    totals: Totals,
    is_traced: bool,
    /// Most of what would disturb is left out.
    is_quiet: bool,
    is_renamed: bool,
    step: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let mut net = Network::new(seed);
        let count = 2 + random.below(3) as usize;
        for _ in 0..count {
            let appends = random.one_in(3);
            let fsync = [AppendFsync::Always, AppendFsync::EverySec, AppendFsync::No]
                [random.below(3) as usize];
            let preamble = random.one_in(2);
            let is_diskless = !random.one_in(3);
            let backlog_budget = [0, 1 << 20][random.below(2) as usize];
            let saves_at = random.one_in(4);
            let delay = random.below(2) as u32;
            net.add(move |config: &mut Config| {
                config.appendonly = appends;
                config.appendfsync = fsync;
                config.aof_use_rdb_preamble = preamble;
                config.repl_diskless_sync = is_diskless;
                config.repl_diskless_sync_delay = delay;
                config.repl_ping_replica_period = 1;
                config.repl_timeout = 5;
                config.repl_backlog_size = 16 << 10;
                config.repl_backlog_budget = backlog_budget;
                if saves_at {
                    config.save = vec![config::SavePoint {
                        seconds: 2,
                        changes: 20,
                    }];
                }
                config.stop_writes_on_bgsave_error = false;
            });
        }
        World {
            net,
            is_quiet: random.one_in(2),
            random,
            known: BTreeMap::new(),
            reached: BTreeMap::new(),
            last: vec![None; count],
            waiters: Vec::new(),
            blocked: Vec::new(),
            totals: Totals::default(),
            is_traced: false,
            is_renamed: false,
            step: 0,
        }
    }

    fn run(mut self, totals: &mut Totals) {
        for index in 1..self.net.members.len() {
            self.net.follow(index, 0);
        }
        for step in 0..STEPS {
            self.step = step;
            self.act();
            let ms = [0, 1, 5, 40, 300][self.random.below(5) as usize];
            self.net.step(ms);
            self.observe();
            self.hear();
        }
        self.heal();
        *totals = self.totals;
    }

    fn trace(&self, text: impl FnOnce() -> String) {
        if self.is_traced {
            eprintln!(
                "{} at {} ms: {}",
                self.step,
                self.net.now_ns / 1_000_000,
                text()
            );
        }
    }

    // --- checks ---

    fn observe(&mut self) {
        for index in self.net.alive() {
            self.observe_one(index);
        }
    }

    fn observe_one(&mut self, index: usize) {
        let Some(position) = self.net.position(index) else {
            self.last[index] = None;
            return;
        };
        let point = (position.id.to_string(), position.offset.get());
        let far = self.reached.entry((index, point.0.clone())).or_default();
        *far = (*far).max(point.1);
        if self.is_traced {
            let role = *self.net.node(index).engine.role();
            self.trace(|| format!("   n{index} {} at {point:?}, {role:?}", point.1));
        }
        let is_news = self.last[index].as_ref() != Some(&point);
        self.last[index] = Some(point.clone());
        if !is_news && !self.random.one_in(8) {
            return;
        }
        let contents = self.net.contents(index);
        let role = if self.net.node(index).engine.role().is_replica {
            "replica"
        } else {
            "primary"
        };
        let (life, step) = (self.net.members[index].life, self.step);
        let who = format!("{role} n{index}, life {life}, step {step}");
        let Some((expected, first)) = self.known.get(&point) else {
            self.known.insert(point, (contents, who));
            return;
        };
        let differences = contents.differences(expected, self.net.unix_ms());
        assert!(
            differences.is_empty(),
            "at {point:?} {who} has other data than {first}: {differences:#?}; {}",
            self.net.log(index),
        );
        let is_own = first.contains(&format!(" n{index},"));
        self.totals.compared += u64::from(!is_own);
    }

    /// Takes the replies to WAIT.
    fn hear(&mut self) {
        for waiter in std::mem::take(&mut self.waiters) {
            let member = &self.net.members[waiter.node];
            if member.life != waiter.life || member.node.is_none() {
                continue;
            }
            let reply = self.net.node(waiter.node).received(waiter.client);
            if reply.is_empty() {
                self.waiters.push(waiter);
                continue;
            }
            // It is unblocked with an error when its node becomes a replica.
            if let Some(count) = reply.strip_prefix(':') {
                let count: usize = count.parse().expect("a number");
                let (id, offset) = &waiter.wrote;
                let others = (0..self.net.members.len()).filter(|&other| other != waiter.node);
                let have = others
                    .filter(|&other| self.reached.get(&(other, id.clone())) >= Some(offset))
                    .count();
                assert!(
                    have >= count || self.is_renamed,
                    "WAIT said {count} have {:?}, but {have} have it",
                    waiter.wrote
                );
                self.totals.waits += 1;
                self.totals.confirmed_waits += u64::from(count > 0);
            }
            self.net
                .node(waiter.node)
                .engine
                .disconnect(waiter.client.0);
        }
    }

    // --- what happens ---

    fn act(&mut self) {
        let alive = self.net.alive();
        let Some(&index) = alive.get(self.random.below(4) as usize % alive.len().max(1)) else {
            return self.revive();
        };
        if self.random.one_in(4) && self.primary().is_none() {
            return self.promote(index);
        }
        let choice = self.random.below(100);
        match choice {
            64.. if self.is_quiet && !self.random.one_in(4) => self.write(),
            0..=54 => self.write(),
            55..=59 => self.wait_for_replicas(),
            60..=63 => self.block(index),
            64..=68 => self.follow(index),
            69 | 70 => self.promote(index),
            71 | 72 => self.hand_over(),
            73..=77 => self.change_weather(),
            78..=80 => {
                let other = self.random.below(self.net.members.len() as u64) as usize;
                self.trace(|| format!("cut between n{index} and n{other}"));
                self.net.cut_between(index, other);
            }
            81 | 82 => self.kill(index),
            83..=87 => self.revive(),
            88..=90 => {
                let request = ["BGSAVE", "BGREWRITEAOF"][self.random.below(2) as usize];
                self.trace(|| format!("n{index} {request}"));
                self.net.ask(index, request);
            }
            91 => {
                let word = ["yes", "no"][self.random.below(2) as usize];
                self.trace(|| format!("n{index} appendonly {word}"));
                self.net
                    .ask(index, &format!("CONFIG SET appendonly {word}"));
            }
            92 | 93 => {
                let disk = self.net.node(index).disk();
                disk.is_slow = !disk.is_slow;
            }
            94..=96 => {
                let count = self.random.below(6);
                let disk = self.net.node(index).disk();
                (0..count).for_each(|_| {
                    disk.run_one();
                });
            }
            97 => match self.random.below(6) {
                0 => drop(self.net.ask(index, "CLIENT KILL TYPE replica")),
                1 => drop(self.net.ask(index, "CLIENT KILL TYPE master")),
                2 => {
                    // Its replicas do not hear of it, so one point has two names.
                    self.is_renamed = true;
                    self.net.ask(index, "DEBUG CHANGE-REPL-ID");
                }
                3 => self.end_well(index),
                _ => drop(self.net.ask(index, "SAVE")),
            },
            _ => {
                let ms = self.random.below(3000);
                self.net.stall(index, ms);
            }
        }
    }

    fn primary(&mut self) -> Option<usize> {
        let alive = self.net.alive();
        let primaries: Vec<usize> = alive
            .into_iter()
            .filter(|&index| !self.net.node(index).engine.role().is_replica)
            .collect();
        let count = primaries.len() as u64;
        (count > 0).then(|| primaries[self.random.below(count) as usize])
    }

    fn write(&mut self) {
        let Some(index) = self.primary() else { return };
        let client = self.net.node(index).client();
        let db = self.random.below(3).to_string();
        self.send(index, client, &["SELECT".into(), db]);
        let is_unit = self.random.one_in(6);
        let count = match self.random.below(4) {
            0 => 1 + self.random.below(6),
            _ => 1,
        };
        if is_unit {
            self.send(index, client, &["MULTI".into()]);
        }
        for _ in 0..count {
            let words = request(&mut self.random);
            self.trace(|| format!("n{index} {}", shown(&words)));
            self.send(index, client, &words);
            self.totals.writes += 1;
        }
        if is_unit {
            self.send(index, client, &["EXEC".into()]);
        }
        let node = self.net.node(index);
        node.received(client);
        node.engine.disconnect(client.0);
    }

    fn send(&mut self, index: usize, client: Client, words: &[String]) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.net.node(index).send(client, &words);
    }

    fn wait_for_replicas(&mut self) {
        let Some(node) = self.primary() else { return };
        let client = self.net.node(node).client();
        let value = self.random.below(1000).to_string();
        self.net.node(node).send(client, &["SET", "waited", &value]);
        let reply = self.net.node(node).received(client);
        let Some(position) = self.net.position(node).filter(|_| reply == "+OK") else {
            return;
        };
        let wrote = (position.id.to_string(), position.offset.get());
        self.trace(|| format!("n{node} WAIT for {wrote:?}"));
        let count = (1 + self.random.below(2)).to_string();
        self.net.node(node).send(client, &["WAIT", &count, "2000"]);
        let life = self.net.members[node].life;
        self.waiters.push(Waiter {
            node,
            life,
            client,
            wrote,
        });
    }

    fn block(&mut self, index: usize) {
        let client = self.net.node(index).client();
        let request: &[&str] = match self.random.below(3) {
            0 => &["BLPOP", "k1", "k2", "3"],
            1 => &["BLMOVE", "k3", "k4", "LEFT", "RIGHT", "3"],
            _ => &["BZPOPMIN", "k5", "3"],
        };
        self.trace(|| format!("n{index} {request:?}"));
        self.net.node(index).send(client, request);
        let life = self.net.members[index].life;
        self.blocked.push((index, life, client));
        if self.blocked.len() > 5 {
            let (index, life, client) = self.blocked.remove(0);
            if self.net.members[index].life == life && self.net.is_alive(index) {
                self.net.node(index).engine.disconnect(client.0);
            }
        }
    }

    fn follow(&mut self, index: usize) {
        let primary = self.random.below(self.net.members.len() as u64) as usize;
        let request = format!("REPLICAOF {} {}", ip_of(primary), port_of(primary));
        self.trace(|| format!("n{index} follows n{primary}"));
        if self.random.one_in(4) {
            // Among writes.
            let client = self.net.node(index).client();
            let words: Vec<&str> = request.split(' ').collect();
            for words in [
                &["MULTI"][..],
                &["INCR", "k0"],
                &words,
                &["INCR", "k1"],
                &["EXEC"],
            ] {
                self.net.node(index).send(client, words);
            }
            let reply = self.net.node(index).received(client);
            self.trace(|| format!("in a transaction: {reply}"));
            self.net.node(index).engine.disconnect(client.0);
        } else {
            self.net.ask(index, &request);
        }
    }

    fn promote(&mut self, index: usize) {
        self.trace(|| format!("n{index} is promoted"));
        let reply = self.net.ask(index, "REPLICAOF NO ONE");
        self.totals.promotions += u64::from(reply == "+OK");
    }

    fn hand_over(&mut self) {
        let Some(index) = self.primary() else { return };
        let request = match self.random.below(4) {
            0 => "FAILOVER".to_owned(),
            1 => "FAILOVER ABORT".to_owned(),
            2 => "FAILOVER TIMEOUT 500".to_owned(),
            _ => {
                let to = self.random.below(self.net.members.len() as u64) as usize;
                format!(
                    "FAILOVER TO {} {} TIMEOUT 300 FORCE",
                    ip_of(to),
                    port_of(to)
                )
            }
        };
        let reply = self.net.ask(index, &request);
        self.trace(|| format!("n{index} {request}: {reply}"));
        self.totals.handovers += u64::from(reply == "+OK");
    }

    fn change_weather(&mut self) {
        let random = &mut self.random;
        let mut pick = |from: &[u64]| from[random.below(from.len() as u64) as usize];
        self.net.weather = Weather {
            cut_one_in: pick(&[0, 0, 30, 300]),
            refuse_one_in: pick(&[0, 0, 2, 10]),
            stall_one_in: pick(&[0, 10, 100]),
            stall_max_ms: pick(&[100, 1000, 7000]),
            capacity_bytes: pick(&[100, 4000, 1 << 20]) as usize,
            piece_max_bytes: pick(&[20, 700, 64 << 10]),
        };
        self.trace(|| format!("{:?}", self.net.weather));
    }

    fn kill(&mut self, index: usize) {
        self.trace(|| format!("n{index} is killed"));
        // As if CONFIG REWRITE had written down what the operator said last.
        let node = self.net.node(index);
        let (replicaof, appendonly) = (
            node.engine.config.replicaof.clone(),
            node.engine.config.appendonly,
        );
        self.count_syncs(index);
        self.net.kill(index);
        self.totals.kills += 1;
        self.last[index] = None;
        if self.random.one_in(8) {
            self.trace(|| format!("n{index} loses its disk"));
            self.net.members[index].disk = Default::default();
        }
        self.net.members[index].change(move |config| {
            config.replicaof.clone_from(&replicaof);
            config.appendonly = appendonly;
        });
    }

    /// As SHUTDOWN SAVE does it.
    fn end_well(&mut self, index: usize) {
        let request = engine::host::ShutdownRequest {
            save: Some(true),
            ..Default::default()
        };
        self.trace(|| format!("n{index} is shut down"));
        if self.net.node(index).shut_down(request).is_ok() {
            self.kill(index);
        }
    }

    fn count_syncs(&mut self, index: usize) {
        let node = self.net.node(index);
        let (links, outside) = (&node.host.links, &mut node.host.outside);
        let info = links.info(&node.engine, outside);
        self.totals.full_syncs += info.sync_full;
        self.totals.partial_syncs += info.sync_partial_ok;
    }

    fn revive(&mut self) {
        let dead = (0..self.net.members.len()).find(|&index| !self.net.is_alive(index));
        if let Some(index) = dead {
            self.revive_one(index);
        }
    }

    fn revive_one(&mut self, index: usize) {
        let is_forgetful = self.random.one_in(4);
        self.trace(|| format!("n{index} comes back; forgetful: {is_forgetful}"));
        for attempt in 0..2 {
            let started = self.net.revive(index, |config| {
                if is_forgetful {
                    config.replicaof = None;
                }
            });
            let Err(refused) = started else { return };
            // Death between a first base and its manifest: refused rather than overwritten.
            let disk = &mut self.net.members[index].disk;
            let is_expected = refused.log().contains("there is no manifest");
            assert!(is_expected && attempt == 0, "{}", refused.log());
            for name in disk.listed() {
                if name.starts_with("appendonlydir/") {
                    disk.remove(&name);
                }
            }
        }
    }

    // --- the end ---

    fn heal(&mut self) {
        self.step = STEPS;
        self.net.calm();
        for index in 0..self.net.members.len() {
            if !self.net.is_alive(index) {
                self.revive_one(index);
            }
            self.net.node(index).disk().is_slow = false;
            self.net.ask(index, "FAILOVER ABORT");
        }
        self.net.run_ms(3000);
        self.observe();
        let count = self.net.members.len();
        let root = self.random.below(count as u64) as usize;
        self.trace(|| format!("n{root} becomes the primary of all"));
        for index in 0..count {
            // Refused while a snapshot is arriving, as Redis does it.
            self.net.until("promoted", |net| {
                net.ask(index, "REPLICAOF NO ONE") == "+OK"
            });
        }
        let mut placed = vec![root];
        for index in (0..count).filter(|&index| index != root) {
            let at = self.random.below(placed.len() as u64) as usize;
            self.net.follow(index, placed[at]);
            placed.push(index);
        }
        for _ in 0..5 {
            self.write();
            self.net.step(20);
            self.observe();
        }
        for &index in &placed {
            self.net.until("all in sync", |net| {
                net.is_in_sync(index, root) || index == root
            });
        }
        self.observe();
        let expected = self.net.contents(root);
        for index in 0..count {
            let differences = self
                .net
                .contents(index)
                .differences(&expected, self.net.unix_ms());
            assert!(
                differences.is_empty(),
                "n{index} and n{root}: {differences:#?}"
            );
            self.count_syncs(index);
        }
        for index in placed {
            self.compare_files(index);
        }
    }

    /// What the files of a node hold when all is written is what it has in memory.
    fn compare_files(&mut self, index: usize) {
        let config = &self.net.node(index).engine.config;
        if !config.appendonly {
            return;
        }
        let replicaof = config.replicaof.clone();
        self.net.until("the AOF is written", |net| {
            let info = net.node(index).info();
            let aof = info.aof.as_ref();
            !info.aof_rewrite_in_progress
                && !info.aof_rewrite_scheduled
                && aof.is_some_and(|aof| aof.buffer_length == 0 && aof.pending_bio_fsync == 0)
        });
        let contents = self.net.contents(index);
        let disk = self.net.node(index).disk().after_death();
        let after_ms = self.net.now_ns / 1_000_000;
        let started = support::TestNode::start_as(9, disk, after_ms, |config| {
            config.appendonly = true;
            // Only as a replica it leaves what has expired to others.
            config.replicaof = replicaof.or_else(|| {
                let host = config::Text::from(ip_of(90).into_bytes());
                Some(config::PrimaryAddress { host, port: 1 })
            });
        });
        let again = started.unwrap_or_else(|refused| panic!("{}", refused.log()));
        let found = Contents::of(&again.engine.keyspace);
        let differences = found.differences(&contents, self.net.unix_ms());
        assert!(
            differences.is_empty(),
            "the AOF of n{index}: {differences:#?} {}, written: {}",
            again.log(),
            self.net.log(index)
        );
        self.totals.files_compared += 1;
    }
}

fn shown(words: &[String]) -> String {
    let words: Vec<&str> = words
        .iter()
        .map(|word| word.get(..30).unwrap_or(word))
        .collect();
    words.join(" ")
}

/// A random write of any kind.
fn request(random: &mut Random) -> Vec<String> {
    let mut key = || format!("k{}", random.below(12));
    let (a, b, c) = (key(), key(), key());
    let n = random.below(20);
    let ms = 20 + random.below(2000);
    let big = "x".repeat(match random.below(30) {
        0 => 40_000,
        1 => 3000,
        _ => 10,
    });
    let text = match random.below(62) {
        0..=4 => format!("SET {a} {n}"),
        5 => format!("SET {a} {big}"),
        6 => format!("SET {a} {n} PX {ms}"),
        7 => format!("APPEND {a} {n}"),
        8 => format!("INCRBY {a} {n}"),
        9 => format!("INCRBYFLOAT {a} 0.{n}"),
        10 => format!("SETRANGE {a} {n} abc"),
        11 => format!("SETBIT {a} {n} 1"),
        12 => format!("GETEX {a} PX {ms}"),
        13 => format!("GETDEL {a}"),
        14 => format!("GETSET {a} {n}"),
        15..=17 => format!("RPUSH {a} 1 2 {n}"),
        18 => format!("LPUSH {a} {big}"),
        19 => format!("LPOP {a} 2"),
        20 => format!("LMOVE {a} {b} LEFT RIGHT"),
        21 => format!("LTRIM {a} 1 -1"),
        22 => format!("LINSERT {a} BEFORE 1 {n}"),
        23 => format!("LMPOP 2 {a} {b} LEFT"),
        24..=26 => format!("SADD {a} {n} x{n} {b}"),
        27 | 28 => format!("SPOP {a}"),
        29 => format!("SPOP {a} 3"),
        30 => format!("SMOVE {a} {b} {n}"),
        31 => format!("SUNIONSTORE {a} {b} {c}"),
        32..=34 => format!("HSET {a} f{n} {n} g {b}"),
        35 => format!("HDEL {a} f{n}"),
        36 => format!("HINCRBYFLOAT {a} g{n} 1.5"),
        37 | 38 => format!("ZADD {a} {n} m{n} 3 {b}"),
        39 => format!("ZPOPMIN {a}"),
        40 => format!("ZINCRBY {a} 1.5 {b}"),
        41 => format!("ZRANGESTORE {a} {b} 0 3"),
        42 => format!("ZREMRANGEBYRANK {a} 0 0"),
        43 | 44 => format!("PEXPIRE {a} {ms}"),
        45 => format!("PEXPIRE {a} 0"),
        46 => format!("PERSIST {a}"),
        47 => format!("EXPIRE {a} 1 NX"),
        48 => format!("DEL {a} {b}"),
        49 => format!("UNLINK {a}"),
        50 => format!("RENAME {a} {b}"),
        51 => format!("COPY {a} {b} REPLACE"),
        52 => format!("COPY {a} {b} DB {} REPLACE", n % 3),
        53 => format!("MOVE {a} {}", n % 3),
        54 => format!("PFADD {a} {n} {b}"),
        55 => format!("SORT {a} ALPHA STORE {b}"),
        56 => format!("BITOP XOR {a} {b} {c}"),
        57 => format!("HPEXPIRE {a} {ms} FIELDS 1 g"),
        58 => format!("PUBLISH channel {n}"),
        59 => format!("SWAPDB {} {}", n % 3, (n + 1) % 3),
        60 => match n {
            0 => "FLUSHALL".into(),
            1 => "FLUSHDB ASYNC".into(),
            _ => format!("GEORADIUS {a} 15 37 200 km STORE {b}"),
        },
        _ => format!("GEOADD {a} 13.3 38.1 p{n}"),
    };
    text.split(' ').map(str::to_owned).collect()
}
