//! CONFIG GET and CONFIG SET.
//!
//! SET is all or nothing: every pair is parsed into a copy, and the copy replaces the
//! configuration only when all are good. `Changed` then lists, in request order, what the owner
//! has to apply; if an effect fails (a port that is taken), the owner calls `revert` with the copy
//! it took before and answers `SetError::apply_failed`. Which error wins, and whether it names the
//! option as typed or as declared, follows Redis 7.4.
//! Tests: tests/set.rs, with texts observed from Redis 7.0.

use std::fmt;
use structures::glob;

use crate::load::Warning;
use crate::table::{Config, OPTIONS, OptionId, OptionSpec, lookup};
use crate::text::Text;

/// Smaller sizes are accepted and raised to this.
const REPL_BACKLOG_SIZE_MIN: u64 = 16 << 10;

/// What Redis says without its own jemalloc; clients and tests probe for it.
const NO_DEFRAGMENTATION: &str = "Active defragmentation cannot be enabled: it requires a Redis \
    server compiled with a modified Jemalloc like the one shipped by default with the Redis \
    source distribution";

/// What CONFIG SET must know about the moment and the client.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetContext {
    /// A data set is being loaded.
    pub loading: bool,
    /// The client is on this machine, for `enable-protected-configs local`.
    pub client_is_local: bool,
}

/// One option with a new value, for the owner to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub id: OptionId,
    /// The name it was addressed by, in lower case.
    pub name: &'static str,
    /// The option has no effect in this release and the value asks for one.
    pub warning: Option<Warning>,
}

/// Why CONFIG SET changed nothing; `Display` is the error reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    Loading,
    Unknown { name: Text },
    Failed { name: Text, reason: String },
}

impl SetError {
    /// The effect of a changed option could not be brought about.
    pub fn apply_failed(changed: &Changed, reason: impl Into<String>) -> SetError {
        SetError::failed(changed.name.into(), reason)
    }

    fn failed(name: Text, reason: impl Into<String>) -> SetError {
        SetError::Failed {
            name,
            reason: reason.into(),
        }
    }

    /// The error reply as bytes: names may be anything.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (before, name, after) = match self {
            SetError::Loading => (
                "LOADING Redis is loading the dataset in memory",
                None,
                String::new(),
            ),
            SetError::Unknown { name } => (
                "ERR Unknown option or number of arguments for CONFIG SET - '",
                Some(name),
                "'".into(),
            ),
            SetError::Failed { name, reason } => (
                "ERR CONFIG SET failed (possibly related to argument '",
                Some(name),
                format!("') - {reason}"),
            ),
        };
        let name = name.map_or(&b""[..], |name| name.as_bytes());
        [before.as_bytes(), name, after.as_bytes()].concat()
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

impl std::error::Error for SetError {}

/// Whether the value of this option must be kept from MONITOR, SLOWLOG and logs.
pub fn is_sensitive(name: &[u8]) -> bool {
    lookup(name).is_some_and(|(spec, _)| spec.access.sensitive)
}

impl Config {
    /// CONFIG GET of one name or pattern. Aliases answer to their own names.
    pub fn get(&self, pattern: &[u8]) -> Vec<(Text, Text)> {
        self.get_many(&[pattern])
    }

    /// CONFIG GET of several names and patterns, each option name once.
    pub fn get_many(&self, patterns: &[&[u8]]) -> Vec<(Text, Text)> {
        let mut found: Vec<(Text, Text)> = Vec::new();
        let mut add = |name: Text, spec: &OptionSpec| {
            if !found
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(&name))
            {
                found.push((name, self.show(spec.id)));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|byte| b"[*?".contains(byte)) {
                // Comes back as it was typed, and finds hidden options too.
                if let Some((spec, _)) = lookup(pattern) {
                    add(Text::from(*pattern), spec);
                }
                continue;
            }
            for spec in OPTIONS.iter().filter(|spec| !spec.access.hidden) {
                for name in spec
                    .names()
                    .filter(|name| glob::matches_ignore_case(pattern, name.as_bytes()))
                {
                    add(name.into(), spec);
                }
            }
        }
        found
    }

    /// CONFIG SET of all pairs, or of none.
    pub fn set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        context: SetContext,
    ) -> Result<Vec<Changed>, SetError> {
        let targets = self.resolve(pairs, context)?;
        let mut next = self.clone();
        for (&(spec, name), &(_, value)) in targets.iter().zip(pairs) {
            next.set_one(spec, value)
                .map_err(|reason| SetError::failed(name.into(), reason))?;
        }
        let mut changes: Vec<Changed> = Vec::new();
        for (spec, name) in targets {
            let id = spec.id;
            let differs = spec.access.volatile || next.value(id) != self.value(id);
            if differs && !changes.iter().any(|change| change.id == id) {
                let warning = next
                    .asks_for_missing(id)
                    .then(|| Warning::not_built(&next, spec));
                changes.push(Changed { id, name, warning });
            }
        }
        if !changes.is_empty() {
            next.touch();
            *self = next;
        }
        Ok(changes)
    }

    /// Puts an earlier state back after a failed effect. The version still grows.
    pub fn revert(&mut self, snapshot: Config) {
        let version = self.version.max(snapshot.version) + 1;
        *self = Config {
            version,
            ..snapshot
        };
    }

    /// The options named, each allowed to change now; the first objection wins.
    fn resolve(
        &self,
        pairs: &[(&[u8], &[u8])],
        context: SetContext,
    ) -> Result<Vec<(&'static OptionSpec, &'static str)>, SetError> {
        let mut targets: Vec<(&'static OptionSpec, &'static str)> = Vec::new();
        for &(typed, _) in pairs {
            let Some((spec, name)) = lookup(typed) else {
                return Err(SetError::Unknown { name: typed.into() });
            };
            let access = spec.access;
            if !access.modifiable {
                return Err(SetError::failed(typed.into(), "can't set immutable config"));
            }
            if access.protected
                && !self
                    .enable_protected_configs
                    .allows(context.client_is_local)
            {
                return Err(SetError::failed(typed.into(), "can't set protected config"));
            }
            if access.deny_loading && context.loading {
                return Err(SetError::Loading);
            }
            // An option by two of its names is two parameters, as in Redis: the last one wins.
            if targets.iter().any(|&(_, earlier)| earlier == name) {
                return Err(SetError::failed(typed.into(), "duplicate parameter"));
            }
            targets.push((spec, name));
        }
        Ok(targets)
    }

    fn set_one(&mut self, spec: &OptionSpec, value: &[u8]) -> Result<(), String> {
        // Unlike in files, single spaces separate and quotes are nothing special.
        let args: Vec<Text> = match spec.kind.takes_many() {
            true if value.is_empty() => Vec::new(),
            true => value.split(|&byte| byte == b' ').map(Text::from).collect(),
            false => vec![value.into()],
        };
        let parsed = spec.kind.parse(&args, &self.value(spec.id))?;
        self.put(spec.id, parsed);
        match spec.id {
            OptionId::Hz => self.clamp_hz(),
            OptionId::ReplBacklogSize => {
                self.repl_backlog_size = self.repl_backlog_size.max(REPL_BACKLOG_SIZE_MIN);
            }
            OptionId::Activedefrag if self.activedefrag => return Err(NO_DEFRAGMENTATION.into()),
            _ => {}
        }
        Ok(())
    }
}
