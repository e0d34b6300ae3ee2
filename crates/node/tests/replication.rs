//! Replication between whole nodes over model connections, case by case: what is kept when a
//! snapshot does not arrive, what transactions and promotions mean for the history, which files are
//! left. `replication_lives.rs` does all of it at random.

mod support;

use config::{AppendFsync, Config};
use engine::ConnInfo;
use node::replication::Want;
use support::contents::Contents;
use support::disk::ModelDisk;
use support::network::{Network, Weather};
use support::{Client, TestNode};

fn quick(_: &mut Config) {}

fn with_aof(config: &mut Config) {
    config.appendonly = true;
    config.appendfsync = AppendFsync::Always;
}

/// A primary with data, and a node with other data.
fn two(configure: fn(&mut Config)) -> (Network, usize, usize) {
    let mut net = Network::new(7);
    let (a, b) = (net.add(configure), net.add(configure));
    for n in 0..20 {
        net.ask(a, &format!("RPUSH list{n} one two three {n}"));
        net.ask(a, &format!("HSET hash{n} field {n}"));
    }
    net.ok(b, "SET own data");
    (net, a, b)
}

fn send_all(net: &mut Network, index: usize, requests: &[&str]) -> String {
    let client = net.node(index).client();
    for request in requests {
        let words: Vec<&str> = request.split(' ').collect();
        net.node(index).send(client, &words);
    }
    net.turn(index);
    net.node(index).received(client)
}

#[test]
fn a_snapshot_that_is_cut_at_any_byte_leaves_the_old_data_until_a_whole_one_has_come() {
    let whole: fn(&mut Config) = |config| config.repl_diskless_sync = false;
    for configure in [quick, whole] {
        let mut cuts = 0;
        for after in (0..2500).step_by(19) {
            let (mut net, a, b) = two(configure);
            net.weather.piece_max_bytes = 200;
            net.cut_after = Some((a, after));
            let old = net.contents(b);
            let new = net.contents(a);
            net.follow(b, a);
            let mut was_whole = false;
            net.until("in sync", |net| {
                let now = net.contents(b);
                was_whole |= now == new;
                assert!(now == new || (now == old && !was_whole), "after {after}");
                net.is_in_sync(b, a)
            });
            assert!(net.node(b).engine.keyspace.live_count() == 40);
            cuts += u64::from(net.cut_after.is_none());
        }
        assert!(cuts > 30, "{cuts}");
    }
}

#[test]
fn a_transaction_with_replicaof_in_it_is_history_as_a_whole() {
    for first in ["INCR one", "INCR text"] {
        let (mut net, a, b) = two(quick);
        net.follow(b, a);
        net.until_in_sync(b, a);
        net.ok(a, "SET text words");
        net.until_in_sync(b, a);
        let before = net.position(a).expect("it has a history");
        let at_b = "REPLICAOF 10.0.0.2 7001";
        send_all(&mut net, a, &["MULTI", first, at_b, "INCR two", "EXEC"]);
        let after = net.position(a).expect("it has a history");
        assert_eq!(before.id, after.id);
        assert!(after.offset > before.offset);
        assert!(net.node(a).engine.role().is_replica);
        net.ok(b, "REPLICAOF NO ONE");
        net.until_in_sync(a, b);
    }
}

