//! One simulated server: the replication machine, a toy data set, and the wiring between them that
//! `node` and `server` do in production.
//!
//! It does nothing to the world itself: what must happen outside (dial, send, close, be woken) is
//! left in `outbox` for the world to carry out.

use std::collections::BTreeMap;

use replication::{
    Action, Attempt, Cause, Config, LinkId, LoadFailure, Random, Received, ReplOffset,
    ReplconfReply, Replication, ReplicationId, SnapshotId, SnapshotKind, Throttle, Verdict,
};

use crate::model::{Model, Session, encode_command, parse_command};

/// What a node wants of the world.
#[derive(Debug)]
pub enum Want {
    Dial { attempt: Attempt, host: String },
    Send { connection: u64, bytes: Vec<u8> },
    Close { connection: u64 },
    LoadIn { delay_ms: u64 },
    SnapshotIn { delay_ms: u64 },
    Trace(String),
}

/// What survives a crash.
#[derive(Clone, Debug)]
pub struct Disk {
    pub data: Vec<u8>,
    pub history: Option<(ReplicationId, ReplOffset)>,
}

/// A snapshot that is being sent.
#[derive(Debug)]
struct Outgoing {
    id: SnapshotId,
    bytes: Vec<u8>,
    at: usize,
    is_ready: bool,
}

/// A snapshot that arrives.
#[derive(Debug, Default)]
struct Incoming {
    bytes: Vec<u8>,
    is_whole: bool,
}

/// A client that waits for replicas.
#[derive(Debug)]
pub struct Waiter {
    pub id: ReplicationId,
    pub offset: ReplOffset,
    pub replicas: usize,
    pub until_ms: u64,
}

pub struct Node {
    pub index: usize,
    pub life: u64,
    pub is_alive: bool,
    pub frozen_until_ms: u64,
    pub machine: Replication,
    pub model: Model,
    pub session: Session,
    pub outbox: Vec<Want>,
    pub disk: Option<Disk>,
    /// Clients stay away until then: an empty primary stays empty for a while.
    pub quiet_until_ms: u64,
    /// REPLICAOF as the configuration file has it.
    pub follows: Option<usize>,
    pub waiters: Vec<Waiter>,
    pub timer_at_ms: u64,
    /// The last operator's REPLICAOF has not led to a sync yet.
    pub is_commanded: bool,
    random: Random,
    pub trouble_percent: u64,
    is_paused: bool,
    is_recording: bool,
    effects: Vec<u8>,
    effects_db: Option<u32>,
    /// Connections that came in, and what is unread of them.
    inbound: BTreeMap<u64, Vec<u8>>,
    outbound: Option<(Attempt, u64)>,
    outbound_unread: Vec<u8>,
    unapplied: Vec<u8>,
    /// A snapshot that is arriving or being loaded.
    incoming: Option<Incoming>,
    outgoing: Option<Outgoing>,
    /// How many snapshots became the data set.
    pub loads: u64,
    pub wiped: Option<String>,
}

impl Node {
    pub fn new(index: usize, life: u64, config: Config, seed: u64, trouble_percent: u64) -> Node {
        let mut random = Random::new(seed);
        Node {
            index,
            life,
            is_alive: true,
            frozen_until_ms: 0,
            machine: Replication::new(config, random.draw()),
            model: Model::default(),
            session: Session::default(),
            outbox: Vec::new(),
            disk: None,
            quiet_until_ms: 0,
            follows: None,
            waiters: Vec::new(),
            timer_at_ms: u64::MAX,
            is_commanded: false,
            random,
            trouble_percent,
            is_paused: false,
            is_recording: false,
            effects: Vec::new(),
            effects_db: None,
            inbound: BTreeMap::new(),
            outbound: None,
            outbound_unread: Vec::new(),
            unapplied: Vec::new(),
            incoming: None,
            outgoing: None,
            loads: 0,
            wiped: None,
        }
    }

    pub fn host(index: usize) -> String {
        format!("n{index}")
    }

    pub fn port(index: usize) -> u16 {
        7000 + index as u16
    }

