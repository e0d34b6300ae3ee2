//! The AOF switched on and off on a running server, its policy and format changed, and rewrites
//! that come of their own accord; after each, a restart has what it should.
//!
//! `REDAN_SUBJECT=redis` plays all of it against a real redis-server.

mod support;

use support::random_keys::{Command, Random, key_commands, send_all, special_commands};
use support::{Directory, info, info_number, say, wait_for_info};
use testkit::{Connection, DEADLINE, Options, Server, poll_until};

const SEED: u64 = 0x5eed_0032;
const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";

fn start(directory: &Directory, appendonly: &str) -> Server {
    Server::start(
        &Options::subject()
            .option("dir", &directory.path().display().to_string())
            .option("enable-debug-command", "yes")
            .option("appendonly", appendonly),
    )
}

fn set(client: &mut Connection, option: &str, value: &str) {
    assert_eq!(
        say(client, &["CONFIG", "SET", option, value]),
        "OK",
        "{option} {value}"
    );
}

fn wait_for_rewrite(client: &mut Connection) {
    wait_for_info(client, "aof_rewrite_scheduled", "0");
    wait_for_info(client, "aof_rewrite_in_progress", "0");
    assert_eq!(info(client, "aof_last_bgrewrite_status"), "ok");
}

fn write_random(client: &mut Connection, random: &mut Random, numbers: std::ops::Range<u64>) {
    let commands: Vec<Command> = numbers
        .flat_map(|number| key_commands(random, number))
        .collect();
    send_all(client, &commands);
}

fn digest(client: &mut Connection) -> String {
    say(client, &["DEBUG", "DIGEST"])
}

/// Waits until everything is in the file. With `everysec` it may be in memory for a millisecond.
fn written_out(client: &mut Connection) {
    wait_for_info(client, "aof_buffer_length", "0");
}

/// The files that the manifest lists, without their types.
fn listed(directory: &Directory) -> Vec<String> {
    let manifest = directory.read(MANIFEST);
    let names = manifest.lines().filter_map(|line| line.split(' ').nth(1));
    names.map(str::to_string).collect()
}

/// The newest increment.
fn increment(directory: &Directory) -> String {
    let names = listed(directory);
    directory.read(&format!("appendonlydir/{}", names.last().expect("a file")))
}

#[test]
fn an_aof_that_is_switched_on_live_has_everything_from_before_and_after() {
    let directory = Directory::new();
    let mut server = start(&directory, "no");
    let mut client = server.client();
    let mut random = Random::new(SEED);
    send_all(&mut client, &special_commands());
    write_random(&mut client, &mut random, 0..5000);
    assert_eq!(info(&mut client, "aof_enabled"), "0");
    assert!(!directory.file("appendonlydir").exists());

    set(&mut client, "appendonly", "yes");
    assert_eq!(info(&mut client, "aof_enabled"), "1");
    // Some of this meets the rewrite, some comes after it.
    write_random(&mut client, &mut random, 2500..7500);
    wait_for_rewrite(&mut client);
    write_random(&mut client, &mut random, 7500..8000);
    let written = digest(&mut client);
    written_out(&mut client);
    server.kill();

    let mut server = start(&directory, "yes");
    assert_eq!(digest(&mut server.client()), written);
    assert!(server.stop().success());
}

