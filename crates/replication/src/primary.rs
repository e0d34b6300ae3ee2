//! Our replicas: what they ask, what they are sent, when they are given up.
//!
//! A replica in the middle of a chain uses this side too; it only adds no bytes of its own.
//!
//! Beside the connected replicas it remembers those that were cut off a short while ago and how far
//! they had come, so that the backlog may keep for them what they will ask for.
//!
//! Knows no sockets: a link is a number, `output` and `written` are all there is to it. Snapshots
//! are in `snapshot.rs`, one replica's own state in `peer.rs`, the decision in `decide.rs`.
//! Tests: `tests/primary.rs`, and the simulator.

use std::collections::BTreeMap;

use crate::action::{Action, Level};
use crate::backlog::Needs;
use crate::core::Core;
use crate::decide::{Decision, Reason, Request, decide};
use crate::failover::Target;
use crate::id::{LinkId, ReplicationId};
use crate::offset::ReplOffset;
use crate::peer::{Peer, State, effective_limit};
use crate::replconf::printable;
use crate::snapshot::Snapshot;

pub(crate) const CRON_MS: u64 = 1000;
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const GETACK: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";
/// So many that were cut off are remembered, the latest ones.
const DEPARTED_MAX: usize = 64;

/// How much of their usual speed writers are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    Free,
    Slow { permille: u16 },
}

#[derive(Debug)]
struct Departed {
    address: String,
    port: i64,
    from: ReplOffset,
    until_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Primary {
    pub peers: BTreeMap<LinkId, Peer>,
    pub snapshot: Option<Snapshot>,
    pub last_snapshot: u64,
    departed: Vec<Departed>,
    is_ack_wanted: bool,
    pub next_cron_ms: Option<u64>,
    /// None until there was something to look after.
    next_ping_ms: Option<u64>,
    lonely_since_ms: u64,
}

impl Primary {
    pub fn links(&self) -> Vec<LinkId> {
        self.peers.keys().copied().collect()
    }

    pub fn replicas(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values().filter(|peer| peer.is_replica())
    }

    pub fn online(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values().filter(|peer| peer.is_online())
    }

    /// The peer of that link, known or new.
    pub fn meet(&mut self, link: LinkId, ip: &str, now_ms: u64) -> &mut Peer {
        self.peers
            .entry(link)
            .or_insert_with(|| Peer::new(ip, now_ms))
    }

    /// SYNC or PSYNC from a link that may have it. What can go wrong was ruled out by the caller.
    pub fn request(&mut self, core: &mut Core, link: LinkId, request: &Request, now_ms: u64) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        let name = peer.name();
        core.notice(format!("Replica {name} asks for synchronization"));
        let decision = decide(request, &core.decide_state());
        if let Request::Psync { id, wanted } = request {
            log_decision(core, &name, id, *wanted, decision);
        }
        match decision {
            Decision::Continue { from } => {
                // First of all: the older link may be all that keeps the history it is about.
                self.resume(core, link, from, now_ms);
                self.replace_older(core, link, now_ms);
                self.note_return(link);
            }
            Decision::FullResync(reason) => {
                self.replace_older(core, link, now_ms);
                self.note_return(link);
                if !matches!(reason, Reason::OldProtocol | Reason::Requested) {
                    core.stats.sync_partial_err += 1;
                }
                core.stats.sync_full += 1;
                self.full_resync(core, link, reason, now_ms);
            }
        }
        self.next_cron_ms.get_or_insert(now_ms + CRON_MS);
    }

    fn resume(&mut self, core: &mut Core, link: LinkId, from: ReplOffset, now_ms: u64) {
        let (Some(peer), Some(backlog)) = (self.peers.get_mut(&link), &core.backlog) else {
            return;
        };
        let stream = backlog
            .cursor(from)
            .expect("decided by what the backlog holds");
        let reply = if peer.has_psync2 {
            format!("+CONTINUE {}\r\n", core.history.id)
        } else {
            "+CONTINUE\r\n".to_owned()
        };
        peer.say(reply.as_bytes());
        peer.state = State::Online { stream };
        peer.began_at = Some(from);
        peer.counted_from = core.history.offset;
        peer.heard_ms = now_ms;
        peer.progress_ms = now_ms;
        core.stats.sync_partial_ok += 1;
        let text = format!(
            "Partial resynchronization request from {} accepted. \
             Sending {} bytes of backlog starting from offset {}.",
            peer.name(),
            core.offset().bytes_since(from),
            from.wanted()
        );
        core.notice(text);
    }

