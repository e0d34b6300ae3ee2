//! Each start option that concerns the process, and its effect seen from outside; and CONFIG SET of
//! those that can change while it runs.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use support::{Directory, connect, info, signal};
use testkit::{Connection, DEADLINE, Options, Server, free_port, poll_until, render};

fn say(client: &mut Connection, command: &[&str]) -> String {
    render(&client.command(command))
}

#[test]
fn a_unix_socket_may_be_the_only_way_in() {
    use std::io::{Read, Write};
    let directory = Directory::new();
    let path = directory.file("redis.sock");
    let args = [
        "--port",
        "0",
        "--unixsocket",
        "redis.sock",
        "--unixsocketperm",
        "700",
    ];
    let mut process = directory.start(&mut directory.redan(&args));
    poll_until(DEADLINE, "the socket is there", || {
        UnixStream::connect(&path).is_ok()
    });
    let mode = path.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let mut client = UnixStream::connect(&path).expect("connect");
    client.write_all(b"PING\r\n").expect("send");
    let mut reply = [0; 7];
    client.read_exact(&mut reply).expect("receive");
    assert_eq!(&reply, b"+PONG\r\n");
    assert!(
        directory
            .read("output.log")
            .contains("Ready to accept connections unix")
    );
    signal(process.id(), "TERM");
    assert!(process.wait().success());
    assert!(!path.exists());
}

#[test]
fn the_log_file_lies_in_dir_and_is_opened_anew_after_rotation() {
    let directory = Directory::new();
    let dir = directory.path().display().to_string();
    let options = Options::redan()
        .option("dir", &dir)
        .option("logfile", "redis.log");
    let server = Server::start(&options);
    assert!(directory.read("redis.log").contains("Server initialized"));
    std::fs::rename(directory.file("redis.log"), directory.file("redis.log.1")).expect("rotate");
    assert!(
        say(&mut server.client(), &["CONFIG", "REWRITE"])
            .starts_with("-ERR The server is running without")
    );
    assert!(
        directory
            .read("redis.log")
            .contains("CONFIG REWRITE failed")
    );
    assert!(
        !directory
            .read("redis.log.1")
            .contains("CONFIG REWRITE failed")
    );
}

#[test]
fn log_levels_choose_the_lines() {
    let silent = Server::start(&Options::redan().option("loglevel", "nothing"));
    assert_eq!(silent.log(), "");
    let verbose = Server::start(&Options::redan().option("loglevel", "verbose"));
    drop(verbose.client());
    poll_until(DEADLINE, "the client's end is logged", || {
        verbose.log().contains(" - Client closed connection id=")
    });
    assert!(verbose.log().contains(" - Accepted 127.0.0.1:"));
    let mut client = verbose.client();
    assert_eq!(
        say(&mut client, &["CONFIG", "SET", "loglevel", "warning"]),
        "OK"
    );
    let before = verbose.log();
    drop(verbose.client());
    assert_eq!(say(&mut client, &["PING"]), "PONG");
    assert_eq!(verbose.log(), before);
}

#[test]
fn systemd_is_told_of_loading_readiness_and_stopping() {
    let directory = Directory::new();
    let socket = UnixDatagram::bind(directory.file("notify")).expect("bind");
    socket.set_read_timeout(Some(DEADLINE)).expect("not zero");
    let receive = || {
        let mut bytes = [0; 512];
        let count = socket.recv(&mut bytes).expect("a message from the server");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };
    for mode in ["systemd", "auto"] {
        let port = free_port();
        // A supervised server stays in the foreground.
        let args = [
            "--port",
            &port.to_string(),
            "--supervised",
            mode,
            "--daemonize",
            "yes",
        ];
        let mut command = directory.redan(&args);
        let mut process = directory.start(command.env("NOTIFY_SOCKET", directory.file("notify")));
        assert!(receive().starts_with("STATUS="));
        assert!(receive().contains("READY=1\n"));
        assert_eq!(info(&mut connect(port), "process_supervised"), "systemd");
        signal(process.id(), "TERM");
        assert_eq!(receive(), "STOPPING=1\n");
        assert!(process.wait().success());
    }
}

