//! The dependency edges between our crates, as declared in `layers.txt` and as found in Cargo.toml.
//!
//! The declaration is an order: a crate may only name crates above itself with no higher layer, so
//! a cycle or an arrow pointing up cannot even be written down. The edges found are those of every
//! dependency table of every manifest, with their lines; names of third parties are ignored.
//! It reads the few forms of TOML that Cargo manifests of this repository use.

use super::{LAYERS, Problem, Tree};

#[derive(Default)]
pub struct Layers {
    crates: Vec<Crate>,
}

#[derive(Debug)]
pub struct Crate {
    pub name: String,
    pub is_pure: bool,
    pub may_be_unsafe: bool,
    is_tool: bool,
    layer: u32,
    line: usize,
    edges: Vec<String>,
    test_edges: Vec<String>,
}

/// A dependency on something, at a line of a manifest.
#[derive(Debug, PartialEq)]
struct Edge {
    to: String,
    line: usize,
    only_in_tests: bool,
}

impl Layers {
    /// Reads `layers.txt` and reports what is wrong with it.
    pub fn parse(tree: &Tree, problems: &mut Vec<Problem>) -> Layers {
        let mut layers = Layers::default();
        let Some(file) = tree.get(LAYERS) else {
            problems.push(Problem::new(LAYERS, 1, "layers", "the file is missing"));
            return layers;
        };
        for (index, text) in file.text.lines().enumerate() {
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            match parse_crate(text, index + 1) {
                Some(declared) => {
                    for reason in layers.misplaced_edges(&declared) {
                        problems.push(Problem::new(LAYERS, declared.line, "layers", reason));
                    }
                    layers.crates.push(declared);
                }
                None => problems.push(Problem::new(
                    LAYERS,
                    index + 1,
                    "layers",
                    "expected: layer kind crate dependencies (or -)",
                )),
            }
        }
        layers
    }

    /// The crate that a file belongs to.
    pub fn crate_of(&self, path: &str) -> Option<&Crate> {
        self.get(directory_name(path)?)
    }

    fn get(&self, name: &str) -> Option<&Crate> {
        self.crates.iter().find(|declared| declared.name == name)
    }

    fn misplaced_edges(&self, from: &Crate) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.get(&from.name).is_some() {
            reasons.push(format!("{} is declared twice", from.name));
        }
        for (to, only_in_tests) in from.all_edges() {
            match self.get(to) {
                None => reasons.push(format!(
                    "{} may not name {to}, which is not above it",
                    from.name
                )),
                Some(to) if to.layer > from.layer => reasons.push(format!(
                    "{} (layer {}) -> {} (layer {}) points up",
                    from.name, from.layer, to.name, to.layer
                )),
                Some(to) if to.is_tool && !from.is_tool && !only_in_tests => {
                    reasons.push(format!(
                        "{} -> {}: a tool is for tests only",
                        from.name, to.name
                    ));
                }
                Some(_) => {}
            }
        }
        reasons
    }
}

impl Crate {
    fn all_edges(&self) -> impl Iterator<Item = (&str, bool)> {
        let edges = self.edges.iter().map(|to| (to.as_str(), false));
        edges.chain(self.test_edges.iter().map(|to| (to.as_str(), true)))
    }

    fn allows(&self, edge: &Edge) -> bool {
        // A crate may use itself in its own tests' dependencies (features), and testkit is free.
        let in_tests =
            edge.to == "testkit" || edge.to == self.name || self.test_edges.contains(&edge.to);
        self.edges.contains(&edge.to) || (edge.only_in_tests && in_tests)
    }
}

/// Compares every manifest with the declaration.
pub fn check(tree: &Tree, layers: &Layers, problems: &mut Vec<Problem>) {
    for declared in &layers.crates {
        if !tree
            .files
            .iter()
            .any(|file| manifest_of(&file.path) == Some(&declared.name))
        {
            let message = format!("{} is declared but has no Cargo.toml", declared.name);
            problems.push(Problem::new(LAYERS, declared.line, "layers", message));
        }
    }
    for file in &tree.files {
        let Some(name) = manifest_of(&file.path) else {
            continue;
        };
        let Some(from) = layers.get(name) else {
            let message = format!("crate {name} has no line in {LAYERS}");
            problems.push(Problem::new(&file.path, 1, "layers", message));
            continue;
        };
        for edge in edges(&file.text) {
            if let Some(to) = layers.get(&edge.to)
                && !from.allows(&edge)
            {
                let reason = match to.layer > from.layer {
                    true => "points up",
                    false => "is not declared",
                };
                let message = format!(
                    "{name} (layer {}) -> {} (layer {}) {reason} in {LAYERS}",
                    from.layer, to.name, to.layer
                );
                problems.push(Problem::new(&file.path, edge.line, "layers", message));
            }
        }
    }
}

