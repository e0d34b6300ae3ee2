//! When the data set is saved, and when it cannot be: save points, SHUTDOWN, SIGTERM, the errors of
//! a full or read-only disk, and what is left of earlier files. Nothing here waits by the clock.
//!
//! `REDAN_SUBJECT=redis` plays all of it against a real redis-server. Texts were observed on 7.0.15.

mod support;

use std::path::Path;
use std::process::Command;
use support::{Directory, info, say, wait_for_info};
use testkit::{Connection, DEADLINE, Options, Server, poll_until};

const MISCONF_RDB: &str = "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable \
    to persist to disk. Commands that may modify the data set are disabled, because this instance is \
    configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error \
    option). Please check the Redis logs for details about the RDB error.";
const MISCONF_AOF: &str = "-MISCONF Errors writing to the AOF file: No space left on device";

fn in_directory(directory: &Path) -> Options {
    Options::subject().option("dir", &directory.display().to_string())
}

fn get(directory: &Path, key: &str) -> String {
    let server = Server::start(&in_directory(directory));
    say(&mut server.client(), &["GET", key])
}

#[test]
fn a_save_point_of_the_configuration_saves() {
    let directory = Directory::new();
    let server = Server::start(&in_directory(directory.path()).option("save", "3600 100 1 2"));
    let mut client = server.client();
    assert_eq!(
        say(&mut client, &["CONFIG", "GET", "save"]),
        r#"["save", "3600 100 1 2"]"#
    );
    let started_s = info(&mut client, "rdb_last_save_time");
    assert_eq!(say(&mut client, &["SET", "one", "1"]), "OK");
    assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "1");
    assert!(!directory.file("dump.rdb").exists());
    // The second change, with a second gone by, is what the point waits for.
    assert_eq!(say(&mut client, &["SET", "two", "2"]), "OK");
    wait_for_info(&mut client, "rdb_changes_since_last_save", "0");
    assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "ok");
    assert_ne!(info(&mut client, "rdb_last_save_time"), started_s);
    drop(server);
    assert_eq!(get(directory.path(), "two"), "\"2\"");
}

#[test]
fn shutdown_saves_where_save_points_are_and_a_restart_has_the_data() {
    for (command, save, is_kept) in [
        (&["SHUTDOWN"][..], "3600 1", true),
        (&["SHUTDOWN", "SAVE"], "", true),
        (&["SHUTDOWN"], "", false),
        (&["SHUTDOWN", "NOSAVE"], "3600 1", false),
        (&["SHUTDOWN", "NOW"], "3600 1", true),
    ] {
        let directory = Directory::new();
        let mut server = Server::start(&in_directory(directory.path()).option("save", save));
        let mut client = server.client();
        assert_eq!(say(&mut client, &["SET", "key", "kept"]), "OK");
        client.send(command);
        assert_eq!(client.try_receive(), None, "{command:?}");
        assert_eq!(server.wait_for_exit().code(), Some(0), "{command:?}");
        let expected = if is_kept { "\"kept\"" } else { "nil" };
        assert_eq!(
            get(directory.path(), "key"),
            expected,
            "{command:?} {save:?}"
        );
        assert_eq!(
            server
                .log()
                .contains("Saving the final RDB snapshot before exiting."),
            is_kept
        );
    }
}

#[test]
fn sigterm_saves_and_exits_with_0() {
    for (save, appendonly, is_kept) in
        [("3600 1", "no", true), ("", "no", false), ("", "yes", true)]
    {
        let directory = Directory::new();
        let options = in_directory(directory.path())
            .option("save", save)
            .option("appendonly", appendonly);
        let mut server = Server::start(&options);
        say(&mut server.client(), &["SET", "key", "kept"]);
        assert_eq!(server.stop().code(), Some(0));
        let server = Server::start(&options);
        let expected = if is_kept { "\"kept\"" } else { "nil" };
        assert_eq!(
            say(&mut server.client(), &["GET", "key"]),
            expected,
            "{save:?} {appendonly}"
        );
    }
}

/// The names of temporary snapshots in a directory.
fn temporary_files(directory: &Directory) -> Vec<String> {
    let entries = std::fs::read_dir(directory.path()).expect("a directory");
    entries
        .map(|entry| entry.expect("readable").file_name().into_string())
        .map(|name| name.expect("ours are text"))
        .filter(|name| name.starts_with("temp-"))
        .collect()
}

