//! The hash value: packed while small, a table once it is big.
//!
//! Packed is a listpack of field, value pairs in order of arrival, byte for byte as Redis keeps and
//! dumps it. In a table the cell's key is the field and its inline bytes are the value; a value too
//! long for that is an owned string. Numbers stay texts there, as replies need them. Conversion goes
//! one way, when a field or value is added beyond the limits or a command announces as much.
//!
//! Knows no commands and no reply shapes. Tests: at the bottom.

use crate::rng::Rng;
use crate::sample::{Selection, index_below};
use std::collections::BTreeSet;
use structures::bytes::ThinBytes;
use structures::decimal::parse_i64;
use structures::entry::{EntryRef, INLINE_MAX, NewValue, ValueRef};
use structures::listpack::{IntBuf, Item, Listpack, Pairs, Pos};
use structures::table::{self, Fate, Inserted, Table};

/// A field and its value.
pub type Pair<'a> = (Item<'a>, Item<'a>);

/// More fields than this share of all are drawn in one walk instead of one by one.
const WALK_SHARE: usize = 3;
/// Buckets looked at to estimate what long values own.
const MEASURED_BUCKETS: usize = 64;

#[derive(Clone)]
pub enum Hash {
    Packed(Listpack),
    Table(Box<Table<ThinBytes>>),
}

const _: () = assert!(size_of::<Hash>() <= 16);

/// What decides the encoding of a hash.
#[derive(Clone, Copy, Debug)]
pub struct HashLimits {
    pub packed_entries_max: usize,
    pub packed_value_max_bytes: usize,
    /// Keys the hashes of a table.
    pub seed: u64,
}

/// Why a value was not incremented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncrError {
    NotAnInteger,
    Overflow,
}

/// Making, measuring, converting.
impl Hash {
    pub fn new() -> Hash {
        Hash::Packed(Listpack::new())
    }

    /// A hash of one pair, the usual first write to a key.
    #[inline]
    pub fn of_pair(field: &[u8], value: &[u8], limits: &HashLimits) -> Hash {
        let longest = field.len().max(value.len());
        let mut hash = Hash::new();
        match &mut hash {
            Hash::Packed(pack)
                if longest <= limits.packed_value_max_bytes && limits.packed_entries_max > 0 =>
            {
                pack.push_pair_back(field, value);
            }
            _ => {
                hash.set(field, value, limits);
            }
        }
        hash
    }

    /// Converts ahead if a command that sets these pairs would not fit a pack.
    #[inline]
    pub fn expect(&mut self, pairs: &[&[u8]], limits: &HashLimits) {
        let Hash::Packed(pack) = self else { return };
        let count = pairs.len() / 2;
        let is_long = |text: &&[u8]| text.len() > limits.packed_value_max_bytes;
        if count > limits.packed_entries_max
            || pairs.iter().any(is_long)
            || !pack.fits(pairs.iter().map(|text| text.len()).sum())
        {
            self.convert(limits.seed, count);
        }
    }

    /// Turns a pack into a table with room for `additional` fields more, and returns it.
    #[cold]
    fn convert(&mut self, seed: u64, additional: usize) -> &mut Table<ThinBytes> {
        if let Hash::Packed(pack) = self {
            let mut table = Table::new(seed);
            table.reserve(pack.len() / 2 + additional);
            for (field, value) in pack.pairs() {
                let (mut field_text, mut value_text) = (IntBuf::new(), IntBuf::new());
                let field = field.as_bytes(&mut field_text);
                table_set(&mut table, field, value.as_bytes(&mut value_text));
            }
            *self = Hash::Table(Box::new(table));
        }
        match self {
            Hash::Table(table) => table,
            Hash::Packed(_) => unreachable!("converted above"),
        }
    }

    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Hash::Packed(pack) => pack.len() / 2,
            Hash::Table(table) => table.len(),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        match self {
            Hash::Packed(pack) => pack.is_empty(),
            Hash::Table(table) => table.is_empty(),
        }
    }

    /// Heap bytes; what long values of a table own is estimated from some of them.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Hash::Packed(pack) => pack.heap_bytes(),
            Hash::Table(table) => {
                let fixed = size_of_val(&**table) + table.bucket_bytes() + table.cell_bytes();
                fixed + long_value_bytes(table)
            }
        }
    }

    pub fn encoding(&self) -> &'static str {
        match self {
            Hash::Packed(_) => "listpack",
            Hash::Table(_) => "hashtable",
        }
    }

    pub fn free_effort(&self) -> usize {
        match self {
            Hash::Packed(_) => 1,
            Hash::Table(table) => table.len(),
        }
    }

    /// The pack, as RDB and DUMP store it.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match self {
            Hash::Packed(pack) => Some(pack),
            Hash::Table(_) => None,
        }
    }
}

