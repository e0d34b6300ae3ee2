//! `check-aof [--json] [--fix | --truncate-to-timestamp SECONDS] FILE|MANIFEST`: whether an append
//! only file is sound, and cutting it where it is not or where a time is over.
//!
//! [`aof::replay::Scanner`] walks the commands, [`rdb::check::Checker`] an RDB part in front. Lines,
//! prompts and exit codes are those of redis-check-aof 7.0.15 (observed). Three things differ: a file
//! is opened for writing only if it may be cut, so that one can check what one may not change; a
//! manifest's error comes without the time and process id of a log line; a cut is synced to disk.
//!
//! Only the last file of a manifest may be cut. With `--json` one object takes the place of the
//! lines, and the prompt goes to standard error. Tests: `aof_file/tests.rs`.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aof::manifest::{LINE_MAX_BYTES, Manifest};
use aof::replay::{Fault, Item, Reason, Scanner, leading_number, timestamp_s};
use rdb::check::Checker;

use crate::aof_report::{FileReport, RunReport, Verdict};
use crate::rdb_file::unix_ms;

const USAGE: &str = "Usage: redis-check-aof [--fix|--truncate-to-timestamp $timestamp] \
                     <file.manifest|file.aof>\n";
/// What is read at a time.
const PIECE_BYTES: usize = 256 << 10;
/// No manifest is longer: a line is at most 1 KB, and files are few.
const MANIFEST_MAX_BYTES: u64 = 64 << 20;
/// A shorter file cannot begin with RDB.
const RDB_HEADER_BYTES: u64 = 8;

/// Why the run ends here.
enum Stop {
    /// With this line.
    Failed(String),
    /// What is to be said cannot be written.
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Output(error)
    }
}

/// A line for the user that ends the run.
fn failed<T>(line: String) -> Result<T, Stop> {
    Err(Stop::Failed(line))
}

#[derive(Default)]
struct Options {
    as_json: bool,
    may_fix: bool,
    /// Redis takes 0 for no time at all.
    to_timestamp_s: Option<i64>,
    path: OsString,
}

/// The program. `args` are those behind its name.
pub fn check_aof(args: &[OsString]) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut tool = Tool {
        options: Options::default(),
        out: &mut out,
        answers: &mut io::stdin().lock(),
        errors: &mut io::stderr().lock(),
        report: RunReport::default(),
        lines: 1,
    };
    match tool.run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

struct Tool<'a> {
    options: Options,
    out: &'a mut dyn Write,
    answers: &'a mut dyn Read,
    errors: &'a mut dyn Write,
    report: RunReport,
    /// Counted over all files, as in Redis.
    lines: u64,
}

/// A file to look at.
struct Part {
    /// As the lines call it.
    name: String,
    path: PathBuf,
    role: Role,
    is_last: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Alone,
    Base,
    Incr,
}

impl Role {
    fn title(self) -> &'static str {
        match self {
            Role::Alone => "AOF",
            Role::Base => "BASE AOF",
            Role::Incr => "INCR AOF",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Role::Alone => "aof",
            Role::Base => "base",
            Role::Incr => "incr",
        }
    }
}

/// How walking the commands ended.
enum Walk {
    /// At the end, or where it broke.
    Through(Option<Fault>),
    /// At this annotation, whose time is later than what was asked for.
    Later { at: u64 },
}

