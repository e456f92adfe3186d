mod killed;
mod limits;
mod waiting;

use std::{fs, path::PathBuf, sync::LazyLock};

use proptest::prelude::*;

use super::{
    any_bytes::{read, read_any},
    frame::Frames,
    words::{self, Words},
    *,
};
use crate::table::any::Dice;

/// Of tests/recorded: no host's names are in there.
const QUOTA: &str = include_str!("../../../tests/recorded/quota.jsonl");

pub fn head() -> Head {
    let disks = vec![DiskSize { name: "vda".into(), bytes: 10 << 30 }];
    Head {
        format: FORMAT,
        version: "0.1.0".into(),
        host: "here".into(),
        kernel: "6.12.0".into(),
        architecture: "x86_64".into(),
        boot_id: "one".into(),
        cpus: 2,
        memory_bytes: 1 << 30,
        disks,
        began: Timestamp::UNIX_EPOCH,
        interval: std::time::Duration::from_secs(1),
        flags: Vec::new(),
        missing: vec!["hook".into()],
    }
}

/// Some of each kind, over some minutes.
pub fn entries() -> Vec<Entry> {
    let snapshots: Vec<Snapshot> = QUOTA.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut at = snapshots[0].at;
    let mut entries = Vec::new();
    for number in 0..12 {
        at += jiff::SignedDuration::from_secs(17);
        let snapshot = Snapshot { at, ..snapshots[number % snapshots.len()].clone() };
        entries.push(Entry::Snapshot(Box::new(snapshot)));
        if number % 5 == 0 {
            entries.push(Entry::Mark(Mark { at, text: format!("deploy {number}") }));
        }
    }
    entries.push(Entry::Dropped(Gap { at, entries: 3, why: "no space".into() }));
    entries
}

pub fn written(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut segment = Segment::new(&mut bytes, head());
    for entry in entries {
        segment.write(&Payload::of(entry).unwrap().unwrap()).unwrap();
    }
    bytes
}

