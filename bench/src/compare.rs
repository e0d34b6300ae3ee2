//! `bench compare`: both servers side by side on every row, and whether the targets are met.
//!
//! For each data set both servers are started afresh on the same core and filled. A row is then
//! measured in rounds; in each round one server after the other, the order turning round by round
//! so that a drift of the machine hits both. A measurement is new connections, a warm-up, then a
//! window in which replies and the server's CPU time are read at both ends while requests keep
//! flowing. What is reported are medians over the rounds, per server, and their ratio.
//!
//! The server that is not measured is idle meanwhile. Two columns tell whether the throughput can
//! be believed: a server that had its core for much less than the whole window shared it with
//! strangers, and a load core that was busy all the time set the pace itself. `by CPU` is the
//! throughput ratio that the CPU times alone predict; it stands more noise.

use crate::arguments::{self, Arguments};
use crate::load::{Load, Tally, Until};
use crate::process::{self, CpuClock};
use crate::rows::{Dataset, ROWS, Row};
use crate::servers::{Program, Server, default_ours};
use crate::stock::{self, Stock};
use crate::template::Mix;
use crate::{pinning, table};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Options that all commands with two servers share.
#[derive(Debug, Clone)]
pub struct Pair {
    pub ours: Program,
    pub theirs: Program,
    pub load_cpu: usize,
}

impl Pair {
    pub fn take(arguments: &mut Arguments) -> Result<Pair> {
        let ours = match arguments.text("--ours")? {
            Some(text) => text,
            None => default_ours()?,
        };
        let theirs = arguments
            .text("--theirs")?
            .unwrap_or_else(|| "redis-server".into());
        let port: u16 = arguments.value("--port", 17130)?;
        let server_cpu = arguments.value("--server-cpu", 0)?;
        let load_cpu = arguments.value("--load-cpu", 1)?;
        ensure!(server_cpu != load_cpu, "server and load need a core each");
        let program = |label, text: &str, port| Program {
            label,
            words: text.split_ascii_whitespace().map(str::to_owned).collect(),
            port,
            cpu: server_cpu,
        };
        let next_port = port
            .checked_add(1)
            .context("--port leaves no room for a second port")?;
        Ok(Pair {
            ours: program("ours", &ours, port),
            theirs: program("theirs", &theirs, next_port),
            load_cpu,
        })
    }

    pub fn programs(&self) -> [&Program; 2] {
        [&self.ours, &self.theirs]
    }
}

struct Options {
    pair: Pair,
    rounds: usize,
    window: Duration,
    warm_up: Duration,
    connections: usize,
    prepared: u64,
    seed: u64,
    rows: Vec<&'static Row>,
    json_path: Option<String>,
}

impl Options {
    fn take(mut arguments: Arguments) -> Result<Options> {
        let seconds: f64 = arguments.value("--seconds", 2.0)?;
        let options = Options {
            pair: Pair::take(&mut arguments)?,
            rounds: arguments.value("--rounds", 3)?,
            window: arguments::seconds(seconds)?,
            warm_up: arguments::seconds((seconds / 5.0).max(0.2))?,
            connections: arguments.value("--connections", 50)?,
            prepared: arguments.value("--prepared", 1_000_000)?,
            seed: arguments.value("--seed", 1)?,
            rows: chosen_rows(arguments.text("--only")?.as_deref())?,
            json_path: arguments.text("--json")?,
        };
        arguments.finish()?;
        ensure!(
            options.rounds > 0 && options.connections > 0,
            "nothing to measure"
        );
        ensure!(seconds >= 0.1, "a window below 0.1 s says nothing");
        Ok(options)
    }
}

fn chosen_rows(only: Option<&str>) -> Result<Vec<&'static Row>> {
    let Some(only) = only else {
        return Ok(ROWS.iter().collect());
    };
    let names = arguments::list(only);
    for name in &names {
        if !ROWS.iter().any(|row| row.name == name) {
            let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            bail!("no row {name:?}; there are {}", known.join(", "));
        }
    }
    Ok(ROWS
        .iter()
        .filter(|row| names.iter().any(|name| name == row.name))
        .collect())
}

