//! Tests of the reactor with real sockets on the loopback interface. Nothing sleeps: what a test
//! waits for is an event, with a deadline that only a failure reaches.

use super::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

fn reactor_with(config: ReactorConfig) -> (Reactor, ListenerId, SocketAddr) {
    let mut reactor = Reactor::new(config).expect("a reactor");
    let any_port: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let listener = reactor.listen_tcp(any_port, 128).expect("listens");
    match reactor.listener_address(listener).expect("is bound") {
        Address::Tcp(address) => (reactor, listener, address),
        Address::Unix(path) => unreachable!("{path}"),
    }
}

fn reactor() -> (Reactor, ListenerId, SocketAddr) {
    reactor_with(ReactorConfig::default())
}

/// Turns once, without sleeping.
fn turn(reactor: &mut Reactor) -> Vec<Event> {
    let mut events = Vec::new();
    reactor
        .wait(Some(Instant::now()), &mut events)
        .expect("waits");
    events
}

/// Turns until an event is what is looked for; the others are dropped.
fn wait_for<T>(reactor: &mut Reactor, mut find: impl FnMut(&Event) -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut events = Vec::new();
    while Instant::now() < deadline {
        reactor.wait(Some(deadline), &mut events).expect("waits");
        if let Some(found) = events.iter().find_map(&mut find) {
            return found;
        }
    }
    unreachable!("the event did not come in time")
}

fn accepted(reactor: &mut Reactor) -> (ConnId, Address) {
    wait_for(reactor, |event| match event {
        Event::Accepted { conn, peer, .. } => Some((*conn, peer.clone())),
        _ => None,
    })
}

fn connect(reactor: &mut Reactor, to: SocketAddr) -> (TcpStream, ConnId) {
    let client = TcpStream::connect(to).expect("connects");
    let (conn, _) = accepted(reactor);
    (client, conn)
}

fn wait_readable(reactor: &mut Reactor, id: ConnId) {
    wait_for(reactor, |event| {
        matches!(event, Event::Readable(conn) if *conn == id).then_some(())
    });
}

fn is_readable(events: &[Event], id: ConnId) -> bool {
    events
        .iter()
        .any(|event| matches!(event, Event::Readable(conn) if *conn == id))
}

/// Reads until `count` bytes have come.
fn read_exactly(reactor: &mut Reactor, id: ConnId, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        wait_readable(reactor, id);
        match reactor.read(id, &mut bytes) {
            ReadOutcome::Data(_) | ReadOutcome::WouldBlock => {}
            other => unreachable!("{other:?}"),
        }
    }
    assert_eq!(bytes.len(), count);
    bytes
}

struct TempPath(PathBuf);

