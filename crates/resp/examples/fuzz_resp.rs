//! Mutation fuzzer for the RESP crate that runs on the stable toolchain.
//!
//! `cargo run --release -p resp --example fuzz_resp -- --seconds 600 --seed 1`. Each input is a
//! corpus entry, or two spliced, with random edits. It is parsed whole and in random pieces, as
//! requests and as replies; the outcomes must be equal, spans must lie in the buffer, parsing must
//! go forward, nothing may panic. Number texts are checked for their round trips. A failure prints
//! the input; one seed always gives the same inputs.

#![allow(
    clippy::disallowed_methods,
    reason = "a fuzzer runs for a real span of time; its inputs depend on the seed alone"
)]

use std::fmt::Debug;
use std::time::{Duration, Instant};

use resp::{
    DecodeError, Decoder, Limits, Progress, ProtocolError, RequestParser, Span, Value,
    incr_by_float, parse_double, parse_i64, split_args, write_double, write_i64,
};

const CORPUS: &[&[u8]] = &[
    b"*1\r\n$4\r\nPING\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\n0123456789\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    b"*0\r\n*-1\r\n\r\nPING\r\n*10\r\n$0\r\n\r\n",
    b"set key \"a\\x41\\n\" 'it\\'s'\r\nget key\n",
    b"*1\r\n$1000\r\n",
    b"*1000\r\n$1\r\na\r\n",
    b"*1\r\n$16385\r\n*1\r\n$-1\r\n*3000000000\r\n",
    b"+OK\r\n-ERR x\r\n:123\r\n$3\r\nabc\r\n$-1\r\n*-1\r\n_\r\n#t\r\n,1.5\r\n,inf\r\n",
    b"%2\r\n+a\r\n*2\r\n:1\r\n:2\r\n+b\r\n~1\r\n(123456789\r\n",
    b"|1\r\n+k\r\n:1\r\n>2\r\n+message\r\n=7\r\ntxt:abc\r\n!5\r\nERR x\r\n",
    b"123.456e-7",
    b"-0x1.8p-1074",
    b"9223372036854775807",
    b"179769313486231570000000000000000000000.5",
    b"1e4931",
    b"-infinity",
];

const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\r",
    b"\n",
    b"*",
    b"$",
    b"\0",
    b"-1",
    b"0",
    b"2147483648",
    b"4294967296",
    b"e",
    b".",
    b"*1\r\n",
    b"$1\r\nx\r\n",
    b"|1\r\n",
    b"%1\r\n",
    b"\"",
    b"'",
    b"\\x",
    b"9999999999999999999",
    b"p-",
];

fn main() {
    let (mut seconds, mut seed) = (10, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse().ok());
        match (name.as_str(), number) {
            ("--seconds", Some(number)) => seconds = number,
            ("--seed", Some(number)) => seed = number,
            _ => {
                eprintln!("usage: fuzz_resp [--seconds N] [--seed N]");
                std::process::exit(2);
            }
        }
    }
    let mut random = Random(seed);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let (mut runs, mut rejected) = (0u64, 0u64);
    while runs % 256 != 0 || Instant::now() < deadline {
        let input = input(&mut random);
        let outcome = std::panic::catch_unwind(|| run(&input, random.clone()));
        match outcome {
            Ok(refused) => rejected += u64::from(refused),
            Err(_) => {
                eprintln!(
                    "failed in run {runs} of seed {seed} with {}",
                    input.escape_ascii()
                );
                std::process::exit(1);
            }
        }
        random.next();
        runs += 1;
    }
    println!("{runs} runs without a failure, {rejected} of them refused as requests, seed {seed}");
}

/// All checks on one input. Returns whether it was refused as a request.
fn run(input: &[u8], mut random: Random) -> bool {
    let limits = Limits {
        authenticated: random.below(4) > 0,
        bulk_max: if random.below(4) > 0 { 512 << 20 } else { 5 },
        ..Limits::default()
    };
    let whole = requests(input, &[input.len()], &limits);
    assert_same(
        &whole,
        &requests(input, &random.pieces(input.len()), &limits),
    );
    let bytewise = vec![1; input.len()];
    assert_same(&whole, &requests(input, &bytewise, &limits));

    let whole_replies = replies(input, &[input.len()]);
    let replies = replies(input, &random.pieces(input.len()));
    // Debug text, because NaN is unequal to itself.
    assert_eq!(format!("{whole_replies:?}"), format!("{replies:?}"));

    if let Some(args) = split_args(input) {
        assert!(args.iter().map(Vec::len).sum::<usize>() <= input.len());
    }
    numbers(input);
    whole.1.is_some()
}

