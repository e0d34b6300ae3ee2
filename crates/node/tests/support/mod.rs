//! A whole node in one process: an engine, its persistence, and a disk and clocks of values.
//!
//! Time stands still but for what looking at the clock costs, waiting for the disk, and
//! [`TestNode::wait_ms`]. Requests are written as words, replies compared as RESP text.
#![allow(dead_code, reason = "each test program uses its own part")]

pub mod contents;
pub mod counting;
pub mod disk;
pub mod network;
pub mod streams;

use std::ops::{Deref, DerefMut};

use commands::CommandId;
use config::{Config, ProtectedAction, Text};
use disk::{DIR, ModelDisk};
use engine::host::{
    AllocatorInfo, Crash, LogLevel, ProcessInfo, ReplicasAt, ReplicationInfo, ShutdownProgress,
    ShutdownRequest,
};
use engine::{Args, ConnInfo, Engine, Host, Outcome, PersistenceInfo, Reload, Session, SessionId};
use keyspace::Garbage;
use node::outside::{Disk, DiskDone, DiskJob, Files, Outside, PathKind, ReadFile};
use node::persistence::{LoadFailed, Origin, Step};
use node::replication::LoadedFile;
use node::{Links, NodeHost, Parts, Persistence};
use resp::Writer;

const START_MS: i64 = 1_700_000_000_000;
const PROCESS_ID: u32 = 77;
/// What a look at the clock costs: slices of a snapshot then take some steps, and not all at once.
const LOOK_NS: u64 = 2_000;

/// The world of a node.
pub struct ModelOutside {
    pub disk: ModelDisk,
    pub ticks_ns: u64,
    pub log: Vec<String>,
}

pub struct ModelHost {
    pub persistence: Persistence,
    pub links: Links,
    pub outside: ModelOutside,
    pub is_ended: bool,
}

pub struct TestNode {
    pub engine: Engine,
    pub host: ModelHost,
    clients: u64,
}

#[derive(Clone, Copy)]
pub struct Client(pub SessionId);

/// A node that did not come up: why, its log, and its disk.
pub struct Refused {
    pub failed: Option<LoadFailed>,
    pub log: Vec<String>,
    pub disk: ModelDisk,
}

impl Refused {
    pub fn log(&self) -> String {
        self.log.join("\n")
    }
}

impl TestNode {
    /// Starts on this disk, as a server does.
    pub fn start(
        disk: ModelDisk,
        configure: impl FnOnce(&mut Config),
    ) -> Result<TestNode, Box<Refused>> {
        TestNode::start_at(disk, 0, configure)
    }

    /// As [`TestNode::start`], so many milliseconds after the beginning of time.
    pub fn start_at(
        disk: ModelDisk,
        after_ms: u64,
        configure: impl FnOnce(&mut Config),
    ) -> Result<TestNode, Box<Refused>> {
        TestNode::start_as(1, disk, after_ms, configure)
    }

    /// As [`TestNode::start_at`], with random numbers from this seed.
    pub fn start_as(
        seed: u64,
        disk: ModelDisk,
        after_ms: u64,
        configure: impl FnOnce(&mut Config),
    ) -> Result<TestNode, Box<Refused>> {
        let mut config = Config {
            dir: Text::from(DIR.as_bytes().to_vec()),
            save: Vec::new(),
            enable_debug_command: ProtectedAction::Yes,
            ..Config::default()
        };
        configure(&mut config);
        let outside = ModelOutside {
            disk,
            ticks_ns: after_ms * 1_000_000,
            log: Vec::new(),
        };
        let now_ms = START_MS + after_ms as i64;
        let persistence = Persistence::new(&config, PROCESS_ID, now_ms);
        let links = Links::new(&config, &format!("{seed:040x}"), seed);
        let mut node = TestNode {
            engine: Engine::new(config, seed, now_ms * 1000),
            host: ModelHost {
                persistence,
                links,
                outside,
                is_ended: false,
            },
            clients: 0,
        };
        match node.load() {
            Ok(()) if !node.host.persistence.start_failed() => Ok(node),
            Ok(()) => Err(node.refused(None)),
            Err(failed) => Err(node.refused(Some(failed))),
        }
    }

    fn load(&mut self) -> Result<(), LoadFailed> {
        self.engine.refresh_time(&mut self.host);
        let TestNode { engine, host, .. } = self;
        let (persistence, outside) = host.parts();
        let (origin, mut loader) = persistence.begin_loading(engine, outside)?;
        loop {
            let step = loader.step(engine, host)?;
            engine.settle_load(host);
            let (persistence, outside) = host.parts();
            persistence.loading_goes_on(&loader, outside);
            if matches!(step, Step::Done) {
                break;
            }
        }
        let (persistence, outside) = host.parts();
        let is_rdb = matches!(origin, Origin::Rdb);
        persistence.finish_loading(origin, &loader, engine, outside);
        let loaded = is_rdb.then(|| LoadedFile {
            history: loader.history(),
            expired_keys: loader.take_expired_keys(),
        });
        node::replication::start(engine, host, loaded);
        Ok(())
    }

