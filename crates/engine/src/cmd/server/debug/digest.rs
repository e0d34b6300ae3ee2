//! DIGEST and DIGEST-VALUE: fingerprints that do not depend on how or in which order data is stored.
//!
//! What Redis 7.2 and later compute, so that data sets of different servers can be compared. A digest
//! is 20 bytes. "Adding" data XORs its SHA-1 into the digest (order does not matter); "mixing" adds
//! and then replaces the digest by its own SHA-1 (order matters). A key's digest mixes the key, the
//! type number (4 bytes, most significant first), then by type: the string; list elements mixed in order; set members
//! added; hash field and value, or member and score text, mixed into a digest of their own that is
//! added. A key with expiry adds `!!expire!!`. The data set's digest mixes each database's number and
//! adds its keys' digests. Source: the algorithm of Valkey 8.0 as published, checked against
//! servers by `crates/server/tests/digest.rs`.

use crate::ctx::Ctx;
use keyspace::{Entry, Type, Value};
use sha1::{Digest as _, Sha1};
use structures::listpack::IntBuf;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Digest([u8; 20]);

impl Digest {
    fn add(&mut self, data: &[u8]) {
        let hash = Sha1::digest(data);
        self.0
            .iter_mut()
            .zip(hash)
            .for_each(|(byte, other)| *byte ^= other);
    }

    fn mix(&mut self, data: &[u8]) {
        self.add(data);
        self.0 = Sha1::digest(self.0).into();
    }

    fn add_pair(&mut self, first: &[u8], second: &[u8]) {
        let mut pair = Digest::default();
        pair.mix(first);
        pair.mix(second);
        self.add(&pair.0);
    }

    fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The number of a type in files and digests.
fn type_number(kind: Type) -> u32 {
    match kind {
        Type::String => 0,
        Type::List => 1,
        Type::Set => 2,
        Type::SortedSet => 3,
        Type::Hash => 4,
    }
}

fn add_value(digest: &mut Digest, entry: &Entry<'_>) {
    digest.mix(&type_number(entry.kind()).to_be_bytes());
    let mut text = IntBuf::new();
    let mut other = IntBuf::new();
    if let Some(string) = entry.string() {
        digest.mix(string.as_bytes(&mut text));
    }
    match entry.payload() {
        None | Some(Value::Bytes(_)) => {}
        Some(Value::List(list)) => list
            .iter()
            .for_each(|item| digest.mix(item.as_bytes(&mut text))),
        Some(Value::Set(set)) => set
            .iter()
            .for_each(|item| digest.add(item.as_bytes(&mut text))),
        Some(Value::SortedSet(set)) => {
            let mut score_text = [0; resp::double::MAX_TEXT_LEN];
            for (member, score) in set.iter() {
                let len = resp::double::format_double(score, &mut score_text);
                digest.add_pair(member.as_bytes(&mut text), &score_text[..len]);
            }
        }
        Some(Value::Hash(hash)) => {
            for (field, value) in hash.iter() {
                digest.add_pair(field.as_bytes(&mut text), value.as_bytes(&mut other));
            }
        }
    }
    if entry.expiry_ms().is_some() {
        digest.add(b"!!expire!!");
    }
}

/// DEBUG DIGEST.
pub(super) fn data_set(ctx: &mut Ctx<'_>) {
    let keyspace = &ctx.engine.keyspace;
    let mut digest = Digest::default();
    for db in 0..keyspace.db_count() as u32 {
        if keyspace.db(db).is_empty() {
            continue;
        }
        digest.mix(&db.to_be_bytes());
        for entry in keyspace.iter(db) {
            let mut own = Digest::default();
            own.mix(entry.key());
            add_value(&mut own, &entry);
            digest.add(&own.0);
        }
    }
    ctx.out.simple(&digest.hex());
}

/// DEBUG DIGEST-VALUE: without the keys' names; zeros for a key that is not there.
pub(super) fn values(ctx: &mut Ctx<'_>, keys: &[&[u8]]) {
    ctx.out.array(keys.len());
    for key in keys {
        let mut digest = Digest::default();
        if let Some(entry) = ctx.engine.keyspace.peek(ctx.session.db, key) {
            add_value(&mut digest, &entry);
        }
        ctx.out.simple(&digest.hex());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_ignores_order_and_mixing_does_not() {
        let of = |steps: &[(bool, &str)]| {
            let mut digest = Digest::default();
            for (mix, data) in steps {
                if *mix {
                    digest.mix(data.as_bytes())
                } else {
                    digest.add(data.as_bytes())
                }
            }
            digest
        };
        assert_eq!(
            of(&[(false, "a"), (false, "b")]),
            of(&[(false, "b"), (false, "a")])
        );
        assert_ne!(
            of(&[(true, "a"), (true, "b")]),
            of(&[(true, "b"), (true, "a")])
        );
        // The SHA-1 of "abc", as published with the algorithm.
        assert_eq!(
            of(&[(false, "abc")]).hex(),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
    }
}
