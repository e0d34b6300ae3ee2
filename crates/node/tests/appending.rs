//! The append-only file on disks that fail at every step, fill up or are slow: nothing that was
//! acknowledged under `always` is missing after a restart, and nothing is there that never was.

mod support;

use config::{AppendFsync, Config};
use engine::host::ShutdownRequest;
use support::TestNode;
use support::counting::{Counting, number_after_restart};
use support::disk::{IO_ERROR, ModelDisk, NO_SPACE};

const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";

fn always(config: &mut Config) {
    config.appendonly = true;
    config.appendfsync = AppendFsync::Always;
}

/// Some transactions, all acknowledged.
fn written(count: u64) -> Counting {
    let mut counting = Counting::start(ModelDisk::default(), always);
    for _ in 0..count {
        counting.write();
    }
    counting.rest();
    assert_eq!(counting.acked, count, "{}", counting.node.log());
    counting
}

/// Lets each step that `act` causes fail in turn, once and from then on; `act` ends when all has come
/// to rest. Then the process dies, and what is found must be in the bounds.
fn fail_at_every_step(act: impl Fn(&mut Counting)) -> Vec<String> {
    let mut failed = Vec::new();
    for fails_from_then_on in [false, true] {
        for at in 1.. {
            let mut counting = written(3);
            let faults = &mut counting.node.disk().faults;
            faults.fail_at = Some(faults.points + at);
            faults.fails_from_then_on = fails_from_then_on;
            act(&mut counting);
            let executed = counting.number();
            let acked = counting.acked;
            let context = counting.node.log();
            let new_failures = counting.node.disk().faults.failed.clone();
            // Once as it is found in this moment, and once when the disk has been well for a while.
            let disk = counting.node.host.outside.disk.after_death();
            let found = number_after_restart(disk, always);
            assert!(
                (acked..=executed).contains(&found),
                "{acked} {found} {executed}: {context}"
            );
            if new_failures.is_empty() {
                break;
            }
            failed.extend(new_failures.into_iter().take(1));
            counting.node.disk().faults.fail_at = None;
            for _ in 0..200 {
                counting.node.wait_ms(500);
            }
            counting.write();
            counting.node.wait_ms(100);
            counting.hear();
            assert_eq!(counting.acked, executed + 1, "{}", counting.node.log());
            assert!(counting.node.info().aof_last_write_ok);
            let found = number_after_restart(counting.node.die(), always);
            assert_eq!(found, executed + 1);
        }
    }
    failed.sort();
    failed.dedup();
    failed
}

#[test]
fn an_append_that_fails_is_made_up_for() {
    let failed = fail_at_every_step(|counting| {
        for _ in 0..4 {
            counting.write();
            counting.node.wait_ms(300);
        }
    });
    assert_eq!(failed, ["Append", "Sync"]);
}

#[test]
fn a_rewrite_that_fails_at_any_step_loses_nothing() {
    let failed = fail_at_every_step(|counting| {
        counting.ask("BGREWRITEAOF");
        for _ in 0..40 {
            counting.write();
            counting.node.wait_ms(300);
        }
    });
    for step in [
        "open",
        "write",
        "fsync",
        "Rename",
        "Replace before",
        "Replace after",
        "SyncDir",
    ] {
        assert!(failed.iter().any(|name| name == step), "{step}: {failed:?}");
    }
}

#[test]
fn a_rewrite_into_commands_that_fails_at_any_step_loses_nothing() {
    fail_at_every_step(|counting| {
        counting.ask("CONFIG SET aof-use-rdb-preamble no");
        counting.ask("BGREWRITEAOF");
        for _ in 0..40 {
            counting.write();
            counting.node.wait_ms(300);
        }
    });
}

#[test]
fn a_first_start_that_fails_at_any_step_is_refused_and_the_next_one_works() {
    let mut refusals = 0;
    for at in 1.. {
        let mut disk = ModelDisk::default();
        disk.faults.fail_at = Some(at);
        match TestNode::start(disk, always) {
            Err(refused) => {
                assert!(refused.log().contains(IO_ERROR), "{}", refused.log());
                refusals += 1;
                let mut counting = Counting::start(refused.disk.after_death(), always);
                counting.write();
                counting.rest();
                assert_eq!(counting.acked, 1);
                assert_eq!(number_after_restart(counting.node.die(), always), 1);
            }
            Ok(mut node) => {
                // The directory's entry for a manifest that is in place may be repeated later.
                if node.disk().faults.failed.is_empty() {
                    break;
                }
                let mut counting = Counting::on(node);
                counting.write();
                for _ in 0..20 {
                    counting.node.wait_ms(500);
                }
                counting.hear();
                assert_eq!(counting.acked, 1, "{}", counting.node.log());
            }
        }
    }
    assert!(refusals >= 4, "{refusals}");
}

