//! Kill -9 at random moments under load: what was acknowledged is there after the restart, nothing
//! is there that was not sent, transactions are whole, and the data is that of one moment.
//!
//! One data directory lives through all rounds. In each, writers (`writer`) send operations that
//! depend on the seed alone (`operations`), the server is killed, started again and asked for
//! everything it holds (`observe`), which must be a prefix of what each writer sent (`verify`).
//! With `appendfsync always` the prefix holds all that was acknowledged, with `everysec` all but
//! the last two seconds. Some kills fall into a save, a rewrite or both, some after `appendonly`
//! was switched on live; a dump that a save leaves behind is checked as well.
//!
//! `REDAN_CRASH_ROUNDS=500` runs the long form, `REDAN_CRASH_SEED` replays the writes and the plan
//! of the kills of another run (the machine decides how far each round gets), `REDAN_SUBJECT=redis`
//! turns it on a real server. `--nocapture` shows a line for each round.

mod observe;
mod operations;
mod state;
#[path = "../support/mod.rs"]
mod support;
mod verify;
mod writer;

use observe::{observe, write_ballast};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use support::random_keys::Random;
use support::{Directory, info, say};
use testkit::{Connection, Options, Server};
use verify::{Found, check_moment, find};
use writer::{Sent, Writer};

const ROUNDS: u64 = 12;
const SEED: u64 = 0x5eed_0030;
const WRITERS: u32 = 4;
/// What `appendfsync everysec` may lose.
const EVERYSEC_LOSS: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    Always,
    Everysec,
}

/// What else goes on when the server is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nothing,
    Rewrite,
    Save,
    SaveAndRewrite,
    /// The server starts without AOF, which is switched on under load.
    SwitchOn,
}

const PLAN: [(Policy, Beside); 10] = [
    (Policy::Always, Beside::Nothing),
    (Policy::Everysec, Beside::Rewrite),
    (Policy::Always, Beside::Save),
    (Policy::Everysec, Beside::SaveAndRewrite),
    (Policy::Always, Beside::SwitchOn),
    (Policy::Everysec, Beside::Nothing),
    (Policy::Always, Beside::Rewrite),
    (Policy::Everysec, Beside::Save),
    (Policy::Always, Beside::SaveAndRewrite),
    (Policy::Everysec, Beside::SwitchOn),
];

struct Round {
    number: u64,
    policy: Policy,
    beside: Beside,
    kill_after: Duration,
    /// How long before the kill the rest begins.
    lead: Duration,
}

impl Round {
    fn plan(seed: u64, number: u64) -> Round {
        let mut random = Random::new(seed ^ number.wrapping_mul(0x51_7cc1));
        let (policy, beside) = PLAN[(number % PLAN.len() as u64) as usize];
        let kill_after_ms = match (policy, random.below(3)) {
            // Beyond what may be lost, so that something must be there.
            (Policy::Everysec, 0) => 2200 + random.below(1200),
            _ => 30 + random.below(900),
        };
        // Before a switch is complete nothing is promised, so it gets the time more often than not.
        let longest_lead_ms = if beside == Beside::SwitchOn { 900 } else { 250 };
        Round {
            number,
            policy,
            beside,
            kill_after: Duration::from_millis(kill_after_ms),
            lead: Duration::from_millis(random.below(kill_after_ms.min(longest_lead_ms))),
        }
    }
}

/// What a killed server leaves to be verified.
struct Killed {
    logs: Vec<Vec<Sent>>,
    at: Instant,
    /// Whether the AOF was in charge.
    with_aof: bool,
    server_log: String,
}

struct Run {
    home: Directory,
    writers: Vec<Writer>,
    server: Server,
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_nothing_is_invented() {
    let seed = number_from_environment("REDAN_CRASH_SEED").unwrap_or(SEED);
    let rounds = number_from_environment("REDAN_CRASH_ROUNDS").unwrap_or(ROUNDS);
    eprintln!("REDAN_CRASH_SEED={seed} REDAN_CRASH_ROUNDS={rounds}");
    let mut run = Run::prepare(seed);
    for number in 0..rounds {
        let round = Round::plan(seed, number);
        match run.play(&round) {
            Ok(line) => eprintln!("{line}"),
            Err(reason) => panic!(
                "seed {seed}, round {number} ({:?}, {:?}, killed after {:?}): {reason}",
                round.policy, round.beside, round.kill_after
            ),
        }
    }
}

fn number_from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|e| panic!("{name}={text}: {e}")),
    )
}

impl Run {
    /// A directory with the ballast in it, and its server.
    fn prepare(seed: u64) -> Run {
        let home = Directory::kept_on_failure();
        let server = Server::start(&options(&home, true).option("appendfsync", "always"));
        write_ballast(&mut server.client());
        Run {
            home,
            writers: (0..WRITERS).map(|id| Writer::new(id, seed)).collect(),
            server,
        }
    }

