//! Some nodes in one process, and connections between them as TCP has them: bytes arrive late, in
//! pieces of any size, in order, or not at all.
//!
//! ```text
//!   node ─wants─► wire ─pieces─► session of the other node ─output─► wire ─pieces─► node
//! ```
//! Between its input and its output a node has a turn in the order in which `server` has it. One
//! clock for all; everything that is left to chance comes from one seed.

use std::collections::BTreeMap;

use ::replication::{Attempt, LinkId};
use config::Config;
use engine::{ConnInfo, SessionId};
use node::NodeHost;
use node::replication::{self, Position, Want};

use super::contents::Contents;
use super::disk::{ModelDisk, Random};
use super::{Client, Refused, START_MS, TestNode};

const FIRST_PORT: u16 = 7000;
/// What a node takes from one wire in one turn at most.
const READ_BYTES: u64 = 64 << 10;
/// Numbers of wires begin here, those of clients are smaller.
const FIRST_WIRE: u64 = 1 << 32;

pub fn port_of(index: usize) -> u16 {
    FIRST_PORT + index as u16
}

pub fn ip_of(index: usize) -> String {
    format!("10.0.0.{}", index + 1)
}

/// What goes wrong on the network, and how often.
#[derive(Clone, Debug)]
pub struct Weather {
    /// One in so many turns of a wire cuts it; 0: none.
    pub cut_one_in: u64,
    /// One in so many connections is refused; 0: none.
    pub refuse_one_in: u64,
    /// One in so many turns of a wire makes it stand still for a while; 0: none.
    pub stall_one_in: u64,
    pub stall_max_ms: u64,
    /// Bytes that may be on their way in one direction.
    pub capacity_bytes: usize,
    /// Pieces are no larger.
    pub piece_max_bytes: u64,
}

impl Weather {
    pub fn fair() -> Weather {
        Weather {
            cut_one_in: 0,
            refuse_one_in: 0,
            stall_one_in: 0,
            stall_max_ms: 0,
            capacity_bytes: 1 << 20,
            piece_max_bytes: READ_BYTES,
        }
    }
}

/// One direction of a wire.
#[derive(Default)]
struct Flow {
    bytes: Vec<u8>,
    /// Whoever sends has closed, or the wire is cut.
    is_over: bool,
    /// The sender was told that it takes no more.
    is_full: bool,
}

struct Wire {
    opener: usize,
    acceptor: usize,
    attempt: Attempt,
    is_connected: bool,
    /// The acceptor's, once it has noticed.
    session: Option<SessionId>,
    /// From the opener to the acceptor, and back.
    flows: [Flow; 2],
    stalled_until_ns: u64,
    /// Which ends are closed.
    is_closed: [bool; 2],
    /// Bytes that went from the acceptor to the opener.
    sent_bytes: u64,
}

/// The way to a node's primary.
struct Upstream {
    attempt: Attempt,
    wire: u64,
    input: Vec<u8>,
}

type Configure = Box<dyn Fn(&mut Config)>;

pub struct Member {
    pub node: Option<TestNode>,
    /// What a node that is dead has left.
    pub disk: ModelDisk,
    pub life: u64,
    upstream: Option<Upstream>,
    configure: Configure,
}

pub struct Network {
    pub members: Vec<Member>,
    pub random: Random,
    pub weather: Weather,
    pub now_ns: u64,
    wires: BTreeMap<u64, Wire>,
    next_wire: u64,
    lives: u64,
    seed: u64,
    /// Cuts the next wire from that node after so many bytes to its opener.
    pub cut_after: Option<(usize, u64)>,
    /// Nobody may connect to these.
    pub deaf: Vec<usize>,
}

impl Member {
    /// From the next life on its configuration has this on top.
    pub fn change(&mut self, change: impl Fn(&mut Config) + 'static) {
        let before = std::mem::replace(&mut self.configure, Box::new(|_| {}));
        self.configure = Box::new(move |config| {
            before(config);
            change(config);
        });
    }
}

