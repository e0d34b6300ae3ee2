//! DEBUG: a look inside, and switches for tests of the server itself.
//!
//! Allowed only as far as `enable-debug-command` says. Every subcommand does what it is named after
//! or says why it cannot; those about the cluster wait for it.
//! Families have files of their own: `digest` (fingerprints of the data), `inspect` (how values are
//! stored), `protocol` (one reply of each type).

mod digest;
mod inspect;
mod protocol;

use crate::clients::ReplyBufferTuning;
use crate::ctx::{Args, Ctx};
use crate::effects::EffectsReader;
use crate::engine::Engine;
use crate::error::{Outcome, ReplyError, texts};
use crate::host::{Crash, LogLevel};
use crate::persistence::Reload;
use crate::session::{Session, SessionFlags};
use commands::CommandId;
use keyspace::Expiry;

/// Elements from this size on cannot become list nodes of their own.
const PACKED_THRESHOLD_MAX: u64 = 1 << 32;

/// What DEBUG subcommands changed.
#[derive(Default)]
pub struct DebugState {
    /// QUICKLIST-PACKED-THRESHOLD; 0 is the default.
    pub list_packed_threshold_bytes: usize,
    /// PAUSE-CRON.
    pub cron_paused: bool,
    /// SET-SKIP-CHECKSUM-VALIDATION: checksums of snapshots and payloads are not looked at.
    pub skip_checksums: bool,
    /// AOF-FLUSH-SLEEP: the writer of the append-only file waits so long before each write.
    pub aof_flush_sleep_us: u64,
    /// REPLYBUFFER: how reply buffers follow the size of replies.
    pub reply_buffers: ReplyBufferTuning,
}

/// Whether `enable-debug-command` lets this session use the command.
pub(crate) fn check_protected(engine: &Engine, session: &Session, id: CommandId) -> Outcome {
    if engine.config.enable_debug_command.allows(session.is_local) {
        return Ok(());
    }
    let name = id.full_name().to_uppercase();
    Err(format!(
        "ERR {name} command not allowed. If the enable-debug-command option is set to \"local\", you can run it from \
         a local connection, otherwise you need to set this option in the configuration file, and then restart the \
         server."
    )
    .into())
}

pub fn debug(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let name = args[1].to_ascii_lowercase();
    match (name.as_slice(), &args[2..]) {
        (b"help", []) => return debug_help(ctx),
        (b"sleep", [seconds]) => sleep(ctx, seconds),
        (b"set-active-expire", [on]) => {
            ctx.engine.active_expire = switch(on);
            ctx.out.ok();
        }
        (b"pause-cron", [on]) => {
            ctx.engine.debug.cron_paused = switch(on);
            ctx.out.ok();
        }
        (b"reload", options) => return reload(ctx, options),
        (b"loadaof", []) => return load_aof(ctx),
        (b"set-skip-checksum-validation", [on]) => {
            ctx.engine.debug.skip_checksums = switch(on);
            ctx.out.ok();
        }
        (b"aof-flush-sleep", [duration_us]) => {
            let duration_us = resp::parse_i64(duration_us).unwrap_or(0).max(0);
            ctx.engine.debug.aof_flush_sleep_us = duration_us as u64;
            ctx.out.ok();
        }
        (b"quicklist-packed-threshold", [size]) => return packed_threshold(ctx, size),
        (b"replybuffer", [option, value]) => return reply_buffer(ctx, args, option, value),
        (b"populate", [count, rest @ ..]) if rest.len() <= 2 => return populate(ctx, count, rest),
        (b"change-repl-id", []) => change_replication_id(ctx),
        (b"replicate", [_, ..]) => replicate(ctx, &args[2..]),
        (b"digest", []) => digest::data_set(ctx),
        (b"digest-value", keys) => digest::values(ctx, keys),
        (b"object", [key] | [key, _]) => return inspect::object(ctx, key),
        (b"sdslen", [key]) => return inspect::string_lengths(ctx, key),
        (b"listpack", [key]) => return inspect::listpack(ctx, key),
        (b"quicklist", [key] | [key, _]) => return inspect::quicklist(ctx, key),
        (b"htstats", [db, ..]) => return inspect::table_stats(ctx, db),
        (b"htstats-key", [key, ..]) => return inspect::value_stats(ctx, key),
        (b"structsize", []) => inspect::struct_sizes(ctx),
        (b"stringmatch-len", [pattern, text]) => {
            ctx.out
                .integer(structures::glob::matches(pattern, text).into());
        }
        (b"protocol", [kind]) => return protocol::reply(ctx, kind),
        (b"error", [text]) => return Err(ReplyError::bytes(text.to_vec())),
        (b"log", [text]) => {
            ctx.host.log(
                LogLevel::Warning,
                &format!("DEBUG LOG: {}", String::from_utf8_lossy(text)),
            );
            ctx.out.ok();
        }
        (b"leak", [text]) => {
            std::mem::forget(text.to_vec());
            ctx.out.ok();
        }
        (b"config-rewrite-force-all", []) => return rewrite_all(ctx),
        (b"segfault", []) => crash(ctx, Crash::Segfault),
        (b"panic", []) => crash(ctx, Crash::Panic),
        (b"assert", []) => crash(ctx, Crash::Assert),
        (b"oom", []) => crash(ctx, Crash::OutOfMemory),
        (name, _) => return Err(missing(name).unwrap_or_else(|| unknown(args[1]))),
    }
    Ok(())
}