    fn full_resync(&mut self, core: &mut Core, link: LinkId, reason: Reason, now_ms: u64) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.state = State::WaitSnapshot { joined: None };
            peer.is_old = reason == Reason::OldProtocol;
            peer.waiting_since_ms = now_ms;
            peer.heard_ms = now_ms;
        }
        if core.backlog.is_none() {
            // What was written while nobody listened has no offset, so no id may cover it.
            core.history.forget(&mut core.random);
            core.create_backlog();
            core.push(Action::ForceSelect);
            core.push(Action::RecordEffects(true));
            let (id, id2) = core.ids_text();
            core.notice(format!(
                "Replication backlog created, my new replication IDs are '{id}' and '{id2}'"
            ));
        }
        self.join_or_wait(core, link);
        self.start_snapshot_if_due(core, now_ms);
    }

    /// The same process at the other end, on an older link whose death we have not noticed: it must
    /// not count twice.
    fn replace_older(&mut self, core: &mut Core, link: LinkId, now_ms: u64) {
        let Some(run_id) = self.peers.get(&link).map(|peer| peer.run_id.clone()) else {
            return;
        };
        let is_older = |id: LinkId, peer: &Peer| {
            id != link && peer.run_id == run_id && peer.is_replica() && !run_id.is_empty()
        };
        let mut older = self.links();
        older.retain(|id| self.peers.get(id).is_some_and(|peer| is_older(*id, peer)));
        for id in older {
            core.push(Action::CloseLink {
                link: id,
                is_flushed: false,
            });
            self.closed(core, id, now_ms);
        }
    }

    /// One that was cut off is back.
    fn note_return(&mut self, link: LinkId) {
        if let Some(peer) = self.peers.get(&link) {
            let is_same =
                |one: &Departed| one.address == peer.address() && one.port == peer.listening_port;
            self.departed.retain(|one| !is_same(one));
        }
    }

    pub fn ack(
        &mut self,
        core: &mut Core,
        link: LinkId,
        offset: Option<i64>,
        fsynced: Option<i64>,
        now_ms: u64,
    ) {
        let Some(peer) = self.peers.get_mut(&link).filter(|peer| peer.is_replica()) else {
            return;
        };
        let Some(offset) = offset else {
            return;
        };
        let claims = [Some(offset), fsynced].into_iter().flatten();
        let furthest = claims.max().unwrap_or(offset);
        if furthest > core.offset().get() as i64 {
            let text = format!(
                "Replica {} acknowledged offset {furthest}, which does not exist yet: closing the link",
                peer.name()
            );
            core.warning(text);
            return self.close(core, link, false);
        }
        peer.heard_ms = now_ms;
        if !peer.is_online() {
            return;
        }
        peer.acked = peer.acked.max(ReplOffset::claimed(offset));
        peer.fsynced = peer.fsynced.max(fsynced.and_then(ReplOffset::claimed));
        if let State::AwaitAck { stream } = peer.state {
            peer.state = State::Online { stream };
            peer.progress_ms = now_ms;
            let text = format!("Synchronization with replica {} succeeded", peer.name());
            core.notice(text);
        }
    }

    pub fn heard(&mut self, link: LinkId, now_ms: u64) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.heard_ms = now_ms;
        }
    }

    pub fn written(&mut self, core: &mut Core, link: LinkId, bytes: usize, now_ms: u64) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        peer.progress_ms = now_ms;
        if peer.has_control() {
            peer.control_written(bytes);
        } else {
            match (&mut peer.state, &self.snapshot, &core.backlog) {
                (State::Receiving { at, .. }, Some(snapshot), _) => {
                    snapshot.chain().advance(at, bytes);
                }
                (State::Online { stream }, _, Some(backlog)) => {
                    backlog.chain().advance(stream, bytes);
                }
                _ => assert_eq!(bytes, 0, "wrote what was not there"),
            }
        }
        self.advance(core, link, now_ms);
        self.trim_snapshot();
        self.drop_snapshot_if_unused(core);
        let is_done = |peer: &Peer| peer.state == State::Closing && !peer.has_control();
        if self.peers.get(&link).is_some_and(is_done) {
            self.close(core, link, true);
        }
    }

    /// Gives a link up.
    pub fn close(&mut self, core: &mut Core, link: LinkId, is_flushed: bool) {
        core.push(Action::CloseLink { link, is_flushed });
        self.peers.remove(&link);
        self.drop_snapshot_if_unused(core);
    }

    /// Every replica must come again and learn under which name we go on.
    pub fn close_all(&mut self, core: &mut Core) {
        for link in self.links() {
            if self
                .peers
                .get(&link)
                .is_some_and(|peer| peer.state != State::Handshake)
            {
                self.close(core, link, false);
            }
        }
    }

    /// A link is gone.
    pub fn closed(&mut self, core: &mut Core, link: LinkId, now_ms: u64) {
        let Some(peer) = self.peers.remove(&link) else {
            return;
        };
        if peer.is_replica() {
            core.notice(format!("Connection with replica {} lost.", peer.name()));
            self.lonely_since_ms = now_ms;
            self.remember(core, &peer, now_ms);
        }
        self.drop_snapshot_if_unused(core);
        self.trim(core, now_ms);
    }

    fn remember(&mut self, core: &Core, peer: &Peer, now_ms: u64) {
        let Some(from) = peer.would_want() else {
            return;
        };
        if self.departed.len() == DEPARTED_MAX {
            self.departed.remove(0);
        }
        self.departed.push(Departed {
            address: peer.address().to_owned(),
            port: peer.listening_port,
            from,
            until_ms: now_ms.saturating_add(core.config.departed_ttl_ms),
        });
    }

    pub fn find(&self, target: &Target) -> Option<&Peer> {
        self.replicas().find(|peer| {
            peer.address().eq_ignore_ascii_case(&target.host)
                && peer.listening_port == i64::from(target.port)
        })
    }

    /// A replica that has everything, the wanted one if one is wanted.
    pub fn caught_up(&self, core: &Core, wanted: Option<&Target>) -> Option<Target> {
        let is_ready = |peer: &&Peer| peer.is_online() && peer.acked == Some(core.offset());
        let peer = match wanted {
            Some(target) => self.find(target).filter(is_ready),
            None => self.replicas().find(is_ready),
        }?;
        Some(Target {
            host: peer.address().to_owned(),
            port: u16::try_from(peer.listening_port).ok()?,
        })
    }

    /// From where on our history may be unknown to whoever takes over at that address. None: nobody
    /// ever followed us.
    pub fn tail_start(&self, core: &Core, host: &str, port: u16) -> Option<ReplOffset> {
        let backlog = core.backlog.as_ref()?;
        let host = host.to_owned();
        let successor = self.find(&Target { host, port }).and_then(Peer::would_want);
        let anybody = || {
            let connected = self.replicas().filter_map(Peer::would_want);
            connected
                .chain(self.departed.iter().map(|one| one.from))
                .min()
        };
        let from = successor.or_else(anybody)?;
        Some(from.max(backlog.start()))
    }

    /// Nothing of the past is anybody's any more.
    pub fn forget_departed(&mut self) {
        self.departed.clear();
    }

    fn stream_from(&self, peer: &Peer) -> Option<ReplOffset> {
        match (peer.state, &self.snapshot) {
            (State::WaitSnapshot { joined: Some(_) }, Some(snapshot)) => snapshot.needs_from(),
            _ => peer.stream_from(),
        }
    }

    pub fn trim(&mut self, core: &mut Core, now_ms: u64) {
        self.departed.retain(|one| one.until_ms > now_ms);
        if core
            .backlog
            .as_ref()
            .is_none_or(|backlog| !backlog.is_oversized())
        {
            return;
        }
        let peers = || self.peers.values();
        let connected = peers().filter_map(Peer::would_want);
        let departed = self.departed.iter().map(|one| one.from);
        core.trim(Needs {
            pinned: peers().filter_map(|peer| self.stream_from(peer)).min(),
            wanted: connected.chain(departed).min(),
        });
    }

    pub fn want_acks(&mut self) {
        let has_replicas = self.online().next().is_some();
        self.is_ack_wanted = has_replicas;
    }

    /// What is to be done once all effects of a turn are in.
    pub fn end_of_turn(&mut self, core: &mut Core, is_primary: bool, now_ms: u64) {
        if std::mem::take(&mut self.is_ack_wanted) && is_primary && core.backlog.is_some() {
            core.append(GETACK);
        }
        if core
            .backlog
            .as_ref()
            .is_some_and(|backlog| backlog.is_oversized())
        {
            self.enforce_limits(core, now_ms);
            self.trim(core, now_ms);
        }
    }

    fn enforce_limits(&mut self, core: &mut Core, now_ms: u64) {
        for link in self.links() {
            let Some(peer) = self.peers.get(&link) else {
                continue;
            };
            let from = self
                .stream_from(peer)
                .map(|from| from.max(peer.counted_from));
            let lag_bytes = from.map_or(0, |from| core.offset().bytes_since(from));
            let Some(peer) = self.peers.get_mut(&link) else {
                continue;
            };
            if peer.is_over_limit(core, lag_bytes, now_ms) {
                let text = format!(
                    "Replica {} scheduled to be closed ASAP for overcoming of output buffer limits: \
                     {lag_bytes} bytes wait for it",
                    peer.name()
                );
                core.warning(text);
                let peer = self.peers.remove(&link);
                core.push(Action::CloseLink {
                    link,
                    is_flushed: false,
                });
                if let Some(peer) = peer {
                    self.remember(core, &peer, now_ms);
                }
                self.drop_snapshot_if_unused(core);
            }
        }
    }

    /// Writers slow down as what waits for a replica in full sync nears its limit: at half of it they
    /// are free, at all of it they all but stand.
    pub fn throttle(&self, core: &Core) -> Throttle {
        let limit = effective_limit(core).hard_bytes;
        if !core.config.throttles_writes || limit == 0 {
            return Throttle::Free;
        }
        let is_syncing = |peer: &&Peer| match peer.state {
            State::WaitSnapshot { joined } => joined.is_some(),
            State::Receiving { .. } | State::AwaitAck { .. } => true,
            State::Handshake | State::Online { .. } | State::Closing => false,
        };
        let lags = self.peers.values().filter(is_syncing).filter_map(|peer| {
            let from = self.stream_from(peer)?;
            Some(core.offset().bytes_since(from))
        });
        let lag = lags.max().unwrap_or(0);
        if lag <= limit / 2 {
            return Throttle::Free;
        }
        let permille = limit.saturating_sub(lag) * 1000 / (limit / 2).max(1);
        Throttle::Slow {
            permille: permille.clamp(10, 1000) as u16,
        }
    }

    /// Once a second while there is anything to look after.
    pub fn cron(&mut self, core: &mut Core, is_primary: bool, may_ping: bool, now_ms: u64) {
        if self.next_cron_ms.is_none_or(|due| due > now_ms) {
            return;
        }
        let next_ms = now_ms.saturating_add(core.config.ping_period_ms.max(CRON_MS));
        // Not at once after a start, when replicas that come back compare offsets.
        let due_ms = *self.next_ping_ms.get_or_insert(next_ms);
        if is_primary && may_ping && now_ms >= due_ms && self.replicas().next().is_some() {
            core.append(PING);
            self.next_ping_ms = Some(next_ms);
        }
        for link in self.links() {
            self.look_after(core, link, now_ms);
        }
        self.enforce_limits(core, now_ms);
        self.trim(core, now_ms);
        if self.replicas().next().is_some() {
            self.lonely_since_ms = now_ms;
        } else if is_primary {
            self.expire_backlog(core, now_ms);
        }
        let is_idle = self.peers.is_empty() && core.backlog.is_none();
        self.next_cron_ms = (!is_idle).then_some(now_ms + CRON_MS);
    }

    fn look_after(&mut self, core: &mut Core, link: LinkId, now_ms: u64) {
        let has_output = !self.output(core, link).is_empty();
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        let timeout_ms = core.config.timeout_ms;
        if !has_output {
            peer.progress_ms = now_ms;
        }
        let stage = match peer.state {
            State::WaitSnapshot { .. } => {
                peer.say_newline();
                return;
            }
            State::Handshake | State::Closing => return,
            State::Receiving { .. } => {
                let is_stuck = now_ms.saturating_sub(peer.progress_ms) > timeout_ms;
                is_stuck.then_some("full sync")
            }
            State::AwaitAck { .. } | State::Online { .. } => {
                let is_silent = now_ms.saturating_sub(peer.heard_ms) > timeout_ms;
                (is_silent && !peer.is_old).then_some("streaming sync")
            }
        };
        if let Some(stage) = stage {
            let text = format!("Disconnecting timedout replica ({stage}): {}", peer.name());
            core.warning(text);
            if let Some(peer) = self.peers.remove(&link) {
                self.remember(core, &peer, now_ms);
            }
            self.close(core, link, false);
        }
    }

    /// Without a backlog offsets stand still while writes go on, so the id must go with it.
    fn expire_backlog(&mut self, core: &mut Core, now_ms: u64) {
        let ttl_ms = core.config.backlog_ttl_ms;
        let is_expired = ttl_ms > 0 && now_ms.saturating_sub(self.lonely_since_ms) > ttl_ms;
        if core.backlog.is_none() || !is_expired {
            return;
        }
        core.history.forget(&mut core.random);
        core.backlog = None;
        self.departed.clear();
        core.push(Action::RecordEffects(false));
        core.notice(format!(
            "Replication backlog freed after {} seconds without connected replicas.",
            ttl_ms / 1000
        ));
    }

    /// The period was changed: it begins anew.
    pub fn restart_pings(&mut self, core: &Core, now_ms: u64) {
        self.next_ping_ms = Some(now_ms.saturating_add(core.config.ping_period_ms));
    }

    /// The time without replicas counts from here.
    pub fn start_watching(&mut self, now_ms: u64) {
        self.lonely_since_ms = now_ms;
        self.next_cron_ms.get_or_insert(now_ms + CRON_MS);
    }

    pub fn output<'a>(&'a self, core: &'a Core, link: LinkId) -> &'a [u8] {
        self.peers
            .get(&link)
            .map_or(&[], |peer| peer.output(core, self.snapshot.as_ref()))
    }
}

fn log_decision(core: &mut Core, name: &str, id: &[u8], wanted: i64, decision: Decision) {
    let Decision::FullResync(reason) = decision else {
        return;
    };
    let (own, own2): (ReplicationId, ReplicationId) = core.ids_text();
    match reason {
        Reason::OldProtocol => {}
        Reason::Requested => core.notice(format!("Full resync requested by replica {name}")),
        Reason::UnknownId => core.notice(format!(
            "Partial resynchronization not accepted: Replication ID mismatch \
             (Replica asked for '{}', my replication IDs are '{own}' and '{own2}')",
            printable(id)
        )),
        Reason::BeyondSecondId => {
            let limit = core.history.second_wanted();
            core.notice(format!(
                "Partial resynchronization not accepted: Requested offset for second ID was \
                 {wanted}, but I can reply up to {limit}"
            ));
        }
        Reason::TooOld | Reason::Future => {
            core.notice(format!(
                "Unable to partial resync with replica {name} for lack of backlog \
                 (Replica request was: {wanted})."
            ));
            if reason == Reason::Future {
                core.log(
                    Level::Warning,
                    format!(
                        "Warning: replica {name} tried to PSYNC with an offset that is greater \
                         than the master replication offset."
                    ),
                );
            }
        }
    }
}
