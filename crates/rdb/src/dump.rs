//! DUMP payloads: one value without key and expiry, with the version and a checksum behind it.
//!
//! ```text
//! type: u8 | value | RDB version: u16 | CRC-64 of all before: u64     (little-endian)
//! ```
//! Tests: `tests/dump.rs`, with payloads that redis-server made.

use keyspace::value::Entry;

use crate::checksum::{Checksum, checksum};
use crate::decode::decode_value;
use crate::encode::{EncodeOptions, Encoder};
use crate::error::RestoreError;
use crate::event::Loaded;
use crate::format;
use crate::limits::LoadLimits;
use crate::pack::Packer;

const FOOTER_BYTES: usize = 2 + format::CHECKSUM_BYTES;

/// The payload of an entry. Its checksum is always made, whatever the options say.
pub fn dump(entry: Entry<'_>, options: &EncodeOptions) -> Vec<u8> {
    let mut encoder = Encoder::new(options);
    encoder.typed(entry, |_| {});
    let segment = encoder.take();
    let mut payload = if segment.marks.is_empty() {
        segment.bytes
    } else {
        let mut out = Vec::with_capacity(segment.bytes.len());
        let unsummed = EncodeOptions {
            checksum: false,
            ..options.clone()
        };
        Packer::new(&unsummed).pack(segment, &mut out);
        out
    };
    payload.extend_from_slice(&options.version_written().to_le_bytes());
    let sum = checksum(&payload);
    payload.extend_from_slice(&sum.to_le_bytes());
    payload
}

/// The value of a payload, whole or not at all. `deep` overrides that of the limits. A short
/// compressed string ends up in `room`, whatever was in there.
pub fn restore<'a>(
    payload: &'a [u8],
    limits: &LoadLimits,
    deep: bool,
    room: &'a mut Vec<u8>,
) -> Result<Loaded<'a>, RestoreError> {
    if let Some((summed, sum)) = payload.split_last_chunk::<{ format::CHECKSUM_BYTES }>() {
        let mut found = Checksum::new();
        found.update(summed);
        if found.value().to_le_bytes() != *sum {
            return Err(RestoreError::VersionOrChecksum);
        }
    }
    restore_unsummed(payload, limits, deep, room)
}

/// As [`restore`], whatever the payload's checksum says.
pub fn restore_unsummed<'a>(
    payload: &'a [u8],
    limits: &LoadLimits,
    deep: bool,
    room: &'a mut Vec<u8>,
) -> Result<Loaded<'a>, RestoreError> {
    let (body, footer) = payload
        .split_last_chunk::<FOOTER_BYTES>()
        .ok_or(RestoreError::VersionOrChecksum)?;
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let is_valkey = version == format::VERSION_VALKEY;
    if version > limits.max_version && !is_valkey {
        return Err(RestoreError::VersionOrChecksum);
    }
    let limits = LoadLimits { deep, ..*limits };
    decode_value(body, &limits, is_valkey, room).map_err(RestoreError::BadData)
}
