//! Just enough understanding of Rust text for the checks: what is code, comment or literal.
//!
//! `Source::new` blanks out comments and the contents of string and character literals, keeping
//! every line where it was, so that a search in `code` cannot be fooled by prose. It is a lexer,
//! not a parser: it knows raw and byte strings, nested comments and lifetimes, and nothing of
//! macros. Tests at the bottom.

use std::ops::Range;

pub struct Source {
    /// The text with comments and literal contents replaced by spaces; same length and lines.
    pub code: String,
    /// The text with everything but comments replaced by spaces; same length and lines.
    pub comments: String,
}

/// A function with a body: its name and the lines from `fn` to the closing brace.
#[derive(Debug, PartialEq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub line_count: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

impl Source {
    pub fn new(text: &str) -> Source {
        let kinds = classify(text.as_bytes());
        let keep = |wanted: Kind| -> String {
            let bytes = text.bytes().zip(&kinds).map(|(byte, kind)| match byte {
                b'\n' => b'\n',
                _ if *kind == wanted => byte,
                _ => b' ',
            });
            // A character is never split between kinds: delimiters are ASCII.
            String::from_utf8(bytes.collect()).expect("kinds change at ASCII bytes only")
        };
        Source {
            code: keep(Kind::Code),
            comments: keep(Kind::Comment),
        }
    }

    /// Byte positions of `name` in code, as whole words (`Instant::now` not in `Instant::nowhere`).
    pub fn uses(&self, name: &str) -> Vec<usize> {
        words(&self.code, name)
    }

    /// Line of a byte position, counted from 1.
    pub fn line(&self, position: usize) -> usize {
        self.code.as_bytes()[..position]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// The byte ranges of items under `#[cfg(test)]`.
    pub fn test_ranges(&self) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        for (start, attribute) in self.code.match_indices("#[cfg(test)]") {
            let end = self
                .body(start + attribute.len())
                .map_or(self.code.len(), |body| body.end);
            ranges.push(start..end);
        }
        ranges
    }

    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for position in self.uses("fn") {
            let after = self.code[position + 2..].trim_start();
            let name: String = after.chars().take_while(|c| is_word(*c)).collect();
            // `fn(u8)` is a type, and `fn f();` has no body.
            if let (false, Some(body)) = (name.is_empty(), self.body(position)) {
                let line = self.line(position);
                functions.push(Function {
                    name,
                    line,
                    line_count: self.line(body.end - 1) - line + 1,
                });
            }
        }
        functions
    }

    /// The braces that belong to the item at `from`, or nothing if a `;` ends it first.
    fn body(&self, from: usize) -> Option<Range<usize>> {
        let bytes = self.code.as_bytes();
        let mut nesting = 0i32;
        let mut open = from;
        loop {
            match *bytes.get(open)? {
                b'(' | b'[' => nesting += 1,
                b')' | b']' => nesting -= 1,
                b';' if nesting == 0 => return None,
                b'{' if nesting == 0 => break,
                _ => {}
            }
            open += 1;
        }
        let mut depth = 0;
        for (offset, byte) in bytes[open..].iter().enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(open..open + offset + 1);
            }
        }
        None
    }
}

/// Byte positions of `name` in `text` where no word character touches it.
pub fn words(text: &str, name: &str) -> Vec<usize> {
    let starts_as_word = name.starts_with(is_word);
    let ends_as_word = name.ends_with(is_word);
    text.match_indices(name)
        .map(|(position, _)| position)
        .filter(|position| !(starts_as_word && text[..*position].ends_with(is_word)))
        .filter(|position| !(ends_as_word && text[position + name.len()..].starts_with(is_word)))
        .collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn classify(text: &[u8]) -> Vec<Kind> {
    let mut kinds = vec![Kind::Code; text.len()];
    let mut at = 0;
    while at < text.len() {
        let (kind, end) = token(text, at);
        kinds[at..end].fill(kind);
        at = end;
    }
    kinds
}

/// The kind of what starts at `at`, and where it ends.
fn token(text: &[u8], at: usize) -> (Kind, usize) {
    let rest = &text[at..];
    if rest.starts_with(b"//") {
        let length = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len());
        return (Kind::Comment, at + length);
    }
    if rest.starts_with(b"/*") {
        return (Kind::Comment, at + block_comment_length(rest));
    }
    let prefixed = at > 0 && is_word(char::from(text[at - 1]));
    if !prefixed && let Some(length) = raw_string_length(rest) {
        return (Kind::Literal, at + length);
    }
    match rest[0] {
        b'"' => (Kind::Literal, at + quoted_length(rest)),
        b'\'' => char_literal_length(rest)
            .map_or((Kind::Code, at + 1), |length| (Kind::Literal, at + length)),
        _ => (Kind::Code, at + 1),
    }
}

