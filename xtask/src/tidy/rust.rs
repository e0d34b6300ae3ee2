//! Rules for Rust files: header, unsafe code, names that are banned in pure crates or everywhere.
//!
//! A pure crate gets time, randomness and input as arguments, which is what makes it testable by
//! simulation; the names by which it could cheat are listed here with what to use instead.
//! Output and files are tolerated in its tests (to print a seed, to read test data).
//! To extend: add a row to `BANNED_IN_PURE` or `BANNED_EVERYWHERE`; `clippy.toml` has the same list
//! for what clippy can resolve.

use super::layers::Layers;
use super::source::{Source, words};
use super::{File, Problem, Tree};

const HEADER_LINES_MAX: usize = 25;

struct Ban {
    names: &'static [&'static str],
    instead: &'static str,
    allowed_in_tests: bool,
}

const BANNED_IN_PURE: &[Ban] = &[
    Ban {
        names: &["Instant::now", "SystemTime::now", "UNIX_EPOCH.elapsed"],
        instead: "take `now` as an argument",
        allowed_in_tests: false,
    },
    Ban {
        names: &[
            "thread_rng",
            "rand::random",
            "rand::rng",
            "OsRng",
            "getrandom",
            "RandomState",
        ],
        instead: "take a seed or a generator as an argument",
        allowed_in_tests: false,
    },
    Ban {
        names: &[
            "HashMap::new",
            "HashMap::with_capacity",
            "HashSet::new",
            "HashSet::with_capacity",
        ],
        instead: "their hasher is seeded by the system: use a BTreeMap, or with_hasher and a given seed",
        allowed_in_tests: false,
    },
    Ban {
        names: &["std::net"],
        instead: "addresses are in `core::net`; sockets belong to `runtime`",
        allowed_in_tests: false,
    },
    Ban {
        names: &["std::fs", "std::env"],
        instead: "files and the environment belong to the outer layers; take and return bytes",
        allowed_in_tests: true,
    },
    Ban {
        names: &["println!", "eprintln!", "print!", "eprint!"],
        instead: "return the text, or hand it to the log sink you were given",
        allowed_in_tests: true,
    },
];

const BANNED_EVERYWHERE: &[(&str, &str, &str)] = &[
    ("marker", "#[ignore", "fix the test or remove it"),
    ("marker", "should_panic", "assert on the returned error"),
    ("marker", "todo!", "an unbuilt feature has no code yet"),
    (
        "marker",
        "unimplemented!",
        "an unbuilt feature has no code yet",
    ),
    (
        "sleep",
        "thread::sleep",
        "wait for the condition itself: testkit::poll_until, a channel, a join",
    ),
];

/// Unfinished work in comments; spelled in halves to keep this file clean.
const MARKERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

pub fn check(tree: &Tree, layers: &Layers, problems: &mut Vec<Problem>) {
    for file in tree.rust() {
        let source = Source::new(&file.text);
        let owner = layers.crate_of(&file.path);
        header(file, problems);
        everywhere(file, &source, problems);
        if !owner.is_some_and(|owner| owner.may_be_unsafe) {
            unsafe_code(file, &source, problems);
        }
        if owner.is_some_and(|owner| owner.is_pure) && !is_development_program(&file.path) {
            purity(file, &source, problems);
        }
    }
}

fn header(file: &File, problems: &mut Vec<Problem>) {
    let lines = file.text.lines().take_while(|line| line.starts_with("//!"));
    let line_count = lines.clone().count();
    let has_words = lines.clone().any(|line| line.contains(char::is_alphabetic));
    if !has_words {
        let message = "does not begin with a `//!` header that says what the file is";
        problems.push(Problem::new(&file.path, 1, "header", message));
    } else if line_count > HEADER_LINES_MAX {
        let message = format!("the header has {line_count} lines, more than {HEADER_LINES_MAX}");
        problems.push(Problem::new(&file.path, 1, "header", message));
    }
}