impl Network {
    pub fn new(seed: u64) -> Network {
        Network {
            members: Vec::new(),
            random: Random::new(seed ^ 0x5eed),
            weather: Weather::fair(),
            now_ns: 1_000_000_000,
            wires: BTreeMap::new(),
            next_wire: FIRST_WIRE,
            lives: 0,
            seed,
            cut_after: None,
            deaf: Vec::new(),
        }
    }

    /// Adds a node, which is alive, with an empty disk.
    pub fn add(&mut self, configure: impl Fn(&mut Config) + 'static) -> usize {
        self.add_on(ModelDisk::default(), configure)
    }

    pub fn add_on(&mut self, disk: ModelDisk, configure: impl Fn(&mut Config) + 'static) -> usize {
        let index = self.members.len();
        self.members.push(Member {
            node: None,
            disk,
            life: 0,
            upstream: None,
            configure: Box::new(configure),
        });
        if let Err(refused) = self.revive(index, |_| {}) {
            panic!("{}", refused.log());
        }
        index
    }

    /// Starts a dead node on what it has left; `change` comes on top of its first configuration.
    pub fn revive(
        &mut self,
        index: usize,
        change: impl FnOnce(&mut Config),
    ) -> Result<(), Box<Refused>> {
        self.lives += 1;
        let seed = self.seed.wrapping_mul(1_000_003) + self.lives;
        let member = &mut self.members[index];
        member.life += 1;
        let disk = std::mem::take(&mut member.disk);
        let configure = &member.configure;
        let started = TestNode::start_as(seed, disk, self.now_ns / 1_000_000, |config| {
            config.port = port_of(index);
            config.repl_diskless_sync_delay = 0;
            configure(config);
            change(config);
        });
        match started {
            Ok(node) => {
                member.node = Some(node);
                self.turn(index);
                Ok(())
            }
            Err(mut refused) => {
                member.disk = std::mem::take(&mut refused.disk);
                Err(refused)
            }
        }
    }

    /// The process dies. What was on its way from it may still arrive in part.
    pub fn kill(&mut self, index: usize) {
        let member = &mut self.members[index];
        let Some(node) = member.node.take() else {
            return;
        };
        member.disk = node.die();
        member.upstream = None;
        let its = |wire: &Wire| wire.opener == index || wire.acceptor == index;
        let ids: Vec<u64> = self.ids(its);
        for id in ids {
            self.cut(id);
            let wire = self.wires.get_mut(&id).expect("was just there");
            wire.is_closed[0] |= wire.opener == index;
            wire.is_closed[1] |= wire.acceptor == index;
        }
        self.sweep();
    }

    fn ids(&self, which: impl Fn(&Wire) -> bool) -> Vec<u64> {
        let its = self.wires.iter().filter(|(_, wire)| which(wire));
        its.map(|(id, _)| *id).collect()
    }

    /// Cuts a wire; only a part of what is under way arrives.
    fn cut(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        for flow in &mut wire.flows {
            let kept = self.random.below(flow.bytes.len() as u64 + 1) as usize;
            flow.bytes.truncate(kept);
            flow.is_over = true;
        }
    }

    /// Cuts everything between these two.
    pub fn cut_between(&mut self, one: usize, other: usize) {
        let ids = self.ids(|wire| {
            (wire.opener, wire.acceptor) == (one, other)
                || (wire.acceptor, wire.opener) == (one, other)
        });
        ids.into_iter().for_each(|id| self.cut(id));
    }

    /// Lets everything from or to that node stand still.
    pub fn stall(&mut self, index: usize, duration_ms: u64) {
        let until_ns = self.now_ns + duration_ms * 1_000_000;
        for wire in self.wires.values_mut() {
            if wire.opener == index || wire.acceptor == index {
                wire.stalled_until_ns = until_ns;
            }
        }
    }

    pub fn calm(&mut self) {
        self.weather = Weather::fair();
        for wire in self.wires.values_mut() {
            wire.stalled_until_ns = 0;
        }
    }

    fn sweep(&mut self) {
        self.wires.retain(|_, wire| wire.is_closed != [true, true]);
    }

