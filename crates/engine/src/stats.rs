//! Counters behind INFO.

use crate::histogram::LatencyHistogram;
use commands::CommandId;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Default, Debug)]
pub struct CommandStats {
    pub calls: u64,
    pub nanoseconds: u64,
    pub rejected: u64,
    pub failed: u64,
}

/// Rates are sampled this often, and averaged over so many samples.
pub const SAMPLE_COUNT: usize = 16;

#[derive(Default, Debug)]
pub struct Rate {
    last_value: u64,
    last_ms: i64,
    samples: [u64; SAMPLE_COUNT],
    next: usize,
}

impl Rate {
    pub fn sample(&mut self, value: u64, now_ms: i64) {
        let elapsed_ms = now_ms - self.last_ms;
        if elapsed_ms > 0 {
            let per_second = value.saturating_sub(self.last_value) * 1000 / elapsed_ms as u64;
            self.samples[self.next] = per_second;
            self.next = (self.next + 1) % SAMPLE_COUNT;
            self.last_value = value;
            self.last_ms = now_ms;
        }
    }

    pub fn per_second(&self) -> u64 {
        self.samples.iter().sum::<u64>() / SAMPLE_COUNT as u64
    }
}

/// More distinct error codes than this are not counted one by one.
const ERROR_CODES_MAX: usize = 128;

/// How long the event loop is busy, by turns.
#[derive(Clone, Copy, Default, Debug)]
pub struct LoopStats {
    pub turns: u64,
    pub nanoseconds: u64,
    pub max_nanoseconds: u64,
    /// Of which in housekeeping.
    pub cron_nanoseconds: u64,
    pub max_commands: u64,
}

#[derive(Default)]
pub struct Stats {
    pub commands: Vec<CommandStats>,
    /// Of each command that ran, if `latency-tracking` is on.
    pub latencies: Vec<Option<Box<LatencyHistogram>>>,
    pub event_loop: LoopStats,
    pub loop_turns_rate: Rate,
    pub loop_us_rate: Rate,
    /// Error replies by their first word.
    pub errors: BTreeMap<Box<[u8]>, u64>,
    pub errors_disabled: bool,
    pub commands_processed: u64,
    pub connections_received: u64,
    pub connections_rejected: u64,
    pub error_replies: u64,
    pub net_in_bytes: u64,
    pub net_out_bytes: u64,
    /// From our primary, and to replicas; the latter is counted by whoever writes to them.
    pub repl_in_bytes: u64,
    pub repl_out_bytes: u64,
    pub reads_processed: u64,
    pub writes_processed: u64,
    pub ops_rate: Rate,
    pub in_rate: Rate,
    pub out_rate: Rate,
    pub repl_in_rate: Rate,
    pub repl_out_rate: Rate,
    /// Errors that a primary or a replica caused and never hears of.
    pub unexpected_error_replies: u64,
    pub evicted_clients: u64,
    pub query_buffer_limit_disconnections: u64,
    pub output_buffer_limit_disconnections: u64,
    pub peak_memory: u64,
    pub auth_failures: u64,
    pub expire_cycle_us: u64,
    pub pubsub_messages: u64,
    pub evicting_since_us: Option<i64>,
    pub total_eviction_exceeded_us: u64,
}

impl Stats {
    pub fn new() -> Stats {
        Stats {
            commands: vec![CommandStats::default(); CommandId::COUNT],
            latencies: vec![None; CommandId::COUNT],
            ..Stats::default()
        }
    }

    pub fn of(&mut self, command: CommandId) -> &mut CommandStats {
        &mut self.commands[command as usize]
    }

    pub fn count_error(&mut self, code: &[u8]) {
        self.error_replies += 1;
        if self.errors_disabled {
            return;
        }
        if let Some(count) = self.errors.get_mut(code) {
            *count += 1;
        } else if self.errors.len() < ERROR_CODES_MAX {
            self.errors.insert(code.into(), 1);
        } else {
            self.errors.clear();
            self.errors
                .insert(b"ERRORSTATS_OVERFLOW".as_slice().into(), 1);
            self.errors_disabled = true;
        }
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&mut self) {
        let peak_memory = self.peak_memory;
        *self = Stats {
            peak_memory,
            ..Stats::new()
        };
    }
}
