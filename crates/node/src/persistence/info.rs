//! What INFO persistence and LASTSAVE say.

use super::Persistence;
use crate::outside::Outside;
use engine::{AofInfo, Engine, PersistenceInfo};

impl Persistence {
    pub fn info<O: Outside + ?Sized>(&self, engine: &Engine, outside: &mut O) -> PersistenceInfo {
        let now_ms = outside.unix_ms();
        let aof = self.append.info(outside);
        let progress = self.snapshot.as_ref().map(|s| s.progress());
        let progress = progress.unwrap_or_default();
        let elapsed_s = |running: bool| match &self.snapshot {
            Some(snapshot) if running => snapshot.elapsed_s(now_ms),
            _ if running => 0,
            _ => -1,
        };
        let percent = match progress.total_keys {
            0 => 0.0,
            total => progress.done_keys as f64 * 100.0 / total as f64,
        };
        PersistenceInfo {
            loading: self.loading,
            current_fork_perc: percent,
            current_save_keys_processed: progress.done_keys,
            current_save_keys_total: progress.total_keys,
            rdb_changes_since_last_save: engine.keyspace.journal.dirty,
            rdb_bgsave_in_progress: self.is_saving(),
            rdb_last_save_time: self.saving.last_save_ms / 1000,
            rdb_last_bgsave_ok: self.saving.last_ok,
            rdb_last_bgsave_time_sec: self.saving.last_duration_s,
            rdb_current_bgsave_time_sec: elapsed_s(self.is_saving()),
            rdb_saves: self.saving.saves,
            rdb_last_load_keys_expired: self.loaded.expired,
            rdb_last_load_keys_loaded: self.loaded.keys,
            aof_enabled: aof.enabled,
            aof_rewrite_in_progress: self.is_rewriting() || aof.rewrite_in_progress,
            aof_rewrite_scheduled: aof.rewrite_scheduled && !self.is_rewriting(),
            aof_last_rewrite_time_sec: aof.last_rewrite_time_s,
            aof_current_rewrite_time_sec: aof.current_rewrite_time_s,
            aof_last_bgrewrite_ok: aof.last_rewrite_ok,
            aof_rewrites: aof.rewrites,
            aof_rewrites_consecutive_failures: aof.rewrites_consecutive_failures.into(),
            aof_last_write_ok: aof.last_write_ok,
            aof: aof.enabled.then_some(AofInfo {
                current_size: aof.current_size_bytes,
                base_size: aof.base_size_bytes,
                pending_rewrite: aof.rewrite_scheduled,
                buffer_length: aof.buffer_length_bytes,
                pending_bio_fsync: aof.pending_fsyncs,
                delayed_fsync: aof.delayed_fsync,
            }),
            ..PersistenceInfo::default()
        }
    }
}
