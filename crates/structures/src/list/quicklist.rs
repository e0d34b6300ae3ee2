//! `Quicklist`: a deque of listpack nodes, for lists beyond one node.
//!
//! The nodes' counts and pointers lie side by side (16 bytes each), so that finding an index in a
//! list of a million elements, about a thousand nodes, reads a few cache lines in sequence and
//! touches one node. A linked list, as Redis has, would miss the cache at every step. The price is a
//! move of up to half the 16-byte entries when a node is added or removed in the middle, which takes
//! a node's worth of insertions to happen once.
//!
//! Invariants: `len` is the sum of the nodes' counts; a packed node's `count` is its listpack's; no
//! node is empty. Whoever reads the list as it was (`reader.rs`) is told of every change of a node:
//! `nodes` is changed nowhere but behind [`Quicklist::before_change`] and its siblings.
//! Knows nothing of when a list should be a listpack instead. Tests: `tests.rs`.

use std::collections::VecDeque;

use super::reader::{ListRemains, Readers};
use super::{End, ListLimits, NodeRef, OwnedNode, Side};
use crate::bytes::ThinBytes;
use crate::listpack::{Item, Listpack, Needle, Pos};
use crate::table_reader::ReaderId;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Packed { count: u32, pack: Listpack },
    Plain(ThinBytes),
}

const _: () = assert!(size_of::<Node>() == 16);

#[derive(Debug)]
pub(super) struct Quicklist {
    nodes: VecDeque<Node>,
    len: usize,
    readers: Option<Box<Readers>>,
}

impl Clone for Quicklist {
    /// The readers stay with the original.
    fn clone(&self) -> Quicklist {
        Quicklist {
            nodes: self.nodes.clone(),
            len: self.len,
            readers: None,
        }
    }
}

impl Node {
    fn packed(pack: Listpack) -> Node {
        let count = u32::try_from(pack.len()).expect("a listpack holds fewer than 2^31 elements");
        Node::Packed { count, pack }
    }

    fn single(element: &[u8], limits: &ListLimits) -> Node {
        if limits.is_plain(element.len()) {
            return Node::Plain(ThinBytes::from_slice(element));
        }
        let mut pack = Listpack::new();
        pack.push_back(element);
        Node::Packed { count: 1, pack }
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        match self {
            Node::Packed { count, .. } => *count as usize,
            Node::Plain(_) => 1,
        }
    }

    pub(super) fn as_ref(&self) -> NodeRef<'_> {
        match self {
            Node::Packed { pack, .. } => NodeRef::Packed(pack.as_blob()),
            Node::Plain(bytes) => NodeRef::Plain(bytes.as_slice()),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Node::Packed { pack, .. } => pack.heap_bytes(),
            Node::Plain(bytes) => bytes.heap_bytes(),
        }
    }
}

