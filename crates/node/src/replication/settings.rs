//! What the configuration says to the replication machine.

use config::{Config, Text};
use replication::{Config as Settings, OutputLimit};

/// The class `replica` of `client-output-buffer-limit`.
const REPLICA_CLASS: usize = 1;
/// How much of a snapshot may wait for the slowest replica of those that share it.
const SNAPSHOT_AHEAD_BYTES: u64 = 8 << 20;

/// `port` is the one we listen on.
pub fn settings(config: &Config, port: u16, run_id: &str) -> Settings {
    let ms = |seconds: u32| u64::from(seconds) * 1000;
    let text = |text: &Text| (!text.is_empty()).then(|| text.to_vec());
    let limit = &config.client_output_buffer_limits[REPLICA_CLASS];
    Settings {
        backlog_size_bytes: config.repl_backlog_size,
        backlog_budget_bytes: config.repl_backlog_budget,
        backlog_ttl_ms: config.repl_backlog_ttl.saturating_mul(1000),
        timeout_ms: ms(config.repl_timeout),
        ping_period_ms: ms(config.repl_ping_replica_period),
        is_diskless: config.repl_diskless_sync,
        diskless_delay_ms: ms(config.repl_diskless_sync_delay),
        diskless_replicas_max: config.repl_diskless_sync_max_replicas as usize,
        output_limit: OutputLimit {
            hard_bytes: limit.hard_bytes,
            soft_bytes: limit.soft_bytes,
            soft_ms: ms(limit.soft_seconds),
        },
        throttles_writes: config.repl_throttle_writes,
        good_replicas_min: config.min_replicas_to_write as usize,
        good_lag_max_ms: ms(config.min_replicas_max_lag),
        primary_user: text(&config.primaryuser),
        primary_auth: text(&config.primaryauth),
        announced_port: match config.replica_announce_port {
            0 => port,
            announced => announced,
        },
        announced_ip: text(&config.replica_announce_ip)
            .map(|ip| String::from_utf8_lossy(&ip).into_owned()),
        announced_version: None,
        priority: config.replica_priority,
        is_read_only: config.replica_read_only,
        is_announced: config.replica_announced,
        refuses_empty: config.repl_refuse_empty,
        snapshot_ahead_max_bytes: SNAPSHOT_AHEAD_BYTES,
        run_id: run_id.to_owned(),
        ..Settings::default()
    }
}

/// Whether the option is one of those that [`settings`] reads.
pub fn concerns(name: &str) -> bool {
    name.starts_with("repl-")
        || name.starts_with("replica-")
        || name.starts_with("min-replicas-")
        || matches!(
            name,
            "masterauth" | "masteruser" | "client-output-buffer-limit" | "port"
        )
}
