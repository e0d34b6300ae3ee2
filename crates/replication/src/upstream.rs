//! The link to our primary: connecting, the handshake, the transfer, the stream, and trying again.
//!
//! ```text
//!             .-> Connecting -> Handshake -> Transfer -> Loading -> Online
//!  Waiting --'                         `----------------------------^  partial resynchronization
//!     ^------------- any failure, after a pause -----------'
//! ```
//!
//! The pause depends on whose fault it is: none after a link that worked, short after a refused
//! connection, growing if the other end misbehaves. A snapshot that has wholly arrived is loaded
//! even if the link breaks meanwhile; what follows it is then asked for anew.
//!
//! Knows neither replicas of our own nor what the bytes mean. `role.rs` decides what a reply to
//! PSYNC does to our history. Tests: `tests/replica.rs`, and the simulator.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::action::Action;
use crate::core::Core;
use crate::handshake::{self, PsyncReply, Step};
use crate::id::{Attempt, ReplicationId};
use crate::misbehaved::Misbehaved;
use crate::offset::ReplOffset;
use crate::transfer::{Piece, Transfer};

const ACK_MS: u64 = 1000;
const SOON_MIN_MS: u64 = 100;
const SOON_MAX_MS: u64 = 1000;
const SLOW_MIN_MS: u64 = 1000;
const SLOW_MAX_MS: u64 = 30_000;
/// Pieces of the held stream are joined up to this size.
const HELD_PIECE_BYTES: usize = 64 * 1024;

/// Who wants us to follow a primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An operator, live: what that primary has is what they want, even if it is nothing.
    Command,
    /// The configuration file at start.
    Config,
    /// Sentinel, cluster, FAILOVER: nobody looked at the data.
    Automatic,
}

/// Bytes of the primary, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A snapshot begins. The data set we have stays what it is.
    SnapshotBegin {
        total_bytes: Option<u64>,
    },
    Snapshot(&'a [u8]),
    /// All of it is there: judge it, make it the data set, call `load_done` or `load_failed`.
    SnapshotEnd,
    /// To be run by the session that stands for the primary. Borrowed, but for what was held while
    /// a snapshot was loading.
    Stream(Cow<'a, [u8]>),
}

/// How soon to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Now,
    Soon,
    Slow,
}

#[derive(Debug)]
pub(crate) enum Link {
    Waiting { at_ms: u64 },
    Connecting,
    Handshake { step: Step, due: VecDeque<Step> },
    Transfer(Transfer),
    Loading { is_connected: bool },
    Online,
}

#[derive(Debug)]
pub(crate) struct Upstream {
    pub host: String,
    pub port: u16,
    pub link: Link,
    pub attempt: Attempt,
    /// Ask it to take over from us.
    pub is_failover: bool,
    /// An operator wants what this primary has, and we have not got it yet.
    pub is_requested: bool,
    /// Our history is something a primary may know.
    pub is_resumable: bool,
    /// It speaks SYNC: no offsets, no acknowledgements.
    pub is_old: bool,
    /// What of our own history may be lost to it.
    pub tail_from: Option<ReplOffset>,
    /// What the snapshot under way will make of us.
    pub full: Option<(ReplicationId, ReplOffset)>,
    pub read_offset: ReplOffset,
    pub last_io_ms: u64,
    pub down_since_ms: Option<u64>,
    asked: Option<(ReplicationId, ReplOffset)>,
    failures: u32,
    held: VecDeque<Vec<u8>>,
    pub held_bytes: usize,
    pub held_peak_bytes: usize,
    next_ack_ms: u64,
    pub is_ack_wanted: bool,
}

impl Upstream {
    pub fn new(host: &str, port: u16, cause: Cause, offset: ReplOffset, now_ms: u64) -> Upstream {
        Upstream {
            host: host.to_owned(),
            port,
            link: Link::Waiting { at_ms: now_ms },
            attempt: Attempt(0),
            is_failover: false,
            is_requested: cause == Cause::Command,
            is_resumable: false,
            is_old: false,
            tail_from: None,
            full: None,
            read_offset: offset,
            last_io_ms: now_ms,
            down_since_ms: None,
            asked: None,
            failures: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            held_peak_bytes: 0,
            next_ack_ms: now_ms,
            is_ack_wanted: false,
        }
    }

    pub fn is_online(&self) -> bool {
        matches!(self.link, Link::Online)
    }

