//! Scripts: sequences of file operations that change which files exist, one step at a time.
//!
//! A step is given out when the one before it succeeded. What a failed step means depends on the
//! goal; in every case the directory can be loaded, because a manifest names only files that were
//! made durable before, and files are removed only after the manifest that drops them is durable.
//!
//! One failure is not final: a manifest whose rename was done, but whose durability is in doubt.
//! Then either may be what a restart finds, so the same replacement is repeated every second until
//! it is certain. Whatever depends on it waits.
//!
//! Tests: `machine/tests.rs`, `tests/simulation.rs`.

use std::collections::VecDeque;

use super::config::RETRY_US;
use super::{Aof, Done, Event, Failure, FileId, Now, Op, State, Token};
use crate::manifest::Manifest;

pub(super) struct Script {
    goal: Goal,
    steps: VecDeque<Op>,
    current: Option<(Token, Op)>,
    pub retry_at_us: Option<u64>,
    /// The manifest on the disk may be the new one already.
    in_doubt: bool,
}

pub(super) enum Goal {
    /// The files of a server that starts.
    Start {
        manifest: Manifest,
        file: FileId,
    },
    /// A next increment for a rewrite.
    Switch {
        manifest: Manifest,
        file: FileId,
    },
    /// The directory for a rewrite, and a temporary increment if it needs one.
    Prepare {
        file: Option<FileId>,
    },
    /// A new base becomes real.
    Commit {
        manifest: Manifest,
        base_bytes: u64,
    },
    /// History files leave.
    Collect {
        manifest: Manifest,
    },
    Close,
}

impl Aof {
    pub(super) fn begin_start(&mut self, empty_base: Vec<u8>) {
        let mut manifest = self.manifest.clone();
        let mut steps = self.settle_dir();
        if manifest.is_empty() {
            manifest.replace_base(&self.names, self.config.use_rdb_preamble, 0);
            let name = manifest.base.as_ref().map(|base| base.name.clone());
            let name = name.unwrap_or_default();
            self.notice(format!(
                "Creating AOF base file {} on server start",
                name.escape_ascii()
            ));
            steps.push(Op::Replace {
                temp: self.names.temp_base(0),
                path: self.names.path(&name),
                bytes: empty_base,
            });
        }
        let verb = match manifest.incrs.is_empty() {
            true => "Creating",
            false => "Opening",
        };
        // A file of that name that the manifest does not know is none of ours.
        let truncate = manifest.incrs.is_empty();
        if truncate {
            manifest.add_incr(&self.names);
        }
        let name = manifest.incrs.last().map(|incr| incr.name.clone());
        let name = name.unwrap_or_default();
        self.notice(format!(
            "{verb} AOF incr file {} on server start",
            name.escape_ascii()
        ));
        let file = self.file_id();
        steps.push(Op::Open {
            file,
            path: self.names.path(&name),
            truncate,
        });
        // Whatever the process before left to the system's cache.
        steps.push(Op::Sync { file });
        steps.push(self.sync_dir());
        if manifest != self.manifest {
            steps.push(self.persist(&manifest));
        }
        self.run(Goal::Start { manifest, file }, steps);
    }

    pub(super) fn begin_switch(&mut self) {
        let mut manifest = self.manifest.clone();
        manifest.add_incr(&self.names);
        let name = manifest.incrs.last().map(|incr| incr.name.clone());
        let file = self.file_id();
        let steps = vec![
            self.make_dir(),
            Op::Open {
                file,
                path: self.names.path(&name.unwrap_or_default()),
                truncate: true,
            },
            // A leftover of that name must not come back with its old content.
            Op::Sync { file },
            self.sync_dir(),
            self.persist(&manifest),
        ];
        self.run(Goal::Switch { manifest, file }, steps);
    }

    pub(super) fn begin_prepare(&mut self, with_increment: bool) {
        let mut steps = self.settle_dir();
        let file = with_increment.then(|| self.file_id());
        if let Some(file) = file {
            steps.push(Op::Open {
                file,
                path: self.names.path(&self.names.temp_incr()),
                truncate: true,
            });
            steps.push(Op::Sync { file });
        }
        self.run(Goal::Prepare { file }, steps);
    }

