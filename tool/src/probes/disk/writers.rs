//! Who dirtied which file since the last walk over descriptors.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    io,
};

use aya::Ebpf;
use stillwatch_common::disk::{DirectoryId, DirectoryNames, Dirtied, Dirtying, NAME, Turn};

use super::super::{
    Counters,
    hash_table::{HashTable, fd, take, unreadable},
};
use crate::{
    kernel::{loader::LoadError, mapping::Mapping},
    sample::{DirectoryPath, FileKey, Written},
    snapshot::Lost,
};

/// Files and processes that are kept until the next walk.
const KEPT: usize = 32_768;
/// Ticks after which what did not change makes room.
const IDLE: u32 = 2;
/// Bytes whose file and process are not known.
pub const LOST: &str = "bytes written without their file";

pub struct Writers {
    turns: Mapping<Turn>,
    dirtied: HashTable<Dirtying, Dirtied>,
    directories: HashTable<DirectoryId, DirectoryNames>,
    seen: HashMap<Dirtying, Noted>,
    /// Since the last walk began.
    since: HashMap<Dirtying, Dirtied>,
    /// As they were read last.
    names: HashMap<FileKey, DirectoryPath>,
    /// There was no room for them here.
    lost: u64,
}

/// What was seen of a file and process in the table, and in turns that go on.
#[derive(Default)]
struct Noted {
    bytes: u64,
    /// In the table alone.
    table: u64,
    /// At so many ticks there was no more, and no turn: one that was just ending when it was looked at is in the table at the next.
    idle: u32,
}

impl Writers {
    pub fn new(ebpf: &mut Ebpf, processors: usize) -> Result<Self, LoadError> {
        Ok(Self {
            turns: Mapping::new(fd(ebpf, "DISK_TURNS")?, processors, false).map_err(unreadable)?,
            dirtied: HashTable::new(take(ebpf, "DISK_DIRTIED")?, 1)?,
            directories: HashTable::new(take(ebpf, "DISK_DIRECTORIES")?, 1)?,
            seen: HashMap::new(),
            since: HashMap::new(),
            names: HashMap::new(),
            lost: 0,
        })
    }

    /// At every tick: what is not read would fill the table.
    pub fn look(&mut self) -> io::Result<()> {
        // The table first: what goes from a turn into the table meanwhile is seen at the next tick, and nothing twice.
        let mut entries = self.dirtied.entries()?;
        let turns = self.turns();
        for (of, entry) in &mut entries {
            let known = self.seen.entry(*of).or_default();
            known.table = entry.bytes;
            // What of turns was removed, or is not there yet, comes again.
            let turn = turns.get(of);
            let bytes = (entry.bytes + turn.copied().unwrap_or(0)).saturating_sub(known.bytes);
            known.bytes += bytes;
            known.idle = if bytes > 0 || turn.is_some() { 0 } else { known.idle + 1 };
            entry.bytes = bytes;
        }
        entries.into_iter().for_each(|(of, entry)| self.add(of, entry));
        let idle: Vec<Dirtying> = self.seen.iter().filter(|(_, seen)| seen.idle >= IDLE).map(|(of, _)| *of).collect();
        let is_same = |of: &Dirtying, now: &Dirtied| self.seen.get(of).is_some_and(|seen| seen.table == now.bytes);
        for of in self.dirtied.remove_same(idle, is_same) {
            self.seen.remove(&of);
        }
        Ok(())
    }

    /// More than at the tick before.
    fn add(&mut self, of: Dirtying, more: Dirtied) {
        let room = self.since.len() < KEPT;
        match self.since.entry(of) {
            Entry::Occupied(mut known) => known.get_mut().bytes += more.bytes,
            Entry::Vacant(place) if more.bytes > 0 && room => drop(place.insert(more)),
            Entry::Vacant(_) => self.lost += more.bytes,
        }
    }

    /// Turns that go on. One that is changed while it is looked at is left out: it goes into the table.
    fn turns(&self) -> HashMap<Dirtying, u64> {
        // SAFETY: inside the mapping; the kernel writes at any time, so every load is volatile.
        let read = |turn: *mut Turn| unsafe {
            let number = (&raw const (*turn).number).read_volatile();
            let of = (&raw const (*turn).of).read_volatile();
            let bytes = (&raw const (*turn).bytes).read_volatile();
            (number, of, bytes, (&raw const (*turn).is_file).read_volatile() != 0)
        };
        let first: Vec<_> = self.turns.values().map(read).collect();
        let mut turns = HashMap::new();
        for ((number, of, ..), turn) in first.into_iter().zip(self.turns.values()) {
            let now = read(turn);
            if number % 2 == 0 && (now.0, now.1) == (number, of) && now.3 {
                *turns.entry(of).or_default() += now.2;
            }
        }
        turns
    }

    /// When a walk begins: what was dirtied since the one before.
    pub fn take(&mut self) -> io::Result<Written> {
        let names = self.directories.entries()?;
        let read: Vec<DirectoryId> = names.keys().copied().collect();
        self.directories.remove(&read);
        self.names.extend(names.iter().map(|(id, names)| ((id.dev, id.inode), path(names))));
        let by = std::mem::take(&mut self.since);
        // Of those alone that something is in: others are read anew when they come again.
        let known: HashSet<FileKey> = by.iter().map(|(of, by)| (of.dev, by.directory)).collect();
        self.names.retain(|id, _| known.contains(id));
        Ok(Written { by, directories: self.names.clone() })
    }

    pub fn counters(&self) -> Counters {
        let (mut runs, mut lost) = (0, self.lost);
        for turn in self.turns.values() {
            // SAFETY: inside the mapping.
            unsafe {
                runs += (&raw const (*turn).runs).read_volatile();
                lost += (&raw const (*turn).lost).read_volatile();
            }
        }
        Counters { runs: vec![("writeback_dirty_folio", runs)], lost: vec![Lost { cause: LOST, count: lost }] }
    }
}

/// From the root of its file system.
fn path(of: &DirectoryNames) -> DirectoryPath {
    let names = &of.names[..(of.count as usize).min(of.names.len())];
    let word = |name: &[u8; NAME]| {
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(NAME);
        let word = String::from_utf8_lossy(&name[..end]).into_owned();
        // One that fills its room may be longer.
        if end + 1 >= NAME { format!("{word}\u{2026}") } else { word }
    };
    let words: Vec<String> = names.iter().rev().map(word).collect();
    DirectoryPath { path: words.join("/"), whole: of.whole != 0 }
}

#[cfg(test)]
mod tests {
    use stillwatch_common::disk::LEVELS;

    use super::*;

    #[test]
    fn a_path_is_put_together_from_its_end() {
        let mut of = DirectoryNames { names: [[0; NAME]; LEVELS], count: 2, whole: 1 };
        of.names[0][..5].copy_from_slice(b"spool");
        of.names[1][..3].copy_from_slice(b"lib");
        assert_eq!(path(&of), DirectoryPath { path: "lib/spool".into(), whole: true });
        // The kernel ends what does not fit.
        of.names[1] = [b'x'; NAME];
        of.names[1][NAME - 1] = 0;
        of.whole = 0;
        assert_eq!(path(&of), DirectoryPath { path: format!("{}\u{2026}/spool", "x".repeat(NAME - 1)), whole: false });
    }
}
