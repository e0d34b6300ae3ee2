//! ZSCAN.

use super::write_member;
use crate::cmd::scan_args::{ScanArgs, parse_cursor};
use crate::ctx::{Args, Ctx};
use crate::error::Outcome;
use keyspace::sorted_set::SortedSet;
use resp::{Writer, write_double};
use structures::listpack::{IntBuf, Item};

pub fn zscan(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut cursor = parse_cursor(args[2])?;
    let Some(set) = ctx
        .engine
        .keyspace
        .get::<SortedSet>(ctx.session.db, args[1])?
    else {
        ctx.out.array(2);
        ctx.out.bulk(b"0");
        ctx.out.empty_array();
        return Ok(());
    };
    let scan = ScanArgs::parse_for_zscan(args, 3)?;
    let mut found: Vec<(Item<'_>, f64)> = Vec::new();
    let mut visited = 0;
    // A sparse table yields little per step; it must not hold the server up for long either.
    let mut steps_left = scan.count.saturating_mul(10);
    loop {
        cursor = set.scan(cursor, |member, score| {
            visited += 1;
            if scan.matches(member.as_bytes(&mut IntBuf::new())) {
                found.push((member, score));
            }
        });
        steps_left -= 1;
        if cursor == 0 || visited >= scan.count || steps_left == 0 {
            break;
        }
    }
    let out = &mut *ctx.out;
    out.array(2);
    let mut text = Vec::with_capacity(24);
    resp::write_u64(&mut text, cursor);
    out.bulk(&text);
    out.array(if scan.noscores {
        found.len()
    } else {
        found.len() * 2
    });
    for (member, score) in found {
        write_member(out, member);
        if !scan.noscores {
            write_score(out, score, set.is_packed());
        }
    }
    Ok(())
}

/// Scores are texts here in either protocol version. Redis prints a packed one as it is stored,
/// any other with 17 significant digits (observed: 0.1 becomes 0.10000000000000001).
fn write_score(out: &mut Writer, score: f64, is_packed: bool) {
    let mut text = Vec::with_capacity(32);
    if is_packed || score.is_infinite() {
        write_double(&mut text, score);
    } else {
        write_17_digits(&mut text, score);
    }
    out.bulk(&text);
}

/// The form that C calls `%.17g`.
fn write_17_digits(text: &mut Vec<u8>, value: f64) {
    if value == 0.0 {
        return text.extend_from_slice(if value.is_sign_negative() {
            b"-0"
        } else {
            b"0"
        });
    }
    const DIGITS: i32 = 17;
    let scientific = format!("{value:.*e}", DIGITS as usize - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |fixed: &str| match fixed.contains('.') {
        true => fixed.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => fixed.to_owned(),
    };
    if (-4..DIGITS).contains(&exponent) {
        let places = (DIGITS - 1 - exponent) as usize;
        text.extend_from_slice(trim(&format!("{value:.places$}")).as_bytes());
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let form = format!("{}e{sign}{:02}", trim(mantissa), exponent.abs());
        text.extend_from_slice(form.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seventeen_digits_as_c_prints_them() {
        let cases = [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.10000000000000001"),
            (1.5, "1.5"),
            (-12345.678, "-12345.678"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.2345678901234568e20, "1.2345678901234568e+20"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (1e-322, "9.8813129168249309e-323"),
            (f64::MAX, "1.7976931348623157e+308"),
        ];
        for (value, expected) in cases {
            let mut text = Vec::new();
            write_17_digits(&mut text, value);
            assert_eq!(String::from_utf8_lossy(&text), expected);
        }
    }
}
