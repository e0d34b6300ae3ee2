//! From received bytes to executed requests.
//!
//! Requests are parsed in batches; for each batch the tables' buckets and then the cells of its
//! first keys are prefetched before the first request runs, so that their memory latencies overlap.
//! Bytes that cannot run yet (a partial request, or anything behind a request that blocked) stay in
//! the session's own input buffer; a session without such bytes owns no buffer.

use crate::ctx::Args;
use crate::engine::{Engine, SessionId};
use crate::error::ReplyError;
use crate::host::{Host, LogLevel};
use crate::session::{Session, SessionFlags};
use commands::CommandId;
use keyspace::Value;
use resp::{Limits, Progress, RequestParser, Span, Writer};
use smallvec::SmallVec;

/// Requests per batch: enough to overlap memory latencies, few enough to stay in the first cache.
pub(crate) const BATCH: usize = 32;
/// A session's own input buffer begins with this.
const INPUT_BYTES: usize = 16 * 1024;
/// The least room that is worth a read.
const READ_MIN_BYTES: usize = 4 * 1024;
/// Arguments from this size on get their room at once.
const BIG_ARG_BYTES: usize = 32 * 1024;
/// Room made for an argument on its length alone.
const AHEAD_BYTES: usize = 1024 * 1024;

/// More arguments than this are not provided for between calls.
const SPANS_KEPT: usize = 4096;

/// Reused by every call.
#[derive(Default)]
pub(crate) struct Scratch {
    pub spans: Vec<Span>,
    pub requests: Vec<Request>,
}

impl Scratch {
    /// One huge request must not keep its memory for ever.
    pub fn trim(&mut self) {
        if self.spans.capacity() > SPANS_KEPT {
            self.spans = Vec::new();
        }
    }
}

pub(crate) struct Request {
    /// Where the request's bytes begin and end.
    pub start: usize,
    pub end: usize,
    pub first_span: u32,
    pub span_count: u32,
    pub command: Option<CommandId>,
    /// Hash and span of the first key, once it is prefetched.
    pub key: Option<(u64, u32)>,
}

/// What stopped a batch from growing.
pub(crate) enum Stop {
    Full,
    NeedsMore,
    Inline(Vec<Vec<u8>>),
    Broken(Vec<u8>),
}

/// Which argument of a command on one container names the member or field it will look for.
#[inline]
fn member_at(command: CommandId) -> Option<u32> {
    use CommandId::*;
    match command {
        Hset | Hget | Hmget | Hdel | Hexists | Hincrby | Hincrbyfloat | Hsetnx | Hmset
        | Hstrlen => Some(2),
        Sadd | Srem | Sismember | Smismember => Some(2),
        Zscore | Zrem | Zrank | Zrevrank | Zmscore => Some(2),
        Zadd | Zincrby => Some(3),
        _ => None,
    }
}

impl Engine {
    /// Bytes arrived for a session: executes what is complete, keeps the rest.
    pub fn feed(&mut self, id: SessionId, data: &[u8], host: &mut dyn Host) {
        let Some(mut session) = self.sessions.take(id) else {
            return;
        };
        session.net_in_bytes += data.len() as u64;
        session.last_used_ms = self.now_us / 1000;
        self.stats.net_in_bytes += data.len() as u64;
        self.stats.reads_processed += 1;
        if session.input.is_empty() && !session.is_stopped() {
            let used = self.run(&mut session, data, host);
            self.keep_input(&mut session, &data[used..]);
            self.check_query_buffer(&mut session, host);
        } else {
            session.input.extend_from_slice(data);
            self.check_query_buffer(&mut session, host);
            self.run_input(&mut session, host);
        }
        self.finish(session);
    }

    /// Keeps bytes that cannot run yet, in a buffer with room for what is known to follow.
    pub(crate) fn keep_input(&mut self, session: &mut Session, rest: &[u8]) {
        if rest.is_empty() {
            return;
        }
        session.input.reserve(rest.len().max(INPUT_BYTES));
        session.input.extend_from_slice(rest);
        make_room(session);
    }

    /// A buffer to receive into directly, if the session is in the middle of a request: saves one
    /// copy of large values. Call [`Engine::fed_directly`] after appending to it.
    pub fn direct_input(&mut self, id: SessionId) -> Option<&mut Vec<u8>> {
        let session = self.sessions.get_mut(id)?;
        if !session.parser.is_mid_request() || session.input.is_empty() {
            return None;
        }
        make_room(session);
        let room = session.input.capacity() - session.input.len();
        let missing = session.parser.missing_bytes(session.input.len());
        if room < READ_MIN_BYTES && (missing == 0 || room < missing) {
            session.input.reserve(INPUT_BYTES);
        }
        Some(&mut session.input)
    }

