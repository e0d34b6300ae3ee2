//! `CommandSink`: a base file of commands, for `aof-use-rdb-preamble no`.
//!
//! Each key becomes the commands that make it: SET, or RPUSH, SADD, HMSET, ZADD with up to 64
//! elements each, then PEXPIREAT; SELECT where the database changes. Elements are collected until a
//! command is full, so its head can say how many follow; a big string's length is known ahead.
//!
//! Shape of the commands as Redis 7's own rewrite was observed to write them. Tests: at the bottom,
//! and `tests/rewrite.rs`.

use keyspace::snapshot::{BigHeader, BigShape, Piece};
use keyspace::{Entry, Str, Value};
use resp::double::{MAX_TEXT_LEN, format_double};
use structures::list::NodeRef;
use structures::listpack::{IntBuf, Listpack};

/// Elements in one command.
const BATCH_ELEMENTS: usize = 64;

pub struct CommandSink {
    out: Vec<u8>,
    db: Option<u32>,
    /// The command that is being filled: the elements' arguments, encoded.
    batch: Vec<u8>,
    batch_elements: usize,
    open: Option<Open>,
}

/// A big value under way.
struct Open {
    key: Vec<u8>,
    expiry_ms: Option<i64>,
    shape: BigShape,
}

/// A command that adds elements, and how many arguments each takes.
#[derive(Clone, Copy)]
struct Adder {
    name: &'static [u8],
    arguments: usize,
}

const RPUSH: Adder = Adder {
    name: b"RPUSH",
    arguments: 1,
};
const SADD: Adder = Adder {
    name: b"SADD",
    arguments: 1,
};
const HMSET: Adder = Adder {
    name: b"HMSET",
    arguments: 2,
};
const ZADD: Adder = Adder {
    name: b"ZADD",
    arguments: 2,
};

impl CommandSink {
    /// `timestamp_s` becomes the annotation that the file begins with.
    pub fn new(timestamp_s: Option<i64>) -> CommandSink {
        let mut out = Vec::new();
        if let Some(at_s) = timestamp_s {
            out.extend_from_slice(format!("#TS:{at_s}\r\n").as_bytes());
        }
        CommandSink {
            out,
            db: None,
            batch: Vec::new(),
            batch_elements: 0,
            open: None,
        }
    }

    /// Bytes that [`CommandSink::take`] would hand out.
    pub fn pending_bytes(&self) -> usize {
        self.out.len()
    }

    pub fn take(&mut self) -> Vec<u8> {
        let next = Vec::with_capacity(self.out.capacity());
        std::mem::replace(&mut self.out, next)
    }

    /// One whole entry. An empty collection leaves no trace: no command could make it.
    pub fn entry(&mut self, db: u32, entry: Entry<'_>) {
        assert!(self.open.is_none(), "a big value is under way");
        if entry.payload().is_some_and(is_empty_collection) {
            return;
        }
        self.select(db);
        let key = entry.key();
        match (entry.string(), entry.payload()) {
            (Some(string), _) => self.string(key, string),
            (None, Some(value)) => self.container(key, value),
            (None, None) => unreachable!("an entry is a string or has a payload"),
        }
        self.expiry(key, entry.expiry_ms());
    }

    pub fn big_begin(&mut self, db: u32, header: BigHeader<'_>) {
        assert!(self.open.is_none(), "a big value is under way");
        let is_empty = has_no_elements(header.shape);
        if !is_empty {
            self.select(db);
        }
        if let BigShape::String { len_bytes } = header.shape {
            command(&mut self.out, 3);
            argument(&mut self.out, b"SET");
            argument(&mut self.out, header.key);
            head(&mut self.out, b'$', len_bytes);
        }
        self.open = Some(Open {
            key: header.key.to_vec(),
            expiry_ms: header.expiry_ms.filter(|_| !is_empty),
            shape: header.shape,
        });
    }

    pub fn big_piece(&mut self, piece: Piece<'_>) {
        let Some(open) = self.open.take() else {
            panic!("no big value is under way");
        };
        match piece {
            Piece::Bytes(bytes) => self.out.extend_from_slice(bytes),
            Piece::Node(node) => self.node(&open.key, node),
            Piece::Member(member) => self.element(SADD, &open.key, &[member]),
            Piece::Pair(field, value) => self.element(HMSET, &open.key, &[field, value]),
            Piece::Scored(member, score) => self.scored(&open.key, member, score),
        }
        self.open = Some(open);
    }

