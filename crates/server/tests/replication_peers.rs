//! Ours and Debian's redis-server 7.0 replicate from each other: full and partial resynchronization,
//! cascades of both three deep, promotion of each, with a password; and after random commands of
//! every kind, with links cut at random, all hold equal data.
//!
//! `REDAN_REPLICATION_COMMANDS=200000` makes the random runs as long as the acceptance asks for;
//! `REDAN_REPLICATION_SEED` chooses other commands and other cuts.

mod support;

use Who::{Ours, Theirs};
use support::random_commands::{Generator, Step};
use support::random_keys::{Command, Random, key_commands, send_all, special_commands};
use support::replication::{Chaos, Node, PATIENCE, Who, wait_until_equal};
use testkit::{Connection, poll_until, render};

const COMMANDS: u64 = 6_000;
const SEED: u64 = 0x5eed_0041;
/// Commands between two chances for a link to break.
const BATCH: u64 = 60;

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|e| panic!("{name}={text}: {e}")),
        Err(_) => default,
    }
}

fn write_keys(node: &mut Node, seed: u64, count: u64) {
    let mut random = Random::new(seed);
    let commands: Vec<Command> = (0..count)
        .flat_map(|number| key_commands(&mut random, number))
        .collect();
    send_all(node.client(), &commands);
    node.line("SELECT 0");
}

#[test]
fn a_replica_of_ours_copies_redis() {
    check_pair(Theirs, Ours);
}

#[test]
fn a_redis_replica_copies_ours() {
    check_pair(Ours, Theirs);
}

#[test]
fn a_replica_of_ours_copies_ours() {
    check_pair(Ours, Ours);
}

/// A full copy of every encoding, the stream, a cut that the backlog bridges and one that it does
/// not.
fn check_pair(primary: Who, replica: Who) {
    let Some(mut primary) = Node::start(primary, &[("repl-backlog-size", "64kb")]) else {
        return;
    };
    let Some(mut replica) = Node::start(replica, &[]) else {
        return;
    };
    send_all(primary.client(), &special_commands());
    write_keys(&mut primary, 1, 3_000);
    replica.line("SET gone soon");
    replica.follow(&primary);
    replica.wait_for_link();
    wait_until_equal(&mut [&mut primary, &mut replica]);
    assert_eq!(replica.line("EXISTS gone"), "0");

    write_keys(&mut primary, 2, 500);
    wait_until_equal(&mut [&mut primary, &mut replica]);
    assert_eq!(primary.syncs_served(), (1, 0));

    replica.link().refuse();
    primary.line("SET while cut");
    replica.wait_for_info("master_link_status", "down");
    replica.link().open();
    replica.wait_for_link();
    wait_until_equal(&mut [&mut primary, &mut replica]);
    assert_eq!(primary.syncs_served(), (1, 1));

    // More than the backlog keeps; ours keeps more while somebody is away, unless told not to.
    if primary.who.is_redan() {
        assert_eq!(primary.line("CONFIG SET repl-backlog-budget 0"), "OK");
    }
    replica.link().refuse();
    replica.wait_for_info("master_link_status", "down");
    let large = "x".repeat(100_000);
    for number in 0..30 {
        primary.say(&["SET", &format!("large:{number}"), &large]);
    }
    replica.link().open();
    replica.wait_for_link();
    wait_until_equal(&mut [&mut primary, &mut replica]);
    assert_eq!(primary.syncs_served(), (2, 1));
}

#[test]
fn cascades_of_both_pass_everything_on() {
    for chain in [
        [Ours, Theirs, Ours, Theirs],
        [Theirs, Ours, Theirs, Ours],
        [Theirs, Ours, Ours, Theirs],
        [Ours, Ours, Theirs, Ours],
    ] {
        check_cascade(chain);
    }
}

