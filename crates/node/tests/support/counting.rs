//! A workload whose state can be checked at any point: transactions that count a number up and push
//! it to a list. Whatever is loaded must hold both or neither, for a number in known bounds.

use super::disk::ModelDisk;
use super::{Client, TestNode};
use config::Config;

pub struct Counting {
    pub node: TestNode,
    writer: Client,
    reader: Client,
    /// The greatest number that was acknowledged.
    pub acked: u64,
    /// Replies as they came, refusals among them.
    pub replies: Vec<String>,
}

impl Counting {
    pub fn on(mut node: TestNode) -> Counting {
        let (writer, reader) = (node.client(), node.client());
        Counting {
            node,
            writer,
            reader,
            acked: 0,
            replies: Vec::new(),
        }
    }

    pub fn start(disk: ModelDisk, configure: impl FnOnce(&mut Config)) -> Counting {
        match TestNode::start(disk, configure) {
            Ok(node) => Counting::on(node),
            Err(refused) => panic!("{}", refused.log()),
        }
    }

    /// One transaction; its replies may come later, or never.
    pub fn write(&mut self) {
        let next = (self.number() + 1).to_string();
        for words in [
            &["MULTI"][..],
            &["INCR", "number"],
            &["RPUSH", "numbers", &next],
            &["EXEC"],
        ] {
            self.node.send(self.writer, words);
        }
        self.node.turn();
        self.hear();
    }

    /// As [`TestNode::rest`].
    pub fn rest(&mut self) {
        self.node.rest();
        self.hear();
    }

    /// Takes the replies that have come.
    pub fn hear(&mut self) {
        let text = self.node.received(self.writer);
        for reply in text.split("+QUEUED").filter(|text| text.contains("*2")) {
            for word in reply.split(' ').filter_map(|word| word.strip_prefix(':')) {
                let number: u64 = word.parse().expect("a number");
                self.acked = self.acked.max(number);
            }
        }
        if !text.is_empty() {
            self.replies.push(text);
        }
    }

    pub fn last_reply(&self) -> &str {
        self.replies.last().map_or("", String::as_str)
    }

    /// What the other client hears.
    pub fn ask(&mut self, request: &str) -> String {
        let reply = self.node.call(self.reader, request);
        self.hear();
        reply
    }

    /// How far the data in memory is; its two parts must agree.
    pub fn number(&mut self) -> u64 {
        let number = self.ask("GET number");
        let number = match number.rsplit_once(' ') {
            Some((_, digits)) => digits.parse().expect("a number"),
            None => 0,
        };
        assert_eq!(self.ask("LLEN numbers"), format!(":{number}"));
        if number > 0 {
            let last = self.ask("LINDEX numbers -1");
            let digits = number.to_string();
            assert_eq!(last, format!("${} {digits}", digits.len()));
        }
        number
    }
}

/// How far the data is that a restart finds.
pub fn number_after_restart(disk: ModelDisk, configure: impl FnOnce(&mut Config)) -> u64 {
    Counting::start(disk, configure).number()
}
