//! What two servers with equal data agree in.

use super::random_keys::Command;
use super::say;
use resp::Value;
use std::collections::BTreeMap;
use testkit::Connection;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub digest: String,
    pub key_counts: String,
    /// A sum over all volatile keys, since the digest says only that a key has an expiry.
    pub expiries: (u64, i128),
}

const DATABASES: u32 = 10;
/// Commands sent before their replies are read.
const PIPELINE: usize = 500;

/// Leaves the connection in database 0.
pub fn summary(client: &mut Connection) -> Summary {
    let info = say(client, &["INFO", "keyspace"]);
    // The average time to live differs with the moment and the sampling.
    let counts = info
        .split("\\n")
        .filter_map(|line| line.split(",avg_ttl").next());
    let key_counts = counts.collect::<Vec<&str>>().join(" ");
    let mut expiries = (0, 0);
    for db in 0..DATABASES {
        client.command(&["SELECT", &db.to_string()]);
        add_expiries(client, &mut expiries);
    }
    client.command(&["SELECT", "0"]);
    Summary {
        digest: digest(client),
        key_counts,
        expiries,
    }
}

pub fn digest(client: &mut Connection) -> String {
    say(client, &["DEBUG", "DIGEST"])
}

fn add_expiries(client: &mut Connection, sum: &mut (u64, i128)) {
    let keys = keys(client);
    let asked: Vec<Command> = keys
        .into_iter()
        .map(|key| vec![b"PEXPIRETIME".to_vec(), key])
        .collect();
    for batch in asked.chunks(PIPELINE) {
        for reply in client.pipeline(batch) {
            match reply {
                Value::Integer(expiry_ms) if expiry_ms >= 0 => {
                    sum.0 += 1;
                    sum.1 += i128::from(expiry_ms);
                }
                // None, or the key has expired in between.
                Value::Integer(-1 | -2) => {}
                other => panic!("PEXPIRETIME replied {other:?}"),
            }
        }
    }
}

fn keys(client: &mut Connection) -> Vec<Vec<u8>> {
    let Value::Array(keys) = client.command(&["KEYS", "*"]) else {
        panic!("KEYS replied no array");
    };
    let keys = keys.into_iter().map(|key| match key {
        Value::Bulk(key) => key,
        other => panic!("a key is {other:?}"),
    });
    keys.collect()
}

/// The keys in which two servers differ, with type and digest on both sides: for the message of a
/// failed test.
pub fn differences(one: &mut Connection, other: &mut Connection) -> String {
    let (one, other) = (values(one), values(other));
    let mut names: Vec<_> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    let differ = names
        .iter()
        .filter(|name| one.get(**name) != other.get(**name));
    let lines = differ.take(12).map(|name| {
        let (db, key) = name;
        format!(
            "  db {db} \"{}\": {} | {}",
            key.escape_ascii(),
            one.get(*name).map_or("nothing", String::as_str),
            other.get(*name).map_or("nothing", String::as_str)
        )
    });
    lines.collect::<Vec<String>>().join("\n")
}

fn values(client: &mut Connection) -> BTreeMap<(u32, Vec<u8>), String> {
    let mut values = BTreeMap::new();
    for db in 0..DATABASES {
        client.command(&["SELECT", &db.to_string()]);
        for key in keys(client) {
            let name = String::from_utf8_lossy(&key).into_owned();
            let text = format!(
                "{} expires {} {}",
                say(client, &["TYPE", &name]),
                say(client, &["PEXPIRETIME", &name]),
                say(client, &["DEBUG", "DIGEST-VALUE", &name]),
            );
            values.insert((db, key), text);
        }
    }
    client.command(&["SELECT", "0"]);
    values
}
