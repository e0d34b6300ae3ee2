//! `Encoder`: the data set as RDB, on the thread that owns it: it copies bytes and nothing more.
//!
//! Strings that may be compressed are copied as they are and marked; length, compression and
//! checksum are [`crate::Packer`]'s work on another thread. A mark may reach beyond the segment it
//! begins in: the string of a big value goes on in the next ones.
//!
//! Packed values are written as they are stored. Version 10 (Redis 7.0) knows no sets in listpacks,
//! so those are written member by member. Sorted sets in tables are written from the highest member
//! down, which is the order that Redis loads fastest.
//!
//! Knows nothing of files, nor of when a pass may stop. Tests: `tests/`.

use keyspace::hash::Hash;
use keyspace::set::Set;
use keyspace::snapshot::{BigHeader, BigShape, Piece};
use keyspace::sorted_set::SortedSet;
use keyspace::value::{Entry, Str, Value};
use structures::decimal::{IntBuf, parse_i64};
use structures::list::{List, NodeRef};

use crate::AccessInfo;
use crate::format::{self, container, kind, length, opcode, special};

/// Longer strings that come in pieces are not compressed: the writing thread would have to hold
/// them whole.
const COMPRESSED_PIECES_MAX_BYTES: usize = 64 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// 11, or 10 for what Redis 7.0 loads; others count as the nearer of the two.
    pub version: u16,
    pub compress: bool,
    /// Whether the sum at the end is made. Without it the file says 0 there.
    pub checksum: bool,
}

impl Default for EncodeOptions {
    fn default() -> EncodeOptions {
        EncodeOptions {
            version: format::VERSION_WRITTEN_MAX,
            compress: true,
            checksum: true,
        }
    }
}

impl EncodeOptions {
    pub(crate) fn version_written(&self) -> u16 {
        self.version
            .clamp(format::VERSION_WRITTEN_MIN, format::VERSION_WRITTEN_MAX)
    }
}

/// A string that may be compressed: its plain bytes begin at `at` in the segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub at: usize,
    pub len: usize,
}

/// A part of the file, ready to leave the thread that owns the data.
#[derive(Debug, Default)]
pub struct Segment {
    pub(crate) bytes: Vec<u8>,
    /// Ascending, not overlapping; only the last may reach beyond the end.
    pub(crate) marks: Vec<Mark>,
    /// Whether the file ends here.
    pub(crate) is_last: bool,
}

impl Segment {
    /// Bytes before compression.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.is_last
    }
}

/// What a big value under way still owes.
enum Open {
    /// Bytes of the string to come.
    String(usize),
    /// Elements to come.
    Elements { shape: BigShape, left: usize },
}

/// See the file header.
pub struct Encoder {
    segment: Segment,
    version: u16,
    compress: bool,
    db: Option<u32>,
    open: Option<Open>,
}

/// The frame of a file.
impl Encoder {
    pub fn new(options: &EncodeOptions) -> Encoder {
        Encoder {
            segment: Segment::default(),
            version: options.version_written(),
            compress: options.compress,
            db: None,
            open: None,
        }
    }

    /// Magic, version and the fields that describe the file.
    pub fn header(&mut self, aux: &[(&[u8], &[u8])]) {
        let magic = format!("REDIS{:04}", self.version);
        self.segment.bytes.extend_from_slice(magic.as_bytes());
        for (key, value) in aux {
            self.segment.bytes.push(opcode::AUX);
            self.string(key);
            self.string(value);
        }
    }

    /// Begins a database and says how much will come: a hint for the loader.
    pub fn resize_db(&mut self, db: u32, keys: u64, volatile: u64) {
        self.select(db);
        self.segment.bytes.push(opcode::RESIZE_DB);
        self.length(keys);
        self.length(volatile);
    }

    /// The end; the packer adds the checksum.
    pub fn footer(&mut self) {
        assert!(self.open.is_none(), "a big value is under way");
        self.segment.bytes.push(opcode::EOF);
        self.segment.is_last = true;
    }

    /// Bytes that [`Encoder::take`] would hand out.
    pub fn pending_bytes(&self) -> usize {
        self.segment.bytes.len()
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> Segment {
        let next = Segment {
            bytes: Vec::with_capacity(self.segment.bytes.capacity()),
            marks: Vec::with_capacity(self.segment.marks.capacity()),
            is_last: false,
        };
        std::mem::replace(&mut self.segment, next)
    }

    fn select(&mut self, db: u32) {
        if self.db != Some(db) {
            self.db = Some(db);
            self.segment.bytes.push(opcode::SELECT_DB);
            self.length(u64::from(db));
        }
    }
}

/// Entries.
impl Encoder {
    #[inline]
    pub fn entry(&mut self, db: u32, entry: Entry<'_>, access: AccessInfo) {
        self.attributes(db, entry.expiry_ms(), access);
        self.typed(entry, |encoder| encoder.string(entry.key()));
    }

