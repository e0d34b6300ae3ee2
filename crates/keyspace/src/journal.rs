//! What happened to keys during a command, for the engine to act on once the command is done:
//! keyspace notifications, touched keys (WATCH, tracking), keys that may serve a blocked client, and
//! deletions the keyspace decided itself (expiry, eviction), which must propagate.
//!
//! Everything is off until somebody listens, so the common command pays one test per call.

use std::collections::BTreeMap;

/// Classes of keyspace notifications, with the bits and letters of `notify-keyspace-events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NotifyClass(pub u32);

impl NotifyClass {
    pub const KEYSPACE: NotifyClass = NotifyClass(1 << 0);
    pub const KEYEVENT: NotifyClass = NotifyClass(1 << 1);
    pub const GENERIC: NotifyClass = NotifyClass(1 << 2);
    pub const STRING: NotifyClass = NotifyClass(1 << 3);
    pub const LIST: NotifyClass = NotifyClass(1 << 4);
    pub const SET: NotifyClass = NotifyClass(1 << 5);
    pub const HASH: NotifyClass = NotifyClass(1 << 6);
    pub const ZSET: NotifyClass = NotifyClass(1 << 7);
    pub const EXPIRED: NotifyClass = NotifyClass(1 << 8);
    pub const EVICTED: NotifyClass = NotifyClass(1 << 9);
    pub const STREAM: NotifyClass = NotifyClass(1 << 10);
    pub const KEY_MISS: NotifyClass = NotifyClass(1 << 11);
    pub const MODULE: NotifyClass = NotifyClass(1 << 13);
    pub const NEW: NotifyClass = NotifyClass(1 << 14);

    pub fn intersects(self, other: NotifyClass) -> bool {
        self.0 & other.0 != 0
    }
}

pub struct KeyEvent {
    pub db: u32,
    pub class: NotifyClass,
    pub event: &'static str,
    pub key: Box<[u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Expired,
    Evicted,
}

#[derive(Default)]
pub struct Journal {
    /// Which notification classes anyone wants (`notify-keyspace-events`).
    pub notify: NotifyClass,
    /// Somebody watches keys (WATCH, tracking).
    pub track_touched: bool,
    /// Keys somebody is blocked on, in whichever database, with the number of databases.
    awaited: BTreeMap<Box<[u8]>, u32>,
    /// Somebody takes the effects (AOF, replicas).
    pub track_removals: bool,
    pub events: Vec<KeyEvent>,
    pub touched: Vec<(u32, Box<[u8]>)>,
    pub ready: Vec<(u32, Box<[u8]>)>,
    pub removals: Vec<(u32, Box<[u8]>, Removal)>,
    /// Changes since the last save, as INFO's `rdb_changes_since_last_save` counts them.
    pub dirty: u64,
}

impl Journal {
    #[inline]
    pub fn notify(&mut self, class: NotifyClass, event: &'static str, db: u32, key: &[u8]) {
        if self.notify.intersects(class) {
            self.events.push(KeyEvent {
                db,
                class,
                event,
                key: key.into(),
            });
        }
    }

    #[inline]
    pub fn touched(&mut self, db: u32, key: &[u8]) {
        if self.track_touched {
            self.touched.push((db, key.into()));
        }
    }

    #[inline]
    pub fn ready(&mut self, db: u32, key: &[u8]) {
        if !self.awaited.is_empty() && self.awaited.contains_key(key) {
            self.ready.push((db, key.into()));
        }
    }

    /// Somebody begins to wait for `key` in one more database.
    pub fn await_key(&mut self, key: &[u8]) {
        *self.awaited.entry(key.into()).or_default() += 1;
    }

    /// Nobody waits for `key` any more in one of the databases.
    pub fn forget_key(&mut self, key: &[u8]) {
        if let Some(count) = self.awaited.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.awaited.remove(key);
            }
        }
    }

    #[inline]
    pub fn has_news(&self) -> bool {
        !(self.events.is_empty()
            && self.touched.is_empty()
            && self.ready.is_empty()
            && self.removals.is_empty())
    }
}
