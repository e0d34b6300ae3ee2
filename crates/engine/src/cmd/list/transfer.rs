//! An element from one list to another, or round in one: LMOVE, RPOPLPUSH.

use super::{after_removal, parse_end, pop_event, push_event, write_item};
use crate::ctx::{Args, Ctx};
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError};
use keyspace::journal::NotifyClass;
use keyspace::{Type, WrongType};
use smallvec::SmallVec;
use structures::decimal::IntBuf;
use structures::list::{End, List};

/// From which end of which list to which end of which other.
pub(super) struct Transfer<'a> {
    pub source: &'a [u8],
    pub destination: &'a [u8],
    pub from: End,
    pub to: End,
}

impl<'a> Transfer<'a> {
    /// Reads `source destination LEFT|RIGHT LEFT|RIGHT`.
    pub fn parse(args: Args<'a>) -> Result<Transfer<'a>, ReplyError> {
        let (from, to) = (parse_end(args[2])?, parse_end(args[3])?);
        Ok(Transfer {
            source: args[0],
            destination: args[1],
            from,
            to,
        })
    }

    /// RPOPLPUSH's ends for `source destination`.
    pub fn right_to_left(args: Args<'a>) -> Transfer<'a> {
        Transfer {
            source: args[0],
            destination: args[1],
            from: End::Back,
            to: End::Front,
        }
    }

    /// Moves one element and replies with it. False, and no reply, if there is no source.
    pub fn apply(&self, ctx: &mut Ctx<'_>) -> Result<bool, ReplyError> {
        let Engine {
            keyspace, settings, ..
        } = &mut *ctx.engine;
        let db = ctx.session.db;
        if keyspace.get_mut::<List>(db, self.source)?.is_none() {
            return Ok(false);
        }
        if keyspace
            .peek(db, self.destination)
            .is_some_and(|entry| entry.kind() != Type::List)
        {
            return Err(WrongType.into());
        }
        let limits = &settings.list;
        let Some(source) = keyspace.get_mut::<List>(db, self.source)? else {
            return Ok(false);
        };
        let mut element: SmallVec<[u8; 128]> = SmallVec::new();
        source.pop_with(self.from, limits, |item| {
            write_item(ctx.out, item);
            element.extend_from_slice(item.as_bytes(&mut IntBuf::new()));
        });
        let mut is_empty = source.is_empty();
        if self.source == self.destination {
            source.push(self.to, &element, limits);
            is_empty = false;
        } else {
            keyspace
                .get_or_create(db, self.destination, List::new)?
                .push(self.to, &element, limits);
        }
        // Redis counts a move as one change, although two keys are touched.
        keyspace.journal.touched(db, self.destination);
        ctx.notify(NotifyClass::LIST, push_event(self.to), self.destination);
        after_removal(ctx, self.source, pop_event(self.from), 1, is_empty);
        Ok(true)
    }
}

pub fn lmove(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    move_now(ctx, &Transfer::parse(&args[1..])?)
}

pub fn rpoplpush(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    move_now(ctx, &Transfer::right_to_left(&args[1..]))
}

fn move_now(ctx: &mut Ctx<'_>, transfer: &Transfer<'_>) -> Outcome {
    if !transfer.apply(ctx)? {
        ctx.out.null();
    }
    Ok(())
}