fn block_comment_length(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`; a raw identifier (`r#type`) is none.
fn raw_string_length(rest: &[u8]) -> Option<usize> {
    let prefix = usize::from(matches!(rest[0], b'b' | b'c'));
    if rest.get(prefix) != Some(&b'r') {
        return None;
    }
    let hashes = rest[prefix + 1..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let content = prefix + 1 + hashes + 1;
    if rest.get(content - 1) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let found = rest[content..]
        .windows(end.len())
        .position(|window| window == end);
    Some(found.map_or(rest.len(), |offset| content + offset + end.len()))
}

fn quoted_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A character literal, or nothing if the quote starts a lifetime.
fn char_literal_length(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        let end = rest.iter().skip(3).position(|byte| *byte == b'\'')?;
        return Some(3 + end + 1);
    }
    let width = match *rest.get(1)? {
        0..=0x7f => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_code(text: &str, code: &str) {
        let source = Source::new(text);
        assert_eq!(source.code.len(), text.len());
        assert_eq!(
            source.code.split_whitespace().collect::<Vec<_>>().join(" "),
            code,
            "{text}"
        );
    }

    #[test]
    fn comments_and_literals_are_blanked_and_code_is_kept() {
        check_code("a(); // b()", "a();");
        check_code("a(/* b /* c */ d */ e);", "a( e);");
        check_code(r#"a("b \" c", d);"#, "a( , d);");
        check_code(r##"a(r#"b " c"#, br"\", d);"##, "a( , , d);");
        check_code("a('\"', '\\'', '\\\\', b'x', 'é');", "a( , , , b , );");
        check_code("fn a<'b>(c: &'b str) {}", "fn a<'b>(c: &'b str) {}");
        check_code("let r#type = bar;", "let r#type = bar;");
        check_code("\"never closed", "");
    }

    #[test]
    fn comments_are_kept_apart() {
        let source = Source::new("a(); // one\n/* two */ b(\"// no\");");
        let comments: Vec<&str> = source.comments.split_whitespace().collect();
        assert_eq!(comments, ["//", "one", "/*", "two", "*/"]);
    }

    #[test]
    fn names_are_found_as_whole_words_only() {
        let source = Source::new(
            "Instant::now();\nMyInstant::now(); Instant::nowhere();\nx = Instant::now;",
        );
        let lines: Vec<usize> = source
            .uses("Instant::now")
            .into_iter()
            .map(|position| source.line(position))
            .collect();
        assert_eq!(lines, [1, 3]);
    }

    #[test]
    fn functions_are_measured_from_fn_to_closing_brace() {
        let text = "type F = fn(u8);\ntrait T { fn declared(a: [u8; 4]); }\n\
                    fn long(\n    a: [u8; 2],\n) -> u8 {\n    let s = \"}\";\n    fn inner() {}\n}\n";
        let found = Source::new(text).functions();
        let expected = [("long", 3, 6), ("inner", 7, 1)].map(|(name, line, line_count)| Function {
            name: name.to_string(),
            line,
            line_count,
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn test_modules_are_located() {
        let text =
            "fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\nfn c() {}\n#[cfg(test)]\nmod t;\n";
        let source = Source::new(text);
        let ranges = source.test_ranges();
        let inside = |name: &str| {
            ranges
                .iter()
                .any(|range| range.contains(&text.find(name).unwrap()))
        };
        assert!(inside("fn b"));
        assert!(!inside("fn a"));
        assert!(!inside("fn c"));
    }
}
