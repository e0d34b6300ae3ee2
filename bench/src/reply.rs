//! Counts complete RESP replies in a byte stream without building them.
//!
//! Mechanism: a reply is a number of elements still to come. A scalar closes one element; an
//! aggregate header of n opens n and closes itself; when none is open, a reply is complete. So
//! nesting needs no stack. Bulk payloads are passed over by length, and only a header line cut in
//! two by the end of a read is ever copied.
//!
//! Does not know which request a reply answers, and does not look into values. RESP2 and RESP3
//! values are understood; push messages are refused, since the load generator subscribes to
//! nothing.
//!
//! Tests: at the bottom, including one against a plain recursive reader on random replies.

use std::fmt;

/// What a stream of replies has contained so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub replies: u64,
    /// Error replies, those inside an array included.
    pub errors: u64,
    /// Null bulks, arrays and RESP3 nulls.
    pub nulls: u64,
    /// Text of the first error, for the message that stops a run.
    pub first_error: Option<String>,
}

/// The stream is not RESP; nothing after this point can be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed reply: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// Longest header line accepted; a longer one means that the peer does not speak RESP.
const LINE_LIMIT_BYTES: usize = 64 * 1024;

/// The incremental counter, one per connection.
#[derive(Debug, Default)]
pub struct ReplySkipper {
    /// Bytes of a bulk payload, its CRLF included, still to be passed over.
    skip_bytes: u64,
    /// Elements of the current reply still missing; 0 between replies.
    open_elements: u64,
    /// The first part of a header line that the last read cut off.
    cut_line: Vec<u8>,
}

impl ReplySkipper {
    /// Passes over `bytes`, adding what they complete to `counts`.
    pub fn feed(&mut self, bytes: &[u8], counts: &mut Counts) -> Result<(), Malformed> {
        let mut rest = bytes;
        if !self.cut_line.is_empty() {
            let Some(end) = line_end(rest) else {
                return self.keep_cut_line(rest);
            };
            let mut line = std::mem::take(&mut self.cut_line);
            line.extend_from_slice(&rest[..end]);
            self.header(&line, counts)?;
            rest = &rest[end + 1..];
        }
        loop {
            if self.skip_bytes > 0 {
                let skipped = self.skip_bytes.min(rest.len() as u64);
                rest = &rest[skipped as usize..];
                self.skip_bytes -= skipped;
                if self.skip_bytes > 0 {
                    return Ok(());
                }
                self.close_element(counts);
            }
            if rest.is_empty() {
                return Ok(());
            }
            let Some(end) = line_end(rest) else {
                return self.keep_cut_line(rest);
            };
            self.header(&rest[..end], counts)?;
            rest = &rest[end + 1..];
        }
    }

    /// True when the stream stands between two replies.
    pub fn is_between_replies(&self) -> bool {
        self.skip_bytes == 0 && self.open_elements == 0 && self.cut_line.is_empty()
    }

    /// Takes one header line, without its `\n`.
    fn header(&mut self, line: &[u8], counts: &mut Counts) -> Result<(), Malformed> {
        let Some((&kind, text)) = line.split_first() else {
            return Err(Malformed("empty line".into()));
        };
        match kind {
            b'+' | b':' | b'#' | b',' | b'(' => self.close_element(counts),
            b'_' => {
                counts.nulls += 1;
                self.close_element(counts);
            }
            b'-' => {
                note_error(text, counts);
                self.close_element(counts);
            }
            b'$' | b'=' => self.bulk(length(text)?, counts),
            b'!' => {
                note_error(b"(bulk error)", counts);
                self.bulk(length(text)?, counts);
            }
            b'*' | b'~' => self.aggregate(length(text)?, 1, counts)?,
            b'%' => self.aggregate(length(text)?, 2, counts)?,
            b'|' => self.attribute(length(text)?)?,
            b'>' => {
                return Err(Malformed(
                    "push message, though nothing was asked for".into(),
                ));
            }
            other => return Err(Malformed(format!("unknown type byte 0x{other:02x}"))),
        }
        Ok(())
    }

