//! The keyspace: typed access to keys, creation, removal, renaming, iteration.
//!
//! One rule everywhere: a look-up goes through [`Keyspace::fate`], so an expired key is never seen.
//! Where the keyspace may delete (a primary) the look-up removes it and notes that; where it may not
//! (a replica, or expiry paused) it is only hidden or kept.

use std::any::Any;

use crate::access::{Access, Tracking};
use crate::db::Db;
use crate::evict::EvictionPool;
use crate::journal::{Journal, NotifyClass};
use crate::notes::notes;
use crate::rng::Rng;
use crate::snapshot::Passes;
use crate::value::{Entry, Kind, Type, Value, WrongType};
use structures::entry::{EntryMut, EntryRef, NewValue, OwnedEntry, OwnedValue, ValueRef};
use structures::table::{Fate, Found, Inserted};

/// How many keys [`Keyspace::prefetch`] takes: enough to overlap latencies, few enough for the first
/// cache to keep them.
pub const PREFETCH_MAX: usize = 32;

#[derive(Default, Clone, Copy, Debug)]
pub struct KeyspaceStats {
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    pub evicted: u64,
}

/// What a look-up does about an expired key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExpiredKeys {
    /// Delete it and note the removal (a primary).
    Delete,
    /// Treat it as absent, leave it (a replica: the primary decides; or deletes are paused).
    Hide,
    /// Treat it as present (loading, applying a primary's stream).
    Keep,
}

pub struct Keyspace {
    pub(crate) dbs: Vec<Db>,
    pub(crate) now_ms: i64,
    pub(crate) access: Access,
    pub(crate) pool: EvictionPool,
    pub expired_keys: ExpiredKeys,
    /// False while a client asked not to disturb LRU data (CLIENT NO-TOUCH).
    pub touch: bool,
    pub journal: Journal,
    pub stats: KeyspaceStats,
    pub rng: Rng,
    /// Big values on their way out; whoever drives the engine drops them where it does not hurt.
    pub garbage: Vec<Garbage>,
    pub(crate) passes: Passes,
    seed: u64,
    per_slot: bool,
}

/// Something big to be dropped elsewhere.
pub enum Garbage {
    Entry(OwnedEntry<Value>),
    Value(Value),
    Db(Db),
    /// What was kept of a value for a snapshot.
    Remains(Box<dyn Any + Send>),
}

impl Garbage {
    /// Keys (or values) it holds.
    pub fn objects(&self) -> usize {
        match self {
            Garbage::Entry(_) | Garbage::Value(_) => 1,
            Garbage::Remains(_) => 0,
            Garbage::Db(db) => db.len(),
        }
    }
}

impl Keyspace {
    /// `seed` keys the hash tables and every random choice; `per_slot` gives each cluster slot its
    /// own table.
    pub fn new(databases: usize, seed: u64, per_slot: bool) -> Keyspace {
        let mut rng = Rng::new(seed);
        let hash_seed = rng.next_u64();
        Keyspace {
            dbs: (0..databases)
                .map(|_| Db::new(hash_seed, per_slot))
                .collect(),
            now_ms: 0,
            access: Access::new(rng.next_u64()),
            pool: EvictionPool::default(),
            expired_keys: ExpiredKeys::Delete,
            touch: true,
            journal: Journal::default(),
            stats: KeyspaceStats::default(),
            rng,
            garbage: Vec::new(),
            passes: Passes::new(databases),
            seed: hash_seed,
            per_slot,
        }
    }

    /// The time that expiry and LRU data go by, Unix milliseconds.
    #[inline]
    pub fn set_now(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        self.access.set_now(now_ms);
    }

    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    pub fn track_lru(&mut self) {
        self.access.tracking = Tracking::Lru;
    }

    pub fn track_lfu(&mut self, log_factor: u32, decay_minutes: u32) {
        self.access.tracking = Tracking::Lfu {
            log_factor,
            decay_minutes,
        };
    }

    pub fn db_count(&self) -> usize {
        self.dbs.len()
    }

