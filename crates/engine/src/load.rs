//! Putting a data set in place of another: what whoever loads a snapshot calls.
//!
//! An entry that comes from a file is no news to anybody: nothing is published, recorded or counted
//! as a change. Keys whose time has passed are left out unless their file wants them (the snapshot
//! at the head of an append-only file, whose commands may refer to them).
//!
//! Tests: `tests/load.rs`.

use crate::engine::Engine;
use crate::host::Host;
use keyspace::{ExpiredKeys, Keyspace, NewValue, Value};
use rdb::{AccessInfo, LoadLimits};

/// A key as it comes from a snapshot.
pub struct LoadEntry<'a> {
    pub db: u32,
    pub key: &'a [u8],
    pub value: NewValue<'a, Value>,
    pub expiry_ms: Option<i64>,
    pub access: AccessInfo,
}

/// What to do about keys that need a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadPolicy {
    /// Keys whose time has passed are loaded all the same.
    pub keep_expired: bool,
    /// A key that is there already is replaced.
    pub replace: bool,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadOutcome {
    Added,
    /// Left out: its time has passed.
    Expired,
    /// The key is there already, and was not to be replaced.
    Duplicate,
    /// There is no database of that number.
    NoSuchDb,
}

impl Engine {
    /// What decides how loaded values are kept.
    pub fn load_limits(&self) -> LoadLimits {
        let keyspace = &self.keyspace;
        LoadLimits {
            hash: self.settings.hash_limits(keyspace),
            set: self.settings.set_limits(keyspace),
            sorted_set: self.settings.sorted_set_limits(keyspace),
            list: self.settings.list,
            deep: self.settings.sanitize_files,
            ..LoadLimits::defaults(keyspace.hash_seed())
        }
    }

    /// The access bits that a file's remark amounts to; `None` for as just used.
    pub(crate) fn access_bits(&self, access: AccessInfo) -> Option<u32> {
        access_bits(&self.keyspace, access)
    }

    /// Puts an entry that was read from a file into its database.
    pub fn load_entry(&mut self, entry: LoadEntry<'_>, policy: LoadPolicy) -> LoadOutcome {
        let (db, key) = (entry.db, entry.key);
        let outcome = load_into(&mut self.keyspace, entry, policy);
        if outcome == LoadOutcome::Added {
            self.keyspace.journal.touched(db, key);
        }
        outcome
    }

    /// To be called now and then while entries are loaded, and after the last: what was replaced is
    /// dropped where it delays nobody, and transactions that watch loaded keys are spoilt.
    pub fn settle_load(&mut self, host: &mut dyn Host) {
        if self.keyspace.journal.has_news() {
            self.forget_news();
        }
        if !self.keyspace.garbage.is_empty() {
            self.drop_garbage(host);
        }
    }

    /// Puts a data set that was loaded on the side ([`Keyspace::incoming`], [`load_into`]) in the place
    /// of the one there is. Every watched key counts as touched; nothing is recorded as an effect.
    /// Returns how many keys went.
    pub fn replace_data_set(&mut self, incoming: Keyspace, host: &mut dyn Host) -> usize {
        for db in 0..self.keyspace.db_count() as u32 {
            self.touch_all_watched(None, db, None);
        }
        let keys = self.keyspace.replace_data(incoming);
        self.drop_garbage(host);
        keys
    }

    /// Tells whoever reads the effects that a key is gone which they may have. Between requests.
    pub fn record_deletion(&mut self, db: u32, key: &[u8]) {
        if self.effects.is_enabled() {
            self.effects.push_alone(db, &[b"DEL", key]);
        }
    }

    /// Empties all databases, to be loaded anew. Watched keys that were there count as touched;
    /// nothing is recorded as an effect. Sessions keep their databases' numbers. Returns how many keys
    /// went.
    pub fn empty_data_set(&mut self, host: &mut dyn Host) -> usize {
        self.forget_own_keys();
        let count = self.keyspace.db_count() as u32;
        for db in 0..count {
            self.touch_all_watched(None, db, None);
        }
        let keys = (0..count).map(|db| self.keyspace.flush(db)).sum();
        self.drop_garbage(host);
        keys
    }
}

fn access_bits(keyspace: &Keyspace, access: AccessInfo) -> Option<u32> {
    match access {
        AccessInfo::None => None,
        AccessInfo::IdleSeconds(idle_s) => Some(keyspace.access_bits_for_idle(idle_s)),
        AccessInfo::Frequency(count) => Some(keyspace.access_bits_for_frequency(count)),
    }
}

/// Puts an entry that was read from a file into a data set, be it the one that is served or one that
/// is loaded on the side.
pub fn load_into(keyspace: &mut Keyspace, entry: LoadEntry<'_>, policy: LoadPolicy) -> LoadOutcome {
    let LoadEntry {
        db,
        key,
        value,
        expiry_ms,
        access,
    } = entry;
    if db as usize >= keyspace.db_count() {
        return LoadOutcome::NoSuchDb;
    }
    if !policy.keep_expired && expiry_ms.is_some_and(|at_ms| at_ms <= keyspace.now_ms()) {
        return LoadOutcome::Expired;
    }
    let bits = access_bits(keyspace, access);
    if policy.replace && keyspace.inspect(db, key).is_some() {
        // Also one that has expired, which a look-up would not find but a file's key would meet.
        let mode = keyspace.expired_keys;
        keyspace.expired_keys = ExpiredKeys::Keep;
        keyspace.delete(db, key);
        keyspace.expired_keys = mode;
    }
    match keyspace.load(db, key, value, expiry_ms, bits) {
        true => LoadOutcome::Added,
        false => LoadOutcome::Duplicate,
    }
}
