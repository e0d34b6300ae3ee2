//! Replies to writes that wait until the write is on the disk.

mod support;

use engine::GateMode;
use support::{Client, World};

fn gated() -> World {
    let mut world = World::new();
    world.record();
    world.engine.gating = GateMode::Fsync;
    world
}

/// As the end of a turn does it: everything that was done becomes durable.
fn fsync(world: &mut World) {
    world.engine.effects.take(Vec::new());
    let offset = world.engine.effects.offset();
    world.engine.set_fsynced(offset);
}

fn is_dirty(world: &mut World, client: Client) -> bool {
    let mut dirty = Vec::new();
    world.engine.take_dirty(&mut dirty);
    dirty.contains(&client.0)
}

#[test]
fn a_write_waits_and_what_follows_keeps_its_place() {
    let mut world = gated();
    let (writer, reader) = (world.client(), world.client());
    assert_eq!(world.say(writer, "get a\nset a 1\nget a\nping\n"), "$-1");
    assert_eq!(world.say(reader, "get a\nping\n"), "$1 1 +PONG");
    assert_eq!(world.say(writer, "echo later\n"), "");
    world.engine.take_dirty(&mut Vec::new());
    fsync(&mut world);
    assert!(is_dirty(&mut world, writer) && !is_dirty(&mut world, reader));
    assert_eq!(world.received(writer), "+OK $1 1 +PONG $5 later");
    assert_eq!(world.say(writer, "ping\n"), "+PONG");
}

#[test]
fn each_write_waits_for_its_own_offset() {
    let mut world = gated();
    let client = world.client();
    assert_eq!(world.say(client, "incr a\n"), "");
    world.engine.effects.take(Vec::new());
    let first = world.engine.effects.offset();
    assert_eq!(world.say(client, "incr a\nget b\n"), "");
    world.engine.effects.take(Vec::new());
    let second = world.engine.effects.offset();
    world.engine.set_fsynced(first - 1);
    assert_eq!(world.received(client), "");
    world.engine.set_fsynced(first);
    assert_eq!(world.received(client), ":1");
    world.engine.set_fsynced(second);
    assert_eq!(world.received(client), ":2 $-1");
    assert_eq!(world.engine.fsynced(), second);
}

#[test]
fn what_changes_nothing_does_not_wait() {
    let mut world = gated();
    let client = world.client();
    assert_eq!(
        world.say(client, "del a\nset a 1 xx\nmulti\nget a\nexec\nlpush\n"),
        ":0 $-1 +OK +QUEUED *1 $-1 -ERR wrong number of arguments for 'lpush' command"
    );
}

#[test]
fn a_read_that_removes_an_expired_key_waits_for_the_removal() {
    let mut world = gated();
    world.engine.active_expire = false;
    let client = world.client();
    world.say(client, "set a 1 px 10\n");
    fsync(&mut world);
    world.received(client);
    world.wait_ms(20);
    assert_eq!(world.say(client, "get a\n"), "");
    fsync(&mut world);
    assert_eq!(world.received(client), "$-1");
}

#[test]
fn a_transaction_waits_as_a_whole() {
    let mut world = gated();
    let client = world.client();
    assert_eq!(
        world.say(client, "multi\nget a\nset a 1\nget a\nexec\n"),
        "+OK +QUEUED +QUEUED +QUEUED"
    );
    fsync(&mut world);
    assert_eq!(world.received(client), "*3 $-1 +OK $1 1");
}

#[test]
fn who_is_served_by_a_write_waits_as_well_but_messages_do_not() {
    let mut world = gated();
    let (pusher, waiter, listener) = (world.client(), world.client(), world.client());
    world.engine.keyspace.journal.notify = keyspace::journal::NotifyClass(u32::MAX);
    world.say(listener, "subscribe __keyevent@0__:lpush\n");
    assert_eq!(world.say(waiter, "blpop l 0\n"), "");
    assert_eq!(world.say(pusher, "lpush l x\n"), "");
    assert_eq!(world.received(waiter), "");
    assert!(world.received(listener).starts_with("*3 $7 message"));
    fsync(&mut world);
    assert_eq!(world.received(waiter), "*2 $1 l $1 x");
    assert_eq!(world.received(pusher), ":1");
}

#[test]
fn a_connection_closes_only_after_what_waits_has_gone_out() {
    let mut world = gated();
    let client = world.client();
    assert_eq!(world.say(client, "set a 1\nquit\n"), "");
    assert!(!world.engine.sent(client.0, 0), "closed too early");
    fsync(&mut world);
    let bytes = world.engine.output(client.0).len();
    assert_eq!(world.engine.output(client.0), b"+OK\r\n+OK\r\n");
    assert!(world.engine.sent(client.0, bytes));
}

#[test]
fn marks_find_their_place_across_chunks_and_partial_writes() {
    let mut world = gated();
    let client = world.client();
    let big = "x".repeat(100_000);
    world.call(client, &format!("set big {big}"));
    fsync(&mut world);
    world.received(client);
    // Replies of several chunks, the mark in the middle of the last one.
    let requests = b"get big\r\nget big\r\nping\r\nset a 1\r\nget big\r\nping\r\n";
    world.engine.feed(client.0, requests, &mut world.host);
    let mut before = Vec::new();
    while !world.engine.output(client.0).is_empty() {
        let part = world.engine.output(client.0);
        let part = part[..part.len().min(999)].to_vec();
        world.engine.sent(client.0, part.len());
        before.extend(part);
    }
    assert_eq!(before.len(), 2 * (100_000 + 11) + 7);
    assert!(before.ends_with(b"+PONG\r\n"));
    fsync(&mut world);
    let rest = world.received(client);
    assert!(rest.starts_with("+OK $100000 xxx") && rest.ends_with("xx +PONG"));
}

#[test]
fn what_waits_counts_against_the_output_limit() {
    let mut world = World::with(|c| c.client_output_buffer_limits[0].hard_bytes = 200_000);
    world.record();
    let client = world.client();
    let request = format!("set big {}", "x".repeat(100_000));
    assert_eq!(world.call(client, &request), "+OK");
    world.engine.gating = GateMode::Fsync;
    world.say(client, "set a 1\nget big\nget big\nget big\n");
    assert!(world.engine.sessions.get(client.0).is_none());
    // Its mark is forgotten with it.
    fsync(&mut world);
    assert_eq!(world.engine.stats.output_buffer_limit_disconnections, 1);
}

#[test]
fn replies_that_are_off_leave_nothing_to_wait_for() {
    let mut world = gated();
    let client = world.client();
    assert_eq!(
        world.say(client, "client reply off\nset a 1\nclient reply on\n"),
        ""
    );
    fsync(&mut world);
    assert_eq!(world.received(client), "+OK");
    assert_eq!(world.say(client, "ping\n"), "+PONG");
}

#[test]
fn gates_open_when_nobody_waits_for_the_disk_any_more() {
    let mut world = gated();
    let client = world.client();
    assert_eq!(world.say(client, "set a 1\n"), "");
    world.engine.gating = GateMode::Off;
    world.engine.open_gates();
    assert_eq!(world.received(client), "+OK");
    assert_eq!(world.say(client, "set a 2\n"), "+OK");
}
