//! Two servers fed the same commands end with the same data: DEBUG DIGEST of a hundred thousand
//! random keys of all types, ours against a real redis-server's.
//!
//! Scores are multiples of 0.25, because Redis 7.0 digests scores with 17 digits and later ones the
//! shortest text; both agree on these. The commands depend on nothing but the seed.

use testkit::{Connection, Options, Server};

const KEYS: u64 = 100_000;
/// Commands sent before their replies are read.
const PIPELINE: usize = 500;
const SEED: u64 = 0x5eed_0004;

/// xorshift64*: fine for making test data.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }

    /// Small numbers, negative ones, long and short texts, bytes that are no text.
    fn element(&mut self) -> Vec<u8> {
        match self.below(6) {
            0 => self.below(1000).to_string().into_bytes(),
            1 => format!("-{}", self.next()).into_bytes(),
            2 => format!("element:{}", self.below(100_000)).into_bytes(),
            3 => vec![b'x'; self.below(100) as usize],
            4 => self.next().to_le_bytes().to_vec(),
            _ => (self.next() as i64 >> self.below(60))
                .to_string()
                .into_bytes(),
        }
    }

    fn score(&mut self) -> Vec<u8> {
        (((self.next() >> 40) as f64 - 8_000_000.0) * 0.25)
            .to_string()
            .into_bytes()
    }

    /// How many elements: mostly few, sometimes beyond the packed encodings.
    fn size(&mut self) -> u64 {
        match self.below(100) {
            0 => 200 + self.below(400),
            _ => 1 + self.below(12),
        }
    }
}

type Command = Vec<Vec<u8>>;

fn words(text: &str) -> Command {
    text.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

/// The commands that make key number `number`.
fn key_commands(random: &mut Random, number: u64) -> Vec<Command> {
    let key = match random.below(3) {
        0 => number.to_string(),
        1 => format!("key:{number}"),
        _ => format!("a rather long name for key number {number} of this data set"),
    };
    let with = |name: &str, rest: Vec<Vec<u8>>| {
        [vec![name.into(), key.clone().into_bytes()], rest].concat()
    };
    let elements = |random: &mut Random| {
        let size = random.size();
        (0..size).map(|_| random.element()).collect::<Vec<_>>()
    };
    let mut commands = vec![match random.below(8) {
        0..3 => with("SET", vec![random.element()]),
        3 => with("RPUSH", elements(random)),
        4 => with("SADD", elements(random)),
        5 => {
            let size = random.size();
            with("HSET", (0..size * 2).map(|_| random.element()).collect())
        }
        6 => {
            let size = random.size();
            with(
                "ZADD",
                (0..size)
                    .flat_map(|_| [random.score(), random.element()])
                    .collect(),
            )
        }
        _ => with(
            "APPEND",
            vec![random.element()]
                .into_iter()
                .map(|e| if e.is_empty() { b"?".to_vec() } else { e })
                .collect(),
        ),
    }];
    match random.below(20) {
        0 => commands.push(with(
            "PEXPIREAT",
            vec![
                (4_000_000_000_000 + random.below(1000))
                    .to_string()
                    .into_bytes(),
            ],
        )),
        1 => commands.push(with(
            "RENAME",
            vec![format!("renamed:{number}").into_bytes()],
        )),
        2 => commands.push(with("DEL", Vec::new())),
        // An error for most types, the same on both sides.
        3 => commands.push(with("INCR", Vec::new())),
        4 => commands.push(with("LPOP", Vec::new())),
        5 => commands.push(with("SETRANGE", vec![b"5".to_vec(), b"range".to_vec()])),
        _ => {}
    }
    if random.below(1000) == 0 {
        commands.push(words(&format!("SELECT {}", random.below(4))));
    }
    commands
}

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
    let mut random = Random(SEED);
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
