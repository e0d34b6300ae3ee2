//! The process as the system sees it: daemonizing and the pid file here; supervisors in
//! [`supervisor`], the title in [`title`], limits and usage in [`usage`].
//!
//! What rewrites process-wide state that other threads may read (forking, the environment, the
//! memory of the arguments) checks that there is one thread, and refuses otherwise: that makes
//! these functions safe to call, and says when: first thing in `main`.
//!
//! Tests: `tests/process_modes.rs`, and at the bottom of each file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

mod supervisor;
mod title;
mod usage;

pub use supervisor::{Supervision, Supervisor, notify_systemd};
pub use title::{init_title, set_title};
pub use usage::{
    CpuUsage, FdLimit, Scope, cpu_usage, executable_path, os_description, raise_fd_limit,
    resident_bytes, total_memory_bytes,
};

/// Detaches from the terminal and goes on in a new process: a child of init, in a session of its
/// own that can never get a terminal, with standard input and outputs at `/dev/null`.
pub fn daemonize() -> io::Result<()> {
    require_single_thread()?;
    fork_and_leave_parent()?;
    rustix::process::setsid()?;
    // The leader of a session could open a terminal; its child cannot.
    fork_and_leave_parent()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Returns in the child only.
fn fork_and_leave_parent() -> io::Result<()> {
    // SAFETY: there is one thread (the caller has checked), so the child's memory, locks included,
    // is as consistent as the parent's, and it may go on with anything.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(()),
        // SAFETY: ends the parent without its destructors and exit handlers, which are the child's
        // now (buffers would be written twice).
        _ => unsafe { libc::_exit(0) },
    }
}

fn require_single_thread() -> io::Result<()> {
    match fs::read_dir("/proc/self/task")?.count() {
        1 => Ok(()),
        _ => Err(io::Error::other(
            "only possible before the first thread is started",
        )),
    }
}

/// Writes this process's id into a file.
pub fn write_pid_file(path: &Path) -> io::Result<()> {
    writeln!(File::create(path)?, "{}", std::process::id())
}

/// Removes a pid file, if it is still this process's: another server may have been started with
/// the same one.
pub fn remove_pid_file(path: &Path) -> io::Result<()> {
    let content = fs::read_to_string(path)?;
    if content.trim() == std::process::id().to_string() {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Replaces a file's content so that a crash leaves the old or the new one whole: temporary file
/// beside it, fsync, rename, fsync of the directory.
pub fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&name);
    let write = || -> io::Result<()> {
        let mut file = File::create(temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().inspect_err(|_| {
        // Best effort: the error that matters is the one returned.
        let _ = fs::remove_file(temporary);
    })
}

/// Ends the process as an access violation does, through the crash report.
pub fn raise_segfault() -> ! {
    let this = rustix::process::getpid();
    let _ = rustix::process::kill_process(this, rustix::process::Signal::SEGV);
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_removed_only_by_the_process_it_names() {
        let name = format!("runtime-pid-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        write_pid_file(&path).expect("writes");
        let content = fs::read_to_string(&path).expect("reads");
        assert_eq!(content, format!("{}\n", std::process::id()));
        fs::write(&path, "1\n").expect("writes");
        remove_pid_file(&path).expect("nothing to do");
        assert!(path.exists());
        write_pid_file(&path).expect("writes");
        remove_pid_file(&path).expect("removes");
        assert!(!path.exists());
        assert!(remove_pid_file(&path).is_err());
    }

    #[test]
    fn daemonizing_is_refused_beside_other_threads() {
        // The test harness's own thread is one.
        let error = daemonize().expect_err("there are threads");
        assert!(
            error.to_string().contains("before the first thread"),
            "{error}"
        );
    }
}
