//! What a server process has cost so far: CPU time and resident memory, from /proc.
//!
//! CPU: the scheduler's run time in nanoseconds, summed over the threads
//! (`/proc/PID/task/*/schedstat`), gives the total; the kernel splits it into user and system by
//! sampling at its tick (utime and stime in `/proc/PID/stat`), so the split is good to a few
//! percent for runs of a second or more. Memory: `Rss` of `/proc/PID/smaps_rollup`, which is
//! exact, unlike the batched counter in `statm`.

use anyhow::{Context, Result};
use std::fs;

/// CPU time of a process up to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuClock {
    run_ns: u64,
    user_ticks: u64,
    system_ticks: u64,
}

/// CPU time between two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuUsage {
    pub user_ns: f64,
    pub system_ns: f64,
}

impl CpuUsage {
    pub fn total_ns(&self) -> f64 {
        self.user_ns + self.system_ns
    }
}

impl CpuClock {
    pub fn read(pid: u32) -> Result<CpuClock> {
        let path = format!("/proc/{pid}/stat");
        let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let (user_ticks, system_ticks) =
            parse_stat(&stat).with_context(|| format!("unexpected content of {path}"))?;
        Ok(CpuClock {
            run_ns: run_ns(pid)?,
            user_ticks,
            system_ticks,
        })
    }

    /// The usage since `earlier`.
    pub fn since(&self, earlier: &CpuClock) -> CpuUsage {
        let user_ticks = self.user_ticks.saturating_sub(earlier.user_ticks) as f64;
        let system_ticks = self.system_ticks.saturating_sub(earlier.system_ticks) as f64;
        let ticks = user_ticks + system_ticks;
        // Kernels without scheduler statistics leave the ticks alone to go by.
        let tick_ns = 1e9 / rustix::param::clock_ticks_per_second() as f64;
        let total_ns = match self.run_ns.saturating_sub(earlier.run_ns) {
            0 => ticks * tick_ns,
            run_ns => run_ns as f64,
        };
        if ticks == 0.0 {
            return CpuUsage {
                user_ns: total_ns,
                system_ns: 0.0,
            };
        }
        CpuUsage {
            user_ns: total_ns * user_ticks / ticks,
            system_ns: total_ns * system_ticks / ticks,
        }
    }
}

/// User and system ticks from the text of `/proc/PID/stat`.
fn parse_stat(stat: &str) -> Option<(u64, u64)> {
    // The second field is the program's name in parentheses and may contain anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn run_ns(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/task");
    let mut total_ns = 0;
    for task in fs::read_dir(&path).with_context(|| format!("read {path}"))? {
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        total_ns += text
            .split_ascii_whitespace()
            .next()
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Ok(total_ns)
}

/// Reads how long one thread has been ready to run but kept from its core, in nanoseconds.
///
/// A wait that a measured server spends like this is the machine's doing, not the server's.
pub struct RunDelay(fs::File);

impl RunDelay {
    pub fn of_thread(pid: u32, thread_id: u32) -> Result<RunDelay> {
        let path = format!("/proc/{pid}/task/{thread_id}/schedstat");
        Ok(RunDelay(
            fs::File::open(&path).with_context(|| format!("open {path}"))?,
        ))
    }

    /// Of the calling thread.
    pub fn of_this_thread() -> Result<RunDelay> {
        let thread_id = rustix::thread::gettid().as_raw_nonzero().get();
        RunDelay::of_thread(std::process::id(), thread_id.unsigned_abs())
    }

    pub fn read_ns(&self) -> Result<u64> {
        use std::os::unix::fs::FileExt;
        let mut buffer = [0; 96];
        let length = self
            .0
            .read_at(&mut buffer, 0)
            .context("read a thread's schedstat")?;
        let text = std::str::from_utf8(&buffer[..length]).context("schedstat is not text")?;
        let field = text
            .split_ascii_whitespace()
            .nth(1)
            .context("schedstat has no second field")?;
        field.parse().context("schedstat holds no number")
    }
}

/// Resident bytes of a process.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    parse_rss(&text).with_context(|| format!("no Rss line in {path}"))
}

fn parse_rss(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// CPU time of the calling thread.
pub fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The processor's name, for reports.
pub fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown".to_owned(), |rest| {
            rest.trim_start_matches(['\t', ' ', ':']).to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_an_awkward_name() {
        let stat = "7 (a) b (c) R 1 1 1 0 -1 4194304 97 0 0 0 120 34 0 0 20 0 1 0 83561 3133440";
        assert_eq!(parse_stat(stat), Some((120, 34)));
    }

    #[test]
    fn rss_is_read_in_bytes() {
        assert_eq!(
            parse_rss("5000-6000 ---p [rollup]\nRss:    1234 kB\nPss: 1 kB\n"),
            Some(1263616)
        );
        assert_eq!(parse_rss("nothing"), None);
    }

    #[test]
    fn run_time_is_split_by_the_ticks() {
        let before = CpuClock {
            run_ns: 0,
            user_ticks: 10,
            system_ticks: 10,
        };
        let after = CpuClock {
            run_ns: 1_000_000,
            user_ticks: 13,
            system_ticks: 11,
        };
        let usage = after.since(&before);
        assert_eq!((usage.user_ns, usage.system_ns), (750_000.0, 250_000.0));
    }

    #[test]
    fn own_process_can_be_read() {
        assert!(CpuClock::read(std::process::id()).is_ok());
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
    }
}
