//! What became of entries: counted, announced, and handed on to whoever drops or still wants them.
//!
//! [`Notes`] borrows the parts of a [`crate::Keyspace`] that this takes, beside an entry that is still
//! borrowed from its database; the macro `notes!` does the borrowing. Tests: with its users.

use crate::journal::{Journal, NotifyClass, Removal};
use crate::keys::{Garbage, KeyspaceStats};
use crate::snapshot::Passes;
use crate::value::Value;
use structures::entry::OwnedEntry;
use structures::table::Inserted;

/// Removed values that take at least this many frees are handed out to be dropped elsewhere.
const GARBAGE_EFFORT: usize = 64;

pub(crate) struct Notes<'a> {
    pub stats: &'a mut KeyspaceStats,
    pub journal: &'a mut Journal,
    pub garbage: &'a mut Vec<Garbage>,
    pub passes: &'a mut Passes,
}

/// [`Notes`] of a keyspace whose other fields stay free to be borrowed.
macro_rules! notes {
    ($keyspace:expr) => {
        crate::notes::Notes {
            stats: &mut $keyspace.stats,
            journal: &mut $keyspace.journal,
            garbage: &mut $keyspace.garbage,
            passes: &mut $keyspace.passes,
        }
    };
}
pub(crate) use notes;

impl Notes<'_> {
    /// A key was added, perhaps in the place of a dead one.
    pub fn inserted(&mut self, db: u32, key: &[u8], inserted: Inserted<Value>) {
        if let Inserted::Replacing(dead) = inserted {
            self.expired(db, dead);
        }
        self.journal.ready(db, key);
        self.journal.notify(NotifyClass::NEW, "new", db, key);
    }

    pub fn expired(&mut self, db: u32, dead: OwnedEntry<Value>) {
        let key = dead.get().key();
        self.stats.expired += 1;
        self.journal
            .notify(NotifyClass::EXPIRED, "expired", db, key);
        self.journal.touched(db, key);
        if self.journal.track_removals {
            let removal = (db, key.into(), Removal::Expired);
            self.journal.removals.push(removal);
        }
        self.discard(db, dead);
    }

    /// Drops a removed entry, or hands it out if that would take long or a pass wants it.
    #[inline]
    pub fn discard(&mut self, db: u32, entry: OwnedEntry<Value>) {
        if self.passes.has_bigs() {
            if let Some(unwanted) = self.passes.removed(db, entry) {
                discard(self.garbage, unwanted);
            }
        } else {
            discard(self.garbage, entry);
        }
    }

    /// As [`Notes::discard`], for a value that another one has replaced.
    pub fn discard_value(&mut self, db: u32, key: &[u8], value: Value) {
        let unwanted = if self.passes.has_bigs() {
            self.passes.replaced(db, key, value)
        } else {
            Some(value)
        };
        if let Some(value) = unwanted
            && value.free_effort() > 1
        {
            self.garbage.push(Garbage::Value(value));
        }
    }
}

fn discard(garbage: &mut Vec<Garbage>, entry: OwnedEntry<Value>) {
    if entry
        .get()
        .payload()
        .is_some_and(|value| value.free_effort() >= GARBAGE_EFFORT)
    {
        garbage.push(Garbage::Entry(entry));
    }
}
