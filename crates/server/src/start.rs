//! Everything before the first turn, in the order that matters: configuration, then daemonizing
//! (no thread may exist before it), then log, crash reports, limits, sockets, threads.

use crate::host::ServerHost;
use crate::{banner, listen, turn};
use config::{CommandLine, Config, Directive, FileText, LoadError, Source, Text, Warning};
use engine::Engine;
use runtime::background::Background;
use runtime::log::{Facility, Level, LogConfig, Logger};
use runtime::process::{self, FdLimit, Supervision, Supervisor};
use runtime::reactor::{Reactor, ReactorConfig};
use runtime::signals::Signals;
use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Descriptors the server needs besides its clients'.
const RESERVED_FDS: u64 = 32;

pub fn version_line() -> String {
    format!(
        "Redis server v={} sha=00000000:0 malloc={} bits=64 build=redan-{}",
        config::REDIS_VERSION,
        runtime::alloc::name(),
        crate::REDAN_VERSION
    )
}

/// What the command line and the files said.
pub struct Startup {
    pub config: Config,
    pub warnings: Vec<Warning>,
    /// Absolute, if there is one.
    pub config_file: Option<PathBuf>,
}

/// The program's entry: runs until shutdown.
pub fn main(args: &[OsString]) -> ExitCode {
    match args.first().and_then(|a| a.to_str()) {
        Some("-v" | "--version") if args.len() == 1 => {
            println!("{}", version_line());
            return ExitCode::SUCCESS;
        }
        Some("-h" | "--help") if args.len() == 1 => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let startup = match load(args) {
        Ok(startup) => startup,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "\n{error}");
            return ExitCode::FAILURE;
        }
    };
    match serve(startup) {
        Ok(code) => code,
        Err(text) => {
            match runtime::log::global() {
                Some(logger) => logger.log(Level::Warning, 'M', format_args!("{text}")),
                None => eprintln!("{text}"),
            }
            ExitCode::FAILURE
        }
    }
}

const HELP: &str = "\
Usage: redan server [/path/to/redis.conf] [options] [-]
       redan server - (read config from stdin)
       redan server -v or --version
       redan server -h or --help

Options are those of redis.conf, with two dashes: redan server --port 7777 --maxmemory 100mb
";

