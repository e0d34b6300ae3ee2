//! Mutation fuzzing of RDB files and DUMP payloads: bytes from outside are refused or work.
//!
//! `cargo run -p rdb --example fuzz_rdb -- --seconds 60 --seed 1` (a build with debug assertions)
//!
//! Each round makes a valid file or payload (values of all types, written by the encoder or put
//! together by hand in old encodings), damages it, and mends the checksum half of the time, so that
//! the damage reaches what is behind. The decoder gets it whole and in pieces of random sizes: both
//! must find the same events, the same error at the same place, or the same end. What is accepted is
//! used: encoded again, it must come back as the same values. All allocations of a decoder are added
//! up: more than the format's greatest expansion explains were made for a length that was only
//! claimed. A failure panics with the seed of its round; `--seed <that> --rounds 1` replays it.

#![allow(clippy::disallowed_methods, reason = "a fuzzer runs against the clock")]

#[path = "fuzz_rdb/samples.rs"]
mod samples;

use std::alloc::System;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyspace::value::Value;
use keyspace::{Expiry, Keyspace};
use rdb::{
    AccessInfo, Decoder, EncodeOptions, Encoder, Event, LoadError, LoadLimits, Loaded, Packer,
    check::Checker, dump, restore,
};
use samples::Random;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use structures::entry::NewValue;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The seed of the present round, for the panic hook.
static SEED: AtomicU64 = AtomicU64::new(0);

struct Args {
    seconds: u64,
    rounds: u64,
    seed: u64,
}

fn parse_args(args: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut parsed = Args {
        seconds: 10,
        rounds: u64::MAX,
        seed: 1,
    };
    let mut args = args;
    while let Some(name) = args.next() {
        let value = args.next().ok_or(format!("{name} needs a value"))?;
        let number = value
            .parse()
            .map_err(|_| format!("{name}: {value:?} is not a number"))?;
        match name.as_str() {
            "--seconds" => parsed.seconds = number,
            "--rounds" => parsed.rounds = number,
            "--seed" => parsed.seed = number,
            _ => {
                return Err(format!(
                    "unknown option {name}; use --seconds, --rounds, --seed"
                ));
            }
        }
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    let args = match parse_args(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            eprintln!("fuzz_rdb: {message}");
            return ExitCode::FAILURE;
        }
    };
    let report_panic = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report_panic(info);
        let seed = SEED.load(Ordering::Relaxed);
        eprintln!("fuzz_rdb: failed; replay with --seed {seed} --rounds 1");
    }));
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let (mut rounds, mut accepted) = (0u64, 0u64);
    while rounds < args.rounds && Instant::now() < end {
        let seed = args.seed.wrapping_add(rounds);
        SEED.store(seed, Ordering::Relaxed);
        let mut random = Random(seed);
        accepted += u64::from(if random.below(3) == 0 {
            payload_round(&mut random)
        } else {
            file_round(&mut random)
        });
        rounds += 1;
    }
    println!(
        "{rounds} rounds, {accepted} accepted, no failure (seed {})",
        args.seed
    );
    ExitCode::SUCCESS
}

/// Damages bytes in a few places.
fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    const TELLING: [u8; 16] = [
        0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc1, 0xc3, 0xf0, 0xf4, 0xfa, 0xfc, 0xfe, 0xff,
    ];
    for _ in 0..random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let (at, len) = (random.below(bytes.len()), 1 + random.below(8));
        let end = (at + len).min(bytes.len());
        match random.below(7) {
            0 => bytes[at] = random.next() as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = TELLING[random.below(TELLING.len())],
            3 => bytes[at] = bytes[at].wrapping_add(1),
            4 => drop(bytes.drain(at..end)),
            5 => bytes.truncate(at),
            _ => {
                let doubled = bytes[at..end].to_vec();
                bytes.splice(at..at, doubled);
            }
        }
    }
}

/// Panics if `decode` allocates more than its input explains: a compressed string stands for up to
/// 88 times its size, and what comes of it is copied into cells, with growing tables beside.
fn with_bounded_memory<R>(input: usize, decode: impl FnOnce() -> R) -> R {
    let allowed = (1 << 20) + input * 88 * 8;
    let region = Region::new(ALLOCATOR);
    let result = decode();
    let allocated = region.change().bytes_allocated;
    assert!(
        allocated <= allowed,
        "{allocated} bytes allocated for {input} of input"
    );
    result
}

