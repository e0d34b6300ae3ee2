//! The history kept for replicas: one chain of blocks, and the rule by which it is trimmed.
//!
//! - What a connected replica has not been sent yet stays. If that becomes too much, it is the
//!   replica that goes (`client-output-buffer-limit`), not its bytes.
//! - The last `repl-backlog-size` bytes always stay.
//! - Beyond that, what somebody may still ask for (a replica that has not acknowledged it, or one
//!   that was cut off a short while ago) stays as long as the whole keeps within
//!   `repl-backlog-budget`.
//!
//! A replica is a cursor; the bytes it is sent are the very bytes the writes were appended as.
//! Does not know replicas: who needs what comes in as two offsets.
//! Tests: at the bottom; the chain itself is tested in `chain.rs`.

use crate::chain::{BLOCK_BYTES, Chain, Cursor};
use crate::offset::ReplOffset;

#[derive(Debug)]
pub struct Backlog {
    chain: Chain,
    size_bytes: u64,
    budget_bytes: u64,
}

/// Who needs the past, as the lowest offset of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// Somebody is being sent bytes from here on.
    pub pinned: Option<ReplOffset>,
    /// Somebody may come back and ask from here on.
    pub wanted: Option<ReplOffset>,
}

impl Backlog {
    pub fn new(at: ReplOffset, size_bytes: u64, budget_bytes: u64) -> Backlog {
        Backlog {
            chain: Chain::with_blocks(at.get(), block_bytes(size_bytes)),
            size_bytes,
            budget_bytes,
        }
    }

    pub fn resize(&mut self, size_bytes: u64, budget_bytes: u64) {
        self.size_bytes = size_bytes;
        self.budget_bytes = budget_bytes;
        self.chain.set_block_bytes(block_bytes(size_bytes));
    }

    /// The offset before the first byte that is still here.
    pub fn start(&self) -> ReplOffset {
        ReplOffset::new(self.chain.start())
    }

    pub fn end(&self) -> ReplOffset {
        ReplOffset::new(self.chain.end())
    }

    pub fn len_bytes(&self) -> u64 {
        self.chain.len()
    }

    pub fn memory_bytes(&self) -> usize {
        self.chain.memory_bytes()
    }

    /// In pieces of a block: a block is trimmed as a whole, so a big one would keep too much.
    pub fn append(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(block_bytes(self.size_bytes)) {
            self.chain.append(piece);
        }
    }

    /// The same, taking the vector over if that pays and it is small beside what is kept.
    pub fn append_vec(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if bytes.len() as u64 <= self.size_bytes / 8 {
            return self.chain.append_vec(bytes);
        }
        self.append(&bytes);
        Vec::new()
    }

    pub fn cursor(&self, offset: ReplOffset) -> Option<Cursor> {
        self.chain.cursor(offset.get())
    }

    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Whether there is anything that [`Backlog::trim`] might let go, told without looking at
    /// replicas.
    pub fn is_oversized(&self) -> bool {
        self.chain.len() > self.size_bytes
    }

    pub fn trim(&mut self, needs: Needs) {
        while let Some(next_start) = self.chain.second_start() {
            let needed = |by: Option<ReplOffset>| by.is_some_and(|from| from.get() < next_start);
            let is_recent = self.chain.end() - next_start < self.size_bytes;
            let is_affordable = self.chain.len() <= self.budget_bytes;
            if is_recent || needed(needs.pinned) || (is_affordable && needed(needs.wanted)) {
                break;
            }
            self.chain.pop_front();
        }
        assert!(needs.pinned.is_none_or(|from| from >= self.start()));
    }
}

/// A sixteenth of what is kept is trimmed at once, within reason.
fn block_bytes(size_bytes: u64) -> usize {
    let sixteenth = usize::try_from(size_bytes / 16).unwrap_or(BLOCK_BYTES);
    sixteenth.clamp(256, BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    const BLOCK: u64 = BLOCK_BYTES as u64;

    fn offset(bytes: u64) -> ReplOffset {
        ReplOffset::new(bytes)
    }

    /// Ten full blocks from offset 100, two of which always stay, five of which are affordable.
    fn ten_blocks() -> Backlog {
        let mut backlog = Backlog::new(offset(100), 2 * BLOCK, 5 * BLOCK);
        backlog.append(&vec![7; 10 * BLOCK_BYTES]);
        let mut small = Backlog::new(offset(100), 2 * BLOCK, 5 * BLOCK);
        for _ in 0..10 {
            small.append(&vec![7; BLOCK_BYTES]);
        }
        assert_eq!(small.len_bytes(), backlog.len_bytes());
        small
    }

    fn blocks_left(needs: Needs) -> u64 {
        let mut backlog = ten_blocks();
        backlog.trim(needs);
        backlog.len_bytes() / BLOCK
    }

    #[test]
    fn the_configured_size_always_stays() {
        assert_eq!(blocks_left(Needs::default()), 2);
    }

    #[test]
    fn a_big_write_is_trimmed_like_many_small_ones() {
        let size = 16 * 1024;
        let mut backlog = Backlog::new(offset(0), 64 * BLOCK, 0);
        backlog.resize(size, 0);
        assert!(backlog.append_vec(vec![7; 10 * BLOCK_BYTES]).is_empty());
        backlog.append(&vec![7; 10 * BLOCK_BYTES]);
        backlog.trim(Needs::default());
        assert!((size..size + 1024).contains(&backlog.len_bytes()));
    }

    #[test]
    fn what_is_being_sent_stays_whatever_it_costs() {
        let pinned = Some(offset(100 + 10));
        let needs = Needs {
            pinned,
            wanted: None,
        };
        assert_eq!(blocks_left(needs), 10);
        let pinned = Some(offset(100 + BLOCK));
        let needs = Needs {
            pinned,
            wanted: None,
        };
        assert_eq!(blocks_left(needs), 9);
    }

    #[test]
    fn what_may_be_asked_for_stays_within_the_budget() {
        let wanted = Some(offset(100 + BLOCK));
        let needs = Needs {
            pinned: None,
            wanted,
        };
        assert_eq!(blocks_left(needs), 5);
        let wanted = Some(offset(100 + 6 * BLOCK));
        let needs = Needs {
            pinned: None,
            wanted,
        };
        assert_eq!(blocks_left(needs), 4);
    }
}