impl Quicklist {
    pub(super) fn new() -> Quicklist {
        Quicklist {
            nodes: VecDeque::new(),
            len: 0,
            readers: None,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn nodes(&self) -> &VecDeque<Node> {
        &self.nodes
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(Node::heap_bytes).sum();
        nodes + self.nodes.capacity() * size_of::<Node>()
    }

    /// The node that holds `index` and the index within it. From the nearer end.
    #[inline]
    pub(super) fn locate(&self, index: usize) -> (usize, usize) {
        assert!(index < self.len);
        if index < self.len / 2 {
            let mut rest = index;
            for (at, node) in self.nodes.iter().enumerate() {
                if rest < node.count() {
                    return (at, rest);
                }
                rest -= node.count();
            }
        } else {
            let mut rest = self.len - index;
            for (at, node) in self.nodes.iter().enumerate().rev() {
                if rest <= node.count() {
                    return (at, node.count() - rest);
                }
                rest -= node.count();
            }
        }
        unreachable!("len is the sum of the nodes' counts")
    }

    pub(super) fn get(&self, index: usize) -> Option<Item<'_>> {
        let (at, offset) = self.locate(index);
        match &self.nodes[at] {
            Node::Packed { pack, .. } => pack.seek(offset as i64).map(|pos| pack.get(pos)),
            Node::Plain(bytes) => Some(Item::Str(bytes.as_slice())),
        }
    }

    /// Appends a whole node as it is, unless it is empty.
    pub(super) fn append_node(&mut self, node: OwnedNode) {
        let node = match node {
            OwnedNode::Packed(pack) => Node::packed(pack),
            OwnedNode::Plain(bytes) => Node::Plain(bytes),
        };
        if node.count() > 0 {
            self.len += node.count();
            self.insert_node(self.nodes.len(), node);
        }
    }

    /// Moves the listpack out, leaving nothing, if there is just one node, packed, within limits, and
    /// nobody reads the list as it was.
    #[inline]
    pub(super) fn take_single_packed(
        &mut self,
        size_limit: usize,
        count_limit: usize,
    ) -> Option<Listpack> {
        if self.nodes.len() != 1 || self.len > count_limit || self.readers.is_some() {
            return None;
        }
        match self.nodes.pop_front()? {
            Node::Packed { pack, .. } if pack.byte_len() <= size_limit => {
                self.len = 0;
                Some(pack)
            }
            node => {
                self.nodes.push_front(node);
                None
            }
        }
    }

    #[inline]
    pub(super) fn push(&mut self, end: End, element: &[u8], limits: &ListLimits) {
        self.before_change_at(end);
        let node = match end {
            End::Front => self.nodes.front_mut(),
            End::Back => self.nodes.back_mut(),
        };
        self.len += 1;
        if let Some(node) = node
            && !limits.is_plain(element.len())
            && limits.allows_insert(node, element.len())
            && let Node::Packed { count, pack } = node
        {
            *count += 1;
            match end {
                End::Front => pack.push_front(element),
                End::Back => pack.push_back(element),
            }
            return;
        }
        let node = Node::single(element, limits);
        match end {
            End::Front => self.insert_node(0, node),
            End::Back => self.insert_node(self.nodes.len(), node),
        }
    }

    #[inline]
    pub(super) fn pop_with<R>(&mut self, end: End, visit: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        self.before_change_at(end);
        let node = match end {
            End::Front => self.nodes.front_mut()?,
            End::Back => self.nodes.back_mut()?,
        };
        let result = match node {
            Node::Packed { count, pack } => {
                let pos = match end {
                    End::Front => pack.first(),
                    End::Back => pack.last(),
                };
                let pos = pos.expect("no node is empty");
                let result = visit(pack.get(pos));
                if *count > 1 {
                    pack.remove(pos);
                    *count -= 1;
                    self.len -= 1;
                    return Some(result);
                }
                result
            }
            Node::Plain(bytes) => visit(Item::Str(bytes.as_slice())),
        };
        self.remove_end(end);
        self.len -= 1;
        Some(result)
    }

    pub(super) fn insert(
        &mut self,
        pivot_index: usize,
        side: Side,
        element: &[u8],
        limits: &ListLimits,
    ) {
        let (at, offset) = self.locate(pivot_index);
        let gap = match side {
            Side::Before => offset,
            Side::After => offset + 1,
        };
        self.insert_in_gap(at, gap, element, limits);
    }

    /// Puts the element before number `gap` of node `at` (behind its last when equal to its count),
    /// in this node or a neighbour if they have room, else in a new node.
    fn insert_in_gap(&mut self, at: usize, gap: usize, element: &[u8], limits: &ListLimits) {
        self.len += 1;
        let count = self.nodes[at].count();
        if !limits.is_plain(element.len()) {
            if self.insert_if_room(at, gap, element, limits) {
                return;
            }
            if gap == count
                && at + 1 < self.nodes.len()
                && self.insert_if_room(at + 1, 0, element, limits)
            {
                return;
            }
            if gap == 0 && at > 0 {
                let previous_count = self.nodes[at - 1].count();
                if self.insert_if_room(at - 1, previous_count, element, limits) {
                    return;
                }
            }
        }
        let new_at = self.split(at, gap);
        self.insert_node(new_at, Node::single(element, limits));
        self.merge_around(new_at, limits);
    }

    fn insert_if_room(
        &mut self,
        at: usize,
        gap: usize,
        element: &[u8],
        limits: &ListLimits,
    ) -> bool {
        if !limits.allows_insert(&self.nodes[at], element.len()) {
            return false;
        }
        self.before_change(at);
        let Node::Packed { count, pack } = &mut self.nodes[at] else {
            return false;
        };
        match pack.seek(gap as i64) {
            Some(pos) => {
                pack.insert_before(pos, element);
            }
            None => pack.push_back(element),
        }
        *count += 1;
        true
    }

    /// Makes a node boundary before element `offset` of node `at` and returns the index of the node
    /// behind it.
    fn split(&mut self, at: usize, offset: usize) -> usize {
        if offset == 0 {
            return at;
        }
        if offset >= self.nodes[at].count() {
            return at + 1;
        }
        self.before_change(at);
        if let Node::Packed { count, pack } = &mut self.nodes[at] {
            let tail = Node::Packed {
                count: *count - offset as u32,
                pack: pack.split_off(offset),
            };
            *count = offset as u32;
            self.insert_node(at + 1, tail);
        }
        at + 1
    }

    /// Merges node `center` with its neighbours, and these with theirs, where the limits allow.
    fn merge_around(&mut self, center: usize, limits: &ListLimits) {
        let first = center.saturating_sub(2);
        // From the back, so that a merge does not move the pairs still to be looked at.
        for left in (first..center + 2).rev() {
            self.merge_with_next(left, limits);
        }
    }

    fn merge_with_next(&mut self, left: usize, limits: &ListLimits) {
        let (Some(left_node), Some(right_node)) = (self.nodes.get(left), self.nodes.get(left + 1))
        else {
            return;
        };
        if !limits.allows_merge(left_node, right_node) {
            return;
        }
        self.before_change(left);
        let Some(right) = self.nodes.remove(left + 1) else {
            unreachable!("seen above")
        };
        match (&mut self.nodes[left], &right) {
            (
                Node::Packed { count, pack },
                Node::Packed {
                    count: right_count,
                    pack: right,
                },
            ) => {
                pack.append_all(right);
                *count += right_count;
            }
            _ => unreachable!("only packed nodes may merge"),
        }
        if let Some(readers) = &mut self.readers {
            readers.removed(left + 1, right);
        }
    }

    pub(super) fn set(&mut self, index: usize, element: &[u8], limits: &ListLimits) {
        let (at, offset) = self.locate(index);
        let plain = limits.is_plain(element.len());
        match &self.nodes[at] {
            Node::Packed { .. } if !plain => {
                self.before_change(at);
                if self.set_in_place(at, offset, element, limits) {
                    return;
                }
            }
            Node::Packed { .. } => {}
            Node::Plain(_) if plain => {
                self.replace_node(at, Node::Plain(ThinBytes::from_slice(element)));
                return;
            }
            Node::Plain(_) => {}
        }
        let at = self.split(at, offset);
        self.split(at, 1);
        self.replace_node(at, Node::single(element, limits));
        self.merge_around(at, limits);
    }

    /// Replaces an element of a packed node if the node stays within what it may be, or shrinks.
    fn set_in_place(
        &mut self,
        at: usize,
        offset: usize,
        element: &[u8],
        limits: &ListLimits,
    ) -> bool {
        let Node::Packed { pack, .. } = &mut self.nodes[at] else {
            return false;
        };
        let pos = pack.seek(offset as i64).expect("an index below the count");
        let removed = pack.get(pos).text_len();
        let fits = element.len() <= removed
            || !limits.exceeded_by(pack.byte_len() + element.len() - removed, 0);
        if fits {
            pack.replace(pos, element);
        }
        fits
    }

    pub(super) fn remove_matching(&mut self, end: End, most: usize, needle: &Needle<'_>) -> usize {
        let mut removed = 0;
        let mut emptied = false;
        let count = self.nodes.len();
        for step in 0..count {
            let at = match end {
                End::Front => step,
                End::Back => count - 1 - step,
            };
            removed += self.remove_matching_at(at, end, most - removed, needle);
            emptied |= self.nodes[at].count() == 0;
            if removed >= most {
                break;
            }
        }
        if emptied {
            self.drop_empty_nodes();
        }
        self.len -= removed;
        removed
    }

    /// The node may be left empty.
    fn remove_matching_at(
        &mut self,
        at: usize,
        end: End,
        most: usize,
        needle: &Needle<'_>,
    ) -> usize {
        let hits = match &self.nodes[at] {
            Node::Packed { pack, .. } => matching(pack, end, most, needle),
            Node::Plain(bytes) => {
                let hit = needle.matches(Item::Str(bytes.as_slice()));
                if hit {
                    self.replace_node(at, Node::packed(Listpack::new()));
                }
                return usize::from(hit);
            }
        };
        if hits.is_empty() {
            return 0;
        }
        self.before_change(at);
        if let Node::Packed { count, pack } = &mut self.nodes[at] {
            pack.remove_all(&hits);
            *count -= hits.len() as u32;
        }
        hits.len()
    }

    fn drop_empty_nodes(&mut self) {
        if let Some(readers) = &mut self.readers {
            let stays: Vec<bool> = self.nodes.iter().map(|node| node.count() > 0).collect();
            readers.retained(&stays);
        }
        self.nodes.retain(|node| node.count() > 0);
    }

    /// Removes the first `count` elements.
    pub(super) fn remove_front(&mut self, count: usize) {
        let mut rest = count;
        while let Some(node) = self.nodes.front()
            && rest >= node.count()
        {
            rest -= node.count();
            self.remove_end(End::Front);
        }
        if rest > 0 {
            self.before_change_at(End::Front);
        }
        if rest > 0
            && let Some(Node::Packed { count, pack }) = self.nodes.front_mut()
        {
            pack.remove_range(0, rest);
            *count -= rest as u32;
        }
        self.len -= count;
    }

    /// Removes the last `count` elements.
    pub(super) fn remove_back(&mut self, count: usize) {
        let mut rest = count;
        while let Some(node) = self.nodes.back()
            && rest >= node.count()
        {
            rest -= node.count();
            self.remove_end(End::Back);
        }
        if rest > 0 {
            self.before_change_at(End::Back);
        }
        if rest > 0
            && let Some(Node::Packed { count, pack }) = self.nodes.back_mut()
        {
            pack.remove_range(-(rest as i64), rest);
            *count -= rest as u32;
        }
        self.len -= count;
    }
}

/// Changes of nodes, of which readers are told.
impl Quicklist {
    #[inline]
    fn before_change(&mut self, at: usize) {
        if let Some(readers) = &mut self.readers {
            readers.before_change(at, &self.nodes[at]);
        }
    }