impl Default for Hash {
    fn default() -> Hash {
        Hash::new()
    }
}

/// Single fields.
impl Hash {
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<Item<'_>> {
        match self {
            Hash::Packed(pack) => {
                let (_, value) = find(pack, field)?;
                Some(pack.get(value))
            }
            Hash::Table(table) => {
                let entry = table.find(table.hash(field), field)?;
                Some(Item::Str(text_of(entry)))
            }
        }
    }

    #[inline]
    pub fn contains(&self, field: &[u8]) -> bool {
        match self {
            Hash::Packed(pack) => find(pack, field).is_some(),
            Hash::Table(table) => table.find(table.hash(field), field).is_some(),
        }
    }

    /// True if the field is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &HashLimits) -> bool {
        let pack = match self {
            Hash::Table(table) => return table_set(table, field, value),
            Hash::Packed(pack) => pack,
        };
        if field.len().max(value.len()) > limits.packed_value_max_bytes
            || !pack.fits(field.len() + value.len())
        {
            return table_set(self.convert(limits.seed, 1), field, value);
        }
        if let Some((_, at)) = find(pack, field) {
            pack.replace(at, value);
            return false;
        }
        if pack.len() / 2 >= limits.packed_entries_max {
            return table_set(self.convert(limits.seed, 1), field, value);
        }
        pack.push_pair_back(field, value);
        true
    }

    /// As [`Hash::set`], unless the field is there already.
    pub fn set_new(&mut self, field: &[u8], value: &[u8], limits: &HashLimits) -> bool {
        if let Hash::Table(table) = self {
            let hash = table.hash(field);
            let make = || (stored(value), 0, 0);
            let (_, inserted) = table.find_or_insert(hash, field, |_| Fate::Keep, make);
            return matches!(inserted, Inserted::Yes);
        }
        !self.contains(field) && self.set(field, value, limits)
    }

    /// Adds to the integer in `field` (0 if there is none) and returns the sum.
    pub fn incr(
        &mut self,
        field: &[u8],
        delta: i64,
        limits: &HashLimits,
    ) -> Result<i64, IncrError> {
        let mut scratch = IntBuf::new();
        let pack = match self {
            Hash::Table(table) => return table_incr(table, field, delta),
            Hash::Packed(pack) => pack,
        };
        let Some((_, at)) = find(pack, field) else {
            self.set(field, scratch.format(delta), limits);
            return Ok(delta);
        };
        let old = pack.get(at).to_i64().ok_or(IncrError::NotAnInteger)?;
        let sum = old.checked_add(delta).ok_or(IncrError::Overflow)?;
        let text = scratch.format(sum);
        if field.len().max(text.len()) > limits.packed_value_max_bytes {
            self.set(field, text, limits);
        } else {
            pack.replace_int(at, sum);
        }
        Ok(sum)
    }

    /// True if the field was there.
    #[inline]
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self {
            Hash::Packed(pack) => match find(pack, field) {
                Some((at, _)) => {
                    pack.remove_pair(at);
                    true
                }
                None => false,
            },
            Hash::Table(table) => table.remove(table.hash(field), field).is_some(),
        }
    }
}

