//! After a command: what it did to keys becomes notifications, spoiled transactions, messages.

use crate::engine::Engine;
use crate::host::Host;
use crate::session::Session;
use keyspace::journal::{KeyEvent, NotifyClass};

impl Engine {
    /// Acts on the journal. `current` is the session that ran the command, its writer stored away.
    pub(crate) fn after_command(&mut self, mut current: Option<&mut Session>) {
        let touched = std::mem::take(&mut self.keyspace.journal.touched);
        for (db, key) in touched {
            self.touch_watchers(current.as_deref_mut(), db, &key);
        }
        let events = std::mem::take(&mut self.keyspace.journal.events);
        for event in events {
            self.publish_key_event(current.as_deref_mut(), &event);
        }
        self.propagate_removals();
    }

    /// Expired and evicted keys propagate as deletions.
    fn propagate_removals(&mut self) {
        for (db, key, _) in std::mem::take(&mut self.keyspace.journal.removals) {
            if self.effects.enabled {
                self.effects.push(db, &[b"DEL", &key]);
            }
        }
    }

    fn publish_key_event(&mut self, mut current: Option<&mut Session>, event: &KeyEvent) {
        let wanted = self.keyspace.journal.notify;
        if wanted.intersects(NotifyClass::KEYSPACE) {
            let channel = [format!("__keyspace@{}__:", event.db).as_bytes(), &event.key].concat();
            self.publish(current.as_deref_mut(), &channel, event.event.as_bytes());
        }
        if wanted.intersects(NotifyClass::KEYEVENT) {
            let channel = format!("__keyevent@{}__:{}", event.db, event.event);
            self.publish(current, channel.as_bytes(), &event.key);
        }
    }

    /// Hands big removed values to the host.
    pub(crate) fn drop_garbage(&mut self, host: &mut dyn Host) {
        for garbage in self.keyspace.garbage.drain(..) {
            host.drop_later(garbage);
        }
    }
}
