//! Pauses by purpose, and SHUTDOWN that waits.

mod support;

use engine::PausePurpose::{Client as ByClient, Failover, Shutdown};
use engine::host::ShutdownProgress;
use support::World;

#[test]
fn each_pause_ends_by_itself_and_the_strictest_counts() {
    let mut world = World::new();
    let (writer, reader, admin) = (world.client(), world.client(), world.client());
    world.engine.pause_writes(Failover, None);
    world.engine.pause_writes(Shutdown, None);
    assert_eq!(world.call(writer, "set a 1"), "");
    assert_eq!(world.call(reader, "get a"), "$-1");
    assert_eq!(world.call(admin, "client unpause"), "+OK");
    world.engine.end_pause(Failover);
    world.end_turn();
    assert_eq!(world.received(writer), "");
    world.engine.pause_writes(ByClient, Some(0));
    world.engine.end_pause(Shutdown);
    world.engine.end_pause(Shutdown);
    world.end_turn();
    assert_eq!(world.received(writer), "+OK");
    world.engine.pause_writes(Failover, None);
    world.call(admin, "client pause 100 all");
    world.send(reader, "get a");
    assert_eq!(world.received(reader), "");
    world.wait_ms(100);
    assert_eq!(world.received(reader), "$1 1");
    assert_eq!(world.call(writer, "set a 1"), "");
}

#[test]
fn nothing_expires_or_is_evicted_meanwhile() {
    let mut world = World::with(|c| {
        c.maxmemory_policy = config::MaxmemoryPolicy::AllkeysRandom;
    });
    let client = world.client();
    world.say(client, "set a 1 px 10\nset b 1\n");
    world.engine.pause_writes(Failover, None);
    world.engine.settings.maxmemory = 1;
    world.host.used_memory = 8;
    world.wait_ms(200);
    assert_eq!(world.say(client, "get a\ndbsize\n"), "$-1 :2");
    world.engine.settings.maxmemory = 0;
    world.engine.end_pause(Failover);
    world.end_turn();
    assert_eq!(world.call(client, "dbsize"), ":1");
}

#[test]
fn shutdown_keeps_its_client_until_the_end_or_until_it_fails() {
    let mut world = World::new();
    let (first, second, admin) = (world.client(), world.client(), world.client());
    world.host.shutdown = Ok(ShutdownProgress::Waiting);
    assert_eq!(world.call(first, "shutdown"), "");
    assert_eq!(world.say(second, "shutdown nosave\nping\n"), "");
    assert!(world.call(admin, "client list id 1").contains(" flags=b "));
    assert!(
        world
            .call(admin, "info clients")
            .contains("blocked_clients:2 ")
    );
    // Nobody ends the wait of such a client, but it may be killed.
    assert_eq!(world.call(admin, "client unblock 1 error"), ":0");
    world.set_role(engine::Role {
        is_replica: true,
        ..engine::Role::default()
    });
    assert_eq!(world.call(admin, "client kill id 1"), ":1");
    world.engine.shutdown_failed(&mut world.host);
    world.end_turn();
    let failed = "-ERR Errors trying to SHUTDOWN. Check logs.";
    assert_eq!(world.received(second), format!("{failed} +PONG"));
    assert_eq!(world.call(second, "shutdown"), "");
    assert_eq!(world.call(admin, "shutdown abort"), "+OK");
    assert_eq!(world.received(second), failed);
    world.host.shutdown = Err("Errors trying to SHUTDOWN. Check logs.".into());
    assert_eq!(world.call(second, "shutdown now"), failed);
    assert_eq!(
        world.call(admin, "shutdown abort"),
        "-ERR No shutdown in progress."
    );
}
