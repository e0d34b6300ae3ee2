//! Everything before the first turn, in the order that matters: configuration (errors go to standard
//! error), then daemonizing (no thread may exist before it), then crash reports, limits, sockets,
//! threads. Tests: `tests/start_options.rs`, `tests/config_errors.rs`.

use crate::host::{HostParts, Identity, ServerHost};
use crate::load::{self, Startup, path_of};
use crate::outside::ServerOutside;
use crate::turn::Turns;
use crate::{banner, error_text, listen};
use config::{Config, LoadError};
use engine::Engine;
use runtime::background::Background;
use runtime::log::{Facility, Level, LogConfig, Logger};
use runtime::process::{self, FdLimit, Supervision, Supervisor};
use runtime::reactor::{Reactor, ReactorConfig};
use runtime::signals::Signals;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Descriptors the server needs besides its clients'.
pub const RESERVED_FDS: u64 = 32;

pub fn version_line() -> String {
    format!(
        "Redis server v={} sha=00000000:0 malloc={} bits=64 build=redan-{}",
        config::REDIS_VERSION,
        runtime::alloc::name(),
        crate::REDAN_VERSION
    )
}

/// The program's entry: runs until shutdown.
pub fn main(args: &[OsString]) -> ExitCode {
    match args.first().and_then(|a| a.to_str()) {
        Some("-v" | "--version") => {
            println!("{}", version_line());
            return ExitCode::SUCCESS;
        }
        Some("-h" | "--help") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    match prepare(args) {
        Ok(prepared) => run(prepared),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "\n{error}");
            ExitCode::FAILURE
        }
    }
}

const HELP: &str = "\
Usage: redan server [/path/to/redis.conf] [options] [-]
       redan server - (read config from stdin)
       redan server -v or --version
       redan server -h or --help

Examples:
       redan server (run the server with default conf)
       echo 'maxmemory 128mb' | redan server -
       redan server /etc/redis/6379.conf
       redan server --port 7777
       redan server /etc/redis/6379.conf --loglevel verbose
";

/// A server that has understood its configuration, and done nothing yet that needs the process.
struct Prepared {
    startup: Startup,
    engine: Engine,
    logger: Logger,
    title: String,
    run_id: String,
    /// Decides the names of histories.
    seed: u64,
}

fn prepare(args: &[OsString]) -> Result<Prepared, LoadError> {
    let title = title_of(std::env::args_os().next());
    let startup = load::load(args)?;
    let system =
        |e: getrandom::Error| LoadError::general(format!("no random numbers from the system: {e}"));
    let mut engine = Engine::new(
        startup.config.clone(),
        getrandom::u64().map_err(system)?,
        runtime::clock::read().unix_us,
    );
    load::rename_commands(&mut engine)?;
    let logger = open_log(&startup.config)
        .map_err(|e| LoadError::general(format!("Can't open the log file: {}", error_text(&e))))?;
    let run_id = random_id().map_err(system)?;
    let seed = getrandom::u64().map_err(system)?;
    Ok(Prepared {
        startup,
        engine,
        logger,
        title,
        run_id,
        seed,
    })
}

/// What `{title}` in `proc-title-template` stands for: the name the server was called by.
fn title_of(called_as: Option<OsString>) -> String {
    let called_as = called_as.unwrap_or_default();
    let is_redan = Path::new(&called_as)
        .file_name()
        .is_some_and(|name| name == "redan");
    let name = called_as.to_string_lossy();
    if is_redan {
        format!("{name} server")
    } else {
        name.into_owned()
    }
}

/// Becomes the process that was asked for; failures from here on go to the log.
fn run(prepared: Prepared) -> ExitCode {
    let config = &prepared.startup.config;
    let on_terminal = config.logfile.as_bytes().is_empty() && std::io::stdout().is_terminal();
    // Without room for a title the server only keeps its old one.
    let _ = process::init_title();
    let supervisor = supervision(config).resolve();
    let attached = supervisor.map(|s| s.attach("Redan is loading..."));
    let supervisor = supervisor.filter(|_| !matches!(attached, Some(Err(_))));
    if config.daemonize
        && supervisor.is_none()
        && let Err(error) = process::daemonize()
    {
        eprintln!("Can't daemonize: {}", error_text(&error));
        return ExitCode::FAILURE;
    }
    let Ok(logger) = prepared.logger.make_global() else {
        eprintln!("a second server in one process");
        return ExitCode::FAILURE;
    };
    banner::log_start(logger, prepared.startup.configured);
    log_supervision(logger, config, supervisor, attached);
    for warning in &prepared.startup.warnings {
        let text = warning.to_string();
        let text = text.strip_prefix("WARNING: ").unwrap_or(&text);
        logger.log(Level::Warning, 'M', format_args!("WARNING: {text}"));
    }
    let identity = Identity {
        config_file: prepared.startup.config_file,
        title: prepared.title,
        run_id: prepared.run_id,
        seed: prepared.seed,
        supervised: match supervisor {
            Some(Supervisor::Systemd) => "systemd",
            Some(Supervisor::Upstart) => "upstart",
            None => "no",
        },
    };
    match (Server {
        logger,
        supervisor,
        on_terminal,
    })
    .serve(prepared.engine, identity)
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            logger.log(Level::Warning, 'M', format_args!("{text}"));
            ExitCode::FAILURE
        }
    }
}

