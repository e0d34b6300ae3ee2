//! DEBUG RELOAD and LOADAOF: the data set is replaced by what the files say, while everybody waits.

use super::append::names_of;
use super::finding::{aof_parts, rdb_part, read_manifest};
use super::loading::{LoadOptions, Loader, Step};
use crate::NodeHost;
use engine::{Engine, Reload};

const FAILED: &str = "Error trying to load the RDB dump, check server logs.";
const AOF_FAILED: &str = "Error trying to load the AOF files, check server logs.";

/// Runs to the end.
pub fn reload(engine: &mut Engine, host: &mut dyn NodeHost, how: Reload) -> Result<(), String> {
    match how {
        Reload::Rdb { save, flush, merge } => reload_rdb(engine, host, save, flush, merge),
        Reload::Aof => reload_aof(engine, host),
    }
}

fn reload_rdb(
    engine: &mut Engine,
    host: &mut dyn NodeHost,
    save: bool,
    flush: bool,
    merge: bool,
) -> Result<(), String> {
    let (persistence, outside) = host.parts();
    if save {
        // It may have to take the place of one under way.
        persistence.abort_save(engine, outside);
        persistence.save(engine, outside)?;
    }
    let parts = rdb_part(&engine.config, outside).map_err(|_| FAILED.to_owned())?;
    let loader = Loader::new(
        parts,
        LoadOptions {
            merge,
            keep_expired: engine.role().is_replica,
        },
        outside,
    );
    if flush {
        engine.empty_data_set(host);
    }
    let loader = run(engine, host, loader).ok_or(FAILED)?;
    let (persistence, _) = host.parts();
    persistence.note_loaded(&loader, engine);
    Ok(())
}

fn reload_aof(engine: &mut Engine, host: &mut dyn NodeHost) -> Result<(), String> {
    let (persistence, outside) = host.parts();
    persistence.append.take_effects(engine, outside);
    if persistence.append.is_on() && !persistence.settle_append(engine, outside) {
        return Err(AOF_FAILED.into());
    }
    let names = names_of(&engine.config, outside.process_id());
    let found = read_manifest(&names, outside)
        .and_then(|manifest| Ok((aof_parts(&manifest, &names, outside)?, manifest)));
    let (parts, manifest) = found.map_err(|_| AOF_FAILED.to_owned())?;
    let loader = Loader::new(parts, LoadOptions::default(), outside);
    engine.empty_data_set(host);
    let loader = run(engine, host, loader).ok_or(AOF_FAILED)?;
    let (persistence, _) = host.parts();
    persistence.note_loaded(&loader, engine);
    persistence.append.reloaded(manifest, loader.sizes());
    engine.keyspace.journal.dirty = 0;
    Ok(())
}

fn run(engine: &mut Engine, host: &mut dyn NodeHost, mut loader: Loader) -> Option<Loader> {
    loop {
        match loader.step(engine, host) {
            Ok(Step::Done) => break,
            Ok(Step::More | Step::Wait) => {}
            Err(_) => return None,
        }
        engine.settle_load(host);
    }
    engine.settle_load(host);
    Some(loader)
}
