//! The sorted set value: packed while small, a table with a rank tree once it is big.
//!
//! Packed is a listpack of member, score pairs in order (score, then member bytes), byte for byte
//! as Redis keeps and dumps it: a whole score up to 2^62 as an integer, any other as the text that
//! replies show. A packed 0 has no sign. Conversion goes one way, when a member is added beyond
//! the limits or a command announces as much; only results of the STORE commands are packed again
//! ([`SortedSet::from_scores`]).
//!
//! Every range (ranks, scores, names) becomes a range of ranks first, so its size is known before
//! the first member is read.
//!
//! Knows no commands and no reply shapes. Tests: at the bottom.

use std::cmp::Ordering;
use std::iter::Take;
use std::ops::Range;

use resp::double::{MAX_TEXT_LEN, format_double};
use structures::listpack::{self, IntBuf, Item, Listpack, Pos};
use structures::sorted_set::{self, Scores};

pub enum SortedSet {
    Packed(Listpack),
    Table(Box<sorted_set::SortedSet>),
}

const _: () = assert!(size_of::<SortedSet>() <= 16);

/// What decides the encoding of a sorted set.
#[derive(Clone, Copy, Debug)]
pub struct SortedSetLimits {
    pub packed_entries_max: usize,
    pub packed_value_max_bytes: usize,
    /// Keys the hashes of a table.
    pub seed: u64,
}

/// Scores from `min` to `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    pub min: f64,
    pub min_excluded: bool,
    pub max: f64,
    pub max_excluded: bool,
}

impl ScoreRange {
    fn is_below(&self, score: f64) -> bool {
        score < self.min || (self.min_excluded && score == self.min)
    }

    fn is_within_max(&self, score: f64) -> bool {
        score < self.max || (!self.max_excluded && score == self.max)
    }
}

/// One end of a range of members, all of one score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    Lowest,
    Highest,
    Including(&'a [u8]),
    Excluding(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    pub min: LexBound<'a>,
    pub max: LexBound<'a>,
}

impl LexRange<'_> {
    fn is_below(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Including(bound) => member < bound,
            LexBound::Excluding(bound) => member <= bound,
        }
    }

    fn is_within_max(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Including(bound) => member <= bound,
            LexBound::Excluding(bound) => member < bound,
        }
    }
}

/// Making, measuring, converting.
impl SortedSet {
    /// An empty set in the encoding that suits about `entries` members up to `longest_bytes` long.
    pub fn new(limits: &SortedSetLimits, entries: usize, longest_bytes: usize) -> SortedSet {
        let mut set = SortedSet::Packed(Listpack::new());
        set.expect(limits, entries, longest_bytes);
        set
    }

    /// The result of a union or the like, packed if it is small enough.
    pub fn from_scores(scores: Scores, limits: &SortedSetLimits) -> SortedSet {
        let set = scores.into_sorted();
        if set.len() <= limits.packed_entries_max {
            let lengths = || set.iter_from(0).map(|(member, _)| member.len());
            let mut pack = Listpack::new();
            if lengths().all(|len| len <= limits.packed_value_max_bytes)
                && pack.fits(lengths().sum())
            {
                let mut text = ScoreText::new();
                for (member, score) in set.iter_from(0) {
                    pack.push_pair_back(member, text.format(score));
                }
                return SortedSet::Packed(pack);
            }
        }
        SortedSet::Table(Box::new(set))
    }

    /// Converts ahead if a command with so many arguments would not fit a pack.
    #[inline]
    pub fn expect(&mut self, limits: &SortedSetLimits, entries: usize, longest_bytes: usize) {
        let too_big =
            entries > limits.packed_entries_max || longest_bytes > limits.packed_value_max_bytes;
        if too_big && self.is_packed() {
            self.convert(limits.seed, entries);
        }
    }

    /// Turns a pack into a table with room for `entries` members, and returns it.
    fn convert(&mut self, seed: u64, entries: usize) -> &mut sorted_set::SortedSet {
        if let SortedSet::Packed(pack) = self {
            let mut table = sorted_set::SortedSet::new(seed);
            table.reserve(entries);
            for (member, score) in pack.pairs() {
                table.insert(member.as_bytes(&mut IntBuf::new()), score_of(score));
            }
            *self = SortedSet::Table(Box::new(table));
        }
        match self {
            SortedSet::Table(table) => table,
            SortedSet::Packed(_) => unreachable!("converted above"),
        }
    }

    #[inline]
    pub fn is_packed(&self) -> bool {
        matches!(self, SortedSet::Packed(_))
    }

