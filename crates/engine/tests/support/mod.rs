//! An engine with a clock that stands still until a test moves it, and clients that talk to it.
//!
//! Requests are written as words, replies compared as RESP text.
#![allow(dead_code, reason = "each test program uses its own part")]

use commands::CommandId;
use config::Config;
use engine::host::{
    AllocatorInfo, Crash, LogLevel, ProcessInfo, ReplicasAt, ReplicationInfo, ShutdownProgress,
    ShutdownRequest,
};
use engine::{
    Args, ConnInfo, EffectsReader, Engine, Host, Outcome, PersistenceInfo, Reload, Role, Session,
    SessionId,
};
use keyspace::{ExpiredKeys, Garbage};

const START_US: i64 = 1_700_000_000_000_000;

/// The other side of the engine's door to replication: does what its commands are named after, with
/// as little as there is to it.
#[derive(Default)]
pub struct Door {
    /// Commands that came, as text.
    pub asked: Vec<String>,
    /// What each replica has, and has on disk, of the effects' stream.
    pub replicas: Vec<(u64, u64)>,
    pub ack_requests: usize,
    pub id_changes: usize,
    pub info: ReplicationInfo,
    /// REPLICAOF begins or ends recording effects for replicas.
    pub records_as_primary: bool,
}

pub struct TestHost {
    pub now_us: i64,
    pub log: Vec<String>,
    pub door: Door,
    pub may_crash: bool,
    /// What the next SHUTDOWN is answered.
    pub shutdown: Result<ShutdownProgress, String>,
    /// What the engine asked of persistence.
    pub asked: Vec<String>,
    /// What [`Host::used_memory`] says next; each question makes it smaller, as evictions would.
    pub used_memory: u64,
}

impl Host for TestHost {
    fn ticks_ns(&mut self) -> u64 {
        (self.now_us * 1000) as u64
    }
    fn unix_us(&mut self) -> i64 {
        self.now_us
    }
    fn used_memory(&mut self) -> u64 {
        let bytes = self.used_memory;
        self.used_memory -= bytes / 8;
        bytes
    }
    fn log(&mut self, _level: LogLevel, text: &str) {
        self.log.push(text.into());
    }
    fn process(&mut self) -> ProcessInfo {
        ProcessInfo::default()
    }
    fn allocator(&mut self) -> AllocatorInfo {
        AllocatorInfo::default()
    }
    fn allocator_name(&self) -> String {
        String::new()
    }
    fn allocator_report(&mut self) -> String {
        String::new()
    }
    fn purge_allocator(&mut self) {}
    fn apply_config(
        &mut self,
        _changed: &[&'static str],
        _config: &mut Config,
    ) -> Result<(), String> {
        Ok(())
    }
    fn rewrite_config(&mut self, _config: &Config, _every_option: bool) -> Result<(), String> {
        Ok(())
    }
    fn shutdown(
        &mut self,
        _: &mut Engine,
        _request: ShutdownRequest,
    ) -> Result<ShutdownProgress, String> {
        self.shutdown.clone()
    }
    fn abort_shutdown(&mut self, _: &mut Engine) -> bool {
        self.shutdown == Ok(ShutdownProgress::Waiting)
    }
    fn replication_command(
        &mut self,
        engine: &mut Engine,
        session: &mut Session,
        out: &mut resp::Writer,
        id: CommandId,
        args: Args<'_>,
    ) -> Outcome {
        let text = String::from_utf8_lossy(&args.join(&b' ')).to_lowercase();
        match id {
            CommandId::Psync | CommandId::Sync => session.become_replica_link(),
            CommandId::Replconf if text.contains("ack ") => {}
            CommandId::Replicaof | CommandId::Slaveof => {
                let role = Role {
                    is_replica: !text.ends_with("no one"),
                    is_link_up: true,
                    ..Role::default()
                };
                engine.set_role(role, self);
                if self.door.records_as_primary {
                    engine.record_effects(EffectsReader::Replicas, !role.is_replica);
                }
                out.ok();
            }
            CommandId::Failover => {
                return Err("ERR FAILOVER requires connected replicas."
                    .to_string()
                    .into());
            }
            _ => out.ok(),
        }
        self.door.asked.push(text);
        Ok(())
    }
    fn replication_info(&mut self, _: &Engine) -> ReplicationInfo {
        self.door.info.clone()
    }
    fn replicas_at(&mut self, _: &Engine, offset: u64) -> ReplicasAt {
        let count = |has: &dyn Fn(&(u64, u64)) -> bool| {
            self.door
                .replicas
                .iter()
                .filter(|replica| has(replica))
                .count()
        };
        ReplicasAt {
            acked: count(&|replica| replica.0 >= offset),
            fsynced: count(&|replica| replica.1 >= offset),
        }
    }
    fn request_acks(&mut self) {
        self.door.ack_requests += 1;
    }
    fn change_replication_id(&mut self) {
        self.door.id_changes += 1;
    }
    fn save(&mut self, engine: &mut Engine) -> Result<(), String> {
        self.asked.push("save".into());
        engine.keyspace.journal.dirty = 0;
        Ok(())
    }
    fn bgsave(&mut self, engine: &mut Engine, schedule: bool) -> Result<&'static str, String> {
        let in_exec = engine.in_transaction;
        self.asked
            .push(format!("bgsave schedule={schedule} in_exec={in_exec}"));
        Ok("Background saving started")
    }
    fn rewrite_aof(&mut self, _: &mut Engine) -> Result<&'static str, String> {
        self.asked.push("rewrite_aof".into());
        Ok("Background append only file rewriting started")
    }
    fn reload(&mut self, _: &mut Engine, how: Reload) -> Result<(), String> {
        self.asked.push(format!("{how:?}"));
        Ok(())
    }
    fn flushed_all(&mut self, _: &mut Engine) {}
    fn persistence(&mut self, engine: &Engine) -> PersistenceInfo {
        PersistenceInfo {
            rdb_changes_since_last_save: engine.keyspace.journal.dirty,
            rdb_last_save_time: 1_700_000_000,
            ..PersistenceInfo::default()
        }
    }
    fn drop_later(&mut self, garbage: Garbage) {
        drop(garbage);
    }
    fn dropping(&self) -> (u64, u64) {
        (0, 0)
    }
    fn reset_counts(&mut self) {}
    fn stall(&mut self, duration_us: u64) {
        self.now_us += duration_us as i64;
    }
    fn crash(&mut self, how: Crash) {
        assert!(self.may_crash, "the engine asked for {how:?}");
        self.log.push(format!("crash {how:?}"));
    }
}

