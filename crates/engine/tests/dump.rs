//! DUMP and RESTORE through the wire: errors, options, times, notifications, effects.

mod support;

use config::{Config, ProtectedAction};
use support::{Client, World, contents};

struct Bench {
    world: World,
    client: Client,
}

fn bench(configure: impl FnOnce(&mut Config)) -> Bench {
    let mut world = World::with(|config| {
        config.enable_debug_command = ProtectedAction::Yes;
        configure(config);
    });
    let client = world.client();
    Bench { world, client }
}

impl Bench {
    fn say(&mut self, text: &str) -> String {
        self.world.say(self.client, text)
    }

    fn feed(&mut self, args: &[&[u8]]) -> Vec<u8> {
        let World { engine, host, .. } = &mut self.world;
        let mut wire = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            wire.extend(format!("${}\r\n", arg.len()).as_bytes());
            wire.extend(*arg);
            wire.extend(b"\r\n");
        }
        engine.feed(self.client.0, &wire, host);
        self.world.end_turn();
        let mut reply = Vec::new();
        loop {
            let part = self.world.engine.output(self.client.0).to_vec();
            if part.is_empty() {
                return reply;
            }
            self.world.engine.sent(self.client.0, part.len());
            reply.extend(part);
        }
    }

    fn dump(&mut self, key: &str) -> Vec<u8> {
        let reply = self.feed(&[b"dump", key.as_bytes()]);
        let body = reply.iter().position(|&b| b == b'\n').expect("a bulk") + 1;
        reply[body..reply.len() - 2].to_vec()
    }

    fn restore(&mut self, key: &str, ttl: &str, payload: &[u8], options: &str) -> String {
        let mut args: Vec<&[u8]> = vec![b"restore", key.as_bytes(), ttl.as_bytes(), payload];
        args.extend(options.split_whitespace().map(str::as_bytes));
        let reply = self.feed(&args);
        String::from_utf8_lossy(&reply).trim_end().to_string()
    }
}

#[test]
fn a_value_of_each_kind_comes_back() {
    let long = "y".repeat(100_000);
    let lines = "set int 5\nset text hello\nset empty \"\"\nrpush l a b 1\nsadd ints 1 2\nsadd st a b\nhset h f v\n\
         zadd z 1.5 a inf b\nconfig set hash-max-listpack-entries 0 set-max-listpack-entries 0 \
         zset-max-listpack-entries 0 list-max-listpack-size 1\nhset h2 f v g w\nsadd st2 a b\nzadd z2 1 a 2 b\n\
         rpush l2 a b c\nconfig set hash-max-listpack-entries 128 set-max-listpack-entries 128 \
         zset-max-listpack-entries 128 list-max-listpack-size -2\n".to_string();
    for version in ["10", "11"] {
        let mut b = bench(|_| {});
        b.say(&lines);
        b.say(&format!("config set rdb-version {version}\n"));
        assert_eq!(b.feed(&[b"set", b"long", long.as_bytes()]), b"+OK\r\n");
        let keys = [
            "int", "text", "empty", "l", "ints", "st", "h", "z", "h2", "st2", "z2", "l2", "long",
        ];
        let payloads: Vec<_> = keys.iter().map(|key| b.dump(key)).collect();
        let before = contents(&mut b.world);
        assert_eq!(before.len(), keys.len());
        b.say("flushall\n");
        for (key, payload) in keys.iter().zip(&payloads) {
            assert_eq!(b.restore(key, "0", payload, ""), "+OK");
        }
        assert_eq!(contents(&mut b.world), before);
    }
    assert_eq!(bench(|_| {}).say("dump nothing\n"), "$-1");
}

