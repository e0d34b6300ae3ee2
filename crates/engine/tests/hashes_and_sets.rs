//! The hash and set commands: replies in both protocols, errors, and what goes to replicas.

mod support;

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

/// Requests and the effects they must have.
#[track_caller]
fn check_effects(steps: &[(&str, &[&str])]) {
    let mut world = World::new();
    world.record();
    let client = world.client();
    for (request, effects) in steps {
        world.call(client, request);
        assert_eq!(world.effects(), *effects, "{request}");
    }
}

#[test]
fn fields_are_set_read_and_deleted() {
    check(&[
        ("hset h a 1 b x a 2", ":2"),
        (
            "hset h a",
            "-ERR wrong number of arguments for 'hset' command",
        ),
        (
            "hmset h a",
            "-ERR wrong number of arguments for 'hmset' command",
        ),
        ("hmset h c 3", "+OK"),
        ("hsetnx h c 4", ":0"),
        ("hsetnx h d long", ":1"),
        ("hget h a", "$1 2"),
        ("hget h none", "$-1"),
        ("hget none a", "$-1"),
        ("hmget h a none c", "*3 $1 2 $-1 $1 3"),
        ("hgetall h", "*8 $1 a $1 2 $1 b $1 x $1 c $1 3 $1 d $4 long"),
        ("hkeys h", "*4 $1 a $1 b $1 c $1 d"),
        ("hvals h", "*4 $1 2 $1 x $1 3 $4 long"),
        ("hgetall none", "*0"),
        ("hstrlen h d", ":4"),
        ("hexists h d", ":1"),
        ("hlen h", ":4"),
        ("hdel h a none a d", ":2"),
        ("hdel h b c b", ":2"),
        ("exists h", ":0"),
        ("sadd s a", ":1"),
        (
            "hset s a 1",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "hget s a",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
    ]);
}

#[test]
fn fields_are_incremented() {
    check(&[
        ("hincrby h n 5", ":5"),
        ("hincrby h n -7", ":-2"),
        (
            "hincrby h n x",
            "-ERR value is not an integer or out of range",
        ),
        (
            "hincrby h n -9223372036854775807",
            "-ERR increment or decrement would overflow",
        ),
        ("hset h t text", ":1"),
        ("hincrby h t 1", "-ERR hash value is not an integer"),
        ("hincrbyfloat h t 1", "-ERR hash value is not a float"),
        ("hincrbyfloat h n 0.5", "$4 -1.5"),
        ("hincrbyfloat h n inf", "-ERR value is NaN or Infinity"),
        ("hincrbyfloat h n nan", "-ERR value is not a valid float"),
        ("hincrbyfloat new n x", "-ERR value is not a valid float"),
        ("exists new", ":0"),
    ]);
}

#[test]
fn random_fields_and_scans_have_their_shapes() {
    check(&[
        ("hrandfield none", "$-1"),
        ("hrandfield none 3", "*0"),
        ("hset h a 1", ":1"),
        ("hrandfield h", "$1 a"),
        ("hrandfield h 5", "*1 $1 a"),
        ("hrandfield h -2 withvalues", "*4 $1 a $1 1 $1 a $1 1"),
        ("hrandfield h 0 withvalues", "*0"),
        (
            "hrandfield h x",
            "-ERR value is not an integer or out of range",
        ),
        ("hrandfield h 1 values", "-ERR syntax error"),
        ("hrandfield h 1 withvalues more", "-ERR syntax error"),
        (
            "hrandfield h -9223372036854775807 withvalues",
            "-ERR value is out of range",
        ),
        ("hscan h 0", "*2 $1 0 *2 $1 a $1 1"),
        ("hscan h 0 novalues match a*", "*2 $1 0 *1 $1 a"),
        ("hscan h 0 match b*", "*2 $1 0 *0"),
        ("hscan none 0 count", "*2 $1 0 *0"),
        ("hscan none x", "-ERR invalid cursor"),
        ("hscan h 0 count 0", "-ERR syntax error"),
        ("sadd s a", ":1"),
        ("sscan s 0", "*2 $1 0 *1 $1 a"),
        (
            "sscan s 0 novalues",
            "-ERR NOVALUES option can only be used in HSCAN",
        ),
        ("srandmember s -2", "*2 $1 a $1 a"),
        ("srandmember s", "$1 a"),
        ("srandmember none", "$-1"),
        ("srandmember none 1", "*0"),
        ("srandmember s 1 2", "-ERR syntax error"),
    ]);
}

#[test]
fn protocol_3_has_maps_sets_and_pairs() {
    let mut world = World::new();
    let client = world.client();
    world.call(client, "hello 3");
    for (request, reply) in [
        ("hset h a 1", ":1"),
        ("hgetall h", "%1 $1 a $1 1"),
        ("hgetall none", "%0"),
        ("hkeys h", "*1 $1 a"),
        ("hrandfield h 1 withvalues", "*1 *2 $1 a $1 1"),
        ("hget h none", "_"),
        ("sadd s a", ":1"),
        ("smembers s", "~1 $1 a"),
        ("sinter s s", "~1 $1 a"),
        ("sunion s none", "~1 $1 a"),
        ("sdiff s s", "~0"),
        ("srandmember s 1", "*1 $1 a"),
        ("smismember s a b", "*2 :1 :0"),
        ("spop s 3", "~1 $1 a"),
        ("spop s 3", "~0"),
        ("spop s", "_"),
    ] {
        assert_eq!(world.call(client, request), reply, "{request}");
    }
}

#[test]
fn members_come_go_and_move() {
    check(&[
        ("sadd s 3 1 2 1", ":3"),
        ("smembers s", "*3 $1 1 $1 2 $1 3"),
        ("object encoding s", "$6 intset"),
        ("sadd s x", ":1"),
        ("object encoding s", "$8 listpack"),
        ("sismember s x", ":1"),
        ("scard s", ":4"),
        ("smove s t x", ":1"),
        ("smove s t x", ":0"),
        ("smove none t x", ":0"),
        ("smove s s 1", ":1"),
        ("smembers t", "*1 $1 x"),
        ("srem s 1 2 3 4", ":3"),
        ("exists s", ":0"),
        ("set k v", "+OK"),
        ("smove none k x", ":0"),
        (
            "smove t k x",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "smove k t x",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("spop t -1", "-ERR value is out of range, must be positive"),
        ("spop t x", "-ERR value is out of range, must be positive"),
        ("spop t 1 1", "-ERR syntax error"),
        ("spop t", "$1 x"),
        ("exists t", ":0"),
    ]);
}

#[test]
fn sets_are_combined() {
    check(&[
        ("sadd a 1 2 3 4", ":4"),
        ("sadd b 3 4 5", ":3"),
        ("sadd c 4 x", ":2"),
        ("sinter a b c", "*1 $1 4"),
        ("sinter a none", "*0"),
        ("sintercard 2 a b", ":2"),
        ("sintercard 2 a b limit 1", ":1"),
        ("sintercard 2 a b limit 0", ":2"),
        ("sintercard 0 a", "-ERR numkeys should be greater than 0"),
        ("sintercard x a", "-ERR numkeys should be greater than 0"),
        (
            "sintercard 3 a b",
            "-ERR Number of keys can't be greater than number of args",
        ),
        ("sintercard 1 a limit -1", "-ERR LIMIT can't be negative"),
        ("sintercard 1 a b", "-ERR syntax error"),
        ("sintercard 1 a limit", "-ERR syntax error"),
        ("sdiff a b c", "*2 $1 1 $1 2"),
        ("sdiff none a", "*0"),
        ("sinterstore d a b", ":2"),
        ("object encoding d", "$6 intset"),
        ("sunionstore d b c", ":4"),
        ("object encoding d", "$8 listpack"),
        ("sdiffstore a a b", ":2"),
        ("smembers a", "*2 $1 1 $1 2"),
        ("sinterstore d none a", ":0"),
        ("exists d", ":0"),
        ("set k v", "+OK"),
        (
            "sinter none k",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("sunionstore k a", ":2"),
        ("type k", "+set"),
    ]);
}

#[test]
fn what_was_random_or_inexact_goes_out_as_what_it_did() {
    check_effects(&[
        ("sadd s a", &["sadd s a"]),
        ("sadd s a", &[]),
        ("spop s", &["SREM s a"]),
        ("sadd t a", &["sadd t a"]),
        ("spop t 5", &["DEL t"]),
        ("spop t 5", &[]),
        ("hincrbyfloat h f 1.5", &["HSET h f 1.5"]),
        ("hsetnx h f 1", &[]),
        ("hdel h none", &[]),
    ]);
}

#[test]
fn a_big_pop_goes_out_in_batches() {
    let mut world = World::new();
    world.record();
    let client = world.client();
    let members: Vec<String> = (0..3000).map(|index| format!("m{index}")).collect();
    world.call(client, &format!("sadd s {}", members.join(" ")));
    world.effects();
    for (count, batches) in [(1500, vec![1024, 476]), (1498, vec![1024, 474])] {
        world.call(client, &format!("spop s {count}"));
        let effects = world.effects();
        let [multi, pops @ .., exec] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!((multi.as_str(), exec.as_str()), ("MULTI", "EXEC"));
        assert!(pops.iter().all(|effect| effect.starts_with("SREM s ")));
        let sizes: Vec<_> = pops
            .iter()
            .map(|effect| effect.split(' ').count() - 2)
            .collect();
        assert_eq!(sizes, batches);
    }
    assert_eq!(world.call(client, "scard s"), ":2");
}

/// A client may ask for a reply of any length. It is cut only where the limit will close the client,
/// which is not below the size of a reply buffer, whatever was sent of it meanwhile.
#[test]
fn a_long_random_reply_is_whole_or_the_client_is_closed() {
    const LIMIT: &str =
        "*4\n$6\nconfig\n$3\nset\n$26\nclient-output-buffer-limit\n$14\nnormal 1kb 0 0\n";
    /// `$1`, the letter, and the ends of both lines.
    const EACH_BYTES: usize = 7;
    for command in ["hrandfield h", "srandmember s"] {
        for draws in [10, 200, 2000, 2300, 2400, 5000, 100_000] {
            let mut world = World::new();
            let client = world.client();
            assert_eq!(world.say(client, LIMIT), "+OK");
            world.call(client, "hset h f v");
            world.call(client, "sadd s m");
            let reply = world.call(client, &format!("{command} -{draws}"));
            let is_whole = reply.matches("$1 ").count() == draws;
            assert!(is_whole || reply.is_empty(), "{command} {draws}");
            assert_eq!(
                is_whole,
                draws * EACH_BYTES < 16 * 1024,
                "{command} {draws}"
            );
        }
    }
}
