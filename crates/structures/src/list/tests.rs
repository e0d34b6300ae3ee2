//! Tests of the list: a `VecDeque` as the model under every kind of limit, forms and nodes.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::listpack::tests::element;

const DEFAULT: ListLimits = ListLimits {
    fill: -2,
    plain_threshold_bytes: 0,
};

fn by_count(fill: i16) -> ListLimits {
    ListLimits {
        fill,
        plain_threshold_bytes: 0,
    }
}

fn list_of(elements: &[&[u8]], limits: &ListLimits) -> List {
    let mut list = List::new();
    for element in elements {
        list.push_back(element, limits);
    }
    list
}

fn elements_of(list: &List) -> Vec<Vec<u8>> {
    list.iter().map(|item| item.to_vec()).collect()
}

fn assert_is(list: &List, model: &VecDeque<Vec<u8>>) {
    assert_eq!(list.len(), model.len());
    assert_eq!(list.is_empty(), model.is_empty());
    assert!(elements_of(list).iter().eq(model.iter()));
    let backward: Vec<_> = list.iter_rev().map(|item| item.to_vec()).collect();
    assert!(backward.iter().eq(model.iter().rev()));
    assert_eq!(list.nodes().count(), list.node_count());
    assert!(list.heap_bytes() > 0);
    if let View::Quick(quick) = list.view() {
        let counts: usize = quick.nodes().iter().map(|node| node.count()).sum();
        assert_eq!(counts, list.len());
        for node in quick.nodes() {
            match node {
                quicklist::Node::Packed { count, pack } => assert_eq!(pack.len(), *count as usize),
                quicklist::Node::Plain(_) => {}
            }
            assert!(node.count() > 0);
        }
    }
}

/// The rule of Redis 7.2: the size before the push, plus the text, against the limit.
#[test]
fn a_list_becomes_a_quicklist_before_it_passes_the_limit() {
    let mut list = List::new();
    for index in 0..128 {
        list.push_back(format!("{index}").as_bytes(), &by_count(128));
        assert!(!list.is_quicklist());
    }
    list.push_back(b"x", &by_count(128));
    assert!(list.is_quicklist());
    assert_eq!(list.node_count(), 2);

    let mut list = List::new();
    list.push_back(&[b'a'; 8192 - 7], &DEFAULT);
    assert!(!list.is_quicklist());
    list.push_back(b"b", &DEFAULT);
    assert!(list.is_quicklist());
    let mut list = List::new();
    list.push_back(&[b'a'; 8192 - 6], &DEFAULT);
    assert!(list.is_quicklist());
}

#[test]
fn several_elements_of_one_push_decide_together() {
    let chunk: &[u8] = &[b'a'; 3000];
    let mut list = List::new();
    list.push_all(End::Back, [chunk; 3].into_iter(), &DEFAULT);
    assert!(list.is_quicklist());
    assert_eq!(list.node_count(), 2);
    let mut list = List::new();
    list.push_all(End::Front, [&b"1"[..], b"2", b"3"].into_iter(), &DEFAULT);
    assert_eq!(elements_of(&list), [b"3", b"2", b"1"]);
}

#[test]
fn a_quicklist_becomes_a_listpack_again_at_half_the_limit() {
    let limits = by_count(8);
    let elements: Vec<Vec<u8>> = (0..9).map(|index: u8| vec![index + 1]).collect();
    let slices: Vec<&[u8]> = elements.iter().map(|element| element.as_slice()).collect();
    let mut list = list_of(&slices, &limits);
    assert!(list.is_quicklist());
    for left in (4..9).rev() {
        assert!(list.is_quicklist());
        list.pop_back(&limits);
        assert_eq!(list.len(), left);
    }
    assert!(!list.is_quicklist());

    let removals: [fn(&mut List, &ListLimits); 2] = [
        |list, limits| assert_eq!(list.trim(2, 4, limits), 5),
        |list, limits| {
            for needle in 1..6 {
                assert_eq!(list.remove_matching(0, &[needle], limits), 1);
            }
        },
    ];
    for (index, remove) in removals.into_iter().enumerate() {
        let mut list = list_of(&slices, &limits);
        remove(&mut list, &limits);
        assert_eq!(list.len(), 4);
        // The second leaves its elements in two nodes, which Redis does not merge on removal either.
        assert_eq!(list.is_quicklist(), index == 1);
    }
}

