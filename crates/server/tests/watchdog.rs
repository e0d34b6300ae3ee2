//! What SIGALRM and `watchdog-period` leave in the log of a server that goes on.
//!
//! `REDAN_SUBJECT=redis` plays it against a real redis-server, of 7.2 or newer: 7.0 does not listen to
//! SIGALRM. Nothing here waits by the clock.

mod support;

use support::say;
use testkit::{DEADLINE, Options, Server, poll_until};

const RECEIVED: &str = "Received SIGALRM";
const EXPIRED: &str = "--- WATCHDOG TIMER EXPIRED ---";

#[test]
fn sigalrm_leaves_a_stack_trace_in_the_log_and_nobody_notices() {
    let server = Server::start(&Options::subject());
    let mut client = server.client();
    assert_eq!(say(&mut client, &["SET", "key", "1"]), "OK");
    for round in 1..=3 {
        server.signal("ALRM");
        poll_until(DEADLINE, "the report is complete", || {
            server.log().matches("--------\n").count() == round
        });
        assert_eq!(say(&mut client, &["INCR", "key"]), (1 + round).to_string());
    }
    let log = server.log();
    assert_eq!(log.matches(RECEIVED).count(), 3, "{log}");
    assert_eq!(log.matches("------ STACK TRACE ------").count(), 3, "{log}");
    assert!(!log.contains(EXPIRED), "{log}");
}

#[test]
fn a_turn_that_takes_longer_than_the_watchdogs_period_is_reported() {
    let server = Server::start(&Options::subject().option("enable-debug-command", "yes"));
    let mut client = server.client();
    // As in Redis, a period too short to mean anything is raised.
    let set = |client: &mut testkit::Connection, value: &str| {
        say(client, &["CONFIG", "SET", "watchdog-period", value])
    };
    assert_eq!(set(&mut client, "50"), "OK");
    assert_eq!(
        say(&mut client, &["CONFIG", "GET", "watchdog-period"]),
        r#"["watchdog-period", "200"]"#
    );
    assert_eq!(say(&mut client, &["DEBUG", "SLEEP", "0.5"]), "OK");
    let log = server.log();
    assert_eq!(log.matches(EXPIRED).count(), 1, "{log}");
    assert!(!log.contains(RECEIVED), "{log}");
    assert_eq!(set(&mut client, "0"), "OK");
    assert_eq!(say(&mut client, &["DEBUG", "SLEEP", "0.5"]), "OK");
    assert_eq!(server.log().matches(EXPIRED).count(), 1);
}
