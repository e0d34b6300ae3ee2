//! A background save of many small keys under a paced write load: what it costs in memory, in
//! latency and in time, and whether the load is served meanwhile.
//!
//! Each round is a save followed by an idle window of the same length, both under the same load
//! and with the same INFO requests beside it, so that the worst of as many requests is compared.
//! Memory is watched in a round of its own, because watching it is felt (see `footprint`).

use super::Options;
use super::directory::{DataDirectory, background_save};
use crate::compare::send_once;
use crate::control::Control;
use crate::footprint::{Watch, tree_bytes};
use crate::paced::{Paced, Window};
use crate::parts::{Findings, Judgement, megabytes, seconds};
use crate::servers::{Program, Server};
use crate::stock::Stock;
use crate::table::{self, median};
use crate::template::{Mix, Random};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const MEMORY_AT_MOST: f64 = 1.1;
const WORSE_BY_MS_AT_MOST: f64 = 2.0;
const TIME_RATIO_AT_MOST: f64 = 1.5;
const RATE_KEPT_AT_LEAST: f64 = 0.8;
/// The load before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// A save of few keys is over before its worst moment means anything.
const IDLE_AT_LEAST: Duration = Duration::from_secs(1);
/// Requests rendered before the clock starts.
const PREPARED: u64 = 1_000_000;

/// One save and the idle window after it.
struct Round {
    save_time: Duration,
    saving: Window,
    idle: Window,
}

impl Round {
    fn worse_by_ms(&self) -> f64 {
        self.saving.worst_ms() - self.idle.worst_ms()
    }

    fn rate_kept(&self) -> f64 {
        self.saving.per_second() / self.idle.per_second()
    }
}

/// One server with one number of keys.
struct Measured {
    label: &'static str,
    keys: u64,
    before_bytes: u64,
    peak_bytes: u64,
    dump_bytes: u64,
    rounds: Vec<Round>,
}

impl Measured {
    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }

    fn memory_ratio(&self) -> f64 {
        self.peak_bytes as f64 / self.before_bytes as f64
    }

    fn save_seconds(&self) -> f64 {
        self.median(|round| seconds(round.save_time))
    }
}

pub fn run(options: &Options) -> Result<Findings> {
    let mut measured = Vec::new();
    let mut judgements = Vec::new();
    for &keys in &options.key_counts {
        let mut pair = Vec::new();
        for program in options.pair.programs() {
            let result = measure(options, program, keys)
                .with_context(|| format!("save {keys} keys on {}", program.label))?;
            eprintln!("{}", progress_line(&result));
            pair.push(result);
        }
        judgements.extend(judge(&pair[0], &pair[1]));
        measured.extend(pair);
    }
    let text = format!(
        "Background save under {} writes/s (P=1, open loop, {} connections); memory: all processes, \
         proportional; worst: of the median round.\n\n{}",
        options.rate,
        options.connections,
        render(&measured)
    );
    Ok(Findings {
        text,
        judgements,
        json: measured.iter().map(report).collect(),
    })
}

fn measure(options: &Options, program: &Program, keys: u64) -> Result<Measured> {
    eprintln!("{}: filling {keys} keys", program.label);
    let directory = DataDirectory::create(&options.data_dir, program.label)?;
    let server = Server::start(program, &["--dir", &directory.text()])?;
    send_once(&server, &["SET key:{seq:12} {fill:32}"], keys, 10, 64)?;
    let mut paced = Paced::connect(
        server.address(),
        options.connections,
        overwrites(keys)?,
        options.rate,
    )?;
    paced.run_for(WARM_UP)?;

    let before_bytes = tree_bytes(server.pid())?;
    let watch = Watch::start(server.pid())?;
    under_save(&mut paced, server.control()?)?;
    let peak_bytes = watch.finish()?;
    let dump_bytes = std::fs::metadata(directory.path().join("dump.rdb"))?.len();

    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        paced.run_for(WARM_UP)?;
        let (save_time, saving) = under_save(&mut paced, server.control()?)?;
        paced.run_for(WARM_UP)?;
        let idle = idle(&mut paced, server.control()?, save_time.max(IDLE_AT_LEAST))?;
        rounds.push(Round {
            save_time,
            saving,
            idle,
        });
    }
    Ok(Measured {
        label: program.label,
        keys,
        before_bytes,
        peak_bytes,
        dump_bytes,
        rounds,
    })
}

/// Writes to random keys of all that exist.
fn overwrites(keys: u64) -> Result<Stock> {
    let mix = Mix::parse(&[format!("SET key:{{rand:0-{}:12}} {{fill:32}}", keys - 1)])?;
    Ok(Stock::prepare(&mix, PREPARED, 1, &mut Random::new(1)))
}

