//! Which core a thread, or a child that it starts, runs on, and how urgent it is.
//!
//! A child inherits the affinity of the thread that starts it, all its threads included, so a
//! server is pinned by pinning the caller for the moment of the start.

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Pins the calling thread to one core.
pub fn pin_to(cpu: usize) -> Result<()> {
    anyhow::ensure!(cpu < CpuSet::MAX_CPU, "no core {cpu}");
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).with_context(|| format!("pin to core {cpu}"))
}

/// Runs `action` on one core, then gives the thread its cores back.
pub fn while_pinned_to<T>(cpu: usize, action: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = sched_getaffinity(None).context("read the thread's cores")?;
    pin_to(cpu)?;
    let result = action();
    sched_setaffinity(None, &before).context("restore the thread's cores")?;
    result
}

const AUTOGROUP: &str = "/proc/self/autogroup";

/// The session's priority before it was changed; put back when dropped.
#[derive(Debug)]
pub struct SessionPriority {
    before: Option<i32>,
}

/// Sets the priority of the calling thread and of the children that it starts from now on.
///
/// Where the kernel shares the cores out by session first, a thread's priority counts within its
/// session only, so the session gets the same until the result is dropped.
pub fn set_nice(nice: i32) -> Result<SessionPriority> {
    rustix::process::setpriority_process(None, nice)
        .with_context(|| format!("set the priority to nice {nice}"))?;
    let by_session = std::fs::read_to_string("/proc/sys/kernel/sched_autogroup_enabled");
    if !by_session.is_ok_and(|text| text.trim() == "1") {
        return Ok(SessionPriority { before: None });
    }
    let text = std::fs::read_to_string(AUTOGROUP).context("read the session's priority")?;
    let before = text
        .split_ascii_whitespace()
        .last()
        .and_then(|field| field.parse().ok());
    std::fs::write(AUTOGROUP, nice.to_string())
        .with_context(|| format!("set the session's priority to nice {nice}"))?;
    Ok(SessionPriority { before })
}

impl Drop for SessionPriority {
    fn drop(&mut self) {
        if let Some(before) = self.before
            && let Err(error) = std::fs::write(AUTOGROUP, before.to_string())
        {
            eprintln!("bench: the session's priority could not be put back: {error}");
        }
    }
}
