//! Keys that clients of a writable replica gave a time to live.
//!
//! A replica waits for its primary to say that a key is gone. Of keys that only it has, or whose
//! expiry only it knows, no primary will ever say so: it remembers those and deletes them itself
//! when their time has come. A client that writes to such a replica also finds expired keys deleted,
//! as on a primary.
//!
//! Tests: `tests/role.rs`.

use crate::ctx::Args;
use crate::engine::Engine;
use crate::host::Host;
use crate::session::Session;
use commands::{CommandId, Flags};
use keyspace::ExpiredKeys;
use std::collections::BTreeSet;
use std::ops::Bound;

/// Keys looked at per call of the housekeeping.
const VISIT_MAX: usize = 1000;

type OwnKey = (u32, Box<[u8]>);

#[derive(Default)]
pub(crate) struct OwnKeys {
    keys: BTreeSet<OwnKey>,
    /// Where the next visit begins.
    next: Option<OwnKey>,
}

/// The keys of a write and when they expired before it.
pub(crate) struct OwnWrite(Vec<(Box<[u8]>, Option<i64>)>);

impl Engine {
    /// Before a command runs on a replica.
    #[cold]
    pub(crate) fn begin_own_write(
        &mut self,
        session: &Session,
        id: CommandId,
        args: Args<'_>,
    ) -> Option<OwnWrite> {
        let is_own = id.flags().contains(Flags::WRITE)
            && !self.config.replica_read_only
            && !session.is_mute();
        if !is_own {
            return None;
        }
        if !self.is_paused() {
            self.keyspace.expired_keys = ExpiredKeys::Delete;
        }
        let keys = commands::keys_of(id, args).unwrap_or_default();
        let keys = keys.iter().map(|key| {
            let key = args[key.index];
            let entry = self.keyspace.inspect(session.db, key);
            (key.into(), entry.and_then(|entry| entry.expiry_ms()))
        });
        Some(OwnWrite(keys.collect()))
    }

    /// After it ran.
    #[cold]
    pub(crate) fn end_own_write(&mut self, session: &Session, write: OwnWrite) {
        self.settle_expired_keys();
        for (key, before_ms) in write.0 {
            let entry = self.keyspace.inspect(session.db, &key);
            let expiry_ms = entry.and_then(|entry| entry.expiry_ms());
            if expiry_ms.is_some() && expiry_ms != before_ms {
                self.own_keys.keys.insert((session.db, key));
            }
        }
    }

    /// Deletes those whose time has come. Part of the housekeeping.
    pub(crate) fn expire_own_keys(&mut self, host: &mut dyn Host) {
        if self.own_keys.keys.is_empty() || !self.active_expire || self.is_paused() {
            return;
        }
        let from = match self.own_keys.next.take() {
            Some(key) => Bound::Included(key),
            None => Bound::Unbounded,
        };
        let mut rest = self.own_keys.keys.range((from, Bound::Unbounded));
        let visited: Vec<OwnKey> = rest.by_ref().take(VISIT_MAX).cloned().collect();
        self.own_keys.next = rest.next().cloned();
        self.keyspace.expired_keys = ExpiredKeys::Delete;
        for own in visited {
            let (db, key) = (own.0, &own.1);
            let expiry_ms = self.keyspace.inspect(db, key).and_then(|e| e.expiry_ms());
            let is_due = expiry_ms.is_some_and(|at_ms| at_ms <= self.keyspace.now_ms());
            if is_due {
                self.keyspace.exists(db, key);
            }
            if is_due || expiry_ms.is_none() {
                self.own_keys.keys.remove(&own);
            }
        }
        self.settle_expired_keys();
        self.after_command(None);
        self.drop_garbage(host);
    }

    /// We are a primary, or all data is new: nothing is ours in particular.
    pub(crate) fn forget_own_keys(&mut self) {
        self.own_keys = OwnKeys::default();
    }

    /// INFO's `slave_expires_tracked_keys`.
    pub(crate) fn own_key_count(&self) -> usize {
        self.own_keys.keys.len()
    }
}
