//! The passes under way: who is owed what, and the walk over the buckets.
//!
//! A slice of a pass is 16 buckets, or fewer if what they hold takes long; then it asks whether to go
//! on. Passes stay in the order in which they began, so those whom a bucket owes are neighbours.
//! Tests: `tests/snapshot.rs`.

use std::collections::VecDeque;
use std::ops::Range;

use super::big::{BigLimits, BigValues, Reader, ValueId};
use super::homes::{DbId, Homes};
use super::{BigHeader, BigShape, PassId, PassProgress, Sink};
use crate::db::Db;
use crate::keys::Garbage;
use crate::value::{Entry, Value};
use structures::entry::OwnedEntry;
use structures::table::Table;

const SLICE_BUCKETS: usize = 16;
const SLICE_BYTES: usize = 16 * 1024;
/// Empty tables are passed over so many at a time.
const SLICE_TABLES: usize = 512;
/// What an entry takes besides its payload, roughly.
const ENTRY_BYTES: usize = 64;
/// So many buckets ahead of the walk, cells begin to be loaded.
const PREFETCH_BUCKETS: usize = 4;

pub(crate) struct Passes {
    owed: Owed,
    homes: Homes,
    /// Of the pass that began last.
    version: u16,
    next_pass: u64,
    /// Where to look for tables that were kept from shrinking: database and table.
    shrink_at: Option<(usize, usize)>,
}

/// The passes and what they hold, without the databases they look at.
struct Owed {
    /// By version.
    passes: Vec<Pass>,
    bigs: BigValues,
    limits: BigLimits,
}

struct Pass {
    id: PassId,
    version: u16,
    sink: Box<dyn Sink>,
    /// The databases that were there, with their numbers then.
    dbs: Vec<(DbId, u32)>,
    at: Cursor,
    bigs: VecDeque<BigItem>,
    /// The sink is in the middle of the first of `bigs`.
    big_begun: bool,
    progress: PassProgress,
}

#[derive(Clone, Copy, Default)]
struct Cursor {
    /// Index in the pass's `dbs`.
    db: usize,
    table: usize,
    bucket: usize,
}

/// A big value to be shown when all buckets are done, with what the key was like when it was owed.
struct BigItem {
    db: u32,
    key: Box<[u8]>,
    expiry_ms: Option<i64>,
    access: u32,
    shape: BigShape,
    value: ValueId,
    reader: Reader,
}

impl Pass {
    /// The number a database had when the pass began, if it was there and not empty.
    fn number_of(&self, db: DbId) -> Option<u32> {
        let found = self.dbs.iter().find(|(id, _)| *id == db);
        found.map(|(_, number)| *number)
    }

    fn has_yet_to_walk(&self, db: DbId) -> bool {
        self.dbs.iter().skip(self.at.db).any(|(id, _)| *id == db)
    }
}

impl Owed {
    /// Shows bucket `index` to the passes with versions up to `up_to` that it owes, and stamps it.
    /// Returns about how many bytes that were.
    fn settle(&mut self, db: DbId, table: &mut Table<Value>, index: usize, up_to: u16) -> usize {
        let stamp = table.bucket_stamp(index);
        if stamp >= up_to {
            return 0;
        }
        let first = self.passes.partition_point(|pass| pass.version <= stamp);
        let end = self.passes.partition_point(|pass| pass.version <= up_to);
        let mut weight = 0;
        let mut bigs: Vec<Box<[u8]>> = Vec::new();
        let (passes, limits) = (&mut self.passes[first..end], &self.limits);
        table.visit_bucket(index, |entry| {
            weight += ENTRY_BYTES;
            if let Some(value) = entry.payload() {
                match limits.weigh(value) {
                    Some(bytes) => weight += bytes,
                    None => return bigs.push(entry.key().into()),
                }
            }
            for pass in &mut *passes {
                if let Some(number) = pass.number_of(db) {
                    pass.sink.entry(number, Entry(entry));
                    pass.progress.done_keys += 1;
                }
            }
        });
        for key in bigs {
            self.register(db, table, &key, first..end);
        }
        table.stamp_bucket(index, up_to);
        weight
    }

    #[cold]
    fn register(&mut self, db: DbId, table: &mut Table<Value>, key: &[u8], passes: Range<usize>) {
        let hash = table.hash(key);
        let Some(mut entry) = table.find_mut(hash, key) else {
            return;
        };
        let (expiry_ms, access) = (entry.get().expiry(), entry.get().aux());
        for pass in &mut self.passes[passes] {
            let (Some(number), Some(value)) = (pass.number_of(db), entry.payload_mut()) else {
                continue;
            };
            let id = self.bigs.register(db, key);
            let begun = self.bigs.begin_reader(id, pass.id, value, &self.limits);
            let (reader, shape) = begun.expect("what is weighed as big can be read in slices");
            pass.bigs.push_back(BigItem {
                db: number,
                key: key.into(),
                expiry_ms,
                access,
                shape,
                value: id,
                reader,
            });
        }
    }

