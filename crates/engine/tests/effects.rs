//! What commands did, replayed elsewhere, gives the same data: for each write command by itself and
//! for random requests on many sessions. The other engine has other seeds, so whatever depends on
//! chance or on the order of a table shows.

mod fuzz;
mod support;

use commands::{CommandId, Flags};
use engine::EffectsReader;
use fuzz::effects::Pair;
use fuzz::{wire, words};
use std::collections::BTreeSet;
use support::{World, commands_of};

/// What exists before each write of [`WRITES`].
const SETUP: &str = "\
    set s hello\nset n 10\nset f 1.5\nset t ttl px 5000\nset big 12345678901234567890\n\
    rpush l a b c a 1 2 3\nrpush l2 x y z\nsadd st a b c d 1 2 3\nsadd st2 c d e\nsadd ints 1 2 3 4 5\n\
    hset h f1 1 f2 two f3 3.5\nhset h2 a b\nzadd z 1 a 2 b 3 c 4 d\nzadd z2 1 b 2 x\n\
    set weight_a 1\nset weight_b 1\nset weight_c 1\nset weight_d 0\nset old gone px 1\nset old2 gone px 1\n\
    select 1\nset other db1\nset old gone px 1\nselect 0";

/// At least one call of every write command, with the forms that propagate differently.
const WRITES: &str = "\
    copy s copy\ncopy s old replace\ncopy t c2 db 1\ndel s n nothing\ndel nothing\nexpire s 100\nexpire s -1\n\
    expire t 1 GT\nexpire t 100 gt\nexpire old 100\nexpireat s 1800000000\nexpireat s 1\npexpire s 1500 nx\n\
    pexpireat s 1800000000000\nmove s 1\nmove other 1\nmove old 1\npersist t\npersist s\npersist old\n\
    rename s renamed\nrename t old\nrenamenx s l\nrenamenx s old\n\
    sort l alpha store sorted\nsort st by nosort get # store sorted\nsort st by weight_* alpha store sorted\n\
    sort st by nosort desc limit 1 2 store sorted\nsort ints desc store s\nsort nothing store s\n\
    unlink s l nothing\n\
    append s more\nappend old more\nappend big 1\ndecr n\ndecrby n 3\ngetdel s\ngetdel old\ngetex s ex 10\n\
    getex s exat 1800000000\ngetex s px 5\ngetex s pxat 1\ngetex t persist\ngetex t\ngetset s new\ngetset old new\n\
    incr n\nincr old\nincr fresh\nincrby n 5\nincrbyfloat f 1.1\nincrbyfloat t1 3e3\nmset s 1 new 2 old 3\n\
    msetnx s 1 fresh 2\nmsetnx fresh 1 old 2\npsetex s 1500 v\nset s v\nset s v ex 10\nset s v px 10 nx get\n\
    set fresh v px 10 nx get\nset t v keepttl get\nset s v exat 1\nset s v pxat 1800000000000 xx\nsetex s 10 v\n\
    setnx s v\nsetnx old v\nsetrange s 3 xyz\nsetrange fresh 3 xyz\nsetrange old 0 x\n\
    bitfield s set u8 0 255 incrby i5 100 7\nbitfield fresh overflow fail incrby u2 100 9\n\
    bitfield s overflow fail set u4 4000 99 get u8 0\nbitop and dest s n\nbitop not s s\nbitop or s nothing\n\
    setbit s 100 1\nsetbit s 1 1\nsetbit fresh 9 0\n\
    blmove l l2 left right 0\nblmove nothing l left right 0.001\nblmpop 0 2 nothing l left count 2\n\
    blpop nothing l 0\nbrpop l 0\nbrpoplpush l l2 0\nlinsert l before b new\nlinsert l after nothing new\n\
    lmove l old left left\nlmove l l right left\nlmpop 1 l right count 3\nlpop l\nlpop l 2\nlpop l 100\nlpop l 0\n\
    lpush l x y\nlpush old x\nlpushx l x\nlpushx nothing x\nlrem l 1 a\nlrem l -1 a\nlrem l 0 nothing\nlset l 0 x\n\
    ltrim l 1 2\nltrim l 5 1\nltrim l 0 -1\nrpop l\nrpop l 3\nrpoplpush l l2\nrpush l x\nrpushx l x\n\
    hdel h f1 nothing\nhdel h f1 f2 f3\nhincrby h f1 5\nhincrby fresh f 1\nhincrbyfloat h f3 0.1\n\
    hincrbyfloat old f 1e2\nhmset h a 1 b 2\nhset h f1 x f9 y\nhsetnx h f1 x\nhsetnx fresh f x\n\
    sadd st x y a\nsadd old 1\nsdiffstore d st st2\nsdiffstore s st st\nsinterstore d st st2\nsinterstore st st nothing\n\
    smove st st2 a\nsmove st old b\nsmove st st2 c\nspop st\nspop st 3\nspop st 100\nspop ints 2\nspop nothing\nsrem st a b\n\
    srem st a b c d 1 2 3\nsunionstore d st st2 old\nsunionstore old nothing nothing2\n\
    bzmpop 0 1 z max count 2\nbzpopmax z 0\nbzpopmin nothing z 0\nzadd z 5 e 6 a\nzadd z gt ch 0 a 9 b\n\
    zadd z incr 0.1 a\nzadd z nx 7 a 8 new\nzadd old 1 m\nzdiffstore d 2 z z2\nzincrby z 1.1 a\nzincrby fresh inf a\n\
    zinterstore d 2 z z2 weights 2 0.3 aggregate max\nzmpop 2 nothing z min count 2\nzpopmax z\nzpopmin z 2\n\
    zpopmin z 100\nzrangestore d z 1 2\nzrangestore z z 9 10\nzrangestore d z (1 3 byscore limit 0 1\nzrem z a nothing\n\
    zrem z a b c d\nzremrangebylex z - +\nzremrangebyrank z 0 1\nzremrangebyscore z (1 +inf\n\
    zunionstore d 2 z z2 weights 0.1 3\nzunionstore s 1 nothing\n\
    flushall\nflushall async\nflushdb\nswapdb 0 1\nswapdb 1 1\nget old\n\
    restore s 0 x\nrestore s 0 x replace";

