//! Packets that are kept in a file: those of connections that something happens to, and what the kernel says meanwhile.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
};

use anyhow::Result;

use super::host::now;
use crate::{
    cli::plan::Plan,
    probes::log::KernelLines,
    record::{Entry, Problem},
    sample::Said,
    sinks::{
        Out, Unread,
        pcapng::{JournalLine, Pcapng},
    },
    snapshot::{Lost, log::Severity, tcp::Packet},
};

/// The disk may hang: whoever writes to it is a thread, and what is too much for it is dropped and counted.
pub struct Capture {
    pcapng: RefCell<Pcapng<Out>>,
    kernel: Option<RefCell<KernelLines>>,
    unread: Unread,
    /// Intervals that were dropped when it was looked at last.
    dropped: Cell<u64>,
}

impl Capture {
    /// None: no packets are asked for.
    pub fn open(plan: &Plan) -> Result<Option<Self>> {
        let Some(path) = plan.tcp.as_ref().and_then(|tcp| tcp.pcap.as_ref()).map(|pcap| pcap.file.clone()) else {
            return Ok(None);
        };
        // What is in it is nobody else's business.
        let file = File::options().create_new(true).write(true).mode(0o600).open(&path);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Problem::Exists(path),
            _ => Problem::Unwritable { path, error },
        })?;
        let out = Out::to(file)?;
        let unread = out.unread();
        let kernel = KernelLines::open();
        if let Err(why) = &kernel {
            tracing::warn!("the kernel's log is not kept with the packets: {why}");
        }
        let kernel = kernel.ok().map(RefCell::new);
        Ok(Some(Self { pcapng: RefCell::new(Pcapng::new(out)?), kernel, unread, dropped: Cell::new(0) }))
    }

    pub fn packets(&self, packets: Vec<Packet>) {
        self.pcapng.borrow_mut().backlog.packets(packets);
    }

    /// What happened to their connections, and when an interval ends.
    pub fn see(&self, entry: &Entry) {
        let mut pcapng = self.pcapng.borrow_mut();
        match entry {
            Entry::Events(events) => pcapng.backlog.events(events),
            Entry::Snapshot(snapshot) => {
                if let Some(tcp) = &snapshot.tcp {
                    pcapng.backlog.events(&tcp.events);
                }
                pcapng.backlog.lines(self.said());
                let dropped = self.unread.lost().count;
                let anew = if self.dropped.replace(dropped) == dropped { Ok(()) } else { pcapng.begin_anew() };
                if let Err(error) = anew.and_then(|()| pcapng.close_interval()) {
                    tracing::warn!("packets are not kept: {error}");
                }
            }
            _ => {}
        }
    }

    /// By the kernel since the last time.
    fn said(&self) -> Vec<JournalLine> {
        let Some(kernel) = &self.kernel else { return Vec::new() };
        let now = now();
        let line = |said: Said| JournalLine {
            at: said.moment(now),
            severity: said.severity.unwrap_or(Severity::Info),
            by: said.ident.unwrap_or(said.source),
            text: said.text,
        };
        kernel.borrow_mut().take(now).into_iter().map(line).collect()
    }

    pub fn lost(&self) -> [Lost; 2] {
        let lines = self.kernel.as_ref().map_or(0, |kernel| kernel.borrow().left_out());
        [
            Lost { cause: "intervals whose packets were not written", ..self.unread.lost() },
            Lost { cause: "lines of the kernel's log that were not written", count: lines },
        ]
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if let Err(error) = self.pcapng.borrow_mut().finish() {
            tracing::warn!("the last packets are not kept: {error}");
        }
    }
}