#[test]
fn the_last_replicaof_counts_whether_in_a_transaction_or_not() {
    let (mut net, a, b) = two(quick);
    let c = net.add(quick);
    let (to_b, to_c) = ("REPLICAOF 10.0.0.2 7001", "REPLICAOF 10.0.0.3 7002");
    let port = |net: &mut Network| net.field(a, "master_port");
    send_all(&mut net, a, &["MULTI", to_b, to_c, "EXEC"]);
    assert_eq!(port(&mut net).as_deref(), Some("7002"));
    send_all(&mut net, a, &["MULTI", "REPLICAOF NO ONE", "EXEC"]);
    assert_eq!(port(&mut net), None);
    send_all(&mut net, a, &["MULTI", to_c, "EXEC", to_b]);
    assert_eq!(port(&mut net).as_deref(), Some("7001"));
    send_all(&mut net, a, &["MULTI", to_c, to_b, "EXEC"]);
    assert_eq!(port(&mut net).as_deref(), Some("7001"));
    send_all(
        &mut net,
        a,
        &[
            "REPLICAOF NO ONE",
            "MULTI",
            to_c,
            "REPLICAOF NO ONE",
            "EXEC",
        ],
    );
    assert_eq!(port(&mut net), None);
    let reply = send_all(&mut net, a, &["MULTI", to_c, "FAILOVER", "EXEC"]);
    assert!(reply.contains("-ERR FAILOVER is not valid"), "{reply}");
    assert_eq!(port(&mut net).as_deref(), Some("7002"));
    let _ = (b, c);
}

/// Sentinel's way of promoting: CONFIG REWRITE stands in the same transaction.
#[test]
fn a_transaction_that_promotes_knows_so_at_once_and_replicas_go_on() {
    let (mut net, a, b) = two(quick);
    let c = net.add(quick);
    net.follow(b, a);
    net.until_in_sync(b, a);
    net.follow(c, b);
    net.until_in_sync(c, b);
    let reply = send_all(
        &mut net,
        b,
        &["MULTI", "REPLICAOF NO ONE", "CONFIG GET replicaof", "EXEC"],
    );
    assert!(reply.ends_with("+OK *2 $9 replicaof $0"), "{reply}");
    net.ok(b, "SET key value");
    net.until_in_sync(c, b);
    assert_eq!(net.field(b, "sync_partial_ok").as_deref(), Some("1"));
}

/// What a demotion discards, and in which database it was.
#[test]
fn writes_that_a_demotion_discards_are_kept_as_a_file_that_loads() {
    let (mut net, a, b) = two(quick);
    net.follow(b, a);
    net.until_in_sync(b, a);
    send_all(&mut net, a, &["SELECT 2", "SET before 1"]);
    // Till the replica has said that it has it.
    net.run_ms(2000);
    net.until_in_sync(b, a);
    let from = net.position(a).expect("it has a history");
    net.deaf = vec![a];
    net.cut_between(a, b);
    net.run_ms(50);
    send_all(&mut net, a, &["SELECT 2", "SET lost 1", "INCR lost"]);
    send_all(
        &mut net,
        a,
        &["SELECT 1", "MULTI", "RPUSH list 1", "RPUSH list 2", "EXEC"],
    );
    net.ok(b, "REPLICAOF NO ONE");
    net.ok(b, "SET other 1");
    let to = net.position(a).expect("it has a history");
    net.follow(a, b);
    net.until_in_sync(a, b);
    let disk = net.node(a).disk();
    let names: Vec<String> = disk.listed();
    let name = names.iter().find(|name| name.starts_with("discarded-"));
    let name = name.unwrap_or_else(|| panic!("{names:?}"));
    let expected = format!("discarded-{}-{}-{}.aof", from.id, from.offset, to.offset);
    assert_eq!(*name, expected);
    let file = disk.file(name).expect("it is there").to_vec();
    let text = String::from_utf8_lossy(&file);
    assert!(text.contains("# commands 4\r\n"), "{text}");
    let mut disk = ModelDisk::default();
    disk.put("appendonly.aof", &file);
    let found =
        TestNode::start(disk, with_aof).unwrap_or_else(|refused| panic!("{}", refused.log()));
    let mut lost =
        TestNode::start(ModelDisk::default(), quick).unwrap_or_else(|r| panic!("{}", r.log()));
    let client = lost.client();
    for request in ["SELECT 2", "SET lost 2", "SELECT 1", "RPUSH list 1 2"] {
        lost.call(client, request);
    }
    assert_eq!(
        Contents::of(&found.engine.keyspace),
        Contents::of(&lost.engine.keyspace),
        "{text}"
    );
}

