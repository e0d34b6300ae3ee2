//! What a command handler works with.

use crate::engine::Engine;
use crate::host::Host;
use crate::session::Session;
use crate::settings::Settings;
use commands::CommandId;
use keyspace::Keyspace;
use keyspace::journal::NotifyClass;
use resp::Writer;

/// A request's arguments, the command's name first.
pub type Args<'a> = &'a [&'a [u8]];

/// One command's surroundings. The fields are disjoint so that a handler can read the keyspace and
/// write the reply at once: `ctx.out.bulk(ctx.engine.keyspace.read(…)…)`.
pub struct Ctx<'a> {
    pub engine: &'a mut Engine,
    /// The calling session; it is NOT in `engine.sessions` meanwhile.
    pub session: &'a mut Session,
    pub out: &'a mut Writer,
    pub host: &'a mut dyn Host,
    pub command: CommandId,
}

impl Ctx<'_> {
    #[inline]
    pub fn db(&self) -> u32 {
        self.session.db
    }

    #[inline]
    pub fn keys(&mut self) -> &mut Keyspace {
        &mut self.engine.keyspace
    }

    pub fn settings(&self) -> &Settings {
        &self.engine.settings
    }

    /// The command's time, Unix milliseconds; constant while it (or its transaction) runs.
    pub fn now_ms(&self) -> i64 {
        self.engine.keyspace.now_ms()
    }

    /// A key of the session's database changed: watchers, tracking, the change counter.
    #[inline]
    pub fn modified(&mut self, key: &[u8]) {
        let db = self.session.db;
        self.modified_in(db, key);
    }

    #[inline]
    pub fn modified_in(&mut self, db: u32, key: &[u8]) {
        let journal = &mut self.engine.keyspace.journal;
        journal.dirty += 1;
        journal.touched(db, key);
    }

    /// Publishes a keyspace notification, if anyone wants its class.
    #[inline]
    pub fn notify(&mut self, class: NotifyClass, event: &'static str, key: &[u8]) {
        let db = self.session.db;
        self.engine.keyspace.journal.notify(class, event, db, key);
    }

    #[inline]
    pub fn notify_in(&mut self, db: u32, class: NotifyClass, event: &'static str, key: &[u8]) {
        self.engine.keyspace.journal.notify(class, event, db, key);
    }

    /// How long the reply may get before the client is cut off anyway. For commands whose reply a
    /// client can make as long as it likes.
    pub fn reply_max_bytes(&self) -> usize {
        match self.engine.output_limit(self.session).hard_bytes {
            0 => usize::MAX,
            limit => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                self.session.output.room(limit)
            }
        }
    }

    /// The command propagates as `args` instead of as received. May be called several times.
    pub fn propagate_as(&mut self, args: &[&[u8]]) {
        if self.engine.effects.enabled {
            self.engine.propagate_removals();
            self.engine.effects.replaced = true;
            self.engine.effects.push(self.session.db, args);
        }
    }

    /// The command propagates nothing although it changed something (or what it did is already out).
    pub fn propagate_nothing(&mut self) {
        self.engine.effects.replaced = true;
    }
}
