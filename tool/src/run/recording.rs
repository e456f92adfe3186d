//! A run that is kept: where from, where to, and notes from outside.

use std::{
    fs, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};
use jiff::tz::TimeZone;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::host::now;
use crate::{
    cli::plan::{Limits, Pins, Plan},
    escape::escape,
    format,
    record::{self, DiskSize, Entry, FORMAT, Folder, Head, Mark, Payload, Recorder, Single, Store},
};

/// Within the folder of a recording that is being written.
const SOCKET: &str = "notes";
/// Of a note; what is longer is cut.
const NOTE: usize = 4096;
/// Distance of two `fsync` of a session that is saved.
const SYNC: Duration = Duration::from_secs(30);

/// Files, opened with all rights that we came with.
pub struct Opened {
    store: Box<dyn Store>,
    pins: Pins,
    socket: Option<UnixDatagram>,
}

pub struct Recording {
    pub recorder: Recorder,
    pub marks: Marks,
}

/// None: nothing is to be kept.
pub fn open(plan: &Plan, missing: &[String]) -> Result<Option<Opened>> {
    let Some(path) = &plan.save else { return Ok(None) };
    let head = head(plan, missing);
    Ok(Some(match &plan.keep {
        Some(keep) => {
            let store = Box::new(Folder::open(path, keep.limits, head)?);
            Opened { store, pins: keep.pins, socket: Some(bind(&path.join(SOCKET))?) }
        }
        None => Opened { store: Box::new(Single::create(path, &head, SYNC)?), pins: Pins::NONE, socket: None },
    }))
}

fn bind(path: &Path) -> Result<UnixDatagram> {
    // Of one that was killed: the folder is ours alone.
    let _ = fs::remove_file(path);
    let socket = UnixDatagram::bind(path).with_context(|| path.display().to_string())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Opened {
    /// Within the runtime that waits for notes.
    pub fn begin(self) -> Result<Recording> {
        let socket = self.socket.map(tokio::net::UnixDatagram::from_std).transpose()?;
        let marks = Marks { signal: signal(SignalKind::user_defined1())?, socket };
        Ok(Recording { recorder: Recorder::new(self.store, self.pins)?, marks })
    }
}

pub fn head(plan: &Plan, missing: &[String]) -> Head {
    let read = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let memory = read("/proc/meminfo");
    let memory =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    Head {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: read("/proc/sys/kernel/hostname"),
        kernel: read("/proc/sys/kernel/osrelease"),
        architecture: std::env::consts::ARCH.to_owned(),
        boot_id: read("/proc/sys/kernel/random/boot_id"),
        cpus: aya::util::nr_cpus().unwrap_or(0) as u32,
        memory_bytes: memory.unwrap_or(0_u64) << 10,
        disks: disks().unwrap_or_default(),
        began: now().wall,
        interval: plan.interval,
        flags: plan.words.clone(),
        missing: missing.to_vec(),
    }
}

/// Not those that are empty, as loop devices that nobody uses.
fn disks() -> io::Result<Vec<DiskSize>> {
    let mut disks = Vec::new();
    for entry in fs::read_dir("/sys/block")? {
        let entry = entry?;
        let sectors =
            fs::read_to_string(entry.path().join("size")).ok().and_then(|size| size.trim().parse::<u64>().ok());
        let bytes = sectors.unwrap_or(0) << 9;
        if bytes > 0 {
            disks.push(DiskSize { name: entry.file_name().to_string_lossy().into_owned(), bytes });
        }
    }
    disks.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(disks)
}

/// From where notes come.
pub struct Marks {
    signal: Signal,
    socket: Option<tokio::net::UnixDatagram>,
}

/// Waits for a note.
pub async fn marked(marks: Option<&mut Marks>) -> io::Result<String> {
    let Some(Marks { signal, socket }) = marks else { return std::future::pending().await };
    let sent = async {
        let Some(socket) = socket else { return std::future::pending().await };
        let mut note = vec![0; NOTE];
        let length = socket.recv(&mut note).await?;
        io::Result::Ok(String::from_utf8_lossy(&note[..length]).into_owned())
    };
    tokio::select! {
        _ = signal.recv() => Ok("SIGUSR1".to_owned()),
        note = sent => note,
    }
}

/// Notes something in a recording, whether or not it is being written.
pub fn mark(dir: &Path, text: &str) -> Result<()> {
    let socket = UnixDatagram::unbound()?;
    match socket.send_to(&text.as_bytes()[..text.floor_char_boundary(NOTE)], dir.join(SOCKET)) {
        Ok(_) => return Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {}
        Err(error) => return Err(error).with_context(|| dir.display().to_string()),
    }
    let head = record::open(dir)?.head().clone();
    let all = Duration::MAX;
    let limits = Limits {
        keep: all,
        bytes: u64::MAX,
        before: Duration::from_secs(300),
        after: all,
        incident_bytes: u64::MAX,
        sync: SYNC,
    };
    let recorder = Recorder::new(Box::new(Folder::open(dir, limits, head)?), Pins::NONE)?;
    let mark = Entry::Mark(Mark { at: now().wall, text: text.to_owned() });
    if let Some(payload) = Payload::of(&mark)? {
        recorder.keep(&mark, payload);
    }
    Ok(())
}

/// A line for each incident of a recording.
pub fn incidents(dir: &Path) -> Result<()> {
    let recording = record::open(dir)?;
    let mut text = String::new();
    for incident in record::incidents(dir)? {
        let since = incident.since.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S");
        let lasted = Duration::try_from(incident.until.duration_since(incident.since)).unwrap_or_default();
        let (lasted, bytes) = (format::interval(lasted), format::bytes(incident.bytes(dir)?));
        let statement = escape(&incident.statement);
        text += &format!("{:>4}  {since}  {lasted:>6}  {bytes:>8}  {statement}\n", incident.number);
    }
    if text.is_empty() {
        text = match recording.span()? {
            Some((first, last)) => format!("no incident from {first} to {last}\n"),
            None => "no incident, and no interval\n".to_owned(),
        };
    }
    super::print_unless_closed(&text)
}

/// Tells systemd that everything is attached, where it asks for that.
pub fn ready() {
    if let Err(error) = notify(b"READY=1") {
        tracing::warn!("systemd is not told that we are ready: {error}");
    }
}

fn notify(state: &[u8]) -> io::Result<()> {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let bytes = name.as_encoded_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state, &address).map(|_| ())
}
