//! `/proc/self/mountinfo`: which file systems are mounted, and where.

/// A mounted file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounted {
    /// As the kernel numbers devices inside: major above 20 bits of minor.
    pub dev: u32,
    pub at: String,
    pub source: String,
    pub kind: String,
    pub read_only: bool,
}

/// What has no room of its own: others lie below it. The root is listed all the same: what lies below that may be out of sight.
const LAYERS: [&str; 2] = ["overlay", "autofs"];
/// A server answers what is asked of them, or does not. Whoever waits for that cannot be killed once the server has read the question: we are not to.
const SERVED: [&str; 14] = [
    "nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "afs", "virtiofs", "lustre", "beegfs", "orangefs", "coda", "ocfs2",
    "gfs2",
];
/// Whole when they are made, and never less.
const IMAGES: [&str; 5] = ["squashfs", "iso9660", "erofs", "cramfs", "romfs"];

impl Mounted {
    /// It may not answer.
    pub fn has_server(&self) -> bool {
        self.kind.starts_with("fuse") || SERVED.contains(&&*self.kind)
    }
}

/// Each file system once, where all of it is mounted, or where it is first.
pub fn all(mountinfo: &str) -> Vec<Mounted> {
    let mut all: Vec<(bool, Mounted)> = Vec::new();
    for (whole, mounted) in mountinfo.lines().filter_map(one) {
        // It lies over what was mounted there before.
        all.retain(|(_, known)| known.at != mounted.at);
        let is_layer = LAYERS.contains(&&*mounted.kind) && mounted.at != "/";
        if is_layer || IMAGES.contains(&&*mounted.kind) {
            continue;
        }
        match all.iter_mut().find(|(_, known)| known.dev == mounted.dev) {
            Some((is_whole, _)) if *is_whole || !whole => {}
            Some(known) => *known = (whole, mounted),
            None => all.push((whole, mounted)),
        }
    }
    all.into_iter().map(|(_, mounted)| mounted).collect()
}

/// All of them, in the order in which they were mounted.
pub fn each(mountinfo: &str) -> impl Iterator<Item = Mounted> {
    mountinfo.lines().filter_map(one).map(|(_, mounted)| mounted)
}

/// From `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`; whether it is all of the file system.
fn one(line: &str) -> Option<(bool, Mounted)> {
    let (place, file_system) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(2);
    let (major, minor) = place.next()?.split_once(':')?;
    let dev = major.parse::<u32>().ok()? << 20 | minor.parse::<u32>().ok()?;
    let (root, at) = (place.next()?, place.next()?);
    let mut file_system = file_system.split(' ');
    let (kind, source) = (file_system.next()?, file_system.next()?);
    let read_only = file_system.next().is_some_and(|options| options.split(',').any(|option| option == "ro"));
    let mounted = Mounted { dev, at: plain(at), source: plain(source), kind: kind.to_owned(), read_only };
    Some((root == "/", mounted))
}

/// Blanks, newlines and backslashes are there as three octal digits.
pub fn plain(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let [first, more @ ..] = rest {
        let octal = more.get(..3).filter(|_| *first == b'\\').and_then(|digits| str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[3..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_of_layers_is_listed() {
        let text = "20 1 0:30 / / rw - overlay overlay rw\n21 20 0:31 / /merged rw - overlay overlay rw\n";
        assert_eq!(all(text).into_iter().map(|one| one.at).collect::<Vec<_>>(), ["/"]);
    }

    #[test]
    fn a_file_system_is_listed_once_where_all_of_it_is() {
        let text = "\
21 30 0:20 / /proc rw,nosuid - proc proc rw
30 1 254:0 /sub /bound rw - ext4 /dev/vda rw
31 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
32 31 254:0 / /again rw - ext4 /dev/vda rw
33 31 0:44 / /merged rw - overlay overlay rw,lowerdir=/a,upperdir=/b
34 31 7:3 / /snap/x ro - squashfs /dev/loop3 ro
35 31 8:17 / /my\\040disk\\134 rw - xfs /dev/sdb1 ro,noquota
36 31 0:50 / /hidden rw - tmpfs one rw
37 31 0:51 / /hidden rw - tmpfs other rw
odd line
";
        let at: Vec<_> = all(text).into_iter().map(|one| (one.dev, one.at, one.read_only)).collect();
        let expected =
            [(20, "/proc", false), (254 << 20, "/", false), (8 << 20 | 17, "/my disk\\", true), (51, "/hidden", false)]
                .map(|(dev, at, ro)| (dev, at.to_owned(), ro));
        assert_eq!(at, expected);
    }

    #[test]
    fn who_has_a_server_is_not_asked() {
        let kinds = ["fuse", "fuse.sshfs", "fuseblk", "nfs4", "ext4", "tmpfs"];
        let served = kinds.map(|kind| Mounted { kind: kind.into(), ..Mounted::default() }.has_server());
        assert_eq!(served, [true, true, true, true, false, false]);
    }
}