fn load(args: &[OsString]) -> Result<Startup, LoadError> {
    let args: Vec<Text> = args.iter().map(|a| Text::from(a.as_bytes().to_vec())).collect();
    let line = CommandLine::parse(&args);
    if line.sentinel {
        return Err(LoadError::general("Sentinel mode is not built in this release"));
    }
    let file = match &line.config_file {
        Some(name) => Some(read_file(name)?),
        None => None,
    };
    let mut stdin = Vec::new();
    if line.from_stdin {
        let read = std::io::stdin().read_to_end(&mut stdin);
        read.map_err(|e| LoadError::general(format!("Can't read the configuration from standard input: {e}")))?;
    }
    let mut config = Config::default();
    let source = Source {
        file: file.as_ref(),
        stdin: line.from_stdin.then_some(&stdin[..]),
        options: &line.options,
        include: &include,
        sentinel: false,
    };
    let warnings = config.load(&source)?;
    let config_file = line.config_file.map(|name| {
        let path = path_of(name.as_bytes());
        std::path::absolute(&path).unwrap_or(path)
    });
    Ok(Startup { config, warnings, config_file })
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

fn read_file(name: &Text) -> Result<FileText, LoadError> {
    let bytes = std::fs::read(path_of(name.as_bytes()))
        .map_err(|e| LoadError::general(format!("Fatal error, can't open config file '{}': {e}", name.to_str_lossy())))?;
    Ok(FileText { name: name.clone(), bytes })
}

/// Opens what an `include` line names; a pattern may match nothing.
fn include(name: &[u8]) -> Result<Vec<FileText>, String> {
    let read = |path: &Path| {
        let bytes = std::fs::read(path).map_err(|e| format!("can't open '{}': {e}", path.display()))?;
        Ok(FileText { name: Text::from(path.as_os_str().as_bytes().to_vec()), bytes })
    };
    if !name.iter().any(|b| matches!(b, b'*' | b'?' | b'[')) {
        return Ok(vec![read(&path_of(name))?]);
    }
    let pattern = std::str::from_utf8(name).map_err(|e| e.to_string())?;
    let paths = glob::glob(pattern).map_err(|e| e.to_string())?;
    paths.filter_map(Result::ok).map(|path| read(&path)).collect()
}

fn serve(startup: Startup) -> Result<ExitCode, String> {
    let Startup { config, warnings, config_file } = startup;
    let on_terminal = config.logfile.as_bytes().is_empty() && std::io::stdout().is_terminal();
    let _ = process::init_title();
    change_directory(&config)?;
    let supervisor = supervision(&config).resolve();
    let attached = supervisor.map(|s| s.attach("Redan is loading..."));
    if config.daemonize && supervisor.is_none() {
        process::daemonize().map_err(|e| format!("Can't daemonize: {e}"))?;
    }
    let logger = start_log(&config)?;
    let log = |level, text: String| logger.log(level, 'M', format_args!("{text}"));
    banner::log_start(logger, &config, config_file.is_some());
    if let Some(Err(error)) = attached {
        log(Level::Warning, format!("supervised: {error}"));
    }
    for warning in &warnings {
        log(Level::Warning, format!("WARNING: {warning}"));
    }
    if config.crash_log_enabled {
        let version = format!("Redan {} (Redis {})", crate::REDAN_VERSION, config::REDIS_VERSION);
        runtime::crash::install(&version).map_err(|e| format!("Can't install crash handlers: {e}"))?;
    }
    let max_clients = limit_clients(&config, &log);
    let mut reactor = Reactor::new(ReactorConfig {
        // Beyond `maxclients` connections are answered and closed by us.
        max_connections: max_clients as usize + RESERVED_FDS as usize,
        ..ReactorConfig::default()
    })
    .map_err(|e| format!("Can't create the event loop: {e}"))?;
    let listeners = listen::open_all(&mut reactor, &config, logger)?;
    let pid_file = write_pid_file(&config, supervisor, logger);
    let signals = Signals::install().map_err(|e| format!("Can't install signal handlers: {e}"))?;
    reactor.attach_signals(signals).map_err(|e| format!("Can't listen to signals: {e}"))?;
    let background = Background::spawn("redan-lazyfree", Some(reactor.waker())).map_err(|e| e.to_string())?;
    let _ = runtime::alloc::set_background_thread(true);
    runtime::alloc::calibrate();

    let clock = runtime::clock::Clock::new();
    let mut engine = Engine::new(config, random_u64()?, clock.now().unix_us);
    rename_commands(&mut engine)?;
    banner::log_mode(logger, &engine.config, on_terminal);
    // Supervisors' and test tools' log patterns look for this line.
    log(Level::Notice, format!("Server initialized (PID: {})", std::process::id()));
    log(Level::Notice, format!(" PID: {} Server initialized", std::process::id()));
    let mut host = ServerHost::new(logger, reactor, listeners, background, clock, config_file, run_id()?, run_id()?, max_clients);
    host.supervised = match supervisor {
        Some(Supervisor::Systemd) => "systemd",
        Some(Supervisor::Upstart) => "upstart",
        None => "no",
    };
    host.set_process_title(&engine.config);
    host.log_ready(&engine.config);
    if supervisor == Some(Supervisor::Systemd) {
        let _ = process::notify_systemd("STATUS=Ready to accept connections\nREADY=1\n");
    }
    let code = turn::run(&mut engine, &mut host)?;
    if supervisor == Some(Supervisor::Systemd) {
        let _ = process::notify_systemd("STOPPING=1\n");
    }
    if let Some(path) = pid_file {
        log(Level::Notice, "Removing the pid file.".into());
        let _ = process::remove_pid_file(&path);
    }
    host.close_listeners(&engine.config);
    log(Level::Warning, "Redis is now ready to exit, bye bye...".into());
    // Freeing a large data set entry by entry would only delay the exit.
    std::mem::forget(engine);
    Ok(code)
}

fn change_directory(config: &Config) -> Result<(), String> {
    let dir = config.dir.as_bytes();
    if dir.is_empty() || dir == b"." || dir == b"./" {
        return Ok(());
    }
    std::env::set_current_dir(path_of(dir)).map_err(|e| {
        format!("*** FATAL CONFIG FILE ERROR (Redis {}) ***\nCan't chdir to '{}': {e}", config::REDIS_VERSION, config.dir.to_str_lossy())
    })
}

fn supervision(config: &Config) -> Supervision {
    match config.supervised {
        config::Supervised::No => Supervision::None,
        config::Supervised::Auto => Supervision::Auto,
        config::Supervised::Systemd => Supervision::Systemd,
        config::Supervised::Upstart => Supervision::Upstart,
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

fn start_log(config: &Config) -> Result<&'static Logger, String> {
    let file = (!config.logfile.as_bytes().is_empty()).then(|| path_of(config.logfile.as_bytes()));
    let ident = config.syslog_ident.to_str_lossy().into_owned();
    let facility = Facility::from_name(config.syslog_facility.as_str());
    let logger = Logger::new(&LogConfig {
        level: log_level(config),
        file: file.as_deref(),
        syslog: facility.filter(|_| config.syslog_enabled).map(|f| (ident.as_str(), f)),
    })
    .map_err(|e| format!("Can't open the log file: {e}"))?;
    logger.make_global().map_err(|_| "the log was started twice".to_string())
}

/// Raises the limit of open files; returns how many clients fit in what we got.
fn limit_clients(config: &Config, log: &dyn Fn(Level, String)) -> u32 {
    let wanted = u64::from(config.maxclients) + RESERVED_FDS;
    match process::raise_fd_limit(wanted) {
        FdLimit::Sufficient(_) | FdLimit::Raised { .. } => config.maxclients,
        FdLimit::Short { from, to, error } => {
            let fits = to.saturating_sub(RESERVED_FDS) as u32;
            log(
                Level::Warning,
                format!(
                    "You requested maxclients of {} requiring at least {wanted} max file descriptors. Server can't set maximum open files to {wanted} because of OS error: {error}. Current maximum open files is {to} (was {from}). maxclients has been reduced to {fits} to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.",
                    config.maxclients
                ),
            );
            fits
        }
    }
}

fn write_pid_file(config: &Config, supervisor: Option<Supervisor>, logger: &Logger) -> Option<PathBuf> {
    let named = config.pidfile.as_bytes();
    if named.is_empty() && !(config.daemonize && supervisor.is_none()) {
        return None;
    }
    let path = if named.is_empty() { PathBuf::from("/var/run/redis.pid") } else { path_of(named) };
    match process::write_pid_file(&path) {
        Ok(()) => Some(path),
        Err(error) => {
            logger.log(Level::Warning, 'M', format_args!("Failed to write PID file {}: {error}", path.display()));
            None
        }
    }
}

/// Applies `rename-command` lines; the command table is the engine's.
fn rename_commands(engine: &mut Engine) -> Result<(), String> {
    let directives: Vec<Directive> = engine.config.rename_commands.clone();
    for directive in directives {
        let [old, new] = directive.args.as_slice() else {
            return Err(LoadError::at(&directive.place, "wrong number of arguments").to_string());
        };
        engine
            .rename_command(old.as_bytes(), new.as_bytes())
            .map_err(|reason| LoadError::at(&directive.place, reason).to_string())?;
    }
    Ok(())
}

fn random_u64() -> Result<u64, String> {
    getrandom::u64().map_err(|e| format!("no random numbers from the system: {e}"))
}

/// 40 hexadecimal digits, to name this run of the process and its data set's history.
fn run_id() -> Result<String, String> {
    let mut bytes = [0u8; 20];
    getrandom::fill(&mut bytes).map_err(|e| format!("no random numbers from the system: {e}"))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
