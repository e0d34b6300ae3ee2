//! What needs a process of its own: daemonizing, titles, signals, crashes, supervision by upstart.
//!
//! There is no test harness here, because its threads would be in the way: `main` runs each test in
//! turn, and the tests run this program again in a role named by the environment. Tests wait for
//! the end of a process or for a line it writes; nothing sleeps.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use runtime::crash;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use runtime::log::{self, Level, LogConfig, Logger};
use runtime::process::{self, Supervisor};
use runtime::reactor::{Event, Reactor, ReactorConfig};
use runtime::signals::{self, Signals, Unfinished};
use runtime::watchdog;

const ROLE: &str = "RUNTIME_TEST_ROLE";
const LOG: &str = "RUNTIME_TEST_LOG";

const TESTS: &[(&str, fn())] = &[
    (
        "daemonizing_leaves_terminal_session_and_parent",
        daemonizing_leaves_terminal_session_and_parent,
    ),
    (
        "a_title_replaces_the_arguments_and_keeps_the_environment",
        a_title_replaces_the_arguments_and_keeps_the_environment,
    ),
    (
        "signals_are_events_and_hangup_is_ignored",
        signals_are_events_and_hangup_is_ignored,
    ),
    (
        "a_second_interrupt_ends_the_process",
        a_second_interrupt_ends_the_process,
    ),
    (
        "a_second_interrupt_removes_files_that_are_not_finished",
        a_second_interrupt_removes_files_that_are_not_finished,
    ),
    (
        "an_interrupt_after_a_cancelled_shutdown_is_an_event",
        an_interrupt_after_a_cancelled_shutdown_is_an_event,
    ),
    (
        "a_crash_signal_is_reported_and_then_takes_its_course",
        a_crash_signal_is_reported_and_then_takes_its_course,
    ),
    ("a_stack_overflow_is_reported", a_stack_overflow_is_reported),
    (
        "a_panic_is_reported_once_and_aborts",
        a_panic_is_reported_once_and_aborts,
    ),
    (
        "a_panic_in_a_background_job_is_reported_too",
        a_panic_in_a_background_job_is_reported_too,
    ),
    (
        "sigalrm_says_where_the_main_thread_is_and_the_process_goes_on",
        sigalrm_says_where_the_main_thread_is_and_the_process_goes_on,
    ),
    (
        "a_watchdog_that_is_not_wound_again_reports_once",
        a_watchdog_that_is_not_wound_again_reports_once,
    ),
    ("upstart_is_told_by_stopping", upstart_is_told_by_stopping),
    (
        "accepting_without_descriptors_waits_for_a_close",
        accepting_without_descriptors_waits_for_a_close,
    ),
];

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        return play(&role);
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let filter = args.iter().find(|arg| !arg.starts_with('-'));
    for (name, test) in TESTS {
        if filter.is_none_or(|filter| name.contains(filter.as_str())) {
            test();
            println!("test {name} ... ok");
        }
    }
}

/// What the program does when a test runs it.
fn play(role: &str) {
    if let Some(path) = std::env::var_os(LOG) {
        let file = Some(Path::new(&path));
        let config = LogConfig {
            level: Level::Notice,
            file,
            syslog: None,
        };
        Logger::new(&config)
            .expect("opens")
            .make_global()
            .expect("the first");
    }
    match role {
        "daemon" => daemon(),
        "title" => title(),
        "signals" => wait_for_signals(false),
        "stubborn" => wait_for_signals(true),
        "unfinished" => {
            let (first, kept, second) =
                (path_beside_log(1), path_beside_log(2), path_beside_log(3));
            let _first = Unfinished::new(&first);
            drop(Unfinished::new(&kept));
            let _second = Unfinished::new(&second);
            for path in [&first, &kept, &second] {
                std::fs::write(path, "x").expect("writes");
            }
            wait_for_signals(true);
        }
        "alarm" => alarm(),
        "watchdog" => watchdog_expires(),
        "upstart" => upstart(),
        _ => crash_as(role),
    }
}

