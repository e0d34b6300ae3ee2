//! What a writer's keys hold, as far as its operations say: a model small enough to be right.
//!
//! Every value is flattened into cells (database, key, element) → text, the element's first
//! character naming the type, so that two states can be compared, and their differences told, cell
//! by cell. Lists only grow to the right by rising numbers, so the set of their elements says their
//! order too. Keys have one type each, by their names.

use resp::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    pub db: u32,
    pub key: String,
    pub element: String,
}

/// Elements that a value has once: a string's content, a key's time to live.
pub const STRING: &str = "=";
pub const EXPIRY: &str = "!";
pub const LIST: char = '[';
pub const SET: char = '(';
pub const HASH: char = '{';
pub const SORTED_SET: char = '<';

#[derive(Clone, Debug, Default)]
pub struct State {
    cells: BTreeMap<Cell, String>,
    /// The cells that `apply` changed or might have changed since `take_touched`.
    touched: Vec<Cell>,
}

impl State {
    pub fn cells(&self) -> &BTreeMap<Cell, String> {
        &self.cells
    }

    pub fn take_touched(&mut self) -> Vec<Cell> {
        std::mem::take(&mut self.touched)
    }

    /// Does what a server does with the command, and says what it replies.
    pub fn apply(&mut self, db: u32, command: &[String]) -> Value {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let (name, key, rest) = (words[0], words[1], &words[2..]);
        let at = |element: &str| cell(db, key, element);
        match name {
            "SET" => {
                self.remove_key(db, key);
                self.set(at(STRING), rest[0]);
                if let ["PXAT", expiry] = rest[1..] {
                    self.set(at(EXPIRY), expiry);
                }
                ok()
            }
            "INCR" => {
                let number = 1 + self.text(&at(STRING)).map_or(0, |text| {
                    text.parse::<i64>().expect("a counter holds a number")
                });
                self.set(at(STRING), &number.to_string());
                Value::Integer(number)
            }
            "APPEND" => self.splice(&at(STRING), None, rest[0]),
            "SETRANGE" => {
                let offset = rest[0].parse().expect("an offset is a number");
                self.splice(&at(STRING), Some(offset), rest[1])
            }
            "RPUSH" | "SADD" => {
                let kind = if name == "RPUSH" { LIST } else { SET };
                let added = self.add(db, key, kind, rest.iter().map(|element| (*element, "")));
                match name {
                    "RPUSH" => integer(self.elements(db, key).count()),
                    _ => integer(added),
                }
            }
            "HSET" => {
                let pairs = rest.chunks_exact(2).map(|pair| (pair[0], pair[1]));
                integer(self.add(db, key, HASH, pairs))
            }
            "ZADD" => {
                let pairs = rest.chunks_exact(2).map(|pair| (pair[1], pair[0]));
                integer(self.add(db, key, SORTED_SET, pairs))
            }
            "SREM" => self.remove(db, key, SET, rest),
            "HDEL" => self.remove(db, key, HASH, rest),
            "ZREM" => self.remove(db, key, SORTED_SET, rest),
            "LPOP" => self.pop(db, key),
            "LTRIM" => {
                let kept: usize = rest[0][1..].parse().expect("a count");
                let excess = self.elements(db, key).count().saturating_sub(kept);
                let removed: Vec<Cell> = self.elements(db, key).take(excess).cloned().collect();
                for cell in removed {
                    self.unset(cell);
                }
                ok()
            }
            "DEL" => integer(usize::from(self.remove_key(db, key))),
            "PEXPIREAT" => {
                let exists = self.exists(db, key);
                if exists {
                    self.set(at(EXPIRY), rest[0]);
                }
                integer(usize::from(exists))
            }
            "PERSIST" => integer(usize::from(self.unset(at(EXPIRY)))),
            other => panic!("the model has no {other}"),
        }
    }

    fn text(&self, cell: &Cell) -> Option<&str> {
        self.cells.get(cell).map(String::as_str)
    }

    fn set(&mut self, cell: Cell, text: &str) -> bool {
        self.touched.push(cell.clone());
        self.cells.insert(cell, text.to_string()).is_none()
    }

    fn unset(&mut self, cell: Cell) -> bool {
        let existed = self.cells.remove(&cell).is_some();
        self.touched.push(cell);
        existed
    }

