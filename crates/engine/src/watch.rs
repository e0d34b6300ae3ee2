//! WATCH: which sessions a touched key spoils the transaction of.
//!
//! A key that had expired when it was watched counts as absent: that it is removed later changes
//! nothing. A key that expires while it is watched is a change.

use crate::engine::{Engine, SessionId};
use crate::news::Stray;
use crate::session::{Session, SessionFlags};
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// A key that a session watches.
pub struct Watched {
    pub db: u32,
    pub key: Box<[u8]>,
    /// It was there but expired when it was watched.
    pub was_expired: bool,
}

type Watchers = HashMap<Box<[u8]>, Vec<SessionId>, FixedState>;

#[derive(Default)]
pub struct Watches {
    /// By database number.
    by_db: Vec<Watchers>,
    /// Watched keys, each once.
    count: usize,
    hasher: FixedState,
}

impl Watches {
    pub(crate) fn new(seed: u64) -> Watches {
        Watches {
            hasher: FixedState::with_seed(seed),
            ..Watches::default()
        }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of watched keys.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn watchers(&self, db: u32, key: &[u8]) -> &[SessionId] {
        self.by_db
            .get(db as usize)
            .and_then(|keys| keys.get(key))
            .map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, db: u32, key: &[u8], id: SessionId) {
        while self.by_db.len() <= db as usize {
            self.by_db.push(HashMap::with_hasher(self.hasher.clone()));
        }
        let keys = &mut self.by_db[db as usize];
        match keys.get_mut(key) {
            Some(ids) => ids.push(id),
            None => {
                keys.insert(key.into(), vec![id]);
                self.count += 1;
            }
        }
    }

    fn remove(&mut self, db: u32, key: &[u8], id: SessionId) {
        let Some(keys) = self.by_db.get_mut(db as usize) else {
            return;
        };
        let Some(ids) = keys.get_mut(key) else { return };
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            keys.remove(key);
            self.count -= 1;
        }
    }

    fn keys_of(&self, db: u32) -> Vec<Box<[u8]>> {
        self.by_db
            .get(db as usize)
            .map(|keys| keys.keys().cloned().collect())
            .unwrap_or_default()
    }
}

/// How a watched key stands, without removing it if it has expired.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Live,
    Expired,
}

impl Engine {
    fn watched_state(&self, db: u32, key: &[u8]) -> State {
        match self.keyspace.has_expired(db, key) {
            None => State::Absent,
            Some(false) => State::Live,
            Some(true) => State::Expired,
        }
    }

    /// Adds a key to the session's watched ones.
    pub fn watch(&mut self, session: &mut Session, db: u32, key: &[u8]) {
        if session.watched.iter().any(|w| w.db == db && *w.key == *key) {
            return;
        }
        let was_expired = self.watched_state(db, key) == State::Expired;
        session.watched.push(Watched {
            db,
            key: key.into(),
            was_expired,
        });
        self.watches.add(db, key, session.slot);
        self.keyspace.journal.track_touched = true;
    }

    pub fn unwatch_all(&mut self, session: &mut Session) {
        if session.watched.is_empty() {
            return;
        }
        for watched in session.watched.drain(..) {
            self.watches.remove(watched.db, &watched.key, session.slot);
        }
        self.keyspace.journal.track_touched = !self.watches.is_empty();
    }

    /// Whether a key that the session watches has expired since.
    pub(crate) fn a_watched_key_expired(&self, session: &Session) -> bool {
        session
            .watched
            .iter()
            .any(|w| !w.was_expired && self.watched_state(w.db, &w.key) == State::Expired)
    }

    /// Spoils the transactions of everyone watching `key`.
    pub(crate) fn touch_watchers(&mut self, current: Option<&mut Session>, db: u32, key: &[u8]) {
        if self.watches.is_empty() {
            return;
        }
        let is_gone = self.watched_state(db, key) == State::Absent;
        self.for_each_watcher(current, db, key, |watched| {
            // An expired key that is now removed: nothing changed for its watcher.
            let unchanged = watched.was_expired && is_gone;
            watched.was_expired &= !unchanged;
            !unchanged
        });
    }

    /// Before database `db` is emptied or exchanged with `with`: a watched key that exists in either
    /// counts as touched.
    pub fn touch_all_watched(
        &mut self,
        mut session: Option<&mut Session>,
        db: u32,
        with: Option<u32>,
    ) {
        for key in self.watches.keys_of(db) {
            let before = self.watched_state(db, &key);
            let after = with.map_or(State::Absent, |with| self.watched_state(with, &key));
            if before == State::Absent && after == State::Absent {
                continue;
            }
            self.for_each_watcher(session.as_deref_mut(), db, &key, |watched| {
                let seen_as_absent = watched.was_expired || before == State::Absent;
                if seen_as_absent && after != State::Live {
                    watched.was_expired = after == State::Expired;
                    return false;
                }
                true
            });
        }
    }

    /// Asks `is_spoilt` about each session that watches the key.
    fn for_each_watcher(
        &mut self,
        mut current: Option<&mut Session>,
        db: u32,
        key: &[u8],
        mut is_spoilt: impl FnMut(&mut Watched) -> bool,
    ) {
        let Engine {
            watches,
            sessions,
            strays,
            ..
        } = self;
        for id in watches.watchers(db, key) {
            let running = current.as_deref_mut().filter(|s| s.slot == *id);
            let Some(session) = running.or_else(|| sessions.get_mut(*id)) else {
                strays.push(Stray::Spoilt { who: *id });
                continue;
            };
            let Some(watched) = session
                .watched
                .iter_mut()
                .find(|w| w.db == db && *w.key == *key)
            else {
                continue;
            };
            if is_spoilt(watched) {
                session.flags.set(SessionFlags::DIRTY_CAS, true);
            }
        }
    }
}
