//! When to save, and how the last saves went: save points, LASTSAVE, the reasons for MISCONF.
//!
//! Knows no file and no snapshot. Tests: at the bottom.

use config::SavePoint;

/// A failed background save is tried again after this long, whatever the save points say.
const RETRY_DELAY_MS: i64 = 5_000;

pub struct Saving {
    /// Unix milliseconds; the start counts as a save.
    pub last_save_ms: i64,
    pub last_ok: bool,
    last_try_ms: i64,
    /// -1 until there was one.
    pub last_duration_s: i64,
    pub saves: u64,
}

impl Saving {
    pub fn new(now_ms: i64) -> Saving {
        Saving {
            last_save_ms: now_ms,
            last_ok: true,
            last_try_ms: 0,
            last_duration_s: -1,
            saves: 0,
        }
    }

    pub fn tried(&mut self, now_ms: i64) {
        self.last_try_ms = now_ms;
    }

    pub fn succeeded(&mut self, now_ms: i64) {
        self.last_save_ms = now_ms;
        self.last_ok = true;
        self.saves += 1;
    }

    pub fn failed(&mut self) {
        self.last_ok = false;
    }

    /// The save point that is reached, if one is.
    pub fn due(&self, points: &[SavePoint], dirty: u64, now_ms: i64) -> Option<SavePoint> {
        let waited = self.last_ok || now_ms - self.last_try_ms > RETRY_DELAY_MS;
        let age_ms = now_ms - self.last_save_ms;
        points.iter().copied().find(|point| {
            let seconds_ms = i64::try_from(point.seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
            dirty >= point.changes && age_ms > seconds_ms && waited
        })
    }

    /// Whether a scheduled save may start: not right after one that failed.
    pub fn may_start_scheduled(&self, now_ms: i64) -> bool {
        self.last_ok || now_ms - self.last_try_ms > RETRY_DELAY_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [SavePoint; 2] = [
        SavePoint {
            seconds: 60,
            changes: 100,
        },
        SavePoint {
            seconds: 3600,
            changes: 1,
        },
    ];

    #[test]
    fn a_point_needs_both_its_time_and_its_changes() {
        let saving = Saving::new(0);
        assert_eq!(saving.due(&POINTS, 1_000, 60_000), None);
        assert_eq!(saving.due(&POINTS, 99, 60_001), None);
        assert_eq!(saving.due(&POINTS, 100, 60_001), Some(POINTS[0]));
        assert_eq!(saving.due(&POINTS, 1, 3_600_001), Some(POINTS[1]));
        assert_eq!(saving.due(&[], 1_000, 1 << 40), None);
    }

    #[test]
    fn a_failed_save_is_not_tried_again_at_once() {
        let mut saving = Saving::new(0);
        saving.tried(100_000);
        saving.failed();
        assert_eq!(saving.due(&POINTS, 100, 105_000), None);
        assert_eq!(saving.due(&POINTS, 100, 105_001), Some(POINTS[0]));
    }
}
