//! The engine's door to the process: clocks, log, allocator, sockets, files.

use crate::listen::{self, Listeners};
use crate::start;
use config::Config;
use engine::host::{AllocatorInfo, Crash, ListenerInfo, LogLevel, ProcessInfo, ShutdownRequest};
use engine::{Engine, Host, SessionId};
use keyspace::Garbage;
use runtime::background::Background;
use runtime::clock::Clock;
use runtime::log::{Level, Logger};
use runtime::process::{self, Scope};
use runtime::reactor::{ConnId, Reactor};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How the process ends.
pub enum Ending {
    Clean,
    Failed,
}

/// Counts of values being dropped by the background thread.
#[derive(Default)]
struct Dropping {
    waiting: AtomicU64,
    done: AtomicU64,
}

pub struct ServerHost {
    pub reactor: Reactor,
    pub ending: Option<Ending>,
    pub max_clients: u32,
    pub supervised: &'static str,
    logger: &'static Logger,
    listeners: Listeners,
    background: Background,
    dropping: Arc<Dropping>,
    clock: Clock,
    epoch: Instant,
    config_file: Option<PathBuf>,
    run_id: String,
    replication_id: String,
    started_unix_ms: i64,
    tcp_port: u16,
}

impl ServerHost {
    #[allow(clippy::too_many_arguments, reason = "each is a different part of the process, named once")]
    pub fn new(
        logger: &'static Logger,
        reactor: Reactor,
        listeners: Listeners,
        background: Background,
        clock: Clock,
        config_file: Option<PathBuf>,
        run_id: String,
        replication_id: String,
        max_clients: u32,
    ) -> ServerHost {
        let started_unix_ms = clock.now().unix_ms();
        ServerHost {
            reactor,
            ending: None,
            max_clients,
            supervised: "no",
            logger,
            listeners,
            background,
            dropping: Arc::default(),
            clock,
            epoch: Instant::now(),
            config_file,
            run_id,
            replication_id,
            started_unix_ms,
            tcp_port: 0,
        }
    }

    pub fn begin_turn(&mut self) {
        self.clock.refresh();
    }

    /// The connection of a session that is still there.
    pub fn conn(&self, engine: &Engine, id: SessionId) -> Option<ConnId> {
        engine.conn_of(id).map(ConnId::from_u64)
    }

    fn say(&self, level: Level, text: &str) {
        self.logger.log(level, 'M', format_args!("{text}"));
    }

    pub fn log_ready(&mut self, config: &Config) {
        self.tcp_port = config.port;
        if !self.listeners.tcp.is_empty() {
            self.say(Level::Notice, "Ready to accept connections tcp");
        }
        if let Some((_, path)) = &self.listeners.unix {
            self.say(Level::Notice, &format!("The server is now ready to accept connections at {}", path.display()));
            self.say(Level::Notice, "Ready to accept connections unix");
        }
    }

    pub fn set_process_title(&self, config: &Config) {
        if !config.set_proc_title {
            return;
        }
        let bind = self.listeners.tcp.first().map_or("", |(_, host)| host.as_str());
        let unix = self.listeners.unix.as_ref().map(|(_, p)| p.display().to_string()).unwrap_or_default();
        let addr = if config.port > 0 { format!("{bind}:{}", config.port) } else { unix.clone() };
        let file = self.config_file.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        let title = config
            .proc_title_template
            .to_str_lossy()
            .replace("{title}", &process::executable_path().display().to_string())
            .replace("{listen-addr}", &addr)
            .replace("{server-mode}", "")
            .replace("{port}", &config.port.to_string())
            .replace("{tls-port}", "0")
            .replace("{unixsocket}", &unix)
            .replace("{config-file}", &file);
        process::set_title(title.trim_end());
    }

    pub fn on_signal(&mut self, signal: i32) {
        let name = if signal == runtime::signals::SIGINT { "SIGINT" } else { "SIGTERM" };
        self.say(Level::Warning, &format!("Received {name} scheduling shutdown..."));
        self.say(Level::Warning, "User requested shutdown...");
        self.ending = Some(Ending::Clean);
    }

    pub fn close_listeners(&mut self, _config: &Config) {
        for (id, _) in self.listeners.tcp.drain(..) {
            self.reactor.close_listener(id);
        }
        if let Some((id, path)) = self.listeners.unix.take() {
            self.reactor.close_listener(id);
            let _ = std::fs::remove_file(path);
        }
    }

