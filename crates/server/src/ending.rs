//! The end of the process, asked for by a signal or SHUTDOWN: first replicas are given time to catch
//! up, then the files are brought up to date.
//!
//! ```text
//!   asked ──► (writes paused) waiting for replicas ──► files ──► ending
//!     `── NOW, no lagging replicas, timeout 0 ───────────^  `─ failed: goes on serving
//! ```
//! Tests: `tests/replication_*.rs`, `tests/runbook_r1_one_server.rs`.

use crate::host::ServerHost;
use config::Config;
use engine::host::{ShutdownProgress, ShutdownRequest};
use engine::{Engine, PausePurpose};
use node::Outside;
use runtime::log::Level;

/// How far the end is.
#[derive(Default)]
pub struct Ending {
    /// A signal asked for it; it begins in the next housekeeping.
    asked: Option<ShutdownRequest>,
    waiting: Option<Waiting>,
}

/// Replicas lag behind.
struct Waiting {
    request: ShutdownRequest,
    until_ms: i64,
}

impl ServerHost {
    /// SIGTERM or SIGINT: as SHUTDOWN with the options that the configuration gives the signal.
    pub fn on_signal(&mut self, signal: i32, config: &Config) {
        let (name, flags) = match signal == runtime::signals::SIGINT {
            true => ("SIGINT", config.shutdown_on_sigint),
            false => ("SIGTERM", config.shutdown_on_sigterm),
        };
        self.say(
            Level::Warning,
            &format!("Received {name} scheduling shutdown..."),
        );
        let has = |flag| flags.contains(flag);
        let save = match (
            has(config::ShutdownFlags::SAVE),
            has(config::ShutdownFlags::NOSAVE),
        ) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        self.leaving.asked = Some(ShutdownRequest {
            save,
            now: has(config::ShutdownFlags::NOW),
            force: has(config::ShutdownFlags::FORCE),
        });
    }

    /// Goes on with the end, if one is under way. To be called once a turn.
    pub fn end_if_asked(&mut self, engine: &mut Engine) {
        if let Some(Waiting { request, until_ms }) = &self.leaving.waiting {
            let request = *request;
            let is_over = self.links.lagging_replicas() == 0;
            if is_over || self.outside.unix_ms() >= *until_ms {
                self.leaving.waiting = None;
                let ended = self.finish(engine, request);
                engine.end_pause(PausePurpose::Shutdown);
                if ended.is_err() {
                    runtime::signals::cancel_shutdown();
                    engine.shutdown_failed(self);
                }
            }
            return;
        }
        if engine.debug.cron_paused {
            return;
        }
        if let Some(request) = self.leaving.asked.take()
            && self.end(engine, request).is_err()
        {
            runtime::signals::cancel_shutdown();
        }
    }

    /// When a wait for replicas is over at the latest, in milliseconds from now.
    pub fn end_at_most_in_ms(&mut self) -> Option<i64> {
        let until_ms = self.leaving.waiting.as_ref()?.until_ms;
        Some((until_ms - self.outside.unix_ms()).max(0))
    }

    pub fn end(
        &mut self,
        engine: &mut Engine,
        request: ShutdownRequest,
    ) -> Result<ShutdownProgress, String> {
        if let Some(waiting) = &mut self.leaving.waiting {
            // Who asks again may be more impatient.
            waiting.request = request;
            if request.now {
                waiting.until_ms = 0;
            }
            return Ok(ShutdownProgress::Waiting);
        }
        self.say(Level::Notice, "User requested shutdown...");
        let timeout_ms = i64::from(engine.config.shutdown_timeout) * 1000;
        let may_wait = !request.now && timeout_ms > 0 && !engine.loading;
        if may_wait && self.links.lagging_replicas() > 0 {
            engine.pause_writes(PausePurpose::Shutdown, None);
            self.say(Level::Notice, "Waiting for replicas before shutting down.");
            self.links.request_acks();
            self.leaving.waiting = Some(Waiting {
                request,
                until_ms: self.outside.unix_ms() + timeout_ms,
            });
            return Ok(ShutdownProgress::Waiting);
        }
        self.finish(engine, request)?;
        Ok(ShutdownProgress::Ending)
    }

    fn finish(&mut self, engine: &mut Engine, request: ShutdownRequest) -> Result<(), String> {
        let (lagging, replicas) = (self.links.lagging_replicas(), self.links.replica_count());
        if replicas > 0 {
            for text in self.links.describe_lagging(&mut self.outside) {
                self.say(Level::Notice, &text);
            }
            let text = format!(
                "{} of {replicas} replicas are in sync when shutting down.",
                replicas - lagging.min(replicas)
            );
            self.say(Level::Notice, &text);
        }
        let position = self.links.position(engine, &self.persistence);
        self.persistence.set_position(position);
        let prepared = self
            .persistence
            .prepare_to_end(engine, &mut self.outside, request);
        match &prepared {
            Ok(()) => self.ending = true,
            Err(_) => self.say(
                Level::Warning,
                "Errors trying to shut down the server. Check the logs for more information.",
            ),
        }
        prepared
    }

    /// SHUTDOWN ABORT. False if there is nothing to take back.
    pub fn abort_end(&mut self, engine: &mut Engine) -> bool {
        let was_waiting = self.leaving.waiting.take().is_some();
        let is_aborted = self.leaving.asked.take().is_some() || was_waiting;
        if was_waiting {
            engine.end_pause(PausePurpose::Shutdown);
            engine.shutdown_failed(self);
        }
        if is_aborted {
            runtime::signals::cancel_shutdown();
            self.say(Level::Notice, "Shutdown manually aborted.");
        }
        is_aborted
    }
}