    /// Overwrites from the offset on, or appends; the reply is the new length.
    fn splice(&mut self, at: &Cell, offset: Option<usize>, text: &str) -> Value {
        self.touched.push(at.clone());
        let content = self.cells.entry(at.clone()).or_default();
        let start = offset.unwrap_or(content.len());
        while content.len() < start {
            content.push('\0');
        }
        let end = content.len().min(start + text.len());
        content.replace_range(start..end, text);
        integer(content.len())
    }

    fn add<'a>(
        &mut self,
        db: u32,
        key: &str,
        kind: char,
        items: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> usize {
        let items = items.map(|(element, text)| (format!("{kind}{element}"), text));
        items
            .filter(|(element, text)| self.set(cell(db, key, element), text))
            .count()
    }

    fn remove(&mut self, db: u32, key: &str, kind: char, elements: &[&str]) -> Value {
        let elements = elements.iter().map(|element| format!("{kind}{element}"));
        let removed = elements
            .filter(|element| self.unset(cell(db, key, element)))
            .count();
        self.forget_if_empty(db, key);
        integer(removed)
    }

    fn pop(&mut self, db: u32, key: &str) -> Value {
        let Some(first) = self.elements(db, key).next().cloned() else {
            return Value::Null;
        };
        let text = first.element[LIST.len_utf8()..].into();
        self.unset(first);
        self.forget_if_empty(db, key);
        Value::Bulk(text)
    }

    fn exists(&self, db: u32, key: &str) -> bool {
        self.elements(db, key).next().is_some()
    }

    /// A key's elements; a list's are in their order, having numbers of one width.
    fn elements<'a>(&'a self, db: u32, key: &'a str) -> impl Iterator<Item = &'a Cell> {
        let cells = self.cells.range(cell(db, key, "")..);
        cells
            .map(|(cell, _)| cell)
            .take_while(move |cell| cell.db == db && cell.key == key)
            .filter(|cell| cell.element != EXPIRY)
    }

    fn forget_if_empty(&mut self, db: u32, key: &str) {
        if !self.exists(db, key) {
            self.unset(cell(db, key, EXPIRY));
        }
    }

    fn remove_key(&mut self, db: u32, key: &str) -> bool {
        let removed: Vec<Cell> = self.elements(db, key).cloned().collect();
        let existed = !removed.is_empty();
        for cell in removed {
            self.unset(cell);
        }
        self.unset(cell(db, key, EXPIRY));
        existed
    }
}

pub fn cell(db: u32, key: &str, element: &str) -> Cell {
    Cell {
        db,
        key: key.to_string(),
        element: element.to_string(),
    }
}

fn ok() -> Value {
    Value::Simple("OK".into())
}

fn integer(number: usize) -> Value {
    Value::Integer(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: &mut State, command: &str, reply: &str) {
        let words: Vec<String> = command.split(' ').map(str::to_string).collect();
        let got = testkit::render(&state.apply(0, &words));
        assert_eq!(got, reply, "{command}");
    }

    #[test]
    fn the_model_replies_as_a_server_does() {
        let mut state = State::default();
        for (command, reply) in [
            ("INCR c", "1"),
            ("INCR c", "2"),
            ("SET s ab PXAT 4000000000000", "OK"),
            ("APPEND s cd", "4"),
            ("SETRANGE s 3 XY", "5"),
            ("PERSIST s", "1"),
            ("PERSIST s", "0"),
            ("RPUSH l 1 2 3", "3"),
            ("LPOP l", "\"1\""),
            ("LTRIM l -1 -1", "OK"),
            ("PEXPIREAT l 4000000000000", "1"),
            ("LPOP l", "\"3\""),
            ("LPOP l", "nil"),
            ("SADD m a a b", "2"),
            ("SREM m a x", "1"),
            ("HSET h f 1", "1"),
            ("HSET h f 2", "0"),
            ("HDEL h f", "1"),
            ("ZADD z 1 a", "1"),
            ("ZREM z a", "1"),
            ("DEL c", "1"),
            ("DEL c", "0"),
        ] {
            check(&mut state, command, reply);
        }
        let left: Vec<&str> = state.cells().keys().map(|cell| cell.key.as_str()).collect();
        assert_eq!(left, ["m", "s"]);
    }
}
