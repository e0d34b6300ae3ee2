//! What the AOF costs: throughput with `everysec` against none, and with `always` what 50 writers
//! reach and what 50 readers beside them feel.
//!
//! Readers are a closed loop, as the writers are; a second figure has them read at a moderate
//! pace, where waiting for somebody else's fsync would show most. Readers and writers share one
//! thread, which never waits, so that neither keeps the other from its core.

use super::Options;
use super::directory::DataDirectory;
use crate::compare::send_once;
use crate::interrupt;
use crate::load::{Load, Until};
use crate::paced::Paced;
use crate::parts::{Findings, Judgement, seconds};
use crate::servers::{Program, Server};
use crate::stock::{self, Stock};
use crate::table::{self, median, rate};
use crate::template::{Mix, Random};
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const EVERYSEC_COST_AT_MOST: f64 = 0.05;
const ALWAYS_THROUGHPUT_AT_LEAST: f64 = 1.0;
const READERS_P99_AT_MOST: f64 = 1.5;
const READS_PER_SECOND: u64 = 10_000;
const WARM_UP: Duration = Duration::from_millis(500);
const KEYS: u64 = 1_000_000;
const PREPARED: u64 = 500_000;
const WRITE: &str = "SET key:{rand:0-999999:12} {fill:32}";
const READ: &str = "GET key:{rand:0-999999:12}";

pub fn everysec(options: &Options) -> Result<Findings> {
    let mut rows = Vec::new();
    let mut costs = Vec::new();
    let mut report = Vec::new();
    for program in options.pair.programs() {
        let (without, with) = everysec_rates(options, program)
            .with_context(|| format!("everysec on {}", program.label))?;
        let (none, everysec) = (median(without.clone()), median(with.clone()));
        let cost = 1.0 - everysec / none;
        eprintln!(
            "{}: no AOF {}/s, everysec {}/s",
            program.label,
            rate(none),
            rate(everysec)
        );
        rows.push(vec![
            program.label.to_owned(),
            rate(none),
            rate(everysec),
            format!("{:.1} %", 100.0 * cost),
        ]);
        report.push(json!({ "server": program.label, "none": without, "everysec": with }));
        costs.push(cost);
    }
    let header = ["server", "no AOF/s", "everysec/s", "cost"];
    Ok(Findings {
        text: format!(
            "SET at P=1, {} connections, with `appendfsync everysec` and without AOF.\n\n{}",
            options.connections,
            table::render(&header, &rows)
        ),
        judgements: vec![Judgement::at_most(
            "everysec: share of the throughput it costs",
            costs[0],
            EVERYSEC_COST_AT_MOST,
        )],
        json: Value::Array(report),
    })
}

/// Writes per second of a server without and of one with AOF, in turns, round by round.
fn everysec_rates(options: &Options, program: &Program) -> Result<(Vec<f64>, Vec<f64>)> {
    let second = Program {
        port: program.port + 2,
        ..program.clone()
    };
    let directory = DataDirectory::create(&options.data_dir, program.label)?;
    let without = Server::start(program, &[])?;
    let with = start_with_aof(&second, &directory, "everysec")?;
    let mix = Mix::parse(&[WRITE])?;
    let stocks = stock::cycling(&mix, options.connections, PREPARED, 1, 1);
    let mut rates = (Vec::new(), Vec::new());
    for server in [&without, &with] {
        fill(server)?;
    }
    for round in 0..2 * options.rounds {
        // The order turns so that a drift of the machine hits both.
        let first_is_with = (round / 2 + round) % 2 == 1;
        let (server, into) = match first_is_with {
            true => (&with, &mut rates.1),
            false => (&without, &mut rates.0),
        };
        let mut load = Load::connect_cycling(server.address(), &stocks)?;
        load.run(Until::Elapsed(WARM_UP))?;
        let tally = load.run(Until::Elapsed(options.window))?;
        tally.ensure_no_errors()?;
        into.push(tally.replies_per_second());
        load.drain()?;
    }
    Ok(rates)
}

