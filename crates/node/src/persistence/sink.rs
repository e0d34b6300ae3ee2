//! What a snapshot pass feeds: an encoder, whose output leaves in chunks for the writing thread.
//!
//! Lives inside of the keyspace while the pass is under way, because a write shows it the old
//! content of what it is about to change.

use crate::outside::Chunk;
use aof::CommandSink;
use keyspace::snapshot::{BigHeader, Piece, Sink};
use keyspace::{AccessMeter, Entry};
use rdb::{AccessInfo, Encoder};
use std::any::Any;

/// Output is handed on in pieces of about this size: large enough that a hand-over costs little per
/// byte, small enough to keep memory flat.
const CHUNK_BYTES: usize = 256 * 1024;

/// Which use of keys goes into the file beside them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    None,
    IdleSeconds,
    Frequency,
}

/// Encodes RDB.
pub struct RdbSink {
    encoder: Encoder,
    meter: AccessMeter,
    access: Access,
    keys: u64,
    ready: Vec<Chunk>,
}

/// Encodes commands (`aof-use-rdb-preamble no`).
pub struct PlainSink {
    commands: CommandSink,
    keys: u64,
    ready: Vec<Chunk>,
}

/// What the save needs of either.
pub trait Output: Sink {
    /// Keys shown so far.
    fn keys(&self) -> u64;
    /// Bytes in full chunks that wait to be taken.
    fn ready_bytes(&self) -> usize;
    /// Full chunks; with `all` also the one being filled.
    fn take(&mut self, all: bool) -> Vec<Chunk>;
    /// Everything was shown: the end of the file.
    fn finish(&mut self);
}

impl RdbSink {
    pub fn new(encoder: Encoder, meter: AccessMeter, access: Access) -> RdbSink {
        RdbSink {
            encoder,
            meter,
            access,
            keys: 0,
            ready: Vec::new(),
        }
    }

    fn access_of(&self, bits: u32) -> AccessInfo {
        match self.access {
            Access::None => AccessInfo::None,
            Access::IdleSeconds => AccessInfo::IdleSeconds(self.meter.idle_seconds(bits).into()),
            Access::Frequency => AccessInfo::Frequency(self.meter.frequency(bits) as u8),
        }
    }

    fn collect(&mut self) {
        if self.encoder.pending_bytes() >= CHUNK_BYTES {
            self.ready.push(Chunk::Rdb(self.encoder.take()));
        }
    }
}

impl Sink for RdbSink {
    fn entry(&mut self, db: u32, entry: Entry<'_>) {
        let access = self.access_of(entry.access());
        self.encoder.entry(db, entry, access);
        self.keys += 1;
        self.collect();
    }

    fn big_begin(&mut self, db: u32, header: BigHeader<'_>) {
        let access = self.access_of(header.access);
        self.encoder.big_begin(db, &header, access);
    }

    fn big_piece(&mut self, piece: Piece<'_>) {
        self.encoder.big_piece(piece);
        self.collect();
    }

    fn big_end(&mut self) {
        self.encoder.big_end();
        self.keys += 1;
    }
}

impl Output for RdbSink {
    fn keys(&self) -> u64 {
        self.keys
    }

    fn ready_bytes(&self) -> usize {
        self.ready.iter().map(Chunk::len).sum()
    }

    fn take(&mut self, all: bool) -> Vec<Chunk> {
        if all && self.encoder.pending_bytes() > 0 {
            self.ready.push(Chunk::Rdb(self.encoder.take()));
        }
        std::mem::take(&mut self.ready)
    }

    fn finish(&mut self) {
        self.encoder.footer();
    }
}

impl PlainSink {
    pub fn new(commands: CommandSink) -> PlainSink {
        PlainSink {
            commands,
            keys: 0,
            ready: Vec::new(),
        }
    }

    fn collect(&mut self) {
        if self.commands.pending_bytes() >= CHUNK_BYTES {
            self.ready.push(Chunk::Plain(self.commands.take()));
        }
    }
}

impl Sink for PlainSink {
    fn entry(&mut self, db: u32, entry: Entry<'_>) {
        self.commands.entry(db, entry);
        self.keys += 1;
        self.collect();
    }

    fn big_begin(&mut self, db: u32, header: BigHeader<'_>) {
        self.commands.big_begin(db, header);
    }

    fn big_piece(&mut self, piece: Piece<'_>) {
        self.commands.big_piece(piece);
        self.collect();
    }

    fn big_end(&mut self) {
        self.commands.big_end();
        self.keys += 1;
    }
}

impl Output for PlainSink {
    fn keys(&self) -> u64 {
        self.keys
    }

    fn ready_bytes(&self) -> usize {
        self.ready.iter().map(Chunk::len).sum()
    }

    fn take(&mut self, all: bool) -> Vec<Chunk> {
        if all && self.commands.pending_bytes() > 0 {
            self.ready.push(Chunk::Plain(self.commands.take()));
        }
        std::mem::take(&mut self.ready)
    }

    fn finish(&mut self) {}
}

/// The sink behind a pass that [`crate::persistence`] began.
pub fn output_of(sink: &mut dyn Sink) -> &mut dyn Output {
    let any: &mut dyn Any = sink;
    // Two look-ups, because the borrow of the first one would last for both.
    if any.is::<RdbSink>() {
        any.downcast_mut::<RdbSink>().expect("just asked")
    } else {
        any.downcast_mut::<PlainSink>()
            .expect("no other sink is given to a pass")
    }
}
