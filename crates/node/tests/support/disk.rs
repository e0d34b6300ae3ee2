//! A disk of values: files by name, jobs in two queues, and everything that can go wrong with it.
//!
//! Jobs are done when the node asks what is done (a quick disk), or one at a time while somebody
//! waits (a slow one). A file that is open keeps its content when its name changes. Every job passes
//! one or more points at which it may fail; they are counted, so that a test can let each fail in
//! turn. Power loss is not played here: `crates/aof/tests/simulation.rs` does that for the AOF.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aof::machine::{Action, Done, Failure, FileId, Op};
use node::outside::{Chunk, DiskDone, DiskJob, PathKind, ReadFile, SnapshotId};
use rdb::Packer;

use super::streams::ModelStreams;

pub const DIR: &str = "/data";
pub const NO_SPACE: &str = "No space left on device";
pub const IO_ERROR: &str = "Input/output error";

#[derive(Default)]
pub struct ModelDisk {
    inodes: Vec<Vec<u8>>,
    names: BTreeMap<Vec<u8>, usize>,
    directories: BTreeSet<Vec<u8>>,
    open: BTreeMap<FileId, usize>,
    snapshots: BTreeMap<SnapshotId, Writing>,
    snapshot_jobs: VecDeque<DiskJob>,
    aof_jobs: VecDeque<Action>,
    done: Vec<DiskDone>,
    streams: ModelStreams,
    pub faults: Faults,
    /// Jobs are done only while somebody waits for them.
    pub is_slow: bool,
    /// Bytes of snapshots that were handed over and not written, and the most there ever were.
    pub queued_bytes: usize,
    pub queued_bytes_max: usize,
}

/// What is to go wrong.
#[derive(Default)]
pub struct Faults {
    /// Points passed so far.
    pub points: u64,
    /// The point that fails, counted from 1.
    pub fail_at: Option<u64>,
    /// From that point on everything fails.
    pub fails_from_then_on: bool,
    /// All files together may have so many bytes.
    pub capacity_bytes: Option<usize>,
    /// One in so many points fails, by these random numbers.
    pub random: Option<(u64, Random)>,
    /// What failed, in order.
    pub failed: Vec<String>,
    /// Reading this path fails after so many bytes.
    pub unreadable: Option<(Vec<u8>, usize)>,
}

struct Writing {
    path: Vec<u8>,
    inode: usize,
    packer: Option<Packer>,
    bytes: u64,
}

/// xorshift64*, so that one seed gives one run everywhere.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Relative paths are meant from the working directory.
fn absolute(path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        path.to_vec()
    } else {
        [DIR.as_bytes(), b"/", path].concat()
    }
}

/// What a test looks at and changes.
impl ModelDisk {
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        let inode = self.names.get(&absolute(path.as_bytes()))?;
        Some(&self.inodes[*inode])
    }

    pub fn put(&mut self, path: &str, bytes: &[u8]) {
        if let Some((directory, _)) = path.rsplit_once('/') {
            self.directories.insert(absolute(directory.as_bytes()));
        }
        let inode = self.add(bytes.to_vec());
        self.names.insert(absolute(path.as_bytes()), inode);
    }

    pub fn remove(&mut self, path: &str) {
        self.names.remove(&absolute(path.as_bytes()));
    }

    pub fn put_directory(&mut self, path: &str) {
        self.directories.insert(absolute(path.as_bytes()));
    }

    /// All files below the working directory.
    pub fn listed(&self) -> Vec<String> {
        let skipped = DIR.len() + 1;
        self.names
            .keys()
            .map(|path| String::from_utf8_lossy(&path[skipped..]).into_owned())
            .collect()
    }

    /// What another process would find after this one died. What was handed over and not done is lost.
    pub fn after_death(&self) -> ModelDisk {
        let mut next = ModelDisk::default();
        for (path, inode) in &self.names {
            let inode = next.add(self.inodes[*inode].clone());
            next.names.insert(path.clone(), inode);
        }
        next.directories = self.directories.clone();
        next
    }

    pub fn total_bytes(&self) -> usize {
        self.names
            .values()
            .map(|inode| self.inodes[*inode].len())
            .sum()
    }

    fn add(&mut self, bytes: Vec<u8>) -> usize {
        self.inodes.push(bytes);
        self.inodes.len() - 1
    }
}

