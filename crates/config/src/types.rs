//! The typed values that options hold: one enum per closed choice, one struct per compound value.
//!
//! `choices!` declares an enum together with its file names, in the order error texts list them.
//! What a value means is not known here; only its name, its bits and how it travels as a `Value`
//! (kind.rs). Tests: below and tests/.

use crate::field::Field;
use crate::kind::Value;
use crate::text::Text;

/// Name and value of every allowed word, in the order in which errors list them.
pub type Names = &'static [(&'static str, u32)];

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal $(| $other:literal)*),+ $(,)? })+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum $name { $($variant),+ }

        impl $name {
            pub const NAMES: Names = &[
                $(($text, $name::$variant as u32), $(($other, $name::$variant as u32),)*)+
            ];

            /// The word used in files and replies.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }

        impl Field for $name {
            fn to_value(&self) -> Value {
                Value::Choice(*self as u32)
            }

            fn from_value(value: Value) -> Self {
                match value {
                    $(Value::Choice(index) if index == $name::$variant as u32 => $name::$variant,)+
                    other => unreachable!("{} from {other:?}", stringify!($name)),
                }
            }
        }
    )+ };
}

choices! {
    MaxmemoryPolicy {
        VolatileLru = "volatile-lru",
        VolatileLfu = "volatile-lfu",
        VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl",
        AllkeysLru = "allkeys-lru",
        AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random",
        NoEviction = "noeviction",
    }
    SyslogFacility {
        User = "user", Local0 = "local0", Local1 = "local1", Local2 = "local2", Local3 = "local3",
        Local4 = "local4", Local5 = "local5", Local6 = "local6", Local7 = "local7",
    }
    LogLevel { Debug = "debug", Verbose = "verbose", Notice = "notice", Warning = "warning", Nothing = "nothing" }
    Supervised { Upstart = "upstart", Systemd = "systemd", Auto = "auto", No = "no" }
    AppendFsync { EverySec = "everysec", Always = "always", No = "no" }
    DisklessLoad { Disabled = "disabled", OnEmptyDb = "on-empty-db", SwapDb = "swapdb" }
    TlsAuthClients { No = "no", Yes = "yes", Optional = "optional" }
    /// `relative` is read as `yes` and shown as `yes`.
    OomScoreAdj { No = "no", Yes = "yes" | "relative", Absolute = "absolute" }
    AclPubsubDefault { AllChannels = "allchannels", ResetChannels = "resetchannels" }
    SanitizeDumpPayload { No = "no", Yes = "yes", Clients = "clients" }
    /// Who may use a dangerous command or set a protected option.
    ProtectedAction { No = "no", Yes = "yes", Local = "local" }
    EndpointType { Ip = "ip", Hostname = "hostname", UnknownEndpoint = "unknown-endpoint" }
    PropagationErrorBehavior { Ignore = "ignore", Panic = "panic", PanicOnReplicas = "panic-on-replicas" }
}

impl ProtectedAction {
    pub fn allows(self, client_is_local: bool) -> bool {
        match self {
            ProtectedAction::No => false,
            ProtectedAction::Yes => true,
            ProtectedAction::Local => client_is_local,
        }
    }
}

/// `shutdown-on-sigint` and `-sigterm`: a set of words; empty is `default`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownFlags(pub u32);

impl ShutdownFlags {
    pub const SAVE: u32 = 1;
    pub const NOSAVE: u32 = 2;
    pub const NOW: u32 = 4;
    pub const FORCE: u32 = 8;
    pub const NAMES: Names = &[
        ("default", 0),
        ("save", Self::SAVE),
        ("nosave", Self::NOSAVE),
        ("now", Self::NOW),
        ("force", Self::FORCE),
    ];

    pub fn contains(self, bits: u32) -> bool {
        self.0 & bits == bits
    }
}

/// `notify-keyspace-events`, one bit per class of event. The bit values are Redis's, which modules
/// and nothing else can see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotifyFlags(pub u32);

impl NotifyFlags {
    pub const KEYSPACE: u32 = 1 << 0;
    pub const KEYEVENT: u32 = 1 << 1;
    pub const GENERIC: u32 = 1 << 2;
    pub const STRING: u32 = 1 << 3;
    pub const LIST: u32 = 1 << 4;
    pub const SET: u32 = 1 << 5;
    pub const HASH: u32 = 1 << 6;
    pub const ZSET: u32 = 1 << 7;
    pub const EXPIRED: u32 = 1 << 8;
    pub const EVICTED: u32 = 1 << 9;
    pub const STREAM: u32 = 1 << 10;
    /// Not part of `A`: too many to be asked for by accident. Nor is `NEW`.
    pub const KEY_MISS: u32 = 1 << 11;
    pub const MODULE: u32 = 1 << 13;
    pub const NEW: u32 = 1 << 14;
    pub const ALL: u32 = Self::GENERIC
        | Self::STRING
        | Self::LIST
        | Self::SET
        | Self::HASH
        | Self::ZSET
        | Self::EXPIRED
        | Self::EVICTED
        | Self::STREAM
        | Self::MODULE;

