//! A file system that keeps apart what was done and what is durable, and a stream with a content
//! that can be checked at every offset.

use std::collections::{BTreeMap, BTreeSet};

use aof::machine::{Failure, FileId, Op};
use aof::manifest::Manifest;
use aof::names::Names;

/// The length of a command in this model: a file's end is cut back to whole ones.
pub const COMMAND_BYTES: u64 = 4;

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

/// `count` commands of the stream from `offset` on.
pub fn stream(offset: u64, count: u64) -> Vec<u8> {
    (offset..offset + count * COMMAND_BYTES)
        .map(stream_byte)
        .collect()
}

fn stream_byte(offset: u64) -> u8 {
    b'a' + (offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8 % 26
}

/// A base that holds the stream up to `cut`.
pub fn base_bytes(cut: u64) -> Vec<u8> {
    format!("BASE {cut} END").into_bytes()
}

#[derive(Clone, Default)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Bytes from here on were lost by a failed sync, and no later one brings them back.
    doomed_from: Option<usize>,
}

#[derive(Clone, Copy)]
enum Mood {
    Well,
    Flaky,
    Full,
    SyncFails,
    Broken,
}

pub struct ModelDisk {
    inodes: Vec<Inode>,
    names: BTreeMap<Vec<u8>, usize>,
    durable_names: BTreeMap<Vec<u8>, usize>,
    directories: BTreeSet<Vec<u8>>,
    durable_directories: BTreeSet<Vec<u8>>,
    open: BTreeMap<FileId, usize>,
    mood: Mood,
}

impl ModelDisk {
    pub fn new() -> ModelDisk {
        ModelDisk {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            directories: BTreeSet::new(),
            durable_directories: BTreeSet::new(),
            open: BTreeMap::new(),
            mood: Mood::Well,
        }
    }

    pub fn set_mood(&mut self, random: &mut Random) {
        self.mood = match random.below(10) {
            0..=5 => Mood::Well,
            6 => Mood::Flaky,
            7 => Mood::Full,
            8 => Mood::SyncFails,
            _ => Mood::Broken,
        };
    }

    pub fn set_well(&mut self) {
        self.mood = Mood::Well;
    }

    pub fn put_synced(&mut self, path: &[u8], bytes: Vec<u8>) {
        let inode = self.add(Inode {
            durable: bytes.clone(),
            bytes,
            doomed_from: None,
        });
        self.names.insert(path.to_vec(), inode);
    }

    /// Executes one operation, or fails it as a disk of this mood would.
    pub fn execute(&mut self, op: &Op, random: &mut Random) -> Result<u64, Failure> {
        let fails = self.fails(op, random);
        match op {
            Op::Append { file, chunks } => {
                let inode = self.inode(*file);
                let bytes = chunks.concat();
                if fails {
                    let torn = random.one_in(8);
                    let part = if torn {
                        random.below(bytes.len() as u64)
                    } else {
                        0
                    };
                    inode.bytes.extend_from_slice(&bytes[..part as usize]);
                    return Err(failure("No space left on device", torn));
                }
                inode.bytes.extend_from_slice(&bytes);
                Ok(0)
            }
            Op::Sync { file } => {
                let inode = self.inode(*file);
                if fails {
                    if random.one_in(2) {
                        let synced = common_prefix(&inode.durable, &inode.bytes);
                        inode.doomed_from.get_or_insert(synced);
                    }
                    return Err(failure("Input/output error", false));
                }
                let end = inode.doomed_from.unwrap_or(inode.bytes.len());
                inode.durable = inode.bytes[..end].to_vec();
                Ok(0)
            }
            Op::Replace { temp, path, bytes } => self.replace(temp, path, bytes, fails, random),
            _ if fails => Err(failure("Input/output error", false)),
            Op::MakeDir { path } => {
                self.directories.insert(path.clone());
                Ok(0)
            }
            Op::Open {
                file,
                path,
                truncate,
            } => self.open(*file, path, *truncate),
            Op::Close { file } => {
                self.open.remove(file);
                Ok(0)
            }
            Op::Rename { from, to } => match self.names.remove(from) {
                Some(inode) => {
                    self.names.insert(to.clone(), inode);
                    Ok(0)
                }
                None => panic!("renames what is not there: {}", from.escape_ascii()),
            },
            Op::Remove { path } => {
                self.names.remove(path);
                Ok(0)
            }
            Op::SyncDir { path } => {
                self.sync_dir(path);
                Ok(0)
            }
        }
    }