    /// Comes up with what is on the disk.
    pub fn boot(&mut self, now_ms: u64) {
        if let Some(disk) = self.disk.clone() {
            let (model, db) = Model::decode(&disk.data).expect("our own file");
            self.model = model;
            match (disk.history, self.follows) {
                (Some((id, offset)), None) => {
                    self.machine.restore_as_primary(now_ms, id, offset);
                }
                (Some((id, offset)), Some(_)) => {
                    self.session.db = db;
                    self.machine.restore_as_replica(id, offset);
                }
                (None, _) => {}
            }
        }
        if let Some(primary) = self.follows {
            let (host, port) = (Node::host(primary), Node::port(primary));
            self.machine.replicate(now_ms, &host, port, Cause::Config);
        }
    }

    /// Writes the data set to disk as it is, with the point in history it stands for.
    pub fn save(&mut self) {
        self.disk = Some(Disk {
            data: self.model.encode(self.stream_db()),
            history: self.machine.persistent(),
        });
    }

    /// The database that whoever reads on from here must have selected.
    fn stream_db(&self) -> u32 {
        if self.machine.is_primary() {
            self.effects_db.unwrap_or(0)
        } else {
            self.session.db
        }
    }

    pub fn may_write(&self) -> bool {
        let is_slowed = match self.machine.throttle() {
            Throttle::Free => false,
            Throttle::Slow { permille } => permille < 200,
        };
        self.machine.is_primary() && !self.is_paused && !is_slowed
    }

    /// A client's request: one command, or a few as a transaction.
    pub fn write(&mut self, db: u32, commands: &[Vec<Vec<u8>>]) {
        assert!(self.machine.is_primary());
        for args in commands {
            assert!(self.model.run(db, args));
        }
        if !self.is_recording {
            return;
        }
        let is_unit = commands.len() > 1;
        if is_unit {
            encode_command(&mut self.effects, &[b"MULTI"]);
        }
        if self.effects_db != Some(db) {
            self.effects_db = Some(db);
            encode_command(&mut self.effects, &[b"SELECT", db.to_string().as_bytes()]);
        }
        for args in commands {
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            encode_command(&mut self.effects, &args);
        }
        if is_unit {
            encode_command(&mut self.effects, &[b"EXEC"]);
        }
    }

    pub fn flush_effects(&mut self) {
        let effects = std::mem::take(&mut self.effects);
        if self.random.below(2) == 0 {
            self.machine.append(&effects);
        } else {
            self.machine.append_vec(effects);
        }
    }

    pub fn follow(&mut self, now_ms: u64, primary: usize, cause: Cause) {
        self.flush_effects();
        self.follows = Some(primary);
        self.is_commanded = cause == Cause::Command;
        let (host, port) = (Node::host(primary), Node::port(primary));
        self.machine.replicate(now_ms, &host, port, cause);
    }

    // --- what the world reports ---

    pub fn accepted(&mut self, connection: u64) {
        self.inbound.insert(connection, Vec::new());
    }

    pub fn dialed(&mut self, now_ms: u64, attempt: Attempt, connection: Result<u64, &str>) {
        match connection {
            Ok(connection) => {
                self.outbound = Some((attempt, connection));
                self.outbound_unread.clear();
                self.machine.connected(now_ms, attempt);
            }
            Err(reason) => self.machine.connection_lost(now_ms, attempt, reason),
        }
    }

    pub fn closed(&mut self, now_ms: u64, connection: u64) {
        if self.inbound.remove(&connection).is_some() {
            self.machine.link_closed(now_ms, LinkId(connection));
        } else if let Some((attempt, _)) = self.outbound.take_if(|(_, id)| *id == connection) {
            self.machine
                .connection_lost(now_ms, attempt, "Connection reset by peer");
        }
    }

    pub fn received(&mut self, now_ms: u64, connection: u64, peer: usize, bytes: &[u8]) {
        if let Some(unread) = self.inbound.get_mut(&connection) {
            unread.extend_from_slice(bytes);
            self.serve(now_ms, connection, peer);
        } else if self.outbound.is_some_and(|(_, id)| id == connection) {
            self.outbound_unread.extend_from_slice(bytes);
        }
    }

