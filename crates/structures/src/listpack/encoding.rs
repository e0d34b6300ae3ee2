//! The bytes of one listpack element, both ways.
//!
//! ```text
//! ┌──────────────┬─────────────┬──────────┐   head     first byte (the tag) and what it calls for
//! │ head         │ text        │ backlen  │   text     the bytes of a string, absent for integers
//! └──────────────┴─────────────┴──────────┘   backlen  size of head + text, read from the right
//!
//! 0xxxxxxx                 7-bit unsigned      11110001 + 2 bytes LE    16-bit integer
//! 10llllll                 string < 64         11110010 + 3             24-bit
//! 110xxxxx xxxxxxxx        13-bit signed       11110011 + 4             32-bit
//! 1110llll llllllll        string < 4096       11110100 + 8             64-bit
//! 11110000 + 4 bytes LE    string              11111111                 end of the listpack
//! ```
//! Source: the published listpack specification, and blobs that redis-server 7.0.15 wrote (see
//! `tests.rs`). The backlen has 7 bits per byte, most significant first, and all but the first byte
//! have the high bit set. Redis switches to 3, 4, 5 bytes one value earlier than necessary (16383,
//! 2097151, 268435455), and a reader that steps by computed sizes must do the same.
//!
//! The readers panic, but never read out of bounds, on bytes that [`check_entry`] would refuse.
//! Tests: `tests.rs`.

use super::Item;
use crate::decimal::parse_i64;

pub(super) const END: u8 = 0xff;
const HEAD_MAX_BYTES: usize = 9;
const BACKLEN_MAX_BYTES: usize = 5;

/// One element ready to be written.
pub(super) struct Encoded<'a> {
    head: [u8; HEAD_MAX_BYTES],
    head_len: u8,
    text: &'a [u8],
}

