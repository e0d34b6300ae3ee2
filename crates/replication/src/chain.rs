//! A chain of reference-counted blocks of bytes: appended at one end, trimmed at the other, read by
//! any number of cursors without copying.
//!
//! ```text
//!   start                                                   end
//!     | block 7     | block 8        | block 9 (being filled) |
//!            ^ cursor {block: 8, ..}      ^ cursor {block: 9, ..}
//! ```
//!
//! Offsets grow for ever and name a byte for good; blocks have sequence numbers that do too, so a
//! cursor finds its bytes by one subtraction. Only the last block grows, and only inside the
//! capacity it was made with and while nobody else holds it, so a block that another thread keeps
//! an `Arc` of never changes under it.
//!
//! Does not know what the bytes are or who still needs them (`backlog.rs`, `snapshot.rs` do).
//! Tests: at the bottom, against a plain vector.

use std::collections::VecDeque;
use std::sync::Arc;

/// Small enough to trim close to the limit, big enough that appending rarely allocates.
pub const BLOCK_BYTES: usize = 32 * 1024;

/// From this size on a vector is taken over instead of copied, if it is reasonably full.
const ADOPTED_BYTES_MIN: usize = 16 * 1024;

#[derive(Debug)]
struct Block {
    start: u64,
    bytes: Arc<Vec<u8>>,
}

impl Block {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// Where a reader is. Made by [`Chain::cursor`], moved by [`Chain::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    offset: u64,
    block: u64,
}

impl Cursor {
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

#[derive(Debug)]
pub struct Chain {
    blocks: VecDeque<Block>,
    /// The sequence number of the first block, or of the next one to be made.
    first_block: u64,
    end: u64,
    capacity_bytes: usize,
    block_bytes: usize,
}

impl Chain {
    /// An empty chain whose first byte will have the number `start`.
    pub fn new(start: u64) -> Chain {
        Chain::with_blocks(start, BLOCK_BYTES)
    }

    /// The same, of smaller blocks: a chain that is kept short is trimmed in smaller steps.
    pub fn with_blocks(start: u64, block_bytes: usize) -> Chain {
        Chain {
            blocks: VecDeque::new(),
            first_block: 0,
            end: start,
            capacity_bytes: 0,
            block_bytes,
        }
    }

    /// For blocks to come.
    pub fn set_block_bytes(&mut self, block_bytes: usize) {
        self.block_bytes = block_bytes;
    }

    pub fn start(&self) -> u64 {
        self.blocks.front().map_or(self.end, |block| block.start)
    }

    pub fn end(&self) -> u64 {
        self.end
    }

    pub fn len(&self) -> u64 {
        self.end - self.start()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the blocks take, unused room included.
    pub fn memory_bytes(&self) -> usize {
        self.capacity_bytes + self.blocks.len() * size_of::<Block>()
    }

    pub fn append(&mut self, mut bytes: &[u8]) {
        if let Some(tail) = self.blocks.back_mut()
            && let Some(tail) = Arc::get_mut(&mut tail.bytes)
        {
            let room = (tail.capacity() - tail.len()).min(bytes.len());
            tail.extend_from_slice(&bytes[..room]);
            self.end += room as u64;
            bytes = &bytes[room..];
        }
        if !bytes.is_empty() {
            let mut block = Vec::with_capacity(bytes.len().max(self.block_bytes));
            block.extend_from_slice(bytes);
            self.push(block);
        }
    }

    /// Appends a vector, by taking it over if that pays. What comes back is an empty vector to use
    /// again.
    pub fn append_vec(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.len() >= ADOPTED_BYTES_MIN && bytes.len() >= bytes.capacity() / 2 {
            self.push(bytes);
            return Vec::new();
        }
        self.append(&bytes);
        bytes.clear();
        bytes
    }

    fn push(&mut self, bytes: Vec<u8>) {
        assert!(
            !bytes.is_empty(),
            "a block without bytes would stop its readers"
        );
        let start = self.end;
        self.end += bytes.len() as u64;
        self.capacity_bytes += bytes.capacity();
        self.blocks.push_back(Block {
            start,
            bytes: Arc::new(bytes),
        });
    }

    /// A reader that begins at `offset`, if that is in the chain or just behind it.
    pub fn cursor(&self, offset: u64) -> Option<Cursor> {
        if offset < self.start() || offset > self.end {
            return None;
        }
        let index = self.blocks.partition_point(|block| block.end() <= offset);
        // At the very end a reader waits in the last block, which may still grow.
        let index = index.min(self.blocks.len().saturating_sub(1));
        let block = self.first_block + index as u64;
        Some(Cursor { offset, block })
    }

    /// The next bytes at the cursor, as many as lie together; empty at the end of the chain.
    pub fn slice(&self, cursor: &Cursor) -> &[u8] {
        self.chunks(*cursor).next().unwrap_or_default()
    }

    /// All bytes from the cursor on, in pieces.
    pub fn chunks(&self, cursor: Cursor) -> impl Iterator<Item = &[u8]> {
        let index = self.index(&cursor);
        let offset = cursor.offset;
        let pieces = self.blocks.range(index.min(self.blocks.len())..);
        pieces
            .map(move |block| {
                let skipped = offset.saturating_sub(block.start) as usize;
                &block.bytes[skipped.min(block.bytes.len())..]
            })
            .filter(|piece| !piece.is_empty())
    }

    /// The block at the cursor, to be held beyond the chain's own life, and where to read in it.
    pub fn block(&self, cursor: &Cursor) -> Option<(Arc<Vec<u8>>, usize)> {
        let from = self.index(cursor).min(self.blocks.len());
        let mut blocks = self.blocks.range(from..);
        let block = blocks.find(|block| block.end() > cursor.offset)?;
        let skipped = cursor.offset.saturating_sub(block.start) as usize;
        Some((Arc::clone(&block.bytes), skipped))
    }

    /// Moves the cursor over bytes it has read.
    pub fn advance(&self, cursor: &mut Cursor, bytes: usize) {
        cursor.offset += bytes as u64;
        assert!(cursor.offset <= self.end, "read what was not there");
        cursor.block = cursor.block.max(self.first_block);
        // The last block may still grow, so a reader stays in it.
        while let Some(block) = self.blocks.get(self.index(cursor))
            && block.end() <= cursor.offset
            && self.index(cursor) + 1 < self.blocks.len()
        {
            cursor.block += 1;
        }
    }

    /// Where the chain would start without its first block; none if that is the last one.
    pub fn second_start(&self) -> Option<u64> {
        self.blocks.get(1).map(|block| block.start)
    }

    /// Lets go of the first block. Its readers must be beyond it.
    pub fn pop_front(&mut self) {
        if let Some(block) = self.blocks.pop_front() {
            self.first_block += 1;
            self.capacity_bytes -= block.bytes.capacity();
        }
    }

    fn index(&self, cursor: &Cursor) -> usize {
        assert!(
            cursor.offset >= self.start(),
            "the reader's bytes were trimmed"
        );
        // A reader at the end of a block that is gone stands before the first one.
        cursor.block.saturating_sub(self.first_block) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Append(usize),
        AppendVec(usize, usize),
        Read(usize, usize),
        Trim,
        Hold,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0usize..70_000).prop_map(Step::Append),
            (0usize..400).prop_map(Step::Append),
            (0usize..40_000, 0usize..40_000).prop_map(|(len, spare)| Step::AppendVec(len, spare)),
            (0usize..3, 0usize..90_000).prop_map(|(reader, bytes)| Step::Read(reader, bytes)),
            Just(Step::Trim),
            Just(Step::Hold),
        ]
    }