fn log_line(text: &str) {
    let logger = log::global().expect("was set");
    logger.log(Level::Notice, 'M', format_args!("{text}"));
}

// --- roles ---------------------------------------------------------------------------------------

fn daemon() {
    process::daemonize().expect("daemonizes");
    let pid = rustix::process::getpid();
    let session = rustix::process::getsid(None).expect("has one");
    // The session's leader was the child in between, which is gone.
    log_line(&format!("leader {}", session == pid));
    for fd in 0..3 {
        let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).expect("is open");
        log_line(&format!("fd {fd} {}", target.display()));
    }
    println!("nobody hears this");
    std::thread::spawn(|| log_line("threads work"))
        .join()
        .expect("no panic");
    log_line("done");
}

fn title() {
    process::init_title().expect("there is one thread");
    process::init_title().expect("again");
    for title in [
        "a long title of a server that listens on *:6379 and more",
        "short *:1",
    ] {
        process::set_title(title);
        let shown = std::fs::read("/proc/self/cmdline").expect("reads");
        let text = String::from_utf8_lossy(&shown);
        println!("{}", text.trim_end_matches('\0'));
    }
    println!("{}", std::env::var(ROLE).expect("still set"));
    println!(
        "{}",
        std::fs::read_to_string("/proc/self/comm")
            .expect("reads")
            .trim()
    );
}

fn wait_for_signals(stubborn: bool) {
    let mut reactor = Reactor::new(ReactorConfig::default()).expect("a reactor");
    reactor
        .attach_signals(Signals::install().expect("the first"))
        .expect("attaches");
    assert!(Signals::install().is_err());
    println!("ready");
    let mut events = Vec::new();
    loop {
        reactor.wait(None, &mut events).expect("waits");
        for event in &events {
            let Event::Signal(signal) = event else {
                continue;
            };
            println!("signal {signal}");
            match *signal {
                signals::SIGTERM if !stubborn => return,
                _ if stubborn => {}
                _ => signals::cancel_shutdown(),
            }
        }
    }
}

/// A file of a role's own, found by the test that runs the role.
fn path_beside_log(number: u32) -> PathBuf {
    unfinished_path(Path::new(&std::env::var_os(LOG).expect("is set")), number)
}

fn unfinished_path(log: &Path, number: u32) -> PathBuf {
    log.with_extension(format!("unfinished-{number}"))
}

/// Answers each line of its input, whatever the signals.
fn alarm() {
    watchdog::install().expect("installs");
    println!("ready");
    for line in std::io::stdin().lines() {
        println!("heard {}", line.expect("reads"));
    }
}

/// Winds its watchdog once, and waits for the report.
fn watchdog_expires() {
    watchdog::install().expect("installs");
    // Wound again before it can run out, and stopped: neither is a report.
    watchdog::wind(Duration::from_secs(3600)).expect("winds");
    watchdog::wind(Duration::ZERO).expect("stops");
    watchdog::wind(Duration::from_micros(1)).expect("winds");
    let log = PathBuf::from(std::env::var_os(LOG).expect("is set"));
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("--------")) {
        std::thread::yield_now();
    }
}

fn upstart() {
    Supervisor::Upstart.attach("").expect("the job is set");
    println!("job {:?}", std::env::var_os("UPSTART_JOB"));
}

fn crash_as(role: &str) {
    crash::install("Redan 9.8.7").expect("installs");
    crash::publish_info("old_field:1\n".to_owned());
    crash::publish_info("field:1\n".to_owned());
    match role {
        "panic" => panic!("a bad {}", "thing"),
        "job" => {
            let queue = runtime::background::Background::spawn("worker", None).expect("spawns");
            queue.submit(Box::new(|| panic!("a bad job")));
            queue.drain();
        }
        "overflow" => println!("{}", recurse(&mut [0; 128])),
        "segv" => {
            let address = std::hint::black_box(0x10) as *const u8;
            // SAFETY: none; the crash that follows is what the test is about.
            println!("{}", unsafe { address.read_volatile() });
        }
        "kill" => {
            println!("ready");
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).expect("reads");
        }
        other => unreachable!("role {other}"),
    }
}

