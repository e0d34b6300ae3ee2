//! Runbook R2, replication: what operators type to set it up, watch it, hand it over and break it,
//! and what they see. What only newer releases than Debian's 7.0 have is asked of ours alone.

mod support;

use std::io::{Read, Write};
use std::time::Duration;
use support::replication::{Node, PASSWORD, PATIENCE, Who, wait_until_equal};
use testkit::{Connection, Options, Proxy, Server, poll_until, render};

fn start(extra: &[(&str, &str)]) -> Node {
    Node::start(Who::Ours, extra).expect("ours is always there")
}

/// A primary and replicas of it, which follow it without a proxy and are up.
fn start_group(replicas: usize, extra: &[(&str, &str)]) -> (Node, Vec<Node>) {
    let mut primary = start(extra);
    primary.line("SET first value");
    let port = primary.port();
    let replicas = (0..replicas).map(|_| {
        let mut node = start(extra);
        follow(&mut node, port);
        node
    });
    (primary, replicas.collect())
}

fn follow(node: &mut Node, port: u16) {
    assert_eq!(node.line(&format!("REPLICAOF 127.0.0.1 {port}")), "OK");
    node.wait_for_link();
}

/// The lines of INFO replication.
fn section(node: &mut Node) -> Vec<String> {
    let reply = node.client().command(&["INFO", "replication"]);
    let text = reply.as_str().expect("INFO is text");
    text.lines().map(str::to_string).collect()
}

fn names(lines: &[String]) -> Vec<&str> {
    let lines = lines.iter().filter(|line| !line.is_empty());
    let names = lines.map(|line| line.split(':').next().unwrap_or(line));
    // Ours add two of their own at the end.
    names.filter(|name| !name.starts_with("redan_")).collect()
}

#[test]
fn the_primary_stands_in_the_file_under_its_old_and_its_new_name() {
    let mut primary = start(&[]);
    primary.line("SET first value");
    for word in ["replicaof", "slaveof"] {
        let config = format!(
            "{word} 127.0.0.1 {}\nmasterauth {PASSWORD}\nrequirepass {PASSWORD}\n",
            primary.port()
        );
        let server = Server::start(&Options::subject().config(&config));
        let mut client = support::replication::authenticated(server.port());
        support::wait_for_info(&mut client, "master_link_status", "up");
        assert_eq!(render(&client.command(&["GET", "first"])), "\"value\"");
    }
}

#[test]
fn a_live_change_survives_a_rewrite_of_the_file() {
    let mut primary = start(&[]);
    primary.line("SET first value");
    let config = format!("requirepass {PASSWORD}\nenable-debug-command yes\n");
    let mut replica = Node::of(Who::Ours, &Options::subject().config(&config));
    let file = replica.server.directory().join("test.conf");
    assert_eq!(
        replica.line(&format!("CONFIG SET masterauth {PASSWORD}")),
        "OK"
    );
    let port = primary.port();
    assert_eq!(replica.line(&format!("SLAVEOF 127.0.0.1 {port}")), "OK");
    replica.wait_for_link();
    assert_eq!(replica.line("CONFIG SET replica-priority 50"), "OK");
    assert_eq!(replica.line("CONFIG REWRITE"), "OK");
    let text = std::fs::read_to_string(&file).expect("the file is there");
    let has = |text: &str, line: &str| text.lines().any(|one| one.trim() == line);
    assert!(has(&text, &format!("replicaof 127.0.0.1 {port}")), "{text}");
    assert!(has(&text, "replica-priority 50"), "{text}");
    assert!(text.contains("masterauth"), "{text}");

    assert!(replica.server.stop().success());
    replica.server.restart();
    replica.reconnect();
    replica.wait_for_link();
    assert_eq!(replica.line("GET first"), "\"value\"");
    assert_eq!(
        replica.line("CONFIG GET replica-priority"),
        r#"["replica-priority", "50"]"#
    );

    replica.promote();
    assert_eq!(replica.line("GET first"), "\"value\"");
    assert_eq!(replica.line("CONFIG REWRITE"), "OK");
    let text = std::fs::read_to_string(&file).expect("the file is there");
    assert!(
        !text.lines().any(|line| line.starts_with("replicaof")),
        "{text}"
    );
}

