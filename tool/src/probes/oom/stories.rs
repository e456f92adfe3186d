//! Kills, from the moment when the kernel chooses a victim until its memory is free: the programs tell one part, the kernel's log
//! another, and both take their time.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use stillwatch_common::{
    io::tgid_of,
    oom::{Kill, Progress, Step},
};

use super::lead_up::Recorder;
use crate::{
    oom_report::{Collector, Killed, Report},
    sample::OomKill,
};

/// A kill is told once its memory is free and the kernel's log has it, or after this time.
pub const PATIENCE: Duration = Duration::from_millis(300);
/// A victim that has not ended by then is not waited for any more.
const FORGOTTEN: Duration = Duration::from_secs(120);
/// What the log says of a kill that the programs saw comes at once. A line that stays alone for so long is of one that they did
/// not see, which is a loss: what is told is what they saw.
const ALONE: Duration = Duration::from_secs(1);
/// Once it is known how far the log's clock is off the programs', it does not change by more in a run.
const DRIFT_NS: u64 = 10_000_000_000;

struct Story {
    kill: OomKill,
    told: bool,
}

/// Those that are not over.
#[derive(Default)]
pub struct Stories {
    stories: Vec<Story>,
    /// Lines of the log that say who was killed, by number: when we saw them, and whether a kill belongs to them.
    lines: BTreeMap<u64, (u64, bool)>,
    /// By how much the log's clock is ahead of the programs': they part by seconds in a month.
    ahead_ns: Option<i64>,
    /// Kills that only the log knows.
    pub missed: u64,
}

impl Stories {
    pub fn begin(&mut self, kill: Kill, before: &Recorder) {
        let owner = kill.victim.owner;
        // Not from `/proc`, although the process may still be there: whoever reads that holds on to the victim's memory, and has to
        // free it himself if he is the last. That takes seconds, in which nobody gets any.
        let cmdline = before.cmdline(owner);
        let lead_up = before.before(kill.at_ns, owner);
        let kill = OomKill { kill, steps: [None; 3], cmdline, report: None, lead_up };
        self.stories.push(Story { kill, told: false });
    }

    pub fn go_on(&mut self, progress: &Progress) {
        let its = |story: &&mut Story| {
            let kill = &story.kill.kill;
            let is = kill.victim.tid == progress.pid || tgid_of(kill.victim.owner) == progress.pid;
            is && kill.at_ns <= progress.at_ns
        };
        if let Some(story) = self.stories.iter_mut().rev().find(its)
            && let Some(step) = story.kill.steps.get_mut(progress.step as usize)
        {
            step.get_or_insert(progress.at_ns);
        }
    }

    /// Those that can be told now, and those told earlier whose memory is free since.
    pub fn take(&mut self, now_ns: u64, all: bool, reports: Option<&Collector>) -> (Vec<OomKill>, Vec<OomKill>) {
        let (mut kills, mut freed) = (Vec::new(), Vec::new());
        let mut stories = std::mem::take(&mut self.stories);
        stories.retain_mut(|story| {
            let age = Duration::from_nanos(now_ns.saturating_sub(story.kill.kill.at_ns));
            let free = is_free(&story.kill);
            if story.told {
                if free {
                    freed.push(story.kill.clone());
                }
                return !free && age < FORGOTTEN;
            }
            if let Some(found) = reports.and_then(|reports| self.report(reports, &story.kill.kill, now_ns)) {
                story.kill.report = Some(found);
            }
            let complete = free && (story.kill.report.is_some() || reports.is_none());
            story.told = complete || all || age >= PATIENCE;
            if story.told {
                kills.push(story.kill.clone());
            }
            !(story.told && free)
        });
        self.stories = stories;
        (kills, freed)
    }

    /// What the log has on a kill: the latest that names the victim.
    fn report(&mut self, reports: &Collector, kill: &Kill, now_ns: u64) -> Option<Rc<Report>> {
        let ahead = |killed: &Killed| killed.at.as_nanos() as i64 - kill.at_ns as i64;
        let (report, killed) = reports.reports().rev().find_map(|report| {
            let killed = report.killed(tgid_of(kill.victim.owner)).or_else(|| report.killed(kill.victim.tid))?;
            let close = self.ahead_ns.is_none_or(|known| known.abs_diff(ahead(killed)) < DRIFT_NS);
            close.then_some((report, killed))
        })?;
        self.ahead_ns.get_or_insert(ahead(killed));
        self.lines.insert(killed.sequence, (now_ns, true));
        Some(Rc::new(report.clone()))
    }