fn check_cascade(chain: [Who; 4]) {
    let Some(mut nodes) = start_chain(chain) else {
        return;
    };
    write_keys(&mut nodes[0], 3, 500);
    wait_until_equal_chain(&mut nodes);
    for node in &mut nodes[1..3] {
        assert_eq!(node.info("role"), "slave");
        assert_eq!(node.info("connected_slaves"), "1");
    }
    let ids: Vec<String> = nodes
        .iter_mut()
        .map(|node| node.info("master_replid"))
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{chain:?}: {ids:?}");

    // A cut in the middle costs nobody a full resynchronization, below it least of all.
    nodes[2].link().refuse();
    nodes[2].wait_for_info("master_link_status", "down");
    write_keys(&mut nodes[0], 4, 100);
    nodes[2].link().open();
    nodes[2].wait_for_link();
    wait_until_equal_chain(&mut nodes);
    assert_eq!(nodes[1].syncs_served(), (1, 1), "{chain:?}");
    assert_eq!(nodes[2].info("sync_full"), "1", "{chain:?}");
    for node in &mut nodes[1..] {
        assert!(node.line("SET no writes").starts_with("-READONLY "));
    }
}

/// Each follows the one before it, and all have the same data.
fn start_chain(chain: [Who; 4]) -> Option<Vec<Node>> {
    let mut nodes: Vec<Node> = Vec::new();
    for who in chain {
        let mut node = Node::start(who, &[])?;
        if let Some(primary) = nodes.last() {
            node.follow(primary);
            node.wait_for_link();
        } else {
            write_keys(&mut node, 5, 500);
        }
        nodes.push(node);
    }
    wait_until_equal_chain(&mut nodes);
    Some(nodes)
}

fn wait_until_equal_chain(nodes: &mut [Node]) {
    wait_until_equal(&mut nodes.iter_mut().collect::<Vec<&mut Node>>());
}

#[test]
fn each_can_be_promoted_and_the_others_follow_without_a_full_copy() {
    for chain in [
        [Ours, Theirs, Ours, Theirs],
        [Theirs, Ours, Theirs, Ours],
        [Ours, Ours, Ours, Ours],
    ] {
        check_promotions(chain);
    }
}

/// The second becomes the primary of all, then the last one.
fn check_promotions(chain: [Who; 4]) {
    let Some(mut nodes) = start_chain(chain) else {
        return;
    };
    for (new_primary, seed) in [(1, 6), (3, 7)] {
        let full_before = full_syncs(&mut nodes);
        nodes[new_primary].promote();
        write_keys(&mut nodes[new_primary], seed, 100);
        let port = nodes[new_primary].port();
        for (index, node) in nodes.iter_mut().enumerate() {
            if index != new_primary {
                node.follow_port(port);
            }
        }
        for (index, node) in nodes.iter_mut().enumerate() {
            if index != new_primary {
                node.wait_for_link();
            }
        }
        write_keys(&mut nodes[new_primary], seed + 100, 100);
        wait_until_equal_chain(&mut nodes);
        let full = full_syncs(&mut nodes) - full_before;
        assert_eq!(full, 0, "{chain:?}: promotion of node {new_primary}");
    }
}

fn full_syncs(nodes: &mut [Node]) -> u64 {
    nodes
        .iter_mut()
        .map(|node| node.info_number("sync_full"))
        .sum()
}

#[test]
fn random_commands_and_cuts_below_our_primary_leave_equal_data() {
    check_random([Ours, Theirs, Ours, Theirs], Ours, 1);
}

#[test]
fn random_commands_and_cuts_below_a_redis_primary_leave_equal_data() {
    check_random([Theirs, Ours, Theirs, Ours], Ours, 2);
}

