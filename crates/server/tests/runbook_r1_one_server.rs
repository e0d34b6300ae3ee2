//! Runbook R1, one server: what operators type to start, ask and stop a server, and what they see.

mod support;

use std::process::{Command, Stdio};
use support::{Directory, connect, info, signal};
use testkit::{DEADLINE, Options, Server, free_port, peer, poll_until, render};

#[test]
fn a_daemon_is_started_from_an_operators_file_and_shut_down() {
    let directory = Directory::new();
    let port = free_port();
    let config = directory.write(
        "6379.conf",
        &format!(
            "bind 127.0.0.1 -::1\nport {port}\ndaemonize yes\npidfile \"{dir}/redis.pid\"\nlogfile 'redis.log'\n\
             dir {dir}\nrequirepass 123456\nmasterauth 123456\nprotected-mode no\nappendonly yes\n\
             cluster-enabled yes\ncluster-config-file nodes-6379.conf\ncluster-node-timeout 15000\n\
             cluster-require-full-coverage no\nslave-read-only yes\nhash-max-ziplist-entries 512\n",
            dir = directory.path().display()
        ),
    );
    let started = directory.run(&[&config]);
    assert!(started.status.success(), "{started:?}");
    assert!(
        started.stdout.is_empty() && started.stderr.is_empty(),
        "{started:?}"
    );
    let mut client = connect(port);
    assert!(render(&client.command(&["PING"])).starts_with("-NOAUTH"));
    assert_eq!(render(&client.command(&["AUTH", "123456"])), "OK");
    let process_id = info(&mut client, "process_id");
    assert_eq!(directory.read("redis.pid"), format!("{process_id}\n"));
    assert_eq!(info(&mut client, "config_file"), config);
    let log = directory.read("redis.log");
    assert_eq!(log.matches("'cluster-enabled'").count(), 1, "{log}");
    assert!(log.contains("Creating AOF base file"), "{log}");
    assert!(
        log.contains("Configuration loaded") && log.contains("Ready to accept connections tcp"),
        "{log}"
    );
    client.send(&["SHUTDOWN", "NOSAVE"]);
    assert_eq!(client.try_receive(), None);
    poll_until(DEADLINE, "the daemon has said goodbye", || {
        directory
            .read("redis.log")
            .contains("Redis is now ready to exit, bye bye...")
    });
    assert!(!directory.file("redis.pid").exists());
}

#[test]
fn options_come_from_the_command_line() {
    let directory = Directory::new();
    let port = free_port();
    let port_text = port.to_string();
    let mut command = directory.redan(&["--port", &port_text, "--appendonly", "yes"]);
    let mut process = directory.start(&mut command);
    assert_eq!(render(&connect(port).command(&["PING"])), "PONG");
    let log = directory.read("output.log");
    assert_eq!(log.matches("Creating AOF base file").count(), 1, "{log}");
    signal(process.id(), "TERM");
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn a_file_comes_from_standard_input() {
    let directory = Directory::new();
    let port = free_port();
    directory.write("file", &format!("port {port}\nmaxmemory 128mb\n"));
    let file = std::fs::File::open(directory.file("file")).expect("it is there");
    let _process = directory.start(directory.redan(&["-"]).stdin(Stdio::from(file)));
    let mut client = connect(port);
    assert_eq!(
        render(&client.command(&["CONFIG", "GET", "maxmemory"])),
        r#"["maxmemory", "134217728"]"#
    );
}

#[test]
fn terminating_signals_end_the_process_with_status_0_and_a_word_in_the_log() {
    for name in ["TERM", "INT"] {
        let mut server = Server::start(&Options::redan());
        server.signal(name);
        assert_eq!(server.wait_for_exit().code(), Some(0));
        let log = server.log();
        for text in [
            &format!("# Received SIG{name} scheduling shutdown..."),
            "* User requested shutdown...",
            "# Redis is now ready to exit, bye bye...",
        ] {
            assert!(log.contains(text), "{text} in {log}");
        }
    }
}

#[test]
fn the_command_line_client_sees_what_health_scripts_expect() {
    let Some(cli) = peer::program("redis-cli") else {
        return;
    };
    let mut server = Server::start(&Options::redan().option("requirepass", "PASS"));
    let port = server.port().to_string();
    let ask = |args: &[&str]| {
        let output = Command::new(&cli).args(["-p", &port]).args(args).output();
        String::from_utf8_lossy(&output.expect("redis-cli runs").stdout).into_owned()
    };
    assert_eq!(ask(&["-a", "PASS", "PING"]), "PONG\n");
    assert!(ask(&["PING"]).starts_with("NOAUTH Authentication required."));
    let text = ask(&["-a", "PASS", "info"]);
    let versions: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("version"))
        .collect();
    assert!(
        versions
            .iter()
            .any(|line| line.starts_with("redis_version:7.4.")),
        "{versions:?}"
    );
    assert_eq!(ask(&["-a", "PASS", "shutdown"]), "");
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

/// Test tools and supervisors wait for these, in this order.
#[test]
fn the_log_tells_the_start_in_the_known_lines_and_order() {
    let server = Server::start(&Options::redan().option("always-show-logo", "yes"));
    let log = server.log();
    let mut rest = log.as_str();
    for text in [
        ":C ",
        " * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo",
        " * Redis version=7.4.",
        ", just started",
        " * Configuration loaded",
        ":M ",
        " * monotonic clock: ",
        &format!(" PID: {}", server.process_id()),
        " * Server initialized",
        " * Ready to accept connections tcp",
    ] {
        let at = rest.find(text).unwrap_or_else(|| panic!("{text} in {log}"));
        rest = &rest[at + text.len()..];
    }
    let plain = Server::start(&Options::redan());
    let line = format!("* Running mode=standalone, port={}.", plain.port());
    assert!(plain.log().contains(&line), "{}", plain.log());
}
