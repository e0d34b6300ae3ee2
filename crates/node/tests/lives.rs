//! Random lives of a node on a disk that fails, fills up, is slow and well again, each from one seed:
//! saves, rewrites, switching, reloading, attempts to shut down, and in the end death. The next life
//! must start, with a whole data set that is neither older than what the last one was sure of nor
//! newer than what it ever did.
//!
//! `NODE_LIVES_SEEDS=100000 cargo test -p node --test lives` runs more; `NODE_LIVES_SEED=n` one.

mod support;

use config::{AppendFsync, Config};
use engine::host::ShutdownRequest;
use support::TestNode;
use support::counting::Counting;
use support::disk::{ModelDisk, Random};

const LIVES: u64 = 4;
const STEPS_MAX: u64 = 120;

#[test]
fn whatever_happens_the_next_life_finds_what_the_last_one_was_sure_of() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let mut totals = Totals::default();
    if let Some(seed) = number("NODE_LIVES_SEED") {
        let mut world = World::new(seed);
        world.is_traced = true;
        return world.run(&mut totals);
    }
    for seed in 0..number("NODE_LIVES_SEEDS").unwrap_or(400) {
        let mut of_this = Totals::default();
        let run = std::panic::AssertUnwindSafe(|| World::new(seed).run(&mut of_this));
        if std::panic::catch_unwind(run).is_err() {
            panic!("failed with NODE_LIVES_SEED={seed}");
        }
        totals.add(&of_this);
    }
    println!("{totals:?}");
    let reached = [
        totals.acked_always,
        totals.saves,
        totals.failed_saves,
        totals.rewrites,
        totals.refused_writes,
        totals.clean_ends,
        totals.refused_ends,
        totals.reloads,
    ];
    // The simulation is worth something only if it gets everywhere.
    assert!(reached.iter().all(|&count| count > 20), "{totals:?}");
}

#[derive(Default, Debug)]
struct Totals {
    acked_always: u64,
    saves: u64,
    failed_saves: u64,
    rewrites: u64,
    refused_writes: u64,
    clean_ends: u64,
    refused_ends: u64,
    reloads: u64,
}

impl Totals {
    fn add(&mut self, other: &Totals) {
        self.acked_always += other.acked_always;
        self.saves += other.saves;
        self.failed_saves += other.failed_saves;
        self.rewrites += other.rewrites;
        self.refused_writes += other.refused_writes;
        self.clean_ends += other.clean_ends;
        self.refused_ends += other.refused_ends;
        self.reloads += other.reloads;
    }
}

struct World {
    random: Random,
    /// What the configuration file says: changes of a life stay.
    appendonly: bool,
    fsync: AppendFsync,
    preamble: bool,
    /// Numbers that the dump and the AOF hold at least.
    sure_in_dump: u64,
    sure_in_aof: u64,
    /// The greatest number that ever was.
    most: u64,
    after_ms: u64,
    is_traced: bool,
}

/// What one life adds.
struct Life {
    counting: Counting,
    /// The AOF was turned on, and its first base may not be whole yet: what the manifest said then.
    waits_for_base: Option<Vec<u8>>,
    /// What is acknowledged above this is in the AOF; what is below may have been so by another
    /// policy, or while it was off.
    certain_above: u64,
    /// What a background save under way will hold, and how many saves there had been before it.
    saving: Option<(u64, u64)>,
    is_over: bool,
}

