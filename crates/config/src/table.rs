//! Every option once: one row of `options!` yields its id, its typed field in `Config` and its
//! `OptionSpec` (names, kind with bounds and default, who may change it, whether it is built).
//!
//! A row reads `Id field: Type = "name" ["alias", …] kind, access, built|later;`. `later` marks an
//! option that is stored, shown and rewritten but has no effect in this release: a value other
//! than its default gives one warning that names it. When a feature is built, its rows change to
//! `built`, here and nowhere else.
//! Names and defaults are Redis 7.4's; what Valkey 8 added is included, with Redis's default
//! where both know the option (lazyfree-*, repl-backlog-size, hide-user-data-from-log,
//! io-threads-do-reads). To add an option add a row; hygiene tests at the bottom.

use crate::check;
use crate::check::Check;
use crate::field::Field;
use crate::kind::{Kind, Value};
use crate::load::Directive;
use crate::text::Text;
use crate::types::*;

/// One option, as data.
#[derive(Debug)]
pub struct OptionSpec {
    pub id: OptionId,
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    pub access: Access,
    /// The option's effect exists in this release.
    pub built: bool,
}

impl OptionSpec {
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// Who may change an option, and who sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// CONFIG SET may change it.
    pub modifiable: bool,
    /// CONFIG SET needs `enable-protected-configs`.
    pub protected: bool,
    /// CONFIG SET is refused while a data set is being loaded.
    pub deny_loading: bool,
    /// Patterns in CONFIG GET do not match it.
    pub hidden: bool,
    /// Its value must not reach MONITOR, SLOWLOG or logs.
    pub sensitive: bool,
    /// A crash report lists it.
    pub debug: bool,
    /// Setting it to the value it has is a change all the same: the file behind it may differ.
    pub volatile: bool,
}

const IMMUTABLE: Access = Access {
    modifiable: false,
    protected: false,
    deny_loading: false,
    hidden: false,
    sensitive: false,
    debug: false,
    volatile: false,
};
const MODIFIABLE: Access = Access {
    modifiable: true,
    ..IMMUTABLE
};

impl Access {
    const fn protected(self) -> Access {
        Access {
            protected: true,
            ..self
        }
    }
    const fn deny_loading(self) -> Access {
        Access {
            deny_loading: true,
            ..self
        }
    }
    const fn hidden(self) -> Access {
        Access {
            hidden: true,
            ..self
        }
    }
    const fn sensitive(self) -> Access {
        Access {
            sensitive: true,
            ..self
        }
    }
    const fn debug(self) -> Access {
        Access {
            debug: true,
            ..self
        }
    }
    const fn volatile(self) -> Access {
        Access {
            volatile: true,
            ..self
        }
    }
}

const I32: i64 = i32::MAX as i64;
const U32: i64 = u32::MAX as i64;
const I64: i64 = i64::MAX;

const YES: Kind = Kind::Bool { default: true };
const NO: Kind = Kind::Bool { default: false };
const PORT: Kind = int(0, 65535, 0);
/// A string whose empty value means that it is not set.
const UNSET: Kind = Kind::Text {
    default: "",
    unset_if_empty: true,
    check: None,
};

const fn int(min: i64, max: i64, default: i64) -> Kind {
    Kind::Integer { min, max, default }
}

/// A size kept in a signed number.
const fn size(min: u64, default: u64) -> Kind {
    Kind::Memory {
        min,
        max: i64::MAX as u64,
        default,
    }
}

const fn text(default: &'static str) -> Kind {
    Kind::Text {
        default,
        unset_if_empty: false,
        check: None,
    }
}

const fn checked(default: &'static str, check: Check) -> Kind {
    Kind::Text {
        default,
        unset_if_empty: false,
        check: Some(check),
    }
}

const fn unset_or(check: Check) -> Kind {
    Kind::Text {
        default: "",
        unset_if_empty: true,
        check: Some(check),
    }
}

macro_rules! choice {
    ($name:ident :: $default:ident) => {
        Kind::Choice {
            names: $name::NAMES,
            default: $name::$default as u32,
        }
    };
}

macro_rules! is_built {
    (built) => {
        true
    };
    (later) => {
        false
    };
}