    /// Type byte, what comes between it and the value, value.
    #[inline]
    pub(crate) fn typed(&mut self, entry: Entry<'_>, between: impl FnOnce(&mut Encoder)) {
        match (entry.string(), entry.payload()) {
            (Some(Str::Int(value)), _) => {
                self.segment.bytes.push(kind::STRING);
                between(self);
                self.int(value);
            }
            (Some(Str::Bytes(bytes)), _) => {
                self.segment.bytes.push(kind::STRING);
                between(self);
                self.string(bytes);
            }
            (None, Some(value)) => {
                self.segment.bytes.push(self.kind_of(value));
                between(self);
                self.container(value);
            }
            (None, None) => unreachable!("an entry is a string or has a payload"),
        }
    }

    #[inline]
    fn attributes(&mut self, db: u32, expiry_ms: Option<i64>, access: AccessInfo) {
        assert!(self.open.is_none(), "a big value is under way");
        self.select(db);
        if let Some(at) = expiry_ms {
            self.segment.bytes.push(opcode::EXPIRE_TIME_MS);
            self.segment.bytes.extend_from_slice(&at.to_le_bytes());
        }
        match access {
            AccessInfo::None => {}
            AccessInfo::IdleSeconds(seconds) => {
                self.segment.bytes.push(opcode::IDLE);
                self.length(seconds);
            }
            AccessInfo::Frequency(counter) => {
                self.segment
                    .bytes
                    .extend_from_slice(&[opcode::FREQ, counter]);
            }
        }
    }

    fn kind_of(&self, value: &Value) -> u8 {
        match value {
            Value::Bytes(_) => kind::STRING,
            Value::List(_) => kind::LIST_QUICKLIST_2,
            Value::Set(Set::Ints(_)) => kind::SET_INTSET,
            Value::Set(Set::Packed(_)) if self.version >= 11 => kind::SET_LISTPACK,
            Value::Set(_) => kind::SET,
            Value::Hash(Hash::Packed(_)) => kind::HASH_LISTPACK,
            Value::Hash(Hash::Table(_)) => kind::HASH,
            Value::SortedSet(SortedSet::Packed(_)) => kind::ZSET_LISTPACK,
            Value::SortedSet(SortedSet::Table(_)) => kind::ZSET_2,
        }
    }

    fn container(&mut self, value: &Value) {
        match value {
            Value::Bytes(bytes) => self.string(bytes),
            Value::List(list) => self.list(list),
            Value::Set(Set::Ints(ints)) => self.blob(ints.as_blob()),
            Value::Set(Set::Packed(pack)) if self.version >= 11 => self.blob(pack.as_blob()),
            Value::Set(set) => {
                self.length(set.len() as u64);
                set.for_each(|member| self.string(member.as_bytes(&mut IntBuf::new())));
            }
            Value::Hash(Hash::Packed(pack)) => self.blob(pack.as_blob()),
            Value::Hash(hash) => {
                self.length(hash.len() as u64);
                for (field, value) in hash.iter() {
                    self.string(field.as_bytes(&mut IntBuf::new()));
                    self.string(value.as_bytes(&mut IntBuf::new()));
                }
            }
            Value::SortedSet(SortedSet::Packed(pack)) => self.blob(pack.as_blob()),
            Value::SortedSet(set) => {
                self.length(set.len() as u64);
                for (member, score) in set.range(0..set.len(), true) {
                    self.scored(member.as_bytes(&mut IntBuf::new()), score);
                }
            }
        }
    }

    fn list(&mut self, list: &List) {
        let nodes = list.nodes();
        self.length(nodes.len() as u64);
        nodes.for_each(|node| self.node(node));
    }

    fn node(&mut self, node: NodeRef<'_>) {
        match node {
            NodeRef::Packed(blob) => {
                self.length(container::PACKED);
                self.blob(blob);
            }
            NodeRef::Plain(bytes) => {
                self.length(container::PLAIN);
                self.string(bytes);
            }
        }
    }

