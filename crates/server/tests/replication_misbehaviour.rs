//! Peers that lie, stall or speak something else. Whatever they do: the old data is served, the
//! process lives, the log says what was wrong, and a replica tries again, ever more slowly.
//!
//! With `REDAN_SUBJECT=redis` the lies are told to a real redis-server, except those that make it
//! drop its data or end; its words for the same thing are beside ours.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use support::fake_primary::{FakePrimary, Talk};
use support::random_keys::{Random, key_commands, send_all, special_commands};
use support::replication::{Node, PASSWORD, PATIENCE, Who, wait_until_equal};
use testkit::{DEADLINE, poll_until, render};

/// What a "primary" does, and what the replica's log says then.
struct Lie {
    name: &'static str,
    play: fn(&mut Talk, &[u8]) -> Option<()>,
    ours: &'static str,
    /// None: it drops its data, or ends.
    theirs: Option<&'static str>,
}

const SNAPSHOT_FAILED: &str = "Failed trying to load the MASTER synchronization DB from socket: ";
const NO_SYNTAX: &str = "Master replied with wrong +FULLRESYNC syntax";
const NO_BULK: &str = "Bad protocol from MASTER, the first byte is not '$'";
const BAD_LENGTH: &str = "MASTER announced a snapshot of impossible length";
const ID: &str = "0123456789012345678901234567890123456789";

fn lie(
    name: &'static str,
    ours: &'static str,
    theirs: Option<&'static str>,
    play: fn(&mut Talk, &[u8]) -> Option<()>,
) -> Lie {
    Lie {
        name,
        play,
        ours,
        theirs,
    }
}

/// Lies before and in the answer to PSYNC. The second argument of each is a whole, good snapshot.
fn handshake_lies() -> Vec<Lie> {
    let no_answer = "Master did not respond to command during SYNC handshake";
    vec![
        lie("closes at once", no_answer, Some(no_answer), |talk, _| {
            talk.hang_up()
        }),
        lie(
            "closes after PING",
            no_answer,
            Some(no_answer),
            |talk, _| {
                talk.hear()?;
                talk.say("+PONG\r\n")?;
                talk.hang_up()
            },
        ),
        lie(
            "closes after PSYNC",
            no_answer,
            Some("Master did not reply to PSYNC"),
            |talk, _| {
                talk.shake_hands()?;
                talk.hang_up()
            },
        ),
        lie(
            "answers PING with an error",
            "Error reply to PING from master: '-ERR you again'",
            Some("Error reply to PING from master: '-ERR you again'"),
            |talk, _| talk.say("-ERR you again\r\n"),
        ),
        lie(
            "is a client",
            "Error reply to PING from master: '*1'",
            Some("Error reply to PING from master: '*1'"),
            |talk, _| talk.say("*1\r\n$4\r\nPING\r\n"),
        ),
        lie(
            "is a web server",
            "Error reply to PING from master: 'HTTP/1.1 400 Bad Request'",
            Some("Error reply to PING from master: 'HTTP/1.1 400 Bad Request'"),
            |talk, _| talk.say("HTTP/1.1 400 Bad Request\r\n\r\n"),
        ),
        lie(
            "never ends a line",
            "MASTER sent a line without an end",
            None,
            |talk, _| {
                talk.say([b'x'; 100_000])?;
                talk.stall()
            },
        ),
        lie(
            "refuses the password",
            "Unable to AUTH to MASTER: -WRONGPASS",
            Some("Unable to AUTH to MASTER: -WRONGPASS"),
            |talk, _| {
                talk.say(
                    "+PONG\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n",
                )?;
                talk.stall()
            },
        ),
        lie(
            "answers PSYNC with something else",
            "Unexpected reply to PSYNC from master: +WHAT",
            Some("Unexpected reply to PSYNC from master: +WHAT"),
            |talk, _| {
                talk.shake_hands()?;
                talk.say("+WHAT\r\n")
            },
        ),
        lie("names no id", NO_SYNTAX, None, |talk, _| {
            talk.shake_hands()?;
            talk.say("+FULLRESYNC\r\n")
        }),
        lie("names a short id", NO_SYNTAX, None, |talk, _| {
            talk.shake_hands()?;
            talk.say("+FULLRESYNC 0123 1000\r\n")
        }),
        lie("names an offset below zero", NO_SYNTAX, None, |talk, _| {
            talk.shake_hands()?;
            talk.say(format!("+FULLRESYNC {ID} -1000\r\n"))
        }),
        lie(
            "names an offset beyond all numbers",
            NO_SYNTAX,
            None,
            |talk, _| {
                talk.shake_hands()?;
                talk.say(format!("+FULLRESYNC {ID} 99999999999999999999\r\n"))
            },
        ),
        lie(
            "goes on under an id that is none",
            "Master continued what was not asked for",
            None,
            |talk, _| {
                talk.shake_hands()?;
                talk.say("+CONTINUE nonsense\r\n")
            },
        ),
    ]
}

