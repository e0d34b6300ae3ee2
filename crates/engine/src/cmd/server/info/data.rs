//! INFO persistence and keyspace: the data and where it is kept.

use super::Text;
use crate::ctx::Ctx;

pub(super) fn persistence(ctx: &mut Ctx<'_>, text: &mut Text) {
    text.heading("Persistence");
    text.numbers(&[
        ("loading", 0),
        ("async_loading", 0),
        ("current_cow_peak", 0),
        ("current_cow_size", 0),
    ]);
    text.numbers(&[("current_cow_size_age", 0)]);
    text.field("current_fork_perc", "0.00");
    text.numbers(&[
        ("current_save_keys_processed", 0),
        ("current_save_keys_total", 0),
        (
            "rdb_changes_since_last_save",
            ctx.engine.keyspace.journal.dirty.into(),
        ),
        ("rdb_bgsave_in_progress", 0),
        // As in Redis, the start counts as a save: nothing was lost then.
        ("rdb_last_save_time", (ctx.engine.started_ms / 1000).into()),
    ]);
    text.field("rdb_last_bgsave_status", "ok");
    text.numbers(&[
        ("rdb_last_bgsave_time_sec", -1),
        ("rdb_current_bgsave_time_sec", -1),
        ("rdb_saves", 0),
        ("rdb_last_cow_size", 0),
        ("rdb_last_load_keys_expired", 0),
        ("rdb_last_load_keys_loaded", 0),
        ("aof_enabled", 0),
        ("aof_rewrite_in_progress", 0),
        ("aof_rewrite_scheduled", 0),
        ("aof_last_rewrite_time_sec", -1),
        ("aof_current_rewrite_time_sec", -1),
    ]);
    text.field("aof_last_bgrewrite_status", "ok");
    text.numbers(&[
        ("aof_rewrites", 0),
        ("aof_rewrites_consecutive_failures", 0),
    ]);
    text.field("aof_last_write_status", "ok");
    text.numbers(&[
        ("aof_last_cow_size", 0),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
    ]);
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
