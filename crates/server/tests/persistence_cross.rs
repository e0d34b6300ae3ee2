//! Data directories move between Redis 7.0 and us either way: a hundred thousand random keys of
//! every type and encoding, some volatile, in several databases, written by one as RDB and as AOF
//! (with and without RDB preamble), load in the other with the same DEBUG DIGEST and the same
//! expiry times; and after the other has written on, they load in the first again.
//!
//! We write `rdb-version 10`, the last that Redis 7.0 reads.

mod support;

use std::path::Path;
use support::random_keys::{Command, Random, key_commands, send_all, special_commands, words};
use support::summary::{Summary, summary};
use support::{Directory, copy_tree, say, wait_for_info};
use testkit::{Connection, Options, Server};

const KEYS: u64 = 100_000;
const SEED: u64 = 0x5eed_0031;

struct Side {
    name: &'static str,
    options: Options,
}

impl Side {
    fn ours() -> Side {
        Side {
            name: "ours",
            options: Options::redan().option("rdb-version", "10"),
        }
    }

    fn theirs(options: Options) -> Side {
        Side {
            name: "theirs",
            options,
        }
    }

    fn start(&self, directory: &Path, aof: &str, preamble: &str) -> Server {
        let options = self.options.clone().option("enable-debug-command", "yes");
        Server::start(
            &options
                .option("dir", &directory.display().to_string())
                .option("appendonly", aof)
                .option("aof-use-rdb-preamble", preamble)
                // Rewrites happen when the test says so.
                .option("auto-aof-rewrite-percentage", "0"),
        )
    }
}

#[test]
fn what_we_write_loads_in_redis_and_comes_back() {
    if let Some(reference) = Options::reference() {
        check_directories(&Side::ours(), &Side::theirs(reference));
    }
}

#[test]
fn what_redis_writes_loads_in_ours_and_goes_back() {
    if let Some(reference) = Options::reference() {
        check_directories(&Side::theirs(reference), &Side::ours());
    }
}

/// `from` writes directories that `to` loads.
fn check_directories(from: &Side, to: &Side) {
    let home = Directory::new();
    let mut random = Random::new(SEED);
    let written = write(from, &home, &mut random);

    check_loads(to, &home, "no", &written, "an RDB");
    check_loads(to, &home, "yes", &written, "an AOF with preamble");
    check_return(from, to, &home, &mut random);

    // The writer itself starts from its directory, then rewrites it without preamble.
    let mut server = from.start(home.path(), "yes", "no");
    let mut client = server.client();
    assert_eq!(summary(&mut client), written, "{} restarted", from.name);
    rewrite(&mut client);
    write_keys(&mut client, &mut random, KEYS..KEYS + 1000);
    let written = summary(&mut client);
    assert!(server.stop().success());
    assert!(
        base_file(&home).ends_with(".base.aof"),
        "{} wrote a preamble",
        from.name
    );
    check_loads(to, &home, "yes", &written, "an AOF without preamble");
}

/// Fills an empty directory: half before a rewrite, half after it, and a dump of everything.
fn write(from: &Side, home: &Directory, random: &mut Random) -> Summary {
    let mut server = from.start(home.path(), "yes", "yes");
    let mut client = server.client();
    send_all(&mut client, &special_commands());
    write_keys(&mut client, random, 0..KEYS / 2);
    rewrite(&mut client);
    write_keys(&mut client, random, KEYS / 2..KEYS);
    assert_eq!(say(&mut client, &["SAVE"]), "OK");
    let written = summary(&mut client);
    assert!(server.stop().success());
    assert!(base_file(home).ends_with(".base.rdb"));
    written
}

fn write_keys(client: &mut Connection, random: &mut Random, numbers: std::ops::Range<u64>) {
    let commands: Vec<Command> = numbers
        .flat_map(|number| key_commands(random, number))
        .collect();
    send_all(client, &commands);
    client.command(&words("SELECT 0"));
}

fn rewrite(client: &mut Connection) {
    let reply = say(client, &["BGREWRITEAOF"]);
    assert!(
        reply.starts_with("Background append only file rewriting"),
        "{reply}"
    );
    wait_for_info(client, "aof_rewrite_scheduled", "0");
    wait_for_info(client, "aof_rewrite_in_progress", "0");
    wait_for_info(client, "aof_last_bgrewrite_status", "ok");
}

/// Loads a copy of the directory, which a server may change as it starts.
fn check_loads(to: &Side, home: &Directory, aof: &str, written: &Summary, what: &str) {
    let copy = Directory::new();
    copy_tree(home.path(), copy.path());
    let server = to.start(copy.path(), aof, "yes");
    assert_eq!(
        &summary(&mut server.client()),
        written,
        "{} loading {what}",
        to.name
    );
}

/// `to` takes the directory over and writes on; then `from` has it back.
fn check_return(from: &Side, to: &Side, home: &Directory, random: &mut Random) {
    let copy = Directory::new();
    copy_tree(home.path(), copy.path());
    let mut server = to.start(copy.path(), "yes", "yes");
    let mut client = server.client();
    write_keys(&mut client, random, KEYS / 2..KEYS / 2 + 2000);
    rewrite(&mut client);
    write_keys(&mut client, random, KEYS / 2 + 2000..KEYS / 2 + 4000);
    let written = summary(&mut client);
    assert!(server.stop().success());
    let server = from.start(copy.path(), "yes", "yes");
    assert_eq!(
        summary(&mut server.client()),
        written,
        "back in {}",
        from.name
    );
}

fn base_file(home: &Directory) -> String {
    let names = std::fs::read_dir(home.file("appendonlydir")).expect("the AOF's directory");
    let mut names = names.map(|entry| entry.expect("an entry").file_name().display().to_string());
    names
        .find(|name| name.contains(".base."))
        .expect("a base file after a rewrite")
}
