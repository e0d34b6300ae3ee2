//! What stops a start: the reason, with file and line where there is one, and exit status 1.

mod support;

use std::net::TcpListener;
use support::Directory;
use testkit::{Options, Server};

/// Starts with a file of these lines; returns what standard error said.
fn refused(directory: &Directory, text: &str) -> String {
    let config = directory.write("test.conf", text);
    let output = directory.run(&[&config]);
    assert_eq!(output.status.code(), Some(1), "{text}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_bad_line_is_named_with_its_file_and_the_reason() {
    let directory = Directory::new();
    for (line, reason) in [
        (
            "port 70000",
            "argument must be between 0 and 65535 inclusive",
        ),
        ("nonsense 1", "Bad directive or wrong number of arguments"),
        ("daemonize maybe", "argument must be 'yes' or 'no'"),
        ("logfile \"half", "Unbalanced quotes in configuration line"),
        ("dir /nonexistent-directory", "No such file or directory"),
        (
            "rename-command NOSUCH other",
            "No such command in rename-command",
        ),
        (
            "rename-command GET SET",
            "Target command name already exists",
        ),
        (
            "include /nonexistent.conf",
            "Fatal error, can't open config file '/nonexistent.conf': No such file or directory",
        ),
    ] {
        let error = refused(&directory, &format!("# a comment\n\n{line}\n"));
        let expected =
            format!("Reading the configuration file, at line 3\n>>> '{line}'\n{reason}\n");
        assert!(error.contains(&expected), "{line}: {error}");
        assert!(
            error.contains("FATAL CONFIG FILE ERROR") && error.contains("test.conf'"),
            "{error}"
        );
    }
}

#[test]
fn an_error_in_an_included_file_names_that_file() {
    let directory = Directory::new();
    std::fs::create_dir(directory.file("parts")).expect("create a directory");
    directory.write("parts/a.conf", "hz 20\n");
    directory.write("parts/b.conf", "\nhz many\n");
    let error = refused(&directory, "include parts/*.conf\n");
    assert!(error.contains("at line 2\n>>> 'hz many'"), "{error}");
    assert!(error.contains("parts/b.conf'"), "{error}");
}

#[test]
fn what_cannot_be_opened_is_named() {
    let directory = Directory::new();
    let missing = directory.run(&["/nonexistent.conf"]);
    assert_eq!(missing.status.code(), Some(1));
    let error = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(
        error.contains(
            "Fatal error, can't open config file '/nonexistent.conf': No such file or directory"
        ),
        "{error}"
    );
    let error = refused(&directory, "logfile /nonexistent-directory/log\n");
    assert!(
        error.contains("Can't open the log file: No such file or directory"),
        "{error}"
    );
    let sentinel = directory.run(&["--sentinel"]);
    assert_eq!(sentinel.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&sentinel.stderr).contains("not built"));
}

#[test]
fn a_port_in_use_is_reported_in_the_words_that_tools_look_for() {
    let directory = Directory::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port();
    let output = directory.run(&["--bind", "127.0.0.1", "--port", &port.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    for text in [
        format!(
            "Could not create server TCP listening socket 127.0.0.1:{port}: bind: Address already in use"
        ),
        format!("Failed listening on port {port} (tcp), aborting."),
    ] {
        assert!(log.contains(&text), "{text} in {log}");
    }
}

#[test]
fn an_absent_address_stops_the_start_unless_it_is_optional() {
    // 192.0.2.0/24 is reserved for documentation; no machine has it.
    let (status, log) = Server::refusal(&Options::redan().option("bind", "192.0.2.1"));
    assert_eq!(status.code(), Some(1));
    assert!(
        log.contains("bind: Cannot assign requested address"),
        "{log}"
    );
    let server = Server::start(&Options::redan().option("bind", "127.0.0.1 -192.0.2.1"));
    assert!(
        server
            .log()
            .contains("Could not create server TCP listening socket 192.0.2.1:")
    );
}

#[test]
fn listening_nowhere_is_no_start() {
    let output = Directory::new().run(&["--port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        log.contains("Configured to not listen anywhere, exiting."),
        "{log}"
    );
}

#[test]
fn version_and_help_are_answered_without_a_start() {
    let directory = Directory::new();
    for (arg, text) in [
        ("--version", "Redis server v=7.4."),
        ("-v", "malloc=jemalloc-"),
        ("--help", "Usage: "),
    ] {
        let output = directory.run(&[arg]);
        assert!(output.status.success());
        assert!(
            String::from_utf8_lossy(&output.stdout).contains(text),
            "{output:?}"
        );
    }
}
