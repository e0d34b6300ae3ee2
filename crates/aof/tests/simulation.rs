//! The machine on a model disk that fails, delays and crashes.
//!
//! A seed decides everything: what is appended, options, switching, rewrites, which operation fails
//! and how, and when the power goes. The model keeps, for each file and each name, what is durable;
//! a crash keeps a random part of the rest (any prefix of the unsynced bytes, any subset of the
//! unsynced names), and a failed sync dooms bytes for good although later syncs succeed.
//!
//! The stream's bytes are a function of their offset. A base file holds the stream's length at its
//! cut. After the crash the directory is loaded: it must give
//! a prefix of what was appended that reaches at least what the machine had called durable. Then a
//! new machine goes on with it, through several lives.
//!
//! `AOF_SIM_SEEDS=100000 cargo test -p aof --test simulation` runs more; `AOF_SIM_SEED=n` one.

mod model;

use std::collections::VecDeque;
use std::sync::Arc;

use aof::machine::{Action, Aof, Config, Done, Event, Fsync, LoadedSizes, Now, Op, State};
use aof::manifest::Manifest;
use aof::names::Names;

use model::{ModelDisk, Random};

const STEPS_PER_LIFE: u64 = 300;
const LIVES: u64 = 4;

#[test]
fn whatever_happens_a_restart_finds_a_prefix_with_all_that_was_durable() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("AOF_SIM_SEED") {
        let mut world = World::new(seed);
        world.is_traced = true;
        world.run();
        return;
    }
    let mut totals = Totals::default();
    for seed in 0..number("AOF_SIM_SEEDS").unwrap_or(12_000) {
        let outcome = std::panic::catch_unwind(|| World::new(seed).run());
        match outcome {
            Ok(life) => totals.add(&life),
            Err(_) => panic!("failed with AOF_SIM_SEED={seed}"),
        }
    }
    // The simulation is worth something only if it gets everywhere.
    println!("{totals:?}");
    let reached = [
        totals.commits,
        totals.repairs,
        totals.aborted,
        totals.turned_off,
        totals.turned_on,
        totals.start_failures,
        totals.in_doubt,
    ];
    assert!(reached.iter().all(|&count| count > 50), "{totals:?}");
}

#[derive(Default, Debug)]
struct Totals {
    commits: u64,
    repairs: u64,
    aborted: u64,
    turned_off: u64,
    turned_on: u64,
    start_failures: u64,
    in_doubt: u64,
    crashes_while_rewriting: u64,
}

impl Totals {
    fn add(&mut self, other: &Totals) {
        self.commits += other.commits;
        self.repairs += other.repairs;
        self.aborted += other.aborted;
        self.turned_off += other.turned_off;
        self.turned_on += other.turned_on;
        self.start_failures += other.start_failures;
        self.in_doubt += other.in_doubt;
        self.crashes_while_rewriting += other.crashes_while_rewriting;
    }
}

struct World {
    random: Random,
    disk: ModelDisk,
    /// The stream's length: what the data set is, in this model.
    appended: u64,
    /// What the machine has called durable, at most.
    claimed: u64,
    now: Now,
    totals: Totals,
    is_traced: bool,
}

struct Life {
    machine: Aof,
    queue: VecDeque<Action>,
    /// The stream's length when this life began; the machine counts from there.
    start: u64,
    /// The pass under way: its cut, and when the caller will have written its base.
    pass: Option<(u64, Vec<u8>)>,
    enabled: bool,
}

impl World {
    fn new(seed: u64) -> World {
        World {
            random: Random::new(seed),
            disk: ModelDisk::new(),
            appended: 0,
            claimed: 0,
            now: Now {
                mono_us: 5_000_000,
                unix_s: 1_628_217_470,
            },
            totals: Totals::default(),
            is_traced: false,
        }
    }

    fn run(mut self) -> Totals {
        for _ in 0..LIVES {
            self.live();
        }
        self.totals
    }

    fn names() -> Names {
        Names::new(b"dir", b"a.aof", 1)
    }

