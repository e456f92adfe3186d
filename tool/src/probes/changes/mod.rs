//! The `changes` probe; `docs/probes/changes.md` has the whole story. It has no hooks: what the kernel and the host's logs keep is compared with
//! what they had at the look before.

mod cgroups;
mod clock;
mod executables;
mod files;
mod follow;
mod journal;
mod libraries;
mod links;
mod logins;
mod packages;
mod states;
mod sysctls;
mod syslog;
mod watching;

use std::{fs::File, path::PathBuf, time::Duration};

use aya::Ebpf;

use self::{
    cgroups::Groups,
    clock::{Boot, Steps},
    executables::Executables,
    files::Folders,
    journal::Journal,
    libraries::Libraries,
    logins::Logins,
    packages::Packages,
    states::States,
    syslog::Syslog,
    watching::{Watched, Watching},
};
use super::{Counters, Probe, Read, Readable, Tick, With, journalctl};
use crate::{cli::plan, kernel::loader::LoadError, sample};

pub const PROBE: Probe = Probe { reads, ..Probe::without_hooks("changes", "CHANGES_") };

fn reads() -> Vec<Readable> {
    let any = |paths: &[&str]| match paths.iter().any(|path| File::open(path).is_ok()) {
        true => Ok(()),
        false => Err(format!("none of {} can be read", paths.join(", "))),
    };
    let journal = |_| journalctl::is_there().and_then(|()| journalctl::can_be_run());
    let (packages, logins) = (any(&packages::FILES), any(&[logins::WTMP]));
    vec![
        Readable { from: "packages", needed_for: "what was installed, upgraded, removed", can: packages },
        Readable {
            from: "syslog or journal",
            needed_for: "cron jobs, sudo, units that fail or are reloaded",
            can: any(&syslog::FILES).or_else(journal),
        },
        Readable { from: "wtmp", needed_for: "logins, boots before this one", can: logins },
    ]
}

/// From such an interval on, what a look finds would come too late with the next: a tick waits for it, as long as for anything else.
const LONG: Duration = Duration::from_secs(5);

/// It loses nothing: what there was no room for is said beside it.
#[cfg(test)]
pub fn causes() -> Vec<&'static str> {
    Vec::new()
}

pub struct Reader {
    since: Duration,
    /// When it was read last.
    read: Option<Duration>,
    watching: Vec<Watching>,
}

impl Read for Reader {
    type Plan = plan::Changes;
    type Part = sample::Changes;

    fn open(_: &mut Ebpf, plan: &plan::Changes, with: &With) -> Result<Self, LoadError> {
        Ok(Self { since: plan.since, read: None, watching: watching(&plan.watch, with.rest * RARER) })
    }

    fn read(&mut self, tick: &mut Tick) -> std::io::Result<(sample::Changes, Counters)> {
        let now = tick.now;
        let waits = self.read.replace(now.clock).is_some_and(|before| now.clock.saturating_sub(before) >= LONG);
        let mut sample = sample::Changes::default();
        for watching in &mut self.watching {
            sample.found.extend(watching.look(now, self.since, waits));
            sample.watched.push(watching.state(now));
        }
        Ok((sample, Counters::default()))
    }
}

/// A look at each of nine places comes so many times as rarely as a walk over all tasks.
const RARER: u32 = 4;

/// What was changed in a file is asked for first when something begins: a minute would be too late.
const FILES_REST: u32 = 4000;

/// What hangs together hides only itself: each has a thread of its own.
fn watching(folders: &[PathBuf], rest: u32) -> Vec<Watching> {
    let (second, seconds) = (Duration::from_secs(1), Duration::from_secs(5));
    let of = |area, least, watched: Vec<Box<dyn Watched>>| Watching::new(area, (least, rest), watched);
    vec![
        of(
            "kernel",
            second,
            vec![Box::new(Boot), Box::<Steps>::default(), Box::new(States::modules()), Box::new(States::sysctls())],
        ),
        of("mounts", second, vec![Box::new(States::mounts())]),
        of(
            "network",
            second,
            vec![Box::new(States::links()), Box::new(States::addresses()), Box::new(States::routes())],
        ),
        Watching::new("files", (second, FILES_REST.min(rest)), vec![Box::new(Folders::new(folders))]),
        of("cgroups", second, vec![Box::<Groups>::default()]),
        of("executables", second, vec![Box::<Executables>::default()]),
        of("libraries", seconds, vec![Box::<Libraries>::default()]),
        of("logs", second, vec![Box::<Packages>::default(), Box::<Logins>::default(), Box::<Syslog>::default()]),
        of("journal", seconds, vec![Box::<Journal>::default()]),
    ]
}