#[test]
fn a_large_element_gets_a_plain_node() {
    let large = vec![b'z'; 20_000];
    let mut list = list_of(&[b"a", &large, b"b"], &DEFAULT);
    let nodes: Vec<_> = list.nodes().collect();
    assert_eq!(nodes.len(), 3);
    assert!(matches!(nodes[0], NodeRef::Packed(_)));
    assert_eq!(nodes[1], NodeRef::Plain(&large));
    // Observed: DUMP of `RPUSH lbig2 <20000 z> tail` ends in this blob.
    let tail = list_of(&[&large, b"tail"], &DEFAULT);
    assert_eq!(
        tail.nodes().last(),
        Some(NodeRef::Packed(b"\x0d\0\0\0\x01\0\x84tail\x05\xff"))
    );
    // In the middle of a node, and replaced by a small one again.
    assert!(list.insert(0, Side::After, &large, &DEFAULT));
    assert!(list.set(1, b"small", &DEFAULT));
    assert!(list.set(2, b"small", &DEFAULT));
    assert_eq!(elements_of(&list), [&b"a"[..], b"small", b"small", b"b"]);
    assert!(!list.is_quicklist());
}

#[test]
fn the_plain_threshold_overrides_the_fill() {
    let limits = ListLimits {
        fill: 4,
        plain_threshold_bytes: 5,
    };
    let mut list = list_of(&[b"aa", b"bb", b"cc", b"dd", b"ee"], &limits);
    assert!(list.set(2, &[b'e'; 10], &limits));
    let kinds: Vec<bool> = list
        .nodes()
        .map(|node| matches!(node, NodeRef::Plain(_)))
        .collect();
    assert_eq!(kinds, [false, true, false]);
    assert_eq!(
        elements_of(&list),
        [&b"aa"[..], b"bb", b"eeeeeeeeee", b"dd", b"ee"]
    );
}

#[test]
fn a_replacement_that_outgrows_its_node_splits_it() {
    let filler = vec![b'x'; 100];
    let mut list = List::new();
    for _ in 0..100 {
        list.push_back(&filler, &DEFAULT);
    }
    for index in 0..100 {
        assert!(list.set(index, &[b'y'; 4000], &DEFAULT));
    }
    let largest = list.nodes().map(|node| match node {
        NodeRef::Packed(bytes) | NodeRef::Plain(bytes) => bytes.len(),
    });
    assert!(largest.max().unwrap() <= 8192 + 16);
    assert!(list.iter().all(|item| item == Item::Str(&[b'y'; 4000])));
}

/// An integer's text can be longer than the whole of its node.
#[test]
fn an_integer_is_replaced_by_a_longer_text() {
    let mut list = list_of(&[b"-9223372036854775808", b"1"], &by_count(0));
    assert!(list.set(0, &[b'x'; 30], &by_count(0)));
    assert_eq!(list.get(0), Some(Item::Str(&[b'x'; 30])));
}

#[test]
fn inserting_in_the_middle_keeps_nodes_full() {
    let mut list = List::new();
    for index in 0..10_000 {
        let middle = list.len() / 2;
        if !list.insert(
            middle,
            Side::Before,
            format!("element {index}").as_bytes(),
            &DEFAULT,
        ) {
            list.push_back(b"first", &DEFAULT);
        }
    }
    let bytes: usize = list
        .nodes()
        .map(|node| match node {
            NodeRef::Packed(bytes) | NodeRef::Plain(bytes) => bytes.len(),
        })
        .sum();
    assert!(
        list.node_count() < bytes / 3000,
        "{} nodes",
        list.node_count()
    );
}

#[test]
fn a_loaded_list_takes_the_form_that_fits() {
    let pack = |texts: &[&str]| {
        let mut pack = Listpack::new();
        texts
            .iter()
            .for_each(|text| pack.push_back(text.as_bytes()));
        OwnedNode::Packed(pack)
    };
    let list = List::from_nodes([pack(&[]), pack(&["a", "b"]), pack(&[])], &by_count(2));
    assert!(!list.is_quicklist());
    let list = List::from_nodes([pack(&["a", "b", "c"])], &by_count(2));
    assert!(list.is_quicklist());
    let list = List::from_nodes(
        [
            pack(&["a"]),
            OwnedNode::Plain(ThinBytes::from_slice(b"p")),
            pack(&["b"]),
        ],
        &DEFAULT,
    );
    assert_eq!(elements_of(&list), [b"a", b"p", b"b"]);
    assert!(List::from_nodes([], &DEFAULT).is_empty());
    let mut list = list_of(&[b"a", b"b", b"c"], &DEFAULT);
    list.choose_form(&by_count(2));
    assert!(list.is_quicklist());
}