/// More keys than a save shows at once, whatever `rdb-key-save-delay` says.
fn set_many(client: &mut Connection) {
    for number in 0..100 {
        let key = format!("key:{number}");
        assert_eq!(say(client, &["SET", &key, "1"]), "OK");
    }
}

#[test]
fn insisting_on_the_end_leaves_no_half_written_dump_behind() {
    for first in ["INT", "TERM"] {
        let directory = Directory::new();
        let options = in_directory(directory.path()).option("save", "3600 1");
        let mut server = Server::start(&options);
        let mut client = server.client();
        assert_eq!(say(&mut client, &["SET", "key", "1"]), "OK");
        assert_eq!(say(&mut client, &["SAVE"]), "OK");
        set_many(&mut client);
        // The save at the end would take most of an hour.
        let delay = ["CONFIG", "SET", "rdb-key-save-delay", "1000000000"];
        assert_eq!(say(&mut client, &delay), "OK");
        server.signal(first);
        poll_until(DEADLINE, "the save has begun", || {
            !temporary_files(&directory).is_empty()
        });
        server.signal("INT");
        assert_eq!(server.wait_for_exit().code(), Some(1));
        assert_eq!(temporary_files(&directory), Vec::<String>::new());
        assert!(server.log().contains("You insist... exiting now."));
        // The dump of before is as it was.
        let server = Server::start(&options);
        let mut client = server.client();
        assert_eq!(say(&mut client, &["DBSIZE"]), "1");
        assert_eq!(say(&mut client, &["GET", "key"]), "\"1\"");
    }
}

#[test]
fn shutdown_without_a_save_removes_the_dump_that_a_background_save_has_begun() {
    let directory = Directory::new();
    let mut server = Server::start(&in_directory(directory.path()));
    let mut client = server.client();
    set_many(&mut client);
    let delay = ["CONFIG", "SET", "rdb-key-save-delay", "1000000000"];
    assert_eq!(say(&mut client, &delay), "OK");
    assert_eq!(say(&mut client, &["BGSAVE"]), "Background saving started");
    poll_until(DEADLINE, "the save has begun", || {
        !temporary_files(&directory).is_empty()
    });
    client.send(&["SHUTDOWN", "NOSAVE"]);
    assert_eq!(client.try_receive(), None);
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert_eq!(temporary_files(&directory), Vec::<String>::new());
}

/// Makes the final step of a save fail, for root too: a file cannot replace a directory.
fn block_dump(directory: &Directory) {
    std::fs::remove_file(directory.file("dump.rdb")).ok();
    std::fs::create_dir(directory.file("dump.rdb")).expect("create a directory");
}

fn unblock_dump(directory: &Directory) {
    std::fs::remove_dir(directory.file("dump.rdb")).expect("remove a directory");
}

fn background_save(client: &mut Connection) -> String {
    assert_eq!(say(client, &["BGSAVE"]), "Background saving started");
    wait_for_info(client, "rdb_bgsave_in_progress", "0");
    info(client, "rdb_last_bgsave_status")
}

#[test]
fn a_failed_background_save_stops_writes_until_one_succeeds() {
    let directory = Directory::new();
    let mut server = Server::start(&in_directory(directory.path()).option("save", "3600 1"));
    let mut client = server.client();
    block_dump(&directory);
    assert_eq!(say(&mut client, &["SET", "key", "1"]), "OK");
    assert_eq!(background_save(&mut client), "err");
    for command in [
        &["SET", "key", "2"][..],
        &["INCR", "number"],
        &["DEL", "key"],
        &["PING"],
    ] {
        assert_eq!(say(&mut client, command), MISCONF_RDB, "{command:?}");
    }
    assert_eq!(say(&mut client, &["GET", "key"]), "\"1\"");
    assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "1");
    // A transaction with a write in it is refused as a whole.
    assert_eq!(say(&mut client, &["MULTI"]), "OK");
    assert_eq!(say(&mut client, &["SET", "key", "3"]), MISCONF_RDB);
    assert!(say(&mut client, &["EXEC"]).starts_with("-EXECABORT"));

    assert_eq!(
        say(
            &mut client,
            &["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]
        ),
        "OK"
    );
    assert_eq!(say(&mut client, &["SET", "key", "4"]), "OK");
    assert_eq!(
        say(
            &mut client,
            &["CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"]
        ),
        "OK"
    );
    assert_eq!(say(&mut client, &["SET", "key", "5"]), MISCONF_RDB);

    unblock_dump(&directory);
    assert_eq!(background_save(&mut client), "ok");
    assert_eq!(say(&mut client, &["SET", "key", "6"]), "OK");
    let log = server.log();
    assert!(
        log.contains("Is a directory"),
        "the reason is in the log:\n{log}"
    );
    server.kill();
    assert_eq!(get(directory.path(), "key"), "\"4\"");
    assert_eq!(strangers(directory.path()), Vec::<String>::new());
}

