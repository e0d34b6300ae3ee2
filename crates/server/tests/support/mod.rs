//! What the process tests of this crate share: a directory of their own, and servers started with
//! exactly the arguments given, where `testkit::Server` would add its own.

#![allow(dead_code, reason = "each test program uses the part it needs")]

pub mod fake_primary;
pub mod random_commands;
pub mod random_keys;
pub mod replication;
pub mod sentinels;
pub mod summary;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::{Connection, DEADLINE, peer, poll_for, poll_until, render};

/// A directory that disappears with its test.
pub struct Directory {
    path: PathBuf,
    kept_on_failure: bool,
}

impl Directory {
    pub fn new() -> Directory {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("redan-process-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::remove_dir_all(&path).ok();
        std::fs::create_dir_all(&path).expect("create a directory");
        // As the server will name it.
        Directory {
            path: path.canonicalize().expect("it is there"),
            kept_on_failure: false,
        }
    }

    /// One that a failed test leaves behind, to be looked into.
    pub fn kept_on_failure() -> Directory {
        let mut directory = Directory::new();
        directory.kept_on_failure = true;
        directory
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.file(name), text).expect("write a file");
        self.file(name).display().to_string()
    }

    pub fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.file(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// `redan server` to be run here.
    pub fn redan(&self, args: &[&str]) -> Command {
        let mut command = Command::new(peer::redan());
        command
            .arg("server")
            .args(args)
            .current_dir(&self.path)
            .stdin(Stdio::null());
        command
    }

    /// Runs a server that ends by itself.
    pub fn run(&self, args: &[&str]) -> Output {
        self.redan(args).output().expect("redan runs")
    }

    /// Starts a server whose output goes to `output.log`.
    pub fn start(&self, command: &mut Command) -> Process {
        let log = std::fs::File::create(self.file("output.log")).expect("create a log");
        let child = command
            .stdout(log.try_clone().expect("share the log"))
            .stderr(log)
            .spawn()
            .expect("redan starts");
        Process(child)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- output.log ----\n{}", self.read("output.log"));
            if self.kept_on_failure {
                eprintln!("the directory is kept: {}", self.path.display());
                return;
            }
        }
        std::fs::remove_dir_all(&self.path).ok();
    }
}

/// A process that ends with its test.
pub struct Process(Child);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn wait(&mut self) -> ExitStatus {
        poll_for(DEADLINE, "the process has ended", || {
            self.0.try_wait().expect("our own child")
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

pub fn signal(process_id: u32, name: &str) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {process_id}")])
        .status()
        .expect("sh runs");
    assert!(status.success(), "kill -{name} {process_id}");
}

/// Copies the regular files and directories in `from` into `to`, which is made if need be.
pub fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("create a directory");
    for entry in std::fs::read_dir(from).expect("read a directory") {
        let entry = entry.expect("read a directory");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file has a type").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copy a file");
        }
    }
}

/// A connection to a server that may still be starting.
pub fn connect(port: u16) -> Connection {
    poll_until(DEADLINE, "the server listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    Connection::open(port)
}

/// The value of a field of INFO.
pub fn info(client: &mut Connection, field: &str) -> String {
    info_field(&client.command(&["INFO", "everything"]), field)
}

/// The value of a field in a reply of INFO.
pub fn info_field(reply: &resp::Value, field: &str) -> String {
    let text = reply.as_str().expect("INFO is text");
    let prefix = format!("{field}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_else(|| panic!("INFO has no {field}"))
        .to_string()
}

/// The reply as text, for comparisons that read well.
pub fn say(client: &mut Connection, command: &[&str]) -> String {
    render(&client.command(command))
}

/// Waits until a field of INFO has this value.
pub fn wait_for_info(client: &mut Connection, field: &str, value: &str) {
    poll_until(DEADLINE, &format!("INFO says {field}:{value}"), || {
        info(client, field) == value
    });
}

pub fn info_number(client: &mut Connection, field: &str) -> u64 {
    let text = info(client, field);
    text.parse()
        .unwrap_or_else(|e| panic!("{field}:{text}: {e}"))
}