#[allow(
    unconditional_recursion,
    reason = "the overflow is what the test is about"
)]
fn recurse(bytes: &mut [u8; 128]) -> u8 {
    let mut copy = *std::hint::black_box(bytes);
    copy[0] = recurse(&mut copy);
    copy[1]
}

// --- tests ---------------------------------------------------------------------------------------

fn command(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("exists"));
    command
        .env(ROLE, role)
        .env_remove("UPSTART_JOB")
        .env_remove("NOTIFY_SOCKET");
    command
}

struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> TempFile {
        let name = format!("runtime-modes-{}-{name}", std::process::id());
        TempFile(std::env::temp_dir().join(name))
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap_or_default()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A process whose output is read line by line.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn start(role: &str) -> Running {
        Running::spawn(command(role))
    }

    fn start_with_log(role: &str, log: &TempFile) -> Running {
        let mut command = command(role);
        command.env(LOG, &log.0);
        Running::spawn(command)
    }

    fn spawn(mut command: Command) -> Running {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let mut running = Running { child, lines };
        assert_eq!(running.line(), "ready");
        running
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("has not ended").expect("reads")
    }

    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        // SAFETY: sends a signal to our own child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    fn end(&mut self) -> ExitStatus {
        self.child.wait().expect("waits")
    }
}

