//! What a write costs a primary and its replica together, and how far the replica lags.
//!
//! A closed loop of SETs at P=16 for a window; then the replica catches up, and only then the
//! processor time of both is read, so that what a laggard still owes is counted. Beside the load a
//! message is published at the primary every 20 ms; it travels in the stream, behind the writes
//! before it. From the primary's reply to the message at the replica's subscriber is the lag. The
//! replica and the load share a core, in both pairs.

use super::Options;
use super::pair::{catch_up, follow, start_primary, start_replica};
use crate::control::Control;
use crate::load::{Load, Until};
use crate::parts::{Findings, Judgement, seconds};
use crate::process::{CpuClock, CpuUsage};
use crate::servers::Program;
use crate::stock;
use crate::table::{self, median, rate};
use crate::template::Mix;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const CPU_RATIO_AT_MOST: f64 = 0.6;
const LAG_RATIO_AT_MOST: f64 = 1.0;
const PIPELINE: u64 = 16;
const PREPARED: u64 = 1_000_000;
const WRITE: &str = "SET key:{rand:0-999999:12} {fill:32}";
const WARM_UP: Duration = Duration::from_secs(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const CHANNEL: &str = "lag";

/// One window.
struct Round {
    sets: u64,
    elapsed: Duration,
    primary: CpuUsage,
    replica: CpuUsage,
    /// Milliseconds, one for each look.
    lags_ms: Vec<f64>,
    caught_up_after: Duration,
}

impl Round {
    fn user_us_per_set(&self) -> f64 {
        (self.primary.user_ns + self.replica.user_ns) / self.sets as f64 / 1e3
    }

    fn total_us_per_set(&self) -> f64 {
        (self.primary.total_ns() + self.replica.total_ns()) / self.sets as f64 / 1e3
    }

    fn per_second(&self) -> f64 {
        self.sets as f64 / seconds(self.elapsed)
    }
}

struct Measured {
    label: &'static str,
    rounds: Vec<Round>,
}

impl Measured {
    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }

    /// The middle look of the middle round.
    fn lag_ms(&self) -> f64 {
        self.median(|round| median(round.lags_ms.iter().copied()))
    }

    fn worst_lag_ms(&self) -> f64 {
        self.median(|round| round.lags_ms.iter().copied().fold(0.0, f64::max))
    }
}

pub fn run(options: &Options) -> Result<Findings> {
    let mut measured = Vec::new();
    for program in options.pair.programs() {
        let result = measure(options, program)
            .with_context(|| format!("the stream of {}", program.label))?;
        eprintln!(
            "{}: {}/s, user {:.3} µs a SET, lag {:.2} ms",
            result.label,
            rate(result.median(Round::per_second)),
            result.median(Round::user_us_per_set),
            result.lag_ms()
        );
        measured.push(result);
    }
    let text = format!(
        "SET at P={PIPELINE}, {} connections, to a primary with one replica; processor time of both.\n\n{}",
        options.connections,
        render(&measured)
    );
    Ok(Findings {
        text,
        judgements: judge(&measured[0], &measured[1]),
        json: measured.iter().map(report).collect(),
    })
}

fn measure(options: &Options, program: &Program) -> Result<Measured> {
    let primary = start_primary(options, program)?;
    let replica = start_replica(options, program)?;
    follow(&replica, program.port)?;
    let mix = Mix::parse(&[WRITE])?;
    let stocks = stock::cycling(&mix, options.connections, PREPARED, PIPELINE, 1);
    let mut controls = (primary.server.control()?, replica.server.control()?);
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let mut load = Load::connect_cycling(primary.server.address(), &stocks)?;
        load.run(Until::Elapsed(WARM_UP))?;
        let watch = LagWatch::start(primary.server.control()?, replica.server.control()?)?;
        let pids = [primary.server.pid(), replica.server.pid()];
        let before = [CpuClock::read(pids[0])?, CpuClock::read(pids[1])?];
        let tally = load.run(Until::Elapsed(options.window))?;
        let lags_ms = watch.finish()?;
        tally.ensure_no_errors()?;
        load.drain()?;
        let caught_up_after = catch_up(&mut controls.0, &mut controls.1)?;
        let usage = |index: usize| -> Result<CpuUsage> {
            Ok(CpuClock::read(pids[index])?.since(&before[index]))
        };
        rounds.push(Round {
            sets: tally.counts.replies,
            elapsed: tally.elapsed,
            primary: usage(0)?,
            replica: usage(1)?,
            lags_ms,
            caught_up_after,
        });
    }
    Ok(Measured {
        label: program.label,
        rounds,
    })
}

