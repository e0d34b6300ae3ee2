//! Measures what asking for the used memory costs, and shows that it agrees with the statistics.

use std::hint::black_box;
use std::time::Instant;

use runtime::alloc;

#[global_allocator]
static ALLOCATOR: alloc::Jemalloc = alloc::Jemalloc;

fn main() {
    const ROUNDS: u32 = 20_000_000;
    let blocks: Vec<Vec<u8>> = (0..1_000_000).map(|i| vec![0; 16 + i % 64]).collect();
    alloc::calibrate();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(alloc::used_bytes());
    }
    println!(
        "used_bytes: {:.2} ns",
        start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
    );
    let start = Instant::now();
    let stats = alloc::stats();
    println!("stats: {:?}", start.elapsed());
    println!("used {} statistics {stats:?}", alloc::used_bytes());
    println!(
        "size classes of 24, 40, 56: {:?}",
        [24, 40, 56].map(alloc::good_size)
    );
    drop(blocks);
    println!(
        "after freeing: used {} allocated {}",
        alloc::used_bytes(),
        alloc::stats().allocated
    );
}
