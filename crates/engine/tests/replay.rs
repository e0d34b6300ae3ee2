//! Executing an append-only file: pieces of any size, transactions, annotations, what is refused.

mod fuzz;
mod support;

use engine::{ReplayError, Replayed};
use fuzz::{wire, words};
use support::World;

fn file(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(|line| wire(&words(line))).collect()
}

#[test]
fn a_file_in_any_pieces_gives_its_data() {
    let mut bytes = b"#TS:1700000000\r\n".to_vec();
    bytes.extend(file("select 2\nset a 1\nrpush l x y\nmulti\nincr a"));
    bytes.extend(b"#TS:1700000001\r\n");
    bytes.extend(file("incr a\nexec\nselect 0\nset b 2"));
    for piece in [1, 2, 3, 7, 64, bytes.len()] {
        let mut world = World::new();
        let mut replay = world.engine.begin_replay();
        let mut held: Vec<u8> = Vec::new();
        for part in bytes.chunks(piece) {
            held.extend(part);
            let done = world
                .engine
                .replay_bytes(&mut replay, &held, &mut world.host);
            held.drain(..done.expect("a good file").consumed);
        }
        assert!(held.is_empty() && !replay.is_mid_command() && !replay.in_transaction());
        assert_eq!(replay.consumed(), bytes.len() as u64);
        assert_eq!(replay.valid_up_to(), bytes.len() as u64);
        assert_eq!(replay.commands(), 7);
        let client = world.client();
        assert_eq!(world.say(client, "get b\nget a\n"), "$1 2 $-1");
        assert_eq!(
            world.say(client, "select 2\nget a\nllen l\n"),
            "+OK $1 3 :2"
        );
    }
}

#[test]
fn nothing_of_it_shows_outside() {
    let mut world = World::new();
    world.record();
    let client = world.client();
    world.engine.keyspace.journal.notify = keyspace::journal::NotifyClass(u32::MAX);
    world.say(client, "hello 3\npsubscribe *\nwatch a\nset mine 1\n");
    world.effects();
    let dirty = world.engine.keyspace.journal.dirty;
    let (commands, expired) = (
        world.engine.stats.commands_processed,
        world.engine.keyspace.stats.expired,
    );
    world.received(client);
    let mut replay = world.engine.begin_replay();
    let bytes = file(
        "set a 1\nget a\nset b 1 pxat 5\nappend b x\nblpop none 0\nshutdown nosave\nconfig set port 1",
    );
    let done = world
        .engine
        .replay_bytes(&mut replay, &bytes, &mut world.host);
    assert_eq!(
        done,
        Ok(Replayed {
            consumed: bytes.len(),
            need: 0
        })
    );
    assert_eq!(world.received(client), "");
    world.engine.end_of_turn(&mut world.host);
    assert!(world.received(client).contains("expired"));
    assert_eq!(world.engine.sessions.len(), 1);
    assert_eq!(world.engine.stats.commands_processed, commands);
    assert_eq!(world.engine.keyspace.journal.dirty, dirty);
    assert_eq!(world.engine.keyspace.stats.expired, expired + 1);
    assert_eq!(world.engine.config.port, 6379);
    // Once loaded, what has expired goes, and those who listen hear of it.
    assert_eq!(world.effects(), ["DEL b"]);
    // The watched key is there now.
    assert!(world.say(client, "multi\nping\nexec\n").contains("_"));
}

#[test]
fn expired_keys_stay_while_the_file_is_read() {
    let mut world = World::new();
    let mut replay = world.engine.begin_replay();
    let bytes = file("set a 1 pxat 5\nrename a b\npersist b");
    world
        .engine
        .replay_bytes(&mut replay, &bytes, &mut world.host)
        .expect("a good file");
    let client = world.client();
    assert_eq!(world.say(client, "get b\npttl b\n"), "$1 1 :-1");
}

#[test]
fn a_file_that_ends_in_a_transaction_is_valid_up_to_its_multi() {
    let mut world = World::new();
    let mut replay = world.engine.begin_replay();
    let (head, tail) = (file("set a 1"), file("multi\nset a 2\nset b 2"));
    let bytes = [&head[..], &tail, b"*1\r\n$4\r\nEX"].concat();
    let done = world
        .engine
        .replay_bytes(&mut replay, &bytes, &mut world.host)
        .expect("no error");
    assert_eq!(done.consumed, head.len() + tail.len());
    assert!(replay.in_transaction() && replay.is_mid_command());
    assert_eq!(replay.valid_up_to(), head.len() as u64);
    let client = world.client();
    assert_eq!(world.say(client, "get a\nexists b\n"), "$1 1 :0");
}

#[test]
fn what_is_no_command_stops_it_with_its_place() {
    let good = file("set a 1\nset b 2");
    for (bad, error) in [
        (
            file("xadd s * f v"),
            ReplayError::UnknownCommand(b"xadd".to_vec()),
        ),
        (file("set a"), ReplayError::WrongArity("set")),
        (
            file("config nothing"),
            ReplayError::UnknownCommand(b"config".to_vec()),
        ),
        (b"set a 1\r\n".to_vec(), ReplayError::Format),
        (b"*2\r\nset\r\n".to_vec(), ReplayError::Format),
        (b"*x\r\n".to_vec(), ReplayError::Format),
    ] {
        let mut world = World::new();
        let mut replay = world.engine.begin_replay();
        let bytes = [&good[..], &bad, &file("set c 3")].concat();
        let failure = world
            .engine
            .replay_bytes(&mut replay, &bytes, &mut world.host)
            .expect_err("a bad file");
        assert_eq!((failure.offset, failure.error), (good.len() as u64, error));
        let client = world.client();
        assert_eq!(world.say(client, "dbsize\n"), ":2");
    }
    assert_eq!(
        ReplayError::UnknownCommand(b"xadd".to_vec()).to_string(),
        "Unknown command 'xadd' reading the append only file"
    );
}

#[test]
fn a_command_that_fails_is_logged_and_passed_over() {
    let mut world = World::new();
    let mut replay = world.engine.begin_replay();
    let args: [&[&[u8]]; 3] = [
        &[b"set", b"a", b"x"],
        &[b"incr", b"a"],
        &[b"set", b"b", b"1"],
    ];
    for args in args {
        world
            .engine
            .replay(&mut replay, args, &mut world.host)
            .expect("known commands");
    }
    assert_eq!(
        world.host.log,
        [
            "== CRITICAL == This server is sending an error to its AOF-loading-client: 'ERR value is not an integer \
          or out of range' after processing the command 'incr'"
        ]
    );
    let client = world.client();
    assert_eq!(world.say(client, "mget a b\n"), "*2 $1 x $1 1");
}

#[test]
fn a_renamed_command_is_known_by_both_names() {
    let mut world = World::new();
    world
        .engine
        .rename_command(b"set", b"put")
        .expect("renamed");
    let mut replay = world.engine.begin_replay();
    let bytes = file("set a 1\nput b 2");
    world
        .engine
        .replay_bytes(&mut replay, &bytes, &mut world.host)
        .expect("a good file");
    let client = world.client();
    assert_eq!(world.say(client, "dbsize\n"), ":2");
}