/// What the process has become by now.
struct Server {
    logger: &'static Logger,
    supervisor: Option<Supervisor>,
    on_terminal: bool,
}

impl Server {
    fn log(&self, level: Level, text: &str) {
        self.logger.log(level, 'M', format_args!("{text}"));
    }

    fn serve(&self, mut engine: Engine, identity: Identity) -> Result<(), String> {
        let logger = self.logger;
        if engine.config.crash_log_enabled {
            let version = format!(
                "Redan {} (Redis {})",
                crate::REDAN_VERSION,
                config::REDIS_VERSION
            );
            runtime::crash::install(&version)
                .map_err(|e| format!("Can't install crash handlers: {}", error_text(&e)))?;
        }
        runtime::watchdog::install()
            .map_err(|e| format!("Can't install the watchdog: {}", error_text(&e)))?;
        ServerHost::set_watchdog(&mut engine.config);
        self.limit_clients(&mut engine.config)?;
        let mut reactor = Reactor::new(ReactorConfig {
            // Beyond `maxclients` connections are answered and closed by us.
            max_connections: engine.config.maxclients as usize + RESERVED_FDS as usize,
            ..ReactorConfig::default()
        })
        .map_err(|e| format!("Can't create the event loop: {}", error_text(&e)))?;
        banner::log_mode(logger, &engine.config, self.on_terminal);
        listen::warn_of_backlog(&engine.config, logger);
        let listeners = listen::open_all(&mut reactor, &engine.config, logger)?;
        let pid_file = self.write_pid_file(&engine.config);
        let signals = Signals::install()
            .map_err(|e| format!("Can't install signal handlers: {}", error_text(&e)))?;
        reactor
            .attach_signals(signals)
            .map_err(|e| format!("Can't listen to signals: {}", error_text(&e)))?;
        let background = Background::spawn("redan-lazyfree", Some(reactor.waker()))
            .map_err(|e| format!("Can't start a thread: {}", error_text(&e)))?;
        // jemalloc without its thread gives memory back a little later, and that is all.
        let _ = runtime::alloc::set_background_thread(true);
        runtime::alloc::calibrate();

        let outside = ServerOutside::spawn(logger, &reactor.waker())
            .map_err(|e| format!("Can't start a thread: {}", error_text(&e)))?;
        self.log(Level::Notice, "Server initialized");
        let parts = HostParts {
            reactor,
            listeners,
            background,
            outside,
        };
        let mut host = ServerHost::new(parts, identity, &engine.config);
        host.set_process_title(&engine.config);
        host.lock_files(&engine.config)?;
        let mut turns = Turns::new();
        if turns.load(&mut engine, &mut host)? {
            host.log_ready();
            self.tell_systemd("STATUS=Ready to accept connections\nREADY=1\n");
            turns.serve(&mut engine, &mut host)?;
        }
        self.tell_systemd("STOPPING=1\n");
        if let Some(path) = pid_file {
            self.log(Level::Notice, "Removing the pid file.");
            if let Err(error) = process::remove_pid_file(&path) {
                self.log(
                    Level::Warning,
                    &format!("Can't remove the pid file: {}", error_text(&error)),
                );
            }
        }
        host.close_listeners();
        self.log(Level::Warning, "Redis is now ready to exit, bye bye...");
        // Freeing a large data set entry by entry would only delay the exit.
        std::mem::forget(engine);
        Ok(())
    }

