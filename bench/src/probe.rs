//! An external client that sends one request every millisecond and records how long each took.
//!
//! It runs on a thread of its own, on the load's core, at the highest priority it may have, so
//! that the load does not stand in its way. A reply that takes several milliseconds also counts
//! for the requests that could not be sent meanwhile.
//!
//! Beside the wait as a client feels it stands what is on the server's account: the wait less the
//! time for which the kernel kept the server's thread, or the probe's own, off its core while it
//! was ready to run (the run delay in /proc/PID/task/TID/schedstat).

use crate::control::Control;
use crate::process::RunDelay;
use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(1);
const LONGEST_NS: u64 = 600_000_000_000;

/// What a probe saw, in nanoseconds.
#[derive(Debug, Clone)]
pub struct Observed {
    /// From sending a request to having its reply.
    pub latency: Histogram<u64>,
    /// The part of it that the server answers for.
    pub accounted: Histogram<u64>,
}

/// A running probe; ends when stopped or dropped.
pub struct Probe {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Observed>>>,
}

impl Probe {
    /// Probes `address`, which `server_delay`'s thread serves.
    pub fn start(address: SocketAddr, server_delay: RunDelay) -> Result<Probe> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen_by_thread = Arc::clone(&stop);
        let control = Control::connect(address)?;
        let thread = std::thread::Builder::new()
            .name("probe".into())
            .spawn(move || observe(control, &server_delay, &seen_by_thread))?;
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

fn observe(mut control: Control, server_delay: &RunDelay, stop: &AtomicBool) -> Result<Observed> {
    // Refused to ordinary users; the account leaves out what that costs.
    let _ = rustix::process::setpriority_process(None, -20);
    let own_delay = RunDelay::of_this_thread()?;
    let mut observed = Observed {
        latency: Histogram::new_with_bounds(1, LONGEST_NS, 3)?,
        accounted: Histogram::new_with_bounds(1, LONGEST_NS, 3)?,
    };
    let interval_ns = INTERVAL.as_nanos() as u64;
    let mut due = Instant::now();
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let delays_before_ns = server_delay.read_ns()? + own_delay.read_ns()?;
        let sent = Instant::now();
        if number.is_multiple_of(2) {
            control.command(&["PING"])?;
        } else {
            control.command(&["SET", "probe", &number.to_string()])?;
        }
        let taken_ns = (sent.elapsed().as_nanos() as u64).min(LONGEST_NS);
        let delays_ns = server_delay.read_ns()? + own_delay.read_ns()? - delays_before_ns;
        observed.latency.record_correct(taken_ns, interval_ns)?;
        observed
            .accounted
            .record_correct(taken_ns.saturating_sub(delays_ns), interval_ns)?;
        number += 1;
        due = (due + INTERVAL).max(Instant::now());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(observed)
}
