//! Glob patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET take them: `*`, `?`, `[a-z]`, `[^a]`, `\x`.
//!
//! Linear in practice and never worse than pattern times text: after a mismatch only the last `*`
//! is retried, because an earlier one cannot do better. Quirks (observed): an unclosed class extends
//! to the end of the pattern, a reversed range is turned round, a backslash at the very end stands
//! for itself, a pattern that needs more than 1000 stars matches nothing.

/// Stars (counted once where they stand together) that a match may pass.
const STARS_MAX: usize = 1000;

/// Whether `text` matches `pattern` as a whole.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    run(pattern, text, false)
}

/// As [`matches`], without regard to ASCII case.
pub fn matches_ignore_case(pattern: &[u8], text: &[u8]) -> bool {
    run(pattern, text, true)
}

fn run(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last star: pattern position behind it, text position it reached.
    let mut star: Option<(usize, usize)> = None;
    let mut stars = 0;
    loop {
        if p < pattern.len() && pattern[p] == b'*' {
            while p < pattern.len() && pattern[p] == b'*' {
                p += 1;
            }
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > STARS_MAX {
                return false;
            }
            star = Some((p, t));
            continue;
        }
        if t == text.len() {
            return pattern[p..].iter().all(|&b| b == b'*');
        }
        match step(&pattern[p..], text[t], fold) {
            Some(used) => {
                p += used;
                t += 1;
            }
            None => match &mut star {
                Some((after, reached)) => {
                    *reached += 1;
                    (p, t) = (*after, *reached);
                }
                None => return false,
            },
        }
    }
}

/// How many pattern bytes match this one character, if they do.
fn step(pattern: &[u8], c: u8, fold: bool) -> Option<usize> {
    let same = |a: u8| {
        if fold {
            a.eq_ignore_ascii_case(&c)
        } else {
            a == c
        }
    };
    match *pattern.first()? {
        b'?' => Some(1),
        b'[' => class(pattern, c, fold),
        b'\\' if pattern.len() > 1 => same(pattern[1]).then_some(2),
        b => same(b).then_some(1),
    }
}

fn class(pattern: &[u8], c: u8, fold: bool) -> Option<usize> {
    let lower = |b: u8| if fold { b.to_ascii_lowercase() } else { b };
    let c = lower(c);
    let mut at = 1;
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut found = false;
    while at < pattern.len() && pattern[at] != b']' {
        if pattern[at] == b'\\' && at + 1 < pattern.len() {
            found |= lower(pattern[at + 1]) == c;
            at += 2;
        } else if at + 2 < pattern.len() && pattern[at + 1] == b'-' {
            let (a, b) = (lower(pattern[at]), lower(pattern[at + 2]));
            found |= (a.min(b)..=a.max(b)).contains(&c);
            at += 3;
        } else {
            found |= lower(pattern[at]) == c;
            at += 1;
        }
    }
    (found != negated).then_some((at + 1).min(pattern.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_redis_matches_them() {
        let cases: &[(&str, &str, bool)] = &[
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("h?llo", "hello", true),
            ("h*llo", "heeeello", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("h\\*llo", "h*llo", true),
            ("h\\*llo", "hello", false),
            ("*a*b*c", "xaxbxc", true),
            ("*a*b*c", "xaxbx", false),
            ("[abc", "b", true),
            ("a\\", "a\\", true),
            ("[]a", "a", false),
            ("a**", "a", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                *expected,
                "{pattern} {text}"
            );
        }
        for (pattern, text, expected) in [
            ("H[A-C]LLO", "hbllo", true),
            ("*OF", "slaveof", true),
            ("[^H]z", "hz", false),
            ("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(
                matches_ignore_case(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn more_than_a_thousand_stars_match_nothing() {
        assert!(matches(&b"*?".repeat(1000), &[b'a'; 1000]));
        assert!(!matches(&b"*?".repeat(1001), &[b'a'; 1001]));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = b"a*".repeat(50);
        let text = b"a".repeat(2000);
        assert!(!matches(&[&pattern[..], b"b"].concat(), &text));
    }
}
