//! The table against a plain model: random operations, SCAN across resizes, bounded work.

#![allow(
    clippy::box_collection,
    reason = "a payload is a box whatever it holds"
)]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use structures::entry::{NewValue, OwnedValue, ValueRef};
use structures::table::Table;

#[derive(Debug, Clone, PartialEq)]
enum Val {
    Int(i64),
    Bytes(Vec<u8>),
    Payload(String),
}

impl Val {
    fn to_new(&self) -> NewValue<'_, Box<String>> {
        match self {
            Val::Int(n) => NewValue::Int(*n),
            Val::Bytes(b) => NewValue::Bytes(b),
            Val::Payload(s) => NewValue::Payload(Box::new(s.clone())),
        }
    }
}

fn read(value: ValueRef<'_, Box<String>>) -> Val {
    match value {
        ValueRef::Int(n) => Val::Int(n),
        ValueRef::Bytes(b) => Val::Bytes(b.to_vec()),
        ValueRef::Payload(s) => Val::Payload(s.to_string()),
    }
}

#[derive(Debug, Clone)]
enum Op {
    Put(u16, Val, Option<i64>),
    Remove(u16),
    Expiry(u16, Option<i64>),
    Aux(u16, u32),
    Mutate(u16),
}

fn key(n: u16) -> Vec<u8> {
    // Some keys are long enough to need the separate length.
    let mut k = format!("key:{n}").into_bytes();
    if n.is_multiple_of(17) {
        k.resize(200 + usize::from(n % 300), b'x');
        k.extend(n.to_le_bytes());
    }
    k
}

