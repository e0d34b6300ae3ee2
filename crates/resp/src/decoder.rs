//! Incremental decoder of replies: bytes in, [`Value`]s out.
//!
//! Aggregates under construction live on an explicit stack, so nesting costs no call stack and a
//! reply that arrives in pieces is never parsed from its start again. The stack's depth is limited,
//! which also bounds the recursion of comparing and dropping a value. Memory grows with bytes
//! received, never with a count announced.
//!
//! RESP3's streamed strings and aggregates (`$?`, `*?`) are refused: no server of the family sends
//! them.
//!
//! Tests: at the bottom, and `tests/properties.rs`.

use std::fmt;

use crate::double::parse_double;
use crate::int::parse_i64;
use crate::value::Value;

#[derive(Clone, Copy, Debug)]
pub struct DecoderLimits {
    /// Aggregates and attributes within one another.
    pub depth_max: usize,
    pub bulk_max: usize,
    /// Of a status, error, or number.
    pub line_max: usize,
    /// Of one aggregate; pairs count twice.
    pub elements_max: usize,
}

impl Default for DecoderLimits {
    fn default() -> Self {
        DecoderLimits {
            depth_max: 128,
            bulk_max: 512 * 1024 * 1024,
            line_max: 1024 * 1024,
            elements_max: i32::MAX as usize,
        }
    }
}

/// The peer does not speak RESP, or says too much: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    UnknownType(u8),
    BadLength,
    BadNumber,
    BadBoolean,
    BadNull,
    BadVerbatim,
    /// A line or bulk string does not end in CR LF.
    BadLineEnd,
    TooLong,
    TooDeep,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecodeError::UnknownType(byte) => {
                return write!(f, "unknown reply type byte 0x{byte:02x}");
            }
            DecodeError::BadLength => "invalid length in reply",
            DecodeError::BadNumber => "invalid number in reply",
            DecodeError::BadBoolean => "invalid boolean in reply",
            DecodeError::BadNull => "invalid null in reply",
            DecodeError::BadVerbatim => "invalid verbatim string in reply",
            DecodeError::BadLineEnd => "missing line end in reply",
            DecodeError::TooLong => "reply exceeds a size limit",
            DecodeError::TooDeep => "reply is nested too deeply",
        })
    }
}

impl std::error::Error for DecodeError {}

/// Capacity given to an aggregate before its elements arrive, and consumed bytes that are kept
/// before they are moved out of the buffer.
const RESERVED_MAX: usize = 1024;
const CONSUMED_MAX: usize = 64 * 1024;

#[derive(Debug, Default)]
pub struct Decoder {
    buf: Vec<u8>,
    /// Everything before it was understood.
    position: usize,
    /// How far the line at `position` was searched for its end.
    scanned: usize,
    /// The bulk string at `position`, once its header was read.
    bulk: Option<(BulkKind, usize)>,
    open: Vec<Frame>,
    limits: DecoderLimits,
}

#[derive(Clone, Copy, Debug)]
enum BulkKind {
    Text,
    Error,
    Verbatim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AggregateKind {
    Array,
    Set,
    Push,
    Map,
    Attribute,
}

#[derive(Debug)]
enum Frame {
    Elements {
        kind: AggregateKind,
        left: usize,
        elements: Vec<Value>,
    },
    Pairs {
        kind: AggregateKind,
        left: usize,
        key: Option<Value>,
        pairs: Vec<(Value, Value)>,
    },
    /// Attributes that are complete; the value they belong to comes next.
    Attributed { attributes: Vec<(Value, Value)> },
}

/// What one header or bulk string amounts to.
enum Step {
    Value(Value),
    Opened,
    Incomplete,
}

impl Decoder {
    pub fn new() -> Self {
        Decoder::default()
    }

    pub fn with_limits(limits: DecoderLimits) -> Self {
        Decoder {
            limits,
            ..Decoder::default()
        }
    }

