//! Valid files and payloads to be damaged: written by the encoder, or put together by hand where it
//! writes no such encoding any more.

use keyspace::hash::Hash;
use keyspace::set::Set;
use keyspace::sorted_set::SortedSet;
use keyspace::value::Value;
use keyspace::{Expiry, Keyspace};
use rdb::{AccessInfo, EncodeOptions, Encoder, LoadLimits, Packer, dump};
use structures::bytes::ThinBytes;
use structures::intset::Intset;
use structures::list::List;
use structures::listpack::Listpack;

/// SplitMix64: small, and any seed is good.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn text(&mut self) -> Vec<u8> {
        match self.below(8) {
            0..3 => (self.next() as i64 >> self.below(64))
                .to_string()
                .into_bytes(),
            3..6 => (0..self.below(12)).map(|_| self.next() as u8).collect(),
            6 => b"abcab".repeat(self.below(40)),
            _ => vec![b'x'; [19, 20, 21, 63, 64, 65, 1024, 1025, 17000][self.below(9)]],
        }
    }

    fn texts(&mut self) -> Vec<Vec<u8>> {
        let most = [1, 4, 20, 140][self.below(4)];
        (0..1 + self.below(most)).map(|_| self.text()).collect()
    }

    fn score(&mut self) -> f64 {
        match self.below(5) {
            0 => f64::INFINITY,
            1 => self.below(1000) as f64 - 500.0,
            2 => self.below(1000) as f64 / 8.0,
            _ => Some(f64::from_bits(self.next()))
                .filter(|score| !score.is_nan())
                .unwrap_or(0.0),
        }
    }
}

/// Sometimes the defaults, sometimes so small that nearly everything is converted.
pub fn limits(random: &mut Random) -> LoadLimits {
    let mut limits = LoadLimits::defaults(9);
    if random.below(3) == 0 {
        limits.hash.packed_entries_max = random.below(5);
        limits.hash.packed_value_max_bytes = random.below(40);
        limits.set.ints_max = random.below(5);
        limits.set.packed_entries_max = random.below(5);
        limits.set.packed_value_max_bytes = random.below(40);
        limits.sorted_set.packed_entries_max = random.below(5);
        limits.sorted_set.packed_value_max_bytes = random.below(40);
        limits.list.fill = [-5, -1, 0, 1, 3, 128][random.below(6)];
    }
    limits.deep = random.below(2) == 0;
    limits
}

pub fn options(random: &mut Random) -> EncodeOptions {
    EncodeOptions {
        version: 10 + random.below(2) as u16,
        compress: random.below(2) == 0,
        checksum: random.below(2) == 0,
    }
}

fn value(random: &mut Random) -> Value {
    let limits = limits(random);
    let texts = random.texts();
    match random.below(6) {
        0 => Value::Bytes(ThinBytes::from_slice(&texts.concat())),
        1 => {
            let mut list = List::new();
            texts
                .iter()
                .for_each(|text| list.push_back(text, &limits.list));
            Value::List(list)
        }
        2 => {
            let mut set = Set::for_members(&texts[0], texts.len(), &limits.set);
            for text in &texts {
                set.add(text, &limits.set);
            }
            Value::Set(set)
        }
        3 => {
            let mut ints = Intset::new();
            for _ in &texts {
                let shift = random.below(64);
                ints.insert(random.next() as i64 >> shift);
            }
            Value::Set(Set::Ints(ints))
        }
        4 => {
            let mut hash = Hash::new();
            for text in &texts {
                hash.set(text, &random.text(), &limits.hash);
            }
            Value::Hash(hash)
        }
        _ => {
            let mut set = SortedSet::new(&limits.sorted_set, 0, 0);
            for text in &texts {
                let score = random.score();
                set.insert(&limits.sorted_set, text, score);
            }
            Value::SortedSet(set)
        }
    }
}