/// What other releases have and this one has not, with the reason.
fn missing(name: &[u8]) -> Option<ReplyError> {
    let reason = match name {
        b"restart" | b"crash-and-recover" => "the process cannot replace itself",
        b"pause-after-fork" => "there is no fork to pause after",
        b"delay-rdb-client-free-second" => "a snapshot reaches replicas over their own links",
        b"drop-cluster-packet-filter" | b"close-cluster-link-on-packet-drop" => {
            "it needs the cluster, which this release does not have yet"
        }
        b"dict-resizing" => "tables of this server grow in small steps, which cannot be turned off",
        b"mallctl" | b"mallctl-str" => "the allocator's settings cannot be changed at run time",
        _ => return None,
    };
    let name = String::from_utf8_lossy(name).to_uppercase();
    Some(format!("ERR DEBUG {name} is not available: {reason}").into())
}

fn unknown(name: &[u8]) -> ReplyError {
    let shown = &name[..name.len().min(128)];
    let text: [&[u8]; 3] = [
        b"ERR unknown subcommand or wrong number of arguments for '",
        shown,
        b"'. Try DEBUG HELP.",
    ];
    ReplyError::bytes(text.concat())
}

/// 0 is off; anything that is no number counts as 0.
fn switch(text: &[u8]) -> bool {
    resp::parse_i64(text).is_some_and(|n| n != 0)
}

fn sleep(ctx: &mut Ctx<'_>, seconds: &[u8]) {
    let seconds = resp::parse_double(seconds).unwrap_or(0.0);
    ctx.host.stall((seconds.max(0.0) * 1e6) as u64);
    // Time stands still within a transaction.
    if !ctx.session.flags.has(SessionFlags::IN_EXEC) {
        ctx.engine.refresh_time(ctx.host);
    }
    ctx.out.ok();
}

fn change_replication_id(ctx: &mut Ctx<'_>) {
    ctx.host.log(
        LogLevel::Notice,
        "Changing replication IDs after receiving change-repl-id",
    );
    ctx.host.change_replication_id();
    ctx.out.ok();
}

/// A command that only replicas run.
fn replicate(ctx: &mut Ctx<'_>, command: Args<'_>) {
    if ctx.engine.effects.is_read_by(EffectsReader::Replicas) {
        ctx.engine.effects.push_for_replicas(command);
    }
    ctx.out.ok();
}