/// Many fields.
impl Hash {
    /// Every field with its value: a pack in its order, a table in none.
    #[inline]
    pub fn iter(&self) -> HashIter<'_> {
        match self {
            Hash::Packed(pack) => HashIter::Packed(pack.pairs()),
            Hash::Table(table) => HashIter::Table(table.iter()),
        }
    }

    /// One HSCAN step: shows the fields at `cursor` and returns the next one, 0 at the end. A pack
    /// is shown whole.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(Pair<'a>)) -> u64 {
        match self {
            Hash::Packed(pack) => {
                pack.pairs().for_each(visit);
                0
            }
            Hash::Table(table) => table.scan(cursor, |entry| visit(pair_of(entry))),
        }
    }

    /// A field, all equally likely; `None` only if there is none.
    pub fn random(&self, rng: &mut Rng) -> Option<Pair<'_>> {
        match self {
            Hash::Packed(pack) => {
                let len = pack.len() / 2;
                if len == 0 {
                    return None;
                }
                let at = pack.seek(2 * index_below(rng, len) as i64)?;
                Some((pack.get(at), pack.get(pack.next(at)?)))
            }
            Hash::Table(table) => table.random(|| rng.next_u64()).map(pair_of),
        }
    }

    /// Shows `visit` a random field again and again, until it returns false. For a hash that is
    /// not empty.
    pub fn draw<'a>(&'a self, rng: &mut Rng, mut visit: impl FnMut(Pair<'a>) -> bool) {
        match self {
            Hash::Packed(pack) => {
                let pairs: Vec<Pair<'a>> = pack.pairs().collect();
                while visit(pairs[index_below(rng, pairs.len())]) {}
            }
            Hash::Table(table) => {
                while table
                    .random(|| rng.next_u64())
                    .is_some_and(|entry| visit(pair_of(entry)))
                {}
            }
        }
    }

    /// Shows `visit` `count` different fields, all choices equally likely; all fields if there are
    /// no more.
    pub fn sample<'a>(&'a self, count: usize, rng: &mut Rng, mut visit: impl FnMut(Pair<'a>)) {
        let len = self.len();
        match self {
            Hash::Table(table) if count < len / WALK_SHARE => {
                // Cells have an address each, which serves as a name for them.
                let mut met = BTreeSet::new();
                while met.len() < count {
                    let Some(entry) = table.random(|| rng.next_u64()) else {
                        return;
                    };
                    if met.insert(entry.key().as_ptr().addr()) {
                        visit(pair_of(entry));
                    }
                }
            }
            _ => {
                let mut selection = Selection::new(count, len);
                for pair in self.iter() {
                    if selection.is_done() {
                        return;
                    }
                    if selection.takes_next(rng) {
                        visit(pair);
                    }
                }
            }
        }
    }
}

/// Every field with its value; see [`Hash::iter`].
pub enum HashIter<'a> {
    Packed(Pairs<'a>),
    Table(table::Iter<'a, ThinBytes>),
}

impl<'a> Iterator for HashIter<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        match self {
            HashIter::Packed(pairs) => pairs.next(),
            HashIter::Table(entries) => entries.next().map(pair_of),
        }
    }
}

/// Where the field is, and its value.
#[inline]
fn find(pack: &Listpack, field: &[u8]) -> Option<(Pos, Pos)> {
    let at = pack.find(field, 1, pack.first()?)?;
    Some((at, pack.next(at)?))
}

#[inline]
fn text_of<'a>(entry: EntryRef<'a, ThinBytes>) -> &'a [u8] {
    match entry.value() {
        ValueRef::Bytes(bytes) => bytes,
        ValueRef::Payload(long) => long.as_slice(),
        ValueRef::Int(_) => unreachable!("a hash's table holds texts only"),
    }
}

#[inline]
fn pair_of<'a>(entry: EntryRef<'a, ThinBytes>) -> Pair<'a> {
    (Item::Str(entry.key()), Item::Str(text_of(entry)))
}