    fn tell_systemd(&self, lines: &str) {
        if self.supervisor == Some(Supervisor::Systemd)
            && let Err(error) = process::notify_systemd(lines)
        {
            self.log(
                Level::Warning,
                &format!(
                    "systemd supervision error: sd_notify: {}",
                    error_text(&error)
                ),
            );
        }
    }

    /// Raises the limit of open files, and lowers `maxclients` to what we got.
    fn limit_clients(&self, config: &mut Config) -> Result<(), String> {
        let wanted = u64::from(config.maxclients) + RESERVED_FDS;
        match process::raise_fd_limit(wanted) {
            FdLimit::Sufficient(_) => {}
            FdLimit::Raised { from, to } => self.log(
                Level::Notice,
                &format!("Increased maximum number of open files to {to} (it was originally set to {from})."),
            ),
            FdLimit::Short { to, .. } if to <= RESERVED_FDS => {
                return Err(format!(
                    "Your current 'ulimit -n' of {to} is not enough for the server to start. Please increase your open file limit to at least {wanted}. Exiting."
                ));
            }
            FdLimit::Short { to, error, .. } => {
                let fits = (to - RESERVED_FDS) as u32;
                for text in [
                    format!(
                        "You requested maxclients of {} requiring at least {wanted} max file descriptors.",
                        config.maxclients
                    ),
                    format!("Server can't set maximum open files to {wanted} because of OS error: {}.", error_text(&error)),
                    format!(
                        "Current maximum open files is {to}. maxclients has been reduced to {fits} to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
                    ),
                ] {
                    self.log(Level::Warning, &text);
                }
                config.maxclients = fits;
            }
        }
        Ok(())
    }

    fn write_pid_file(&self, config: &Config) -> Option<PathBuf> {
        let named = config.pidfile.as_bytes();
        if named.is_empty() && !(config.daemonize && self.supervisor.is_none()) {
            return None;
        }
        let path = if named.is_empty() {
            PathBuf::from("/var/run/redis.pid")
        } else {
            path_of(named)
        };
        // `dir` may change; the file is to be found again at the end.
        let path = std::path::absolute(&path).unwrap_or(path);
        match process::write_pid_file(&path) {
            Ok(()) => Some(path),
            Err(error) => {
                self.log(
                    Level::Warning,
                    &format!("Failed to write PID file: {}", error_text(&error)),
                );
                None
            }
        }
    }
}

fn supervision(config: &Config) -> Supervision {
    match config.supervised {
        config::Supervised::No => Supervision::None,
        config::Supervised::Auto => Supervision::Auto,
        config::Supervised::Systemd => Supervision::Systemd,
        config::Supervised::Upstart => Supervision::Upstart,
    }
}

fn log_supervision(
    logger: &Logger,
    config: &Config,
    supervisor: Option<Supervisor>,
    attached: Option<std::io::Result<()>>,
) {
    let say = |level, text: &str| logger.log(level, 'M', format_args!("{text}"));
    match (supervisor, attached) {
        (Some(Supervisor::Systemd), _) => say(
            Level::Notice,
            "Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and TimeoutStopSec in your service unit.",
        ),
        (Some(Supervisor::Upstart), _) => say(
            Level::Notice,
            "supervised by upstart, will stop to signal readiness.",
        ),
        (None, Some(Err(error))) => match config.supervised {
            config::Supervised::Upstart => say(
                Level::Warning,
                "upstart supervision requested, but UPSTART_JOB not found!",
            ),
            _ => say(
                Level::Warning,
                &format!("systemd supervision error: {}!", error_text(&error)),
            ),
        },
        (None, _) => {}
    }
}

pub fn log_level(config: &Config) -> Level {
    match config.loglevel {
        config::LogLevel::Debug => Level::Debug,
        config::LogLevel::Verbose => Level::Verbose,
        config::LogLevel::Notice => Level::Notice,
        config::LogLevel::Warning => Level::Warning,
        config::LogLevel::Nothing => Level::Nothing,
    }
}

fn open_log(config: &Config) -> std::io::Result<Logger> {
    let file = (!config.logfile.as_bytes().is_empty()).then(|| path_of(config.logfile.as_bytes()));
    let ident = config.syslog_ident.to_str_lossy().into_owned();
    let facility = Facility::from_name(config.syslog_facility.as_str());
    Logger::new(&LogConfig {
        level: log_level(config),
        file: file.as_deref(),
        syslog: facility
            .filter(|_| config.syslog_enabled)
            .map(|f| (ident.as_str(), f)),
    })
}

/// 40 hexadecimal digits, to name this run of the process.
fn random_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 20];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
