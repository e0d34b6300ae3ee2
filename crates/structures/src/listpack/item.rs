//! One element as it is read: an integer or a borrowed text, and comparing it with a text.
//!
//! Tests: `tests.rs`.

use std::fmt;

use crate::decimal::{IntBuf, parse_i64};

/// An element. Which form it has is a matter of storage: `Int(7)` and the text `7` are the same
/// element, and own writes always choose `Int` where they can.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    Int(i64),
    Str(&'a [u8]),
}

impl<'a> Item<'a> {
    /// The element's text; an integer is printed into `scratch`.
    #[inline]
    pub fn as_bytes<'b>(&self, scratch: &'b mut IntBuf) -> &'b [u8]
    where
        'a: 'b,
    {
        match *self {
            Item::Int(value) => scratch.format(value),
            Item::Str(text) => text,
        }
    }

    /// The length of the element's text.
    #[inline]
    pub fn text_len(&self) -> usize {
        match self {
            Item::Int(value) => IntBuf::new().format(*value).len(),
            Item::Str(text) => text.len(),
        }
    }

    #[inline]
    pub fn to_vec(&self) -> Vec<u8> {
        self.as_bytes(&mut IntBuf::new()).to_vec()
    }

    /// Whether the element's text is `text`. For many elements against one text, see [`Needle`].
    #[inline]
    pub fn eq_bytes(&self, text: &[u8]) -> bool {
        match self {
            Item::Int(value) => parse_i64(text) == Some(*value),
            Item::Str(own) => *own == text,
        }
    }

    /// The value, if the text is the canonical form of an integer.
    #[inline]
    pub fn to_i64(&self) -> Option<i64> {
        match self {
            Item::Int(value) => Some(*value),
            Item::Str(text) => parse_i64(text),
        }
    }

    /// The element as a score: decimal, exponent or `inf` forms; `None` for other texts and NaN.
    #[inline]
    pub fn to_f64(&self) -> Option<f64> {
        match self {
            Item::Int(value) => Some(*value as f64),
            Item::Str(text) => {
                let value: f64 = str::from_utf8(text).ok()?.parse().ok()?;
                (!value.is_nan()).then_some(value)
            }
        }
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Int(value) => write!(f, "{value}"),
            Item::Str(text) => write!(f, "b\"{}\"", text.escape_ascii()),
        }
    }
}

/// A text to be compared with many elements: what it is as an integer is found out once.
#[derive(Clone, Copy, Debug)]
pub struct Needle<'a> {
    text: &'a [u8],
    int: Option<i64>,
}

impl<'a> Needle<'a> {
    #[inline]
    pub fn new(text: &'a [u8]) -> Needle<'a> {
        Needle {
            text,
            int: parse_i64(text),
        }
    }

    #[inline]
    pub fn matches(&self, item: Item<'_>) -> bool {
        match item {
            Item::Int(value) => self.int == Some(value),
            // Names in one container tend to differ at their ends; a look at the last byte saves
            // most calls of memcmp.
            Item::Str(text) => {
                text.len() == self.text.len()
                    && text.last() == self.text.last()
                    && text == self.text
            }
        }
    }
}
