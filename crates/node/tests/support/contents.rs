//! What a data set holds, key by key, so that two of them can be compared where DEBUG DIGEST would
//! only say that they differ. Order counts in lists only.

use std::collections::BTreeMap;

use keyspace::{Entry, Keyspace, Value};
use structures::listpack::IntBuf;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents(BTreeMap<(u32, String), Held>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    value: u64,
    expiry_ms: Option<i64>,
}

impl Contents {
    pub fn of(keyspace: &Keyspace) -> Contents {
        let mut all = BTreeMap::new();
        for db in 0..keyspace.db_count() as u32 {
            for entry in keyspace.iter(db) {
                let key = String::from_utf8_lossy(entry.key()).into_owned();
                let held = Held {
                    value: fingerprint(&entry),
                    expiry_ms: entry.expiry_ms(),
                };
                all.insert((db, key), held);
            }
        }
        Contents(all)
    }

    /// What differs. A key whose time has passed may be there or not: a snapshot has no use for it,
    /// and that it is deleted follows in the stream.
    pub fn differences(&self, other: &Contents, now_ms: i64) -> Vec<String> {
        let mut names: Vec<&(u32, String)> = self.0.keys().chain(other.0.keys()).collect();
        names.sort();
        names.dedup();
        let is_dead = |held: Option<&Held>| {
            held.is_none_or(|held| held.expiry_ms.is_some_and(|at_ms| at_ms <= now_ms))
        };
        let mut found = Vec::new();
        for name in names {
            let (one, two) = (self.0.get(name), other.0.get(name));
            let is_excused = (one.is_none() || two.is_none()) && is_dead(one) && is_dead(two);
            if one != two && !is_excused {
                found.push(format!("{name:?}: {one:?}, {two:?}"));
            }
        }
        found
    }
}

/// FNV-1a.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(seed ^ 0xcbf2_9ce4_8422_2325, step)
}

fn fingerprint(entry: &Entry<'_>) -> u64 {
    let (mut one, mut two) = (IntBuf::new(), IntBuf::new());
    let kind = entry.kind() as u64;
    if let Some(string) = entry.string() {
        return hash(kind, string.as_bytes(&mut one));
    }
    let parts = match entry.payload() {
        None | Some(Value::Bytes(_)) => 0,
        Some(Value::List(list)) => list
            .iter()
            .fold(0, |so_far, item| hash(so_far, item.as_bytes(&mut one))),
        Some(Value::Set(set)) => set.iter().fold(0, |so_far: u64, item| {
            so_far.wrapping_add(hash(0, item.as_bytes(&mut one)))
        }),
        Some(Value::SortedSet(set)) => set.iter().fold(0, |so_far: u64, (member, score)| {
            let member = hash(0, member.as_bytes(&mut one));
            so_far.wrapping_add(hash(member, &score.to_be_bytes()))
        }),
        Some(Value::Hash(map)) => map.iter().fold(0, |so_far: u64, (field, value)| {
            let field = hash(0, field.as_bytes(&mut one));
            so_far.wrapping_add(hash(field, value.as_bytes(&mut two)))
        }),
    };
    hash(parts, &kind.to_be_bytes())
}