    /// `count` bytes were appended to [`Engine::direct_input`].
    pub fn fed_directly(&mut self, id: SessionId, count: usize, host: &mut dyn Host) {
        let Some(mut session) = self.sessions.take(id) else {
            return;
        };
        session.net_in_bytes += count as u64;
        session.last_used_ms = self.now_us / 1000;
        self.stats.net_in_bytes += count as u64;
        self.stats.reads_processed += 1;
        self.check_query_buffer(&mut session, host);
        self.run_input(&mut session, host);
        self.finish(session);
    }

    /// Lets sessions that were blocked or paused go on with what they had sent meanwhile.
    pub(crate) fn run_resumed(&mut self, host: &mut dyn Host) {
        while !self.resume.is_empty() {
            // First come, first served, as among clients that were never held up.
            for id in std::mem::take(&mut self.resume) {
                let Some(mut session) = self.sessions.take(id) else {
                    continue;
                };
                self.run_input(&mut session, host);
                self.finish(session);
                self.serve_ready(host);
            }
        }
    }

    fn run_input(&mut self, session: &mut Session, host: &mut dyn Host) {
        if session.is_stopped() || session.input.is_empty() {
            return;
        }
        let mut input = std::mem::take(&mut session.input);
        session.input_peak_bytes = session.input_peak_bytes.max(input.len());
        let used = self.run(session, &input, host);
        // An empty buffer is kept for a while: see `clients`.
        input.drain(..used);
        session.input = input;
        make_room(session);
    }

    /// Executes requests at the front of `buf`; returns how many bytes they were. The parser is
    /// left positioned for the rest.
    fn run(&mut self, session: &mut Session, buf: &[u8], host: &mut dyn Host) -> usize {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut out = self.writer_for(session);
        self.ticks_ns = host.ticks_ns();
        loop {
            let stop = self.parse_batch(session, buf, &mut scratch);
            self.prefetch(session.db, buf, &mut scratch);
            if let Some(start) = self.run_batch(session, &mut out, host, buf, &scratch) {
                // Stopped on the way: what follows is parsed again when the session goes on.
                session.parser = RequestParser::new();
                self.end_run(session, out, scratch);
                return start;
            }
            let go_on = match stop {
                Stop::Full => true,
                Stop::NeedsMore => false,
                Stop::Inline(owned) => {
                    let args: SmallVec<[&[u8]; 8]> = owned.iter().map(Vec::as_slice).collect();
                    self.execute(session, &mut out, host, None, &args, &[]);
                    !session.is_stopped()
                }
                Stop::Broken(text) => {
                    self.protocol_error(session, &mut out, &text, host);
                    self.end_run(session, out, scratch);
                    return buf.len();
                }
            };
            if session.flags.has(SessionFlags::PAUSED) {
                // The inline request itself must wait: leave it unconsumed.
                let start = scratch.requests.last().map_or(0, |r| r.start);
                session.parser = RequestParser::new();
                self.end_run(session, out, scratch);
                return start;
            }
            if !go_on {
                break;
            }
        }
        let consumed = session.parser.consumed();
        session.parser.rebase(consumed);
        self.end_run(session, out, scratch);
        consumed
    }

    pub(crate) fn end_run(&mut self, session: &mut Session, out: Writer, scratch: Scratch) {
        self.store_writer(session, out);
        self.scratch = scratch;
        self.scratch.trim();
    }

    pub(crate) fn parse_batch(
        &mut self,
        session: &mut Session,
        buf: &[u8],
        scratch: &mut Scratch,
    ) -> Stop {
        scratch.spans.clear();
        scratch.requests.clear();
        let limits = Limits {
            bulk_max: match session.is_primary_link() {
                true => i64::MAX,
                false => self.settings.proto_max_bulk_len,
            },
            authenticated: self.is_authenticated(session),
            ..Limits::default()
        };
        // Before authentication each request may change the limits of the next.
        let most = if limits.authenticated { BATCH } else { 1 };
        while scratch.requests.len() < most {
            let start = session.parser.consumed();
            let first_span = scratch.spans.len() as u32;
            match session.parser.parse(buf, &mut scratch.spans, &limits) {
                Ok(Progress::Request) => {
                    let span_count = scratch.spans.len() as u32 - first_span;
                    scratch.requests.push(Request {
                        start,
                        end: session.parser.consumed(),
                        first_span,
                        span_count,
                        command: None,
                        key: None,
                    });
                }
                Ok(Progress::Inline(args)) => {
                    scratch.requests.push(Request {
                        start,
                        end: session.parser.consumed(),
                        first_span,
                        span_count: 0,
                        command: None,
                        key: None,
                    });
                    return Stop::Inline(args);
                }
                Ok(Progress::Incomplete { .. }) => return Stop::NeedsMore,
                Err(error) => return Stop::Broken(error.text()),
            }
        }
        Stop::Full
    }

