//! Reading a quicklist in slices as it was at one moment, while it goes on changing.
//!
//! Each reader numbers the nodes that were there when it began, and keeps beside the list, node by
//! node, the number of each original that has neither changed nor been shown (0: not one of those).
//! Before such a node changes, a copy is kept under its number; one that leaves the list is kept
//! itself. So originals stay in their order whatever happens around them, number `n` is found either
//! among the kept nodes or in the list, and new nodes are passed over.
//!
//! Costs 4 bytes per node while a reader is there, and one test per change while none is. The list
//! calls here before or after each change of its nodes (`quicklist.rs`). Tests: `tests/readers.rs`.

use std::collections::{BTreeMap, VecDeque};

use super::NodeRef;
use super::quicklist::Node;
use crate::table_reader::ReaderId;

#[derive(Debug)]
pub(super) struct Readers {
    list: Vec<Reader>,
    next_id: u32,
}

#[derive(Debug)]
struct Reader {
    id: ReaderId,
    /// Beside the list's nodes; see the file header. What is not 0 ascends.
    origins: VecDeque<u32>,
    kept: BTreeMap<u32, Node>,
    /// The number of the node to be shown next, and of the last.
    next: u32,
    last: u32,
    /// No node before this index has a number that is not 0.
    at: usize,
}

/// What was kept for a reader and not shown.
pub struct ListRemains(BTreeMap<u32, Node>);

impl ListRemains {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Readers {
    pub(super) fn new() -> Readers {
        Readers {
            list: Vec::new(),
            next_id: 0,
        }
    }

    pub(super) fn begin(&mut self, node_count: usize) -> ReaderId {
        let last = u32::try_from(node_count).expect("a list has fewer than 2^32 nodes");
        let id = ReaderId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.list.push(Reader {
            id,
            origins: (1..=last).collect(),
            kept: BTreeMap::new(),
            next: 1,
            last,
            at: 0,
        });
        id
    }

    pub(super) fn end(&mut self, id: ReaderId) -> ListRemains {
        let at = self.list.iter().position(|reader| reader.id == id);
        ListRemains(at.map_or_else(BTreeMap::new, |at| self.list.swap_remove(at).kept))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The content of node `at` is going to change.
    pub(super) fn before_change(&mut self, at: usize, node: &Node) {
        for reader in &mut self.list {
            reader.keep_copy(at, node);
        }
    }

    /// Another node has taken the place of `old` at index `at`.
    pub(super) fn replaced(&mut self, at: usize, old: Node) {
        if let Some((last, others)) = self.list.split_last_mut() {
            others.iter_mut().for_each(|r| r.keep_copy(at, &old));
            if let Some(number) = last.strike_out(at) {
                last.kept.insert(number, old);
            }
        }
    }

    /// A new node is at index `at` now.
    pub(super) fn inserted(&mut self, at: usize) {
        for reader in &mut self.list {
            reader.origins.insert(at, 0);
            reader.at += usize::from(at <= reader.at);
        }
    }

    /// `old` has left index `at`.
    pub(super) fn removed(&mut self, at: usize, old: Node) {
        self.replaced(at, old);
        for reader in &mut self.list {
            reader.origins.remove(at);
            reader.at -= usize::from(at < reader.at);
        }
    }

    /// Of the nodes, only those stay for which `stays` holds. Those that go have changed before.
    pub(super) fn retained(&mut self, stays: &[bool]) {
        for reader in &mut self.list {
            let gone_before = stays.iter().take(reader.at).filter(|stays| !**stays);
            reader.at -= gone_before.count();
            let mut stays = stays.iter();
            reader
                .origins
                .retain(|_| stays.next().copied().unwrap_or(true));
        }
    }

    /// Shows nodes until they come to `max_bytes`; true when all were shown.
    pub(super) fn read_some(
        &mut self,
        id: ReaderId,
        nodes: &VecDeque<Node>,
        max_bytes: usize,
        visit: &mut dyn FnMut(NodeRef<'_>),
    ) -> bool {
        let Some(reader) = self.list.iter_mut().find(|reader| reader.id == id) else {
            return true;
        };
        let mut bytes = 0;
        while reader.next <= reader.last && bytes < max_bytes.max(1) {
            match reader.kept.remove(&reader.next) {
                Some(node) => bytes += show(&node, visit),
                None => bytes += reader.show_in_place(nodes, visit),
            }
            reader.next += 1;
        }
        reader.next > reader.last
    }

    /// Panics unless every reader's numbers fit the list. For tests.
    #[cfg(test)]
    pub(super) fn check_invariants(&self, nodes: usize) {
        for reader in &self.list {
            assert_eq!(reader.origins.len(), nodes);
            assert!(reader.origins.iter().take(reader.at).all(|n| *n == 0));
            let left: Vec<u32> = reader.origins.iter().copied().filter(|n| *n != 0).collect();
            assert!(left.is_sorted());
            let mut all: Vec<u32> = left
                .into_iter()
                .chain(reader.kept.keys().copied())
                .collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(reader.next..=reader.last));
        }
    }
}

impl Reader {
    fn keep_copy(&mut self, at: usize, node: &Node) {
        if let Some(number) = self.strike_out(at) {
            self.kept.insert(number, node.clone());
        }
    }

