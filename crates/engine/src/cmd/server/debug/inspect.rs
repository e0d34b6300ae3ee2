//! How values are stored: OBJECT, SDSLEN, LISTPACK, QUICKLIST, HTSTATS, HTSTATS-KEY, STRUCTSIZE.

use crate::ctx::Ctx;
use crate::error::{Outcome, ReplyError, texts};
use crate::host::LogLevel;
use crate::session::Session;
use keyspace::hash::Hash;
use keyspace::set::Set;
use keyspace::sorted_set::SortedSet;
use keyspace::{Entry, Keyspace, Value};
use structures::list::List;
use structures::listpack::Listpack;

fn find<'k>(keyspace: &'k Keyspace, db: u32, key: &[u8]) -> Result<Entry<'k>, ReplyError> {
    keyspace.inspect(db, key).ok_or(texts::NO_SUCH_KEY)
}

pub(super) fn object(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let keyspace = &ctx.engine.keyspace;
    let entry = find(keyspace, ctx.session.db, key)?;
    let bits = entry.access();
    let mut text = format!(
        "Value at:{:p} refcount:1 encoding:{} heap_bytes:{} lru:{bits} lru_seconds_idle:{} lfu_freq:{} \
         lfu_access_time_minutes:{}",
        entry.key().as_ptr(),
        entry.encoding(),
        entry.heap_bytes(),
        keyspace.idle_seconds(&entry),
        keyspace.frequency(&entry),
        bits >> 8,
    );
    if let Some(list) = entry.get::<List>().filter(|list| list.is_quicklist()) {
        let nodes = list.node_count().max(1);
        text += &format!(
            " ql_nodes:{nodes} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:0 ql_uncompressed_size:{}",
            list.len() as f64 / nodes as f64,
            ctx.engine.settings.list.fill,
            list.heap_bytes(),
        );
    }
    ctx.out.simple(&text);
    Ok(())
}

pub(super) fn string_lengths(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let entry = find(&ctx.engine.keyspace, ctx.session.db, key)?;
    if entry.encoding() == "int" {
        return Err(ReplyError::new("ERR Not an sds encoded string."));
    }
    let Some(string) = entry.string() else {
        return Err(ReplyError::new("ERR Not an sds encoded string."));
    };
    let (capacity, bytes) = match entry.payload() {
        Some(Value::Bytes(buffer)) => (buffer.capacity(), buffer.heap_bytes()),
        _ => (string.len(), string.len()),
    };
    let text = format!(
        "key_sds_len:{}, key_sds_avail:0, key_zmalloc: {}, val_sds_len:{}, val_sds_avail:{}, val_zmalloc: {bytes}",
        key.len(),
        key.len(),
        string.len(),
        capacity - string.len(),
    );
    ctx.out.simple(&text);
    Ok(())
}

pub(super) fn listpack(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let entry = find(&ctx.engine.keyspace, ctx.session.db, key)?;
    let pack = match entry.payload() {
        Some(Value::Hash(Hash::Packed(pack))) => pack,
        Some(Value::Set(Set::Packed(pack))) => pack,
        Some(Value::SortedSet(SortedSet::Packed(pack))) => pack,
        Some(Value::List(list)) if !list.is_quicklist() => {
            let text = describe_items(list.len(), list.heap_bytes(), list.iter());
            return tell(ctx, "Listpack", &text);
        }
        _ => return Err(ReplyError::new("ERR Not a listpack encoded object.")),
    };
    let text = describe_pack(pack);
    tell(ctx, "Listpack", &text)
}

pub(super) fn quicklist(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let entry = find(&ctx.engine.keyspace, ctx.session.db, key)?;
    match entry.get::<List>().filter(|list| list.is_quicklist()) {
        Some(list) => {
            let head = format!("{} nodes: ", list.node_count());
            let text = head + &describe_items(list.len(), list.heap_bytes(), list.iter());
            tell(ctx, "Quicklist", &text)
        }
        None => Err(ReplyError::new("ERR Not a quicklist encoded object.")),
    }
}

fn describe_pack(pack: &Listpack) -> String {
    describe_items(pack.len(), pack.byte_len(), pack.iter())
}

fn describe_items<'a>(
    count: usize,
    bytes: usize,
    items: impl Iterator<Item = structures::listpack::Item<'a>>,
) -> String {
    let shown: Vec<String> = items
        .map(|item| String::from_utf8_lossy(&config::quote(&item.to_vec())).into_owned())
        .collect();
    format!("{count} elements, {bytes} bytes: {}", shown.join(" "))
}

fn tell(ctx: &mut Ctx<'_>, what: &str, text: &str) -> Outcome {
    ctx.host
        .log(LogLevel::Notice, &format!("{what} structure: {text}"));
    ctx.out
        .simple(&format!("{what} structure written to the log"));
    Ok(())
}

pub(super) fn table_stats(ctx: &mut Ctx<'_>, db: &[u8]) -> Outcome {
    let number = resp::parse_i64(db).ok_or(texts::NOT_AN_INTEGER)?;
    let count = ctx.engine.keyspace.db_count() as i64;
    if !(0..count).contains(&number) {
        return Err(ReplyError::new("ERR Out of range database"));
    }
    let db = ctx.engine.keyspace.db(number as u32);
    let (buckets, overflow) = db.bucket_counts();
    let mut text = String::from("[Dictionary HT]\n");
    text += &filling(buckets, overflow, db.len());
    text += "[Expires HT]\n";
    text += &format!(
        "an ordered index of {} keys, {} bytes\n",
        db.volatile_len(),
        db.expiry_index_bytes()
    );
    ctx.out.verbatim(&text, "txt");
    Ok(())
}

pub(super) fn value_stats(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let entry = find(&ctx.engine.keyspace, ctx.session.db, key)?;
    let Some((buckets, overflow, len)) = value_table(&entry) else {
        return Err(ReplyError::new(
            "ERR The value stored at the specified key is not represented using an hash table",
        ));
    };
    let text = filling(buckets, overflow, len);
    ctx.out.verbatim(&text, "txt");
    Ok(())
}

/// Buckets, overflow buckets and elements of the table inside a value.
fn value_table(entry: &Entry<'_>) -> Option<(usize, usize, usize)> {
    match entry.payload()? {
        Value::Hash(Hash::Table(table)) => {
            Some((table.bucket_count(), table.overflow_count(), table.len()))
        }
        Value::Set(Set::Table(table)) => {
            Some((table.bucket_count(), table.overflow_count(), table.len()))
        }
        Value::SortedSet(SortedSet::Table(set)) => {
            let (buckets, overflow) = set.bucket_counts();
            Some((buckets, overflow, set.len()))
        }
        _ => None,
    }
}

fn filling(buckets: usize, overflow: usize, len: usize) -> String {
    format!(
        "Hash table 0 stats (main hash table):\n table size: {buckets}\n number of elements: {len}\n \
         buckets that overflow: {overflow}\n elements per bucket: {:.2}\n",
        len as f64 / buckets.max(1) as f64
    )
}

pub(super) fn struct_sizes(ctx: &mut Ctx<'_>) {
    let sizes = [
        ("client", size_of::<Session>()),
        ("value", size_of::<Value>()),
        ("list", size_of::<List>()),
        ("listpack", size_of::<Listpack>()),
        ("hash", size_of::<Hash>()),
        ("set", size_of::<Set>()),
        ("zset", size_of::<SortedSet>()),
    ];
    let parts: Vec<String> = sizes
        .iter()
        .map(|(name, bytes)| format!("{name}:{bytes}"))
        .collect();
    ctx.out.simple(&format!("bits:64 {}", parts.join(" ")));
}