/// Lies about the snapshot.
fn snapshot_lies() -> Vec<Lie> {
    vec![
        lie("sends no bulk", NO_BULK, Some(NO_BULK), |talk, _| {
            talk.promise_snapshot()?;
            talk.say("+OK\r\n")
        }),
        lie(
            "aborts",
            "MASTER aborted replication with an error: ERR out of everything",
            Some("MASTER aborted replication with an error: ERR out of everything"),
            |talk, _| {
                talk.promise_snapshot()?;
                talk.say("-ERR out of everything\r\n")
            },
        ),
        lie(
            "announces less than nothing",
            BAD_LENGTH,
            None,
            |talk, _| {
                talk.promise_snapshot()?;
                talk.say("$-1\r\n")
            },
        ),
        lie(
            "announces more than a number holds",
            BAD_LENGTH,
            None,
            |talk, _| {
                talk.promise_snapshot()?;
                talk.say("$99999999999999999999\r\n")
            },
        ),
        lie("announces no number", BAD_LENGTH, None, |talk, _| {
            talk.promise_snapshot()?;
            talk.say("$EOF:short\r\n")
        }),
        lie(
            "announces all the memory there is, then sends garbage",
            SNAPSHOT_FAILED,
            None,
            |talk, _| {
                talk.promise_snapshot()?;
                talk.say("$9223372036854775807\r\ngarbage instead of a snapshot")?;
                talk.stall()
            },
        ),
        lie(
            "sends garbage until a mark",
            SNAPSHOT_FAILED,
            None,
            |talk, _| {
                talk.promise_snapshot()?;
                talk.say(format!("$EOF:{ID}\r\ngarbage instead of a snapshot{ID}"))?;
                talk.stall()
            },
        ),
        lie(
            "breaks off",
            "I/O error trying to sync with MASTER",
            None,
            |talk, good| {
                talk.promise_snapshot()?;
                talk.say(format!("${}\r\n", good.len()))?;
                talk.say(&good[..good.len() / 2])?;
                talk.hang_up()
            },
        ),
        lie(
            "sends half a snapshot as a whole one",
            SNAPSHOT_FAILED,
            None,
            |talk, good| {
                talk.promise_snapshot()?;
                talk.say(format!("${}\r\n", good.len() / 2))?;
                talk.say(&good[..good.len() / 2])?;
                talk.stall()
            },
        ),
        lie(
            "sends nothing as a snapshot",
            SNAPSHOT_FAILED,
            None,
            |talk, _| {
                talk.promise_snapshot()?;
                talk.say("$0\r\n")?;
                talk.stall()
            },
        ),
        lie(
            "sends a damaged snapshot",
            SNAPSHOT_FAILED,
            None,
            |talk, good| {
                talk.promise_snapshot()?;
                let mut bad = good.to_vec();
                let middle = bad.len() / 2;
                bad[middle] ^= 0x40;
                talk.say(format!("${}\r\n", bad.len()))?;
                talk.say(bad)?;
                talk.stall()
            },
        ),
        lie(
            "sends a snapshot of the future",
            SNAPSHOT_FAILED,
            None,
            |talk, good| {
                talk.promise_snapshot()?;
                let mut bad = good.to_vec();
                bad[5..9].copy_from_slice(b"0999");
                talk.say(format!("${}\r\n", bad.len()))?;
                talk.say(bad)?;
                talk.stall()
            },
        ),
        lie(
            "sends more than a snapshot",
            SNAPSHOT_FAILED,
            None,
            |talk, good| {
                talk.promise_snapshot()?;
                talk.say(format!("${}\r\n", good.len() + 7))?;
                talk.say(good)?;
                talk.say("surplus")?;
                talk.stall()
            },
        ),
    ]
}