#[test]
fn positions_count_matches_as_lpos_does() {
    // The example of the LPOS documentation.
    for limits in [DEFAULT, by_count(3)] {
        let list = list_of(&[b"a", b"b", b"c", b"1", b"2", b"3", b"c", b"c"], &limits);
        assert_eq!(list.positions(b"c", 1, 1, 0), [2]);
        assert_eq!(list.positions(b"c", 2, 1, 0), [6]);
        assert_eq!(list.positions(b"c", -1, 1, 0), [7]);
        assert_eq!(list.positions(b"c", -1, 2, 0), [7, 6]);
        assert_eq!(list.positions(b"c", 1, 0, 0), [2, 6, 7]);
        assert_eq!(list.positions(b"c", 1, 0, 7), [2, 6]);
        assert_eq!(list.positions(b"c", -3, 0, 5), []);
        assert_eq!(list.positions(b"c", -3, 0, 6), [2]);
        assert_eq!(list.positions(b"3", 1, 1, 0), [5]);
        assert_eq!(list.positions(b"c", i64::MIN, 0, 0), []);
        assert_eq!(list.positions(b"c", 0, 0, 0), []);
        assert_eq!(list.find(b"2"), Some(4));
        assert_eq!(list.find(b"02"), None);
    }
    assert_eq!(List::new().positions(b"c", -1, 0, 0), []);
}

#[derive(Clone, Debug)]
enum Op {
    Push(End, Vec<u8>),
    PushAll(End, Vec<Vec<u8>>),
    Pop(End),
    PopMany(End, usize),
    Set(i64, Vec<u8>),
    Insert(usize, Side, Vec<u8>),
    RemoveMatching(i64, usize),
    Trim(usize, usize),
    Range(usize, usize),
    Get(i64),
    Limits(ListLimits),
    Clone,
    Reload,
}

fn limits() -> impl Strategy<Value = ListLimits> {
    (
        prop::sample::select(vec![-2i16, -1, -5, 0, 1, 2, 3, 5, 128]),
        prop::sample::select(vec![0usize, 0, 0, 1, 50]),
    )
        .prop_map(|(fill, plain_threshold_bytes)| ListLimits {
            fill,
            plain_threshold_bytes,
        })
}

fn op() -> impl Strategy<Value = Op> {
    let end = || prop::sample::select(vec![End::Front, End::Back]);
    let side = || prop::sample::select(vec![Side::Before, Side::After]);
    let at = any::<usize>;
    prop_oneof![
        6 => (end(), element()).prop_map(|(end, element)| Op::Push(end, element)),
        2 => (end(), prop::collection::vec(element(), 0..12)).prop_map(|(end, elements)| Op::PushAll(end, elements)),
        4 => end().prop_map(Op::Pop),
        1 => (end(), 0usize..10).prop_map(|(end, count)| Op::PopMany(end, count)),
        3 => (-30i64..30, element()).prop_map(|(index, element)| Op::Set(index, element)),
        4 => (at(), side(), element()).prop_map(|(at, side, element)| Op::Insert(at, side, element)),
        2 => (-3i64..4, at()).prop_map(|(count, at)| Op::RemoveMatching(count, at)),
        1 => (0usize..8, 0usize..40).prop_map(|(start, count)| Op::Trim(start, count)),
        2 => (0usize..30, 0usize..30).prop_map(|(start, count)| Op::Range(start, count)),
        2 => (-30i64..30).prop_map(Op::Get),
        1 => limits().prop_map(Op::Limits),
        1 => Just(Op::Clone),
        1 => Just(Op::Reload),
    ]
}

fn model_pop(model: &mut VecDeque<Vec<u8>>, end: End) -> Option<Vec<u8>> {
    match end {
        End::Front => model.pop_front(),
        End::Back => model.pop_back(),
    }
}

fn model_push(model: &mut VecDeque<Vec<u8>>, end: End, element: Vec<u8>) {
    match end {
        End::Front => model.push_front(element),
        End::Back => model.push_back(element),
    }
}

fn model_index(model: &VecDeque<Vec<u8>>, index: i64) -> Option<usize> {
    let index = if index < 0 {
        index + model.len() as i64
    } else {
        index
    };
    usize::try_from(index)
        .ok()
        .filter(|index| *index < model.len())
}

