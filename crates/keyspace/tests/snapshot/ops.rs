//! Changes of every kind, as commands make them.

use crate::content::Bytes;
use keyspace::hash::{Hash, HashLimits};
use keyspace::rng::Rng;
use keyspace::set::{Set, SetLimits};
use keyspace::sorted_set::{SortedSet, SortedSetLimits};
use keyspace::{ExpiredKeys, Expiry, Keyspace, Kind, NewValue, Value, Victim};
use std::slice::from_ref;
use structures::bytes::ThinBytes;
use structures::list::{End, List, ListLimits, Side};

pub const DBS: u32 = 3;
pub const START_MS: i64 = 1_000_000;

const SEED: u64 = 11;
const HASH: HashLimits = HashLimits {
    packed_entries_max: 4,
    packed_value_max_bytes: 8,
    seed: SEED,
};
const SET: SetLimits = SetLimits {
    ints_max: 4,
    packed_entries_max: 4,
    packed_value_max_bytes: 8,
    seed: SEED,
};
const SORTED: SortedSetLimits = SortedSetLimits {
    packed_entries_max: 4,
    packed_value_max_bytes: 8,
    seed: SEED,
};
const LIST: ListLimits = ListLimits {
    fill: 4,
    plain_threshold_bytes: 30,
};

#[derive(Clone, Debug)]
pub enum Op {
    SetString(u32, Bytes, Bytes, Expiry),
    SetBuffer(u32, Bytes, Bytes),
    AddInt(u32, Bytes, i64),
    Append(u32, Bytes, Bytes),
    SetRange(u32, Bytes, usize, Bytes),
    Push(u32, Bytes, bool, Vec<Bytes>),
    Pop(u32, Bytes, bool, usize),
    Insert(u32, Bytes, usize, bool, Bytes),
    SetItem(u32, Bytes, usize, Bytes),
    RemoveItems(u32, Bytes, i64, Bytes),
    Trim(u32, Bytes, usize, usize),
    HashSet(u32, Bytes, Vec<(Bytes, Bytes)>),
    HashIncr(u32, Bytes, Bytes, i64),
    HashRemove(u32, Bytes, Vec<Bytes>),
    SetAdd(u32, Bytes, Vec<Bytes>),
    SetRemove(u32, Bytes, Vec<Bytes>),
    /// Becomes a `SetRemove` of what was popped.
    SetPop(u32, Bytes, usize, u64),
    SortedAdd(u32, Bytes, Vec<(Bytes, f64)>),
    SortedRemove(u32, Bytes, Vec<Bytes>),
    SortedPop(u32, Bytes, bool, usize),
    SortedRemoveRange(u32, Bytes, usize, usize),
    Put(u32, Bytes, u64),
    Load(u32, Bytes, Bytes, Option<i64>),
    Delete(u32, Bytes),
    Rename(u32, Bytes, u32, Bytes),
    Copy(u32, Bytes, u32, Bytes),
    SetExpiry(u32, Bytes, Option<i64>),
    Evict(u32, Bytes),
    ExpireDue(u32),
    Read(u32, Bytes),
    Wait(i64),
    Expired(ExpiredKeys),
    Swap(u32, u32),
    Flush(u32),
    /// All databases, by others loaded on the side.
    Replace(u64, u64),
    Many(u32, u64, u64),
    DeleteMany(u32, u64, u64),
}

fn bytes(rng: &mut Rng, max: u64) -> Bytes {
    let len = rng.below(max + 1);
    (0..len).map(|_| b'a' + rng.below(20) as u8).collect()
}

/// A text, a longer text or a number.
fn element(rng: &mut Rng) -> Bytes {
    match rng.below(8) {
        0 => bytes(rng, 60),
        1 => bytes(rng, 2500),
        2 => rng.below(1000).to_string().into_bytes(),
        _ => bytes(rng, 4),
    }
}

