//! Whether a replica may continue where it left off, or must start over: one pure function.
//!
//! It may continue if the history it names is ours, by the first id or, up to the point where we
//! took another name, by the second; and if every byte it lacks is still in the backlog.
//!
//! Tests: `testdata/decide.txt`, a table of cases, read at the bottom.

use crate::history::History;
use crate::id::ReplicationId;
use crate::offset::ReplOffset;

/// What a replica asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// SYNC, from before there were offsets.
    Sync,
    /// PSYNC: an id (whatever was sent in its place) and the number of the first wanted byte.
    Psync { id: Vec<u8>, wanted: i64 },
}

/// What the primary side knows.
#[derive(Clone, Copy, Debug)]
pub struct State {
    pub history: History,
    /// Where the backlog starts and ends; none if there is no backlog.
    pub backlog: Option<(ReplOffset, ReplOffset)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Continue { from: ReplOffset },
    FullResync(Reason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It speaks SYNC.
    OldProtocol,
    /// It asks for everything: `PSYNC ? -1`.
    Requested,
    /// A history that is not ours.
    UnknownId,
    /// Our past, but beyond the point where it went another way.
    BeyondSecondId,
    /// There is no backlog, or it does not reach back so far.
    TooOld,
    /// An offset that we have not reached.
    Future,
}

pub fn decide(request: &Request, state: &State) -> Decision {
    let Request::Psync { id, wanted } = request else {
        return Decision::FullResync(Reason::OldProtocol);
    };
    if id.first() == Some(&b'?') {
        return Decision::FullResync(Reason::Requested);
    }
    let id = ReplicationId::parse(id);
    let is_current = id == Some(state.history.id);
    let second = state
        .history
        .second
        .filter(|second| Some(second.id) == id && !is_current);
    if !is_current && second.is_none() {
        return Decision::FullResync(Reason::UnknownId);
    }
    let from = ReplOffset::before_wanted(*wanted);
    let is_beyond = |limit: ReplOffset| from.map_or(*wanted > 0, |from| from > limit);
    if second.is_some_and(|second| is_beyond(second.up_to)) {
        return Decision::FullResync(Reason::BeyondSecondId);
    }
    if is_beyond(state.history.offset) {
        return Decision::FullResync(Reason::Future);
    }
    match (from, state.backlog) {
        (Some(from), Some((start, end))) if from >= start && from <= end => {
            Decision::Continue { from }
        }
        _ => Decision::FullResync(Reason::TooOld),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::SecondId;

    const TABLE: &str = include_str!("../testdata/decide.txt");

    fn id(letter: &str) -> ReplicationId {
        ReplicationId::parse(letter.repeat(40).as_bytes()).expect("one hexadecimal digit")
    }

    fn number<T: std::str::FromStr>(text: &str) -> T {
        text.parse().ok().unwrap_or_else(|| panic!("{text}"))
    }

    fn offset(text: &str) -> ReplOffset {
        ReplOffset::new(number(text))
    }

    /// `id=a offset=100 backlog=50..100 second=b:70`
    fn state(line: &str) -> State {
        let mut state = State {
            history: History {
                id: id("a"),
                second: None,
                offset: ReplOffset::ZERO,
            },
            backlog: None,
        };
        for word in line.split_whitespace() {
            let (name, value) = word.split_once('=').expect("name=value");
            match name {
                "id" => state.history.id = id(value),
                "offset" => state.history.offset = offset(value),
                "backlog" => {
                    let (start, end) = value.split_once("..").expect("start..end");
                    state.backlog = Some((offset(start), offset(end)));
                }
                "second" => {
                    let (letter, up_to) = value.split_once(':').expect("id:offset");
                    state.history.second = Some(SecondId {
                        id: id(letter),
                        up_to: offset(up_to),
                    });
                }
                other => panic!("{other}"),
            }
        }
        state
    }

    fn request(text: &str) -> Request {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["SYNC"] => Request::Sync,
            ["PSYNC", asked, wanted] => Request::Psync {
                id: match asked.len() {
                    1 if asked != "?" => asked.repeat(40).into_bytes(),
                    _ => asked.as_bytes().to_vec(),
                },
                wanted: number(wanted),
            },
            _ => panic!("{text}"),
        }
    }

    #[test]
    fn the_table_of_decisions_holds() {
        let mut current = None;
        let mut checked = 0;
        for line in TABLE.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some(text) = line.strip_prefix("state ") {
                current = Some(state(text));
            } else if let Some((asked, expected)) = line.split_once("=>") {
                let state = current.expect("a state before its requests");
                let found = match decide(&request(asked), &state) {
                    Decision::Continue { from } => format!("continue from {from}"),
                    Decision::FullResync(reason) => format!("full, {reason:?}"),
                };
                assert_eq!(found, expected.trim(), "{line}\n{state:?}");
                checked += 1;
            } else {
                assert!(line.is_empty(), "{line}");
            }
        }
        assert!(checked > 30, "{checked} cases");
    }
}