/// A node with data that no lie may touch, and a snapshot of other data.
fn victim() -> (Node, Vec<u8>) {
    let mut other = Node::start(Who::Ours, &[]).expect("ours is always there");
    other.line("SET from-the-liar yes");
    assert_eq!(other.line("SAVE"), "OK");
    let path = other.server.directory().join("dump.rdb");
    let good = std::fs::read(path).expect("a snapshot was saved");
    let extra = [("repl-timeout", "2"), ("repl-ping-replica-period", "1")];
    let mut node = Node::start(Who::Ours, &extra).expect("ours is always there");
    send_all(node.client(), &special_commands());
    let mut random = Random::new(21);
    let keys = (0..300).flat_map(|number| key_commands(&mut random, number));
    send_all(node.client(), &keys.collect::<Vec<_>>());
    node.line("SELECT 0");
    (node, good)
}

fn tell(lies: Vec<Lie>) {
    let (mut node, good) = victim();
    let before = node.summary();
    let good: Arc<[u8]> = good.into();
    for lie in lies {
        let expected = match (node.who.is_redan(), lie.theirs) {
            (true, _) => lie.ours,
            (false, Some(theirs)) => theirs,
            (false, None) => continue,
        };
        let logged = node.log().len();
        let (play, snapshot) = (lie.play, Arc::clone(&good));
        let liar = FakePrimary::start(move |talk| play(talk, &snapshot));
        assert_eq!(
            node.line(&format!("REPLICAOF 127.0.0.1 {}", liar.port())),
            "OK"
        );
        poll_until(
            PATIENCE,
            &format!("{}: the log says: {expected}", lie.name),
            || node.log()[logged..].contains(expected),
        );
        assert_eq!(node.info("master_link_status"), "down", "{}", lie.name);
        assert_eq!(node.summary(), before, "{}", lie.name);
        assert_eq!(node.line("EXISTS from-the-liar"), "0");
    }
    check_recovery(&mut node);
}

/// After all that it is still a good replica.
fn check_recovery(node: &mut Node) {
    let mut honest = Node::start(Who::Ours, &[]).expect("ours is always there");
    honest.line("SET honest yes");
    node.follow(&honest);
    node.wait_for_link();
    wait_until_equal(&mut [&mut honest, node]);
    assert_eq!(node.line("GET honest"), "\"yes\"");
}

#[test]
fn lies_in_the_handshake_are_told_in_the_log_and_cost_nothing() {
    tell(handshake_lies());
}

#[test]
fn lies_about_the_snapshot_are_told_in_the_log_and_cost_nothing() {
    tell(snapshot_lies());
}

/// A primary that says nothing more from some step of the handshake on.
#[test]
fn a_primary_that_stalls_is_given_up_at_every_step() {
    let connecting = "Timeout connecting to the MASTER...";
    let receiving = "Timeout receiving bulk data from MASTER...";
    type Step = (
        &'static str,
        &'static str,
        fn(&mut Talk, &[u8]) -> Option<()>,
    );
    let steps: [Step; 7] = [
        ("accept", connecting, |talk, _| talk.stall()),
        ("PING", connecting, |talk, _| {
            talk.hear()?;
            talk.say("+PONG\r\n")?;
            talk.stall()
        }),
        ("half a line", connecting, |talk, _| {
            talk.say("+PO")?;
            talk.stall()
        }),
        ("PSYNC", connecting, |talk, _| {
            talk.shake_hands()?;
            talk.stall()
        }),
        ("FULLRESYNC", receiving, |talk, _| {
            talk.promise_snapshot()?;
            talk.stall()
        }),
        ("the snapshot's header", receiving, |talk, good| {
            talk.promise_snapshot()?;
            talk.say(format!("${}\r\n", good.len()))?;
            talk.stall()
        }),
        ("half of the snapshot", receiving, |talk, good| {
            talk.promise_snapshot()?;
            talk.say(format!("$EOF:{ID}\r\n"))?;
            talk.say(&good[..good.len() / 2])?;
            talk.stall()
        }),
    ];
    let (mut node, good) = victim();
    let before = node.summary();
    let good: Arc<[u8]> = good.into();
    for (name, expected, play) in steps {
        if name == "half a line" && !node.who.is_redan() {
            // Redis says that reading timed out, in other words.
            continue;
        }
        let logged = node.log().len();
        let snapshot = Arc::clone(&good);
        let liar = FakePrimary::start(move |talk| play(talk, &snapshot));
        node.line(&format!("REPLICAOF 127.0.0.1 {}", liar.port()));
        poll_until(
            PATIENCE,
            &format!("{name}: the log says: {expected}"),
            || node.log()[logged..].contains(expected),
        );
        assert_eq!(node.summary(), before, "{name}");
        poll_until(PATIENCE, &format!("{name}: it tries again"), || {
            liar.met_at().len() >= 2
        });
    }
    check_recovery(&mut node);
}

