//! Running what our primary sends.
//!
//! A session like a client's, listed and killable, in which the stream's requests run in batches as
//! in `input`, but without asking the gate: what a primary did is no longer up for decision.
//! Expired keys count as there meanwhile; no reply is kept; an error is logged, for it means that
//! we and our primary disagree.
//!
//! A unit is a request, or a whole transaction. [`Engine::feed_primary`] says where the last whole
//! unit ended; what follows was not run, or was only queued, and is void if the link breaks.
//!
//! Tests: `tests/stream.rs`.

use crate::engine::{ConnInfo, Engine, SessionId};
use crate::host::{Host, LogLevel};
use crate::input::{Scratch, Stop};
use crate::session::{Session, SessionFlags};
use keyspace::ExpiredKeys;
use resp::Writer;
use smallvec::SmallVec;

/// An error's text is cut here in the log.
const LOGGED_ERROR_MAX: usize = 4096;

/// How far a stream has run, in its bytes since the session began.
#[derive(Clone, Copy, Default)]
pub(crate) struct StreamPosition {
    /// Where the session's input buffer begins.
    input_at: u64,
    /// Where the last whole unit ended.
    unit_end: u64,
}

impl Engine {
    /// A session that runs what our primary sends, its stream being in database `db`.
    pub fn connect_primary(&mut self, info: ConnInfo, db: u32) -> SessionId {
        let id = self.admit(info);
        if let Some(session) = self.sessions.get_mut(id) {
            session.flags.set(SessionFlags::PRIMARY_LINK, true);
            session.flags.set(SessionFlags::TRUSTED, true);
            session.authenticated = true;
            session.db = db;
        }
        id
    }

    /// Executes what is whole, and keeps the rest. Returns how many bytes of the stream, counted since
    /// [`Engine::connect_primary`], belong to whole units that ran; `None` if there is no such session
    /// any more.
    pub fn feed_primary(
        &mut self,
        id: SessionId,
        bytes: &[u8],
        host: &mut dyn Host,
    ) -> Option<u64> {
        let mut session = self.sessions.take(id)?;
        if !session.is_primary_link() || session.is_stopped() {
            self.sessions.put(session);
            return None;
        }
        session.net_in_bytes += bytes.len() as u64;
        session.last_used_ms = self.now_us() / 1000;
        self.stats.repl_in_bytes += bytes.len() as u64;
        self.stats.reads_processed += 1;
        self.keyspace.expired_keys = ExpiredKeys::Keep;
        if session.input.is_empty() {
            let used = self.run_stream(&mut session, bytes, host);
            self.keep_input(&mut session, &bytes[used..]);
        } else {
            let mut input = std::mem::take(&mut session.input);
            input.extend_from_slice(bytes);
            session.input_peak_bytes = session.input_peak_bytes.max(input.len());
            let used = self.run_stream(&mut session, &input, host);
            input.drain(..used);
            session.input = input;
            crate::input::make_room(&mut session);
        }
        self.settle_expired_keys();
        let unit_end = session.stream.unit_end;
        self.finish(session);
        if self.settings.maxmemory > 0 {
            // If `replica-ignore-maxmemory` is off; no command of the stream was asked about it.
            self.free_memory(host);
        }
        Some(unit_end)
    }

    /// The database that the stream has selected where its last whole unit ended.
    pub fn stream_db(&self, id: SessionId) -> u32 {
        self.sessions.get(id).map_or(0, |session| session.db)
    }

    /// So many bytes went to a replica of ours.
    pub fn count_sent_to_replica(&mut self, id: SessionId, bytes: usize) {
        self.stats.repl_out_bytes += bytes as u64;
        if let Some(session) = self.sessions.get_mut(id) {
            session.net_out_bytes += bytes as u64;
        }
    }

    /// Runs the whole requests at the front of `buf`; returns how many bytes they were.
    fn run_stream(&mut self, session: &mut Session, buf: &[u8], host: &mut dyn Host) -> usize {
        let mut scratch = std::mem::take(&mut self.scratch);
        // Only to be thrown away, but a handler needs something to write to.
        let mut out = self.writer_for(session);
        self.ticks_ns = host.ticks_ns();
        loop {
            let stop = self.parse_batch(session, buf, &mut scratch);
            self.prefetch(session.db, buf, &mut scratch);
            self.run_stream_batch(session, &mut out, host, buf, &scratch);
            match stop {
                _ if session.is_stopped() => break,
                Stop::Full => {}
                Stop::NeedsMore => break,
                // A primary sends line ends alone to keep a connection alive.
                Stop::Inline(args) => {
                    let args: SmallVec<[&[u8]; 8]> = args.iter().map(Vec::as_slice).collect();
                    self.execute(session, &mut out, host, None, &args, &[]);
                    let end = session.parser.consumed();
                    self.note_unit(session, end);
                }
                Stop::Broken(text) => {
                    let what = String::from_utf8_lossy(&text);
                    let text = format!("Protocol error ({what}) in the stream of our master");
                    host.log(LogLevel::Warning, &text);
                    session.flags.set(SessionFlags::CLOSE_ASAP, true);
                    break;
                }
            }
        }
        let consumed = session.parser.consumed();
        session.parser.rebase(consumed);
        session.stream.input_at += consumed as u64;
        self.end_run(session, out, scratch);
        consumed
    }

    fn run_stream_batch(
        &mut self,
        session: &mut Session,
        out: &mut Writer,
        host: &mut dyn Host,
        buf: &[u8],
        scratch: &Scratch,
    ) {
        let mut args: SmallVec<[&[u8]; 24]> = SmallVec::new();
        for request in scratch.requests.iter().filter(|r| r.span_count > 0) {
            if session.is_stopped() {
                return;
            }
            args.clear();
            let spans =
                &scratch.spans[request.first_span as usize..][..request.span_count as usize];
            args.extend(spans.iter().map(|s| s.of(buf)));
            let wire = &buf[request.start..request.end];
            self.execute(session, out, host, request.command, &args, wire);
            self.note_unit(session, request.end);
        }
    }

    /// A request that ended at `end` of the buffer has run, or was queued.
    #[inline]
    fn note_unit(&self, session: &mut Session, end: usize) {
        if !session.in_multi() {
            session.stream.unit_end = session.stream.input_at + end as u64;
        }
    }

    /// An error in the stream of a primary, or for a replica, which never hears of it.
    #[cold]
    pub(crate) fn log_unheard_error(
        &mut self,
        session: &Session,
        error: &[u8],
        host: &mut dyn Host,
    ) {
        let (from, to) = match session.is_primary_link() {
            true => ("replica", "master"),
            false => ("master", "replica"),
        };
        let error = &error[..error.len().min(LOGGED_ERROR_MAX)];
        let text = format!(
            "== CRITICAL == This {from} is sending an error to its {to}: '{}' after processing the command '{}'",
            String::from_utf8_lossy(error),
            session
                .last_command
                .map_or("<unknown>", |id| id.full_name()),
        );
        host.log(LogLevel::Warning, &text);
        self.stats.unexpected_error_replies += 1;
    }
}
