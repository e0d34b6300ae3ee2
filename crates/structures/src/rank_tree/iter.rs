//! Walks over the rank tree from any rank, upwards (`Iter`) or downwards (`RevIter`).
//!
//! A walk keeps, for each inner level, the siblings still to come, and the rest of the current
//! leaf. A step is O(1) amortised; starting is O(log n).
//! It does not know keys: it starts at ranks. Tests: `rank_tree/tests.rs`.

use super::block::{Entry, Node, NodeRef};
use super::node::child_at;
use std::slice;

/// Inner levels that a tree can have. Neighbours hold more than half a node together, so each
/// level has on average at least 16 children per node for items of 16 bytes: 16^12 = 2^48 leaves.
const MAX_HEIGHT: usize = 12;

/// Items in ascending order.
pub type Iter<'a, T> = Walk<'a, T, false>;
/// Items in descending order.
pub type RevIter<'a, T> = Walk<'a, T, true>;

pub struct Walk<'a, T, const REVERSE: bool> {
    /// What remains beside the path, root level first.
    siblings: [slice::Iter<'a, Entry<T>>; MAX_HEIGHT],
    height: usize,
    leaf: slice::Iter<'a, T>,
    remaining: usize,
}

impl<'a, T: Copy, const REVERSE: bool> Walk<'a, T, REVERSE> {
    pub(super) fn empty() -> Self {
        Self {
            siblings: std::array::from_fn(|_| [].iter()),
            height: 0,
            leaf: [].iter(),
            remaining: 0,
        }
    }

    /// A walk from `rank`, which is below `total`, the number of items under `root`.
    pub(super) fn start(root: &'a Node<T>, total: usize, rank: usize) -> Self {
        let mut walk = Self::empty();
        walk.remaining = if REVERSE { rank + 1 } else { total - rank };
        let (mut node, mut total, mut rank) = (root, total, rank);
        loop {
            match node.as_ref() {
                NodeRef::Leaf(block) => {
                    let items = block.as_slice();
                    walk.leaf = if REVERSE {
                        items[..=rank].iter()
                    } else {
                        items[rank..].iter()
                    };
                    return walk;
                }
                NodeRef::Inner(block) => {
                    let entries = block.as_slice();
                    let (index, rank_below) = child_at(entries, rank, total);
                    walk.siblings[walk.height] = if REVERSE {
                        entries[..index].iter()
                    } else {
                        entries[index + 1..].iter()
                    };
                    walk.height += 1;
                    (node, total, rank) = (&entries[index].child, entries[index].count, rank_below);
                }
            }
        }
    }

    /// Goes on to the next leaf: up to the nearest level with a sibling left, and down again.
    #[cold]
    fn next_leaf(&mut self) -> Option<()> {
        let mut level = self.height;
        let mut node = loop {
            level = level.checked_sub(1)?;
            if let Some(entry) = step::<_, REVERSE>(&mut self.siblings[level]) {
                break &entry.child;
            }
        };
        loop {
            match node.as_ref() {
                NodeRef::Leaf(block) => {
                    self.leaf = block.as_slice().iter();
                    return Some(());
                }
                NodeRef::Inner(block) => {
                    level += 1;
                    self.siblings[level] = block.as_slice().iter();
                    node = &step::<_, REVERSE>(&mut self.siblings[level])?.child;
                }
            }
        }
    }
}

fn step<'a, E, const REVERSE: bool>(list: &mut slice::Iter<'a, E>) -> Option<&'a E> {
    if REVERSE {
        list.next_back()
    } else {
        list.next()
    }
}

impl<T: Copy, const REVERSE: bool> Iterator for Walk<'_, T, REVERSE> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(item) = step::<_, REVERSE>(&mut self.leaf) {
                self.remaining -= 1;
                return Some(*item);
            }
            self.next_leaf()?;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl<T: Copy, const REVERSE: bool> ExactSizeIterator for Walk<'_, T, REVERSE> {}
