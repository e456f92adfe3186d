//! Who has which files open, as one walk over all descriptors sees it.
//!
//! The walk is done by a thread of its own, which no tick waits for longer than it waits for anything: on a large host it takes seconds.

use std::{
    fs, io,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aya::Ebpf;
use stillwatch_common::disk::Open;

use super::{super::hash_table::unreadable, FILE_ITER, writers::Writers};
use crate::{
    kernel::{loader::LoadError, search::Search, walk::Walk},
    sample::{Descriptors, Files, OpenBy, Written},
    snapshot::disk::NO_WALK,
};

/// `s_magic` of tmpfs, where memfd and shared memory lie, too.
const TMPFS_MAGIC: u64 = 0x0102_1994;
/// A block, as `stat` counts them.
const BLOCK: u64 = 512;

pub struct Walks {
    /// `None`: the kernel refused the iterator.
    walk: Option<Arc<Mutex<Walk>>>,
    search: Search<io::Result<Files>>,
    /// What was dirtied until it began.
    written: Option<Written>,
    pub last: Option<Rc<Files>>,
}

impl Walks {
    pub fn new(ebpf: &mut Ebpf, rest: u32) -> Result<Self, LoadError> {
        let walk = Walk::new(ebpf, FILE_ITER, None).map_err(unreadable)?;
        let walk = walk.map(|walk| Arc::new(Mutex::new(walk)));
        Ok(Self { walk, search: Search::new(Duration::ZERO, rest), written: None, last: None })
    }

    /// Begins a walk if one is due, and takes what the last one has found.
    pub fn look(&mut self, now: Duration, writers: Option<&mut Writers>) -> io::Result<()> {
        let Some(walk) = self.walk.clone() else { return Ok(()) };
        let found = if self.search.is_due(now) {
            self.written = writers.map(Writers::take).transpose()?;
            self.search.begin_and_wait(now, move || self::walk(&walk, now))
        } else {
            self.search.found()
        };
        if let Some(files) = found {
            self.last = Some(Rc::new(Files { written: self.written.take(), ..files? }));
        }
        Ok(())
    }

    pub fn unavailable(&self) -> Option<&'static str> {
        self.walk.is_none().then_some(NO_WALK)
    }
}

fn walk(walk: &Mutex<Walk>, at: Duration) -> io::Result<Files> {
    let mut files = Files { at, ..Files::default() };
    let mut walk = walk.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: plain integers.
    unsafe { walk.records(|open: &Open| add(&mut files, open))? };
    Ok(files)
}

fn add(files: &mut Files, open: &Open) {
    if open.dev == 0 {
        let own = files.processes.entry(open.pid).or_default();
        // Threads of one process may have tables of their own.
        *own = Descriptors { comm: open.comm, open: own.open + open.size, limit: open.inode };
        return;
    }
    let file = files.open.entry((open.dev, open.inode)).or_default();
    (file.size, file.allocated) = (open.size, open.blocks * BLOCK);
    file.deleted = open.links == 0;
    file.in_memory = open.magic == TMPFS_MAGIC;
    file.directory = open.directory;
    let (writes, position) = (open.writes != 0, open.position);
    file.by.push(OpenBy { pid: open.pid, comm: open.comm, fd: open.fd, writes, position });
}

/// `/proc/sys/fs/file-nr`: in use, free, at the most.
pub fn of_host() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/sys/fs/file-nr").ok()?;
    let mut words = text.split_ascii_whitespace().map(|word| word.parse().ok());
    let (open, free) = (words.next()??, words.next()??);
    Some((u64::saturating_sub(open, free), words.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_however_many_have_it_open() {
        let mut files = Files::default();
        let file = Open { dev: 7, inode: 12, size: 100, blocks: 8, fd: 3, writes: 2, ..Open::default() };
        let process = |pid, open, limit| Open { pid, size: open, inode: limit, ..Open::default() };
        let all = [
            Open { pid: 1, ..file },
            process(1, 5, 1024),
            Open { pid: 2, magic: TMPFS_MAGIC, ..file },
            process(2, 9, 64),
        ];
        for open in all {
            add(&mut files, &open);
        }
        // A thread with a table of its own.
        add(&mut files, &process(2, 4, 64));
        let open = &files.open[&(7, 12)];
        assert_eq!(
            (files.open.len(), open.by.len(), open.allocated, open.deleted, open.in_memory),
            (1, 2, 4096, true, true)
        );
        assert_eq!((files.processes[&1].open, files.processes[&2].open, files.processes[&2].limit), (5, 13, 64));
    }
}