    // --- what a test sees of a node ---

    pub fn node(&mut self, index: usize) -> &mut TestNode {
        self.members[index].node.as_mut().expect("it is alive")
    }

    pub fn is_alive(&self, index: usize) -> bool {
        self.members[index].node.is_some()
    }

    pub fn alive(&self) -> Vec<usize> {
        (0..self.members.len())
            .filter(|&index| self.is_alive(index))
            .collect()
    }

    /// Where in the history the node's data stands.
    pub fn position(&mut self, index: usize) -> Option<Position> {
        let node = self.node(index);
        node.host
            .links
            .position(&node.engine, &node.host.persistence)
    }

    /// The fingerprint of a node's data, as it is between two turns.
    pub fn digest(&mut self, index: usize) -> String {
        let node = self.node(index);
        let client = node.client();
        node.send(client, &["DEBUG", "DIGEST"]);
        let digest = node.received(client);
        node.engine.disconnect(client.0);
        digest
    }

    pub fn contents(&mut self, index: usize) -> Contents {
        Contents::of(&self.node(index).engine.keyspace)
    }

    /// Milliseconds of the data's clock.
    pub fn unix_ms(&self) -> i64 {
        START_MS + (self.now_ns / 1_000_000) as i64
    }

    /// As [`TestNode::call`].
    pub fn call(&mut self, index: usize, client: Client, request: &str) -> String {
        let words: Vec<&str> = request.split(' ').collect();
        self.node(index).send(client, &words);
        self.turn(index);
        self.node(index).received(client)
    }

    /// A request of a client that comes and goes.
    pub fn ask(&mut self, index: usize, request: &str) -> String {
        let client = self.node(index).client();
        let reply = self.call(index, client, request);
        self.node(index).engine.disconnect(client.0);
        reply
    }

    pub fn ok(&mut self, index: usize, request: &str) {
        let client = self.node(index).client();
        let mut reply = self.call(index, client, request);
        // It may wait for the disk.
        for _ in 0..5 {
            if reply.is_empty() {
                self.step(1);
                reply = self.node(index).received(client);
            }
        }
        self.node(index).engine.disconnect(client.0);
        assert!(
            reply == "+OK" || reply.starts_with("+Background"),
            "{request}: {reply}; {}",
            self.node(index).log()
        );
    }

    /// A field of INFO.
    pub fn field(&mut self, index: usize, name: &str) -> Option<String> {
        let text = self.ask(index, "INFO everything");
        let prefix = format!(" {name}:");
        let at = text.find(&prefix)? + prefix.len();
        text[at..].split(' ').next().map(str::to_owned)
    }

    pub fn follow(&mut self, index: usize, primary: usize) {
        let request = format!("REPLICAOF {} {}", ip_of(primary), port_of(primary));
        let reply = self.ask(index, &request);
        assert!(reply.starts_with("+OK"), "{reply}");
    }

    pub fn log(&mut self, index: usize) -> String {
        self.node(index).log()
    }

    // --- time ---

    /// All nodes have a turn, so many milliseconds later.
    pub fn step(&mut self, ms: u64) {
        self.now_ns += ms * 1_000_000;
        for id in self.ids(|_| true) {
            self.play_weather(id);
        }
        for index in 0..self.members.len() {
            self.turn(index);
        }
    }