    /// The power goes. Of what is not durable anything may be left.
    pub fn crash(&mut self, random: &mut Random) {
        self.open.clear();
        for inode in &mut self.inodes {
            let common = common_prefix(&inode.durable, &inode.bytes);
            let extends = common == inode.durable.len();
            let least = if extends { common } else { 0 };
            let most = inode.doomed_from.unwrap_or(inode.bytes.len()).max(least);
            if extends || random.one_in(2) {
                let length = least + random.below((most - least) as u64 + 1) as usize;
                inode.durable = inode.bytes[..length].to_vec();
            }
            inode.bytes = inode.durable.clone();
            inode.doomed_from = None;
        }
        let kept = self.directories.iter();
        let kept = kept.filter(|path| self.durable_directories.contains(*path) || random.one_in(2));
        self.directories = kept.cloned().collect();
        self.durable_directories = self.directories.clone();
        let paths: BTreeSet<Vec<u8>> = self
            .names
            .keys()
            .chain(self.durable_names.keys())
            .cloned()
            .collect();
        for path in paths {
            let survivor = match random.one_in(2) {
                true => self.names.get(&path),
                false => self.durable_names.get(&path),
            };
            let has_home = self.directories.contains(directory(&path)) || directory(&path) == b".";
            let survivor = survivor.copied().filter(|_| has_home);
            set(&mut self.names, &path, survivor);
        }
        self.durable_names = self.names.clone();
    }

    /// The process dies, the system lives on: nothing that was done is lost, nor is it durable.
    pub fn kill(&mut self) {
        self.open.clear();
    }

    pub fn has_doomed(&self) -> bool {
        self.inodes.iter().any(|inode| inode.doomed_from.is_some())
    }

    /// The manifest and how much of the stream the files hold; cuts the last one to whole commands.
    pub fn load(&mut self, names: &Names) -> Result<(Manifest, u64), String> {
        let Some(&inode) = self.names.get(&names.path(&names.manifest())) else {
            return Ok((Manifest::default(), 0));
        };
        let manifest = Manifest::parse(&self.inodes[inode].bytes)
            .map_err(|error| format!("manifest: {error}"))?;
        let mut offset = 0;
        let live: Vec<_> = manifest.live_files().cloned().collect();
        let mut files = live.iter().peekable();
        while let Some(file) = files.next() {
            let path = names.path(&file.name);
            let shown = path.escape_ascii().to_string();
            let inode = *self.names.get(&path).ok_or(format!("no {shown}"))?;
            let inode = &mut self.inodes[inode];
            if Some(file) == manifest.base.as_ref() {
                let text = String::from_utf8_lossy(&inode.bytes);
                let cut = text
                    .strip_prefix("BASE ")
                    .and_then(|t| t.strip_suffix(" END"));
                let cut = cut.and_then(|number| number.parse().ok());
                offset = cut.ok_or(format!("bad base {shown}: {text}"))?;
                continue;
            }
            let whole =
                replay(&inode.bytes, &mut offset).map_err(|at| format!("{shown} at {at}"))?;
            if whole < inode.bytes.len() {
                if files.peek().is_some() {
                    return Err(format!("{shown} is cut but not the last"));
                }
                inode.bytes.truncate(whole);
                inode.durable.truncate(whole);
            }
        }
        Ok((manifest, offset))
    }

    fn fails(&self, op: &Op, random: &mut Random) -> bool {
        let is_sync = matches!(
            op,
            Op::Sync { .. } | Op::SyncDir { .. } | Op::Replace { .. }
        );
        match self.mood {
            Mood::Well => false,
            Mood::Flaky => random.one_in(10),
            Mood::Full => match op {
                Op::Append { .. } => !random.one_in(4),
                Op::Open { .. } | Op::Replace { .. } => random.one_in(2),
                _ => false,
            },
            Mood::SyncFails => is_sync && random.one_in(3),
            Mood::Broken => random.one_in(2),
        }
    }

