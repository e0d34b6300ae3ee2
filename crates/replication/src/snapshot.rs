//! One snapshot, several replicas: who gets which, when it starts, how its bytes are framed.
//!
//! ```text
//!  none -> Requested -> Sending -> finished          streamed: $EOF:<mark> bytes <mark>
//!                  `--> Making --> Sending           whole:    $<length> bytes
//! ```
//!
//! The driver produces the bytes once; replicas walk one chain of them, and the chain is trimmed as
//! the slowest gets through, so memory is bounded by how far the driver runs ahead
//! ([`crate::Replication::snapshot_room`]). Replicas that come while a whole snapshot is being made
//! join it: the backlog still has everything since it was begun. A stream that has begun cannot be
//! joined. One snapshot at a time.
//!
//! Tests: `tests/primary.rs`.

use crate::action::{Action, Filter, SnapshotKind};
use crate::chain::Chain;
use crate::core::Core;
use crate::id::{LinkId, SnapshotId};
use crate::offset::ReplOffset;
use crate::peer::{Peer, State};
use crate::primary::Primary;

const MARK_LEN: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Asked for; the driver has not begun.
    Requested,
    /// Begun, but it is sent only as a whole.
    Making,
    Sending,
    /// The chain holds the last of it.
    Finished,
}

#[derive(Debug)]
pub(crate) struct Snapshot {
    pub id: SnapshotId,
    kind: SnapshotKind,
    filter: Filter,
    /// Where the stream goes on behind it.
    offset: ReplOffset,
    phase: Phase,
    chain: Chain,
    promised_bytes: Option<u64>,
    mark: [u8; MARK_LEN],
}

impl Snapshot {
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// From where on the stream is needed for those who wait for it.
    pub fn needs_from(&self) -> Option<ReplOffset> {
        (self.phase != Phase::Requested).then_some(self.offset)
    }
}

impl Primary {
    /// When the next snapshot may start; none if nobody waits or one is under way.
    pub fn snapshot_due_ms(&self, core: &Core) -> Option<u64> {
        if self.snapshot.is_some() {
            return None;
        }
        let filter = self.waiting().next()?.filter;
        let group = || self.waiting().filter(|peer| peer.filter == filter);
        let oldest_ms = group().map(|peer| peer.waiting_since_ms).min()?;
        let config = &core.config;
        let can_stream = group().all(|peer| peer.has_eof);
        let is_crowd =
            config.diskless_replicas_max > 0 && group().count() >= config.diskless_replicas_max;
        if !config.is_diskless || !can_stream || is_crowd {
            return Some(oldest_ms);
        }
        Some(oldest_ms.saturating_add(config.diskless_delay_ms))
    }

    fn waiting(&self) -> impl Iterator<Item = &Peer> {
        let is_waiting = |peer: &&Peer| peer.state == State::WaitSnapshot { joined: None };
        self.peers.values().filter(is_waiting)
    }

    pub fn start_snapshot_if_due(&mut self, core: &mut Core, now_ms: u64) {
        if self.snapshot_due_ms(core).is_none_or(|due| due > now_ms) {
            return;
        }
        let Some(filter) = self.waiting().next().map(|peer| peer.filter) else {
            return;
        };
        let is_of_group = |peer: &&Peer| peer.filter == filter;
        let can_stream = self.waiting().filter(is_of_group).all(|peer| peer.has_eof);
        // A filtered snapshot is nobody's dump file, so it is streamed if at all possible; who
        // cannot take a stream was refused a filter.
        let is_streamed = (core.config.is_diskless || filter.is_any()) && can_stream;
        let kind = if is_streamed {
            SnapshotKind::Streamed
        } else {
            SnapshotKind::Whole
        };
        self.last_snapshot += 1;
        let id = SnapshotId(self.last_snapshot);
        core.notice(format!(
            "Starting BGSAVE for SYNC with target: {}",
            if is_streamed {
                "replicas sockets"
            } else {
                "disk"
            }
        ));
        self.snapshot = Some(Snapshot {
            id,
            kind,
            filter,
            offset: core.offset(),
            phase: Phase::Requested,
            chain: Chain::new(0),
            promised_bytes: None,
            mark: core.random.hex(),
        });
        core.push(Action::StartSnapshot { id, kind, filter });
    }

