//! The set value: sorted integers or a pack while small, a table once it is big.
//!
//! Integers are an intset, packed is a listpack of members in order of arrival; both are byte for
//! byte what Redis keeps and dumps. A table has the members as keys of empty cells. An intset that
//! gets a text becomes a pack if it is small enough; anything too big becomes a table. Conversion
//! goes no way back, but what SPOP leaves of a set or a STORE command builds starts small again.
//!
//! Members are shown as [`Item`]s, so an integer is printed only where its text is needed.
//! Knows no commands and no reply shapes. Tests: at the bottom.

use crate::rng::Rng;
use crate::sample::{Selection, index_below};
use std::collections::BTreeSet;
use structures::decimal::parse_i64;
use structures::entry::{EntryRef, NewValue, OwnedEntry};
use structures::intset::Intset;
use structures::listpack::{self, IntBuf, Item, Listpack};
use structures::table::{self, Fate, Table};

/// More members than this share of all are drawn in one walk instead of one by one.
const WALK_SHARE: usize = 3;
/// When at most this share of a set stays, what stays is drawn instead of what leaves.
const KEEP_SHARE: usize = 5;
/// An intset has at most this many members, whatever the configuration says.
const INTS_MAX: usize = 1 << 30;
/// The most that one integer takes in a pack.
const PACKED_INT_BYTES: usize = 10;

#[derive(Clone)]
pub enum Set {
    Ints(Intset),
    Packed(Listpack),
    Table(Box<Table<()>>),
}

const _: () = assert!(size_of::<Set>() <= 16);

/// What decides the encoding of a set.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    pub ints_max: usize,
    pub packed_entries_max: usize,
    pub packed_value_max_bytes: usize,
    /// Keys the hashes of a table.
    pub seed: u64,
}

/// A member that left its set.
pub enum Popped {
    Int(i64),
    Text(Box<[u8]>),
    Cell(OwnedEntry<()>),
}

impl Popped {
    pub fn item(&self) -> Item<'_> {
        match self {
            Popped::Int(value) => Item::Int(*value),
            Popped::Text(text) => Item::Str(text),
            Popped::Cell(cell) => Item::Str(cell.get().key()),
        }
    }
}

/// Making, measuring.
impl Set {
    /// An empty set that suits `first` as one of about `count` members.
    #[inline]
    pub fn for_members(first: &[u8], count: usize, limits: &SetLimits) -> Set {
        if count <= limits.ints_max && parse_i64(first).is_some() {
            Set::Ints(Intset::new())
        } else if count <= limits.packed_entries_max {
            Set::Packed(Listpack::new())
        } else {
            Set::with_capacity(count, limits)
        }
    }

    /// An empty table with room for `count` members.
    pub fn with_capacity(count: usize, limits: &SetLimits) -> Set {
        let mut table = Table::new(limits.seed);
        table.reserve(count);
        Set::Table(Box::new(table))
    }

    /// Converts ahead if a command that adds `count` members would not fit the encoding.
    #[inline]
    pub fn expect(&mut self, count: usize, limits: &SetLimits) {
        let most = match self {
            Set::Ints(_) => limits.ints_max,
            Set::Packed(_) => limits.packed_entries_max,
            Set::Table(_) => return,
        };
        if count > most {
            self.make_table(limits, count);
        }
    }

    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.len(),
            Set::Packed(pack) => pack.len(),
            Set::Table(table) => table.len(),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        match self {
            Set::Ints(ints) => ints.is_empty(),
            Set::Packed(pack) => pack.is_empty(),
            Set::Table(table) => table.is_empty(),
        }
    }

    pub fn heap_bytes(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.heap_bytes(),
            Set::Packed(pack) => pack.heap_bytes(),
            Set::Table(table) => size_of_val(&**table) + table.bucket_bytes() + table.cell_bytes(),
        }
    }

    pub fn encoding(&self) -> &'static str {
        match self {
            Set::Ints(_) => "intset",
            Set::Packed(_) => "listpack",
            Set::Table(_) => "hashtable",
        }
    }

    pub fn free_effort(&self) -> usize {
        match self {
            Set::Ints(_) | Set::Packed(_) => 1,
            Set::Table(table) => table.len(),
        }
    }

    /// The intset, as RDB and DUMP store it.
    pub fn as_intset(&self) -> Option<&Intset> {
        match self {
            Set::Ints(ints) => Some(ints),
            _ => None,
        }
    }

    /// The pack, as RDB and DUMP store it.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match self {
            Set::Packed(pack) => Some(pack),
            _ => None,
        }
    }
}

