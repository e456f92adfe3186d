//! Lines of logs, and those of the kernel that are harm.

use crate::snapshot::log::{HarmLine, Log, LogLine, Severity};

const HARM: usize = 200;
/// Lines, and so many errors besides.
const LINES: usize = 4000;

#[derive(Default)]
pub struct Quoted {
    pub harm: Vec<HarmLine>,
    /// In order of time.
    pub lines: Vec<LogLine>,
    /// Lines that were written and are not among these.
    pub left_out: u64,
}

impl Quoted {
    pub fn add(&mut self, log: Log) {
        self.left_out += log.sources.iter().filter_map(|source| source.left_out.value()).sum::<u64>();
        let room = HARM.saturating_sub(self.harm.len());
        self.harm.extend(log.harm.into_iter().take(room));
        for line in log.lines {
            let most = if line.severity.is_some_and(Severity::is_error) { 2 * LINES } else { LINES };
            if self.lines.len() < most {
                self.lines.push(line);
            } else {
                self.left_out += 1;
            }
        }
    }
}