#[test]
fn a_primary_that_comes_back_empty_or_nearly_so_does_not_wipe_its_replica() {
    for keys in [0, 5] {
        let (mut net, a, b) = two(quick);
        for n in 0..200 {
            net.ok(a, &format!("SET key{n} {n}"));
        }
        net.follow(b, a);
        net.until_in_sync(b, a);
        let old = net.contents(b);
        net.kill(a);
        net.members[a].disk = ModelDisk::default();
        assert!(net.revive(a, |_| {}).is_ok());
        for n in 0..keys {
            net.ok(a, &format!("SET new{n} {n}"));
        }
        net.run_ms(30_000);
        assert!(net.log(b).contains("keeping our data"), "{}", net.log(b));
        assert_eq!(net.contents(b), old);
        net.ok(b, "REPLICAOF NO ONE");
        net.follow(b, a);
        net.until_in_sync(b, a);
    }
}

#[test]
fn keys_whose_time_has_passed_are_nothing_to_be_guarded() {
    let (mut net, a, b) = two(quick);
    net.ok(a, "FLUSHALL");
    for n in 0..200 {
        net.ok(a, &format!("SET key{n} {n} PX 1000"));
    }
    net.follow(b, a);
    net.until_in_sync(b, a);
    net.kill(a);
    net.members[a].disk = ModelDisk::default();
    net.run_ms(3000);
    assert!(net.revive(a, |_| {}).is_ok());
    net.until_in_sync(b, a);
    assert_eq!(net.ask(b, "DBSIZE"), ":0");
}

#[test]
fn a_primary_that_loses_keys_to_time_while_it_is_away_tells_its_replicas() {
    let (mut net, a, b) = two(quick);
    net.ok(a, "SET short 1 PX 2000");
    net.ok(a, "SET long 1");
    net.follow(b, a);
    net.until_in_sync(b, a);
    net.ok(a, "SAVE");
    net.kill(a);
    net.run_ms(3000);
    assert!(net.revive(a, |_| {}).is_ok());
    net.until_in_sync(b, a);
    assert_eq!(net.field(a, "sync_partial_ok").as_deref(), Some("1"));
    assert_eq!(net.field(a, "sync_full").as_deref(), Some("0"));
    assert_eq!(net.ask(b, "DBSIZE"), ":41");
    assert_eq!(net.contents(a), net.contents(b));
}

/// While it starts over its files hold the old data, then the new: never a mixture, whenever it dies.
#[test]
fn the_files_of_a_replica_that_gets_a_full_sync_load_whenever_it_dies() {
    for is_rewriting in [false, true] {
        let mut found_old = 0;
        let mut found_new = 0;
        for jobs in 0..60 {
            let (mut net, a, b) = two(with_aof);
            net.run_ms(2000);
            let old = net.contents(b);
            net.node(b).disk().is_slow = true;
            if is_rewriting {
                net.ask(b, "BGREWRITEAOF");
            }
            let mut seen = vec![old.clone()];
            net.follow(b, a);
            for step in 0..150 {
                // The snapshot, and then the stream behind it.
                if step > 20 && step % 10 == 0 {
                    net.ask(a, &format!("RPUSH list{} more", step / 10));
                    net.ask(a, "RPUSH own text");
                }
                net.step(10);
                let contents = net.contents(b);
                if seen.last() != Some(&contents) {
                    seen.push(contents);
                }
                if step >= 150 - jobs || step < jobs / 8 {
                    net.node(b).disk().run_one();
                }
            }
            net.kill(b);
            let disk = net.members[b].disk.after_death();
            let again = TestNode::start_at(disk, net.now_ns / 1_000_000, with_aof);
            let again = again.unwrap_or_else(|refused| panic!("{}", refused.log()));
            let contents = Contents::of(&again.engine.keyspace);
            assert!(
                seen.contains(&contents),
                "{jobs} {contents:?} {}",
                again.log()
            );
            found_old += u64::from(contents == old);
            found_new += u64::from(contents != old);
        }
        assert!(found_old > 3 && found_new > 3, "{found_old} {found_new}");
    }
}

