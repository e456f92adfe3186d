//! From lines to reports.

use std::time::Duration;

use super::{Line, Report, lines};

/// A report is longer than this only if its host lists thousands of candidates: enough is enough.
const LONGEST: usize = 4096;
/// Reports kept at a time.
const KEPT: usize = 256;

/// Sorts lines into reports.
#[derive(Debug, Default)]
pub struct Collector {
    /// A report that may not be complete.
    open: Option<Report>,
    /// Columns of the table that we are in.
    columns: Vec<String>,
    done: Vec<Report>,
}

impl Collector {
    pub fn push(&mut self, line: Line) {
        let text = line.text.as_str();
        if let Some(trigger) = lines::trigger(text) {
            self.finish();
            self.open = Some(Report { trigger: Some(trigger), lines: vec![line], ..Report::default() });
            return;
        }
        if let Some(mut killed) = lines::killed(text) {
            (killed.at, killed.sequence) = (line.at, line.sequence);
            // A second one, without a word about a group before it, is another decision.
            let another = self.open.as_ref().is_some_and(|open| !open.killed.is_empty() && open.group.is_none());
            if another {
                self.finish();
            }
            let open = self.open.get_or_insert_default();
            open.killed.push(killed);
            open.lines.push(line);
            self.columns.clear();
            return;
        }
        if let Some(pid) = lines::reaped(text) {
            let all = self.open.iter_mut().chain(self.done.iter_mut().rev());
            if let Some(its) = all.into_iter().find(|report| report.killed(pid).is_some()) {
                its.lines.push(line);
            }
            return;
        }
        let Some(open) = &mut self.open else { return };
        if !open.killed.is_empty() && lines::group(text).is_none() {
            // Somebody else's, after the end.
            return self.finish();
        }
        if open.lines.len() >= LONGEST {
            return;
        }
        if let Some(group) = lines::group(text) {
            open.group = Some(group.to_owned());
        } else if let Some(summary) = lines::summary(text) {
            open.summary = Some(summary);
            self.columns.clear();
        } else if let Some(columns) = lines::candidates_head(text) {
            self.columns = columns;
        } else if !self.columns.is_empty()
            && let Some(candidate) = lines::candidate(text, &self.columns)
        {
            open.candidates.push(candidate);
        } else if let Some(counter) = lines::counter(text) {
            open.counters.push(counter);
        } else if let Some(pid) = lines::trigger_pid(text)
            && let Some(trigger) = &mut open.trigger
            && trigger.pid.is_none()
        {
            trigger.pid = Some(pid);
        }
        open.lines.push(line);
    }

    /// All that is kept, the oldest first; the last may not be complete.
    pub fn reports(&self) -> impl DoubleEndedIterator<Item = &Report> {
        self.done.iter().chain(&self.open)
    }

    /// Forgets reports that were complete so long before the latest line that is kept. Times are the log's own.
    pub fn forget(&mut self, age: Duration) {
        let end = |report: &Report| report.lines.last().map_or(Duration::ZERO, |line| line.at);
        let latest = self.reports().map(end).max().unwrap_or_default();
        self.done.retain(|report| end(report) + age >= latest);
        let more = self.done.len().saturating_sub(KEPT);
        self.done.drain(..more);
    }

    fn finish(&mut self) {
        self.columns.clear();
        self.done.extend(self.open.take());
    }
}