    /// `temp_base` becomes the base of `manifest`, and the temporary increment, if it is part of
    /// this, its last increment.
    pub(super) fn begin_commit(
        &mut self,
        manifest: Manifest,
        temp_base: Vec<u8>,
        base_bytes: u64,
        with_increment: bool,
    ) {
        let base = manifest
            .base
            .as_ref()
            .map(|base| self.names.path(&base.name));
        let incr = manifest
            .incrs
            .last()
            .map(|incr| self.names.path(&incr.name));
        let mut steps = vec![Op::Rename {
            from: temp_base,
            to: base.unwrap_or_default(),
        }];
        if with_increment {
            steps.push(Op::Rename {
                from: self.names.path(&self.names.temp_incr()),
                to: incr.unwrap_or_default(),
            });
        }
        steps.push(self.sync_dir());
        steps.push(self.persist(&manifest));
        let goal = Goal::Commit {
            manifest,
            base_bytes,
        };
        self.run(goal, steps);
    }

    pub(super) fn begin_collect(&mut self) {
        let mut manifest = self.manifest.clone();
        let mut steps = Vec::new();
        for file in std::mem::take(&mut manifest.history) {
            self.notice(format!(
                "Removing the history file {} in the background",
                file.name.escape_ascii()
            ));
            // A damaged manifest may call one file both: then it is needed.
            if !manifest.live_files().any(|live| live.name == file.name) {
                steps.push(Op::Remove {
                    path: self.names.path(&file.name),
                });
            }
        }
        steps.push(self.persist(&manifest));
        self.run(Goal::Collect { manifest }, steps);
    }

    /// Gives out the next step, or begins what is due when there is none. True if that may have
    /// made more possible.
    pub(super) fn advance_script(&mut self, now: Now) -> bool {
        let Some(script) = &mut self.script else {
            return self.begin_next();
        };
        if script.current.is_some() && script.retry_at_us.is_none_or(|at| at > now.mono_us) {
            return false;
        }
        script.retry_at_us = None;
        let repeated = script.current.take().map(|(_, op)| op);
        let Some(op) = repeated.or_else(|| script.steps.pop_front()) else {
            if let Some(script) = self.script.take() {
                self.goal_reached(script.goal, now);
            }
            return true;
        };
        let token = self.token();
        if let Some(script) = &mut self.script {
            script.current = Some((token, op.clone()));
        }
        self.push_action(token, op);
        false
    }

    /// Takes an answer in if it is for the step under way.
    pub(super) fn script_done(&mut self, done: &Done, now: Now) -> bool {
        let Some(script) = &mut self.script else {
            return false;
        };
        if script
            .current
            .as_ref()
            .is_none_or(|(token, _)| *token != done.token)
        {
            return false;
        }
        match &done.result {
            Ok(length) => {
                if let (Goal::Start { .. }, Some((_, Op::Open { .. }))) =
                    (&script.goal, &script.current)
                {
                    self.opened_bytes = *length;
                }
                script.current = None;
            }
            Err(failure) => self.step_failed(failure.clone(), now),
        }
        true
    }

    fn step_failed(&mut self, failure: Failure, now: Now) {
        let Some(mut script) = self.script.take() else {
            return;
        };
        let Some((token, op)) = script.current.take() else {
            return;
        };
        self.warn(self.failure_text(&op, &failure.text));
        let is_decisive = matches!(script.goal, Goal::Switch { .. } | Goal::Commit { .. });
        script.in_doubt |= failure.changed && is_decisive;
        if script.in_doubt {
            script.retry_at_us = Some(now.mono_us + RETRY_US);
            if matches!(script.goal, Goal::Switch { .. }) {
                self.fault = Some(failure.text);
            }
            script.current = Some((token, op));
            self.script = Some(script);
            return;
        }
        match script.goal {
            Goal::Start { file, .. } => {
                self.push(Op::Close { file });
                self.wanted = false;
                self.starts_over = false;
                self.state = State::Off;
                self.lane.drop_file();
                self.events.push_back(Event::StartFailed);
            }
            Goal::Switch { file, manifest } => self.switch_failed(file, manifest, now),
            Goal::Prepare { file } => self.prepare_failed(file, now),
            Goal::Commit { manifest, .. } => self.commit_failed(&manifest, &op, now),
            // Removing them is tidiness. The rewrite that made them obsolete succeeded.
            Goal::Collect { .. } => {
                self.collect_failed = true;
                self.rewrite_over();
            }
            Goal::Close => self.state = State::Off,
        }
    }

