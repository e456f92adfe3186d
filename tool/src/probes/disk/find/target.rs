//! What somebody asks for: a port, a device, a file system by its mount point, a directory or a file.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use rustix::fs::FileType;

use super::{super::super::mounts, Way, read, sockets};
use crate::{
    kernel::stat::{Stat, stat},
    snapshot::disk::holds::Found,
};

/// By what it is known when it is met.
#[derive(Default)]
pub struct Wanted {
    /// In words.
    pub is: String,
    /// Where it lies.
    pub path: PathBuf,
    pub file: Option<(u32, u64)>,
    /// Everything below its path is meant.
    pub below: bool,
    /// All that lies on these file systems is meant.
    pub filesystems: Vec<u32>,
    /// Nodes of these devices.
    pub nodes: Vec<u32>,
    /// Sockets by their inodes.
    pub sockets: HashMap<u64, Way>,
    /// What processes have as their root, unless they were given another.
    pub usual_root: Option<(u32, u64)>,
}

impl Wanted {
    pub fn of(asked: &str, found: &mut Found) -> Result<Self, String> {
        let usual_root = stat(Path::new("/proc/1/root"), true).map(|root| (root.dev, root.inode));
        let digits = asked.strip_prefix(':').unwrap_or(asked);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let port = digits.parse().ok().filter(|&port| port > 0).ok_or("ports are 1 to 65535")?;
            let sockets = sockets::with_port(port, found);
            return Ok(Self { is: format!("port {port}"), sockets, usual_root, ..Self::default() });
        }
        let word = asked.to_owned();
        let at = read(found, asked, move || place(&word)).ok_or("it does not answer")?;
        let (path, status) = at.ok_or("there is no such file, directory, device or port")?;
        let wanted = Self { path, usual_root, ..Self::default() };
        Ok(match status.node {
            Some(node) => wanted.device(node, status.kind, found),
            None => wanted.file(status, found),
        })
    }

    fn device(mut self, node: u32, kind: FileType, found: &mut Found) -> Self {
        self.nodes = vec![node];
        if kind == FileType::CharacterDevice {
            self.is = "a character device".to_owned();
            return self;
        }
        self.nodes.extend(parts(node));
        let nodes = self.nodes.clone();
        let mounted = read(found, "mounts", move || {
            let lies_on = |one: &mounts::Mounted| {
                let source = || stat(Path::new(&one.source), true).and_then(|stat| stat.node);
                nodes.contains(&one.dev)
                    || one.source.starts_with('/') && source().is_some_and(|it| nodes.contains(&it))
            };
            let mounts = own_mounts();
            let mounts = mounts::each(&mounts).filter(lies_on);
            mounts.map(|one| (one.dev, one.at)).collect::<Vec<_>>()
        });
        let mounted = mounted.unwrap_or_default();
        self.filesystems = mounted.iter().map(|(dev, _)| *dev).collect();
        self.filesystems.sort_unstable();
        self.filesystems.dedup();
        self.is = match mounted.first() {
            Some((_, at)) => format!("a block device, mounted at {at}"),
            None => "a block device, not mounted here".to_owned(),
        };
        self
    }

    fn file(mut self, status: Stat, found: &mut Found) -> Self {
        self.file = Some((status.dev, status.inode));
        if status.kind == FileType::Socket {
            self.is = "a socket".to_owned();
            self.sockets = sockets::at_path(&self.path, found);
            return self;
        }
        self.below = status.is_folder();
        let mounted = mounts::each(&own_mounts()).filter(|one| Path::new(&one.at) == self.path).last();
        if let Some(mounted) = mounted {
            self.is = format!("the mount point of {} on {}", mounted.kind, mounted.source);
            self.filesystems = vec![mounted.dev];
            // Where a part of a file system has a number of its own (btrfs).
            self.filesystems.extend(Some(status.dev).filter(|&dev| dev != mounted.dev));
        } else {
            self.is = if self.below { "a directory" } else { "a file" }.to_owned();
        }
        self
    }

    /// `path`: as whoever holds it sees it.
    pub fn is_meant(&self, status: Stat, path: &Path) -> bool {
        self.is_file(status.dev, status.inode)
            || self.filesystems.contains(&status.dev)
            || status.node.is_some_and(|node| self.nodes.contains(&node))
            || self.is_below(path)
    }

    /// The same of a file that is mapped.
    pub fn is_meant_by(&self, dev: u32, inode: u64, path: &Path) -> bool {
        self.is_file(dev, inode) || self.filesystems.contains(&dev) || self.is_below(path)
    }

    fn is_file(&self, dev: u32, inode: u64) -> bool {
        self.file == Some((dev, inode))
    }

    fn is_below(&self, path: &Path) -> bool {
        self.below && path.starts_with(&self.path)
    }
}

pub fn own_mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
}

/// `/srv/data`, `./file`, `sda`.
fn place(asked: &str) -> Option<(PathBuf, Stat)> {
    let device = Path::new("/dev").join(asked);
    let path = if !asked.contains('/') && device.exists() { device } else { PathBuf::from(asked) };
    let path = fs::canonicalize(path).ok()?;
    let status = stat(&path, true)?;
    Some((path, status))
}

/// Partitions of a disk.
fn parts(node: u32) -> Vec<u32> {
    let folder = format!("/sys/dev/block/{}:{}", node >> 20, node & 0xf_ffff);
    let parts = fs::read_dir(folder).into_iter().flatten().flatten();
    let parts = parts.filter(|entry| entry.path().join("partition").exists());
    parts.filter_map(|entry| number(&fs::read_to_string(entry.path().join("dev")).ok()?)).collect()
}

/// From `8:17`.
fn number(text: &str) -> Option<u32> {
    let (major, minor) = text.trim().split_once(':')?;
    Some(major.parse::<u32>().ok()? << 20 | minor.parse::<u32>().ok()?)
}
