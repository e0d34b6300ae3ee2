//! Random requests, made from the command table's own grammar of arguments, then spoiled a little.
//!
//! What would only take long (a negative count of 2^62 for SRANDMEMBER, a billion keys for DEBUG
//! POPULATE) or end the process is left out: Redis does as it is told there, and so do we.

use super::{Random, payloads, words};
use commands::{Arg, ArgFlags, ArgType, CommandId, CommandSpec, Group};

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "5",
    "10",
    "-2",
    "-5",
    "100",
    "1000",
    "127",
    "128",
    "4096",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "99999999999999999999",
    "1.5",
    "1e3",
    "+1",
    "01",
    " 1",
    "0x10",
    "nan",
    "inf",
    "-inf",
    "",
];

const DOUBLES: &[&str] = &[
    "0",
    "1",
    "-1",
    "1.5",
    "-0",
    "0.1",
    "1e300",
    "-1e308",
    "1e400",
    "5e-324",
    "inf",
    "-inf",
    "+inf",
    "nan",
    "(1",
    "(",
    "[a",
    "-",
    "+",
    "1e",
    "0x1p3",
    "3.0000000000000004",
    "",
];

const PATTERNS: &[&str] = &[
    "*",
    "s*",
    "?1",
    "[a-z]*",
    "[^a]?",
    "\\*",
    "*a*a*a*a*b",
    "[",
    "[a-",
    "weight_*",
    "h0->f1",
    "#",
    "*->*",
    "",
    "__key*__:*",
];

const TEXTS: &[&str] = &[
    "a",
    "b",
    "c",
    "d",
    "e",
    "f1",
    "f2",
    "1",
    "2",
    "3",
    "10",
    "-5",
    "hello",
    "foobar",
    "u8",
    "i64",
    "u64",
    "#1",
    "(a",
    "[b",
    "-",
    "+",
    "LEFT",
    "RIGHT",
    "GET",
    "WITHSCORES",
    "COUNT",
    "MATCH",
    "LIMIT",
    "STORE",
    "EX",
    "NX",
    "AGGREGATE",
    "WEIGHTS",
    "\r\n",
    "\0",
    "",
    "id",
    "normal",
    "yes",
];

const OPTIONS: &[(&str, &[&str])] = &[
    ("hash-max-listpack-entries", &["0", "2", "8", "128"]),
    ("hash-max-listpack-value", &["0", "4", "64"]),
    ("set-max-intset-entries", &["0", "3", "512"]),
    ("set-max-listpack-entries", &["0", "3", "128"]),
    ("set-max-listpack-value", &["0", "4", "64"]),
    ("zset-max-listpack-entries", &["0", "3", "128"]),
    ("zset-max-listpack-value", &["0", "4", "64"]),
    (
        "list-max-listpack-size",
        &["1", "3", "-1", "-2", "-5", "0", "-6"],
    ),
    ("list-compress-depth", &["0", "1"]),
    ("maxmemory", &["0", "1000", "1mb"]),
    (
        "maxmemory-policy",
        &[
            "noeviction",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "what",
        ],
    ),
    ("maxmemory-samples", &["1", "5", "64", "0"]),
    ("maxmemory-eviction-tenacity", &["0", "10", "50", "100"]),
    ("maxmemory-clients", &["0", "1mb", "50%"]),
    ("lazyfree-lazy-user-del", &["yes", "no"]),
    ("lazyfree-lazy-expire", &["yes", "no"]),
    ("lazyfree-lazy-eviction", &["yes", "no"]),
    ("lazyfree-lazy-user-flush", &["yes", "no"]),
    ("notify-keyspace-events", &["KEA", "", "Kx", "AE$", "?"]),
    ("slowlog-log-slower-than", &["0", "-1", "10000"]),
    ("slowlog-max-len", &["0", "3", "128"]),
    ("latency-tracking", &["yes", "no"]),
    ("client-query-buffer-limit", &["1mb", "1gb"]),
    (
        "client-output-buffer-limit",
        &["pubsub 1kb 1kb 1", "normal 0 0 0", "normal 100kb 0 0", "x"],
    ),
    ("requirepass", &["", "pw"]),
    ("proto-max-bulk-len", &["1mb", "1"]),
    ("lfu-decay-time", &["0", "1"]),
    ("hz", &["1", "500"]),
    ("no-such-option", &["1"]),
];

