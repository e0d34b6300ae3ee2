//! How large a node of a list may get: `list-max-listpack-size` in numbers.
//!
//! Source: redis.conf's description of the option; the 8 KB cap beside a limit by count and the
//! 8 bytes reckoned per new element are facts of Valkey 8.0.1, as Redis 7.2 has them. Tests: `tests.rs`.

use super::quicklist::Node;

/// What a node limited by count may hold in bytes, and from where an element is too large for it.
const SAFE_NODE_BYTES: usize = 8192;
/// Reckoned for the encoding of a new element.
const ENTRY_OVERHEAD_BYTES: usize = 8;
/// What merging two listpacks saves: one header and one end marker.
const MERGE_SAVING_BYTES: usize = 7;

/// The configuration that shapes lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimits {
    /// `list-max-listpack-size`: elements per node when positive; -1 to -5 are 4, 8, 16, 32, 64 KB.
    /// 0 is taken as 1, less than -5 as -5.
    pub fill: i16,
    /// From this size on an element gets a node of its own; 0 derives it from `fill`.
    pub plain_threshold_bytes: usize,
}

impl Default for ListLimits {
    fn default() -> ListLimits {
        ListLimits {
            fill: -2,
            plain_threshold_bytes: 0,
        }
    }
}

impl ListLimits {
    /// Unlimited when elements are counted.
    #[inline]
    pub(super) fn size_limit(&self) -> usize {
        match self.fill {
            0.. => usize::MAX,
            -1 => 4096,
            -2 => 8192,
            -3 => 16384,
            -4 => 32768,
            _ => 65536,
        }
    }

    /// Unlimited when bytes are counted.
    #[inline]
    pub(super) fn count_limit(&self) -> usize {
        match self.fill {
            0 => 1,
            fill @ 1.. => fill as usize,
            _ => usize::MAX,
        }
    }

    /// Whether a node of this size and count would be too large.
    #[inline]
    pub(super) fn exceeded_by(&self, size: usize, count: usize) -> bool {
        if self.fill < 0 {
            size > self.size_limit()
        } else {
            size > SAFE_NODE_BYTES || count > self.count_limit()
        }
    }

    /// Whether an element of `len` bytes gets a node of its own.
    #[inline]
    pub(super) fn is_plain(&self, len: usize) -> bool {
        match self.plain_threshold_bytes {
            0 if self.fill < 0 => len > self.size_limit(),
            0 => len > SAFE_NODE_BYTES,
            threshold => len >= threshold,
        }
    }

    /// Whether an element of `len` bytes, not to be plain, may be added to `node`.
    #[inline]
    pub(super) fn allows_insert(&self, node: &Node, len: usize) -> bool {
        match node {
            Node::Packed { count, pack } => {
                let size = pack.byte_len() + len + ENTRY_OVERHEAD_BYTES;
                !self.exceeded_by(size, *count as usize + 1)
            }
            Node::Plain(_) => false,
        }
    }

    /// Whether two neighbours may become one node.
    pub(super) fn allows_merge(&self, left: &Node, right: &Node) -> bool {
        match (left, right) {
            (
                Node::Packed {
                    count: left_count,
                    pack: left,
                },
                Node::Packed {
                    count: right_count,
                    pack: right,
                },
            ) => {
                let size = left.byte_len() + right.byte_len() - MERGE_SAVING_BYTES;
                !self.exceeded_by(size, *left_count as usize + *right_count as usize)
            }
            _ => false,
        }
    }
}
