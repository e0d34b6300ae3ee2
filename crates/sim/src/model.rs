//! A toy data set and the commands that change it: just enough to tell two histories apart.
//!
//! Numbered keys in numbered databases hold integers. SET is idempotent, INCR is not, so a stream
//! that is cut, doubled or read in the wrong database shows in the digest, which is kept
//! incrementally. A [`Session`] reads a stream as a replica does: only whole units count.
//!
//! Tests: at the bottom.

use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    values: BTreeMap<(u32, Vec<u8>), i64>,
    digest: u64,
}

impl Model {
    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Runs one write command; false if it is none.
    pub fn run(&mut self, db: u32, args: &[Vec<u8>]) -> bool {
        let words: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        match words[..] {
            [b"SET", key, value, ..] => {
                let value = resp::parse_i64(value).unwrap_or(0);
                self.put(db, key, value);
            }
            [b"INCR", key] => {
                let old = self.values.get(&(db, key.to_vec())).copied().unwrap_or(0);
                self.put(db, key, old + 1);
            }
            [b"FLUSHALL"] => *self = Model::default(),
            _ => return false,
        }
        true
    }

    fn put(&mut self, db: u32, key: &[u8], value: i64) {
        let old = self.values.insert((db, key.to_vec()), value);
        if let Some(old) = old {
            self.digest ^= mix(db, key, old);
        }
        self.digest ^= mix(db, key, value);
    }

    /// A snapshot, with the database that the stream behind it has selected.
    pub fn encode(&self, stream_db: u32) -> Vec<u8> {
        let mut out = format!("REDIS {stream_db}\n");
        for ((db, key), value) in &self.values {
            let key = String::from_utf8_lossy(key);
            out.push_str(&format!("{db} {key} {value}\n"));
        }
        out.push_str("END\n");
        out.into_bytes()
    }

    pub fn decode(bytes: &[u8]) -> Option<(Model, u32)> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        let stream_db = lines.next()?.strip_prefix("REDIS ")?.parse().ok()?;
        let mut model = Model::default();
        for line in lines {
            if line == "END" {
                return Some((model, stream_db));
            }
            let mut words = line.split(' ');
            let db = words.next()?.parse().ok()?;
            let key = words.next()?;
            model.put(db, key.as_bytes(), words.next()?.parse().ok()?);
        }
        None
    }
}

fn mix(db: u32, key: &[u8], value: i64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ u64::from(db);
    for &byte in key.iter().chain(&value.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^ (hash >> 29)
}

/// Reads a stream of commands.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// The database at the last whole unit.
    pub db: u32,
}

/// What a stream asks for beside writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub used_bytes: usize,
    pub wants_ack: bool,
}

impl Session {
    /// Runs all whole units at the front of `stream`, telling `boundary` how many bytes were used
    /// after each.
    pub fn run(
        &mut self,
        model: &mut Model,
        stream: &[u8],
        mut boundary: impl FnMut(usize, &Model),
    ) -> Seen {
        let mut seen = Seen::default();
        let mut at = 0;
        let mut queued: Option<Vec<Vec<Vec<u8>>>> = None;
        while let Some((args, used)) = parse_command(&stream[at..]) {
            at += used;
            match (args.first().map(Vec::as_slice), &mut queued) {
                (Some(b"MULTI"), _) => {
                    queued = Some(Vec::new());
                    continue;
                }
                (Some(b"EXEC"), _) => {
                    for args in queued.take().unwrap_or_default() {
                        self.one(model, &args);
                    }
                }
                (_, Some(commands)) => {
                    commands.push(args);
                    continue;
                }
                (Some(b"REPLCONF"), None) => seen.wants_ack = true,
                (_, None) => self.one(model, &args),
            }
            seen.used_bytes = at;
            boundary(at, model);
        }
        seen
    }

    fn one(&mut self, model: &mut Model, args: &[Vec<u8>]) {
        if args[0] == b"SELECT" {
            self.db = resp::parse_i64(&args[1]).unwrap_or(0) as u32;
        } else if args[0] != b"PING" {
            assert!(model.run(self.db, args), "a strange command: {args:?}");
        }
    }
}

/// The first command of `bytes` and how long it is; newlines before it count to it.
pub fn parse_command(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let mut at = bytes.iter().take_while(|&&byte| byte == b'\n').count();
    if bytes[at..].starts_with(b"SYNC\r\n") {
        return Some((vec![b"SYNC".to_vec()], at + 6));
    }
    let count = header(bytes, &mut at, b'*')?;
    let mut args = Vec::with_capacity(count);
    for _ in 0..count {
        let len = header(bytes, &mut at, b'$')?;
        args.push(bytes.get(at..at + len)?.to_vec());
        at += len + 2;
    }
    (at <= bytes.len()).then_some((args, at))
}

fn header(bytes: &[u8], at: &mut usize, mark: u8) -> Option<usize> {
    let rest = bytes.get(*at..)?;
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    assert_eq!(rest[0], mark, "not a command: {}", rest.escape_ascii());
    let number = resp::parse_i64(rest[1..end].trim_ascii_end())?;
    *at += end + 1;
    usize::try_from(number).ok()
}

pub fn encode_command(out: &mut Vec<u8>, args: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_units_count() {
        let mut stream = Vec::new();
        for args in [
            &[&b"SELECT"[..], b"2"][..],
            &[b"INCR", b"a"],
            &[b"MULTI"],
            &[b"SET", b"b", b"7"],
            &[b"SELECT", b"0"],
            &[b"EXEC"],
            &[b"PING"],
        ] {
            encode_command(&mut stream, args);
        }
        let exec = stream.windows(4).position(|w| w == b"EXEC").expect("EXEC");
        let (mut model, mut session) = (Model::default(), Session::default());
        let seen = session.run(&mut model, &stream[..exec], |_, _| {});
        assert_eq!((model.len(), session.db), (1, 2));
        let rest = &stream[seen.used_bytes..];
        assert!(rest.starts_with(b"*1\r\n$5\r\nMULTI"));
        let seen = session.run(&mut model, rest, |_, _| {});
        assert_eq!(seen.used_bytes, rest.len());
        assert_eq!((model.len(), session.db), (2, 0));
        assert_eq!(Model::decode(&model.encode(3)), Some((model.clone(), 3)));
        let encoded = model.encode(3);
        assert_eq!(Model::decode(&encoded[..encoded.len() - 4]), None);
    }
}