const DEBUGS: &[&str] = &[
    "sleep 0",
    "sleep 0.001",
    "sleep -1",
    "sleep nan",
    "sleep 1e300",
    "set-active-expire 0",
    "set-active-expire 1",
    "pause-cron 0",
    "pause-cron 1",
    "quicklist-packed-threshold 10b",
    "quicklist-packed-threshold 1k",
    "quicklist-packed-threshold 0",
    "quicklist-packed-threshold -1",
    "replybuffer resizing 0",
    "replybuffer resizing 1",
    "replybuffer peak-reset-time 100",
    "replybuffer peak-reset-time never",
    "populate 40",
    "populate 5 k 100",
    "populate -1",
    "digest",
    "digest-value s1 l1 h1 t1 z1 none",
    "object s1",
    "object z1 fast",
    "object none",
    "sdslen s2",
    "sdslen l1",
    "listpack h1",
    "listpack s1",
    "quicklist l1 1",
    "quicklist z1",
    "htstats 0",
    "htstats 99 full",
    "htstats-key h2",
    "htstats-key z2 full",
    "structsize",
    "stringmatch-len a*b aaab",
    "stringmatch-len [ x",
    "protocol string",
    "protocol integer",
    "protocol double",
    "protocol null",
    "protocol array",
    "protocol set",
    "protocol map",
    "protocol attrib",
    "protocol bignum",
    "protocol true",
    "protocol verbatim",
    "protocol what",
    "error ERR",
    "error -",
    "log hello",
    "help",
    "what",
    "config-rewrite-force-all",
    "reload",
    "reload nosave",
    "loadaof",
    "set-skip-checksum-validation 1",
    "set-skip-checksum-validation 1",
    "set-skip-checksum-validation 0",
    "jmap",
];

/// Which sessions a request may be sent on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// One reply per request: no subscriptions, no MONITOR, no CLIENT REPLY.
    Strict,
    Free,
}

pub struct Request {
    pub args: Vec<Vec<u8>>,
}

/// The table once more, with each container's subcommands beside it.
pub struct Requests {
    specs: Vec<&'static CommandSpec>,
    payloads: Vec<Vec<u8>>,
}

impl Requests {
    pub fn new() -> Requests {
        let is_fit = |spec: &&CommandSpec| {
            !spec.is_container() && !matches!(spec.id, CommandId::Shutdown | CommandId::Debug)
        };
        Requests {
            specs: commands::commands()
                .flat_map(|spec| std::iter::once(spec).chain(spec.subcommands()))
                .filter(is_fit)
                .collect(),
            payloads: payloads::all(),
        }
    }

    pub fn any(&self, random: &mut Random, manner: Manner, now_ms: i64) -> Request {
        let args = match random.below(40) {
            0 => debug(random),
            1 => config_set(random),
            2 => vec![b"MULTI".to_vec()],
            3 => vec![b"EXEC".to_vec()],
            4 => {
                let channel = *random.pick(&["c1", "c2", "__keyevent@0__:del", ""]);
                [&b"PUBLISH"[..], channel.as_bytes(), b"hello"]
                    .map(<[u8]>::to_vec)
                    .into()
            }
            _ => self.of_table(random, manner, now_ms),
        };
        Request { args }
    }