#[test]
fn a_server_that_cannot_save_refuses_to_shut_down_unless_it_is_told_to() {
    let directory = Directory::new();
    let mut server = Server::start(&in_directory(directory.path()).option("save", "3600 1"));
    let mut client = server.client();
    block_dump(&directory);
    assert_eq!(say(&mut client, &["SET", "key", "1"]), "OK");
    assert_eq!(say(&mut client, &["SAVE"]), "-ERR");
    assert_eq!(
        say(&mut client, &["SHUTDOWN"]),
        "-ERR Errors trying to SHUTDOWN. Check logs."
    );
    assert_eq!(say(&mut client, &["GET", "key"]), "\"1\"");
    server.signal("TERM");
    poll_until(DEADLINE, "the refusal is in the log", || {
        server
            .log()
            .matches("Errors trying to shut down the server")
            .count()
            == 2
    });
    client.send(&["SHUTDOWN", "FORCE"]);
    assert_eq!(client.try_receive(), None);
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

/// Temporary files that a finished server leaves behind.
fn strangers(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).expect("the directory is there");
    let names = names.map(|entry| entry.expect("an entry").file_name().display().to_string());
    names.filter(|name| name.starts_with("temp-")).collect()
}

/// A file system of its own, if this process may mount one.
struct SmallDisk(Directory);

impl SmallDisk {
    fn mount(size: &str) -> Option<SmallDisk> {
        let directory = Directory::new();
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "redan-test"])
            .arg(directory.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(SmallDisk(directory)),
            _ => {
                eprintln!("skipped: this process may not mount a file system");
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(self.0.path())
            .status()
            .expect("mount runs");
        assert!(status.success(), "remount with {options}");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that a failing test still holds may have a file open.
        Command::new("umount")
            .arg("-l")
            .arg(self.path())
            .status()
            .ok();
    }
}

/// Does not compress, so that a count of keys fills a disk.
fn noise(number: u64) -> Vec<u8> {
    let mut random = support::random_keys::Random::new(number);
    (0..2500)
        .flat_map(|_| random.next().to_le_bytes())
        .collect()
}

fn set_noise(client: &mut Connection, number: u64) -> String {
    let key = format!("noise:{number}").into_bytes();
    testkit::render(&client.command(&[b"SET".to_vec(), key, noise(number)]))
}

fn has_noise(client: &mut Connection, number: u64) -> bool {
    client.command(&["GET", &format!("noise:{number}")]) == resp::Value::Bulk(noise(number))
}

#[test]
fn a_full_disk_fails_a_save_and_keeps_the_last_good_dump() {
    let Some(disk) = SmallDisk::mount("1m") else {
        return;
    };
    let mut server = Server::start(&in_directory(disk.path()).option("save", "3600 1000"));
    let mut client = server.client();
    for number in 0..20 {
        assert_eq!(set_noise(&mut client, number), "OK");
    }
    assert_eq!(say(&mut client, &["SAVE"]), "OK");
    for number in 20..60 {
        assert_eq!(set_noise(&mut client, number), "OK");
    }
    assert_eq!(background_save(&mut client), "err");
    assert_eq!(set_noise(&mut client, 60), MISCONF_RDB);
    let log = server.log();
    assert!(log.contains("No space left on device"), "{log}");
    server.kill();

    let mut server = Server::start(&in_directory(disk.path()).option("save", "3600 1000"));
    let mut client = server.client();
    assert_eq!(say(&mut client, &["DBSIZE"]), "20");
    assert!((0..20).all(|number| has_noise(&mut client, number)));
    disk.remount("size=16m");
    for number in 20..60 {
        assert_eq!(set_noise(&mut client, number), "OK");
    }
    assert_eq!(background_save(&mut client), "ok");
    server.kill();
    let server = Server::start(&in_directory(disk.path()));
    assert_eq!(say(&mut server.client(), &["DBSIZE"]), "60");
}

