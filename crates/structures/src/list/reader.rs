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
