//! Kills, from the moment when the kernel chooses a victim until its memory is free: the programs tell one part, the kernel's log
//! another, and both take their time.

use std::{fs, rc::Rc, time::Duration};

use stillwatch_common::{
    io::tgid_of,
    oom::{Kill, Progress, Step},
};

use super::lead_up::Recorder;
use crate::{
    oom_report::{Collector, Report},
    sample::OomKill,
};

/// A kill is told once its memory is free and the kernel's log has it, or after this time.
pub const PATIENCE: Duration = Duration::from_millis(300);
/// A victim that has not ended by then is not waited for any more.
const FORGOTTEN: Duration = Duration::from_secs(120);
/// The log's clock may be off the programs' by this much.
const CLOCKS_APART: Duration = Duration::from_secs(30);

/// More than a person reads.
const CMDLINE: usize = 4096;

struct Story {
    kill: OomKill,
    told: bool,
}

/// Those that are not over.
#[derive(Default)]
pub struct Stories(Vec<Story>);

impl Stories {
    pub fn begin(&mut self, kill: Kill, before: &mut Recorder) {
        let owner = kill.victim.owner;
        // It may still be there: it has been told to end, but has not got around to it.
        let now = if kill.have_task != 0 { cmdline(tgid_of(owner), CMDLINE) } else { None };
        let cmdline = now.or_else(|| before.cmdline(owner));
        let lead_up = before.before(kill.at_ns, owner);
        let kill = OomKill { kill, steps: [None; 3], cmdline, report: None, lead_up };
        self.0.push(Story { kill, told: false });
    }

    pub fn go_on(&mut self, progress: &Progress) {
        let its = |story: &&mut Story| {
            let kill = &story.kill.kill;
            let is = kill.victim.tid == progress.pid || tgid_of(kill.victim.owner) == progress.pid;
            is && kill.at_ns <= progress.at_ns
        };
        if let Some(story) = self.0.iter_mut().rev().find(its)
            && let Some(step) = story.kill.steps.get_mut(progress.step as usize)
        {
            step.get_or_insert(progress.at_ns);
        }
    }

    /// Those that can be told now, and those told earlier whose memory is free since.
    pub fn take(&mut self, now_ns: u64, all: bool, reports: Option<&Collector>) -> (Vec<OomKill>, Vec<OomKill>) {
        let (mut kills, mut freed) = (Vec::new(), Vec::new());
        self.0.retain_mut(|story| {
            let age = Duration::from_nanos(now_ns.saturating_sub(story.kill.kill.at_ns));
            let free = is_free(&story.kill);
            if story.told {
                if free {
                    freed.push(story.kill.clone());
                }
                return !free && age < FORGOTTEN;
            }
            if let Some(found) = reports.and_then(|reports| report(reports, &story.kill.kill)) {
                story.kill.report = Some(found);
            }
            let complete = free && (story.kill.report.is_some() || reports.is_none());
            story.told = complete || all || age >= PATIENCE;
            if story.told {
                kills.push(story.kill.clone());
            }
            !(story.told && free)
        });
        (kills, freed)
    }

    /// Some wait to be told.
    pub fn is_waiting(&self) -> bool {
        self.0.iter().any(|story| !story.told)
    }
}

fn is_free(kill: &OomKill) -> bool {
    let end = if kill.kill.tells_free != 0 { Step::Freed } else { Step::Exited };
    kill.steps[end as usize].is_some()
}

/// What the log has on a kill: the latest that names the victim.
fn report(reports: &Collector, kill: &Kill) -> Option<Rc<Report>> {
    let at = Duration::from_nanos(kill.at_ns);
    let names = |report: &&Report| {
        let killed = report.killed(tgid_of(kill.victim.owner)).or_else(|| report.killed(kill.victim.tid));
        killed.is_some_and(|killed| killed.at.abs_diff(at) < CLOCKS_APART)
    };
    reports.reports().rev().find(names).map(|report| Rc::new(report.clone()))
}

/// The first bytes of a process's command line.
pub fn cmdline(pid: u32, longest: usize) -> Option<String> {
    let mut bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    bytes.truncate(longest);
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    let words: Vec<_> = bytes.split(|&byte| byte == 0).map(String::from_utf8_lossy).collect();
    (!bytes.is_empty()).then(|| words.join(" "))
}
