//! Mutation fuzzer for manifests and append only files that runs on the stable toolchain.
//!
//! `cargo run --release -p aof --example fuzz_aof -- --seconds 600 --seed 1`. Each input is a corpus
//! entry, or two spliced, with random edits. It is parsed as a manifest, which must come back equal
//! after formatting, and scanned as a file, whole, bytewise and in random pieces: items, offsets and
//! faults must be equal, items must be adjacent, a simple parser must come to the same end, and what
//! is said to be valid must scan without a fault when cut there, since that is what --fix does. A
//! failure prints the input; one seed always gives the same inputs.

#![allow(
    clippy::disallowed_methods,
    reason = "a fuzzer runs for a real span of time; its inputs depend on the seed alone"
)]

use std::time::{Duration, Instant};

use aof::manifest::Manifest;
use aof::replay::{Fault, Item, Reason, Scanner, leading_number, timestamp_s};

const CORPUS: &[&[u8]] = &[
    b"*3\r\n$3\r\nset\r\n$3\r\nfoo\r\n$5\r\nhello\r\n",
    b"*1\r\n$5\r\nmulti\r\n*2\r\n$3\r\ndel\r\n$1\r\nk\r\n*1\r\n$4\r\nEXEC\r\n",
    b"#TS:1628217470\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n#TS:1628217472\r\n",
    b"*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nmulti\r\n*1\r\n$4\r\nexec\r\n*1\r\n$4\r\nexec\r\n",
    b"*0\r\n*-1\r\n*\r\n*  1\r\n$+1\r\na\r\n*99999999999999999999\r\n$0\r\n\r\n",
    b"*1\r\n$9223372036854775805\r\nx",
    b"*1\r\n$9223372036854775806\r\nx",
    b"file appendonly.aof.1.base.rdb seq 1 type b\n",
    b"file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n",
    b"# note\nfile \"a b\\x01\\n.aof\" seq 3 type h\nfile c.aof seq 4611686018427387904 type i\n",
    b"file a.aof seq 1 type b startoffset 12\nfile b.aof seq 9 type h\nfile d.aof seq 10 type i\n",
];

const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\r",
    b"\n",
    b"*",
    b"$",
    b"#",
    b"#TS:",
    b"\0",
    b"-1",
    b"0",
    b" ",
    b"\t",
    b"+",
    b"2147483648",
    b"9223372036854775807",
    b"99999999999999999999",
    b"*1\r\n",
    b"$1\r\nx\r\n",
    b"*1\r\n$5\r\nmulti\r\n",
    b"*1\r\n$4\r\nexec\r\n",
    b"file ",
    b" seq ",
    b" type i\n",
    b" type b\n",
    b" type h\n",
    b"\"",
    b"\\x",
    b"/",
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
                eprintln!("usage: fuzz_aof [--seconds N] [--seed N]");
                std::process::exit(2);
            }
        }
    }
    let mut random = Random(seed);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut totals = Totals::default();
    while totals.runs % 256 != 0 || Instant::now() < deadline {
        let input = input(&mut random);
        match std::panic::catch_unwind(|| run(&input, random.clone())) {
            Ok(outcome) => totals.add(&outcome),
            Err(_) => {
                let runs = totals.runs;
                let input = input.escape_ascii();
                eprintln!("failed in run {runs} of seed {seed} with {input}");
                std::process::exit(1);
            }
        }
        random.next();
    }
    println!("no failure, seed {seed}: {totals:?}");
}

#[derive(Debug, Default)]
struct Totals {
    runs: u64,
    manifests: u64,
    sound_files: u64,
    files_worth_a_cut: u64,
    items: u64,
}

struct Outcome {
    is_manifest: bool,
    scan: Scan,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        let scan = &outcome.scan;
        self.runs += 1;
        self.manifests += u64::from(outcome.is_manifest);
        self.sound_files += u64::from(scan.fault.is_none());
        self.files_worth_a_cut += u64::from(scan.fault.is_some() && scan.valid_up_to > 0);
        self.items += scan.items.len() as u64;
    }
}

/// All that a scan tells.
#[derive(Debug, PartialEq)]
struct Scan {
    items: Vec<Item>,
    fault: Option<Fault>,
    valid_up_to: u64,
    lines: u64,
}

/// All checks on one input.
fn run(input: &[u8], mut random: Random) -> Outcome {
    let is_manifest = check_manifest(input);
    let whole = scan(input, &[input.len()]);
    assert_eq!(whole, scan(input, &vec![1; input.len()]));
    assert_eq!(whole, scan(input, &random.pieces(input.len())));
    check_places(input, &whole);

    let naive = naive(input);
    let is_sound = whole.fault.is_none();
    assert_eq!((whole.valid_up_to, is_sound), (naive.0 as u64, naive.1));

    let kept = &input[..whole.valid_up_to as usize];
    let cut = scan(kept, &[kept.len()]);
    assert_eq!(cut.fault, None, "what is valid stays so when it is cut");
    assert_eq!(cut.valid_up_to, kept.len() as u64);
    assert!(whole.items.starts_with(&cut.items));
    if whole.fault.is_none() {
        assert_eq!(kept.len(), input.len());
    }

    let (_, len) = leading_number(input);
    assert!(len <= input.len());
    timestamp_s(input);
    Outcome {
        is_manifest,
        scan: whole,
    }
}

