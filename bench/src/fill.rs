//! `bench fill`: does anybody wait while a server grows to ten million keys?
//!
//! The load fills a fresh server at P=16, one key in ten with a TTL of one to nine seconds, while
//! an external client (see `probe`) sends a request every millisecond. Three phases, each with
//! its own figures: `fill` (the table grows, keys expire beside it), `expire` (nothing but the
//! rest of the keys with a TTL going away), `flush` (FLUSHALL ASYNC: everything is freed).
//!
//! Judged is the part of a wait on the server's account, beyond the median: the median is the
//! ordinary queue (up to connections times P requests stand before the probe's), what lies above
//! it is a pause. The same fill against the bare responder, which never pauses, shows what noise
//! of the machine is left in that figure.

use crate::arguments::{self, Arguments};
use crate::compare::Pair;
use crate::control::{Control, Reply};
use crate::load::{Load, Until};
use crate::load_command::ensure_positive;
use crate::probe::{Observed, Probe};
use crate::process::RunDelay;
use crate::responder::Responder;
use crate::servers::Server;
use crate::stock;
use crate::template::Mix;
use crate::{interrupt, pinning, table};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Options {
    pair: Pair,
    keys: u64,
    connections: usize,
    pipeline: u64,
    quiet: Duration,
}

/// One phase on one server.
struct Phase {
    server: &'static str,
    name: &'static str,
    elapsed: Duration,
    observed: Observed,
}

/// The longest pause that is allowed on the server's account.
const LIMIT_MS: f64 = 2.0;

/// Runs all phases; true if ours kept within the limit.
pub fn run(mut arguments: Arguments) -> Result<bool> {
    let options = Options {
        pair: Pair::take(&mut arguments)?,
        keys: ensure_positive("--keys", arguments.value("--keys", 10_000_000)?)?,
        connections: arguments.value("--connections", 50)?,
        pipeline: ensure_positive("--pipeline", arguments.value("--pipeline", 16)?)?,
        quiet: arguments::seconds(arguments.value("--quiet-seconds", 10.0)?)?,
    };
    let json_path = arguments.text("--json")?;
    arguments.finish()?;
    pinning::pin_to(options.pair.load_cpu)?;

    let mut phases = Vec::new();
    {
        let responder = Responder::start(0, Some(options.pair.ours.cpu))?;
        let target = Target {
            address: responder.address(),
            pid: std::process::id(),
            thread_id: responder.thread_id(),
        };
        phases.push(fill_phase("(none)", target, &options)?);
    }
    for program in options.pair.programs() {
        let server = Server::start(program, &[])?;
        let monitored = watch(&mut server.control()?);
        let result = all_phases(program.label, &server, &options)
            .with_context(|| format!("fill {}", program.label))?;
        phases.extend(result);
        report_monitor(program.label, monitored, &mut server.control()?);
    }
    println!(
        "{} keys, P={}, one request every ms beside it; account: without the time that the kernel \
         kept the server or the probe off its core.\n",
        options.keys, options.pipeline
    );
    println!("{}", render(&phases));
    let pause_ms = worst_pause_ms(&phases, "ours");
    println!(
        "Longest pause: ours {pause_ms:.2} ms, theirs {:.2} ms, no server at all {:.2} ms; \
         allowed {LIMIT_MS} ms: {}",
        worst_pause_ms(&phases, "theirs"),
        worst_pause_ms(&phases, "(none)"),
        if pause_ms <= LIMIT_MS { "PASS" } else { "FAIL" }
    );
    if let Some(path) = json_path {
        let rows: Vec<Value> = phases.iter().map(Phase::json).collect();
        let text = serde_json::to_string_pretty(&json!({ "keys": options.keys, "phases": rows }))?;
        std::fs::write(&path, text + "\n").with_context(|| format!("write {path}"))?;
    }
    Ok(pause_ms <= LIMIT_MS)
}

/// A server as the probe sees it: where it listens and which thread serves.
#[derive(Debug, Clone, Copy)]
struct Target {
    address: SocketAddr,
    pid: u32,
    thread_id: u32,
}

impl Target {
    fn probe(&self) -> Result<Probe> {
        Probe::start(self.address, RunDelay::of_thread(self.pid, self.thread_id)?)
    }
}

fn all_phases(label: &'static str, server: &Server, options: &Options) -> Result<Vec<Phase>> {
    let target = Target {
        address: server.address(),
        pid: server.pid(),
        thread_id: server.pid(),
    };
    let mut phases = vec![fill_phase(label, target, options)?];
    phases.push(quiet_phase(
        label,
        "expire",
        target,
        options.quiet,
        &mut || Ok(()),
    )?);
    let mut control = server.control()?;
    let mut flush = || control.command(&["FLUSHALL", "ASYNC"]).map(drop);
    let flush_time = options.quiet.min(Duration::from_secs(5));
    phases.push(quiet_phase(label, "flush", target, flush_time, &mut flush)?);
    Ok(phases)
}