impl Tool<'_> {
    /// True for success. An error is one of writing.
    fn run(&mut self, args: &[OsString]) -> io::Result<bool> {
        let ended = match self.parse(args) {
            Ok(true) => self.check(),
            Ok(false) => return self.out.flush().map(|()| true),
            Err(stop) => Err(stop),
        };
        let is_success = match ended {
            Ok(()) => true,
            Err(Stop::Output(error)) => return Err(error),
            Err(Stop::Failed(text)) => {
                self.say(&text)?;
                self.report.error = Some(text.trim().to_string());
                false
            }
        };
        if self.options.as_json {
            writeln!(self.out, "{}", self.report.json())?;
        }
        self.out.flush()?;
        Ok(is_success)
    }

    /// False if there is nothing to check.
    fn parse(&mut self, args: &[OsString]) -> Result<bool, Stop> {
        let (json, rest): (Vec<&OsString>, Vec<&OsString>) =
            args.iter().partition(|arg| *arg == "--json");
        let texts: Vec<&str> = rest.iter().map(|arg| arg.to_str().unwrap_or("")).collect();
        match texts[..] {
            ["-h" | "--help"] => {
                self.out.write_all(USAGE.as_bytes())?;
                return Ok(false);
            }
            ["-v" | "--version"] => {
                writeln!(self.out, "redan-check-aof {}", env!("CARGO_PKG_VERSION"))?;
                return Ok(false);
            }
            [_] => {}
            ["--fix", _] => self.options.may_fix = true,
            ["--truncate-to-timestamp", text, _] => {
                let (seconds, len) = leading_number(text.as_bytes());
                if len != text.len() || seconds == i64::MAX || seconds == i64::MIN {
                    return failed("Invalid timestamp, aborting...".to_string());
                }
                self.options.to_timestamp_s = Some(seconds).filter(|&seconds| seconds != 0);
            }
            _ => return failed(USAGE.trim_end().to_string()),
        }
        self.options.as_json = !json.is_empty();
        self.options.path = rest[rest.len() - 1].clone();
        Ok(true)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        if self.options.as_json {
            return Ok(());
        }
        writeln!(self.out, "{line}")
    }

    fn check(&mut self) -> Result<(), Stop> {
        let path = PathBuf::from(&self.options.path);
        let name = path.to_string_lossy().into_owned();
        self.report.file.clone_from(&name);
        if looks_like_manifest(&path)? {
            self.report.is_manifest = true;
            return self.check_manifest(&path);
        }
        self.say("Start checking Old-Style AOF")?;
        let has_rdb = begins_with_rdb(&path)?;
        let part = Part {
            name,
            path,
            role: Role::Alone,
            is_last: true,
        };
        self.check_part(&part, has_rdb)
    }

    fn check_manifest(&mut self, path: &Path) -> Result<(), Stop> {
        self.say("Start checking Multi Part AOF")?;
        let manifest = match Manifest::parse(&read_manifest(path)?) {
            Ok(manifest) => manifest,
            Err(error) => return failed(error.log_texts().join("\n").trim_end().to_string()),
        };
        let directory = match path.parent() {
            Some(directory) if directory != Path::new("") => directory,
            _ => Path::new("."),
        };
        let part = |name: &[u8], role, is_last| Part {
            name: String::from_utf8_lossy(name).into_owned(),
            path: directory.join(OsStr::from_bytes(name)),
            role,
            is_last,
        };
        if let Some(base) = &manifest.base {
            let part = part(&base.name, Role::Base, manifest.incrs.is_empty());
            let has_rdb = begins_with_rdb(&part.path)?;
            let format = if has_rdb { "RDB" } else { "RESP" };
            self.say(&format!("Start to check BASE AOF ({format} format)."))?;
            self.check_part(&part, has_rdb)?;
        }
        if !manifest.incrs.is_empty() {
            self.say("Start to check INCR files.")?;
        }
        for (index, incr) in manifest.incrs.iter().enumerate() {
            let is_last = index + 1 == manifest.incrs.len();
            self.check_part(&part(&incr.name, Role::Incr, is_last), false)?;
        }
        self.say("All AOF files and manifest are valid")?;
        Ok(())
    }

    /// One file: looks at it, says how it is, and notes the same for the report.
    fn check_part(&mut self, part: &Part, has_rdb: bool) -> Result<(), Stop> {
        let mut report = FileReport {
            name: part.name.clone(),
            role: part.role.name(),
            has_rdb,
            ..FileReport::default()
        };
        let verdict = self.examine(part, &mut report);
        report.verdict = verdict.as_ref().ok().copied();
        self.report.files.push(report);
        let (name, title) = (&part.name, part.role.title());
        let line = match verdict? {
            Verdict::Valid => format!("{title} {name} is valid"),
            Verdict::Empty => format!("{title} {name} is empty"),
            Verdict::Truncated => format!("Successfully truncated AOF {name}"),
            Verdict::TruncatedToTimestamp => {
                let to = self.options.to_timestamp_s.unwrap_or(0);
                format!("Successfully truncated AOF {name} to timestamp {to}")
            }
        };
        self.say(&line)?;
        Ok(())
    }

    fn examine(&mut self, part: &Part, report: &mut FileReport) -> Result<Verdict, Stop> {
        let name = &part.name;
        let may_cut = self.options.may_fix || self.options.to_timestamp_s.is_some();
        let opened = OpenOptions::new()
            .read(true)
            .write(may_cut)
            .open(&part.path);
        let file = opened.or_else(|error| {
            let (path, reason) = (part.path.display(), reason(&error));
            failed(format!("Cannot open file {path}: {reason}, aborting..."))
        })?;
        let Ok(metadata) = file.metadata() else {
            return failed(format!("Cannot stat file: {name}, aborting..."));
        };
        report.size_bytes = metadata.len();
        if report.size_bytes == 0 {
            return Ok(Verdict::Empty);
        }
        let (mut buffer, mut at) = (Vec::new(), 0);
        if report.has_rdb {
            (buffer, at) = self.check_rdb_part(part, &file, report)?;
        }
        let mut scanner = Scanner::new(at, self.lines);
        let walk = self.walk(part, &file, &mut buffer, &mut scanner, report);
        self.lines = scanner.lines();
        report.ok_up_to = scanner.valid_up_to();
        match walk? {
            Walk::Later { at } => self.cut_to_timestamp(part, &file, at),
            Walk::Through(fault) => {
                report.fault = fault.map(|fault| (fault.at, fault.reason.to_string()));
                self.conclude(part, &file, fault, report)
            }
        }
    }

    /// The RDB part in front. Returns what was read beyond it and where that begins.
    fn check_rdb_part(
        &mut self,
        part: &Part,
        file: &File,
        report: &mut FileReport,
    ) -> Result<(Vec<u8>, u64), Stop> {
        let (is_quiet, out) = (self.options.as_json, &mut self.out);
        let mut written = Ok(());
        let mut line = |text: &str| {
            if !is_quiet && written.is_ok() {
                written = writeln!(out, "{text}");
            }
        };
        let mut checker = Checker::new(&part.name, unix_ms(), &mut line);
        let (mut buffer, mut consumed) = (Vec::new(), 0);
        loop {
            let piece = PIECE_BYTES.max(checker.wanted()) as u64;
            let read = file.take(piece).read_to_end(&mut buffer);
            if read.or_else(|_| failed(cannot_read(part)))? == 0 {
                break;
            }
            let mut input = buffer.as_slice();
            let wants_more = checker.feed(&mut input, &mut line);
            let used = buffer.len() - input.len();
            consumed += used as u64;
            buffer.drain(..used);
            if !wants_more {
                break;
            }
        }
        let found = checker.finish(&mut line);
        written?;
        if let Some(error) = found.error {
            report.fault = Some((error.offset, error.reason.to_string()));
            return failed("RDB preamble of AOF file is not sane, aborting.".to_string());
        }
        self.say("RDB preamble is OK, proceeding with AOF tail...")?;
        Ok((buffer, consumed))
    }

    /// Walks the commands; `buffer` holds what was read of them already.
    fn walk(
        &mut self,
        part: &Part,
        file: &File,
        buffer: &mut Vec<u8>,
        scanner: &mut Scanner,
        report: &mut FileReport,
    ) -> Result<Walk, Stop> {
        loop {
            let mut input = buffer.as_slice();
            loop {
                match scanner.next(&mut input) {
                    Err(fault) => return Ok(Walk::Through(Some(fault))),
                    Ok(None) => break,
                    Ok(Some(item)) => {
                        if let Some(at) = self.see(part, &item, report)? {
                            return Ok(Walk::Later { at });
                        }
                    }
                }
            }
            buffer.clear();
            let read = file.take(PIECE_BYTES as u64).read_to_end(buffer);
            if read.or_else(|_| failed(cannot_read(part)))? == 0 {
                break;
            }
        }
        match scanner.finish() {
            Err(fault) => Ok(Walk::Through(Some(fault))),
            Ok(None) => Ok(Walk::Through(None)),
            Ok(Some(item)) => Ok(match self.see(part, &item, report)? {
                Some(at) => Walk::Later { at },
                None => Walk::Through(None),
            }),
        }
    }

    /// Counts an item. Returns its place if its time is later than what was asked for.
    fn see(&self, part: &Part, item: &Item, report: &mut FileReport) -> Result<Option<u64>, Stop> {
        let Item::Annotation { at, text } = item else {
            report.commands += 1;
            return Ok(None);
        };
        report.annotations += 1;
        let (Some(to), Some(time)) = (self.options.to_timestamp_s, timestamp_s(text)) else {
            return Ok(None);
        };
        let path = part.path.display();
        match time {
            Err(_) => failed("Invalid timestamp annotation".to_string()),
            Ok(time_s) if time_s <= to => Ok(None),
            Ok(_) if *at == 0 => failed(format!(
                "AOF {path} has nothing before timestamp {to}, aborting..."
            )),
            Ok(_) if !part.is_last => failed(format!(
                "Failed to truncate AOF {path} to timestamp {to} to offset {at} because it is not \
                 the last file.\nIf you insist, please delete all files after this file according \
                 to the manifest file and delete the corresponding records in manifest file \
                 manually. Then re-run redis-check-aof."
            )),
            Ok(_) => Ok(Some(*at)),
        }
    }

    fn cut_to_timestamp(&self, part: &Part, file: &File, at: u64) -> Result<Verdict, Stop> {
        if cut(file, at).is_err() {
            let to = self.options.to_timestamp_s.unwrap_or(0);
            let path = part.path.display();
            return failed(format!("Failed to truncate AOF {path} to timestamp {to}"));
        }
        Ok(Verdict::TruncatedToTimestamp)
    }

    /// The whole file was walked, as far as it goes.
    fn conclude(
        &mut self,
        part: &Part,
        file: &File,
        fault: Option<Fault>,
        report: &FileReport,
    ) -> Result<Verdict, Stop> {
        let (name, size, keep) = (&part.name, report.size_bytes, report.ok_up_to);
        if let Some(line) = fault.and_then(|fault| fault_line(part, fault)) {
            self.say(&line)?;
        }
        // A file that somebody appends to may have grown beyond the size it had.
        let diff = size as i64 - keep as i64;
        if let (0, Some(to)) = (diff, self.options.to_timestamp_s) {
            self.say(&format!("Truncate nothing in AOF {name} to timestamp {to}"))?;
            return Ok(Verdict::Valid);
        }
        let lines = self.lines;
        self.say(&format!(
            "AOF analyzed: filename={name}, size={size}, ok_up_to={keep}, ok_up_to_line={lines}, \
             diff={diff}"
        ))?;
        if diff <= 0 {
            return Ok(Verdict::Valid);
        }
        if !self.options.may_fix {
            return failed(format!(
                "AOF {name} is not valid. Use the --fix option to try fixing it."
            ));
        }
        if !part.is_last {
            return failed(format!(
                "Failed to truncate AOF {name} because it is not the last file"
            ));
        }
        self.say(&format!(
            "This will shrink the AOF {name} from {size} bytes, with {diff} bytes, to {keep} bytes"
        ))?;
        if !self.confirmed()? {
            return failed("Aborting...".to_string());
        }
        match cut(file, keep) {
            Ok(()) => Ok(Verdict::Truncated),
            Err(_) => failed(format!("Failed to truncate AOF {name}")),
        }
    }

    fn confirmed(&mut self) -> io::Result<bool> {
        let prompt = match self.options.as_json {
            true => &mut self.errors,
            false => &mut self.out,
        };
        write!(prompt, "Continue? [y/N]: ")?;
        prompt.flush()?;
        let mut answer = [0];
        Ok(self.answers.read(&mut answer)? == 1 && answer[0].eq_ignore_ascii_case(&b'y'))
    }
}