#[test]
fn what_is_written_while_the_aof_is_off_is_not_in_it() {
    let directory = Directory::new();
    let mut server = start(&directory, "yes");
    let mut client = server.client();
    assert_eq!(say(&mut client, &["SET", "before", "1"]), "OK");
    set(&mut client, "appendonly", "no");
    assert_eq!(info(&mut client, "aof_enabled"), "0");
    assert_eq!(say(&mut client, &["SET", "between", "1"]), "OK");
    server.kill();

    let mut server = start(&directory, "yes");
    let mut client = server.client();
    assert_eq!(
        say(&mut client, &["MGET", "before", "between"]),
        r#"["1", nil]"#
    );
    set(&mut client, "appendonly", "no");
    assert_eq!(say(&mut client, &["SET", "between", "2"]), "OK");
    set(&mut client, "appendonly", "yes");
    assert_eq!(say(&mut client, &["SET", "after", "1"]), "OK");
    wait_for_rewrite(&mut client);
    assert_eq!(say(&mut client, &["SET", "last", "1"]), "OK");
    written_out(&mut client);
    server.kill();

    let server = start(&directory, "yes");
    let values = say(
        &mut server.client(),
        &["MGET", "before", "between", "after", "last"],
    );
    assert_eq!(values, r#"["1", "2", "1", "1"]"#);
}

#[test]
fn switching_off_in_the_middle_of_a_rewrite_ends_it() {
    let directory = Directory::new();
    let mut server = start(&directory, "yes");
    let mut client = server.client();
    assert_eq!(say(&mut client, &["DEBUG", "POPULATE", "200000"]), "OK");
    for _ in 0..5 {
        say(&mut client, &["BGREWRITEAOF"]);
        set(&mut client, "appendonly", "no");
        wait_for_info(&mut client, "aof_rewrite_in_progress", "0");
        set(&mut client, "appendonly", "yes");
    }
    wait_for_rewrite(&mut client);
    assert_eq!(say(&mut client, &["SET", "last", "1"]), "OK");
    written_out(&mut client);
    server.kill();
    let server = start(&directory, "yes");
    assert_eq!(say(&mut server.client(), &["DBSIZE"]), "200001");
}

#[test]
fn every_policy_keeps_what_it_was_told_when_the_server_is_killed() {
    let directory = Directory::new();
    let mut server = start(&directory, "yes");
    let mut expected = 0;
    for policy in ["always", "everysec", "no", "always"] {
        let mut client = server.client();
        set(&mut client, "appendfsync", policy);
        for _ in 0..100 {
            expected += 1;
            assert_eq!(say(&mut client, &["INCR", "counter"]), expected.to_string());
        }
        if policy != "always" {
            // Nothing is promised before the next turn of the clock; an orderly end keeps all.
            assert!(server.stop().success());
        }
        server.kill();
        server = start(&directory, "yes");
        let counter = say(&mut server.client(), &["GET", "counter"]);
        assert_eq!(counter, format!("\"{expected}\""), "{policy}");
    }
}

#[test]
fn rewrites_come_when_the_file_has_grown_and_leave_one_base_and_one_increment() {
    let directory = Directory::new();
    let mut server = start(&directory, "yes");
    let mut client = server.client();
    set(&mut client, "auto-aof-rewrite-min-size", "100kb");
    set(&mut client, "auto-aof-rewrite-percentage", "100");
    let rewrites = info_number(&mut client, "aof_rewrites");
    for number in 0..20_000 {
        client.send(&["SET", "key", &format!("value number {number}")]);
        client.receive();
    }
    poll_until(DEADLINE, "a rewrite has come", || {
        info_number(&mut client, "aof_rewrites") > rewrites
    });
    wait_for_rewrite(&mut client);
    poll_until(DEADLINE, "the files are those of the manifest", || {
        let mut names: Vec<String> = std::fs::read_dir(directory.file("appendonlydir"))
            .expect("the AOF's directory")
            .map(|entry| entry.expect("an entry").file_name().display().to_string())
            .filter(|name| !name.ends_with(".manifest"))
            .collect();
        let mut listed = listed(&directory);
        names.sort();
        listed.sort();
        names == listed && names.len() == 2
    });
    let size = info_number(&mut client, "aof_current_size");
    assert!(size < 1_500_000, "{size}");
    assert!(server.stop().success());
    let server = start(&directory, "yes");
    assert_eq!(
        say(&mut server.client(), &["GET", "key"]),
        "\"value number 19999\""
    );
}

#[test]
fn an_aof_with_and_without_preamble_and_with_timestamps_loads() {
    let directory = Directory::new();
    let mut random = Random::new(SEED + 1);
    for (round, preamble, timestamps) in [
        (0, "yes", "no"),
        (1, "no", "no"),
        (2, "no", "yes"),
        (3, "yes", "yes"),
        (4, "no", "yes"),
    ] {
        let mut server = start(&directory, "yes");
        let mut client = server.client();
        set(&mut client, "aof-use-rdb-preamble", preamble);
        set(&mut client, "aof-timestamp-enabled", timestamps);
        if round == 0 {
            send_all(&mut client, &special_commands());
        }
        write_random(&mut client, &mut random, round * 500..round * 500 + 1000);
        say(&mut client, &["BGREWRITEAOF"]);
        write_random(&mut client, &mut random, round * 500..round * 500 + 1000);
        wait_for_rewrite(&mut client);
        write_random(
            &mut client,
            &mut random,
            round * 500 + 500..round * 500 + 1500,
        );
        if timestamps == "yes" {
            // One is written when a second begins.
            poll_until(DEADLINE, "a timestamp is in the file", || {
                say(&mut client, &["INCR", "ticks"]);
                increment(&directory).contains("#TS:")
            });
        }
        let written = digest(&mut client);
        let suffix = if preamble == "yes" {
            ".base.rdb"
        } else {
            ".base.aof"
        };
        let files = listed(&directory);
        assert!(files[0].ends_with(suffix), "{files:?}");
        assert!(server.stop().success());
        assert_eq!(increment(&directory).contains("#TS:"), timestamps == "yes");
        let server = start(&directory, "yes");
        assert_eq!(digest(&mut server.client()), written, "round {round}");
    }
}