impl Faults {
    fn pass(&mut self, what: &str) -> Result<(), String> {
        self.points += 1;
        let is_due = match self.fail_at {
            Some(at) if self.fails_from_then_on => self.points >= at,
            Some(at) => self.points == at,
            None => false,
        };
        let is_unlucky = match &mut self.random {
            Some((n, random)) => random.one_in(*n),
            None => false,
        };
        if is_due || is_unlucky {
            self.failed.push(what.to_owned());
            return Err(IO_ERROR.to_owned());
        }
        Ok(())
    }
}

/// Jobs.
impl ModelDisk {
    pub fn submit(&mut self, job: DiskJob) {
        if let DiskJob::SnapshotWrite { chunk, .. } = &job {
            self.queued_bytes += chunk.len();
            self.queued_bytes_max = self.queued_bytes_max.max(self.queued_bytes);
        }
        match job {
            DiskJob::Aof(action) => self.aof_jobs.push_back(action),
            job => self.snapshot_jobs.push_back(job),
        }
    }

    pub fn take_done(&mut self, into: &mut Vec<DiskDone>) {
        while !self.is_slow && self.run_one() {}
        into.append(&mut self.done);
    }

    /// False if there was nothing to do.
    pub fn wait_done(&mut self, into: &mut Vec<DiskDone>) -> bool {
        let worked = !self.done.is_empty() || self.run_one();
        into.append(&mut self.done);
        worked
    }

    /// Does one job.
    pub fn run_one(&mut self) -> bool {
        if let Some(action) = self.aof_jobs.pop_front() {
            let result = self.aof_op(action.op);
            let token = action.token;
            self.done.push(DiskDone::Aof(Done { token, result }));
            return true;
        }
        let Some(job) = self.snapshot_jobs.pop_front() else {
            return false;
        };
        let job = match self.streams.run(job) {
            Ok(done) => {
                self.done.extend(done);
                return true;
            }
            Err(job) => job,
        };
        let id = match &job {
            DiskJob::Keep { .. } => SnapshotId(u64::MAX),
            DiskJob::SnapshotOpen { id, .. }
            | DiskJob::SnapshotWrite { id, .. }
            | DiskJob::SnapshotFinish { id, .. }
            | DiskJob::SnapshotAbort { id } => *id,
            _ => unreachable!("in another queue"),
        };
        match self.snapshot_job(job) {
            Ok(done) => self.done.extend(done),
            Err((action, error)) => {
                self.discard(id);
                self.done
                    .push(DiskDone::SnapshotFailed { id, action, error });
            }
        }
        true
    }

