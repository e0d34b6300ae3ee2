//! Which history of writes our data is, and how far we have come in it.
//!
//! ```text
//!   id2:  ──────────────┬─ second_offset          (what others may know us by)
//!                       └──────────────── offset  id: (what we are now)
//! ```
//!
//! Up to `second_offset` both ids name the same bytes. As a replica, `id` and `offset` are those of
//! the primary; that is all a partial resynchronization needs, so no primary is "cached" beside it.
//!
//! Tests: at the bottom.

use crate::id::ReplicationId;
use crate::offset::ReplOffset;
use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    pub id: ReplicationId,
    pub second: Option<SecondId>,
    pub offset: ReplOffset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondId {
    pub id: ReplicationId,
    /// The last offset that this id has in common with the first one.
    pub up_to: ReplOffset,
}

impl History {
    pub fn new(random: &mut Random) -> History {
        History {
            id: ReplicationId::random(random),
            second: None,
            offset: ReplOffset::ZERO,
        }
    }

    /// Writes go on under a new name; the old one stays good for the past.
    pub fn shift(&mut self, random: &mut Random) {
        self.continue_as(ReplicationId::random(random));
    }

    /// The primary goes on under another name.
    pub fn continue_as(&mut self, id: ReplicationId) {
        self.second = Some(SecondId {
            id: self.id,
            up_to: self.offset,
        });
        self.id = id;
    }

    /// What we hold now has nothing to do with what we held before.
    pub fn replace(&mut self, id: ReplicationId, offset: ReplOffset) {
        *self = History {
            id,
            second: None,
            offset,
        };
    }

    /// Nobody may continue from what we were.
    pub fn forget(&mut self, random: &mut Random) {
        self.id = ReplicationId::random(random);
        self.second = None;
    }

    pub fn second_id(&self) -> ReplicationId {
        self.second.map_or(ReplicationId::NONE, |second| second.id)
    }

    /// As INFO counts it: the first byte that the second id does not cover; -1 without one.
    pub fn second_wanted(&self) -> i64 {
        self.second
            .map_or(-1, |second| second.up_to.wanted() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promotion_keeps_the_old_name_for_the_past() {
        let mut random = Random::new(1);
        let mut history = History::new(&mut random);
        let old = history.id;
        assert_eq!(history.second_id(), ReplicationId::NONE);
        assert_eq!(history.second_wanted(), -1);
        history.offset = ReplOffset::new(50);
        history.shift(&mut random);
        assert_ne!(history.id, old);
        assert_eq!(history.second_id(), old);
        assert_eq!(history.second_wanted(), 51);
        history.offset = ReplOffset::new(60);
        assert_eq!(history.second_wanted(), 51);
        history.forget(&mut random);
        assert_eq!(history.second, None);
        assert_eq!(history.offset, ReplOffset::new(60));
    }
}