/// One window of one server.
#[derive(Debug, Clone, Copy)]
struct Sample {
    per_second: f64,
    user_us: f64,
    system_us: f64,
    /// Share of the window that the server ran.
    server_busy: f64,
    /// Share of the window that the load generator ran.
    load_busy: f64,
}

/// All rounds of one row.
struct Measured {
    row: &'static Row,
    ours: Vec<Sample>,
    theirs: Vec<Sample>,
}

impl Measured {
    fn ratio(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        table::median(self.ours.iter().map(&of)) / table::median(self.theirs.iter().map(&of))
    }

    fn throughput_ratio(&self) -> f64 {
        self.ratio(|sample| sample.per_second)
    }

    fn user_ratio(&self) -> f64 {
        self.ratio(|sample| sample.user_us)
    }

    /// What the throughput ratio would be if both servers had a whole core.
    fn cpu_ratio(&self) -> f64 {
        1.0 / self.ratio(|sample| sample.user_us + sample.system_us)
    }

    fn passes(&self) -> bool {
        self.throughput_ratio() >= self.row.throughput_at_least
            && self.user_ratio() <= self.row.user_cpu_at_most
    }
}

/// Runs the comparison; true if every row reached its target.
pub fn run(arguments: Arguments) -> Result<bool> {
    let options = Options::take(arguments)?;
    pinning::pin_to(options.pair.load_cpu)?;
    let mut measured = Vec::new();
    let mut versions = None;
    for rows in options.rows.chunk_by(|a, b| a.dataset == b.dataset) {
        let servers = start_filled(&options.pair, rows[0].dataset)?;
        if versions.is_none() {
            versions = Some([servers[0].version()?, servers[1].version()?]);
        }
        for &row in rows {
            let result = measure_row(&options, row, &servers)
                .with_context(|| format!("row {} failed", row.name))?;
            eprintln!("{}", progress_line(&result));
            measured.push(result);
        }
    }
    let [ours, theirs] = versions.context("no rows chosen")?;
    println!("{}", heading(&options, &ours, &theirs));
    println!("{}", render(&measured));
    let missed = measured.iter().filter(|result| !result.passes()).count();
    println!(
        "{} of {} rows reach their targets.",
        measured.len() - missed,
        measured.len()
    );
    warn_of_noise(&measured);
    if let Some(path) = &options.json_path {
        let text = serde_json::to_string_pretty(&report(&options, &ours, &theirs, &measured))?;
        std::fs::write(path, text + "\n").with_context(|| format!("write {path}"))?;
    }
    Ok(missed == 0)
}

/// Both servers, ours first, with the data set in place.
fn start_filled(pair: &Pair, dataset: &Dataset) -> Result<[Server; 2]> {
    let start = |program: &Program| -> Result<Server> {
        let server = Server::start(program, &[])?;
        fill(&server, dataset).with_context(|| format!("fill {}", program.label))?;
        Ok(server)
    };
    eprintln!("filling both servers: {}", dataset.name);
    Ok([start(&pair.ours)?, start(&pair.theirs)?])
}

fn fill(server: &Server, dataset: &Dataset) -> Result<()> {
    for fill in dataset.fills {
        send_once(server, &[fill.command], fill.count, 10, 64)?;
    }
    Ok(())
}

/// Sends the requests numbered 0 to `count` once, failing on any error reply.
pub fn send_once(
    server: &Server,
    commands: &[&str],
    count: u64,
    connections: usize,
    pipeline: u64,
) -> Result<Tally> {
    let mix = Arc::new(Mix::parse(commands)?);
    let supplies = stock::generating(&mix, connections, count, pipeline, 7);
    let mut load = Load::connect(server.address(), supplies)?;
    let tally = load.run(Until::Exhausted)?;
    tally.ensure_no_errors()?;
    ensure!(
        tally.counts.replies == count,
        "{} replies to {count}",
        tally.counts.replies
    );
    Ok(tally)
}

fn measure_row(options: &Options, row: &'static Row, servers: &[Server; 2]) -> Result<Measured> {
    let mix = Mix::parse(&[row.command])?;
    let stocks = stock::cycling(
        &mix,
        options.connections,
        options.prepared,
        row.pipeline,
        options.seed,
    );
    let mut measured = Measured {
        row,
        ours: Vec::new(),
        theirs: Vec::new(),
    };
    for round in 0..options.rounds {
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for index in order {
            let sample = measure(options, row, &servers[index], &stocks)
                .with_context(|| format!("on {}", options.pair.programs()[index].label))?;
            match index {
                0 => measured.ours.push(sample),
                _ => measured.theirs.push(sample),
            }
        }
    }
    Ok(measured)
}

