//! Transcripts: text files of commands and expected replies, played against any server.
//!
//! ```text
//! # a comment
//! > RPUSH list a b            a command, quoted as in redis-cli
//! < 2                         its reply, in the notation of `render`
//! > SMEMBERS set
//! < sorted ["a", "b"]         elements compared in any order
//! > TIME
//! < ...                       any reply at all
//! b> BLPOP other 0            on a connection of its own, named b
//! wait blocked_clients:1      until INFO has this line
//! > RPUSH other x
//! < 1
//! b< ["other", "x"]
//! ```
//!
//! `>` only sends and `<` only reads, so pipelines and blocked clients can be written down. The
//! same file played against a real redis-server is the proof that it says the truth.
//! Tests: at the bottom, and `tests/transcript.rs` for playing.

use std::collections::BTreeMap;

use resp::Value;

use crate::connection::Connection;
use crate::poll::{DEADLINE, poll_until};
use crate::server::Server;

/// Plays `text` and panics with every reply that differs. `name` is for the message.
pub fn check(server: &Server, name: &str, text: &str) {
    let differences = differences(server, name, text);
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

/// Plays `text` and returns what differs, each with its line.
pub fn differences(server: &Server, name: &str, text: &str) -> Vec<String> {
    let mut connections = Connections {
        port: server.port(),
        by_name: BTreeMap::new(),
    };
    let mut differences = Vec::new();
    let mut last_command = "";
    for (index, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", index + 1);
        let step = parse(line).unwrap_or_else(|reason| panic!("{place}: {reason}: {line}"));
        match step {
            Step::Nothing => {}
            Step::Send(who, args) => {
                last_command = line;
                connections.named(who).send(&args);
            }
            Step::Expect(who, expected) => {
                let reply = connections.named(who).receive();
                if let Some(got) = difference(expected, &reply) {
                    differences.push(format!(
                        "{place}: {last_command}\n  expected {expected}\n  got      {got}"
                    ));
                }
            }
            Step::Wait(info) => wait_for_info(server, info),
        }
    }
    differences
}

/// A reply on one line: `OK`, `"bulk"`, `7`, `nil`, `-ERR text`, `[…]`, `{key: value}`, `~[…]` (set),
/// `>[…]` (push), `,1.5` (double), `#true`, `(123` (big number), `txt:"…"` (verbatim).
pub fn render(value: &Value) -> String {
    match value {
        Value::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Error(text) => format!("-{}", String::from_utf8_lossy(text)),
        Value::Integer(number) => number.to_string(),
        Value::Bulk(text) => quote(text),
        Value::Null => "nil".to_string(),
        Value::Array(elements) => render_list(elements),
        Value::Set(elements) => format!("~{}", render_list(elements)),
        Value::Push(elements) => format!(">{}", render_list(elements)),
        Value::Map(pairs) => render_pairs(pairs),
        Value::Double(number) => format!(",{number}"),
        Value::Boolean(truth) => format!("#{truth}"),
        Value::BigNumber(digits) => format!("({}", String::from_utf8_lossy(digits)),
        Value::Verbatim { format, text } => {
            format!("{}:{}", String::from_utf8_lossy(format), quote(text))
        }
        Value::Attribute { attributes, value } => {
            format!("|{} {}", render_pairs(attributes), render(value))
        }
    }
}

/// The connections of one play, opened when they are first named.
struct Connections<'a> {
    port: u16,
    by_name: BTreeMap<&'a str, Connection>,
}

impl<'a> Connections<'a> {
    fn named(&mut self, name: &'a str) -> &mut Connection {
        self.by_name
            .entry(name)
            .or_insert_with(|| Connection::open(self.port))
    }
}