fn start_with_aof(program: &Program, directory: &DataDirectory, policy: &str) -> Result<Server> {
    let arguments = [
        "--dir",
        &directory.text(),
        "--appendonly",
        "yes",
        "--appendfsync",
        policy,
        // A rewrite in the middle would be measured with it.
        "--auto-aof-rewrite-percentage",
        "0",
    ];
    Server::start(program, &arguments)
}

fn fill(server: &Server) -> Result<()> {
    send_once(server, &["SET key:{seq:12} {fill:32}"], KEYS, 10, 64)?;
    Ok(())
}

/// What one round of `always` saw of one server; latencies in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Always {
    writes_alone: f64,
    writes_beside: f64,
    reads_alone: f64,
    reads_beside: f64,
    p99_alone: f64,
    p99_beside: f64,
    paced_p99_alone: f64,
    paced_p99_beside: f64,
}

struct Measured {
    label: &'static str,
    rounds: Vec<Always>,
}

impl Measured {
    fn median(&self, of: impl Fn(&Always) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }
}

pub fn always(options: &Options) -> Result<Findings> {
    let mut measured = Vec::new();
    for program in options.pair.programs() {
        let result = measure_always(options, program)
            .with_context(|| format!("always on {}", program.label))?;
        eprintln!(
            "{}: {}/s with always",
            result.label,
            rate(result.median(|round| round.writes_alone))
        );
        measured.push(result);
    }
    let (ours, theirs) = (&measured[0], &measured[1]);
    let judgements = vec![
        Judgement::at_least(
            "always: throughput of the writers, ours ÷ theirs",
            ours.median(|round| round.writes_alone) / theirs.median(|round| round.writes_alone),
            ALWAYS_THROUGHPUT_AT_LEAST,
        ),
        Judgement::at_most(
            "always: p99 of readers, with writers ÷ without",
            ours.median(|round| round.p99_beside / round.p99_alone),
            READERS_P99_AT_MOST,
        ),
    ];
    Ok(Findings {
        text: format!(
            "`appendfsync always`: {n} writers, {n} readers, each a closed loop at P=1; paced: the same \
             readers at {READS_PER_SECOND} reads/s in all, timed from when they were due.\n\n{}",
            render(&measured),
            n = options.connections,
        ),
        judgements,
        json: measured.iter().map(report).collect(),
    })
}

fn measure_always(options: &Options, program: &Program) -> Result<Measured> {
    let directory = DataDirectory::create(&options.data_dir, program.label)?;
    let server = start_with_aof(program, &directory, "always")?;
    fill(&server)?;
    let connect = |command: &str, seed: u64| -> Result<Load> {
        let mix = Mix::parse(&[command])?;
        let stocks = stock::cycling(&mix, options.connections, PREPARED, 1, seed);
        Load::connect_cycling(server.address(), &stocks)
    };
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let window = options.window;
        let mut readers = connect(READ, 1)?;
        let (reads_alone, p99_alone, _) = read_beside(&mut readers, None, window)?;
        readers.drain()?;
        let mut paced = paced_readers(&server, options.connections)?;
        paced.run_for(WARM_UP)?;
        let paced_p99_alone = paced.run_for(window)?.quantile_ms(0.99);

        let mut writers = connect(WRITE, 2)?;
        writers.run(Until::Elapsed(WARM_UP))?;
        let tally = writers.run(Until::Elapsed(window))?;
        tally.ensure_no_errors()?;
        let beside = &mut || writers.serve();
        paced.run(&mut |elapsed| elapsed >= WARM_UP, beside)?;
        let paced_p99_beside = paced
            .run(&mut |elapsed| elapsed >= window, beside)?
            .quantile_ms(0.99);
        let mut readers = connect(READ, 3)?;
        let (reads_beside, p99_beside, writes_beside) =
            read_beside(&mut readers, Some(&mut writers), window)?;
        rounds.push(Always {
            writes_alone: tally.replies_per_second(),
            writes_beside,
            reads_alone,
            reads_beside,
            p99_alone,
            p99_beside,
            paced_p99_alone,
            paced_p99_beside,
        });
    }
    Ok(Measured {
        label: program.label,
        rounds,
    })
}

