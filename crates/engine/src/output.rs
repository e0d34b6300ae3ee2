//! A session's pending reply bytes: a tail being written to, and full chunks queued before it.
//!
//! Chunks keep a client that never reads from making one huge buffer move about; the tail of an idle
//! session goes back to a pool, so idle sessions own no buffers. Bytes behind a mark are not shown
//! until they are released (`release`).

use crate::clients::REPLY_BUFFER_MAX_BYTES;
use crate::release::Marks;
use std::collections::VecDeque;

/// A tail longer than this is queued and a new one begun.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;
/// Buffers larger than this are freed instead of pooled.
const POOLED_BYTES: usize = 64 * 1024;
const POOL_COUNT: usize = 64;

#[derive(Default)]
pub struct Output {
    queue: VecDeque<Vec<u8>>,
    pub(crate) tail: Vec<u8>,
    /// Bytes of the first chunk that were already taken.
    sent: usize,
    queued_bytes: usize,
    /// Bytes of buffers that are gone: the position of the first chunk's first byte.
    passed: u64,
    pub(crate) marks: Marks,
}

impl Output {
    /// Bytes not yet taken. While a writer has the tail, part of which may have been sent, its bytes
    /// are not among them.
    pub fn len(&self) -> usize {
        (self.queued_bytes + self.tail.len()).saturating_sub(self.sent)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the bytes are more than a reply buffer is meant to hold.
    fn is_queued(&self) -> bool {
        self.len() > REPLY_BUFFER_MAX_BYTES
    }

    /// Bytes in the reply buffer proper (CLIENT LIST's `obl`).
    pub fn direct_bytes(&self) -> usize {
        if self.is_queued() { 0 } else { self.len() }
    }

    /// Bytes beyond a reply buffer (`omem`): what output limits go by.
    pub fn queued_bytes(&self) -> usize {
        if self.is_queued() { self.len() } else { 0 }
    }

    /// How long what a writer holds may get before [`Output::queued_bytes`] will exceed `limit`.
    pub(crate) fn room(&self, limit: usize) -> usize {
        let most = limit.max(REPLY_BUFFER_MAX_BYTES);
        most.saturating_add(self.sent)
            .saturating_sub(self.queued_bytes)
    }

    /// Chunks those bytes are in (`oll`).
    pub fn queued_count(&self) -> usize {
        if self.is_queued() {
            self.queue.len() + usize::from(!self.tail.is_empty())
        } else {
            0
        }
    }

    /// Bytes the buffers occupy.
    pub fn heap_bytes(&self) -> usize {
        self.queue.iter().map(Vec::capacity).sum::<usize>() + self.tail.capacity()
    }

    pub(crate) fn take_tail(&mut self, pool: &mut BufferPool, capacity: usize) -> Vec<u8> {
        if self.tail.capacity() == 0 {
            return pool.take(capacity);
        }
        std::mem::take(&mut self.tail)
    }

    pub(crate) fn put_tail(&mut self, tail: Vec<u8>, pool: &mut BufferPool) {
        debug_assert!(self.tail.is_empty());
        if tail.is_empty() {
            pool.give(tail);
        } else if tail.len() > CHUNK_BYTES {
            self.queued_bytes += tail.len();
            self.queue.push_back(tail);
        } else {
            self.tail = tail;
        }
    }

    /// The next bytes to send; empty when there are none that may go.
    #[inline]
    pub fn front(&self) -> &[u8] {
        let chunk = self.queue.front().unwrap_or(&self.tail);
        match self.marks.first() {
            None => &chunk[self.sent..],
            Some(position) => {
                let released = position.saturating_sub(self.passed);
                let end = usize::try_from(released).map_or(chunk.len(), |end| end.min(chunk.len()));
                &chunk[self.sent.min(end)..end]
            }
        }
    }

    /// The position of byte `at` of the tail, also while a writer has it.
    pub(crate) fn position_in_tail(&self, at: usize) -> u64 {
        self.passed + (self.queued_bytes + at) as u64
    }

    /// `count` bytes of [`Output::front`] were sent.
    pub(crate) fn advance(&mut self, count: usize, pool: &mut BufferPool) {
        self.sent += count;
        debug_assert!(self.sent <= self.queue.front().unwrap_or(&self.tail).len());
        if let Some(front) = self.queue.front() {
            if self.sent == front.len() {
                self.queued_bytes -= self.sent;
                self.passed += self.sent as u64;
                self.sent = 0;
                if let Some(done) = self.queue.pop_front() {
                    pool.give(done);
                }
            }
        } else if self.sent == self.tail.len() {
            self.passed += self.sent as u64;
            self.sent = 0;
            pool.give(std::mem::take(&mut self.tail));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Output::default();
    }
}

/// Spare buffers, last used first.
#[derive(Default)]
pub(crate) struct BufferPool(Vec<Vec<u8>>);

impl BufferPool {
    /// A buffer for at least `capacity` bytes.
    #[inline]
    pub fn take(&mut self, capacity: usize) -> Vec<u8> {
        let mut buffer = self.0.pop().unwrap_or_default();
        buffer.reserve(capacity);
        buffer
    }

    pub fn give(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > 0 && buffer.capacity() <= POOLED_BYTES && self.0.len() < POOL_COUNT {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}
