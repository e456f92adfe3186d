//! Files below `/etc`, and below what was asked for.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::watching::{Found, Glance, Watched};
use crate::{
    kernel::stat::{Stat, stat},
    probes::mounts::{self, Mounted},
    sample::{Change, ChangeKind, Did},
    snapshot::disk::SERVED,
};

/// Of all folders together; what is beyond that is not looked at.
const MOST: usize = 16_384;
const DEPTH: usize = 16;
const SOURCE: &str = "statx";

pub struct Folders {
    folders: Vec<PathBuf>,
    known: Option<HashMap<PathBuf, Stat>>,
}

impl Folders {
    pub fn new(more: &[PathBuf]) -> Self {
        let etc = PathBuf::from("/etc");
        Self { folders: std::iter::once(&etc).chain(more).cloned().collect(), known: None }
    }
}

impl Watched for Folders {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        let mounted = mounted();
        let mut walk = Walk::default();
        let mut problems = Vec::new();
        for folder in &self.folders {
            if let Err(why) = walk.below(folder, &mounted) {
                problems.push(format!("{}: {why}", folder.display()));
            }
        }
        found.left_out += walk.left_out;
        found.why = Some(problems.join("; ")).filter(|why| !why.is_empty());
        match &self.known {
            None => found.changes.extend(walk.files.iter().filter_map(|(path, now)| recent(glance, path, now))),
            Some(before) => found.changes.extend(differences(glance, before, &walk.files)),
        }
        self.known = Some(walk.files);
    }
}

#[derive(Default)]
struct Walk {
    files: HashMap<PathBuf, Stat>,
    seen: usize,
    left_out: u64,
}