#[test]
fn each_write_command_propagates_what_it_did() {
    let mut met = BTreeSet::new();
    for request in WRITES.lines().map(str::trim) {
        for in_exec in [false, true] {
            for in_db_1 in [false, true] {
                let mut pair = Pair::with(|_| {});
                let client = pair.client;
                for line in SETUP.lines().map(str::trim) {
                    pair.original.call(client, line);
                }
                pair.original.engine.active_expire = false;
                pair.original.wait_ms(2);
                pair.check("the setup");
                if in_db_1 {
                    pair.original.call(client, "select 1");
                }
                let request = &words(request);
                if in_exec {
                    pair.original.call(client, "multi");
                    pair.original.call(client, "set before 1");
                }
                let World { engine, host, .. } = &mut pair.original;
                engine.feed(client.0, &wire(request), host);
                pair.original.end_turn();
                if in_exec {
                    pair.original.call(client, "set after 1");
                    pair.original.call(client, "exec");
                }
                pair.check(&String::from_utf8_lossy(&request.join(&b' ')));
                met.insert(String::from_utf8_lossy(&request[0]).into_owned());
            }
        }
    }
    let writes = CommandId::ALL
        .into_iter()
        .filter(|id| id.flags().contains(Flags::WRITE));
    let forgotten: Vec<_> = writes
        .map(CommandId::full_name)
        .filter(|name| !met.contains(*name))
        .collect();
    assert_eq!(forgotten, [""; 0]);
}

#[test]
fn a_restored_value_propagates_with_its_time_and_expired_ones_as_deletion() {
    for options in [
        "0",
        "5000",
        "1700000009000 absttl",
        "0 replace",
        "5 absttl replace",
        "5 replace freq 3",
    ] {
        let mut pair = Pair::with(|_| {});
        let client = pair.client;
        pair.original.say(client, "zadd z 1 a 2.5 b\nset there 1\n");
        let entry = pair.original.engine.keyspace.inspect(0, b"z").expect("z");
        let payload = rdb::dump(entry, &rdb::EncodeOptions::default());
        for key in ["there", "fresh"] {
            let mut request = words(&format!("restore {key} {options}"));
            request.insert(3, payload.clone());
            let World { engine, host, .. } = &mut pair.original;
            engine.feed(client.0, &wire(&request), host);
            pair.check(options);
        }
    }
}

#[test]
fn random_requests_replay_to_the_same_data() {
    let sent: u64 = (0..24).map(fuzz::effects::run).sum();
    assert!(sent > 10_000);
}

