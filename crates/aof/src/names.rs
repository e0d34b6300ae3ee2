//! Names of the append only file's parts, and the plan that takes in a file of the old style.
//!
//! All paths are relative to the server's working directory, as bytes: `appenddirname` holds the
//! parts, the base under construction lies beside it. Names follow Redis 7:
//!
//! ```text
//! appendonlydir/appendonly.aof.manifest           which files count, in which order
//! appendonlydir/appendonly.aof.2.base.rdb         everything up to the last rewrite
//! appendonlydir/appendonly.aof.3.incr.aof         everything since
//! appendonlydir/temp-appendonly.aof.incr          collects until a first base is done
//! appendonlydir/temp-appendonly.aof.manifest      becomes the manifest by rename
//! temp-rewriteaof-bg-<pid>-<n>.aof                becomes a base by rename
//! ```
//!
//! Tests are at the bottom.

use crate::manifest::{FileEntry, Manifest};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    directory: Vec<u8>,
    file: Vec<u8>,
    pid: u32,
}

impl Names {
    /// `directory` and `file` are `appenddirname` and `appendfilename`.
    pub fn new(directory: &[u8], file: &[u8], pid: u32) -> Names {
        Names {
            directory: directory.to_vec(),
            file: file.to_vec(),
            pid,
        }
    }

    /// `appenddirname`.
    pub fn directory(&self) -> &[u8] {
        &self.directory
    }

    /// `appendfilename`: the start of every name, and the whole name of a file of the old style.
    pub fn file(&self) -> &[u8] {
        &self.file
    }

    pub fn base(&self, seq: i64, rdb_preamble: bool) -> Vec<u8> {
        let format = if rdb_preamble { "rdb" } else { "aof" };
        self.with_suffix(&format!(".{seq}.base.{format}"))
    }

    pub fn incr(&self, seq: i64) -> Vec<u8> {
        self.with_suffix(&format!(".{seq}.incr.aof"))
    }

    pub fn manifest(&self) -> Vec<u8> {
        self.with_suffix(".manifest")
    }

    pub fn temp_manifest(&self) -> Vec<u8> {
        [b"temp-", &self.manifest()[..]].concat()
    }

    pub fn temp_incr(&self) -> Vec<u8> {
        [b"temp-", &self.with_suffix(".incr")[..]].concat()
    }

    /// Where the caller writes a new base; beside the directory, not in it. Each rewrite has its
    /// own, because what one left behind may be removed while the next one writes.
    pub fn temp_base(&self, rewrite_number: u64) -> Vec<u8> {
        format!("temp-rewriteaof-bg-{}-{rewrite_number}.aof", self.pid).into_bytes()
    }

    /// Whether a name in the directory is that of a base or an increment, of whatever number.
    pub fn is_part(&self, name: &[u8]) -> bool {
        let numbered = || name.strip_prefix(&self.file[..])?.strip_prefix(b".");
        let Some(numbered) = numbered() else {
            return false;
        };
        let digits = numbered.iter().take_while(|b| b.is_ascii_digit()).count();
        let suffixes: [&[u8]; 3] = [b".base.rdb", b".base.aof", b".incr.aof"];
        digits > 0 && suffixes.contains(&&numbered[digits..])
    }

    /// The path of a name within the directory.
    pub fn path(&self, name: &[u8]) -> Vec<u8> {
        [&self.directory[..], b"/", name].concat()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    fn with_suffix(&self, suffix: &str) -> Vec<u8> {
        [&self.file[..], suffix.as_bytes()].concat()
    }
}

/// What is there when a server with `appendonly yes` starts.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// A file called `appendfilename` in the working directory: the old style.
    pub old_file: bool,
    /// The directory `appenddirname`.
    pub directory: bool,
    /// A file called `appendfilename` in that directory: taken in already.
    pub old_file_in_directory: bool,
}

/// How to take in a file of the old style. The steps in order, each of which may be repeated:
/// make the directory, replace the manifest by `manifest`, rename `from` to `to`. A crash between
/// any two of them is continued at the next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    pub manifest: Manifest,
    pub from: Vec<u8>,
    pub to: Vec<u8>,
}

