//! REPLCONF as a replica sends it: parsed as a whole before anything of it counts.
//!
//! Pairs of option and value. ACK and GETACK end the command: nothing after them is read but FACK,
//! and nothing is answered. Error texts were observed on Redis 7.0 and are byte-exact.
//! Which options other than ours exist is Redis 7.4's business, plus `version` of Valkey 8.
//!
//! Tests: `testdata/replconf.txt`, read at the bottom.

use resp::{parse_i64, split_args};

use crate::action::Filter;

pub(crate) const NOT_A_NUMBER: &str = "ERR value is not an integer or out of range";
const IP_LEN_MAX: usize = 255;
const RUN_ID_LEN_MAX: usize = 64;
/// How our own replicas say who they are, in a form that others ignore in silence.
pub(crate) const RUN_ID_CAPABILITY: &[u8] = b"redan-run-id=";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    ListeningPort(i64),
    IpAddress(String),
    CapabilityEof,
    CapabilityPsync2,
    RunId(Vec<u8>),
    RdbOnly(bool),
    RdbFilter(Filter),
    Version(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replconf {
    /// To be answered with OK.
    Settings(Vec<Setting>),
    /// Not to be answered. None: what it claims is no number.
    Ack {
        offset: Option<i64>,
        fsynced: Option<i64>,
    },
    /// Our primary asks how far we are. Not to be answered by a reply.
    GetAck,
}

/// `args` without the command's name. The error is the reply, without its dash.
pub fn parse(args: &[&[u8]]) -> Result<Replconf, String> {
    let (pairs, rest) = args.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("ERR syntax error".to_owned());
    }
    let mut settings = Vec::new();
    for (index, [name, value]) in pairs.iter().enumerate() {
        match name.to_ascii_lowercase().as_slice() {
            b"ack" => return Ok(ack(value, pairs.get(index + 1))),
            b"getack" => return Ok(Replconf::GetAck),
            other => settings.extend(setting(other, name, value)?),
        }
    }
    Ok(Replconf::Settings(settings))
}

fn ack(value: &[u8], next: Option<&[&[u8]; 2]>) -> Replconf {
    let fsynced = next
        .filter(|[name, _]| name.eq_ignore_ascii_case(b"fack"))
        .and_then(|[_, value]| parse_i64(value));
    Replconf::Ack {
        offset: parse_i64(value),
        fsynced,
    }
}

fn setting(lower: &[u8], name: &[u8], value: &[u8]) -> Result<Option<Setting>, String> {
    Ok(Some(match lower {
        b"listening-port" => Setting::ListeningPort(parse_i64(value).ok_or(NOT_A_NUMBER)?),
        b"ip-address" if value.len() > IP_LEN_MAX => {
            return Err(format!(
                "ERR REPLCONF ip-address provided by replica instance is too long: {} bytes",
                value.len()
            ));
        }
        b"ip-address" => Setting::IpAddress(printable(value)),
        b"capa" => return Ok(capability(value)),
        b"rdb-only" => match parse_i64(value) {
            Some(number @ 0..=1) => Setting::RdbOnly(number == 1),
            Some(_) => {
                let refused = "ERR value is out of range, value must between 0 and 1";
                return Err(refused.to_owned());
            }
            None => return Err(NOT_A_NUMBER.to_owned()),
        },
        b"rdb-filter-only" => Setting::RdbFilter(filter(value)?),
        b"version" => Setting::Version(version(value)?),
        _ => {
            return Err(format!(
                "ERR Unrecognized REPLCONF option: {}",
                printable(name)
            ));
        }
    }))
}

/// What a primary does not understand it ignores.
fn capability(value: &[u8]) -> Option<Setting> {
    if let Some(run_id) = value.strip_prefix(RUN_ID_CAPABILITY) {
        return (run_id.len() <= RUN_ID_LEN_MAX).then(|| Setting::RunId(run_id.to_vec()));
    }
    match value.to_ascii_lowercase().as_slice() {
        b"eof" => Some(Setting::CapabilityEof),
        b"psync2" => Some(Setting::CapabilityPsync2),
        _ => None,
    }
}

/// Names what to include; everything else is left out.
fn filter(value: &[u8]) -> Result<Filter, String> {
    let Some(names) = split_args(value) else {
        return Err("ERR Missing rdb-filter-only values".to_owned());
    };
    let mut filter = Filter {
        without_data: true,
        without_functions: true,
    };
    for name in names {
        if !name.eq_ignore_ascii_case(b"functions") {
            return Err(format!(
                "ERR Unsupported rdb-filter-only option: {}",
                printable(&name)
            ));
        }
        filter.without_functions = false;
    }
    Ok(filter)
}

fn version(value: &[u8]) -> Result<String, String> {
    let text = printable(value);
    let is_version = {
        let parts: Vec<&str> = text.split('.').collect();
        let is_number = |part: &&str| !part.is_empty() && part.parse::<u8>().is_ok();
        parts.len() == 3 && parts.iter().all(is_number)
    };
    if is_version {
        Ok(text)
    } else {
        Err(format!("ERR Unrecognized version format: {text}"))
    }
}

/// A peer's text goes into logs, INFO and one-line replies.
pub(crate) fn printable(text: &[u8]) -> String {
    const SHOWN_MAX: usize = 256;
    String::from_utf8_lossy(&text[..text.len().min(SHOWN_MAX)])
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = include_str!("../testdata/replconf.txt");

    #[test]
    fn the_table_of_commands_holds() {
        let mut checked = 0;
        for line in TABLE.lines() {
            let Some((command, expected)) = line.split_once("=>") else {
                assert!(line.trim().is_empty() || line.starts_with('#'), "{line}");
                continue;
            };
            let args = split_args(command.as_bytes()).expect("balanced quotes");
            let args: Vec<&[u8]> = args.iter().skip(1).map(Vec::as_slice).collect();
            let found = match parse(&args) {
                Err(text) => text,
                Ok(Replconf::Settings(settings)) => {
                    let texts = settings.iter().map(|one| format!("{one:?}"));
                    format!("set {}", texts.collect::<Vec<_>>().join(" "))
                }
                Ok(other) => format!("{other:?}"),
            };
            assert_eq!(found.trim(), expected.trim(), "{line}");
            checked += 1;
        }
        assert!(checked > 25, "{checked} cases");
    }

    #[test]
    fn too_long_texts_are_not_kept() {
        let long = [b'1'; 256];
        let refused = "ERR REPLCONF ip-address provided by replica instance is too long: 256 bytes";
        assert_eq!(parse(&[b"ip-address", &long]), Err(refused.to_owned()));
        assert!(parse(&[b"ip-address", &long[..255]]).is_ok());
        let run_id = [RUN_ID_CAPABILITY, &long].concat();
        assert_eq!(
            parse(&[b"capa", &run_id]),
            Ok(Replconf::Settings(Vec::new()))
        );
    }
}
