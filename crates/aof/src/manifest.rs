//! The manifest: which files make up the append only file, and in which order.
//!
//! One line per file, `file NAME seq N type b|h|i`: at most one base, then history files (no longer
//! needed, to be removed), then increments by rising number. Lines that begin with `#` are comments,
//! unknown pairs of words are skipped, names with odd bytes are quoted.
//!
//! Parsing refuses what Redis 7.0 refuses, with its texts (observed: the integration tests match on
//! them). Redis reads lines through a buffer of 1024 bytes, so a longer line is an error and a
//! longer comment goes on as a line of its own; both are kept. Numbers beyond 2^62 are refused as
//! malformed, so that counting up from one cannot overflow.
//!
//! Tests are at the bottom; `examples/fuzz_aof.rs` fuzzes it.

use std::fmt::{self, Display};

use resp::split_args;

use crate::names::Names;

/// The longest line, its end included.
pub const LINE_MAX_BYTES: usize = 1024;

const SEQ_MAX: i64 = 1 << 62;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// A name within the directory, never a path.
    pub name: Vec<u8>,
    pub seq: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub base: Option<FileEntry>,
    pub history: Vec<FileEntry>,
    pub incrs: Vec<FileEntry>,
    /// The number of the latest base and increment; the next gets one more.
    pub base_seq: i64,
    pub incr_seq: i64,
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    pub line_number: usize,
    /// The line, where Redis shows it.
    pub line: Option<Vec<u8>>,
    pub message: &'static str,
}

impl ManifestError {
    /// The texts of the log lines by which Redis reports it, in order.
    pub fn log_texts(&self) -> Vec<String> {
        let mut texts = vec!["\n*** FATAL AOF MANIFEST FILE ERROR ***\n".to_owned()];
        if let Some(line) = &self.line {
            let line = String::from_utf8_lossy(line);
            let number = self.line_number;
            texts.push(format!("Reading the manifest file, at line {number}\n"));
            texts.push(format!(">>> '{line}'\n"));
        }
        texts.push(format!("{}\n", self.message));
        texts
    }
}

impl Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line_number, self.message)
    }
}

impl std::error::Error for ManifestError {}