    /// One slice of the walk over the buckets; true when it is over.
    fn walk_slice(&mut self, dbs: &mut [Db], homes: &mut Homes, which: usize) -> bool {
        let (mut buckets_left, mut bytes_left) = (SLICE_BUCKETS, SLICE_BYTES);
        let mut tables_left = SLICE_TABLES;
        while buckets_left > 0 && bytes_left > 0 && tables_left > 0 {
            let pass = &self.passes[which];
            let (mut at, version) = (pass.at, pass.version);
            let Some((id, _)) = pass.dbs.get(at.db).copied() else {
                return true;
            };
            let table = homes.find(dbs, id).and_then(|d| d.tables.get_mut(at.table));
            match table {
                None => {
                    at = Cursor {
                        db: at.db + 1,
                        ..Cursor::default()
                    }
                }
                Some(table) if at.bucket >= table.bucket_count() => {
                    tables_left -= 1;
                    at.table += 1;
                    at.bucket = 0;
                }
                Some(table) => {
                    // Passed over quickly if a write was here before.
                    buckets_left -= 1;
                    table.prefetch_chain(at.bucket + PREFETCH_BUCKETS);
                    let weight = self.settle(id, table, at.bucket, version);
                    bytes_left = bytes_left.saturating_sub(weight);
                    at.bucket += 1;
                }
            }
            self.passes[which].at = at;
        }
        false
    }

    /// One slice of the big values; true when all were shown.
    fn read_slice(
        &mut self,
        dbs: &mut [Db],
        homes: &mut Homes,
        garbage: &mut Vec<Garbage>,
        which: usize,
    ) -> bool {
        let Owed { passes, bigs, .. } = self;
        let Pass {
            id,
            sink,
            bigs: items,
            big_begun,
            progress,
            ..
        } = &mut passes[which];
        let Some(item) = items.front() else {
            return true;
        };
        if !std::mem::replace(big_begun, true) {
            sink.big_begin(item.db, item.header());
        }
        let show = &mut |piece: super::Piece<'_>| sink.big_piece(piece);
        if !bigs.read_some(dbs, homes, item.value, *id, item.reader, show) {
            return false;
        }
        sink.big_end();
        *big_begun = false;
        progress.done_keys += 1;
        bigs.end_reader(dbs, homes, garbage, (item.value, *id, item.reader));
        items.pop_front();
        items.is_empty()
    }
}

impl BigItem {
    fn header(&self) -> BigHeader<'_> {
        BigHeader {
            key: &self.key,
            expiry_ms: self.expiry_ms,
            access: self.access,
            shape: self.shape,
        }
    }
}

/// Beginning, going on, ending.
impl Passes {
    pub fn new(databases: usize) -> Passes {
        Passes {
            owed: Owed {
                passes: Vec::new(),
                bigs: BigValues::default(),
                limits: BigLimits::default(),
            },
            homes: Homes::new(databases),
            version: 0,
            next_pass: 0,
            shrink_at: None,
        }
    }

    #[inline]
    pub fn is_active(&self) -> bool {
        !self.owed.passes.is_empty()
    }

    pub fn set_big_limits(&mut self, limits: BigLimits) {
        self.owed.limits = limits;
    }

    pub fn begin(&mut self, dbs: &mut [Db], sink: Box<dyn Sink>) -> PassId {
        if self.version == u16::MAX {
            self.renumber(dbs);
        }
        self.version += 1;
        let id = PassId(self.next_pass);
        self.next_pass += 1;
        let filled = || (0..).zip(dbs.iter()).filter(|(_, d)| !d.is_empty());
        self.owed.passes.push(Pass {
            id,
            version: self.version,
            sink,
            dbs: filled()
                .map(|(number, _)| (self.homes.id_of(number), number))
                .collect(),
            at: Cursor::default(),
            bigs: VecDeque::new(),
            big_begun: false,
            progress: PassProgress {
                done_keys: 0,
                total_keys: filled().map(|(_, d)| d.len() as u64).sum(),
            },
        });
        id
    }

    pub fn step(
        &mut self,
        dbs: &mut [Db],
        garbage: &mut Vec<Garbage>,
        id: PassId,
        keep_going: &mut dyn FnMut(&mut dyn Sink) -> bool,
    ) -> bool {
        let which = self.position(id);
        let Passes { owed, homes, .. } = self;
        let done = loop {
            let done =
                owed.walk_slice(dbs, homes, which) && owed.read_slice(dbs, homes, garbage, which);
            if done || !keep_going(&mut *owed.passes[which].sink) {
                break done;
            }
        };
        self.unpark(garbage);
        done
    }

    pub fn end(&mut self, dbs: &mut [Db], garbage: &mut Vec<Garbage>, id: PassId) -> Box<dyn Sink> {
        let which = self.position(id);
        let pass = self.owed.passes.remove(which);
        for item in pass.bigs {
            let held = (item.value, id, item.reader);
            self.owed
                .bigs
                .end_reader(dbs, &mut self.homes, garbage, held);
        }
        self.unpark(garbage);
        if !self.is_active() {
            self.check_idle();
            self.shrink_at = Some((0, 0));
        }
        pass.sink
    }

    pub fn sink(&mut self, id: PassId) -> &mut dyn Sink {
        let which = self.position(id);
        &mut *self.owed.passes[which].sink
    }

