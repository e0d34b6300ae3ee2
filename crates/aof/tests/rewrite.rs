//! What a base file of commands holds, read back through the protocol's own parser.
//!
//! Values are shown by a real pass over a keyspace, so that small ones come whole and big ones in
//! pieces, as they do in a server.

use aof::CommandSink;
use keyspace::hash::{Hash, HashLimits};
use keyspace::set::{Set, SetLimits};
use keyspace::snapshot::Sink;
use keyspace::snapshot::{BigHeader, BigShape, Piece};
use keyspace::sorted_set::{SortedSet, SortedSetLimits};
use keyspace::value::{Entry, Value};
use keyspace::{Expiry, Keyspace};
use resp::{Limits, Progress, RequestParser};
use structures::list::NodeRef;
use structures::list::{List, ListLimits};
use structures::listpack::Listpack;

/// A sink that a pass can own.
struct Commands(CommandSink);

impl Sink for Commands {
    fn entry(&mut self, db: u32, entry: Entry<'_>) {
        self.0.entry(db, entry);
    }
    fn big_begin(&mut self, db: u32, header: BigHeader<'_>) {
        self.0.big_begin(db, header);
    }
    fn big_piece(&mut self, piece: Piece<'_>) {
        self.0.big_piece(piece);
    }
    fn big_end(&mut self) {
        self.0.big_end();
    }
}

const COMMAND_MAX_ELEMENTS: usize = 64;

type Command = Vec<Vec<u8>>;

fn commands_of(bytes: &[u8]) -> Vec<Command> {
    let (mut parser, limits) = (RequestParser::new(), Limits::default());
    let mut found = Vec::new();
    loop {
        let mut spans = Vec::new();
        match parser.parse(bytes, &mut spans, &limits).unwrap() {
            Progress::Request => {
                found.push(spans.iter().map(|span| span.of(bytes).to_vec()).collect());
            }
            Progress::Inline(words) => panic!("inline {words:?}"),
            Progress::Incomplete { .. } => {
                assert_eq!(parser.consumed(), bytes.len());
                return found;
            }
        }
    }
}

fn rewritten(keyspace: &mut Keyspace) -> Vec<Command> {
    let id = keyspace.begin_pass(Box::new(Commands(CommandSink::new(None))));
    while !keyspace.step_pass(id, &mut |_| true) {}
    let any: &mut dyn std::any::Any = keyspace.pass_sink(id);
    let bytes = any.downcast_mut::<Commands>().unwrap().0.take();
    keyspace.end_pass(id);
    commands_of(&bytes)
}

