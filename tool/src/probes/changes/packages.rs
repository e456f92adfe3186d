//! Packages, as the logs of dpkg, of rpm's front ends and of pacman have them.

use std::collections::VecDeque;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{
    follow::LogFile,
    watching::{Found, Glance, Watched},
};
use crate::sample::{Change, ChangeKind, Did};

const DPKG: &str = "/var/log/dpkg.log";
const APT: &str = "/var/log/apt/history.log";
const DNF: &str = "/var/log/dnf.rpm.log";
const PACMAN: &str = "/var/log/pacman.log";
pub const FILES: [&str; 4] = [DPKG, APT, DNF, PACMAN];
/// Commands that are remembered, to say of a package who changed it.
const COMMANDS: usize = 256;

pub struct Packages {
    dpkg: LogFile,
    apt: LogFile,
    dnf: LogFile,
    pacman: LogFile,
    commands: VecDeque<Command>,
}

/// What was asked of a package manager, and from when to when it ran.
#[derive(Clone, Debug, Default, PartialEq)]
struct Command {
    from: Timestamp,
    /// `None`: it has not ended.
    to: Option<Timestamp>,
    words: String,
}

impl Default for Packages {
    fn default() -> Self {
        let [dpkg, apt, dnf, pacman] = FILES.map(LogFile::new);
        Self { dpkg, apt, dnf, pacman, commands: VecDeque::new() }
    }
}

impl Watched for Packages {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        let zone = TimeZone::system();
        self.apt.lines(glance.since).iter().for_each(|line| history(&mut self.commands, line, &zone));
        let lines = self.dpkg.lines(glance.since);
        found.changes.extend(lines.iter().filter_map(|line| dpkg(line, &zone)).map(|one| self.with_author(one)));
        found.changes.extend(self.dnf.lines(glance.since).iter().filter_map(|line| dnf(line)));
        for line in self.pacman.lines(glance.since) {
            match running(&line) {
                Some(command) => keep(&mut self.commands, command),
                None => found.changes.extend(pacman(&line).map(|one| self.with_author(one))),
            }
        }
    }
}

impl Packages {
    /// Who asked for it: the command that ran then.
    fn with_author(&self, change: Change) -> Change {
        let ran = |command: &&Command| command.from <= change.at && command.to.is_none_or(|to| change.at <= to);
        let author = self.commands.iter().rev().find(ran).map(|command| command.words.clone());
        Change { author, ..change }
    }
}

fn keep(commands: &mut VecDeque<Command>, command: Command) {
    commands.push_back(command);
    let many = commands.len().saturating_sub(COMMANDS);
    commands.drain(..many);
}

fn package(at: Timestamp, did: Did, name: &str, versions: [Option<&str>; 2], source: &'static str) -> Change {
    let [from, to] = versions.map(|version| version.filter(|version| *version != "<none>").map(str::to_owned));
    Change { from, to, ..Glance::kept(at, ChangeKind::Package, did, name, source) }
}

/// Local time, as most logs have it.
fn local(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let at: DateTime = words.join("T").parse().ok()?;
    Some(at.to_zoned(zone.clone()).ok()?.timestamp())
}

/// `2026-11-27 06:00:47 upgrade libc-bin:amd64 2.36-9 2.36-10`; its other lines are steps of that.
fn dpkg(line: &str, zone: &TimeZone) -> Option<Change> {
    let words: Vec<&str> = line.split(' ').collect();
    let [day, time, did, name, from, to] = words[..] else { return None };
    let at = local(&format!("{day} {time}"), zone)?;
    let did = match did {
        "install" if from == "<none>" => Did::Installed,
        "install" | "upgrade" if from == to => Did::Replaced,
        "install" | "upgrade" => Did::Upgraded,
        "remove" | "purge" => Did::Removed,
        _ => return None,
    };
    let to = if did == Did::Removed { None } else { Some(to) };
    Some(package(at, did, name, [Some(from), to], DPKG))
}

/// A block of apt's history: `Start-Date: …`, `Commandline: …`, `Requested-By: …`, `End-Date: …`.
fn history(commands: &mut VecDeque<Command>, line: &str, zone: &TimeZone) {
    let Some((key, value)) = line.split_once(": ") else { return };
    if key == "Start-Date" {
        if let Some(from) = local(value, zone) {
            keep(commands, Command { from, ..Command::default() });
        }
        return;
    }
    let Some(command) = commands.back_mut().filter(|command| command.to.is_none()) else { return };
    match key {
        "Commandline" => command.words = value.to_owned(),
        "Requested-By" => command.words = format!("{value}: {}", command.words),
        "End-Date" => command.to = local(value, zone),
        _ => {}
    }
}