enum Step<'a> {
    Nothing,
    Send(&'a str, Vec<Vec<u8>>),
    Expect(&'a str, &'a str),
    Wait(&'a str),
}

fn parse(line: &str) -> Result<Step<'_>, &'static str> {
    if line.trim().is_empty() || line.starts_with('#') {
        return Ok(Step::Nothing);
    }
    if let Some(info) = line.strip_prefix("wait ") {
        return Ok(Step::Wait(info.trim()));
    }
    let sign = line.find(['>', '<']).ok_or("expected a line with > or <")?;
    let who = &line[..sign];
    if !who.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err("a connection's name has letters and digits only");
    }
    let rest = line[sign + 1..].trim();
    if line[sign..].starts_with('<') {
        return Ok(Step::Expect(who, rest));
    }
    match resp::split_args(rest.as_bytes()) {
        Some(args) if !args.is_empty() => Ok(Step::Send(who, args)),
        Some(_) => Err("a command is missing"),
        None => Err("unbalanced quotes"),
    }
}

/// What the server said, if it is not what was expected.
fn difference(expected: &str, reply: &Value) -> Option<String> {
    if expected == "..." {
        return None;
    }
    let got = match expected.starts_with("sorted ") {
        true => format!("sorted {}", render(&sorted(reply))),
        false => render(reply),
    };
    (got != expected).then_some(got)
}

fn sorted(reply: &Value) -> Value {
    let mut reply = reply.clone();
    match &mut reply {
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            elements.sort_by_cached_key(render);
        }
        Value::Map(pairs) => pairs.sort_by_cached_key(|(key, _)| render(key)),
        _ => {}
    }
    reply
}

fn wait_for_info(server: &Server, wanted: &str) {
    let mut connection = Connection::open(server.port());
    poll_until(DEADLINE, &format!("INFO says {wanted}"), || {
        let info = connection.command(&["INFO"]);
        info.as_str()
            .is_some_and(|text| text.lines().any(|line| line == wanted))
    });
}

fn render_list(elements: &[Value]) -> String {
    let rendered: Vec<String> = elements.iter().map(render).collect();
    format!("[{}]", rendered.join(", "))
}

fn render_pairs(pairs: &[(Value, Value)]) -> String {
    let rendered: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{}: {}", render(key), render(value)))
        .collect();
    format!("{{{}}}", rendered.join(", "))
}

fn quote(text: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for byte in text {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
            b'\n' => quoted.push_str("\\n"),
            b'\r' => quoted.push_str("\\r"),
            b'\t' => quoted.push_str("\\t"),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.into())
    }

    #[test]
    fn every_kind_of_reply_has_its_notation() {
        for (value, notation) in [
            (Value::Simple("OK".into()), "OK"),
            (Value::Error("ERR no".into()), "-ERR no"),
            (Value::Integer(-7), "-7"),
            (
                Value::Bulk(b"a\"\r\n\x00\xff".to_vec()),
                r#""a\"\r\n\x00\xff""#,
            ),
            (Value::Null, "nil"),
            (
                Value::Array(vec![bulk("a"), Value::Array(vec![])]),
                r#"["a", []]"#,
            ),
            (Value::Set(vec![bulk("a")]), r#"~["a"]"#),
            (Value::Push(vec![bulk("a")]), r#">["a"]"#),
            (
                Value::Map(vec![(bulk("a"), Value::Integer(1))]),
                r#"{"a": 1}"#,
            ),
            (Value::Double(1.5), ",1.5"),
            (Value::Boolean(true), "#true"),
            (Value::BigNumber("12".into()), "(12"),
            (
                Value::Verbatim {
                    format: *b"txt",
                    text: "a".into(),
                },
                r#"txt:"a""#,
            ),
        ] {
            assert_eq!(render(&value), notation);
        }
    }

    #[test]
    fn sorted_and_open_expectations_forgive_what_they_should_and_no_more() {
        let reply = Value::Array(vec![bulk("b"), bulk("a")]);
        assert_eq!(difference("...", &reply), None);
        assert_eq!(difference(r#"sorted ["a", "b"]"#, &reply), None);
        assert_eq!(
            difference(r#"["a", "b"]"#, &reply),
            Some(r#"["b", "a"]"#.to_string())
        );
        assert!(difference(r#"sorted ["a"]"#, &reply).is_some());
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in ["OK", "> ", "a b> PING", "> SET \"a"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
