//! A probe's reader, and what became of it: a probe that can't be read does not end the run.

use std::io;

use crate::probes::Counters;

/// Longest pause between two attempts, in ticks.
const LONGEST: u32 = 64;

/// Empty: the probe was not asked for.
pub struct Slot<R> {
    /// `None` too when reading it again would not help.
    pub reader: Option<R>,
    why: Option<String>,
    /// Ticks between the last attempt and the next.
    pause: u32,
    /// Ticks until the next attempt.
    left: u32,
    /// Of the last reading that went well: what was counted does not go back to 0.
    pub counters: Counters,
}

impl<R> Slot<R> {
    pub fn new(reader: Option<R>) -> Self {
        Self { reader, why: None, pause: 0, left: 0, counters: Counters::default() }
    }

    /// Its part of a sample, unless it fails or has to be left alone for now.
    pub fn read<P>(&mut self, probe: &str, read: impl FnOnce(&mut R) -> io::Result<(P, Counters)>) -> Option<P> {
        let reader = self.reader.as_mut()?;
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return None;
        }
        match read(reader) {
            Ok((part, counters)) => {
                (self.why, self.pause, self.counters) = (None, 0, counters);
                Some(part)
            }
            Err(error) => {
                self.fail(probe, &error);
                None
            }
        }
    }

    pub fn fail(&mut self, probe: &str, error: &io::Error) {
        let why = format!("reading the {probe} maps: {error}");
        if self.why.is_none() {
            tracing::warn!("{probe} is unavailable: {why}");
        }
        self.why = Some(why);
        if may_pass(error) {
            self.pause = (self.pause * 2).clamp(1, LONGEST);
            self.left = self.pause;
        } else {
            self.reader = None;
        }
    }

    pub fn works(&self) -> bool {
        self.reader.is_some() && self.why.is_none()
    }

    /// Why it does not work, if it was asked for.
    pub fn unavailable(&self) -> Option<String> {
        let why = self.why.as_ref()?;
        Some(match (&self.reader, self.left) {
            (None, _) => why.clone(),
            (Some(_), 1) => format!("{why}; tried again in the next interval"),
            (Some(_), left) => format!("{why}; tried again in {left} intervals"),
        })
    }
}

/// Want of memory or of descriptors, or an interruption.
fn may_pass(error: &io::Error) -> bool {
    const PASS: [i32; 5] = [libc::ENOMEM, libc::EAGAIN, libc::EINTR, libc::EMFILE, libc::ENFILE];
    error.raw_os_error().is_some_and(|error| PASS.contains(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(errno: i32) -> io::Result<((), Counters)> {
        Err(io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn what_may_pass_is_tried_again_with_growing_pauses() {
        let mut slot = Slot::new(Some(()));
        let mut tried = Vec::new();
        for tick in 0..20 {
            slot.read("io", |()| {
                tried.push(tick);
                fails(libc::ENOMEM)
            });
        }
        assert_eq!(tried, [0, 1, 3, 7, 15]);
        let why = slot.unavailable().unwrap();
        assert!(why.contains("reading the io maps: ") && why.ends_with("; tried again in 12 intervals"), "{why}");
        assert!(!slot.works());
        let mut waited = 0;
        while slot.read("io", |()| Ok(((), Counters::default()))).is_none() {
            waited += 1;
        }
        assert_eq!((waited, slot.works(), slot.unavailable()), (11, true, None));
        // The next failure is a new one.
        slot.read("io", |()| fails(libc::EAGAIN));
        assert!(slot.unavailable().unwrap().ends_with("in the next interval"));
    }

    #[test]
    fn what_does_not_pass_is_never_read_again_and_counts_stay() {
        let mut slot = Slot::new(Some(()));
        slot.read("io", |()| Ok(((), Counters { runs: vec![("sched_switch", 7)], lost: vec![] })));
        slot.read("io", |()| fails(libc::EBADF));
        assert!(slot.reader.is_none() && slot.unavailable().is_some_and(|why| !why.contains("tried again")));
        assert_eq!(slot.counters.runs, [("sched_switch", 7)]);
    }

    #[test]
    fn a_probe_that_was_not_asked_for_is_not_unavailable() {
        let mut slot = Slot::<()>::new(None);
        assert_eq!(slot.read("io", |()| fails(libc::ENOMEM)), None);
        assert_eq!(slot.unavailable(), None);
    }
}