    /// ROLE's word for the link.
    pub fn state_name(&self) -> &'static str {
        match self.link {
            Link::Waiting { .. } => "connect",
            Link::Connecting => "connecting",
            Link::Handshake { .. } => "handshake",
            Link::Transfer(_) | Link::Loading { .. } => "sync",
            Link::Online => "connected",
        }
    }

    /// Whether events of that attempt still mean anything.
    pub fn is_current(&self, attempt: Attempt) -> bool {
        let is_open = !matches!(
            self.link,
            Link::Waiting { .. }
                | Link::Loading {
                    is_connected: false
                }
        );
        is_open && self.attempt == attempt
    }

    pub fn connect(&mut self, core: &mut Core, now_ms: u64) {
        core.last_attempt += 1;
        self.attempt = Attempt(core.last_attempt);
        self.link = Link::Connecting;
        self.last_io_ms = now_ms;
        core.push(Action::Connect {
            attempt: self.attempt,
            host: self.host.clone(),
            port: self.port,
        });
        core.notice("MASTER <-> REPLICA sync started");
    }

    pub fn connected(&mut self, core: &mut Core, now_ms: u64) {
        if !matches!(self.link, Link::Connecting) {
            return;
        }
        core.notice("Non blocking connect for SYNC fired the event.");
        self.last_io_ms = now_ms;
        self.link = Link::Handshake {
            step: Step::Pong,
            due: VecDeque::new(),
        };
        self.send(core, b"*1\r\n$4\r\nPING\r\n".to_vec());
    }

    fn send(&self, core: &mut Core, bytes: Vec<u8>) {
        core.push(Action::SendToPrimary {
            attempt: self.attempt,
            bytes,
        });
    }

    /// One line of the handshake. What PSYNC was answered is for the caller to act on.
    pub fn line(
        &mut self,
        core: &mut Core,
        line: &[u8],
        now_ms: u64,
    ) -> Result<PsyncReply, Misbehaved> {
        self.last_io_ms = now_ms;
        let Link::Handshake { step, due } = &mut self.link else {
            return Ok(PsyncReply::Wait);
        };
        if *step == Step::Psync {
            let reply = handshake::parse_psync_reply(line)?;
            let is_asked = self.asked.is_some();
            if matches!(reply, PsyncReply::Continue { .. }) && !is_asked {
                let text = String::from_utf8_lossy(line).into_owned();
                return Err(Misbehaved::Continue(text));
            }
            return Ok(reply);
        }
        if let Some(note) = handshake::check_reply(*step, line)? {
            core.notice(note);
        }
        let was_pong = *step == Step::Pong;
        if was_pong {
            let (bytes, steps) = handshake::introduction(&core.config);
            *due = steps;
            core.push(Action::SendToPrimary {
                attempt: self.attempt,
                bytes,
            });
        }
        match due.pop_front() {
            Some(next) => *step = next,
            None => {
                *step = Step::Psync;
                self.ask(core);
            }
        }
        Ok(PsyncReply::Wait)
    }

    fn ask(&mut self, core: &mut Core) {
        let history = core.history;
        self.asked = self.is_resumable.then_some((history.id, history.offset));
        match self.asked {
            Some((id, offset)) => core.notice(format!(
                "Trying a partial resynchronization (request {id}:{}).",
                offset.wanted()
            )),
            None => {
                core.notice("Partial resynchronization not possible (no cached master)");
            }
        }
        self.send(core, handshake::psync(self.asked, self.is_failover));
    }

    /// The old way, for who knows no other.
    pub fn fall_back_to_sync(&mut self, core: &mut Core) {
        core.notice("Retrying with SYNC...");
        self.send(core, b"SYNC\r\n".to_vec());
        self.begin_transfer(None);
    }

    pub fn begin_transfer(&mut self, full: Option<(ReplicationId, ReplOffset)>) {
        self.full = full;
        self.is_old = full.is_none();
        self.link = Link::Transfer(Transfer::new());
    }

    /// What comes behind the handshake.
    pub fn data<'a>(
        &mut self,
        core: &mut Core,
        input: &mut &'a [u8],
        now_ms: u64,
    ) -> Result<Option<Received<'a>>, Misbehaved> {
        match &mut self.link {
            Link::Transfer(transfer) => {
                let piece = loop {
                    match transfer.next(input)? {
                        Piece::Newline => self.last_io_ms = now_ms,
                        piece => break piece,
                    }
                };
                if piece != Piece::Nothing {
                    self.last_io_ms = now_ms;
                }
                Ok(match piece {
                    Piece::Header => {
                        let total_bytes = transfer.total_bytes;
                        log_header(core, total_bytes);
                        Some(Received::SnapshotBegin { total_bytes })
                    }
                    Piece::Data(data) => Some(Received::Snapshot(data)),
                    Piece::End => {
                        self.link = Link::Loading { is_connected: true };
                        self.next_ack_ms = now_ms + ACK_MS;
                        Some(Received::SnapshotEnd)
                    }
                    Piece::Nothing | Piece::Newline => None,
                })
            }
            Link::Loading { is_connected: true } => {
                self.hold(core.config.held_stream_max_bytes, input);
                Ok(None)
            }
            Link::Online => Ok(self.stream(input, now_ms)),
            _ => Ok(None),
        }
    }

    fn stream<'a>(&mut self, input: &mut &'a [u8], now_ms: u64) -> Option<Received<'a>> {
        let bytes = if let Some(held) = self.held.pop_front() {
            self.held_bytes -= held.len();
            Cow::Owned(held)
        } else if input.is_empty() {
            return None;
        } else {
            self.last_io_ms = now_ms;
            Cow::Borrowed(std::mem::take(input))
        };
        self.read_offset = self.read_offset.plus(bytes.len());
        Some(Received::Stream(bytes))
    }

    /// Keeps what comes behind a snapshot that is still being loaded, as far as there is room; the
    /// rest stays in the socket.
    fn hold(&mut self, max_bytes: usize, input: &mut &[u8]) {
        let room = max_bytes.saturating_sub(self.held_bytes).min(input.len());
        let (bytes, rest) = input.split_at(room);
        *input = rest;
        if bytes.is_empty() {
            return;
        }
        match self.held.back_mut() {
            Some(last) if last.len() + bytes.len() <= HELD_PIECE_BYTES => {
                last.extend_from_slice(bytes);
            }
            _ => self.held.push_back(bytes.to_vec()),
        }
        self.held_bytes += bytes.len();
        self.held_peak_bytes = self.held_peak_bytes.max(self.held_bytes);
    }

    /// The stream flows from `offset` on.
    pub fn go_online(&mut self, core: &mut Core, now_ms: u64) {
        let is_connected = !matches!(
            self.link,
            Link::Loading {
                is_connected: false
            }
        );
        self.link = Link::Online;
        self.read_offset = core.offset();
        self.last_io_ms = now_ms;
        self.failures = 0;
        self.full = None;
        self.asked = None;
        self.is_requested = false;
        self.is_failover = false;
        self.is_resumable = !self.is_old;
        self.tail_from = None;
        if is_connected {
            self.send_ack(core, None, now_ms);
        } else {
            core.notice("The link to the master broke while its snapshot was being loaded");
            self.fail(core, Pace::Now, now_ms);
        }
    }

    /// Says how far we are, if the other end wants to know.
    pub fn send_ack(&mut self, core: &mut Core, fsynced: Option<ReplOffset>, now_ms: u64) {
        self.next_ack_ms = now_ms + ACK_MS;
        self.is_ack_wanted = false;
        if self.is_old {
            return;
        }
        let offset = core.offset().to_string();
        let fsynced = fsynced.map(|offset| offset.to_string());
        let mut args: Vec<&[u8]> = vec![b"REPLCONF", b"ACK", offset.as_bytes()];
        if let Some(fsynced) = &fsynced {
            args.extend([&b"FACK"[..], fsynced.as_bytes()]);
        }
        let mut bytes = Vec::new();
        handshake::command(&mut bytes, &args);
        self.send(core, bytes);
    }

    /// Gives the link up and plans the next one.
    pub fn fail(&mut self, core: &mut Core, pace: Pace, now_ms: u64) {
        let was_online = self.is_online();
        self.abandon(core);
        if was_online {
            self.down_since_ms = Some(now_ms);
        }
        let exponent = self.failures.min(16);
        let pause_ms = match pace {
            Pace::Now => 0,
            Pace::Soon => (SOON_MIN_MS << exponent).min(SOON_MAX_MS),
            Pace::Slow => (SLOW_MIN_MS << exponent).min(SLOW_MAX_MS),
        };
        // A little jitter, so that many replicas do not come back at the same moment.
        let jitter_ms = core.random.below(pause_ms / 10 + 1);
        self.failures += u32::from(pace != Pace::Now);
        self.link = Link::Waiting {
            at_ms: now_ms + pause_ms + jitter_ms,
        };
        if pace == Pace::Now {
            core.notice(format!(
                "Reconnecting to MASTER {}:{}",
                self.host, self.port
            ));
            self.connect(core, now_ms);
        }
    }

    /// Leaves whatever is under way.
    pub fn abandon(&mut self, core: &mut Core) {
        match self.link {
            Link::Waiting { .. } => {}
            Link::Connecting | Link::Handshake { .. } => self.close(core),
            Link::Loading {
                is_connected: false,
            } => core.push(Action::AbortLoad),
            Link::Transfer(_) | Link::Loading { .. } => {
                core.push(Action::AbortLoad);
                self.close(core);
            }
            Link::Online => {
                core.push(Action::DropUnapplied);
                self.close(core);
            }
        }
        self.held.clear();
        self.held_bytes = 0;
        self.read_offset = core.offset();
        self.link = Link::Waiting { at_ms: u64::MAX };
    }

    fn close(&self, core: &mut Core) {
        core.push(Action::CloseAttempt {
            attempt: self.attempt,
        });
    }

    /// What happens if nothing is heard until `deadline_ms`.
    fn deadline_ms(&self, core: &Core) -> u64 {
        match self.link {
            Link::Waiting { at_ms } => at_ms,
            Link::Loading { .. } => u64::MAX,
            _ => self
                .last_io_ms
                .saturating_add(core.config.timeout_ms)
                .saturating_add(1),
        }
    }

    pub fn next_timeout_ms(&self, core: &Core) -> u64 {
        match self.link {
            Link::Online | Link::Loading { is_connected: true } => {
                self.deadline_ms(core).min(self.next_ack_ms)
            }
            _ => self.deadline_ms(core),
        }
    }

    pub fn handle_timeout(&mut self, core: &mut Core, fsynced: Option<ReplOffset>, now_ms: u64) {
        if now_ms >= self.deadline_ms(core) {
            self.expire(core, now_ms);
        } else if now_ms >= self.next_ack_ms {
            match self.link {
                Link::Online => self.send_ack(core, fsynced, now_ms),
                Link::Loading { is_connected: true } => {
                    // Not an acknowledgement, but a sign of life.
                    self.send(core, b"\n".to_vec());
                    self.next_ack_ms = now_ms + ACK_MS;
                }
                _ => {}
            }
        }
    }

    fn expire(&mut self, core: &mut Core, now_ms: u64) {
        match self.link {
            Link::Waiting { .. } => {
                core.notice(format!("Connecting to MASTER {}:{}", self.host, self.port));
                self.connect(core, now_ms);
            }
            Link::Connecting | Link::Handshake { .. } => {
                core.warning("Timeout connecting to the MASTER...");
                self.fail(core, Pace::Soon, now_ms);
            }
            Link::Transfer(_) => {
                core.warning(
                    "Timeout receiving bulk data from MASTER... If the problem persists try to set \
                     the 'repl-timeout' parameter in redis.conf to a larger value.",
                );
                self.fail(core, Pace::Soon, now_ms);
            }
            Link::Online => {
                core.warning("MASTER timeout: no data nor PING received...");
                self.lose(core, now_ms);
            }
            Link::Loading { .. } => {}
        }
    }

    /// A link that worked is gone.
    fn lose(&mut self, core: &mut Core, now_ms: u64) {
        core.warning("Connection with master lost.");
        core.notice("Caching the disconnected master state.");
        self.fail(core, Pace::Now, now_ms);
    }

    pub fn connection_lost(&mut self, core: &mut Core, reason: &str, now_ms: u64) {
        match &mut self.link {
            Link::Waiting { .. } => {}
            Link::Connecting => {
                core.warning(format!("Error condition on socket for SYNC: {reason}"));
                self.fail(core, Pace::Soon, now_ms);
            }
            Link::Handshake { .. } => {
                core.warning(format!(
                    "Master did not respond to command during SYNC handshake: {reason}"
                ));
                self.fail(core, Pace::Soon, now_ms);
            }
            Link::Transfer(_) => {
                core.warning(format!("I/O error trying to sync with MASTER: {reason}"));
                self.fail(core, Pace::Soon, now_ms);
            }
            Link::Loading { is_connected } => {
                *is_connected = false;
                core.push(Action::CloseAttempt {
                    attempt: self.attempt,
                });
            }
            Link::Online => self.lose(core, now_ms),
        }
    }

    /// A configuration that may help is there: do not wait for the pause to end.
    pub fn retry_now(&mut self, now_ms: u64) {
        self.failures = 0;
        if let Link::Waiting { at_ms } = &mut self.link {
            *at_ms = now_ms;
        }
    }
}

fn log_header(core: &mut Core, total_bytes: Option<u64>) {
    core.notice(match total_bytes {
        Some(bytes) => {
            format!("MASTER <-> REPLICA sync: receiving {bytes} bytes from master to parser")
        }
        None => "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to parser"
            .to_owned(),
    });
}