    fn refused(self, failed: Option<LoadFailed>) -> Box<Refused> {
        Box::new(Refused {
            failed,
            log: self.host.outside.log,
            disk: self.host.outside.disk,
        })
    }

    pub fn disk(&mut self) -> &mut ModelDisk {
        &mut self.host.outside.disk
    }

    pub fn log(&self) -> String {
        self.host.outside.log.join("\n")
    }

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

    /// Sends a request, the words of which are separated by blanks, and returns what has come back
    /// by the end of the turn.
    pub fn call(&mut self, client: Client, request: &str) -> String {
        self.send(client, &request.split(' ').collect::<Vec<_>>());
        self.turn();
        self.received(client)
    }

    /// As [`TestNode::call`], and the reply must be OK.
    pub fn ok(&mut self, client: Client, request: &str) {
        assert_eq!(
            self.call(client, request),
            "+OK",
            "{request}: {}",
            self.log()
        );
    }

    pub fn send(&mut self, client: Client, words: &[&str]) {
        let mut wire = format!("*{}\r\n", words.len());
        for word in words {
            wire.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.engine.begin_turn(&mut self.host);
        self.engine.feed(client.0, wire.as_bytes(), &mut self.host);
    }

    /// One turn, in the order in which a server has them.
    pub fn turn(&mut self) {
        let TestNode { engine, host, .. } = self;
        engine.refresh_time(host);
        node::turn::end_of_turn(engine, host);
        let mut closing = Vec::new();
        engine.take_closing(&mut closing);
        closing.into_iter().for_each(|id| engine.disconnect(id));
        engine.turn_done(host);
        node::turn::after_replies(engine, host, 0, true);
    }

    pub fn wait_ms(&mut self, duration_ms: u64) {
        self.host.outside.ticks_ns += duration_ms * 1_000_000;
        self.turn();
    }

    /// Some seconds, in which all that was appended reaches a disk that is well.
    pub fn rest(&mut self) {
        for _ in 0..10 {
            self.wait_ms(500);
        }
    }

    /// Turns pass until it is so.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut TestNode) -> bool) {
        for _ in 0..100_000 {
            if is_so(self) {
                return;
            }
            self.wait_ms(1);
        }
        panic!("never {what}; {}", self.log());
    }

    /// Turns pass until nothing is being written but the AOF itself.
    pub fn settle(&mut self) {
        self.until("settled", |node| {
            let info = node.info();
            !info.rdb_bgsave_in_progress
                && !info.aof_rewrite_in_progress
                && !info.aof_rewrite_scheduled
        });
    }

    pub fn info(&mut self) -> PersistenceInfo {
        self.host
            .persistence
            .info(&self.engine, &mut self.host.outside)
    }

    /// What the client was sent since it was last asked, line ends shown as blanks.
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
        let text = String::from_utf8_lossy(&bytes);
        text.replace("\r\n", " ").trim_end().to_string()
    }

    /// The fingerprint of all data.
    pub fn digest(&mut self) -> String {
        let client = self.client();
        let digest = self.call(client, "DEBUG DIGEST");
        self.engine.disconnect(client.0);
        digest
    }

    /// SHUTDOWN from a signal.
    pub fn shut_down(&mut self, request: ShutdownRequest) -> Result<(), String> {
        let TestNode { engine, host, .. } = self;
        host.shutdown(engine, request).map(drop)
    }

    /// The process is killed; what its disk holds.
    pub fn die(self) -> ModelDisk {
        self.host.outside.disk.after_death()
    }
}

impl Deref for ModelHost {
    type Target = ModelOutside;
    fn deref(&self) -> &ModelOutside {
        &self.outside
    }
}

impl DerefMut for ModelHost {
    fn deref_mut(&mut self) -> &mut ModelOutside {
        &mut self.outside
    }
}

impl NodeHost for ModelHost {
    fn parts(&mut self) -> (&mut Persistence, &mut dyn Outside) {
        (&mut self.persistence, &mut self.outside)
    }

    fn node(&mut self) -> Parts<'_> {
        Parts {
            persistence: &mut self.persistence,
            links: &mut self.links,
            outside: &mut self.outside,
        }
    }
}