    /// The classes that `A` stands for, and `n`, in the order in which CONFIG GET shows them.
    const CLASSES: [(u8, u32); 11] = [
        (b'g', Self::GENERIC),
        (b'$', Self::STRING),
        (b'l', Self::LIST),
        (b's', Self::SET),
        (b'h', Self::HASH),
        (b'z', Self::ZSET),
        (b'x', Self::EXPIRED),
        (b'e', Self::EVICTED),
        (b't', Self::STREAM),
        (b'd', Self::MODULE),
        (b'n', Self::NEW),
    ];
    const OUTER: [(u8, u32); 3] = [
        (b'K', Self::KEYSPACE),
        (b'E', Self::KEYEVENT),
        (b'm', Self::KEY_MISS),
    ];

    pub fn parse(classes: &[u8]) -> Option<NotifyFlags> {
        let bit = |class: u8| {
            let known = Self::CLASSES
                .iter()
                .chain(&Self::OUTER)
                .chain(&[(b'A', Self::ALL)]);
            known
                .copied()
                .find(|&(letter, _)| letter == class)
                .map(|(_, bits)| bits)
        };
        classes
            .iter()
            .try_fold(0, |flags, &class| Some(flags | bit(class)?))
            .map(NotifyFlags)
    }

    /// As CONFIG GET shows it: beside `A`, Redis leaves out `n` though its bit stays set.
    pub fn show(self) -> String {
        match self.contains(Self::ALL) {
            true => NotifyFlags(self.0 & !Self::NEW).spell(),
            false => self.spell(),
        }
    }

    /// Every class, so that `parse` gives the same flags.
    pub fn spell(self) -> String {
        let folded = if self.contains(Self::ALL) {
            Self::ALL
        } else {
            0
        };
        let letters = Self::CLASSES.iter().chain(&Self::OUTER);
        let shown = letters.filter(|&&(_, bit)| self.0 & !folded & bit != 0);
        let all = (folded != 0).then_some('A');
        all.into_iter()
            .chain(shown.map(|&(letter, _)| letter as char))
            .collect()
    }

    pub fn contains(self, bits: u32) -> bool {
        self.0 & bits == bits
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    pub seconds: u64,
    pub changes: u64,
}

/// The classes of `client-output-buffer-limit`, as indices into its array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClass {
    Normal = 0,
    Replica = 1,
    Pubsub = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputBufferLimit {
    pub hard_bytes: u64,
    pub soft_bytes: u64,
    pub soft_seconds: u32,
}

pub type OutputBufferLimits = [OutputBufferLimit; 3];

/// `maxmemory-clients`: bytes (0 is no limit), or a share of `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientsMemory {
    Bytes(u64),
    Percent(u8),
}

impl ClientsMemory {
    /// The limit in bytes, 0 when there is none. A share of no `maxmemory` is no limit.
    pub fn limit_bytes(self, maxmemory: u64) -> u64 {
        match self {
            ClientsMemory::Bytes(bytes) => bytes,
            ClientsMemory::Percent(percent) => {
                (u128::from(maxmemory) * u128::from(percent) / 100) as u64
            }
        }
    }
}

/// Where `replicaof` points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryAddress {
    pub host: Text,
    pub port: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_classes_round_trip_and_fold_into_a() {
        for (given, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("Kg$lshzxetd", "AK"),
            ("gn", "gn"),
            ("mxE", "xEm"),
        ] {
            assert_eq!(
                NotifyFlags::parse(given.as_bytes()).unwrap().show(),
                shown,
                "{given}"
            );
        }
        assert_eq!(NotifyFlags::parse(b"Q"), None);
    }

    #[test]
    fn a_share_of_maxmemory_is_computed_without_overflow() {
        assert_eq!(ClientsMemory::Percent(5).limit_bytes(1000), 50);
        assert_eq!(ClientsMemory::Percent(100).limit_bytes(u64::MAX), u64::MAX);
        assert_eq!(ClientsMemory::Percent(5).limit_bytes(0), 0);
        assert_eq!(ClientsMemory::Bytes(7).limit_bytes(1), 7);
    }
}
