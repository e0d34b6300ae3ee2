//! Rewrites: from the cut in the stream to a new base, and what happens when one fails.
//!
//! Three kinds, by what there is to build on:
//!
//! ```text
//! Extend   On:       the next increment is listed first, then the base is written. If it fails,
//!                    base and increments of before are continued by the new increment.
//! Fresh    Waiting:  a temporary increment collects; both become real together, or neither.
//! BaseOnly Off:      only a base.
//!
//! Preparing ──▶ Opening ──▶ Running ──▶ Committing ──▶ (history removed) ──▶ over
//! the cut is    a script    the caller   a script
//! reached                   writes
//! ```
//!
//! The caller may report its base done or failed in any phase before Committing. Tests:
//! `machine/tests.rs`, `tests/simulation.rs`.

use super::config::{REPAIR_DELAY_MAX_US, REWRITE_DELAY_MAX_MINUTES, REWRITE_FAILURES_FREE};
use super::{Aof, Event, FileId, Now, Op, RewriteReason, RewriteRefusal, RewriteStart, State};
use crate::manifest::Manifest;

pub(super) struct Rewrite {
    pub kind: Kind,
    pub phase: Phase,
    pub started_us: u64,
    /// The base holds the stream up to here.
    cut_offset: u64,
    rdb_preamble: bool,
    temp_base: Vec<u8>,
    base_bytes: Option<u64>,
    /// The new base is that of the manifest; what is left is to remove the old files.
    pub is_in_force: bool,
    /// Over, but for a script that must come to its end.
    cancelled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Extend,
    Fresh,
    BaseOnly,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Preparing,
    Opening,
    Running,
    Committing,
}

impl Rewrite {
    pub fn is_abortable(&self) -> bool {
        self.phase != Phase::Committing && !self.cancelled
    }

    /// Files are about to be made or renamed, or being so.
    pub fn is_moving_files(&self) -> bool {
        self.phase != Phase::Running
    }

    /// What is appended is part of what this rewrite makes.
    pub fn collects(&self) -> bool {
        self.kind == Kind::Fresh && !self.cancelled
    }
}

/// Redis's limit on rewrites that fail again and again.
#[derive(Default)]
pub(super) struct Limiter {
    delay_minutes: u64,
    next_us: Option<u64>,
}

impl Limiter {
    /// Whether a rewrite must wait; the minutes when a new wait begins.
    fn check(&mut self, failures: u32, now_us: u64) -> Result<(), Option<u64>> {
        if failures < REWRITE_FAILURES_FREE {
            *self = Limiter::default();
            return Ok(());
        }
        match self.next_us {
            Some(next_us) if now_us < next_us => Err(None),
            Some(_) => {
                self.next_us = None;
                Ok(())
            }
            None => {
                self.delay_minutes = (self.delay_minutes * 2).clamp(1, REWRITE_DELAY_MAX_MINUTES);
                self.next_us = Some(now_us + self.delay_minutes * 60_000_000);
                Err(Some(self.delay_minutes))
            }
        }
    }
}

impl Aof {
    /// Whether a rewrite should begin now: ask about ten times a second, when no other snapshot is
    /// in the way. If so, end the turn's effects, begin the pass, call [`Aof::rewrite_begin`].
    pub fn rewrite_due(&mut self, now: Now) -> Option<RewriteReason> {
        if self.rewrite.is_some() || !matches!(self.state, State::Off | State::On | State::Waiting)
        {
            return None;
        }
        if let Some(repair) = &self.repair {
            return (now.mono_us >= repair.next_us).then_some(RewriteReason::Repair);
        }
        if self.scheduled {
            return self.is_unlimited(now).then_some(RewriteReason::Scheduled);
        }
        let percentage = self.config.auto_rewrite_percentage;
        let is_big = self.current_size_bytes > self.config.auto_rewrite_min_size_bytes;
        if self.state != State::On || self.fault.is_some() || percentage == 0 || !is_big {
            return None;
        }
        let base_bytes = self.base_size_bytes.max(1);
        let growth = u128::from(self.current_size_bytes) * 100 / u128::from(base_bytes);
        let growth = u64::try_from(growth)
            .unwrap_or(u64::MAX)
            .saturating_sub(100);
        if growth < percentage || !self.is_unlimited(now) {
            return None;
        }
        self.notice(format!(
            "Starting automatic rewriting of AOF on {growth}% growth"
        ));
        Some(RewriteReason::Growth(growth))
    }

