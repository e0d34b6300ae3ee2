//! Reads an RDB file into a keyspace, writes it again, and says how long each part took.
//!
//! `cargo run --release -p rdb --example bench_rdb -- IN.rdb [OUT.rdb [VERSION]]`
//!
//! Decoding is measured alone (values dropped as they come) and with insertion; encoding and packing
//! each alone. What is written can be loaded into another server and compared with the original.

#![allow(
    clippy::disallowed_methods,
    reason = "a measurement runs against the clock"
)]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use keyspace::{Expiry, Keyspace, Value};
use rdb::{AccessInfo, Decoder, EncodeOptions, Encoder, Event, LoadLimits, Packer};
use structures::entry::NewValue;

const SEGMENT_BYTES: usize = 256 << 10;
const DATABASES: usize = 16;
/// The best of so many is reported.
const ROUNDS: usize = 3;
/// What a loader reads at a time.
const CHUNK_BYTES: usize = 64 << 10;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench_rdb: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let path = args.first().ok_or("usage: IN.rdb [OUT.rdb [VERSION]]")?;
    let file = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let mut keys = 0;
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        keys = decode(&file, &mut |event| drop(black_box(event)))?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    report("decode", best, file.len(), keys);

    let mut keyspace = Keyspace::new(DATABASES, 1, false);
    best = f64::MAX;
    for _ in 0..ROUNDS {
        keyspace = Keyspace::new(DATABASES, 1, false);
        let start = Instant::now();
        decode(&file, &mut |event| insert(&mut keyspace, event))?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    report("decode and insert", best, file.len(), keys);

    let version = args.get(2).map_or(Ok(11), |text| text.parse());
    let options = EncodeOptions {
        version: version.map_err(|_| "VERSION is a number")?,
        ..EncodeOptions::default()
    };
    let start = Instant::now();
    let mut segments = Vec::new();
    encode(&keyspace, &options, |segment| segments.push(segment));
    let plain: usize = segments.iter().map(rdb::Segment::len).sum();
    report("encode", start.elapsed().as_secs_f64(), plain, keys);

    let start = Instant::now();
    let (mut packer, mut out) = (Packer::new(&options), Vec::with_capacity(plain));
    for segment in segments {
        packer.pack(segment, &mut out);
    }
    report("pack", start.elapsed().as_secs_f64(), plain, keys);
    println!(
        "{} bytes read, {plain} before packing, {} after",
        file.len(),
        out.len()
    );
    match args.get(1) {
        Some(path) => std::fs::write(path, &out).map_err(|error| format!("{path}: {error}")),
        None => Ok(()),
    }
}

fn report(what: &str, seconds: f64, bytes: usize, keys: u64) {
    println!(
        "{what}: {:.3} s, {:.0} MB/s, {:.0} ns per key",
        seconds,
        bytes as f64 / seconds / 1e6,
        seconds * 1e9 / keys as f64
    );
}

fn decode(file: &[u8], see: &mut dyn FnMut(Event<'_>)) -> Result<u64, String> {
    let mut decoder = Decoder::new(LoadLimits::defaults(1), true);
    let mut keys = 0;
    let mut see = |event: Event<'_>| {
        keys += u64::from(matches!(event, Event::Entry { .. }));
        see(event);
        true
    };
    let (mut start, mut end) = (0, 0);
    while !decoder.is_done() && end < file.len() {
        end = (end + CHUNK_BYTES.max(decoder.wanted())).min(file.len());
        let mut input = &file[start..end];
        let read = decoder.run(&mut input, &mut see);
        read.map_err(|error| error.to_string())?;
        start = end - input.len();
    }
    decoder.at_end().map_err(|error| error.to_string())?;
    Ok(keys)
}

fn insert(keyspace: &mut Keyspace, event: Event<'_>) {
    let Event::Entry {
        db,
        key,
        value,
        expiry_ms,
        ..
    } = event
    else {
        return;
    };
    let expiry = expiry_ms.map_or(Expiry::Clear, Expiry::At);
    match value {
        NewValue::Int(value) => keyspace.set_int(db, key, value, expiry),
        NewValue::Bytes(bytes) => keyspace.set_string(db, key, bytes, expiry),
        NewValue::Payload(Value::Bytes(bytes)) => keyspace.set_buffer(db, key, bytes, expiry),
        NewValue::Payload(value) => keyspace.put(db, key, value, expiry_ms),
    }
}

fn encode(keyspace: &Keyspace, options: &EncodeOptions, mut take: impl FnMut(rdb::Segment)) {
    let mut encoder = Encoder::new(options);
    encoder.header(&[(b"redis-ver", b"7.0.15"), (b"redis-bits", b"64")]);
    for db in 0..DATABASES as u32 {
        let (keys, volatile) = (keyspace.db(db).len(), keyspace.db(db).volatile_len());
        if keys == 0 {
            continue;
        }
        encoder.resize_db(db, keys as u64, volatile as u64);
        for entry in keyspace.iter(db) {
            encoder.entry(db, entry, AccessInfo::None);
            if encoder.pending_bytes() >= SEGMENT_BYTES {
                take(encoder.take());
            }
        }
    }
    encoder.footer();
    take(encoder.take());
}