    fn bulk(&mut self, length: Option<u64>, counts: &mut Counts) {
        match length {
            Some(length_bytes) => self.skip_bytes = length_bytes + 2,
            None => {
                counts.nulls += 1;
                self.close_element(counts);
            }
        }
    }

    fn aggregate(
        &mut self,
        length: Option<u64>,
        elements_each: u64,
        counts: &mut Counts,
    ) -> Result<(), Malformed> {
        match length {
            None => {
                counts.nulls += 1;
                self.close_element(counts);
            }
            Some(0) => self.close_element(counts),
            Some(count) => {
                // The header closes itself if it stands inside another aggregate.
                let outer = self.open_elements.saturating_sub(1);
                self.open_elements = opened(outer, count, elements_each)?;
            }
        }
        Ok(())
    }

    /// An attribute comes before the element that it describes, which stays open.
    fn attribute(&mut self, length: Option<u64>) -> Result<(), Malformed> {
        let outer = self.open_elements.max(1);
        self.open_elements = opened(outer, length.unwrap_or(0), 2)?;
        Ok(())
    }

    #[inline]
    fn close_element(&mut self, counts: &mut Counts) {
        if self.open_elements <= 1 {
            self.open_elements = 0;
            counts.replies += 1;
        } else {
            self.open_elements -= 1;
        }
    }

    fn keep_cut_line(&mut self, rest: &[u8]) -> Result<(), Malformed> {
        if self.cut_line.len() + rest.len() > LINE_LIMIT_BYTES {
            return Err(Malformed(format!(
                "header line beyond {LINE_LIMIT_BYTES} bytes"
            )));
        }
        self.cut_line.extend_from_slice(rest);
        Ok(())
    }
}

#[inline]
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\n')
}

fn opened(outer: u64, count: u64, elements_each: u64) -> Result<u64, Malformed> {
    count
        .checked_mul(elements_each)
        .and_then(|inner| outer.checked_add(inner))
        .ok_or_else(|| Malformed("aggregate length overflows".into()))
}

/// The length in a header; `None` for the null length -1.
#[inline]
fn length(text: &[u8]) -> Result<Option<u64>, Malformed> {
    let digits = text.strip_suffix(b"\r").unwrap_or(text);
    if digits == b"-1" {
        return Ok(None);
    }
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed(format!(
            "bad length {:?}",
            String::from_utf8_lossy(digits)
        )));
    }
    Ok(Some(digits.iter().fold(0, |value, digit| {
        value * 10 + u64::from(digit - b'0')
    })))
}

