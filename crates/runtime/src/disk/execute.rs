//! The operations themselves, on whatever thread calls them.
//!
//! Tests: `disk/tests.rs`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{DiskError, DiskOp, FileKey};

/// One call of `writev` takes at most so many pieces on Linux.
const SLICES_MAX: usize = 1024;

/// The open files of one disk.
#[derive(Default)]
pub(super) struct Files {
    open: BTreeMap<FileKey, OpenFile>,
}

struct OpenFile {
    file: File,
    /// Its length as far as whole appends go.
    length_bytes: u64,
}

impl Files {
    pub fn execute(&mut self, op: DiskOp) -> Result<u64, DiskError> {
        match op {
            DiskOp::MakeDir { path } => make_dir(&path).map(|()| 0),
            DiskOp::Open {
                file,
                path,
                truncate,
            } => self.open(file, &path, truncate),
            DiskOp::Append { file, chunks } => self.get(file)?.append(&chunks).map(|()| 0),
            DiskOp::Sync { file } => self.get(file)?.sync().map(|()| 0),
            DiskOp::Truncate { file, length_bytes } => {
                self.get(file)?.truncate(length_bytes).map(|()| 0)
            }
            DiskOp::Close { file } => {
                self.open.remove(&file);
                Ok(0)
            }
            DiskOp::Rename { from, to } => {
                fs::rename(from, to).map_err(at("rename"))?;
                Ok(0)
            }
            DiskOp::Remove { path } => match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("unlink")(error)),
                _ => Ok(0),
            },
            DiskOp::SyncDir { path } => sync_dir(&path).map(|()| 0),
            DiskOp::Replace { temp, path, bytes } => replace(&temp, &path, &bytes).map(|()| 0),
        }
    }

    fn open(&mut self, key: FileKey, path: &Path, truncate: bool) -> Result<u64, DiskError> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o644);
        let file = options.open(path).map_err(at("open"))?;
        if truncate {
            // `truncate` and `append` exclude each other in OpenOptions.
            file.set_len(0).map_err(at("ftruncate"))?;
        }
        let length_bytes = file.metadata().map_err(at("fstat"))?.len();
        self.open.insert(key, OpenFile { file, length_bytes });
        Ok(length_bytes)
    }

    /// A number without a file is answered like a descriptor without one.
    fn get(&mut self, key: FileKey) -> Result<&mut OpenFile, DiskError> {
        self.open.get_mut(&key).ok_or(DiskError {
            errno: rustix::io::Errno::BADF.raw_os_error(),
            call: "find file",
            changed: false,
        })
    }
}

impl OpenFile {
    fn append(&mut self, chunks: &[Vec<u8>]) -> Result<(), DiskError> {
        let bytes: usize = chunks.iter().map(Vec::len).sum();
        let mut written = 0;
        if let Err(error) = write_all(&mut self.file, chunks, &mut written) {
            let mut failure = at("write")(error);
            let taken_back = written == 0 || self.file.set_len(self.length_bytes).is_ok();
            failure.changed = !taken_back;
            return Err(failure);
        }
        self.length_bytes += bytes as u64;
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskError> {
        let synced = retried(|| rustix::fs::fdatasync(self.file.as_fd()));
        synced.map_err(at("fdatasync"))
    }

    fn truncate(&mut self, length_bytes: u64) -> Result<(), DiskError> {
        self.file.set_len(length_bytes).map_err(at("ftruncate"))?;
        self.length_bytes = length_bytes;
        Ok(())
    }
}

/// Writes `bytes` to `temp`, syncs it, renames it to `path` and syncs the directory. If it fails
/// before the rename, `temp` is removed and `path` is as it was.
pub fn replace(temp: &Path, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let result =
        write_synced(temp, bytes).and_then(|()| fs::rename(temp, path).map_err(at("rename")));
    if let Err(failure) = result {
        let _ = fs::remove_file(temp);
        return Err(failure);
    }
    sync_dir(&directory_of(path)).map_err(|failure| DiskError {
        changed: true,
        ..failure
    })
}

/// Makes names in a directory durable.
pub fn sync_dir(path: &Path) -> Result<(), DiskError> {
    let directory = File::open(path).map_err(at("open directory"))?;
    match retried(|| rustix::fs::fsync(directory.as_fd())) {
        // Some file systems cannot, and have nothing to sync.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
            Ok(())
        }
        result => result.map_err(at("fsync directory")),
    }
}

/// The system's text for an error number, as `strerror` has it.
pub fn error_text(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

fn make_dir(path: &Path) -> Result<(), DiskError> {
    match fs::create_dir(path) {
        Err(_) if path.is_dir() => Ok(()),
        result => result.map_err(at("mkdir")),
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o644);
    let mut file = options.open(path).map_err(at("open"))?;
    file.write_all(bytes).map_err(at("write"))?;
    let synced = retried(|| rustix::fs::fsync(file.as_fd()));
    synced.map_err(at("fsync"))
}

/// Counts in `written` what went out, also when it fails.
fn write_all(file: &mut File, chunks: &[Vec<u8>], written: &mut u64) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let batch = rest.len().min(SLICES_MAX);
        match file.write_vectored(&rest[..batch]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                *written += count as u64;
                IoSlice::advance_slices(&mut rest, count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn retried(mut call: impl FnMut() -> rustix::io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map_err(io::Error::from),
        }
    }
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn at(call: &'static str) -> impl Fn(io::Error) -> DiskError {
    move |error| DiskError {
        // What has no number is a write that went nowhere: no space, as far as one can tell.
        errno: error
            .raw_os_error()
            .unwrap_or(rustix::io::Errno::NOSPC.raw_os_error()),
        call,
        changed: false,
    }
}
