//! The client against a listener thread that plays a script: expect these bytes, send those.

use crate::{Client, ClientError, Operation, Timeouts, encode_command};
use resp::{DecoderLimits, Value};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

enum Act {
    Expect(&'static [u8]),
    Send(&'static [u8]),
    /// Reads on until the client has closed.
    AwaitClose,
}

fn play(mut stream: impl Read + Write, script: Vec<Act>) {
    for act in script {
        match act {
            Act::Expect(bytes) => {
                let mut got = vec![0; bytes.len()];
                stream.read_exact(&mut got).expect("the client sends");
                assert_eq!(
                    got.escape_ascii().to_string(),
                    bytes.escape_ascii().to_string()
                );
            }
            Act::Send(bytes) => stream.write_all(bytes).expect("the client receives"),
            Act::AwaitClose => {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).expect("the client closes");
                assert_eq!(rest, b"");
            }
        }
    }
}

fn server(script: Vec<Act>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("bound");
    let thread = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        play(stream, script);
    });
    (addr, thread)
}

fn check(script: Vec<Act>, talk: impl FnOnce(&mut Client)) {
    let (addr, thread) = server(script);
    let mut client = Client::connect_tcp(addr, Timeouts::all(PATIENCE)).expect("connects");
    talk(&mut client);
    drop(client);
    thread.join().expect("the script was followed");
}

fn simple(text: &str) -> Value {
    Value::Simple(text.as_bytes().to_vec())
}

