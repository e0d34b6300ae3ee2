//! The one ordered list of reasons to refuse a request, then the call itself.
//!
//! The order is Redis's, because a request that offends twice must get the error clients expect.
//! Refusals inside MULTI spoil the transaction.

use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError, texts};
use crate::host::{Crash, Host, LogLevel};
use crate::pause::PauseMode;
use crate::release::GateMode;
use crate::role::Role;
use crate::session::{Queued, Session, SessionFlags};
use commands::{CommandId, Flags};
use resp::{Version, Writer};

/// Echoed names and arguments in "unknown command" are cut here, as Redis does.
const ECHO_MAX: usize = 128;
const DISK_WARNING_PERIOD_MS: i64 = 10_000;

impl Engine {
    /// A top-level command by the name a client used: the table's, or a renamed one.
    #[inline]
    pub(crate) fn lookup(&self, name: &[u8]) -> Option<CommandId> {
        let found = commands::lookup(name);
        if self.hidden.is_empty() {
            return found;
        }
        let lower = name.to_ascii_lowercase();
        self.renamed
            .get(&lower)
            .copied()
            .or(found.filter(|id| !self.hidden.contains(id)))
    }

    /// Resolves a container's subcommand. The arity has been checked by neither.
    #[inline]
    pub fn resolve(
        &self,
        command: Option<CommandId>,
        args: Args<'_>,
    ) -> Result<CommandId, ReplyError> {
        let Some(id) = command else {
            return Err(unknown_command(args));
        };
        let resolved = if id.spec().is_container() && args.len() > 1 {
            match commands::lookup_sub(id, args[1]) {
                Some(sub) => sub,
                None => return Err(unknown_subcommand(id, args[1])),
            }
        } else {
            id
        };
        if !resolved.accepts_count(args.len()) {
            return Err(ReplyError::wrong_arity(resolved.full_name()));
        }
        Ok(resolved)
    }

    /// Gate, queue or call. `wire` is the request as received, if it came as one piece.
    pub(crate) fn process(
        &mut self,
        session: &mut Session,
        out: &mut Writer,
        host: &mut dyn Host,
        command: Option<CommandId>,
        args: Args<'_>,
        wire: &[u8],
    ) {
        let id = match self.resolve(command, args) {
            Ok(id) => id,
            Err(error) => {
                let sub = |id| args.get(1).and_then(|name| commands::lookup_sub(id, name));
                let refused = command.map(|id| sub(id).unwrap_or(id));
                session.last_command = refused;
                return self.reject(session, out, host, refused, &error);
            }
        };
        session.last_command = Some(id);
        // What a primary did is no longer up for decision.
        if session.is_primary_link() {
            if self.write_refusal.is_some() && id.flags().contains(Flags::WRITE) {
                self.warn_of_disk(host);
            }
        } else {
            if let Err(error) = self.gate(session, id, args, host) {
                return self.reject(session, out, host, Some(id), &error);
            }
            if self.must_wait_for_unpause(session, id) {
                session.flags.set(SessionFlags::PAUSED, true);
                return;
            }
        }
        if session.in_multi() && !runs_inside_multi(id) {
            return self.enqueue(session, out, id, args);
        }
        self.call(session, out, host, id, args, wire);
    }

    /// As [`Engine::process`] for a command that was blocked and may now go on.
    pub(crate) fn process_again(
        &mut self,
        session: &mut Session,
        out: &mut Writer,
        host: &mut dyn Host,
        id: CommandId,
        args: Args<'_>,
    ) {
        match self.gate(session, id, args, host) {
            Ok(()) => drop(self.call(session, out, host, id, args, &[])),
            Err(error) => self.reject(session, out, host, Some(id), &error),
        }
    }

