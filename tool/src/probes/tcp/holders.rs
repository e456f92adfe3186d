//! Which processes hold a socket: those with a descriptor that leads to its inode.
//!
//! All of `/proc/*/fd` is read, some microseconds per descriptor, and only while there is a socket to find: once per tick where
//! that is quick, and never for more than a twentieth of the time where it is not.

use std::{
    collections::HashMap,
    fs,
    time::{Duration, Instant},
};

use crate::sample::Holder;

/// After a scan, this many times as long without one,
const REST: u32 = 20;
/// unless a socket is not known yet, and looking takes no longer than this.
const QUICK: Duration = Duration::from_millis(20);

#[derive(Default)]
pub struct Holders {
    /// By number of the inode, as last seen: a process that ends takes its sockets with it.
    known: HashMap<u64, Vec<Holder>>,
    next: Option<Instant>,
    took: Duration,
}

impl Holders {
    /// Looks at all processes, unless that was done too lately: false then. What was seen before and is not there any more is kept
    /// for sockets that are `wanted`.
    pub fn refresh(
        &mut self,
        now: Instant,
        needed: impl IntoIterator<Item = u64>,
        wanted: impl Fn(u64) -> bool,
    ) -> bool {
        let unknown = |inode: u64| inode != 0 && !self.known.contains_key(&inode);
        if self.next.is_some_and(|next| now < next) && (self.took > QUICK || !needed.into_iter().any(unknown)) {
            return false;
        }
        let seen = scan();
        self.known.retain(|&inode, _| wanted(inode));
        self.known.extend(seen);
        self.took = now.elapsed();
        self.next = Some(now + self.took * REST);
        true
    }

    pub fn of(&self, inode: u64) -> Option<&[Holder]> {
        self.known.get(&inode).map(Vec::as_slice)
    }
}

fn scan() -> HashMap<u64, Vec<Holder>> {
    let mut holders: HashMap<u64, Vec<Holder>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // It may end at any moment, and a process without descriptors is as good as gone.
        let Ok(descriptors) = fs::read_dir(entry.path().join("fd")) else { continue };
        let mut inodes: Vec<u64> =
            descriptors.flatten().filter_map(|descriptor| inode(&fs::read_link(descriptor.path()).ok()?)).collect();
        if inodes.is_empty() {
            continue;
        }
        inodes.sort_unstable();
        inodes.dedup();
        let comm = fs::read(entry.path().join("comm")).unwrap_or_default();
        let comm = String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned();
        for inode in inodes {
            holders.entry(inode).or_default().push(Holder { pid, comm: comm.clone() });
        }
    }
    for holders in holders.values_mut() {
        holders.sort_by_key(|holder| holder.pid);
    }
    holders
}

fn inode(target: &std::path::Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_socket_is_held_by_this_process_and_known_after_it_was_closed() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let inode = inode(&link).unwrap();
        let mut holders = Holders::default();
        holders.refresh(Instant::now(), [], |_| false);
        let pids = |holders: &Holders| -> Vec<u32> {
            holders.of(inode).into_iter().flatten().map(|holder| holder.pid).collect()
        };
        assert_eq!(pids(&holders), [std::process::id()]);
        drop(socket);
        holders.next = None;
        holders.refresh(Instant::now(), [], |wanted| wanted == inode);
        assert_eq!(pids(&holders), [std::process::id()]);
        holders.next = None;
        holders.refresh(Instant::now(), [], |_| false);
        assert!(pids(&holders).is_empty());
        // Just looked; again only for a socket that is not known, and only if it was quick.
        (holders.took, holders.next) = (Duration::ZERO, Some(Instant::now() + Duration::from_secs(60)));
        assert!(!holders.refresh(Instant::now(), [0], |_| false));
        assert!(holders.refresh(Instant::now(), [inode], |_| false));
        (holders.took, holders.next) = (QUICK * 2, Some(Instant::now() + Duration::from_secs(60)));
        assert!(!holders.refresh(Instant::now(), [inode], |_| false));
    }
}
