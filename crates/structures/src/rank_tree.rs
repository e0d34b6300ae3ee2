//! `RankTree<T>`: an ordered set that knows ranks; a counted B+tree for small `Copy` items.
//!
//! Leaves hold up to about 1 KiB of sorted items, inner nodes up to 2 KiB of entries (smallest
//! item, count, child). Nodes are separate allocations in size classes (`block.rs`), never one
//! arena: nothing grows in one piece, the longest step of a single-item operation is the split
//! of one node per level. There are no parent or sibling links: operations recurse from the root
//! (`node.rs`), walks carry a stack (`iter.rs`).
//!
//! No copy of an item outlives its removal, and nothing compares with an item after it was handed
//! back: `T` may hold a pointer that `Ord` follows, as long as what it points to lives while the
//! item is in the tree and, for `remove` and `replace`, until they return.
//!
//! Rejected: a skiplist (a cache miss per step, 30+ bytes of links per item), a B-tree with fixed
//! node sizes (69 % full under random inserts).
//!
//! It does not know scores, members or time. Tests: `rank_tree/tests.rs`; speed:
//! `cargo run --release -p structures --example bench_rank_tree`.

mod block;
mod iter;
mod node;

#[cfg(test)]
mod tests;

use block::{Meter, Node, NodeBlock, NodeMut, NodeRef};
pub use iter::{Iter, RevIter, Walk};
use node::{Inserted, Replaced};

pub struct RankTree<T> {
    /// `None` exactly when the tree is empty.
    root: Option<Node<T>>,
    len: usize,
    meter: Meter,
}

impl<T> Default for RankTree<T> {
    fn default() -> Self {
        Self {
            root: None,
            len: 0,
            meter: Meter::default(),
        }
    }
}

impl<T: Copy + Ord> RankTree<T> {
    /// An empty tree. Allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes allocated by the tree, counted as it changes: O(1).
    pub fn heap_bytes(&self) -> usize {
        self.meter.bytes
    }

    /// Adds `item`; false (and no change) when an equal one is there.
    pub fn insert(&mut self, item: T) -> bool {
        let root = self
            .root
            .get_or_insert_with(|| Node::leaf(block::new_leaf(1, &mut self.meter)));
        match node::insert(root, item, true, &mut self.meter) {
            Inserted::Present => return false,
            Inserted::Added => {}
            Inserted::Split(right) => self.grow_root(right),
        }
        self.len += 1;
        true
    }

    /// Removes the item equal to `item`; false when there is none.
    pub fn remove(&mut self, item: &T) -> bool {
        let Some(root) = &mut self.root else {
            return false;
        };
        let Some(cut) = node::remove(root, item, &mut self.meter) else {
            return false;
        };
        self.finish_removal(cut.count);
        true
    }

    /// Exchanges `old` for `new`; false (and no change) when `old` is not there. An item equal to
    /// `new` that was there already stays the only one. `new` may equal `old` and takes its
    /// place, so this also re-points an item whose target moved.
    pub fn replace(&mut self, old: &T, new: T) -> bool {
        let Some(root) = &mut self.root else {
            return false;
        };
        match node::replace(root, old, new) {
            Replaced::Done { .. } => true,
            Replaced::Absent => false,
            Replaced::Elsewhere => {
                let removed = self.remove(old);
                if removed {
                    self.insert(new);
                }
                removed
            }
        }
    }

    pub fn contains(&self, item: &T) -> bool {
        self.rank_of(item).is_some()
    }

    pub fn first(&self) -> Option<T> {
        self.root.as_ref().map(node::min_of)
    }

    pub fn last(&self) -> Option<T> {
        let mut node = self.root.as_ref()?;
        loop {
            match node.as_ref() {
                NodeRef::Leaf(block) => return block.as_slice().last().copied(),
                NodeRef::Inner(block) => node = &block.as_slice().last()?.child,
            }
        }
    }

    pub fn pop_first(&mut self) -> Option<T> {
        self.pop_at(0)
    }

    pub fn pop_last(&mut self) -> Option<T> {
        self.pop_at(self.len.checked_sub(1)?)
    }

    /// How many items are smaller than `item`, if `item` is there.
    pub fn rank_of(&self, item: &T) -> Option<usize> {
        let mut node = self.root.as_ref()?;
        let (mut rank, mut total) = (0, self.len);
        loop {
            match node.as_ref() {
                NodeRef::Leaf(block) => {
                    let items = block.as_slice();
                    let index = items.partition_point(|other| other < item);
                    let found = items.get(index).is_some_and(|other| other == item);
                    return found.then_some(rank + index);
                }
                NodeRef::Inner(block) => {
                    let entries = block.as_slice();
                    let index = node::child_of(entries, item);
                    entries[index].prefetch_leaf();
                    rank += node::count_before(entries, index, total);
                    (node, total) = (&entries[index].child, entries[index].count);
                }
            }
        }
    }

    /// The item with `rank` items below it.
    pub fn get(&self, rank: usize) -> Option<T> {
        if rank >= self.len {
            return None;
        }
        let mut node = self.root.as_ref()?;
        let (mut rank, mut total) = (rank, self.len);
        loop {
            match node.as_ref() {
                NodeRef::Leaf(block) => return block.as_slice().get(rank).copied(),
                NodeRef::Inner(block) => {
                    let entries = block.as_slice();
                    let (index, rank_below) = node::child_at(entries, rank, total);
                    (node, total, rank) = (&entries[index].child, entries[index].count, rank_below);
                }
            }
        }
    }

