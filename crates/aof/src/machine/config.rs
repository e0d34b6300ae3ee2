//! The options that the machine obeys, and the constants that are nobody's option.

/// `appendfsync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    Always,
    EverySecond,
    No,
}

/// All of these may change while the machine runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `appendfsync`
    pub fsync: Fsync,
    /// `no-appendfsync-on-rewrite`
    pub no_fsync_on_rewrite: bool,
    /// `auto-aof-rewrite-percentage`; 0 is never.
    pub auto_rewrite_percentage: u64,
    /// `auto-aof-rewrite-min-size`
    pub auto_rewrite_min_size_bytes: u64,
    /// `aof-use-rdb-preamble`
    pub use_rdb_preamble: bool,
    /// `aof-timestamp-enabled`
    pub timestamp_enabled: bool,
    /// `aof-disable-auto-gc`
    pub disable_auto_gc: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            fsync: Fsync::EverySecond,
            no_fsync_on_rewrite: false,
            auto_rewrite_percentage: 100,
            auto_rewrite_min_size_bytes: 64 << 20,
            use_rdb_preamble: true,
            timestamp_enabled: false,
            disable_auto_gc: false,
        }
    }
}

/// Bytes wait this long for company when nobody waits for them: at a thousand writes a second and
/// more, a write per turn would cost a thread switch per turn; a millisecond is far below the
/// second that `everysec` may lose.
pub const BATCH_DELAY_US: u64 = 1_000;

/// As many bytes do not wait: one write of this size costs little more per byte than a larger one.
pub const BATCH_BYTES: usize = 64 << 10;

/// One append is not larger than this unless a single chunk is: a failed one is repeated whole.
pub const APPEND_MAX_BYTES: usize = 1 << 20;

/// The second of `everysec`.
pub const SYNC_INTERVAL_US: u64 = 1_000_000;

/// Redis holds writes back for up to two seconds while an fsync is slow; so many seconds of writes
/// may be lost with `everysec`.
pub const SLOW_SYNC_US: u64 = 2_000_000;

/// Redis tries a failed write again once a second.
pub const RETRY_US: u64 = 1_000_000;

/// Redis logs write errors at most this often.
pub const ERROR_LOG_INTERVAL_US: u64 = 30_000_000;

/// So many failed rewrites in a row are repeated at once, later ones are delayed.
pub const REWRITE_FAILURES_FREE: u32 = 3;

/// The longest such delay.
pub const REWRITE_DELAY_MAX_MINUTES: u64 = 60;

/// The longest delay between two tries to repair by a rewrite: the first comes at once, the next
/// after a second, and so on doubling. Writers are refused meanwhile, so it is not an hour.
pub const REPAIR_DELAY_MAX_US: u64 = 60_000_000;
