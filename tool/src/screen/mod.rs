//! The live screen: what is measured, or was recorded, at any moment that is kept, with keys to look around in it.
//!
//! ```text
//! entry → timeline → state (a machine: key | entry | size → action) → pages (lines) → view (cells) → terminal
//! ```
//!
//! - [`timeline`]: the last minutes, packed as in a recording; [`digest`]: what is known of each moment without unpacking it.
//! - [`state`]: where one is, what is selected, and which moment is shown. No drawing, no I/O, no clock.
//! - [`pages`]: what each page says, in lines; tables of any rows, as they are declared. [`keys`]: every key, once.
//! - [`view`]: lines in a buffer of cells.
//! - [`terminal`]: the only part that touches one, on threads of its own: the run hands entries over and never waits.

pub mod digest;
pub mod keys;
pub mod pages;
pub mod state;
mod terminal;
#[cfg(test)]
pub mod tests;
pub mod timeline;
pub mod view;

use std::{
    io,
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread::{self, JoinHandle},
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::{
    state::{Input, Machine},
    terminal::Tty,
    timeline::Timeline,
    view::style::Look,
};
use crate::{
    cli::plan::Plan,
    record::{Entry, Head, Payload},
    snapshot::Lost,
};

/// Inputs that may wait: none does, unless the host has no time for the screen.
const QUEUE: usize = 64;
/// What is kept of a run, packed: of a busy host ten minutes and more.
const LIVE: usize = 12 << 20;
/// Of a recording.
const RECORDED: usize = 256 << 20;

enum Message {
    Input(Input),
    Signal(i32),
    Close,
}

/// What a person asks of the run.
pub enum Ask {
    End,
    Mark(String),
}

pub struct Screen {
    to: SyncSender<Message>,
    asked: UnboundedReceiver<Ask>,
    thread: Option<JoinHandle<()>>,
    missed: u64,
}

impl Screen {
    /// Takes the terminal. `recorded`: what is shown is not of now.
    pub fn open(plan: &Plan, head: Head, recorded: bool) -> io::Result<Self> {
        let (to, from) = sync_channel(QUEUE);
        let (ask, asked) = unbounded_channel();
        let (most, size) = (if recorded { RECORDED } else { LIVE }, Tty::size()?);
        let look = Look { colour: plan.colour, ascii: plan.ascii };
        terminal::wait_for_signals(to.clone())?;
        let tty = Tty::take(look, plan.mouse)?;
        terminal::wait_for_keys(to.clone())?;
        let plan = plan.clone();
        let thread = thread::Builder::new().name("screen".into()).spawn(move || {
            let machine = Machine::new(&plan, Timeline::new(head, most), recorded, size);
            tty.run(machine, &from, &ask);
        })?;
        Ok(Self { to, asked, thread: Some(thread), missed: 0 })
    }

    /// Never waits.
    pub fn show(&mut self, payload: Payload) {
        if let Err(TrySendError::Full(_)) = self.to.try_send(Message::Input(Input::Kept(payload))) {
            self.missed += 1;
        }
    }

    /// Of a recording, which waits for the screen. False: nobody wants more.
    pub fn load(&self, entry: &Entry) -> io::Result<bool> {
        let Some(payload) = Payload::of(entry)? else { return Ok(true) };
        Ok(self.to.send(Message::Input(Input::Kept(payload))).is_ok())
    }

    pub fn loaded(&self) {
        _ = self.to.send(Message::Input(Input::Loaded));
    }

    pub fn lost(&self) -> Lost {
        Lost { cause: "intervals that the screen had no time for", count: self.missed }
    }

    /// What was asked for, at once or when it comes.
    pub async fn asked(&mut self) -> Ask {
        self.asked.recv().await.unwrap_or(Ask::End)
    }

    /// The same, without waiting.
    pub fn is_over(&mut self) -> bool {
        matches!(self.asked.try_recv(), Ok(Ask::End) | Err(tokio::sync::mpsc::error::TryRecvError::Disconnected))
    }

    /// Until a person ends it.
    pub fn wait(&mut self) {
        while !matches!(self.asked.blocking_recv(), Some(Ask::End) | None) {}
    }
}

impl Drop for Screen {
    /// The terminal is as it was.
    fn drop(&mut self) {
        _ = self.to.send(Message::Close);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
