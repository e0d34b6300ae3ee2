//! Requests rendered into one byte buffer, cut into batches, and where the next ones come from.
//!
//! A connection either cycles through a shared stock prepared before the clock started (what
//! measurements use), or lets a generator render a small stock again and again until a range of
//! numbers is used up (what fills use: ten million requests need no gigabyte).
//!
//! Does not know sockets or replies. Tests: at the bottom.

use crate::template::{Mix, Random};
use std::ops::Range;
use std::sync::Arc;

/// Requests that are sent together; the next batch follows when all replies are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Where its bytes lie in the stock.
    pub bytes: Range<usize>,
    /// How many replies it asks for.
    pub replies: u64,
}

#[derive(Debug, Default)]
pub struct Stock {
    bytes: Vec<u8>,
    batches: Vec<Batch>,
}

impl Stock {
    /// Renders `count` requests, in batches of `pipeline`.
    pub fn prepare(mix: &Mix, count: u64, pipeline: u64, random: &mut Random) -> Stock {
        let mut stock = Stock::default();
        stock.render(mix, 0..count, pipeline, random);
        stock
    }

    /// Replaces the content by the requests with the given numbers.
    fn render(&mut self, mix: &Mix, numbers: Range<u64>, pipeline: u64, random: &mut Random) {
        let pipeline = pipeline.max(1);
        self.bytes.clear();
        self.batches.clear();
        let count = numbers.end.saturating_sub(numbers.start) as usize;
        self.bytes.reserve(count.saturating_mul(mix.length_bytes()));
        let mut next = numbers.start;
        while next < numbers.end {
            let end = numbers.end.min(next + pipeline);
            let start_bytes = self.bytes.len();
            for number in next..end {
                mix.render(&mut self.bytes, number, random);
            }
            self.batches.push(Batch {
                bytes: start_bytes..self.bytes.len(),
                replies: end - next,
            });
            next = end;
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }
}

/// Renders the requests of one range of numbers, a few batches at a time.
#[derive(Debug)]
pub struct Generator {
    mix: Arc<Mix>,
    numbers: Range<u64>,
    pipeline: u64,
    random: Random,
    stock: Stock,
}

/// Batches rendered at once: large enough to amortise, small enough to stay in the cache.
const BATCHES_AT_ONCE: u64 = 8;

/// Where one connection gets its batches from.
#[derive(Debug)]
pub enum Supply {
    /// The same prepared batches, again and again.
    Cycle(Arc<Stock>),
    /// Fresh batches until the numbers are used up.
    Generate(Box<Generator>),
}

impl Supply {
    pub fn stock(&self) -> &Stock {
        match self {
            Supply::Cycle(stock) => stock,
            Supply::Generate(generator) => &generator.stock,
        }
    }

    /// Called when all batches are used; false if there are no more.
    pub fn renew(&mut self) -> bool {
        match self {
            Supply::Cycle(stock) => !stock.batches.is_empty(),
            Supply::Generate(generator) => generator.renew(),
        }
    }
}

impl Generator {
    fn renew(&mut self) -> bool {
        let start = self.numbers.start;
        let end = self
            .numbers
            .end
            .min(start + self.pipeline * BATCHES_AT_ONCE);
        self.numbers.start = end;
        self.stock
            .render(&self.mix, start..end, self.pipeline, &mut self.random);
        start < end
    }
}

/// Prepares one cycling supply per connection: `total` random requests shared out among them.
pub fn cycling(
    mix: &Mix,
    connections: usize,
    total: u64,
    pipeline: u64,
    seed: u64,
) -> Vec<Arc<Stock>> {
    let pipeline = pipeline.max(1);
    // Whole batches only: a short batch at the end of each cycle would blur the depth.
    let batches = (total / connections.max(1) as u64 / pipeline).max(1);
    (0..connections)
        .map(|index| {
            let mut random = Random::new(seed.wrapping_add(index as u64).wrapping_mul(0x5851_f42d));
            Arc::new(Stock::prepare(
                mix,
                batches * pipeline,
                pipeline,
                &mut random,
            ))
        })
        .collect()
}

/// One generating supply per connection; together they send each number below `total` once.
pub fn generating(
    mix: &Arc<Mix>,
    connections: usize,
    total: u64,
    pipeline: u64,
    seed: u64,
) -> Vec<Supply> {
    let connection_count = connections.max(1) as u64;
    (0..connection_count)
        .map(|index| {
            Supply::Generate(Box::new(Generator {
                mix: Arc::clone(mix),
                numbers: share(total, index, connection_count)
                    ..share(total, index + 1, connection_count),
                pipeline: pipeline.max(1),
                random: Random::new(seed.wrapping_add(index)),
                stock: Stock::default(),
            }))
        })
        .collect()
}

fn share(total: u64, index: u64, count: u64) -> u64 {
    (u128::from(total) * u128::from(index) / u128::from(count)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_cover_the_bytes_without_gaps() {
        let mix = Mix::parse(&["GET {seq:3}"]).unwrap();
        let stock = Stock::prepare(&mix, 10, 4, &mut Random::new(1));
        let replies: Vec<u64> = stock.batches().iter().map(|batch| batch.replies).collect();
        assert_eq!(replies, [4, 4, 2]);
        let mut end = 0;
        for batch in stock.batches() {
            assert_eq!(batch.bytes.start, end);
            end = batch.bytes.end;
        }
        assert_eq!(end, stock.bytes().len());
    }

    #[test]
    fn generators_send_every_number_once() {
        let mix = Arc::new(Mix::parse(&["GET {seq:6}"]).unwrap());
        let mut seen = Vec::new();
        for mut supply in generating(&mix, 7, 1000, 4, 1) {
            while supply.renew() {
                let text = String::from_utf8(supply.stock().bytes().to_vec()).unwrap();
                seen.extend(
                    text.lines()
                        .skip(4)
                        .step_by(5)
                        .map(|n| n.parse::<u64>().unwrap()),
                );
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn cycling_supplies_differ_between_connections() {
        let mix = Mix::parse(&["GET {rand:0-999999}"]).unwrap();
        let stocks = cycling(&mix, 2, 64, 16, 9);
        assert_eq!(stocks[0].batches().len(), 2);
        assert_ne!(stocks[0].bytes(), stocks[1].bytes());
    }
}