fn daemonizing_leaves_terminal_session_and_parent() {
    let file = TempFile::new("daemon");
    // A pipe that ends once nobody has it: inherited by the daemon until it lets go of it.
    let output = command("daemon").env(LOG, &file.0).output().expect("runs");
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{output:?}"
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    while !file.text().contains("done") {
        assert!(Instant::now() < deadline, "{}", file.text());
        std::thread::yield_now();
    }
    let text = file.text();
    for expected in [
        "leader false",
        "fd 0 /dev/null",
        "fd 1 /dev/null",
        "fd 2 /dev/null",
        "threads work",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

fn a_title_replaces_the_arguments_and_keeps_the_environment() {
    let output = command("title").output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        "a long title of a server that listens on *:6379 and more",
        "short *:1",
        "title",
        "short",
    ];
    assert_eq!(lines, expected, "{output:?}");
}

fn signals_are_events_and_hangup_is_ignored() {
    let mut running = Running::start("signals");
    running.signal(libc::SIGHUP);
    running.signal(libc::SIGPIPE);
    running.signal(libc::SIGTERM);
    assert_eq!(running.line(), format!("signal {}", libc::SIGTERM));
    assert!(running.end().success());
}

fn a_second_interrupt_ends_the_process() {
    for first in [libc::SIGINT, libc::SIGTERM] {
        let mut running = Running::start("stubborn");
        running.signal(first);
        assert_eq!(running.line(), format!("signal {first}"));
        running.signal(libc::SIGTERM);
        assert_eq!(running.line(), format!("signal {}", libc::SIGTERM));
        running.signal(libc::SIGINT);
        assert!(running.line().ends_with(") You insist... exiting now."));
        assert_eq!(running.end().code(), Some(1));
    }
}

fn a_second_interrupt_removes_files_that_are_not_finished() {
    let log = TempFile::new("insist");
    let files = [1, 2, 3].map(|number| TempFile(unfinished_path(&log.0, number)));
    let mut running = Running::start_with_log("unfinished", &log);
    running.signal(libc::SIGINT);
    assert_eq!(running.line(), format!("signal {}", libc::SIGINT));
    assert!(files.iter().all(|file| file.0.exists()));
    running.signal(libc::SIGINT);
    assert_eq!(running.end().code(), Some(1));
    assert!(log.text().contains("You insist... exiting now."));
    let left = files.each_ref().map(|file| file.0.exists());
    assert_eq!(left, [false, true, false]);
}

fn sigalrm_says_where_the_main_thread_is_and_the_process_goes_on() {
    let log = TempFile::new("alarm");
    let mut running = Running::start_with_log("alarm", &log);
    let mut input = running.child.stdin.take().expect("is piped");
    for round in 1..=3 {
        running.signal(libc::SIGALRM);
        let deadline = Instant::now() + Duration::from_secs(20);
        while log.text().matches("--------\n").count() < round {
            assert!(Instant::now() < deadline, "{}", log.text());
            std::thread::yield_now();
        }
        writeln!(input, "{round}").expect("it listens");
        assert_eq!(running.line(), format!("heard {round}"));
    }
    let text = log.text();
    assert_eq!(text.matches("\nReceived SIGALRM\n").count(), 3, "{text}");
    assert_eq!(text.matches("------ STACK TRACE ------").count(), 3);
    assert!(!text.contains("WATCHDOG"), "{text}");
    drop(input);
    assert!(running.end().success());
}

fn a_watchdog_that_is_not_wound_again_reports_once() {
    let log = TempFile::new("watchdog");
    let output = command("watchdog").env(LOG, &log.0).output().expect("runs");
    assert!(output.status.success(), "{output:?}");
    let text = log.text();
    let reports = text.matches("\n--- WATCHDOG TIMER EXPIRED ---\n").count();
    assert_eq!(reports, 1, "{text}");
    assert!(!text.contains("Received SIGALRM"), "{text}");
}

fn an_interrupt_after_a_cancelled_shutdown_is_an_event() {
    let mut running = Running::start("signals");
    for _ in 0..3 {
        running.signal(libc::SIGINT);
        assert_eq!(running.line(), format!("signal {}", libc::SIGINT));
        // The line is printed before the shutdown is cancelled; an ignored signal is no event, so
        // what tells is the state of the process: it is asleep in its wait again.
        wait_until_asleep(running.child.id());
    }
    running.signal(libc::SIGTERM);
    assert_eq!(running.line(), format!("signal {}", libc::SIGTERM));
    assert!(running.end().success());
}

fn wait_until_asleep(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let wait_channel =
            std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        let number = wait_channel
            .split(' ')
            .next()
            .and_then(|number| number.parse::<i64>().ok());
        if matches!(number, Some(libc::SYS_epoll_wait | libc::SYS_epoll_pwait)) {
            return;
        }
        assert!(Instant::now() < deadline, "{wait_channel}");
        std::thread::yield_now();
    }
}