/// Converting.
impl Set {
    /// Turns any encoding into a table with room for `additional` members more.
    #[cold]
    fn make_table(&mut self, limits: &SetLimits, additional: usize) -> &mut Table<()> {
        if !matches!(self, Set::Table(_)) {
            let mut table = Table::new(limits.seed);
            table.reserve(self.len() + additional);
            self.for_each(|member| {
                table_add_new(&mut table, member.as_bytes(&mut IntBuf::new()));
            });
            *self = Set::Table(Box::new(table));
        }
        match self {
            Set::Table(table) => table,
            _ => unreachable!("converted above"),
        }
    }

    /// Adds a text to what was an intset.
    #[cold]
    fn add_text_to_ints(&mut self, text: &[u8], limits: &SetLimits) {
        let Set::Ints(ints) = self else {
            unreachable!("the caller matched an intset")
        };
        let digits = |value: Option<i64>| value.map_or(0, |v| IntBuf::new().format(v).len());
        let longest = digits(ints.min()).max(digits(ints.max())).max(text.len());
        let mut pack = Listpack::new();
        if ints.len() < limits.packed_entries_max
            && longest <= limits.packed_value_max_bytes
            && pack.fits(ints.len() * PACKED_INT_BYTES + text.len())
        {
            ints.iter().for_each(|value| pack.push_int_back(value));
            pack.push_back(text);
            *self = Set::Packed(pack);
        } else {
            table_add_new(self.make_table(limits, 1), text);
        }
    }

    /// An intset has just grown: a table takes its place if it is too long now.
    #[inline]
    fn bound_ints(&mut self, limits: &SetLimits) {
        if self.len() > limits.ints_max.min(INTS_MAX) {
            self.make_table(limits, 0);
        }
    }

    /// Makes a result that holds only integers an intset, if it is small enough.
    pub fn prefer_ints(&mut self, limits: &SetLimits) {
        if matches!(self, Set::Ints(_)) || self.len() > limits.ints_max.min(INTS_MAX) {
            return;
        }
        let mut ints = Intset::new();
        for member in self.iter() {
            let Some(value) = member.to_i64() else { return };
            ints.insert(value);
        }
        *self = Set::Ints(ints);
    }
}

