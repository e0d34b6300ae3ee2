//! What an operator may set. The driver fills it from `redis.conf`; any of it may change live.
//!
//! Times are in milliseconds of the driver's monotonic clock. Tests: none, it is data.

/// How much may wait to be sent to one replica before it is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// 0: no limit.
    pub hard_bytes: u64,
    /// 0: no limit.
    pub soft_bytes: u64,
    /// How long the soft limit may be exceeded without a break.
    pub soft_ms: u64,
}

#[derive(Clone, Debug)]
pub struct Config {
    /// `repl-backlog-size`: what is always kept.
    pub backlog_size_bytes: u64,
    /// `repl-backlog-budget`, ours: what may be kept as long as somebody may still need it.
    pub backlog_budget_bytes: u64,
    /// `repl-backlog-ttl`: after so long without replicas a primary forgets. 0: never.
    pub backlog_ttl_ms: u64,
    /// How long a replica that was cut off counts as somebody who may still need history.
    pub departed_ttl_ms: u64,
    /// `repl-timeout`.
    pub timeout_ms: u64,
    /// `repl-ping-replica-period`.
    pub ping_period_ms: u64,
    /// `repl-diskless-sync`.
    pub is_diskless: bool,
    /// `repl-diskless-sync-delay`.
    pub diskless_delay_ms: u64,
    /// `repl-diskless-sync-max-replicas`; 0: always wait the whole delay.
    pub diskless_replicas_max: usize,
    /// `client-output-buffer-limit replica`.
    pub output_limit: OutputLimit,
    /// `repl-throttle-writes`, ours: slow writers down before a full sync must start over.
    pub throttles_writes: bool,
    /// `min-replicas-to-write`; 0: no such rule.
    pub good_replicas_min: usize,
    /// `min-replicas-max-lag`; 0: no such rule.
    pub good_lag_max_ms: u64,
    /// `masteruser`.
    pub primary_user: Option<Vec<u8>>,
    /// `masterauth`.
    pub primary_auth: Option<Vec<u8>>,
    /// `replica-announce-port`, or the port we listen on.
    pub announced_port: u16,
    /// `replica-announce-ip`.
    pub announced_ip: Option<String>,
    /// What to say in `REPLCONF version`, which only Valkey 8 asks for; none: nothing.
    pub announced_version: Option<String>,
    /// `replica-priority`.
    pub priority: u32,
    /// `replica-read-only`.
    pub is_read_only: bool,
    /// `replica-announced`.
    pub is_announced: bool,
    /// `repl-refuse-empty`, ours: do not let an empty primary that lost its history wipe us.
    pub refuses_empty: bool,
    /// How much of the stream is kept in memory while a snapshot is being loaded. Beyond that the
    /// primary keeps it, since we stop reading.
    pub held_stream_max_bytes: usize,
    /// How many bytes of a snapshot may wait for the slowest of its replicas.
    pub snapshot_ahead_max_bytes: u64,
    /// The server's run id: how we recognise ourselves at the other end.
    pub run_id: String,
}

impl Default for Config {
    fn default() -> Config {
        const MIB: u64 = 1024 * 1024;
        Config {
            backlog_size_bytes: MIB,
            backlog_budget_bytes: 256 * MIB,
            backlog_ttl_ms: 3_600_000,
            departed_ttl_ms: 120_000,
            timeout_ms: 60_000,
            ping_period_ms: 10_000,
            is_diskless: true,
            diskless_delay_ms: 5_000,
            diskless_replicas_max: 0,
            output_limit: OutputLimit {
                hard_bytes: 256 * MIB,
                soft_bytes: 64 * MIB,
                soft_ms: 60_000,
            },
            throttles_writes: true,
            good_replicas_min: 0,
            good_lag_max_ms: 10_000,
            primary_user: None,
            primary_auth: None,
            announced_port: 6379,
            announced_ip: None,
            announced_version: None,
            priority: 100,
            is_read_only: true,
            is_announced: true,
            refuses_empty: true,
            held_stream_max_bytes: 256 * MIB as usize,
            snapshot_ahead_max_bytes: 4 * MIB,
            run_id: String::new(),
        }
    }
}