    fn of_table(&self, random: &mut Random, manner: Manner, now_ms: i64) -> Vec<Vec<u8>> {
        let spec = loop {
            let spec = *random.pick(&self.specs);
            if manner == Manner::Free || answers_once(spec) {
                break spec;
            }
        };
        // What throws everything away comes seldom, or nothing would ever grow.
        if matches!(spec.id, CommandId::Flushall | CommandId::Flushdb) && !random.one_in(8) {
            return words("PING");
        }
        let mut args = Vec::new();
        if let Some(parent) = spec.parent {
            args.push(parent.full_name().as_bytes().to_vec());
        }
        args.push(spec.name.as_bytes().to_vec());
        let head = args.len();
        let mut maker = Maker {
            random,
            group: spec.group,
            now_ms,
            key_count: None,
            payloads: &self.payloads,
        };
        maker.all(spec.args, &mut args);
        if random.one_in(8) {
            spoil(random, head, &mut args);
        }
        if random.one_in(3) {
            args[0].make_ascii_uppercase();
        }
        restrain(spec.id, &mut args);
        if matches!(
            spec.id,
            CommandId::CommandGetkeys | CommandId::CommandGetkeysandflags
        ) {
            args.truncate(2);
            args.extend(self.of_table(random, manner, now_ms));
        }
        args
    }
}

fn answers_once(spec: &CommandSpec) -> bool {
    let full = spec.full_name();
    let is_link = matches!(full, "psync" | "replconf" | "sync");
    !(is_link || full.ends_with("subscribe") || full == "monitor" || full == "client|reply")
}

fn debug(random: &mut Random) -> Vec<Vec<u8>> {
    let mut args = words("DEBUG");
    args.extend(words(random.pick::<&str>(DEBUGS)));
    args
}

fn config_set(random: &mut Random) -> Vec<Vec<u8>> {
    let mut args = words("CONFIG SET");
    for _ in 0..1 + random.below(3) {
        let (option, values) = random.pick(OPTIONS);
        args.push(option.as_bytes().to_vec());
        args.push(random.pick(values).as_bytes().to_vec());
    }
    args
}

/// Takes out what Redis, too, would do for a very long time.
fn restrain(command: CommandId, args: &mut [Vec<u8>]) {
    let is_count = |arg: &[u8]| resp::parse_i64(arg).is_some_and(|n| n < -1000);
    match command {
        CommandId::Srandmember | CommandId::Hrandfield | CommandId::Zrandmember => {
            for arg in args.iter_mut().filter(|arg| is_count(arg)) {
                *arg = b"-7".to_vec();
            }
        }
        CommandId::ClientPause => {
            for arg in args.iter_mut().skip(2) {
                if resp::parse_i64(arg).is_some_and(|n| n > 1000) {
                    *arg = b"50".to_vec();
                }
            }
        }
        _ => {}
    }
}

struct Maker<'r> {
    random: &'r mut Random,
    group: Group,
    now_ms: i64,
    /// What `numkeys` promised.
    key_count: Option<usize>,
    payloads: &'r [Vec<u8>],
}

