//! DEBUG PROTOCOL: one reply of each type, for testing clients.

use crate::ctx::Ctx;
use crate::error::{Outcome, ReplyError};
use resp::Version;

#[allow(clippy::approx_constant, reason = "the number that Redis replies")]
pub(super) fn reply(ctx: &mut Ctx<'_>, kind: &[u8]) -> Outcome {
    let is_v3 = ctx.out.version() == Version::V3;
    let out = &mut *ctx.out;
    let numbers = |out: &mut resp::Writer| (0..3).for_each(|n| out.integer(n));
    match kind.to_ascii_lowercase().as_slice() {
        b"string" => out.bulk(b"Hello World"),
        b"integer" => out.integer(12345),
        b"double" => out.double(3.141),
        b"bignum" => out.big_number("1234567999999999999999999999999999999"),
        b"null" => out.null(),
        b"array" => {
            out.array(3);
            numbers(out);
        }
        b"set" => {
            out.set(3);
            numbers(out);
        }
        b"map" => {
            out.map(3);
            for n in 0..3 {
                out.integer(n);
                out.boolean(n == 1);
            }
        }
        b"attrib" => {
            if is_v3 {
                out.raw(b"|1\r\n");
                out.bulk(b"key-popularity");
                out.array(2);
                out.bulk(b"key:123");
                out.integer(90);
            }
            // Attributes are not real replies: something must follow.
            out.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if !is_v3 {
                return Err(ReplyError::new(
                    "ERR RESP2 is not supported by this command",
                ));
            }
            out.push(2);
            out.bulk(b"server-cpu-usage");
            out.integer(42);
            // And a reply, or the client would wait for one.
            out.bulk(b"Some real reply following the push reply");
        }
        b"true" => out.boolean(true),
        b"false" => out.boolean(false),
        b"verbatim" => out.verbatim("This is a verbatim\nstring", "txt"),
        _ => {
            return Err(ReplyError::new(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}
