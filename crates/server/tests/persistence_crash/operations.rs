//! What a writer does: its operation of a number depends on seed, writer and number alone.
//!
//! Whatever is written names its operation, so that a verifier can tell what is missing and what
//! nobody sent. Keys are few and elements come round again, so that a data directory that lives
//! for hundreds of rounds stays small; some values are large enough that a server saves them in
//! pieces.

use crate::support::random_keys::Random;

/// One unit that must be there as a whole or not at all.
pub struct Operation {
    pub db: u32,
    /// More than one command: a transaction.
    pub commands: Vec<Vec<String>>,
}

/// A database that all writers use; beside it each has one of its own.
pub const SHARED_DB: u32 = 9;
/// Operations before a writer changes its database.
const DB_PERIOD: u64 = 48;
const FAR_FUTURE_MS: u64 = 4_000_000_000_000;

pub fn operation(seed: u64, writer: u32, number: u64) -> Operation {
    let mut random =
        Random::new(seed ^ (u64::from(writer) << 56) ^ number.wrapping_mul(0x9e37_79b9));
    let db = match number / DB_PERIOD % 3 {
        2 => SHARED_DB,
        _ => writer,
    };
    let count = match random.below(8) {
        0 => 2 + random.below(4),
        _ => 1,
    };
    let commands = (0..count).map(|_| command(&mut random, writer, number));
    // A list element may come once only, or its order would say nothing.
    let mut commands: Vec<Vec<String>> = commands.collect();
    let mut pushed = Vec::new();
    commands.retain(|command| {
        let is_new = command[0] != "RPUSH" || !pushed.contains(&command[1]);
        pushed.push(command[1].clone());
        is_new
    });
    Operation { db, commands }
}

/// The start of the names of a writer's keys.
pub fn key_prefix(writer: u32) -> String {
    format!("w{writer}:")
}

fn command(random: &mut Random, writer: u32, number: u64) -> Vec<String> {
    let prefix = key_prefix(writer);
    let mut key = |kind: &str, count: u64| format!("{prefix}{kind}:{}", random.below(count));
    let (counter, text, list) = (key("counter", 20), key("text", 20), key("list", 6));
    let (set, hash, sorted_set) = (key("set", 6), key("hash", 6), key("zset", 6));
    let big = random.below(3) == 0;
    let (range, kept) = if big { (2500, 2500) } else { (60, 60) };
    let container = |name: &String| match big {
        true => format!("{}:big", name.rsplit_once(':').map_or("", |(stem, _)| stem)),
        false => name.clone(),
    };
    let element = format!("e{}", random.below(range));
    let value = value(random, number);
    let expiry = (FAR_FUTURE_MS + number).to_string();
    let words: Vec<&str> = match random.below(40) {
        0..5 => vec!["INCR", &counter],
        5..8 => vec!["SET", &text, &value],
        8 => vec!["SET", &text, &value, "PXAT", &expiry],
        9..11 => vec!["APPEND", &text, &value],
        11..17 => return push(&container(&list), number, 1 + random.below(3)),
        17 => return strings(&["LTRIM", &container(&list), &format!("-{kept}"), "-1"]),
        18..20 => return strings(&["LPOP", &container(&list)]),
        20..23 => return strings(&["SADD", &container(&set), &element]),
        23 => return strings(&["SREM", &container(&set), &element]),
        24..28 => return strings(&["HSET", &container(&hash), &element, &value]),
        28 => return strings(&["HDEL", &container(&hash), &element]),
        29..32 => {
            return strings(&[
                "ZADD",
                &container(&sorted_set),
                &number.to_string(),
                &element,
            ]);
        }
        32 => return strings(&["ZREM", &container(&sorted_set), &element]),
        33 => vec!["PEXPIREAT", &hash, &expiry],
        34 => vec!["PEXPIREAT", &list, &expiry],
        35 => vec!["PERSIST", &hash],
        36 => match random.below(4) {
            0 => vec!["DEL", &hash],
            1 => vec!["DEL", &list],
            2 => vec!["DEL", &text],
            _ => vec!["DEL", &sorted_set],
        },
        _ => return huge(random, &prefix, number),
    };
    strings(&words)
}

/// Numbers of one width, so that their order as texts is that of a list.
fn push(list: &str, number: u64, count: u64) -> Vec<String> {
    let elements = (0..count).map(|index| format!("{number:012}.{index}"));
    ["RPUSH".to_string(), list.to_string()]
        .into_iter()
        .chain(elements)
        .collect()
}

/// A text of about 200 KB that is changed in the middle much more often than it is written anew.
fn huge(random: &mut Random, prefix: &str, number: u64) -> Vec<String> {
    let key = format!("{prefix}huge");
    match random.below(200) {
        0 => strings(&["SET", &key, &format!("{number:012} ").repeat(15_000)]),
        1..20 => strings(&["APPEND", &key, &format!("{number:012} ")]),
        _ => {
            let offset = 13 * random.below(15_000);
            strings(&[
                "SETRANGE",
                &key,
                &offset.to_string(),
                &format!("{number:012}"),
            ])
        }
    }
}

/// Mostly short, sometimes longer than what a server compresses or keeps in one buffer.
fn value(random: &mut Random, number: u64) -> String {
    let filler = match random.below(40) {
        0 => 3000,
        1..4 => 200,
        _ => random.below(30) as usize,
    };
    format!("v{number}.{}", "x".repeat(filler))
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}