#[test]
fn what_is_published_goes_to_replicas_and_into_no_file_and_counts_for_offsets() {
    let (mut net, a, b) = two(with_aof);
    net.follow(b, a);
    net.until_in_sync(b, a);
    let listener = net.node(b).client();
    net.call(b, listener, "SUBSCRIBE news");
    let client = net.node(a).client();
    let before = net.position(a).expect("it has a history");
    assert_eq!(net.call(a, client, "PUBLISH news first"), ":0");
    assert!(net.position(a).expect("it has a history").offset > before.offset);
    net.until_in_sync(b, a);
    assert!(net.node(b).received(listener).contains("$5 first"));
    assert_eq!(net.call(a, client, "WAITAOF 1 1 0"), "");
    net.until("waited", |net| net.node(a).received(client) == "*2 :1 :1");
    net.ok(a, "SET key value");
    net.run_ms(100);
    for index in [a, b] {
        let disk = net.node(index).disk();
        for name in disk.listed() {
            let file = String::from_utf8_lossy(disk.file(&name).unwrap_or_default()).into_owned();
            assert!(!file.to_uppercase().contains("PUBLISH"), "{name}");
        }
    }
    // What is held back for the disk, and what is not.
    net.node(a).disk().is_slow = true;
    assert_eq!(net.call(a, client, "PUBLISH news second"), ":0");
    assert_eq!(net.call(a, client, "SET key other"), "");
    assert_eq!(net.ask(a, "PUBLISH news third"), ":0");
    net.node(a).disk().is_slow = false;
    net.until("durable", |net| net.node(a).received(client) == "+OK");
    net.until_in_sync(b, a);
    assert!(net.node(b).received(listener).contains("$5 third"));
}

#[test]
fn a_slow_replica_in_full_sync_slows_writers_and_is_not_cut_off() {
    let mut net = Network::new(3);
    let limited = |config: &mut Config| {
        config.client_output_buffer_limits[1].hard_bytes = 1_000_000;
        config.client_output_buffer_limits[1].soft_bytes = 0;
        config.repl_backlog_size = 16 << 10;
        config.rdbcompression = false;
    };
    let (a, b) = (net.add(limited), net.add(quick));
    let text = "x".repeat(1000);
    for n in 0..200 {
        net.ok(a, &format!("SET key{n} {text}{n}"));
    }
    net.weather = Weather {
        capacity_bytes: 2000,
        piece_max_bytes: 300,
        ..Weather::fair()
    };
    net.follow(b, a);
    let client = net.node(a).client();
    let (mut held, mut written) = (0, 0);
    let mut is_waiting = false;
    for n in 0..4000 {
        if !is_waiting {
            net.node(a)
                .send(client, &["SET", &format!("new{n}"), &text]);
            is_waiting = true;
        }
        net.step(1);
        match net.node(a).received(client).as_str() {
            "" => held += 1,
            "+OK" => {
                is_waiting = false;
                written += 1;
            }
            other => panic!("{other}"),
        }
    }
    net.calm();
    net.until_in_sync(b, a);
    assert!(held > 100 && written > 100, "{held} {written}");
    assert_eq!(
        net.field(a, "sync_full").as_deref(),
        Some("1"),
        "{}",
        net.log(a)
    );
}

/// A primary of which only the replies exist.
struct FakePrimary {
    node: TestNode,
    attempt: replication::Attempt,
    /// What the node has not taken yet.
    input: Vec<u8>,
}

