//! An external client that sends one request every millisecond and records how long each took.
//!
//! It runs on a thread of its own, on the load's core, at the highest priority it may have, so
//! that the load does not stand in its way; how late it woke is recorded beside, as a measure of
//! what the machine itself adds. A reply that takes several milliseconds also counts for the
//! requests that could not be sent meanwhile.

use crate::control::Control;
use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(1);

/// What a probe saw, in nanoseconds.
#[derive(Debug, Clone)]
pub struct Observed {
    pub latency: Histogram<u64>,
    /// How much later than planned the probe itself woke.
    pub lateness: Histogram<u64>,
}

/// A running probe; ends when stopped or dropped.
pub struct Probe {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Observed>>>,
}

impl Probe {
    pub fn start(address: SocketAddr) -> Result<Probe> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen_by_thread = Arc::clone(&stop);
        let control = Control::connect(address)?;
        let thread = std::thread::Builder::new()
            .name("probe".into())
            .spawn(move || observe(control, &seen_by_thread))?;
        Ok(Probe {
            stop,
            thread: Some(thread),
        })
    }

    pub fn finish(mut self) -> Result<Observed> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(observed)) => observed.context("the probing client failed"),
            _ => bail!("the probing thread failed"),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn observe(mut control: Control, stop: &AtomicBool) -> Result<Observed> {
    // Refused to ordinary users; the recorded lateness then shows the cost.
    let _ = rustix::process::setpriority_process(None, -20);
    let mut observed = Observed {
        latency: Histogram::new_with_bounds(1, 600_000_000_000, 3)?,
        lateness: Histogram::new_with_bounds(1, 600_000_000_000, 3)?,
    };
    let mut due = Instant::now();
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        observed
            .lateness
            .saturating_record((sent - due).as_nanos() as u64);
        if number.is_multiple_of(2) {
            control.command(&["PING"])?;
        } else {
            control.command(&["SET", "probe", &number.to_string()])?;
        }
        let interval_ns = INTERVAL.as_nanos() as u64;
        let taken_ns = sent.elapsed().as_nanos() as u64;
        observed
            .latency
            .record_correct(taken_ns.min(observed.latency.high()), interval_ns)?;
        number += 1;
        due = (due + INTERVAL).max(Instant::now());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(observed)
}
