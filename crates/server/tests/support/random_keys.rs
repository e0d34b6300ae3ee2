//! Random keys of every type for tests that compare data sets: what is written depends on nothing
//! but the seed.
//!
//! Scores are multiples of 0.25, because Redis 7.0 digests scores with 17 digits and later ones the
//! shortest text; both agree on these. `key_commands` makes many small keys, some beyond the packed
//! encodings; `special_commands` makes every encoding and every edge of one at least once.

use testkit::Connection;

/// Commands sent before their replies are read.
const PIPELINE: usize = 500;

/// xorshift64*: fine for making test data.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        // Zero would stay zero; neighbouring seeds should not begin alike.
        let mut random = Random((seed ^ 0x9e37_79b9_7f4a_7c15).max(1));
        random.next();
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }

    /// Small numbers, negative ones, long and short texts, bytes that are no text.
    pub fn element(&mut self) -> Vec<u8> {
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

    pub fn score(&mut self) -> Vec<u8> {
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

pub type Command = Vec<Vec<u8>>;

pub fn words(text: &str) -> Command {
    text.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

/// The commands that make key number `number`.
pub fn key_commands(random: &mut Random, number: u64) -> Vec<Command> {
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

/// A key for each encoding, and for the edges of how a file stores numbers, texts and scores.
pub fn special_commands() -> Vec<Command> {
    let mut commands: Vec<Command> = [
        "SELECT 0",
        "HSET special:hash:packed f 1 g two",
        "SADD special:set:int16 1 -2 30000",
        "SADD special:set:int32 1 -2 2000000000",
        "SADD special:set:int64 1 -9223372036854775808 9223372036854775807",
        "SADD special:set:words a b 3",
        "ZADD special:zset:packed 0 zero -0 minus -inf low inf high 1e20 e 0.25 q -3.75 n",
        "RPUSH special:list:short a 1 -1 127 128 32767 32768 8388607 8388608 2147483648",
        "PEXPIREAT special:list:short 4000000000123",
        "PEXPIREAT special:hash:packed 4000000000124",
        "SELECT 9",
        "SET special:other-db yes PXAT 4000000000125",
        "SELECT 0",
    ]
    .map(words)
    .into();
    for number in [
        "0",
        "-1",
        "127",
        "128",
        "-128",
        "-129",
        "32767",
        "32768",
        "-32769",
        "2147483647",
        "2147483648",
        "-2147483649",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "01",
        "-0",
        "+1",
        "12345678901",
        "1.5",
    ] {
        commands.push(words(&format!("SET special:number:{number} {number}")));
    }
    let text = |name: &str, bytes: Vec<u8>| vec![b"SET".to_vec(), name.into(), bytes];
    let mut noise = Random::new(77);
    commands.push(text("", b"the empty key".to_vec()));
    commands.push(text("special:text:empty", Vec::new()));
    for length in [20, 21, 44, 45, 63, 64, 16_383, 16_384, 70_000] {
        commands.push(text(&format!("special:text:{length}"), vec![b'z'; length]));
    }
    commands.push(text("special:text:million", b"0123456789".repeat(100_000)));
    let bytes = (0..25_000).flat_map(|_| noise.next().to_le_bytes());
    commands.push(text("special:noise", bytes.collect()));
    for (command, key, pair) in [
        ("SADD", "special:set:table", false),
        ("SADD", "special:set:int-table", false),
        ("HSET", "special:hash:table", true),
        ("ZADD", "special:zset:table", true),
        ("RPUSH", "special:list:long", false),
    ] {
        for start in (0..5000).step_by(250) {
            let mut words: Command = vec![command.into(), key.into()];
            for number in start..start + 250 {
                if pair {
                    words.push((f64::from(number) * 0.25).to_string().into());
                }
                words.push(match key {
                    "special:set:int-table" => number.to_string().into(),
                    _ => format!("element number {number} of {key}").into(),
                });
            }
            commands.push(words);
        }
    }
    for key in [
        "RPUSH special:list:wide",
        "SADD special:set:wide",
        "HSET special:hash:wide f",
    ] {
        let mut command = words(key);
        command.push(b"wide ".repeat(6000));
        commands.push(command);
    }
    commands
}

/// Sends the commands and reads their replies; errors are part of some random data.
pub fn send_all(client: &mut Connection, commands: &[Command]) {
    for batch in commands.chunks(PIPELINE) {
        client.pipeline(batch);
    }
}
