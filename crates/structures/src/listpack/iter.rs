//! Walking a listpack: forward, backward, two by two.
//!
//! Tests: `tests.rs`.

use std::iter::FusedIterator;

use super::encoding;
use super::{HEADER_BYTES, Item, Pos};

/// Forward over the elements.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    blob: &'a [u8],
    at: usize,
}

impl<'a> Iter<'a> {
    #[inline]
    pub(super) fn new(blob: &'a [u8], at: usize) -> Iter<'a> {
        Iter { blob, at }
    }

    /// The position of the element that `next` will return, if there is one.
    #[inline]
    pub fn pos(&self) -> Option<Pos> {
        (self.blob[self.at] != encoding::END).then_some(Pos(self.at))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let (item, size) = encoding::decode(self.blob, self.at)?;
        self.at += size;
        Some(item)
    }
}

impl FusedIterator for Iter<'_> {}

/// Backward over the elements.
#[derive(Clone, Debug)]
pub struct IterRev<'a> {
    blob: &'a [u8],
    end: usize,
}

impl<'a> IterRev<'a> {
    /// `end` is where the first element to return ends.
    #[inline]
    pub(super) fn new(blob: &'a [u8], end: usize) -> IterRev<'a> {
        IterRev { blob, end }
    }

    /// The position of the element that `next` will return, if there is one.
    #[inline]
    pub fn pos(&self) -> Option<Pos> {
        (self.end > HEADER_BYTES).then(|| Pos(encoding::start_of_entry_before(self.blob, self.end)))
    }
}

impl<'a> Iterator for IterRev<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let Pos(start) = self.pos()?;
        self.end = start;
        encoding::decode(self.blob, start).map(|(item, _)| item)
    }
}

impl FusedIterator for IterRev<'_> {}

/// Forward over neighbouring elements two by two.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    iter: Iter<'a>,
}

impl<'a> Pairs<'a> {
    #[inline]
    pub(super) fn new(iter: Iter<'a>) -> Pairs<'a> {
        Pairs { iter }
    }

    /// The position of the first element of the pair that `next` will return.
    #[inline]
    pub fn pos(&self) -> Option<Pos> {
        self.iter.pos()
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, Item<'a>)> {
        Some((self.iter.next()?, self.iter.next()?))
    }
}
