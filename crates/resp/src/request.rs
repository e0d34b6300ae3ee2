//! Incremental parser of requests: RESP arrays of bulk strings, and inline commands.
//!
//! The caller keeps one growing buffer per connection and hands it over whole at each call. The
//! parser remembers absolute offsets into it:
//!
//! ```text
//!   finished requests | args of the current one | header being scanned | not looked at
//!   0 ............ consumed ............... position ............... scanned ...... len
//! ```
//!
//! A request that is wholly there goes through one tight loop straight into `args`. Anything else
//! (long headers, errors, a request that ends early) goes through the general loop, which parks
//! finished arguments in `pending` and never looks at a byte twice, so that a request costs linear
//! time however it is cut.
//!
//! As in the reference implementation, the byte after a header's CR and the two bytes after a bulk
//! string are skipped unread, and a NUL inside a header or inline command hides what follows it,
//! so that such a client runs into the length limit.
//!
//! Tests: at the bottom, `tests/properties.rs`, `examples/fuzz_resp.rs`.

use std::fmt;

use crate::int::parse_i64;
use crate::split::split_args;

/// Spans hold 32 bit offsets, so that one argument costs 8 bytes.
const BUFFER_MAX: usize = u32::MAX as usize;

/// What a client that has not authenticated may send.
const UNAUTHENTICATED_ARGS_MAX: i64 = 10;
const UNAUTHENTICATED_BULK_MAX: i64 = 16 * 1024;

/// A hostile count must not reserve memory ahead of the bytes that justify it.
const RESERVED_ARGS_MAX: usize = 1024;

/// One argument: where it lies in the buffer handed to [`RequestParser::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

impl Span {
    #[inline]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &buf[start..start + self.len as usize]
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest inline command, and longest header line, that may arrive without its end.
    pub inline_max: usize,
    pub multibulk_max: i64,
    /// `proto-max-bulk-len`; what does not fit a span is refused whatever this says.
    pub bulk_max: i64,
    pub authenticated: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            inline_max: 64 * 1024,
            multibulk_max: i64::from(i32::MAX),
            bulk_max: 512 * 1024 * 1024,
            authenticated: true,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// One request's spans were appended to `args`; none at all means an empty request, to skip.
    Request,
    /// An inline command with at least one argument, unquoted. `args` is untouched.
    Inline(Vec<Vec<u8>>),
    /// More bytes are needed: at least `need`, 0 when unknown.
    Incomplete { need: usize },
}

/// The connection cannot be understood any more: answer, then close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    InvalidMultibulkLength,
    InvalidBulkLength,
    UnauthenticatedMultibulkLength,
    UnauthenticatedBulkLength,
    ExpectedDollar {
        got: u8,
    },
    TooBigMultibulkCount,
    TooBigBulkCount,
    TooBigInlineRequest,
    UnbalancedQuotes,
    /// Ours: unfinished input beyond 4 GiB, which spans cannot address.
    TooBigRequest,
}

impl ProtocolError {
    /// The text as bytes. Differs from `Display` only in an offending byte beyond ASCII.
    pub fn text(&self) -> Vec<u8> {
        match *self {
            ProtocolError::ExpectedDollar { got } => {
                [b"Protocol error: expected '$', got '", &[got][..], b"'"].concat()
            }
            ref other => other.to_string().into_bytes(),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        f.write_str(match self {
            ProtocolError::InvalidMultibulkLength => "invalid multibulk length",
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            ProtocolError::UnauthenticatedBulkLength => "unauthenticated bulk length",
            ProtocolError::ExpectedDollar { got } => {
                return write!(f, "expected '$', got '{}'", char::from(*got));
            }
            ProtocolError::TooBigMultibulkCount => "too big mbulk count string",
            ProtocolError::TooBigBulkCount => "too big bulk count string",
            ProtocolError::TooBigInlineRequest => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in request",
            ProtocolError::TooBigRequest => "too big request",
        })
    }
}

impl std::error::Error for ProtocolError {}

/// See the file header. After an error the parser must not be used again.
#[derive(Debug, Default)]
pub struct RequestParser {
    consumed: usize,
    position: usize,
    /// How far the line that starts at `position` was searched for its end.
    scanned: usize,
    /// Arguments still missing; 0 between requests.
    args_left: usize,
    /// The bulk string that starts at `position`, once its header was read.
    bulk_len: Option<u32>,
    pending: Vec<Span>,
    pending_bytes: usize,
}

impl RequestParser {
    pub fn new() -> Self {
        RequestParser::default()
    }