    /// Looks commands up and starts loading what their first keys need.
    pub(crate) fn prefetch(&mut self, db: u32, buf: &[u8], scratch: &mut Scratch) {
        let Scratch { spans, requests } = scratch;
        let many = requests.len() > 1;
        for request in requests.iter_mut().filter(|r| r.span_count > 0) {
            let spans = &spans[request.first_span as usize..][..request.span_count as usize];
            request.command = self.lookup(spans[0].of(buf));
            if !many {
                continue;
            }
            let first = request.command.map_or(0, |c| c.legacy_range().first) as usize;
            if first > 0 && first < spans.len() {
                let hash = self.keyspace.prefetch_bucket(db, spans[first].of(buf));
                request.key = Some((hash, request.first_span + first as u32));
            }
        }
        let mut any_member = false;
        for request in requests.iter() {
            if let Some((hash, span)) = request.key {
                self.keyspace
                    .prefetch_cell(db, spans[span as usize].of(buf), hash);
                any_member |= request.command.is_some_and(|c| member_at(c).is_some());
            }
        }
        if any_member {
            self.prefetch_members(db, buf, spans, requests);
        }
    }

    /// The same two steps inside of containers: the members' buckets, then their cells.
    fn prefetch_members(&self, db: u32, buf: &[u8], spans: &[Span], requests: &[Request]) {
        let mut found: SmallVec<[(&Value, u64); BATCH]> = SmallVec::new();
        for request in requests {
            let (Some((hash, key)), Some(command)) = (request.key, request.command) else {
                continue;
            };
            let Some(at) = member_at(command).filter(|at| *at < request.span_count) else {
                continue;
            };
            let key = spans[key as usize].of(buf);
            if let Some(value) = self.keyspace.container(db, key, hash) {
                let member = spans[(request.first_span + at) as usize].of(buf);
                if let Some(member) = value.prefetch(member) {
                    found.push((value, member));
                }
            }
        }
        for (value, member) in found {
            value.prefetch_member(member);
        }
    }

    /// Runs the batch. If the session stops on the way, returns where its unexecuted bytes begin.
    fn run_batch(
        &mut self,
        session: &mut Session,
        out: &mut Writer,
        host: &mut dyn Host,
        buf: &[u8],
        scratch: &Scratch,
    ) -> Option<usize> {
        let mut args: SmallVec<[&[u8]; 24]> = SmallVec::new();
        for request in scratch.requests.iter().filter(|r| r.span_count > 0) {
            args.clear();
            let spans =
                &scratch.spans[request.first_span as usize..][..request.span_count as usize];
            args.extend(spans.iter().map(|s| s.of(buf)));
            let wire = &buf[request.start..request.end];
            self.execute(session, out, host, request.command, &args, wire);
            if session.is_stopped() {
                if session.flags.has(SessionFlags::PAUSED) {
                    return Some(request.start);
                }
                let after = scratch
                    .requests
                    .iter()
                    .find(|r| r.start > request.start)
                    .map(|r| r.start);
                return Some(after.unwrap_or(session.parser.consumed()));
            }
        }
        None
    }

    /// Executes one request: gate, call, aftermath.
    pub(crate) fn execute(
        &mut self,
        session: &mut Session,
        out: &mut Writer,
        host: &mut dyn Host,
        command: Option<CommandId>,
        args: Args<'_>,
        wire: &[u8],
    ) {
        let mark = out.len();
        let command = command.or_else(|| self.lookup(args[0]));
        self.process(session, out, host, command, args, wire);
        self.apply_reply_mode(session, out, mark);
        if session.is_replica_link() && out.len() > mark {
            self.cut_off_replica(session, out, mark, host);
        }
        if self.keyspace.journal.has_news()
            || !self.keyspace.garbage.is_empty()
            || !self.strays.is_empty()
        {
            self.aftermath(session, out, host);
        }
        if out.len() > crate::output::CHUNK_BYTES {
            self.cut_chunk(session, out);
        }
    }