macro_rules! options {
    ($($id:ident $field:ident : $type:ty = $name:literal [$($alias:literal),*]
        $kind:expr, $access:expr, $built:ident;)+) => {
        /// Names an option to `Changed` and to the warnings' readers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum OptionId { $($id),+ }

        /// All options, in the order of the table; `OPTIONS[id as usize]` is the option `id`.
        pub static OPTIONS: &[OptionSpec] = &[$(OptionSpec {
            id: OptionId::$id,
            name: $name,
            aliases: &[$($alias),*],
            kind: $kind,
            access: $access,
            built: is_built!($built),
        }),+];

        /// The settings of one server. Plain fields, read directly by whoever needs one; changed
        /// through `load` and `set`, or by the owner where a command owns the option (REPLICAOF),
        /// followed by `touch`.
        #[derive(Clone, Debug)]
        pub struct Config {
            /// Grows with every change, so that what is derived from options can be cached.
            pub version: u64,
            /// `rename-command` lines in order; the owner of the command table applies them.
            pub rename_commands: Vec<Directive>,
            /// `user` lines, for the ACL.
            pub users: Vec<Directive>,
            /// `loadmodule` lines.
            pub modules: Vec<Directive>,
            /// `sentinel …` lines, when loaded in Sentinel mode.
            pub sentinel: Vec<Directive>,
            $(pub $field: $type,)+
        }

        impl Default for Config {
            fn default() -> Config {
                Config {
                    version: 0,
                    rename_commands: Vec::new(),
                    users: Vec::new(),
                    modules: Vec::new(),
                    sentinel: Vec::new(),
                    $($field: Field::from_value(OptionId::$id.spec().kind.default()),)+
                }
            }
        }

        impl Config {
            /// The value of any option.
            pub fn value(&self, id: OptionId) -> Value {
                match id { $(OptionId::$id => Field::to_value(&self.$field),)+ }
            }

            /// Stores a value that `Kind::parse` accepted.
            pub(crate) fn put(&mut self, id: OptionId, value: Value) {
                match id { $(OptionId::$id => self.$field = Field::from_value(value),)+ }
            }
        }
    };
}

