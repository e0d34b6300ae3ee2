//! Commands that wait: for a key (BLPOP and its kind), for replicas (WAIT, see `waits`), for the end
//! of the process (SHUTDOWN).
//!
//! A command blocked on keys is kept with its arguments and simply run again when one of its keys may serve
//! it. If it still finds nothing it says so by blocking once more, and keeps its place in the queue.
//! Keys become ready by being created; clients are served when the whole command (or transaction)
//! that did it is over, in the order in which they came, those whom that serves in turn afterwards.
//! Statistics count a command when it replies, not when it begins to wait.
//!
//! To add a blocking command: call [`crate::Ctx::block`] when there is nothing to take.
//! Tests: `tests/lists.rs`.

use crate::ctx::{Args, Ctx};
use crate::engine::{Engine, SessionId};
use crate::session::{Session, SessionFlags};
use crate::waits::ReplicaWait;
use commands::CommandId;
use keyspace::Type;
use resp::Writer;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const THROWN_OUT: &str =
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

/// What a blocked client gets when its time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutReply {
    Null,
    NullArray,
}

/// What a blocked client waits for.
pub enum BlockedOn {
    Keys {
        keys: Vec<Box<[u8]>>,
        wants: Type,
        on_timeout: TimeoutReply,
    },
    Replicas(ReplicaWait),
    /// SHUTDOWN: it gets no reply unless that fails.
    Shutdown,
}

pub struct Blocked {
    pub command: CommandId,
    pub args: Vec<Vec<u8>>,
    pub db: u32,
    pub on: BlockedOn,
    pub deadline_ms: Option<i64>,
}

impl Blocked {
    fn keys(&self) -> &[Box<[u8]>] {
        match &self.on {
            BlockedOn::Keys { keys, .. } => keys,
            BlockedOn::Replicas(_) | BlockedOn::Shutdown => &[],
        }
    }
}

#[derive(Default)]
pub struct Blocking {
    by_key: BTreeMap<(u32, Box<[u8]>), VecDeque<SessionId>>,
    deadlines: BTreeSet<(i64, SessionId)>,
    /// Who waits for replicas.
    pub(crate) replica_waits: BTreeSet<SessionId>,
    /// Who waits for the end of the process.
    pub(crate) shutdowns: BTreeSet<SessionId>,
    count: usize,
}

impl Blocking {
    /// Blocked clients.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Blocked clients that wait for a limited time.
    pub fn deadline_count(&self) -> usize {
        self.deadlines.len()
    }

    /// Keys somebody waits for.
    pub fn key_count(&self) -> usize {
        self.by_key.len()
    }

    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|d| d.0)
    }

    pub(crate) fn keys_of_db(&self, db: u32) -> Vec<Box<[u8]>> {
        self.by_key
            .keys()
            .filter(|(d, _)| *d == db)
            .map(|(_, k)| k.clone())
            .collect()
    }
}

impl Ctx<'_> {
    /// Whether the command may wait: not inside EXEC, and not if a primary or a replica sent it.
    pub fn may_block(&self) -> bool {
        !self.session.flags.has(SessionFlags::IN_EXEC) && !self.session.is_mute()
    }

    /// Suspends the command until one of `keys` holds something of type `wants`, or until the
    /// timeout (milliseconds; 0 waits forever). Inside EXEC it replies as if timed out.
    pub fn block(
        &mut self,
        args: Args<'_>,
        keys: &[&[u8]],
        wants: Type,
        timeout_ms: i64,
        on_timeout: TimeoutReply,
    ) {
        if !self.may_block() {
            write_timeout(self.out, on_timeout);
            return;
        }
        if self.session.flags.has(SessionFlags::UNBLOCKED) {
            // Run again and still nothing there: it goes on waiting as it did.
            self.session.flags.set(SessionFlags::UNBLOCKED, false);
            return;
        }
        let deadline_ms = (timeout_ms > 0).then(|| self.now_ms().saturating_add(timeout_ms));
        let mut unique: Vec<Box<[u8]>> = Vec::with_capacity(keys.len());
        let mut seen = BTreeSet::new();
        for key in keys {
            if seen.insert(*key) {
                unique.push((*key).into());
            }
        }
        let on = BlockedOn::Keys {
            keys: unique,
            wants,
            on_timeout,
        };
        self.block_on(args, on, deadline_ms);
    }

    /// Suspends the session; [`Ctx::may_block`] has said that it may.
    pub(crate) fn block_on(&mut self, args: Args<'_>, on: BlockedOn, deadline_ms: Option<i64>) {
        let blocked = Blocked {
            command: self.command,
            args: args.iter().map(|a| a.to_vec()).collect(),
            db: self.session.db,
            on,
            deadline_ms,
        };
        self.engine.register_blocked(self.session.slot, &blocked);
        self.session.blocked = Some(Box::new(blocked));
    }
}

