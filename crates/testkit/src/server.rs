//! A server process of a test's own: ours or a real redis-server, on a free port, in a directory
//! that disappears with it.
//!
//! `Server::start` returns once the server answers, found out by asking, never by waiting a fixed
//! time; `Server::launch` returns at once, for tests that watch a start. Dropping the server kills it, also while a test panics, and then prints the end of its
//! log, which is what one wants to see first. A test program killed from outside leaves its
//! servers behind; nothing in safe code can prevent that.
//! Tests: `tests/server.rs`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::connection::Connection;
use crate::poll::{DEADLINE, poll_for};
use crate::{peer, port};

/// What to start and how. The port, `bind 127.0.0.1`, `dir` and `save ""` are set for every server;
/// options given here come after them and win.
#[derive(Debug, Clone)]
pub struct Options {
    program: PathBuf,
    leading_args: Vec<String>,
    config: Option<String>,
    options: Vec<String>,
}

impl Options {
    /// Our own server.
    pub fn redan() -> Options {
        Options::of(peer::redan(), &["server"])
    }

    /// A real redis-server, if there is one (see `peer`).
    pub fn reference() -> Option<Options> {
        Some(Options::of(peer::program("redis-server")?, &[]))
    }

    /// The server that a test is about: ours, or with `REDAN_SUBJECT=redis` a real redis-server.
    /// A test of what both do alike, played against the real one, proves that it says the truth.
    pub fn subject() -> Options {
        match std::env::var("REDAN_SUBJECT").as_deref() {
            Ok("redis") => Options::reference().expect("REDAN_SUBJECT=redis needs a redis-server"),
            Ok("redan") | Err(_) => Options::redan(),
            Ok(other) => panic!("REDAN_SUBJECT={other}: expected redan or redis"),
        }
    }

    /// Whether this starts our own program.
    pub fn is_redan(&self) -> bool {
        self.leading_args.iter().any(|arg| arg == "server")
    }

    fn of(program: PathBuf, leading_args: &[&str]) -> Options {
        let leading_args = leading_args.iter().map(|arg| arg.to_string()).collect();
        Options {
            program,
            leading_args,
            config: None,
            options: Vec::new(),
        }
    }

    /// Adds `--name value` to the command line.
    pub fn option(mut self, name: &str, value: &str) -> Options {
        self.options
            .extend([format!("--{name}"), value.to_string()]);
        self
    }

    /// Runs the server through another program (`strace -D`), which has to become the server's
    /// process itself or be replaced by it, so that signals reach the server.
    pub fn through(mut self, program: PathBuf, args: &[&str]) -> Options {
        let server = std::mem::replace(&mut self.program, program);
        let server = server.display().to_string();
        let args = args.iter().map(|arg| arg.to_string());
        self.leading_args.splice(0..0, args.chain([server]));
        self
    }

    /// The text of a configuration file to start with.
    pub fn config(mut self, text: &str) -> Options {
        self.config = Some(text.to_string());
        self
    }
}

pub struct Server {
    child: Child,
    port: u16,
    directory: PathBuf,
    /// Set once the process was waited for; a process id may be reused after that.
    exit: Option<ExitStatus>,
    options: Options,
}

impl Server {
    /// Starts a server and waits until it answers. Panics with the server's log if it does not.
    pub fn start(options: &Options) -> Server {
        // Another process may take the port between our look and the server's bind.
        for _ in 0..5 {
            let mut server = Server::spawn(options);
            match server.wait_until_ready() {
                Ok(()) => return server,
                Err(_) if server.log().contains("ddress already in use") => {}
                Err(reason) => panic!("{}: {reason}", options.program.display()),
            }
        }
        panic!(
            "{}: found five ports in a row taken",
            options.program.display()
        );
    }

    /// Starts a server without waiting for it, for tests that watch it start. The port was free
    /// a moment ago; should another process have taken it, the server ends with that reason.
    pub fn launch(options: &Options) -> Server {
        Server::spawn(options)
    }

    /// Runs a server that is expected to refuse to start; returns its exit status and its log.
    pub fn refusal(options: &Options) -> (ExitStatus, String) {
        let mut server = Server::spawn(options);
        let status = server.wait_for_exit();
        (status, server.log())
    }

    /// Starts a server that has ended again as it was started before: same port, same directory.
    /// Its log goes on.
    pub fn restart(&mut self) {
        let options = self.options.clone();
        self.restart_with(&options);
    }

    /// The same with other options, which hold from now on.
    pub fn restart_with(&mut self, options: &Options) {
        self.relaunch(options);
        if let Err(reason) = self.wait_until_ready() {
            panic!("{}: {reason}", options.program.display());
        }
    }

