//! The session that runs what our primary sends.

mod support;

use engine::{EffectsReader, SessionFlags};
use proptest::prelude::*;
use support::{World, contents, wire_of};

#[test]
fn what_a_primary_sends_runs_without_being_asked_and_without_a_reply() {
    let mut world = World::with(|c| {
        c.requirepass = "secret".into();
        c.maxmemory = 1;
    });
    let primary = world.become_replica();
    world.engine.write_refusal = Some(engine::ReplyError::new("MISCONF no disk"));
    world.engine.config.replica_ignore_disk_write_errors = true;
    world.host.used_memory = 1 << 30;
    let done = world.stream(primary, "select 3\nset a 1\nget a\nblpop nothing 0\nincr a");
    assert_eq!(
        done,
        Some(
            ["select 3", "set a 1", "get a", "blpop nothing 0", "incr a"]
                .map(|r| wire_of(r).len() as u64)
                .iter()
                .sum()
        )
    );
    assert_eq!(world.engine.output(primary), b"");
    assert_eq!(world.engine.stream_db(primary), 3);
    assert!(
        world
            .engine
            .sessions
            .get(primary)
            .expect("it stays")
            .blocked
            .is_none()
    );
    assert_eq!(
        world.host.log,
        ["Replica is applying a command even though it is unable to write to disk."]
    );
    world.engine.settings.requires_password = false;
    assert_eq!(contents(&mut world).len(), 1);
}

#[test]
fn a_transaction_counts_when_its_exec_ran() {
    let mut world = World::new();
    let primary = world.become_replica();
    let set = wire_of("set a 1").len() as u64;
    assert_eq!(world.stream(primary, "set a 1"), Some(set));
    assert_eq!(world.stream(primary, "multi\nselect 2"), Some(set));
    assert_eq!(world.stream(primary, "set b 1"), Some(set));
    assert_eq!(world.engine.stream_db(primary), 0);
    let all: u64 = ["set a 1", "multi", "select 2", "set b 1", "exec"]
        .map(|r| wire_of(r).len() as u64)
        .iter()
        .sum();
    assert_eq!(world.stream(primary, "exec"), Some(all));
    assert_eq!(world.engine.stream_db(primary), 2);
    assert_eq!(world.stream(primary, ""), Some(all));
}

#[test]
fn what_nobody_understands_is_logged_as_critical() {
    let mut world = World::new();
    let primary = world.become_replica();
    world.stream(
        primary,
        "fake-command-1 x\nincr\nset s word\nincr s\nmulti\nnothing\nset x 1\nexec",
    );
    assert_eq!(
        world.host.log,
        [
            "== CRITICAL == This replica is sending an error to its master: 'ERR unknown command 'fake-command-1', with args beginning with: 'x' ' after processing the command '<unknown>'",
            "== CRITICAL == This replica is sending an error to its master: 'ERR wrong number of arguments for 'incr' command' after processing the command 'incr'",
            "== CRITICAL == This replica is sending an error to its master: 'ERR value is not an integer or out of range' after processing the command 'incr'",
            "== CRITICAL == This replica is sending an error to its master: 'ERR unknown command 'nothing', with args beginning with: ' after processing the command '<unknown>'",
            "== CRITICAL == This replica is sending an error to its master: 'EXECABORT Transaction discarded because of previous errors.' after processing the command 'exec'",
        ]
    );
    let client = world.client();
    assert!(
        world
            .call(client, "info stats")
            .contains("unexpected_error_replies:5 ")
    );
    assert_eq!(world.call(client, "get x"), "$-1");
}

#[test]
fn bytes_that_are_no_requests_end_the_session() {
    let mut world = World::new();
    let primary = world.become_replica();
    let wire = wire_of("set a 1") + "*1\r\n$nonsense\r\n";
    let done = world
        .engine
        .feed_primary(primary, wire.as_bytes(), &mut world.host);
    assert_eq!(done, Some(wire_of("set a 1").len() as u64));
    assert_eq!(world.stream(primary, "set b 1"), None);
    assert!(world.engine.sessions.get(primary).is_none());
    assert_eq!(world.stream(primary, "set b 1"), None);
}

