//! Reading a hash map with one system call for a thousand entries (`BPF_MAP_LOOKUP_BATCH`, 5.6), which aya does not offer.

use std::{io, os::fd::AsRawFd};

use aya::Pod;

use super::bpf::{MAP_LOOKUP_BATCH, bpf};

/// Entries per system call. The kernel wants room for a whole bucket at once, and buckets are short.
const ENTRIES: usize = 1024;

/// The part of `union bpf_attr` that this command reads.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// Buffers for reading one map, kept from one reading to the next.
pub struct Batch<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
    /// Values per entry: one, or one per possible CPU.
    per_entry: usize,
}

impl<K: Pod, V: Pod> Batch<K, V> {
    /// For a map with `per_entry` values per key, at most `max_entries` of them.
    pub fn new(max_entries: usize, per_entry: usize) -> Self {
        Self::sized(max_entries.clamp(16, ENTRIES), per_entry)
    }

    /// Visits every entry. Entries that come or go meanwhile may be missed.
    pub fn read(&mut self, fd: impl AsRawFd, mut visit: impl FnMut(&K, &[V])) -> io::Result<()> {
        let mut position = [0u64; 2];
        let mut first = true;
        loop {
            let mut next = [0u64; 2];
            let mut attributes = Attributes {
                in_batch: if first { 0 } else { position.as_ptr() as u64 },
                out_batch: next.as_mut_ptr() as u64,
                keys: self.keys.as_mut_ptr() as u64,
                values: self.values.as_mut_ptr() as u64,
                count: self.keys.len() as u32,
                map_fd: fd.as_raw_fd() as u32,
                ..Attributes::default()
            };
            // SAFETY: the buffers hold `count` keys and values; the kernel writes no more than that.
            let error = unsafe { bpf(MAP_LOOKUP_BATCH, &mut attributes) }.err();
            let code = error.as_ref().and_then(io::Error::raw_os_error);
            match (error, code) {
                // ENOENT: that was the rest.
                (None, _) | (_, Some(libc::ENOENT)) => {
                    let count = attributes.count as usize;
                    for (key, values) in self.keys.iter().zip(self.values.chunks(self.per_entry)).take(count) {
                        visit(key, values);
                    }
                    if code.is_some() {
                        return Ok(());
                    }
                }
                (Some(_), Some(libc::ENOSPC)) => {
                    self.grow();
                    continue;
                }
                (Some(error), _) => return Err(error),
            }
            (position, first) = (next, false);
        }
    }

    /// Twice the room, for a bucket that does not fit.
    fn grow(&mut self) {
        *self = Self::sized(self.keys.len() * 2, self.per_entry);
    }

    fn sized(entries: usize, per_entry: usize) -> Self {
        // SAFETY: Pod types are valid as zeros.
        let keys = (0..entries).map(|_| unsafe { std::mem::zeroed() }).collect();
        // SAFETY: as above.
        let values = (0..entries * per_entry).map(|_| unsafe { std::mem::zeroed() }).collect();
        Self { keys, values, per_entry }
    }
}
