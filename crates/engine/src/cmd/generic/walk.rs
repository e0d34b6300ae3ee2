//! Walking over a database's keys: KEYS, SCAN, RANDOMKEY.

use crate::cmd::scan_args::{ScanArgs, parse_cursor};
use crate::ctx::{Args, Ctx};
use crate::error::Outcome;

/// SCAN gives up filling its reply after this many table steps per element asked for.
const STEPS_PER_ELEMENT: usize = 10;

/// Expired keys are left out but not deleted: the walk must not change what it walks over.
pub fn keys(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let keyspace = &ctx.engine.keyspace;
    let (db, pattern) = (ctx.session.db, args[1]);
    let reply = ctx.out.defer();
    let mut count = 0;
    let everything = pattern == b"*";
    for entry in keyspace.iter(db) {
        let matches = everything || structures::glob::matches(pattern, entry.key());
        if matches && !keyspace.is_expired(&entry) {
            ctx.out.bulk(entry.key());
            count += 1;
        }
    }
    ctx.out.fill_array(reply, count);
    Ok(())
}

/// A pattern without wildcards still walks, so that cursors mean the same for every pattern.
/// Expired keys that match pattern and type are deleted on the way.
pub fn scan(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut cursor = parse_cursor(args[1])?;
    let scan = ScanArgs::parse(args, 2, true)?.refuse_novalues()?;
    let db = ctx.session.db;

    let keyspace = &ctx.engine.keyspace;
    let mut found: Vec<&[u8]> = Vec::new();
    let mut expired: Vec<Vec<u8>> = Vec::new();
    let mut sampled = 0;
    let mut steps_left = scan.count.saturating_mul(STEPS_PER_ELEMENT);
    loop {
        cursor = keyspace.scan(db, cursor, |entry| {
            sampled += 1;
            if !scan.matches(entry.key()) {
                return;
            }
            let type_name = entry.kind().name().as_bytes();
            if scan
                .type_name
                .is_some_and(|name| !name.eq_ignore_ascii_case(type_name))
            {
                return;
            }
            match keyspace.is_expired(&entry) {
                true => expired.push(entry.key().to_vec()),
                false => found.push(entry.key()),
            }
        });
        if cursor == 0 || steps_left == 0 || sampled >= scan.count {
            break;
        }
        steps_left -= 1;
    }

    ctx.out.array(2);
    ctx.out.bulk(cursor.to_string().as_bytes());
    ctx.out.array(found.len());
    for key in found {
        ctx.out.bulk(key);
    }
    for key in expired {
        // The look-up deletes it, where that is allowed.
        ctx.keys().peek(db, &key);
    }
    Ok(())
}

pub fn randomkey(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    let db = ctx.db();
    match ctx.keys().random_key(db) {
        Some(key) => ctx.out.bulk(&key),
        None => ctx.out.null(),
    }
    Ok(())
}
