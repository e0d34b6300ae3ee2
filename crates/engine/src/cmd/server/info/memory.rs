//! INFO memory: what is used, by whom, and what the allocator makes of it.

use super::Text;
use crate::cmd::server::memory::Overhead;
use crate::ctx::Ctx;

/// A size for people, as Redis writes it: `512B`, `1.50K`, `3.25M`.
pub(crate) fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.2}{}", UNITS[unit])
}

pub(super) fn memory(ctx: &mut Ctx<'_>, text: &mut Text) {
    let overhead = Overhead::of(ctx);
    let process = ctx.host.process();
    let used = overhead.used;
    let sized = |text: &mut Text, name: &str, bytes: u64| {
        text.field(name, bytes);
        text.field(&format!("{name}_human"), human(bytes));
    };
    text.heading("Memory");
    sized(text, "used_memory", used);
    sized(text, "used_memory_rss", process.rss);
    sized(text, "used_memory_peak", overhead.peak);
    text.field(
        "used_memory_peak_perc",
        format_args!("{:.2}%", overhead.peak_percentage()),
    );
    text.field("used_memory_overhead", overhead.total());
    text.field("used_memory_startup", overhead.startup);
    text.field("used_memory_dataset", overhead.dataset());
    text.field(
        "used_memory_dataset_perc",
        format_args!("{:.2}%", overhead.dataset_percentage()),
    );
    let allocator = ctx.host.allocator();
    text.numbers(&[
        ("allocator_allocated", allocator.allocated.into()),
        ("allocator_active", allocator.active.into()),
        ("allocator_resident", allocator.resident.into()),
        ("allocator_muzzy", allocator.muzzy.into()),
    ]);
    sized(text, "total_system_memory", process.total_system_memory);
    scripting(text);
    let limit = ctx.engine.settings.maxmemory;
    sized(text, "maxmemory", limit);
    text.field(
        "maxmemory_policy",
        ctx.engine.config.maxmemory_policy.as_str(),
    );
    overhead.write_fragmentation(text);
    let replication = &overhead.replication;
    text.numbers(&[
        (
            "mem_not_counted_for_evict",
            ctx.engine.uncounted_memory.into(),
        ),
        ("mem_replication_backlog", replication.backlog_bytes.into()),
        (
            "mem_total_replication_buffers",
            replication.total_buffers_bytes.into(),
        ),
        ("mem_clients_slaves", replication.replica_links_bytes.into()),
        ("mem_clients_normal", overhead.clients.into()),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", 0),
    ]);
    text.field("mem_allocator", ctx.host.allocator_name());
    let (pending, freed) = ctx.host.dropping();
    text.numbers(&[
        // The table grows bucket by bucket in place: there is never a second one.
        ("mem_overhead_db_hashtable_rehashing", 0),
        ("active_defrag_running", 0),
        ("lazyfree_pending_objects", pending.into()),
        ("lazyfreed_objects", freed.into()),
    ]);
}

/// Scripts and functions: none yet.
fn scripting(text: &mut Text) {
    text.words(&[
        ("used_memory_lua", "0"),
        ("used_memory_vm_eval", "0"),
        ("used_memory_lua_human", "0B"),
        ("used_memory_scripts_eval", "0"),
        ("number_of_cached_scripts", "0"),
        ("number_of_functions", "0"),
        ("number_of_libraries", "0"),
        ("used_memory_vm_functions", "0"),
        ("used_memory_vm_total", "0"),
        ("used_memory_vm_total_human", "0B"),
        ("used_memory_functions", "0"),
        ("used_memory_scripts", "0"),
        ("used_memory_scripts_human", "0B"),
    ]);
}

impl Overhead {
    fn write_fragmentation(&self, text: &mut Text) {
        for fragmentation in &self.fragmentation {
            text.field(
                fragmentation.info_ratio,
                format_args!("{:.2}", fragmentation.ratio),
            );
            text.field(fragmentation.info_bytes, fragmentation.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn sizes_read_as_redis_writes_them() {
        assert_eq!(human(0), "0B");
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(1536), "1.50K");
        assert_eq!(human(5 << 30), "5.00G");
        assert_eq!(human(u64::MAX), "16384.00P");
    }
}