    /// Turns pass until it is so.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Network) -> bool) {
        for _ in 0..20_000 {
            if is_so(self) {
                return;
            }
            self.step(10);
        }
        let logs: Vec<String> = self.alive().into_iter().map(|i| self.log(i)).collect();
        panic!("never {what}; {}", logs.join("\n---\n"));
    }

    pub fn run_ms(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(10) {
            self.step(10);
        }
    }

    /// A replica has all that its primary has.
    pub fn is_in_sync(&mut self, replica: usize, primary: usize) -> bool {
        let has_link = self.node(replica).engine.role().is_link_up;
        let (one, other) = (self.position(replica), self.position(primary));
        let point = |position: Option<Position>| position.map(|p| (p.id, p.offset));
        has_link && one.is_some() && point(one) == point(other)
    }

    pub fn until_in_sync(&mut self, replica: usize, primary: usize) {
        self.until("in sync", |network| network.is_in_sync(replica, primary));
        assert_eq!(
            self.digest(replica),
            self.digest(primary),
            "{}",
            self.log(replica)
        );
    }

    fn play_weather(&mut self, id: u64) {
        let weather = self.weather.clone();
        let mut comes = |one_in| one_in > 0 && self.random.one_in(one_in);
        if comes(weather.cut_one_in) {
            self.cut(id);
        } else if comes(weather.stall_one_in) {
            let stall_ms = self.random.below(weather.stall_max_ms + 1);
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.stalled_until_ns = self.now_ns + stall_ms * 1_000_000;
            }
        }
    }

    /// One turn of one node, in the order in which a server has it.
    pub fn turn(&mut self, index: usize) {
        let Some(mut node) = self.members[index].node.take() else {
            return;
        };
        let outside = &mut node.host.outside;
        outside.ticks_ns = outside.ticks_ns.max(self.now_ns);
        self.now_ns = outside.ticks_ns;
        node.engine.begin_turn(&mut node.host);
        self.deliver(index, &mut node);
        node::turn::end_of_turn(&mut node.engine, &mut node.host);
        self.carry_out_wants(index, &mut node);
        self.write_links(&mut node);
        self.write_replies(index, &mut node);
        self.close_sessions(index, &mut node);
        node.engine.turn_done(&mut node.host);
        node::turn::after_replies(&mut node.engine, &mut node.host, 0, true);
        self.sweep();
        self.members[index].node = Some(node);
    }

    // --- input ---

    fn deliver(&mut self, index: usize, node: &mut TestNode) {
        for id in self.ids(|wire| wire.acceptor == index && !wire.is_closed[1]) {
            self.deliver_to_acceptor(id, index, node);
        }
        if let Some(id) = self.members[index].upstream.as_ref().map(|up| up.wire) {
            self.deliver_to_opener(id, index, node);
        }
    }

    /// The next piece of a flow, and whether nothing comes behind it.
    fn take_piece(&mut self, id: u64, direction: usize) -> (Vec<u8>, bool) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return (Vec::new(), true);
        };
        if wire.stalled_until_ns > self.now_ns {
            return (Vec::new(), false);
        }
        let flow = &mut wire.flows[direction];
        let max = match self.random.below(4) {
            0 => 1 + self.random.below(12),
            _ => 1 + self.random.below(self.weather.piece_max_bytes),
        };
        let len = flow.bytes.len().min(max as usize);
        let piece: Vec<u8> = flow.bytes.drain(..len).collect();
        (piece, flow.is_over && flow.bytes.is_empty())
    }

    fn deliver_to_acceptor(&mut self, id: u64, index: usize, node: &mut TestNode) {
        let wire = self.wires.get_mut(&id).expect("was listed");
        let opener = wire.opener;
        let session = *wire.session.get_or_insert_with(|| {
            node.engine.connect(ConnInfo {
                conn: id,
                addr: format!("{}:{}", ip_of(opener), 40_000 + (id - FIRST_WIRE) % 20_000),
                is_local: true,
                ..ConnInfo::default()
            })
        });
        let (piece, is_over) = self.take_piece(id, 0);
        if !piece.is_empty() {
            node.engine.feed(session, &piece, &mut node.host);
        }
        if is_over {
            return self.close(index, node, session);
        }
        let is_free = self.wires.get(&id).is_some_and(|wire| {
            wire.flows[1].is_full && wire.flows[1].bytes.len() < self.weather.capacity_bytes
        });
        if is_free && let Some(link) = link_of(node, session) {
            self.wires.get_mut(&id).expect("was asked").flows[1].is_full = false;
            node.host.links.has_room(link);
            self.write_link(node, link, session);
        }
    }

    fn deliver_to_opener(&mut self, id: u64, index: usize, node: &mut TestNode) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        let (attempt, acceptor) = (wire.attempt, wire.acceptor);
        if !wire.is_connected {
            if wire.stalled_until_ns > self.now_ns {
                return;
            }
            wire.is_connected = true;
            let info = ConnInfo {
                conn: id,
                addr: format!("{}:{}", ip_of(acceptor), port_of(acceptor)),
                ..ConnInfo::default()
            };
            replication::connected(&mut node.engine, &mut node.host, attempt, info);
        }
        let (piece, is_over) = self.take_piece(id, 1);
        if !piece.is_empty() {
            let up = self.members[index]
                .upstream
                .as_mut()
                .expect("it is its wire");
            up.input.extend_from_slice(&piece);
            let mut input = std::mem::take(&mut up.input);
            replication::read(&mut node.engine, &mut node.host, attempt, &mut input);
            up.input = input;
        }
        if is_over {
            self.members[index].upstream = None;
            self.close_end(id, 0);
            let reason = "Connection lost";
            replication::connection_lost(&mut node.engine, &mut node.host, attempt, reason);
        }
    }

    // --- output ---

    fn carry_out_wants(&mut self, index: usize, node: &mut TestNode) {
        while let Some(want) = node.host.links.poll_want() {
            match want {
                Want::Connect { attempt, port, .. } => self.connect(index, node, attempt, port),
                Want::Send { attempt, bytes } => {
                    if let Some(id) = self.wire_of(index, attempt)
                        && let Some(wire) = self.wires.get_mut(&id)
                        && !wire.flows[0].is_over
                    {
                        wire.flows[0].bytes.extend_from_slice(&bytes);
                    }
                }
                Want::Close { attempt } => {
                    if let Some(id) = self.wire_of(index, attempt) {
                        self.members[index].upstream = None;
                        self.close_end(id, 0);
                    }
                }
            }
        }
    }

    fn wire_of(&self, index: usize, attempt: Attempt) -> Option<u64> {
        let up = self.members[index].upstream.as_ref()?;
        (up.attempt == attempt).then_some(up.wire)
    }

    fn connect(&mut self, index: usize, node: &mut TestNode, attempt: Attempt, port: u16) {
        if let Some(old) = self.members[index].upstream.take() {
            self.close_end(old.wire, 0);
        }
        let acceptor = usize::from(port.wrapping_sub(FIRST_PORT));
        // A node may follow itself; it is not in its place at this moment.
        let is_there = acceptor == index
            || (self.members.get(acceptor)).is_some_and(|member| member.node.is_some());
        let one_in = self.weather.refuse_one_in;
        let is_refused = one_in > 0 && self.random.one_in(one_in);
        if !is_there || is_refused || self.deaf.contains(&acceptor) {
            let reason = "Connection refused";
            return replication::connection_lost(&mut node.engine, &mut node.host, attempt, reason);
        }
        let wire = self.next_wire;
        self.next_wire += 1;
        self.wires.insert(
            wire,
            Wire {
                opener: index,
                acceptor,
                attempt,
                is_connected: false,
                session: None,
                flows: Default::default(),
                stalled_until_ns: 0,
                is_closed: [false, false],
                sent_bytes: 0,
            },
        );
        self.members[index].upstream = Some(Upstream {
            attempt,
            wire,
            input: Vec::new(),
        });
    }

    /// Puts bytes on their way to the opener; returns how many, and whether that was all it takes.
    fn send_back(&mut self, id: u64, bytes: &[u8]) -> Option<(usize, bool)> {
        let capacity_bytes = self.weather.capacity_bytes;
        let wire = self.wires.get_mut(&id)?;
        let flow = &mut wire.flows[1];
        if flow.is_over {
            // It goes nowhere; that it is over is noticed when it is read.
            return Some((bytes.len(), false));
        }
        let room = capacity_bytes.saturating_sub(flow.bytes.len());
        let count = bytes.len().min(room);
        flow.bytes.extend_from_slice(&bytes[..count]);
        let is_full = count < bytes.len();
        wire.sent_bytes += count as u64;
        if let Some((acceptor, after)) = self.cut_after
            && wire.acceptor == acceptor
            && wire.sent_bytes >= after
        {
            let surplus = (wire.sent_bytes - after) as usize;
            let kept = flow.bytes.len().saturating_sub(surplus);
            flow.bytes.truncate(kept);
            wire.flows.iter_mut().for_each(|flow| flow.is_over = true);
            self.cut_after = None;
        }
        Some((count, is_full))
    }

    fn write_links(&mut self, node: &mut TestNode) {
        let mut ready = Vec::new();
        node.host.links.ready_links(&mut ready);
        let any = !ready.is_empty();
        for (link, session) in ready {
            self.write_link(node, link, session);
        }
        if any {
            replication::close_flushed(&mut node.engine, &mut node.host);
        }
    }

    fn write_link(&mut self, node: &mut TestNode, link: LinkId, session: SessionId) {
        let Some(id) = node.engine.conn_of(session) else {
            return;
        };
        loop {
            let bytes = node.host.links.output(link);
            if bytes.is_empty() {
                return;
            }
            let Some((count, is_full)) = self.send_back(id, bytes) else {
                return;
            };
            node.engine.count_sent_to_replica(session, count);
            let (links, outside) = (&mut node.host.links, &mut node.host.outside);
            links.written(link, count, is_full, outside);
            if is_full {
                if let Some(wire) = self.wires.get_mut(&id) {
                    wire.flows[1].is_full = true;
                }
                return;
            }
        }
    }

    fn write_replies(&mut self, index: usize, node: &mut TestNode) {
        let mut dirty = Vec::new();
        node.engine.take_dirty(&mut dirty);
        for session in dirty {
            let Some(id) = node.engine.conn_of(session).filter(|id| *id >= FIRST_WIRE) else {
                continue;
            };
            loop {
                let bytes = node.engine.output(session).to_vec();
                if !bytes.is_empty()
                    && let Some(wire) = self.wires.get_mut(&id)
                {
                    wire.sent_bytes += bytes.len() as u64;
                    if !wire.flows[1].is_over {
                        wire.flows[1].bytes.extend_from_slice(&bytes);
                    }
                }
                if node.engine.sent(session, bytes.len()) {
                    self.close(index, node, session);
                    break;
                }
                if bytes.is_empty() {
                    break;
                }
            }
        }
    }

    // --- ends ---

    fn close_sessions(&mut self, index: usize, node: &mut TestNode) {
        let mut closing = Vec::new();
        node.engine.take_closing(&mut closing);
        for session in closing {
            self.close(index, node, session);
        }
    }

    fn close(&mut self, index: usize, node: &mut TestNode, session: SessionId) {
        let Some(id) = node.engine.conn_of(session) else {
            return;
        };
        let up = self.members[index].upstream.take_if(|up| up.wire == id);
        // A node that follows itself has both ends.
        if let Some(up) = up {
            if node.host.links.is_primary_session(session) {
                self.close_end(id, 0);
                let (engine, host) = (&mut node.engine, &mut node.host);
                let reason = "Connection closed by us";
                replication::connection_lost(engine, host, up.attempt, reason);
                return node.engine.disconnect(session);
            }
            self.members[index].upstream = Some(up);
        }
        if let Some(found) = node.engine.sessions.get(session) {
            let number = found.id;
            let parts = node.host.node();
            parts.links.session_closed(number, parts.outside);
        }
        node.engine.disconnect(session);
        self.close_end(id, 1);
    }

    /// One end is closed: the other one reads what is under way, and then the end.
    fn close_end(&mut self, id: u64, end: usize) {
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.is_closed[end] = true;
            wire.flows[end].is_over = true;
            wire.flows[1 - end].bytes.clear();
            wire.flows[1 - end].is_over = true;
        }
    }
}

/// The machine's name for a session that is a replica's link.
fn link_of(node: &TestNode, session: SessionId) -> Option<LinkId> {
    let session = node.engine.sessions.get(session)?;
    session.is_replica_link().then_some(LinkId(session.id))
}
