//! The one door out of the engine: what concerns the process or the node rather than the data.
//!
//! The server implements it over real clocks, files and the allocator; tests and the simulator over
//! values of their own.

use crate::ctx::Args;
use crate::engine::Engine;
use crate::error::Outcome;
use crate::persistence::{PersistenceInfo, Reload};
use crate::session::Session;
use commands::CommandId;
use keyspace::Garbage;
use resp::Writer;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug,
    Verbose,
    Notice,
    Warning,
}

/// The process as INFO shows it. Sizes in bytes, times in microseconds.
#[derive(Clone, Debug, Default)]
pub struct ProcessInfo {
    pub pid: u32,
    pub os: String,
    pub executable: String,
    pub config_file: String,
    pub run_id: String,
    pub tcp_port: u16,
    pub listeners: Vec<ListenerInfo>,
    pub supervised: &'static str,
    pub multiplexing_api: &'static str,
    pub build_id: String,
    pub started_unix_ms: i64,
    pub total_system_memory: u64,
    pub rss: u64,
    pub cpu_user_us: u64,
    pub cpu_sys_us: u64,
    pub cpu_user_children_us: u64,
    pub cpu_sys_children_us: u64,
    pub cpu_user_main_us: u64,
    pub cpu_sys_main_us: u64,
    /// While a shutdown waits for replicas: how much longer at most.
    pub shutdown_in_ms: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub struct ListenerInfo {
    /// `tcp` or `unix`.
    pub name: &'static str,
    pub binds: Vec<String>,
    pub port: u16,
}

/// The allocator's own figures, bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllocatorInfo {
    pub allocated: u64,
    pub active: u64,
    pub resident: u64,
    pub retained: u64,
    pub muzzy: u64,
}

/// SHUTDOWN's options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownRequest {
    /// `Some(true)` for SAVE, `Some(false)` for NOSAVE.
    pub save: Option<bool>,
    pub now: bool,
    pub force: bool,
}

/// What became of a SHUTDOWN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownProgress {
    /// The process ends after this turn.
    Ending,
    /// It waits for something (replicas, the disk); the client waits with it, until the process ends
    /// or [`Engine::shutdown_failed`] is called.
    Waiting,
}

/// Replication as INFO shows it.
#[derive(Clone, Debug, Default)]
pub struct ReplicationInfo {
    /// The lines of the section, each with its line end, without the heading.
    pub section: String,
    pub sync_full: u64,
    pub sync_partial_ok: u64,
    pub sync_partial_err: u64,
    /// What the history kept for replicas takes (`mem_replication_backlog`).
    pub backlog_bytes: u64,
    /// What is kept for replicas beyond that, and their links (`mem_clients_slaves`).
    pub replica_links_bytes: u64,
    /// `mem_total_replication_buffers`.
    pub total_buffers_bytes: u64,
    /// The id of our history.
    pub id: String,
}

/// How many replicas have everything up to an offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicasAt {
    pub acked: usize,
    /// Of which on disk.
    pub fsynced: usize,
}

pub trait Host {
    /// Monotonic clock, nanoseconds; read for every command, so it must be cheap.
    fn ticks_ns(&mut self) -> u64;
    fn unix_us(&mut self) -> i64;
    /// Bytes allocated by the process; read before writes when `maxmemory` is set.
    fn used_memory(&mut self) -> u64;
    fn log(&mut self, level: LogLevel, text: &str);
    fn process(&mut self) -> ProcessInfo;
    fn allocator(&mut self) -> AllocatorInfo;
    fn allocator_name(&self) -> String;
    fn allocator_report(&mut self) -> String;
    fn purge_allocator(&mut self);
    /// Makes changed options take effect outside of the engine (ports, log file, …), and may put a
    /// value into its final form (`dir`). On an error nothing has changed.
    fn apply_config(
        &mut self,
        changed: &[&'static str],
        config: &mut config::Config,
    ) -> Result<(), String>;
    /// CONFIG REWRITE; with `every_option` also those at their defaults.
    fn rewrite_config(&mut self, config: &config::Config, every_option: bool)
    -> Result<(), String>;
    /// Ends the process after the current turn, or when what it waits for is done; an error is the
    /// reply to SHUTDOWN.
    fn shutdown(
        &mut self,
        engine: &mut Engine,
        request: ShutdownRequest,
    ) -> Result<ShutdownProgress, String>;
    /// SHUTDOWN ABORT: takes back a shutdown that was announced. False if there is none.
    fn abort_shutdown(&mut self, engine: &mut Engine) -> bool;
    /// SAVE. Error texts of this and what follows are without `ERR`; an empty one is a bare `-ERR`.
    fn save(&mut self, engine: &mut Engine) -> Result<(), String>;
    /// BGSAVE, with the reply. With `schedule` a rewrite under way is no error; inside EXEC
    /// ([`Engine::in_transaction`]) it only schedules.
    fn bgsave(&mut self, engine: &mut Engine, schedule: bool) -> Result<&'static str, String>;
    /// BGREWRITEAOF, with the reply; inside EXEC it only schedules.
    fn rewrite_aof(&mut self, engine: &mut Engine) -> Result<&'static str, String>;
    /// DEBUG RELOAD and LOADAOF.
    fn reload(&mut self, engine: &mut Engine, how: Reload) -> Result<(), String>;
    /// FLUSHALL has emptied all databases: a background save is pointless, an empty file is due.
    fn flushed_all(&mut self, engine: &mut Engine);
    /// For INFO and LASTSAVE.
    fn persistence(&mut self, engine: &Engine) -> PersistenceInfo;
    /// REPLICAOF, SLAVEOF, ROLE, REPLCONF, PSYNC, SYNC, FAILOVER, from clients, from inside EXEC and
    /// from the primary's stream: parsed and answered here. `out` is the session's writer.
    fn replication_command(
        &mut self,
        engine: &mut Engine,
        session: &mut Session,
        out: &mut Writer,
        id: CommandId,
        args: Args<'_>,
    ) -> Outcome;
    /// For INFO.
    fn replication_info(&mut self, engine: &Engine) -> ReplicationInfo;
    /// How many replicas have everything up to this offset of the effects' stream.
    fn replicas_at(&mut self, engine: &Engine, offset: u64) -> ReplicasAt;
    /// Asks all replicas for an acknowledgement at the end of this turn.
    fn request_acks(&mut self);
    /// DEBUG CHANGE-REPL-ID: nobody may continue from what we were.
    fn change_replication_id(&mut self);
    /// Drops a big value where that does not delay anybody.
    fn drop_later(&mut self, garbage: Garbage);
    /// Values given to [`Host::drop_later`] that still wait, and those done so far.
    fn dropping(&self) -> (u64, u64);
    /// Sets what is counted on this side of the door back to 0 (CONFIG RESETSTAT).
    fn reset_counts(&mut self);
    /// Stops the whole engine for a while (DEBUG SLEEP).
    fn stall(&mut self, duration_us: u64);
    /// Ends the process the hard way (DEBUG SEGFAULT, PANIC, RESTART …).
    fn crash(&mut self, how: Crash);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    Segfault,
    Panic,
    OutOfMemory,
    Assert,
}
