//! Random commands over a few keys, made from the command table's own argument grammar, then
//! sometimes spoilt.
//!
//! Only commands whose replies both servers can agree on: nothing random, no state of the process.
//! Commands that may block come inside MULTI, where they do not. Values, scores and steps are
//! drawn from small pools so that commands meet each other's work; floats are multiples of 0.25,
//! which Redis 7.0 and 7.4 print alike.

use commands::{Arg, ArgFlags, ArgType, CommandSpec, Flags, Group};
use std::collections::VecDeque;

/// Left out, with the reason: `RANDOM` replies, the process's own `STATE` or texts, `CURSOR`s that
/// depend on the table, or a `MODE` of the connection that would end the comparison.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "ZREMRANGEBYLEX",
        "undefined where scores differ, and would make the difference last",
    ),
    ("RANDOMKEY", "RANDOM"),
    ("SPOP", "RANDOM"),
    ("SRANDMEMBER", "RANDOM"),
    ("HRANDFIELD", "RANDOM"),
    ("ZRANDMEMBER", "RANDOM"),
    ("SCAN", "CURSOR: sent by hand, below"),
    ("OBJECT|FREQ", "STATE"),
    ("OBJECT|HELP", "STATE"),
    ("OBJECT|IDLETIME", "STATE"),
    ("PUBSUB|HELP", "STATE"),
    ("WAIT", "would wait for replicas that neither has"),
    ("WAITAOF", "not in the release that is compared with"),
    ("SUBSCRIBE", "MODE"),
    ("PSUBSCRIBE", "MODE"),
    ("SSUBSCRIBE", "MODE"),
    ("UNSUBSCRIBE", "MODE"),
    ("PUNSUBSCRIBE", "MODE"),
    ("SUNSUBSCRIBE", "MODE"),
];

/// Of the groups that concern the process, only these.
const OF_OTHER_GROUPS: &[&str] = &[
    "ECHO", "PING", "SELECT", "DBSIZE", "FLUSHDB", "FLUSHALL", "SWAPDB",
];

/// Drawn this many times less often than others, because they leave little to work on.
const RARE: &[&str] = &[
    "FLUSHDB", "FLUSHALL", "SWAPDB", "SELECT", "MULTI", "WATCH", "MOVE",
];
const RARITY: u64 = 8;

/// For each kind of key a letter: string, list, set, sorted set, hash, and any.
const KEYS: &[&str] = &[
    "s1", "s2", "s3", "l1", "l2", "l3", "t1", "t2", "t3", "z1", "z2", "z3", "h1", "h2", "h3", "x1",
    "x2",
];

const VALUES: &[&[u8]] = &[
    b"a", b"b", b"c", b"d", b"e", b"foo", b"hello", b"", b"0", b"1", b"2", b"3", b"10", b"-1", b"100", b"0.25",
    b"1.5", b"-3.75", b"\x00\xff\r\n", b"caf\xc3\xa9", b"*", b"12345678901234567890",
    b"a text that is longer than the forty-four bytes of an embedded string",
    b"a text that is longer than sixty-four bytes, so that no listpack of a hash or a set keeps it in",
];
const INTEGERS: &[&str] = &[
    "0", "1", "2", "3", "4", "5", "7", "8", "10", "15", "16", "100", "-1", "-2", "-3", "-100",
];
const DOUBLES: &[&str] = &[
    "0", "1", "2", "3", "1.5", "-1", "-3.75", "0.25", "10", "1e3", "inf", "-inf", "+5", "2.50",
];
const JUNK: &[&[u8]] = &[
    b"",
    b"x",
    b"1x",
    b" 1",
    b"1 ",
    b"+1",
    b"01",
    b"-0",
    b"0x10",
    b"1.5",
    b"nan",
    b"-nan",
    b"inf",
    b"1e400",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"18446744073709551616",
    b"4294967296",
    b"-2147483649",
    b"\x00",
    b"\xff\xfe",
    b"*",
    b"#",
    b"(1",
    b"[a",
    b"-",
    b"+",
];
const SCORE_BOUNDS: &[&str] = &[
    "-inf", "+inf", "0", "1", "(1", "2", "(3", "5", "-2", "(-inf", "1.5",
];
const LEX_BOUNDS: &[&str] = &["-", "+", "[a", "(a", "[c", "(d", "[foo", "[", "("];
const PATTERNS: &[&str] = &[
    "*", "s*", "?1", "[a-c]*", "h[^1]", "\\*", "a", "w_*", "*->a", "#", "h*->a", "nosort",
];
const BITFIELD_TYPES: &[&str] = &["u8", "i8", "u1", "i5", "u63", "i64", "u64", "i0", "u16"];
const OFFSETS: &[&str] = &["0", "1", "5", "7", "8", "#0", "#1", "#3", "100", "-1"];

