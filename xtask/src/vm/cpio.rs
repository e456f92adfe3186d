//! Writes the archive a kernel unpacks as its first root ("newc" format), without a tool and without root.

use std::path::Path;

use anyhow::{Context, Result};

#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inode: usize,
}

impl Archive {
    pub fn dir(&mut self, path: &str) {
        self.entry(path, 0o040755, &[]);
    }

    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, 0o100755, content);
    }

    pub fn symlink(&mut self, path: &str, to: &str) {
        self.entry(path, 0o120777, to.as_bytes());
    }

    pub fn copy(&mut self, from: &Path, path: &str) -> Result<()> {
        let content = std::fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        self.file(path, &content);
        Ok(())
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: usize, content: &[u8]) {
        self.inode += 1;
        // Magic, then inode, mode, uid, gid, links, mtime, size, device (2), its own device (2), name's
        // length with its NUL, and a checksum that this variant leaves out.
        let fields = [self.inode, mode, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, path.len() + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_starts_at_a_multiple_of_four() {
        let mut archive = Archive::default();
        archive.file("a", b"12345");
        archive.dir("some/dir");
        let bytes = archive.finish();
        let starts: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"070701")).collect();
        assert_eq!(starts.len(), 3);
        assert!(starts.iter().all(|at| at % 4 == 0));
    }
}