    #[cold]
    fn aftermath(&mut self, session: &mut Session, out: &mut Writer, host: &mut dyn Host) {
        self.after_command(Some(session));
        self.serve_ready(host);
        self.drop_garbage(host);
        self.settle_strays(session, out);
    }

    /// Nothing but the stream goes to a replica. One that asks for more is none.
    #[cold]
    fn cut_off_replica(
        &mut self,
        session: &mut Session,
        out: &mut Writer,
        mark: usize,
        host: &mut dyn Host,
    ) {
        out.truncate(mark);
        if matches!(
            session.last_command,
            Some(CommandId::Psync | CommandId::Sync)
        ) {
            return;
        }
        let name = session
            .last_command
            .map_or("<unknown>", |id| id.full_name());
        let client = self.client_log_line(session);
        let text =
            format!("Replica generated a reply to command '{name}', disconnecting it: {client}");
        host.log(LogLevel::Warning, &text);
        session.flags.set(SessionFlags::CLOSE_ASAP, true);
    }

    fn cut_chunk(&mut self, session: &mut Session, out: &mut Writer) {
        let version = out.version();
        let full = std::mem::replace(out, Writer::new(version));
        self.store_writer(session, full);
        self.check_output_limit(session);
        *out = self.writer_for(session);
    }

    /// CLIENT REPLY OFF and SKIP: drops what was written since `mark`.
    pub(crate) fn apply_reply_mode(
        &mut self,
        session: &mut Session,
        out: &mut Writer,
        mark: usize,
    ) {
        out.set_version(session.version);
        if session.flags == SessionFlags::default() {
            return;
        }
        let flags = session.flags;
        if session.is_primary_link() {
            out.truncate(mark);
        }
        if flags.has(SessionFlags::REPLY_OFF) || flags.has(SessionFlags::REPLY_SKIP) {
            // Confirmations of subscriptions are messages, not replies.
            let is_message = session.last_command.is_some_and(confirms_by_message)
                && out.as_bytes().get(mark).is_some_and(|&b| b != b'-');
            if !is_message {
                out.truncate(mark);
            }
        }
        session.flags.set(
            SessionFlags::REPLY_SKIP,
            flags.has(SessionFlags::REPLY_SKIP_NEXT),
        );
        session.flags.set(SessionFlags::REPLY_SKIP_NEXT, false);
    }

    fn protocol_error(
        &mut self,
        session: &mut Session,
        out: &mut Writer,
        text: &[u8],
        host: &mut dyn Host,
    ) {
        let error = ReplyError::bytes([b"ERR ", text].concat());
        self.stats.count_error(error.code());
        out.error_bytes(error.text());
        session.flags.set(SessionFlags::CLOSE_AFTER_REPLY, true);
        let client = self.client_log_line(session);
        let what = String::from_utf8_lossy(text);
        host.log(LogLevel::Verbose, &format!("{what} from client: {client}"));
    }

    /// Closes a client whose unexecuted input exceeds `client-query-buffer-limit`; to be called before
    /// it runs, because a request that alone is beyond the limit must not run.
    fn check_query_buffer(&mut self, session: &mut Session, host: &mut dyn Host) {
        let bytes = session.input.len() + session.queued_bytes;
        if bytes <= self.settings.query_buffer_limit_bytes {
            return;
        }
        self.stats.query_buffer_limit_disconnections += 1;
        let client = self.client_log_line(session);
        let text = format!(
            "Closing client that reached max query buffer length: {client} ({bytes} bytes)"
        );
        host.log(LogLevel::Warning, &text);
        session.flags.set(SessionFlags::CLOSE_ASAP, true);
    }
}

/// Room for a large argument whose length is known, so that the buffer does not grow by small
/// steps. Beyond [`AHEAD_BYTES`] no more than was already sent: announcing half a gigabyte is free.
pub(crate) fn make_room(session: &mut Session) {
    let missing = session.parser.missing_bytes(session.input.len());
    let room = session.input.capacity() - session.input.len();
    if missing >= BIG_ARG_BYTES && room < missing.min(BIG_ARG_BYTES) {
        session
            .input
            .reserve_exact(missing.min(session.input.len().max(AHEAD_BYTES)));
    }
    session.input_peak_bytes = session.input_peak_bytes.max(session.input.len());
}

fn confirms_by_message(id: CommandId) -> bool {
    use CommandId::*;
    matches!(
        id,
        Subscribe | Psubscribe | Ssubscribe | Unsubscribe | Punsubscribe | Sunsubscribe
    )
}
