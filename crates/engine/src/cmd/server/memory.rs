//! MEMORY, and the account of who uses memory that INFO memory shows too.
//!
//! MEMORY USAGE needs no sampling: containers know their size, so SAMPLES is checked and not needed.

use super::info::human;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, texts};
use crate::host::ReplicationInfo;
use keyspace::Keyspace;

/// A key's share of its table: one tagged pointer.
const TABLE_SHARE_BYTES: usize = 8;
/// Too little data to judge anything by.
const LITTLE_BYTES: u64 = 5 << 20;

/// One way to look at memory that is held and not used, under its names in INFO and MEMORY STATS.
pub(super) struct Fragmentation {
    pub info_ratio: &'static str,
    pub info_bytes: &'static str,
    stats_ratio: &'static str,
    stats_bytes: &'static str,
    pub ratio: f64,
    pub bytes: i64,
}

impl Fragmentation {
    fn new(names: [&'static str; 4], held: u64, used: u64) -> Fragmentation {
        let [info_ratio, info_bytes, stats_ratio, stats_bytes] = names;
        let ratio = if used == 0 {
            0.0
        } else {
            held as f64 / used as f64
        };
        Fragmentation {
            info_ratio,
            info_bytes,
            stats_ratio,
            stats_bytes,
            ratio,
            bytes: held as i64 - used as i64,
        }
    }
}

struct DbOverhead {
    number: u32,
    keys: u64,
    table: u64,
    expiry_index: u64,
}

impl DbOverhead {
    /// Of all databases that are not empty.
    fn of_all(keyspace: &Keyspace) -> Vec<DbOverhead> {
        (0..keyspace.db_count() as u32)
            .map(|number| (number, keyspace.db(number)))
            .filter(|(_, db)| !db.is_empty())
            .map(|(number, db)| DbOverhead {
                number,
                keys: db.len() as u64,
                table: db.table_bytes() as u64,
                expiry_index: db.expiry_index_bytes() as u64,
            })
            .collect()
    }
}

/// Who uses memory, in bytes.
pub(super) struct Overhead {
    pub used: u64,
    pub peak: u64,
    pub startup: u64,
    pub clients: u64,
    pub replication: ReplicationInfo,
    databases: Vec<DbOverhead>,
    pub fragmentation: [Fragmentation; 4],
}

impl Overhead {
    pub fn of(ctx: &mut Ctx<'_>) -> Overhead {
        let used = ctx.host.used_memory();
        let stats = &mut ctx.engine.stats;
        stats.peak_memory = stats.peak_memory.max(used);
        let peak = stats.peak_memory;
        let allocator = ctx.host.allocator();
        let rss = ctx.host.process().rss;
        let replication = ctx.host.replication_info(ctx.engine);
        let sessions = ctx.engine.sessions.iter().chain([&*ctx.session]);
        Overhead {
            used,
            peak,
            startup: ctx.engine.startup_memory,
            clients: sessions.map(|session| session.memory_bytes() as u64).sum(),
            replication,
            databases: DbOverhead::of_all(&ctx.engine.keyspace),
            fragmentation: [
                Fragmentation::new(
                    [
                        "allocator_frag_ratio",
                        "allocator_frag_bytes",
                        "allocator-fragmentation.ratio",
                        "allocator-fragmentation.bytes",
                    ],
                    allocator.active,
                    allocator.allocated,
                ),
                Fragmentation::new(
                    [
                        "allocator_rss_ratio",
                        "allocator_rss_bytes",
                        "allocator-rss.ratio",
                        "allocator-rss.bytes",
                    ],
                    allocator.resident,
                    allocator.active,
                ),
                Fragmentation::new(
                    [
                        "rss_overhead_ratio",
                        "rss_overhead_bytes",
                        "rss-overhead.ratio",
                        "rss-overhead.bytes",
                    ],
                    rss,
                    allocator.resident,
                ),
                Fragmentation::new(
                    [
                        "mem_fragmentation_ratio",
                        "mem_fragmentation_bytes",
                        "fragmentation",
                        "fragmentation.bytes",
                    ],
                    rss,
                    used,
                ),
            ],
        }
    }

    fn keys(&self) -> u64 {
        self.databases.iter().map(|db| db.keys).sum()
    }

    fn tables(&self) -> u64 {
        self.databases
            .iter()
            .map(|db| db.table + db.expiry_index)
            .sum()
    }

    /// All that is not the data set itself.
    pub fn total(&self) -> u64 {
        let replication = self.replication.backlog_bytes + self.replication.replica_links_bytes;
        self.startup + self.clients + replication + self.tables()
    }

    pub fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.total())
    }

    /// Of what was allocated since the start.
    pub fn dataset_percentage(&self) -> f64 {
        percentage(self.dataset(), self.used.saturating_sub(self.startup))
    }

    pub fn peak_percentage(&self) -> f64 {
        percentage(self.used, self.peak)
    }
}

fn percentage(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 * 100.0 / whole as f64
    }
}

pub fn memory_usage(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut options = args[3..].iter();
    while let Some(option) = options.next() {
        let samples = options
            .next()
            .filter(|_| option.eq_ignore_ascii_case(b"samples"))
            .ok_or(texts::SYNTAX)?;
        if resp::parse_i64(samples).ok_or(texts::NOT_AN_INTEGER)? < 0 {
            return Err(texts::SYNTAX);
        }
    }
    match ctx.engine.keyspace.peek(ctx.session.db, args[2]) {
        Some(entry) => ctx
            .out
            .integer((entry.heap_bytes() + TABLE_SHARE_BYTES) as i64),
        None => ctx.out.null(),
    }
    Ok(())
}