    pub fn db(&self, db: u32) -> &Db {
        &self.dbs[db as usize]
    }

    /// Starts loading what a look-up of `key` will need. Call for a whole batch, then
    /// [`Keyspace::prefetch_cell`] for the batch, then run it.
    #[inline]
    pub fn prefetch_bucket(&self, db: u32, key: &[u8]) -> u64 {
        let db = &self.dbs[db as usize];
        let hash = db.hash(key);
        db.tables[db.table_index(key)].prefetch_bucket(hash);
        hash
    }

    #[inline]
    pub fn prefetch_cell(&self, db: u32, key: &[u8], hash: u64) {
        let db = &self.dbs[db as usize];
        db.tables[db.table_index(key)].prefetch_cell(hash);
    }

    /// The key's value if it is a container, for prefetching inside of it. The cell should have been
    /// prefetched. Sees expired keys too and changes nothing.
    #[inline]
    pub fn container(&self, db: u32, key: &[u8], hash: u64) -> Option<&Value> {
        let db = &self.dbs[db as usize];
        db.tables[db.table_index(key)].find(hash, key)?.payload()
    }

    /// Overlaps the memory latencies of looking up several keys: call with up to [`PREFETCH_MAX`]
    /// keys, then use them. More are ignored.
    #[inline]
    pub fn prefetch<'k>(&self, db: u32, keys: impl ExactSizeIterator<Item = &'k [u8]> + Clone) {
        if keys.len() < 2 {
            return;
        }
        let mut hashes = [0; PREFETCH_MAX];
        for (hash, key) in hashes.iter_mut().zip(keys.clone()) {
            *hash = self.prefetch_bucket(db, key);
        }
        for (hash, key) in hashes.iter().zip(keys) {
            self.prefetch_cell(db, key, *hash);
        }
    }

    /// Looks a key up; an expired one is removed (or hidden, or kept) on the way.
    #[inline]
    fn find(&mut self, db: u32, key: &[u8], look: Look) -> Option<EntryMut<'_, Value>> {
        let (dbs, access) = (&mut self.dbs, &mut self.access);
        match dbs[db as usize].find_live(key, self.expired_keys, self.now_ms) {
            Found::Live(mut entry) => {
                if look.touch && self.touch {
                    let bits = access.touch(entry.get().aux());
                    entry.set_aux(bits);
                }
                if look.count {
                    self.stats.hits += 1;
                }
                return Some(entry);
            }
            Found::Absent => {}
            Found::Removed(dead) => notes!(self).expired(db, dead),
        }
        if look.count {
            self.stats.misses += 1;
        }
        if look.announce {
            self.journal
                .notify(NotifyClass::KEY_MISS, "keymiss", db, key);
        }
        None
    }

    /// A look-up by a reading command: counts a hit or a miss, notes the access.
    #[inline]
    pub fn read(&mut self, db: u32, key: &[u8]) -> Option<Entry<'_>> {
        self.find(
            db,
            key,
            Look {
                touch: true,
                count: true,
                announce: true,
            },
        )
        .map(|e| Entry(e.into_ref()))
    }

    /// A look-up by a command that asks about the key rather than for its value (EXISTS, TTL, TYPE):
    /// counts a hit or a miss, leaves LRU data alone.
    #[inline]
    pub fn look(&mut self, db: u32, key: &[u8]) -> Option<Entry<'_>> {
        self.find(
            db,
            key,
            Look {
                touch: false,
                count: true,
                announce: true,
            },
        )
        .map(|e| Entry(e.into_ref()))
    }

    /// As [`Keyspace::look`], without a notification of a miss (OBJECT).
    pub fn look_quietly(&mut self, db: u32, key: &[u8]) -> Option<Entry<'_>> {
        self.find(
            db,
            key,
            Look {
                touch: false,
                count: true,
                announce: false,
            },
        )
        .map(|e| Entry(e.into_ref()))
    }

    /// A look-up that leaves statistics and LRU data alone (writers, internal questions).
    #[inline]
    pub fn peek(&mut self, db: u32, key: &[u8]) -> Option<Entry<'_>> {
        self.find(
            db,
            key,
            Look {
                touch: false,
                count: false,
                announce: false,
            },
        )
        .map(|e| Entry(e.into_ref()))
    }

    /// A look-up that changes nothing at all and finds expired keys too (DEBUG).
    pub fn inspect(&self, db: u32, key: &[u8]) -> Option<Entry<'_>> {
        let db = &self.dbs[db as usize];
        db.tables[db.table_index(key)]
            .find(db.hash(key), key)
            .map(Entry)
    }

    /// The key's type, if it is there. Leaves everything as it is, even an expired key.
    pub fn type_of(&self, db: u32, key: &[u8]) -> Option<Type> {
        let entry = Entry(self.dbs[db as usize].find(key)?);
        (!self.is_expired(&entry)).then(|| entry.kind())
    }

    /// A look-up by a writing command: notes the access, counts nothing.
    #[inline]
    pub(crate) fn find_mut(&mut self, db: u32, key: &[u8]) -> Option<EntryMut<'_, Value>> {
        self.before_write(db, key);
        self.find(
            db,
            key,
            Look {
                touch: true,
                count: false,
                announce: false,
            },
        )
    }

    /// The container of type `K` at `key`, for reading.
    #[inline]
    pub fn get<K: Kind>(&mut self, db: u32, key: &[u8]) -> Result<Option<&K>, WrongType> {
        match self.read(db, key) {
            None => Ok(None),
            Some(entry) => entry.get::<K>().map(Some).ok_or(WrongType),
        }
    }

    /// The container of type `K` at `key`, for writing. When the command emptied it, call
    /// [`Keyspace::delete`].
    #[inline]
    pub fn get_mut<K: Kind>(&mut self, db: u32, key: &[u8]) -> Result<Option<&mut K>, WrongType> {
        match self.find_mut(db, key) {
            None => Ok(None),
            Some(entry) => entry
                .into_payload()
                .and_then(K::of_mut)
                .map(Some)
                .ok_or(WrongType),
        }
    }

    /// The container of type `K` at `key`, made by `make` if there is none. A command must not
    /// leave it empty: check its arguments before calling this.
    #[inline]
    pub fn get_or_create<K: Kind>(
        &mut self,
        db: u32,
        key: &[u8],
        make: impl FnOnce() -> K,
    ) -> Result<&mut K, WrongType> {
        self.before_write(db, key);
        let (dbs, access) = (&mut self.dbs, &mut self.access);
        let d = &mut dbs[db as usize];
        let (mut entry, inserted) = d.find_or_insert(key, self.expired_keys, self.now_ms, || {
            (
                NewValue::Payload(make().wrap()),
                K::TYPE as u8,
                access.fresh(),
            )
        });
        if !matches!(inserted, Inserted::No) {
            notes!(self).inserted(db, key, inserted);
        } else if self.touch {
            let bits = access.touch(entry.get().aux());
            entry.set_aux(bits);
        }
        entry.into_payload().and_then(K::of_mut).ok_or(WrongType)
    }

    /// Whether a key has expired but is still there; `None` if there is no such key. Removes nothing.
    pub fn has_expired(&self, db: u32, key: &[u8]) -> Option<bool> {
        self.dbs[db as usize]
            .find(key)
            .map(|e| e.expiry().is_some_and(|at| at <= self.now_ms))
    }

    /// Whether the key exists, of whatever type.
    pub fn exists(&mut self, db: u32, key: &[u8]) -> bool {
        self.peek(db, key).is_some()
    }

    /// Puts a container (or long string) at `key`, replacing whatever was there.
    pub fn put(&mut self, db: u32, key: &[u8], value: Value, expiry_ms: Option<i64>) {
        let is_new = !self.delete(db, key);
        let tag = value.kind() as u8;
        self.insert_silently(db, key, NewValue::Payload(value), tag, expiry_ms);
        if is_new {
            self.journal.notify(NotifyClass::NEW, "new", db, key);
        }
    }

    /// Adds a key known to be absent.
    pub(crate) fn insert_new(
        &mut self,
        db: u32,
        key: &[u8],
        value: NewValue<'_, Value>,
        tag: u8,
        expiry_ms: Option<i64>,
    ) {
        self.insert_silently(db, key, value, tag, expiry_ms);
        self.journal.notify(NotifyClass::NEW, "new", db, key);
    }

    fn insert_silently(
        &mut self,
        db: u32,
        key: &[u8],
        value: NewValue<'_, Value>,
        tag: u8,
        expiry_ms: Option<i64>,
    ) {
        self.before_write(db, key);
        self.displace_hidden(db, key);
        let d = &mut self.dbs[db as usize];
        let (hash, index) = (d.hash(key), d.table_index(key));
        d.tables[index].insert_new(hash, key, value, tag, self.access.fresh(), expiry_ms);
        d.added();
        d.reindex(index, hash, None, expiry_ms);
        self.journal.ready(db, key);
    }

    /// An expired key that is hidden, not deleted, makes room when its name is to be used again.
    #[inline]
    fn displace_hidden(&mut self, db: u32, key: &[u8]) {
        if self.expired_keys == ExpiredKeys::Hide
            && let Some(dead) = self.dbs[db as usize].remove(key)
        {
            notes!(self).expired(db, dead);
        }
    }

    /// Takes a key out. Expired keys count as absent (and are removed). A pass may want the value:
    /// see [`Notes::discard`].
    fn take(&mut self, db: u32, key: &[u8]) -> Option<OwnedEntry<Value>> {
        self.before_write(db, key);
        self.find(
            db,
            key,
            Look {
                touch: false,
                count: false,
                announce: false,
            },
        )?;
        self.dbs[db as usize].remove(key)
    }

    /// Deletes a key; big values go to `garbage`. True if it was there.
    pub fn delete(&mut self, db: u32, key: &[u8]) -> bool {
        match self.take(db, key) {
            Some(entry) => {
                notes!(self).discard(db, entry);
                true
            }
            None => false,
        }
    }

    /// Moves a key's value, expiry and access data to another name or database, replacing what is
    /// there. False if the source does not exist.
    pub fn rename(&mut self, from_db: u32, from: &[u8], to_db: u32, to: &[u8]) -> bool {
        let Some(entry) = self.take(from_db, from) else {
            return false;
        };
        let wanted = if self.passes.has_bigs() {
            self.passes.moved_from(from_db, from)
        } else {
            None
        };
        self.delete(to_db, to);
        self.displace_hidden(to_db, to);
        let (tag, aux, expiry) = (entry.get().tag(), entry.get().aux(), entry.get().expiry());
        let d = &mut self.dbs[to_db as usize];
        let (hash, index) = (d.hash(to), d.table_index(to));
        let value = entry.into_value();
        let new = match value {
            OwnedValue::Int(n) => NewValue::Int(n),
            OwnedValue::Bytes(ref b) => NewValue::Bytes(b),
            OwnedValue::Payload(v) => NewValue::Payload(v),
        };
        d.tables[index].insert_new(hash, to, new, tag, aux, expiry);
        d.added();
        d.reindex(index, hash, None, expiry);
        if let Some(id) = wanted {
            self.passes.moved_to(id, to_db, to);
        }
        self.journal.ready(to_db, to);
        self.journal.notify(NotifyClass::NEW, "new", to_db, to);
        true
    }

    /// Copies a key's value and expiry to another name or database, replacing what is there. False
    /// if the source does not exist.
    pub fn copy(&mut self, from_db: u32, from: &[u8], to_db: u32, to: &[u8]) -> bool {
        let Some(entry) = self.peek(from_db, from) else {
            return false;
        };
        let (tag, expiry) = (entry.kind() as u8, entry.expiry_ms());
        let copied = match entry.0.value() {
            ValueRef::Int(n) => OwnedValue::Int(n),
            ValueRef::Bytes(b) => OwnedValue::Bytes(b.into()),
            ValueRef::Payload(v) => OwnedValue::Payload(v.clone()),
        };
        self.delete(to_db, to);
        let new = match copied {
            OwnedValue::Int(n) => NewValue::Int(n),
            OwnedValue::Bytes(ref b) => NewValue::Bytes(b),
            OwnedValue::Payload(v) => NewValue::Payload(v),
        };
        self.insert_new(to_db, to, new, tag, expiry);
        true
    }

    /// Overwrites LRU or LFU data (RESTORE, DEBUG).
    pub fn set_access(&mut self, db: u32, key: &[u8], bits: u32) {
        if let Some(mut entry) = self.find(
            db,
            key,
            Look {
                touch: false,
                count: false,
                announce: false,
            },
        ) {
            entry.set_aux(bits);
        }
    }

    /// Every entry of a database, expired or not, in no order.
    pub fn iter(&self, db: u32) -> impl Iterator<Item = Entry<'_>> {
        self.dbs[db as usize].iter().map(Entry)
    }

    /// Whether an entry met by iteration has expired.
    pub fn is_expired(&self, entry: &Entry<'_>) -> bool {
        self.expired_keys != ExpiredKeys::Keep
            && entry.expiry_ms().is_some_and(|at| at <= self.now_ms)
    }

    /// One SCAN step: visits the entries at `cursor`, expired ones included, and returns the next
    /// cursor (0 at the end).
    pub fn scan<'a>(&'a self, db: u32, cursor: u64, mut visit: impl FnMut(Entry<'a>)) -> u64 {
        self.dbs[db as usize].scan(cursor, &mut |e| visit(Entry(e)))
    }

    /// A random key that has not expired, as far as one is found within reason.
    pub fn random_key(&mut self, db: u32) -> Option<Vec<u8>> {
        // Where expired keys may not be deleted, all of them may have expired; one is shown then.
        let all_volatile = self.dbs[db as usize].volatile_len() == self.dbs[db as usize].len();
        let mut tries_left = if all_volatile { 100usize } else { usize::MAX };
        loop {
            tries_left -= 1;
            let Keyspace { dbs, rng, .. } = self;
            let d = &dbs[db as usize];
            if d.is_empty() {
                return None;
            }
            let table = d.random_table(rng)?;
            let key = d.tables[table].random(|| rng.next_u64())?.key().to_vec();
            if self.exists(db, &key) || tries_left == 0 {
                return Some(key);
            }
        }
    }

    pub(crate) fn empty_db(&self) -> Db {
        Db::new(self.seed, self.per_slot)
    }

    /// The entry's LFU counter after decay.
    pub fn frequency(&self, entry: &Entry<'_>) -> u32 {
        self.frequency_of(entry.access())
    }

    /// As [`Keyspace::frequency`], from the bits that [`Entry::access`] returned.
    pub fn frequency_of(&self, bits: u32) -> u32 {
        self.access.frequency(bits)
    }

    /// Seconds since the entry was used.
    pub fn idle_seconds(&self, entry: &Entry<'_>) -> u32 {
        self.idle_seconds_of(entry.access())
    }

    /// As [`Keyspace::idle_seconds`], from the bits that [`Entry::access`] returned.
    pub fn idle_seconds_of(&self, bits: u32) -> u32 {
        self.access.idle_seconds(bits)
    }

    /// Keys per type, for tests and INFO; walks everything.
    pub fn count_types(&self, db: u32) -> [usize; Type::ALL.len()] {
        let mut counts = [0; Type::ALL.len()];
        for entry in self.iter(db) {
            counts[entry.kind() as usize] += 1;
        }
        counts
    }
}

/// What a look-up does besides looking.
#[derive(Clone, Copy)]
struct Look {
    touch: bool,
    count: bool,
    announce: bool,
}

pub(crate) fn fate(mode: ExpiredKeys, now_ms: i64, entry: EntryRef<'_, Value>) -> Fate {
    match entry.expiry() {
        Some(at) if at <= now_ms => match mode {
            ExpiredKeys::Delete => Fate::Remove,
            ExpiredKeys::Hide => Fate::Hide,
            ExpiredKeys::Keep => Fate::Keep,
        },
        _ => Fate::Keep,
    }
}