    #[inline]
    pub fn len(&self) -> usize {
        match self {
            SortedSet::Packed(pack) => pack.len() / 2,
            SortedSet::Table(table) => table.len(),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        match self {
            SortedSet::Packed(pack) => pack.is_empty(),
            SortedSet::Table(table) => table.is_empty(),
        }
    }

    pub fn heap_bytes(&self) -> usize {
        match self {
            SortedSet::Packed(pack) => pack.heap_bytes(),
            SortedSet::Table(table) => size_of_val(&**table) + table.heap_bytes(),
        }
    }

    pub fn encoding(&self) -> &'static str {
        match self {
            SortedSet::Packed(_) => "listpack",
            SortedSet::Table(_) => "skiplist",
        }
    }

    pub fn free_effort(&self) -> usize {
        match self {
            SortedSet::Packed(_) => 1,
            SortedSet::Table(table) => table.len(),
        }
    }
}

impl Clone for SortedSet {
    fn clone(&self) -> SortedSet {
        match self {
            SortedSet::Packed(pack) => SortedSet::Packed(pack.clone()),
            SortedSet::Table(table) => SortedSet::Table(table.clone()),
        }
    }
}

/// Single members.
impl SortedSet {
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            SortedSet::Packed(pack) => find(pack, member).map(|found| found.score),
            SortedSet::Table(table) => table.score(member),
        }
    }

    /// Shows `decide` the member's score, if it is there, and adds or moves the member as the
    /// answer says; `None` leaves everything as it is. The answer must not be NaN.
    #[inline]
    pub fn change(
        &mut self,
        limits: &SortedSetLimits,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) {
        let pack = match self {
            SortedSet::Table(table) => return table.change(member, decide),
            SortedSet::Packed(pack) => pack,
        };
        if let Some(found) = find(pack, member) {
            if let Some(new) = decide(Some(found.score)).filter(|new| *new != found.score) {
                move_packed(pack, &found, member, new);
            }
            return;
        }
        let Some(score) = decide(None) else { return };
        let entries = pack.len() / 2 + 1;
        if entries <= limits.packed_entries_max
            && member.len() <= limits.packed_value_max_bytes
            && pack.fits(member.len())
        {
            insert_packed(pack, member, score);
        } else {
            self.convert(limits.seed, entries).insert(member, score);
        }
    }

    /// Adds the member or moves it to `score`, which must not be NaN; returns its score before.
    pub fn insert(&mut self, limits: &SortedSetLimits, member: &[u8], score: f64) -> Option<f64> {
        let mut before = None;
        self.change(limits, member, |old| {
            before = old;
            Some(score)
        });
        before
    }

    /// Returns the score of the member removed.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self {
            SortedSet::Packed(pack) => {
                let found = find(pack, member)?;
                pack.remove_pair(found.member);
                Some(found.score)
            }
            SortedSet::Table(table) => table.remove(member),
        }
    }

    /// How many members come before this one, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            SortedSet::Packed(pack) => {
                let needle = listpack::Needle::new(member);
                let mut pairs = pack.pairs().enumerate();
                let (rank, (_, score)) = pairs.find(|(_, (item, _))| needle.matches(*item))?;
                Some((rank, score_of(score)))
            }
            SortedSet::Table(table) => table.rank(member),
        }
    }
}

