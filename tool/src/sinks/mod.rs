//! Where snapshots go. A sink knows [`Snapshot`], never a probe, and never another sink.
//!
//! Each builds a whole interval in memory and hands it over in one write, so that no reader sees half of one.

pub mod bar;
mod begins;
mod callers;
mod calls;
mod changes;
mod cpu;
mod disk;
mod errors;
pub mod export;
pub mod header;
pub mod heat;
pub mod hist;
mod io;
pub mod json;
pub mod log;
pub mod notes;
pub mod oom;
mod out;
pub mod overview;
mod own;
mod page;
pub mod pcapng;
pub mod rows;
pub mod stream;
mod syscalls;
mod table;
mod tcp;
pub mod values;
mod view;
mod who;

pub use errors::Errors;
pub use notes::Note;
pub use out::{Out, Unread};
pub use own::own;
pub use page::wrap;
pub use view::View;

use std::io::Write;

use jiff::Timestamp;

use crate::{
    cli::plan::{Draw, Plan},
    format,
    snapshot::{Snapshot, disk::holds::Found, oom::Kill, tcp::Events},
};

pub trait Sink {
    /// Shows one interval. An error of kind `BrokenPipe` means that the reader has seen enough.
    fn snapshot(&mut self, snapshot: &Snapshot) -> std::io::Result<()>;

    /// Shows single events before their interval ends; only of plans that are live.
    fn events(&mut self, _events: &Events) -> std::io::Result<()> {
        Ok(())
    }

    /// Shows kills at once, between two intervals.
    fn kills(&mut self, _kills: &[Kill]) -> std::io::Result<()> {
        Ok(())
    }

    /// Shows who holds what was asked for; only of plans that ask for it.
    fn found(&mut self, _found: &Found) -> std::io::Result<()> {
        Ok(())
    }

    /// Only recordings have notes.
    fn note(&mut self, at: Timestamp, note: Note) -> std::io::Result<()>;

    /// After the last interval.
    fn finish(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The sink that a plan asks for.
pub fn of(plan: &Plan, out: impl Write + 'static) -> Box<dyn Sink> {
    let view = View::of(plan);
    if plan.keep.is_some() {
        return Box::new(begins::Begins::new(out, view));
    }
    match plan.syscalls.as_ref().map_or(&Draw::Tables, |plan| &plan.draw) {
        _ if plan.json => Box::new(json::Json::new(out, view)),
        _ if plan.overview => Box::new(overview::Overview::new(out, view)),
        Draw::Tables => Box::new(stream::Stream::new(out, view)),
        Draw::Hist(name) => Box::new(hist::Hist::new(out, view, name)),
        Draw::Heat => Box::new(heat::Heat::new(out, view)),
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
pub mod sample;