fn many<T>(rng: &mut Rng, mut one: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    let count = if rng.below(5) == 0 {
        1 + rng.below(80)
    } else {
        1 + rng.below(3)
    };
    (0..count).map(|_| one(rng)).collect()
}

fn member(rng: &mut Rng) -> Bytes {
    if rng.below(30) == 0 {
        return bytes(rng, 20);
    }
    rng.below(120).to_string().into_bytes()
}

fn score(rng: &mut Rng) -> f64 {
    match rng.below(10) {
        0 => -0.0,
        1 => f64::INFINITY,
        2 => rng.unit() - 0.5,
        _ => rng.below(20) as f64,
    }
}

fn expiry(rng: &mut Rng) -> Expiry {
    match rng.below(8) {
        0 => Expiry::At(START_MS + rng.below(4000) as i64),
        1 => Expiry::Keep,
        _ => Expiry::Clear,
    }
}

impl Op {
    pub fn random(rng: &mut Rng) -> Op {
        let (db, key) = (Op::db(rng), Op::key(rng));
        match rng.below(64) {
            0..=5 => Op::SetString(db, key, element(rng), expiry(rng)),
            6 => Op::SetBuffer(db, key, bytes(rng, 3000)),
            7 | 8 => Op::AddInt(db, key, rng.below(100) as i64),
            9 | 10 => Op::Append(db, key, element(rng)),
            11 | 12 => Op::SetRange(db, key, rng.below(3000) as usize, element(rng)),
            13..=16 => Op::Push(db, key, rng.below(2) == 0, many(rng, element)),
            17..=18 => Op::Pop(db, key, rng.below(2) == 0, 1 + rng.below(8) as usize),
            19 | 20 => Op::Insert(
                db,
                key,
                rng.below(50) as usize,
                rng.below(2) == 0,
                element(rng),
            ),
            21 => Op::SetItem(db, key, rng.below(50) as usize, element(rng)),
            22 => Op::RemoveItems(db, key, rng.below(5) as i64 - 2, element(rng)),
            23 => Op::Trim(db, key, rng.below(6) as usize, rng.below(60) as usize),
            24..=27 => Op::HashSet(db, key, many(rng, |r| (member(r), element(r)))),
            28 => Op::HashIncr(db, key, member(rng), 3),
            29 => Op::HashRemove(db, key, many(rng, member)),
            30..=32 => Op::SetAdd(db, key, many(rng, member)),
            33 => Op::SetRemove(db, key, many(rng, member)),
            34 => {
                let count = if rng.below(2) == 0 {
                    1
                } else {
                    1 + rng.below(90) as usize
                };
                Op::SetPop(db, key, count, rng.next_u64())
            }
            35..=38 => Op::SortedAdd(db, key, many(rng, |r| (member(r), score(r)))),
            39 => Op::SortedRemove(db, key, many(rng, member)),
            40 => Op::SortedPop(db, key, rng.below(2) == 0, 1 + rng.below(10) as usize),
            41 => Op::SortedRemoveRange(db, key, rng.below(50) as usize, rng.below(20) as usize),
            _ => Op::random_on_any_type(rng, db, key),
        }
    }

    fn random_on_any_type(rng: &mut Rng, db: u32, key: Bytes) -> Op {
        match rng.below(44) {
            0..=1 => Op::Put(db, key, rng.next_u64()),
            2..=3 => Op::Load(db, key, element(rng), None),
            4..=6 => Op::Delete(db, key),
            7..=12 => Op::Rename(db, key, Op::db(rng), Op::key(rng)),
            13..=16 => Op::Copy(db, key, Op::db(rng), Op::key(rng)),
            17..=19 => {
                let at = START_MS + rng.below(4000) as i64;
                Op::SetExpiry(db, key, (rng.below(4) > 0).then_some(at))
            }
            20 => Op::Evict(db, key),
            21 | 22 => Op::ExpireDue(db),
            23..=26 => Op::Read(db, key),
            27..=30 => Op::Wait(rng.below(40) as i64),
            31 => Op::Expired(match rng.below(3) {
                0 => ExpiredKeys::Hide,
                _ => ExpiredKeys::Delete,
            }),
            32..=34 => Op::Swap(db, Op::db(rng)),
            35 if rng.below(3) == 0 => Op::Flush(db),
            36 if rng.below(4) == 0 => Op::Replace(rng.below(50), rng.below(200)),
            36..=38 => Op::Many(db, rng.below(300), rng.below(100)),
            _ => Op::DeleteMany(db, rng.below(300), rng.below(100)),
        }
    }

