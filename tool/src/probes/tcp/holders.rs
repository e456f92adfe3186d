//! Which processes hold a socket: those with a descriptor of it.
//!
//! All descriptors of the host are walked over in the kernel, some 0.3 µs each, and only while there is a socket to find: once per
//! tick where that is quick, and never for more than a fiftieth of the time where it is not.

use std::{collections::HashMap, io, time::Duration};

use stillwatch_common::tcp::Holding;

use crate::{
    kernel::{cost::Stopwatch, walk::Walk},
    sample::Holder,
};

/// After a walk, this many times as long without one,
const REST: u32 = 50;
/// unless a tick finds a socket that is not known yet, and looking takes no longer than this.
const QUICK: Duration = Duration::from_millis(10);
/// Sockets are handed on and shared: what was seen this long ago is looked at again.
const FRESH: Duration = Duration::from_secs(1);

pub struct Holders {
    /// `None`: the kernel refused the iterator.
    walk: Option<Walk>,
    /// By number of the inode, as last seen: a process that ends takes its sockets with it.
    known: HashMap<u64, Vec<Holder>>,
    /// When the last walk began, on the programs' clock, and how long it took.
    last: Option<(Duration, Duration)>,
}

impl Holders {
    pub fn new(walk: Option<Walk>) -> Self {
        Self { walk, known: HashMap::new(), last: None }
    }

    pub fn is_known(&self, inode: u64) -> bool {
        inode == 0 || self.known.contains_key(&inode)
    }

    pub fn has_walked(&self) -> bool {
        self.walk.is_none() || self.last.is_some()
    }

    /// There was a walk too lately for another between ticks.
    pub fn rests(&self, now: Duration) -> bool {
        self.last.is_some_and(|(at, took)| now < at + took * REST)
    }

    /// Looks at all processes, unless that was done too lately: false then. What was seen before and is not there any more is kept
    /// for sockets that are `wanted`.
    pub fn refresh(
        &mut self,
        now: Duration,
        needed: impl IntoIterator<Item = u64>,
        wanted: impl Fn(u64) -> bool,
    ) -> io::Result<bool> {
        let unknown = needed.into_iter().any(|inode| !self.is_known(inode));
        let due = match self.last {
            None => true,
            Some((_, took)) if unknown => took <= QUICK || !self.rests(now),
            Some((at, _)) => now.saturating_sub(at) >= FRESH && !self.rests(now),
        };
        if !due {
            return Ok(false);
        }
        let Some(walk) = &mut self.walk else { return Ok(false) };
        let watch = Stopwatch::start();
        let mut seen = HashMap::new();
        // SAFETY: plain integers.
        unsafe { walk.records(|holding: &Holding| add(&mut seen, holding))? };
        self.keep(seen, wanted);
        let took = watch.elapsed();
        tracing::debug!("walked over all descriptors in {took:?}, {} TCP sockets", self.known.len());
        self.last = Some((now, took));
        Ok(true)
    }

    fn keep(&mut self, mut seen: HashMap<u64, Vec<Holder>>, wanted: impl Fn(u64) -> bool) {
        seen.values_mut().for_each(|holders| holders.sort_by_key(|holder| holder.pid));
        self.known.retain(|&inode, _| wanted(inode));
        self.known.extend(seen);
    }

    pub fn of(&self, inode: u64) -> Option<&[Holder]> {
        self.known.get(&inode).map(Vec::as_slice)
    }
}

/// A process may have several descriptors of one socket.
fn add(seen: &mut HashMap<u64, Vec<Holder>>, holding: &Holding) {
    let holders = seen.entry(holding.inode).or_default();
    if holders.iter().all(|holder| holder.pid != holding.pid) {
        let comm = holding.comm.split(|&byte| byte == 0).next().unwrap_or_default();
        holders.push(Holder { pid: holding.pid, comm: String::from_utf8_lossy(comm).into_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_named_once_and_known_after_they_have_ended() {
        let holding = |inode, pid| Holding { inode, pid, pad: 0, comm: *b"worker\0\0old\0\0\0\0\0" };
        let mut seen = HashMap::new();
        for holding in [holding(7, 31), holding(7, 30), holding(7, 31), holding(8, 31)] {
            add(&mut seen, &holding);
        }
        let mut holders = Holders::new(None);
        holders.keep(seen, |_| true);
        let worker = |pid| Holder { pid, comm: "worker".into() };
        assert_eq!(holders.of(7), Some(&[worker(30), worker(31)][..]));
        holders.keep(HashMap::new(), |inode| inode == 7);
        assert_eq!((holders.of(7).map(<[_]>::len), holders.of(8)), (Some(2), None));
        assert!(holders.is_known(7) && !holders.is_known(8) && holders.is_known(0));
    }

    #[test]
    fn without_the_iterator_nobody_is_known() {
        let mut holders = Holders::new(None);
        assert!(!holders.refresh(Duration::ZERO, [7], |_| true).unwrap());
    }
}
