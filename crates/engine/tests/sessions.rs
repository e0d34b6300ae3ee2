//! Sessions from outside: authentication, transactions, messages, pauses, limits.

mod support;

use config::Text;
use support::World;

#[test]
fn without_the_password_only_authentication_is_possible() {
    let mut b = World::with(|c| c.requirepass = Text::from("secret"));
    let c = b.client();
    assert_eq!(b.say(c, "get x\n"), "-NOAUTH Authentication required.");
    assert!(
        b.say(c, "hello 3\n")
            .starts_with("-NOAUTH HELLO must be called")
    );
    assert_eq!(
        b.say(c, "auth no\nauth other secret\n"),
        "-WRONGPASS invalid username-password pair or user is disabled. -WRONGPASS invalid username-password pair or user is disabled."
    );
    assert_eq!(b.engine.stats.auth_failures, 2);
    assert_eq!(
        b.say(c, "*1000\r\n"),
        "-ERR Protocol error: unauthenticated multibulk length"
    );
    let c = b.client();
    assert_eq!(b.say(c, "auth default secret\nget x\n"), "+OK $-1");
    let c = b.client();
    assert!(
        b.say(c, "hello 3 auth default secret setname me\n")
            .starts_with("%7 $6 server $5 redis")
    );
    assert_eq!(b.say(c, "client getname\n"), "$2 me");
}

#[test]
fn a_queued_mistake_spoils_the_transaction_and_a_nested_multi_does_not() {
    let mut b = World::new();
    let c = b.client();
    assert_eq!(
        b.say(c, "multi\nmulti\nset a 1\nexec\n"),
        "+OK -ERR MULTI calls can not be nested +QUEUED *1 +OK"
    );
    let refused = b.say(c, "multi\nset a\nset a 2\nexec\nget a\n");
    assert_eq!(
        refused,
        "+OK -ERR wrong number of arguments for 'set' command +QUEUED -EXECABORT Transaction discarded because of previous errors. $1 1"
    );
    assert_eq!(
        b.say(c, "exec\ndiscard\n"),
        "-ERR EXEC without MULTI -ERR DISCARD without MULTI"
    );
}

#[test]
fn a_watched_key_that_changes_or_expires_stops_exec() {
    let mut b = World::new();
    let (c, other) = (b.client(), b.client());
    b.say(c, "set a 1\nwatch a\nmulti\nset a 2\n");
    b.say(other, "set a 3\n");
    assert_eq!(b.say(c, "exec\nget a\n"), "*-1 $1 3");

    b.say(c, "set a 1 px 10\nwatch a\nmulti\nping\n");
    b.wait_ms(20);
    assert_eq!(b.say(c, "exec\n"), "*-1");
}

#[test]
fn a_key_expired_before_watch_may_be_removed_without_harm() {
    let mut b = World::new();
    b.engine.active_expire = false;
    let c = b.client();
    b.say(c, "set a 1 px 10\n");
    b.wait_ms(20);
    assert_eq!(
        b.say(c, "watch a\ndel a\nmulti\nping\nexec\n"),
        "+OK :0 +OK +QUEUED *1 +PONG"
    );
    b.say(c, "set b 1 px 10\n");
    b.wait_ms(20);
    assert_eq!(
        b.say(c, "watch b\nset b 2\nmulti\nping\nexec\n"),
        "+OK +OK +OK +QUEUED *-1"
    );
}

#[test]
fn effects_of_a_transaction_are_one_unit_and_expired_keys_go_first() {
    let mut b = World::new();
    b.engine.active_expire = false;
    b.record();
    let c = b.client();
    b.say(c, "set a 1 px 10\n");
    b.effects();
    b.wait_ms(20);
    b.say(c, "multi\nset a 2\nset b 3\nexec\n");
    assert_eq!(
        b.effects(),
        ["MULTI", "DEL a", "set a 2", "set b 3", "EXEC"]
    );
    b.say(c, "multi\nset a 2\nget a\nexec\n");
    assert_eq!(b.effects(), ["set a 2"]);
}

