//! Sockets with a port at either end, and those with a path.

use std::{collections::HashMap, net::SocketAddr, path::Path};

use procfs::{
    ProcResult,
    net::{TcpState, UnixNetEntry},
    process::Process,
};

use super::{Way, read};
use crate::{
    kernel::namespaces::{home, inhabitants},
    snapshot::disk::holds::{Found, HoldKind},
};

/// By inode, of every network namespace that somebody lives in.
pub fn with_port(port: u16, found: &mut Found) -> HashMap<u64, Way> {
    let own = home(std::process::id());
    let mut sockets = HashMap::new();
    for (netns, pid) in inhabitants() {
        let where_ = if Some(netns) == own { String::new() } else { format!(" (netns {netns})") };
        match read(found, &format!("sockets of network namespace {netns}"), move || all(pid)) {
            Some(Ok(all)) => {
                for socket in all.into_iter().filter(|socket| socket.has(port)) {
                    // In TIME_WAIT, or not accepted yet.
                    if socket.inode == 0 {
                        found.orphans += 1;
                    } else {
                        sockets.insert(socket.inode, socket.way(&where_));
                    }
                }
            }
            Some(Err(error)) => found.unread.push(format!("sockets of network namespace {netns}: {error}")),
            None => {}
        }
    }
    sockets
}

struct Socket {
    protocol: &'static str,
    local: SocketAddr,
    remote: SocketAddr,
    listens: bool,
    inode: u64,
}

impl Socket {
    fn has(&self, port: u16) -> bool {
        self.local.port() == port || self.remote.port() == port
    }

    fn way(&self, place: &str) -> Way {
        let Self { protocol, local, remote, .. } = self;
        let (how, what) = if self.listens {
            (HoldKind::Listening, format!("{protocol} {local}{place}"))
        } else {
            (HoldKind::Connection, format!("{protocol} {local} → {remote}{place}"))
        };
        Way { how, fd: None, what }
    }
}

fn all(pid: u32) -> ProcResult<Vec<Socket>> {
    let process = Process::new(pid as i32)?;
    let tcp = process.tcp()?.into_iter().chain(process.tcp6().unwrap_or_default()).map(|entry| Socket {
        protocol: "tcp",
        local: entry.local_address,
        remote: entry.remote_address,
        listens: entry.state == TcpState::Listen,
        inode: entry.inode,
    });
    let udp = process.udp()?.into_iter().chain(process.udp6().unwrap_or_default()).map(|entry| Socket {
        protocol: "udp",
        local: entry.local_address,
        remote: entry.remote_address,
        listens: entry.remote_address.port() == 0,
        inode: entry.inode,
    });
    Ok(tcp.chain(udp).collect())
}

/// By inode: whoever listens there, and the ends of connections that it accepted.
pub fn at_path(path: &Path, found: &mut Found) -> HashMap<u64, Way> {
    let all = match read(found, "unix sockets", procfs::net::unix) {
        Some(Ok(all)) => all,
        Some(Err(error)) => {
            found.unread.push(format!("unix sockets: {error}"));
            return HashMap::new();
        }
        None => return HashMap::new(),
    };
    let is_there = |entry: &UnixNetEntry| entry.path.as_deref() == Some(path);
    let what = path.to_string_lossy();
    let way = |how| Way { how, fd: None, what: format!("unix {what}") };
    all.into_iter()
        .filter(is_there)
        .map(|entry| {
            let connected = entry.state == procfs::net::UnixState::CONNECTED;
            (entry.inode, way(if connected { HoldKind::Connection } else { HoldKind::Listening }))
        })
        .collect()
}