#[test]
fn the_session_is_listed_and_killed_like_any() {
    let mut world = World::with(|c| c.timeout = 1);
    let primary = world.become_replica();
    let client = world.client();
    let line = world.call(client, "client list type master");
    assert!(
        line.contains("addr=127.0.0.1:6379") && line.contains(" flags=M "),
        "{line}"
    );
    assert!(
        world
            .call(client, "info clients")
            .contains("connected_clients:2 ")
    );
    world.wait_ms(5000);
    assert!(world.engine.sessions.get(primary).is_some(), "idle");
    let client = world.client();
    assert_eq!(world.call(client, "client kill type master"), ":1");
    assert_eq!(world.stream(primary, "set a 1"), None);
}

#[test]
fn a_pause_holds_clients_back_and_not_the_primary() {
    let mut world = World::new();
    let primary = world.become_replica();
    let client = world.client();
    world.call(client, "client pause 100000 all");
    world.stream(primary, "set a 1");
    assert_eq!(world.call(client, "get a"), "");
    world.engine.end_pause(engine::PausePurpose::Client);
    world.end_turn();
    assert_eq!(world.received(client), "$1 1");
}

#[test]
fn expired_keys_count_as_there_for_the_primary_only() {
    let mut world = World::new();
    let primary = world.become_replica();
    let client = world.client();
    world.stream(primary, "set n 5 px 100\nset gone 1 px 100");
    world.wait_ms(200);
    assert_eq!(world.call(client, "get n"), "$-1");
    assert_eq!(world.call(client, "dbsize"), ":2");
    world.stream(primary, "incr n\npersist n\nexpireat gone 1");
    assert_eq!(world.call(client, "get n"), "$1 6");
    assert_eq!(world.call(client, "get gone"), "$-1");
    world.stream(primary, "del gone");
    assert_eq!(world.call(client, "dbsize"), ":1");
    assert!(world.call(client, "info stats").contains("expired_keys:0 "));
}

#[test]
fn an_append_only_file_gets_what_the_primary_sent() {
    let mut world = World::new();
    let primary = world.become_replica();
    world.record();
    world.stream(
        primary,
        "set a 1 px 10\nmulti\nset b 1\nincr b\nexec\npublish c m\nping",
    );
    world.wait_ms(20);
    let client = world.client();
    world.call(client, "get a");
    // The form of an expiry is the primary's business: it sends absolute times.
    let effects = world.effects();
    assert_eq!(effects[1..], ["MULTI", "set b 1", "incr b", "EXEC"]);
    assert!(
        effects[0].to_lowercase().starts_with("set a 1 pxat"),
        "{effects:?}"
    );
}

#[test]
fn watchers_blocked_clients_and_listeners_notice() {
    let mut world = World::with(|c| c.replica_read_only = false);
    let primary = world.become_replica();
    let (watcher, listener, waiter) = (world.client(), world.client(), world.client());
    world.say(watcher, "watch a\nmulti\nget a\n");
    world.say(listener, "subscribe c\n");
    assert_eq!(world.call(waiter, "blpop l 0"), "");
    world.stream(primary, "set a 1\npublish c hello\nrpush l x");
    assert_eq!(world.call(watcher, "exec"), "*-1");
    assert_eq!(world.received(listener), "*3 $7 message $1 c $5 hello");
    assert_eq!(world.received(waiter), "*2 $1 l $1 x");
}

#[test]
fn questions_about_the_offset_go_through_the_door() {
    let mut world = World::new();
    let primary = world.become_replica();
    world.stream(primary, "replconf getack *");
    assert_eq!(world.host.door.asked, ["replconf getack *"]);
    assert_eq!(world.engine.output(primary), b"");
}

#[test]
fn a_disk_that_fails_ends_a_replica_unless_that_is_to_be_ignored() {
    let mut world = World::new();
    world.host.may_crash = true;
    let primary = world.become_replica();
    world.engine.write_refusal = Some(engine::ReplyError::new("MISCONF no disk"));
    world.stream(primary, "ping\nget a");
    assert_eq!(world.host.log, [""; 0]);
    world.stream(primary, "set a 1");
    assert_eq!(
        world.host.log,
        [
            "Replica was unable to write command to disk.",
            "crash Panic"
        ]
    );
}

/// The same work as a client of a primary, so that reads and errors are in it too.
const STREAM: [&str; 14] = [
    "select 1",
    "set a 1",
    "ping",
    "multi",
    "incr a",
    "rpush l x y z",
    "exec",
    "replconf getack *",
    "no-such-command",
    "select 0",
    "multi",
    "select 4",
    "set b 2",
    "exec",
];

