//! Servers that replicate from each other, ours and Debian's in any mix, through links that can
//! break.
//!
//! Every node has a password and follows its primary through a proxy of its own. With
//! `REDAN_SUBJECT=redis` Debian's stands in for ours too: what passes then is what Redis does, and
//! a test that only ours can pass asks `Who::Ours.is_redan()`.

use super::random_keys::Random;
use super::summary::{Summary, differences, digest, summary};
use resp::Value;
use std::time::Duration;
use testkit::{Connection, Options, Proxy, Server, poll_for, poll_until, render};

pub const PASSWORD: &str = "a-secret";
/// A link that is down comes back within some seconds; data follows.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Ours,
    Theirs,
}

impl Who {
    /// None where Debian's server is missing and need not be there.
    pub fn options(self) -> Option<Options> {
        let options = match self {
            Who::Ours => Options::subject(),
            Who::Theirs => Options::reference()?,
        };
        let is_redan = options.is_redan();
        let options = options
            .option("enable-debug-command", "yes")
            .option("requirepass", PASSWORD)
            .option("masterauth", PASSWORD)
            .option("repl-diskless-sync-delay", "0");
        Some(match is_redan {
            // The last that Redis 7.0 reads.
            true => options.option("rdb-version", "10"),
            false => options,
        })
    }

    pub fn is_redan(self) -> bool {
        self == Who::Ours && Options::subject().is_redan()
    }
}

pub struct Node {
    pub who: Who,
    pub server: Server,
    client: Connection,
    /// In front of its primary, once it follows one.
    link: Option<Proxy>,
}

impl Node {
    pub fn start(who: Who, extra: &[(&str, &str)]) -> Option<Node> {
        let add = |options: Options, (name, value): &(&str, &str)| options.option(name, value);
        Some(Node::of(who, &extra.iter().fold(who.options()?, add)))
    }

