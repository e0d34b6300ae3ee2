//! FAILOVER: handing the role over to a replica that has everything, without losing a write.
//!
//! ```text
//!   None -> WaitForSync (writes pause) -> InProgress (we ask the target to take over) -> None
//!     ^---------- abort, timeout ----'           `--- refused, abort: we are primary again
//! ```
//!
//! Here is the command's syntax and the state; `role.rs` moves it. Error texts were observed on
//! Redis 7.0. Tests: at the bottom, and `tests/failover.rs`.

use resp::parse_i64;

use crate::replconf::{NOT_A_NUMBER, printable};

const SYNTAX: &str = "ERR syntax error";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailoverCommand {
    Abort,
    Start {
        target: Option<Target>,
        timeout_ms: Option<u64>,
        is_forced: bool,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Failover {
    #[default]
    None,
    WaitForSync {
        target: Option<Target>,
        deadline_ms: Option<u64>,
        is_forced: bool,
    },
    InProgress {
        target: Target,
    },
}

impl Failover {
    /// INFO's word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Failover::None => "no-failover",
            Failover::WaitForSync { .. } => "waiting-for-sync",
            Failover::InProgress { .. } => "failover-in-progress",
        }
    }

    pub fn target(&self) -> Option<&Target> {
        match self {
            Failover::None => None,
            Failover::WaitForSync { target, .. } => target.as_ref(),
            Failover::InProgress { target } => Some(target),
        }
    }
}

/// `args` without the command's name. The error is the reply, without its dash.
pub fn parse(args: &[&[u8]]) -> Result<FailoverCommand, String> {
    if let [only] = args
        && only.eq_ignore_ascii_case(b"abort")
    {
        return Ok(FailoverCommand::Abort);
    }
    let (mut target, mut timeout_ms, mut is_forced) = (None, None, false);
    let mut rest = args;
    while let [name, tail @ ..] = rest {
        rest = match (name.to_ascii_lowercase().as_slice(), tail) {
            (b"timeout", [value, tail @ ..]) if timeout_ms.is_none() => {
                let number = parse_i64(value).ok_or(NOT_A_NUMBER)?;
                let is_positive = |number: &u64| *number > 0;
                let number = u64::try_from(number).ok().filter(is_positive);
                timeout_ms = Some(number.ok_or("ERR FAILOVER timeout must be greater than 0")?);
                tail
            }
            (b"to", [host, port, tail @ ..]) if target.is_none() => {
                let port = parse_i64(port).ok_or(NOT_A_NUMBER)?;
                target = Some(Target {
                    host: printable(host),
                    // Nobody listens on a port that is none, so such a target is no replica of ours.
                    port: u16::try_from(port).unwrap_or(0),
                });
                tail
            }
            (b"force", tail) if !is_forced => {
                is_forced = true;
                tail
            }
            _ => return Err(SYNTAX.to_owned()),
        };
    }
    Ok(FailoverCommand::Start {
        target,
        timeout_ms,
        is_forced,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(
        target: Option<(&str, u16)>,
        timeout_ms: Option<u64>,
        is_forced: bool,
    ) -> FailoverCommand {
        let target = target.map(|(host, port)| Target {
            host: host.to_owned(),
            port,
        });
        FailoverCommand::Start {
            target,
            timeout_ms,
            is_forced,
        }
    }

    #[test]
    fn the_command_is_read_as_redis_reads_it() {
        for (text, expected) in [
            ("", Ok(start(None, None, false))),
            ("abort", Ok(FailoverCommand::Abort)),
            ("TO h 1", Ok(start(Some(("h", 1)), None, false))),
            (
                "to h 1 force timeout 5",
                Ok(start(Some(("h", 1)), Some(5), true)),
            ),
            ("timeout 5", Ok(start(None, Some(5), false))),
            (
                "timeout 0",
                Err("ERR FAILOVER timeout must be greater than 0"),
            ),
            ("timeout x", Err(NOT_A_NUMBER)),
            ("to h x", Err(NOT_A_NUMBER)),
            ("to h", Err(SYNTAX)),
            ("timeout", Err(SYNTAX)),
            ("abort timeout 5", Err(SYNTAX)),
            ("force force", Err(SYNTAX)),
            ("to h 1 to h 1", Err(SYNTAX)),
        ] {
            let args: Vec<&[u8]> = text.split_whitespace().map(str::as_bytes).collect();
            assert_eq!(parse(&args), expected.map_err(str::to_owned), "{text}");
        }
    }
}
