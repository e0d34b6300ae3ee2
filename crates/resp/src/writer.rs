//! Encoder of replies in either protocol version.
//!
//! Commands say what a reply *is* (a map of 3 pairs, a double, a null); the writer knows how each
//! version spells it. It appends to one byte vector: no formatting machinery, no allocation of its
//! own, one eight byte store for every short header (see [`SHORT`]).
//!
//! An aggregate whose size is known only afterwards is deferred: its header is inserted where it
//! belongs once its elements are written. Deferred aggregates nest, inner ones filled first.
//!
//! The writer does not check that as many elements follow as a header announces.
//!
//! Tests: at the bottom, and `tests/properties.rs` (round trip through the decoder).

use crate::double;
use crate::int::{self, MAX_TEXT_LEN};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    V2,
    V3,
}

/// The place of an aggregate's header that is not written yet.
#[derive(Debug)]
#[must_use = "an unfilled aggregate leaves the reply without its header"]
pub struct Deferred {
    at: usize,
}

#[derive(Debug)]
pub struct Writer {
    buf: Vec<u8>,
    version: Version,
}

/// Numbers below this have their header prepared.
const SHORT_COUNT: usize = 256;

/// `\0<n>\r\n` with the prefix byte left zero, as little-endian words, and its length in the top
/// byte. The whole word is stored and the excess cut off, which beats a copy of variable length.
static SHORT: [u64; SHORT_COUNT] = {
    let mut table = [0; SHORT_COUNT];
    let mut n = 0;
    while n < SHORT_COUNT {
        let mut bytes = [0u8; 8];
        let mut len = 1;
        let mut divisor = 100;
        while divisor > 0 {
            if n >= divisor || divisor == 1 {
                bytes[len] = b'0' + (n / divisor % 10) as u8;
                len += 1;
            }
            divisor /= 10;
        }
        bytes[len] = b'\r';
        bytes[len + 1] = b'\n';
        bytes[7] = len as u8 + 2;
        table[n] = u64::from_le_bytes(bytes);
        n += 1;
    }
    table
};

/// Prefix, digits, line end.
const HEADER_MAX: usize = MAX_TEXT_LEN + 3;

impl Writer {
    pub fn new(version: Version) -> Self {
        Writer::from_vec(Vec::new(), version)
    }

    /// Goes on writing behind what `buf` holds.
    pub fn from_vec(buf: Vec<u8>, version: Version) -> Self {
        Writer { buf, version }
    }

    pub fn into_vec(self) -> Vec<u8> {
        self.buf
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.buf
    }

    pub fn len(&self) -> usize {
        self.buf.len()
    }

    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    pub fn clear(&mut self) {
        self.buf.clear();
    }

    /// Takes back everything written since [`len`](Self::len) was `len`.
    pub fn truncate(&mut self, len: usize) {
        self.buf.truncate(len);
    }

    /// The bytes themselves, for whoever sends them and keeps the rest.
    pub fn buffer_mut(&mut self) -> &mut Vec<u8> {
        &mut self.buf
    }

    #[inline]
    pub fn version(&self) -> Version {
        self.version
    }

    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Bytes that are already RESP.
    #[inline]
    pub fn raw(&mut self, encoded: &[u8]) {
        self.buf.extend_from_slice(encoded);
    }

    #[inline]
    pub fn ok(&mut self) {
        self.buf.extend_from_slice(b"+OK\r\n");
    }

    /// A status such as `QUEUED`. Line breaks in it become spaces.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error; `text` begins with its code. Line breaks at its end are dropped, others become
    /// spaces.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// Like [`error`](Self::error), for a text that quotes what a client sent.
    pub fn error_bytes(&mut self, text: &[u8]) {
        let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        self.line(b'-', &text[..end.map_or(0, |last| last + 1)]);
    }

