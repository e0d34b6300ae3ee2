//! Pauses: holding clients back for a while, by purpose.
//!
//! A pause by a client (CLIENT PAUSE), for a handover and for a shutdown may overlap; the strictest
//! counts, and each ends by itself. While any is in force nothing changes by itself either: no key
//! expires or is evicted, and clients that wait for keys go on waiting.
//!
//! Tests: `tests/pauses.rs`.

use crate::engine::Engine;
use crate::session::SessionFlags;

/// What a pause holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseMode {
    Writes,
    All,
}

/// Why clients are paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PausePurpose {
    /// CLIENT PAUSE.
    Client,
    Failover,
    Shutdown,
    /// Writers are slowed down for the sake of a replica.
    Throttle,
}

const PURPOSES: usize = 4;

#[derive(Clone, Copy)]
struct Pause {
    /// `None`: until it is ended.
    until_ms: Option<i64>,
    mode: PauseMode,
}

/// The pauses that were begun and not ended yet, by purpose.
#[derive(Default)]
pub(crate) struct Pauses([Option<Pause>; PURPOSES]);

impl Pauses {
    fn running(&self) -> impl Iterator<Item = &Pause> {
        self.0.iter().flatten()
    }

    /// Whether there is any, also one whose time is up and whose end has not been dealt with.
    #[inline]
    pub fn is_any(&self) -> bool {
        self.running().next().is_some()
    }

    /// The strictest that is in force.
    pub fn mode(&self, now_ms: i64) -> Option<PauseMode> {
        let in_force = |pause: &&Pause| pause.until_ms.is_none_or(|until_ms| now_ms < until_ms);
        self.running().filter(in_force).map(|p| p.mode).max()
    }

    pub fn next_end_ms(&self) -> Option<i64> {
        self.running().filter_map(|pause| pause.until_ms).min()
    }
}

impl Engine {
    /// Holds back writes, until `until_ms` (Unix milliseconds) or [`Engine::end_pause`].
    pub fn pause_writes(&mut self, purpose: PausePurpose, until_ms: Option<i64>) {
        self.pause(purpose, until_ms, PauseMode::Writes);
    }

    /// A second pause for the same purpose never shortens or weakens the first.
    pub(crate) fn pause(&mut self, purpose: PausePurpose, until_ms: Option<i64>, mode: PauseMode) {
        self.end_due_pauses();
        let place = &mut self.pauses.0[purpose as usize];
        let pause = match *place {
            Some(old) => Pause {
                until_ms: old.until_ms.zip(until_ms).map(|(a, b)| a.max(b)),
                mode: old.mode.max(mode),
            },
            None => Pause { until_ms, mode },
        };
        *place = Some(pause);
        self.settle_expired_keys();
    }

    /// Ends the pause for this purpose, if there is one. Who is not held back for another purpose goes
    /// on.
    pub fn end_pause(&mut self, purpose: PausePurpose) {
        if self.pauses.0[purpose as usize].take().is_some() {
            self.settle_pauses();
        }
    }

    /// Ends those pauses whose time is up.
    pub(crate) fn end_due_pauses(&mut self) {
        let now_ms = self.now_us / 1000;
        let is_due = |pause: &Pause| pause.until_ms.is_some_and(|until_ms| until_ms <= now_ms);
        let mut any = false;
        for place in &mut self.pauses.0 {
            if place.as_ref().is_some_and(is_due) {
                *place = None;
                any = true;
            }
        }
        if any {
            self.settle_pauses();
        }
    }

    /// Whether clients are paused at all; expiry and eviction wait with them.
    #[inline]
    pub fn is_paused(&self) -> bool {
        self.pauses.is_any() && self.pauses.mode(self.now_us / 1000).is_some()
    }

    /// A pause has ended. Whoever was held back asks again, and waits again if there is still reason.
    fn settle_pauses(&mut self) {
        self.settle_expired_keys();
        let held: Vec<_> = self
            .sessions
            .iter()
            .filter(|s| s.flags.has(SessionFlags::PAUSED))
            .map(|s| s.slot)
            .collect();
        for id in held {
            if let Some(session) = self.sessions.get_mut(id) {
                session.flags.set(SessionFlags::PAUSED, false);
                self.resume.push(id);
            }
        }
    }
}
