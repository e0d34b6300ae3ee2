//! The name of every command and subcommand inside the program.
//!
//! A variant is its full name in camel case: `Get`, `SortRo`, `ClientList`, `ClientNoEvict`,
//! `MemoryMallocStats`; only `_`, `-` and `|` start a new capital (`Zrangebyscore`). Code that
//! must handle every command matches exhaustively on this enum.
//!
//! The numbers are dense and mean nothing outside the process: they change when commands are
//! added. Methods that every request uses read the packed gate table, not the long declarations.
//!
//! Tests: `table/hygiene.rs`.

use crate::key_spec::LegacyRange;
use crate::spec::{CommandSpec, Flags};
use crate::table;

macro_rules! command_ids {
    ($($id:ident = $full_name:literal,)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u16)]
        pub enum CommandId { $($id,)* }

        impl CommandId {
            pub const ALL: [CommandId; [$($full_name),*].len()] = [$(CommandId::$id),*];
        }

        const FULL_NAMES: [&str; CommandId::COUNT] = [$($full_name),*];
    };
}

impl CommandId {
    /// Number of commands and subcommands; ids as integers are below it.
    pub const COUNT: usize = CommandId::ALL.len();

    pub const fn spec(self) -> &'static CommandSpec {
        &table::SPECS[self as usize]
    }

    /// As clients write it in ACL rules and see it in COMMAND: `get`, `client|list`.
    pub const fn full_name(self) -> &'static str {
        FULL_NAMES[self as usize]
    }

    #[inline]
    pub const fn flags(self) -> Flags {
        table::GATES[self as usize].flags
    }

    /// Number of arguments with the name (for a subcommand, both names); negative: at least so many.
    #[inline]
    pub const fn arity(self) -> i32 {
        table::GATES[self as usize].arity as i32
    }

    /// First, last and step of the keys, as COMMAND INFO prints them.
    #[inline]
    pub const fn legacy_range(self) -> LegacyRange {
        table::GATES[self as usize].range
    }

    /// Whether this many arguments (names included) are acceptable.
    #[inline]
    pub const fn accepts_count(self, count: usize) -> bool {
        let arity = self.arity();
        if arity >= 0 {
            count == arity as usize
        } else {
            count >= arity.unsigned_abs() as usize
        }
    }
}

