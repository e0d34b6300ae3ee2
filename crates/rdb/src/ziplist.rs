//! Ziplists and zipmaps: how Redis before 7.0 and before 2.6 packed small collections.
//!
//! ```text
//! ziplist  total: u32 | offset of the last entry: u32 | count: u16 | entries | 0xff
//!   entry  size of the previous one: 1 byte, or 0xfe and u32
//!          00pppppp text < 64 | 01pppppp q text < 16384 | 10000000 u32 (big-endian) text
//!          1100.. i16 | 1101.. i32 | 1110.. i64 | 11110000 i24 | 11111110 i8 | 1111xxxx x-1 (0 to 12)
//! zipmap   count: u8 (254 and more: unknown) | key, value pairs | 0xff
//!   pair   len key len spare: u8 value, spare bytes; a len is 1 byte, or 0xfe and u32
//! ```
//! Sources: the published descriptions of both formats. All is checked on the way, as Redis does when
//! it converts them. Nothing here is written. Tests: below; `tests/old_encodings.rs`.

use structures::listpack::Item;

const END: u8 = 0xff;
const BIG: u8 = 0xfe;
const ZIPLIST_HEADER_BYTES: usize = 10;
const COUNT_UNKNOWN: u16 = u16::MAX;

/// Why bytes are not a ziplist or a zipmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt {
    pub at_byte: usize,
    pub why: &'static str,
}

fn corrupt<T>(at_byte: usize, why: &'static str) -> Result<T, Corrupt> {
    Err(Corrupt { at_byte, why })
}

/// A walk over checked places of a blob.
struct Reader<'a> {
    blob: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Corrupt> {
        // The end marker is nobody's content.
        let rest = &self.blob[self.at..self.blob.len() - 1];
        let Some(taken) = rest.get(..len) else {
            return corrupt(self.at, "an entry reaches beyond the end");
        };
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        Ok(self.take(N)?.try_into().expect("a slice of N bytes"))
    }

    fn byte(&mut self) -> Result<u8, Corrupt> {
        Ok(self.array::<1>()?[0])
    }

    fn is_at_end(&self) -> bool {
        self.at == self.blob.len() - 1
    }

    /// A length that takes one byte, or a marker and four.
    fn short_or_long(&mut self) -> Result<usize, Corrupt> {
        match self.byte()? {
            BIG => Ok(u32::from_le_bytes(self.array()?) as usize),
            END => corrupt(self.at - 1, "an end marker inside"),
            len => Ok(usize::from(len)),
        }
    }
}

/// Shows the entries of a ziplist in order.
pub(crate) fn walk_ziplist<'a, E: From<Corrupt>>(
    blob: &'a [u8],
    mut visit: impl FnMut(Item<'a>) -> Result<(), E>,
) -> Result<(), E> {
    if blob.len() <= ZIPLIST_HEADER_BYTES {
        return Ok(corrupt(0, "shorter than an empty ziplist")?);
    }
    let word = |at: usize| u32::from_le_bytes(blob[at..at + 4].try_into().expect("four bytes"));
    if word(0) as usize != blob.len() {
        return Ok(corrupt(0, "total differs from the size of the blob")?);
    }
    let tail = word(4) as usize;
    let header_count = u16::from_le_bytes([blob[8], blob[9]]);
    if blob[blob.len() - 1] != END {
        return Ok(corrupt(blob.len() - 1, "end marker missing")?);
    }
    let mut reader = Reader {
        blob,
        at: ZIPLIST_HEADER_BYTES,
    };
    let (mut count, mut previous_size, mut previous_at) = (0usize, 0, None);
    while !reader.is_at_end() {
        let start = reader.at;
        if reader.short_or_long()? != previous_size {
            return Ok(corrupt(start, "wrong size of the previous entry")?);
        }
        visit(ziplist_entry(&mut reader)?)?;
        previous_size = reader.at - start;
        previous_at = Some(start);
        count += 1;
    }
    if previous_at.is_some_and(|at| at != tail) || tail >= blob.len() {
        return Ok(corrupt(4, "wrong offset of the last entry")?);
    }
    if header_count != COUNT_UNKNOWN && usize::from(header_count) != count {
        return Ok(corrupt(8, "count differs from the number of entries")?);
    }
    Ok(())
}

fn ziplist_entry<'a>(reader: &mut Reader<'a>) -> Result<Item<'a>, Corrupt> {
    let tag = reader.byte()?;
    let text_len = match tag {
        0x00..=0x3f => usize::from(tag),
        0x40..=0x7f => usize::from(tag & 0x3f) << 8 | usize::from(reader.byte()?),
        0x80 => u32::from_be_bytes(reader.array()?) as usize,
        0xc0 => return Ok(Item::Int(i16::from_le_bytes(reader.array()?).into())),
        0xd0 => return Ok(Item::Int(i32::from_le_bytes(reader.array()?).into())),
        0xe0 => return Ok(Item::Int(i64::from_le_bytes(reader.array()?))),
        0xf0 => {
            let [low, middle, high] = reader.array()?;
            // In the upper bytes first, so that shifting down spreads the sign.
            let shifted = i32::from_le_bytes([0, low, middle, high]);
            return Ok(Item::Int((shifted >> 8).into()));
        }
        0xf1..=0xfd => return Ok(Item::Int(i64::from(tag & 0x0f) - 1)),
        0xfe => return Ok(Item::Int((reader.byte()? as i8).into())),
        _ => return corrupt(reader.at - 1, "unknown encoding of an entry"),
    };
    reader.take(text_len).map(Item::Str)
}