#[test]
fn a_full_disk_refuses_writes_and_takes_them_again_when_there_is_room() {
    let mut counting = written(3);
    let used = counting.node.disk().total_bytes();
    counting.node.disk().faults.capacity_bytes = Some(used);
    counting.write();
    assert_eq!(counting.acked, 3, "held, or refused");
    counting.node.wait_ms(100);
    // Another client: what the first one hears next is the reply that is held.
    let expected = format!("-MISCONF Errors writing to the AOF file: {NO_SPACE}");
    assert_eq!(counting.ask("SET key value"), expected);
    assert!(!counting.node.info().aof_last_write_ok);
    let executed = counting.number();
    let disk = counting.node.host.outside.disk.after_death();
    let found = number_after_restart(disk, always);
    assert!((3..=executed).contains(&found));

    counting.node.disk().faults.capacity_bytes = None;
    counting
        .node
        .until("well again", |node| node.info().aof_last_write_ok);
    counting.write();
    counting.node.wait_ms(100);
    counting.hear();
    let number = counting.number();
    assert_eq!(counting.acked, number);
    assert_eq!(number_after_restart(counting.node.die(), always), number);
}

#[test]
fn a_slow_disk_holds_writers_under_always_and_nobody_else() {
    let mut counting = written(1);
    counting.node.disk().is_slow = true;
    for _ in 0..50 {
        counting.write();
        counting.node.wait_ms(10);
    }
    assert_eq!(counting.acked, 1);
    assert_eq!(counting.number(), 51, "readers are served");
    while counting.node.disk().run_one() {
        counting.node.turn();
    }
    counting.hear();
    assert_eq!(counting.acked, 51);
    assert_eq!(number_after_restart(counting.node.die(), always), 51);
}

#[test]
fn shutdown_waits_for_what_was_appended_and_is_refused_where_it_cannot_be() {
    let request = |force| ShutdownRequest {
        force,
        ..ShutdownRequest::default()
    };
    let everysec = |config: &mut Config| config.appendonly = true;
    let mut counting = Counting::start(ModelDisk::default(), everysec);
    counting.node.disk().is_slow = true;
    for _ in 0..20 {
        counting.write();
    }
    counting.node.shut_down(request(false)).expect("can end");
    assert!(
        counting
            .node
            .log()
            .contains("Calling fsync() on the AOF file.")
    );
    assert_eq!(number_after_restart(counting.node.die(), everysec), 20);

    let mut counting = Counting::start(ModelDisk::default(), everysec);
    counting.write();
    counting.node.wait_ms(2000);
    counting.node.disk().faults.capacity_bytes = Some(0);
    counting.write();
    let refused = counting.node.shut_down(request(false));
    assert_eq!(
        refused,
        Err("Errors trying to SHUTDOWN. Check logs.".into())
    );
    assert!(!counting.node.host.is_ended);
    assert!(
        counting
            .node
            .log()
            .contains("Error writing the append only file, can't exit.")
    );
    // It goes on, and recovers.
    counting.node.disk().faults.capacity_bytes = None;
    counting
        .node
        .until("well again", |node| node.info().aof_last_write_ok);
    counting.write();
    let number = counting.number();
    counting.node.shut_down(request(false)).expect("can end");
    assert_eq!(number_after_restart(counting.node.die(), everysec), number);
}

#[test]
fn shutdown_in_the_middle_of_a_rewrite_keeps_the_old_files_and_all_that_followed() {
    for at in 0..15 {
        let mut counting = written(5);
        counting.node.disk().is_slow = true;
        counting.ask("BGREWRITEAOF");
        for _ in 0..at {
            counting.write();
            counting.node.disk().run_one();
            counting.node.turn();
        }
        let number = counting.number();
        counting
            .node
            .shut_down(ShutdownRequest::default())
            .expect("can end");
        let disk = counting.node.die();
        assert_eq!(
            number_after_restart(disk, always),
            number,
            "after {at} jobs"
        );
    }
}

#[test]
fn shutdown_before_the_first_base_is_written_is_refused_unless_forced() {
    let mut counting = Counting::start(ModelDisk::default(), |_| {});
    counting.write();
    counting.node.disk().is_slow = true;
    assert_eq!(counting.ask("CONFIG SET appendonly yes"), "+OK");
    counting.write();
    let request = ShutdownRequest::default();
    assert!(counting.node.shut_down(request).is_err());
    assert!(
        counting
            .node
            .log()
            .contains("Writing initial AOF, can't exit.")
    );
    let force = ShutdownRequest {
        force: true,
        ..request
    };
    counting.node.shut_down(force).expect("is forced");
    assert!(
        counting
            .node
            .log()
            .contains("Writing initial AOF, exiting anyway as told.")
    );
}