/// What Redis prints about a fault: nothing if the file just ends between arguments.
fn fault_line(part: &Part, fault: Fault) -> Option<String> {
    let (at, reason) = (fault.at, fault.reason);
    match reason {
        Reason::NoCommand => Some(format!("AOF {} {reason}", part.name)),
        Reason::CutCommand => None,
        Reason::UnexpectedMulti | Reason::UnexpectedExec => {
            Some(format!("0x{at:>16x}: {reason} {}", part.path.display()))
        }
        _ => Some(format!("0x{at:>16x}: {reason}")),
    }
}

fn cut(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)?;
    file.sync_all()
}

fn cannot_read(part: &Part) -> String {
    format!("Failed to read from AOF {}, aborting...", part.name)
}

/// The reason alone, without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}

fn open(path: &Path) -> Result<File, Stop> {
    File::open(path).or_else(|error| {
        let (path, reason) = (path.display(), reason(&error));
        failed(format!("Cannot open file {path}: {reason}"))
    })
}

/// Whether the first line that is no comment is one of a manifest.
fn looks_like_manifest(path: &Path) -> Result<bool, Stop> {
    let mut reader = BufReader::new(open(path)?);
    loop {
        let mut line = Vec::new();
        let read = reader
            .by_ref()
            .take(LINE_MAX_BYTES as u64)
            .read_until(b'\n', &mut line);
        if read.is_err() {
            return failed(format!("Cannot read file: {}", path.display()));
        }
        if !line.starts_with(b"#") {
            return Ok(line.starts_with(b"file"));
        }
    }
}

fn read_manifest(path: &Path) -> Result<Vec<u8>, Stop> {
    let mut text = Vec::new();
    let read = open(path)?
        .take(MANIFEST_MAX_BYTES + 1)
        .read_to_end(&mut text);
    if read.is_err() {
        return failed(format!("Cannot read file: {}", path.display()));
    }
    if text.len() as u64 > MANIFEST_MAX_BYTES {
        return failed("Invalid AOF manifest file format".to_string());
    }
    Ok(text)
}

fn begins_with_rdb(path: &Path) -> Result<bool, Stop> {
    let mut begin = Vec::new();
    let read = open(path)?.take(RDB_HEADER_BYTES).read_to_end(&mut begin);
    if read.is_err() {
        return failed(format!("Cannot read file: {}", path.display()));
    }
    let has_magic = begin.starts_with(b"REDIS") || begin.starts_with(b"VALKEY");
    Ok(has_magic && begin.len() as u64 == RDB_HEADER_BYTES)
}

#[cfg(test)]
mod tests;
