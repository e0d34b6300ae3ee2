//! WAIT and WAITAOF against a scripted door.

mod support;

use engine::{EffectsReader, Role};
use support::{Client, World};

/// A primary with a client that has written something.
fn world() -> (World, Client, u64) {
    let mut world = World::new();
    world.engine.record_effects(EffectsReader::Replicas, true);
    let client = world.client();
    world.call(client, "set a 1");
    let offset = world.engine.effects.offset();
    (world, client, offset)
}

fn serve(world: &mut World) {
    world.engine.serve_waits(&mut world.host);
    world.end_turn();
}

#[test]
fn wait_answers_when_enough_replicas_have_what_the_client_wrote() {
    let (mut world, client, offset) = world();
    world.host.door.replicas = vec![(offset, 0), (offset - 1, 0)];
    assert_eq!(world.call(client, "wait 1 0"), ":1");
    assert_eq!(world.host.door.ack_requests, 0);
    assert_eq!(world.call(client, "wait 2 0"), "");
    assert_eq!(world.host.door.ack_requests, 1);
    assert_eq!(world.call(client, "ping"), "");
    let other = world.client();
    assert!(world.call(other, "client list id 1").contains(" flags=b "));
    assert!(
        world
            .call(other, "info clients")
            .contains("blocked_clients:1 ")
    );
    serve(&mut world);
    assert_eq!(world.received(client), "");
    world.host.door.replicas = vec![(offset, 0), (offset, 0), (offset + 9, 0)];
    serve(&mut world);
    assert_eq!(world.received(client), ":3 +PONG");
    assert!(
        world
            .call(other, "info clients")
            .contains("blocked_clients:0 ")
    );
}

#[test]
fn only_what_the_client_itself_wrote_counts() {
    let (mut world, client, offset) = world();
    let (other, reader) = (world.client(), world.client());
    world.call(other, "set b 1");
    world.call(client, "get b");
    world.host.door.replicas = vec![(offset, 0)];
    assert_eq!(world.call(client, "wait 1 0"), ":1");
    assert_eq!(world.call(reader, "wait 1 0"), ":1");
    assert_eq!(world.call(other, "wait 1 10"), "");
    world.wait_ms(10);
    assert_eq!(world.received(other), ":0");
    // A message is for replicas too.
    world.call(reader, "publish c m");
    assert_eq!(world.call(reader, "wait 1 10"), "");
    world.host.door.replicas = vec![(u64::MAX, 0)];
    serve(&mut world);
    assert_eq!(world.received(reader), ":1");
}

#[test]
fn a_wait_ends_when_its_time_is_up_or_somebody_ends_it() {
    let (mut world, client, offset) = world();
    let other = world.client();
    world.host.door.replicas = vec![(offset, 0)];
    assert_eq!(world.call(client, "wait 2 100"), "");
    world.wait_ms(99);
    assert_eq!(world.received(client), "");
    world.wait_ms(1);
    assert_eq!(world.received(client), ":1");
    world.call(client, "wait 2 0");
    assert_eq!(world.call(other, "client unblock 1"), ":1");
    assert_eq!(world.received(client), ":1");
    world.call(client, "wait 2 0");
    assert_eq!(world.call(other, "client unblock 1 error"), ":1");
    assert_eq!(
        world.received(client),
        "-UNBLOCKED client unblocked via CLIENT UNBLOCK"
    );
    world.call(client, "wait 2 0");
    assert_eq!(world.call(other, "client kill id 1"), ":1");
    serve(&mut world);
    assert!(
        world
            .call(other, "info clients")
            .contains("blocked_clients:0 ")
    );
}

#[test]
fn nothing_waits_inside_a_transaction() {
    let (mut world, client, offset) = world();
    world.host.door.replicas = vec![(offset, offset)];
    assert_eq!(
        world.say(client, "multi\nwait 5 0\nwaitaof 0 5 0\nexec\n"),
        "+OK +QUEUED +QUEUED *2 :1 *2 :0 :1"
    );
}

#[test]
fn waitaof_goes_by_the_disks() {
    let (mut world, client, offset) = world();
    world.engine.config.appendonly = true;
    world.engine.durable = Some(offset - 1);
    world.host.door.replicas = vec![(offset, offset), (offset, 0)];
    assert_eq!(world.call(client, "waitaof 0 1 0"), "*2 :0 :1");
    assert_eq!(world.call(client, "waitaof 1 1 0"), "");
    serve(&mut world);
    assert_eq!(world.received(client), "");
    world.engine.durable = Some(offset);
    serve(&mut world);
    assert_eq!(world.received(client), "*2 :1 :1");
    assert_eq!(world.call(client, "waitaof 1 2 50"), "");
    world.wait_ms(50);
    assert_eq!(world.received(client), "*2 :1 :1");
    // The file is turned off while somebody waits for it.
    world.engine.durable = Some(0);
    world.call(client, "waitaof 1 1 0");
    world.engine.config.appendonly = false;
    serve(&mut world);
    let no_file = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    assert_eq!(world.received(client), no_file);
    assert_eq!(world.call(client, "waitaof 1 0 0"), no_file);
    world.engine.durable = None;
    assert_eq!(world.call(client, "waitaof 0 0 0"), "*2 :0 :1");
}

#[test]
fn bad_arguments_get_the_reference_texts() {
    let (mut world, client, _) = world();
    for (request, error) in [
        ("wait x 0", "ERR value is not an integer or out of range"),
        ("wait 0 x", "ERR timeout is not an integer or out of range"),
        ("wait 0 -1", "ERR timeout is negative"),
        ("wait 2 9223372036854775807", "ERR timeout is out of range"),
        (
            "waitaof 2 0 0",
            "ERR value is out of range, value must between 0 and 1",
        ),
        (
            "waitaof 0 -1 0",
            "ERR value is out of range, must be positive",
        ),
        ("waitaof 0 0 -1", "ERR timeout is negative"),
    ] {
        assert_eq!(
            world.call(client, request),
            format!("-{error}"),
            "{request}"
        );
    }
    assert_eq!(world.call(client, "wait -1 0"), ":0");
}

#[test]
fn a_replica_has_nobody_to_wait_for() {
    let (mut world, client, _) = world();
    let other = world.client();
    world.call(client, "wait 1 0");
    world.set_role(Role {
        is_replica: true,
        ..Role::default()
    });
    assert_eq!(
        world.received(client),
        "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
    );
    assert_eq!(
        world.call(other, "wait 0 0"),
        "-ERR WAIT cannot be used with replica instances. Please also note that if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated."
    );
    assert_eq!(
        world.call(other, "waitaof 0 0 0"),
        "-ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated."
    );
}
