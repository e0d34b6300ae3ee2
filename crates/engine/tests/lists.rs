//! The list commands, and clients that wait for lists.

mod support;

use engine::settings::Settings;
use support::World;

/// Requests and the replies they must get, by one client of a fresh engine.
#[track_caller]
fn check(steps: &[(&str, &str)]) {
    let mut world = World::new();
    let client = world.client();
    for (request, reply) in steps {
        assert_eq!(world.call(client, request), *reply, "{request}");
    }
}

#[test]
fn elements_go_in_and_out_at_both_ends() {
    check(&[
        ("rpush l a b", ":2"),
        ("lpush l 1 2", ":4"),
        ("lrange l 0 -1", "*4 $1 2 $1 1 $1 a $1 b"),
        ("lrange l -2 100", "*2 $1 a $1 b"),
        ("lrange l 3 2", "*0"),
        ("lpop l", "$1 2"),
        ("rpop l 2", "*2 $1 b $1 a"),
        ("lpop l 0", "*0"),
        ("lpop l -1", "-ERR value is out of range, must be positive"),
        ("llen l", ":1"),
        ("lpop l 10", "*1 $1 1"),
        ("exists l", ":0"),
        ("lpop l", "$-1"),
        ("lpop l 1", "*-1"),
        ("lpushx l a", ":0"),
        (
            "lpop l 1 2",
            "-ERR wrong number of arguments for 'lpop' command",
        ),
    ]);
}

#[test]
fn the_inside_is_found_changed_and_cut() {
    check(&[
        ("rpush l a b c b d b", ":6"),
        ("lpos l b", ":1"),
        ("lpos l b rank -1 count 2", "*2 :5 :3"),
        ("lpos l b maxlen 1", "$-1"),
        ("lpos l b count 0 maxlen 4", "*2 :1 :3"),
        ("lpos l b count -1", "-ERR COUNT can't be negative"),
        ("lset l -6 A", "+OK"),
        ("lset l 6 A", "-ERR index out of range"),
        ("lset nokey x A", "-ERR no such key"),
        ("linsert l after c x", ":7"),
        ("linsert l before nope x", ":-1"),
        ("linsert nokey before a x", ":0"),
        ("linsert l beside a x", "-ERR syntax error"),
        ("lrem l -2 b", ":2"),
        ("lrange l 0 -1", "*5 $1 A $1 b $1 c $1 x $1 d"),
        ("ltrim l 1 -2", "+OK"),
        ("lindex l 0", "$1 b"),
        ("lindex l 3", "$-1"),
        ("lindex nokey notanumber", "$-1"),
        ("ltrim l 5 9", "+OK"),
        ("exists l", ":0"),
    ]);
}