#[test]
fn the_bytes_of_a_request_go_out_as_they_came_unless_they_are_odd() {
    let mut world = World::new();
    world.record();
    let client = world.client();
    let request = b"*3\r\n$3\r\nSeT\r\n$1\r\nk\r\n$1\r\nv\r\n";
    world.engine.feed(client.0, request, &mut world.host);
    let stream = world.engine.effects.take(Vec::new());
    assert_eq!(
        stream,
        [&b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"[..], request].concat()
    );
    // The parser does not look at the bytes behind an argument; the file must not carry them on.
    let odd = b"*3\r\n$3\r\nset\r\n$1\r\nkXY$1\r\nv\n\n";
    world.engine.feed(client.0, odd, &mut world.host);
    world
        .engine
        .feed(client.0, b"set k \"a b\"\r\n", &mut world.host);
    assert_eq!(world.effects(), ["set k v", "set k a b"]);
    assert_eq!(commands_of(b""), Vec::<Vec<Vec<u8>>>::new());
}

#[test]
fn expired_and_evicted_keys_go_as_the_options_say_and_by_themselves() {
    let mut world = World::with(|c| c.lazyfree_lazy_expire = true);
    world.record();
    let client = world.client();
    world.say(client, "set a 1 px 10\nset b 1 px 10\nset c 1 px 10\n");
    world.effects();
    world.engine.active_expire = false;
    world.wait_ms(20);
    world.say(client, "get a\n");
    assert_eq!(world.effects(), ["UNLINK a"]);
    world.say(client, "multi\nget b\nset x 1\nget c\nexec\n");
    assert_eq!(
        world.effects(),
        ["MULTI", "UNLINK b", "set x 1", "UNLINK c", "EXEC"]
    );
    world.say(
        client,
        "config set maxmemory-policy allkeys-random maxmemory 1\n",
    );
    world.host.used_memory = 8;
    world.say(client, "get x\n");
    assert_eq!(world.effects(), ["DEL x"]);
}

#[test]
fn select_comes_when_the_database_changes_and_multi_before_it() {
    let mut world = World::new();
    world.record();
    let client = world.client();
    let names = |world: &mut World| {
        let stream = world.engine.effects.take(Vec::new());
        let commands = commands_of(&stream);
        let texts = commands.iter().map(|args| args.join(&b' '));
        texts
            .map(|text| String::from_utf8_lossy(&text).to_lowercase())
            .collect::<Vec<_>>()
            .join("; ")
    };
    world.say(client, "set a 1\nset b 1\n");
    assert_eq!(names(&mut world), "select 0; set a 1; set b 1");
    world.say(
        client,
        "set a 1\nselect 3\nmulti\nset a 1\nselect 4\nset a 1\nexec\n",
    );
    assert_eq!(
        names(&mut world),
        "set a 1; multi; select 3; set a 1; select 4; set a 1; exec"
    );
    world.say(client, "set a 1\n");
    world.engine.effects.force_select();
    world.say(client, "set a 1\npublish c m\nping\nget a\n");
    assert_eq!(names(&mut world), "set a 1; select 4; set a 1");
}

#[test]
fn replicas_get_messages_and_a_file_does_not() {
    let mut world = World::new();
    let client = world.client();
    world.record();
    world.say(client, "publish c m\nspublish c m\n");
    assert_eq!(world.effects(), [""; 0]);
    world.engine.record_effects(EffectsReader::Replicas, true);
    world.say(client, "publish c m\nmulti\nset a 1\nspublish c m\nexec\n");
    let stream = world.engine.effects.take(Vec::new());
    let mut kept = stream.clone();
    for range in world.engine.effects.for_replicas_only().iter().rev() {
        kept.drain(range.clone());
    }
    let texts = |stream: &[u8]| {
        commands_of(stream)
            .iter()
            .map(|args| String::from_utf8_lossy(&args.join(&b' ')).into_owned())
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(
        texts(&stream),
        "publish c m; MULTI; SELECT 0; set a 1; spublish c m; EXEC"
    );
    assert_eq!(texts(&kept), "MULTI; SELECT 0; set a 1; EXEC");
}

/// REPLICAOF inside EXEC turns recording on and off between two writes.
#[test]
fn recording_may_begin_and_end_in_the_middle_of_a_transaction() {
    let mut world = World::with(|c| c.replica_read_only = false);
    let client = world.client();
    world.host.door.records_as_primary = true;
    world.say(client, "set a 1\n");
    world.say(
        client,
        "multi\nset a 1\nreplicaof no one\nset b 1\nset c 1\nexec\n",
    );
    assert_eq!(world.effects(), ["MULTI", "set b 1", "set c 1", "EXEC"]);
    world.say(
        client,
        "multi\nset a 1\nset b 1\nreplicaof h 1\nset c 1\nexec\nset d 1\n",
    );
    assert!(!world.engine.effects.is_unit_open());
    assert_eq!(world.effects(), ["MULTI", "set a 1", "set b 1", "EXEC"]);
}