#[test]
fn a_command_is_sent_as_bulk_strings_and_its_reply_returned() {
    let script = vec![
        Act::Expect(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\r\n\r\n"),
        Act::Send(b"+OK\r\n"),
        Act::AwaitClose,
    ];
    check(script, |client| {
        let reply = client.command(&["SET", "k", "a\r\n"]);
        assert_eq!(reply.expect("a reply"), simple("OK"));
    });
}

#[test]
fn arguments_may_be_any_bytes_and_none_at_all() {
    let mut out = Vec::new();
    encode_command(&mut out, &[b"\x00\xff".as_slice(), b""]);
    assert_eq!(out, b"*2\r\n$2\r\n\x00\xff\r\n$0\r\n\r\n");
    out.clear();
    encode_command::<&str>(&mut out, &[]);
    assert_eq!(out, b"*0\r\n");
}

#[test]
fn replies_split_anywhere_are_put_together() {
    let script = vec![
        Act::Expect(b"*1\r\n$1\r\nA\r\n"),
        Act::Send(b"*2\r\n$3\r\na"),
        Act::Expect(b"*1\r\n$1\r\nB\r\n"),
        Act::Send(b"bc\r\n:1"),
        Act::Expect(b"*1\r\n$1\r\nC\r\n"),
        Act::Send(b"7\r\n"),
        Act::AwaitClose,
    ];
    check(script, |client| {
        ["A", "B", "C"].iter().for_each(|name| {
            client.send(&[name]).expect("sends");
        });
        let expected = Value::Array(vec![Value::Bulk(b"abc".to_vec()), Value::Integer(17)]);
        assert_eq!(client.receive().expect("a reply"), expected);
    });
}

#[test]
fn a_pipeline_returns_its_replies_in_order() {
    let script = vec![
        Act::Expect(b"*1\r\n$1\r\nA\r\n*2\r\n$1\r\nB\r\n$1\r\nx\r\n"),
        Act::Send(b":1\r\n-ERR no\r\n"),
        Act::AwaitClose,
    ];
    check(script, |client| {
        let replies = client.pipeline(&[vec!["A"], vec!["B", "x"]]);
        let expected = vec![Value::Integer(1), Value::Error(b"ERR no".to_vec())];
        assert_eq!(replies.expect("two replies"), expected);
    });
}

#[test]
fn pushes_do_not_pass_for_replies_and_are_kept_in_order() {
    let script = vec![
        Act::Expect(b"*1\r\n$4\r\nPING\r\n"),
        Act::Send(b">1\r\n:1\r\n>1\r\n:2\r\n+PONG\r\n>1\r\n:3\r\n"),
        Act::AwaitClose,
    ];
    check(script, |client| {
        assert_eq!(client.command(&["PING"]).expect("a reply"), simple("PONG"));
        let push = |number| Value::Push(vec![Value::Integer(number)]);
        assert_eq!(client.receive().expect("set aside"), push(1));
        assert_eq!(client.take_pushes(), vec![push(2)]);
        assert_eq!(client.receive().expect("from the socket"), push(3));
    });
}

#[test]
fn an_error_reply_is_a_value_or_an_error_as_the_caller_wants() {
    let request = b"*1\r\n$1\r\nX\r\n";
    let script = vec![
        Act::Expect(request),
        Act::Send(b"-WRONGTYPE a\r\n"),
        Act::Expect(request),
        Act::Send(b"-WRONGTYPE b\r\n"),
        Act::AwaitClose,
    ];
    check(script, |client| {
        let value = client.command(&["X"]).expect("a reply");
        assert!(value.is_error());
        let error = client.command_ok(&["X"]).expect_err("an error");
        assert_eq!(error.to_string(), "server replied: WRONGTYPE b");
    });
}

#[test]
fn raw_bytes_go_out_and_come_in_unchanged() {
    let script = vec![
        Act::Expect(b"*1\r\n$-5\r\n"),
        Act::Send(b"-ERR Protocol error\r\nleft over"),
    ];
    check(script, |client| {
        client.write_raw(b"*1\r\n$-5\r\n").expect("sends");
        assert!(client.receive().expect("an error reply").is_error());
        let mut rest = Vec::new();
        loop {
            let bytes = client.read_raw().expect("reads");
            if bytes.is_empty() {
                break;
            }
            rest.extend(bytes);
        }
        assert_eq!(rest, b"left over");
    });
}

#[test]
fn replies_still_come_after_the_sending_side_was_closed() {
    let script = vec![
        Act::Expect(b"PING\r\n"),
        Act::AwaitClose,
        Act::Send(b"+PONG\r\n"),
    ];
    check(script, |client| {
        client.write_raw(b"PING\r\n").expect("sends");
        client.close_write().expect("half closes");
        assert_eq!(client.receive().expect("a reply"), simple("PONG"));
    });
}

#[test]
fn a_closed_connection_tells_whether_a_reply_was_cut() {
    check(vec![Act::Send(b"+OK\r\n")], |client| {
        assert_eq!(client.receive().expect("a reply"), simple("OK"));
        let error = client.receive().expect_err("closed");
        assert!(matches!(
            error,
            ClientError::Closed {
                is_mid_reply: false
            }
        ));
        assert!(error.is_disconnected());
    });
    check(vec![Act::Send(b"$5\r\nab")], |client| {
        let error = client.receive().expect_err("cut");
        assert!(matches!(error, ClientError::Closed { is_mid_reply: true }));
    });
}

#[test]
fn a_timeout_loses_nothing_of_a_reply_that_comes_in_pieces() {
    let script = vec![
        Act::Send(b"$5\r\nab"),
        Act::Expect(b"*1\r\n$2\r\nGO\r\n"),
        Act::Send(b"cde\r\n"),
        Act::AwaitClose,
    ];
    check(script, |client| {
        client.set_timeout(Some(Duration::ZERO)).expect("sets");
        let error = client.receive().expect_err("nothing comes");
        assert!(error.is_timeout());
        assert!(error.to_string().starts_with("read from 127.0.0.1:"));
        assert!(error.to_string().ends_with(": timed out"));
        client.set_timeout(Some(PATIENCE)).expect("sets");
        client.send(&["GO"]).expect("sends");
        let reply = client.receive().expect("the whole");
        assert_eq!(reply, Value::Bulk(b"abcde".to_vec()));
    });
}

#[test]
fn what_is_not_resp_or_too_big_is_an_error() {
    check(vec![Act::Send(b"HTTP/1.1 200 OK\r\n")], |client| {
        let error = client.receive().expect_err("not RESP");
        assert!(matches!(error, ClientError::Decode(_)));
        assert!(error.to_string().starts_with("decode reply: "));
    });
    check(vec![Act::Send(b"$100\r\n")], |client| {
        client.set_limits(DecoderLimits {
            bulk_max: 99,
            ..DecoderLimits::default()
        });
        let error = client.receive().expect_err("too big");
        assert!(matches!(error, ClientError::Decode(_)));
    });
}

#[test]
fn a_refused_connection_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("bound");
    drop(listener);
    let error = Client::connect_tcp(addr, Timeouts::all(PATIENCE)).err();
    let error = error.expect("nobody listens");
    assert!(error.is_disconnected());
    assert!(
        error
            .to_string()
            .starts_with(&format!("connect to {addr}: "))
    );
    let none: [SocketAddr; 0] = [];
    let error = Client::connect_tcp(none.as_slice(), Timeouts::default()).err();
    assert!(matches!(
        error,
        Some(ClientError::Io {
            operation: Operation::Resolve,
            ..
        })
    ));
}

#[test]
fn a_unix_socket_serves_as_well() {
    let name = format!("redan-client-test-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let listener = UnixListener::bind(&path).expect("a free path");
    let script = vec![
        Act::Expect(b"*1\r\n$4\r\nPING\r\n"),
        Act::Send(b"+PONG\r\n"),
        Act::AwaitClose,
    ];
    let thread = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        play(stream, script);
    });
    let mut client = Client::connect_unix(&path).expect("connects");
    client.set_timeout(Some(PATIENCE)).expect("sets");
    assert_eq!(client.command(&["PING"]).expect("a reply"), simple("PONG"));
    drop(client);
    thread.join().expect("the script was followed");
    std::fs::remove_file(&path).expect("it was there");
    let error = Client::connect_unix(&path).err().expect("it is gone");
    assert!(error.to_string().starts_with("connect to "));
}
