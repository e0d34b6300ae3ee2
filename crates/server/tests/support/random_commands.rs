//! Random writes of every kind over a few keys, for tests that compare what replicas make of them:
//! what is written depends on nothing but the seed.
//!
//! Keys are few, so that commands meet each other's work; a tenth of them go to a key of another
//! type and fail. Scores and steps are multiples of 0.25, which Redis 7.0 and later ones print and
//! digest alike. Times to live are either so short that keys expire during the test, or far beyond it.

use super::random_keys::{Command, Random, words};

/// What is done in one go.
pub enum Step {
    /// Sent together. A transaction is one step.
    Commands(Vec<Command>),
    /// A client waits in this database until the commands serve it.
    Blocking {
        db: u32,
        blocked: Command,
        serving: Vec<Command>,
    },
    /// DUMP of one key, RESTORE of the other.
    Restore { from: String, to: String },
}

impl Step {
    pub fn command_count(&self) -> u64 {
        match self {
            Step::Commands(commands) => commands.len() as u64,
            Step::Blocking { serving, .. } => 1 + serving.len() as u64,
            Step::Restore { .. } => 1,
        }
    }
}

pub struct Generator {
    random: Random,
    db: u32,
}

const DATABASES: u64 = 4;
const KEYS_OF_A_KIND: u64 = 12;

impl Generator {
    pub fn new(seed: u64) -> Generator {
        Generator {
            random: Random::new(seed),
            db: 0,
        }
    }

    pub fn step(&mut self) -> Step {
        match self.random.below(1000) {
            0..5 => self.blocking(),
            5..15 => Step::Restore {
                from: self.any_key(),
                to: self.any_key(),
            },
            15..60 => self.transaction(),
            60..75 => {
                self.db = self.random.below(DATABASES) as u32;
                Step::Commands(vec![words(&format!("SELECT {}", self.db))])
            }
            _ => Step::Commands(vec![self.command()]),
        }
    }

    fn transaction(&mut self) -> Step {
        let mut commands = vec![words("MULTI")];
        for _ in 0..1 + self.random.below(6) {
            commands.push(self.command());
        }
        let end = if self.random.below(20) == 0 {
            "DISCARD"
        } else {
            "EXEC"
        };
        commands.push(words(end));
        Step::Commands(commands)
    }

    fn blocking(&mut self) -> Step {
        let number = self.random.below(KEYS_OF_A_KIND);
        let (list, zset) = (format!("l{number}"), format!("z{number}"));
        let target = self.key('l');
        let (blocked, key) = match self.random.below(7) {
            0 => (format!("BLPOP {list} 0"), list),
            1 => (format!("BRPOP {list} 0"), list),
            2 => (format!("BLMOVE {list} {target} LEFT RIGHT 0"), list),
            3 => (format!("BRPOPLPUSH {list} {target} 0"), list),
            4 => (format!("BLMPOP 0 1 {list} LEFT COUNT 2"), list),
            5 => (format!("BZPOPMIN {zset} 0"), zset),
            _ => (format!("BZMPOP 0 1 {zset} MAX COUNT 3"), zset),
        };
        let serve = match key.starts_with('l') {
            true => format!("RPUSH {key} served {} third", self.random.below(9)),
            false => format!("ZADD {key} 1 served 0.5 {} 3 third", self.random.below(9)),
        };
        let serving = match self.random.below(3) {
            0 => vec![words("MULTI"), words(&serve), self.command(), words("EXEC")],
            _ => vec![words(&serve)],
        };
        Step::Blocking {
            db: self.db,
            blocked: words(&blocked),
            // Nothing is there at first, so that it blocks.
            serving: [vec![words(&format!("DEL {key}"))], serving].concat(),
        }
    }

    fn command(&mut self) -> Command {
        match self.random.below(100) {
            0..18 => self.of_strings(),
            18..26 => self.of_bits(),
            26..40 => self.of_lists(),
            40..52 => self.of_sets(),
            52..68 => self.of_sorted_sets(),
            68..78 => self.of_hashes(),
            78..90 => self.of_keys(),
            90..99 => self.of_expiries(),
            _ => self.of_databases(),
        }
    }

    fn of_strings(&mut self) -> Command {
        let (key, other) = (self.key('s'), self.key('s'));
        let value = self.random.element();
        let (small, quarters) = (self.random.below(50), self.quarters());
        let with_value = |text: String| [words(&text), vec![value.clone()]].concat();
        let then = |command: Command, text: &str| [command, words(text)].concat();
        match self.random.below(18) {
            0..4 => with_value(format!("SET {key}")),
            4 => then(
                with_value(format!("SET {key}")),
                &format!("PX {}", 1 + small),
            ),
            5 => then(with_value(format!("SET {key}")), "EX 100000 GET"),
            6 => then(with_value(format!("SET {key}")), "KEEPTTL"),
            7 => then(with_value(format!("SET {key}")), "NX"),
            8 => with_value(format!("SETEX {key} 100000")),
            9 => with_value(format!("PSETEX {key} {}", 1 + small)),
            10 => with_value(format!("APPEND {key}")),
            11 => with_value(format!("SETRANGE {key} {}", small * 4)),
            12 => words(&format!("INCRBY {key} {small}")),
            13 => words(&format!("INCRBYFLOAT {key} {quarters}")),
            14 => words(&format!("DECR {key}")),
            15 => with_value(format!("MSET {other} x {key}")),
            16 => with_value(format!("MSETNX {other} x {key}")),
            _ => match small % 3 {
                0 => words(&format!("GETDEL {key}")),
                1 => with_value(format!("GETSET {key}")),
                _ => with_value(format!("SETNX {key}")),
            },
        }
    }