fn keyspace(random: &mut Random, keys: usize) -> Keyspace {
    let mut keyspace = Keyspace::new(4, 3, false);
    for _ in 0..keys {
        let (db, key) = (random.below(4) as u32, random.text());
        let expiry_ms = (random.below(3) == 0).then(|| random.next() as i64 >> random.below(40));
        if random.below(3) == 0 {
            let expiry = expiry_ms.map_or(Expiry::Clear, Expiry::At);
            keyspace.set_string(db, &key, &random.text(), expiry);
        } else {
            keyspace.put(db, &key, value(random), expiry_ms);
        }
    }
    keyspace
}

pub fn file(random: &mut Random) -> Vec<u8> {
    if random.below(3) == 0 {
        return old_file(random);
    }
    let keys = random.below(6);
    let (keyspace, options) = (keyspace(random, keys), options(random));
    let mut encoder = Encoder::new(&options);
    encoder.header(&[(b"redis-ver", b"7.2.4"), (b"ctime", b"1700000000")]);
    for db in 0..keyspace.db_count() as u32 {
        encoder.resize_db(db, keyspace.db(db).len() as u64, 1);
        for entry in keyspace.iter(db) {
            let access = match random.below(3) {
                0 => AccessInfo::None,
                1 => AccessInfo::IdleSeconds(random.next() >> random.below(64)),
                _ => AccessInfo::Frequency(random.next() as u8),
            };
            encoder.entry(db, entry, access);
        }
    }
    encoder.footer();
    let mut out = Vec::new();
    Packer::new(&options).pack(encoder.take(), &mut out);
    out
}

pub fn payload(random: &mut Random) -> Vec<u8> {
    if random.below(3) == 0 {
        let mut payload = Vec::new();
        old_value(random, |_| {}, &mut payload);
        payload.extend_from_slice(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        mend_payload(&mut payload);
        return payload;
    }
    let keyspace = keyspace(random, 1);
    let entry = (0..4).find_map(|db| keyspace.iter(db).next());
    dump(entry.expect("one key"), &options(random))
}

/// A file of an old version with every encoding that is no longer written.
fn old_file(random: &mut Random) -> Vec<u8> {
    let magics: [&[u8]; 5] = [
        b"REDIS0003",
        b"REDIS0006",
        b"REDIS0009",
        b"REDIS0012",
        b"VALKEY080",
    ];
    let magic = magics[random.below(magics.len())];
    let mut out = magic.to_vec();
    if random.below(2) == 0 {
        out.extend_from_slice(b"\xfa\x09redis-ver\x053.2.1\xfe\x00\xf4\x05\x02\x01");
    }
    for index in 0..random.below(5) as u8 {
        if random.below(3) == 0 {
            out.extend_from_slice(b"\xfd\x00\x10\x20\x40");
        }
        old_value(
            random,
            |out| out.extend_from_slice(&[2, b'k', index]),
            &mut out,
        );
    }
    out.push(0xff);
    if magic != b"REDIS0003" {
        out.extend_from_slice(&[0; 8]);
    }
    out
}

fn put_string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(0x80);
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn old_value(random: &mut Random, between: impl Fn(&mut Vec<u8>), out: &mut Vec<u8>) {
    let kind = [1, 2, 3, 4, 5, 9, 10, 12, 13, 14, 15, 7, 16, 17, 20, 18][random.below(16)];
    out.push(kind);
    between(out);
    let texts = random.texts();
    match kind {
        1 | 2 => {
            out.push(texts.len().min(63) as u8);
            texts.iter().take(63).for_each(|text| put_string(text, out));
        }
        3 => {
            out.push(texts.len().min(63) as u8);
            for text in texts.iter().take(63) {
                put_string(text, out);
                match random.below(4) {
                    0 => out.push(254),
                    1 => out.push(255),
                    _ => out.extend_from_slice(b"\x031.5"),
                }
            }
        }
        4 => {
            out.push((texts.len() / 2).min(63) as u8);
            texts
                .iter()
                .take(126)
                .for_each(|text| put_string(text, out));
        }
        5 => {
            out.push(1);
            put_string(&texts[0], out);
            out.extend_from_slice(&random.score().to_le_bytes());
        }
        9 => put_string(&zipmap(&texts), out),
        10 | 13 => put_string(&ziplist(random, &texts), out),
        12 => {
            let mut pairs = Vec::new();
            for (rank, text) in texts.iter().enumerate() {
                pairs.extend([text.clone(), rank.to_string().into_bytes()]);
            }
            put_string(&ziplist(random, &pairs), out);
        }
        14 => {
            out.push(2);
            put_string(&ziplist(random, &texts), out);
            put_string(&ziplist(random, &texts), out);
        }
        18 => {
            out.extend_from_slice(&[2, 1]);
            put_string(&texts[0], out);
            out.push(2);
            put_string(pack(&texts).as_blob(), out);
        }
        16 | 17 | 20 => put_string(pack(&texts).as_blob(), out),
        15 => out.extend_from_slice(b"\x00\x00\x00\x00\x00"),
        _ => out.extend_from_slice(b"\x81\x01\x02\x03\x04\x05\x06\x07\x08\x02\x05\x00"),
    }
}

/// Each text is its own value.
fn zipmap(texts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0xfe];
    for text in texts.iter().filter(|text| text.len() < 254) {
        out.push(text.len() as u8);
        out.extend_from_slice(text);
        out.extend_from_slice(&[text.len() as u8, 0]);
        out.extend_from_slice(text);
    }
    out.push(0xff);
    out
}

