//! Mutation fuzzing of load, CONFIG SET and CONFIG REWRITE on stable Rust.
//!
//! `cargo run --release -p config --example fuzz_config -- --seconds 60 --seed 1`
//! Each round mutates a seed file, loads it, applies mutated CONFIG SETs and rewrites. Checked:
//! no panic; a failed load or set changes nothing; what was written loads to the same values,
//! and so does its own rewrite. A failure prints the seed and the round to replay (`--round`).

use std::time::{Duration, Instant};

use config::{CommandLine, Config, FileText, OPTIONS, SetContext, Source, Text};

const SEEDS: [&str; 4] = [
    include_str!("../tests/fixtures/redis-3.2.conf"),
    include_str!("../tests/fixtures/redis-6.0.conf"),
    include_str!("../tests/fixtures/redis-7.4.conf"),
    include_str!("../tests/fixtures/valkey-8.0.conf"),
];

const WORDS: [&str; 44] = [
    "yes",
    "no",
    "0",
    "1",
    "-1",
    "10",
    "65535",
    "4294967295",
    "9223372036854775807",
    "1gb",
    "512mb",
    "17179869184gb",
    "7%",
    "100%",
    "\"\"",
    "''",
    "\"a b\"",
    "\"\\x00\\xff\"",
    "\"\\\"a\\\"\"",
    "'it\\'s'",
    "KEA",
    "An",
    "900 1",
    "normal 1 1 1",
    "replica 1gb 0 5 pubsub 1 2 3",
    "a b c",
    "127.0.0.1 ::1",
    "10.0.0.1 6379",
    "\"a b\" 6379",
    "no one",
    "save now",
    "nosave force",
    "default",
    "50 99.9 0.0000001",
    "0 200 800",
    "allkeys-lru",
    "debug",
    "local",
    "{title} {port}",
    "{{",
    "include x",
    "\t",
    "\u{b}",
    "é",
];

/// splitmix64: small, seedable, good enough to pick mutations.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    fn option_name(&mut self) -> &'static str {
        let spec = &OPTIONS[self.below(OPTIONS.len())];
        let names: Vec<&str> = spec.names().collect();
        self.pick(&names)
    }
}

#[allow(clippy::disallowed_methods, reason = "a fuzzer runs against the clock")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok())
            .unwrap_or(default)
    };
    let (seed, only) = (argument("--seed", 1), argument("--round", u64::MAX));
    let until = Instant::now() + Duration::from_secs(argument("--seconds", 10));
    let (mut round, mut loaded) = (0u64, 0u64);
    while only != u64::MAX && round == 0 || only == u64::MAX && Instant::now() < until {
        let this = if only == u64::MAX { round } else { only };
        let result = std::panic::catch_unwind(|| run(seed, this));
        match result {
            Ok(ok) => loaded += u64::from(ok),
            Err(_) => {
                eprintln!("failed: --seed {seed} --round {this}");
                std::process::exit(1);
            }
        }
        round += 1;
    }
    println!("{round} rounds, {loaded} loaded, no failure (seed {seed})");
}

/// One round; whether the mutated file loaded.
fn run(seed: u64, round: u64) -> bool {
    let mut random = Random(seed ^ round.wrapping_mul(0xd134_2543_de82_ef95));
    let mut text = random.pick(&SEEDS).as_bytes().to_vec();
    for _ in 0..random.below(5) {
        mutate(&mut text, &mut random);
    }
    let args: Vec<Text> = (0..random.below(4))
        .map(|_| argument(&mut random))
        .collect();
    let options = CommandLine::parse(&args).options;
    let mut config = Config::default();
    if load(&mut config, &text, &options).is_err() {
        assert_eq!(config.differences(&Config::default()), []);
        return false;
    }
    for _ in 0..random.below(8) {
        set(&mut config, &mut random);
    }
    check_rewrite(&config, &text, random.below(4) == 0);
    true
}

fn argument(random: &mut Random) -> Text {
    match random.below(3) {
        0 => format!("--{}", random.option_name()).into(),
        1 => format!("--{}", option_line(random)).into(),
        _ => random.pick(&WORDS).into(),
    }
}

fn mutate(text: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(text.len() + 1);
    match random.below(12) {
        0 if at < text.len() => text[at] = random.next() as u8,
        1 if at < text.len() => drop(text.remove(at)),
        2 => text.insert(
            at,
            random
                .pick(&[&b'"', &b'\'', &b'\\', &b' ', &b'\n', &b'#', &0])
                .to_owned(),
        ),
        // Whole lines load more often than broken ones, and so reach deeper.
        _ => {
            let line = format!("\n{}\n", option_line(random));
            let start = text[..at]
                .iter()
                .rposition(|&byte| byte == b'\n')
                .unwrap_or(0);
            text.splice(start..start, line.bytes());
        }
    }
}

/// An option and a value, mostly one it takes.
fn option_line(random: &mut Random) -> String {
    let spec = &OPTIONS[random.below(OPTIONS.len())];
    let names: Vec<&str> = spec.names().collect();
    let (name, default) = (random.pick(&names), spec.kind.default());
    let mut value = random.pick(&WORDS);
    for _ in 0..20 {
        let words = config::split_args(value.as_bytes()).unwrap_or_default();
        if spec.kind.parse(&words, &default).is_ok() {
            break;
        }
        value = random.pick(&WORDS);
    }
    format!("{name} {value}")
}

fn load(config: &mut Config, text: &[u8], options: &[u8]) -> Result<(), String> {
    let file = FileText {
        name: "fuzz".into(),
        bytes: text.to_vec(),
    };
    let source = Source {
        file: Some(&file),
        stdin: None,
        options,
        include: &|_| Ok(Vec::new()),
        enter: &|_| Ok(()),
        sentinel: false,
    };
    config
        .load(&source)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn set(config: &mut Config, random: &mut Random) {
    let pairs: Vec<(&[u8], Vec<u8>)> = (0..1 + random.below(3))
        .map(|_| {
            let mut value = random.pick(&WORDS).as_bytes().to_vec();
            if random.below(4) == 0 {
                mutate(&mut value, random);
            }
            (random.option_name().as_bytes(), value)
        })
        .collect();
    let pairs: Vec<(&[u8], &[u8])> = pairs
        .iter()
        .map(|(name, value)| (*name, &value[..]))
        .collect();
    let before = config.clone();
    if let Err(error) = config.set(&pairs, SetContext::default()) {
        assert!(!error.to_bytes().is_empty());
        assert_eq!(config.differences(&before), []);
    }
}

fn check_rewrite(config: &Config, old: &[u8], force_all: bool) {
    let first = match force_all {
        true => config.rewrite_all(Some(old)),
        false => config.rewrite(Some(old)),
    };
    // The second text may differ from the first: buffer limits fill lines by class, as in Redis.
    let second = config.rewrite(Some(&first));
    for text in [&first, &second] {
        let shown = String::from_utf8_lossy(text);
        let mut again = Config::default();
        if let Err(error) = load(&mut again, text, b"") {
            panic!("a rewritten file does not load: {error}\n{shown}");
        }
        let differences = again.differences(config);
        let names: Vec<&str> = differences.iter().map(|id| id.name()).collect();
        assert!(names.is_empty(), "{names:?}\n{shown}");
        let renames = |config: &Config| -> Vec<Vec<Text>> {
            config
                .rename_commands
                .iter()
                .map(|line| line.args.clone())
                .collect()
        };
        assert_eq!(renames(&again), renames(config));
    }
}
