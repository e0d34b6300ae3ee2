//! An engine without a process: a host made of values, and clients that speak inline commands.

use config::Config;
use engine::host::{AllocatorInfo, Crash, LogLevel, ProcessInfo, ShutdownRequest};
use engine::{ConnInfo, Engine, Host, SessionId};
use keyspace::Garbage;

pub struct TestHost {
    pub unix_us: i64,
    pub log: Vec<String>,
}

impl Host for TestHost {
    fn ticks_ns(&mut self) -> u64 {
        self.unix_us as u64 * 1000
    }
    fn unix_us(&mut self) -> i64 {
        self.unix_us
    }
    fn used_memory(&mut self) -> u64 {
        0
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
        "none".into()
    }
    fn allocator_report(&mut self) -> String {
        String::new()
    }
    fn purge_allocator(&mut self) {}
    fn apply_config(&mut self, _changed: &[&'static str], _config: &mut Config) -> Result<(), String> {
        Ok(())
    }
    fn rewrite_config(&mut self, _config: &Config, _every_option: bool) -> Result<(), String> {
        Ok(())
    }
    fn shutdown(&mut self, _request: ShutdownRequest) -> Result<(), String> {
        Ok(())
    }
    fn drop_later(&mut self, garbage: Garbage) {
        drop(garbage);
    }
    fn dropping(&self) -> (u64, u64) {
        (0, 0)
    }
    fn reset_dropped(&mut self) {}
    fn stall(&mut self, duration_us: u64) {
        self.unix_us += duration_us as i64;
    }
    fn crash(&mut self, _how: Crash) {}
}

pub struct Bench {
    pub engine: Engine,
    pub host: TestHost,
    connections: u64,
}

impl Bench {
    pub fn new() -> Bench {
        Bench::with(|_| {})
    }

    pub fn with(configure: impl FnOnce(&mut Config)) -> Bench {
        let mut config = Config::default();
        configure(&mut config);
        let host = TestHost { unix_us: 1_700_000_000_000_000, log: Vec::new() };
        Bench { engine: Engine::new(config, 1, host.unix_us), host, connections: 0 }
    }

    pub fn connect(&mut self) -> SessionId {
        self.connections += 1;
        let addr = format!("127.0.0.1:{}", self.connections);
        self.engine.connect(ConnInfo { conn: self.connections, addr, ..ConnInfo::default() })
    }

    /// Sends requests, ends the turn, and takes what the session gets.
    pub fn say(&mut self, id: SessionId, text: &str) -> String {
        self.engine.feed(id, text.replace('\n', "\r\n").as_bytes(), &mut self.host);
        self.end_turn();
        self.hear(id)
    }

    pub fn end_turn(&mut self) {
        self.engine.end_of_turn(&mut self.host);
        let mut closing = Vec::new();
        self.engine.take_closing(&mut closing);
        closing.into_iter().for_each(|id| self.engine.disconnect(id));
    }

    /// Takes the session's output, line breaks shown as spaces.
    pub fn hear(&mut self, id: SessionId) -> String {
        let mut all = Vec::new();
        loop {
            let front = self.engine.output(id);
            if front.is_empty() {
                break;
            }
            all.extend_from_slice(front);
            let count = front.len();
            self.engine.sent(id, count);
        }
        String::from_utf8_lossy(&all).replace("\r\n", " ").trim_end().into()
    }

    pub fn pass_ms(&mut self, ms: i64) {
        self.host.unix_us += ms * 1000;
        self.engine.refresh_time(&mut self.host);
        self.end_turn();
    }
}