    /// The same without waiting for it to answer.
    pub fn relaunch(&mut self, options: &Options) {
        assert!(self.exit.is_some(), "the server has not ended");
        self.options = options.clone();
        self.child = spawn_child(options, self.port, &self.directory);
        self.exit = None;
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Everything the server has written to its standard output and error.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn client(&self) -> Connection {
        Connection::open(self.port)
    }

    /// A bare connection, for tests that send what no client would.
    pub fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect(("127.0.0.1", self.port))
            .unwrap_or_else(|e| panic!("connect to port {}: {e}", self.port));
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("the deadline is not zero");
        socket
    }

    /// Asks the server to end (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        if self.exit.is_none() {
            self.signal("TERM");
        }
        self.wait_for_exit()
    }

    /// Ends the server at once, as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        if self.exit.is_none() {
            self.child
                .kill()
                .expect("a child that was not waited for can be signalled");
            self.wait_for_exit();
        }
    }

    /// Sends a signal by its name without SIG. Through a shell, whose `kill` is always there:
    /// the standard library knows SIGKILL only.
    pub fn signal(&self, name: &str) {
        assert!(self.exit.is_none(), "the server has already ended");
        let command = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh")
            .args(["-c", &command])
            .status()
            .expect("sh runs");
        assert!(status.success(), "{command}: {status}");
    }

    pub fn wait_for_exit(&mut self) -> ExitStatus {
        if let Some(status) = self.exit {
            return status;
        }
        let child = &mut self.child;
        let status = poll_for(DEADLINE, "the server has ended", || {
            child.try_wait().expect("our own child can be waited for")
        });
        self.exit = Some(status);
        status
    }

    fn spawn(options: &Options) -> Server {
        let directory = fresh_directory();
        let port = port::free_port();
        Server {
            child: spawn_child(options, port, &directory),
            port,
            directory,
            exit: None,
            options: options.clone(),
        }
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let port = self.port;
        let child = &mut self.child;
        let outcome = poll_for(DEADLINE, "the server answers PING", || {
            match child.try_wait().expect("our own child can be waited for") {
                Some(status) => Some(Err(status)),
                None => answers(port).then_some(Ok(())),
            }
        });
        outcome.map_err(|status| {
            self.exit = Some(status);
            format!("ended while starting ({status}), saying:\n{}", self.log())
        })
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("output.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.exit.is_none() {
            // Errors mean that it is gone already; a drop during a panic must not panic again.
            self.child.kill().ok();
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!(
                "---- end of the log of the server on port {} ----\n{tail}",
                self.port
            );
        }
        fs::remove_dir_all(&self.directory).ok();
    }
}

fn spawn_child(options: &Options, port: u16, directory: &Path) -> Child {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join("output.log"))
        .expect("open the server's log");
    let mut command = Command::new(&options.program);
    command.args(&options.leading_args);
    if let Some(text) = &options.config {
        let path = directory.join("test.conf");
        // A server that is started again finds the file as it left it.
        if !path.exists() {
            fs::write(&path, text).expect("write the server's configuration");
        }
        command.arg(path);
    }
    command.args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
    ]);
    command
        .arg(directory)
        .args(&options.options)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("share the server's log"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|e| panic!("start {}: {e}", options.program.display()))
}

/// Whether a server takes commands: it says PONG, or that it wants a password first.
fn answers(port: u16) -> bool {
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let limit = Some(Duration::from_secs(1));
    if socket.set_read_timeout(limit).is_err() || socket.write_all(b"*1\r\n$4\r\nPING\r\n").is_err()
    {
        return false;
    }
    let mut reply = [0; 7];
    match socket.read_exact(&mut reply) {
        Ok(()) => &reply == b"+PONG\r\n" || &reply == b"-NOAUTH",
        Err(e) => {
            let retried = matches!(
                e.kind(),
                ErrorKind::UnexpectedEof
                    | ErrorKind::ConnectionReset
                    | ErrorKind::WouldBlock
                    | ErrorKind::TimedOut
                    | ErrorKind::Interrupted
            );
            assert!(retried, "read from port {port}: {e}");
            false
        }
    }
}

fn fresh_directory() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("redan-test-{}-{count}", std::process::id());
    let path = std::env::temp_dir().join(name);
    // One of an earlier process with our id may have been left behind.
    fs::remove_dir_all(&path).ok();
    fs::create_dir_all(&path).unwrap_or_else(|e| panic!("create {}: {e}", path.display()));
    path
}
