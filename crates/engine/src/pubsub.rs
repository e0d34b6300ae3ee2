//! Channels, patterns and shard channels, and who listens.

use crate::engine::{Engine, SessionId};
use crate::session::Session;
use std::collections::{BTreeMap, BTreeSet};

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
}

impl Subscriptions {
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }

    pub fn of(&mut self, scope: Scope) -> &mut BTreeSet<Box<[u8]>> {
        match scope {
            Scope::Channel => &mut self.channels,
            Scope::Pattern => &mut self.patterns,
            Scope::Shard => &mut self.shard_channels,
        }
    }
}

type Listeners = BTreeMap<Box<[u8]>, Vec<SessionId>>;

#[derive(Default)]
pub struct PubSub {
    pub channels: Listeners,
    pub patterns: Listeners,
    pub shard_channels: Listeners,
}

impl PubSub {
    pub fn of(&mut self, scope: Scope) -> &mut Listeners {
        match scope {
            Scope::Channel => &mut self.channels,
            Scope::Pattern => &mut self.patterns,
            Scope::Shard => &mut self.shard_channels,
        }
    }
}

impl Engine {
    /// Adds a subscription; false if the session had it.
    pub fn subscribe(&mut self, session: &mut Session, scope: Scope, name: &[u8]) -> bool {
        let mine = session.subscriptions.get_or_insert_default().of(scope);
        if !mine.insert(name.into()) {
            return false;
        }
        self.pubsub.of(scope).entry(name.into()).or_default().push(session.slot);
        true
    }

    /// Removes a subscription; false if the session did not have it.
    pub fn unsubscribe(&mut self, session: &mut Session, scope: Scope, name: &[u8]) -> bool {
        let Some(subscriptions) = &mut session.subscriptions else { return false };
        if !subscriptions.of(scope).remove(name) {
            return false;
        }
        if subscriptions.is_empty() {
            session.subscriptions = None;
        }
        let listeners = self.pubsub.of(scope);
        if let Some(ids) = listeners.get_mut(name) {
            ids.retain(|id| *id != session.slot);
            if ids.is_empty() {
                listeners.remove(name);
            }
        }
        true
    }

    pub fn unsubscribe_everything(&mut self, session: &mut Session) {
        for scope in [Scope::Channel, Scope::Pattern, Scope::Shard] {
            let names: Vec<Box<[u8]>> =
                session.subscriptions.as_mut().map(|s| s.of(scope).iter().cloned().collect()).unwrap_or_default();
            for name in names {
                self.unsubscribe(session, scope, &name);
            }
        }
    }

    /// Delivers a message to channel and pattern subscribers; returns how many received it.
    /// `current` is the running session, which is not among `self.sessions`.
    pub fn publish(&mut self, mut current: Option<&mut Session>, channel: &[u8], message: &[u8]) -> usize {
        let mut receivers = 0;
        let listeners = self.pubsub.channels.get(channel).cloned().unwrap_or_default();
        for id in listeners {
            receivers += 1;
            self.deliver(current.as_deref_mut(), id, &[b"message", channel, message]);
        }
        if self.pubsub.patterns.is_empty() {
            return receivers;
        }
        let matching: Vec<(Box<[u8]>, Vec<SessionId>)> = self
            .pubsub
            .patterns
            .iter()
            .filter(|(pattern, _)| structures::glob::matches(pattern, channel))
            .map(|(pattern, ids)| (pattern.clone(), ids.clone()))
            .collect();
        for (pattern, ids) in matching {
            for id in ids {
                receivers += 1;
                self.deliver(current.as_deref_mut(), id, &[b"pmessage", &pattern, channel, message]);
            }
        }
        receivers
    }

    /// Delivers a message to the subscribers of a shard channel.
    pub fn publish_shard(&mut self, mut current: Option<&mut Session>, channel: &[u8], message: &[u8]) -> usize {
        let listeners = self.pubsub.shard_channels.get(channel).cloned().unwrap_or_default();
        for id in &listeners {
            self.deliver(current.as_deref_mut(), *id, &[b"smessage", channel, message]);
        }
        listeners.len()
    }

    fn deliver(&mut self, current: Option<&mut Session>, id: SessionId, parts: &[&[u8]]) {
        let write = |out: &mut resp::Writer| {
            out.push(parts.len());
            for part in parts {
                out.bulk(part);
            }
        };
        match current.filter(|s| s.slot == id) {
            Some(session) => {
                let mut out = self.writer_for(session);
                write(&mut out);
                self.store_writer(session, out);
            }
            None => self.push_to(id, write),
        }
    }
}
