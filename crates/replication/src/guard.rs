//! Whether a snapshot that has arrived may replace what we have: one pure function.
//!
//! A primary without persistence that crashes and is restarted comes back empty, under a new id, and
//! may have got a few keys from its clients before its replicas are back. They hold the only copy,
//! and plain Redis makes them throw it away. Here a set that is empty, or next to nothing beside what
//! we have, is taken only if that is what somebody wants: an operator just pointed us there, or it is
//! the same history going on (same id), in which somebody really did delete everything.
//!
//! Tests: at the bottom.

use std::fmt;

#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// `repl-refuse-empty`.
    pub is_enabled: bool,
    /// An operator told us to copy this primary, and we have not done so since.
    pub is_requested: bool,
    /// Both ends name the same history.
    pub is_same_history: bool,
    /// Without those whose time has passed: a cache may have emptied by itself.
    pub own_keys: u64,
    pub incoming_keys: u64,
}

/// From so many keys on, a set of a tenth of them is next to nothing.
const MANY_KEYS: u64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    RefuseEmpty,
}

/// Why a snapshot did not become the data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadFailure {
    /// [`Verdict::RefuseEmpty`] was obeyed.
    RefusedEmpty,
    /// Its version or a type in it is unknown here; trying again will not help soon.
    Incompatible(String),
    Corrupt(String),
    /// Our own trouble: memory, disk.
    Local(String),
}

impl fmt::Display for LoadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadFailure::RefusedEmpty => f.write_str(
                "the master is empty, or nearly so, and its history is another one, as after a restart \
                 without persistence: keeping our data. To copy it, set repl-refuse-empty to no, \
                 or repeat REPLICAOF after REPLICAOF NO ONE",
            ),
            LoadFailure::Incompatible(reason)
            | LoadFailure::Corrupt(reason)
            | LoadFailure::Local(reason) => f.write_str(reason),
        }
    }
}

pub fn judge(facts: &Facts) -> Verdict {
    let is_next_to_nothing = facts.own_keys >= MANY_KEYS && facts.incoming_keys <= facts.own_keys / 10;
    let wipes = facts.own_keys > 0 && (facts.incoming_keys == 0 || is_next_to_nothing);
    if facts.is_enabled && wipes && !facts.is_requested && !facts.is_same_history {
        Verdict::RefuseEmpty
    } else {
        Verdict::Accept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unexplained_emptiness_is_refused() {
        let refused = Facts {
            is_enabled: true,
            is_requested: false,
            is_same_history: false,
            own_keys: 1,
            incoming_keys: 0,
        };
        assert_eq!(judge(&refused), Verdict::RefuseEmpty);
        let nearly = Facts {
            own_keys: 1000,
            incoming_keys: 100,
            ..refused
        };
        assert_eq!(judge(&nearly), Verdict::RefuseEmpty);
        let fewer = Facts {
            incoming_keys: 101,
            ..nearly
        };
        assert_eq!(judge(&fewer), Verdict::Accept);
        for accepted in [
            Facts {
                is_enabled: false,
                ..refused
            },
            Facts {
                is_requested: true,
                ..refused
            },
            Facts {
                is_same_history: true,
                ..refused
            },
            Facts {
                own_keys: 0,
                ..refused
            },
            Facts {
                incoming_keys: 1,
                ..refused
            },
        ] {
            assert_eq!(judge(&accepted), Verdict::Accept, "{accepted:?}");
        }
    }
}