#[test]
fn info_of_a_primary_and_its_replicas_has_every_field_in_its_place() {
    let (mut primary, mut replicas) = start_group(2, &[]);
    let [one, other] = replicas.as_mut_slice() else {
        panic!("two were started");
    };
    wait_until_equal(&mut [&mut primary, one, other]);
    let acknowledged = |node: &mut Node| node.line("WAIT 2 1000") == "2";
    poll_until(PATIENCE, "both acknowledge", || acknowledged(&mut primary));
    let lines = section(&mut primary);
    assert_eq!(
        names(&lines),
        [
            "# Replication",
            "role",
            "connected_slaves",
            "slave0",
            "slave1",
            "replicas_waiting_psync",
            "master_failover_state",
            "master_replid",
            "master_replid2",
            "master_repl_offset",
            "second_repl_offset",
            "repl_backlog_active",
            "repl_backlog_size",
            "repl_backlog_first_byte_offset",
            "repl_backlog_histlen",
        ]
    );
    for line in [
        "role:master",
        "connected_slaves:2",
        "master_failover_state:no-failover",
        "master_replid2:0000000000000000000000000000000000000000",
        "second_repl_offset:-1",
        "repl_backlog_active:1",
        "repl_backlog_size:1048576",
        "repl_backlog_first_byte_offset:1",
    ] {
        assert!(lines.iter().any(|one| one == line), "{line} in {lines:?}");
    }
    let offset = primary.info("master_repl_offset");
    for (name, node) in [("slave0", one.port()), ("slave1", other.port())] {
        let value = primary.info(name);
        let expected = format!("ip=127.0.0.1,port={node},state=online,offset={offset},lag=");
        assert!(
            value.starts_with(&expected),
            "{value} begins with {expected}"
        );
        let lag = value.rsplit('=').next().expect("a lag");
        assert!(["0", "1"].contains(&lag), "{value}");
    }
    assert_eq!(primary.info("repl_backlog_histlen"), offset);
    check_replica_fields(one, &primary.info("master_replid"), primary.port());
}

fn check_replica_fields(replica: &mut Node, id: &str, primary: u16) {
    let lines = section(replica);
    assert_eq!(
        names(&lines),
        [
            "# Replication",
            "role",
            "master_host",
            "master_port",
            "master_link_status",
            "master_last_io_seconds_ago",
            "master_sync_in_progress",
            "slave_read_repl_offset",
            "slave_repl_offset",
        ]
        .into_iter()
        // Redis 7.4 has these, Debian's 7.0 has not.
        .chain(
            ["replicas_repl_buffer_size", "replicas_repl_buffer_peak"]
                .into_iter()
                .filter(|_| Who::Ours.is_redan())
        )
        .chain([
            "slave_priority",
            "slave_read_only",
            "replica_announced",
            "connected_slaves",
            "replicas_waiting_psync",
            "master_failover_state",
            "master_replid",
            "master_replid2",
            "master_repl_offset",
            "second_repl_offset",
            "repl_backlog_active",
            "repl_backlog_size",
            "repl_backlog_first_byte_offset",
            "repl_backlog_histlen",
        ])
        .collect::<Vec<&str>>()
    );
    let port = format!("master_port:{primary}");
    let id = format!("master_replid:{id}");
    for line in [
        "role:slave",
        "master_host:127.0.0.1",
        &port,
        "master_link_status:up",
        "master_sync_in_progress:0",
        "slave_priority:100",
        "slave_read_only:1",
        "replica_announced:1",
        "connected_slaves:0",
        &id,
        "second_repl_offset:-1",
    ] {
        assert!(lines.iter().any(|one| one == line), "{line} in {lines:?}");
    }
}

#[test]
fn offsets_on_both_ends_tell_when_a_replica_has_caught_up() {
    let (mut primary, mut replicas) = start_group(1, &[]);
    let replica = &mut replicas[0];
    for number in 0..1000 {
        primary.line(&format!("SET key:{number} {number}"));
    }
    let offset = primary.info_number("master_repl_offset");
    poll_until(PATIENCE, "the replica is as far", || {
        replica.info_number("slave_repl_offset") >= offset
    });
    assert_eq!(replica.line("GET key:999"), "\"999\"");
}

