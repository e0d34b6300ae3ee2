//! INFO clients, stats, debug: who is connected, and what happened since the start.

use super::Text;
use crate::ctx::Ctx;
use crate::session::Session;
use commands::CommandId;

pub(super) fn clients(ctx: &mut Ctx<'_>, text: &mut Text) {
    let engine = &*ctx.engine;
    let current = &*ctx.session;
    let count = |test: &dyn Fn(&Session) -> bool| -> i128 {
        engine
            .sessions
            .iter()
            .chain([current])
            .filter(|session| test(session))
            .count() as i128
    };
    let most = |size: &dyn Fn(&Session) -> usize| -> i128 {
        engine
            .sessions
            .iter()
            .chain([current])
            .map(size)
            .max()
            .unwrap_or(0) as i128
    };
    text.heading("Clients");
    text.numbers(&[
        ("connected_clients", engine.client_count() as i128),
        ("cluster_connections", 0),
        ("maxclients", engine.config.maxclients.into()),
        (
            "client_recent_max_input_buffer",
            most(&Session::input_capacity),
        ),
        (
            "client_recent_max_output_buffer",
            most(&|session| session.output.heap_bytes()),
        ),
        ("blocked_clients", engine.blocked_client_count() as i128),
        ("tracking_clients", 0),
        ("pubsub_clients", count(&Session::in_pubsub_mode)),
        (
            "watching_clients",
            count(&|session| !session.watched.is_empty()),
        ),
        (
            "clients_in_timeout_table",
            engine.blocking.deadline_count() as i128,
        ),
        ("total_watched_keys", engine.watches.len() as i128),
        ("total_blocking_keys", engine.blocking.key_count() as i128),
        ("total_blocking_keys_on_nokey", 0),
    ]);
}

pub(super) fn stats(ctx: &mut Ctx<'_>, text: &mut Text) {
    text.heading("Stats");
    traffic(ctx, text);
    removals(ctx, text);
    let engine = &mut *ctx.engine;
    let stats = &engine.stats;
    text.numbers(&[
        ("keyspace_hits", engine.keyspace.stats.hits.into()),
        ("keyspace_misses", engine.keyspace.stats.misses.into()),
        ("pubsub_channels", engine.pubsub.channels.len() as i128),
        ("pubsub_patterns", engine.pubsub.patterns.len() as i128),
        (
            "pubsubshard_channels",
            engine.pubsub.shard_channels.len() as i128,
        ),
        ("latest_fork_usec", 0),
        ("total_forks", 0),
        ("migrate_cached_sockets", 0),
        ("slave_expires_tracked_keys", engine.own_key_count() as i128),
        ("active_defrag_hits", 0),
        ("active_defrag_misses", 0),
        ("active_defrag_key_hits", 0),
        ("active_defrag_key_misses", 0),
        ("total_active_defrag_time", 0),
        ("current_active_defrag_time", 0),
        ("tracking_total_keys", 0),
        ("tracking_total_items", 0),
        ("tracking_total_prefixes", 0),
        (
            "unexpected_error_replies",
            stats.unexpected_error_replies.into(),
        ),
        ("total_error_replies", stats.error_replies.into()),
        ("dump_payload_sanitizations", 0),
        ("total_reads_processed", stats.reads_processed.into()),
        ("total_writes_processed", stats.writes_processed.into()),
        ("io_threaded_reads_processed", 0),
        ("io_threaded_writes_processed", 0),
        (
            "client_query_buffer_limit_disconnections",
            stats.query_buffer_limit_disconnections.into(),
        ),
        (
            "client_output_buffer_limit_disconnections",
            stats.output_buffer_limit_disconnections.into(),
        ),
        ("reply_buffer_shrinks", 0),
        ("reply_buffer_expands", 0),
    ]);
    event_loop(ctx, text);
    text.numbers(&[
        (
            "acl_access_denied_auth",
            ctx.engine.stats.auth_failures.into(),
        ),
        ("acl_access_denied_cmd", 0),
        ("acl_access_denied_key", 0),
        ("acl_access_denied_channel", 0),
    ]);
}