fn pack(texts: &[Vec<u8>]) -> Listpack {
    let mut pack = Listpack::new();
    texts.iter().for_each(|text| pack.push_back(text));
    pack
}

fn ziplist(random: &mut Random, texts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0; 10];
    let (mut previous, mut tail) = (0usize, 10);
    for text in texts {
        tail = out.len();
        if previous < 254 {
            out.push(previous as u8);
        } else {
            out.push(0xfe);
            out.extend_from_slice(&(previous as u32).to_le_bytes());
        }
        match random.below(4) {
            0 => out.extend_from_slice(&[0xf1 + random.below(13) as u8]),
            1 => out.extend_from_slice(&[0xc0, random.next() as u8, random.next() as u8]),
            _ if text.len() < 64 => {
                out.push(text.len() as u8);
                out.extend_from_slice(text);
            }
            _ => {
                out.push(0x80);
                out.extend_from_slice(&(text.len() as u32).to_be_bytes());
                out.extend_from_slice(text);
            }
        }
        previous = out.len() - tail;
    }
    out.push(0xff);
    let total = out.len() as u32;
    out[0..4].copy_from_slice(&total.to_le_bytes());
    out[4..8].copy_from_slice(&(tail as u32).to_le_bytes());
    out[8..10].copy_from_slice(&(texts.len() as u16).to_le_bytes());
    out
}

/// Makes the checksum at the end right again.
pub fn mend_payload(payload: &mut [u8]) {
    if let Some(at) = payload.len().checked_sub(8) {
        let sum = checksum(&payload[..at]);
        payload[at..].copy_from_slice(&sum.to_le_bytes());
    }
}

/// As [`mend_payload`]; a file may also say that it has none.
pub fn mend_file(file: &mut [u8]) {
    mend_payload(file);
}

/// The sum from its definition, four bits at a time: independent of what is tested.
fn checksum(bytes: &[u8]) -> u64 {
    const REFLECTED: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();
    const fn table() -> [u64; 16] {
        let mut table = [0; 16];
        let mut index = 0;
        while index < 16 {
            let (mut sum, mut bit) = (index as u64, 0);
            while bit < 4 {
                sum = if sum & 1 == 1 {
                    sum >> 1 ^ REFLECTED
                } else {
                    sum >> 1
                };
                bit += 1;
            }
            table[index] = sum;
            index += 1;
        }
        table
    }
    const TABLE: [u64; 16] = table();
    bytes.iter().fold(0, |sum, byte| {
        let sum = sum ^ u64::from(*byte);
        let sum = sum >> 4 ^ TABLE[(sum & 15) as usize];
        sum >> 4 ^ TABLE[(sum & 15) as usize]
    })
}
