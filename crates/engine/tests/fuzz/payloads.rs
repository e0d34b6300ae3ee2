//! Payloads for RESTORE: one value of each kind and form, some of them damaged.

use super::{Random, wire, words};
use crate::support::World;
use rdb::EncodeOptions;

const VALUES: &str = "\
    set int 5\nset text hello\nrpush l a b 1\nsadd ints 1 2 30000000000\nsadd st a b 3\nhset h f v g 7\n\
    zadd z 1.5 a inf b\nconfig set hash-max-listpack-entries 0\nconfig set set-max-listpack-entries 0\n\
    config set zset-max-listpack-entries 0\nconfig set list-max-listpack-size 1\nhset h2 f v g w\nsadd st2 a b\n\
    zadd z2 1 a 2 b -inf c\nrpush l2 a b c";

pub fn all() -> Vec<Vec<u8>> {
    let mut world = World::new();
    let client = world.client();
    for line in VALUES.lines() {
        let World { engine, host, .. } = &mut world;
        engine.feed(client.0, &wire(&words(line)), host);
    }
    let long = vec![b'x'; 3000];
    let request = [b"set".to_vec(), b"long".to_vec(), long];
    world
        .engine
        .feed(client.0, &wire(&request), &mut world.host);
    let keyspace = &world.engine.keyspace;
    let mut entries: Vec<_> = keyspace.iter(0).collect();
    entries.sort_by_key(|entry| entry.key());
    entries
        .into_iter()
        .map(|entry| rdb::dump(entry, &EncodeOptions::default()))
        .collect()
}

/// One of them, now and then with some bytes changed.
pub fn pick(random: &mut Random, payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = random.pick(payloads).clone();
    if random.one_in(2) {
        for _ in 0..1 + random.below(3) {
            let at = random.below(payload.len());
            payload[at] = match random.below(3) {
                0 => random.next() as u8,
                1 => payload[at] ^ (1 << random.below(8)),
                _ => payload[at].wrapping_add(1),
            };
        }
    }
    payload
}
