//! Locks on the files that a server writes, so that no second one writes to them.
//!
//! A lock is an advisory one on a hidden file beside the file it stands for: one for the RDB file
//! when there are save points, one for the AOF's files in their directory while AOF is on. Servers that
//! share a directory but no file, as some are configured, do not meet. It goes with the process, so
//! nothing is stale after a crash. Where the directory cannot be written, neither can the data, and
//! saving will say so; that is no reason not to start.
//!
//! Tests: `tests/persistence_starting.rs`.

use crate::load::path_of;
use config::Config;
use runtime::disk::lock::{DirectoryLock, LockError};
use runtime::log::{Level, Logger};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Directory and name of a file that a lock stands for.
type Place = (PathBuf, String);

#[derive(Default)]
pub struct Locks {
    held: BTreeMap<Place, DirectoryLock>,
}

impl Locks {
    /// Takes the locks that the configuration asks for and drops those it does not. On an error
    /// nothing has changed.
    pub fn claim(&mut self, config: &Config, logger: &Logger) -> Result<(), String> {
        let dir = path_of(config.dir.as_bytes());
        let mut names = Vec::new();
        if !config.save.is_empty() {
            names.push(config.dbfilename.to_str_lossy().into_owned());
        }
        if config.appendonly {
            let (directory, file) = (&config.appenddirname, &config.appendfilename);
            names.push(format!(
                "{}.{}",
                directory.to_str_lossy(),
                file.to_str_lossy()
            ));
        }
        let wanted: Vec<Place> = names
            .into_iter()
            .map(|name| (dir.clone(), format!(".{name}.lock")))
            .collect();
        let mut taken = Vec::new();
        let note = format!("port {}", config.port);
        for place in &wanted {
            if self.held.contains_key(place) {
                continue;
            }
            match DirectoryLock::take(&place.0, &place.1, &note) {
                Ok(lock) => taken.push((place.clone(), lock)),
                Err(error @ LockError::Held { .. }) => {
                    return Err(format!("Another server uses these files: {error}"));
                }
                Err(error) => logger.log(Level::Verbose, 'M', format_args!("{error}")),
            }
        }
        self.held.retain(|place, _| wanted.contains(place));
        self.held.extend(taken);
        Ok(())
    }
}
