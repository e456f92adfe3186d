//! Where entries are written to: one file, or a folder of segments that is bounded.
//!
//! No clock: it is as late as what is written says.

use std::{
    collections::VecDeque,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Head, Problem, Segment,
    incident::{self, Incident},
    segments,
    words::Words,
    write::Payload,
};
use crate::cli::plan::Limits;

/// A segment is no longer than that, and no larger than this part of what a recording may have.
const LENGTH: SignedDuration = SignedDuration::from_mins(5);
const PARTS: u64 = 16;
const LOCK: &str = "lock";
/// Names and addresses are nobody else's business.
const OWNER: u32 = 0o600;

/// Something that is wrong.
#[derive(Clone, Debug)]
pub struct Wrong {
    pub harm: f64,
    pub statement: String,
}

/// What is written, and what it says for the recording itself.
#[derive(Clone, Debug)]
pub struct Kept {
    pub payload: Payload,
    /// The worst that is wrong at that moment.
    pub wrong: Option<Wrong>,
    /// Something began or ended: it is to survive a power cut.
    pub urgent: bool,
}

pub trait Store: Send {
    /// Either all of it, or nothing that a reader would see.
    fn write(&mut self, kept: &Kept) -> io::Result<()>;

    fn close(&mut self) -> io::Result<()>;
}

/// A segment on disk.
struct Written {
    segment: Segment<File>,
    synced: Timestamp,
}

impl Written {
    fn create(path: &Path, head: &Head, words: Words, at: Timestamp) -> io::Result<Self> {
        let file = File::options().create_new(true).write(true).mode(OWNER).open(path)?;
        Ok(Self { segment: Segment::described(file, head.clone(), words), synced: at })
    }

    fn write(&mut self, kept: &Kept, sync: Duration) -> io::Result<()> {
        let (whole, at) = (self.segment.bytes, kept.payload.at);
        let due = kept.urgent || at.duration_since(self.synced).unsigned_abs() >= sync;
        let written = self.segment.write(&kept.payload);
        let result = written.and_then(|()| if due { self.segment.sync() } else { Ok(()) });
        match result {
            Ok(()) if due => self.synced = at,
            Ok(()) => {}
            Err(_) => self.segment.undo(whole)?,
        }
        result
    }
}

/// All of it in one file.
pub struct Single {
    written: Written,
    sync: Duration,
}

impl Single {
    pub fn create(path: &Path, head: &Head, sync: Duration) -> Result<Self, Problem> {
        let written = Words::of_this_version().and_then(|words| Written::create(path, head, words, head.began));
        let written = written.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Problem::Exists(path.to_owned()),
            _ => Problem::Unwritable { path: path.to_owned(), error },
        })?;
        Ok(Self { written, sync })
    }
}

impl Store for Single {
    fn write(&mut self, kept: &Kept) -> io::Result<()> {
        self.written.write(kept, self.sync)
    }

    fn close(&mut self) -> io::Result<()> {
        self.written.segment.sync()
    }
}

/// Segments of some minutes each, in a folder that no other recorder has.
pub struct Folder {
    path: PathBuf,
    limits: Limits,
    head: Head,
    words: Words,
    open: Option<Written>,
    /// The last is the one that is written.
    segments: VecDeque<OnDisk>,
    incident: Option<Incident>,
    /// Held for as long as it is open.
    _lock: File,
}

struct OnDisk {
    path: PathBuf,
    began: Timestamp,
    bytes: u64,
}