/// What is found after death at each job of what `request` makes a process do that has not loaded the
/// files, whose content is 9, and holds 2.
fn found_while(request: &str) -> Vec<u64> {
    let mut older = written(9);
    older.ask("CONFIG SET appendonly no");
    let disk = older.node.die();
    let mut all = Vec::new();
    for jobs in 0.. {
        let mut counting = Counting::start(disk.after_death(), |_| {});
        assert_eq!(counting.number(), 0);
        counting.write();
        counting.write();
        counting.node.disk().is_slow = true;
        assert!(counting.ask(request).starts_with('+'));
        let mut is_idle = false;
        for _ in 0..jobs {
            is_idle = !counting.node.disk().run_one();
            counting.node.turn();
        }
        all.push(number_after_restart(counting.node.die(), always));
        if is_idle {
            return all;
        }
    }
    unreachable!("the loop ends inside")
}

/// A crash between the new base's rename and its manifest must not put it under the old manifest.
#[test]
fn files_that_were_not_loaded_are_replaced_at_once_or_not_at_all() {
    for request in ["CONFIG SET appendonly yes", "BGREWRITEAOF"] {
        let mut found = found_while(request);
        assert!(found.len() > 8, "{request}: {found:?}");
        found.dedup();
        assert_eq!(found, [9, 2], "{request}");
    }
}

/// Turned off and on again while a rewrite's files are being changed.
#[test]
fn a_file_that_is_turned_off_and_on_again_has_no_gap() {
    for jobs in 0..12 {
        let mut counting = written(3);
        counting.node.disk().is_slow = true;
        counting.ask("BGREWRITEAOF");
        for _ in 0..jobs {
            counting.node.disk().run_one();
            counting.node.turn();
        }
        counting.ask("CONFIG SET appendonly no");
        counting.write();
        counting.ask("CONFIG SET appendonly yes");
        counting.write();
        counting.node.disk().is_slow = false;
        counting.rest();
        assert_eq!(
            number_after_restart(counting.node.die(), always),
            5,
            "{jobs}"
        );
    }
}

/// After a failed sync nothing is kept any more: that is not the same as nothing left to do.
#[test]
fn shutdown_is_refused_where_the_last_sync_fails() {
    let mut counting = written(3);
    counting.node.disk().is_slow = true;
    counting.write();
    let faults = &mut counting.node.disk().faults;
    faults.fail_at = Some(faults.points + 1);
    faults.fails_from_then_on = true;
    let request = ShutdownRequest::default();
    assert!(counting.node.shut_down(request).is_err());
    let faults = &mut counting.node.disk().faults;
    faults.fail_at = None;
    counting.node.disk().is_slow = false;
    counting
        .node
        .until("well again", |node| node.info().aof_last_write_ok);
    counting.rest();
    counting.node.shut_down(request).expect("can end");
    assert_eq!(number_after_restart(counting.node.die(), always), 4);
}

#[test]
fn a_manifest_that_cannot_be_understood_refuses_to_turn_the_file_on() {
    let mut disk = ModelDisk::default();
    disk.put(MANIFEST, b"file a seq 1 type x\n");
    let mut counting = Counting::start(disk, |_| {});
    let reply = counting.ask("CONFIG SET appendonly yes");
    assert!(reply.starts_with("-ERR CONFIG SET failed"), "{reply}");
    assert_eq!(
        counting.ask("CONFIG GET appendonly"),
        "*2 $10 appendonly $2 no"
    );
    counting.node.disk().remove(MANIFEST);
    counting
        .node
        .disk()
        .put("appendonlydir/appendonly.aof.3.incr.aof", b"*1\r\n");
    let reply = counting.ask("CONFIG SET appendonly yes");
    assert!(reply.contains("there is no manifest"), "{reply}");
    counting
        .node
        .disk()
        .remove("appendonlydir/appendonly.aof.3.incr.aof");
    assert_eq!(counting.ask("CONFIG SET appendonly yes"), "+OK");
    counting.write();
    counting.node.settle();
    assert_eq!(number_after_restart(counting.node.die(), always), 1);
}

/// As in Redis; what is left then is to remove files that no manifest names.
#[test]
fn a_rewrite_is_over_for_users_as_soon_as_the_new_base_is_in_force() {
    let mut node = TestNode::start(ModelDisk::default(), |config| {
        config.appendonly = true;
        config.appendfsync = AppendFsync::EverySec;
    })
    .unwrap_or_else(|refused| panic!("{}", refused.log()));
    let client = node.client();
    node.ok(client, "SET key value");
    node.rest();
    node.disk().is_slow = true;
    node.call(client, "BGREWRITEAOF");
    let bases = |node: &mut TestNode| {
        let files = node.disk().listed();
        files.iter().filter(|name| name.contains(".base.")).count()
    };
    let mut was_early = false;
    for _ in 0..200 {
        node.disk().run_one();
        node.wait_ms(1);
        let info = node.info();
        was_early |= !info.aof_rewrite_in_progress && bases(&mut node) == 2;
    }
    assert!(was_early, "{}", node.log());
    assert_eq!(bases(&mut node), 1);
    assert_eq!(node.info().aof_rewrites, 1);
}