fn words(command: &[&str]) -> Command {
    command
        .iter()
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

const SET_LIMITS: SetLimits = SetLimits {
    ints_max: 512,
    packed_entries_max: 128,
    packed_value_max_bytes: 64,
    seed: 1,
};
const HASH_LIMITS: HashLimits = HashLimits {
    packed_entries_max: 128,
    packed_value_max_bytes: 64,
    seed: 1,
};
const SORTED_SET_LIMITS: SortedSetLimits = SortedSetLimits {
    packed_entries_max: 128,
    packed_value_max_bytes: 64,
    seed: 1,
};

/// Elements of every kind: numbers, texts, long texts.
fn element(n: usize) -> Vec<u8> {
    match n % 3 {
        0 => n.to_string().into_bytes(),
        1 => format!("element {n}").into_bytes(),
        _ => format!("{n:0100}").into_bytes(),
    }
}

fn one_of_each(elements: usize, expiry_ms: Option<i64>) -> Keyspace {
    let mut keyspace = Keyspace::new(2, 1, false);
    let mut list = List::new();
    let mut set = Set::with_capacity(elements, &SET_LIMITS);
    let mut hash = Hash::new();
    let mut sorted_set = SortedSet::new(&SORTED_SET_LIMITS, 0, 0);
    for n in 0..elements {
        list.push_back(&element(n), &ListLimits::default());
        set.add(&element(n), &SET_LIMITS);
        hash.set(&element(n), &element(n + 1), &HASH_LIMITS);
        sorted_set.insert(&SORTED_SET_LIMITS, &element(n), n as f64 / 7.0);
    }
    keyspace.put(1, b"list", Value::List(list), expiry_ms);
    keyspace.put(1, b"set", Value::Set(set), expiry_ms);
    keyspace.put(1, b"hash", Value::Hash(hash), expiry_ms);
    keyspace.put(1, b"zset", Value::SortedSet(sorted_set), expiry_ms);
    keyspace
}

/// What the commands on a key with this verb carry, by width; in order.
fn elements_of(commands: &[Command], verb: &str, key: &str, width: usize) -> Vec<Command> {
    let mut found = Vec::new();
    let of_key = commands
        .iter()
        .filter(|c| c[0] == verb.as_bytes() && c[1] == key.as_bytes());
    for command in of_key {
        let elements = command[2..].chunks(width);
        assert!((1..=COMMAND_MAX_ELEMENTS).contains(&elements.len()));
        found.extend(elements.map(<[_]>::to_vec));
    }
    found
}

#[test]
fn a_time_comes_first_and_strings_follow_their_database() {
    let mut keyspace = Keyspace::new(3, 1, false);
    keyspace.set_string(0, b"a", b"text", Expiry::Clear);
    keyspace.set_string(2, b"n", b"-12", Expiry::At(1_700_000_000_123));
    let found = rewritten(&mut keyspace);
    let expected = [
        words(&["SELECT", "0"]),
        words(&["SET", "a", "text"]),
        words(&["SELECT", "2"]),
        words(&["SET", "n", "-12"]),
        words(&["PEXPIREAT", "n", "1700000000123"]),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        CommandSink::new(Some(1628217470)).take(),
        b"#TS:1628217470\r\n"
    );
}

#[test]
fn collections_of_any_size_come_back_in_commands_of_at_most_64_elements() {
    for count in [1, 2, 63, 64, 65, 127, 128, 129, 192, 1500, 5000] {
        let commands = rewritten(&mut one_of_each(count, Some(5)));
        let per_kind = count.div_ceil(COMMAND_MAX_ELEMENTS);
        // SELECT may stand twice: big values are shown after everything else.
        assert_eq!(commands.len(), 1 + 4 * (per_kind + 1), "{count}");
        let single = |n: usize| vec![element(n)];
        let expected: Vec<Command> = (0..count).map(single).collect();
        assert_eq!(elements_of(&commands, "RPUSH", "list", 1), expected);
        let mut sorted = expected;
        sorted.sort();
        let mut members = elements_of(&commands, "SADD", "set", 1);
        members.sort();
        assert_eq!(members, sorted);
        let mut pairs = elements_of(&commands, "HMSET", "hash", 2);
        pairs.sort();
        let pair = |n: usize| vec![element(n), element(n + 1)];
        let mut expected: Vec<Command> = (0..count).map(pair).collect();
        expected.sort();
        assert_eq!(pairs, expected);
        let scored = elements_of(&commands, "ZADD", "zset", 2);
        let mut scored: Vec<_> = scored
            .iter()
            .map(|pair| (pair[1].clone(), resp::parse_double(&pair[0]).unwrap()))
            .collect();
        scored.sort_by(|a, b| a.1.total_cmp(&b.1));
        let expected = (0..count).map(|n| (element(n), n as f64 / 7.0));
        assert_eq!(scored, expected.collect::<Vec<_>>());
        let expiries = commands.iter().filter(|c| c[0] == b"PEXPIREAT").count();
        assert_eq!(expiries, 4);
    }
}

#[test]
fn a_long_string_in_pieces_reads_like_a_whole_one() {
    let text: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    let mut keyspace = Keyspace::new(1, 1, false);
    keyspace.set_string(0, b"long", &text, Expiry::At(77));
    keyspace.set_string(0, b"short", b"", Expiry::Clear);
    let commands = rewritten(&mut keyspace);
    let set_long = vec![b"SET".to_vec(), b"long".to_vec(), text];
    assert_eq!(
        commands,
        [
            words(&["SELECT", "0"]),
            words(&["SET", "short", ""]),
            set_long,
            words(&["PEXPIREAT", "long", "77"]),
        ]
    );
}

#[test]
fn nodes_of_both_forms_are_unpacked() {
    let mut sink = CommandSink::new(None);
    let header = BigHeader {
        key: b"l",
        expiry_ms: None,
        access: 0,
        shape: BigShape::List { nodes: 2, len: 3 },
    };
    let mut pack = Listpack::new();
    pack.push_back(b"12");
    pack.push_back(b"x");
    sink.big_begin(0, header);
    sink.big_piece(Piece::Node(NodeRef::Packed(pack.as_blob())));
    sink.big_piece(Piece::Node(NodeRef::Plain(b"plain")));
    sink.big_end();
    assert_eq!(
        commands_of(&sink.take()),
        [
            words(&["SELECT", "0"]),
            words(&["RPUSH", "l", "12", "x", "plain"])
        ]
    );
    assert_eq!(sink.pending_bytes(), 0);
}

#[test]
fn empty_collections_leave_no_trace() {
    let mut keyspace = one_of_each(0, Some(5));
    assert_eq!(rewritten(&mut keyspace), Vec::<Command>::new());
    let mut sink = CommandSink::new(None);
    let header = BigHeader {
        key: b"s",
        expiry_ms: Some(1),
        access: 0,
        shape: BigShape::Set { len: 0 },
    };
    sink.big_begin(0, header);
    sink.big_end();
    assert_eq!(sink.pending_bytes(), 0);
}