#[derive(Clone, Debug)]
pub struct Request {
    pub args: Vec<Vec<u8>>,
}

impl Request {
    pub fn of(args: &[&str]) -> Request {
        Request {
            args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
        }
    }

    pub fn is(&self, name: &str) -> bool {
        self.args[0].eq_ignore_ascii_case(name.as_bytes())
    }

    pub fn name(&self) -> String {
        self.args[0].escape_ascii().to_string().to_uppercase()
    }

    pub fn encoded(&self) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", self.args.len()).into_bytes();
        for arg in &self.args {
            bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            bytes.extend_from_slice(arg);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }

    pub fn show(&self) -> String {
        let quoted: Vec<String> = self
            .args
            .iter()
            .map(|arg| format!("\"{}\"", arg.escape_ascii()))
            .collect();
        quoted.join(" ")
    }
}

pub fn is_key(text: &[u8]) -> bool {
    KEYS.iter().any(|key| key.as_bytes() == text)
}

/// SplitMix64, by its published constants.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

pub struct Generator {
    random: Random,
    specs: Vec<&'static CommandSpec>,
    /// Requests that must follow the one before.
    waiting: VecDeque<Request>,
}

impl Generator {
    pub fn new(seed: u64, only: Option<&str>) -> Generator {
        let wanted = |spec: &CommandSpec| {
            let name = spec.full_name().to_uppercase();
            match only {
                Some(only) => only.split(',').any(|one| one.eq_ignore_ascii_case(&name)),
                None => is_comparable(spec, &name),
            }
        };
        let leaves = |spec: &'static CommandSpec| {
            let own = (!spec.is_container()).then_some(spec);
            own.into_iter().chain(spec.subcommands())
        };
        let specs: Vec<_> = commands::commands()
            .flat_map(leaves)
            .filter(|spec| wanted(spec))
            .collect();
        assert!(!specs.is_empty(), "no such command");
        Generator {
            random: Random(seed),
            specs,
            waiting: VecDeque::new(),
        }
    }

    pub fn keys(&self) -> &'static [&'static str] {
        KEYS
    }

    /// To be called when a round begins: what was to follow belonged to another connection.
    pub fn begin_round(&mut self) {
        self.waiting.clear();
    }

    pub fn request(&mut self) -> Request {
        if let Some(request) = self.waiting.pop_front() {
            return request;
        }
        if self.random.percent(1) {
            return self.scan();
        }
        let spec = loop {
            let spec = self.random.pick(&self.specs);
            let is_rare = RARE.iter().any(|name| spec.name.eq_ignore_ascii_case(name));
            if !is_rare || self.random.below(RARITY) == 0 {
                break spec;
            }
        };
        let mut request = self.command(spec);
        if self.random.percent(12) {
            self.spoil(&mut request);
        }
        if matches!(spec.name, "zrank" | "zrevrank") {
            // WITHSCORE is new in 7.2; 7.0 refuses it when queued, which spoils transactions.
            request.args.truncate(3);
        }
        let has = |word: &str| {
            let mut args = request.args.iter();
            args.any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
        };
        let lowest = i64::MIN.to_string();
        if spec.name == "lrem" && has(&lowest) {
            // 7.0 obeys it, 7.2 and we refuse it, so the lists would differ from here on.
            request.args.truncate(2);
        } else if spec.name == "sort" && has("LIMIT") && has("STORE") {
            // A window of a set's elements has no defined content, which STORE would make last.
            request.args.truncate(2);
        }
        if spec.flags.contains(Flags::BLOCKING) {
            self.waiting.extend([request, Request::of(&["EXEC"])]);
            return Request::of(&["MULTI"]);
        }
        request
    }

    /// A SCAN that sees everything at once, because cursors in between are each server's own.
    fn scan(&mut self) -> Request {
        let mut args = vec!["SCAN", "0", "COUNT", "100000"];
        if self.random.percent(50) {
            args.extend(["MATCH", self.random.pick(PATTERNS)]);
        }
        if self.random.percent(50) {
            args.extend([
                "TYPE",
                self.random
                    .pick(&["string", "HASH", "list", "zset", "set", "stream"]),
            ]);
        }
        Request::of(&args)
    }

    fn command(&mut self, spec: &CommandSpec) -> Request {
        let mut args: Vec<Vec<u8>> = spec
            .full_name()
            .split('|')
            .map(|word| self.cased(word))
            .collect();
        let mut draft = Draft {
            group: spec.group,
            numkeys: None,
        };
        self.append_all(spec.args, &mut args, &mut draft);
        let has = |args: &[Vec<u8>], word: &[u8]| {
            args.iter().position(|arg| arg.eq_ignore_ascii_case(word))
        };
        if has(&args, b"ALPHA").is_some() && has(&args, b"BY").is_some() {
            // The order of ties is undefined; a reply may be compared without order, data not.
            args.truncate(has(&args, b"STORE").unwrap_or(args.len()));
            if let Some(at) = has(&args, b"LIMIT") {
                args.drain(at..at + 3);
            }
        }
        if spec.name.ends_with("scan") {
            // All at once: cursors in between are each server's own. The last COUNT wins.
            args.extend([b"COUNT".to_vec(), b"100000".to_vec()]);
        }
        Request { args }
    }

    /// A word in upper or lower case.
    fn cased(&mut self, word: &str) -> Vec<u8> {
        if self.random.percent(70) {
            word.to_uppercase()
        } else {
            word.to_lowercase()
        }
        .into_bytes()
    }

    fn append_all(&mut self, grammar: &[Arg], args: &mut Vec<Vec<u8>>, draft: &mut Draft) {
        for arg in grammar {
            let optional = arg.flags.contains(ArgFlags::OPTIONAL);
            if optional && !self.random.percent(35) {
                continue;
            }
            let times = if arg.flags.contains(ArgFlags::MULTIPLE) {
                1 + self.random.below(3)
            } else {
                1
            };
            for n in 0..times {
                if let Some(token) = arg.token
                    && (n == 0 || arg.flags.contains(ArgFlags::MULTIPLE_TOKEN))
                {
                    let token = self.cased(token);
                    args.push(token);
                }
                self.append(arg, args, draft);
            }
            if arg.arg_type == ArgType::Key
                && let Some(at) = draft.numkeys.take()
            {
                args[at] = times.to_string().into_bytes();
            }
        }
    }

    fn append(&mut self, arg: &Arg, args: &mut Vec<Vec<u8>>, draft: &mut Draft) {
        match arg.arg_type {
            ArgType::PureToken => {}
            ArgType::Block => self.append_all(arg.children, args, draft),
            ArgType::OneOf => {
                let chosen = self.random.pick(arg.children);
                self.append_all(&[chosen], args, draft);
            }
            _ => {
                if arg.name == "numkeys" {
                    draft.numkeys = Some(args.len());
                }
                let value = self.value(arg, draft.group);
                args.push(value);
            }
        }
    }

    fn value(&mut self, arg: &Arg, group: Group) -> Vec<u8> {
        let random = &mut self.random;
        if random.percent(4) && arg.arg_type != ArgType::Key {
            return random.pick(JUNK).to_vec();
        }
        let text = match (arg.arg_type, arg.name) {
            (ArgType::Key, _) => self.key(group),
            (_, "db" | "index1" | "index2" | "destination-db") => {
                random.pick(&["0", "1", "2", "3"])
            }
            (_, "index") if group == Group::Connection => random.pick(&["0", "1", "2", "3", "16"]),
            (_, "seconds") => {
                random.pick(&["1000", "5000", "100000", "0", "-1", "9223372036854775"])
            }
            (_, "milliseconds") => random.pick(&["1000000", "5000000", "0", "-1"]),
            (ArgType::UnixTime, _) => random.pick(&["1", "1000", "4102444800", "4102444800000"]),
            // Long enough never to pass; such commands run inside MULTI.
            (_, "timeout") => random.pick(&["0", "1", "100", "0.5"]),
            (_, "cursor") => "0",
            (_, "bit") => random.pick(&["0", "1"]),
            (_, "offset") if group == Group::Bitmap => random.pick(OFFSETS),
            (_, "encoding") => random.pick(BITFIELD_TYPES),
            (ArgType::Pattern, _) => random.pick(PATTERNS),
            (ArgType::Integer, _) => random.pick(INTEGERS),
            (ArgType::Double, "min" | "max") => random.pick(SCORE_BOUNDS),
            (ArgType::Double, _) => random.pick(DOUBLES),
            (ArgType::String, "min" | "max" | "start" | "stop") if group == Group::SortedSet => {
                let pool = random.pick(&[SCORE_BOUNDS, LEX_BOUNDS, INTEGERS]);
                random.pick(pool)
            }
            _ => return random.pick(VALUES).to_vec(),
        };
        text.as_bytes().to_vec()
    }

    /// Mostly a key that is likely to hold the group's type.
    fn key(&mut self, group: Group) -> &'static str {
        let letter = match group {
            Group::String | Group::Bitmap => "s",
            Group::List => "l",
            Group::Set => "t",
            Group::SortedSet => "z",
            Group::Hash => "h",
            _ => "",
        };
        let own: Vec<&'static str> = KEYS
            .iter()
            .copied()
            .filter(|key| key.starts_with(letter))
            .collect();
        if self.random.percent(88) {
            self.random.pick(&own)
        } else {
            self.random.pick(KEYS)
        }
    }

    /// Makes a request doubtful: an argument missing, too many, replaced, exchanged, or no such
    /// command.
    fn spoil(&mut self, request: &mut Request) {
        let args = &mut request.args;
        let at = 1 + self.random.below(args.len().max(2) as u64 - 1) as usize;
        let junk = self.random.pick(JUNK).to_vec();
        match self.random.below(6) {
            0 if args.len() > 1 => {
                args.remove(at);
            }
            1 => args.insert(at.min(args.len()), junk),
            2 => args.push(junk),
            3 if args.len() > 1 => args[at] = junk,
            4 if args.len() > 2 => args.swap(at, 1),
            5 if self.random.percent(20) => args[0] = b"NOSUCHCOMMAND".to_vec(),
            _ => {}
        }
    }
}

/// What is known while a command's arguments are drawn.
struct Draft {
    group: Group,
    /// Where the number of keys stands that are yet to come.
    numkeys: Option<usize>,
}

fn is_comparable(spec: &CommandSpec, name: &str) -> bool {
    let of_data = !matches!(spec.group, Group::Server | Group::Connection);
    let left_out = LEFT_OUT.iter().any(|(left, _)| *left == name);
    (of_data && !left_out) || OF_OTHER_GROUPS.contains(&name)
}
