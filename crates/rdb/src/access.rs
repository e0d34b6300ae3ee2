//! When a key was last used, as the IDLE and FREQ opcodes carry it.
//!
//! Tests: round trips in `tests/`.

/// What the file says about a key's use; which of the two depends on the eviction policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessInfo {
    #[default]
    None,
    IdleSeconds(u64),
    Frequency(u8),
}
