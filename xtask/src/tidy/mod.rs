//! The project's own rules, checked by `cargo xtask tidy` and by an ordinary test.
//!
//! A check is a pure function from the tree's files to problems, so each is tested on inline
//! samples. What compilers and clippy already check is not repeated here, except the banned names:
//! clippy sees through aliases, this sees macros and modules; together they leave few holes.
//! `exceptions.txt` excuses single files from some rules, with a reason; `layers.txt` holds the
//! dependency edges; `long_functions.txt` is a ratchet.
//! To extend: add the check to `problems` and its samples below it in its own file.

mod docs;
mod exceptions;
mod layers;
mod lengths;
mod rust;
mod source;

use std::fmt;
use std::path::Path;
use std::process::Command;

pub const LAYERS: &str = "xtask/layers.txt";
pub const EXCEPTIONS: &str = "xtask/exceptions.txt";
pub const LONG_FUNCTIONS: &str = "xtask/long_functions.txt";

/// One broken rule, at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub path: String,
    pub line: usize,
    /// The short name `exceptions.txt` uses.
    pub rule: &'static str,
    pub message: String,
}

impl Problem {
    pub fn new(path: &str, line: usize, rule: &'static str, message: impl Into<String>) -> Problem {
        Problem {
            path: path.to_string(),
            line,
            rule,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {} [{}]",
            self.path, self.line, self.message, self.rule
        )
    }
}

/// The text files of the repository, paths relative to its root with `/` between parts.
pub struct Tree {
    pub files: Vec<File>,
}

pub struct File {
    pub path: String,
    pub text: String,
}

impl Tree {
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub fn has_directory(&self, path: &str) -> bool {
        self.files.iter().any(|file| {
            file.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('/'))
        })
    }

    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// What is committed or would be by the next `git add`; other files are nobody's business.
    /// Where git cannot answer (an unpacked archive) the directory itself is walked.
    fn load(root: &Path) -> Result<Tree, String> {
        let mut paths = git_files(root).map_or_else(|| walk(root), Ok)?;
        paths.sort();
        paths.dedup();
        let mut files = Vec::new();
        for path in paths {
            match std::fs::read(root.join(&path)) {
                // Binary files have no lines to check.
                Ok(bytes) => files.extend(
                    String::from_utf8(bytes)
                        .ok()
                        .map(|text| File { path, text }),
                ),
                // Deleted but not yet committed, or a link to a directory.
                Err(_) => continue,
            }
        }
        Ok(Tree { files })
    }
}

pub fn run(root: &Path, bless: bool) -> Result<(), String> {
    let mut tree = Tree::load(root)?;
    if bless {
        let blessed = lengths::lowered_ratchet(&tree);
        std::fs::write(root.join(LONG_FUNCTIONS), blessed)
            .map_err(|e| format!("write {LONG_FUNCTIONS}: {e}"))?;
        tree = Tree::load(root)?;
    }
    let problems = problems(&tree);
    if problems.is_empty() {
        eprintln!("tidy: {} files, no problems", tree.files.len());
        return Ok(());
    }
    let mut report: String = problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect();
    report.push_str(&format!("tidy: {} problems", problems.len()));
    Err(report)
}

pub fn problems(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let layers = layers::Layers::parse(tree, &mut problems);
    layers::check(tree, &layers, &mut problems);
    rust::check(tree, &layers, &mut problems);
    lengths::check(tree, &mut problems);
    docs::check(tree, &mut problems);
    let mut problems = exceptions::apply(tree, problems);
    problems.sort();
    problems
}

fn git_files(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .ok()?;
    let listed = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<String> = listed
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_string)
        .collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn walk(root: &Path) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    let mut pending = vec![String::new()];
    while let Some(directory) = pending.pop() {
        let entries = std::fs::read_dir(root.join(&directory))
            .map_err(|e| format!("read directory {directory:?}: {e}"))?;
        for entry in entries {
            let entry = entry.map_err(|e| format!("read directory {directory:?}: {e}"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if directory.is_empty() {
                name.clone()
            } else {
                format!("{directory}/{name}")
            };
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            match is_directory {
                true if name == ".git" || name == "target" => {}
                true => pending.push(path),
                false => paths.push(path),
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Tree {
        /// A tree of inline samples.
        pub fn of(files: &[(&str, &str)]) -> Tree {
            let files = files
                .iter()
                .map(|(path, text)| File {
                    path: path.to_string(),
                    text: text.to_string(),
                })
                .collect();
            Tree { files }
        }
    }

    #[test]
    fn this_tree_is_tidy() {
        if let Err(report) = run(&crate::root(), false) {
            panic!("\n{report}");
        }
    }

    #[test]
    fn walking_the_directory_finds_the_sources_but_not_the_build() {
        let paths = walk(&crate::root()).unwrap();
        assert!(paths.contains(&"xtask/src/tidy/mod.rs".to_string()));
        assert!(
            !paths
                .iter()
                .any(|path| path.starts_with("target/") || path.starts_with(".git/"))
        );
    }

    #[test]
    fn a_problem_reads_as_place_then_reason_then_rule() {
        let problem = Problem::new("a/b.rs", 7, "sleep", "waits blindly");
        assert_eq!(problem.to_string(), "a/b.rs:7: waits blindly [sleep]");
    }
}
