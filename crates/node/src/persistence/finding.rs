//! What a directory holds when a server starts: which files are its data, and what to say where they
//! contradict the configuration.
//!
//! Mistakes that lose data with Redis are caught here. With `appendonly yes` but no AOF, an RDB file
//! that is there is loaded and becomes the AOF's first base, instead of being ignored. Bases and
//! increments without a manifest are not overwritten: the start is refused. With `appendonly no` and
//! an AOF that is there, a warning says that it is not loaded.
//!
//! Tests: `tests/loading.rs`.

use super::append::shown;
use super::loading::LoadFailed;
use super::rdb_path;
use crate::outside::{Outside, PathKind};
use aof::manifest::Manifest;
use aof::names::{Found, Names, Upgrade};
use config::Config;
use engine::host::LogLevel;
use rdb::{Decoder, Event, LoadLimits};

/// One file to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub path: Vec<u8>,
    /// As logs call it.
    pub name: Vec<u8>,
    pub kind: PartKind,
    pub size_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    Rdb,
    AofBase,
    AofIncr,
}

/// Where the data set comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Rdb,
    Aof(Manifest),
    /// AOF is on and has no file yet, but an RDB file is there.
    RdbIntoAof,
}

/// What a server that starts with this configuration loads.
pub fn find<O: Outside + ?Sized>(
    config: &Config,
    names: &Names,
    outside: &mut O,
) -> Result<(Origin, Vec<Part>), LoadFailed> {
    if !config.appendonly {
        warn_of_unused_aof(names, outside);
        return Ok((Origin::Rdb, rdb_part(config, outside)?));
    }
    let manifest = read_manifest(names, outside)?;
    let manifest = take_in_old_file(manifest, names, outside)?;
    if manifest.is_empty() {
        refuse_parts_without_manifest(names, outside)?;
        let parts = rdb_part(config, outside)?;
        if !parts.is_empty() {
            outside.log(
                LogLevel::Warning,
                "AOF is enabled but there is no append only file yet; loading the RDB file that is there, which will become the first base.",
            );
            return Ok((Origin::RdbIntoAof, parts));
        }
        return Ok((Origin::Aof(manifest), parts));
    }
    let parts = aof_parts(&manifest, names, outside)?;
    Ok((Origin::Aof(manifest), parts))
}

/// The RDB file, if there is one with something in it.
pub fn rdb_part<O: Outside + ?Sized>(
    config: &Config,
    outside: &mut O,
) -> Result<Vec<Part>, LoadFailed> {
    let path = rdb_path(config);
    if outside.kind(&path) == PathKind::Absent {
        return Ok(Vec::new());
    }
    let name = config.dbfilename.as_bytes().to_vec();
    let file = outside.open(&path).map_err(|error| {
        let name = shown(&name);
        say(
            outside,
            format!("Fatal error: can't open the RDB file {name} for reading: {error}"),
        )
    })?;
    let size_bytes = file.size_bytes();
    if size_bytes == 0 {
        return Ok(Vec::new());
    }
    Ok(vec![Part {
        path,
        name,
        kind: PartKind::Rdb,
        size_bytes,
    }])
}

/// The files that a manifest names, in order.
pub fn aof_parts<O: Outside + ?Sized>(
    manifest: &Manifest,
    names: &Names,
    outside: &mut O,
) -> Result<Vec<Part>, LoadFailed> {
    let base = manifest.base.iter().map(|file| (file, PartKind::AofBase));
    let incrs = manifest.incrs.iter().map(|file| (file, PartKind::AofIncr));
    let mut parts = Vec::new();
    for (file, kind) in base.chain(incrs) {
        let path = names.path(&file.name);
        let name = shown(&file.name).into_owned();
        let size_bytes = match outside.kind(&path) {
            PathKind::Absent => {
                let text =
                    format!("The append log file {name} doesn't exist: No such file or directory");
                return Err(say(outside, text));
            }
            _ => match outside.open(&path) {
                Ok(file) => file.size_bytes(),
                Err(error) => {
                    let text = format!(
                        "Fatal error: can't open the append log file {name} for reading: {error}"
                    );
                    return Err(say(outside, text));
                }
            },
        };
        parts.push(Part {
            path,
            name: file.name.clone(),
            kind,
            size_bytes,
        });
    }
    Ok(parts)
}

/// The manifest as it is on the disk; an empty one where there is none.
pub fn read_manifest<O: Outside + ?Sized>(
    names: &Names,
    outside: &mut O,
) -> Result<Manifest, LoadFailed> {
    let path = names.path(&names.manifest());
    if outside.kind(&path) == PathKind::Absent {
        return Ok(Manifest::default());
    }
    let text = read_all(&path, outside).map_err(|error| {
        let name = shown(&path).into_owned();
        say(
            outside,
            format!("Fatal error: can't open the AOF manifest file {name} for reading: {error}"),
        )
    })?;
    Manifest::parse(&text).map_err(|error| {
        for text in error.log_texts() {
            outside.log(LogLevel::Warning, &text);
        }
        LoadFailed {
            is_damaged_rdb: false,
            text: error.to_string(),
        }
    })
}