    /// The number of node `at`, if it is an original to be shown, which it is from now on no more.
    fn strike_out(&mut self, at: usize) -> Option<u32> {
        let number = std::mem::take(&mut self.origins[at]);
        (number != 0).then_some(number)
    }

    /// Shows number `next`, which is in the list itself.
    fn show_in_place(
        &mut self,
        nodes: &VecDeque<Node>,
        visit: &mut dyn FnMut(NodeRef<'_>),
    ) -> usize {
        let ahead = self.origins.range(self.at..);
        self.at += ahead.take_while(|number| **number == 0).count();
        assert_eq!(
            self.origins[self.at], self.next,
            "originals keep their order"
        );
        self.origins[self.at] = 0;
        self.at += 1;
        show(&nodes[self.at - 1], visit)
    }
}

fn show(node: &Node, visit: &mut dyn FnMut(NodeRef<'_>)) -> usize {
    let shown = node.as_ref();
    visit(shown);
    match shown {
        NodeRef::Packed(bytes) | NodeRef::Plain(bytes) => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{End, List, ListLimits, Side, ViewMut};
    use super::*;
    use crate::listpack::Listpack;
    use proptest::prelude::*;

    type Elements = Vec<Vec<u8>>;

    #[derive(Clone, Debug)]
    enum Step {
        Push(bool, u8),
        PushMany(bool, u8),
        Pop(bool, u8),
        Insert(u16, bool, u8),
        Set(u16, u8),
        Remove(i8, u8),
        Trim(u16, u16),
        Begin,
        Read(usize, usize),
        End(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (any::<bool>(), any::<u8>()).prop_map(|(f, e)| Step::Push(f, e)),
            2 => (any::<bool>(), any::<u8>()).prop_map(|(f, e)| Step::PushMany(f, e)),
            4 => (any::<bool>(), 0u8..12).prop_map(|(f, n)| Step::Pop(f, n)),
            6 => (any::<u16>(), any::<bool>(), any::<u8>()).prop_map(|(i, b, e)| Step::Insert(i, b, e)),
            4 => (any::<u16>(), any::<u8>()).prop_map(|(i, e)| Step::Set(i, e)),
            2 => (-3i8..4, any::<u8>()).prop_map(|(n, e)| Step::Remove(n, e)),
            1 => (0u16..8, 0u16..20).prop_map(|(a, b)| Step::Trim(a, b)),
            1 => Just(Step::Begin),
            4 => (0usize..3, 1usize..60).prop_map(|(who, max)| Step::Read(who, max)),
            1 => (0usize..6).prop_map(Step::End),
        ]
    }

    /// Few different ones, so that removals match; some too large for a packed node.
    fn element(seed: u8) -> Vec<u8> {
        let len = if seed.is_multiple_of(9) {
            40
        } else {
            usize::from(seed % 5)
        };
        vec![b'a' + seed % 7; len]
    }

    fn elements(list: &List) -> Elements {
        list.iter().map(|item| item.to_vec()).collect()
    }

    struct Reading {
        id: ReaderId,
        expected: Elements,
        seen: Elements,
        done: bool,
    }

    fn read(list: &mut List, reading: &mut Reading, max_bytes: usize) {
        let seen = &mut reading.seen;
        reading.done = list.read_some(reading.id, max_bytes, &mut |node| match node {
            NodeRef::Plain(element) => seen.push(element.to_vec()),
            NodeRef::Packed(blob) => {
                let pack = Listpack::from_blob(blob).expect("a node is a whole listpack");
                seen.extend(pack.iter().map(|item| item.to_vec()));
            }
        });
        if reading.done {
            assert_eq!(reading.seen, reading.expected);
        }
    }

    fn change(list: &mut List, step: &Step, limits: &ListLimits) {
        let end = |front| if front { End::Front } else { End::Back };
        let at = |index: u16| usize::from(index) % list.len().max(1);
        match *step {
            Step::Push(front, seed) => list.push(end(front), &element(seed), limits),
            Step::PushMany(front, seed) => {
                (0..10).for_each(|n| list.push(end(front), &element(seed ^ n), limits));
            }
            Step::Pop(front, count) => {
                for _ in 0..count {
                    list.pop_with(end(front), limits, |_| ());
                }
            }
            Step::Insert(index, before, seed) => {
                let side = if before { Side::Before } else { Side::After };
                list.insert(at(index), side, &element(seed), limits);
            }
            Step::Set(index, seed) => {
                list.set(at(index) as i64, &element(seed), limits);
            }
            Step::Remove(count, seed) => {
                list.remove_matching(i64::from(count), &element(seed), limits);
            }
            Step::Trim(front, back) => {
                let count = list.len().saturating_sub(usize::from(front + back));
                list.trim(usize::from(front), count, limits);
            }
            Step::Begin | Step::Read(..) | Step::End(_) => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn readers_see_the_list_as_it_was(
            steps in prop::collection::vec(step(), 0..400), fill in 1i16..6
        ) {
            let limits = ListLimits { fill, plain_threshold_bytes: 30 };
            // The same changes without readers must come to the same list.
            let (mut list, mut twin) = (List::new(), List::new());
            let mut readings: Vec<Reading> = Vec::new();
            for step in steps {
                match step {
                    Step::Begin if readings.len() < 3 => {
                        let expected = elements(&list);
                        readings.extend(list.begin_reader().map(|id| Reading {
                            id, expected, seen: Vec::new(), done: false,
                        }));
                    }
                    Step::Read(who, max_bytes) => if let Some(reading) = readings.get_mut(who) {
                        read(&mut list, reading, max_bytes);
                    },
                    Step::End(who) => if who < readings.len() {
                        list.end_reader(readings.remove(who).id);
                    },
                    _ => {
                        change(&mut list, &step, &limits);
                        change(&mut twin, &step, &limits);
                    }
                }
                if let ViewMut::Quick(quick) = list.view_mut() {
                    quick.check_readers();
                }
                readings.retain(|reading| {
                    if reading.done {
                        assert!(list.end_reader(reading.id).is_some_and(|rest| rest.is_empty()));
                    }
                    !reading.done
                });
                prop_assert_eq!(elements(&list), elements(&twin));
            }
            for mut reading in readings {
                while !reading.done {
                    read(&mut list, &mut reading, 16);
                }
                list.end_reader(reading.id);
            }
            prop_assert_eq!(elements(&list.clone()), elements(&twin));
        }
    }

    #[test]
    fn a_list_becomes_a_listpack_again_only_after_its_readers() {
        let limits = ListLimits {
            fill: 4,
            plain_threshold_bytes: 0,
        };
        let mut list = List::new();
        (0..20u8).for_each(|n| list.push_back(&[n], &limits));
        let before = elements(&list);
        let id = list.begin_reader().unwrap();
        list.trim(0, 1, &limits);
        list.choose_form(&limits);
        assert!(list.is_quicklist());
        let mut reading = Reading {
            id,
            expected: before,
            seen: Vec::new(),
            done: false,
        };
        while !reading.done {
            read(&mut list, &mut reading, 1);
        }
        list.end_reader(id);
        list.choose_form(&limits);
        assert!(!list.is_quicklist());
    }
}
