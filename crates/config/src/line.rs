//! One line of the configuration file: splitting it into words and quoting words back.
//!
//! The format is Redis's: words are separated by blanks; `"…"` knows `\n \r \t \b \a \xHH` and
//! takes any other escaped byte as itself; `'…'` knows only `\'`; a closing quote must be
//! followed by a blank or the end. `quote` writes what `split_args` reads back unchanged.
//! The crate `resp` has a splitter of its own for inline commands; this one stays here so that
//! the two formats may differ and the crates stay apart.

use crate::text::Text;

/// The words of a line, or `None` when a quote is unbalanced.
pub fn split_args(line: &[u8]) -> Option<Vec<Text>> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while at < line.len() && is_blank(line[at]) {
            at += 1;
        }
        if at == line.len() {
            return Some(words);
        }
        let (word, next) = read_word(line, at)?;
        words.push(Text::from(word));
        at = next;
    }
}

/// One word from `at`, and where it ended. Quotes may start inside a word: `a"b c"` is `ab c`.
fn read_word(line: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut word = Vec::new();
    while let Some(&byte) = line.get(at) {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => break,
            b'"' => return read_double_quoted(line, at + 1, word),
            b'\'' => return read_single_quoted(line, at + 1, word),
            other => word.push(other),
        }
        at += 1;
    }
    Some((word, at))
}

fn read_double_quoted(line: &[u8], mut at: usize, mut word: Vec<u8>) -> Option<(Vec<u8>, usize)> {
    loop {
        match (*line.get(at)?, line.get(at + 1)) {
            (b'"', next) => return end_of_quote(word, at, next),
            (b'\\', Some(b'x')) if hex_byte(line, at + 2).is_some() => {
                word.extend(hex_byte(line, at + 2));
                at += 4;
            }
            (b'\\', Some(&escaped)) => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            (byte, _) => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn read_single_quoted(line: &[u8], mut at: usize, mut word: Vec<u8>) -> Option<(Vec<u8>, usize)> {
    loop {
        match (*line.get(at)?, line.get(at + 1)) {
            (b'\\', Some(b'\'')) => {
                word.push(b'\'');
                at += 2;
            }
            (b'\'', next) => return end_of_quote(word, at, next),
            (byte, _) => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn end_of_quote(word: Vec<u8>, at: usize, next: Option<&u8>) -> Option<(Vec<u8>, usize)> {
    next.is_none_or(|&byte| is_blank(byte))
        .then_some((word, at + 1))
}

fn hex_byte(line: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| (*line.get(at)? as char).to_digit(16);
    Some((digit(at)? * 16 + digit(at + 1)?) as u8)
}

/// C's `isspace`, which is wider than what ends an unquoted word.
pub fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// A line without the blanks around it (the vertical ones stay, as in Redis).
pub fn trim(line: &[u8]) -> &[u8] {
    let keep = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    match (line.iter().position(keep), line.iter().rposition(keep)) {
        (Some(first), Some(last)) => &line[first..=last],
        _ => &[],
    }
}

/// `text` in double quotes, every byte outside printable ASCII escaped.
pub fn quote(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            7 => out.extend(b"\\a"),
            8 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            other => out.extend(format!("\\x{other:02x}").bytes()),
        }
    }
    out.push(b'"');
    out
}

/// Whether `text` reads back as itself without quotes.
pub fn is_plain_word(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|&b| b.is_ascii_graphic() && b != b'"' && b != b'\'')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split_args(line.as_bytes())?;
        Some(words.iter().map(|word| word.to_string()).collect())
    }

    #[test]
    fn words_are_split_as_redis_splits_them() {
        for (line, expected) in [
            ("save 900 1", vec!["save", "900", "1"]),
            ("  a\t b\x0b c ", vec!["a", "b\x0b", "c"]),
            (r#"x "a b" 'c d'"#, vec!["x", "a b", "c d"]),
            (r#"x "a\"\x41\n\q""#, vec!["x", "a\"A\nq"]),
            (r"x 'it\'s \n'", vec!["x", r"it's \n"]),
            (r#"ab"c d""#, vec!["abc d"]),
            (r#""" ''"#, vec!["", ""]),
            (r#""\xg1""#, vec!["xg1"]),
            ("", vec![]),
        ] {
            assert_eq!(
                words(line),
                Some(expected.iter().map(|w| w.to_string()).collect()),
                "{line}"
            );
        }
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [
            r#""foo"#, "'foo", r#""a"b"#, "'a'b", r#""a\"#, r#""a\""#, r"'a\'",
        ] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    #[test]
    fn trimming_keeps_inner_and_vertical_blanks() {
        assert_eq!(trim(b" \t a b \r\n"), b"a b");
        assert_eq!(trim(b"\x0ba"), b"\x0ba");
        assert_eq!(trim(b" \r "), b"");
    }

    proptest! {
        #[test]
        fn a_quoted_word_reads_back(text: Vec<u8>) {
            prop_assert_eq!(split_args(&quote(&text)), Some(vec![Text::from(text)]));
        }

        #[test]
        fn a_plain_word_reads_back_unquoted(text: Vec<u8>) {
            if is_plain_word(&text) {
                prop_assert_eq!(split_args(&text), Some(vec![Text::from(text)]));
            }
        }

        #[test]
        fn any_bytes_are_split_without_panic(text: Vec<u8>) {
            let _ = split_args(&text);
        }
    }
}