    /// Everything that may refuse a known command with the right number of arguments.
    fn gate(
        &mut self,
        session: &mut Session,
        id: CommandId,
        args: Args<'_>,
        host: &mut dyn Host,
    ) -> Outcome {
        let flags = id.flags();
        if flags.contains(Flags::PROTECTED) {
            crate::cmd::server::check_protected(self, session, id)?;
        }
        if !flags.contains(Flags::NO_AUTH) && !self.is_authenticated(session) {
            return Err(texts::NO_AUTH);
        }
        if session.in_multi() && flags.contains(Flags::NO_MULTI) {
            return Err(ReplyError::new(
                "ERR Command not allowed inside a transaction",
            ));
        }
        if self.settings.maxmemory > 0 && !self.loading {
            self.check_memory(session, id, host)?;
        }
        if let Some(refusal) = &self.write_refusal
            && (id == CommandId::Ping || concerns(session, id, |f| f.contains(Flags::WRITE)))
        {
            return Err(refusal.clone());
        }
        if self.role != Role::default() {
            self.check_role(session, id)?;
        }
        if session.version == Version::V2
            && session.in_pubsub_mode()
            && !allowed_while_subscribed(id)
        {
            let name = String::from_utf8_lossy(args[0]).to_lowercase();
            return Err(format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
            )
            .into());
        }
        if self.role.is_replica
            && !self.role.is_link_up
            && !self.config.replica_serve_stale_data
            && concerns(session, id, |f| !f.contains(Flags::STALE))
        {
            return Err(texts::PRIMARY_DOWN);
        }
        if self.loading && concerns(session, id, |f| !f.contains(Flags::LOADING)) {
            return Err(texts::LOADING);
        }
        if self.async_loading && disturbs_loading(session, id) {
            return Err(texts::LOADING);
        }
        // Else the link of a replica could get around a pause, which does not hold it back.
        if session.is_replica_link()
            && concerns(session, id, |f| {
                f.intersects(Flags::WRITE | Flags::READONLY | Flags::MAY_REPLICATE)
            })
        {
            return Err(ReplyError::new(
                "ERR Replica can't interact with the keyspace",
            ));
        }
        Ok(())
    }

    /// What a replica, or a primary with too few of them, does not do.
    #[cold]
    fn check_role(&self, session: &Session, id: CommandId) -> Outcome {
        if !concerns(session, id, |f| f.contains(Flags::WRITE)) {
            return Ok(());
        }
        if !self.role.has_enough_replicas {
            return Err(texts::NO_REPLICAS);
        }
        if self.role.is_replica && self.config.replica_read_only {
            return Err(texts::READ_ONLY);
        }
        Ok(())
    }

    /// Frees memory if there is too much, and refuses what would need more.
    fn check_memory(&mut self, session: &Session, id: CommandId, host: &mut dyn Host) -> Outcome {
        // Clients before keys: a reply that nobody reads is worth less than data.
        self.evict_clients(host);
        let fits = self.free_memory(host);
        if fits {
            return Ok(());
        }
        let mut denied = id.flags().contains(Flags::DENYOOM);
        if id == CommandId::Exec {
            denied |= session
                .queued
                .iter()
                .any(|q| q.command.flags().contains(Flags::DENYOOM));
        } else if session.in_multi()
            && !matches!(id, CommandId::Discard | CommandId::Quit | CommandId::Reset)
        {
            denied = true;
        }
        if denied {
            Err(texts::OUT_OF_MEMORY)
        } else {
            Ok(())
        }
    }

    /// A replica runs what its primary did although it cannot keep it. That goes on only if
    /// `replica-ignore-disk-write-errors` says so: otherwise the process must not pretend.
    #[cold]
    fn warn_of_disk(&mut self, host: &mut dyn Host) {
        if !self.config.replica_ignore_disk_write_errors {
            host.log(
                LogLevel::Warning,
                "Replica was unable to write command to disk.",
            );
            host.crash(Crash::Panic);
            return;
        }
        let now_ms = self.now_us / 1000;
        if now_ms >= self.disk_warned_ms.saturating_add(DISK_WARNING_PERIOD_MS) {
            self.disk_warned_ms = now_ms;
            host.log(
                LogLevel::Warning,
                "Replica is applying a command even though it is unable to write to disk.",
            );
        }
    }

    fn must_wait_for_unpause(&self, session: &Session, id: CommandId) -> bool {
        if !self.pauses.is_any() || session.flags.has(SessionFlags::TRUSTED) {
            return false;
        }
        let Some(mode) = self.pauses.mode(self.now_us / 1000) else {
            return false;
        };
        let may_change = |id: CommandId| id.flags().intersects(Flags::WRITE | Flags::MAY_REPLICATE);
        match mode {
            PauseMode::All => true,
            PauseMode::Writes => {
                may_change(id)
                    || (id == CommandId::Exec
                        && session.queued.iter().any(|q| may_change(q.command)))
            }
        }
    }

    fn enqueue(&mut self, session: &mut Session, out: &mut Writer, id: CommandId, args: Args<'_>) {
        // A transaction that cannot run any more does not collect memory.
        if !session.flags.has(SessionFlags::DIRTY_EXEC) {
            let owned: Vec<Vec<u8>> = args.iter().map(|a| a.to_vec()).collect();
            session.queued_bytes += owned
                .iter()
                .map(|a| a.len() + size_of::<Vec<u8>>())
                .sum::<usize>();
            session.queued.push(Queued {
                command: id,
                args: owned,
            });
        }
        out.simple("QUEUED");
    }

    fn reject(
        &mut self,
        session: &mut Session,
        out: &mut Writer,
        host: &mut dyn Host,
        id: Option<CommandId>,
        error: &ReplyError,
    ) {
        if session.is_mute() {
            self.log_unheard_error(session, error.text(), host);
        }
        if id == Some(CommandId::Exec) {
            // The transaction is over; its error says why.
            self.discard_transaction(session);
            let why = error.text().strip_prefix(b"ERR ").unwrap_or(error.text());
            let text = [b"EXECABORT Transaction discarded because of: ", why].concat();
            self.stats.of(CommandId::Exec).rejected += 1;
            return self.write_error(out, &ReplyError::bytes(text));
        }
        if session.in_multi() {
            session.flags.set(SessionFlags::DIRTY_EXEC, true);
        }
        if let Some(id) = id {
            self.stats.of(id).rejected += 1;
        }
        self.write_error(out, error);
    }

    pub(crate) fn write_error(&mut self, out: &mut Writer, error: &ReplyError) {
        self.stats.count_error(error.code());
        out.error_bytes(error.text());
    }

    /// Runs a command that passed the gate: monitors, statistics, slow log, effects.
    #[inline]
    pub(crate) fn call(
        &mut self,
        session: &mut Session,
        out: &mut Writer,
        host: &mut dyn Host,
        id: CommandId,
        args: Args<'_>,
        wire: &[u8],
    ) -> bool {
        let started = self.ticks_ns;
        let dirty = self.keyspace.journal.dirty;
        let mark = out.len();
        let is_whole = !session.flags.has(SessionFlags::IN_EXEC);
        if self.effects.enabled && is_whole {
            self.propagate_removals_alone();
            self.effects.begin_unit();
        }
        let offset_before = self.effects.offset();
        let pushed_before = self.effects.pushed();
        self.effects.replaced = false;
        if session.flags.has(SessionFlags::NO_TOUCH) && id != CommandId::Touch {
            self.keyspace.touch = false;
        }
        let is_rerun = session.flags.has(SessionFlags::UNBLOCKED);
        let own_write = match self.role.is_replica {
            true => self.begin_own_write(session, id, args),
            false => None,
        };
        let mut ctx = Ctx {
            engine: self,
            session,
            out,
            host,
            command: id,
        };
        let outcome = crate::dispatch::run(&mut ctx, id, args);
        self.keyspace.touch = true;
        if let Some(write) = own_write {
            self.end_own_write(session, write);
        }
        let failed = outcome.is_err();
        if let Err(error) = outcome {
            out.truncate(mark);
            self.write_error(out, &error);
            if session.is_mute() {
                self.log_unheard_error(session, error.text(), host);
            }
        }
        self.ticks_ns = host.ticks_ns();
        let elapsed_ns = self.ticks_ns.saturating_sub(started);
        let stats = &mut self.stats.commands[id as usize];
        stats.nanoseconds += elapsed_ns;
        // A command that waits, or waits on, counts when it replies.
        let waits =
            session.blocked.is_some() || is_rerun != session.flags.has(SessionFlags::UNBLOCKED);
        if !waits {
            stats.calls += 1;
            stats.failed += u64::from(failed);
            self.stats.commands_processed += 1;
            session.commands_count += 1;
            if self.settings.latency_tracking {
                self.stats.latencies[id as usize]
                    .get_or_insert_default()
                    .record(elapsed_ns);
            }
        }
        if self.effects.enabled {
            self.propagate_removals();
            // A save sets the counter back.
            if !self.effects.replaced && self.keyspace.journal.dirty > dirty {
                self.effects.push_received(session.db, args, wire);
            }
            if is_whole {
                self.effects.end_unit();
                if self.effects.offset() != offset_before {
                    session.last_effects_offset = self.effects.offset();
                    if self.gating != GateMode::Off
                        && self.effects.pushed() != pushed_before
                        && !session.is_mute()
                    {
                        self.gate_reply(session, mark);
                    }
                }
            }
        }
        let threshold_us = self.settings.slowlog_threshold_us;
        if threshold_us >= 0 && elapsed_ns / 1000 >= threshold_us as u64 && !waits {
            self.record_slow(session, id, args, elapsed_ns / 1000);
        }
        if !self.monitors.is_empty() && !is_rerun {
            self.feed_monitors(session, out, id, args);
        }
        !failed
    }
}

