//! Readers of a table against deep copies: whatever happens to the table, each reader sees it as it
//! was when the reader began, every entry once.

use proptest::prelude::*;
use std::collections::BTreeMap;
use structures::entry::{EntryRef, NewValue, ValueRef};
use structures::table::{Fate, Inserted, Table};
use structures::table_reader::ReaderId;

type Content = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Set(u16, Vec<u8>),
    SetNew(u16, Vec<u8>),
    Remove(u16),
    RemoveMany(u16, u16),
    Begin,
    Read(usize, usize),
    End(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0u16..400;
    let value = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        12 => (key.clone(), value()).prop_map(|(k, v)| Step::Set(k, v)),
        4 => (key.clone(), value()).prop_map(|(k, v)| Step::SetNew(k, v)),
        4 => key.clone().prop_map(Step::Remove),
        1 => (key.clone(), key).prop_map(|(a, b)| Step::RemoveMany(a, b)),
        1 => Just(Step::Begin),
        4 => (0usize..3, 1usize..40).prop_map(|(who, max)| Step::Read(who, max)),
        1 => (0usize..6).prop_map(Step::End),
    ]
}

struct Reading {
    id: ReaderId,
    expected: Content,
    seen: Content,
    done: bool,
}

fn text(entry: EntryRef<'_, Box<[u8]>>) -> Vec<u8> {
    match entry.value() {
        ValueRef::Bytes(bytes) => bytes.to_vec(),
        ValueRef::Payload(long) => long.to_vec(),
        ValueRef::Int(n) => n.to_le_bytes().to_vec(),
    }
}

/// Short texts inline, long ones as payloads.
fn stored(value: &[u8]) -> NewValue<'_, Box<[u8]>> {
    if value.len() < 20 {
        NewValue::Bytes(value)
    } else {
        NewValue::Payload(value.into())
    }
}

fn key(n: u16) -> Vec<u8> {
    format!("member:{n}").into_bytes()
}

fn read(table: &mut Table<Box<[u8]>>, reading: &mut Reading, max: usize) {
    let seen = &mut reading.seen;
    reading.done = table.read_some(reading.id, max, &mut |entry| {
        let before = seen.insert(entry.key().to_vec(), text(entry));
        assert_eq!(before, None, "every entry is shown once");
    });
    if reading.done {
        assert_eq!(reading.seen, reading.expected);
    }
}

fn change(table: &mut Table<Box<[u8]>>, model: &mut Content, step: Step) {
    match step {
        Step::Set(k, value) => {
            let (k, mut new) = (key(k), Some(stored(&value)));
            let hash = table.hash(&k);
            let make = || (new.take().unwrap(), 0, 0);
            let (mut entry, _) = table.find_or_insert(hash, &k, |_| Fate::Keep, make);
            if let Some(new) = new {
                entry.replace(new, 0, None);
            }
            model.insert(k, value);
        }
        Step::SetNew(k, value) => {
            let k = key(k);
            let hash = table.hash(&k);
            let make = || (stored(&value), 0, 0);
            let (_, inserted) = table.find_or_insert(hash, &k, |_| Fate::Keep, make);
            if matches!(inserted, Inserted::Yes) {
                model.insert(k, value);
            }
        }
        Step::Remove(k) => {
            let k = key(k);
            let removed = table.remove(table.hash(&k), &k);
            assert_eq!(removed.map(|e| text(e.get())), model.remove(&k));
        }
        Step::RemoveMany(a, b) => {
            for k in a.min(b)..a.max(b) {
                change(table, model, Step::Remove(k));
            }
        }
        Step::Begin | Step::Read(..) | Step::End(_) => unreachable!("changes nothing"),
    }
}

fn run(steps: Vec<Step>, seed: u64, readers_before: usize) {
    let mut table: Table<Box<[u8]>> = Table::new(seed);
    let mut model = Content::new();
    let mut readings: Vec<Reading> = Vec::new();
    for _ in 0..readers_before {
        let id = table.begin_reader();
        table.end_reader(id);
    }
    for step in steps {
        match step {
            Step::Begin if readings.len() < 3 => readings.push(Reading {
                id: table.begin_reader(),
                expected: model.clone(),
                seen: Content::new(),
                done: false,
            }),
            Step::Begin => {}
            Step::Read(who, max) => {
                if let Some(reading) = readings.get_mut(who) {
                    read(&mut table, reading, max);
                }
            }
            Step::End(who) => {
                if who < readings.len() {
                    table.end_reader(readings.remove(who).id);
                }
            }
            change_step => change(&mut table, &mut model, change_step),
        }
        readings.retain(|reading| {
            if reading.done {
                assert!(table.end_reader(reading.id).is_empty());
            }
            !reading.done
        });
    }
    for mut reading in readings {
        while !reading.done {
            read(&mut table, &mut reading, 7);
        }
        table.end_reader(reading.id);
    }
    assert!(!table.has_readers());
    table.check_invariants();
    let now: Content = table.iter().map(|e| (e.key().to_vec(), text(e))).collect();
    assert_eq!(now, model);
    assert_eq!(table.clone().iter().count(), model.len());
}

proptest! {
    #[test]
    fn readers_see_the_table_as_it_was(steps in prop::collection::vec(step(), 0..600), seed: u64) {
        run(steps, seed, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn readers_see_the_table_as_it_was_when_versions_run_out(
        steps in prop::collection::vec(step(), 100..600), seed: u64, short in 0usize..6
    ) {
        run(steps, seed, usize::from(u16::MAX) - short);
    }
}

#[test]
fn a_table_catches_up_on_shrinking_after_its_readers() {
    let mut table: Table<Box<[u8]>> = Table::new(3);
    for n in 0..5000u16 {
        let k = key(n);
        table.insert_new(table.hash(&k), &k, NewValue::Int(1), 0, 0, None);
    }
    let full = table.bucket_count();
    let id = table.begin_reader();
    // Every other bucket is saved, so that neighbours differ and nothing may shrink.
    for n in 0..2500u16 {
        let k = key(n);
        table.remove(table.hash(&k), &k);
    }
    assert!(!table.read_some(id, 10, &mut |_| {}));
    table.end_reader(id);
    for n in 2500..4900u16 {
        let k = key(n);
        table.remove(table.hash(&k), &k);
    }
    assert!(table.bucket_count() < full / 10);
    table.check_invariants();
}

#[test]
fn a_sparse_table_is_shrunk_in_slices() {
    let mut table: Table<Box<[u8]>> = Table::new(3);
    for n in 0..2000u16 {
        let k = key(n);
        table.insert_new(table.hash(&k), &k, NewValue::Int(1), 0, 0, None);
    }
    // As if passes had saved every other bucket: stamps by which nothing may be folded.
    for index in 0..table.bucket_count() {
        let stamp = if index.count_ones() % 2 == 0 { 1 } else { 2 };
        table.stamp_bucket(index, stamp);
    }
    let full = table.bucket_count();
    for n in 0..1990u16 {
        let k = key(n);
        table.remove(table.hash(&k), &k);
    }
    assert_eq!(table.bucket_count(), full);
    assert!(table.is_sparse());
    assert!(table.shrink_some(5));
    assert_eq!(table.bucket_count(), full - 5);
    while table.shrink_some(5) {}
    assert!(table.bucket_count() < 10 && !table.is_sparse());
    table.check_invariants();
}
