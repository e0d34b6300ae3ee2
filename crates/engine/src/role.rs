//! What the node's place in replication means for commands.
//!
//! The node says what we are ([`Engine::set_role`]); the gate, expiry and eviction go by it. A
//! primary deletes what has expired. A replica only hides it from its clients, for its primary will
//! say when a key goes; while the primary's stream runs, expired keys count as there.
//!
//! Tests: `tests/role.rs`.

use crate::engine::Engine;
use crate::host::Host;
use keyspace::ExpiredKeys;

/// The node's place in replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    pub is_replica: bool,
    /// The primary's stream is being followed.
    pub is_link_up: bool,
    /// `min-replicas-to-write` is satisfied.
    pub has_enough_replicas: bool,
}

impl Default for Role {
    fn default() -> Role {
        Role {
            is_replica: false,
            is_link_up: false,
            has_enough_replicas: true,
        }
    }
}

impl Engine {
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// We are now this. Who becomes a replica throws out the clients that wait for a key or for
    /// replicas: what they wait for is not ours to give any more.
    pub fn set_role(&mut self, role: Role, _host: &mut dyn Host) {
        let was_replica = std::mem::replace(&mut self.role, role).is_replica;
        if was_replica == role.is_replica {
            return;
        }
        self.settle_expired_keys();
        self.forget_own_keys();
        if role.is_replica {
            self.throw_out_blocked();
        }
    }

    /// What a client's look-up does about expired keys.
    pub(crate) fn expired_keys_for_clients(&self) -> ExpiredKeys {
        if self.role.is_replica || self.is_paused() {
            ExpiredKeys::Hide
        } else {
            ExpiredKeys::Delete
        }
    }

    /// To be called when the role or a pause has changed.
    pub(crate) fn settle_expired_keys(&mut self) {
        self.keyspace.expired_keys = self.expired_keys_for_clients();
    }
}