    /// A rewrite is to begin when [`Aof::rewrite_due`] says so. One that a user asks for clears
    /// the record of failures, so that it is not delayed.
    pub fn schedule_rewrite(&mut self) {
        self.scheduled = true;
        self.failures = 0;
        if let Some(repair) = &mut self.repair {
            repair.next_us = 0;
        }
    }

    /// What was scheduled cannot be done.
    pub fn unschedule_rewrite(&mut self) {
        self.scheduled = false;
    }

    /// The stream is cut here: the pass that the caller has just begun, or begins before the next
    /// command, holds everything appended before.
    pub fn rewrite_begin(&mut self, now: Now) -> Result<RewriteStart, RewriteRefusal> {
        if self.rewrite.is_some() {
            return Err(RewriteRefusal::AlreadyInProgress);
        }
        if self.state == State::On && self.fault.is_some() {
            // The file cannot be finished up to the cut, but the new base makes that needless.
            self.durable = self.lane.synced();
            self.begin_repair(now);
            self.close_file();
        }
        let kind = match (self.state, self.wanted) {
            (State::On, true) => Kind::Extend,
            (State::Waiting, true) => Kind::Fresh,
            (State::Off, false) => Kind::BaseOnly,
            _ => return Err(RewriteRefusal::NotNow),
        };
        match kind {
            Kind::Extend => self.lane.cut(),
            Kind::Fresh => {
                self.close_file();
                self.lane.reset(self.appended);
            }
            Kind::BaseOnly => {}
        }
        self.rewrites += 1;
        let temp_base = self.names.temp_base(self.rewrites);
        self.rewrite = Some(Rewrite {
            kind,
            phase: Phase::Preparing,
            started_us: now.mono_us,
            cut_offset: self.appended,
            rdb_preamble: self.config.use_rdb_preamble,
            temp_base: temp_base.clone(),
            base_bytes: None,
            is_in_force: false,
            cancelled: false,
        });
        self.scheduled = false;
        self.select_wanted |= kind != Kind::BaseOnly;
        let pid = self.names.pid();
        self.notice(format!(
            "Background append only file rewriting started by pid {pid}"
        ));
        self.advance(now);
        Ok(RewriteStart {
            temp_path: temp_base,
            rdb_preamble: self.config.use_rdb_preamble,
            timestamp_s: self.config.timestamp_enabled.then_some(now.unix_s),
        })
    }

    /// The base is written and synced at the temporary path, which is the machine's from now on.
    pub fn rewrite_base_done(&mut self, base_bytes: u64, now: Now) {
        if let Some(rewrite) = &mut self.rewrite
            && rewrite.is_abortable()
        {
            rewrite.base_bytes = Some(base_bytes);
            self.notice("Background AOF rewrite terminated with success");
            self.advance(now);
        }
    }

    /// The base could not be written; the caller has removed what there was of it.
    pub fn rewrite_failed(&mut self, now: Now) {
        if self.rewrite.as_ref().is_some_and(Rewrite::is_abortable) {
            self.warn("Background AOF rewrite terminated with error".to_owned());
            self.count_rewrite_failure();
            self.end_rewrite(now);
            self.advance(now);
        }
    }

    /// Ends a rewrite before its commit and tells the caller. `is_wish`: nothing went wrong.
    pub(super) fn abort_rewrite(&mut self, is_wish: bool, now: Now) {
        if !is_wish {
            self.count_rewrite_failure();
        }
        self.tell_caller_to_abort();
        self.end_rewrite(now);
    }

    /// The file that collects what comes behind the base broke.
    pub(super) fn rewrite_lost_its_file(&mut self, now: Now) {
        let Some(rewrite) = &self.rewrite else { return };
        if rewrite.is_abortable() && rewrite.kind != Kind::BaseOnly {
            self.abort_rewrite(false, now);
        }
    }

