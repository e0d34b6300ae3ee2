//! When a key was last used: the 24 bits beside each entry, as LRU clock (seconds) or as LFU
//! (16 bits of minutes, 8 bits of logarithmic counter). Formats and formulas: the published
//! description of `maxmemory-policy` and `lfu-log-factor` / `lfu-decay-time`.

use crate::keys::Keyspace;
use crate::rng::Rng;

pub(crate) const LRU_CLOCK_MAX: u32 = (1 << 24) - 1;
const LFU_INIT: u32 = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tracking {
    Lru,
    Lfu { log_factor: u32, decay_minutes: u32 },
}

pub(crate) struct Access {
    pub tracking: Tracking,
    now_ms: i64,
    rng: Rng,
}

impl Access {
    pub fn new(seed: u64) -> Access {
        Access {
            tracking: Tracking::Lru,
            now_ms: 0,
            rng: Rng::new(seed),
        }
    }

    pub fn set_now(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    pub fn lru_clock(&self) -> u32 {
        (self.now_ms / 1000) as u32 & LRU_CLOCK_MAX
    }

    fn minutes(&self) -> u32 {
        (self.now_ms / 60_000) as u32 & 0xffff
    }

    /// The bits of a new entry.
    pub fn fresh(&self) -> u32 {
        match self.tracking {
            Tracking::Lru => self.lru_clock(),
            Tracking::Lfu { .. } => self.minutes() << 8 | LFU_INIT,
        }
    }

    /// The bits after one more use.
    pub fn touch(&mut self, bits: u32) -> u32 {
        match self.tracking {
            Tracking::Lru => self.lru_clock(),
            Tracking::Lfu { log_factor, .. } => {
                let mut counter = self.frequency(bits);
                if counter < 255 {
                    let base = counter.saturating_sub(LFU_INIT);
                    if self.rng.unit() < 1.0 / (f64::from(base) * f64::from(log_factor) + 1.0) {
                        counter += 1;
                    }
                }
                self.minutes() << 8 | counter
            }
        }
    }

    /// The LFU counter after decay.
    pub fn frequency(&self, bits: u32) -> u32 {
        self.meter().frequency(bits)
    }

    /// Seconds since the last use, for LRU.
    pub fn idle_seconds(&self, bits: u32) -> u32 {
        self.meter().idle_seconds(bits)
    }

    fn meter(&self) -> AccessMeter {
        AccessMeter {
            tracking: self.tracking,
            lru_clock: self.lru_clock(),
            minutes: self.minutes(),
        }
    }
}

/// Reads access bits as of the moment it was made. For those who read many, elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct AccessMeter {
    tracking: Tracking,
    lru_clock: u32,
    minutes: u32,
}

impl AccessMeter {
    /// Whether the bits are LFU data rather than an LRU clock.
    pub fn counts_frequency(&self) -> bool {
        matches!(self.tracking, Tracking::Lfu { .. })
    }

    /// The LFU counter after decay.
    pub fn frequency(&self, bits: u32) -> u32 {
        let counter = bits & 0xff;
        let decay_minutes = match self.tracking {
            Tracking::Lfu { decay_minutes, .. } => decay_minutes,
            Tracking::Lru => 0,
        };
        if decay_minutes == 0 {
            return counter;
        }
        let elapsed = self.minutes.wrapping_sub(bits >> 8) & 0xffff;
        counter.saturating_sub(elapsed / decay_minutes)
    }

    /// Seconds since the last use, for LRU.
    pub fn idle_seconds(&self, bits: u32) -> u32 {
        self.lru_clock.wrapping_sub(bits) & LRU_CLOCK_MAX
    }
}

impl Keyspace {
    /// A copyable reader of access bits, as of now.
    pub fn access_meter(&self) -> AccessMeter {
        self.access.meter()
    }

    /// The bits of a key that was last used so long ago. As just used if keys have LFU data now.
    pub fn access_bits_for_idle(&self, idle_seconds: u64) -> u32 {
        match self.access.tracking {
            Tracking::Lru => {
                let idle = idle_seconds.min(u64::from(LRU_CLOCK_MAX)) as u32;
                self.access.lru_clock().wrapping_sub(idle) & LRU_CLOCK_MAX
            }
            Tracking::Lfu { .. } => self.access.fresh(),
        }
    }

    /// The bits of a key with this LFU counter. As just used if keys have an LRU clock now.
    pub fn access_bits_for_frequency(&self, counter: u8) -> u32 {
        match self.access.tracking {
            Tracking::Lru => self.access.fresh(),
            Tracking::Lfu { .. } => self.access.minutes() << 8 | u32::from(counter),
        }
    }
}