    fn snapshot_job(&mut self, job: DiskJob) -> Result<Option<DiskDone>, (&'static str, String)> {
        match job {
            DiskJob::SnapshotOpen {
                id, path, packing, ..
            } => {
                self.faults.pass("open").map_err(|e| ("open", e))?;
                let path = absolute(&path);
                let inode = self.add(Vec::new());
                self.names.insert(path.clone(), inode);
                let packer = packing.as_ref().map(Packer::new);
                let bytes = 0;
                let writing = Writing {
                    path,
                    inode,
                    packer,
                    bytes,
                };
                self.snapshots.insert(id, writing);
                Ok(None)
            }
            DiskJob::SnapshotWrite { id, chunk } => {
                let bytes = chunk.len();
                self.queued_bytes -= bytes;
                if !self.snapshots.contains_key(&id) {
                    return Ok(None);
                }
                self.faults.pass("write").map_err(|e| ("write", e))?;
                self.write_chunk(id, chunk).map_err(|e| ("write", e))?;
                Ok(Some(DiskDone::SnapshotWritten { id, bytes }))
            }
            DiskJob::SnapshotFinish { id, rename_to } => {
                if !self.snapshots.contains_key(&id) {
                    return Ok(None);
                }
                self.faults.pass("fsync").map_err(|e| ("fsync", e))?;
                if let Some(target) = rename_to {
                    self.faults.pass("rename").map_err(|e| ("rename", e))?;
                    let writing = &self.snapshots[&id];
                    self.names.remove(&writing.path);
                    self.names.insert(absolute(&target), writing.inode);
                    let action = "fsync of the directory";
                    self.faults.pass(action).map_err(|e| (action, e))?;
                }
                let file_bytes = self.snapshots.remove(&id).map_or(0, |w| w.bytes);
                Ok(Some(DiskDone::SnapshotFinished { id, file_bytes }))
            }
            DiskJob::SnapshotAbort { id } => {
                self.discard(id);
                Ok(None)
            }
            DiskJob::Keep { path, bytes } => {
                let inode = self.add(bytes);
                self.names.insert(absolute(&path), inode);
                Ok(Some(DiskDone::Kept { path, error: None }))
            }
            _ => unreachable!("in another queue"),
        }
    }

    fn write_chunk(&mut self, id: SnapshotId, chunk: Chunk) -> Result<(), String> {
        let writing = self.snapshots.get_mut(&id).expect("was asked");
        let bytes = match chunk {
            Chunk::Plain(bytes) => bytes,
            Chunk::Rdb(segment) => {
                let mut packed = Vec::new();
                let packer = writing.packer.as_mut().expect("opened for RDB");
                packer.pack(segment, &mut packed);
                packed
            }
        };
        writing.bytes += bytes.len() as u64;
        let inode = writing.inode;
        self.extend(inode, &bytes)
    }

    fn extend(&mut self, inode: usize, bytes: &[u8]) -> Result<(), String> {
        let capacity_bytes = self.faults.capacity_bytes.unwrap_or(usize::MAX);
        if self.total_bytes() + bytes.len() > capacity_bytes {
            self.faults.failed.push("no space".into());
            return Err(NO_SPACE.into());
        }
        self.inodes[inode].extend_from_slice(bytes);
        Ok(())
    }

    fn discard(&mut self, id: SnapshotId) {
        if let Some(writing) = self.snapshots.remove(&id)
            && self.names.get(&writing.path) == Some(&writing.inode)
        {
            self.names.remove(&writing.path);
        }
    }

    fn aof_op(&mut self, op: Op) -> Result<u64, Failure> {
        let failed = |text| Failure {
            text,
            changed: false,
        };
        let what = format!("{op:?}");
        let what = what.split([' ', '{']).next().unwrap_or_default();
        match op {
            Op::Replace { temp, path, bytes } => return self.replace(&temp, &path, bytes),
            _ => self.faults.pass(what).map_err(failed)?,
        }
        match op {
            Op::MakeDir { path } => {
                self.directories.insert(absolute(&path));
            }
            Op::Open {
                file,
                path,
                truncate,
            } => return Ok(self.open_to_append(file, &absolute(&path), truncate)),
            Op::Append { file, chunks } => {
                let inode = *self.open.get(&file).expect("an open file");
                self.extend(inode, &chunks.concat()).map_err(failed)?;
            }
            Op::Sync { .. } | Op::SyncDir { .. } => {}
            Op::Close { file } => {
                self.open.remove(&file);
            }
            Op::Rename { from, to } => {
                let inode = self.names.remove(&absolute(&from));
                let inode = inode.ok_or_else(|| failed("No such file or directory".into()))?;
                self.names.insert(absolute(&to), inode);
            }
            Op::Remove { path } => {
                self.names.remove(&absolute(&path));
            }
            Op::Replace { .. } => unreachable!("done above"),
        }
        Ok(0)
    }

