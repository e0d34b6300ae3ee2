//! What commands did, as commands to be replayed elsewhere: the input of AOF and replication.
//!
//! A write command goes out as received unless its handler said otherwise: random, relative-time and
//! blocking commands replace themselves by what they did. Nothing is recorded while nobody listens.

/// One command to replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub db: u32,
    pub args: Vec<Vec<u8>>,
}

#[derive(Default)]
pub struct Effects {
    /// Somebody listens.
    pub enabled: bool,
    pub queue: Vec<Effect>,
    /// The running command said how it propagates; do not add it as received.
    pub(crate) replaced: bool,
}

impl Effects {
    /// Makes everything queued since `start` one transaction, if it is more than one command.
    pub(crate) fn wrap_from(&mut self, start: usize) {
        let [first, _, ..] = &self.queue[start..] else {
            return;
        };
        let db = first.db;
        let word = |word: &[u8]| Effect {
            db,
            args: vec![word.to_vec()],
        };
        let (multi, exec) = (word(b"MULTI"), word(b"EXEC"));
        self.queue.insert(start, multi);
        self.queue.push(exec);
    }

    pub(crate) fn push(&mut self, db: u32, args: &[&[u8]]) {
        self.queue.push(Effect {
            db,
            args: args.iter().map(|a| a.to_vec()).collect(),
        });
    }
}
