//! What both sides of the machine share: the history, its bytes, the list of things to do.
//!
//! Invariant: while there is a backlog, it ends where the history's offset is. Every byte that moves
//! the offset goes through [`Core::append`].
//!
//! Tests: through the machine, `role.rs` and `tests/`.

use std::collections::VecDeque;

use crate::action::{Action, Level};
use crate::backlog::{Backlog, Needs};
use crate::config::Config;
use crate::decide::State;
use crate::history::History;
use crate::id::ReplicationId;
use crate::offset::ReplOffset;
use crate::random::Random;

/// Counters of INFO stats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub sync_full: u64,
    pub sync_partial_ok: u64,
    pub sync_partial_err: u64,
    /// Full syncs that the guard refused.
    pub sync_refused: u64,
    /// Bytes of our own history that a demotion discarded.
    pub discarded_bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Core {
    pub config: Config,
    pub random: Random,
    pub history: History,
    pub backlog: Option<Backlog>,
    pub actions: VecDeque<Action>,
    pub stats: Stats,
    /// Attempts to reach a primary are numbered through, whichever primary it is.
    pub last_attempt: u64,
}

impl Core {
    pub fn new(config: Config, seed: u64) -> Core {
        let mut random = Random::new(seed);
        Core {
            config,
            history: History::new(&mut random),
            random,
            backlog: None,
            actions: VecDeque::new(),
            stats: Stats::default(),
            last_attempt: 0,
        }
    }

    pub fn push(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub fn notice(&mut self, text: impl Into<String>) {
        self.log(Level::Notice, text.into());
    }

    pub fn warning(&mut self, text: impl Into<String>) {
        self.log(Level::Warning, text.into());
    }

    pub fn log(&mut self, level: Level, text: String) {
        self.actions.push_back(Action::Log { level, text });
    }

    /// The next bytes of the history, whoever wrote them.
    pub fn append(&mut self, bytes: &[u8]) {
        self.history.offset = self.history.offset.plus(bytes.len());
        if let Some(backlog) = &mut self.backlog {
            backlog.append(bytes);
            assert_eq!(backlog.end(), self.history.offset);
        }
    }

    pub fn append_vec(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.history.offset = self.history.offset.plus(bytes.len());
        match &mut self.backlog {
            Some(backlog) => {
                let spare = backlog.append_vec(bytes);
                assert_eq!(backlog.end(), self.history.offset);
                spare
            }
            None => bytes,
        }
    }

    /// Starts keeping history here.
    pub fn create_backlog(&mut self) {
        let config = &self.config;
        self.backlog = Some(Backlog::new(
            self.history.offset,
            config.backlog_size_bytes,
            config.backlog_budget_bytes,
        ));
    }

    pub fn trim(&mut self, needs: Needs) {
        if let Some(backlog) = &mut self.backlog {
            backlog.trim(needs);
        }
    }

    pub fn decide_state(&self) -> State {
        State {
            history: self.history,
            backlog: self
                .backlog
                .as_ref()
                .map(|backlog| (backlog.start(), backlog.end())),
        }
    }

    /// Goes on under a new id and says so.
    pub fn shift_id(&mut self) {
        self.history.shift(&mut self.random);
        let text = format!(
            "Setting secondary replication ID to {}, valid up to offset: {}. \
             New replication ID is {}",
            self.history.second_id(),
            self.history.second_wanted(),
            self.history.id
        );
        self.warning(text);
    }

    pub fn ids_text(&self) -> (ReplicationId, ReplicationId) {
        (self.history.id, self.history.second_id())
    }

    pub fn offset(&self) -> ReplOffset {
        self.history.offset
    }
}