#[test]
fn a_move_keeps_or_drops_the_source() {
    check(&[
        ("rpush a 1 2", ":2"),
        ("lmove a b left right", "$1 1"),
        ("lmove a a left right", "$1 2"),
        ("rpoplpush a b", "$1 2"),
        ("exists a", ":0"),
        ("lrange b 0 -1", "*2 $1 2 $1 1"),
        ("rpoplpush a b", "$-1"),
        ("set s x", "+OK"),
        (
            "rpoplpush b s",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("rpoplpush nokey s", "$-1"),
        ("llen b", ":2"),
        ("lmove b b left nowhere", "-ERR syntax error"),
        ("lmpop 2 nokey b right count 5", "*2 $1 b *2 $1 1 $1 2"),
        ("lmpop 1 b left", "*-1"),
        ("lmpop 0 b left", "-ERR numkeys should be greater than 0"),
        ("lmpop 2 b left", "-ERR syntax error"),
        (
            "lmpop 1 b left count 0",
            "-ERR count should be greater than 0",
        ),
        ("lmpop 1 b left count 1 count 1", "-ERR syntax error"),
    ]);
}

#[test]
fn waiting_clients_are_served_in_the_order_they_came() {
    let mut world = World::new();
    let [first, second, pusher] = [world.client(), world.client(), world.client()];
    assert_eq!(world.call(first, "blpop l 0"), "");
    assert_eq!(world.call(second, "brpop l k l 0"), "");
    assert_eq!(world.call(pusher, "rpush l a b c"), ":3");
    assert_eq!(world.received(first), "*2 $1 l $1 a");
    assert_eq!(world.received(second), "*2 $1 l $1 c");
    assert_eq!(world.call(pusher, "lrange l 0 -1"), "*1 $1 b");
    assert_eq!(world.engine.blocking.count(), 0);
    assert_eq!(world.engine.blocking.key_count(), 0);
}

#[test]
fn a_wait_ends_at_its_time_with_a_null_array() {
    let mut world = World::new();
    let client = world.client();
    for request in [
        "blpop l 0.5",
        "blmpop 0.5 1 l left",
        "blmove l k left right 0.5",
        "brpoplpush l k 0.5",
    ] {
        assert_eq!(world.call(client, request), "");
        world.wait_ms(499);
        assert_eq!(world.received(client), "", "{request}");
        world.wait_ms(1);
        assert_eq!(world.received(client), "*-1", "{request}");
    }
}

#[test]
fn bad_timeouts_and_wrong_types_are_refused_at_once() {
    check(&[
        ("blpop l x", "-ERR timeout is not a float or out of range"),
        ("blpop l -1", "-ERR timeout is negative"),
        ("blmove l l left right -1", "-ERR timeout is negative"),
        ("set s x", "+OK"),
        (
            "blpop s l 0",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "brpoplpush s l 0",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
    ]);
}

#[test]
fn only_a_list_serves_who_waits_for_one() {
    let mut world = World::new();
    let [waiter, other] = [world.client(), world.client()];
    world.call(waiter, "blpop l 0");
    world.call(other, "set l x");
    world.call(other, "del l");
    assert_eq!(world.received(waiter), "");
    world.call(other, "rpush k 1");
    world.call(other, "rename k l");
    assert_eq!(world.received(waiter), "*2 $1 l $1 1");
}

#[test]
fn moves_that_wait_serve_each_other_in_chains_and_circles() {
    let mut world = World::new();
    let [a, b, c, pusher] = [
        world.client(),
        world.client(),
        world.client(),
        world.client(),
    ];
    world.call(a, "brpoplpush one two 0");
    world.call(b, "brpoplpush two one 0");
    world.call(pusher, "rpush one x");
    assert_eq!(world.received(a), "$1 x");
    assert_eq!(world.received(b), "$1 x");
    assert_eq!(world.call(pusher, "lrange one 0 -1"), "*1 $1 x");
    world.call(a, "blmove src dst left left 0");
    world.call(b, "blmove dst end left left 0");
    world.call(c, "blpop end 0");
    world.call(pusher, "rpush src y");
    assert_eq!(world.received(c), "*2 $3 end $1 y");
    assert_eq!(world.call(pusher, "exists src dst end"), ":0");
}

#[test]
fn a_failing_move_lets_the_next_client_have_the_element() {
    let mut world = World::new();
    let [a, b, pusher] = [world.client(), world.client(), world.client()];
    world.call(pusher, "set s x");
    world.call(a, "brpoplpush l s 0");
    world.call(b, "brpoplpush l t 0");
    world.call(pusher, "rpush l x");
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!(world.received(a), wrong_type);
    assert_eq!(world.received(b), "$1 x");
}

#[test]
fn who_leaves_or_is_released_gives_the_place_up() {
    let mut world = World::new();
    let [gone, released, next, pusher] = [
        world.client(),
        world.client(),
        world.client(),
        world.client(),
    ];
    for client in [gone, released, next] {
        world.call(client, "blpop l k 0");
    }
    world.engine.disconnect(gone.0);
    assert!(
        world
            .engine
            .release_blocked(released.0, |out, _| out.error("UNBLOCKED by the test"))
    );
    assert_eq!(world.received(released), "-UNBLOCKED by the test");
    world.call(pusher, "rpush k v");
    assert_eq!(world.received(next), "*2 $1 k $1 v");
    assert!(!world.engine.release_blocked(next.0, |_, _| ()));
}

#[test]
fn requests_behind_a_wait_run_when_it_is_over() {
    let mut world = World::new();
    let [a, b, pusher] = [world.client(), world.client(), world.client()];
    for client in [a, b] {
        world.send(client, "blpop l 0");
        world.send(client, "rpush order x");
        world.send(client, "llen order");
    }
    world.call(pusher, "rpush l 1 2");
    assert_eq!(world.received(a), "*2 $1 l $1 1 :1 :1");
    assert_eq!(world.received(b), "*2 $1 l $1 2 :2 :2");
}

#[test]
fn what_a_wait_did_propagates_without_the_wait() {
    let mut world = World::new();
    world.record();
    let [a, b, pusher] = [world.client(), world.client(), world.client()];
    world.call(a, "blmove src dst left right 0");
    world.call(b, "blmpop 0 1 dst right count 10");
    world.call(pusher, "rpush src 1");
    assert_eq!(
        world.effects(),
        ["rpush src 1", "LMOVE src dst left right", "RPOP dst 1"]
    );
    world.call(a, "brpop l 0");
    world.call(pusher, "lpush l 1 2");
    world.call(b, "blpop l 0");
    world.call(pusher, "lmpop 1 l left");
    assert_eq!(world.effects(), ["lpush l 1 2", "RPOP l", "LPOP l"]);
}

#[test]
fn a_waiting_command_counts_once() {
    let mut world = World::new();
    let [waiter, pusher] = [world.client(), world.client()];
    let calls = |world: &mut World| {
        let id = commands::lookup(b"blpop").expect("known");
        world.engine.stats.of(id).calls
    };
    world.call(waiter, "blpop l 1");
    assert_eq!(calls(&mut world), 0);
    world.call(pusher, "rpush l a");
    assert_eq!(calls(&mut world), 1);
    world.call(waiter, "blpop l 1");
    world.wait_ms(1000);
    assert_eq!(calls(&mut world), 2);
}

#[test]
fn nobody_is_served_while_clients_are_paused() {
    let mut world = World::new();
    let [waiter, pusher] = [world.client(), world.client()];
    world.call(waiter, "blpop l 0");
    // What a transaction does that pauses clients itself.
    world
        .engine
        .pause_writes(engine::PausePurpose::Client, None);
    let limits = Settings::from_config(&world.engine.config).list;
    let list = world
        .engine
        .keyspace
        .get_or_create(0, b"l", structures::list::List::new)
        .expect("a list");
    list.push_back(b"x", &limits);
    world.call(pusher, "llen l");
    assert_eq!(world.received(waiter), "");
    world.engine.end_pause(engine::PausePurpose::Client);
    world.end_turn();
    assert_eq!(world.received(waiter), "*2 $1 l $1 x");
}

#[test]
fn an_expired_key_serves_nobody_and_stays_for_its_own_end() {
    let mut world = World::new();
    world.record();
    world.engine.active_expire = false;
    let [waiter, other] = [world.client(), world.client()];
    for request in ["select 1", "rpush l x", "pexpire l 100"] {
        world.call(other, request);
    }
    world.wait_ms(101);
    world.call(waiter, "brpop l 10");
    world.call(other, "swapdb 0 1");
    world.call(other, "select 0");
    assert_eq!(world.received(waiter), "");
    assert_eq!(world.engine.blocking.count(), 1);
    let effects = world.effects();
    assert_eq!(
        effects.last().map(String::as_str),
        Some("swapdb 0 1"),
        "{effects:?}"
    );
    assert_eq!(world.call(other, "exists l"), ":0");
    assert_eq!(world.effects(), ["DEL l"]);
    world.call(other, "rpush l y");
    assert_eq!(world.received(waiter), "*2 $1 l $1 y");
}

#[test]
fn served_clients_come_before_the_next_request() {
    let mut world = World::new();
    world.record();
    let [a, b, pusher] = [world.client(), world.client(), world.client()];
    world.call(a, "blmove src dst left right 0");
    world.call(b, "blmove dst src right left 0");
    let pipeline = b"set before 1\r\nlpush src x\r\nset after 1\r\n";
    world.engine.feed(pusher.0, pipeline, &mut world.host);
    let expected = [
        "set before 1",
        "lpush src x",
        "LMOVE src dst left right",
        "LMOVE dst src right left",
        "set after 1",
    ];
    assert_eq!(world.effects(), expected);
}

#[test]
fn a_transaction_ends_before_anybody_is_served() {
    let mut world = World::new();
    let [a, b, pusher] = [world.client(), world.client(), world.client()];
    world.call(a, "blpop l m 0");
    world.call(b, "blpop m 0");
    for request in [
        "multi",
        "rpush m 1",
        "rpush m 2",
        "rpush l 3",
        "lpop m",
        "exec",
    ] {
        world.call(pusher, request);
    }
    assert_eq!(world.received(a), "*2 $1 l $1 3");
    assert_eq!(world.received(b), "*2 $1 m $1 2");
}
