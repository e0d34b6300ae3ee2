//! Expiry against a plain model: whatever is set, moved, cleared and deleted, the active cycle removes
//! exactly what is due, counts stay true, and `volatile-ttl` names the earliest.

use keyspace::{EvictionPolicy, Expiry, Keyspace};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Op {
    Set(u8, Option<i64>),
    Move(u8, Option<i64>),
    Delete(u8),
    Wait(i64),
    Expire(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let ttl = || prop::option::weighted(0.8, 1i64..2000);
    prop_oneof![
        4 => (any::<u8>(), ttl()).prop_map(|(k, t)| Op::Set(k, t)),
        4 => (any::<u8>(), ttl()).prop_map(|(k, t)| Op::Move(k, t)),
        2 => any::<u8>().prop_map(Op::Delete),
        1 => (0i64..300).prop_map(Op::Wait),
        1 => (0usize..40).prop_map(Op::Expire),
    ]
}

type Model = BTreeMap<Vec<u8>, Option<i64>>;

/// Early items are filed again and cost budget, so this asks until nothing is due any more.
fn drain(keys: &mut Keyspace) {
    while keys.next_expiry_ms().is_some_and(|at| at <= keys.now_ms()) {
        keys.expire_due(0, 7);
    }
}

fn is_live(model: &Model, key: &[u8], now: i64) -> bool {
    model
        .get(key)
        .is_some_and(|at| at.is_none_or(|at| at > now))
}

fn apply(
    keys: &mut Keyspace,
    model: &mut Model,
    now: &mut i64,
    op: Op,
) -> Result<(), TestCaseError> {
    match op {
        Op::Set(k, ttl) => {
            let expiry = ttl.map_or(Expiry::Clear, |t| Expiry::At(*now + t));
            keys.set_string(0, &[k], b"v", expiry);
            model.insert(vec![k], ttl.map(|t| *now + t));
        }
        Op::Move(k, ttl) => {
            let live = is_live(model, &[k], *now);
            prop_assert_eq!(keys.set_expiry(0, &[k], ttl.map(|t| *now + t)), live);
            if live {
                model.insert(vec![k], ttl.map(|t| *now + t));
            }
        }
        Op::Delete(k) => {
            let live = is_live(model, &[k], *now);
            model.remove(&[k][..]);
            prop_assert_eq!(keys.delete(0, &[k]), live);
        }
        Op::Wait(ms) => {
            *now += ms;
            keys.set_now(*now);
        }
        Op::Expire(budget) => {
            keys.expire_due(0, budget);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn the_index_follows_every_change(ops in prop::collection::vec(op(), 0..1500), seed: u64) {
        let mut keys = Keyspace::new(1, seed, false);
        let mut now = 1_000_000;
        keys.set_now(now);
        let mut model = Model::new();
        for op in ops {
            apply(&mut keys, &mut model, &mut now, op)?;
            let live = model.values().filter(|at| at.is_none_or(|at| at > now)).count() as u64;
            prop_assert!(keys.live_count() <= live);
        }
        drain(&mut keys);
        model.retain(|_, at| at.is_none_or(|at| at > now));
        prop_assert_eq!(keys.db(0).len(), model.len());
        prop_assert_eq!(keys.db(0).volatile_len(), model.values().flatten().count());
        let earliest = model.values().flatten().min();
        let victim = keys.eviction_victim(EvictionPolicy::VolatileTtl, 5);
        prop_assert_eq!(victim.and_then(|v| model[&v.key]), earliest.copied());
        prop_assert_eq!(keys.live_count(), model.len() as u64);
        for (key, at) in &model {
            prop_assert_eq!(keys.peek(0, key).map(|e| e.expiry_ms()), Some(*at));
        }
        keys.set_now(now + 10_000);
        drain(&mut keys);
        prop_assert_eq!(keys.db(0).volatile_len(), 0);
        prop_assert_eq!(keys.next_expiry_ms(), None);
    }
}

#[test]
fn deleted_refreshed_keys_do_not_pile_up_in_the_index() {
    let mut keys = Keyspace::new(1, 1, false);
    keys.set_now(1_000_000);
    for round in 0..20_000i64 {
        keys.set_string(0, b"session", b"v", Expiry::At(2_000_000 + round));
        keys.set_expiry(0, b"session", Some(3_000_000 + round));
        keys.delete(0, b"session");
    }
    // 16 bytes an item: about a thousand stale ones are allowed, not twenty thousand.
    let bytes = keys.db(0).expiry_index_bytes();
    assert!(bytes < 60_000, "{bytes} bytes");
}
