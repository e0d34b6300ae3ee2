//! The timeout argument of commands that wait, 0 for no end: seconds, with a fraction, for those on
//! keys; whole milliseconds for WAIT and CLIENT PAUSE.

use crate::error::{ReplyError, texts};

const OUT_OF_RANGE: ReplyError = ReplyError::new("ERR timeout is out of range");

/// Reads a timeout of whole milliseconds.
pub fn parse_whole_ms(text: &[u8], now_ms: i64) -> Result<i64, ReplyError> {
    let timeout_ms = resp::parse_i64(text).ok_or(ReplyError::new(
        "ERR timeout is not an integer or out of range",
    ))?;
    if timeout_ms < 0 {
        return Err(texts::TIMEOUT_NEGATIVE);
    }
    match timeout_ms > i64::MAX - now_ms {
        true => Err(OUT_OF_RANGE),
        false => Ok(timeout_ms),
    }
}

/// Reads a timeout as milliseconds from now; fractions of one are rounded up.
pub fn parse_timeout_ms(text: &[u8], now_ms: i64) -> Result<i64, ReplyError> {
    let seconds = parse_seconds(text).ok_or(texts::TIMEOUT_NOT_FLOAT)?;
    let ms = (seconds * 1000.0).ceil();
    if ms > i64::MAX as f64 {
        return Err(OUT_OF_RANGE);
    }
    if ms < 0.0 {
        return Err(texts::TIMEOUT_NEGATIVE);
    }
    let ms = ms as i64;
    match ms > i64::MAX - now_ms {
        true => Err(OUT_OF_RANGE),
        false => Ok(ms),
    }
}

/// Redis reads timeouts in a wider format than doubles: what a double cannot hold is infinite or
/// next to nothing, but no mistake.
fn parse_seconds(text: &[u8]) -> Option<f64> {
    resp::parse_double(text).or_else(|| {
        resp::LongDouble::parse(text)?;
        let seconds: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        Some(if seconds == 0.0 {
            f64::MIN_POSITIVE.copysign(seconds)
        } else {
            seconds
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_seconds_with_a_fraction() {
        assert_eq!(parse_timeout_ms(b"0", 5), Ok(0));
        assert_eq!(parse_timeout_ms(b"1.5", 5), Ok(1500));
        assert_eq!(parse_timeout_ms(b"0.0001", 5), Ok(1));
    }

    #[test]
    fn bad_timeouts_get_the_reference_texts() {
        let text = |arg: &[u8]| {
            let error = parse_timeout_ms(arg, 5).expect_err("not a timeout");
            String::from_utf8_lossy(error.text()).into_owned()
        };
        assert_eq!(text(b"-1"), "ERR timeout is negative");
        assert_eq!(text(b"x"), "ERR timeout is not a float or out of range");
        assert_eq!(text(b"0x7FFFFFFFFFFFFF"), "ERR timeout is out of range");
        assert_eq!(text(b"inf"), "ERR timeout is out of range");
        assert_eq!(text(b"1e400"), "ERR timeout is out of range");
        assert_eq!(text(b"-1e400"), "ERR timeout is negative");
    }
}
