//! Kills that the kernel's log still has, from before we started.

use std::rc::Rc;

use super::super::kernel_log::KernelLog;
use crate::oom_report::{Collector, Report};

/// Reports, the oldest first. An error: the log can't be read.
pub fn reports() -> Result<Vec<Rc<Report>>, String> {
    let mut log = KernelLog::open(true)?;
    let mut reports = Collector::default();
    log.lines(|line| reports.push(line));
    Ok(reports.reports().filter(|report| !report.killed.is_empty()).cloned().map(Rc::new).collect())
}