#[test]
fn messages_to_the_sender_come_behind_the_reply() {
    let mut b = World::new();
    let (c, other) = (b.client(), b.client());
    b.say(c, "hello 3\n");
    assert_eq!(
        b.say(other, "psubscribe n*\n"),
        "*3 $10 psubscribe $2 n* :1"
    );
    assert_eq!(
        b.say(c, "subscribe news\npublish news hi\n"),
        ">3 $9 subscribe $4 news :1 :2 >3 $7 message $4 news $2 hi"
    );
    assert_eq!(b.received(other), "*4 $8 pmessage $2 n* $4 news $2 hi");
    assert_eq!(
        b.say(c, "multi\npublish news a\nping\nexec\n"),
        "+OK +QUEUED +QUEUED *2 :2 +PONG >3 $7 message $4 news $1 a"
    );
}

#[test]
fn a_served_client_reaches_the_session_that_served_it() {
    let mut b = World::with(|_| {});
    let (c, blocked) = (b.client(), b.client());
    b.engine.keyspace.journal.notify = keyspace::journal::NotifyClass(u32::MAX);
    b.say(c, "hello 3\nsubscribe __keyevent@0__:lpop\n");
    assert_eq!(b.say(blocked, "blpop list 0\n"), "");
    let heard = b.say(c, "rpush list x\n");
    assert!(heard.starts_with(":1"), "{heard}");
    assert!(
        heard.contains("message $19 __keyevent@0__:lpop $4 list"),
        "{heard}"
    );
    assert_eq!(b.received(blocked), "*2 $4 list $1 x");
}

#[test]
fn subscribers_of_the_old_protocol_may_do_nothing_else() {
    let mut b = World::new();
    let c = b.client();
    assert_eq!(
        b.say(c, "ssubscribe s\nping\n"),
        "*3 $10 ssubscribe $1 s :1 *2 $4 pong $0"
    );
    assert!(
        b.say(c, "get x\n")
            .starts_with("-ERR Can't execute 'get': only")
    );
    assert_eq!(b.say(c, "reset\nget x\n"), "+RESET $-1");
    assert_eq!(b.say(c, "unsubscribe\n"), "*3 $11 unsubscribe $-1 :0");
}

#[test]
fn replies_can_be_turned_off_and_skipped() {
    let mut b = World::new();
    let c = b.client();
    assert_eq!(b.say(c, "client reply skip\nset a 1\nget a\n"), "$1 1");
    assert_eq!(
        b.say(c, "client reply off\nget a\nsubscribe x\nclient reply on\n"),
        "*3 $9 subscribe $1 x :1"
    );
}

#[test]
fn a_pause_holds_back_commands_and_hides_expired_keys() {
    let mut b = World::new();
    let (c, other) = (b.client(), b.client());
    b.say(c, "set k 1 px 10\nclient pause 100 write\n");
    assert_eq!(b.say(other, "set a 1\nget a\n"), "");
    b.wait_ms(20);
    assert_eq!(b.say(c, "get k\ndbsize\n"), "$-1 :1");
    b.wait_ms(100);
    assert_eq!(b.received(other), "+OK $1 1");
    assert_eq!(b.say(c, "dbsize\n"), ":1");
}

#[test]
fn a_write_that_runs_in_spite_of_a_pause_takes_the_place_of_an_expired_key() {
    let mut b = World::with(|config| config.enable_debug_command = config::ProtectedAction::Yes);
    let c = b.client();
    b.say(c, "debug set-active-expire 0\nset m 7\n");
    b.say(c, "set k 1 px 10\nset r 1 px 10\nset h 1 px 10\n");
    b.wait_ms(20);
    b.say(
        c,
        "multi\nclient pause 1000 write\nincr k\nrename m r\nhset h f 1\nexec\n",
    );
    assert_eq!(b.say(c, "dbsize\nget k\nget r\n"), ":3 $1 1 $1 7");
}

#[test]
fn a_paused_engine_does_not_ask_to_be_called_for_what_it_may_not_do() {
    let mut b = World::new();
    let c = b.client();
    b.say(c, "set k 1 px 1\nclient pause 100000 write\n");
    b.wait_ms(10);
    assert!(b.engine.next_timeout_ms() > 0);
}