impl Folder {
    pub fn open(path: &Path, limits: Limits, head: Head) -> Result<Self, Problem> {
        let unwritable = |error| Problem::Unwritable { path: path.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unwritable)?;
        let lock =
            File::options().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(unwritable)?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => Problem::Taken(path.to_owned()),
            fs::TryLockError::Error(error) => unwritable(error),
        })?;
        let mut segments = VecDeque::new();
        for path in segments::of(path).map_err(unwritable)? {
            let bytes = fs::metadata(&path).map_err(unwritable)?.len();
            segments.extend(segments::began(&path).map(|began| OnDisk { path, began, bytes }));
        }
        let words = Words::of_this_version().map_err(unwritable)?;
        Ok(Self { path: path.to_owned(), limits, head, words, open: None, segments, incident: None, _lock: lock })
    }

    fn begin(&mut self, at: Timestamp) -> io::Result<()> {
        self.open = None;
        let path = self.path.join(segments::name(at));
        let open = Written::create(&path, &self.head, self.words.clone(), at)?;
        self.segments.push_back(OnDisk { path: path.clone(), began: at, bytes: 0 });
        self.open = Some(open);
        if let Some(incident) = &self.incident {
            incident.pin(&self.path, &path)?;
        }
        incident::bound(&self.path, self.limits.incident_bytes)
    }

    /// What is too old, or too much.
    fn bound(&mut self, now: Timestamp) -> io::Result<()> {
        let oldest = before(now, self.limits.keep);
        let mut bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        while let [Some(first), Some(next)] = [self.segments.front(), self.segments.get(1)]
            && (bytes > self.limits.bytes || next.began < oldest)
        {
            remove(&first.path)?;
            bytes -= first.bytes;
            self.segments.pop_front();
        }
        Ok(())
    }

    /// Begins, follows and ends incidents.
    fn follow(&mut self, at: Timestamp, wrong: Option<&Wrong>) -> io::Result<()> {
        match (&mut self.incident, wrong) {
            (Some(incident), Some(wrong)) => {
                incident.until = at;
                incident.to = after(at, self.limits.after);
                if wrong.harm > incident.harm {
                    (incident.harm, incident.statement) = (wrong.harm, wrong.statement.clone());
                    incident.save(&self.path)?;
                }
            }
            (Some(incident), None) => {
                if at.duration_since(incident.until).unsigned_abs() >= self.limits.after {
                    incident.over = true;
                    incident.save(&self.path)?;
                    self.incident = None;
                    incident::bound(&self.path, self.limits.incident_bytes)?;
                }
            }
            (None, Some(Wrong { harm, statement })) => {
                let (number, from) = (incident::next_number(&self.path)?, before(at, self.limits.before));
                let (harm, statement) = (*harm, statement.clone());
                let to = after(at, self.limits.after);
                let incident = Incident { number, since: at, until: at, from, to, statement, harm, over: false };
                incident.save(&self.path)?;
                let early = self.segments.iter().skip(1).take_while(|next| next.began <= from).count();
                for segment in self.segments.iter().skip(early) {
                    incident.pin(&self.path, &segment.path)?;
                }
                self.incident = Some(incident);
                incident::bound(&self.path, self.limits.incident_bytes)?;
            }
            (None, None) => {}
        }
        Ok(())
    }
}

impl Store for Folder {
    fn write(&mut self, kept: &Kept) -> io::Result<()> {
        let at = kept.payload.at;
        let full = self.segments.back().is_some_and(|segment| {
            at.duration_since(segment.began).abs() >= LENGTH || segment.bytes >= self.limits.bytes / PARTS
        });
        // First what may fail: an entry is not written twice.
        self.bound(at)?;
        if full || self.open.is_none() {
            self.begin(at)?;
        }
        self.follow(at, kept.wrong.as_ref())?;
        if let (Some(open), Some(last)) = (&mut self.open, self.segments.back_mut()) {
            let result = open.write(kept, self.limits.sync);
            last.bytes = open.segment.bytes;
            result?;
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(incident) = &self.incident {
            incident.save(&self.path)?;
        }
        self.open.as_mut().map_or(Ok(()), |open| open.segment.sync())
    }
}

fn before(at: Timestamp, time: Duration) -> Timestamp {
    SignedDuration::try_from(time).ok().and_then(|time| at.checked_sub(time).ok()).unwrap_or(Timestamp::MIN)
}

fn after(at: Timestamp, time: Duration) -> Timestamp {
    SignedDuration::try_from(time).ok().and_then(|time| at.checked_add(time).ok()).unwrap_or(Timestamp::MAX)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