impl Maker<'_> {
    fn all(&mut self, args: &[Arg], out: &mut Vec<Vec<u8>>) {
        for arg in args {
            if arg.flags.contains(ArgFlags::OPTIONAL) && self.random.one_in(2) {
                continue;
            }
            self.one(arg, out);
        }
    }

    fn one(&mut self, arg: &Arg, out: &mut Vec<Vec<u8>>) {
        let mut times = 1;
        if arg.flags.contains(ArgFlags::MULTIPLE) {
            times += self.random.below(4);
            if self.random.one_in(30) {
                times += 60;
            }
            if arg.arg_type == ArgType::Key {
                times = self.key_count.take().unwrap_or(times);
            }
        }
        for time in 0..times {
            let every = arg.flags.contains(ArgFlags::MULTIPLE_TOKEN);
            if let Some(token) = arg.token
                && (time == 0 || every)
            {
                out.push(token.as_bytes().to_vec());
            }
            self.value(arg, out);
        }
    }

    fn value(&mut self, arg: &Arg, out: &mut Vec<Vec<u8>>) {
        let value = match arg.arg_type {
            ArgType::PureToken => return,
            ArgType::OneOf => {
                let child = self.random.pick(arg.children);
                return self.one(child, out);
            }
            ArgType::Block => return self.all(arg.children, out),
            ArgType::Key => self.key(),
            ArgType::Integer if arg.name == "numkeys" => {
                let count = 1 + self.random.below(3);
                self.key_count = Some(count);
                count.to_string().into_bytes()
            }
            ArgType::Integer
                if self.group == Group::Bitmap && matches!(arg.name, "bit" | "value") =>
            {
                self.random.pick(&["0", "1", "1", "2"]).as_bytes().to_vec()
            }
            ArgType::Integer => self.integer(),
            ArgType::Double => self.double(),
            ArgType::Pattern => self.random.pick(PATTERNS).as_bytes().to_vec(),
            ArgType::UnixTime => {
                let at_ms = self.now_ms + self.random.below(20_000) as i64 - 1000;
                let is_seconds = self.random.one_in(2);
                (if is_seconds { at_ms / 1000 } else { at_ms })
                    .to_string()
                    .into_bytes()
            }
            ArgType::String if matches!(arg.name, "min" | "max" | "start" | "stop") => self.bound(),
            ArgType::String if arg.name == "serialized-value" => {
                payloads::pick(self.random, self.payloads)
            }
            ArgType::String => self.text(),
        };
        out.push(value);
    }

    fn key(&mut self) -> Vec<u8> {
        if self.random.one_in(200) {
            return bytes(self.random);
        }
        let kinds = match self.group {
            Group::String | Group::Bitmap => "s",
            Group::List => "l",
            Group::Hash => "h",
            Group::Set => "t",
            Group::SortedSet => "z",
            _ => "slhtz",
        };
        let kinds = if self.random.one_in(8) {
            "slhtz"
        } else {
            kinds
        };
        let kind = char::from(*self.random.pick(kinds.as_bytes()));
        format!("{kind}{}", self.random.below(4)).into_bytes()
    }

    fn integer(&mut self) -> Vec<u8> {
        if self.random.one_in(3) {
            return self.random.pick(NUMBERS).as_bytes().to_vec();
        }
        let n = self.random.below(40) as i64 - 8;
        n.to_string().into_bytes()
    }

    fn double(&mut self) -> Vec<u8> {
        if self.random.one_in(4) {
            return self.random.pick(DOUBLES).as_bytes().to_vec();
        }
        let n = self.random.below(400) as f64 / 4.0 - 20.0;
        n.to_string().into_bytes()
    }

    /// One end of a range by rank, score or name.
    fn bound(&mut self) -> Vec<u8> {
        match self.random.below(6) {
            0 => self.integer(),
            1 => self.double(),
            2 => b"-".to_vec(),
            3 => b"+".to_vec(),
            _ => {
                let mut bound = self.random.pick(&["[", "("]).as_bytes().to_vec();
                bound.extend(self.text());
                bound
            }
        }
    }

    fn text(&mut self) -> Vec<u8> {
        match self.random.below(10) {
            0 => bytes(self.random),
            1 => self.integer(),
            2 => self.double(),
            3..=5 => format!("m{}", self.random.below(300)).into_bytes(),
            _ => self.random.pick(TEXTS).as_bytes().to_vec(),
        }
    }
}

/// Binary, mostly short, now and then long.
pub fn bytes(random: &mut Random) -> Vec<u8> {
    let len = match random.below(12) {
        0 => random.below(70_000),
        1 | 2 => random.below(300),
        _ => random.below(12),
    };
    (0..len).map(|_| random.next() as u8).collect()
}

/// Makes a request that may be wrong.
fn spoil(random: &mut Random, head: usize, args: &mut Vec<Vec<u8>>) {
    let at = head + random.below(args.len() - head + 1);
    match random.below(6) {
        0 if at < args.len() => drop(args.remove(at)),
        1 => args.truncate(at),
        2 => args.insert(at, random.pick(TEXTS).as_bytes().to_vec()),
        3 if at < args.len() => args[at] = random.pick(NUMBERS).as_bytes().to_vec(),
        4 if at < args.len() => args[at] = bytes(random),
        5 if args.len() > head => {
            let other = head + random.below(args.len() - head);
            let copy = args[other].clone();
            args.insert(at, copy);
        }
        _ => args[head - 1] = bytes(random),
    }
}