fn traffic(ctx: &mut Ctx<'_>, text: &mut Text) {
    let replication = ctx.host.replication_info(ctx.engine);
    let stats = &ctx.engine.stats;
    let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    text.numbers(&[
        (
            "total_connections_received",
            stats.connections_received.into(),
        ),
        ("total_commands_processed", stats.commands_processed.into()),
        (
            "instantaneous_ops_per_sec",
            stats.ops_rate.per_second().into(),
        ),
        ("total_net_input_bytes", stats.net_in_bytes.into()),
        ("total_net_output_bytes", stats.net_out_bytes.into()),
        ("total_net_repl_input_bytes", stats.repl_in_bytes.into()),
        ("total_net_repl_output_bytes", stats.repl_out_bytes.into()),
    ]);
    text.field(
        "instantaneous_input_kbps",
        kilobytes(stats.in_rate.per_second()),
    );
    text.field(
        "instantaneous_output_kbps",
        kilobytes(stats.out_rate.per_second()),
    );
    text.field(
        "instantaneous_input_repl_kbps",
        kilobytes(stats.repl_in_rate.per_second()),
    );
    text.field(
        "instantaneous_output_repl_kbps",
        kilobytes(stats.repl_out_rate.per_second()),
    );
    text.numbers(&[
        ("rejected_connections", stats.connections_rejected.into()),
        ("sync_full", replication.sync_full.into()),
        ("sync_partial_ok", replication.sync_partial_ok.into()),
        ("sync_partial_err", replication.sync_partial_err.into()),
    ]);
}

fn removals(ctx: &mut Ctx<'_>, text: &mut Text) {
    let engine = &*ctx.engine;
    let stats = &engine.stats;
    let exceeded_us = stats
        .evicting_since_us
        .map_or(0, |since| (engine.now_us() - since).max(0));
    text.numbers(&[
        ("expired_subkeys", 0),
        ("expired_keys", engine.keyspace.stats.expired.into()),
    ]);
    // Expiry follows an exact index: no sampling, so nothing is estimated to be stale.
    text.field("expired_stale_perc", "0.00");
    text.numbers(&[
        ("expired_time_cap_reached_count", 0),
        (
            "expire_cycle_cpu_milliseconds",
            (stats.expire_cycle_us / 1000).into(),
        ),
        ("evicted_keys", engine.keyspace.stats.evicted.into()),
        ("evicted_clients", stats.evicted_clients.into()),
        ("evicted_scripts", 0),
        (
            "total_eviction_exceeded_time",
            (stats.total_eviction_exceeded_us as i128 + i128::from(exceeded_us)) / 1000,
        ),
        (
            "current_eviction_exceeded_time",
            i128::from(exceeded_us) / 1000,
        ),
    ]);
}

fn event_loop(ctx: &mut Ctx<'_>, text: &mut Text) {
    let stats = &ctx.engine.stats;
    let turns_per_second = stats.loop_turns_rate.per_second();
    let us_per_turn = stats
        .loop_us_rate
        .per_second()
        .checked_div(turns_per_second)
        .unwrap_or(0);
    // What ran inside EXEC is counted by itself.
    let commands_ns: u64 = CommandId::ALL
        .iter()
        .filter(|id| **id != CommandId::Exec)
        .map(|id| stats.commands[*id as usize].nanoseconds)
        .sum();
    text.numbers(&[
        ("eventloop_cycles", stats.event_loop.turns.into()),
        (
            "eventloop_duration_sum",
            (stats.event_loop.nanoseconds / 1000).into(),
        ),
        ("eventloop_duration_cmd_sum", (commands_ns / 1000).into()),
        (
            "instantaneous_eventloop_cycles_per_sec",
            turns_per_second.into(),
        ),
        ("instantaneous_eventloop_duration_usec", us_per_turn.into()),
    ]);
}

pub(super) fn debug(ctx: &mut Ctx<'_>, text: &mut Text) {
    let event_loop = &ctx.engine.stats.event_loop;
    text.heading("Debug");
    text.numbers(&[
        ("eventloop_duration_aof_sum", 0),
        (
            "eventloop_duration_cron_sum",
            (event_loop.cron_nanoseconds / 1000).into(),
        ),
        (
            "eventloop_duration_max",
            (event_loop.max_nanoseconds / 1000).into(),
        ),
        (
            "eventloop_cmd_per_cycle_max",
            event_loop.max_commands.into(),
        ),
    ]);
}
