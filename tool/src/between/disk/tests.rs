use stillwatch_common::disk::{Dirtied, Dirtying};

use super::*;
use crate::{
    sample::{DirectoryPath, Written},
    snapshot::disk::{NO_DIRECTORY, SEVERAL},
};

fn by(pid: u32, fd: u32, position: u64) -> OpenBy {
    OpenBy { pid, comm: *b"writer\0\0\0\0\0\0\0\0\0\0", fd, writes: true, position }
}

fn files(at: u64, open: &[(FileKey, u64, &[OpenBy])]) -> Option<Rc<Files>> {
    let file = |&(key, size, by): &(FileKey, u64, &[OpenBy])| {
        (key, OpenFile { size, allocated: size.next_multiple_of(4096), by: by.to_vec(), ..OpenFile::default() })
    };
    let at = Duration::from_secs(at);
    Some(Rc::new(Files { at, open: open.iter().map(file).collect(), ..Files::default() }))
}

fn mounted(room: Room, earlier: [Option<(Duration, Room)>; 2]) -> MountedAt {
    let (mount, source, kind) = ("/srv".into(), "/dev/sda1".into(), "ext4".into());
    MountedAt { dev: 7, mount, source, kind, read_only: false, room: Ok(room), earlier }
}

fn with(files: Option<Rc<Files>>) -> sample::Disk {
    let mounted = mounted(Room::default(), [None; 2]);
    sample::Disk { filesystems: vec![mounted], files, ..sample::Disk::default() }
}

fn rows(then: &[(FileKey, u64, &[OpenBy])], now: &[(FileKey, u64, &[OpenBy])]) -> Vec<Growing> {
    let mounts = HashMap::from([(7, "/srv")]);
    of(&files(1, then).unwrap(), &files(3, now).unwrap(), &mounts)
}

fn of(then: &Files, now: &Files, mounts: &HashMap<u32, &str>) -> Vec<Growing> {
    grown(then, now, mounts).into_iter().map(|(_, row)| row).collect()
}

#[test]
fn a_file_grows_by_the_hand_of_the_one_that_moved_on() {
    let (key, mib) = ((7, 12), 1 << 20);
    let row = |then: &[OpenBy], now: &[OpenBy]| rows(&[(key, mib, then)], &[(key, 11 * mib, now)]).remove(0);
    let alone = row(&[by(430, 3, 0)], &[by(430, 3, 0)]);
    assert_eq!((alone.who.pid, alone.bytes, alone.over_ns, alone.writers), (Some(430), 10 * mib, 2_000_000_000, 1));
    assert_eq!(alone.mount.value().map(String::as_str), Some("/srv"));
    // Of two that have it open, one wrote.
    let one = row(&[by(430, 3, 5), by(812, 4, 5)], &[by(430, 3, 5), by(812, 4, 9)]);
    assert_eq!((one.who.pid, one.holder, one.fd, one.writers), (Some(812), 812, 4, 2));
    // Both did, or neither as far as their descriptors say.
    for position in [5, 9] {
        let both = row(&[by(430, 3, 5), by(812, 4, 5)], &[by(430, 3, position), by(812, 4, position)]);
        assert_eq!((both.who.pid, both.who.unknown.as_deref()), (None, Some(SEVERAL)));
    }
}

/// The kernel allocates what was written some seconds later, for as long as nobody asks for it.
#[test]
fn a_file_does_not_grow_again_when_it_is_allocated() {
    let mut grown = Vec::new();
    for [then, now] in
        [[(100, 100), (150, 100)], [(150, 100), (200, 110)], [(200, 110), (200, 200)], [(200, 200), (200, 230)]]
    {
        let file = |(size, allocated)| {
            let open = OpenFile { size, allocated, by: vec![by(430, 3, 0)], ..OpenFile::default() };
            Files { open: HashMap::from([((7, 12), open)]), ..Files::default() }
        };
        let rows = of(&file(then), &file(now), &HashMap::new());
        grown.push(rows.iter().map(|row| row.bytes).sum::<u64>());
    }
    assert_eq!(grown, [50, 50, 0, 30]);
}

#[test]
fn what_was_not_there_before_or_did_not_grow_is_no_row() {
    let (old, new) = ((7, 12), (7, 13));
    assert!(rows(&[(old, 5, &[by(1, 3, 0)])], &[(old, 5, &[by(1, 3, 0)]), (new, 9000, &[by(1, 4, 9000)])]).is_empty());
    assert!(rows(&[(old, 9000, &[by(1, 3, 0)])], &[(old, 5, &[by(1, 3, 0)])]).is_empty(), "it was truncated");
}

