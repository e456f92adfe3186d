//! Whoever sees a run: a person at a screen, or a reader of text or JSON.

use std::io;

use super::recording::head;
use crate::{
    cli::plan::Plan,
    screen::{Ask, Screen},
    sinks::{self, Out, Sink, Unread},
    snapshot::Lost,
};

pub enum Audience {
    Screen(Screen),
    Reader { sink: Box<dyn Sink>, unread: Unread },
}

impl Audience {
    /// `missing`: what cannot be measured, and why.
    pub fn of(plan: &Plan, missing: &[String]) -> io::Result<Self> {
        if plan.screen {
            return Ok(Self::Screen(Screen::open(plan, head(plan, missing), false)?));
        }
        let out = Out::to(io::stdout())?;
        let unread = out.unread();
        Ok(Self::Reader { sink: sinks::of(plan, out), unread })
    }

    pub fn is_screen(&self) -> bool {
        matches!(self, Self::Screen(_))
    }

    /// What it asks for. An error of kind `BrokenPipe`: it has seen enough.
    pub async fn news(&mut self) -> io::Result<Ask> {
        match self {
            Self::Screen(screen) => Ok(screen.asked().await),
            Self::Reader { unread, .. } => Err(unread.failed().await),
        }
    }

    pub fn lost(&self) -> Lost {
        match self {
            Self::Screen(screen) => screen.lost(),
            Self::Reader { unread, .. } => unread.lost(),
        }
    }

    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Screen(_) => Ok(()),
            Self::Reader { sink, .. } => sink.finish(),
        }
    }
}