options! {
    // Network and clients.
    Bind bind: Vec<String> = "bind" [] Kind::Bind, MODIFIABLE, built;
    BindSourceAddr bind_source_addr: Text = "bind-source-addr" [] UNSET, MODIFIABLE, built;
    Port port: u16 = "port" [] int(0, 65535, 6379), MODIFIABLE, built;
    ProtectedMode protected_mode: bool = "protected-mode" [] YES, MODIFIABLE, built;
    Unixsocket unixsocket: Text = "unixsocket" [] UNSET, IMMUTABLE, built;
    Unixsocketgroup unixsocketgroup: Text = "unixsocketgroup" [] UNSET, IMMUTABLE, later;
    Unixsocketperm unixsocketperm: u32 = "unixsocketperm" [] Kind::Octal { min: 0, max: 0o777, default: 0 }, IMMUTABLE, built;
    TcpBacklog tcp_backlog: u32 = "tcp-backlog" [] int(0, I32, 511), IMMUTABLE, built;
    TcpKeepalive tcp_keepalive: u32 = "tcp-keepalive" [] int(0, I32, 300), MODIFIABLE, built;
    Timeout timeout: u32 = "timeout" [] int(0, I32, 0), MODIFIABLE, built;
    SocketMarkId socket_mark_id: u32 = "socket-mark-id" [] int(0, U32, 0), IMMUTABLE, later;
    Maxclients maxclients: u32 = "maxclients" [] int(1, U32, 10000), MODIFIABLE, built;
    MaxNewConnectionsPerCycle max_new_connections_per_cycle: u32 = "max-new-connections-per-cycle" [] int(1, 1000, 10), MODIFIABLE, later;
    MaxNewTlsConnectionsPerCycle max_new_tls_connections_per_cycle: u32 = "max-new-tls-connections-per-cycle" [] int(1, 1000, 1), MODIFIABLE, later;
    ClientQueryBufferLimit client_query_buffer_limit: usize = "client-query-buffer-limit" [] size(1 << 20, 1 << 30), MODIFIABLE.debug(), built;
    ClientOutputBufferLimit client_output_buffer_limits: OutputBufferLimits = "client-output-buffer-limit" [] Kind::OutputBufferLimits, MODIFIABLE, built;
    ProtoMaxBulkLen proto_max_bulk_len: usize = "proto-max-bulk-len" [] size(1 << 20, 512 << 20), MODIFIABLE.debug(), built;
    ClientDefaultResp client_default_resp: u32 = "client-default-resp" [] int(2, 3, 2), IMMUTABLE.hidden(), later;
    TrackingTableMaxKeys tracking_table_max_keys: usize = "tracking-table-max-keys" [] int(0, I64, 1_000_000), MODIFIABLE, later;

    // Process.
    Daemonize daemonize: bool = "daemonize" [] NO, IMMUTABLE, built;
    Supervised supervised: Supervised = "supervised" [] choice!(Supervised::No), IMMUTABLE, built;
    Pidfile pidfile: Text = "pidfile" [] UNSET, IMMUTABLE, built;
    Loglevel loglevel: LogLevel = "loglevel" [] choice!(LogLevel::Notice), MODIFIABLE, built;
    Logfile logfile: Text = "logfile" [] text(""), IMMUTABLE, built;
    SyslogEnabled syslog_enabled: bool = "syslog-enabled" [] NO, IMMUTABLE, built;
    SyslogIdent syslog_ident: Text = "syslog-ident" [] text("redis"), IMMUTABLE, built;
    SyslogFacility syslog_facility: SyslogFacility = "syslog-facility" [] choice!(SyslogFacility::Local0), IMMUTABLE, built;
    AlwaysShowLogo always_show_logo: bool = "always-show-logo" [] NO, IMMUTABLE, built;
    HideUserDataFromLog hide_user_data_from_log: bool = "hide-user-data-from-log" [] NO, MODIFIABLE, built;
    SetProcTitle set_proc_title: bool = "set-proc-title" [] YES, IMMUTABLE, built;
    ProcTitleTemplate proc_title_template: Text = "proc-title-template" [] checked("{title} {listen-addr} {server-mode}", check::proc_title_template), MODIFIABLE, built;
    LocaleCollate locale_collate: Text = "locale-collate" [] text(""), MODIFIABLE, later;
    CrashLogEnabled crash_log_enabled: bool = "crash-log-enabled" [] YES, MODIFIABLE, built;
    CrashMemcheckEnabled crash_memcheck_enabled: bool = "crash-memcheck-enabled" [] YES, MODIFIABLE, built;
    UseExitOnPanic use_exit_on_panic: bool = "use-exit-on-panic" [] NO, MODIFIABLE.hidden(), later;
    WatchdogPeriod watchdog_period: u32 = "watchdog-period" [] int(0, I32, 0), MODIFIABLE.hidden(), built;
    EnableDebugAssert enable_debug_assert: bool = "enable-debug-assert" [] NO, IMMUTABLE.hidden(), later;
    DebugContext debug_context: Text = "debug-context" [] text(""), MODIFIABLE.debug().hidden(), later;
    ShutdownTimeout shutdown_timeout: u32 = "shutdown-timeout" [] int(0, I32, 10), MODIFIABLE, built;
    ShutdownOnSigint shutdown_on_sigint: ShutdownFlags = "shutdown-on-sigint" [] Kind::Shutdown, MODIFIABLE, built;
    ShutdownOnSigterm shutdown_on_sigterm: ShutdownFlags = "shutdown-on-sigterm" [] Kind::Shutdown, MODIFIABLE, built;
    OomScoreAdj oom_score_adj: OomScoreAdj = "oom-score-adj" [] choice!(OomScoreAdj::No), MODIFIABLE, later;
    OomScoreAdjValues oom_score_adj_values: [i32; 3] = "oom-score-adj-values" [] Kind::OomScores, MODIFIABLE, later;
    DisableThp disable_thp: bool = "disable-thp" [] YES, IMMUTABLE, later;
    ServerCpulist server_cpulist: Text = "server-cpulist" ["server_cpulist"] UNSET, IMMUTABLE, later;
    BioCpulist bio_cpulist: Text = "bio-cpulist" ["bio_cpulist"] UNSET, IMMUTABLE, later;
    AofRewriteCpulist aof_rewrite_cpulist: Text = "aof-rewrite-cpulist" ["aof_rewrite_cpulist"] UNSET, IMMUTABLE, later;
    BgsaveCpulist bgsave_cpulist: Text = "bgsave-cpulist" ["bgsave_cpulist"] UNSET, IMMUTABLE, later;
    IgnoreWarnings ignore_warnings: Text = "ignore-warnings" [] text(""), MODIFIABLE, later;
    AvailabilityZone availability_zone: Text = "availability-zone" [] text(""), MODIFIABLE, later;
    ExtendedRedisCompatibility extended_redis_compatibility: bool = "extended-redis-compatibility" [] NO, MODIFIABLE, built;

    // Access.
    Requirepass requirepass: Text = "requirepass" [] UNSET, MODIFIABLE.sensitive(), built;
    EnableProtectedConfigs enable_protected_configs: ProtectedAction = "enable-protected-configs" [] choice!(ProtectedAction::No), IMMUTABLE, built;
    EnableDebugCommand enable_debug_command: ProtectedAction = "enable-debug-command" [] choice!(ProtectedAction::No), IMMUTABLE, built;
    EnableModuleCommand enable_module_command: ProtectedAction = "enable-module-command" [] choice!(ProtectedAction::No), IMMUTABLE, built;
    Aclfile aclfile: Text = "aclfile" [] text(""), IMMUTABLE, later;
    AcllogMaxLen acllog_max_len: usize = "acllog-max-len" [] int(0, I64, 128), MODIFIABLE, later;
    AclPubsubDefault acl_pubsub_default: AclPubsubDefault = "acl-pubsub-default" [] choice!(AclPubsubDefault::ResetChannels), MODIFIABLE, later;

    // Main loop, memory, expiry.
    Databases databases: usize = "databases" [] int(1, I32, 16), IMMUTABLE, built;
    Hz hz: u32 = "hz" [] int(0, I32, 10), MODIFIABLE, built;
    DynamicHz dynamic_hz: bool = "dynamic-hz" [] YES, MODIFIABLE, built;
    Activerehashing activerehashing: bool = "activerehashing" [] YES, MODIFIABLE, later;
    ActiveExpireEffort active_expire_effort: u32 = "active-expire-effort" [] int(1, 10, 1), MODIFIABLE, built;
    Maxmemory maxmemory: u64 = "maxmemory" [] Kind::Memory { min: 0, max: u64::MAX, default: 0 }, MODIFIABLE, built;
    MaxmemoryPolicy maxmemory_policy: MaxmemoryPolicy = "maxmemory-policy" [] choice!(MaxmemoryPolicy::NoEviction), MODIFIABLE, built;
    MaxmemorySamples maxmemory_samples: u32 = "maxmemory-samples" [] int(1, 64, 5), MODIFIABLE, built;
    MaxmemoryEvictionTenacity maxmemory_eviction_tenacity: u32 = "maxmemory-eviction-tenacity" [] int(0, 100, 10), MODIFIABLE, built;
    MaxmemoryClients maxmemory_clients: ClientsMemory = "maxmemory-clients" [] Kind::MemoryOrPercent, MODIFIABLE, built;
    LfuLogFactor lfu_log_factor: u32 = "lfu-log-factor" [] int(0, I32, 10), MODIFIABLE, built;
    LfuDecayTime lfu_decay_time: u32 = "lfu-decay-time" [] int(0, I32, 1), MODIFIABLE, built;
    LazyfreeLazyEviction lazyfree_lazy_eviction: bool = "lazyfree-lazy-eviction" [] NO, MODIFIABLE.debug(), built;
    LazyfreeLazyExpire lazyfree_lazy_expire: bool = "lazyfree-lazy-expire" [] NO, MODIFIABLE.debug(), built;
    LazyfreeLazyServerDel lazyfree_lazy_server_del: bool = "lazyfree-lazy-server-del" [] NO, MODIFIABLE.debug(), built;
    LazyfreeLazyUserDel lazyfree_lazy_user_del: bool = "lazyfree-lazy-user-del" [] NO, MODIFIABLE.debug(), built;
    LazyfreeLazyUserFlush lazyfree_lazy_user_flush: bool = "lazyfree-lazy-user-flush" [] NO, MODIFIABLE.debug(), built;
    IoThreads io_threads: u32 = "io-threads" [] int(1, 128, 1), IMMUTABLE.debug(), later;
    IoThreadsDoReads io_threads_do_reads: bool = "io-threads-do-reads" [] NO, IMMUTABLE.debug(), later;
    EventsPerIoThread events_per_io_thread: u32 = "events-per-io-thread" [] int(0, I32, 2), MODIFIABLE, later;
    PrefetchBatchMaxSize prefetch_batch_max_size: u32 = "prefetch-batch-max-size" [] int(0, 128, 16), MODIFIABLE, later;
    JemallocBgThread jemalloc_bg_thread: bool = "jemalloc-bg-thread" [] YES, MODIFIABLE, later;
    Activedefrag activedefrag: bool = "activedefrag" [] NO, MODIFIABLE.debug(), later;
    ActiveDefragIgnoreBytes active_defrag_ignore_bytes: u64 = "active-defrag-ignore-bytes" [] size(1, 100 << 20), MODIFIABLE, later;
    ActiveDefragThresholdLower active_defrag_threshold_lower: u32 = "active-defrag-threshold-lower" [] int(0, 1000, 10), MODIFIABLE, later;
    ActiveDefragThresholdUpper active_defrag_threshold_upper: u32 = "active-defrag-threshold-upper" [] int(0, 1000, 100), MODIFIABLE, later;
    ActiveDefragCycleMin active_defrag_cycle_min: u32 = "active-defrag-cycle-min" [] int(1, 99, 1), MODIFIABLE, later;
    ActiveDefragCycleMax active_defrag_cycle_max: u32 = "active-defrag-cycle-max" [] int(1, 99, 25), MODIFIABLE, later;
    ActiveDefragMaxScanFields active_defrag_max_scan_fields: u64 = "active-defrag-max-scan-fields" [] int(1, I64, 1000), MODIFIABLE, later;

    // Encodings.
    HashMaxListpackEntries hash_max_listpack_entries: usize = "hash-max-listpack-entries" ["hash-max-ziplist-entries"] int(0, I64, 512), MODIFIABLE, built;
    HashMaxListpackValue hash_max_listpack_value: usize = "hash-max-listpack-value" ["hash-max-ziplist-value"] size(0, 64), MODIFIABLE, built;
    ListMaxListpackSize list_max_listpack_size: i32 = "list-max-listpack-size" ["list-max-ziplist-size"] int(i32::MIN as i64, I32, -2), MODIFIABLE, built;
    ListCompressDepth list_compress_depth: u32 = "list-compress-depth" [] int(0, I32, 0), MODIFIABLE.debug(), later;
    SetMaxIntsetEntries set_max_intset_entries: usize = "set-max-intset-entries" [] int(0, I64, 512), MODIFIABLE, built;
    SetMaxListpackEntries set_max_listpack_entries: usize = "set-max-listpack-entries" [] int(0, I64, 128), MODIFIABLE, built;
    SetMaxListpackValue set_max_listpack_value: usize = "set-max-listpack-value" [] int(0, I64, 64), MODIFIABLE, built;
    ZsetMaxListpackEntries zset_max_listpack_entries: usize = "zset-max-listpack-entries" ["zset-max-ziplist-entries"] int(0, I64, 128), MODIFIABLE, built;
    ZsetMaxListpackValue zset_max_listpack_value: usize = "zset-max-listpack-value" ["zset-max-ziplist-value"] size(0, 64), MODIFIABLE, built;
    HllSparseMaxBytes hll_sparse_max_bytes: usize = "hll-sparse-max-bytes" [] size(0, 3000), MODIFIABLE, later;
    StreamNodeMaxBytes stream_node_max_bytes: usize = "stream-node-max-bytes" [] size(0, 4096), MODIFIABLE, later;
    StreamNodeMaxEntries stream_node_max_entries: u64 = "stream-node-max-entries" [] int(0, I64, 100), MODIFIABLE, later;

    // Events, slow log, latency, scripts.
    NotifyKeyspaceEvents notify_keyspace_events: NotifyFlags = "notify-keyspace-events" [] Kind::NotifyEvents, MODIFIABLE, built;
    SlowlogLogSlowerThan slowlog_log_slower_than: i64 = "slowlog-log-slower-than" [] int(-1, I64, 10000), MODIFIABLE, built;
    SlowlogMaxLen slowlog_max_len: usize = "slowlog-max-len" [] int(0, I64, 128), MODIFIABLE, built;
    LatencyMonitorThreshold latency_monitor_threshold: i64 = "latency-monitor-threshold" [] int(0, I64, 0), MODIFIABLE, later;
    LatencyTracking latency_tracking: bool = "latency-tracking" [] YES, MODIFIABLE, built;
    LatencyTrackingInfoPercentiles latency_tracking_info_percentiles: Vec<f64> = "latency-tracking-info-percentiles" [] Kind::Percentiles, MODIFIABLE, built;
    BusyReplyThreshold busy_reply_threshold: i64 = "busy-reply-threshold" ["lua-time-limit"] int(0, I64, 5000), MODIFIABLE, later;
    PropagationErrorBehavior propagation_error_behavior: PropagationErrorBehavior = "propagation-error-behavior" [] choice!(PropagationErrorBehavior::Ignore), MODIFIABLE, later;

    // Persistence.
    Dir dir: Text = "dir" [] Kind::Dir, MODIFIABLE.protected().deny_loading(), built;
    Dbfilename dbfilename: Text = "dbfilename" [] checked("dump.rdb", check::dbfilename), MODIFIABLE.protected(), built;
    Save save: Vec<SavePoint> = "save" [] Kind::Save, MODIFIABLE, built;
    StopWritesOnBgsaveError stop_writes_on_bgsave_error: bool = "stop-writes-on-bgsave-error" [] YES, MODIFIABLE, built;
    Rdbcompression rdbcompression: bool = "rdbcompression" [] YES, MODIFIABLE, built;
    Rdbchecksum rdbchecksum: bool = "rdbchecksum" [] YES, IMMUTABLE, built;
    RdbVersion rdb_version: u16 = "rdb-version" [] int(10, 11, 11), MODIFIABLE, built;
    RdbDelSyncFiles rdb_del_sync_files: bool = "rdb-del-sync-files" [] NO, MODIFIABLE, built;
    RdbSaveIncrementalFsync rdb_save_incremental_fsync: bool = "rdb-save-incremental-fsync" [] YES, MODIFIABLE, built;
    RdbKeySaveDelay rdb_key_save_delay: i32 = "rdb-key-save-delay" [] int(i32::MIN as i64, I32, 0), MODIFIABLE.hidden(), built;
    KeyLoadDelay key_load_delay: i32 = "key-load-delay" [] int(i32::MIN as i64, I32, 0), MODIFIABLE.hidden(), built;
    LoadingProcessEventsIntervalBytes loading_process_events_interval_bytes: u64 = "loading-process-events-interval-bytes" [] int(1024, I32, 2 << 20), MODIFIABLE.hidden(), built;
    SanitizeDumpPayload sanitize_dump_payload: SanitizeDumpPayload = "sanitize-dump-payload" [] choice!(SanitizeDumpPayload::No), MODIFIABLE.debug(), built;
    Appendonly appendonly: bool = "appendonly" [] NO, MODIFIABLE.deny_loading(), built;
    Appendfilename appendfilename: Text = "appendfilename" [] checked("appendonly.aof", check::appendfilename), IMMUTABLE, built;
    Appenddirname appenddirname: Text = "appenddirname" [] checked("appendonlydir", check::appenddirname), IMMUTABLE, built;
    Appendfsync appendfsync: AppendFsync = "appendfsync" [] choice!(AppendFsync::EverySec), MODIFIABLE, built;
    NoAppendfsyncOnRewrite no_appendfsync_on_rewrite: bool = "no-appendfsync-on-rewrite" [] NO, MODIFIABLE, built;
    AutoAofRewritePercentage auto_aof_rewrite_percentage: u32 = "auto-aof-rewrite-percentage" [] int(0, I32, 100), MODIFIABLE, built;
    AutoAofRewriteMinSize auto_aof_rewrite_min_size: u64 = "auto-aof-rewrite-min-size" [] size(0, 64 << 20), MODIFIABLE, built;
    AofLoadTruncated aof_load_truncated: bool = "aof-load-truncated" [] YES, MODIFIABLE, built;
    AofUseRdbPreamble aof_use_rdb_preamble: bool = "aof-use-rdb-preamble" [] YES, MODIFIABLE, built;
    AofTimestampEnabled aof_timestamp_enabled: bool = "aof-timestamp-enabled" [] NO, MODIFIABLE, built;
    AofRewriteIncrementalFsync aof_rewrite_incremental_fsync: bool = "aof-rewrite-incremental-fsync" [] YES, MODIFIABLE, built;
    AofDisableAutoGc aof_disable_auto_gc: bool = "aof-disable-auto-gc" [] NO, MODIFIABLE.hidden(), built;

    // Replication.
    Replicaof replicaof: Option<PrimaryAddress> = "replicaof" ["slaveof"] Kind::ReplicaOf, IMMUTABLE, built;
    Primaryauth primaryauth: Text = "masterauth" ["primaryauth"] UNSET, MODIFIABLE.sensitive(), built;
    Primaryuser primaryuser: Text = "masteruser" ["primaryuser"] UNSET, MODIFIABLE.sensitive(), built;
    ReplicaServeStaleData replica_serve_stale_data: bool = "replica-serve-stale-data" ["slave-serve-stale-data"] YES, MODIFIABLE, built;
    ReplicaReadOnly replica_read_only: bool = "replica-read-only" ["slave-read-only"] YES, MODIFIABLE.debug(), built;
    ReplicaLazyFlush replica_lazy_flush: bool = "replica-lazy-flush" ["slave-lazy-flush"] NO, MODIFIABLE, built;
    ReplicaIgnoreMaxmemory replica_ignore_maxmemory: bool = "replica-ignore-maxmemory" ["slave-ignore-maxmemory"] YES, MODIFIABLE, built;
    ReplicaIgnoreDiskWriteErrors replica_ignore_disk_write_errors: bool = "replica-ignore-disk-write-errors" [] NO, MODIFIABLE, built;
    ReplicaPriority replica_priority: u32 = "replica-priority" ["slave-priority"] int(0, I32, 100), MODIFIABLE, built;
    ReplicaAnnounced replica_announced: bool = "replica-announced" [] YES, MODIFIABLE, built;
    ReplicaAnnounceIp replica_announce_ip: Text = "replica-announce-ip" ["slave-announce-ip"] UNSET, MODIFIABLE, built;
    ReplicaAnnouncePort replica_announce_port: u16 = "replica-announce-port" ["slave-announce-port"] PORT, MODIFIABLE, built;
    MinReplicasToWrite min_replicas_to_write: u32 = "min-replicas-to-write" ["min-slaves-to-write"] int(0, I32, 0), MODIFIABLE, built;
    MinReplicasMaxLag min_replicas_max_lag: u32 = "min-replicas-max-lag" ["min-slaves-max-lag"] int(0, I32, 10), MODIFIABLE, built;
    ReplTimeout repl_timeout: u32 = "repl-timeout" [] int(1, I32, 60), MODIFIABLE, built;
    ReplPingReplicaPeriod repl_ping_replica_period: u32 = "repl-ping-replica-period" ["repl-ping-slave-period"] int(1, I32, 10), MODIFIABLE, built;
    ReplDisableTcpNodelay repl_disable_tcp_nodelay: bool = "repl-disable-tcp-nodelay" [] NO, MODIFIABLE, built;
    ReplBacklogSize repl_backlog_size: u64 = "repl-backlog-size" [] size(1, 1 << 20), MODIFIABLE, built;
    ReplBacklogTtl repl_backlog_ttl: u64 = "repl-backlog-ttl" [] int(0, I64, 3600), MODIFIABLE, built;
    ReplBacklogBudget repl_backlog_budget: u64 = "repl-backlog-budget" [] size(0, 256 << 20), MODIFIABLE, built;
    ReplDisklessSync repl_diskless_sync: bool = "repl-diskless-sync" [] YES, MODIFIABLE.debug(), built;
    ReplDisklessSyncDelay repl_diskless_sync_delay: u32 = "repl-diskless-sync-delay" [] int(0, I32, 5), MODIFIABLE, built;
    ReplDisklessSyncMaxReplicas repl_diskless_sync_max_replicas: u32 = "repl-diskless-sync-max-replicas" [] int(0, I32, 0), MODIFIABLE, built;
    ReplDisklessLoad repl_diskless_load: DisklessLoad = "repl-diskless-load" [] choice!(DisklessLoad::Disabled), MODIFIABLE.debug().deny_loading(), built;
    ReplRefuseEmpty repl_refuse_empty: bool = "repl-refuse-empty" [] YES, MODIFIABLE, built;
    ReplThrottleWrites repl_throttle_writes: bool = "repl-throttle-writes" [] YES, MODIFIABLE, built;
    DualChannelReplicationEnabled dual_channel_replication_enabled: bool = "dual-channel-replication-enabled" [] NO, MODIFIABLE.debug(), later;

    // Cluster.
    ClusterEnabled cluster_enabled: bool = "cluster-enabled" [] NO, IMMUTABLE, later;
    ClusterConfigFile cluster_config_file: Text = "cluster-config-file" [] checked("nodes.conf", check::cluster_config_file), IMMUTABLE, later;
    ClusterPort cluster_port: u16 = "cluster-port" [] PORT, IMMUTABLE, later;
    ClusterNodeTimeout cluster_node_timeout: u64 = "cluster-node-timeout" [] int(0, I64, 15000), MODIFIABLE, later;
    ClusterPingInterval cluster_ping_interval: u64 = "cluster-ping-interval" [] int(0, I64, 0), MODIFIABLE.hidden(), later;
    ClusterReplicaValidityFactor cluster_replica_validity_factor: u32 = "cluster-replica-validity-factor" ["cluster-slave-validity-factor"] int(0, I32, 10), MODIFIABLE, later;
    ClusterReplicaNoFailover cluster_replica_no_failover: bool = "cluster-replica-no-failover" ["cluster-slave-no-failover"] NO, MODIFIABLE, later;
    ClusterMigrationBarrier cluster_migration_barrier: u32 = "cluster-migration-barrier" [] int(0, I32, 1), MODIFIABLE, later;
    ClusterAllowReplicaMigration cluster_allow_replica_migration: bool = "cluster-allow-replica-migration" [] YES, MODIFIABLE, later;
    ClusterRequireFullCoverage cluster_require_full_coverage: bool = "cluster-require-full-coverage" [] YES, MODIFIABLE, later;
    ClusterAllowReadsWhenDown cluster_allow_reads_when_down: bool = "cluster-allow-reads-when-down" [] NO, MODIFIABLE, later;
    ClusterAllowPubsubshardWhenDown cluster_allow_pubsubshard_when_down: bool = "cluster-allow-pubsubshard-when-down" [] YES, MODIFIABLE, later;
    ClusterLinkSendbufLimit cluster_link_sendbuf_limit: u64 = "cluster-link-sendbuf-limit" [] Kind::Memory { min: 0, max: u64::MAX, default: 0 }, MODIFIABLE, later;
    ClusterPreferredEndpointType cluster_preferred_endpoint_type: EndpointType = "cluster-preferred-endpoint-type" [] choice!(EndpointType::Ip), MODIFIABLE, later;
    ClusterAnnounceIp cluster_announce_ip: Text = "cluster-announce-ip" [] UNSET, MODIFIABLE, later;
    ClusterAnnounceClientIpv4 cluster_announce_client_ipv4: Text = "cluster-announce-client-ipv4" [] unset_or(check::ipv4), MODIFIABLE, later;
    ClusterAnnounceClientIpv6 cluster_announce_client_ipv6: Text = "cluster-announce-client-ipv6" [] unset_or(check::ipv6), MODIFIABLE, later;
    ClusterAnnounceHostname cluster_announce_hostname: Text = "cluster-announce-hostname" [] unset_or(check::hostname), MODIFIABLE, later;
    ClusterAnnounceHumanNodename cluster_announce_human_nodename: Text = "cluster-announce-human-nodename" [] unset_or(check::node_name), MODIFIABLE, later;
    ClusterAnnouncePort cluster_announce_port: u16 = "cluster-announce-port" [] PORT, MODIFIABLE, later;
    ClusterAnnounceTlsPort cluster_announce_tls_port: u16 = "cluster-announce-tls-port" [] PORT, MODIFIABLE, later;
    ClusterAnnounceBusPort cluster_announce_bus_port: u16 = "cluster-announce-bus-port" [] PORT, MODIFIABLE, later;
    ClusterBlacklistTtl cluster_blacklist_ttl: u64 = "cluster-blacklist-ttl" [] int(0, I64, 60), MODIFIABLE, later;
    ClusterSlotStatsEnabled cluster_slot_stats_enabled: bool = "cluster-slot-stats-enabled" [] NO, MODIFIABLE, later;

    // TLS.
    TlsPort tls_port: u16 = "tls-port" [] PORT, MODIFIABLE, later;
    TlsCluster tls_cluster: bool = "tls-cluster" [] NO, MODIFIABLE, later;
    TlsReplication tls_replication: bool = "tls-replication" [] NO, MODIFIABLE, later;
    TlsAuthClients tls_auth_clients: TlsAuthClients = "tls-auth-clients" [] choice!(TlsAuthClients::Yes), MODIFIABLE, later;
    TlsPreferServerCiphers tls_prefer_server_ciphers: bool = "tls-prefer-server-ciphers" [] NO, MODIFIABLE, later;
    TlsSessionCaching tls_session_caching: bool = "tls-session-caching" [] YES, MODIFIABLE, later;
    TlsSessionCacheSize tls_session_cache_size: u32 = "tls-session-cache-size" [] int(0, I32, 20 * 1024), MODIFIABLE, later;
    TlsSessionCacheTimeout tls_session_cache_timeout: u32 = "tls-session-cache-timeout" [] int(0, I32, 300), MODIFIABLE, later;
    TlsCertFile tls_cert_file: Text = "tls-cert-file" [] UNSET, MODIFIABLE.volatile(), later;
    TlsKeyFile tls_key_file: Text = "tls-key-file" [] UNSET, MODIFIABLE.volatile(), later;
    TlsKeyFilePass tls_key_file_pass: Text = "tls-key-file-pass" [] UNSET, MODIFIABLE.sensitive(), later;
    TlsClientCertFile tls_client_cert_file: Text = "tls-client-cert-file" [] UNSET, MODIFIABLE.volatile(), later;
    TlsClientKeyFile tls_client_key_file: Text = "tls-client-key-file" [] UNSET, MODIFIABLE.volatile(), later;
    TlsClientKeyFilePass tls_client_key_file_pass: Text = "tls-client-key-file-pass" [] UNSET, MODIFIABLE.sensitive(), later;
    TlsDhParamsFile tls_dh_params_file: Text = "tls-dh-params-file" [] UNSET, MODIFIABLE.volatile(), later;
    TlsCaCertFile tls_ca_cert_file: Text = "tls-ca-cert-file" [] UNSET, MODIFIABLE.volatile(), later;
    TlsCaCertDir tls_ca_cert_dir: Text = "tls-ca-cert-dir" [] UNSET, MODIFIABLE.volatile(), later;
    TlsProtocols tls_protocols: Text = "tls-protocols" [] UNSET, MODIFIABLE, later;
    TlsCiphers tls_ciphers: Text = "tls-ciphers" [] UNSET, MODIFIABLE, later;
    TlsCiphersuites tls_ciphersuites: Text = "tls-ciphersuites" [] UNSET, MODIFIABLE, later;
}

