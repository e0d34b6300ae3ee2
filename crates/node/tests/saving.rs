//! Saves of an RDB file on disks that fail at every step, fill up or are slow; the end of a process
//! in the middle of one; and what the last good file holds then.

mod support;

use config::SavePoint;
use engine::host::ShutdownRequest;
use support::disk::{DIR, IO_ERROR, ModelDisk, NO_SPACE};
use support::{Client, TestNode};

const MISCONF: &str = "-MISCONF Redis is configured to save RDB snapshots";
const DUMP: &str = "dump.rdb";
const TEMP: &str = "temp-77.rdb";

/// Save points, so that failures count; they are never reached.
fn with_save_points(config: &mut config::Config) {
    config.save = vec![SavePoint {
        seconds: 1_000_000,
        changes: 1_000_000,
    }];
}

fn start(disk: ModelDisk) -> TestNode {
    match TestNode::start(disk, with_save_points) {
        Ok(node) => node,
        Err(refused) => panic!("{}", refused.log()),
    }
}

/// Keys of all types, enough for several chunks.
fn fill(node: &mut TestNode, client: Client, mark: &str) {
    for number in 0..40 {
        let value = noise(number, 20_000) + mark;
        node.ok(client, &format!("SET key:{number} {value}"));
    }
    for command in [
        format!("RPUSH list {mark} 1 2 3"),
        format!("HSET hash field {mark}"),
        format!("ZADD zset 1 {mark}"),
        format!("SADD set {mark} a b"),
    ] {
        let reply = node.call(client, &command);
        assert!(reply.starts_with(':'), "{command}: {reply}");
    }
    node.ok(client, &format!("SET volatile {mark} PX 100000000"));
}

/// Text that does not compress to nothing.
fn noise(seed: u64, bytes: usize) -> String {
    let mut random = support::disk::Random::new(seed + 1);
    (0..bytes)
        .map(|_| char::from(b'a' + random.below(26) as u8))
        .collect()
}

/// What a restart on this disk finds.
fn digest_after_restart(disk: ModelDisk) -> String {
    start(disk).digest()
}

/// A node that has saved once and changed since, and the digests of both states.
fn saved_and_changed() -> (TestNode, Client, String, String) {
    let mut node = start(ModelDisk::default());
    let client = node.client();
    fill(&mut node, client, "old");
    node.ok(client, "SAVE");
    let old = node.digest();
    fill(&mut node, client, "new");
    let new = node.digest();
    (node, client, old, new)
}

#[test]
fn a_background_save_that_fails_at_any_step_keeps_the_last_good_file() {
    let mut actions = Vec::new();
    for at in 1.. {
        let (mut node, client, old, new) = saved_and_changed();
        let points = node.disk().faults.points;
        node.disk().faults.fail_at = Some(points + at);
        let reply = node.call(client, "BGSAVE");
        assert_eq!(reply, "+Background saving started");
        node.settle();
        let Some(action) = node.disk().faults.failed.first().cloned() else {
            assert!(node.info().rdb_last_bgsave_ok);
            assert_eq!(digest_after_restart(node.die()), new);
            break;
        };
        let log = node.log();
        let text = format!("Write error while saving DB to the disk({action}): {IO_ERROR}");
        assert!(log.contains(&text), "{text} in {log}");
        assert!(log.contains("Background saving error"), "{log}");
        assert!(!node.info().rdb_last_bgsave_ok);
        assert!(node.disk().file(TEMP).is_none(), "after {action}");
        assert!(node.call(client, "SET key 1").starts_with(MISCONF));
        assert_eq!(node.digest(), new, "the refused write did nothing");

        // What is found now is whole: the old file, or the new one if only its durability is in doubt.
        let found = digest_after_restart(node.host.outside.disk.after_death());
        let is_renamed = action == "fsync of the directory";
        assert_eq!(
            found,
            if is_renamed { new.clone() } else { old },
            "{action}"
        );

        assert_eq!(node.call(client, "BGSAVE"), "+Background saving started");
        node.settle();
        assert!(node.info().rdb_last_bgsave_ok);
        assert_eq!(
            digest_after_restart(node.host.outside.disk.after_death()),
            new
        );
        node.ok(client, "SET key 1");
        actions.push(action);
    }
    actions.dedup();
    let expected = ["open", "write", "fsync", "rename", "fsync of the directory"];
    assert_eq!(actions, expected);
}

#[test]
fn a_save_that_fails_at_any_step_says_so_and_keeps_the_last_good_file() {
    for at in 1.. {
        let (mut node, client, old, new) = saved_and_changed();
        let points = node.disk().faults.points;
        node.disk().faults.fail_at = Some(points + at);
        let reply = node.call(client, "SAVE");
        let Some(action) = node.disk().faults.failed.first().cloned() else {
            assert_eq!(reply, "+OK");
            break;
        };
        assert_eq!(reply, "-ERR", "after {action}");
        assert!(node.disk().file(TEMP).is_none(), "after {action}");
        // As in Redis, only a background save's failure stops writes.
        node.ok(client, "SET key 1");
        assert_eq!(node.call(client, "DEL key"), ":1");
        assert_eq!(node.digest(), new);
        let found = digest_after_restart(node.host.outside.disk.after_death());
        let is_renamed = action == "fsync of the directory";
        assert_eq!(
            found,
            if is_renamed { new.clone() } else { old },
            "{action}"
        );
        node.ok(client, "SAVE");
        assert_eq!(digest_after_restart(node.die()), new);
    }
}