pub(crate) fn write_timeout(out: &mut Writer, reply: TimeoutReply) {
    match reply {
        TimeoutReply::Null => out.null(),
        TimeoutReply::NullArray => out.null_array(),
    }
}

impl Engine {
    fn register_blocked(&mut self, id: SessionId, blocked: &Blocked) {
        match &blocked.on {
            BlockedOn::Keys { .. } => {}
            BlockedOn::Replicas(_) => drop(self.blocking.replica_waits.insert(id)),
            BlockedOn::Shutdown => drop(self.blocking.shutdowns.insert(id)),
        }
        for key in blocked.keys() {
            let queue = self
                .blocking
                .by_key
                .entry((blocked.db, key.clone()))
                .or_default();
            if queue.is_empty() {
                self.keyspace.journal.await_key(key);
            }
            queue.push_back(id);
        }
        if let Some(at) = blocked.deadline_ms {
            self.blocking.deadlines.insert((at, id));
        }
        self.blocking.count += 1;
    }

    /// Forgets everything about the session being blocked; it may run again.
    pub(crate) fn unregister_blocked(&mut self, session: &mut Session) -> Option<Box<Blocked>> {
        let blocked = session.blocked.take()?;
        match &blocked.on {
            BlockedOn::Keys { .. } => {}
            BlockedOn::Replicas(_) => drop(self.blocking.replica_waits.remove(&session.slot)),
            BlockedOn::Shutdown => drop(self.blocking.shutdowns.remove(&session.slot)),
        }
        for key in blocked.keys() {
            let entry = (blocked.db, key.clone());
            if let Some(queue) = self.blocking.by_key.get_mut(&entry) {
                if let Some(at) = queue.iter().position(|id| *id == session.slot) {
                    queue.remove(at);
                }
                if queue.is_empty() {
                    self.blocking.by_key.remove(&entry);
                    self.keyspace.journal.forget_key(key);
                }
            }
        }
        if let Some(at) = blocked.deadline_ms {
            self.blocking.deadlines.remove(&(at, session.slot));
        }
        self.blocking.count -= 1;
        Some(blocked)
    }

    /// Serves clients that wait for keys made ready, in the order they came, until nothing changes.
    /// While clients are paused they go on waiting: what they do are writes.
    pub(crate) fn serve_ready(&mut self, host: &mut dyn crate::Host) {
        if !self.keyspace.journal.ready.is_empty() {
            // A transaction that took long ran by the time of its beginning; what it wrote may
            // have expired by now.
            self.refresh_time(host);
        }
        while !self.keyspace.journal.ready.is_empty() && !self.pauses.is_any() {
            let ready = std::mem::take(&mut self.keyspace.journal.ready);
            let mut seen = BTreeSet::new();
            for entry in ready {
                if !seen.contains(&entry) {
                    self.serve_key(&entry, host);
                    seen.insert(entry);
                }
            }
        }
    }

    fn serve_key(&mut self, entry: &(u32, Box<[u8]>), host: &mut dyn crate::Host) {
        let (db, key) = (entry.0, &entry.1);
        // Whoever is not served keeps the place; `at` steps over those.
        let mut at = 0;
        let most = self.blocking.by_key.get(entry).map_or(0, VecDeque::len);
        for _ in 0..most {
            let Some(kind) = self.keyspace.type_of(db, key) else {
                return;
            };
            let Some(&id) = self
                .blocking
                .by_key
                .get(entry)
                .and_then(|queue| queue.get(at))
            else {
                return;
            };
            let session = self.sessions.get(id).and_then(|s| s.blocked.as_ref());
            let is_wanted = session.is_some_and(
                |blocked| matches!(&blocked.on, BlockedOn::Keys { wants, .. } if *wants == kind),
            );
            if !is_wanted || !self.retry_blocked(id, host) {
                at += 1;
            }
        }
    }