    /// Counts kills that only the log knows.
    pub fn count_missed(&mut self, now_ns: u64, reports: &Collector) {
        let mut first = u64::MAX;
        for report in reports.reports() {
            for (at, killed) in report.killed.iter().enumerate() {
                first = first.min(killed.sequence);
                // Of those killed together the first is named twice.
                if report.killed[..at].iter().any(|earlier| earlier.pid == killed.pid) {
                    continue;
                }
                let (seen_ns, known) = self.lines.entry(killed.sequence).or_insert((now_ns, false));
                if !*known && Duration::from_nanos(now_ns.saturating_sub(*seen_ns)) >= ALONE {
                    *known = true;
                    self.missed += 1;
                }
            }
        }
        self.lines = self.lines.split_off(&first.min(self.lines.keys().next_back().copied().unwrap_or(0)));
    }

    /// Processes whose memory is about to become free: to be left alone.
    pub fn victims(&self) -> Vec<u32> {
        self.stories.iter().map(|story| tgid_of(story.kill.kill.victim.owner)).collect()
    }

    /// Some wait to be told.
    pub fn is_waiting(&self) -> bool {
        self.stories.iter().any(|story| !story.told)
    }
}

fn is_free(kill: &OomKill) -> bool {
    let end = if kill.kill.tells_free != 0 { Step::Freed } else { Step::Exited };
    kill.steps[end as usize].is_some()
}

#[cfg(test)]
mod tests {
    use stillwatch_common::{io::owner_id, oom::Task};

    use super::*;
    use crate::oom_report::Line;

    const SECOND: u64 = 1_000_000_000;

    fn kill(pid: u32, at_ns: u64) -> Kill {
        let victim = Task { owner: owner_id(pid, 0), tid: pid, ..Task::default() };
        Kill { at_ns, victim, tells_free: 1, ..Kill::default() }
    }

    fn killed(sequence: u64, pid: u32, at: Duration) -> Line {
        let text = format!(
            "Out of memory: Killed process {pid} (x) total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 \
             pgtables:4kB oom_score_adj:0"
        );
        Line { sequence, at, text }
    }

    fn setup() -> (Stories, Collector, Recorder) {
        (Stories::default(), Collector::default(), Recorder::new(Duration::from_secs(60)))
    }

    #[test]
    fn a_kill_is_told_once_it_is_complete_or_has_waited() {
        let (mut stories, mut log, before) = setup();
        stories.begin(kill(7, SECOND), &before);
        assert!(stories.take(SECOND + 1, false, Some(&log)).0.is_empty() && stories.is_waiting());
        stories.go_on(&Progress { at_ns: SECOND + 2, pid: 7, step: Step::Freed as u32 });
        assert!(stories.take(SECOND + 3, false, Some(&log)).0.is_empty(), "the log may have more");
        log.push(killed(1, 7, Duration::from_secs(900)));
        let (told, _) = stories.take(SECOND + 4, false, Some(&log));
        assert_eq!((told.len(), told[0].steps[Step::Freed as usize]), (1, Some(SECOND + 2)));
        assert!(told[0].report.is_some(), "the clocks are 899 seconds apart");
        stories.begin(kill(8, 2 * SECOND), &before);
        let (told, _) = stories.take(3 * SECOND, false, Some(&log));
        assert!(told.len() == 1 && told[0].report.is_none(), "long enough");
        stories.go_on(&Progress { at_ns: 5 * SECOND, pid: 8, step: Step::Freed as u32 });
        let (told, freed) = stories.take(6 * SECOND, false, Some(&log));
        assert!(told.is_empty() && freed.len() == 1 && !stories.is_waiting());
    }

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let (mut stories, mut log, before) = setup();
        log.push(killed(1, 7, Duration::from_secs(10)));
        stories.begin(kill(7, 10 * SECOND), &before);
        assert!(stories.take(10 * SECOND, true, Some(&log)).0[0].report.is_some());
        stories.begin(kill(7, 90 * SECOND), &before);
        assert!(stories.take(90 * SECOND, true, Some(&log)).0[0].report.is_none());
    }

    #[test]
    fn what_only_the_log_knows_is_missed() {
        let (mut stories, mut log, before) = setup();
        log.push(killed(1, 7, Duration::from_secs(10)));
        log.push(killed(2, 8, Duration::from_secs(10)));
        stories.begin(kill(8, 10 * SECOND), &before);
        stories.take(10 * SECOND, true, Some(&log));
        let mut missed = |now_ns| {
            stories.count_missed(now_ns, &log);
            stories.missed
        };
        assert_eq!(missed(10 * SECOND), 0, "it may be told in a moment");
        assert_eq!([12, 14].map(|second| missed(second * SECOND)), [1, 1]);
    }
}
