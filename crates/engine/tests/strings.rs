//! String commands over a whole engine: how they propagate, what they announce, and replies that the
//! reference suite does not look at. Random commands were compared with a real server.

mod support;

use keyspace::journal::NotifyClass;
use support::World;

/// Runs commands, one per line, and returns what the last one propagates.
fn effects_of(commands: &str) -> Vec<String> {
    let mut world = World::new();
    world.record();
    let id = world.client();
    for line in commands.lines() {
        world.effects();
        let reply = world.call(id, line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    world.effects()
}

#[test]
fn relative_times_propagate_as_absolute_ones() {
    assert_eq!(effects_of("SET k v EX 10"), ["SET k v PXAT 1700000010000"]);
    assert_eq!(
        effects_of("SET k v NX GET PX 10"),
        ["SET k v PXAT 1700000000010"]
    );
    assert_eq!(effects_of("SETEX k 10 v"), ["SET k v PXAT 1700000010000"]);
    assert_eq!(effects_of("PSETEX k 10 v"), ["SET k v PXAT 1700000000010"]);
    assert_eq!(
        effects_of("SET k v\nGETEX k EX 10"),
        ["PEXPIREAT k 1700000010000"]
    );
}

#[test]
fn what_only_reads_does_not_propagate() {
    assert_eq!(effects_of("SET k v GET KEEPTTL get"), ["SET k v KEEPTTL"]);
    assert_eq!(effects_of("GETSET k v"), ["SET k v"]);
    assert_eq!(effects_of("SET k v\nGETDEL k"), ["DEL k"]);
    assert_eq!(effects_of("SET k v EX 10\nGETEX k PERSIST"), ["PERSIST k"]);
    for commands in [
        "GETDEL k",
        "SET k v\nGETEX k",
        "SET k v\nGETEX k PERSIST",
        "SET k v\nSET k w NX",
        "BITFIELD k GET u8 0",
        "SETBIT k 0 0\nSETBIT k 0 0",
    ] {
        assert!(effects_of(commands).is_empty(), "{commands}");
    }
}

#[test]
fn sums_of_floats_propagate_as_their_result() {
    assert_eq!(
        effects_of("SET k 3\nINCRBYFLOAT k 1.1"),
        ["SET k 4.1 KEEPTTL"]
    );
    assert_eq!(effects_of("INCR k"), ["INCR k"]);
}

#[test]
fn a_time_that_has_passed_deletes() {
    assert_eq!(effects_of("SET k v\nSET k w EXAT 1"), ["DEL k"]);
    assert_eq!(effects_of("SET k v\nGETEX k PXAT 1"), ["DEL k"]);
    assert!(effects_of("SET k v PXAT 1").is_empty());
}

#[test]
fn set_tells_bad_options_and_bad_times() {
    let mut world = World::new();
    let id = world.client();
    for options in [
        "NX XX",
        "EX",
        "EX 1 PX 1",
        "KEEPTTL EX 1",
        "EX 1 KEEPTTL",
        "PERSIST",
        "FOO",
        "EX 1 EXAT 1",
    ] {
        assert_eq!(
            world.call(id, &format!("SET k v {options}")),
            "-ERR syntax error",
            "{options}"
        );
    }
    for time in [
        "EX 0",
        "PX -1",
        "EX 9223372036854775807",
        "PX 9223372036854775807",
        "EXAT 9223372036854776",
    ] {
        let reply = world.call(id, &format!("SET k v {time}"));
        assert_eq!(reply, "-ERR invalid expire time in 'set' command", "{time}");
    }
    assert_eq!(
        world.call(id, "SETEX k 0 v"),
        "-ERR invalid expire time in 'setex' command"
    );
    assert_eq!(
        world.call(id, "SET k v EX 1.5"),
        "-ERR value is not an integer or out of range"
    );
    assert_eq!(world.call(id, "EXISTS k"), ":0");
}

#[test]
fn set_with_get_tells_what_was_there_even_if_nothing_is_set() {
    let mut world = World::new();
    let id = world.client();
    assert_eq!(world.call(id, "SET k a XX GET"), "$-1");
    assert_eq!(world.call(id, "SET k a NX GET"), "$-1");
    assert_eq!(world.call(id, "SET k b NX GET"), "$1 a");
    assert_eq!(world.call(id, "SET k c GET"), "$1 a");
    assert_eq!(world.call(id, "GET k"), "$1 c");
}

#[test]
fn many_keys_cross_the_borders_of_groups() {
    let mut world = World::new();
    let id = world.client();
    let pairs: String = (100..200).map(|n| format!(" k{n} v{n}")).collect();
    assert_eq!(world.call(id, &format!("MSET{pairs}")), "+OK");
    let keys: String = (100..201).map(|n| format!(" k{n}")).collect();
    let values: String = (100..200).map(|n| format!("$4 v{n} ")).collect();
    assert_eq!(
        world.call(id, &format!("MGET{keys}")),
        format!("*101 {values}$-1")
    );
}

#[test]
fn writing_commands_announce_themselves() {
    let mut world = World::new();
    let (listener, id) = (world.client(), world.client());
    world.engine.keyspace.journal.notify = NotifyClass(0x7fff);
    world.call(listener, "PSUBSCRIBE __keyevent*");
    let mut events_of = |command: &str| {
        world.call(id, command);
        let heard = world.received(listener);
        let events: Vec<&str> = heard
            .split(' ')
            .filter_map(|word| word.strip_prefix("__keyevent@0__:"))
            .collect();
        events.join(" ")
    };
    for (command, events) in [
        ("SET k v EX 10", "new set expire"),
        ("GETEX k PERSIST", "persist"),
        ("APPEND k x", "append"),
        ("SETRANGE k 0 y", "setrange"),
        ("GETDEL k", "del"),
        ("INCR n", "new incrby"),
        ("INCRBYFLOAT n 1.5", "incrbyfloat"),
        ("SETBIT b 0 1", "new setbit"),
        ("SETBIT b 0 1", ""),
        ("BITOP NOT c b", "new set"),
        ("BITOP AND c x y", "keymiss keymiss del"),
        ("MSET a 1 n 2", "new set set"),
    ] {
        assert_eq!(events_of(command), events, "{command}");
    }
}
