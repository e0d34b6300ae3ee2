//! Our server and a real redis-server 7.0 are sent the same random commands, and give the same
//! replies byte for byte, but for the differences that `compare` names.
//!
//! Commands come in pipelines, in rounds that begin with empty databases; odd rounds speak RESP3.
//! At the end of a round all data is read and compared too. A difference ends its round (the data
//! may differ from there on); up to `DIFFERENCES_MAX` are collected, then shown with what led to
//! them. `REDAN_DIFFERENTIAL_COMMANDS` says how many commands (default 20,000; acceptance is
//! 200,000), `REDAN_DIFFERENTIAL_SEED` which, `REDAN_DIFFERENTIAL_ONLY` restricts them to some
//! (comma separated). Skipped where there is no redis-server (see testkit's `peer`).

mod compare;
mod frame;
mod generate;

use compare::Comparison;
use frame::Frames;
use generate::{Generator, Request};
use std::collections::{BTreeMap, VecDeque};
use std::env;
use std::fmt::Write as _;
use testkit::{Options, Server};

const ROUND_COMMANDS: usize = 400;
const PIPELINE_COMMANDS: usize = 40;
const DATABASES: usize = 4;
/// Collected before giving up.
const DIFFERENCES_MAX: usize = 200;
/// Earlier commands shown with a difference.
const CONTEXT: usize = 400;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn random_commands_get_the_replies_of_a_real_server() {
    let Some(reference) = Options::reference() else {
        return;
    };
    let ours = Server::start(&Options::redan());
    let theirs = Server::start(&reference);
    let seed = number("REDAN_DIFFERENTIAL_SEED", 1);
    let total = number("REDAN_DIFFERENTIAL_COMMANDS", 20_000) as usize;
    let mut generator = Generator::new(seed, env::var("REDAN_DIFFERENTIAL_ONLY").ok().as_deref());
    let mut differences = Vec::new();
    let (mut sent, mut round) = (0, 0);
    while sent < total && differences.len() < DIFFERENCES_MAX {
        let mut pair = Pair::open(&ours, &theirs, round % 2 == 1);
        sent += pair.play(&mut generator);
        differences.extend(pair.difference);
        round += 1;
    }
    assert!(
        differences.is_empty(),
        "seed {seed}, {sent} commands\n{}",
        report(&differences)
    );
    println!("{sent} commands in {round} rounds, seed {seed}: same replies");
}

struct Difference {
    name: String,
    text: String,
}

/// The differences, the commands with most of them first.
fn report(differences: &[Difference]) -> String {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for difference in differences {
        by_name
            .entry(&difference.name)
            .or_default()
            .push(&difference.text);
    }
    let mut text = String::new();
    for (name, texts) in by_name {
        writeln!(text, "==== {name}: {} differences", texts.len()).expect("a string takes text");
        for one in texts.iter().take(3) {
            writeln!(text, "{one}").expect("a string takes text");
        }
    }
    text
}

/// One round on both servers.
struct Pair {
    ours: Frames,
    theirs: Frames,
    comparison: Comparison,
    /// The latest commands, oldest first.
    recent: VecDeque<Request>,
    difference: Option<Difference>,
    /// A connection is of no more use.
    is_over: bool,
}

type Reply = Result<Vec<u8>, &'static str>;

impl Pair {
    fn open(ours: &Server, theirs: &Server, resp3: bool) -> Pair {
        let mut pair = Pair {
            ours: Frames::open(ours.socket()),
            theirs: Frames::open(theirs.socket()),
            comparison: Comparison::default(),
            recent: VecDeque::new(),
            difference: None,
            is_over: false,
        };
        let setup = [
            vec!["FLUSHALL"],
            if resp3 {
                vec!["HELLO", "3"]
            } else {
                vec!["PING"]
            },
        ];
        for args in setup {
            let request = Request::of(&args);
            for frames in [&mut pair.ours, &mut pair.theirs] {
                frames.send(&request.encoded());
                frames
                    .receive()
                    .expect("the server takes the round's first commands");
            }
        }
        pair
    }

    /// Plays one round; returns how many commands it had.
    fn play(&mut self, generator: &mut Generator) -> usize {
        let mut sent = 0;
        generator.begin_round();
        while sent < ROUND_COMMANDS && self.difference.is_none() {
            let batch: Vec<Request> = (0..PIPELINE_COMMANDS)
                .map(|_| generator.request())
                .collect();
            sent += batch.len();
            self.exchange(batch);
        }
        if self.difference.is_none() {
            // Whatever the round left open.
            self.exchange(vec![Request::of(&["DISCARD"])]);
            for db in 0..DATABASES {
                self.exchange(vec![Request::of(&["SELECT", &db.to_string()])]);
                self.exchange(
                    generator
                        .keys()
                        .iter()
                        .flat_map(|key| content_of(key))
                        .collect(),
                );
                self.exchange(vec![Request::of(&["KEYS", "*"])]);
            }
        }
        sent
    }

    fn exchange(&mut self, batch: Vec<Request>) {
        let bytes: Vec<u8> = batch.iter().flat_map(Request::encoded).collect();
        self.ours.send(&bytes);
        self.theirs.send(&bytes);
        for request in batch {
            if self.is_over {
                return;
            }
            let (ours, theirs) = (self.ours.receive(), self.theirs.receive());
            let same = match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => self.comparison.same(&request, ours, theirs),
                _ => {
                    self.is_over = true;
                    false
                }
            };
            if !same && self.difference.is_none() {
                self.difference = Some(self.describe(&request, ours, theirs));
            }
            if self.recent.len() == CONTEXT {
                self.recent.pop_front();
            }
            self.recent.push_back(request);
        }
    }

    fn describe(&self, request: &Request, ours: Reply, theirs: Reply) -> Difference {
        let show = |reply: Reply| match reply {
            Ok(bytes) => bytes.escape_ascii().to_string().replace("\\r\\n", " "),
            Err(why) => format!("({why})"),
        };
        let mut text = String::new();
        let shares_key = |earlier: &&Request| {
            earlier.args[1..]
                .iter()
                .any(|arg| generate::is_key(arg) && request.args[1..].contains(arg))
                || ["SELECT", "MULTI", "EXEC"]
                    .iter()
                    .any(|name| earlier.is(name))
        };
        let context: Vec<&Request> = self.recent.iter().filter(shares_key).collect();
        for earlier in &context[context.len().saturating_sub(12)..] {
            writeln!(text, "      {}", earlier.show()).expect("a string takes text");
        }
        writeln!(text, "   -> {}", request.show()).expect("a string takes text");
        writeln!(
            text,
            "    ours:   {}\n    theirs: {}",
            show(ours),
            show(theirs)
        )
        .expect("a string takes text");
        if let Some(culprit) = &self.comparison.culprit {
            writeln!(text, "    inside: {}", culprit.show()).expect("a string takes text");
        }
        Difference {
            name: request.name(),
            text,
        }
    }
}

/// Commands that read everything about a key; those for another type are refused alike.
fn content_of(key: &str) -> Vec<Request> {
    let commands: [&[&str]; 7] = [
        &["TYPE", key],
        &["EXPIRETIME", key],
        &["GET", key],
        &["LRANGE", key, "0", "-1"],
        &["HGETALL", key],
        &["SMEMBERS", key],
        &["ZRANGE", key, "0", "-1", "WITHSCORES"],
    ];
    commands.iter().map(|args| Request::of(args)).collect()
}
