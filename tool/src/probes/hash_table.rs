//! What readers of all probes do with maps.

use std::{
    collections::HashMap,
    hash::Hash,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
};

use aya::{Ebpf, Pod, maps::Map};

use crate::kernel::{batch::Batch, loader::LoadError};

/// A hash map that is read whole at every tick, and the buffers for it.
pub struct HashTable<K, V> {
    map: Map,
    fd: OwnedFd,
    batch: Batch<K, V>,
    max_entries: usize,
}

impl<K: Pod + Eq + Hash, V: Pod> HashTable<K, V> {
    /// `per_entry`: values per key; one, or one per possible CPU.
    pub fn new(map: Map, per_entry: usize) -> Result<Self, LoadError> {
        let (Map::HashMap(data) | Map::PerCpuHashMap(data) | Map::LruHashMap(data)) = &map else {
            return Err(LoadError::Absent("hash map"));
        };
        let max_entries = data.info().map_err(refused)?.max_entries() as usize;
        let fd = data.fd().as_fd().try_clone_to_owned().map_err(unreadable)?;
        Ok(Self { map, fd, batch: Batch::new(max_entries, per_entry), max_entries })
    }

    pub fn read(&mut self, visit: impl FnMut(&K, &[V])) -> io::Result<()> {
        self.batch.read(self.fd.as_raw_fd(), visit)
    }

    /// All entries of a map with one value per key.
    pub fn entries(&mut self) -> io::Result<HashMap<K, V>> {
        let mut entries = HashMap::new();
        self.read(|&key, values| entries.extend(values.first().map(|&value| (key, value))))?;
        Ok(entries)
    }

    /// Entries that the kernel does not write any more.
    pub fn remove(&mut self, keys: &[K]) {
        if let Ok(mut map) = aya::maps::HashMap::<_, K, V>::try_from(&mut self.map) {
            for key in keys {
                let _ = map.remove(key);
            }
        }
    }

    /// Of these the entries that are as they were, which the kernel may write at any time; those that are gone.
    pub fn remove_same(&mut self, keys: impl IntoIterator<Item = K>, is_same: impl Fn(&K, &V) -> bool) -> Vec<K> {
        let Ok(mut map) = aya::maps::HashMap::<_, K, V>::try_from(&mut self.map) else { return Vec::new() };
        let mut remove = |key: &K| map.get(key, 0).is_ok_and(|value| is_same(key, &value)) && map.remove(key).is_ok();
        keys.into_iter().filter(|key| remove(key)).collect()
    }

    /// As long as no program of ours writes it.
    pub fn clear(&mut self) -> io::Result<()> {
        let mut keys = Vec::new();
        self.read(|&key, _| keys.push(key))?;
        self.remove(&keys);
        Ok(())
    }

    pub fn fills_up(&self, entries: usize) -> bool {
        entries * 2 >= self.max_entries
    }

    /// Makes room, once it fills up, by removing entries that nobody counts in any more.
    pub fn make_room(&mut self, entries: &mut HashMap<K, V>, mut stale: impl FnMut(&K, &V) -> bool) {
        if !self.fills_up(entries.len()) {
            return;
        }
        let Ok(mut map) = aya::maps::HashMap::<_, K, V>::try_from(&mut self.map) else { return };
        entries.retain(|key, value| {
            let stale = stale(key, value);
            if stale {
                let _ = map.remove(key);
            }
            !stale
        });
    }
}

pub fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, LoadError> {
    ebpf.take_map(name).ok_or(LoadError::Absent(name))
}

pub fn fd(ebpf: &Ebpf, name: &'static str) -> Result<RawFd, LoadError> {
    match ebpf.map(name) {
        Some(Map::Array(map)) => Ok(map.fd().as_fd().as_raw_fd()),
        _ => Err(LoadError::Absent(name)),
    }
}

pub fn unreadable(source: io::Error) -> LoadError {
    LoadError::Map { map: "our maps", source }
}

pub fn refused(error: aya::maps::MapError) -> LoadError {
    unreadable(io::Error::other(error))
}