    /// Takes the next step of a rewrite, with no script under way. True if there was one.
    pub(super) fn advance_rewrite(&mut self) -> bool {
        let Some(rewrite) = &mut self.rewrite else {
            return false;
        };
        match (rewrite.phase, rewrite.kind) {
            (Phase::Preparing, Kind::Extend) => {
                if !self.lane.is_durable() {
                    return false;
                }
                rewrite.phase = Phase::Opening;
                self.begin_switch();
            }
            (Phase::Preparing, kind) => {
                rewrite.phase = Phase::Opening;
                self.begin_prepare(kind == Kind::Fresh);
            }
            (Phase::Opening, _) => unreachable!("its script is under way"),
            (Phase::Running, kind) => {
                let Some(base_bytes) = rewrite.base_bytes else {
                    return false;
                };
                rewrite.phase = Phase::Committing;
                let rdb_preamble = rewrite.rdb_preamble;
                let temp_base = rewrite.temp_base.clone();
                self.commit(kind, rdb_preamble, temp_base, base_bytes);
            }
            // Committed; history is collected, then the rewrite is over.
            (Phase::Committing, _) => {
                if self.wants_to_collect() {
                    self.begin_collect();
                } else {
                    self.rewrite_over();
                }
            }
        }
        true
    }

    pub(super) fn switched(&mut self, file: FileId, now: Now) {
        if let Some(old) = self.lane.switch(file, now.mono_us) {
            self.push(Op::Close { file: old });
        }
        self.fault = None;
        self.notice_new_incr();
        self.opened(now);
    }

    pub(super) fn switch_failed(&mut self, file: FileId, manifest: Manifest, now: Now) {
        self.push(Op::Close { file });
        if let Some(incr) = manifest.incrs.last() {
            let path = self.names.path(&incr.name);
            self.push(Op::Remove { path });
        }
        self.opening_failed(now);
    }

    pub(super) fn prepared(&mut self, file: Option<FileId>, now: Now) {
        if let Some(file) = file {
            self.lane.open(file, 0, now.mono_us);
            self.notice_new_incr();
        }
        self.opened(now);
    }

    pub(super) fn prepare_failed(&mut self, file: Option<FileId>, now: Now) {
        if let Some(file) = file {
            self.push(Op::Close { file });
        }
        self.opening_failed(now);
    }

    /// The base of the manifest is real now.
    pub(super) fn committed(&mut self, base_bytes: u64, now: Now) {
        let Some(rewrite) = &mut self.rewrite else {
            return;
        };
        rewrite.is_in_force = true;
        let (kind, cut_offset) = (rewrite.kind, rewrite.cut_offset);
        self.note_rewrite_time(now);
        self.last_rewrite_ok = true;
        self.failures = 0;
        match kind {
            Kind::Extend => {}
            Kind::Fresh if self.lane.file().is_some() => {
                self.state = State::On;
                self.repair = None;
                if self.fault.take().is_some() {
                    self.notice("AOF write error looks solved. The server can write again.");
                }
            }
            // It broke while the commit was under way. What it holds up to the break is good.
            Kind::Fresh => {
                self.durable = self.durable.max(self.lane.synced());
                if self.repair.is_none() {
                    self.begin_repair(now);
                }
            }
            Kind::BaseOnly => self.durable = self.durable.max(cut_offset),
        }
        if self.state != State::Off {
            self.current_size_bytes = base_bytes + self.lane.file_bytes();
            self.base_size_bytes = self.current_size_bytes;
        }
    }

    pub(super) fn commit_failed(&mut self, manifest: &Manifest, failed: &Op, now: Now) {
        let Some(rewrite) = &self.rewrite else { return };
        let (kind, temp_base) = (rewrite.kind, rewrite.temp_base.clone());
        // What was renamed before the failure goes; no manifest on the disk names it.
        let base = manifest
            .base
            .as_ref()
            .map(|base| self.names.path(&base.name));
        let incr = manifest
            .incrs
            .last()
            .map(|incr| self.names.path(&incr.name));
        match failed {
            Op::Rename { from, .. } if *from == temp_base => {
                self.push(Op::Remove { path: temp_base });
            }
            Op::Rename { .. } => self.remove_all([base, None]),
            _ if kind == Kind::Fresh => self.remove_all([base, incr]),
            _ => self.remove_all([base, None]),
        }
        self.count_rewrite_failure();
        self.end_rewrite(now);
    }