#[test]
fn a_full_disk_fails_saves_until_there_is_room_and_writes_go_on_then() {
    let (mut node, client, old, new) = saved_and_changed();
    let used = node.disk().total_bytes();
    // Room for a part of the temporary file beside the last good one.
    node.disk().faults.capacity_bytes = Some(used + used / 2);
    assert_eq!(node.call(client, "BGSAVE"), "+Background saving started");
    node.settle();
    assert!(!node.info().rdb_last_bgsave_ok);
    assert!(node.log().contains(&format!("(write): {NO_SPACE}")));
    assert_eq!(node.disk().listed(), [DUMP], "nothing half written stays");
    assert_eq!(
        digest_after_restart(node.host.outside.disk.after_death()),
        old
    );
    assert!(node.call(client, "SET key 1").starts_with(MISCONF));
    node.disk().faults.capacity_bytes = None;
    assert_eq!(node.call(client, "BGSAVE"), "+Background saving started");
    node.settle();
    node.ok(client, "SET key 1");
    assert_eq!(digest_after_restart(node.die()), new);
}

#[test]
fn a_failed_save_is_tried_again_by_itself() {
    let mut node = TestNode::start(ModelDisk::default(), |config| {
        config.save = vec![SavePoint {
            seconds: 1,
            changes: 1,
        }];
    })
    .unwrap_or_else(|refused| panic!("{}", refused.log()));
    let client = node.client();
    node.ok(client, "SET key 1");
    node.disk().faults.capacity_bytes = Some(0);
    node.until("a save has failed", |node| !node.info().rdb_last_bgsave_ok);
    assert!(node.call(client, "SET key 2").starts_with(MISCONF));
    let failures = |node: &TestNode| node.log().matches("Background saving error").count();
    // Not in a row: one try in five seconds.
    for _ in 0..100 {
        node.wait_ms(100);
    }
    let tried = failures(&node);
    assert!((2..=4).contains(&tried), "{tried}");
    node.disk().faults.capacity_bytes = None;
    node.until("a save succeeds", |node| node.info().rdb_last_bgsave_ok);
    node.ok(client, "SET key 3");
}

#[test]
fn a_slow_disk_delays_nobody_and_holds_no_more_memory_than_is_under_way() {
    const IN_FLIGHT_MAX_BYTES: usize = 8 << 20;
    const CHUNK_BYTES: usize = 256 << 10;
    let mut node = start(ModelDisk::default());
    let client = node.client();
    for number in 0..3000 {
        let value = noise(number, 6_000);
        node.ok(client, &format!("SET key:{number} {value}"));
    }
    let before = node.digest();
    node.disk().is_slow = true;
    assert_eq!(node.call(client, "BGSAVE"), "+Background saving started");
    // The disk does nothing at all, for a long time, and all goes on.
    for number in 0..3000u32 {
        node.wait_ms(10);
        node.ok(client, &format!("SET key:{} changed", number * 7 % 3000));
    }
    assert!(node.info().rdb_bgsave_in_progress);
    let held = node.disk().queued_bytes_max;
    // What the writes of meanwhile pushed into the snapshot comes on top: the old values of 3000 keys.
    let pushed = 3000 * 6_100;
    assert!(held <= IN_FLIGHT_MAX_BYTES + pushed + CHUNK_BYTES, "{held}");
    assert!(held >= IN_FLIGHT_MAX_BYTES, "{held}");
    // One job a turn.
    for _ in 0..100_000 {
        if !node.info().rdb_bgsave_in_progress {
            break;
        }
        node.disk().run_one();
        node.turn();
    }
    assert!(node.info().rdb_last_bgsave_ok);
    assert_eq!(node.disk().queued_bytes, 0);
    assert_eq!(digest_after_restart(node.die()), before);
}

#[test]
fn a_slow_disk_without_writes_holds_what_may_be_under_way_and_a_chunk() {
    let mut node = start(ModelDisk::default());
    let client = node.client();
    for number in 0..3000 {
        let value = noise(number, 6_000);
        node.ok(client, &format!("SET key:{number} {value}"));
    }
    node.disk().is_slow = true;
    assert_eq!(node.call(client, "BGSAVE"), "+Background saving started");
    for _ in 0..2000 {
        node.wait_ms(10);
    }
    let held = node.disk().queued_bytes_max;
    assert!(held <= (8 << 20) + (256 << 10) + 6_100, "{held}");
}

