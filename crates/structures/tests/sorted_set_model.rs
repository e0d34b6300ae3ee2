//! The big sorted set against a plain model: random changes, every reading compared afterwards.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use structures::sorted_set::{Scores, SortedSet};

type Model = BTreeMap<Vec<u8>, f64>;

#[derive(Clone, Debug)]
enum Op {
    Insert(u16, f64),
    /// Moves an existing member only.
    Move(u16, f64),
    Remove(u16),
    PopFirst,
    PopLast,
    RemoveRange(usize, usize),
}

fn member(n: u16) -> Vec<u8> {
    let mut text = format!("m{n}").into_bytes();
    if n.is_multiple_of(13) {
        text.resize(300, b'x');
        text.extend(n.to_le_bytes());
    }
    text
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-3i32..4).prop_map(f64::from),
        any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0u16..400, score()).prop_map(|(n, score)| Op::Insert(n, score)),
        4 => (0u16..400, score()).prop_map(|(n, score)| Op::Move(n, score)),
        4 => (0u16..400).prop_map(Op::Remove),
        1 => Just(Op::PopFirst),
        1 => Just(Op::PopLast),
        1 => (0usize..300, 0usize..40).prop_map(|(rank, count)| Op::RemoveRange(rank, count)),
    ]
}

fn sorted(model: &Model) -> Vec<(Vec<u8>, f64)> {
    let mut all: Vec<_> = model
        .iter()
        .map(|(member, score)| (member.clone(), *score))
        .collect();
    all.sort_by(|a, b| {
        a.1.partial_cmp(&b.1)
            .expect("numbers")
            .then_with(|| a.0.cmp(&b.0))
    });
    all
}

fn owned((member, score): (&[u8], f64)) -> (Vec<u8>, f64) {
    (member.to_vec(), score)
}

fn apply(set: &mut SortedSet, model: &mut Model, op: &Op) {
    match op {
        Op::Insert(n, score) => {
            assert_eq!(
                set.insert(&member(*n), *score),
                model.insert(member(*n), *score)
            );
        }
        Op::Move(n, score) => {
            set.change(&member(*n), |old| old.map(|_| *score));
            if let Some(old) = model.get_mut(&member(*n)) {
                *old = *score;
            }
        }
        Op::Remove(n) => assert_eq!(set.remove(&member(*n)), model.remove(&member(*n))),
        Op::PopFirst | Op::PopLast => {
            let (popped, expected) = match op {
                Op::PopFirst => (set.pop_first(), sorted(model).first().cloned()),
                _ => (set.pop_last(), sorted(model).last().cloned()),
            };
            let popped = popped.map(|removed| (removed.member().to_vec(), removed.score()));
            assert_eq!(popped, expected);
            expected.map(|(member, _)| model.remove(&member));
        }
        Op::RemoveRange(rank, count) => {
            let mut removed = Vec::new();
            let number = set.remove_range(*rank, *count, |m, s| removed.push(owned((m, s))));
            let expected: Vec<_> = sorted(model).into_iter().skip(*rank).take(*count).collect();
            assert_eq!(number, expected.len());
            assert_eq!(removed, expected);
            for (member, _) in expected {
                model.remove(&member);
            }
        }
    }
}

fn compare(set: &SortedSet, model: &Model, bound: f64) {
    set.check_invariants();
    let all = sorted(model);
    assert_eq!(set.len(), all.len());
    assert_eq!(set.iter_from(0).map(owned).collect::<Vec<_>>(), all);
    let mut reversed: Vec<_> = set
        .iter_rev_from(set.len().saturating_sub(1))
        .map(owned)
        .collect();
    reversed.reverse();
    assert_eq!(reversed, all);
    for (rank, (member, score)) in all.iter().enumerate().step_by(7) {
        assert_eq!(set.rank(member), Some((rank, *score)));
        assert_eq!(set.at(rank).map(owned), Some((member.clone(), *score)));
        assert_eq!(set.score(member), Some(*score));
    }
    assert_eq!(set.rank(b"absent"), None);
    assert_eq!(set.at(all.len()), None);
    assert_eq!(
        set.count_below(bound, false),
        all.iter().filter(|e| e.1 < bound).count()
    );
    assert_eq!(
        set.count_below(bound, true),
        all.iter().filter(|e| e.1 <= bound).count()
    );
    let mut scanned = BTreeSet::new();
    let mut cursor = 0;
    loop {
        cursor = set.scan(cursor, |member, _| {
            scanned.insert(member.to_vec());
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(
        scanned.into_iter().collect::<Vec<_>>(),
        model.keys().cloned().collect::<Vec<_>>()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_changes_agree_with_the_model(
        ops in prop::collection::vec(op(), 0..600), seed: u64, bound in score(),
    ) {
        let (mut set, mut model) = (SortedSet::new(seed), Model::new());
        for (count, op) in ops.iter().enumerate() {
            apply(&mut set, &mut model, op);
            if count % 97 == 0 {
                compare(&set, &model, bound);
            }
        }
        compare(&set, &model, bound);
        while !set.drain_some(50) {}
        prop_assert!(set.is_empty());
        prop_assert_eq!(set.iter_from(0).count(), 0);
    }

    #[test]
    fn collected_scores_become_the_same_set(
        entries in prop::collection::vec((0u16..300, -50i32..50), 0..500), seed: u64,
    ) {
        let (mut scores, mut model) = (Scores::new(seed), Model::new());
        for (n, score) in &entries {
            let score = f64::from(*score);
            scores.merge(&member(*n), score, |old, new| old + new);
            *model.entry(member(*n)).or_insert(0.0) += score;
        }
        for (n, _) in entries.iter().step_by(5) {
            prop_assert_eq!(scores.remove(&member(*n)), model.remove(&member(*n)).is_some());
        }
        prop_assert_eq!(scores.len(), model.len());
        compare(&scores.into_sorted(), &model, 0.0);
    }

    #[test]
    fn members_of_one_score_are_counted_by_name(names in prop::collection::btree_set(0u16..500, 0..300), bound: u16) {
        let mut set = SortedSet::new(7);
        for n in &names {
            set.insert(&member(*n), 1.0);
        }
        let bound = member(bound % 600);
        let below = names.iter().filter(|n| member(**n) < bound).count();
        prop_assert_eq!(set.count_members_below(|m| m < bound.as_slice()), below);
    }
}

#[test]
fn a_zero_keeps_its_sign_and_its_place() {
    let mut set = SortedSet::new(1);
    set.insert(b"b", -0.0);
    set.insert(b"a", 0.0);
    set.insert(b"c", 0.0);
    let order: Vec<_> = set
        .iter_from(0)
        .map(|(member, score)| (member, score.to_bits()))
        .collect();
    assert_eq!(
        order,
        [(&b"a"[..], 0), (b"b", (-0.0f64).to_bits()), (b"c", 0)]
    );
    assert_eq!(set.count_below(0.0, false), 0);
    assert_eq!(set.count_below(-0.0, true), 3);
    // Equal scores: nothing moves, the sign stays.
    set.insert(b"c", -0.0);
    assert_eq!(set.score(b"c").map(f64::to_bits), Some(0));
}
