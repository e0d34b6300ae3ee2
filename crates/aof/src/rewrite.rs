//! placeholder
use keyspace::{Entry, snapshot::{BigHeader, Piece}};
pub struct CommandSink(Vec<u8>);
impl CommandSink {
    pub fn new(_: Option<i64>) -> Self { CommandSink(Vec::new()) }
    pub fn entry(&mut self, _: u32, _: Entry<'_>) {}
    pub fn big_begin(&mut self, _: u32, _: BigHeader<'_>) {}
    pub fn big_piece(&mut self, _: Piece<'_>) {}
    pub fn big_end(&mut self) {}
    pub fn pending_bytes(&self) -> usize { self.0.len() }
    pub fn take(&mut self) -> Vec<u8> { std::mem::take(&mut self.0) }
}
