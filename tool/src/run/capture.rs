//! Packets that are kept in a file: those of connections that something happens to.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
};

use anyhow::Result;

use crate::{
    cli::plan::Plan,
    record::{Entry, Problem},
    sinks::{Out, Unread, pcapng::Pcapng},
    snapshot::{Lost, tcp::Packet},
};

/// The disk may hang: whoever writes to it is a thread, and what is too much for it is dropped and counted.
pub struct Capture {
    pcapng: RefCell<Pcapng<Out>>,
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
        Ok(Some(Self { pcapng: RefCell::new(Pcapng::new(out)?), unread, dropped: Cell::new(0) }))
    }

    pub fn packets(&self, packets: Vec<Packet>) {
        self.pcapng.borrow_mut().packets(packets);
    }

    /// What happened to their connections, and when an interval ends.
    pub fn see(&self, entry: &Entry) {
        let mut pcapng = self.pcapng.borrow_mut();
        match entry {
            Entry::Events(events) => pcapng.events(events),
            Entry::Snapshot(snapshot) => {
                if let Some(tcp) = &snapshot.tcp {
                    pcapng.events(&tcp.events);
                }
                let dropped = self.unread.lost().count;
                let anew = if self.dropped.replace(dropped) == dropped { Ok(()) } else { pcapng.begin_anew() };
                if let Err(error) = anew.and_then(|()| pcapng.close_interval()) {
                    tracing::warn!("packets are not kept: {error}");
                }
            }
            _ => {}
        }
    }

    pub fn lost(&self) -> Lost {
        Lost { cause: "intervals whose packets were not written", ..self.unread.lost() }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if let Err(error) = self.pcapng.borrow_mut().finish() {
            tracing::warn!("the last packets are not kept: {error}");
        }
    }
}
