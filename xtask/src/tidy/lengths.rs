//! Length limits: files that fit a head, functions that fit a screen.
//!
//! A file above 1000 lines needs an entry in `exceptions.txt`. Functions above 70 lines are counted
//! per file against the ratchet in `long_functions.txt`: it may be lowered by machine (`--bless`)
//! and raised only by hand, with a reason. Flat match tables are counted like everything else.

use std::collections::BTreeMap;

use super::source::{Function, Source};
use super::{LONG_FUNCTIONS, Problem, Tree};

const FILE_LINES_MAX: usize = 1000;
const FUNCTION_LINES_MAX: usize = 70;

struct Allowance {
    count: usize,
    line: usize,
    reason: String,
}

pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    let mut allowances = parse_ratchet(tree, problems);
    for file in tree.rust() {
        let line_count = file.text.lines().count();
        if line_count > FILE_LINES_MAX {
            let message =
                format!("{line_count} lines, more than {FILE_LINES_MAX}: split it by noun");
            problems.push(Problem::new(&file.path, 1, "long-file", message));
        }
        let long = long_functions(&file.text);
        let allowed = allowances
            .remove(&file.path)
            .map_or(0, |allowance| allowance.count);
        if long.len() > allowed {
            problems.push(Problem::new(
                &file.path,
                long[0].line,
                "long-functions",
                too_many(&long, allowed),
            ));
        } else if long.len() < allowed {
            let message = format!(
                "{LONG_FUNCTIONS} allows {allowed} long functions, only {} are left: \
                 run `cargo xtask tidy --bless`",
                long.len()
            );
            problems.push(Problem::new(&file.path, 1, "long-functions", message));
        }
    }
    for (path, allowance) in allowances {
        let message = format!("{path} is gone: run `cargo xtask tidy --bless`");
        problems.push(Problem::new(
            LONG_FUNCTIONS,
            allowance.line,
            "long-functions",
            message,
        ));
    }
}

/// The ratchet's text with every count lowered to what is there now.
pub fn lowered_ratchet(tree: &Tree) -> String {
    let allowances = parse_ratchet(tree, &mut Vec::new());
    let old = tree
        .get(LONG_FUNCTIONS)
        .map_or("", |file| file.text.as_str());
    let mut text: String = old
        .lines()
        .take_while(|line| line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    for (path, allowance) in allowances {
        let now = tree
            .get(&path)
            .map_or(0, |file| long_functions(&file.text).len());
        let count = now.min(allowance.count);
        if count > 0 {
            text.push_str(&format!("{path}: {count} # {}\n", allowance.reason));
        }
    }
    text
}

fn long_functions(text: &str) -> Vec<Function> {
    let mut functions = Source::new(text).functions();
    functions.retain(|function| function.line_count > FUNCTION_LINES_MAX);
    functions
}

fn too_many(long: &[Function], allowed: usize) -> String {
    let named: Vec<String> = long
        .iter()
        .map(|f| format!("{} ({} lines at {})", f.name, f.line_count, f.line))
        .collect();
    format!(
        "{} functions longer than {FUNCTION_LINES_MAX} lines, {allowed} allowed: {}; \
         split, or give the reason in {LONG_FUNCTIONS}",
        long.len(),
        named.join(", ")
    )
}

fn parse_ratchet(tree: &Tree, problems: &mut Vec<Problem>) -> BTreeMap<String, Allowance> {
    let mut allowances = BTreeMap::new();
    let text = tree
        .get(LONG_FUNCTIONS)
        .map_or("", |file| file.text.as_str());
    for (index, entry) in text.lines().enumerate() {
        if entry.trim().is_empty() || entry.starts_with('#') {
            continue;
        }
        match parse_allowance(entry, index + 1) {
            Some((path, allowance)) => {
                allowances.insert(path, allowance);
            }
            None => problems.push(Problem::new(
                LONG_FUNCTIONS,
                index + 1,
                "long-functions",
                "expected: path: count # reason",
            )),
        }
    }
    allowances
}

fn parse_allowance(entry: &str, line: usize) -> Option<(String, Allowance)> {
    let (entry, reason) = entry.split_once('#')?;
    let (path, count) = entry.split_once(':')?;
    let reason = reason.trim().to_string();
    let count = count.trim().parse().ok()?;
    (!reason.is_empty()).then(|| {
        (
            path.trim().to_string(),
            Allowance {
                count,
                line,
                reason,
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(line_count: usize) -> String {
        format!("fn f() {{\n{}}}\n", "    step();\n".repeat(line_count - 2))
    }

    fn found(text: &str, ratchet: &str) -> Vec<String> {
        let tree = Tree::of(&[("a.rs", text), (LONG_FUNCTIONS, ratchet)]);
        let mut problems = Vec::new();
        check(&tree, &mut problems);
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_function_of_70_lines_passes_and_one_of_71_fails() {
        assert_eq!(found(&function(70), ""), [""; 0]);
        let problems = found(&function(71), "");
        assert!(
            problems[0].starts_with("a.rs:1: 1 functions longer than 70 lines, 0 allowed: f (71")
        );
    }

    #[test]
    fn the_ratchet_allows_its_count_and_must_follow_it_down() {
        let two = function(80) + &function(90);
        assert_eq!(found(&two, "a.rs: 2 # tables\n"), [""; 0]);
        assert!(found(&two, "a.rs: 1 # tables\n")[0].contains("2 functions longer"));
        assert!(found(&two, "a.rs: 3 # tables\n")[0].contains("only 2 are left"));
        assert!(
            found(&two, "a.rs: 2\n")
                .iter()
                .any(|p| p.contains("expected: path: count"))
        );
        assert!(found("", "b.rs: 1 # table\n")[0].contains("b.rs is gone"));
    }

    #[test]
    fn blessing_lowers_and_never_raises() {
        let ratchet = "# head\na.rs: 3 # tables\nb.rs: 1 # gone\nc.rs: 1 # table\n";
        let (one, two) = (function(80), function(80) + &function(80));
        let tree = Tree::of(&[("a.rs", &one), ("c.rs", &two), (LONG_FUNCTIONS, ratchet)]);
        assert_eq!(
            lowered_ratchet(&tree),
            "# head\na.rs: 1 # tables\nc.rs: 1 # table\n"
        );
    }

    #[test]
    fn a_file_beyond_1000_lines_fails() {
        assert_eq!(found(&"//\n".repeat(1000), ""), [""; 0]);
        assert!(found(&"//\n".repeat(1001), "")[0].contains("[long-file]"));
    }
}
