//! The declaration of one command: [`CommandSpec`] and the sets and enums it is made of.
//!
//! ACL categories are written out in full, also those that the command flags imply; hygiene tests
//! check that both agree. Derived facts (legacy key range, movable keys) are not fields but come
//! from the key specs.
//!
//! Tests: `table/hygiene.rs`.

use crate::arg::Arg;
use crate::bits::bitset;
use crate::id::CommandId;
use crate::key_spec::{KeySpec, LegacyRange};
use crate::reply::ReplyShape;

bitset! {
    /// How the server treats a command. Declared in the order COMMAND INFO lists them; bits
    /// without a name are not shown to clients.
    pub struct Flags: u64 {
        /// May change the data set.
        WRITE = 0 => "write",
        /// Reads keys and never changes them.
        READONLY = 1 => "readonly",
        /// May need more memory, so refused when over the limit.
        DENYOOM = 2 => "denyoom",
        /// For administrators.
        ADMIN = 3 => "admin",
        PUBSUB = 4 => "pubsub",
        /// Not callable from scripts.
        NOSCRIPT = 5 => "noscript",
        /// May block the client.
        BLOCKING = 6 => "blocking",
        /// Allowed while the data set is being loaded.
        LOADING = 7 => "loading",
        /// Allowed on a replica whose data may be stale.
        STALE = 8 => "stale",
        /// Not shown to MONITOR.
        SKIP_MONITOR = 9 => "skip_monitor",
        /// Not recorded in the slow log.
        SKIP_SLOWLOG = 10 => "skip_slowlog",
        /// Implies ASKING in cluster mode.
        ASKING = 11 => "asking",
        /// Constant or logarithmic time.
        FAST = 12 => "fast",
        /// Allowed before authentication.
        NO_AUTH = 13 => "no_auth",
        /// May be called without keys although it has key arguments.
        NO_MANDATORY_KEYS = 14 => "no_mandatory_keys",
        /// Refused during asynchronous loading.
        NO_ASYNC_LOADING = 15 => "no_async_loading",
        /// Refused inside MULTI.
        NO_MULTI = 16 => "no_multi",
        /// Some keys are not described by the legacy range; derived, never declared.
        MOVABLEKEYS = 17 => "movablekeys",
        /// Allowed while a script or module keeps the server busy.
        ALLOW_BUSY = 18 => "allow_busy",
        /// May write although it is not a write command (a publish, a script).
        MAY_REPLICATE = 19,
        /// Also exists in Sentinel.
        SENTINEL = 20,
        /// Exists in Sentinel only.
        ONLY_SENTINEL = 21,
        /// Guarded by an `enable-…-command` option.
        PROTECTED = 22,
        /// Touches keys that are not among its arguments.
        TOUCHES_ARBITRARY_KEYS = 23,
    }
}

bitset! {
    /// The categories of ACL rules such as `+@read`. A category's bit number is its place in the
    /// list that ACL CAT prints.
    pub struct AclCategories: u64 {
        KEYSPACE = 0 => "keyspace",
        READ = 1 => "read",
        WRITE = 2 => "write",
        SET = 3 => "set",
        SORTEDSET = 4 => "sortedset",
        LIST = 5 => "list",
        HASH = 6 => "hash",
        STRING = 7 => "string",
        BITMAP = 8 => "bitmap",
        HYPERLOGLOG = 9 => "hyperloglog",
        GEO = 10 => "geo",
        STREAM = 11 => "stream",
        PUBSUB = 12 => "pubsub",
        ADMIN = 13 => "admin",
        FAST = 14 => "fast",
        SLOW = 15 => "slow",
        BLOCKING = 16 => "blocking",
        DANGEROUS = 17 => "dangerous",
        CONNECTION = 18 => "connection",
        TRANSACTION = 19 => "transaction",
        SCRIPTING = 20 => "scripting",
    }
}