    pub fn progress(&self, id: PassId) -> PassProgress {
        self.owed.passes[self.position(id)].progress
    }

    pub fn check_idle(&self) {
        assert!(self.owed.bigs.is_empty(), "big values without a pass");
        assert!(!self.homes.has_parked(), "parked databases without a pass");
    }

    fn position(&self, id: PassId) -> usize {
        let found = self.owed.passes.iter().position(|pass| pass.id == id);
        found.expect("a pass is used until it is ended")
    }

    /// Versions become 1, 2, .. in their order; a stamp becomes the number of passes it owes nothing.
    #[cold]
    fn renumber(&mut self, dbs: &mut [Db]) {
        let passes = &mut self.owed.passes;
        let old: Vec<u16> = passes.iter().map(|pass| pass.version).collect();
        for db in dbs.iter_mut().chain(self.homes.parked_mut()) {
            for table in &mut db.tables {
                table.renumber_stamps(|stamp| old.partition_point(|v| *v <= stamp) as u16);
            }
        }
        for (version, pass) in (1..).zip(passes.iter_mut()) {
            pass.version = version;
        }
        self.version = passes.len() as u16;
    }

    pub fn exhaust_versions(&mut self, left: u16) {
        if !self.is_active() {
            self.version = self.version.max(u16::MAX - left);
        }
    }
}

/// What happens to the data meanwhile.
impl Passes {
    /// Something is going to change in the bucket of `hash`.
    pub fn settle_key(&mut self, db: u32, table: &mut Table<Value>, hash: u64) {
        let id = self.homes.id_of(db);
        if table.bucket_count() == 0 {
            return table.ensure_bucket(self.version);
        }
        self.owed
            .settle(id, table, table.bucket_index(hash), self.version);
    }

    pub fn swapped(&mut self, a: u32, b: u32) {
        self.homes.swapped(a, b);
    }

    /// Another database has the number now. Returns the old one if no pass needs it.
    pub fn flushed(&mut self, db: u32, old: Db) -> Option<Db> {
        let id = self.homes.replaced(db);
        if self.is_needed(id) {
            self.homes.park(id, old);
            return None;
        }
        Some(old)
    }

    fn is_needed(&self, db: DbId) -> bool {
        let Owed { passes, bigs, .. } = &self.owed;
        bigs.any_in(db) || passes.iter().any(|pass| pass.has_yet_to_walk(db))
    }

    fn unpark(&mut self, garbage: &mut Vec<Garbage>) {
        while self.homes.has_parked() {
            let Passes { owed, homes, .. } = self;
            let is_needed = |id| {
                owed.bigs.any_in(id) || owed.passes.iter().any(|pass| pass.has_yet_to_walk(id))
            };
            match homes.unpark(is_needed) {
                Some(db) => garbage.push(Garbage::Db(db)),
                None => return,
            }
        }
    }

    /// Whether removed and replaced values, and changes of strings, must be told.
    #[inline]
    pub fn has_bigs(&self) -> bool {
        !self.owed.bigs.is_empty()
    }

    pub fn removed(&mut self, db: u32, entry: OwnedEntry<Value>) -> Option<OwnedEntry<Value>> {
        self.owed.bigs.removed(self.homes.id_of(db), entry)
    }

    pub fn replaced(&mut self, db: u32, key: &[u8], old: Value) -> Option<Value> {
        self.owed.bigs.replaced(self.homes.id_of(db), key, old)
    }

    /// The value at `from` is at `to` now; nothing wanted is displaced by it.
    pub fn moved_from(&mut self, db: u32, key: &[u8]) -> Option<ValueId> {
        self.owed.bigs.moved_from(self.homes.id_of(db), key)
    }

    pub fn moved_to(&mut self, id: ValueId, db: u32, key: &[u8]) {
        self.owed.bigs.moved_to(id, self.homes.id_of(db), key);
    }

    pub fn before_text_change(
        &mut self,
        db: u32,
        key: &[u8],
        bytes: &[u8],
        changes: &[Range<usize>],
    ) {
        let id = self.homes.id_of(db);
        self.owed.bigs.before_text_change(id, key, bytes, changes);
    }

    /// See [`crate::Keyspace::shrink_tables`]. Stamps mean nothing while there is no pass.
    pub fn shrink_tables(&mut self, dbs: &mut [Db], mut max: usize) -> bool {
        let Some((mut db, mut table)) = self.shrink_at.filter(|_| !self.is_active()) else {
            return false;
        };
        let mut tables_left = SLICE_TABLES;
        while tables_left > 0 {
            let Some(d) = dbs.get_mut(db) else {
                self.shrink_at = None;
                return false;
            };
            match d.tables.get_mut(table) {
                Some(sparse) => {
                    let before = sparse.bucket_count();
                    if sparse.shrink_some(max) {
                        break;
                    }
                    max -= before - sparse.bucket_count();
                    table += 1;
                }
                None => (db, table) = (db + 1, 0),
            }
            tables_left -= 1;
        }
        self.shrink_at = Some((db, table));
        true
    }
}
