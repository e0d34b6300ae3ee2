//! What INFO replication and ROLE say.
//!
//! Fields, their order and their words are Redis 7.4's, as observed on 7.0 and documented since; two
//! of our own follow at the end. Tests: `tests/info.rs`.

use std::fmt::Write;

use crate::history::History;
use crate::peer::Peer;
use crate::role::Replication;
use crate::upstream::{Link, Upstream};

/// ROLE's answer, to be written as a client's protocol wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleReply {
    Primary {
        offset: u64,
        /// Address, port, acknowledged offset, each as text on the wire.
        replicas: Vec<(String, i64, u64)>,
    },
    Replica {
        host: String,
        port: u16,
        state: &'static str,
        /// -1 while the link is not up.
        offset: i64,
    },
}

impl Replication {
    pub fn role(&self) -> RoleReply {
        let Some(upstream) = &self.upstream else {
            let of = |peer: &Peer| {
                let acked = peer.acked.map_or(0, |acked| acked.get());
                (peer.address().to_owned(), peer.listening_port, acked)
            };
            return RoleReply::Primary {
                offset: self.offset().get(),
                replicas: self.primary.online().map(of).collect(),
            };
        };
        RoleReply::Replica {
            host: upstream.host.clone(),
            port: upstream.port,
            state: upstream.state_name(),
            offset: if upstream.is_online() {
                self.offset().get() as i64
            } else {
                -1
            },
        }
    }

    /// A log line for each replica that has not confirmed everything.
    pub fn lagging(&self, now_ms: u64) -> Vec<String> {
        let end = self.offset();
        let lags = |peer: &&Peer| peer.acked != Some(end);
        let line = |peer: &Peer| {
            let acked = peer.acked.unwrap_or_default();
            format!(
                "Lagging replica {} reported offset {} behind master, lag={}, state={}.",
                peer.name(),
                end.bytes_since(acked),
                now_ms.saturating_sub(peer.heard_ms) / 1000,
                peer.state_name().unwrap_or_default(),
            )
        };
        self.primary.replicas().filter(lags).map(line).collect()
    }

    /// The section's lines, without its title.
    pub fn info(&self, now_ms: u64) -> String {
        let mut out = String::new();
        match &self.upstream {
            None => line(&mut out, "role", "master"),
            Some(upstream) => {
                line(&mut out, "role", "slave");
                self.info_upstream(&mut out, upstream, now_ms);
            }
        }
        line(&mut out, "connected_slaves", self.connected_replicas());
        let config = &self.core.config;
        if config.good_replicas_min > 0 && config.good_lag_max_ms > 0 {
            line(
                &mut out,
                "min_slaves_good_slaves",
                self.good_replicas(now_ms),
            );
        }
        for (index, peer) in self.primary.replicas().enumerate() {
            let name = format!("slave{index}");
            line(&mut out, &name, replica(peer, now_ms));
        }
        // Valkey 8's; nobody ever waits so here, for want of a second channel.
        line(&mut out, "replicas_waiting_psync", 0);
        self.info_history(&mut out, &self.core.history);
        out
    }

    fn info_upstream(&self, out: &mut String, upstream: &Upstream, now_ms: u64) {
        let seconds_since = |since_ms: u64| now_ms.saturating_sub(since_ms) / 1000;
        let is_online = upstream.is_online();
        let is_syncing = matches!(upstream.link, Link::Transfer(_) | Link::Loading { .. });
        line(out, "master_host", &upstream.host);
        line(out, "master_port", upstream.port);
        line(
            out,
            "master_link_status",
            if is_online { "up" } else { "down" },
        );
        let last_io = if is_online {
            seconds_since(upstream.last_io_ms) as i64
        } else {
            -1
        };
        line(out, "master_last_io_seconds_ago", last_io);
        line(out, "master_sync_in_progress", u8::from(is_syncing));
        line(out, "slave_read_repl_offset", upstream.read_offset);
        line(out, "slave_repl_offset", self.offset());
        line(out, "replicas_repl_buffer_size", upstream.held_bytes);
        line(out, "replicas_repl_buffer_peak", upstream.held_peak_bytes);
        if let Link::Transfer(transfer) = &upstream.link {
            let total = transfer.total_bytes.unwrap_or(0);
            let read = transfer.read_bytes;
            let percent = if total == 0 {
                0.0
            } else {
                read as f64 / total as f64 * 100.0
            };
            line(out, "master_sync_total_bytes", total);
            line(out, "master_sync_read_bytes", read);
            line(out, "master_sync_left_bytes", total as i64 - read as i64);
            line(out, "master_sync_perc", format!("{percent:.2}"));
            let last_io = seconds_since(upstream.last_io_ms);
            line(out, "master_sync_last_io_seconds_ago", last_io);
        }
        if !is_online {
            let down = upstream
                .down_since_ms
                .map_or(-1, |ms| seconds_since(ms) as i64);
            line(out, "master_link_down_since_seconds", down);
        }
        line(out, "slave_priority", self.core.config.priority);
        line(
            out,
            "slave_read_only",
            u8::from(self.core.config.is_read_only),
        );
        line(
            out,
            "replica_announced",
            u8::from(self.core.config.is_announced),
        );
    }

    fn info_history(&self, out: &mut String, history: &History) {
        let backlog = self.core.backlog.as_ref();
        line(out, "master_failover_state", self.failover.name());
        line(out, "master_replid", history.id);
        line(out, "master_replid2", history.second_id());
        line(out, "master_repl_offset", history.offset);
        line(out, "second_repl_offset", history.second_wanted());
        line(out, "repl_backlog_active", u8::from(backlog.is_some()));
        line(
            out,
            "repl_backlog_size",
            self.core.config.backlog_size_bytes,
        );
        let first = backlog.map_or(0, |backlog| backlog.start().wanted());
        line(out, "repl_backlog_first_byte_offset", first);
        line(
            out,
            "repl_backlog_histlen",
            backlog.map_or(0, |backlog| backlog.len_bytes()),
        );
        line(out, "redan_sync_refused", self.core.stats.sync_refused);
        line(
            out,
            "redan_discarded_bytes",
            self.core.stats.discarded_bytes,
        );
    }

    /// What the history kept for replicas takes.
    pub fn backlog_memory_bytes(&self) -> usize {
        self.core
            .backlog
            .as_ref()
            .map_or(0, |backlog| backlog.memory_bytes())
    }
}

fn replica(peer: &Peer, now_ms: u64) -> String {
    let lag = match peer.is_online() {
        true => now_ms.saturating_sub(peer.heard_ms) / 1000,
        false => 0,
    };
    format!(
        "ip={},port={},state={},offset={},lag={lag}",
        peer.address(),
        peer.listening_port,
        peer.state_name().unwrap_or_default(),
        peer.acked.map_or(0, |acked| acked.get()),
    )
}

fn line(out: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = write!(out, "{name}:{value}\r\n");
}