    /// Parses one request from `buf[self.position()..]`, appending its arguments to `args`.
    /// After `Incomplete` call again with the same bytes, [rebased](Self::rebase) or not, and more.
    #[inline]
    pub fn parse(
        &mut self,
        buf: &[u8],
        args: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Progress, ProtocolError> {
        if self.args_left == 0 && buf.len() <= BUFFER_MAX {
            return self.parse_fresh(buf, args, limits);
        }
        self.parse_resumed(buf, args, limits)
    }

    /// Where parsing goes on: the end of what was understood so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Everything before this offset belongs to finished requests and may be dropped.
    #[inline]
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// Passes over `count` bytes between two requests: what the caller knows to be none.
    pub fn skip(&mut self, count: usize) {
        assert!(!self.is_mid_request(), "bytes of a request were skipped");
        self.consumed += count;
        self.position = self.consumed;
        self.scanned = self.consumed;
    }

    /// The caller removed `dropped` bytes, at most [`consumed`](Self::consumed), at the front.
    #[inline]
    pub fn rebase(&mut self, dropped: usize) {
        assert!(dropped <= self.consumed, "bytes in use were dropped");
        if dropped == 0 {
            return;
        }
        self.consumed -= dropped;
        self.position -= dropped;
        self.scanned = self.scanned.saturating_sub(dropped);
        for span in &mut self.pending {
            // No overflow: pending spans lie behind `consumed`.
            span.start -= dropped as u32;
        }
    }

    /// Whether some arguments of a request are still missing.
    pub fn is_mid_request(&self) -> bool {
        self.args_left > 0
    }

    /// Bytes that the argument being received still lacks when the buffer holds `len`; 0 if that is
    /// not known.
    pub fn missing_bytes(&self, len: usize) -> usize {
        let end = self
            .bulk_len
            .map_or(0, |bulk| self.position + bulk as usize + 2);
        end.saturating_sub(len)
    }

    /// Count and total length of the arguments of a partial request that are already there.
    pub fn args_pending(&self) -> (usize, usize) {
        (self.pending.len(), self.pending_bytes)
    }

    /// A request from its first byte: the tight loop, as long as everything is short and there.
    #[inline]
    fn parse_fresh(
        &mut self,
        buf: &[u8],
        args: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Progress, ProtocolError> {
        let rest = &buf[self.position..];
        let Some((count, header_len)) = short_header(rest, b'*') else {
            return self.begin(buf, args, limits);
        };
        if count as i64 > limits.args_max() {
            return self.begin(buf, args, limits);
        }
        let first = args.len();
        args.reserve(count);
        let bulk_max = limits.bulk_max();
        let mut position = self.position + header_len;
        let mut args_left = count;
        while args_left > 0 {
            let Some((len, header_len)) = short_header(&buf[position..], b'$') else {
                break;
            };
            let start = position + header_len;
            let end = start + len + 2;
            if end > buf.len() || len as i64 > bulk_max {
                break;
            }
            args.push(Span {
                start: start as u32,
                len: len as u32,
            });
            position = end;
            args_left -= 1;
        }
        self.position = position;
        if args_left == 0 {
            self.consumed = position;
            return Ok(Progress::Request);
        }
        self.args_left = args_left;
        self.parse_rest(buf, args, first, limits)
    }

    /// A request whose beginning is not a short array header.
    #[cold]
    fn begin(
        &mut self,
        buf: &[u8],
        args: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Progress, ProtocolError> {
        match buf.get(self.position) {
            None => return Ok(Progress::Incomplete { need: 0 }),
            Some(b'*') => {}
            Some(_) => return self.inline(buf, limits),
        }
        let Some(end) = self.line_end(buf, b'\r', limits, ProtocolError::TooBigMultibulkCount)?
        else {
            return Ok(Progress::Incomplete { need: 0 });
        };
        let count = parse_i64(&buf[self.position + 1..end])
            .filter(|&count| count <= limits.multibulk_max)
            .ok_or(ProtocolError::InvalidMultibulkLength)?;
        if count > limits.args_max() {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        self.position = end + 2;
        let Some(args_left) = usize::try_from(count).ok().filter(|&count| count > 0) else {
            self.consumed = self.position;
            return Ok(Progress::Request);
        };
        self.args_left = args_left;
        let first = args.len();
        args.reserve(args_left.min(RESERVED_ARGS_MAX));
        self.parse_rest(buf, args, first, limits)
    }

    /// The arguments that the tight loop left over, of a request that began in this call. The
    /// request's arguments so far are `args[first..]`.
    fn parse_rest(
        &mut self,
        buf: &[u8],
        args: &mut Vec<Span>,
        first: usize,
        limits: &Limits,
    ) -> Result<Progress, ProtocolError> {
        let Some(need) = self.parse_bulks(buf, args, limits)? else {
            return Ok(Progress::Request);
        };
        self.pending.extend_from_slice(&args[first..]);
        self.pending_bytes = total_len(&self.pending);
        args.truncate(first);
        Ok(Progress::Incomplete { need })
    }

    #[cold]
    fn parse_resumed(
        &mut self,
        buf: &[u8],
        args: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Progress, ProtocolError> {
        let visible = &buf[..buf.len().min(BUFFER_MAX)];
        let progress = if self.args_left == 0 {
            self.parse_fresh(visible, args, limits)?
        } else {
            let mut pending = std::mem::take(&mut self.pending);
            let known = pending.len();
            match self.parse_bulks(visible, &mut pending, limits)? {
                Some(need) => {
                    self.pending_bytes += total_len(&pending[known..]);
                    self.pending = pending;
                    Progress::Incomplete { need }
                }
                None => {
                    args.append(&mut pending);
                    if pending.capacity() <= RESERVED_ARGS_MAX {
                        self.pending = pending;
                    }
                    self.pending_bytes = 0;
                    Progress::Request
                }
            }
        };
        if visible.len() < buf.len() && matches!(progress, Progress::Incomplete { .. }) {
            return Err(ProtocolError::TooBigRequest);
        }
        Ok(progress)
    }

    /// The general loop: goes on wherever the request stopped. `None` when it is finished, else
    /// how many bytes are known to be missing.
    fn parse_bulks(
        &mut self,
        buf: &[u8],
        spans: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        while self.args_left > 0 {
            let len = match self.bulk_len {
                Some(len) => len,
                None => match self.bulk_header(buf, limits)? {
                    Some(len) => len,
                    None => return Ok(Some(0)),
                },
            };
            let end = self.position + len as usize + 2;
            if end > buf.len() {
                self.bulk_len = Some(len);
                return Ok(Some(end - buf.len()));
            }
            spans.push(Span {
                start: self.position as u32,
                len,
            });
            self.bulk_len = None;
            self.position = end;
            self.args_left -= 1;
        }
        self.consumed = self.position;
        Ok(None)
    }

    fn bulk_header(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<u32>, ProtocolError> {
        if let Some((len, header_len)) = short_header(&buf[self.position..], b'$')
            && len as i64 <= limits.bulk_max()
        {
            self.position += header_len;
            return Ok(Some(len as u32));
        }
        let Some(end) = self.line_end(buf, b'\r', limits, ProtocolError::TooBigBulkCount)? else {
            return Ok(None);
        };
        let line = &buf[self.position..end];
        if line.first() != Some(&b'$') {
            return Err(ProtocolError::ExpectedDollar {
                got: buf[self.position],
            });
        }
        let len = parse_i64(&line[1..])
            .filter(|&len| len <= limits.bulk_max)
            .and_then(|len| u32::try_from(len).ok())
            .ok_or(ProtocolError::InvalidBulkLength)?;
        if i64::from(len) > limits.bulk_max() {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        self.position = end + 2;
        if self.position + len as usize + 2 > BUFFER_MAX {
            return Err(ProtocolError::TooBigRequest);
        }
        Ok(Some(len))
    }

    fn inline(&mut self, buf: &[u8], limits: &Limits) -> Result<Progress, ProtocolError> {
        let found = self.line_end(buf, b'\n', limits, ProtocolError::TooBigInlineRequest)?;
        let Some(newline) = found else {
            return Ok(Progress::Incomplete { need: 0 });
        };
        let line = &buf[self.position..newline];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let args = split_args(line).ok_or(ProtocolError::UnbalancedQuotes)?;
        self.position = newline + 1;
        self.consumed = self.position;
        Ok(if args.is_empty() {
            Progress::Request
        } else {
            Progress::Inline(args)
        })
    }

    /// Where the line that starts at `position` ends, or `None` while that is not known. A CR
    /// counts only together with the byte after it.
    fn line_end(
        &mut self,
        buf: &[u8],
        terminator: u8,
        limits: &Limits,
        too_long: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let from = self.scanned.max(self.position);
        let stop = buf[from..]
            .iter()
            .position(|&byte| byte == terminator || byte == 0);
        self.scanned = stop.map_or(buf.len(), |index| from + index);
        if buf.get(self.scanned) != Some(&terminator) {
            if buf.len() - self.position > limits.inline_max {
                return Err(too_long);
            }
            return Ok(None);
        }
        let whole = terminator == b'\n' || self.scanned + 1 < buf.len();
        Ok(whole.then_some(self.scanned))
    }
}

impl Limits {
    #[inline]
    fn args_max(&self) -> i64 {
        if self.authenticated {
            self.multibulk_max
        } else {
            self.multibulk_max.min(UNAUTHENTICATED_ARGS_MAX)
        }
    }

    #[inline]
    fn bulk_max(&self) -> i64 {
        if self.authenticated {
            self.bulk_max
        } else {
            self.bulk_max.min(UNAUTHENTICATED_BULK_MAX)
        }
    }
}

/// Reads a header of at most three digits: its number and its length with line end. `None` says
/// nothing about validity, only that the general path must look.
#[inline(always)]
fn short_header(rest: &[u8], prefix: u8) -> Option<(usize, usize)> {
    let digit = |byte: u8| usize::from(byte.wrapping_sub(b'0'));
    match *rest {
        [first, a, b'\r', _, ..] if first == prefix && digit(a) <= 9 => Some((digit(a), 4)),
        [first, a, b, b'\r', _, ..]
            if first == prefix && digit(a).wrapping_sub(1) <= 8 && digit(b) <= 9 =>
        {
            Some((digit(a) * 10 + digit(b), 5))
        }
        [first, a, b, c, b'\r', _, ..]
            if first == prefix
                && digit(a).wrapping_sub(1) <= 8
                && digit(b) <= 9
                && digit(c) <= 9 =>
        {
            Some((digit(a) * 100 + digit(b) * 10 + digit(c), 6))
        }
        _ => None,
    }
}

fn total_len(spans: &[Span]) -> usize {
    spans.iter().map(|span| span.len as usize).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every request in `input` fed in pieces of `step` bytes, dropping what is consumed.
    fn requests(
        input: &[u8],
        step: usize,
        limits: &Limits,
    ) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
        let (mut parser, mut buf, mut found) = (RequestParser::new(), Vec::new(), Vec::new());
        for piece in input.chunks(step) {
            buf.extend_from_slice(piece);
            loop {
                let mut args = Vec::new();
                match parser.parse(&buf, &mut args, limits) {
                    Ok(Progress::Request) => {
                        found.push(args.iter().map(|span| span.of(&buf).to_vec()).collect());
                    }
                    Ok(Progress::Inline(args)) => found.push(args),
                    Ok(Progress::Incomplete { .. }) => break,
                    Err(error) => return (found, Some(error)),
                }
            }
            buf.drain(..parser.consumed());
            parser.rebase(parser.consumed());
        }
        (found, None)
    }

    fn check(input: &str, expected: &[&[&str]], error: Option<&str>) {
        check_with(&Limits::default(), input, expected, error);
    }

    fn check_with(limits: &Limits, input: &str, expected: &[&[&str]], error: Option<&str>) {
        let expected: Vec<Vec<Vec<u8>>> = expected
            .iter()
            .map(|args| args.iter().map(|arg| arg.as_bytes().to_vec()).collect())
            .collect();
        for step in [1, 2, 3, 7, input.len().max(1)] {
            let (found, failure) = requests(input.as_bytes(), step, limits);
            assert_eq!(found, expected, "{input:?} in steps of {step}");
            let failure = failure.map(|failure| failure.to_string());
            assert_eq!(failure.as_deref(), error, "{input:?} in steps of {step}");
        }
    }

    #[test]
    fn pipelined_arrays_are_parsed_one_by_one() {
        let input =
            "*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\nhello\r\nworld\r\n*2\r\n$3";
        check(input, &[&["PING"], &["SET", "", "hello\r\nworld"]], None);
    }

    #[test]
    fn empty_requests_are_skipped() {
        check(
            "\r\n\n*0\r\n*-10\r\n  \t\r\nPING\r\n",
            &[&[], &[], &[], &[], &[], &["PING"]],
            None,
        );
    }

    #[test]
    fn inline_commands_are_unquoted() {
        let input = "set k \"a\\x41\\n\"\r\nget 'x y'\n*1\r\n$1\r\nx\r\n";
        check(
            input,
            &[&["set", "k", "aA\n"], &["get", "x y"], &["x"]],
            None,
        );
        check(
            "set \"\"\"k\"\"\" v\r\n",
            &[],
            Some("Protocol error: unbalanced quotes in request"),
        );
    }

    #[test]
    fn malformed_headers_get_the_reference_texts() {
        let cases = [
            ("*3000000000\r\n", "invalid multibulk length"),
            ("*\r\n", "invalid multibulk length"),
            ("*01\r\n", "invalid multibulk length"),
            ("*1x\r\n", "invalid multibulk length"),
            ("*1\r\n$-10\r\n", "invalid bulk length"),
            ("*1\r\n$2000000000\r\n", "invalid bulk length"),
            ("*1\r\n$blabla\r\n", "invalid bulk length"),
            ("*1\r\n$\r\n", "invalid bulk length"),
            ("*1\r\n$00\r\n", "invalid bulk length"),
            ("*1\r\nfoo\r\n", "expected '$', got 'f'"),
            ("*2\r\n$1\r\nx\r\n:1\r\n", "expected '$', got ':'"),
            ("*1\r\n\r\n", "expected '$', got '\r'"),
        ];
        for (input, error) in cases {
            check(input, &[], Some(&format!("Protocol error: {error}")));
        }
        let raw = ProtocolError::ExpectedDollar { got: 0xff }.text();
        assert_eq!(raw, b"Protocol error: expected '$', got '\xff'");
    }

    #[test]
    fn endless_lines_are_cut_at_the_limit() {
        let limits = Limits {
            inline_max: 16,
            ..Limits::default()
        };
        let long = "1".repeat(17);
        let cases = [
            (long.clone(), "too big inline request"),
            (format!("\0{long}\n"), "too big inline request"),
            (format!("*{long}"), "too big mbulk count string"),
            (format!("*\0{long}\r\n"), "too big mbulk count string"),
            (format!("*1\r\n${long}"), "too big bulk count string"),
            (format!("*1\r\nfoo{long}"), "too big bulk count string"),
        ];
        for (input, error) in cases {
            check_with(
                &limits,
                &input,
                &[],
                Some(&format!("Protocol error: {error}")),
            );
        }
        check_with(&limits, "*1\r\n$1234567890", &[], None);
    }

    #[test]
    fn clients_that_have_not_authenticated_are_limited() {
        let limits = Limits {
            authenticated: false,
            ..Limits::default()
        };
        let error = Some("Protocol error: unauthenticated multibulk length");
        check_with(&limits, "*11\r\n", &[], error);
        let error = Some("Protocol error: unauthenticated bulk length");
        check_with(&limits, "*10\r\n$16385\r\n", &[], error);
        let big = "x".repeat(16384);
        check_with(
            &limits,
            &format!("*1\r\n$16384\r\n{big}\r\n"),
            &[&[&big]],
            None,
        );
        // What is invalid for everyone is called so first.
        let error = Some("Protocol error: invalid bulk length");
        check_with(&limits, "*1\r\n$600000000\r\n", &[], error);
    }

    #[test]
    fn small_configured_limits_hold_in_the_tight_loop() {
        let limits = Limits {
            bulk_max: 3,
            multibulk_max: 2,
            ..Limits::default()
        };
        let error = Some("Protocol error: invalid bulk length");
        check_with(&limits, "*1\r\n$4\r\nabcd\r\n", &[], error);
        let error = Some("Protocol error: invalid multibulk length");
        check_with(&limits, "*3\r\n", &[], error);
        check_with(&limits, "*1\r\n$3\r\nabc\r\n", &[&["abc"]], None);
    }

    #[test]
    fn a_missing_bulk_is_announced_and_counted() {
        let limits = Limits::default();
        let (mut parser, mut args) = (RequestParser::new(), Vec::new());
        let buf = b"*1\r\n$1\r\nx\r\n*3\r\n$3\r\nSET\r\n$2\r\nkk\r\n$1000\r\nabc";
        assert_eq!(parser.parse(buf, &mut args, &limits), Ok(Progress::Request));
        assert_eq!(args.len(), 1);
        let progress = parser.parse(buf, &mut args, &limits);
        assert_eq!(progress, Ok(Progress::Incomplete { need: 999 }));
        assert_eq!((args.len(), parser.args_pending()), (1, (2, 5)));
        assert_eq!((parser.consumed(), parser.is_mid_request()), (11, true));

        parser.rebase(11);
        args.clear();
        let mut buf = buf[11..].to_vec();
        buf.extend([b'd'; 999]);
        assert_eq!(
            parser.parse(&buf, &mut args, &limits),
            Ok(Progress::Request)
        );
        assert_eq!(args[1].of(&buf), b"kk");
        assert_eq!(args[2].len, 1000);
        assert_eq!(
            (parser.consumed(), parser.args_pending()),
            (buf.len(), (0, 0))
        );
    }

    #[test]
    fn a_length_beyond_the_address_range_is_refused() {
        let limits = Limits {
            bulk_max: i64::MAX,
            ..Limits::default()
        };
        let error = Some("Protocol error: invalid bulk length");
        check_with(&limits, "*1\r\n$4294967296\r\n", &[], error);
        let error = Some("Protocol error: too big request");
        check_with(&limits, "*1\r\n$4294967290\r\n", &[], error);
        check_with(&limits, "*1\r\n$4294967200\r\nx", &[], None);
    }
}