impl Host for ModelHost {
    fn ticks_ns(&mut self) -> u64 {
        self.outside.ticks_ns()
    }
    fn unix_us(&mut self) -> i64 {
        self.outside.unix_ms() * 1000
    }
    fn used_memory(&mut self) -> u64 {
        1_000_000
    }
    fn log(&mut self, _: LogLevel, text: &str) {
        self.outside.log.push(text.into());
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
        changed: &[&'static str],
        config: &mut Config,
    ) -> Result<(), String> {
        changed.iter().try_for_each(|name| {
            if node::replication::concerns(name) {
                self.links.configure(config, &mut self.outside);
            }
            self.persistence
                .apply_config(name, config, &mut self.outside)
        })
    }
    fn rewrite_config(&mut self, _: &Config, _: bool) -> Result<(), String> {
        Ok(())
    }
    fn shutdown(
        &mut self,
        engine: &mut Engine,
        request: ShutdownRequest,
    ) -> Result<ShutdownProgress, String> {
        self.persistence
            .prepare_to_end(engine, &mut self.outside, request)?;
        self.is_ended = true;
        Ok(ShutdownProgress::Ending)
    }
    fn abort_shutdown(&mut self, _: &mut Engine) -> bool {
        false
    }
    fn save(&mut self, engine: &mut Engine) -> Result<(), String> {
        let position = self.links.position(engine, &self.persistence);
        self.persistence.set_position(position);
        self.persistence.save(engine, &mut self.outside)
    }
    fn bgsave(&mut self, engine: &mut Engine, schedule: bool) -> Result<&'static str, String> {
        self.persistence.bgsave(engine.in_transaction, schedule)
    }
    fn rewrite_aof(&mut self, engine: &mut Engine) -> Result<&'static str, String> {
        self.persistence.rewrite_aof(engine.in_transaction)
    }
    fn reload(&mut self, engine: &mut Engine, how: Reload) -> Result<(), String> {
        node::persistence::reload(engine, self, how)
    }
    fn flushed_all(&mut self, engine: &mut Engine) {
        self.persistence.flushed_all(engine, &mut self.outside);
    }
    fn persistence(&mut self, engine: &Engine) -> PersistenceInfo {
        let mut info = self.persistence.info(engine, &mut self.outside);
        info.rdb_bgsave_in_progress |= self.links.is_saving();
        info
    }
    fn drop_later(&mut self, garbage: Garbage) {
        drop(garbage);
    }
    fn dropping(&self) -> (u64, u64) {
        (0, 0)
    }
    fn reset_counts(&mut self) {
        self.links.reset_stats();
    }

    fn replication_command(
        &mut self,
        engine: &mut Engine,
        session: &mut Session,
        out: &mut Writer,
        id: CommandId,
        args: Args<'_>,
    ) -> Outcome {
        node::replication::command(engine, self, session, out, id, args)
    }

    fn replication_info(&mut self, engine: &Engine) -> ReplicationInfo {
        self.links.info(engine, &mut self.outside)
    }

    fn replicas_at(&mut self, engine: &Engine, offset: u64) -> ReplicasAt {
        self.links.replicas_at(engine, &self.persistence, offset)
    }

    fn request_acks(&mut self) {
        self.links.request_acks();
    }

    fn change_replication_id(&mut self) {
        self.links.change_id();
    }

    fn stall(&mut self, duration_us: u64) {
        self.outside.ticks_ns += duration_us * 1000;
    }
    fn crash(&mut self, how: Crash) {
        panic!("the engine asked for {how:?}");
    }
}

impl Outside for ModelOutside {
    fn unix_ms(&mut self) -> i64 {
        START_MS + (self.ticks_ns / 1_000_000) as i64
    }
    fn ticks_ns(&mut self) -> u64 {
        self.ticks_ns += LOOK_NS;
        self.ticks_ns
    }
    fn process_id(&self) -> u32 {
        PROCESS_ID
    }
    fn used_memory(&mut self) -> u64 {
        1_000_000
    }
    fn log(&mut self, _: LogLevel, text: &str) {
        self.log.push(text.into());
    }
}

impl Disk for ModelOutside {
    fn submit(&mut self, job: DiskJob) {
        self.disk.submit(job);
    }
    fn take_done(&mut self, into: &mut Vec<DiskDone>) {
        self.disk.take_done(into);
    }
    fn wait_done(&mut self, into: &mut Vec<DiskDone>) {
        let worked = self.disk.wait_done(into);
        self.ticks_ns += if worked { 10_000 } else { 10_000_000 };
    }
}

impl Files for ModelOutside {
    fn kind(&mut self, path: &[u8]) -> PathKind {
        self.disk.kind(path)
    }
    fn open(&mut self, path: &[u8]) -> Result<Box<dyn ReadFile>, String> {
        self.disk.open_to_read(path)
    }
    fn list(&mut self, path: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        Ok(self.disk.list(path))
    }
    fn truncate(&mut self, path: &[u8], length_bytes: u64) -> Result<(), String> {
        self.disk.truncate(path, length_bytes)
    }
    fn make_dir(&mut self, path: &[u8]) -> Result<(), String> {
        self.disk.make_dir(path)
    }
    fn replace(&mut self, temp: &[u8], path: &[u8], bytes: &[u8]) -> Result<(), String> {
        self.disk.replace_file(temp, path, bytes)
    }
    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), String> {
        self.disk.rename(from, to)
    }
}
