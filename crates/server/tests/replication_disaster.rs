//! The disaster of runbook R2: a primary without persistence is killed and its supervisor starts it
//! again, empty, within a second. Its replicas keep the data, on whatever level they are, and go
//! on serving it, until somebody says that the emptiness is wanted. The same with a real
//! redis-server loses everything, so these tests can fail.
//!
//! And what a demotion discards: it is kept in a file and reported.

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use support::random_keys::{Command, Random, key_commands, send_all};
use support::replication::{Node, PATIENCE, Who, wait_until_equal};
use support::summary::Summary;
use testkit::poll_until;

const KEYS: u64 = 2_000;

/// A primary, a replica of it and a replica of that one, with data.
struct Group {
    primary: Node,
    replica: Node,
    below: Node,
    before: Summary,
}

impl Group {
    fn start(who: Who) -> Option<Group> {
        let mut primary = Node::start(who, &[("appendonly", "no")])?;
        let (mut replica, mut below) = (Node::start(who, &[])?, Node::start(who, &[])?);
        let mut random = Random::new(11);
        let commands = (0..KEYS).flat_map(|number| key_commands(&mut random, number));
        send_all(primary.client(), &commands.collect::<Vec<Command>>());
        follow_directly(&mut replica, primary.port());
        replica.wait_for_link();
        follow_directly(&mut below, replica.port());
        below.wait_for_link();
        let before = wait_until_equal(&mut [&mut primary, &mut replica, &mut below]);
        Some(Group {
            primary,
            replica,
            below,
            before,
        })
    }

    fn strike(&mut self) {
        let struck_at = Instant::now();
        self.primary.server.kill();
        self.primary.server.restart();
        assert!(struck_at.elapsed() < Duration::from_secs(1));
        self.primary.reconnect();
    }
}

fn follow_directly(node: &mut Node, port: u16) {
    assert_eq!(node.line(&format!("REPLICAOF 127.0.0.1 {port}")), "OK");
}

#[test]
fn replicas_keep_the_data_of_a_primary_that_comes_back_empty() {
    if !Who::Ours.is_redan() {
        return;
    }
    let mut group = Group::start(Who::Ours).expect("ours is always there");
    group.strike();
    group.replica.wait_for_log("keeping our data");
    assert!(group.replica.log().contains("repl-refuse-empty"));
    poll_until(PATIENCE, "the refusal is counted, again and again", || {
        group.replica.info_number("redan_sync_refused") >= 2
    });
    assert_eq!(group.replica.summary(), group.before);
    assert_eq!(group.below.summary(), group.before);
    assert_eq!(group.below.info("master_link_status"), "up");
    assert_eq!(group.replica.info("master_link_status"), "down");
    assert_eq!(group.primary.line("DBSIZE"), "0");
    // The way out that keeps everything: the replica becomes the primary, the empty one its replica.
    group.replica.promote();
    follow_directly(&mut group.primary, group.replica.port());
    group.primary.wait_for_link();
    assert_eq!(group.replica.line("SET written since"), "OK");
    let [primary, replica, below] = [&mut group.primary, &mut group.replica, &mut group.below];
    wait_until_equal(&mut [primary, replica, below]);
    assert_eq!(group.primary.line("GET written"), "\"since\"");
}

#[test]
fn a_restarted_replica_keeps_what_it_has_on_disk() {
    if !Who::Ours.is_redan() {
        return;
    }
    let mut group = Group::start(Who::Ours).expect("ours is always there");
    assert_eq!(group.replica.line("SAVE"), "OK");
    group.primary.server.kill();
    assert!(group.replica.server.stop().success());
    let port = group.primary.port();
    let options = Who::Ours.options().expect("ours is always there");
    let options = options.option("replicaof", &format!("127.0.0.1 {port}"));
    group.primary.server.restart();
    group.replica.server.restart_with(&options);
    group.replica.reconnect();
    group.replica.wait_for_log("keeping our data");
    assert_eq!(group.replica.summary(), group.before);
}

#[test]
fn the_emptiness_is_copied_where_an_option_allows_it() {
    if !Who::Ours.is_redan() {
        return;
    }
    let mut group = Group::start(Who::Ours).expect("ours is always there");
    group.strike();
    group.replica.wait_for_log("keeping our data");
    assert_eq!(group.replica.line("CONFIG SET repl-refuse-empty no"), "OK");
    group.replica.wait_for_link();
    assert_eq!(group.replica.line("DBSIZE"), "0");
    // Whoever copies that replica has a guard of its own.
    group.below.wait_for_log("keeping our data");
    assert_eq!(group.below.summary(), group.before);
    assert_eq!(group.below.line("CONFIG SET repl-refuse-empty no"), "OK");
    group.below.wait_for_link();
    wait_until_equal(&mut [&mut group.replica, &mut group.below]);
}

