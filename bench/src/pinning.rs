//! Which core a thread, or a child that it starts, runs on.
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