    /// Takes bytes as they came.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.position == self.buf.len() {
            self.buf.clear();
            self.forget_consumed();
        } else if self.position > CONSUMED_MAX && self.position > self.buf.len() / 2 {
            self.buf.drain(..self.position);
            self.forget_consumed();
        }
        self.buf.extend_from_slice(bytes);
    }

    /// The next whole reply, or `None` until more bytes come. After an error nothing more can be
    /// decoded.
    pub fn decode(&mut self) -> Result<Option<Value>, DecodeError> {
        loop {
            match self.step()? {
                Step::Value(value) => {
                    if let Some(reply) = self.close(value) {
                        return Ok(Some(reply));
                    }
                }
                Step::Opened => {}
                Step::Incomplete => return Ok(None),
            }
        }
    }

    /// Whether part of a reply is waiting for the rest.
    pub fn is_mid_reply(&self) -> bool {
        !self.open.is_empty() || self.bulk.is_some() || self.position < self.buf.len()
    }

    /// The bytes behind the last whole reply, for a connection that stops speaking RESP. Must not
    /// be called in the middle of an aggregate.
    pub fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.buf.split_off(self.position);
        self.buf.clear();
        self.forget_consumed();
        rest
    }

    fn forget_consumed(&mut self) {
        self.scanned = self.scanned.saturating_sub(self.position);
        self.position = 0;
    }

    fn step(&mut self) -> Result<Step, DecodeError> {
        if let Some((kind, len)) = self.bulk {
            return self.bulk(kind, len);
        }
        let Some(end) = self.line_end()? else {
            return Ok(Step::Incomplete);
        };
        let line = &self.buf[self.position..end];
        let Some((&kind, text)) = line.split_first() else {
            return Err(DecodeError::UnknownType(b'\r'));
        };
        let value = match kind {
            b'+' => Value::Simple(text.to_vec()),
            b'-' => Value::Error(text.to_vec()),
            b':' => Value::Integer(integer(text).ok_or(DecodeError::BadNumber)?),
            b',' => Value::Double(double(text).ok_or(DecodeError::BadNumber)?),
            b'(' => Value::BigNumber(big_number(text).ok_or(DecodeError::BadNumber)?),
            b'#' => Value::Boolean(match text {
                b"t" => true,
                b"f" => false,
                _ => return Err(DecodeError::BadBoolean),
            }),
            b'_' if text.is_empty() => Value::Null,
            b'_' => return Err(DecodeError::BadNull),
            b'$' | b'*' if text == b"-1" => Value::Null,
            b'$' | b'!' | b'=' | b'*' | b'~' | b'>' | b'%' | b'|' => {
                let len = parse_i64(text).and_then(|len| usize::try_from(len).ok());
                let len = len.ok_or(DecodeError::BadLength)?;
                self.position = end + 2;
                return self.long(kind, len);
            }
            other => return Err(DecodeError::UnknownType(other)),
        };
        self.position = end + 2;
        Ok(Step::Value(value))
    }

    /// After the header of something with a length.
    fn long(&mut self, kind: u8, len: usize) -> Result<Step, DecodeError> {
        let (aggregate, elements) = match kind {
            b'$' => return self.open_bulk(BulkKind::Text, len),
            b'!' => return self.open_bulk(BulkKind::Error, len),
            b'=' => return self.open_bulk(BulkKind::Verbatim, len),
            b'*' => (AggregateKind::Array, Some(len)),
            b'~' => (AggregateKind::Set, Some(len)),
            b'>' => (AggregateKind::Push, Some(len)),
            b'%' => (AggregateKind::Map, len.checked_mul(2)),
            _ => (AggregateKind::Attribute, len.checked_mul(2)),
        };
        if elements.is_none_or(|elements| elements > self.limits.elements_max) {
            return Err(DecodeError::TooLong);
        }
        if self.open.len() >= self.limits.depth_max {
            return Err(DecodeError::TooDeep);
        }
        if len == 0 {
            return Ok(match aggregate.finish_empty() {
                Some(value) => Step::Value(value),
                // No attributes at all: as if they had not been sent.
                None => Step::Opened,
            });
        }
        self.open.push(match aggregate {
            AggregateKind::Map | AggregateKind::Attribute => Frame::Pairs {
                kind: aggregate,
                left: len,
                key: None,
                pairs: Vec::with_capacity(len.min(RESERVED_MAX / 2)),
            },
            kind => Frame::Elements {
                kind,
                left: len,
                elements: Vec::with_capacity(len.min(RESERVED_MAX)),
            },
        });
        Ok(Step::Opened)
    }

    fn open_bulk(&mut self, kind: BulkKind, len: usize) -> Result<Step, DecodeError> {
        if len > self.limits.bulk_max {
            return Err(DecodeError::TooLong);
        }
        self.bulk = Some((kind, len));
        Ok(Step::Opened)
    }

    fn bulk(&mut self, kind: BulkKind, len: usize) -> Result<Step, DecodeError> {
        let available = &self.buf[self.position..];
        let (Some(text), Some(end)) = (available.get(..len), available.get(len..len + 2)) else {
            return Ok(Step::Incomplete);
        };
        if end != b"\r\n" {
            return Err(DecodeError::BadLineEnd);
        }
        let value = match kind {
            BulkKind::Text => Value::Bulk(text.to_vec()),
            BulkKind::Error => Value::Error(text.to_vec()),
            BulkKind::Verbatim => match *text {
                [a, b, c, b':', ref text @ ..] => Value::Verbatim {
                    format: [a, b, c],
                    text: text.to_vec(),
                },
                _ => return Err(DecodeError::BadVerbatim),
            },
        };
        self.position += len + 2;
        self.bulk = None;
        Ok(Step::Value(value))
    }

    /// Gives a finished value to the aggregate it belongs to, and that one, if it is finished by
    /// it, to the next outer one. Returns the value when it belongs to none.
    fn close(&mut self, mut value: Value) -> Option<Value> {
        loop {
            match self.open.pop() {
                None => return Some(value),
                Some(Frame::Attributed { attributes }) => {
                    value = Value::Attribute {
                        attributes,
                        value: Box::new(value),
                    };
                }
                Some(Frame::Elements {
                    kind,
                    left,
                    mut elements,
                }) => {
                    elements.push(value);
                    if left > 1 {
                        self.open.push(Frame::Elements {
                            kind,
                            left: left - 1,
                            elements,
                        });
                        return None;
                    }
                    value = kind.finish(elements);
                }
                Some(Frame::Pairs {
                    kind,
                    left,
                    key: None,
                    pairs,
                }) => {
                    self.open.push(Frame::Pairs {
                        kind,
                        left,
                        key: Some(value),
                        pairs,
                    });
                    return None;
                }
                Some(Frame::Pairs {
                    kind,
                    left,
                    key: Some(key),
                    mut pairs,
                }) => {
                    pairs.push((key, value));
                    if left > 1 {
                        self.open.push(Frame::Pairs {
                            kind,
                            left: left - 1,
                            key: None,
                            pairs,
                        });
                        return None;
                    }
                    if kind == AggregateKind::Attribute {
                        self.open.push(Frame::Attributed { attributes: pairs });
                        return None;
                    }
                    value = Value::Map(pairs);
                }
            }
        }
    }

    fn line_end(&mut self) -> Result<Option<usize>, DecodeError> {
        let from = self.scanned.max(self.position);
        let found = self.buf[from..].iter().position(|&byte| byte == b'\r');
        let end = found.map_or(self.buf.len(), |index| from + index);
        self.scanned = end;
        if end - self.position > self.limits.line_max {
            return Err(DecodeError::TooLong);
        }
        match self.buf.get(end + 1) {
            None => Ok(None),
            Some(b'\n') => Ok(Some(end)),
            Some(_) => Err(DecodeError::BadLineEnd),
        }
    }
}