    fn goal_reached(&mut self, goal: Goal, now: Now) {
        match goal {
            Goal::Start { manifest, file } => {
                self.manifest = manifest;
                self.lane.open(file, self.opened_bytes, now.mono_us);
                self.state = State::On;
            }
            Goal::Switch { manifest, file } => {
                self.manifest = manifest;
                self.switched(file, now);
            }
            Goal::Prepare { file } => self.prepared(file, now),
            Goal::Commit {
                manifest,
                base_bytes,
            } => {
                self.manifest = manifest;
                self.collect_failed = false;
                self.committed(base_bytes, now);
                if !self.wants_to_collect() {
                    self.rewrite_over();
                }
            }
            Goal::Collect { manifest } => {
                self.manifest = manifest;
                self.rewrite_over();
            }
            Goal::Close => self.state = State::Off,
        }
    }

    /// Begins what is due. True if anything changed.
    fn begin_next(&mut self) -> bool {
        if self.advance_rewrite() {
            return true;
        }
        if self.state == State::Off && std::mem::take(&mut self.starts_over) {
            self.wanted = true;
            self.fault = None;
        }
        let is_moving = self.rewrite.as_ref().is_some_and(|r| r.is_moving_files());
        match (self.state, self.wanted) {
            (State::Off, true) => {
                self.state = State::Waiting;
                self.repair = None;
                self.scheduled = true;
                true
            }
            (State::On, false) if !is_moving => {
                self.state = State::Closing;
                true
            }
            (State::Waiting, false) if !is_moving => {
                self.close_file();
                self.repair = None;
                self.state = State::Off;
                true
            }
            (State::Closing, _) if self.lane.is_durable() || self.lane.file().is_none() => {
                self.durable = self.lane.synced();
                self.close_file();
                self.run(Goal::Close, Vec::new());
                true
            }
            _ if self.wants_to_collect() && !is_moving => {
                self.begin_collect();
                true
            }
            _ => false,
        }
    }

    pub(super) fn wants_to_collect(&self) -> bool {
        !self.manifest.history.is_empty() && !self.config.disable_auto_gc && !self.collect_failed
    }

    fn run(&mut self, goal: Goal, steps: Vec<Op>) {
        assert!(self.script.is_none(), "one script at a time");
        self.script = Some(Script {
            goal,
            steps: steps.into(),
            current: None,
            retry_at_us: None,
            in_doubt: false,
        });
    }

    /// The directory exists, and what was found in it is durable. A process that died may have left
    /// a manifest in the cache while an older one is on the disk, which still needs files that the
    /// newer one does not.
    fn settle_dir(&self) -> Vec<Op> {
        vec![self.make_dir(), sync_working_dir(), self.sync_dir()]
    }

    fn make_dir(&self) -> Op {
        let path = self.names.directory().to_vec();
        Op::MakeDir { path }
    }

    fn sync_dir(&self) -> Op {
        let path = self.names.directory().to_vec();
        Op::SyncDir { path }
    }

    fn persist(&self, manifest: &Manifest) -> Op {
        Op::Replace {
            temp: self.names.path(&self.names.temp_manifest()),
            path: self.names.path(&self.names.manifest()),
            bytes: manifest.format(),
        }
    }

    /// Redis's texts, as far as it has one for the step.
    fn failure_text(&self, op: &Op, error: &str) -> String {
        let show = |path: &Vec<u8>| path.escape_ascii().to_string();
        match op {
            Op::MakeDir { path } => {
                format!(
                    "Can't open or create append-only dir {}: {error}",
                    show(path)
                )
            }
            Op::Open { path, .. } => {
                format!("Can't open the append-only file {}: {error}", show(path))
            }
            Op::Rename { from, to } if *from == self.names.path(&self.names.temp_incr()) => {
                format!(
                    "Error trying to rename the temporary AOF incr file {} into {}: {error}",
                    show(from),
                    show(to)
                )
            }
            Op::Rename { from, to } => format!(
                "Error trying to rename the temporary AOF base file {} into {}: {error}",
                show(from),
                show(to)
            ),
            Op::SyncDir { path } => {
                format!("Fail to fsync AOF directory {}: {error}.", show(path))
            }
            Op::Replace { temp, path, .. } => format!(
                "Error trying to replace the AOF file {} by way of {}: {error}",
                show(path),
                show(temp)
            ),
            Op::Remove { path } => format!("Can't remove the AOF file {}: {error}", show(path)),
            Op::Append { .. } | Op::Sync { .. } | Op::Close { .. } => {
                format!("Error writing to the AOF file: {error}")
            }
        }
    }
}

/// Makes the entry of the append only directory itself durable.
fn sync_working_dir() -> Op {
    let path = b".".to_vec();
    Op::SyncDir { path }
}