    fn open_to_append(&mut self, file: FileId, path: &[u8], truncate: bool) -> u64 {
        let inode = match self.names.get(path) {
            Some(&inode) => inode,
            None => {
                let inode = self.add(Vec::new());
                self.names.insert(path.to_vec(), inode);
                inode
            }
        };
        if truncate {
            self.inodes[inode].clear();
        }
        self.open.insert(file, inode);
        self.inodes[inode].len() as u64
    }

    fn replace(&mut self, temp: &[u8], path: &[u8], bytes: Vec<u8>) -> Result<u64, Failure> {
        let failure = |text, changed| Failure { text, changed };
        let written = self.faults.pass("Replace before");
        written.map_err(|text| failure(text, false))?;
        self.names.remove(&absolute(temp));
        let inode = self.add(Vec::new());
        let extended = self.extend(inode, &bytes);
        extended.map_err(|text| failure(text, false))?;
        self.names.insert(absolute(path), inode);
        let synced = self.faults.pass("Replace after");
        synced.map_err(|text| failure(text, true))?;
        Ok(0)
    }
}

/// Files at the start.
impl ModelDisk {
    pub fn kind(&self, path: &[u8]) -> PathKind {
        let path = absolute(path);
        if self.names.contains_key(&path) {
            PathKind::File
        } else if self.directories.contains(&path) {
            PathKind::Directory
        } else {
            PathKind::Absent
        }
    }

    pub fn list(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let prefix = [&absolute(path)[..], b"/"].concat();
        let inside = self
            .names
            .keys()
            .filter_map(|name| name.strip_prefix(&prefix[..]));
        inside
            .filter(|name| !name.contains(&b'/'))
            .map(<[u8]>::to_vec)
            .collect()
    }

    pub fn open_to_read(&mut self, path: &[u8]) -> Result<Box<dyn ReadFile>, String> {
        let path = absolute(path);
        let Some(&inode) = self.names.get(&path) else {
            let is_directory = self.directories.contains(&path);
            return Err(if is_directory {
                "Is a directory"
            } else {
                "No such file or directory"
            }
            .into());
        };
        self.faults.pass("open to read")?;
        let bytes = self.inodes[inode].clone();
        let fails_at = match &self.faults.unreadable {
            Some((unreadable, at)) if absolute(unreadable) == path => Some(*at),
            _ => None,
        };
        Ok(Box::new(Reading {
            bytes,
            at: 0,
            fails_at,
        }))
    }

    pub fn truncate(&mut self, path: &[u8], length_bytes: u64) -> Result<(), String> {
        self.faults.pass("truncate")?;
        let inode = self.names[&absolute(path)];
        self.inodes[inode].truncate(length_bytes as usize);
        Ok(())
    }

    pub fn make_dir(&mut self, path: &[u8]) -> Result<(), String> {
        self.faults.pass("make_dir")?;
        self.directories.insert(absolute(path));
        Ok(())
    }

    pub fn replace_file(&mut self, temp: &[u8], path: &[u8], bytes: &[u8]) -> Result<(), String> {
        self.replace(temp, path, bytes.to_vec())
            .map(|_| ())
            .map_err(|failure| failure.text)
    }

    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), String> {
        self.faults.pass("rename at the start")?;
        let inode = self.names.remove(&absolute(from));
        let inode = inode.ok_or("No such file or directory")?;
        self.names.insert(absolute(to), inode);
        Ok(())
    }
}

struct Reading {
    bytes: Vec<u8>,
    at: usize,
    fails_at: Option<usize>,
}

impl ReadFile for Reading {
    fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&mut self, into: &mut Vec<u8>, max: usize) -> Result<usize, String> {
        let end = self.bytes.len().min(self.at + max);
        if self.fails_at.is_some_and(|at| at < end) {
            return Err(IO_ERROR.into());
        }
        into.extend_from_slice(&self.bytes[self.at..end]);
        let count = end - self.at;
        self.at = end;
        Ok(count)
    }
}