    fn config(&mut self) -> Config {
        Config {
            fsync: [Fsync::Always, Fsync::EverySecond, Fsync::No][self.random.below(3) as usize],
            no_fsync_on_rewrite: self.random.one_in(4),
            use_rdb_preamble: self.random.one_in(2),
            timestamp_enabled: self.random.one_in(4),
            disable_auto_gc: self.random.one_in(6),
            auto_rewrite_min_size_bytes: 400,
            ..Config::default()
        }
    }

    /// One process, from its start to its crash.
    fn live(&mut self) {
        let (manifest, loaded) = self.load();
        self.appended = loaded;
        self.trace(|| format!("loaded {manifest:?}"));
        let config = self.config();
        let mut life = Life {
            machine: Aof::new(config, World::names(), manifest),
            queue: VecDeque::new(),
            start: loaded,
            pass: None,
            enabled: !self.random.one_in(5),
        };
        self.disk.set_mood(&mut self.random);
        if life.enabled {
            let sizes = LoadedSizes {
                total_bytes: loaded,
                base_bytes: 0,
            };
            life.machine.start(sizes, model::base_bytes(0), self.now);
        }
        let steps = self.random.below(STEPS_PER_LIFE);
        for _ in 0..steps {
            self.step(&mut life);
            if !self.look(&mut life) {
                self.totals.start_failures += 1;
                break;
            }
        }
        self.totals.crashes_while_rewriting += u64::from(life.pass.is_some());
        if self.random.one_in(10) {
            self.flush(&mut life);
        }
        self.end(&mut life);
    }

    /// The power goes, or only the process dies; the operation under way may be done in part.
    fn end(&mut self, life: &mut Life) {
        match life.queue.pop_front() {
            Some(Action {
                op: Op::Append { file, chunks },
                ..
            }) if self.random.one_in(2) => {
                let mut bytes = chunks.concat();
                bytes.truncate(self.random.below(bytes.len() as u64) as usize);
                self.disk.set_well();
                let chunks = Arc::new(vec![bytes]);
                let op = Op::Append { file, chunks };
                self.disk.execute(&op, &mut self.random).expect("works");
            }
            Some(action) if self.random.one_in(2) => {
                let _ = self.disk.execute(&action.op, &mut self.random);
            }
            _ => {}
        }
        // A process that starts cannot know of syncs that failed before it.
        if self.random.one_in(3) && !self.disk.has_doomed() {
            self.trace(|| "killed".to_owned());
            self.disk.kill();
        } else {
            self.trace(|| "power gone".to_owned());
            self.disk.crash(&mut self.random);
        }
    }

    /// With a disk that works again, a flush makes everything durable unless a rewrite is needed.
    fn flush(&mut self, life: &mut Life) {
        self.disk.set_well();
        for _ in 0..2000 {
            life.machine.flush_all(self.now);
            if self.look(life) && life.machine.is_flushed() && life.queue.is_empty() {
                break;
            }
            self.execute_one(life);
            self.pass_time(life);
        }
        self.look(life);
        if life.machine.state() == State::On {
            assert_eq!(self.claimed, self.appended, "a flush on a good disk ends");
        }
    }

    fn step(&mut self, life: &mut Life) {
        match self.random.below(100) {
            0..=34 => self.append(life),
            35..=69 => self.execute_one(life),
            70..=82 => self.pass_time(life),
            83..=84 => {
                life.machine.turn_off(self.now);
                self.totals.turned_off += u64::from(life.enabled);
                life.enabled = false;
            }
            85..=87 => {
                life.machine.turn_on(self.now);
                self.totals.turned_on += u64::from(!life.enabled);
                life.enabled = true;
            }
            88..=89 => life.machine.schedule_rewrite(),
            90 => {
                let config = self.config();
                life.machine.set_config(config, self.now);
            }
            91 => {
                let saving = self.random.one_in(2);
                life.machine.set_saving(saving, self.now);
            }
            92 => life.machine.flush_all(self.now),
            93 => self.disk.set_mood(&mut self.random),
            94..=97 => self.end_pass(life),
            _ => self.begin_pass(life),
        }
    }

