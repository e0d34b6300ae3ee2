//! Histogram of command durations, recorded on the hot path: a shift, a bit scan, an addition.
//!
//! The bins are those of an HDR histogram with two significant digits, as Redis's latency statistics
//! have them: the first 256 values (nanoseconds) get a bin each, and each following power of two is
//! cut into 128. So a percentile is at most 1/128 above the truth. Durations from one second up
//! share the place of one second. Bins come in groups of 128, made when first needed: a command
//! usually needs two or three of them, 1 KB each, instead of all 25. Tests at the bottom.

const SUB_BITS: u32 = 8;
const HALF: usize = 1 << (SUB_BITS - 1);
/// Longest duration told apart, as in Redis.
const MAX_NS: u64 = 1_000_000_000;
const GROUP_COUNT: usize = bin_of(MAX_NS) / HALF + 1;

#[derive(Clone, Debug, Default)]
pub struct LatencyHistogram {
    groups: [Option<Box<[u64; HALF]>>; GROUP_COUNT],
    count: u64,
}

const fn bin_of(value: u64) -> usize {
    let exponent = (u64::BITS - (value | ((1 << SUB_BITS) - 1)).leading_zeros()) - SUB_BITS;
    exponent as usize * HALF + (value >> exponent) as usize
}

/// The largest value that falls into a bin.
fn highest_in(bin: usize) -> u64 {
    if bin < 2 * HALF {
        return bin as u64;
    }
    let exponent = bin / HALF - 1;
    let sub = (bin % HALF + HALF) as u64;
    ((sub + 1) << exponent) - 1
}

impl LatencyHistogram {
    #[inline]
    pub fn record(&mut self, duration_ns: u64) {
        let bin = bin_of(duration_ns.clamp(1, MAX_NS));
        let group = self.groups[bin / HALF].get_or_insert_with(|| Box::new([0; HALF]));
        group[bin % HALF] += 1;
        self.count += 1;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The duration that `percentile` percent of the recorded ones do not exceed; 0 if there are none.
    pub fn percentile_ns(&self, percentile: f64) -> u64 {
        let wanted = (percentile.clamp(0.0, 100.0) / 100.0 * self.count as f64 + 0.5) as u64;
        let mut seen = 0;
        for (group, bins) in self.groups.iter().enumerate() {
            for (at, count) in bins.iter().flat_map(|bins| bins.iter().enumerate()) {
                seen += count;
                if seen >= wanted.max(1) {
                    return highest_in(group * HALF + at);
                }
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_at_most_its_bins_highest_and_within_one_part_in_128() {
        for value in (1..70_000).chain((0..1000).map(|i| i * 999_983 + 1)) {
            let highest = highest_in(bin_of(value));
            assert!(
                highest >= value && highest - value <= value / 128 + 1,
                "{value} {highest}"
            );
            assert_eq!(bin_of(highest), bin_of(value));
            assert_eq!(bin_of(highest + 1), bin_of(value) + 1);
        }
    }

    #[test]
    fn percentiles_are_those_of_the_recorded_values() {
        let mut histogram = LatencyHistogram::default();
        assert_eq!(histogram.percentile_ns(50.0), 0);
        (1..=100).for_each(|value| histogram.record(value));
        assert_eq!(histogram.percentile_ns(0.0), 1);
        assert_eq!(histogram.percentile_ns(50.0), 50);
        assert_eq!(histogram.percentile_ns(99.0), 99);
        assert_eq!(histogram.percentile_ns(100.0), 100);
        assert_eq!(histogram.count(), 100);
    }

    #[test]
    fn the_longest_durations_share_one_place() {
        let mut histogram = LatencyHistogram::default();
        histogram.record(u64::MAX);
        histogram.record(0);
        assert!(histogram.percentile_ns(100.0) >= MAX_NS);
        assert_eq!(histogram.percentile_ns(1.0), 1);
    }
}
