//! Stepping over values of types that are not served, for check-rdb.
//!
//! A type is a list of steps, some of which repeat others as often as a number in the data says, so
//! a stack of places replaces code for each type. What modules store describes itself. Only the
//! structure is checked, not what it means. Sources: streams and hashes with field expiry as the
//! releases named in `format` write them. Tests: `tests/check.rs`.

use super::cursor::{Cursor, Read};
use crate::error::Reason;
use crate::format::{kind, module};

enum Step {
    Length,
    String,
    Bytes(u64),
    /// A number, then the steps so many times.
    Repeat(&'static [Step]),
}

use Step::{Bytes, Length, Repeat, String};

const PENDING_ID: u64 = 16;
const TIME_MS: u64 = 8;

const STREAM_NODES: Step = Repeat(&[String, String]);
const PENDING: Step = Repeat(&[Bytes(PENDING_ID), Bytes(TIME_MS), Length]);
const CONSUMERS: Step = Repeat(&[String, Bytes(TIME_MS), Repeat(&[Bytes(PENDING_ID)])]);
const CONSUMERS_3: Step = Repeat(&[
    String,
    Bytes(TIME_MS),
    Bytes(TIME_MS),
    Repeat(&[Bytes(PENDING_ID)]),
]);

/// Nodes, length, last id, groups.
const STREAM: &[Step] = &[
    STREAM_NODES,
    Length,
    Length,
    Length,
    Repeat(&[String, Length, Length, PENDING, CONSUMERS]),
];
/// As before with first id, highest deleted id, count of all added, and what each group read.
const STREAM_2: &[Step] = &[
    STREAM_NODES,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Repeat(&[String, Length, Length, Length, PENDING, CONSUMERS]),
];
const STREAM_3: &[Step] = &[
    STREAM_NODES,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Repeat(&[String, Length, Length, Length, PENDING, CONSUMERS_3]),
];
/// Fields with expiry in Redis 7.4: as tables and packed, before the release and in it.
const HASH_22: &[Step] = &[Repeat(&[Length, String, String])];
const HASH_23: &[Step] = &[String];
const HASH_24: &[Step] = &[Bytes(TIME_MS), Repeat(&[Length, String, String])];
const HASH_25: &[Step] = &[Bytes(TIME_MS), String];
/// And in Valkey 9.
const HASH_VALKEY: &[Step] = &[Repeat(&[String, String, Bytes(TIME_MS)])];

/// Where in a list of steps, and how often it is still to be done, this time included.
pub(super) struct Place {
    steps: &'static [Step],
    next: usize,
    times_left: u64,
}

/// A value that is stepped over.
pub(super) enum Skip {
    Module,
    Steps(Vec<Place>),
}

impl Skip {
    pub fn module() -> Skip {
        Skip::Module
    }

    pub fn functions() -> Skip {
        Skip::of_steps(&[String])
    }

    pub fn of_kind(code: u8, is_valkey: bool) -> Skip {
        Skip::of_steps(match code {
            kind::STREAM => STREAM,
            kind::STREAM_2 => STREAM_2,
            kind::STREAM_3 => STREAM_3,
            kind::HASH_EXPIRING_22 if is_valkey => HASH_VALKEY,
            kind::HASH_EXPIRING_22 => HASH_22,
            23 => HASH_23,
            24 => HASH_24,
            _ => HASH_25,
        })
    }

    fn of_steps(steps: &'static [Step]) -> Skip {
        Skip::Steps(vec![Place {
            steps,
            next: 0,
            times_left: 1,
        }])
    }

    /// Goes on to the end, committing on the way.
    pub fn run(&mut self, cursor: &mut Cursor<'_>) -> Read<()> {
        match self {
            Skip::Module => run_module(cursor),
            Skip::Steps(places) => run_steps(places, cursor),
        }
    }
}

fn run_steps(places: &mut Vec<Place>, cursor: &mut Cursor<'_>) -> Read<()> {
    while let Some(place) = places.last_mut() {
        let Some(step) = place.steps.get(place.next) else {
            place.next = 0;
            place.times_left -= 1;
            if place.times_left == 0 {
                places.pop();
            }
            continue;
        };
        match step {
            Length => {
                cursor.length()?;
                place.next += 1;
            }
            String => {
                cursor.skip_text()?;
                place.next += 1;
            }
            Bytes(len) => {
                cursor.take(*len)?;
                place.next += 1;
            }
            Repeat(steps) => {
                let times_left = cursor.length()?;
                place.next += 1;
                if times_left > 0 {
                    places.push(Place {
                        steps,
                        next: 0,
                        times_left,
                    });
                }
            }
        }
        cursor.commit();
    }
    Ok(())
}

fn run_module(cursor: &mut Cursor<'_>) -> Read<()> {
    loop {
        match cursor.length()? {
            module::EOF => {
                cursor.commit();
                return Ok(());
            }
            module::SINT | module::UINT => {
                cursor.length()?;
            }
            module::FLOAT => {
                cursor.take(4)?;
            }
            module::DOUBLE => {
                cursor.take(8)?;
            }
            module::STRING => cursor.skip_text()?,
            other => return Err(Reason::BadModuleOpcode(other).into()),
        }
        cursor.commit();
    }
}
