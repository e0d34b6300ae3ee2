//! A snapshot on its way to us: framing in, slices of the snapshot out.
//!
//! ```text
//!   \n \n $<length>\r\n  <length bytes>   then the stream
//!   \n \n $EOF:<mark>\r\n <bytes> <mark>  then nothing until we have acknowledged
//! ```
//!
//! The mark is looked for only at the end of what has arrived: its sender waits behind it. A tail
//! that may be its beginning is left in the driver's buffer until more is known, so no byte of the
//! mark is ever taken for data and none is copied.
//! Claimed lengths reserve nothing; whether the bytes are a snapshot is for the decoder to say.
//!
//! Tests: at the bottom.

use resp::parse_i64;

use crate::line::{Line, take_line};
use crate::misbehaved::Misbehaved;
use crate::replconf::printable;

pub const MARK_LEN: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Header,
    Length { left_bytes: u64 },
    Mark { mark: [u8; MARK_LEN] },
}

#[derive(Debug)]
pub(crate) struct Transfer {
    framing: Framing,
    /// As the header says; none for a stream that ends in a mark.
    pub total_bytes: Option<u64>,
    pub read_bytes: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// The primary is alive, and still making it.
    Newline,
    Header,
    Data(&'a [u8]),
    End,
    /// More must arrive.
    Nothing,
}

impl Transfer {
    pub fn new() -> Transfer {
        Transfer {
            framing: Framing::Header,
            total_bytes: None,
            read_bytes: 0,
        }
    }

    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Piece<'a>, Misbehaved> {
        match &mut self.framing {
            Framing::Header => self.header(input),
            Framing::Length { left_bytes: 0 } => Ok(Piece::End),
            Framing::Length { left_bytes } => {
                let len = input
                    .len()
                    .min(usize::try_from(*left_bytes).unwrap_or(usize::MAX));
                *left_bytes -= len as u64;
                Ok(self.data(input, len))
            }
            Framing::Mark { mark } if *input == mark => {
                *input = &input[MARK_LEN..];
                Ok(Piece::End)
            }
            Framing::Mark { mark } => {
                let len = input.len() - mark_at_end(input, mark);
                Ok(self.data(input, len))
            }
        }
    }

    fn data<'a>(&mut self, input: &mut &'a [u8], len: usize) -> Piece<'a> {
        let (data, rest) = input.split_at(len);
        *input = rest;
        self.read_bytes += len as u64;
        if data.is_empty() {
            Piece::Nothing
        } else {
            Piece::Data(data)
        }
    }

    fn header<'a>(&mut self, input: &mut &'a [u8]) -> Result<Piece<'a>, Misbehaved> {
        let line = match take_line(input) {
            Line::Whole(line) => line,
            Line::Partial => return Ok(Piece::Nothing),
            Line::TooLong => return Err(Misbehaved::LongLine),
        };
        match line {
            [] => return Ok(Piece::Newline),
            [b'-', text @ ..] => return Err(Misbehaved::Aborted(printable(text))),
            [b'$', b'E', b'O', b'F', b':', mark @ ..] if mark.len() >= MARK_LEN => {
                let mark = std::array::from_fn(|index| mark[index]);
                self.framing = Framing::Mark { mark };
            }
            [b'$', length @ ..] => {
                let length = parse_i64(length).and_then(|length| u64::try_from(length).ok());
                let left_bytes = length.ok_or_else(|| Misbehaved::BadLength(printable(line)))?;
                self.total_bytes = Some(left_bytes);
                self.framing = Framing::Length { left_bytes };
            }
            _ => return Err(Misbehaved::NoBulk(printable(line))),
        }
        Ok(Piece::Header)
    }
}