/// `2026-11-27T06:00:47+0100 SUBDEBUG Upgrade: bash-5.2.26-3.fc40.x86_64`; `Upgraded` is the version that was before.
fn dnf(line: &str) -> Option<Change> {
    let (at, rest) = line.split_once(' ')?;
    let at = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", at).ok()?;
    let (did, whole) = rest.strip_prefix("SUBDEBUG ")?.split_once(": ")?;
    let mut parts = whole.trim().rsplitn(3, '-');
    let (release, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    let version = format!("{version}-{release}");
    let (did, from, to) = match did {
        "Installed" => (Did::Installed, None, Some(&*version)),
        "Upgrade" => (Did::Upgraded, None, Some(&*version)),
        "Downgrade" => (Did::Downgraded, None, Some(&*version)),
        "Reinstall" => (Did::Replaced, None, Some(&*version)),
        "Erase" => (Did::Removed, Some(&*version), None),
        _ => return None,
    };
    Some(package(at, did, name, [from, to], DNF))
}

/// `[2026-11-27T06:00:47+0100] [ALPM] upgraded bash (5.2.26-1 -> 5.2.26-2)`
fn pacman(line: &str) -> Option<Change> {
    let (at, rest) = stamped(line)?;
    let (did, rest) = rest.strip_prefix("[ALPM] ")?.split_once(' ')?;
    let (name, versions) = rest.trim_end().strip_suffix(')')?.split_once(" (")?;
    let (did, versions) = match (did, versions.split_once(" -> ")) {
        ("installed", None) => (Did::Installed, [None, Some(versions)]),
        ("reinstalled", None) => (Did::Replaced, [None, Some(versions)]),
        ("removed", None) => (Did::Removed, [Some(versions), None]),
        ("upgraded", Some((from, to))) => (Did::Upgraded, [Some(from), Some(to)]),
        ("downgraded", Some((from, to))) => (Did::Downgraded, [Some(from), Some(to)]),
        _ => return None,
    };
    Some(package(at, did, name, versions, PACMAN))
}

/// `[2026-11-27T06:00:40+0100] [PACMAN] Running 'pacman -Syu'`
fn running(line: &str) -> Option<Command> {
    let (from, rest) = stamped(line)?;
    let words = rest.strip_prefix("[PACMAN] Running '")?.trim_end().strip_suffix('\'')?;
    Some(Command { from, to: None, words: words.to_owned() })
}

fn stamped(line: &str) -> Option<(Timestamp, &str)> {
    let (at, rest) = line.strip_prefix('[')?.split_once("] ")?;
    Some((Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", at).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told<'a> = (Did, &'a str, Option<&'a str>, Option<&'a str>);

    fn told(change: &Change) -> Told<'_> {
        (change.did, &change.what, change.from.as_deref(), change.to.as_deref())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn dpkg_says_what_it_does_to_each_package() {
        let log = "\
2026-11-27 06:00:43 startup archives unpack
2026-11-27 06:00:43 install redis-server:amd64 <none> 5:7.0.15-1~deb12u10
2026-11-27 06:00:44 status half-installed redis-server:amd64 5:7.0.15-1~deb12u10
2026-11-27 06:00:45 upgrade libc-bin:amd64 2.36-9 2.36-9+deb12u14
2026-11-27 06:00:45 upgrade file:amd64 1:5.44-3 1:5.44-3
2026-11-27 06:00:46 configure redis-server:amd64 5:7.0.15-1~deb12u10 <none>
2026-11-27 06:00:47 remove nginx:amd64 1.22.1-9 <none>
2026-11-27 06:00:48 purge nginx:amd64 1.22.1-9 <none>
a line that is none
";
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let changes: Vec<Change> = log.lines().filter_map(|line| dpkg(line, &zone)).collect();
        let expected: [Told; 5] = [
            (Did::Installed, "redis-server:amd64", None, Some("5:7.0.15-1~deb12u10")),
            (Did::Upgraded, "libc-bin:amd64", Some("2.36-9"), Some("2.36-9+deb12u14")),
            (Did::Replaced, "file:amd64", Some("1:5.44-3"), Some("1:5.44-3")),
            (Did::Removed, "nginx:amd64", Some("1.22.1-9"), None),
            (Did::Removed, "nginx:amd64", Some("1.22.1-9"), None),
        ];
        assert_eq!(changes.iter().map(told).collect::<Vec<_>>(), expected);
        assert_eq!((changes[0].at, changes[0].after), (at("2026-11-27T04:00:43Z"), None));
    }

    #[test]
    fn apt_says_who_asked() {
        let log = "\n\
Start-Date: 2026-11-27  06:00:43
Commandline: apt-get install redis-server
Requested-By: alice (1000)
Install: redis-server:amd64 (5:7.0.15-1~deb12u10), liblzf1:amd64 (3.6-3, automatic)
End-Date: 2026-11-27  06:00:47

Start-Date: 2026-11-27  07:00:00
Commandline: unattended-upgrade
";
        let mut packages = Packages::default();
        log.lines().for_each(|line| history(&mut packages.commands, line, &TimeZone::UTC));
        let author = |second: &str| {
            let line = format!("2026-11-27 {second} upgrade a:amd64 1 2");
            packages.with_author(dpkg(&line, &TimeZone::UTC).unwrap()).author
        };
        assert_eq!(author("06:00:42"), None);
        assert_eq!(author("06:00:47").as_deref(), Some("alice (1000): apt-get install redis-server"));
        assert_eq!((author("06:00:48"), author("07:00:01").as_deref()), (None, Some("unattended-upgrade")));
        (0..1000).for_each(|_| history(&mut packages.commands, "Start-Date: 2026-11-27  07:00:00", &TimeZone::UTC));
        assert_eq!(packages.commands.len(), COMMANDS);
    }

    /// What dnf 4.14 and pacman 6.0 wrote when a package was installed, upgraded, downgraded, installed again and removed.
    #[test]
    fn dnf_and_pacman() {
        const RPM: &str = "\
2026-11-27T14:02:36+0000 INFO --- logging initialized ---
2026-11-27T14:02:36+0000 SUBDEBUG Installed: stw-hello-1.0-1.noarch
2026-11-27T14:02:36+0000 SUBDEBUG Upgrade: stw-hello-3.0-1.noarch
2026-11-27T14:02:36+0000 SUBDEBUG Upgraded: stw-hello-1.0-1.noarch
2026-11-27T14:02:36+0000 SUBDEBUG Downgrade: stw-hello-2.0-1.noarch
2026-11-27T14:02:36+0000 SUBDEBUG Downgraded: stw-hello-3.0-1.noarch
2026-11-27T14:02:37+0000 SUBDEBUG Reinstall: stw-hello-2.0-1.noarch
2026-11-27T14:02:37+0000 SUBDEBUG Reinstalled: stw-hello-2.0-1.noarch
2026-11-27T14:02:37+0000 SUBDEBUG Erase: stw-hello-2.0-1.noarch";
        let changes: Vec<Change> = RPM.lines().filter_map(dnf).collect();
        assert!(changes.iter().all(|change| change.what == "stw-hello"), "{changes:?}");
        assert_eq!(
            changes.iter().map(told).map(|(did, _, from, to)| (did, from, to)).collect::<Vec<_>>(),
            [
                (Did::Installed, None, Some("1.0-1.noarch")),
                (Did::Upgraded, None, Some("3.0-1.noarch")),
                (Did::Downgraded, None, Some("2.0-1.noarch")),
                (Did::Replaced, None, Some("2.0-1.noarch")),
                (Did::Removed, Some("2.0-1.noarch"), None),
            ]
        );
        assert_eq!(changes[0].at, at("2026-11-27T14:02:36Z"));
        const ALPM: &str = "\
[2026-11-27T15:02:37+0100] [PACMAN] Running 'pacman --noconfirm -U stwp-1.0-1-any.pkg.tar.gz'
[2026-11-27T15:02:37+0100] [ALPM] transaction started
[2026-11-27T15:02:37+0100] [ALPM] installed stwp (1.0-1)
[2026-11-27T15:02:37+0100] [ALPM] transaction completed
[2026-11-27T15:02:37+0100] [ALPM] upgraded stwp (1.0-1 -> 2.0-1)
[2026-11-27T15:02:37+0100] [ALPM] downgraded stwp (2.0-1 -> 1.0-1)
[2026-11-27T15:02:37+0100] [ALPM] reinstalled stwp (1.0-1)
[2026-11-27T15:02:37+0100] [ALPM] removed stwp (1.0-1)";
        let changes: Vec<Change> = ALPM.lines().filter_map(pacman).collect();
        assert_eq!(
            changes.iter().map(told).collect::<Vec<_>>(),
            [
                (Did::Installed, "stwp", None, Some("1.0-1")),
                (Did::Upgraded, "stwp", Some("1.0-1"), Some("2.0-1")),
                (Did::Downgraded, "stwp", Some("2.0-1"), Some("1.0-1")),
                (Did::Replaced, "stwp", None, Some("1.0-1")),
                (Did::Removed, "stwp", Some("1.0-1"), None),
            ]
        );
        let command = running(ALPM.lines().next().unwrap()).unwrap();
        let words = "pacman --noconfirm -U stwp-1.0-1-any.pkg.tar.gz";
        assert_eq!((command.words.as_str(), command.from), (words, at("2026-11-27T14:02:37Z")));
    }
}
