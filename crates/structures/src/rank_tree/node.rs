//! The recursive steps of the rank tree: insert, replace, removal of runs, merging, lookups.
//!
//! Invariants (checked by `check`, relied on for order, never for memory safety):
//! - an entry's `key` is a copy of the smallest item below it, at every index and level. No key
//!   outlives its item: items may hold pointers that the comparison follows, so a removed item
//!   must leave no copy behind;
//! - an entry's `count` is the number of items below it, never zero;
//! - neighbours under one parent hold together more than half of what one node can: splits leave
//!   halves (or a full node beside a fresh one at the tree's two ends), every removal merges
//!   neighbours that fit into `MERGE_NUM/MERGE_DEN` of a node, and merged parents look at the pair
//!   of children that became neighbours. So heights stay logarithmic without borrowing.
//!
//! Comparisons come before changes; a panicking `Ord` leaves a consistent tree.
//! It does not know the root or the total; `rank_tree.rs` does. Tests: `rank_tree/tests.rs`.

use super::block::{
    Block, Entry, INNER_BYTES, LEAF_BYTES, Meter, Node, NodeBlock, NodeMut, NodeRef, capacity_in,
    new_inner, new_leaf,
};

/// Neighbours merge when the result fills at most this part of a node, so that a merged node has
/// room before it splits again.
const MERGE_NUM: usize = 3;
const MERGE_DEN: usize = 4;

pub(super) const fn leaf_max<T>() -> usize {
    capacity_in::<T>(LEAF_BYTES)
}

pub(super) const fn inner_max<T>() -> usize {
    capacity_in::<Entry<T>>(INNER_BYTES)
}

pub(super) enum Inserted<T> {
    Present,
    Added,
    /// Added, and the node gave its upper part to a new right neighbour.
    Split(Entry<T>),
}

pub(super) enum Replaced {
    /// The old item is not here.
    Absent,
    /// The new item belongs to another leaf, or is already in this one; nothing was changed.
    Elsewhere,
    Done {
        min_changed: bool,
    },
}

/// What a removal did to the node, for its parent.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// How many items went.
    pub(super) count: usize,
    min_changed: bool,
    /// The node has fewer elements of its own than before, so it may fit a neighbour.
    shrunk: bool,
}

/// Smallest item of a node that is not empty.
pub(super) fn min_of<T: Copy>(node: &Node<T>) -> T {
    match node.as_ref() {
        NodeRef::Leaf(items) => items.as_slice()[0],
        NodeRef::Inner(entries) => entries.as_slice()[0].key,
    }
}

/// Index of the child that holds `item` if any does.
pub(super) fn child_of<T: Copy + Ord>(entries: &[Entry<T>], item: &T) -> usize {
    entries[1..].partition_point(|entry| entry.key <= *item)
}

/// Items in the children before `index`, summed from the nearer end.
pub(super) fn count_before<T>(entries: &[Entry<T>], index: usize, total: usize) -> usize {
    if index <= entries.len() / 2 {
        sum(&entries[..index])
    } else {
        total - sum(&entries[index..])
    }
}

/// The child that holds `rank` (which is below `total`), and the rank within it.
pub(super) fn child_at<T>(entries: &[Entry<T>], rank: usize, total: usize) -> (usize, usize) {
    if rank <= total / 2 {
        let mut before = 0;
        for (index, entry) in entries.iter().enumerate() {
            if rank < before + entry.count {
                return (index, rank - before);
            }
            before += entry.count;
        }
    } else {
        let mut before = total;
        for (index, entry) in entries.iter().enumerate().rev() {
            before -= entry.count;
            if rank >= before {
                return (index, rank - before);
            }
        }
    }
    unreachable!("the counts of the children add up to the total")
}

fn sum<T>(entries: &[Entry<T>]) -> usize {
    entries.iter().map(|entry| entry.count).sum()
}