/// What comes behind an accepted handshake is executed as far as it is commands.
#[test]
fn a_stream_of_garbage_ends_the_link_and_not_the_process() {
    let (mut node, good) = victim();
    let good: Arc<[u8]> = good.into();
    for garbage in [
        &b"*1\r\n$-5\r\nx\r\n"[..],
        b"*99999999999\r\n",
        b"*1\r\n$99999999999\r\n",
    ] {
        let snapshot = Arc::clone(&good);
        let liar = FakePrimary::start(move |talk| {
            talk.promise_snapshot()?;
            talk.say(format!("${}\r\n", snapshot.len()))?;
            talk.say(&snapshot)?;
            talk.say("*3\r\n$3\r\nSET\r\n$5\r\ngoing\r\n$2\r\non\r\n")?;
            talk.say(garbage)?;
            talk.stall()
        });
        let logged = node.log().len();
        node.line(&format!("REPLICAOF 127.0.0.1 {}", liar.port()));
        poll_until(PATIENCE, "the log tells of a protocol error", || {
            node.log()[logged..].contains("Protocol error")
        });
        poll_until(PATIENCE, "it tries again", || liar.met_at().len() >= 2);
        // Every attempt replaces it all, and goes on until the garbage.
        poll_until(PATIENCE, "what came before the garbage is there", || {
            node.line("GET going") == "\"on\""
        });
        assert_eq!(node.line("GET from-the-liar"), "\"yes\"");
    }
    check_recovery(&mut node);
}

#[test]
fn commands_that_a_replica_cannot_run_are_told_in_the_log() {
    let (mut node, good) = victim();
    let liar = FakePrimary::start(move |talk| {
        talk.promise_snapshot()?;
        talk.say(format!("${}\r\n", good.len()))?;
        talk.say(&good)?;
        talk.say("*1\r\n$11\r\nNOSUCHTHING\r\n")?;
        talk.say("*3\r\n$5\r\nRPUSH\r\n$13\r\nfrom-the-liar\r\n$1\r\nx\r\n")?;
        talk.say("*3\r\n$3\r\nSET\r\n$5\r\ngoing\r\n$2\r\non\r\n")?;
        talk.stall()
    });
    node.line(&format!("REPLICAOF 127.0.0.1 {}", liar.port()));
    node.wait_for_log("== CRITICAL == This replica is sending an error to its master");
    poll_until(PATIENCE, "the stream goes on", || {
        node.line("GET going") == "\"on\""
    });
    assert_eq!(node.line("GET from-the-liar"), "\"yes\"");
    check_recovery(&mut node);
}

#[test]
fn a_liar_is_asked_ever_more_rarely() {
    if !Who::Ours.is_redan() {
        return;
    }
    let (mut node, _) = victim();
    let liar = FakePrimary::start(|talk| {
        talk.shake_hands()?;
        talk.say("+WHAT\r\n")
    });
    node.line(&format!("REPLICAOF 127.0.0.1 {}", liar.port()));
    poll_until(PATIENCE, "it was met four times", || {
        liar.met_at().len() >= 4
    });
    let met = liar.met_at();
    let gaps: Vec<Duration> = met.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let is_backing_off = gaps.windows(2).all(|pair| pair[1] > pair[0].mul_f64(1.4));
    assert!(is_backing_off, "{gaps:?}");
    assert!(gaps[0] >= Duration::from_millis(500), "{gaps:?}");
    check_recovery(&mut node);
}

