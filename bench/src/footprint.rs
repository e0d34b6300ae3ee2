//! How much memory a server takes with all its children: proportional sizes from /proc, sampled
//! while something goes on.
//!
//! The proportional size (`Pss` in `/proc/PID/smaps_rollup`) counts a page that n processes share
//! as 1/n for each, so the sum over a server and the child that it forked is what both take
//! together. Reading it walks the process's page tables under a lock, which is felt by a server of
//! gigabytes: latencies have to be measured in another round.
//! Tests: at the bottom.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(50);

/// The most that a process tree took between `start` and `finish`.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<u64>>>,
}

impl Watch {
    pub fn start(pid: u32) -> Result<Watch> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen_by_thread = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("footprint".into())
            .spawn(move || {
                let mut peak_bytes = 0;
                while !seen_by_thread.load(Ordering::Relaxed) {
                    peak_bytes = peak_bytes.max(tree_bytes(pid)?);
                    std::thread::sleep(INTERVAL);
                }
                Ok(peak_bytes.max(tree_bytes(pid)?))
            })?;
        Ok(Watch {
            stop,
            thread: Some(thread),
        })
    }

    /// The peak in bytes.
    pub fn finish(mut self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(peak_bytes)) => peak_bytes.context("watch the server's memory"),
            _ => bail!("the thread that watches the server's memory failed"),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Proportional bytes of a process and its descendants.
pub fn tree_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let own = parse_pss(&text).with_context(|| format!("no Pss line in {path}"))?;
    // A child may end between being listed and being read; then it takes nothing any more.
    let children = children(pid).into_iter();
    Ok(own
        + children
            .filter_map(|child| tree_bytes(child).ok())
            .sum::<u64>())
}

/// Every thread lists the children that it created.
fn children(pid: u32) -> BTreeSet<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return BTreeSet::new();
    };
    let lists =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| {
            let ids = list.split_ascii_whitespace();
            ids.filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()
        })
        .collect()
}

fn parse_pss(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn pss_is_read_in_bytes() {
        let text = "5000-6000 ---p [rollup]\nRss:    1234 kB\nPss:    8 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(parse_pss(text), Some(8192));
        assert_eq!(parse_pss("nothing"), None);
    }

    #[test]
    fn children_are_found_and_counted() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        assert!(children(std::process::id()).contains(&child.id()));
        let child_bytes = tree_bytes(child.id()).unwrap();
        assert!(tree_bytes(std::process::id()).unwrap() > child_bytes);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(tree_bytes(child.id()).is_err());
    }

    #[test]
    fn a_watch_sees_what_it_watches() {
        let watch = Watch::start(std::process::id()).unwrap();
        assert!(watch.finish().unwrap() > 100_000);
    }
}