/// Up to where the input is valid, and whether that is all of it, found the simple way: with all of
/// it at hand, and strings as slices. A second opinion, because a scanner that is always wrong in
/// the same way agrees with itself.
fn naive(input: &[u8]) -> (usize, bool) {
    let (mut at, mut valid_up_to, mut in_transaction) = (0, 0, false);
    while at < input.len() {
        let end = match input[at] {
            b'#' => Some(line_end(input, at, 1023)),
            b'*' => naive_command(input, at, &mut in_transaction),
            _ => None,
        };
        let Some(end) = end else {
            return (valid_up_to, false);
        };
        at = end;
        if !in_transaction {
            valid_up_to = at;
        }
    }
    (valid_up_to, !in_transaction)
}

fn naive_command(input: &[u8], at: usize, in_transaction: &mut bool) -> Option<usize> {
    let (arguments, mut at) = naive_head(input, at)?;
    for index in 0..arguments.max(0) {
        if *input.get(at)? != b'$' {
            return None;
        }
        let (len, start) = naive_head(input, at)?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        if input.get(end..end.checked_add(2)?)? != b"\r\n" {
            return None;
        }
        let name = input[start..end].to_ascii_lowercase();
        if index == 0 && (name == b"multi" || name == b"exec") {
            let begins = name == b"multi";
            if begins == *in_transaction {
                return None;
            }
            *in_transaction = begins;
        }
        at = end + 2;
    }
    Some(at)
}

/// The number of a header line, and where the next line begins.
fn naive_head(input: &[u8], at: usize) -> Option<(i64, usize)> {
    let end = line_end(input, at, 127);
    let (number, len) = leading_number(&input[at + 1..end]);
    (input[at + 1 + len..end] == *b"\r\n").then_some((number, end))
}

fn line_end(input: &[u8], at: usize, max_bytes: usize) -> usize {
    let max = (at + max_bytes).min(input.len());
    let newline = (at..max).find(|&index| input[index] == b'\n');
    newline.map_or(max, |index| index + 1)
}

fn check_manifest(input: &[u8]) -> bool {
    let Ok(manifest) = Manifest::parse(input) else {
        return false;
    };
    let names = manifest.live_files().chain(&manifest.history);
    for file in names {
        assert!(!file.name.contains(&b'/'), "a name is never a path");
    }
    let text = manifest.format();
    if !text.is_empty() {
        match Manifest::parse(&text) {
            Ok(again) => assert_eq!(again.format(), text),
            // Quoting may make a line longer than a line can be.
            Err(error) => assert!(error.message.contains("too long line"), "{error}"),
        }
    }
    true
}

/// Items follow one another without gaps, inside of the input.
fn check_places(input: &[u8], scan: &Scan) {
    let mut end_of_last = 0;
    for item in &scan.items {
        let (at, end) = match item {
            Item::Annotation { at, text } => {
                let end = at + text.len() as u64;
                assert_eq!(&input[*at as usize..end as usize], text);
                (*at, end)
            }
            Item::Command { at, end, .. } => (*at, *end),
        };
        assert_eq!(at, end_of_last);
        assert!(end > at && end <= input.len() as u64);
        end_of_last = end;
    }
    assert!(scan.valid_up_to <= end_of_last);
    match scan.fault {
        Some(fault) => assert!(fault.at <= input.len() as u64),
        None => assert_eq!(end_of_last, input.len() as u64),
    }
    if let Some(Reason::CutString {
        wanted_bytes,
        got_bytes,
    }) = scan.fault.map(|f| f.reason)
    {
        assert!(got_bytes < wanted_bytes);
    }
}

fn scan(input: &[u8], pieces: &[usize]) -> Scan {
    let (mut scanner, mut items, mut fault) = (Scanner::new(0, 1), Vec::new(), None);
    let mut rest = input;
    'pieces: for &size in pieces {
        let (mut piece, behind) = rest.split_at(size);
        rest = behind;
        loop {
            let before = piece.len();
            match scanner.next(&mut piece) {
                Ok(Some(item)) => {
                    assert!(piece.len() < before, "an item costs input");
                    items.push(item);
                }
                Ok(None) => {
                    assert!(piece.is_empty());
                    break;
                }
                Err(found) => {
                    fault = Some(found);
                    break 'pieces;
                }
            }
        }
    }
    match scanner.finish() {
        Ok(item) => {
            assert_eq!(fault, None, "a fault is final");
            items.extend(item);
        }
        Err(found) => assert_eq!(*fault.get_or_insert(found), found),
    }
    Scan {
        items,
        fault,
        valid_up_to: scanner.valid_up_to(),
        lines: scanner.lines(),
    }
}

fn input(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..=random.below(3) {
        bytes.extend_from_slice(CORPUS[random.below(CORPUS.len())]);
    }
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => {
                let token = TOKENS[random.below(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            2 => {
                let end = (at + 1 + random.below(4)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                // Lines around the lengths at which they are cut.
                let len = [100, 126, 127, 128, 1000, 1023, 1024][random.below(7)];
                let byte = b"0 x1"[random.below(4)];
                bytes.splice(at..at, std::iter::repeat_n(byte, len));
            }
            4 => {
                let from = random.below(bytes.len() + 1).min(at);
                let part = bytes[from..at].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.next() as u8;
                }
            }
        }
    }
    bytes
}

/// SplitMix64.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Sizes that add up to `len`.
    fn pieces(&mut self, len: usize) -> Vec<usize> {
        let (mut pieces, mut left) = (Vec::new(), len);
        while left > 0 {
            let size = 1 + self.below(left.min(40));
            pieces.push(size);
            left -= size;
        }
        pieces
    }
}
