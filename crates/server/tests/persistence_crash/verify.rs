//! Compares what a restarted server holds with what its writers know.
//!
//! A writer's keys must be as some prefix of its operations leaves them: `find` tells which. All
//! writers' prefixes together must be the data at one moment: an operation that is missing was not
//! acknowledged before an operation that is there was sent (`check_moment`).

use crate::operations::key_prefix;
use crate::state::{Cell, State};
use crate::writer::{Sent, Writer};
use std::collections::{BTreeMap, BTreeSet};

/// How many operations of the round's log are there.
#[derive(Debug)]
pub struct Found {
    /// The fewest that explain the data; more do if the next ones changed nothing.
    pub least: usize,
    pub most: usize,
    /// The data.
    pub state: State,
}

pub type Cells = BTreeMap<Cell, String>;

/// Sorts cells by writer; a key that is nobody's was never sent.
pub fn by_writer(cells: Cells, writers: &[Writer]) -> Result<Vec<Cells>, String> {
    let prefixes: Vec<String> = writers.iter().map(|writer| key_prefix(writer.id)).collect();
    let mut sorted = vec![Cells::new(); writers.len()];
    for (cell, text) in cells {
        match prefixes
            .iter()
            .position(|prefix| cell.key.starts_with(prefix))
        {
            Some(index) => {
                sorted[index].insert(cell, text);
            }
            None => return Err(format!("nobody wrote key {} in db {}", cell.key, cell.db)),
        }
    }
    Ok(sorted)
}

/// Finds the prefix of the log that the data is, of at least `must` operations.
pub fn find(writer: &Writer, log: &[Sent], must: usize, observed: &Cells) -> Result<Found, String> {
    let mut state = state_after(writer, &log[..must]);
    let mut wrong = differences(&state, observed);
    let mut found: Option<Found> = None;
    let mut nearest = (wrong.len(), must);
    for count in must..=log.len() {
        if wrong.is_empty() {
            let found = found.get_or_insert_with(|| Found {
                least: count,
                most: count,
                state: state.clone(),
            });
            found.most = count;
        }
        nearest = nearest.min((wrong.len(), count));
        let Some(sent) = log.get(count) else { break };
        apply(&mut state, writer, sent);
        for cell in state.take_touched() {
            match state.cells().get(&cell) == observed.get(&cell) {
                true => wrong.remove(&cell),
                false => wrong.insert(cell),
            };
        }
    }
    found.ok_or_else(|| explain(writer, log, must, observed, nearest.1))
}

fn apply(state: &mut State, writer: &Writer, sent: &Sent) {
    let operation = writer.operation(sent.number);
    for command in &operation.commands {
        state.apply(operation.db, command);
    }
}

fn state_after(writer: &Writer, log: &[Sent]) -> State {
    let mut state = writer.base.clone();
    for sent in log {
        apply(&mut state, writer, sent);
        state.take_touched();
    }
    state
}

/// Whether the prefixes of all writers are the data of one moment.
pub fn check_moment(logs: &[Vec<Sent>], found: &[Found]) -> Result<(), String> {
    let both = logs.iter().zip(found);
    let newest_there = both
        .clone()
        .filter_map(|(log, found)| log[..found.least].last())
        .map(|sent| sent.sent_at)
        .max();
    let oldest_missing = both
        .filter_map(|(log, found)| log.get(found.most)?.acknowledged_at)
        .min();
    match (newest_there, oldest_missing) {
        (Some(there), Some(missing)) if missing < there => Err(format!(
            "an operation is missing that was acknowledged {:?} before one that is there was sent",
            there - missing
        )),
        _ => Ok(()),
    }
}

fn differences(state: &State, observed: &Cells) -> BTreeSet<Cell> {
    let expected = state.cells();
    let either = expected.keys().chain(observed.keys());
    either
        .filter(|cell| expected.get(cell) != observed.get(cell))
        .cloned()
        .collect()
}

fn explain(writer: &Writer, log: &[Sent], must: usize, observed: &Cells, count: usize) -> String {
    let state = state_after(writer, &log[..count]);
    let wrong = differences(&state, observed);
    let numbers = |index: usize| log.get(index).map_or(0, |sent| sent.number);
    let mut text = format!(
        "writer {}: the data is no prefix of what was sent: {} operations, of which the first {must} must be \
         there (up to number {}); nearest is the state after {count} (number {}), with {} differences:",
        writer.id,
        log.len(),
        numbers(must.wrapping_sub(1)),
        numbers(count.wrapping_sub(1)),
        wrong.len()
    );
    for cell in wrong.iter().take(8) {
        text += &format!(
            "\n  db {} {} {}: expected {}, found {}",
            cell.db,
            cell.key,
            cell.element,
            shorten(state.cells().get(cell)),
            shorten(observed.get(cell))
        );
    }
    text
}

fn shorten(text: Option<&String>) -> String {
    match text {
        None => "nothing".to_string(),
        Some(text) if text.len() <= 60 => format!("{text:?}"),
        Some(text) => format!("{:?}... ({} bytes)", &text[..60], text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn logged(count: u64) -> (Writer, Vec<Sent>, Vec<Cells>) {
        let writer = Writer::new(1, 5);
        let start = Instant::now();
        let mut state = State::default();
        let mut states = vec![state.cells().clone()];
        let log = (1..=count).map(|number| {
            let operation = writer.operation(number);
            for command in &operation.commands {
                state.apply(operation.db, command);
            }
            states.push(state.cells().clone());
            Sent {
                number,
                sent_at: start + Duration::from_millis(2 * number),
                acknowledged_at: Some(start + Duration::from_millis(2 * number + 1)),
            }
        });
        let log = log.collect();
        (writer, log, states)
    }

    #[test]
    fn every_prefix_is_found_and_nothing_else() {
        let (writer, log, states) = logged(300);
        for (count, state) in states.iter().enumerate() {
            let found = find(&writer, &log, 0, state).expect("a prefix");
            assert!(
                found.least <= count && count <= found.most,
                "{count}: {found:?}"
            );
        }
        assert!(find(&writer, &log, 300, &states[100]).is_err());
        let mut invented = states[100].clone();
        invented.insert(crate::state::cell(0, "w1:text:1", "="), "no".into());
        assert!(find(&writer, &log, 0, &invented).is_err());
    }

    #[test]
    fn half_a_transaction_is_no_prefix() {
        let (writer, log, states) = logged(300);
        let index = (1..300).find(|index| writer.operation(log[*index].number).commands.len() > 2);
        let index = index.expect("some operations are transactions");
        let mut changed = states[index + 1].clone();
        let before = &states[index];
        let cell = changed
            .keys()
            .find(|cell| before.get(cell) != changed.get(cell));
        let cell = cell.expect("a change").clone();
        match before.get(&cell) {
            Some(text) => changed.insert(cell, text.clone()),
            None => changed.remove(&cell),
        };
        assert!(find(&writer, &log, 0, &changed).is_err());
    }

    #[test]
    fn prefixes_of_different_moments_are_told() {
        let (_, log, _) = logged(10);
        let at = |count| Found {
            least: count,
            most: count,
            state: State::default(),
        };
        let logs = [log.clone(), log];
        assert_eq!(check_moment(&logs, &[at(5), at(5)]), Ok(()));
        assert_eq!(check_moment(&logs, &[at(5), at(6)]), Ok(()));
        assert!(check_moment(&logs, &[at(5), at(7)]).is_err());
    }
}