#[test]
fn writes_are_refused_while_the_aof_cannot_be_written_and_taken_again_afterwards() {
    let Some(disk) = SmallDisk::mount("1m") else {
        return;
    };
    let options = in_directory(disk.path()).option("appendonly", "yes");
    let mut server = Server::start(&options);
    let mut client = server.client();
    let mut accepted = 0;
    let refusal = loop {
        match set_noise(&mut client, accepted).as_str() {
            "OK" => accepted += 1,
            other => break other.to_string(),
        }
        // Where the file is written by a thread, the first error arrives a little later.
        assert!(
            accepted < 100_000,
            "a megabyte holds no more than 50 of them"
        );
    };
    assert_eq!(refusal, MISCONF_AOF);
    assert_eq!(say(&mut client, &["PING"]), MISCONF_AOF);
    assert_eq!(info(&mut client, "aof_last_write_status"), "err");
    assert!(has_noise(&mut client, 0));

    disk.remount("size=64m");
    wait_for_info(&mut client, "aof_last_write_status", "ok");
    assert_eq!(say(&mut client, &["SET", "after", "1"]), "OK");
    assert!(server.stop().success());
    let server = Server::start(&options);
    let mut client = server.client();
    assert_eq!(say(&mut client, &["GET", "after"]), "\"1\"");
    assert!((0..accepted).all(|number| has_noise(&mut client, number)));
}

/// What was acknowledged is in the file; what was not gets no reply before it is there.
#[test]
fn with_always_nothing_is_acknowledged_that_a_full_disk_did_not_take() {
    if !Options::subject().is_redan() {
        // A real server ends here.
        return;
    }
    let Some(disk) = SmallDisk::mount("1m") else {
        return;
    };
    let options = in_directory(disk.path())
        .option("appendonly", "yes")
        .option("appendfsync", "always");
    let mut server = Server::start(&options);
    let mut client = server.client();
    let mut accepted = 0;
    loop {
        client.send(&[
            b"SET".to_vec(),
            format!("noise:{accepted}").into_bytes(),
            noise(accepted),
        ]);
        let mut other = server.client();
        let mut reply = None;
        poll_until(DEADLINE, "the write is acknowledged or refused", || {
            reply = client.poll_receive();
            reply.is_some() || info(&mut other, "aof_last_write_status") == "err"
        });
        match reply {
            Some(reply) if testkit::render(&reply) == "OK" => accepted += 1,
            Some(reply) => {
                assert_eq!(testkit::render(&reply), MISCONF_AOF);
                break;
            }
            None => break,
        }
    }
    assert!((20..60).contains(&accepted), "{accepted} accepted");
    server.kill();
    disk.remount("size=16m");
    let server = Server::start(&options);
    let mut client = server.client();
    assert!((0..accepted).all(|number| has_noise(&mut client, number)));
    assert_eq!(say(&mut client, &["SET", "after", "1"]), "OK");
}

#[test]
fn a_failed_rewrite_leaves_the_old_files_in_charge() {
    let Some(disk) = SmallDisk::mount("1m") else {
        return;
    };
    let options = in_directory(disk.path()).option("appendonly", "yes");
    let mut server = Server::start(&options);
    let mut client = server.client();
    for number in 0..30 {
        assert_eq!(set_noise(&mut client, number), "OK");
    }
    assert_eq!(
        say(&mut client, &["BGREWRITEAOF"]),
        "Background append only file rewriting started"
    );
    wait_for_info(&mut client, "aof_rewrite_in_progress", "0");
    assert_eq!(info(&mut client, "aof_last_bgrewrite_status"), "err");
    assert_eq!(say(&mut client, &["SET", "after", "1"]), "OK");
    assert!(server.log().contains("No space left on device"));
    assert!(server.stop().success());
    let server = Server::start(&options);
    let mut client = server.client();
    assert_eq!(say(&mut client, &["GET", "after"]), "\"1\"");
    assert!((0..30).all(|number| has_noise(&mut client, number)));
}

#[test]
fn a_read_only_disk_fails_saves_and_is_noticed_when_it_is_writable_again() {
    let Some(disk) = SmallDisk::mount("4m") else {
        return;
    };
    let server = Server::start(&in_directory(disk.path()).option("save", "3600 1000"));
    let mut client = server.client();
    assert_eq!(say(&mut client, &["SET", "key", "1"]), "OK");
    assert_eq!(background_save(&mut client), "ok");
    disk.remount("ro");
    assert_eq!(background_save(&mut client), "err");
    assert_eq!(say(&mut client, &["SET", "key", "2"]), MISCONF_RDB);
    let log = server.log();
    assert!(log.contains("Read-only file system"), "{log}");
    disk.remount("rw");
    assert_eq!(background_save(&mut client), "ok");
    assert_eq!(say(&mut client, &["SET", "key", "3"]), "OK");
}
