//! A snapshot of our primary on its way in: decoded as it comes, into databases beside those that are
//! served. Only when all of it is there and was found good does it take their place; whatever goes
//! wrong before leaves the old data as it was.
//!
//! Keys that have expired are loaded like any other: it is the primary that deletes them.
//!
//! Tests: `tests/replication.rs`.

use crate::persistence::load_batch::LoadBatch;
use engine::{Engine, LoadEntry, LoadOutcome, LoadPolicy};
use keyspace::Keyspace;
use rdb::{Decoder, Event, Reason};
use replication::LoadFailure;

/// A database is given room for its announced keys up to this many; more come as they come.
const RESERVED_KEYS_MAX: u64 = 1 << 20;

const POLICY: LoadPolicy = LoadPolicy {
    keep_expired: true,
    replace: false,
};

pub struct Incoming {
    decoder: Box<Decoder>,
    keyspace: Keyspace,
    batch: LoadBatch,
    /// Not yet decoded: less than an item.
    rest: Vec<u8>,
    keys: u64,
    /// Which database the stream behind the snapshot has selected.
    stream_db: u32,
    started_ms: i64,
    read_bytes: u64,
}

/// What a whole snapshot is.
pub struct Complete {
    pub keyspace: Keyspace,
    pub keys: u64,
    pub stream_db: u32,
}

impl Incoming {
    pub fn new(engine: &Engine, now_ms: i64) -> Incoming {
        Incoming {
            decoder: Box::new(Decoder::new(
                engine.load_limits(),
                engine.config.rdbchecksum,
            )),
            keyspace: engine.keyspace.incoming(),
            batch: LoadBatch::default(),
            rest: Vec::new(),
            keys: 0,
            stream_db: 0,
            started_ms: now_ms,
            read_bytes: 0,
        }
    }

    pub fn started_ms(&self) -> i64 {
        self.started_ms
    }

    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// The next bytes.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), LoadFailure> {
        self.read_bytes += bytes.len() as u64;
        if self.rest.is_empty() {
            let left = self.decode(bytes)?;
            self.rest.extend_from_slice(&bytes[bytes.len() - left..]);
            return Ok(());
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(bytes);
        let left = self.decode(&rest)?;
        rest.drain(..rest.len() - left);
        self.rest = rest;
        Ok(())
    }

    /// Decodes what is whole; returns how many bytes are left over.
    fn decode(&mut self, bytes: &[u8]) -> Result<usize, LoadFailure> {
        let Incoming {
            decoder,
            keyspace,
            batch,
            keys,
            stream_db,
            ..
        } = self;
        let mut input = bytes;
        let mut failure = None;
        while !decoder.is_done() {
            let needs_more = decoder.run(&mut input, &mut |event| {
                failure = take_event(event, keyspace, batch, keys, stream_db).err();
                failure.is_none()
            });
            if let Some(failure) = failure {
                return Err(failure);
            }
            if !needs_more.map_err(|error| failure_of(&error))? {
                break;
            }
        }
        put(keyspace, batch, keys)?;
        Ok(input.len())
    }

    /// There is no more of it.
    pub fn complete(self) -> Result<Complete, LoadFailure> {
        if !self.decoder.is_done() {
            let text = format!("it ends early, after {} bytes", self.read_bytes);
            return Err(LoadFailure::Corrupt(text));
        }
        if !self.rest.is_empty() {
            let text = format!("{} bytes follow its end", self.rest.len());
            return Err(LoadFailure::Corrupt(text));
        }
        Ok(Complete {
            keyspace: self.keyspace,
            keys: self.keys,
            stream_db: self.stream_db,
        })
    }

    /// What was loaded so far, to be dropped where it delays nobody.
    pub fn into_keyspace(self) -> Keyspace {
        self.keyspace
    }
}

fn take_event(
    event: Event<'_>,
    keyspace: &mut Keyspace,
    batch: &mut LoadBatch,
    keys: &mut u64,
    stream_db: &mut u32,
) -> Result<(), LoadFailure> {
    match event {
        Event::Aux {
            key: b"repl-stream-db",
            value,
        } => {
            let number = std::str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse().ok());
            // Redis has written -1 where it meant none.
            *stream_db = number.unwrap_or(0);
            check_db(*stream_db, keyspace)
        }
        Event::SelectDb { db } => check_db(db, keyspace),
        Event::ResizeDb { db, keys, .. } => {
            keyspace.reserve(db, keys.min(RESERVED_KEYS_MAX) as usize);
            Ok(())
        }
        Event::Entry {
            db,
            key,
            value,
            expiry_ms,
            access,
        } => {
            let entry = LoadEntry {
                db,
                key,
                value,
                expiry_ms,
                access,
            };
            match batch.push(entry, keyspace) {
                true => put(keyspace, batch, keys),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn put(keyspace: &mut Keyspace, batch: &mut LoadBatch, keys: &mut u64) -> Result<(), LoadFailure> {
    batch.drain(|entry| {
        let (db, key) = (entry.db, entry.key);
        match engine::load_into(keyspace, entry, POLICY) {
            LoadOutcome::Added | LoadOutcome::Expired => {
                *keys += 1;
                Ok(())
            }
            LoadOutcome::Duplicate => Err(LoadFailure::Corrupt(format!(
                "it has the key '{}' twice in database {db}",
                String::from_utf8_lossy(key)
            ))),
            LoadOutcome::NoSuchDb => check_db(db, keyspace),
        }
    })
}

fn check_db(db: u32, keyspace: &Keyspace) -> Result<(), LoadFailure> {
    let count = keyspace.db_count();
    if (db as usize) < count {
        return Ok(());
    }
    Err(LoadFailure::Incompatible(format!(
        "it uses database {db}, and this server is configured for {count} (option databases)"
    )))
}

fn failure_of(error: &rdb::LoadError) -> LoadFailure {
    let text = error.to_string();
    match error.reason {
        Reason::UnsupportedVersion(_)
        | Reason::RefusedType(_)
        | Reason::RefusedModule(_)
        | Reason::RefusedModuleAux(_)
        | Reason::RefusedFunctions
        | Reason::RefusedSlotImport => LoadFailure::Incompatible(text),
        _ => LoadFailure::Corrupt(text),
    }
}
