//! The engine's turn and its timers.

use crate::engine::Engine;
use crate::host::Host;
use crate::session::SessionFlags;

/// Expired keys removed per database and turn at least; a turn that ran more commands than this
/// removes as many as it ran, so that expiry keeps up with any rate of writing and a turn's length
/// stays in proportion to its work.
const EXPIRE_PER_TURN: usize = 64;
const CRON_PERIOD_MS: i64 = 100;
/// Buckets that the housekeeping takes back at once from tables that could not shrink during a
/// snapshot: some tenths of a millisecond's work.
const SHRINK_PER_CRON: usize = 1000;

impl Engine {
    /// To be called when the turn's input was executed. The order matters: the end of a pause, for
    /// nothing expires during one; expiry, so that what it unblocks or notifies goes out in this
    /// turn; then time-outs; then sessions that may go on; then clients that cost too much; big
    /// garbage last, when nobody refers to it.
    pub fn end_of_turn(&mut self, host: &mut dyn Host) {
        self.end_due_pauses();
        self.expire_slice();
        self.time_out_blocked(host);
        if self.keyspace.journal.has_news() {
            self.after_command(None);
            self.serve_ready(host);
        }
        self.run_resumed(host);
        self.evict_clients(host);
        self.drop_garbage(host);
        for (level, text) in self.log_later.drain(..) {
            host.log(level, &text);
        }
        let now_ms = self.now_us / 1000;
        if now_ms - self.last_cron_ms >= CRON_PERIOD_MS {
            self.last_cron_ms = now_ms;
            if !self.debug.cron_paused {
                let began = host.ticks_ns();
                self.cron(host);
                self.stats.event_loop.cron_nanoseconds += host.ticks_ns().saturating_sub(began);
            }
        }
    }

    /// To be called when a turn's output was written: accounts for it.
    pub fn turn_done(&mut self, host: &mut dyn Host) {
        let (began_ns, commands) = self.turn_began;
        let elapsed_ns = host.ticks_ns().saturating_sub(began_ns);
        let event_loop = &mut self.stats.event_loop;
        event_loop.turns += 1;
        event_loop.nanoseconds += elapsed_ns;
        event_loop.max_nanoseconds = event_loop.max_nanoseconds.max(elapsed_ns);
        let executed = self.stats.commands_processed.saturating_sub(commands);
        event_loop.max_commands = event_loop.max_commands.max(executed);
    }

    /// When the engine wants to be called again at the latest, in milliseconds from now.
    pub fn next_timeout_ms(&self) -> i64 {
        let now = self.now_us / 1000;
        let mut next = self.last_cron_ms + CRON_PERIOD_MS;
        if let Some(at) = self.blocking.next_deadline_ms() {
            next = next.min(at);
        }
        if self.active_expire
            && !self.is_paused()
            && !self.loading
            && !self.role.is_replica
            && let Some(at) = self.keyspace.next_expiry_ms()
        {
            next = next.min(at);
        }
        if let Some(until_ms) = self.pauses.next_end_ms() {
            next = next.min(until_ms);
        }
        (next - now).max(0)
    }

    fn expire_slice(&mut self) {
        if !self.active_expire || self.is_paused() || self.loading || self.role.is_replica {
            return;
        }
        let commands = self
            .stats
            .commands_processed
            .saturating_sub(self.expire_seen_commands);
        self.expire_seen_commands = self.stats.commands_processed;
        let budget = EXPIRE_PER_TURN.max(commands as usize);
        for db in 0..self.keyspace.db_count() as u32 {
            if self.keyspace.db(db).volatile_len() > 0 {
                self.keyspace.expire_due(db, budget);
            }
        }
    }

    /// Clients that wait: for a key, or for the end of a pause.
    pub fn blocked_client_count(&self) -> usize {
        let is_held = |s: &&crate::Session| s.flags.has(SessionFlags::PAUSED);
        let held = match self.pauses.is_any() {
            true => self.sessions.iter().filter(is_held).count(),
            false => 0,
        };
        self.blocking.count() + held
    }

    /// Housekeeping ten times a second.
    fn cron(&mut self, host: &mut dyn Host) {
        let now_ms = self.now_us / 1000;
        self.stats
            .ops_rate
            .sample(self.stats.commands_processed, now_ms);
        self.stats.in_rate.sample(self.stats.net_in_bytes, now_ms);
        self.stats.out_rate.sample(self.stats.net_out_bytes, now_ms);
        self.stats
            .repl_in_rate
            .sample(self.stats.repl_in_bytes, now_ms);
        self.stats
            .repl_out_rate
            .sample(self.stats.repl_out_bytes, now_ms);
        self.stats
            .loop_turns_rate
            .sample(self.stats.event_loop.turns, now_ms);
        self.stats
            .loop_us_rate
            .sample(self.stats.event_loop.nanoseconds / 1000, now_ms);
        self.stats.peak_memory = self.stats.peak_memory.max(host.used_memory());
        if self.settings.maxmemory > 0 && !self.loading {
            self.free_memory(host);
        }
        self.expire_own_keys(host);
        self.keyspace.shrink_tables(SHRINK_PER_CRON);
        if !self.debug.cron_paused {
            self.clients_cron(host);
        }
    }
}