#[test]
fn what_is_wrong_is_said_in_the_order_of_redis() {
    let mut b = bench(|_| {});
    b.say("set k v\n");
    let payload = b.dump("k");
    let mut bad = payload.clone();
    bad[1] ^= 1;
    let cases = [
        ("k", "x", &bad, "foo", "-ERR syntax error"),
        (
            "k",
            "x",
            &bad,
            "",
            "-BUSYKEY Target key name already exists.",
        ),
        (
            "n",
            "x",
            &bad,
            "",
            "-ERR value is not an integer or out of range",
        ),
        ("n", "-1", &bad, "", "-ERR Invalid TTL value, must be >= 0"),
        (
            "n",
            "0",
            &bad,
            "",
            "-ERR DUMP payload version or checksum are wrong",
        ),
        (
            "n",
            "0",
            &payload,
            "idletime -1",
            "-ERR Invalid IDLETIME value, must be >= 0",
        ),
        (
            "n",
            "0",
            &payload,
            "freq 256",
            "-ERR Invalid FREQ value, must be >= 0 and <= 255",
        ),
        ("n", "0", &payload, "freq 1 idletime 1", "-ERR syntax error"),
    ];
    for (key, ttl, payload, options, error) in cases {
        assert_eq!(b.restore(key, ttl, payload, options), error);
    }
    b.say("debug set-skip-checksum-validation 1\n");
    assert_eq!(b.restore("n", "0", &bad, ""), "-ERR Bad data format");
    assert_eq!(
        b.restore("k", "0", b"", "replace"),
        "-ERR DUMP payload version or checksum are wrong"
    );
    // A failed RESTORE REPLACE leaves what was there.
    assert_eq!(b.restore("k", "0", &bad, "replace"), "-ERR Bad data format");
    assert_eq!(b.say("get k\nexists n\n"), "$1 v :0");
}

#[test]
fn times_are_relative_or_absolute_and_may_have_passed() {
    let mut b = bench(|_| {});
    b.world.record();
    b.say("set k v\n");
    let payload = b.dump("k");
    b.world.effects();
    assert_eq!(b.restore("a", "500", &payload, ""), "+OK");
    let effect = b.world.effects();
    assert!(effect[0].ends_with(" ABSTTL") && effect[0].starts_with("restore a 1700000000500 "));
    assert_eq!(b.restore("b", "1700000000700", &payload, "absttl"), "+OK");
    assert!(b.world.effects()[0].ends_with(" absttl"));
    assert_eq!(b.say("pttl a\npttl b\npttl k\n"), ":500 :700 :-1");
    assert_eq!(b.restore("c", "5", &payload, "absttl"), "+OK");
    assert!(b.world.effects().is_empty());
    assert_eq!(b.restore("a", "5", &payload, "absttl replace"), "+OK");
    assert_eq!(b.world.effects(), ["DEL a"]);
    assert_eq!(b.say("exists a c\n"), ":0");
    assert_eq!(b.restore("k", "0", &payload, "replace"), "+OK");
    assert_eq!(b.world.effects().len(), 1);
    assert_eq!(b.say("pttl k\n"), ":-1");
}

#[test]
fn listeners_hear_of_it_and_watchers_are_spoilt() {
    let mut b = bench(|_| {});
    b.say("set k v\n");
    let payload = b.dump("k");
    b.world.engine.keyspace.journal.notify = keyspace::journal::NotifyClass(u32::MAX);
    let listener = b.world.client();
    b.world.say(listener, "psubscribe __keyevent@0__:*\n");
    b.say("watch a\nmulti\nping\n");
    let other = b.world.client();
    let mine = std::mem::replace(&mut b.client, other);
    b.restore("a", "0", &payload, "");
    let heard = b.world.received(listener);
    let (new, restored) = (heard.find(":new"), heard.find(":restore"));
    assert!(new.is_some() && new < restored, "{heard}");
    b.restore("a", "1", &payload, "replace absttl");
    assert!(b.world.received(listener).contains("__keyevent@0__:del"));
    assert_eq!(b.world.say(mine, "exec\n"), "*-1");
}

#[test]
fn access_data_is_taken_over_if_it_is_of_the_kind_in_use() {
    let mut b = bench(|_| {});
    b.say("set k v\n");
    let payload = b.dump("k");
    b.restore("idle", "0", &payload, "idletime 1000");
    b.restore("freq", "0", &payload, "freq 100");
    assert_eq!(
        b.say("object idletime idle\nobject idletime freq\n"),
        ":1000 :0"
    );
    b.say("config set maxmemory-policy allkeys-lfu\n");
    b.restore("freq", "0", &payload, "freq 100 replace");
    assert_eq!(b.say("object freq freq\n"), ":100");
}

#[test]
fn a_client_that_waits_is_served_by_a_restored_list() {
    let mut b = bench(|_| {});
    b.say("rpush k x\n");
    let payload = b.dump("k");
    let waiter = b.world.client();
    b.world.say(waiter, "blpop l 0\n");
    b.restore("l", "0", &payload, "");
    assert_eq!(b.world.received(waiter), "*2 $1 l $1 x");
}
