//! The patterns of SORT's BY and GET: a key's name with `*` for the element, and behind `->` the
//! field of a hash; or `#`, the element itself.
//!
//! A zero byte ends the part of a pattern in which `*` and `->` are searched for (observed from
//! Redis 7.0).

use keyspace::Keyspace;
use keyspace::hash::Hash;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    Element,
    /// No `*`: leads nowhere.
    Constant,
    Key {
        prefix: &'a [u8],
        suffix: &'a [u8],
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Pattern<'a> {
        let visible = text.iter().position(|&b| b == 0).unwrap_or(text.len());
        if text[..visible] == *b"#" {
            return Pattern::Element;
        }
        let Some(star) = text[..visible].iter().position(|&b| b == b'*') else {
            return Pattern::Constant;
        };
        let (prefix, behind) = (&text[..star], star + 1);
        let arrow = text[behind..visible]
            .windows(2)
            .position(|w| w == b"->")
            .map(|at| behind + at);
        match arrow {
            // An arrow that nothing follows is part of the name.
            Some(at) if at + 2 < visible => Pattern::Key {
                prefix,
                suffix: &text[behind..at],
                field: Some(&text[at + 2..]),
            },
            _ => Pattern::Key {
                prefix,
                suffix: &text[behind..],
                field: None,
            },
        }
    }

    /// Whether it leads to another key for each element. `#` in BY does not.
    pub(super) fn names_keys(&self) -> bool {
        matches!(self, Pattern::Key { .. })
    }

    /// Calls `visit` with what the pattern leads to for one element.
    pub(super) fn look_up<R>(
        &self,
        keyspace: &mut Keyspace,
        db: u32,
        element: &[u8],
        visit: impl FnOnce(Option<&[u8]>) -> R,
    ) -> R {
        let Pattern::Key {
            prefix,
            suffix,
            field,
        } = *self
        else {
            return visit((*self == Pattern::Element).then_some(element));
        };
        let key = [prefix, element, suffix].concat();
        let mut text = keyspace::IntText::new();
        let Some(entry) = keyspace.read(db, &key) else {
            return visit(None);
        };
        match field {
            None => visit(entry.string().as_ref().map(|s| s.as_bytes(&mut text))),
            Some(field) => {
                let value = entry.get::<Hash>().and_then(|hash| hash.get(field));
                visit(value.as_ref().map(|v| v.as_bytes(&mut text)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_cut_at_the_first_star_and_the_arrow_behind_it() {
        let key = |prefix, suffix, field| Pattern::Key {
            prefix,
            suffix,
            field,
        };
        let none: Option<&[u8]> = None;
        assert_eq!(Pattern::parse(b"#"), Pattern::Element);
        assert_eq!(Pattern::parse(b"nosort"), Pattern::Constant);
        assert_eq!(Pattern::parse(b"a->*"), key(b"a->", b"", none));
        assert_eq!(Pattern::parse(b"w_*_x"), key(b"w_", b"_x", none));
        assert_eq!(Pattern::parse(b"w_*->f->g"), key(b"w_", b"", Some(b"f->g")));
        assert_eq!(Pattern::parse(b"*-*->"), key(b"", b"-*->", none));
        assert_eq!(Pattern::parse(b"a\0*"), Pattern::Constant);
    }
}
