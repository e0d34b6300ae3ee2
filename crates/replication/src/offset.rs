//! Positions in a history of writes.
//!
//! A [`ReplOffset`] is a count: how many bytes of the history lie before this point. The wire has
//! two spellings of it. FULLRESYNC, ACK and INFO say the count. PSYNC asks for the number of the
//! first byte that is missing, counted from one, which is the count plus one.
//!
//! Tests: at the bottom.

use std::fmt;

/// No peer may claim more, so that adding what is received later never overflows a signed number.
const CLAIM_MAX: u64 = 1 << 62;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct ReplOffset(u64);

impl ReplOffset {
    pub const ZERO: ReplOffset = ReplOffset(0);

    /// An offset of our own; one from elsewhere goes through [`ReplOffset::claimed`].
    pub fn new(bytes: u64) -> ReplOffset {
        assert!(
            bytes <= i64::MAX as u64,
            "an offset beyond what the wire can say"
        );
        ReplOffset(bytes)
    }

    /// An offset that a peer or a file claims.
    pub fn claimed(count: i64) -> Option<ReplOffset> {
        let count = u64::try_from(count).ok()?;
        (count <= CLAIM_MAX).then_some(ReplOffset(count))
    }

    /// The offset behind PSYNC's number of the first wanted byte.
    pub fn before_wanted(wanted: i64) -> Option<ReplOffset> {
        ReplOffset::claimed(wanted.checked_sub(1)?)
    }

    pub fn get(self) -> u64 {
        self.0
    }

    /// The number of the byte that follows, as PSYNC and INFO's `second_repl_offset` count.
    pub fn wanted(self) -> u64 {
        self.0 + 1
    }

    #[must_use]
    pub fn plus(self, bytes: usize) -> ReplOffset {
        ReplOffset::new(self.0 + bytes as u64)
    }

    /// How many bytes lie between `earlier` and here; 0 if it is not earlier.
    pub fn bytes_since(self, earlier: ReplOffset) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for ReplOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_spellings_of_the_wire_are_one_apart() {
        let offset = ReplOffset::claimed(50).expect("offset");
        assert_eq!(offset.wanted(), 51);
        assert_eq!(ReplOffset::before_wanted(51), Some(offset));
        assert_eq!(ReplOffset::before_wanted(1), Some(ReplOffset::ZERO));
    }

    #[test]
    fn impossible_claims_are_none() {
        for count in [-1, i64::MIN, i64::MAX, (1 << 62) + 1] {
            assert_eq!(ReplOffset::claimed(count), None, "{count}");
        }
        for wanted in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(ReplOffset::before_wanted(wanted), None, "{wanted}");
        }
    }
}