    /// Runs a blocked command again. True if it replied and its session is free.
    fn retry_blocked(&mut self, id: SessionId, host: &mut dyn crate::Host) -> bool {
        let Some(mut session) = self.sessions.take(id) else {
            return false;
        };
        let Some(blocked) = session.blocked.take() else {
            self.finish(session);
            return false;
        };
        let args: Vec<&[u8]> = blocked.args.iter().map(Vec::as_slice).collect();
        let mut out = self.writer_for(&mut session);
        let mark = out.len();
        session.flags.set(SessionFlags::UNBLOCKED, true);
        self.process_again(&mut session, &mut out, host, blocked.command, &args);
        let is_served = session.flags.has(SessionFlags::UNBLOCKED);
        session.flags.set(SessionFlags::UNBLOCKED, false);
        drop(args);
        session.blocked = Some(blocked);
        if is_served {
            self.unregister_blocked(&mut session);
            self.resume.push(id);
            self.apply_reply_mode(&mut session, &mut out, mark);
        } else {
            debug_assert_eq!(out.len(), mark);
        }
        self.after_command(Some(&mut session));
        self.settle_strays(&mut session, &mut out);
        self.store_writer(&mut session, out);
        self.finish(session);
        is_served
    }

    /// Answers blocked clients whose time is up.
    pub(crate) fn time_out_blocked(&mut self, host: &mut dyn crate::Host) {
        let now = self.keyspace.now_ms();
        while let Some(&(at, id)) = self.blocking.deadlines.first() {
            if at > now {
                return;
            }
            self.blocking.deadlines.pop_first();
            self.time_out(id, host);
        }
    }

    /// Ends a session's wait as if its time were up. False if it is not blocked, or waits for what
    /// knows no time-out.
    pub(crate) fn time_out(&mut self, id: SessionId, host: &mut dyn crate::Host) -> bool {
        let Some(blocked) = self.sessions.get(id).and_then(|s| s.blocked.as_ref()) else {
            return false;
        };
        match &blocked.on {
            BlockedOn::Keys { on_timeout, .. } => {
                let on_timeout = *on_timeout;
                self.release_blocked(id, |out, _| write_timeout(out, on_timeout))
            }
            BlockedOn::Replicas(wait) => {
                let reached = self.reached(wait, host);
                self.release_blocked(id, |out, _| reached.write(out))
            }
            BlockedOn::Shutdown => false,
        }
    }

    /// Ends a session's wait with an error, unless it waits for what nobody can end.
    pub(crate) fn end_wait(&mut self, id: SessionId, error: &str) -> bool {
        let blocked = self.sessions.get(id).and_then(|s| s.blocked.as_ref());
        if blocked.is_none_or(|blocked| matches!(blocked.on, BlockedOn::Shutdown)) {
            return false;
        }
        self.release_blocked(id, |out, _| out.error(error))
    }

    /// We became a replica: clients that wait get an error and are closed once they have it.
    pub(crate) fn throw_out_blocked(&mut self) {
        let waiting: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|session| session.blocked.is_some())
            .map(|session| session.slot)
            .collect();
        for id in waiting {
            if self.end_wait(id, THROWN_OUT)
                && let Some(mut session) = self.sessions.take(id)
            {
                session.flags.set(SessionFlags::CLOSE_AFTER_REPLY, true);
                self.finish(session);
            }
        }
    }

    /// The shutdown that clients wait for did not happen.
    pub fn shutdown_failed(&mut self, _host: &mut dyn crate::Host) {
        for id in std::mem::take(&mut self.blocking.shutdowns) {
            self.release_blocked(id, |out, _| {
                out.error("ERR Errors trying to SHUTDOWN. Check logs.");
            });
        }
    }

    /// Ends a session's wait with the reply that `reply` writes. False if it was not blocked.
    pub fn release_blocked(
        &mut self,
        id: SessionId,
        reply: impl FnOnce(&mut Writer, &Blocked),
    ) -> bool {
        let Some(mut session) = self.sessions.take(id) else {
            return false;
        };
        let blocked = self.unregister_blocked(&mut session);
        if let Some(blocked) = &blocked {
            let mut out = self.writer_for(&mut session);
            let mark = out.len();
            reply(&mut out, blocked);
            self.count_release(blocked.command, &out.as_bytes()[mark..]);
            self.apply_reply_mode(&mut session, &mut out, mark);
            self.store_writer(&mut session, out);
            self.resume.push(id);
        }
        self.finish(session);
        blocked.is_some()
    }

    /// A command that ends without being run again counts as a call all the same.
    fn count_release(&mut self, command: CommandId, reply: &[u8]) {
        self.stats.commands_processed += 1;
        self.stats.of(command).calls += 1;
        if let Some(error) = reply.strip_prefix(b"-") {
            self.stats.of(command).failed += 1;
            self.stats
                .count_error(error.split(|&b| b == b' ').next().unwrap_or(error));
        }
    }
}
