//! The hash value and its encodings.

use structures::listpack::Listpack;
use structures::table::Table;

#[derive(Clone)]
pub enum Hash {
    Packed(Listpack),
    Table(Box<Table<()>>),
}

impl Hash {
    pub fn heap_bytes(&self) -> usize {
        match self {
            Hash::Packed(p) => p.heap_bytes(),
            Hash::Table(t) => t.bucket_bytes() + t.cell_bytes(),
        }
    }

    pub fn encoding(&self) -> &'static str {
        match self {
            Hash::Packed(_) => "listpack",
            Hash::Table(_) => "hashtable",
        }
    }

    pub fn free_effort(&self) -> usize {
        match self {
            Hash::Packed(_) => 1,
            Hash::Table(t) => t.len(),
        }
    }
}