    pub fn big_end(&mut self) {
        let Some(open) = self.open.take() else {
            panic!("no big value is under way");
        };
        match open.shape {
            BigShape::String { .. } => self.out.extend_from_slice(b"\r\n"),
            BigShape::List { .. } => self.flush(RPUSH, &open.key),
            BigShape::Set { .. } => self.flush(SADD, &open.key),
            BigShape::Hash { .. } => self.flush(HMSET, &open.key),
            BigShape::SortedSet { .. } => self.flush(ZADD, &open.key),
        }
        self.expiry(&open.key, open.expiry_ms);
    }

    fn select(&mut self, db: u32) {
        if self.db != Some(db) {
            self.db = Some(db);
            command(&mut self.out, 2);
            argument(&mut self.out, b"SELECT");
            argument(&mut self.out, db.to_string().as_bytes());
        }
    }

    fn string(&mut self, key: &[u8], string: Str<'_>) {
        command(&mut self.out, 3);
        argument(&mut self.out, b"SET");
        argument(&mut self.out, key);
        argument(&mut self.out, string.as_bytes(&mut IntBuf::new()));
    }

    fn container(&mut self, key: &[u8], value: &Value) {
        let (mut first, mut second) = (IntBuf::new(), IntBuf::new());
        match value {
            Value::Bytes(_) => unreachable!("a string"),
            Value::List(list) => {
                for item in list.iter() {
                    self.element(RPUSH, key, &[item.as_bytes(&mut first)]);
                }
                self.flush(RPUSH, key);
            }
            Value::Set(set) => {
                set.for_each(|item| self.element(SADD, key, &[item.as_bytes(&mut first)]));
                self.flush(SADD, key);
            }
            Value::Hash(hash) => {
                for (field, value) in hash.iter() {
                    let pair = [field.as_bytes(&mut first), value.as_bytes(&mut second)];
                    self.element(HMSET, key, &pair);
                }
                self.flush(HMSET, key);
            }
            Value::SortedSet(set) => {
                for (member, score) in set.iter() {
                    self.scored(key, member.as_bytes(&mut first), score);
                }
                self.flush(ZADD, key);
            }
        }
    }

    fn node(&mut self, key: &[u8], node: NodeRef<'_>) {
        match node {
            NodeRef::Plain(element) => self.element(RPUSH, key, &[element]),
            NodeRef::Packed(blob) => {
                let pack = Listpack::from_blob(blob).expect("a list's own node is a listpack");
                let mut text = IntBuf::new();
                for item in pack.iter() {
                    self.element(RPUSH, key, &[item.as_bytes(&mut text)]);
                }
            }
        }
    }

    fn scored(&mut self, key: &[u8], member: &[u8], score: f64) {
        let mut text = [0; MAX_TEXT_LEN];
        let len = format_double(score, &mut text);
        self.element(ZADD, key, &[&text[..len], member]);
    }

    fn element(&mut self, adder: Adder, key: &[u8], arguments: &[&[u8]]) {
        for bytes in arguments {
            argument(&mut self.batch, bytes);
        }
        self.batch_elements += 1;
        if self.batch_elements == BATCH_ELEMENTS {
            self.flush(adder, key);
        }
    }

    fn flush(&mut self, adder: Adder, key: &[u8]) {
        if self.batch_elements == 0 {
            return;
        }
        command(&mut self.out, 2 + self.batch_elements * adder.arguments);
        argument(&mut self.out, adder.name);
        argument(&mut self.out, key);
        self.out.append(&mut self.batch);
        self.batch_elements = 0;
    }

    fn expiry(&mut self, key: &[u8], expiry_ms: Option<i64>) {
        if let Some(at_ms) = expiry_ms {
            command(&mut self.out, 3);
            argument(&mut self.out, b"PEXPIREAT");
            argument(&mut self.out, key);
            argument(&mut self.out, at_ms.to_string().as_bytes());
        }
    }
}

fn is_empty_collection(value: &Value) -> bool {
    match value {
        // An empty string is a value like any other.
        Value::Bytes(_) => false,
        Value::List(list) => list.is_empty(),
        Value::Set(set) => set.is_empty(),
        Value::Hash(hash) => hash.is_empty(),
        Value::SortedSet(set) => set.is_empty(),
    }
}