    /// How many items come before the bound that `is_below` describes: it must hold for all items
    /// up to some point of the order and for none after it.
    pub fn lower_bound_rank(&self, is_below: impl Fn(&T) -> bool) -> usize {
        let Some(mut node) = self.root.as_ref() else {
            return 0;
        };
        let (mut rank, mut total) = (0, self.len);
        loop {
            match node.as_ref() {
                NodeRef::Leaf(block) => return rank + block.as_slice().partition_point(&is_below),
                NodeRef::Inner(block) => {
                    let entries = block.as_slice();
                    let index = entries[1..].partition_point(|entry| is_below(&entry.key));
                    entries[index].prefetch_leaf();
                    rank += node::count_before(entries, index, total);
                    (node, total) = (&entries[index].child, entries[index].count);
                }
            }
        }
    }

    /// All items, ascending.
    pub fn iter(&self) -> Iter<'_, T> {
        self.iter_from(0)
    }

    /// The items from `rank` on, ascending. Nothing when `rank` is beyond the end.
    pub fn iter_from(&self, rank: usize) -> Iter<'_, T> {
        self.walk(rank)
    }

    /// The items from `rank` down to the first, descending. Nothing when `rank` is beyond the end.
    pub fn iter_rev_from(&self, rank: usize) -> RevIter<'_, T> {
        self.walk(rank)
    }

    /// Removes up to `count` items from `rank_start` on and hands each to `on_removed`, ascending;
    /// returns how many. When an item is handed over, the tree holds no copy of it.
    pub fn remove_range(
        &mut self,
        rank_start: usize,
        count: usize,
        mut on_removed: impl FnMut(T),
    ) -> usize {
        let count = count.min(self.len.saturating_sub(rank_start));
        let mut run = Vec::with_capacity(count.min(node::leaf_max::<T>()));
        let mut removed = 0;
        while removed < count {
            run.clear();
            self.remove_run(rank_start, count - removed, &mut |items| {
                run.extend_from_slice(items);
            });
            removed += run.len();
            run.iter().copied().for_each(&mut on_removed);
        }
        removed
    }

    /// Removes everything at once; O(n). For huge trees see `drain_some`.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Frees leaves from the end until `max` items or a few more are gone; true when the tree is
    /// empty. What remains is a valid tree.
    pub fn drain_some(&mut self, max: usize) -> bool {
        let mut freed = 0;
        while let Some(root) = &mut self.root {
            if freed >= max {
                return false;
            }
            match root.as_mut() {
                NodeMut::Leaf(_) => {
                    *self = Self::new();
                }
                NodeMut::Inner(block) => {
                    let cut = node::remove_last_leaf(block, &mut self.meter);
                    freed += cut.count;
                    self.finish_removal(cut.count);
                }
            }
        }
        true
    }

    /// Panics with a reason unless order, keys, counts, fill and the byte count are right. For
    /// tests; O(n).
    pub fn check_invariants(&self) {
        let (count, bytes) = match &self.root {
            None => (0, 0),
            Some(root) => {
                let summary = node::check(root);
                (summary.count, summary.bytes)
            }
        };
        assert_eq!(count, self.len, "the length is the number of items");
        assert_eq!(bytes, self.meter.bytes, "the meter knows every block");
        assert_eq!(self.root.is_none(), self.len == 0);
    }

    fn walk<const REVERSE: bool>(&self, rank: usize) -> Walk<'_, T, REVERSE> {
        match &self.root {
            Some(root) if rank < self.len => Walk::start(root, self.len, rank),
            _ => Walk::empty(),
        }
    }

    fn pop_at(&mut self, rank: usize) -> Option<T> {
        if rank >= self.len {
            return None;
        }
        let mut popped = None;
        self.remove_run(rank, 1, &mut |items| popped = items.first().copied());
        popped
    }

    /// Removes up to `count` items from `rank`, which is below the length, as far as its leaf goes.
    fn remove_run(&mut self, rank: usize, count: usize, sink: &mut impl FnMut(&[T])) {
        if let Some(root) = &mut self.root {
            let cut = node::remove_run(root, self.len, rank, count, sink, &mut self.meter);
            self.finish_removal(cut.count);
        }
    }

    /// Puts a root above the old one and the right part split off it.
    fn grow_root(&mut self, right: block::Entry<T>) {
        if let Some(left) = self.root.take() {
            let mut root = block::new_inner(2, &mut self.meter);
            root.insert(0, node::entry_of(left), &mut self.meter);
            root.insert(1, right, &mut self.meter);
            self.root = Some(Node::inner(root));
        }
    }

    /// Accounts for removed items; drops an empty root and roots with a single child.
    fn finish_removal(&mut self, count: usize) {
        self.len -= count;
        while let Some(root) = &self.root {
            let is_done = !root.is_leaf() && root.len() > 1 || root.is_leaf() && root.len() > 0;
            if is_done {
                return;
            }
            self.root = match self.root.take().map(Node::into_block) {
                Some(NodeBlock::Inner(mut block)) if block.len() == 1 => {
                    let only = block.remove(0, &mut self.meter);
                    block.discard(&mut self.meter);
                    Some(only.child)
                }
                Some(NodeBlock::Inner(block)) => {
                    block.discard(&mut self.meter);
                    None
                }
                Some(NodeBlock::Leaf(block)) => {
                    block.discard(&mut self.meter);
                    None
                }
                None => None,
            };
        }
    }
}

impl<'a, T: Copy + Ord> IntoIterator for &'a RankTree<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