fn reload(ctx: &mut Ctx<'_>, options: &[&[u8]]) -> Outcome {
    let (mut save, mut flush, mut merge) = (true, true, false);
    for option in options {
        match option.to_ascii_lowercase().as_slice() {
            b"merge" => merge = true,
            b"noflush" => flush = false,
            b"nosave" => save = false,
            _ => {
                return Err(ReplyError::new(
                    "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
    }
    let how = Reload::Rdb { save, flush, merge };
    ctx.host
        .reload(ctx.engine, how)
        .map_err(ReplyError::from_host)?;
    ctx.host
        .log(LogLevel::Notice, "DB reloaded by DEBUG RELOAD");
    ctx.out.ok();
    Ok(())
}

fn load_aof(ctx: &mut Ctx<'_>) -> Outcome {
    // What the transaction did so far is in no file yet and would be lost.
    if ctx.engine.in_transaction {
        return Err(ReplyError::new(
            "ERR DEBUG LOADAOF is not allowed inside a transaction",
        ));
    }
    ctx.host
        .reload(ctx.engine, Reload::Aof)
        .map_err(ReplyError::from_host)?;
    ctx.host
        .log(LogLevel::Notice, "Append Only File loaded by DEBUG LOADAOF");
    ctx.out.ok();
    Ok(())
}

fn packed_threshold(ctx: &mut Ctx<'_>, size: &[u8]) -> Outcome {
    let bytes = config::parse_memory(size)
        .filter(|bytes| *bytes < PACKED_THRESHOLD_MAX)
        .ok_or(ReplyError::new(
            "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
        ))?;
    ctx.engine.debug.list_packed_threshold_bytes = bytes as usize;
    ctx.engine.apply_settings();
    ctx.out.ok();
    Ok(())
}

fn reply_buffer(ctx: &mut Ctx<'_>, args: Args<'_>, option: &[u8], value: &[u8]) -> Outcome {
    let tuning = &mut ctx.engine.debug.reply_buffers;
    if option.eq_ignore_ascii_case(b"resizing") {
        tuning.resizing = switch(value);
    } else if option.eq_ignore_ascii_case(b"peak-reset-time") {
        tuning.peak_reset_ms = if value.eq_ignore_ascii_case(b"never") {
            None
        } else if value.eq_ignore_ascii_case(b"reset") {
            Some(ReplyBufferTuning::PEAK_RESET_MS)
        } else {
            Some(resp::parse_i64(value).ok_or(texts::NOT_AN_INTEGER)?)
        };
    } else {
        return Err(unknown(args[1]));
    }
    ctx.out.ok();
    Ok(())
}

/// POPULATE count [prefix [size]]: `prefix:0` = `value:0` and so on; what exists stays.
fn populate(ctx: &mut Ctx<'_>, count: &[u8], rest: &[&[u8]]) -> Outcome {
    let positive = |text: &[u8]| match resp::parse_i64(text) {
        None => Err(texts::NOT_AN_INTEGER),
        Some(n) => usize::try_from(n).map_err(|_| texts::MUST_BE_POSITIVE),
    };
    let count = positive(count)?;
    let prefix = rest.first().copied().unwrap_or(b"key");
    let size = rest
        .get(1)
        .map(|text| positive(text))
        .transpose()?
        .filter(|size| *size > 0);
    if size.is_some_and(|size| size as u64 > ctx.engine.settings.proto_max_bulk_len as u64) {
        return Err(texts::STRING_TOO_LONG);
    }
    let db = ctx.session.db;
    for number in 0..count {
        let key = [prefix, format!(":{number}").as_bytes()].concat();
        if ctx.engine.keyspace.exists(db, &key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if let Some(size) = size {
            value.resize(size, 0);
        }
        ctx.engine
            .keyspace
            .set_string(db, &key, &value, Expiry::Clear);
        ctx.engine.keyspace.journal.touched(db, &key);
    }
    ctx.out.ok();
    Ok(())
}

fn rewrite_all(ctx: &mut Ctx<'_>) -> Outcome {
    ctx.host
        .rewrite_config(&ctx.engine.config, true)
        .map_err(|reason| {
            ctx.host.log(
                LogLevel::Warning,
                &format!("CONFIG-REWRITE-FORCE-ALL failed: {reason}"),
            );
            ReplyError::from(format!("ERR CONFIG-REWRITE-FORCE-ALL failed: {reason}"))
        })?;
    ctx.out.ok();
    Ok(())
}

/// The host does not come back; a host for tests may, and then there is something to read.
fn crash(ctx: &mut Ctx<'_>, how: Crash) {
    ctx.host.crash(how);
    ctx.out.ok();
}

fn debug_help(ctx: &mut Ctx<'_>) -> Outcome {
    crate::cmd::help(
        ctx,
        "DEBUG",
        &[
            "AOF-FLUSH-SLEEP <microseconds>",
            "    Wait so long before each write to the append-only file.",
            "ASSERT | OOM | PANIC | SEGFAULT",
            "    End the process as that failure would.",
            "CONFIG-REWRITE-FORCE-ALL",
            "    As CONFIG REWRITE, with every option, also those at their defaults.",
            "CHANGE-REPL-ID",
            "    Begin a new history: no replica may continue from what we were.",
            "DIGEST",
            "    Show a fingerprint of all data.",
            "DIGEST-VALUE <key> [<key> ...]",
            "    Show fingerprints of the values of these keys.",
            "ERROR <text>",
            "    Answer with an error of this text.",
            "HTSTATS <db> [full]",
            "    Show how a database's table is filled.",
            "HTSTATS-KEY <key> [full]",
            "    The same for the table inside a value.",
            "LEAK <text>",
            "    Lose memory of the text's size.",
            "LISTPACK <key>",
            "    Write the content of a packed value to the log.",
            "LOADAOF",
            "    Bring the append-only file up to date and load the data set from it.",
            "LOG <text>",
            "    Write a line to the log.",
            "OBJECT <key> [fast]",
            "    Show how a value is stored.",
            "PAUSE-CRON <0|1>",
            "    Stop or resume periodic work.",
            "POPULATE <count> [<prefix> [<size>]]",
            "    Create string keys named <prefix>:<number>.",
            "PROTOCOL <type>",
            "    Answer with a value of a type: string, integer, double, bignum, null, array, set, map, attrib, push,",
            "    verbatim, true, false.",
            "QUICKLIST <key> [<0|1>]",
            "    Write the nodes of a list to the log.",
            "QUICKLIST-PACKED-THRESHOLD <size>",
            "    From this size on, list elements get nodes of their own; 0 for the default.",
            "REPLICATE <command> [<argument> ...]",
            "    Send a command to the replicas that nobody runs here.",
            "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
            "    Save the data set and load it again. MERGE lets loaded keys replace existing ones, NOFLUSH keeps the data",
            "    set while loading, NOSAVE loads the file that is there.",
            "REPLYBUFFER RESIZING <0|1>",
            "    Let reply buffers follow the size of replies, or not.",
            "REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|milliseconds>",
            "    How long the peak of a client's reply buffer is remembered.",
            "SDSLEN <key>",
            "    Show lengths of a key and its string.",
            "SET-ACTIVE-EXPIRE <0|1>",
            "    Remove expired keys only when they are asked for, or as they expire.",
            "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
            "    Do not look at the checksums of snapshots and RESTORE payloads.",
            "SLEEP <seconds>",
            "    Stop the server for so long.",
            "STRINGMATCH-LEN <pattern> <text>",
            "    Say whether a glob pattern matches.",
            "STRUCTSIZE",
            "    Show sizes of internal structures.",
        ],
    )
}