    #[inline]
    pub fn integer(&mut self, value: i64) {
        if (0..SHORT_COUNT as i64).contains(&value) {
            return self.short(b':', value as usize);
        }
        self.long(b':', value);
    }

    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.buf.reserve(bytes.len() + HEADER_MAX + 2);
        self.header(b'$', bytes.len());
        self.buf.extend_from_slice(bytes);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// A bulk string of two parts, for values that are not stored in one piece.
    #[inline]
    pub fn bulk_parts(&mut self, first: &[u8], second: &[u8]) {
        self.buf
            .reserve(first.len() + second.len() + HEADER_MAX + 2);
        self.header(b'$', first.len() + second.len());
        self.buf.extend_from_slice(first);
        self.buf.extend_from_slice(second);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// A bulk string of the number's digits.
    #[inline]
    pub fn bulk_int(&mut self, value: i64) {
        let mut text = [0; MAX_TEXT_LEN];
        let start = int::format_i64(value, &mut text);
        self.bulk(&text[start..]);
    }

    /// RESP2 knows no null as such; this is its null bulk string.
    #[inline]
    pub fn null(&mut self) {
        match self.version {
            Version::V2 => self.buf.extend_from_slice(b"$-1\r\n"),
            Version::V3 => self.buf.extend_from_slice(b"_\r\n"),
        }
    }

    /// The null of commands that otherwise answer with an array.
    pub fn null_array(&mut self) {
        match self.version {
            Version::V2 => self.buf.extend_from_slice(b"*-1\r\n"),
            Version::V3 => self.buf.extend_from_slice(b"_\r\n"),
        }
    }

    #[inline]
    pub fn array(&mut self, count: usize) {
        self.header(b'*', count);
    }

    pub fn empty_array(&mut self) {
        self.buf.extend_from_slice(b"*0\r\n");
    }

    /// In RESP2 an array of keys and values in turn.
    pub fn map(&mut self, pairs: usize) {
        match self.version {
            Version::V2 => self.header(b'*', pairs * 2),
            Version::V3 => self.header(b'%', pairs),
        }
    }

    pub fn set(&mut self, count: usize) {
        self.header(
            if self.version == Version::V2 {
                b'*'
            } else {
                b'~'
            },
            count,
        );
    }

    /// Out-of-band data; in RESP2 an array.
    pub fn push(&mut self, count: usize) {
        self.header(
            if self.version == Version::V2 {
                b'*'
            } else {
                b'>'
            },
            count,
        );
    }

    /// In RESP2 a bulk string.
    pub fn double(&mut self, value: f64) {
        let mut text = [0; double::MAX_TEXT_LEN];
        let len = double::format_double(value, &mut text);
        match self.version {
            Version::V2 => self.bulk(&text[..len]),
            Version::V3 => {
                self.buf.push(b',');
                self.buf.extend_from_slice(&text[..len]);
                self.buf.extend_from_slice(b"\r\n");
            }
        }
    }

    /// In RESP2 the integer 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        self.raw(match (self.version, value) {
            (Version::V2, true) => b":1\r\n",
            (Version::V2, false) => b":0\r\n",
            (Version::V3, true) => b"#t\r\n",
            (Version::V3, false) => b"#f\r\n",
        });
    }

    /// An integer of any size, as its digits; in RESP2 a bulk string.
    pub fn big_number(&mut self, digits: &str) {
        match self.version {
            Version::V2 => self.bulk(digits.as_bytes()),
            Version::V3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// A text for people, with its format: three bytes, `txt` or `mkd`, padded with spaces. In
    /// RESP2 a bulk string.
    pub fn verbatim(&mut self, text: &str, format: &str) {
        self.verbatim_bytes(text.as_bytes(), format);
    }

    pub fn verbatim_bytes(&mut self, text: &[u8], format: &str) {
        if self.version == Version::V2 {
            return self.bulk(text);
        }
        let mut prefix = *b"   :";
        for (place, &byte) in prefix[..3].iter_mut().zip(format.as_bytes()) {
            *place = byte;
        }
        self.header(b'=', text.len() + prefix.len());
        self.buf.extend_from_slice(&prefix);
        self.buf.extend_from_slice(text);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// Marks the place of an aggregate whose elements follow and whose size is not known yet.
    pub fn defer(&mut self) -> Deferred {
        Deferred { at: self.buf.len() }
    }

    pub fn fill_array(&mut self, deferred: Deferred, count: usize) {
        self.fill(deferred, b'*', count);
    }

    pub fn fill_map(&mut self, deferred: Deferred, pairs: usize) {
        match self.version {
            Version::V2 => self.fill(deferred, b'*', pairs * 2),
            Version::V3 => self.fill(deferred, b'%', pairs),
        }
    }

    pub fn fill_set(&mut self, deferred: Deferred, count: usize) {
        self.fill(
            deferred,
            if self.version == Version::V2 {
                b'*'
            } else {
                b'~'
            },
            count,
        );
    }

    pub fn fill_push(&mut self, deferred: Deferred, count: usize) {
        self.fill(
            deferred,
            if self.version == Version::V2 {
                b'*'
            } else {
                b'>'
            },
            count,
        );
    }

    fn fill(&mut self, deferred: Deferred, prefix: u8, count: usize) {
        let elements_end = self.buf.len();
        assert!(
            deferred.at <= elements_end,
            "a deferred aggregate was truncated away"
        );
        // The header is written last and rotated to its place: one move of the elements.
        self.header(prefix, count);
        let header_len = self.buf.len() - elements_end;
        self.buf[deferred.at..].rotate_right(header_len);
    }

    #[inline]
    fn header(&mut self, prefix: u8, count: usize) {
        if count < SHORT_COUNT {
            return self.short(prefix, count);
        }
        // No length or count in memory reaches 2^63.
        self.long(prefix, count as i64);
    }

    #[inline]
    fn short(&mut self, prefix: u8, number: usize) {
        let word = SHORT[number];
        let end = self.buf.len() + (word >> 56) as usize;
        self.buf
            .extend_from_slice(&(word | u64::from(prefix)).to_le_bytes());
        self.buf.truncate(end);
    }

    fn long(&mut self, prefix: u8, number: i64) {
        let mut text = [0; MAX_TEXT_LEN];
        let start = int::format_i64(number, &mut text);
        self.buf.reserve(HEADER_MAX);
        self.buf.push(prefix);
        self.buf.extend_from_slice(&text[start..]);
        self.buf.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, prefix: u8, text: &[u8]) {
        self.buf.reserve(text.len() + 3);
        self.buf.push(prefix);
        let start = self.buf.len();
        self.buf.extend_from_slice(text);
        for byte in &mut self.buf[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.buf.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl Fn(&mut Writer), v2: &str, v3: &str) {
        for (version, expected) in [(Version::V2, v2), (Version::V3, v3)] {
            let mut writer = Writer::new(version);
            write(&mut writer);
            assert_eq!(
                String::from_utf8_lossy(writer.as_bytes()),
                expected,
                "{version:?}"
            );
        }
    }

    fn check_both(write: impl Fn(&mut Writer), expected: &str) {
        check(write, expected, expected);
    }

    #[test]
    fn scalars_have_the_spelling_of_their_version() {
        check_both(|w| w.ok(), "+OK\r\n");
        check_both(|w| w.simple("QUEUED"), "+QUEUED\r\n");
        check_both(|w| w.bulk(b"a\r\nb"), "$4\r\na\r\nb\r\n");
        check_both(|w| w.bulk_parts(b"abc", b"de"), "$5\r\nabcde\r\n");
        check_both(|w| w.bulk_int(-1234), "$5\r\n-1234\r\n");
        check(|w| w.null(), "$-1\r\n", "_\r\n");
        check(|w| w.null_array(), "*-1\r\n", "_\r\n");
        check(|w| w.double(3.5), "$3\r\n3.5\r\n", ",3.5\r\n");
        check(
            |w| w.double(f64::NEG_INFINITY),
            "$4\r\n-inf\r\n",
            ",-inf\r\n",
        );
        check(|w| w.boolean(true), ":1\r\n", "#t\r\n");
        check(|w| w.boolean(false), ":0\r\n", "#f\r\n");
        check(|w| w.big_number("123"), "$3\r\n123\r\n", "(123\r\n");
        check(
            |w| w.verbatim("hi\n", "txt"),
            "$3\r\nhi\n\r\n",
            "=7\r\ntxt:hi\n\r\n",
        );
        check(|w| w.verbatim("", "m"), "$0\r\n\r\n", "=4\r\nm  :\r\n");
    }

    #[test]
    fn line_breaks_never_split_a_line_reply() {
        check_both(|w| w.error("ERR a\r\nb\n\r\n"), "-ERR a  b\r\n");
        check_both(|w| w.error("\n"), "-\r\n");
        check_both(|w| w.simple("a\nb"), "+a b\r\n");
    }

    #[test]
    fn integers_of_every_length_are_written() {
        let edges = [
            0,
            9,
            10,
            99,
            100,
            255,
            256,
            999,
            1000,
            65536,
            -1,
            -256,
            i64::MAX,
            i64::MIN,
        ];
        for value in edges {
            check_both(|w| w.integer(value), &format!(":{value}\r\n"));
        }
        for len in [0, 9, 10, 99, 100, 255, 256, 1000] {
            let text = "x".repeat(len);
            check_both(
                |w| w.bulk(text.as_bytes()),
                &format!("${len}\r\n{text}\r\n"),
            );
        }
    }

    #[test]
    fn aggregates_have_the_spelling_of_their_version() {
        check_both(|w| w.array(300), "*300\r\n");
        check_both(|w| w.empty_array(), "*0\r\n");
        check(|w| w.map(3), "*6\r\n", "%3\r\n");
        check(|w| w.set(3), "*3\r\n", "~3\r\n");
        check(|w| w.push(3), "*3\r\n", ">3\r\n");
    }

    #[test]
    fn deferred_aggregates_nest() {
        let nested = |w: &mut Writer| {
            w.ok();
            let outer = w.defer();
            w.integer(1);
            let inner = w.defer();
            w.bulk(b"k");
            w.bulk(b"v");
            w.fill_map(inner, 1);
            let empty = w.defer();
            w.fill_set(empty, 0);
            w.fill_array(outer, 3);
            w.integer(2);
        };
        check(
            nested,
            "+OK\r\n*3\r\n:1\r\n*2\r\n$1\r\nk\r\n$1\r\nv\r\n*0\r\n:2\r\n",
            "+OK\r\n*3\r\n:1\r\n%1\r\n$1\r\nk\r\n$1\r\nv\r\n~0\r\n:2\r\n",
        );
    }
}
