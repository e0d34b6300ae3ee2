//! What a keyspace holds, as plain values: copied from it, and collected from a pass.

use keyspace::hash::Hash;
use keyspace::set::Set;
use keyspace::snapshot::{BigHeader, BigShape, Piece, Sink};
use keyspace::sorted_set::SortedSet;
use keyspace::{Entry, Keyspace, Type};
use std::collections::{BTreeMap, BTreeSet};
use structures::list::{List, NodeRef};
use structures::listpack::Listpack;

pub type Bytes = Vec<u8>;

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    String(Bytes),
    List(Vec<Bytes>),
    Set(BTreeSet<Bytes>),
    Hash(BTreeMap<Bytes, Bytes>),
    /// Scores as bits: a sign of zero counts.
    SortedSet(BTreeMap<Bytes, u64>),
}

/// By database and key: expiry and content.
pub type Contents = BTreeMap<(u32, Bytes), (Option<i64>, Content)>;

fn content_of(entry: Entry<'_>) -> Content {
    match entry.kind() {
        Type::String => Content::String(entry.string().unwrap().to_vec()),
        Type::List => {
            let list = entry.get::<List>().unwrap();
            Content::List(list.iter().map(|item| item.to_vec()).collect())
        }
        Type::Set => {
            let set = entry.get::<Set>().unwrap();
            Content::Set(set.iter().map(|item| item.to_vec()).collect())
        }
        Type::Hash => {
            let hash = entry.get::<Hash>().unwrap();
            Content::Hash(hash.iter().map(|(f, v)| (f.to_vec(), v.to_vec())).collect())
        }
        Type::SortedSet => {
            let set = entry.get::<SortedSet>().unwrap();
            let pairs = set
                .iter()
                .map(|(member, score)| (member.to_vec(), score.to_bits()));
            Content::SortedSet(pairs.collect())
        }
    }
}

pub fn copy_of(keyspace: &Keyspace) -> Contents {
    let mut contents = Contents::new();
    for db in 0..keyspace.db_count() as u32 {
        for entry in keyspace.iter(db) {
            let content = (entry.expiry_ms(), content_of(entry));
            contents.insert((db, entry.key().to_vec()), content);
        }
    }
    contents
}

struct Big {
    db: u32,
    key: Bytes,
    expiry_ms: Option<i64>,
    shape: BigShape,
    content: Content,
    nodes: usize,
    len: usize,
}

#[derive(Default)]
pub struct Collector {
    contents: Contents,
    big: Option<Big>,
}

impl Collector {
    pub fn into_contents(self) -> Contents {
        self.contents
    }

    fn add(&mut self, db: u32, key: Bytes, expiry_ms: Option<i64>, content: Content) {
        let name = (db, key);
        assert!(!self.contents.contains_key(&name), "{name:?} shown twice");
        self.contents.insert(name, (expiry_ms, content));
    }
}

impl Sink for Collector {
    fn entry(&mut self, db: u32, entry: Entry<'_>) {
        assert!(self.big.is_none(), "nothing comes between the pieces");
        let content = content_of(entry);
        self.add(db, entry.key().to_vec(), entry.expiry_ms(), content);
    }

    fn big_begin(&mut self, db: u32, header: BigHeader<'_>) {
        assert!(self.big.is_none(), "one big value at a time");
        self.big = Some(Big {
            db,
            key: header.key.to_vec(),
            expiry_ms: header.expiry_ms,
            shape: header.shape,
            content: match header.shape {
                BigShape::String { .. } => Content::String(Vec::new()),
                BigShape::List { .. } => Content::List(Vec::new()),
                BigShape::Set { .. } => Content::Set(BTreeSet::new()),
                BigShape::Hash { .. } => Content::Hash(BTreeMap::new()),
                BigShape::SortedSet { .. } => Content::SortedSet(BTreeMap::new()),
            },
            nodes: 0,
            len: 0,
        });
    }

    fn big_piece(&mut self, piece: Piece<'_>) {
        let big = self.big.as_mut().expect("begun");
        match (&mut big.content, piece) {
            (Content::String(all), Piece::Bytes(bytes)) => {
                all.extend_from_slice(bytes);
                big.len += bytes.len();
            }
            (Content::List(all), Piece::Node(node)) => {
                big.nodes += 1;
                match node {
                    NodeRef::Plain(element) => all.push(element.to_vec()),
                    NodeRef::Packed(blob) => {
                        let pack = Listpack::from_blob(blob).unwrap();
                        all.extend(pack.iter().map(|item| item.to_vec()));
                    }
                }
                big.len = all.len();
            }
            (Content::Set(all), Piece::Member(member)) => {
                all.insert(member.to_vec());
                big.len += 1;
            }
            (Content::Hash(all), Piece::Pair(field, value)) => {
                all.insert(field.to_vec(), value.to_vec());
                big.len += 1;
            }
            (Content::SortedSet(all), Piece::Scored(member, score)) => {
                all.insert(member.to_vec(), score.to_bits());
                big.len += 1;
            }
            (_, piece) => panic!("a strange piece: {piece:?}"),
        }
    }

    fn big_end(&mut self) {
        let big = self.big.take().expect("begun");
        let (nodes, len) = (big.nodes, big.len);
        let shape = match big.shape {
            BigShape::String { .. } => BigShape::String { len_bytes: len },
            BigShape::List { .. } => BigShape::List { nodes, len },
            BigShape::Set { .. } => BigShape::Set { len },
            BigShape::Hash { .. } => BigShape::Hash { len },
            BigShape::SortedSet { .. } => BigShape::SortedSet { len },
        };
        assert_eq!(shape, big.shape, "exactly what was announced");
        self.add(big.db, big.key, big.expiry_ms, big.content);
    }
}