/// `rightmost`: the node is on the right edge of the tree.
pub(super) fn insert<T: Copy + Ord>(
    node: &mut Node<T>,
    item: T,
    rightmost: bool,
    meter: &mut Meter,
) -> Inserted<T> {
    let block = match node.as_mut() {
        NodeMut::Leaf(items) => return insert_into_leaf(items, item, rightmost, meter),
        NodeMut::Inner(block) => block,
    };
    let entries = block.as_mut_slice();
    let last = entries.len() - 1;
    // Ascending inserts find their way without a search.
    let index = if rightmost && entries[last].key <= item {
        last
    } else {
        child_of(entries, &item)
    };
    let entry = &mut entries[index];
    entry.prefetch_leaf();
    let below_min = index == 0 && item < entry.key;
    let outcome = insert(&mut entry.child, item, rightmost && index == last, meter);
    match outcome {
        Inserted::Present => return Inserted::Present,
        Inserted::Added | Inserted::Split(_) => {}
    }
    if below_min {
        entry.key = item;
    }
    entry.count += 1;
    match outcome {
        Inserted::Split(right) => {
            entry.count -= right.count;
            add_child(block, index + 1, right, rightmost, meter)
        }
        other => other,
    }
}

fn insert_into_leaf<T: Copy + Ord>(
    block: &mut Block<T>,
    item: T,
    rightmost: bool,
    meter: &mut Meter,
) -> Inserted<T> {
    let items = block.as_slice();
    let len = items.len();
    let index = match items.last() {
        Some(last) if rightmost && *last < item => len,
        _ => items.partition_point(|other| *other < item),
    };
    if index < len && items[index] == item {
        return Inserted::Present;
    }
    if len < leaf_max::<T>() {
        block.insert(index, item, meter);
        return Inserted::Added;
    }
    // At both ends of the tree the full leaf stays full: sorted input packs densely.
    if index == 0 || (index == len && rightmost) {
        let mut fresh = new_leaf(1, meter);
        fresh.insert(0, item, meter);
        if index == 0 {
            std::mem::swap(block, &mut fresh);
        }
        return Inserted::Split(entry_of(Node::leaf(fresh)));
    }
    let middle = len.div_ceil(2);
    let mut right = block.split_off(middle, meter);
    if index <= middle {
        block.insert(index, item, meter);
    } else {
        right.insert(index - middle, item, meter);
    }
    Inserted::Split(entry_of(Node::leaf(right)))
}

fn add_child<T: Copy>(
    block: &mut Block<Entry<T>>,
    index: usize,
    child: Entry<T>,
    rightmost: bool,
    meter: &mut Meter,
) -> Inserted<T> {
    let len = block.len();
    if len < inner_max::<T>() {
        block.insert(index, child, meter);
        return Inserted::Added;
    }
    let right = if index == len && rightmost {
        let mut fresh = new_inner(2, meter);
        fresh.insert(0, child, meter);
        fresh
    } else {
        let middle = len.div_ceil(2);
        let mut right = block.split_off(middle, meter);
        if index <= middle {
            block.insert(index, child, meter);
        } else {
            right.insert(index - middle, child, meter);
        }
        right
    };
    Inserted::Split(entry_of(Node::inner(right)))
}

pub(super) fn entry_of<T: Copy>(child: Node<T>) -> Entry<T> {
    let count = match child.as_ref() {
        NodeRef::Leaf(items) => items.len(),
        NodeRef::Inner(entries) => sum(entries.as_slice()),
    };
    Entry {
        key: min_of(&child),
        count,
        child,
    }
}