/// Publishes at the primary and listens at the replica, again and again.
struct LagWatch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<f64>>>,
}

impl LagWatch {
    fn start(mut primary: Control, mut replica: Control) -> Result<LagWatch> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen_by_thread = Arc::clone(&stop);
        replica.command(&["SUBSCRIBE", CHANNEL])?;
        let look = move || -> Result<Vec<f64>> {
            let mut lags_ms = Vec::new();
            while !seen_by_thread.load(Ordering::Relaxed) {
                primary.command(&["PUBLISH", CHANNEL, "now"])?;
                let published = Instant::now();
                replica.receive()?;
                lags_ms.push(1e3 * seconds(published.elapsed()));
                std::thread::sleep(BETWEEN_LOOKS);
            }
            Ok(lags_ms)
        };
        let thread = std::thread::Builder::new().name("lag".into()).spawn(look)?;
        Ok(LagWatch { stop, thread })
    }

    /// The lags in milliseconds.
    fn finish(self) -> Result<Vec<f64>> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(lags_ms) => lags_ms,
            Err(_) => bail!("the thread that watches the lag failed"),
        }
    }
}

fn judge(ours: &Measured, theirs: &Measured) -> Vec<Judgement> {
    let user = |pair: &Measured| pair.median(Round::user_us_per_set);
    vec![
        Judgement::at_most(
            "stream: user time of both per SET, ours ÷ theirs",
            user(ours) / user(theirs),
            CPU_RATIO_AT_MOST,
        ),
        Judgement::at_most(
            "stream: lag under that load, ours ÷ theirs",
            ours.lag_ms() / theirs.lag_ms(),
            LAG_RATIO_AT_MOST,
        ),
    ]
}

fn render(measured: &[Measured]) -> String {
    let header = [
        "servers",
        "SETs/s",
        "primary user µs",
        "replica user µs",
        "both user µs",
        "both total µs",
        "lag ms",
        "worst lag ms",
        "caught up after ms",
    ];
    let rows: Vec<Vec<String>> = measured
        .iter()
        .map(|row| {
            let per_set = |of: fn(&Round) -> f64| {
                format!(
                    "{:.3}",
                    row.median(|round| of(round) / round.sets as f64 / 1e3)
                )
            };
            vec![
                row.label.to_owned(),
                rate(row.median(Round::per_second)),
                per_set(|round| round.primary.user_ns),
                per_set(|round| round.replica.user_ns),
                format!("{:.3}", row.median(Round::user_us_per_set)),
                format!("{:.3}", row.median(Round::total_us_per_set)),
                format!("{:.2}", row.lag_ms()),
                format!("{:.2}", row.worst_lag_ms()),
                format!(
                    "{:.1}",
                    1e3 * row.median(|round| seconds(round.caught_up_after))
                ),
            ]
        })
        .collect();
    table::render(&header, &rows)
}

fn report(row: &Measured) -> Value {
    let rounds = row.rounds.iter().map(|round| {
        json!({
            "sets": round.sets,
            "per_second": round.per_second(),
            "primary_user_ns": round.primary.user_ns,
            "primary_system_ns": round.primary.system_ns,
            "replica_user_ns": round.replica.user_ns,
            "replica_system_ns": round.replica.system_ns,
            "lags_ms": round.lags_ms,
            "caught_up_after_seconds": seconds(round.caught_up_after),
        })
    });
    json!({ "servers": row.label, "rounds": rounds.collect::<Vec<Value>>() })
}
