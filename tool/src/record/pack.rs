//! Payloads: MessagePack with the names of all fields, compressed, with another payload as prefix where there is one.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use zstd::zstd_safe::{CCtx, CParameter, DCtx, ErrorCode, compress_bound, get_error_name};

use super::frame::LARGEST;

/// More does not pay: docs/decisions/0022-recordings.md.
const LEVEL: i32 = 3;
const SMALLEST: i32 = 19;

pub fn encode(value: &impl Serialize) -> io::Result<Vec<u8>> {
    rmp_serde::to_vec_named(value).map_err(io::Error::other)
}

/// None: it is not, or only a later version knows it.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    rmp_serde::from_slice(payload).ok()
}

pub fn pack(payload: &[u8], prefix: &[u8]) -> io::Result<Vec<u8>> {
    pack_at(LEVEL, payload, prefix)
}

/// As small as it can be: of what is packed once and written often.
pub fn pack_small(payload: &[u8]) -> io::Result<Vec<u8>> {
    pack_at(SMALLEST, payload, &[])
}

fn pack_at(level: i32, payload: &[u8], prefix: &[u8]) -> io::Result<Vec<u8>> {
    let mut context = CCtx::create();
    context.set_parameter(CParameter::CompressionLevel(level)).map_err(error)?;
    // Prefix and payload are looked at together.
    context.set_parameter(CParameter::WindowLog(window(prefix.len() + payload.len()))).map_err(error)?;
    context.ref_prefix(prefix).map_err(error)?;
    let mut packed = Vec::with_capacity(compress_bound(payload.len()));
    context.compress2(&mut packed, payload).map_err(error)?;
    Ok(packed)
}

/// Of a payload that is no longer than that.
pub fn unpack(packed: &[u8], length: usize, prefix: &[u8]) -> io::Result<Vec<u8>> {
    let mut context = DCtx::create();
    context.ref_prefix(prefix).map_err(error)?;
    let mut payload = Vec::with_capacity(length.min(LARGEST));
    context.decompress(&mut payload, packed).map_err(error)?;
    Ok(payload)
}

fn window(bytes: usize) -> u32 {
    // The library's smallest, and more than two of the largest payloads.
    bytes.next_power_of_two().trailing_zeros().clamp(10, 27)
}

fn error(code: ErrorCode) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, get_error_name(code))
}
