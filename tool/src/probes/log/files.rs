//! Files that programs write lines into, by a pattern: each is followed by its path, through rotation and truncation.

mod tail;

use std::{
    ffi::{CStr, CString, OsStr},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};

use self::tail::{Id, Tail};
use super::source::{Clock, Inbox, Source, arrived};
use crate::{
    log_line::{Here, Templates, TimeOf, head},
    sample::{LineAt, Said},
};

/// Between two looks at them; the pattern is looked at again every so many of these.
const PAUSE: Duration = Duration::from_millis(200);
const RESCAN: u64 = 10;
/// Files of one thread.
const MOST: usize = 64;
/// A file that was renamed or is gone is looked at so many times more: its program may still write to it.
const GONE: u64 = 150;

struct Files {
    inbox: Weak<Inbox>,
    patterns: Vec<Pattern>,
    followed: Vec<Followed>,
    clock: Clock,
    zone: TimeZone,
    round: u64,
}

struct Pattern {
    text: String,
    /// Stands for what it does not find, or what of that is not followed.
    note: Option<Arc<Source>>,
}

/// One path.
struct Followed {
    path: PathBuf,
    source: Arc<Source>,
    now: Option<Tail>,
    /// Those that had this path before.
    old: Vec<Tail>,
    /// In which round it was there last.
    seen: u64,
    past: Past,
}

/// What lines of a file are told by.
#[derive(Default)]
struct Past {
    templates: Templates,
    /// That of the last line that has one.
    time: Option<Timestamp>,
}

pub fn follow(inbox: &Arc<Inbox>, patterns: &[String], zone: TimeZone, clock: Clock) -> impl FnOnce() + Send + use<> {
    let mut files = Files::new(inbox, patterns, zone, clock);
    move || while files.look().is_some() {}
}

impl Files {
    fn new(inbox: &Arc<Inbox>, patterns: &[String], zone: TimeZone, clock: Clock) -> Self {
        let pattern = |text: &String| {
            let mut pattern = Pattern { text: text.clone(), note: None };
            pattern.say(inbox, Some("it was not looked at yet".to_owned()));
            pattern
        };
        let patterns = patterns.iter().map(pattern).collect();
        Self { inbox: Arc::downgrade(inbox), patterns, followed: Vec::new(), clock, zone, round: 0 }
    }

    /// None: nobody asks for them any more.
    fn look(&mut self) -> Option<()> {
        let inbox = self.inbox.upgrade()?;
        inbox.touch(|| {
            if self.round.is_multiple_of(RESCAN) {
                self.scan(&inbox);
            }
            let here = Here { zone: self.zone.clone(), now: self.clock.wall() };
            let now = self.clock.now();
            for followed in &mut self.followed {
                followed.read(self.round, now, &here);
            }
        });
        self.round += 1;
        drop(inbox);
        thread::sleep(PAUSE);
        Some(())
    }

    /// Finds files that were not there before, and forgets those that are gone.
    fn scan(&mut self, inbox: &Arc<Inbox>) {
        let mut patterns = std::mem::take(&mut self.patterns);
        for pattern in &mut patterns {
            let paths = matching(&pattern.text);
            let is_none = paths.is_empty();
            let more = paths.into_iter().filter(|path| !self.follow(path, inbox)).count();
            pattern.say(
                inbox,
                match more {
                    0 => is_none.then(|| "there is no such file".to_owned()),
                    more => Some(format!("{more} of its files are too many to follow")),
                },
            );
        }
        self.patterns = patterns;
        let is_gone = |followed: &Followed| self.round - followed.seen > GONE && followed.old.is_empty();
        self.followed.iter().filter(|followed| is_gone(followed)).for_each(|gone| inbox.remove(&gone.source));
        self.followed.retain(|followed| !is_gone(followed));
    }

