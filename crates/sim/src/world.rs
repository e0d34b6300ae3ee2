//! The world of one seed: clock, events, network, operator, and the checks after every step.
//!
//! One queue of events in time decides everything; whatever a node wants is put there. A run that
//! fails is run again with its trace, which costs too much to keep in every run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use replication::{Attempt, Cause, FailoverCommand, Random, ReplicationId, RoleReply, Target};

use crate::ledger::Ledger;
use crate::network::{Connection, End, Piece};
use crate::node::{Node, Waiter, Want};
use crate::options::{Fault, Options, draw_config};

const LIVENESS_MS: u64 = 200_000;
const WRITES_END_MS: u64 = 3_000;
const TRACE_SHOWN: usize = 300;

#[derive(Clone, Copy, Debug)]
enum Event {
    Timer {
        node: usize,
        life: u64,
    },
    Arrive {
        connection: u64,
        flow: usize,
    },
    Lost {
        connection: u64,
        node: usize,
        life: u64,
    },
    Dial {
        node: usize,
        life: u64,
        attempt: Attempt,
        to: usize,
    },
    Load {
        node: usize,
        life: u64,
    },
    Snapshot {
        node: usize,
        life: u64,
    },
    Thaw {
        node: usize,
    },
    Restart {
        node: usize,
    },
    Hear {
        from: usize,
        to: usize,
    },
    Fault,
    Client,
}

/// What a run saw, to know that it was not for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    pub events: u64,
    pub writes: u64,
    pub waits_answered: u64,
    pub faults: u64,
    pub full_syncs: u64,
    pub partial_syncs: u64,
    pub refused_syncs: u64,
    pub converged_after_ms: u64,
}

impl Report {
    pub fn add(&mut self, other: &Report) {
        self.events += other.events;
        self.writes += other.writes;
        self.waits_answered += other.waits_answered;
        self.faults += other.faults;
        self.full_syncs += other.full_syncs;
        self.partial_syncs += other.partial_syncs;
        self.refused_syncs += other.refused_syncs;
        self.converged_after_ms = self.converged_after_ms.max(other.converged_after_ms);
    }
}

/// A rule was broken.
#[derive(Debug)]
pub struct Violation {
    pub seed: u64,
    pub at_ms: u64,
    pub text: String,
    pub trace: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {} at {} ms: {}", self.seed, self.at_ms, self.text)?;
        write!(
            f,
            "run it again: cargo run -p sim -- --replay {}",
            self.seed
        )
    }
}

pub type Outcome = Result<Report, Box<Violation>>;

pub struct World {
    now_ms: u64,
    random: Random,
    options: Options,
    nodes: Vec<Node>,
    connections: BTreeMap<u64, Connection>,
    last_connection: u64,
    last_life: u64,
    deaf: BTreeSet<(usize, usize)>,
    queue: BTreeMap<(u64, u64), Event>,
    last_event: u64,
    ledger: Ledger,
    /// How far each life of a node ever was in each history.
    reached: BTreeMap<(u64, ReplicationId), u64>,
    /// Where each life of a node last was, since it last took a snapshot.
    last_seen: BTreeMap<(u64, u64), (ReplicationId, u64)>,
    writer: Option<usize>,
    is_healed: bool,
    report: Report,
    trace: Option<Vec<String>>,
}

/// Runs one seed; a failure brings the last lines of its trace, or all of them.
pub fn run_seed(seed: u64, is_traced: bool) -> Outcome {
    let violation = match run_once(seed, is_traced) {
        Ok(report) => return Ok(report),
        Err(violation) if is_traced => return Err(violation),
        Err(violation) => violation,
    };
    let mut traced = run_once(seed, true).err().unwrap_or(violation);
    let cut = traced.trace.len().saturating_sub(TRACE_SHOWN);
    traced.trace.drain(..cut);
    Err(traced)
}