fn decode_only(file: &[u8], limits: &LoadLimits) {
    let mut decoder = Decoder::new(*limits, true);
    let mut input = file;
    while let Ok(Some(_)) = decoder.next(&mut input) {}
}

/// What was found, as text that can be compared.
type Trace = (Vec<String>, Option<LoadError>);

fn describe(event: &Event<'_>) -> String {
    match event {
        Event::Aux { key, value } => format!("aux {key:?} {value:?}"),
        Event::SelectDb { db } => format!("select {db}"),
        Event::ResizeDb { db, keys, volatile } => format!("resize {db} {keys} {volatile}"),
        Event::Entry {
            db,
            key,
            value,
            expiry_ms,
            access,
        } => {
            let value = describe_value(value);
            format!("entry {db} {key:?} {expiry_ms:?} {access:?} {value}")
        }
        Event::Empty { db, key } => format!("empty {db} {key:?}"),
        Event::Foreign { db, key, kind, .. } => format!("foreign {db} {key:?} {kind}"),
        Event::ModuleAux { module } => format!("module {module}"),
        Event::Functions => "functions".to_string(),
        Event::End { checksum } => format!("end {checksum:?}"),
    }
}

fn describe_value(value: &Loaded<'_>) -> String {
    match value {
        NewValue::Int(value) => format!("{:?}", value.to_string().as_bytes()),
        NewValue::Bytes(bytes) => format!("{bytes:?}"),
        NewValue::Payload(value) => describe_payload(value),
    }
}

/// Content only, in an order of its own: how it is kept depends on limits.
fn describe_payload(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => format!("{:?}", bytes.as_slice()),
        Value::List(list) => {
            let elements: Vec<_> = list.iter().map(|item| item.to_vec()).collect();
            format!("list {elements:?}")
        }
        Value::Set(set) => {
            let mut members: Vec<_> = set.iter().map(|item| item.to_vec()).collect();
            members.sort();
            format!("set {members:?}")
        }
        Value::Hash(hash) => {
            let pairs = hash.iter().map(|(f, v)| (f.to_vec(), v.to_vec()));
            let mut pairs: Vec<_> = pairs.collect();
            pairs.sort();
            format!("hash {pairs:?}")
        }
        Value::SortedSet(set) => {
            let members: Vec<_> = set.iter().map(|(m, s)| (m.to_vec(), s + 0.0)).collect();
            format!("zset {members:?}")
        }
    }
}

fn trace_whole(file: &[u8], limits: &LoadLimits, keep: &mut Keyspace) -> Trace {
    let mut decoder = Decoder::new(*limits, true);
    let (mut input, mut events) = (file, Vec::new());
    loop {
        match decoder.next(&mut input) {
            Ok(Some(event)) => {
                events.push(describe(&event));
                insert(keep, event);
            }
            Ok(None) => return (events, decoder.at_end().err()),
            Err(error) => return (events, Some(error)),
        }
    }
}

fn trace_in_pieces(file: &[u8], limits: &LoadLimits, random: &mut Random) -> Trace {
    let mut decoder = Decoder::new(*limits, true);
    let (mut buffer, mut rest, mut events) = (Vec::new(), file, Vec::new());
    let most = [1, 3, 40, 5000][random.below(4)];
    while !rest.is_empty() {
        let (piece, later) = rest.split_at((1 + random.below(most)).min(rest.len()));
        buffer.extend_from_slice(piece);
        rest = later;
        let mut input = buffer.as_slice();
        let pause = random.below(3);
        loop {
            let read = decoder.run(&mut input, &mut |event| {
                events.push(describe(&event));
                pause > 0
            });
            match read {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return (events, Some(error)),
            }
        }
        if decoder.is_done() {
            break;
        }
        assert!(decoder.wanted() > 0, "more is wanted before the end");
        let left = input.len();
        buffer.drain(..buffer.len() - left);
    }
    (events, decoder.at_end().err())
}

