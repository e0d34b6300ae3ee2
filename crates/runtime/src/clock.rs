//! The time, read once per turn and then handed around as a value.
//!
//! Both clocks are read together through the vdso (no system call), so that everything in a turn
//! sees one instant. The monotonic one orders and measures, the wall clock is for expiry times and
//! what users see; it may jump, the other never does.
//!
//! Tests are at the bottom.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One reading of both clocks.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Now {
    pub mono: Instant,
    pub unix_us: i64,
}

impl Now {
    /// Milliseconds since 1970, rounded down.
    #[inline]
    pub fn unix_ms(&self) -> i64 {
        self.unix_us.div_euclid(1000)
    }

    /// Seconds since 1970, rounded down.
    #[inline]
    pub fn unix_s(&self) -> i64 {
        self.unix_us.div_euclid(1_000_000)
    }
}

/// Reads both clocks.
#[inline]
pub fn read() -> Now {
    Now {
        mono: Instant::now(),
        unix_us: unix_us(SystemTime::now()),
    }
}

/// Microseconds since 1970; negative before it.
fn unix_us(time: SystemTime) -> i64 {
    let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => micros(since),
        Err(before) => -micros(before.duration()),
    }
}

/// Keeps the reading of the current turn.
#[derive(Clone, Debug)]
pub struct Clock {
    now: Now,
    started: Instant,
}

impl Clock {
    #[allow(
        clippy::new_without_default,
        reason = "it reads the clocks, which a default should not"
    )]
    pub fn new() -> Clock {
        let now = read();
        Clock {
            now,
            started: now.mono,
        }
    }

    /// The reading of this turn.
    #[inline]
    pub fn now(&self) -> Now {
        self.now
    }

    /// Starts a turn: reads the clocks again.
    #[inline]
    pub fn refresh(&mut self) -> Now {
        self.now = read();
        self.now
    }

    /// How long ago the clock was made, as of this turn.
    pub fn uptime(&self) -> Duration {
        self.now.mono.saturating_duration_since(self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_stays_until_the_next_turn() {
        let mut clock = Clock::new();
        let first = clock.now();
        assert_eq!(clock.now(), first);
        let second = clock.refresh();
        assert!(second.mono >= first.mono);
        assert_eq!(clock.now(), second);
        assert_eq!(clock.uptime(), second.mono - first.mono);
    }

    #[test]
    fn units_round_towards_the_past() {
        let mono = Instant::now();
        let at = |unix_us| Now { mono, unix_us };
        assert_eq!((at(1_999_999).unix_ms(), at(1_999_999).unix_s()), (1999, 1));
        assert_eq!((at(-1).unix_ms(), at(-1).unix_s()), (-1, -1));
        assert_eq!(unix_us(UNIX_EPOCH - Duration::from_micros(5)), -5);
        assert_eq!(unix_us(UNIX_EPOCH + Duration::from_micros(5)), 5);
    }

    #[test]
    fn the_wall_clock_is_after_this_was_written() {
        assert!(read().unix_ms() > 1_700_000_000_000);
    }
}