    /// The last of it is done.
    pub(super) fn rewrite_over(&mut self) {
        if self
            .rewrite
            .as_ref()
            .is_some_and(|r| r.phase == Phase::Committing)
        {
            self.notice("Background AOF rewrite finished successfully");
            self.rewrite = None;
        }
    }

    fn commit(&mut self, kind: Kind, rdb_preamble: bool, temp_base: Vec<u8>, base_bytes: u64) {
        let mut manifest = self.manifest.clone();
        if kind == Kind::Fresh {
            manifest.add_incr(&self.names);
        }
        let kept = usize::from(kind != Kind::BaseOnly);
        manifest.replace_base(&self.names, rdb_preamble, kept);
        self.begin_commit(manifest, temp_base, base_bytes, kind == Kind::Fresh);
    }

    /// The script of the opening phase succeeded.
    fn opened(&mut self, now: Now) {
        let Some(rewrite) = &mut self.rewrite else {
            return;
        };
        rewrite.phase = Phase::Running;
        if rewrite.cancelled {
            self.end_rewrite(now);
        }
    }

    fn opening_failed(&mut self, now: Now) {
        let Some(rewrite) = &mut self.rewrite else {
            return;
        };
        rewrite.phase = Phase::Running;
        if !rewrite.cancelled {
            self.count_rewrite_failure();
            self.tell_caller_to_abort();
        }
        self.end_rewrite(now);
    }

    /// The base is the caller's until it is done, then it is ours to remove.
    fn tell_caller_to_abort(&mut self) {
        match &self.rewrite {
            Some(rewrite) if rewrite.base_bytes.is_some() => {
                let path = rewrite.temp_base.clone();
                self.push(Op::Remove { path });
            }
            _ => self.events.push_back(Event::AbortRewrite),
        }
    }

    /// Without success. In the opening phase the script comes to its end first.
    fn end_rewrite(&mut self, now: Now) {
        let Some(rewrite) = &mut self.rewrite else {
            return;
        };
        if rewrite.phase == Phase::Opening {
            rewrite.cancelled = true;
            return;
        }
        let kind = rewrite.kind;
        self.note_rewrite_time(now);
        self.rewrite = None;
        match kind {
            Kind::Extend if self.lane.has_cut() => self.lane.end_cut(),
            Kind::Fresh => self.drop_temp_incr(now),
            _ => {}
        }
    }

    fn drop_temp_incr(&mut self, now: Now) {
        self.close_file();
        let name = self.names.temp_incr();
        self.notice(format!(
            "Removing the temp incr aof file {} in the background",
            name.escape_ascii()
        ));
        let path = self.names.path(&name);
        self.push(Op::Remove { path });
        match &mut self.repair {
            Some(repair) => {
                repair.next_us = now.mono_us + repair.delay_us;
                repair.delay_us = (repair.delay_us * 2).min(REPAIR_DELAY_MAX_US);
            }
            None => self.scheduled = self.wanted,
        }
    }

    fn count_rewrite_failure(&mut self) {
        self.last_rewrite_ok = false;
        self.failures = self.failures.saturating_add(1);
    }

    fn note_rewrite_time(&mut self, now: Now) {
        if let Some(rewrite) = &self.rewrite {
            let duration_us = now.mono_us.saturating_sub(rewrite.started_us);
            self.last_rewrite_time_s = (duration_us / 1_000_000) as i64;
        }
    }

    fn notice_new_incr(&mut self) {
        let name = match self.state {
            State::On => self.manifest.incrs.last().map(|incr| incr.name.clone()),
            _ => Some(self.names.temp_incr()),
        };
        let name = name.unwrap_or_default();
        self.notice(format!(
            "Creating AOF incr file {} on background rewrite",
            name.escape_ascii()
        ));
    }

    fn remove_all(&mut self, paths: [Option<Vec<u8>>; 2]) {
        for path in paths.into_iter().flatten() {
            self.push(Op::Remove { path });
        }
    }

    fn is_unlimited(&mut self, now: Now) -> bool {
        match self.limiter.check(self.failures, now.mono_us) {
            Ok(()) => true,
            Err(None) => false,
            Err(Some(minutes)) => {
                self.warn(format!(
                    "Background AOF rewrite has repeatedly failed and triggered the limit, will \
                     retry in {minutes} minutes"
                ));
                false
            }
        }
    }
}