fn val() -> impl Strategy<Value = Val> {
    prop_oneof![
        any::<i64>().prop_map(Val::Int),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Val::Bytes),
        "[a-z]{0,40}".prop_map(Val::Payload),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let k = 0u16..600;
    prop_oneof![
        5 => (k.clone(), val(), prop::option::of(any::<i64>())).prop_map(|(k, v, e)| Op::Put(k, v, e)),
        3 => k.clone().prop_map(Op::Remove),
        1 => (k.clone(), prop::option::of(any::<i64>())).prop_map(|(k, e)| Op::Expiry(k, e)),
        1 => (k.clone(), 0u32..1 << 24).prop_map(|(k, a)| Op::Aux(k, a)),
        1 => k.prop_map(Op::Mutate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn table_behaves_like_a_map(ops in prop::collection::vec(op(), 0..3000), seed: u64) {
        let mut table: Table<Box<String>> = Table::new(seed);
        let mut model: BTreeMap<Vec<u8>, (Val, Option<i64>, u32)> = BTreeMap::new();
        for op in ops {
            match op {
                Op::Put(k, v, e) => {
                    let k = key(k);
                    let h = table.hash(&k);
                    if let Some(mut entry) = table.find_mut(h, &k) {
                        let old = entry.replace(v.to_new(), 7, e);
                        let (was, _, _) = &model[&k];
                        prop_assert_eq!(old.map(|s| Val::Payload(s.to_string())), match was { Val::Payload(_) => Some(was.clone()), _ => None });
                        let slot = model.get_mut(&k).unwrap();
                        slot.0 = v;
                        slot.1 = e;
                    } else {
                        table.insert_new(h, &k, v.to_new(), 7, 0, e);
                        model.insert(k, (v, e, 0));
                    }
                }
                Op::Remove(k) => {
                    let k = key(k);
                    let got = table.remove(table.hash(&k), &k).map(|e| match e.into_value() {
                        OwnedValue::Int(n) => Val::Int(n),
                        OwnedValue::Bytes(b) => Val::Bytes(b.into_vec()),
                        OwnedValue::Payload(s) => Val::Payload(*s),
                    });
                    prop_assert_eq!(got, model.remove(&k).map(|m| m.0));
                }
                Op::Expiry(k, e) => {
                    let k = key(k);
                    let h = table.hash(&k);
                    if let Some(mut entry) = table.find_mut(h, &k) {
                        entry.set_expiry(e);
                        model.get_mut(&k).unwrap().1 = e;
                    }
                }
                Op::Aux(k, a) => {
                    let k = key(k);
                    let h = table.hash(&k);
                    if let Some(mut entry) = table.find_mut(h, &k) {
                        entry.set_aux(a);
                        model.get_mut(&k).unwrap().2 = a;
                    }
                }
                Op::Mutate(k) => {
                    let k = key(k);
                    let h = table.hash(&k);
                    if let Some(mut entry) = table.find_mut(h, &k) {
                        if let Some(s) = entry.payload_mut() {
                            s.push('!');
                            if let Val::Payload(m) = &mut model.get_mut(&k).unwrap().0 { m.push('!') }
                        }
                        if entry.set_int(5) { model.get_mut(&k).unwrap().0 = Val::Int(5) }
                    }
                }
            }
        }
        table.check_invariants();
        prop_assert_eq!(table.len(), model.len());
        for (k, (v, e, a)) in &model {
            let entry = table.find(table.hash(k), k).unwrap();
            prop_assert_eq!(&read(entry.value()), v);
            prop_assert_eq!(entry.expiry(), *e);
            prop_assert_eq!(entry.aux(), *a);
            prop_assert_eq!(entry.tag(), 7);
        }
        let iterated: BTreeSet<Vec<u8>> = table.iter().map(|e| e.key().to_vec()).collect();
        prop_assert_eq!(iterated, model.keys().cloned().collect::<BTreeSet<_>>());
    }

    #[test]
    fn scan_meets_every_lasting_key_across_resizes(seed: u64, grow in 0usize..4000, shrink in 0usize..4000, every in 1usize..8) {
        let mut table: Table<Box<String>> = Table::new(seed);
        let lasting: Vec<Vec<u8>> = (0..500).map(|i| format!("lasting:{i}").into_bytes()).collect();
        let passing: Vec<Vec<u8>> = (0..grow.max(shrink)).map(|i| format!("passing:{i}").into_bytes()).collect();
        for k in lasting.iter().chain(&passing[..shrink]) {
            table.insert_new(table.hash(k), k, NewValue::Int(0), 0, 0, None);
        }
        let mut seen = BTreeSet::new();
        let (mut cursor, mut step, mut removing, mut adding) = (0, 0, 0, shrink);
        loop {
            cursor = table.scan(cursor, |e| { seen.insert(e.key().to_vec()); });
            if cursor == 0 { break }
            step += 1;
            if step % every == 0 {
                for _ in 0..40 {
                    if removing < shrink { table.remove(table.hash(&passing[removing]), &passing[removing]); removing += 1; }
                    else if adding < grow { let k = &passing[adding]; table.insert_new(table.hash(k), k, NewValue::Int(0), 0, 0, None); adding += 1; }
                }
            }
        }
        table.check_invariants();
        for k in &lasting { prop_assert!(seen.contains(k)); }
    }
}

#[test]
fn drain_in_slices_frees_everything() {
    let mut table: Table<Box<String>> = Table::new(1);
    for i in 0..50_000 {
        let k = format!("k{i}").into_bytes();
        table.insert_new(
            table.hash(&k),
            &k,
            NewValue::Payload(Box::new(String::new())),
            0,
            0,
            None,
        );
    }
    let mut slices = 0;
    while !table.drain_some(1000) {
        slices += 1;
    }
    assert!(slices >= 40);
    assert_eq!(
        (table.len(), table.cell_bytes(), table.overflow_count()),
        (0, 0, 0)
    );
    let k = b"again";
    table.insert_new(table.hash(k), k, NewValue::Int(1), 0, 0, None);
    table.check_invariants();
}

#[test]
fn random_picks_are_close_to_uniform() {
    let mut table: Table<Box<String>> = Table::new(3);
    let keys: Vec<Vec<u8>> = (0..100).map(|i| format!("{i}").into_bytes()).collect();
    for k in &keys {
        table.insert_new(table.hash(k), k, NewValue::Int(0), 0, 0, None);
    }
    let mut state = 88172645463325252u64;
    let mut counts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    for _ in 0..100_000 {
        let e = table
            .random(|| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.wrapping_mul(0x2545F4914F6CDD1D)
            })
            .unwrap();
        *counts.entry(e.key().to_vec()).or_default() += 1;
    }
    let chi: f64 = keys
        .iter()
        .map(|k| (f64::from(counts[k]) - 1000.0).powi(2) / 1000.0)
        .sum();
    // 99 degrees of freedom: beyond 170 with probability below 0.00001.
    assert!(chi < 170.0, "chi-square {chi}");
}

#[test]
fn a_clone_is_equal_and_independent() {
    let mut table: Table<Vec<u8>> = Table::new(7);
    for i in 0..1000u32 {
        let key = i.to_string().into_bytes();
        let value = match i % 3 {
            0 => NewValue::Int(i64::from(i)),
            1 => NewValue::Bytes(&key),
            _ => NewValue::Payload(key.clone()),
        };
        let expiry = (i % 2 == 0).then_some(i64::from(i));
        table.insert_new(table.hash(&key), &key, value, 1, i, expiry);
    }
    let copy = table.clone();
    copy.check_invariants();
    table.clear();
    assert_eq!(copy.len(), 1000);
    for i in 0..1000u32 {
        let key = i.to_string().into_bytes();
        let entry = copy.find(copy.hash(&key), &key).expect("copied");
        assert_eq!(
            (entry.tag(), entry.aux(), entry.expiry()),
            (1, i, (i % 2 == 0).then_some(i64::from(i)))
        );
        match i % 3 {
            0 => assert_eq!(entry.int(), i64::from(i)),
            1 => assert_eq!(entry.bytes(), key),
            _ => assert_eq!(entry.payload(), Some(&key)),
        }
    }
}