    /// Requests on a connection that came in.
    fn serve(&mut self, now_ms: u64, connection: u64, peer: usize) {
        let link = LinkId(connection);
        self.machine.heard(now_ms, link);
        let Some(mut unread) = self.inbound.get_mut(&connection).map(std::mem::take) else {
            return;
        };
        let mut at = 0;
        while let Some((args, used)) = parse_command(&unread[at..]) {
            at += used;
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            let ip = Node::host(peer);
            let reply = match args[0] {
                b"PING" => "+PONG".to_owned(),
                b"REPLCONF" => match self.machine.replconf(now_ms, link, &ip, &args[1..]) {
                    Ok(ReplconfReply::Ok) => "+OK".to_owned(),
                    Ok(ReplconfReply::Silence) => continue,
                    Err(text) => format!("-{text}"),
                },
                b"PSYNC" | b"SYNC" => {
                    self.flush_effects();
                    match self.machine.sync(now_ms, link, &ip, &ip, &args, false) {
                        Ok(()) => continue,
                        Err(text) => format!("-{text}"),
                    }
                }
                _ => "-ERR unknown command".to_owned(),
            };
            self.outbox.push(Want::Send {
                connection,
                bytes: format!("{reply}\r\n").into_bytes(),
            });
        }
        unread.drain(..at);
        self.inbound.insert(connection, unread);
    }

    /// Takes what our primary sent as far as it can be taken.
    fn read(&mut self, now_ms: u64) {
        while let Some((attempt, _)) = self.outbound {
            let unread = std::mem::take(&mut self.outbound_unread);
            let mut input = &unread[..];
            let received = self.machine.read(now_ms, attempt, &mut input);
            let is_over = received.is_none();
            match received {
                None => {}
                Some(Received::SnapshotBegin { .. }) => self.incoming = Some(Incoming::default()),
                Some(Received::Snapshot(bytes)) => {
                    let incoming = self.incoming.as_mut().expect("a snapshot has begun");
                    incoming.bytes.extend_from_slice(bytes);
                }
                Some(Received::SnapshotEnd) => {
                    self.incoming.get_or_insert_default().is_whole = true;
                    let delay_ms = [0, 50, 1500][self.random.below(3) as usize];
                    self.outbox.push(Want::LoadIn { delay_ms });
                }
                Some(Received::Stream(bytes)) => {
                    self.unapplied.extend_from_slice(&bytes);
                    self.apply(now_ms);
                }
            }
            self.outbound_unread = input.to_vec();
            self.act(now_ms);
            if is_over {
                break;
            }
        }
    }

    fn apply(&mut self, now_ms: u64) {
        let seen = self
            .session
            .run(&mut self.model, &self.unapplied, |_, _| {});
        if seen.wants_ack {
            self.machine.ack_requested();
        }
        let rest = self.unapplied.split_off(seen.used_bytes);
        self.machine.applied(now_ms, &self.unapplied);
        self.unapplied = rest;
    }

    /// A snapshot that has wholly arrived is decoded, judged and taken.
    pub fn load(&mut self, now_ms: u64) {
        let Some(Incoming { bytes, .. }) = self.incoming.take_if(|one| one.is_whole) else {
            return;
        };
        if self.random.below(100) < self.trouble_percent {
            let failure = LoadFailure::Local("out of memory".to_owned());
            return self.machine.load_failed(now_ms, &failure);
        }
        let Some((model, db)) = Model::decode(&bytes) else {
            let failure = LoadFailure::Corrupt("cut short".to_owned());
            return self.machine.load_failed(now_ms, &failure);
        };
        let (own, incoming) = (self.model.len() as u64, model.len() as u64);
        if self.machine.judge_snapshot(own, incoming) == Verdict::RefuseEmpty {
            return self.machine.load_failed(now_ms, &LoadFailure::RefusedEmpty);
        }
        let old_id = self.machine.id();
        self.machine.load_done(now_ms);
        let is_wipe = model.is_empty() && !self.model.is_empty();
        if is_wipe && !self.is_commanded && self.machine.id() != old_id {
            self.wiped = Some(format!("n{} was wiped by an empty primary", self.index));
        }
        self.is_commanded = false;
        self.loads += 1;
        self.model = model;
        self.session.db = db;
        self.unapplied.clear();
    }

    /// The next part of a snapshot for our replicas.
    pub fn step_snapshot(&mut self, now_ms: u64) {
        let Some(outgoing) = &mut self.outgoing else {
            return;
        };
        let id = outgoing.id;
        if !outgoing.is_ready {
            outgoing.is_ready = true;
            let bytes = outgoing.bytes.len() as u64;
            self.machine.snapshot_ready(now_ms, id, bytes);
        }
        let left = outgoing.bytes.len() - outgoing.at;
        let room = self.machine.snapshot_room(id) as usize;
        let len = left.min(room).min(1 + self.random.below(400) as usize);
        let piece = &outgoing.bytes[outgoing.at..outgoing.at + len];
        self.machine.snapshot_data(id, piece.to_vec());
        outgoing.at += len;
        if outgoing.at == outgoing.bytes.len() {
            self.outgoing = None;
            self.machine.snapshot_finished(now_ms, id);
        } else {
            let delay_ms = 1 + self.random.below(30);
            self.outbox.push(Want::SnapshotIn { delay_ms });
        }
    }