pub struct World {
    pub engine: Engine,
    pub host: TestHost,
    clients: u64,
}

/// A connection to the [`World`]'s engine.
#[derive(Clone, Copy)]
pub struct Client(pub SessionId);

impl World {
    pub fn new() -> World {
        World::with(|_| {})
    }

    /// A world whose configuration is not the default one.
    pub fn with(configure: impl FnOnce(&mut Config)) -> World {
        World::seeded(1, configure)
    }

    /// A world whose random choices and orders are others.
    pub fn seeded(seed: u64, configure: impl FnOnce(&mut Config)) -> World {
        let mut config = Config::default();
        configure(&mut config);
        let mut world = World {
            engine: Engine::new(config, seed, START_US),
            host: TestHost {
                now_us: START_US,
                log: Vec::new(),
                door: Door::default(),
                may_crash: false,
                shutdown: Ok(ShutdownProgress::Ending),
                asked: Vec::new(),
                used_memory: 0,
            },
            clients: 0,
        };
        world.engine.refresh_time(&mut world.host);
        world
    }

    /// Effects are recorded from here on, as for an append-only file.
    pub fn record(&mut self) {
        self.engine.record_effects(EffectsReader::AppendOnly, true);
    }

    /// The first client's address is 127.0.0.1:1, and so on.
    pub fn client(&mut self) -> Client {
        self.clients += 1;
        let addr = format!("127.0.0.1:{}", self.clients);
        Client(self.engine.connect(ConnInfo {
            conn: self.clients,
            addr,
            is_local: true,
            ..ConnInfo::default()
        }))
    }

    /// Sends bytes, line ends written as `\n`, and returns what has come back, in one turn.
    pub fn say(&mut self, client: Client, text: &str) -> String {
        self.engine.feed(
            client.0,
            text.replace('\n', "\r\n").as_bytes(),
            &mut self.host,
        );
        self.end_turn();
        self.received(client)
    }

    /// Sends one request and returns what has come back, in one turn.
    pub fn call(&mut self, client: Client, request: &str) -> String {
        self.send(client, request);
        self.end_turn();
        self.received(client)
    }

    /// Sends one request, the words of which are separated by blanks; the turn goes on.
    pub fn send(&mut self, client: Client, request: &str) {
        let wire = wire_of(request);
        self.engine.feed(client.0, wire.as_bytes(), &mut self.host);
    }

    /// What a primary sends, one request a line, in one turn; returns how much of it has run.
    pub fn stream(&mut self, primary: SessionId, requests: &str) -> Option<u64> {
        let wire: String = requests.lines().map(wire_of).collect();
        let done = self
            .engine
            .feed_primary(primary, wire.as_bytes(), &mut self.host);
        self.end_turn();
        done
    }