    /// A replica that needs everything came: it joins what is being made, or waits for the next.
    pub fn join_or_wait(&mut self, core: &mut Core, link: LinkId) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        match &self.snapshot {
            Some(snapshot) if snapshot.phase == Phase::Making => {
                if snapshot.filter == peer.filter {
                    promise(peer, core, snapshot);
                    core.notice("Waiting for end of BGSAVE for SYNC");
                } else {
                    core.notice(
                        "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC",
                    );
                }
            }
            Some(snapshot) if snapshot.phase != Phase::Requested => {
                core.notice("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC");
            }
            _ if core.config.is_diskless && peer.has_eof && core.config.diskless_delay_ms > 0 => {
                core.notice("Delay next BGSAVE for diskless SYNC");
            }
            _ => {}
        }
    }

    /// The driver began: everybody who waits and wants the same gets this one.
    pub fn snapshot_started(&mut self, core: &mut Core, id: SnapshotId, now_ms: u64) {
        let Some(snapshot) = self.snapshot.as_mut().filter(|snapshot| snapshot.id == id) else {
            return;
        };
        assert_eq!(snapshot.phase, Phase::Requested, "a snapshot starts once");
        snapshot.offset = core.offset();
        snapshot.phase = Phase::Making;
        for peer in self.peers.values_mut() {
            let is_fit = peer.has_eof || snapshot.kind == SnapshotKind::Whole;
            let is_waiting = peer.state == State::WaitSnapshot { joined: None };
            if is_waiting && is_fit && peer.filter == snapshot.filter {
                promise(peer, core, snapshot);
            }
        }
        if snapshot.kind == SnapshotKind::Streamed {
            let header = [b"$EOF:", &snapshot.mark[..], b"\r\n"].concat();
            self.begin_sending(core, &header, now_ms);
        }
    }

    /// A whole snapshot is there, so long.
    pub fn snapshot_ready(&mut self, core: &mut Core, id: SnapshotId, bytes: u64, now_ms: u64) {
        let Some(snapshot) = self.snapshot.as_mut().filter(|snapshot| snapshot.id == id) else {
            return;
        };
        assert_eq!(snapshot.kind, SnapshotKind::Whole);
        assert_eq!(snapshot.phase, Phase::Making);
        snapshot.promised_bytes = Some(bytes);
        self.begin_sending(core, format!("${bytes}\r\n").as_bytes(), now_ms);
    }

    fn begin_sending(&mut self, core: &mut Core, header: &[u8], now_ms: u64) {
        let (Some(snapshot), Some(backlog)) = (&mut self.snapshot, &core.backlog) else {
            return;
        };
        snapshot.phase = Phase::Sending;
        let at = snapshot.chain.cursor(0);
        let stream = backlog.cursor(snapshot.offset);
        let (at, stream) = at
            .zip(stream)
            .expect("the backlog is pinned from the start");
        let joined = Some(snapshot.id);
        for peer in self.peers.values_mut() {
            if peer.state == (State::WaitSnapshot { joined }) {
                peer.say(header);
                peer.state = State::Receiving { at, stream };
                peer.began_at = Some(snapshot.offset);
                peer.progress_ms = now_ms;
            }
        }
    }

    pub fn snapshot_data(&mut self, id: SnapshotId, bytes: Vec<u8>) {
        if let Some(snapshot) = self.snapshot.as_mut().filter(|snapshot| snapshot.id == id)
            && !bytes.is_empty()
        {
            assert_eq!(snapshot.phase, Phase::Sending, "data outside of a snapshot");
            snapshot.chain.append_vec(bytes);
        }
    }

    pub fn snapshot_finished(&mut self, core: &mut Core, id: SnapshotId, now_ms: u64) {
        let Some(snapshot) = self.snapshot.as_mut().filter(|snapshot| snapshot.id == id) else {
            return;
        };
        assert_eq!(
            snapshot.phase,
            Phase::Sending,
            "the end outside of a snapshot"
        );
        let made_bytes = snapshot.chain.end();
        if snapshot
            .promised_bytes
            .is_some_and(|promised| promised != made_bytes)
        {
            return self.snapshot_failed(core, id, "its length is not what was promised");
        }
        snapshot.phase = Phase::Finished;
        if snapshot.kind == SnapshotKind::Streamed {
            let is_receiving = |peer: &&Peer| matches!(peer.state, State::Receiving { .. });
            let count = self.peers.values().filter(is_receiving).count();
            core.notice(format!(
                "Diskless rdb transfer, done reading from pipe, {count} replicas still up."
            ));
        }
        for link in self.links() {
            self.advance(core, link, now_ms);
        }
        self.drop_snapshot_if_unused(core);
    }

    /// Those who were promised it, or wait for it to begin, are turned away; they will come back.
    pub fn snapshot_failed(&mut self, core: &mut Core, id: SnapshotId, reason: &str) {
        let Some(snapshot) = self.snapshot.take_if(|snapshot| snapshot.id == id) else {
            return;
        };
        core.warning(format!("BGSAVE for replication failed: {reason}"));
        for link in self.links() {
            let Some(peer) = self.peers.get_mut(&link) else {
                continue;
            };
            match peer.state {
                State::WaitSnapshot { joined: None } if snapshot.phase == Phase::Requested => {
                    peer.say(b"-ERR BGSAVE failed, replication can't continue\r\n");
                    peer.state = State::Closing;
                }
                State::WaitSnapshot { joined: Some(_) } | State::Receiving { .. } => {
                    core.warning("SYNC failed. BGSAVE child returned an error");
                    self.close(core, link, false);
                }
                _ => {}
            }
        }
    }

    /// Moves a replica on if it has had all of the snapshot.
    pub fn advance(&mut self, core: &mut Core, link: LinkId, now_ms: u64) {
        let (Some(snapshot), Some(peer)) = (&self.snapshot, self.peers.get_mut(&link)) else {
            return;
        };
        let State::Receiving { at, stream } = peer.state else {
            return;
        };
        let is_over = snapshot.phase == Phase::Finished && at.offset() == snapshot.chain.end();
        if !is_over || peer.has_control() {
            return;
        }
        let is_streamed = snapshot.kind == SnapshotKind::Streamed;
        if is_streamed {
            peer.say(&snapshot.mark);
        }
        peer.heard_ms = now_ms;
        let name = peer.name();
        if peer.wants_only_rdb {
            core.notice(format!(
                "RDB transfer completed, rdb only replica ({name}) should be disconnected asap"
            ));
            peer.state = State::Closing;
        } else if is_streamed {
            peer.state = State::AwaitAck { stream };
            core.notice(format!(
                "Streamed RDB transfer with replica {name} succeeded (socket). \
                 Waiting for REPLCONF ACK from replica to enable streaming"
            ));
        } else {
            peer.state = State::Online { stream };
            core.notice(format!("Synchronization with replica {name} succeeded"));
        }
    }

    /// A snapshot without takers ends; one that everybody has is dropped.
    pub fn drop_snapshot_if_unused(&mut self, core: &mut Core) {
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        let joined = Some(snapshot.id);
        let is_taker = |peer: &Peer| match peer.state {
            State::Receiving { .. } => true,
            State::WaitSnapshot { joined: None } => snapshot.phase == Phase::Requested,
            state => state == State::WaitSnapshot { joined },
        };
        if self.peers.values().any(is_taker) {
            return;
        }
        if snapshot.phase != Phase::Finished {
            core.notice("Diskless rdb transfer, last replica dropped, killing fork child.");
            core.push(Action::AbortSnapshot { id: snapshot.id });
        }
        self.snapshot = None;
    }

    /// How many bytes of the snapshot the driver may still hand over.
    pub fn snapshot_room(&self, core: &Core, id: SnapshotId) -> u64 {
        let Some(snapshot) = self.snapshot.as_ref().filter(|snapshot| snapshot.id == id) else {
            return 0;
        };
        if snapshot.phase != Phase::Sending {
            return 0;
        }
        let ahead_max = core.config.snapshot_ahead_max_bytes;
        ahead_max.saturating_sub(snapshot.chain.end() - self.slowest(snapshot))
    }

    fn slowest(&self, snapshot: &Snapshot) -> u64 {
        let positions = self.peers.values().filter_map(|peer| match peer.state {
            State::Receiving { at, .. } => Some(at.offset()),
            _ => None,
        });
        positions.min().unwrap_or(snapshot.chain.end())
    }

    pub fn trim_snapshot(&mut self) {
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        let slowest = self.slowest(snapshot);
        if let Some(snapshot) = &mut self.snapshot {
            while snapshot
                .chain
                .second_start()
                .is_some_and(|start| start <= slowest)
            {
                snapshot.chain.pop_front();
            }
        }
    }
}

/// Tells a replica where the stream will go on behind the snapshot.
fn promise(peer: &mut Peer, core: &Core, snapshot: &Snapshot) {
    peer.state = State::WaitSnapshot {
        joined: Some(snapshot.id),
    };
    if !peer.is_old {
        let reply = format!("+FULLRESYNC {} {}\r\n", core.history.id, snapshot.offset);
        peer.say(reply.as_bytes());
    }
}
