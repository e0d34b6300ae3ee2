//! `Scanner`: walks the commands and annotations of a file, as its bytes come by.
//!
//! It says where each begins and ends, which transactions are open, up to where the file could be
//! kept, and what exactly is wrong where it breaks. Nothing is buffered but the line of a header, so
//! memory is flat whatever lengths a file claims.
//!
//! What counts as sound, the texts and the offsets are those of redis-check-aof 7.0.15 (observed): it
//! reads numbers as `strtol` does, takes commands without arguments, and cuts annotations at 1023
//! bytes. Where it shows bytes it never read (behind the end of a line that was cut), zeros stand
//! here.
//!
//! Knows no files and executes nothing; loading is the engine's. Tests: at the bottom,
//! `examples/fuzz_aof.rs`, and the check tool's comparison with the original.

use std::fmt;

/// Bytes of a header line that are looked at.
const HEAD_MAX_BYTES: usize = 127;
/// Longer annotations go on as a line of their own.
const ANNOTATION_MAX_BYTES: usize = 1023;
/// As long as the longest name that matters.
const NAME_BYTES: usize = 5;

/// A whole part of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A line that begins with `#`, its end included if it has one.
    Annotation { at: u64, text: Vec<u8> },
    Command {
        at: u64,
        end: u64,
        arguments: i64,
        transaction: Transaction,
    },
}

/// What a command has to do with transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    Nothing,
    Begins,
    Ends,
}

/// Where and why a file cannot be understood any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The beginning of what was being read: a line or a string.
    pub at: u64,
    pub reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Neither a command nor an annotation.
    NoCommand,
    WrongPrefix {
        got: u8,
    },
    NoLineEnd {
        got: [u8; 2],
    },
    LengthOutOfRange(i64),
    /// The file ends inside a string.
    CutString {
        wanted_bytes: u64,
        got_bytes: u64,
    },
    /// The file ends between the arguments of a command.
    CutCommand,
    /// The file ends inside a transaction.
    OpenTransaction,
    UnexpectedMulti,
    UnexpectedExec,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Reason::NoCommand => f.write_str("format error"),
            Reason::WrongPrefix { got } => {
                let got = got.escape_ascii();
                write!(f, "Expected prefix '$', got: '{got}'")
            }
            Reason::NoLineEnd { got: [a, b] } => {
                write!(f, "Expected \\r\\n, got: {a:02x}{b:02x}")
            }
            Reason::LengthOutOfRange(len) => write!(
                f,
                "Expected to read string of {len} bytes, which is not in the suitable range"
            ),
            Reason::CutString {
                wanted_bytes,
                got_bytes,
            } => write!(
                f,
                "Expected to read {wanted_bytes} bytes, got {got_bytes} bytes"
            ),
            Reason::CutCommand => f.write_str("Reached EOF inside a command"),
            Reason::OpenTransaction => f.write_str("Reached EOF before reading EXEC for MULTI"),
            Reason::UnexpectedMulti => f.write_str("Unexpected MULTI in AOF"),
            Reason::UnexpectedExec => f.write_str("Unexpected EXEC in AOF"),
        }
    }
}

/// See the file header.
#[derive(Clone, Debug)]
pub struct Scanner {
    offset: u64,
    lines: u64,
    valid_up_to: u64,
    /// Where the latest line or string began.
    reading_at: u64,
    in_transaction: bool,
    state: State,
    /// The line that is being read.
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Between,
    Annotation,
    ArgumentCount { at: u64 },
    Length(Command),
    String(Command, Text),
    Broken(Fault),
}

/// A command under way.
#[derive(Clone, Copy, Debug)]
struct Command {
    at: u64,
    arguments: i64,
    done: i64,
    transaction: Transaction,
}

/// A string under way, with the line end behind it.
#[derive(Clone, Copy, Debug)]
struct Text {
    len: u64,
    got: u64,
    start: [u8; NAME_BYTES],
    end: [u8; 2],
}

