//! The sorted set value and its encodings.

use structures::listpack::Listpack;
use structures::table::Table;

pub enum SortedSet {
    Packed(Listpack),
    Table(Box<Table<()>>),
}

impl SortedSet {
    pub fn heap_bytes(&self) -> usize {
        match self {
            SortedSet::Packed(p) => p.heap_bytes(),
            SortedSet::Table(t) => t.bucket_bytes() + t.cell_bytes(),
        }
    }

    pub fn encoding(&self) -> &'static str {
        match self {
            SortedSet::Packed(_) => "listpack",
            SortedSet::Table(_) => "skiplist",
        }
    }

    pub fn free_effort(&self) -> usize {
        match self {
            SortedSet::Packed(_) => 1,
            SortedSet::Table(t) => t.len(),
        }
    }
}