    fn of_bits(&mut self) -> Command {
        let (key, other, third) = (self.key('s'), self.key('s'), self.key('s'));
        let offset = self.random.below(2000);
        let number = self.random.below(100_000);
        words(&match self.random.below(6) {
            0 | 1 => format!("SETBIT {key} {offset} {}", number % 2),
            2 => {
                let name = ["AND", "OR", "XOR"][(number % 3) as usize];
                format!("BITOP {name} {key} {other} {third}")
            }
            3 => format!("BITOP NOT {key} {other}"),
            4 => format!(
                "BITFIELD {key} SET u16 #{} {number} INCRBY i8 {offset} 7",
                offset % 50
            ),
            _ => {
                let kind = ["WRAP", "SAT", "FAIL"][(number % 3) as usize];
                format!("BITFIELD {key} OVERFLOW {kind} INCRBY u8 {offset} 100 INCRBY i5 9 3")
            }
        })
    }

    fn of_lists(&mut self) -> Command {
        let (key, other) = (self.key('l'), self.key('l'));
        let (one, two) = (self.random.element(), self.random.element());
        let small = self.random.below(20);
        let side = if small.is_multiple_of(2) {
            "LEFT"
        } else {
            "RIGHT"
        };
        let with = |text: String, values: &[&Vec<u8>]| {
            let values = values.iter().map(|value| value.to_vec());
            words(&text).into_iter().chain(values).collect()
        };
        match self.random.below(18) {
            0..3 => with(format!("RPUSH {key}"), &[&one, &two]),
            3 => with(format!("LPUSH {key}"), &[&one, &two]),
            4 => with(format!("RPUSHX {key}"), &[&one]),
            5 => with(format!("LPUSHX {key}"), &[&one]),
            6 => words(&format!("LPOP {key} {}", small % 4)),
            7 => words(&format!("RPOP {key}")),
            8 => words(&format!("LTRIM {key} {} -{}", small / 4, 1 + small / 5)),
            9 => with(format!("LSET {key} {}", small / 3), &[&one]),
            10 => with(format!("LREM {key} {}", small as i64 - 10), &[&one]),
            11 => with(format!("LINSERT {key} BEFORE"), &[&one, &two]),
            12 => words(&format!("RPOPLPUSH {key} {other}")),
            13 | 14 => words(&format!("LMOVE {key} {other} {side} LEFT")),
            15 => words(&format!(
                "LMPOP 2 {key} {other} {side} COUNT {}",
                1 + small / 4
            )),
            16 => words(&format!("SORT {key} ALPHA STORE {other}")),
            _ => words(&format!("SORT {key} LIMIT 1 5 DESC ALPHA STORE {other}")),
        }
    }

    fn of_sets(&mut self) -> Command {
        let (key, other, third) = (self.key('t'), self.key('t'), self.key('t'));
        let member = self.random.element();
        let number = self.random.below(3000);
        match self.random.below(14) {
            0..4 => [words(&format!("SADD {key} {number}")), vec![member]].concat(),
            4 => {
                let numbers: Vec<String> = (0..40).map(|n| (number + n).to_string()).collect();
                words(&format!("SADD {key} {}", numbers.join(" ")))
            }
            5 => words(&format!("SREM {key} {number} {}", number + 1)),
            6 => words(&format!("SPOP {key}")),
            7 => words(&format!("SPOP {key} {}", number % 30)),
            8 => [words(&format!("SMOVE {key} {other}")), vec![member]].concat(),
            9 => words(&format!("SINTERSTORE {key} {other} {third}")),
            10 => words(&format!("SUNIONSTORE {key} {other} {third}")),
            11 => words(&format!("SDIFFSTORE {key} {other} {third}")),
            12 => words(&format!("SORT {key} BY nosort ALPHA STORE l{}", number % 5)),
            _ => words(&format!(
                "SORT {key} ALPHA GET # GET nothing:* STORE l{}",
                number % 5
            )),
        }
    }

