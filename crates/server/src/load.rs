//! From the command line to a checked configuration: reads the files, enters the directory, applies
//! `rename-command`. Everything that can be wrong with what the operator wrote is found here, while
//! standard error is still the operator's.
//!
//! `config` knows the language; this file opens what it names. Tests: `tests/config_errors.rs`.

use crate::error_text;
use config::{CommandLine, Config, Directive, FileText, LoadError, Source, Text, Warning};
use engine::Engine;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What the command line and the files said.
pub struct Startup {
    pub config: Config,
    pub warnings: Vec<Warning>,
    /// Absolute, if there is one.
    pub config_file: Option<PathBuf>,
    /// Whether anything but the defaults was asked for.
    pub configured: bool,
}

/// Reads the whole configuration and enters its `dir`.
pub fn load(args: &[OsString]) -> Result<Startup, LoadError> {
    let words: Vec<Text> = args
        .iter()
        .map(|a| Text::from(a.as_bytes().to_vec()))
        .collect();
    let line = CommandLine::parse(&words);
    if line.sentinel {
        return Err(LoadError::general(
            "Sentinel mode is not built in this release",
        ));
    }
    let file = line.config_file.as_ref().map(read_file).transpose()?;
    // Absolute before `dir` is entered.
    let config_file = line.config_file.as_ref().map(|name| {
        let path = path_of(name.as_bytes());
        std::path::absolute(&path).unwrap_or(path)
    });
    let mut stdin = Vec::new();
    if line.from_stdin {
        std::io::stdin().read_to_end(&mut stdin).map_err(|e| {
            LoadError::general(format!(
                "Can't read the configuration from standard input: {}",
                error_text(&e)
            ))
        })?;
    }
    let mut config = Config::default();
    let source = Source {
        file: file.as_ref(),
        stdin: line.from_stdin.then_some(&stdin[..]),
        options: &line.options,
        include: &include,
        enter: &enter,
        sentinel: false,
    };
    let warnings = config.load(&source)?;
    // As CONFIG GET shows it, wherever the process was started.
    if let Ok(dir) = std::env::current_dir() {
        config.dir = Text::from(dir.into_os_string().into_vec());
    }
    Ok(Startup {
        config,
        warnings,
        config_file,
        configured: !args.is_empty(),
    })
}

/// Applies `rename-command` lines; the command table is the engine's.
pub fn rename_commands(engine: &mut Engine) -> Result<(), LoadError> {
    let directives: Vec<Directive> = engine.config.rename_commands.clone();
    for directive in directives {
        let [old, new] = directive.args.as_slice() else {
            return Err(LoadError::at(
                &directive.place,
                "Bad directive or wrong number of arguments",
            ));
        };
        engine
            .rename_command(old.as_bytes(), new.as_bytes())
            .map_err(|reason| LoadError::at(&directive.place, reason))?;
    }
    Ok(())
}

pub fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

fn read_file(name: &Text) -> Result<FileText, LoadError> {
    let bytes = std::fs::read(path_of(name.as_bytes())).map_err(|e| {
        LoadError::general(format!(
            "Fatal error, can't open config file '{}': {}",
            name.to_str_lossy(),
            error_text(&e)
        ))
    })?;
    Ok(FileText {
        name: name.clone(),
        bytes,
    })
}

/// Opens what an `include` line names; a pattern may match nothing.
fn include(name: &[u8]) -> Result<Vec<FileText>, String> {
    let read = |path: &Path| -> Result<FileText, std::io::Error> {
        let bytes = std::fs::read(path)?;
        Ok(FileText {
            name: Text::from(path.as_os_str().as_bytes().to_vec()),
            bytes,
        })
    };
    if !name.iter().any(|b| matches!(b, b'*' | b'?' | b'[')) {
        return Ok(vec![read(&path_of(name)).map_err(|e| error_text(&e))?]);
    }
    let pattern = std::str::from_utf8(name).map_err(|e| e.to_string())?;
    let paths = glob::glob(pattern).map_err(|e| e.to_string())?;
    let found = paths.map(|path| {
        let path =
            path.map_err(|e| format!("{}: {}", e.path().display(), error_text(e.error())))?;
        read(&path).map_err(|e| format!("{}: {}", path.display(), error_text(&e)))
    });
    found.collect()
}

fn enter(dir: &[u8]) -> Result<(), String> {
    std::env::set_current_dir(path_of(dir)).map_err(|e| error_text(&e))
}
