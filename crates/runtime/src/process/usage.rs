//! What the process may use and does use: descriptors, memory, processor time; and where it runs.
//!
//! Everything is asked of the kernel when it is called; nothing is cached. What the kernel does not
//! say is 0, because these numbers are for display.
//!
//! Tests are at the bottom.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How raising the limit of open descriptors ended.
#[derive(Debug)]
pub enum FdLimit {
    /// There were enough already: this many.
    Sufficient(u64),
    Raised {
        from: u64,
        to: u64,
    },
    /// Fewer than wanted, but as many as the system gives.
    Short {
        from: u64,
        to: u64,
        error: io::Error,
    },
}

/// Sees to it that `wanted` descriptors can be open, or as many as the system allows, trying lower
/// in steps of 16.
pub fn raise_fd_limit(wanted: u64) -> FdLimit {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No number means no limit.
    let Some(from) = current else {
        return FdLimit::Sufficient(u64::MAX);
    };
    if from >= wanted {
        return FdLimit::Sufficient(from);
    }
    let mut last_error = io::Error::from(io::ErrorKind::InvalidInput);
    let mut to = wanted;
    while to > from {
        // The hard limit is left where it is, or raised when it is in the way.
        let limit = Rlimit {
            current: Some(to),
            maximum: maximum.map(|maximum| maximum.max(to)),
        };
        match setrlimit(Resource::Nofile, limit) {
            Ok(()) if to == wanted => return FdLimit::Raised { from, to },
            Ok(()) => {
                return FdLimit::Short {
                    from,
                    to,
                    error: last_error,
                };
            }
            Err(error) => last_error = error.into(),
        }
        // Far above the hard limit there is nothing to find in steps of 16.
        to = match maximum {
            Some(maximum) if to > maximum => maximum.max(from),
            _ => to.saturating_sub(16).max(from),
        };
    }
    FdLimit::Short {
        from,
        to: from,
        error: last_error,
    }
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    Process,
    Children,
    Thread,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct CpuUsage {
    pub user: Duration,
    pub system: Duration,
}

pub fn cpu_usage(scope: Scope) -> CpuUsage {
    let who = match scope {
        Scope::Process => libc::RUSAGE_SELF,
        Scope::Children => libc::RUSAGE_CHILDREN,
        Scope::Thread => libc::RUSAGE_THREAD,
    };
    // SAFETY: zeroes are a valid `rusage`, a struct of numbers; the call fills it, or leaves it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &mut usage);
        usage
    };
    let duration = |time: libc::timeval| {
        let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
        seconds + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    CpuUsage {
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
    }
}

/// Memory of this process that is in RAM.
pub fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// RAM of the machine.
pub fn total_memory_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    u64::from(info.mem_unit) * info.totalram as u64
}

/// System, release and machine, as in `Linux 6.1.0 x86_64`.
pub fn os_description() -> String {
    let uname = rustix::system::uname();
    let parts = [uname.sysname(), uname.release(), uname.machine()];
    parts
        .map(|part| part.to_string_lossy().into_owned())
        .join(" ")
}

/// The running program's file; empty if it cannot be found.
pub fn executable_path() -> PathBuf {
    env::current_exe().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_limit_is_raised_only_when_it_is_too_low() {
        let current = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(matches!(raise_fd_limit(1), FdLimit::Sufficient(n) if n == current));
        // The kernel's own ceiling is below this, for root as well.
        match raise_fd_limit(u64::MAX / 2) {
            FdLimit::Short { from, to, .. } => assert!(from == current && to >= current),
            other => assert!(matches!(other, FdLimit::Sufficient(_)), "{other:?}"),
        }
    }

    #[test]
    fn numbers_of_this_process_are_plausible() {
        assert!(resident_bytes() > 500_000);
        assert!(total_memory_bytes() > resident_bytes());
        let (process, thread) = (cpu_usage(Scope::Process), cpu_usage(Scope::Thread));
        let sum = |usage: CpuUsage| usage.user + usage.system;
        assert!(sum(thread) <= sum(process) + Duration::from_millis(50));
        assert_eq!(cpu_usage(Scope::Children), CpuUsage::default());
    }

    #[test]
    fn the_system_is_described_in_three_words() {
        let description = os_description();
        assert!(description.starts_with("Linux "), "{description}");
        assert_eq!(description.split(' ').count(), 3);
        assert!(executable_path().is_absolute());
    }
}
