//! Values as bytes and back: DUMP and RESTORE.
//!
//! A payload is one value as in a snapshot file, with the format's version and a checksum behind it.
//! It is taken as a whole or not at all. RESTORE propagates with an absolute time.
//!
//! Tests: `tests/dump.rs`, the reference suite's `unit/dump`.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use crate::host::LogLevel;
use keyspace::journal::NotifyClass;
use keyspace::{ExpiredKeys, IntText};
use rdb::{AccessInfo, EncodeOptions, Loaded, RestoreError};

const BUSY_KEY: ReplyError = ReplyError::new("BUSYKEY Target key name already exists.");
const BAD_TTL: ReplyError = ReplyError::new("ERR Invalid TTL value, must be >= 0");
const BAD_IDLE_TIME: ReplyError = ReplyError::new("ERR Invalid IDLETIME value, must be >= 0");
const BAD_FREQUENCY: ReplyError =
    ReplyError::new("ERR Invalid FREQ value, must be >= 0 and <= 255");
const BAD_ENVELOPE: ReplyError = ReplyError::new("ERR DUMP payload version or checksum are wrong");
const BAD_DATA: ReplyError = ReplyError::new("ERR Bad data format");

pub fn dump(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = EncodeOptions {
        version: ctx.settings().rdb_version,
        compress: ctx.engine.config.rdbcompression,
        checksum: true,
    };
    match ctx.engine.keyspace.read(ctx.session.db, args[1]) {
        Some(entry) => ctx.out.bulk(&rdb::dump(entry, &options)),
        None => ctx.out.null(),
    }
    Ok(())
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct RestoreOptions {
    replace: bool,
    absolute: bool,
    access: AccessInfo,
}

impl RestoreOptions {
    fn parse(args: Args<'_>) -> Result<RestoreOptions, ReplyError> {
        let mut parsed = RestoreOptions::default();
        let mut rest = args.iter();
        while let Some(word) = rest.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("REPLACE") {
                parsed.replace = true;
            } else if is("ABSTTL") {
                parsed.absolute = true;
            } else if is("IDLETIME") && !matches!(parsed.access, AccessInfo::Frequency(_)) {
                let number = parse_int(rest.next().ok_or(texts::SYNTAX)?)?;
                let idle_s = u64::try_from(number).map_err(|_| BAD_IDLE_TIME)?;
                parsed.access = AccessInfo::IdleSeconds(idle_s);
            } else if is("FREQ") && !matches!(parsed.access, AccessInfo::IdleSeconds(_)) {
                let number = parse_int(rest.next().ok_or(texts::SYNTAX)?)?;
                let frequency = u8::try_from(number).map_err(|_| BAD_FREQUENCY)?;
                parsed.access = AccessInfo::Frequency(frequency);
            } else {
                return Err(texts::SYNTAX);
            }
        }
        Ok(parsed)
    }
}

fn parse_int(text: &[u8]) -> Result<i64, ReplyError> {
    resp::parse_i64(text).ok_or(texts::NOT_AN_INTEGER)
}

pub fn restore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = RestoreOptions::parse(&args[4..])?;
    let (db, key) = (ctx.db(), args[1]);
    if !options.replace && ctx.keys().exists(db, key) {
        return Err(BUSY_KEY);
    }
    let ttl_ms = parse_int(args[2])?;
    if ttl_ms < 0 {
        return Err(BAD_TTL);
    }
    let mut room = Vec::new();
    let value = decode(ctx, args[3], &mut room)?;
    let at_ms = match ttl_ms {
        0 => None,
        _ if options.absolute => Some(ttl_ms),
        _ => Some(ttl_ms.saturating_add(ctx.now_ms())),
    };
    let is_replaced = options.replace && ctx.keys().delete(db, key);
    if at_ms.is_some_and(|at_ms| has_passed(ctx, at_ms)) {
        if is_replaced {
            tell_deletion(ctx, key);
        }
    } else {
        let access = ctx.engine.access_bits(options.access);
        ctx.keys().load(db, key, value, at_ms, access);
        ctx.keys().journal.ready(db, key);
        ctx.modified(key);
        if !is_replaced {
            ctx.notify(NotifyClass::NEW, "new", key);
        }
        ctx.notify(NotifyClass::GENERIC, "restore", key);
        if let Some(at_ms) = at_ms.filter(|_| !options.absolute) {
            propagate_absolute(ctx, args, at_ms);
        }
    }
    ctx.out.ok();
    Ok(())
}

fn decode<'a>(
    ctx: &mut Ctx<'_>,
    payload: &'a [u8],
    room: &'a mut Vec<u8>,
) -> Result<Loaded<'a>, ReplyError> {
    let engine = &ctx.engine;
    let limits = engine.load_limits();
    let deep = engine.settings.sanitize_payloads;
    let restored = if engine.debug.skip_checksums {
        rdb::restore_unsummed(payload, &limits, deep, room)
    } else {
        rdb::restore(payload, &limits, deep, room)
    };
    restored.map_err(|error| match error {
        RestoreError::VersionOrChecksum => BAD_ENVELOPE,
        RestoreError::BadData(error) => {
            ctx.host.log(LogLevel::Verbose, &error.to_string());
            BAD_DATA
        }
    })
}

/// Whether a key with that expiry would be deleted on sight. Never on a replica.
fn has_passed(ctx: &Ctx<'_>, at_ms: i64) -> bool {
    at_ms <= ctx.now_ms() && ctx.engine.keyspace.expired_keys == ExpiredKeys::Delete
}

/// What was restored has expired already: what it was to replace is gone all the same.
fn tell_deletion(ctx: &mut Ctx<'_>, key: &[u8]) {
    ctx.modified(key);
    ctx.notify(NotifyClass::GENERIC, "del", key);
    let verb: &[u8] = if ctx.settings().lazyfree_server_del {
        b"UNLINK"
    } else {
        b"DEL"
    };
    ctx.propagate_as(&[verb, key]);
}

fn propagate_absolute(ctx: &mut Ctx<'_>, args: Args<'_>, at_ms: i64) {
    if !ctx.engine.effects.is_enabled() {
        return;
    }
    let mut text = IntText::new();
    let mut effect: Vec<&[u8]> = args.to_vec();
    effect[2] = text.format(at_ms);
    effect.push(b"ABSTTL");
    ctx.propagate_as(&effect);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<RestoreOptions, ReplyError> {
        let words: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
        RestoreOptions::parse(&words)
    }

    #[test]
    fn options_come_in_any_order_but_idle_time_and_frequency_exclude_each_other() {
        let expected = RestoreOptions {
            replace: true,
            absolute: true,
            access: AccessInfo::IdleSeconds(7),
        };
        assert_eq!(parse("absttl IDLETIME 3 replace idletime 7"), Ok(expected));
        let frequency = AccessInfo::Frequency(255);
        assert_eq!(parse("freq 255").map(|o| o.access), Ok(frequency));
        assert_eq!(parse("freq 1 idletime 1"), Err(texts::SYNTAX));
        assert_eq!(parse("idletime"), Err(texts::SYNTAX));
        assert_eq!(parse("idletime x"), Err(texts::NOT_AN_INTEGER));
        assert_eq!(parse("idletime -1"), Err(BAD_IDLE_TIME));
        assert_eq!(parse("freq 256"), Err(BAD_FREQUENCY));
        assert_eq!(parse("keepttl"), Err(texts::SYNTAX));
    }
}