/// Runs a role that crashes, and gives how it ended and what it logged.
fn crashed(role: &str) -> (ExitStatus, String) {
    let file = TempFile::new(role);
    let output = command(role).env(LOG, &file.0).output().expect("runs");
    let text = file.text();
    assert_eq!(
        text.matches("=== REDAN BUG REPORT START").count(),
        1,
        "{text}"
    );
    assert_eq!(
        text.matches("=== REDAN BUG REPORT END").count(),
        1,
        "{text}"
    );
    for expected in ["STACK TRACE", "------ INFO OUTPUT ------\nfield:1\n"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    (output.status, text)
}

fn a_crash_signal_is_reported_and_then_takes_its_course() {
    let (status, text) = crashed("segv");
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    for expected in [
        "Redan 9.8.7 crashed by signal: 11, si_code: 1",
        "Accessing address: 0x10",
        "instruction at: 0x",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }

    let mut running = Running::start("kill");
    running.signal(libc::SIGABRT);
    let mut text = String::new();
    while let Some(Ok(line)) = running.lines.next() {
        text += &line;
    }
    assert!(text.contains("crashed by signal: 6"), "{text}");
    assert!(
        text.contains(&format!("Killed by PID: {}, UID: ", std::process::id())),
        "{text}"
    );
    assert_eq!(running.end().signal(), Some(libc::SIGABRT));
}

fn a_stack_overflow_is_reported() {
    let (status, text) = crashed("overflow");
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert!(text.contains("crashed by signal: 11"), "{text}");
}

fn a_panic_is_reported_once_and_aborts() {
    let (status, text) = crashed("panic");
    assert_eq!(status.signal(), Some(libc::SIGABRT));
    assert!(text.contains("=== PANIC in thread 'main' ==="), "{text}");
    assert!(
        text.contains("process_modes.rs:") && text.contains(" a bad thing\n"),
        "{text}"
    );
    assert!(text.contains("crash_as"), "the backtrace has names: {text}");
}

fn a_panic_in_a_background_job_is_reported_too() {
    let (status, text) = crashed("job");
    assert_eq!(status.signal(), Some(libc::SIGABRT));
    assert!(text.contains("=== PANIC in thread 'worker' ==="), "{text}");
}

fn upstart_is_told_by_stopping() {
    let output = command("upstart").output().expect("runs");
    assert!(!output.status.success(), "there is no job");

    let mut child = command("upstart")
        .env("UPSTART_JOB", "x")
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let pid = i32::try_from(child.id()).expect("a pid");
    let mut status = 0;
    // SAFETY: waits for our own child; the status lives on this stack.
    let waited = unsafe { libc::waitpid(pid, &mut status, libc::WUNTRACED) };
    assert_eq!(waited, pid);
    assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGSTOP);
    // SAFETY: sends a signal to our own child, which has not ended.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGCONT) }, 0);
    let mut text = String::new();
    child
        .stdout
        .take()
        .expect("is piped")
        .read_to_string(&mut text)
        .expect("reads");
    assert_eq!(text, "job None\n");
    assert!(child.wait().expect("waits").success());
}

/// Here because the limit is the whole process's.
fn accepting_without_descriptors_waits_for_a_close() {
    let mut reactor = Reactor::new(ReactorConfig::default()).expect("a reactor");
    let any_port = "127.0.0.1:0".parse().expect("an address");
    let listener = reactor.listen_tcp(any_port, 16).expect("listens");
    let address = reactor
        .listener_address(listener)
        .expect("is bound")
        .to_string();
    let connect = || TcpStream::connect(&address).expect("connects");
    let clients = [connect(), connect()];

    let old = getrlimit(Resource::Nofile);
    // Descriptors are given out lowest first: this is the next one, and the last that is allowed.
    let next = clients[0].try_clone().expect("clones").as_raw_fd() as u64;
    let low = Rlimit {
        current: Some(next + 1),
        maximum: old.maximum,
    };
    setrlimit(Resource::Nofile, low).expect("lowers");

    let turn = |reactor: &mut Reactor| {
        let mut events = Vec::new();
        reactor
            .wait(Some(Instant::now()), &mut events)
            .expect("waits");
        events
    };
    let events = turn(&mut reactor);
    let [
        Event::Accepted { conn, .. },
        Event::AcceptFailed { error, .. },
    ] = &events[..]
    else {
        unreachable!("{events:?}")
    };
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    // The new connection's first write edge ends a wait, once.
    assert!(turn(&mut reactor).is_empty());
    // From then on there is nothing to say, and above all nothing to spin on.
    let mut ignored = Vec::new();
    let before = Instant::now();
    reactor
        .wait(Some(before + Duration::from_millis(20)), &mut ignored)
        .expect("waits");
    assert!(ignored.is_empty() && before.elapsed() >= Duration::from_millis(20));
    // Tried again after a while, and not said again.
    let later = Instant::now() + Duration::from_millis(150);
    while Instant::now() < later {
        reactor.wait(Some(later), &mut ignored).expect("waits");
        assert!(ignored.is_empty(), "{ignored:?}");
    }
    reactor.close(*conn);
    let events = turn(&mut reactor);
    assert!(matches!(events[..], [Event::Accepted { .. }]), "{events:?}");
    setrlimit(Resource::Nofile, old).expect("restores");
}