#[test]
fn the_emptiness_is_copied_when_an_operator_asks_for_it() {
    if !Who::Ours.is_redan() {
        return;
    }
    let mut group = Group::start(Who::Ours).expect("ours is always there");
    group.strike();
    group.replica.wait_for_log("keeping our data");
    assert_eq!(group.replica.line("REPLICAOF NO ONE"), "OK");
    assert_eq!(group.replica.summary(), group.before);
    follow_directly(&mut group.replica, group.primary.port());
    group.replica.wait_for_link();
    assert_eq!(group.replica.line("DBSIZE"), "0");
}

#[test]
fn a_primary_that_was_emptied_by_a_command_stays_in_step() {
    let mut group = Group::start(Who::Ours).expect("ours is always there");
    assert_eq!(group.primary.line("FLUSHALL"), "OK");
    let [primary, replica, below] = [&mut group.primary, &mut group.replica, &mut group.below];
    wait_until_equal(&mut [primary, replica, below]);
    assert_eq!(group.below.line("DBSIZE"), "0");
    // Also if a replica was away meanwhile and has to copy it all anew: it is the same history.
    group.primary.line("SET some data");
    wait_until_equal(&mut [&mut group.primary, &mut group.replica]);
    group.primary.line("CONFIG SET repl-backlog-size 16kb");
    if group.primary.who.is_redan() {
        group.primary.line("CONFIG SET repl-backlog-budget 0");
    }
    let full_before = group.primary.info_number("sync_full");
    group.replica.server.signal("STOP");
    group.primary.line("CLIENT KILL TYPE replica");
    group.primary.say(&["SET", "large", &"x".repeat(100_000)]);
    group.primary.line("FLUSHALL");
    group.replica.server.signal("CONT");
    group.replica.wait_for_link();
    wait_until_equal(&mut [&mut group.primary, &mut group.replica]);
    assert_eq!(group.replica.line("DBSIZE"), "0");
    assert!(group.primary.info_number("sync_full") >= full_before);
}

#[test]
fn the_same_with_redis_loses_everything() {
    let Some(mut group) = Group::start(Who::Theirs) else {
        return;
    };
    group.strike();
    let below = &mut group.below;
    poll_until(PATIENCE, "the data is gone everywhere", || {
        below.line("DBSIZE") == "0"
    });
}

/// Writes that only the old primary has when its replica takes over.
#[test]
fn what_a_demotion_discards_is_kept_in_a_file() {
    if !Who::Ours.is_redan() {
        return;
    }
    let mut old = Node::start(Who::Ours, &[]).expect("ours is always there");
    let mut new = Node::start(Who::Ours, &[]).expect("ours is always there");
    new.follow(&old);
    new.wait_for_link();
    old.line("SET replicated yes");
    wait_until_equal(&mut [&mut old, &mut new]);
    let acknowledged = |old: &mut Node| old.line("WAIT 1 1000") == "1";
    poll_until(PATIENCE, "it is acknowledged", || acknowledged(&mut old));

    let files_before = files_of(&old);
    new.link().refuse();
    old.line("SELECT 3");
    for number in 0..100 {
        old.line(&format!("SET lost:{number} value-{number}"));
    }
    old.line("SELECT 0");
    new.promote();
    new.line("SET written-by-the-new yes");
    old.follow(&new);
    old.wait_for_link();
    wait_until_equal(&mut [&mut old, &mut new]);
    assert_eq!(old.line("EXISTS lost:0"), "0");

    let discarded = old.info_number("redan_discarded_bytes");
    assert!(discarded > 100 * 30, "{discarded}");
    let new_files: Vec<PathBuf> = files_of(&old)
        .into_iter()
        .filter(|file| !files_before.contains(file))
        .filter(|file| contains(file, b"lost:0"))
        .collect();
    let [kept] = new_files.as_slice() else {
        panic!("one file with what was discarded: {new_files:?}");
    };
    for word in [&b"lost:99"[..], b"value-99", b"SELECT"] {
        assert!(contains(kept, word), "{}", word.escape_ascii());
    }
    assert!(
        !contains(kept, b"replicated"),
        "what is not lost is not in it"
    );
    let name = kept.file_name().expect("a name").to_string_lossy();
    let log = old.log();
    let told = log.lines().any(|line| line.contains(&*name));
    assert!(told, "the log names {name}:\n{log}");
}

#[test]
fn a_demotion_that_discards_nothing_leaves_no_file() {
    if !Who::Ours.is_redan() {
        return;
    }
    let mut old = Node::start(Who::Ours, &[]).expect("ours is always there");
    let mut new = Node::start(Who::Ours, &[]).expect("ours is always there");
    new.follow(&old);
    new.wait_for_link();
    old.line("SET replicated yes");
    wait_until_equal(&mut [&mut old, &mut new]);
    let files_before = files_of(&old);
    new.promote();
    old.follow(&new);
    old.wait_for_link();
    wait_until_equal(&mut [&mut old, &mut new]);
    assert_eq!(old.info("redan_discarded_bytes"), "0");
    assert_eq!(files_of(&old), files_before);
}

fn files_of(node: &Node) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![node.server.directory().to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("read a directory") {
            let path = entry.expect("read a directory").path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn contains(file: &PathBuf, needle: &[u8]) -> bool {
    let bytes = fs::read(file).expect("read a file");
    bytes.windows(needle.len()).any(|window| window == needle)
}