    pub fn of(who: Who, options: &Options) -> Node {
        let server = Server::start(options);
        Node {
            who,
            client: authenticated(server.port()),
            server,
            link: None,
        }
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// A connection of its own.
    pub fn connect(&self) -> Connection {
        authenticated(self.port())
    }

    /// The connection that the methods below use.
    pub fn client(&mut self) -> &mut Connection {
        &mut self.client
    }

    /// To be called when the server was restarted.
    pub fn reconnect(&mut self) {
        self.client = self.connect();
    }

    /// As `say` for questions: asked again on a new connection if the server closes this one, as it
    /// does to all clients when a Sentinel changes its role.
    fn ask(&mut self, command: &[&str]) -> Value {
        poll_for(PATIENCE, "the question is answered", || {
            let answer = self.client.try_command(command);
            if answer.is_none() {
                let mut client = Connection::open(self.port());
                client.try_command(&["AUTH", PASSWORD])?;
                self.client = client;
            }
            answer
        })
    }

    pub fn say(&mut self, command: &[&str]) -> String {
        render(&self.client.command(command))
    }

    /// As `say`, from one text without quotes.
    pub fn line(&mut self, command: &str) -> String {
        self.say(&command.split(' ').collect::<Vec<&str>>())
    }

    pub fn info(&mut self, field: &str) -> String {
        let reply = self.ask(&["INFO", "everything"]);
        super::info_field(&reply, field)
    }

    pub fn info_number(&mut self, field: &str) -> u64 {
        let text = self.info(field);
        text.parse()
            .unwrap_or_else(|e| panic!("{field}:{text}: {e}"))
    }

    pub fn wait_for_info(&mut self, field: &str, value: &str) {
        let what = format!("INFO of {:?} says {field}:{value}", self.who);
        poll_until(PATIENCE, &what, || self.info(field) == value);
    }

    /// Follows `primary` through a proxy.
    pub fn follow(&mut self, primary: &Node) {
        self.follow_port(primary.port());
    }

    pub fn follow_port(&mut self, port: u16) {
        let proxy = Proxy::start(port);
        let via = proxy.port().to_string();
        assert_eq!(self.say(&["REPLICAOF", "127.0.0.1", &via]), "OK");
        self.link = Some(proxy);
    }

    pub fn link(&self) -> &Proxy {
        self.link.as_ref().expect("it follows a primary")
    }

    pub fn wait_for_link(&mut self) {
        self.wait_for_info("master_link_status", "up");
    }

    pub fn promote(&mut self) {
        assert_eq!(self.line("REPLICAOF NO ONE"), "OK");
        self.wait_for_info("role", "master");
        self.link = None;
    }

    pub fn log(&self) -> String {
        self.server.log()
    }

    pub fn wait_for_log(&self, text: &str) {
        let what = format!("the log of {:?} says: {text}", self.who);
        poll_until(PATIENCE, &what, || self.log().contains(text));
    }

    /// How many full and partial resynchronizations it has served.
    pub fn syncs_served(&mut self) -> (u64, u64) {
        (
            self.info_number("sync_full"),
            self.info_number("sync_partial_ok"),
        )
    }

    pub fn summary(&mut self) -> Summary {
        summary(&mut self.client)
    }
}

pub fn authenticated(port: u16) -> Connection {
    let mut client = Connection::open(port);
    assert_eq!(render(&client.command(&["AUTH", PASSWORD])), "OK");
    client
}

/// Waits until all hold the same data at the same offset, and returns what they agree in.
pub fn wait_until_equal(nodes: &mut [&mut Node]) -> Summary {
    let mut attempts_ms = 0;
    loop {
        let offsets: Vec<u64> = nodes
            .iter_mut()
            .map(|node| node.info_number("master_repl_offset"))
            .collect();
        let is_level = offsets.iter().all(|offset| *offset == offsets[0]);
        if is_level {
            let digests: Vec<String> = nodes.iter_mut().map(|node| digest(node.client())).collect();
            if digests.iter().all(|digest| *digest == digests[0]) {
                let summaries: Vec<Summary> = nodes.iter_mut().map(|node| node.summary()).collect();
                if summaries.iter().all(|summary| *summary == summaries[0]) {
                    return summaries[0].clone();
                }
            }
        }
        attempts_ms += 50;
        if Duration::from_millis(attempts_ms) > PATIENCE {
            panic!("no equality, offsets {offsets:?}:\n{}", explain(nodes));
        }
        let pause = std::time::Instant::now();
        poll_until(PATIENCE, "a moment has passed", || {
            pause.elapsed() >= Duration::from_millis(50)
        });
    }
}

fn explain(nodes: &mut [&mut Node]) -> String {
    let [first, rest @ ..] = nodes else {
        return String::new();
    };
    let mut text = String::new();
    for (index, node) in rest.iter_mut().enumerate() {
        let (one, other) = (first.summary(), node.summary());
        let (first_who, who) = (first.who, node.who);
        let differences = differences(first.client(), node.client());
        text += &format!(
            "{first_who:?} | node {} {who:?}\n{one:?}\n{other:?}\n{differences}\n",
            index + 1
        );
    }
    text
}

/// Breaks links at random places, all of which depend on the seed alone.
pub struct Chaos {
    random: Random,
    /// One in so many calls breaks something.
    rarity: u64,
    pub cuts: u64,
}

impl Chaos {
    pub fn new(seed: u64, rarity: u64) -> Chaos {
        Chaos {
            random: Random::new(seed),
            rarity,
            cuts: 0,
        }
    }

    /// Perhaps breaks the link of one of the nodes, or repairs what it broke before. Some cuts are
    /// waited for, so that the backlog bridges them; others are left to the writes that follow.
    pub fn turn(&mut self, replicas: &mut [&mut Node]) {
        if self.random.below(self.rarity) != 0 {
            return;
        }
        let index = self.random.below(replicas.len() as u64) as usize;
        self.cuts += 1;
        match self.random.below(8) {
            0 => replicas[index].link().cut(),
            1..4 => replicas[index].link().cut_after(self.random.below(30_000)),
            4 => replicas[index].link().refuse(),
            5 => replicas[index].link().stall(),
            kind => {
                for replica in replicas.iter() {
                    replica.link().open();
                }
                if kind == 6 {
                    replicas[index].link().cut();
                }
                replicas[index].wait_for_link();
            }
        }
    }
}