    /// One round, from a running server that was verified to the next; the line says how it went.
    fn play(&mut self, round: &Round) -> Result<String, String> {
        self.set_up(round)?;
        let killed = self.write_and_kill(round)?;
        if matches!(round.beside, Beside::Save | Beside::SaveAndRewrite) {
            self.verify_dump(&killed)?;
        }
        self.server = Server::start(&options(&self.home, killed.with_aof));
        let must: Vec<usize> = killed
            .logs
            .iter()
            .map(|log| must(round, &killed, log))
            .collect();
        let found = self.verify(&killed.logs, &must)?;
        let line = describe(round, &killed, &found);
        for ((writer, log), found) in self.writers.iter_mut().zip(&killed.logs).zip(found) {
            writer.base = found.state;
            writer.next_number += log.len() as u64;
        }
        if !killed.with_aof {
            let mut client = self.server.client();
            expect(&mut client, &["CONFIG", "SET", "appendonly", "yes"], "OK")?;
            testkit::poll_until(testkit::DEADLINE, "the AOF is in charge", || {
                aof_is_in_charge(&mut client)
            });
        }
        Ok(line)
    }

    fn set_up(&mut self, round: &Round) -> Result<(), String> {
        let mut client = self.server.client();
        if round.beside == Beside::SwitchOn {
            expect(&mut client, &["CONFIG", "SET", "appendonly", "no"], "OK")?;
            save(&mut client)?;
            self.server.kill();
            self.server = Server::start(&options(&self.home, false));
            client = self.server.client();
            let logs = vec![Vec::new(); self.writers.len()];
            self.verify(&logs, &vec![0; logs.len()])?;
        }
        let policy = match round.policy {
            Policy::Always => "always",
            Policy::Everysec => "everysec",
        };
        expect(&mut client, &["CONFIG", "SET", "appendfsync", policy], "OK")?;
        match round.beside {
            Beside::Save | Beside::SaveAndRewrite => save(&mut client),
            _ => Ok(()),
        }
    }

    fn write_and_kill(&mut self, round: &Round) -> Result<Killed, String> {
        let port = self.server.port();
        let (ended, ends) = mpsc::channel();
        std::thread::scope(|scope| {
            for (index, writer) in self.writers.iter().enumerate() {
                let ended = ended.clone();
                // The receiver is there until all writers have ended.
                scope.spawn(move || ended.send((index, writer.run(port))).is_ok());
            }
            let early = |wait: Duration| match ends.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Ok((_, Err(reason))) => Err(reason),
                Ok((index, Ok(_))) => Err(format!("writer {index} lost its connection")),
                Err(RecvTimeoutError::Disconnected) => Err("the writers are gone".to_string()),
            };
            let start = Instant::now();
            let mut client = Connection::open(port);
            let outcome = early(round.kill_after - round.lead)
                .and_then(|()| begin(&mut client, round.beside))
                .and_then(|()| early(round.kill_after.saturating_sub(start.elapsed())));
            let with_aof = outcome.is_ok()
                && (round.beside != Beside::SwitchOn || aof_is_in_charge(&mut client));
            // Killed in any case, or the writers would write for ever.
            let at = Instant::now();
            self.server.kill();
            outcome?;
            let mut logs = vec![Vec::new(); self.writers.len()];
            for _ in 0..logs.len() {
                let (index, log) = ends.recv().map_err(|e| e.to_string())?;
                logs[index] = log?;
            }
            Ok(Killed {
                logs,
                at,
                with_aof,
                server_log: self.server.log(),
            })
        })
    }

    /// The dump is that of the set-up or of the save that was under way: whole, of one moment.
    fn verify_dump(&mut self, killed: &Killed) -> Result<(), String> {
        let elsewhere = Directory::new();
        std::fs::copy(self.home.file("dump.rdb"), elsewhere.file("dump.rdb"))
            .map_err(|e| format!("the dump: {e}"))?;
        self.server = Server::start(&options(&elsewhere, false));
        let none = vec![0; self.writers.len()];
        let verified = self.verify(&killed.logs, &none);
        self.server.kill();
        verified
            .map(drop)
            .map_err(|reason| format!("the dump: {reason}"))
    }

    /// Compares the running server's data with the logs, whose first `must` have to be there.
    fn verify(&self, logs: &[Vec<Sent>], must: &[usize]) -> Result<Vec<Found>, String> {
        let observed = observe(&mut self.server.client())?;
        let sorted = verify::by_writer(observed, &self.writers)?;
        let mut all = Vec::new();
        for (index, cells) in sorted.iter().enumerate() {
            all.push(find(
                &self.writers[index],
                &logs[index],
                must[index],
                cells,
            )?);
        }
        check_moment(logs, &all)?;
        Ok(all)
    }
}

