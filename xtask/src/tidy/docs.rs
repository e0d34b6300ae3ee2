//! Rules for every text file: nothing private is committed, and links between documents live.
//!
//! Private are paths of the machines we work on and names of their internal hosts. A link is
//! checked if it is relative; whether other people's pages still exist is not ours to test.

use super::{File, Problem, Tree};

pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in &tree.files {
        private_names(file, problems);
        if file.path.ends_with(".md") {
            dead_links(tree, file, problems);
        }
    }
}

/// Spelled in halves so that this file does not break its own rule.
const PRIVATE: &[&str] = &[concat!("/wo", "rk/"), concat!("h-", "seed")];
const PRIVATE_DOMAIN: &str = concat!(".exam", "ple");

fn private_names(file: &File, problems: &mut Vec<Problem>) {
    for (index, text) in file.text.lines().enumerate() {
        let named = PRIVATE.iter().find(|name| contains_at_edge(text, name));
        let hosted = has_private_host(text).then_some(&PRIVATE_DOMAIN);
        if let Some(name) = named.or(hosted) {
            let message = format!("{name:?} is a private path or host and may not be committed");
            problems.push(Problem::new(&file.path, index + 1, "private", message));
        }
    }
}

/// `name` not glued to a longer path or word in front (as in `/net` + `work/`).
fn contains_at_edge(text: &str, name: &str) -> bool {
    let glued =
        |at: usize| text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
    text.match_indices(name).any(|(at, _)| !glued(at))
}

/// A host directly under the reserved domain; `host.example.com` in a text is harmless.
fn has_private_host(text: &str) -> bool {
    text.match_indices(PRIVATE_DOMAIN).any(|(at, domain)| {
        let host = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
        let rest = &text[at + domain.len()..];
        let longer = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            || rest
                .strip_prefix('.')
                .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_alphabetic()));
        host && !longer
    })
}

fn dead_links(tree: &Tree, file: &File, problems: &mut Vec<Problem>) {
    let mut in_fence = false;
    for (index, text) in file.text.lines().enumerate() {
        if text.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        for target in links(text) {
            let path = target.split('#').next().unwrap_or("");
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            let resolved = resolve(&file.path, path);
            let lives = resolved.as_ref().is_some_and(|to| {
                to.is_empty() || tree.get(to).is_some() || tree.has_directory(to)
            });
            if !lives {
                let message = format!("dead link: {target}");
                problems.push(Problem::new(&file.path, index + 1, "link", message));
            }
        }
    }
}

/// Targets of `[text](target)` outside of inline code.
fn links(text: &str) -> Vec<&str> {
    let prose = text.split('`').step_by(2);
    // Code in the link's own text cuts the prose before `](`, which still starts the next piece.
    prose
        .flat_map(|piece| piece.split("](").skip(1))
        .filter_map(|rest| rest.split([')', ' ']).next())
        .collect()
}

/// The path a relative link leads to, or nothing if it leaves the repository.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = match link.starts_with('/') {
        true => Vec::new(),
        false => from
            .split('/')
            .rev()
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
    };
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let mut problems = Vec::new();
        check(&Tree::of(files), &mut problems);
        problems
            .iter()
            .map(|p| format!("{}:{} {}", p.path, p.line, p.rule))
            .collect()
    }

    #[test]
    fn private_paths_and_hosts_are_found_in_any_text_file() {
        let path = format!("fine\nsee {}main", PRIVATE[0]);
        assert_eq!(found(&[("a.toml", &path)]), ["a.toml:2 private"]);
        assert_eq!(
            found(&[("b.sh", &format!("curl {}/x", PRIVATE[1]))]),
            ["b.sh:1 private"]
        );
        let host =
            format!("https://crates{PRIVATE_DOMAIN}/index\nhttps://crates{PRIVATE_DOMAIN}:80");
        assert_eq!(
            found(&[("c.md", &host)]),
            ["c.md:1 private", "c.md:2 private"]
        );
    }

    #[test]
    fn look_alikes_are_not_private() {
        let text = "see net/network/x and docs.example.com, an .examples directory, for example.\n";
        assert_eq!(found(&[("a.txt", text)]), [""; 0]);
    }

    #[test]
    fn relative_links_must_lead_somewhere() {
        let text = "[a](docs/a.md) [b](docs/b.md#part) [c](https://x.org) [d](#here)\n\
                    [`e`](docs) `[f](none.md)` [g](../x.md)\n```\n[h](none.md)\n```\n[i](/docs/a.md)\n";
        let files = [
            ("README.md", text),
            ("docs/a.md", "[up](../README.md) [side](c.md)"),
        ];
        assert_eq!(
            found(&files),
            ["README.md:1 link", "README.md:2 link", "docs/a.md:1 link"]
        );
    }
}
