//! Tests of the disk thread on real files.

use super::*;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("disk-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("scratch directory");
        Scratch(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

const FILE: FileKey = FileKey(1);

fn append(text: &str) -> DiskOp {
    DiskOp::Append {
        file: FILE,
        chunks: Arc::new(vec![text.as_bytes().to_vec()]),
    }
}

fn open(path: &Path, truncate: bool) -> DiskOp {
    DiskOp::Open {
        file: FILE,
        path: path.to_owned(),
        truncate,
    }
}

/// Executes the operations and returns their results in order.
fn run(ops: Vec<DiskOp>) -> Vec<Result<u64, DiskError>> {
    let disk = Disk::spawn("test-disk", None).expect("thread");
    let count = ops.len();
    for (token, op) in (0..).zip(ops) {
        disk.submit(token, op);
    }
    let mut results = Vec::new();
    while results.len() < count {
        for done in disk.wait_done(Duration::from_secs(30)) {
            assert_eq!(done.token, results.len() as u64, "in order");
            results.push(done.result);
        }
    }
    assert_eq!((disk.pending_ops(), disk.pending_bytes()), (0, 0));
    results
}

#[test]
fn a_file_is_opened_appended_to_renamed_and_removed_in_order() {
    let scratch = Scratch::new("order");
    let (directory, path) = (scratch.path("d"), scratch.path("d/file"));
    let results = run(vec![
        DiskOp::MakeDir {
            path: directory.clone(),
        },
        DiskOp::MakeDir {
            path: directory.clone(),
        },
        open(&path, false),
        append("one "),
        append("two"),
        DiskOp::Sync { file: FILE },
        DiskOp::Rename {
            from: path.clone(),
            to: scratch.path("d/other"),
        },
        append(" three"),
        DiskOp::SyncDir { path: directory },
        DiskOp::Close { file: FILE },
        DiskOp::Remove { path },
    ]);
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let content = fs::read(scratch.path("d/other")).expect("renamed");
    assert_eq!(content, b"one two three");
}

#[test]
fn opening_tells_the_length_and_keeps_or_empties() {
    let scratch = Scratch::new("open");
    let path = scratch.path("file");
    fs::write(&path, "12345").expect("write");
    assert_eq!(run(vec![open(&path, false), append("6")])[0], Ok(5));
    assert_eq!(fs::read(&path).expect("read"), b"123456");
    let cut = DiskOp::Truncate {
        file: FILE,
        length_bytes: 2,
    };
    assert_eq!(run(vec![open(&path, false), cut, append("x")])[1], Ok(0));
    assert_eq!(fs::read(&path).expect("read"), b"12x");
    assert_eq!(run(vec![open(&path, true)])[0], Ok(0));
    assert_eq!(fs::read(&path).expect("read"), b"");
}

#[test]
fn many_chunks_are_written_whole() {
    let scratch = Scratch::new("chunks");
    let path = scratch.path("file");
    let chunks: Vec<Vec<u8>> = (0..3000u32)
        .map(|i| vec![i as u8; i as usize % 7])
        .collect();
    let expected = chunks.concat();
    let op = DiskOp::Append {
        file: FILE,
        chunks: Arc::new(chunks),
    };
    assert_eq!(run(vec![open(&path, true), op])[1], Ok(0));
    assert_eq!(fs::read(&path).expect("read"), expected);
}

#[test]
fn a_replacement_leaves_the_new_content_and_no_temporary_file() {
    let scratch = Scratch::new("replace");
    let (temp, path) = (scratch.path("temp"), scratch.path("file"));
    fs::write(&path, "old").expect("write");
    let op = DiskOp::Replace {
        temp: temp.clone(),
        path: path.clone(),
        bytes: b"new".to_vec(),
    };
    assert_eq!(run(vec![op]), [Ok(0)]);
    assert_eq!(fs::read(&path).expect("read"), b"new");
    assert!(!temp.exists());
}

#[test]
fn a_replacement_that_fails_leaves_the_old_content() {
    let scratch = Scratch::new("refuse");
    let (temp, path) = (scratch.path("temp"), scratch.path("target"));
    fs::create_dir_all(path.join("full")).expect("a directory in the way");
    let op = DiskOp::Replace {
        temp: temp.clone(),
        path: path.clone(),
        bytes: b"new".to_vec(),
    };
    let error = run(vec![op])
        .remove(0)
        .expect_err("cannot replace a directory");
    assert_eq!((error.call, error.changed), ("rename", false));
    assert!(path.join("full").exists() && !temp.exists());
}

#[test]
fn errors_name_the_call_and_the_reason() {
    let scratch = Scratch::new("errors");
    let missing = scratch.path("missing/file");
    let results = run(vec![
        open(&missing, false),
        append("x"),
        DiskOp::Rename {
            from: missing.clone(),
            to: scratch.path("to"),
        },
        DiskOp::SyncDir { path: missing },
    ]);
    let texts: Vec<String> = results
        .into_iter()
        .map(|result| result.expect_err("fails").to_string())
        .collect();
    assert_eq!(
        texts,
        [
            "open: No such file or directory",
            "find file: Bad file descriptor",
            "rename: No such file or directory",
            "open directory: No such file or directory",
        ]
    );
}

#[test]
fn a_read_only_directory_is_reported_as_such() {
    let scratch = Scratch::new("read-only");
    let directory = scratch.path("d");
    fs::create_dir(&directory).expect("directory");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o555)).expect("chmod");
    let result = run(vec![open(&directory.join("file"), false)]).remove(0);
    if rustix::process::geteuid().is_root() {
        // Root may write anywhere; a file in the way of a directory is refused to root too.
        let path = directory.join("file");
        let error = run(vec![DiskOp::MakeDir { path }])
            .remove(0)
            .expect_err("a file is there");
        assert_eq!(error.to_string(), "mkdir: File exists");
    } else {
        let error = result.expect_err("read-only");
        assert_eq!(error.to_string(), "open: Permission denied");
    }
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("chmod");
}

/// `/dev/full` refuses every byte as a full disk does.
#[test]
fn a_full_device_refuses_the_append_and_the_next_one_works_elsewhere() {
    let scratch = Scratch::new("full");
    let results = run(vec![
        open(Path::new("/dev/full"), false),
        append("lost"),
        open(&scratch.path("file"), true),
        append("kept"),
    ]);
    let error = results[1].clone().expect_err("full");
    assert_eq!(error.text(), "No space left on device");
    assert_eq!((error.call, error.changed), ("write", false));
    assert_eq!(fs::read(scratch.path("file")).expect("read"), b"kept");
}

#[test]
fn dropping_the_disk_executes_what_is_queued() {
    let scratch = Scratch::new("drop");
    let path = scratch.path("file");
    let disk = Disk::spawn("test-disk", None).expect("thread");
    disk.submit(1, open(&path, true));
    for token in 0..100 {
        disk.submit(token, append("x"));
    }
    drop(disk);
    assert_eq!(fs::read(&path).expect("read").len(), 100);
}