fn run_once(seed: u64, is_traced: bool) -> Outcome {
    let mut world = World::new(seed, is_traced);
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let text = match result {
        Ok(Ok(())) => return Ok(world.report),
        Ok(Err(text)) => text,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            format!("panic: {}", text.unwrap_or("of an unknown kind"))
        }
    };
    Err(Box::new(Violation {
        seed,
        at_ms: world.now_ms,
        text,
        trace: world.trace.unwrap_or_default(),
    }))
}

impl World {
    pub fn new(seed: u64, is_traced: bool) -> World {
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(seed));
        let options = Options::draw(&mut random);
        let mut world = World {
            now_ms: 1_000,
            random,
            options,
            nodes: Vec::new(),
            connections: BTreeMap::new(),
            last_connection: 0,
            last_life: 0,
            deaf: BTreeSet::new(),
            queue: BTreeMap::new(),
            last_event: 0,
            ledger: Ledger::default(),
            reached: BTreeMap::new(),
            last_seen: BTreeMap::new(),
            writer: None,
            is_healed: false,
            report: Report::default(),
            trace: is_traced.then(Vec::new),
        };
        for index in 0..world.options.nodes {
            let node = world.make_node(index);
            world.nodes.push(node);
        }
        world
    }

    pub fn run(&mut self) -> Result<(), String> {
        let options = self.options.clone();
        self.note(|| format!("{options:?}"));
        for index in 1..self.nodes.len() {
            let primary = self.random.below(index as u64) as usize;
            self.nodes[index].follow(self.now_ms, primary, Cause::Command);
            self.settle(index)?;
        }
        self.schedule(1, Event::Client);
        self.schedule(self.options.fault_period_ms, Event::Fault);
        let end_ms = self.now_ms + self.options.safety_ms;
        self.run_until(end_ms)?;
        self.heal()?;
        self.converge()
    }

    pub fn trace(&self) -> &[String] {
        self.trace.as_deref().unwrap_or_default()
    }

    pub fn report(&self) -> Report {
        self.report
    }

    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn run_until(&mut self, end_ms: u64) -> Result<(), String> {
        while let Some(entry) = self.queue.first_entry() {
            let &(at_ms, _) = entry.key();
            if at_ms > end_ms {
                break;
            }
            let event = entry.remove();
            self.now_ms = self.now_ms.max(at_ms);
            self.report.events += 1;
            self.handle(event)?;
        }
        self.now_ms = end_ms;
        Ok(())
    }

    fn schedule(&mut self, delay_ms: u64, event: Event) {
        self.schedule_at(self.now_ms + delay_ms, event);
    }

    fn schedule_at(&mut self, at_ms: u64, event: Event) {
        self.last_event += 1;
        self.queue.insert((at_ms, self.last_event), event);
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>7} {}", self.now_ms, text()));
        }
    }

    fn make_node(&mut self, index: usize) -> Node {
        self.last_life += 1;
        let config = replication::Config {
            announced_port: Node::port(index),
            run_id: format!("run{}", self.last_life),
            ..draw_config(&mut self.random)
        };
        let seed = self.random.draw();
        let trouble_percent = self.options.trouble_percent;
        Node::new(index, self.last_life, config, seed, trouble_percent)
    }

    // --- events ---

    fn handle(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Timer { node, life } => {
                if self.is_up(node, life, event) {
                    self.nodes[node].timer_at_ms = u64::MAX;
                    return self.settle(node);
                }
            }
            Event::Arrive { connection, flow } => return self.arrive(connection, flow),
            Event::Lost {
                connection,
                node,
                life,
            } => {
                if self.is_up(node, life, event) {
                    self.nodes[node].closed(self.now_ms, connection);
                    return self.settle(node);
                }
            }
            Event::Dial {
                node,
                life,
                attempt,
                to,
            } => {
                if self.is_up(node, life, event) {
                    return self.dial(node, attempt, to);
                }
            }
            Event::Load { node, life } => {
                if self.is_up(node, life, event) {
                    self.nodes[node].load(self.now_ms);
                    return self.settle(node);
                }
            }
            Event::Snapshot { node, life } => {
                if self.is_up(node, life, event) {
                    self.nodes[node].step_snapshot(self.now_ms);
                    return self.settle(node);
                }
            }
            Event::Thaw { node } => return self.settle(node),
            Event::Restart { node } => return self.restart(node),
            Event::Hear { from, to } => {
                self.deaf.remove(&(from, to));
            }
            Event::Fault => {
                if !self.is_healed {
                    let delay_ms = 1 + self.random.below(2 * self.options.fault_period_ms);
                    self.schedule(delay_ms, Event::Fault);
                    return self.fault();
                }
            }
            Event::Client => {
                let delay_ms = 1 + self.random.below(2 * self.options.write_period_ms);
                self.schedule(delay_ms, Event::Client);
                let count = 1 + self.random.below(3);
                return self.write_somewhere(count);
            }
        }
        Ok(())
    }

    /// Whether an event still finds its node. A frozen one gets it when it thaws.
    fn is_up(&mut self, node: usize, life: u64, event: Event) -> bool {
        let Node {
            is_alive,
            frozen_until_ms,
            ..
        } = self.nodes[node];
        if !is_alive || self.nodes[node].life != life {
            return false;
        }
        if frozen_until_ms > self.now_ms {
            self.schedule_at(frozen_until_ms, event);
            return false;
        }
        true
    }

    fn arrive(&mut self, id: u64, flow: usize) -> Result<(), String> {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(());
        };
        let (from, to) = (connection.ends[flow], connection.ends[1 - flow]);
        let event = Event::Arrive {
            connection: id,
            flow,
        };
        let is_there = self.nodes[to.node].is_alive && self.nodes[to.node].life == to.life;
        if self.deaf.contains(&(from.node, to.node)) {
            self.schedule(25, event);
            return Ok(());
        }
        if is_there && !self.is_up(to.node, to.life, event) {
            return Ok(());
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(());
        };
        let Some(piece) = connection.flows[flow].pieces.pop_front() else {
            return Ok(());
        };
        match piece {
            Piece::Bytes(bytes) => {
                connection.flows[flow].in_flight_bytes -= bytes.len();
                if is_there && !to.is_closed {
                    self.nodes[to.node].received(self.now_ms, id, from.node, &bytes);
                }
            }
            Piece::Fin => {
                connection.ends[1 - flow].is_closed = true;
                if is_there && !to.is_closed {
                    self.nodes[to.node].closed(self.now_ms, id);
                }
            }
        }
        if is_there {
            self.settle(to.node)?;
        }
        // There is room again.
        self.settle(from.node)
    }

    fn dial(&mut self, node: usize, attempt: Attempt, to: usize) -> Result<(), String> {
        let is_deaf = self.deaf.contains(&(node, to)) || self.deaf.contains(&(to, node));
        if is_deaf || (!self.nodes[to].is_alive && self.random.below(4) == 0) {
            return Ok(());
        }
        if !self.nodes[to].is_alive {
            self.nodes[node].dialed(self.now_ms, attempt, Err("Connection refused"));
            return self.settle(node);
        }
        self.last_connection += 1;
        let id = self.last_connection;
        let end = |node: &Node| End {
            node: node.index,
            life: node.life,
            is_closed: false,
        };
        let connection = Connection::new(end(&self.nodes[node]), end(&self.nodes[to]));
        self.connections.insert(id, connection);
        self.nodes[to].accepted(id);
        self.nodes[node].dialed(self.now_ms, attempt, Ok(id));
        self.settle(node)
    }

    // --- after something happened to a node ---

    fn settle(&mut self, index: usize) -> Result<(), String> {
        let now_ms = self.now_ms;
        let node = &mut self.nodes[index];
        if !node.is_alive || node.frozen_until_ms > now_ms {
            return Ok(());
        }
        let (connections, window) = (&self.connections, self.options.window_bytes);
        node.turn(now_ms, &|id| {
            connections.get(&id).map_or(0, |connection| {
                let side = usize::from(connection.ends[0].node != index);
                window.saturating_sub(connection.flows[side].in_flight_bytes)
            })
        });
        self.carry_out(index);
        self.check(index)?;
        let node = &mut self.nodes[index];
        if let Some(at_ms) = node.machine.poll_timeout()
            && at_ms < node.timer_at_ms
        {
            let at_ms = at_ms.max(now_ms + 1);
            node.timer_at_ms = at_ms;
            let life = node.life;
            self.schedule_at(at_ms, Event::Timer { node: index, life });
        }
        Ok(())
    }

    fn carry_out(&mut self, index: usize) {
        let life = self.nodes[index].life;
        let (now_ms, delay_max_ms) = (self.now_ms, self.options.delay_max_ms);
        for want in std::mem::take(&mut self.nodes[index].outbox) {
            match want {
                Want::Dial { attempt, host } => {
                    let to = host[1..].parse().expect("a simulated host");
                    let delay_ms = 1 + self.random.below(delay_max_ms);
                    let event = Event::Dial {
                        node: index,
                        life,
                        attempt,
                        to,
                    };
                    self.schedule(delay_ms, event);
                }
                Want::Send {
                    connection: id,
                    bytes,
                } => {
                    let Some(connection) = self.connections.get_mut(&id) else {
                        continue;
                    };
                    let flow = usize::from(connection.ends[0].node != index);
                    let random = &mut self.random;
                    let times = connection.send(flow, &bytes, now_ms, delay_max_ms, random);
                    for at_ms in times {
                        self.schedule_at(
                            at_ms,
                            Event::Arrive {
                                connection: id,
                                flow,
                            },
                        );
                    }
                }
                Want::Close { connection: id } => {
                    let Some(connection) = self.connections.get_mut(&id) else {
                        continue;
                    };
                    let flow = usize::from(connection.ends[0].node != index);
                    let random = &mut self.random;
                    if let Some(at_ms) = connection.close(flow, now_ms, delay_max_ms, random) {
                        self.schedule_at(
                            at_ms,
                            Event::Arrive {
                                connection: id,
                                flow,
                            },
                        );
                    }
                }
                Want::LoadIn { delay_ms } => {
                    self.schedule(delay_ms, Event::Load { node: index, life });
                }
                Want::SnapshotIn { delay_ms } => {
                    self.schedule(delay_ms, Event::Snapshot { node: index, life });
                }
                Want::Trace(text) => self.note(|| format!("n{index} {text}")),
            }
        }
    }

    fn check(&mut self, index: usize) -> Result<(), String> {
        let node = &mut self.nodes[index];
        if let Some(text) = node.wiped.take() {
            return Err(text);
        }
        let fail = |text: String| Err(format!("n{index}: {text}"));
        if node.machine.is_recording() {
            self.ledger
                .record(&node.machine, &node.model)
                .or_else(fail)?;
        }
        let history = node.machine.position();
        let (id, offset) = (history.id, history.offset.get());
        if !self.ledger.knows(id) {
            return Ok(());
        }
        match self.ledger.digest(id, offset) {
            Some(digest) if digest == node.model.digest() => {}
            Some(_) => {
                return fail(format!("its data is not that of {id} at {offset}"));
            }
            None => return fail(format!("nothing in {id} ends at {offset}")),
        }
        if let Some((old_id, old)) = self.last_seen.insert((node.life, node.loads), (id, offset))
            && old_id == id
            && old > offset
        {
            return fail(format!("went back from {old} to {offset} in {id}"));
        }
        let reached = self.reached.entry((node.life, id)).or_default();
        *reached = offset.max(*reached);
        self.check_waiters(index)
    }

    fn check_waiters(&mut self, index: usize) -> Result<(), String> {
        let now_ms = self.now_ms;
        let node = &mut self.nodes[index];
        let waiters = std::mem::take(&mut node.waiters);
        // An id that is forgotten takes its offsets along; who has the new one has everything.
        let id = node.machine.id();
        for waiter in waiters.into_iter().filter(|waiter| waiter.id == id) {
            let count = node.machine.count_acked(waiter.offset);
            if count < waiter.replicas {
                if waiter.until_ms > now_ms {
                    node.waiters.push(waiter);
                }
                continue;
            }
            self.report.waits_answered += 1;
            let life = node.life;
            let has = |&(other, id): &(u64, ReplicationId)| other != life && id == waiter.id;
            let holders = self
                .reached
                .iter()
                .filter(|(key, reached)| has(key) && **reached >= waiter.offset.get())
                .count();
            if holders < count {
                return Err(format!(
                    "n{index}: WAIT says {count} replicas have {} of {}, only {holders} ever had",
                    waiter.offset, waiter.id
                ));
            }
        }
        Ok(())
    }

    // --- clients ---

    fn write_somewhere(&mut self, count: u64) -> Result<(), String> {
        let is_open =
            |node: &&Node| node.is_alive && node.frozen_until_ms <= self.now_ms && node.may_write();
        let mut open: Vec<usize> = self.nodes.iter().filter(is_open).map(|n| n.index).collect();
        if self.is_healed {
            open.retain(|&index| Some(index) == self.writer);
        }
        if open.is_empty() {
            return Ok(());
        }
        let index = open[self.random.below(open.len() as u64) as usize];
        for _ in 0..count {
            if self.nodes[index].may_write() {
                self.write(index);
                self.settle(index)?;
            }
        }
        if self.random.below(4) == 0 && self.nodes[index].machine.is_recording() {
            let replicas = 1 + self.random.below(3) as usize;
            let until_ms = self.now_ms + 5_000;
            let node = &mut self.nodes[index];
            node.waiters.push(Waiter {
                id: node.machine.id(),
                offset: node.machine.offset(),
                replicas,
                until_ms,
            });
            node.machine.request_acks();
            self.settle(index)?;
        }
        Ok(())
    }

    fn write(&mut self, index: usize) {
        let db = self.random.below(3) as u32;
        let count = if self.random.below(5) == 0 { 3 } else { 1 };
        let mut commands = Vec::new();
        for _ in 0..count {
            let key = format!("k{}", self.random.below(12)).into_bytes();
            if self.random.below(2) == 0 {
                commands.push(vec![b"INCR".to_vec(), key]);
            } else {
                let value = self.random.below(1000).to_string().into_bytes();
                let padding = vec![b'x'; self.random.below(self.options.padding_max + 1) as usize];
                commands.push(vec![b"SET".to_vec(), key, value, padding]);
            }
        }
        self.report.writes += count;
        self.nodes[index].write(db, &commands);
    }

    // --- the operator ---

    fn fault(&mut self) -> Result<(), String> {
        let Some(fault) = self.options.draw_fault(&mut self.random) else {
            return Ok(());
        };
        self.report.faults += 1;
        let count = self.nodes.len() as u64;
        let a = self.random.below(count) as usize;
        let b = (a + 1 + self.random.below(count - 1) as usize) % count as usize;
        let long_ms = 1 + self.random.below(12_000);
        self.note(|| format!("-- {fault:?} n{a} n{b} {long_ms} ms"));
        if !self.nodes[a].is_alive {
            return Ok(());
        }
        match fault {
            Fault::Reset => self.reset_one(),
            Fault::OneWay => self.deafen(a, b, long_ms),
            Fault::Partition => {
                self.deafen(a, b, long_ms);
                self.deafen(b, a, long_ms);
            }
            Fault::Crash => self.crash(a, long_ms),
            Fault::Rebirth => {
                let has_followers = |node: &&Node| node.machine.connected_replicas() > 0;
                let primaries = self.nodes.iter().filter(|node| node.machine.is_primary());
                if let Some(node) = primaries.filter(has_followers).find(|node| node.is_alive) {
                    let index = node.index;
                    self.nodes[index].disk = None;
                    self.stop(index, 5);
                }
            }
            Fault::Freeze => {
                let until_ms = self.now_ms + long_ms;
                self.nodes[a].frozen_until_ms = until_ms;
                self.schedule_at(until_ms, Event::Thaw { node: a });
            }
            Fault::Repoint => {
                let causes = [Cause::Command, Cause::Automatic];
                let cause = causes[self.random.below(2) as usize];
                return self.repoint(a, b, cause);
            }
            Fault::Promote => return self.promote(a),
            Fault::Handover => return self.hand_over(a, b),
            Fault::Save => self.nodes[a].save(),
            Fault::Burst => {
                let writes = 20 + self.random.below(100);
                return self.write_somewhere(writes);
            }
            Fault::Configure => {
                let node = &mut self.nodes[a];
                let config = replication::Config {
                    announced_port: node.machine.config().announced_port,
                    run_id: node.machine.config().run_id.clone(),
                    ..draw_config(&mut self.random)
                };
                node.machine.set_config(self.now_ms, config);
                return self.settle(a);
            }
            Fault::Flush => {
                if self.nodes[a].may_write() && self.nodes[a].frozen_until_ms <= self.now_ms {
                    self.nodes[a].write(0, &[vec![b"FLUSHALL".to_vec()]]);
                    return self.settle(a);
                }
            }
        }
        Ok(())
    }

    /// Both ends lose the connection, each at its time; what was under way is lost.
    fn reset(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        for end in connection.ends {
            let delay_ms = self.random.below(self.options.delay_max_ms + 1);
            let (node, life) = (end.node, end.life);
            self.schedule(
                delay_ms,
                Event::Lost {
                    connection: id,
                    node,
                    life,
                },
            );
        }
    }

    fn reset_one(&mut self) {
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        if !ids.is_empty() {
            let at = self.random.below(ids.len() as u64) as usize;
            self.reset(ids[at]);
        }
    }

    fn deafen(&mut self, from: usize, to: usize, long_ms: u64) {
        self.deaf.insert((from, to));
        self.schedule(long_ms, Event::Hear { from, to });
    }

    fn crash(&mut self, index: usize, long_ms: u64) {
        match self.random.below(3) {
            // A shutdown that saves.
            0 if self.nodes[index].frozen_until_ms <= self.now_ms => self.nodes[index].save(),
            // No persistence at all.
            1 => self.nodes[index].disk = None,
            // Whatever was saved before.
            _ => {}
        }
        // Sometimes it is back before anybody noticed.
        let delay_ms = if self.random.below(2) == 0 {
            5
        } else {
            long_ms
        };
        self.stop(index, delay_ms);
    }

    fn stop(&mut self, index: usize, delay_ms: u64) {
        self.nodes[index].is_alive = false;
        let is_loud = self.random.below(2) == 0;
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        for id in ids {
            let is_its = |end: &End| end.node == index;
            if is_loud && self.connections[&id].ends.iter().any(is_its) {
                self.reset(id);
            }
        }
        self.schedule(delay_ms, Event::Restart { node: index });
    }

    fn restart(&mut self, index: usize) -> Result<(), String> {
        if self.nodes[index].is_alive {
            return Ok(());
        }
        self.tally(index);
        let mut node = self.make_node(index);
        let old = &mut self.nodes[index];
        node.disk = old.disk.take();
        node.follows = old.follows;
        if node.disk.is_none() && !self.is_healed && self.random.below(2) == 0 {
            node.quiet_until_ms = self.now_ms + 8_000;
        }
        node.boot(self.now_ms);
        self.nodes[index] = node;
        self.note(|| format!("-- n{index} starts"));
        self.settle(index)
    }

    fn repoint(&mut self, index: usize, primary: usize, cause: Cause) -> Result<(), String> {
        let node = &mut self.nodes[index];
        let is_same = node.follows == Some(primary);
        let is_frozen = node.frozen_until_ms > self.now_ms;
        if is_same || is_frozen || node.machine.is_failing_over() {
            return Ok(());
        }
        node.follow(self.now_ms, primary, cause);
        self.settle(index)
    }

    fn promote(&mut self, index: usize) -> Result<(), String> {
        let node = &mut self.nodes[index];
        if node.frozen_until_ms <= self.now_ms && !node.machine.is_failing_over() {
            node.machine.promote(self.now_ms);
        }
        self.settle(index)
    }

    fn hand_over(&mut self, from: usize, to: usize) -> Result<(), String> {
        if self.nodes[from].frozen_until_ms > self.now_ms {
            return Ok(());
        }
        let timeout_ms = (self.random.below(3) > 0).then(|| 1 + self.random.below(5_000));
        let target = (self.random.below(2) == 0).then(|| Target {
            host: Node::host(to),
            port: Node::port(to),
        });
        let is_forced = timeout_ms.is_some() && target.is_some() && self.random.below(2) == 0;
        let start = FailoverCommand::Start {
            target,
            timeout_ms,
            is_forced,
        };
        let machine = &mut self.nodes[from].machine;
        if machine.failover(self.now_ms, start).is_err() && self.random.below(2) == 0 {
            let _ = machine.failover(self.now_ms, FailoverCommand::Abort);
        }
        self.settle(from)
    }

    // --- liveness ---

    /// Everything works again, and the operator builds one tree of all nodes.
    fn heal(&mut self) -> Result<(), String> {
        self.note(|| "-- healed".to_owned());
        self.is_healed = true;
        self.deaf.clear();
        for index in 0..self.nodes.len() {
            self.nodes[index].frozen_until_ms = 0;
            self.nodes[index].trouble_percent = 0;
            self.restart(index)?;
            self.nodes[index].trouble_percent = 0;
            let _ = self.nodes[index]
                .machine
                .failover(self.now_ms, FailoverCommand::Abort);
            self.settle(index)?;
        }
        // A handover that was on its way may still arrive.
        self.run_until(self.now_ms + 1_000)?;
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, self.random.below(at as u64 + 1) as usize);
        }
        self.writer = Some(order[0]);
        self.promote(order[0])?;
        for at in 1..order.len() {
            let primary = order[self.random.below(at as u64) as usize];
            let is_same = self.nodes[order[at]].follows == Some(primary);
            // Only a repeated command says that the primary's data is wanted even if it is empty.
            if is_same {
                self.promote(order[at])?;
            }
            self.repoint(order[at], primary, Cause::Command)?;
        }
        Ok(())
    }

    fn converge(&mut self) -> Result<(), String> {
        let start_ms = self.now_ms;
        self.run_until(start_ms + WRITES_END_MS)?;
        let writer = self.writer.take();
        while self.now_ms < start_ms + LIVENESS_MS {
            self.run_until(self.now_ms + 500)?;
            if self.disagreement(writer).is_none() {
                self.report.converged_after_ms = self.now_ms - start_ms;
                (0..self.nodes.len()).for_each(|index| self.tally(index));
                return Ok(());
            }
        }
        Err(self.disagreement(writer).unwrap_or_default())
    }

    fn tally(&mut self, index: usize) {
        let stats = self.nodes[index].machine.stats();
        self.report.full_syncs += stats.sync_full;
        self.report.partial_syncs += stats.sync_partial_ok;
        self.report.refused_syncs += stats.sync_refused;
    }

    fn disagreement(&self, writer: Option<usize>) -> Option<String> {
        let root = &self.nodes[writer?];
        for node in &self.nodes {
            if node.index == root.index {
                continue;
            }
            let state = match node.machine.role() {
                RoleReply::Replica { state, .. } => state,
                RoleReply::Primary { .. } => "primary",
            };
            let is_same = node.machine.id() == root.machine.id()
                && node.model.digest() == root.model.digest();
            if state != "connected" || !is_same {
                return Some(format!(
                    "n{} is {state} at {} of {} while n{} is at {} of {}",
                    node.index,
                    node.machine.offset(),
                    node.machine.id(),
                    root.index,
                    root.machine.offset(),
                    root.machine.id(),
                ));
            }
        }
        None
    }
}
