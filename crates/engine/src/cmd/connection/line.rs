//! A client as one line of text (CLIENT LIST, log lines), and what it costs.

use crate::engine::Engine;
use crate::session::{Session, SessionFlags};
use resp::Version;
use std::fmt::Write;

/// What a client is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    Normal,
    Primary,
    Replica,
    Pubsub,
}

impl ClientKind {
    pub fn parse(name: &[u8]) -> Option<ClientKind> {
        let name = name.to_ascii_lowercase();
        Some(match name.as_slice() {
            b"normal" => ClientKind::Normal,
            b"slave" | b"replica" => ClientKind::Replica,
            b"master" | b"primary" => ClientKind::Primary,
            b"pubsub" => ClientKind::Pubsub,
            _ => return None,
        })
    }
}

/// The running session's request and reply, which are not in the session itself.
#[derive(Clone, Copy, Default)]
pub struct Running {
    pub arg_bytes: usize,
    pub reply_bytes: usize,
}

impl Session {
    pub fn kind(&self) -> ClientKind {
        if self.is_primary_link() {
            ClientKind::Primary
        } else if self.is_replica_link() {
            ClientKind::Replica
        } else if self.in_pubsub_mode() {
            ClientKind::Pubsub
        } else {
            ClientKind::Normal
        }
    }

    /// Bytes of the request that is being received.
    fn arg_bytes(&self) -> usize {
        let blocked = self
            .blocked
            .as_ref()
            .map_or(0, |b| b.args.iter().map(Vec::len).sum());
        blocked + self.args_pending().1
    }

    /// Everything the client costs, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let watched: usize = self
            .watched
            .iter()
            .map(|w| w.key.len() + size_of::<crate::watch::Watched>())
            .sum();
        let listening = self.subscriptions.as_ref().map_or(0, |s| s.memory_bytes());
        size_of::<Session>()
            + self.addr.capacity()
            + self.laddr.capacity()
            + self.input_capacity()
            + self.output.heap_bytes()
            + self.arg_bytes()
            + self.queued_bytes
            + watched
            + listening
    }

    fn flag_letters(&self) -> String {
        let mut letters = String::new();
        if self.flags.has(SessionFlags::MONITOR) {
            letters.push('O');
        } else if self.is_replica_link() {
            letters.push('S');
        }
        if self.is_primary_link() {
            letters.push('M');
        }
        if self.in_pubsub_mode() {
            letters.push('P');
        }
        if self.blocked.is_some() || self.flags.has(SessionFlags::PAUSED) {
            letters.push('b');
        }
        let by_flag = [
            (SessionFlags::MULTI, 'x'),
            (SessionFlags::DIRTY_CAS, 'd'),
            (SessionFlags::CLOSE_AFTER_REPLY, 'c'),
            (SessionFlags::CLOSE_ASAP, 'A'),
            (SessionFlags::UNIX_SOCKET, 'U'),
            (SessionFlags::NO_EVICT, 'e'),
            (SessionFlags::NO_TOUCH, 'T'),
        ];
        letters.extend(
            by_flag
                .iter()
                .filter(|(flag, _)| self.flags.has(*flag))
                .map(|(_, letter)| letter),
        );
        if letters.is_empty() {
            letters.push('N');
        }
        letters
    }
}

impl Engine {
    /// The client's line, without its end. Names are left out where user data must not be logged.
    pub(crate) fn client_line(
        &self,
        s: &Session,
        running: Option<Running>,
        hide_user_data: bool,
    ) -> String {
        const HIDDEN: &str = "*redacted*";
        let now_ms = self.now_us() / 1000;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let listening = s.subscriptions.as_deref();
        let run = running.unwrap_or_default();
        let name = if hide_user_data {
            HIDDEN.into()
        } else {
            text(&s.name)
        };
        let user = if hide_user_data { HIDDEN } else { "default" };
        let writing = !s.output.is_empty() && running.is_none();
        let mut line = String::with_capacity(512);
        let _ = write!(
            line,
            "id={} addr={} laddr={} fd={} name={name} age={} idle={} flags={} db={}",
            s.id,
            s.addr,
            s.laddr,
            s.fd,
            (now_ms - s.created_ms) / 1000,
            (now_ms - s.last_used_ms) / 1000,
            s.flag_letters(),
            s.db
        );
        let _ = write!(
            line,
            " sub={} psub={} ssub={} multi={} watch={} qbuf={} qbuf-free={} argv-mem={} multi-mem={}",
            listening.map_or(0, |l| l.channels.len()),
            listening.map_or(0, |l| l.patterns.len()),
            listening.map_or(0, |l| l.shard_channels.len()),
            if s.in_multi() {
                s.queued.len() as i64
            } else {
                -1
            },
            s.watched.len(),
            s.input_len(),
            s.input_room(),
            s.arg_bytes() + run.arg_bytes,
            s.queued_bytes
        );
        let _ = write!(
            line,
            " rbs={} rbp={} obl={} oll={} omem={} tot-mem={} events={} cmd={} user={user} redir=-1 resp={}",
            s.reply_buffer_bytes,
            s.reply_peak_bytes,
            s.output.direct_bytes() + run.reply_bytes,
            s.output.queued_count(),
            s.output.queued_bytes(),
            s.memory_bytes() + run.arg_bytes,
            if writing { "rw" } else { "r" },
            s.last_command.map_or("NULL", |id| id.full_name()),
            if s.version == Version::V3 { 3 } else { 2 }
        );
        let _ = write!(
            line,
            " lib-name={} lib-ver={} tot-net-in={} tot-net-out={} tot-cmds={}",
            text(&s.lib_name),
            text(&s.lib_ver),
            s.net_in_bytes,
            s.net_out_bytes,
            s.commands_count
        );
        line
    }

    /// The client's line as log messages show it.
    pub fn client_log_line(&self, session: &Session) -> String {
        self.client_line(session, None, self.settings.hide_user_data)
    }
}