#[test]
fn without_two_walks_nothing_is_said_of_growth() {
    let why = |before: &sample::Disk, after: &sample::Disk| {
        growing(before, after, &HashMap::new()).why().map(ToString::to_string)
    };
    let (none, one, other) = (with(None), with(files(1, &[])), with(files(2, &[])));
    assert!(why(&none, &one).is_some_and(|why| why.ends_with(FIRST_WALK)));
    assert!(why(&one, &one).is_some_and(|why| why.ends_with(NO_NEW_WALK)));
    assert_eq!(why(&one, &other), None);
    let refused = sample::Disk { no_files: Some("refused"), ..with(None) };
    assert_eq!(why(&refused, &refused).as_deref(), Some("refused"));
}

#[test]
fn it_is_full_when_what_is_left_is_used_up_at_the_same_pace() {
    let gib = 1_u64 << 30;
    let room = |free| Room { size: 10 * gib, free, available: free - gib, inodes: 1000, inodes_free: free >> 24 };
    let ago = |seconds, free| Some((Duration::from_secs(seconds), room(free)));
    let look = |earlier| filesystem(&sample::Disk::default(), &mounted(room(3 * gib), earlier));
    let row = look([ago(64, 4 * gib), ago(512, 5 * gib)]);
    assert_eq!(
        (row.bytes_per_s.value(), row.bytes_per_s_10m.value()),
        (Some(&(gib as i64 / 64)), Some(&(gib as i64 / 256)))
    );
    assert_eq!((row.full_in_ns.value(), row.full_in_10m_ns.value()), (Some(&128_000_000_000), Some(&512_000_000_000)));
    assert_eq!((row.used_share.value(), row.watched_ns), (Some(&(7.0 / 9.0)), 512_000_000_000));
    // 64 inodes less each minute, of 192 that are left.
    assert_eq!(row.inodes_full_in_ns.value(), Some(&192_000_000_000));
    let steady = look([ago(64, 3 * gib), ago(4, 4 * gib)]);
    assert_eq!(steady.full_in_ns.why().map(ToString::to_string).as_deref(), Some(STEADY));
    assert_eq!(steady.full_in_10m_ns.why().map(ToString::to_string).as_deref(), Some(TOO_YOUNG));
    assert!(steady.grew_bytes.why().is_some_and(|why| why.to_string() == TOO_YOUNG));
}

#[test]
fn one_that_is_not_asked_says_so() {
    let row =
        filesystem(&sample::Disk::default(), &MountedAt { room: Err(SERVED), ..mounted(Room::default(), [None; 2]) });
    let why = |known: &Known<u64>| known.why().cloned();
    let not_asked = Some(Why::NotLookedAt(SERVED.into()));
    assert_eq!(
        [why(&row.size_bytes), why(&row.inodes), why(&row.full_in_ns)],
        [not_asked.clone(), not_asked.clone(), not_asked]
    );
}

fn dirtied(by: &[(u32, u64, u64, u64)]) -> Option<Written> {
    let one = |&(pid, inode, bytes, directory): &(u32, u64, u64, u64)| {
        let of = Dirtying { inode, owner: u64::from(pid) << 32 | 9, dev: 7, generation: 1 };
        (of, Dirtied { bytes, directory, cgroup: 0, comm: *b"writer\0\0\0\0\0\0\0\0\0\0" })
    };
    let name = |path: &str, whole| DirectoryPath { path: path.into(), whole };
    let directories = HashMap::from([((7, 50), name("spool/out", true)), ((7, 51), name("deep", false))]);
    Some(Written { by: by.iter().map(one).collect(), directories })
}

/// Both have it open, and both or none of their descriptors moved on.
fn shared(grew: u64, dirty: &[(u32, u64, u64, u64)], moves: [u64; 2]) -> Growing {
    let (key, mib) = ((7, 12), 1 << 20);
    let then = files(1, &[(key, mib, &[by(430, 3, 5), by(812, 3, 5)])]).unwrap();
    let now = files(3, &[(key, mib + grew, &[by(430, 3, moves[0]), by(812, 3, moves[1])])]).unwrap();
    let now = Files { written: dirtied(dirty), ..Rc::unwrap_or_clone(now) };
    of(&then, &now, &HashMap::new()).remove(0)
}