    /// Whether it is followed, from now on at least.
    fn follow(&mut self, path: &Path, inbox: &Arc<Inbox>) -> bool {
        if self.followed.iter().any(|followed| followed.path == path) {
            return true;
        }
        // One that was renamed is followed already.
        let id = tail::id(path).ok();
        let mut tails = self.followed.iter_mut().flat_map(|followed| followed.now.iter_mut().chain(&mut followed.old));
        if let Some(tail) = tails.find(|tail| Some(tail.id) == id) {
            tail.touched = self.round;
            return true;
        }
        if self.followed.len() >= MOST {
            return false;
        }
        let source = inbox.add(&path.to_string_lossy());
        let (path, seen, past) = (path.to_owned(), self.round, Past::default());
        let mut followed = Followed { path, source, now: None, old: Vec::new(), seen, past };
        // Of what was there when the run began only what is added is said.
        if self.round == 0 {
            followed.begin_at_end(self.clock.now());
        }
        self.followed.push(followed);
        true
    }
}

impl Pattern {
    fn say(&mut self, inbox: &Inbox, why: Option<String>) {
        match (why, self.note.take()) {
            (Some(why), note) => {
                let note = note.unwrap_or_else(|| inbox.add(&self.text));
                note.pile().why = Some(why);
                self.note = Some(note);
            }
            (None, Some(note)) => inbox.remove(&note),
            (None, None) => {}
        }
    }
}

impl Followed {
    /// What it has already is not new.
    fn begin_at_end(&mut self, now: Duration) {
        if let Ok(mut tail) = Tail::open(&self.path) {
            let _ = tail.look_back(|line, _| _ = self.past.templates.is_new(&String::from_utf8_lossy(line), now));
            self.now = Some(tail);
        }
    }

    fn read(&mut self, round: u64, now: Duration, here: &Here) {
        let why = self.turn(round).err().filter(|_| self.now.is_none());
        let Self { source, old, past, .. } = self;
        for tail in old.iter_mut().chain(&mut self.now) {
            let mut line = |bytes: &[u8], length| {
                let line = past.line(&source.name, bytes, length, now, here);
                source.pile().add(line);
            };
            // What cannot be read now may be at the next look.
            if let Ok(passed) = tail.read(&mut line) {
                let mut pile = source.pile();
                pile.skip(passed.lines);
                pile.counts.skipped_bytes += passed.bytes;
                if passed.grew {
                    tail.touched = round;
                }
            }
        }
        old.retain(|tail| round.saturating_sub(tail.touched) <= GONE);
        source.pile().why = why.map(|error| error.to_string());
    }

    /// Another file may have its path by now.
    fn turn(&mut self, round: u64) -> io::Result<()> {
        let id: Id = tail::id(&self.path)?;
        self.seen = round;
        if self.now.as_ref().is_some_and(|tail| tail.id == id) {
            return Ok(());
        }
        let mut next = Tail::open(&self.path)?;
        next.touched = round;
        if let Some(mut before) = self.now.replace(next) {
            before.touched = round;
            self.old.push(before);
        }
        Ok(())
    }
}

impl Past {
    fn line(&mut self, source: &str, bytes: &[u8], length: u64, now: Duration, here: &Here) -> Said {
        let line = arrived(source, bytes, length, now);
        let head = head(&line.text, here);
        self.time = head.at.or(self.time);
        let time_of = match (head.at, self.time) {
            (Some(_), _) => TimeOf::Line,
            (None, Some(_)) => TimeOf::Before,
            (None, None) => TimeOf::Arrival,
        };
        Said {
            at: self.time.map_or(line.at, LineAt::Wall),
            time_of,
            severity: head.severity,
            ident: head.ident,
            pid: head.pid,
            new: Some(self.templates.is_new(&line.text, now)),
            ..line
        }
    }
}

/// What there is by that name, which may have `*`, `?` and `[…]` in it.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let Ok(pattern) = CString::new(pattern) else { return Vec::new() };
    // SAFETY: all zeros are a valid `glob_t`; what `glob` has put there lives until `globfree`.
    unsafe {
        let mut found: libc::glob_t = std::mem::zeroed();
        let mut paths = Vec::new();
        if libc::glob(pattern.as_ptr(), 0, None, &mut found) == 0 {
            let all = std::slice::from_raw_parts(found.gl_pathv, found.gl_pathc);
            paths.extend(all.iter().map(|path| path_of(CStr::from_ptr(*path))));
        }
        libc::globfree(&mut found);
        paths
    }
}

fn path_of(text: &CStr) -> PathBuf {
    Path::new(OsStr::from_bytes(text.to_bytes())).to_owned()
}

#[cfg(test)]
mod tests;
