//! What the engine and whoever keeps its data on disk tell each other.
//!
//! The engine knows no files. It records effects ([`crate::Effects`]), holds back replies
//! (`release`), executes what a file says (`replay`), and asks through [`crate::Host`] for what
//! SAVE, BGSAVE and the like mean. These are the values that pass.

/// How DEBUG RELOAD and LOADAOF load the data set again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// From the snapshot file.
    Rdb {
        /// Write it first.
        save: bool,
        /// Empty the databases before loading.
        flush: bool,
        /// A key that is there already is replaced instead of being an error.
        merge: bool,
    },
    /// From the append-only file, which is brought up to date first.
    Aof,
}

/// INFO persistence. Times in seconds, -1 for none; sizes in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct PersistenceInfo {
    pub loading: Option<LoadingInfo>,
    pub current_cow_peak: u64,
    pub current_cow_size: u64,
    pub current_cow_size_age: u64,
    pub current_fork_perc: f64,
    pub current_save_keys_processed: u64,
    pub current_save_keys_total: u64,
    pub rdb_changes_since_last_save: u64,
    pub rdb_bgsave_in_progress: bool,
    /// Unix seconds; also LASTSAVE's reply.
    pub rdb_last_save_time: i64,
    pub rdb_last_bgsave_ok: bool,
    pub rdb_last_bgsave_time_sec: i64,
    pub rdb_current_bgsave_time_sec: i64,
    pub rdb_saves: u64,
    pub rdb_last_cow_size: u64,
    pub rdb_last_load_keys_expired: u64,
    pub rdb_last_load_keys_loaded: u64,
    pub aof_enabled: bool,
    pub aof_rewrite_in_progress: bool,
    pub aof_rewrite_scheduled: bool,
    pub aof_last_rewrite_time_sec: i64,
    pub aof_current_rewrite_time_sec: i64,
    pub aof_last_bgrewrite_ok: bool,
    pub aof_rewrites: u64,
    pub aof_rewrites_consecutive_failures: u64,
    pub aof_last_write_ok: bool,
    pub aof_last_cow_size: u64,
    /// Shown while the append-only file is on.
    pub aof: Option<AofInfo>,
}

impl Default for PersistenceInfo {
    /// Nothing was ever saved, nothing failed.
    fn default() -> PersistenceInfo {
        PersistenceInfo {
            loading: None,
            current_cow_peak: 0,
            current_cow_size: 0,
            current_cow_size_age: 0,
            current_fork_perc: 0.0,
            current_save_keys_processed: 0,
            current_save_keys_total: 0,
            rdb_changes_since_last_save: 0,
            rdb_bgsave_in_progress: false,
            rdb_last_save_time: 0,
            rdb_last_bgsave_ok: true,
            rdb_last_bgsave_time_sec: -1,
            rdb_current_bgsave_time_sec: -1,
            rdb_saves: 0,
            rdb_last_cow_size: 0,
            rdb_last_load_keys_expired: 0,
            rdb_last_load_keys_loaded: 0,
            aof_enabled: false,
            aof_rewrite_in_progress: false,
            aof_rewrite_scheduled: false,
            aof_last_rewrite_time_sec: -1,
            aof_current_rewrite_time_sec: -1,
            aof_last_bgrewrite_ok: true,
            aof_rewrites: 0,
            aof_rewrites_consecutive_failures: 0,
            aof_last_write_ok: true,
            aof_last_cow_size: 0,
            aof: None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AofInfo {
    pub current_size: u64,
    pub base_size: u64,
    pub pending_rewrite: bool,
    pub buffer_length: u64,
    pub pending_bio_fsync: u64,
    pub delayed_fsync: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoadingInfo {
    /// Unix seconds.
    pub start_time: i64,
    pub total_bytes: u64,
    pub rdb_used_mem: u64,
    pub loaded_bytes: u64,
    pub loaded_perc: f64,
    pub eta_seconds: i64,
}