    proptest! {
        #[test]
        fn readers_see_what_was_appended(steps in prop::collection::vec(step(), 1..40)) {
            let base = 1000u64;
            let mut chain = Chain::new(base);
            let mut model: Vec<u8> = Vec::new();
            let mut readers = [chain.cursor(base).expect("start"); 3];
            let mut held: Vec<(u64, Arc<Vec<u8>>, Vec<u8>)> = Vec::new();
            let mut next = 0u8;
            for step in steps {
                match step {
                    Step::Append(len) => {
                        let bytes: Vec<u8> = (0..len).map(|_| { next = next.wrapping_add(37); next }).collect();
                        chain.append(&bytes);
                        model.extend(bytes);
                    }
                    Step::AppendVec(len, spare) => {
                        let mut bytes = Vec::with_capacity(len + spare);
                        bytes.extend((0..len).map(|_| { next = next.wrapping_add(11); next }));
                        model.extend(&bytes);
                        prop_assert!(chain.append_vec(bytes).is_empty());
                    }
                    Step::Read(reader, bytes) => {
                        let cursor = &mut readers[reader];
                        let at = (cursor.offset() - base) as usize;
                        let total: Vec<u8> = chain.chunks(*cursor).flatten().copied().collect();
                        prop_assert_eq!(&total[..], &model[at..]);
                        prop_assert!(chain.slice(cursor).len() <= total.len());
                        prop_assert_eq!(chain.slice(cursor).is_empty(), total.is_empty());
                        chain.advance(cursor, bytes.min(total.len()));
                        prop_assert_eq!(chain.cursor(cursor.offset()).map(|c| chain.slice(&c)), Some(chain.slice(cursor)));
                    }
                    Step::Trim => {
                        let needed = readers.iter().map(Cursor::offset).min().expect("readers");
                        while chain.second_start().is_some_and(|start| start <= needed) {
                            chain.pop_front();
                        }
                    }
                    Step::Hold => {
                        if let Some((block, skipped)) = chain.block(&readers[0]) {
                            held.push((readers[0].offset() - skipped as u64, Arc::clone(&block), block.to_vec()));
                        }
                    }
                }
                prop_assert_eq!(chain.end(), base + model.len() as u64);
                prop_assert!(chain.memory_bytes() as u64 >= chain.len());
            }
            for (_, block, copy) in held {
                prop_assert_eq!(&*block, &copy);
            }
        }
    }

    #[test]
    fn a_cursor_exists_only_inside() {
        let mut chain = Chain::new(10);
        assert!(chain.cursor(10).is_some());
        assert!(chain.cursor(9).is_none() && chain.cursor(11).is_none());
        chain.append(b"abc");
        assert_eq!(chain.slice(&chain.cursor(12).expect("inside")), b"c");
        assert_eq!(chain.slice(&chain.cursor(13).expect("end")), b"");
        assert!(chain.cursor(14).is_none());
    }
}