/// Whether flags that are wanted are those of the command, or of one that EXEC would run.
#[cold]
fn concerns(session: &Session, id: CommandId, wanted: impl Fn(Flags) -> bool) -> bool {
    let is_queued = || session.queued.iter().any(|q| wanted(q.command.flags()));
    wanted(id.flags()) || id == CommandId::Exec && is_queued()
}

/// Whether the command is not for a time in which a snapshot is loaded beside the data. Redis refuses
/// REPLICAOF too, for it cannot leave a load; here it is how an operator gets away from a primary
/// that stalls in the middle of its snapshot.
fn disturbs_loading(session: &Session, id: CommandId) -> bool {
    let is_way_out = matches!(id, CommandId::Replicaof | CommandId::Slaveof);
    !is_way_out && concerns(session, id, |f| f.contains(Flags::NO_ASYNC_LOADING))
}

fn runs_inside_multi(id: CommandId) -> bool {
    use CommandId::*;
    matches!(id, Exec | Discard | Multi | Watch | Quit | Reset)
}

fn allowed_while_subscribed(id: CommandId) -> bool {
    use CommandId::*;
    matches!(
        id,
        Ping | Subscribe
            | Ssubscribe
            | Sunsubscribe
            | Unsubscribe
            | Psubscribe
            | Punsubscribe
            | Quit
            | Reset
    )
}

/// What an error echoes of client's bytes: at most `max`, and nothing from a zero byte on.
fn cut(bytes: &[u8], max: usize) -> &[u8] {
    let end = bytes.iter().take(max).position(|&b| b == 0).unwrap_or(max);
    &bytes[..bytes.len().min(end)]
}

fn unknown_command(args: Args<'_>) -> ReplyError {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend(cut(args[0], ECHO_MAX));
    text.extend(b"', with args beginning with: ");
    let begin = text.len();
    for arg in &args[1..] {
        let used = text.len() - begin;
        if used >= ECHO_MAX {
            break;
        }
        text.push(b'\'');
        text.extend(cut(arg, ECHO_MAX - used));
        text.extend(b"' ");
    }
    ReplyError::bytes(text)
}

fn unknown_subcommand(container: CommandId, name: &[u8]) -> ReplyError {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend(cut(name, ECHO_MAX));
    text.extend(b"'. Try ");
    text.extend(container.full_name().to_uppercase().as_bytes());
    text.extend(b" HELP.");
    ReplyError::bytes(text)
}
