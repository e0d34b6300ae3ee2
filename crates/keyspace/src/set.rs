//! The set value and its encodings.

use structures::listpack::Listpack;
use structures::table::Table;

#[derive(Clone)]
pub enum Set {
    Packed(Listpack),
    Table(Box<Table<()>>),
}

impl Set {
    pub fn heap_bytes(&self) -> usize {
        match self {
            Set::Packed(p) => p.heap_bytes(),
            Set::Table(t) => t.bucket_bytes() + t.cell_bytes(),
        }
    }

    pub fn encoding(&self) -> &'static str {
        match self {
            Set::Packed(_) => "listpack",
            Set::Table(_) => "hashtable",
        }
    }

    pub fn free_effort(&self) -> usize {
        match self {
            Set::Packed(_) => 1,
            Set::Table(t) => t.len(),
        }
    }
}