    fn append(&mut self, life: &mut Life) {
        let count = match self.random.below(20) {
            0 => 200_000,
            _ => 1 + self.random.below(30),
        };
        let count = if self.random.one_in(30) {
            count
        } else {
            count % 40
        };
        let bytes = model::stream(self.appended, count);
        self.appended += bytes.len() as u64;
        life.machine.append(bytes, self.now);
    }

    fn pass_time(&mut self, life: &mut Life) {
        self.now.mono_us += match self.random.below(4) {
            0 => 100,
            1 => 1_000,
            2 => 1_100_000,
            _ => match life.machine.poll_timeout_us() {
                Some(due_us) => due_us.saturating_sub(self.now.mono_us),
                None => 50_000,
            },
        };
        self.now.unix_s += i64::from(self.random.one_in(3));
        life.machine.tick(self.now);
    }

    fn begin_pass(&mut self, life: &mut Life) {
        let wanted = life.machine.rewrite_due(self.now).is_some() || self.random.one_in(6);
        if !wanted {
            return;
        }
        if let Ok(start) = life.machine.rewrite_begin(self.now) {
            assert!(life.pass.is_none(), "one at a time");
            life.pass = Some((self.appended, start.temp_path));
        }
    }

    fn end_pass(&mut self, life: &mut Life) {
        let Some((cut, temp)) = life.pass.take() else {
            return;
        };
        if self.random.one_in(5) {
            life.machine.rewrite_failed(self.now);
            return;
        }
        // The caller writes and syncs it by its own means.
        let bytes = model::base_bytes(cut);
        self.disk.put_synced(&temp, bytes.clone());
        life.machine.rewrite_base_done(bytes.len() as u64, self.now);
    }

    /// The disk executes its next operation and the machine hears of it.
    fn execute_one(&mut self, life: &mut Life) {
        let Some(action) = life.queue.pop_front() else {
            return;
        };
        let result = self.disk.execute(&action.op, &mut self.random);
        self.trace(|| format!("  {} {result:?}", model::show(&action.op)));
        if let Err(failure) = &result {
            self.totals.in_doubt += u64::from(failure.changed);
        }
        life.machine.handle(
            Done {
                token: action.token,
                result,
            },
            self.now,
        );
    }

    /// What the machine says. False if it could not start.
    fn look(&mut self, life: &mut Life) -> bool {
        while let Some(action) = life.machine.poll_action() {
            life.queue.push_back(action);
        }
        let mut started = true;
        while let Some(event) = life.machine.poll_event() {
            self.trace(|| format!("{event:?}"));
            match event {
                Event::AbortRewrite => {
                    self.totals.aborted += 1;
                    assert!(life.pass.take().is_some(), "the caller has a pass to end");
                }
                Event::StartFailed => started = false,
                Event::Log(_, text) => {
                    self.totals.commits += u64::from(text.ends_with("finished successfully"));
                    self.totals.repairs += u64::from(text.contains("until a rewrite into new"));
                }
            }
        }
        let machine = &life.machine;
        let durable = machine.fsynced_offset();
        assert!(durable <= machine.written_offset());
        assert!(machine.written_offset() <= machine.appended_offset());
        assert!(machine.release_offset() <= machine.appended_offset());
        assert_eq!(life.start + machine.appended_offset(), self.appended);
        if durable > 0 || machine.state() == State::On {
            assert!(
                life.start + durable >= self.claimed,
                "a claim is not taken back"
            );
            self.claimed = life.start + durable;
        }
        started
    }

    fn trace(&self, text: impl Fn() -> String) {
        if self.is_traced {
            println!("{:>9} {}", self.appended, text());
        }
    }

    /// What a server that starts makes of the directory.
    fn load(&mut self) -> (Manifest, u64) {
        let loaded = self.disk.load(&World::names());
        let (manifest, length) = loaded.unwrap_or_else(|reason| panic!("cannot load: {reason}"));
        assert!(
            length <= self.appended,
            "invented {length} of {}",
            self.appended
        );
        assert!(length >= self.claimed, "lost: {length} of {}", self.claimed);
        (manifest, length)
    }
}