proptest! {
    #[test]
    fn any_split_into_reads_gives_the_same_data_and_the_same_units(
        cuts in prop::collection::vec(0usize..1000, 0..30),
        big in 0usize..200_000,
    ) {
        let mut wire = String::new();
        let mut unit_ends = vec![0u64];
        let mut in_multi = false;
        for request in STREAM {
            wire += &wire_of(request);
            match request {
                "multi" => in_multi = true,
                "exec" => in_multi = false,
                _ => {}
            }
            if !in_multi {
                unit_ends.push(wire.len() as u64);
            }
        }
        wire += &wire_of(&format!("set big {}", "v".repeat(big.max(1))));
        unit_ends.push(wire.len() as u64);
        let mut whole = World::new();
        let primary = whole.become_replica();
        whole.engine.feed_primary(primary, wire.as_bytes(), &mut whole.host);

        let mut world = World::new();
        let primary = world.become_replica();
        let mut cuts: Vec<usize> = cuts.iter().map(|at| at * wire.len() / 1000).collect();
        cuts.push(wire.len());
        cuts.sort();
        let mut at = 0;
        for cut in cuts {
            let done = world
                .engine
                .feed_primary(primary, &wire.as_bytes()[at..cut], &mut world.host)
                .expect("the session stays");
            at = cut;
            let expected = unit_ends.iter().rfind(|end| **end <= at as u64);
            prop_assert_eq!(Some(&done), expected);
        }
        prop_assert_eq!(world.engine.stream_db(primary), 4);
        prop_assert_eq!(contents(&mut world), contents(&mut whole));
        prop_assert_eq!(world.host.door.asked, whole.host.door.asked);
    }
}

#[test]
fn a_session_that_became_a_replicas_link_is_never_written_to() {
    let mut world = World::with(|c| c.timeout = 1);
    world.engine.record_effects(EffectsReader::Replicas, true);
    let (replica, other) = (world.client(), world.client());
    world.say(replica, "hello 3\nsubscribe c\n");
    assert_eq!(
        world.say(replica, "psync ? -1\nreplconf ack 5\nreplconf ack 6\n"),
        ""
    );
    assert!(
        world
            .engine
            .sessions
            .get(replica.0)
            .is_some_and(|s| s.is_replica_link())
    );
    world.say(other, "publish c m\n");
    world.wait_ms(5000);
    assert_eq!(world.received(replica), "");
    assert_eq!(
        world.host.door.asked,
        ["psync ? -1", "replconf ack 5", "replconf ack 6"]
    );
    let other = world.client();
    let line = world.call(other, "client list type replica");
    assert!(line.contains(" flags=SP "), "{line}");
    assert_eq!(world.call(other, "client list type slave"), line);
    assert!(
        world
            .call(other, "info clients")
            .contains("connected_clients:1 ")
    );
    assert_eq!(world.call(other, "client kill type replica"), ":1");
}

#[test]
fn a_replica_that_asks_for_more_than_the_stream_is_cut_off() {
    let mut world = World::new();
    let (getter, pinger) = (world.client(), world.client());
    assert_eq!(world.say(getter, "psync ? -1\nget a\n"), "");
    assert!(world.engine.sessions.get(getter.0).is_none());
    let log = std::mem::take(&mut world.host.log);
    assert_eq!(
        log[0],
        "== CRITICAL == This master is sending an error to its replica: 'ERR Replica can't interact with the keyspace' after processing the command 'get'"
    );
    assert!(
        log[1].starts_with("Replica generated a reply to command 'get', disconnecting it: id=1 ")
    );
    world.say(pinger, "sync\nping\nping\n");
    assert!(world.host.log[0].starts_with("Replica generated a reply to command 'ping'"));
    assert_eq!(world.host.log.len(), 1);
}

#[test]
fn links_take_no_part_in_client_eviction() {
    let mut world = World::with(|c| c.maxmemory_clients = config::ClientsMemory::Bytes(2000));
    let replica = world.client();
    world.say(replica, "psync ? -1\n");
    let primary = world.become_replica();
    world.stream(primary, &format!("set a {}", "v".repeat(100_000)));
    for id in [primary, replica.0] {
        let session = world.engine.sessions.get(id).expect("not evicted");
        assert!(!session.flags.has(SessionFlags::CLOSE_ASAP));
    }
}
