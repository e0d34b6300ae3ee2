//! A "primary" that a test plays: what it says to each replica that connects is a function.
//!
//! The replica's requests are read as requests, so a script can be as honest as it likes up to the
//! point where it lies. A script ends when the replica hangs up.

use resp::{Decoder, Value};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::free_port;

/// Longer than a replica waits for anything in these tests.
const PATIENCE: Duration = Duration::from_secs(120);

pub type Script = Arc<dyn Fn(&mut Talk) -> Option<()> + Send + Sync>;

pub struct FakePrimary {
    port: u16,
    met: Arc<Mutex<Met>>,
}

#[derive(Default)]
struct Met {
    is_over: bool,
    at: Vec<Instant>,
}

impl FakePrimary {
    /// The same script for every connection.
    pub fn start(script: impl Fn(&mut Talk) -> Option<()> + Send + Sync + 'static) -> FakePrimary {
        FakePrimary::play(Arc::new(script))
    }

    pub fn play(script: Script) -> FakePrimary {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let met = Arc::new(Mutex::new(Met::default()));
        let seen = Arc::clone(&met);
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let mut met = seen.lock().expect("nobody panics with it");
                if met.is_over {
                    return;
                }
                met.at.push(Instant::now());
                let script = Arc::clone(&script);
                std::thread::spawn(move || {
                    let mut talk = Talk::new(socket);
                    script(&mut talk)
                });
            }
        });
        FakePrimary { port, met }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// When replicas came.
    pub fn met_at(&self) -> Vec<Instant> {
        self.met.lock().expect("nobody panics with it").at.clone()
    }
}

impl Drop for FakePrimary {
    fn drop(&mut self) {
        self.met.lock().expect("nobody panics with it").is_over = true;
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

/// One connection of a replica. Everything returns nothing once it has hung up.
pub struct Talk {
    socket: TcpStream,
    decoder: Decoder,
}

impl Talk {
    fn new(socket: TcpStream) -> Talk {
        socket.set_read_timeout(Some(PATIENCE)).ok();
        socket.set_nodelay(true).ok();
        Talk {
            socket,
            decoder: Decoder::new(),
        }
    }

    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> Option<()> {
        self.socket.write_all(bytes.as_ref()).ok()
    }

    /// The next request's words.
    pub fn hear(&mut self) -> Option<Vec<String>> {
        let mut chunk = [0; 4096];
        loop {
            match self.decoder.decode().ok()? {
                Some(Value::Array(words)) => {
                    let words = words.iter().map(|word| match word {
                        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                        other => format!("{other:?}"),
                    });
                    return Some(words.collect());
                }
                Some(_) => {}
                None => match self.socket.read(&mut chunk).ok()? {
                    0 => return None,
                    length => self.decoder.feed(&chunk[..length]),
                },
            }
        }
    }

    /// Honest until PSYNC comes; its words.
    pub fn shake_hands(&mut self) -> Option<Vec<String>> {
        loop {
            let request = self.hear()?;
            match request.first()?.to_uppercase().as_str() {
                "PING" => self.say("+PONG\r\n")?,
                "PSYNC" | "SYNC" => return Some(request),
                _ => self.say("+OK\r\n")?,
            }
        }
    }

    /// Honest until a snapshot is due, of a history that nobody else has.
    pub fn promise_snapshot(&mut self) -> Option<()> {
        self.shake_hands()?;
        self.say("+FULLRESYNC 0123456789012345678901234567890123456789 1000\r\n")
    }

    /// Says nothing until the replica has had enough.
    pub fn stall(&mut self) -> Option<()> {
        let mut chunk = [0; 4096];
        while self.socket.read(&mut chunk).ok()? > 0 {}
        None
    }

    pub fn hang_up(&mut self) -> Option<()> {
        self.socket.shutdown(std::net::Shutdown::Both).ok()
    }
}
