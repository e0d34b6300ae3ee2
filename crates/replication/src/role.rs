//! The machine as a whole: a primary with replicas, or a replica that may have replicas too, and
//! every change from one to the other. See the crate's page for how it is driven.
//!
//! What ties the two sides together is the history. Whenever its id changes, every replica of ours
//! is sent away to come back and learn it; whenever its data is replaced, the backlog starts anew.
//! A replica's offset is that of the last whole unit it applied, so the history and the data always
//! say the same.
//!
//! Tests: `tests/*.rs`, and the simulator in crate `sim`.

use crate::action::{Action, Role};
use crate::config::Config;
use crate::core::{Core, Stats};
use crate::decide::Request;
use crate::failover::{Failover, FailoverCommand, Target};
use crate::guard::{Facts, LoadFailure, Verdict, judge};
use crate::handshake::PsyncReply;
use crate::history::History;
use crate::id::{Attempt, LinkId, ReplicationId, SnapshotId};
use crate::line::{Line, take_line};
use crate::misbehaved::Misbehaved;
use crate::offset::ReplOffset;
use crate::peer::State;
use crate::primary::{Primary, Throttle};
use crate::replconf::{NOT_A_NUMBER, Replconf};
use crate::upstream::{Cause, Link, Pace, Received, Upstream};

/// What REPLCONF is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplconfReply {
    Ok,
    /// Nothing, not even an error.
    Silence,
}

#[derive(Debug)]
pub struct Replication {
    pub(crate) core: Core,
    pub(crate) primary: Primary,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) failover: Failover,
    /// How far our own append-only file is on disk; none if there is none.
    fsynced: Option<ReplOffset>,
    /// The history was read from a file, for a replica that starts.
    is_restored: bool,
}

impl Replication {
    pub fn new(config: Config, seed: u64) -> Replication {
        Replication {
            core: Core::new(config, seed),
            primary: Primary::default(),
            upstream: None,
            failover: Failover::None,
            fsynced: None,
            is_restored: false,
        }
    }

    pub fn config(&self) -> &Config {
        &self.core.config
    }

    pub fn set_config(&mut self, now_ms: u64, config: Config) {
        let old = std::mem::replace(&mut self.core.config, config);
        let config = &self.core.config;
        if let Some(backlog) = &mut self.core.backlog {
            backlog.resize(config.backlog_size_bytes, config.backlog_budget_bytes);
        }
        let is_help = old.primary_auth != config.primary_auth
            || old.primary_user != config.primary_user
            || old.refuses_empty != config.refuses_empty;
        if is_help && let Some(upstream) = &mut self.upstream {
            upstream.retry_now(now_ms);
        }
        if old.ping_period_ms != self.core.config.ping_period_ms {
            self.primary.restart_pings(&self.core, now_ms);
        }
        self.primary.trim(&mut self.core, now_ms);
    }

    // --- time and what is to be done ---

    pub fn poll_action(&mut self) -> Option<Action> {
        self.core.actions.pop_front()
    }

