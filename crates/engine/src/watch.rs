//! WATCH: which sessions a touched key spoils the transaction of.

use crate::engine::{Engine, SessionId};
use crate::session::{Session, SessionFlags};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Watches {
    by_key: BTreeMap<(u32, Box<[u8]>), Vec<SessionId>>,
}

impl Watches {
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Number of watched keys.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn watchers(&self, db: u32, key: &[u8]) -> &[SessionId] {
        self.by_key.get(&(db, key.into())).map_or(&[], Vec::as_slice)
    }

    /// Watched keys of one database.
    pub fn keys_of(&self, db: u32) -> impl Iterator<Item = (&[u8], &[SessionId])> {
        self.by_key
            .range((db, Box::from(&b""[..]))..)
            .take_while(move |((d, _), _)| *d == db)
            .map(|((_, key), ids)| (&**key, ids.as_slice()))
    }
}

impl Engine {
    /// Adds a key to the session's watched ones.
    pub fn watch(&mut self, session: &mut Session, db: u32, key: &[u8]) {
        if session.watched.iter().any(|(d, k)| *d == db && **k == *key) {
            return;
        }
        session.watched.push((db, key.into()));
        self.watches.by_key.entry((db, key.into())).or_default().push(session.slot);
        self.keyspace.journal.track_touched = true;
    }

    pub fn unwatch_all(&mut self, session: &mut Session) {
        for entry in session.watched.drain(..) {
            if let Some(ids) = self.watches.by_key.get_mut(&entry) {
                ids.retain(|id| *id != session.slot);
                if ids.is_empty() {
                    self.watches.by_key.remove(&entry);
                }
            }
        }
        self.keyspace.journal.track_touched = !self.watches.is_empty();
    }

    /// Spoils the transactions of everyone watching `key`.
    pub(crate) fn touch_watchers(&mut self, current: Option<&mut Session>, db: u32, key: &[u8]) {
        if self.watches.is_empty() {
            return;
        }
        let Engine { watches, sessions, .. } = self;
        let mut current = current;
        for id in watches.watchers(db, key) {
            if let Some(session) = sessions.get_mut(*id) {
                session.flags.set(SessionFlags::DIRTY_CAS, true);
            } else if let Some(session) = current.as_deref_mut().filter(|s| s.slot == *id) {
                session.flags.set(SessionFlags::DIRTY_CAS, true);
            }
        }
    }

    /// Before database `db` is emptied or exchanged with `with`: a watched key that exists in either
    /// counts as touched.
    pub fn touch_all_watched(&mut self, session: &mut Session, db: u32, with: Option<u32>) {
        let now = self.keyspace.now_ms();
        let keys: Vec<Box<[u8]>> = self.watches.keys_of(db).map(|(k, _)| k.into()).collect();
        for key in keys {
            let here = self.keyspace.peek(db, &key).is_some_and(|e| e.expiry_ms().is_none_or(|at| at > now));
            let there = with.is_some_and(|w| self.keyspace.exists(w, &key));
            if here || there {
                self.touch_watchers(Some(session), db, &key);
            }
        }
    }
}
