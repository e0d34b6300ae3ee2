//! SHUTDOWN, SIGTERM: what must reach the disk before the process ends, and what stands in its way.
//!
//! Waits for the disk, because nobody is served any more. If it cannot be done the server goes on,
//! unless it was told to end by force.

use super::{Persistence, Request};
use crate::outside::Outside;
use engine::Engine;
use engine::host::{LogLevel, ShutdownRequest};

/// The error of SHUTDOWN; the log has the reason.
pub const SHUTDOWN_FAILED: &str = "Errors trying to SHUTDOWN. Check logs.";

impl Persistence {
    /// Brings everything to the disk that is to be there when the process has ended.
    pub fn prepare_to_end<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
        request: ShutdownRequest,
    ) -> Result<(), String> {
        if engine.loading {
            // What is in memory is a part of what is in the files.
            return Ok(());
        }
        if self.is_saving() {
            outside.log(
                LogLevel::Warning,
                "There is a snapshot being saved in the background. Giving it up!",
            );
        }
        if self.requested == Some(Request::Save) {
            self.requested = None;
        }
        self.append.take_effects(engine, outside);
        if self.append.is_on() {
            self.end_append(engine, outside, request)?;
        }
        self.abort_snapshot(engine, outside);
        let save = request.save.unwrap_or(!engine.config.save.is_empty());
        if save {
            outside.log(
                LogLevel::Notice,
                "Saving the final RDB snapshot before exiting.",
            );
            if self.save_now(engine, outside).is_err() {
                if !request.force {
                    outside.log(
                        LogLevel::Warning,
                        "Error trying to save the DB, can't exit.",
                    );
                    return Err(SHUTDOWN_FAILED.into());
                }
                outside.log(
                    LogLevel::Warning,
                    "Error trying to save the DB, exiting anyway as told.",
                );
            }
        }
        Ok(())
    }

    fn end_append<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
        request: ShutdownRequest,
    ) -> Result<(), String> {
        if self.append.is_waiting_for_first_base() {
            // Everything would be lost: what was there before AOF was turned on is nowhere yet.
            if !request.force {
                outside.log(LogLevel::Warning, "Writing initial AOF, can't exit.");
                return Err(SHUTDOWN_FAILED.into());
            }
            outside.log(
                LogLevel::Warning,
                "Writing initial AOF, exiting anyway as told.",
            );
        } else if self.is_rewriting() {
            outside.log(
                LogLevel::Warning,
                "There is an append only file being rewritten. Giving it up!",
            );
        }
        outside.log(LogLevel::Notice, "Calling fsync() on the AOF file.");
        if !self.flush_append(engine, outside) && !request.force {
            outside.log(
                LogLevel::Warning,
                "Error writing the append only file, can't exit.",
            );
            return Err(SHUTDOWN_FAILED.into());
        }
        Ok(())
    }

    /// Waits until the AOF's files are as the machine wants them and hold everything; a rewrite's
    /// base that is being written may go on. False if they cannot get there.
    pub(super) fn settle_append<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
    ) -> bool {
        if !self.flush_append(engine, outside) {
            return false;
        }
        while !self.append.is_settled() {
            if !self.append.last_write_ok() {
                return false;
            }
            self.wait_for_disk(engine, outside);
            self.append.drive(engine, outside);
        }
        true
    }

    /// Waits until every effect so far is on the disk; false if it cannot get there.
    pub(super) fn flush_append<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
    ) -> bool {
        self.append.flush(outside);
        self.append.drive(engine, outside);
        while !self.append.is_flushed() {
            if !self.append.last_write_ok() {
                return false;
            }
            self.wait_for_disk(engine, outside);
            self.append.drive(engine, outside);
        }
        true
    }

    /// After `appendonly no`: waits until what was appended before is on the disk and the file is
    /// closed, so that the reply may say so. As in Redis, everybody waits for that.
    pub(super) fn finish_closing<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
    ) {
        while self.append.is_closing() && self.append.last_write_ok() {
            self.wait_for_disk(engine, outside);
            self.append.drive(engine, outside);
        }
    }

    /// Waits until the disk has done something, and takes note of it.
    pub(super) fn wait_for_disk<O: Outside + ?Sized>(
        &mut self,
        engine: &mut Engine,
        outside: &mut O,
    ) {
        let mut done = Vec::new();
        outside.wait_done(&mut done);
        for done in done {
            self.on_done(engine, outside, done);
        }
    }
}
