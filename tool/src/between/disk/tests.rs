use super::*;

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
    grown(&files(1, then).unwrap(), &files(3, now).unwrap(), &mounts)
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
        let rows = super::grown(&file(then), &file(now), &HashMap::new());
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
