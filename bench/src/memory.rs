//! `bench memory`: how much resident memory a key, a small collection and an idle client cost.
//!
//! Each row starts a fresh server, reads its resident size, fills it over one connection (so that
//! client buffers do not show), reads the size again and divides by the number of keys. Idle
//! connections are opened, pinged once and left alone.
//!
//! The size is read when it has stopped changing: background work may still free memory.

use crate::arguments::{self, Arguments};
use crate::compare::{Pair, send_once};
use crate::control::Control;
use crate::load_command::ensure_positive;
use crate::process::resident_bytes;
use crate::servers::{Program, Server};
use crate::{interrupt, pinning, table};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::time::Duration;

struct MemoryRow {
    name: &'static str,
    command: &'static str,
    /// Bytes per key that ours may need at most, where a number is demanded.
    limit_bytes: Option<f64>,
}

const MEMORY_ROWS: &[MemoryRow] = &[
    MemoryRow {
        name: "string",
        command: "SET key:{seq:12} {fill:32}",
        limit_bytes: Some(85.0),
    },
    MemoryRow {
        name: "string-ttl",
        command: "SET key:{seq:12} {fill:32} EX 36000",
        limit_bytes: None,
    },
    MemoryRow {
        name: "hash",
        command: "HSET key:{seq:12} field:0 {fill:8} field:1 {fill:8} field:2 {fill:8} \
                  field:3 {fill:8} field:4 {fill:8} field:5 {fill:8} field:6 {fill:8} \
                  field:7 {fill:8} field:8 {fill:8} field:9 {fill:8}",
        limit_bytes: None,
    },
    MemoryRow {
        name: "set",
        command: "SADD key:{seq:12} member:{rand:0-99} m1:{rand:0-99999} m2:{rand:0-99999} \
                  m3:{rand:0-99999} m4:{rand:0-99999} m5:{rand:0-99999} m6:{rand:0-99999} \
                  m7:{rand:0-99999} m8:{rand:0-99999} m9:{rand:0-99999}",
        limit_bytes: None,
    },
    MemoryRow {
        name: "intset",
        command: "SADD key:{seq:12} 1{rand:0-99999} 2{rand:0-99999} 3{rand:0-99999} \
                  4{rand:0-99999} 5{rand:0-99999} 6{rand:0-99999} 7{rand:0-99999} \
                  8{rand:0-99999} 9{rand:0-99999} 10{rand:0-99999}",
        limit_bytes: None,
    },
    MemoryRow {
        name: "zset",
        command: "ZADD key:{seq:12} 1{rand:0-99999} member:0 2{rand:0-99999} member:1 \
                  3{rand:0-99999} member:2 4{rand:0-99999} member:3 5{rand:0-99999} member:4 \
                  6{rand:0-99999} member:5 7{rand:0-99999} member:6 8{rand:0-99999} member:7 \
                  9{rand:0-99999} member:8 10{rand:0-99999} member:9",
        limit_bytes: None,
    },
];

/// Equal servers differ by this much from run to run.
const NOISE: f64 = 1.005;

const IDLE_ROW: &str = "idle-clients";
const IDLE_LIMIT_BYTES: f64 = 40e6;

/// Runs the rows; true if every limit holds.
pub fn run(mut arguments: Arguments) -> Result<bool> {
    let pair = Pair::take(&mut arguments)?;
    let keys = ensure_positive("--keys", arguments.value("--keys", 1_000_000)?)?;
    let clients: usize = arguments.value("--clients", 10_000)?;
    let only = arguments.text("--only")?.map(|text| arguments::list(&text));
    let json_path = arguments.text("--json")?;
    arguments.finish()?;
    check_names(only.as_deref())?;
    let chosen = |name: &str| {
        only.as_ref()
            .is_none_or(|names| names.iter().any(|chosen| chosen == name))
    };
    pinning::pin_to(pair.load_cpu)?;

    let mut results = Vec::new();
    for row in MEMORY_ROWS.iter().filter(|row| chosen(row.name)) {
        let mut per_key = [0.0; 2];
        for (bytes, program) in per_key.iter_mut().zip(pair.programs()) {
            *bytes = bytes_per_key(program, row, keys)
                .with_context(|| format!("row {} on {}", row.name, program.label))?;
        }
        results.push(Outcome::new(
            row.name,
            "bytes per key",
            per_key,
            row.limit_bytes,
        ));
    }
    if chosen(IDLE_ROW) {
        let mut growth = [0.0; 2];
        for (bytes, program) in growth.iter_mut().zip(pair.programs()) {
            *bytes = idle_clients_bytes(program, clients)
                .with_context(|| format!("idle clients on {}", program.label))?;
        }
        let limit = IDLE_LIMIT_BYTES * clients as f64 / 10_000.0;
        results.push(Outcome::new(IDLE_ROW, "bytes in all", growth, Some(limit)));
    }
    println!("{keys} keys, {clients} idle clients; growth of the resident size.\n");
    println!("{}", render(&results));
    if let Some(path) = json_path {
        let rows: Vec<Value> = results.iter().map(Outcome::json).collect();
        let text = serde_json::to_string_pretty(&json!({ "keys": keys, "rows": rows }))?;
        std::fs::write(&path, text + "\n").with_context(|| format!("write {path}"))?;
    }
    Ok(results.iter().all(Outcome::passes))
}

