//! The numbers of the RDB format: types, opcodes, length and string encodings.
//!
//! Sources: the published descriptions of the format, files written by redis-server 7.0.15, and the
//! type tables of Valkey 8.0.1. Numbers that are known but not served here have names as well, so
//! that a refusal can say what it met. Tests: in the readers and writers.

/// The newest version that is written.
pub const VERSION_WRITTEN_MAX: u16 = 11;
/// The version of Redis 7.0, which `rdb-version 10` writes.
pub const VERSION_WRITTEN_MIN: u16 = 10;
/// The newest version of Redis's numbering that is read (7.4 and 8.0).
pub const VERSION_REDIS_MAX: u16 = 12;
/// The version of Valkey 9, whose numbering is its own.
pub const VERSION_VALKEY: u16 = 80;
/// From this version on a file ends with a checksum.
pub const VERSION_WITH_CHECKSUM: u16 = 5;

pub const MAGIC_BYTES: usize = 9;
pub const CHECKSUM_BYTES: usize = 8;

/// Value types.
pub mod kind {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const MODULE_PRE_GA: u8 = 6;
    pub const MODULE_2: u8 = 7;
    pub const NEVER_USED: u8 = 8;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_3: u8 = 21;
    /// In Redis 7.4's pre-releases hashes with field expiry, in Valkey 9 those of its own.
    pub const HASH_EXPIRING_22: u8 = 22;
    pub const HASH_EXPIRING_25: u8 = 25;

    /// The name that check-rdb prints; empty for the one number that was never given out.
    pub fn name(code: u8) -> Option<&'static str> {
        const NAMES: [&str; 26] = [
            "string",
            "list-linked",
            "set-hashtable",
            "zset-v1",
            "hash-hashtable",
            "zset-v2",
            "module-pre-release",
            "module-value",
            "",
            "hash-zipmap",
            "list-ziplist",
            "set-intset",
            "zset-ziplist",
            "hash-ziplist",
            "quicklist",
            "stream",
            "hash-listpack",
            "zset-listpack",
            "quicklist-v2",
            "stream-v2",
            "set-listpack",
            "stream-v3",
            "hash-hashtable-md-pre-release",
            "hash-listpack-md-pre-release",
            "hash-hashtable-md",
            "hash-listpack-md",
        ];
        NAMES.get(usize::from(code)).copied()
    }
}

/// What may stand in the place of a type.
pub mod opcode {
    pub const SLOT_IMPORT: u8 = 243;
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION_2: u8 = 245;
    pub const FUNCTION_PRE_GA: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQ: u8 = 249;
    pub const AUX: u8 = 250;
    pub const RESIZE_DB: u8 = 251;
    pub const EXPIRE_TIME_MS: u8 = 252;
    pub const EXPIRE_TIME: u8 = 253;
    pub const SELECT_DB: u8 = 254;
    pub const EOF: u8 = 255;
}

/// How the first byte of a length says what follows.
pub mod length {
    /// Lengths up to here have the top bits 00 and take one byte.
    pub const SIX_BITS_MAX: u64 = 0x3f;
    /// Lengths up to here have the top bits 01 and take two bytes.
    pub const FOURTEEN_BITS_MAX: u64 = 0x3fff;
    pub const FOURTEEN_BITS: u8 = 0x40;
    pub const THIRTY_TWO_BITS: u8 = 0x80;
    pub const SIXTY_FOUR_BITS: u8 = 0x81;
    /// The top bits of a special string encoding.
    pub const SPECIAL: u8 = 0xc0;
}

/// Strings that are not stored as their bytes.
pub mod special {
    pub const INT_8: u8 = 0xc0;
    pub const INT_16: u8 = 0xc1;
    pub const INT_32: u8 = 0xc2;
    pub const LZF: u8 = 0xc3;
}

/// Texts up to this length are tried as an integer.
pub const INT_TEXT_MAX_BYTES: usize = 11;
/// Strings up to this length are never compressed.
pub const UNCOMPRESSED_MAX_BYTES: usize = 20;

/// Sub-opcodes inside of what modules store.
pub mod module {
    pub const EOF: u64 = 0;
    pub const SINT: u64 = 1;
    pub const UINT: u64 = 2;
    pub const FLOAT: u64 = 3;
    pub const DOUBLE: u64 = 4;
    pub const STRING: u64 = 5;
}

/// Kinds of nodes in the second quicklist format.
pub mod container {
    pub const PLAIN: u64 = 1;
    pub const PACKED: u64 = 2;
}

/// Lengths of the first zset format that stand for a score instead of its text.
pub mod score_text {
    pub const NAN: u8 = 253;
    pub const INFINITY: u8 = 254;
    pub const NEG_INFINITY: u8 = 255;
}