#[test]
fn who_dirtied_a_file_writes_to_it() {
    let mib = 1 << 20;
    let one = shared(mib, &[(812, 12, mib, 50), (9, 13, 4096, 50)], [9, 9]);
    assert_eq!((one.who.pid, one.who.comm.as_deref(), one.dirtied_by.len()), (Some(812), Some("writer"), 0));
    // Its descriptor moved on because it reads.
    assert_eq!(shared(mib, &[(812, 12, mib, 50)], [9, 5]).who.pid, Some(812));
    // It wrote over what was there, and not what it grew by.
    assert_eq!(shared(mib, &[(812, 12, mib / 2, 50)], [9, 9]).who.pid, None);
    // Others may have filled pages that it had begun.
    assert_eq!(shared(8192, &[(812, 12, 8192, 50)], [9, 9]).who.pid, None);
}

#[test]
fn of_several_that_dirtied_a_file_each_has_a_share() {
    let mib = 1 << 20;
    let both = shared(mib, &[(812, 12, mib / 4, 50), (430, 12, 3 * mib / 4, 50)], [5, 5]);
    assert_eq!((both.who.pid, both.who.unknown.as_deref()), (None, Some(SEVERAL)));
    let parts: Vec<_> = both.dirtied_by.iter().map(|part| (part.who.pid, part.share)).collect();
    assert_eq!(parts, [(Some(430), 0.75), (Some(812), 0.25)]);
    // One of them moved its descriptor on; one that did and dirtied nothing has not written.
    assert_eq!(shared(mib, &[(812, 12, 4096, 50), (430, 12, mib, 50)], [9, 5]).who.pid, Some(430));
    assert_eq!(shared(mib, &[(812, 12, 4096, 50), (77, 12, mib, 50)], [9, 5]).who.pid, None);
}

#[test]
fn many_files_are_one_row_of_their_directory() {
    let mounts = HashMap::from([(7, "/srv")]);
    let open = |at: u64, size: u64, inodes: std::ops::Range<u64>| {
        let file = |inode: u64| {
            let directory = if inode < 20 { 50 } else { 52 };
            let by = vec![by(430, inode as u32, size)];
            ((7, inode), OpenFile { size, directory, by, ..OpenFile::default() })
        };
        Files { at: Duration::from_secs(at), open: inodes.map(file).collect(), ..Files::default() }
    };
    // Ten of one directory grow and one of another; one of these was opened since, and two that nobody has open any more.
    let then = open(1, 100, 10..21);
    let by = [(430, 30, 4096, 50), (430, 31, 4096, 50), (9, 32, 8192, 51), (430, 15, 4096, 50), (430, 21, 4096, 52)];
    let now = Files { written: dirtied(&by), ..open(3, 150, 10..22) };
    let written = |now: &Files| directories::written(&grown(&then, now, &mounts), [&then, now], &mounts);
    let row = |row: &Directory| {
        let path = row.path.value().cloned();
        (row.who.pid.unwrap(), path, row.files, row.bytes, row.passing_bytes)
    };
    let of = |path: &str| Some(path.to_owned());
    assert_eq!(
        written(&now).iter().map(row).collect::<Vec<_>>(),
        [
            (430, of("/srv/spool/out"), 12, 10 * 50 + 8192, 8192),
            (9, of("/srv/\u{2026}/deep"), 1, 8192, 8192),
            (430, None, 1, 4096, 4096),
        ]
    );
    assert_eq!(written(&now)[0].bytes_per_s, (500 + 8192) / 2);
    assert_eq!(written(&now)[2].path, Known::unknown(NO_DIRECTORY));
    // Without the hook, who has one of its files open says what it is called.
    let rows = written(&Files { written: None, ..now });
    assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), [(430, None, 10, 500, 0)]);
    assert!((10..20).contains(&rows[0].of) && u64::from(rows[0].fd) == rows[0].of);
}

/// One that is rotated: what the new one has is not what the old one lost.
#[test]
fn what_was_truncated_is_not_growth() {
    let key = (7, 12);
    let sizes = [900_000, 0, 200_000, 100_000, 350_000];
    let walks: Vec<_> = sizes.iter().map(|&size| files(1, &[(key, size, &[by(1, 3, size)])]).unwrap()).collect();
    let grew = |walks: &[Rc<Files>]| of(&walks[0], &walks[1], &HashMap::new()).iter().map(|row| row.bytes).sum();
    let grew: Vec<u64> = walks.windows(2).map(grew).collect();
    let blocks = |size: u64| size.next_multiple_of(4096);
    assert_eq!(grew, [0, blocks(200_000), 0, blocks(350_000) - blocks(100_000)]);
}
