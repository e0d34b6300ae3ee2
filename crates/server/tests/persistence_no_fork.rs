//! Saving and rewriting create no process: all system calls that could are traced from start to
//! end. Threads are fine. The same trace shows the forks of a real redis-server, so the check can
//! fail.

mod support;

use std::path::Path;
use support::{Directory, say, wait_for_info};
use testkit::{DEADLINE, Options, Server, peer, poll_until};

/// The calls in a trace that created a process, those cut in two by another thread's included.
fn created_processes(trace: &str) -> Vec<&str> {
    let creates = |line: &&str| {
        let call = line.split_whitespace().nth(1).unwrap_or_default();
        let name = call.split('(').next().unwrap_or_default();
        match name {
            "fork" | "vfork" => true,
            "clone" | "clone3" => !line.contains("CLONE_THREAD"),
            _ => false,
        }
    };
    trace.lines().filter(creates).collect()
}

/// Runs the server under strace (the machine's own, see `.ci/run`), saves and rewrites, and
/// returns the trace of its whole life.
fn trace_of_a_save_and_a_rewrite(options: Options) -> Option<String> {
    let strace = peer::program("strace")?;
    let directory = Directory::new();
    let trace = directory.file("trace");
    let trace_text = trace.display().to_string();
    // -D: strace becomes a process of its own beside the server, whose id and end are its own.
    let mut server = Server::start(
        &options
            .through(
                strace,
                &["-D", "-f", "-e", "trace=process", "-o", &trace_text],
            )
            .option("appendonly", "yes"),
    );
    let mut client = server.client();
    for number in 0..2000 {
        let number = number.to_string();
        client.command(&["SET", &format!("key:{number}"), &number]);
        client.command(&["RPUSH", "list", &number]);
    }
    assert_eq!(say(&mut client, &["BGSAVE"]), "Background saving started");
    wait_for_info(&mut client, "rdb_bgsave_in_progress", "0");
    wait_for_info(&mut client, "rdb_last_bgsave_status", "ok");
    let reply = say(&mut client, &["BGREWRITEAOF"]);
    assert_eq!(reply, "Background append only file rewriting started");
    wait_for_info(&mut client, "aof_rewrite_in_progress", "0");
    wait_for_info(&mut client, "aof_last_bgrewrite_status", "ok");
    assert_eq!(say(&mut client, &["SAVE"]), "OK");
    assert!(server.directory().join("dump.rdb").exists());
    let process_id = server.process_id();
    assert!(server.stop().success());
    Some(finished_trace(&trace, process_id))
}

/// strace writes on for a moment after the server's end.
fn finished_trace(path: &Path, process_id: u32) -> String {
    let mut trace = String::new();
    let end = format!("{process_id} +++ exited with 0 +++");
    poll_until(DEADLINE, "the trace ends with the server", || {
        trace = std::fs::read_to_string(path).unwrap_or_default();
        // The id is padded to five columns.
        trace
            .lines()
            .any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == end)
    });
    assert!(trace.contains("execve("), "{trace}");
    trace
}

#[test]
fn saves_and_rewrites_create_no_process() {
    if let Some(trace) = trace_of_a_save_and_a_rewrite(Options::redan()) {
        assert_eq!(created_processes(&trace), Vec::<&str>::new());
        assert!(
            trace.contains("CLONE_THREAD"),
            "threads are traced too:\n{trace}"
        );
    }
}

#[test]
fn the_trace_shows_the_forks_of_a_real_server() {
    let Some(reference) = Options::reference() else {
        return;
    };
    if let Some(trace) = trace_of_a_save_and_a_rewrite(reference) {
        assert_eq!(created_processes(&trace).len(), 2, "{trace}");
    }
}

#[test]
fn creating_calls_are_told_from_others() {
    let trace = "\
7 execve(\"/usr/bin/x\", [\"x\", \"fork(\"], 0x7ffe /* 35 vars */) = 0
7 clone3({flags=CLONE_VM|CLONE_THREAD|CLONE_SYSVSEM, exit_signal=0}, 88) = 12
12    clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD <unfinished ...>
12    <... clone resumed>, child_tidptr=0x7fb8) = 55
7     vfork() = 56
7     clone3({flags=CLONE_VFORK|CLONE_VM, exit_signal=SIGCHLD}, 88) = 57
7     wait4(-1, [], WNOHANG, NULL) = 55
7     exit_group(0) = ?
";
    let calls = created_processes(trace);
    assert_eq!(calls.len(), 3, "{calls:?}");
}