fn paced_readers(server: &Server, connections: usize) -> Result<Paced> {
    let mix = Mix::parse(&[READ])?;
    let stock = Stock::prepare(&mix, PREPARED, 1, &mut Random::new(5));
    Paced::connect(server.address(), connections, stock, READS_PER_SECOND)
}

/// Readers for a window, with or without writers: reads/s, their p99 in milliseconds, writes/s.
fn read_beside(
    readers: &mut Load,
    mut writers: Option<&mut Load>,
    window: Duration,
) -> Result<(f64, f64, f64)> {
    serve_for(readers, &mut writers, WARM_UP)?;
    readers.record_latency()?;
    readers.take_counts();
    if let Some(writers) = &mut writers {
        writers.take_counts();
    }
    let elapsed = serve_for(readers, &mut writers, window)?;
    let count = |load: &mut Load| -> Result<u64> {
        let counts = load.take_counts();
        ensure!(
            counts.errors == 0,
            "an error reply: {:?}",
            counts.first_error
        );
        Ok(counts.replies)
    };
    let reads = count(readers)? as f64 / seconds(elapsed);
    let writes = writers.map_or(Ok(0), count)?;
    let p99_ms = readers.latency().map_or(f64::NAN, p99_ms);
    Ok((reads, p99_ms, writes as f64 / seconds(elapsed)))
}

fn serve_for(
    readers: &mut Load,
    writers: &mut Option<&mut Load>,
    time: Duration,
) -> Result<Duration> {
    let begin = Instant::now();
    while begin.elapsed() < time {
        interrupt::check()?;
        readers.serve()?;
        if let Some(writers) = writers {
            writers.serve()?;
        }
    }
    Ok(begin.elapsed())
}

fn p99_ms(latency: &Histogram<u64>) -> f64 {
    latency.value_at_quantile(0.99) as f64 / 1e6
}

fn render(measured: &[Measured]) -> String {
    let header = [
        "server",
        "writes/s",
        "beside readers",
        "reads/s",
        "beside writers",
        "p99 ms",
        "beside",
        "ratio",
        "paced p99 ms",
        "beside",
        "ratio",
    ];
    let rows: Vec<Vec<String>> = measured
        .iter()
        .map(|row| {
            vec![
                row.label.to_owned(),
                rate(row.median(|round| round.writes_alone)),
                rate(row.median(|round| round.writes_beside)),
                rate(row.median(|round| round.reads_alone)),
                rate(row.median(|round| round.reads_beside)),
                format!("{:.3}", row.median(|round| round.p99_alone)),
                format!("{:.3}", row.median(|round| round.p99_beside)),
                format!(
                    "{:.2}",
                    row.median(|round| round.p99_beside / round.p99_alone)
                ),
                format!("{:.3}", row.median(|round| round.paced_p99_alone)),
                format!("{:.3}", row.median(|round| round.paced_p99_beside)),
                format!(
                    "{:.2}",
                    row.median(|round| round.paced_p99_beside / round.paced_p99_alone)
                ),
            ]
        })
        .collect();
    table::render(&header, &rows)
}

fn report(measured: &Measured) -> Value {
    let rounds = measured.rounds.iter().map(|round| {
        json!({
            "writes_per_second": round.writes_alone,
            "writes_per_second_beside_readers": round.writes_beside,
            "reads_per_second": round.reads_alone,
            "reads_per_second_beside_writers": round.reads_beside,
            "p99_ms": round.p99_alone,
            "p99_ms_beside_writers": round.p99_beside,
            "paced_p99_ms": round.paced_p99_alone,
            "paced_p99_ms_beside_writers": round.paced_p99_beside,
        })
    });
    json!({ "server": measured.label, "rounds": rounds.collect::<Vec<Value>>() })
}
