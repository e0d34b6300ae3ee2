//! The engine's door to the process: clocks, log, allocator, sockets, files; and what the process
//! does on its own beside serving: signals, its title, refreshing what a crash report would say.
//!
//! Knows no command. Tests: `tests/start_options.rs`, `tests/runbook_r1_one_server.rs`.

use crate::ending::Ending;
use crate::error_text;
use crate::listen::{self, Listeners, Refused};
use crate::load::path_of;
use crate::locks::Locks;
use crate::outside::{ServerOutside, level_of};
use crate::primary::PrimaryConn;
use crate::start::{self, RESERVED_FDS};
use commands::CommandId;
use config::{Config, Text};
use engine::host::{
    AllocatorInfo, Crash, ListenerInfo, LogLevel, ProcessInfo, ReplicasAt, ReplicationInfo,
    ShutdownProgress, ShutdownRequest,
};
use engine::{Args, Engine, Host, Outcome, PersistenceInfo, Reload, Session, SessionId};
use keyspace::Garbage;
use node::{Links, NodeHost, Outside, Parts, Persistence};
use replication::LinkId;
use resp::Writer;
use runtime::background::Background;
use runtime::log::Level;
use runtime::process::{self, Scope};
use runtime::reactor::{ConnId, Reactor};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often what a crash report shows is renewed, and the allocator's figures are set right.
const RENEWAL: Duration = Duration::from_secs(1);

/// Counts of values being dropped by the background thread.
#[derive(Default)]
struct Dropping {
    waiting: AtomicU64,
    done: AtomicU64,
}

/// Who the process is, as INFO and the title show it.
pub struct Identity {
    pub config_file: Option<PathBuf>,
    /// What `{title}` in `proc-title-template` stands for.
    pub title: String,
    pub run_id: String,
    /// Decides the names of histories.
    pub seed: u64,
    pub supervised: &'static str,
}

/// The parts of the process that the host takes over.
pub struct HostParts {
    pub reactor: Reactor,
    pub listeners: Listeners,
    pub background: Background,
    pub outside: ServerOutside,
}

pub struct ServerHost {
    pub reactor: Reactor,
    /// The process ends after this turn.
    pub ending: bool,
    pub(crate) leaving: Ending,
    supervised: &'static str,
    listeners: Listeners,
    background: Background,
    dropping: Arc<Dropping>,
    pub(crate) outside: ServerOutside,
    pub(crate) persistence: Persistence,
    pub(crate) links: Links,
    /// The connection to our primary.
    pub(crate) primary: PrimaryConn,
    locks: Locks,
    /// None before the first time, which is the first turn.
    renewed: Option<Instant>,
    config_file: Option<PathBuf>,
    title: String,
    run_id: String,
    started_unix_ms: i64,
    tcp_port: u16,
}

impl ServerHost {
    pub fn new(parts: HostParts, identity: Identity, config: &Config) -> ServerHost {
        let HostParts {
            reactor,
            listeners,
            background,
            outside,
        } = parts;
        let started_unix_ms = outside.clock.now().unix_ms();
        let links = Links::new(config, &identity.run_id, identity.seed);
        ServerHost {
            primary: PrimaryConn::new(reactor.waker()),
            links,
            reactor,
            ending: false,
            leaving: Ending::default(),
            supervised: identity.supervised,
            listeners,
            background,
            dropping: Arc::default(),
            started_unix_ms,
            persistence: Persistence::new(config, std::process::id(), started_unix_ms),
            outside,
            locks: Locks::default(),
            renewed: None,
            config_file: identity.config_file,
            title: identity.title,
            run_id: identity.run_id,
            tcp_port: config.port,
        }
    }

    pub fn begin_turn(&mut self) {
        self.outside.clock.refresh();
    }

    /// Keeps other servers from the files that this one writes.
    pub fn lock_files(&mut self, config: &Config) -> Result<(), String> {
        self.locks.claim(config, self.outside.logger())
    }

    /// How long the next wait may last.
    pub fn next_timeout_ms(&mut self, engine: &Engine) -> u64 {
        let (now_ms, now_ns) = (self.outside.unix_ms(), self.outside.ticks_ns());
        let persistence = self.persistence.next_timeout_ms(now_ms, now_ns);
        let links = self.links.next_timeout_ms(&mut self.outside);
        let end = self.end_at_most_in_ms();
        let next = engine.next_timeout_ms();
        let others = [persistence, links, end].into_iter().flatten();
        others.fold(next, i64::min).max(0) as u64
    }

