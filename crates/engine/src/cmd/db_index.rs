//! The argument that names a database: SELECT, MOVE, COPY.

use crate::ctx::Ctx;
use crate::error::{ReplyError, texts};

/// The database an argument names.
pub fn parse_db(ctx: &Ctx<'_>, text: &[u8]) -> Result<u32, ReplyError> {
    let number = resp::parse_i64(text).ok_or(texts::NOT_AN_INTEGER)?;
    if i32::try_from(number).is_err() {
        let (min, max) = (i32::MIN, i32::MAX);
        return Err(
            format!("ERR value is out of range, value must between {min} and {max}").into(),
        );
    }
    match u32::try_from(number) {
        Ok(db) if (db as usize) < ctx.engine.keyspace.db_count() => Ok(db),
        _ => Err(texts::DB_INDEX),
    }
}