/// A folder that goes when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stillwatch-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What each format's first version wrote. A file that is there is never written anew: whoever changes what is read has to read it.
#[test]
fn all_formats_are_read_for_ever() {
    for format in 1..=FORMAT {
        let path = format!("{}/../tests/recorded/format-{format}.swr", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("STILLWATCH_WRITE_DOCS").is_some() && !fs::exists(&path).unwrap() {
            fs::write(&path, written(&entries())).unwrap();
        }
        assert!(read(&fs::read(&path).unwrap()) == (entries(), Skipped::default()), "{path}");
    }
}

#[test]
fn a_folder_is_read_in_order_of_time() {
    let folder = Folder::new("order");
    let all = entries();
    let half = all.len() / 2;
    for (name, part) in [("20260301T120200.000000Z.swr", &all[half..]), ("20260301T120000.000000Z.swr", &all[..half])] {
        fs::write(folder.0.join(name), written(part)).unwrap();
    }
    fs::write(folder.0.join("notes.txt"), "x").unwrap();
    let recording = open(&folder.0).unwrap();
    assert_eq!(recording.head(), &head());
    let first_and_last = (all[0].at().unwrap(), all[all.len() - 1].at().unwrap());
    assert_eq!(recording.span().unwrap(), Some(first_and_last));
    let mut read = recording.entries(..);
    assert_eq!(read.by_ref().collect::<Vec<_>>(), all);
    assert!(read.skipped().is_nothing());
    let from = all[half + 1].at().unwrap();
    assert!(recording.entries(from..).eq(all.iter().filter(|entry| entry.at().unwrap() >= from).cloned()));
}

#[test]
fn what_is_no_recording_is_said() {
    let folder = Folder::new("refused");
    let told = |name: &str, bytes: &[u8]| {
        let path = folder.0.join(name);
        fs::write(&path, bytes).unwrap();
        open(&path).err().unwrap().to_string().replace(&format!("{}/", folder.0.display()), "")
    };
    assert_eq!(told("a", b""), "a is empty: nothing was recorded");
    assert_eq!(told("b", b"GIF89a"), "b is no recording of stillwatch, or nothing of it can be read any more");
    let mut newer = Vec::new();
    let head = Head { format: FORMAT + 1, version: "9.0".into(), ..head() };
    Segment::new(&mut newer, head).write(&Payload::of(&entries()[0]).unwrap().unwrap()).unwrap();
    let right = "c was recorded by stillwatch 9.0, whose format 2 is newer than this one's: use that version";
    assert_eq!(told("c", &newer), right);
    assert!(open(&folder.0).err().unwrap().to_string().contains("has no recording"));
    let missing = open(&folder.0.join("d")).err().unwrap().to_string();
    assert!(missing.ends_with("d: No such file or directory (os error 2)"), "{missing}");
}

#[test]
fn what_is_written_is_read() {
    let all = entries();
    assert_eq!(read(&written(&all)), (all, Skipped::default()));
}

#[test]
fn a_segment_says_what_its_columns_are() {
    let all = entries();
    let mut bytes = Vec::new();
    let mut segment = Segment::described(&mut bytes, head(), Words::of_this_version().unwrap());
    all.iter().for_each(|entry| segment.write(&Payload::of(entry).unwrap().unwrap()).unwrap());
    let words = words::of(&bytes[..]).unwrap().unwrap();
    let ios = words.iter().find(|column| (&*column.table, &*column.column) == ("io.devices", "ios")).unwrap();
    assert_eq!((&*ios.kind, &*ios.unit), ("counter", "requests"));
    assert!(words.iter().any(|column| (&*column.table, &*column.column) == ("io.stalled", "who.pid")));
    assert_eq!(lacking(&words), Vec::<String>::new());
    let without = |table: &str| words.iter().filter(|column| column.table != table).cloned().collect::<Vec<_>>();
    assert_eq!(lacking(&without("cpu.running_mean")), ["cpu.running_mean.over_ns", "cpu.running_mean.ago_ns"]);
    assert_eq!(words::of(&written(&all)[..]).unwrap(), None, "of an earlier version");
    // Twelve segments an hour, of 11 MiB at the least (docs/decisions/0022-recordings.md): no more than a ninetieth.
    let length = bytes.len() - written(&all).len();
    assert!(length * 12 * 90 <= 11 << 20, "{length} bytes");
    assert_eq!(read(&bytes), (all, Skipped::default()));
}

/// The kind of each frame, and where it ends.
fn frames(bytes: &[u8]) -> Vec<(u8, usize)> {
    let (mut frames, mut at) = (Frames::new(bytes), 0);
    std::iter::from_fn(|| {
        let frame = frames.next().unwrap()?;
        at += 36 + frame.payload.len();
        Some((frame.header.kind, at))
    })
    .collect()
}

#[test]
fn a_torn_tail_costs_what_is_torn() {
    let all = entries();
    let bytes = written(&all);
    let frames = frames(&bytes);
    for length in 0..bytes.len() {
        let whole = frames.iter().filter(|(kind, end)| *kind != frame::HEAD && *end <= length).count();
        let torn = u64::from(length > 0 && frames.iter().all(|(_, end)| *end != length));
        let right = (all[..whole].to_vec(), Skipped { damaged: torn, ..Skipped::default() });
        assert!(read(&bytes[..length]) == right, "cut at {length}");
    }
}

/// Numbers that look random.
fn dice(seed: u64) -> impl FnMut(usize) -> usize {
    let mut numbers = Dice::new(seed);
    move |end| (numbers.any::<u64>() % end as u64) as usize
}

#[test]
fn what_is_flipped_costs_itself_and_what_needs_it() {
    let all = entries();
    let bytes = written(&all);
    let frames = frames(&bytes);
    let mut throw = dice(7);
    for number in 0..10_000 {
        let mut bytes = bytes.clone();
        let at = throw(bytes.len());
        bytes[at] ^= 1 << throw(8);
        let hit = frames.iter().position(|(_, end)| at < *end).unwrap();
        let entry = frames[..hit].iter().filter(|(kind, _)| *kind != frame::HEAD).count();
        // Of a key, all up to the next head.
        let lost = match frames[hit].0 {
            frame::HEAD => 0,
            frame::KEY => frames[hit..].iter().take_while(|(kind, _)| *kind != frame::HEAD).count(),
            _ => 1,
        };
        let right = [&all[..entry], &all[entry + lost..]].concat();
        let (left, skipped) = read(&bytes);
        assert!(left == right, "{number}: byte {at} of frame {hit}: {} instead of {}", left.len(), right.len());
        assert_eq!((skipped.damaged, skipped.without_key), (1, lost.saturating_sub(1) as u64), "{number}");
    }
}

#[test]
fn garbage_in_the_middle_is_skipped() {
    let all = entries();
    let bytes = written(&all);
    let mut throw = dice(8);
    for number in 0..1000 {
        let mut garbled = bytes.clone();
        let (at, length) = (throw(bytes.len()), throw(3000));
        let garbage: Vec<u8> = (0..length).map(|_| throw(256) as u8).collect();
        let end = (at + throw(3000)).min(bytes.len());
        garbled.splice(at..end, garbage);
        let (left, _) = read(&garbled);
        let mut rest = all.iter();
        assert!(left.iter().all(|entry| rest.any(|it| it == entry)), "{number}: what was not written, or not in order");
        // What follows two keys further on is untouched.
        let keys: Vec<usize> =
            frames(&bytes[end..]).iter().filter(|(kind, _)| *kind == frame::KEY).map(|it| it.1).collect();
        assert!(keys.is_empty() || left.ends_with(&all[all.len() - 1..]), "{number}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let (entries, skipped) = read(&bytes);
        prop_assert!(entries.is_empty());
        prop_assert_eq!(skipped.damaged, u64::from(!bytes.is_empty()));
        read_any(&bytes);
    }

    /// Near to what is an entry: one that is written, with some of its bytes changed.
    #[test]
    fn entries_of_any_bytes_are_read_without_harm(number in 0..14usize, changed in prop::collection::vec(any::<(u16, u8)>(), 1..9)) {
        static WRITTEN: LazyLock<Vec<Vec<u8>>> =
            LazyLock::new(|| entries().iter().map(|entry| encode(entry).unwrap()).collect());
        let mut bytes = WRITTEN[number].clone();
        for (at, byte) in changed {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        read_any(&bytes);
    }
}