/// Ranges.
impl SortedSet {
    /// The ranks of the members whose scores are in the range.
    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        let (start, end) = match self {
            SortedSet::Packed(pack) => count_pairs(
                pack,
                |_, score| range.is_below(score_of(score)),
                |_, score| range.is_within_max(score_of(score)),
            ),
            SortedSet::Table(table) => (
                table.count_below(range.min, range.min_excluded),
                table.count_below(range.max, !range.max_excluded),
            ),
        };
        start..end.max(start)
    }

    /// The ranks of the members in the range, in a set of one score; some ranks in others.
    pub fn ranks_by_lex(&self, range: &LexRange<'_>) -> Range<usize> {
        let (start, end) = match self {
            SortedSet::Packed(pack) => count_pairs(
                pack,
                |member, _| range.is_below(member.as_bytes(&mut IntBuf::new())),
                |member, _| range.is_within_max(member.as_bytes(&mut IntBuf::new())),
            ),
            SortedSet::Table(table) => (
                table.count_members_below(|member| range.is_below(member)),
                table.count_members_below(|member| range.is_within_max(member)),
            ),
        };
        start..end.max(start)
    }

    /// All members and scores, ascending.
    pub fn iter(&self) -> Iter<'_> {
        match self {
            SortedSet::Packed(pack) => Iter::Packed(pack.iter()),
            SortedSet::Table(table) => Iter::Table(table.iter_from(0)),
        }
    }

    /// The members of these ranks, which must exist; the last one first if `reverse`.
    pub fn range(&self, ranks: Range<usize>, reverse: bool) -> Take<Iter<'_>> {
        let count = ranks.len();
        match self {
            SortedSet::Table(table) if reverse => {
                Iter::TableReversed(table.iter_rev_from(ranks.end.saturating_sub(1))).take(count)
            }
            SortedSet::Table(table) => Iter::Table(table.iter_from(ranks.start)).take(count),
            SortedSet::Packed(pack) => {
                let index = if reverse {
                    ranks.end as i64 * 2 - 1
                } else {
                    ranks.start as i64 * 2
                };
                match pack.seek(index) {
                    Some(score) if reverse => {
                        Iter::PackedReversed(pack.iter_rev_from(score)).take(count)
                    }
                    Some(member) => Iter::Packed(pack.iter_from(member)).take(count),
                    None => Iter::Packed(pack.iter()).take(0),
                }
            }
        }
    }

    /// The member with `rank` members before it.
    pub fn at(&self, rank: usize) -> Option<(Item<'_>, f64)> {
        match self {
            SortedSet::Packed(_) => self.range(rank..rank + 1, false).next(),
            SortedSet::Table(table) => table
                .at(rank)
                .map(|(member, score)| (Item::Str(member), score)),
        }
    }

    /// Removes the members of these ranks, which must exist.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        match self {
            SortedSet::Packed(pack) => {
                pack.remove_range(ranks.start as i64 * 2, ranks.len() * 2);
            }
            SortedSet::Table(table) => {
                table.remove_range(ranks.start, ranks.len(), |_, _| {});
            }
        }
    }

    /// Removes up to `count` members, the lowest first or the highest first, and shows each.
    pub fn pop(&mut self, highest: bool, count: usize, mut visit: impl FnMut(Item<'_>, f64)) {
        let count = count.min(self.len());
        match self {
            SortedSet::Packed(_) => {
                let ranks = if highest {
                    self.len() - count..self.len()
                } else {
                    0..count
                };
                self.range(ranks.clone(), highest)
                    .for_each(|(member, score)| visit(member, score));
                self.remove_range(ranks);
            }
            SortedSet::Table(table) => {
                for _ in 0..count {
                    let removed = if highest {
                        table.pop_last()
                    } else {
                        table.pop_first()
                    };
                    if let Some(removed) = removed {
                        visit(Item::Str(removed.member()), removed.score());
                    }
                }
            }
        }
    }

    /// One step of a scan; a pack is visited whole.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(Item<'a>, f64)) -> u64 {
        match self {
            SortedSet::Packed(_) => {
                self.iter().for_each(|(member, score)| visit(member, score));
                0
            }
            SortedSet::Table(table) => {
                table.scan(cursor, |member, score| visit(Item::Str(member), score))
            }
        }
    }
}

/// Members with their scores, by rank.
pub enum Iter<'a> {
    Packed(listpack::Iter<'a>),
    PackedReversed(listpack::IterRev<'a>),
    Table(sorted_set::Iter<'a, false>),
    TableReversed(sorted_set::Iter<'a, true>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Iter::Packed(items) => {
                let member = items.next()?;
                Some((member, score_of(items.next()?)))
            }
            Iter::PackedReversed(items) => {
                let score = items.next()?;
                Some((items.next()?, score_of(score)))
            }
            Iter::Table(members) => members.next().map(|(m, score)| (Item::Str(m), score)),
            Iter::TableReversed(members) => members.next().map(|(m, score)| (Item::Str(m), score)),
        }
    }
}

/// A member's place in a pack.
struct FoundPacked {
    member: Pos,
    score_at: Pos,
    score: f64,
}

#[inline]
fn find(pack: &Listpack, member: &[u8]) -> Option<FoundPacked> {
    let member = pack.find(member, 1, pack.first()?)?;
    let score_at = pack.next(member)?;
    Some(FoundPacked {
        member,
        score_at,
        score: score_of(pack.get(score_at)),
    })
}

/// A score as packed. Packs are made by this server, or were checked when they were loaded; any
/// other text would count as 0.
#[inline]
fn score_of(item: Item<'_>) -> f64 {
    item.to_f64().unwrap_or(0.0)
}

/// Room for the text of a packed score.
struct ScoreText([u8; MAX_TEXT_LEN]);

