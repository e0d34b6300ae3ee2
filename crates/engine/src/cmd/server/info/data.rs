//! INFO persistence and keyspace: the data and where it is kept.

use super::Text;
use crate::ctx::Ctx;
use crate::persistence::{LoadingInfo, PersistenceInfo};

pub(super) fn persistence(ctx: &mut Ctx<'_>, text: &mut Text) {
    let info = ctx.host.persistence(ctx.engine);
    text.heading("Persistence");
    text.numbers(&[
        ("loading", info.loading.is_some().into()),
        ("async_loading", ctx.engine.async_loading.into()),
        ("current_cow_peak", info.current_cow_peak.into()),
        ("current_cow_size", info.current_cow_size.into()),
        ("current_cow_size_age", info.current_cow_size_age.into()),
    ]);
    text.field(
        "current_fork_perc",
        format_args!("{:.2}", info.current_fork_perc),
    );
    text.numbers(&[
        (
            "current_save_keys_processed",
            info.current_save_keys_processed.into(),
        ),
        (
            "current_save_keys_total",
            info.current_save_keys_total.into(),
        ),
    ]);
    rdb(&info, text);
    aof(&info, text);
    if let Some(loading) = &info.loading {
        progress(loading, text);
    }
}

fn rdb(info: &PersistenceInfo, text: &mut Text) {
    text.numbers(&[
        (
            "rdb_changes_since_last_save",
            info.rdb_changes_since_last_save.into(),
        ),
        ("rdb_bgsave_in_progress", info.rdb_bgsave_in_progress.into()),
        ("rdb_last_save_time", info.rdb_last_save_time.into()),
    ]);
    text.field("rdb_last_bgsave_status", status(info.rdb_last_bgsave_ok));
    text.numbers(&[
        (
            "rdb_last_bgsave_time_sec",
            info.rdb_last_bgsave_time_sec.into(),
        ),
        (
            "rdb_current_bgsave_time_sec",
            info.rdb_current_bgsave_time_sec.into(),
        ),
        ("rdb_saves", info.rdb_saves.into()),
        ("rdb_last_cow_size", info.rdb_last_cow_size.into()),
        (
            "rdb_last_load_keys_expired",
            info.rdb_last_load_keys_expired.into(),
        ),
        (
            "rdb_last_load_keys_loaded",
            info.rdb_last_load_keys_loaded.into(),
        ),
    ]);
}

fn aof(info: &PersistenceInfo, text: &mut Text) {
    text.numbers(&[
        ("aof_enabled", info.aof_enabled.into()),
        (
            "aof_rewrite_in_progress",
            info.aof_rewrite_in_progress.into(),
        ),
        ("aof_rewrite_scheduled", info.aof_rewrite_scheduled.into()),
        (
            "aof_last_rewrite_time_sec",
            info.aof_last_rewrite_time_sec.into(),
        ),
        (
            "aof_current_rewrite_time_sec",
            info.aof_current_rewrite_time_sec.into(),
        ),
    ]);
    text.field(
        "aof_last_bgrewrite_status",
        status(info.aof_last_bgrewrite_ok),
    );
    text.numbers(&[
        ("aof_rewrites", info.aof_rewrites.into()),
        (
            "aof_rewrites_consecutive_failures",
            info.aof_rewrites_consecutive_failures.into(),
        ),
    ]);
    text.field("aof_last_write_status", status(info.aof_last_write_ok));
    text.numbers(&[
        ("aof_last_cow_size", info.aof_last_cow_size.into()),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
    ]);
    if let Some(aof) = &info.aof {
        text.numbers(&[
            ("aof_current_size", aof.current_size.into()),
            ("aof_base_size", aof.base_size.into()),
            ("aof_pending_rewrite", aof.pending_rewrite.into()),
            ("aof_buffer_length", aof.buffer_length.into()),
            ("aof_pending_bio_fsync", aof.pending_bio_fsync.into()),
            ("aof_delayed_fsync", aof.delayed_fsync.into()),
        ]);
    }
}

fn progress(loading: &LoadingInfo, text: &mut Text) {
    text.numbers(&[
        ("loading_start_time", loading.start_time.into()),
        ("loading_total_bytes", loading.total_bytes.into()),
        ("loading_rdb_used_mem", loading.rdb_used_mem.into()),
        ("loading_loaded_bytes", loading.loaded_bytes.into()),
    ]);
    text.field(
        "loading_loaded_perc",
        format_args!("{:.2}", loading.loaded_perc),
    );
    text.field("loading_eta_seconds", loading.eta_seconds);
}

fn status(ok: bool) -> &'static str {
    if ok { "ok" } else { "err" }
}

pub(super) fn keyspace(ctx: &mut Ctx<'_>, text: &mut Text) {
    text.heading("Keyspace");
    let keyspace = &ctx.engine.keyspace;
    for number in 0..keyspace.db_count() as u32 {
        let db = keyspace.db(number);
        if db.is_empty() {
            continue;
        }
        let (keys, expires, average_ttl_ms) =
            (db.len(), db.volatile_len(), keyspace.average_ttl_ms(number));
        text.field(
            &format!("db{number}"),
            format_args!("keys={keys},expires={expires},avg_ttl={average_ttl_ms},subexpiry=0"),
        );
    }
}