    fn db(rng: &mut Rng) -> u32 {
        if rng.below(2) == 0 {
            0
        } else {
            rng.below(u64::from(DBS)) as u32
        }
    }

    fn key(rng: &mut Rng) -> Bytes {
        format!("key:{}", rng.below(24)).into_bytes()
    }
}

fn small_key(n: u64) -> Bytes {
    format!("small:{n}").into_bytes()
}

/// A set of any size, in any encoding.
fn some_value(seed: u64) -> Value {
    let mut rng = Rng::new(seed);
    let members = many(&mut rng, member);
    match rng.below(3) {
        0 => {
            let mut set = Set::for_members(&members[0], members.len(), &SET);
            members.iter().for_each(|m| _ = set.add(m, &SET));
            set.wrap()
        }
        1 => {
            let mut list = List::new();
            members.iter().for_each(|m| list.push_back(m, &LIST));
            list.wrap()
        }
        _ => Value::Bytes(ThinBytes::from_slice(&members.concat().repeat(20))),
    }
}

/// Lets a command change the container at a key that may hold another type, and deletes it if it
/// was emptied.
fn edit<K: Kind>(
    keyspace: &mut Keyspace,
    db: u32,
    key: &[u8],
    change: impl FnOnce(&mut K),
    is_empty: impl FnOnce(&K) -> bool,
) {
    let Ok(Some(container)) = keyspace.get_mut::<K>(db, key) else {
        return;
    };
    change(container);
    if is_empty(container) {
        assert!(keyspace.delete(db, key));
    }
}

/// Makes the change; returns one that comes to the same in a keyspace of equal content.
pub fn apply(ks: &mut Keyspace, op: Op) -> Op {
    match &op {
        Op::SetString(..)
        | Op::SetBuffer(..)
        | Op::AddInt(..)
        | Op::Append(..)
        | Op::SetRange(..) => apply_to_string(ks, &op),
        Op::Push(..)
        | Op::Pop(..)
        | Op::Insert(..)
        | Op::SetItem(..)
        | Op::RemoveItems(..)
        | Op::Trim(..) => apply_to_list(ks, &op),
        Op::HashSet(..) | Op::HashIncr(..) | Op::HashRemove(..) => apply_to_hash(ks, &op),
        Op::SetPop(db, key, count, seed) => {
            let members = pop_members(ks, *db, key, *count, *seed);
            return Op::SetRemove(*db, key.clone(), members);
        }
        Op::SetAdd(..) | Op::SetRemove(..) => apply_to_set(ks, &op),
        Op::SortedAdd(..)
        | Op::SortedRemove(..)
        | Op::SortedPop(..)
        | Op::SortedRemoveRange(..) => apply_to_sorted_set(ks, &op),
        _ => apply_to_any(ks, &op),
    }
    op
}