impl ScoreText {
    fn new() -> ScoreText {
        ScoreText([0; MAX_TEXT_LEN])
    }

    fn format(&mut self, score: f64) -> &[u8] {
        // A packed zero has no sign (observed: it is stored as the integer).
        let len = format_double(if score == 0.0 { 0.0 } else { score }, &mut self.0);
        &self.0[..len]
    }
}

/// Where a packed pair belongs, seen from a member and its score.
fn compare(item: Item<'_>, item_score: f64, member: &[u8], score: f64) -> Ordering {
    item_score
        .partial_cmp(&score)
        .unwrap_or(Ordering::Equal)
        .then_with(|| item.as_bytes(&mut IntBuf::new()).cmp(member))
}

/// Adds a member that is not there.
fn insert_packed(pack: &mut Listpack, member: &[u8], score: f64) {
    let mut text = ScoreText::new();
    let mut backwards = pack.iter_rev();
    let is_last = match (backwards.next(), backwards.next()) {
        (Some(last_score), Some(last)) => {
            compare(last, score_of(last_score), member, score) == Ordering::Less
        }
        _ => true,
    };
    if is_last {
        return pack.push_pair_back(member, text.format(score));
    }
    let mut pairs = pack.pairs();
    let mut before = pairs.pos();
    while let Some((item, item_score)) = pairs.next() {
        if compare(item, score_of(item_score), member, score) == Ordering::Greater {
            break;
        }
        before = pairs.pos();
    }
    pack.insert_pair_before(before, member, text.format(score));
}

/// Gives a member another score, in its place if the order allows that.
fn move_packed(pack: &mut Listpack, found: &FoundPacked, member: &[u8], score: f64) {
    let is_above = |at: Pos| {
        let item_score = pack.next(at).map_or(0.0, |at| score_of(pack.get(at)));
        compare(pack.get(at), item_score, member, score)
    };
    let before = pack.prev(found.member).and_then(|at| pack.prev(at));
    let after = pack.next(found.score_at);
    let stays = before.is_none_or(|at| is_above(at) == Ordering::Less)
        && after.is_none_or(|at| is_above(at) == Ordering::Greater);
    if stays {
        pack.replace(found.score_at, ScoreText::new().format(score));
    } else {
        pack.remove_pair(found.member);
        insert_packed(pack, member, score);
    }
}