impl Scanner {
    /// For what begins at this offset of the file, behind so many lines.
    pub fn new(offset: u64, lines: u64) -> Scanner {
        Scanner {
            offset,
            lines,
            valid_up_to: offset,
            reading_at: offset,
            in_transaction: false,
            state: State::Between,
            line: Vec::new(),
        }
    }

    /// Bytes of the file that were consumed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Line ends that were consumed in commands.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Up to here the file is sound and no transaction is open.
    pub fn valid_up_to(&self) -> u64 {
        self.valid_up_to
    }

    /// Consumes from the front of `input` up to the end of the next item. Without one, all of the
    /// input is consumed. A fault is final.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Item>, Fault> {
        while !input.is_empty() {
            let item = match self.state {
                State::Between => self.begin(input[0]).map(|()| None),
                State::Annotation => Ok(self.annotation(input)),
                State::ArgumentCount { at } => self.argument_count(at, input),
                State::Length(command) => self.length(command, input).map(|()| None),
                State::String(command, text) => self.string(command, text, input),
                State::Broken(fault) => Err(fault),
            };
            if let Some(item) = item.map_err(|fault| self.broken(fault))? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// The input is over. An annotation that nothing ended is an item all the same.
    pub fn finish(&mut self) -> Result<Option<Item>, Fault> {
        let ended = match self.state {
            State::Between => Ok(None),
            State::Annotation => Ok(Some(self.end_annotation())),
            State::ArgumentCount { .. } => Err(self.number().map(|_| Reason::CutCommand)),
            State::Length(_) if self.line.is_empty() => {
                self.reading_at = self.offset;
                Err(Ok(match self.in_transaction {
                    true => Reason::OpenTransaction,
                    false => Reason::CutCommand,
                }))
            }
            State::Length(_) => Err(self.number().map(|_| Reason::CutCommand)),
            State::String(_, text) => Err(Ok(Reason::CutString {
                wanted_bytes: text.len + 2,
                got_bytes: text.got,
            })),
            State::Broken(fault) => return Err(fault),
        };
        match ended {
            Ok(item) if !self.in_transaction => Ok(item),
            Ok(_) => Err(self.fault(Reason::OpenTransaction)),
            Err(Ok(reason)) => Err(self.fault(reason)),
            Err(Err(fault)) => Err(fault),
        }
        .map_err(|fault| self.broken(fault))
    }

    fn broken(&mut self, fault: Fault) -> Fault {
        self.state = State::Broken(fault);
        fault
    }

    fn fault(&self, reason: Reason) -> Fault {
        Fault {
            at: self.reading_at,
            reason,
        }
    }

    fn begin(&mut self, first: u8) -> Result<(), Fault> {
        self.reading_at = self.offset;
        self.line.clear();
        self.state = match first {
            b'#' => State::Annotation,
            b'*' => State::ArgumentCount { at: self.offset },
            _ => return Err(self.fault(Reason::NoCommand)),
        };
        Ok(())
    }

    fn annotation(&mut self, input: &mut &[u8]) -> Option<Item> {
        self.fill_line(input, ANNOTATION_MAX_BYTES)
            .then(|| self.end_annotation())
    }

    fn end_annotation(&mut self) -> Item {
        self.end_item();
        Item::Annotation {
            at: self.reading_at,
            text: std::mem::take(&mut self.line),
        }
    }

    fn argument_count(&mut self, at: u64, input: &mut &[u8]) -> Result<Option<Item>, Fault> {
        if !self.fill_line(input, HEAD_MAX_BYTES) {
            return Ok(None);
        }
        let arguments = self.number()?;
        Ok(self.argument(Command {
            at,
            arguments,
            done: 0,
            transaction: Transaction::Nothing,
        }))
    }

    /// Goes on to the next argument, or ends the command.
    fn argument(&mut self, command: Command) -> Option<Item> {
        if command.done < command.arguments {
            self.line.clear();
            self.state = State::Length(command);
            return None;
        }
        self.end_item();
        Some(Item::Command {
            at: command.at,
            end: self.offset,
            arguments: command.arguments,
            transaction: command.transaction,
        })
    }

    fn length(&mut self, command: Command, input: &mut &[u8]) -> Result<(), Fault> {
        if self.line.is_empty() {
            self.reading_at = self.offset;
            if input[0] != b'$' {
                return Err(self.fault(Reason::WrongPrefix { got: input[0] }));
            }
        }
        if !self.fill_line(input, HEAD_MAX_BYTES) {
            return Ok(());
        }
        let len = self.number()?;
        let out_of_range = self.fault(Reason::LengthOutOfRange(len));
        let text = Text {
            len: u64::try_from(len)
                .ok()
                .filter(|_| len <= i64::MAX - 2)
                .ok_or(out_of_range)?,
            got: 0,
            start: [0; NAME_BYTES],
            end: [0; 2],
        };
        self.reading_at = self.offset;
        self.state = State::String(command, text);
        Ok(())
    }

    fn string(
        &mut self,
        mut command: Command,
        mut text: Text,
        input: &mut &[u8],
    ) -> Result<Option<Item>, Fault> {
        text.take(input, &mut self.offset);
        self.state = State::String(command, text);
        if text.got < text.len + 2 {
            return Ok(None);
        }
        if text.end != *b"\r\n" {
            return Err(self.fault(Reason::NoLineEnd { got: text.end }));
        }
        self.lines += 1;
        if command.done == 0 {
            command.transaction = self.transaction(&text)?;
        }
        command.done += 1;
        Ok(self.argument(command))
    }

    fn transaction(&mut self, name: &Text) -> Result<Transaction, Fault> {
        if name.is("multi") {
            if self.in_transaction {
                return Err(self.fault(Reason::UnexpectedMulti));
            }
            self.in_transaction = true;
            Ok(Transaction::Begins)
        } else if name.is("exec") {
            if !self.in_transaction {
                return Err(self.fault(Reason::UnexpectedExec));
            }
            self.in_transaction = false;
            Ok(Transaction::Ends)
        } else {
            Ok(Transaction::Nothing)
        }
    }

    fn end_item(&mut self) {
        self.state = State::Between;
        if !self.in_transaction {
            self.valid_up_to = self.offset;
        }
    }

    /// Whether the line is now as long as it gets.
    fn fill_line(&mut self, input: &mut &[u8], max_bytes: usize) -> bool {
        let room = (max_bytes - self.line.len()).min(input.len());
        let end = input[..room].iter().position(|&byte| byte == b'\n');
        let taken = end.map_or(room, |at| at + 1);
        self.line.extend_from_slice(&input[..taken]);
        self.offset += taken as u64;
        *input = &input[taken..];
        end.is_some() || self.line.len() == max_bytes
    }

    /// The number of a header line.
    fn number(&mut self) -> Result<i64, Fault> {
        let (number, len) = leading_number(&self.line[1..]);
        let behind = &self.line[1 + len..];
        let byte = |at: usize| behind.get(at).copied().unwrap_or(0);
        let got = [byte(0), byte(1)];
        if got != *b"\r\n" {
            return Err(self.fault(Reason::NoLineEnd { got }));
        }
        self.lines += 1;
        Ok(number)
    }
}

impl Text {
    fn take(&mut self, input: &mut &[u8], offset: &mut u64) {
        let left = self.len + 2 - self.got;
        let taken = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let (bytes, rest) = input.split_at(taken);
        let first = self.got;
        if first < NAME_BYTES as u64 {
            let start = &mut self.start[first as usize..];
            let count = start.len().min(bytes.len());
            start[..count].copy_from_slice(&bytes[..count]);
        }
        let from = bytes.len().saturating_sub(2);
        for (index, &byte) in bytes.iter().enumerate().skip(from) {
            if let Some(at) = (first + index as u64).checked_sub(self.len) {
                self.end[at as usize] = byte;
            }
        }
        self.got += taken as u64;
        *offset += taken as u64;
        *input = rest;
    }