fn apply_to_string(ks: &mut Keyspace, op: &Op) {
    match op {
        Op::SetString(db, key, value, expiry) => ks.set_string(*db, key, value, *expiry),
        Op::SetBuffer(db, key, value) => {
            ks.set_buffer(*db, key, ThinBytes::from_slice(value), Expiry::Keep);
        }
        Op::AddInt(db, key, delta) => _ = ks.add_int(*db, key, *delta),
        Op::Append(db, key, tail) => {
            if !tail.is_empty()
                && let Ok(buffer) = ks.string_buffer(*db, key, &[])
            {
                buffer.push_slice(tail);
            }
        }
        Op::SetRange(db, key, start, value) => {
            let end = start + value.len();
            let change = *start..end;
            if !value.is_empty()
                && let Ok(buffer) = ks.string_buffer(*db, key, from_ref(&change))
            {
                buffer.resize(end.max(buffer.len()));
                buffer[change].copy_from_slice(value);
            }
        }
        _ => unreachable!(),
    }
}

fn apply_to_list(ks: &mut Keyspace, op: &Op) {
    let end = |front: bool| if front { End::Front } else { End::Back };
    let is_empty = List::is_empty;
    match op {
        Op::Push(db, key, front, items) => {
            if let Ok(list) = ks.get_or_create(*db, key, List::new) {
                list.push_all(end(*front), items.iter().map(|i| &i[..]), &LIST);
            }
        }
        Op::Pop(db, key, front, count) => {
            let pop = |list: &mut List| {
                (0..*count).for_each(|_| _ = list.pop_with(end(*front), &LIST, |_| ()));
            };
            edit(ks, *db, key, pop, is_empty);
        }
        Op::Insert(db, key, at, before, item) => {
            let side = if *before { Side::Before } else { Side::After };
            let insert = |list: &mut List| {
                let at = at % list.len();
                assert!(list.insert(at, side, item, &LIST));
            };
            edit(ks, *db, key, insert, is_empty);
        }
        Op::SetItem(db, key, at, item) => {
            let set = |list: &mut List| {
                let at = at % list.len();
                assert!(list.set(at as i64, item, &LIST));
            };
            edit(ks, *db, key, set, is_empty);
        }
        Op::RemoveItems(db, key, count, item) => {
            let remove = |list: &mut List| _ = list.remove_matching(*count, item, &LIST);
            edit(ks, *db, key, remove, is_empty);
        }
        Op::Trim(db, key, start, count) => {
            let trim = |list: &mut List| _ = list.trim(*start, *count, &LIST);
            edit(ks, *db, key, trim, is_empty);
        }
        _ => unreachable!(),
    }
}

fn apply_to_hash(ks: &mut Keyspace, op: &Op) {
    match op {
        Op::HashSet(db, key, pairs) => {
            if let Ok(hash) = ks.get_or_create(*db, key, Hash::new) {
                for (field, value) in pairs {
                    hash.set(field, value, &HASH);
                }
            }
        }
        Op::HashIncr(db, key, field, delta) => {
            edit(
                ks,
                *db,
                key,
                |hash: &mut Hash| _ = hash.incr(field, *delta, &HASH),
                Hash::is_empty,
            );
        }
        Op::HashRemove(db, key, fields) => {
            let remove = |hash: &mut Hash| fields.iter().for_each(|f| _ = hash.remove(f));
            edit(ks, *db, key, remove, Hash::is_empty);
        }
        _ => unreachable!(),
    }
}

fn apply_to_set(ks: &mut Keyspace, op: &Op) {
    match op {
        Op::SetAdd(db, key, members) => {
            let make = || Set::for_members(&members[0], members.len(), &SET);
            if let Ok(set) = ks.get_or_create(*db, key, make) {
                members.iter().for_each(|m| _ = set.add(m, &SET));
            }
        }
        Op::SetRemove(db, key, members) => {
            let remove = |set: &mut Set| members.iter().for_each(|m| _ = set.remove(m));
            edit(ks, *db, key, remove, Set::is_empty);
        }
        _ => unreachable!(),
    }
}