impl Manifest {
    pub fn parse(text: &[u8]) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest::default();
        let mut rest = text;
        let mut line_number = 0;
        while let Some((chunk, after)) = next_chunk(rest) {
            rest = after;
            line_number += 1;
            if chunk[0] != b'#' {
                let mut shown = None;
                manifest
                    .take_line(chunk, &mut shown)
                    .map_err(|message| ManifestError {
                        line_number,
                        line: shown,
                        message,
                    })?;
            }
        }
        if line_number == 0 {
            return Err(ManifestError {
                line_number,
                line: None,
                message: "Found an empty AOF manifest",
            });
        }
        Ok(manifest)
    }

    /// The text that [`Manifest::parse`] reads.
    pub fn format(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let groups = [
            (b'b', self.base.as_slice()),
            (b'h', &self.history),
            (b'i', &self.incrs),
        ];
        for (kind, files) in groups {
            for file in files {
                out.extend_from_slice(b"file ");
                write_name(&file.name, &mut out);
                out.extend_from_slice(format!(" seq {} type ", file.seq).as_bytes());
                out.extend_from_slice(&[kind, b'\n']);
            }
        }
        out
    }

    /// Whether it names nothing that would be loaded.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incrs.is_empty()
    }

    /// The files to load, in order.
    pub fn live_files(&self) -> impl Iterator<Item = &FileEntry> {
        self.base.iter().chain(&self.incrs)
    }

    /// Adds the next increment; its name is the last of [`Manifest::incrs`] afterwards.
    pub fn add_incr(&mut self, names: &Names) {
        self.incr_seq += 1;
        self.incrs.push(FileEntry {
            name: names.incr(self.incr_seq),
            seq: self.incr_seq,
        });
    }

    /// Makes room for a new base: the old one becomes history, and so do the increments but for
    /// the last `incrs_kept`. The order of history is Redis's: what came last stands first.
    pub fn replace_base(&mut self, names: &Names, rdb_preamble: bool, incrs_kept: usize) {
        self.history.splice(0..0, self.base.take()).for_each(drop);
        self.base_seq += 1;
        self.base = Some(FileEntry {
            name: names.base(self.base_seq, rdb_preamble),
            seq: self.base_seq,
        });
        let obsolete = self.incrs.len().saturating_sub(incrs_kept);
        self.history
            .splice(0..0, self.incrs.drain(..obsolete))
            .for_each(drop);
    }

    fn take_line(&mut self, chunk: &[u8], shown: &mut Option<Vec<u8>>) -> Result<(), &'static str> {
        const MALFORMED: &str = "Invalid AOF manifest file format";
        let end = chunk.iter().position(|&byte| byte == b'\n' || byte == 0);
        if end.is_none_or(|end| chunk[end] == 0) {
            return Err("The AOF manifest file contains too long line");
        }
        let line = chunk.trim_ascii();
        *shown = Some(line.to_vec());
        let words = split_args(line).ok_or(MALFORMED)?;
        if words.len() < 6 || words.len() % 2 != 0 {
            return Err(MALFORMED);
        }
        let (mut name, mut seq, mut kind) = (None, 0, 0);
        for pair in words.chunks_exact(2) {
            if pair[0].eq_ignore_ascii_case(b"file") {
                if pair[1].iter().any(|byte| b"/\\".contains(byte)) {
                    return Err("File can't be a path, just a filename");
                }
                name = Some(pair[1].clone());
            } else if pair[0].eq_ignore_ascii_case(b"seq") {
                seq = leading_integer(&pair[1]);
            } else if pair[0].eq_ignore_ascii_case(b"type") {
                kind = pair[1].first().copied().unwrap_or(0);
            }
        }
        let name = name.ok_or(MALFORMED)?;
        if seq == 0 || seq.saturating_abs() > SEQ_MAX || kind == 0 {
            return Err(MALFORMED);
        }
        self.add(kind, FileEntry { name, seq })
    }

    fn add(&mut self, kind: u8, file: FileEntry) -> Result<(), &'static str> {
        match kind {
            b'b' if self.base.is_some() => Err("Found duplicate base file information"),
            b'b' => {
                self.base_seq = file.seq;
                self.base = Some(file);
                Ok(())
            }
            b'h' => {
                self.history.push(file);
                Ok(())
            }
            b'i' if file.seq <= self.incr_seq => Err("Found a non-monotonic sequence number"),
            b'i' => {
                self.incr_seq = file.seq;
                self.incrs.push(file);
                Ok(())
            }
            _ => Err("Unknown AOF file type"),
        }
    }
}

/// What one read through Redis's line buffer gives: a line with its end, or as much as fits.
fn next_chunk(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let window = &text[..text.len().min(LINE_MAX_BYTES)];
    let end = window.iter().position(|&byte| byte == b'\n');
    let length = end.map_or(window.len(), |end| end + 1);
    (length > 0).then(|| text.split_at(length))
}

/// The number a text begins with, as the C library's `atoll` reads it; 0 if there is none.
fn leading_integer(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut value = 0i64;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        value = value
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'));
    }
    if negative { -value } else { value }
}