    pub fn set_role(&mut self, role: Role) {
        self.engine.set_role(role, &mut self.host);
    }

    /// The server is a replica whose link is up; the session that runs its primary's stream.
    pub fn become_replica(&mut self) -> SessionId {
        self.set_role(Role {
            is_replica: true,
            is_link_up: true,
            ..Role::default()
        });
        let info = ConnInfo {
            addr: "127.0.0.1:6379".into(),
            ..ConnInfo::default()
        };
        self.engine.connect_primary(info, 0)
    }

    pub fn end_turn(&mut self) {
        self.engine.end_of_turn(&mut self.host);
        let mut closing = Vec::new();
        self.engine.take_closing(&mut closing);
        closing
            .into_iter()
            .for_each(|id| self.engine.disconnect(id));
    }

    /// Takes what the client was sent since it was last asked, line ends shown as blanks.
    pub fn received(&mut self, client: Client) -> String {
        let mut bytes = Vec::new();
        loop {
            let part = self.engine.output(client.0).to_vec();
            if part.is_empty() {
                break;
            }
            self.engine.sent(client.0, part.len());
            bytes.extend(part);
        }
        String::from_utf8_lossy(&bytes)
            .replace("\r\n", " ")
            .trim_end()
            .to_string()
    }

    /// Lets time pass, and a turn with it.
    pub fn wait_ms(&mut self, duration_ms: i64) {
        self.host.now_us += duration_ms * 1000;
        self.engine.refresh_time(&mut self.host);
        self.end_turn();
    }

    /// What went to AOF and replicas since it was last asked, one command per item, SELECT left out.
    pub fn effects(&mut self) -> Vec<String> {
        let stream = self.engine.effects.take(Vec::new());
        commands_of(&stream)
            .iter()
            .map(|args| String::from_utf8_lossy(&args.join(&b' ')).into_owned())
            .filter(|text| !text.starts_with("SELECT "))
            .collect()
    }
}

/// A request as clients send it, its words being separated by blanks.
pub fn wire_of(request: &str) -> String {
    let words: Vec<&str> = request.split_whitespace().collect();
    let mut wire = format!("*{}\r\n", words.len());
    for word in words {
        wire.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    wire
}

/// Everything in all databases, expired or not, independent of order and encoding: database, key, expiry and the
/// fingerprint of the value.
pub fn contents(world: &mut World) -> Vec<(u32, Vec<u8>, Option<i64>, String)> {
    let client = world.client();
    // Looking must neither remove what has expired nor evict.
    let maxmemory = std::mem::take(&mut world.engine.settings.maxmemory);
    let mode = std::mem::replace(&mut world.engine.keyspace.expired_keys, ExpiredKeys::Keep);
    let mut found = Vec::new();
    for db in 0..world.engine.keyspace.db_count() as u32 {
        let keys: Vec<(Vec<u8>, Option<i64>)> = world
            .engine
            .keyspace
            .iter(db)
            .map(|entry| (entry.key().to_vec(), entry.expiry_ms()))
            .collect();
        if keys.is_empty() {
            continue;
        }
        world.send(client, &format!("select {db}"));
        assert_eq!(world.received(client), "+OK");
        for (key, expiry) in keys {
            let mut wire = format!(
                "*3\r\n$5\r\ndebug\r\n$12\r\ndigest-value\r\n${}\r\n",
                key.len()
            )
            .into_bytes();
            wire.extend(&key);
            wire.extend(b"\r\n");
            world.engine.feed(client.0, &wire, &mut world.host);
            found.push((db, key, expiry, world.received(client)));
        }
    }
    world.engine.keyspace.expired_keys = mode;
    world.engine.settings.maxmemory = maxmemory;
    world.engine.disconnect(client.0);
    found.sort();
    found
}

/// The commands of a stream of effects, which must be whole.
pub fn commands_of(stream: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let (mut parser, mut commands) = (resp::RequestParser::new(), Vec::new());
    loop {
        let mut spans = Vec::new();
        let progress = parser.parse(stream, &mut spans, &resp::Limits::default());
        match progress.expect("effects that parse") {
            resp::Progress::Request => {
                commands.push(spans.iter().map(|s| s.of(stream).to_vec()).collect());
            }
            resp::Progress::Incomplete { .. } => break,
            resp::Progress::Inline(args) => panic!("inline effect {args:?}"),
        }
    }
    assert_eq!(parser.consumed(), stream.len(), "half an effect");
    commands
}