fn fill_phase(label: &'static str, target: Target, options: &Options) -> Result<Phase> {
    eprintln!("{label}: fill");
    let mut commands = vec!["SET key:{seq:12} {fill:32}"; 9];
    commands.push("SET key:{seq:12} {fill:32} EX {rand:1-9}");
    let mix = Arc::new(Mix::parse(&commands)?);
    let supplies = stock::generating(&mix, options.connections, options.keys, options.pipeline, 1);
    let mut load = Load::connect(target.address, supplies)?;
    let probe = target.probe()?;
    let tally = load.run(Until::Exhausted)?;
    let observed = probe.finish()?;
    tally.ensure_no_errors()?;
    Ok(Phase {
        server: label,
        name: "fill",
        elapsed: tally.elapsed,
        observed,
    })
}

/// Probes for `time` while the server does `action` and then nothing.
fn quiet_phase(
    label: &'static str,
    name: &'static str,
    target: Target,
    time: Duration,
    action: &mut dyn FnMut() -> Result<()>,
) -> Result<Phase> {
    eprintln!("{label}: {name}");
    let probe = target.probe()?;
    let begin = Instant::now();
    action()?;
    while begin.elapsed() < time {
        interrupt::check()?;
        std::thread::sleep(Duration::from_millis(20));
    }
    let observed = probe.finish()?;
    Ok(Phase {
        server: label,
        name,
        elapsed: begin.elapsed(),
        observed,
    })
}

/// Asks the server to watch itself, if it can.
fn watch(control: &mut Control) -> bool {
    control
        .command(&["CONFIG", "SET", "latency-monitor-threshold", "1"])
        .is_ok()
}

/// Prints what the server's own latency monitor saw, as the second witness.
fn report_monitor(label: &str, monitored: bool, control: &mut Control) {
    match control.command(&["LATENCY", "LATEST"]) {
        Ok(Reply::Array(events)) if monitored => {
            for event in &events {
                println!("{label}: latency monitor: {}", event_text(event));
            }
            if events.is_empty() {
                println!("{label}: latency monitor: nothing above 1 ms");
            }
        }
        _ => println!("{label}: has no latency monitor"),
    }
}

/// `name, latest 3 ms, worst 5 ms` from an entry of LATENCY LATEST.
fn event_text(event: &Reply) -> String {
    match event {
        Reply::Array(fields) => match fields.as_slice() {
            [
                Reply::Text(name),
                _,
                Reply::Integer(latest),
                Reply::Integer(worst),
                ..,
            ] => {
                format!("{name}, latest {latest} ms, worst {worst} ms")
            }
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// The longest pause of a server in any of its phases.
fn worst_pause_ms(phases: &[Phase], server: &str) -> f64 {
    let of_server = phases.iter().filter(|phase| phase.server == server);
    of_server.map(Phase::pause_ms).fold(0.0, f64::max)
}

impl Phase {
    /// How far the longest wait on the server's account lies beyond the ordinary one.
    fn pause_ms(&self) -> f64 {
        let accounted = &self.observed.accounted;
        milliseconds(
            accounted
                .max()
                .saturating_sub(accounted.value_at_quantile(0.5)),
        )
    }

    fn json(&self) -> Value {
        let latency = &self.observed.latency;
        json!({
            "server": self.server,
            "phase": self.name,
            "seconds": self.elapsed.as_secs_f64(),
            "probes": latency.len(),
            "p50_ms": milliseconds(latency.value_at_quantile(0.5)),
            "p999_ms": milliseconds(latency.value_at_quantile(0.999)),
            "worst_ms": milliseconds(latency.max()),
            "accounted_p999_ms": milliseconds(self.observed.accounted.value_at_quantile(0.999)),
            "accounted_worst_ms": milliseconds(self.observed.accounted.max()),
            "pause_ms": self.pause_ms(),
        })
    }
}

fn render(phases: &[Phase]) -> String {
    let rows: Vec<Vec<String>> = phases
        .iter()
        .map(|phase| {
            let latency = &phase.observed.latency;
            vec![
                phase.server.to_owned(),
                phase.name.to_owned(),
                format!("{:.1}", phase.elapsed.as_secs_f64()),
                format!("{:.3}", milliseconds(latency.value_at_quantile(0.5))),
                format!("{:.3}", milliseconds(latency.value_at_quantile(0.99))),
                format!("{:.3}", milliseconds(latency.value_at_quantile(0.999))),
                format!("{:.3}", milliseconds(latency.max())),
                format!(
                    "{:.3}",
                    milliseconds(phase.observed.accounted.value_at_quantile(0.999))
                ),
                format!("{:.3}", milliseconds(phase.observed.accounted.max())),
                format!("{:.3}", phase.pause_ms()),
            ]
        })
        .collect();
    let header = [
        "server",
        "phase",
        "s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "worst ms",
        "account p99.9",
        "account worst",
        "pause ms",
    ];
    table::render(&header, &rows)
}