    /// Whether the AOF could not be opened at the start; the log says why.
    pub fn append_failed(&self) -> bool {
        self.persistence.start_failed()
    }

    /// The connection of a session that is still there.
    pub fn conn(&self, engine: &Engine, id: SessionId) -> Option<ConnId> {
        engine.conn_of(id).map(ConnId::from_u64)
    }

    pub(crate) fn say(&self, level: Level, text: &str) {
        self.outside.say(level, text);
    }

    pub(crate) fn link_written(&mut self, link: LinkId, bytes: usize, is_full: bool) {
        self.links.written(link, bytes, is_full, &mut self.outside);
    }

    pub fn is_verbose(&self) -> bool {
        self.outside.logger().is_enabled(Level::Verbose)
    }

    pub fn log_ready(&self) {
        if !self.listeners.tcp.is_empty() {
            self.say(Level::Notice, "Ready to accept connections tcp");
        }
        if self.listeners.unix.is_some() {
            self.say(Level::Notice, "Ready to accept connections unix");
        }
    }

    /// What is to be done now and then, whatever the clients do.
    pub fn renew(&mut self, engine: &mut Engine) {
        let now = Instant::now();
        if self.renewed.is_some_and(|at| now - at < RENEWAL) {
            return;
        }
        self.renewed = Some(now);
        runtime::alloc::calibrate();
        if engine.config.crash_log_enabled {
            runtime::crash::publish_info(engine.report(self));
        }
    }

    pub fn set_process_title(&self, config: &Config) {
        if !config.set_proc_title {
            return;
        }
        let unix = config.unixsocket.to_str_lossy();
        let bind = config.bind.first().map_or("*", String::as_str);
        let addr = if config.port > 0 {
            format!("{bind}:{}", config.port)
        } else {
            unix.to_string()
        };
        let file = self
            .config_file
            .as_ref()
            .map(|p| p.display().to_string())
            .unwrap_or_default();
        let title = config
            .proc_title_template
            .to_str_lossy()
            .replace("{title}", &self.title)
            .replace("{listen-addr}", &addr)
            .replace("{server-mode}", "")
            .replace("{port}", &config.port.to_string())
            .replace("{tls-port}", "0")
            .replace("{unixsocket}", &unix)
            .replace("{config-file}", &file);
        process::set_title(title.trim_end());
    }

    pub fn close_listeners(&mut self) {
        for (id, _) in self.listeners.tcp.drain(..) {
            self.reactor.close_listener(id);
        }
        if let Some((id, _)) = self.listeners.unix.take() {
            self.say(Level::Notice, "Removing the unix socket file.");
            self.reactor.close_listener(id);
        }
    }

    /// Replaces the TCP listeners; the old ones come back if the new ones cannot be opened.
    fn rebind(&mut self, config: &Config) -> Result<(), Refused> {
        // The same addresses cannot be bound twice, so the old ones close first.
        let old: Vec<String> = self.listeners.tcp.iter().map(|(_, h)| h.clone()).collect();
        for (id, _) in self.listeners.tcp.drain(..) {
            self.reactor.close_listener(id);
        }
        let opened = match config.port {
            0 => Ok(Vec::new()),
            _ => listen::open_tcp(&mut self.reactor, config, self.outside.logger()),
        };
        match opened {
            Ok(tcp) => {
                self.listeners.tcp = tcp;
                self.tcp_port = config.port;
                self.set_process_title(config);
                Ok(())
            }
            Err(Refused) => {
                let previous = Config {
                    port: self.tcp_port,
                    bind: old,
                    ..config.clone()
                };
                if previous.port != 0 {
                    self.listeners.tcp =
                        listen::open_tcp(&mut self.reactor, &previous, self.outside.logger())
                            .unwrap_or_default();
                }
                Err(Refused)
            }
        }
    }

    fn change_max_clients(&mut self, config: &Config) -> Result<(), String> {
        let wanted = u64::from(config.maxclients) + RESERVED_FDS;
        if let process::FdLimit::Short { to, .. } = process::raise_fd_limit(wanted) {
            let fits = to.saturating_sub(RESERVED_FDS);
            return Err(format!(
                "The operating system is not able to handle the specified number of clients, try with {fits}"
            ));
        }
        self.reactor.set_max_connections(wanted as usize);
        Ok(())
    }
}

/// Enters the directory; the option then names it as CONFIG GET shows it, from the root.
fn enter(config: &mut Config) -> Result<(), String> {
    let entered = std::env::set_current_dir(path_of(config.dir.as_bytes()))
        .and_then(|()| std::env::current_dir());
    let dir = entered.map_err(|e| error_text(&e))?;
    config.dir = Text::from(dir.into_os_string().into_vec());
    Ok(())
}