command_ids! {
    Auth = "auth",
    Client = "client",
    ClientGetname = "client|getname",
    ClientHelp = "client|help",
    ClientId = "client|id",
    ClientInfo = "client|info",
    ClientKill = "client|kill",
    ClientList = "client|list",
    ClientNoEvict = "client|no-evict",
    ClientNoTouch = "client|no-touch",
    ClientPause = "client|pause",
    ClientReply = "client|reply",
    ClientSetinfo = "client|setinfo",
    ClientSetname = "client|setname",
    ClientUnblock = "client|unblock",
    ClientUnpause = "client|unpause",
    Echo = "echo",
    Hello = "hello",
    Ping = "ping",
    Quit = "quit",
    Reset = "reset",
    Select = "select",
    Copy = "copy",
    Del = "del",
    Dump = "dump",
    Exists = "exists",
    Expire = "expire",
    Expireat = "expireat",
    Expiretime = "expiretime",
    Keys = "keys",
    Move = "move",
    Object = "object",
    ObjectEncoding = "object|encoding",
    ObjectFreq = "object|freq",
    ObjectHelp = "object|help",
    ObjectIdletime = "object|idletime",
    ObjectRefcount = "object|refcount",
    Persist = "persist",
    Pexpire = "pexpire",
    Pexpireat = "pexpireat",
    Pexpiretime = "pexpiretime",
    Pttl = "pttl",
    Randomkey = "randomkey",
    Rename = "rename",
    Renamenx = "renamenx",
    Restore = "restore",
    Scan = "scan",
    Sort = "sort",
    SortRo = "sort_ro",
    Touch = "touch",
    Ttl = "ttl",
    Type = "type",
    Unlink = "unlink",
    Wait = "wait",
    Waitaof = "waitaof",
    Append = "append",
    Decr = "decr",
    Decrby = "decrby",
    Get = "get",
    Getdel = "getdel",
    Getex = "getex",
    Getrange = "getrange",
    Getset = "getset",
    Incr = "incr",
    Incrby = "incrby",
    Incrbyfloat = "incrbyfloat",
    Lcs = "lcs",
    Mget = "mget",
    Mset = "mset",
    Msetnx = "msetnx",
    Psetex = "psetex",
    Set = "set",
    Setex = "setex",
    Setnx = "setnx",
    Setrange = "setrange",
    Strlen = "strlen",
    Substr = "substr",
    Bitcount = "bitcount",
    Bitfield = "bitfield",
    BitfieldRo = "bitfield_ro",
    Bitop = "bitop",
    Bitpos = "bitpos",
    Getbit = "getbit",
    Setbit = "setbit",
    Blmove = "blmove",
    Blmpop = "blmpop",
    Blpop = "blpop",
    Brpop = "brpop",
    Brpoplpush = "brpoplpush",
    Lindex = "lindex",
    Linsert = "linsert",
    Llen = "llen",
    Lmove = "lmove",
    Lmpop = "lmpop",
    Lpop = "lpop",
    Lpos = "lpos",
    Lpush = "lpush",
    Lpushx = "lpushx",
    Lrange = "lrange",
    Lrem = "lrem",
    Lset = "lset",
    Ltrim = "ltrim",
    Rpop = "rpop",
    Rpoplpush = "rpoplpush",
    Rpush = "rpush",
    Rpushx = "rpushx",
    Hdel = "hdel",
    Hexists = "hexists",
    Hget = "hget",
    Hgetall = "hgetall",
    Hincrby = "hincrby",
    Hincrbyfloat = "hincrbyfloat",
    Hkeys = "hkeys",
    Hlen = "hlen",
    Hmget = "hmget",
    Hmset = "hmset",
    Hrandfield = "hrandfield",
    Hscan = "hscan",
    Hset = "hset",
    Hsetnx = "hsetnx",
    Hstrlen = "hstrlen",
    Hvals = "hvals",
    Sadd = "sadd",
    Scard = "scard",
    Sdiff = "sdiff",
    Sdiffstore = "sdiffstore",
    Sinter = "sinter",
    Sintercard = "sintercard",
    Sinterstore = "sinterstore",
    Sismember = "sismember",
    Smembers = "smembers",
    Smismember = "smismember",
    Smove = "smove",
    Spop = "spop",
    Srandmember = "srandmember",
    Srem = "srem",
    Sscan = "sscan",
    Sunion = "sunion",
    Sunionstore = "sunionstore",
    Bzmpop = "bzmpop",
    Bzpopmax = "bzpopmax",
    Bzpopmin = "bzpopmin",
    Zadd = "zadd",
    Zcard = "zcard",
    Zcount = "zcount",
    Zdiff = "zdiff",
    Zdiffstore = "zdiffstore",
    Zincrby = "zincrby",
    Zinter = "zinter",
    Zintercard = "zintercard",
    Zinterstore = "zinterstore",
    Zlexcount = "zlexcount",
    Zmpop = "zmpop",
    Zmscore = "zmscore",
    Zpopmax = "zpopmax",
    Zpopmin = "zpopmin",
    Zrandmember = "zrandmember",
    Zrange = "zrange",
    Zrangebylex = "zrangebylex",
    Zrangebyscore = "zrangebyscore",
    Zrangestore = "zrangestore",
    Zrank = "zrank",
    Zrem = "zrem",
    Zremrangebylex = "zremrangebylex",
    Zremrangebyrank = "zremrangebyrank",
    Zremrangebyscore = "zremrangebyscore",
    Zrevrange = "zrevrange",
    Zrevrangebylex = "zrevrangebylex",
    Zrevrangebyscore = "zrevrangebyscore",
    Zrevrank = "zrevrank",
    Zscan = "zscan",
    Zscore = "zscore",
    Zunion = "zunion",
    Zunionstore = "zunionstore",
    Discard = "discard",
    Exec = "exec",
    Multi = "multi",
    Unwatch = "unwatch",
    Watch = "watch",
    Psubscribe = "psubscribe",
    Publish = "publish",
    Pubsub = "pubsub",
    PubsubChannels = "pubsub|channels",
    PubsubHelp = "pubsub|help",
    PubsubNumpat = "pubsub|numpat",
    PubsubNumsub = "pubsub|numsub",
    PubsubShardchannels = "pubsub|shardchannels",
    PubsubShardnumsub = "pubsub|shardnumsub",
    Punsubscribe = "punsubscribe",
    Spublish = "spublish",
    Ssubscribe = "ssubscribe",
    Subscribe = "subscribe",
    Sunsubscribe = "sunsubscribe",
    Unsubscribe = "unsubscribe",
    Bgrewriteaof = "bgrewriteaof",
    Bgsave = "bgsave",
    Command = "command",
    CommandCount = "command|count",
    CommandDocs = "command|docs",
    CommandGetkeys = "command|getkeys",
    CommandGetkeysandflags = "command|getkeysandflags",
    CommandHelp = "command|help",
    CommandInfo = "command|info",
    CommandList = "command|list",
    Config = "config",
    ConfigGet = "config|get",
    ConfigHelp = "config|help",
    ConfigResetstat = "config|resetstat",
    ConfigRewrite = "config|rewrite",
    ConfigSet = "config|set",
    Dbsize = "dbsize",
    Debug = "debug",
    Failover = "failover",
    Flushall = "flushall",
    Flushdb = "flushdb",
    Info = "info",
    Lastsave = "lastsave",
    Lolwut = "lolwut",
    Memory = "memory",
    MemoryDoctor = "memory|doctor",
    MemoryHelp = "memory|help",
    MemoryMallocStats = "memory|malloc-stats",
    MemoryPurge = "memory|purge",
    MemoryStats = "memory|stats",
    MemoryUsage = "memory|usage",
    Monitor = "monitor",
    Psync = "psync",
    Replconf = "replconf",
    Replicaof = "replicaof",
    Role = "role",
    Save = "save",
    Shutdown = "shutdown",
    Slaveof = "slaveof",
    Slowlog = "slowlog",
    SlowlogGet = "slowlog|get",
    SlowlogHelp = "slowlog|help",
    SlowlogLen = "slowlog|len",
    SlowlogReset = "slowlog|reset",
    Swapdb = "swapdb",
    Sync = "sync",
    Time = "time",
}
