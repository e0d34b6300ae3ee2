//! Commands about the process: TIME, SHUTDOWN.

use crate::blocking::BlockedOn;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use crate::host::{ShutdownProgress, ShutdownRequest};

pub fn time(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    let now_us = ctx.host.unix_us();
    ctx.out.array(2);
    ctx.out.bulk_int(now_us / 1_000_000);
    ctx.out.bulk_int(now_us % 1_000_000);
    Ok(())
}

/// What SHUTDOWN's arguments ask for; `None` is ABORT.
fn parse_shutdown(args: &[&[u8]]) -> Result<Option<ShutdownRequest>, ReplyError> {
    let mut request = ShutdownRequest::default();
    let mut abort = false;
    let (mut save, mut no_save) = (false, false);
    for arg in args {
        match arg.to_ascii_lowercase().as_slice() {
            b"nosave" => no_save = true,
            b"save" => save = true,
            b"now" => request.now = true,
            b"force" => request.force = true,
            b"abort" => abort = true,
            _ => return Err(texts::SYNTAX),
        }
    }
    if save && no_save || abort && args.len() > 1 {
        return Err(texts::SYNTAX);
    }
    request.save = if save || no_save { Some(save) } else { None };
    Ok((!abort).then_some(request))
}

pub fn shutdown(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    match parse_shutdown(&args[1..])? {
        None if ctx.host.abort_shutdown(ctx.engine) => {
            ctx.engine.shutdown_failed(ctx.host);
            ctx.out.ok();
            Ok(())
        }
        None => Err(ReplyError::new("ERR No shutdown in progress.")),
        Some(mut request) => {
            // What is there of a data set that is still being loaded must not replace the file.
            if ctx.engine.loading {
                request.save = Some(false);
            }
            let progress = ctx
                .host
                .shutdown(ctx.engine, request)
                .map_err(ReplyError::from_host)?;
            // No reply on success: the connection closes with the process.
            if progress == ShutdownProgress::Waiting && ctx.may_block() {
                ctx.block_on(args, BlockedOn::Shutdown, None);
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shutdown_options_are_checked_before_anything_happens() {
        let parse =
            |line: &str| parse_shutdown(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        let request = ShutdownRequest {
            save: Some(true),
            now: true,
            force: true,
        };
        assert_eq!(parse("SAVE now Force"), Ok(Some(request)));
        assert_eq!(parse("abort"), Ok(None));
        for bad in ["save nosave", "abort now", "later", ""] {
            assert_eq!(parse(bad), Err(texts::SYNTAX));
        }
        assert_eq!(parse_shutdown(&[]), Ok(Some(ShutdownRequest::default())));
    }
}