/// Exchanges `old` for `new` where both belong to the same leaf.
pub(super) fn replace<T: Copy + Ord>(node: &mut Node<T>, old: &T, new: T) -> Replaced {
    let block = match node.as_mut() {
        NodeMut::Leaf(block) => return replace_in_leaf(block.as_mut_slice(), old, new),
        NodeMut::Inner(block) => block,
    };
    let entries = block.as_mut_slice();
    let index = child_of(entries, old);
    let next_starts_below = |next: &Entry<T>| next.key <= new;
    if new < entries[index].key || entries.get(index + 1).is_some_and(next_starts_below) {
        return Replaced::Elsewhere;
    }
    let entry = &mut entries[index];
    entry.prefetch_leaf();
    match replace(&mut entry.child, old, new) {
        Replaced::Done { min_changed: true } => {
            entry.key = min_of(&entry.child);
            Replaced::Done {
                min_changed: index == 0,
            }
        }
        other => other,
    }
}

fn replace_in_leaf<T: Copy + Ord>(items: &mut [T], old: &T, new: T) -> Replaced {
    let from = items.partition_point(|item| item < old);
    if items.get(from).is_none_or(|item| item != old) {
        return Replaced::Absent;
    }
    let to = items.partition_point(|item| *item < new);
    if to != from && items.get(to).is_some_and(|item| *item == new) {
        return Replaced::Elsewhere;
    }
    if to > from {
        items.copy_within(from + 1..to, from);
        items[to - 1] = new;
    } else {
        items.copy_within(to..from, to + 1);
        items[to] = new;
    }
    Replaced::Done {
        min_changed: from == 0 || to == 0,
    }
}

/// Removes `item`; `None` when it is not there.
pub(super) fn remove<T: Copy + Ord>(
    node: &mut Node<T>,
    item: &T,
    meter: &mut Meter,
) -> Option<Cut> {
    match node.as_mut() {
        NodeMut::Leaf(block) => {
            let items = block.as_slice();
            let index = items.partition_point(|other| other < item);
            if items.get(index).is_none_or(|other| other != item) {
                return None;
            }
            block.remove(index, meter);
            Some(Cut {
                count: 1,
                min_changed: index == 0,
                shrunk: true,
            })
        }
        NodeMut::Inner(block) => {
            let entries = block.as_mut_slice();
            let index = child_of(entries, item);
            entries[index].prefetch_leaf();
            let cut = remove(&mut entries[index].child, item, meter)?;
            Some(settle(block, index, cut, meter))
        }
    }
}

/// Removes up to `count` items from `rank` on, as far as one leaf goes, and shows them to `sink`
/// first. `rank` is below `total`, the number of items in the node.
pub(super) fn remove_run<T: Copy, S: FnMut(&[T])>(
    node: &mut Node<T>,
    total: usize,
    rank: usize,
    count: usize,
    sink: &mut S,
    meter: &mut Meter,
) -> Cut {
    match node.as_mut() {
        NodeMut::Leaf(block) => {
            let count = count.min(total - rank);
            sink(&block.as_slice()[rank..rank + count]);
            block.remove_run(rank, count, meter);
            Cut {
                count,
                min_changed: rank == 0,
                shrunk: true,
            }
        }
        NodeMut::Inner(block) => {
            let entries = block.as_mut_slice();
            let (index, rank) = child_at(entries, rank, total);
            let entry = &mut entries[index];
            let cut = remove_run(&mut entry.child, entry.count, rank, count, sink, meter);
            settle(block, index, cut, meter)
        }
    }
}

/// Removes the last leaf below an inner node.
pub(super) fn remove_last_leaf<T: Copy>(block: &mut Block<Entry<T>>, meter: &mut Meter) -> Cut {
    let index = block.len() - 1;
    let entry = &mut block.as_mut_slice()[index];
    let cut = match entry.child.as_mut() {
        NodeMut::Leaf(_) => Cut {
            count: entry.count,
            min_changed: false,
            shrunk: true,
        },
        NodeMut::Inner(below) => remove_last_leaf(below, meter),
    };
    settle(block, index, cut, meter)
}