#[cold]
fn note_error(text: &[u8], counts: &mut Counts) {
    counts.errors += 1;
    if counts.first_error.is_none() {
        counts.first_error = Some(String::from_utf8_lossy(text).trim_end().to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(stream: &[u8], piece_bytes: usize) -> Result<(Counts, bool), Malformed> {
        let mut skipper = ReplySkipper::default();
        let mut counts = Counts::default();
        for piece in stream.chunks(piece_bytes.max(1)) {
            skipper.feed(piece, &mut counts)?;
        }
        Ok((counts, skipper.is_between_replies()))
    }

    fn check(stream: &str, replies: u64, errors: u64, nulls: u64) {
        for piece_bytes in 1..=stream.len() {
            let (counts, complete) = count(stream.as_bytes(), piece_bytes).unwrap();
            assert!(complete, "{stream:?} in pieces of {piece_bytes}");
            assert_eq!(
                (counts.replies, counts.errors, counts.nulls),
                (replies, errors, nulls)
            );
        }
    }

    #[test]
    fn scalars_count_one_each() {
        check(
            "+OK\r\n:12\r\n$3\r\na\nb\r\n$0\r\n\r\n_\r\n#t\r\n,1.5\r\n(12\r\n",
            8,
            0,
            1,
        );
    }

    #[test]
    fn nulls_are_replies() {
        check("$-1\r\n*-1\r\n*2\r\n$-1\r\n+a\r\n", 3, 0, 3);
    }

    #[test]
    fn nested_aggregates_count_as_one() {
        check(
            "*2\r\n*2\r\n+a\r\n*0\r\n%1\r\n+k\r\n~1\r\n$1\r\nv\r\n+next\r\n",
            2,
            0,
            0,
        );
        check("|1\r\n+k\r\n+v\r\n*1\r\n|1\r\n+k\r\n+v\r\n:1\r\n", 1, 0, 0);
    }

    #[test]
    fn errors_are_counted_and_the_first_is_kept() {
        let stream = b"+OK\r\n-ERR one\r\n*1\r\n-ERR two\r\n!3\r\nERR\r\n";
        let (counts, complete) = count(stream, 4).unwrap();
        assert!(complete);
        assert_eq!((counts.replies, counts.errors), (4, 3));
        assert_eq!(counts.first_error.as_deref(), Some("ERR one"));
    }

    #[test]
    fn what_is_not_resp_is_refused() {
        for stream in [
            "hello\r\n",
            "\r\n",
            "$x\r\n",
            "$-2\r\n",
            ">1\r\n+a\r\n",
            "*\r\n",
        ] {
            assert!(count(stream.as_bytes(), 3).is_err(), "{stream:?}");
        }
        assert!(count(&vec![b'+'; LINE_LIMIT_BYTES + 1], 1000).is_err());
        assert!(count(b"%999999999999999999\r\n|999999999999999999\r\n", 99).is_ok());
    }

    #[derive(Debug, Clone)]
    enum Value {
        Line(u8, String),
        Bulk(Option<Vec<u8>>),
        Array(Option<Vec<Value>>),
    }

    impl Value {
        fn write(&self, out: &mut Vec<u8>) {
            match self {
                Value::Line(kind, text) => {
                    out.push(*kind);
                    out.extend_from_slice(text.as_bytes());
                    out.extend_from_slice(b"\r\n");
                }
                Value::Bulk(None) => out.extend_from_slice(b"$-1\r\n"),
                Value::Bulk(Some(bytes)) => {
                    out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
                    out.extend_from_slice(bytes);
                    out.extend_from_slice(b"\r\n");
                }
                Value::Array(None) => out.extend_from_slice(b"*-1\r\n"),
                Value::Array(Some(values)) => {
                    out.extend_from_slice(format!("*{}\r\n", values.len()).as_bytes());
                    values.iter().for_each(|value| value.write(out));
                }
            }
        }

        fn errors(&self) -> u64 {
            match self {
                Value::Line(kind, _) => u64::from(*kind == b'-'),
                Value::Array(Some(values)) => values.iter().map(Value::errors).sum(),
                _ => 0,
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let kind = prop_oneof![Just(b'+'), Just(b'-'), Just(b':')];
        let leaf = prop_oneof![
            (kind, "[ -~]{0,20}").prop_map(|(kind, text)| Value::Line(kind, text)),
            proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50))
                .prop_map(Value::Bulk),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            proptest::option::of(proptest::collection::vec(inner, 0..6)).prop_map(Value::Array)
        })
    }

    proptest! {
        #[test]
        fn any_cutting_counts_what_was_written(
            values in proptest::collection::vec(value(), 0..20),
            piece_bytes in 1usize..64,
        ) {
            let mut stream = Vec::new();
            values.iter().for_each(|value| value.write(&mut stream));
            let (counts, complete) = count(&stream, piece_bytes).unwrap();
            prop_assert!(complete);
            prop_assert_eq!(counts.replies, values.len() as u64);
            prop_assert_eq!(counts.errors, values.iter().map(Value::errors).sum::<u64>());
        }

        #[test]
        fn random_bytes_do_no_harm(stream in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = count(&stream, 7);
        }
    }
}