#[test]
fn a_wrong_password_is_told_and_a_right_one_heals() {
    let mut primary = Node::start(Who::Ours, &[]).expect("ours is always there");
    primary.line("SET data yes");
    let mut replica = Node::start(Who::Ours, &[("masterauth", "wrong")]).expect("ours");
    replica.line("SET old yes");
    replica.follow(&primary);
    replica.wait_for_log("Unable to AUTH to MASTER: -WRONGPASS");
    assert_eq!(replica.line("GET old"), "\"yes\"");
    assert_eq!(replica.info("master_link_status"), "down");
    replica.line("CONFIG SET masterauth ");
    replica.line(&format!("CONFIG SET masterauth {PASSWORD}"));
    replica.wait_for_link();
    wait_until_equal(&mut [&mut primary, &mut replica]);
}

#[test]
fn a_missing_password_is_told() {
    let mut primary = Node::start(Who::Ours, &[]).expect("ours is always there");
    let mut replica = Node::start(Who::Ours, &[("masterauth", "")]).expect("ours");
    replica.line("SET old yes");
    replica.follow(&primary);
    replica.wait_for_log("NOAUTH Authentication required.");
    assert_eq!(replica.line("GET old"), "\"yes\"");
    assert_eq!(primary.info("connected_slaves"), "0");
}

#[test]
fn a_replica_of_itself_keeps_its_data_and_can_be_freed() {
    let (mut node, _) = victim();
    let before = node.summary();
    let port = node.port();
    assert_eq!(node.line(&format!("REPLICAOF 127.0.0.1 {port}")), "OK");
    node.wait_for_log(
        "Master is currently unable to PSYNC but should be in the future: -NOMASTERLINK",
    );
    assert_eq!(node.summary(), before);
    assert_eq!(node.info("master_link_status"), "down");
    node.promote();
    assert_eq!(node.line("SET free again"), "OK");
    check_recovery(&mut node);
}

#[test]
fn a_loop_keeps_its_data_and_can_be_opened() {
    let (mut one, _) = victim();
    let (mut other, _) = victim();
    let mut third = Node::start(Who::Ours, &[]).expect("ours is always there");
    one.line("SET mine one");
    other.follow(&one);
    other.wait_for_link();
    third.follow(&other);
    third.wait_for_link();
    wait_until_equal(&mut [&mut one, &mut other, &mut third]);
    let before = one.summary();
    // One, other, third, one: all are replicas now, and nobody has anything new to tell.
    one.follow(&third);
    let observed = std::time::Instant::now();
    poll_until(PATIENCE, "some time has passed", || {
        observed.elapsed() > Duration::from_secs(4)
    });
    for node in [&mut one, &mut other, &mut third] {
        assert_eq!(node.summary(), before);
        assert_eq!(node.info("role"), "slave");
    }
    one.promote();
    one.line("SET mine again");
    other.wait_for_link();
    third.wait_for_link();
    wait_until_equal(&mut [&mut one, &mut other, &mut third]);
}

/// A replica that a test plays.
struct FakeReplica {
    socket: TcpStream,
}

impl FakeReplica {
    fn connect(primary: &Node) -> FakeReplica {
        let mut replica = FakeReplica {
            socket: primary.server.socket(),
        };
        replica.say(&["AUTH", PASSWORD]);
        assert_eq!(replica.hear_line(), "+OK");
        replica
    }

    fn say(&mut self, words: &[&str]) {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.socket
            .write_all(request.as_bytes())
            .expect("the primary listens");
    }