/// Brings an inner node in order after its child at `index` lost items.
fn settle<T: Copy>(block: &mut Block<Entry<T>>, index: usize, cut: Cut, meter: &mut Meter) -> Cut {
    let before = block.len();
    let entry = &mut block.as_mut_slice()[index];
    entry.count -= cut.count;
    let mut min_changed = cut.min_changed;
    if entry.count == 0 {
        let dead = block.remove(index, meter);
        meter.bytes -= dead.child.bytes();
        min_changed = true;
        if index > 0 {
            merge_if_small(block, index - 1, meter);
        }
    } else {
        if cut.min_changed {
            entry.key = min_of(&entry.child);
        }
        if cut.shrunk {
            merge_if_small(block, index, meter);
            if index > 0 {
                merge_if_small(block, index - 1, meter);
            }
        }
    }
    Cut {
        count: cut.count,
        min_changed: min_changed && index == 0,
        shrunk: block.len() < before,
    }
}

/// Merges the children at `left` and `left + 1`, if both exist and fit into one.
fn merge_if_small<T: Copy>(block: &mut Block<Entry<T>>, left: usize, meter: &mut Meter) {
    let [a, b] = match block.as_slice().get(left..left + 2) {
        Some([a, b]) => [a, b],
        _ => return,
    };
    // A leaf's length is its count, known without touching the neighbour's memory.
    let (joint, most) = if a.child.is_leaf() {
        (a.count + b.count, leaf_max::<T>())
    } else {
        (a.child.len() + b.child.len(), inner_max::<T>())
    };
    if joint > most * MERGE_NUM / MERGE_DEN {
        return;
    }
    let right = block.remove(left + 1, meter);
    let entry = &mut block.as_mut_slice()[left];
    entry.count += right.count;
    match (entry.child.as_mut(), right.child.into_block()) {
        (NodeMut::Leaf(into), NodeBlock::Leaf(from)) => into.append(from, meter),
        (NodeMut::Inner(into), NodeBlock::Inner(from)) => {
            let seam = into.len();
            into.append(from, meter);
            if seam > 0 {
                merge_if_small(into, seam - 1, meter);
            }
        }
        _ => unreachable!("neighbours are of one kind"),
    }
}

/// What `check` learnt about a subtree.
pub(super) struct Summary<T> {
    pub(super) count: usize,
    pub(super) bytes: usize,
    min: T,
    max: T,
    height: usize,
}

/// Panics unless the invariants above hold below `node`.
pub(super) fn check<T: Copy + Ord>(node: &Node<T>) -> Summary<T> {
    assert!(node.len() > 0, "a node is never empty");
    match node.as_ref() {
        NodeRef::Leaf(block) => {
            let items = block.as_slice();
            assert!(items.len() <= leaf_max::<T>());
            assert!(items.is_sorted_by(|a, b| a < b), "a leaf is in order");
            Summary {
                count: items.len(),
                bytes: block.bytes(),
                min: items[0],
                max: items[items.len() - 1],
                height: 0,
            }
        }
        NodeRef::Inner(block) => {
            let entries = block.as_slice();
            assert!(entries.len() <= inner_max::<T>());
            let parts: Vec<_> = entries.iter().map(|entry| check(&entry.child)).collect();
            for (entry, part) in entries.iter().zip(&parts) {
                assert!(entry.key == part.min, "a key is the smallest item below");
                assert_eq!(entry.count, part.count, "a count is right");
                assert_eq!(part.height, parts[0].height, "leaves are equally deep");
            }
            for (pair, part) in entries.windows(2).zip(parts.windows(2)) {
                assert!(part[0].max < part[1].min, "children are in order");
                let most = if pair[0].child.is_leaf() {
                    leaf_max::<T>()
                } else {
                    inner_max::<T>()
                };
                let joint = pair[0].child.len() + pair[1].child.len();
                assert!(joint > most / 2, "neighbours fill half a node");
            }
            Summary {
                count: parts.iter().map(|part| part.count).sum(),
                bytes: block.bytes() + parts.iter().map(|part| part.bytes).sum::<usize>(),
                min: parts[0].min,
                max: parts[parts.len() - 1].max,
                height: parts[0].height + 1,
            }
        }
    }
}