impl Host for ServerHost {
    #[inline]
    fn ticks_ns(&mut self) -> u64 {
        self.outside.ticks_ns()
    }

    fn unix_us(&mut self) -> i64 {
        self.outside.clock.now().unix_us
    }

    #[inline]
    fn used_memory(&mut self) -> u64 {
        runtime::alloc::used_bytes() as u64
    }

    fn log(&mut self, level: LogLevel, text: &str) {
        self.say(level_of(level), text);
    }

    fn process(&mut self) -> ProcessInfo {
        let us = |d: Duration| d.as_micros() as u64;
        let own = process::cpu_usage(Scope::Process);
        let children = process::cpu_usage(Scope::Children);
        let main = process::cpu_usage(Scope::Thread);
        let mut listeners = Vec::new();
        if !self.listeners.tcp.is_empty() {
            let binds = self.listeners.tcp.iter().map(|(_, h)| h.clone()).collect();
            listeners.push(ListenerInfo {
                name: "tcp",
                binds,
                port: self.tcp_port,
            });
        }
        if let Some((_, path)) = &self.listeners.unix {
            listeners.push(ListenerInfo {
                name: "unix",
                binds: vec![path.display().to_string()],
                port: 0,
            });
        }
        ProcessInfo {
            pid: std::process::id(),
            os: process::os_description(),
            executable: process::executable_path().display().to_string(),
            config_file: self
                .config_file
                .as_ref()
                .map(|p| p.display().to_string())
                .unwrap_or_default(),
            run_id: self.run_id.clone(),
            tcp_port: self.tcp_port,
            listeners,
            supervised: self.supervised,
            multiplexing_api: "epoll",
            build_id: format!("redan-{}", crate::REDAN_VERSION),
            started_unix_ms: self.started_unix_ms,
            total_system_memory: process::total_memory_bytes(),
            rss: process::resident_bytes(),
            cpu_user_us: us(own.user),
            cpu_sys_us: us(own.system),
            cpu_user_children_us: us(children.user),
            cpu_sys_children_us: us(children.system),
            cpu_user_main_us: us(main.user),
            cpu_sys_main_us: us(main.system),
            shutdown_in_ms: self.end_at_most_in_ms(),
        }
    }

    fn allocator(&mut self) -> AllocatorInfo {
        let stats = runtime::alloc::stats();
        AllocatorInfo {
            allocated: stats.allocated as u64,
            active: stats.active as u64,
            resident: stats.resident as u64,
            retained: stats.retained as u64,
            muzzy: 0,
        }
    }

    fn allocator_name(&self) -> String {
        runtime::alloc::name()
    }

    fn allocator_report(&mut self) -> String {
        runtime::alloc::malloc_stats_text()
    }

    fn purge_allocator(&mut self) {
        if let Err(error) = runtime::alloc::purge() {
            self.say(
                Level::Warning,
                &format!("purging the allocator failed: {error}"),
            );
        }
    }

