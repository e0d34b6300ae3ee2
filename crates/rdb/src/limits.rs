//! `LoadLimits`: what decides how loaded values are kept, and what is read at all.

use keyspace::hash::HashLimits;
use keyspace::set::SetLimits;
use keyspace::sorted_set::SortedSetLimits;
use structures::list::ListLimits;

use crate::format;

#[derive(Clone, Copy, Debug)]
pub struct LoadLimits {
    pub hash: HashLimits,
    pub set: SetLimits,
    pub sorted_set: SortedSetLimits,
    pub list: ListLimits,
    /// The newest version of Redis's numbering that is read. Valkey's 80 is always read.
    pub max_version: u16,
    /// Whether packed values are searched for duplicates and scores that are none
    /// (`sanitize-dump-payload`). Their structure is checked in any case.
    pub deep: bool,
}

impl LoadLimits {
    /// The limits of a server without configuration. `seed` keys the hashes of tables.
    pub fn defaults(seed: u64) -> LoadLimits {
        LoadLimits {
            hash: HashLimits {
                packed_entries_max: 128,
                packed_value_max_bytes: 64,
                seed,
            },
            set: SetLimits {
                ints_max: 512,
                packed_entries_max: 128,
                packed_value_max_bytes: 64,
                seed,
            },
            sorted_set: SortedSetLimits {
                packed_entries_max: 128,
                packed_value_max_bytes: 64,
                seed,
            },
            list: ListLimits::default(),
            max_version: format::VERSION_REDIS_MAX,
            deep: false,
        }
    }
}
