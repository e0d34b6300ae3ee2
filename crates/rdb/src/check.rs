//! What check-rdb says about a file, while its bytes come by.
//!
//! The lines are those of redis-check-rdb 7.0.15 (observed), down to its habit of naming type 0
//! before the first key. Where it would print a place in its own source, the reason stands alone.
//! Types that this release does not serve are stepped over and counted like any other, because the
//! question is whether the file is sound. A key without elements, which a server leaves out, gets a
//! line of its own.
//!
//! Knows no files and no clock. Tests: `tests/check.rs`.

use std::collections::BTreeMap;

use crate::decode::Decoder;
use crate::error::{Doing, LoadError, Reason};
use crate::event::{ChecksumFound, Event};
use crate::format::kind;
use crate::limits::LoadLimits;

/// Hashes of tables are keyed in servers, against chosen keys; nobody talks to a tool.
const SEED: u64 = 0;

/// What is known about a file so far, or in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub version: u16,
    pub keys: u64,
    pub expires: u64,
    pub already_expired: u64,
    pub empty_keys: u64,
    /// Keys of each database that has any.
    pub keys_by_db: BTreeMap<u32, u64>,
    pub checksum: Option<ChecksumFound>,
    pub error: Option<LoadError>,
}

/// See the file header.
pub struct Checker {
    decoder: Decoder,
    now_ms: i64,
    report: Report,
}

impl Checker {
    /// Shows the first line. `name` is what the file is called, `now_ms` tells what has expired.
    pub fn new(name: &str, now_ms: i64, line: &mut dyn FnMut(&str)) -> Checker {
        line(&format!("[offset 0] Checking RDB file {name}"));
        let limits = LoadLimits {
            deep: true,
            ..LoadLimits::defaults(SEED)
        };
        Checker {
            decoder: Decoder::new(limits, true).skip_foreign(),
            now_ms,
            report: Report::default(),
        }
    }

    /// Goes on with what has arrived, consuming from the front of `input`, and shows lines. False
    /// once nothing more is wanted: the end was found, or an error.
    pub fn feed(&mut self, input: &mut &[u8], line: &mut dyn FnMut(&str)) -> bool {
        while !self.is_over() {
            let decoder = &mut self.decoder;
            match decoder.next(input) {
                Ok(Some(event)) => {
                    let text = self.report.see(event, self.now_ms);
                    if let Some(text) = text {
                        line(&format!("[offset {}] {text}", self.decoder.offset()));
                    }
                }
                Ok(None) => {
                    return !self.decoder.is_done();
                }
                Err(error) => self.report.error = Some(error),
            }
        }
        false
    }

    /// How many bytes more [`Checker::feed`] can make use of.
    pub fn wanted(&self) -> usize {
        self.decoder.wanted()
    }

    /// There is no more input. Shows the last lines.
    pub fn finish(mut self, line: &mut dyn FnMut(&str)) -> Report {
        if self.report.error.is_none() {
            self.report.error = self.decoder.at_end().err();
        }
        self.report.version = self.decoder.version();
        if let Some(error) = self.report.error.clone() {
            // The key of a broken value counts as read.
            self.report.keys += u64::from(error.doing == Doing::ReadObjectValue);
            show_error(&error, self.report.keys == 0, line);
        } else {
            line(&format!(
                "[offset {}] \\o/ RDB looks OK! \\o/",
                self.decoder.offset()
            ));
        }
        line(&format!("[info] {} keys read", self.report.keys));
        line(&format!("[info] {} expires", self.report.expires));
        line(&format!(
            "[info] {} already expired",
            self.report.already_expired
        ));
        self.report
    }

    fn is_over(&self) -> bool {
        self.report.error.is_some() || self.decoder.is_done()
    }
}

impl Report {
    /// Counts an event; the text of the line it deserves.
    fn see(&mut self, event: Event<'_>, now_ms: i64) -> Option<String> {
        match event {
            Event::Aux { key, value } => {
                let (key, value) = (readable(key), readable(value));
                return Some(format!("AUX FIELD {key} = '{value}'"));
            }
            Event::SelectDb { db } => return Some(format!("Selecting DB ID {db}")),
            Event::ModuleAux { module } => return Some(format!("MODULE AUX for: {module}")),
            Event::Empty { key, .. } => {
                self.empty_keys += 1;
                return Some(format!("Skipping empty key '{}'", readable(key)));
            }
            Event::Entry { db, expiry_ms, .. } | Event::Foreign { db, expiry_ms, .. } => {
                self.keys += 1;
                *self.keys_by_db.entry(db).or_default() += 1;
                if let Some(at) = expiry_ms {
                    self.expires += 1;
                    self.already_expired += u64::from(at < now_ms);
                }
            }
            Event::ResizeDb { .. } | Event::Functions => {}
            Event::End { checksum } => {
                self.checksum = Some(checksum);
                return match checksum {
                    ChecksumFound::Right => Some("Checksum OK".to_string()),
                    ChecksumFound::Disabled => Some(
                        "RDB file was saved with checksum disabled: no check performed."
                            .to_string(),
                    ),
                    ChecksumFound::NotChecked => None,
                };
            }
        }
        None
    }
}

fn show_error(error: &LoadError, before_first_key: bool, line: &mut dyn FnMut(&str)) {
    line("--- RDB ERROR DETECTED ---");
    let reason = match &error.reason {
        Reason::WrongChecksum { .. } => "RDB CRC error".to_string(),
        reason => reason.to_string(),
    };
    line(&format!("[offset {}] {reason}", error.offset));
    line(&format!(
        "[additional info] While doing: {}",
        error.doing.name()
    ));
    if let Some(key) = &error.key {
        line(&format!(
            "[additional info] Reading key '{}'",
            readable(key)
        ));
    }
    let known = error.kind.filter(|code| kind::name(*code).is_some());
    if let Some(code) = known.or(before_first_key.then_some(kind::STRING)) {
        let name = kind::name(code).unwrap_or("unknown");
        line(&format!("[additional info] Reading type {code} ({name})"));
    }
}

/// Bytes as text for a terminal: what is no text or would move the cursor is escaped.
pub fn readable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                out.extend(character.escape_default());
            } else {
                out.push(character);
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}
