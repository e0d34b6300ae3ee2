//! `bench load`, `bench responder` and `bench calibrate`: the generator by itself.

use crate::arguments::{self, Arguments};
use crate::load::{Load, Tally, Until};
use crate::process::{self, CpuClock};
use crate::responder::Responder;
use crate::rows::ROWS;
use crate::template::{Mix, Template};
use crate::{pinning, stock, table};
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// `bench load`: drives a server that is already running.
pub fn load(mut arguments: Arguments) -> Result<()> {
    let host: String = arguments.value("--host", "127.0.0.1".to_owned())?;
    let port: u16 = arguments.value("--port", 6379)?;
    let connections: usize = arguments.value("--connections", 50)?;
    let pipeline: u64 = arguments.value("--pipeline", 1)?;
    let seconds: f64 = arguments.value("--seconds", 5.0)?;
    let requests: Option<u64> = arguments.optional("--requests")?;
    let prepared: u64 = arguments.value("--prepared", 1_000_000)?;
    let seed: u64 = arguments.value("--seed", 1)?;
    let server_pid: Option<u32> = arguments.optional("--pid")?;
    let row: Option<String> = arguments.text("--row")?;
    let cpu: Option<usize> = arguments.optional("--cpu")?;
    let once = arguments.flag("--once");
    let with_latency = arguments.flag("--latency");
    let errors_allowed = arguments.flag("--allow-errors");
    let command = arguments.trailing();
    arguments.finish()?;

    let mix = mix(row.as_deref(), &command)?;
    let address = resolve(&host, port)?;
    let until = match (once, requests) {
        (true, _) => Until::Exhausted,
        (false, Some(count)) => Until::Replies(count),
        (false, None) => Until::Elapsed(arguments::seconds(seconds)?),
    };
    if let Some(cpu) = cpu {
        pinning::pin_to(cpu)?;
    }
    let mut load = if once {
        let total = requests.context("--once needs --requests")?;
        Load::connect(
            address,
            stock::generating(&Arc::new(mix), connections, total, pipeline, seed),
        )?
    } else {
        let stocks = stock::cycling(&mix, connections, prepared, pipeline, seed);
        Load::connect_cycling(address, &stocks)?
    };
    if with_latency {
        load.record_latency()?;
    }
    let server_before = server_pid.map(CpuClock::read).transpose()?;
    let load_before_ns = process::thread_cpu_ns();
    let tally = load.run(until)?;
    let load_ns = process::thread_cpu_ns() - load_before_ns;
    print_tally(&tally, load_ns);
    if let (Some(pid), Some(before)) = (server_pid, server_before) {
        let usage = CpuClock::read(pid)?.since(&before);
        let replies = tally.counts.replies as f64;
        println!(
            "server CPU: {:.3} µs per request, of which user {:.3}",
            usage.total_ns() / replies / 1e3,
            usage.user_ns / replies / 1e3
        );
    }
    if let Some(latency) = load.latency() {
        print_latency(latency);
    }
    if !errors_allowed {
        tally.ensure_no_errors()?;
    }
    Ok(())
}

/// `bench responder`: a server that only answers +OK.
pub fn responder(mut arguments: Arguments) -> Result<()> {
    let port: u16 = arguments.value("--port", 17139)?;
    let cpu: Option<usize> = arguments.optional("--cpu")?;
    arguments.finish()?;
    let responder = Responder::start(port, cpu)?;
    println!("answering +OK on {}", responder.address());
    responder.wait()
}

/// `bench calibrate`: what the generator reaches against the bare responder.
pub fn calibrate(mut arguments: Arguments) -> Result<()> {
    let seconds: f64 = arguments.value("--seconds", 2.0)?;
    let port: u16 = arguments.value("--port", 17139)?;
    let server_cpu: usize = arguments.value("--server-cpu", 0)?;
    let load_cpu: usize = arguments.value("--load-cpu", 1)?;
    arguments.finish()?;
    pinning::pin_to(load_cpu)?;
    let mut rows = Vec::new();
    for (command, pipeline) in [
        ("GET key:{rand:0-999999:12}", 1),
        ("GET key:{rand:0-999999:12}", 16),
        ("GET key:{rand:0-999999:12}", 64),
        ("SET key:{rand:0-999999:12} {fill:32}", 16),
        ("SET key:{rand:0-999999:12} {fill:32}", 64),
    ] {
        let responder = Responder::start(port, Some(server_cpu))?;
        let mix = Mix::parse(&[command])?;
        let stocks = stock::cycling(&mix, 50, 1_000_000, pipeline, 1);
        let mut load = Load::connect_cycling(responder.address(), &stocks)?;
        load.run(Until::Elapsed(Duration::from_millis(200)))?;
        let before_ns = process::thread_cpu_ns();
        let tally = load.run(Until::Elapsed(arguments::seconds(seconds)?))?;
        let busy_ns = (process::thread_cpu_ns() - before_ns) as f64;
        load.drain()?;
        rows.push(vec![
            command.split(' ').next().unwrap_or_default().to_owned(),
            pipeline.to_string(),
            table::rate(tally.replies_per_second()),
            format!("{:.3}", busy_ns / tally.counts.replies as f64 / 1e3),
            format!("{:.0} %", 100.0 * busy_ns / tally.elapsed.as_nanos() as f64),
        ]);
    }
    let header = ["requests", "P", "replies/s", "load µs each", "load busy"];
    println!("{}", table::render(&header, &rows));
    Ok(())
}

fn mix(row: Option<&str>, command: &[String]) -> Result<Mix> {
    match (row, command) {
        (Some(name), []) => {
            let row = ROWS.iter().find(|row| row.name == name);
            Mix::parse(&[row.with_context(|| format!("no row {name:?}"))?.command])
        }
        (None, [_, ..]) => {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            Ok(Mix::single(Template::from_words(&words)?))
        }
        _ => anyhow::bail!("give either --row NAME or -- COMMAND WORDS"),
    }
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr> {
    let addresses = (host, port)
        .to_socket_addrs()
        .with_context(|| format!("resolve {host}"))?;
    let first = addresses.into_iter().next();
    first.with_context(|| format!("{host} has no address"))
}

fn print_tally(tally: &Tally, load_ns: u64) {
    let counts = &tally.counts;
    println!(
        "{} replies in {:.3} s: {:.0} per second ({} errors, {} nulls; load core {:.0} % busy)",
        counts.replies,
        tally.elapsed.as_secs_f64(),
        tally.replies_per_second(),
        counts.errors,
        counts.nulls,
        100.0 * load_ns as f64 / tally.elapsed.as_nanos() as f64
    );
}

fn print_latency(latency: &Histogram<u64>) {
    println!(
        "latency per batch, from its sending to its last reply, in µs ({}):",
        latency.len()
    );
    for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
        println!(
            "  {name:<6}{:>10.1}",
            latency.value_at_quantile(quantile) as f64 / 1e3
        );
    }
    println!("  max   {:>10.1}", latency.max() as f64 / 1e3);
}

/// Refuses values that would make a run meaningless before anything is started.
pub fn ensure_positive(name: &str, value: u64) -> Result<u64> {
    ensure!(value > 0, "{name} must be at least 1");
    Ok(value)
}
