//! Glob matching of option names for CONFIG GET: `*`, `?`, `[a-z]`, `[^a]`, `\` as an escape,
//! without regard to case.
//!
//! Iterative with one point to come back to (the last star), so a pattern like `*a*a*a*b` costs
//! at most pattern length times name length. The keyspace has its own matcher for keys.

pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() || p < pattern.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, n));
            p += 1;
            continue;
        }
        if n < name.len()
            && let Some(next) = step(&pattern[p..], name[n])
        {
            p += next;
            n += 1;
            continue;
        }
        match star {
            Some((after, from)) if from < name.len() => {
                star = Some((after, from + 1));
                p = after;
                n = from + 1;
            }
            _ => return false,
        }
    }
    true
}

/// How many pattern bytes match `byte`, if they do.
fn step(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ..] => {
            let (matched, length) = class(&pattern[1..], byte);
            matched.then_some(length + 1)
        }
        [b'\\', escaped, ..] => escaped.eq_ignore_ascii_case(&byte).then_some(2),
        [literal, ..] => literal.eq_ignore_ascii_case(&byte).then_some(1),
    }
}

/// A class after its `[`: whether it holds `byte`, and its length with the `]` (which may be missing).
fn class(pattern: &[u8], byte: u8) -> (bool, usize) {
    let byte = byte.to_ascii_lowercase();
    let negated = pattern.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match pattern[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                let (low, high) = (low.to_ascii_lowercase(), high.to_ascii_lowercase());
                found |= (low.min(high)..=low.max(high)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= literal.to_ascii_lowercase() == byte;
                at += 1;
            }
        }
    }
    (found != negated, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_option_names() {
        for (pattern, name, expected) in [
            ("*", "hz", true),
            ("", "hz", false),
            ("", "", true),
            ("max*", "maxmemory", true),
            ("*OF", "slaveof", true),
            ("*memory*clients", "maxmemory-clients", true),
            ("h?", "hz", true),
            ("h?", "h", false),
            ("[g-i]z", "hz", true),
            ("[^h]z", "hz", false),
            ("[h", "h", true),
            ("\\hz", "hz", true),
            ("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaa", false),
            ("hz*", "hz", true),
            ("[", "hz", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
