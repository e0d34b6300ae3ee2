//! The connections of a reactor: 16 bytes each, found by index, guarded by generation.
//!
//! A freed slot is reused under its next generation, so an id that outlived its connection finds
//! nothing. Flags describe what is known of the socket without asking the kernel:
//!
//! ```text
//! READABLE  an edge came, and no read since has proved the socket empty
//! LISTED    in the reactor's list of connections to report again
//! PAUSED    the owner does not want to hear of it
//! HANGUP    the peer closed: only a read of 0 bytes proves the socket empty
//! BLOCKED   the last write did not take everything: the owner waits for `Writable`
//! ON_DEMAND write interest is registered only while BLOCKED (Unix sockets)
//! ```
//!
//! It knows nothing of polling. Tests are at the bottom.

use std::os::fd::OwnedFd;

use super::ConnId;

pub(super) const READABLE: u8 = 1;
pub(super) const LISTED: u8 = 2;
pub(super) const PAUSED: u8 = 4;
pub(super) const HANGUP: u8 = 8;
pub(super) const BLOCKED: u8 = 16;
pub(super) const ON_DEMAND: u8 = 32;
pub(super) const CONNECTING: u8 = 64;

pub(super) struct Conn {
    pub fd: OwnedFd,
    pub flags: u8,
}

impl Conn {
    #[inline]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

enum Slot {
    Taken(Conn),
    /// The next free slot, or `NONE`.
    Free(u32),
}

struct Entry {
    generation: u32,
    slot: Slot,
}

const _: () = assert!(size_of::<Entry>() <= 16);

const NONE: u32 = u32::MAX;

pub(super) struct Slab {
    entries: Vec<Entry>,
    first_free: u32,
    count: usize,
}

impl Slab {
    pub fn new() -> Slab {
        Slab {
            entries: Vec::new(),
            first_free: NONE,
            count: 0,
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// The id that the next insertion will give.
    pub fn next_id(&self) -> ConnId {
        match self.entries.get(self.first_free as usize) {
            Some(entry) => ConnId::new(self.first_free, entry.generation),
            None => ConnId::new(self.entries.len() as u32, 0),
        }
    }

    pub fn insert(&mut self, conn: Conn) -> ConnId {
        let id = self.next_id();
        match self.entries.get_mut(id.index()) {
            Some(entry) => {
                if let Slot::Free(next) = entry.slot {
                    self.first_free = next;
                }
                entry.slot = Slot::Taken(conn);
            }
            None => self.entries.push(Entry {
                generation: 0,
                slot: Slot::Taken(conn),
            }),
        }
        self.count += 1;
        id
    }

    #[inline]
    pub fn get(&self, id: ConnId) -> Option<&Conn> {
        match self.entries.get(id.index()) {
            Some(Entry {
                generation,
                slot: Slot::Taken(conn),
            }) if *generation == id.generation() => Some(conn),
            _ => None,
        }
    }

    #[inline]
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        match self.entries.get_mut(id.index()) {
            Some(Entry {
                generation,
                slot: Slot::Taken(conn),
            }) if *generation == id.generation() => Some(conn),
            _ => None,
        }
    }

    pub fn remove(&mut self, id: ConnId) -> Option<Conn> {
        self.get(id)?;
        let entry = &mut self.entries[id.index()];
        entry.generation = entry.generation.wrapping_add(1);
        let freed = std::mem::replace(&mut entry.slot, Slot::Free(self.first_free));
        self.first_free = id.index() as u32;
        self.count -= 1;
        match freed {
            Slot::Taken(conn) => Some(conn),
            Slot::Free(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::os::fd::AsRawFd;

    fn conn() -> Conn {
        let null = std::fs::File::open("/dev/null").expect("/dev/null opens");
        Conn {
            fd: null.into(),
            flags: 0,
        }
    }

    proptest! {
        /// Against a map: what is in is found under its id only, what was taken out never again.
        #[test]
        fn ids_find_their_own_connection_and_are_never_reused(
            steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..200)
        ) {
            let mut slab = Slab::new();
            let mut live: HashMap<ConnId, i32> = HashMap::new();
            let mut dead: Vec<ConnId> = Vec::new();
            for (insert, pick) in steps {
                if insert || live.is_empty() {
                    let conn = conn();
                    let fd = conn.fd.as_raw_fd();
                    let expected = slab.next_id();
                    let id = slab.insert(conn);
                    prop_assert_eq!(id, expected);
                    prop_assert!(!dead.contains(&id));
                    prop_assert!(live.insert(id, fd).is_none());
                } else {
                    let mut ids: Vec<_> = live.keys().copied().collect();
                    ids.sort_by_key(|id| id.as_u64());
                    let id = *pick.get(&ids);
                    let taken = slab.remove(id).map(|conn| conn.fd.as_raw_fd());
                    prop_assert_eq!(taken, live.remove(&id));
                    dead.push(id);
                }
                prop_assert_eq!(slab.count(), live.len());
                for (id, fd) in &live {
                    prop_assert_eq!(slab.get(*id).map(|conn| conn.fd.as_raw_fd()), Some(*fd));
                }
                for id in &dead {
                    prop_assert!(slab.get(*id).is_none());
                    prop_assert!(slab.remove(*id).is_none());
                }
            }
        }
    }
}