impl TempPath {
    fn new(name: &str) -> TempPath {
        TempPath(std::env::temp_dir().join(format!("runtime-{}-{name}", std::process::id())))
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_request_is_read_and_answered() {
    let (mut reactor, _, address) = reactor();
    let mut client = TcpStream::connect(address).expect("connects");
    let (conn, peer) = accepted(&mut reactor);
    let client_address = client.local_addr().expect("is bound");
    assert_eq!(peer, Address::Tcp(client_address));
    assert_eq!(
        reactor.local_address(conn).expect("is open"),
        Address::Tcp(address)
    );
    assert_eq!(reactor.connection_count(), 1);
    assert!(reactor.fd(conn).is_some_and(|fd| fd > 2));
    reactor.set_nodelay(conn, true).expect("sets");
    for interval_s in [300, 1, 0] {
        reactor.set_keepalive(conn, interval_s).expect("sets");
    }

    for round in 0..3 {
        client.write_all(b"ping").expect("writes");
        assert_eq!(read_exactly(&mut reactor, conn, 4), b"ping", "{round}");
        assert!(matches!(
            reactor.write(conn, b"pong"),
            WriteOutcome::Written(4)
        ));
        let mut reply = [0; 4];
        client.read_exact(&mut reply).expect("reads");
        assert_eq!(&reply, b"pong");
    }
}

#[test]
fn an_emptied_socket_is_not_reported_again() {
    let (mut reactor, _, address) = reactor();
    let (mut client, conn) = connect(&mut reactor, address);
    client.write_all(b"ping").expect("writes");
    read_exactly(&mut reactor, conn, 4);
    assert!(turn(&mut reactor).is_empty());
    assert!(matches!(
        reactor.read(conn, &mut Vec::new()),
        ReadOutcome::WouldBlock
    ));
    assert!(turn(&mut reactor).is_empty());
}

#[test]
fn what_a_full_buffer_left_is_reported_without_a_new_edge() {
    let (mut reactor, _, address) = reactor();
    let (mut client, conn) = connect(&mut reactor, address);
    client.write_all(b"0123456789").expect("writes");
    wait_readable(&mut reactor, conn);
    let mut bytes = Vec::new();
    assert!(matches!(
        reactor.read_up_to(conn, &mut bytes, 4),
        ReadOutcome::Data(4)
    ));
    assert!(is_readable(&turn(&mut reactor), conn));
    assert!(matches!(
        reactor.read_up_to(conn, &mut bytes, 4),
        ReadOutcome::Data(4)
    ));
    assert!(is_readable(&turn(&mut reactor), conn));
    assert!(matches!(
        reactor.read_up_to(conn, &mut bytes, 4),
        ReadOutcome::Data(2)
    ));
    assert!(!is_readable(&turn(&mut reactor), conn));
    assert_eq!(bytes, b"0123456789");
}

#[test]
fn an_event_that_was_not_acted_on_is_reported_again() {
    let (mut reactor, _, address) = reactor();
    let (mut client, conn) = connect(&mut reactor, address);
    client.write_all(b"ping").expect("writes");
    wait_readable(&mut reactor, conn);
    for _ in 0..3 {
        let events = turn(&mut reactor);
        assert_eq!(events.len(), 1, "once per turn: {events:?}");
        assert!(is_readable(&events, conn));
    }
    read_exactly(&mut reactor, conn, 4);
    assert!(turn(&mut reactor).is_empty());
}

#[test]
fn the_end_behind_the_last_bytes_is_not_missed() {
    let (mut reactor, _, address) = reactor();
    let (mut client, conn) = connect(&mut reactor, address);
    client.write_all(b"last").expect("writes");
    drop(client);
    read_exactly(&mut reactor, conn, 4);
    wait_readable(&mut reactor, conn);
    assert!(matches!(
        reactor.read(conn, &mut Vec::new()),
        ReadOutcome::Eof
    ));
    // Said once: an owner that keeps the connection to write to it is not made to spin.
    assert!(turn(&mut reactor).is_empty());
    reactor.close(conn);
    assert_eq!(reactor.connection_count(), 0);
}

#[test]
fn a_silenced_connection_speaks_when_it_may_again() {
    let (mut reactor, _, address) = reactor();
    let (mut client, conn) = connect(&mut reactor, address);
    let (mut other_client, other) = connect(&mut reactor, address);
    reactor.set_reading(conn, false);
    client.write_all(b"ping").expect("writes");
    drop(client);
    other_client.write_all(b"x").expect("writes");
    // On the loopback interface bytes arrive in the order they were sent in.
    read_exactly(&mut reactor, other, 1);
    assert!(turn(&mut reactor).is_empty());
    reactor.set_reading(conn, true);
    assert!(is_readable(&turn(&mut reactor), conn));

    // Silenced after it was reported: nothing either, until it is allowed.
    reactor.set_reading(conn, false);
    assert!(turn(&mut reactor).is_empty());
    reactor.set_reading(conn, true);
    reactor.set_reading(conn, true);
    assert_eq!(turn(&mut reactor).len(), 1);
    let mut bytes = Vec::new();
    assert!(matches!(
        reactor.read(conn, &mut bytes),
        ReadOutcome::Data(4)
    ));
    wait_readable(&mut reactor, conn);
    assert!(matches!(reactor.read(conn, &mut bytes), ReadOutcome::Eof));
}

/// Fills the socket, then lets the client read everything.
fn check_blocked_write(reactor: &mut Reactor, conn: ConnId, client: impl Read + Send + 'static) {
    let chunk = vec![b'x'; 1 << 20];
    let mut sent = 0;
    for round in 0..3 {
        loop {
            match reactor.write(conn, &chunk) {
                WriteOutcome::Written(n) => sent += n,
                WriteOutcome::Blocked { written } => break sent += written,
                WriteOutcome::Error(error) => unreachable!("{error}"),
            }
        }
        if round == 0 {
            assert!(turn(reactor).is_empty(), "full, and nobody reads");
            let again = reactor.write(conn, b"more");
            assert!(
                matches!(again, WriteOutcome::Blocked { written: 0 }),
                "{again:?}"
            );
            break;
        }
    }
    let mut client = client;
    let reader = std::thread::spawn(move || std::io::copy(&mut client, &mut std::io::sink()));
    for _ in 0..5 {
        wait_for(reactor, |event| {
            matches!(event, Event::Writable(writable) if *writable == conn).then_some(())
        });
        loop {
            match reactor.write_vectored(conn, &[IoSlice::new(&chunk), IoSlice::new(b"y")]) {
                WriteOutcome::Written(n) => sent += n,
                WriteOutcome::Blocked { written } => break sent += written,
                WriteOutcome::Error(error) => unreachable!("{error}"),
            }
        }
    }
    reactor.close(conn);
    let received = reader.join().expect("no panic").expect("reads");
    assert_eq!(received, sent as u64);
}

#[test]
fn a_full_tcp_socket_says_when_it_has_room() {
    let (mut reactor, _, address) = reactor();
    let (client, conn) = connect(&mut reactor, address);
    check_blocked_write(&mut reactor, conn, client);
}

#[test]
fn a_full_unix_socket_says_when_it_has_room() {
    let path = TempPath::new("full");
    let mut reactor = Reactor::new(ReactorConfig::default()).expect("a reactor");
    reactor.listen_unix(&path.0, 0, 16).expect("listens");
    let client = UnixStream::connect(&path.0).expect("connects");
    let (conn, _) = accepted(&mut reactor);
    check_blocked_write(&mut reactor, conn, client);
}

#[test]
fn a_unix_socket_replaces_its_file_and_removes_it() {
    use std::os::unix::fs::PermissionsExt;
    let path = TempPath::new("listen");
    std::fs::write(&path.0, "left over").expect("writes");
    let mut reactor = Reactor::new(ReactorConfig::default()).expect("a reactor");
    let listener = reactor.listen_unix(&path.0, 0o700, 16).expect("listens");
    let mode = std::fs::metadata(&path.0)
        .expect("exists")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);

    let mut client = UnixStream::connect(&path.0).expect("connects");
    let (conn, peer) = accepted(&mut reactor);
    let name = format!("{}:0", path.0.display());
    assert_eq!(peer.to_string(), name);
    assert_eq!(
        reactor.local_address(conn).expect("is open").to_string(),
        name
    );
    client.write_all(b"ping").expect("writes");
    assert_eq!(read_exactly(&mut reactor, conn, 4), b"ping");
    assert!(matches!(
        reactor.write(conn, b"pong"),
        WriteOutcome::Written(4)
    ));
    let mut reply = [0; 4];
    client.read_exact(&mut reply).expect("reads");
    assert!(
        turn(&mut reactor).is_empty(),
        "the peer's reading is no event"
    );

    reactor.close_listener(listener);
    assert!(!path.0.exists());
    assert!(UnixStream::connect(&path.0).is_err());
}

#[test]
fn a_closed_connection_is_gone_and_its_id_stays_dead() {
    let (mut reactor, _, address) = reactor();
    let (mut client, conn) = connect(&mut reactor, address);
    reactor.close(conn);
    reactor.close(conn);
    assert_eq!(client.read(&mut [0; 1]).expect("reads the end"), 0);
    let (_second, reused) = connect(&mut reactor, address);
    assert_eq!(reused.index(), conn.index());
    assert_ne!(reused, conn);
    assert!(!reactor.is_open(conn) && reactor.is_open(reused));
    let not_connected = |error: &io::Error| error.kind() == io::ErrorKind::NotConnected;
    assert!(matches!(
        reactor.read(conn, &mut Vec::new()), ReadOutcome::Error(error) if not_connected(&error)
    ));
    assert!(matches!(
        reactor.write(conn, b"x"), WriteOutcome::Error(error) if not_connected(&error)
    ));
    assert!(reactor.set_nodelay(conn, true).is_err());
    assert!(reactor.fd(conn).is_none());
}

#[test]
fn writing_to_a_peer_that_went_away_is_an_error() {
    let (mut reactor, _, address) = reactor();
    let (client, conn) = connect(&mut reactor, address);
    let socket = socket2::Socket::from(client);
    // Closes with a reset.
    socket.set_linger(Some(Duration::ZERO)).expect("sets");
    drop(socket);
    wait_readable(&mut reactor, conn);
    assert!(matches!(
        reactor.read(conn, &mut Vec::new()),
        ReadOutcome::Error(_)
    ));
    assert!(matches!(reactor.write(conn, b"x"), WriteOutcome::Error(_)));
}

#[test]
fn connections_are_accepted_in_batches_without_losing_any() {
    let config = ReactorConfig {
        accepts_per_turn: 3,
        ..ReactorConfig::default()
    };
    let (mut reactor, listener, address) = reactor_with(config);
    let clients: Vec<TcpStream> = (0..10)
        .map(|_| TcpStream::connect(address).expect("connects"))
        .collect();
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < clients.len() {
        let events = turn(&mut reactor);
        let ours = |event: &&Event| matches!(event, Event::Accepted { listener: from, .. } if *from == listener);
        sizes.push(events.iter().filter(ours).count());
    }
    assert_eq!(sizes, [3, 3, 3, 1]);
    assert_eq!(reactor.connection_count(), 10);
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let config = ReactorConfig {
        max_connections: 1,
        ..ReactorConfig::default()
    };
    let (mut reactor, _, address) = reactor_with(config);
    let (_first, conn) = connect(&mut reactor, address);
    let mut second = TcpStream::connect(address).expect("the kernel accepts");
    assert!(turn(&mut reactor).is_empty());
    assert_eq!(second.read(&mut [0; 1]).expect("reads the end"), 0);
    reactor.close(conn);
    connect(&mut reactor, address);
}

#[test]
fn a_closed_listener_refuses() {
    let (mut reactor, listener, address) = reactor();
    let (mut client, conn) = connect(&mut reactor, address);
    reactor.close_listener(listener);
    reactor.close_listener(listener);
    assert!(TcpStream::connect(address).is_err());
    assert!(reactor.listener_address(listener).is_err());
    // What was accepted goes on, and the address is free again.
    client.write_all(b"x").expect("writes");
    read_exactly(&mut reactor, conn, 1);
    reactor.listen_tcp(address, 128).expect("listens again");
}

#[test]
fn an_address_in_use_is_an_error() {
    let (mut reactor, _, address) = reactor();
    let error = reactor.listen_tcp(address, 128).expect_err("it is in use");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn wakers_wake_from_other_threads_and_a_burst_is_one_event() {
    let (mut reactor, _, _) = reactor();
    for _ in 0..100 {
        let waker = reactor.waker();
        std::thread::spawn(move || (0..10).for_each(|_| waker.wake()))
            .join()
            .expect("no panic");
        assert!(matches!(turn(&mut reactor)[..], [Event::Wake]));
        assert!(turn(&mut reactor).is_empty());
    }
    let waker = reactor.waker();
    let background = crate::background::Background::spawn("test", Some(waker)).expect("thread");
    background.submit(Box::new(|| {}));
    wait_for(&mut reactor, |event| {
        matches!(event, Event::Wake).then_some(())
    });
}

#[test]
fn a_deadline_ends_the_waiting() {
    let (mut reactor, _, _) = reactor();
    let mut events = vec![Event::Wake];
    let deadline = Instant::now() + Duration::from_millis(5);
    reactor.wait(Some(deadline), &mut events).expect("waits");
    assert!(Instant::now() >= deadline && events.is_empty());
    reactor
        .wait(Some(Instant::now() - Duration::from_secs(1)), &mut events)
        .expect("waits");
}

#[test]
fn large_transfers_arrive_whole_through_a_shared_buffer() {
    let (mut reactor, _, address) = reactor();
    let (mut client, conn) = connect(&mut reactor, address);
    let sent: Vec<u8> = (0..3_000_000u32).map(|i| ((i * 31) >> 3) as u8).collect();
    let expected = sent.clone();
    let writer = std::thread::spawn(move || client.write_all(&sent).map(|()| client));
    let mut shared = Vec::with_capacity(64 * 1024);
    let mut received = Vec::new();
    while received.len() < expected.len() {
        wait_readable(&mut reactor, conn);
        shared.clear();
        if let ReadOutcome::Data(n) = reactor.read(conn, &mut shared) {
            assert_eq!(n, shared.len());
            received.extend_from_slice(&shared);
        }
    }
    assert_eq!(shared.capacity(), 64 * 1024);
    assert!(received == expected);
    writer.join().expect("no panic").expect("writes");
}

#[test]
fn an_outgoing_connection_says_when_it_is_there_and_carries_bytes() {
    let (mut reactor, _, address) = reactor();
    let local = "127.0.0.1".parse().expect("an address");
    let ours = reactor
        .connect_tcp(address, Some(local))
        .expect("begins to connect");
    let mut accepted = None;
    let mut connected = false;
    wait_for(&mut reactor, |event| {
        match event {
            Event::Accepted { conn, .. } => accepted = Some(*conn),
            Event::Connected(conn) if *conn == ours => connected = true,
            _ => {}
        }
        (accepted.is_some() && connected).then_some(())
    });
    let theirs = accepted.expect("was accepted");
    assert_eq!(
        reactor.peer_address(ours).expect("is open"),
        Address::Tcp(address)
    );
    assert!(matches!(
        reactor.write(ours, b"ping"),
        WriteOutcome::Written(4)
    ));
    assert_eq!(read_exactly(&mut reactor, theirs, 4), b"ping");
    assert!(matches!(
        reactor.write(theirs, b"pong"),
        WriteOutcome::Written(4)
    ));
    assert_eq!(read_exactly(&mut reactor, ours, 4), b"pong");
}

#[test]
fn a_refused_connection_is_reported_once_and_forgotten() {
    let (mut reactor, listener, address) = reactor();
    reactor.close_listener(listener);
    let conn = reactor
        .connect_tcp(address, None)
        .expect("begins to connect");
    let kind = wait_for(&mut reactor, |event| match event {
        Event::ConnectFailed {
            conn: failed,
            error,
        } if *failed == conn => Some(error.kind()),
        _ => None,
    });
    assert_eq!(kind, io::ErrorKind::ConnectionRefused);
    assert!(!reactor.is_open(conn));
    assert_eq!(reactor.connection_count(), 0);
    assert!(turn(&mut reactor).is_empty());
}
