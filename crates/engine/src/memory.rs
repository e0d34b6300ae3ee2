//! Staying below `maxmemory`, and below each client's output limits.

use crate::engine::Engine;
use crate::host::{Host, LogLevel};
use crate::session::{Session, SessionFlags};

/// Evictions between two looks at the clock.
const CLOCK_EVERY: usize = 16;

impl Engine {
    /// Memory that counts against `maxmemory`.
    pub fn counted_memory(&mut self, host: &mut dyn Host) -> u64 {
        host.used_memory().saturating_sub(self.uncounted_memory)
    }

    /// Evicts until memory fits, within a time slice. False if it does not fit and no more can be
    /// done now; true also when the slice ended with evictions still going well.
    pub(crate) fn free_memory(&mut self, host: &mut dyn Host) -> bool {
        let limit = self.settings.maxmemory;
        // A replica's data is its primary's business, and nothing goes while clients are paused.
        let is_exempt = self.role.is_replica && self.config.replica_ignore_maxmemory;
        if limit == 0 || is_exempt || self.is_paused() || self.counted_memory(host) <= limit {
            return true;
        }
        let slice_ns = eviction_slice_ns(self.settings.maxmemory_eviction_tenacity);
        let started = host.ticks_ns();
        let mut evicted = 0;
        loop {
            let Some(victim) = self.keyspace.eviction_victim(
                self.settings.maxmemory_policy,
                self.settings.maxmemory_samples,
            ) else {
                return self.counted_memory(host) <= limit;
            };
            self.keyspace.evict(&victim);
            self.drop_garbage(host);
            evicted += 1;
            if self.counted_memory(host) <= limit {
                return true;
            }
            if evicted % CLOCK_EVERY == 0 && host.ticks_ns() - started > slice_ns {
                return true;
            }
        }
    }

    /// Closes a session whose unread output exceeds its class's limits.
    pub(crate) fn check_output_limit(&mut self, session: &mut Session) {
        let output = &session.output;
        session.reply_peak_bytes = session
            .reply_peak_bytes
            .max(output.len().min(session.reply_buffer_bytes));
        let bytes = output.queued_bytes() as u64;
        if bytes == 0 || session.flags.has(SessionFlags::CLOSE_ASAP) {
            session.soft_limit_since_ms = None;
            return;
        }
        let limit = self.output_limit(session);
        let hard = limit.hard_bytes > 0 && bytes > limit.hard_bytes;
        let mut soft = limit.soft_bytes > 0 && bytes > limit.soft_bytes;
        if soft {
            let now_ms = self.now_us / 1000;
            let since = *session.soft_limit_since_ms.get_or_insert(now_ms);
            soft = now_ms - since > limit.soft_seconds as i64 * 1000;
        } else {
            session.soft_limit_since_ms = None;
        }
        if hard || soft {
            let line = self.client_log_line(session);
            let text = format!(
                "Client {line} scheduled to be closed ASAP for overcoming of output buffer limits."
            );
            self.log_later.push((LogLevel::Warning, text));
            session.flags.set(SessionFlags::CLOSE_ASAP, true);
            session.output.clear();
            self.stats.output_buffer_limit_disconnections += 1;
        }
    }

    pub(crate) fn output_limit(&self, session: &Session) -> config::OutputBufferLimit {
        let class = if session.in_pubsub_mode() {
            config::ClientClass::Pubsub
        } else {
            config::ClientClass::Normal
        };
        self.config.client_output_buffer_limits[class as usize]
    }
}

/// How long one round of eviction may take, by `maxmemory-eviction-tenacity` (0 to 100): up to 500 µs
/// in steps of 50 until 10, then growing by 15 % a step, without limit at 100. Source: redis.conf.
fn eviction_slice_ns(tenacity: u32) -> u64 {
    match tenacity {
        0..=10 => 50_000 * u64::from(tenacity),
        100.. => u64::MAX,
        _ => (500_000.0 * 1.15f64.powi(tenacity as i32 - 10)) as u64,
    }
}
