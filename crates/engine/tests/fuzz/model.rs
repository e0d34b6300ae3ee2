//! One session, a subset of the commands, every reply compared with that of a plain model.
//!
//! The model knows keys with an expiry and values as the standard library's containers. Thresholds
//! change on the way, so that every encoding and every conversion is met.

use super::{Random, wire, words};
use crate::support::{Client, World};
use resp::{Decoder, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const REQUESTS: usize = 1500;
const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

#[derive(Clone)]
enum Item {
    Text(Vec<u8>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    List(VecDeque<Vec<u8>>),
    Sorted(BTreeMap<Vec<u8>, i64>),
}

struct Stored {
    item: Item,
    expiry_ms: Option<i64>,
}

#[derive(Default)]
struct Model {
    keys: BTreeMap<Vec<u8>, Stored>,
    now_ms: i64,
}

struct WrongType;
type Reply = Result<Value, WrongType>;

pub fn run(seed: u64) -> u64 {
    let mut random = Random(seed ^ 0x00c0_ffee);
    let mut world = World::new();
    let client = world.client();
    let mut decoder = Decoder::new();
    let mut model = Model::default();
    for _ in 0..REQUESTS {
        if random.one_in(20) {
            world.host.now_us += random.below(3000) as i64 * 1000;
        }
        if random.one_in(60) {
            change_thresholds(&mut random, &mut world, client, &mut decoder);
        }
        world.engine.begin_turn(&mut world.host);
        model.now_ms = world.host.now_us / 1000;
        let now_ms = model.now_ms;
        model
            .keys
            .retain(|_, stored| stored.expiry_ms.is_none_or(|at| at > now_ms));
        let request = request(&mut random);
        if request[0] == b"DBSIZE" {
            // It counts what has expired and was not yet met.
            world.end_turn();
        }
        let expected = model.answer(&request);
        let expected = expected.unwrap_or_else(|_| Value::Error(WRONG_TYPE.into()));
        let got = call(&mut world, client, &mut decoder, &request);
        let text = request.join(&b' ');
        assert_eq!(
            sorted(&request, got),
            sorted(&request, expected),
            "{}",
            text.escape_ascii()
        );
    }
    REQUESTS as u64
}

fn call(world: &mut World, client: Client, decoder: &mut Decoder, request: &[Vec<u8>]) -> Value {
    world.engine.feed(client.0, &wire(request), &mut world.host);
    world.end_turn();
    while !world.engine.output(client.0).is_empty() {
        let part = world.engine.output(client.0).to_vec();
        decoder.feed(&part);
        world.engine.sent(client.0, part.len());
    }
    decoder.decode().expect("valid").expect("a reply")
}

fn change_thresholds(
    random: &mut Random,
    world: &mut World,
    client: Client,
    decoder: &mut Decoder,
) {
    let option = random.pick(&[
        "hash-max-listpack-entries",
        "hash-max-listpack-value",
        "set-max-intset-entries",
        "set-max-listpack-entries",
        "set-max-listpack-value",
        "zset-max-listpack-entries",
        "zset-max-listpack-value",
        "list-max-listpack-size",
    ]);
    let value = random.pick(&[1, 2, 5, 20, 128]);
    let reply = call(
        world,
        client,
        decoder,
        &words(&format!("CONFIG SET {option} {value}")),
    );
    assert_eq!(reply, Value::Simple(b"OK".to_vec()));
}

/// Replies whose order is not defined, in order.
fn sorted(request: &[Vec<u8>], reply: Value) -> Value {
    let (is_pairs, is_free) = match request[0].as_slice() {
        b"HGETALL" => (true, true),
        b"SMEMBERS" | b"SINTER" | b"SUNION" | b"SDIFF" | b"KEYS" => (false, true),
        _ => (false, false),
    };
    let Value::Array(elements) = reply else {
        return reply;
    };
    if !is_free {
        return Value::Array(elements);
    }
    let bytes = |value: &Value| value.as_bytes().unwrap_or_default().to_vec();
    let mut groups: Vec<Vec<Vec<u8>>> = elements
        .chunks(if is_pairs { 2 } else { 1 })
        .map(|chunk| chunk.iter().map(bytes).collect())
        .collect();
    groups.sort();
    Value::Array(groups.into_iter().flatten().map(Value::Bulk).collect())
}

/// K is a key, M a member or field, V a value, I a number, T a time in milliseconds.
const FORMS: &[&str] = &[
    "SET K V",
    "SET K V PX T",
    "GET K",
    "APPEND K V",
    "STRLEN K",
    "DEL K",
    "DEL K K",
    "EXISTS K",
    "TYPE K",
    "PEXPIRE K T",
    "PERSIST K",
    "PTTL K",
    "RENAME K K",
    "COPY K K",
    "DBSIZE",
    "HSET K M V",
    "HSET K M V",
    "HSET K M V M V",
    "HDEL K M",
    "HGET K M",
    "HLEN K",
    "HGETALL K",
    "HEXISTS K M",
    "HSTRLEN K M",
    "SADD K M",
    "SADD K M M M",
    "SADD K I",
    "SREM K M",
    "SISMEMBER K M",
    "SCARD K",
    "SMEMBERS K",
    "SMOVE K K M",
    "SINTER K K",
    "SUNION K K",
    "SDIFF K K",
    "SUNIONSTORE K K K",
    "RPUSH K V",
    "LPUSH K V V",
    "RPUSH K V V V",
    "LPOP K",
    "RPOP K",
    "LLEN K",
    "LINDEX K I",
    "LRANGE K I I",
    "LREM K I V",
    "LMOVE K K LEFT RIGHT",
    "LTRIM K I I",
    "ZADD K I M",
    "ZADD K I M I M",
    "ZREM K M",
    "ZSCORE K M",
    "ZCARD K",
    "ZRANK K M",
    "ZRANGE K I I",
    "ZINCRBY K I M",
    "ZCOUNT K I I",
    "ZREVRANGE K I I",
    "ZPOPMIN K",
];

fn request(random: &mut Random) -> Vec<Vec<u8>> {
    let form = words(random.pick::<&str>(FORMS));
    // Most requests meet a key of their own type.
    let kind = match form[0][0] {
        b'H' => 'h',
        b'Z' => 'z',
        b'S' if !matches!(form[0].as_slice(), b"SET" | b"STRLEN") => 't',
        b'R' | b'L' if form[0] != b"RENAME" => 'l',
        _ => *random.pick(&['s', 'h', 'z', 't', 'l']),
    };
    let word = |word: &Vec<u8>| match word.as_slice() {
        b"K" if random.one_in(40) => b"shared".to_vec(),
        b"K" => format!("{kind}{}", random.below(3)).into_bytes(),
        b"M" => match random.below(12) {
            0 => vec![b'x'; 1 + random.below(100)],
            1..=5 => random.below(200).to_string().into_bytes(),
            _ => format!("m{}", random.below(120)).into_bytes(),
        },
        b"V" => match random.below(8) {
            0 => vec![b'v'; random.below(200)],
            1 => (random.next() as i64).to_string().into_bytes(),
            _ => format!("{}", random.below(30)).into_bytes(),
        },
        b"I" => (random.below(60) as i64 - 20).to_string().into_bytes(),
        b"T" => (1 + random.below(20_000)).to_string().into_bytes(),
        _ => word.clone(),
    };
    form.iter().map(word).collect()
}

fn bulk(bytes: Option<&Vec<u8>>) -> Value {
    bytes.map_or(Value::Null, |bytes| Value::Bulk(bytes.clone()))
}

fn list<'a>(items: impl IntoIterator<Item = &'a Vec<u8>>) -> Value {
    Value::Array(items.into_iter().cloned().map(Value::Bulk).collect())
}

fn integer(n: usize) -> Value {
    Value::Integer(n as i64)
}

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

fn number(text: &[u8]) -> i64 {
    std::str::from_utf8(text)
        .expect("digits")
        .parse()
        .expect("a number")
}

/// The part of `len` elements that a command's first and last index mean.
fn span(len: usize, first: &[u8], last: &[u8]) -> std::ops::Range<usize> {
    let len = len as i64;
    let place = |n: i64| if n < 0 { n + len } else { n };
    let (first, last) = (
        place(number(first)).max(0),
        place(number(last)).min(len - 1),
    );
    if first > last {
        0..0
    } else {
        first as usize..last as usize + 1
    }
}

/// Access to keys as one type: absent, there, or of another type.
macro_rules! typed {
    ($read:ident, $change:ident, $variant:ident, $type:ty) => {
        fn $read(&self, key: &[u8]) -> Result<$type, WrongType> {
            match self.keys.get(key).map(|stored| &stored.item) {
                None => Ok(Default::default()),
                Some(Item::$variant(value)) => Ok(value.clone()),
                Some(_) => Err(WrongType),
            }
        }

        /// Runs `change` on the value, made empty if absent; removes it when it is left empty.
        fn $change<T>(
            &mut self,
            key: &[u8],
            change: impl FnOnce(&mut $type) -> T,
        ) -> Result<T, WrongType> {
            let stored = self.keys.entry(key.to_vec()).or_insert_with(|| Stored {
                item: Item::$variant(Default::default()),
                expiry_ms: None,
            });
            let Item::$variant(value) = &mut stored.item else {
                return Err(WrongType);
            };
            let result = change(value);
            if value.is_empty() {
                self.keys.remove(key);
            }
            Ok(result)
        }
    };
}

impl Model {
    typed!(hash, change_hash, Hash, BTreeMap<Vec<u8>, Vec<u8>>);
    typed!(set, change_set, Set, BTreeSet<Vec<u8>>);
    typed!(list, change_list, List, VecDeque<Vec<u8>>);
    typed!(sorted, change_sorted, Sorted, BTreeMap<Vec<u8>, i64>);

    fn answer(&mut self, a: &[Vec<u8>]) -> Reply {
        match a[0][0] {
            b'H' => self.answer_hash(a),
            b'Z' => self.answer_sorted(a),
            b'L' => self.answer_list(a),
            b'R' if a[0] != b"RENAME" => self.answer_list(a),
            b'S' if !matches!(a[0].as_slice(), b"SET" | b"STRLEN") => self.answer_set(a),
            _ => self.answer_key(a),
        }
    }

    fn text(&self, key: &[u8]) -> Result<Option<&Vec<u8>>, WrongType> {
        match self.keys.get(key).map(|stored| &stored.item) {
            None => Ok(None),
            Some(Item::Text(text)) => Ok(Some(text)),
            Some(_) => Err(WrongType),
        }
    }

    fn answer_key(&mut self, a: &[Vec<u8>]) -> Reply {
        Ok(match a[0].as_slice() {
            b"SET" => {
                let stored = Stored {
                    item: Item::Text(a[2].clone()),
                    expiry_ms: a.get(4).map(|text| self.now_ms + number(text)),
                };
                self.keys.insert(a[1].clone(), stored);
                ok()
            }
            b"GET" => bulk(self.text(&a[1])?),
            b"STRLEN" => integer(self.text(&a[1])?.map_or(0, Vec::len)),
            b"APPEND" => {
                let mut text = self.text(&a[1])?.cloned().unwrap_or_default();
                text.extend(&a[2]);
                let len = text.len();
                let expiry_ms = self.keys.get(&a[1]).and_then(|stored| stored.expiry_ms);
                let item = Item::Text(text);
                self.keys.insert(a[1].clone(), Stored { item, expiry_ms });
                integer(len)
            }
            b"DEL" => integer(
                a[1..]
                    .iter()
                    .filter(|key| self.keys.remove(*key).is_some())
                    .count(),
            ),
            b"EXISTS" => integer(usize::from(self.keys.contains_key(&a[1]))),
            b"DBSIZE" => integer(self.keys.len()),
            b"TYPE" => {
                let name = match self.keys.get(&a[1]).map(|stored| &stored.item) {
                    None => "none",
                    Some(Item::Text(_)) => "string",
                    Some(Item::Hash(_)) => "hash",
                    Some(Item::Set(_)) => "set",
                    Some(Item::List(_)) => "list",
                    Some(Item::Sorted(_)) => "zset",
                };
                Value::Simple(name.into())
            }
            _ => self.answer_place(a),
        })
    }

    /// Commands on a key as such: its expiry and its name.
    fn answer_place(&mut self, a: &[Vec<u8>]) -> Value {
        match a[0].as_slice() {
            b"PEXPIRE" => {
                let at = Some(self.now_ms + number(&a[2]));
                let stored = self.keys.get_mut(&a[1]);
                integer(stored.map_or(0, |stored| {
                    stored.expiry_ms = at;
                    1
                }))
            }
            b"PERSIST" => {
                let stored = self.keys.get_mut(&a[1]);
                let expiry_ms = stored.and_then(|stored| stored.expiry_ms.take());
                integer(usize::from(expiry_ms.is_some()))
            }
            b"PTTL" => Value::Integer(match self.keys.get(&a[1]) {
                None => -2,
                Some(stored) => stored.expiry_ms.map_or(-1, |at| at - self.now_ms),
            }),
            b"RENAME" => match self.keys.remove(&a[1]) {
                None => Value::Error(b"ERR no such key".to_vec()),
                Some(stored) => {
                    self.keys.insert(a[2].clone(), stored);
                    ok()
                }
            },
            b"COPY" if a[1] == a[2] => {
                Value::Error(b"ERR source and destination objects are the same".to_vec())
            }
            b"COPY" => match self.keys.get(&a[1]) {
                Some(stored) if !self.keys.contains_key(&a[2]) => {
                    let (item, expiry_ms) = (stored.item.clone(), stored.expiry_ms);
                    self.keys.insert(a[2].clone(), Stored { item, expiry_ms });
                    integer(1)
                }
                _ => integer(0),
            },
            name => unreachable!("{}", name.escape_ascii()),
        }
    }

    fn answer_hash(&mut self, a: &[Vec<u8>]) -> Reply {
        let hash = self.hash(&a[1])?;
        Ok(match a[0].as_slice() {
            b"HSET" => integer(self.change_hash(&a[1], |hash| {
                let before = hash.len();
                for pair in a[2..].chunks(2) {
                    hash.insert(pair[0].clone(), pair[1].clone());
                }
                hash.len() - before
            })?),
            b"HDEL" => {
                integer(self.change_hash(&a[1], |hash| usize::from(hash.remove(&a[2]).is_some()))?)
            }
            b"HGET" => bulk(hash.get(&a[2])),
            b"HLEN" => integer(hash.len()),
            b"HGETALL" => list(hash.iter().flat_map(|(field, value)| [field, value])),
            b"HEXISTS" => integer(usize::from(hash.contains_key(&a[2]))),
            b"HSTRLEN" => integer(hash.get(&a[2]).map_or(0, Vec::len)),
            name => unreachable!("{}", name.escape_ascii()),
        })
    }

    fn answer_set(&mut self, a: &[Vec<u8>]) -> Reply {
        Ok(match a[0].as_slice() {
            b"SADD" => integer(self.change_set(&a[1], |set| {
                a[2..]
                    .iter()
                    .filter(|member| set.insert((*member).clone()))
                    .count()
            })?),
            b"SREM" => integer(self.change_set(&a[1], |set| usize::from(set.remove(&a[2])))?),
            b"SISMEMBER" => integer(usize::from(self.set(&a[1])?.contains(&a[2]))),
            b"SCARD" => integer(self.set(&a[1])?.len()),
            b"SMEMBERS" => list(&self.set(&a[1])?),
            b"SMOVE" => {
                // An absent source is answered before the destination's type is looked at.
                if !self.keys.contains_key(&a[1]) {
                    return Ok(integer(0));
                }
                let is_member = self.set(&a[1])?.contains(&a[3]);
                self.set(&a[2])?;
                if is_member && a[1] != a[2] {
                    self.change_set(&a[1], |set| set.remove(&a[3]))?;
                    self.change_set(&a[2], |set| set.insert(a[3].clone()))?;
                }
                integer(usize::from(is_member))
            }
            b"SINTER" => list(self.set(&a[1])?.intersection(&self.set(&a[2])?)),
            b"SUNION" => list(self.set(&a[1])?.union(&self.set(&a[2])?)),
            b"SDIFF" => list(self.set(&a[1])?.difference(&self.set(&a[2])?)),
            b"SUNIONSTORE" => {
                let result: BTreeSet<_> =
                    self.set(&a[2])?.union(&self.set(&a[3])?).cloned().collect();
                self.keys.remove(&a[1]);
                integer(self.change_set(&a[1], |set| {
                    *set = result;
                    set.len()
                })?)
            }
            name => unreachable!("{}", name.escape_ascii()),
        })
    }

    fn answer_list(&mut self, a: &[Vec<u8>]) -> Reply {
        let items = self.list(&a[1])?;
        Ok(match a[0].as_slice() {
            b"RPUSH" | b"LPUSH" => integer(self.change_list(&a[1], |list| {
                for value in &a[2..] {
                    match a[0][0] {
                        b'R' => list.push_back(value.clone()),
                        _ => list.push_front(value.clone()),
                    }
                }
                list.len()
            })?),
            b"LPOP" => bulk(self.change_list(&a[1], VecDeque::pop_front)?.as_ref()),
            b"RPOP" => bulk(self.change_list(&a[1], VecDeque::pop_back)?.as_ref()),
            b"LLEN" => integer(items.len()),
            b"LINDEX" => {
                let n = number(&a[2]);
                let place = if n < 0 { n + items.len() as i64 } else { n };
                bulk(
                    usize::try_from(place)
                        .ok()
                        .and_then(|place| items.get(place)),
                )
            }
            b"LRANGE" => list(items.range(span(items.len(), &a[2], &a[3]))),
            b"LTRIM" => {
                let kept = span(items.len(), &a[2], &a[3]);
                self.change_list(&a[1], |list| *list = items.range(kept).cloned().collect())?;
                ok()
            }
            b"LREM" => {
                let count = number(&a[2]);
                let most = if count == 0 {
                    usize::MAX
                } else {
                    count.unsigned_abs() as usize
                };
                let mut places: Vec<usize> =
                    (0..items.len()).filter(|&n| items[n] == a[3]).collect();
                if count < 0 {
                    places.reverse();
                }
                places.truncate(most);
                places.sort_by(|one, other| other.cmp(one));
                integer(self.change_list(&a[1], |list| {
                    places.iter().for_each(|&place| drop(list.remove(place)));
                    places.len()
                })?)
            }
            b"LMOVE" if items.is_empty() => Value::Null,
            b"LMOVE" => {
                self.list(&a[2])?;
                let moved = items[0].clone();
                // A list of one, moved to itself, stays what it was: it keeps its expiry.
                if a[1] == a[2] && items.len() == 1 {
                    return Ok(Value::Bulk(moved));
                }
                self.change_list(&a[1], VecDeque::pop_front)?;
                self.change_list(&a[2], |list| list.push_back(moved.clone()))?;
                Value::Bulk(moved)
            }
            name => unreachable!("{}", name.escape_ascii()),
        })
    }

    fn answer_sorted(&mut self, a: &[Vec<u8>]) -> Reply {
        let scores = self.sorted(&a[1])?;
        let mut order: Vec<(i64, &Vec<u8>)> = scores
            .iter()
            .map(|(member, score)| (*score, member))
            .collect();
        order.sort();
        Ok(match a[0].as_slice() {
            b"ZADD" => integer(self.change_sorted(&a[1], |set| {
                let before = set.len();
                for pair in a[2..].chunks(2) {
                    set.insert(pair[1].clone(), number(&pair[0]));
                }
                set.len() - before
            })?),
            b"ZINCRBY" => {
                let score = self.change_sorted(&a[1], |set| {
                    let score = set.entry(a[3].clone()).or_default();
                    *score += number(&a[2]);
                    *score
                })?;
                Value::Bulk(score.to_string().into_bytes())
            }
            b"ZREM" => {
                integer(self.change_sorted(&a[1], |set| usize::from(set.remove(&a[2]).is_some()))?)
            }
            b"ZSCORE" => bulk(
                scores
                    .get(&a[2])
                    .map(|score| score.to_string().into_bytes())
                    .as_ref(),
            ),
            b"ZCARD" => integer(scores.len()),
            b"ZRANK" => order
                .iter()
                .position(|(_, member)| **member == a[2])
                .map_or(Value::Null, integer),
            b"ZRANGE" => list(
                order[span(order.len(), &a[2], &a[3])]
                    .iter()
                    .map(|(_, member)| *member),
            ),
            b"ZREVRANGE" => {
                order.reverse();
                list(
                    order[span(order.len(), &a[2], &a[3])]
                        .iter()
                        .map(|(_, member)| *member),
                )
            }
            b"ZCOUNT" => {
                let range = number(&a[2])..=number(&a[3]);
                integer(
                    order
                        .iter()
                        .filter(|(score, _)| range.contains(score))
                        .count(),
                )
            }
            b"ZPOPMIN" => match order.first() {
                None => Value::Array(Vec::new()),
                Some((score, member)) => {
                    let reply = list([*member, &score.to_string().into_bytes()]);
                    self.change_sorted(&a[1], |set| set.remove(*member))?;
                    reply
                }
            },
            name => unreachable!("{}", name.escape_ascii()),
        })
    }
}
