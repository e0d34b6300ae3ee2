//! `Cursor`: reading bytes, lengths and strings from what has arrived so far.
//!
//! Every reader returns [`Stop::More`] when the input ends too early; the caller then goes back to
//! the last place it committed. So nothing is read twice but the head of one string, and nothing is
//! set aside for what is only claimed. Tests: with the decoder.

use structures::decimal::IntBuf;

use crate::error::Reason;
use crate::format::{length, special};
use crate::lzf;

/// Why reading does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// At least so many bytes are missing.
    More(u64),
    Bad(Box<Reason>),
}

impl From<Reason> for Stop {
    #[cold]
    fn from(reason: Reason) -> Stop {
        Stop::Bad(Box::new(reason))
    }
}

impl From<lzf::Corrupt> for Stop {
    #[cold]
    fn from(corrupt: lzf::Corrupt) -> Stop {
        Reason::BadCompression(corrupt.0).into()
    }
}

pub(crate) type Read<T> = Result<T, Stop>;

/// A string as it is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Text<'i> {
    Plain(&'i [u8]),
    Int(i64),
    Packed { packed: &'i [u8], len: usize },
}

/// The head of a string: how it is stored and how long that is.
#[derive(Clone, Copy)]
pub(crate) enum Head {
    Plain(u64),
    Int(i64),
    Packed { packed: u64, len: u64 },
}

/// Room for a string that is not in the input as it is.
#[derive(Default)]
pub(crate) struct Scratch {
    int: IntBuf,
    /// As long as the longest string so far; not cleared in between.
    bytes: Vec<u8>,
}

/// What a scratch keeps between strings.
const SCRATCH_KEPT_BYTES: usize = 64 << 10;

impl<'i> Text<'i> {
    /// The bytes, from the input or from `scratch`.
    #[inline]
    pub fn resolve<'b>(self, scratch: &'b mut Scratch) -> Read<&'b [u8]>
    where
        'i: 'b,
    {
        match self {
            Text::Plain(bytes) => Ok(bytes),
            Text::Int(value) => Ok(scratch.int.format(value)),
            Text::Packed { packed, len } => {
                let bytes = &mut scratch.bytes;
                if bytes.len() < len || bytes.len() > SCRATCH_KEPT_BYTES {
                    *bytes = vec![0; len];
                }
                lzf::decompress(packed, &mut bytes[..len])?;
                Ok(&bytes[..len])
            }
        }
    }

    /// Puts the bytes into `out`, whatever it held.
    pub fn copy_to(self, out: &mut Vec<u8>) -> Read<()> {
        out.clear();
        match self {
            Text::Plain(bytes) => out.extend_from_slice(bytes),
            Text::Int(value) => out.extend_from_slice(IntBuf::new().format(value)),
            Text::Packed { packed, len } => {
                out.resize(len, 0);
                lzf::decompress(packed, out)?;
            }
        }
        Ok(())
    }
}

/// See the file header.
pub(crate) struct Cursor<'i> {
    data: &'i [u8],
    at: usize,
    committed: usize,
    summed: usize,
}

impl<'i> Cursor<'i> {
    pub fn new(data: &'i [u8]) -> Cursor<'i> {
        Cursor {
            data,
            at: 0,
            committed: 0,
            summed: 0,
        }
    }

    /// Where reading is.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a place that [`Cursor::at`] said.
    #[inline]
    pub fn go_back(&mut self, at: usize) {
        debug_assert!(at <= self.at && at >= self.committed);
        self.at = at;
    }

    /// What was read up to here is done with.
    #[inline]
    pub fn commit(&mut self) {
        self.committed = self.at;
    }

    #[inline]
    pub fn committed(&self) -> usize {
        self.committed
    }

    /// What was committed since the last time.
    #[inline]
    pub fn take_unsummed(&mut self) -> &'i [u8] {
        let fresh = &self.data[self.summed..self.committed];
        self.summed = self.committed;
        fresh
    }

    #[inline]
    pub fn remaining(&self) -> usize {
        self.data.len() - self.at
    }

    #[inline]
    pub fn byte(&mut self) -> Read<u8> {
        let byte = *self.data.get(self.at).ok_or(Stop::More(1))?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub fn take(&mut self, len: u64) -> Read<&'i [u8]> {
        let rest = &self.data[self.at..];
        if len > rest.len() as u64 {
            return Err(Stop::More(len - rest.len() as u64));
        }
        self.at += len as usize;
        Ok(&rest[..len as usize])
    }

    /// What is there, at most `len` bytes.
    pub fn take_up_to(&mut self, len: u64) -> &'i [u8] {
        let rest = &self.data[self.at..];
        let len = (rest.len() as u64).min(len) as usize;
        self.at += len;
        &rest[..len]
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.try_into().expect("a slice of N bytes"))
    }

    /// A length or another number in that form.
    #[inline]
    pub fn length(&mut self) -> Read<u64> {
        let first = self.byte()?;
        self.length_after(first)
    }

    #[inline]
    fn length_after(&mut self, first: u8) -> Read<u64> {
        match first {
            0x00..=0x3f => Ok(u64::from(first)),
            0x40..=0x7f => Ok(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            length::THIRTY_TWO_BITS => Ok(u64::from(u32::from_be_bytes(self.array()?))),
            length::SIXTY_FOUR_BITS => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(Reason::BadLength(first).into()),
        }
    }

    #[inline]
    pub fn head(&mut self) -> Read<Head> {
        let first = self.byte()?;
        if first < length::SPECIAL {
            return self.length_after(first).map(Head::Plain);
        }
        match first {
            special::INT_8 => Ok(Head::Int(i64::from(self.byte()? as i8))),
            special::INT_16 => Ok(Head::Int(i64::from(i16::from_le_bytes(self.array()?)))),
            special::INT_32 => Ok(Head::Int(i64::from(i32::from_le_bytes(self.array()?)))),
            special::LZF => {
                let (packed, len) = (self.length()?, self.length()?);
                Ok(Head::Packed { packed, len })
            }
            _ => Err(Reason::BadStringEncoding(first).into()),
        }
    }

    #[inline]
    pub fn text(&mut self) -> Read<Text<'i>> {
        match self.head()? {
            Head::Plain(len) => self.take(len).map(Text::Plain),
            Head::Int(value) => Ok(Text::Int(value)),
            Head::Packed { packed, len } => {
                let bytes = self.take(packed)?;
                match usize::try_from(len) {
                    Ok(len) if lzf::is_possible(bytes.len(), len) => {
                        Ok(Text::Packed { packed: bytes, len })
                    }
                    _ => Err(Reason::BadCompression("claims more than it can yield").into()),
                }
            }
        }
    }

    /// Moves behind a string.
    pub fn skip_text(&mut self) -> Read<()> {
        self.text().map(|_| ())
    }
}