/// As SPOP with and without a count does it.
fn pop_members(ks: &mut Keyspace, db: u32, key: &[u8], count: usize, seed: u64) -> Vec<Bytes> {
    let (mut popped, mut rng) = (Vec::new(), Rng::new(seed));
    let mut pop = |set: &mut Set| {
        if count >= set.len() {
            set.for_each(|member| popped.push(member.to_vec()));
            return true;
        }
        if count == 1 {
            popped.extend(set.pop(&mut rng).map(|member| member.item().to_vec()));
        } else {
            set.pop_many(count, &mut rng, &SET, |m| popped.push(m.to_vec()));
        }
        set.is_empty()
    };
    if let Ok(Some(set)) = ks.get_mut::<Set>(db, key)
        && pop(set)
    {
        ks.delete(db, key);
    }
    popped
}

fn apply_to_sorted_set(ks: &mut Keyspace, op: &Op) {
    let is_empty = SortedSet::is_empty;
    match op {
        Op::SortedAdd(db, key, pairs) => {
            if let Ok(set) = ks.get_or_create(*db, key, || SortedSet::new(&SORTED, 0, 0)) {
                for (member, score) in pairs {
                    set.insert(&SORTED, member, *score);
                }
            }
        }
        Op::SortedRemove(db, key, members) => {
            let remove = |set: &mut SortedSet| members.iter().for_each(|m| _ = set.remove(m));
            edit(ks, *db, key, remove, is_empty);
        }
        Op::SortedPop(db, key, highest, count) => {
            let pop = |set: &mut SortedSet| set.pop(*highest, *count, |_, _| ());
            edit(ks, *db, key, pop, is_empty);
        }
        Op::SortedRemoveRange(db, key, start, count) => {
            let remove = |set: &mut SortedSet| {
                let start = (*start).min(set.len());
                set.remove_range(start..(start + count).min(set.len()));
            };
            edit(ks, *db, key, remove, is_empty);
        }
        _ => unreachable!(),
    }
}

fn apply_to_any(ks: &mut Keyspace, op: &Op) {
    match op {
        Op::Put(db, key, seed) => ks.put(*db, key, some_value(*seed), None),
        Op::Load(db, key, value, expiry_ms) => {
            ks.load(*db, key, NewValue::Bytes(value), *expiry_ms, None);
        }
        Op::Delete(db, key) => _ = ks.delete(*db, key),
        Op::Rename(db, key, to_db, to) => _ = ks.rename(*db, key, *to_db, to),
        Op::Copy(db, key, to_db, to) => {
            if (db, key) != (to_db, to) {
                ks.copy(*db, key, *to_db, to);
            }
        }
        Op::SetExpiry(db, key, at) => _ = ks.set_expiry(*db, key, *at),
        Op::Evict(db, key) => {
            _ = ks.evict(&Victim {
                db: *db,
                key: key.clone(),
            })
        }
        Op::ExpireDue(db) => {
            // Until nothing is due: how far a budget goes depends on stale items.
            while ks.expire_due(*db, 1000) > 0 {}
        }
        Op::Read(db, key) => _ = ks.read(*db, key),
        Op::Wait(ms) => ks.set_now(ks.now_ms() + ms),
        Op::Expired(mode) => ks.expired_keys = *mode,
        Op::Swap(a, b) => ks.swap(*a, *b),
        Op::Flush(db) => _ = ks.flush(*db),
        Op::Replace(seed, count) => {
            let mut incoming = ks.incoming();
            for n in *seed..*seed + count {
                let text = small_key(n * 3);
                let value = keyspace::NewValue::Bytes(&text);
                incoming.load(u32::from(n % 2 == 0), &small_key(n), value, None, None);
            }
            ks.replace_data(incoming);
        }
        Op::Many(db, from, count) => {
            for n in *from..from + count {
                ks.set_string(*db, &small_key(n), &small_key(n * 7), Expiry::Keep);
            }
        }
        Op::DeleteMany(db, from, count) => {
            for n in *from..from + count {
                ks.delete(*db, &small_key(n));
            }
        }
        _ => unreachable!(),
    }
}