    #[inline]
    fn before_change_at(&mut self, end: End) {
        if self.readers.is_some() && !self.nodes.is_empty() {
            self.before_change(match end {
                End::Front => 0,
                End::Back => self.nodes.len() - 1,
            });
        }
    }

    #[inline]
    fn insert_node(&mut self, at: usize, node: Node) {
        self.nodes.insert(at, node);
        if let Some(readers) = &mut self.readers {
            readers.inserted(at);
        }
    }

    #[inline]
    fn remove_end(&mut self, end: End) {
        let (at, node) = match end {
            End::Front => (0, self.nodes.pop_front()),
            End::Back => (self.nodes.len().saturating_sub(1), self.nodes.pop_back()),
        };
        if let Some(readers) = &mut self.readers
            && let Some(node) = node
        {
            readers.removed(at, node);
        }
    }

    fn replace_node(&mut self, at: usize, node: Node) {
        let old = std::mem::replace(&mut self.nodes[at], node);
        if let Some(readers) = &mut self.readers {
            readers.replaced(at, old);
        }
    }

    pub(super) fn has_readers(&self) -> bool {
        self.readers.is_some()
    }

    pub(super) fn begin_reader(&mut self) -> ReaderId {
        let readers = self.readers.get_or_insert_with(|| Box::new(Readers::new()));
        readers.begin(self.nodes.len())
    }

