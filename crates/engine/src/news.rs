//! After a command: what it did to keys becomes notifications, spoiled transactions, messages.

use crate::engine::{Engine, SessionId};
use crate::host::Host;
use crate::session::{Session, SessionFlags};
use keyspace::journal::{KeyEvent, NotifyClass, Removal};
use resp::{Version, Writer};

/// What happened for a session while it was running: it could not be reached then.
pub(crate) enum Stray {
    Message {
        to: SessionId,
        v2: Vec<u8>,
        v3: Vec<u8>,
    },
    /// Its transaction is spoilt.
    Spoilt { who: SessionId },
}

impl Engine {
    /// Gives a running session what came for it meanwhile; messages go behind its reply.
    pub(crate) fn settle_strays(&mut self, session: &mut Session, out: &mut Writer) {
        let mine = session.slot;
        for stray in std::mem::take(&mut self.strays) {
            match stray {
                Stray::Message { to, .. } if to == mine && session.is_mute() => {}
                Stray::Message { to, v2, v3 } if to == mine => {
                    out.raw(if session.version == Version::V2 {
                        &v2
                    } else {
                        &v3
                    });
                }
                Stray::Spoilt { who } if who == mine => {
                    session.flags.set(SessionFlags::DIRTY_CAS, true)
                }
                other => self.strays.push(other),
            }
        }
    }

    /// Acts on the journal. `current` is the session that ran the command, its writer stored away.
    pub(crate) fn after_command(&mut self, mut current: Option<&mut Session>) {
        let touched = std::mem::take(&mut self.keyspace.journal.touched);
        for (db, key) in touched {
            self.touch_watchers(current.as_deref_mut(), db, &key);
        }
        let events = std::mem::take(&mut self.keyspace.journal.events);
        for event in events {
            self.publish_key_event(&event);
        }
        self.propagate_removals_alone();
    }

    /// Keys that expired or were evicted outside of any request, or before it began.
    #[inline]
    pub(crate) fn propagate_removals_alone(&mut self) {
        if !self.keyspace.journal.removals.is_empty() {
            self.effects.begin_unit();
            self.push_removals(true);
        }
    }

    /// What expired under a command goes before what the command does.
    #[inline]
    pub(crate) fn propagate_removals(&mut self) {
        if !self.keyspace.journal.removals.is_empty() {
            self.push_removals(false);
        }
    }

    /// Expired and evicted keys propagate as deletions, each by itself or as a part of what runs.
    #[cold]
    fn push_removals(&mut self, alone: bool) {
        for (db, key, why) in std::mem::take(&mut self.keyspace.journal.removals) {
            if !self.effects.enabled {
                continue;
            }
            let is_lazy = match why {
                Removal::Expired => self.settings.lazyfree_expire,
                Removal::Evicted => self.settings.lazyfree_eviction,
            };
            let verb: &[u8] = if is_lazy { b"UNLINK" } else { b"DEL" };
            if alone {
                self.effects.push_alone(db, &[verb, &key]);
            } else {
                self.effects.push(db, &[verb, &key]);
            }
        }
    }

    fn publish_key_event(&mut self, event: &KeyEvent) {
        let wanted = self.keyspace.journal.notify;
        if wanted.intersects(NotifyClass::KEYSPACE) {
            let channel = [format!("__keyspace@{}__:", event.db).as_bytes(), &event.key].concat();
            self.publish(&channel, event.event.as_bytes());
        }
        if wanted.intersects(NotifyClass::KEYEVENT) {
            let channel = format!("__keyevent@{}__:{}", event.db, event.event);
            self.publish(channel.as_bytes(), &event.key);
        }
    }

    /// Hands big removed values to the host.
    pub(crate) fn drop_garbage(&mut self, host: &mut dyn Host) {
        for garbage in self.keyspace.garbage.drain(..) {
            host.drop_later(garbage);
        }
    }
}