/// How many pairs, in order, come before a range, and before its end.
fn count_pairs(
    pack: &Listpack,
    is_below: impl Fn(Item<'_>, Item<'_>) -> bool,
    is_within_max: impl Fn(Item<'_>, Item<'_>) -> bool,
) -> (usize, usize) {
    let (mut start, mut end) = (0, 0);
    for (rank, (member, score)) in pack.pairs().enumerate() {
        if !is_within_max(member, score) {
            break;
        }
        end = rank + 1;
        if is_below(member, score) {
            start = end;
        }
    }
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SortedSetLimits = SortedSetLimits {
        packed_entries_max: 8,
        packed_value_max_bytes: 10,
        seed: 5,
    };

    fn set_of(entries: &[(&str, f64)]) -> SortedSet {
        let mut set = SortedSet::new(&LIMITS, entries.len(), 0);
        for (member, score) in entries {
            set.insert(&LIMITS, member.as_bytes(), *score);
        }
        set
    }

    fn texts<'a>(entries: impl Iterator<Item = (Item<'a>, f64)>) -> Vec<(String, f64)> {
        let text = |item: Item<'_>| String::from_utf8_lossy(&item.to_vec()).into_owned();
        entries
            .map(|(member, score)| (text(member), score))
            .collect()
    }

    /// Runs `test` on the same content in both encodings.
    fn in_both(entries: &[(&str, f64)], test: impl Fn(SortedSet)) {
        let packed = set_of(entries);
        assert!(packed.is_packed());
        let mut table = set_of(entries);
        table.expect(&LIMITS, 100, 0);
        assert!(!table.is_packed());
        assert_eq!(texts(packed.iter()), texts(table.iter()));
        test(packed);
        test(table);
    }

    #[test]
    fn a_pack_is_ordered_by_score_and_name() {
        let set = set_of(&[
            ("b", 1.0),
            ("a", 1.0),
            ("7", 0.5),
            ("z", -2.0),
            ("m", f64::INFINITY),
        ]);
        let SortedSet::Packed(pack) = &set else {
            panic!("few small members are packed")
        };
        let items: Vec<String> = pack
            .iter()
            .map(|i| String::from_utf8(i.to_vec()).unwrap())
            .collect();
        assert_eq!(
            items,
            ["z", "-2", "7", "0.5", "a", "1", "b", "1", "m", "inf"]
        );
    }

    #[test]
    fn a_packed_member_moves_with_its_score() {
        in_both(&[("a", 1.0), ("b", 2.0), ("c", 3.0)], |mut set| {
            assert_eq!(set.insert(&LIMITS, b"b", 2.5), Some(2.0));
            assert_eq!(set.insert(&LIMITS, b"a", 9.0), Some(1.0));
            assert_eq!(set.insert(&LIMITS, b"d", 3.0), None);
            let expected = [("b", 2.5), ("c", 3.0), ("d", 3.0), ("a", 9.0)];
            assert_eq!(texts(set.iter()), expected.map(|(m, s)| (m.to_string(), s)));
            assert_eq!(set.rank(b"a"), Some((3, 9.0)));
            assert_eq!(set.score(b"c"), Some(3.0));
            assert_eq!(set.remove(b"c"), Some(3.0));
            assert_eq!(set.remove(b"c"), None);
            assert_eq!(set.len(), 3);
        });
    }

    #[test]
    fn ranges_become_ranks() {
        in_both(&[("a", 1.0), ("b", 2.0), ("c", 2.0), ("d", 4.0)], |set| {
            let ranks = |min, min_excluded, max, max_excluded| {
                set.ranks_by_score(&ScoreRange {
                    min,
                    min_excluded,
                    max,
                    max_excluded,
                })
            };
            assert_eq!(ranks(1.0, false, 2.0, false), 0..3);
            assert_eq!(ranks(1.0, true, 4.0, true), 1..3);
            assert_eq!(ranks(f64::NEG_INFINITY, false, f64::INFINITY, false), 0..4);
            assert!(ranks(3.0, false, 2.0, false).is_empty());
            assert!(ranks(2.0, true, 2.0, true).is_empty());
            assert_eq!(
                texts(set.range(1..3, true)),
                [("c".into(), 2.0), ("b".into(), 2.0)]
            );
            assert_eq!(texts(set.range(3..4, false)), [("d".into(), 4.0)]);
            assert_eq!(texts(set.range(0..0, true)), []);
            assert_eq!(texts(set.range(4..4, false)), []);
            assert_eq!(set.at(4), None);
        });
        in_both(&[("a", 0.0), ("b", 0.0), ("c", 0.0)], |set| {
            let ranks = |min, max| set.ranks_by_lex(&LexRange { min, max });
            assert_eq!(ranks(LexBound::Lowest, LexBound::Including(b"b")), 0..2);
            assert_eq!(ranks(LexBound::Excluding(b"a"), LexBound::Highest), 1..3);
            assert!(ranks(LexBound::Highest, LexBound::Lowest).is_empty());
            assert!(ranks(LexBound::Including(b"b"), LexBound::Excluding(b"b")).is_empty());
        });
    }

    #[test]
    fn pops_show_what_goes() {
        in_both(&[("a", 1.0), ("b", 2.0), ("c", 3.0)], |mut set| {
            let mut seen = Vec::new();
            set.pop(true, 2, |member, score| seen.push((member.to_vec(), score)));
            assert_eq!(seen, [(b"c".to_vec(), 3.0), (b"b".to_vec(), 2.0)]);
            set.pop(false, 5, |member, score| {
                seen.push((member.to_vec(), score))
            });
            assert_eq!(seen.len(), 3);
            assert!(set.is_empty());
        });
    }

    #[test]
    fn limits_decide_the_encoding() {
        let mut set = set_of(&[("a", 1.0)]);
        set.insert(&LIMITS, b"a name too long", 1.0);
        assert_eq!(set.encoding(), "skiplist");
        let mut set = SortedSet::new(&LIMITS, 0, 0);
        for n in 0..8u8 {
            set.insert(&LIMITS, &[n], 0.0);
        }
        assert_eq!(set.encoding(), "listpack");
        set.insert(&LIMITS, &[9], 0.0);
        assert_eq!((set.encoding(), set.len()), ("skiplist", 9));
        let mut scores = Scores::new(1);
        scores.merge(b"x", 2.0, |_, new| new);
        scores.merge(b"y", 1.0, |_, new| new);
        let set = SortedSet::from_scores(scores, &LIMITS);
        assert_eq!(set.encoding(), "listpack");
        assert_eq!(
            texts(set.clone().iter()),
            [("y".into(), 1.0), ("x".into(), 2.0)]
        );
    }
}
