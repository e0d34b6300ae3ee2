//! Times the hot paths of listpack, intset and list, in ns per operation or element.
//!
//! Counts the thread's CPU time where Linux tells it, so that a busy machine does not blur it.
//!
//! `cargo run --release -p structures --example bench_packs`

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::hint::black_box;
use std::time::Instant;

use structures::intset::Intset;
use structures::list::{End, List, ListLimits};
use structures::listpack::{IntBuf, Item, Listpack};

fn now_ns(start: Instant) -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|stat| stat.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| start.elapsed().as_nanos() as f64)
}

fn time(name: &str, operations: usize, mut work: impl FnMut()) {
    let mut best = f64::MAX;
    let origin = Instant::now();
    for _ in 0..5 {
        let start_ns = now_ns(origin);
        work();
        best = best.min((now_ns(origin) - start_ns) / operations as f64);
    }
    println!("{name:44} {best:8.1} ns");
}

fn main() {
    let limits = ListLimits::default();
    lists(&limits);
    hashes();
    sets();
}

fn lists(limits: &ListLimits) {
    const COUNT: usize = 500_000;
    for (name, end) in [
        ("list push_back", End::Back),
        ("list push_front", End::Front),
    ] {
        time(name, COUNT, || {
            let mut list = List::new();
            for _ in 0..COUNT {
                list.push(end, black_box(b"xxx"), limits);
            }
            black_box(&list);
        });
    }
    for (name, end) in [
        ("list push_back + pop_front", End::Front),
        ("list push_back + pop_back", End::Back),
    ] {
        let mut list = List::new();
        for _ in 0..COUNT {
            list.push_back(b"xxx", limits);
        }
        time(name, COUNT, || {
            for _ in 0..COUNT {
                list.push_back(black_box(b"xxx"), limits);
                list.pop_with(end, limits, |item| black_box(item.text_len()));
            }
        });
    }
    for (name, element) in [
        ("texts of 16", &b"element:00000000"[..]),
        ("texts of 3", b"xxx"),
        ("integers", b"123456"),
    ] {
        let mut list = List::new();
        for _ in 0..COUNT {
            list.push_back(element, limits);
        }
        let mut reply = Vec::new();
        time(
            &format!("list range of 100 into a reply, {name}, /100"),
            1_000_000,
            || {
                for start in 0..10_000 {
                    reply.clear();
                    let mut scratch = IntBuf::new();
                    for item in list.range(start % 50, 100) {
                        let text = match item {
                            Item::Str(text) => text,
                            Item::Int(value) => scratch.format(value),
                        };
                        reply.extend_from_slice(b"$16\r\n");
                        reply.extend_from_slice(text);
                        reply.extend_from_slice(b"\r\n");
                    }
                    black_box(&reply);
                }
            },
        );
        time(&format!("list get in the middle, {name}"), 10_000, || {
            for index in 0..10_000 {
                black_box(list.get((COUNT / 2 + index) as i64));
            }
        });
    }
}

fn hashes() {
    for count in [8usize, 64, 512] {
        let fields: Vec<Vec<u8>> = (0..count)
            .map(|index| format!("field:{index:06}").into_bytes())
            .collect();
        let mut pack = Listpack::new();
        for field in &fields {
            pack.push_pair_back(field, b"some value");
        }
        time(
            &format!("find one of {count} fields, per field passed"),
            1000 * count * (count + 1) / 2,
            || {
                for _ in 0..1000 {
                    for field in &fields {
                        black_box(pack.find(black_box(field), 1, pack.first().unwrap()));
                    }
                }
            },
        );
    }
    let fields: Vec<Vec<u8>> = (0..10)
        .map(|index| format!("field:{index}").into_bytes())
        .collect();
    time("build a hash of 10, per field", 1_000_000, || {
        for _ in 0..100_000 {
            let mut pack = Listpack::new();
            for field in &fields {
                pack.push_pair_back(black_box(field), b"value:0");
            }
            black_box(&pack);
        }
    });
}

fn sets() {
    let mut set = Intset::new();
    for value in 0..512 {
        set.insert(value * 7);
    }
    time("intset contains, 512 values", 512_000, || {
        for _ in 0..1000 {
            for value in 0..512 {
                black_box(set.contains(black_box(value * 7)));
            }
        }
    });
}