    /// A line, byte by byte, so that nothing behind it is lost. Newlines alone are signs of life.
    fn hear_line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            self.socket
                .read_exact(&mut byte)
                .expect("the primary answers");
            match byte[0] {
                b'\n' if line.is_empty() => {}
                b'\n' => break,
                b'\r' => {}
                other => line.push(other),
            }
        }
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Asks for all of it, with this PSYNC, and takes a snapshot of known length.
    fn take_snapshot(&mut self, psync: &[&str]) {
        self.say(psync);
        let reply = self.hear_line();
        assert!(reply.starts_with("+FULLRESYNC "), "{reply}");
        let header = self.hear_line();
        let length = header.strip_prefix('$').and_then(|text| text.parse().ok());
        let length: usize = length.unwrap_or_else(|| panic!("a length: {header}"));
        let mut snapshot = vec![0; length];
        self.socket.read_exact(&mut snapshot).expect("a snapshot");
        assert!(snapshot.starts_with(b"REDIS0"));
    }

    fn is_closed(&mut self) -> bool {
        let mut chunk = [0; 64 * 1024];
        loop {
            match self.socket.read(&mut chunk) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) => {
                    let is_reset = e.kind() == std::io::ErrorKind::ConnectionReset;
                    assert!(is_reset, "waited in vain for the end: {e}");
                    return true;
                }
            }
        }
    }
}

#[test]
fn nonsense_in_psync_and_replconf_is_answered_and_harms_nobody() {
    let mut primary = Node::start(Who::Ours, &[]).expect("ours is always there");
    primary.line("SET data yes");
    for (words, reply) in [
        (
            &["PSYNC"][..],
            "-ERR wrong number of arguments for 'psync' command",
        ),
        (
            &["PSYNC", ID, "what"],
            "-ERR value is not an integer or out of range",
        ),
        (&["REPLCONF", "listening-port"], "-ERR syntax error"),
        (
            &["REPLCONF", "listening-port", "x"],
            "-ERR value is not an integer or out of range",
        ),
        (
            &["REPLCONF", "nonsense", "x"],
            "-ERR Unrecognized REPLCONF option: nonsense",
        ),
        (&["REPLCONF", "capa", "nonsense"], "+OK"),
        (&["REPLCONF", "capa", "eof", "capa"], "-ERR syntax error"),
    ] {
        let mut replica = FakeReplica::connect(&primary);
        replica.say(words);
        assert_eq!(replica.hear_line(), reply, "{words:?}");
    }
    let long_ip = "1".repeat(300);
    let mut replica = FakeReplica::connect(&primary);
    replica.say(&["REPLCONF", "ip-address", &long_ip]);
    assert!(
        replica
            .hear_line()
            .starts_with("-ERR REPLCONF ip-address provided by replica")
    );
    for psync in [
        ["PSYNC", "?", "5"],
        ["PSYNC", ID, "0"],
        ["PSYNC", ID, "-9223372036854775808"],
        ["PSYNC", ID, "9223372036854775807"],
        ["PSYNC", "", "1"],
        ["PSYNC", "\u{1}\u{2}", "1"],
    ] {
        let mut replica = FakeReplica::connect(&primary);
        replica.take_snapshot(&psync);
    }
    // The right id, but an offset that does not exist yet.
    let id = primary.info("master_replid");
    let mut replica = FakeReplica::connect(&primary);
    replica.take_snapshot(&["PSYNC", &id, "1000000"]);
    drop(replica);
    assert_eq!(primary.line("GET data"), "\"yes\"");
}

#[test]
fn an_acknowledgement_of_what_does_not_exist_makes_nobody_believe_it() {
    let mut primary = Node::start(Who::Ours, &[]).expect("ours is always there");
    let mut replica = FakeReplica::connect(&primary);
    // From a client that is no replica it means nothing, and is not answered.
    replica.say(&["REPLCONF", "ACK", "9223372036854775807"]);
    replica.say(&["PING"]);
    assert_eq!(replica.hear_line(), "+PONG");
    replica.take_snapshot(&["PSYNC", "?", "-1"]);
    primary.line("SET data yes");
    if primary.who.is_redan() {
        replica.say(&["REPLCONF", "ACK", "9000000000000000000"]);
        assert!(replica.is_closed());
        primary.wait_for_log("acknowledged offset 9000000000000000000, which does not exist yet");
    }
    assert_eq!(primary.line("WAIT 1 50"), "0");
    assert_eq!(primary.line("GET data"), "\"yes\"");
}