fn options(home: &Directory, with_aof: bool) -> Options {
    Options::subject()
        .option("dir", &home.path().display().to_string())
        .option("appendonly", if with_aof { "yes" } else { "no" })
        // Small, so that rewrites happen of their own accord too.
        .option("auto-aof-rewrite-min-size", "4mb")
}

/// Begins what is to go on when the kill comes.
fn begin(client: &mut Connection, beside: Beside) -> Result<(), String> {
    // An automatic rewrite may be under way, which is as good.
    let mut may_wait = |command: &[&str]| {
        let reply = say(client, command);
        let fine = [
            "Background",
            "-ERR Background",
            "-ERR Another child",
            "-ERR Can't",
        ];
        match fine.iter().any(|start| reply.starts_with(start)) {
            true => Ok(()),
            false => Err(format!("{command:?}: {reply}")),
        }
    };
    match beside {
        Beside::Nothing => Ok(()),
        Beside::Rewrite => may_wait(&["BGREWRITEAOF"]),
        Beside::Save => may_wait(&["BGSAVE", "SCHEDULE"]),
        Beside::SaveAndRewrite => {
            may_wait(&["BGSAVE", "SCHEDULE"])?;
            may_wait(&["BGREWRITEAOF"])
        }
        Beside::SwitchOn => expect(client, &["CONFIG", "SET", "appendonly", "yes"], "OK"),
    }
}

fn aof_is_in_charge(client: &mut Connection) -> bool {
    ["aof_rewrite_in_progress", "aof_rewrite_scheduled"].map(|field| info(client, field))
        == ["0", "0"]
        && info(client, "aof_enabled") == "1"
        && info(client, "aof_last_bgrewrite_status") == "ok"
}

/// A whole save, after whatever background work stands in its way.
fn save(client: &mut Connection) -> Result<(), String> {
    let mut reply = String::new();
    testkit::poll_until(testkit::DEADLINE, "no background work is under way", || {
        reply = say(client, &["SAVE"]);
        reply != "-ERR Background save already in progress"
    });
    match reply.as_str() {
        "OK" => Ok(()),
        _ => Err(format!("SAVE: {reply}")),
    }
}

fn expect(client: &mut Connection, command: &[&str], expected: &str) -> Result<(), String> {
    match say(client, command) {
        reply if reply == expected => Ok(()),
        reply => Err(format!("{command:?}: {reply}")),
    }
}

/// How many operations of a log have to be there.
fn must(round: &Round, killed: &Killed, log: &[Sent]) -> usize {
    let kept_until = match round.policy {
        Policy::Always => Some(killed.at),
        Policy::Everysec => killed.at.checked_sub(EVERYSEC_LOSS),
    };
    let Some(kept_until) = kept_until.filter(|_| killed.with_aof) else {
        return 0;
    };
    let kept = |sent: &Sent| match round.policy {
        // A reply may be read after the moment of the kill.
        Policy::Always => sent.acknowledged_at.is_some(),
        Policy::Everysec => sent.acknowledged_at.is_some_and(|at| at <= kept_until),
    };
    log.iter().take_while(|sent| kept(sent)).count()
}

fn describe(round: &Round, killed: &Killed, found: &[Found]) -> String {
    let both = || killed.logs.iter().zip(found);
    let sent: usize = killed.logs.iter().map(Vec::len).sum();
    let acknowledged = |sent: &&Sent| sent.acknowledged_at.is_some();
    let acknowledged_count: usize = killed
        .logs
        .iter()
        .map(|log| log.iter().filter(acknowledged).count())
        .sum();
    let there: usize = found.iter().map(|found| found.most).sum();
    let lost = both().filter_map(|(log, found)| log.get(found.most)?.acknowledged_at);
    let lost_ms = lost
        .map(|at| killed.at.saturating_duration_since(at).as_millis())
        .max();
    let started = [
        "Background saving started",
        "Background append only file rewriting started",
    ];
    let started: usize = started
        .iter()
        .map(|text| killed.server_log.matches(text).count())
        .sum();
    let finished = killed.server_log.matches("terminated with success").count();
    format!(
        "round {:3} {:?} {:?}: killed after {} ms{}; {sent} operations sent, {acknowledged_count} \
         acknowledged, {there} there; lost ms: {}",
        round.number,
        round.policy,
        round.beside,
        round.kill_after.as_millis(),
        if started > finished {
            ", during background work"
        } else {
            ""
        },
        lost_ms.map_or("none".to_string(), |ms| ms.to_string())
    )
}
