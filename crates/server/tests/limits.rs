//! What clients may cost: idle ones, slow ones, ones that never read, huge values, and pipelines
//! whose sender is gone. Nobody costs more than the limits, and nothing is kept afterwards.
//!
//! `REDAN_TEST_VALUE_MB` sets the size of the huge value (64 by default, so that CI stays quick;
//! the largest that the protocol allows is 512).

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use support::{info, info_number};
use testkit::{Connection, DEADLINE, Options, Server, poll_until, render};

fn say(client: &mut Connection, command: &[&str]) -> String {
    render(&client.command(command))
}

fn resident_bytes(server: &Server) -> u64 {
    let path = format!("/proc/{}/statm", server.process_id());
    let statm = std::fs::read_to_string(path).expect("it runs");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a count of pages") * 4096
}

fn wait_for_clients(client: &mut Connection, count: usize) {
    let count = count.to_string();
    poll_until(DEADLINE, "the clients have come or gone", || {
        info(client, "connected_clients") == count
    });
}

/// As many connections as this process may open, 10,000 if it can.
fn affordable_connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    10_000.min(soft.unwrap_or(1024usize).saturating_sub(200))
}

#[test]
fn ten_thousand_idle_connections_cost_4_kb_each() {
    let count = affordable_connections();
    let server = Server::start(&Options::redan().option("maxclients", "11000"));
    let mut client = server.client();
    wait_for_clients(&mut client, 1);
    let before = resident_bytes(&server);
    let mut idle: Vec<TcpStream> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut socket = server.socket();
        socket.write_all(b"PING\r\n").expect("send");
        idle.push(socket);
    }
    for socket in &mut idle {
        let mut reply = [0; 7];
        socket.read_exact(&mut reply).expect("receive");
    }
    wait_for_clients(&mut client, count + 1);
    let grown = resident_bytes(&server).saturating_sub(before);
    let allowed = count as u64 * 4096;
    assert!(
        grown <= allowed,
        "{count} idle connections cost {grown} bytes, more than {allowed}"
    );
    drop(idle);
    wait_for_clients(&mut client, 1);
}

#[test]
fn unfinished_requests_cost_what_was_sent_not_what_was_announced() {
    const CLIENTS: usize = 200;
    let server = Server::start(&Options::redan());
    let mut client = server.client();
    wait_for_clients(&mut client, 1);
    let before = (
        info_number(&mut client, "used_memory"),
        resident_bytes(&server),
    );
    let slow: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut socket = server.socket();
            // One byte at a time, as from a client that sends one a second; 512 MB announced.
            for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nx" {
                socket.write_all(&[*byte]).expect("send");
            }
            socket
        })
        .collect();
    wait_for_clients(&mut client, CLIENTS + 1);
    // A megabyte of room may be set aside for each, on the strength of its announcement, but it is
    // not touched before it is needed.
    let reserved = info_number(&mut client, "used_memory").saturating_sub(before.0);
    assert!(
        reserved <= CLIENTS as u64 * (1100 << 10),
        "{CLIENTS} slow clients reserve {reserved} bytes"
    );
    let touched = resident_bytes(&server).saturating_sub(before.1);
    assert!(
        touched <= CLIENTS as u64 * (32 << 10),
        "{CLIENTS} slow clients cost {touched} bytes"
    );
    drop(slow);
    wait_for_clients(&mut client, 1);
}

#[test]
fn a_client_that_never_reads_is_cut_off_at_its_limit() {
    let limits = "normal 1mb 0 0";
    let server = Server::start(&Options::redan().option("client-output-buffer-limit", limits));
    let mut client = server.client();
    let value = "x".repeat(100_000);
    assert_eq!(say(&mut client, &["SET", "k", &value]), "OK");
    let before = info_number(&mut client, "used_memory");
    let mut deaf = server.socket();
    let request = b"GET k\r\n".repeat(1000);
    // 100 MB of replies; the server closes long before, perhaps while we are still sending.
    let _ = deaf.write_all(&request);
    poll_until(DEADLINE, "the client is closed", || {
        info_number(&mut client, "client_output_buffer_limit_disconnections") == 1
    });
    wait_for_clients(&mut client, 1);
    let peak_growth = info_number(&mut client, "used_memory").saturating_sub(before);
    assert!(peak_growth < 4 << 20, "{peak_growth} bytes are left");
}

#[test]
fn a_huge_value_makes_the_round_trip() {
    let megabytes = std::env::var("REDAN_TEST_VALUE_MB")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(64usize);
    let server = Server::start(&Options::redan());
    let mut client = server.client();
    let value: Vec<u8> = (0..megabytes << 20).map(|i| (i % 251) as u8).collect();
    assert_eq!(render(&client.command(&[&b"SET"[..], b"k", &value])), "OK");
    let resp::Value::Bulk(back) = client.command(&["GET", "k"]) else {
        panic!("GET of a string is a bulk reply");
    };
    assert!(back == value, "{} bytes came back changed", back.len());
    assert_eq!(say(&mut client, &["DEL", "k"]), "1");
}

#[test]
fn values_beyond_the_limit_are_refused() {
    let server = Server::start(&Options::redan().option("proto-max-bulk-len", "1mb"));
    let mut client = server.client();
    let too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    assert_eq!(
        say(&mut client, &["SETRANGE", "k", "1048570", "too long"]),
        too_long
    );
    let half = "x".repeat(600_000);
    assert_eq!(say(&mut client, &["APPEND", "k", &half]), "600000");
    assert_eq!(say(&mut client, &["APPEND", "k", &half]), too_long);
    client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n");
    assert_eq!(
        render(&client.receive()),
        "-ERR Protocol error: invalid bulk length"
    );
    assert_eq!(client.try_receive(), None);
}

#[test]
fn a_deep_pipeline_whose_sender_is_gone_is_forgotten() {
    let server = Server::start(&Options::redan());
    let mut client = server.client();
    wait_for_clients(&mut client, 1);
    for _ in 0..5 {
        let mut gone = server.socket();
        let _ = gone.write_all(&b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n".repeat(50_000));
    }
    wait_for_clients(&mut client, 1);
    assert_eq!(say(&mut client, &["PING"]), "PONG");
    let count: u64 = say(&mut client, &["GET", "n"])
        .trim_matches('"')
        .parse()
        .unwrap_or(0);
    assert!(count <= 250_000);
}
