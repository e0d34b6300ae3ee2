//! The load generator against the bare responder: every request gets its reply counted, over any
//! number of connections and any depth, also when sockets are full.

use bench::load::{Load, Until};
use bench::responder::Responder;
use bench::stock;
use bench::template::Mix;
use std::sync::Arc;
use std::time::Duration;

fn check_once(command: &str, connections: usize, count: u64, pipeline: u64) {
    let responder = Responder::start(0, None).unwrap();
    let mix = Arc::new(Mix::parse(&[command]).unwrap());
    let supplies = stock::generating(&mix, connections, count, pipeline, 1);
    let mut load = Load::connect(responder.address(), supplies).unwrap();
    load.record_latency().unwrap();
    let tally = load.run(Until::Exhausted).unwrap();
    assert_eq!(tally.counts.replies, count);
    assert_eq!(tally.counts.errors, 0);
    assert!(load.latency().unwrap().len() >= count / pipeline);
}

#[test]
fn every_request_is_answered_once() {
    check_once("SET key:{seq:12} {fill:32}", 50, 20_003, 16);
    check_once("PING", 1, 1_000, 1);
}

#[test]
fn more_connections_than_requests_is_no_problem() {
    check_once("PING", 20, 5, 4);
}

#[test]
fn batches_larger_than_the_socket_buffers_arrive_whole() {
    check_once("SET key:{seq:12} {fill:100000}", 3, 600, 200);
}

#[test]
fn very_deep_pipelines_get_all_replies() {
    check_once("PING {seq}", 2, 400_000, 100_000);
}

#[test]
fn cycling_load_continues_over_runs_and_drains() {
    let responder = Responder::start(0, None).unwrap();
    let mix = Mix::parse(&["GET key:{rand:0-999:12}"]).unwrap();
    let stocks = stock::cycling(&mix, 4, 1_000, 16, 1);
    let mut load = Load::connect_cycling(responder.address(), &stocks).unwrap();
    for _ in 0..3 {
        let tally = load.run(Until::Replies(5_000)).unwrap();
        assert!(tally.counts.replies >= 5_000);
    }
    assert!(
        load.run(Until::Elapsed(Duration::from_millis(20)))
            .unwrap()
            .counts
            .replies
            > 0
    );
    load.drain().unwrap();
}

#[test]
fn a_server_that_goes_away_ends_the_run_with_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mix = Mix::parse(&["PING"]).unwrap();
    let stocks = stock::cycling(&mix, 1, 10, 1, 1);
    let mut load = Load::connect_cycling(address, &stocks).unwrap();
    drop(listener.accept().unwrap());
    assert!(load.run(Until::Elapsed(Duration::from_secs(5))).is_err());
}

#[test]
fn an_error_reply_fails_the_tally() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 14];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(b"-ERR no such thing\r\n").unwrap();
        stream
    });
    let mix = Arc::new(Mix::parse(&["PING"]).unwrap());
    let mut load = Load::connect(address, stock::generating(&mix, 1, 1, 1, 1)).unwrap();
    let error = load
        .run(Until::Exhausted)
        .unwrap()
        .ensure_no_errors()
        .unwrap_err();
    assert!(error.to_string().contains("ERR no such thing"), "{error}");
    drop(server.join().unwrap());
}
