//! The truth: for every history, what the data is at every offset where a unit ends.
//!
//! It is written by whoever makes a history, from the very bytes it sends, and read to check
//! everybody else. A history that branches off another one knows its parent up to that point.

use std::collections::BTreeMap;

use replication::{ReplOffset, Replication, ReplicationId};

use crate::model::{Model, Session};

struct Branch {
    parent: Option<ReplicationId>,
    start: u64,
    /// Offset of the end of each unit, and the digest there.
    digests: BTreeMap<u64, u64>,
    model: Model,
    session: Session,
    /// How far `model` is; bytes of units that have not ended are not in it.
    end: u64,
}

#[derive(Default)]
pub struct Ledger {
    branches: BTreeMap<ReplicationId, Branch>,
}

impl Ledger {
    /// Takes down what a primary appended since it was last looked at, and checks that its data
    /// follows from it.
    pub fn record(&mut self, machine: &Replication, model: &Model) -> Result<(), String> {
        let history = machine.position();
        let id = history.id;
        // A new history is met before anything but PING and GETACK was written in it.
        let branch = self.branches.entry(id).or_insert_with(|| {
            let backlog_start = machine.backlog_range().map(|(start, _)| start);
            let start = history.second.map(|second| second.up_to).or(backlog_start);
            let start = start.unwrap_or(history.offset).get();
            Branch {
                parent: history.second.map(|second| second.id),
                start,
                digests: BTreeMap::from([(start, model.digest())]),
                model: model.clone(),
                session: Session::default(),
                end: start,
            }
        });
        if branch.end == machine.offset().get() {
            return Ok(());
        }
        let history = machine.history(ReplOffset::new(branch.end));
        let bytes: Vec<u8> = match history {
            Some(pieces) => pieces.flatten().copied().collect(),
            None => return Err(format!("{id} has no bytes from {} on", branch.end)),
        };
        let (base, digests) = (branch.end, &mut branch.digests);
        let session = &mut branch.session;
        let seen = session.run(&mut branch.model, &bytes, |used, model| {
            digests.insert(base + used as u64, model.digest());
        });
        branch.end += seen.used_bytes as u64;
        if branch.end != machine.offset().get() {
            return Err(format!("{id} ends within a unit at {}", machine.offset()));
        }
        if branch.model.digest() != model.digest() {
            return Err(format!("the primary's own data is not what {id} says"));
        }
        Ok(())
    }

    /// What the data must be; none if nobody knows that history at that point.
    pub fn digest(&self, id: ReplicationId, offset: u64) -> Option<u64> {
        let branch = self.branches.get(&id)?;
        if offset >= branch.start {
            return branch.digests.get(&offset).copied();
        }
        self.digest(branch.parent?, offset)
    }

    pub fn knows(&self, id: ReplicationId) -> bool {
        self.branches.contains_key(&id)
    }
}