#[test]
fn without_a_supervisor_asking_for_one_is_a_warning() {
    let directory = Directory::new();
    for (mode, warning) in [
        ("systemd", "NOTIFY_SOCKET not found"),
        ("upstart", "UPSTART_JOB not found"),
        ("auto", ""),
    ] {
        let port = free_port();
        let mut command = directory.redan(&["--port", &port.to_string(), "--supervised", mode]);
        command
            .env_remove("NOTIFY_SOCKET")
            .env_remove("UPSTART_JOB");
        let _process = directory.start(&mut command);
        assert_eq!(info(&mut connect(port), "process_supervised"), "no");
        assert!(directory.read("output.log").contains(warning), "{mode}");
    }
}

#[test]
fn a_backlog_beyond_the_kernels_limit_is_a_warning() {
    let server = Server::start(&Options::redan().option("tcp-backlog", "2000000000"));
    let warning = "WARNING: The TCP backlog setting of 2000000000 cannot be enforced because /proc/sys/net/core/somaxconn";
    assert!(server.log().contains(warning), "{}", server.log());
}

#[test]
fn clients_beyond_maxclients_are_told_and_counted() {
    let server = Server::start(&Options::redan());
    let mut client = server.client();
    poll_until(DEADLINE, "the other clients are gone", || {
        info(&mut client, "connected_clients") == "1"
    });
    assert_eq!(
        say(&mut client, &["CONFIG", "SET", "maxclients", "2"]),
        "OK"
    );
    let mut second = server.client();
    assert_eq!(say(&mut second, &["PING"]), "PONG");
    let mut third = server.client();
    assert_eq!(
        render(&third.receive()),
        "-ERR max number of clients reached"
    );
    assert_eq!(third.try_receive(), None);
    assert_eq!(info(&mut client, "rejected_connections"), "1");
    drop(second);
    poll_until(DEADLINE, "there is room again", || {
        info(&mut client, "connected_clients") == "1"
    });
    assert_eq!(say(&mut server.client(), &["PING"]), "PONG");
}

#[test]
fn the_title_shows_the_program_and_where_it_listens() {
    let title = |server: &Server| {
        let path = format!("/proc/{}/cmdline", server.process_id());
        let bytes = std::fs::read(path).expect("it runs");
        String::from_utf8_lossy(&bytes)
            .trim_end_matches('\0')
            .to_string()
    };
    let server = Server::start(&Options::redan());
    let shown = format!("redan server 127.0.0.1:{}", server.port());
    assert!(title(&server).ends_with(&shown), "{}", title(&server));
    let template = "mine {port} {listen-addr}";
    assert_eq!(
        say(
            &mut server.client(),
            &["CONFIG", "SET", "proc-title-template", template]
        ),
        "OK"
    );
    assert_eq!(
        title(&server),
        format!("mine {0} 127.0.0.1:{0}", server.port())
    );
}

#[test]
fn the_port_moves_or_stays_whole() {
    let server = Server::start(&Options::redan());
    let mut client = server.client();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken_port = taken.local_addr().expect("bound").port().to_string();
    let reply = say(&mut client, &["CONFIG", "SET", "port", &taken_port]);
    let refusal = "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.";
    assert_eq!(reply, refusal);
    assert_eq!(say(&mut server.client(), &["PING"]), "PONG");
    // One option that fails takes the others back with it.
    let other = free_port().to_string();
    let reply = say(
        &mut client,
        &["CONFIG", "SET", "port", &other, "maxclients", "4000000000"],
    );
    assert!(
        reply.contains("(possibly related to argument 'maxclients')"),
        "{reply}"
    );
    assert_eq!(say(&mut server.client(), &["PING"]), "PONG");
    assert_eq!(say(&mut client, &["CONFIG", "SET", "port", &other]), "OK");
    assert_eq!(
        say(
            &mut Connection::open(other.parse().expect("a port")),
            &["PING"]
        ),
        "PONG"
    );
    assert!(std::net::TcpStream::connect(("127.0.0.1", server.port())).is_err());
    assert_eq!(info(&mut client, "tcp_port"), other);
}

