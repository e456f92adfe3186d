//! The kernel's own log.
//!
//! The kernel keeps what was not read yet in a ring: a storm of messages is read at a pace, and what was overwritten meanwhile is known by the numbers of
//! the records.

use std::{
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use super::{
    super::kernel_log::{KernelLog, Record},
    source::{Clock, Inbox, Source, arrived},
};
use crate::{
    log_line::{self, Severity, Templates, TimeOf},
    sample::{LineAt, Said},
};

pub const NAME: &str = "kernel";
/// Records that are read at a time, and the pause after that.
const BATCH: usize = 500;
const PAUSE: Duration = Duration::from_millis(50);
const WAIT: Duration = Duration::from_secs(1);

/// In the log when the run begins, before its thread does.
pub struct TwoPlaces {
    /// From the first record that is still there.
    old: KernelLog,
    new: KernelLog,
}

pub fn open() -> Result<TwoPlaces, String> {
    Ok(TwoPlaces { old: KernelLog::open(true)?, new: KernelLog::open(false)? })
}

struct Follower {
    source: Weak<Source>,
    clock: Clock,
    templates: Templates,
}

/// `since`: what was written so long before is shown, too.
pub fn follow(inbox: &Arc<Inbox>, places: TwoPlaces, since: Duration, clock: Clock) -> impl FnOnce() + Send + use<> {
    let source = Arc::downgrade(&inbox.add(NAME));
    let mut follower = Follower { source, clock, templates: Templates::default() };
    move || {
        let TwoPlaces { mut old, mut new } = places;
        follower.look_back(&mut old, since);
        drop(old);
        while follower.read(&mut new).is_some() {}
    }
}

impl Follower {
    /// What was before is not new.
    fn look_back(&mut self, old: &mut KernelLog, since: Duration) {
        let begin = self.clock.now();
        let Some(source) = self.source.upgrade() else { return };
        loop {
            let count = old.read(BATCH, |record| {
                let at = record.at;
                if at >= begin {
                    return;
                }
                let line = self.line(&record);
                if at + since >= begin {
                    source.pile().add(line);
                }
            });
            if count == 0 {
                return;
            }
        }
    }

    /// None: nobody asks for it any more.
    fn read(&mut self, log: &mut KernelLog) -> Option<()> {
        log.wait(WAIT);
        let source = self.source.upgrade()?;
        let lost = log.lost;
        log.read(BATCH, |record| {
            let line = self.line(&record);
            let harm = record.is_kernels().then(|| log_line::harm(&line.text)).flatten();
            let mut pile = source.pile();
            if let Some(harm) = harm {
                pile.add_harm(&line, harm);
            }
            pile.add(line);
        });
        source.pile().skip(log.lost - lost);
        thread::sleep(PAUSE);
        Some(())
    }

    fn line(&mut self, record: &Record) -> Said {
        let now = self.clock.now();
        let line = arrived(NAME, &record.text, record.text.len() as u64, now);
        let program = if record.is_kernels() { None } else { log_line::program(&line.text) };
        let (ident, pid) = program.map_or((None, None), |(ident, pid)| (Some(ident), pid));
        Said {
            // Its clock may be ahead of ours.
            at: LineAt::Clock(record.at.min(now).as_nanos() as u64),
            time_of: TimeOf::Line,
            severity: Some(Severity::of(record.priority)),
            ident,
            pid,
            new: Some(self.templates.is_new(&line.text, now)),
            ..line
        }
    }
}