fn has_no_elements(shape: BigShape) -> bool {
    match shape {
        BigShape::String { .. } => false,
        BigShape::List { len, .. }
        | BigShape::Set { len }
        | BigShape::Hash { len }
        | BigShape::SortedSet { len } => len == 0,
    }
}

fn head(out: &mut Vec<u8>, mark: u8, number: usize) {
    out.push(mark);
    resp::write_u64(out, number as u64);
    out.extend_from_slice(b"\r\n");
}

fn command(out: &mut Vec<u8>, arguments: usize) {
    head(out, b'*', arguments);
}

fn argument(out: &mut Vec<u8>, bytes: &[u8]) {
    head(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyspace::set::{Set, SetLimits};
    use keyspace::{Expiry, Keyspace};

    fn commands(bytes: &[u8]) -> Vec<Vec<String>> {
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let mut lines = text.split("\r\n");
        let mut commands = Vec::new();
        while let Some(count) = lines.next().and_then(|line| line.strip_prefix('*')) {
            let count: usize = count.parse().expect("a count");
            let argument = |_| {
                let length: usize = lines.next().unwrap()[1..].parse().expect("a length");
                let word = lines.next().unwrap();
                assert_eq!(word.len(), length);
                word.to_string()
            };
            commands.push((0..count).map(argument).collect());
        }
        commands
    }

    #[test]
    fn keys_become_the_commands_that_make_them() {
        let mut keyspace = Keyspace::new(2, 1, false);
        keyspace.set_string(1, b"k", b"v", Expiry::At(1_900_000_000_000));
        let mut sink = CommandSink::new(Some(7));
        for entry in keyspace.iter(1) {
            sink.entry(1, entry);
        }
        let bytes = sink.take();
        let rest = bytes.strip_prefix(b"#TS:7\r\n").expect("an annotation");
        assert_eq!(
            commands(rest),
            [
                vec!["SELECT", "1"],
                vec!["SET", "k", "v"],
                vec!["PEXPIREAT", "k", "1900000000000"]
            ]
        );
    }

    #[test]
    fn a_command_has_64_elements_at_most() {
        let limits = SetLimits {
            ints_max: 512,
            packed_entries_max: 128,
            packed_value_max_bytes: 64,
            seed: 1,
        };
        for count in [1, 63, 64, 65, 128, 130] {
            let mut keyspace = Keyspace::new(1, 1, false);
            let mut set = Set::with_capacity(count, &limits);
            for number in 0..count {
                set.add(number.to_string().as_bytes(), &limits);
            }
            keyspace.put(0, b"s", Value::Set(set), None);
            let mut sink = CommandSink::new(None);
            for entry in keyspace.iter(0) {
                sink.entry(0, entry);
            }
            let commands = commands(&sink.take());
            let sizes: Vec<usize> = commands[1..].iter().map(|c| c.len() - 2).collect();
            assert_eq!(sizes.iter().sum::<usize>(), count);
            assert!(sizes.iter().all(|size| *size <= BATCH_ELEMENTS));
            assert_eq!(sizes.len(), count.div_ceil(BATCH_ELEMENTS));
        }
    }

    #[test]
    fn big_values_arrive_in_pieces() {
        let mut sink = CommandSink::new(None);
        let header = |key, shape| BigHeader {
            key,
            expiry_ms: None,
            access: 0,
            shape,
        };
        sink.big_begin(0, header(b"s", BigShape::String { len_bytes: 5 }));
        sink.big_piece(Piece::Bytes(b"he"));
        sink.big_piece(Piece::Bytes(b"llo"));
        sink.big_end();
        sink.big_begin(0, header(b"z", BigShape::SortedSet { len: 65 }));
        for number in 0..65 {
            sink.big_piece(Piece::Scored(number.to_string().as_bytes(), 0.5));
        }
        sink.big_end();
        let commands = commands(&sink.take());
        assert_eq!(commands[1], ["SET", "s", "hello"]);
        assert_eq!(commands[2].len(), 2 + 2 * 64);
        assert_eq!(commands[3], ["ZADD", "z", "0.5", "64"]);
    }
}