fn parse_crate(text: &str, line: usize) -> Option<Crate> {
    let mut fields = text.split_whitespace();
    let layer = fields.next()?.parse().ok()?;
    let kind: Vec<&str> = fields.next()?.split('+').collect();
    if !matches!(
        kind.as_slice(),
        ["pure" | "outer" | "tool"] | ["pure" | "outer", "unsafe"]
    ) {
        return None;
    }
    let name = fields.next()?.to_string();
    let listed: Vec<&str> = fields.collect();
    let (tests, always): (Vec<&str>, Vec<&str>) = match listed.as_slice() {
        [] => return None,
        ["-"] => (Vec::new(), Vec::new()),
        _ => listed.into_iter().partition(|to| to.starts_with('(')),
    };
    Some(Crate {
        name,
        is_pure: kind[0] == "pure",
        may_be_unsafe: kind.len() == 2,
        is_tool: kind[0] == "tool",
        layer,
        line,
        edges: always.into_iter().map(str::to_string).collect(),
        test_edges: tests
            .iter()
            .map(|to| to.trim_matches(['(', ')']).to_string())
            .collect(),
    })
}

/// The crate whose manifest this is; directories are named after their crates.
fn manifest_of(path: &str) -> Option<&str> {
    let name = directory_name(path)?;
    path.strip_suffix("/Cargo.toml")?
        .ends_with(name)
        .then_some(name)
}

/// `resp` for `crates/resp/src/lib.rs`, `bench` for `bench/src/main.rs`.
fn directory_name(path: &str) -> Option<&str> {
    let mut parts = path.split('/');
    match parts.next()? {
        "crates" => parts.next(),
        // Fuzz targets are a workspace of their own with a nightly toolchain.
        "fuzz" => None,
        top => parts.next().map(|_| top),
    }
    .filter(|name| !name.starts_with('.') && *name != "docs")
}

fn edges(manifest: &str) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    // Within a dependency table: whether it counts for tests only.
    let mut table: Option<bool> = None;
    for (index, text) in manifest.lines().enumerate() {
        let line = index + 1;
        let text = text.split('#').next().unwrap_or("").trim();
        if let Some(header) = text.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            let (kind, named) = dependency_table(header);
            table = kind.filter(|_| named.is_none());
            if let (Some(only_in_tests), Some(to)) = (kind, named) {
                edges.push(Edge {
                    to,
                    line,
                    only_in_tests,
                });
            }
        } else if let (Some(only_in_tests), Some((key, value))) = (table, text.split_once('=')) {
            let to =
                renamed(value).unwrap_or_else(|| unquote(key.split('.').next().unwrap_or(key)));
            edges.push(Edge {
                to,
                line,
                only_in_tests,
            });
        } else if let (Some(edge), Some(name)) = (edges.last_mut(), text.strip_prefix("package")) {
            // `package = "…"` below a `[dependencies.alias]` header.
            edge.to = unquote(name.trim().trim_start_matches('='));
        }
    }
    edges
}

/// Whether a table header lists dependencies (and if only for tests), and the one it names.
fn dependency_table(header: &str) -> (Option<bool>, Option<String>) {
    for (word, only_in_tests) in [
        ("dev-dependencies", true),
        ("build-dependencies", false),
        ("dependencies", false),
    ] {
        if header == word || header.ends_with(&format!(".{word}")) {
            return (Some(only_in_tests), None);
        }
        if let Some((before, name)) = header.split_once(&format!("{word}."))
            && (before.is_empty() || before.ends_with('.'))
        {
            return (Some(only_in_tests), Some(unquote(name)));
        }
    }
    (None, None)
}

/// The real name in `{ package = "…" }`.
fn renamed(value: &str) -> Option<String> {
    let after = value
        .split_once("package")?
        .1
        .trim_start()
        .strip_prefix('=')?;
    Some(
        after
            .trim_start()
            .trim_start_matches('"')
            .split('"')
            .next()?
            .to_string(),
    )
}