fn write_name(name: &[u8], out: &mut Vec<u8>) {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\\\"".contains(byte);
    if name.iter().all(plain) {
        out.extend_from_slice(name);
        return;
    }
    out.push(b'"');
    for &byte in name {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> &'static str {
        Manifest::parse(text.as_bytes())
            .expect_err("refused")
            .message
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = "file appendonly.aof.2.base.rdb seq 2 type b\n\
                    file appendonly.aof.1.incr.aof seq 1 type h\n\
                    file appendonly.aof.4.incr.aof seq 4 type i\n\
                    file \" a\\n\\x01\\\"\\xff\" seq 6 type i\n";
        let manifest = Manifest::parse(text.as_bytes()).expect("manifest");
        assert_eq!(manifest.base_seq, 2);
        assert_eq!(manifest.incr_seq, 6);
        assert_eq!(manifest.incrs[1].name, b" a\n\x01\"\xff");
        assert_eq!(manifest.live_files().count(), 3);
        assert_eq!(String::from_utf8(manifest.format()).expect("ascii"), text);
    }

    #[test]
    fn comments_unknown_pairs_and_any_order_of_words_are_accepted() {
        let text = "# hello\nSEQ 3 type incremental x y FILE a\n#";
        let manifest = Manifest::parse(text.as_bytes()).expect("manifest");
        assert_eq!(manifest.incrs[0].seq, 3);
        assert!(
            Manifest::parse(b"#\n")
                .expect("only a comment is fine")
                .is_empty()
        );
    }

    #[test]
    fn errors_have_the_texts_of_redis() {
        const MALFORMED: &str = "Invalid AOF manifest file format";
        assert_eq!(message(""), "Found an empty AOF manifest");
        for malformed in [
            "\n",
            "filx a seq 1 type b\n",
            "file a type i\n",
            "file a seq 1 type i newkey\n",
            "file a seq 0 type i\n",
            "file a seq x type i\n",
            "file a seq 1 type \"\"\n",
            "file \"a seq 1 type i\n",
            "file a seq 9223372036854775807 type i\n",
            "!!!\n",
        ] {
            assert_eq!(message(malformed), MALFORMED, "{malformed}");
        }
        let duplicate = "file a seq 1 type b\nfile b seq 2 type b\n";
        assert_eq!(message(duplicate), "Found duplicate base file information");
        let falling = "file b seq 2 type i\nfile a seq 1 type i\n";
        assert_eq!(message(falling), "Found a non-monotonic sequence number");
        assert_eq!(message("file a seq 1 type x\n"), "Unknown AOF file type");
        assert_eq!(
            message("file a/b seq 1 type b\n"),
            "File can't be a path, just a filename"
        );
    }

    #[test]
    fn a_line_has_at_most_1024_bytes_with_its_end() {
        const TOO_LONG: &str = "The AOF manifest file contains too long line";
        let fits = format!("file {} seq 1 type b", "a".repeat(1024 - 20 + 3 - 1));
        assert_eq!(fits.len(), 1024);
        assert_eq!(message(&format!("{fits}\n")), TOO_LONG);
        let fits = format!("file {} seq 1 type b\n", "a".repeat(1024 - 19));
        assert_eq!(fits.len(), 1024);
        assert!(Manifest::parse(fits.as_bytes()).is_ok());
        assert_eq!(message("file a seq 1 type b"), TOO_LONG);
        assert_eq!(message("file a seq 1\0 type b\n"), TOO_LONG);
    }

    #[test]
    fn an_error_is_logged_with_its_line_where_one_was_read() {
        let error = Manifest::parse(b"#\n file a seq 1 type x \n").expect_err("refused");
        assert_eq!(
            error.log_texts(),
            [
                "\n*** FATAL AOF MANIFEST FILE ERROR ***\n",
                "Reading the manifest file, at line 2\n",
                ">>> 'file a seq 1 type x'\n",
                "Unknown AOF file type\n",
            ]
        );
        let error = Manifest::parse(b"file").expect_err("refused");
        assert_eq!(error.log_texts().len(), 2);
    }

    /// The order that `integration/aof-multi-part` expects of two rewrites without collection.
    #[test]
    fn history_is_kept_latest_first_as_redis_keeps_it() {
        let names = Names::new(b"d", b"a", 1);
        let text = "file a.5.base.rdb seq 5 type b\nfile a.1.incr.aof seq 1 type i\n";
        let mut manifest = Manifest::parse(text.as_bytes()).expect("manifest");
        for _ in 0..2 {
            manifest.add_incr(&names);
            manifest.replace_base(&names, true, 1);
        }
        assert_eq!(
            String::from_utf8(manifest.format()).expect("ascii"),
            "file a.7.base.rdb seq 7 type b\n\
             file a.2.incr.aof seq 2 type h\n\
             file a.6.base.rdb seq 6 type h\n\
             file a.1.incr.aof seq 1 type h\n\
             file a.5.base.rdb seq 5 type h\n\
             file a.3.incr.aof seq 3 type i\n"
        );
    }

    #[test]
    fn a_rewrite_while_the_file_is_off_leaves_only_a_base() {
        let names = Names::new(b"d", b"a", 1);
        let text = "file a.3.base.rdb seq 3 type b\nfile a.5.incr.aof seq 5 type i\nfile a.6.incr.aof seq 6 type i\n";
        let mut manifest = Manifest::parse(text.as_bytes()).expect("manifest");
        manifest.replace_base(&names, false, 0);
        let kept: Vec<_> = manifest
            .live_files()
            .map(|file| file.name.clone())
            .collect();
        assert_eq!(kept, [b"a.4.base.aof"]);
        let history: Vec<_> = manifest.history.iter().map(|file| file.seq).collect();
        assert_eq!(history, [5, 6, 3]);
    }
}
