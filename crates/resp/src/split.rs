//! Splitting a line into arguments by Redis's quoting rules, for inline commands, the
//! configuration file and the command line client.
//!
//! Blanks separate. Inside double quotes `\xHH`, `\n`, `\r`, `\t`, `\b`, `\a` are escapes and any
//! other backslashed byte stands for itself; inside single quotes only `\'` is special. A quote may
//! open in the middle of an argument, but a closing one must be followed by a blank or the end.
//! A NUL byte ends the line, because the reference implementation reads C strings.
//!
//! Tests: at the bottom.

/// Splits `line`; `None` when quotes are unbalanced. A blank line gives no arguments.
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let end = line.iter().position(|&byte| byte == 0);
    let mut rest = &line[..end.unwrap_or(line.len())];
    let mut args = Vec::new();
    loop {
        rest = skip_blanks(rest);
        if rest.is_empty() {
            return Some(args);
        }
        let (arg, after) = one_arg(rest)?;
        args.push(arg);
        rest = after;
    }
}

fn one_arg(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut arg = Vec::new();
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Some((arg, after)),
            b'"' => {
                let after = double_quoted(after, &mut arg)?;
                return Some((arg, after));
            }
            b'\'' => {
                let after = single_quoted(after, &mut arg)?;
                return Some((arg, after));
            }
            _ => arg.push(byte),
        }
        rest = after;
    }
    Some((arg, rest))
}

/// Takes what follows an opening double quote; returns what follows the closing one.
fn double_quoted<'a>(mut rest: &'a [u8], arg: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match *rest {
            [] => return None,
            [b'"', ref after @ ..] => return at_boundary(after),
            [b'\\', b'x', high, low, ref after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                arg.push(hex_value(high) * 16 + hex_value(low));
                after
            }
            [b'\\', escaped, ref after @ ..] => {
                arg.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                });
                after
            }
            [byte, ref after @ ..] => {
                arg.push(byte);
                after
            }
        };
    }
}

/// Takes what follows an opening single quote; returns what follows the closing one.
fn single_quoted<'a>(mut rest: &'a [u8], arg: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match *rest {
            [] => return None,
            [b'\'', ref after @ ..] => return at_boundary(after),
            [b'\\', b'\'', ref after @ ..] => {
                arg.push(b'\'');
                after
            }
            [byte, ref after @ ..] => {
                arg.push(byte);
                after
            }
        };
    }
}

fn at_boundary(rest: &[u8]) -> Option<&[u8]> {
    rest.first()
        .is_none_or(|&byte| is_blank(byte))
        .then_some(rest)
}

fn skip_blanks(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|&byte| !is_blank(byte));
    &line[start.unwrap_or(line.len())..]
}

/// C's `isspace`, which unlike Rust's ASCII whitespace counts the vertical tab.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&[&[u8]]>) {
        let expected = expected.map(|args| args.iter().map(|arg| arg.to_vec()).collect());
        assert_eq!(split_args(line.as_bytes()), expected, "{line:?}");
    }

    #[test]
    fn blanks_separate_and_blank_lines_are_empty() {
        check("", Some(&[]));
        check(" \t\r\n\x0b\x0c", Some(&[]));
        check("  set  key\tvalue ", Some(&[b"set", b"key", b"value"]));
        // Within an argument the vertical tab is an ordinary byte.
        check("a\x0bb", Some(&[b"a\x0bb"]));
    }

    #[test]
    fn double_quotes_take_escapes() {
        check(
            r#""a b" "" "\n\r\t\b\a""#,
            Some(&[b"a b", b"", b"\n\r\t\x08\x07"]),
        );
        check(r#""\x41\xfF\xg1\"\\""#, Some(&[b"A\xffxg1\"\\"]));
        check(r#"pre"fix""#, Some(&[b"prefix"]));
    }

    #[test]
    fn single_quotes_take_only_the_quote() {
        check(r"'a\nb' 'it\'s'", Some(&[b"a\\nb", b"it's"]));
        check(r#"'say "hi"'"#, Some(&[br#"say "hi""#]));
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [
            r#"""#, r#""abc"#, "'abc", r#""a"b"#, "'a'b", r#""a\"#, r#"""k"""#, "'a\\'",
        ] {
            check(line, None);
        }
    }

    #[test]
    fn a_nul_ends_the_line() {
        check("a b\0 c", Some(&[b"a", b"b"]));
        check("\"a\0\"", None);
    }
}