    fn replace(
        &mut self,
        temp: &[u8],
        path: &[u8],
        bytes: &[u8],
        fails: bool,
        random: &mut Random,
    ) -> Result<u64, Failure> {
        if fails && random.one_in(2) {
            self.names.remove(temp);
            return Err(failure("No space left on device", false));
        }
        let inode = self.add(Inode {
            bytes: bytes.to_vec(),
            durable: bytes.to_vec(),
            doomed_from: None,
        });
        self.names.insert(path.to_vec(), inode);
        if fails {
            return Err(failure("Input/output error", true));
        }
        self.sync_dir(directory(path));
        Ok(0)
    }

    fn open(&mut self, file: FileId, path: &[u8], truncate: bool) -> Result<u64, Failure> {
        assert!(self.directories.contains(directory(path)));
        let inode = match self.names.get(path) {
            Some(&inode) => inode,
            None => {
                let inode = self.add(Inode::default());
                self.names.insert(path.to_vec(), inode);
                inode
            }
        };
        let known = self.open.insert(file, inode);
        assert!(known.is_none(), "a number is used once");
        if truncate {
            self.inodes[inode].bytes.clear();
            self.inodes[inode].doomed_from = None;
        }
        Ok(self.inodes[inode].bytes.len() as u64)
    }

    fn sync_dir(&mut self, path: &[u8]) {
        if path == b"." {
            self.durable_directories = self.directories.clone();
        }
        let in_it = |name: &Vec<u8>| directory(name) == path;
        self.durable_names.retain(|name, _| !in_it(name));
        for (name, inode) in self.names.iter().filter(|(name, _)| in_it(name)) {
            self.durable_names.insert(name.clone(), *inode);
        }
    }

    fn add(&mut self, inode: Inode) -> usize {
        self.inodes.push(inode);
        self.inodes.len() - 1
    }

    fn inode(&mut self, file: FileId) -> &mut Inode {
        let inode = self.open.get(&file).expect("operations only on open files");
        &mut self.inodes[*inode]
    }
}

/// Reads stream bytes from `offset` on, over annotations. Returns the length of what is whole.
fn replay(bytes: &[u8], offset: &mut u64) -> Result<usize, usize> {
    let (mut at, mut whole) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'#' {
            let Some(end) = bytes[at..].iter().position(|&byte| byte == b'\n') else {
                return Ok(whole);
            };
            at += end + 1;
            whole = at;
            continue;
        }
        let length = (bytes.len() - at).min(COMMAND_BYTES as usize);
        let expected = stream(*offset, 1);
        if bytes[at..at + length] != expected[..length] {
            return Err(at);
        }
        if length < expected.len() {
            return Ok(whole);
        }
        *offset += COMMAND_BYTES;
        at += length;
        whole = at;
    }
    Ok(whole)
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn directory(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => &path[..slash],
        None => b".",
    }
}

fn set(names: &mut BTreeMap<Vec<u8>, usize>, path: &[u8], inode: Option<usize>) {
    match inode {
        Some(inode) => names.insert(path.to_vec(), inode),
        None => names.remove(path),
    };
}

fn failure(text: &str, changed: bool) -> Failure {
    Failure {
        text: text.to_owned(),
        changed,
    }
}

/// An operation in one line, without its bytes.
pub fn show(op: &Op) -> String {
    let path = |path: &[u8]| path.escape_ascii().to_string();
    match op {
        Op::Append { file, chunks } => {
            format!(
                "append {} to {file:?}",
                chunks.iter().map(Vec::len).sum::<usize>()
            )
        }
        Op::Open { file, path: p, .. } => format!("open {file:?} {}", path(p)),
        Op::Rename { from, to } => format!("rename {} {}", path(from), path(to)),
        Op::Remove { path: p } => format!("remove {}", path(p)),
        Op::Replace { path: p, bytes, .. } => format!("replace {} {}", path(p), path(bytes)),
        other => format!("{other:?}"),
    }
}
