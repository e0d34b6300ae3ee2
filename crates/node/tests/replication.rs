//! Replication between whole nodes over model connections, case by case: what is kept when a
//! snapshot does not arrive, what transactions and promotions mean for the history, which files are
//! left. `replication_lives.rs` does all of it at random.

mod support;

use config::{AppendFsync, Config};
use support::TestNode;
use support::contents::Contents;
use support::disk::ModelDisk;
use support::network::{Network, Weather};

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