impl Upgrade {
    /// None when there is nothing to take in.
    pub fn plan(found: Found, manifest: &Manifest, names: &Names) -> Option<Upgrade> {
        let begun = manifest.incrs.is_empty()
            && manifest
                .base
                .as_ref()
                .is_some_and(|base| base.name == names.file)
            && !found.old_file_in_directory;
        let due = found.old_file && (!found.directory || manifest.is_empty() || begun);
        due.then(|| Upgrade {
            manifest: Manifest {
                base: Some(FileEntry {
                    name: names.file.clone(),
                    seq: 1,
                }),
                history: manifest.history.clone(),
                base_seq: 1,
                ..Manifest::default()
            },
            from: names.file.clone(),
            to: names.path(&names.file),
        })
    }

    /// What Redis logs when it is done.
    pub fn log_text(names: &Names) -> String {
        format!(
            "Successfully migrated an old-style AOF file ({}) into the AOF directory ({}).",
            String::from_utf8_lossy(&names.file),
            String::from_utf8_lossy(&names.directory)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(b"appendonlydir", b"appendonly.aof", 7)
    }

    fn text(name: Vec<u8>) -> String {
        String::from_utf8(name).expect("ascii")
    }

    #[test]
    fn names_are_those_of_redis_7() {
        let names = names();
        assert_eq!(text(names.base(1, true)), "appendonly.aof.1.base.rdb");
        assert_eq!(text(names.base(12, false)), "appendonly.aof.12.base.aof");
        assert_eq!(text(names.incr(3)), "appendonly.aof.3.incr.aof");
        assert_eq!(text(names.manifest()), "appendonly.aof.manifest");
        assert_eq!(text(names.temp_manifest()), "temp-appendonly.aof.manifest");
        assert_eq!(text(names.temp_incr()), "temp-appendonly.aof.incr");
        assert_eq!(text(names.temp_base(2)), "temp-rewriteaof-bg-7-2.aof");
        assert_eq!(text(names.path(b"x")), "appendonlydir/x");
    }

    #[test]
    fn parts_are_known_by_their_names() {
        let names = names();
        for number in [1, 7, i64::MAX] {
            for name in [
                names.base(number, true),
                names.base(number, false),
                names.incr(number),
            ] {
                assert!(names.is_part(&name), "{}", text(name));
            }
        }
        for other in [
            names.manifest(),
            names.temp_manifest(),
            names.temp_incr(),
            names.temp_base(1),
            b"appendonly.aof".to_vec(),
            b"appendonly.aof..incr.aof".to_vec(),
            b"appendonly.aof.1.incr.aof.bak".to_vec(),
            b"other.aof.1.incr.aof".to_vec(),
        ] {
            assert!(!names.is_part(&other), "{}", text(other));
        }
    }

    fn manifest(text: &str) -> Manifest {
        Manifest::parse(text.as_bytes()).expect("manifest")
    }

    #[test]
    fn an_old_file_is_taken_in_when_the_directory_holds_nothing_yet() {
        let found = |directory, old_file_in_directory| Found {
            old_file: true,
            directory,
            old_file_in_directory,
        };
        let empty = Manifest::default();
        let plan = Upgrade::plan(found(false, false), &empty, &names()).expect("no directory");
        assert_eq!(plan.to, b"appendonlydir/appendonly.aof");
        assert_eq!(
            plan.manifest.format(),
            b"file appendonly.aof seq 1 type b\n"
        );
        assert!(Upgrade::plan(found(true, false), &empty, &names()).is_some());
        let begun = manifest("file appendonly.aof seq 1 type b\n");
        assert!(Upgrade::plan(found(true, false), &begun, &names()).is_some());
        assert!(Upgrade::plan(found(true, true), &begun, &names()).is_none());
        let lived = manifest(
            "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
        );
        assert!(Upgrade::plan(found(true, false), &lived, &names()).is_none());
    }

    #[test]
    fn without_an_old_file_there_is_nothing_to_take_in() {
        let found = Found {
            old_file: false,
            directory: false,
            old_file_in_directory: false,
        };
        assert!(Upgrade::plan(found, &Manifest::default(), &names()).is_none());
    }
}