bitset! {
    /// Remarks for COMMAND DOCS.
    pub struct DocFlags: u8 {
        DEPRECATED = 0 => "deprecated",
        /// Not meant for users.
        SYSCMD = 1 => "syscmd",
    }
}

/// The chapter of the manual a command belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Pubsub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Hyperloglog,
    Cluster,
    Sentinel,
    Geo,
    Stream,
    Bitmap,
}

impl Group {
    /// The word COMMAND DOCS uses.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::Pubsub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::Hyperloglog => "hyperloglog",
            Group::Cluster => "cluster",
            Group::Sentinel => "sentinel",
            Group::Geo => "geo",
            Group::Stream => "stream",
            Group::Bitmap => "bitmap",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deprecation {
    pub since: &'static str,
    pub replaced_by: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandSpec {
    pub id: CommandId,
    /// Lower case; of a subcommand, without its container's name.
    pub name: &'static str,
    /// The container, for a subcommand.
    pub parent: Option<CommandId>,
    /// Number of arguments with the name (for a subcommand, both names); negative: at least so many.
    pub arity: i32,
    /// Complete: the tables declare all but the derived ones, which `table` adds.
    pub flags: Flags,
    /// All categories, implied ones included.
    pub acl: AclCategories,
    pub group: Group,
    pub since: &'static str,
    /// Empty when unspecified.
    pub complexity: &'static str,
    /// Version and what changed in it.
    pub history: &'static [(&'static str, &'static str)],
    pub deprecated: Option<Deprecation>,
    /// Not meant for users.
    pub system: bool,
    pub key_specs: &'static [KeySpec],
    pub args: &'static [Arg],
    /// Hints for proxies and clients, lower case, as COMMAND INFO prints them.
    pub tips: &'static [&'static str],
    pub summary: &'static str,
    pub reply: ReplyShape,
    /// Sorted by name; empty for all but containers. Outside the tables use
    /// [`CommandSpec::subcommands`], whose flags are complete.
    pub(crate) declared_subcommands: &'static [CommandSpec],
}

impl CommandSpec {
    /// What a table's literals leave out. Never reachable as a command: each table sets the id and
    /// hygiene tests refuse empty names and summaries.
    pub(crate) const DEFAULTS: CommandSpec = CommandSpec {
        id: CommandId::Ping,
        name: "",
        parent: None,
        arity: 0,
        flags: Flags::empty(),
        acl: AclCategories::empty(),
        group: Group::Server,
        since: "",
        complexity: "O(1)",
        history: &[],
        deprecated: None,
        system: false,
        key_specs: &[],
        args: &[],
        tips: &[],
        summary: "",
        reply: ReplyShape::OK,
        declared_subcommands: &[],
    };

    /// First, last and step of the keys, as COMMAND INFO prints them.
    pub const fn legacy_range(&self) -> LegacyRange {
        self.id.legacy_range()
    }

    pub const fn doc_flags(&self) -> DocFlags {
        let deprecated = match self.deprecated {
            Some(_) => DocFlags::DEPRECATED,
            None => DocFlags::empty(),
        };
        let system = if self.system {
            DocFlags::SYSCMD
        } else {
            DocFlags::empty()
        };
        deprecated.or(system)
    }

    pub const fn is_container(&self) -> bool {
        !self.declared_subcommands.is_empty()
    }

    /// The subcommands of a container, sorted by name.
    pub fn subcommands(&self) -> impl ExactSizeIterator<Item = &'static CommandSpec> {
        self.declared_subcommands
            .iter()
            .map(|declared| declared.id.spec())
    }

    /// As clients write it in ACL rules and see it in COMMAND: `get`, `client|list`.
    pub const fn full_name(&self) -> &'static str {
        self.id.full_name()
    }

    /// Whether this many arguments (names included) are acceptable.
    pub const fn accepts_count(&self, count: usize) -> bool {
        self.id.accepts_count(count)
    }
}
