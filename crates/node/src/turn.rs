//! The end of a turn: one order, with its reasons.

use crate::{NodeHost, Parts, replication};
use engine::Engine;

/// A slice of a snapshot after a turn that found nothing to do.
const IDLE_SLICE_NS: u64 = 500_000;
/// A slice after a busy turn takes at most this part of the turn's own time, so that a snapshot
/// costs a saturated server no more than that much of its throughput.
const BUSY_SHARE: u64 = 6;
/// And at least this, or a snapshot would never end.
const SLICE_MIN_NS: u64 = 30_000;

/// To be called when a turn's input was executed, before its replies are written.
pub fn end_of_turn(engine: &mut Engine, host: &mut dyn NodeHost) {
    // What expires, what is unblocked and what waited for a pause belongs to this turn: its effects
    // must be in the same batch, before those of the next turn.
    engine.end_of_turn(host);
    // History before the files: a snapshot for replicas or a file begins at the same point of both.
    replication::end_of_turn(engine, host);
    let Parts {
        persistence,
        links,
        outside,
    } = host.node();
    persistence.set_position(links.position(engine, persistence));
    // The effects go to the AOF before any reply of this turn is shown to the writing side: a reply
    // that waits for the disk waits for an offset that is already on its way. Snapshots begin here,
    // too, between two turns, where no transaction is half done.
    persistence.end_of_turn(engine, outside);
    for done in persistence.take_done_for_links() {
        replication::on_disk_done(engine, host, done);
    }
    // Behind both, acknowledgements and fsyncs: what a client waits for may just have come.
    replication::serve_waits(engine, host);
}

/// To be called when the replies were written. `busy_ns` is what the turn has taken so far, waiting
/// not included.
pub fn after_replies(engine: &mut Engine, host: &mut dyn NodeHost, busy_ns: u64, was_idle: bool) {
    let (persistence, outside) = host.parts();
    let budget_ns = if was_idle {
        IDLE_SLICE_NS
    } else {
        (busy_ns / BUSY_SHARE).clamp(SLICE_MIN_NS, IDLE_SLICE_NS)
    };
    // Last, so that nobody waits for it: what a client sees of a snapshot is this slice at most.
    persistence.after_replies(engine, outside, budget_ns);
    replication::after_replies(engine, host, budget_ns);
}