    pub(super) fn read_some(
        &mut self,
        id: ReaderId,
        max_bytes: usize,
        visit: &mut dyn FnMut(NodeRef<'_>),
    ) -> bool {
        match &mut self.readers {
            Some(readers) => readers.read_some(id, &self.nodes, max_bytes, visit),
            None => true,
        }
    }

    pub(super) fn end_reader(&mut self, id: ReaderId) -> Option<ListRemains> {
        let readers = self.readers.as_mut()?;
        let remains = readers.end(id);
        if readers.is_empty() {
            self.readers = None;
        }
        Some(remains)
    }

    #[cfg(test)]
    pub(super) fn check_readers(&self) {
        if let Some(readers) = &self.readers {
            readers.check_invariants(self.nodes.len());
        }
    }
}

/// Removes up to `most` elements equal to `needle`, the first or the last of them.
pub(super) fn remove_matching(
    pack: &mut Listpack,
    end: End,
    most: usize,
    needle: &Needle<'_>,
) -> usize {
    let hits = matching(pack, end, most, needle);
    pack.remove_all(&hits);
    hits.len()
}

/// Where up to `most` elements equal to `needle` are, the first or the last of them, ascending.
fn matching(pack: &Listpack, end: End, most: usize, needle: &Needle<'_>) -> Vec<Pos> {
    let mut hits: Vec<Pos> = Vec::new();
    match end {
        End::Front => {
            let mut iter = pack.iter();
            while hits.len() < most
                && let Some(pos) = iter.pos()
            {
                if iter.next().is_some_and(|item| needle.matches(item)) {
                    hits.push(pos);
                }
            }
        }
        End::Back => {
            let mut iter = pack.iter_rev();
            while hits.len() < most
                && let Some(pos) = iter.pos()
            {
                if iter.next().is_some_and(|item| needle.matches(item)) {
                    hits.push(pos);
                }
            }
            hits.reverse();
        }
    }
    hits
}
