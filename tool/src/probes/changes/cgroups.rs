//! Units, containers and other cgroups that begin and end.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::watching::{Found, Glance, Watched};
use crate::{
    kernel::{
        features::{Cgroups, Hierarchy},
        processes::started,
        stat::stat,
    },
    sample::{Change, ChangeKind, Did},
};

const MOST: usize = 8192;
const DEPTH: usize = 16;
/// Processes of a cgroup that are asked for when they started.
const ASKED: usize = 64;
/// Digits in a row that make a name that of a container.
const ID: usize = 64;
const SOURCE: &str = "cgroup";

/// By path, each with the number of its inode: one that is made again has another.
type Inodes = BTreeMap<String, u64>;

#[derive(Default)]
pub struct Groups {
    /// That which names processes. `None` within: there is none.
    hierarchy: Option<Option<Hierarchy>>,
    known: Option<Inodes>,
}

impl Watched for Groups {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        let hierarchy = self.hierarchy.get_or_insert_with(|| Cgroups::read().naming().cloned());
        let Some(hierarchy) = hierarchy.as_ref() else {
            found.why = Some("no cgroups are mounted".to_owned());
            return;
        };
        let (now, left_out) = walk(&hierarchy.mount);
        found.left_out += left_out;
        let named = |path: &str| format!("{}{path}", hierarchy.root.trim_end_matches('/'));
        let begun = |path: &str| oldest(&hierarchy.mount.join(path.trim_start_matches('/')), glance);
        let Some(before) = self.known.replace(now.clone()) else {
            // Of what was here before us, the time is that of the oldest process in it.
            let recent = |path: &String| {
                let kind = kind(path).filter(|kind| *kind != ChangeKind::Cgroup)?;
                let at = begun(path).filter(|at| *at >= glance.since)?;
                Some(Change { at, after: None, ..change(glance, kind, Did::Began, named(path)) })
            };
            return found.changes.extend(now.keys().filter_map(recent));
        };
        for (path, inode) in &now {
            let did = match before.get(path) {
                None => Did::Began,
                Some(before) if before != inode => Did::Restarted,
                Some(_) => continue,
            };
            if let Some(kind) = kind(path) {
                found.changes.push(glance.at(begun(path), change(glance, kind, did, named(path))));
            }
        }
        let ended = before.keys().filter(|path| !now.contains_key(*path));
        let ended = ended.filter_map(|path| Some(change(glance, kind(path)?, Did::Ended, named(path))));
        found.changes.extend(ended);
    }
}

fn change(glance: &Glance, kind: ChangeKind, did: Did, path: String) -> Change {
    let what = if kind == ChangeKind::Cgroup { path.as_str() } else { path.rsplit('/').next().unwrap_or(&path) };
    Change { cgroup: Some(path.clone()), ..glance.seen(kind, did, what, SOURCE) }
}

/// All below a mount, and how many more there are. What has no other below it is not opened.
fn walk(mount: &Path) -> (Inodes, u64) {
    let (mut known, mut left_out) = (Inodes::new(), 0);
    let mut folders: Vec<(PathBuf, String, usize)> = vec![(mount.to_owned(), String::new(), 0)];
    while let Some((folder, path, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if known.len() >= MOST {
                left_out += 1;
                continue;
            }
            let below = format!("{path}/{}", entry.file_name().to_string_lossy());
            let Some(found) = stat(&entry.path(), false) else { continue };
            known.insert(below.clone(), found.inode);
            if found.links > 2 && depth < DEPTH {
                folders.push((entry.path(), below, depth + 1));
            }
        }
    }
    (known, left_out)
}

/// When its oldest process started.
fn oldest(folder: &Path, glance: &Glance) -> Option<Timestamp> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).ok()?;
    let first = text.lines().take(ASKED).filter_map(|pid| started(pid.parse().ok()?)).min()?;
    Some(glance.since_boot(first))
}

/// By the names that systemd, container engines and kubelets give. A slice only holds others.
fn kind(path: &str) -> Option<ChangeKind> {
    let mut steps = path.rsplit('/');
    let (name, above) = (steps.next()?, steps.next().unwrap_or_default());
    let digits = name.split(|char: char| !char.is_ascii_hexdigit()).map(str::len).max();
    if digits >= Some(ID) || name.starts_with("lxc.payload") || ["machine.slice", "lxc"].contains(&above) {
        return Some(ChangeKind::Container);
    }
    match name.rsplit_once('.').map(|(_, kind)| kind) {
        Some("slice") => None,
        Some("service" | "scope" | "mount" | "swap" | "socket") => Some(ChangeKind::Unit),
        _ => Some(ChangeKind::Cgroup),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::watching::tests::{glance, look},
        *,
    };

    /// A folder is as good as a cgroup.
    fn groups(mount: &Path) -> Groups {
        let hierarchy = Hierarchy { controllers: String::new(), mount: mount.to_owned(), root: "/".into() };
        Groups { hierarchy: Some(Some(hierarchy)), known: None }
    }

    #[test]
    fn what_begins_and_ends_is_told() {
        let place = std::env::temp_dir().join(format!("stillwatch-groups-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        let (service, other) = (place.join("system.slice/db.service"), place.join("work"));
        fs::create_dir_all(&service).unwrap();
        let mut groups = groups(&place);
        assert!(look(&mut groups, 0).is_empty());
        // As systemd restarts it, with a number of its own.
        fs::create_dir(&other).unwrap();
        fs::rename(&service, place.join("old")).unwrap();
        fs::create_dir(&service).unwrap();
        let me = std::process::id();
        fs::write(service.join("cgroup.procs"), format!("{me}\n4294967295\n")).unwrap();
        let mut later = glance(1);
        // A process that started when the look before was made.
        let now = started(me).unwrap();
        later.now.clock = now;
        let mut found = Found::default();
        groups.look(&later, &mut found);
        let told: Vec<_> =
            found.changes.iter().map(|it| (it.kind, it.did, it.what.as_str(), it.after.is_some())).collect();
        let expected = [
            (ChangeKind::Cgroup, Did::Began, "/old", true),
            (ChangeKind::Unit, Did::Restarted, "db.service", false),
            (ChangeKind::Cgroup, Did::Began, "/work", true),
        ];
        assert_eq!(told, expected);
        assert_eq!(
            (found.changes[1].at, found.changes[1].cgroup.as_deref()),
            (later.now.wall, Some("/system.slice/db.service"))
        );
        fs::remove_dir(&other).unwrap();
        let [ended] = &look(&mut groups, 2)[..] else { panic!("not one") };
        assert_eq!((ended.did, ended.what.as_str()), (Did::Ended, "/work"));
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn names_say_what_a_cgroup_is() {
        let id = "0123456789abcdef".repeat(4);
        for (path, expected) in [
            ("/system.slice".to_owned(), None),
            ("/system.slice/nginx.service".into(), Some(ChangeKind::Unit)),
            ("/user.slice/user-0.slice/session-3.scope".into(), Some(ChangeKind::Unit)),
            (format!("/system.slice/docker-{id}.scope"), Some(ChangeKind::Container)),
            (format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"), Some(ChangeKind::Container)),
            (format!("/docker/{id}"), Some(ChangeKind::Container)),
            ("/lxc.payload.web".into(), Some(ChangeKind::Container)),
            ("/machine.slice/web".into(), Some(ChangeKind::Container)),
            ("/system.slice/run-r0123456789abcdef0123456789abcdef.scope".into(), Some(ChangeKind::Unit)),
            ("/bench".into(), Some(ChangeKind::Cgroup)),
        ] {
            assert_eq!(kind(&path), expected, "{path}");
        }
    }
}