fn numbers(text: &[u8]) {
    if let Some(value) = parse_i64(text) {
        let mut out = Vec::new();
        write_i64(&mut out, value);
        assert_eq!(out, text);
        assert!(parse_double(text).is_some());
    }
    if let Some(value) = parse_double(text) {
        let mut out = Vec::new();
        write_double(&mut out, value);
        assert_eq!(parse_double(&out).map(f64::to_bits), Some(value.to_bits()));
    }
    if let Ok(sum) = incr_by_float(text, b"0") {
        // A second reading rounds to what was printed, and prints it again.
        assert_eq!(incr_by_float(&sum, b"0").as_ref(), Ok(&sum));
    }
}

type Requests = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

fn requests(input: &[u8], pieces: &[usize], limits: &Limits) -> Requests {
    let (mut parser, mut buf, mut found) = (RequestParser::new(), Vec::new(), Vec::new());
    let mut fed = 0;
    for (index, piece) in pieces.iter().enumerate() {
        buf.extend_from_slice(&input[fed..fed + piece]);
        fed += piece;
        loop {
            let before = parser.position();
            let mut args: Vec<Span> = Vec::new();
            let progress = parser.parse(&buf, &mut args, limits);
            assert!(parser.consumed() <= parser.position() && parser.position() <= buf.len());
            match progress {
                Ok(Progress::Incomplete { .. }) => {
                    assert!(args.is_empty() && parser.position() >= before);
                    break;
                }
                Err(error) => return (found, Some(error)),
                Ok(Progress::Request) => {
                    found.push(args.iter().map(|span| span.of(&buf).to_vec()).collect());
                }
                Ok(Progress::Inline(args)) => found.push(args),
            }
            assert!(parser.position() > before && parser.consumed() == parser.position());
        }
        if index % 2 == 0 {
            let consumed = parser.consumed();
            buf.drain(..consumed);
            parser.rebase(consumed);
        }
    }
    (found, None)
}

fn replies(input: &[u8], pieces: &[usize]) -> (Vec<Value>, Option<DecodeError>) {
    let (mut decoder, mut found, mut fed) = (Decoder::new(), Vec::new(), 0);
    for piece in pieces {
        decoder.feed(&input[fed..fed + piece]);
        fed += piece;
        loop {
            match decoder.decode() {
                Ok(Some(value)) => found.push(value),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fn assert_same<T: PartialEq + Debug>(whole: &T, pieces: &T) {
    assert_eq!(whole, pieces, "the outcome depends on how the input is cut");
}

fn input(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(CORPUS).to_vec();
    if random.below(3) == 0 {
        let cut = random.below(bytes.len() + 1);
        bytes.truncate(cut);
        bytes.extend_from_slice(random.pick(CORPUS));
    }
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.insert(at, random.next() as u8),
            1 if at < bytes.len() => bytes[at] = random.next() as u8,
            2 if at < bytes.len() => {
                let end = (at + 1 + random.below(4)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let end = (at + random.below(16)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.extend_from_slice(&copy);
            }
            _ => {
                bytes.splice(at..at, random.pick(TOKENS).iter().copied());
            }
        }
    }
    bytes
}

/// splitmix64: small, and the same everywhere.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a>(&mut self, choices: &[&'a [u8]]) -> &'a [u8] {
        choices[self.below(choices.len())]
    }

    /// Random lengths that add up to `total`.
    fn pieces(&mut self, total: usize) -> Vec<usize> {
        let (mut left, mut pieces) = (total, Vec::new());
        while left > 0 {
            let piece = 1 + self.below(left.min(1 + self.0 as usize % 12));
            pieces.push(piece);
            left -= piece;
        }
        pieces
    }
}