#[test]
fn a_client_that_does_not_read_is_closed_at_its_limit() {
    let mut b = World::with(|c| {
        c.client_output_buffer_limits[config::ClientClass::Pubsub as usize].hard_bytes = 50_000
    });
    let (c, slow) = (b.client(), b.client());
    b.say(slow, "subscribe x\n");
    for _ in 0..60 {
        b.say(c, &format!("publish x {}\n", "y".repeat(1000)));
    }
    assert_eq!(b.engine.sessions.len(), 1);
    assert!(b.host.log.iter().any(|l| {
        l.contains("scheduled to be closed ASAP for overcoming of output buffer limits.")
    }));
}

#[test]
fn the_largest_clients_go_when_all_cost_too_much() {
    let mut b = World::with(|c| c.maxmemory_clients = config::ClientsMemory::Bytes(300_000));
    let (small, large, exempt) = (b.client(), b.client(), b.client());
    b.say(exempt, "client no-evict on\n");
    b.say(
        exempt,
        &format!("*2\n$4\necho\n$500000\n{}", "x".repeat(1000)),
    );
    b.say(
        small,
        &format!("*2\n$4\necho\n$100000\n{}", "x".repeat(1000)),
    );
    assert_eq!(b.engine.sessions.len(), 3);
    b.say(
        large,
        &format!("*2\n$4\necho\n$250000\n{}", "x".repeat(1000)),
    );
    assert_eq!(b.engine.sessions.len(), 2);
    assert_eq!(b.engine.stats.evicted_clients, 1);
    assert!(b.engine.sessions.get(large.0).is_none());
    assert!(b.engine.sessions.get(small.0).is_some());
}

#[test]
fn buffers_of_an_idle_client_go_back() {
    let mut b = World::new();
    let c = b.client();
    b.say(c, "*2\n$4\necho\n$3\nab");
    assert!(
        b.engine
            .sessions
            .get(c.0)
            .is_some_and(|s| s.input_capacity() >= 16 * 1024)
    );
    assert_eq!(b.say(c, "c\n"), "$3 abc");
    for _ in 0..30 {
        b.wait_ms(400);
    }
    let session = b
        .engine
        .sessions
        .get(c.0)
        .map(|s| (s.input_capacity(), s.reply_buffer_bytes));
    assert_eq!(session, Some((0, 1024)));
}

#[test]
fn killing_matches_all_filters() {
    let mut b = World::new();
    let (c, other, listener) = (b.client(), b.client(), b.client());
    b.say(listener, "subscribe x\n");
    assert_eq!(b.say(c, "client kill type pubsub laddr 1.2.3.4:5\n"), ":0");
    assert_eq!(b.say(c, "client kill type pubsub\n"), ":1");
    assert!(b.engine.sessions.get(listener.0).is_none());
    assert_eq!(b.say(c, "client kill 127.0.0.1:2\n"), "+OK");
    assert!(b.engine.sessions.get(other.0).is_none());
    assert_eq!(b.say(c, "client kill id 1 skipme no\n"), ":1");
    assert!(b.engine.sent(c.0, 0));
}

#[test]
fn unblocking_ends_a_wait_as_asked() {
    let mut b = World::new();
    let (c, blocked) = (b.client(), b.client());
    b.say(blocked, "blpop a 0\nping\n");
    assert_eq!(b.say(c, "client unblock 2 error\n"), ":1");
    assert_eq!(
        b.received(blocked),
        "-UNBLOCKED client unblocked via CLIENT UNBLOCK +PONG"
    );
    b.say(blocked, "blpop a 0\n");
    assert_eq!(b.say(c, "client unblock 2\nclient unblock 2\n"), ":1 :0");
    assert_eq!(b.received(blocked), "*-1");
}

#[test]
fn an_idle_client_is_closed_unless_it_waits_for_something() {
    let mut b = World::with(|c| c.timeout = 2);
    let (idle, blocked, listener) = (b.client(), b.client(), b.client());
    b.say(idle, "ping\n");
    b.say(blocked, "blpop a 0\n");
    b.say(listener, "subscribe x\n");
    for _ in 0..5 {
        b.wait_ms(1000);
    }
    assert!(b.engine.sessions.get(idle.0).is_none());
    assert!(b.engine.sessions.get(blocked.0).is_some());
    assert!(b.engine.sessions.get(listener.0).is_some());
}