fn everywhere(file: &File, source: &Source, problems: &mut Vec<Problem>) {
    for (rule, name, instead) in BANNED_EVERYWHERE {
        // How long a measurement lasts is part of what it measures.
        if *rule == "sleep" && file.path.starts_with("bench/") {
            continue;
        }
        for position in source.uses(name) {
            let message = format!("`{name}` is banned: {instead}");
            problems.push(Problem::new(
                &file.path,
                source.line(position),
                rule,
                message,
            ));
        }
    }
    for marker in MARKERS {
        for position in words(&source.comments, marker) {
            let message = format!("{marker} in a comment: do it, or file it in the tracker");
            problems.push(Problem::new(
                &file.path,
                source.line(position),
                "marker",
                message,
            ));
        }
    }
}

fn unsafe_code(file: &File, source: &Source, problems: &mut Vec<Problem>) {
    for position in source.uses("unsafe") {
        let message = "unsafe code is for crates/structures and crates/runtime only";
        problems.push(Problem::new(
            &file.path,
            source.line(position),
            "unsafe",
            message,
        ));
    }
    if is_crate_root(&file.path) && !source.code.contains("#![forbid(unsafe_code)]") {
        let message = "this crate root must say #![forbid(unsafe_code)]";
        problems.push(Problem::new(&file.path, 1, "unsafe", message));
    }
}

fn is_crate_root(path: &str) -> bool {
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || path.contains("/src/bin/")
}

fn purity(file: &File, source: &Source, problems: &mut Vec<Problem>) {
    let whole_file_is_test = is_test_file(&file.path);
    let test_ranges = source.test_ranges();
    let is_test = |position: usize| {
        whole_file_is_test || test_ranges.iter().any(|range| range.contains(&position))
    };
    for ban in BANNED_IN_PURE {
        for name in ban.names {
            let mut positions = source.uses(name);
            if let Some(module) = name.strip_prefix("std::") {
                positions.extend(grouped_imports(source, module));
            }
            for position in positions {
                if !(ban.allowed_in_tests && is_test(position)) {
                    let message = format!("`{name}` in a pure crate: {}", ban.instead);
                    problems.push(Problem::new(
                        &file.path,
                        source.line(position),
                        "purity",
                        message,
                    ));
                }
            }
        }
    }
}

