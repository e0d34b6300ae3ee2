//! What parsing and writing cost per request: the best of several rounds, in nanoseconds.
//!
//! `cargo run --release -p resp --example bench_parse`. Not a test; run it on a quiet machine.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::hint::black_box;
use std::time::Instant;

use resp::{Limits, Progress, RequestParser, Span, Version, Writer};

// Short rounds, so that the best of them was not interrupted.
const ROUNDS: usize = 500;
const BATCHES: usize = 500;
const PIPELINE: usize = 16;

fn main() {
    let key = b"key:000000012345";
    let value = [b'x'; 32];
    let member: Vec<Vec<u8>> = (0..20).map(|n| format!("k:{n:014}").into_bytes()).collect();
    let mset: Vec<&[u8]> = std::iter::once(&b"MSET"[..])
        .chain(member.iter().map(Vec::as_slice))
        .collect();
    parse("parse GET, 16 B key", &[b"GET", key]);
    parse("parse SET, 16 B key, 32 B value", &[b"SET", key, &value]);
    parse("parse MSET of 10", &mset);

    write("write bulk of 32 B", |writer| {
        writer.bulk(black_box(&value[..]))
    });
    write("write +OK", Writer::ok);
    write("write integer 1", |writer| writer.integer(black_box(1)));
    write("write integer 123456", |writer| {
        writer.integer(black_box(123456))
    });
    write("write null", Writer::null);
    write("write double 2.71", |writer| writer.double(black_box(2.71)));
    write("write array of 10 bulks of 8 B", |writer| {
        writer.array(10);
        (0..10).for_each(|_| writer.bulk(black_box(&value[..8])));
    });
}

fn parse(name: &str, args: &[&[u8]]) {
    let mut writer = Writer::new(Version::V2);
    for _ in 0..PIPELINE {
        writer.array(args.len());
        args.iter().for_each(|arg| writer.bulk(arg));
    }
    let batch = writer.into_vec();
    let limits = Limits::default();
    let mut parser = RequestParser::new();
    let mut spans: Vec<Span> = Vec::new();
    report(name, || {
        let buf = black_box(&batch[..]);
        loop {
            spans.clear();
            match parser.parse(buf, &mut spans, &limits) {
                Ok(Progress::Request) => {
                    black_box(spans.as_slice());
                }
                Ok(Progress::Incomplete { .. }) => break,
                other => panic!("the batch is well-formed: {other:?}"),
            }
        }
        parser.rebase(parser.consumed());
    });
}

fn write(name: &str, reply: impl Fn(&mut Writer)) {
    let mut writer = Writer::new(Version::V2);
    report(name, || {
        writer.clear();
        for _ in 0..PIPELINE {
            reply(&mut writer);
        }
        black_box(writer.as_bytes());
    });
}

fn report(name: &str, mut batch: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..BATCHES {
            batch();
        }
        let elapsed_ns = start.elapsed().as_nanos() as f64;
        best = best.min(elapsed_ns / (BATCHES * PIPELINE) as f64);
    }
    println!("{name:34} {best:6.2} ns");
}