    fn scored(&mut self, member: &[u8], score: f64) {
        self.string(member);
        self.segment.bytes.extend_from_slice(&score.to_le_bytes());
    }
}

/// Values that come in pieces.
impl Encoder {
    pub fn big_begin(&mut self, db: u32, header: &BigHeader<'_>, access: AccessInfo) {
        self.attributes(db, header.expiry_ms, access);
        let (kind, left) = match header.shape {
            BigShape::String { len_bytes } => (kind::STRING, len_bytes),
            BigShape::List { nodes, .. } => (kind::LIST_QUICKLIST_2, nodes),
            BigShape::Set { len } => (kind::SET, len),
            BigShape::Hash { len } => (kind::HASH, len),
            BigShape::SortedSet { len } => (kind::ZSET_2, len),
        };
        self.segment.bytes.push(kind);
        self.string(header.key);
        if kind != kind::STRING {
            self.length(left as u64);
            let shape = header.shape;
            self.open = Some(Open::Elements { shape, left });
            return;
        }
        if self.compress
            && left > format::UNCOMPRESSED_MAX_BYTES
            && left <= COMPRESSED_PIECES_MAX_BYTES
        {
            self.mark(left);
        } else {
            self.length(left as u64);
        }
        self.open = Some(Open::String(left));
    }

    /// The next part of the value that was begun. Parts must fit what was announced.
    pub fn big_piece(&mut self, piece: Piece<'_>) {
        match (self.open.as_mut().expect("a big value was begun"), piece) {
            (Open::String(left), Piece::Bytes(bytes)) => {
                assert!(bytes.len() <= *left, "more bytes than announced");
                *left -= bytes.len();
                self.segment.bytes.extend_from_slice(bytes);
            }
            (Open::Elements { shape, left }, piece) => {
                *left = left.checked_sub(1).expect("as many elements as announced");
                match (*shape, piece) {
                    (BigShape::List { .. }, Piece::Node(node)) => self.node(node),
                    (BigShape::Set { .. }, Piece::Member(member)) => self.string(member),
                    (BigShape::Hash { .. }, Piece::Pair(field, value)) => {
                        self.string(field);
                        self.string(value);
                    }
                    (BigShape::SortedSet { .. }, Piece::Scored(member, score)) => {
                        self.scored(member, score);
                    }
                    _ => unreachable!("pieces are of the announced type"),
                }
            }
            _ => unreachable!("pieces are of the announced type"),
        }
    }

    pub fn big_end(&mut self) {
        match self.open.take().expect("a big value was begun") {
            Open::String(left) | Open::Elements { left, .. } => {
                assert_eq!(left, 0, "less than announced");
            }
        }
    }
}

/// Lengths and strings.
impl Encoder {
    #[inline]
    fn length(&mut self, len: u64) {
        put_length(len, &mut self.segment.bytes);
    }

    #[inline]
    fn mark(&mut self, len: usize) {
        let at = self.segment.bytes.len();
        self.segment.marks.push(Mark { at, len });
    }

    #[inline]
    fn string(&mut self, bytes: &[u8]) {
        if bytes.len() <= format::INT_TEXT_MAX_BYTES
            && let Some(value) = parse_i64(bytes)
            && put_int(value, &mut self.segment.bytes)
        {
            return;
        }
        self.blob(bytes);
    }

    /// A string that is not tried as an integer.
    #[inline]
    fn blob(&mut self, bytes: &[u8]) {
        if self.compress && bytes.len() > format::UNCOMPRESSED_MAX_BYTES {
            self.mark(bytes.len());
        } else {
            self.length(bytes.len() as u64);
        }
        self.segment.bytes.extend_from_slice(bytes);
    }

    #[inline]
    fn int(&mut self, value: i64) {
        if !put_int(value, &mut self.segment.bytes) {
            let mut text = IntBuf::new();
            self.blob(text.format(value));
        }
    }
}

#[inline]
pub(crate) fn put_length(len: u64, out: &mut Vec<u8>) {
    if len <= length::SIX_BITS_MAX {
        out.push(len as u8);
    } else if len <= length::FOURTEEN_BITS_MAX {
        out.extend_from_slice(&[length::FOURTEEN_BITS | (len >> 8) as u8, len as u8]);
    } else if let Ok(len) = u32::try_from(len) {
        out.push(length::THIRTY_TWO_BITS);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(length::SIXTY_FOUR_BITS);
        out.extend_from_slice(&len.to_be_bytes());
    }
}

/// The short form of an integer; false if there is none.
#[inline]
fn put_int(value: i64, out: &mut Vec<u8>) -> bool {
    if let Ok(value) = i8::try_from(value) {
        out.extend_from_slice(&[special::INT_8, value as u8]);
    } else if let Ok(value) = i16::try_from(value) {
        out.push(special::INT_16);
        out.extend_from_slice(&value.to_le_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        out.push(special::INT_32);
        out.extend_from_slice(&value.to_le_bytes());
    } else {
        return false;
    }
    true
}
