//! The journal of systemd, as `journalctl` reads it: a child that runs when nobody else wants to, and ends with us.

mod export;

use std::{
    io::{BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use self::export::Fields;
use super::source::{Clock, Inbox, Source, arrived};
use crate::{
    kernel::cost,
    log_line::{Severity, Templates, TimeOf},
    probes::journalctl,
    sample::{LineAt, Said},
};

pub const NAME: &str = "journal";
/// Entries that are read at a time, and the pause after that: meanwhile its pipe is full, and it waits.
const BATCH: u64 = 250;
const PAUSE: Duration = Duration::from_millis(50);
/// Entries from before the run: what is like them is not new.
const LOOKED_BACK: u32 = 500;
/// Before it is begun again.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// Or why there is none.
pub fn is_there(dir: Option<&Path>) -> Result<(), String> {
    if dir.is_some() { Ok(()) } else { journalctl::is_there() }
}

/// `since`: what was written so long before is shown, too.
pub fn follow(inbox: &Arc<Inbox>, dir: Option<PathBuf>, since: Duration, clock: Clock) -> impl FnOnce() + Send + use<> {
    let source = Arc::downgrade(&inbox.add(NAME));
    let mut follower = Follower { source, clock, templates: Templates::default() };
    move || {
        let (mut since, mut pause) = (Some(since), SHORTEST);
        while let Some(came) = follower.run(dir.as_deref(), since) {
            // What it has told is not told again.
            since = None;
            pause = if came > 0 { SHORTEST } else { (pause * 2).min(LONGEST) };
            thread::sleep(pause);
        }
    }
}

struct Follower {
    source: Weak<Source>,
    clock: Clock,
    templates: Templates,
}

impl Follower {
    /// How many entries came; none: nobody asks for them any more. `since`: what was before the run is looked at, too.
    fn run(&mut self, dir: Option<&Path>, since: Option<Duration>) -> Option<u64> {
        let mut child = match command(dir, since).spawn() {
            Ok(child) => child,
            Err(error) => {
                self.source.upgrade()?.pile().why = Some(journalctl::cannot_be_run(&error));
                return Some(0);
            }
        };
        cost::count_child(child.id());
        let came = self.read(&mut child, since);
        cost::count_child(0);
        let _ = child.kill();
        let mut said = String::new();
        let _ = child.stderr.take().map(|pipe| pipe.take(512).read_to_string(&mut said));
        let status = child.wait();
        let said = said.lines().next().unwrap_or("nothing").to_owned();
        let ended = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        self.source.upgrade()?.pile().why = Some(format!("journalctl ended ({ended}) and said: {said}"));
        came
    }

    /// Until it ends.
    fn read(&mut self, child: &mut Child, since: Option<Duration>) -> Option<u64> {
        let told_from = since.map(|since| self.clock.begin() - since);
        let mut entries = BufReader::with_capacity(64 << 10, child.stdout.take()?);
        let mut came = 0;
        loop {
            let read = export::entry(&mut entries);
            let source = self.source.upgrade()?;
            let Ok(Some(fields)) = read else { return Some(came) };
            // What was before is not new.
            let is_told = fields.at.is_none_or(|at| told_from.is_none_or(|from| at >= from));
            let line = self.line(fields);
            if !is_told {
                continue;
            }
            let mut pile = source.pile();
            pile.why = None;
            pile.add(line);
            drop(pile);
            came += 1;
            if came.is_multiple_of(BATCH) {
                thread::sleep(PAUSE);
            }
        }
    }

    fn line(&mut self, fields: Fields) -> Said {
        let now = self.clock.now();
        let line = arrived(NAME, &fields.message, fields.length, now);
        let time_of = if fields.at.is_some() { TimeOf::Line } else { TimeOf::Arrival };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said {
            at: fields.at.map_or(line.at, LineAt::Wall),
            time_of,
            severity: fields.priority.map(Severity::of),
            unit: fields.unit.map(text),
            ident: fields.ident.map(text),
            pid: fields.pid,
            comm: fields.comm.map(text),
            cgroup: fields.cgroup.map(text),
            new: Some(self.templates.is_new(&line.text, now)),
            ..line
        }
    }
}

fn command(dir: Option<&Path>, since: Option<Duration>) -> Command {
    let mut command = journalctl::command();
    command.args(["--follow", "--output=export", "--all"]);
    command.arg(format!("--output-fields={}", export::FIELDS.join(",")));
    match since {
        None => command.arg("--lines=0"),
        Some(Duration::ZERO) => command.arg(format!("--lines={LOOKED_BACK}")),
        Some(since) => command.arg(format!("--since=-{}s", since.as_secs())).arg("--no-tail"),
    };
    match dir {
        Some(dir) => command.arg("--directory").arg(dir),
        // What the kernel says is read where it says it.
        None => {
            command.args(["journal", "syslog", "stdout", "audit", "driver"].map(|from| format!("_TRANSPORT={from}")))
        }
    };
    command
}