fn check_names(only: Option<&[String]>) -> Result<()> {
    for name in only.unwrap_or_default() {
        if name != IDLE_ROW && !MEMORY_ROWS.iter().any(|row| row.name == name) {
            let known: Vec<&str> = MEMORY_ROWS.iter().map(|row| row.name).collect();
            bail!(
                "no row {name:?}; there are {}, {IDLE_ROW}",
                known.join(", ")
            );
        }
    }
    Ok(())
}

struct Outcome {
    name: &'static str,
    unit: &'static str,
    ours: f64,
    theirs: f64,
    /// What ours may need: the number demanded, or what theirs needs, give or take the noise.
    limit: f64,
}

impl Outcome {
    fn new(
        name: &'static str,
        unit: &'static str,
        [ours, theirs]: [f64; 2],
        limit: Option<f64>,
    ) -> Outcome {
        let outcome = Outcome {
            name,
            unit,
            ours,
            theirs,
            limit: limit.unwrap_or(theirs * NOISE),
        };
        eprintln!("{name}: ours {ours:.0}, theirs {theirs:.0} {unit}");
        outcome
    }

    fn passes(&self) -> bool {
        self.ours <= self.limit
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "unit": self.unit, "ours": self.ours, "theirs": self.theirs,
            "at_most": self.limit, "passes": self.passes(),
        })
    }
}

fn render(results: &[Outcome]) -> String {
    let rows: Vec<Vec<String>> = results
        .iter()
        .map(|outcome| {
            vec![
                outcome.name.to_owned(),
                outcome.unit.to_owned(),
                format!("{:.1}", outcome.ours),
                format!("{:.1}", outcome.theirs),
                format!("{:.2}", outcome.ours / outcome.theirs),
                format!("<= {:.1}", outcome.limit),
                if outcome.passes() { "PASS" } else { "FAIL" }.to_owned(),
            ]
        })
        .collect();
    table::render(
        &[
            "test", "unit", "ours", "theirs", "ratio", "target", "result",
        ],
        &rows,
    )
}

fn bytes_per_key(program: &Program, row: &MemoryRow, keys: u64) -> Result<f64> {
    let server = Server::start(program, &[])?;
    // One small fill and a deletion first, so that the cost of the first client, of its buffers
    // and of the allocator's first blocks belongs to neither reading.
    send_once(&server, &[row.command], 100, 1, 64)?;
    server.control()?.command(&["FLUSHALL"])?;
    let before = settled_resident_bytes(&server)?;
    send_once(&server, &[row.command], keys, 1, 64)?;
    let after = settled_resident_bytes(&server)?;
    let Some(count) = key_count(&mut server.control()?)? else {
        bail!("DBSIZE is not a number");
    };
    ensure!(count == keys, "{count} keys after {keys} were written");
    Ok(after.saturating_sub(before) as f64 / keys as f64)
}

fn key_count(control: &mut Control) -> Result<Option<u64>> {
    match control.command(&["DBSIZE"])? {
        crate::control::Reply::Integer(count) => Ok(u64::try_from(count).ok()),
        _ => Ok(None),
    }
}

fn idle_clients_bytes(program: &Program, clients: usize) -> Result<f64> {
    ensure!(clients > 0, "--clients must be at least 1");
    raise_descriptor_limit(clients as u64 + 100)?;
    let limit = (clients + 100).to_string();
    let server = Server::start(program, &["--maxclients", &limit])?;
    server.control()?.command(&["PING"])?;
    let before = settled_resident_bytes(&server)?;
    let mut idle = Vec::with_capacity(clients);
    for _ in 0..clients {
        interrupt::check()?;
        let mut control = server.control()?;
        control.command(&["PING"])?;
        idle.push(control);
    }
    let after = settled_resident_bytes(&server)?;
    idle[clients - 1]
        .command(&["PING"])
        .context("the last client is not served")?;
    Ok(after.saturating_sub(before) as f64)
}

/// The resident size once it has been the same for a second; after 15 s whatever it is then.
fn settled_resident_bytes(server: &Server) -> Result<u64> {
    let mut last = resident_bytes(server.pid())?;
    let mut unchanged = 0;
    for _ in 0..60 {
        interrupt::check()?;
        std::thread::sleep(Duration::from_millis(250));
        let now = resident_bytes(server.pid())?;
        // A page more or less is the server's clock work.
        unchanged = if now.abs_diff(last) <= 64 * 1024 {
            unchanged + 1
        } else {
            0
        };
        last = now;
        if unchanged == 4 {
            break;
        }
    }
    Ok(last)
}

/// Both this process and the server, which inherits the limit, need a descriptor per client.
fn raise_descriptor_limit(needed: u64) -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let enough = needed + 64;
    if limit.current.is_none_or(|current| current >= enough) {
        return Ok(());
    }
    ensure!(
        limit.maximum.is_none_or(|maximum| maximum >= enough),
        "{enough} descriptors needed, {:?} allowed; use --clients",
        limit.maximum
    );
    limit.current = Some(enough);
    setrlimit(Resource::Nofile, limit).context("raise the limit of descriptors")
}
