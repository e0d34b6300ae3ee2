//! Channels, patterns and shard channels, and who listens.
//!
//! A message is encoded once per protocol version and copied to each listener. While it is being
//! delivered the listeners' list is taken out of the table: delivering subscribes nobody.

use crate::engine::{Engine, SessionId};
use crate::news::Stray;
use crate::session::Session;
use foldhash::fast::FixedState;
use resp::{Version, Writer};
use std::collections::{BTreeSet, HashMap};

/// Which of the three name spaces a subscription is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Channel,
    Pattern,
    Shard,
}

/// What one session listens to.
#[derive(Default)]
pub struct Subscriptions {
    pub channels: BTreeSet<Box<[u8]>>,
    pub patterns: BTreeSet<Box<[u8]>>,
    pub shard_channels: BTreeSet<Box<[u8]>>,
    name_bytes: usize,
}

impl Subscriptions {
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }

    pub fn of(&self, scope: Scope) -> &BTreeSet<Box<[u8]>> {
        match scope {
            Scope::Channel => &self.channels,
            Scope::Pattern => &self.patterns,
            Scope::Shard => &self.shard_channels,
        }
    }

    fn of_mut(&mut self, scope: Scope) -> &mut BTreeSet<Box<[u8]>> {
        match scope {
            Scope::Channel => &mut self.channels,
            Scope::Pattern => &mut self.patterns,
            Scope::Shard => &mut self.shard_channels,
        }
    }

    /// Bytes that the names and the sets take.
    pub fn memory_bytes(&self) -> usize {
        let count = self.channels.len() + self.patterns.len() + self.shard_channels.len();
        size_of::<Subscriptions>() + self.name_bytes + count * size_of::<Box<[u8]>>()
    }
}

type Listeners = HashMap<Box<[u8]>, Vec<SessionId>, FixedState>;

#[derive(Default)]
pub struct PubSub {
    pub channels: Listeners,
    pub patterns: Listeners,
    pub shard_channels: Listeners,
}

impl PubSub {
    /// `seed` keys the tables: channel names come from outside.
    pub(crate) fn new(seed: u64) -> PubSub {
        let table = || HashMap::with_hasher(FixedState::with_seed(seed));
        PubSub {
            channels: table(),
            patterns: table(),
            shard_channels: table(),
        }
    }

    pub fn of(&self, scope: Scope) -> &Listeners {
        match scope {
            Scope::Channel => &self.channels,
            Scope::Pattern => &self.patterns,
            Scope::Shard => &self.shard_channels,
        }
    }

    fn of_mut(&mut self, scope: Scope) -> &mut Listeners {
        match scope {
            Scope::Channel => &mut self.channels,
            Scope::Pattern => &mut self.patterns,
            Scope::Shard => &mut self.shard_channels,
        }
    }
}

/// A message, encoded when the first listener of a protocol version wants it.
struct Message<'a> {
    parts: &'a [&'a [u8]],
    v2: Vec<u8>,
    v3: Vec<u8>,
}

impl<'a> Message<'a> {
    fn new(parts: &'a [&'a [u8]]) -> Message<'a> {
        Message {
            parts,
            v2: Vec::new(),
            v3: Vec::new(),
        }
    }

    fn encoded(&mut self, version: Version) -> &[u8] {
        let buffer = if version == Version::V2 {
            &mut self.v2
        } else {
            &mut self.v3
        };
        if buffer.is_empty() {
            let mut out = Writer::new(version);
            out.push(self.parts.len());
            for part in self.parts {
                out.bulk(part);
            }
            *buffer = out.into_vec();
        }
        buffer
    }
}

impl Engine {
    /// Adds a subscription; false if the session had it.
    pub fn subscribe(&mut self, session: &mut Session, scope: Scope, name: &[u8]) -> bool {
        let mine = session.subscriptions.get_or_insert_default();
        if !mine.of_mut(scope).insert(name.into()) {
            return false;
        }
        mine.name_bytes += name.len();
        let listeners = self.pubsub.of_mut(scope);
        match listeners.get_mut(name) {
            Some(ids) => ids.push(session.slot),
            None => {
                listeners.insert(name.into(), vec![session.slot]);
            }
        }
        true
    }

    /// Removes a subscription; false if the session did not have it.
    pub fn unsubscribe(&mut self, session: &mut Session, scope: Scope, name: &[u8]) -> bool {
        let Some(subscriptions) = &mut session.subscriptions else {
            return false;
        };
        if !subscriptions.of_mut(scope).remove(name) {
            return false;
        }
        subscriptions.name_bytes -= name.len();
        if subscriptions.is_empty() {
            session.subscriptions = None;
        }
        let listeners = self.pubsub.of_mut(scope);
        if let Some(ids) = listeners.get_mut(name) {
            if let Some(at) = ids.iter().position(|id| *id == session.slot) {
                ids.swap_remove(at);
            }
            if ids.is_empty() {
                listeners.remove(name);
            }
        }
        true
    }

    pub fn unsubscribe_everything(&mut self, session: &mut Session) {
        for scope in [Scope::Channel, Scope::Pattern, Scope::Shard] {
            for name in session.subscription_names(scope) {
                self.unsubscribe(session, scope, &name);
            }
        }
    }

    /// Delivers a message to channel and pattern subscribers; returns how many received it. A running
    /// session gets it behind its reply.
    pub fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let parts = [&b"message"[..], channel, message];
        let mut receivers = self.deliver_all(Scope::Channel, channel, &parts);
        if self.pubsub.patterns.is_empty() {
            return receivers;
        }
        let matching: Vec<Box<[u8]>> = self
            .pubsub
            .patterns
            .keys()
            .filter(|p| structures::glob::matches(p, channel))
            .cloned()
            .collect();
        for pattern in matching {
            let parts = [&b"pmessage"[..], &pattern, channel, message];
            receivers += self.deliver_all(Scope::Pattern, &pattern, &parts);
        }
        receivers
    }

    /// Delivers a message to the subscribers of a shard channel.
    pub fn publish_shard(&mut self, channel: &[u8], message: &[u8]) -> usize {
        self.deliver_all(Scope::Shard, channel, &[b"smessage", channel, message])
    }

    /// Sends `parts` to everyone who listens to `name`; returns how many those are.
    fn deliver_all(&mut self, scope: Scope, name: &[u8], parts: &[&[u8]]) -> usize {
        let Some(place) = self.pubsub.of_mut(scope).get_mut(name) else {
            return 0;
        };
        let listeners = std::mem::take(place);
        let mut message = Message::new(parts);
        for id in &listeners {
            if self.sessions.get(*id).is_some() {
                self.push_to(*id, |out| out.raw(message.encoded(out.version())));
            } else {
                let (v2, v3) = (
                    message.encoded(Version::V2).to_vec(),
                    message.encoded(Version::V3).to_vec(),
                );
                self.strays.push(Stray::Message { to: *id, v2, v3 });
            }
        }
        let count = listeners.len();
        if let Some(place) = self.pubsub.of_mut(scope).get_mut(name) {
            *place = listeners;
        }
        count
    }
}
