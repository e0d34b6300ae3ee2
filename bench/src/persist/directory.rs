//! Data directories of the servers under measurement, which outlive the servers and disappear with
//! the run; and the few commands around files.

use crate::control::{Control, Reply};
use crate::interrupt;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A gigabyte takes its time, also to a slow disk.
const WORK_LIMIT: Duration = Duration::from_secs(600);

pub struct DataDirectory(PathBuf);

impl DataDirectory {
    pub fn create(parent: &Path, name: &str) -> Result<DataDirectory> {
        let path = parent.join(format!("redan-bench-data-{}-{name}", std::process::id()));
        // One of an earlier process with our id may have been left behind.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(DataDirectory(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// For a server's command line.
    pub fn text(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Bytes of all files below a directory.
pub fn total_bytes(path: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(path).with_context(|| format!("read {}", path.display()))? {
        let entry = entry?;
        total += match entry.file_type()?.is_dir() {
            true => total_bytes(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(total)
}

pub fn key_count(control: &mut Control) -> Result<i64> {
    match control.command(&["DBSIZE"])? {
        Reply::Integer(count) => Ok(count),
        other => bail!("DBSIZE replied {other:?}"),
    }
}

/// Starts a background save and waits for its end; how long it took.
pub fn background_save(control: &mut Control) -> Result<Duration> {
    let begin = Instant::now();
    control.command(&["BGSAVE"])?;
    wait_while(control, "rdb_bgsave_in_progress")?;
    let time = begin.elapsed();
    expect(control, "rdb_last_bgsave_status", "ok")?;
    Ok(time)
}

/// Switches the AOF on and waits until it is in charge.
pub fn switch_aof_on(control: &mut Control) -> Result<()> {
    control.command(&["CONFIG", "SET", "appendonly", "yes"])?;
    wait_while(control, "aof_rewrite_scheduled")?;
    wait_while(control, "aof_rewrite_in_progress")?;
    expect(control, "aof_last_bgrewrite_status", "ok")
}

fn wait_while(control: &mut Control, field: &str) -> Result<()> {
    let begin = Instant::now();
    loop {
        interrupt::check()?;
        let value = control.info("persistence", field)?;
        match value.as_deref() {
            Some("0") => return Ok(()),
            Some(_) => {}
            None => bail!("INFO has no {field}"),
        }
        ensure!(begin.elapsed() < WORK_LIMIT, "{field} for {WORK_LIMIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn expect(control: &mut Control, field: &str, expected: &str) -> Result<()> {
    let value = control.info("persistence", field)?;
    ensure!(
        value.as_deref() == Some(expected),
        "{field} is {value:?}, not {expected}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_counts_its_bytes_and_disappears() {
        let directory = DataDirectory::create(&std::env::temp_dir(), "test").unwrap();
        let path = directory.path().to_owned();
        fs::create_dir(path.join("inner")).unwrap();
        fs::write(path.join("inner/a"), b"12345").unwrap();
        fs::write(path.join("b"), b"123").unwrap();
        assert_eq!(total_bytes(&path).unwrap(), 8);
        drop(directory);
        assert!(!path.exists());
    }
}