impl AggregateKind {
    fn finish(self, elements: Vec<Value>) -> Value {
        match self {
            AggregateKind::Set => Value::Set(elements),
            AggregateKind::Push => Value::Push(elements),
            _ => Value::Array(elements),
        }
    }

    fn finish_empty(self) -> Option<Value> {
        match self {
            AggregateKind::Attribute => None,
            AggregateKind::Map => Some(Value::Map(Vec::new())),
            kind => Some(kind.finish(Vec::new())),
        }
    }
}

/// Unlike requests, replies may write a plus.
fn integer(text: &[u8]) -> Option<i64> {
    match text {
        [b'+', digits @ ..] if digits.first() != Some(&b'-') => parse_i64(digits),
        text => parse_i64(text),
    }
}

/// NaN, which no request may hold, comes in replies; some libraries print it with a sign.
fn double(text: &[u8]) -> Option<f64> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    if unsigned.eq_ignore_ascii_case(b"nan") {
        return Some(f64::NAN);
    }
    parse_double(text)
}

fn big_number(text: &[u8]) -> Option<Vec<u8>> {
    let digits = match text {
        [b'-' | b'+', digits @ ..] => digits,
        digits => digits,
    };
    let valid = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    valid.then(|| text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_all(input: &[u8], step: usize) -> Result<Vec<Value>, DecodeError> {
        let mut decoder = Decoder::new();
        let mut values = Vec::new();
        for piece in input.chunks(step) {
            decoder.feed(piece);
            while let Some(value) = decoder.decode()? {
                values.push(value);
            }
        }
        Ok(values)
    }

    fn check(input: &str, expected: Result<&[Value], DecodeError>) {
        for step in [1, 2, 3, input.len().max(1)] {
            let values = decode_all(input.as_bytes(), step);
            assert_eq!(
                values.as_deref(),
                expected.as_ref().map(|v| *v),
                "{input:?} by {step}"
            );
        }
    }

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    #[test]
    fn every_scalar_is_understood() {
        let cases = [
            ("+OK\r\n", Value::Simple(b"OK".to_vec())),
            ("-ERR no\r\n", Value::Error(b"ERR no".to_vec())),
            ("!6\r\nERR\r\nx\r\n", Value::Error(b"ERR\r\nx".to_vec())),
            (":-12\r\n", Value::Integer(-12)),
            (":+12\r\n", Value::Integer(12)),
            ("$4\r\na\r\nb\r\n", bulk("a\r\nb")),
            ("$0\r\n\r\n", bulk("")),
            ("$-1\r\n", Value::Null),
            ("*-1\r\n", Value::Null),
            ("_\r\n", Value::Null),
            (",1.5\r\n", Value::Double(1.5)),
            (",-inf\r\n", Value::Double(f64::NEG_INFINITY)),
            ("#t\r\n", Value::Boolean(true)),
            ("#f\r\n", Value::Boolean(false)),
            (
                "(-123456789012345678901\r\n",
                Value::BigNumber(b"-123456789012345678901".to_vec()),
            ),
            (
                "=6\r\ntxt:hi\r\n",
                Value::Verbatim {
                    format: *b"txt",
                    text: b"hi".to_vec(),
                },
            ),
        ];
        for (input, expected) in cases {
            check(input, Ok(&[expected]));
        }
        assert!(
            matches!(decode_all(b",nan\r\n", 1).as_deref(), Ok([Value::Double(d)]) if d.is_nan())
        );
    }

    #[test]
    fn aggregates_nest() {
        let nested = Value::Array(vec![
            Value::Map(vec![(
                bulk("k"),
                Value::Set(vec![Value::Integer(1), Value::Null]),
            )]),
            Value::Array(vec![]),
            Value::Map(vec![]),
        ]);
        let input = "*3\r\n%1\r\n$1\r\nk\r\n~2\r\n:1\r\n_\r\n*0\r\n%0\r\n>1\r\n+x\r\n";
        check(
            input,
            Ok(&[nested, Value::Push(vec![Value::Simple(b"x".to_vec())])]),
        );
    }

    #[test]
    fn attributes_belong_to_the_value_that_follows() {
        let attributed = Value::Attribute {
            attributes: vec![(bulk("a"), Value::Integer(90))],
            value: Box::new(Value::Integer(2)),
        };
        let input = "*2\r\n:1\r\n|1\r\n$1\r\na\r\n:90\r\n:2\r\n|0\r\n:3\r\n";
        check(
            input,
            Ok(&[
                Value::Array(vec![Value::Integer(1), attributed.clone()]),
                Value::Integer(3),
            ]),
        );
        assert_eq!(attributed.without_attributes(), Value::Integer(2));
    }

    #[test]
    fn what_is_not_resp_is_refused() {
        let cases = [
            ("hello\r\n", DecodeError::UnknownType(b'h')),
            ("\r\n", DecodeError::UnknownType(b'\r')),
            ("+a\rb", DecodeError::BadLineEnd),
            ("$1\r\nabc\r\n", DecodeError::BadLineEnd),
            (":1x\r\n", DecodeError::BadNumber),
            (":+-1\r\n", DecodeError::BadNumber),
            (",x\r\n", DecodeError::BadNumber),
            ("(1.5\r\n", DecodeError::BadNumber),
            ("#x\r\n", DecodeError::BadBoolean),
            ("_x\r\n", DecodeError::BadNull),
            ("=2\r\nab\r\n", DecodeError::BadVerbatim),
            ("$-2\r\n", DecodeError::BadLength),
            ("$?\r\n", DecodeError::BadLength),
            ("~-1\r\n", DecodeError::BadLength),
            ("$9223372036854775807\r\n", DecodeError::TooLong),
            ("*9223372036854775807\r\n", DecodeError::TooLong),
            ("%9223372036854775807\r\n", DecodeError::TooLong),
        ];
        for (input, error) in cases {
            check(input, Err(error));
        }
        check(&"*1\r\n".repeat(129), Err(DecodeError::TooDeep));
        check(&"|1\r\n+a\r\n+b\r\n".repeat(129), Err(DecodeError::TooDeep));
        let line = format!("+{}", "x".repeat(1024 * 1024));
        assert_eq!(decode_all(line.as_bytes(), 4096), Err(DecodeError::TooLong));
    }

    #[test]
    fn the_rest_can_be_taken_over() {
        let mut decoder = Decoder::new();
        decoder.feed(b"+FULLRESYNC x 0\r\nREDIS0011");
        assert!(matches!(decoder.decode(), Ok(Some(Value::Simple(_)))));
        assert!(decoder.is_mid_reply());
        assert_eq!(decoder.take_rest(), b"REDIS0011");
        decoder.feed(b":1\r\n");
        assert_eq!(decoder.decode(), Ok(Some(Value::Integer(1))));
        assert!(!decoder.is_mid_reply());
    }
}
