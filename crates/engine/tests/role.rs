//! What being a replica, or a primary with too few of them, means for clients.

mod support;

use engine::{ReplyError, Role};
use support::World;

const READ_ONLY: &str = "-READONLY You can't write against a read only replica.";
const DOWN: &str =
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";

fn replica(configure: impl FnOnce(&mut config::Config)) -> World {
    let mut world = World::with(configure);
    world.set_role(Role {
        is_replica: true,
        is_link_up: true,
        ..Role::default()
    });
    world
}

#[test]
fn a_replica_takes_no_writes_from_clients() {
    let mut world = replica(|_| {});
    let client = world.client();
    assert_eq!(world.call(client, "set a 1"), READ_ONLY);
    assert_eq!(world.call(client, "get a"), "$-1");
    assert_eq!(world.call(client, "publish c m"), ":0");
    assert_eq!(
        world.say(client, "multi\nget a\nexec\n"),
        "+OK +QUEUED *1 $-1"
    );
    assert_eq!(
        world.say(client, "multi\nget a\nset a 1\nexec\n"),
        format!(
            "+OK +QUEUED {READ_ONLY} -EXECABORT Transaction discarded because of previous errors."
        )
    );
    assert!(
        world
            .say(client, "hello 3\n")
            .contains("$4 role $7 replica")
    );
    world.call(client, "config set replica-read-only no");
    assert_eq!(world.call(client, "set a 1"), "+OK");
    world.call(client, "config set replica-read-only yes");
    assert_eq!(world.call(client, "replicaof no one"), "+OK");
    assert_eq!(world.call(client, "set a 2"), "+OK");
}

#[test]
fn a_transaction_queued_before_the_demotion_does_not_run_after_it() {
    let mut world = World::new();
    let client = world.client();
    world.say(client, "multi\nset a 1\n");
    world.set_role(Role {
        is_replica: true,
        ..Role::default()
    });
    assert_eq!(
        world.call(client, "exec"),
        "-EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica."
    );
    assert_eq!(world.call(client, "exec"), "-ERR EXEC without MULTI");
}

#[test]
fn a_replica_without_its_primary_serves_what_it_has_or_refuses() {
    let mut world = World::new();
    let client = world.client();
    world.call(client, "set a 1");
    world.set_role(Role {
        is_replica: true,
        ..Role::default()
    });
    assert_eq!(world.call(client, "get a"), "$1 1");
    world.call(client, "config set replica-serve-stale-data no");
    assert_eq!(world.call(client, "get a"), DOWN);
    assert_eq!(world.call(client, "ping"), DOWN);
    assert!(
        world
            .call(client, "info replication")
            .contains("# Replication")
    );
    assert_eq!(world.call(client, "replicaof a 1"), "+OK");
    assert_eq!(world.call(client, "get a"), "$1 1");
    assert_eq!(world.say(client, "multi\nget a\n"), "+OK +QUEUED");
    world.set_role(Role {
        is_replica: true,
        ..Role::default()
    });
    assert_eq!(
        world.call(client, "exec"),
        format!(
            "-EXECABORT Transaction discarded because of: {}",
            &DOWN[1..]
        )
    );
}

#[test]
fn a_primary_without_enough_replicas_takes_no_writes() {
    let mut world = World::new();
    let client = world.client();
    world.set_role(Role {
        has_enough_replicas: false,
        ..Role::default()
    });
    let refused = "-NOREPLICAS Not enough good replicas to write.";
    assert_eq!(world.call(client, "set a 1"), refused);
    assert_eq!(world.call(client, "get a"), "$-1");
    // The order in which reasons are given is Redis's.
    world.engine.write_refusal = Some(ReplyError::new("MISCONF no disk"));
    assert_eq!(world.call(client, "set a 1"), "-MISCONF no disk");
    world.engine.write_refusal = None;
    world.engine.loading = true;
    assert_eq!(world.call(client, "set a 1"), refused);
    assert_eq!(
        world.call(client, "get a"),
        "-LOADING Redis is loading the dataset in memory"
    );
}

#[test]
fn loading_beside_the_data_refuses_only_what_would_disturb_it() {
    let mut world = replica(|_| {});
    let client = world.client();
    world.engine.async_loading = true;
    let loading = "-LOADING Redis is loading the dataset in memory";
    assert_eq!(world.call(client, "get a"), "$-1");
    for request in ["bgsave", "psync ? -1", "save"] {
        assert_eq!(world.call(client, request), loading, "{request}");
    }
    // The way out of a snapshot that stalls.
    assert_ne!(world.call(client, "replicaof no one"), loading);
    assert!(
        world
            .call(client, "info persistence")
            .contains("loading:0 async_loading:1 ")
    );
}

#[test]
fn a_replica_hides_what_has_expired_and_deletes_nothing() {
    let mut world = World::new();
    let client = world.client();
    world.record();
    world.say(client, "set a 1 px 50\nset b 1 px 60000\n");
    world.effects();
    world.set_role(Role {
        is_replica: true,
        ..Role::default()
    });
    world.wait_ms(100);
    assert_eq!(
        world.say(client, "get a\nexists a b\nttl a\n"),
        "$-1 :1 :-2"
    );
    assert_eq!(world.call(client, "dbsize"), ":2");
    assert_eq!(world.effects(), [""; 0]);
    // A key that is due must not keep the server awake.
    assert!(world.engine.next_timeout_ms() > 0);
    world.set_role(Role::default());
    world.end_turn();
    assert_eq!(world.call(client, "dbsize"), ":1");
    assert_eq!(world.effects(), ["DEL a"]);
}