const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        World {
            appendonly: random.one_in(2),
            fsync: AppendFsync::Always,
            preamble: random.one_in(2),
            random,
            sure_in_dump: 0,
            sure_in_aof: 0,
            most: 0,
            after_ms: 0,
            is_traced: false,
        }
    }

    fn run(mut self, totals: &mut Totals) {
        let mut disk = ModelDisk::default();
        for _ in 0..LIVES {
            disk = self.live(disk, totals);
        }
        self.begin(disk);
    }

    /// Starts, and checks what was found.
    fn begin(&mut self, disk: ModelDisk) -> Life {
        let has_manifest = disk.file(MANIFEST).is_some();
        let manifest = disk.file(MANIFEST).unwrap_or_default().to_vec();
        let appendonly = self.appendonly;
        let mut counting = Counting::on(self.start(disk));
        let found = counting.number();
        let sure = match (appendonly, has_manifest) {
            (true, true) => self.sure_in_aof,
            // The AOF has no files: the dump becomes its base.
            _ => self.sure_in_dump,
        };
        let log = counting.node.log();
        assert!(
            (sure..=self.most).contains(&found),
            "{sure} {found} {}: {log}",
            self.most
        );
        counting.acked = found;
        if appendonly && has_manifest {
            // What was written and not acknowledged may be there as well.
            self.sure_in_aof = found;
        } else if appendonly {
            self.sure_in_aof = 0;
        } else {
            self.sure_in_dump = found;
        }
        Life {
            counting,
            waits_for_base: (appendonly && !has_manifest).then_some(manifest),
            certain_above: found,
            saving: None,
            is_over: false,
        }
    }

    fn start(&self, mut disk: ModelDisk) -> TestNode {
        let configure = |config: &mut Config| {
            config.appendonly = self.appendonly;
            config.appendfsync = self.fsync;
            config.aof_use_rdb_preamble = self.preamble;
            config.stop_writes_on_bgsave_error = false;
        };
        match TestNode::start_at(disk.after_death(), self.after_ms, configure) {
            Ok(node) => node,
            // Death between a first base and its manifest: refused rather than overwritten.
            Err(refused) => {
                let is_expected = refused.log().contains("there is no manifest");
                assert!(
                    is_expected && disk.file(MANIFEST).is_none(),
                    "{}",
                    refused.log()
                );
                for name in disk.listed() {
                    if name.starts_with("appendonlydir/") {
                        disk.remove(&name);
                    }
                }
                TestNode::start_at(disk, self.after_ms, configure)
                    .unwrap_or_else(|refused| panic!("{}", refused.log()))
            }
        }
    }

    fn live(&mut self, disk: ModelDisk, totals: &mut Totals) -> ModelDisk {
        let mut life = self.begin(disk);
        for _ in 0..self.random.below(STEPS_MAX) {
            self.step(&mut life, totals);
            self.look(&mut life, totals);
            if life.is_over {
                break;
            }
        }
        self.after_ms += 1000;
        life.counting.node.die()
    }

    fn step(&mut self, life: &mut Life, totals: &mut Totals) {
        let choice = self.random.below(40);
        self.trace(choice, life);
        let counting = &mut life.counting;
        match choice {
            0..=15 => {
                counting.write();
                if counting.last_reply().contains("-MISCONF") {
                    totals.refused_writes += 1;
                }
            }
            16..=19 => counting.node.wait_ms(self.random.below(30) * 40),
            20..=22 => self.save(choice == 22, life, totals),
            23 | 24 => {
                let reply = counting.ask("BGREWRITEAOF");
                totals.rewrites += u64::from(reply.starts_with('+'));
                if !self.appendonly {
                    // What the files held before gives way to what is in memory.
                    self.sure_in_aof = 0;
                }
            }
            25 => self.switch(life),
            26 | 27 => self.change_options(choice == 26, life),
            28 | 29 => self.change_disk(life),
            30..=34 => {
                let disk = counting.node.disk();
                disk.is_slow = !disk.is_slow;
            }
            35..=37 => {
                for _ in 0..self.random.below(5) {
                    counting.node.disk().run_one();
                    counting.node.turn();
                }
            }
            38 => self.reload(life, totals),
            _ => self.shut_down(life, totals),
        }
        self.most = self.most.max(life.counting.number());
    }

    fn trace(&self, choice: u64, life: &mut Life) {
        if self.is_traced {
            let (acked, info) = (life.counting.acked, life.counting.node.info());
            let (most, dump, aof) = (self.most, self.sure_in_dump, self.sure_in_aof);
            let files = life.counting.node.disk().listed();
            eprintln!("{choice}: acked {acked} of {most}, sure {dump} {aof}; {info:?}; {files:?}");
        }
    }

    fn save(&mut self, waits: bool, life: &mut Life, totals: &mut Totals) {
        let counting = &mut life.counting;
        let number = counting.number();
        let saves = counting.node.info().rdb_saves;
        // An older life may have been further than this one.
        self.sure_in_dump = self.sure_in_dump.min(number);
        if !waits {
            if counting.ask("BGSAVE") == "+Background saving started" {
                life.saving = Some((number, saves));
            }
        } else if counting.ask("SAVE") == "+OK" {
            totals.saves += 1;
            self.sure_in_dump = number;
        } else {
            totals.failed_saves += 1;
        }
    }

    fn change_options(&mut self, is_preamble: bool, life: &mut Life) {
        let counting = &mut life.counting;
        let request = if is_preamble {
            self.preamble = !self.preamble;
            let word = if self.preamble { "yes" } else { "no" };
            format!("CONFIG SET aof-use-rdb-preamble {word}")
        } else if self.random.one_in(3) {
            self.fsync = AppendFsync::EverySec;
            "CONFIG SET appendfsync everysec".into()
        } else {
            self.fsync = AppendFsync::Always;
            "CONFIG SET appendfsync always".into()
        };
        assert_eq!(counting.ask(&request), "+OK");
        if !is_preamble {
            life.certain_above = counting.number();
        }
    }

    fn change_disk(&mut self, life: &mut Life) {
        let used = life.counting.node.disk().total_bytes();
        let random = Random::new(self.random.next());
        let faults = &mut life.counting.node.disk().faults;
        faults.random = None;
        faults.capacity_bytes = None;
        match self.random.below(6) {
            0 => faults.random = Some((4, random)),
            1 => faults.random = Some((20, random)),
            2 => faults.capacity_bytes = Some(used + self.random.below(600) as usize),
            _ => {}
        }
    }

    fn switch(&mut self, life: &mut Life) {
        let turn_on = !self.appendonly;
        let manifest = life
            .counting
            .node
            .disk()
            .file(MANIFEST)
            .unwrap_or_default()
            .to_vec();
        let word = if turn_on { "yes" } else { "no" };
        let reply = life.counting.ask(&format!("CONFIG SET appendonly {word}"));
        if reply != "+OK" {
            // Its directory could not be read, or has parts without a manifest.
            assert!(
                turn_on && reply.starts_with("-ERR CONFIG SET failed"),
                "{reply}"
            );
            return;
        }
        self.appendonly = turn_on;
        if turn_on {
            // What an older life may have been sure of is about to be replaced.
            self.sure_in_aof = self.sure_in_aof.min(life.counting.number());
        }
        life.waits_for_base = turn_on.then_some(manifest);
        life.certain_above = u64::MAX;
    }

    fn reload(&mut self, life: &mut Life, totals: &mut Totals) {
        let counting = &mut life.counting;
        let before = counting.number();
        let faults = std::mem::take(&mut counting.node.disk().faults);
        let reply = counting.ask("DEBUG RELOAD");
        counting.node.disk().faults = faults;
        assert_eq!(reply, "+OK", "{}", counting.node.log());
        assert_eq!(counting.number(), before);
        self.sure_in_dump = before;
        totals.reloads += 1;
    }

    fn shut_down(&mut self, life: &mut Life, totals: &mut Totals) {
        let counting = &mut life.counting;
        let save = [None, Some(true), Some(false)][self.random.below(3) as usize];
        let request = ShutdownRequest {
            save,
            ..ShutdownRequest::default()
        };
        let number = counting.number();
        self.sure_in_dump = self.sure_in_dump.min(number);
        match counting.node.shut_down(request) {
            Ok(()) => {
                totals.clean_ends += 1;
                life.is_over = true;
                while counting.node.disk().run_one() {}
                if self.appendonly {
                    self.sure_in_aof = number;
                }
                if save == Some(true) {
                    self.sure_in_dump = number;
                }
            }
            Err(text) => {
                totals.refused_ends += 1;
                assert_eq!(text, "Errors trying to SHUTDOWN. Check logs.");
            }
        }
    }

    /// What has become certain.
    fn look(&mut self, life: &mut Life, totals: &mut Totals) {
        life.counting.hear();
        let info = life.counting.node.info();
        if let Some((number, saves)) = life.saving
            && !info.rdb_bgsave_in_progress
        {
            life.saving = None;
            if info.rdb_last_bgsave_ok && info.rdb_saves == saves + 1 {
                totals.saves += 1;
                self.sure_in_dump = self.sure_in_dump.max(number);
            } else {
                totals.failed_saves += 1;
            }
        }
        if let Some(before) = &life.waits_for_base {
            let manifest = life.counting.node.disk().file(MANIFEST).unwrap_or_default();
            // As long as a rewrite is under way or due, its manifest may be in doubt.
            let is_open = info.aof_rewrite_in_progress || info.aof_rewrite_scheduled;
            if base_of(manifest) == base_of(before) || is_open {
                return;
            }
            life.waits_for_base = None;
            life.certain_above = life.counting.number();
            self.sure_in_aof = 0;
        }
        let is_always = self.appendonly && self.fsync == AppendFsync::Always;
        if is_always && life.counting.acked > life.certain_above {
            totals.acked_always += 1;
            self.sure_in_aof = self.sure_in_aof.max(life.counting.acked);
        }
    }
}

fn base_of(manifest: &[u8]) -> Option<Vec<u8>> {
    let manifest = aof::manifest::Manifest::parse(manifest).ok()?;
    manifest.base.map(|base| base.name)
}