/// Single members.
impl Set {
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => parse_i64(member).is_some_and(|value| ints.contains(value)),
            Set::Packed(pack) => pack
                .first()
                .is_some_and(|first| pack.find(member, 0, first).is_some()),
            Set::Table(table) => table.find(table.hash(member), member).is_some(),
        }
    }

    /// As [`Set::contains`], for a member of another set.
    #[inline]
    pub fn contains_item(&self, member: Item<'_>) -> bool {
        match (self, member) {
            (Set::Ints(ints), Item::Int(value)) => ints.contains(value),
            _ => self.contains(member.as_bytes(&mut IntBuf::new())),
        }
    }

    /// True if the member is new.
    #[inline]
    pub fn add(&mut self, member: &[u8], limits: &SetLimits) -> bool {
        match self {
            Set::Table(table) => table_add(table, member),
            Set::Ints(ints) => {
                let Some(value) = parse_i64(member) else {
                    self.add_text_to_ints(member, limits);
                    return true;
                };
                let is_new = ints.insert(value);
                self.bound_ints(limits);
                is_new
            }
            Set::Packed(_) => {
                let is_new = !self.contains(member);
                if is_new {
                    self.add_new(member, limits);
                }
                is_new
            }
        }
    }

    /// As [`Set::add`], for a member of another set.
    #[inline]
    pub fn add_item(&mut self, member: Item<'_>, limits: &SetLimits) -> bool {
        if let (Set::Ints(ints), Item::Int(value)) = (&mut *self, member) {
            let is_new = ints.insert(value);
            self.bound_ints(limits);
            return is_new;
        }
        self.add(member.as_bytes(&mut IntBuf::new()), limits)
    }

    /// Adds a member that is known not to be there.
    pub fn add_new(&mut self, member: &[u8], limits: &SetLimits) {
        match self {
            Set::Packed(pack)
                if member.len() <= limits.packed_value_max_bytes
                    && pack.len() < limits.packed_entries_max
                    && pack.fits(member.len()) =>
            {
                pack.push_back(member);
            }
            Set::Packed(_) => table_add_new(self.make_table(limits, 1), member),
            Set::Table(table) => table_add_new(table, member),
            Set::Ints(_) => {
                self.add(member, limits);
            }
        }
    }

    /// As [`Set::add_new`], for a member of another set.
    pub fn add_new_item(&mut self, member: Item<'_>, limits: &SetLimits) {
        match (&mut *self, member) {
            (Set::Ints(_), Item::Int(_)) => {
                self.add_item(member, limits);
            }
            _ => self.add_new(member.as_bytes(&mut IntBuf::new()), limits),
        }
    }

    /// True if the member was there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => parse_i64(member).is_some_and(|value| ints.remove(value)),
            Set::Packed(pack) => match pack.first().and_then(|first| pack.find(member, 0, first)) {
                Some(at) => {
                    pack.remove(at);
                    true
                }
                None => false,
            },
            Set::Table(table) => table.remove(table.hash(member), member).is_some(),
        }
    }

    /// As [`Set::remove`], for a member of another set.
    pub fn remove_item(&mut self, member: Item<'_>) -> bool {
        match (&mut *self, member) {
            (Set::Ints(ints), Item::Int(value)) => ints.remove(value),
            _ => self.remove(member.as_bytes(&mut IntBuf::new())),
        }
    }
}

/// Walks.
impl Set {
    /// Every member: integers ascending, a pack in its order, a table in none.
    #[inline]
    pub fn iter(&self) -> SetIter<'_> {
        match self {
            Set::Ints(ints) => SetIter::Ints { ints, next: 0 },
            Set::Packed(pack) => SetIter::Packed(pack.iter()),
            Set::Table(table) => SetIter::Table(table.iter()),
        }
    }

    /// As [`Set::iter`], in one go.
    #[inline]
    pub fn for_each<'a>(&'a self, mut visit: impl FnMut(Item<'a>)) {
        match self {
            Set::Ints(ints) => ints.iter().for_each(|value| visit(Item::Int(value))),
            Set::Packed(pack) => pack.iter().for_each(visit),
            Set::Table(table) => table.iter().for_each(|entry| visit(Item::Str(entry.key()))),
        }
    }

    /// One SSCAN step: shows the members at `cursor` and returns the next one, 0 at the end. Only
    /// a table is shown in parts.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(Item<'a>)) -> u64 {
        match self {
            Set::Table(table) => table.scan(cursor, |entry| visit(Item::Str(entry.key()))),
            _ => {
                self.for_each(visit);
                0
            }
        }
    }
}