#[test]
fn a_writable_replica_expires_the_keys_its_own_clients_made() {
    let mut world = replica(|c| c.replica_read_only = false);
    let primary = world.become_replica();
    let client = world.client();
    world.stream(primary, "set theirs 1 px 100\nset touched 1 px 100");
    world.say(
        client,
        "select 2\nset mine 1 px 100\nset kept 1 ex 100\nselect 0\n",
    );
    world.say(client, "incr touched\nset late 1\npexpire late 100\n");
    assert!(
        world
            .call(client, "info stats")
            .contains("slave_expires_tracked_keys:3 ")
    );
    world.say(client, "select 2\npersist kept\nselect 0\n");
    world.wait_ms(200);
    world.wait_ms(200);
    assert!(
        world
            .call(client, "info stats")
            .contains("slave_expires_tracked_keys:0 ")
    );
    assert_eq!(
        world.say(client, "select 2\ndbsize\nselect 0\ndbsize\n"),
        "+OK :1 +OK :2"
    );
    // To write to an expired key is to find it gone.
    assert_eq!(world.call(client, "append theirs x"), ":1");
    assert_eq!(world.say(client, "get theirs\ndbsize\n"), "$1 x :2");
}

#[test]
fn what_a_writable_replica_remembers_is_forgotten_with_its_role() {
    let mut world = replica(|c| c.replica_read_only = false);
    let client = world.client();
    world.call(client, "set mine 1 ex 100");
    assert!(
        world
            .call(client, "info stats")
            .contains("slave_expires_tracked_keys:1 ")
    );
    world.set_role(Role::default());
    assert!(
        world
            .call(client, "info stats")
            .contains("slave_expires_tracked_keys:0 ")
    );
}

#[test]
fn a_replica_evicts_only_if_told_to() {
    let mut world = World::with(|c| {
        c.maxmemory_policy = config::MaxmemoryPolicy::AllkeysRandom;
        c.replica_read_only = false;
    });
    let primary = world.become_replica();
    let client = world.client();
    world.stream(primary, "set a 1\nset b 1");
    world.call(client, "config set maxmemory 1");
    world.host.used_memory = 8;
    assert_eq!(world.call(client, "set c 1"), "+OK");
    assert_eq!(world.call(client, "dbsize"), ":3");
    world.call(client, "config set replica-ignore-maxmemory no");
    world.host.used_memory = 8;
    world.stream(primary, "ping");
    assert_eq!(
        world.call(client, "info keyspace").matches("keys=").count(),
        0
    );
}

#[test]
fn who_waits_for_a_key_is_thrown_out_by_a_demotion() {
    let mut world = World::new();
    let (waiter, pauser, paused) = (world.client(), world.client(), world.client());
    world.send(waiter, "blpop l 0");
    world.call(pauser, "client pause 100000");
    assert_eq!(world.call(paused, "ping"), "");
    world.set_role(Role {
        is_replica: true,
        ..Role::default()
    });
    world.end_turn();
    let bytes = world.engine.output(waiter.0).to_vec();
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n"
    );
    assert!(
        world.engine.sent(waiter.0, bytes.len()),
        "it is closed then"
    );
    assert!(!world.engine.sent(paused.0, 0));
}

#[test]
fn the_section_of_info_comes_through_the_door() {
    let mut world = World::new();
    let client = world.client();
    world.host.door.info = engine::host::ReplicationInfo {
        section: "role:master\r\nconnected_slaves:0\r\n".into(),
        sync_full: 1,
        sync_partial_ok: 2,
        sync_partial_err: 3,
        backlog_bytes: 4,
        replica_links_bytes: 5,
        total_buffers_bytes: 6,
        ..Default::default()
    };
    world.engine.uncounted_memory = 7;
    assert_eq!(
        world.call(client, "info replication"),
        "$48 # Replication role:master connected_slaves:0"
    );
    let stats = world.call(client, "info stats");
    assert!(stats.contains("sync_full:1 sync_partial_ok:2 sync_partial_err:3 "));
    let memory = world.call(client, "info memory");
    assert!(memory.contains(
        "mem_not_counted_for_evict:7 mem_replication_backlog:4 mem_total_replication_buffers:6 mem_clients_slaves:5 "
    ));
    let stats = world.call(client, "memory stats");
    assert!(stats.contains("replication.backlog :4 $14 clients.slaves :5 "));
}

#[test]
fn commands_of_replication_go_through_the_door_also_from_exec() {
    let mut world = World::new();
    let client = world.client();
    assert_eq!(
        world.say(
            client,
            "multi\nslaveof no one\nconfig rewrite\nclient kill type normal\nexec\n"
        ),
        "+OK +QUEUED +QUEUED +QUEUED *3 +OK +OK :0"
    );
    assert_eq!(world.call(client, "role"), "+OK");
    assert_eq!(
        world.call(client, "failover"),
        "-ERR FAILOVER requires connected replicas."
    );
    assert_eq!(
        world.say(client, "multi\npsync ? -1\n"),
        "+OK -ERR Command not allowed inside a transaction"
    );
    assert_eq!(world.host.door.asked, ["slaveof no one", "role"]);
    world.say(client, "discard\n");
    world.engine.config.enable_debug_command = config::ProtectedAction::Yes;
    assert_eq!(world.call(client, "debug change-repl-id"), "+OK");
    assert_eq!(world.host.door.id_changes, 1);
}
