//! Names: of histories, of connections, of snapshots, of attempts to reach the primary.
//!
//! A [`ReplicationId`] names one history of writes. Two servers with the same id and the same
//! offset hold the same data; everything else in this crate follows from that sentence.
//!
//! Tests: at the bottom.

use std::fmt;

use crate::random::Random;

pub const ID_LEN: usize = 40;

/// 40 hexadecimal digits, kept in lower case: Redis compares them without regard to case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicationId([u8; ID_LEN]);

impl ReplicationId {
    /// What INFO shows where there is no second id.
    pub const NONE: ReplicationId = ReplicationId([b'0'; ID_LEN]);

    pub fn parse(text: &[u8]) -> Option<ReplicationId> {
        let digits: [u8; ID_LEN] = text.try_into().ok()?;
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        is_hex.then(|| ReplicationId(digits.map(|digit| digit.to_ascii_lowercase())))
    }

    pub fn random(random: &mut Random) -> ReplicationId {
        ReplicationId(random.hex())
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for ReplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ReplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A connection that came in, named by the driver; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct LinkId(pub u64);

/// One attempt to reach our primary, and the connection that came of it. Events of an attempt that
/// is over are ignored, so the driver need not order its goodbyes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Attempt(pub u64);

/// One snapshot that is taken for replicas.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SnapshotId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_forty_hex_digits_in_any_case() {
        let lower = ReplicationId::parse(&[b'a'; 40]).expect("lower case");
        assert_eq!(ReplicationId::parse(&[b'A'; 40]), Some(lower));
        for bad in [
            &b""[..],
            b"?",
            &[b'g'; 40],
            &[b'a'; 39],
            &[b'a'; 41],
            &[0xff; 40],
        ] {
            assert_eq!(ReplicationId::parse(bad), None);
        }
    }

    #[test]
    fn random_ids_differ_and_read_back() {
        let mut random = Random::new(7);
        let first = ReplicationId::random(&mut random);
        let second = ReplicationId::random(&mut random);
        assert_ne!(first, second);
        assert_eq!(ReplicationId::parse(first.as_str().as_bytes()), Some(first));
    }
}
