//! Choosing what to evict when memory is short, by `maxmemory-policy`.
//!
//! As Redis does: sample a few keys, keep the best candidates in a small pool across calls, take the
//! best. With the expiry index, volatile policies sample volatile keys directly and `volatile-ttl`
//! is exact. The engine decides when and how much; this only names a victim.

use crate::access::Tracking;
use crate::db::Db;
use crate::journal::{NotifyClass, Removal};
use crate::keys::Keyspace;
use crate::notes::notes;

const POOL_SIZE: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EvictionPolicy {
    #[default]
    NoEviction,
    AllKeysLru,
    AllKeysLfu,
    AllKeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

impl EvictionPolicy {
    pub fn is_volatile(self) -> bool {
        use EvictionPolicy::*;
        matches!(
            self,
            VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl
        )
    }

    pub fn is_lfu(self) -> bool {
        matches!(
            self,
            EvictionPolicy::AllKeysLfu | EvictionPolicy::VolatileLfu
        )
    }

    pub fn is_lru(self) -> bool {
        matches!(
            self,
            EvictionPolicy::AllKeysLru | EvictionPolicy::VolatileLru
        )
    }

    fn is_random(self) -> bool {
        matches!(
            self,
            EvictionPolicy::AllKeysRandom | EvictionPolicy::VolatileRandom
        )
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Victim {
    pub db: u32,
    pub key: Vec<u8>,
}

struct Candidate {
    score: u64,
    victim: Victim,
}

/// The best candidates seen so far, worst first.
#[derive(Default)]
pub(crate) struct EvictionPool(Vec<Candidate>);

impl EvictionPool {
    fn offer(&mut self, score: u64, db: u32, key: &[u8]) {
        if self.0.len() == POOL_SIZE && self.0[0].score >= score {
            return;
        }
        if self
            .0
            .iter()
            .any(|c| c.victim.db == db && c.victim.key == key)
        {
            return;
        }
        let at = self.0.partition_point(|c| c.score < score);
        self.0.insert(
            at,
            Candidate {
                score,
                victim: Victim {
                    db,
                    key: key.to_vec(),
                },
            },
        );
        if self.0.len() > POOL_SIZE {
            self.0.remove(0);
        }
    }
}

impl Keyspace {
    /// Names the next key to evict, or nothing if the policy has nothing left to give.
    pub fn eviction_victim(&mut self, policy: EvictionPolicy, samples: usize) -> Option<Victim> {
        if policy == EvictionPolicy::NoEviction {
            return None;
        }
        if policy == EvictionPolicy::VolatileTtl {
            return self.first_to_expire();
        }
        if policy.is_random() {
            return self.random_victim(policy.is_volatile());
        }
        loop {
            if !self.fill_pool(policy, samples) {
                self.pool.0.clear();
                return None;
            }
            while let Some(best) = self.pool.0.pop() {
                let Victim { db, key } = &best.victim;
                let still = self.dbs[*db as usize].contains(key, policy.is_volatile());
                if still {
                    return Some(best.victim);
                }
            }
        }
    }

    /// Deletes a victim, with its notification and statistics.
    pub fn evict(&mut self, victim: &Victim) -> bool {
        self.before_write(victim.db, &victim.key);
        let Some(entry) = self.dbs[victim.db as usize].remove(&victim.key) else {
            return false;
        };
        notes!(self).discard(victim.db, entry);
        self.stats.evicted += 1;
        self.journal
            .notify(NotifyClass::EVICTED, "evicted", victim.db, &victim.key);
        self.journal.touched(victim.db, &victim.key);
        if self.journal.track_removals {
            self.journal
                .removals
                .push((victim.db, victim.key.as_slice().into(), Removal::Evicted));
        }
        true
    }

    /// The volatile key with the earliest expiry. Items found to be early are filed at their true
    /// time on the way, so each is met once.
    fn first_to_expire(&mut self) -> Option<Victim> {
        loop {
            let firsts = (0..)
                .zip(&self.dbs)
                .filter_map(|(i, d)| Some((i, d.expires.first()?)));
            let (db, item) = firsts.min_by_key(|(_, item)| item.at_ms())?;
            let d = &mut self.dbs[db as usize];
            match d.covered(item) {
                Some(e)
                    if e.expiry()
                        .is_some_and(|at| at <= item.at_ms() || item.is_latest()) =>
                {
                    return Some(Victim {
                        db,
                        key: e.key().to_vec(),
                    });
                }
                _ => {
                    d.expires.pop(item);
                    d.refile(item);
                }
            }
        }
    }

    fn random_victim(&mut self, volatile: bool) -> Option<Victim> {
        let total: usize = self.dbs.iter().map(|d| d.pool_len(volatile)).sum();
        if total == 0 {
            return None;
        }
        let mut at = self.rng.below(total as u64) as usize;
        for (index, d) in (0..).zip(&self.dbs) {
            let len = d.pool_len(volatile);
            if at >= len {
                at -= len;
                continue;
            }
            let key = if volatile {
                let item = d.expires.get(at * d.expires.item_count() / len)?;
                match d.covered(item) {
                    Some(e) => e.key().to_vec(),
                    None => return self.first_to_expire(),
                }
            } else {
                let table = d.random_table(&mut self.rng)?;
                d.tables[table]
                    .random(|| self.rng.next_u64())?
                    .key()
                    .to_vec()
            };
            return Some(Victim { db: index, key });
        }
        None
    }

    /// Samples every database into the pool; false if there is nothing to sample.
    fn fill_pool(&mut self, policy: EvictionPolicy, samples: usize) -> bool {
        let mut any = false;
        for index in 0..self.dbs.len() {
            let len = self.dbs[index].pool_len(policy.is_volatile());
            any |= len > 0;
            for _ in 0..samples.min(len) {
                self.sample(index as u32, policy.is_volatile());
            }
        }
        any
    }

    fn sample(&mut self, index: u32, volatile: bool) {
        let Keyspace {
            dbs,
            rng,
            pool,
            access,
            ..
        } = self;
        let d = &dbs[index as usize];
        let mut offer = |aux: u32, key: &[u8]| {
            let score = match access.tracking {
                Tracking::Lru => access.idle_seconds(aux),
                Tracking::Lfu { .. } => 255 - access.frequency(aux),
            };
            pool.offer(u64::from(score), index, key);
        };
        if volatile {
            let at = rng.below(d.expires.item_count() as u64) as usize;
            if let Some(e) = d.expires.get(at).and_then(|item| d.covered(item)) {
                offer(e.aux(), e.key());
            }
        } else if let Some(table) = d.random_table(rng)
            && let Some(e) = d.tables[table].random(|| rng.next_u64())
        {
            offer(e.aux(), e.key());
        }
    }
}

impl Db {
    fn pool_len(&self, volatile: bool) -> usize {
        if volatile {
            self.volatile_len()
        } else {
            self.len()
        }
    }

    fn contains(&self, key: &[u8], volatile: bool) -> bool {
        let entry = self.tables[self.table_index(key)].find(self.hash(key), key);
        entry.is_some_and(|e| !volatile || e.expiry().is_some())
    }
}
