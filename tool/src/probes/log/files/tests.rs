use std::{fs, io::Write};

use proptest::prelude::*;

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stillwatch-log-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn append(&self, name: &str, bytes: &[u8]) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(bytes).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Looks once, without waiting.
struct Looks {
    files: Files,
    inbox: Arc<Inbox>,
}

impl Looks {
    fn at(pattern: &Path) -> Self {
        let inbox = Arc::new(Inbox::default());
        let clock = Clock::new(crate::sample::Moment::default());
        let files = Files::new(&inbox, &[pattern.to_str().unwrap().to_owned()], TimeZone::UTC, clock);
        let mut looks = Self { files, inbox };
        looks.look();
        looks
    }

    /// Lines that came, and all that is known of each source.
    fn look(&mut self) -> Vec<String> {
        self.files.scan(&self.inbox.clone());
        let here = Here { zone: TimeZone::UTC, now: Timestamp::UNIX_EPOCH };
        for followed in &mut self.files.followed {
            followed.read(self.files.round, Duration::ZERO, &here);
        }
        self.files.round += 1;
        let sources = self.inbox.sources();
        sources.iter().flat_map(|source| source.pile().take(1).0).map(|line| line.text).collect()
    }

    fn why(&self) -> Vec<String> {
        self.inbox.sources().iter().filter_map(|source| source.pile().why.clone()).collect()
    }
}

#[test]
fn what_is_added_comes_once_and_whole() {
    let folder = Folder::new("added");
    folder.append("a.log", b"before\n");
    let mut looks = Looks::at(&folder.path("*.log"));
    assert!(looks.look().is_empty());
    folder.append("a.log", b"one\ntwo\nthr");
    assert_eq!(looks.look(), ["one", "two"]);
    folder.append("a.log", b"ee\n\xff\xfe\\\n\n");
    assert_eq!(looks.look(), ["three", r"\xff\xfe\x5c", ""]);
    // Another file by that name.
    folder.append("b.log", b"first\n");
    folder.append("c.txt", b"not asked for\n");
    assert_eq!(looks.look(), ["first"]);
}

#[test]
fn rotation_and_truncation_are_followed() {
    let folder = Folder::new("rotation");
    folder.append("a.log", b"before\n");
    // The pattern has the renamed one, too: it comes once.
    let mut looks = Looks::at(&folder.path("a.log*"));
    folder.append("a.log", b"1\n");
    fs::rename(folder.path("a.log"), folder.path("a.log.1")).unwrap();
    // Its program has not noticed yet.
    folder.append("a.log.1", b"2\n");
    assert_eq!(looks.look(), ["1", "2"]);
    folder.append("a.log", b"3\n");
    folder.append("a.log.1", b"4\n");
    assert_eq!(looks.look(), ["4", "3"]);
    fs::File::create(folder.path("a.log")).unwrap();
    assert!(looks.look().is_empty());
    folder.append("a.log", b"5\n");
    assert_eq!(looks.look(), ["5"]);
    assert_eq!(looks.inbox.sources().len(), 1);
}

#[test]
fn what_cannot_be_followed_says_why() {
    let folder = Folder::new("why");
    let mut looks = Looks::at(&folder.path("a.log"));
    assert_eq!(looks.why(), ["there is no such file"]);
    fs::create_dir(folder.path("a.log")).unwrap();
    looks.look();
    assert_eq!(looks.why(), ["it is no regular file"]);
    fs::remove_dir(folder.path("a.log")).unwrap();
    folder.append("a.log", b"x\n");
    assert_eq!((looks.look(), looks.why()), (vec!["x".to_owned()], vec![]));
}

#[test]
fn files_that_are_too_many_are_counted() {
    let folder = Folder::new("many");
    (0..MOST + 3).for_each(|number| folder.append(&format!("{number}.log"), b"x\n"));
    let mut looks = Looks::at(&folder.path("*.log"));
    assert_eq!((looks.look().len(), looks.why()), (0, vec!["3 of its files are too many to follow".to_owned()]));
}

#[test]
fn a_flood_is_counted_and_its_ends_are_kept() {
    let folder = Folder::new("flood");
    folder.append("a.log", b"");
    let mut looks = Looks::at(&folder.path("a.log"));
    let all: String = (0..50_021).map(|number| format!("line {number}\n")).collect();
    folder.append("a.log", all.as_bytes());
    let kept = looks.look();
    assert_eq!((&*kept[0], &*kept[kept.len() - 1]), ("line 0", "line 50020"));
    let counts = looks.inbox.sources()[0].pile().counts;
    assert_eq!((counts.lines, counts.left_out + kept.len() as u64, counts.skipped_bytes), (50_021, 50_021, 0));
    // More than anybody reads.
    let long = [vec![b'x'; 20 << 20], b"\nlast\n".to_vec()].concat();
    folder.append("a.log", &long);
    assert_eq!(looks.look().last().map(String::as_str), Some("last"));
    assert!(looks.inbox.sources()[0].pile().counts.skipped_bytes > 10 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a file grows: every line of it comes once, cut, with its length.
    #[test]
    fn all_lines_come(lines in prop::collection::vec(prop::collection::vec(any::<u8>().prop_filter("no end", |byte| *byte != b'\n'), 0..40), 1..20),
        long in 0_usize..3, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5)) {
        let folder = Folder::new("all");
        folder.append("a.log", b"");
        let mut looks = Looks::at(&folder.path("a.log"));
        let mut lines = lines;
        lines[0].extend(vec![b'y'; long * 5000]);
        let all: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len())).chain([0, all.len()]).collect();
        places.sort_unstable();
        let mut seen = Vec::new();
        for two in places.windows(2) {
            folder.append("a.log", &all[two[0]..two[1]]);
            seen.extend(looks.look());
        }
        let expected: Vec<String> = lines.iter().map(|line| crate::log_line::text(&line[..line.len().min(4096)]).0).collect();
        prop_assert_eq!(seen, expected);
    }
}
