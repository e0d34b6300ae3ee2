//! Which database is which: a pass goes by the identity a database had when the pass began, whatever
//! number SWAPDB gives it since, and finds it even if it was flushed.
//!
//! Tests: `tests/snapshot.rs`.

use crate::db::Db;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct DbId(u64);

pub(crate) struct Homes {
    /// By number.
    ids: Vec<DbId>,
    next: u64,
    /// Flushed, but a pass still needs them.
    parked: Vec<(DbId, Db)>,
}

impl Homes {
    pub fn new(databases: usize) -> Homes {
        Homes {
            ids: (0..databases as u64).map(DbId).collect(),
            next: databases as u64,
            parked: Vec::new(),
        }
    }

    pub fn id_of(&self, db: u32) -> DbId {
        self.ids[db as usize]
    }

    pub fn swapped(&mut self, a: u32, b: u32) {
        self.ids.swap(a as usize, b as usize);
    }

    /// Another database has the number now; returns who had it.
    pub fn replaced(&mut self, db: u32) -> DbId {
        let fresh = DbId(self.next);
        self.next += 1;
        std::mem::replace(&mut self.ids[db as usize], fresh)
    }

    pub fn park(&mut self, id: DbId, db: Db) {
        self.parked.push((id, db));
    }

    pub fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Takes out a parked database that is not needed.
    pub fn unpark(&mut self, is_needed: impl Fn(DbId) -> bool) -> Option<Db> {
        let at = self.parked.iter().position(|(id, _)| !is_needed(*id))?;
        Some(self.parked.swap_remove(at).1)
    }

    pub fn find<'a>(&'a mut self, dbs: &'a mut [Db], id: DbId) -> Option<&'a mut Db> {
        match self.ids.iter().position(|home| *home == id) {
            Some(number) => dbs.get_mut(number),
            None => {
                let mut parked = self.parked.iter_mut();
                parked.find(|(home, _)| *home == id).map(|(_, db)| db)
            }
        }
    }

    pub fn parked_mut(&mut self) -> impl Iterator<Item = &mut Db> {
        self.parked.iter_mut().map(|(_, db)| db)
    }
}
