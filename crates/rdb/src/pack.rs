//! `Packer`: makes the bytes of a file from segments: compresses what was marked, sums what comes out.
//!
//! Runs where the file is written, not where the data lives. A string is compressed if that saves
//! more than four bytes, as Redis decides. A marked string that is not complete yet is gathered
//! until it is. Knows nothing of files. Tests: `tests/`.

use crate::checksum::Checksum;
use crate::encode::{EncodeOptions, Segment, put_length};
use crate::format::special;
use crate::lzf::Compressor;

/// Compression that saves no more than this is not worth its lengths.
const SAVING_MIN_BYTES: usize = 4;

/// See the file header.
pub struct Packer {
    compressor: Compressor,
    checksum: Option<Checksum>,
    /// A marked string whose end has not come yet, and how much of it is missing.
    open: Vec<u8>,
    open_left: usize,
    packed: Vec<u8>,
}

impl Packer {
    pub fn new(options: &EncodeOptions) -> Packer {
        Packer {
            compressor: Compressor::new(),
            checksum: options.checksum.then(Checksum::new),
            open: Vec::new(),
            open_left: 0,
            packed: Vec::new(),
        }
    }

    /// Appends to `out` what the segment becomes in the file; segments come in order.
    pub fn pack(&mut self, segment: Segment, out: &mut Vec<u8>) {
        let start = out.len();
        let Segment {
            bytes,
            marks,
            is_last,
        } = segment;
        let mut at = self.continue_open(&bytes, out);
        for mark in marks {
            out.extend_from_slice(&bytes[at..mark.at]);
            let end = mark.at.saturating_add(mark.len);
            match bytes.get(mark.at..end) {
                Some(string) => self.string(string, out),
                None => {
                    self.open = bytes[mark.at..].to_vec();
                    self.open_left = end - bytes.len();
                }
            }
            at = end.min(bytes.len());
        }
        out.extend_from_slice(&bytes[at..]);
        if let Some(sum) = &mut self.checksum {
            sum.update(&out[start..]);
        }
        if is_last {
            assert_eq!(self.open_left, 0, "a string is under way");
            let sum = self.checksum.as_ref().map_or(0, Checksum::value);
            out.extend_from_slice(&sum.to_le_bytes());
        }
    }

    /// Adds to the string under way; returns how many bytes of the segment belong to it.
    fn continue_open(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        if self.open_left == 0 {
            return 0;
        }
        let here = self.open_left.min(bytes.len());
        self.open.extend_from_slice(&bytes[..here]);
        self.open_left -= here;
        if self.open_left == 0 {
            let string = std::mem::take(&mut self.open);
            self.string(&string, out);
        }
        here
    }

    fn string(&mut self, string: &[u8], out: &mut Vec<u8>) {
        self.packed.clear();
        let limit = string.len().saturating_sub(SAVING_MIN_BYTES);
        if self.compressor.compress(string, limit, &mut self.packed) {
            out.push(special::LZF);
            put_length(self.packed.len() as u64, out);
            put_length(string.len() as u64, out);
            out.extend_from_slice(&self.packed);
        } else {
            put_length(string.len() as u64, out);
            out.extend_from_slice(string);
        }
    }
}
