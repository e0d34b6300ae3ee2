//! Ctrl-C and SIGTERM as a flag, so that every path out of a run stops the servers it started.
//!
//! The loops ask `check` at least every 100 ms and return its error; the servers end in `Drop` on
//! the way up. The signal handler itself does nothing but set the flag.

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

static RAISED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Installs the handlers; to be called once at the start of a program.
pub fn install() -> Result<()> {
    let flag = RAISED.get_or_init(|| Arc::new(AtomicBool::new(false)));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag))
            .with_context(|| format!("install handler for signal {signal}"))?;
    }
    Ok(())
}

/// An error once a signal has arrived.
pub fn check() -> Result<()> {
    if RAISED
        .get()
        .is_some_and(|flag| flag.load(Ordering::Relaxed))
    {
        bail!("interrupted");
    }
    Ok(())
}