impl FakePrimary {
    /// As often as the node connects it is answered, and gets these bytes behind +FULLRESYNC.
    fn offer(node: TestNode, snapshot: &[u8]) -> FakePrimary {
        let mut fake = FakePrimary {
            node,
            attempt: replication::Attempt(0),
            input: Vec::new(),
        };
        fake.node
            .until("connected", |node| match node.host.links.poll_want() {
                Some(Want::Connect { attempt, .. }) => {
                    fake.attempt = attempt;
                    true
                }
                _ => false,
            });
        let TestNode { engine, host, .. } = &mut fake.node;
        let info = ConnInfo::default();
        node::replication::connected(engine, host, fake.attempt, info);
        while let Some(want) = fake.node.host.links.poll_want() {
            if let Want::Send { bytes, .. } = want {
                fake.answer(&bytes, snapshot);
            }
        }
        fake
    }

    fn answer(&mut self, requests: &[u8], snapshot: &[u8]) {
        let text = String::from_utf8_lossy(requests).to_uppercase();
        let mut replies = Vec::new();
        for request in text.split('*').skip(1) {
            match request {
                _ if request.contains("PING") => replies.extend(b"+PONG\r\n"),
                _ if request.contains("\nPSYNC\r") => {
                    replies.extend(format!("+FULLRESYNC {} 100\r\n", "a".repeat(40)).as_bytes());
                    replies.extend(snapshot);
                }
                _ => replies.extend(b"+OK\r\n"),
            }
        }
        for piece in replies.chunks(61) {
            self.read(piece);
        }
    }

    fn read(&mut self, piece: &[u8]) {
        let TestNode { engine, host, .. } = &mut self.node;
        self.input.extend_from_slice(piece);
        node::replication::read(engine, host, self.attempt, &mut self.input);
        self.node.turn();
    }
}

/// A dump of a node with some data in this database.
fn dump(db: u32) -> Vec<u8> {
    let mut node = started(ModelDisk::default(), |config| config.databases = 64);
    let client = node.client();
    node.ok(client, &format!("SELECT {db}"));
    for n in 0..30 {
        node.call(client, &format!("RPUSH list{n} one two {n}"));
    }
    node.ok(client, "SAVE");
    node.disk().file("dump.rdb").expect("was saved").to_vec()
}

fn started(disk: ModelDisk, configure: impl FnOnce(&mut Config)) -> TestNode {
    TestNode::start(disk, configure).unwrap_or_else(|refused| panic!("{}", refused.log()))
}

#[test]
fn what_is_no_good_snapshot_leaves_the_old_data_and_is_tried_again() {
    let good = dump(0);
    let with_length = |bytes: &[u8]| [format!("${}\r\n", bytes.len()).as_bytes(), bytes].concat();
    let mark = "e".repeat(40);
    let mut newer = good.clone();
    newer[5..9].copy_from_slice(b"0099");
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut wrong_sum = good.clone();
    *wrong_sum.last_mut().expect("not empty") ^= 1;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", with_length(&[b'g'; 500])),
        ("newer", with_length(&newer)),
        ("flipped", with_length(&flipped)),
        ("wrong sum", with_length(&wrong_sum)),
        ("short", with_length(&good[..good.len() - 20])),
        ("long", with_length(&[&good[..], b"more"].concat())),
        ("database 20", with_length(&dump(20))),
        ("empty file", b"$0\r\n".to_vec()),
        ("no length", b"$-5\r\n".to_vec()),
        ("no bulk", b"hello\r\n".to_vec()),
        ("unlucky", b"-ERR no\r\n".to_vec()),
        (
            "short before its mark",
            [
                format!("$EOF:{mark}\r\n").as_bytes(),
                &good[..50],
                mark.as_bytes(),
            ]
            .concat(),
        ),
    ];
    for (what, bytes) in cases {
        let mut node = started(ModelDisk::default(), quick);
        let client = node.client();
        node.ok(client, "SET own data");
        let old = Contents::of(&node.engine.keyspace);
        node.ok(client, "REPLICAOF 10.0.0.9 7008");
        for _ in 0..2 {
            node = FakePrimary::offer(node, &bytes).node;
            assert_eq!(Contents::of(&node.engine.keyspace), old, "{what}");
            assert!(!node.engine.role().is_link_up, "{what}: {}", node.log());
            assert!(!node.engine.async_loading, "{what}: {}", node.log());
        }
        let node = FakePrimary::offer(node, &with_length(&good)).node;
        assert!(node.engine.role().is_link_up, "{what}: {}", node.log());
        assert_eq!(node.engine.keyspace.live_count(), 30, "{what}");
    }
}