/// Fuzzers and measurements beside a pure crate run it; they are no part of it.
fn is_development_program(path: &str) -> bool {
    path.contains("/examples/") || path.contains("/benches/")
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Uses of `module` inside `use std::{…};`.
fn grouped_imports(source: &Source, module: &str) -> Vec<usize> {
    let mut positions = Vec::new();
    for (start, _) in source.code.match_indices("use std::{") {
        let statement = source.code[start..].split(';').next().unwrap_or("");
        for offset in words(statement, module) {
            // The module itself (`fs`, `net::X`), not something inside another one (`os::fd::fs`).
            if !statement[..offset].ends_with("::") {
                positions.push(start + offset);
            }
        }
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::super::LAYERS;
    use super::*;

    const SAMPLE_LAYERS: &str = "0 pure resp -\n0 pure+unsafe structures -\n4 outer+unsafe runtime -\n\
                                 5 outer server resp\n";

    /// Rules broken by a file, as `line rule`.
    fn found(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[(LAYERS, SAMPLE_LAYERS), (path, text)]);
        let mut problems = Vec::new();
        let layers = Layers::parse(&tree, &mut problems);
        check(&tree, &layers, &mut problems);
        problems
            .iter()
            .map(|p| format!("{} {}", p.line, p.rule))
            .collect()
    }

    #[test]
    fn every_file_begins_with_a_header_of_at_most_25_lines() {
        assert_eq!(found("crates/resp/src/a.rs", "//! Words.\n"), [""; 0]);
        assert_eq!(found("crates/resp/src/a.rs", "use x;\n"), ["1 header"]);
        assert_eq!(found("crates/resp/src/a.rs", "//!\n"), ["1 header"]);
        assert_eq!(
            found("crates/resp/src/a.rs", &"//! Words.\n".repeat(25)),
            [""; 0]
        );
        assert_eq!(
            found("crates/resp/src/a.rs", &"//! Words.\n".repeat(26)),
            ["1 header"]
        );
    }

    #[test]
    fn unsafe_code_is_confined_to_the_crates_that_declare_it() {
        let text = "//! Header.\nfn f() { unsafe { g() } }\n";
        assert_eq!(found("crates/resp/src/a.rs", text), ["2 unsafe"]);
        assert_eq!(found("crates/server/tests/a.rs", text), ["2 unsafe"]);
        assert_eq!(found("crates/structures/src/a.rs", text), [""; 0]);
        assert_eq!(found("crates/runtime/src/lib.rs", text), [""; 0]);
        let prose = "//! Header on unsafe.\nfn f() { g(\"unsafe\") } // unsafe\n";
        assert_eq!(found("crates/resp/src/a.rs", prose), [""; 0]);
    }

    #[test]
    fn crate_roots_forbid_unsafe_code() {
        let without = "//! Header.\nfn main() {}\n";
        let with = "//! Header.\n#![forbid(unsafe_code)]\nfn main() {}\n";
        for path in [
            "crates/resp/src/lib.rs",
            "crates/server/src/main.rs",
            "bench/src/bin/x.rs",
        ] {
            assert_eq!(found(path, without), ["1 unsafe"], "{path}");
            assert_eq!(found(path, with), [""; 0], "{path}");
        }
    }

    #[test]
    fn pure_crates_take_time_chance_and_input_as_arguments() {
        for code in [
            "let now = std::time::Instant::now();",
            "let now = SystemTime::now();",
            "let x: u8 = rand::random();",
            "let mut rng = rand::thread_rng();",
            "let map = HashMap::new();",
            "let set = HashSet::new();",
            "use std::net::TcpStream;",
            "use std::{io, net::TcpStream};",
            "use std::fs;",
            "use std::{fs, io};",
            "println!(\"x\");",
            "eprintln!(\"x\");",
        ] {
            let text = format!("//! Header.\n{code}\n");
            assert_eq!(found("crates/resp/src/a.rs", &text), ["2 purity"], "{code}");
            assert_eq!(found("crates/server/src/a.rs", &text), [""; 0], "{code}");
        }
        let fine = "//! Header.\nuse std::{os::fs, io};\nlet m: HashMap<K, V, Fixed> = x;\n// HashMap::new\n";
        assert_eq!(found("crates/resp/src/a.rs", fine), [""; 0]);
    }

    #[test]
    fn tests_of_pure_crates_may_print_and_read_files_but_not_clocks() {
        let code = "println!(\"seed\"); std::fs::read(p); Instant::now();";
        let module = format!("//! Header.\n#[cfg(test)]\nmod tests {{\n fn t() {{ {code} }}\n}}\n");
        assert_eq!(found("crates/resp/src/a.rs", &module), ["4 purity"]);
        let file = format!("//! Header.\nfn t() {{ {code} }}\n");
        assert_eq!(found("crates/resp/tests/a.rs", &file), ["2 purity"]);
        assert_eq!(found("crates/resp/examples/fuzz.rs", &file), [""; 0]);
        assert_eq!(found("crates/resp/src/a.rs", &file).len(), 3);
    }

    #[test]
    fn unfinished_work_and_blind_waits_are_found_everywhere() {
        for (code, expected) in [
            ("#[ignore] fn t() {}", "2 marker"),
            ("#[ignore = \"slow\"] fn t() {}", "2 marker"),
            ("#[should_panic] fn t() {}", "2 marker"),
            ("todo!()", "2 marker"),
            ("unimplemented!()", "2 marker"),
            ("std::thread::sleep(d);", "2 sleep"),
        ] {
            let text = format!("//! Header.\n{code}\n");
            assert_eq!(
                found("crates/server/tests/a.rs", &text),
                [expected],
                "{code}"
            );
        }
        for marker in MARKERS {
            let text = format!("//! Header.\n// {marker}: later\nlet x = \"{marker}\";\n");
            assert_eq!(found("bench/src/a.rs", &text), ["2 marker"]);
        }
    }
}
