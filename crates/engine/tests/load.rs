//! Entries that are put into an engine from a file: what the policy says about keys that have expired
//! or are there already, and that nobody hears of it but who watches.

mod support;

use config::Config;
use engine::{LoadEntry, LoadOutcome, LoadPolicy};
use keyspace::ExpiredKeys;
use rdb::{AccessInfo, Loaded};
use support::World;

fn entry<'a>(key: &'a str, value: &'a str, expiry_ms: Option<i64>) -> LoadEntry<'a> {
    LoadEntry {
        db: 0,
        key: key.as_bytes(),
        value: Loaded::Bytes(value.as_bytes()),
        expiry_ms,
        access: AccessInfo::None,
    }
}

const KEEP: LoadPolicy = LoadPolicy {
    keep_expired: true,
    replace: false,
};
const REPLACE: LoadPolicy = LoadPolicy {
    keep_expired: false,
    replace: true,
};

fn load(world: &mut World, entry: LoadEntry<'_>, policy: LoadPolicy) -> LoadOutcome {
    let outcome = world.engine.load_entry(entry, policy);
    world.engine.settle_load(&mut world.host);
    outcome
}

#[test]
fn a_key_is_there_with_its_value_and_its_time() {
    let mut world = World::new();
    let client = world.client();
    let later = world.host.now_us / 1000 + 5000;
    let policy = LoadPolicy::default();
    assert_eq!(
        load(&mut world, entry("a", "1", None), policy),
        LoadOutcome::Added
    );
    assert_eq!(
        load(&mut world, entry("b", "2", Some(later)), policy),
        LoadOutcome::Added
    );
    assert_eq!(world.call(client, "MGET a b"), "*2 $1 1 $1 2");
    assert_eq!(world.call(client, "PTTL a"), ":-1");
    assert_eq!(world.call(client, "PTTL b"), ":5000");
    world.wait_ms(5001);
    assert_eq!(world.call(client, "DBSIZE"), ":1");
}

#[test]
fn what_has_expired_is_left_out_unless_its_file_wants_it() {
    let mut world = World::new();
    let client = world.client();
    let now = world.host.now_us / 1000;
    for at in [now - 1, now] {
        let gone = load(
            &mut world,
            entry("key", "1", Some(at)),
            LoadPolicy::default(),
        );
        assert_eq!(gone, LoadOutcome::Expired);
    }
    assert_eq!(world.call(client, "DBSIZE"), ":0");
    // As while a file is read: a later command may persist it.
    world.engine.keyspace.expired_keys = ExpiredKeys::Keep;
    let kept = load(&mut world, entry("key", "1", Some(now - 1)), KEEP);
    assert_eq!(kept, LoadOutcome::Added);
    assert_eq!(world.call(client, "PERSIST key"), ":1");
    world.engine.keyspace.expired_keys = ExpiredKeys::Delete;
    assert_eq!(world.call(client, "GET key"), "$1 1");
}

#[test]
fn a_key_twice_is_an_error_and_the_first_one_stays() {
    let mut world = World::new();
    let client = world.client();
    assert_eq!(
        load(&mut world, entry("key", "1", None), LoadPolicy::default()),
        LoadOutcome::Added
    );
    for policy in [LoadPolicy::default(), KEEP] {
        let again = load(&mut world, entry("key", "2", None), policy);
        assert_eq!(again, LoadOutcome::Duplicate);
        assert_eq!(world.call(client, "GET key"), "$1 1");
    }
    let mut other = entry("key", "3", None);
    other.db = 5;
    assert_eq!(
        load(&mut world, other, LoadPolicy::default()),
        LoadOutcome::Added
    );
}

#[test]
fn with_replace_the_last_one_counts_even_where_an_expired_one_is_in_its_place() {
    let mut world = World::new();
    let client = world.client();
    assert_eq!(world.call(client, "RPUSH key a b c"), ":3");
    assert_eq!(
        load(&mut world, entry("key", "1", None), REPLACE),
        LoadOutcome::Added
    );
    assert_eq!(world.call(client, "GET key"), "$1 1");
    assert_eq!(world.call(client, "PEXPIRE key 10"), ":1");
    world.engine.keyspace.expired_keys = ExpiredKeys::Hide;
    world.host.now_us += 11_000;
    world.engine.refresh_time(&mut world.host);
    assert_eq!(
        load(&mut world, entry("key", "2", None), REPLACE),
        LoadOutcome::Added
    );
    assert_eq!(world.call(client, "GET key"), "$1 2");
    assert_eq!(world.call(client, "DBSIZE"), ":1");
    // Replaced by what has expired already: Redis leaves the old one, too.
    let now = world.host.now_us / 1000;
    assert_eq!(
        load(&mut world, entry("key", "3", Some(now)), REPLACE),
        LoadOutcome::Expired
    );
    assert_eq!(world.call(client, "GET key"), "$1 2");
}

