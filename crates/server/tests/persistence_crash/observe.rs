//! Reads everything a server holds, as cells of the model, and the ballast apart.
//!
//! The ballast is data that no writer touches: it makes saves and rewrites last long enough to be
//! killed in the middle, and must never change.

use crate::operations::SHARED_DB;
use crate::state::{self, Cell, cell};
use crate::support::random_keys::{Command, send_all};
use resp::Value;
use std::collections::BTreeMap;
use testkit::Connection;

const BALLAST_KEYS: u32 = 30_000;
const BALLAST_PREFIX: &str = "ballast:";
/// Requests sent before their replies are read.
const PIPELINE: usize = 200;

pub fn write_ballast(client: &mut Connection) {
    let commands = (0..BALLAST_KEYS).map(|number| {
        ["SET".into(), ballast_key(number), ballast_value(number)]
            .map(String::into_bytes)
            .into()
    });
    send_all(client, &commands.collect::<Vec<Command>>());
}

/// The cells of all keys but the ballast's, or what is wrong.
pub fn observe(client: &mut Connection) -> Result<BTreeMap<Cell, String>, String> {
    let mut cells = BTreeMap::new();
    let mut ballast_count = 0;
    for db in (0..16).filter(|db| *db < 4 || *db >= SHARED_DB) {
        client.command(&["SELECT", &db.to_string()]);
        let keys = match client.command(&["KEYS", "*"]) {
            Value::Array(keys) => keys.iter().map(text).collect::<Vec<String>>(),
            other => return Err(format!("KEYS replied {other:?}")),
        };
        let (ballast, others): (Vec<String>, Vec<String>) = keys
            .into_iter()
            .partition(|key| key.starts_with(BALLAST_PREFIX));
        ballast_count += ballast.len();
        for keys in others.chunks(PIPELINE) {
            observe_keys(client, db, keys, &mut cells)?;
        }
    }
    client.command(&["SELECT", "0"]);
    if ballast_count != BALLAST_KEYS as usize {
        return Err(format!(
            "{ballast_count} of {BALLAST_KEYS} ballast keys are there"
        ));
    }
    check_ballast(client)?;
    Ok(cells)
}

fn observe_keys(
    client: &mut Connection,
    db: u32,
    keys: &[String],
    cells: &mut BTreeMap<Cell, String>,
) -> Result<(), String> {
    let asked = |command: &str| -> Vec<Vec<String>> {
        let commands = keys
            .iter()
            .map(|key| vec![command.to_string(), key.clone()]);
        commands.collect()
    };
    let kinds = client.pipeline(&asked("TYPE"));
    let expiries = client.pipeline(&asked("PEXPIRETIME"));
    let both = kinds.iter().zip(&expiries);
    let kinds: Vec<(String, String)> = both.map(|(kind, at)| (text(kind), text(at))).collect();
    for (key, (kind, _)) in keys.iter().zip(&kinds) {
        match kind.as_str() {
            "string" => client.send(&["GET", key]),
            "list" => client.send(&["LRANGE", key, "0", "-1"]),
            "set" => client.send(&["SMEMBERS", key]),
            "hash" => client.send(&["HGETALL", key]),
            "zset" => client.send(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
            other => return Err(format!("key {key} in db {db} has type {other}")),
        }
    }
    for (key, (kind, expiry)) in keys.iter().zip(&kinds) {
        if expiry != "-1" {
            cells.insert(cell(db, key, state::EXPIRY), expiry.clone());
        }
        let found = elements(kind, &client.receive());
        if kind == "list" && !found.is_sorted() {
            return Err(format!("list {key} of db {db} is out of order"));
        }
        for (element, value) in found {
            let twice = cells.insert(cell(db, key, &element), value);
            if twice.is_some() {
                return Err(format!("{element} is twice in {key} of db {db}"));
            }
        }
    }
    Ok(())
}

fn elements(kind: &str, value: &Value) -> Vec<(String, String)> {
    let items: Vec<String> = match value {
        Value::Array(items) => items.iter().map(text).collect(),
        other => return vec![(state::STRING.to_string(), text(other))],
    };
    let alone = |kind: char| {
        items
            .iter()
            .map(move |item| (format!("{kind}{item}"), String::new()))
    };
    let pairs = |kind: char| {
        let pairs = items.chunks_exact(2);
        pairs.map(move |pair| (format!("{kind}{}", pair[0]), pair[1].clone()))
    };
    match kind {
        "list" => alone(state::LIST).collect(),
        "set" => alone(state::SET).collect(),
        "hash" => pairs(state::HASH).collect(),
        _ => pairs(state::SORTED_SET).collect(),
    }
}

fn check_ballast(client: &mut Connection) -> Result<(), String> {
    let numbers: Vec<u32> = (0..BALLAST_KEYS).collect();
    for numbers in numbers.chunks(PIPELINE) {
        let asked = numbers
            .iter()
            .map(|number| vec!["GET".to_string(), ballast_key(*number)]);
        let values = client.pipeline(&asked.collect::<Vec<_>>());
        for (number, value) in numbers.iter().zip(&values) {
            let value = text(value);
            if value != ballast_value(*number) {
                return Err(format!("{} is {value}", ballast_key(*number)));
            }
        }
    }
    Ok(())
}

fn ballast_key(number: u32) -> String {
    format!("{BALLAST_PREFIX}{number}")
}

/// Half compresses well, half hardly.
fn ballast_value(number: u32) -> String {
    let scrambled = number.wrapping_mul(0x9e37_79b9);
    match number % 2 {
        0 => format!("{scrambled:08x}").repeat(12),
        _ => (0..12)
            .map(|turn| format!("{:08x}", scrambled.rotate_left(turn * 3) ^ turn))
            .collect(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(text) | Value::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Integer(number) => number.to_string(),
        other => testkit::render(other),
    }
}