#[test]
fn a_replica_refuses_writes_unless_it_may_be_written() {
    let (mut primary, mut replicas) = start_group(1, &[]);
    let replica = &mut replicas[0];
    let refused = "-READONLY You can't write against a read only replica.";
    assert_eq!(replica.line("SET key value"), refused);
    assert_eq!(replica.line("FLUSHALL"), refused);
    replica.line("MULTI");
    assert_eq!(replica.line("SET key value"), refused);
    assert!(replica.line("EXEC").starts_with("-EXECABORT"));
    assert_eq!(replica.line("CONFIG SET slave-read-only no"), "OK");
    assert_eq!(replica.line("SET own value"), "OK");
    assert_eq!(replica.info("slave_read_only"), "0");
    // Its own writes are nobody's history.
    assert_eq!(primary.line("EXISTS own"), "0");
    assert_eq!(replica.line("CONFIG SET replica-read-only yes"), "OK");
    assert_eq!(replica.line("SET own other"), refused);
}

#[test]
fn a_cascade_shows_its_middle_as_both() {
    let (mut primary, mut replicas) = start_group(2, &[]);
    let [middle, last] = replicas.as_mut_slice() else {
        panic!("two were started");
    };
    follow(last, middle.port());
    assert_eq!(middle.info("role"), "slave");
    assert_eq!(middle.info("connected_slaves"), "1");
    primary.line("SET through both");
    wait_until_equal(&mut [&mut primary, middle, last]);
    primary.wait_for_info("connected_slaves", "1");
    assert_eq!(last.info("master_port"), middle.port().to_string());
}