/// The load from the beginning of a save to its end.
fn under_save(paced: &mut Paced, mut control: Control) -> Result<(Duration, Window)> {
    let is_done = Arc::new(AtomicBool::new(false));
    let seen_by_thread = Arc::clone(&is_done);
    let saver: JoinHandle<Result<Duration>> = std::thread::Builder::new()
        .name("saver".into())
        .spawn(move || {
            let saved = background_save(&mut control);
            // Also on an error, or the load would go on for ever.
            seen_by_thread.store(true, Ordering::Relaxed);
            saved
        })?;
    let window = paced.run(&mut |_| is_done.load(Ordering::Relaxed), &mut || Ok(()));
    match saver.join() {
        Ok(saved) => Ok((saved?, window?)),
        Err(_) => bail!("the thread that saves failed"),
    }
}

/// The load without a save, with the requests that watch one.
fn idle(paced: &mut Paced, mut control: Control, time: Duration) -> Result<Window> {
    let asker: JoinHandle<Result<()>> =
        std::thread::Builder::new()
            .name("asker".into())
            .spawn(move || {
                let begin = Instant::now();
                while begin.elapsed() < time {
                    control.info("persistence", "rdb_bgsave_in_progress")?;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(())
            })?;
    let window = paced.run_for(time);
    match asker.join() {
        Ok(asked) => asked.and(window),
        Err(_) => bail!("the thread that asks failed"),
    }
}

fn judge(ours: &Measured, theirs: &Measured) -> Vec<Judgement> {
    let keys = millions(ours.keys);
    vec![
        Judgement::at_most(
            format!("save {keys}: peak memory, ours ÷ before"),
            ours.memory_ratio(),
            MEMORY_AT_MOST,
        ),
        Judgement::at_most(
            format!("save {keys}: worst write beyond idle, ms"),
            ours.median(Round::worse_by_ms),
            WORSE_BY_MS_AT_MOST,
        ),
        Judgement::at_most(
            format!("save {keys}: time, ours ÷ theirs"),
            ours.save_seconds() / theirs.save_seconds(),
            TIME_RATIO_AT_MOST,
        ),
        Judgement::at_least(
            format!("save {keys}: share of the writes served meanwhile"),
            ours.median(Round::rate_kept),
            RATE_KEPT_AT_LEAST,
        ),
    ]
}

fn millions(keys: u64) -> String {
    format!("{} M", keys as f64 / 1e6)
}

fn progress_line(measured: &Measured) -> String {
    format!(
        "{}: {} keys saved in {:.2} s, memory x{:.2}, worst write {:.2} ms (idle {:.2} ms)",
        measured.label,
        measured.keys,
        measured.save_seconds(),
        measured.memory_ratio(),
        measured.median(|round| round.saving.worst_ms()),
        measured.median(|round| round.idle.worst_ms()),
    )
}

fn render(measured: &[Measured]) -> String {
    let header = [
        "server",
        "keys",
        "save s",
        "dump MB",
        "before MB",
        "peak MB",
        "ratio",
        "idle p99 ms",
        "idle p99.9",
        "idle worst",
        "save p99 ms",
        "save p99.9",
        "save worst",
        "beyond idle",
        "writes kept",
    ];
    let rows: Vec<Vec<String>> = measured.iter().map(cells).collect();
    table::render(&header, &rows)
}

/// The cells of one server, in the order of the header above.
fn cells(measured: &Measured) -> Vec<String> {
    let idle = |of: fn(&Window) -> f64| format!("{:.2}", measured.median(|round| of(&round.idle)));
    let saving =
        |of: fn(&Window) -> f64| format!("{:.2}", measured.median(|round| of(&round.saving)));
    vec![
        measured.label.to_owned(),
        millions(measured.keys),
        format!("{:.2}", measured.save_seconds()),
        format!("{:.0}", megabytes(measured.dump_bytes)),
        format!("{:.0}", megabytes(measured.before_bytes)),
        format!("{:.0}", megabytes(measured.peak_bytes)),
        format!("{:.2}", measured.memory_ratio()),
        idle(|window| window.quantile_ms(0.99)),
        idle(|window| window.quantile_ms(0.999)),
        idle(Window::worst_ms),
        saving(|window| window.quantile_ms(0.99)),
        saving(|window| window.quantile_ms(0.999)),
        saving(Window::worst_ms),
        format!("{:.2}", measured.median(Round::worse_by_ms)),
        format!("{:.0} %", 100.0 * measured.median(Round::rate_kept)),
    ]
}

fn report(measured: &Measured) -> Value {
    let window = |window: &Window| {
        json!({
            "per_second": window.per_second(),
            "p50_ms": window.quantile_ms(0.5),
            "p99_ms": window.quantile_ms(0.99),
            "p999_ms": window.quantile_ms(0.999),
            "worst_ms": window.worst_ms(),
        })
    };
    let rounds = measured.rounds.iter().map(|round| {
        json!({
            "save_seconds": seconds(round.save_time),
            "saving": window(&round.saving),
            "idle": window(&round.idle),
        })
    });
    json!({
        "server": measured.label, "keys": measured.keys, "dump_bytes": measured.dump_bytes,
        "before_bytes": measured.before_bytes, "peak_bytes": measured.peak_bytes,
        "rounds": rounds.collect::<Vec<Value>>(),
    })
}
