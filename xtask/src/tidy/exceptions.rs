//! `exceptions.txt`: single files excused from a rule, each with a reason.
//!
//! Only the rules named here can be excused; layers, unsafe code, private names and dead links
//! cannot. An entry that excuses nothing is itself a problem, so the list never outlives its need.

use super::{EXCEPTIONS, Problem, Tree};

const EXCUSABLE: &[&str] = &["long-file", "sleep", "purity", "marker"];

struct Exception<'a> {
    rule: &'a str,
    path: &'a str,
    line: usize,
}

/// Removes the excused problems and adds those of the list itself.
pub fn apply(tree: &Tree, mut problems: Vec<Problem>) -> Vec<Problem> {
    let Some(file) = tree.get(EXCEPTIONS) else {
        return problems;
    };
    for (index, text) in file.text.lines().enumerate() {
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        let line = index + 1;
        match parse(text, line) {
            Ok(exception) => {
                let before = problems.len();
                problems.retain(|p| !(p.rule == exception.rule && p.path == exception.path));
                if problems.len() == before {
                    let message = format!("{} needs no such exception any more", exception.path);
                    problems.push(Problem::new(
                        EXCEPTIONS,
                        exception.line,
                        "exceptions",
                        message,
                    ));
                }
            }
            Err(message) => problems.push(Problem::new(EXCEPTIONS, line, "exceptions", message)),
        }
    }
    problems
}

fn parse(text: &str, line: usize) -> Result<Exception<'_>, String> {
    let (entry, reason) = text.split_once('#').unwrap_or((text, ""));
    let fields: Vec<&str> = entry.split_whitespace().collect();
    let [rule, path] = fields[..] else {
        return Err("expected: rule path # reason".to_string());
    };
    if !EXCUSABLE.contains(&rule) {
        return Err(format!(
            "{rule} cannot be excused; these can: {}",
            EXCUSABLE.join(", ")
        ));
    }
    if reason.trim().is_empty() {
        return Err(format!("{path} is excused without a reason"));
    }
    Ok(Exception { rule, path, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(list: &str) -> Vec<String> {
        let tree = Tree::of(&[(EXCEPTIONS, list)]);
        let problems = vec![
            Problem::new("a.rs", 3, "sleep", "sleeps"),
            Problem::new("a.rs", 1, "layers", "points up"),
        ];
        apply(&tree, problems)
            .iter()
            .map(Problem::to_string)
            .collect()
    }

    #[test]
    fn an_exception_excuses_its_rule_in_its_file_only() {
        assert_eq!(
            left("# list\n\nsleep a.rs # polls\n"),
            ["a.rs:1: points up [layers]"]
        );
    }

    #[test]
    fn a_useless_or_malformed_exception_is_a_problem() {
        for (list, reason) in [
            ("sleep b.rs # polls", "needs no such exception"),
            ("sleep a.rs", "without a reason"),
            ("layers a.rs # because", "cannot be excused"),
            ("sleep # because", "expected: rule path # reason"),
        ] {
            let problems = left(list);
            let told = problems
                .iter()
                .any(|p| p.starts_with(EXCEPTIONS) && p.contains(reason));
            assert!(told, "{list}: {problems:?}");
        }
    }
}