    // --- a turn ---

    /// Everything that follows from what was reported. `room` says how much a connection takes.
    pub fn turn(&mut self, now_ms: u64, room: &dyn Fn(u64) -> usize) {
        self.read(now_ms);
        self.flush_effects();
        self.machine.end_of_turn(now_ms);
        if self
            .machine
            .poll_timeout()
            .is_some_and(|at_ms| at_ms <= now_ms)
        {
            self.machine.handle_timeout(now_ms);
        }
        self.act(now_ms);
        self.write_out(now_ms, room);
        self.act(now_ms);
    }

    fn write_out(&mut self, now_ms: u64, room: &dyn Fn(u64) -> usize) {
        let links: Vec<LinkId> = self.machine.links_with_output().collect();
        for link in links {
            let mut room = room(link.0);
            loop {
                let output = self.machine.output(link);
                let len = output.len().min(room);
                if len == 0 {
                    break;
                }
                let bytes = output[..len].to_vec();
                room -= len;
                self.outbox.push(Want::Send {
                    connection: link.0,
                    bytes,
                });
                self.machine.written(now_ms, link, len);
            }
        }
    }

    pub fn act(&mut self, now_ms: u64) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Connect { attempt, host, .. } => {
                    self.outbox.push(Want::Dial { attempt, host });
                }
                Action::SendToPrimary { attempt, bytes } => {
                    if let Some((current, connection)) = self.outbound
                        && current == attempt
                    {
                        self.outbox.push(Want::Send { connection, bytes });
                    }
                }
                Action::CloseAttempt { attempt } => {
                    if let Some((_, connection)) = self.outbound.take_if(|(id, _)| *id == attempt) {
                        self.outbox.push(Want::Close { connection });
                        self.outbound_unread.clear();
                    }
                }
                Action::DropUnapplied => self.unapplied.clear(),
                Action::AbortLoad => self.incoming = None,
                Action::CloseLink { link, .. } => {
                    self.inbound.remove(&link.0);
                    self.outbox.push(Want::Close { connection: link.0 });
                }
                Action::StartSnapshot { id, kind, .. } => self.start_snapshot(now_ms, id, kind),
                Action::AbortSnapshot { id } => {
                    self.outgoing.take_if(|outgoing| outgoing.id == id);
                }
                Action::RoleChanged(_) => {
                    self.waiters.clear();
                    let address = self.machine.primary_address();
                    self.follows = address.map(|(_, port)| usize::from(port - Node::port(0)));
                    self.is_commanded &= self.follows.is_some();
                }
                Action::RecordEffects(is_on) => {
                    assert_eq!(is_on, self.machine.is_recording() && is_on);
                    self.is_recording = is_on;
                }
                Action::ForceSelect => self.effects_db = None,
                Action::PauseWrites => self.is_paused = true,
                Action::ResumeWrites => self.is_paused = false,
                Action::KeepTail { from, to } => {
                    let pieces = self.machine.history(from).expect("still here");
                    let bytes: usize = pieces.map(<[u8]>::len).sum();
                    assert_eq!(bytes as u64, to.bytes_since(from));
                }
                Action::Log { text, .. } => self.outbox.push(Want::Trace(text)),
            }
        }
    }

    fn start_snapshot(&mut self, now_ms: u64, id: SnapshotId, kind: SnapshotKind) {
        if self.random.below(100) < self.trouble_percent {
            self.machine.snapshot_failed(id, "no memory");
            return;
        }
        self.effects_db = None;
        self.machine.snapshot_started(now_ms, id);
        self.outgoing = Some(Outgoing {
            id,
            bytes: self.model.encode(self.stream_db()),
            at: 0,
            is_ready: kind == SnapshotKind::Streamed,
        });
        let delay_ms = self.random.below(match kind {
            SnapshotKind::Streamed => 10,
            SnapshotKind::Whole => 800,
        });
        self.outbox.push(Want::SnapshotIn { delay_ms });
    }
}
