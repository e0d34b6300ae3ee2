//! Starts the servers to be measured, pinned to one core, and stops them whatever happens.
//!
//! A `Server` is killed in `Drop`: on success, on error and on Ctrl-C (which is an error like
//! others, see `interrupt`). Against the death of this program itself the child asks the kernel
//! for a signal (`setpriv --pdeathsig`), where that tool exists. Children run in a process group
//! of their own, so that a Ctrl-C in the terminal reaches only us.
//!
//! A server runs with its defaults, without save points and AOF, in a temporary directory.

use crate::control::Control;
use crate::{interrupt, pinning};
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How to start one of the two servers.
#[derive(Debug, Clone)]
pub struct Program {
    /// "ours" or "theirs", as the tables say.
    pub label: &'static str,
    /// The executable and its first arguments.
    pub words: Vec<String>,
    pub port: u16,
    pub cpu: usize,
}

/// Words of the command that starts our server, if none was given: beside this executable.
pub fn default_ours() -> Result<String> {
    let own = std::env::current_exe().context("find this executable")?;
    let mut directories: Vec<PathBuf> = own.parent().map(Path::to_owned).into_iter().collect();
    directories.push("target/release".into());
    for directory in &directories {
        let server = directory.join("redan-server");
        if server.is_file() {
            return Ok(server.display().to_string());
        }
        let redan = directory.join("redan");
        if redan.is_file() {
            return Ok(format!("{} server", redan.display()));
        }
    }
    bail!(
        "no redan-server and no redan beside {}; give --ours PATH",
        own.display()
    )
}

pub struct Server {
    child: Child,
    address: SocketAddr,
    directory: PathBuf,
    start_time: Duration,
}

impl Server {
    /// Starts the program and waits until it answers.
    pub fn start(program: &Program, more_arguments: &[&str]) -> Result<Server> {
        Server::start_within(program, more_arguments, Duration::from_secs(10))
    }

    /// As `start`, for servers that load for longer before they answer.
    pub fn start_within(
        program: &Program,
        more_arguments: &[&str],
        limit: Duration,
    ) -> Result<Server> {
        let address = SocketAddr::from(([127, 0, 0, 1], program.port));
        ensure!(
            std::net::TcpStream::connect(address).is_err(),
            "port {} is in use already",
            program.port
        );
        let name = format!("redan-bench-{}-{}", std::process::id(), program.port);
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory)
            .with_context(|| format!("create {}", directory.display()))?;
        let log = File::create(directory.join("log")).context("create the server's log")?;
        let port = program.port.to_string();
        let directory_text = directory.display().to_string();
        let mut command = command_that_dies_with_us(&program.words)?;
        command
            .args([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--dir",
                &directory_text,
            ])
            .args(["--save", "", "--appendonly", "no"])
            .args(more_arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        let begin = Instant::now();
        let child = pinning::while_pinned_to(program.cpu, || {
            command
                .spawn()
                .with_context(|| format!("start {:?}", program.words))
        })?;
        let mut server = Server {
            child,
            address,
            directory,
            start_time: Duration::ZERO,
        };
        server.wait_until_ready(begin, limit).with_context(|| {
            format!(
                "server {:?} did not come up; its log:\n{}",
                program.words,
                server.log_tail()
            )
        })?;
        Ok(server)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From its start to its first answer.
    pub fn start_time(&self) -> Duration {
        self.start_time
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn control(&self) -> Result<Control> {
        Control::connect(self.address)
    }

    /// Name and version for reports, from INFO.
    pub fn version(&self) -> Result<String> {
        let mut control = self.control()?;
        for (field, name) in [
            ("redan_version", "redan"),
            ("valkey_version", "valkey"),
            ("redis_version", "redis"),
        ] {
            if let Some(version) = control.info("server", field)? {
                return Ok(format!("{name} {version}"));
            }
        }
        Ok("unknown".into())
    }

    fn wait_until_ready(&mut self, begin: Instant, limit: Duration) -> Result<()> {
        loop {
            interrupt::check()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended at once: {status}");
            }
            let answer =
                Control::connect(self.address).and_then(|mut control| control.command(&["PING"]));
            match answer {
                Ok(_) => {
                    self.start_time = begin.elapsed();
                    return Ok(());
                }
                Err(error) if begin.elapsed() > limit => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// The last lines that the server wrote.
    fn log_tail(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is saved, so there is nothing to shut down; failures leave nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn command_that_dies_with_us(words: &[String]) -> Result<Command> {
    let (program, arguments) = words.split_first().context("no server program given")?;
    let setpriv = Path::new("/usr/bin/setpriv");
    let mut command = if setpriv.is_file() {
        let mut command = Command::new(setpriv);
        command.args(["--pdeathsig", "KILL", "--", program]);
        command
    } else {
        Command::new(program)
    };
    command.args(arguments);
    Ok(command)
}