#[test]
fn a_database_that_is_not_there_is_said_so() {
    let mut world = World::with(|config| config.databases = 2);
    for (db, expected) in [
        (1, LoadOutcome::Added),
        (2, LoadOutcome::NoSuchDb),
        (u32::MAX, LoadOutcome::NoSuchDb),
    ] {
        let mut entry = entry("key", "1", None);
        entry.db = db;
        assert_eq!(load(&mut world, entry, LoadPolicy::default()), expected);
    }
}

#[test]
fn nothing_is_recorded_published_or_counted_as_a_change() {
    let mut world = World::new();
    let (listener, client) = (world.client(), world.client());
    assert_eq!(
        world.call(client, "CONFIG SET notify-keyspace-events KEA"),
        "+OK"
    );
    world.call(listener, "PSUBSCRIBE *");
    world
        .engine
        .record_effects(engine::EffectsReader::AppendOnly, true);
    for number in 0..10 {
        let key = format!("key:{number}");
        assert_eq!(
            load(&mut world, entry(&key, "1", None), LoadPolicy::default()),
            LoadOutcome::Added
        );
        assert_eq!(
            load(&mut world, entry(&key, "2", None), REPLACE),
            LoadOutcome::Added
        );
    }
    assert_eq!(world.received(listener), "");
    assert_eq!(world.effects(), Vec::<String>::new());
    assert_eq!(world.engine.keyspace.journal.dirty, 0);
    assert_eq!(world.call(client, "DBSIZE"), ":10");
}

#[test]
fn a_transaction_that_watches_a_loaded_key_fails() {
    let mut world = World::new();
    let client = world.client();
    for key in ["key", "other"] {
        assert_eq!(world.call(client, "WATCH key"), "+OK");
        assert_eq!(
            load(&mut world, entry(key, "1", None), REPLACE),
            LoadOutcome::Added
        );
        assert_eq!(world.call(client, "MULTI"), "+OK");
        assert_eq!(world.call(client, "PING"), "+QUEUED");
        let expected = if key == "key" { "*-1" } else { "*1 +PONG" };
        assert_eq!(world.call(client, "EXEC"), expected, "{key}");
    }
}

#[test]
fn how_a_key_was_used_comes_with_it() {
    let lru = |config: &mut Config| config.maxmemory_policy = config::MaxmemoryPolicy::AllkeysLru;
    let mut world = World::with(lru);
    let client = world.client();
    let mut idle = entry("key", "1", None);
    idle.access = AccessInfo::IdleSeconds(100);
    load(&mut world, idle, LoadPolicy::default());
    assert_eq!(world.call(client, "OBJECT IDLETIME key"), ":100");
    load(&mut world, entry("fresh", "1", None), LoadPolicy::default());
    assert_eq!(world.call(client, "OBJECT IDLETIME fresh"), ":0");

    let lfu = |config: &mut Config| config.maxmemory_policy = config::MaxmemoryPolicy::AllkeysLfu;
    let mut world = World::with(lfu);
    let client = world.client();
    let mut used = entry("key", "1", None);
    used.access = AccessInfo::Frequency(77);
    load(&mut world, used, LoadPolicy::default());
    assert_eq!(world.call(client, "OBJECT FREQ key"), ":77");
}

#[test]
fn emptying_the_data_set_says_how_many_keys_went_and_spoils_those_who_watch() {
    let mut world = World::new();
    let client = world.client();
    for number in 0..10 {
        let key = format!("key:{number}");
        let mut entry = entry(&key, "1", None);
        entry.db = number % 3;
        load(&mut world, entry, LoadPolicy::default());
    }
    assert_eq!(world.call(client, "WATCH key:0"), "+OK");
    assert_eq!(world.engine.empty_data_set(&mut world.host), 10);
    assert_eq!(world.call(client, "MULTI"), "+OK");
    assert_eq!(world.call(client, "PING"), "+QUEUED");
    assert_eq!(world.call(client, "EXEC"), "*-1");
    assert_eq!(world.call(client, "DBSIZE"), ":0");
    assert_eq!(world.engine.empty_data_set(&mut world.host), 0);
}
