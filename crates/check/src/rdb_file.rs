//! `check-rdb [--json] FILE`: whether an RDB file is sound, and what it holds.
//!
//! Reads the file piece by piece and gives it to [`rdb::check::Checker`], which knows the lines that
//! redis-check-rdb prints. With `--json` one object takes their place. The exit code is 0 for a sound
//! file and 1 for anything else. What Redis says nothing about (a file that cannot be opened or read)
//! goes to standard error. Tests: at the bottom.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use rdb::ChecksumFound;
use rdb::check::{Checker, Report, readable};

const USAGE: &str = "Usage: redis-check-rdb <rdb-file-name>\n";
const HELP: &str = "Usage: redis-check-rdb [--json] <rdb-file-name>\n";
/// What is read at a time.
const PIECE_BYTES: usize = 256 << 10;

enum Ask<'a> {
    Help,
    Version,
    Check { file: &'a OsStr, as_json: bool },
    Wrong,
}

/// The program. `args` are those behind its name.
pub fn check_rdb(args: &[OsString]) -> ExitCode {
    let out = BufWriter::new(io::stdout().lock());
    match run(args, out, &mut io::stderr().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        // A reader that went away has seen what it wanted; the file was not found sound, though.
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// True for success. An error is one of writing to `out`.
fn run(args: &[OsString], mut out: impl Write, errors: &mut dyn Write) -> io::Result<bool> {
    let is_sound = match ask(args) {
        Ask::Help => {
            out.write_all(HELP.as_bytes())?;
            true
        }
        Ask::Version => {
            writeln!(out, "redan-check-rdb {}", env!("CARGO_PKG_VERSION"))?;
            true
        }
        Ask::Wrong => {
            errors.write_all(USAGE.as_bytes())?;
            false
        }
        Ask::Check { file, as_json } => check(file, as_json, &mut out, errors)?,
    };
    out.flush()?;
    Ok(is_sound)
}

fn ask(args: &[OsString]) -> Ask<'_> {
    let texts: Vec<&str> = args.iter().map(|arg| arg.to_str().unwrap_or("")).collect();
    match texts[..] {
        ["-h" | "--help"] => Ask::Help,
        ["-v" | "--version"] => Ask::Version,
        ["--json"] => Ask::Wrong,
        ["--json", _] => Ask::Check {
            file: &args[1],
            as_json: true,
        },
        [_, "--json"] => Ask::Check {
            file: &args[0],
            as_json: true,
        },
        [_] => Ask::Check {
            file: &args[0],
            as_json: false,
        },
        _ => Ask::Wrong,
    }
}

fn check(
    path: &OsStr,
    as_json: bool,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> io::Result<bool> {
    let name = path.to_string_lossy();
    let mut written = Ok(());
    let mut line = |text: &str| {
        if !as_json && written.is_ok() {
            written = writeln!(out, "{text}");
        }
    };
    let mut checker = Checker::new(&name, unix_ms(), &mut line);
    let read = match File::open(path) {
        Ok(mut file) => feed(&mut file, &mut checker, &mut line),
        Err(error) => {
            writeln!(errors, "Cannot open file {name}: {error}")?;
            written?;
            return Ok(false);
        }
    };
    let report = checker.finish(&mut line);
    written?;
    if let Err(error) = &read {
        writeln!(errors, "Cannot read file {name}: {error}")?;
    }
    if as_json {
        writeln!(out, "{}", json(&name, &report))?;
    }
    Ok(read.is_ok() && report.error.is_none())
}

/// Gives the file to the checker until either is through.
fn feed(file: &mut impl Read, checker: &mut Checker, line: &mut dyn FnMut(&str)) -> io::Result<()> {
    let (mut buffer, mut at) = (Vec::new(), 0);
    loop {
        // What is not consumed yet moves to the front.
        buffer.drain(..at);
        let piece = PIECE_BYTES.max(checker.wanted()) as u64;
        if file.by_ref().take(piece).read_to_end(&mut buffer)? == 0 {
            return Ok(());
        }
        let mut input = buffer.as_slice();
        if !checker.feed(&mut input, line) {
            return Ok(());
        }
        at = buffer.len() - input.len();
    }
}

pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// The report as one object on one line.
fn json(name: &str, report: &Report) -> String {
    let mut out = format!(
        "{{\"file\":{},\"ok\":{},\"rdb_version\":{},\"keys\":{},\"expires\":{},\
         \"already_expired\":{},\"empty_keys_skipped\":{},\"checksum\":{},\"databases\":{{",
        quoted(name),
        report.error.is_none(),
        report.version,
        report.keys,
        report.expires,
        report.already_expired,
        report.empty_keys,
        match report.checksum {
            Some(ChecksumFound::Right) => "\"ok\"",
            Some(ChecksumFound::Disabled) => "\"disabled\"",
            Some(ChecksumFound::NotChecked) => "\"none\"",
            None => "null",
        }
    );
    for (index, (db, keys)) in report.keys_by_db.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}\"{db}\":{keys}").expect("strings take everything");
    }
    out.push_str("},\"error\":");
    match &report.error {
        None => out.push_str("null"),
        Some(error) => {
            let key = error.key.as_ref().map(|key| quoted(&readable(key)));
            let name = error.kind.and_then(rdb::format::kind::name).map(quoted);
            let kind = error.kind.map(|kind| kind.to_string());
            let or_null = |text: Option<String>| text.unwrap_or("null".to_string());
            write!(
                out,
                "{{\"offset\":{},\"reason\":{},\"doing\":{},\"key\":{},\"type\":{},\"type_name\":{}}}",
                error.offset,
                quoted(&error.reason.to_string()),
                quoted(error.doing.name()),
                or_null(key),
                or_null(kind),
                or_null(name),
            )
            .expect("strings take everything");
        }
    }
    out.push('}');
    out
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            c if c < ' ' => write!(out, "\\u{:04x}", c as u32).expect("strings take everything"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(texts: &[&str]) -> Vec<OsString> {
        texts.iter().map(OsString::from).collect()
    }

    /// Exit code 0 or not, standard output, standard error.
    fn output(texts: &[&str]) -> (bool, String, String) {
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let is_sound = run(&args(texts), &mut out, &mut errors).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (is_sound, text(out), text(errors))
    }

    fn file(name: &str, bytes: &[u8]) -> String {
        let name = format!("check-rdb-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_string()
    }

    const SOUND: &[u8] = b"REDIS0009\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";

    #[test]
    fn a_sound_file_is_a_success() {
        let path = file("sound", SOUND);
        let (is_sound, out, errors) = output(&[&path]);
        assert!(is_sound);
        assert_eq!(errors, "");
        let expected = format!(
            "[offset 0] Checking RDB file {path}\n\
             [offset 11] Selecting DB ID 0\n\
             [offset 25] RDB file was saved with checksum disabled: no check performed.\n\
             [offset 25] \\o/ RDB looks OK! \\o/\n\
             [info] 1 keys read\n[info] 0 expires\n[info] 0 already expired\n"
        );
        assert_eq!(out, expected);
        let (is_sound, out, _) = output(&["--json", &path]);
        assert!(is_sound);
        let expected = format!(
            "{{\"file\":\"{path}\",\"ok\":true,\"rdb_version\":9,\"keys\":1,\"expires\":0,\
             \"already_expired\":0,\"empty_keys_skipped\":0,\"checksum\":\"disabled\",\
             \"databases\":{{\"0\":1}},\"error\":null}}\n"
        );
        assert_eq!(out, expected);
        assert_eq!(output(&[&path, "--json"]).1, expected);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_damaged_file_is_a_failure_with_its_place() {
        let path = file("damaged", &SOUND[..15]);
        let (is_sound, out, _) = output(&[&path]);
        assert!(!is_sound);
        assert!(out.contains("--- RDB ERROR DETECTED ---\n"), "{out}");
        let (is_sound, out, _) = output(&["--json", &path]);
        assert!(!is_sound);
        let error = "\"error\":{\"offset\":15,\"reason\":\"Unexpected EOF reading RDB file\",\
                     \"doing\":\"read-object-value\",\"key\":\"k\",\"type\":0,\"type_name\":\"string\"}";
        assert!(out.contains(error), "{out}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn arguments_that_make_no_sense_are_a_failure_with_the_usage() {
        for texts in [&[][..], &["a", "b"], &["--json"], &["--json", "a", "b"]] {
            assert_eq!(output(texts), (false, String::new(), USAGE.to_string()));
        }
        assert_eq!(output(&["--help"]), (true, HELP.to_string(), String::new()));
        assert!(output(&["-v"]).1.starts_with("redan-check-rdb "));
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_the_reason() {
        let (is_sound, out, errors) = output(&["/nowhere/dump.rdb"]);
        assert!(!is_sound);
        assert_eq!(out, "[offset 0] Checking RDB file /nowhere/dump.rdb\n");
        assert!(
            errors.starts_with("Cannot open file /nowhere/dump.rdb: "),
            "{errors}"
        );
    }

    #[test]
    fn strings_are_quoted_for_json() {
        assert_eq!(quoted("a\"b\\c\n\u{e4}"), "\"a\\\"b\\\\c\\u000a\u{e4}\"");
    }
}
