//! Kernel memory of our maps, computed from their real sizes; also for machines larger than this one.

use std::io;

use aya_obj::generated::bpf_map_type::*;

/// One map, as it will be created.
#[derive(Clone, Debug)]
pub struct MapSize {
    pub name: String,
    kind: u32,
    key: u64,
    value: u64,
    entries: u64,
    /// An entry per CPU: [`MapSize::entries`] is then for one.
    per_processor: bool,
}

/// Header of a hash map's element (`struct htab_elem`), and of its bucket (`struct bucket`).
const ELEMENT: u64 = 48;
const BUCKET: u64 = 16;
const PAGE: u64 = 4096;

impl MapSize {
    /// Bytes on a machine with this many possible CPUs, without the kernel's own bookkeeping of a map (some hundred
    /// bytes). All our maps are allocated whole when they are created.
    #[allow(non_upper_case_globals, reason = "the kernel's names")]
    pub fn bytes(&self, processors: u64) -> u64 {
        let entries = if self.per_processor { self.entries * processors } else { self.entries };
        let value = self.value.next_multiple_of(8);
        let hash = |per_entry: u64| {
            // One spare element per CPU, so that an update can allocate before it frees.
            (entries + processors) * (ELEMENT + self.key.next_multiple_of(8) + per_entry)
                + entries.next_power_of_two() * BUCKET
        };
        match self.kind {
            kind if kind == BPF_MAP_TYPE_HASH as u32 || kind == BPF_MAP_TYPE_LRU_HASH as u32 => hash(value),
            // Its size is in bytes; the places of reader and writers, and its own description, have pages of their own.
            kind if kind == BPF_MAP_TYPE_RINGBUF as u32 => entries + 3 * PAGE,
            kind if kind == BPF_MAP_TYPE_PERCPU_HASH as u32 => hash(8) + entries * value * processors,
            kind if kind == BPF_MAP_TYPE_PERCPU_ARRAY as u32 => entries * (8 + value * processors),
            kind if kind == BPF_MAP_TYPE_QUEUE as u32 => (entries + 1) * self.value,
            _ => (entries * value).next_multiple_of(PAGE),
        }
    }
}

/// The maps of a compiled object. `entries`: sizes that the loader will set; `per_processor`: maps that have an entry for each of
/// `processors`, unless they are set to fewer.
pub fn maps(
    object: &[u8],
    entries: &[(&str, u32)],
    per_processor: &[&str],
    processors: u32,
) -> io::Result<Vec<MapSize>> {
    let object = aya_obj::Object::parse(object).map_err(io::Error::other)?;
    let mut maps: Vec<MapSize> = object
        .maps
        .iter()
        .map(|(name, map)| {
            let set = entries.iter().find(|(set, _)| set == name).map(|&(_, entries)| entries);
            let per_processor = per_processor.contains(&name.as_str()) && set.is_none_or(|set| set == processors);
            MapSize {
                name: name.clone(),
                kind: map.map_type(),
                key: map.key_size().into(),
                value: map.value_size().into(),
                entries: if per_processor { 1 } else { set.unwrap_or(map.max_entries()).into() },
                per_processor,
            }
        })
        .collect();
    maps.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(maps)
}