/// How many of the last bytes are, or may become, the mark.
fn mark_at_end(input: &[u8], mark: &[u8; MARK_LEN]) -> usize {
    let longest = input.len().min(MARK_LEN);
    (1..=longest)
        .rev()
        .find(|&len| input.ends_with(&mark[..len]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a transfer yields when its bytes arrive in pieces of the given sizes.
    fn run(wire: &[u8], sizes: &[usize]) -> Result<(Vec<u8>, bool, usize), Misbehaved> {
        let mut transfer = Transfer::new();
        let (mut data, mut is_over) = (Vec::new(), false);
        let (mut start, mut end) = (0, 0);
        let mut sizes = sizes.iter().cycle();
        loop {
            let mut input = &wire[start..end];
            loop {
                match transfer.next(&mut input)? {
                    Piece::Newline | Piece::Header => {}
                    Piece::Data(piece) => data.extend_from_slice(piece),
                    Piece::End => {
                        is_over = true;
                        break;
                    }
                    Piece::Nothing => break,
                }
            }
            start = end - input.len();
            if is_over || end == wire.len() {
                return Ok((data, is_over, wire.len() - start));
            }
            end = (end + sizes.next().map_or(1, |&size| size.max(1))).min(wire.len());
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference_with_a_mark(
            data in prop::collection::vec(prop::sample::select(vec![b'a', b'b']), 0..300),
            mark in prop::collection::vec(prop::sample::select(vec![b'a', b'b']), MARK_LEN),
            sizes in prop::collection::vec(1usize..90, 1..20),
        ) {
            // A mark of two letters among data of the same letters: partial matches everywhere.
            prop_assume!(!data.windows(MARK_LEN).any(|window| window == mark));
            let joined = [&data[..], &mark].concat();
            prop_assume!(!joined[..joined.len() - 1].windows(MARK_LEN).any(|window| window == mark));
            let wire = [b"\n\n$EOF:", &mark[..], b"\r\n", &joined].concat();
            let (found, is_over, rest) = run(&wire, &sizes).expect("well-formed");
            prop_assert_eq!(found, data);
            prop_assert!(is_over);
            prop_assert_eq!(rest, 0);
        }

        #[test]
        fn pieces_make_no_difference_with_a_length(
            data in prop::collection::vec(any::<u8>(), 0..300),
            tail in prop::collection::vec(any::<u8>(), 0..50),
            sizes in prop::collection::vec(1usize..90, 1..20),
        ) {
            let header = format!("\n${}\r\n", data.len());
            let wire = [header.as_bytes(), &data, &tail].concat();
            let (found, is_over, rest) = run(&wire, &sizes).expect("well-formed");
            prop_assert_eq!(found, data);
            prop_assert!(is_over);
            prop_assert!(rest <= tail.len());
        }
    }

    #[test]
    fn a_cut_transfer_is_not_over_and_keeps_back_what_may_be_the_mark() {
        let mark = [b'm'; MARK_LEN];
        let wire = [b"$EOF:", &mark[..], b"\r\nabcmmm"].concat();
        assert_eq!(run(&wire, &[7]), Ok((b"abc".to_vec(), false, 3)));
        assert_eq!(run(b"$10\r\nabc", &[100]), Ok((b"abc".to_vec(), false, 0)));
    }

    #[test]
    fn bad_headers_are_refused() {
        for (wire, expected) in [
            ("-ERR no\r\n", Misbehaved::Aborted("ERR no".into())),
            ("$-1\r\n", Misbehaved::BadLength("$-1".into())),
            (
                "$99999999999999999999\r\n",
                Misbehaved::BadLength("$99999999999999999999".into()),
            ),
            ("$\r\n", Misbehaved::BadLength("$".into())),
            ("$EOF:abc\r\n", Misbehaved::BadLength("$EOF:abc".into())),
            ("+OK\r\n", Misbehaved::NoBulk("+OK".into())),
            ("REDIS0011\r\n", Misbehaved::NoBulk("REDIS0011".into())),
        ] {
            assert_eq!(run(wire.as_bytes(), &[3]), Err(expected), "{wire}");
        }
        assert_eq!(run(&[b'x'; 5000], &[500]), Err(Misbehaved::LongLine));
        // A huge length is only a promise; nothing is reserved for it.
        let huge = b"$9223372036854775807\r\nabc";
        assert_eq!(run(huge, &[100]), Ok((b"abc".to_vec(), false, 0)));
    }
}