/// A chain, and one more replica of the primary.
fn check_random(chain: [Who; 4], beside: Who, seed: u64) {
    let seed = setting("REDAN_REPLICATION_SEED", SEED) + seed;
    let count = setting("REDAN_REPLICATION_COMMANDS", COMMANDS);
    // Small enough that some cuts need a full copy; ours keeps no more than that here.
    let small = [("repl-backlog-size", "64kb")];
    let without_budget = [small[0], ("repl-backlog-budget", "0")];
    let mut nodes = Vec::new();
    for who in chain.into_iter().chain([beside]) {
        let extra = match who.is_redan() {
            true => &without_budget[..],
            false => &small[..],
        };
        let Some(node) = Node::start(who, extra) else {
            return;
        };
        nodes.push(node);
    }
    let [primary, rest @ ..] = nodes.as_mut_slice() else {
        unreachable!("five were started");
    };
    let mut upstream = primary.port();
    for (index, replica) in rest.iter_mut().enumerate() {
        replica.follow_port(if index == 3 { primary.port() } else { upstream });
        upstream = replica.port();
    }
    eprintln!("{chain:?}: {count} commands, seed {seed}");
    let mut replicas: Vec<&mut Node> = rest.iter_mut().collect();
    for replica in &mut replicas {
        replica.wait_for_link();
    }
    let mut chaos = Chaos::new(seed, 4);
    let mut writer = Writer::new(primary, seed);
    while writer.sent < count / 2 {
        writer.send(BATCH);
        chaos.turn(&mut replicas);
    }
    // One cut for sure that no backlog bridges.
    replicas[2].link().open();
    replicas[2].wait_for_link();
    replicas[2].link().refuse();
    writer.send_large();
    while writer.sent < count {
        writer.send(BATCH);
        chaos.turn(&mut replicas);
    }
    for replica in &mut replicas {
        replica.link().open();
        replica.wait_for_link();
    }
    wait_until_equal_chain(&mut nodes);
    let served: Vec<(u64, u64)> = nodes.iter_mut().map(Node::syncs_served).collect();
    eprintln!(
        "{} faults; full and partial resynchronizations: {served:?}",
        chaos.cuts
    );
    let partial: u64 = served.iter().map(|(_, partial)| partial).sum();
    let full: u64 = served.iter().map(|(full, _)| full).sum();
    assert!(partial > 0, "no cut was bridged: {served:?}");
    assert!(full > 4, "every cut was bridged: {served:?}");
}

/// Sends the generator's steps to a primary.
struct Writer {
    main: Connection,
    /// The one that blocks.
    helper: Connection,
    observer: Connection,
    generator: Generator,
    sent: u64,
}

impl Writer {
    fn new(primary: &Node, seed: u64) -> Writer {
        Writer {
            main: primary.connect(),
            helper: primary.connect(),
            observer: primary.connect(),
            generator: Generator::new(seed),
            sent: 0,
        }
    }

    /// At least so many commands.
    fn send(&mut self, count: u64) {
        let end = self.sent + count;
        let mut together: Vec<Command> = Vec::new();
        while self.sent < end {
            let step = self.generator.step();
            self.sent += step.command_count();
            match step {
                Step::Commands(commands) => together.extend(commands),
                Step::Restore { from, to } => {
                    self.main.pipeline(&std::mem::take(&mut together));
                    self.restore(&from, &to);
                }
                Step::Blocking {
                    db,
                    blocked,
                    serving,
                } => {
                    self.main.pipeline(&std::mem::take(&mut together));
                    self.block(db, &blocked, &serving);
                }
            }
        }
        self.main.pipeline(&together);
    }

    /// More than any backlog here keeps.
    fn send_large(&mut self) {
        let value = "large ".repeat(50_000);
        for number in 0..3 {
            self.main
                .command(&["SET", &format!("large:{number}"), &value]);
        }
    }

    fn restore(&mut self, from: &str, to: &str) {
        if let resp::Value::Bulk(payload) = self.main.command(&["DUMP", from]) {
            let command: [&[u8]; 5] = [b"RESTORE", to.as_bytes(), b"0", &payload, b"REPLACE"];
            let reply = render(&self.main.command(&command));
            assert_eq!(reply, "OK", "RESTORE {to}");
        }
    }

    fn block(&mut self, db: u32, blocked: &Command, serving: &[Command]) {
        self.main.pipeline(&serving[..1]);
        self.helper.command(&["SELECT", &db.to_string()]);
        self.helper.send(blocked);
        poll_until(PATIENCE, "a client is blocked", || {
            support::info(&mut self.observer, "blocked_clients") == "1"
        });
        self.main.pipeline(&serving[1..]);
        // A transaction may have taken away again what would have served it.
        let key = String::from_utf8_lossy(serving[0].last().expect("a key")).into_owned();
        let serve = match key.starts_with('l') {
            true => ["RPUSH", &key, "at-last", ""],
            false => ["ZADD", &key, "5", "at-last"],
        };
        while self.helper.poll_receive().is_none() {
            self.main.command(&["DEL", &key]);
            self.main.command(&serve);
        }
    }
}