fn apply(list: &mut List, model: &mut VecDeque<Vec<u8>>, limits: &mut ListLimits, op: Op) {
    match op {
        Op::Push(end, element) => {
            list.push(end, &element, limits);
            model_push(model, end, element);
        }
        Op::PushAll(end, elements) => {
            list.push_all(
                end,
                elements.iter().map(|element| element.as_slice()),
                limits,
            );
            elements
                .into_iter()
                .for_each(|element| model_push(model, end, element));
        }
        Op::Pop(End::Front) => assert_eq!(list.pop_front(limits), model.pop_front()),
        Op::Pop(End::Back) => assert_eq!(list.pop_back(limits), model.pop_back()),
        Op::PopMany(end, count) => {
            for _ in 0..count {
                let popped = list.pop_with(end, limits, |item| item.to_vec());
                assert_eq!(popped, model_pop(model, end));
            }
        }
        Op::Set(index, element) => {
            let place = model_index(model, index);
            assert_eq!(list.set(index, &element, limits), place.is_some());
            if let Some(index) = place {
                model[index] = element;
            }
        }
        Op::Insert(at, side, element) => {
            let pivot = at % (model.len() + 1);
            assert_eq!(
                list.insert(pivot, side, &element, limits),
                pivot < model.len()
            );
            if pivot < model.len() {
                model.insert(
                    if side == Side::Before {
                        pivot
                    } else {
                        pivot + 1
                    },
                    element,
                );
            }
        }
        Op::Limits(new) => *limits = new,
        Op::Clone => *list = list.clone(),
        Op::Reload => {
            let nodes: Vec<OwnedNode> = list
                .nodes()
                .map(|node| match node {
                    NodeRef::Packed(blob) => OwnedNode::Packed(Listpack::from_blob(blob).unwrap()),
                    NodeRef::Plain(bytes) => OwnedNode::Plain(ThinBytes::from_slice(bytes)),
                })
                .collect();
            *list = List::from_nodes(nodes, limits);
        }
        other => apply_to_many(list, model, limits, other),
    }
}

/// The operations that concern a range or all elements.
fn apply_to_many(list: &mut List, model: &mut VecDeque<Vec<u8>>, limits: &ListLimits, op: Op) {
    match op {
        Op::RemoveMatching(count, at) => {
            let needle = if model.is_empty() {
                b"1".to_vec()
            } else {
                model[at % model.len()].clone()
            };
            let mut hits: Vec<usize> = (0..model.len())
                .filter(|index| model[*index] == needle)
                .collect();
            let most = if count == 0 {
                hits.len()
            } else {
                hits.len().min(count.unsigned_abs() as usize)
            };
            assert_eq!(list.positions(&needle, 1, 0, 0), hits);
            if count < 0 {
                hits.drain(..hits.len() - most);
            }
            hits.truncate(most);
            assert_eq!(list.remove_matching(count, &needle, limits), hits.len());
            hits.iter()
                .rev()
                .for_each(|index| drop(model.remove(*index)));
        }
        Op::Trim(start, count) => {
            let before = model.len();
            model.truncate(start.saturating_add(count));
            model.drain(..start.min(model.len()));
            assert_eq!(list.trim(start, count, limits), before - model.len());
        }
        Op::Range(start, count) => {
            let range = list.range(start, count);
            assert_eq!(range.len(), range.clone().count());
            assert!(
                range
                    .map(|item| item.to_vec())
                    .eq(model.iter().skip(start).take(count).cloned())
            );
            let range = list.range_rev(start, count);
            assert_eq!(range.len(), range.clone().count());
            assert!(
                range.map(|item| item.to_vec()).eq(model
                    .iter()
                    .rev()
                    .skip(start)
                    .take(count)
                    .cloned())
            );
        }
        Op::Get(index) => {
            let expected = model_index(model, index).map(|index| model[index].clone());
            assert_eq!(list.get(index).map(|item| item.to_vec()), expected);
        }
        _ => unreachable!("applied by the caller"),
    }
}

proptest! {
    #[test]
    fn behaves_like_a_deque(first in limits(), ops in prop::collection::vec(op(), 0..80)) {
        let mut limits = first;
        let mut list = List::new();
        let mut model = VecDeque::new();
        for op in ops {
            apply(&mut list, &mut model, &mut limits, op);
            assert_is(&list, &model);
        }
        for index in [i64::MIN, i64::MAX, model.len() as i64, -(model.len() as i64) - 1] {
            prop_assert_eq!(list.get(index), None);
        }
        prop_assert_eq!(list.range(usize::MAX, usize::MAX).len(), 0);
        prop_assert_eq!(list.range_rev(usize::MAX, usize::MAX).len(), 0);
    }
}
