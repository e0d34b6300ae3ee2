//! What check-aof found, as one JSON object: for programs, in place of the lines for people.
//!
//! Tests: with the tool, in `aof_file.rs`.

use std::fmt::Write as _;

use crate::rdb_file::quoted;

/// Everything about one run.
#[derive(Default)]
pub struct RunReport {
    pub file: String,
    pub is_manifest: bool,
    pub files: Vec<FileReport>,
    /// Why the run ended early.
    pub error: Option<String>,
}

/// One file that was looked at.
#[derive(Default)]
pub struct FileReport {
    pub name: String,
    pub role: &'static str,
    pub has_rdb: bool,
    pub size_bytes: u64,
    pub ok_up_to: u64,
    pub commands: u64,
    pub annotations: u64,
    /// Nothing for a file that was found broken.
    pub verdict: Option<Verdict>,
    /// Where it broke, and why.
    pub fault: Option<(u64, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Valid,
    Empty,
    Truncated,
    TruncatedToTimestamp,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Empty => "empty",
            Verdict::Truncated => "truncated",
            Verdict::TruncatedToTimestamp => "truncated-to-timestamp",
        }
    }
}

impl RunReport {
    pub fn json(&self) -> String {
        let mut out = format!(
            "{{\"file\":{},\"ok\":{},\"multi_part\":{},\"files\":[",
            quoted(&self.file),
            self.error.is_none(),
            self.is_manifest
        );
        for (index, file) in self.files.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { "," });
            file.json(&mut out);
        }
        let error = self.error.as_deref().map_or("null".to_string(), quoted);
        write!(out, "],\"error\":{error}}}").expect("strings take everything");
        out
    }
}

impl FileReport {
    fn json(&self, out: &mut String) {
        let fault = self.fault.as_ref().map(|(offset, reason)| {
            let reason = quoted(reason);
            format!("{{\"offset\":{offset},\"reason\":{reason}}}")
        });
        write!(
            out,
            "{{\"name\":{},\"type\":\"{}\",\"format\":\"{}\",\"size\":{},\"ok_up_to\":{},\
             \"commands\":{},\"annotations\":{},\"status\":\"{}\",\"error\":{}}}",
            quoted(&self.name),
            self.role,
            if self.has_rdb { "rdb" } else { "resp" },
            self.size_bytes,
            self.ok_up_to,
            self.commands,
            self.annotations,
            self.verdict.map_or("not-valid", Verdict::name),
            fault.unwrap_or("null".to_string()),
        )
        .expect("strings take everything");
    }
}