fn measure(options: &Options, row: &Row, server: &Server, stocks: &[Arc<Stock>]) -> Result<Sample> {
    if let Some(words) = row.before_round {
        server.control()?.command(words)?;
    }
    let mut load = Load::connect_cycling(server.address(), stocks)?;
    check(row, &load.run(Until::Elapsed(options.warm_up))?)?;

    let server_before = CpuClock::read(server.pid())?;
    let load_before_ns = process::thread_cpu_ns();
    let tally = load.run(Until::Elapsed(options.window))?;
    let load_ns = process::thread_cpu_ns() - load_before_ns;
    let usage = CpuClock::read(server.pid())?.since(&server_before);

    check(row, &tally)?;
    load.drain()?;
    let replies = tally.counts.replies as f64;
    let window_ns = tally.elapsed.as_nanos() as f64;
    Ok(Sample {
        per_second: tally.replies_per_second(),
        user_us: usage.user_ns / replies / 1e3,
        system_us: usage.system_ns / replies / 1e3,
        server_busy: usage.total_ns() / window_ns,
        load_busy: load_ns as f64 / window_ns,
    })
}

fn check(row: &Row, tally: &Tally) -> Result<()> {
    tally.ensure_no_errors()?;
    ensure!(tally.counts.replies > 0, "no reply came back");
    ensure!(
        row.nulls_allowed || tally.counts.nulls == 0,
        "{} of {} replies were null: data is missing",
        tally.counts.nulls,
        tally.counts.replies
    );
    Ok(())
}

fn progress_line(measured: &Measured) -> String {
    format!(
        "{:<15} throughput x{:.2} (by CPU x{:.2}), user CPU x{:.2}: {}",
        measured.row.name,
        measured.throughput_ratio(),
        measured.cpu_ratio(),
        measured.user_ratio(),
        verdict(measured)
    )
}

fn verdict(measured: &Measured) -> &'static str {
    if measured.passes() { "PASS" } else { "FAIL" }
}

fn heading(options: &Options, ours: &str, theirs: &str) -> String {
    format!(
        "{ours} against {theirs}; {}; {} connections, {} rounds of {:.1} s; \
         server on core {}, load on core {}. Ratios are ours to theirs.\n",
        process::cpu_model(),
        options.connections,
        options.rounds,
        options.window.as_secs_f64(),
        options.pair.ours.cpu,
        options.pair.load_cpu
    )
}

fn render(measured: &[Measured]) -> String {
    let header = [
        "test",
        "ours/s",
        "theirs/s",
        "ratio",
        "target",
        "by CPU",
        "user µs",
        "theirs",
        "ratio",
        "target",
        "sys µs",
        "theirs",
        "server busy",
        "load busy",
        "result",
    ];
    let rows: Vec<Vec<String>> = measured.iter().map(cells).collect();
    table::render(&header, &rows)
}

/// The cells of one row, in the order of the header above.
fn cells(measured: &Measured) -> Vec<String> {
    let ours = |of: fn(&Sample) -> f64| table::median(measured.ours.iter().map(of));
    let theirs = |of: fn(&Sample) -> f64| table::median(measured.theirs.iter().map(of));
    vec![
        measured.row.name.to_owned(),
        table::rate(ours(|sample| sample.per_second)),
        table::rate(theirs(|sample| sample.per_second)),
        format!("{:.2}", measured.throughput_ratio()),
        format!(">= {}", measured.row.throughput_at_least),
        format!("{:.2}", measured.cpu_ratio()),
        format!("{:.2}", ours(|sample| sample.user_us)),
        format!("{:.2}", theirs(|sample| sample.user_us)),
        format!("{:.2}", measured.user_ratio()),
        format!("<= {}", measured.row.user_cpu_at_most),
        format!("{:.2}", ours(|sample| sample.system_us)),
        format!("{:.2}", theirs(|sample| sample.system_us)),
        percentages(
            ours(|sample| sample.server_busy),
            theirs(|sample| sample.server_busy),
        ),
        percentages(
            ours(|sample| sample.load_busy),
            theirs(|sample| sample.load_busy),
        ),
        verdict(measured).to_owned(),
    ]
}

