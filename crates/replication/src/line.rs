//! Lines from our primary, out of a buffer the driver keeps.
//!
//! Tests: at the bottom.

/// No line of the protocol is longer than this; error texts that are get cut off with their link.
const LINE_MAX: usize = 1024;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Without its end. It was consumed.
    Whole(&'a [u8]),
    /// Its end is not here yet. Nothing was consumed.
    Partial,
    TooLong,
}

pub(crate) fn take_line<'a>(input: &mut &'a [u8]) -> Line<'a> {
    let window = &input[..input.len().min(LINE_MAX)];
    let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
        return if input.len() >= LINE_MAX {
            Line::TooLong
        } else {
            Line::Partial
        };
    };
    let line = &input[..end];
    *input = &input[end + 1..];
    Line::Whole(line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_when_its_end_is_here() {
        let mut input = &b"+OK\r\n\nrest"[..];
        assert_eq!(take_line(&mut input), Line::Whole(b"+OK"));
        assert_eq!(take_line(&mut input), Line::Whole(b""));
        assert_eq!(take_line(&mut input), Line::Partial);
        assert_eq!(input, b"rest");
        let long = [b'x'; LINE_MAX];
        assert_eq!(take_line(&mut &long[..]), Line::TooLong);
        assert_eq!(take_line(&mut &long[1..]), Line::Partial);
    }
}
