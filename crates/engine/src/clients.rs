//! Looking after clients: idle time-outs, buffers that follow use, and the limit on what all
//! clients may cost together (`maxmemory-clients`).
//!
//! Every client is looked at about once a second, a share of them at a time. What clients cost is
//! only counted while there is a limit; the largest go first when it is exceeded.

use crate::engine::{Engine, SessionId};
use crate::host::{Host, LogLevel};
use crate::session::{Session, SessionFlags};

/// A reply buffer's largest and smallest size. What does not fit is queued and counts against the
/// client's output limits.
pub(crate) const REPLY_BUFFER_MAX_BYTES: usize = 16 * 1024;
const REPLY_BUFFER_MIN_BYTES: usize = 1024;
/// An input buffer beyond this shrinks to what is used of it; below, only idle clients lose theirs.
const INPUT_LARGE_BYTES: usize = 32 * 1024;
const INPUT_IDLE_MS: i64 = 2000;
/// Visits to the clients per second, and the fewest clients per visit.
const VISITS_PER_SECOND: usize = 10;
const VISIT_MIN: usize = 64;

/// How reply buffers follow the size of replies.
#[derive(Clone, Copy, Debug)]
pub struct ReplyBufferTuning {
    /// A peak counts for so long; `None` for ever.
    pub peak_reset_ms: Option<i64>,
    pub resizing: bool,
}

impl ReplyBufferTuning {
    pub const PEAK_RESET_MS: i64 = 5000;
}

impl Default for ReplyBufferTuning {
    fn default() -> Self {
        ReplyBufferTuning {
            peak_reset_ms: Some(ReplyBufferTuning::PEAK_RESET_MS),
            resizing: true,
        }
    }
}

/// What the clients that may be evicted cost together.
#[derive(Default)]
pub(crate) struct ClientMemory {
    limit_bytes: u64,
    total_bytes: u64,
    /// Where the next visit to the clients begins.
    next_place: usize,
}

impl ClientMemory {
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.limit_bytes > 0
    }

    pub fn count(&mut self, session: &mut Session) {
        let exempt = session.flags.has(SessionFlags::NO_EVICT)
            || session.flags.has(SessionFlags::TRUSTED)
            || session.flags.has(SessionFlags::CLOSE_ASAP);
        let bytes = if exempt { 0 } else { session.memory_bytes() };
        self.total_bytes = self.total_bytes + bytes as u64 - session.counted_bytes as u64;
        session.counted_bytes = bytes;
    }

    pub fn forget(&mut self, session: &mut Session) {
        self.total_bytes -= session.counted_bytes as u64;
        session.counted_bytes = 0;
    }
}

impl Engine {
    /// Connected clients; replicas are none.
    pub fn client_count(&self) -> usize {
        let replicas = self.sessions.iter().filter(|s| s.is_replica_link());
        self.sessions.len() - replicas.count()
    }

    /// Takes over `maxmemory-clients` and counts anew.
    pub(crate) fn recount_client_memory(&mut self) {
        let Engine {
            client_memory,
            sessions,
            settings,
            ..
        } = self;
        client_memory.limit_bytes = settings.maxmemory_clients_bytes;
        for session in sessions.iter_mut() {
            if client_memory.is_limited() {
                client_memory.count(session);
            } else {
                client_memory.forget(session);
            }
        }
    }

    /// Closes the largest clients until the others fit.
    pub(crate) fn evict_clients(&mut self, host: &mut dyn Host) {
        let ClientMemory {
            limit_bytes,
            total_bytes,
            ..
        } = self.client_memory;
        if limit_bytes == 0 || total_bytes <= limit_bytes {
            return;
        }
        let mut by_size: Vec<(usize, SessionId)> = self
            .sessions
            .iter()
            .filter(|s| s.counted_bytes > 0)
            .map(|s| (s.counted_bytes, s.slot))
            .collect();
        by_size.sort_unstable_by(|a, b| b.cmp(a));
        for (_, id) in by_size {
            if self.client_memory.total_bytes <= limit_bytes {
                break;
            }
            let Some(session) = self.sessions.get_mut(id) else {
                continue;
            };
            self.client_memory.forget(session);
            // Free at once, so that no key has to make room for it.
            session.output.clear();
            session.input = Vec::new();
            if let Some(session) = self.sessions.get(id) {
                host.log(
                    LogLevel::Notice,
                    &format!("Evicting client: {}", self.client_log_line(session)),
                );
            }
            if self.close_session(id) {
                self.stats.evicted_clients += 1;
            }
        }
    }

    /// Looks after a share of the clients. Called ten times a second.
    pub(crate) fn clients_cron(&mut self, host: &mut dyn Host) {
        let places = self.sessions.place_count();
        let share = (places / VISITS_PER_SECOND + 1).max(VISIT_MIN).min(places);
        for _ in 0..share {
            let place = self.client_memory.next_place % places;
            self.client_memory.next_place = place + 1;
            if let Some(session) = self.sessions.take_at(place) {
                self.look_after(session, host);
            }
        }
    }

    fn look_after(&mut self, mut session: Box<Session>, host: &mut dyn Host) {
        let now_ms = self.now_us() / 1000;
        let idle_limit_ms = i64::from(self.config.timeout) * 1000;
        let idle_ms = now_ms - session.last_used_ms;
        if idle_limit_ms > 0
            && idle_ms > idle_limit_ms
            && session.blocked.is_none()
            && !session.flags.has(SessionFlags::TRUSTED)
            && !session.in_pubsub_mode()
        {
            host.log(LogLevel::Verbose, "Closing idle client");
            let id = session.slot;
            self.sessions.put(session);
            self.close_session(id);
            return;
        }
        resize_input(&mut session, idle_ms);
        resize_reply_buffer(&mut session, self.debug.reply_buffers, now_ms);
        if session.soft_limit_since_ms.is_some() || self.client_memory.is_limited() {
            self.finish(session);
        } else {
            self.sessions.put(session);
        }
    }
}

fn resize_input(session: &mut Session, idle_ms: i64) {
    let (capacity, peak) = (session.input.capacity(), session.input_peak_bytes);
    if capacity == 0 {
        return;
    }
    if idle_ms > INPUT_IDLE_MS {
        session.input.shrink_to(0);
    } else if capacity > INPUT_LARGE_BYTES
        && capacity / 2 > peak
        && session.parser.missing_bytes(session.input.len()) == 0
    {
        session.input.shrink_to(peak.max(REPLY_BUFFER_MAX_BYTES));
    }
    session.input_peak_bytes = session.input.len();
}

/// Doubles or halves the size of the session's reply buffer when its replies fill it, or not even
/// half of it.
fn resize_reply_buffer(session: &mut Session, tuning: ReplyBufferTuning, now_ms: i64) {
    let (size, peak) = (session.reply_buffer_bytes, session.reply_peak_bytes);
    if tuning.resizing {
        if peak >= size && size < REPLY_BUFFER_MAX_BYTES {
            session.reply_buffer_bytes = size * 2;
        } else if peak < size / 2 && size > REPLY_BUFFER_MIN_BYTES {
            session.reply_buffer_bytes = size / 2;
        }
    }
    let is_old = tuning
        .peak_reset_ms
        .is_some_and(|after| now_ms - session.reply_peak_since_ms > after);
    if is_old {
        session.reply_peak_bytes = session.output.len().min(session.reply_buffer_bytes);
        session.reply_peak_since_ms = now_ms;
    }
}