/// Values of options not built yet that need no warning though they are not today's defaults:
/// the defaults that stock files of earlier releases repeat, and values that ask for nothing.
const QUIET_VALUES: &[(OptionId, &str)] = &[
    (OptionId::IoThreadsDoReads, "yes"),
    (OptionId::LocaleCollate, "C"),
    (OptionId::LocaleCollate, "POSIX"),
];

impl OptionId {
    pub fn spec(self) -> &'static OptionSpec {
        &OPTIONS[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.spec().name
    }
}

impl Config {
    /// As CONFIG GET shows it.
    pub fn show(&self, id: OptionId) -> Text {
        id.spec().kind.show(&self.value(id))
    }

    /// Options whose values differ.
    pub fn differences(&self, other: &Config) -> Vec<OptionId> {
        let ids = OPTIONS.iter().map(|spec| spec.id);
        ids.filter(|&id| self.value(id) != other.value(id))
            .collect()
    }

    /// Notes a change made to a field from outside.
    pub fn touch(&mut self) {
        self.version += 1;
    }

    /// An option without effect that is set to something its user may count on.
    pub(crate) fn asks_for_missing(&self, id: OptionId) -> bool {
        let spec = id.spec();
        if spec.built || spec.access.hidden || self.value(id) == spec.kind.default() {
            return false;
        }
        let shown = self.show(id);
        !QUIET_VALUES
            .iter()
            .any(|&(quiet, value)| quiet == id && shown == value)
    }
}