impl Walk {
    /// Links are not followed, and other file systems are not entered: they may not answer.
    fn below(&mut self, folder: &Path, mounted: &[Mounted]) -> Result<(), String> {
        if is_served(folder, mounted) {
            return Err(SERVED.into());
        }
        let missing = || io::Error::from_raw_os_error(libc::ENOENT).to_string();
        let root = stat(folder, true).ok_or_else(missing)?;
        let mut folders = vec![(folder.to_owned(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if depth == 0 => return Err(error.to_string()),
                // Not ours to read, or gone.
                Err(_) => continue,
            };
            for entry in entries.flatten() {
                self.seen += 1;
                if self.seen > MOST {
                    self.left_out += 1;
                    continue;
                }
                let path = entry.path();
                match stat(&path, false) {
                    Some(one) if one.is_folder() && one.dev == root.dev && depth < DEPTH => {
                        folders.push((path, depth + 1));
                    }
                    Some(one) if !one.is_folder() => _ = self.files.insert(path, one),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

pub fn mounted() -> Vec<Mounted> {
    let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
    mounts::each(&String::from_utf8_lossy(&text)).collect()
}

/// By what is mounted nearest above it.
pub fn is_served(folder: &Path, mounted: &[Mounted]) -> bool {
    let above = mounted.iter().filter(|one| folder.starts_with(&one.at));
    above.max_by_key(|one| one.at.len()).is_some_and(Mounted::has_server)
}

/// What its times say of one that is seen first.
fn recent(glance: &Glance, path: &Path, now: &Stat) -> Option<Change> {
    if now.changed < glance.since {
        return None;
    }
    let new = now.written >= glance.since || now.born.is_some_and(|born| born >= glance.since);
    let did = if new { Did::Written } else { Did::Changed };
    Some(Glance::kept(now.changed, ChangeKind::File, did, path.to_string_lossy(), SOURCE))
}

fn differences(glance: &Glance, before: &HashMap<PathBuf, Stat>, now: &HashMap<PathBuf, Stat>) -> Vec<Change> {
    let one = |path: &Path, did| glance.seen(ChangeKind::File, did, path.to_string_lossy(), SOURCE);
    let gone = before.keys().filter(|path| !now.contains_key(*path)).map(|path| one(path, Did::Removed));
    let differs = |(path, now): (&PathBuf, &Stat)| {
        let did = match before.get(path) {
            None => Did::Appeared,
            Some(before) if before.inode != now.inode => Did::Replaced,
            Some(before) if (before.written, before.size) != (now.written, now.size) => Did::Written,
            Some(before) if before.changed != now.changed => Did::Changed,
            Some(_) => return None,
        };
        Some(glance.at(Some(now.changed), one(path, did)))
    };
    gone.chain(now.iter().filter_map(differs)).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsStr,
        os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    };

    use super::{
        super::watching::tests::{glance, look},
        *,
    };
    use crate::sample::Moment;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("stillwatch-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        path
    }

    fn files(folder: &Path) -> Folders {
        Folders { folders: vec![folder.to_owned()], known: None }
    }

    fn told(changes: &[Change]) -> Vec<(Did, String)> {
        let name = |one: &Change| one.what.rsplit('/').next().unwrap().to_owned();
        let mut told: Vec<_> = changes.iter().map(|one| (one.did, name(one))).collect();
        told.sort();
        told
    }

    #[test]
    fn each_way_to_change_a_file_has_its_word() {
        let place = folder("changes");
        let deep = place.join("deep");
        fs::create_dir(&deep).unwrap();
        let hostile = deep.join(OsStr::from_bytes(b"a\n\x1b[2J\xff"));
        for path in
            [&place.join("written"), &place.join("replaced"), &place.join("mode"), &place.join("gone"), &hostile]
        {
            fs::write(path, "1").unwrap();
        }
        let mut files = files(&place);
        // Their times are long after that look's.
        assert_eq!(look(&mut files, 0).len(), 5);
        // The kernel's time of files is that of its last tick.
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(place.join("written"), "22").unwrap();
        fs::write(place.join("new"), "2").unwrap();
        fs::rename(place.join("new"), place.join("replaced")).unwrap();
        fs::set_permissions(place.join("mode"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::remove_file(place.join("gone")).unwrap();
        fs::write(&hostile, "3").unwrap();
        fs::write(place.join("appeared"), "").unwrap();
        let changes = look(&mut files, 1);
        let expected = [
            (Did::Removed, "gone"),
            (Did::Appeared, "appeared"),
            (Did::Written, "a\n\u{1b}[2J\u{fffd}"),
            (Did::Written, "written"),
            (Did::Replaced, "replaced"),
            (Did::Changed, "mode"),
        ];
        assert_eq!(told(&changes), expected.map(|(did, name)| (did, name.to_owned())));
        // All but the one that is gone have a time.
        assert!(changes.iter().all(|one| one.after.is_none() == (one.did != Did::Removed)));
        assert!(look(&mut files, 2).is_empty());
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_first_look_tells_what_is_recent() {
        let place = folder("recent");
        fs::write(place.join("new"), "").unwrap();
        let at = stat(&place.join("new"), false).unwrap().changed;
        let of = |since: i64| {
            let since = at.checked_add(jiff::SignedDuration::from_secs(since)).unwrap();
            let glance = Glance { now: Moment::default(), before: None, since };
            let mut found = Found::default();
            files(&place).look(&glance, &mut found);
            found.changes
        };
        assert_eq!((of(-1).len(), of(-1)[0].at, of(1).len()), (1, at, 0));
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_folder_has_its_bound_and_says_what_it_is_about() {
        let place = folder("many");
        (0..300).for_each(|at| fs::write(place.join(at.to_string()), "").unwrap());
        let mut walk = Walk { seen: MOST - 100, ..Walk::default() };
        walk.below(&place, &[]).unwrap();
        assert_eq!((walk.files.len(), walk.left_out), (100, 200));
        let mut found = Found::default();
        files(&place.join("none")).look(&glance(0), &mut found);
        assert!(found.why.unwrap().ends_with("none: No such file or directory (os error 2)"));
        let served = Mounted { at: place.to_string_lossy().into_owned(), kind: "fuse.x".into(), ..Mounted::default() };
        assert_eq!(walk.below(&place.join("below"), &[served]), Err(SERVED.to_owned()));
        fs::remove_dir_all(&place).unwrap();
    }
}