#[test]
fn garbage_from_a_replica_harms_nobody() {
    let mut primary = Node::start(Who::Ours, &[]).expect("ours is always there");
    for garbage in [
        &b"*1\r\n$-5\r\n"[..],
        b"*99999999999\r\n",
        b"\x00\x01\x02\r\n",
        b"REPLCONF ACK what\r\nREPLCONF ACK\r\nREPLCONF ACK -5\r\n",
        b"*2\r\n$3\r\nGET\r\n$4\r\ndata\r\n",
        b"*3\r\n$3\r\nSET\r\n$4\r\ndata\r\n$2\r\nno\r\n",
        b"PSYNC ? -1\r\nSYNC\r\n",
    ] {
        let mut replica = FakeReplica::connect(&primary);
        replica.take_snapshot(&["PSYNC", "?", "-1"]);
        replica
            .socket
            .write_all(garbage)
            .expect("the primary listens");
        drop(replica);
        assert_eq!(primary.line("PING"), "PONG", "{}", garbage.escape_ascii());
    }
    check_recovery_of_primary(&mut primary);
}

fn check_recovery_of_primary(primary: &mut Node) {
    primary.line("SET honest yes");
    let mut honest = Node::start(Who::Ours, &[]).expect("ours is always there");
    honest.follow(primary);
    honest.wait_for_link();
    wait_until_equal(&mut [primary, &mut honest]);
}

#[test]
fn a_replica_that_does_not_read_is_cut_off_at_the_limit() {
    let limit = [
        ("client-output-buffer-limit", "replica 2mb 0 0"),
        ("repl-throttle-writes", "no"),
    ];
    let extra = if Who::Ours.is_redan() {
        &limit[..]
    } else {
        &limit[..1]
    };
    let mut primary = Node::start(Who::Ours, extra).expect("ours is always there");
    let mut replica = FakeReplica::connect(&primary);
    replica.take_snapshot(&["PSYNC", "?", "-1"]);
    replica.say(&["REPLCONF", "ACK", "0"]);
    primary.wait_for_info("connected_slaves", "1");
    let value = "x".repeat(500_000);
    poll_until(PATIENCE, "the replica is cut off", || {
        primary.say(&["SET", "large", &value]);
        primary.info("connected_slaves") == "0"
    });
    assert!(primary.log().contains("overcoming of output buffer limits"));
    let memory = primary.info_number("used_memory");
    assert!(memory < 100_000_000, "{memory}");
    check_recovery_of_primary(&mut primary);
}

#[test]
fn a_replica_that_stalls_is_given_up() {
    let extra = [("repl-timeout", "2"), ("repl-ping-replica-period", "1")];
    let mut primary = Node::start(Who::Ours, &extra).expect("ours is always there");
    let mut silent = FakeReplica::connect(&primary);
    silent.take_snapshot(&["PSYNC", "?", "-1"]);
    silent.say(&["REPLCONF", "ACK", "0"]);
    primary.wait_for_info("connected_slaves", "1");
    assert!(silent.is_closed());
    primary.wait_for_log("Disconnecting timedout replica (streaming sync)");
    assert_eq!(primary.info("connected_slaves"), "0");
    check_recovery_of_primary(&mut primary);
}

#[test]
fn psync_where_it_makes_no_sense_is_refused() {
    let primary = Node::start(Who::Ours, &[]).expect("ours is always there");
    let mut client = primary.connect();
    client.command(&["MULTI"]);
    let queued = render(&client.command(&["PSYNC", "?", "-1"]));
    assert!(queued.starts_with("-ERR "), "{queued}");
    let mut client = primary.connect();
    client.send_raw(b"PING\r\nPSYNC ? -1\r\n");
    assert_eq!(render(&client.receive()), "PONG");
    let refused = render(&client.receive());
    let is_refused = refused == "-ERR SYNC and PSYNC are invalid with pending output"
        || refused.starts_with("FULLRESYNC ");
    assert!(is_refused, "{refused}");
    poll_until(DEADLINE, "others are served", || {
        render(&primary.connect().command(&["PING"])) == "PONG"
    });
}