#[test]
fn role_says_who_is_who() {
    let (mut primary, mut replicas) = start_group(1, &[]);
    let replica = &mut replicas[0];
    wait_until_equal(&mut [&mut primary, replica]);
    poll_until(PATIENCE, "it is acknowledged", || {
        primary.line("WAIT 1 1000") == "1"
    });
    let offset = primary.info("master_repl_offset");
    assert_eq!(
        primary.line("ROLE"),
        format!(
            r#"["master", {offset}, [["127.0.0.1", "{}", "{offset}"]]]"#,
            replica.port()
        )
    );
    assert_eq!(
        replica.line("ROLE"),
        format!(
            r#"["slave", "127.0.0.1", {}, "connected", {offset}]"#,
            primary.port()
        )
    );
    primary.server.kill();
    replica.wait_for_info("master_link_status", "down");
    let role = replica.line("ROLE");
    let begins = format!(r#"["slave", "127.0.0.1", {}, "connect"#, primary.port());
    assert!(
        role.starts_with(&begins) && role.ends_with(", -1]"),
        "{role}"
    );
}

#[test]
fn wait_counts_replicas_and_gives_up_in_time() {
    let (mut primary, mut replicas) = start_group(2, &[]);
    primary.line("SET a 1");
    assert_eq!(primary.line("WAIT 2 5000"), "2");
    replicas[1].server.signal("STOP");
    primary.line("SET a 2");
    assert_eq!(primary.line("WAIT 1 5000"), "1");
    assert_eq!(primary.line("WAIT 2 50"), "1");
    // One that blocks for good ends when the replica is back.
    let mut waiting = primary.connect();
    waiting.command(&["SET", "a", "3"]);
    waiting.send(&["WAIT", "2", "0"]);
    primary.wait_for_info("blocked_clients", "1");
    replicas[1].server.signal("CONT");
    assert_eq!(render(&waiting.receive()), "2");
    assert_eq!(primary.line("WAIT -1 0"), "2");
    assert_eq!(primary.line("WAIT 1 -1"), "-ERR timeout is negative");
    let refused = replicas[0].line("WAIT 1 0");
    assert!(
        refused.starts_with("-ERR WAIT cannot be used with replica instances."),
        "{refused}"
    );
    primary.line("MULTI");
    primary.line("WAIT 2 1000");
    // It does not block there, and counts who has everything up to now.
    let counted = primary.line("EXEC");
    assert!(["[0]", "[1]", "[2]"].contains(&&*counted), "{counted}");
}

#[test]
fn waitaof_counts_what_is_on_disk() {
    if !Who::Ours.is_redan() {
        return;
    }
    let (mut primary, mut replicas) = start_group(1, &[]);
    let refused = primary.line("WAITAOF 1 0 0");
    assert!(
        refused.starts_with("-ERR WAITAOF cannot be used when numlocal is set"),
        "{refused}"
    );
    assert_eq!(primary.line("CONFIG SET appendonly yes"), "OK");
    primary.wait_for_info("aof_rewrite_in_progress", "0");
    primary.line("SET a 1");
    assert_eq!(primary.line("WAITAOF 1 0 5000"), "[1, 0]");
    assert_eq!(primary.line("WAITAOF 0 1 50"), "[1, 0]");
    assert_eq!(replicas[0].line("CONFIG SET appendonly yes"), "OK");
    replicas[0].wait_for_info("aof_rewrite_in_progress", "0");
    primary.line("SET a 2");
    assert_eq!(primary.line("WAITAOF 1 1 10000"), "[1, 1]");
    let refused = replicas[0].line("WAITAOF 0 1 0");
    assert!(
        refused.starts_with("-ERR WAITAOF cannot be used with replica instances."),
        "{refused}"
    );
}

#[test]
fn failover_hands_over_without_losing_a_write() {
    let (mut primary, mut replicas) = start_group(2, &[]);
    let [target, other] = replicas.as_mut_slice() else {
        panic!("two were started");
    };
    poll_until(PATIENCE, "both are online", || {
        primary.line("WAIT 2 1000") == "2"
    });
    let port = target.port();
    primary.line("SET last words");
    assert_eq!(primary.line(&format!("FAILOVER TO 127.0.0.1 {port}")), "OK");
    target.wait_for_info("role", "master");
    primary.wait_for_info("role", "slave");
    primary.wait_for_link();
    primary.wait_for_info("master_failover_state", "no-failover");
    assert_eq!(target.line("GET last"), "\"words\"");
    assert_eq!(target.line("SET written here"), "OK");
    // Nobody needed a full copy, the old primary's other replica included.
    wait_until_equal(&mut [target, &mut primary, other]);
    assert_eq!(primary.line("GET written"), "\"here\"");
    assert_eq!(target.info("sync_full"), "0");
    assert_eq!(other.info("role"), "slave");
    // And back, to whoever is there.
    poll_until(PATIENCE, "the old primary is online", || {
        target.line("WAIT 1 1000") == "1"
    });
    assert_eq!(target.line("FAILOVER"), "OK");
    primary.wait_for_info("role", "master");
    target.wait_for_link();
}

#[test]
fn failover_refuses_what_makes_no_sense() {
    let (mut primary, mut replicas) = start_group(1, &[]);
    for (command, reply) in [
        (
            "FAILOVER TO 127.0.0.1 1",
            "-ERR FAILOVER target HOST and PORT is not a replica.",
        ),
        (
            "FAILOVER TIMEOUT -5",
            "-ERR FAILOVER timeout must be greater than 0",
        ),
        ("FAILOVER TO 127.0.0.1", "-ERR syntax error"),
        (
            "FAILOVER FORCE",
            "-ERR FAILOVER with force option requires both a timeout and target HOST and IP.",
        ),
        ("FAILOVER ABORT", "-ERR No failover in progress."),
    ] {
        assert_eq!(primary.line(command), reply, "{command}");
    }
    assert_eq!(
        replicas[0].line("FAILOVER"),
        "-ERR FAILOVER is not valid when server is a replica."
    );
    let mut alone = start(&[]);
    assert_eq!(
        alone.line("FAILOVER"),
        "-ERR FAILOVER requires connected replicas."
    );
}

#[test]
fn failover_can_be_aborted_times_out_and_can_be_forced() {
    let (mut primary, mut replicas) = start_group(1, &[]);
    let replica = &mut replicas[0];
    poll_until(PATIENCE, "it is online", || {
        primary.line("WAIT 1 1000") == "1"
    });
    let to = format!("FAILOVER TO 127.0.0.1 {}", replica.port());
    replica.server.signal("STOP");
    primary.line("SET not there");
    assert_eq!(primary.line(&to), "OK");
    assert_eq!(primary.info("master_failover_state"), "waiting-for-sync");
    assert_eq!(primary.line(&to), "-ERR FAILOVER already in progress.");
    let refused = primary.line("REPLICAOF 127.0.0.1 1");
    assert_eq!(refused, "-ERR REPLICAOF not allowed while failing over.");
    // Writes wait meanwhile, reads do not.
    let mut writer = primary.connect();
    writer.send(&["SET", "paused", "write"]);
    primary.wait_for_info("blocked_clients", "1");
    assert_eq!(primary.line("GET not"), "\"there\"");
    assert_eq!(primary.line("FAILOVER ABORT"), "OK");
    assert_eq!(render(&writer.receive()), "OK");
    assert_eq!(primary.info("master_failover_state"), "no-failover");
    assert_eq!(primary.info("role"), "master");

    assert_eq!(primary.line(&format!("{to} TIMEOUT 50")), "OK");
    primary.wait_for_log("aborted: Replica never caught up before timeout");
    assert_eq!(primary.line("SET goes on"), "OK");

    // Forced: the primary gives up its role although the replica is not there yet.
    assert_eq!(primary.line(&format!("{to} FORCE TIMEOUT 50")), "OK");
    primary.wait_for_info("master_failover_state", "failover-in-progress");
    replica.server.signal("CONT");
    replica.wait_for_info("role", "master");
    primary.wait_for_link();
    wait_until_equal(&mut [&mut primary, replica]);
}

#[test]
fn a_primary_without_enough_good_replicas_refuses_writes() {
    let extra = [("min-slaves-to-write", "1"), ("min-replicas-max-lag", "2")];
    let mut primary = start(&extra);
    let refused = "-NOREPLICAS Not enough good replicas to write.";
    assert_eq!(primary.line("SET key value"), refused);
    assert_eq!(primary.line("GET key"), "nil");
    let mut replica = start(&[]);
    follow(&mut replica, primary.port());
    poll_until(PATIENCE, "writes are taken", || {
        primary.line("SET key value") == "OK"
    });
    assert_eq!(primary.info("min_slaves_good_slaves"), "1");
    replica.server.signal("STOP");
    poll_until(PATIENCE, "writes are refused", || {
        primary.line("SET key value") == refused
    });
    replica.server.signal("CONT");
    poll_until(PATIENCE, "writes are taken", || {
        primary.line("SET key value") == "OK"
    });
    assert_eq!(primary.line("CONFIG SET min-replicas-to-write 2"), "OK");
    assert_eq!(primary.line("SET key value"), refused);
}

#[test]
fn links_are_listed_as_clients_and_can_be_killed_by_type() {
    let (mut primary, mut replicas) = start_group(1, &[]);
    let replica = &mut replicas[0];
    for name in ["slave", "replica"] {
        let list = primary.line(&format!("CLIENT LIST TYPE {name}"));
        assert!(list.contains("flags=S"), "{list}");
    }
    let list = replica.line("CLIENT LIST TYPE master");
    assert!(list.contains("flags=M"), "{list}");
    let partial = primary.info_number("sync_partial_ok");
    assert_eq!(primary.line("CLIENT KILL TYPE slave"), "1");
    poll_until(PATIENCE, "the replica has come back", || {
        primary.info_number("sync_partial_ok") == partial + 1
    });
    replica.wait_for_link();
    assert_eq!(replica.line("CLIENT KILL TYPE master"), "1");
    poll_until(PATIENCE, "the replica has come back", || {
        primary.info_number("sync_partial_ok") == partial + 2
    });
    assert_eq!(primary.info("sync_full"), "1");
    primary.line("SET after all");
    wait_until_equal(&mut [&mut primary, replica]);
}

#[test]
fn stale_data_is_served_or_refused_as_configured() {
    let (mut primary, mut replicas) = start_group(1, &[]);
    let replica = &mut replicas[0];
    primary.line("SET key value");
    wait_until_equal(&mut [&mut primary, replica]);
    primary.server.kill();
    replica.wait_for_info("master_link_status", "down");
    assert_eq!(replica.line("GET key"), "\"value\"");
    assert_eq!(replica.line("CONFIG SET replica-serve-stale-data no"), "OK");
    let refused =
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    assert_eq!(replica.line("GET key"), refused);
    assert_eq!(replica.line("PING"), refused);
    assert!(replica.line("INFO replication").contains("role:slave"));
    assert_eq!(replica.line("CONFIG SET slave-serve-stale-data yes"), "OK");
    assert_eq!(replica.line("GET key"), "\"value\"");
}

/// The ids and the offset are in the dump, so nobody has to copy it all again.
#[test]
fn a_primary_that_is_restarted_cleanly_goes_on_where_it_was() {
    let extra = [("save", "3600 1")];
    let mut primary = start(&extra);
    let mut replica = start(&[]);
    follow(&mut replica, primary.port());
    for number in 0..100 {
        primary.line(&format!("SET key:{number} {number}"));
    }
    wait_until_equal(&mut [&mut primary, &mut replica]);
    let id = primary.info("master_replid");
    assert!(primary.server.stop().success());
    replica.wait_for_info("master_link_status", "down");
    primary.server.restart();
    primary.reconnect();
    replica.wait_for_link();
    assert_eq!(primary.syncs_served(), (0, 1));
    assert_ne!(primary.info("master_replid"), id);
    assert_eq!(primary.info("master_replid2"), id);
    primary.line("SET after restart");
    wait_until_equal(&mut [&mut primary, &mut replica]);
    assert_eq!(replica.line("DBSIZE"), "101");
}

#[test]
fn a_replica_that_is_restarted_cleanly_goes_on_where_it_was() {
    let mut primary = start(&[]);
    let mut replica = start(&[("save", "3600 1")]);
    follow(&mut replica, primary.port());
    primary.line("SET before restart");
    wait_until_equal(&mut [&mut primary, &mut replica]);
    assert!(replica.server.stop().success());
    primary.line("SET meanwhile written");
    let options = Who::Ours.options().expect("ours is always there");
    let options = options
        .option("save", "3600 1")
        .option("replicaof", &format!("127.0.0.1 {}", primary.port()));
    replica.server.restart_with(&options);
    replica.reconnect();
    replica.wait_for_link();
    wait_until_equal(&mut [&mut primary, &mut replica]);
    assert_eq!(primary.syncs_served(), (1, 1));
}

#[test]
fn snapshots_go_out_streamed_or_whole() {
    for (diskless, log) in [
        (
            "yes",
            "Starting BGSAVE for SYNC with target: replicas sockets",
        ),
        ("no", "Starting BGSAVE for SYNC with target: disk"),
    ] {
        let (mut primary, mut replicas) = start_group(3, &[("repl-diskless-sync", diskless)]);
        assert!(primary.log().contains(log), "{diskless}: {}", primary.log());
        let [one, other, third] = replicas.as_mut_slice() else {
            panic!("three were started");
        };
        primary.line("SET all three");
        wait_until_equal(&mut [&mut primary, one, other, third]);
    }
}

#[test]
fn several_replicas_share_one_snapshot() {
    let mut primary = start(&[("repl-diskless-sync-delay", "2")]);
    primary.line("SET shared yes");
    let mut replicas: Vec<Node> = (0..3).map(|_| start(&[])).collect();
    for replica in &mut replicas {
        replica.line(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
    }
    for replica in &mut replicas {
        replica.wait_for_link();
    }
    assert_eq!(primary.log().matches("Starting BGSAVE for SYNC").count(), 1);
    assert_eq!(primary.info("connected_slaves"), "3");
}

/// As replicas older than 2.8 ask: no handshake, no offset, a length and a dump.
#[test]
fn sync_serves_replicas_of_old() {
    let mut primary = start(&[]);
    primary.line("SET first value");
    let mut socket = primary.server.socket();
    let mut received = Vec::new();
    let mut ask = |request: &str, received: &mut Vec<u8>, awaited: &[u8]| {
        let written = socket.write_all(request.as_bytes());
        written.expect("the primary listens");
        let mut chunk = [0; 4096];
        let has = |bytes: &[u8]| bytes.windows(awaited.len()).any(|window| window == awaited);
        while !has(received) {
            let length = socket.read(&mut chunk).expect("the primary answers");
            assert_ne!(length, 0, "closed: {}", received.escape_ascii());
            received.extend_from_slice(&chunk[..length]);
        }
    };
    ask(&format!("AUTH {PASSWORD}\r\n"), &mut received, b"+OK\r\n");
    received.clear();
    ask("SYNC\r\n", &mut received, b"REDIS0");
    ask("", &mut received, b"first");
    let text = String::from_utf8_lossy(&received).into_owned();
    assert!(text.trim_start().starts_with('$'), "{text}");
    primary.wait_for_info("connected_slaves", "1");
    primary.line("SET streamed too");
    ask("", &mut received, b"streamed");
}

#[test]
fn old_data_is_served_until_the_new_is_whole() {
    if !Who::Ours.is_redan() {
        // Redis does this for a history that it shares with its primary only.
        return;
    }
    let mut primary = start(&[]);
    let value = "v".repeat(1000);
    for number in 0..2000 {
        primary.say(&["SET", &format!("new:{number}"), &value]);
    }
    let mut replica = start(&[("repl-diskless-load", "swapdb")]);
    replica.line("SET old data");
    let proxy = Proxy::start(primary.port());
    proxy.delay(Duration::from_millis(30));
    let via = proxy.port();
    assert_eq!(replica.line(&format!("REPLICAOF 127.0.0.1 {via}")), "OK");
    replica.wait_for_info("async_loading", "1");
    assert_eq!(replica.info("master_sync_in_progress"), "1");
    assert_eq!(replica.line("GET old"), "\"data\"");
    assert_eq!(replica.line("EXISTS new:0"), "0");
    // It fails half-way: the old data is still there.
    proxy.cut();
    replica.wait_for_info("async_loading", "0");
    assert_eq!(replica.line("GET old"), "\"data\"");
    assert_eq!(replica.line("DBSIZE"), "1");
    proxy.open();
    replica.wait_for_link();
    assert_eq!(replica.line("EXISTS old new:1999"), "1");
    wait_until_equal(&mut [&mut primary, &mut replica]);
}

#[test]
fn addresses_are_announced_as_configured() {
    let mut primary = start(&[]);
    let extra = [
        ("replica-announce-ip", "10.0.0.28"),
        ("slave-announce-port", "6400"),
        ("slave-priority", "7"),
        ("replica-announced", "no"),
    ];
    let mut replica = start(&extra);
    follow(&mut replica, primary.port());
    let announced = primary.info("slave0");
    assert!(
        announced.starts_with("ip=10.0.0.28,port=6400,state=online"),
        "{announced}"
    );
    assert_eq!(replica.info("slave_priority"), "7");
    assert_eq!(replica.info("replica_announced"), "0");
}

#[test]
fn expired_keys_are_gone_for_readers_and_deleted_by_the_primary_alone() {
    let (mut primary, mut replicas) = start_group(1, &[]);
    let replica = &mut replicas[0];
    assert_eq!(primary.line("DEBUG SET-ACTIVE-EXPIRE 0"), "OK");
    primary.line("SET short lived PX 50");
    wait_until_equal(&mut [&mut primary, replica]);
    poll_until(PATIENCE, "it is gone for readers", || {
        replica.line("GET short") == "nil"
    });
    assert_eq!(replica.line("EXISTS short"), "0");
    assert_eq!(replica.line("DBSIZE"), "2");
    assert_eq!(primary.line("GET short"), "nil");
    poll_until(PATIENCE, "the primary's deletion has arrived", || {
        replica.line("DBSIZE") == "1"
    });
}

#[test]
fn subscribers_of_a_replica_hear_what_is_published_at_the_primary() {
    let (mut primary, replicas) = start_group(1, &[]);
    let mut subscriber: Connection = replicas[0].connect();
    subscriber.command(&["SUBSCRIBE", "news"]);
    primary.line("PUBLISH news hello");
    assert_eq!(
        render(&subscriber.receive()),
        r#"["message", "news", "hello"]"#
    );
}

#[test]
fn clients_that_block_are_sent_away_when_their_server_becomes_a_replica() {
    let mut primary = start(&[]);
    let mut node = start(&[]);
    let mut blocked = node.connect();
    blocked.send(&["BLPOP", "list", "0"]);
    node.wait_for_info("blocked_clients", "1");
    node.line(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
    assert_eq!(
        render(&blocked.receive()),
        "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
    );
    assert_eq!(blocked.try_receive(), None);
    node.wait_for_link();
    primary.line("RPUSH list element");
    wait_until_equal(&mut [&mut primary, &mut node]);
}
