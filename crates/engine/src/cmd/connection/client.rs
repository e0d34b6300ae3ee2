//! CLIENT subcommands about the calling connection, and CLIENT UNBLOCK.

use crate::cmd::help;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use crate::session::SessionFlags;
use resp::parse_i64;

const BAD_NAME: ReplyError =
    ReplyError::new("ERR Client names cannot contain spaces, newlines or special characters.");

/// Names go unquoted into CLIENT LIST, whose fields end with a space.
fn is_listable(text: &[u8]) -> bool {
    text.iter().all(|b| (b'!'..=b'~').contains(b))
}

pub(super) fn check_name(name: &[u8]) -> Outcome {
    if is_listable(name) {
        Ok(())
    } else {
        Err(BAD_NAME)
    }
}

pub fn client_id(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    ctx.out.integer(ctx.session.id as i64);
    Ok(())
}

pub fn client_setname(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    check_name(args[2])?;
    ctx.session.name = args[2].to_vec();
    ctx.out.ok();
    Ok(())
}

pub fn client_getname(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    if ctx.session.name.is_empty() {
        ctx.out.null();
    } else {
        ctx.out.bulk(&ctx.session.name);
    }
    Ok(())
}

pub fn client_setinfo(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (attribute, value) = (args[2], args[3]);
    let place = if attribute.eq_ignore_ascii_case(b"lib-name") {
        &mut ctx.session.lib_name
    } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
        &mut ctx.session.lib_ver
    } else {
        return Err(ReplyError::bytes(
            [b"ERR Unrecognized option '", attribute, b"'"].concat(),
        ));
    };
    if !is_listable(value) {
        let text = [
            b"ERR ",
            attribute,
            b" cannot contain spaces, newlines or special characters.",
        ]
        .concat();
        return Err(ReplyError::bytes(text));
    }
    *place = value.to_vec();
    ctx.out.ok();
    Ok(())
}

pub fn client_reply(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let flags = &mut ctx.session.flags;
    if args[2].eq_ignore_ascii_case(b"on") {
        flags.set(SessionFlags::REPLY_OFF, false);
        flags.set(SessionFlags::REPLY_SKIP, false);
        ctx.out.ok();
    } else if args[2].eq_ignore_ascii_case(b"off") {
        flags.set(SessionFlags::REPLY_OFF, true);
    } else if args[2].eq_ignore_ascii_case(b"skip") {
        let skip = !flags.has(SessionFlags::REPLY_OFF);
        flags.set(SessionFlags::REPLY_SKIP_NEXT, skip);
    } else {
        return Err(texts::SYNTAX);
    }
    Ok(())
}

pub fn client_no_evict(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_by_word(ctx, args[2], SessionFlags::NO_EVICT)
}

pub fn client_no_touch(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_by_word(ctx, args[2], SessionFlags::NO_TOUCH)
}

fn set_by_word(ctx: &mut Ctx<'_>, word: &[u8], flag: SessionFlags) -> Outcome {
    let on = if word.eq_ignore_ascii_case(b"on") {
        true
    } else if word.eq_ignore_ascii_case(b"off") {
        false
    } else {
        return Err(texts::SYNTAX);
    };
    ctx.session.flags.set(flag, on);
    ctx.out.ok();
    Ok(())
}

pub fn client_unblock(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let with_error = match args.get(3) {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"timeout") => false,
        Some(word) if word.eq_ignore_ascii_case(b"error") => true,
        Some(_) => {
            return Err(ReplyError::new(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
    };
    if args.len() > 4 {
        return Err(ReplyError::wrong_arity("client|unblock"));
    }
    let id = parse_i64(args[2]).ok_or(texts::NOT_AN_INTEGER)?;
    let target = ctx
        .engine
        .sessions
        .iter()
        .find(|s| s.id as i64 == id)
        .map(|s| s.slot);
    let released = target.is_some_and(|target| match with_error {
        true => ctx
            .engine
            .end_wait(target, "UNBLOCKED client unblocked via CLIENT UNBLOCK"),
        false => ctx.engine.time_out(target, ctx.host),
    });
    ctx.out.integer(i64::from(released));
    Ok(())
}

pub fn client_help(ctx: &mut Ctx<'_>, _args: Args<'_>) -> Outcome {
    help(
        ctx,
        "CLIENT",
        &[
            "GETNAME",
            "    Tell this connection's name.",
            "ID",
            "    Tell this connection's number.",
            "INFO",
            "    Describe this connection.",
            "KILL <ip:port>",
            "    Close the connection from that address.",
            "KILL <option> <value> [<option> <value> [...]]",
            "    Close all connections that match every option:",
            "    * ADDR (<ip:port>|<unixsocket>:0)",
            "      The client's address.",
            "    * LADDR (<ip:port>|<unixsocket>:0)",
            "      Our own address.",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      What the client is.",
            "    * USER <username>",
            "      The user it authenticated as.",
            "    * SKIPME (YES|NO)",
            "      Whether to spare this connection (default: yes).",
            "    * ID <client-id>",
            "      The connection's number.",
            "    * MAXAGE <maxage>",
            "      Connected for at least so many seconds.",
            "LIST [options ...]",
            "    Describe the connections, one a line. Options:",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      Only clients of that type.",
            "    * ID <client-id> [<client-id> ...]",
            "      Only those connections.",
            "UNPAUSE",
            "    End a pause of the clients.",
            "PAUSE <timeout> [WRITE|ALL]",
            "    Hold back all commands, or only writes, for <timeout> milliseconds.",
            "REPLY (ON|OFF|SKIP)",
            "    Turn this connection's replies on or off, or skip the next one.",
            "SETNAME <name>",
            "    Name this connection.",
            "SETINFO <option> <value>",
            "    Record what the client is made of. Options:",
            "    * LIB-NAME: name of the client library.",
            "    * LIB-VER: version of the client library.",
            "UNBLOCK <clientid> [TIMEOUT|ERROR]",
            "    Wake a client that a blocking command holds.",
            "NO-EVICT (ON|OFF)",
            "    Exempt this connection from client eviction.",
            "NO-TOUCH (ON|OFF)",
            "    Leave the age of keys alone that this connection uses.",
        ],
    )
}
