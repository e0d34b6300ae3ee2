//! The proxy's faults, between plain sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use testkit::{DEADLINE, Proxy, poll_until};

struct Pair {
    proxy: Proxy,
    listener: TcpListener,
}

impl Pair {
    fn new() -> Pair {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Pair {
            proxy: Proxy::start(port),
            listener,
        }
    }

    /// A connection through the proxy: the caller's end and the target's.
    fn join(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(("127.0.0.1", self.proxy.port())).unwrap();
        let (server, _) = self.listener.accept().unwrap();
        for socket in [&client, &server] {
            socket.set_read_timeout(Some(DEADLINE)).unwrap();
        }
        (client, server)
    }
}

fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A cut may be seen as a reset, behind what arrived before.
    socket.read_to_end(&mut bytes).ok();
    bytes
}

#[test]
fn bytes_pass_both_ways_until_the_link_is_cut() {
    let pair = Pair::new();
    let (mut client, mut server) = pair.join();
    let mut buffer = [0; 4];
    client.write_all(b"ping").unwrap();
    server.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"ping");
    server.write_all(b"pong").unwrap();
    client.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"pong");
    assert_eq!(pair.proxy.down_bytes(), 4);
    pair.proxy.cut();
    assert!(rest(&mut client).is_empty() && rest(&mut server).is_empty());
    pair.join();
    assert_eq!(pair.proxy.accepted_at().len(), 2);
}

#[test]
fn a_cut_after_bytes_is_exact_however_they_are_written() {
    for (sizes, limit) in [(&[1000][..], 7), (&[3, 4, 5, 6], 7), (&[7, 1], 7)] {
        let pair = Pair::new();
        let (mut client, mut server) = pair.join();
        pair.proxy.cut_after(limit);
        for size in sizes {
            server.write_all(&vec![b'x'; *size]).ok();
        }
        assert_eq!(rest(&mut client).len() as u64, limit, "{sizes:?}");
        assert!(rest(&mut server).is_empty());
    }
}

#[test]
fn a_stalled_link_keeps_everything_and_a_slow_one_takes_its_time() {
    let pair = Pair::new();
    let (mut client, mut server) = pair.join();
    pair.proxy.stall();
    server.write_all(b"late").unwrap();
    let patience = Some(Duration::from_millis(20));
    client.set_read_timeout(patience).unwrap();
    let mut buffer = [0; 4];
    assert!(client.read_exact(&mut buffer).is_err());
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    pair.proxy.open();
    client.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"late");
    let delay = Duration::from_millis(50);
    pair.proxy.delay(delay);
    let begin = Instant::now();
    server.write_all(b"slow").unwrap();
    client.read_exact(&mut buffer).unwrap();
    assert!(begin.elapsed() >= delay);
}

#[test]
fn a_refusing_proxy_closes_what_comes() {
    let pair = Pair::new();
    let (mut client, _server) = pair.join();
    pair.proxy.refuse();
    assert!(rest(&mut client).is_empty());
    let mut next = TcpStream::connect(("127.0.0.1", pair.proxy.port())).unwrap();
    assert!(rest(&mut next).is_empty());
    poll_until(DEADLINE, "both were counted", || {
        pair.proxy.accepted_at().len() == 2
    });
    pair.proxy.open();
    pair.join();
}
