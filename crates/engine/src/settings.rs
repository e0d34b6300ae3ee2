//! Option values that commands read while running, copied out of [`config::Config`] whenever it
//! changes, so that the hot path reads plain fields.

use config::{Config, MaxmemoryPolicy, SanitizeDumpPayload};
use keyspace::hash::HashLimits;
use keyspace::journal::NotifyClass;
use keyspace::set::SetLimits;
use keyspace::sorted_set::SortedSetLimits;
use keyspace::{EvictionPolicy, Keyspace};
use structures::list::ListLimits;

#[derive(Clone, Debug)]
pub struct Settings {
    pub hash_max_listpack_entries: usize,
    pub hash_max_listpack_value: usize,
    pub set_max_intset_entries: usize,
    pub set_max_listpack_entries: usize,
    pub set_max_listpack_value: usize,
    pub zset_max_listpack_entries: usize,
    pub zset_max_listpack_value: usize,
    pub list: ListLimits,
    pub maxmemory: u64,
    pub maxmemory_policy: EvictionPolicy,
    pub maxmemory_samples: usize,
    pub maxmemory_eviction_tenacity: u32,
    pub maxmemory_clients_bytes: u64,
    pub proto_max_bulk_len: i64,
    pub query_buffer_limit_bytes: usize,
    pub requires_password: bool,
    pub rdb_version: u16,
    /// RESTORE looks at payloads in depth, loading at files.
    pub sanitize_payloads: bool,
    pub sanitize_files: bool,
    pub slowlog_threshold_us: i64,
    pub latency_tracking: bool,
    pub hide_user_data: bool,
    pub lazyfree_user_del: bool,
    pub lazyfree_user_flush: bool,
    pub lazyfree_expire: bool,
    pub lazyfree_eviction: bool,
    pub lazyfree_server_del: bool,
}

impl Settings {
    pub fn from_config(config: &Config) -> Settings {
        Settings {
            hash_max_listpack_entries: config.hash_max_listpack_entries,
            hash_max_listpack_value: config.hash_max_listpack_value,
            set_max_intset_entries: config.set_max_intset_entries,
            set_max_listpack_entries: config.set_max_listpack_entries,
            set_max_listpack_value: config.set_max_listpack_value,
            zset_max_listpack_entries: config.zset_max_listpack_entries,
            zset_max_listpack_value: config.zset_max_listpack_value,
            list: ListLimits {
                fill: config.list_max_listpack_size.clamp(-5, i32::from(i16::MAX)) as i16,
                plain_threshold_bytes: 0,
            },
            maxmemory: config.maxmemory,
            maxmemory_policy: policy(config.maxmemory_policy),
            maxmemory_samples: config.maxmemory_samples as usize,
            maxmemory_eviction_tenacity: config.maxmemory_eviction_tenacity,
            maxmemory_clients_bytes: config.maxmemory_clients.limit_bytes(config.maxmemory),
            proto_max_bulk_len: i64::try_from(config.proto_max_bulk_len).unwrap_or(i64::MAX),
            query_buffer_limit_bytes: config.client_query_buffer_limit,
            rdb_version: config.rdb_version,
            sanitize_payloads: config.sanitize_dump_payload != SanitizeDumpPayload::No,
            sanitize_files: config.sanitize_dump_payload == SanitizeDumpPayload::Yes,
            requires_password: !config.requirepass.as_bytes().is_empty(),
            slowlog_threshold_us: config.slowlog_log_slower_than,
            latency_tracking: config.latency_tracking,
            hide_user_data: config.hide_user_data_from_log,
            lazyfree_user_del: config.lazyfree_lazy_user_del,
            lazyfree_user_flush: config.lazyfree_lazy_user_flush,
            lazyfree_expire: config.lazyfree_lazy_expire,
            lazyfree_eviction: config.lazyfree_lazy_eviction,
            lazyfree_server_del: config.lazyfree_lazy_server_del,
        }
    }

    pub fn hash_limits(&self, keyspace: &Keyspace) -> HashLimits {
        HashLimits {
            packed_entries_max: self.hash_max_listpack_entries,
            packed_value_max_bytes: self.hash_max_listpack_value,
            seed: keyspace.hash_seed(),
        }
    }

    pub fn set_limits(&self, keyspace: &Keyspace) -> SetLimits {
        SetLimits {
            ints_max: self.set_max_intset_entries,
            packed_entries_max: self.set_max_listpack_entries,
            packed_value_max_bytes: self.set_max_listpack_value,
            seed: keyspace.hash_seed(),
        }
    }

    pub fn sorted_set_limits(&self, keyspace: &Keyspace) -> SortedSetLimits {
        SortedSetLimits {
            packed_entries_max: self.zset_max_listpack_entries,
            packed_value_max_bytes: self.zset_max_listpack_value,
            seed: keyspace.hash_seed(),
        }
    }

    /// Hands the keyspace what it goes by.
    pub(crate) fn apply_to(&self, config: &Config, keyspace: &mut Keyspace) {
        if self.maxmemory_policy.is_lfu() {
            keyspace.track_lfu(config.lfu_log_factor, config.lfu_decay_time);
        } else {
            keyspace.track_lru();
        }
        keyspace.journal.notify = NotifyClass(config.notify_keyspace_events.0);
    }
}

fn policy(name: MaxmemoryPolicy) -> EvictionPolicy {
    match name {
        MaxmemoryPolicy::NoEviction => EvictionPolicy::NoEviction,
        MaxmemoryPolicy::AllkeysLru => EvictionPolicy::AllKeysLru,
        MaxmemoryPolicy::AllkeysLfu => EvictionPolicy::AllKeysLfu,
        MaxmemoryPolicy::AllkeysRandom => EvictionPolicy::AllKeysRandom,
        MaxmemoryPolicy::VolatileLru => EvictionPolicy::VolatileLru,
        MaxmemoryPolicy::VolatileLfu => EvictionPolicy::VolatileLfu,
        MaxmemoryPolicy::VolatileRandom => EvictionPolicy::VolatileRandom,
        MaxmemoryPolicy::VolatileTtl => EvictionPolicy::VolatileTtl,
    }
}