    /// Replaces the TCP listeners; the old ones stay if the new ones cannot be opened.
    fn rebind(&mut self, config: &Config) -> Result<(), String> {
        // The same addresses cannot be bound twice, so the old ones close first and come back on failure.
        let old: Vec<String> = self.listeners.tcp.iter().map(|(_, h)| h.clone()).collect();
        for (id, _) in self.listeners.tcp.drain(..) {
            self.reactor.close_listener(id);
        }
        let old_port = self.tcp_port;
        let opened = if config.port == 0 { Ok(Vec::new()) } else { listen::open_tcp(&mut self.reactor, config) };
        match opened {
            Ok(tcp) => {
                self.listeners.tcp = tcp;
                self.tcp_port = config.port;
                self.set_process_title(config);
                Ok(())
            }
            Err(text) => {
                self.say(Level::Warning, &text);
                let mut previous = config.clone();
                previous.port = old_port;
                previous.bind = old;
                if let Ok(tcp) = listen::open_tcp(&mut self.reactor, &previous) {
                    self.listeners.tcp = tcp;
                }
                Err("Unable to listen on this port. Check server logs.".into())
            }
        }
    }
}

impl Host for ServerHost {
    #[inline]
    fn ticks_ns(&mut self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    fn unix_us(&mut self) -> i64 {
        self.clock.now().unix_us
    }

    #[inline]
    fn used_memory(&mut self) -> u64 {
        runtime::alloc::used_bytes() as u64
    }

    fn log(&mut self, level: LogLevel, text: &str) {
        let level = match level {
            LogLevel::Debug => Level::Debug,
            LogLevel::Verbose => Level::Verbose,
            LogLevel::Notice => Level::Notice,
            LogLevel::Warning => Level::Warning,
        };
        self.say(level, text);
    }

    fn process(&mut self) -> ProcessInfo {
        let us = |d: Duration| d.as_micros() as u64;
        let own = process::cpu_usage(Scope::Process);
        let children = process::cpu_usage(Scope::Children);
        let main = process::cpu_usage(Scope::Thread);
        let mut listeners = Vec::new();
        if !self.listeners.tcp.is_empty() {
            let binds = self.listeners.tcp.iter().map(|(_, h)| h.clone()).collect();
            listeners.push(ListenerInfo { name: "tcp", binds, port: self.tcp_port });
        }
        if let Some((_, path)) = &self.listeners.unix {
            listeners.push(ListenerInfo { name: "unix", binds: vec![path.display().to_string()], port: 0 });
        }
        ProcessInfo {
            pid: std::process::id(),
            os: process::os_description(),
            executable: process::executable_path().display().to_string(),
            config_file: self.config_file.as_ref().map(|p| p.display().to_string()).unwrap_or_default(),
            run_id: self.run_id.clone(),
            replication_id: self.replication_id.clone(),
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
            self.say(Level::Warning, &format!("purging the allocator failed: {error}"));
        }
    }

    fn apply_config(&mut self, changed: &[&'static str], config: &Config) -> Result<(), String> {
        for name in changed {
            match *name {
                "port" | "bind" => self.rebind(config)?,
                "maxclients" => {
                    let wanted = u64::from(config.maxclients) + 32;
                    if let process::FdLimit::Short { .. } = process::raise_fd_limit(wanted) {
                        return Err("The operating system is not able to handle the specified number of clients, try with a lower value".into());
                    }
                    self.max_clients = config.maxclients;
                    self.reactor.set_max_connections(config.maxclients as usize + 32);
                }
                "dir" => std::env::set_current_dir(&*config.dir.to_str_lossy()).map_err(|e| e.to_string())?,
                "loglevel" => self.logger.set_level(start::log_level(config)),
                "proc-title-template" => self.set_process_title(config),
                "crash-log-enabled" if !config.crash_log_enabled => runtime::crash::uninstall_signal_handlers(),
                "crash-log-enabled" => runtime::crash::reinstall_signal_handlers().map_err(|e| e.to_string())?,
                _ => {}
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
            Err(error) => return Err(format!("Rewriting config file: {error}")),
        };
        let old = old.as_deref();
        let text = if every_option { config.rewrite_all(old) } else { config.rewrite(old) };
        process::replace_file(path, &text).map_err(|e| format!("Rewriting config file: {e}"))
    }

    fn shutdown(&mut self, request: ShutdownRequest) -> Result<(), String> {
        if request.save == Some(true) && !request.force {
            self.say(Level::Warning, "Cannot save the data before exiting: persistence is not built in this release");
            return Err("Errors trying to SHUTDOWN. Check logs.".into());
        }
        self.say(Level::Warning, "User requested shutdown...");
        self.ending = Some(Ending::Clean);
        Ok(())
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
        (self.dropping.waiting.load(Ordering::Relaxed), self.dropping.done.load(Ordering::Relaxed))
    }

    fn reset_dropped(&mut self) {
        self.dropping.done.store(0, Ordering::Relaxed);
    }

    fn stall(&mut self, duration_us: u64) {
        std::thread::sleep(Duration::from_micros(duration_us));
        self.clock.refresh();
    }

    fn crash(&mut self, how: Crash) {
        self.say(Level::Warning, &format!("crash requested by DEBUG: {how:?}"));
        match how {
            Crash::Segfault => process::raise_segfault(),
            Crash::Panic | Crash::Assert => panic!("crash requested by DEBUG"),
            Crash::OutOfMemory => std::alloc::handle_alloc_error(std::alloc::Layout::new::<[u8; 1 << 20]>()),
        }
    }
}
