//! Starting, stopping and observing server processes, tried on a real redis-server.
//!
//! The same calls against our own server are made by the process tests of `crates/redan`.

use std::io::{BufRead, BufReader, Write};

use testkit::{DEADLINE, Options, Server, poll_until};

fn is_running(process_id: u32) -> bool {
    std::path::Path::new(&format!("/proc/{process_id}")).exists()
}

#[test]
fn a_started_server_answers_and_is_gone_after_the_drop() {
    let Some(options) = Options::reference() else {
        return;
    };
    let server = Server::start(&options);
    let (process_id, directory) = (server.process_id(), server.directory().to_path_buf());
    let mut socket = server.socket();
    socket.write_all(b"PING\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    assert_eq!(line, "+PONG\r\n");
    assert!(is_running(process_id));
    drop(server);
    assert!(!is_running(process_id));
    assert!(!directory.exists());
}

#[test]
fn a_connection_pipelines_and_notices_the_end() {
    let Some(options) = Options::reference() else {
        return;
    };
    let mut server = Server::start(&options);
    let mut client = server.client();
    for number in ["1", "2", "3"] {
        client.send(&["ECHO", number]);
    }
    for number in ["1", "2", "3"] {
        assert_eq!(client.receive().as_str(), Some(number));
    }
    server.kill();
    assert_eq!(client.try_receive(), None);
}

#[test]
fn a_server_is_killed_when_its_test_panics() {
    let Some(options) = Options::reference() else {
        return;
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    let outcome = std::thread::spawn(move || {
        let server = Server::start(&options);
        sender.send(server.process_id()).unwrap();
        panic!("as a failing test does");
    });
    assert!(outcome.join().is_err());
    assert!(!is_running(receiver.recv().unwrap()));
}

#[test]
fn options_and_configuration_reach_the_server_and_its_log_is_captured() {
    let Some(options) = Options::reference() else {
        return;
    };
    let options = options
        .config("databases 3\nrequirepass secret\n")
        .option("loglevel", "verbose");
    let server = Server::start(&options);
    let mut client = server.client();
    assert_eq!(testkit::render(&client.command(&["AUTH", "secret"])), "OK");
    for (name, value) in [("databases", "3"), ("loglevel", "verbose")] {
        let reply = client.command(&["CONFIG", "GET", name]);
        assert_eq!(
            testkit::render(&reply),
            format!("[\"{name}\", \"{value}\"]")
        );
    }
    poll_until(DEADLINE, "the log mentions the client", || {
        server.log().contains("Accepted")
    });
}

#[test]
fn stopping_is_an_orderly_shutdown_and_killing_is_not() {
    let Some(options) = Options::reference() else {
        return;
    };
    let mut stopped = Server::start(&options);
    assert!(stopped.stop().success());
    assert!(stopped.log().contains("bye bye"));
    let mut killed = Server::start(&options);
    killed.kill();
    assert!(!killed.wait_for_exit().success());
    assert!(!killed.log().contains("bye bye"));
}

#[test]
fn a_refused_start_yields_the_status_and_the_reason() {
    let Some(options) = Options::reference() else {
        return;
    };
    let (status, log) = Server::refusal(&options.option("no-such-option", "1"));
    assert!(!status.success());
    assert!(log.contains("no-such-option"), "{log}");
}
