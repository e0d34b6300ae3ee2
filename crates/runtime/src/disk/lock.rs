//! A lock on a directory, so that two processes do not both write to it.
//!
//! An advisory `flock` on a file in the directory. It goes with the process, however that ends, so
//! no stale lock can keep a restart out. The file's content is for people and for the error text:
//! who holds it.
//!
//! Tests are at the bottom.

use std::fmt::{self, Display};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

/// What is read of a holder's note at most.
const NOTE_MAX_BYTES: u64 = 256;

/// Held until dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

#[derive(Debug)]
pub enum LockError {
    /// Somebody holds it; with what they wrote about themselves.
    Held { path: PathBuf, holder: String },
    Io {
        path: PathBuf,
        error: std::io::Error,
    },
}

impl Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::Held { path, holder } => {
                write!(f, "{} is locked by {holder}", path.display())
            }
            LockError::Io { path, error } => write!(f, "lock {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for LockError {}

impl DirectoryLock {
    /// Takes the lock `file_name` in `directory` or tells who has it. `note` says who takes it,
    /// in one line.
    pub fn take(directory: &Path, file_name: &str, note: &str) -> Result<DirectoryLock, LockError> {
        let path = directory.join(file_name);
        let io_error = |error: std::io::Error| LockError::Io {
            path: path.clone(),
            error,
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).mode(0o644);
        let mut writer = options.truncate(false).open(&path).map_err(io_error)?;
        // Held for reading, so that the file system can still be made read-only.
        let file = File::open(&path).map_err(io_error)?;
        match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = holder(&file);
                return Err(LockError::Held { path, holder });
            }
            Err(errno) => return Err(io_error(errno.into())),
        }
        writer.set_len(0).map_err(io_error)?;
        let line = format!("pid {} {note}\n", std::process::id());
        writer.write_all(line.as_bytes()).map_err(io_error)?;
        Ok(DirectoryLock { _file: file })
    }
}

fn holder(file: &File) -> String {
    let mut note = Vec::new();
    let read = file.take(NOTE_MAX_BYTES).read_to_end(&mut note);
    let note = String::from_utf8_lossy(&note);
    match (read, note.trim()) {
        (Ok(_), note) if !note.is_empty() => note.to_owned(),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_learns_who_holds_the_lock() {
        let directory = std::env::temp_dir().join(format!("disk-lock-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("directory");
        let lock = DirectoryLock::take(&directory, "lock", "port 1").expect("free");
        let refused = DirectoryLock::take(&directory, "lock", "port 2").expect_err("held");
        let text = refused.to_string();
        let expected = format!("is locked by pid {} port 1", std::process::id());
        assert!(text.ends_with(&expected), "{text}");
        drop(lock);
        DirectoryLock::take(&directory, "lock", "port 2").expect("free again");
        std::fs::remove_dir_all(&directory).expect("clean up");
    }

    #[test]
    fn a_missing_directory_is_an_error_that_names_it() {
        let refused =
            DirectoryLock::take(Path::new("/nowhere-at-all"), "lock", "").expect_err("no");
        assert!(
            refused.to_string().contains("/nowhere-at-all/lock"),
            "{refused}"
        );
    }
}
