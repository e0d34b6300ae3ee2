//! Replies that wait: which bytes of a session's output may go out, and when.
//!
//! A command that changed something puts a mark before its reply if changes must be durable first
//! (`appendfsync always`). The mark names a position in the session's output and the [`Gate`] that
//! what follows waits for; everything behind it waits too, so that replies keep their order. Whoever
//! drives the engine says how far the effects have got ([`Engine::set_fsynced`]), which releases
//! replies of all sessions at once: one fsync for all that was written in a turn.
//!
//! Sessions that only read never get a mark. Messages that a write causes for others (pub/sub,
//! keyspace notifications, MONITOR) promise nothing and go out at once.
//!
//! A second condition (acknowledged by replicas) becomes a field of [`Gate`] and of [`Reached`].
//! Tests: `tests/gated_replies.rs`.

use crate::engine::{Engine, SessionId};
use crate::session::{Session, SessionFlags};
use std::collections::VecDeque;

/// Whether, and on what, replies to writes wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GateMode {
    #[default]
    Off,
    /// Until the write is on the disk.
    Fsync,
}

/// What must have happened before a reply may go out, as offsets of the effects' stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// So much of the stream is on the disk.
    pub fsynced: u64,
}

/// How far the effects' stream has got.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reached {
    pub fsynced: u64,
}

impl Gate {
    pub(crate) fn is_open(&self, reached: &Reached) -> bool {
        self.fsynced <= reached.fsynced
    }
}

/// Bytes of the output from `position` on wait for `gate`.
struct Mark {
    position: u64,
    gate: Gate,
}

/// The marks of one session, in order. Positions count all bytes the session was ever sent.
#[derive(Default)]
pub(crate) struct Marks(VecDeque<Mark>);

impl Marks {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the first byte that must wait is.
    pub fn first(&self) -> Option<u64> {
        self.0.front().map(|mark| mark.position)
    }

    /// Adds a mark. Effects from `untaken` on have not been handed out yet, so they become durable
    /// together: one mark stands for all of them.
    fn push(&mut self, position: u64, gate: Gate, untaken: u64) {
        if let Some(last) = self.0.back_mut()
            && last.gate.fsynced > untaken
        {
            last.gate = gate;
            return;
        }
        self.0.push_back(Mark { position, gate });
    }

    fn release(&mut self, reached: &Reached) {
        while self
            .0
            .front()
            .is_some_and(|mark| mark.gate.is_open(reached))
        {
            self.0.pop_front();
        }
    }
}

/// The sessions that wait, and for what point.
#[derive(Default)]
pub(crate) struct Waiting {
    reached: Reached,
    sessions: Vec<SessionId>,
}

impl Engine {
    /// The session's reply, which begins at `reply_start` of its writer, waits until all effects so
    /// far are durable.
    #[cold]
    pub(crate) fn gate_reply(&mut self, session: &mut Session, reply_start: usize) {
        let gate = Gate {
            fsynced: self.effects.offset(),
        };
        if gate.is_open(&self.waiting.reached) {
            return;
        }
        let output = &mut session.output;
        if output.marks.is_empty() {
            self.waiting.sessions.push(session.slot);
        }
        let position = output.position_in_tail(reply_start);
        output.marks.push(position, gate, self.effects.taken());
    }

    /// All effects before `offset` are on the disk: replies that waited for it may go out.
    pub fn set_fsynced(&mut self, offset: u64) {
        self.waiting.reached.fsynced = self.waiting.reached.fsynced.max(offset);
        self.release_replies();
    }

    /// Lets every reply go: nobody waits for the disk any more (`appendfsync` was changed, the
    /// append-only file was turned off).
    pub fn open_gates(&mut self) {
        self.set_fsynced(self.effects.offset());
    }

    /// How far the effects are on the disk, as far as the engine was told.
    pub fn fsynced(&self) -> u64 {
        self.waiting.reached.fsynced
    }

    fn release_replies(&mut self) {
        let Engine {
            waiting,
            sessions,
            dirty,
            ..
        } = self;
        let reached = waiting.reached;
        waiting.sessions.retain(|id| {
            let Some(session) = sessions.get_mut(*id) else {
                return false;
            };
            session.output.marks.release(&reached);
            if !session.flags.has(SessionFlags::DIRTY) {
                session.flags.set(SessionFlags::DIRTY, true);
                dirty.push(*id);
            }
            !session.output.marks.is_empty()
        });
    }
}