fn unquote(text: &str) -> String {
    text.trim().trim_matches('"').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "# comment\n\
        0 pure+unsafe resp -\n\
        2 pure engine resp\n\
        4 outer client resp\n\
        5 outer server engine (client)\n\
        6 tool testkit client\n";

    fn found(manifests: &[(&str, &str)]) -> Vec<String> {
        let mut files = vec![(LAYERS, SAMPLE)];
        for name in ["resp", "engine", "client", "server", "testkit"] {
            let path = match name {
                "resp" => "crates/resp/Cargo.toml",
                "engine" => "crates/engine/Cargo.toml",
                "client" => "crates/client/Cargo.toml",
                "server" => "crates/server/Cargo.toml",
                _ => "crates/testkit/Cargo.toml",
            };
            let text = manifests
                .iter()
                .find(|(of, _)| *of == name)
                .map_or("", |(_, text)| text);
            files.push((path, text));
        }
        let tree = Tree::of(&files);
        let mut problems = Vec::new();
        let layers = Layers::parse(&tree, &mut problems);
        check(&tree, &layers, &mut problems);
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn declared_edges_pass_and_third_parties_are_ignored() {
        let engine = "[dependencies]\nresp.workspace = true\nmemchr = \"2\"\n";
        let server = "[dependencies]\nengine = { path = \"../engine\" }\n\
                      [dev-dependencies]\nclient.workspace = true\ntestkit.workspace = true\n";
        assert_eq!(found(&[("engine", engine), ("server", server)]), [""; 0]);
    }

    #[test]
    fn an_arrow_pointing_up_fails_at_its_line() {
        let resp = "[package]\nname = \"resp\"\n\n[dependencies]\nengine.workspace = true\n";
        let expected = "crates/resp/Cargo.toml:5: resp (layer 0) -> engine (layer 2) points up \
                        in xtask/layers.txt [layers]";
        assert_eq!(found(&[("resp", resp)]), [expected]);
    }

    #[test]
    fn an_undeclared_edge_fails_in_every_spelling() {
        for manifest in [
            "[dependencies]\nclient.workspace = true\n",
            "[dependencies]\nclient = { path = \"../client\" }\n",
            "[dependencies]\nother = { package = \"client\", path = \"../client\" }\n",
            "[dependencies.client]\npath = \"../client\"\n",
            "[dependencies.other]\npackage = \"client\"\n",
            "[build-dependencies]\nclient.workspace = true\n",
            "[target.'cfg(unix)'.dependencies]\nclient.workspace = true\n",
        ] {
            let problems = found(&[("server", manifest)]);
            assert_eq!(problems.len(), 1, "{manifest}: {problems:?}");
            assert!(problems[0].contains("server (layer 5) -> client (layer 4) is not declared"));
        }
    }

    #[test]
    fn a_test_only_edge_is_not_allowed_in_the_product() {
        let product = "[dependencies]\ntestkit.workspace = true\n";
        assert!(found(&[("server", product)])[0].contains("points up"));
    }

    #[test]
    fn the_declaration_itself_is_checked() {
        let text = "0 pure resp engine\n2 pure engine resp\n5 tool testkit -\n\
                    6 outer server testkit\n1 pure config engine\nnonsense\n2 wild x -\n";
        let mut problems = Vec::new();
        Layers::parse(&Tree::of(&[(LAYERS, text)]), &mut problems);
        let messages: Vec<String> = problems
            .iter()
            .map(|p| format!("{} {}", p.line, p.message))
            .collect();
        assert_eq!(
            messages,
            [
                "1 resp may not name engine, which is not above it",
                "4 server -> testkit: a tool is for tests only",
                "5 config (layer 1) -> engine (layer 2) points up",
                "6 expected: layer kind crate dependencies (or -)",
                "7 expected: layer kind crate dependencies (or -)",
            ]
        );
    }

    #[test]
    fn a_crate_without_a_line_and_a_line_without_a_crate_fail() {
        let tree = Tree::of(&[(LAYERS, "0 pure resp -\n"), ("bench/Cargo.toml", "")]);
        let mut problems = Vec::new();
        let layers = Layers::parse(&tree, &mut problems);
        check(&tree, &layers, &mut problems);
        let places: Vec<String> = problems
            .iter()
            .map(|p| format!("{}:{}", p.path, p.line))
            .collect();
        assert_eq!(places, ["xtask/layers.txt:1", "bench/Cargo.toml:1"]);
    }
}