/// The option of this name and the spelling that matched, in any case.
pub fn lookup(name: &[u8]) -> Option<(&'static OptionSpec, &'static str)> {
    let mut named = OPTIONS
        .iter()
        .flat_map(|spec| spec.names().map(move |known| (spec, known)));
    named.find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_unique_and_lower_case() {
        let mut names: Vec<&str> = OPTIONS.iter().flat_map(OptionSpec::names).collect();
        assert!(
            names
                .iter()
                .all(|name| name.chars().all(|c| !c.is_uppercase()))
        );
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_default_fits_its_field_shows_and_parses_back() {
        let config = Config::default();
        for spec in OPTIONS {
            let default = spec.kind.default();
            assert_eq!(config.value(spec.id), default, "{}", spec.name);
            let shown = config.show(spec.id);
            let words: Vec<Text> = match spec.kind.takes_many() {
                true => shown.split(|&byte| byte == b' ').map(Text::from).collect(),
                false => vec![shown],
            };
            if !matches!(spec.kind, Kind::ReplicaOf) {
                assert_eq!(
                    spec.kind.parse(&words, &default),
                    Ok(default),
                    "{}",
                    spec.name
                );
            }
            assert!(!config.asks_for_missing(spec.id), "{}", spec.name);
        }
    }

    #[test]
    fn every_bound_fits_its_field() {
        let mut config = Config::default();
        for spec in OPTIONS {
            let bounds = match spec.kind {
                Kind::Integer { min, max, .. } | Kind::Octal { min, max, .. } => {
                    [i128::from(min), i128::from(max)]
                }
                Kind::Memory { min, max, .. } => [i128::from(min), i128::from(max)],
                _ => continue,
            };
            for bound in bounds {
                config.put(spec.id, Value::Number(bound));
                assert_eq!(config.value(spec.id), Value::Number(bound), "{}", spec.name);
            }
        }
    }

    #[test]
    fn every_choice_reaches_its_field() {
        let mut config = Config::default();
        for spec in OPTIONS {
            if let Kind::Choice { names, .. } = spec.kind {
                for &(name, value) in names {
                    config.put(spec.id, Value::Choice(value));
                    let shown = config.show(spec.id);
                    let same = if name == "relative" { "yes" } else { name };
                    assert_eq!(shown, same, "{}", spec.name);
                }
            }
        }
    }

    #[test]
    fn quiet_values_belong_to_options_that_are_not_built() {
        for (id, _) in QUIET_VALUES {
            assert!(
                !id.spec().built,
                "{} is built now: drop its quiet values",
                id.name()
            );
        }
    }
}