/// Chance.
impl Set {
    /// A member, all equally likely; `None` only if there is none.
    pub fn random(&self, rng: &mut Rng) -> Option<Item<'_>> {
        match self {
            Set::Table(table) => table
                .random(|| rng.next_u64())
                .map(|entry| Item::Str(entry.key())),
            _ if self.is_empty() => None,
            Set::Ints(ints) => ints.get(index_below(rng, ints.len())).map(Item::Int),
            Set::Packed(pack) => {
                let at = pack.seek(index_below(rng, pack.len()) as i64)?;
                Some(pack.get(at))
            }
        }
    }

    /// Takes out a random member.
    pub fn pop(&mut self, rng: &mut Rng) -> Option<Popped> {
        match self {
            Set::Table(table) => {
                let hash = table
                    .random(|| rng.next_u64())
                    .map(|entry| table.hash(entry.key()))?;
                table.remove_where(hash, |_| true).map(Popped::Cell)
            }
            _ if self.is_empty() => None,
            Set::Ints(ints) => {
                let value = ints.get(index_below(rng, ints.len()))?;
                ints.remove(value);
                Some(Popped::Int(value))
            }
            Set::Packed(pack) => {
                let at = pack.seek(index_below(rng, pack.len()) as i64)?;
                let popped = match pack.get(at) {
                    Item::Int(value) => Popped::Int(value),
                    Item::Str(text) => Popped::Text(text.into()),
                };
                pack.remove(at);
                Some(popped)
            }
        }
    }

    /// Takes out `count` random members, fewer than all, and shows them to `visit`. Returns what
    /// is left of a big set to be dropped where it does not hurt.
    pub fn pop_many(
        &mut self,
        count: usize,
        rng: &mut Rng,
        limits: &SetLimits,
        mut visit: impl FnMut(Item<'_>),
    ) -> Option<Set> {
        debug_assert!(count < self.len());
        match self {
            Set::Ints(ints) => {
                let mut selection = Selection::new(count, ints.len());
                let mut kept = Intset::new();
                for value in ints.iter() {
                    if selection.takes_next(rng) {
                        visit(Item::Int(value));
                    } else {
                        kept.insert(value);
                    }
                }
                *ints = kept;
                None
            }
            Set::Packed(pack) => {
                let mut selection = Selection::new(count, pack.len());
                let mut leaving = Vec::with_capacity(count);
                let mut members = pack.iter();
                while let Some(at) = members.pos() {
                    let Some(member) = members.next() else { break };
                    if selection.takes_next(rng) {
                        visit(member);
                        leaving.push(at);
                    }
                }
                pack.remove_all(&leaving);
                None
            }
            // A set that a snapshot still reads must keep its table.
            Set::Table(table)
                if table.has_readers() || count < (table.len() - count) * KEEP_SHARE =>
            {
                for _ in 0..count {
                    let Some(popped) = self.pop(rng) else { break };
                    visit(popped.item());
                }
                None
            }
            Set::Table(_) => Some(self.pop_nearly_all(count, rng, limits, visit)),
        }
    }

    /// Builds the few members that stay anew, and returns the old set without them.
    fn pop_nearly_all(
        &mut self,
        count: usize,
        rng: &mut Rng,
        limits: &SetLimits,
        visit: impl FnMut(Item<'_>),
    ) -> Set {
        let mut kept = Set::Packed(Listpack::new());
        for _ in count..self.len() {
            let Some(stays) = self.pop(rng) else { break };
            kept.add_new_item(stays.item(), limits);
        }
        let leaving = std::mem::replace(self, kept);
        leaving.for_each(visit);
        leaving
    }

    /// Shows `visit` a random member again and again, until it returns false. For a set that is
    /// not empty.
    pub fn draw<'a>(&'a self, rng: &mut Rng, mut visit: impl FnMut(Item<'a>) -> bool) {
        match self {
            Set::Packed(pack) => {
                let members: Vec<Item<'a>> = pack.iter().collect();
                while visit(members[index_below(rng, members.len())]) {}
            }
            _ => while self.random(rng).is_some_and(&mut visit) {},
        }
    }

    /// Shows `visit` `count` different members, all choices equally likely; all members if there
    /// are no more.
    pub fn sample<'a>(&'a self, count: usize, rng: &mut Rng, mut visit: impl FnMut(Item<'a>)) {
        let len = self.len();
        match self {
            Set::Table(table) if count < len / WALK_SHARE => {
                // Cells have an address each, which serves as a name for them.
                let mut met = BTreeSet::new();
                while met.len() < count {
                    let Some(entry) = table.random(|| rng.next_u64()) else {
                        return;
                    };
                    if met.insert(entry.key().as_ptr().addr()) {
                        visit(Item::Str(entry.key()));
                    }
                }
            }
            Set::Ints(ints) if count < len / WALK_SHARE => {
                let mut met = BTreeSet::new();
                while met.len() < count {
                    let index = index_below(rng, len);
                    if met.insert(index) {
                        ints.get(index)
                            .map(Item::Int)
                            .into_iter()
                            .for_each(&mut visit);
                    }
                }
            }
            _ => {
                let mut selection = Selection::new(count, len);
                for member in self.iter() {
                    if selection.is_done() {
                        return;
                    }
                    if selection.takes_next(rng) {
                        visit(member);
                    }
                }
            }
        }
    }
}

/// Every member; see [`Set::iter`].
pub enum SetIter<'a> {
    Ints { ints: &'a Intset, next: usize },
    Packed(listpack::Iter<'a>),
    Table(table::Iter<'a, ()>),
}

impl<'a> Iterator for SetIter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            SetIter::Ints { ints, next } => {
                let value = ints.get(*next)?;
                *next += 1;
                Some(Item::Int(value))
            }
            SetIter::Packed(members) => members.next(),
            SetIter::Table(entries) => entries
                .next()
                .map(|entry: EntryRef<'a, ()>| Item::Str(entry.key())),
        }
    }
}