#[inline]
fn stored(value: &[u8]) -> NewValue<'_, ThinBytes> {
    if value.len() <= INLINE_MAX {
        NewValue::Bytes(value)
    } else {
        NewValue::Payload(ThinBytes::from_slice(value))
    }
}

#[inline]
fn table_set(table: &mut Table<ThinBytes>, field: &[u8], value: &[u8]) -> bool {
    let mut value = Some(stored(value));
    let hash = table.hash(field);
    let (mut entry, _) = table.find_or_insert(
        hash,
        field,
        |_| Fate::Keep,
        || (value.take().expect("made once"), 0, 0),
    );
    match value {
        Some(value) => {
            entry.replace(value, 0, None);
            false
        }
        None => true,
    }
}

fn table_incr(table: &mut Table<ThinBytes>, field: &[u8], delta: i64) -> Result<i64, IncrError> {
    let hash = table.hash(field);
    let mut text = IntBuf::new();
    let Some(mut entry) = table.find_mut(hash, field) else {
        table.insert_new(hash, field, NewValue::Bytes(text.format(delta)), 0, 0, None);
        return Ok(delta);
    };
    let old = parse_i64(text_of(entry.get())).ok_or(IncrError::NotAnInteger)?;
    let sum = old.checked_add(delta).ok_or(IncrError::Overflow)?;
    entry.replace(NewValue::Bytes(text.format(sum)), 0, None);
    Ok(sum)
}