/// Without a manifest the first files would take the names of those that are there. What a crash
/// left of a first start holds nothing, and may be replaced.
pub fn refuse_parts_without_manifest<O: Outside + ?Sized>(
    names: &Names,
    outside: &mut O,
) -> Result<(), LoadFailed> {
    if outside.kind(names.directory()) != PathKind::Directory {
        return Ok(());
    }
    let directory = shown(names.directory()).into_owned();
    let listed = outside.list(names.directory()).map_err(|error| {
        let text = format!("Fatal error: can't open the AOF directory {directory}: {error}");
        say(outside, text)
    })?;
    let mut parts: Vec<Vec<u8>> = listed.into_iter().filter(|n| names.is_part(n)).collect();
    parts.sort();
    for name in parts {
        if holds_something(&names.path(&name), outside) {
            let text = format!(
                "Fatal error: {} is in {directory}, but there is no manifest {} to say what it is part of. Put the manifest back, or move the files away if they are not needed.",
                shown(&name),
                shown(&names.manifest())
            );
            return Err(say(outside, text));
        }
    }
    Ok(())
}

/// Whether there is data in a part; what cannot be understood counts as such.
fn holds_something<O: Outside + ?Sized>(path: &[u8], outside: &mut O) -> bool {
    /// A file without keys is not as long as this.
    const ENOUGH_BYTES: usize = 64 * 1024;
    let mut bytes = Vec::new();
    let read = outside
        .open(path)
        .and_then(|mut file| file.read(&mut bytes, ENOUGH_BYTES));
    if read.is_err() {
        return true;
    }
    if !path.ends_with(b".rdb") {
        return !bytes.is_empty();
    }
    let (mut decoder, mut input) = (Decoder::new(LoadLimits::defaults(0), false), &bytes[..]);
    let mut has_keys = false;
    let ran = decoder.run(&mut input, &mut |event| {
        has_keys |= !matches!(
            event,
            Event::Aux { .. } | Event::SelectDb { .. } | Event::ResizeDb { .. } | Event::End { .. }
        );
        !has_keys
    });
    has_keys || ran.is_err() || !decoder.is_done()
}

/// A single file of the old style moves into the directory and becomes the base.
fn take_in_old_file<O: Outside + ?Sized>(
    manifest: Manifest,
    names: &Names,
    outside: &mut O,
) -> Result<Manifest, LoadFailed> {
    let found = Found {
        old_file: outside.kind(names.file()) == PathKind::File,
        directory: outside.kind(names.directory()) == PathKind::Directory,
        old_file_in_directory: outside.kind(&names.path(names.file())) == PathKind::File,
    };
    let Some(upgrade) = Upgrade::plan(found, &manifest, names) else {
        return Ok(manifest);
    };
    let temp = names.path(&names.temp_manifest());
    let path = names.path(&names.manifest());
    let moved = outside
        .make_dir(names.directory())
        .and_then(|()| outside.replace(&temp, &path, &upgrade.manifest.format()))
        .and_then(|()| outside.rename(&upgrade.from, &upgrade.to));
    if let Err(error) = moved {
        let text = format!(
            "Error trying to move the old AOF file {} into dir {}: {error}",
            shown(names.file()),
            shown(names.directory())
        );
        return Err(say(outside, text));
    }
    outside.log(LogLevel::Notice, &Upgrade::log_text(names));
    Ok(upgrade.manifest)
}

fn warn_of_unused_aof<O: Outside + ?Sized>(names: &Names, outside: &mut O) {
    let path = names.path(&names.manifest());
    if outside.kind(&path) == PathKind::File {
        let text = format!(
            "There is an append only file in {}, but 'appendonly' is off: what it holds is NOT loaded.",
            shown(names.directory())
        );
        outside.log(LogLevel::Warning, &text);
    }
}

fn read_all<O: Outside + ?Sized>(path: &[u8], outside: &mut O) -> Result<Vec<u8>, String> {
    /// A manifest is a few lines; more than this is something else.
    const PIECE_BYTES: usize = 64 * 1024;
    let mut file = outside.open(path)?;
    let mut bytes = Vec::new();
    while file.read(&mut bytes, PIECE_BYTES)? > 0 {}
    Ok(bytes)
}

fn say<O: Outside + ?Sized>(outside: &mut O, text: String) -> LoadFailed {
    outside.log(LogLevel::Warning, &text);
    LoadFailed {
        text,
        is_damaged_rdb: false,
    }
}