    fn apply_config(
        &mut self,
        changed: &[&'static str],
        config: &mut Config,
    ) -> Result<(), String> {
        for name in changed {
            match *name {
                "port" => self.rebind(config).map_err(|Refused| {
                    "Unable to listen on this port. Check server logs.".to_string()
                })?,
                "bind" => {
                    self.rebind(config)
                        .map_err(|Refused| "Failed to bind to specified addresses.".to_string())?;
                }
                "maxclients" => self.change_max_clients(config)?,
                "dir" => {
                    self.persistence
                        .apply_config(name, config, &mut self.outside)?;
                    enter(config)?;
                    self.lock_files(config)?;
                }
                "save" | "dbfilename" => self.lock_files(config)?,
                "appendonly" => {
                    self.lock_files(config)?;
                    self.persistence
                        .apply_config(name, config, &mut self.outside)?;
                }
                "loglevel" => self.outside.logger().set_level(start::log_level(config)),
                "proc-title-template" => self.set_process_title(config),
                "crash-log-enabled" if !config.crash_log_enabled => {
                    runtime::crash::uninstall_signal_handlers()
                }
                "crash-log-enabled" => {
                    runtime::crash::reinstall_signal_handlers().map_err(|e| error_text(&e))?
                }
                name => self
                    .persistence
                    .apply_config(name, config, &mut self.outside)?,
            }
            if node::replication::concerns(name) {
                self.links.configure(config, &mut self.outside);
            }
        }
        Ok(())
    }

    fn rewrite_config(&mut self, config: &Config, every_option: bool) -> Result<(), String> {
        let Some(path) = &self.config_file else {
            return Err("The server is running without a config file".into());
        };
        let old = match std::fs::read(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(format!("Rewriting config file: {}", error_text(&error))),
        };
        let old = old.as_deref();
        let text = if every_option {
            config.rewrite_all(old)
        } else {
            config.rewrite(old)
        };
        process::replace_file(path, &text)
            .map_err(|e| format!("Rewriting config file: {}", error_text(&e)))
    }

    fn shutdown(
        &mut self,
        engine: &mut Engine,
        request: ShutdownRequest,
    ) -> Result<ShutdownProgress, String> {
        self.end(engine, request)
    }

    fn abort_shutdown(&mut self, engine: &mut Engine) -> bool {
        self.abort_end(engine)
    }

    fn replication_command(
        &mut self,
        engine: &mut Engine,
        session: &mut Session,
        out: &mut Writer,
        id: CommandId,
        args: Args<'_>,
    ) -> Outcome {
        node::replication::command(engine, self, session, out, id, args)
    }

    fn replication_info(&mut self, engine: &Engine) -> ReplicationInfo {
        self.links.info(engine, &mut self.outside)
    }

    fn replicas_at(&mut self, engine: &Engine, offset: u64) -> ReplicasAt {
        self.links.replicas_at(engine, &self.persistence, offset)
    }

    fn request_acks(&mut self) {
        self.links.request_acks();
    }

    fn change_replication_id(&mut self) {
        self.links.change_id();
    }

    fn save(&mut self, engine: &mut Engine) -> Result<(), String> {
        let position = self.links.position(engine, &self.persistence);
        self.persistence.set_position(position);
        self.persistence.save(engine, &mut self.outside)
    }

    fn bgsave(&mut self, engine: &mut Engine, schedule: bool) -> Result<&'static str, String> {
        self.persistence.bgsave(engine.in_transaction, schedule)
    }

    fn rewrite_aof(&mut self, engine: &mut Engine) -> Result<&'static str, String> {
        self.persistence.rewrite_aof(engine.in_transaction)
    }

    fn reload(&mut self, engine: &mut Engine, how: Reload) -> Result<(), String> {
        node::persistence::reload(engine, self, how)
    }

    fn flushed_all(&mut self, engine: &mut Engine) {
        self.persistence.flushed_all(engine, &mut self.outside);
    }

    fn persistence(&mut self, engine: &Engine) -> PersistenceInfo {
        let mut info = self.persistence.info(engine, &mut self.outside);
        info.rdb_bgsave_in_progress |= self.links.is_saving();
        info
    }

    fn drop_later(&mut self, garbage: Garbage) {
        let objects = garbage.objects() as u64;
        self.dropping.waiting.fetch_add(objects, Ordering::Relaxed);
        let counts = Arc::clone(&self.dropping);
        self.background.submit(Box::new(move || {
            drop(garbage);
            runtime::alloc::publish_thread_balance();
            counts.waiting.fetch_sub(objects, Ordering::Relaxed);
            counts.done.fetch_add(objects, Ordering::Relaxed);
        }));
    }

    fn dropping(&self) -> (u64, u64) {
        (
            self.dropping.waiting.load(Ordering::Relaxed),
            self.dropping.done.load(Ordering::Relaxed),
        )
    }

    fn reset_counts(&mut self) {
        self.dropping.done.store(0, Ordering::Relaxed);
        self.links.reset_stats();
    }

    fn stall(&mut self, duration_us: u64) {
        std::thread::sleep(Duration::from_micros(duration_us));
        self.outside.clock.refresh();
    }

    fn crash(&mut self, how: Crash) {
        self.say(
            Level::Warning,
            &format!("crash requested by DEBUG: {how:?}"),
        );
        match how {
            Crash::Segfault => process::raise_segfault(),
            Crash::Panic | Crash::Assert => panic!("crash requested by DEBUG"),
            Crash::OutOfMemory => {
                std::alloc::handle_alloc_error(std::alloc::Layout::new::<[u8; 1 << 20]>())
            }
        }
    }
}

impl NodeHost for ServerHost {
    fn parts(&mut self) -> (&mut Persistence, &mut dyn Outside) {
        (&mut self.persistence, &mut self.outside)
    }

    fn node(&mut self) -> Parts<'_> {
        Parts {
            persistence: &mut self.persistence,
            links: &mut self.links,
            outside: &mut self.outside,
        }
    }
}