impl<'a> Encoded<'a> {
    #[inline]
    pub(super) fn new(element: &'a [u8]) -> Encoded<'a> {
        match parse_i64(element) {
            Some(value) => Encoded::int(value),
            None => Encoded::text(element),
        }
    }

    #[inline]
    fn text(text: &'a [u8]) -> Encoded<'a> {
        let mut head = [0; HEAD_MAX_BYTES];
        let head_len = match text.len() {
            len @ 0..64 => {
                head[0] = 0x80 | len as u8;
                1
            }
            len @ 64..4096 => {
                head[0] = 0xe0 | (len >> 8) as u8;
                head[1] = len as u8;
                2
            }
            len => {
                let len = u32::try_from(len).expect("a listpack element below 4 GiB");
                head[0] = 0xf0;
                head[1..5].copy_from_slice(&len.to_le_bytes());
                5
            }
        };
        Encoded {
            head,
            head_len,
            text,
        }
    }

    #[inline]
    pub(super) fn int(value: i64) -> Encoded<'static> {
        let mut head = [0; HEAD_MAX_BYTES];
        let mut put = |tag: u8, width: usize| {
            head[0] = tag;
            head[1..=width].copy_from_slice(&value.to_le_bytes()[..width]);
            1 + width as u8
        };
        let head_len = match value {
            0..128 => {
                head[0] = value as u8;
                1
            }
            -4096..4096 => {
                let bits = value as u16 & 0x1fff;
                head[0] = 0xc0 | (bits >> 8) as u8;
                head[1] = bits as u8;
                2
            }
            -0x8000..0x8000 => put(0xf1, 2),
            -0x80_0000..0x80_0000 => put(0xf2, 3),
            -0x8000_0000..0x8000_0000 => put(0xf3, 4),
            _ => put(0xf4, 8),
        };
        Encoded {
            head,
            head_len,
            text: &[],
        }
    }

    /// Size of head and text, which is what the backlen holds.
    #[inline]
    fn content_bytes(&self) -> usize {
        self.head_len as usize + self.text.len()
    }

    /// Size of the whole entry.
    #[inline]
    pub(super) fn total_bytes(&self) -> usize {
        let content = self.content_bytes();
        content + backlen_bytes(content)
    }

    /// Writes the entry and returns where the next one goes.
    ///
    /// # Safety
    /// `target` points to at least `total_bytes()` writable bytes that nothing else borrows.
    #[inline]
    pub(super) unsafe fn write(&self, target: *mut u8) -> *mut u8 {
        let head_len = self.head_len as usize;
        let content = self.content_bytes();
        let mut backlen = [0; BACKLEN_MAX_BYTES];
        let backlen_len = encode_backlen(content, &mut backlen);
        // SAFETY: the three pieces are disjoint, their lengths add up to `total_bytes()`, which the
        // caller vouches for, and none of the sources can overlap the unborrowed target.
        unsafe {
            for (index, byte) in self.head[..head_len].iter().enumerate() {
                target.add(index).write(*byte);
            }
            let text = target.add(head_len);
            text.copy_from_nonoverlapping(self.text.as_ptr(), self.text.len());
            let tail = target.add(content);
            for (index, byte) in backlen[..backlen_len].iter().enumerate() {
                tail.add(index).write(*byte);
            }
            tail.add(backlen_len)
        }
    }
}

/// How many bytes the backlen of `content` bytes takes.
#[inline]
pub(super) fn backlen_bytes(content: usize) -> usize {
    match content {
        0..128 => 1,
        128..16383 => 2,
        16383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

#[inline]
fn encode_backlen(content: usize, out: &mut [u8; BACKLEN_MAX_BYTES]) -> usize {
    let len = backlen_bytes(content);
    let mut rest = content;
    for at in (1..len).rev() {
        out[at] = rest as u8 | 0x80;
        rest >>= 7;
    }
    out[0] = rest as u8 & 0x7f;
    len
}

/// Reads the backlen that ends just before `end`; `None` if it has more than 5 bytes.
#[inline]
fn decode_backlen(blob: &[u8], end: usize) -> Option<usize> {
    let mut content = 0;
    for (index, byte) in blob[..end].iter().rev().take(BACKLEN_MAX_BYTES).enumerate() {
        content |= ((byte & 0x7f) as usize) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(content);
        }
    }
    None
}

/// Where the entry that ends at `end` starts.
#[inline]
pub(super) fn start_of_entry_before(blob: &[u8], end: usize) -> usize {
    let content = decode_backlen(blob, end).expect("a checked listpack");
    end - backlen_bytes(content) - content
}

/// Length of head and length of text of the entry at `at`; `None` for an unknown tag or the end, or
/// when the blob is too short to tell.
#[inline]
fn parts(blob: &[u8], at: usize) -> Option<(usize, usize)> {
    let tag = *blob.get(at)?;
    Some(match tag {
        0x00..=0x7f => (1, 0),
        0x80..=0xbf => (1, (tag & 0x3f) as usize),
        0xc0..=0xdf => (2, 0),
        0xe0..=0xef => (2, (tag as usize & 0xf) << 8 | *blob.get(at + 1)? as usize),
        0xf0 => {
            let len: [u8; 4] = blob.get(at + 1..at + 5)?.try_into().ok()?;
            (5, u32::from_le_bytes(len) as usize)
        }
        0xf1 => (3, 0),
        0xf2 => (4, 0),
        0xf3 => (5, 0),
        0xf4 => (9, 0),
        0xf5..=0xff => return None,
    })
}

/// The size of the entry at `at`, backlen included.
#[inline]
pub(super) fn entry_bytes(blob: &[u8], at: usize) -> usize {
    let tag = blob[at];
    // The short forms are nearly all there is: answered from the tag alone.
    if tag < 0x80 {
        return 2;
    }
    if tag < 0xc0 {
        return (tag & 0x3f) as usize + 2;
    }
    let (head, text) = parts(blob, at).expect("a checked listpack");
    head + text + backlen_bytes(head + text)
}

/// The element at `at` and the size of its entry; `None` at the end.
#[inline]
pub(super) fn decode(blob: &[u8], at: usize) -> Option<(Item<'_>, usize)> {
    let tag = blob[at];
    if tag < 0x80 {
        return Some((Item::Int(tag as i64), 2));
    }
    if tag < 0xc0 {
        let len = (tag & 0x3f) as usize;
        return Some((Item::Str(&blob[at + 1..at + 1 + len]), len + 2));
    }
    if tag == END {
        return None;
    }
    Some(decode_long(blob, at))
}

fn decode_long(blob: &[u8], at: usize) -> (Item<'_>, usize) {
    let (head, text) = parts(blob, at).expect("a checked listpack");
    let body = &blob[at..at + head + text];
    let item = match body[0] {
        0xe0..=0xf0 => Item::Str(&body[head..]),
        // Shifted up and back down to spread the sign of 13 bits.
        0xc0..=0xdf => Item::Int((i16::from_be_bytes([body[0], body[1]]) << 3 >> 3).into()),
        _ => Item::Int(little_endian(body)),
    };
    (item, head + text + backlen_bytes(head + text))
}

/// The integer behind a tag of 16 bits or more. Width by width, because a copy of variable length
/// would be a call.
#[inline]
fn little_endian(body: &[u8]) -> i64 {
    match *body {
        [_, a, b] => i16::from_le_bytes([a, b]).into(),
        [_, a, b, c] => (i32::from_le_bytes([0, a, b, c]) >> 8).into(),
        [_, a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        [_, a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => unreachable!("integers have 2, 3, 4 or 8 bytes"),
    }
}

/// The size of the entry at `at` of an untrusted blob, or why it is none.
pub(super) fn check_entry(blob: &[u8], at: usize) -> Result<usize, &'static str> {
    let (head, text) = parts(blob, at).ok_or("unknown or truncated element encoding")?;
    let content = head + text;
    let end = at + content + backlen_bytes(content);
    // The end marker must still fit behind.
    if end >= blob.len() {
        return Err("element reaches beyond the end");
    }
    // Byte by byte, not by value: a backlen whose first byte wrongly says "more" can read right by
    // luck, until the element before it changes.
    let mut backlen = [0; BACKLEN_MAX_BYTES];
    let backlen_len = encode_backlen(content, &mut backlen);
    if blob[at + content..end] != backlen[..backlen_len] {
        return Err("backward length differs from the element's length");
    }
    Ok(end - at)
}