/// Below this share of the window the server did not have its core to itself.
const SERVER_BUSY_AT_LEAST: f64 = 0.9;
/// Above this share the load generator was at its own limit.
const LOAD_BUSY_AT_MOST: f64 = 0.95;

fn warn_of_noise(measured: &[Measured]) {
    let rows_where = |doubtful: fn(&Sample) -> bool| -> String {
        let rows = measured.iter().filter(|result| {
            let doubts = |samples: &[Sample]| {
                samples.iter().filter(|sample| doubtful(sample)).count() * 2 > samples.len()
            };
            doubts(&result.ours) || doubts(&result.theirs)
        });
        rows.map(|result| result.row.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let saturated = rows_where(|sample| sample.load_busy > LOAD_BUSY_AT_MOST);
    if !saturated.is_empty() {
        println!("The load generator was at its own limit in: {saturated}.");
    }
    let shared = rows_where(|sample| {
        sample.server_busy < SERVER_BUSY_AT_LEAST && sample.load_busy <= LOAD_BUSY_AT_MOST
    });
    if !shared.is_empty() {
        println!("A server did not have its core to itself in: {shared}; see `by CPU` there.");
    }
}

fn percentages(ours: f64, theirs: f64) -> String {
    format!("{:.0}/{:.0} %", 100.0 * ours, 100.0 * theirs)
}

fn report(options: &Options, ours: &str, theirs: &str, measured: &[Measured]) -> Value {
    let samples = |samples: &[Sample]| -> Vec<Value> {
        let value = |sample: &Sample| {
            json!({
                "requests_per_second": sample.per_second,
                "user_us_per_request": sample.user_us,
                "system_us_per_request": sample.system_us,
                "server_busy": sample.server_busy,
                "load_busy": sample.load_busy,
            })
        };
        samples.iter().map(value).collect()
    };
    let rows: Vec<Value> = measured
        .iter()
        .map(|result| {
            json!({
                "name": result.row.name,
                "command": result.row.command,
                "pipeline": result.row.pipeline,
                "dataset": result.row.dataset.name,
                "throughput_ratio": result.throughput_ratio(),
                "throughput_ratio_by_cpu": result.cpu_ratio(),
                "throughput_at_least": result.row.throughput_at_least,
                "user_cpu_ratio": result.user_ratio(),
                "user_cpu_at_most": result.row.user_cpu_at_most,
                "passes": result.passes(),
                "ours": samples(&result.ours),
                "theirs": samples(&result.theirs),
            })
        })
        .collect();
    json!({
        "ours": ours,
        "theirs": theirs,
        "cpu": process::cpu_model(),
        "connections": options.connections,
        "rounds": options.rounds,
        "window_seconds": options.window.as_secs_f64(),
        "seed": options.seed,
        "rows": rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[(f64, f64)]) -> Vec<Sample> {
        let sample = |&(per_second, user_us)| Sample {
            per_second,
            user_us,
            system_us: 1.0,
            server_busy: 1.0,
            load_busy: 0.5,
        };
        values.iter().map(sample).collect()
    }

    #[test]
    fn a_row_passes_only_with_both_targets_met() {
        let row = ROWS.iter().find(|row| row.name == "get-p16").unwrap();
        let theirs = samples(&[(100.0, 1.0), (90.0, 1.0), (500.0, 9.0)]);
        let check = |ours: &[(f64, f64)]| {
            Measured {
                row,
                ours: samples(ours),
                theirs: theirs.clone(),
            }
            .passes()
        };
        assert!(check(&[(125.0, 0.6)]));
        assert!(!check(&[(124.0, 0.6)]));
        assert!(!check(&[(125.0, 0.61)]));
    }

    #[test]
    fn unknown_rows_are_refused() {
        assert!(chosen_rows(Some("get-p1,nonsense")).is_err());
        assert_eq!(chosen_rows(Some("set-p1,get-p1")).unwrap().len(), 2);
    }
}
