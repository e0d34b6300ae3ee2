//! Which database the history has selected where: a part of it that is cut out does not say.
//!
//! A point is noted every so often, at a boundary between units; from the point before a place the
//! history itself is read. Tests: `tests/replication.rs`.

use replication::ReplOffset;
use std::collections::VecDeque;

/// Points are no closer than this, so that there are few of them.
const POINT_BYTES: u64 = 64 << 10;
/// More than the history that is ever kept has.
const POINTS_MAX: usize = 1 << 16;

#[derive(Default)]
pub struct Selected(VecDeque<(ReplOffset, u32)>);

impl Selected {
    /// The history up to `offset` is whole units, and has selected `db` there.
    pub fn note(&mut self, offset: ReplOffset, db: u32) {
        // Behind a full sync offsets may begin anew.
        while self.0.back().is_some_and(|last| last.0 > offset) {
            self.0.pop_back();
        }
        let is_far = |last: &(ReplOffset, u32)| offset.bytes_since(last.0) >= POINT_BYTES;
        if self.0.back().is_none_or(is_far) {
            if self.0.len() == POINTS_MAX {
                self.0.pop_front();
            }
            self.0.push_back((offset, db));
        }
    }

    /// The last point at or before `offset`.
    pub fn before(&self, offset: ReplOffset) -> Option<(ReplOffset, u32)> {
        let index = self.0.partition_point(|point| point.0 <= offset);
        self.0.get(index.checked_sub(1)?).copied()
    }

    /// The history is another one.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}
