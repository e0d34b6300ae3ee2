//! What a seed draws before anything happens: how many nodes, how they are set up, what may go wrong.
//!
//! Every seed leaves some faults out, so that others get to unfold.

use replication::{Config, OutputLimit, Random};

#[derive(Clone, Debug)]
pub struct Options {
    pub nodes: usize,
    pub safety_ms: u64,
    pub config: Config,
    /// Mean time between two things that go wrong.
    pub fault_period_ms: u64,
    /// Mean time between two turns of a client.
    pub write_period_ms: u64,
    /// Bytes of padding a write may carry.
    pub padding_max: u64,
    pub delay_max_ms: u64,
    /// Bytes that fit into a connection.
    pub window_bytes: usize,
    /// Relative weights of [`Fault`].
    pub weights: [u64; Fault::ALL.len()],
    /// Out of a hundred snapshots or loads, so many fail.
    pub trouble_percent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Reset,
    OneWay,
    Partition,
    Crash,
    /// A primary loses everything and is back at once.
    Rebirth,
    Freeze,
    Repoint,
    Promote,
    Handover,
    Save,
    Burst,
    Configure,
    Flush,
}

impl Fault {
    pub const ALL: [Fault; 13] = [
        Fault::Reset,
        Fault::OneWay,
        Fault::Partition,
        Fault::Crash,
        Fault::Rebirth,
        Fault::Freeze,
        Fault::Repoint,
        Fault::Promote,
        Fault::Handover,
        Fault::Save,
        Fault::Burst,
        Fault::Configure,
        Fault::Flush,
    ];
}

impl Options {
    pub fn draw(random: &mut Random) -> Options {
        let nodes = 2 + random.below(4) as usize;
        let mut weights = [0; Fault::ALL.len()];
        for weight in &mut weights {
            *weight = [0, 1, 3, 6][random.below(4) as usize];
        }
        Options {
            nodes,
            safety_ms: 10_000 + random.below(30_000),
            config: draw_config(random),
            fault_period_ms: 300 + random.below(2500),
            write_period_ms: 20 + random.below(300),
            padding_max: [0, 20, 400][random.below(3) as usize],
            delay_max_ms: 1 + random.below(60),
            window_bytes: [200, 1000, 20_000][random.below(3) as usize],
            weights,
            trouble_percent: [0, 0, 10][random.below(3) as usize],
        }
    }

    pub fn draw_fault(&self, random: &mut Random) -> Option<Fault> {
        let mut left = random.below(self.weights.iter().sum());
        for (fault, &weight) in Fault::ALL.iter().zip(&self.weights) {
            if left < weight {
                return Some(*fault);
            }
            left -= weight;
        }
        None
    }
}

pub fn draw_config(random: &mut Random) -> Config {
    let backlog_size_bytes = [2000, 6000, 100_000][random.below(3) as usize];
    let unlimited = random.below(2) == 0;
    Config {
        backlog_size_bytes,
        backlog_budget_bytes: [0, 10_000, 1_000_000][random.below(3) as usize],
        backlog_ttl_ms: [0, 4_000, 3_600_000][random.below(3) as usize],
        departed_ttl_ms: 10_000,
        timeout_ms: 2_000 + random.below(4_000),
        ping_period_ms: 1_000,
        is_diskless: random.below(3) > 0,
        diskless_delay_ms: [0, 200, 2_000][random.below(3) as usize],
        diskless_replicas_max: random.below(3) as usize,
        output_limit: OutputLimit {
            hard_bytes: if unlimited {
                0
            } else {
                4_000 + random.below(20_000)
            },
            soft_bytes: if unlimited { 0 } else { 3_000 },
            soft_ms: 1_000 + random.below(5_000),
        },
        held_stream_max_bytes: [50, 100_000][random.below(2) as usize],
        snapshot_ahead_max_bytes: [100, 100_000][random.below(2) as usize],
        ..Config::default()
    }
}