#[test]
fn bind_changes_or_stays_whole() {
    let server = Server::start(&Options::redan());
    let mut client = server.client();
    let reply = say(&mut client, &["CONFIG", "SET", "bind", "192.0.2.1"]);
    assert!(
        reply.ends_with("Failed to bind to specified addresses."),
        "{reply}"
    );
    assert_eq!(say(&mut server.client(), &["PING"]), "PONG");
    assert_eq!(
        say(&mut client, &["CONFIG", "GET", "bind"]),
        r#"["bind", "127.0.0.1"]"#
    );
    assert_eq!(
        say(&mut client, &["CONFIG", "SET", "bind", "127.0.0.2"]),
        "OK"
    );
    assert!(std::net::TcpStream::connect(("127.0.0.1", server.port())).is_err());
    assert!(std::net::TcpStream::connect(("127.0.0.2", server.port())).is_ok());
}

#[test]
fn dir_is_shown_as_the_place_it_led_to() {
    let directory = Directory::new();
    std::fs::create_dir(directory.file("data")).expect("create a directory");
    let server = Server::start(&Options::redan().option("enable-protected-configs", "yes"));
    let mut client = server.client();
    let roundabout = format!("{}/data/../data", directory.path().display());
    assert_eq!(
        say(&mut client, &["CONFIG", "SET", "dir", &roundabout]),
        "OK"
    );
    let shown = format!(r#"["dir", "{}"]"#, directory.file("data").display());
    assert_eq!(say(&mut client, &["CONFIG", "GET", "dir"]), shown);
    let reply = say(
        &mut client,
        &["CONFIG", "SET", "dir", "/nonexistent-directory"],
    );
    assert!(reply.contains("No such file or directory"), "{reply}");
    assert_eq!(say(&mut client, &["CONFIG", "GET", "dir"]), shown);
}

#[test]
fn idle_clients_are_closed_after_timeout() {
    let server = Server::start(&Options::redan().option("timeout", "1"));
    let mut client = server.client();
    assert_eq!(say(&mut client, &["PING"]), "PONG");
    assert_eq!(client.try_receive(), None);
}

#[test]
fn commands_are_renamed_and_taken_away() {
    let config =
        "rename-command FLUSHALL \"really-flushall\"\nrename-command CONFIG \"\"\ndatabases 2\n";
    let server = Server::start(&Options::redan().config(config));
    let mut client = server.client();
    assert!(
        say(&mut client, &["CONFIG", "GET", "port"]).starts_with("-ERR unknown command 'CONFIG'")
    );
    assert!(say(&mut client, &["FLUSHALL"]).starts_with("-ERR unknown command 'FLUSHALL'"));
    assert_eq!(say(&mut client, &["Really-FlushAll"]), "OK");
    assert_eq!(say(&mut client, &["SELECT", "1"]), "OK");
    assert_eq!(
        say(&mut client, &["SELECT", "2"]),
        "-ERR DB index is out of range"
    );
}

#[test]
fn a_crash_reports_itself_with_the_servers_state() {
    let mut server = Server::start(&Options::redan().option("enable-debug-command", "yes"));
    let mut client = server.client();
    assert_eq!(say(&mut client, &["PING"]), "PONG");
    client.send(&["DEBUG", "SEGFAULT"]);
    assert_eq!(client.try_receive(), None);
    assert!(!server.wait_for_exit().success());
    let log = server.log();
    for text in ["crashed by signal: 11", "redis_version:7.4.", "# Keyspace"] {
        assert!(log.contains(text), "{text} in {log}");
    }
}
