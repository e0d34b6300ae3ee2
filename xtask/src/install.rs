//! `cargo xtask install --dir DIR`: builds `redan` and lays links under the names it answers to.
//!
//! A link is replaced only when it already leads to a program called `redan`; anything else in the
//! way (a distribution's real redis-server, say) is an error, and then nothing at all is changed.
//! To extend: a new program adds its line to `PROGRAMS`; the names must match those that
//! `crates/redan` recognises. Tests at the bottom.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs that exist so far, and for each the families of names that start it.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("server", &["redan", "redis", "valkey"]),
    ("check-rdb", &["redan", "redis", "valkey"]),
    ("check-aof", &["redan", "redis", "valkey"]),
];

#[derive(Debug, PartialEq)]
pub struct Args {
    pub dir: PathBuf,
    pub profile: String,
}

impl Args {
    pub fn parse(args: &[&str]) -> Result<Args, String> {
        let mut dir = None;
        let mut profile = "release".to_string();
        let mut rest = args.iter();
        while let Some(option) = rest.next() {
            let value = rest
                .next()
                .ok_or_else(|| format!("install: {option} needs a value"))?;
            match *option {
                "--dir" => dir = Some(PathBuf::from(value)),
                "--profile" => profile = value.to_string(),
                other => return Err(format!("install: unknown option {other}")),
            }
        }
        let dir = dir.ok_or("install: --dir DIR says where the links go")?;
        Ok(Args { dir, profile })
    }
}

pub fn run(root: &Path, args: &Args) -> Result<(), String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    let status = Command::new(cargo)
        .args(["build", "-p", "redan", "--profile", &args.profile])
        .current_dir(root)
        .status()
        .map_err(|e| format!("install: start cargo build: {e}"))?;
    if !status.success() {
        return Err(format!("install: cargo build failed ({status})"));
    }
    let redan = crate::redan_program(&args.profile)?;
    let links = lay_links(&redan, &args.dir)?;
    for link in links {
        println!("{} -> {}", link.display(), redan.display());
    }
    Ok(())
}

/// Every name the program can be called by, `redan` itself first.
pub fn names() -> Vec<String> {
    let mut names = vec!["redan".to_string()];
    for (program, families) in PROGRAMS {
        names.extend(families.iter().map(|family| format!("{family}-{program}")));
    }
    names
}

fn lay_links(redan: &Path, dir: &Path) -> Result<Vec<PathBuf>, String> {
    std::fs::create_dir_all(dir).map_err(|e| format!("install: create {}: {e}", dir.display()))?;
    let links: Vec<PathBuf> = names().iter().map(|name| dir.join(name)).collect();
    for link in &links {
        may_replace(link)?;
    }
    for link in &links {
        if link.symlink_metadata().is_ok() {
            std::fs::remove_file(link)
                .map_err(|e| format!("install: replace {}: {e}", link.display()))?;
        }
        symlink(redan, link).map_err(|e| format!("install: link {}: {e}", link.display()))?;
    }
    Ok(links)
}

fn may_replace(link: &Path) -> Result<(), String> {
    match link.symlink_metadata() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(format!("install: look at {}: {e}", link.display())),
        Ok(_) => match std::fs::read_link(link) {
            Ok(to) if to.file_name().is_some_and(|name| name == "redan") => Ok(()),
            _ => Err(format!(
                "install: {} exists and is not a link to redan; nothing was changed",
                link.display()
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own that disappears with the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn arguments_are_parsed_or_refused_with_a_reason() {
        let parsed = Args::parse(&["--dir", "d", "--profile", "quick"]).unwrap();
        assert_eq!(
            parsed,
            Args {
                dir: "d".into(),
                profile: "quick".into()
            }
        );
        assert_eq!(Args::parse(&["--dir", "d"]).unwrap().profile, "release");
        assert!(Args::parse(&[]).unwrap_err().contains("--dir DIR"));
        assert!(
            Args::parse(&["--dir"])
                .unwrap_err()
                .contains("needs a value")
        );
        assert!(
            Args::parse(&["--prefix", "d"])
                .unwrap_err()
                .contains("unknown option")
        );
    }

    #[test]
    fn links_are_laid_and_laid_again_over_our_own() {
        let scratch = Scratch::new("links");
        for redan in ["/somewhere/redan", "/elsewhere/redan"] {
            lay_links(Path::new(redan), &scratch.0).unwrap();
            for name in names() {
                let to = std::fs::read_link(scratch.0.join(name)).unwrap();
                assert_eq!(to, Path::new(redan));
            }
        }
    }

    #[test]
    fn a_foreign_program_in_the_way_stops_the_install_before_any_change() {
        let scratch = Scratch::new("foreign");
        std::fs::write(scratch.0.join("redis-server"), "not ours").unwrap();
        let refusal = lay_links(Path::new("/somewhere/redan"), &scratch.0).unwrap_err();
        assert!(refusal.contains("redis-server exists"), "{refusal}");
        assert!(scratch.0.join("redan").symlink_metadata().is_err());
        assert_eq!(
            std::fs::read(scratch.0.join("redis-server")).unwrap(),
            b"not ours"
        );
    }
}
