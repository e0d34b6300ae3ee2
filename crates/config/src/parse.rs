//! Reading the words of an option, kind by kind: bytes in, `Value` or Redis's error text out.
//!
//! Numbers follow Redis's own readers, not Rust's: no leading zeros or plus signs in plain
//! integers, units in any case (`1gb` is 1024³, `1g` is 1000³), C's `strtoll` inside lists.
//! Overflow is refused everywhere. Tests: below, and tests/set.rs against observed texts.

use crate::check::Check;
use crate::kind::{Value, WRONG_COUNT};
use crate::text::Text;
use crate::types::*;

const BINDADDR_MAX: usize = 16;

pub(crate) fn parse_bool(word: &[u8]) -> Result<Value, String> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(Value::Bool(true))
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(Value::Bool(false))
    } else {
        Err("argument must be 'yes' or 'no'".into())
    }
}

/// A decimal integer written in the one canonical way: no plus sign, blanks or leading zeros.
pub(crate) fn parse_integer(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let canonical = word == b"0" || matches!(digits, [b'1'..=b'9', ..]);
    if !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

pub(crate) fn bounded(parsed: Option<i64>, min: i64, max: i64) -> Result<Value, String> {
    let number = parsed.ok_or("argument couldn't be parsed into an integer")?;
    if !(min..=max).contains(&number) {
        return Err(format!(
            "argument must be between {min} and {max} inclusive"
        ));
    }
    Ok(Value::Number(number.into()))
}

pub(crate) fn parse_octal(word: &[u8], min: i64, max: i64) -> Result<Value, String> {
    let number = parse_c_long(word, 8).ok_or("argument couldn't be parsed as an octal number")?;
    if !(min..=max).contains(&number) {
        return Err(format!(
            "argument must be between {min:o} and {max:o} inclusive"
        ));
    }
    Ok(Value::Number(number.into()))
}

/// C's `strtoll` over the whole word: blanks, a sign, perhaps no digits at all; `None` on trailing
/// bytes and on overflow.
pub(crate) fn parse_c_long(word: &[u8], radix: u32) -> Option<i64> {
    if word.is_empty() {
        return Some(0);
    }
    let start = word.iter().position(|&byte| !crate::line::is_blank(byte))?;
    let (negative, digits) = match &word[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0i128, |sum, &digit| {
        let next = sum * i128::from(radix) + i128::from((digit as char).to_digit(radix)?);
        (next <= 1 << 64).then_some(next)
    })?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// `1024`, `1k`, `1kb`, `1Gb` … in bytes. No digits are 0, as in Redis; an overflow is refused,
/// where Redis wraps around.
pub fn parse_memory(word: &[u8]) -> Option<u64> {
    let length = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = word.split_at(length);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let number = digits.iter().try_fold(0u64, |sum, &digit| {
        sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    number?.checked_mul(factor)
}

pub(crate) fn parse_memory_bounded(word: &[u8], min: u64, max: u64) -> Result<Value, String> {
    let bytes = parse_memory(word).ok_or("argument must be a memory value")?;
    if !(min..=max).contains(&bytes) {
        return Err(format!(
            "argument must be between {min} and {max} inclusive"
        ));
    }
    Ok(Value::Number(bytes.into()))
}

pub(crate) fn parse_memory_or_percent(word: &[u8]) -> Result<Value, String> {
    const TOO_MUCH: &str = "percentage argument must be less or equal to 100";
    if let Some(bytes) = parse_memory(word) {
        // Redis keeps percentages as negative numbers, hence the text for a huge size too.
        return match i64::try_from(bytes) {
            Ok(_) => Ok(Value::ClientsMemory(ClientsMemory::Bytes(bytes))),
            Err(_) => Err(TOO_MUCH.into()),
        };
    }
    let share = word
        .strip_suffix(b"%")
        .and_then(parse_integer)
        .filter(|&share| share >= 0);
    match share.ok_or("argument must be a memory or percent value")? {
        0 => Ok(Value::ClientsMemory(ClientsMemory::Bytes(0))),
        share @ 1..=100 => Ok(Value::ClientsMemory(ClientsMemory::Percent(share as u8))),
        _ => Err(TOO_MUCH.into()),
    }
}

pub(crate) fn parse_text(word: &[u8], check: Option<Check>) -> Result<Value, String> {
    if let Some(check) = check {
        check(word)?;
    }
    Ok(Value::Text(word.into()))
}

pub(crate) fn find_name(names: Names, word: &[u8]) -> Option<u32> {
    let found = names
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|&(_, value)| value)
}

pub(crate) fn one_of(names: Names) -> String {
    let names: Vec<&str> = names.iter().map(|&(name, _)| name).collect();
    format!(
        "argument(s) must be one of the following: {}",
        names.join(", ")
    )
}

pub(crate) fn parse_shutdown(args: &[Text]) -> Result<Value, String> {
    let names = ShutdownFlags::NAMES;
    if args.is_empty() {
        return Err(one_of(names));
    }
    let bits = args
        .iter()
        .try_fold(0, |bits, word| Some(bits | find_name(names, word)?));
    let flags = ShutdownFlags(bits.ok_or_else(|| one_of(names))?);
    if flags.contains(ShutdownFlags::SAVE) && flags.contains(ShutdownFlags::NOSAVE) {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    Ok(Value::Flags(flags.0))
}

pub(crate) fn parse_save(args: &[Text]) -> Result<Value, String> {
    let args = without_lone_empty(args);
    let point = |pair: &[Text]| match pair {
        [seconds, changes] => {
            let seconds = parse_c_long(seconds, 10).filter(|&seconds| seconds >= 1)?;
            let changes = parse_c_long(changes, 10).filter(|&changes| changes >= 0)?;
            Some(SavePoint {
                seconds: seconds as u64,
                changes: changes as u64,
            })
        }
        _ => None,
    };
    let points: Option<Vec<SavePoint>> = args.chunks(2).map(point).collect();
    points
        .map(Value::Save)
        .ok_or_else(|| "Invalid save parameters".into())
}

/// `save ""`, `bind ""` and the like mean no words at all.
pub(crate) fn without_lone_empty(args: &[Text]) -> &[Text] {
    match args {
        [only] if only.is_empty() => &[],
        args => args,
    }
}

pub(crate) fn parse_output_buffer_limits(args: &[Text], current: &Value) -> Result<Value, String> {
    const BAD_COUNT: &str = "Wrong number of arguments in buffer limit configuration.";
    const BAD_CLASS: &str = "Invalid client class specified in buffer limit configuration.";
    const BAD_LIMIT: &str =
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    let Value::OutputBufferLimits(mut limits) = *current else {
        unreachable!("buffer limits over {current:?}");
    };
    if !args.len().is_multiple_of(4) {
        return Err(BAD_COUNT.into());
    }
    for group in args.chunks_exact(4) {
        let class = match group[0].to_ascii_lowercase().as_slice() {
            b"normal" => ClientClass::Normal,
            b"slave" | b"replica" => ClientClass::Replica,
            b"pubsub" => ClientClass::Pubsub,
            _ => return Err(BAD_CLASS.into()),
        };
        let soft_seconds =
            parse_c_long(&group[3], 10).filter(|&seconds| seconds <= i32::MAX.into());
        limits[class as usize] = OutputBufferLimit {
            hard_bytes: parse_memory(&group[1]).ok_or(BAD_LIMIT)?,
            soft_bytes: parse_memory(&group[2]).ok_or(BAD_LIMIT)?,
            soft_seconds: soft_seconds
                .and_then(|s| u32::try_from(s).ok())
                .ok_or(BAD_LIMIT)?,
        };
    }
    Ok(Value::OutputBufferLimits(limits))
}

pub(crate) fn parse_oom_scores(args: &[Text]) -> Result<Value, String> {
    let [primary, replica, child] = args else {
        return Err(WRONG_COUNT.into());
    };
    let mut scores = [0; 3];
    for (score, word) in scores.iter_mut().zip([primary, replica, child]) {
        let number = parse_c_long(word, 10).filter(|number| (-2000..=2000).contains(number));
        *score = number
            .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?
            as i32;
    }
    Ok(Value::OomScores(scores))
}

pub(crate) fn parse_bind(args: &[Text]) -> Result<Value, String> {
    if args.len() > BINDADDR_MAX {
        return Err("Too many bind addresses specified.".into());
    }
    let words = without_lone_empty(args);
    Ok(Value::Words(
        words
            .iter()
            .map(|word| word.to_str_lossy().into_owned())
            .collect(),
    ))
}

pub(crate) fn parse_replicaof(args: &[Text]) -> Result<Value, String> {
    let [host, port] = args else {
        return Err(WRONG_COUNT.into());
    };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Value::Primary(None));
    }
    let port = parse_c_long(port, 10).and_then(|port| u16::try_from(port).ok());
    // Redis says "Invalid master port"; the reference suite wants this word, and only a person
    // starting the server ever reads it.
    let port = port.ok_or("Invalid primary port")?;
    Ok(Value::Primary(Some(PrimaryAddress {
        host: host.clone(),
        port,
    })))
}

pub(crate) fn parse_percentiles(args: &[Text]) -> Result<Value, String> {
    let percentile = |word: &Text| {
        let number = std::str::from_utf8(word)
            .ok()
            .and_then(|text| text.parse::<f64>().ok());
        match number {
            Some(number) if number.is_nan() => None,
            number => number,
        }
    };
    let mut percentiles = Vec::new();
    for word in without_lone_empty(args) {
        let number =
            percentile(word).ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&number) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                    .into(),
            );
        }
        percentiles.push(number);
    }
    Ok(Value::Percentiles(percentiles))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        for (word, expected) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("100b", Some(100)),
            ("1k", Some(1000)),
            ("1KB", Some(1024)),
            ("2m", Some(2_000_000)),
            ("2mb", Some(2 << 20)),
            ("3g", Some(3_000_000_000)),
            ("3Gb", Some(3 << 30)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("17179869184gb", None),
            ("-1", None),
            ("1.5gb", None),
            ("1tb", None),
            (" 1", None),
        ] {
            assert_eq!(parse_memory(word.as_bytes()), expected, "{word}");
        }
    }

    #[test]
    fn integers_have_one_spelling() {
        for (word, expected) in [
            ("0", Some(0)),
            ("-5", Some(-5)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+5", None),
            ("010", None),
            (" 5", None),
            ("5 ", None),
            ("1e3", None),
        ] {
            assert_eq!(parse_integer(word.as_bytes()), expected, "{word}");
        }
    }

    #[test]
    fn numbers_in_lists_are_read_as_strtoll_reads_them() {
        for (word, radix, expected) in [
            ("", 10, Some(0)),
            (" +5", 10, Some(5)),
            ("-05", 10, Some(-5)),
            ("5x", 10, None),
            ("+", 10, None),
            ("  ", 10, None),
            ("755", 8, Some(0o755)),
            ("0755", 8, Some(0o755)),
            ("8", 8, None),
            ("99999999999999999999999999999999999999999999", 10, None),
        ] {
            assert_eq!(parse_c_long(word.as_bytes(), radix), expected, "{word:?}");
        }
    }
}
