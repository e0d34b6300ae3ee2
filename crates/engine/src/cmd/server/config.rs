//! CONFIG GET, SET, REWRITE, RESETSTAT.
//!
//! SET is all or nothing: the new values replace the configuration, then each effect outside of the
//! engine is brought about in turn; if one fails, the old configuration comes back and what had
//! already been applied is applied again from it.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use crate::host::LogLevel;
use config::{Changed, Config, OptionId, SetContext, SetError};

pub fn config_get(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let found = ctx.engine.config.get_many(&args[2..]);
    ctx.out.map(found.len());
    for (name, value) in &found {
        ctx.out.bulk(name.as_bytes());
        ctx.out.bulk(value.as_bytes());
    }
    Ok(())
}

pub fn config_set(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let pairs = &args[2..];
    if !pairs.len().is_multiple_of(2) {
        return Err(texts::SYNTAX);
    }
    let pairs: Vec<(&[u8], &[u8])> = pairs
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect();
    let context = SetContext {
        loading: ctx.engine.loading,
        client_is_local: ctx.session.is_local,
    };
    let before = ctx.engine.config.clone();
    let changed = ctx.engine.config.set(&pairs, context).map_err(refusal)?;
    if let Err(error) = apply_outside(ctx, &changed, &before) {
        ctx.engine.config.revert(before);
        return Err(refusal(error));
    }
    ctx.engine.apply_settings();
    for warning in changed.iter().filter_map(|change| change.warning.as_ref()) {
        ctx.host
            .log(LogLevel::Warning, &format!("WARNING: {warning}"));
    }
    if changed
        .iter()
        .any(|change| change.id == OptionId::Maxmemory)
    {
        check_new_maxmemory(ctx);
    }
    ctx.out.ok();
    Ok(())
}

fn refusal(error: SetError) -> ReplyError {
    ReplyError::bytes(error.to_bytes())
}

/// Applies the changes one by one, so that a failure can name its option; on failure applies the
/// old values again.
fn apply_outside(ctx: &mut Ctx<'_>, changed: &[Changed], before: &Config) -> Result<(), SetError> {
    for (done, change) in changed.iter().enumerate() {
        let name = change.id.name();
        if let Err(reason) = ctx.host.apply_config(&[name], &mut ctx.engine.config) {
            for earlier in &changed[..done] {
                if let Err(reason) = ctx
                    .host
                    .apply_config(&[earlier.id.name()], &mut before.clone())
                {
                    let text = format!(
                        "Failed to restore '{}' after a failed CONFIG SET: {reason}",
                        earlier.name
                    );
                    ctx.host.log(LogLevel::Warning, &text);
                }
            }
            return Err(SetError::apply_failed(change, reason));
        }
    }
    Ok(())
}

/// Evicts down to a lowered limit at once, as far as the policy and the time slice allow.
fn check_new_maxmemory(ctx: &mut Ctx<'_>) {
    let limit = ctx.engine.settings.maxmemory;
    let used = ctx.engine.counted_memory(ctx.host);
    if limit == 0 || used <= limit {
        return;
    }
    let text = format!(
        "WARNING: the new maxmemory value set via CONFIG SET ({limit}) is smaller than the current memory usage \
         ({used}). This will result in key eviction and/or the inability to accept new write commands depending on \
         the maxmemory-policy."
    );
    ctx.host.log(LogLevel::Warning, &text);
    ctx.engine.free_memory(ctx.host);
}

pub fn config_rewrite(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    match ctx.host.rewrite_config(&ctx.engine.config, false) {
        Ok(()) => {
            ctx.host
                .log(LogLevel::Notice, "CONFIG REWRITE executed with success.");
            ctx.out.ok();
            Ok(())
        }
        Err(reason) => {
            ctx.host.log(
                LogLevel::Warning,
                &format!("CONFIG REWRITE failed: {reason}"),
            );
            Err(format!("ERR {reason}").into())
        }
    }
}

pub fn config_resetstat(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.engine.stats.reset();
    ctx.engine.keyspace.stats = Default::default();
    ctx.host.reset_counts();
    ctx.out.ok();
    Ok(())
}

pub fn config_help(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    crate::cmd::help(
        ctx,
        "CONFIG",
        &[
            "GET <pattern> [<pattern> ...]",
            "    Show the options whose names match the glob-like patterns, with their values.",
            "SET <option> <value> [<option> <value> ...]",
            "    Change options: all of them, or none if one is refused.",
            "RESETSTAT",
            "    Set the statistics that INFO reports back to zero.",
            "REWRITE",
            "    Write the present values to the configuration file.",
        ],
    )
}