fn insert(keyspace: &mut Keyspace, event: Event<'_>) {
    let Event::Entry { db, key, value, .. } = event else {
        return;
    };
    let db = db % keyspace.db_count() as u32;
    match value {
        NewValue::Int(value) => keyspace.set_int(db, key, value, Expiry::Clear),
        NewValue::Bytes(bytes) => keyspace.set_string(db, key, bytes, Expiry::Clear),
        NewValue::Payload(Value::Bytes(bytes)) => {
            keyspace.set_buffer(db, key, bytes, Expiry::Clear)
        }
        NewValue::Payload(value) => keyspace.put(db, key, value, None),
    }
}

/// One file; whether it was accepted to its end.
fn file_round(random: &mut Random) -> bool {
    let mut file = samples::file(random);
    damage(random, &mut file);
    if random.below(2) == 0 {
        samples::mend_file(&mut file);
    }
    let limits = samples::limits(random);
    let mut keyspace = Keyspace::new(4, 1, false);
    with_bounded_memory(file.len(), || decode_only(&file, &limits));
    let whole = trace_whole(&file, &limits, &mut keyspace);
    assert_eq!(whole, trace_in_pieces(&file, &limits, random));
    check_in_pieces(&file, random);
    // Only a deep check promises that content will pass every later check.
    if limits.deep {
        encode_again(&keyspace, random);
    }
    whole.1.is_none()
}

/// check-rdb says the same about the whole and about pieces, and counts what it saw.
fn check_in_pieces(file: &[u8], random: &mut Random) {
    let mut say = |_: &str| {};
    let mut checker = Checker::new("whole", 0, &mut say);
    checker.feed(&mut &*file, &mut say);
    let whole = checker.finish(&mut say);
    let mut checker = Checker::new("pieces", 0, &mut say);
    let (mut start, mut end) = (0, 0);
    while end < file.len() {
        end = (end + 1 + random.below(50)).min(file.len());
        let mut input = &file[start..end];
        let goes_on = checker.feed(&mut input, &mut say);
        start = end - input.len();
        if !goes_on {
            break;
        }
    }
    assert_eq!(whole, checker.finish(&mut say));
}

/// What was accepted is written and read again.
fn encode_again(keyspace: &Keyspace, random: &mut Random) {
    let options = samples::options(random);
    let mut encoder = Encoder::new(&options);
    encoder.header(&[]);
    let mut expected = Vec::new();
    for db in 0..keyspace.db_count() as u32 {
        for entry in keyspace.iter(db) {
            expected.push((db, entry.key().to_vec(), describe_entry(entry)));
            encoder.entry(db, entry, AccessInfo::None);
        }
    }
    encoder.footer();
    let mut file = Vec::new();
    Packer::new(&options).pack(encoder.take(), &mut file);
    let mut found = Vec::new();
    let mut decoder = Decoder::new(samples::limits(random), true);
    let mut input = file.as_slice();
    while let Some(event) = decoder.next(&mut input).expect("own writes are read") {
        if let Event::Entry { db, key, value, .. } = event {
            found.push((db, key.to_vec(), describe_value(&value)));
        }
    }
    assert_eq!(found, expected);
}

fn describe_entry(entry: keyspace::value::Entry<'_>) -> String {
    match entry.string() {
        Some(text) => format!("{:?}", text.to_vec()),
        None => describe_payload(entry.payload().expect("a container")),
    }
}

/// One payload; whether it was accepted.
fn payload_round(random: &mut Random) -> bool {
    let mut payload = samples::payload(random);
    damage(random, &mut payload);
    if random.below(4) > 0 {
        samples::mend_payload(&mut payload);
    }
    let (limits, deep) = (samples::limits(random), random.below(2) == 0);
    let mut room = Vec::new();
    let restored = with_bounded_memory(payload.len(), || {
        restore(&payload, &limits, deep, &mut room)
    });
    let Ok(value) = restored else {
        return false;
    };
    let shown = describe_value(&value);
    let mut keyspace = Keyspace::new(1, 1, false);
    let event = Event::Entry {
        db: 0,
        key: b"k",
        value,
        expiry_ms: None,
        access: AccessInfo::None,
    };
    insert(&mut keyspace, event);
    let entry = keyspace.inspect(0, b"k").expect("just put there");
    let again = dump(entry, &EncodeOptions::default());
    let mut room = Vec::new();
    match restore(&again, &limits, deep, &mut room) {
        Ok(value) => assert_eq!(describe_value(&value), shown),
        // Only a deep check promises that content will pass every later check.
        Err(error) => assert!(!deep, "own payloads are restored: {error}"),
    }
    true
}