    /// `name` is not longer than [`NAME_BYTES`].
    fn is(&self, name: &str) -> bool {
        self.len == name.len() as u64
            && self.start[..name.len()].eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The number a text begins with as `strtol` reads it, and its length; 0 and 0 if there is none.
pub fn leading_number(text: &[u8]) -> (i64, usize) {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let mut at = text.iter().take_while(is_blank).count();
    let is_negative = text.get(at) == Some(&b'-');
    at += usize::from(matches!(text.get(at), Some(b'-' | b'+')));
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let (mut number, mut count) = (0i64, 0);
    for digit in digits {
        let digit = i64::from(digit - b'0');
        let digit = if is_negative { -digit } else { digit };
        number = number.saturating_mul(10).saturating_add(digit);
        count += 1;
    }
    if count == 0 {
        (0, 0)
    } else {
        (number, at + count)
    }
}

/// The time of an annotation `#TS:<seconds>`; nothing if it is another annotation, an error if the
/// time cannot be read.
pub fn timestamp_s(annotation: &[u8]) -> Option<Result<i64, InvalidTimestamp>> {
    let text = annotation.strip_prefix(b"#TS:")?;
    let (seconds, len) = leading_number(text);
    let is_in_range = seconds != i64::MAX && seconds != i64::MIN;
    let is_ended = text.get(len) == Some(&b'\r');
    Some(if is_in_range && is_ended {
        Ok(seconds)
    } else {
        Err(InvalidTimestamp)
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTimestamp;

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &[u8] = b"*3\r\n$3\r\nset\r\n$3\r\nfoo\r\n$5\r\nhello\r\n";

    /// The items, where it could be cut, lines, and the fault; the same in pieces of any size.
    fn scan(bytes: &[u8]) -> (Vec<Item>, u64, u64, Option<Fault>) {
        let whole = scan_in_pieces(bytes, bytes.len().max(1));
        for size in [1, 2, 3, 7] {
            assert_eq!(scan_in_pieces(bytes, size), whole, "pieces of {size}");
        }
        whole
    }

    fn scan_in_pieces(bytes: &[u8], size: usize) -> (Vec<Item>, u64, u64, Option<Fault>) {
        let (mut scanner, mut items) = (Scanner::new(0, 1), Vec::new());
        let mut fault = None;
        'pieces: for mut piece in bytes.chunks(size) {
            loop {
                match scanner.next(&mut piece) {
                    Ok(Some(item)) => items.push(item),
                    Ok(None) => break,
                    Err(found) => {
                        fault = Some(found);
                        break 'pieces;
                    }
                }
            }
        }
        match scanner.finish() {
            Ok(item) => items.extend(item),
            Err(found) => assert_eq!(*fault.get_or_insert(found), found),
        }
        (items, scanner.valid_up_to(), scanner.lines(), fault)
    }

    fn with_set(rest: &[u8]) -> Vec<u8> {
        [SET, rest].concat()
    }

    fn fault_behind_set(rest: &[u8]) -> (u64, u64, String) {
        let (_, valid_up_to, lines, fault) = scan(&with_set(rest));
        assert_eq!(valid_up_to, 33);
        let fault = fault.expect("a fault");
        (fault.at, lines, fault.reason.to_string())
    }

    #[test]
    fn commands_and_annotations_come_with_their_places() {
        let bytes = [
            b"#TS:12\r\n",
            SET,
            b"*1\r\n$5\r\nMulti\r\n*1\r\n$4\r\nexec\r\n",
        ]
        .concat();
        let (items, valid_up_to, lines, fault) = scan(&bytes);
        let command = |at, end, arguments, transaction| Item::Command {
            at,
            end,
            arguments,
            transaction,
        };
        let expected = [
            Item::Annotation {
                at: 0,
                text: b"#TS:12\r\n".to_vec(),
            },
            command(8, 41, 3, Transaction::Nothing),
            command(41, 56, 1, Transaction::Begins),
            command(56, 70, 1, Transaction::Ends),
        ];
        assert_eq!(items, expected);
        assert_eq!((valid_up_to, lines, fault), (70, 14, None));
    }

    /// Offsets, lines and texts were observed from redis-check-aof.
    #[test]
    fn faults_have_the_place_and_text_of_the_original() {
        let cases: &[(&[u8], u64, u64, &str)] = &[
            (b"!!!", 0x21, 8, "format error"),
            (b"*1\r\n$4\r\nexec\r\n", 0x29, 11, "Unexpected EXEC in AOF"),
            (
                b"*1\r\n$5\r\nmulti\r\n*1\r\n$5\r\nmulti\r\n",
                0x38,
                14,
                "Unexpected MULTI in AOF",
            ),
            (
                b"*3\r\n$3\r\nse",
                0x29,
                10,
                "Expected to read 5 bytes, got 2 bytes",
            ),
            (
                b"*3\r\n$-3\r\nse",
                0x25,
                10,
                "Expected to read string of -3 bytes, which is not in the suitable range",
            ),
            (
                b"*3\r\n$99999999999999999999\r\nse",
                0x25,
                10,
                "Expected to read string of 9223372036854775807 bytes, which is not in the suitable range",
            ),
            (
                b"*3\r\n$999999999999\r\nse",
                0x34,
                10,
                "Expected to read 1000000000001 bytes, got 2 bytes",
            ),
            (b"*3\r\n:3\r\nse", 0x25, 9, "Expected prefix '$', got: ':'"),
            (b"*3x\r\n$3", 0x21, 8, "Expected \\r\\n, got: 780d"),
            (b"*3", 0x21, 8, "Expected \\r\\n, got: 0000"),
            (b"*3\n$3", 0x21, 8, "Expected \\r\\n, got: 0a00"),
            (
                b"*1\r\n$3\r\nabcde\r\n",
                0x29,
                10,
                "Expected \\r\\n, got: 6465",
            ),
            (b"*3\r\n", 0x25, 9, "Reached EOF inside a command"),
        ];
        for (rest, at, lines, text) in cases {
            let expected = (*at, *lines, text.to_string());
            assert_eq!(fault_behind_set(rest), expected, "{}", rest.escape_ascii());
        }
    }

    #[test]
    fn an_open_transaction_is_not_kept() {
        let rest = with_set(b"*1\r\n$5\r\nmulti\r\n");
        let rest = [&rest[SET.len()..], SET].concat();
        let expected = "Reached EOF before reading EXEC for MULTI".to_string();
        assert_eq!(fault_behind_set(&rest), (0x4a, 18, expected.clone()));
        let rest = [&rest[..], b"*2\r\n"].concat();
        assert_eq!(fault_behind_set(&rest), (0x55, 19, expected));
    }

    #[test]
    fn what_the_original_takes_is_taken() {
        for (rest, lines) in [
            (&b"*-1\r\n"[..], 9),
            (b"*0\r\n*\r\n", 10),
            (b"*  1\r\n$+1\r\na\r\n", 11),
            (b"#TS:1", 8),
            (b"#", 8),
        ] {
            let bytes = with_set(rest);
            let (_, valid_up_to, found_lines, fault) = scan(&bytes);
            assert_eq!((valid_up_to, fault), (bytes.len() as u64, None));
            assert_eq!(found_lines, lines);
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let annotation = [b"#".to_vec(), vec![b'x'; 3000], b"\r\n".to_vec()].concat();
        let (items, valid_up_to, _, fault) = scan(&annotation);
        assert_eq!((items.len(), valid_up_to), (1, 1023));
        assert_eq!(fault.unwrap().reason, Reason::NoCommand);
        let head = [b"*".to_vec(), vec![b'1'; 300], b"\r\n".to_vec()].concat();
        let reason = Reason::NoLineEnd { got: [0, 0] };
        assert_eq!(scan(&head).3, Some(Fault { at: 0, reason }));
    }

    #[test]
    fn times_are_read_from_annotations_only() {
        assert_eq!(timestamp_s(b"#TS:1628217470\r\n"), Some(Ok(1628217470)));
        assert_eq!(timestamp_s(b"#TS:-5\r\n"), Some(Ok(-5)));
        assert_eq!(timestamp_s(b"#TSX\r\n"), None);
        for text in [
            &b"#TS:1"[..],
            b"#TS:1\n",
            b"#TS:abc\r\n",
            b"#TS:99999999999999999999\r\n",
        ] {
            assert_eq!(timestamp_s(text), Some(Err(InvalidTimestamp)));
        }
    }
}