    fn of_sorted_sets(&mut self) -> Command {
        let (key, other, third) = (self.key('z'), self.key('z'), self.key('z'));
        let (score, member) = (self.random.score(), self.random.element());
        let quarters = self.quarters();
        let small = self.random.below(30);
        let add = |flags: &str| {
            let head = words(&format!("ZADD {key}{flags}"));
            [
                head,
                vec![
                    score.clone(),
                    member.clone(),
                    b"1".to_vec(),
                    b"one".to_vec(),
                ],
            ]
            .concat()
        };
        match self.random.below(20) {
            0..4 => add(""),
            4 => add(" XX GT CH"),
            5 => add(" LT"),
            6 => add(" NX"),
            7 => words(&format!("ZADD {key} INCR {quarters} m{}", small % 6)),
            8 => words(&format!("ZINCRBY {key} {quarters} m{}", small % 6)),
            9 => [words(&format!("ZREM {key} one")), vec![member]].concat(),
            10 => words(&format!("ZPOPMIN {key} {}", 1 + small % 3)),
            11 => words(&format!("ZPOPMAX {key}")),
            12 => words(&format!("ZREMRANGEBYRANK {key} {} {}", small, small + 2)),
            13 => words(&format!("ZREMRANGEBYSCORE {key} ({quarters} {small}")),
            14 => words(&format!(
                "ZUNIONSTORE {key} 2 {other} {third} WEIGHTS 1 2 AGGREGATE MAX"
            )),
            15 => words(&format!(
                "ZINTERSTORE {key} 2 {other} {third} AGGREGATE MIN"
            )),
            16 => words(&format!("ZDIFFSTORE {key} 2 {other} {third}")),
            17 => words(&format!("ZRANGESTORE {key} {other} {} -1", small / 3)),
            18 => words(&format!(
                "ZMPOP 2 {key} {other} MAX COUNT {}",
                1 + small % 4
            )),
            _ => words(&format!(
                "ZUNIONSTORE {key} 2 {other} t{}",
                small % KEYS_OF_A_KIND
            )),
        }
    }

    fn of_hashes(&mut self) -> Command {
        let key = self.key('h');
        let (field, value) = (self.random.element(), self.random.element());
        let quarters = self.quarters();
        let small = self.random.below(40);
        match self.random.below(9) {
            0..4 => {
                let head = words(&format!("HSET {key} f{small} {small}"));
                [head, vec![field, value]].concat()
            }
            4 => [words(&format!("HSETNX {key} f{small}")), vec![value]].concat(),
            5 => words(&format!("HDEL {key} f{small} f{}", small / 2)),
            6 => words(&format!("HINCRBY {key} n{} {small}", small % 5)),
            7 => words(&format!("HINCRBYFLOAT {key} n{} {quarters}", small % 5)),
            _ => {
                let pairs: Vec<String> = (0..30).map(|n| format!("g{} {n}", n * small)).collect();
                words(&format!("HMSET {key} {}", pairs.join(" ")))
            }
        }
    }

    fn of_keys(&mut self) -> Command {
        let (key, other) = (self.any_key(), self.any_key());
        let db = self.random.below(DATABASES);
        words(&match self.random.below(11) {
            0 => format!("DEL {key}"),
            1 => format!("UNLINK {key} {other}"),
            2 | 3 => format!("RENAME {key} {other}"),
            4 => format!("RENAMENX {key} {other}"),
            5 => format!("COPY {key} {other} REPLACE"),
            6 => format!("COPY {key} {other} DB {db}"),
            7 => format!("MOVE {key} {db}"),
            8 => format!("PERSIST {key}"),
            9 => format!("PUBLISH channel:{db} {key}"),
            _ => format!("SPUBLISH channel:{db} {key}"),
        })
    }

    fn of_expiries(&mut self) -> Command {
        let key = self.any_key();
        let string = self.key('s');
        let soon_ms = 1 + self.random.below(400);
        words(&match self.random.below(11) {
            0 | 1 => format!("PEXPIRE {key} {soon_ms}"),
            2 => format!("EXPIRE {key} {}", 100_000 + soon_ms),
            3 => format!("PEXPIREAT {key} {}", 4_000_000_000_000 + soon_ms),
            4 => format!("EXPIREAT {key} 1"),
            5 => format!("EXPIRE {key} {} GT", 200_000 + soon_ms),
            6 => format!("EXPIRE {key} -1"),
            7 => format!("GETEX {string} PX {soon_ms}"),
            8 => format!("GETEX {string} EXAT 4000000000"),
            9 => format!("GETEX {string} PERSIST"),
            _ => format!("GETEX {string} PXAT 1"),
        })
    }

    fn of_databases(&mut self) -> Command {
        let (one, other) = (self.random.below(DATABASES), self.random.below(DATABASES));
        match self.random.below(12) {
            0 => words("FLUSHDB"),
            1 if one == 0 => words("FLUSHALL"),
            2 if one == 0 => words("FLUSHDB ASYNC"),
            _ => words(&format!("SWAPDB {one} {other}")),
        }
    }

    fn quarters(&mut self) -> String {
        (self.random.below(400) as f64 * 0.25 - 50.0).to_string()
    }

    /// Mostly a key of the kind that the letter stands for.
    fn key(&mut self, letter: char) -> String {
        if self.random.below(10) == 0 {
            return self.any_key();
        }
        format!("{letter}{}", self.random.below(KEYS_OF_A_KIND))
    }

    fn any_key(&mut self) -> String {
        let letter = ['s', 'l', 't', 'z', 'h'][self.random.below(5) as usize];
        format!("{letter}{}", self.random.below(KEYS_OF_A_KIND))
    }
}