fn long_value_bytes(table: &Table<ThinBytes>) -> usize {
    let (mut met, mut bytes) = (0, 0);
    for index in 0..table.bucket_count().min(MEASURED_BUCKETS) {
        table.visit_bucket(index, |entry| {
            met += 1;
            bytes += entry.payload().map_or(0, ThinBytes::heap_bytes);
        });
    }
    if met == 0 {
        0
    } else {
        (bytes as f64 / met as f64 * table.len() as f64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const LIMITS: HashLimits = HashLimits {
        packed_entries_max: 5,
        packed_value_max_bytes: 8,
        seed: 99,
    };

    fn contents(hash: &Hash) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let pairs: BTreeMap<_, _> = hash.iter().map(|(f, v)| (f.to_vec(), v.to_vec())).collect();
        assert_eq!(pairs.len(), hash.len());
        pairs
    }

    fn hash_of(count: usize) -> Hash {
        let mut hash = Hash::new();
        for index in 0..count {
            assert!(hash.set(format!("f{index}").as_bytes(), b"value", &LIMITS));
        }
        hash
    }

    #[test]
    fn too_many_fields_or_too_long_a_text_makes_a_table() {
        assert_eq!(hash_of(5).encoding(), "listpack");
        assert_eq!(hash_of(6).encoding(), "hashtable");
        let mut hash = hash_of(2);
        hash.expect(&[b"a", b"eightbyt"], &LIMITS);
        assert_eq!(hash.encoding(), "listpack");
        hash.expect(&[b"a", b"ninebytes"], &LIMITS);
        assert_eq!((hash.encoding(), hash.len()), ("hashtable", 2));
        assert_eq!(Hash::of_pair(b"f", b"v", &LIMITS).encoding(), "listpack");
        assert_eq!(
            Hash::of_pair(b"ninebytes", b"v", &LIMITS).encoding(),
            "hashtable"
        );
    }

    #[test]
    fn increments_report_texts_and_overflow_and_change_nothing_then() {
        for mut hash in [hash_of(1), hash_of(9)] {
            assert_eq!(hash.incr(b"f0", 1, &LIMITS), Err(IncrError::NotAnInteger));
            assert_eq!(hash.incr(b"n", 5, &LIMITS), Ok(5));
            assert_eq!(hash.incr(b"n", -105, &LIMITS), Ok(-100));
            assert_eq!(hash.incr(b"n", i64::MIN, &LIMITS), Err(IncrError::Overflow));
            assert_eq!(
                hash.get(b"n").map(|item| item.to_vec()),
                Some(b"-100".to_vec())
            );
        }
    }

    #[test]
    fn values_too_long_for_a_cell_are_kept_aside() {
        let long = vec![b'x'; INLINE_MAX + 1];
        let mut hash = Hash::new();
        hash.set(b"f", &long, &LIMITS);
        assert_eq!(hash.get(b"f"), Some(Item::Str(&long)));
        assert!(hash.heap_bytes() > long.len());
        assert_eq!(contents(&hash.clone()), contents(&hash));
        assert!(!hash.set(b"f", b"short", &LIMITS));
        assert_eq!(hash.get(b"f"), Some(Item::Str(b"short")));
        assert!(hash.remove(b"f") && !hash.remove(b"f"));
    }

    #[test]
    fn samples_hold_different_fields_and_every_field_comes_up() {
        let mut rng = Rng::new(3);
        for hash in [hash_of(5), hash_of(50)] {
            let all = contents(&hash);
            for count in [1, 3, hash.len() - 1, hash.len() + 1] {
                let mut seen = BTreeMap::new();
                for _ in 0..500 {
                    let mut sample = BTreeSet::new();
                    hash.sample(count, &mut rng, |(field, value)| {
                        assert!(sample.insert(field.to_vec()));
                        seen.insert(field.to_vec(), value.to_vec());
                    });
                    assert_eq!(sample.len(), count.min(all.len()));
                }
                assert_eq!(seen, all);
            }
            let (field, value) = hash.random(&mut rng).expect("not empty");
            assert_eq!(all.get(&field.to_vec()), Some(&value.to_vec()));
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(Vec<u8>, Vec<u8>),
        SetNew(Vec<u8>, Vec<u8>),
        Incr(Vec<u8>, i64),
        Remove(Vec<u8>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let field = || "[a-d0-3]{1,2}|[a-z]{9}".prop_map(String::into_bytes);
        let value = || "[0-9]{1,3}|[a-z]{0,10}".prop_map(String::into_bytes);
        prop_oneof![
            (field(), value()).prop_map(|(field, value)| Step::Set(field, value)),
            (field(), value()).prop_map(|(field, value)| Step::SetNew(field, value)),
            (field(), -200i64..200).prop_map(|(field, delta)| Step::Incr(field, delta)),
            field().prop_map(Step::Remove),
        ]
    }

    fn model_incr(
        model: &mut BTreeMap<Vec<u8>, Vec<u8>>,
        field: Vec<u8>,
        delta: i64,
    ) -> Option<i64> {
        let old = model.get(&field).map_or(Some(0), |text| parse_i64(text))?;
        model.insert(field, (old + delta).to_string().into_bytes());
        Some(old + delta)
    }

    proptest! {
        #[test]
        fn a_hash_behaves_like_an_ordered_map(steps in prop::collection::vec(step(), 1..60)) {
            let mut hash = Hash::new();
            let mut model = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Set(field, value) => {
                        let is_new = hash.set(&field, &value, &LIMITS);
                        prop_assert_eq!(is_new, model.insert(field, value).is_none());
                    }
                    Step::SetNew(field, value) => {
                        let is_new = hash.set_new(&field, &value, &LIMITS);
                        prop_assert_eq!(is_new, !model.contains_key(&field));
                        model.entry(field).or_insert(value);
                    }
                    Step::Incr(field, delta) => {
                        let sum = hash.incr(&field, delta, &LIMITS).ok();
                        prop_assert_eq!(sum, model_incr(&mut model, field, delta));
                    }
                    Step::Remove(field) => {
                        prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some());
                    }
                }
                prop_assert_eq!(&contents(&hash), &model);
                for (field, value) in &model {
                    prop_assert_eq!(hash.get(field).map(|item| item.to_vec()), Some(value.clone()));
                }
            }
            prop_assert_eq!(&contents(&hash.clone()), &model);
        }
    }
}
