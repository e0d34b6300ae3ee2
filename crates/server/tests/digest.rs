//! Two servers fed the same commands end with the same data: DEBUG DIGEST of a hundred thousand
//! random keys of all types, ours against a real redis-server's.
//!
//! The commands are those of `support::random_keys` and depend on nothing but the seed.

mod support;

use support::random_keys::{Command, Random, key_commands, words};
use testkit::{Connection, Options, Server};

const KEYS: u64 = 100_000;
/// Commands sent before their replies are read.
const PIPELINE: usize = 500;
const SEED: u64 = 0x5eed_0004;

fn start(options: Options) -> Server {
    Server::start(&options.option("enable-debug-command", "yes"))
}

/// Sends the batch to both and compares their replies; a set's or hash's changes are counts, so every reply is
/// determined.
fn run(ours: &mut Connection, theirs: &mut Connection, batch: &mut Vec<Command>) {
    for command in batch.iter() {
        ours.send(command);
        theirs.send(command);
    }
    for command in batch.drain(..) {
        let (our_reply, their_reply) = (ours.receive(), theirs.receive());
        assert_eq!(
            our_reply,
            their_reply,
            "{}",
            testkit::render(&our_reply) + &format!(" {command:?}")
        );
    }
}

#[test]
fn a_hundred_thousand_keys_of_all_types_have_redis_digest() {
    let Some(reference) = Options::reference() else {
        return;
    };
    let (our_server, their_server) = (start(Options::redan()), start(reference));
    let (mut ours, mut theirs) = (our_server.client(), their_server.client());
    let mut random = Random::new(SEED);
    let mut batch = Vec::new();
    for number in 0..KEYS {
        batch.extend(key_commands(&mut random, number));
        if batch.len() >= PIPELINE {
            run(&mut ours, &mut theirs, &mut batch);
        }
    }
    run(&mut ours, &mut theirs, &mut batch);
    let sizes = (ours.command(&["DBSIZE"]), theirs.command(&["DBSIZE"]));
    assert_eq!(sizes.0, sizes.1);
    let digests = (
        ours.command(&["DEBUG", "DIGEST"]),
        theirs.command(&["DEBUG", "DIGEST"]),
    );
    assert_eq!(digests.0, digests.1, "seed {SEED}");
}

#[test]
fn digest_of_values_agrees_for_each_type_and_for_no_key() {
    let Some(reference) = Options::reference() else {
        return;
    };
    let (our_server, their_server) = (start(Options::redan()), start(reference));
    let (mut ours, mut theirs) = (our_server.client(), their_server.client());
    let mut batch: Vec<Command> = [
        "SET number 12345",
        "SET text hello",
        "SET volatile hello PXAT 4000000000000",
        "RPUSH list a 1 b -2",
        "SADD numbers 3 1 2",
        "SADD words x y 1",
        "HSET hash f 1 g two",
        "ZADD zset 0.25 a -1.75 b 3 c 1e20 d -0 e inf f",
        "DEBUG DIGEST-VALUE number text volatile list numbers words hash zset none",
        "DEBUG DIGEST",
    ]
    .map(words)
    .into();
    run(&mut ours, &mut theirs, &mut batch);
}