/// All that a link is sent, till there is no more.
fn received_by_link(node: &mut TestNode, client: Client) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..100 {
        node.wait_ms(100);
        let mut ready = Vec::new();
        node.host.links.ready_links(&mut ready);
        for (link, session) in ready {
            assert!(session == client.0);
            while !node.host.links.output(link).is_empty() {
                let bytes = node.host.links.output(link).to_vec();
                all.extend(&bytes);
                let host = &mut node.host;
                host.links
                    .written(link, bytes.len(), false, &mut host.outside);
            }
        }
    }
    all
}

/// The snapshot in what a link was sent, and what follows it.
fn split(all: &[u8]) -> (Vec<u8>, String) {
    let dollar = all
        .iter()
        .position(|byte| *byte == b'$')
        .expect("a snapshot");
    let line = all[dollar..]
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a line")
        + dollar;
    let head = String::from_utf8_lossy(&all[dollar + 1..line - 1]).into_owned();
    let body = &all[line + 1..];
    let (len, skipped) = match head.strip_prefix("EOF:") {
        None => (head.parse().expect("a length"), 0),
        Some(mark) => {
            let is_mark = |at: &usize| body[*at..].starts_with(mark.as_bytes());
            ((0..body.len()).find(is_mark).expect("the mark"), mark.len())
        }
    };
    let rest = String::from_utf8_lossy(&body[len + skipped..]).into_owned();
    (body[..len].to_vec(), rest)
}

fn loaded(rdb: &[u8]) -> Contents {
    let mut disk = ModelDisk::default();
    disk.put("dump.rdb", rdb);
    Contents::of(&started(disk, quick).engine.keyspace)
}

#[test]
fn an_old_replica_gets_a_file_of_known_length_and_a_filtered_one_no_data() {
    for is_diskless in [false, true] {
        let mut node = started(ModelDisk::default(), |config| {
            config.repl_diskless_sync = is_diskless;
            config.repl_diskless_sync_delay = 0;
        });
        let client = node.client();
        for n in 0..300 {
            node.ok(client, &format!("SET key{n} {n}"));
        }
        let contents = Contents::of(&node.engine.keyspace);
        let old = node.client();
        assert_eq!(node.call(old, "SYNC"), "");
        node.ok(client, "SET later 1");
        let (rdb, stream) = split(&received_by_link(&mut node, old));
        assert_eq!(loaded(&rdb), contents);
        assert!(stream.contains("later"), "{stream}");
        let mut filtered = node.client();
        node.ok(filtered, "REPLCONF rdb-filter-only functions");
        let refused = node.call(filtered, "PSYNC ? -1");
        assert_eq!(refused, "-ERR Filtered replica requires EOF capability");
        filtered = node.client();
        node.ok(
            filtered,
            "REPLCONF capa eof capa psync2 rdb-filter-only functions",
        );
        node.call(filtered, "PSYNC ? -1");
        let number = node.engine.sessions.get(old.0).expect("it is there").id;
        let host = &mut node.host;
        host.links.session_closed(number, &mut host.outside);
        node.engine.disconnect(old.0);
        let (rdb, _) = split(&received_by_link(&mut node, filtered));
        assert_eq!(loaded(&rdb), Contents::default());
    }
}