#[inline]
fn table_add(table: &mut Table<()>, member: &[u8]) -> bool {
    let hash = table.hash(member);
    let mut is_new = false;
    table.find_or_insert(
        hash,
        member,
        |_| Fate::Keep,
        || {
            is_new = true;
            (NewValue::Bytes(&[]), 0, 0)
        },
    );
    is_new
}

#[inline]
fn table_add_new(table: &mut Table<()>, member: &[u8]) {
    let hash = table.hash(member);
    table.insert_new(hash, member, NewValue::Bytes(&[]), 0, 0, None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    const LIMITS: SetLimits = SetLimits {
        ints_max: 8,
        packed_entries_max: 6,
        packed_value_max_bytes: 10,
        seed: 99,
    };

    fn set_of(members: &[&str]) -> Set {
        let mut set = Set::for_members(members[0].as_bytes(), 1, &LIMITS);
        for member in members {
            set.add(member.as_bytes(), &LIMITS);
        }
        set
    }

    fn texts(set: &Set) -> BTreeSet<Vec<u8>> {
        let members: BTreeSet<_> = set.iter().map(|member| member.to_vec()).collect();
        assert_eq!(members.len(), set.len());
        members
    }

    /// One set of each encoding, the table bigger than `WALK_SHARE` samples need.
    fn one_of_each() -> Vec<Set> {
        let mut big = set_of(&["x"]);
        for index in 0..60 {
            big.add(format!("member:{index}").as_bytes(), &LIMITS);
        }
        let sets = vec![
            set_of(&["1", "2", "-3", "400000", "5", "6"]),
            set_of(&["a", "2", "c", "d", "e"]),
            big,
        ];
        let encodings: Vec<_> = sets.iter().map(Set::encoding).collect();
        assert_eq!(encodings, ["intset", "listpack", "hashtable"]);
        sets
    }

    #[test]
    fn the_first_member_that_does_not_fit_changes_the_encoding() {
        let check = |members: &[&str], encoding: &str| {
            assert_eq!(set_of(members).encoding(), encoding, "{members:?}");
        };
        check(&["1", "2", "3", "4", "5", "6", "7", "8"], "intset");
        check(&["1", "2", "3", "4", "5", "6", "7", "8", "9"], "hashtable");
        check(&["1", "a"], "listpack");
        check(&["1", "elevenbytes"], "hashtable");
        check(&["12345678901", "a"], "hashtable");
        check(&["1", "2", "3", "4", "5", "a"], "listpack");
        check(&["1", "2", "3", "4", "5", "6", "a"], "hashtable");
        check(&["a", "1", "2", "3", "4", "5"], "listpack");
        check(&["a", "1", "2", "3", "4", "5", "6"], "hashtable");
    }

    #[test]
    fn a_result_of_integers_prefers_an_intset_if_it_is_small_enough() {
        let mut result = Set::Packed(Listpack::new());
        for value in 0..8 {
            result.add_new_item(Item::Int(value), &LIMITS);
        }
        assert_eq!(result.encoding(), "hashtable");
        result.prefer_ints(&LIMITS);
        assert_eq!(result.encoding(), "intset");
        assert_eq!(result.len(), 8);

        let mut mixed = set_of(&["a", "1"]);
        mixed.prefer_ints(&LIMITS);
        assert_eq!(mixed.encoding(), "listpack");
    }

    #[test]
    fn popping_takes_different_members_and_leaves_the_others() {
        let mut rng = Rng::new(5);
        for original in one_of_each() {
            let all = texts(&original);
            for count in 1..original.len() {
                let mut set = original.clone();
                let mut popped = BTreeSet::new();
                set.pop_many(count, &mut rng, &LIMITS, |member| {
                    assert!(popped.insert(member.to_vec()));
                });
                assert_eq!(popped.len(), count);
                let left = texts(&set);
                assert!(left.is_disjoint(&popped));
                assert_eq!(left.len() + count, all.len());
                assert!(left.is_subset(&all) && popped.is_subset(&all));
            }
            let mut set = original.clone();
            let mut popped = BTreeSet::new();
            while let Some(member) = set.pop(&mut rng) {
                popped.insert(member.item().to_vec());
            }
            assert_eq!(popped, all);
            assert!(set.is_empty());
        }
    }

    #[test]
    fn few_members_left_of_a_table_are_packed_again() {
        let mut rng = Rng::new(5);
        let mut set = one_of_each().pop().expect("three sets");
        let rest = set.pop_many(set.len() - 3, &mut rng, &LIMITS, |_| {});
        assert_eq!((set.encoding(), set.len()), ("listpack", 3));
        assert!(rest.is_some_and(|rest| rest.len() == 58));
    }

    #[test]
    fn samples_hold_different_members_and_every_member_comes_up() {
        let mut rng = Rng::new(11);
        for set in one_of_each() {
            let all = texts(&set);
            for count in [1, 2, 5, set.len() - 1, set.len(), set.len() + 5] {
                let mut seen = BTreeSet::new();
                for _ in 0..400 {
                    let mut sample = BTreeSet::new();
                    set.sample(count, &mut rng, |member| {
                        assert!(sample.insert(member.to_vec()));
                    });
                    assert_eq!(sample.len(), count.min(all.len()));
                    seen.extend(sample);
                }
                assert_eq!(seen, all);
            }
            let mut drawn = BTreeSet::new();
            let mut left = 2000;
            set.draw(&mut rng, |member| {
                drawn.insert(member.to_vec());
                left -= 1;
                left > 0
            });
            assert_eq!(drawn, all);
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(Vec<u8>),
        Remove(Vec<u8>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let text = prop_oneof![
            6 => (-4i64..12).prop_map(|value| value.to_string().into_bytes()),
            1 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
            2 => "[a-c]{0,2}".prop_map(String::into_bytes),
            1 => "[a-z]{9,12}".prop_map(String::into_bytes),
        ];
        prop_oneof![
            2 => text.clone().prop_map(Step::Add),
            1 => text.prop_map(Step::Remove),
        ]
    }

    proptest! {
        #[test]
        fn a_set_behaves_like_an_ordered_one(steps in prop::collection::vec(step(), 1..80)) {
            let mut set = Set::Ints(Intset::new());
            let mut model = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Add(text) => {
                        prop_assert_eq!(set.add(&text, &LIMITS), model.insert(text));
                    }
                    Step::Remove(text) => {
                        prop_assert_eq!(set.remove(&text), model.remove(&text));
                    }
                }
                prop_assert_eq!(set.len(), model.len());
                prop_assert!(model.iter().all(|text| set.contains(text)));
                let mut scanned = BTreeSet::new();
                let mut cursor = 0;
                loop {
                    cursor = set.scan(cursor, |member| {
                        scanned.insert(member.to_vec());
                    });
                    if cursor == 0 {
                        break;
                    }
                }
                prop_assert_eq!(&scanned, &model);
                prop_assert_eq!(&texts(&set.clone()), &model);
            }
        }
    }
}
