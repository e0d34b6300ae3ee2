//! Walking a list: forward and backward over elements, and over the stored nodes.
//!
//! Tests: `tests.rs`.

use std::collections::vec_deque;
use std::iter::FusedIterator;

use super::NodeRef;
use super::quicklist::{Node, Quicklist};
use crate::listpack::{self, Item, Listpack};

/// Forward over elements.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    /// The elements of the present node; a plain node is visited without one.
    pack: Option<listpack::Iter<'a>>,
    rest: vec_deque::Iter<'a, Node>,
    remaining: usize,
}

impl<'a> Iter<'a> {
    pub(super) fn packed(packed: &'a Listpack, start: usize, count: usize) -> Iter<'a> {
        let remaining = packed.len().saturating_sub(start).min(count);
        let pack = packed.seek(start as i64).map(|pos| packed.iter_from(pos));
        Iter {
            pack,
            rest: no_nodes(),
            remaining,
        }
    }

    pub(super) fn quick(quick: &'a Quicklist, start: usize, count: usize) -> Iter<'a> {
        let remaining = quick.len().saturating_sub(start).min(count);
        if remaining == 0 {
            return Iter {
                pack: None,
                rest: no_nodes(),
                remaining,
            };
        }
        let (at, offset) = quick.locate(start);
        let mut rest = quick.nodes().range(at..);
        let pack = match &quick.nodes()[at] {
            Node::Packed { pack, .. } => {
                rest.next();
                pack.seek(offset as i64).map(|pos| pack.iter_from(pos))
            }
            Node::Plain(_) => None,
        };
        Iter {
            pack,
            rest,
            remaining,
        }
    }

    /// The present node is done: the first element of the next one.
    fn next_node(&mut self) -> Option<Item<'a>> {
        match self.rest.next()? {
            Node::Packed { pack, .. } => {
                let mut iter = pack.iter();
                let item = iter.next();
                self.pack = Some(iter);
                item
            }
            Node::Plain(bytes) => {
                self.pack = None;
                Some(Item::Str(bytes.as_slice()))
            }
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        if let Some(pack) = &mut self.pack
            && let Some(item) = pack.next()
        {
            return Some(item);
        }
        self.next_node()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}

/// Backward over elements.
#[derive(Clone, Debug)]
pub struct IterRev<'a> {
    pack: Option<listpack::IterRev<'a>>,
    rest: vec_deque::Iter<'a, Node>,
    remaining: usize,
}

impl<'a> IterRev<'a> {
    /// `skip` elements at the back are left out.
    pub(super) fn packed(packed: &'a Listpack, skip: usize, count: usize) -> IterRev<'a> {
        let start = packed
            .len()
            .checked_sub(skip)
            .and_then(|left| left.checked_sub(1));
        let remaining = start.map_or(0, |start| (start + 1).min(count));
        let pack = start
            .and_then(|start| packed.seek(start as i64))
            .map(|pos| packed.iter_rev_from(pos));
        IterRev {
            pack,
            rest: no_nodes(),
            remaining,
        }
    }

    pub(super) fn quick(quick: &'a Quicklist, skip: usize, count: usize) -> IterRev<'a> {
        let left = quick.len().saturating_sub(skip);
        let remaining = left.min(count);
        if remaining == 0 {
            return IterRev {
                pack: None,
                rest: no_nodes(),
                remaining,
            };
        }
        let (at, offset) = quick.locate(left - 1);
        let mut rest = quick.nodes().range(..=at);
        let pack = match &quick.nodes()[at] {
            Node::Packed { pack, .. } => {
                rest.next_back();
                pack.seek(offset as i64).map(|pos| pack.iter_rev_from(pos))
            }
            Node::Plain(_) => None,
        };
        IterRev {
            pack,
            rest,
            remaining,
        }
    }

    fn next_node(&mut self) -> Option<Item<'a>> {
        match self.rest.next_back()? {
            Node::Packed { pack, .. } => {
                let mut iter = pack.iter_rev();
                let item = iter.next();
                self.pack = Some(iter);
                item
            }
            Node::Plain(bytes) => {
                self.pack = None;
                Some(Item::Str(bytes.as_slice()))
            }
        }
    }
}

impl<'a> Iterator for IterRev<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        if let Some(pack) = &mut self.pack
            && let Some(item) = pack.next()
        {
            return Some(item);
        }
        self.next_node()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for IterRev<'_> {}
impl FusedIterator for IterRev<'_> {}

/// Over the stored nodes.
#[derive(Clone, Debug)]
pub struct Nodes<'a> {
    single: Option<&'a Listpack>,
    rest: vec_deque::Iter<'a, Node>,
}

impl<'a> Nodes<'a> {
    pub(super) fn packed(packed: &'a Listpack) -> Nodes<'a> {
        Nodes {
            single: Some(packed),
            rest: no_nodes(),
        }
    }

    pub(super) fn quick(quick: &'a Quicklist) -> Nodes<'a> {
        Nodes {
            single: None,
            rest: quick.nodes().iter(),
        }
    }
}

impl<'a> Iterator for Nodes<'a> {
    type Item = NodeRef<'a>;

    fn next(&mut self) -> Option<NodeRef<'a>> {
        if let Some(packed) = self.single.take() {
            return Some(NodeRef::Packed(packed.as_blob()));
        }
        self.rest.next().map(Node::as_ref)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = usize::from(self.single.is_some()) + self.rest.len();
        (count, Some(count))
    }
}

impl ExactSizeIterator for Nodes<'_> {}

fn no_nodes<'a>() -> vec_deque::Iter<'a, Node> {
    vec_deque::Iter::default()
}