    /// When [`Replication::handle_timeout`] is to be called, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<u64> {
        let upstream = self.upstream.as_ref();
        let upstream = upstream.map(|upstream| upstream.next_timeout_ms(&self.core));
        let failover = match self.failover {
            Failover::WaitForSync { deadline_ms, .. } => deadline_ms,
            _ => None,
        };
        let primary = self.primary.next_cron_ms;
        let snapshot = self.primary.snapshot_due_ms(&self.core);
        let all = [upstream, failover, primary, snapshot];
        all.into_iter()
            .flatten()
            .filter(|&at_ms| at_ms != u64::MAX)
            .min()
    }

    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.check_failover(now_ms);
        let is_primary = self.is_primary();
        // While a handover with a deadline waits for a replica to catch up, nothing is to catch up
        // with.
        let may_ping = !matches!(
            self.failover,
            Failover::WaitForSync {
                deadline_ms: Some(_),
                ..
            }
        );
        self.primary
            .cron(&mut self.core, is_primary, may_ping, now_ms);
        self.primary.start_snapshot_if_due(&mut self.core, now_ms);
        let fsynced = self.fsynced;
        if let Some(upstream) = &mut self.upstream {
            upstream.handle_timeout(&mut self.core, fsynced, now_ms);
        }
    }

    /// After all effects of a turn were appended.
    pub fn end_of_turn(&mut self, now_ms: u64) {
        let is_primary = self.is_primary();
        self.primary.end_of_turn(&mut self.core, is_primary, now_ms);
        self.primary.start_snapshot_if_due(&mut self.core, now_ms);
        self.check_failover(now_ms);
    }

    // --- the history ---

    pub fn is_primary(&self) -> bool {
        self.upstream.is_none()
    }

    /// The history our data belongs to, and how far in it we are.
    pub fn id(&self) -> ReplicationId {
        self.core.history.id
    }

    pub fn offset(&self) -> ReplOffset {
        self.core.offset()
    }

    /// Both ids and the offset.
    pub fn position(&self) -> History {
        self.core.history
    }

    /// From where to where the backlog reaches.
    pub fn backlog_range(&self) -> Option<(ReplOffset, ReplOffset)> {
        self.core.decide_state().backlog
    }

    /// Whether effects must be appended.
    pub fn is_recording(&self) -> bool {
        self.is_primary() && self.core.backlog.is_some()
    }

    pub fn stats(&self) -> Stats {
        self.core.stats
    }

    /// CONFIG RESETSTAT.
    pub fn reset_stats(&mut self) {
        self.core.stats = Stats::default();
    }

    /// What our writes did. A replica's own writes are nobody's business and are ignored.
    pub fn append(&mut self, bytes: &[u8]) {
        if self.is_recording() {
            self.core.append(bytes);
        }
    }

    /// The same, for a vector that may be taken over; what comes back is an empty one to use again.
    pub fn append_vec(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.is_recording() {
            return self.core.append_vec(bytes);
        }
        bytes.clear();
        bytes
    }

    /// The bytes of our history from `from` on, as far as they are still here.
    pub fn history(&self, from: ReplOffset) -> Option<impl Iterator<Item = &[u8]>> {
        let backlog = self.core.backlog.as_ref()?;
        let cursor = backlog.cursor(from)?;
        Some(backlog.chain().chunks(cursor))
    }

    /// What a data file must say for a restart to need no full resynchronization; none if our
    /// history would mean nothing to anybody.
    pub fn persistent(&self) -> Option<(ReplicationId, ReplOffset)> {
        let is_known = match &self.upstream {
            Some(upstream) => upstream.is_resumable,
            None => self.core.backlog.is_some(),
        };
        is_known.then_some((self.core.history.id, self.core.offset()))
    }

    /// A data file was loaded that was exactly at this point. We go on as a primary: under a new id,
    /// but replicas that have no more than the file did may continue.
    pub fn restore_as_primary(&mut self, now_ms: u64, id: ReplicationId, offset: ReplOffset) {
        self.core.history.replace(id, offset);
        self.core.history.shift(&mut self.core.random);
        self.core.create_backlog();
        self.core.push(Action::RecordEffects(true));
        self.core.push(Action::ForceSelect);
        self.primary.start_watching(now_ms);
    }

    /// The same, before [`Replication::replicate`] with [`Cause::Config`].
    pub fn restore_as_replica(&mut self, id: ReplicationId, offset: ReplOffset) {
        self.core.history.replace(id, offset);
        self.is_restored = true;
    }

    /// `DEBUG CHANGE-REPL-ID`: nobody may continue from what we were.
    pub fn change_id(&mut self) {
        self.core.history.forget(&mut self.core.random);
    }

    // --- our replicas ---

    /// `args` without the command's name. The error is the reply, without its dash.
    pub fn replconf(
        &mut self,
        now_ms: u64,
        link: LinkId,
        ip: &str,
        args: &[&[u8]],
    ) -> Result<ReplconfReply, String> {
        match crate::replconf::parse(args)? {
            Replconf::Settings(settings) => {
                let peer = self.primary.meet(link, ip, now_ms);
                for setting in settings {
                    peer.set(setting);
                }
                Ok(ReplconfReply::Ok)
            }
            Replconf::Ack { offset, fsynced } => {
                self.primary
                    .ack(&mut self.core, link, offset, fsynced, now_ms);
                self.check_failover(now_ms);
                Ok(ReplconfReply::Silence)
            }
            // From our primary this comes through the stream, see `ack_requested`.
            Replconf::GetAck => Ok(ReplconfReply::Silence),
        }
    }

    /// SYNC or PSYNC, `args` with the command's name. `client` is how logs call its sender. The
    /// error is the reply, without its dash; after Ok the link is sent what `output` says, only.
    pub fn sync(
        &mut self,
        now_ms: u64,
        link: LinkId,
        ip: &str,
        client: &str,
        args: &[&[u8]],
        has_pending_output: bool,
    ) -> Result<(), String> {
        let is_replica = |state| !matches!(state, State::Handshake);
        if self
            .primary
            .peers
            .get(&link)
            .is_some_and(|peer| is_replica(peer.state))
        {
            return Ok(());
        }
        self.primary.meet(link, ip, now_ms);
        if let [_, id, _, word, ..] = args
            && word.eq_ignore_ascii_case(b"failover")
        {
            self.take_over(now_ms, client, id)?;
        }
        self.may_sync(link, has_pending_output)?;
        let request = match args {
            [_, id, wanted, ..] => {
                let Some(wanted) = resp::parse_i64(wanted) else {
                    let name = self.primary.meet(link, ip, now_ms).name();
                    self.core.warning(format!(
                        "Replica {name} asks for synchronization but with a wrong offset"
                    ));
                    return Err(NOT_A_NUMBER.to_owned());
                };
                let id = id.to_vec();
                Request::Psync { id, wanted }
            }
            _ => Request::Sync,
        };
        self.primary.request(&mut self.core, link, &request, now_ms);
        Ok(())
    }

    /// A primary hands its role over to us.
    fn take_over(&mut self, now_ms: u64, client: &str, id: &[u8]) -> Result<(), String> {
        let text = crate::replconf::printable(id);
        self.core
            .warning(format!("Failover request received for replid {text}."));
        if self.is_primary() {
            return Err("ERR PSYNC FAILOVER can't be sent to a master.".to_owned());
        }
        if ReplicationId::parse(id) != Some(self.core.history.id) {
            return Err("ERR PSYNC FAILOVER replid must match my replid.".to_owned());
        }
        self.promote(now_ms);
        self.core.notice(format!(
            "MASTER MODE enabled (failover request from '{client}')"
        ));
        Ok(())
    }

    fn may_sync(&self, link: LinkId, has_pending_output: bool) -> Result<(), String> {
        let refused = if self.failover != Failover::None {
            "NOMASTERLINK Can't SYNC while failing over"
        } else if self
            .upstream
            .as_ref()
            .is_some_and(|upstream| !upstream.is_online())
        {
            "NOMASTERLINK Can't SYNC while not connected with my master"
        } else if has_pending_output {
            "ERR SYNC and PSYNC are invalid with pending output"
        } else if let Some(peer) = self.primary.peers.get(&link) {
            let own = self.core.config.run_id.as_bytes();
            if peer.filter.is_any() && !peer.has_eof {
                "ERR Filtered replica requires EOF capability"
            } else if !own.is_empty() && peer.run_id == own {
                "NOMASTERLINK Can't SYNC with myself"
            } else {
                return Ok(());
            }
        } else {
            return Ok(());
        };
        Err(refused.to_owned())
    }

    /// Anything at all came in from that link.
    pub fn heard(&mut self, now_ms: u64, link: LinkId) {
        self.primary.heard(link, now_ms);
    }

    /// The link is closed, or about to be, by whomever. Harmless for links we do not know.
    pub fn link_closed(&mut self, now_ms: u64, link: LinkId) {
        self.primary.closed(&mut self.core, link, now_ms);
    }

    /// The next bytes for that link, as many as lie together. Valid until the next call that
    /// changes anything.
    pub fn output(&self, link: LinkId) -> &[u8] {
        self.primary.output(&self.core, link)
    }

    /// So many of them were written.
    pub fn written(&mut self, now_ms: u64, link: LinkId, bytes: usize) {
        self.primary.written(&mut self.core, link, bytes, now_ms);
    }

    /// Links that there is something to write for.
    pub fn links_with_output(&self) -> impl Iterator<Item = LinkId> {
        let links = self.primary.peers.keys().copied();
        links.filter(|&link| !self.output(link).is_empty())
    }

    /// Whether that link is a replica, or is becoming one.
    pub fn is_replica_link(&self, link: LinkId) -> bool {
        let peer = self.primary.peers.get(&link);
        peer.is_some_and(|peer| peer.state != State::Handshake)
    }

    /// Bytes of the stream that wait for that link.
    pub fn lag_bytes(&self, link: LinkId) -> u64 {
        let from = self
            .primary
            .peers
            .get(&link)
            .and_then(|peer| peer.stream_from());
        from.map_or(0, |from| self.core.offset().bytes_since(from))
    }

    // --- snapshots for them ---

    pub fn snapshot_started(&mut self, now_ms: u64, id: SnapshotId) {
        self.primary.snapshot_started(&mut self.core, id, now_ms);
    }

    /// Only for whole ones: it is complete, so long, and its bytes follow.
    pub fn snapshot_ready(&mut self, now_ms: u64, id: SnapshotId, bytes: u64) {
        self.primary
            .snapshot_ready(&mut self.core, id, bytes, now_ms);
    }

    pub fn snapshot_data(&mut self, id: SnapshotId, bytes: Vec<u8>) {
        self.primary.snapshot_data(id, bytes);
    }

    pub fn snapshot_finished(&mut self, now_ms: u64, id: SnapshotId) {
        self.primary.snapshot_finished(&mut self.core, id, now_ms);
    }

    pub fn snapshot_failed(&mut self, id: SnapshotId, reason: &str) {
        self.primary.snapshot_failed(&mut self.core, id, reason);
    }

    /// How many more bytes of it to hand over now.
    pub fn snapshot_room(&self, id: SnapshotId) -> u64 {
        self.primary.snapshot_room(&self.core, id)
    }

    // --- what writes and waiting clients go by ---

    /// WAIT: replicas that have everything up to `offset`.
    pub fn count_acked(&self, offset: ReplOffset) -> usize {
        let has = |acked: Option<ReplOffset>| acked.is_some_and(|acked| acked >= offset);
        self.primary.online().filter(|peer| has(peer.acked)).count()
    }

    /// WAITAOF: replicas that have everything up to `offset` on disk.
    pub fn count_fsynced(&self, offset: ReplOffset) -> usize {
        let has = |fsynced: Option<ReplOffset>| fsynced.is_some_and(|fsynced| fsynced >= offset);
        self.primary
            .online()
            .filter(|peer| has(peer.fsynced))
            .count()
    }

    /// Asks all replicas how far they are, at the end of this turn.
    pub fn request_acks(&mut self) {
        self.primary.want_acks();
    }

    pub fn connected_replicas(&self) -> usize {
        self.primary.replicas().count()
    }

    /// Replicas that were heard of lately.
    pub fn good_replicas(&self, now_ms: u64) -> usize {
        let lag_max_ms = self.core.config.good_lag_max_ms;
        // Lag is told in whole seconds.
        let is_good = |heard_ms: u64| now_ms.saturating_sub(heard_ms) / 1000 * 1000 <= lag_max_ms;
        self.primary
            .online()
            .filter(|peer| is_good(peer.heard_ms))
            .count()
    }

    /// `min-replicas-to-write`. A replica is not held up by it.
    pub fn has_enough_replicas(&self, now_ms: u64) -> bool {
        let config = &self.core.config;
        let is_active = config.good_replicas_min > 0 && config.good_lag_max_ms > 0;
        !self.is_primary() || !is_active || self.good_replicas(now_ms) >= config.good_replicas_min
    }

    pub fn throttle(&self) -> Throttle {
        self.primary.throttle(&self.core)
    }

    // --- our primary ---

    /// REPLICAOF. All effects so far must have been appended.
    pub fn replicate(&mut self, now_ms: u64, host: &str, port: u16, cause: Cause) {
        let mut next = Upstream::new(host, port, cause, self.core.offset(), now_ms);
        match self.upstream.take() {
            Some(mut old) => {
                old.abandon(&mut self.core);
                next.is_resumable = old.is_resumable;
                next.tail_from = old.tail_from;
                next.down_since_ms = old.down_since_ms.or(old.is_online().then_some(now_ms));
            }
            None => {
                if cause == Cause::Config {
                    next.is_resumable = self.is_restored;
                } else {
                    self.core.notice(
                        "Before turning into a replica, using my own master parameters to \
                         synthesize a cached master: I may be able to synchronize with the new \
                         master with just a partial transfer.",
                    );
                    next.is_resumable = true;
                    next.tail_from = self.primary.tail_start(&self.core, host, port);
                }
                self.core.push(Action::RoleChanged(Role::Replica));
                self.core.push(Action::RecordEffects(false));
            }
        }
        self.core
            .notice(format!("Connecting to MASTER {host}:{port}"));
        next.connect(&mut self.core, now_ms);
        self.upstream = Some(next);
    }

    /// Where REPLICAOF pointed us.
    pub fn primary_address(&self) -> Option<(&str, u16)> {
        let upstream = self.upstream.as_ref()?;
        Some((&upstream.host, upstream.port))
    }

    /// As a replica, whether we have everything our primary had when it last spoke, and hear it.
    pub fn is_link_up(&self) -> bool {
        self.upstream.as_ref().is_some_and(Upstream::is_online)
    }

    /// REPLICAOF NO ONE. The data stays; the history goes on under a new id.
    pub fn promote(&mut self, now_ms: u64) {
        let Some(mut upstream) = self.upstream.take() else {
            return;
        };
        upstream.abandon(&mut self.core);
        self.core.shift_id();
        self.primary.close_all(&mut self.core);
        self.core.push(Action::RoleChanged(Role::Primary));
        self.core.push(Action::ForceSelect);
        let is_recording = self.core.backlog.is_some();
        self.core.push(Action::RecordEffects(is_recording));
        self.primary.start_watching(now_ms);
    }

    pub fn connected(&mut self, now_ms: u64, attempt: Attempt) {
        if let Some(upstream) = self
            .upstream
            .as_mut()
            .filter(|link| link.is_current(attempt))
        {
            upstream.connected(&mut self.core, now_ms);
        }
    }

    /// The connection could not be made, or is gone.
    pub fn connection_lost(&mut self, now_ms: u64, attempt: Attempt, reason: &str) {
        if let Some(upstream) = self
            .upstream
            .as_mut()
            .filter(|link| link.is_current(attempt))
        {
            upstream.connection_lost(&mut self.core, reason, now_ms);
        }
    }

    /// Bytes from our primary. Takes what it can from the front of `input`; the rest is to be given
    /// again, with more behind it. To be called until it yields none, and again (with whatever is
    /// unread, even nothing) after `load_done`. Actions come before what is returned.
    pub fn read<'a>(
        &mut self,
        now_ms: u64,
        attempt: Attempt,
        input: &mut &'a [u8],
    ) -> Option<Received<'a>> {
        loop {
            let upstream = self
                .upstream
                .as_mut()
                .filter(|link| link.is_current(attempt))?;
            if !matches!(upstream.link, Link::Handshake { .. }) {
                break;
            }
            let result = match take_line(input) {
                Line::Whole(line) => upstream.line(&mut self.core, line, now_ms),
                Line::Partial => return None,
                Line::TooLong => Err(Misbehaved::LongLine),
            };
            match result {
                Ok(reply) => self.act_on(now_ms, reply),
                Err(misbehaved) => self.blame(now_ms, &misbehaved),
            }
        }
        let upstream = self.upstream.as_mut()?;
        match upstream.data(&mut self.core, input, now_ms) {
            Ok(received) => received,
            Err(misbehaved) => {
                self.blame(now_ms, &misbehaved);
                None
            }
        }
    }

    fn act_on(&mut self, now_ms: u64, reply: PsyncReply) {
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        let core = &mut self.core;
        match reply {
            PsyncReply::Wait => {}
            PsyncReply::Full { id, offset } => {
                core.notice(format!("Full resync from master: {id}:{offset}"));
                if let Some(from) = upstream.tail_from.take()
                    && let Some(backlog) = &core.backlog
                    && from < backlog.end()
                {
                    let (from, to) = (from.max(backlog.start()), backlog.end());
                    core.stats.discarded_bytes += to.bytes_since(from);
                    core.push(Action::KeepTail { from, to });
                }
                upstream.begin_transfer(Some((id, offset)));
                self.end_failover();
            }
            PsyncReply::Continue { id } => {
                core.notice("Successful partial resynchronization with master.");
                if let Some(id) = id.filter(|id| *id != core.history.id) {
                    core.notice(format!("Master replication ID changed to {id}"));
                    core.history.continue_as(id);
                    self.primary.close_all(core);
                }
                core.notice(
                    "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.",
                );
                if core.backlog.is_none() {
                    core.create_backlog();
                }
                upstream.is_old = false;
                upstream.go_online(core, now_ms);
                self.primary.start_watching(now_ms);
                self.end_failover();
            }
            PsyncReply::Later(text) => {
                core.notice(format!(
                    "Master is currently unable to PSYNC but should be in the future: {text}"
                ));
                upstream.fail(core, Pace::Soon, now_ms);
                self.refuse_failover(now_ms);
            }
            PsyncReply::Unsupported(text) => {
                core.notice(format!(
                    "Master does not support PSYNC or is in error state (reply: {text})"
                ));
                if self.failover == Failover::None {
                    upstream.fall_back_to_sync(core);
                } else {
                    upstream.fail(core, Pace::Soon, now_ms);
                    self.refuse_failover(now_ms);
                }
            }
        }
    }

    fn blame(&mut self, now_ms: u64, misbehaved: &Misbehaved) {
        if let Some(upstream) = &mut self.upstream {
            self.core.warning(misbehaved.to_string());
            upstream.fail(&mut self.core, Pace::Slow, now_ms);
        }
        if matches!(misbehaved, Misbehaved::Psync(_) | Misbehaved::Continue(_)) {
            self.refuse_failover(now_ms);
        }
    }

    /// Whole units that the session of our primary has run: exactly the bytes that `read` gave it,
    /// in order, none left out.
    pub fn applied(&mut self, now_ms: u64, bytes: &[u8]) {
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        let unapplied_bytes = upstream.read_offset.bytes_since(self.core.offset());
        assert!(
            bytes.len() as u64 <= unapplied_bytes,
            "applied what was not received"
        );
        self.core.append(bytes);
        if upstream.is_ack_wanted && upstream.is_online() {
            upstream.send_ack(&mut self.core, self.fsynced, now_ms);
        }
    }

    /// REPLCONF GETACK stood in the stream: an acknowledgement goes out with the next `applied`.
    pub fn ack_requested(&mut self) {
        if let Some(upstream) = &mut self.upstream {
            upstream.is_ack_wanted = true;
        }
    }

    /// How far our own append-only file is on disk; none if there is none.
    pub fn set_fsynced(&mut self, offset: Option<ReplOffset>) {
        self.fsynced = offset;
    }

    /// Whether a snapshot of so many keys may replace what we have.
    pub fn judge_snapshot(&self, own_keys: u64, incoming_keys: u64) -> Verdict {
        let Some(upstream) = &self.upstream else {
            return Verdict::Accept;
        };
        let id = upstream.full.map(|(id, _)| id);
        judge(&Facts {
            is_enabled: self.core.config.refuses_empty,
            is_requested: upstream.is_requested,
            is_same_history: upstream.is_resumable && id == Some(self.core.history.id),
            own_keys,
            incoming_keys,
        })
    }

    /// The snapshot is the data set now, and its database zero (or what it says) the stream's.
    pub fn load_done(&mut self, now_ms: u64) {
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        if !matches!(upstream.link, Link::Loading { .. }) {
            return;
        }
        let core = &mut self.core;
        let (id, offset) = upstream
            .full
            .unwrap_or_else(|| (ReplicationId::random(&mut core.random), ReplOffset::ZERO));
        self.primary.close_all(core);
        self.primary.forget_departed();
        core.history.replace(id, offset);
        core.create_backlog();
        core.notice("MASTER <-> REPLICA sync: Finished with success");
        upstream.go_online(core, now_ms);
        self.primary.start_watching(now_ms);
    }

    /// The snapshot was dropped, the old data is still there.
    pub fn load_failed(&mut self, now_ms: u64, failure: &LoadFailure) {
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        if !matches!(upstream.link, Link::Transfer(_) | Link::Loading { .. }) {
            return;
        }
        let core = &mut self.core;
        core.stats.sync_refused += u64::from(*failure == LoadFailure::RefusedEmpty);
        core.warning(format!(
            "Failed trying to load the MASTER synchronization DB from socket: {failure}"
        ));
        upstream.fail(core, Pace::Slow, now_ms);
    }

    // --- handing the role over ---

    /// The error is the reply, without its dash.
    pub fn failover(&mut self, now_ms: u64, command: FailoverCommand) -> Result<(), String> {
        let (target, timeout_ms, is_forced) = match command {
            FailoverCommand::Abort if self.failover == Failover::None => {
                return Err("ERR No failover in progress.".to_owned());
            }
            FailoverCommand::Abort => {
                self.abort_failover(now_ms, "Failover manually aborted");
                return Ok(());
            }
            FailoverCommand::Start {
                target,
                timeout_ms,
                is_forced,
            } => (target, timeout_ms, is_forced),
        };
        self.may_fail_over(target.as_ref(), timeout_ms.is_some(), is_forced)?;
        self.core.notice(match &target {
            Some(Target { host, port }) => format!("FAILOVER requested to {host}:{port}."),
            None => "FAILOVER requested to any replica.".to_owned(),
        });
        self.failover = Failover::WaitForSync {
            target,
            deadline_ms: timeout_ms.map(|timeout_ms| now_ms.saturating_add(timeout_ms)),
            is_forced,
        };
        self.core.push(Action::PauseWrites);
        Ok(())
    }

    fn may_fail_over(
        &self,
        target: Option<&Target>,
        has_timeout: bool,
        is_forced: bool,
    ) -> Result<(), String> {
        let refused = if self.failover != Failover::None {
            "ERR FAILOVER already in progress."
        } else if !self.is_primary() {
            "ERR FAILOVER is not valid when server is a replica."
        } else if self.connected_replicas() == 0 {
            "ERR FAILOVER requires connected replicas."
        } else if is_forced && (!has_timeout || target.is_none()) {
            "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
        } else if let Some(target) = target {
            match self.primary.find(target) {
                None => "ERR FAILOVER target HOST and PORT is not a replica.",
                Some(peer) if !peer.is_online() => "ERR FAILOVER target replica is not online.",
                Some(_) => return Ok(()),
            }
        } else {
            return Ok(());
        };
        Err(refused.to_owned())
    }

    fn check_failover(&mut self, now_ms: u64) {
        let Failover::WaitForSync {
            target,
            deadline_ms,
            is_forced,
        } = &self.failover
        else {
            return;
        };
        let is_late = deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms);
        if let Some(ready) = self.primary.caught_up(&self.core, target.as_ref()) {
            let Target { host, port } = &ready;
            self.core.notice(format!(
                "Failover target {host}:{port} is synced, failing over."
            ));
            self.hand_over(now_ms, ready);
        } else if let Some(target) = target.clone().filter(|_| is_late && *is_forced) {
            let Target { host, port } = &target;
            self.core.notice(format!(
                "FAILOVER to {host}:{port} time out exceeded, failing over."
            ));
            self.hand_over(now_ms, target);
        } else if is_late {
            self.abort_failover(now_ms, "Replica never caught up before timeout");
        }
    }

    fn hand_over(&mut self, now_ms: u64, target: Target) {
        self.replicate(now_ms, &target.host, target.port, Cause::Automatic);
        if let Some(upstream) = &mut self.upstream {
            upstream.is_failover = true;
        }
        self.failover = Failover::InProgress { target };
    }

    /// The target has taken over.
    fn end_failover(&mut self) {
        if self.failover != Failover::None {
            self.failover = Failover::None;
            self.core.push(Action::ResumeWrites);
            if let Some(upstream) = &mut self.upstream {
                upstream.is_failover = false;
            }
        }
    }

    fn refuse_failover(&mut self, now_ms: u64) {
        if matches!(self.failover, Failover::InProgress { .. }) {
            self.abort_failover(now_ms, "Failover target rejected psync request");
        }
    }

    fn abort_failover(&mut self, now_ms: u64, reason: &str) {
        let whom = match self.failover.target() {
            Some(Target { host, port }) => format!("{host}:{port}"),
            None => "any replica".to_owned(),
        };
        self.core
            .notice(format!("FAILOVER to {whom} aborted: {reason}"));
        if matches!(self.failover, Failover::InProgress { .. }) {
            self.promote(now_ms);
        }
        self.failover = Failover::None;
        self.core.push(Action::ResumeWrites);
    }

    /// REPLICAOF is refused meanwhile.
    pub fn is_failing_over(&self) -> bool {
        self.failover != Failover::None
    }
}
