//! WAIT and WAITAOF: clients that wait until what they wrote is on so many servers.
//!
//! A session waits for an offset of the effects' stream: the end of what it did last. The node knows
//! how far each replica is, and calls [`Engine::serve_waits`] when that may have changed.
//!
//! Tests: `tests/waits.rs`.

use crate::blocking::BlockedOn;
use crate::cmd::timeout::parse_whole_ms;
use crate::ctx::{Args, Ctx};
use crate::engine::{Engine, SessionId};
use crate::error::{Outcome, ReplyError, texts};
use crate::host::{Host, ReplicasAt};
use resp::{Writer, parse_i64};
use std::collections::BTreeMap;

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaWait {
    /// Up to where, in the effects' stream.
    pub offset: u64,
    pub replicas: i64,
    /// WAITAOF: on the disk, and on so many of our own.
    pub on_disk: Option<i64>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    local: Option<i64>,
    replicas: i64,
}

impl Reached {
    fn of(wait: &ReplicaWait, durable: Option<u64>, at: ReplicasAt) -> Reached {
        let count = match wait.on_disk {
            Some(_) => at.fsynced,
            None => at.acked,
        };
        let is_durable = durable.is_some_and(|durable| durable >= wait.offset);
        Reached {
            local: wait.on_disk.map(|_| i64::from(is_durable)),
            replicas: i64::try_from(count).unwrap_or(i64::MAX),
        }
    }

    fn satisfies(&self, wait: &ReplicaWait) -> bool {
        self.replicas >= wait.replicas && self.local >= wait.on_disk
    }

    pub fn write(&self, out: &mut Writer) {
        if let Some(local) = self.local {
            out.array(2);
            out.integer(local);
        }
        out.integer(self.replicas);
    }
}

impl Engine {
    pub(crate) fn reached(&self, wait: &ReplicaWait, host: &mut dyn Host) -> Reached {
        Reached::of(wait, self.durable, host.replicas_at(self, wait.offset))
    }

    /// Answers those whose condition holds now. To be called at the end of every turn in which
    /// replicas acknowledged something or [`Engine::durable`] moved.
    pub fn serve_waits(&mut self, host: &mut dyn Host) {
        if self.blocking.replica_waits.is_empty() {
            return;
        }
        let has_file = self.config.appendonly;
        let waits: Vec<(SessionId, ReplicaWait)> = self
            .blocking
            .replica_waits
            .iter()
            .filter_map(|id| match &self.sessions.get(*id)?.blocked.as_ref()?.on {
                BlockedOn::Replicas(wait) => Some((*id, *wait)),
                BlockedOn::Keys { .. } | BlockedOn::Shutdown => None,
            })
            .collect();
        // Many clients wait for the same few offsets.
        let mut known: BTreeMap<u64, ReplicasAt> = BTreeMap::new();
        for (id, wait) in waits {
            if !has_file && wait.on_disk.is_some_and(|local| local > 0) {
                self.end_wait(id, NO_FILE);
                continue;
            }
            let at = *known
                .entry(wait.offset)
                .or_insert_with(|| host.replicas_at(self, wait.offset));
            let reached = Reached::of(&wait, self.durable, at);
            if reached.satisfies(&wait) {
                self.release_blocked(id, |out, _| reached.write(out));
            }
        }
    }
}

const NO_FILE: &str = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

impl Ctx<'_> {
    fn wait_for(&mut self, args: Args<'_>, wait: ReplicaWait, timeout_ms: i64) {
        let reached = self.engine.reached(&wait, self.host);
        if reached.satisfies(&wait) || !self.may_block() {
            reached.write(self.out);
            return;
        }
        let deadline_ms = (timeout_ms > 0).then(|| self.now_ms().saturating_add(timeout_ms));
        self.block_on(args, BlockedOn::Replicas(wait), deadline_ms);
        self.host.request_acks();
    }
}

/// WAIT numreplicas timeout.
pub(crate) fn wait(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if ctx.engine.role().is_replica {
        return Err(ReplyError::new(
            "ERR WAIT cannot be used with replica instances. Please also note that if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.",
        ));
    }
    let replicas = parse_i64(args[1]).ok_or(texts::NOT_AN_INTEGER)?;
    let timeout_ms = parse_whole_ms(args[2], ctx.now_ms())?;
    let wait = ReplicaWait {
        offset: ctx.session.last_effects_offset,
        replicas,
        on_disk: None,
    };
    ctx.wait_for(args, wait, timeout_ms);
    Ok(())
}

/// WAITAOF numlocal numreplicas timeout.
pub(crate) fn waitaof(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let local = parse_i64(args[1]).ok_or(texts::NOT_AN_INTEGER)?;
    if !(0..=1).contains(&local) {
        return Err(ReplyError::new(
            "ERR value is out of range, value must between 0 and 1",
        ));
    }
    let replicas = parse_i64(args[2]).ok_or(texts::NOT_AN_INTEGER)?;
    if replicas < 0 {
        return Err(texts::MUST_BE_POSITIVE);
    }
    let timeout_ms = parse_whole_ms(args[3], ctx.now_ms())?;
    if ctx.engine.role().is_replica {
        return Err(ReplyError::new(
            "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.",
        ));
    }
    if local > 0 && !ctx.engine.config.appendonly {
        return Err(ReplyError::new(NO_FILE));
    }
    let wait = ReplicaWait {
        offset: ctx.session.last_effects_offset,
        replicas,
        on_disk: Some(local),
    };
    ctx.wait_for(args, wait, timeout_ms);
    Ok(())
}