/// Shows the pairs of a zipmap in order. An empty one is corrupt, as it is for Redis.
pub(crate) fn walk_zipmap<'a, E: From<Corrupt>>(
    blob: &'a [u8],
    mut visit: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), E>,
) -> Result<(), E> {
    if blob.len() < 2 {
        return Ok(corrupt(0, "shorter than an empty zipmap")?);
    }
    if blob[blob.len() - 1] != END {
        return Ok(corrupt(blob.len() - 1, "end marker missing")?);
    }
    let mut reader = Reader { blob, at: 1 };
    let mut count = 0usize;
    while !reader.is_at_end() {
        let key_len = reader.short_or_long()?;
        let key = reader.take(key_len)?;
        let value_len = reader.short_or_long()?;
        let spare = usize::from(reader.byte()?);
        let value = reader.take(value_len)?;
        reader.take(spare)?;
        visit(key, value)?;
        count += 1;
    }
    if count == 0 {
        return Ok(corrupt(0, "no pairs")?);
    }
    if blob[0] < BIG && usize::from(blob[0]) != count {
        return Ok(corrupt(0, "count differs from the number of pairs")?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ziplist(blob: &[u8]) -> Result<Vec<Vec<u8>>, Corrupt> {
        let mut items = Vec::new();
        walk_ziplist::<Corrupt>(blob, |item| {
            items.push(item.to_vec());
            Ok(())
        })?;
        Ok(items)
    }

    /// A ziplist of these entries, each without the size of the one before.
    pub fn ziplist_of(entries: &[&[u8]]) -> Vec<u8> {
        let mut blob = vec![0; ZIPLIST_HEADER_BYTES];
        let (mut previous, mut tail) = (0usize, ZIPLIST_HEADER_BYTES);
        for entry in entries {
            tail = blob.len();
            if previous < 254 {
                blob.push(previous as u8);
            } else {
                blob.push(BIG);
                blob.extend_from_slice(&(previous as u32).to_le_bytes());
            }
            blob.extend_from_slice(entry);
            previous = blob.len() - tail;
        }
        blob.push(END);
        let total = blob.len() as u32;
        blob[0..4].copy_from_slice(&total.to_le_bytes());
        blob[4..8].copy_from_slice(&(tail as u32).to_le_bytes());
        blob[8..10].copy_from_slice(&(entries.len() as u16).to_le_bytes());
        blob
    }

    #[test]
    fn every_encoding_of_an_entry_is_read() {
        let mut long = vec![0x41, 0x2c];
        long.extend_from_slice(&[b'l'; 300]);
        let mut longer = vec![0x80, 0, 0, 0x40, 0];
        longer.extend_from_slice(&[b'm'; 16384]);
        let entries: [&[u8]; 12] = [
            b"\x03abc",
            b"\0",
            &long,
            &longer,
            b"\xc0\xfe\xff",
            b"\xd0\x70\x11\x01\0",
            b"\xe0\0\0\0\0\0\0\0\x80",
            b"\xf0\xff\xff\x7f",
            b"\xf0\0\0\x80",
            b"\xf1",
            b"\xfd",
            b"\xfe\x80",
        ];
        let expected: [&[u8]; 12] = [
            b"abc",
            b"",
            &long[2..],
            &longer[5..],
            b"-2",
            b"70000",
            b"-9223372036854775808",
            b"8388607",
            b"-8388608",
            b"0",
            b"12",
            b"-128",
        ];
        assert_eq!(ziplist(&ziplist_of(&entries)).unwrap(), expected);
        assert_eq!(ziplist(&ziplist_of(&[])).unwrap(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn damaged_ziplists_are_refused_with_place_and_reason() {
        let good = ziplist_of(&[b"\x01a", b"\x01b"]);
        let check = |at: usize, byte: u8, at_byte: usize, why: &str| {
            let mut blob = good.clone();
            blob[at] = byte;
            let found = ziplist(&blob).unwrap_err();
            assert_eq!((found.at_byte, found.why), (at_byte, why));
        };
        check(0, 9, 0, "total differs from the size of the blob");
        check(4, 10, 4, "wrong offset of the last entry");
        check(8, 3, 8, "count differs from the number of entries");
        check(11, 0xff, 11, "unknown encoding of an entry");
        check(11, 0x09, 12, "an entry reaches beyond the end");
        check(13, 7, 13, "wrong size of the previous entry");
        check(13, 0xff, 13, "an end marker inside");
        check(16, 0, 16, "end marker missing");
        assert_eq!(
            ziplist(&good[..10]).unwrap_err().why,
            "shorter than an empty ziplist"
        );
    }

    #[test]
    fn zipmaps_are_read_and_checked() {
        let pairs = |blob: &[u8]| {
            let mut pairs = Vec::new();
            walk_zipmap::<Corrupt>(blob, |key, value| {
                pairs.push((key.to_vec(), value.to_vec()));
                Ok(())
            })
            .map(|()| pairs)
        };
        let good = b"\x02\x03foo\x03\0bar\x05hello\x05\x02world!!\xff";
        let expected = [("foo", "bar"), ("hello", "world")]
            .map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec()));
        assert_eq!(pairs(good).unwrap(), expected);
        let why = |blob: &[u8]| pairs(blob).unwrap_err().why;
        assert_eq!(why(b"\0\xff"), "no pairs");
        assert_eq!(why(b"\xff"), "shorter than an empty zipmap");
        assert_eq!(why(&good[..8]), "end marker missing");
        assert_eq!(
            why(b"\x01\x03foo\x03\0ba\xff"),
            "an entry reaches beyond the end"
        );
        assert_eq!(
            why(b"\x02\x01a\x01\0b\xff"),
            "count differs from the number of pairs"
        );
        assert_eq!(
            why(b"\x01\xfe\xff\xff\xff\xffa\xff"),
            "an entry reaches beyond the end"
        );
    }
}