#[test]
fn a_process_that_dies_at_any_moment_of_a_save_leaves_a_whole_file() {
    let (mut node, client, old, new) = saved_and_changed();
    node.disk().is_slow = true;
    assert_eq!(node.call(client, "BGSAVE"), "+Background saving started");
    let mut found = Vec::new();
    loop {
        let disk = node.host.outside.disk.after_death();
        let is_temp_left = disk.file(TEMP).is_some();
        found.push((digest_after_restart(disk), is_temp_left));
        node.disk().run_one();
        node.turn();
        if !node.info().rdb_bgsave_in_progress {
            break;
        }
    }
    assert!(found.len() > 3 && found.iter().any(|(_, temp)| *temp));
    assert!(
        found
            .iter()
            .all(|(digest, _)| *digest == old || *digest == new)
    );
    assert_eq!(digest_after_restart(node.die()), new);
}

fn shutdown(save: Option<bool>, force: bool) -> ShutdownRequest {
    ShutdownRequest {
        save,
        force,
        ..ShutdownRequest::default()
    }
}

#[test]
fn shutdown_in_the_middle_of_a_save_gives_it_up_and_saves_what_is_there_now() {
    for at in 0..12 {
        let (mut node, client, old, new) = saved_and_changed();
        node.disk().is_slow = true;
        assert_eq!(node.call(client, "BGSAVE"), "+Background saving started");
        for _ in 0..at {
            node.disk().run_one();
            node.turn();
        }
        node.call(client, "DEL key:1");
        let newest = node.digest();
        let is_saving = node.info().rdb_bgsave_in_progress;
        // Half of the time without a final save.
        let save = at % 2 == 0;
        node.shut_down(shutdown(Some(save), false))
            .expect("can end");
        assert!(node.host.is_ended);
        let log = node.log();
        let text = "There is a snapshot being saved in the background. Giving it up!";
        assert_eq!(log.contains(text), is_saving, "{log}");
        // The thread that writes ends what it was given before the process is gone.
        while node.disk().run_one() {}
        assert_eq!(node.disk().listed(), [DUMP]);
        let found = digest_after_restart(node.die());
        // What was on its way to its name before it was given up may have got there.
        let is_expected = match (save, is_saving) {
            (true, _) => found == newest,
            (false, true) => found == old || found == new,
            (false, false) => found == new,
        };
        assert!(is_expected, "after {at} jobs");
    }
}

#[test]
fn shutdown_that_cannot_save_is_refused_unless_forced() {
    let (mut node, client, old, _) = saved_and_changed();
    node.disk().faults.capacity_bytes = Some(0);
    assert_eq!(
        node.call(client, "SHUTDOWN"),
        "-ERR Errors trying to SHUTDOWN. Check logs."
    );
    assert!(
        node.log()
            .contains("Error trying to save the DB, can't exit.")
    );
    assert!(!node.host.is_ended);
    node.ok(client, "SET key 1");
    assert_eq!(
        digest_after_restart(node.host.outside.disk.after_death()),
        old
    );
    node.shut_down(shutdown(None, true)).expect("is forced");
    assert!(
        node.log()
            .contains("Error trying to save the DB, exiting anyway as told.")
    );
    assert_eq!(node.disk().listed(), [DUMP]);

    let (mut node, client, _, new) = saved_and_changed();
    node.disk().faults.capacity_bytes = Some(0);
    assert!(node.call(client, "SHUTDOWN SAVE").starts_with("-ERR"));
    node.disk().faults.capacity_bytes = None;
    node.call(client, "SHUTDOWN");
    assert!(node.host.is_ended);
    assert_eq!(digest_after_restart(node.die()), new);
}

#[test]
fn flushall_gives_up_a_save_under_way_and_the_file_says_that_all_is_gone() {
    let (mut node, client, _, _) = saved_and_changed();
    node.disk().is_slow = true;
    assert_eq!(node.call(client, "BGSAVE"), "+Background saving started");
    node.turn();
    node.ok(client, "FLUSHALL");
    node.disk().is_slow = false;
    node.settle();
    let empty = start(ModelDisk::default()).digest();
    assert_eq!(node.disk().listed(), [DUMP]);
    assert_eq!(digest_after_restart(node.die()), empty);
}

#[test]
fn a_save_in_the_middle_of_a_rewrite_does_not_disturb_it() {
    let start = |disk| {
        TestNode::start(disk, |config| config.appendonly = true)
            .unwrap_or_else(|refused| panic!("{}", refused.log()))
    };
    let mut node = start(ModelDisk::default());
    let client = node.client();
    fill(&mut node, client, "old");
    node.disk().is_slow = true;
    let reply = node.call(client, "BGREWRITEAOF");
    assert_eq!(reply, "+Background append only file rewriting started");
    node.turn();
    node.ok(client, "SAVE");
    let saved = node.digest();
    node.disk().is_slow = false;
    node.ok(client, "SET after 1");
    node.settle();
    let digest = node.digest();
    let disk = node.die();
    assert!(disk.file(&format!("{DIR}/{DUMP}")).is_some());
    assert_eq!(digest_after_restart(disk.after_death()), saved);
    assert_eq!(start(disk).digest(), digest);
}
