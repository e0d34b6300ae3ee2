//! A primary and a replica of the same program, each with a data directory of its own.

use super::Options;
use crate::control::Control;
use crate::interrupt;
use crate::persist::directory::DataDirectory;
use crate::servers::{Program, Server};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// A gigabyte takes its time.
const LIMIT: Duration = Duration::from_secs(300);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Dropping it ends the server first, then removes its directory.
pub struct Node {
    pub server: Server,
    _directory: DataDirectory,
}

impl Node {
    fn start(options: &Options, program: &Program, name: &str) -> Result<Node> {
        let name = format!("{}-{name}", program.label);
        let directory = DataDirectory::create(&options.data_dir, &name)?;
        let arguments = [
            "--dir",
            &directory.text(),
            "--repl-diskless-sync-delay",
            "0",
        ];
        Ok(Node {
            server: Server::start(program, &arguments)?,
            _directory: directory,
        })
    }
}

pub fn start_primary(options: &Options, program: &Program) -> Result<Node> {
    Node::start(options, program, "primary")
}

/// On the load's core, following nobody yet.
pub fn start_replica(options: &Options, program: &Program) -> Result<Node> {
    let port = program.port.checked_add(2).context("no port is left")?;
    let program = Program {
        port,
        cpu: options.pair.load_cpu,
        ..program.clone()
    };
    Node::start(options, &program, "replica")
}

/// Follows whoever listens on that port; how long it takes until the data is there and the link
/// is up.
pub fn follow(replica: &Node, port: u16) -> Result<Duration> {
    let mut control = replica.server.control()?;
    let begin = Instant::now();
    control.command(&["REPLICAOF", "127.0.0.1", &port.to_string()])?;
    wait_until("the link is up", || {
        Ok(field(&mut control, "master_link_status")? == "up")
    })?;
    Ok(begin.elapsed())
}

/// Waits until the replica has everything that the primary had when it was asked; how long that
/// takes.
pub fn catch_up(primary: &mut Control, replica: &mut Control) -> Result<Duration> {
    let begin = Instant::now();
    let goal = number(primary, "master_repl_offset")?;
    wait_until("the replica has caught up", || {
        let is_up = field(replica, "master_link_status")? == "up";
        Ok(is_up && number(replica, "slave_repl_offset")? >= goal)
    })?;
    Ok(begin.elapsed())
}

pub fn wait_until(what: &str, mut is_true: impl FnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    while !is_true()? {
        interrupt::check()?;
        ensure!(
            begin.elapsed() < LIMIT,
            "waited {LIMIT:?} in vain until {what}"
        );
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Ok(())
}

pub fn field(control: &mut Control, name: &str) -> Result<String> {
    let value = control.info("replication", name)?;
    value.with_context(|| format!("INFO has no {name}"))
}

pub fn number(control: &mut Control, name: &str) -> Result<u64> {
    let text = field(control, name)?;
    text.parse().with_context(|| format!("{name}:{text}"))
}

/// Full and accepted partial resynchronizations that a primary has served.
pub fn syncs(primary: &mut Control) -> Result<(u64, u64)> {
    let mut read = |name: &str| -> Result<u64> {
        let text = primary.info("stats", name)?;
        let text = text.with_context(|| format!("INFO has no {name}"))?;
        text.parse().with_context(|| format!("{name}:{text}"))
    };
    Ok((read("sync_full")?, read("sync_partial_ok")?))
}
