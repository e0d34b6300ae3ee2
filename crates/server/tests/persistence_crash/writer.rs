//! A connection that writes until its server dies, and remembers what it sent and what was
//! acknowledged, each with its moment.
//!
//! Operations go out in small batches, so that some are in flight when the server is killed. Each
//! reply is compared with the model's: what a server says it did is part of what it must keep.

use crate::operations::{Operation, operation};
use crate::state::State;
use crate::support::random_keys::Random;
use client::{Client, Timeouts, encode_command};
use resp::Value;
use std::time::{Duration, Instant};

/// An operation that was sent in this round.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub number: u64,
    pub sent_at: Instant,
    pub acknowledged_at: Option<Instant>,
}

/// What is known of one writer between rounds.
#[derive(Clone)]
pub struct Writer {
    pub id: u32,
    pub seed: u64,
    /// What the server was found to hold when it last started.
    pub base: State,
    /// Numbers are never used twice, so what was lost cannot look like something newer.
    pub next_number: u64,
}

const BATCH_MAX: u64 = 8;
const TIMEOUT: Duration = Duration::from_secs(20);

impl Writer {
    pub fn new(id: u32, seed: u64) -> Writer {
        Writer {
            id,
            seed,
            base: State::default(),
            next_number: 1,
        }
    }

    pub fn operation(&self, number: u64) -> Operation {
        operation(self.seed, self.id, number)
    }

    /// Writes until the connection ends. An error is a reply that should not have come.
    pub fn run(&self, port: u16) -> Result<Vec<Sent>, String> {
        let mut client = Client::connect_tcp(("127.0.0.1", port), Timeouts::all(TIMEOUT))
            .map_err(|e| format!("writer {}: {e}", self.id))?;
        let mut state = self.base.clone();
        let mut random = Random::new(self.seed ^ self.next_number);
        let (mut log, mut db, mut number) = (Vec::new(), 0, self.next_number);
        loop {
            let mut request = Vec::new();
            let mut expected = Vec::new();
            for _ in 0..=random.below(BATCH_MAX) {
                let operation = self.operation(number);
                let replies = encode(&mut request, &mut state, &mut db, &operation);
                expected.push((number, replies));
                number += 1;
            }
            state.take_touched();
            let first = log.len();
            let sent_at = Instant::now();
            log.extend(expected.iter().map(|(number, _)| Sent {
                number: *number,
                sent_at,
                acknowledged_at: None,
            }));
            if client.write_raw(&request).is_err() {
                return Ok(log);
            }
            for (index, (number, replies)) in expected.iter().enumerate() {
                if !self.receive(&mut client, *number, replies)? {
                    return Ok(log);
                }
                log[first + index].acknowledged_at = Some(Instant::now());
            }
        }
    }

    /// False once the server is gone.
    fn receive(&self, client: &mut Client, number: u64, replies: &[Value]) -> Result<bool, String> {
        for expected in replies {
            match client.receive_reply() {
                Ok(reply) if reply == *expected => {}
                Ok(reply) => {
                    return Err(format!(
                        "writer {} operation {number} {:?}: expected {}, got {}",
                        self.id,
                        self.operation(number).commands,
                        testkit::render(expected),
                        testkit::render(&reply)
                    ));
                }
                Err(error) if error.is_disconnected() => return Ok(false),
                Err(error) => return Err(format!("writer {}: {error}", self.id)),
            }
        }
        Ok(true)
    }
}

/// Appends the operation's commands, applies them to the model and returns the replies to expect.
fn encode(
    request: &mut Vec<u8>,
    state: &mut State,
    db: &mut u32,
    operation: &Operation,
) -> Vec<Value> {
    let mut replies = Vec::new();
    let ok = || Value::Simple("OK".into());
    if *db != operation.db {
        *db = operation.db;
        encode_command(request, &["SELECT", &db.to_string()]);
        replies.push(ok());
    }
    let commands = &operation.commands;
    let results = commands.iter().map(|command| state.apply(*db, command));
    let mut results: Vec<Value> = results.collect();
    let is_transaction = commands.len() > 1;
    if is_transaction {
        encode_command(request, &["MULTI"]);
        replies.push(ok());
        replies.extend(commands.iter().map(|_| Value::Simple("QUEUED".into())));
        results = vec![Value::Array(results)];
    }
    for command in commands {
        encode_command(request, command);
    }
    if is_transaction {
        encode_command(request, &["EXEC"]);
    }
    replies.extend(results);
    replies
}