pub fn memory_stats(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    let overhead = Overhead::of(ctx);
    let allocator = ctx.host.allocator();
    let out = &mut *ctx.out;
    let reply = out.defer();
    let mut count = 0;
    let mut number = |out: &mut resp::Writer, name: &str, value: u64| {
        out.bulk(name.as_bytes());
        out.integer(value as i64);
        count += 1;
    };
    number(out, "peak.allocated", overhead.peak);
    number(out, "total.allocated", overhead.used);
    number(out, "startup.allocated", overhead.startup);
    let replication = &overhead.replication;
    number(out, "replication.backlog", replication.backlog_bytes);
    number(out, "clients.slaves", replication.replica_links_bytes);
    number(out, "clients.normal", overhead.clients);
    number(out, "cluster.links", 0);
    number(out, "aof.buffer", 0);
    number(out, "lua.caches", 0);
    number(out, "functions.caches", 0);
    number(out, "overhead.db.hashtable.lut", overhead.tables());
    number(out, "overhead.db.hashtable.rehashing", 0);
    number(out, "db.dict.rehashing.count", 0);
    number(out, "overhead.total", overhead.total());
    number(out, "keys.count", overhead.keys());
    let grown = overhead.used.saturating_sub(overhead.startup);
    number(
        out,
        "keys.bytes-per-key",
        grown.checked_div(overhead.keys()).unwrap_or(0),
    );
    number(out, "dataset.bytes", overhead.dataset());
    number(out, "allocator.allocated", allocator.allocated);
    number(out, "allocator.active", allocator.active);
    number(out, "allocator.resident", allocator.resident);
    number(out, "allocator.muzzy", allocator.muzzy);
    for db in &overhead.databases {
        out.bulk(format!("db.{}", db.number).as_bytes());
        out.map(2);
        out.bulk(b"overhead.hashtable.main");
        out.integer(db.table as i64);
        out.bulk(b"overhead.hashtable.expires");
        out.integer(db.expiry_index as i64);
    }
    out.bulk(b"dataset.percentage");
    out.double(overhead.dataset_percentage());
    out.bulk(b"peak.percentage");
    out.double(overhead.peak_percentage());
    for fragmentation in &overhead.fragmentation {
        out.bulk(fragmentation.stats_ratio.as_bytes());
        out.double(fragmentation.ratio);
        out.bulk(fragmentation.stats_bytes.as_bytes());
        out.integer(fragmentation.bytes);
    }
    out.fill_map(
        reply,
        count + overhead.databases.len() + 2 + 2 * overhead.fragmentation.len(),
    );
    Ok(())
}

pub fn memory_doctor(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    let overhead = Overhead::of(ctx);
    ctx.out.verbatim(
        &diagnosis(&overhead, ctx.engine.sessions.len() as u64),
        "txt",
    );
    Ok(())
}

fn diagnosis(overhead: &Overhead, clients: u64) -> String {
    if overhead.used < LITTLE_BYTES {
        return "This instance holds very little data; there is nothing to judge yet. Ask again when it is in use.\n"
            .into();
    }
    let [_, _, process, total] = &overhead.fragmentation;
    let mut found = String::new();
    if overhead.peak as f64 > overhead.used as f64 * 1.5 {
        found += &format!(
            " * Peak memory: {} were in use once, now it is {}. Pages of that time may still be held; MEMORY PURGE \
             gives back what it can.\n",
            human(overhead.peak),
            human(overhead.used)
        );
    }
    if total.ratio > 1.4 && total.bytes > 10 << 20 {
        found += &format!(
            " * Fragmentation: the process holds {:.2} times what is in use ({} more).\n",
            total.ratio,
            human(total.bytes.unsigned_abs())
        );
    }
    if process.ratio > 1.1 && process.bytes > 10 << 20 {
        found += &format!(
            " * Memory outside of the allocator: {} of the process are not the data set's.\n",
            human(process.bytes.unsigned_abs())
        );
    }
    if overhead
        .clients
        .checked_div(clients)
        .is_some_and(|each| each > 200 << 10)
    {
        found += &format!(
            " * Client buffers: {clients} connections take {}. Look for clients that do not read their replies \
             (CLIENT LIST, omem).\n",
            human(overhead.clients)
        );
    }
    match found.is_empty() {
        true => "No memory problem was found in this instance.\n".into(),
        false => format!("These things about memory deserve a look:\n\n{found}"),
    }
}

pub fn memory_purge(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.host.purge_allocator();
    ctx.out.ok();
    Ok(())
}

pub fn memory_malloc_stats(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.out.verbatim(&ctx.host.allocator_report(), "txt");
    Ok(())
}

pub fn memory_help(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    crate::cmd::help(
        ctx,
        "MEMORY",
        &[
            "DOCTOR",
            "    Say in words what is unusual about the memory in use.",
            "MALLOC-STATS",
            "    Show the allocator's own report.",
            "PURGE",
            "    Give unused pages back to the system.",
            "STATS",
            "    Show who uses how much memory.",
            "USAGE <key> [SAMPLES <count>]",
            "    Show the bytes that a key and its value take. The figure is exact; SAMPLES is accepted and not needed.",
        ],
    )
}
